/* SPDX-License-Identifier: MIT */
/* test_icmp.c - echo, answered here and forwarded (LIF-9)
 *
 * Forwarding is tried in a network of our own, once with ping sockets and
 * once with raw ones: the system's group range for them is set there.
 */
#include "icmp.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include "world.h"

#define NOTHING "[chain]\ntcp =\nudp =\ndns =\nprotect =\nobserve =\n"

static uint8_t large[65536];

/* ------------------------------------------------------------- plumbing */

/* The app sends an echo request. */
static void ping(struct world *w, const struct sluice_addr *app,
		 const struct sluice_addr *dst, uint16_t seq, uint8_t ttl,
		 const void *data, size_t len)
{
	static uint8_t out[65600];
	struct iovec v = { out, 0 };

	v.iov_len = packet_icmp_echo(out, sizeof(out), app, dst,
				     app->family == 4 ? 8 : 128, app->port, seq,
				     ttl, data, len);
	CU_ASSERT_FATAL(v.iov_len > 0);
	frag_cut(&v, 1, 1500, util_random32() | 1, world_up_piece, w);
}

/* Is packet i the reply to that? */
static void is_reply(struct world *w, int i, const struct sluice_addr *app,
		     const struct sluice_addr *from, uint16_t seq,
		     const void *data, size_t len)
{
	struct packet p = world_down(w, i);

	CU_ASSERT_EQUAL(p.type, p.version == 4 ? 0 : 129);
	CU_ASSERT_EQUAL(p.code, 0);
	CU_ASSERT_TRUE(addr_ip_equal(&p.src, from));
	CU_ASSERT_TRUE(addr_ip_equal(&p.dst, app));
	CU_ASSERT_EQUAL(get_be16(p.l4 + 4), app->port);
	CU_ASSERT_EQUAL(get_be16(p.l4 + 6), seq);
	CU_ASSERT_EQUAL(p.data_len, len);
	CU_ASSERT_EQUAL(memcmp(p.data, data, MIN(len, p.data_len)), 0);
}

/* Is packet i this ICMP error, quoting the app's echo? */
static void is_error(struct world *w, int i, uint8_t type, uint8_t code,
		     const struct sluice_addr *app,
		     const struct sluice_addr *dst, uint16_t seq)
{
	struct packet p = world_down(w, i);
	size_t head = p.version == 4 ? 20 : 40;

	CU_ASSERT_EQUAL(p.type, type);
	CU_ASSERT_EQUAL(p.code, code);
	CU_ASSERT_TRUE(addr_ip_equal(&p.dst, app));
	CU_ASSERT_FATAL(p.data_len >= head + 8);
	CU_ASSERT_EQUAL(memcmp(p.data + (p.version == 4 ? 16 : 24), dst->ip,
			       p.version == 4 ? 4 : 16),
			0);
	CU_ASSERT_EQUAL(p.data[head], p.version == 4 ? 8 : 128);
	CU_ASSERT_EQUAL(get_be16(p.data + head + 4), app->port);
	CU_ASSERT_EQUAL(get_be16(p.data + head + 6), seq);
}

/* Who may have ping sockets; false: we cannot say. */
static bool set_groups(const char *range)
{
	int fd = open("/proc/sys/net/ipv4/ping_group_range",
		      O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, range, strlen(range)) > 0;
	close(fd);
	return ok;
}

static bool may_ping(int family)
{
	int fd = socket(family == 4 ? AF_INET : AF_INET6,
			SOCK_DGRAM | SOCK_CLOEXEC,
			family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* ----------------------------------------------------------------- here */

static void the_gateway_answers_for_itself(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = world_new(NULL, NOTHING);
		struct sluice_addr app = world_app(family, 77);
		struct sluice_addr gw = world_gateway(family);

		ping(w, &app, &gw, 1, 64, "hello", 5);
		ping(w, &app, &gw, 2, 1, "", 0); /* it is its last hop */
		CU_ASSERT_TRUE_FATAL(world_wait(w, 2));
		is_reply(w, 0, &app, &gw, 1, "hello", 5);
		is_reply(w, 1, &app, &gw, 2, "", 0);
		CU_ASSERT_EQUAL(stats_get(&w->gw.stats, icmp_opened), 0);
		world_end(w);
	}
}

static void a_large_echo_comes_back_whole(void)
{
	struct world *w = world_new(NULL, NOTHING);
	struct sluice_addr app = world_app(4, 77), gw = world_gateway(4);
	struct frag *frag = frag_new();
	struct packet p;
	uint8_t *whole;
	size_t len;
	int r = 0;

	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (uint8_t)(i >> 3);
	ping(w, &app, &gw, 1, 64, large, 20000);
	CU_ASSERT_TRUE_FATAL(world_wait(w, 14));
	for (int i = 0; i < w->down_n; i++) {
		p = world_down(w, i);
		r = frag_add(frag, &p, 0, &whole, &len);
	}
	CU_ASSERT_EQUAL_FATAL(r, 1);
	CU_ASSERT_EQUAL(packet_parse(&p, whole, len, 0), PACKET_OK);
	CU_ASSERT_EQUAL(p.data_len, 20000);
	CU_ASSERT_EQUAL(memcmp(p.data, large, 20000), 0);
	frag_free(frag);
	world_end(w);
}

static void options_are_not_sent_back(void)
{
	static const uint8_t request[] = {
		0x46, 0, 0, 32, 0,  0,  0x40, 0, 64, 1, 0, 0, /* IHL 6 */
		10,   0, 0, 2,  10, 0,  0,    1, 1,  1, 1, 0, /* NOPs, end */
		8,    0, 0, 0,  0,  77, 0,    1,
	};
	struct world *w = world_new(NULL, NOTHING);
	struct sluice_addr app = world_app(4, 77), gw = world_gateway(4);
	uint8_t b[sizeof(request)];
	uint16_t c;

	memcpy(b, request, sizeof(b));
	c = csum_fold(csum_add(0, b + 24, 8));
	memcpy(b + 26, &c, 2);
	c = csum_fold(csum_add(0, b, 24));
	memcpy(b + 10, &c, 2);
	world_up(w, b, sizeof(b));
	CU_ASSERT_TRUE_FATAL(world_wait(w, 1));
	is_reply(w, 0, &app, &gw, 1, "", 0);
	CU_ASSERT_EQUAL(w->down[0].len, 28);
	world_end(w);
}

static void reply_mode_answers_for_all(void)
{
	struct world *w = world_new(NULL, NOTHING "[icmp]\necho = reply\n");
	struct sluice_addr app = world_app(4, 77);
	struct sluice_addr dst = { .family = 4, .ip = { 192, 0, 2, 1 } };

	ping(w, &app, &dst, 9, 64, "hello", 5);
	CU_ASSERT_TRUE_FATAL(world_wait(w, 1));
	is_reply(w, 0, &app, &dst, 9, "hello", 5);
	world_end(w);
}

static void off_means_silence(void)
{
	struct world *w = world_new(NULL, NOTHING "[icmp]\necho = off\n");
	struct sluice_addr app = world_app(4, 77), gw = world_gateway(4);

	ping(w, &app, &gw, 9, 64, "hello", 5);
	world_turns(w, 5);
	CU_ASSERT_EQUAL(w->down_n, 0);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_proto), 1);
	world_end(w);
}

static void other_icmp_goes_nowhere(void)
{
	struct world *w = world_new(NULL, NOTHING);
	struct sluice_addr app = world_app(4, 77), gw = world_gateway(4);
	uint8_t out[64];
	size_t len;

	/* A reply nobody asked for. */
	len = packet_icmp_echo(out, sizeof(out), &app, &gw, 0, 77, 1, 64, "x",
			       1);
	world_up(w, out, len);
	world_turns(w, 5);
	CU_ASSERT_EQUAL(w->down_n, 0);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_proto), 1);
	world_end(w);
}

static void a_ttl_that_ends_here_says_so(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = world_new(NULL, NOTHING);
		struct sluice_addr app = world_app(family, 77);
		struct sluice_addr dst = world_host(family, 0);

		ping(w, &app, &dst, 3, 1, "hello", 5);
		CU_ASSERT_TRUE_FATAL(world_wait(w, 1));
		is_error(w, 0, family == 4 ? 11 : 3, 0, &app, &dst, 3);
		CU_ASSERT_EQUAL(stats_get(&w->gw.stats, icmp_opened), 0);
		world_end(w);
	}
}

/* -------------------------------------------------------------- forwarded */

static void forwarded(int family)
{
	struct world *w = world_new(NULL, NOTHING);
	struct sluice_addr one = world_app(family, 77), two = one;
	struct sluice_addr dst = world_host(family, 0);

	/* The first waits for the socket, the others find it there. */
	for (uint16_t i = 0; i < 3; i++) {
		ping(w, &one, &dst, i, 64, large, i * 500u);
		CU_ASSERT_TRUE_FATAL(world_wait(w, i + 1));
		is_reply(w, i, &one, &dst, i, large, i * 500u);
	}
	/* Another app with the same identifier (RFC 5508 REQ-1). */
	two.ip[family == 4 ? 3 : 15] = 77;
	ping(w, &two, &dst, 9, 64, "two", 3);
	CU_ASSERT_TRUE_FATAL(world_wait(w, 4));
	is_reply(w, 3, &two, &dst, 9, "two", 3);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, icmp_open), 2);
	world_turns(w, 5);
	CU_ASSERT_EQUAL(w->down_n, 4);
	world_end(w);
}

/* Nothing leads to dst from here, and the app hears of it. */
static void unreachable(int family)
{
	struct world *w = world_new(NULL, NOTHING);
	struct sluice_addr app = world_app(family, 77);
	struct sluice_addr dst = { .family = (uint8_t)family,
				   .ip = { 0x20, 1, 0xd, 0xb8 } };

	ping(w, &app, &dst, 5, 64, "hello", 5);
	CU_ASSERT_TRUE_FATAL(world_wait(w, 1));
	is_error(w, 0, family == 4 ? 3 : 1, 0, &app, &dst, 5);
	/* And again with the socket there already. */
	ping(w, &app, &dst, 6, 64, "hello", 5);
	CU_ASSERT_TRUE_FATAL(world_wait(w, 2));
	is_error(w, 1, family == 4 ? 3 : 1, 0, &app, &dst, 6);
	world_end(w);
}

static void with_sockets(const char *range, bool pings)
{
	world_alone();
	if (!set_groups(range) || may_ping(4) != pings)
		UNIT_SKIP("net.ipv4.ping_group_range cannot be set");
	for (int family = 4; family <= 6; family += 2) {
		forwarded(family);
		unreachable(family);
	}
}

static void ping_sockets_forward(void)
{
	with_sockets("0 2147483647", true);
}

static void raw_sockets_forward_where_there_are_no_ping_sockets(void)
{
	with_sockets("1 0", false);
}

static char logged[512];

static void keep_line(void *arg, int level, const char *line)
{
	(void)arg;
	(void)level;
	if (!*logged)
		snprintf(logged, sizeof(logged), "%s", line);
}

static void without_any_the_app_and_the_log_are_told(void)
{
	struct sluice_addr app = world_app(4, 77), dst = world_host(4, 0);
	struct world *w;
	uid_t uid = geteuid();

	world_alone();
	if (!set_groups("1 0") || uid != 0)
		UNIT_SKIP("only root can try to be without rights");
	w = world_new(NULL, NOTHING);
	CU_ASSERT_EQUAL_FATAL(seteuid(65534), 0);
	log_level = LOG_LEVEL_WARN;
	log_to(keep_line, NULL);
	for (uint16_t i = 0; i < 2; i++) {
		ping(w, &app, &dst, i, 64, "hello", 5);
		CU_ASSERT_TRUE_FATAL(world_wait(w, i + 1));
		is_error(w, i, 3, 13, &app, &dst, i);
	}
	log_to(NULL, NULL);
	CU_ASSERT_EQUAL(seteuid(uid), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(logged, "ping_group_range"));
	world_end(w);
}

static void a_silent_ping_flow_ends(void)
{
	struct world *w = world_new(NULL, NOTHING "[icmp]\ntimeout = 1s\n");
	struct sluice_addr app = world_app(4, 77), dst = world_host(4, 0);
	uint64_t until = util_now_ms() + 3000;

	ping(w, &app, &dst, 1, 64, "x", 1);
	CU_ASSERT_TRUE(world_wait(w, 1));
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, icmp_opened), 1);
	while (stats_get(&w->gw.stats, icmp_open) && util_now_ms() < until)
		loop_turn(&w->gw.loop, 10);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, icmp_open), 0);
	world_end(w);
}

/* clang-format off */
static const struct unit_test tests[] = {
	UNIT(the_gateway_answers_for_itself),
	UNIT(a_large_echo_comes_back_whole),
	UNIT(options_are_not_sent_back),
	UNIT(reply_mode_answers_for_all),
	UNIT(off_means_silence),
	UNIT(other_icmp_goes_nowhere),
	UNIT(a_ttl_that_ends_here_says_so),
	UNIT(ping_sockets_forward),
	UNIT(raw_sockets_forward_where_there_are_no_ping_sockets),
	UNIT(without_any_the_app_and_the_log_are_told),
	UNIT(a_silent_ping_flow_ends),
};
/* clang-format on */

UNIT_MAIN("icmp", tests)
