/* SPDX-License-Identifier: MIT */
/* test_dnsjoin.c - records before an answer, and its pointers after that */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dnsmsg.h"
#include "unit.h"
#include "util.h"

#define S(text) (const uint8_t *)(text), sizeof(text) - 1

static const uint8_t chain[] = "\3www\1a\0\0\5\0\1\0\0\0\x3c\0\7\3cdn\1b\0";
static const struct dnsmsg_chain to_cdn = { chain, sizeof(chain) - 1, 1 };
static const uint8_t query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\1\3wWw\1a\0\0\1\0\1"
			       "\0\0\x29\4\xd0\0\0\x80\0\0\4\0\x08\0\0";

/* A message is a copy of its own size, so that a sanitizer sees what is read
 * beyond it. */
static size_t join(uint8_t *out, size_t cap, const uint8_t *reply, size_t len,
		   const struct dnsmsg_chain *c)
{
	uint8_t *copy = malloc(len);
	struct dnsmsg q, r;
	size_t n = 0;

	memcpy(copy, reply, len);
	dnsmsg_parse(&q, query, sizeof(query) - 1);
	if (!dnsmsg_parse(&r, copy, len))
		n = dnsmsg_join(out, cap, query, &q, c, copy, &r);
	free(copy);
	return n;
}

static void a_question_gets_another_name_and_keeps_its_edns(void)
{
	static const uint8_t aimed[] =
		"\x12\x34\1\0\0\1\0\0\0\0\0\1\3cdn\1b\0\0\1\0\1"
		"\0\0\x29\4\xd0\0\0\x80\0\0\0";
	uint8_t out[DNSMSG_AIMED];
	struct dnsmsg q;
	int n;

	CU_ASSERT_EQUAL(dnsmsg_parse(&q, query, sizeof(query) - 1), 0);
	n = dnsmsg_aim(out, query, &q, &to_cdn);
	CU_ASSERT_EQUAL_FATAL(n, (int)sizeof(aimed) - 1);
	CU_ASSERT_EQUAL(memcmp(out, aimed, sizeof(aimed) - 1), 0);
}

static void what_leads_nowhere_is_refused(void)
{
	static const struct {
		const uint8_t *p;
		size_t len;
		uint16_t n;
	} rows[] = {
		{ S(""), 0 },
		{ S("\1a\0\0\1\0\1\0\0\0\0\0\4abcd"), 1 },    /* an address */
		{ S("\1a\0\0\5\0\1\0\0\0\0\0\2\300\14"), 1 }, /* a pointer */
		{ S("\1a\0\0\5\0\1\0\0\0\0\0\3\1b\0x"), 1 },  /* more bytes */
		{ S("\1a\0\0\5\0\1\0\0\0\0\0\4\1b\0x"), 1 },  /* in rdata */
		{ S("\1a\0\0\5\0\1\0\0\0\0\0\5\1b\0"), 1 },   /* too long */
		{ S("\1a\0\0\5\0\1\0\0\0\0\0\3\1b\0"), 2 },   /* one only */
		{ S("\1a\0\0\5\0\1\0\0"), 1 },
		{ S("\77a"), 1 },
	};
	uint8_t out[DNSMSG_AIMED];
	struct dnsmsg q;

	dnsmsg_parse(&q, query, sizeof(query) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *copy = malloc(rows[i].len + 1);
		struct dnsmsg_chain c = { copy, (uint32_t)rows[i].len,
					  rows[i].n };

		memcpy(copy, rows[i].p, rows[i].len);
		CU_ASSERT_EQUAL(dnsmsg_aim(out, query, &q, &c), -EINVAL);
		free(copy);
	}
}

#define HEAD   "\x12\x34\x85\xa0\0\1\0"
#define ASKED  "\3cdn\1b\0\0\1\0\1"
#define RECORD "\0\1\0\0\0\x3c\0"

/* What each name of the joined answer is, in the order they stand in. */
static void pointers_lead_where_they_did(void)
{
	static const uint8_t reply[] = HEAD
		"\2\0\2\0\0" ASKED
		/* 23: cdn.b CNAME x.b, 37: its rdata */
		"\300\14\0\5" RECORD "\4\1x\300\20"
		/* 39: x.b MX 7 m.x.b */
		"\300\43\0\17" RECORD "\6\0\7\1m\300\43"
		/* b NS cdn.b */
		"\300\20\0\2" RECORD "\2\300\14"
		/* b SOA x.b m.x.b ... */
		"\300\20\0\6" RECORD "\x18\300\43\300\65"
		"\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1";
	static const char *const owners[] = { "www.a", "cdn.b", "x.b", "b",
					      "b" };
	static const char *const first[] = { "cdn.b", "x.b", "m.x.b", "cdn.b",
					     "x.b" };
	char text[DNSMSG_TEXT];
	uint8_t out[512];
	size_t n = join(out, sizeof(out), reply, sizeof(reply) - 1, &to_cdn);
	size_t at = 12 + 11;
	struct dnsmsg m;

	CU_ASSERT_EQUAL_FATAL(n, sizeof(reply) - 1 + sizeof(chain) - 1);
	CU_ASSERT_EQUAL_FATAL(dnsmsg_parse(&m, out, n), 0);
	CU_ASSERT_EQUAL(m.count[1], 3);
	CU_ASSERT_EQUAL(m.count[2], 2);
	CU_ASSERT_EQUAL(m.flags, 0x8180); /* neither AA nor AD */
	CU_ASSERT_EQUAL(memcmp(out + 12, "\3wWw\1a", 7), 0);
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		size_t data;

		CU_ASSERT_TRUE(dnsmsg_name(out, n, at, text) > 0);
		CU_ASSERT_STRING_EQUAL(text, owners[i]);
		at += i ? 2 : 7;
		data = at + 10 + (out[at + 1] == 15 ? 2 : 0);
		CU_ASSERT_TRUE(dnsmsg_name(out, n, data, text) > 0);
		CU_ASSERT_STRING_EQUAL(text, first[i]);
		if (i == 4) {
			CU_ASSERT_TRUE(dnsmsg_name(out, n, data + 2, text) > 0);
			CU_ASSERT_STRING_EQUAL(text, "m.x.b");
		}
		at += 10 + get_be16(out + at + 8);
	}
	CU_ASSERT_EQUAL(at, n);
	CU_ASSERT_EQUAL(join(out, n - 1, reply, sizeof(reply) - 1, &to_cdn), 0);
}

static void what_cannot_be_moved_is_refused(void)
{
	/* A pointer to the type of the question; rdata that ends in a name;
	 * one with a pointer that is cut. */
	static const struct {
		const uint8_t *p;
		size_t len;
	} rows[] = {
		{ S(HEAD "\1\0\0\0\0" ASKED "\300\14\0\5" RECORD "\2\300\23") },
		{ S(HEAD "\1\0\0\0\0" ASKED "\300\14\0\5" RECORD "\2\5a") },
		{ S(HEAD "\1\0\0\0\0" ASKED "\300\14\0\5" RECORD "\1\300") },
		{ S(HEAD "\1\0\0\0\0" ASKED "\300\14\0\x0f" RECORD "\1\0") },
	};
	uint8_t out[512];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CU_ASSERT_EQUAL(join(out, sizeof(out), rows[i].p, rows[i].len,
				     &to_cdn),
				0);
}

/* Pointers have 14 bits. */
static void far_pointers_do_not_go_wrong(void)
{
	static uint8_t reply[20000], out[20100];
	static const uint8_t head[] = HEAD "\2\0\0\0\0" ASKED;
	size_t at = sizeof(head) - 1, name;
	struct dnsmsg r;

	memcpy(reply, head, at);
	memcpy(reply + at, "\300\14\0\20" RECORD, 11);
	name = 0x3ffe; /* of a record that begins there */
	put_be16(reply + at + 10, (uint16_t)(name - at - 12));
	at = name;
	memcpy(reply + at, "\1x\0\0\5" RECORD "\2\377\376", 15);
	at += 15;
	CU_ASSERT_EQUAL_FATAL(dnsmsg_parse(&r, reply, at), 0);
	CU_ASSERT_EQUAL(join(out, sizeof(out), reply, at, &to_cdn), 0);
}

/* Whatever the bytes are, what comes out is a message. */
static void any_reply_is_joined_or_refused(void)
{
	static const uint8_t seed[] = HEAD
		"\2\0\1\0\1" ASKED "\300\14\0\5" RECORD "\4\1x\300\20"
		"\300\43\0\1" RECORD "\4abcd"
		"\300\20\0\6" RECORD "\x18\300\43\300\43"
		"\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1"
		"\0\0\x29\4\xd0\0\0\0\0\0\0";
	uint8_t reply[sizeof(seed) - 1], out[512];
	struct dnsmsg m;
	int joined = 0;

	srand(1);
	for (int round = 0; round < 20000; round++) {
		size_t n;

		memcpy(reply, seed, sizeof(reply));
		for (int k = round % 4; k >= 0; k--)
			reply[23 + rand() % (sizeof(reply) - 23)] =
				(uint8_t)rand();
		n = join(out, sizeof(out), reply, sizeof(reply), &to_cdn);
		if (!n)
			continue;
		joined++;
		CU_ASSERT_EQUAL(dnsmsg_parse(&m, out, n), 0);
		CU_ASSERT_EQUAL(m.len, n);
	}
	CU_ASSERT_TRUE(joined > 1000);
}

static const struct unit_test tests[] = {
	UNIT(a_question_gets_another_name_and_keeps_its_edns),
	UNIT(what_leads_nowhere_is_refused),
	UNIT(pointers_lead_where_they_did),
	UNIT(what_cannot_be_moved_is_refused),
	UNIT(far_pointers_do_not_go_wrong),
	UNIT(any_reply_is_joined_or_refused),
};

UNIT_MAIN("dnsjoin", tests)
