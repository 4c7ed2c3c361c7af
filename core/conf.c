/* SPDX-License-Identifier: MIT */
/* conf.c - sections and entries of the configuration, and what is wrong with
 * them
 *
 * conf_read.c fills the list, options.c takes from it.  A mistake is told at
 * once to whoever wants to know (a terminal, the log, a test), with the file
 * and line it is in, and counted; reading goes on, so that one run shows all
 * of them.
 *
 * Everything lives until conf_fini(): entries, names and values are never
 * moved.
 */
#include "conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define REPORTS_MAX 50 /* a file of another kind makes thousands */

struct conf_text {
	struct conf_text *next;
	char bytes[] __attribute__((aligned(16)));
};

static void *get_memory(struct conf *c, size_t len)
{
	struct conf_text *t = calloc(1, sizeof(*t) + len);

	if (!t)
		return NULL;
	t->next = c->memory;
	c->memory = t;
	return t->bytes;
}

/* A copy that lives as long as c. */
const char *conf_text(struct conf *c, const char *s, size_t len)
{
	char *copy = get_memory(c, len + 1);

	if (copy)
		memcpy(copy, s, len);
	return copy;
}

/* An empty configuration: every default is in force. */
void conf_init(struct conf *c, void (*report)(void *, const char *), void *arg)
{
	memset(c, 0, sizeof(*c));
	c->report = report;
	c->arg = arg;
}

void conf_fini(struct conf *c)
{
	struct conf_text *t;

	while ((t = c->memory)) {
		c->memory = t->next;
		free(t);
	}
	conf_init(c, c->report, c->arg);
}

/* ------------------------------------------------------------- mistakes */

void conf_verror(struct conf *c, const char *place, const char *fmt, va_list ap)
{
	char text[1024];
	int n;

	if (++c->errors > REPORTS_MAX || !c->report)
		return;
	n = snprintf(text, sizeof(text), "%s", place);
	if (n >= 0 && (size_t)n < sizeof(text))
		vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	/* What stands in a file is not to steer a terminal. */
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	c->report(c->arg, text);
	if (c->errors == REPORTS_MAX)
		c->report(c->arg, "further mistakes are not shown");
}

void conf_error(struct conf *c, const struct conf_entry *e, const char *fmt,
		...)
{
	char place[512] = "";
	va_list ap;

	if (e && e->line)
		snprintf(place, sizeof(place), "%s:%d: [%s] %s: ", e->file,
			 e->line, e->section, e->key);
	else if (e)
		snprintf(place, sizeof(place), "%s %s.%s: ", e->file,
			 e->section, e->key);
	va_start(ap, fmt);
	conf_verror(c, place, fmt, ap);
	va_end(ap);
}

void conf_section_error(struct conf *c, const struct conf_section *s,
			const char *fmt, ...)
{
	char place[512] = "";
	va_list ap;

	if (s && s->line)
		snprintf(place, sizeof(place), "%s:%d: [%s] ", s->file, s->line,
			 s->name);
	else if (s)
		snprintf(place, sizeof(place), "%s: [%s] ", s->file, s->name);
	va_start(ap, fmt);
	conf_verror(c, place, fmt, ap);
	va_end(ap);
}

/* -------------------------------------------------------------- storing */

static struct conf_entry *new_entry(struct conf *c, const char *section,
				    const char *key, const char *value)
{
	struct conf_entry *e = get_memory(c, sizeof(*e));

	if (!e)
		return NULL;
	e->section = conf_text(c, section, strlen(section));
	e->key = conf_text(c, key, strlen(key));
	e->value = conf_text(c, value, strlen(value));
	return e->section && e->key && e->value ? e : NULL;
}

/* What is read goes before the overrides, whichever comes first. */
static void link_entry(struct conf *c, struct conf_entry *e)
{
	struct conf_entry *after = e->line ? c->last_read : c->last;

	if (after) {
		e->next = after->next;
		after->next = e;
	} else {
		e->next = c->entries;
		c->entries = e;
	}
	if (e->line)
		c->last_read = e;
	if (!e->next)
		c->last = e;
}

int conf_add(struct conf *c, const char *section, const char *key,
	     const char *value, const char *file, int line)
{
	struct conf_entry *e = new_entry(c, section, key, value);

	if (!e)
		return -ENOMEM;
	e->file = file;
	e->line = line;
	link_entry(c, e);
	return 0;
}

int conf_add_section(struct conf *c, const char *name, size_t len,
		     const char *file, int line)
{
	struct conf_section *s = get_memory(c, sizeof(*s));

	if (!s || !(s->name = conf_text(c, name, len)))
		return -ENOMEM;
	s->file = file;
	s->line = line;
	if (c->last_section)
		c->last_section->next = s;
	else
		c->sections = s;
	c->last_section = s;
	return 0;
}

/* -------------------------------------------------------------- finding */

const struct conf_section *conf_find_section(const struct conf *c,
					     const char *section)
{
	const struct conf_section *s;

	for (s = c->sections; s; s = s->next)
		if (!strcmp(s->name, section))
			return s;
	return NULL;
}

void conf_use_section(struct conf *c, const char *section)
{
	for (struct conf_section *s = c->sections; s; s = s->next)
		if (!strcmp(s->name, section))
			s->used = true;
}

static bool is_entry(const struct conf_entry *e, const char *section,
		     const char *key)
{
	return !strcmp(e->section, section) && !strcmp(e->key, key);
}

struct conf_entry *conf_find(const struct conf *c, const char *section,
			     const char *key)
{
	struct conf_entry *e, *found = NULL;

	for (e = c->entries; e; e = e->next)
		if (is_entry(e, section, key))
			found = e;
	return found;
}

struct conf_entry *conf_find_word(const struct conf *c, const char *section,
				  const char *key, const char *word)
{
	struct conf_entry *e, *found = NULL;

	for (e = c->entries; e; e = e->next)
		if (is_entry(e, section, key) && strstr(e->value, word))
			found = e;
	return found;
}

int conf_define(struct conf *c, const char *section, const char *key,
		const char *value)
{
	struct conf_entry *e = new_entry(c, section, key, value);

	if (!e)
		return -ENOMEM;
	e->next = c->known;
	c->known = e;
	return 0;
}

const char *conf_setting(const struct conf *c, const char *name)
{
	size_t len;

	for (const struct conf_entry *e = c->known; e; e = e->next) {
		len = strlen(e->section);
		if (!strncmp(name, e->section, len) && name[len] == '.' &&
		    !strcmp(name + len + 1, e->key))
			return e->value;
	}
	return NULL;
}

static bool same_letter(char a, char b)
{
	return a == b ||
	       ((a ^ b) == 0x20 && ((a | 0x20) >= 'a') && ((a | 0x20) <= 'z'));
}

/* How many letters to put in, take out, change or swap with the next one, to
 * come from a to b; large or small is the same. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[3][CONF_NAME_MAX + 1];
	size_t n = strlen(a), m = strlen(b);
	unsigned *up2 = row[0], *up = row[1], *now = row[2], *spare;

	for (size_t j = 0; j <= m; j++)
		up[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			now[j] = MIN(up[j], now[j - 1]) + 1;
			now[j] =
				MIN(now[j], up[j - 1] + !same_letter(a[i - 1],
								     b[j - 1]));
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]))
				now[j] = MIN(now[j], up2[j - 2] + 1);
		}
		spare = up2;
		up2 = up;
		up = now;
		now = spare;
	}
	return up[m];
}

const char *conf_nearest(const char *word, const char *const *names)
{
	const char *best = NULL;
	size_t len = strlen(word);
	unsigned least, d;

	/* One slip in three letters; more is another word. */
	least = (unsigned)len / 3 + 2;
	if (len > CONF_NAME_MAX)
		return NULL;
	for (; *names; names++) {
		if (strlen(*names) > CONF_NAME_MAX)
			continue;
		d = distance(word, *names);
		if (d < least && d < strlen(*names)) {
			least = d;
			best = *names;
		}
	}
	return best;
}
