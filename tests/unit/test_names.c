/* SPDX-License-Identifier: MIT */
/* test_names.c - what addresses were looked up as, for how long, how many */
#include "names.h"

#include "addr.h"
#include "pool.h"
#include "unit.h"
#include "util.h"

#define SEC 1000u

static struct sluice_addr addr(const char *text)
{
	struct sluice_addr a;

	CU_ASSERT_EQUAL_FATAL(addr_parse(text, 0, &a), 0);
	return a;
}

/* The i-th of many. */
static struct sluice_addr nth(int family, uint32_t i)
{
	struct sluice_addr a = { .family = (uint8_t)family };

	put_be32(a.ip, 0x0a000000 + i);
	return a;
}

static void add(struct names *t, const char *a, const char *name, uint32_t ttl,
		uint64_t now)
{
	struct sluice_addr v = addr(a);

	names_add(t, &v, name, ttl, now);
}

/* Is this its name (NULL: has it none)? */
static bool is(struct names *t, const char *a, const char *name, uint64_t now)
{
	struct sluice_addr v = addr(a);
	const char *got = names_get(t, &v, now);
	bool same = name && got ? !strcmp(name, got) : !name && !got;

	names_put(got);
	return same;
}

static size_t used_before;

static struct names *new_table(void)
{
	struct names *t;

	used_before = pool_malloc_used();
	t = names_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	return t;
}

static void end(struct names *t)
{
	names_free(t);
	CU_ASSERT_EQUAL(pool_malloc_used(), used_before);
}

static void an_address_has_the_name_it_was_answered_for(void)
{
	struct names *t = new_table();

	add(t, "192.0.2.1", "example.org", 300, 0);
	add(t, "2001:db8::1", "example.org", 300, 0);
	add(t, "2001:db8::2", "six.example", 300, 0);
	CU_ASSERT_TRUE(is(t, "192.0.2.1", "example.org", 0));
	CU_ASSERT_TRUE(is(t, "192.0.2.1:443", "example.org", 0));
	CU_ASSERT_TRUE(is(t, "2001:db8::1", "example.org", 0));
	CU_ASSERT_TRUE(is(t, "[2001:db8::2]:80", "six.example", 0));
	CU_ASSERT_TRUE(is(t, "192.0.2.2", NULL, 0));
	/* The same first four bytes are not the same address. */
	CU_ASSERT_TRUE(is(t, "c000:201::", NULL, 0));
	CU_ASSERT_EQUAL(names_count(t), 3);
	end(t);
}

static void the_last_answer_counts(void)
{
	struct names *t = new_table();

	add(t, "192.0.2.1", "one.example", 300, 0);
	add(t, "192.0.2.1", "two.example", 300, 1);
	CU_ASSERT_TRUE(is(t, "192.0.2.1", "two.example", 1));
	CU_ASSERT_EQUAL(names_count(t), 1);
	end(t);
}

static void without_a_table_nothing_has_a_name(void)
{
	struct sluice_addr a = addr("192.0.2.1");

	CU_ASSERT_PTR_NULL(names_get(NULL, &a, 0));
	names_put(NULL);
	names_free(NULL);
}

static const struct ttl {
	uint32_t ttl;
	uint64_t seconds; /* it is kept */
} ttls[] = {
	{ 0, 60 },      { 1, 60 },       { 60, 60 },
	{ 61, 61 },     { 300, 300 },    { 3600, 3600 },
	{ 3601, 3600 }, { 86400, 3600 }, { UINT32_MAX, 3600 },
};

static void a_name_is_kept_for_its_ttl_within_bounds(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(ttls); i++) {
		uint64_t now = 1000000007, last = ttls[i].seconds * SEC - 1;
		struct names *t = new_table();

		add(t, "192.0.2.1", "a.example", ttls[i].ttl, now);
		CU_ASSERT_TRUE(is(t, "192.0.2.1", "a.example", now + last));
		CU_ASSERT_TRUE(is(t, "192.0.2.1", NULL, now + last + 1));
		CU_ASSERT_EQUAL(names_count(t), 0);
		end(t);
	}
}

static void an_answer_again_is_a_new_ttl(void)
{
	struct names *t = new_table();

	add(t, "192.0.2.1", "a.example", 100, 0);
	add(t, "192.0.2.1", "a.example", 100, 90 * SEC);
	CU_ASSERT_TRUE(is(t, "192.0.2.1", "a.example", 189 * SEC));
	CU_ASSERT_TRUE(is(t, "192.0.2.1", NULL, 190 * SEC));
	end(t);
}

static void a_name_in_use_does_not_get_old(void)
{
	struct sluice_addr a = addr("192.0.2.1");
	struct names *t = new_table();
	const char *flow;

	add(t, "192.0.2.1", "a.example", 60, 0);
	flow = names_get(t, &a, 0);
	CU_ASSERT_STRING_EQUAL(flow, "a.example");
	names_trim(t, 7200 * SEC);
	CU_ASSERT_TRUE(is(t, "192.0.2.1", "a.example", 7200 * SEC));
	names_put(flow);
	CU_ASSERT_TRUE(is(t, "192.0.2.1", NULL, 7200 * SEC));
	end(t);
}

static void a_name_lives_as_long_as_its_flow(void)
{
	struct sluice_addr a = addr("2001:db8::1");
	struct names *t = new_table();
	const char *one, *two, *three;

	names_add(t, &a, "a.example", 60, 0);
	one = names_get(t, &a, 0);
	two = names_get(t, &a, 0);
	CU_ASSERT_PTR_EQUAL(one, two);
	names_add(t, &a, "b.example", 60, 0);
	three = names_get(t, &a, 0);
	CU_ASSERT_STRING_EQUAL(one, "a.example");
	names_put(one);
	names_free(t);
	CU_ASSERT_STRING_EQUAL(two, "a.example");
	CU_ASSERT_STRING_EQUAL(three, "b.example");
	names_put(two);
	names_put(three);
	CU_ASSERT_EQUAL(pool_malloc_used(), used_before);
}

static void the_addresses_of_an_answer_share_its_name(void)
{
	struct names *t = new_table();
	uint32_t bytes;

	add(t, "192.0.2.1", "example.org", 300, 0);
	bytes = names_bytes(t);
	CU_ASSERT_TRUE(bytes > strlen("example.org"));
	add(t, "192.0.2.2", "example.org", 300, 0);
	add(t, "2001:db8::1", "example.org", 300, 0);
	add(t, "192.0.2.1", "example.org", 300, 0);
	CU_ASSERT_EQUAL(names_bytes(t), bytes);
	CU_ASSERT_EQUAL(pool_malloc_used(), used_before + 1);
	end(t);
}

static void the_least_recently_used_address_is_forgotten(void)
{
	struct names *t = new_table();
	struct sluice_addr a;
	const char *name;

	for (uint32_t i = 0; i < NAMES_MAX; i++) {
		a = nth(i % 2 ? 4 : 6, i);
		names_add(t, &a, i % 3 ? "a.example" : "b.example", 300, 0);
	}
	CU_ASSERT_EQUAL(names_count(t), NAMES_MAX);
	a = nth(6, 0);
	name = names_get(t, &a, 0); /* not the oldest any more */
	CU_ASSERT_PTR_NOT_NULL(name);
	for (uint32_t i = 0; i < 10; i++) {
		a = nth(4, NAMES_MAX + i);
		names_add(t, &a, "c.example", 300, 0);
	}
	CU_ASSERT_EQUAL(names_count(t), NAMES_MAX);
	for (uint32_t i = 1; i < 20; i++) {
		a = nth(i % 2 ? 4 : 6, i);
		names_put(name);
		name = names_get(t, &a, 0);
		CU_ASSERT_EQUAL(name != NULL, i > 10);
	}
	names_put(name);
	a = nth(6, 0);
	name = names_get(t, &a, 0);
	CU_ASSERT_STRING_EQUAL(name, "b.example");
	names_put(name);
	end(t);
}

static void the_bytes_of_names_are_bounded(void)
{
	struct names *t = new_table();
	char text[1005];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (uint32_t i = 0; i < NAMES_MAX; i++) {
		struct sluice_addr a = nth(4, i);
		const char *name;

		memset(text, 'a' + (int)(i / 26 % 26), 500);
		text[0] = (char)('a' + i % 26);
		names_add(t, &a, text, 300, 0);
		CU_ASSERT_TRUE(names_bytes(t) <= NAMES_BYTES);
		name = names_get(t, &a, 0);
		CU_ASSERT_PTR_NOT_NULL_FATAL(name);
		CU_ASSERT_STRING_EQUAL(name, text);
		names_put(name);
	}
	CU_ASSERT_TRUE(names_count(t) > 400);
	CU_ASSERT_TRUE(names_count(t) < 600);
	end(t);
}

static void what_is_too_old_is_given_back(void)
{
	struct names *t = new_table();

	for (uint32_t i = 0; i < 1000; i++) {
		struct sluice_addr a = nth(4, i);

		names_add(t, &a, i % 2 ? "a.example" : "b.example",
			  i < 900 ? 60 : 120, 0);
	}
	names_trim(t, 60 * SEC - 1);
	CU_ASSERT_EQUAL(names_count(t), 1000);
	names_trim(t, 60 * SEC);
	CU_ASSERT_EQUAL(names_count(t), 100);
	names_trim(t, 120 * SEC);
	CU_ASSERT_EQUAL(names_count(t), 0);
	CU_ASSERT_EQUAL(names_bytes(t), 0);
	CU_ASSERT_EQUAL(pool_malloc_used(), used_before);
	end(t);
}

/* Against a plain array that forgets nothing but by age. */
static void a_long_random_life_gives_no_wrong_name(void)
{
	static const char *const text[] = { "a", "b.b", "c.c.c", "d" };
	struct names *t = new_table();
	const char *flow[64] = { NULL }, *due[64] = { NULL };
	struct {
		const char *name;
		uint64_t until;
	} want[256] = { { NULL, 0 } };
	uint32_t seed = 1;
	uint64_t now = 0;

	for (int i = 0; i < 200000; i++) {
		uint32_t r = seed = seed * 1664525u + 1013904223u;
		uint32_t at = r >> 24, who = r >> 18 & 63, ttl = r >> 10 & 255;
		struct sluice_addr a = nth(at % 2 ? 4 : 6, at);

		now += r >> 8 & 127;
		if (r >> 16 & 1) {
			want[at].name = text[r >> 14 & 3];
			want[at].until = now + MAX(ttl, 60u) * SEC;
			names_add(t, &a, want[at].name, ttl, now);
			continue;
		}
		if (flow[who])
			CU_ASSERT_STRING_EQUAL(flow[who], due[who]);
		names_put(flow[who]);
		due[who] = want[at].name;
		flow[who] = names_get(t, &a, now);
		if (now < want[at].until)
			CU_ASSERT_PTR_NOT_NULL(flow[who]);
		if (flow[who])
			CU_ASSERT_STRING_EQUAL_FATAL(flow[who], due[who]);
		if (!(i % 5000))
			names_trim(t, now);
	}
	for (int i = 0; i < 64; i++)
		names_put(flow[i]);
	end(t);
}

static const struct unit_test tests[] = {
	UNIT(an_address_has_the_name_it_was_answered_for),
	UNIT(the_last_answer_counts),
	UNIT(without_a_table_nothing_has_a_name),
	UNIT(a_name_is_kept_for_its_ttl_within_bounds),
	UNIT(an_answer_again_is_a_new_ttl),
	UNIT(a_name_in_use_does_not_get_old),
	UNIT(a_name_lives_as_long_as_its_flow),
	UNIT(the_addresses_of_an_answer_share_its_name),
	UNIT(the_least_recently_used_address_is_forgotten),
	UNIT(the_bytes_of_names_are_bounded),
	UNIT(what_is_too_old_is_given_back),
	UNIT(a_long_random_life_gives_no_wrong_name),
};

UNIT_MAIN("names", tests)
