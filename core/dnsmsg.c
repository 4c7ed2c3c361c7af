/* SPDX-License-Identifier: MIT */
/* dnsmsg.c - DNS messages: read, checked, built, cut
 *
 * One function walks names, one walks records; all else stands on these two.
 * A pointer must point before the run of labels it ends, and the labels there
 * must end before it: a walk only ever goes backwards, and a loop cannot be
 * written down.
 */
#include "dnsmsg.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "util.h"

#define LABELS_MAX 127
#define RECORD_MIN 11u /* root, type, class, TTL, length */
#define OPT_EDE    15  /* RFC 8914, 2 */

struct record {
	size_t at, rdata, end;
	uint16_t type, klass;
	uint32_t ttl;
	uint16_t rdlen;
};

/* The name at `at`: its uncompressed length, written to wire unless that is
 * NULL; *end is where what follows it stands. */
static int name_walk(const uint8_t *msg, size_t len, size_t at, uint8_t *wire,
		     size_t *end)
{
	size_t floor = at, limit = len, n = 0;
	int labels = 0, jumps = 0;

	for (;;) {
		uint8_t c;

		if (at >= limit)
			return -EBADMSG;
		c = msg[at];
		if ((c & 0xc0) == 0xc0) {
			size_t to;

			if (at + 2 > limit || ++jumps > LABELS_MAX)
				return -EBADMSG;
			if (jumps == 1)
				*end = at + 2;
			to = get_be16(msg + at) & 0x3fff;
			if (to < DNSMSG_HEADER || to >= floor)
				return -EBADMSG;
			limit = floor;
			floor = at = to;
			continue;
		}
		if (c & 0xc0 || n + c + 1u > DNSMSG_WIRE || at + 1 + c > limit)
			return -EBADMSG;
		if (wire)
			memcpy(wire + n, msg + at, c + 1u);
		n += c + 1u;
		at += c + 1u;
		if (!c)
			break;
		if (++labels > LABELS_MAX)
			return -EBADMSG;
	}
	if (!jumps)
		*end = at;
	return (int)n;
}

static int record_read(const uint8_t *msg, size_t len, size_t at,
		       struct record *r)
{
	r->at = at;
	if (name_walk(msg, len, at, NULL, &at) < 0 || at + 10 > len)
		return -EBADMSG;
	r->type = get_be16(msg + at);
	r->klass = get_be16(msg + at + 2);
	r->ttl = get_be32(msg + at + 4);
	r->rdlen = get_be16(msg + at + 8);
	r->rdata = at + 10;
	r->end = r->rdata + r->rdlen;
	return r->end > len ? -EBADMSG : 0;
}

/* The options of an OPT record must fill it exactly (RFC 6891, 6.1.2). */
static bool opt_whole(const uint8_t *msg, const struct record *r)
{
	size_t at = r->rdata;

	while (at + 4 <= r->end)
		at += 4u + get_be16(msg + at + 2);
	return at == r->end;
}

static int opt_read(struct dnsmsg *m, const uint8_t *msg,
		    const struct record *r)
{
	if (m->opt_at || msg[r->at] != 0 || !opt_whole(msg, r))
		return -EBADMSG;
	m->opt_at = (uint16_t)r->at;
	m->opt_len = (uint16_t)(r->end - r->at);
	m->edns_size = r->klass;
	m->edns_version = (uint8_t)(r->ttl >> 16);
	m->dnssec_ok = r->ttl & 0x8000;
	return 0;
}

int dnsmsg_parse(struct dnsmsg *m, const void *p, size_t len)
{
	const uint8_t *msg = p;
	size_t at = DNSMSG_HEADER;

	memset(m, 0, sizeof(*m));
	if (len < DNSMSG_HEADER || len > DNSMSG_MAX)
		return -EBADMSG;
	m->id = get_be16(msg);
	m->flags = get_be16(msg + 2);
	for (int i = 0; i < 4; i++)
		m->count[i] = get_be16(msg + 4 + 2 * i);
	if (m->count[0] > 1)
		return -EBADMSG;
	if (m->count[0]) {
		if (name_walk(msg, len, at, NULL, &at) < 0 || at + 4 > len)
			return -EBADMSG;
		m->qtype = get_be16(msg + at);
		m->qclass = get_be16(msg + at + 2);
		at += 4;
		m->question = (uint16_t)(at - DNSMSG_HEADER);
	}
	if ((size_t)m->count[1] + m->count[2] + m->count[3] >
	    (len - at) / RECORD_MIN)
		return -EBADMSG;
	for (int s = 1; s < 4; s++) {
		for (int i = 0; i < m->count[s]; i++) {
			struct record r;

			if (record_read(msg, len, at, &r))
				return -EBADMSG;
			if (r.type == DNSMSG_OPT &&
			    (s != 3 || opt_read(m, msg, &r)))
				return -EBADMSG;
			at = r.end;
		}
	}
	m->len = (uint32_t)at;
	return 0;
}

static char *escape(char *o, uint8_t c)
{
	if (c <= ' ' || c >= 0x7f) {
		*o++ = '\\';
		*o++ = (char)('0' + c / 100);
		*o++ = (char)('0' + c / 10 % 10);
		*o++ = (char)('0' + c % 10);
		return o;
	}
	if (strchr(".\\\"();@$", c))
		*o++ = '\\';
	*o++ = (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
	return o;
}

int dnsmsg_name(const void *msg, size_t len, size_t at, char out[DNSMSG_TEXT])
{
	uint8_t wire[DNSMSG_WIRE];
	const uint8_t *w = wire;
	char *o = out;
	size_t end;

	if (name_walk(msg, len, at, wire, &end) < 0)
		return -EBADMSG;
	if (!*w)
		*o++ = '.';
	while (*w) {
		if (o != out)
			*o++ = '.';
		for (int n = *w++; n; n--)
			o = escape(o, *w++);
	}
	*o = '\0';
	return (int)(o - out);
}

/* One character of a name in zone-file form; how much of t it took, 0 if it
 * is none. */
static int unescape(const char *t, uint8_t *out)
{
	int n;

	*out = (uint8_t)t[0];
	if (t[0] != '\\')
		return 1;
	if (!isdigit((uint8_t)t[1])) {
		*out = (uint8_t)t[1];
		return t[1] ? 2 : 0;
	}
	if (!isdigit((uint8_t)t[2]) || !isdigit((uint8_t)t[3]))
		return 0;
	n = (t[1] - '0') * 100 + (t[2] - '0') * 10 + t[3] - '0';
	*out = (uint8_t)n;
	return n < 256 ? 4 : 0;
}

int dnsmsg_name_wire(const char *t, uint8_t out[DNSMSG_WIRE])
{
	size_t at = 0, label = 0; /* label: where its length goes */

	if (!strcmp(t, ".")) {
		out[0] = 0;
		return 1;
	}
	for (;;) {
		while (*t && *t != '.') {
			uint8_t c;
			int took = unescape(t, &c);

			if (!took || at - label >= 63 || at + 2 >= DNSMSG_WIRE)
				return -EINVAL;
			out[++at] = c;
			t += took;
		}
		if (at == label)
			return -EINVAL;
		out[label] = (uint8_t)(at - label);
		label = ++at;
		if (!*t || !*++t)
			break;
		if (at + 1 >= DNSMSG_WIRE)
			return -EINVAL;
	}
	out[at] = 0;
	return (int)at + 1;
}

/* Equal but for the case of letters.  Lengths of labels are below 'A'. */
static bool question_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	if (memcmp(a + len - 4, b + len - 4, 4))
		return false;
	for (size_t i = 0; i < len - 4; i++)
		if (a[i] != b[i] && tolower(a[i]) != tolower(b[i]))
			return false;
	return true;
}

bool dnsmsg_answers(const void *query, const struct dnsmsg *q,
		    const void *reply, const struct dnsmsg *r, uint16_t id)
{
	if (r->id != id || !(r->flags & DNSMSG_QR) ||
	    DNSMSG_OPCODE(r->flags) != DNSMSG_OPCODE(q->flags))
		return false;
	if (!r->question)
		return DNSMSG_RCODE(r->flags) && !r->count[1] && !r->count[2];
	return r->question == q->question &&
	       question_equal((const uint8_t *)query + DNSMSG_HEADER,
			      (const uint8_t *)reply + DNSMSG_HEADER,
			      q->question);
}

uint32_t dnsmsg_udp_size(const struct dnsmsg *q, int family, uint32_t mtu)
{
	uint32_t size = q->opt_len ? q->edns_size : DNSMSG_SMALL;
	uint32_t head = family == 6 ? 48 : 28;

	size = MIN(size, DNSMSG_EDNS);
	if (size + head > mtu)
		size = mtu > head ? mtu - head : 0;
	return MAX(size, DNSMSG_SMALL);
}

void dnsmsg_addrs_init(struct dnsmsg_addrs *w, const void *p, size_t len)
{
	const uint8_t *msg = p;
	uint16_t flags;
	size_t at;

	*w = (struct dnsmsg_addrs){ .msg = msg, .len = len };
	if (len < DNSMSG_HEADER || get_be16(msg + 4) != 1)
		return;
	flags = get_be16(msg + 2);
	if (!(flags & DNSMSG_QR) || DNSMSG_RCODE(flags) ||
	    name_walk(msg, len, DNSMSG_HEADER, NULL, &at) < 0 || at + 4 > len)
		return;
	w->qtype = get_be16(msg + at);
	w->at = at + 4;
	if (w->qtype == DNSMSG_A || w->qtype == DNSMSG_AAAA ||
	    w->qtype == DNSMSG_ANY)
		w->left = get_be16(msg + 6);
}

static bool is_address(const struct record *r, uint16_t qtype)
{
	if (r->klass != DNSMSG_IN || (r->type != qtype && qtype != DNSMSG_ANY))
		return false;
	return (r->type == DNSMSG_A && r->rdlen == 4) ||
	       (r->type == DNSMSG_AAAA && r->rdlen == 16);
}

bool dnsmsg_addrs_next(struct dnsmsg_addrs *w, struct sluice_addr *a,
		       uint32_t *ttl)
{
	struct record r;

	for (; w->left; w->left--) {
		if (record_read(w->msg, w->len, w->at, &r)) {
			w->left = 0;
			return false;
		}
		w->at = r.end;
		if (!is_address(&r, w->qtype))
			continue;
		*a = (struct sluice_addr){ .family = r.rdlen == 4 ? 4 : 6 };
		memcpy(a->ip, w->msg + r.rdata, r.rdlen);
		*ttl = r.ttl > INT32_MAX ? 0 : r.ttl; /* RFC 2181, 8 */
		w->left--;
		return true;
	}
	return false;
}

static size_t make_address(uint8_t *out, size_t room,
			   const struct sluice_addr *a, uint32_t ttl)
{
	size_t ip = a->family == 4 ? 4 : 16;

	if (room < 12 + ip)
		return 0;
	put_be16(out, 0xc000 | DNSMSG_HEADER);
	put_be16(out + 2, a->family == 4 ? DNSMSG_A : DNSMSG_AAAA);
	put_be16(out + 4, DNSMSG_IN);
	put_be32(out + 6, ttl);
	put_be16(out + 10, (uint16_t)ip);
	memcpy(out + 12, a->ip, ip);
	return 12 + ip;
}

/* Without an SOA a "no" is not kept (RFC 2308, 5), and the app would ask
 * again for each connection.  It is the question's own, with no names in it
 * that somebody might look up. */
static size_t make_soa(uint8_t *out, size_t room, uint32_t ttl)
{
	if (room < 34)
		return 0;
	memset(out, 0, 34);
	put_be16(out, 0xc000 | DNSMSG_HEADER);
	put_be16(out + 2, DNSMSG_SOA);
	put_be16(out + 4, DNSMSG_IN);
	put_be32(out + 6, ttl);
	put_be16(out + 10, 22);   /* two roots, five numbers */
	put_be32(out + 14, 1);    /* serial */
	put_be32(out + 18, 3600); /* refresh, retry, expire */
	put_be32(out + 22, 600);
	put_be32(out + 26, 86400);
	put_be32(out + 30, ttl); /* of a "no" */
	return 34;
}

static size_t make_opt(uint8_t *out, size_t room, const struct dnsmsg *q,
		       const struct dnsmsg_answer *a)
{
	size_t text = a->text ? strnlen(a->text, 64) : 0;
	size_t ede = a->ede != DNSMSG_EDE_NONE ? 6 + text : 0;

	if (room < RECORD_MIN + ede)
		return 0;
	memset(out, 0, RECORD_MIN);
	put_be16(out + 1, DNSMSG_OPT);
	put_be16(out + 3, DNSMSG_EDNS);
	put_be16(out + 7, q->dnssec_ok ? 0x8000 : 0);
	put_be16(out + 9, (uint16_t)ede);
	if (ede) {
		put_be16(out + 11, OPT_EDE);
		put_be16(out + 13, (uint16_t)(2 + text));
		put_be16(out + 15, (uint16_t)a->ede);
		if (text)
			memcpy(out + 17, a->text, text);
	}
	return RECORD_MIN + ede;
}

static bool wants_address(const struct dnsmsg *q, const struct sluice_addr *a)
{
	if (q->qclass != DNSMSG_IN && q->qclass != DNSMSG_ANY)
		return false;
	switch (q->qtype) {
	case DNSMSG_A:
		return a->family == 4;
	case DNSMSG_AAAA:
		return a->family == 6;
	case DNSMSG_ANY:
		return a->family == 4 || a->family == 6;
	default:
		return false;
	}
}

size_t dnsmsg_make(uint8_t *out, size_t cap, const void *query,
		   const struct dnsmsg *q, const struct dnsmsg_answer *a)
{
	size_t at = DNSMSG_HEADER + q->question, n;
	uint16_t count[4] = { q->question != 0, 0, 0, 0 };

	if (cap < at + RECORD_MIN)
		return 0;
	memcpy(out, query, at);
	if (a->records_n) {
		if (cap - at < a->records_len)
			return 0;
		memcpy(out + at, a->records, a->records_len);
		at += a->records_len;
		count[1] = a->records_n;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (!wants_address(q, &a->addr[i]))
			continue;
		n = make_address(out + at, cap - at, &a->addr[i], a->ttl);
		if (!n)
			return 0;
		at += n;
		count[1]++;
	}
	if (a->soa && q->question && !count[1]) {
		n = make_soa(out + at, cap - at, a->ttl);
		if (!n)
			return 0;
		at += n;
		count[2] = 1;
	}
	if (q->opt_len) {
		n = make_opt(out + at, cap - at, q, a);
		if (!n)
			return 0;
		at += n;
		count[3] = 1;
	}
	put_be16(out + 2,
		 (uint16_t)(DNSMSG_QR | DNSMSG_RA | (a->tc ? DNSMSG_TC : 0) |
			    a->rcode |
			    (q->flags & (0x7800 | DNSMSG_RD | DNSMSG_CD))));
	for (int i = 0; i < 4; i++)
		put_be16(out + 4 + 2 * i, count[i]);
	return at;
}

int dnsmsg_adopt(uint8_t *msg, const struct dnsmsg *m, const void *query,
		 const struct dnsmsg *q)
{
	uint16_t keep = 0x7800 | DNSMSG_RD; /* the query's opcode and RD */

	/* Other names of this length are no good either: pointers may lead
	 * into the middle of this one. */
	if (m->question != q->question ||
	    (q->question &&
	     !question_equal(msg + DNSMSG_HEADER,
			     (const uint8_t *)query + DNSMSG_HEADER,
			     q->question)))
		return -EBADMSG;
	put_be16(msg, q->id);
	put_be16(msg + 2, (uint16_t)(DNSMSG_QR | (m->flags & ~keep) |
				     (q->flags & keep)));
	memcpy(msg + DNSMSG_HEADER, (const uint8_t *)query + DNSMSG_HEADER,
	       q->question);
	return 0;
}

/* The OPT record without its options, where these alone would not fit. */
static void opt_strip(uint8_t *msg, struct dnsmsg *m)
{
	put_be16(msg + m->opt_at + 9, 0);
	m->opt_len = RECORD_MIN;
}

size_t dnsmsg_cut(uint8_t *msg, size_t len, size_t max)
{
	uint16_t kept[4] = { 0 };
	struct dnsmsg m;
	struct record r;
	size_t end, at, opt;

	if (dnsmsg_parse(&m, msg, len))
		return 0;
	if (m.len <= max)
		return m.len;
	kept[0] = m.count[0];
	end = at = DNSMSG_HEADER + m.question;
	len = m.len;
	if (m.opt_len && end + m.opt_len > max) {
		opt = m.opt_at + m.opt_len; /* its true end, for the walk */
		opt_strip(msg, &m);
		memmove(msg + m.opt_at + m.opt_len, msg + opt, len - opt);
		len -= opt - (m.opt_at + m.opt_len);
	}
	opt = m.opt_len; /* bytes to leave for it */
	for (int s = 1; s < 4; s++) {
		for (int i = 0; i < m.count[s]; i++) {
			if (record_read(msg, len, at, &r))
				goto full;
			at = r.end;
			if (r.type == DNSMSG_OPT)
				opt = 0;
			if (r.end + opt > max)
				goto full;
			end = r.end;
			kept[s]++;
		}
	}
full:
	if (opt) {
		memmove(msg + end, msg + m.opt_at, opt);
		end += opt;
		kept[3]++;
	}
	put_be16(msg + 2, (uint16_t)(m.flags | DNSMSG_TC));
	for (int i = 0; i < 4; i++)
		put_be16(msg + 4 + 2 * i, kept[i]);
	return end;
}
