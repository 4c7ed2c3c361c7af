/* SPDX-License-Identifier: MIT */
/* names.c - what an address was last looked up as
 *
 *	bucket --> entry: address --\
 *	           entry: address ---+--> name "example.org" <-- flow
 *	           (all in lru)                              <-- flow
 *
 * A name is there once for all addresses of an answer, and for the A and the
 * AAAA answer that mostly come together: it is shared with the entry used
 * last if that has the same.  It goes with its last entry and its last flow;
 * only entries count against the limits, since flows have one of their own.
 *
 * An entry is good for its TTL, and after that for as long as a flow has its
 * name.  Addresses come from the net: the hash is keyed.
 */
#include "names.h"

#include <stdlib.h>

#include "addr.h"
#include "pool.h"
#include "util.h"

struct name {
	uint32_t entries, flows; /* who has it */
	uint32_t size;           /* of all of it */
	char text[];
};

struct entry {
	struct entry *same; /* same bucket */
	struct list lru;    /* in names.lru */
	struct name *name;
	uint64_t until; /* ms */
	struct sluice_addr addr;
};

struct names {
	struct pool entries;
	struct list lru; /* oldest first */
	uint32_t bytes;  /* of names with entries */
	uint64_t key[2];
	struct entry *bucket[NAMES_MAX];
};

static struct entry **bucket_of(struct names *t, const struct sluice_addr *a)
{
	size_t len = a->family == 4 ? 4 : 16;

	return &t->bucket[util_siphash(t->key, a->ip, len) % NAMES_MAX];
}

static struct entry *find(struct names *t, const struct sluice_addr *a)
{
	struct entry *e = *bucket_of(t, a);

	while (e && !addr_ip_equal(&e->addr, a))
		e = e->same;
	return e;
}

/* ---------------------------------------------------------------- names */

static struct name *name_of(const char *text)
{
	return (struct name *)(uintptr_t)(text - offsetof(struct name, text));
}

static void name_unused(struct name *n)
{
	if (!n->entries && !n->flows)
		pool_free(n);
}

static struct name *name_new(struct names *t, const char *text, size_t len)
{
	struct name *n = pool_malloc(sizeof(*n) + len + 1);

	if (!n)
		return NULL;
	n->entries = n->flows = 0;
	n->size = (uint32_t)(sizeof(*n) + len + 1);
	memcpy(n->text, text, len + 1);
	t->bytes += n->size;
	return n;
}

static void name_drop(struct names *t, struct name *n)
{
	if (--n->entries)
		return;
	t->bytes -= n->size;
	name_unused(n);
}

/* -------------------------------------------------------------- entries */

static void forget(struct names *t, struct entry *e)
{
	struct entry **at = bucket_of(t, &e->addr);

	while (*at != e)
		at = &(*at)->same;
	*at = e->same;
	list_del(&e->lru);
	name_drop(t, e->name);
	pool_put(&t->entries, e);
}

static bool too_old(const struct entry *e, uint64_t now)
{
	return now >= e->until && !e->name->flows;
}

static bool full(const struct names *t, size_t bytes)
{
	return t->entries.used >= NAMES_MAX || t->bytes + bytes > NAMES_BYTES;
}

/* The name of the entry used last, or a new one that nobody has yet. */
static struct name *name_for(struct names *t, const char *text)
{
	size_t len = strlen(text);

	if (!list_empty(&t->lru)) {
		struct entry *e = container_of(t->lru.prev, struct entry, lru);

		if (!strcmp(e->name->text, text))
			return e->name;
	}
	while (!list_empty(&t->lru) && full(t, sizeof(struct name) + len + 1))
		forget(t, list_first(&t->lru, struct entry, lru));
	return name_new(t, text, len);
}

static struct entry *entry_new(struct names *t, const struct sluice_addr *a,
			       struct name *n)
{
	struct entry **at, *e;

	while (full(t, 0) && !list_empty(&t->lru))
		forget(t, list_first(&t->lru, struct entry, lru));
	e = pool_get(&t->entries);
	if (!e)
		return NULL;
	at = bucket_of(t, a);
	*e = (struct entry){ .same = *at, .name = n, .addr = *a };
	*at = e;
	list_add_tail(&t->lru, &e->lru);
	return e;
}

/* Its entry, with this name; NULL: no memory. */
static struct entry *name_it(struct names *t, const struct sluice_addr *a,
			     const char *name)
{
	struct entry *e = find(t, a);
	struct name *n;

	if (e && !strcmp(e->name->text, name))
		return e;
	if (e)
		forget(t, e);
	n = name_for(t, name);
	if (!n)
		return NULL;
	n->entries++; /* before room is made, which might cost its last one */
	e = entry_new(t, a, n);
	if (!e)
		name_drop(t, n);
	return e;
}

void names_add(struct names *t, const struct sluice_addr *a, const char *name,
	       uint32_t ttl, uint64_t now)
{
	struct entry *e = name_it(t, a, name);

	if (!e)
		return;
	e->until = now + MIN(MAX(ttl, NAMES_TTL_MIN), NAMES_TTL_MAX) * 1000;
	list_move_tail(&t->lru, &e->lru);
}

const char *names_get(struct names *t, const struct sluice_addr *a,
		      uint64_t now)
{
	struct entry *e = t ? find(t, a) : NULL;

	if (!e)
		return NULL;
	if (too_old(e, now)) {
		forget(t, e);
		return NULL;
	}
	list_move_tail(&t->lru, &e->lru);
	e->name->flows++;
	return e->name->text;
}

void names_put(const char *text)
{
	struct name *n;

	if (!text)
		return;
	n = name_of(text);
	n->flows--;
	name_unused(n);
}

void names_trim(struct names *t, uint64_t now)
{
	struct list *pos, *tmp;

	list_for_each_safe(pos, tmp, &t->lru)
	{
		struct entry *e = container_of(pos, struct entry, lru);

		if (too_old(e, now))
			forget(t, e);
	}
	pool_trim(&t->entries);
}

uint32_t names_count(const struct names *t)
{
	return t->entries.used;
}

uint32_t names_bytes(const struct names *t)
{
	return t->bytes;
}

struct names *names_new(void)
{
	struct names *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	if (util_random(t->key, sizeof(t->key)) < 0) {
		free(t);
		return NULL;
	}
	pool_init(&t->entries, "names", sizeof(struct entry), 0, NAMES_MAX);
	list_init(&t->lru);
	return t;
}

void names_free(struct names *t)
{
	if (!t)
		return;
	while (!list_empty(&t->lru))
		forget(t, list_first(&t->lru, struct entry, lru));
	pool_fini(&t->entries);
	free(t);
}
