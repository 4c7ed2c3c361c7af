/* SPDX-License-Identifier: MIT */
/* ask.c - a question that servers are asked
 *
 *	begin --> trying --good answer--> all who wait are answered
 *	           |  ^ |
 *	           |  | +-- try-timeout, error, refusal: the next server
 *	           |  +---- truncated: the same by TCP
 *	           +------- timeout, nobody left: the poor answer there is,
 *	                    a stale one, or SERVFAIL
 *
 * The same question is under way once: who asks it meanwhile waits with the
 * first.  Two tries at most are open: in a race both are asked from the
 * start; else the second place is for a server that was down and is probed.
 *
 * Servers that are all down are asked a few questions at a time, to see when
 * they are back; more would take the places of those that others answer.
 *
 * With an old answer at hand nobody waits longer than 1.8 s (RFC 8767, 5):
 * then that is given, and the ask goes on for the cache alone.
 */
#include "ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lookup.h"

#define STALE_MS  1800 /* RFC 8767, 5: the client response timer */
#define FREE_MAX  256  /* asks kept for the next question */
#define AHEAD_MAX 64   /* asks that nobody waits for yet, at a time */
#define DOWN_MAX  64   /* of servers that are all down, at a time */

static struct ask **bucket(struct upstream *up, uint64_t hash)
{
	return &up->table[hash & up->mask];
}

static struct ask *ask_new(struct upstream *up, struct group *g)
{
	struct ask *a = up->free;

	if (a) {
		up->free = a->same;
		up->free_n--;
	} else {
		a = malloc(sizeof(*a));
		if (!a)
			return NULL;
	}
	memset(a, 0, sizeof(*a));
	a->up = up;
	a->group = g;
	g->asks_n++;
	TAILQ_INSERT_TAIL(&up->asks, a, node);
	up->asks_n++;
	return a;
}

/* Out of the table, its tries ended; who waits has been told. */
static void ask_end(struct ask *a)
{
	struct upstream *up = a->up;
	struct ask **at;

	for (int i = 0; i < ASK_TRIES; i++)
		try_end(&a->tries[i]);
	if (!a->alone) {
		at = bucket(up, a->question.hash);
		while (*at != a)
			at = &(*at)->same;
		*at = a->same;
	}
	TAILQ_REMOVE(&up->asks, a, node);
	if (a->in_stale)
		TAILQ_REMOVE(&up->stale, a, stale_node);
	up->asks_n--;
	a->group->asks_n--;
	up->prefetches -= a->prefetch;
	if (a->lookup) {
		lookup_end(up, a->lookup);
		server_put(a->lookup);
	}
	free(a->poor);
	if (up->free_n >= FREE_MAX) {
		free(a);
		return;
	}
	a->same = up->free;
	up->free = a;
	up->free_n++;
}

void ask_free_all(struct upstream *up)
{
	struct ask *a;

	while ((a = up->free)) {
		up->free = a->same;
		free(a);
	}
}

static void keep_poor(struct ask *a, const uint8_t *msg, size_t len)
{
	free(a->poor);
	a->poor_len = len;
	a->poor = malloc(len);
	if (a->poor)
		memcpy(a->poor, msg, len);
}

/* The server is there, but cannot: perhaps another can. */
static bool is_unable(const uint8_t *msg)
{
	return MSG_RCODE(msg) == MSG_SERVFAIL ||
	       MSG_RCODE(msg) == MSG_REFUSED || MSG_RCODE(msg) == MSG_NOTIMP;
}

/* What was kept of an answer that is none. */
static void forget(struct ask *a)
{
	struct cache *c = &a->up->cache;
	struct cache_entry *e =
		cache_find(c, &a->question, sluice_now(a->up->ctx));

	if (e)
		cache_drop(c, e);
}

/* A good answer, or the best there is; false: the core says it is none.
 * Old data are better than an error (RFC 8767, 5). */
static bool deliver(struct ask *a, uint8_t *msg, size_t len)
{
	struct msg_answer answer = { .p = msg, .len = len };
	struct msg m;

	if (!msg_read(&m, msg, len))
		return false;
	if (!a->verbatim)
		msg_strip(msg, &m, &answer);
	if (a->lookup)
		lookup_answer(a->lookup, answer.p, answer.len);
	if (!is_unable(msg) || !reply_stale(a, true)) {
		if (m.question && !a->verbatim)
			reply_keep(a, &answer, msg);
		if (!reply_all(a, &answer)) {
			if (!a->alone)
				forget(a);
			return false;
		}
	}
	ask_end(a);
	return true;
}

/* Nobody is left to ask, or no time. */
static void give_up(struct ask *a)
{
	if (a->poor && deliver(a, a->poor, a->poor_len))
		return;
	if (!reply_stale(a, true))
		reply_failure(a);
	ask_end(a);
}

/* ------------------------------------------------------------------- tries */

static void note_failure(struct ask *a, struct server *s, uint64_t began,
			 const char *why)
{
	struct upstream *up = a->up;
	char text[URL_TEXT];

	url_text(&s->url, text);
	snprintf(a->why, sizeof(a->why), "%.60s: %s", text, why);
	if (server_failed(s, began, sluice_now(up->ctx)))
		sluice_log(up->ctx, 4, "%s: %s", text, why);
}

static void note_success(struct upstream *up, struct server *s)
{
	char text[URL_TEXT];

	if (server_worked(s, sluice_now(up->ctx)))
		sluice_log(up->ctx, 6, "%s: answers again",
			   url_text(&s->url, text));
}

/* Transfers have no form for UDP (RFC 5936, 4.2). */
static uint8_t kind_for(const struct ask *a, const struct server *s)
{
	uint16_t type = question_type(&a->question);

	if (s->url.kind != URL_UDP)
		return s->url.kind;
	return type == MSG_IXFR || type == MSG_AXFR ||
			       (a->verbatim &&
				sluice_query_info(a->waiters->query)->msg_len >
					MSG_EDNS) ?
		       URL_TCP :
		       URL_UDP;
}

static const char *why_not(int err)
{
	return err == -ELOOP ? "the way there is through us" : strerror(-err);
}

/* Ask server i in this place.  False: it cannot be asked at all. */
static bool start(struct ask *a, struct try *t, int i, bool probe)
{
	struct server *s = a->group->servers.v[i];
	int err;

	a->tried |= 1u << i;
	err = try_begin(t, a, s, kind_for(a, s));
	if (err) {
		note_failure(a, s, sluice_now(a->up->ctx), why_not(err));
		return false;
	}
	t->probe = probe;
	return true;
}

static struct try *free_try(struct ask *a, int *busy)
{
	struct try *t = NULL;

	*busy = 0;
	for (int i = 0; i < ASK_TRIES; i++) {
		if (!a->tries[i].ask)
			t = &a->tries[i];
		else if (!a->tries[i].probe)
			++*busy;
	}
	return t;
}

/* One that is down gets the question too, so that nobody waits to see. */
static void probe(struct ask *a)
{
	uint64_t now = sluice_now(a->up->ctx);
	int busy, i;
	struct try *t = free_try(a, &busy);

	if (!t || a->verbatim || a->bare)
		return;
	i = servers_probe(&a->group->servers, a->tried, now);
	if (i >= 0)
		start(a, t, i, true);
}

static bool is_one_too_many(const struct ask *a)
{
	return a->group->asks_n > DOWN_MAX &&
	       servers_all_down(&a->group->servers);
}

/* As many tries as there should be.  When all were tried it begins anew, if
 * one of them was merely silent and none had anything to say.  False: nobody
 * is left, or no time. */
static bool go_on(struct ask *a)
{
	struct servers *s = &a->group->servers;
	uint64_t now = sluice_now(a->up->ctx);
	int want = a->up->options->mode == MODE_RACE ? 2 : 1, busy, i;
	struct try *t;

	if (a->generation != s->generation) {
		a->generation = s->generation;
		a->tried = 0;
	}
	while (now < a->end_ms) {
		t = free_try(a, &busy);
		if (!t || busy >= want)
			break;
		i = servers_pick(s, a->tried);
		if (i >= 0) {
			start(a, t, i, false);
			continue;
		}
		if (busy || !a->timed_out || a->poor || is_one_too_many(a))
			break;
		a->timed_out = false;
		a->tried = 0;
	}
	free_try(a, &busy);
	if (busy && s->n > 1)
		probe(a);
	return busy || a->tries[0].ask || a->tries[1].ask;
}

static void next(struct ask *a)
{
	if (!go_on(a))
		give_up(a);
}

static bool all_tried(const struct ask *a)
{
	const struct servers *s = &a->group->servers;

	return a->generation != s->generation || a->tried == (1u << s->n) - 1;
}

/* The same server again, in the same place, otherwise. */
static void same_again(struct ask *a, struct try *t, uint8_t kind, bool again)
{
	struct server *s = server_get(t->server);
	int err;

	try_end(t);
	err = try_begin(t, a, s, kind);
	if (err)
		note_failure(a, s, sluice_now(a->up->ctx), why_not(err));
	else
		t->again = again;
	server_put(s);
	if (err)
		next(a);
}

bool try_answered(struct try *t, uint8_t *msg, size_t len)
{
	struct ask *a = t->ask;
	bool others = false;
	struct msg m;

	if (!msg_read(&m, msg, len) ||
	    !msg_answers(msg, &m, a->question.bytes, a->question.len))
		return false;
	note_success(a->up, t->server);
	if (MSG_TC(msg) && t->kind == URL_UDP) {
		keep_poor(a, msg, len);
		same_again(a, t, URL_TCP, false);
		return true;
	}
	if (MSG_RCODE(msg) == MSG_FORMERR && !m.opt_at && !a->bare &&
	    !a->verbatim) {
		a->bare = true; /* RFC 6891, 7 */
		same_again(a, t, t->kind, false);
		return true;
	}
	for (int i = 0; i < ASK_TRIES; i++)
		others |= &a->tries[i] != t && a->tries[i].ask;
	if (is_unable(msg) && (others || !all_tried(a))) {
		keep_poor(a, msg, len);
		try_end(t);
		next(a);
		return true;
	}
	return deliver(a, msg, len);
}

void try_failed(struct try *t, const char *why, bool lost)
{
	struct ask *a = t->ask;

	if (lost && !t->again) {
		same_again(a, t, t->kind, true);
		return;
	}
	note_failure(a, t->server, t->began, why);
	try_end(t);
	next(a);
}

/* -------------------------------------------------------------- beginning */

static bool add_waiter(struct ask *a, struct sluice_query *query)
{
	struct waiter *w = a->waiters ? malloc(sizeof(*w)) : &a->first;

	if (!w)
		return false;
	w->query = query;
	w->next = a->waiters;
	a->waiters = w;
	return true;
}

static struct ask *find(struct upstream *up, const struct question *q)
{
	struct ask *a = *bucket(up, q->hash);

	while (a && !question_equal(&a->question, q))
		a = a->same;
	return a;
}

/* The table is as large as what is in it; without memory for a larger one
 * its chains grow. */
static void table_room(struct upstream *up)
{
	size_t n = 2 * (up->mask + 1);
	struct ask **table, **old = up->table, *a;

	if (up->asks_n <= up->mask)
		return;
	table = calloc(n, sizeof(struct ask *));
	if (!table)
		return;
	up->table = table;
	up->mask = n - 1;
	TAILQ_FOREACH(a, &up->asks, node)
	{
		if (a->alone)
			continue;
		a->same = *bucket(up, a->question.hash);
		*bucket(up, a->question.hash) = a;
	}
	free(old);
}

/* What is more than a question, or about more than names, is nobody else's:
 * it goes out as it came, or with its own options. */
static void set_manner(struct ask *a, struct sluice_query *query,
		       const struct msg *m)
{
	const uint8_t *msg = query ? sluice_query_info(query)->msg : NULL;
	uint16_t type = question_type(&a->question);
	const uint8_t *ecs;
	size_t len;

	if (!query) {
		a->alone = false;
		return;
	}
	a->verbatim = m->count[1] || m->count[2] ||
		      m->count[3] > (m->opt_at ? 1 : 0) || type == MSG_IXFR ||
		      type == MSG_AXFR;
	ecs = a->up->options->ecs == ECS_PASS ? msg_ecs(msg, m, &len) : NULL;
	if (ecs) {
		memcpy(a->ecs, ecs, len);
		a->ecs_len = (uint8_t)len;
	}
	a->alone = a->verbatim || a->ecs_len;
}

static void enter(struct ask *a, const struct cache_entry *e)
{
	struct upstream *up = a->up;
	uint64_t now = sluice_now(up->ctx);

	a->end_ms = now + (uint64_t)up->options->timeout;
	if (!a->alone) {
		a->same = *bucket(up, a->question.hash);
		*bucket(up, a->question.hash) = a;
	}
	if (!e || a->alone || e->failure)
		return;
	a->stale_ms = now + STALE_MS;
	a->in_stale = true;
	TAILQ_INSERT_TAIL(&up->stale, a, stale_node);
}

/* Others ask the same.  After its time with an old answer, that is given at
 * once. */
static int join(struct ask *a, struct sluice_query *query,
		const struct cache_entry *e)
{
	bool over = a->stale_ms && sluice_now(a->up->ctx) >= a->stale_ms;

	if (over && e && !reply_kept(a->up, query, e))
		return SLUICE_TAKE;
	return add_waiter(a, query) ? SLUICE_LATER : -ENOMEM;
}

int ask_begin(struct upstream *up, struct group *g, const struct question *q,
	      struct sluice_query *query, const struct msg *m,
	      const struct cache_entry *e)
{
	struct ask *a;

	if (!query && up->prefetches >= AHEAD_MAX)
		return SLUICE_DROP;
	table_room(up);
	a = ask_new(up, g);
	if (!a)
		return -ENOMEM;
	a->question = *q;
	a->prefetch = !query;
	up->prefetches += a->prefetch;
	a->alone = true;
	set_manner(a, query, m);
	if (!a->alone) {
		struct ask *other = find(up, q);

		if (other) {
			a->alone = true;
			ask_end(a);
			return query ? join(other, query, e) : SLUICE_DROP;
		}
	}
	enter(a, e);
	if (query)
		add_waiter(a, query);
	a->starting = true;
	if (is_one_too_many(a)) {
		snprintf(a->why, sizeof(a->why), "too many wait already");
	} else if (go_on(a)) {
		a->starting = false;
		return SLUICE_LATER;
	}
	give_up(a);
	return SLUICE_TAKE;
}

int ask_lookup(struct upstream *up, struct group *g, const struct question *q,
	       struct server *s)
{
	struct ask *a = ask_new(up, g);

	if (!a)
		return -ENOMEM;
	a->question = *q;
	a->alone = true;
	a->lookup = server_get(s);
	enter(a, NULL);
	next(a);
	return 0;
}

/* -------------------------------------------------------------------- time */

void ask_tick(struct upstream *up)
{
	uint64_t now = sluice_now(up->ctx);
	uint64_t limit = (uint64_t)up->options->try_timeout;
	struct ask *a;
	struct try *t;

	while ((a = TAILQ_FIRST(&up->asks)) && now >= a->end_ms) {
		for (int i = 0; i < ASK_TRIES; i++) {
			t = &a->tries[i];
			if (!t->ask)
				continue;
			a->timed_out = true;
			note_failure(a, t->server, t->began, "no answer");
		}
		give_up(a);
	}
	while ((t = TAILQ_FIRST(&up->tries)) && now >= t->began + limit) {
		t->ask->timed_out = true;
		stream_doubt(t);
		try_failed(t, "no answer", false);
	}
	while ((a = TAILQ_FIRST(&up->stale)) && now >= a->stale_ms) {
		TAILQ_REMOVE(&up->stale, a, stale_node);
		a->in_stale = false;
		reply_stale(a, false);
	}
}

void ask_again_all(struct upstream *up)
{
	struct try *t;

	up->epoch++;
	while ((t = TAILQ_FIRST(&up->tries)) && t->epoch != up->epoch)
		same_again(t->ask, t, t->kind, false);
}

void ask_stop(struct upstream *up)
{
	struct ask *a;
	struct waiter *w;

	while ((a = TAILQ_FIRST(&up->asks))) {
		while ((w = a->waiters)) {
			struct sluice_query *q = w->query;

			a->waiters = w->next;
			if (w != &a->first)
				free(w);
			sluice_query_resolve(q, SLUICE_DROP);
		}
		ask_end(a);
	}
}
