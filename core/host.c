/* SPDX-License-Identifier: MIT */
/* host.c - what a plugin instance may ask of the core
 *
 * Each thing an instance asks for is noted with the instance, so that nothing
 * of it is left when the instance is gone:
 *
 *	           host_cancel()              host_sweep()
 *	dials      done(-ECANCELED)           -
 *	posts      run                        -
 *	timers     -                          forgotten
 *	watches    -                          forgotten
 *
 * A post may come from any thread at any time, also while the loop takes the
 * instance down.  It waits in the queue of struct host; what the loop is
 * given is only a bell, one for however many posts there are.  The bell holds
 * a reference, so struct host outlives an instance whose bell still rings.
 */
#include "host.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway.h"
#include "log.h"

struct host_post {
	struct host_post *next;
	void (*fn)(void *);
	void *arg;
};

struct host_watch {
	struct loop_fd watch;
	struct list node; /* of in->watches */
	struct instance *in;
	void (*fn)(void *arg, int fd, uint32_t events);
	void *arg;
};

struct host_dial {
	struct list node; /* of in->dials */
	struct instance *in;
	struct dial *dial;
	void (*done)(void *arg, int fd);
	void *arg;
};

struct sluice_timer {
	struct timer timer;
	struct list node; /* of in->timers */
	struct instance *in;
	void (*fn)(void *arg);
	void *arg;
};

struct host {
	pthread_mutex_t lock; /* of what any thread may touch: */
	struct host_post *first, **last;
	struct instance *in; /* NULL: swept */
	unsigned int refs;   /* the instance's and the bell's */
	bool rung, closed;
	struct host_watch **by_fd; /* the loop's */
	size_t by_fd_n;
};

static struct instance *instance_of(struct sluice_ctx *c)
{
	return (struct instance *)c;
}

/* The same in functions that only the loop thread may call.  A plugin that
 * does otherwise works most of the time: --enable-debug finds it. */
static struct instance *loop_only(struct sluice_ctx *c, const char *function)
{
	struct instance *in = instance_of(c);

#ifdef SLUICE_DEBUG
	if (!loop_is_mine(&in->gw->loop)) {
		log_error("%s: %s() is for the loop thread, and was called "
			  "from another",
			  in->name, function);
		abort();
	}
#endif
	(void)function;
	return in;
}

#define on_loop(c) loop_only((c), __func__)

static void host_put(struct host *h)
{
	unsigned int left;

	pthread_mutex_lock(&h->lock);
	left = --h->refs;
	pthread_mutex_unlock(&h->lock);
	if (left)
		return;
	pthread_mutex_destroy(&h->lock);
	free(h);
}

/* --------------------------------------------------------- log, fail, now */

static void host_log(struct sluice_ctx *c, int level, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (level > log_level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_at(level, "%s: %s", instance_of(c)->name, text);
}

static int host_fail(struct sluice_ctx *c, int err, const char *fmt, ...)
{
	struct instance *in = on_loop(c);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(in->error, sizeof(in->error), fmt, ap);
	va_end(ap);
	if (!err)
		return -EINVAL;
	return err > 0 ? -err : err;
}

static uint64_t host_now(struct sluice_ctx *c)
{
	return __atomic_load_n(&instance_of(c)->gw->loop.now, __ATOMIC_RELAXED);
}

/* ------------------------------------------------------------------ posts */

/* Run what is posted now; what that posts comes with the next bell. */
static void host_run_posts(struct host *h)
{
	struct host_post *p, *next;
	struct instance *in = h->in;
	uint64_t entered;

	pthread_mutex_lock(&h->lock);
	p = h->first;
	h->first = NULL;
	h->last = &h->first;
	h->rung = false;
	pthread_mutex_unlock(&h->lock);
	for (; p; p = next) {
		next = p->next;
		entered = chain_enter(in);
		p->fn(p->arg);
		chain_leave(in, entered, "post");
		free(p);
	}
}

static void host_bell(void *arg)
{
	struct host *h = arg;

	if (h->in)
		host_run_posts(h);
	host_put(h);
}

/* Have the bell rung, h->lock being held: 0 or -ENOMEM. */
static int host_ring(struct host *h)
{
	int err;

	if (h->rung)
		return 0;
	err = loop_post(&h->in->gw->loop, host_bell, h);
	if (err)
		return err;
	h->rung = true;
	h->refs++;
	return 0;
}

static int host_post(struct sluice_ctx *c, void (*fn)(void *), void *arg)
{
	struct host *h = instance_of(c)->host;
	struct host_post *p = malloc(sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	*p = (struct host_post){ .fn = fn, .arg = arg };
	pthread_mutex_lock(&h->lock);
	err = h->closed ? -ESHUTDOWN : host_ring(h);
	if (!err) {
		*h->last = p;
		h->last = &p->next;
	}
	pthread_mutex_unlock(&h->lock);
	if (err)
		free(p);
	return err;
}

/* ----------------------------------------------------------------- timers */

static void host_timer_free(struct sluice_timer *t)
{
	loop_timer_stop(&t->in->gw->loop, &t->timer);
	list_del(&t->node);
	free(t);
}

static void host_timer_fired(struct timer *timer)
{
	struct sluice_timer *t =
		container_of(timer, struct sluice_timer, timer);
	struct instance *in = t->in;
	void (*fn)(void *) = t->fn;
	void *arg = t->arg;
	uint64_t entered;

	host_timer_free(t);
	entered = chain_enter(in);
	fn(arg);
	chain_leave(in, entered, "timer");
}

static struct sluice_timer *host_timer(struct sluice_ctx *c, uint32_t ms,
				       void (*fn)(void *), void *arg)
{
	struct instance *in = on_loop(c);
	struct sluice_timer *t = malloc(sizeof(*t));

	if (!t)
		return NULL;
	t->in = in;
	t->fn = fn;
	t->arg = arg;
	timer_init(&t->timer, host_timer_fired);
	list_add_tail(&in->timers, &t->node);
	loop_timer(&in->gw->loop, &t->timer, ms);
	return t;
}

static void host_timer_stop(struct sluice_timer *t)
{
	if (t)
		host_timer_free(t);
}

/* ---------------------------------------------------------------- watches */

_Static_assert(SLUICE_WATCH_READ == EPOLLIN && SLUICE_WATCH_WRITE == EPOLLOUT &&
		       SLUICE_WATCH_ERROR == EPOLLERR,
	       "events need no translation");

static void host_watch_free(struct host_watch *w)
{
	struct host *h = w->in->host;

	h->by_fd[w->watch.fd] = NULL;
	loop_del(&w->in->gw->loop, &w->watch);
	list_del(&w->node);
	free(w);
}

static void host_watch_fired(struct loop_fd *f, uint32_t events)
{
	struct host_watch *w = container_of(f, struct host_watch, watch);
	struct instance *in = w->in;
	uint64_t entered;

	if (events & EPOLLHUP)
		events |= EPOLLERR;
	entered = chain_enter(in);
	w->fn(w->arg, f->fd, events & (EPOLLIN | EPOLLOUT | EPOLLERR));
	chain_leave(in, entered, "watch");
}

static int host_watch_room(struct host *h, size_t fd)
{
	size_t n = MAX(h->by_fd_n, 64);
	struct host_watch **bigger;

	if (fd < h->by_fd_n)
		return 0;
	while (n <= fd)
		n *= 2;
	bigger = realloc(h->by_fd, n * sizeof(struct host_watch *));
	if (!bigger)
		return -ENOMEM;
	memset(bigger + h->by_fd_n, 0,
	       (n - h->by_fd_n) * sizeof(struct host_watch *));
	h->by_fd = bigger;
	h->by_fd_n = n;
	return 0;
}

static int host_watch_new(struct instance *in, int fd, uint32_t events,
			  struct host_watch **out)
{
	struct host_watch *w;
	int err;

	err = host_watch_room(in->host, (size_t)fd);
	if (err)
		return err;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->in = in;
	err = loop_add(&in->gw->loop, &w->watch, fd, events, host_watch_fired);
	if (err) {
		free(w);
		return err;
	}
	list_add_tail(&in->watches, &w->node);
	in->host->by_fd[fd] = w;
	*out = w;
	return 0;
}

static int host_watch(struct sluice_ctx *c, int fd, uint32_t events,
		      void (*fn)(void *arg, int fd, uint32_t events), void *arg)
{
	struct instance *in = on_loop(c);
	struct host *h = in->host;
	struct host_watch *w = NULL;
	int err = 0;

	if (fd < 0)
		return -EBADF;
	if (events && !fn)
		return -EINVAL;
	events &= EPOLLIN | EPOLLOUT | EPOLLERR;
	if ((size_t)fd < h->by_fd_n)
		w = h->by_fd[fd];
	/* Another's watch: the number was closed without a word, and given
	 * out again.  The loop has forgotten it then. */
	if (w && (!events || w->fn != fn || w->arg != arg ||
		  loop_mod(&in->gw->loop, &w->watch, events) < 0)) {
		host_watch_free(w);
		w = NULL;
	}
	if (!events)
		return 0;
	if (!w)
		err = host_watch_new(in, fd, events, &w);
	if (err)
		return err;
	w->fn = fn;
	w->arg = arg;
	return 0;
}

/* ------------------------------------------------------------------ dials */

static void host_dial_end(struct host_dial *hd, int fd)
{
	struct instance *in = hd->in;
	void (*done)(void *, int) = hd->done;
	void *arg = hd->arg;
	uint64_t entered;

	list_del(&hd->node);
	free(hd);
	entered = chain_enter(in);
	done(arg, fd);
	chain_leave(in, entered, "dial");
}

static void host_dial_done(void *arg, int fd, const struct dial_error *e)
{
	host_dial_end(arg, fd < 0 ? -e->err : fd);
}

static int host_dial(struct sluice_ctx *c, const struct sluice_dial *d)
{
	struct instance *in = on_loop(c);
	struct dial_ask ask;
	struct host_dial *hd;

	if (d->size < sizeof(*d) || !d->done ||
	    d->flags & ~SLUICE_DIAL_UNCONNECTED ||
	    (d->proto != SLUICE_TCP && d->proto != SLUICE_UDP))
		return -EINVAL;
	if (in->host->closed)
		return -ESHUTDOWN;
	hd = malloc(sizeof(*hd));
	if (!hd)
		return -ENOMEM;
	*hd = (struct host_dial){ .in = in, .done = d->done, .arg = d->arg };
	ask = (struct dial_ask){
		.proto = d->proto,
		.to = d->to,
		.flow_id = d->flow ? flow_of(d->flow)->info.id : 0,
		.timeout_ms = d->timeout_ms,
		.flags = d->flags,
		.done = host_dial_done,
		.arg = hd,
	};
	hd->dial = dial_start(in->gw, &ask);
	if (!hd->dial) {
		free(hd);
		return -ENOMEM;
	}
	list_add_tail(&in->dials, &hd->node);
	return 0;
}

static int host_protect(struct sluice_ctx *c, int fd, uint8_t proto,
			const struct sluice_addr *to)
{
	return dial_protect(on_loop(c)->gw, fd, proto, to);
}

/* ------------------------------------------------------------------- rest */

static struct sluice_flow *host_flow_by_id(struct sluice_ctx *c, uint64_t id)
{
	struct flow *f = flow_by_id(on_loop(c)->gw, id);

	return f ? &f->pub : NULL;
}

/* There are no experiments yet. */
static const void *host_extension(struct sluice_ctx *c, const char *name)
{
	(void)on_loop(c);
	(void)name;
	return NULL;
}

static void host_counters(struct sluice_ctx *c,
			  const struct sluice_counter *table)
{
	on_loop(c)->counters = table;
}

const struct sluice_core_api host_api = {
	.size = sizeof(host_api),
	.abi = SLUICE_ABI,
	.log = host_log,
	.fail = host_fail,
	.now = host_now,
	.post = host_post,
	.timer = host_timer,
	.timer_stop = host_timer_stop,
	.watch = host_watch,
	.dial = host_dial,
	.protect = host_protect,
	.flow_by_id = host_flow_by_id,
	.extension = host_extension,
	.counters = host_counters,
};

/* ----------------------------------------------------- life of an instance */

int host_init(struct instance *in)
{
	struct host *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	pthread_mutex_init(&h->lock, NULL);
	h->last = &h->first;
	h->in = in;
	h->refs = 1;
	in->ctx.api = &host_api;
	in->host = h;
	list_init(&in->timers);
	list_init(&in->watches);
	list_init(&in->dials);
	return 0;
}

/* Completions may free what they are told about, so they come while the
 * plugin still knows it. */
void host_cancel(struct instance *in)
{
	struct host *h = in->host;
	struct host_dial *hd;

	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->closed = true;
	pthread_mutex_unlock(&h->lock);
	host_run_posts(h);
	while (!list_empty(&in->dials)) {
		hd = list_first(&in->dials, struct host_dial, node);
		dial_cancel(hd->dial);
		host_dial_end(hd, -ECANCELED);
	}
}

void host_sweep(struct instance *in)
{
	struct host *h = in->host;

	if (!h)
		return;
	while (!list_empty(&in->timers))
		host_timer_free(
			list_first(&in->timers, struct sluice_timer, node));
	while (!list_empty(&in->watches))
		host_watch_free(
			list_first(&in->watches, struct host_watch, node));
	free(h->by_fd);
	in->host = NULL;
	h->in = NULL;
	host_put(h);
}
