/* SPDX-License-Identifier: MIT */
/* answer.c - a DNS server that knows every name, and nothing else to do
 *
 *	answer ADDRESS...
 *
 * UDP port 53 of each address.  A question for A or AAAA gets one address,
 * any other an empty answer.  The TTL is 0, so that nobody on the way may
 * keep it; for names that begin with "k" (keep) it is an hour.
 */
#include "bench.h"

#define HEADER    12
#define TYPE_A    1
#define TYPE_AAAA 28
#define HOUR      3600
#define ROOM      1024

struct socket {
	int fd;
	struct bench_addr from[BENCH_BATCH];
	struct iovec iov[BENCH_BATCH];
	struct mmsghdr m[BENCH_BATCH];
	unsigned char buf[BENCH_BATCH][ROOM];
};

/* Where the first question of a message ends, or 0. */
static size_t question_end(const unsigned char *msg, size_t len)
{
	size_t at = HEADER;

	if (len < HEADER || msg[2] & 0x80)
		return 0;
	while (at < len && msg[at] && msg[at] < 64)
		at += 1u + msg[at];
	return at + 5 <= len && !msg[at] ? at + 5 : 0;
}

/* The question in buf becomes its answer; how long that is, or 0. */
static size_t answer(unsigned char *buf, size_t len)
{
	static const unsigned char ip[16] = { 0xc6, 0x12, 0, 1 };
	size_t at = question_end(buf, len), bytes;
	unsigned int type, ttl;
	unsigned char *rr;

	if (!at)
		return 0;
	type = (unsigned int)buf[at - 4] << 8 | buf[at - 3];
	bytes = type == TYPE_A ? 4 : type == TYPE_AAAA ? 16 : 0;
	ttl = buf[HEADER + 1] == 'k' ? HOUR : 0;
	buf[2] |= 0x80; /* an answer ... */
	buf[3] = 0x80;  /* ... by one who recurses, without an error */
	memset(buf + 4, 0, 8);
	buf[5] = 1;
	if (!bytes)
		return at;
	buf[7] = 1;
	rr = buf + at;
	rr[0] = 0xc0; /* the name is that of the question */
	rr[1] = HEADER;
	memcpy(rr + 2, buf + at - 4, 4);
	rr[6] = rr[7] = 0;
	rr[8] = (unsigned char)(ttl >> 8);
	rr[9] = (unsigned char)ttl;
	rr[10] = 0;
	rr[11] = (unsigned char)bytes;
	memcpy(rr + 12, ip, bytes);
	return at + 12 + bytes;
}

static struct socket *socket_new(const char *address, int epoll)
{
	struct bench_addr a = bench_resolve(address, "53");
	struct socket *s = calloc(1, sizeof(*s));
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = s };

	if (!s)
		err(1, "calloc");
	s->fd = bench_bind(&a, SOCK_DGRAM);
	bench_big_buffer(s->fd);
	for (int i = 0; i < BENCH_BATCH; i++) {
		s->iov[i].iov_base = s->buf[i];
		s->m[i].msg_hdr.msg_iov = &s->iov[i];
		s->m[i].msg_hdr.msg_iovlen = 1;
		s->m[i].msg_hdr.msg_name = &s->from[i].ss;
	}
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &e) < 0)
		err(1, "epoll_ctl");
	return s;
}

static void socket_turn(struct socket *s)
{
	int n;

	for (int i = 0; i < BENCH_BATCH; i++) {
		s->iov[i].iov_len = ROOM / 2; /* the rest is for the answer */
		s->m[i].msg_hdr.msg_namelen = sizeof(s->from[i].ss);
	}
	n = recvmmsg(s->fd, s->m, BENCH_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		s->iov[i].iov_len = answer(s->buf[i], s->m[i].msg_len);
	for (int i = 0, did; i < n; i += did) {
		did = sendmmsg(s->fd, s->m + i, (unsigned int)(n - i), 0);
		if (did <= 0) /* that one cannot be told */
			did = 1;
	}
}

int main(int argc, char **argv)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (argc < 2)
		errx(2, "usage: answer ADDRESS...");
	if (epoll < 0)
		err(1, "epoll_create1");
	for (int i = 1; i < argc; i++)
		socket_new(argv[i], epoll);
	for (;;) {
		struct epoll_event e[16];
		int n = epoll_wait(epoll, e, 16, -1);

		for (int i = 0; i < n; i++)
			socket_turn(e[i].data.ptr);
	}
}
