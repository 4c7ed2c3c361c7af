/* SPDX-License-Identifier: MIT */
/* fuzz_dnsmsg.c - hostile DNS messages: a question and what came for it
 *
 * The input is
 *
 *	0-1	the size to cut the answer to
 *	2-3	length of the question, modulo what there is
 *	4-	the question, and then the answer
 *
 * What is accepted must be what it says: names survive the way to text and
 * back, whatever is made, adopted or cut is a message again, and no longer
 * than it may be.
 *
 * fuzz: core/dnsmsg.c
 */
#include "dnsmsg.h"

#include <ctype.h>

#include "fuzz.h"
#include "util.h"

static void check_name(const uint8_t *msg, size_t len)
{
	char text[DNSMSG_TEXT], again[DNSMSG_TEXT];
	uint8_t wire[DNSMSG_HEADER + DNSMSG_WIRE];
	int n;

	n = dnsmsg_name(msg, len, DNSMSG_HEADER, text);
	if (n < 0)
		return;
	FUZZ_CHECK(n > 0 && (size_t)n == strlen(text) && n < 1004);
	for (int i = 0; i < n; i++)
		FUZZ_CHECK(text[i] > ' ' && text[i] < 0x7f &&
			   !isupper((uint8_t)text[i]));
	n = dnsmsg_name_wire(text, wire + DNSMSG_HEADER);
	FUZZ_CHECK(n > 0 && n <= (int)DNSMSG_WIRE);
	FUZZ_CHECK(dnsmsg_name(wire, DNSMSG_HEADER + (size_t)n, DNSMSG_HEADER,
			       again) > 0);
	FUZZ_CHECK(!strcmp(text, again));
}

/* Also questions that broke off: FORMERR goes out for those. */
static void check_made(const uint8_t *msg, const struct dnsmsg *q, bool whole)
{
	static const struct sluice_addr v[2] = { { .family = 4 },
						 { .family = 6 } };
	struct dnsmsg_answer a = {
		.rcode = DNSMSG_NXDOMAIN,
		.soa = true,
		.ede = 15,
		.text = "why",
		.ttl = 60,
		.addr = v,
		.n = 2,
	};
	uint8_t out[DNSMSG_MADE + 56];
	size_t len = dnsmsg_make(out, sizeof(out), msg, q, &a);
	struct dnsmsg m;

	FUZZ_CHECK(len >= DNSMSG_HEADER && len <= sizeof(out));
	FUZZ_CHECK(!dnsmsg_parse(&m, out, len) && m.len == len);
	FUZZ_CHECK(m.id == q->id && m.question == q->question);
	FUZZ_CHECK(!whole || !q->opt_len == !m.opt_len);
	if (whole && q->question)
		FUZZ_CHECK(dnsmsg_answers(msg, q, out, &m, q->id));
}

static void check_cut(const uint8_t *msg, const struct dnsmsg *m, size_t max)
{
	uint8_t *copy = fuzz_copy(msg, m->len);
	size_t len = dnsmsg_cut(copy, m->len, max);
	struct dnsmsg c;

	FUZZ_CHECK(len && len <= max);
	FUZZ_CHECK(!dnsmsg_parse(&c, copy, len) && c.len == len);
	FUZZ_CHECK(c.question == m->question && !c.opt_len == !m->opt_len);
	if (m->len <= max) {
		FUZZ_CHECK(len == m->len && !memcmp(copy, msg, len));
	} else {
		FUZZ_CHECK(c.flags == (m->flags | DNSMSG_TC));
		for (int i = 0; i < 4; i++)
			FUZZ_CHECK(c.count[i] <= m->count[i]);
	}
	free(copy);
}

/* Of anything; of a whole message it is what the records say. */
static void check_addrs(const uint8_t *msg, size_t len, const struct dnsmsg *m)
{
	static const uint8_t zero[12];
	struct dnsmsg_addrs w;
	struct sluice_addr a;
	uint32_t ttl, n = 0;
	size_t at = 0;

	dnsmsg_addrs_init(&w, msg, len);
	while (dnsmsg_addrs_next(&w, &a, &ttl)) {
		uint16_t type = a.family == 4 ? DNSMSG_A : DNSMSG_AAAA;
		size_t ip = a.family == 4 ? 4 : 16;

		FUZZ_CHECK(a.family == 4 || a.family == 6);
		FUZZ_CHECK(a.family == 6 || !memcmp(a.ip + 4, zero, 12));
		FUZZ_CHECK(!a.port && !a.scope && ttl <= INT32_MAX);
		FUZZ_CHECK(w.at > at && w.at <= len && w.at >= ip);
		FUZZ_CHECK(!memcmp(a.ip, msg + w.at - ip, ip));
		at = w.at;
		n++;
		if (!m)
			continue;
		FUZZ_CHECK(m->flags & DNSMSG_QR && !DNSMSG_RCODE(m->flags));
		FUZZ_CHECK(m->qtype == type || m->qtype == DNSMSG_ANY);
		FUZZ_CHECK(n <= m->count[1] && w.at <= m->len);
	}
	FUZZ_CHECK(!w.left && !dnsmsg_addrs_next(&w, &a, &ttl));
}

static void check_answer(const uint8_t *query, const struct dnsmsg *q,
			 const uint8_t *msg, size_t len, size_t max)
{
	struct dnsmsg m, again;
	uint8_t *copy;

	if (dnsmsg_parse(&m, msg, len)) {
		check_addrs(msg, len, NULL);
		return;
	}
	FUZZ_CHECK(m.len <= len);
	check_name(msg, len);
	check_addrs(msg, len, &m);
	check_cut(msg, &m, max);
	if (!q)
		return;
	copy = fuzz_copy(msg, m.len);
	if (!dnsmsg_adopt(copy, &m, query, q)) {
		FUZZ_CHECK(!dnsmsg_parse(&again, copy, m.len));
		FUZZ_CHECK(again.len == m.len);
		if (q->question)
			FUZZ_CHECK(
				dnsmsg_answers(query, q, copy, &again, q->id));
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t max, len;
	uint8_t *query, *answer;
	struct dnsmsg q;
	bool whole;

	if (size < 4)
		return 0;
	max = MAX(get_be16(data), DNSMSG_SMALL);
	len = get_be16(data + 2) % (size - 3);
	query = fuzz_copy(data + 4, len);
	answer = fuzz_copy(data + 4 + len, size - 4 - len);
	whole = !dnsmsg_parse(&q, query, len);
	if (whole)
		check_name(query, len);
	if (len >= DNSMSG_HEADER)
		check_made(query, &q, whole);
	check_answer(query, whole ? &q : NULL, answer, size - 4 - len, max);
	free(answer);
	free(query);
	return 0;
}
