/* SPDX-License-Identifier: MIT */
/* reply.c - what those who wait get
 *
 * An answer goes to each of them with the EDNS that it asked with.  What is
 * kept has its TTLs cut to what the options allow; what is stale says so, for
 * 30 s (RFC 8767, 4); a failure says why (RFC 8914, 22 and 23) to those who
 * can hear it, and is kept for a short while, so that a storm of the same
 * question is one.
 */
#include <stdlib.h>
#include <string.h>

#include "ask.h"

#define STALE_TTL  30    /* RFC 8767, 4 */
#define AGAIN_MS   30000 /* and 5: not asked more often, when that failed */
#define SILENCE_MS 1000  /* nobody answered: kept shorter than an error */

static bool reply_one(struct upstream *up, struct sluice_query *q,
		      const struct msg_answer *a)
{
	const struct sluice_query_info *i = sluice_query_info(q);
	size_t len = msg_finish(up->out, a, i->msg, i->msg_len);

	return !sluice_answer(q, up->out, len);
}

static void release(struct ask *a)
{
	struct waiter *w = a->waiters, *next;

	a->waiters = NULL;
	for (; w; w = next) {
		struct sluice_query *q = w->query;

		next = w->next;
		if (w != &a->first)
			free(w);
		if (!a->starting)
			sluice_query_resolve(q, SLUICE_TAKE);
	}
}

bool reply_all(struct ask *a, const struct msg_answer *answer)
{
	for (struct waiter *w = a->waiters; w; w = w->next) {
		bool ok;

		if (a->verbatim)
			ok = !sluice_answer(w->query, answer->p, answer->len);
		else
			ok = reply_one(a->up, w->query, answer);
		if (!ok && w == a->waiters)
			return false;
		if (!ok) /* good for the first: there is no memory */
			sluice_block(w->query, SLUICE_BLOCK_SERVFAIL);
	}
	release(a);
	return true;
}

static void make_kept(struct upstream *up, const struct cache_entry *e,
		      struct msg_answer *a)
{
	uint64_t now = sluice_now(up->ctx);
	bool stale = now >= e->until_ms;

	cache_answer(e, a);
	memcpy(up->kept, a->p, a->len);
	a->p = up->kept;
	if (stale)
		msg_set_ttls(up->kept, a->len, 0, STALE_TTL, STALE_TTL);
	else
		msg_set_ttls(up->kept, a->len,
			     (uint32_t)((now - e->kept_ms) / 1000), 0,
			     UINT32_MAX);
	if (stale)
		msg_set_ede(a, MSG_EDE_STALE, "");
}

int reply_kept(struct upstream *up, struct sluice_query *q,
	       const struct cache_entry *e)
{
	struct msg_answer a;

	make_kept(up, e, &a);
	return reply_one(up, q, &a) ? 0 : -1;
}

bool reply_stale(struct ask *a, bool failed)
{
	struct upstream *up = a->up;
	uint64_t now = sluice_now(up->ctx);
	struct cache_entry *e;
	struct msg_answer answer;

	e = a->stale_ms ? cache_find(&up->cache, &a->question, now) : NULL;
	if (!e || e->failure)
		return false;
	if (failed)
		e->again_ms = now + AGAIN_MS;
	make_kept(up, e, &answer);
	return reply_all(a, &answer);
}

void reply_keep(struct ask *a, const struct msg_answer *answer, uint8_t *msg)
{
	struct upstream *up = a->up;
	const struct options *o = up->options;
	uint64_t now = sluice_now(up->ctx);
	uint32_t most = (uint32_t)(o->cache_max_ttl / 1000);
	uint32_t least = (uint32_t)(o->cache_min_ttl / 1000), ttl;
	bool negative;

	if (a->alone || !up->cache.max)
		return;
	if (MSG_RCODE(msg) != MSG_NOERROR && MSG_RCODE(msg) != MSG_NXDOMAIN) {
		cache_put(&up->cache, &a->question, answer, now,
			  (uint64_t)o->cache_failure_ttl, true);
		return;
	}
	ttl = msg_lifetime(answer->p, answer->len, &negative);
	if (MSG_TC(msg))
		return;
	if (negative && !ttl) {
		cache_put(&up->cache, &a->question, answer, now, 0, false);
		return;
	}
	if (negative) {
		least = 0;
		most = (uint32_t)(o->cache_negative_ttl / 1000);
		if (ttl < most) /* the SOA may live longer than its "no" */
			most = ttl;
	}
	msg_set_ttls(msg, answer->len, 0, least, most);
	ttl = ttl < least ? least : ttl > most ? most : ttl;
	cache_put(&up->cache, &a->question, answer, now, ttl * 1000ull, false);
}

static void keep_failure(struct ask *a, const struct msg_answer *answer)
{
	struct upstream *up = a->up;
	uint64_t now = sluice_now(up->ctx);
	int64_t ms = up->options->cache_failure_ttl;

	if (a->timed_out)
		cache_put(&up->cache, &a->question, answer, now,
			  (uint64_t)(ms < SILENCE_MS ? ms : SILENCE_MS), true);
}

void reply_failure(struct ask *a)
{
	uint8_t msg[MSG_HEADER + MSG_QUESTION];
	struct msg_answer answer;

	msg_error(msg, a->question.bytes, a->question.len, a->question.flags,
		  MSG_SERVFAIL, &answer);
	msg_set_ede(&answer,
		    a->timed_out ? MSG_EDE_UNREACHABLE : MSG_EDE_NETWORK,
		    a->why);
	if (!a->alone)
		keep_failure(a, &answer);
	for (struct waiter *w = a->waiters; w; w = w->next)
		if (!reply_one(a->up, w->query, &answer))
			sluice_block(w->query, SLUICE_BLOCK_SERVFAIL);
	release(a);
}
