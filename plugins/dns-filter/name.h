/* SPDX-License-Identifier: MIT */
/* name.h - domain names and what they hash to, suffix by suffix
 *
 * A name is text as in struct sluice_query_info: lower case, no final dot,
 * zone-file escapes.  Hashes are 64 bits, the same on every run: images of
 * lists are kept in files.
 */
#ifndef DNS_FILTER_NAME_H
#define DNS_FILTER_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_LABELS 127 /* RFC 1035, 2.3.4: 255 bytes */
#define NAME_TEXT   1009

/* A name taken apart: hash[0] is that of all of it, hash[n - 1] that of its
 * last label, and at[i] is where that suffix begins in text. */
struct name {
	const char *text;
	unsigned int n;
	uint16_t at[NAME_LABELS];
	uint64_t hash[NAME_LABELS];
};

/* False: it is the root, or no name. */
bool name_split(struct name *n, const char *text);
/* The hash of a name without escapes, as name_split() would give it. */
uint64_t name_hash(const char *text, size_t len);

/* A host name as lists have it, lower case and without its final dot: letters,
 * digits, hyphens, underscores, labels of 1 to 63 bytes, 253 in all.  Written
 * to out, with a NUL; its length, or 0 if it is none. */
#define NAME_HOST 254
size_t name_host(char out[NAME_HOST], const char *text, size_t len);
/* The same with "*" among the letters. */
size_t name_pattern(char out[NAME_HOST], const char *text, size_t len);

/* Does the name match a pattern?  "*" stands for any bytes, none and dots
 * too.  below: at the start of any label will do, not of the name only. */
bool name_matches(const struct name *n, const char *pattern, bool below);

/* A name without escapes in wire form; its length, or 0. */
size_t name_wire(uint8_t out[255], const char *text);

#endif
