/* SPDX-License-Identifier: MIT */
/* test_stats.c - the table of counters */
#include "stats.h"

#include <ctype.h>

#include "unit.h"

static void every_counter_has_its_own_name_and_a_help(void)
{
	for (int i = 0; i < STATS_COUNT; i++) {
		const struct stats_desc *d = &stats_desc[i];

		for (const char *c = d->name; *c; c++)
			CU_ASSERT(islower(*c) || *c == '_');
		CU_ASSERT(strlen(d->help) > 5);
		CU_ASSERT(d->kind == 'C' || d->kind == 'G');
		for (int j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(d->name, stats_desc[j].name);
	}
}

static void names_and_numbers_belong_together(void)
{
	CU_ASSERT_STRING_EQUAL(stats_desc[STATS_tun_up_packets].name,
			       "tun_up_packets");
	CU_ASSERT_STRING_EQUAL(stats_desc[STATS_COUNT - 1].name,
			       "stack_assertions");
	CU_ASSERT_EQUAL(stats_desc[STATS_tcp_open].kind, 'G');
	CU_ASSERT_EQUAL(stats_desc[STATS_tcp_opened].kind, 'C');
}

static void counters_count_and_gauges_go_down_again(void)
{
	struct stats s = { { 0 } };

	stats_inc(&s, udp_opened);
	stats_add(&s, flow_up_bytes, 1500);
	stats_inc(&s, udp_open);
	stats_dec(&s, udp_open);
	CU_ASSERT_EQUAL(stats_get(&s, udp_opened), 1);
	CU_ASSERT_EQUAL(stats_get(&s, flow_up_bytes), 1500);
	CU_ASSERT_EQUAL(stats_get(&s, udp_open), 0);
}

static const struct unit_test tests[] = {
	UNIT(every_counter_has_its_own_name_and_a_help),
	UNIT(names_and_numbers_belong_together),
	UNIT(counters_count_and_gauges_go_down_again),
};

UNIT_MAIN("stats", tests)
