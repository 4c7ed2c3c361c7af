/* SPDX-License-Identifier: MIT */
/* loop.c - the only place that sleeps
 *
 *	epoll_wait -> timers -> events -> posted -> soon work -> end work
 *	     ^                                          |            |
 *	     +------ without sleep, if soon work waits -+------------+
 *
 * Handlers may add, change and delete any descriptor, also ones that this
 * turn still has events for: the batch is scrubbed, and what a handler no
 * longer wants to hear is not told.  The eventfd that wakes the loop is
 * edge-triggered and never read: each write is one wake-up, and the kernel
 * would need centuries to fill the counter.
 */
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct loop_post {
	struct loop_post *next;
	void (*fn)(void *);
	void *arg;
};

static void wake_fn(struct loop_fd *f, uint32_t events)
{
	(void)f;
	(void)events; /* to be awake is all */
}

int loop_init(struct loop *l)
{
	int err;

	memset(l, 0, sizeof(*l));
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0)
		return -errno;
	l->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->wake < 0) {
		err = -errno;
		goto out_epoll;
	}
	l->batch = calloc(LOOP_EVENTS, sizeof(*l->batch));
	err = l->batch ? loop_add(l, &l->wake_fd, l->wake, EPOLLIN | EPOLLET,
				  wake_fn) :
			 -ENOMEM;
	if (err)
		goto out_wake;
	l->now = util_now_ms();
	timers_init(&l->timers, l->now);
	list_init(&l->soon);
	list_init(&l->end);
	pthread_mutex_init(&l->post_lock, NULL);
	l->post_tail = &l->post_head;
	return 0;

out_wake:
	free(l->batch);
	close(l->wake);
out_epoll:
	close(l->epoll);
	return err;
}

static void run_posted(struct loop *l)
{
	struct loop_post *p, *next;

	/* A post that this misses has written to the eventfd after it. */
	if (!__atomic_load_n(&l->post_head, __ATOMIC_RELAXED))
		return;
	pthread_mutex_lock(&l->post_lock);
	p = l->post_head;
	__atomic_store_n(&l->post_head, NULL, __ATOMIC_RELAXED);
	l->post_tail = &l->post_head;
	pthread_mutex_unlock(&l->post_lock);
	for (; p; p = next) {
		next = p->next;
		p->fn(p->arg);
		free(p);
	}
}

static void run_list(struct list *work)
{
	while (!list_empty(work)) {
		struct loop_work *w = list_first(work, struct loop_work, node);

		list_del(&w->node);
		w->fn(w);
	}
}

void loop_fini(struct loop *l)
{
	run_posted(l);
	run_list(&l->end);
	loop_del(l, &l->wake_fd);
	close(l->wake);
	close(l->epoll);
	free(l->batch);
	pthread_mutex_destroy(&l->post_lock);
}

static void run_events(struct loop *l)
{
	for (l->batch_at = 0; l->batch_at < l->batch_n; l->batch_at++) {
		struct epoll_event *e = &l->batch[l->batch_at];
		struct loop_fd *f = e->data.ptr;
		uint32_t events;

		if (!f)
			continue;
		events = e->events & (f->events | EPOLLERR | EPOLLHUP);
		if (events)
			f->fn(f, events);
	}
	l->batch_at = l->batch_n = 0;
}

static int time_to_sleep(struct loop *l, int max_ms)
{
	int ms;

	if (!list_empty(&l->soon) || !list_empty(&l->end))
		return 0;
	ms = timers_wait(&l->timers, util_now_ms());
	if (ms < 0)
		return max_ms;
	return max_ms < 0 ? ms : MIN(ms, max_ms);
}

/* 0, or -errno of epoll_wait; a signal just ends the sleep. */
int loop_turn(struct loop *l, int max_ms)
{
	struct list soon;
	int n;

	n = epoll_wait(l->epoll, l->batch, LOOP_EVENTS,
		       time_to_sleep(l, max_ms));
	if (n < 0 && errno != EINTR)
		return -errno;
	l->turns++;
	l->thread = pthread_self();
	l->now = util_now_ms();

	/* What is asked for from here on is for the next turn. */
	list_init(&soon);
	list_splice_tail(&soon, &l->soon);

	l->batch_n = MAX(n, 0);
	timers_run(&l->timers, l->now);
	run_events(l);
	run_posted(l);
	run_list(&soon);
	run_list(&l->end);
	return 0;
}

int loop_run(struct loop *l)
{
	int err = 0;

	while (!err && !l->stop)
		err = loop_turn(l, -1);
	l->stop = 0;
	return err;
}

static void wake(struct loop *l)
{
	static const uint64_t one = 1;
	ssize_t n = write(l->wake, &one, sizeof(one));

	(void)n;
}

void loop_stop(struct loop *l)
{
	int saved = errno; /* signal handlers must keep it */

	l->stop = 1;
	wake(l);
	errno = saved;
}

/* 0, or -errno of epoll_ctl; then f is not watched. */
int loop_add(struct loop *l, struct loop_fd *f, int fd, uint32_t events,
	     void (*fn)(struct loop_fd *, uint32_t))
{
	struct epoll_event e = { .events = events, .data.ptr = f };

	assert(fd >= 0 && fn);
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		return -errno;
	f->fd = fd;
	f->events = events;
	f->fn = fn;
	return 0;
}

int loop_mod(struct loop *l, struct loop_fd *f, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = f };

	if (events == f->events && !(events & (EPOLLET | EPOLLONESHOT)))
		return 0;
	if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, f->fd, &e) < 0)
		return -errno;
	f->events = events;
	return 0;
}

void loop_del(struct loop *l, struct loop_fd *f)
{
	if (f->fd < 0 || !f->fn)
		return;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, f->fd, NULL);
	for (int i = l->batch_at; i < l->batch_n; i++)
		if (l->batch[i].data.ptr == f)
			l->batch[i].data.ptr = NULL;
	f->fd = -1;
	f->fn = NULL;
}

void loop_work_init(struct loop_work *w, void (*fn)(struct loop_work *))
{
	list_init(&w->node);
	w->fn = fn;
}

void loop_soon(struct loop *l, struct loop_work *w)
{
	if (list_empty(&w->node))
		list_add_tail(&l->soon, &w->node);
}

void loop_end(struct loop *l, struct loop_work *w)
{
	if (list_empty(&w->node))
		list_add_tail(&l->end, &w->node);
}

void loop_work_cancel(struct loop_work *w)
{
	list_del(&w->node);
}

int loop_post(struct loop *l, void (*fn)(void *), void *arg)
{
	struct loop_post *p = malloc(sizeof(*p));
	bool first;

	if (!p)
		return -ENOMEM;
	p->next = NULL;
	p->fn = fn;
	p->arg = arg;
	pthread_mutex_lock(&l->post_lock);
	first = !l->post_head;
	__atomic_store_n(l->post_tail, p, __ATOMIC_RELAXED);
	l->post_tail = &p->next;
	pthread_mutex_unlock(&l->post_lock);
	if (first)
		wake(l);
	return 0;
}
