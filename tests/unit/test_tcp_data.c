/* SPDX-License-Identifier: MIT */
/* test_tcp_data.c - what a plugin may do with the bytes of a TCP flow
 *
 * The promises of <sluice/plugin.h>: bytes without a copy, backpressure by
 * not consuming, release() exactly once.
 */
#include "flow.h"

#include "app.h"

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
};

UNIT_MAIN("tcp data", tests)
