/* SPDX-License-Identifier: MIT */
/* dnsjoin.c - a question asked under another name, and its answer put together
 *
 *	www.example A  --aim-->  cdn.example A		the question that goes on
 *	www.example CNAME cdn.example  +  its answer  --join-->	what the app gets
 *
 * The answer is moved, so its compression pointers are written anew: those to
 * its question, whose name is now the rdata of the last CNAME, and those to
 * what came after.  Only in rdata of the types that may be compressed are
 * there any (RFC 3597, 4).
 */
#include <errno.h>
#include <string.h>

#include "dnsmsg.h"
#include "util.h"

#define POINTER_MAX 0x3fffu

/* Past a name without pointers, 0 if there is none. */
static size_t skip_plain(const uint8_t *p, size_t len, size_t at)
{
	size_t from = at;

	while (at < len && p[at] <= 63) {
		if (!p[at])
			return at + 1 - from <= DNSMSG_WIRE ? at + 1 : 0;
		at += 1u + p[at];
	}
	return 0;
}

/* The target of the CNAME that ends these records; NULL: they do not end in
 * one, or are broken. */
static const uint8_t *target_of(const struct dnsmsg_chain *c)
{
	const uint8_t *p = c->records;
	size_t at = 0, data = 0, type = 0;

	for (uint16_t i = 0; i < c->n; i++) {
		at = skip_plain(p, c->len, at);
		if (!at || at + 10 > c->len)
			return NULL;
		type = get_be16(p + at);
		data = at + 10;
		at = data + get_be16(p + at + 8);
		if (at > c->len)
			return NULL;
	}
	if (type != DNSMSG_CNAME || at != c->len ||
	    skip_plain(p, at, data) != at)
		return NULL;
	return p + data;
}

int dnsmsg_aim(uint8_t out[DNSMSG_AIMED], const void *query,
	       const struct dnsmsg *q, const struct dnsmsg_chain *c)
{
	const uint8_t *msg = query, *target = target_of(c);
	size_t name, at = DNSMSG_HEADER;

	if (!target || !q->question || c->len > DNSMSG_CHAIN)
		return -EINVAL;
	name = (size_t)(c->records + c->len - target);
	memcpy(out, msg, DNSMSG_HEADER);
	memcpy(out + at, target, name);
	at += name;
	memcpy(out + at, msg + DNSMSG_HEADER + q->question - 4, 4);
	at += 4;
	put_be16(out + 6, 0);
	put_be16(out + 8, 0);
	put_be16(out + 10, q->opt_len != 0);
	if (!q->opt_len)
		return (int)at;
	/* Without its options, which were about the other name. */
	memcpy(out + at, msg + q->opt_at, DNSMSG_OPT_BARE - 2);
	put_be16(out + at + DNSMSG_OPT_BARE - 2, 0);
	return (int)(at + DNSMSG_OPT_BARE);
}

/* ------------------------------------------------------------------- join */

struct move {
	uint8_t *out;
	size_t len;      /* of it */
	size_t name;     /* bytes of the question's name as it was */
	size_t target;   /* where that name is now */
	size_t from, to; /* what followed the question */
};

/* Where what was at *at is now.  False: out of a pointer's reach. */
static bool moved(const struct move *m, size_t *at)
{
	if (*at >= m->from)
		*at += m->to - m->from;
	else if (*at >= DNSMSG_HEADER && *at < DNSMSG_HEADER + m->name)
		*at += m->target - DNSMSG_HEADER;
	else
		return false;
	return *at <= POINTER_MAX;
}

/* The name at *at, and past it. */
static bool move_name(struct move *m, size_t *at, size_t end)
{
	size_t to;

	while (*at < end && m->out[*at] <= 63) {
		if (!m->out[*at]) {
			++*at;
			return true;
		}
		*at += 1u + m->out[*at];
	}
	if (*at + 2 > end)
		return false;
	to = get_be16(m->out + *at) & POINTER_MAX;
	if (!moved(m, &to))
		return false;
	put_be16(m->out + *at, (uint16_t)(0xc000 | to));
	*at += 2;
	return true;
}

/* How many names are in rdata, and after how many bytes they begin. */
static int names_in(uint16_t type, size_t *skip)
{
	*skip = 0;
	switch (type) {
	case 2:  /* NS */
	case 3:  /* MD */
	case 4:  /* MF */
	case 5:  /* CNAME */
	case 7:  /* MB */
	case 8:  /* MG */
	case 9:  /* MR */
	case 12: /* PTR */
	case 39: /* DNAME */
		return 1;
	case 6:  /* SOA */
	case 14: /* MINFO */
	case 17: /* RP */
		return 2;
	case 15: /* MX */
	case 18: /* AFSDB */
	case 21: /* RT */
		*skip = 2;
		return 1;
	case 33: /* SRV */
		*skip = 6;
		return 1;
	default:
		return 0;
	}
}

static bool move_record(struct move *m, size_t *at)
{
	size_t data, end, skip;
	int names;

	if (!move_name(m, at, m->len) || *at + 10 > m->len)
		return false;
	data = *at + 10;
	end = data + get_be16(m->out + *at + 8);
	names = names_in(get_be16(m->out + *at), &skip);
	if (end > m->len)
		return false;
	for (data += skip; names; names--)
		if (!move_name(m, &data, end))
			return false;
	*at = end;
	return true;
}

size_t dnsmsg_join(uint8_t *out, size_t cap, const void *query,
		   const struct dnsmsg *q, const struct dnsmsg_chain *c,
		   const void *reply, const struct dnsmsg *r)
{
	struct move m = {
		.out = out,
		.name = r->question - 4u,
		.from = DNSMSG_HEADER + r->question,
		.to = DNSMSG_HEADER + q->question + c->len,
	};
	uint32_t answers = (uint32_t)r->count[1] + c->n;
	uint32_t n = (uint32_t)r->count[1] + r->count[2] + r->count[3];
	struct dnsmsg check;
	size_t at = m.to;

	m.len = m.to + r->len - m.from;
	m.target = m.to - m.name;
	if (!r->question || m.len > cap || answers > UINT16_MAX)
		return 0;
	memcpy(out, reply, DNSMSG_HEADER);
	memcpy(out + DNSMSG_HEADER, (const uint8_t *)query + DNSMSG_HEADER,
	       q->question);
	memcpy(out + m.to - c->len, c->records, c->len);
	memcpy(out + m.to, (const uint8_t *)reply + m.from, r->len - m.from);
	/* Nobody signed the records before it, nor owns them. */
	put_be16(out + 2, r->flags & (uint16_t) ~(DNSMSG_AA | DNSMSG_AD));
	put_be16(out + 6, (uint16_t)answers);
	for (; n; n--)
		if (!move_record(&m, &at))
			return 0;
	return dnsmsg_parse(&check, out, m.len) ? 0 : m.len;
}
