/* SPDX-License-Identifier: MIT */
/* options.h - option tables (struct sluice_option) to structs
 *
 * One mechanism for the core's own sections and for plugins.  Presets are
 * parsed by the same code as values, so that a table cannot lie.
 */
#ifndef CORE_OPTIONS_H
#define CORE_OPTIONS_H

#include <stdio.h>

#include <sluice/plugin.h>

#include "conf.h"

/* A finished struct and the strings in it; freed as one. */
struct options {
	void *values;		/* the option struct */
	size_t bytes;
	struct options_memory *memory;
};

/* Fill from the entries of a section, by the table (stride: the plugin's
 * option_size).  Unknown keys, doubled keys that are no lists, bad values
 * and missing ones are reported through c with the nearest known name.
 * extra: keys that others take care of ("plugin", "optional"), may be NULL.
 * 0, or -EINVAL if anything was wrong. */
int options_load(struct options *o, struct conf *c, const char *section,
		 const struct sluice_option *table, size_t stride,
		 size_t bytes, const char *const *extra);
void options_free(struct options *o);

/* The effective values, as they would stand in a file: for "check". */
void options_print(FILE *out, const struct options *o,
		   const struct sluice_option *table, size_t stride,
		   const char *section, bool json);
/* Key, type, preset, range, help: for "plugins". */
void options_help(FILE *out, const struct sluice_option *table,
		  size_t stride);

/* Is the table itself sound (types, offsets inside bytes, presets that
 * parse)?  NULL or what is wrong with it. */
const char *options_sane(const struct sluice_option *table, size_t stride,
			 size_t bytes);

#endif
