/* SPDX-License-Identifier: MIT */
/* conf.h - the INI file and -o overrides as a list of entries
 *
 * The only user of inih.  It knows sections, keys and lines, not what they
 * mean: options.c does.  (The name config.h belongs to autoconf.)
 */
#ifndef CORE_CONF_H
#define CORE_CONF_H

#include <stdbool.h>
#include <stddef.h>

#define CONF_FILE_MAX (1u << 20)	/* bytes; more is an error */

struct conf_entry {
	struct conf_entry *next;
	const char *section, *key, *value;
	const char *file;	/* "-o" for an override */
	int line;		/* 0 for an override */
	bool used;		/* set by whoever took it */
};

struct conf_section {		/* a [name] seen in a file, keys or not */
	struct conf_section *next;
	const char *name, *file;
	int line;
	bool used;
};

struct conf {
	struct conf_entry *entries;	/* in order of appearance, overrides
					   last */
	struct conf_section *sections;
	int errors;		/* each was told to report */
	/* One mistake, with where it is: "sluice.ini:12: ..." */
	void (*report)(void *arg, const char *text);
	void *arg;
	struct conf_text *memory;
};

void conf_init(struct conf *c, void (*report)(void *, const char *),
	       void *arg);
void conf_fini(struct conf *c);

/* Read a file (it must belong to root or to us and not be writable by
 * others); parse text named `name` instead; take "section.key=value".  0 or
 * -errno; mistakes inside are reported and counted, all of them. */
int conf_read(struct conf *c, const char *path);
int conf_parse(struct conf *c, const char *name, const char *text);
int conf_override(struct conf *c, const char *setting);

/* Report a mistake at e (may be NULL: no place). */
void conf_error(struct conf *c, const struct conf_entry *e, const char *fmt,
		...) __attribute__((format(printf, 3, 4)));

/* "did you mean": the nearest of names (NULL-terminated) or NULL. */
const char *conf_nearest(const char *word, const char *const *names);

#endif
