/* SPDX-License-Identifier: MIT */
/* chain.c - instances of plugins, in the order of [chain]
 *
 *	chain_build()   loaded, options read; nothing of a plugin has run
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
#include "optvalue.h"

#define SLOW_MS 100
#define SAY_MS  1000 /* at most one message each */

const char *const chain_names[CHAIN_CLASSES] = {
	[CHAIN_TCP] = "tcp",         [CHAIN_UDP] = "udp",
	[CHAIN_DNS] = "dns",         [CHAIN_PROTECT] = "protect",
	[CHAIN_OBSERVE] = "observe",
};

const char *const chain_keys[] = { "plugin", "optional", NULL };

/* What chain_build() works with. */
struct build {
	struct chains *ch;
	struct gateway *gw;
	struct registry *r;
	struct conf *c;
};

/* -------------------------------------------------------------- classes */

static bool has_class(const struct plugin *p, int class)
{
	switch (class) {
	case CHAIN_TCP:
		return p->flow.flags & SLUICE_FLOW_TCP;
	case CHAIN_UDP:
		return p->flow.flags & SLUICE_FLOW_UDP;
	case CHAIN_DNS:
		return p->head.dns != NULL;
	case CHAIN_PROTECT:
		return p->head.protect != NULL;
	default:
		return p->head.observe != NULL;
	}
}

char *chain_classes(const struct plugin *p, char *buf, size_t len)
{
	size_t at = 0;

	buf[0] = '\0';
	for (int i = 0; i < CHAIN_CLASSES; i++)
		if (has_class(p, i) && at < len)
			at += (size_t)snprintf(buf + at, len - at, "%s%s",
					       at ? ", " : "", chain_names[i]);
	return buf;
}

/* ------------------------------------------------------------- building */

static struct instance *find(const struct chains *ch, const char *name)
{
	struct instance *in;

	for (in = ch->instances; in; in = in->next)
		if (!strcmp(in->name, name))
			return in;
	return NULL;
}

/* A mistake about a name, where [chain] has it. */
static void name_error(struct build *b, int class, const char *name,
		       const char *text)
{
	const struct conf_entry *e =
		conf_find_word(b->c, "chain", chain_names[class], name);

	if (e)
		conf_error(b->c, e, "%s", text);
	else
		conf_error(b->c, NULL, "[chain] %s: %s", chain_names[class],
			   text);
}

static bool is_core_section(const char *name)
{
	const struct settings_section *s;

	for (s = settings_sections; s->name; s++)
		if (!strcmp(s->name, name))
			return true;
	return false;
}

/* "sluice.ini:31: [blocklist] dnslist", for messages later on. */
static char *make_place(struct build *b, const struct instance *in)
{
	const struct conf_section *s = conf_find_section(b->c, in->name);
	const char *plugin = in->plugin->head.name;
	bool same = !strcmp(in->name, plugin);
	char *place;
	int n;

	if (s && s->line)
		n = asprintf(&place, "%s:%d: [%s]%s%s", s->file, s->line,
			     in->name, same ? "" : " ", same ? "" : plugin);
	else
		n = asprintf(&place, "[%s]%s%s", in->name, same ? "" : " ",
			     same ? "" : plugin);
	return n < 0 ? NULL : place;
}

/* optional = yes in the section? */
static bool read_optional(struct build *b, const char *name)
{
	static const struct sluice_option row = { .key = "optional",
						  .type = SLUICE_OPT_BOOL };
	const struct conf_entry *e = conf_find(b->c, name, row.key);
	char why[128];
	int64_t yes = 0;

	if (e && optvalue_parse(&row, e->value, &yes, why, sizeof(why)))
		conf_error(b->c, e, "%s", why);
	return yes;
}

/* The plugin of a section, or NULL: it was reported. */
static struct plugin *get_plugin(struct build *b, struct instance *in,
				 int class)
{
	const struct conf_entry *e = conf_find(b->c, in->name, "plugin");
	char text[REGISTRY_TEXT];
	struct plugin *p;

	p = registry_get(b->r, e ? e->value : in->name, text, sizeof(text));
	if (p)
		return p;
	if (in->optional)
		log_warn("[%s] is optional, and left out: %s", in->name, text);
	else if (e)
		conf_error(b->c, e, "%s", text);
	else
		name_error(b, class, in->name, text);
	return NULL;
}

static void link_instance(struct chains *ch, struct instance *in)
{
	in->prev = ch->last;
	if (ch->last)
		ch->last->next = in;
	else
		ch->instances = in;
	ch->last = in;
}

/* The instance of a section, with its options; without a plugin if that was
 * no good (and reported).  NULL: no memory. */
static struct instance *make(struct build *b, const char *name, int class)
{
	struct instance *in = calloc(1, sizeof(*in));
	const struct sluice_plugin *h;

	if (!in || !(in->name = strdup(name))) {
		free(in);
		return NULL;
	}
	link_instance(b->ch, in);
	in->gw = b->gw;
	list_init(&in->timers);
	list_init(&in->watches);
	list_init(&in->dials);
	conf_use_section(b->c, name);
	in->optional = read_optional(b, name);
	in->plugin = get_plugin(b, in, class);
	if (!in->plugin)
		return in;
	h = &in->plugin->head;
	options_load(&in->options, b->c, name, h->options, h->option_size,
		     h->options_bytes, chain_keys);
	in->place = make_place(b, in);
	return in->place ? in : NULL;
}

/* One name of a chain: 0 or -ENOMEM. */
static int add_name(struct build *b, int class, const char *name)
{
	struct instance **array = b->ch->of[class], *in = find(b->ch, name);
	char classes[64], text[256];

	if (is_core_section(name)) {
		snprintf(text, sizeof(text),
			 "[%.64s] is a section of the gateway itself, not of a "
			 "plugin",
			 name);
		name_error(b, class, name, text);
		return 0;
	}
	if (!in)
		in = make(b, name, class);
	if (!in)
		return -ENOMEM;
	if (!in->plugin)
		return 0;
	if (!has_class(in->plugin, class)) {
		snprintf(text, sizeof(text), "%.64s is no %s plugin, but: %s",
			 name, chain_names[class],
			 chain_classes(in->plugin, classes, sizeof(classes)));
		name_error(b, class, name, text);
		return 0;
	}
	if (in->classes & 1u << class) {
		snprintf(text, sizeof(text), "%.64s is named twice", name);
		name_error(b, class, name, text);
		return 0;
	}
	in->classes |= 1u << class;
	while (*array)
		array++;
	*array = in;
	return 0;
}

static int add_chain(struct build *b, int class, const char *const *names)
{
	size_t n = 0;
	int err = 0;

	while (names[n])
		n++;
	b->ch->of[class] = calloc(n + 1, sizeof(*b->ch->of[class]));
	if (!b->ch->of[class])
		return -ENOMEM;
	for (; !err && *names; names++)
		err = add_name(b, class, *names);
	return err;
}

/* Sections that nobody asked for: most likely a slip of the pen. */
static void check_sections(struct build *b)
{
	const char *names[64], *near;
	size_t n = 0;

	for (const struct settings_section *s = settings_sections; s->name; s++)
		names[n++] = s->name;
	for (const struct instance *in = b->ch->instances;
	     in && n + 1 < ARRAY_SIZE(names); in = in->next)
		names[n++] = in->name;
	names[n] = NULL;
	for (struct conf_section *s = b->c->sections; s; s = s->next) {
		if (s->used)
			continue;
		near = conf_nearest(s->name, names);
		conf_section_error(b->c, s, "is in no chain%s%s%s",
				   near ? "; did you mean [" : "",
				   near ? near : "", near ? "]?" : "");
		conf_use_section(b->c, s->name);
	}
}

static void note_wishes(struct chains *ch)
{
	struct instance **at;

	ch->see = 0;
	for (at = ch->of[CHAIN_OBSERVE]; *at; at++)
		ch->see |= (*at)->plugin->observe.flags;
}

int chain_build(struct chains *ch, struct gateway *gw, struct registry *r,
		struct conf *c, const char *const *const names[CHAIN_CLASSES])
{
	struct build b = { .ch = ch, .gw = gw, .r = r, .c = c };
	int before = c->errors, err = 0;

	memset(ch, 0, sizeof(*ch));
	for (int i = 0; !err && i < CHAIN_CLASSES; i++)
		err = add_chain(&b, i, names[i]);
	if (err) {
		conf_error(c, NULL, "%s", strerror(-err));
		return err;
	}
	check_sections(&b);
	note_wishes(ch);
	return c->errors == before ? 0 : -EINVAL;
}

/* ----------------------------------------------------- create to destroy */

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
	note_wishes(ch);
}

static void say_why(const struct instance *in, int err)
{
	const char *text = *in->error ? in->error : strerror(-err);

	if (in->optional)
		log_warn("%s: %s (it is optional, and left out)", in->place,
			 text);
	else
		log_error("%s: %s", in->place, text);
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

static void was_slow(struct instance *in, uint64_t now, uint64_t took,
		     const char *what)
{
	in->calls_slow++;
	stats_inc(&in->gw->stats, plugin_slow);
	if (now < in->slow_at) {
		in->slow_held++;
		return;
	}
	in->slow_at = now + SAY_MS;
	log_warn("plugin %s: %s() took %" PRIu64 " ms, and all traffic waited "
		 "(%" PRIu64 " more like it)",
		 in->name, what, took, in->slow_held);
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

	in->errors++;
	stats_inc(&in->gw->stats, plugin_errors);
	if (now < in->fail_at) {
		in->fail_held++;
	} else {
		in->fail_at = now + SAY_MS;
		log_warn("plugin %s: %s(): %s (%" PRIu64 " more like it)",
			 in->name, what,
			 *in->error ? in->error : strerror(-err),
			 in->fail_held);
		in->fail_held = 0;
	}
	*in->error = '\0';
}
