/* SPDX-License-Identifier: MIT */
/* options_sane.c - does an option table keep its word?
 *
 * A table comes from a file that somebody else compiled.  Everything that
 * options_load() takes for granted is looked at here, before the first use:
 * a field outside of the struct would be written to.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "optvalue.h"
#include "util.h"

struct sane {
	const struct sluice_option *table;
	size_t stride, bytes;
	char *text;
	size_t text_len;
};

static const char *says(struct sane *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static const char *says(struct sane *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->text, s->text_len, fmt, ap);
	va_end(ap);
	return s->text;
}

static bool is_key(const char *key)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t len = strnlen(key, CONF_NAME_MAX + 1);

	return *key >= 'a' && *key <= 'z' && len <= CONF_NAME_MAX &&
	       strspn(key, letters) == len;
}

static bool overlap(const struct sluice_option *a,
		    const struct sluice_option *b)
{
	return a->offset < b->offset + optvalue_size(b->type) &&
	       b->offset < a->offset + optvalue_size(a->type);
}

/* "${section.key}", whatever it stands for. */
static bool is_reference(const char *preset)
{
	const char *dot = strchr(preset, '.');
	size_t len = strlen(preset);

	return !strncmp(preset, "${", 2) && dot > preset + 2 &&
	       dot < preset + len - 2 && preset[len - 1] == '}' &&
	       len < 2 * CONF_NAME_MAX;
}

static const char *check_field(struct sane *s, const struct sluice_option *row)
{
	size_t size = optvalue_size(row->type);

	if (!size)
		return says(s, "option %s: type %u is not known here", row->key,
			    row->type);
	if (row->offset % optvalue_align(row->type))
		return says(s, "option %s: offset %u is not aligned", row->key,
			    row->offset);
	if (size > s->bytes || row->offset > s->bytes - size)
		return says(s,
			    "option %s: offset %u is outside of the %zu bytes "
			    "of the struct",
			    row->key, row->offset, s->bytes);
	return NULL;
}

static const char *check_preset(struct sane *s, const struct sluice_option *row)
{
	struct sluice_addr field; /* the largest there is */
	char why[384], word[OPTVALUE_TEXT];

	if (row->min > row->max)
		return says(s, "option %s: its least value is above its most",
			    row->key);
	if (row->type == SLUICE_OPT_ENUM &&
	    !optvalue_word(row, 0, word, sizeof(word)))
		return says(s, "option %s: its help names no words", row->key);
	if (!row->preset || is_reference(row->preset))
		return NULL;
	if (!strncmp(row->preset, "${", 2))
		return says(s, "option %s: preset '%.60s' is no ${section.key}",
			    row->key, row->preset);
	if (row->type == SLUICE_OPT_STR || row->type == SLUICE_OPT_LIST)
		return NULL;
	if (optvalue_parse(row, row->preset, &field, why, sizeof(why)))
		return says(s, "option %s: preset %s", row->key, why);
	return NULL;
}

static const char *check_others(struct sane *s, const struct sluice_option *row,
				size_t n)
{
	struct sluice_option other;

	for (size_t i = 0; i < n; i++) {
		options_row(s->table, s->stride, i, &other);
		if (!strcmp(other.key, row->key))
			return says(s, "option %s is there twice", row->key);
		if (overlap(&other, row))
			return says(s, "options %s and %s share a field",
				    other.key, row->key);
	}
	return NULL;
}

const char *options_sane(const struct sluice_option *table, size_t stride,
			 size_t bytes, char *text, size_t text_len)
{
	struct sane s = { table, stride, bytes, text, text_len };
	struct sluice_option row;
	const char *wrong = NULL;
	size_t i;

	if (bytes > OPTIONS_BYTES_MAX)
		return says(&s,
			    "its option struct has %zu bytes, at most %d "
			    "are allowed",
			    bytes, OPTIONS_BYTES_MAX);
	if (!table)
		return NULL;
	if (stride < sizeof(row) || stride > 1024 || stride % _Alignof(char *))
		return says(&s,
			    "its options have %zu bytes each, %zu are "
			    "expected",
			    stride, sizeof(row));
	for (i = 0; !wrong && options_row(table, stride, i, &row); i++) {
		if (!is_key(row.key))
			return says(&s, "option %zu: '%.48s' is no key", i,
				    row.key);
		wrong = check_field(&s, &row);
		if (!wrong)
			wrong = check_preset(&s, &row);
		if (!wrong)
			wrong = check_others(&s, &row, i);
	}
	if (!wrong && i == OPTIONS_MAX)
		return says(&s, "its options have no end within %d",
			    OPTIONS_MAX);
	return wrong;
}
