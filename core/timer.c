/* SPDX-License-Identifier: MIT */
/* timer.c - a hierarchical wheel of timers, 1 ms apart
 *
 * Times are numbers of base 64.  A timer waits at the level of the highest
 * digit in which its due time differs from now, in the slot of that digit:
 *
 *	now        0 0 0 0 1 7 9
 *	due        0 0 0 0 3 0 2	level 2, slot 3
 *	           6 5 4 3 2 1 0
 *
 * When now gets to the start of a slot, its timers go down to lower levels;
 * at level 0 they are due.  All slots in use are ahead of now's digit, never
 * behind it, and all of a lower level come before all of a higher one: the
 * next slot is the lowest bit of the lowest level.  Where a timer waits need
 * not be stored: its digit differs from now's until its slot is emptied.
 *
 * timers_run() first gathers all that is due, then calls: callbacks see the
 * real time, and what they set to "now" waits for the next run.
 */
#include "timer.h"

#include <assert.h>
#include <limits.h>

#define SLOTS    (1u << TIMER_BITS)
#define TIME_END ((UINT64_C(1) << (TIMER_BITS * TIMER_LEVELS)) - 1)

static int level_of(const struct timers *w, uint64_t due)
{
	uint64_t diff = due ^ w->now;

	return diff ? (63 - __builtin_clzll(diff)) / TIMER_BITS : 0;
}

static unsigned int slot_of(uint64_t due, int level)
{
	return (due >> (level * TIMER_BITS)) & (SLOTS - 1);
}

static void place(struct timers *w, struct timer *t)
{
	int level = level_of(w, t->due);
	unsigned int slot = slot_of(t->due, level);

	list_add_tail(&w->slot[level][slot], &t->node);
	w->used[level] |= UINT64_C(1) << slot;
}

/* The next slot that has timers, and when it begins; -1: there is none. */
static int next_slot(const struct timers *w, unsigned int *slot,
		     uint64_t *start)
{
	for (int level = 0; level < TIMER_LEVELS; level++) {
		int shift = level * TIMER_BITS;

		if (!w->used[level])
			continue;
		*slot = (unsigned int)__builtin_ctzll(w->used[level]);
		*start = (w->now >> shift >> TIMER_BITS << TIMER_BITS | *slot)
			 << shift;
		return level;
	}
	return -1;
}

void timers_init(struct timers *w, uint64_t now)
{
	assert(now <= TIME_END);
	w->now = now;
	for (int level = 0; level < TIMER_LEVELS; level++) {
		w->used[level] = 0;
		for (unsigned int i = 0; i < SLOTS; i++)
			list_init(&w->slot[level][i]);
	}
}

void timers_run(struct timers *w, uint64_t now)
{
	struct list due, moving, *n, *tmp;
	unsigned int slot;
	uint64_t start;
	int level;

	list_init(&due);
	list_init(&moving);
	for (;;) {
		level = next_slot(w, &slot, &start);
		if (level < 0 || start > now)
			break;
		w->now = start;
		w->used[level] &= ~(UINT64_C(1) << slot);
		if (!level) {
			list_splice_tail(&due, &w->slot[0][slot]);
			continue;
		}
		list_splice_tail(&moving, &w->slot[level][slot]);
		list_for_each_safe(n, tmp, &moving)
			place(w, container_of(n, struct timer, node));
		list_init(&moving);
	}
	if (now > w->now)
		w->now = now;

	while (!list_empty(&due)) {
		struct timer *t = list_first(&due, struct timer, node);

		list_del(&t->node);
		t->fn(t);
	}
}

int timers_wait(const struct timers *w, uint64_t now)
{
	unsigned int slot;
	uint64_t start;

	if (next_slot(w, &slot, &start) < 0)
		return -1;
	if (start <= now)
		return 0;
	return start - now < INT_MAX ? (int)(start - now) : INT_MAX;
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	list_init(&t->node);
	t->due = 0;
	t->fn = fn;
}

void timer_set(struct timers *w, struct timer *t, uint64_t ms)
{
	timer_stop(w, t);
	t->due = ms < TIME_END - w->now ? w->now + ms : TIME_END;
	place(w, t);
}

void timer_stop(struct timers *w, struct timer *t)
{
	unsigned int slot;
	int level;

	if (!timer_is_set(t))
		return;
	list_del(&t->node);
	if (t->due < w->now)
		return; /* it was on its way to be called */
	level = level_of(w, t->due);
	slot = slot_of(t->due, level);
	if (list_empty(&w->slot[level][slot]))
		w->used[level] &= ~(UINT64_C(1) << slot);
}

bool timer_is_set(const struct timer *t)
{
	return !list_empty(&t->node);
}
