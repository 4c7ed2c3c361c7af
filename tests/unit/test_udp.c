/* SPDX-License-Identifier: MIT */
/* test_udp.c - UDP sessions in a whole gateway (UDP-1 to UDP-7) */
#include "udp.h"

#include <arpa/inet.h>

#include "dgram.h"
#include "udpflow.h"
#include "world.h"

#define CHAIN(udp) \
	"[chain]\ntcp =\ndns =\nprotect =\nobserve =\nudp = " udp "\n"
#define FORWARD CHAIN("udp-forward") "[udp-forward]\n"

static uint8_t large[65536];

/* ------------------------------------------------------------- plumbing */

/* What a server got; from is left for its answer. */
static ssize_t take(struct world *w, int server, void *buf, size_t len,
		    struct sockaddr_storage *from)
{
	socklen_t from_len = sizeof(*from);

	if (!world_arrives(w, server))
		return -1;
	return recvfrom(server, buf, len, 0, (struct sockaddr *)from,
			&from_len);
}

static void answer(int server, const struct sockaddr_storage *to,
		   const void *data, size_t len)
{
	socklen_t n = to->ss_family == AF_INET ? sizeof(struct sockaddr_in) :
						 sizeof(struct sockaddr_in6);

	CU_ASSERT_EQUAL(sendto(server, data, len, 0,
			       (const struct sockaddr *)to, n),
			(ssize_t)len);
}

static uint16_t port_of(const struct sockaddr_storage *ss)
{
	struct sluice_addr a;

	addr_from_sockaddr((const struct sockaddr *)ss, &a);
	return a.port;
}

/* A socket of the loopback that is closed again: nobody is there. */
static struct sluice_addr nobody(int family)
{
	struct sluice_addr as;

	close(world_server(family, SOCK_DGRAM, &as));
	return as;
}

/* Is packet i an ICMP error of this kind, from `from`, about a datagram of
 * app to dst? */
static void is_icmp(struct world *w, int i, uint8_t type, uint8_t code,
		    const struct sluice_addr *from,
		    const struct sluice_addr *app,
		    const struct sluice_addr *dst)
{
	struct packet p = world_down(w, i);
	size_t head = p.version == 4 ? 20 : 40;
	const uint8_t *quote = p.data;

	CU_ASSERT_EQUAL(p.proto, p.version == 4 ? PACKET_ICMP : PACKET_ICMPV6);
	CU_ASSERT_EQUAL(p.type, type);
	CU_ASSERT_EQUAL(p.code, code);
	CU_ASSERT_TRUE(addr_ip_equal(&p.src, from));
	CU_ASSERT_TRUE(addr_ip_equal(&p.dst, app));
	CU_ASSERT_FATAL(p.data_len >= head + 8);
	CU_ASSERT_EQUAL(memcmp(quote + (p.version == 4 ? 12 : 8), app->ip,
			       p.version == 4 ? 4 : 16),
			0);
	CU_ASSERT_EQUAL(memcmp(quote + (p.version == 4 ? 16 : 24), dst->ip,
			       p.version == 4 ? 4 : 16),
			0);
	CU_ASSERT_EQUAL(get_be16(quote + head), app->port);
	CU_ASSERT_EQUAL(get_be16(quote + head + 2), dst->port);
}

/* ----------------------------------------------------------- there, back */

static void there_and_back(int family)
{
	struct world *w = world_new(NULL, FORWARD);
	struct sluice_addr app = world_app(family, 40001), dst;
	int server = world_server(family, SOCK_DGRAM, &dst);
	struct sockaddr_storage from;
	struct packet p;
	char buf[64];

	world_udp(w, &app, &dst, 64, "question", 8);
	CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 8);
	CU_ASSERT_EQUAL(memcmp(buf, "question", 8), 0);
	CU_ASSERT_EQUAL(port_of(&from), app.port); /* RFC 4787 REQ-4 */
	answer(server, &from, "an answer", 9);
	CU_ASSERT_TRUE_FATAL(world_wait(w, 1));
	p = world_down(w, 0);
	CU_ASSERT_EQUAL(p.proto, PACKET_UDP);
	CU_ASSERT_TRUE(addr_equal(&p.src, &dst));
	CU_ASSERT_TRUE(addr_equal(&p.dst, &app));
	CU_ASSERT_EQUAL(p.data_len, 9);
	CU_ASSERT_EQUAL(memcmp(p.data, "an answer", 9), 0);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, udp_open), 1);
	close(server);
	world_end(w);
}

/* UDP-1 */
static void a_datagram_goes_out_and_its_answer_comes_back(void)
{
	there_and_back(4);
}

static void the_same_over_ipv6(void)
{
	there_and_back(6);
}

static void size_through(struct world *w, int family, size_t len)
{
	struct sluice_addr app = world_app(family, 40001), dst;
	int server = world_server(family, SOCK_DGRAM, &dst);
	struct frag *frag = frag_new();
	struct sockaddr_storage from;
	static uint8_t buf[65536];
	struct packet p;
	uint8_t *whole = NULL;
	size_t whole_len = 0;
	int r = 0;

	for (size_t i = 0; i < len; i++)
		large[i] = (uint8_t)(i * 7 + (i >> 8));
	world_udp(w, &app, &dst, 64, large, len);
	CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), (ssize_t)len);
	CU_ASSERT_EQUAL(memcmp(buf, large, len), 0);
	answer(server, &from, large, len);
	CU_ASSERT_TRUE_FATAL(world_wait(w, (int)(len + 1487) / 1480));
	world_turns(w, 2);
	for (int i = 0; i < w->down_n && r == 0; i++) {
		CU_ASSERT(w->down[i].len <= 1500);
		p = world_down(w, i);
		if (w->down_n > 1)
			r = frag_add(frag, &p, 0, &whole, &whole_len);
	}
	if (whole) {
		CU_ASSERT_EQUAL(r, 1);
		CU_ASSERT_EQUAL(packet_parse(&p, whole, whole_len, 0),
				PACKET_OK);
	}
	CU_ASSERT_EQUAL(p.data_len, len);
	CU_ASSERT_EQUAL(memcmp(p.data, large, MIN(len, p.data_len)), 0);
	CU_ASSERT_TRUE(addr_equal(&p.src, &dst));
	frag_free(frag);
	close(server);
	world_forget(w);
}

static void size_both_ways(int family, size_t len)
{
	struct world *w = world_new(NULL, FORWARD);

	size_through(w, family, len);
	world_end(w);
}

/* UDP-4 */
static void datagrams_of_all_sizes_pass_both_ways(void)
{
	static const size_t sizes[] = { 0,    1,    1472, 1473,  2047,
					2048, 2049, 9000, 20000, 65507 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		size_both_ways(4, sizes[i]);
}

static void ipv6_datagrams_of_all_sizes_pass_both_ways(void)
{
	static const size_t sizes[] = { 0, 1, 1452, 1453, 9000, 65487, 65507 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		size_both_ways(6, sizes[i]);
}

static void shared_buffers_may_be_given_back_between(void)
{
	struct world *w = world_new(NULL, FORWARD);

	for (int i = 0; i < 3; i++) {
		size_through(w, 4, 20000);
		udp_trim(&w->gw); /* was used: keeps them */
		udp_trim(&w->gw);
	}
	world_end(w);
}

static void a_batch_keeps_order_and_sizes(void)
{
	struct world *w = world_new(NULL, FORWARD);
	struct sluice_addr app = world_app(4, 40001), dst;
	int server = world_server(4, SOCK_DGRAM, &dst);
	static uint8_t buf[2048];
	struct sockaddr_storage from;
	size_t len;

	/* With a socket there already: before, few may wait. */
	world_udp(w, &app, &dst, 64, "x", 1);
	CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 1);
	/* Runs of equal sizes, which go as one, and others between. */
	for (int i = 0; i < 600; i++) {
		len = i % 100 < 70 ? 700 : (size_t)(i * 37 % 1400) + 2;
		memset(large, i & 0xff, len);
		put_be16(large, (uint16_t)i);
		world_udp(w, &app, &dst, 64, large, len);
		if (i % 300 == 299)
			world_turns(w, 3);
	}
	for (int i = 0; i < 600; i++) {
		len = i % 100 < 70 ? 700 : (size_t)(i * 37 % 1400) + 2;
		CU_ASSERT_EQUAL_FATAL(take(w, server, buf, sizeof(buf), &from),
				      (ssize_t)len);
		CU_ASSERT_EQUAL(get_be16(buf), i);
	}
	close(server);
	world_end(w);
}

/* n datagrams of 1400 bytes in one batch, over a session that is there. */
static void batch_up(struct world *w, int server, const struct sluice_addr *app,
		     const struct sluice_addr *dst, int n, bool df)
{
	uint8_t head[PACKET_HEADERS_MAX];
	struct iovec v[2] = { { head, 0 }, { large, 1400 } };
	struct sockaddr_storage from;
	char buf[8];

	world_udp(w, app, dst, 64, "x", 1);
	CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 1);
	for (int i = 0; i < n; i++) {
		put_be16(large, (uint16_t)i);
		v[0].iov_len = packet_udp_header(head, app, dst, 64, 0, df, 1,
						 v + 1, 1, false);
		world_up_piece(w, v, 2);
	}
	world_turns(w, 4);
}

static void all_arrive(struct world *w, int server, int n)
{
	struct sockaddr_storage from;
	static uint8_t buf[2048];

	for (int i = 0; i < n; i++) {
		CU_ASSERT_EQUAL_FATAL(take(w, server, buf, sizeof(buf), &from),
				      1400);
		CU_ASSERT_EQUAL(get_be16(buf), i);
	}
}

static void kernels_without_gso_get_one_by_one(void)
{
	struct world *w = world_new(NULL, FORWARD);
	struct sluice_addr app = world_app(4, 40001), dst;
	int server = world_server(4, SOCK_DGRAM, &dst);

	w->gw.udp->gso = false;
	batch_up(w, server, &app, &dst, 100, true);
	all_arrive(w, server, 100);
	close(server);
	world_end(w);
}

/* The MTU of our own loopback; false: it is the host's. */
static bool narrow_loopback(int mtu)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_mtu = mtu };
	bool ok;
	int fd;

	if (!world_alone())
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ok = !ioctl(fd, SIOCSIFMTU, &ifr);
	close(fd);
	return ok;
}

static void a_run_too_large_for_the_path_is_cut_by_the_kernel(void)
{
	struct sluice_addr app = world_app(4, 40001), dst;
	struct world *w;
	int server;

	if (!narrow_loopback(1300))
		UNIT_SKIP("the loopback is not ours");
	w = world_new(NULL, FORWARD);
	server = world_server(4, SOCK_DGRAM, &dst);
	batch_up(w, server, &app, &dst, 20, false);
	all_arrive(w, server, 20);
	CU_ASSERT_EQUAL(w->down_n, 0);
	close(server);
	world_end(w);
	narrow_loopback(65536);
}

static void a_whole_run_too_large_for_the_path_says_so(void)
{
	struct sluice_addr app = world_app(4, 40001), dst, gw;
	struct packet p;
	struct world *w;
	int server;

	if (!narrow_loopback(1300))
		UNIT_SKIP("the loopback is not ours");
	w = world_new(NULL, FORWARD);
	server = world_server(4, SOCK_DGRAM, &dst);
	gw = world_gateway(4);
	batch_up(w, server, &app, &dst, 20, true);
	CU_ASSERT_EQUAL_FATAL(w->down_n, 20);
	for (int i = 0; i < 20; i++) {
		is_icmp(w, i, 3, 4, &gw, &app, &dst);
		p = world_down(w, i);
		CU_ASSERT_EQUAL(get_be16(p.l4 + 6), 1300);
	}
	close(server);
	world_end(w);
	narrow_loopback(65536);
}

static void a_burst_down_keeps_order_and_sizes(void)
{
	struct world *w = world_new(NULL, FORWARD);
	struct sluice_addr app = world_app(6, 40001), dst;
	int server = world_server(6, SOCK_DGRAM, &dst);
	struct sockaddr_storage from;
	struct packet p;
	char buf[8];

	world_udp(w, &app, &dst, 64, "x", 1);
	CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 1);
	for (int i = 0; i < 200; i++) {
		put_be16(large, (uint16_t)i);
		answer(server, &from, large, i % 10 ? 1200u : 2u + (size_t)i);
	}
	CU_ASSERT_TRUE_FATAL(world_wait(w, 200));
	for (int i = 0; i < 200; i++) {
		p = world_down(w, i);
		CU_ASSERT_EQUAL(p.data_len, i % 10 ? 1200u : 2u + (size_t)i);
		CU_ASSERT_EQUAL(get_be16(p.data), i);
	}
	close(server);
	world_end(w);
}

/* ---------------------------------------------------- mapping, filtering */

/* The port of the app's socket as two servers see it, and a word of a third
 * whom the app never wrote to, and of another port of the first. */
struct nat {
	uint16_t seen[2];
	int heard; /* packets that came of the two strangers */
};

static struct nat nat_of(int family, const char *conf)
{
	struct world *w = world_new(NULL, conf);
	struct sluice_addr app = world_app(family, 40001), dst[3];
	struct sockaddr_storage from[2];
	struct nat nat = { 0 };
	int server[3];
	char buf[8];

	for (int i = 0; i < 3; i++)
		server[i] = world_server(family, SOCK_DGRAM, &dst[i]);
	for (int i = 0; i < 2; i++) {
		world_udp(w, &app, &dst[i], 64, "x", 1);
		CU_ASSERT_EQUAL(take(w, server[i], buf, sizeof(buf), &from[i]),
				1);
		nat.seen[i] = port_of(&from[i]);
	}
	for (int i = 0; i < 2; i++)
		answer(server[i], &from[i], "friend", 6);
	CU_ASSERT_TRUE(world_wait(w, 2));
	world_forget(w);
	answer(server[2], &from[0], "stranger", 8);
	world_turns(w, 20);
	nat.heard = w->down_n;
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_filter),
			(uint64_t)(1 - nat.heard));
	for (int i = 0; i < 3; i++)
		close(server[i]);
	world_end(w);
	return nat;
}

/* UDP-6, RFC 4787 REQ-1 and REQ-8 */
static void mapping_and_filtering_are_endpoint_independent(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct nat nat = nat_of(family, FORWARD);

		CU_ASSERT_EQUAL(nat.seen[0], nat.seen[1]);
		CU_ASSERT_EQUAL(nat.heard, 1);
	}
}

static void a_pair_has_a_socket_of_its_own(void)
{
	struct nat nat = nat_of(4, FORWARD "mapping = pair\n");

	CU_ASSERT_NOT_EQUAL(nat.seen[0], nat.seen[1]);
	CU_ASSERT_EQUAL(nat.heard, 1);
}

static void filtering_by_address_lets_its_other_ports_through(void)
{
	CU_ASSERT_EQUAL(nat_of(4, FORWARD "filtering = address\n").heard, 1);
	CU_ASSERT_EQUAL(nat_of(6, FORWARD "filtering = address\n").heard, 1);
}

static void filtering_by_port_stops_strangers(void)
{
	struct nat nat = nat_of(4, FORWARD "filtering = port\n");

	CU_ASSERT_EQUAL(nat.seen[0], nat.seen[1]);
	CU_ASSERT_EQUAL(nat.heard, 0);
	CU_ASSERT_EQUAL(nat_of(6, FORWARD "filtering = port\n").heard, 0);
}

static void a_pair_keeps_its_socket(void)
{
	struct world *w = world_new(NULL, FORWARD "mapping = pair\n");
	struct sluice_addr app = world_app(4, 40001), dst;
	int server = world_server(4, SOCK_DGRAM, &dst);
	struct sockaddr_storage from;
	uint16_t port = 0;
	char buf[8];

	for (int i = 0; i < 5; i++) {
		world_udp(w, &app, &dst, 64, "x", 1);
		CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 1);
		CU_ASSERT(i == 0 || port_of(&from) == port);
		port = port_of(&from);
	}
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, udp_opened), 1);
	close(server);
	world_end(w);
}

static void two_apps_never_share_a_socket(void)
{
	struct world *w = world_new(NULL, FORWARD);
	struct sluice_addr one = world_app(4, 40001), two = one, dst;
	int server = world_server(4, SOCK_DGRAM, &dst);
	struct sockaddr_storage from[2];
	struct packet p;
	char buf[8];

	two.ip[3] = 77; /* the same port of another address (REQ-3) */
	world_udp(w, &one, &dst, 64, "1", 1);
	CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from[0]), 1);
	world_udp(w, &two, &dst, 64, "2", 1);
	CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from[1]), 1);
	CU_ASSERT_NOT_EQUAL(port_of(&from[0]), port_of(&from[1]));
	answer(server, &from[1], "two", 3);
	CU_ASSERT_TRUE_FATAL(world_wait(w, 1));
	p = world_down(w, 0);
	CU_ASSERT_TRUE(addr_equal(&p.dst, &two));
	close(server);
	world_end(w);
}

/* --------------------------------------------------------------- errors */

static void closed_port(int family, uint8_t type, uint8_t code)
{
	struct world *w = world_new(NULL, FORWARD);
	struct sluice_addr app = world_app(family, 40001);
	struct sluice_addr closed = nobody(family), dst;
	int server = world_server(family, SOCK_DGRAM, &dst);
	struct sockaddr_storage from;
	char buf[8];

	world_udp(w, &app, &closed, 64, "anyone?", 7);
	CU_ASSERT_TRUE_FATAL(world_wait(w, 1));
	is_icmp(w, 0, type, code, &closed, &app, &closed);
	/* The session lives on, with its socket (RFC 4787 REQ-12). */
	world_udp(w, &app, &dst, 64, "x", 1);
	CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 1);
	CU_ASSERT_EQUAL(port_of(&from), app.port);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, udp_opened), 1);
	close(server);
	world_end(w);
}

static void a_closed_port_says_so(void)
{
	closed_port(4, 3, 3);
}

static void a_closed_ipv6_port_says_so(void)
{
	closed_port(6, 1, 4);
}

static void an_error_never_eats_a_datagram(void)
{
	struct world *w = world_new(NULL, FORWARD);
	struct sluice_addr app = world_app(4, 40001), closed = nobody(4), dst;
	int server = world_server(4, SOCK_DGRAM, &dst);
	struct sockaddr_storage from;
	int told = 0;
	char buf[8];

	/* Loopback refuses at once, so each send finds an error waiting. */
	for (int i = 0; i < 20; i++) {
		world_udp(w, &app, &closed, 64, "lost", 4);
		world_udp(w, &app, &dst, 64, &i, sizeof(i));
	}
	for (int i = 0; i < 20; i++) {
		int got = -1;

		CU_ASSERT_EQUAL_FATAL(take(w, server, &got, sizeof(got), &from),
				      (ssize_t)sizeof(got));
		CU_ASSERT_EQUAL(got, i);
	}
	world_turns(w, 5);
	for (int i = 0; i < w->down_n; i++)
		told += world_down(w, i).proto == PACKET_ICMP;
	CU_ASSERT_EQUAL(told, 20);
	world_forget(w);
	/* And none that comes. */
	world_udp(w, &app, &closed, 64, "lost", 4);
	for (int i = 0; i < 5; i++)
		answer(server, &from, buf, sizeof(buf));
	CU_ASSERT_TRUE(world_wait(w, 6));
	CU_ASSERT_EQUAL(w->down_n, 6);
	close(server);
	world_end(w);
}

static void no_route_says_so_and_the_session_stays(void)
{
	if (!world_alone())
		UNIT_SKIP("the host may have routes");
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = world_new(NULL, FORWARD);
		struct sluice_addr app = world_app(family, 40001), dst;
		struct sluice_addr gw = world_gateway(family);
		struct sluice_addr away = { .family = (uint8_t)family,
					    .port = 9,
					    .ip = { 0x20, 1, 0xd, 0xb8 } };
		int server = world_server(family, SOCK_DGRAM, &dst);
		struct sockaddr_storage from;
		char buf[8];

		for (int i = 0; i < 2; i++) {
			world_udp(w, &app, &away, 64, "x", 1);
			CU_ASSERT_TRUE_FATAL(world_wait(w, i + 1));
			is_icmp(w, i, family == 4 ? 3 : 1, 0, &gw, &app, &away);
		}
		world_udp(w, &app, &dst, 64, "x", 1);
		CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 1);
		CU_ASSERT_EQUAL(port_of(&from), app.port);
		close(server);
		world_end(w);
	}
}

static void a_ttl_that_ends_here_says_so(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = world_new(NULL, FORWARD);
		struct sluice_addr app = world_app(family, 40001);
		struct sluice_addr dst = world_host(family, 9);
		struct sluice_addr gw = world_gateway(family);

		world_udp(w, &app, &dst, 1, "x", 1);
		CU_ASSERT_TRUE_FATAL(world_wait(w, 1));
		is_icmp(w, 0, family == 4 ? 11 : 3, 0, &gw, &app, &dst);
		CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_ttl), 1);
		CU_ASSERT_EQUAL(stats_get(&w->gw.stats, udp_opened), 0);
		world_end(w);
	}
}

/* The TTL and TOS a server sees. */
static void seen_hop(int server, int family, int *ttl, int *tos)
{
	union {
		struct cmsghdr align;
		uint8_t room[256];
	} control;
	char buf[8];
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = {
		.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	*ttl = *tos = -1;
	CU_ASSERT_FATAL(recvmsg(server, &m, 0) >= 0);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_type == (family == 4 ? IP_TTL : IPV6_HOPLIMIT))
			memcpy(ttl, CMSG_DATA(c), sizeof(int));
		else if (family == 4 && c->cmsg_type == IP_TOS)
			*tos = *CMSG_DATA(c);
		else if (family == 6 && c->cmsg_type == IPV6_TCLASS)
			memcpy(tos, CMSG_DATA(c), sizeof(int));
}

static void ttl_and_class_pass_one_less_and_alike(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = world_new(NULL, FORWARD);
		struct sluice_addr app = world_app(family, 40001), dst;
		int server = world_server(family, SOCK_DGRAM, &dst);
		uint8_t head[PACKET_HEADERS_MAX];
		struct iovec v[2] = { { head, 0 }, { (void *)"x", 1 } };
		int one = 1, ttl, tos;

		if (family == 4) {
			setsockopt(server, IPPROTO_IP, IP_RECVTTL, &one, 4);
			setsockopt(server, IPPROTO_IP, IP_RECVTOS, &one, 4);
		} else {
			setsockopt(server, IPPROTO_IPV6, IPV6_RECVHOPLIMIT,
				   &one, 4);
			setsockopt(server, IPPROTO_IPV6, IPV6_RECVTCLASS, &one,
				   4);
		}
		/* Several in one batch: each its own. */
		for (int i = 2; i < 6; i++) {
			v[0].iov_len = packet_udp_header(
				head, &app, &dst, (uint8_t)i,
				i == 4 ? 0xb8 : 0x03, true, 0, v + 1, 1, false);
			world_up_piece(w, v, 2);
		}
		for (int i = 2; i < 6; i++) {
			CU_ASSERT_TRUE_FATAL(world_arrives(w, server));
			seen_hop(server, family, &ttl, &tos);
			CU_ASSERT_EQUAL(ttl, i - 1);
			CU_ASSERT_EQUAL(tos, i == 4 ? 0xb8 : 3);
		}
		close(server);
		world_end(w);
	}
}

/* The server's datagrams: n that travel like this. */
static void answers(int server, int family, const struct sockaddr_storage *to,
		    int ttl, int tos, int n)
{
	bool v4 = family == 4;
	int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;

	setsockopt(server, level, v4 ? IP_TTL : IPV6_UNICAST_HOPS, &ttl, 4);
	setsockopt(server, level, v4 ? IP_TOS : IPV6_TCLASS, &tos, 4);
	while (n--)
		answer(server, to, "x", 1);
}

/* The answers that came down since are n of that kind. */
static void came(struct world *w, int n, uint8_t ttl, uint8_t tos)
{
	CU_ASSERT_TRUE_FATAL(world_wait(w, n));
	for (int i = 0; i < n; i++) {
		struct packet p = world_down(w, i);

		CU_ASSERT_EQUAL(p.ttl, ttl);
		CU_ASSERT_EQUAL(p.tos, tos);
	}
	world_forget(w);
}

static void answers_keep_ttl_and_class(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = world_new(NULL, FORWARD);
		struct sluice_addr app = world_app(family, 40001), dst;
		int server = world_server(family, SOCK_DGRAM, &dst);
		struct sockaddr_storage from;
		char buf[8];

		world_udp(w, &app, &dst, 64, "x", 1);
		CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 1);
		answers(server, family, &from, 255, 0, 1);
		came(w, 1, 254, 0);
		/* Of one burst, each its own. */
		answers(server, family, &from, 17, 0xb8, 2);
		answers(server, family, &from, 17, 0x02, 2);
		CU_ASSERT_TRUE_FATAL(world_wait(w, 4));
		for (int i = 0; i < 4; i++)
			CU_ASSERT_EQUAL(world_down(w, i).tos,
					i < 2 ? 0xb8 : 0x02);
		world_forget(w);
		/* Whoever marked once may do so again, however late. */
		answers(server, family, &from, 1, 0, 100);
		came(w, 100, 1, 0);
		answers(server, family, &from, 9, 0x48, 1);
		came(w, 1, 8, 0x48);
		close(server);
		world_end(w);
	}
}

static void a_session_that_marks_nothing_is_not_asked_for_ever(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = world_new(NULL, FORWARD);
		struct sluice_addr app = world_app(family, 40001), dst;
		int server = world_server(family, SOCK_DGRAM, &dst);
		struct iovec v[2] = { { large, 0 }, { (void *)"x", 1 } };
		struct sockaddr_storage from;
		char buf[8];

		world_udp(w, &app, &dst, 64, "x", 1);
		CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 1);
		answers(server, family, &from, 77, 0, 200);
		came(w, 200, 76, 0);
		answers(server, family, &from, 33, 0x48, 1);
		came(w, 1, 76, 0);
		/* Now the app marks what it sends. */
		v[0].iov_len = packet_udp_header(large, &app, &dst, 64, 0xb8,
						 true, 0, v + 1, 1, false);
		world_up_piece(w, v, 2);
		CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 1);
		answers(server, family, &from, 33, 0, 1);
		CU_ASSERT_TRUE_FATAL(world_wait(w, 1));
		world_forget(w);
		answers(server, family, &from, 33, 0x48, 1);
		came(w, 1, 32, 0x48);
		close(server);
		world_end(w);
	}
}

/* ------------------------------------------------------------ the plugin */

/* UDP-7 */
static void dropped_ports_are_refused_at_once(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct world *w =
			world_new(NULL, FORWARD "drop-ports = 443 80\n");
		struct sluice_addr app = world_app(family, 40001);
		struct sluice_addr dst = world_host(family, 443);

		world_udp(w, &app, &dst, 64, "hello", 5);
		CU_ASSERT_TRUE_FATAL(world_wait(w, 1));
		is_icmp(w, 0, family == 4 ? 3 : 1, family == 4 ? 3 : 4, &dst,
			&app, &dst);
		world_turns(w, 2);
		CU_ASSERT_EQUAL(stats_get(&w->gw.stats, udp_open), 0);
		CU_ASSERT_EQUAL(stats_get(&w->gw.stats, dial_started), 0);
		world_end(w);
	}
}

/* UDP-2 and UDP-3 */
static void only_silence_ends_a_session(void)
{
	struct world *w = world_new(NULL, FORWARD "idle-timeout = 200ms\n");
	struct sluice_addr app = world_app(4, 40001), dst;
	int server = world_server(4, SOCK_DGRAM, &dst);
	struct sockaddr_storage from;
	uint64_t until;
	char buf[8];

	world_udp(w, &app, &dst, 64, "x", 1);
	CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 1);
	/* Answers alone keep it: the app says nothing for three times that. */
	for (int i = 0; i < 12; i++) {
		answer(server, &from, "y", 1);
		until = util_now_ms() + 50;
		while (util_now_ms() < until)
			loop_turn(&w->gw.loop, 10);
		CU_ASSERT_EQUAL(stats_get(&w->gw.stats, udp_open), 1);
	}
	CU_ASSERT_EQUAL(w->down_n, 12);
	until = util_now_ms() + 1000;
	while (stats_get(&w->gw.stats, udp_open) && util_now_ms() < until)
		loop_turn(&w->gw.loop, 10);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, udp_open), 0);
	CU_ASSERT_EQUAL(w->down_n, 12); /* and it ends without a word */
	close(server);
	world_end(w);
}

/* PRO-2: nobody vouched for the socket. */
static void an_unprotected_socket_sends_nothing(void)
{
	struct world *w = world_new(NULL, FORWARD);
	struct sluice_addr app = world_app(4, 40001), dst;
	struct sluice_addr gw = world_gateway(4);
	int server = world_server(4, SOCK_DGRAM, &dst);
	char buf[8];

	w->gw.set.gateway.unprotected = 0;
	world_udp(w, &app, &dst, 64, "x", 1);
	CU_ASSERT_TRUE_FATAL(world_wait(w, 1));
	is_icmp(w, 0, 3, 13, &gw, &app, &dst);
	CU_ASSERT_EQUAL(recv(server, buf, sizeof(buf), MSG_DONTWAIT), -1);
	close(server);
	world_end(w);
}

static void a_session_that_is_dropped_may_be_so_in_silence(void)
{
	struct world *w = world_new(NULL, FORWARD);
	struct sluice_addr app = world_app(4, 40001), dst = world_host(4, 9);

	w->gw.set.gateway.unprotected = 0;
	w->gw.set.gateway.refuse = 1;
	world_udp(w, &app, &dst, 64, "x", 1);
	world_turns(w, 5);
	CU_ASSERT_EQUAL(w->down_n, 0);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, udp_open), 0);
	world_end(w);
}

static void this_hosts_loopback_is_not_heard(void)
{
	struct world *w = world_new(NULL, FORWARD);
	struct sluice_addr app = world_app(4, 40001), dst;
	int server = world_server(4, SOCK_DGRAM, &dst);
	struct sockaddr_storage from;
	char buf[8];

	world_udp(w, &app, &dst, 64, "x", 1);
	CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 1);
	w->gw.set.loop4.family = 0; /* as if it had never been there */
	answer(server, &from, "y", 1);
	world_turns(w, 10);
	CU_ASSERT_EQUAL(w->down_n, 0);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_filter), 1);
	close(server);
	world_end(w);
}

static void a_full_table_says_so(void)
{
	struct world *w = world_new(NULL, FORWARD);
	struct sluice_addr app = world_app(4, 40001), dst;
	struct sluice_addr gw = world_gateway(4);
	int server = world_server(4, SOCK_DGRAM, &dst);
	struct sockaddr_storage from;
	char buf[8];

	w->gw.flow_limit[GATEWAY_LRU_UDP] = 1;
	world_udp(w, &app, &dst, 64, "x", 1);
	CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 1);
	app.port++;
	world_udp(w, &app, &dst, 64, "x", 1);
	CU_ASSERT_TRUE_FATAL(world_wait(w, 1));
	is_icmp(w, 0, 3, 13, &gw, &app, &dst);
	close(server);
	world_end(w);
}

/* -------------------------------------------------------- other plugins */

static struct {
	struct sluice_flow *held;
	size_t seen;
	int closed, reads;
	struct sluice_addr elsewhere;
} stage;

static int hold_open(void *self, struct sluice_flow *f)
{
	(void)self;
	stage.held = f;
	return SLUICE_LATER;
}

static void stage_close(void *self, struct sluice_flow *f, int why)
{
	(void)self;
	(void)f;
	(void)why;
	stage.closed++;
}

static const struct sluice_flow_ops hold_flow = {
	.size = sizeof(hold_flow),
	.flags = SLUICE_FLOW_UDP,
	.open = hold_open,
	.close = stage_close,
};

static const struct sluice_plugin hold_plugin = {
	SLUICE_HEAD,        .name = "hold",
	.version = "1",     .summary = "answers later",
	.flow = &hold_flow,
};

static const struct sluice_plugin *const holding[] = { &hold_plugin, NULL };

static void datagrams_wait_for_a_late_verdict(void)
{
	struct world *w = world_new(holding, CHAIN("hold udp-forward"));
	struct sluice_addr app = world_app(4, 40001), dst;
	int server = world_server(4, SOCK_DGRAM, &dst);
	struct sockaddr_storage from;
	char buf[8];

	memset(&stage, 0, sizeof(stage));
	for (char i = 0; i < 10; i++)
		world_udp(w, &app, &dst, 64, &i, 1);
	world_turns(w, 3);
	CU_ASSERT_PTR_NOT_NULL_FATAL(stage.held);
	CU_ASSERT_EQUAL(recv(server, buf, sizeof(buf), MSG_DONTWAIT), -1);
	CU_ASSERT_EQUAL(sluice_resolve(stage.held, SLUICE_PASS, 0), 0);
	for (char i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 1);
		CU_ASSERT_EQUAL(buf[0], i);
	}
	CU_ASSERT_EQUAL(stage.closed, 0); /* it passed: it is out of it */
	close(server);
	world_end(w);
}

static void a_late_verdict_bounds_what_waits(void)
{
	struct world *w = world_new(holding, CHAIN("hold udp-forward"));
	struct sluice_addr app = world_app(4, 40001);
	struct sluice_addr dst = world_host(4, 9), gw = world_gateway(4);

	memset(&stage, 0, sizeof(stage));
	for (int i = 0; i < DGRAM_WAIT_COUNT + 30; i++)
		world_udp(w, &app, &dst, 64, "x", 1);
	world_turns(w, 9);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_limit), 30);
	sluice_resolve(stage.held, SLUICE_DROP, SLUICE_WHY_POLICY);
	CU_ASSERT_TRUE_FATAL(world_wait(w, 1));
	is_icmp(w, 0, 3, 13, &gw, &app, &dst);
	world_end(w);
}

static int echo_open(void *self, struct sluice_flow *f)
{
	(void)self;
	(void)f;
	return SLUICE_TAKE;
}

static void echo_readable(void *self, struct sluice_flow *f)
{
	struct sluice_dgram v[8];
	size_t n;

	(void)self;
	stage.reads++;
	while ((n = sluice_dgrams(f, v, ARRAY_SIZE(v)))) {
		stage.seen += n;
		CU_ASSERT_EQUAL(sluice_dgrams_send(f, v, n), n);
		sluice_dgrams_done(f, n);
	}
}

static const struct sluice_flow_ops echo_flow = {
	.size = sizeof(echo_flow),
	.flags = SLUICE_FLOW_UDP,
	.open = echo_open,
	.readable = echo_readable,
	.close = stage_close,
};

static const struct sluice_plugin echo_plugin = {
	SLUICE_HEAD,        .name = "echo",
	.version = "1",     .summary = "answers itself",
	.flow = &echo_flow,
};

static const struct sluice_plugin *const echoing[] = { &echo_plugin, NULL };

static void a_plugin_may_answer_itself(void)
{
	struct world *w = world_new(echoing, CHAIN("echo"));
	struct sluice_addr app = world_app(6, 40001);
	struct sluice_addr dst = world_host(6, 7);
	struct packet p;

	memset(&stage, 0, sizeof(stage));
	for (int i = 0; i < 20; i++) {
		dst.port = (uint16_t)(7 + i % 2);
		memset(large, i, (size_t)i);
		world_udp(w, &app, &dst, 64, large, (size_t)i);
	}
	CU_ASSERT_TRUE_FATAL(world_wait(w, 20));
	for (int i = 0; i < 20; i++) {
		p = world_down(w, i);
		CU_ASSERT_EQUAL(p.data_len, (uint32_t)i);
		CU_ASSERT_EQUAL(p.src.port, 7 + i % 2);
		CU_ASSERT_TRUE(addr_equal(&p.dst, &app));
	}
	CU_ASSERT_EQUAL(stage.seen, 20);
	CU_ASSERT(stage.reads < 20); /* a batch is one call */
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, dial_started), 0);
	world_end(w);
	CU_ASSERT_EQUAL(stage.closed, 1);
}

static int elsewhere_open(void *self, struct sluice_flow *f)
{
	(void)self;
	return sluice_connect(f, &stage.elsewhere);
}

static const struct sluice_flow_ops elsewhere_flow = {
	.size = sizeof(elsewhere_flow),
	.flags = SLUICE_FLOW_UDP,
	.open = elsewhere_open,
};

static const struct sluice_plugin elsewhere_plugin = {
	SLUICE_HEAD,
	.name = "elsewhere",
	.version = "1",
	.summary = "sends it to another server",
	.flow = &elsewhere_flow,
};

static const struct sluice_plugin *const leading[] = { &elsewhere_plugin,
						       NULL };

static void a_session_led_elsewhere_looks_as_asked_for(void)
{
	struct world *w = world_new(leading, CHAIN("elsewhere"));
	struct sluice_addr app = world_app(4, 40001);
	struct sluice_addr dst = { .family = 4, .port = 53000 };
	struct sockaddr_storage from;
	struct packet p;
	char buf[8];
	int server;

	put_be32(dst.ip, 0xc0000207);
	server = world_server(4, SOCK_DGRAM, &stage.elsewhere);
	world_udp(w, &app, &dst, 64, "x", 1);
	CU_ASSERT_EQUAL(take(w, server, buf, sizeof(buf), &from), 1);
	answer(server, &from, "yz", 2);
	CU_ASSERT_TRUE_FATAL(world_wait(w, 1));
	p = world_down(w, 0);
	CU_ASSERT_TRUE(addr_equal(&p.src, &dst));
	/* Errors too: the server is gone now. */
	close(server);
	world_udp(w, &app, &dst, 64, "x", 1);
	CU_ASSERT_TRUE_FATAL(world_wait(w, 2));
	is_icmp(w, 1, 3, 3, &dst, &app, &dst);
	world_end(w);
}

/* ------------------------------------------------------- to the TUN only */

static void a_run_is_cut_where_the_tun_cannot(void)
{
	struct world *w = world_new(NULL, FORWARD);
	struct sluice_addr app = world_app(4, 40001);
	struct sluice_addr from = world_host(4, 9);
	struct iovec v[3] = { { large, 1000 },
			      { large + 1000, 1500 },
			      { large + 2500, 700 } };
	struct packet p;

	for (size_t i = 0; i < 3200; i++)
		large[i] = (uint8_t)(i * 3);
	CU_ASSERT_EQUAL(udp_down(&w->gw, &from, &app, v, 3, 900, 0, 0), 0);
	CU_ASSERT_EQUAL_FATAL(w->down_n, 4);
	for (int i = 0; i < 4; i++) {
		p = world_down(w, i);
		CU_ASSERT_EQUAL(p.data_len, i < 3 ? 900u : 500u);
		CU_ASSERT_EQUAL(memcmp(p.data, large + i * 900, p.data_len), 0);
	}
	world_end(w);
}

static void what_no_datagram_holds_is_refused(void)
{
	struct world *w = world_new(NULL, FORWARD);
	struct sluice_addr app = world_app(4, 40001);
	struct sluice_addr from = world_host(4, 9);
	struct iovec v = { large, 65508 };

	CU_ASSERT_EQUAL(udp_down(&w->gw, &from, &app, &v, 1, 0, 0, 0),
			-EMSGSIZE);
	CU_ASSERT_EQUAL(w->down_n, 0);
	world_end(w);
}

/* clang-format off */
static const struct unit_test tests[] = {
	UNIT(a_datagram_goes_out_and_its_answer_comes_back),
	UNIT(the_same_over_ipv6),
	UNIT(datagrams_of_all_sizes_pass_both_ways),
	UNIT(ipv6_datagrams_of_all_sizes_pass_both_ways),
	UNIT(shared_buffers_may_be_given_back_between),
	UNIT(a_batch_keeps_order_and_sizes),
	UNIT(kernels_without_gso_get_one_by_one),
	UNIT(a_run_too_large_for_the_path_is_cut_by_the_kernel),
	UNIT(a_whole_run_too_large_for_the_path_says_so),
	UNIT(a_burst_down_keeps_order_and_sizes),
	UNIT(mapping_and_filtering_are_endpoint_independent),
	UNIT(a_pair_has_a_socket_of_its_own),
	UNIT(filtering_by_address_lets_its_other_ports_through),
	UNIT(filtering_by_port_stops_strangers),
	UNIT(a_pair_keeps_its_socket),
	UNIT(two_apps_never_share_a_socket),
	UNIT(a_closed_port_says_so),
	UNIT(a_closed_ipv6_port_says_so),
	UNIT(an_error_never_eats_a_datagram),
	UNIT(no_route_says_so_and_the_session_stays),
	UNIT(a_ttl_that_ends_here_says_so),
	UNIT(ttl_and_class_pass_one_less_and_alike),
	UNIT(answers_keep_ttl_and_class),
	UNIT(a_session_that_marks_nothing_is_not_asked_for_ever),
	UNIT(dropped_ports_are_refused_at_once),
	UNIT(only_silence_ends_a_session),
	UNIT(an_unprotected_socket_sends_nothing),
	UNIT(a_session_that_is_dropped_may_be_so_in_silence),
	UNIT(this_hosts_loopback_is_not_heard),
	UNIT(a_full_table_says_so),
	UNIT(datagrams_wait_for_a_late_verdict),
	UNIT(a_late_verdict_bounds_what_waits),
	UNIT(a_plugin_may_answer_itself),
	UNIT(a_session_led_elsewhere_looks_as_asked_for),
	UNIT(a_run_is_cut_where_the_tun_cannot),
	UNIT(what_no_datagram_holds_is_refused),
};
/* clang-format on */

UNIT_MAIN("udp", tests)
