/* SPDX-License-Identifier: MIT */
/* stream.c - connections to servers
 *
 *	dialling --> ready --idle-timeout, or the server's FIN--> gone
 *	    |          |
 *	    +-- error -+---> its tries fail, or begin again by a new one
 *
 * A connection is used by all questions to its server, many at a time, and
 * answers come in any order (RFC 7766, 6).  One that had worked and then ends
 * says nothing about the server: what was under way is asked again, once, by
 * a new one.
 */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRIES_MAX    128    /* that one connection carries at a time */
#define STREAMS_MAX  8      /* to one server */
#define OUT_MAX      262144 /* bytes that a server does not read */
#define READS_A_TURN 8      /* of one socket: a flood waits its turn */

static void stream_event(void *arg, int fd, uint32_t events);

static void stream_free(struct stream *s)
{
	LIST_REMOVE(s, node);
	TAILQ_REMOVE(&s->up->streams, s, all);
	if (s->fd >= 0) {
		sluice_watch(s->up->ctx, s->fd, 0, NULL, NULL);
		close(s->fd);
	}
	buffer_free(&s->out);
	buffer_free(&s->in);
	server_put(s->server);
	free(s);
}

/* The end: what it carried fails, or is asked again. */
static void stream_fail(struct stream *s, const char *why)
{
	struct try *t;

	s->leaving = true;
	s->busy = true;
	while ((t = ids_first(&s->ids)))
		try_failed(t, why, s->worked);
	s->busy = false;
	stream_free(s);
}

int stream_out(struct stream *s, const uint8_t *p, size_t n)
{
	if (s->out.len - s->out.at + n > OUT_MAX)
		return -ENOBUFS;
	return buffer_add(&s->out, p, n);
}

int stream_flush(struct stream *s)
{
	struct buffer *b = &s->out;
	bool blocked;

	while (b->at < b->len) {
		ssize_t n = send(s->fd, b->p + b->at, b->len - b->at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0)
			break;
		b->at += (size_t)n;
	}
	blocked = b->at < b->len;
	if (blocked == s->blocked)
		return 0;
	s->blocked = blocked;
	return sluice_watch(s->up->ctx, s->fd,
			    SLUICE_WATCH_READ |
				    (blocked ? SLUICE_WATCH_WRITE : 0),
			    stream_event, s);
}

void stream_message(struct stream *s, uint8_t *msg, size_t len)
{
	struct try *t = len < MSG_HEADER ? NULL :
					   ids_find(&s->ids, msg_get16(msg));

	if (!t || t->unsent)
		return; /* of one that was given up */
	s->worked = true;
	if (!try_answered(t, msg, len))
		try_failed(t, "answers something else", false);
}

/* What came is read; -errno: the connection is over. */
static int read_some(struct stream *s)
{
	uint8_t *in = s->up->in;

	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t n = recv(s->fd, in, sizeof(s->up->in), MSG_DONTWAIT);
		int err;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return n ? -errno : -ECONNRESET;
		err = frame_read(s, in, (size_t)n);
		if (err)
			return err;
		if ((size_t)n < sizeof(s->up->in))
			return 0;
	}
	return 0;
}

static void stream_event(void *arg, int fd, uint32_t events)
{
	struct stream *s = arg;
	int err = 0;

	(void)fd;
	s->busy = true;
	if (events & SLUICE_WATCH_WRITE)
		err = stream_flush(s);
	if (!err && events & ~SLUICE_WATCH_WRITE)
		err = read_some(s);
	s->busy = false;
	if (err)
		stream_fail(s, err == -ECONNRESET ? "ends the connection" :
						    strerror(-err));
	else if (s->leaving && !s->ids.n)
		stream_free(s);
}

/* All that waited for the connection. */
static int send_waiting(struct stream *s)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < IDS_BUCKETS; i++) {
		for (struct try *t = s->ids.bucket[i]; t && !err; t = t->same) {
			if (t->unsent)
				err = frame_send(s, t);
			t->unsent = false;
		}
	}
	return err ? err : stream_flush(s);
}

static void dialled(void *arg, int fd)
{
	struct stream *s = arg;
	int err = fd < 0 ? fd : 0;

	if (s->up->stopping) {
		if (fd >= 0)
			close(fd);
		stream_free(s);
		return;
	}
	if (!err) {
		s->fd = fd;
		s->idle_ms = sluice_now(s->up->ctx);
		s->ready = true;
		err = sluice_watch(s->up->ctx, fd, SLUICE_WATCH_READ,
				   stream_event, s);
	}
	if (!err)
		err = send_waiting(s);
	if (err)
		stream_fail(s, err == -ELOOP ? "the way there is through us" :
					       strerror(-err));
}

static struct stream *stream_new(struct upstream *up, struct server *server,
				 uint8_t kind)
{
	struct stream *s = calloc(1, sizeof(*s));
	struct sluice_dial d = {
		.size = sizeof(d),
		.proto = SLUICE_TCP,
		.to = *server_addr(server),
		.timeout_ms = (uint32_t)up->options->try_timeout,
		.done = dialled,
		.arg = s,
	};
	int err;

	errno = ENOMEM;
	if (!s)
		return NULL;
	s->up = up;
	s->fd = -1;
	s->kind = kind;
	err = sluice_dial(up->ctx, &d);
	if (err) {
		free(s);
		errno = -err;
		return NULL;
	}
	s->server = server_get(server);
	LIST_INSERT_HEAD(&server->streams, s, node);
	TAILQ_INSERT_TAIL(&up->streams, s, all);
	return s;
}

/* The connection for the next question, or NULL with errno. */
static struct stream *current(struct upstream *up, struct server *server,
			      uint8_t kind)
{
	struct stream *s;
	int n = 0;

	LIST_FOREACH(s, &server->streams, node)
	{
		if (s->kind == kind && !s->leaving && s->ids.n < TRIES_MAX)
			return s;
		n++;
	}
	if (n < STREAMS_MAX)
		return stream_new(up, server, kind);
	errno = EBUSY;
	return NULL;
}

int stream_send(struct upstream *up, struct try *t)
{
	struct stream *s = current(up, t->server, t->kind);
	int err = 0;

	if (!s)
		return -errno;
	t->stream = s;
	ids_add(&s->ids, t);
	t->unsent = !s->ready;
	if (s->ready)
		err = frame_send(s, t);
	if (s->ready && !err)
		err = stream_flush(s);
	if (err) {
		/* Its other tries are told by its own event. */
		s->leaving = true;
		ids_remove(&s->ids, t);
		t->stream = NULL;
	}
	return err;
}

void stream_leave(struct try *t)
{
	struct stream *s = t->stream;

	ids_remove(&s->ids, t);
	t->stream = NULL;
	s->idle_ms = sluice_now(s->up->ctx);
}

bool stream_sweep(struct upstream *up)
{
	uint64_t now = sluice_now(up->ctx);
	uint64_t limit = (uint64_t)up->options->idle_timeout;
	struct stream *s, *next;

	for (s = TAILQ_FIRST(&up->streams); s; s = next) {
		next = TAILQ_NEXT(s, all);
		if (s->fd >= 0 && !s->ids.n &&
		    (s->leaving || now >= s->idle_ms + limit))
			stream_free(s);
	}
	return !TAILQ_EMPTY(&up->streams);
}

/* Those still dialling are ended by dialled(). */
void stream_stop(struct upstream *up)
{
	struct stream *s, *next;

	for (s = TAILQ_FIRST(&up->streams); s; s = next) {
		next = TAILQ_NEXT(s, all);
		if (s->fd >= 0)
			stream_free(s);
	}
}
