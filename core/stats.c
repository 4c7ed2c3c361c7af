/* SPDX-License-Identifier: MIT */
/* stats.c - the table of counters
 *
 * Everything is in stats.h; this is its list as data, in the order of the
 * numbers.
 */
#include "stats.h"

enum { KIND_C = 'C', KIND_G = 'G' };

const struct stats_desc stats_desc[STATS_COUNT] = {
#define X(name, kind, help) { #name, help, KIND_##kind },
	STATS(X)
#undef X
};
