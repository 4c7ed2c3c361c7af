/* SPDX-License-Identifier: MIT */
/* dial_int.h - a dial, between dial.c and dial_protect.c */
#ifndef CORE_DIAL_INT_H
#define CORE_DIAL_INT_H

#include "dial.h"

/* No verdict of a plugin has this value. */
#define UNDECIDED INT32_MIN

enum dial_state {
	DIAL_PROTECT,
	DIAL_WAIT,
	DIAL_CONNECT,
	DIAL_DONE,
	DIAL_HELD,
};

struct dial {
	struct sluice_socket pub; /* first: what protect plugins hold */
	struct list node;
	struct gateway *gw;
	struct dial_ask ask;
	struct sluice_socket_info info;
	struct dial_error error;
	struct loop_fd watch;
	struct timer timer;
	struct loop_work report;
	struct instance **at;    /* the next plugin to ask */
	_Atomic int32_t verdict; /* of resolve(), from any thread */
	uint8_t state;
	bool walking; /* inside the protect chain: not to be freed */
};

#define DIAL_TEXT (ADDR_TEXT + 48)

extern const struct sluice_socket_api dial_socket_api;

/* dial.c */
struct dial *dial_new(struct gateway *gw); /* no socket yet, no timer */
void dial_free(struct dial *d);
void dial_abandon(struct dial *d);
void dial_finish(struct dial *d, int err);
void dial_connect(struct dial *d);
char *dial_text(const struct dial *d, char buf[static DIAL_TEXT]);

/* dial_protect.c: ask the chain, then connect or finish */
void dial_protect_go(struct dial *d);

#endif
