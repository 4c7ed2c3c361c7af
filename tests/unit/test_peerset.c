/* SPDX-License-Identifier: MIT */
/* test_peerset.c - the peers a UDP session may hear */
#include "peerset.h"

#include "addr.h"
#include "unit.h"

static struct sluice_addr peer(uint32_t n)
{
	struct sluice_addr a = { .family = 4, .port = (uint16_t)(n >> 8) };

	put_be32(a.ip, 0x0a000000 + n);
	return a;
}

static void nobody_is_in_no_set(void)
{
	struct sluice_addr a = peer(1);

	CU_ASSERT_FALSE(peerset_has(NULL, &a));
	peerset_free(NULL);
}

static void who_was_added_is_in_it(void)
{
	struct peerset *s = NULL;
	struct sluice_addr a;

	for (uint32_t i = 0; i < PEERSET_MAX; i++) {
		a = peer(i);
		CU_ASSERT_EQUAL(peerset_add(&s, &a), 0);
		CU_ASSERT_EQUAL(peerset_add(&s, &a), 0);
	}
	for (uint32_t i = 0; i < PEERSET_MAX; i++) {
		a = peer(i);
		CU_ASSERT_TRUE(peerset_has(s, &a));
	}
	a = peer(PEERSET_MAX);
	CU_ASSERT_FALSE(peerset_has(s, &a));
	peerset_free(s);
}

static void port_and_family_are_part_of_a_peer(void)
{
	struct peerset *s = NULL;
	struct sluice_addr a = peer(7), b = a;

	CU_ASSERT_EQUAL(peerset_add(&s, &a), 0);
	b.port++;
	CU_ASSERT_FALSE(peerset_has(s, &b));
	b = a;
	b.family = 6;
	CU_ASSERT_FALSE(peerset_has(s, &b));
	peerset_free(s);
}

static void those_written_to_lately_are_never_forgotten(void)
{
	struct sluice_addr a, friend = peer(0xffffff);
	struct peerset *s = NULL;

	/* A flood of others; the friend is written to now and then. */
	for (uint32_t i = 0; i < 20 * PEERSET_MAX; i++) {
		a = peer(i);
		CU_ASSERT_EQUAL(peerset_add(&s, &a), 0);
		if (i % (PEERSET_MAX / 2) == 0)
			CU_ASSERT_EQUAL(peerset_add(&s, &friend), 0);
		CU_ASSERT_TRUE(peerset_has(s, &friend));
		CU_ASSERT_TRUE(peerset_has(s, &a));
	}
	/* The set is bounded: the first of the flood are gone. */
	a = peer(0);
	CU_ASSERT_FALSE(peerset_has(s, &a));
	peerset_free(s);
}

/* clang-format off */
static const struct unit_test tests[] = {
	UNIT(nobody_is_in_no_set),
	UNIT(who_was_added_is_in_it),
	UNIT(port_and_family_are_part_of_a_peer),
	UNIT(those_written_to_lately_are_never_forgotten),
};
/* clang-format on */

UNIT_MAIN("peerset", tests)
