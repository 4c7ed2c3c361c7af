/* SPDX-License-Identifier: MIT */
/* special.h - names that are special, whatever lists say */
#ifndef DNS_FILTER_SPECIAL_H
#define DNS_FILTER_SPECIAL_H

#include "name.h"

enum special_kind {
	SPECIAL_NONE,
	SPECIAL_CANARY,  /* must not exist, or apps go round the filter */
	SPECIAL_DDR,     /* the same, by having no data */
	SPECIAL_LOCAL,   /* this host */
	SPECIAL_NOWHERE, /* in no public DNS: the question is not to leave */
};

#define SPECIAL_NAMES 64

struct special {
	uint64_t hash[SPECIAL_NAMES];
	uint8_t depth[SPECIAL_NAMES]; /* labels */
	uint8_t kind[SPECIAL_NAMES];
	unsigned int n;
};

void special_init(struct special *s);
enum special_kind special_find(const struct special *s, const struct name *n);

#endif
