/* SPDX-License-Identifier: MIT */
/* flowtab.c - which flow is this packet's?
 *
 * Chained buckets, one flow a bucket on average.  When there are more, a
 * table of twice the size takes over:
 *
 *	old:     [moved][moved][  ][  ][  ][  ]		old_mask
 *	                       ^ moved
 *	bucket:  [  ][  ][  ][  ][  ][  ][  ][  ][  ][  ][  ][  ]   mask
 *
 * While that lasts, each new flow takes a few buckets along, and old[] is
 * empty long before the new table is full.  A flow is in old[] if its bucket
 * there is not yet moved, else in bucket[].  The arrays come from mmap(2):
 * zeroed page by page as they are touched, not all at once by the packet
 * that made the table grow.
 *
 * Ids are counted up, so their table needs no hash: flows spread evenly, and
 * an app that would have them meet in one bucket must open IDS flows for each
 * that it keeps.
 */
#include "flowtab.h"

#include <errno.h>
#include <sys/mman.h>

#include "flow.h"

#define BUCKETS_MIN 512 /* a page of pointers */
#define BUCKETS_MAX (UINT32_C(1) << 26)
#define MOVES       4 /* buckets taken along by a new flow */
#define CHAIN_MAX   8 /* flows a bucket when memory is short */
#define IDS         (UINT32_C(1) << 16)

static struct flow **buckets_new(uint32_t n)
{
	void *p = mmap(NULL, n * sizeof(struct flow *), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void buckets_free(struct flow **b, uint32_t n)
{
	if (b)
		munmap(b, n * sizeof(*b));
}

static inline uint32_t hash_of(const struct flowtab *t,
			       const struct flow_key *k)
{
	return (uint32_t)util_siphash(t->secret, k, sizeof(*k));
}

/* The chain that has, or would have, the flows of this hash. */
static inline struct flow **chain_of(struct flowtab *t, uint32_t hash)
{
	if (unlikely(t->old) && (hash & t->old_mask) >= t->moved)
		return &t->old[hash & t->old_mask];
	return &t->bucket[hash & t->mask];
}

static void move_some(struct flowtab *t)
{
	uint32_t end = MIN(t->moved + MOVES, t->old_mask + 1);

	for (; t->moved < end; t->moved++) {
		struct flow *f, *next;

		for (f = t->old[t->moved]; f; f = next) {
			uint32_t i = hash_of(t, &f->key) & t->mask;

			next = f->hash_next;
			f->hash_next = t->bucket[i];
			t->bucket[i] = f;
		}
	}
	if (t->moved <= t->old_mask)
		return;
	buckets_free(t->old, t->old_mask + 1);
	t->old = NULL;
}

static int grow(struct flowtab *t)
{
	uint32_t n = (t->mask + 1) * 2;
	struct flow **b;

	if (n > BUCKETS_MAX)
		return 0;
	b = buckets_new(n);
	if (!b) /* longer chains do for a while */
		return t->count / CHAIN_MAX > t->mask ? -ENOMEM : 0;
	t->old = t->bucket;
	t->old_mask = t->mask;
	t->moved = 0;
	t->bucket = b;
	t->mask = n - 1;
	return 0;
}

void flow_key_set(struct flow_key *k, uint8_t proto,
		  const struct sluice_addr *src, const struct sluice_addr *dst)
{
	size_t len = src->family == 4 ? 4 : 16;

	memset(k, 0, sizeof(*k));
	k->proto = proto;
	k->family = src->family;
	k->sport = src->port;
	memcpy(k->src, src->ip, len);
	if (!dst)
		return;
	k->dport = dst->port;
	memcpy(k->dst, dst->ip, len);
}

/* 0, or -errno: no memory, or no randomness for the secret. */
int flowtab_init(struct flowtab *t)
{
	int err;

	memset(t, 0, sizeof(*t));
	err = util_random(t->secret, sizeof(t->secret));
	if (err)
		return err;
	t->bucket = buckets_new(BUCKETS_MIN);
	t->by_id = buckets_new(IDS);
	if (!t->bucket || !t->by_id) {
		buckets_free(t->bucket, BUCKETS_MIN);
		buckets_free(t->by_id, IDS);
		return -ENOMEM;
	}
	t->mask = BUCKETS_MIN - 1;
	return 0;
}

/* The flows themselves are others'. */
void flowtab_fini(struct flowtab *t)
{
	buckets_free(t->bucket, t->mask + 1);
	buckets_free(t->old, t->old_mask + 1);
	buckets_free(t->by_id, IDS);
	memset(t, 0, sizeof(*t));
}

struct flow *flowtab_find(struct flowtab *t, const struct flow_key *k)
{
	struct flow *f = *chain_of(t, hash_of(t, k));

	while (f && memcmp(&f->key, k, sizeof(*k)))
		f = f->hash_next;
	return f;
}

/* The key must not be in the table yet.  0, or -ENOMEM when the table can
 * not grow and looking things up would get slow. */
int flowtab_add(struct flowtab *t, struct flow *f)
{
	struct flow **chain;
	int err;

	if (t->old) {
		move_some(t);
	} else if (t->count > t->mask) {
		err = grow(t);
		if (err)
			return err;
	}
	chain = chain_of(t, hash_of(t, &f->key));
	f->hash_next = *chain;
	*chain = f;
	t->count++;
	return 0;
}

/* A flow that is not in the table is left alone. */
void flowtab_del(struct flowtab *t, struct flow *f)
{
	struct flow **p = chain_of(t, hash_of(t, &f->key));

	while (*p && *p != f)
		p = &(*p)->hash_next;
	if (!*p)
		return;
	*p = f->hash_next;
	f->hash_next = NULL;
	t->count--;
}

void flowtab_id_add(struct flowtab *t, struct flow *f)
{
	struct flow **chain = &t->by_id[f->info.id % IDS];

	f->id_next = *chain;
	*chain = f;
}

void flowtab_id_del(struct flowtab *t, struct flow *f)
{
	struct flow **p = &t->by_id[f->info.id % IDS];

	while (*p && *p != f)
		p = &(*p)->id_next;
	if (*p)
		*p = f->id_next;
}

struct flow *flowtab_by_id(const struct flowtab *t, uint64_t id)
{
	struct flow *f = t->by_id[id % IDS];

	while (f && f->info.id != id)
		f = f->id_next;
	return f;
}
