/* SPDX-License-Identifier: MIT */
/* cache.c - answers kept, by bytes
 *
 *	put --> fresh --until_ms--> stale --stale_ms--> gone
 *	          |                   |
 *	          +--- least used, when there is no room: gone
 *
 * One allocation an entry, with everything in it.  The bound is on bytes,
 * bookkeeping included, so it is one on memory.  What a bucket holds that is
 * past its time goes when somebody looks there.
 */
#include "cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MIN  64u
#define OF_MALLOC  16u /* what an allocation costs besides */
#define ONE_OF     4u  /* no entry may take more than this part of it all */
#define HITS_KNOWN UINT16_MAX

static size_t entry_size(const struct cache_entry *e)
{
	return sizeof(*e) + e->question_len + e->msg_len + e->ede_len +
	       OF_MALLOC;
}

int cache_init(struct cache *c, size_t max, uint64_t stale_ms)
{
	memset(c, 0, sizeof(*c));
	TAILQ_INIT(&c->lru);
	c->max = max;
	c->stale_ms = stale_ms;
	if (!max)
		return 0;
	c->table = calloc(TABLE_MIN, sizeof(*c->table));
	if (!c->table)
		return -ENOMEM;
	c->mask = TABLE_MIN - 1;
	c->bytes = TABLE_MIN * sizeof(*c->table);
	return 0;
}

void cache_fini(struct cache *c)
{
	struct cache_entry *e;

	while ((e = TAILQ_FIRST(&c->lru))) {
		TAILQ_REMOVE(&c->lru, e, lru);
		free(e);
	}
	free(c->table);
}

static struct cache_entry **bucket(const struct cache *c, uint64_t hash)
{
	return &c->table[hash & c->mask];
}

void cache_drop(struct cache *c, struct cache_entry *e)
{
	struct cache_entry **at = bucket(c, e->hash);

	while (*at != e)
		at = &(*at)->same;
	*at = e->same;
	TAILQ_REMOVE(&c->lru, e, lru);
	c->bytes -= entry_size(e);
	c->n--;
	free(e);
}

/* As many buckets as entries; without memory for more, chains grow. */
static void grow(struct cache *c)
{
	size_t n = 2 * (c->mask + 1);
	struct cache_entry **old = c->table, **table, *e;

	table = calloc(n, sizeof(*table));
	if (!table)
		return;
	c->bytes += (n - c->mask - 1) * sizeof(*table);
	c->table = table;
	c->mask = n - 1;
	TAILQ_FOREACH(e, &c->lru, lru)
	{
		e->same = *bucket(c, e->hash);
		*bucket(c, e->hash) = e;
	}
	free(old);
}

static bool is_for(const struct cache_entry *e, const struct question *q)
{
	return e->hash == q->hash && e->group == q->group &&
	       e->flags == q->flags && e->question_len == q->len &&
	       !memcmp(e->bytes, q->bytes, q->len);
}

struct cache_entry *cache_find(struct cache *c, const struct question *q,
			       uint64_t now)
{
	struct cache_entry *e, *next;

	if (!c->max)
		return NULL;
	for (e = *bucket(c, q->hash); e; e = next) {
		next = e->same;
		if (now >= e->until_ms + (e->failure ? 0 : c->stale_ms)) {
			cache_drop(c, e);
			continue;
		}
		if (!is_for(e, q))
			continue;
		if (e != TAILQ_FIRST(&c->lru)) {
			TAILQ_REMOVE(&c->lru, e, lru);
			TAILQ_INSERT_HEAD(&c->lru, e, lru);
		}
		if (e->hits < HITS_KNOWN)
			e->hits++;
		return e;
	}
	return NULL;
}

static struct cache_entry *entry_new(const struct question *q,
				     const struct msg_answer *a)
{
	struct cache_entry *e =
		malloc(sizeof(*e) + q->len + a->len + a->ede_len);

	if (!e)
		return NULL;
	memset(e, 0, sizeof(*e));
	e->hash = q->hash;
	e->group = q->group;
	e->flags = q->flags;
	e->question_len = q->len;
	e->msg_len = (uint32_t)a->len;
	e->ext_rcode = a->ext_rcode;
	e->ede_len = a->ede_len;
	memcpy(e->bytes, q->bytes, q->len);
	memcpy(e->bytes + q->len, a->p, a->len);
	memcpy(e->bytes + q->len + a->len, a->ede, a->ede_len);
	return e;
}

void cache_put(struct cache *c, const struct question *q,
	       const struct msg_answer *a, uint64_t now, uint64_t ms,
	       bool failure)
{
	struct cache_entry *e = cache_find(c, q, now);

	if (!c->max)
		return;
	/* A failure is no reason to forget what was known. */
	if (e && failure && !e->failure)
		return;
	if (e)
		cache_drop(c, e);
	if (!ms || a->len > c->max / ONE_OF)
		return;
	e = entry_new(q, a);
	if (!e)
		return;
	e->kept_ms = now;
	e->until_ms = now + ms;
	e->failure = failure;
	e->same = *bucket(c, e->hash);
	*bucket(c, e->hash) = e;
	TAILQ_INSERT_HEAD(&c->lru, e, lru);
	c->bytes += entry_size(e);
	c->n++;
	if (c->n > c->mask)
		grow(c);
	while (c->bytes > c->max && TAILQ_LAST(&c->lru, cache_list) != e)
		cache_drop(c, TAILQ_LAST(&c->lru, cache_list));
}

void cache_drop_failures(struct cache *c)
{
	struct cache_entry *e, *next;

	for (e = TAILQ_FIRST(&c->lru); e; e = next) {
		next = TAILQ_NEXT(e, lru);
		e->again_ms = 0;
		if (e->failure)
			cache_drop(c, e);
	}
}

void cache_drop_group(struct cache *c, uint16_t group)
{
	struct cache_entry *e, *next;

	for (e = TAILQ_FIRST(&c->lru); e; e = next) {
		next = TAILQ_NEXT(e, lru);
		if (e->group == group)
			cache_drop(c, e);
	}
}

void cache_answer(const struct cache_entry *e, struct msg_answer *a)
{
	a->p = e->bytes + e->question_len;
	a->len = e->msg_len;
	a->ext_rcode = e->ext_rcode;
	a->ede_len = e->ede_len;
	memcpy(a->ede, a->p + a->len, a->ede_len);
}
