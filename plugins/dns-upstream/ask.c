/* SPDX-License-Identifier: MIT */
/* ask.c - one query on its way to the servers
 *
 *	begin -> dialling --fd--> waiting --answer--> answered
 *	           ^  |              |
 *	           |  +--- error ----+---- try-timeout: the next server
 *	           +-----------------+---- truncated: the same by TCP
 *	                             +---- timeout, nobody left: SERVFAIL
 *
 * Each try has a connected socket to itself, on a port the kernel chose, and a
 * fresh random id: a stranger has to guess both, and what comes is looked at
 * only if it answers this very question.  What does not is as if it had not
 * come.
 *
 * A dial cannot be called back, so an ask is either dialling (and then
 * dialled() will come for it) or in the list of those waiting; the dial's
 * time limit is that of the try.
 */
#include "ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS      100
#define READS_A_TURN 16   /* of one socket: a flood waits its turn */
#define FREE_MAX     1024 /* asks kept for the next query */
#define SERVFAIL     2
#define NOTIMP       4
#define REFUSED      5

static void next_try(struct ask *a);

struct ask *ask_new(struct upstream *up)
{
	struct ask *a = up->free;

	if (a) {
		up->free = a->next;
		up->free_n--;
	} else {
		a = malloc(sizeof(*a));
		if (!a)
			return NULL;
	}
	memset(a, 0, sizeof(*a));
	a->up = up;
	a->fd = -1;
	return a;
}

void ask_free(struct ask *a)
{
	struct upstream *up = a->up;

	free(a->poor.p);
	if (up->free_n >= FREE_MAX) {
		free(a);
		return;
	}
	a->next = up->free;
	up->free = a;
	up->free_n++;
}

static void wait_no_more(struct ask *a)
{
	*a->link = a->next;
	if (a->next)
		a->next->link = a->link;
	a->fd = -1;
}

/* Out of the list, socket closed: before the next try or the end. */
static void close_try(struct ask *a)
{
	if (a->fd < 0)
		return;
	sluice_watch(a->up->ctx, a->fd, 0, NULL, NULL);
	close(a->fd);
	wait_no_more(a);
	free(a->body.p);
	a->body.p = NULL;
	a->sent = a->got = 0;
}

/* The end: with what q was answered, or without an answer. */
static void finish(struct ask *a, int verdict)
{
	struct sluice_query *q = a->query;

	close_try(a);
	ask_free(a);
	sluice_query_resolve(q, verdict);
}

/* Nobody is left to ask, or no time. */
static void give_up(struct ask *a)
{
	if (!a->poor.p || sluice_answer(a->query, a->poor.p, a->poor.len))
		sluice_block(a->query, SLUICE_BLOCK_SERVFAIL);
	finish(a, SLUICE_TAKE);
}

static void keep_poor(struct ask *a, const uint8_t *msg, size_t len)
{
	free(a->poor.p);
	a->poor.len = len;
	a->poor.p = malloc(len);
	if (a->poor.p)
		memcpy(a->poor.p, msg, len);
}

static struct server *server_of(struct ask *a)
{
	struct servers *s = &a->up->servers;

	return a->generation == s->generation ? &s->v[a->at] : NULL;
}

static void note_failure(struct ask *a, const char *why)
{
	struct server *s = server_of(a);
	struct upstream *up = a->up;
	char text[SERVER_TEXT];

	if (s && server_failed(s, a->try_ms, sluice_now(up->ctx)))
		sluice_log(up->ctx, 4, "%s: %s", server_text(s, text), why);
}

static void note_success(struct ask *a)
{
	struct server *s = server_of(a);
	struct upstream *up = a->up;
	char text[SERVER_TEXT];

	if (s && server_worked(s, sluice_now(up->ctx)))
		sluice_log(up->ctx, 6, "%s: answers again",
			   server_text(s, text));
}

static int dial(struct ask *a, uint8_t proto);

static bool all_tried(const struct ask *a)
{
	return a->tried == (1u << a->up->servers.n) - 1;
}

/* True: it was for us, and a may be gone. */
static bool answered(struct ask *a, const uint8_t *msg, size_t len)
{
	bool unable;

	if (!wire_is_answer(a, msg, len))
		return false;
	note_success(a);
	if (TC(msg) && a->proto == SLUICE_UDP) {
		keep_poor(a, msg, len);
		close_try(a);
		if (dial(a, SLUICE_TCP) < 0)
			next_try(a);
		return true;
	}
	/* The server is there, but cannot: perhaps another can. */
	unable = RCODE(msg) == SERVFAIL || RCODE(msg) == REFUSED ||
		 RCODE(msg) == NOTIMP;
	if (unable && !all_tried(a)) {
		keep_poor(a, msg, len);
		close_try(a);
		next_try(a);
		return true;
	}
	if (sluice_answer(a->query, msg, len))
		return false;
	finish(a, SLUICE_TAKE);
	return true;
}

static void try_failed(struct ask *a, const char *why)
{
	note_failure(a, why);
	close_try(a);
	next_try(a);
}

static void udp_event(void *arg, int fd, uint32_t events)
{
	struct ask *a = arg;
	struct upstream *up = a->up;

	(void)events;
	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t n = recv(fd, up->buf, sizeof(up->buf), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			try_failed(a, strerror(errno));
			return;
		}
		if (answered(a, up->buf, (size_t)n))
			return;
	}
}

static void tcp_event(void *arg, int fd, uint32_t events)
{
	struct ask *a = arg;
	struct upstream *up = a->up;
	int r = 0;

	if (events & SLUICE_WATCH_WRITE) {
		r = wire_send_tcp(a);
		if (r > 0)
			r = sluice_watch(up->ctx, fd, SLUICE_WATCH_READ,
					 tcp_event, a);
	}
	if (r >= 0 && events & ~SLUICE_WATCH_WRITE)
		r = wire_read_tcp(a);
	if (r < 0) {
		try_failed(a, strerror(-r));
		return;
	}
	if (a->got < 2 || a->got < a->body.len + 2)
		return;
	if (!answered(a, a->body.p, a->body.len))
		try_failed(a, "answers something else");
}

static void tick(void *arg);

static void wait_for(struct ask *a)
{
	struct upstream *up = a->up;

	a->link = &up->waiting;
	a->next = up->waiting;
	if (a->next)
		a->next->link = &a->next;
	up->waiting = a;
	if (!up->timer)
		up->timer = sluice_timer(up->ctx, TICK_MS, tick, up);
}

static int begin_udp(struct ask *a)
{
	int err = wire_send_udp(a);

	if (err)
		return err;
	return sluice_watch(a->up->ctx, a->fd, SLUICE_WATCH_READ, udp_event, a);
}

static void dialled(void *arg, int fd)
{
	struct ask *a = arg;
	struct upstream *up = a->up;
	int err;

	if (fd == -ECANCELED || up->stopping) {
		if (fd >= 0)
			close(fd);
		finish(a, SLUICE_DROP);
		return;
	}
	if (fd < 0) {
		a->timed_out |= fd == -ETIMEDOUT;
		try_failed(a, fd == -ELOOP ? "the way there is through us" :
					     strerror(-fd));
		return;
	}
	a->fd = fd;
	wait_for(a);
	if (a->proto == SLUICE_TCP)
		err = sluice_watch(up->ctx, fd,
				   SLUICE_WATCH_READ | SLUICE_WATCH_WRITE,
				   tcp_event, a);
	else
		err = begin_udp(a);
	if (err)
		try_failed(a, strerror(-err));
}

static int dial(struct ask *a, uint8_t proto)
{
	struct upstream *up = a->up;
	const struct server *s = server_of(a);
	uint64_t now = sluice_now(up->ctx);
	struct sluice_dial d = {
		.size = sizeof(d),
		.proto = proto,
		.done = dialled,
		.arg = a,
	};

	if (!s || now >= a->end_ms)
		return -ETIMEDOUT;
	a->proto = proto;
	a->try_ms = now;
	a->try_end_ms = now + (uint64_t)up->options->try_timeout;
	if (a->try_end_ms > a->end_ms)
		a->try_end_ms = a->end_ms;
	d.to = s->addr;
	d.timeout_ms = (uint32_t)(a->try_end_ms - now);
	wire_begin(a);
	return sluice_dial(up->ctx, &d);
}

/* When all were tried it begins anew, if one of them was merely silent and
 * none had anything to say. */
bool ask_begin(struct ask *a)
{
	struct servers *s = &a->up->servers;
	uint64_t now = sluice_now(a->up->ctx);

	if (a->generation != s->generation) {
		a->generation = s->generation;
		a->tried = 0;
	}
	while (now < a->end_ms) {
		a->at = servers_pick(s, a->tried, now);
		if (a->at < 0) {
			if (!a->timed_out || a->poor.p)
				return false;
			a->timed_out = false;
			a->tried = 0;
			continue;
		}
		a->tried |= 1u << a->at;
		if (!dial(a,
			  wire_wants_tcp(a) ? SLUICE_TCP : s->v[a->at].proto))
			return true;
	}
	return false;
}

static void next_try(struct ask *a)
{
	if (!ask_begin(a))
		give_up(a);
}

static void tick(void *arg)
{
	struct upstream *up = arg;
	uint64_t now = sluice_now(up->ctx);
	struct ask *late = NULL, *a, *next;

	/* The late ones first go to a list of their own: what ends one may
	 * begin another. */
	up->timer = NULL;
	for (a = up->waiting; a; a = next) {
		next = a->next;
		if (now < a->try_end_ms)
			continue;
		*a->link = a->next;
		if (a->next)
			a->next->link = a->link;
		a->link = &late;
		a->next = late;
		if (late)
			late->link = &a->next;
		late = a;
	}
	while (late) {
		late->timed_out = true;
		try_failed(late, "no answer");
	}
	if (up->waiting && !up->timer)
		up->timer = sluice_timer(up->ctx, TICK_MS, tick, up);
}

void ask_stop_all(struct upstream *up)
{
	up->stopping = true;
	while (up->waiting)
		finish(up->waiting, SLUICE_DROP);
}
