/* SPDX-License-Identifier: MIT */
/* chain_build.c - [chain] and the sections it names, to instances
 *
 *	tcp = a b --> [a] plugin = x --> registry --> options --> of[CHAIN_TCP]
 *
 * Nothing of a plugin runs here, and a mistake does not end it: all of them
 * are reported, each where it was made.  What is wrong but optional is left
 * out with a warning.
 */
#include "chain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "optvalue.h"
#include "settings.h"

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

	while (names && names[n])
		n++;
	b->ch->of[class] = calloc(n + 1, sizeof(*b->ch->of[class]));
	if (!b->ch->of[class])
		return -ENOMEM;
	for (size_t i = 0; !err && i < n; i++)
		err = add_name(b, class, names[i]);
	return err;
}

/* A plugin that could be there, and no key: etc/sluice.ini is full of them. */
static bool says_nothing(const struct build *b, const struct conf_section *s)
{
	char text[512];

	for (const struct conf_entry *e = b->c->entries; e; e = e->next)
		if (!strcmp(e->section, s->name))
			return false;
	return registry_get(b->r, s->name, text, sizeof(text));
}

/* Named in a chain of the file, but -o has another chain. */
static bool taken_out(const struct conf *c, const char *name)
{
	size_t len = strlen(name), n;

	for (const struct conf_entry *e = c->entries; e; e = e->next) {
		if (strcmp(e->section, "chain"))
			continue;
		for (const char *s = e->value; *s; s += n) {
			s += strspn(s, " \t,");
			n = strcspn(s, " \t,");
			if (n == len && !strncmp(s, name, n))
				return true;
		}
	}
	return false;
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
		if (s->used || says_nothing(b, s) || taken_out(b->c, s->name))
			continue;
		near = conf_nearest(s->name, names);
		conf_section_error(b->c, s, "is in no chain%s%s%s",
				   near ? "; did you mean [" : "",
				   near ? near : "", near ? "]?" : "");
		conf_use_section(b->c, s->name);
	}
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
	chain_note_wishes(ch);
	return c->errors == before ? 0 : -EINVAL;
}
