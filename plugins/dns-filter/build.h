/* SPDX-License-Identifier: MIT */
/* build.h - rules, collected and compiled into an image */
#ifndef DNS_FILTER_BUILD_H
#define DNS_FILTER_BUILD_H

#include "image.h"

struct build_entry { /* sorted by both, as they are */
	uint64_t hash;
	uint64_t rest; /* 12 flags, 10 list, 26 line */
};

struct build_extra { /* of an entry with these; hash and rest find it */
	uint64_t hash, rest;
	uint16_t kind, arg;
	uint32_t off, len;
};

struct build_vec {
	void *v;
	size_t n, cap;
};

struct build {
	struct build_vec entries, extras, addrs, patterns, lists, bad, blob;
	uint32_t globs, regexes;
	uint32_t list, line; /* where the next rule stands */
	uint32_t refused;
	bool no_memory;
};

void build_init(struct build *b);
void build_fini(struct build *b);

/* Begin a list; what is added next is of it.  0, -E2BIG, -ENOMEM. */
int build_list(struct build *b, const char *path, enum answer answer,
	       unsigned int flags);
/* A rule at b->line: enum rule_why. */
int build_add(struct build *b, const struct rule *r);
/* The line at b->line is refused. */
void build_refuse(struct build *b, enum rule_why why);

/* All of it into fd, which is empty.  b is used up.  The same rules give the
 * same bytes.  0 or -errno. */
int build_write(struct build *b, int fd, const uint64_t key[2]);

#endif
