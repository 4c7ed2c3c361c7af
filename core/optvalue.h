/* SPDX-License-Identifier: MIT */
/* optvalue.h - one value of an option: text to field and back
 *
 * Pure.  Lists and strings are not taken apart here, since they need memory:
 * options.c does.
 */
#ifndef CORE_OPTVALUE_H
#define CORE_OPTVALUE_H

#include <stddef.h>

#include <sluice/plugin.h>

#define OPTVALUE_TEXT 128 /* any number, time, address or word */

/* Bytes and alignment of a field; 0 for a type that is not known. */
size_t optvalue_size(uint32_t type);
size_t optvalue_align(uint32_t type);
/* "number", "time" ... for people. */
const char *optvalue_type(uint32_t type);

/* Any type but STR and LIST.  0, or -EINVAL with the reason in why, made to
 * be read after "key: ". */
int optvalue_parse(const struct sluice_option *o, const char *text, void *field,
		   char *why, size_t why_len);
/* The same as text, in the fewest letters; gives buf. */
char *optvalue_text(const struct sluice_option *o, const void *field, char *buf,
		    size_t len);

/* The i-th word of an ENUM's help, or NULL: into buf, given back. */
char *optvalue_word(const struct sluice_option *o, int64_t i, char *buf,
		    size_t len);
/* All of them, as "late, early"; and what comes after the colon. */
char *optvalue_words(const struct sluice_option *o, char *buf, size_t len);
const char *optvalue_help(const struct sluice_option *o);

#endif
