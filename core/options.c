/* SPDX-License-Identifier: MIT */
/* options.c - option tables (struct sluice_option) to structs
 *
 *	entries of a section --\
 *	preset of the row ------+-- chosen text --> field of the struct
 *	-o -------------------- /
 *
 * For each row of the table the text is chosen first (-o over the file over
 * the preset), then parsed, whichever it is.  Strings are copied: the struct
 * does not need the configuration any more.
 */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optvalue.h"
#include "util.h"

#define BLANKS " \t,"

struct options_memory {
	struct options_memory *next;
	char bytes[] __attribute__((aligned(16)));
};

/* The row being filled in, and where its text comes from. */
struct load {
	struct options *o;
	struct conf *c;
	const char *section;
	struct sluice_option row;
	const struct conf_entry *entry; /* NULL: the preset */
};

static void *get_memory(struct options *o, size_t len)
{
	struct options_memory *m = calloc(1, sizeof(*m) + len);

	if (!m)
		return NULL;
	m->next = o->memory;
	o->memory = m;
	return m->bytes;
}

static char *get_text(struct options *o, const char *s)
{
	size_t len = strlen(s) + 1;
	char *copy = get_memory(o, len);

	return copy ? memcpy(copy, s, len) : NULL;
}

void options_free(struct options *o)
{
	struct options_memory *m;

	while ((m = o->memory)) {
		o->memory = m->next;
		free(m);
	}
	memset(o, 0, sizeof(*o));
}

bool options_row(const struct sluice_option *table, size_t stride, size_t i,
		 struct sluice_option *row)
{
	memset(row, 0, sizeof(*row));
	if (!table || i >= OPTIONS_MAX)
		return false;
	memcpy(row, (const char *)table + i * stride,
	       MIN(stride, sizeof(*row)));
	return row->key != NULL;
}

/* ------------------------------------------------------------- mistakes */

/* What is wrong with the key as a whole. */
static void complain_of_key(struct load *l, const char *what)
{
	const struct conf_section *s = conf_find_section(l->c, l->section);

	if (s)
		conf_section_error(l->c, s, "%s: %s", l->row.key, what);
	else
		conf_error(l->c, NULL, "[%s] %s: %s", l->section, l->row.key,
			   what);
}

/* What is wrong with the value, at the place it stands. */
static void complain(struct load *l, const char *why)
{
	char text[512];

	if (l->entry) {
		conf_error(l->c, l->entry, "%s", why);
		return;
	}
	snprintf(text, sizeof(text), "preset %s: %s", l->row.preset, why);
	complain_of_key(l, text);
}

static bool is_in(const char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

/* Keys of the section that the table does not have. */
static void check_unknown(struct conf *c, const char *section,
			  const struct sluice_option *table, size_t stride,
			  const char *const *extra)
{
	const char *names[OPTIONS_MAX + 1], *near;
	struct sluice_option row;
	size_t n = 0;

	while (options_row(table, stride, n, &row))
		names[n++] = row.key;
	names[n] = NULL;
	for (const struct conf_entry *e = c->entries; e; e = e->next) {
		if (strcmp(e->section, section) || is_in(extra, e->key))
			continue;
		if (is_in(names, e->key))
			continue;
		near = conf_nearest(e->key, names);
		if (!near && extra)
			near = conf_nearest(e->key, extra);
		if (near)
			conf_error(c, e, "unknown key; did you mean %s?", near);
		else
			conf_error(c, e, "unknown key");
	}
}

/* -------------------------------------------------------------- loading */

static bool is_mine(const struct load *l, const struct conf_entry *e)
{
	return !strcmp(e->section, l->section) && !strcmp(e->key, l->row.key);
}

/* Which entry decides: the last override, else the one in the file. */
static void choose(struct load *l)
{
	l->entry = NULL;
	for (const struct conf_entry *e = l->c->entries; e; e = e->next) {
		if (!is_mine(l, e))
			continue;
		if (l->entry && e->line && l->row.type != SLUICE_OPT_LIST)
			conf_error(l->c, e, "said before, on line %d",
				   l->entry->line);
		l->entry = e;
	}
}

/* The preset as a value: "${section.key}" is looked up. */
static const char *preset(struct load *l)
{
	const char *text = l->row.preset;
	char name[2 * CONF_NAME_MAX + 2];
	size_t len = strlen(text);

	if (strncmp(text, "${", 2))
		return text;
	snprintf(name, sizeof(name), "%.*s", (int)MIN(len - 3, sizeof(name)),
		 text + 2);
	text = conf_setting(l->c, name);
	if (!text)
		complain(l, "there is no such setting");
	return text;
}

static size_t count_words(const char *s)
{
	size_t n = 0;

	for (s += strspn(s, BLANKS); *s; n++) {
		s += strcspn(s, BLANKS);
		s += strspn(s, BLANKS);
	}
	return n;
}

/* Cut s, which is ours, into words. */
static const char **put_words(const char **at, char *s)
{
	for (s += strspn(s, BLANKS); *s; s += strspn(s, BLANKS)) {
		*at++ = s;
		s += strcspn(s, BLANKS);
		if (*s)
			*s++ = '\0';
	}
	return at;
}

/* All entries that count: those of -o if there are any, else the file's. */
static bool has_words(const struct load *l, const struct conf_entry *e)
{
	return is_mine(l, e) && !e->line == !l->entry->line;
}

static const char *const *load_list(struct load *l, const char *text)
{
	const struct conf_entry *e;
	const char **list, **at;
	size_t n = 0;
	char *copy;

	for (e = l->entry ? l->c->entries : NULL; e; e = e->next)
		n += has_words(l, e) ? count_words(e->value) : 0;
	n += l->entry ? 0 : count_words(text);
	list = at = get_memory(l->o, (n + 1) * sizeof(*list));
	if (!list)
		return NULL;
	if (!l->entry) {
		copy = get_text(l->o, text);
		if (!copy)
			return NULL;
		put_words(at, copy);
	}
	for (e = l->entry ? l->c->entries : NULL; e; e = e->next) {
		if (!has_words(l, e))
			continue;
		copy = get_text(l->o, e->value);
		if (!copy)
			return NULL;
		at = put_words(at, copy);
	}
	return list;
}

static void load_value(struct load *l, const char *text)
{
	char *field = (char *)l->o->values + l->row.offset;
	const void *pointer;
	char why[384];

	if (l->row.type != SLUICE_OPT_STR && l->row.type != SLUICE_OPT_LIST) {
		if (!optvalue_parse(&l->row, text, field, why, sizeof(why)))
			return;
		complain(l, why);
		/* Not a second complaint about what refers to it. */
		if (l->entry && l->row.preset && *l->row.preset != '$')
			optvalue_parse(&l->row, l->row.preset, field, why,
				       sizeof(why));
		return;
	}
	if (l->row.type == SLUICE_OPT_STR)
		pointer = get_text(l->o, text);
	else
		pointer = load_list(l, text);
	if (!pointer)
		complain_of_key(l, strerror(ENOMEM));
	memcpy(field, &pointer, sizeof(pointer));
}

static void load_row(struct load *l)
{
	const char *text;

	choose(l);
	if (!l->entry && !l->row.preset) {
		complain_of_key(l, "must be given");
		return;
	}
	text = l->entry ? l->entry->value : preset(l);
	if (text)
		load_value(l, text);
}

int options_load(struct options *o, struct conf *c, const char *section,
		 const struct sluice_option *table, size_t stride, size_t bytes,
		 const char *const *extra)
{
	struct load l = { .o = o, .c = c, .section = section };
	int before = c->errors;

	memset(o, 0, sizeof(*o));
	o->bytes = bytes;
	o->values = get_memory(o, bytes);
	if (!o->values) {
		conf_error(c, NULL, "[%s]: out of memory", section);
		return -EINVAL;
	}
	conf_use_section(c, section);
	check_unknown(c, section, table, stride, extra);
	for (size_t i = 0; options_row(table, stride, i, &l.row); i++)
		load_row(&l);
	return c->errors == before ? 0 : -EINVAL;
}

int options_define(struct conf *c, const char *section, const struct options *o,
		   const struct sluice_option *table, size_t stride)
{
	char buf[OPTVALUE_TEXT];
	struct sluice_option row;
	const char *field, *text;
	int err = 0;

	for (size_t i = 0; !err && options_row(table, stride, i, &row); i++) {
		field = (const char *)o->values + row.offset;
		if (row.type == SLUICE_OPT_LIST)
			continue;
		if (row.type == SLUICE_OPT_STR)
			memcpy(&text, field, sizeof(text));
		else
			text = optvalue_text(&row, field, buf, sizeof(buf));
		err = text ? conf_define(c, section, row.key, text) : -ENOMEM;
	}
	return err;
}
