/* SPDX-License-Identifier: MIT */
/* options.h - option tables (struct sluice_option) to structs
 *
 * One mechanism for the core's own sections and for plugins.  Presets are
 * parsed by the same code as values, so that a table cannot lie.  A preset
 * "${section.key}" is the value in force of a setting of the core.
 */
#ifndef CORE_OPTIONS_H
#define CORE_OPTIONS_H

#include <stdio.h>

#include <sluice/plugin.h>

#include "conf.h"

#define OPTIONS_MAX       256 /* rows of a table */
#define OPTIONS_BYTES_MAX 65536

/* A finished struct and the strings in it; freed as one. */
struct options {
	void *values; /* the option struct */
	size_t bytes;
	struct options_memory *memory;
};

/* Fill from the entries of a section, by the table (stride: the plugin's
 * option_size).  Unknown keys, doubled keys that are no lists, bad values
 * and missing ones are reported through c with the nearest known name.
 * extra: keys that others take care of ("plugin", "optional"), may be NULL.
 * 0, or -EINVAL if anything was wrong.  Free it in either case. */
int options_load(struct options *o, struct conf *c, const char *section,
		 const struct sluice_option *table, size_t stride, size_t bytes,
		 const char *const *extra);
void options_free(struct options *o);

/* The i-th row of a table in today's size; false at its end.  A table NULL is
 * an empty one. */
bool options_row(const struct sluice_option *table, size_t stride, size_t i,
		 struct sluice_option *row);

/* The effective values: "key = value" lines as they would stand in a section
 * of the file, or members of a JSON object ("key": value, first after a comma
 * unless `first`). */
void options_print(FILE *out, const struct options *o,
		   const struct sluice_option *table, size_t stride, bool json);
/* Make the effective values known to "${section.key}".  0 or -ENOMEM. */
int options_define(struct conf *c, const char *section, const struct options *o,
		   const struct sluice_option *table, size_t stride);
/* Key, type, preset, range, help: for "plugins", as text or JSON array. */
void options_help(FILE *out, const struct sluice_option *table, size_t stride,
		  bool json);

/* Is the table itself sound (types, offsets inside bytes, presets that
 * parse)?  NULL, or what is wrong with it in text. */
const char *options_sane(const struct sluice_option *table, size_t stride,
			 size_t bytes, char *text, size_t text_len);

#endif
