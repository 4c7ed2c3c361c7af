/* SPDX-License-Identifier: MIT */
/* test_flowtab.c - flows by key */
#include "flowtab.h"

#include "flow.h"
#include "unit.h"

#define MANY 200000

static void key_of(struct flow_key *k, uint32_t n)
{
	struct sluice_addr src = { .family = n & 1 ? 6 : 4 }, dst = src;

	put_be32(src.ip, n / 7);
	src.port = (uint16_t)n;
	put_be32(dst.ip, n);
	dst.port = 443;
	flow_key_set(k, n & 2 ? 17 : 6, &src, &dst);
}

static void keys_are_the_same_whatever_was_in_memory(void)
{
	struct sluice_addr src = { .family = 4,
				   .port = 1,
				   .ip = { 1, 2, 3, 4 } };
	struct sluice_addr dst = { .family = 4,
				   .port = 2,
				   .ip = { 5, 6, 7, 8 } };
	struct flow_key a, b;

	memset(&a, 0x00, sizeof(a));
	memset(&b, 0xff, sizeof(b));
	flow_key_set(&a, 6, &src, &dst);
	src.ip[15] = 9; /* not part of an IPv4 address */
	src.scope = 3;
	flow_key_set(&b, 6, &src, &dst);
	CU_ASSERT(!memcmp(&a, &b, sizeof(a)));
	CU_ASSERT_EQUAL(a.sport, 1);
	CU_ASSERT_EQUAL(a.dport, 2);
}

static void each_part_of_a_key_counts(void)
{
	struct sluice_addr src = { .family = 6,
				   .port = 1,
				   .ip = { 1, [15] = 4 } };
	struct sluice_addr dst = { .family = 6,
				   .port = 2,
				   .ip = { 2, [15] = 5 } };
	struct sluice_addr other;
	struct flow_key k[7];

	flow_key_set(&k[0], 6, &src, &dst);
	flow_key_set(&k[1], 17, &src, &dst);
	flow_key_set(&k[2], 6, &src, NULL);
	flow_key_set(&k[3], 6, &dst, &src);
	other = src;
	other.ip[15]++;
	flow_key_set(&k[4], 6, &other, &dst);
	other = dst;
	other.port++;
	flow_key_set(&k[5], 6, &src, &other);
	other = dst;
	other.ip[15]++;
	flow_key_set(&k[6], 6, &src, &other);
	for (size_t i = 0; i < ARRAY_SIZE(k); i++)
		for (size_t j = 0; j < i; j++)
			CU_ASSERT(memcmp(&k[i], &k[j], sizeof(k[i])));
}

static void what_was_added_is_found_until_it_is_deleted(void)
{
	struct flow f = { 0 }, g = { 0 };
	struct flowtab t;

	CU_ASSERT_EQUAL_FATAL(flowtab_init(&t), 0);
	key_of(&f.key, 1);
	key_of(&g.key, 2);
	CU_ASSERT_PTR_NULL(flowtab_find(&t, &f.key));
	CU_ASSERT_EQUAL(flowtab_add(&t, &f), 0);
	CU_ASSERT_PTR_EQUAL(flowtab_find(&t, &f.key), &f);
	CU_ASSERT_PTR_NULL(flowtab_find(&t, &g.key));
	flowtab_del(&t, &g); /* never was in it */
	CU_ASSERT_EQUAL(t.count, 1);
	flowtab_del(&t, &f);
	CU_ASSERT_PTR_NULL(flowtab_find(&t, &f.key));
	CU_ASSERT_EQUAL(t.count, 0);
	flowtab_fini(&t);
}

static void two_tables_have_two_secrets(void)
{
	struct flowtab a, b;

	CU_ASSERT_EQUAL_FATAL(flowtab_init(&a), 0);
	CU_ASSERT_EQUAL_FATAL(flowtab_init(&b), 0);
	CU_ASSERT(memcmp(a.secret, b.secret, sizeof(a.secret)));
	flowtab_fini(&a);
	flowtab_fini(&b);
}

static uint32_t longest_chain(const struct flowtab *t)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i <= t->mask; i++) {
		uint32_t n = 0;

		for (struct flow *f = t->bucket[i]; f; f = f->hash_next)
			n++;
		most = MAX(most, n);
	}
	return most;
}

/* Each add is watched: it must not move more than a few buckets, and must
 * not lose a flow while both tables are in use. */
static void many_flows_come_and_go(void)
{
	struct flow *f = calloc(MANY, sizeof(*f));
	uint32_t lost = 0, moved = 0, grown = 0;
	struct flowtab t;

	CU_ASSERT_FATAL(f != NULL);
	CU_ASSERT_EQUAL_FATAL(flowtab_init(&t), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t before = t.moved, mask = t.mask;

		key_of(&f[i].key, i);
		CU_ASSERT_EQUAL_FATAL(flowtab_add(&t, &f[i]), 0);
		grown += t.mask != mask;
		if (t.mask == mask && t.moved > before)
			moved = MAX(moved, t.moved - before);
		lost += flowtab_find(&t, &f[i].key) != &f[i];
		lost += flowtab_find(&t, &f[i / 2].key) != &f[i / 2];
		/* the first and the last bucket move first and last */
		lost += flowtab_find(&t, &f[i % 512].key) != &f[i % 512];
	}
	CU_ASSERT_EQUAL(lost, 0);
	CU_ASSERT_EQUAL(t.count, MANY);
	CU_ASSERT(grown >= 8);
	CU_ASSERT(moved > 0 && moved <= 8);
	CU_ASSERT(t.mask + 1 >= MANY);
	CU_ASSERT(longest_chain(&t) < 16);

	for (uint32_t i = 0; i < MANY; i += 2)
		flowtab_del(&t, &f[i]);
	for (uint32_t i = 0; i < MANY; i++)
		lost += flowtab_find(&t, &f[i].key) != (i & 1 ? &f[i] : NULL);
	CU_ASSERT_EQUAL(lost, 0);
	CU_ASSERT_EQUAL(t.count, MANY / 2);
	flowtab_fini(&t);
	free(f);
}

static void flows_are_deleted_from_both_tables_while_it_grows(void)
{
	struct flow *f = calloc(2048, sizeof(*f));
	struct flowtab t;
	uint32_t n = 0, lost = 0;

	CU_ASSERT_FATAL(f != NULL);
	CU_ASSERT_EQUAL_FATAL(flowtab_init(&t), 0);
	for (; !t.old && n < 2048; n++) {
		key_of(&f[n].key, n);
		flowtab_add(&t, &f[n]);
	}
	for (uint32_t i = 0; i < 20 && n < 2048; i++, n++) {
		key_of(&f[n].key, n);
		flowtab_add(&t, &f[n]);
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(t.old);
	CU_ASSERT(t.moved > 0);
	for (uint32_t i = 0; i < n; i++) {
		flowtab_del(&t, &f[i]);
		lost += flowtab_find(&t, &f[i].key) != NULL;
		if (i + 1 < n)
			lost += flowtab_find(&t, &f[n - 1].key) != &f[n - 1];
	}
	CU_ASSERT_EQUAL(lost, 0);
	CU_ASSERT_EQUAL(t.count, 0);
	flowtab_fini(&t); /* with both tables */
	free(f);
}

static const struct unit_test tests[] = {
	UNIT(keys_are_the_same_whatever_was_in_memory),
	UNIT(each_part_of_a_key_counts),
	UNIT(what_was_added_is_found_until_it_is_deleted),
	UNIT(two_tables_have_two_secrets),
	UNIT(many_flows_come_and_go),
	UNIT(flows_are_deleted_from_both_tables_while_it_grows),
};

UNIT_MAIN("flowtab", tests)
