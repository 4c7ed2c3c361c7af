/* SPDX-License-Identifier: MIT */
/* question.h - what makes two queries the same */
#ifndef QUESTION_H
#define QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msg.h"

struct question {
	uint64_t hash;
	uint16_t group; /* whose servers are asked */
	uint16_t len;
	uint8_t flags;               /* MSG_ASK_* */
	uint8_t bytes[MSG_QUESTION]; /* name in lower case, type, class */
};

/* The question of a message, read as m, that has one.  key is the secret of
 * the instance: apps choose names. */
void question_init(struct question *q, uint16_t group, const uint8_t *p,
		   const struct msg *m, const uint64_t key[2]);

bool question_equal(const struct question *a, const struct question *b);

static inline uint16_t question_type(const struct question *q)
{
	return msg_get16(q->bytes + q->len - 4);
}

#endif
