/* SPDX-License-Identifier: MIT */
/* fakecore.c - a core in memory: context, clock, descriptors, dials
 *
 * What the real core does over many turns is done here when the test says
 * so, in the same order: timers, descriptors, posts.
 */
#include "fakecore.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addr.h"
#include "unit.h"

struct fake_timer {
	struct fake *k;
	struct fake_timer *next;
	uint64_t due;
	void (*fn)(void *);
	void *arg;
};

struct fake_post {
	struct fake_post *next;
	void (*fn)(void *);
	void *arg;
};

struct sluice_addr fake_addr(const char *text)
{
	struct sluice_addr a = { .family = 0 };

	CU_ASSERT_EQUAL_FATAL(addr_parse(text, 0, &a), 0);
	return a;
}

static struct fake *fake_of(struct sluice_ctx *c)
{
	return (struct fake *)c;
}

static void fake_log(struct sluice_ctx *c, int level, const char *fmt, ...)
{
	struct fake *k = fake_of(c);
	va_list ap;

	CU_ASSERT(level >= 3 && level <= 7);
	va_start(ap, fmt);
	vsnprintf(k->log, sizeof(k->log), fmt, ap);
	va_end(ap);
	CU_ASSERT_PTR_NULL(strchr(k->log, '\n'));
	k->logged++;
}

static int fake_fail(struct sluice_ctx *c, int err, const char *fmt, ...)
{
	struct fake *k = fake_of(c);
	va_list ap;

	CU_ASSERT(err > 0);
	va_start(ap, fmt);
	vsnprintf(k->error, sizeof(k->error), fmt, ap);
	va_end(ap);
	return -err;
}

static uint64_t fake_now(struct sluice_ctx *c)
{
	return fake_of(c)->now;
}

static int fake_post(struct sluice_ctx *c, void (*fn)(void *), void *arg)
{
	struct fake *k = fake_of(c);
	struct fake_post *p = malloc(sizeof(*p));
	int err = 0;

	if (!p)
		return -ENOMEM;
	*p = (struct fake_post){ .fn = fn, .arg = arg };
	pthread_mutex_lock(&k->lock);
	if (k->ended) {
		err = -ESHUTDOWN;
	} else {
		*k->last_post = p;
		k->last_post = &p->next;
	}
	pthread_mutex_unlock(&k->lock);
	if (err)
		free(p);
	return err;
}

static void run_posts(struct fake *k)
{
	struct fake_post *p, *next;

	pthread_mutex_lock(&k->lock);
	p = k->posts;
	k->posts = NULL;
	k->last_post = &k->posts;
	pthread_mutex_unlock(&k->lock);
	for (; p; p = next) {
		next = p->next;
		p->fn(p->arg);
		free(p);
	}
}

/* ----------------------------------------------------------------- timers */

static void timer_remove(struct fake_timer *t)
{
	struct fake_timer **at = &t->k->timers;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	free(t);
}

static struct sluice_timer *fake_timer(struct sluice_ctx *c, uint32_t ms,
				       void (*fn)(void *), void *arg)
{
	struct fake *k = fake_of(c);
	struct fake_timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct fake_timer){ .k = k,
				  .next = k->timers,
				  .fn = fn,
				  .arg = arg,
				  .due = k->now + ms };
	k->timers = t;
	return (struct sluice_timer *)t;
}

static void fake_timer_stop(struct sluice_timer *t)
{
	if (t)
		timer_remove((struct fake_timer *)t);
}

unsigned int fake_timers(const struct fake *k)
{
	unsigned int n = 0;

	for (const struct fake_timer *t = k->timers; t; t = t->next)
		n++;
	return n;
}

/* The next timer that is due by `until`, or NULL. */
static struct fake_timer *timer_next(struct fake *k, uint64_t until)
{
	struct fake_timer *best = NULL;

	for (struct fake_timer *t = k->timers; t; t = t->next)
		if (t->due <= until && (!best || t->due <= best->due))
			best = t;
	return best;
}

void fake_run(struct fake *k, uint32_t ms)
{
	uint64_t until = k->now + ms;
	struct fake_timer *t;
	void (*fn)(void *);
	void *arg;

	fake_turn(k);
	while ((t = timer_next(k, until))) {
		if (t->due > k->now)
			k->now = t->due;
		fn = t->fn;
		arg = t->arg;
		timer_remove(t);
		fn(arg);
		fake_turn(k);
	}
	k->now = until;
}

/* ---------------------------------------------------------------- watches */

static int fake_watch(struct sluice_ctx *c, int fd, uint32_t events,
		      void (*fn)(void *, int, uint32_t), void *arg)
{
	struct fake *k = fake_of(c);
	int room = -1;

	for (int i = 0; i < FAKE_WATCHES; i++) {
		if (k->watches[i].events && k->watches[i].fd == fd) {
			room = i;
			break;
		}
		if (!k->watches[i].events && room < 0)
			room = i;
	}
	CU_ASSERT_FATAL(room >= 0);
	k->watches[room].fd = fd;
	k->watches[room].events = events;
	k->watches[room].fn = fn;
	k->watches[room].arg = arg;
	return 0;
}

unsigned int fake_watches(const struct fake *k)
{
	unsigned int n = 0;

	for (int i = 0; i < FAKE_WATCHES; i++)
		n += k->watches[i].events != 0;
	return n;
}

/* Tell of what is ready, each watch once; whether there was any. */
static bool run_watches(struct fake *k)
{
	bool any = false;
	struct pollfd p;

	for (int i = 0; i < FAKE_WATCHES; i++) {
		if (!k->watches[i].events)
			continue;
		p.fd = k->watches[i].fd;
		p.events = (short)(k->watches[i].events & (POLLIN | POLLOUT));
		if (poll(&p, 1, 0) != 1)
			continue;
		/* A plugin must not close what it watches. */
		CU_ASSERT_FALSE(p.revents & POLLNVAL);
		if (p.revents & POLLNVAL)
			k->watches[i].events = 0;
		else
			k->watches[i].fn(k->watches[i].arg, p.fd,
					 (uint32_t)p.revents &
						 (POLLIN | POLLOUT | POLLERR));
		any = true;
	}
	return any;
}

void fake_turn(struct fake *k)
{
	int rounds = 0;

	do {
		run_posts(k);
		fake_flows_turn(k);
	} while (run_watches(k) && ++rounds < 1000);
	run_posts(k);
}

/* ------------------------------------------------------------------ dials */

static int fake_dial(struct sluice_ctx *c, const struct sluice_dial *d)
{
	struct fake *k = fake_of(c);

	CU_ASSERT_FATAL(d->size == sizeof(*d) && d->done);
	if (k->dial_answer < 0)
		return k->dial_answer;
	CU_ASSERT_FATAL(k->dialled < FAKE_DIALS);
	k->dials[k->dialled].ask = *d;
	k->dials[k->dialled++].done = false;
	return 0;
}

struct fake_dial *fake_dial_last(struct fake *k)
{
	for (unsigned int i = k->dialled; i; i--)
		if (!k->dials[i - 1].done)
			return &k->dials[i - 1];
	return NULL;
}

void fake_dial_done(struct fake_dial *d, int fd)
{
	d->done = true;
	d->ask.done(d->ask.arg, fd);
}

static int fake_protect(struct sluice_ctx *c, int fd, uint8_t proto,
			const struct sluice_addr *to)
{
	CU_ASSERT(fd >= 0 && proto && to->family);
	return fake_of(c)->protect_answer;
}

static struct sluice_flow *fake_flow_by_id(struct sluice_ctx *c, uint64_t id)
{
	for (struct fake_flow *f = fake_of(c)->flows; f; f = f->next)
		if (f->info.id == id && !f->closed)
			return &f->pub;
	return NULL;
}

static const void *fake_extension(struct sluice_ctx *c, const char *name)
{
	(void)c;
	(void)name;
	return NULL;
}

static void fake_counters(struct sluice_ctx *c,
			  const struct sluice_counter *table)
{
	fake_of(c)->counters = table;
}

uint64_t fake_counter(const struct fake *k, const char *name)
{
	const struct sluice_counter *c = k->counters;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	while (c->name && strcmp(c->name, name))
		c++;
	CU_ASSERT_PTR_NOT_NULL_FATAL(c->name);
	return *c->value;
}

static const struct sluice_core_api fake_api = {
	.size = sizeof(fake_api),
	.abi = SLUICE_ABI,
	.log = fake_log,
	.fail = fake_fail,
	.now = fake_now,
	.post = fake_post,
	.timer = fake_timer,
	.timer_stop = fake_timer_stop,
	.watch = fake_watch,
	.dial = fake_dial,
	.protect = fake_protect,
	.flow_by_id = fake_flow_by_id,
	.extension = fake_extension,
	.counters = fake_counters,
};

/* ------------------------------------------------------------------- life */

static void mistake(void *arg, const char *text)
{
	struct fake *k = arg;

	snprintf(k->mistakes, sizeof(k->mistakes), "%s", text);
}

static int read_options(struct fake *k, const char *options)
{
	const struct sluice_plugin *p = k->plugin;
	char ini[2048];

	conf_init(&k->conf, mistake, k);
	snprintf(ini, sizeof(ini), "[%s]\n%s\n", p->name, options);
	conf_define(&k->conf, "tun", "fwmark", "0x736c");
	if (conf_parse(&k->conf, "test", ini) < 0)
		return -EINVAL;
	return options_load(&k->options, &k->conf, p->name, p->options,
			    p->option_size, p->options_bytes, NULL);
}

static void fake_free(struct fake *k)
{
	options_free(&k->options);
	conf_fini(&k->conf);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

int fake_create(const struct sluice_plugin *p, const char *options,
		struct fake **out, char *text)
{
	struct fake *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return -ENOMEM;
	k->ctx.api = &fake_api;
	k->plugin = p;
	k->now = 1000000;
	k->last_post = &k->posts;
	pthread_mutex_init(&k->lock, NULL);
	err = read_options(k, options);
	if (err)
		snprintf(text, 256, "%.255s", k->mistakes);
	if (!err && p->create)
		err = p->create(&k->ctx, k->options.values, &k->self);
	if (!err && p->start)
		err = p->start(k->self);
	if (err) {
		if (*k->error)
			snprintf(text, 256, "%s", k->error);
		fake_free(k);
		return err;
	}
	*out = k;
	return 0;
}

struct fake *fake_new(const struct sluice_plugin *p, const char *options)
{
	char text[256] = "";
	struct fake *k = NULL;

	if (fake_create(p, options, &k, text) < 0)
		fprintf(stderr, "%s: %s\n", p->name, text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	return k;
}

void fake_end(struct fake *k)
{
	const struct sluice_plugin *p = k->plugin;

	if (p->stop)
		p->stop(k->self);
	fake_flows_end(k);
	pthread_mutex_lock(&k->lock);
	k->ended = true;
	pthread_mutex_unlock(&k->lock);
	run_posts(k);
	for (unsigned int i = 0; i < k->dialled; i++)
		if (!k->dials[i].done)
			fake_dial_done(&k->dials[i], -ECANCELED);
	if (p->destroy)
		p->destroy(k->self);
	while (k->timers)
		timer_remove(k->timers);
	fake_free(k);
}
