/* SPDX-License-Identifier: MIT */
/* stream.c - connections to servers
 *
 *	dialling --> shaking hands --> ready --idle-timeout, FIN--> gone
 *	    |            |               |
 *	    +-- error ---+---------------+---> its tries fail, or begin again
 *	                                       by a new one
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

#include "lookup.h"

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
	if (s->secure)
		s->up->secure->close(s->secure);
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

/* Bytes for the socket, kept until flush(). */
static int keep(struct stream *s, const uint8_t *p, size_t n)
{
	if (s->out.len - s->out.at + n > OUT_MAX)
		return -ENOBUFS;
	return buffer_add(&s->out, p, n);
}

static int flush(struct stream *s)
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

int stream_put(struct stream *s, const uint8_t *p, size_t n)
{
	return s->secure ? s->up->secure->write(s->secure, p, n) :
			   keep(s, p, n);
}

/* What is to be sent goes out, encrypted first. */
static int push(struct stream *s)
{
	uint8_t *buf = s->up->kept;
	size_t n = 1;
	int err = 0;

	while (!err && s->secure && n) {
		n = s->up->secure->output(s->secure, buf, MSG_MAX);
		err = keep(s, buf, n);
	}
	return err ? err : flush(s);
}

static int carry(struct stream *s, struct try *t)
{
	uint8_t *out = s->up->out;
	size_t len;

	if (s->kind != URL_HTTPS)
		return frame_send(s, t);
	len = try_message(t, out);
	msg_put16(out, 0); /* RFC 8484, 4.1 */
	t->frame = s->up->secure->request(s->secure, out, len);
	return t->frame < 0 ? t->frame : 0;
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

/* -------------------------------------------------------------- encrypted */

static struct try *try_of(const struct stream *s, int32_t frame)
{
	for (unsigned int i = 0; i < IDS_BUCKETS; i++)
		for (struct try *t = s->ids.bucket[i]; t; t = t->same)
			if (!t->unsent && t->frame == frame)
				return t;
	return NULL;
}

static void secure_ready(void *arg)
{
	((struct stream *)arg)->ready = true;
}

static int secure_plain(void *arg, const uint8_t *p, size_t n)
{
	return frame_read(arg, p, n);
}

static void secure_answer(void *arg, int32_t id, uint8_t *msg, size_t len)
{
	struct stream *s = arg;
	struct try *t = try_of(s, id);

	if (!t)
		return;
	s->worked = true;
	if (!try_answered(t, msg, len))
		try_failed(t, "answers something else", false);
}

static void secure_refused(void *arg, int32_t id, const char *why, bool lost)
{
	struct try *t = try_of(arg, id);

	if (t)
		try_failed(t, why, lost);
}

static void secure_leaving(void *arg)
{
	((struct stream *)arg)->leaving = true;
}

static const struct secure_events secure_events = {
	.ready = secure_ready,
	.plain = secure_plain,
	.answer = secure_answer,
	.refused = secure_refused,
	.leaving = secure_leaving,
};

static int encrypt(struct stream *s)
{
	const struct options *o = s->up->options;
	const struct url *u = &s->server->url;
	struct sluice_addr a;
	struct secure_peer peer = {
		.host = u->host,
		.port = u->port,
		.address = !url_address(u->host, &a),
		.http = u->kind == URL_HTTPS,
		.path = u->path,
		.pins = u->pins,
		.pins_n = u->pins_n,
		.session = &s->server->session,
	};

	if (u->device) {
		peer.device_host = *o->client_host ? o->client_host : NULL;
		peer.device_ip = *o->client_address ? o->client_address : NULL;
		peer.device_mac = *o->client_mac ? o->client_mac : NULL;
	}
	s->server->session_free = s->up->secure->session_free;
	s->secure = s->up->secure->open(s->up->secure_ctx, &peer,
					&secure_events, s);
	return s->secure ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------------ events */

static const char *why_not(int err)
{
	return err == -ELOOP      ? "the way there is through us" :
	       err == -ECONNRESET ? "ends the connection" :
				    strerror(-err);
}

/* All that waited for the connection. */
static int send_waiting(struct stream *s)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < IDS_BUCKETS; i++) {
		for (struct try *t = s->ids.bucket[i]; t && !err; t = t->same) {
			if (t->unsent)
				err = carry(s, t);
			t->unsent = false;
		}
	}
	return err;
}

/* Bytes that came, n may be 0.  NULL, or why the connection is over. */
static const char *take(struct stream *s, const uint8_t *p, size_t n)
{
	bool was_ready = s->ready;
	const char *why = NULL;
	int err = 0;

	if (s->secure)
		why = s->up->secure->input(s->secure, p, n);
	else if (n)
		err = frame_read(s, p, n);
	if (!why && !err && s->ready && !was_ready)
		err = send_waiting(s);
	if (!why && !err)
		err = push(s);
	return err ? why_not(err) : why;
}

static const char *read_some(struct stream *s)
{
	uint8_t *in = s->up->in;
	const char *why = NULL;

	for (int i = 0; !why && i < READS_A_TURN; i++) {
		ssize_t n = recv(s->fd, in, sizeof(s->up->in), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return NULL;
		if (n <= 0)
			return why_not(n ? -errno : -ECONNRESET);
		s->heard_ms = sluice_now(s->up->ctx);
		why = take(s, in, (size_t)n);
		if ((size_t)n < sizeof(s->up->in))
			break;
	}
	return why;
}

static void stream_event(void *arg, int fd, uint32_t events)
{
	struct stream *s = arg;
	const char *why = NULL;
	int err = 0;

	(void)fd;
	s->busy = true;
	if (events & SLUICE_WATCH_WRITE)
		err = flush(s);
	if (err)
		why = why_not(err);
	else if (events & ~SLUICE_WATCH_WRITE)
		why = read_some(s);
	s->busy = false;
	if (why)
		stream_fail(s, why);
	else if (s->leaving && !s->ids.n)
		stream_free(s);
}

static void dialled(void *arg, int fd)
{
	struct stream *s = arg;
	const char *why = NULL;
	int err = fd < 0 ? fd : 0;

	if (s->up->stopping) {
		if (fd >= 0)
			close(fd);
		stream_free(s);
		return;
	}
	s->busy = true;
	if (!err) {
		s->fd = fd;
		s->idle_ms = s->heard_ms = sluice_now(s->up->ctx);
		err = sluice_watch(s->up->ctx, fd, SLUICE_WATCH_READ,
				   stream_event, s);
	}
	if (!err && s->kind >= URL_TLS)
		err = encrypt(s);
	if (err) {
		why = why_not(err);
	} else if (s->secure) {
		why = take(s, NULL, 0);
	} else {
		s->ready = true;
		err = send_waiting(s);
		if (!err)
			err = push(s);
		why = err ? why_not(err) : NULL;
	}
	s->busy = false;
	if (why)
		stream_fail(s, why);
}

static int dial(struct stream *s)
{
	struct sluice_dial d = {
		.size = sizeof(d),
		.proto = SLUICE_TCP,
		.to = *server_addr(s->server),
		.timeout_ms = (uint32_t)s->up->options->try_timeout,
		.done = dialled,
		.arg = s,
	};

	return sluice_dial(s->up->ctx, &d);
}

static struct stream *stream_new(struct upstream *up, struct server *server,
				 uint8_t kind)
{
	struct stream *s = calloc(1, sizeof(*s));
	int err = 0;

	errno = ENOMEM;
	if (!s)
		return NULL;
	s->up = up;
	s->fd = -1;
	s->kind = kind;
	s->server = server;
	lookup_begin(up, server);
	s->unplaced = !server->addrs_n && server->lookups;
	if (!server->addrs_n && !s->unplaced)
		err = -EHOSTUNREACH; /* nobody knows where it is */
	else if (!s->unplaced)
		err = dial(s);
	if (err) {
		free(s);
		errno = -err;
		return NULL;
	}
	server_get(server);
	LIST_INSERT_HEAD(&server->streams, s, node);
	TAILQ_INSERT_TAIL(&up->streams, s, all);
	return s;
}

/* The streams that wait are taken one by one: what fails may begin others. */
void stream_found(struct server *server)
{
	struct stream *s;
	int err;

	server_get(server);
	for (;;) {
		LIST_FOREACH(s, &server->streams, node)
		if (s->unplaced)
			break;
		if (!s || server->lookups)
			break;
		s->unplaced = false;
		err = server->addrs_n ? dial(s) : -EHOSTUNREACH;
		if (err)
			stream_fail(s, server->addrs_n ?
					       why_not(err) :
					       "its address is not found");
	}
	server_put(server);
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
		err = carry(s, t);
	/* Inside of its own event all goes out at the end of that. */
	if (s->ready && !err && !s->busy)
		err = push(s);
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
	if (s->secure && t->frame > 0)
		s->up->secure->cancel(s->secure, t->frame);
	s->idle_ms = sluice_now(s->up->ctx);
}

void stream_doubt(struct try *t)
{
	if (t->stream && t->stream->fd >= 0 && t->stream->heard_ms < t->began)
		t->stream->leaving = true;
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

void stream_retire_all(struct upstream *up)
{
	struct stream *s;

	TAILQ_FOREACH(s, &up->streams, all)
	if (!s->unplaced)
		s->leaving = true;
}

/* Those still dialling are ended by dialled(). */
void stream_stop(struct upstream *up)
{
	struct stream *s, *next;

	for (s = TAILQ_FIRST(&up->streams); s; s = next) {
		next = TAILQ_NEXT(s, all);
		if (s->fd >= 0 || s->unplaced)
			stream_free(s);
	}
}
