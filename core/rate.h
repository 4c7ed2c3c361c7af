/* SPDX-License-Identifier: MIT */
/* rate.h - so many a second, and so many at once: a token bucket
 *
 * Time is given, in ms.  A zeroed one fills up with the first question, if
 * the clock is not at its beginning.
 */
#ifndef CORE_RATE_H
#define CORE_RATE_H

#include "util.h"

struct rate {
	uint32_t tokens;
	uint64_t at;
};

/* Is there one more?  Then it is taken. */
static inline bool rate_take(struct rate *r, uint64_t now, uint32_t a_second,
			     uint32_t at_once)
{
	uint64_t more = (now - r->at) * a_second / 1000;

	if (more) {
		r->tokens = (uint32_t)MIN(r->tokens + more, at_once);
		r->at = now;
	}
	if (!r->tokens)
		return false;
	r->tokens--;
	return true;
}

/* What was taken was not used.  More than fits is lost when asked next. */
static inline void rate_give(struct rate *r)
{
	r->tokens++;
}

#endif
