/* SPDX-License-Identifier: MIT */
/* question.c - what makes two queries the same
 *
 * The name but for its letters' case, type, class, the bits that change an
 * answer (RD, CD, DO), and whose servers are asked.  The hash is SipHash-2-4:
 * apps choose names, and must not be able to choose buckets.
 */
#include "question.h"

#include <ctype.h>
#include <string.h>

#define ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = ROTL(v[1], 13) ^ v[0];
	v[0] = ROTL(v[0], 32);
	v[2] += v[3];
	v[3] = ROTL(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = ROTL(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = ROTL(v[1], 17) ^ v[2];
	v[2] = ROTL(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
}

static uint64_t siphash(const uint64_t key[2], const uint8_t *p, size_t len,
			uint64_t first)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575ull,
			  key[1] ^ 0x646f72616e646f6dull,
			  key[0] ^ 0x6c7967656e657261ull,
			  key[1] ^ 0x7465646279746573ull };
	uint64_t m;
	size_t at = 0;

	sip_word(v, first);
	for (; at + 8 <= len; at += 8) {
		memcpy(&m, p + at, 8);
		sip_word(v, m);
	}
	m = (uint64_t)(len + 8) << 56;
	for (int i = 0; at < len; i += 8)
		m |= (uint64_t)p[at++] << i;
	sip_word(v, m);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void question_init(struct question *q, uint16_t group, const uint8_t *p,
		   const struct msg *m, const uint64_t key[2])
{
	q->group = group;
	q->len = m->question;
	q->flags = (uint8_t)msg_ask_flags(p, m);
	for (size_t i = 0; i < q->len - 4u; i++)
		q->bytes[i] = (uint8_t)tolower(p[MSG_HEADER + i]);
	memcpy(q->bytes + q->len - 4, p + MSG_HEADER + q->len - 4, 4);
	q->hash = siphash(key, q->bytes, q->len,
			  (uint64_t)q->group << 8 | q->flags);
}

bool question_equal(const struct question *a, const struct question *b)
{
	return a->hash == b->hash && a->group == b->group &&
	       a->flags == b->flags && a->len == b->len &&
	       !memcmp(a->bytes, b->bytes, a->len);
}
