/* SPDX-License-Identifier: MIT */
/* test_upstream_cache.c - answers kept, by bytes; and what may be kept */
#include "../../plugins/dns-upstream/cache.h"
#include "unit.h"

static const uint64_t key[2] = { 1, 2 };

/* The question for nNUMBER.test, A. */
static struct question ask(unsigned int number, unsigned int flags)
{
	uint8_t msg[64] = { 0, 0, 0, 0, 0, 1 };
	char label[16];
	int n = snprintf(label, sizeof(label), "n%u", number);
	size_t at = 12;
	struct question q;
	struct msg m;

	msg[2] = flags & MSG_ASK_RD ? 1 : 0;
	msg[at] = (uint8_t)n;
	memcpy(msg + at + 1, label, (size_t)n);
	at += 1u + (size_t)n;
	memcpy(msg + at, "\4test\0\0\1\0\1", 10);
	CU_ASSERT_TRUE_FATAL(msg_read(&m, msg, at + 10));
	question_init(&q, 0, msg, &m, key);
	return q;
}

static void put(struct cache *c, const struct question *q, size_t len,
		uint64_t now, uint64_t ms, bool failure)
{
	static uint8_t msg[65535];
	struct msg_answer a = { .p = msg, .len = len };

	msg[0] = (uint8_t)q->hash;
	cache_put(c, q, &a, now, ms, failure);
}

static void what_is_kept_is_found_until_it_is_too_old(void)
{
	struct question q = ask(1, MSG_ASK_RD), other = ask(1, 0);
	struct cache c;
	struct cache_entry *e;

	CU_ASSERT_EQUAL_FATAL(cache_init(&c, 65536, 1000), 0);
	put(&c, &q, 100, 0, 5000, false);
	e = cache_find(&c, &q, 4999);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	CU_ASSERT_EQUAL(e->until_ms, 5000);
	CU_ASSERT_EQUAL(e->hits, 1);
	CU_ASSERT_PTR_NULL(cache_find(&c, &other, 0));
	CU_ASSERT_PTR_NOT_NULL(cache_find(&c, &q, 5999)); /* stale */
	CU_ASSERT_PTR_NULL(cache_find(&c, &q, 6000));
	CU_ASSERT_EQUAL(c.n, 0);
	cache_fini(&c);
}

static void a_failure_does_not_replace_what_was_known(void)
{
	struct question q = ask(1, 0), other = ask(2, 0);
	struct cache c;

	CU_ASSERT_EQUAL_FATAL(cache_init(&c, 65536, 100000), 0);
	put(&c, &q, 100, 0, 5000, false);
	put(&c, &q, 50, 6000, 1000, true);
	CU_ASSERT_FALSE(cache_find(&c, &q, 6000)->failure);
	put(&c, &other, 50, 6000, 1000, true);
	CU_ASSERT_TRUE(cache_find(&c, &other, 6000)->failure);
	CU_ASSERT_PTR_NULL(cache_find(&c, &other, 7000)); /* never stale */
	put(&c, &other, 50, 7000, 1000, true);
	cache_drop_failures(&c);
	CU_ASSERT_PTR_NULL(cache_find(&c, &other, 7000));
	CU_ASSERT_PTR_NOT_NULL(cache_find(&c, &q, 7000));
	cache_fini(&c);
}

/* A TTL of 0, a "no" without SOA: news, though not to be kept. */
static void what_may_not_be_kept_ends_what_was(void)
{
	struct question q = ask(1, 0);
	struct cache c;

	CU_ASSERT_EQUAL_FATAL(cache_init(&c, 65536, 100000), 0);
	put(&c, &q, 100, 0, 5000, false);
	put(&c, &q, 100, 6000, 0, true);
	CU_ASSERT_PTR_NOT_NULL(cache_find(&c, &q, 6000));
	put(&c, &q, 100, 6000, 0, false);
	CU_ASSERT_PTR_NULL(cache_find(&c, &q, 6000));
	CU_ASSERT_EQUAL(c.n, 0);
	cache_fini(&c);
}

static void memory_has_a_bound_and_the_least_used_goes(void)
{
	struct cache c;
	struct question first = ask(0, 0), q;

	CU_ASSERT_EQUAL_FATAL(cache_init(&c, 200000, 0), 0);
	for (unsigned int i = 0; i < 5000; i++) {
		q = ask(i, 0);
		put(&c, &q, 40 + i % 700, 0, 1000, false);
		CU_ASSERT_TRUE(c.bytes <= c.max);
		CU_ASSERT_PTR_NOT_NULL(cache_find(&c, &first, 0));
		CU_ASSERT_PTR_NOT_NULL(cache_find(&c, &q, 0));
	}
	CU_ASSERT_TRUE(c.n > 100 && c.n < 1000);
	q = ask(1, 0);
	CU_ASSERT_PTR_NULL(cache_find(&c, &q, 0));
	put(&c, &q, 65535, 0, 1000, false); /* more than its share */
	CU_ASSERT_PTR_NULL(cache_find(&c, &q, 0));
	CU_ASSERT_TRUE(c.n > 100);
	cache_fini(&c);
}

static void without_room_nothing_is_kept(void)
{
	struct question q = ask(1, 0);
	struct cache c;

	CU_ASSERT_EQUAL_FATAL(cache_init(&c, 0, 1000), 0);
	put(&c, &q, 100, 0, 5000, false);
	CU_ASSERT_PTR_NULL(cache_find(&c, &q, 0));
	cache_fini(&c);
}

/* ---------------------------------------------------------------- lifetime */

#define HEAD(rcode, an, ns)                                                    \
	0, 1, 0x81, 0x80 | (rcode), 0, 1, 0, an, 0, ns, 0, 0, 1, 'a', 0, 0, 1, \
		0, 1
#define A(ttl)     0xc0, 12, 0, 1, 0, 1, 0, 0, 0, ttl, 0, 4, 192, 0, 2, 1
#define CNAME(ttl) 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, ttl, 0, 2, 0xc0, 12
#define NS(ttl)    0xc0, 12, 0, 2, 0, 1, 0, 0, 0, ttl, 0, 2, 0xc0, 12
#define SOA(ttl, no)                                                          \
	0xc0, 12, 0, 6, 0, 1, 0, 0, 0, ttl, 0, 22, 0, 0, 0, 0, 0, 1, 0, 0, 0, \
		2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, no

/* clang-format off */
static const struct life {
	uint8_t msg[128];
	uint8_t len;
	uint8_t seconds;
	bool negative;
} lives[] = {
#define ROW(sec, neg, ...) \
	{ { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }), sec, neg }
	ROW(60, false, HEAD(0, 1, 0), A(60)),
	ROW(5, false, HEAD(0, 2, 0), A(60), A(5)),
	ROW(5, false, HEAD(0, 2, 0), CNAME(5), A(60)),
	ROW(7, false, HEAD(0, 1, 1), A(60), NS(7)),
	ROW(0, false, HEAD(0, 1, 0), A(0)),
	/* RFC 2308, 5: the smaller of the SOA's TTL and its last field */
	ROW(30, true, HEAD(3, 0, 1), SOA(60, 30)),
	ROW(20, true, HEAD(3, 0, 1), SOA(20, 30)),
	ROW(30, true, HEAD(0, 0, 1), SOA(60, 30)),
	ROW(9, true, HEAD(0, 1, 1), CNAME(9), SOA(60, 30)),
	/* without one it is not kept */
	ROW(0, true, HEAD(3, 0, 0)),
	ROW(0, true, HEAD(0, 0, 0)),
	ROW(0, true, HEAD(0, 0, 1), NS(60)),
	ROW(0, true, HEAD(0, 1, 0), CNAME(9)),
	ROW(0, false, HEAD(2, 1, 0), A(60)),
};
/* clang-format on */

static void an_answer_says_how_long_it_holds(void)
{
	for (size_t i = 0; i < sizeof(lives) / sizeof(*lives); i++) {
		bool negative;

		CU_ASSERT_EQUAL(msg_lifetime(lives[i].msg, lives[i].len,
					     &negative),
				lives[i].seconds);
		CU_ASSERT_EQUAL(negative, lives[i].negative);
	}
}

static void a_ttl_of_more_than_31_bits_is_none(void)
{
	uint8_t msg[] = { HEAD(0, 1, 0), A(60) };
	bool negative;

	msg[sizeof(msg) - 10] = 0x80; /* RFC 2181, 8 */
	CU_ASSERT_EQUAL(msg_lifetime(msg, sizeof(msg), &negative), 0);
	msg_set_ttls(msg, sizeof(msg), 0, 0, 100);
	CU_ASSERT_EQUAL(msg[sizeof(msg) - 10], 0);
	CU_ASSERT_EQUAL(msg[sizeof(msg) - 7], 0);
}

static void ttls_age_within_limits(void)
{
	uint8_t msg[] = { HEAD(0, 2, 0), A(60), A(5) };

	msg_set_ttls(msg, sizeof(msg), 10, 0, 40);
	CU_ASSERT_EQUAL(msg[sizeof(msg) - 7], 0);
	CU_ASSERT_EQUAL(msg[sizeof(msg) - 23], 40);
	msg_set_ttls(msg, sizeof(msg), 0, 30, 30);
	CU_ASSERT_EQUAL(msg[sizeof(msg) - 7], 30);
	CU_ASSERT_EQUAL(msg[sizeof(msg) - 23], 30);
}

/* Whatever comes, nothing is read past its end (a sanitizer looks on). */
static void messages_may_end_anywhere(void)
{
	static const uint8_t whole[] = { HEAD(3, 1, 1), CNAME(9), SOA(9, 9) };

	for (size_t len = 0; len <= sizeof(whole); len++) {
		uint8_t *msg = malloc(len + 1);
		bool negative;
		struct msg m;

		memcpy(msg, whole, len);
		msg = realloc(msg, len ? len : 1);
		CU_ASSERT_EQUAL(msg_read(&m, msg, len), len == sizeof(whole));
		CU_ASSERT_EQUAL(msg_lifetime(msg, len, &negative) != 0,
				len == sizeof(whole));
		free(msg);
	}
}

static const struct unit_test tests[] = {
	UNIT(what_is_kept_is_found_until_it_is_too_old),
	UNIT(a_failure_does_not_replace_what_was_known),
	UNIT(what_may_not_be_kept_ends_what_was),
	UNIT(memory_has_a_bound_and_the_least_used_goes),
	UNIT(without_room_nothing_is_kept),
	UNIT(an_answer_says_how_long_it_holds),
	UNIT(a_ttl_of_more_than_31_bits_is_none),
	UNIT(ttls_age_within_limits),
	UNIT(messages_may_end_anywhere),
};

UNIT_MAIN("dns-upstream: cache", tests)
