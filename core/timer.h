/* SPDX-License-Identifier: MIT */
/* timer.h - a hierarchical wheel of timers, 1 ms apart
 *
 * Pure: time is given.  Setting, stopping and firing cost the same however
 * many there are.  A timer may be set or stopped from any callback, also its
 * own.
 */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include <stdbool.h>

#include "util.h"

#define TIMER_BITS   6
#define TIMER_LEVELS 7 /* 2^42 ms */

struct timer {
	struct list node;
	uint64_t due;
	void (*fn)(struct timer *);
};

struct timers {
	uint64_t now;
	struct list slot[TIMER_LEVELS][1 << TIMER_BITS];
	uint64_t used[TIMER_LEVELS]; /* a bit for each slot with timers */
};

void timers_init(struct timers *w, uint64_t now);
/* Run what is due by now, in order of due time (to the ms). */
void timers_run(struct timers *w, uint64_t now);
/* Milliseconds until the next one may be due (never too long), -1: none. */
int timers_wait(const struct timers *w, uint64_t now);

void timer_init(struct timer *t, void (*fn)(struct timer *));
/* In ms from w->now; a timer that was set is moved. */
void timer_set(struct timers *w, struct timer *t, uint64_t ms);
void timer_stop(struct timers *w, struct timer *t);
bool timer_is_set(const struct timer *t);

#endif
