/* SPDX-License-Identifier: MIT */
/* stream.h - connections to servers, for the files that share them
 *
 *	stream.c	connecting, bytes to and from the socket, end
 *	frame.c		messages in them: TCP's length before each
 *	secure.h	messages in them: encrypted
 */
#ifndef STREAM_H
#define STREAM_H

#include "ask.h"
#include "secure.h"

struct buffer {
	uint8_t *p;
	size_t at, len, cap; /* from at on is still to go */
};

struct stream {
	LIST_ENTRY(stream) node; /* of its server */
	TAILQ_ENTRY(stream) all; /* upstream.streams */
	struct upstream *up;
	struct server *server;
	struct ids ids;
	struct buffer out;     /* to the socket */
	struct buffer in;      /* a message that is not whole */
	struct secure *secure; /* TLS, HTTPS: what encrypts */
	uint64_t idle_ms;      /* since when it has no work */
	uint64_t heard_ms;     /* when something last came */
	int fd;                /* -1: dialling */
	uint8_t kind;          /* URL_TCP, ... */
	bool unplaced;         /* its server's address is being looked up */
	bool ready;            /* questions can go out */
	bool leaving;          /* no more do */
	bool worked;           /* an answer came by it */
	bool busy;             /* inside of its own event: not to be freed */
	bool blocked;          /* the socket takes no more: watched for that */
};

/* Plain bytes to send: 0 or -errno. */
int stream_put(struct stream *s, const uint8_t *p, size_t n);
/* An answer came, from which try that is told by its id. */
void stream_message(struct stream *s, uint8_t *msg, size_t len);

int buffer_add(struct buffer *b, const uint8_t *p, size_t n);
void buffer_free(struct buffer *b);

/* frame.c: the message of a try; what came in (0 or -errno). */
int frame_send(struct stream *s, struct try *t);
int frame_read(struct stream *s, const uint8_t *p, size_t n);

#endif
