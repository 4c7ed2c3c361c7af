/* SPDX-License-Identifier: MIT */
/* try.h - one question on its way to one server */
#ifndef TRY_H
#define TRY_H

#include "servers.h"

struct ask;
struct upstream;

struct
try {
	struct ask *ask; /* NULL: not under way */
	struct server *server;
	struct try *same; /* in the ids it is in */
	struct udp *udp;  /* one of the two carries it */
	struct stream *stream;
	TAILQ_ENTRY(try) node; /* in upstream.tries */
	uint64_t began;
	uint32_t epoch; /* of the network it began in */
	uint16_t id;
	uint8_t kind;  /* URL_*, of what carries it */
	bool probe;    /* of a server that was down */
	bool again;    /* its connection was lost, this one is new */
	bool unsent;   /* what carries it is being made */
	int32_t frame; /* HTTP/2: the stream's number */
};

TAILQ_HEAD(try_list, try);

/* Those that one socket or connection carries, by id. */
#define IDS_BUCKETS 64u
struct ids {
	struct try *bucket[IDS_BUCKETS];
	uint32_t n;
};

uint16_t try_random(struct upstream *up);
/* With a fresh random id that no other there has. */
void ids_add(struct ids *ids, struct try *t);
void ids_remove(struct ids *ids, struct try *t);
struct try *ids_find(const struct ids *ids, uint16_t id);
struct try *ids_first(const struct ids *ids); /* any; NULL: none */

/* Begin a free one: by UDP, or by the connections its server has.  0, or
 * -errno and it is free again. */
int try_begin(struct try *t, struct ask *a, struct server *s, uint8_t kind);
/* Not under way any more, whatever it waited for. */
void try_end(struct try *t);
/* The bytes to send for it, its id in them; the length. */
size_t try_message(const struct try *t, uint8_t *out);

/* From what carries it.  An answer that came, and is changed where it
 * lies; false: it is none to this question, and the try goes on. */
bool try_answered(struct try *t, uint8_t *msg, size_t len);
/* It came to nothing; lost: a connection that had worked ended. */
void try_failed(struct try *t, const char *why, bool lost);

/* udp.c: 0 or -errno. */
int ask_by_udp(struct upstream *up, struct try *t);
void udp_leave(struct try *t);
/* Sockets that were used enough or had an error; true: some are left. */
bool udp_sweep(struct upstream *up);
void udp_stop(struct upstream *up);
/* No more questions go out by what there is. */
void udp_retire_all(struct upstream *up);
void stream_retire_all(struct upstream *up);

/* stream.c: the same for connections. */
int stream_send(struct upstream *up, struct try *t);
void stream_leave(struct try *t);
/* The look-up of a server's addresses is over. */
void stream_found(struct server *server);
bool stream_sweep(struct upstream *up);
/* A try had no answer: was the connection silent all the time? */
void stream_doubt(struct try *t);
void stream_stop(struct upstream *up);

#endif
