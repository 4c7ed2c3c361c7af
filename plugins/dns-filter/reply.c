/* SPDX-License-Identifier: MIT */
/* reply.c - answers on their way back
 *
 * A name that is not on a list may lead to one that is (CNAME, DNAME, SVCB and
 * HTTPS targets), or to an address that is, or to one of our own network that
 * a name of the outside has no business with.  The whole answer is then
 * replaced: half of it would be of no use.
 *
 * Who allowed the name asked for, or gave it a CNAME, meant what it leads to as
 * well.
 */
#include <stdio.h>
#include <string.h>

#include "filter.h"
#include "message.h"

enum {
	TYPE_A = 1,
	TYPE_CNAME = 5,
	TYPE_AAAA = 28,
	TYPE_DNAME = 39,
	TYPE_SVCB = 64,
	TYPE_HTTPS = 65
};
enum { SVCB_IPV4HINT = 4, SVCB_ECH = 5, SVCB_IPV6HINT = 6 };
enum { EDE_FILTERED = 17 };

struct check {
	struct filter *f;
	struct sluice_query *q;
	struct message m;
	bool allowed; /* by a rule: not looked into */
	bool may_be_private;
	bool strip; /* there is something to take out */
	char found[NAME_TEXT];
	int verdict;
};

/* ------------------------------------------------------------- addresses */

static bool is_private4(const uint8_t *ip)
{
	return ip[0] == 10 || ip[0] == 127 || ip[0] == 0 ||
	       (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
	       (ip[0] == 192 && ip[1] == 168) ||
	       (ip[0] == 169 && ip[1] == 254) ||
	       (ip[0] == 100 && (ip[1] & 0xc0) == 64); /* RFC 6598 */
}

/* The address of IPv4 that one of IPv6 leads to, or NULL. */
static const uint8_t *inside_of(const uint8_t *ip)
{
	static const struct {
		uint8_t bytes[12], n, at;
	} forms[] = {
		{ { 0 }, 12, 12 },                        /* compatible */
		{ { [10] = 0xff, [11] = 0xff }, 12, 12 }, /* mapped */
		{ { 0, 0x64, 0xff, 0x9b }, 12, 12 },      /* RFC 6052 */
		{ { 0, 0x64, 0xff, 0x9b, 0, 1 }, 6, 12 }, /* RFC 8215 */
		{ { 0x20, 0x02 }, 2, 2 },                 /* 6to4 */
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (!memcmp(ip, forms[i].bytes, forms[i].n))
			return ip + forms[i].at;
	return NULL;
}

static bool is_private6(const uint8_t *ip)
{
	const uint8_t *four = inside_of(ip);

	if (four)
		return is_private4(four); /* :: and ::1 too */
	return (ip[0] & 0xfe) == 0xfc || (ip[0] == 0xfe && ip[1] >= 0x80);
}

static void addr_text(const uint8_t *ip, int family, char *out, size_t len)
{
	if (family == 4)
		snprintf(out, len, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
	else
		snprintf(out, len, "%x:%x:%x:%x:%x:%x:%x:%x", message_u16(ip),
			 message_u16(ip + 2), message_u16(ip + 4),
			 message_u16(ip + 6), message_u16(ip + 8),
			 message_u16(ip + 10), message_u16(ip + 12),
			 message_u16(ip + 14));
}

/* True: the verdict is there. */
static bool check_address(struct check *c, const uint8_t *ip, int family)
{
	struct match m = { .rank = RANK_NONE };
	struct filter *f = c->f;

	if (c->allowed)
		return false;
	image_match_addr(&f->image, ip, family, false, &m);
	if (m.rank && !rank_allows(m.rank)) {
		f->counts.addresses++;
		addr_text(ip, family, c->found, sizeof(c->found));
		c->verdict = answer_match(f, c->q, &m, c->found);
		return c->verdict != SLUICE_PASS;
	}
	if (m.rank || !f->options->rebind || c->may_be_private ||
	    !(family == 4 ? is_private4(ip) : is_private6(ip)))
		return false;
	f->counts.rebound++;
	addr_text(ip, family, c->found, sizeof(c->found));
	c->verdict = answer_negative(f, c->q, false, EDE_FILTERED,
				     "private address", c->found);
	return true;
}

/* ------------------------------------------------------------------- names */

static bool check_name(struct check *c, size_t at, size_t *end)
{
	struct match m = { .rank = RANK_NONE };
	struct name n;

	if (c->allowed || !message_name(c->m.p, c->m.len, at, c->found, end) ||
	    !name_split(&n, c->found))
		return false;
	image_match(&c->f->image, &n, sluice_query_info(c->q)->qtype, &m);
	if (!m.rank || rank_allows(m.rank) || m.rank == RANK_RECORD)
		return false;
	c->f->counts.cloaked++;
	c->verdict = answer_match(c->f, c->q, &m, c->found);
	return c->verdict != SLUICE_PASS;
}

static bool check_hints(struct check *c, const uint8_t *p, size_t len,
			int family)
{
	size_t size = family == 4 ? 4 : 16;

	for (; len >= size; len -= size, p += size)
		if (check_address(c, p, family))
			return true;
	return false;
}

/* Priority, target, and parameters: key, length, value. */
static bool check_svcb(struct check *c)
{
	const uint8_t *p = c->m.p;
	size_t at, end = c->m.data + c->m.data_len;

	if (c->m.data_len < 3 || check_name(c, c->m.data + 2, &at))
		return c->verdict != SLUICE_PASS;
	if (!message_name(p, end, c->m.data + 2, c->found, &at))
		return false;
	while (at + 4 <= end) {
		uint16_t key = message_u16(p + at);
		size_t len = message_u16(p + at + 2);

		at += 4;
		if (at + len > end)
			return false;
		if (svcb_goes(c->f, key))
			c->strip = true;
		else if (key == SVCB_IPV4HINT && check_hints(c, p + at, len, 4))
			return true;
		else if (key == SVCB_IPV6HINT && check_hints(c, p + at, len, 6))
			return true;
		at += len;
	}
	return false;
}

bool svcb_goes(const struct filter *f, uint16_t key)
{
	const struct options *o = f->options;

	return (key == SVCB_ECH && o->ech) ||
	       (key == SVCB_IPV4HINT && o->ipv4hint) ||
	       (key == SVCB_IPV6HINT && (o->ipv6hint || o->aaaa));
}

static bool check_record(struct check *c)
{
	const uint8_t *data = c->m.p + c->m.data;
	size_t end;

	switch (c->m.type) {
	case TYPE_A:
		return c->m.data_len == 4 && check_address(c, data, 4);
	case TYPE_AAAA:
		return c->m.data_len == 16 && check_address(c, data, 6);
	case TYPE_CNAME:
	case TYPE_DNAME:
		return c->m.section == 0 && check_name(c, c->m.data, &end);
	case TYPE_SVCB:
	case TYPE_HTTPS:
		return check_svcb(c);
	default:
		return false;
	}
}

static bool is_rebind_name(const struct filter *f, const struct name *n)
{
	for (size_t i = 0; i < f->n_rebind; i++)
		for (unsigned int s = 0; s < n->n; s++)
			if (n->hash[s] == f->rebind[i])
				return true;
	return false;
}

static int take_out(struct check *c, const uint8_t *msg, size_t len)
{
	size_t n = svcb_strip(c->f, msg, len);

	if (!n || sluice_answer(c->q, c->f->scratch, n))
		return SLUICE_PASS;
	c->f->counts.stripped++;
	return SLUICE_TAKE;
}

int filter_reply(void *self, struct sluice_query *q, const uint8_t *msg,
		 size_t len)
{
	const struct sluice_query_info *i = sluice_query_info(q);
	struct match m = { .rank = RANK_NONE };
	struct check c = { .f = self, .q = q };
	struct name asked;

	if (!filter_is_class(i->qclass) || !filter_is_ours(c.f, &i->app) ||
	    !name_split(&asked, i->name) || !message_init(&c.m, msg, len))
		return SLUICE_PASS;
	c.f->counts.answers++;
	image_match(&c.f->image, &asked, i->qtype, &m);
	c.allowed = rank_allows(m.rank) || (m.rank && m.answer == ANSWER_DATA);
	c.may_be_private = is_rebind_name(c.f, &asked);
	while (message_next(&c.m))
		if (check_record(&c))
			return c.verdict;
	return c.strip ? take_out(&c, msg, len) : SLUICE_PASS;
}
