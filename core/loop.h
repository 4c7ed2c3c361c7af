/* SPDX-License-Identifier: MIT */
/* loop.h - the only place that sleeps
 *
 * A turn is
 *
 *	epoll_wait -> timers -> events -> posted -> soon work -> end work
 *
 * "End" work runs last and frees what died during the turn, so that nothing
 * an event of this turn may still point to goes away under it.  What is put
 * off with loop_soon() runs in the next turn, which then does not sleep: a
 * busy flow takes its turn like the others.
 *
 * One thread runs the loop; loop_post() and loop_stop() are for any thread
 * (and loop_stop() for signal handlers).
 */
#ifndef CORE_LOOP_H
#define CORE_LOOP_H

#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "timer.h"
#include "util.h"

#define LOOP_EVENTS 256

struct loop_fd {
	int fd;          /* -1: not watched */
	uint32_t events; /* EPOLL*, EPOLLET as wanted */
	void (*fn)(struct loop_fd *, uint32_t events);
};

struct loop_work {
	struct list node; /* linked while it waits */
	void (*fn)(struct loop_work *);
};

struct loop {
	int epoll, wake;
	uint64_t now; /* ms, as of the start of the turn */
	struct timers timers;
	struct list soon, end;
	struct loop_fd wake_fd;
	pthread_mutex_t post_lock;
	struct loop_post *post_head, **post_tail;
	volatile int stop;
	uint64_t turns;
	pthread_t thread;          /* that took the last turn */
	struct epoll_event *batch; /* of this turn, to scrub */
	int batch_at, batch_n;
};

int loop_init(struct loop *l);
void loop_fini(struct loop *l); /* runs what is posted, and end work */

/* Until loop_stop(); 0, or -errno of epoll_wait.  loop_turn() does one turn
 * and sleeps at most max_ms (-1: until something happens): for tests and
 * embedders. */
int loop_run(struct loop *l);
int loop_turn(struct loop *l, int max_ms);
void loop_stop(struct loop *l);

/* A loop_fd must be zeroed or have fd -1 before its first loop_add. */
int loop_add(struct loop *l, struct loop_fd *f, int fd, uint32_t events,
	     void (*fn)(struct loop_fd *, uint32_t));
/* Costs nothing when events are what they were, but for EPOLLET: then it
 * reports again what is ready. */
int loop_mod(struct loop *l, struct loop_fd *f, uint32_t events);
/* Before close(2).  Events of this turn that were for it do not come. */
void loop_del(struct loop *l, struct loop_fd *f);

void loop_work_init(struct loop_work *w, void (*fn)(struct loop_work *));
/* Once, however often it is asked for; fn may ask again (soon: next turn;
 * end: this turn, after the others). */
void loop_soon(struct loop *l, struct loop_work *w);
void loop_end(struct loop *l, struct loop_work *w);
void loop_work_cancel(struct loop_work *w);

/* fn(arg) on the loop thread, in order of posting.  What is still posted at
 * loop_fini() is run then.  0 or -ENOMEM. */
int loop_post(struct loop *l, void (*fn)(void *), void *arg);

/* Is this the thread of the loop (or has it not begun)?  For checks. */
static inline bool loop_is_mine(const struct loop *l)
{
	return !l->turns || pthread_equal(l->thread, pthread_self());
}

static inline void loop_timer(struct loop *l, struct timer *t, uint64_t ms)
{
	timer_set(&l->timers, t, ms);
}

static inline void loop_timer_stop(struct loop *l, struct timer *t)
{
	timer_stop(&l->timers, t);
}

#endif
