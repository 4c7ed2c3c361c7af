/* SPDX-License-Identifier: MIT */
/* chain.c - instances of plugins, in the order of [chain]
 *
 *	chain_build()   loaded, options read; nothing of a plugin has run
 *	                (chain_build.c)
 *	chain_create()  created
 *	chain_start()   started
 *	chain_stop()    in reverse: no new flows
 *	chain_destroy() in reverse: gone, and all it had out with it
 *	chain_fini()    the list itself is freed
 *
 * An instance that is optional and fails on the way is taken out of the
 * chains, as if it had not been named.  Any other failure ends the start:
 * a network without its filter is worse than none.
 *
 * Nothing changes in the arrays once the loop runs.
 */
#include "chain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway.h"
#include "host.h"
#include "log.h"

#define SLOW_MS 100
#define SAY_MS  1000 /* at most one message each */

/* ----------------------------------------------------- create to destroy */

void chain_note_wishes(struct chains *ch)
{
	struct instance **at;

	ch->see = 0;
	for (at = ch->of[CHAIN_OBSERVE]; *at; at++)
		ch->see |= (*at)->plugin->observe.flags;
}

/* The instance is gone from the chains; it stays in the list. */
static void leave_out(struct chains *ch, struct instance *in)
{
	struct instance **from, **to;

	for (int i = 0; i < CHAIN_CLASSES; i++) {
		for (from = to = ch->of[i]; *from; from++)
			if (*from != in)
				*to++ = *from;
		*to = NULL;
	}
	chain_note_wishes(ch);
}

/* What a plugin says of a key of its own begins with it: the line the key is
 * on, of several the one whose value is cited. */
static const struct conf_entry *entry_meant(const struct instance *in,
					    const char *text)
{
	const struct conf_entry *found = NULL;
	size_t len = strcspn(text, ":");

	for (const struct conf_entry *e = in->gw->conf.entries; e;
	     e = e->next) {
		if (!e->line || strcmp(e->section, in->name) ||
		    strlen(e->key) != len || strncmp(e->key, text, len))
			continue;
		if (!found || strstr(text + len, e->value))
			found = e;
	}
	return found;
}

static void say_why(const struct instance *in, int err)
{
	const char *text = *in->error ? in->error : strerror(-err);
	const struct conf_entry *e = entry_meant(in, text);
	char place[512];

	if (e)
		snprintf(place, sizeof(place), "%s:%d: [%s]", e->file, e->line,
			 e->section);
	else
		snprintf(place, sizeof(place), "%s:", in->place);
	if (in->optional)
		log_warn("%s %s (it is optional, and left out)", place, text);
	else
		log_error("%s %s", place, text);
}

static void undo_create(struct instance *in, bool created)
{
	uint64_t t;

	host_cancel(in);
	if (created) {
		t = chain_enter(in);
		in->plugin->head.destroy(in->self);
		chain_leave(in, t, "destroy");
	}
	host_sweep(in);
	in->created = false;
	in->self = NULL;
	in->counters = NULL;
}

static int create(struct instance *in)
{
	int err = host_init(in);
	uint64_t t;

	if (err)
		return err;
	*in->error = '\0';
	t = chain_enter(in);
	err = in->plugin->head.create(&in->ctx, in->options.values, &in->self);
	chain_leave(in, t, "create");
	in->created = err >= 0;
	return MIN(err, 0);
}

static int start(struct instance *in)
{
	uint64_t t = chain_enter(in);
	int err;

	*in->error = '\0';
	err = in->plugin->head.start(in->self);
	chain_leave(in, t, "start");
	in->started = err >= 0;
	return MIN(err, 0);
}

int chain_create(struct chains *ch)
{
	int err = 0;

	for (struct instance *in = ch->instances; in && !err; in = in->next) {
		if (!in->plugin)
			continue;
		err = create(in);
		if (!err)
			continue;
		say_why(in, err);
		undo_create(in, false);
		if (in->optional) {
			leave_out(ch, in);
			err = 0;
		}
	}
	if (err)
		chain_destroy(ch);
	return err;
}

int chain_start(struct chains *ch)
{
	int err;

	for (struct instance *in = ch->instances; in; in = in->next) {
		if (!in->created)
			continue;
		err = start(in);
		if (!err)
			continue;
		say_why(in, err);
		if (!in->optional)
			return err;
		leave_out(ch, in);
		undo_create(in, true);
	}
	return 0;
}

int chain_reload(struct chains *ch)
{
	int n = 0, err;
	uint64_t t;

	for (struct instance *in = ch->instances; in; in = in->next) {
		if (!in->started || !in->plugin->head.reload)
			continue;
		n++;
		*in->error = '\0';
		t = chain_enter(in);
		err = in->plugin->head.reload(in->self, NULL);
		chain_leave(in, t, "reload");
		if (err < 0)
			chain_failed(in, "reload", err);
	}
	return n;
}

void chain_stop(struct chains *ch)
{
	uint64_t t;

	for (struct instance *in = ch->last; in; in = in->prev) {
		if (!in->started)
			continue;
		in->started = false;
		t = chain_enter(in);
		in->plugin->head.stop(in->self);
		chain_leave(in, t, "stop");
	}
}

void chain_destroy(struct chains *ch)
{
	for (struct instance *in = ch->last; in; in = in->prev)
		if (in->created)
			undo_create(in, true);
}

void chain_fini(struct chains *ch)
{
	struct instance *in;

	while ((in = ch->last)) {
		ch->last = in->prev;
		options_free(&in->options);
		free(in->place);
		free(in->name);
		free(in);
	}
	for (int i = 0; i < CHAIN_CLASSES; i++)
		free(ch->of[i]);
	memset(ch, 0, sizeof(*ch));
}

/* ---------------------------------------------------- around every call */

/* To the tick (1 to 10 ms), which is good enough for what is slow at 100, and
 * costs a fraction of the exact time: this is twice in every call. */
static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t chain_enter(struct instance *in)
{
	if (!in->depth++)
		in->outer = in->gw->at_work;
	in->gw->at_work = in;
	return now_ms();
}

/* How many messages were left out since the last. */
static const char *more(uint64_t held, char *buf, size_t len)
{
	buf[0] = '\0';
	if (held)
		snprintf(buf, len, " (%" PRIu64 " more like it)", held);
	return buf;
}

static void was_slow(struct instance *in, uint64_t now, uint64_t took,
		     const char *what)
{
	char held[48];

	in->calls_slow++;
	stats_inc(&in->gw->stats, plugin_slow);
	if (now < in->slow_at) {
		in->slow_held++;
		return;
	}
	in->slow_at = now + SAY_MS;
	log_warn("plugin %s: %s() took %" PRIu64
		 " ms, while all traffic waited%s",
		 in->name, what, took, more(in->slow_held, held, sizeof(held)));
	in->slow_held = 0;
}

void chain_leave(struct instance *in, uint64_t entered, const char *what)
{
	uint64_t now = now_ms();

	in->gw->at_work = --in->depth ? in : in->outer;
	if (unlikely(now - entered > SLOW_MS))
		was_slow(in, now, now - entered, what);
}

void chain_failed(struct instance *in, const char *what, int err)
{
	uint64_t now = now_ms();
	char held[48];

	in->errors++;
	stats_inc(&in->gw->stats, plugin_errors);
	if (now < in->fail_at) {
		in->fail_held++;
	} else {
		in->fail_at = now + SAY_MS;
		log_warn("plugin %s: %s(): %s%s", in->name, what,
			 *in->error ? in->error : strerror(-err),
			 more(in->fail_held, held, sizeof(held)));
		in->fail_held = 0;
	}
	*in->error = '\0';
}
