/* SPDX-License-Identifier: MIT */
/* msg.c - DNS messages, as far as dns-upstream has to know them
 *
 * Two walks, past a name and past a record, carry all else.  Both only go
 * forward and never past the end, whatever a server sends.
 *
 * EDNS is between neighbours (RFC 6891, 6): what an app and we have agreed is
 * not what we and a server have.  So queries are made anew from their
 * question, and answers are kept without OPT; each app gets one of its own.
 */
#include "msg.h"

#include <ctype.h>
#include <string.h>

#include <sluice/plugin.h>

#define RECORD_MIN 11u /* root, type, class, TTL, length */
#define OPT_ECS    8
#define OPT_PAD    12
#define OPT_EDE    15
#define PAD_TO     128u
#define DO_BIT     0x8000u

struct record {
	size_t at, rdata, end;
	uint16_t type, klass;
	uint32_t ttl;
};

/* Past the name at `at`; 0: it does not end. */
static size_t name_end(const uint8_t *p, size_t len, size_t at)
{
	size_t start = at;

	while (at < len && at - start < 255) {
		uint8_t c = p[at];

		if (!c)
			return at + 1;
		if ((c & 0xc0) == 0xc0)
			return at + 2 <= len ? at + 2 : 0;
		if (c & 0xc0)
			return 0;
		at += c + 1u;
	}
	return 0;
}

static bool record_read(const uint8_t *p, size_t len, size_t at,
			struct record *r)
{
	size_t end = name_end(p, len, at);

	if (!end || len - end < 10)
		return false;
	r->at = at;
	r->type = msg_get16(p + end);
	r->klass = msg_get16(p + end + 2);
	r->ttl = msg_get32(p + end + 4);
	r->rdata = end + 10;
	r->end = r->rdata + msg_get16(p + end + 8);
	return r->end <= len;
}

static bool opt_read(struct msg *m, const uint8_t *p, const struct record *r,
		     int nth)
{
	if (m->opt_at || p[r->at])
		return false;
	m->opt_at = (uint16_t)r->at;
	m->opt_len = (uint16_t)(r->end - r->rdata);
	m->before_opt = (uint16_t)nth;
	m->ext_rcode = (uint8_t)(r->ttl >> 24);
	m->dnssec_ok = r->ttl & DO_BIT;
	return true;
}

bool msg_read(struct msg *m, const uint8_t *p, size_t len)
{
	size_t at = MSG_HEADER;
	struct record r;

	memset(m, 0, sizeof(*m));
	if (len < MSG_HEADER || len > MSG_MAX)
		return false;
	for (int i = 0; i < 4; i++)
		m->count[i] = msg_get16(p + 4 + 2 * i);
	if (m->count[0] > 1)
		return false;
	if (m->count[0]) {
		at = name_end(p, len, at);
		if (!at || len - at < 4)
			return false;
		m->qtype = msg_get16(p + at);
		m->qclass = msg_get16(p + at + 2);
		at += 4;
		m->question = (uint16_t)(at - MSG_HEADER);
	}
	if ((size_t)m->count[1] + m->count[2] + m->count[3] >
	    (len - at) / RECORD_MIN)
		return false;
	for (int s = 1; s < 4; s++) {
		for (int i = 0; i < m->count[s]; i++) {
			if (!record_read(p, len, at, &r))
				return false;
			if (r.type == MSG_OPT &&
			    (s != 3 || !opt_read(m, p, &r, i)))
				return false;
			at = r.end;
		}
	}
	m->len = at;
	return true;
}

bool msg_answers(const uint8_t *p, const struct msg *m, const uint8_t *question,
		 size_t len)
{
	if ((p[2] & 0xf8) != 0x80)
		return false;
	if (!m->question)
		return MSG_RCODE(p) && !m->count[1] && !m->count[2];
	if (m->question != len ||
	    memcmp(p + MSG_HEADER + len - 4, question + len - 4, 4) != 0)
		return false;
	/* Lengths of labels are no letters. */
	for (size_t i = 0; i < len - 4; i++)
		if (tolower(p[MSG_HEADER + i]) != tolower(question[i]))
			return false;
	return true;
}

unsigned int msg_ask_flags(const uint8_t *p, const struct msg *m)
{
	return (MSG_RD(p) ? MSG_ASK_RD : 0) | (MSG_CD(p) ? MSG_ASK_CD : 0) |
	       (m->dnssec_ok ? MSG_ASK_DO : 0);
}

/* The option with this code, its code and length first; NULL: there is none
 * that is whole. */
static const uint8_t *option(const uint8_t *p, const struct msg *m,
			     uint16_t code, size_t *len)
{
	const uint8_t *at = p + m->opt_at + RECORD_MIN;
	size_t left = m->opt_at ? m->opt_len : 0;

	while (left >= 4) {
		*len = 4u + msg_get16(at + 2);
		if (*len > left)
			return NULL;
		if (msg_get16(at) == code)
			return at;
		at += *len;
		left -= *len;
	}
	return NULL;
}

const uint8_t *msg_ecs(const uint8_t *p, const struct msg *m, size_t *len)
{
	const uint8_t *o = option(p, m, OPT_ECS, len);

	return o && *len <= 4 + 20 ? o : NULL; /* family, lengths, address */
}

/* The OPT record, without options. */
static size_t put_opt(uint8_t *out, bool dnssec_ok, uint8_t ext_rcode)
{
	memset(out, 0, RECORD_MIN);
	msg_put16(out + 1, MSG_OPT);
	msg_put16(out + 3, MSG_EDNS);
	out[5] = ext_rcode;
	if (dnssec_ok)
		msg_put16(out + 7, DO_BIT);
	return RECORD_MIN;
}

/* AD asks for AD in the answer (RFC 6840, 5.7): kept for those who want it. */
size_t msg_query(uint8_t out[MSG_QUERY], const struct msg_query *q)
{
	size_t at = MSG_HEADER + q->question_len, opt = at, pad;

	memset(out, 0, MSG_HEADER);
	msg_put16(out, q->id);
	out[2] = q->flags & MSG_ASK_RD ? 0x01 : 0;
	out[3] = 0x20 | (q->flags & MSG_ASK_CD ? 0x10 : 0);
	out[5] = 1;
	memcpy(out + MSG_HEADER, q->question, q->question_len);
	if (!q->edns)
		return at;
	out[11] = 1;
	at += put_opt(out + at, q->flags & MSG_ASK_DO, 0);
	if (q->ecs) {
		memcpy(out + at, q->ecs, q->ecs_len);
		at += q->ecs_len;
	}
	if (q->pad) {
		pad = (PAD_TO - (at + 4) % PAD_TO) % PAD_TO;
		msg_put16(out + at, OPT_PAD);
		msg_put16(out + at + 2, (uint32_t)pad);
		memset(out + at + 4, 0, pad);
		at += 4 + pad;
	}
	msg_put16(out + opt + 9, (uint32_t)(at - opt - RECORD_MIN));
	return at;
}

void msg_strip(uint8_t *p, const struct msg *m, struct msg_answer *a)
{
	size_t len;
	const uint8_t *ede = option(p, m, OPT_EDE, &len);

	a->p = p;
	a->len = m->opt_at ? m->opt_at : m->len;
	a->ext_rcode = m->ext_rcode;
	a->ede_len = 0;
	if (m->opt_at)
		msg_put16(p + 10, m->before_opt);
	if (!ede || len < 6)
		return;
	len -= 4;
	a->ede_len = (uint8_t)(len < MSG_EDE ? len : MSG_EDE);
	memcpy(a->ede, ede + 4, a->ede_len);
}

void msg_set_ede(struct msg_answer *a, int code, const char *text)
{
	size_t len = strlen(text);

	if (len > MSG_EDE - 2)
		len = MSG_EDE - 2;
	msg_put16(a->ede, (uint32_t)code);
	memcpy(a->ede + 2, text, len);
	a->ede_len = (uint8_t)(2 + len);
}

size_t msg_finish(uint8_t *out, const struct msg_answer *a,
		  const uint8_t *query, size_t query_len)
{
	size_t at = a->len, ede = a->ede_len ? a->ede_len + 4u : 0;
	struct msg m;

	memcpy(out, a->p, a->len);
	if (!msg_read(&m, query, query_len))
		return at;
	if (!MSG_AD(query) && !m.dnssec_ok) /* RFC 6840, 5.8 */
		out[3] &= (uint8_t)~0x20;
	if (!m.opt_at || at + RECORD_MIN > MSG_MAX)
		return at;
	if (at + RECORD_MIN + ede > MSG_MAX)
		ede = 0;
	at += put_opt(out + at, m.dnssec_ok, a->ext_rcode);
	msg_put16(out + 10, msg_get16(out + 10) + 1u);
	if (!ede)
		return at;
	msg_put16(out + at - 2, (uint32_t)ede);
	msg_put16(out + at, OPT_EDE);
	msg_put16(out + at + 2, a->ede_len);
	memcpy(out + at + 4, a->ede, a->ede_len);
	return at + ede;
}

void msg_error(uint8_t out[MSG_HEADER + MSG_QUESTION], const uint8_t *question,
	       size_t len, unsigned int flags, int rcode, struct msg_answer *a)
{
	memset(out, 0, MSG_HEADER);
	out[2] = flags & MSG_ASK_RD ? 0x81 : 0x80;
	out[3] = (uint8_t)(0x80 | (flags & MSG_ASK_CD ? 0x10 : 0) | rcode);
	out[5] = 1;
	memcpy(out + MSG_HEADER, question, len);
	memset(a, 0, sizeof(*a));
	a->p = out;
	a->len = MSG_HEADER + len;
}

static uint32_t sane_ttl(uint32_t ttl)
{
	return ttl > INT32_MAX ? 0 : ttl;
}

/* The last field of an SOA, how long a "no" holds. */
static uint32_t soa_minimum(const uint8_t *p, const struct record *r)
{
	return r->end - r->rdata < 22 ? 0 : sane_ttl(msg_get32(p + r->end - 4));
}

uint32_t msg_lifetime(const uint8_t *p, size_t len, bool *negative)
{
	uint32_t least = UINT32_MAX, no = UINT32_MAX, ttl;
	bool found = false, soa = false;
	size_t at;
	struct record r;
	struct msg m;

	*negative = false;
	if (!msg_read(&m, p, len) || !m.question || MSG_TC(p) ||
	    (MSG_RCODE(p) != MSG_NOERROR && MSG_RCODE(p) != MSG_NXDOMAIN))
		return 0;
	at = MSG_HEADER + m.question;
	for (int s = 1; s < 3; s++) {
		for (int i = 0; i < m.count[s]; i++, at = r.end) {
			record_read(p, len, at, &r);
			ttl = sane_ttl(r.ttl);
			if (ttl < least)
				least = ttl;
			if (s == 1 && (r.type == m.qtype || m.qtype == MSG_ANY))
				found = true;
			if (s != 2 || r.type != MSG_SOA)
				continue;
			soa = true;
			no = soa_minimum(p, &r);
		}
	}
	*negative = MSG_RCODE(p) == MSG_NXDOMAIN || !found;
	if (*negative)
		return !soa ? 0 : no < least ? no : least;
	return least == UINT32_MAX ? 0 : least;
}

void msg_set_ttls(uint8_t *p, size_t len, uint32_t age, uint32_t least,
		  uint32_t most)
{
	size_t at;
	struct record r;
	struct msg m;

	if (!msg_read(&m, p, len))
		return;
	at = MSG_HEADER + m.question;
	for (int n = m.count[1] + m.count[2] + m.count[3]; n; n--) {
		record_read(p, len, at, &r);
		at = r.end;
		if (r.type == MSG_OPT)
			continue;
		r.ttl = sane_ttl(r.ttl);
		r.ttl = r.ttl > age ? r.ttl - age : 0;
		if (r.ttl < least)
			r.ttl = least;
		if (r.ttl > most)
			r.ttl = most;
		msg_put32(p + r.rdata - 6, r.ttl);
	}
}

size_t msg_addresses(const uint8_t *p, size_t len, struct sluice_addr *v,
		     size_t n, uint32_t *ttl)
{
	size_t at, found = 0;
	struct record r;
	struct msg m;

	*ttl = UINT32_MAX;
	if (!msg_read(&m, p, len) || MSG_RCODE(p))
		return 0;
	at = MSG_HEADER + m.question;
	for (int i = 0; i < m.count[1] && found < n; i++, at = r.end) {
		size_t size = m.qtype == MSG_A ? 4 : 16;

		record_read(p, len, at, &r);
		if (r.type != m.qtype || r.klass != MSG_IN ||
		    r.end - r.rdata != size)
			continue;
		memset(&v[found], 0, sizeof(*v));
		v[found].family = size == 4 ? 4 : 6;
		memcpy(v[found++].ip, p + r.rdata, size);
		if (sane_ttl(r.ttl) < *ttl)
			*ttl = sane_ttl(r.ttl);
	}
	return found;
}
