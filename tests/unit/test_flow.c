/* SPDX-License-Identifier: MIT */
/* test_flow.c - what a plugin may do with a TCP flow, and how flows end
 *
 * The promises of <sluice/plugin.h>: bytes without a copy, backpressure by
 * not consuming, close() and release() exactly once.
 */
#include "flow.h"

#include "app.h"
#include "names.h"

#define MUCH (1u << 20)

static uint8_t sent[MUCH];

/* A connection whose plugin took it and does nothing by itself. */
static struct world *taken(struct app *a, int family)
{
	struct world *w = app_world("");
	struct sluice_addr dst = world_host(family, 80);

	app_pattern(sent, 0, sizeof(sent));
	if (!first.open)
		first.open = script_take;
	app_init(a, w, family, 40001, &dst);
	app_open(a);
	return w;
}

/* ------------------------------------------------------------- bytes up */

IN_BOTH(peek_shows_and_consume_takes)
{
	struct iovec v[8];
	struct world *w;
	struct app a;
	size_t n;

	w = taken(&a, family);
	n = 8;
	CU_ASSERT_EQUAL(sluice_peek(first.flow, v, &n), 0);
	CU_ASSERT_EQUAL(n, 0);
	app_send(&a, sent, 1000);
	UNTIL(w, first.readables == 1);
	n = 8;
	CU_ASSERT_EQUAL(sluice_peek(first.flow, v, &n), 1000);
	CU_ASSERT_EQUAL(n, 1);
	CU_ASSERT_EQUAL(memcmp(v[0].iov_base, sent, 1000), 0);

	/* Looking takes nothing, and nothing new is nothing to tell. */
	app_turns(w, 4);
	CU_ASSERT_EQUAL(first.readables, 1);
	sluice_consume(first.flow, 300);
	n = 8;
	CU_ASSERT_EQUAL(sluice_peek(first.flow, v, &n), 700);
	CU_ASSERT_EQUAL(memcmp(v[0].iov_base, sent + 300, 700), 0);
	sluice_consume(first.flow, 0);
	sluice_consume(first.flow, 700);
	n = 8;
	CU_ASSERT_EQUAL(sluice_peek(first.flow, v, &n), 0);
	CU_ASSERT_EQUAL(sluice_flow_stats(first.flow)->up_bytes, 1000);
	app_end(w);
}

IN_BOTH(peek_gives_as_many_pieces_as_asked_for)
{
	struct iovec v[8];
	struct world *w;
	struct app a;
	size_t n, sum;

	w = taken(&a, family);
	for (int i = 0; i < 5; i++)
		app_send(&a, sent + (size_t)i * 1200, 1200);
	UNTIL(w, sluice_flow_stats(first.flow)->up_bytes == 6000);
	for (size_t at = 0; at < 6000; at += sum) {
		n = 2;
		sum = sluice_peek(first.flow, v, &n);
		CU_ASSERT_TRUE_FATAL(sum > 0 && n >= 1 && n <= 2);
		CU_ASSERT_EQUAL(memcmp(v[0].iov_base, sent + at, v[0].iov_len),
				0);
		sluice_consume(first.flow, sum);
	}
	n = 0;
	CU_ASSERT_EQUAL(sluice_peek(first.flow, v, &n), 0);
	app_end(w);
}

/* What was peeked at is where it was until it is consumed, whatever comes
 * after it: a plugin may hand the pieces to a thread. */
static struct iovec kept[64];
static size_t kept_n;

static void look_and_keep(struct sluice_flow *f)
{
	struct iovec v[ARRAY_SIZE(kept)];
	size_t n = ARRAY_SIZE(kept), sum = sluice_peek(f, v, &n);

	CU_ASSERT_EQUAL(sum, sluice_flow_stats(f)->up_bytes);
	CU_ASSERT_TRUE(n >= kept_n);
	for (size_t i = 0; i < kept_n; i++)
		CU_ASSERT_PTR_EQUAL(v[i].iov_base, kept[i].iov_base);
	memcpy(kept, v, sizeof(kept));
	kept_n = n;
}

IN_BOTH(pieces_stay_where_they_are_until_consumed)
{
	static const size_t sizes[] = { 10, 1200, 1, 300, 700, 5, 1200, 2 };
	struct world *w;
	size_t at = 0;
	struct app a;

	w = taken(&a, family);
	first.readable = look_and_keep;
	kept_n = 0;
	for (size_t i = 0; i < 32; i++) {
		at += app_send(&a, sent + at, sizes[i % ARRAY_SIZE(sizes)]);
		if (i % 3)
			app_turns(w, 2);
	}
	UNTIL(w, sluice_flow_stats(first.flow)->up_bytes == at);
	app_turns(w, 4);
	at = 0;
	for (size_t i = 0; i < kept_n; i++) {
		CU_ASSERT_EQUAL(memcmp(kept[i].iov_base, sent + at,
				       kept[i].iov_len),
				0);
		at += kept[i].iov_len;
	}
	app_end(w);
}

IN_BOTH(eof_comes_after_the_bytes_and_once)
{
	struct iovec v[8];
	struct world *w;
	struct app a;
	size_t n = 8;

	w = taken(&a, family);
	app_send(&a, sent, 500);
	app_fin(&a);
	UNTIL(w, first.eofs == 1);
	CU_ASSERT_EQUAL(first.readables, 1);
	CU_ASSERT_EQUAL(sluice_peek(first.flow, v, &n), 500);
	sluice_consume(first.flow, 500);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(first.eofs, 1);
	CU_ASSERT_EQUAL(first.closes, 0);
	/* Down is still open. */
	CU_ASSERT_EQUAL(sluice_send(first.flow, "bye", 3), 3);
	sluice_shut(first.flow);
	UNTIL(w, a.fin);
	CU_ASSERT_TRUE(app_has(&a, "bye", 3));
	UNTIL(w, first.closes == 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_DONE);
	app_end(w);
	CU_ASSERT_EQUAL(first.closes, 1);
}

/* What came before the end may be read after both ends have closed. */
IN_BOTH(a_closed_flow_lives_until_its_bytes_are_consumed)
{
	struct iovec v[8];
	struct world *w;
	struct app a;
	size_t n = 8;

	w = taken(&a, family);
	app_send(&a, sent, 500);
	app_fin(&a);
	UNTIL(w, first.eofs == 1);
	sluice_shut(first.flow);
	UNTIL(w, a.fin);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(first.closes, 0);
	CU_ASSERT_EQUAL(sluice_peek(first.flow, v, &n), 500);
	CU_ASSERT_EQUAL(memcmp(v[0].iov_base, sent, 500), 0);
	sluice_consume(first.flow, 500);
	UNTIL(w, first.closes == 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_DONE);
	app_end(w);
}

/* ----------------------------------------------------------- bytes down */

IN_BOTH(reserve_and_commit_send_in_order)
{
	struct world *w;
	struct iovec v[2];
	struct app a;
	size_t sum = 0, n, part;

	w = taken(&a, family);
	while (sum < 200000) {
		n = 2;
		part = sluice_reserve(first.flow, v, &n);
		CU_ASSERT_TRUE_FATAL(part > 0 && n == 1);
		CU_ASSERT_EQUAL(part, v[0].iov_len);
		part = MIN(part, 200000 - sum);
		part = MIN(part, 7777);
		memcpy(v[0].iov_base, sent + sum, part);
		sluice_commit(first.flow, part);
		sum += part;
	}
	UNTIL(w, a.len == sum);
	CU_ASSERT_TRUE(app_has(&a, sent, sum));
	CU_ASSERT_EQUAL(sluice_flow_stats(first.flow)->down_bytes, sum);
	app_end(w);
}

IN_BOTH(a_reservation_may_be_given_back_or_forgotten)
{
	struct world *w;
	struct iovec v;
	struct app a;
	size_t n;

	w = taken(&a, family);
	n = 1;
	CU_ASSERT_TRUE(sluice_reserve(first.flow, &v, &n) > 0);
	sluice_commit(first.flow, 0);
	n = 0;
	CU_ASSERT_EQUAL(sluice_reserve(first.flow, &v, &n), 0);
	CU_ASSERT_EQUAL(n, 0);
	n = 1;
	CU_ASSERT_TRUE(sluice_reserve(first.flow, &v, &n) > 0);
	n = 1;
	CU_ASSERT_TRUE(sluice_reserve(first.flow, &v, &n) > 0);
	memcpy(v.iov_base, "ok", 2);
	sluice_commit(first.flow, 2);
	UNTIL(w, a.len == 2);
	n = 1;
	CU_ASSERT_TRUE(sluice_reserve(first.flow, &v, &n) > 0);
	CU_ASSERT_EQUAL(sluice_send(first.flow, "!", 1), 1);
	UNTIL(w, a.len == 3);
	CU_ASSERT_TRUE(app_has(&a, "ok!", 3));
	n = 1;
	CU_ASSERT_TRUE(sluice_reserve(first.flow, &v, &n) > 0);
	app_end(w); /* with a reservation open */
}

/* What was before it in the same memory may go. */
IN_BOTH(a_reservation_outlives_what_is_acknowledged)
{
	struct world *w;
	struct iovec v;
	struct app a;
	size_t n = 1;

	w = taken(&a, family);
	a.quiet = true;
	CU_ASSERT_EQUAL(sluice_send(first.flow, sent, 1000), 1000);
	UNTIL(w, a.len == 1000);
	CU_ASSERT_TRUE(sluice_reserve(first.flow, &v, &n) >= 1000);
	a.quiet = false;
	app_ack(&a);
	app_turns(w, 4);
	memcpy(v.iov_base, sent + 1000, 1000);
	sluice_commit(first.flow, 1000);
	UNTIL(w, a.len == 2000);
	CU_ASSERT_TRUE(app_has(&a, sent, 2000));
	app_end(w);
}

static void committing_what_was_not_reserved_ends_the_flow(void)
{
	struct world *w;
	struct iovec v;
	struct app a;
	size_t n = 1;

	w = taken(&a, 4);
	CU_ASSERT_TRUE(sluice_reserve(first.flow, &v, &n) > 0);
	sluice_commit(first.flow, v.iov_len + MUCH);
	UNTIL(w, first.closes == 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_ERROR);
	CU_ASSERT_EQUAL(a.rsts, 1);
	app_end(w);
}

IN_BOTH(send_takes_what_fits_and_writable_asks_for_more)
{
	struct world *w;
	size_t sum = 0, part;
	struct app a;

	w = taken(&a, family);
	a.quiet = true;
	sum = sluice_send(first.flow, sent, sizeof(sent));
	CU_ASSERT_TRUE(sum > 100000 && sum < sizeof(sent));
	CU_ASSERT_EQUAL(sluice_send(first.flow, "x", 1), 0);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(first.writables, 0);

	a.quiet = false;
	app_ack(&a);
	UNTIL(w, first.writables > 0);
	while (sum < sizeof(sent)) {
		int before = first.writables;

		part = sluice_send(first.flow, sent + sum, sizeof(sent) - sum);
		sum += part;
		if (sum < sizeof(sent))
			UNTIL(w, first.writables > before);
	}
	UNTIL(w, a.len == sizeof(sent));
	CU_ASSERT_TRUE(app_has(&a, sent, sizeof(sent)));
	/* Nobody fell short since: nobody is asked. */
	first.writables = 0;
	app_turns(w, 4);
	CU_ASSERT_EQUAL(first.writables, 0);
	app_end(w);
}

static int released;

static void release(void *arg)
{
	CU_ASSERT_EQUAL(arg, &released);
	released++;
}

static size_t send_ref(size_t from, size_t len)
{
	struct iovec v[3] = { { sent + from, len / 2 },
			      { sent, 0 },
			      { sent + from + len / 2, len - len / 2 } };

	return sluice_send_ref(first.flow, v, 3, release, &released);
}

IN_BOTH(memory_sent_by_reference_is_released_once_acknowledged)
{
	struct world *w;
	struct app a;

	released = 0;
	w = taken(&a, family);
	a.quiet = true;
	CU_ASSERT_EQUAL(send_ref(0, 10000), 10000);
	UNTIL(w, a.len == 10000);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(released, 0);
	app_ack(&a);
	UNTIL(w, released == 1);
	CU_ASSERT_TRUE(app_has(&a, sent, 10000));
	/* Between copies and more of it. */
	a.quiet = false;
	CU_ASSERT_EQUAL(sluice_send(first.flow, sent + 10000, 100), 100);
	CU_ASSERT_EQUAL(send_ref(10100, 5), 5);
	CU_ASSERT_EQUAL(send_ref(10105, 70000), 70000);
	CU_ASSERT_EQUAL(sluice_send(first.flow, sent + 80105, 100), 100);
	UNTIL(w, released == 3);
	UNTIL(w, a.len == 80205);
	CU_ASSERT_TRUE(app_has(&a, sent, 80205));
	app_end(w);
	CU_ASSERT_EQUAL(released, 3);
}

IN_BOTH(memory_sent_by_reference_is_taken_whole_or_not_at_all)
{
	struct world *w;
	struct app a;

	released = 0;
	w = taken(&a, family);
	a.quiet = true;
	while (send_ref(0, 60000))
		;
	CU_ASSERT_EQUAL(send_ref(0, sizeof(sent)), 0);
	CU_ASSERT_EQUAL(send_ref(0, 0), 0);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(released, 0);
	CU_ASSERT_EQUAL(a.holes, 0);
	a.quiet = false;
	app_ack(&a);
	UNTIL(w, first.writables > 0);
	app_end(w);
}

IN_BOTH(what_is_not_acknowledged_is_released_at_the_end)
{
	struct world *w;
	struct app a;

	/* Reset by the app. */
	released = 0;
	w = taken(&a, family);
	a.quiet = true;
	CU_ASSERT_EQUAL(send_ref(0, 10000), 10000);
	CU_ASSERT_EQUAL(send_ref(10000, 10000), 10000);
	app_turns(w, 2);
	app_rst(&a);
	UNTIL(w, first.closes == 1);
	CU_ASSERT_EQUAL(released, 2);
	app_end(w);
	CU_ASSERT_EQUAL(released, 2);

	/* Aborted by the plugin, in the same breath. */
	released = 0;
	w = taken(&a, family);
	CU_ASSERT_EQUAL(send_ref(0, 10000), 10000);
	sluice_abort(first.flow, SLUICE_WHY_ERROR);
	CU_ASSERT_EQUAL(released, 0);
	UNTIL(w, first.closes == 1);
	CU_ASSERT_EQUAL(released, 1);
	CU_ASSERT_EQUAL(a.rsts, 1);
	app_end(w);

	/* The gateway ends. */
	released = 0;
	w = taken(&a, family);
	a.quiet = true;
	CU_ASSERT_EQUAL(send_ref(0, 10000), 10000);
	app_end(w);
	CU_ASSERT_EQUAL(released, 1);
	CU_ASSERT_EQUAL(first.closes, 1);
}

IN_BOTH(shut_comes_after_what_was_committed)
{
	struct world *w;
	struct app a;

	w = taken(&a, family);
	a.quiet = true;
	CU_ASSERT_EQUAL(sluice_send(first.flow, sent, 100000), 100000);
	sluice_shut(first.flow);
	CU_ASSERT_EQUAL(sluice_send(first.flow, "x", 1), 0);
	sluice_shut(first.flow);
	app_turns(w, 4);
	CU_ASSERT_FALSE(a.fin && a.len < 100000);
	a.quiet = false;
	app_ack(&a);
	UNTIL(w, a.fin);
	CU_ASSERT_TRUE(app_has(&a, sent, 100000));
	CU_ASSERT_EQUAL(first.closes, 0);
	/* Up is still open. */
	app_send(&a, "more", 4);
	UNTIL(w, first.readables == 1);
	app_end(w);
}

/* -------------------------------------------------- misuse is harmless */

static void misuse_at_close(struct sluice_flow *f)
{
	struct iovec v[2];
	size_t n = 2;

	CU_ASSERT_EQUAL(sluice_peek(f, v, &n), 0);
	sluice_consume(f, 10);
	n = 2;
	CU_ASSERT_EQUAL(sluice_reserve(f, v, &n), 0);
	sluice_commit(f, 10);
	CU_ASSERT_EQUAL(sluice_send(f, "x", 1), 0);
	CU_ASSERT_EQUAL(send_ref(0, 10), 0);
	sluice_shut(f);
	sluice_abort(f, SLUICE_WHY_ERROR);
	sluice_idle_after(f, 5);
	sluice_half_after(f, 5);
	CU_ASSERT_EQUAL(sluice_resolve(f, SLUICE_TAKE, 0), -EINVAL);
	CU_ASSERT_EQUAL(sluice_connect(f, NULL), -EINVAL);
	CU_ASSERT_EQUAL(sluice_relay(f, dup(0)), -EINVAL);
	CU_ASSERT_EQUAL(sluice_dgrams(f, NULL, 0), 0);
	sluice_dgrams_done(f, 1);
	CU_ASSERT_EQUAL(sluice_dgrams_send(f, NULL, 0), 0);
	CU_ASSERT_PTR_NOT_NULL(sluice_flow_state(f));
	CU_ASSERT_EQUAL(sluice_flow_info(f)->dst.port, 80);
}

IN_BOTH(in_close_everything_is_refused_and_nothing_breaks)
{
	struct world *w;
	struct app a;

	w = taken(&a, family);
	first.close = misuse_at_close;
	app_send(&a, "x", 1);
	UNTIL(w, first.readables);
	app_rst(&a);
	UNTIL(w, first.closes == 1);
	app_end(w);
	CU_ASSERT_EQUAL(first.closes, 1);
}

static int connect_and_relay(struct sluice_flow *f)
{
	int verdict = sluice_connect(f, NULL);

	CU_ASSERT_EQUAL(sluice_relay(f, dup(0)), -EINVAL);
	return verdict;
}

static int relay_and_connect(struct sluice_flow *f)
{
	CU_ASSERT_EQUAL(sluice_relay(f, -1), -EBADF);
	CU_ASSERT_EQUAL(sluice_relay(f, dup(0)), SLUICE_TAKE);
	CU_ASSERT_EQUAL(sluice_connect(f, NULL), -EINVAL);
	return SLUICE_PASS;
}

/* The first would be lost, and its descriptor with it. */
IN_BOTH(a_flow_gets_one_socket)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst), server;
	struct app a;

	first.open = relay_and_connect;
	second.open = connect_and_relay;
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	server = app_accept(w, listener);
	CU_ASSERT_EQUAL(sluice_relay(second.flow, -1), -EBADF);
	CU_ASSERT_EQUAL(sluice_relay(second.flow, dup(0)), -EINVAL);
	close(server);
	close(listener);
	app_end(w);
}

static int misuse_in_open(struct sluice_flow *f)
{
	struct iovec v[2];
	size_t n = 2;

	CU_ASSERT_EQUAL(sluice_peek(f, v, &n), 0);
	sluice_consume(f, 10);
	n = 2;
	CU_ASSERT_EQUAL(sluice_reserve(f, v, &n), 0);
	CU_ASSERT_EQUAL(sluice_send(f, "x", 1), 0);
	CU_ASSERT_EQUAL(send_ref(0, 10), 0);
	CU_ASSERT_EQUAL(sluice_dgrams(f, NULL, 0), 0);
	return SLUICE_TAKE;
}

static void speak(struct sluice_flow *f)
{
	CU_ASSERT_EQUAL(sluice_send(f, "220 hello", 9), 9);
}

/* It asked for room too early; it is told when there is some. */
IN_BOTH(inside_open_there_are_no_bytes_yet)
{
	struct sluice_addr dst = world_host(family, 80);
	struct world *w = app_world("");
	struct app a;

	first.open = misuse_in_open;
	first.writable = speak;
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	UNTIL(w, a.len == 9);
	CU_ASSERT_EQUAL(first.writables, 1);
	app_end(w);
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
	struct world *w = app_world("");
	static struct app a[1100];
	int most;

	w->gw.flow_limit[GATEWAY_LRU_TCP] = 2000;
	most = dials(w, a, 1100, true);
	CU_ASSERT_EQUAL(most, 1024);
	CU_ASSERT_EQUAL(
		sluice_resolve(first.flow, SLUICE_DROP, SLUICE_WHY_REFUSED), 0);
	app_turns(w, 1);
	app_syn(&a[1099]);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(first.opens, most + 1);
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
	struct world *w;
	struct app a;

	w = taken(&a, family);
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
	CU_ASSERT_EQUAL((uint64_t)first.seen_up,
			stats_get(&w->gw.stats, tun_up_packets));
	CU_ASSERT_EQUAL((uint64_t)first.seen_down,
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
	UNIT(peek_shows_and_consume_takes),
	UNIT(peek_gives_as_many_pieces_as_asked_for),
	UNIT(pieces_stay_where_they_are_until_consumed),
	UNIT(eof_comes_after_the_bytes_and_once),
	UNIT(a_closed_flow_lives_until_its_bytes_are_consumed),
	UNIT(reserve_and_commit_send_in_order),
	UNIT(a_reservation_may_be_given_back_or_forgotten),
	UNIT(a_reservation_outlives_what_is_acknowledged),
	UNIT(committing_what_was_not_reserved_ends_the_flow),
	UNIT(send_takes_what_fits_and_writable_asks_for_more),
	UNIT(memory_sent_by_reference_is_released_once_acknowledged),
	UNIT(memory_sent_by_reference_is_taken_whole_or_not_at_all),
	UNIT(what_is_not_acknowledged_is_released_at_the_end),
	UNIT(shut_comes_after_what_was_committed),
	UNIT(in_close_everything_is_refused_and_nothing_breaks),
	UNIT(a_flow_gets_one_socket),
	UNIT(inside_open_there_are_no_bytes_yet),
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
