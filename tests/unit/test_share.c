/* SPDX-License-Identifier: MIT */
/* test_share.c - who may begin a flow, and who makes room for it */
#include "share.h"

#include "app.h"
#include "gateway.h"

static struct sluice_addr source(int n)
{
	struct sluice_addr a = world_app(4, 1000);

	put_be32(a.ip, get_be32(a.ip) + (uint32_t)n);
	return a;
}

static struct sluice_addr target(int n)
{
	struct sluice_addr a = world_app(4, 9);

	put_be32(a.ip, (UINT32_C(198) << 24) + (uint32_t)n);
	return a;
}

static void refuse(struct flow *f, int why, const struct dial_error *e)
{
	(void)f;
	(void)why;
	(void)e;
}

static void destroy(struct flow *f)
{
	(void)f;
}

/* Sessions that nobody opens. */
static const struct flow_type type = {
	.proto = PACKET_UDP,
	.chain = CHAIN_UDP,
	.size = sizeof(struct flow),
	.refuse = refuse,
	.destroy = destroy,
};

/* A session of source n, from the given port, to target n. */
static struct flow *begin(struct world *w, int n, uint16_t port, int *err)
{
	struct sluice_addr src = source(n), dst = target(n);
	struct flow *f = NULL;

	src.port = port;
	*err = flow_new(&w->gw, &type, &src, &dst, true, &f);
	return f;
}

/* From port on: how many of n begin. */
static int begin_many(struct world *w, int n, uint16_t port, int count)
{
	int begun = 0, err;

	for (int i = 0; i < count; i++)
		begun += begin(w, n, (uint16_t)(port + i), &err) != NULL;
	return begun;
}

static void answer(struct flow *f)
{
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	f->stats.down_pkts++;
	flow_touch(f);
}

static uint64_t count_of(struct world *w, enum stats_id id)
{
	return w->gw.stats.v[id];
}

/* A world where time is the test's, with so many places for sessions. */
static struct world *world_of(uint32_t places)
{
	struct world *w;

	app_freeze();
	w = app_world("");
	w->gw.flow_limit[GATEWAY_LRU_UDP] = places;
	app_wait(w, 1000);
	return w;
}

/* The sessions of these tests were never opened: they go before the end. */
static void one_goes(void *arg, struct flow *f)
{
	(void)arg;
	flow_end(f, SLUICE_WHY_DONE);
}

static void done(struct world *w)
{
	flow_each(&w->gw, one_goes, NULL);
	app_turns(w, 2);
	app_end(w);
}

/* T4: four fifths are for those that nobody answered. */
static void strangers_leave_places_for_those_who_were_answered(void)
{
	struct world *w = world_of(100);
	struct flow *f;
	int err;

	f = begin(w, 1, 1, &err);
	answer(f);
	CU_ASSERT_EQUAL(begin_many(w, 2, 1000, 80), 80);
	app_wait(w, 1000);
	CU_ASSERT_EQUAL(begin_many(w, 2, 2000, 20), 0);
	CU_ASSERT_EQUAL(count_of(w, STATS_limit_fresh), 20);
	f = begin(w, 1, 2, &err);
	CU_ASSERT_PTR_NOT_NULL(f);
	/* The flooding source, with more than half, has lost one. */
	CU_ASSERT_EQUAL(count_of(w, STATS_flow_evicted_fresh), 1);
	app_turns(w, 1);
	CU_ASSERT_EQUAL(count_of(w, STATS_udp_open), 81);
	done(w);
}

/* T4: many sources, one session each: none of them has more than the others,
 * so what was there stays, for 30 seconds. */
static void a_crowd_ends_no_session_that_is_young(void)
{
	struct world *w = world_of(100);
	struct flow *good;
	int err;

	good = begin(w, 1, 1, &err);
	answer(good);
	for (int i = 0; i < 90; i++) {
		begin(w, 2 + i, 1000, &err);
		app_wait(w, 20);
	}
	CU_ASSERT_EQUAL(err, -ENOBUFS);
	CU_ASSERT_EQUAL(count_of(w, STATS_udp_open), 81);
	CU_ASSERT_PTR_NOT_NULL(begin(w, 1, 2, &err)); /* has the rest */
	app_wait(w, 31000);
	CU_ASSERT_PTR_NOT_NULL(begin(w, 95, 1000, &err));
	CU_ASSERT_EQUAL(count_of(w, STATS_flow_evicted_fresh), 1);
	CU_ASSERT_EQUAL(good->state, FLOW_NEW);
	done(w);
}

/* RFC 6888 REQ-4.C: silence has a rate, answers have none. */
static void a_source_has_a_rate_that_answers_do_not_count_for(void)
{
	struct world *w = world_of(100000);
	int err, begun = 0;

	for (int i = 0; i < 3000; i++) {
		struct flow *f = begin(w, 1, (uint16_t)(1000 + i), &err);

		begun += f != NULL;
		if (f)
			answer(f);
	}
	CU_ASSERT_EQUAL(begun, 3000);
	/* Strangers: 1024 at once, and no source of its own budget. */
	begun = begin_many(w, 2, 1000, 1500);
	CU_ASSERT_EQUAL(begun, 1024);
	CU_ASSERT_EQUAL(begin_many(w, 3, 1000, 10), 0);
	CU_ASSERT_EQUAL(begin_many(w, 1, 9000, 10), 10);
	CU_ASSERT_EQUAL(count_of(w, STATS_limit_rate), 1500 - 1024 + 10);
	app_wait(w, 100);
	CU_ASSERT_TRUE(begin_many(w, 3, 1000, 10) == 10);
	done(w);
}

/* A destination that has answered is open to its source during a flood of
 * that very source. */
static void a_known_destination_has_its_own_budget(void)
{
	struct world *w = world_of(100000);
	struct sluice_addr src = source(1), dst = target(77);
	struct flow *f;
	int err;

	CU_ASSERT_EQUAL(flow_new(&w->gw, &type, &src, &dst, true, &f), 0);
	answer(f);
	CU_ASSERT_EQUAL(begin_many(w, 1, 10000, 3000), 1024);
	CU_ASSERT_PTR_NULL(begin(w, 1, 20000, &err));
	CU_ASSERT_EQUAL(err, -EAGAIN);
	src.port = 20001;
	CU_ASSERT_EQUAL(flow_new(&w->gw, &type, &src, &dst, true, &f), 0);
	done(w);
}

/* RFC 6888 REQ-4: alone a source may have everything; with another one it
 * makes room. */
static void a_source_beyond_its_share_gives_way(void)
{
	struct world *w = world_of(100);
	int err, begun = 0;

	for (int i = 0; i < 120; i++) {
		struct flow *f = begin(w, 1, (uint16_t)(1000 + i), &err);

		begun += f != NULL;
		if (f)
			answer(f);
	}
	CU_ASSERT_EQUAL(begun, 100);
	CU_ASSERT_EQUAL(count_of(w, STATS_limit_places), 20);
	CU_ASSERT_EQUAL(begin_many(w, 2, 1, 5), 5);
	CU_ASSERT_EQUAL(count_of(w, STATS_flow_evicted), 5);
	CU_ASSERT_EQUAL(count_of(w, STATS_udp_open), 105); /* till the end */
	app_turns(w, 1);
	CU_ASSERT_EQUAL(count_of(w, STATS_udp_open), 100);
	CU_ASSERT_PTR_NULL(begin(w, 1, 1, &err));
	CU_ASSERT_EQUAL(count_of(w, STATS_limit_share), 1);
	app_wait(w, 11000); /* its own, idle for longest */
	CU_ASSERT_PTR_NOT_NULL(begin(w, 1, 1, &err));
	done(w);
}

/* No more descriptors are in use than there are places, and a few. */
static void a_turn_ends_a_few_flows_at_most(void)
{
	struct world *w = world_of(100);

	CU_ASSERT_EQUAL(begin_many(w, 1, 1000, 80), 80);
	app_wait(w, 1000);
	CU_ASSERT_EQUAL(begin_many(w, 2, 1000, 40), 16);
	app_turns(w, 1);
	CU_ASSERT_EQUAL(begin_many(w, 2, 2000, 1), 1);
	done(w);
}

static void sources_are_forgotten_with_their_flows(void)
{
	struct sluice_addr src, dst = target(5000);
	struct world *w = world_of(5000);
	struct flow *f;
	int err;

	for (int i = 0; i < 2000; i++) {
		f = begin(w, i, 1000, &err);
		answer(f);
		flow_end(f, SLUICE_WHY_DONE);
	}
	app_turns(w, 1);
	CU_ASSERT_EQUAL(count_of(w, STATS_udp_open), 0);
	/* One that was just here is no stranger; the first one is. */
	for (int i = 0; i < 1024; i++)
		begin(w, 3000, (uint16_t)(1000 + i), &err);
	CU_ASSERT_PTR_NOT_NULL(begin(w, 1999, 2, &err));
	src = source(0);
	CU_ASSERT_EQUAL(flow_new(&w->gw, &type, &src, &dst, true, &f), -EAGAIN);
	done(w);
}

static const struct unit_test tests[] = {
	UNIT(strangers_leave_places_for_those_who_were_answered),
	UNIT(a_crowd_ends_no_session_that_is_young),
	UNIT(a_source_has_a_rate_that_answers_do_not_count_for),
	UNIT(a_known_destination_has_its_own_budget),
	UNIT(a_source_beyond_its_share_gives_way),
	UNIT(a_turn_ends_a_few_flows_at_most),
	UNIT(sources_are_forgotten_with_their_flows),
};

UNIT_MAIN("share", tests)
