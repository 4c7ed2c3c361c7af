/* SPDX-License-Identifier: MIT */
/* script.h - plugins that do as a test says
 *
 * Two of them, alike: of every class but dns, with what they answer in a
 * struct that the test fills in and that counts what was called.  What a test
 * leaves out is what a plain forwarder does: connect, protect, watch.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <sluice/plugin.h>

struct script {
	/* What to do; NULL: as a forwarder. */
	int (*open)(struct sluice_flow *);
	void (*readable)(struct sluice_flow *);
	void (*writable)(struct sluice_flow *);
	void (*eof)(struct sluice_flow *);
	int (*idle)(struct sluice_flow *);
	void (*close)(struct sluice_flow *);
	int (*protect)(struct sluice_socket *);

	/* What came. */
	struct sluice_flow *flow;     /* of the last open() */
	struct sluice_socket *socket; /* of the last protect() */
	int opens, readables, writables, eofs, idles, closes, protects;
	int why; /* of the last close() */

	/* As an observer. */
	int seen_opens, seen_closes, seen_why;
	int seen_up, seen_down; /* packets */
	char seen_plugin[32];
	uint64_t seen_up_bytes, seen_down_bytes;
};

extern struct script first, second;
extern const struct sluice_plugin script_first, script_second;

void script_reset(void);

/* Answers to give. */
int script_pass(struct sluice_flow *);
int script_take(struct sluice_flow *);
int script_drop(struct sluice_flow *);
int script_later(struct sluice_flow *);
int script_more(struct sluice_flow *);
int script_protect_pass(struct sluice_socket *);
int script_protect_drop(struct sluice_socket *);
int script_protect_later(struct sluice_socket *);

#endif
