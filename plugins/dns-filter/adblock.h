/* SPDX-License-Identifier: MIT */
/* adblock.h - rules in the style of AdBlock: ||name^, @@, $important ... */
#ifndef DNS_FILTER_ADBLOCK_H
#define DNS_FILTER_ADBLOCK_H

#include "rule.h"

enum rule_why adblock_read(struct rule_reader *r, char *line);
/* A name with stars in it, flags as for a name without. */
enum rule_why adblock_pattern(struct rule_reader *r, const char *text,
			      size_t len, uint16_t flags);

#endif
