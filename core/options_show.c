/* SPDX-License-Identifier: MIT */
/* options_show.c - option tables and their values for people and scripts
 *
 * What options_print() writes as INI gives the same values when it is read
 * again; "check" depends on it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "options.h"
#include "optvalue.h"
#include "util.h"

#define LINE 72 /* a longer list goes on with the same key again */

/* --------------------------------------------------------------- values */

static const char *const *list_of(const void *field)
{
	const char *const *list;

	memcpy(&list, field, sizeof(list));
	return list;
}

static const char *text_of(const struct sluice_option *row, const void *field,
			   char *buf, size_t len)
{
	const char *text;

	if (row->type != SLUICE_OPT_STR)
		return optvalue_text(row, field, buf, len);
	memcpy(&text, field, sizeof(text));
	return text;
}

static void print_list(FILE *out, const char *key, const char *const *list)
{
	size_t width = strlen(key) + 2;

	fprintf(out, "%s =", key);
	for (; *list; list++) {
		if (width + strlen(*list) > LINE && width > strlen(key) + 2) {
			fprintf(out, "\n%s =", key);
			width = strlen(key) + 2;
		}
		fprintf(out, "%s%s", strchr(";#", **list) ? "," : " ", *list);
		width += strlen(*list) + 1;
	}
	fputc('\n', out);
}

static void print_json_list(FILE *out, const char *const *list)
{
	fputc('[', out);
	for (size_t i = 0; list[i]; i++) {
		if (i)
			fputs(", ", out);
		json_string(out, list[i]);
	}
	fputc(']', out);
}

static void print_ini(FILE *out, const struct sluice_option *row,
		      const void *field)
{
	char buf[OPTVALUE_TEXT];
	const char *text;

	if (row->type == SLUICE_OPT_LIST) {
		print_list(out, row->key, list_of(field));
		return;
	}
	text = text_of(row, field, buf, sizeof(buf));
	/* After a blank, these would begin a remark. */
	fprintf(out, "%s =%s%s\n", row->key, strchr(";#", *text) ? "" : " ",
		text);
}

static void print_json(FILE *out, const struct sluice_option *row,
		       const void *field)
{
	char buf[OPTVALUE_TEXT];
	int64_t v;

	json_string(out, row->key);
	fputs(": ", out);
	switch (row->type) {
	case SLUICE_OPT_LIST:
		print_json_list(out, list_of(field));
		break;
	case SLUICE_OPT_INT:
	case SLUICE_OPT_SIZE:
		memcpy(&v, field, sizeof(v));
		fprintf(out, "%" PRId64, v);
		break;
	case SLUICE_OPT_BOOL:
		memcpy(&v, field, sizeof(v));
		fputs(v ? "true" : "false", out);
		break;
	default:
		json_string(out, text_of(row, field, buf, sizeof(buf)));
	}
}

void options_print(FILE *out, const struct options *o,
		   const struct sluice_option *table, size_t stride, bool json)
{
	struct sluice_option row;
	const void *field;

	for (size_t i = 0; options_row(table, stride, i, &row); i++) {
		field = (const char *)o->values + row.offset;
		if (json) {
			fputs(i ? ", " : "", out);
			print_json(out, &row, field);
		} else {
			print_ini(out, &row, field);
		}
	}
}

/* --------------------------------------------------------------- tables */

/* "1 to 65535", "1s or more", or nothing.  Times have 32 bits at most. */
static const char *range(const struct sluice_option *row, char *buf, size_t len)
{
	char low[OPTVALUE_TEXT], high[OPTVALUE_TEXT];

	buf[0] = '\0';
	if (row->type != SLUICE_OPT_INT && row->type != SLUICE_OPT_SIZE &&
	    row->type != SLUICE_OPT_MS)
		return buf;
	if (!row->min && !row->max)
		return buf;
	optvalue_text(row, &row->min, low, sizeof(low));
	optvalue_text(row, &row->max, high, sizeof(high));
	if (row->max < (row->type == SLUICE_OPT_MS ? UINT32_MAX : INT64_MAX))
		snprintf(buf, len, "%s to %s", low, high);
	else if (row->min)
		snprintf(buf, len, "%s or more", low);
	return buf;
}

static const char *preset_text(const struct sluice_option *row)
{
	if (!row->preset)
		return "(must be given)";
	return *row->preset ? row->preset : "(empty)";
}

/* How wide the column of presets is: addresses are long. */
static int preset_width(const struct sluice_option *table, size_t stride)
{
	struct sluice_option row;
	size_t width = 16;

	for (size_t i = 0; options_row(table, stride, i, &row); i++)
		if (strlen(preset_text(&row)) > width)
			width = strlen(preset_text(&row));
	return (int)width;
}

static void help_text(FILE *out, const struct sluice_option *row, int width)
{
	char limits[2 * OPTVALUE_TEXT + 16], words[OPTVALUE_TEXT];
	const char *help = optvalue_help(row);

	range(row, limits, sizeof(limits));
	fprintf(out, "  %-20s %-8s %-*s", row->key, optvalue_type(row->type),
		width, preset_text(row));
	if (*limits)
		fprintf(out, " %s;", limits);
	if (row->type == SLUICE_OPT_ENUM)
		fprintf(out, " %s%s", optvalue_words(row, words, sizeof(words)),
			*help ? ";" : "");
	fprintf(out, "%s%s\n", *help ? " " : "", help);
}

static void help_json(FILE *out, const struct sluice_option *row)
{
	char limits[2 * OPTVALUE_TEXT + 16], word[OPTVALUE_TEXT];

	fputs("{\"key\": ", out);
	json_string(out, row->key);
	fputs(", \"type\": ", out);
	json_string(out, optvalue_type(row->type));
	fputs(", \"preset\": ", out);
	json_string(out, row->preset);
	if (*range(row, limits, sizeof(limits))) {
		fputs(", \"range\": ", out);
		json_string(out, limits);
	}
	if (row->type == SLUICE_OPT_ENUM) {
		fputs(", \"words\": [", out);
		for (int64_t i = 0; optvalue_word(row, i, word, sizeof(word));
		     i++) {
			fputs(i ? ", " : "", out);
			json_string(out, word);
		}
		fputc(']', out);
	}
	fputs(", \"help\": ", out);
	json_string(out, optvalue_help(row));
	fputc('}', out);
}

void options_help(FILE *out, const struct sluice_option *table, size_t stride,
		  bool json)
{
	int width = json ? 0 : preset_width(table, stride);
	struct sluice_option row;

	fputs(json ? "[" : "", out);
	for (size_t i = 0; options_row(table, stride, i, &row); i++) {
		if (json) {
			fputs(i ? ", " : "", out);
			help_json(out, &row);
		} else {
			help_text(out, &row, width);
		}
	}
	fputs(json ? "]" : "", out);
}
