/* SPDX-License-Identifier: MIT */
/* test_flow.c - what a flow knows, how long it lives, and how many there are */
#include "flow.h"

#include "app.h"
#include "names.h"

/* A connection whose plugin took it and does nothing by itself. */
static struct world *taken(struct app *a, int family)
{
	struct world *w = app_world("");
	struct sluice_addr dst = world_host(family, 80);

	if (!first.open)
		first.open = script_take;
	app_init(a, w, family, 40001, &dst);
	app_open(a);
	return w;
}

/* --------------------------------------------------------------- its data */

static int look(struct sluice_flow *f)
{
	const struct sluice_flow_info *i = sluice_flow_info(f);
	uint8_t *state = sluice_flow_state(f);

	CU_ASSERT_EQUAL(i->size, sizeof(*i));
	CU_ASSERT_EQUAL(i->proto, SLUICE_TCP);
	CU_ASSERT_EQUAL(i->mtu, 1500);
	CU_ASSERT_EQUAL(i->app.port, 40001);
	CU_ASSERT_EQUAL(i->dst.port, 80);
	CU_ASSERT_EQUAL(i->uid, -1);
	for (int k = 0; k < 64; k++)
		CU_ASSERT_EQUAL(state[k], 0);
	memset(state, 0xff, 64);
	return SLUICE_PASS;
}

static int look_and_take(struct sluice_flow *f)
{
	look(f);
	return SLUICE_TAKE;
}

/* Passed on, the state bytes are the next one's, and zeroed. */
IN_BOTH(a_flow_knows_its_ends_and_its_state_begins_at_zero)
{
	struct sluice_addr dst = world_host(family, 80);
	struct world *w = app_world("");
	uint64_t id;
	struct app a;

	first.open = look;
	second.open = look_and_take;
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	CU_ASSERT_TRUE(addr_equal(&sluice_flow_info(second.flow)->app, &a.src));
	CU_ASSERT_TRUE(addr_equal(&sluice_flow_info(second.flow)->dst, &dst));
	id = sluice_flow_info(second.flow)->id;
	CU_ASSERT_PTR_EQUAL(flow_by_id(&w->gw, id), flow_of(second.flow));
	CU_ASSERT_PTR_NULL(flow_by_id(&w->gw, id + 1));
	app_rst(&a);
	UNTIL(w, second.closes == 1);
	CU_ASSERT_PTR_NULL(flow_by_id(&w->gw, id));
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	CU_ASSERT_TRUE(sluice_flow_info(second.flow)->id > id);
	app_end(w);
	CU_ASSERT_EQUAL(first.closes, 0);
}

/* ----------------------------------------------------------------- time */

static int take_for_a_second(struct sluice_flow *f)
{
	sluice_idle_after(f, 1000);
	return SLUICE_TAKE;
}

IN_BOTH(an_idle_flow_ends_after_its_time)
{
	struct sluice_addr dst = world_host(family, 80);
	struct world *w = app_world("");
	struct app a;

	first.open = take_for_a_second;
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	for (int i = 0; i < 5; i++) { /* either way counts */
		app_wait(w, 800);
		CU_ASSERT_EQUAL(first.closes, 0);
		if (i & 1)
			app_send(&a, "x", 1);
		else
			sluice_send(first.flow, "y", 1);
		app_turns(w, 2);
	}
	app_wait(w, 1200);
	CU_ASSERT_EQUAL(first.idles, 1);
	CU_ASSERT_EQUAL(first.closes, 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_IDLE);
	CU_ASSERT_EQUAL(a.rsts, 1);
	app_end(w);
}

/* RFC 5382, REQ-5: the app's keepalives keep it. */
IN_BOTH(a_keepalive_counts_as_life)
{
	struct sluice_addr dst = world_host(family, 80);
	struct world *w = app_world("");
	struct app a;

	first.open = take_for_a_second;
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	for (int i = 0; i < 5; i++) {
		app_wait(w, 800);
		a.acks = 0;
		app_segment(&a, TCP_ACK, a.seq - 1, NULL, 0);
		UNTIL(w, a.acks == 1); /* RFC 9293 3.8.4 */
		CU_ASSERT_EQUAL(a.last_ack, a.seq);
		CU_ASSERT_EQUAL(first.closes, 0);
	}
	app_wait(w, 1200);
	CU_ASSERT_EQUAL(first.closes, 1);
	app_end(w);
}

static int keep_it(struct sluice_flow *f)
{
	(void)f;
	return first.idles < 3 ? SLUICE_TAKE : SLUICE_PASS;
}

IN_BOTH(a_plugin_may_keep_an_idle_flow)
{
	struct sluice_addr dst = world_host(family, 80);
	struct world *w = app_world("");
	struct app a;

	first.open = take_for_a_second;
	first.idle = keep_it;
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	app_wait(w, 2900);
	CU_ASSERT_EQUAL(first.idles, 2);
	CU_ASSERT_EQUAL(first.closes, 0);
	app_wait(w, 300);
	CU_ASSERT_EQUAL(first.idles, 3);
	CU_ASSERT_EQUAL(first.closes, 1);
	app_end(w);
}

static int take_halves_short(struct sluice_flow *f)
{
	sluice_idle_after(f, 0);
	sluice_half_after(f, 1000);
	return SLUICE_TAKE;
}

IN_BOTH(a_half_closed_flow_ends_sooner)
{
	struct sluice_addr dst = world_host(family, 80);
	struct world *w = app_world("");
	struct app a;

	for (int i = 0; i < 2; i++) { /* whoever closed */
		first.open = take_halves_short;
		app_init(&a, w, family, (uint16_t)(40001 + i), &dst);
		app_open(&a);
		app_wait(w, 5000);
		if (i)
			app_fin(&a);
		else
			sluice_shut(first.flow);
		app_wait(w, 900);
		CU_ASSERT_EQUAL(first.closes, i);
		app_wait(w, 400);
		CU_ASSERT_EQUAL(first.closes, i + 1);
		CU_ASSERT_EQUAL(first.why, SLUICE_WHY_IDLE);
	}
	app_end(w);
}

IN_BOTH(limits_may_be_changed_while_it_lives)
{
	struct world *w;
	struct app a;

	w = taken(&a, family);
	app_wait(w, 5000);
	sluice_idle_after(first.flow, 100000);
	sluice_idle_after(first.flow, 6000);
	app_wait(w, 800);
	CU_ASSERT_EQUAL(first.closes, 0);
	app_wait(w, 400);
	CU_ASSERT_EQUAL(first.closes, 1);
	app_end(w);
}

/* RFC 5382, REQ-5: at least 2 hours 4 minutes, and 4 minutes. */
static void a_flow_without_a_limit_has_that_of_the_rfc(void)
{
	struct world *w;
	struct app a;

	w = taken(&a, 4);
	CU_ASSERT_EQUAL(flow_of(first.flow)->idle_ms, 7440000);
	CU_ASSERT_EQUAL(flow_of(first.flow)->half_ms, 240000);
	app_end(w);
}

/* ---------------------------------------------------------------- limits */

/* max-flows = 16: ten would be TCP's share, but 16 of a kind there may be. */
static struct world *full(struct app *a, int n)
{
	struct sluice_addr dst = world_host(4, 80);
	struct world *w = app_world("[gateway]\nmax-flows = 16\n");

	first.open = script_take;
	for (int i = 0; i < n; i++) {
		app_init(&a[i], w, 4, (uint16_t)(40001 + i), &dst);
		app_open(&a[i]);
		app_wait(w, 20);
	}
	return w;
}

/* R22 */
static void beyond_the_limit_a_new_flow_is_refused(void)
{
	static struct app a[17];
	struct world *w = full(a, 16);

	app_init(&a[16], w, 4, 50000, &a[0].dst);
	app_syn(&a[16]);
	UNTIL(w, a[16].icmps);
	CU_ASSERT_EQUAL(a[16].icmp_type, 3);
	CU_ASSERT_EQUAL(a[16].icmp_code, 13);
	CU_ASSERT_EQUAL(first.opens, 16);
	CU_ASSERT_EQUAL(first.closes, 0);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_limit), 1);
	/* One goes: there is room. */
	app_rst(&a[3]);
	UNTIL(w, first.closes == 1);
	app_init(&a[16], w, 4, 50000, &a[0].dst);
	app_open(&a[16]);
	app_end(w);
}

static void the_flow_idle_for_longest_makes_room(void)
{
	static struct app a[17];
	struct world *w = full(a, 16);

	app_wait(w, 200000);
	for (int i = 0; i < 16; i++) /* all but one are used again */
		if (i != 5)
			app_send(&a[i], "x", 1);
	app_wait(w, 101000);
	app_init(&a[16], w, 4, 50000, &a[0].dst);
	app_open(&a[16]);
	CU_ASSERT_EQUAL(a[5].rsts, 1);
	CU_ASSERT_EQUAL(first.closes, 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_IDLE);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, flow_evicted), 1);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, tcp_open), 16);
	app_end(w);
}

/* SYNs of n apps, to one destination or each to its own; how many were asked
 * about. */
static int dials(struct world *w, struct app *a, int n, bool apart)
{
	struct sluice_addr dst = world_host(4, 80);

	first.open = script_later;
	first.opens = 0;
	for (int i = 0; i < n; i++) {
		if (apart)
			put_be16(dst.ip + 2, (uint16_t)(1000 + i));
		app_init(&a[i], w, 4, (uint16_t)(20000 + i), &dst);
		app_syn(&a[i]);
		if (i % 100 == 99)
			app_turns(w, 1);
	}
	app_turns(w, 4);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_limit),
			(uint64_t)(n - first.opens));
	CU_ASSERT_EQUAL(a[n - 1].segments + a[n - 1].icmps, 0);
	return first.opens;
}

/* TCP-3: unanswered SYNs are bounded, whatever the flow limit. */
static void too_many_dials_at_once_wait_for_the_next_syn(void)
{
	static struct app a[1100];
	struct world *w;
	int most;

	app_freeze();
	w = app_world("");
	w->gw.flow_limit[GATEWAY_LRU_TCP] = 2000;
	most = dials(w, a, 1100, true);
	CU_ASSERT_EQUAL(most, 1024);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, limit_rate), 1100 - 1024);
	app_wait(w, 100);
	app_syn(&a[1099]);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(first.opens, most + 1);
	CU_ASSERT_EQUAL(first.closes, 1); /* it has the place of the oldest */
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, flow_evicted_fresh), 1);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, tcp_open), 1024);
	app_end(w);
}

/* T3: a destination that does not answer leaves room for others. */
static void one_destination_does_not_take_every_dial(void)
{
	struct world *w = app_world("");
	static struct app a[400], b;
	struct sluice_addr dst = world_host(4, 80);
	int most;

	w->gw.flow_limit[GATEWAY_LRU_TCP] = 2000;
	most = dials(w, a, 400, false);
	CU_ASSERT_TRUE(most < 400);
	dst.ip[3] = 77;
	app_init(&b, w, 4, 50000, &dst);
	app_syn(&b);
	app_turns(w, 2);
	CU_ASSERT_EQUAL(first.opens, most + 1);
	app_end(w);
}

/* LATER is no right to wait for ever. */
IN_BOTH(a_flow_nobody_resolves_ends_after_thirty_seconds)
{
	struct sluice_addr dst = world_host(family, 80);
	struct world *w = app_world("");
	struct app a;

	first.open = script_later;
	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	app_wait(w, 29800);
	CU_ASSERT_EQUAL(first.closes, 0);
	app_wait(w, 400);
	CU_ASSERT_EQUAL(first.closes, 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_TIMEOUT);
	CU_ASSERT_EQUAL(a.rsts, 1);
	app_end(w);
}

/* ------------------------------------------------------------- observers */

IN_BOTH(an_observer_sees_each_flow_begin_and_end)
{
	uint64_t seen, said; /* before it looked */
	struct world *w;
	struct app a;

	w = taken(&a, family);
	app_watch_packets(w, true);
	seen = stats_get(&w->gw.stats, tun_up_packets);
	said = stats_get(&w->gw.stats, tun_down_packets);
	CU_ASSERT_EQUAL(first.seen_opens, 1);
	CU_ASSERT_EQUAL(first.seen_closes, 0);
	app_send(&a, "four", 4);
	sluice_send(first.flow, "seven!!", 7);
	UNTIL(w, a.len == 7);
	app_rst(&a);
	UNTIL(w, first.seen_closes == 1);
	CU_ASSERT_EQUAL(first.seen_why, SLUICE_WHY_RESET);
	CU_ASSERT_STRING_EQUAL(first.seen_plugin, "first");
	CU_ASSERT_EQUAL(first.seen_up_bytes, 4);
	CU_ASSERT_EQUAL(first.seen_down_bytes, 7);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, flow_up_bytes), 4);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, flow_down_bytes), 7);
	CU_ASSERT_EQUAL((uint64_t)first.seen_up + seen,
			stats_get(&w->gw.stats, tun_up_packets));
	CU_ASSERT_EQUAL((uint64_t)first.seen_down + said,
			stats_get(&w->gw.stats, tun_down_packets));
	app_end(w);
}

/* ----------------------------------------------------------------- names */

static void name_is_still(struct sluice_flow *f)
{
	CU_ASSERT_STRING_EQUAL(sluice_flow_info(f)->name, "www.example.org");
}

IN_BOTH(a_flow_keeps_the_name_it_began_with)
{
	struct sluice_addr dst = world_host(family, 80);
	struct world *w = app_world("");
	char text[FLOW_TEXT], want[FLOW_TEXT];
	char from[ADDR_TEXT], to[ADDR_TEXT];
	struct app a, b;

	w->gw.names = names_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(w->gw.names);
	names_add(w->gw.names, &dst, "www.example.org", 60, w->gw.loop.now);
	first.open = script_take;
	first.close = name_is_still;
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	name_is_still(first.flow);
	snprintf(want, sizeof(want), "flow 1 %s > %s (www.example.org)",
		 addr_text(&a.src, from), addr_text(&dst, to));
	CU_ASSERT_STRING_EQUAL(flow_text(flow_of(first.flow), text), want);

	names_add(w->gw.names, &dst, "b.example", 60, w->gw.loop.now);
	app_rst(&a);
	UNTIL(w, first.closes == 1);
	first.close = NULL;
	app_init(&b, w, family, 40002, &dst);
	app_open(&b);
	CU_ASSERT_STRING_EQUAL(sluice_flow_info(first.flow)->name, "b.example");
	app_end(w);
}

static void the_longest_name_fits_a_line_of_the_log(void)
{
	struct sluice_addr ip = { .family = 6,
				  .port = 65535,
				  .scope = UINT32_MAX };
	char name[1004], text[FLOW_TEXT];
	struct flow f = { .info = { .id = UINT64_MAX, .name = name } };

	memset(ip.ip, 0xff, sizeof(ip.ip));
	f.info.app = f.info.dst = ip;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	flow_text(&f, text);
	CU_ASSERT_TRUE(strlen(text) > FLOW_NAME + 100);
	CU_ASSERT_STRING_EQUAL(text + strlen(text) - 2, "x)");
	f.info.name = NULL;
	flow_text(&f, text);
	CU_ASSERT_PTR_NULL(strchr(text, '('));
}

static const struct unit_test tests[] = {
	UNIT(a_flow_knows_its_ends_and_its_state_begins_at_zero),
	UNIT(an_idle_flow_ends_after_its_time),
	UNIT(a_keepalive_counts_as_life),
	UNIT(a_plugin_may_keep_an_idle_flow),
	UNIT(a_half_closed_flow_ends_sooner),
	UNIT(limits_may_be_changed_while_it_lives),
	UNIT(a_flow_without_a_limit_has_that_of_the_rfc),
	UNIT(beyond_the_limit_a_new_flow_is_refused),
	UNIT(the_flow_idle_for_longest_makes_room),
	UNIT(too_many_dials_at_once_wait_for_the_next_syn),
	UNIT(one_destination_does_not_take_every_dial),
	UNIT(a_flow_nobody_resolves_ends_after_thirty_seconds),
	UNIT(an_observer_sees_each_flow_begin_and_end),
	UNIT(a_flow_keeps_the_name_it_began_with),
	UNIT(the_longest_name_fits_a_line_of_the_log),
};

UNIT_MAIN("flow", tests)
