/* SPDX-License-Identifier: MIT */
/* test_tcp.c - how a TCP connection begins, and how it is refused
 *
 * TCP-1 to TCP-3: the SYN waits until the outside has answered.
 */
#include "tcp.h"

#include "app.h"
#include "tcp_flow.h"

/* --------------------------------------------------------- the held SYN */

IN_BOTH(a_syn_is_held_until_the_dial_is_decided)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst), server;
	struct app a;

	first.protect = script_protect_later;
	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	app_turns(w, 8);
	CU_ASSERT_EQUAL(first.protects, 1);
	CU_ASSERT_EQUAL(a.segments, 0);
	CU_ASSERT_TRUE(app_nobody(w, listener));

	sluice_socket_resolve(first.socket, SLUICE_TAKE);
	UNTIL(w, a.syns);
	server = app_accept(w, listener);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, tcp_accepted), 1);
	close(server);
	close(listener);
	app_end(w);
}

/* More of it than is kept with the SYN; the app sends it again. */
IN_BOTH(data_on_a_syn_does_not_keep_it_from_being_answered)
{
	static const uint8_t data[1000];
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst), server;
	uint8_t got[sizeof(data)];
	struct app a;

	app_init(&a, w, family, 40001, &dst);
	app_segment(&a, TCP_SYN, a.iss, data, sizeof(data));
	a.seq = a.iss + 1;
	UNTIL(w, a.syns);
	CU_ASSERT_EQUAL(a.una, a.iss + 1);
	server = app_accept(w, listener);
	app_send(&a, data, sizeof(data));
	CU_ASSERT_EQUAL(app_read(w, server, got, sizeof(got)), sizeof(got));
	close(server);
	close(listener);
	app_end(w);
}

/* A RST without ACK would be ignored in SYN_SENT. */
IN_BOTH(a_closed_port_answers_with_rst_and_ack_never_with_a_syn)
{
	struct world *w = app_world("");
	struct sluice_addr dst = app_closed_port(family);
	struct app a;

	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	UNTIL(w, a.rsts);
	CU_ASSERT_EQUAL(a.syns, 0);
	CU_ASSERT_EQUAL(a.segments, 1);
	CU_ASSERT_EQUAL(a.rst_flags, TCP_RST | TCP_ACK);
	CU_ASSERT_EQUAL(a.rst_ack, a.iss + 1);
	CU_ASSERT_EQUAL(first.closes, 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_REFUSED);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, tcp_refused), 1);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, tcp_accepted), 0);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, tcp_open), 0);
	app_end(w);
}

IN_BOTH(what_a_plugin_drops_is_prohibited)
{
	struct world *w = app_world("");
	struct sluice_addr dst = app_closed_port(family);
	struct app a;

	first.open = script_drop;
	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	app_is_told(&a, 13, 1);
	CU_ASSERT_EQUAL(first.closes, 0);
	CU_ASSERT_EQUAL(second.opens, 0);
	CU_ASSERT_EQUAL(first.seen_why, SLUICE_WHY_POLICY);
	app_end(w);
}

IN_BOTH(refuse_drop_leaves_the_app_waiting)
{
	struct world *w = app_world("[gateway]\nrefuse = drop\n");
	struct sluice_addr dst = app_closed_port(family);
	struct app a;

	first.open = script_drop;
	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	app_turns(w, 8);
	CU_ASSERT_EQUAL(first.opens, 1);
	CU_ASSERT_EQUAL(a.segments + a.icmps, 0);
	app_end(w);
}

IN_BOTH(what_no_plugin_takes_is_unreachable)
{
	struct world *w = app_world("");
	struct sluice_addr dst = app_closed_port(family);
	struct app a;

	first.open = second.open = script_pass;
	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	app_is_told(&a, 1, 3);
	CU_ASSERT_EQUAL(first.opens, 1);
	CU_ASSERT_EQUAL(second.opens, 1);
	CU_ASSERT_EQUAL(first.closes + second.closes, 0);
	app_end(w);
}

static int fail_open(struct sluice_flow *f)
{
	(void)f;
	return -EHOSTUNREACH;
}

static int nonsense_open(struct sluice_flow *f)
{
	(void)f;
	return 77;
}

IN_BOTH(a_plugin_that_fails_refuses_that_flow)
{
	struct world *w = app_world("");
	struct sluice_addr dst = app_closed_port(family);
	struct app a, b;

	first.open = fail_open;
	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	app_is_told(&a, 1, 3);
	first.open = nonsense_open;
	app_init(&b, w, family, 40002, &dst);
	app_syn(&b);
	UNTIL(w, b.rsts);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, plugin_errors), 2);
	CU_ASSERT_EQUAL(first.closes, 0);
	app_end(w);
}

/* PRO-2: no vouching, no packet. */
static void never_connects(int (*protect)(struct sluice_socket *), int family)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst);
	struct app a;

	first.protect = protect;
	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	app_is_told(&a, 13, 1);
	CU_ASSERT_TRUE(app_nobody(w, listener));
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, dial_unprotected), 1);
	CU_ASSERT_EQUAL(first.closes, 1);
	close(listener);
	app_end(w);
}

IN_BOTH(a_socket_nobody_vouched_for_never_connects)
{
	never_connects(script_protect_pass, family);
}

IN_BOTH(a_socket_that_protect_drops_never_connects)
{
	never_connects(script_protect_drop, family);
}

IN_BOTH(a_syn_repeated_while_dialling_is_absorbed)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst), server;
	struct app a;

	first.protect = script_protect_later;
	app_init(&a, w, family, 40001, &dst);
	for (int i = 0; i < 5; i++) {
		app_syn(&a);
		app_turns(w, 2);
	}
	CU_ASSERT_EQUAL(first.opens, 1);
	CU_ASSERT_EQUAL(first.protects, 1);
	CU_ASSERT_EQUAL(a.segments, 0);
	sluice_socket_resolve(first.socket, SLUICE_TAKE);
	UNTIL(w, a.syns);
	server = app_accept(w, listener);
	CU_ASSERT_TRUE(app_nobody(w, listener));
	CU_ASSERT_EQUAL(a.syns, 1);
	close(server);
	close(listener);
	app_end(w);
}

IN_BOTH(a_syn_with_another_number_begins_anew)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst), server;
	struct sluice_socket *old;
	struct app a;

	first.protect = script_protect_later;
	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	app_turns(w, 2);
	old = first.socket;
	a.iss += 1000000;
	a.una = a.iss;
	app_syn(&a);
	app_turns(w, 2);
	CU_ASSERT_EQUAL(first.opens, 2);
	CU_ASSERT_EQUAL(first.closes, 1);
	sluice_socket_resolve(old, SLUICE_TAKE);
	sluice_socket_resolve(first.socket, SLUICE_TAKE);
	UNTIL(w, a.syns);
	CU_ASSERT_EQUAL(a.rsts, 0);
	server = app_accept(w, listener);
	CU_ASSERT_TRUE(app_nobody(w, listener));
	close(server);
	close(listener);
	app_end(w);
}

IN_BOTH(an_app_that_gives_up_while_dialling_ends_the_dial)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst);
	struct app a;

	first.protect = script_protect_later;
	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	app_turns(w, 2);
	app_segment(&a, TCP_RST, a.seq, NULL, 0);
	UNTIL(w, first.closes);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_RESET);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, tcp_open), 0);
	/* Too late: nothing is connected any more. */
	sluice_socket_resolve(first.socket, SLUICE_TAKE);
	CU_ASSERT_TRUE(app_nobody(w, listener));
	CU_ASSERT_EQUAL(a.segments, 0);
	CU_ASSERT_EQUAL(first.closes, 1);
	close(listener);
	app_end(w);
}

/* A listener whose queue is full lets SYNs wait: a dial that hangs. */
static int full_listener(int family, struct sluice_addr *as, int *fill)
{
	int fd = world_server(family, SOCK_STREAM, as);
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	CU_ASSERT_EQUAL_FATAL(listen(fd, 0), 0);
	util_nonblock(fd);
	getsockname(fd, (struct sockaddr *)&ss, &len);
	for (int i = 0; i < 2; i++) {
		fill[i] = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
		CU_ASSERT_FATAL(fill[i] >= 0);
		connect(fill[i], (struct sockaddr *)&ss, len);
	}
	return fd;
}

IN_BOTH(a_dial_that_hangs_ends_with_its_time)
{
	static const struct sluice_connect how = { .size = sizeof(how),
						   .timeout_ms = 100 };
	struct world *w = app_world("");
	struct sluice_addr dst;
	int fill[2], listener = full_listener(family, &dst, fill);
	struct app a;

	first.open = script_later;
	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	UNTIL(w, first.opens);
	CU_ASSERT_EQUAL(first.flow->api->connect(first.flow, NULL, &how),
			SLUICE_LATER);
	app_wait(w, 50);
	CU_ASSERT_EQUAL(a.segments, 0);
	UNTIL(w, a.rsts);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_TIMEOUT);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, dial_timeout), 1);
	close(fill[0]);
	close(fill[1]);
	close(listener);
	app_end(w);
}

IN_BOTH(an_app_that_gives_up_closes_the_hanging_socket)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int fill[2], listener = full_listener(family, &dst, fill);
	struct app a;

	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(a.segments, 0);
	app_segment(&a, TCP_RST, a.seq, NULL, 0);
	UNTIL(w, first.closes);
	CU_ASSERT_EQUAL(w->gw.dials.pool.used, 0);
	close(fill[0]);
	close(fill[1]);
	close(listener);
	app_end(w);
}

/* -------------------------------------------------------- early and MORE */

static int connect_early(struct sluice_flow *f)
{
	static const struct sluice_connect how = {
		.size = sizeof(how), .flags = SLUICE_CONNECT_EARLY
	};

	return sluice_connect_how(f, NULL, &how);
}

IN_BOTH(early_accept_answers_first_and_keeps_what_comes)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst), server;
	char buf[16];
	struct app a;

	first.open = connect_early;
	first.protect = script_protect_later;
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	app_send(&a, "before", 6);
	app_turns(w, 4);
	CU_ASSERT_TRUE(app_nobody(w, listener));
	sluice_socket_resolve(first.socket, SLUICE_TAKE);
	server = app_accept(w, listener);
	app_send(&a, " after", 6);
	CU_ASSERT_EQUAL(app_read(w, server, buf, 12), 12);
	CU_ASSERT_EQUAL(memcmp(buf, "before after", 12), 0);
	CU_ASSERT_EQUAL(send(server, "hello", 5, 0), 5);
	UNTIL(w, a.len);
	CU_ASSERT_TRUE(app_has(&a, "hello", 5));
	close(server);
	close(listener);
	app_end(w);
}

IN_BOTH(early_accept_resets_when_the_dial_fails)
{
	struct world *w = app_world("");
	struct sluice_addr dst = app_closed_port(family);
	struct app a;

	first.open = connect_early;
	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	UNTIL(w, a.rsts);
	CU_ASSERT_EQUAL(a.syns, 1);
	UNTIL(w, first.closes);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_REFUSED);
	app_end(w);
}

/* The first time MORE; then, with bytes, what a test wants. */
static int then_verdict;

static int more_then(struct sluice_flow *f)
{
	struct iovec v[4];
	size_t n = ARRAY_SIZE(v), got;

	if (first.opens == 1)
		return SLUICE_MORE;
	got = sluice_peek(f, v, &n);
	CU_ASSERT_EQUAL(got, 5);
	CU_ASSERT_EQUAL(n, 1);
	CU_ASSERT_EQUAL(memcmp(v[0].iov_base, "GET /", 5), 0);
	return then_verdict;
}

static void open_for_more(struct world *w, struct app *a, int verdict,
			  int family, const struct sluice_addr *dst)
{
	then_verdict = verdict;
	first.open = more_then;
	app_init(a, w, family, 40001, dst);
	app_open(a);
	CU_ASSERT_EQUAL(first.opens, 1);
	app_send(a, "GET /", 5);
	UNTIL(w, first.opens == 2);
}

IN_BOTH(more_shows_the_bytes_and_take_keeps_them)
{
	struct world *w = app_world("");
	struct sluice_addr dst = app_closed_port(family);
	size_t n = 4;
	struct iovec v[4];
	struct app a;

	open_for_more(w, &a, SLUICE_TAKE, family, &dst);
	CU_ASSERT_EQUAL(sluice_peek(first.flow, v, &n), 5);
	CU_ASSERT_EQUAL(sluice_send(first.flow, "200", 3), 3);
	UNTIL(w, a.len);
	CU_ASSERT_TRUE(app_has(&a, "200", 3));
	CU_ASSERT_EQUAL(first.closes, 0);
	app_end(w);
	CU_ASSERT_EQUAL(first.closes, 1);
}

IN_BOTH(more_and_then_pass_gives_the_bytes_to_the_next)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst), server;
	char buf[8];
	struct app a;

	open_for_more(w, &a, SLUICE_PASS, family, &dst);
	server = app_accept(w, listener);
	CU_ASSERT_EQUAL(app_read(w, server, buf, 5), 5);
	CU_ASSERT_EQUAL(memcmp(buf, "GET /", 5), 0);
	CU_ASSERT_EQUAL(second.opens, 1);
	CU_ASSERT_EQUAL(a.syns, 1);
	close(server);
	close(listener);
	app_end(w);
	CU_ASSERT_EQUAL(first.closes, 0);
	CU_ASSERT_EQUAL(second.closes, 1);
}

IN_BOTH(more_and_then_drop_resets)
{
	struct world *w = app_world("");
	struct sluice_addr dst = app_closed_port(family);
	struct app a;

	open_for_more(w, &a, SLUICE_DROP, family, &dst);
	UNTIL(w, a.rsts);
	CU_ASSERT_EQUAL(first.closes, 0);
	CU_ASSERT_EQUAL(first.seen_why, SLUICE_WHY_POLICY);
	app_end(w);
}

static int more_twice(struct sluice_flow *f)
{
	(void)f;
	return first.opens == 1 ? SLUICE_MORE : SLUICE_PASS;
}

/* An app whose protocol has the server speak first must not wait for ever. */
IN_BOTH(more_without_bytes_is_asked_again_after_a_second)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst), server;
	struct app a;

	first.open = more_twice;
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	app_wait(w, 900);
	CU_ASSERT_EQUAL(first.opens, 1);
	app_wait(w, 200);
	CU_ASSERT_EQUAL(first.opens, 2);
	server = app_accept(w, listener);
	CU_ASSERT_EQUAL(send(server, "220", 3, 0), 3);
	UNTIL(w, a.len);
	CU_ASSERT_TRUE(app_has(&a, "220", 3));
	close(server);
	close(listener);
	app_end(w);
}

IN_BOTH(more_with_a_fin_is_asked_again_at_once)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst), server;
	char c;
	struct app a;

	first.open = more_twice;
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	app_fin(&a);
	UNTIL(w, first.opens == 2);
	server = app_accept(w, listener);
	CU_ASSERT_EQUAL(app_read(w, server, &c, 1), 0);
	close(server);
	close(listener);
	app_end(w);
}

static int second_more(struct sluice_flow *f)
{
	struct iovec v[4];
	size_t n = ARRAY_SIZE(v);

	if (second.opens == 1)
		return SLUICE_MORE;
	CU_ASSERT_EQUAL(sluice_peek(f, v, &n), 5);
	return SLUICE_TAKE;
}

/* Two that look: the second one need not wait for other bytes. */
IN_BOTH(what_the_first_waited_for_the_second_sees_at_once)
{
	struct world *w = app_world("");
	struct sluice_addr dst = app_closed_port(family);
	struct app a;

	second.open = second_more;
	open_for_more(w, &a, SLUICE_PASS, family, &dst);
	app_turns(w, 2); /* not after a second */
	CU_ASSERT_EQUAL(second.opens, 2);
	CU_ASSERT_EQUAL(first.closes, 0);
	app_end(w);
	CU_ASSERT_EQUAL(second.closes, 1);
}

/* A plugin that waits for bytes which cannot come any more. */
IN_BOTH(more_after_the_end_refuses_the_flow)
{
	struct world *w = app_world("");
	struct sluice_addr dst = app_closed_port(family);
	struct app a;

	first.open = script_more;
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	app_send(&a, "GE", 2);
	UNTIL(w, first.opens == 2);
	CU_ASSERT_EQUAL(first.closes, 0);
	app_fin(&a);
	UNTIL(w, first.closes == 1);
	CU_ASSERT_EQUAL(first.opens, 3);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_ERROR);
	CU_ASSERT_EQUAL(a.rsts, 1);
	app_end(w);
}

static int to_connect(struct sluice_flow *f)
{
	return sluice_flow_stats(f)->up_bytes ? SLUICE_PASS : SLUICE_TAKE;
}

static void connect_then(struct sluice_flow *f)
{
	sluice_consume(f, 4); /* of its own protocol */
	CU_ASSERT_EQUAL(sluice_send(f, "HTTP", 4), 4);
	CU_ASSERT_EQUAL(sluice_connect(f, NULL), SLUICE_LATER);
	CU_ASSERT_EQUAL(sluice_connect(f, NULL), -EINVAL);
}

/* As a proxy does: first its own talk with the app, then the relay. */
IN_BOTH(a_plugin_may_take_a_flow_first_and_connect_it_later)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst), server;
	char buf[8];
	struct app a;

	first.open = to_connect;
	first.readable = connect_then;
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	app_send(&a, "talkdata", 8);
	server = app_accept(w, listener);
	CU_ASSERT_EQUAL(app_read(w, server, buf, 4), 4);
	CU_ASSERT_EQUAL(memcmp(buf, "data", 4), 0);
	CU_ASSERT_EQUAL(send(server, " 200", 4, 0), 4);
	UNTIL(w, a.len == 8);
	CU_ASSERT_TRUE(app_has(&a, "HTTP 200", 8));
	CU_ASSERT_EQUAL(first.readables, 1);
	close(server);
	close(listener);
	app_end(w);
	CU_ASSERT_EQUAL(first.closes, 1);
}

/* ------------------------------------------------------------ handshake */

static struct world *shake(struct app *a, int family, const char *conf,
			   const struct packet_syn *offer)
{
	struct world *w = app_world(conf);
	struct sluice_addr dst = world_host(family, 80);

	first.open = script_take;
	app_init(a, w, family, 40001, &dst);
	if (offer)
		a->offer = *offer;
	app_open(a);
	return w;
}

IN_BOTH(the_mss_offered_follows_from_the_mtu)
{
	static const struct {
		const char *conf;
		uint16_t mss4, mss6;
	} cases[] = {
		{ "", 1460, 1440 },
		{ "[tun]\nmtu = 1280\n", 1240, 1220 },
		{ "[tun]\nmtu = 9000\n", 8960, 8940 },
		{ "[tun]\nmtu = 65535\n", 65000, 65000 }, /* lwIP's most */
	};
	struct app a;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = shake(&a, family, cases[i].conf, NULL);

		CU_ASSERT_EQUAL(a.theirs.mss,
				family == 4 ? cases[i].mss4 : cases[i].mss6);
		app_end(w);
	}
}

/* RFC 7323 1.3, RFC 2018 2. */
IN_BOTH(options_are_answered_only_if_they_were_offered)
{
	struct packet_syn offer = { .mss = 1400 };
	struct app a;

	for (int i = 0; i < 4; i++) {
		struct world *w;

		offer.has_wscale = i & 1;
		offer.has_sack = i & 2;
		w = shake(&a, family, "", &offer);
		CU_ASSERT_EQUAL(a.theirs.has_wscale, offer.has_wscale);
		CU_ASSERT_EQUAL(a.theirs.has_sack, offer.has_sack);
		CU_ASSERT_EQUAL(a.syn_window, 65535);
		app_end(w);
	}
}

/* All that may be sent at once comes in segments the app can take: its MSS,
 * RFC 9293's preset without one, and never more than the MTU; and all of them
 * but the last are full. */
IN_BOTH(segments_down_are_not_larger_than_the_app_takes)
{
	static const struct {
		uint16_t mss, largest4, largest6;
	} cases[] = {
		{ 0, 536, 1220 }, { 536, 536, 536 },     { 1000, 1000, 1000 },
		{ 1, 536, 536 },  { 65535, 1460, 1440 }, { 1460, 1460, 1440 },
	};
	static uint8_t bytes[50000];
	struct app a;

	app_pattern(bytes, 0, sizeof(bytes));
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		uint32_t full = family == 4 ? cases[i / 2].largest4 :
					      cases[i / 2].largest6;
		struct packet_syn offer = { .mss = cases[i / 2].mss,
					    .has_wscale = i & 1,
					    .wscale = 2 };
		struct world *w = shake(&a, family, "", &offer);

		a.segments = 0;
		CU_ASSERT_EQUAL(sluice_send(first.flow, bytes, sizeof(bytes)),
				sizeof(bytes));
		UNTIL(w, a.len == sizeof(bytes));
		CU_ASSERT_TRUE(app_has(&a, bytes, sizeof(bytes)));
		CU_ASSERT_EQUAL(a.largest, full);
		CU_ASSERT_EQUAL(a.segments, (sizeof(bytes) + full - 1) / full);
		app_end(w);
	}
}

IN_BOTH(a_scale_above_14_counts_as_14)
{
	struct packet_syn offer = { .mss = 1000,
				    .has_wscale = true,
				    .wscale = 200 };
	struct app a;
	struct world *w = shake(&a, family, "", &offer);

	CU_ASSERT_TRUE(a.theirs.has_wscale);
	a.shift = 14;
	a.window = 1 << 20;
	app_ack(&a);
	CU_ASSERT_EQUAL(sluice_send(first.flow, "ok", 2), 2);
	UNTIL(w, a.len == 2);
	app_end(w);
}

/* RFC 7413, RFC 9293 3.10.7.2: what a SYN carries need not be kept, it comes
 * again. */
IN_BOTH(data_on_a_syn_is_taken_when_it_comes_again)
{
	static const size_t sizes[] = { 1, 80, 200, 1000 };
	static uint8_t bytes[1000];
	struct app a;

	app_pattern(bytes, 0, sizeof(bytes));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct world *w = app_world("");
		struct sluice_addr dst = world_host(family, 80);
		struct iovec v[2];
		size_t n = 2;

		first.open = i & 1 ? script_later : script_take;
		app_init(&a, w, family, 40001, &dst);
		app_segment(&a, TCP_SYN, a.iss, bytes, sizes[i]);
		a.seq++;
		UNTIL(w, first.opens);
		if (i & 1)
			sluice_resolve(first.flow, SLUICE_TAKE, 0);
		UNTIL(w, a.syns);
		CU_ASSERT_EQUAL(a.una, a.iss + 1);
		app_send(&a, bytes, sizes[i]);
		UNTIL(w, first.readables);
		CU_ASSERT_EQUAL(sluice_peek(first.flow, v, &n), sizes[i]);
		CU_ASSERT_EQUAL(memcmp(v[0].iov_base, bytes, sizes[i]), 0);
		app_end(w);
	}
}

/* ECN is not spoken here; urgent is a byte like any other (RFC 6093). */
IN_BOTH(ecn_and_urgent_bits_do_not_matter)
{
	struct world *w = app_world("");
	struct sluice_addr dst = world_host(family, 80);
	struct iovec v[2];
	struct app a;
	size_t n = 2;

	first.open = script_take;
	app_init(&a, w, family, 40001, &dst);
	app_segment(&a, TCP_SYN | TCP_ECE | TCP_CWR, a.iss, NULL, 0);
	a.seq++;
	UNTIL(w, a.syns);
	CU_ASSERT_EQUAL(a.syn_flags, TCP_SYN | TCP_ACK);
	app_segment(&a, TCP_ACK | TCP_URG | TCP_ECE | TCP_CWR, a.seq, "abc", 3);
	UNTIL(w, first.readables);
	CU_ASSERT_EQUAL(sluice_peek(first.flow, v, &n), 3);
	UNTIL(w, a.una == a.seq + 3);
	app_end(w);
}

/* T22: no two connections begin alike, nor one after the other. */
static void first_sequence_numbers_do_not_repeat(void)
{
	struct world *w = app_world("");
	struct sluice_addr dst = world_host(4, 80);
	static struct app a[64];
	int near = 0;

	first.open = script_take;
	for (int i = 0; i < 64; i++) {
		app_init(&a[i], w, 4, (uint16_t)(40001 + i), &dst);
		app_syn(&a[i]);
	}
	app_turns(w, 4);
	for (int i = 0; i < 64; i++) {
		CU_ASSERT_EQUAL(a[i].syns, 1);
		for (int j = 0; j < i; j++)
			near += a[i].irs - a[j].irs + 100000 < 200000;
	}
	CU_ASSERT_TRUE(near < 5);
	app_end(w);
}

IN_BOTH(a_syn_ack_is_sent_again_and_then_given_up)
{
	struct world *w = app_world("");
	struct sluice_addr dst = world_host(family, 80);
	struct app a, b;

	first.open = script_take;
	app_init(&a, w, family, 40001, &dst);
	app_init(&b, w, family, 40002, &dst);
	app_syn(&a);
	app_syn(&b);
	UNTIL(w, a.syns && b.syns);
	app_wait(w, 4000);
	CU_ASSERT_EQUAL(a.syns, 2);
	/* One is there after all. */
	app_ack(&a);
	app_send(&a, "x", 1);
	UNTIL(w, a.una == a.iss + 2);
	app_wait(w, 30000);
	CU_ASSERT_EQUAL(a.syns, 2);
	CU_ASSERT_TRUE(b.syns > 2);
	CU_ASSERT_EQUAL(first.closes, 1);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, tcp_open), 1);
	app_end(w);
}

/* ------------------------------------------------------ many, one by one */

IN_BOTH(a_port_can_be_used_again_right_after_both_fins)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst), server;
	struct app a;
	char c;

	for (int i = 0; i < 3; i++) {
		app_init(&a, w, family, 40001, &dst);
		app_open(&a);
		server = app_accept(w, listener);
		if (i & 1) { /* whoever closes first */
			app_fin(&a);
			CU_ASSERT_EQUAL(app_read(w, server, &c, 1), 0);
			close(server);
			UNTIL(w, a.fin);
		} else {
			close(server);
			UNTIL(w, a.fin);
			app_fin(&a);
		}
		app_turns(w, 2);
		/* The one that waits now may stop. */
		CU_ASSERT_EQUAL(a.rsts, (i & 1) ? 1 : 0);
		UNTIL(w, first.closes == i + 1);
		CU_ASSERT_EQUAL(first.why, SLUICE_WHY_DONE);
	}
	close(listener);
	app_end(w);
}

static void two_thousand_connections_leave_nothing_behind(void)
{
	struct world *w = app_world("");
	static struct app a;
	struct sluice_addr dst;
	int listener = app_listen(4, &dst), server;
	size_t after_ten = 0;
	char buf[8];

	for (int i = 0; i < 2000; i++) {
		app_init(&a, w, 4, (uint16_t)(20000 + i), &dst);
		app_open(&a);
		server = app_accept(w, listener);
		app_send(&a, "ping", 4);
		CU_ASSERT_EQUAL(app_read(w, server, buf, 4), 4);
		CU_ASSERT_EQUAL(send(server, "pong", 4, 0), 4);
		UNTIL(w, a.len == 4);
		if (i & 1) {
			app_rst(&a);
		} else {
			app_fin(&a);
			app_turns(w, 1);
		}
		close(server);
		UNTIL(w, first.closes == i + 1);
		if (i == 10)
			after_ten = pool_malloc_used();
	}
	CU_ASSERT_EQUAL(pool_malloc_used(), after_ten);
	CU_ASSERT_EQUAL(w->gw.flow_pool[GATEWAY_LRU_TCP].used, 0);
	CU_ASSERT_TRUE(w->gw.flow_pool[GATEWAY_LRU_TCP].high <= 2);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, tcp_opened), 2000);
	close(listener);
	app_end(w);
}

/* RFC 1812 5.3.1, R23 */
IN_BOTH(a_ttl_of_one_ends_here)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst);
	struct app a;

	app_init(&a, w, family, 40001, &dst);
	a.ttl = 1;
	app_syn(&a);
	UNTIL(w, a.icmps);
	CU_ASSERT_EQUAL(a.icmp_type, family == 4 ? 11 : 3);
	CU_ASSERT_EQUAL(a.icmp_code, 0);
	CU_ASSERT_TRUE(gateway_is_self(&w->gw, &a.icmp_from));
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, tcp_opened), 0);
	CU_ASSERT_TRUE(app_nobody(w, listener));
	close(listener);
	app_end(w);
}

static int option_of_net(int level, int name)
{
	socklen_t len = sizeof(int);
	int fd = tcp_flow_of(flow_of(first.flow))->relay.net.fd;
	int value = -1;

	getsockopt(fd, level, name, &value, &len);
	return value;
}

/* As a router would, but for an ordinary TTL, which is our own. */
static void travel(int family, uint8_t ttl, uint8_t tos, int ttl_behind,
		   int tos_behind)
{
	struct world *w = app_world("");
	bool v4 = family == 4;
	struct sluice_addr dst;
	int listener = app_listen(family, &dst), server;
	struct app a;

	app_init(&a, w, family, 40001, &dst);
	a.ttl = ttl;
	a.tos = tos;
	app_open(&a);
	server = app_accept(w, listener);
	CU_ASSERT_EQUAL(option_of_net(v4 ? IPPROTO_IP : IPPROTO_IPV6,
				      v4 ? IP_TTL : IPV6_UNICAST_HOPS),
			ttl_behind);
	CU_ASSERT_EQUAL(option_of_net(v4 ? IPPROTO_IP : IPPROTO_IPV6,
				      v4 ? IP_TOS : IPV6_TCLASS),
			tos_behind);
	close(server);
	close(listener);
	app_end(w);
}

IN_BOTH(a_syn_passes_on_its_class_and_a_low_ttl)
{
	travel(family, 2, 0, 1, 0);
	travel(family, 30, 0xb9, 29, 0xb8);
	travel(family, 64, 0x02, 64, 0);
	travel(family, 255, 0x48, 64, 0x48);
}

static const struct unit_test tests[] = {
	UNIT(a_syn_is_held_until_the_dial_is_decided),
	UNIT(data_on_a_syn_does_not_keep_it_from_being_answered),
	UNIT(a_closed_port_answers_with_rst_and_ack_never_with_a_syn),
	UNIT(what_a_plugin_drops_is_prohibited),
	UNIT(refuse_drop_leaves_the_app_waiting),
	UNIT(what_no_plugin_takes_is_unreachable),
	UNIT(a_plugin_that_fails_refuses_that_flow),
	UNIT(a_socket_nobody_vouched_for_never_connects),
	UNIT(a_socket_that_protect_drops_never_connects),
	UNIT(a_syn_repeated_while_dialling_is_absorbed),
	UNIT(a_syn_with_another_number_begins_anew),
	UNIT(an_app_that_gives_up_while_dialling_ends_the_dial),
	UNIT(a_dial_that_hangs_ends_with_its_time),
	UNIT(an_app_that_gives_up_closes_the_hanging_socket),
	UNIT(early_accept_answers_first_and_keeps_what_comes),
	UNIT(early_accept_resets_when_the_dial_fails),
	UNIT(more_shows_the_bytes_and_take_keeps_them),
	UNIT(more_and_then_pass_gives_the_bytes_to_the_next),
	UNIT(more_and_then_drop_resets),
	UNIT(more_without_bytes_is_asked_again_after_a_second),
	UNIT(more_with_a_fin_is_asked_again_at_once),
	UNIT(what_the_first_waited_for_the_second_sees_at_once),
	UNIT(more_after_the_end_refuses_the_flow),
	UNIT(a_plugin_may_take_a_flow_first_and_connect_it_later),
	UNIT(the_mss_offered_follows_from_the_mtu),
	UNIT(options_are_answered_only_if_they_were_offered),
	UNIT(segments_down_are_not_larger_than_the_app_takes),
	UNIT(a_scale_above_14_counts_as_14),
	UNIT(data_on_a_syn_is_taken_when_it_comes_again),
	UNIT(ecn_and_urgent_bits_do_not_matter),
	UNIT(a_ttl_of_one_ends_here),
	UNIT(a_syn_passes_on_its_class_and_a_low_ttl),
	UNIT(first_sequence_numbers_do_not_repeat),
	UNIT(a_syn_ack_is_sent_again_and_then_given_up),
	UNIT(a_port_can_be_used_again_right_after_both_fins),
	UNIT(two_thousand_connections_leave_nothing_behind),
};

UNIT_MAIN("tcp", tests)
