/* SPDX-License-Identifier: MIT */
/* test_tun.c - packets through a socketpair, callbacks, and a real device
 *
 * Real devices are made in a network namespace of this process, so they need
 * root; without it those tests say so.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netsetup.h"
#include "tun.h"
#include "unit.h"

struct world {
	struct loop loop;
	struct stats stats;
	struct tun tun;
	int app;     /* the other end of the socketpair */
	int packets; /* that came up */
	uint32_t last_len;
	uint8_t last[2048];
	struct virtio_net_hdr vh;
	struct tun_buf *kept[64];
	int keep, n_kept; /* how many buffers to keep; kept */
	int ends, end_err;
};

static void took_packet(struct tun *t, struct tun_buf *b, uint32_t len,
			const struct virtio_net_hdr *vh)
{
	struct world *w = t->owner;

	w->packets++;
	w->last_len = len;
	memcpy(w->last, b->data, len < sizeof(w->last) ? len : sizeof(w->last));
	w->vh = *vh;
	if (w->n_kept < w->keep) {
		tun_buf_get(b);
		w->kept[w->n_kept++] = b;
	}
}

static void took_end(struct tun *t, int err)
{
	struct world *w = t->owner;

	w->ends++;
	w->end_err = err;
}

static int world_open(struct world *w, const struct tun_config *c, char *text,
		      size_t len)
{
	int r;

	r = tun_open(&w->tun, &w->loop, &w->stats, c, text, len);
	if (r)
		return r;
	w->tun.packet = took_packet;
	w->tun.ended = took_end;
	w->tun.owner = w;
	return tun_start(&w->tun);
}

static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->app = -1;
	CU_ASSERT_EQUAL_FATAL(loop_init(&w->loop), 0);
}

static void world_pair(struct world *w, int type)
{
	struct tun_config c = { .name = "", .mtu = 1500, .offload = 2 };
	char text[256] = "";
	int v[2];

	world_init(w);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, type, 0, v), 0);
	w->app = v[1];
	c.fd = v[0];
	CU_ASSERT_EQUAL_FATAL(world_open(w, &c, text, sizeof(text)), 0);
}

static void world_end(struct world *w)
{
	while (w->n_kept)
		tun_buf_put(w->kept[--w->n_kept]);
	tun_close(&w->tun); /* asserts that all buffers came back */
	if (w->app >= 0)
		close(w->app);
	loop_fini(&w->loop);
}

static void turns(struct world *w, int n)
{
	while (n--)
		loop_turn(&w->loop, 0);
}

static int down(struct world *w, const void *p, size_t len)
{
	struct iovec v[3] = {
		{ 0 },
		{ (void *)p, len / 2 },
		{ (char *)p + len / 2, len - len / 2 },
	};

	return tun_write(&w->tun, NULL, v, 3);
}

/* --- a socketpair ------------------------------------------------------- */

static void a_packet_comes_up_as_it_was_sent(void)
{
	struct world w;

	world_pair(&w, SOCK_SEQPACKET);
	CU_ASSERT_EQUAL(send(w.app, "hello", 5, 0), 5);
	turns(&w, 1);
	CU_ASSERT_EQUAL(w.packets, 1);
	CU_ASSERT_EQUAL(w.last_len, 5);
	CU_ASSERT_FALSE(memcmp(w.last, "hello", 5));
	CU_ASSERT_EQUAL(w.vh.flags, 0);
	CU_ASSERT_EQUAL(stats_get(&w.stats, tun_up_packets), 1);
	CU_ASSERT_EQUAL(stats_get(&w.stats, tun_up_bytes), 5);
	world_end(&w);
}

static void a_packet_goes_down_in_one_piece(void)
{
	struct world w;
	char got[64];

	world_pair(&w, SOCK_SEQPACKET);
	CU_ASSERT_EQUAL(down(&w, "goodbye", 7), 0);
	CU_ASSERT_EQUAL(recv(w.app, got, sizeof(got), 0), 7);
	CU_ASSERT_FALSE(memcmp(got, "goodbye", 7));
	CU_ASSERT_EQUAL(stats_get(&w.stats, tun_down_packets), 1);
	CU_ASSERT_EQUAL(stats_get(&w.stats, tun_down_bytes), 7);
	world_end(&w);
}

static void buffers_are_of_the_mtu_and_used_again(void)
{
	struct tun_buf *first;
	struct world w;

	world_pair(&w, SOCK_SEQPACKET);
	send(w.app, "1", 1, 0);
	turns(&w, 1);
	first = w.tun.cur;
	CU_ASSERT_PTR_NOT_NULL_FATAL(first);
	CU_ASSERT_TRUE(first->cap >= 1500 && first->cap <= 2048 + 16);
	send(w.app, "2", 1, 0);
	turns(&w, 1);
	CU_ASSERT_PTR_EQUAL(w.tun.cur, first);
	CU_ASSERT_EQUAL(w.tun.bufs.high, 1);
	world_end(&w);
}

static void a_kept_buffer_is_not_written_to(void)
{
	struct world w;

	world_pair(&w, SOCK_SEQPACKET);
	w.keep = 1;
	send(w.app, "mine", 4, 0);
	send(w.app, "next", 4, 0);
	turns(&w, 1);
	CU_ASSERT_EQUAL(w.packets, 2);
	CU_ASSERT_EQUAL_FATAL(w.n_kept, 1);
	CU_ASSERT_FALSE(memcmp(w.kept[0]->data, "mine", 4));
	CU_ASSERT_PTR_NOT_EQUAL(w.tun.cur, w.kept[0]);
	world_end(&w);
}

static void a_turn_has_its_share_and_no_more(void)
{
	struct world w;
	int sent = 0;

	world_pair(&w, SOCK_DGRAM);
	fcntl(w.app, F_SETFL, O_NONBLOCK);
	/* The queue of a unix socket is short: fill it while it is read. */
	for (int i = 0; i < 200; i++) {
		while (send(w.app, "x", 1, MSG_DONTWAIT) == 1)
			sent++;
		turns(&w, 1);
	}
	turns(&w, 1);
	CU_ASSERT_EQUAL(w.packets, sent);
	CU_ASSERT_TRUE(sent > 200);
	world_end(&w);
}

/* TUN-6 */
/* What fills the device is read each turn without being watched, and what
 * does not fit meanwhile goes out later all the same. */
static void much_is_read_without_being_watched(void)
{
	const int many = 200, big = 1 << 20, small = 4096;
	uint32_t n = 0, got, expect = 0;
	struct world w;

	world_pair(&w, SOCK_SEQPACKET);
	setsockopt(w.app, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	setsockopt(w.tun.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (int i = 0; i < many; i++)
		CU_ASSERT_EQUAL_FATAL(send(w.app, "x", 1, MSG_DONTWAIT), 1);
	CU_ASSERT_TRUE(w.tun.watch.fd >= 0);
	turns(&w, 1);
	CU_ASSERT_EQUAL(w.packets, many);
	CU_ASSERT_EQUAL(w.tun.watch.fd, -1);
	while (!w.tun.outq_bytes && n < 100000) {
		CU_ASSERT_EQUAL(down(&w, &n, sizeof(n)), 0);
		n++;
	}
	CU_ASSERT_TRUE(w.tun.outq_bytes > 0);
	CU_ASSERT_EQUAL(send(w.app, "x", 1, MSG_DONTWAIT), 1);
	turns(&w, 1);
	CU_ASSERT_EQUAL(w.packets, many + 1);
	turns(&w, 2); /* nothing: it is watched again */
	CU_ASSERT_TRUE(w.tun.watch.fd >= 0);
	for (int i = 0; i < 10000 && expect < n; i++) {
		while (recv(w.app, &got, sizeof(got), MSG_DONTWAIT) ==
		       sizeof(got))
			CU_ASSERT_EQUAL(got, expect++);
		loop_turn(&w.loop, 1);
	}
	CU_ASSERT_EQUAL(expect, n);
	CU_ASSERT_EQUAL(send(w.app, "x", 1, MSG_DONTWAIT), 1);
	turns(&w, 1);
	CU_ASSERT_EQUAL(w.packets, many + 2);
	world_end(&w);
}

static void the_end_of_the_file_ends_the_loop_once(void)
{
	struct world w;

	world_pair(&w, SOCK_SEQPACKET);
	close(w.app);
	w.app = -1;
	turns(&w, 5);
	CU_ASSERT_EQUAL(w.ends, 1);
	CU_ASSERT_EQUAL(w.end_err, 0);
	world_end(&w);
}

/* TUN-6: an error is no end; reading goes on 10 ms later, not at once. */
static void a_read_error_waits_and_tries_again(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct tun_config c = { .name = "", .mtu = 1500 };
	socklen_t len = sizeof(here);
	uint64_t before;
	char text[256];
	struct world w;

	/* A UDP socket whose peer is not there: ECONNREFUSED, then well. */
	world_init(&w);
	w.app = socket(AF_INET, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL(bind(w.app, (void *)&here, sizeof(here)), 0);
	CU_ASSERT_EQUAL(getsockname(w.app, (void *)&here, &len), 0);
	close(w.app);
	c.fd = socket(AF_INET, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL(connect(c.fd, (void *)&here, sizeof(here)), 0);
	CU_ASSERT_EQUAL(world_open(&w, &c, text, sizeof(text)), 0);
	CU_ASSERT_EQUAL(down(&w, "x", 1), 0);
	turns(&w, 3);
	CU_ASSERT_EQUAL(w.ends, 0);
	CU_ASSERT_EQUAL(stats_get(&w.stats, tun_read_errors), 1);

	w.app = socket(AF_INET, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL(bind(w.app, (void *)&here, sizeof(here)), 0);
	len = sizeof(here);
	CU_ASSERT_EQUAL(getsockname(c.fd, (void *)&here, &len), 0);
	before = util_now_ms();
	CU_ASSERT_EQUAL(
		sendto(w.app, "back", 4, 0, (void *)&here, sizeof(here)), 4);
	while (!w.packets && util_now_ms() - before < 2000)
		loop_turn(&w.loop, 50);
	CU_ASSERT_EQUAL(w.packets, 1);
	CU_ASSERT_EQUAL(w.last_len, 4);
	world_end(&w);
}

/* TUN-7 */
static void a_busy_device_gets_all_packets_later_and_in_order(void)
{
	uint32_t n = 0, got, expect = 0;
	struct world w;
	int size = 4096;

	world_pair(&w, SOCK_SEQPACKET);
	setsockopt(w.tun.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	while (w.tun.outq_bytes < 1000 && n < 100000) {
		CU_ASSERT_EQUAL(down(&w, &n, sizeof(n)), 0);
		n++;
	}
	CU_ASSERT_TRUE(w.tun.outq_bytes >= 1000);
	for (int i = 0; i < 100000 && expect < n; i++) {
		while (recv(w.app, &got, sizeof(got), MSG_DONTWAIT) ==
		       sizeof(got)) {
			CU_ASSERT_EQUAL(got, expect);
			expect++;
		}
		turns(&w, 1);
	}
	CU_ASSERT_EQUAL(expect, n);
	CU_ASSERT_EQUAL(w.tun.outq_bytes, 0);
	CU_ASSERT_EQUAL(stats_get(&w.stats, tun_down_packets), n);
	CU_ASSERT_EQUAL(stats_get(&w.stats, tun_write_dropped), 0);
	world_end(&w);
}

/* TUN-7 */
static void what_waits_is_bounded_and_the_newest_is_dropped(void)
{
	static uint8_t packet[1500];
	struct world w;
	int r = 0;

	world_pair(&w, SOCK_SEQPACKET);
	for (int i = 0; i < 10000 && !r; i++)
		r = down(&w, packet, sizeof(packet));
	CU_ASSERT_EQUAL(r, -ENOBUFS);
	CU_ASSERT_TRUE(w.tun.outq_bytes <= 4u << 20);
	CU_ASSERT_TRUE(w.tun.outq_bytes > (4u << 20) - 2000);
	CU_ASSERT_EQUAL(stats_get(&w.stats, tun_write_dropped), 1);
	world_end(&w); /* and what waits is freed */
}

/* --- callbacks ----------------------------------------------------------- */

struct embedder {
	int waiting; /* packets to give */
	int reads, writes, busy;
	int end;
	char last[64];
};

static int embedder_read(void *arg, struct iovec *v, int n)
{
	struct embedder *e = arg;
	int i;

	e->reads++;
	if (e->end)
		return -e->end;
	for (i = 0; i < n && e->waiting; i++) {
		memcpy(v[i].iov_base, "packet", 6);
		v[i].iov_len = 6;
		e->waiting--;
	}
	return i;
}

static int embedder_write(void *arg, const struct iovec *v, int n)
{
	struct embedder *e = arg;
	size_t at = 0;

	if (e->busy) {
		e->busy--;
		return -EAGAIN;
	}
	e->writes++;
	for (int i = 0; i < n; i++) {
		memcpy(e->last + at, v[i].iov_base, v[i].iov_len);
		at += v[i].iov_len;
	}
	e->last[at] = 0;
	return 0;
}

static void world_ops(struct world *w, struct embedder *e)
{
	const struct tun_ops ops = { embedder_read, embedder_write, e };
	struct tun_config c = { .name = "", .fd = -1, .ops = &ops, .mtu = 1500 };
	char text[256];

	memset(e, 0, sizeof(*e));
	world_init(w);
	CU_ASSERT_EQUAL_FATAL(world_open(w, &c, text, sizeof(text)), 0);
}

static void callbacks_give_all_packets_when_told_to(void)
{
	struct embedder e;
	struct world w;

	world_ops(&w, &e);
	turns(&w, 2);
	CU_ASSERT_EQUAL(w.packets, 0);
	e.waiting = 1000;
	tun_ready(&w.tun);
	turns(&w, 2);
	CU_ASSERT_TRUE(w.packets < 1000); /* others get their turn */
	turns(&w, 20);
	CU_ASSERT_EQUAL(w.packets, 1000);
	CU_ASSERT_EQUAL(w.last_len, 6);
	world_end(&w);
}

static void callbacks_that_are_not_told_to_are_not_asked(void)
{
	struct embedder e;
	struct world w;
	int reads;

	world_ops(&w, &e);
	turns(&w, 3);
	reads = e.reads;
	turns(&w, 10);
	CU_ASSERT_EQUAL(e.reads, reads);
	world_end(&w);
}

static void a_busy_embedder_is_asked_again(void)
{
	struct embedder e;
	struct world w;

	world_ops(&w, &e);
	e.busy = 1;
	CU_ASSERT_EQUAL(down(&w, "first", 5), 0);
	CU_ASSERT_EQUAL(down(&w, "second", 6), 0);
	CU_ASSERT_EQUAL(e.writes, 0);
	for (int i = 0; i < 100 && e.writes < 2; i++)
		loop_turn(&w.loop, 20);
	CU_ASSERT_EQUAL(e.writes, 2);
	CU_ASSERT_STRING_EQUAL(e.last, "second");
	world_end(&w);
}

static void an_embedder_may_say_that_it_is_over(void)
{
	struct embedder e;
	struct world w;

	world_ops(&w, &e);
	e.end = EPIPE;
	tun_ready(&w.tun);
	turns(&w, 3);
	CU_ASSERT_EQUAL(w.ends, 1);
	CU_ASSERT_EQUAL(w.end_err, -EPIPE);
	world_end(&w);
}

/* --- a real device ------------------------------------------------------- */

static const char *no_devices(void)
{
	if (geteuid())
		return "needs root";
	if (access("/dev/net/tun", R_OK | W_OK))
		return "no /dev/net/tun";
	if (unshare(CLONE_NEWNET))
		return "no network namespace to be had";
	return NULL;
}

#define NEED_DEVICES()                             \
	do {                                       \
		const char *reason = no_devices(); \
		if (reason)                        \
			UNIT_SKIP(reason);         \
	} while (0)

static void set_up(struct world *w)
{
	char text[256] = "";
	struct prefix p;

	CU_ASSERT_EQUAL(netsetup_link_up("lo", 0, text, sizeof(text)), 0);
	CU_ASSERT_EQUAL(netsetup_link_up(w->tun.name, 1500, text, sizeof(text)),
			0);
	prefix_parse("10.0.0.2/24", &p);
	CU_ASSERT_EQUAL(netsetup_address(w->tun.name, &p, text, sizeof(text)),
			0);
	prefix_parse("fd00:736c::2/64", &p);
	CU_ASSERT_EQUAL(netsetup_address(w->tun.name, &p, text, sizeof(text)),
			0);
}

static int udp_to(const char *ip, int port)
{
	struct sockaddr_storage ss;
	struct sluice_addr a;
	socklen_t len;
	int fd;

	CU_ASSERT_EQUAL_FATAL(addr_parse(ip, (uint16_t)port, &a), 0);
	len = addr_to_sockaddr(&a, &ss);
	fd = socket(ss.ss_family, SOCK_DGRAM, 0);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

static void a_device_carries_packets_of_the_kernel(const char *to, int offload)
{
	struct tun_config c = {
		.name = "sluice0", .fd = -1, .mtu = 1500, .offload = offload
	};
	char text[256] = "";
	struct world w;
	int fd;

	world_init(&w);
	CU_ASSERT_EQUAL(world_open(&w, &c, text, sizeof(text)), 0);
	CU_ASSERT_STRING_EQUAL(text, "");
	CU_ASSERT_EQUAL(w.tun.vnet, offload != 0);
	set_up(&w);
	turns(&w, 3);
	w.packets = 0;
	fd = udp_to(to, 7);
	CU_ASSERT_EQUAL(send(fd, "payload", 7, 0), 7);
	turns(&w, 2);
	CU_ASSERT_EQUAL(w.packets, 1);
	CU_ASSERT_EQUAL(w.last_len, strchr(to, ':') ? 40 + 8 + 7 : 20 + 8 + 7);
	CU_ASSERT_FALSE(memcmp(w.last + w.last_len - 7, "payload", 7));
	close(fd);
	world_end(&w);
}

static void a_new_device_carries_ipv4_with_offload(void)
{
	NEED_DEVICES();
	a_device_carries_packets_of_the_kernel("10.0.0.9", 1);
}

static void a_new_device_carries_ipv4_without_offload(void)
{
	NEED_DEVICES();
	a_device_carries_packets_of_the_kernel("10.0.0.9", 0);
}

static void a_new_device_carries_ipv6_with_offload(void)
{
	NEED_DEVICES();
	a_device_carries_packets_of_the_kernel("fd00:736c::9", 2);
}

static void a_new_device_carries_ipv6_without_offload(void)
{
	NEED_DEVICES();
	a_device_carries_packets_of_the_kernel("fd00:736c::9", 0);
}

static void packets_written_reach_a_socket(void)
{
	/* 10.0.0.9:7 > 10.0.0.2:9999 "hi", UDP without a checksum */
	uint8_t p[] = { 0x45, 0,    0,    30,   0, 0,  0,  0, 64,  17,
			0x66, 0xc5, 10,   0,    0, 9,  10, 0, 0,   2,
			0,    7,    0x27, 0x0f, 0, 10, 0,  0, 'h', 'i' };
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons(9999) };
	struct tun_config c = {
		.name = "sluice0", .fd = -1, .mtu = 1500, .offload = 2
	};
	char text[256] = "", got[16];
	struct world w;
	int fd;

	NEED_DEVICES();
	world_init(&w);
	CU_ASSERT_EQUAL(world_open(&w, &c, text, sizeof(text)), 0);
	set_up(&w);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	CU_ASSERT_EQUAL(down(&w, p, sizeof(p)), 0);
	CU_ASSERT_EQUAL(recv(fd, got, sizeof(got), MSG_DONTWAIT), 2);
	close(fd);
	world_end(&w);
}

static void writes_to_a_device_that_is_down_are_counted(void)
{
	struct tun_config c = { .name = "sluice0", .fd = -1, .mtu = 1500 };
	uint8_t p[20] = { 0x45 };
	char text[256] = "";
	struct world w;

	NEED_DEVICES();
	world_init(&w);
	CU_ASSERT_EQUAL(world_open(&w, &c, text, sizeof(text)), 0);
	CU_ASSERT_EQUAL(down(&w, p, sizeof(p)), -EIO);
	CU_ASSERT_EQUAL(stats_get(&w.stats, tun_write_dropped), 1);
	CU_ASSERT_EQUAL(w.tun.outq_bytes, 0);
	turns(&w, 3);
	CU_ASSERT_EQUAL(w.ends, 0);
	world_end(&w);
}

static void a_deleted_device_ends_the_loop_once(void)
{
	struct tun_config c = { .name = "sluice0", .fd = -1, .mtu = 1500 };
	char text[256] = "";
	struct world w;

	NEED_DEVICES();
	world_init(&w);
	CU_ASSERT_EQUAL(world_open(&w, &c, text, sizeof(text)), 0);
	set_up(&w);
	turns(&w, 2);
	CU_ASSERT_EQUAL(system("ip link del sluice0"), 0);
	turns(&w, 5);
	CU_ASSERT_EQUAL(w.ends, 1);
	CU_ASSERT_EQUAL(w.end_err, -EBADFD);
	world_end(&w);
}

static void a_persistent_device_is_attached_to(void)
{
	static const char *const made[] = {
		"ip tuntap add sluice9 mode tun",
		"ip tuntap add sluice9 mode tun multi_queue",
	};
	struct tun_config c = {
		.name = "sluice9", .fd = -1, .mtu = 1500, .offload = 2
	};
	char text[256];
	struct world w;

	NEED_DEVICES();
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		text[0] = 0;
		CU_ASSERT_EQUAL(system(made[i]), 0);
		world_init(&w);
		CU_ASSERT_EQUAL(world_open(&w, &c, text, sizeof(text)), 0);
		CU_ASSERT_STRING_EQUAL(text, "");
		world_end(&w);
		CU_ASSERT_NOT_EQUAL(if_nametoindex("sluice9"), 0);
		CU_ASSERT_EQUAL(system("ip link del sluice9"), 0);
	}
}

static void the_kernel_may_choose_the_number(void)
{
	struct tun_config c = { .name = "gate%d", .fd = -1, .mtu = 1500 };
	char text[256] = "";
	struct world w;

	NEED_DEVICES();
	world_init(&w);
	CU_ASSERT_EQUAL(world_open(&w, &c, text, sizeof(text)), 0);
	CU_ASSERT_STRING_EQUAL(w.tun.name, "gate0");
	world_end(&w);
}

/* TUN with offload, as another process made it, handed over. */
static void a_given_device_tells_what_it_has(void)
{
	static const short flags[] = { IFF_TUN | IFF_NO_PI,
				       IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	char text[256] = "";
	struct world w;

	NEED_DEVICES();
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct tun_config c = { .name = "", .mtu = 1500, .offload = 2 };
		struct ifreq ifr = { .ifr_name = "given0" };

		ifr.ifr_flags = flags[i];
		c.fd = open("/dev/net/tun", O_RDWR);
		CU_ASSERT_EQUAL_FATAL(ioctl(c.fd, TUNSETIFF, &ifr), 0);
		world_init(&w);
		CU_ASSERT_EQUAL(world_open(&w, &c, text, sizeof(text)), 0);
		CU_ASSERT_STRING_EQUAL(w.tun.name, "given0");
		CU_ASSERT_EQUAL(w.tun.vnet, i == 1);
		CU_ASSERT_EQUAL(w.tun.tso, i == 1);
		CU_ASSERT_TRUE(fcntl(c.fd, F_GETFL) & O_NONBLOCK);
		world_end(&w);
		CU_ASSERT_EQUAL(fcntl(c.fd, F_GETFD), -1);
	}
}

/* A large segment comes in one read. */
static void offload_brings_a_large_segment_whole(void)
{
	struct tun_config c = {
		.name = "sluice0", .fd = -1, .mtu = 1500, .offload = 1
	};
	char text[256] = "";
	struct world w;
	int one = 1;
	int fd;

	NEED_DEVICES();
	world_init(&w);
	CU_ASSERT_EQUAL(world_open(&w, &c, text, sizeof(text)), 0);
	CU_ASSERT_TRUE(w.tun.big);
	set_up(&w);
	turns(&w, 3);
	fd = udp_to("10.0.0.9", 7);
	w.packets = 0;
	if (w.tun.uso) {
		static uint8_t much[14000];
		int segment = 1400;

		CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_UDP, 103 /* SEGMENT */,
					   &segment, sizeof(segment)),
				0);
		setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &one, 0);
		CU_ASSERT_EQUAL(send(fd, much, sizeof(much), 0), sizeof(much));
		turns(&w, 2);
		CU_ASSERT_EQUAL(w.packets, 1);
		CU_ASSERT_EQUAL(w.last_len, sizeof(much) + 28);
		CU_ASSERT_EQUAL(w.vh.gso_type, VIRTIO_NET_HDR_GSO_UDP_L4);
		CU_ASSERT_EQUAL(w.vh.gso_size, 1400);
	}
	close(fd);
	world_end(&w);
}

/* --- mistakes ------------------------------------------------------------ */

static void a_mistake_is_a_sentence(const struct tun_config *c, int err,
				    const char *words)
{
	char text[256] = "";
	struct world w;

	world_init(&w);
	CU_ASSERT_EQUAL(world_open(&w, c, text, sizeof(text)), err);
	if (!strstr(text, words))
		printf("# \"%s\" has no \"%s\"\n", text, words);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, words));
	CU_ASSERT_EQUAL(w.tun.fd, -1);
	CU_ASSERT_EQUAL(w.tun.netns, -1);
	tun_close(&w.tun); /* closes nothing, harms nobody */
	loop_fini(&w.loop);
}

static void mistakes_without_rights_are_sentences(void)
{
	static const struct {
		const char *name, *netns, *words;
		int fd, err;
	} cases[] = {
		{ "", NULL, "no name for a device", -1, -EINVAL },
		{ "a/b", NULL, "no name for a device", -1, -EINVAL },
		{ "a b", NULL, "no name for a device", -1, -EINVAL },
		{ "0123456789abcdef", NULL, "no name", -1, -EINVAL },
		{ "sluice0", "not-there-at-all", "ip netns add", -1, -ENOENT },
		{ "sluice0", "/dev/null", "namespace", -1, -EINVAL },
		{ "", NULL, "no open descriptor", 987, -EBADF },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tun_config c = { .name = cases[i].name,
					.netns = cases[i].netns,
					.fd = cases[i].fd,
					.mtu = 1500 };

		a_mistake_is_a_sentence(&c, cases[i].err, cases[i].words);
	}
}

static void a_descriptor_that_only_reads_is_refused(void)
{
	struct tun_config c = { .name = "", .mtu = 1500 };

	c.fd = open("/dev/null", O_RDONLY);
	a_mistake_is_a_sentence(&c, -EINVAL, "reading and writing");
	CU_ASSERT_EQUAL(close(c.fd), 0); /* it is still ours */
}

static void a_pair_has_no_offload_to_insist_on(void)
{
	struct tun_config c = { .name = "", .mtu = 1500, .offload = 1 };
	int v[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v), 0);
	c.fd = v[0];
	a_mistake_is_a_sentence(&c, -EOPNOTSUPP, "offload = auto");
	CU_ASSERT_EQUAL(close(v[0]), 0);
	close(v[1]);
}

static void a_busy_name_is_a_sentence(void)
{
	struct tun_config c = { .name = "sluice0", .fd = -1, .mtu = 1500 };
	char text[256] = "";
	struct world w;

	NEED_DEVICES();
	world_init(&w);
	CU_ASSERT_EQUAL(world_open(&w, &c, text, sizeof(text)), 0);
	a_mistake_is_a_sentence(&c, -EBUSY,
				"device sluice0 is in use by another process: "
				"choose another [tun] name");
	world_end(&w);
}

static void a_tap_and_loopback_are_no_tun(void)
{
	struct tun_config c = { .name = "tap7", .fd = -1, .mtu = 1500 };

	NEED_DEVICES();
	CU_ASSERT_EQUAL(system("ip tuntap add tap7 mode tap"), 0);
	a_mistake_is_a_sentence(&c, -EINVAL, "not a TUN");
	c.name = "lo";
	a_mistake_is_a_sentence(&c, -EINVAL, "not a TUN");
}

static void given_devices_of_the_wrong_form_are_refused(void)
{
	static const struct {
		short flags;
		const char *words;
	} cases[] = {
		{ IFF_TAP | IFF_NO_PI, "TAP" },
		{ 0, "without a device" },
	};

	NEED_DEVICES();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tun_config c = { .name = "", .mtu = 1500 };
		struct ifreq ifr = { .ifr_name = "given0" };

		c.fd = open("/dev/net/tun", O_RDWR);
		ifr.ifr_flags = cases[i].flags;
		if (ifr.ifr_flags)
			CU_ASSERT_EQUAL(ioctl(c.fd, TUNSETIFF, &ifr), 0);
		a_mistake_is_a_sentence(&c, i == 1 ? -EBADFD : -EINVAL,
					cases[i].words);
		close(c.fd);
	}
}

static void a_device_is_made_in_another_namespace(void)
{
	struct tun_config c = {
		.name = "sluice0", .fd = -1, .mtu = 1500, .netns = NULL
	};
	char text[256] = "", path[64];
	int there, back;
	struct world w;

	NEED_DEVICES();
	there = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL_FATAL(unshare(CLONE_NEWNET), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", there);
	c.netns = path;
	world_init(&w);
	CU_ASSERT_EQUAL(world_open(&w, &c, text, sizeof(text)), 0);
	CU_ASSERT_EQUAL(if_nametoindex("sluice0"), 0); /* not here */
	back = netsetup_enter(w.tun.netns);
	CU_ASSERT_TRUE(back >= 0);
	CU_ASSERT_NOT_EQUAL(if_nametoindex("sluice0"), 0);
	netsetup_leave(back);
	CU_ASSERT_EQUAL(if_nametoindex("sluice0"), 0);
	world_end(&w);
	close(there);
}

static const struct unit_test tests[] = {
	UNIT(a_packet_comes_up_as_it_was_sent),
	UNIT(a_packet_goes_down_in_one_piece),
	UNIT(buffers_are_of_the_mtu_and_used_again),
	UNIT(a_kept_buffer_is_not_written_to),
	UNIT(a_turn_has_its_share_and_no_more),
	UNIT(much_is_read_without_being_watched),
	UNIT(the_end_of_the_file_ends_the_loop_once),
	UNIT(a_read_error_waits_and_tries_again),
	UNIT(a_busy_device_gets_all_packets_later_and_in_order),
	UNIT(what_waits_is_bounded_and_the_newest_is_dropped),
	UNIT(callbacks_give_all_packets_when_told_to),
	UNIT(callbacks_that_are_not_told_to_are_not_asked),
	UNIT(a_busy_embedder_is_asked_again),
	UNIT(an_embedder_may_say_that_it_is_over),
	UNIT(a_new_device_carries_ipv4_with_offload),
	UNIT(a_new_device_carries_ipv4_without_offload),
	UNIT(a_new_device_carries_ipv6_with_offload),
	UNIT(a_new_device_carries_ipv6_without_offload),
	UNIT(packets_written_reach_a_socket),
	UNIT(writes_to_a_device_that_is_down_are_counted),
	UNIT(a_deleted_device_ends_the_loop_once),
	UNIT(a_persistent_device_is_attached_to),
	UNIT(the_kernel_may_choose_the_number),
	UNIT(a_given_device_tells_what_it_has),
	UNIT(offload_brings_a_large_segment_whole),
	UNIT(mistakes_without_rights_are_sentences),
	UNIT(a_descriptor_that_only_reads_is_refused),
	UNIT(a_pair_has_no_offload_to_insist_on),
	UNIT(a_busy_name_is_a_sentence),
	UNIT(a_tap_and_loopback_are_no_tun),
	UNIT(given_devices_of_the_wrong_form_are_refused),
	UNIT(a_device_is_made_in_another_namespace),
};

UNIT_MAIN("tun", tests)
