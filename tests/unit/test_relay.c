/* SPDX-License-Identifier: MIT */
/* test_relay.c - bytes, ends and resets between an app and a socket
 *
 * TCP-4 to TCP-9: half-closes and resets are carried as what they are, and
 * who does not read is not read for.
 */
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include "app.h"
#include "tcp_flow.h"

#define MUCH (1u << 20)

static uint8_t sent[8 * MUCH], got[8 * MUCH];

struct link { /* an app, connected through the gateway */
	struct world *w;
	struct app a;
	int listener, server;
	struct sluice_addr dst;
};

static void link_prepare(struct link *l, int family)
{
	l->w = app_world("");
	l->server = -1;
	l->listener = app_listen(family, &l->dst);
	app_init(&l->a, l->w, family, 40001, &l->dst);
}

static struct tcp_flow *flow_now(void)
{
	return tcp_flow_of(flow_of(first.flow));
}

/* A server that does not read: the kernels between take some, and then the
 * gateway holds bytes, these or a few more.  Gives how many were sent. */
static size_t link_fill(struct link *l, uint32_t held)
{
	int size = 256 << 10;
	size_t up = 0;

	setsockopt(l->server, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	while (flow_now()->conn.up_bytes < held && up < sizeof(sent)) {
		up += app_send(&l->a, sent + up, MIN(sizeof(sent) - up, 20000));
		app_turn(l->w, 1);
	}
	CU_ASSERT_TRUE_FATAL(up < sizeof(sent));
	return up;
}

static void link_open(struct link *l, int family)
{
	link_prepare(l, family);
	app_open(&l->a);
	l->server = app_accept(l->w, l->listener);
	app_pattern(sent, 0, sizeof(sent));
}

static void link_end(struct link *l)
{
	if (l->server >= 0)
		close(l->server);
	close(l->listener);
	app_end(l->w);
}

static void reset_by_server(struct link *l)
{
	struct linger hard = { .l_onoff = 1 };

	setsockopt(l->server, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(l->server);
	l->server = -1;
}

/* The app sends it all, as the window lets it; the server reads. */
static void all_up(struct link *l, size_t len)
{
	uint64_t until = __real_util_now_ms() + 5000;
	size_t up = 0, in = 0;
	ssize_t n;

	while (in < len && __real_util_now_ms() < until) {
		up += app_send(&l->a, sent + up, len - up);
		app_turn(l->w, 1);
		n = recv(l->server, got + in, len - in, 0);
		in += n > 0 ? (size_t)n : 0;
	}
	CU_ASSERT_EQUAL(in, len);
	CU_ASSERT_EQUAL(memcmp(sent, got, len), 0);
}

static void all_down(struct link *l, size_t len)
{
	uint64_t until = __real_util_now_ms() + 5000;
	size_t out = 0;
	ssize_t n;

	app_forget(&l->a);
	while (l->a.len < len && __real_util_now_ms() < until) {
		n = send(l->server, sent + out, len - out, MSG_NOSIGNAL);
		out += n > 0 ? (size_t)n : 0;
		app_turn(l->w, 1);
	}
	CU_ASSERT_TRUE(app_has(&l->a, sent, len));
}

/* --------------------------------------------------------------- bytes */

IN_BOTH(bytes_arrive_whole_and_in_order_both_ways)
{
	struct link l;

	link_open(&l, family);
	all_up(&l, 2 * MUCH);
	all_down(&l, 2 * MUCH);
	link_end(&l);
	CU_ASSERT_EQUAL(first.seen_up_bytes, 2 * MUCH);
	CU_ASSERT_EQUAL(first.seen_down_bytes, 2 * MUCH);
	CU_ASSERT_STRING_EQUAL(first.seen_plugin, "first");
}

IN_BOTH(a_server_that_speaks_before_the_handshake_is_over_is_heard)
{
	struct link l;

	link_prepare(&l, family);
	app_syn(&l.a);
	l.server = app_accept(l.w, l.listener);
	CU_ASSERT_EQUAL(send(l.server, "220 hello", 9, 0), 9);
	shutdown(l.server, SHUT_WR);
	UNTIL(l.w, l.a.syns);
	app_turns(l.w, 4);
	CU_ASSERT_EQUAL(l.a.len, 0);
	app_ack(&l.a);
	UNTIL(l.w, l.a.fin);
	CU_ASSERT_TRUE(app_has(&l.a, "220 hello", 9));
	link_end(&l);
}

IN_BOTH(data_on_the_last_ack_of_the_handshake_is_not_lost)
{
	struct link l;

	link_prepare(&l, family);
	app_syn(&l.a);
	UNTIL(l.w, l.a.syns);
	app_send(&l.a, "now", 3);
	l.server = app_accept(l.w, l.listener);
	CU_ASSERT_EQUAL(app_read(l.w, l.server, got, 3), 3);
	CU_ASSERT_EQUAL(memcmp(got, "now", 3), 0);
	link_end(&l);
}

/* Large segments, which the device cuts to what the app takes. */
IN_BOTH(an_offloading_device_gets_large_segments)
{
	static const uint8_t scales[] = { 0, 2, 7 };
	struct link l;

	for (int i = 0; i < 3; i++) {
		link_prepare(&l, family);
		app_offload(l.w);
		l.a.offer.wscale = scales[i];
		l.a.offer.has_wscale = scales[i];
		l.a.offer.mss = 1000;
		l.a.window = 65535u << scales[i];
		app_open(&l.a);
		l.server = app_accept(l.w, l.listener);
		app_pattern(sent, 0, sizeof(sent));
		all_down(&l, 4 * MUCH);
		CU_ASSERT_EQUAL(l.a.largest, 1000);
		CU_ASSERT_TRUE(app_largest() > 16000);
		all_up(&l, MUCH);
		link_end(&l);
	}
}

/* What is urgent stays where it was in the stream. */
IN_BOTH(an_urgent_byte_is_kept_in_line)
{
	struct link l;

	link_open(&l, family);
	CU_ASSERT_EQUAL(send(l.server, "abc", 3, 0), 3);
	CU_ASSERT_EQUAL(send(l.server, "!", 1, MSG_OOB), 1);
	CU_ASSERT_EQUAL(send(l.server, "def", 3, 0), 3);
	UNTIL(l.w, l.a.len == 7);
	CU_ASSERT_TRUE(app_has(&l.a, "abc!def", 7));
	link_end(&l);
}

/* --------------------------------------------------------------- closing */

IN_BOTH(an_app_that_has_closed_still_gets_what_comes_later)
{
	struct link l;

	link_open(&l, family);
	app_send(&l.a, "GET", 3);
	app_fin(&l.a);
	CU_ASSERT_EQUAL(app_read(l.w, l.server, got, sizeof(got)), 3);
	app_wait(l.w, 60000);
	CU_ASSERT_EQUAL(first.closes, 0);
	all_down(&l, MUCH);
	CU_ASSERT_FALSE(l.a.fin);
	shutdown(l.server, SHUT_WR);
	UNTIL(l.w, l.a.fin);
	UNTIL(l.w, first.closes == 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_DONE);
	/* And its kernel need not keep the port: RFC 1337 2. */
	CU_ASSERT_EQUAL(l.a.rsts, 1);
	CU_ASSERT_EQUAL(l.a.rst_seq, l.a.nxt);
	link_end(&l);
}

IN_BOTH(a_server_that_has_closed_still_gets_what_comes_later)
{
	struct link l;

	link_open(&l, family);
	CU_ASSERT_EQUAL(send(l.server, "bye", 3, 0), 3);
	shutdown(l.server, SHUT_WR);
	UNTIL(l.w, l.a.fin);
	CU_ASSERT_TRUE(app_has(&l.a, "bye", 3));
	app_wait(l.w, 60000);
	CU_ASSERT_EQUAL(first.closes, 0);
	all_up(&l, MUCH);
	app_fin(&l.a);
	CU_ASSERT_EQUAL(app_read(l.w, l.server, got, 1), 0);
	UNTIL(l.w, first.closes == 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_DONE);
	CU_ASSERT_EQUAL(l.a.rsts, 0);
	link_end(&l);
}

IN_BOTH(both_may_close_at_once)
{
	struct link l;

	link_open(&l, family);
	app_send(&l.a, "up", 2);
	CU_ASSERT_EQUAL(send(l.server, "down", 4, 0), 4);
	shutdown(l.server, SHUT_WR);
	app_fin(&l.a);
	UNTIL(l.w, l.a.fin);
	CU_ASSERT_TRUE(app_has(&l.a, "down", 4));
	CU_ASSERT_EQUAL(app_read(l.w, l.server, got, 4), 2);
	UNTIL(l.w, first.closes == 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_DONE);
	CU_ASSERT_EQUAL(l.a.rsts, 0);
	link_end(&l);
}

/* TCP-6: a reset is no end of file, and takes no byte with it. */
IN_BOTH(a_reset_of_the_server_comes_after_its_last_byte)
{
	struct link l;

	link_open(&l, family);
	CU_ASSERT_EQUAL(send(l.server, sent, 10000, 0), 10000);
	reset_by_server(&l);
	UNTIL(l.w, l.a.rsts);
	CU_ASSERT_TRUE(app_has(&l.a, sent, 10000));
	CU_ASSERT_FALSE(l.a.fin);
	UNTIL(l.w, first.closes == 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_RESET);
	link_end(&l);
}

IN_BOTH(an_app_that_does_not_read_is_reset_after_a_second)
{
	struct link l;

	link_open(&l, family);
	l.a.quiet = true;
	CU_ASSERT_EQUAL(send(l.server, sent, 10000, 0), 10000);
	UNTIL(l.w, l.a.len == 10000);
	reset_by_server(&l);
	app_wait(l.w, 900);
	CU_ASSERT_EQUAL(l.a.rsts, 0);
	app_wait(l.w, 200);
	CU_ASSERT_EQUAL(l.a.rsts, 1);
	CU_ASSERT_FALSE(l.a.fin);
	link_end(&l);
	CU_ASSERT_EQUAL(first.closes, 1);
}

IN_BOTH(a_reset_in_a_half_closed_connection_is_carried)
{
	struct link l;

	link_open(&l, family);
	app_fin(&l.a);
	CU_ASSERT_EQUAL(app_read(l.w, l.server, got, 1), 0);
	reset_by_server(&l);
	UNTIL(l.w, l.a.rsts);
	CU_ASSERT_FALSE(l.a.fin);
	UNTIL(l.w, first.closes == 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_RESET);
	link_end(&l);
}

/* TCP-7 */
IN_BOTH(a_reset_of_the_app_reaches_the_server_as_one)
{
	struct link l;

	link_open(&l, family);
	app_send(&l.a, "half a", 6);
	CU_ASSERT_EQUAL(app_read(l.w, l.server, got, 6), 6);
	app_rst(&l.a);
	CU_ASSERT_EQUAL(app_read(l.w, l.server, got, 6), -ECONNRESET);
	UNTIL(l.w, first.closes == 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_RESET);
	CU_ASSERT_EQUAL(l.a.rsts, 0);
	link_end(&l);
}

IN_BOTH(a_reset_of_the_app_drops_what_it_did_not_read)
{
	struct link l;

	link_open(&l, family);
	l.a.quiet = true;
	CU_ASSERT_EQUAL(send(l.server, sent, 50000, 0), 50000);
	UNTIL(l.w, l.a.len);
	app_rst(&l.a);
	CU_ASSERT_EQUAL(app_read(l.w, l.server, got, 6), -ECONNRESET);
	UNTIL(l.w, first.closes == 1);
	link_end(&l);
}

IN_BOTH(the_end_of_the_gateway_resets_both_ends)
{
	struct link l;

	link_open(&l, family);
	app_send(&l.a, "x", 1);
	CU_ASSERT_EQUAL(app_read(l.w, l.server, got, 1), 1);
	gateway_close(&l.w->gw);
	CU_ASSERT_TRUE_FATAL(l.w->down_n > 0);
	CU_ASSERT_EQUAL(world_down(l.w, l.w->down_n - 1).flags & TCP_RST,
			TCP_RST);
	CU_ASSERT_EQUAL(recv(l.server, got, 1, 0), -1);
	CU_ASSERT_EQUAL(errno, ECONNRESET);
	CU_ASSERT_EQUAL(first.closes, 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_STOP);
	close(l.server);
	close(l.listener);
	gateway_fini(&l.w->gw);
	world_forget(l.w);
	free(l.w);
	CU_ASSERT_EQUAL(first.closes, 1);
}

/* ---------------------------------------------------------- backpressure */

/* T8: what is taken from an app beyond what the kernels hold. */
IN_BOTH(a_server_that_does_not_read_stops_the_app)
{
	int queued = 0, waiting = 0;
	uint32_t held;
	size_t up;
	struct link l;

	link_open(&l, family);
	up = link_fill(&l, 100000);
	do
		app_turn(l.w, 1);
	while (up += app_send(&l.a, sent + up, MIN(sizeof(sent) - up, 20000)),
	       app_room(&l.a));
	app_turns(l.w, 4);
	CU_ASSERT_EQUAL(app_room(&l.a), 0);
	CU_ASSERT_EQUAL(l.a.una, l.a.seq);
	ioctl(flow_now()->relay.net.fd, SIOCOUTQ, &queued);
	ioctl(l.server, FIONREAD, &waiting);
	CU_ASSERT_TRUE((ssize_t)up - queued - waiting <= MUCH);
	held = flow_now()->conn.up_bytes;
	CU_ASSERT_TRUE(held <= MUCH);

	/* A probe of the closed window is answered.  What the scale rounds
	 * off may be taken, but no more. */
	for (int i = 0; i < 100; i++) {
		l.a.acks = 0;
		app_segment(&l.a, TCP_ACK, l.a.seq, sent + up, 1);
		UNTIL(l.w, l.a.acks);
		up += l.a.last_ack - l.a.seq;
		l.a.seq = l.a.last_ack;
	}
	CU_ASSERT_TRUE(flow_now()->conn.up_bytes <= held + 63);
	CU_ASSERT_EQUAL(app_room(&l.a), 0);

	/* It reads: all is there, and the window opens by itself. */
	CU_ASSERT_EQUAL(app_read(l.w, l.server, got, up), (ssize_t)up);
	CU_ASSERT_EQUAL(memcmp(sent, got, up), 0);
	UNTIL(l.w, app_room(&l.a) > 100000);
	all_up(&l, MUCH);
	link_end(&l);
}

IN_BOTH(an_app_that_does_not_read_stops_the_server)
{
	size_t out = 0, before;
	struct link l;
	ssize_t n;

	link_open(&l, family);
	l.a.window = 0;
	app_ack(&l.a);
	do {
		before = out;
		for (int i = 0; i < 8; i++) {
			n = send(l.server, sent + out, sizeof(sent) - out,
				 MSG_NOSIGNAL);
			out += n > 0 ? (size_t)n : 0;
			app_turn(l.w, 1);
		}
	} while (out > before && out < sizeof(sent));
	/* One chunk that does not go out is enough to stop reading. */
	CU_ASSERT_TRUE(flow_of(first.flow)->stats.down_bytes <=
		       APP_WINDOW + 2 * TCP_CHUNK);
	app_wait(l.w, 30000);
	CU_ASSERT_EQUAL(first.closes, 0);
	CU_ASSERT_TRUE(l.a.len <= APP_WINDOW); /* what was promised before */

	l.a.window = 1 << 17;
	app_ack(&l.a);
	UNTIL(l.w, l.a.len == out);
	CU_ASSERT_TRUE(app_has(&l.a, sent, out));
	link_end(&l);
}

/* The answer takes the acknowledgement of the question along.  Where the
 * machine was too slow for that, the next sixteen are not put off. */
IN_BOTH(an_answer_acknowledges_its_question)
{
	bool along = false;
	unsigned before;
	struct link l;

	link_open(&l, family);
	for (size_t i = 0; i < 60 && !along; i++) {
		before = l.a.segments;
		app_send(&l.a, "?", 1);
		CU_ASSERT_EQUAL(app_read(l.w, l.server, got, 1), 1);
		CU_ASSERT_EQUAL(send(l.server, "!", 1, 0), 1);
		UNTIL(l.w, l.a.len > i);
		along = l.a.segments == before + 1;
	}
	CU_ASSERT_TRUE(along);
	CU_ASSERT_EQUAL(l.a.una, l.a.seq);

	/* No answer comes. */
	app_send(&l.a, "?", 1);
	app_wait(l.w, 200);
	CU_ASSERT_EQUAL(l.a.una, l.a.seq);
	link_end(&l);
}

/* Whose window update was lost is asked again and again. */
IN_BOTH(a_closed_window_is_probed)
{
	struct link l;

	link_prepare(&l, family);
	l.a.offer.has_wscale = false;
	app_open(&l.a);
	l.server = app_accept(l.w, l.listener);
	app_pattern(sent, 0, sizeof(sent));

	l.a.full = true;
	CU_ASSERT_EQUAL(send(l.server, sent, 80000, 0), 80000);
	UNTIL(l.w, l.a.len == APP_WINDOW);
	app_wait(l.w, 10000);
	CU_ASSERT_TRUE(l.a.probes >= 2);
	CU_ASSERT_EQUAL(l.a.len, APP_WINDOW);
	l.a.full = false; /* said with the next answer only */
	app_wait(l.w, 20000);
	CU_ASSERT_TRUE(app_has(&l.a, sent, 80000));
	link_end(&l);
}

/* The app has closed its side, the server too, and the app hears nothing of
 * the last bytes for longer than a retransmission takes. */
IN_BOTH(what_was_lost_after_both_have_closed_is_sent_again)
{
	struct link l;

	link_open(&l, family);
	app_pattern(sent, 0, 20000);
	app_fin(&l.a);
	app_turns(l.w, 4);
	l.a.deaf = true;
	CU_ASSERT_EQUAL(send(l.server, sent, 20000, 0), 20000);
	CU_ASSERT_EQUAL(shutdown(l.server, SHUT_WR), 0);
	app_turns(l.w, 8);
	app_wait(l.w, 10000);
	CU_ASSERT_EQUAL(l.a.len, 0);
	l.a.deaf = false;
	app_wait(l.w, 60000);
	CU_ASSERT_TRUE(app_has(&l.a, sent, 20000));
	CU_ASSERT_TRUE(l.a.fin);
	link_end(&l);
}

/* It was sent in large segments, of which the app kept the beginning; with its
 * window shut it asks for the rest in vain. */
static void lost_rest(int family, bool shut)
{
	struct link l;

	link_open(&l, family);
	l.a.quiet = true;
	CU_ASSERT_EQUAL(send(l.server, sent, 60000, 0), 60000);
	UNTIL(l.w, l.a.len == 60000);
	l.a.nxt -= (uint32_t)(l.a.len - 7301);
	l.a.len = 7301;
	for (int i = 0; shut && i < 6; i++) {
		l.a.window = 0;
		app_ack(&l.a);
		app_turns(l.w, 2);
	}
	CU_ASSERT_EQUAL(send(l.server, sent + 60000, 60000, 0), 60000);
	app_turns(l.w, 4);
	app_wait(l.w, shut ? 5000 : 0);
	l.a.window = 3072;
	l.a.quiet = false;
	app_ack(&l.a);
	app_wait(l.w, 5000);
	CU_ASSERT_TRUE(app_has(&l.a, sent, 120000));
	link_end(&l);
}

IN_BOTH(what_was_lost_comes_again_through_a_narrow_window)
{
	lost_rest(family, false);
	lost_rest(family, true);
}

/* RFC 9293 3.8.6.2.1 */
IN_BOTH(a_narrow_window_is_filled_not_split)
{
	struct link l;

	link_open(&l, family);
	l.a.window = 4000;
	app_ack(&l.a);
	l.a.edge = l.a.nxt + 4000;
	app_turns(l.w, 2);
	all_down(&l, 200000);
	CU_ASSERT_TRUE(l.a.segments < 200000 / 500);
	link_end(&l);
}

/* The end comes after the last byte, however the bytes are cut. */
IN_BOTH(a_fin_does_not_overtake_what_a_narrow_window_held_back)
{
	struct link l;

	link_prepare(&l, family);
	l.a.offer.has_wscale = false;
	app_open(&l.a);
	l.server = app_accept(l.w, l.listener);
	app_pattern(sent, 0, sizeof(sent));
	l.a.full = true;
	CU_ASSERT_EQUAL(send(l.server, sent, 80000, 0), 80000);
	shutdown(l.server, SHUT_WR);
	UNTIL(l.w, l.a.len == APP_WINDOW);
	app_turns(l.w, 4);
	l.a.full = false;
	for (int i = 0; i < 200 && !l.a.fin; i++) {
		l.a.window = (uint32_t)(100 + i * 7);
		app_ack(&l.a);
		app_wait(l.w, 100);
	}
	CU_ASSERT_TRUE(l.a.fin);
	CU_ASSERT_TRUE(app_has(&l.a, sent, 80000));
	link_end(&l);
}

/* The same for an end that was lost with the bytes it went out with. */
IN_BOTH(a_fin_that_was_lost_comes_last_through_a_narrow_window)
{
	struct link l;

	link_open(&l, family);
	l.a.quiet = true;
	CU_ASSERT_EQUAL(send(l.server, sent, 60000, 0), 60000);
	shutdown(l.server, SHUT_WR);
	UNTIL(l.w, l.a.fin);
	CU_ASSERT_EQUAL(l.a.len, 60000);
	l.a.fin = false;
	l.a.nxt -= (uint32_t)(l.a.len - 7301) + 1;
	l.a.len = 7301;
	l.a.window = 3072;
	l.a.quiet = false;
	app_ack(&l.a);
	for (int i = 0; i < 200 && !l.a.fin; i++)
		app_wait(l.w, 100);
	CU_ASSERT_TRUE(l.a.fin);
	CU_ASSERT_TRUE(app_has(&l.a, sent, 60000));
	link_end(&l);
}

IN_BOTH(the_end_goes_with_the_last_bytes)
{
	unsigned before;
	struct link l;

	link_open(&l, family);
	before = l.a.segments;
	CU_ASSERT_EQUAL(send(l.server, "!", 1, 0), 1);
	shutdown(l.server, SHUT_WR);
	UNTIL(l.w, l.a.fin);
	CU_ASSERT_EQUAL(l.a.segments, before + 1);
	CU_ASSERT_TRUE(app_has(&l.a, (const uint8_t *)"!", 1));
	link_end(&l);
}

/* ------------------------------------------------------------- port again */

/* TCP-9: the app is through with the connection, the server is not. */
IN_BOTH(a_port_is_free_again_while_old_bytes_are_still_on_their_way)
{
	struct link l;
	int again;
	size_t up;
	struct app b;

	link_open(&l, family);
	up = link_fill(&l, 100000);
	app_fin(&l.a);
	shutdown(l.server, SHUT_WR);
	UNTIL(l.w, l.a.fin);
	app_turns(l.w, 4);
	CU_ASSERT_EQUAL(first.closes, 0);

	app_init(&b, l.w, family, 40001, &l.dst);
	app_open(&b);
	again = app_accept(l.w, l.listener);
	app_send(&b, "new", 3);
	CU_ASSERT_EQUAL(app_read(l.w, again, got, 3), 3);
	CU_ASSERT_EQUAL(memcmp(got, "new", 3), 0);

	/* The old one ends as it should, and takes nothing of the new. */
	CU_ASSERT_EQUAL(app_read(l.w, l.server, got, sizeof(got)), (ssize_t)up);
	CU_ASSERT_EQUAL(memcmp(sent, got, up), 0);
	UNTIL(l.w, first.closes == 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_DONE);
	CU_ASSERT_EQUAL(send(again, "still", 5, 0), 5);
	UNTIL(l.w, b.len == 5);
	close(again);
	link_end(&l);
}

/* It was there, so it was not a closed port: the app is connected, gets what
 * was said, and is reset. */
IN_BOTH(a_server_that_resets_at_once_was_connected_to)
{
	struct link l;

	for (int says = 0; says < 2; says++) {
		link_prepare(&l, family);
		app_syn(&l.a);
		l.server = app_accept(l.w, l.listener);
		if (says)
			CU_ASSERT_EQUAL(send(l.server, "go away", 7, 0), 7);
		reset_by_server(&l);
		UNTIL(l.w, l.a.syns || l.a.rsts);
		CU_ASSERT_EQUAL(l.a.syns, 1);
		CU_ASSERT_EQUAL(l.a.rsts, 0);
		app_ack(&l.a);
		UNTIL(l.w, l.a.rsts == 1);
		CU_ASSERT_FALSE(l.a.fin);
		CU_ASSERT_TRUE(app_has(&l.a, "go away", says ? 7 : 0));
		CU_ASSERT_EQUAL(first.closes, 1);
		CU_ASSERT_EQUAL(first.why, SLUICE_WHY_RESET);
		link_end(&l);
	}
}

/* The server's FIN says that it sends no more, its RST that it reads no more:
 * the app hears of it without another try. */
IN_BOTH(a_server_that_is_gone_for_good_resets_the_app)
{
	struct link l;

	link_open(&l, family);
	close(l.server);
	l.server = -1;
	UNTIL(l.w, l.a.fin);
	CU_ASSERT_EQUAL(l.a.rsts, 0);
	app_send(&l.a, "hello?", 6);
	UNTIL(l.w, l.a.rsts == 1);
	CU_ASSERT_EQUAL(first.closes, 1);
	link_end(&l);
}

static const struct unit_test tests[] = {
	UNIT(bytes_arrive_whole_and_in_order_both_ways),
	UNIT(a_server_that_speaks_before_the_handshake_is_over_is_heard),
	UNIT(data_on_the_last_ack_of_the_handshake_is_not_lost),
	UNIT(an_offloading_device_gets_large_segments),
	UNIT(an_urgent_byte_is_kept_in_line),
	UNIT(an_app_that_has_closed_still_gets_what_comes_later),
	UNIT(a_server_that_has_closed_still_gets_what_comes_later),
	UNIT(both_may_close_at_once),
	UNIT(a_reset_of_the_server_comes_after_its_last_byte),
	UNIT(an_app_that_does_not_read_is_reset_after_a_second),
	UNIT(a_reset_in_a_half_closed_connection_is_carried),
	UNIT(a_server_that_is_gone_for_good_resets_the_app),
	UNIT(a_server_that_resets_at_once_was_connected_to),
	UNIT(a_reset_of_the_app_reaches_the_server_as_one),
	UNIT(a_reset_of_the_app_drops_what_it_did_not_read),
	UNIT(the_end_of_the_gateway_resets_both_ends),
	UNIT(a_server_that_does_not_read_stops_the_app),
	UNIT(an_app_that_does_not_read_stops_the_server),
	UNIT(an_answer_acknowledges_its_question),
	UNIT(a_closed_window_is_probed),
	UNIT(what_was_lost_after_both_have_closed_is_sent_again),
	UNIT(what_was_lost_comes_again_through_a_narrow_window),
	UNIT(a_narrow_window_is_filled_not_split),
	UNIT(a_fin_does_not_overtake_what_a_narrow_window_held_back),
	UNIT(a_fin_that_was_lost_comes_last_through_a_narrow_window),
	UNIT(the_end_goes_with_the_last_bytes),
	UNIT(a_port_is_free_again_while_old_bytes_are_still_on_their_way),
};

UNIT_MAIN("relay", tests)
