/* SPDX-License-Identifier: MIT */
/* ask.h - one query on its way to the servers of dns-upstream
 *
 *	dns-upstream.c	the plugin: options, queries
 *	ask.c		whom to ask, for how long
 *	wire.c		what goes over the sockets
 *	servers.c	the servers
 */
#ifndef ASK_H
#define ASK_H

#include <sluice/plugin.h>

#include "servers.h"

#define HEADER     12
#define TC(msg)    ((msg)[2] & 0x02)
#define RCODE(msg) ((msg)[3] & 0x0f)

struct options {
	const char *const *server;
	int64_t timeout, try_timeout;
};

struct bytes {
	uint8_t *p;
	size_t len;
};

struct ask {
	struct ask *next, **link; /* of those waiting, or free */
	struct upstream *up;
	struct sluice_query *query;
	uint64_t end_ms, try_ms, try_end_ms;
	uint32_t tried, generation;
	int at;            /* the server being asked */
	bool timed_out;    /* one of this round did not answer */
	uint8_t proto;     /* of this try */
	int fd;            /* -1: dialling */
	uint8_t head[4];   /* TCP's length, and our id */
	uint8_t len[2];    /* of the answer by TCP */
	struct bytes body; /* the same */
	size_t sent, got;
	struct bytes poor; /* the best answer until now: cut, or an error */
};

struct upstream {
	struct sluice_ctx *ctx;
	const struct options *options;
	struct servers servers;
	struct sluice_timer *timer;
	struct ask *waiting, *free;
	uint32_t free_n;
	uint16_t random[128]; /* ids not given out yet */
	uint32_t random_n;
	bool stopping;
	uint8_t buf[65536];
};

/* A new one, not begun yet, or NULL. */
struct ask *ask_new(struct upstream *up);
void ask_free(struct ask *a);
/* Begin with the next server.  False: nobody is left, or no time. */
bool ask_begin(struct ask *a);
/* The end, without an answer, of all that wait. */
void ask_stop_all(struct upstream *up);

/* wire.c.  An id and the head of the message for the next try. */
void wire_begin(struct ask *a);
/* Is msg the answer to what was asked in this try? */
bool wire_is_answer(const struct ask *a, const uint8_t *msg, size_t len);
/* Must it go by TCP from the start? */
bool wire_wants_tcp(const struct ask *a);
/* The query as one datagram: 0 or -errno. */
int wire_send_udp(struct ask *a);
/* 1: all is sent, or the answer is whole in a->body; 0: not yet; -errno. */
int wire_send_tcp(struct ask *a);
int wire_read_tcp(struct ask *a);

#endif
