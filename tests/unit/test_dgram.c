/* SPDX-License-Identifier: MIT */
/* test_dgram.c - datagrams that wait, and the error queue of sockets */
#include "dgram.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <poll.h>
#include <unistd.h>

#include "pool.h"
#include "unit.h"

static const struct dgram_hop hop = { .ttl = 63, .df = true };
static const struct sluice_addr peer = { .family = 4, .port = 9 };

static void the_queue_keeps_order_and_bytes(void)
{
	struct dgram_queue q = { 0 };
	uint32_t all = 0;
	char text[8];

	for (int i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "%d", i);
		CU_ASSERT_EQUAL(dgram_push(&q, &all, &peer, &hop, text, 2), 0);
	}
	CU_ASSERT_EQUAL(all, 10);
	CU_ASSERT_EQUAL(q.count, 5);
	for (int i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "%d", i);
		CU_ASSERT_STRING_EQUAL((char *)q.head->data, text);
		CU_ASSERT_EQUAL(q.head->hop.ttl, 63);
		CU_ASSERT_TRUE(addr_equal(&q.head->to, &peer));
		dgram_pop(&q, &all);
	}
	CU_ASSERT_PTR_NULL(q.head);
	CU_ASSERT_PTR_NULL(q.tail);
	CU_ASSERT_EQUAL(all, 0);
}

static void a_datagram_may_be_empty(void)
{
	struct dgram_queue q = { 0 };
	uint32_t all = 0;

	CU_ASSERT_EQUAL(dgram_push(&q, &all, &peer, &hop, "", 0), 0);
	CU_ASSERT_EQUAL(q.count, 1);
	CU_ASSERT_EQUAL(q.head->len, 0);
	dgram_clear(&q, &all);
	CU_ASSERT_EQUAL(q.count, 0);
}

static void a_session_may_only_queue_so_many(void)
{
	struct dgram_queue q = { 0 };
	uint32_t all = 0;

	for (int i = 0; i < DGRAM_WAIT_COUNT; i++)
		CU_ASSERT_EQUAL(dgram_push(&q, &all, &peer, &hop, "x", 1), 0);
	CU_ASSERT_EQUAL(dgram_push(&q, &all, &peer, &hop, "x", 1), -ENOBUFS);
	dgram_clear(&q, &all);
	CU_ASSERT_EQUAL(all, 0);
}

static void a_session_may_only_queue_so_many_bytes(void)
{
	static uint8_t large[65507];
	struct dgram_queue q = { 0 };
	uint32_t all = 0;

	for (size_t i = 0; i < DGRAM_WAIT_BYTES / sizeof(large); i++)
		CU_ASSERT_EQUAL(dgram_push(&q, &all, &peer, &hop, large,
					   sizeof(large)),
				0);
	CU_ASSERT_EQUAL(dgram_push(&q, &all, &peer, &hop, large, sizeof(large)),
			-ENOBUFS);
	dgram_clear(&q, &all);
}

static void all_sessions_together_are_bounded(void)
{
	struct dgram_queue q = { 0 };
	uint32_t all = DGRAM_WAIT_ALL - 1;

	CU_ASSERT_EQUAL(dgram_push(&q, &all, &peer, &hop, "xy", 2), -ENOBUFS);
	CU_ASSERT_EQUAL(dgram_push(&q, &all, &peer, &hop, "x", 1), 0);
	dgram_clear(&q, &all);
	CU_ASSERT_EQUAL(all, DGRAM_WAIT_ALL - 1);
}

static struct sluice_addr loopback(int family)
{
	struct sluice_addr a = { .family = (uint8_t)family };

	a.ip[family == 4 ? 0 : 15] = family == 4 ? 127 : 1;
	a.ip[family == 4 ? 3 : 15] = 1;
	return a;
}

/* A port of the loopback where nobody is. */
static struct sluice_addr closed_port(int family)
{
	struct sluice_addr a = loopback(family);
	int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
	union dgram_name name;
	socklen_t len = sizeof(name);

	CU_ASSERT_EQUAL_FATAL(bind(fd, &name.sa, dgram_name(&name, &a)), 0);
	getsockname(fd, &name.sa, &len);
	addr_from_sockaddr(&name.sa, &a);
	close(fd);
	return a;
}

static void refused(int family, uint8_t type, uint8_t code)
{
	struct sluice_addr to = closed_port(family), lo = loopback(family);
	static struct dgram_error e;
	union dgram_name name;
	struct dgram_hop now;
	struct pollfd p = { .events = POLLIN };

	p.fd = socket(family == 4 ? AF_INET : AF_INET6,
		      SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CU_ASSERT_FATAL(p.fd >= 0);
	CU_ASSERT_EQUAL(dgram_setup(p.fd, &now), family);
	CU_ASSERT_EQUAL(dgram_error_take(p.fd, &e), 0);
	dgram_hop_set(p.fd, family, &now, &hop);
	CU_ASSERT_EQUAL(sendto(p.fd, "hello", 5, 0, &name.sa,
			       dgram_name(&name, &to)),
			5);
	poll(&p, 1, 1000);
	CU_ASSERT_EQUAL_FATAL(dgram_error_take(p.fd, &e), 1);
	CU_ASSERT_EQUAL(e.err, ECONNREFUSED);
	CU_ASSERT_TRUE(e.pass);
	CU_ASSERT_FALSE(e.local);
	CU_ASSERT_EQUAL(e.type, type);
	CU_ASSERT_EQUAL(e.code, code);
	CU_ASSERT_TRUE(addr_equal(&e.to, &to));
	CU_ASSERT_TRUE(addr_ip_equal(&e.from, &lo));
	CU_ASSERT_EQUAL(e.len, 5);
	CU_ASSERT_EQUAL(memcmp(e.data, "hello", 5), 0);
	CU_ASSERT_EQUAL(dgram_error_take(p.fd, &e), 0);
	close(p.fd);
}

static void the_error_queue_names_the_refusing_host(void)
{
	refused(4, 3, 3);
}

static void the_error_queue_names_the_refusing_ipv6_host(void)
{
	refused(6, 1, 4);
}

static void an_error_without_room_in_the_queue_leaves_nothing(void)
{
	struct sluice_addr to = closed_port(4), own = loopback(4);
	static struct dgram_error e;
	static uint8_t large[4096];
	union dgram_name name;
	socklen_t len = sizeof(name);
	struct dgram_hop now;
	struct pollfd p = { 0 };
	int least = 1;

	p.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CU_ASSERT_EQUAL(dgram_setup(p.fd, &now), 4);
	setsockopt(p.fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
	CU_ASSERT_EQUAL(bind(p.fd, &name.sa, dgram_name(&name, &own)), 0);
	getsockname(p.fd, &name.sa, &len);
	for (int i = 0; i < 20; i++)
		sendto(p.fd, large, sizeof(large), 0, &name.sa, len);
	sendto(p.fd, "hello", 5, 0, &name.sa, dgram_name(&name, &to));
	/* POLLERR comes unasked, and would for ever. */
	CU_ASSERT_EQUAL(poll(&p, 1, 1000), 1);
	CU_ASSERT_EQUAL(dgram_error_take(p.fd, &e), 0);
	CU_ASSERT_EQUAL(poll(&p, 1, 0), 0);
	close(p.fd);
}

static void an_errno_of_sending_has_its_icmp_error(void)
{
	static const struct {
		int family, err;
		uint8_t type, code;
	} cases[] = {
		{ 4, ENETUNREACH, 3, 0 },    { 6, ENETUNREACH, 1, 0 },
		{ 4, EHOSTUNREACH, 3, 1 },   { 6, EHOSTUNREACH, 1, 3 },
		{ 4, EACCES, 3, 13 },        { 6, EPERM, 1, 1 },
		{ 4, EMSGSIZE, 3, 4 },       { 6, EMSGSIZE, 2, 0 },
		{ 4, ECONNREFUSED, 3, 3 },   { 6, ECONNREFUSED, 1, 4 },
		{ 4, EADDRNOTAVAIL, 3, 13 },
	};
	uint8_t type, code;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		dgram_errno_icmp(cases[i].family, cases[i].err, &type, &code);
		CU_ASSERT_EQUAL(type, cases[i].type);
		CU_ASSERT_EQUAL(code, cases[i].code);
	}
}

static void other_sockets_are_refused(void)
{
	struct dgram_hop now;
	int pair[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	CU_ASSERT_EQUAL(dgram_setup(pair[0], &now), -EAFNOSUPPORT);
	close(pair[0]);
	CU_ASSERT_EQUAL(dgram_setup(pair[0], &now), -EBADF);
	close(pair[1]);
}

/* clang-format off */
static const struct unit_test tests[] = {
	UNIT(the_queue_keeps_order_and_bytes),
	UNIT(a_datagram_may_be_empty),
	UNIT(a_session_may_only_queue_so_many),
	UNIT(a_session_may_only_queue_so_many_bytes),
	UNIT(all_sessions_together_are_bounded),
	UNIT(the_error_queue_names_the_refusing_host),
	UNIT(the_error_queue_names_the_refusing_ipv6_host),
	UNIT(an_error_without_room_in_the_queue_leaves_nothing),
	UNIT(an_errno_of_sending_has_its_icmp_error),
	UNIT(other_sockets_are_refused),
};
/* clang-format on */

UNIT_MAIN("dgram", tests)
