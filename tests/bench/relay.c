/* SPDX-License-Identifier: MIT */
/* relay.c - what to compare with: accept, connect, copy
 *
 *	relay [-s] LISTEN-ADDRESS HOST PORT...
 *
 * Each PORT is listened on and forwarded to the same port of HOST, TCP and
 * UDP.  Bytes go through a buffer with read(2) and write(2), or with -s
 * through a pipe with splice(2).  One thread, level-triggered epoll; a
 * direction that cannot write does not read.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "bench.h"

#define BUFFER   (128 * 1024)
#define PIPE     (1024 * 1024)
#define ROUNDS   16 /* copies a turn: others want theirs */
#define SESSIONS 64

struct end;

/* From one end to the other. */
struct way {
	struct end *from, *to;
	char *buf;
	int pipe[2];
	size_t len, off; /* len: in the pipe, too */
	bool eof, shut;
};

struct end {
	enum { LISTEN, STREAM, UDP_APP, UDP_NET } kind;
	int fd;
	uint32_t events; /* as epoll has them */
	struct relay *relay;
	struct bench_addr to; /* LISTEN, UDP_APP; UDP_NET: the app */
	struct end *app;      /* UDP_NET */
};

struct relay {
	struct end end[2];
	struct way way[2];
	bool dead;
	struct relay *next_dead;
};

static int epoll;
static bool use_splice;
static struct relay *dead;
static struct end *session[SESSIONS];
static unsigned int sessions;

static void watch(struct end *e, uint32_t events, int op)
{
	struct epoll_event ev = { .events = events, .data.ptr = e };

	if (op == EPOLL_CTL_MOD && events == e->events)
		return;
	if (epoll_ctl(epoll, op, e->fd, &ev) < 0)
		err(1, "epoll_ctl");
	e->events = events;
}

static void way_init(struct way *w, struct end *from, struct end *to)
{
	w->from = from;
	w->to = to;
	if (!use_splice) {
		w->buf = malloc(BUFFER);
		if (!w->buf)
			err(1, "malloc");
		return;
	}
	if (pipe2(w->pipe, O_NONBLOCK | O_CLOEXEC) < 0)
		err(1, "pipe2");
	fcntl(w->pipe[1], F_SETPIPE_SZ, PIPE);
}

static void way_fini(struct way *w)
{
	free(w->buf);
	if (use_splice) {
		close(w->pipe[0]);
		close(w->pipe[1]);
	}
}

static ssize_t way_read(struct way *w)
{
	if (use_splice)
		return splice(w->from->fd, NULL, w->pipe[1], NULL, PIPE,
			      SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	return read(w->from->fd, w->buf, BUFFER);
}

static ssize_t way_write(struct way *w)
{
	if (use_splice)
		return splice(w->pipe[0], NULL, w->to->fd, NULL, w->len,
			      SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	return send(w->to->fd, w->buf + w->off, w->len, MSG_NOSIGNAL);
}

/* Copy until one side cannot; 0, or -1 when the connection is broken. */
static int way_copy(struct way *w)
{
	bool drained = false; /* less came than there was room for */
	ssize_t n;

	for (int i = 0; i < ROUNDS && !drained; i++) {
		if (!w->len && !w->eof) {
			n = way_read(w);
			if (n < 0)
				return errno == EAGAIN ? 0 : -1;
			w->eof = !n;
			w->len = (size_t)n;
			w->off = 0;
			drained = n > 0 && n < BUFFER && !use_splice;
		}
		if (!w->len)
			break;
		n = way_write(w);
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		w->len -= (size_t)n;
		w->off += (size_t)n;
		if (w->len)
			return 0;
	}
	if (w->eof && !w->len && !w->shut) {
		shutdown(w->to->fd, SHUT_WR);
		w->shut = true;
	}
	return 0;
}

static uint32_t wanted(const struct way *down, const struct way *up)
{
	return (down->len || down->eof ? 0 : EPOLLIN) |
	       (up->len ? EPOLLOUT : 0);
}

static void relay_kill(struct relay *r)
{
	if (r->dead)
		return;
	r->dead = true;
	close(r->end[0].fd);
	close(r->end[1].fd);
	way_fini(&r->way[0]);
	way_fini(&r->way[1]);
	r->next_dead = dead; /* this turn may have events for it */
	dead = r;
}

static void relay_work(struct end *e, uint32_t events)
{
	struct relay *r = e->relay;
	int i = e == &r->end[1];

	if (r->dead)
		return;
	if ((events & ~EPOLLOUT && way_copy(&r->way[i])) ||
	    (events & ~EPOLLIN && way_copy(&r->way[!i])) ||
	    (r->way[0].shut && r->way[1].shut)) {
		relay_kill(r);
		return;
	}
	watch(&r->end[0], wanted(&r->way[0], &r->way[1]), EPOLL_CTL_MOD);
	watch(&r->end[1], wanted(&r->way[1], &r->way[0]), EPOLL_CTL_MOD);
}

static void relay_new(int fd, const struct bench_addr *to)
{
	struct relay *r = calloc(1, sizeof(*r));
	int one = 1;

	if (!r)
		err(1, "calloc");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	r->end[0].fd = fd;
	r->end[1].fd = bench_socket(to, SOCK_STREAM | SOCK_NONBLOCK);
	for (int i = 0; i < 2; i++) {
		r->end[i].kind = STREAM;
		r->end[i].relay = r;
		way_init(&r->way[i], &r->end[i], &r->end[!i]);
	}
	if (connect(r->end[1].fd, (const struct sockaddr *)&to->ss, to->len) &&
	    errno != EINPROGRESS) {
		relay_kill(r);
		return;
	}
	/* Until it is connected nothing is read: there is nowhere to. */
	watch(&r->end[0], 0, EPOLL_CTL_ADD);
	watch(&r->end[1], EPOLLOUT, EPOLL_CTL_ADD);
}

static struct end *session_of(struct end *app, const struct bench_addr *from)
{
	struct end *e;

	for (unsigned int i = 0; i < sessions && i < SESSIONS; i++)
		if (session[i]->app == app && session[i]->to.len == from->len &&
		    !memcmp(&session[i]->to.ss, &from->ss, from->len))
			return session[i];
	e = calloc(1, sizeof(*e));
	if (!e)
		err(1, "calloc");
	e->kind = UDP_NET;
	e->app = app;
	e->to = *from;
	e->fd = bench_connect(&app->to, SOCK_DGRAM | SOCK_NONBLOCK);
	watch(e, EPOLLIN, EPOLL_CTL_ADD);
	if (sessions >= SESSIONS) { /* the oldest goes */
		close(session[sessions % SESSIONS]->fd);
		free(session[sessions % SESSIONS]);
	}
	session[sessions++ % SESSIONS] = e;
	return e;
}

static void dgram_up(struct end *app)
{
	struct bench_addr from = { .len = sizeof(from.ss) };
	char buf[2048];
	ssize_t n = recvfrom(app->fd, buf, sizeof(buf), 0,
			     (struct sockaddr *)&from.ss, &from.len);

	if (n >= 0)
		send(session_of(app, &from)->fd, buf, (size_t)n, 0);
}

static void dgram_down(struct end *e)
{
	char buf[2048];
	ssize_t n = recv(e->fd, buf, sizeof(buf), 0);

	if (n >= 0)
		sendto(e->app->fd, buf, (size_t)n, 0,
		       (const struct sockaddr *)&e->to.ss, e->to.len);
}

static void handle(struct end *e, uint32_t events)
{
	int fd;

	switch (e->kind) {
	case LISTEN:
		while ((fd = accept4(e->fd, NULL, NULL,
				     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
			relay_new(fd, &e->to);
		break;
	case STREAM:
		relay_work(e, events);
		break;
	case UDP_APP:
		dgram_up(e);
		break;
	case UDP_NET:
		dgram_down(e);
		break;
	}
}

static void listen_on(const char *addr, const char *host, const char *port)
{
	struct bench_addr a = bench_resolve(addr, port);
	struct end *e = calloc(2, sizeof(*e));

	if (!e)
		err(1, "calloc");
	e[0].kind = LISTEN;
	e[1].kind = UDP_APP;
	e[0].to = e[1].to = bench_resolve(host, port);
	e[0].fd = bench_bind(&a, SOCK_STREAM | SOCK_NONBLOCK);
	e[1].fd = bench_bind(&a, SOCK_DGRAM | SOCK_NONBLOCK);
	watch(&e[0], EPOLLIN, EPOLL_CTL_ADD);
	watch(&e[1], EPOLLIN, EPOLL_CTL_ADD);
}

int main(int argc, char **argv)
{
	use_splice = argc > 1 && !strcmp(argv[1], "-s");
	argv += use_splice;
	argc -= use_splice;
	if (argc < 4)
		errx(2, "usage: relay [-s] LISTEN-ADDRESS HOST PORT...");
	bench_many_files();
	signal(SIGPIPE, SIG_IGN); /* splice(2) cannot be told not to */
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		err(1, "epoll_create1");
	for (int i = 3; i < argc; i++)
		listen_on(argv[1], argv[2], argv[i]);
	for (;;) {
		struct epoll_event ev[64];
		int n = epoll_wait(epoll, ev, 64, -1);

		for (int i = 0; i < n; i++)
			handle(ev[i].data.ptr, ev[i].events);
		while (dead) {
			struct relay *r = dead;

			dead = r->next_dead;
			free(r);
		}
	}
}
