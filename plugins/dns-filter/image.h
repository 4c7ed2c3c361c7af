/* SPDX-License-Identifier: MIT */
/* image.h - all rules, compiled: one piece of memory that is only read
 *
 *	head | index | entries | extras | addrs | patterns | lists | bad | blob
 *
 * A name is looked up by hash: the top `bits` of it choose a bucket, which
 * index[] leads to; the entries of a bucket are sorted by the next 48 bits.
 * With its name left out a rule takes 12 bytes, and any two names that can be
 * told apart by 48 + bits bits of hash are.
 *
 * An image may come from a file: image_open() believes nothing of it, and
 * nothing is read past its end, whatever it says.
 */
#ifndef DNS_FILTER_IMAGE_H
#define DNS_FILTER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "name.h"
#include "rule.h"

#define IMAGE_MAGIC   "sluicef1"
#define IMAGE_ORDER   0x01020304u
#define IMAGE_BITS    24u /* of the index, at most */
#define IMAGE_LISTS   1024u
#define IMAGE_LINES   (1u << 26)
#define IMAGE_RULES   (1u << 24)
#define IMAGE_GLOBS   8192u
#define IMAGE_REGEXES 1024u
#define IMAGE_BLOB    (1u << 28)
#define IMAGE_BAD     10u /* refused lines that are kept, of each list */

struct image_head {
	char magic[8];
	uint32_t order, bits;
	uint64_t size, sum; /* of the whole; of what follows the head */
	uint64_t key[2];    /* what it was made of */
	uint32_t entries, extras, addrs, patterns, lists, bad, blob;
	uint32_t rules, same, refused; /* lines; same: said before */
};

/* The flags of an entry: RULE_*, IMAGE_EXTRA, and the answer from bit 5 on. */
#define IMAGE_EXTRA     0x10u
#define IMAGE_ANSWER(f) ((f) >> 5 & 7)

struct image_entry {
	uint32_t w[3]; /* 48 bits of hash, 12 flags, 10 list, 26 line */
};

enum image_extra_kind {
	EXTRA_TYPES,     /* only these (uint16_t each) */
	EXTRA_NOT_TYPES, /* all but these */
	EXTRA_DENY,      /* not below these (uint64_t hashes) */
	EXTRA_GLOB,      /* names that match; arg: below */
	EXTRA_DATA,      /* what is answered; arg: its type */
};

struct image_extra {
	uint32_t entry; /* sorted by it */
	uint16_t kind, arg;
	uint32_t off, len; /* in the blob */
};

struct image_addr {
	uint8_t family, prefix, flags, answer;
	uint8_t ip[16];
	uint32_t list, line;
}; /* sorted by family, prefix, ip */

struct image_pattern { /* what no name leads to */
	uint8_t kind;  /* RULE_GLOB, RULE_REGEX */
	uint8_t flags; /* RULE_*; BELOW of a glob: at any label */
	uint16_t list;
	uint32_t line;
	uint32_t off, len;
};

#define LIST_ALLOW     0x1u
#define LIST_INLINE    0x2u /* rules of the configuration itself */
#define LIST_RECORDS   0x4u /* local records: they come before all rules */
#define LIST_RESOLVERS 0x8u /* its addresses are for flows, not for answers */

struct image_list {
	uint32_t path; /* in the blob */
	uint32_t lines, rules, refused, same;
	uint8_t answer, flags;
	uint16_t spare;
};

struct image_bad {
	uint32_t line;
	uint16_t list;
	uint16_t why; /* enum rule_why */
};

struct regexes; /* regex.c's */

struct image {
	const uint8_t *map;
	size_t size;
	const struct image_head *head;
	const uint32_t *index;
	const struct image_entry *entries;
	const struct image_extra *extras;
	const struct image_addr *addrs;
	const struct image_pattern *patterns;
	const struct image_list *lists;
	const struct image_bad *bad;
	const char *blob;
	uint32_t addr_at[2][130]; /* by family and prefix: where they begin */
	struct regexes *regexes;
};

/* Map what fd holds.  0, -EBADMSG: it is no image or a broken one, or
 * -errno; fd stays the caller's. */
int image_open(struct image *im, int fd);
void image_close(struct image *im);
/* A sum of memory, for the head and for keys. */
uint64_t image_sum(uint64_t seed, const void *p, size_t len);
const char *image_path(const struct image *im, uint32_t list);

/* What a name or an address matches best. */
struct match {
	uint8_t rank;   /* 0: nothing */
	uint8_t answer; /* enum answer, never LIST */
	uint16_t flags;
	uint32_t list, line;
	uint32_t entry;      /* of a name, with IMAGE_EXTRA in flags */
	const char *pattern; /* that matched, or NULL */
};

/* Precedence: the highest rank; of the same rank the longest name, and of the
 * same name the list named first. */
enum rank {
	RANK_NONE,
	RANK_BLOCK,
	RANK_ALLOW,
	RANK_BLOCK_IMPORTANT,
	RANK_ALLOW_IMPORTANT,
	RANK_BLOCK_INLINE,
	RANK_ALLOW_INLINE,
	RANK_RECORD,
};
static inline bool rank_allows(uint8_t rank)
{
	return rank && !(rank & 1);
}

/* Better than what m holds already, or left alone: images can be asked one
 * after the other. */
void image_match(const struct image *im, const struct name *n, uint16_t type,
		 struct match *m);
/* The same for an address; resolvers: of the lists that are of resolvers, or
 * of the others. */
void image_match_addr(const struct image *im, const uint8_t *ip, int family,
		      bool resolvers, struct match *m);
/* The records of m (ANSWER_DATA) of that type, or a CNAME, one a call from
 * *at = 0 on. */
bool image_data(const struct image *im, const struct match *m, uint16_t type,
		uint32_t *at, uint16_t *got, const uint8_t **data,
		uint32_t *len);

#endif
