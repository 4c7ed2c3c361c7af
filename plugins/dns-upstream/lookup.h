/* SPDX-License-Identifier: MIT */
/* lookup.h - where servers with a name are */
#ifndef LOOKUP_H
#define LOOKUP_H

#include "ask.h"

/* Have the addresses of s asked for, unless they are known or that is under
 * way.  What waits for them is told by stream_found(). */
void lookup_begin(struct upstream *up, struct server *s);
/* From its asks: an answer, and the end of one with or without it. */
void lookup_answer(struct server *s, const uint8_t *msg, size_t len);
void lookup_end(struct upstream *up, struct server *s);

#endif
