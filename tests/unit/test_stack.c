/* SPDX-License-Identifier: MIT */
/* test_stack.c - segments of every kind into a connection
 *
 * The guard before lwIP (conformance: guard, extra tests of lwIP): what comes
 * twice, late, too far or wrong is what RFC 9293 and 5961 say it is, and
 * nothing an app may send makes lwIP's assertions fail.
 */
#include "app.h"
#include "tcp_flow.h"

#define MUCH (1u << 20)

static uint8_t sent[MUCH], taken[MUCH];
static size_t taken_len;

/* Take all that came. */
static void eat(struct sluice_flow *f)
{
	struct iovec v[8];
	size_t n = ARRAY_SIZE(v), len;

	while ((len = sluice_peek(f, v, &n))) {
		for (size_t i = 0; i < n; i++) {
			CU_ASSERT_FATAL(taken_len + v[i].iov_len <= MUCH);
			memcpy(taken + taken_len, v[i].iov_base, v[i].iov_len);
			taken_len += v[i].iov_len;
		}
		sluice_consume(f, len);
		n = ARRAY_SIZE(v);
	}
}

/* A connection whose plugin eats what comes. */
static struct world *eaten(struct app *a, int family)
{
	struct world *w = app_world("");
	struct sluice_addr dst = world_host(family, 80);

	taken_len = 0;
	app_pattern(sent, 0, sizeof(sent));
	first.open = script_take;
	first.readable = eat;
	app_init(a, w, family, 40001, &dst);
	app_open(a);
	return w;
}

static bool has_taken(size_t len)
{
	return taken_len == len && !memcmp(taken, sent, len);
}

/* The bytes [at, at + len) of the stream, where they belong. */
static void piece(struct app *a, size_t at, size_t len)
{
	app_segment(a, TCP_ACK, a->iss + 1 + (uint32_t)at, sent + at, len);
}

static uint32_t acked(const struct app *a)
{
	return a->una - a->iss - 1;
}

/* ------------------------------------------------------ order of segments */

IN_BOTH(segments_out_of_order_are_delivered_in_order)
{
	static const size_t order[] = { 3, 1, 4, 0, 2, 7, 6, 5 };
	struct app a;
	struct world *w = eaten(&a, family);

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		piece(&a, order[i] * 1000, 1000);
		app_turns(w, 1);
	}
	UNTIL(w, acked(&a) == 8000);
	CU_ASSERT_TRUE(has_taken(8000));
	app_end(w);
}

IN_BOTH(a_gap_is_told_at_once_and_filled_later)
{
	struct app a;
	struct world *w = eaten(&a, family);

	piece(&a, 1000, 500);
	a.acks = 0;
	UNTIL(w, a.acks);
	CU_ASSERT_EQUAL(acked(&a), 0);
	CU_ASSERT_EQUAL(taken_len, 0);
	piece(&a, 0, 1000);
	UNTIL(w, acked(&a) == 1500);
	CU_ASSERT_TRUE(has_taken(1500));
	app_end(w);
}

/* Each of them, in every order of three. */
IN_BOTH(segments_that_overlap_are_delivered_once)
{
	static const struct {
		size_t at, len;
	} cut[] = { { 0, 700 }, { 400, 700 }, { 300, 1200 } };
	static const uint8_t order[6][3] = { { 0, 1, 2 }, { 0, 2, 1 },
					     { 1, 0, 2 }, { 1, 2, 0 },
					     { 2, 0, 1 }, { 2, 1, 0 } };
	struct app a;

	for (int i = 0; i < 6; i++) {
		struct world *w = eaten(&a, family);

		for (int j = 0; j < 3; j++) {
			piece(&a, cut[order[i][j]].at, cut[order[i][j]].len);
			app_turns(w, 1);
		}
		/* lwIP may have let go of a part that was said twice: then it
		 * did not acknowledge it, and the app says it again. */
		app_turns(w, 4);
		piece(&a, acked(&a), 1500 - acked(&a));
		UNTIL(w, acked(&a) == 1500);
		CU_ASSERT_TRUE(has_taken(1500));
		app_end(w);
	}
}

IN_BOTH(what_came_before_is_acknowledged_and_not_delivered_again)
{
	struct app a;
	struct world *w = eaten(&a, family);

	piece(&a, 0, 1000);
	UNTIL(w, acked(&a) == 1000);
	a.acks = 0;
	piece(&a, 0, 1000);
	piece(&a, 500, 500);
	UNTIL(w, a.acks);
	CU_ASSERT_EQUAL(acked(&a), 1000);
	piece(&a, 500, 700); /* half of it is new */
	UNTIL(w, acked(&a) == 1200);
	CU_ASSERT_TRUE(has_taken(1200));
	app_end(w);
}

IN_BOTH(sequence_numbers_may_wrap)
{
	struct app a;
	struct world *w = app_world("");
	struct sluice_addr dst = world_host(family, 80);

	taken_len = 0;
	app_pattern(sent, 0, sizeof(sent));
	first.open = script_take;
	first.readable = eat;
	app_init(&a, w, family, 40001, &dst);
	a.iss = a.seq = a.una = UINT32_MAX - 1500;
	app_open(&a);
	piece(&a, 2000, 1000);
	piece(&a, 1000, 1000);
	piece(&a, 0, 1000);
	UNTIL(w, acked(&a) == 3000);
	CU_ASSERT_TRUE(has_taken(3000));
	app_end(w);
}

/* TCP timestamps and the like are not ours to read: they were not agreed. */
IN_BOTH(options_of_later_segments_are_skipped)
{
	struct app a;
	struct world *w = eaten(&a, family);

	a.options = 12;
	piece(&a, 0, 100);
	piece(&a, 300, 100); /* kept for later, with its options before it */
	piece(&a, 100, 200);
	UNTIL(w, acked(&a) == 400);
	CU_ASSERT_TRUE(has_taken(400));
	app_end(w);
}

/* ------------------------------------------------------------- the window */

/* Nothing is consumed; what is sent beyond is not taken. */
IN_BOTH(a_segment_is_cut_at_the_end_of_the_window)
{
	size_t at = 0, n = 4, room;
	struct iovec v[4];
	struct world *w;
	struct app a;

	w = eaten(&a, family);
	first.readable = NULL;
	app_turns(w, 2);
	while ((room = app_room(&a)) > 1000) {
		at += app_send(&a, sent + at, room - 500);
		app_turns(w, 2);
	}
	CU_ASSERT_EQUAL(acked(&a), at);
	app_segment(&a, TCP_ACK | TCP_FIN, a.seq, sent + at, 1200);
	app_turns(w, 4);
	CU_ASSERT_TRUE(acked(&a) >= at + room);
	CU_ASSERT_TRUE(acked(&a) < at + room + 64); /* rounded by the scale */
	CU_ASSERT_EQUAL(first.eofs, 0);             /* that was cut as well */
	a.seq = a.una;
	CU_ASSERT_EQUAL(app_room(&a), 0);

	/* All of it in the window: one piece after the other. */
	CU_ASSERT_EQUAL(flow_of(first.flow)->stats.up_bytes, at + 1200);
	eat(first.flow);
	CU_ASSERT_TRUE(has_taken(acked(&a)));
	CU_ASSERT_EQUAL(sluice_peek(first.flow, v, &n), 0);
	UNTIL(w, app_room(&a) >= 120000); /* it was read: twice */
	app_end(w);
}

/* The same but for what the window scale rounds. */
static bool near(uint32_t a, uint32_t b)
{
	return a - b + 64 <= 128;
}

IN_BOTH(the_window_opens_by_what_was_consumed)
{
	struct app a;
	struct world *w = eaten(&a, family);
	uint32_t whole;

	app_send(&a, sent, 64);
	UNTIL(w, acked(&a) == 64);
	CU_ASSERT_TRUE(has_taken(64));
	whole = app_room(&a);
	CU_ASSERT_TRUE(whole > 60000);
	first.readable = NULL;
	app_send(&a, sent, 64000);
	UNTIL(w, acked(&a) == 64064);
	CU_ASSERT_TRUE(near(app_room(&a) + 64000, whole));
	sluice_consume(first.flow, 12800);
	UNTIL(w, near(app_room(&a) + 51200, whole));
	sluice_consume(first.flow, 51200);
	UNTIL(w, near(app_room(&a), whole));
	/* More than there is: no harm. */
	sluice_consume(first.flow, 50000);
	app_turns(w, 2);
	CU_ASSERT_TRUE(near(app_room(&a), whole));
	app_end(w);
}

/* T7, T8: many small segments are not many large buffers. */
static void small_segments_cost_what_they_carry(void)
{
	struct app a;
	struct world *w = eaten(&a, 4);
	size_t bufs, objects;

	first.readable = NULL;
	app_turns(w, 2);
	bufs = w->gw.tun.bufs.used;
	objects = pool_malloc_used();
	for (int i = 0; i < 20000; i++) { /* in order, and nobody reads */
		piece(&a, (size_t)i, 1);
		if (i % 100 == 99)
			app_turns(w, 1);
	}
	UNTIL(w, acked(&a) == 20000);
	CU_ASSERT_EQUAL(w->gw.tun.bufs.used, bufs);
	CU_ASSERT_TRUE(pool_malloc_used() - objects <= 10);
	for (size_t at = 20000; at < 60000; at += 2) { /* with gaps */
		piece(&a, at + 1, 1);
		if (at % 200 == 0)
			app_turns(w, 1);
	}
	app_turns(w, 4);
	CU_ASSERT_EQUAL(acked(&a), 20000);
	CU_ASSERT_EQUAL(w->gw.tun.bufs.used, bufs);
	CU_ASSERT_TRUE(pool_malloc_used() - objects <= 10 + 2 * 128);
	eat(first.flow);
	CU_ASSERT_TRUE(has_taken(20000));
	app_end(w);
}

/* ------------------------------------------------- what should not come */

/* RFC 5961 4.2: whatever its number, a SYN is answered with where we are. */
IN_BOTH(a_syn_in_a_connection_is_challenged)
{
	struct app a;
	struct world *w = eaten(&a, family);
	static const int32_t offset[] = { 0, 1, -1, 1000, -70000, 1 << 30 };

	piece(&a, 0, 100);
	UNTIL(w, acked(&a) == 100);
	a.seq += 100;
	for (size_t i = 0; i < ARRAY_SIZE(offset); i++) {
		uint32_t seq = a.seq + (uint32_t)offset[i];

		a.acks = 0;
		app_segment(&a, TCP_SYN, seq, NULL, 0);
		UNTIL(w, a.acks == 1);
		CU_ASSERT_EQUAL(a.last_ack, a.seq);
		a.acks = 0;
		app_segment(&a, TCP_SYN | TCP_ACK, seq, NULL, 0);
		UNTIL(w, a.acks == 1);
	}
	CU_ASSERT_EQUAL(first.opens, 1);
	CU_ASSERT_EQUAL(a.rsts, 0);
	app_send(&a, sent + 100, 100);
	UNTIL(w, acked(&a) == 200);
	CU_ASSERT_TRUE(has_taken(200));
	app_end(w);
}

/* RFC 9293 3.10.7.4, which lwIP does not know. */
IN_BOTH(data_without_ack_is_dropped)
{
	struct app a;
	struct world *w = eaten(&a, family);

	app_segment(&a, TCP_PSH, a.seq, sent, 100);
	app_segment(&a, 0, a.seq, sent, 100);
	app_segment(&a, TCP_FIN, a.seq, NULL, 0);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(taken_len, 0);
	CU_ASSERT_EQUAL(first.eofs, 0);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_tcp), 3);
	app_end(w);
}

static void flags_that_contradict_each_other_are_dropped(void)
{
	static const uint8_t flags[] = {
		TCP_SYN | TCP_FIN,
		TCP_SYN | TCP_RST,
		TCP_SYN | TCP_FIN | TCP_ACK,
		TCP_FIN | TCP_RST | TCP_ACK,
		0,
		0xff,
	};
	struct app a;
	struct world *w = eaten(&a, 4);

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		app_segment(&a, flags[i], a.seq, NULL, 0);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_tcp), ARRAY_SIZE(flags));
	CU_ASSERT_EQUAL(first.closes, 0);
	app_end(w);
}

/* RFC 5961 3.2 */
IN_BOTH(a_reset_counts_only_with_the_exact_number)
{
	struct app a;
	struct world *w = eaten(&a, family);

	app_segment(&a, TCP_RST, a.seq - 1, NULL, 0);
	app_segment(&a, TCP_RST, a.seq + 400000, NULL, 0);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(first.closes, 0);
	a.acks = 0;
	app_segment(&a, TCP_RST, a.seq + 1, NULL, 0); /* in the window */
	UNTIL(w, a.acks);
	CU_ASSERT_EQUAL(first.closes, 0);
	app_segment(&a, TCP_RST, a.seq, NULL, 0);
	UNTIL(w, first.closes == 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_RESET);
	CU_ASSERT_EQUAL(a.rsts, 0);
	app_end(w);
}

IN_BOTH(acknowledging_what_was_never_sent_does_no_harm)
{
	struct app a;
	struct world *w = eaten(&a, family);
	uint32_t nxt = a.nxt;

	a.nxt += 5000;
	app_ack(&a);
	app_segment(&a, TCP_ACK, a.seq, sent, 10);
	a.nxt = nxt - 5000;
	app_ack(&a);
	a.nxt = nxt;
	app_turns(w, 4);
	CU_ASSERT_EQUAL(first.closes, 0);
	CU_ASSERT_EQUAL(sluice_send(first.flow, "hello", 5), 5);
	UNTIL(w, a.len == 5);
	CU_ASSERT_TRUE(app_has(&a, "hello", 5));
	app_end(w);
}

IN_BOTH(a_fin_that_comes_early_waits_for_its_bytes)
{
	struct app a;
	struct world *w = eaten(&a, family);

	app_segment(&a, TCP_ACK | TCP_FIN, a.seq + 1000, sent + 1000, 500);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(first.eofs, 0);
	piece(&a, 0, 1000);
	UNTIL(w, first.eofs == 1);
	CU_ASSERT_TRUE(has_taken(1500));
	CU_ASSERT_EQUAL(acked(&a), 1501);
	app_segment(&a, TCP_ACK | TCP_FIN, a.seq + 1000, sent + 1000, 500);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(first.eofs, 1);
	CU_ASSERT_TRUE(has_taken(1500));
	app_end(w);
}

/* -------------------------------------------------- what the app did not get */

/* The app lost it all: it is sent again, and the whole arrives. */
IN_BOTH(what_was_lost_is_sent_again)
{
	struct app a;
	struct world *w = eaten(&a, family);

	a.deaf = true;
	CU_ASSERT_EQUAL(sluice_send(first.flow, sent, 20000), 20000);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(a.len, 0);
	a.deaf = false;
	app_wait(w, 60000);
	CU_ASSERT_TRUE(app_has(&a, sent, 20000));
	app_end(w);
}

/* A part of a segment, and then the rest: there is as much room as before. */
IN_BOTH(what_was_acknowledged_in_parts_makes_room)
{
	struct app a;
	struct world *w = eaten(&a, family);
	struct tcp_flow *tf = (struct tcp_flow *)first.flow;
	size_t room = stack_room(&tf->conn);
	uint32_t from = a.nxt;

	a.quiet = true;
	CU_ASSERT_EQUAL(sluice_send(first.flow, sent, 20000), 20000);
	UNTIL(w, a.nxt == from + 20000);
	for (uint32_t part = 5000; part <= 20000; part += 5000) {
		a.nxt = from + part;
		app_ack(&a);
		app_turns(w, 2);
	}
	UNTIL(w, stack_drained(&tf->conn));
	CU_ASSERT_EQUAL(stack_room(&tf->conn), room);
	CU_ASSERT_PTR_NULL(tf->down);
	app_end(w);
}

/* The window shuts over what was sent, which is then acknowledged after all:
 * there is nothing left to probe with. */
IN_BOTH(a_window_that_shrinks_over_what_was_sent_does_no_harm)
{
	struct app a;
	struct world *w = eaten(&a, family);

	a.quiet = true;
	CU_ASSERT_EQUAL(sluice_send(first.flow, sent, 5000), 5000);
	UNTIL(w, a.len == 5000);
	a.deaf = true;
	a.nxt -= 5000;
	a.window = 0;
	app_send(&a, sent, 1);
	app_send(&a, sent + 1, 1); /* a window counts with a new number */
	app_wait(w, 10000);        /* sent again, and stuck */
	a.deaf = false;
	a.nxt += 5000;
	app_ack(&a);
	app_wait(w, 10000);
	a.window = APP_WINDOW;
	app_ack(&a);
	CU_ASSERT_EQUAL(sluice_send(first.flow, sent + 5000, 100), 100);
	UNTIL(w, a.len == 5100);
	CU_ASSERT_TRUE(app_has(&a, sent, 5100));
	app_end(w);
}

/* An app that begins with no window to speak of: what is written then is not
 * cut smaller later, when lwIP has learnt how small its windows are. */
IN_BOTH(a_window_may_begin_at_nothing)
{
	struct app a;
	struct world *w = app_world("");
	struct sluice_addr dst = world_host(family, 80);

	app_pattern(sent, 0, sizeof(sent));
	for (uint32_t first_window = 0; first_window < 3; first_window++) {
		first.open = script_take;
		app_init(&a, w, family, (uint16_t)(40001 + first_window), &dst);
		a.offer.has_wscale = false;
		a.window = first_window;
		app_open(&a);
		CU_ASSERT_EQUAL(sluice_send(first.flow, sent, 5000), 5000);
		a.window = 2;
		app_ack(&a);
		app_turns(w, 2);
		CU_ASSERT_EQUAL(sluice_send(first.flow, sent + 5000, 5000),
				5000);
		app_wait(w, 5000);
		a.window = APP_WINDOW;
		app_ack(&a);
		UNTIL(w, a.len == 10000);
		CU_ASSERT_TRUE(app_has(&a, sent, 10000));
	}
	app_end(w);
}

IN_BOTH(an_app_that_is_gone_is_given_up)
{
	struct app a;
	struct world *w = eaten(&a, family);

	a.deaf = true;
	CU_ASSERT_EQUAL(sluice_send(first.flow, sent, 20000), 20000);
	app_turns(w, 4);
	for (int i = 0; i < 200 && !first.closes; i++)
		app_wait(w, 10000);
	CU_ASSERT_EQUAL(first.closes, 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_RESET);
	app_end(w);
}

/* What lwIP calls when it finds itself in a state that cannot be. */
void stack_assert(const char *what, const char *file, int line);

static int assert_in_write(void *arg, const struct iovec *v, int n)
{
	(void)arg;
	(void)v;
	(void)n;
	stack_assert("this is a test", __FILE__, __LINE__);
	return 0;
}

/* In builds for people; a debug build stops there. */
static void an_assertion_of_lwip_costs_one_connection(void)
{
#ifdef SLUICE_DEBUG
	UNIT_SKIP("a debug build aborts");
#endif
	struct app a, b;
	struct world *w = eaten(&a, 4);
	int (*write)(void *, const struct iovec *, int) = w->gw.tun.ops.write;
	struct sluice_flow *flow = first.flow;

	app_init(&b, w, 4, 40002, &a.dst);
	app_open(&b);
	log_level = -1; /* it is said, but not here */
	w->gw.tun.ops.write = assert_in_write;
	sluice_send(flow, "x", 1);
	app_turns(w, 2);
	w->gw.tun.ops.write = write;
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, stack_assertions), 1);
	CU_ASSERT_EQUAL(first.closes, 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_RESET);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, tcp_open), 1);

	/* The other one does not notice, and the app of this one is told. */
	sluice_send(first.flow, "hello", 5);
	UNTIL(w, b.len == 5);
	app_ack(&a);
	UNTIL(w, a.rsts);
	world_end(w);
}

/* --------------------------------------------------------------- at random */

/* Segments near what could be, into live connections: the test that made lwIP
 * abort (conformance, adbc5b5f and its like).  SLUICE_RANDOM_SEGMENTS says
 * how many, SLUICE_RANDOM_SEED which. */

#define FLOWS 8

static uint64_t random_state;

static uint32_t any(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16) % below;
}

static uint64_t number_of(const char *name, uint64_t preset)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : preset;
}

/* The other ends of relayed flows. */
static int far[64];

static int any_relay(struct sluice_flow *f)
{
	int *slot = &far[any(ARRAY_SIZE(far))], fd[2];

	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	if (*slot >= 0)
		close(*slot);
	*slot = fd[1];
	return sluice_relay(f, fd[0]);
}

static int any_open(struct sluice_flow *f)
{
	if (any(2))
		return any_relay(f);
	return any(20) ? SLUICE_TAKE : SLUICE_MORE;
}

/* What a server might do. */
static void any_server(void)
{
	int *slot = &far[any(ARRAY_SIZE(far))];
	static uint8_t buf[100000];
	ssize_t n = 0;

	if (*slot < 0)
		return;
	switch (any(12)) {
	case 0:
		n = shutdown(*slot, any(3) ? SHUT_WR : SHUT_RD);
		break;
	case 1:
		close(*slot);
		*slot = -1;
		break;
	case 2:
	case 3:
		n = send(*slot, sent, any(sizeof(buf)), MSG_NOSIGNAL);
		break;
	case 4:
		n = send(*slot, sent, any(10), MSG_NOSIGNAL);
		break;
	default:
		n = recv(*slot, buf, any(sizeof(buf)), 0);
	}
	(void)n;
}

/* What a plugin might do with a flow whenever it is called. */
static void any_deed(struct sluice_flow *f)
{
	struct iovec v[3];
	size_t n = ARRAY_SIZE(v), len;

	len = sluice_peek(f, v, &n);
	if (len)
		sluice_consume(f, any(3) ? len : any((uint32_t)len + 1));
	switch (any(40)) {
	case 0:
		sluice_shut(f);
		break;
	case 1:
		sluice_abort(f, (int)any(9));
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		sluice_send(f, sent, any(5000));
		break;
	case 6:
		sluice_send(f, sent, any(300000));
		break;
	case 7:
		n = 1;
		len = sluice_reserve(f, v, &n);
		if (any(8))
			sluice_commit(f, any((uint32_t)len + 1));
		break;
	}
}

static void any_segment(struct app *a)
{
	uint8_t flags = 0;
	uint32_t seq = a->una, nxt = a->nxt, wide = any(8) ? 3000 : 300000;
	size_t len = any(3) ? any(1460) : any(4);

	if (any(8))
		flags |= TCP_ACK;
	if (!any(12))
		flags |= TCP_SYN;
	if (!any(15))
		flags |= TCP_FIN;
	if (!any(60))
		flags |= TCP_RST;
	if (any(3))
		seq += any(2 * wide) - wide;
	if (!any(3))
		a->nxt += any(2 * wide) - wide;
	a->window = any(2) ? 65535 : any(3);
	if (flags & TCP_SYN)
		len = any(2) ? 0 : any(100);
	app_segment(a, flags, seq, sent, len);
	a->nxt = nxt;
}

static void any_connection(struct app *a, struct world *w, int i)
{
	struct sluice_addr dst = world_host(i & 1 ? 4 : 6, (uint16_t)(80 + i));

	app_init(a, w, i & 1 ? 4 : 6, (uint16_t)(40001 + any(4)), &dst);
	a->iss = a->seq = a->una = any(UINT32_MAX);
	a->lax = true;
	a->quiet = any(2);
	a->offer.has_wscale = any(4);
	a->offer.wscale = (uint8_t)any(15);
	a->offer.has_sack = any(4);
	a->offer.mss = (uint16_t)any(1461);
	app_syn(a);
	app_turn(w, 0);
	if (a->syns && any(10))
		app_ack(a);
	app_turn(w, 0);
}

static void at_random(bool offload)
{
	uint64_t n = number_of("SLUICE_RANDOM_SEGMENTS", 500000);
	uint64_t seed = number_of("SLUICE_RANDOM_SEED", util_random32());
	uint64_t until = __real_util_now_ms() + 10000, done = 0;
	static struct app a[FLOWS];
	struct world *w;

	app_freeze();
	w = app_world("");
	printf("# SLUICE_RANDOM_SEED=%llu\n", (unsigned long long)seed);
	memset(far, -1, sizeof(far));
	if (offload)
		app_offload(w);
	random_state = seed * 0x9e3779b97f4a7c15u | 1;
	app_pattern(sent, 0, sizeof(sent));
	first.open = any_open;
	first.readable = first.writable = first.eof = any_deed;
	for (int i = 0; i < FLOWS; i++)
		any_connection(&a[i], w, i);
	while (done < n) {
		struct app *at = &a[any(FLOWS)];
		uint32_t burst = 1 + any(60);

		if (at->rsts || !any(30) || !at->syns)
			any_connection(at, w, (int)(at - a));
		for (uint32_t i = 0; i < burst; i++, done++)
			any_segment(any(5) ? at : &a[any(FLOWS)]);
		if (any(4))
			app_turn(w, 0);
		else
			app_wait(w, any(20) ? any(200) : any(5000));
		for (int i = 0; i < 8; i++)
			any_server();
		at->len = 0;
		if (!getenv("SLUICE_RANDOM_SEGMENTS") &&
		    __real_util_now_ms() > until)
			break;
	}
	printf("# %llu segments, %llu connections\n", (unsigned long long)done,
	       (unsigned long long)stats_get(&w->gw.stats, tcp_accepted));
	CU_ASSERT_TRUE(stats_get(&w->gw.stats, tcp_accepted) > done / 10000);
	for (size_t i = 0; i < ARRAY_SIZE(far); i++)
		if (far[i] >= 0)
			close(far[i]);
	app_end(w);
	CU_ASSERT_EQUAL(first.seen_opens, first.seen_closes);
}

static void random_segments_do_not_hurt(void)
{
	at_random(false);
}

static void random_segments_do_not_hurt_with_offload(void)
{
	at_random(true);
}

static const struct unit_test tests[] = {
	UNIT(segments_out_of_order_are_delivered_in_order),
	UNIT(a_gap_is_told_at_once_and_filled_later),
	UNIT(segments_that_overlap_are_delivered_once),
	UNIT(what_came_before_is_acknowledged_and_not_delivered_again),
	UNIT(sequence_numbers_may_wrap),
	UNIT(options_of_later_segments_are_skipped),
	UNIT(a_segment_is_cut_at_the_end_of_the_window),
	UNIT(the_window_opens_by_what_was_consumed),
	UNIT(small_segments_cost_what_they_carry),
	UNIT(a_syn_in_a_connection_is_challenged),
	UNIT(data_without_ack_is_dropped),
	UNIT(flags_that_contradict_each_other_are_dropped),
	UNIT(a_reset_counts_only_with_the_exact_number),
	UNIT(acknowledging_what_was_never_sent_does_no_harm),
	UNIT(a_fin_that_comes_early_waits_for_its_bytes),
	UNIT(what_was_lost_is_sent_again),
	UNIT(what_was_acknowledged_in_parts_makes_room),
	UNIT(a_window_that_shrinks_over_what_was_sent_does_no_harm),
	UNIT(a_window_may_begin_at_nothing),
	UNIT(an_app_that_is_gone_is_given_up),
	UNIT(an_assertion_of_lwip_costs_one_connection),
	UNIT(random_segments_do_not_hurt),
	UNIT(random_segments_do_not_hurt_with_offload),
};

UNIT_MAIN("stack", tests)
