/* SPDX-License-Identifier: MIT */
/* test_gateway.c - which packets are for whom, and the life of a gateway */
#include "gateway.h"

#include <pthread.h>

#include "app.h"

static uint8_t bytes[4096];

/* A packet of some protocol from the app. */
static void raw(struct world *w, const struct sluice_addr *src,
		const struct sluice_addr *dst, uint8_t proto, const void *data,
		size_t len)
{
	uint8_t b[2048];
	size_t head = packet_ip_header(b, src, dst, proto, 64, 0, (uint32_t)len,
				       true, 0);

	memcpy(b + head, data, len);
	world_up(w, b, head + len);
}

static struct sluice_addr at(const char *text)
{
	struct sluice_addr a = { 0 };

	CU_ASSERT_EQUAL_FATAL(addr_parse(text, 80, &a), 0);
	return a;
}

/* The only packet that came down. */
static struct packet answer(struct world *w)
{
	world_turns(w, 4);
	CU_ASSERT_EQUAL_FATAL(w->down_n, 1);
	return world_down(w, 0);
}

static void silence(struct world *w)
{
	world_turns(w, 4);
	CU_ASSERT_EQUAL(w->down_n, 0);
}

/* ------------------------------------------------------ segments of nobody */

/* RFC 9293 3.10.7.1 */
IN_BOTH(a_segment_of_no_connection_is_reset)
{
	struct world *w = app_world("");
	struct sluice_addr dst = world_host(family, 80);
	struct app a;

	app_init(&a, w, family, 40001, &dst);
	a.nxt = 77777;
	app_segment(&a, TCP_ACK, 1000, bytes, 10);
	app_turns(w, 2);
	CU_ASSERT_EQUAL(a.rsts, 1);
	CU_ASSERT_EQUAL(a.rst_flags, TCP_RST);
	CU_ASSERT_EQUAL(a.rst_seq, 77777);
	app_segment(&a, TCP_ACK | TCP_FIN, 1000, NULL, 0);
	app_turns(w, 2);
	CU_ASSERT_EQUAL(a.rsts, 2);
	app_segment(&a, TCP_SYN | TCP_ACK, 1000, NULL, 0);
	app_turns(w, 2);
	CU_ASSERT_EQUAL(a.rsts, 3);
	app_segment(&a, TCP_RST, 1000, NULL, 0);
	app_segment(&a, TCP_RST | TCP_ACK, 1000, NULL, 0);
	app_turns(w, 2);
	CU_ASSERT_EQUAL(a.rsts, 3);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, tcp_resets_down), 3);
	CU_ASSERT_EQUAL(first.opens, 0);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, tcp_opened), 0);
	app_end(w);
}

static void resets_have_a_budget(void)
{
	struct world *w = app_world("");
	struct sluice_addr dst = world_host(4, 80);
	struct app a;

	app_init(&a, w, 4, 40001, &dst);
	for (int i = 0; i < 6000; i++)
		app_segment(&a, TCP_ACK, 1000, NULL, 0);
	app_turns(w, 60);
	CU_ASSERT_TRUE(a.rsts >= 1000);
	CU_ASSERT_TRUE(stats_get(&w->gw.stats, icmp_errors_limited) > 0);
	CU_ASSERT_EQUAL(a.rsts + stats_get(&w->gw.stats, icmp_errors_limited),
			6000);
	app_end(w);
}

/* ------------------------------------------------------ source and target */

/* T11 */
static void sources_are_those_of_the_network(void)
{
	static const struct {
		const char *conf, *src, *dst;
		bool taken;
	} cases[] = {
		{ "", "10.0.0.77", "10.0.0.9", true },
		{ "", "10.0.1.2", "10.0.0.9", false },
		{ "", "127.0.0.1", "10.0.0.9", false },
		{ "", "0.0.0.0", "10.0.0.9", false },
		{ "", "fd00:736c::77", "fd00:736c::9", true },
		{ "", "fd00:736d::2", "fd00:736c::9", false },
		{ "", "::1", "fd00:736c::9", false },
		{ "source = 172.16.0.0/12 fe80::/10", "172.20.1.2", "10.0.0.9",
		  true },
		{ "source = 172.16.0.0/12 fe80::/10", "10.0.0.2", "10.0.0.9",
		  false },
		{ "source = 172.16.0.0/12 fe80::/10", "fe80::1", "fd00:736c::9",
		  true },
		{ "source = any", "192.0.2.1", "10.0.0.9", true },
		{ "source = any", "2001:db8::1", "fd00:736c::9", true },
		{ "source = any", "127.0.0.1", "10.0.0.9", false },
		{ "source = any", "224.0.0.1", "10.0.0.9", false },
		{ "source = any", "255.255.255.255", "10.0.0.9", false },
		{ "source = any", "ff02::1", "fd00:736c::9", false },
		{ "source = any", "::", "fd00:736c::9", false },
	};
	char conf[128];
	struct app a;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sluice_addr dst = at(cases[i].dst);
		struct world *w;

		snprintf(conf, sizeof(conf), "[tun]\n%s\n", cases[i].conf);
		w = app_world(conf);
		first.open = script_drop;
		app_init(&a, w, dst.family, 40001, &dst);
		a.src = at(cases[i].src);
		app_syn(&a);
		app_turns(w, 2);
		CU_ASSERT_EQUAL(first.opens, cases[i].taken);
		CU_ASSERT_EQUAL(a.icmps, cases[i].taken);
		CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_source),
				!cases[i].taken);
		app_end(w);
	}
}

static void some_targets_are_nobodys(void)
{
	static const struct {
		const char *dst;
		bool taken;
	} cases[] = {
		{ "10.0.0.9", true },      { "192.0.2.1", true },
		{ "10.0.0.2", false }, /* the device itself */
		{ "127.0.0.1", false },    { "127.9.9.9", false },
		{ "0.0.0.0", false },      { "224.0.0.251", false },
		{ "239.1.2.3", false },    { "255.255.255.255", false },
		{ "2001:db8::1", true },   { "fd00:736c::9", true },
		{ "fd00:736c::2", false }, { "::1", false },
		{ "::", false },           { "ff02::fb", false },
		{ "fe80::1", false },
	};
	struct app a;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sluice_addr dst = at(cases[i].dst);
		struct world *w = app_world("[tun]\nsource = any\n");

		first.open = script_drop;
		app_init(&a, w, dst.family, 40001, &dst);
		a.src = at(dst.family == 4 ? "10.0.0.5" : "fd00:736c::5");
		app_syn(&a);
		app_turns(w, 2);
		CU_ASSERT_EQUAL(first.opens, cases[i].taken);
		CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_target),
				!cases[i].taken);
		CU_ASSERT_EQUAL(w->down_n, 0);
		app_end(w);
	}
}

/* What is dropped is counted, under its reason. */
static void bad_packets_are_counted_by_reason(void)
{
	static const struct {
		int at; /* byte to change; -1: cut after so many */
		uint8_t to;
		enum stats_id counter;
	} cases[] = {
		{ -1, 19, STATS_drop_short },
		{ -1, 0, STATS_drop_short },
		{ 0, 0x55, STATS_drop_version },
		{ 0, 0x44, STATS_drop_header },
		{ 3, 200, STATS_drop_length },
		{ 10, 0xaa, STATS_drop_checksum },
		{ 37, 0xaa, STATS_drop_checksum },
	};
	uint8_t b[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = app_world("");
		struct sluice_addr dst = world_host(4, 80);
		struct app a;
		size_t len;

		app_init(&a, w, 4, 40001, &dst);
		a.offer = (struct packet_syn){ 0 };
		app_syn(&a);
		CU_ASSERT_EQUAL_FATAL(w->up_n, 1);
		len = w->up[0].len;
		CU_ASSERT_EQUAL_FATAL(len, 40);
		memcpy(b, w->up[0].data, len);
		if (cases[i].at < 0)
			len = cases[i].to;
		else
			b[cases[i].at] = cases[i].to;
		memcpy(w->up[0].data, b, len);
		w->up[0].len = len;
		silence(w);
		CU_ASSERT_EQUAL(w->gw.stats.v[cases[i].counter], 1);
		CU_ASSERT_EQUAL(first.opens, 0);
		CU_ASSERT_EQUAL(stats_get(&w->gw.stats, tun_up_packets), 1);
		app_end(w);
	}
}

/* ------------------------------------------------------ the gateway itself */

IN_BOTH(nothing_listens_at_the_gateway_address)
{
	struct world *w = app_world("");
	struct sluice_addr self = world_gateway(family), dst = self;
	struct sluice_addr app = world_app(family, 40001);
	static const uint16_t ports[] = { 80, 53 }; /* the dns chain is empty */
	struct packet p;
	struct app a;

	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		dst.port = ports[i];
		app_init(&a, w, family, 40001, &dst);
		app_syn(&a);
		UNTIL(w, a.rsts);
		CU_ASSERT_EQUAL(a.rst_flags, TCP_RST | TCP_ACK);
		world_udp(w, &app, &dst, 64, "x", 1);
		p = answer(w);
		CU_ASSERT_EQUAL(p.type, family == 4 ? 3 : 1);
		CU_ASSERT_EQUAL(p.code, family == 4 ? 3 : 4);
		CU_ASSERT_TRUE(addr_ip_equal(&p.src, &self));
		world_forget(w);
	}
	CU_ASSERT_EQUAL(first.opens, 0);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, dial_started), 0);
	app_end(w);
}

IN_BOTH(the_gateway_answers_pings_itself)
{
	struct world *w = app_world("");
	struct sluice_addr self = world_gateway(family);
	struct sluice_addr app = world_app(family, 0);
	uint8_t b[256];
	struct packet p;
	size_t n;

	n = packet_icmp_echo(b, sizeof(b), &app, &self, family == 4 ? 8 : 128,
			     0x1234, 7, 64, "payload", 7);
	world_up(w, b, n);
	p = answer(w);
	CU_ASSERT_EQUAL(p.type, family == 4 ? 0 : 129);
	CU_ASSERT_EQUAL(get_be16(p.l4 + 4), 0x1234);
	CU_ASSERT_EQUAL(get_be16(p.l4 + 6), 7);
	CU_ASSERT_EQUAL(p.data_len, 7);
	CU_ASSERT_EQUAL(memcmp(p.data, "payload", 7), 0);
	CU_ASSERT_TRUE(addr_ip_equal(&p.src, &self));
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, dial_started), 0);
	app_end(w);
}

/* RFC 1122 3.2.2.1, RFC 8200 4 */
IN_BOTH(an_unknown_protocol_is_refused)
{
	struct world *w = app_world("");
	struct sluice_addr app = world_app(family, 0);
	struct sluice_addr dst = world_host(family, 0);
	struct packet p;

	raw(w, &app, &dst, 47, bytes, 60);
	p = answer(w);
	CU_ASSERT_EQUAL(p.type, family == 4 ? 3 : 4);
	CU_ASSERT_EQUAL(p.code, family == 4 ? 2 : 1);
	if (family == 6)
		CU_ASSERT_EQUAL(get_be32(p.l4 + 4), 6);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_proto), 1);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, icmp_errors_down), 1);
	app_end(w);
}

/* RFC 4443 3.4: the pointer names the octet that names the protocol; RFC 8200
 * 4.7: nothing follows a header that says so, and nothing is wrong with it. */
static void an_unknown_protocol_is_pointed_at(void)
{
	/* destination options, an atomic fragment (whose second byte is
	 * reserved), protocol 47 */
	uint8_t chain[] = { 44, 0, 1, 4, 0, 0, 0, 0, 47, 9,
			    0,  0, 0, 0, 0, 1, 1, 2, 3,  4 };
	struct world *w = app_world("");
	struct sluice_addr app = world_app(6, 0);
	struct sluice_addr dst = world_host(6, 0);
	struct packet p;

	raw(w, &app, &dst, 60, chain, sizeof(chain));
	p = answer(w);
	CU_ASSERT_EQUAL(p.type, 4);
	CU_ASSERT_EQUAL(p.code, 1);
	CU_ASSERT_EQUAL(get_be32(p.l4 + 4), 48);
	world_forget(w);
	raw(w, &app, &dst, 59, bytes, 0);
	silence(w);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_proto), 2);
	app_end(w);
}

/* RFC 8200 4.2: a destination option nobody knows, that is to be reported. */
static void a_bad_extension_header_is_told(void)
{
	static const uint8_t options[] = { 6, 0, 0x80 | 5, 4, 0, 0, 0, 0 };
	struct world *w = app_world("");
	struct sluice_addr app = world_app(6, 0);
	struct sluice_addr dst = world_host(6, 0);
	struct packet p;

	raw(w, &app, &dst, 60, options, sizeof(options));
	p = answer(w);
	CU_ASSERT_EQUAL(p.type, 4);
	CU_ASSERT_EQUAL(p.code, 2);
	CU_ASSERT_EQUAL(get_be32(p.l4 + 4), 42);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_header), 1);
	world_forget(w);
	/* Not to strangers. */
	app.ip[0] = 0x20;
	raw(w, &app, &dst, 60, options, sizeof(options));
	silence(w);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_header), 2);
	app_end(w);
}

/* R23 */
static void icmp_errors_have_a_budget(void)
{
	struct world *w = app_world("");
	struct sluice_addr app = world_app(4, 0), dst = world_host(4, 0);

	for (int i = 0; i < 200; i++)
		raw(w, &app, &dst, 47, bytes, 60);
	loop_turn(&w->gw.loop, 0);
	CU_ASSERT_TRUE(w->down_n >= 50);
	CU_ASSERT_TRUE(w->down_n < 200);
	CU_ASSERT_EQUAL((uint64_t)w->down_n +
				stats_get(&w->gw.stats, icmp_errors_limited),
			200);
	app_end(w);
}

/* ------------------------------------------------------------- fragments */

/* The last packet that the app sent, in pieces, last first. */
static struct world_packet pieces[16];
static int n_pieces;

static int keep_piece(void *arg, const struct iovec *v, int n)
{
	(void)arg;
	CU_ASSERT_FATAL(n_pieces < 16);
	world_keep(&pieces[n_pieces++], v, n);
	return 0;
}

static void in_pieces(struct world *w, uint32_t mtu)
{
	struct world_packet p = w->up[--w->up_n];
	struct iovec v = { p.data, p.len };

	n_pieces = 0;
	if (p.data[0] >> 4 == 4) { /* DF goes */
		uint16_t sum;

		put_be16(p.data + 6, 0);
		memset(p.data + 10, 0, 2);
		sum = csum_fold(csum_add(0, p.data, 20));
		memcpy(p.data + 10, &sum, 2);
	}
	CU_ASSERT_EQUAL_FATAL(
		frag_cut(&v, 1, mtu, util_random32() | 1, keep_piece, NULL), 0);
	free(p.data);
	while (n_pieces) {
		struct world_packet *q = &pieces[--n_pieces];

		world_up(w, q->data, q->len);
		free(q->data);
	}
}

/* R12: TCP in fragments, out of order. */
IN_BOTH(fragments_are_put_together)
{
	struct world *w = app_world("");
	struct sluice_addr dst;
	int listener = app_listen(family, &dst), server;
	uint8_t buf[1000];
	struct app a;

	app_pattern(bytes, 0, sizeof(bytes));
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	server = app_accept(w, listener);
	app_send(&a, bytes, 1000);
	in_pieces(w, 400);
	CU_ASSERT_EQUAL(app_read(w, server, buf, 1000), 1000);
	CU_ASSERT_EQUAL(memcmp(buf, bytes, 1000), 0);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, frag_whole), 1);
	CU_ASSERT_TRUE(stats_get(&w->gw.stats, frag_up) >= 3);
	close(server);
	close(listener);
	app_end(w);
}

/* A checksum that is wrong over the whole is seen when it is whole. */
IN_BOTH(a_whole_packet_is_checked_like_any_other)
{
	struct world *w = app_world("");
	struct sluice_addr dst = world_host(family, 80);
	struct app a;

	app_init(&a, w, family, 40001, &dst);
	app_segment(&a, TCP_ACK, 5, bytes, 1000);
	w->up[0].data[w->up[0].len - 1] ^= 1;
	in_pieces(w, 400);
	silence(w);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, frag_whole), 1);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_checksum), 1);
	app_end(w);
}

/* Only the sender of a first fragment is told (RFC 792, RFC 4443 3.3). */
IN_BOTH(a_datagram_that_is_never_whole_is_counted_and_told)
{
	uint64_t life = family == 4 ? FRAG_V4_MS : FRAG_V6_MS;
	struct sluice_addr dst = world_host(family, 80);
	struct sluice_addr gw = world_gateway(family);
	struct world *w = app_world("");
	struct app a;

	app_init(&a, w, family, 40001, &dst);
	app_segment(&a, TCP_ACK, 5, bytes, 1000);
	in_pieces(w, 400); /* the first is the last */
	free(w->up[0].data);
	memmove(w->up, w->up + 1, sizeof(w->up[0]) * (size_t)--w->up_n);
	app_segment(&a, TCP_ACK, 5, bytes, 1000);
	in_pieces(w, 400);
	free(w->up[--w->up_n].data);
	app_wait(w, life - 1000);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_frag), 0);
	CU_ASSERT_TRUE(frag_held(w->gw.frag) > 0);
	CU_ASSERT_EQUAL(a.icmps, 0);
	app_wait(w, 3000);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_frag), 2);
	CU_ASSERT_EQUAL(frag_held(w->gw.frag), 0);
	CU_ASSERT_EQUAL(a.icmps, 1);
	CU_ASSERT_EQUAL(a.icmp_type, family == 4 ? 11 : 3);
	CU_ASSERT_EQUAL(a.icmp_code, 1);
	CU_ASSERT_TRUE(addr_ip_equal(&a.icmp_from, &gw));
	app_end(w);
}

/* ------------------------------------------------------------ its own life */

/* LIF-5 */
static void a_thousand_starts_and_stops_leave_nothing(void)
{
	for (int i = 0; i < 1000; i++) {
		struct world *w = app_world("");
		struct sluice_addr dst = world_host(4, 80);
		struct app a;

		first.open = script_take;
		app_init(&a, w, 4, 40001, &dst);
		app_syn(&a);
		app_turn(w, 0);
		CU_ASSERT_EQUAL(a.syns, 1);
		app_end(w);
		CU_ASSERT_EQUAL(first.closes, 1);
	}
}

static void flows_in_every_state_end_with_the_gateway(void)
{
	struct world *w = app_world("");
	struct sluice_addr dst = world_host(4, 80), app = world_app(4, 40001);
	struct sluice_addr udp = world_host(4, 9);
	struct app a[4];

	for (int i = 0; i < 4; i++) {
		app_init(&a[i], w, 4, (uint16_t)(40001 + i), &dst);
		first.open = i == 0 ? script_later :
			     i == 1 ? script_more :
				      script_take;
		if (i == 3) {
			first.open = NULL;
			first.protect = script_protect_later;
		}
		app_syn(&a[i]);
		app_turns(w, 2);
	}
	app_ack(&a[2]);
	app_send(&a[2], "never read", 10);
	first.open = script_take;
	world_udp(w, &app, &udp, 64, "never read", 10);
	app_turns(w, 4);
	CU_ASSERT_EQUAL(first.opens, 5);
	app_end(w);
	CU_ASSERT_EQUAL(first.closes, 5);
}

static void *stop_soon(void *gw)
{
	usleep(20000);
	gateway_stop(gw);
	return NULL;
}

static void stop_ends_run_from_another_thread(void)
{
	struct world *w = app_world("");
	pthread_t t;

	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, stop_soon, &w->gw), 0);
	CU_ASSERT_EQUAL(gateway_run(&w->gw), 0);
	pthread_join(t, NULL);
	app_end(w);
}

static int gone(void *arg, struct iovec *v, int n)
{
	(void)arg;
	(void)v;
	(void)n;
	return -EBADFD;
}

static void run_ends_when_the_tun_is_gone(void)
{
	struct world *w = app_world("");

	log_level = -1; /* it is said, but not here */
	w->gw.tun.ops.read = gone;
	tun_ready(&w->gw.tun);
	CU_ASSERT_EQUAL(gateway_run(&w->gw), -EBADFD);
	app_end(w);
}

static int fail_create(struct sluice_ctx *ctx, const void *options, void **self)
{
	(void)options;
	(void)self;
	return sluice_fail(ctx, ENOENT, "it has no list");
}

static int fail_start(void *self)
{
	(void)self;
	return -ENOMEM;
}

static void quiet(void *arg, int level, const char *line)
{
	(void)level;
	strncat(arg, line, 200);
}

/* What was opened is closed, whatever came last. */
static void a_plugin_that_does_not_start_stops_the_gateway(void)
{
	struct sluice_plugin bad = script_second;
	char text[256], log[1024];
	struct gateway *gw;

	for (int i = 0; i < 2; i++) {
		gw = calloc(1, sizeof(*gw));
		bad.name = "bad";
		bad.create = i ? script_second.create : fail_create;
		bad.start = i ? fail_start : NULL;
		registry_add(&gw->registry, &script_first, text, sizeof(text));
		registry_add(&gw->registry, &bad, text, sizeof(text));
		conf_init(&gw->conf, world_report, NULL);
		CU_ASSERT_EQUAL_FATAL(
			conf_parse(&gw->conf, "test",
				   "[chain]\ntcp = first bad\nudp =\ndns =\n"
				   "protect = first\n"),
			0);
		gw->has_ops = true;
		gw->ops.read = gone;
		CU_ASSERT_EQUAL_FATAL(gateway_load(gw), 0);
		*log = '\0';
		log_level = LOG_LEVEL_ERROR;
		log_to(quiet, log);
		CU_ASSERT_TRUE(gateway_open(gw, text, sizeof(text)) < 0);
		log_to(NULL, NULL);
		/* said once, and by who knows */
		CU_ASSERT_EQUAL(*text, '\0');
		CU_ASSERT_EQUAL(gw->misconfigured, !i);
		CU_ASSERT_PTR_NOT_NULL(strstr(log, "bad"));
		if (!i)
			CU_ASSERT_PTR_NOT_NULL(strstr(log, "it has no list"));
		gateway_fini(gw);
		free(gw);
	}
}

static void a_configuration_with_mistakes_is_not_loaded(void)
{
	static const char *const bad[] = {
		"[chain]\ntcp = first\nudp =\ndns =\nprotect =\n",
		"[chain]\ntcp = nobody\nudp =\ndns =\nprotect = first\n",
		"[tun]\nmtu = 100\n[chain]\ntcp =\nudp =\ndns =\n"
		"protect = first\n",
		"[chain]\ntcp =\nudp =\ndns =\nprotect = first\n[frist]\n",
	};
	char text[256];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct gateway *gw = calloc(1, sizeof(*gw));

		log_level = LOG_LEVEL_ERROR;
		registry_add(&gw->registry, &script_first, text, sizeof(text));
		conf_init(&gw->conf, world_report, NULL);
		CU_ASSERT_EQUAL(conf_parse(&gw->conf, "test", bad[i]), 0);
		CU_ASSERT_EQUAL(gateway_load(gw), -EINVAL);
		CU_ASSERT_TRUE(gw->conf.errors > 0);
		gateway_fini(gw);
		free(gw);
	}
}

static const struct unit_test tests[] = {
	UNIT(a_segment_of_no_connection_is_reset),
	UNIT(resets_have_a_budget),
	UNIT(sources_are_those_of_the_network),
	UNIT(some_targets_are_nobodys),
	UNIT(bad_packets_are_counted_by_reason),
	UNIT(nothing_listens_at_the_gateway_address),
	UNIT(the_gateway_answers_pings_itself),
	UNIT(an_unknown_protocol_is_refused),
	UNIT(an_unknown_protocol_is_pointed_at),
	UNIT(a_bad_extension_header_is_told),
	UNIT(icmp_errors_have_a_budget),
	UNIT(fragments_are_put_together),
	UNIT(a_whole_packet_is_checked_like_any_other),
	UNIT(a_datagram_that_is_never_whole_is_counted_and_told),
	UNIT(a_thousand_starts_and_stops_leave_nothing),
	UNIT(flows_in_every_state_end_with_the_gateway),
	UNIT(stop_ends_run_from_another_thread),
	UNIT(run_ends_when_the_tun_is_gone),
	UNIT(a_plugin_that_does_not_start_stops_the_gateway),
	UNIT(a_configuration_with_mistakes_is_not_loaded),
};

UNIT_MAIN("gateway", tests)
