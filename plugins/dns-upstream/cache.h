/* SPDX-License-Identifier: MIT */
/* cache.h - answers kept, by bytes */
#ifndef CACHE_H
#define CACHE_H

#include <sys/queue.h>

#include "msg.h"
#include "question.h"

struct cache_entry {
	struct cache_entry *same; /* in its bucket */
	TAILQ_ENTRY(cache_entry) lru;
	uint64_t hash;
	uint64_t kept_ms, until_ms; /* fresh from, to */
	uint64_t again_ms;          /* stale: servers are not asked before */
	uint32_t msg_len;
	uint16_t group, question_len;
	uint16_t hits;
	uint8_t flags, ext_rcode, ede_len;
	bool failure;
	uint8_t bytes[]; /* question, message, extended error */
};

TAILQ_HEAD(cache_list, cache_entry);

struct cache {
	struct cache_entry **table;
	struct cache_list lru; /* last used first */
	size_t mask;           /* buckets less one */
	size_t n, bytes, max;  /* bytes: all there is, the table too */
	uint64_t stale_ms;     /* kept for so long after their time */
};

/* max 0: nothing is kept.  0 or -ENOMEM. */
int cache_init(struct cache *c, size_t max, uint64_t stale_ms);
void cache_fini(struct cache *c);

/* Fresh or stale (until_ms tells), or NULL. */
struct cache_entry *cache_find(struct cache *c, const struct question *q,
			       uint64_t now);
/* Keep an answer for ms, instead of what was kept before.  Without memory,
 * when it is too large, or for 0 ms, nothing is kept, and what was known
 * before is known to be wrong. */
void cache_put(struct cache *c, const struct question *q,
	       const struct msg_answer *a, uint64_t now, uint64_t ms,
	       bool failure);
void cache_drop(struct cache *c, struct cache_entry *e);
/* Failures were those of a network that is no more. */
void cache_drop_failures(struct cache *c);
/* What the servers of a group said. */
void cache_drop_group(struct cache *c, uint16_t group);
/* What is kept, as it was put. */
void cache_answer(const struct cache_entry *e, struct msg_answer *a);

#endif
