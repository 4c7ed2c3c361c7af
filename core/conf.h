/* SPDX-License-Identifier: MIT */
/* conf.h - the INI file and -o overrides as a list of entries
 *
 * It knows sections, keys and lines, not what they mean: options.c does.
 * conf_read.c is the only user of inih.  (The name config.h belongs to autoconf.)
 */
#ifndef CORE_CONF_H
#define CORE_CONF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define CONF_FILE_MAX (1u << 20) /* bytes; more is an error */
#define CONF_LINE_MAX (1 << 16)  /* the same of a line */
#define CONF_NAME_MAX 48         /* of a section or key */

struct conf_entry {
	struct conf_entry *next;
	const char *section, *key, *value;
	const char *file; /* "-o" for an override */
	int line;         /* 0 for an override */
};

struct conf_section { /* a [name] seen in a file or override, keys or not */
	struct conf_section *next;
	const char *name, *file;
	int line;
	bool used;
};

struct conf {
	struct conf_entry *entries; /* in order of appearance, overrides
				       last */
	struct conf_entry *last_read, *last;
	struct conf_section *sections, *last_section;
	struct conf_entry *known; /* for conf_setting() */
	int errors;               /* each was told to report */
	/* One mistake, with where it is: "sluice.ini:12: ..." */
	void (*report)(void *arg, const char *text);
	void *arg;
	struct conf_text *memory;
};

void conf_init(struct conf *c, void (*report)(void *, const char *), void *arg);
void conf_fini(struct conf *c);

/* Read a file (it must belong to root or to us and not be writable by
 * others); parse text named `name` instead; take "section.key=value".  0 or
 * -errno; mistakes inside are reported and counted, all of them. */
int conf_read(struct conf *c, const char *path);
int conf_parse(struct conf *c, const char *name, const char *text);
int conf_override(struct conf *c, const char *setting);

/* Report a mistake at e, or at the header of a section (both may be NULL: no
 * place). */
void conf_error(struct conf *c, const struct conf_entry *e, const char *fmt,
		...) __attribute__((format(printf, 3, 4)));
void conf_section_error(struct conf *c, const struct conf_section *s,
			const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The section, where it was seen first; the entry that decides about a key
 * (the last one); the one that has this word in its value.  Or NULL. */
const struct conf_section *conf_find_section(const struct conf *c,
					     const char *section);
struct conf_entry *conf_find(const struct conf *c, const char *section,
			     const char *key);
struct conf_entry *conf_find_word(const struct conf *c, const char *section,
				  const char *key, const char *word);
/* Nobody needs to complain about this section any more. */
void conf_use_section(struct conf *c, const char *section);

/* Values in force that presets may refer to, as "section.key".  0 or
 * -ENOMEM; the text or NULL. */
int conf_define(struct conf *c, const char *section, const char *key,
		const char *value);
const char *conf_setting(const struct conf *c, const char *name);

/* "did you mean": the nearest of names (NULL-terminated) or NULL. */
const char *conf_nearest(const char *word, const char *const *names);

/* Could somebody who is neither root nor us have written this file?  NULL if
 * not, else a reason like "anyone may write to it". */
const char *conf_untrusted(const struct stat *st);

/* For conf_read.c: store (0 or -ENOMEM), complain. */
const char *conf_text(struct conf *c, const char *s, size_t len);
int conf_add(struct conf *c, const char *section, const char *key,
	     const char *value, const char *file, int line);
int conf_add_section(struct conf *c, const char *name, size_t len,
		     const char *file, int line);
void conf_verror(struct conf *c, const char *place, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

#endif
