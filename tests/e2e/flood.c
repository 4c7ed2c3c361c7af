/* SPDX-License-Identifier: MIT */
/* flood.c - more packets into a device than any app would send
 *
 *	flood DEVICE KIND SRC[/N] DST[/N] PORT RATE SECONDS
 *
 * so many packets a second for so long, evenly, from N addresses from SRC on
 * to N from DST on, in no order; PORT 0: any.  KIND is
 *
 *	syn	SYNs, each from another port
 *	udp	datagrams of 20 bytes, the same
 *	frag	first fragments that nothing follows
 *	bytes	connections (RATE of them) that are opened in earnest, each of
 *		which then sends single bytes with gaps between them, and is
 *		reset in the end
 *
 * They leave through a packet socket on DEVICE.  Prints how many were sent.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH  64u
#define ROOM   128u
#define LATE   10     /* ms that are caught up with, at most */
#define GAPS   30000u /* bytes of a window that get one in two */
#define SYN    0x02
#define RST    0x04
#define ACK    0x10
#define WINDOW 0xffff

struct ends {
	uint8_t at[16];
	uint32_t n;
};

static struct flood {
	int fd, family;
	struct sockaddr_ll to;
	struct ends src, dst;
	uint16_t port;
	uint8_t packet[BATCH][ROOM];
	struct iovec v[BATCH];
	struct mmsghdr m[BATCH];
	uint32_t n;
	unsigned long sent;
} f;

/* ---------------------------------------------------------------- numbers */

/* Fast, and the same each time: xorshift64*. */
static uint32_t number(void)
{
	static uint64_t x = 88172645463325252u;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	return (uint32_t)((x * 2685821657736338717u) >> 32);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static uint32_t sum(const uint8_t *p, size_t len)
{
	uint32_t s = 0;

	for (; len > 1; p += 2, len -= 2)
		s += (uint32_t)p[0] << 8 | p[1];
	return len ? s + ((uint32_t)*p << 8) : s;
}

static uint16_t folded(uint32_t s)
{
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t) ~(s + (s >> 16));
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---------------------------------------------------------------- packets */

static void put_address(uint8_t *p, const struct ends *e, uint32_t i)
{
	size_t len = f.family == AF_INET ? 4 : 16;

	memcpy(p, e->at, len);
	put32(p + len - 4, get32(p + len - 4) + i);
}

static size_t ip_length(void)
{
	return f.family == AF_INET ? 20 : 40;
}

static void put_ip(uint8_t *p, uint8_t proto, size_t len, uint32_t src,
		   uint32_t dst)
{
	memset(p, 0, ip_length());
	if (f.family == AF_INET) {
		p[0] = 0x45;
		put16(p + 2, (uint32_t)(20 + len));
		put16(p + 4, number());
		p[8] = 64;
		p[9] = proto;
		put_address(p + 12, &f.src, src);
		put_address(p + 16, &f.dst, dst);
		return;
	}
	p[0] = 0x60;
	put16(p + 4, (uint32_t)len);
	p[6] = proto;
	p[7] = 64;
	put_address(p + 8, &f.src, src);
	put_address(p + 24, &f.dst, dst);
}

static void sum_ip(uint8_t *p)
{
	if (f.family != AF_INET)
		return;
	put16(p + 10, 0);
	put16(p + 10, folded(sum(p, 20)));
}

static void sum_l4(uint8_t *p, uint8_t proto, size_t len, size_t at)
{
	size_t addresses = f.family == AF_INET ? 12 : 8;
	uint8_t *l4 = p + ip_length();

	put16(l4 + at, 0);
	put16(l4 + at, folded(sum(p + addresses, ip_length() - addresses) +
			      proto + (uint32_t)len + sum(l4, len)));
}

static size_t put_segment(uint8_t *p, uint32_t src, uint32_t dst,
			  uint16_t sport, uint16_t dport, uint8_t flags,
			  uint32_t seq, uint32_t ack, size_t data)
{
	uint8_t *l4 = p + ip_length();

	put_ip(p, IPPROTO_TCP, 20 + data, src, dst);
	memset(l4, 0, 20 + data);
	put16(l4, sport);
	put16(l4 + 2, dport);
	put32(l4 + 4, seq);
	put32(l4 + 8, ack);
	l4[12] = 5 << 4;
	l4[13] = flags;
	put16(l4 + 14, WINDOW);
	sum_ip(p);
	sum_l4(p, IPPROTO_TCP, 20 + data, 16);
	return ip_length() + 20 + data;
}

static uint16_t any_port(void)
{
	return (uint16_t)(1024 + number() % 64000);
}

static uint16_t to_port(void)
{
	return f.port ? f.port : any_port();
}

static size_t put_syn(uint8_t *p)
{
	return put_segment(p, number() % f.src.n, number() % f.dst.n,
			   any_port(), to_port(), SYN, number(), 0, 0);
}

static size_t put_udp(uint8_t *p)
{
	uint8_t *l4 = p + ip_length();

	put_ip(p, IPPROTO_UDP, 28, number() % f.src.n, number() % f.dst.n);
	memset(l4, 0, 28);
	put16(l4, any_port());
	put16(l4 + 2, to_port());
	put16(l4 + 4, 28);
	sum_ip(p);
	sum_l4(p, IPPROTO_UDP, 28, 6);
	return ip_length() + 28;
}

static size_t put_frag(uint8_t *p)
{
	size_t len = put_udp(p);

	if (f.family == AF_INET) {
		put16(p + 6, 0x2000); /* more fragments */
		put16(p + 2, (uint32_t)len - 4);
		sum_ip(p);
		return len - 4; /* of eights */
	}
	memmove(p + 48, p + 40, 24);
	p[6] = IPPROTO_FRAGMENT;
	put16(p + 4, 8 + 24);
	memset(p + 40, 0, 8);
	p[40] = IPPROTO_UDP;
	p[43] = 1;
	put32(p + 44, number());
	return 40 + 8 + 24;
}

/* ---------------------------------------------------------------- sending */

static void flush(void)
{
	uint32_t at = 0;

	while (at < f.n) {
		int n = sendmmsg(f.fd, f.m + at, f.n - at, 0);

		/* The device is full: what does not go is lost, as it is for
		 * any app. */
		if (n < 0 && errno != ENOBUFS)
			err(1, "send");
		at += n < 0 ? 1 : (uint32_t)n;
		f.sent += n < 0 ? 0 : (unsigned long)n;
	}
	f.n = 0;
}

static uint8_t *next(void)
{
	return f.packet[f.n];
}

static void queue(size_t len)
{
	f.v[f.n].iov_len = len;
	if (++f.n == BATCH)
		flush();
}

static void pour(size_t (*put)(uint8_t *), uint64_t rate, uint64_t ms)
{
	uint64_t start = now_ms(), end = start + ms, done = start;
	uint64_t now, want;

	while ((now = now_ms()) < end) {
		if (now - done > LATE)
			done = now - LATE;
		want = (now - start) * rate / 1000 -
		       (done - start) * rate / 1000;
		while (want--)
			queue(put(next()));
		flush();
		done = now;
		usleep(500);
	}
}

/* ------------------------------------------------- bytes with gaps between */

struct link {
	uint32_t seq, ack;
	uint16_t port;
};

/* Take what comes: is it the SYN-ACK for l?  -1: nothing does. */
static int take_answer(int fd, struct link *l)
{
	uint8_t p[2048], *l4 = p + ip_length();
	ssize_t len = recv(fd, p, sizeof(p), 0);

	if (len < 0)
		return -1;
	if (len < (ssize_t)ip_length() + 20 ||
	    p[f.family == AF_INET ? 9 : 6] != IPPROTO_TCP ||
	    l4[13] != (SYN | ACK) || ((uint32_t)l4[2] << 8 | l4[3]) != l->port)
		return 0;
	l->ack = get32(l4 + 4) + 1;
	return 1;
}

/* How many there are now; the first that is not answered is the last. */
static uint32_t open_links(struct link *links, uint32_t n)
{
	struct timeval patience = { .tv_sec = 1 };
	struct sockaddr_ll from = f.to;
	uint32_t i;
	int got;
	int fd = socket(AF_PACKET, SOCK_DGRAM, f.to.sll_protocol);

	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)))
		err(1, "packet socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	for (i = 0; i < n; i++) {
		struct link *l = &links[i];

		l->port = (uint16_t)(10000 + i);
		l->seq = number();
		queue(put_segment(next(), 0, 0, l->port, f.port, SYN, l->seq++,
				  0, 0));
		flush();
		while (!(got = take_answer(fd, l)))
			continue;
		if (got < 0)
			break;
		queue(put_segment(next(), 0, 0, l->port, f.port, ACK, l->seq,
				  l->ack, 0));
		flush();
	}
	close(fd);
	return i;
}

static void pour_bytes(uint32_t n, uint64_t ms)
{
	struct link *links = calloc(n, sizeof(*links));
	uint64_t end = now_ms() + ms;

	if (!links)
		err(1, "memory");
	n = open_links(links, n);
	printf("opened %u\n", n);
	for (uint32_t gap = 1; now_ms() < end; gap = (gap + 2) % GAPS | 1) {
		for (uint32_t i = 0; i < n; i++)
			queue(put_segment(next(), 0, 0, links[i].port, f.port,
					  ACK, links[i].seq + gap, links[i].ack,
					  1));
		flush();
		usleep(500);
	}
	for (uint32_t i = 0; i < n; i++)
		queue(put_segment(next(), 0, 0, links[i].port, f.port,
				  RST | ACK, links[i].seq, links[i].ack, 0));
	flush();
	free(links);
}

/* ------------------------------------------------------------------- start */

static void read_ends(char *text, struct ends *e)
{
	char *slash = strchr(text, '/');

	e->n = 1;
	if (slash) {
		*slash = '\0';
		e->n = (uint32_t)atoi(slash + 1);
	}
	f.family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(f.family, text, e->at) != 1 || !e->n)
		errx(2, "%s: no address", text);
}

static void prepare(const char *device)
{
	f.fd = socket(AF_PACKET, SOCK_DGRAM, 0); /* 0: it gets nothing */
	f.to = (struct sockaddr_ll){
		.sll_family = AF_PACKET,
		.sll_protocol =
			htons(f.family == AF_INET ? ETH_P_IP : ETH_P_IPV6),
		.sll_ifindex = (int)if_nametoindex(device),
	};
	if (f.fd < 0 || !f.to.sll_ifindex)
		err(1, "%s", device);
	for (uint32_t i = 0; i < BATCH; i++) {
		f.v[i].iov_base = f.packet[i];
		f.m[i].msg_hdr = (struct msghdr){ .msg_name = &f.to,
						  .msg_namelen = sizeof(f.to),
						  .msg_iov = &f.v[i],
						  .msg_iovlen = 1 };
	}
}

int main(int argc, char **argv)
{
	uint32_t rate;
	uint64_t ms;

	if (argc != 8)
		errx(2, "flood DEVICE KIND SRC[/N] DST[/N] PORT RATE SECONDS");
	read_ends(argv[3], &f.src);
	read_ends(argv[4], &f.dst);
	f.port = (uint16_t)atoi(argv[5]);
	rate = (uint32_t)atoi(argv[6]);
	ms = (uint64_t)(atof(argv[7]) * 1000);
	prepare(argv[1]);
	if (!strcmp(argv[2], "syn"))
		pour(put_syn, rate, ms);
	else if (!strcmp(argv[2], "udp"))
		pour(put_udp, rate, ms);
	else if (!strcmp(argv[2], "frag"))
		pour(put_frag, rate, ms);
	else if (!strcmp(argv[2], "bytes"))
		pour_bytes(rate, ms);
	else
		errx(2, "%s: no such flood", argv[2]);
	printf("sent %lu\n", f.sent);
	return 0;
}
