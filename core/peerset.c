/* SPDX-License-Identifier: MIT */
/* peerset.c - the peers a UDP session may hear
 *
 * A hash set that grows to PEERSET_MAX.  When it is full it becomes the old
 * generation and an empty one begins; a peer that is written to again moves
 * over.  So the memory is bounded, a look-up is two probes, and those who
 * are forgotten are those not written to while PEERSET_MAX others were.
 */
#include "peerset.h"

#include <errno.h>
#include <stdlib.h>

#include "addr.h"

#define FIRST_SLOTS 8u
#define MAX_SLOTS   (2 * PEERSET_MAX)

struct table {
	uint32_t slots, used; /* at most half of them */
	struct sluice_addr slot[];
};

struct peerset {
	uint64_t key[2];
	struct table *now, *old;
};

static struct table *table_new(uint32_t slots)
{
	struct table *t = calloc(1, sizeof(*t) + slots * sizeof(t->slot[0]));

	if (t)
		t->slots = slots;
	return t;
}

/* Where a is, or where it would be put. */
static struct sluice_addr *place(const struct peerset *s, struct table *t,
				 const struct sluice_addr *a)
{
	struct {
		uint8_t ip[16];
		uint16_t port;
	} k = { .port = a->port };
	uint32_t at;

	memcpy(k.ip, a->ip, sizeof(k.ip));
	at = (uint32_t)util_siphash(s->key, &k, sizeof(k));
	for (;; at++) {
		struct sluice_addr *p = &t->slot[at & (t->slots - 1)];

		if (!p->family || addr_equal(p, a))
			return p;
	}
}

static struct table *grown(const struct peerset *s, struct table *t)
{
	struct table *n = table_new(2 * t->slots);

	if (!n)
		return NULL;
	for (uint32_t i = 0; i < t->slots; i++)
		if (t->slot[i].family)
			*place(s, n, &t->slot[i]) = t->slot[i];
	n->used = t->used;
	free(t);
	return n;
}

/* Room for one more in the present generation. */
static int make_room(struct peerset *s)
{
	struct table *t = s->now;

	if (2 * (t->used + 1) <= t->slots)
		return 0;
	if (t->slots < MAX_SLOTS) {
		t = grown(s, t);
		if (!t)
			return -ENOMEM;
		s->now = t;
		return 0;
	}
	t = table_new(FIRST_SLOTS);
	if (!t)
		return -ENOMEM;
	free(s->old);
	s->old = s->now;
	s->now = t;
	return 0;
}

static struct peerset *set_new(void)
{
	struct peerset *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	for (int i = 0; i < 2; i++)
		s->key[i] = (uint64_t)util_random32() << 32 | util_random32();
	s->now = table_new(FIRST_SLOTS);
	if (!s->now) {
		free(s);
		return NULL;
	}
	return s;
}

int peerset_add(struct peerset **set, const struct sluice_addr *a)
{
	struct sluice_addr *p;
	struct peerset *s;

	if (!*set)
		*set = set_new();
	s = *set;
	if (!s)
		return -ENOMEM;
	if (place(s, s->now, a)->family)
		return 0;
	if (make_room(s))
		return -ENOMEM;
	p = place(s, s->now, a);
	*p = *a;
	s->now->used++;
	return 0;
}

bool peerset_has(const struct peerset *s, const struct sluice_addr *a)
{
	if (!s)
		return false;
	return place(s, s->now, a)->family ||
	       (s->old && place(s, s->old, a)->family);
}

void peerset_free(struct peerset *s)
{
	if (!s)
		return;
	free(s->old);
	free(s->now);
	free(s);
}
