/* SPDX-License-Identifier: MIT */
/* box.h - a command in namespaces of its own
 *
 * User, network, mount and process namespaces with a TUN in them as the only
 * way out.  The box's first process (its init) makes them ready, starts the
 * command, and tells what becomes of it over b->ctl, in messages; a byte sent
 * there is a signal for the command.
 *
 *	box_start() --> BOX_TUN --box_go()--> command runs --> BOX_ENDED
 *	     |             \                     |   ^
 *	     |              BOX_FAILED           v   | SIGCONT
 *	  -errno                              BOX_STOPPED
 *
 * The box dies with the process that started it, however that ends.
 */
#ifndef CORE_BOX_H
#define CORE_BOX_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct settings;

enum box_kind {
	BOX_TUN,     /* value: a descriptor, now ours */
	BOX_NOTE,    /* text: what is not as it should be, but goes on */
	BOX_FAILED,  /* text: why there will be no command */
	BOX_STOPPED, /* value: the signal that stopped it */
	BOX_CONTINUED,
	BOX_ENDED, /* value: as waitpid(2) gives it */
};

struct box_message {
	int32_t kind, value;
	char text[512];
};

struct box {
	pid_t pid;
	int ctl; /* messages from the box; non-blocking */
};

/* mask: the signal mask the command gets.  0, or -errno and a sentence for
 * the user in text. */
int box_start(struct box *b, const struct settings *set, char **argv,
	      const sigset_t *mask, char *text, size_t text_len);
/* The next message: 1, 0 when the box is gone, or -errno (-EAGAIN: none). */
int box_receive(struct box *b, struct box_message *m);
/* The TUN is served: start the command. */
void box_go(struct box *b);
void box_signal(struct box *b, int sig);
/* End it, if it has not ended, and wait until nothing is left of it. */
void box_end(struct box *b);

#endif
