/* SPDX-License-Identifier: MIT */
/* test_dnsmsg.c - the DNS codec against good, bad and hostile messages */
#include "dnsmsg.h"

#include "addr.h"
#include "unit.h"
#include "util.h"

#include <errno.h>

/* A message being written; every test says only what matters to it. */
struct draft {
	uint8_t b[DNSMSG_MAX];
	size_t len;
};

static struct draft draft;

static void put(const void *p, size_t len)
{
	memcpy(draft.b + draft.len, p, len);
	draft.len += len;
}

static void put16(unsigned v)
{
	put_be16(draft.b + draft.len, (uint16_t)v);
	draft.len += 2;
}

static void header(unsigned id, unsigned flags, unsigned qd, unsigned an,
		   unsigned ns, unsigned ar)
{
	draft.len = 0;
	put16(id);
	put16(flags);
	put16(qd);
	put16(an);
	put16(ns);
	put16(ar);
}

static void name(const char *text)
{
	uint8_t wire[DNSMSG_WIRE];
	int n = dnsmsg_name_wire(text, wire);

	CU_ASSERT_FATAL(n > 0);
	put(wire, (size_t)n);
}

static void question(const char *text, unsigned type)
{
	name(text);
	put16(type);
	put16(DNSMSG_IN);
}

/* A record of the question's name with len bytes of data. */
static void record(unsigned type, unsigned len)
{
	put16(0xc00c);
	put16(type);
	put16(DNSMSG_IN);
	put16(0);
	put16(300);
	put16(len);
	memset(draft.b + draft.len, 'x', len);
	draft.len += len;
}

static void opt(unsigned size, unsigned len)
{
	put("\0", 1);
	put16(DNSMSG_OPT);
	put16(size);
	put16(0);
	put16(0x8000);
	put16(len);
	if (!len)
		return;
	put16(10); /* one option, a cookie */
	put16(len - 4);
	memset(draft.b + draft.len, 'c', len - 4);
	draft.len += len - 4;
}

static struct dnsmsg parsed(void)
{
	struct dnsmsg m;

	CU_ASSERT_EQUAL(dnsmsg_parse(&m, draft.b, draft.len), 0);
	return m;
}

static void a_question_is_read(void)
{
	struct dnsmsg m;

	header(0x1234, DNSMSG_RD, 1, 0, 0, 1);
	question("www.example.org", DNSMSG_AAAA);
	opt(4096, 0);
	m = parsed();
	CU_ASSERT_EQUAL(m.id, 0x1234);
	CU_ASSERT_EQUAL(m.flags, DNSMSG_RD);
	CU_ASSERT_EQUAL(m.qtype, DNSMSG_AAAA);
	CU_ASSERT_EQUAL(m.qclass, DNSMSG_IN);
	CU_ASSERT_EQUAL(m.question, 17 + 4);
	CU_ASSERT_EQUAL(m.opt_at, 12 + 21);
	CU_ASSERT_EQUAL(m.opt_len, 11);
	CU_ASSERT_EQUAL(m.edns_size, 4096);
	CU_ASSERT_TRUE(m.dnssec_ok);
	CU_ASSERT_EQUAL(m.len, draft.len);
}

static void what_follows_the_last_record_is_not_counted(void)
{
	struct dnsmsg m;

	header(1, 0, 1, 0, 0, 0);
	question("a", 1);
	put("junk", 4);
	m = parsed();
	CU_ASSERT_EQUAL(m.len, draft.len - 4);
}

/* Every prefix of a message is refused, without a look at the next byte. */
static void no_cut_message_passes(void)
{
	struct dnsmsg m;

	header(1, DNSMSG_QR, 1, 2, 1, 1);
	question("a.b.example", 1);
	record(DNSMSG_A, 4);
	record(DNSMSG_A, 4);
	record(DNSMSG_SOA, 40);
	opt(1232, 16);
	for (size_t len = 0; len < draft.len; len++) {
		uint8_t *exact = malloc(len + 1);

		memcpy(exact, draft.b, len);
		CU_ASSERT_EQUAL(dnsmsg_parse(&m, exact, len), -EBADMSG);
		free(exact);
	}
	parsed();
}

/* clang-format off */
static const struct bad {
	const char *what;
	const char *bytes;
	size_t len;
} bad[] = {
#define BAD(what, bytes) { what, bytes, sizeof(bytes) - 1 }
#define H(qd, an, ns, ar) "\0\1\1\0\0" qd "\0" an "\0" ns "\0" ar
	BAD("nothing", ""),
	BAD("one byte", "\0"),
	BAD("eleven bytes", "\0\1\1\0\0\0\0\0\0\0\0"),
	BAD("a promise of one question", H("\1", "\0", "\0", "\0")),
	BAD("two questions", H("\2", "\0", "\0", "\0")
	    "\1a\0\0\1\0\1\1b\0\0\1\0\1"),
	BAD("a name without end", H("\1", "\0", "\0", "\0") "\3abc"),
	BAD("a label beyond the end", H("\1", "\0", "\0", "\0") "\77a\0\0\1\0\1"),
	BAD("a label of 64", H("\1", "\0", "\0", "\0") "\100"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "\0\0\1\0\1"),
	BAD("a label of the reserved kind", H("\1", "\0", "\0", "\0")
	    "\200a\0\0\1\0\1"),
	BAD("no class", H("\1", "\0", "\0", "\0") "\1a\0\0\1\0"),
	BAD("a pointer to itself", H("\1", "\0", "\0", "\0")
	    "\300\014\0\1\0\1"),
	BAD("a pointer forward", H("\1", "\0", "\0", "\0")
	    "\300\022\0\1\0\1\1a\0"),
	BAD("a pointer into the header", H("\1", "\0", "\0", "\0")
	    "\300\4\0\1\0\1"),
	BAD("half a pointer", H("\1", "\0", "\0", "\0") "\300"),
	BAD("a label, then a pointer to it", H("\1", "\0", "\0", "\0")
	    "\1a\300\014\0\1\0\1"),
	BAD("two pointers at each other", H("\1", "\1", "\0", "\0")
	    "\1a\0\0\1\0\1" "\300\025\300\023\0\1\0\1\0\0\0\0\0\0"),
	BAD("a name that runs through its own pointer", H("\1", "\1", "\0", "\0")
	    "\4aa\7a\0\0\1\0\1" "\300\017\0\1\0\1\0\0\0\0\0\6"
	    "\0\0\0\0\0\0"),
	BAD("more records than fit", "\0\1\1\0\0\1\377\377\377\377\377\377"
	    "\1a\0\0\1\0\1"),
	BAD("an answer cut in its data", H("\1", "\1", "\0", "\0")
	    "\1a\0\0\1\0\1" "\300\014\0\1\0\1\0\0\0\0\0\4\1\2\3"),
	BAD("an answer without data length", H("\1", "\1", "\0", "\0")
	    "\1a\0\0\1\0\1" "\300\014\0\1\0\1\0\0\0\0\0"),
	BAD("OPT among the answers", H("\1", "\1", "\0", "\0")
	    "\1a\0\0\1\0\1" "\0\0\51\4\320\0\0\0\0\0\0"),
	BAD("two OPTs", H("\1", "\0", "\0", "\2")
	    "\1a\0\0\1\0\1" "\0\0\51\4\320\0\0\0\0\0\0"
	    "\0\0\51\4\320\0\0\0\0\0\0"),
	BAD("OPT with a name", H("\1", "\0", "\0", "\1")
	    "\1a\0\0\1\0\1" "\1a\0\0\51\4\320\0\0\0\0\0\0"),
	BAD("OPT with an option that is too long", H("\1", "\0", "\0", "\1")
	    "\1a\0\0\1\0\1" "\0\0\51\4\320\0\0\0\0\0\5\0\3\0\2x"),
	BAD("OPT with half an option", H("\1", "\0", "\0", "\1")
	    "\1a\0\0\1\0\1" "\0\0\51\4\320\0\0\0\0\0\3\0\3\0"),
#undef H
#undef BAD
};
/* clang-format on */

static void malformed_messages_are_refused(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t *exact = malloc(bad[i].len + 1);
		struct dnsmsg m;
		int r;

		memcpy(exact, bad[i].bytes, bad[i].len);
		r = dnsmsg_parse(&m, exact, bad[i].len);
		if (r != -EBADMSG)
			printf("# passed: %s\n", bad[i].what);
		CU_ASSERT_EQUAL(r, -EBADMSG);
		free(exact);
	}
}

/* The largest message made of nothing but pointers at pointers: the walk has
 * to give up, not to be quick. */
static void pointers_are_followed_so_far_and_no_further(void)
{
	char text[DNSMSG_TEXT];

	header(1, 0, 0, 0, 0, 0);
	put("\0", 1);
	for (size_t at = 12; draft.len < 2000; at = draft.len - 2)
		put16((unsigned)(0xc000 | (at == draft.len - 1 ? 12 : at)));
	CU_ASSERT_EQUAL(dnsmsg_name(draft.b, draft.len, draft.len - 2, text),
			-EBADMSG);
	CU_ASSERT_EQUAL(dnsmsg_name(draft.b, draft.len, 13 + 2 * 100, text), 1);
	CU_ASSERT_STRING_EQUAL(text, ".");
}

static void names_longer_than_255_bytes_are_refused(void)
{
	char label[65], text[DNSMSG_TEXT];
	struct dnsmsg m;

	memset(label, 'a', sizeof(label));
	label[0] = 63;
	header(1, 0, 1, 0, 0, 0);
	for (int i = 0; i < 3; i++)
		put(label, 64);
	label[0] = 61;
	put(label, 62);
	put("\0\0\1\0\1", 5);
	m = parsed();
	CU_ASSERT_EQUAL(m.question, 255 + 4);
	CU_ASSERT_EQUAL(dnsmsg_name(draft.b, draft.len, 12, text), 3 * 64 + 61);

	header(1, 0, 1, 0, 0, 0);
	label[0] = 63;
	for (int i = 0; i < 3; i++)
		put(label, 64);
	label[0] = 62;
	put(label, 63);
	put("\0\0\1\0\1", 5);
	CU_ASSERT_EQUAL(dnsmsg_parse(&m, draft.b, draft.len), -EBADMSG);
}

static void compressed_names_are_put_together(void)
{
	char text[DNSMSG_TEXT];
	size_t at;

	header(1, 0, 1, 0, 0, 0);
	question("Example.ORG", 1);
	at = draft.len;
	put("\3wWw\300\014", 6);
	CU_ASSERT_EQUAL(dnsmsg_name(draft.b, draft.len, at, text), 15);
	CU_ASSERT_STRING_EQUAL(text, "www.example.org");
}

/* clang-format off */
static const struct text {
	const char *in, *out;	/* out NULL: no name */
} texts[] = {
	{ ".", "." },
	{ "a", "a" },
	{ "a.", "a" },
	{ "Example.ORG", "example.org" },
	{ "_dns._tcp.x", "_dns._tcp.x" },
	{ "a\\.b.c", "a\\.b.c" },
	{ "a\\046b", "a\\.b" },
	{ "\\000\\255\\032", "\\000\\255\\032" },
	{ "\\\"\\(\\)\\;\\@\\$\\\\", "\\\"\\(\\)\\;\\@\\$\\\\" },
	{ "*.x", "*.x" },
	{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
	{ "", NULL },
	{ "..", NULL },
	{ ".a", NULL },
	{ "a..b", NULL },
	{ "a\\", NULL },
	{ "a\\25", NULL },
	{ "a\\256", NULL },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  NULL },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
};
/* clang-format on */

static void names_go_to_text_and_back(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		uint8_t wire[DNSMSG_WIRE];
		char text[DNSMSG_TEXT];
		int n = dnsmsg_name_wire(texts[i].in, wire);

		if (!texts[i].out) {
			CU_ASSERT_EQUAL(n, -EINVAL);
			continue;
		}
		CU_ASSERT_FATAL(n > 0);
		memcpy(draft.b + 12, wire, (size_t)n);
		CU_ASSERT_EQUAL(dnsmsg_name(draft.b, 12 + (size_t)n, 12, text),
				(int)strlen(texts[i].out));
		CU_ASSERT_STRING_EQUAL(text, texts[i].out);
	}
}

static void the_longest_text_fits(void)
{
	char text[DNSMSG_TEXT], again[DNSMSG_TEXT];
	uint8_t wire[DNSMSG_WIRE];
	char *t = text;

	for (int l = 0; l < 4; l++) {
		for (int i = 0; i < (l < 3 ? 63 : 61); i++)
			t += sprintf(t, "\\001");
		if (l < 3)
			*t++ = '.';
	}
	CU_ASSERT_EQUAL(dnsmsg_name_wire(text, wire), 255);
	memcpy(draft.b + 12, wire, 255);
	CU_ASSERT_EQUAL(dnsmsg_name(draft.b, 12 + 255, 12, again), 1003);
	CU_ASSERT_STRING_EQUAL(text, again);
	strcpy(t, "a");
	CU_ASSERT_EQUAL(dnsmsg_name_wire(text, wire), -EINVAL);
}

static const struct pair {
	const char *what;
	unsigned id, flags;
	const char *name;
	unsigned type, answers;
	bool fits;
} pairs[] = {
	{ "the answer", 7, DNSMSG_QR, "example.org", 1, 1, true },
	{ "in other letters", 7, DNSMSG_QR, "eXample.org", 1, 1, true },
	{ "another id", 8, DNSMSG_QR, "example.org", 1, 1, false },
	{ "a question", 7, 0, "example.org", 1, 0, false },
	{ "another opcode", 7, DNSMSG_QR | 0x2000, "example.org", 1, 1, false },
	{ "another name", 7, DNSMSG_QR, "example.net", 1, 1, false },
	{ "a longer name", 7, DNSMSG_QR, "a.example.org", 1, 1, false },
	{ "another type", 7, DNSMSG_QR, "example.org", 28, 1, false },
	{ "a refusal without question", 7, DNSMSG_QR | DNSMSG_REFUSED, NULL, 0,
	  0, true },
	{ "a success without question", 7, DNSMSG_QR, NULL, 0, 0, false },
};

static void only_the_answer_to_the_question_is_taken(void)
{
	static uint8_t query[64];
	struct dnsmsg q;
	size_t len;

	header(1, DNSMSG_RD, 1, 0, 0, 0);
	question("example.org", 1);
	q = parsed();
	len = draft.len;
	memcpy(query, draft.b, len);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		const struct pair *p = &pairs[i];
		struct dnsmsg r;

		header(p->id, p->flags, p->name != NULL, p->answers, 0, 0);
		if (p->name)
			question(p->name, p->type);
		if (p->answers)
			record(1, 4);
		r = parsed();
		if (dnsmsg_answers(query, &q, draft.b, &r, 7) != p->fits)
			printf("# wrong: %s\n", p->what);
		CU_ASSERT_EQUAL(dnsmsg_answers(query, &q, draft.b, &r, 7),
				p->fits);
	}
}

static void udp_answers_are_as_large_as_asked_and_never_fragmented(void)
{
	struct dnsmsg q = { 0 };

	CU_ASSERT_EQUAL(dnsmsg_udp_size(&q, 4, 1500), 512);
	q.opt_len = 11;
	q.edns_size = 100;
	CU_ASSERT_EQUAL(dnsmsg_udp_size(&q, 4, 1500), 512);
	q.edns_size = 1000;
	CU_ASSERT_EQUAL(dnsmsg_udp_size(&q, 4, 1500), 1000);
	q.edns_size = 4096;
	CU_ASSERT_EQUAL(dnsmsg_udp_size(&q, 4, 1500), 1232);
	CU_ASSERT_EQUAL(dnsmsg_udp_size(&q, 6, 1280), 1232);
	CU_ASSERT_EQUAL(dnsmsg_udp_size(&q, 4, 1000), 972);
	CU_ASSERT_EQUAL(dnsmsg_udp_size(&q, 4, 20), 512);
}

/* Ask, make an answer, and read that. */
static struct dnsmsg made(unsigned type, bool edns,
			  const struct dnsmsg_answer *a, uint8_t *out,
			  size_t cap)
{
	struct dnsmsg q, m = { 0 };
	size_t len;

	header(0xbeef, DNSMSG_RD | DNSMSG_CD, 1, 0, 0, edns);
	question("ExAmple.org", type);
	if (edns)
		opt(4096, 0);
	q = parsed();
	len = dnsmsg_make(out, cap, draft.b, &q, a);
	CU_ASSERT_FATAL(len > 0);
	CU_ASSERT_EQUAL(dnsmsg_parse(&m, out, len), 0);
	CU_ASSERT_EQUAL(m.len, len);
	CU_ASSERT_TRUE(dnsmsg_answers(draft.b, &q, out, &m, 0xbeef));
	CU_ASSERT_EQUAL(memcmp(out + 12, draft.b + 12, q.question), 0);
	CU_ASSERT_TRUE(m.flags & DNSMSG_RD);
	CU_ASSERT_TRUE(m.flags & DNSMSG_RA);
	return m;
}

static void answers_are_made_as_asked(void)
{
	static const struct sluice_addr v[] = {
		{ .family = 4, .ip = { 192, 0, 2, 1 } },
		{ .family = 6, .ip = { 0x20, 1, 0xd, 0xb8 } },
		{ .family = 4, .ip = { 192, 0, 2, 2 } },
	};
	struct dnsmsg_answer a = {
		.ede = DNSMSG_EDE_NONE,
		.addr = v,
		.n = 3,
		.ttl = 77,
		.soa = true,
	};
	uint8_t out[DNSMSG_MADE + 3 * 28];
	struct dnsmsg m;

	m = made(DNSMSG_A, false, &a, out, sizeof(out));
	CU_ASSERT_EQUAL(m.count[1], 2);
	CU_ASSERT_EQUAL(m.count[2], 0);
	CU_ASSERT_EQUAL(memcmp(out + m.len - 4, v[2].ip, 4), 0);
	CU_ASSERT_EQUAL(get_be32(out + m.len - 10), 77);
	m = made(DNSMSG_AAAA, false, &a, out, sizeof(out));
	CU_ASSERT_EQUAL(m.count[1], 1);
	CU_ASSERT_EQUAL(memcmp(out + m.len - 16, v[1].ip, 16), 0);
	m = made(DNSMSG_ANY, false, &a, out, sizeof(out));
	CU_ASSERT_EQUAL(m.count[1], 3);
	m = made(16, true, &a, out, sizeof(out));
	CU_ASSERT_EQUAL(m.count[1], 0);
	CU_ASSERT_EQUAL(m.count[2], 1);
	CU_ASSERT_EQUAL(m.count[3], 1);
}

static void errors_say_why_to_those_with_edns(void)
{
	struct dnsmsg_answer a = {
		.rcode = DNSMSG_SERVFAIL,
		.ede = DNSMSG_EDE_UNREACHABLE,
		.text = "no answer",
	};
	uint8_t out[DNSMSG_MADE];
	struct dnsmsg m;

	m = made(DNSMSG_A, false, &a, out, sizeof(out));
	CU_ASSERT_EQUAL(DNSMSG_RCODE(m.flags), DNSMSG_SERVFAIL);
	CU_ASSERT_EQUAL(m.opt_len, 0);
	m = made(DNSMSG_A, true, &a, out, sizeof(out));
	CU_ASSERT_EQUAL(m.opt_len, 11 + 6 + 9);
	CU_ASSERT_EQUAL(m.edns_size, DNSMSG_EDNS);
	CU_ASSERT_EQUAL(get_be16(out + m.opt_at + 11), 15);
	CU_ASSERT_EQUAL(get_be16(out + m.opt_at + 15), 22);
	CU_ASSERT_EQUAL(memcmp(out + m.opt_at + 17, "no answer", 9), 0);
	CU_ASSERT_TRUE(m.dnssec_ok);
}

static void what_could_not_be_read_is_answered_without_it(void)
{
	struct dnsmsg_answer a = { .rcode = DNSMSG_FORMERR,
				   .ede = DNSMSG_EDE_NONE };
	uint8_t out[DNSMSG_MADE];
	struct dnsmsg q, m;
	size_t len;

	header(5, DNSMSG_RD, 1, 0, 0, 0);
	put("\3ab", 3);
	CU_ASSERT_EQUAL(dnsmsg_parse(&q, draft.b, draft.len), -EBADMSG);
	len = dnsmsg_make(out, sizeof(out), draft.b, &q, &a);
	CU_ASSERT_EQUAL(len, 12);
	CU_ASSERT_EQUAL(dnsmsg_parse(&m, out, len), 0);
	CU_ASSERT_EQUAL(m.id, 5);
	CU_ASSERT_EQUAL(m.count[0], 0);
	CU_ASSERT_EQUAL(DNSMSG_RCODE(m.flags), DNSMSG_FORMERR);
}

static void too_little_room_makes_no_answer(void)
{
	static const struct sluice_addr v = { .family = 4 };
	struct dnsmsg_answer a = { .ede = 15, .text = "x", .addr = &v, .n = 1 };
	uint8_t out[DNSMSG_MADE];
	struct dnsmsg q;
	size_t full;

	header(1, 0, 1, 0, 0, 1);
	question("example.org", 1);
	opt(1232, 0);
	q = parsed();
	full = dnsmsg_make(out, sizeof(out), draft.b, &q, &a);
	CU_ASSERT_TRUE(full > 0);
	for (size_t cap = 0; cap < full; cap++) {
		uint8_t *exact = malloc(cap + 1);

		CU_ASSERT_EQUAL(dnsmsg_make(exact, cap, draft.b, &q, &a), 0);
		free(exact);
	}
}

static void an_adopted_answer_is_the_querys_own(void)
{
	static uint8_t query[64];
	struct dnsmsg q, m;

	header(0xabcd, DNSMSG_RD, 1, 0, 0, 0);
	question("ExAmPlE.org", 1);
	q = parsed();
	memcpy(query, draft.b, draft.len);
	header(1, DNSMSG_AA | DNSMSG_AD | DNSMSG_NXDOMAIN, 1, 1, 0, 0);
	question("example.org", 1);
	record(1, 4);
	m = parsed();
	CU_ASSERT_EQUAL(dnsmsg_adopt(draft.b, &m, query, &q), 0);
	m = parsed();
	CU_ASSERT_EQUAL(m.id, 0xabcd);
	CU_ASSERT_EQUAL(m.flags, DNSMSG_QR | DNSMSG_RD | DNSMSG_AA | DNSMSG_AD |
					 DNSMSG_NXDOMAIN);
	CU_ASSERT_EQUAL(memcmp(draft.b + 12, query + 12, q.question), 0);

	for (int i = 0; i < 3; i++) {
		static const char *const other[] = { "a.example.org",
						     "example.com",
						     "exam.le.org" };

		header(1, DNSMSG_QR, 1, 0, 0, 0);
		question(other[i], 1);
		m = parsed();
		CU_ASSERT_EQUAL(dnsmsg_adopt(draft.b, &m, query, &q), -EBADMSG);
	}
}

static void a_long_answer_is_cut_between_records(void)
{
	struct dnsmsg m;
	size_t len;

	for (size_t max = 512; max < 1300; max++) {
		header(1, DNSMSG_QR, 1, 8, 2, 3);
		question("example.org", 16);
		for (int i = 0; i < 10; i++)
			record(16, 100);
		record(1, 4);
		opt(1232, 12);
		record(1, 4);
		len = dnsmsg_cut(draft.b, draft.len, max);
		CU_ASSERT_TRUE(len <= max);
		CU_ASSERT_EQUAL(dnsmsg_parse(&m, draft.b, len), 0);
		CU_ASSERT_EQUAL(m.len, len);
		CU_ASSERT_EQUAL(m.opt_len, 23);
		CU_ASSERT_TRUE(m.flags & DNSMSG_TC || len == draft.len);
		/* no room is left unused: a record is 112 bytes, or 16 */
		CU_ASSERT_TRUE(len == draft.len || m.count[1] == 8 ||
			       max - len < 112);
	}
}

static void a_short_answer_is_left_alone(void)
{
	header(1, DNSMSG_QR, 1, 1, 0, 0);
	question("example.org", 1);
	record(1, 4);
	CU_ASSERT_EQUAL(dnsmsg_cut(draft.b, draft.len, 512), draft.len);
	CU_ASSERT_FALSE(parsed().flags & DNSMSG_TC);
}

static void options_that_leave_no_room_are_cut(void)
{
	struct dnsmsg m;
	size_t len;

	header(1, DNSMSG_QR, 1, 1, 0, 2);
	question("example.org", 16);
	record(16, 100);
	opt(1232, 1000);
	record(1, 4);
	len = dnsmsg_cut(draft.b, draft.len, 512);
	CU_ASSERT_TRUE(len > 0 && len <= 512);
	CU_ASSERT_EQUAL(dnsmsg_parse(&m, draft.b, len), 0);
	CU_ASSERT_EQUAL(m.opt_len, 11);
	CU_ASSERT_EQUAL(m.count[1], 1);
	CU_ASSERT_TRUE(m.flags & DNSMSG_TC);
}

/* 64 KiB of the smallest records: cut, and none of it read twice. */
static void the_largest_answer_is_cut(void)
{
	struct dnsmsg m;
	size_t len;
	unsigned n = 0;

	header(1, DNSMSG_QR, 1, 0, 0, 0);
	question("a", 16);
	while (draft.len + 12 <= DNSMSG_MAX) {
		record(16, 0);
		n++;
	}
	put_be16(draft.b + 6, (uint16_t)n);
	len = dnsmsg_cut(draft.b, draft.len, 1232);
	CU_ASSERT_EQUAL(dnsmsg_parse(&m, draft.b, len), 0);
	CU_ASSERT_EQUAL(m.count[1], (1232 - 12 - 7) / 12);
}

/* --------------------------------------------------- addresses of answers */

/* A record of any class and TTL whose data counts up from `from`. */
static void answer(unsigned type, unsigned klass, uint32_t ttl, unsigned len,
		   uint8_t from)
{
	put16(0xc00c);
	put16(type);
	put16(klass);
	put16(ttl >> 16);
	put16(ttl & 0xffff);
	put16(len);
	for (unsigned i = 0; i < len; i++, from++)
		put(&from, 1);
}

/* All addresses of the draft as text, "192.0.2.1=60 ...". */
static const char *addresses(void)
{
	static char out[4096];
	uint8_t *exact = malloc(draft.len);
	struct dnsmsg_addrs w;
	struct sluice_addr a;
	uint32_t ttl;
	size_t n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
	memcpy(exact, draft.b, draft.len);
	out[0] = '\0';
	dnsmsg_addrs_init(&w, exact, draft.len);
	while (dnsmsg_addrs_next(&w, &a, &ttl)) {
		char text[ADDR_TEXT];

		CU_ASSERT_EQUAL(a.port, 0);
		CU_ASSERT_EQUAL(a.scope, 0);
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s=%u",
				      n ? " " : "", addr_ip_text(&a, text),
				      ttl);
		CU_ASSERT_FATAL(n < sizeof(out));
	}
	CU_ASSERT_FALSE(dnsmsg_addrs_next(&w, &a, &ttl));
	free(exact);
	return out;
}

static void an_answer_gives_its_addresses_in_order(void)
{
	header(1, DNSMSG_QR, 1, 3, 1, 1);
	question("example.org", DNSMSG_A);
	answer(DNSMSG_A, DNSMSG_IN, 60, 4, 1);
	answer(DNSMSG_A, DNSMSG_IN, 0, 4, 2);
	answer(DNSMSG_A, DNSMSG_IN, 0x7fffffff, 4, 3);
	answer(DNSMSG_A, DNSMSG_IN, 60, 4, 4); /* authority, additional */
	answer(DNSMSG_A, DNSMSG_IN, 60, 4, 5);
	CU_ASSERT_STRING_EQUAL(addresses(),
			       "1.2.3.4=60 2.3.4.5=0 3.4.5.6=2147483647");

	header(1, DNSMSG_QR, 1, 1, 0, 0);
	question("example.org", DNSMSG_AAAA);
	answer(DNSMSG_AAAA, DNSMSG_IN, 300, 16, 0x20);
	CU_ASSERT_STRING_EQUAL(addresses(),
			       "2021:2223:2425:2627:2829:2a2b:2c2d:2e2f=300");
}

static void addresses_at_the_end_of_a_chain_are_the_questions(void)
{
	header(1, DNSMSG_QR, 1, 4, 0, 0);
	question("www.example.org", DNSMSG_A);
	for (unsigned i = 0; i < 2; i++) { /* CNAME by pointer, and in full */
		put16(0xc00c);
		put16(5);
		put16(DNSMSG_IN);
		put16(0);
		put16(9);
		put16(i ? 13 : 2);
		if (i)
			name("cdn.example");
		else
			put16(0xc010);
	}
	name("cdn.example");
	put16(DNSMSG_A);
	put16(DNSMSG_IN);
	put16(0);
	put16(77);
	put16(4);
	put("\300\0\2\1", 4);
	answer(DNSMSG_A, DNSMSG_IN, 78, 4, 1);
	CU_ASSERT_STRING_EQUAL(addresses(), "192.0.2.1=77 1.2.3.4=78");
}

static void only_what_was_asked_for_is_an_address(void)
{
	static const struct {
		unsigned asked, flags;
		const char *want;
	} cases[] = {
		{ DNSMSG_A, DNSMSG_QR, "1.2.3.4=60" },
		{ DNSMSG_AAAA, DNSMSG_QR,
		  "90a:b0c:d0e:f10:1112:1314:1516:1718=60" },
		{ DNSMSG_ANY, DNSMSG_QR,
		  "1.2.3.4=60 90a:b0c:d0e:f10:1112:1314:1516:1718=60" },
		{ 16, DNSMSG_QR, "" }, /* TXT, CNAME, HTTPS */
		{ 5, DNSMSG_QR, "" },
		{ 65, DNSMSG_QR, "" },
		{ DNSMSG_A, 0, "" }, /* no answer; errors */
		{ DNSMSG_A, DNSMSG_QR | DNSMSG_SERVFAIL, "" },
		{ DNSMSG_A, DNSMSG_QR | DNSMSG_NXDOMAIN, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		header(1, cases[i].flags, 1, 8, 0, 0);
		question("example.org", cases[i].asked);
		answer(DNSMSG_A, DNSMSG_IN, 60, 3, 1);
		answer(DNSMSG_A, DNSMSG_IN, 60, 16, 1);
		answer(DNSMSG_A, 3, 60, 4, 1); /* CHAOS */
		answer(DNSMSG_A, DNSMSG_IN, 60, 4, 1);
		answer(16, DNSMSG_IN, 60, 4, 1);
		answer(DNSMSG_AAAA, DNSMSG_IN, 60, 4, 1);
		answer(DNSMSG_AAAA, DNSMSG_IN, 60, 0, 1);
		answer(DNSMSG_AAAA, DNSMSG_IN, 60, 16, 9);
		CU_ASSERT_STRING_EQUAL(addresses(), cases[i].want);
	}
}

static void a_ttl_with_the_sign_bit_is_zero(void)
{
	header(1, DNSMSG_QR, 1, 1, 0, 0);
	question("example.org", DNSMSG_A);
	answer(DNSMSG_A, DNSMSG_IN, 0x80000000, 4, 1);
	CU_ASSERT_STRING_EQUAL(addresses(), "1.2.3.4=0");
}

/* Cut anywhere: what came before the cut, and not a byte after it. */
static void a_cut_answer_gives_what_is_whole(void)
{
	size_t start, whole;

	header(1, DNSMSG_QR, 1, 65535, 0, 0);
	question("example.org", DNSMSG_A);
	start = draft.len;
	answer(DNSMSG_A, DNSMSG_IN, 1, 4, 1);
	answer(DNSMSG_A, DNSMSG_IN, 2, 4, 1);
	whole = draft.len;
	for (draft.len = 0; draft.len <= whole; draft.len++) {
		const char *want = "";

		if (draft.len >= start + 16)
			want = "1.2.3.4=1";
		if (draft.len == whole)
			want = "1.2.3.4=1 1.2.3.4=2";
		CU_ASSERT_STRING_EQUAL(addresses(), want);
	}
}

static void without_one_question_there_is_no_address(void)
{
	for (unsigned n = 0; n <= 2; n += 2) {
		header(1, DNSMSG_QR, n, 1, 0, 0);
		for (unsigned i = 0; i < n; i++)
			question("example.org", DNSMSG_A);
		answer(DNSMSG_A, DNSMSG_IN, 60, 4, 1);
		CU_ASSERT_STRING_EQUAL(addresses(), "");
	}
}

/* What a plugin says with respond(): its records, TC, and EDE where there is
 * EDNS to put it in. */
static void a_response_is_made_as_it_was_said(void)
{
	static const uint8_t records[] = "\1a\0\0\5\0\1\0\0\0\7\0\3\1b\0"
					 "\1b\0\0\1\0\1\0\0\0\7\0\4\xc0\0\2\1";
	const struct sluice_response r = { .size = sizeof(r),
					   .rcode = DNSMSG_NXDOMAIN,
					   .flags = SLUICE_RESPONSE_TC,
					   .ede = DNSMSG_EDE_BLOCKED,
					   .text = "ads.txt:17",
					   .records = records,
					   .records_len = sizeof(records) - 1,
					   .records_n = 2 };
	struct dnsmsg_answer a = dnsmsg_of_response(&r);
	uint8_t out[DNSMSG_MADE + sizeof(records)];
	struct dnsmsg q, m;
	size_t len;

	for (int edns = 0; edns < 2; edns++) {
		header(3, DNSMSG_RD, 1, 0, 0, (uint16_t)edns);
		question("a", DNSMSG_A);
		if (edns)
			opt(1232, 0);
		q = parsed();
		len = dnsmsg_make(out, sizeof(out), draft.b, &q, &a);
		CU_ASSERT_EQUAL_FATAL(dnsmsg_parse(&m, out, len), 0);
		CU_ASSERT_EQUAL(DNSMSG_RCODE(m.flags), DNSMSG_NXDOMAIN);
		CU_ASSERT(m.flags & DNSMSG_TC);
		CU_ASSERT_EQUAL(m.count[1], 2);
		CU_ASSERT_EQUAL(memcmp(out + DNSMSG_HEADER + m.question,
				       records, sizeof(records) - 1),
				0);
		CU_ASSERT_EQUAL(m.count[3], edns);
		CU_ASSERT_EQUAL(memmem(out, len, "ads.txt:17", 10) != NULL,
				edns);
		/* One byte too few is none at all. */
		CU_ASSERT_EQUAL(dnsmsg_make(out, len - 1, draft.b, &q, &a), 0);
	}
}

static const struct unit_test tests[] = {
	UNIT(a_response_is_made_as_it_was_said),
	UNIT(a_question_is_read),
	UNIT(what_follows_the_last_record_is_not_counted),
	UNIT(no_cut_message_passes),
	UNIT(malformed_messages_are_refused),
	UNIT(pointers_are_followed_so_far_and_no_further),
	UNIT(names_longer_than_255_bytes_are_refused),
	UNIT(compressed_names_are_put_together),
	UNIT(names_go_to_text_and_back),
	UNIT(the_longest_text_fits),
	UNIT(only_the_answer_to_the_question_is_taken),
	UNIT(udp_answers_are_as_large_as_asked_and_never_fragmented),
	UNIT(answers_are_made_as_asked),
	UNIT(errors_say_why_to_those_with_edns),
	UNIT(what_could_not_be_read_is_answered_without_it),
	UNIT(too_little_room_makes_no_answer),
	UNIT(an_adopted_answer_is_the_querys_own),
	UNIT(a_long_answer_is_cut_between_records),
	UNIT(a_short_answer_is_left_alone),
	UNIT(options_that_leave_no_room_are_cut),
	UNIT(the_largest_answer_is_cut),
	UNIT(an_answer_gives_its_addresses_in_order),
	UNIT(addresses_at_the_end_of_a_chain_are_the_questions),
	UNIT(only_what_was_asked_for_is_an_address),
	UNIT(a_ttl_with_the_sign_bit_is_zero),
	UNIT(a_cut_answer_gives_what_is_whole),
	UNIT(without_one_question_there_is_no_address),
};

UNIT_MAIN("dnsmsg", tests)
