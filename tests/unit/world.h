/* SPDX-License-Identifier: MIT */
/* world.h - a whole gateway whose TUN is memory, and whose net is loopback
 *
 * The app's packets are made here and handed in; what comes back is kept, to
 * be looked at.  Outside, servers listen on 127.0.0.1 and ::1, which the app
 * knows as 10.0.0.9 and fd00:736c::9 (host-loopback).
 */
#ifndef WORLD_H
#define WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway.h"
#include "log.h"
#include "unit.h"

#define WORLD_KEPT 16384 /* packets either way */

struct world_packet {
	uint8_t *data;
	size_t len;
};

struct world {
	struct gateway gw;
	struct world_packet up[WORLD_KEPT], down[WORLD_KEPT];
	int up_at, up_n, down_n;
};

static const struct sluice_addr world_app4 = { .family = 4,
					       .port = 40001,
					       .ip = { 10, 0, 0, 2 } };
static const struct sluice_addr world_app6 = {
	.family = 6, .port = 40001, .ip = { 0xfd, 0, 0x73, 0x6c, [15] = 2 }
};

/* The app's address with this port. */
static inline struct sluice_addr world_app(int family, uint16_t port)
{
	struct sluice_addr a = family == 4 ? world_app4 : world_app6;

	a.port = port;
	return a;
}

/* What the app calls the host's loopback address. */
static inline struct sluice_addr world_host(int family, uint16_t port)
{
	struct sluice_addr a = world_app(family, port);

	a.ip[family == 4 ? 3 : 15] = 9;
	return a;
}

static inline struct sluice_addr world_gateway(int family)
{
	struct sluice_addr a = world_app(family, 0);

	a.ip[family == 4 ? 3 : 15] = 1;
	return a;
}

static inline int world_read(void *arg, struct iovec *v, int n)
{
	struct world *w = arg;
	int i;

	for (i = 0; i < n && w->up_at < w->up_n; i++, w->up_at++) {
		struct world_packet *p = &w->up[w->up_at];

		CU_ASSERT_FATAL(p->len <= v[i].iov_len);
		memcpy(v[i].iov_base, p->data, p->len);
		v[i].iov_len = p->len;
		free(p->data);
	}
	if (w->up_at == w->up_n)
		w->up_at = w->up_n = 0;
	return i;
}

static inline void world_keep(struct world_packet *p, const struct iovec *v,
			      int n)
{
	p->len = 0;
	for (int i = 0; i < n; i++)
		p->len += v[i].iov_len;
	p->data = malloc(p->len);
	CU_ASSERT_FATAL(p->data != NULL);
	p->len = 0;
	for (int i = 0; i < n; i++) {
		memcpy(p->data + p->len, v[i].iov_base, v[i].iov_len);
		p->len += v[i].iov_len;
	}
}

static inline int world_write(void *arg, const struct iovec *v, int n)
{
	struct world *w = arg;

	CU_ASSERT_FATAL(w->down_n < WORLD_KEPT);
	world_keep(&w->down[w->down_n++], v, n);
	return 0;
}

/* A network of our own where the system lets us, so that ports are free and
 * nobody else's packets come by.  True if so. */
static inline bool world_alone(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	static bool done, alone;
	int fd;

	if (done)
		return alone;
	done = true;
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		printf("# on the network of this host: %s\n", strerror(errno));
		return false;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	close(fd);
	alone = true;
	return true;
}

static inline void world_report(void *arg, const char *text)
{
	(void)arg;
	printf("# %s\n", text);
}

/* plugins: NULL-terminated, may be NULL.  conf: INI text on top of it all. */
static inline struct world *
world_new(const struct sluice_plugin *const *plugins, const char *conf)
{
	struct world *w = calloc(1, sizeof(*w));
	char text[512];

	CU_ASSERT_FATAL(w != NULL);
	world_alone();
	log_level = LOG_LEVEL_ERROR;
	for (int i = 0; plugins && plugins[i]; i++)
		CU_ASSERT_PTR_NOT_NULL_FATAL(registry_add(
			&w->gw.registry, plugins[i], text, sizeof(text)));
	conf_init(&w->gw.conf, world_report, NULL);
	CU_ASSERT_EQUAL_FATAL(
		conf_parse(&w->gw.conf, "world",
			   "[gateway]\nunprotected = allow\n"
			   "[tun]\nhost-loopback = 10.0.0.9 fd00:736c::9\n"),
		0);
	CU_ASSERT_EQUAL_FATAL(conf_parse(&w->gw.conf, "test", conf), 0);
	w->gw.ops = (struct tun_ops){ world_read, world_write, w };
	w->gw.has_ops = true;
	CU_ASSERT_EQUAL_FATAL(gateway_load(&w->gw), 0);
	if (gateway_open(&w->gw, text, sizeof(text)) < 0) {
		printf("# %s\n", text);
		CU_FAIL_FATAL("the gateway did not open");
	}
	return w;
}

static inline void world_forget(struct world *w)
{
	while (w->down_n)
		free(w->down[--w->down_n].data);
}

/* Pools that are not empty by now abort the test. */
static inline void world_end(struct world *w)
{
	gateway_close(&w->gw);
	gateway_fini(&w->gw);
	world_forget(w);
	free(w);
}

/* The app sends this packet, with the next turn. */
static inline void world_up(struct world *w, const void *packet, size_t len)
{
	struct iovec v = { (void *)packet, len };

	CU_ASSERT_FATAL(w->up_n < WORLD_KEPT);
	world_keep(&w->up[w->up_n++], &v, 1);
	tun_ready(&w->gw.tun);
}

static inline int world_up_piece(void *arg, const struct iovec *v, int n)
{
	struct world *w = arg;

	CU_ASSERT_FATAL(w->up_n < WORLD_KEPT);
	world_keep(&w->up[w->up_n++], v, n);
	tun_ready(&w->gw.tun);
	return 0;
}

/* The app sends a datagram, in fragments if it must. */
static inline void world_udp(struct world *w, const struct sluice_addr *app,
			     const struct sluice_addr *dst, uint8_t ttl,
			     const void *data, size_t len)
{
	uint8_t head[PACKET_HEADERS_MAX];
	struct iovec v[2] = { { head, 0 }, { (void *)data, len } };
	bool df = len <= 1400;

	v[0].iov_len = packet_udp_header(head, app, dst, ttl, 0, df, 0, v + 1,
					 1, false);
	CU_ASSERT_FATAL(v[0].iov_len > 0);
	frag_cut(v, 2, 1500, util_random32() | 1, world_up_piece, w);
}

static inline void world_turns(struct world *w, int n)
{
	while (n--)
		loop_turn(&w->gw.loop, 1);
}

/* Until n packets came down, or a second passed. */
static inline bool world_wait(struct world *w, int n)
{
	uint64_t until = util_now_ms() + 1000;

	while (w->down_n < n && util_now_ms() < until)
		loop_turn(&w->gw.loop, 20);
	return w->down_n >= n;
}

/* A server's socket on the loopback of a family; port 0: any.  Its address
 * as the app knows it is in *as. */
static inline int world_server(int family, int type, struct sluice_addr *as)
{
	struct sluice_addr lo = { .family = (uint8_t)family };
	struct timeval patience = { .tv_sec = 1 };
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int room = 4 << 20;
	int fd;

	lo.ip[family == 4 ? 0 : 15] = family == 4 ? 127 : 1;
	lo.ip[family == 4 ? 3 : 15] = 1;
	fd = socket(family == 4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&ss,
				   addr_to_sockaddr(&lo, &ss)),
			      0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	getsockname(fd, (struct sockaddr *)&ss, &len);
	addr_from_sockaddr((struct sockaddr *)&ss, &lo);
	*as = world_host(family, lo.port);
	return fd;
}

/* Turns until fd is readable, or a second passed. */
static inline bool world_arrives(struct world *w, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t until = util_now_ms() + 1000;

	while (util_now_ms() < until) {
		if (poll(&p, 1, 0) > 0)
			return true;
		loop_turn(&w->gw.loop, 5);
	}
	return false;
}

/* Packet i that came down, taken apart; its checksums are right. */
static inline struct packet world_down(struct world *w, int i)
{
	struct packet p = { 0 };

	CU_ASSERT_FATAL(i < w->down_n);
	CU_ASSERT_EQUAL(packet_parse(&p, w->down[i].data, w->down[i].len, 0),
			PACKET_OK);
	return p;
}

#endif
