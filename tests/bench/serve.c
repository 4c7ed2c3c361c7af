/* SPDX-License-Identifier: MIT */
/* serve.c - the other side of probe.c
 *
 *	serve PORT ADDRESS...
 *
 * TCP on PORT: sends everything back.  TCP on PORT+1: sends one byte and
 * closes, first, so that the client has no TIME_WAIT.  UDP on PORT: sends
 * back, counts, or sends, as the datagram asks for, from the address it was
 * sent to: each has a socket.
 */
#include <fcntl.h>
#include <stdio.h>

#include "bench.h"

enum { ECHO, ONCE, CONNECTION, CONNECTION_ONCE, DGRAM };

static int epoll;
static uint32_t run, run_count;

static void watch(int fd, uint32_t what)
{
	struct epoll_event e = { .events = EPOLLIN,
				 .data.u64 = (uint64_t)what << 32 |
					     (uint32_t)fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		err(1, "epoll_ctl");
}

static void accept_all(int listener, uint32_t what)
{
	int one = 1, fd;

	while ((fd = accept4(listener, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		watch(fd, what);
	}
}

/* What is sent here is small: a full socket is the end of it. */
static void answer(int fd, int once)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || write(fd, buf, (size_t)n) != n || once)
		close(fd);
}

static void tell(int fd, const struct bench_addr *to, uint32_t number,
		 uint32_t us)
{
	struct bench_dgram d = {
		.type = BENCH_TOLD, .run = run, .number = number, .us = us
	};

	sendto(fd, &d, sizeof(d), 0, (const struct sockaddr *)&to->ss, to->len);
}

static void dgram(int fd, char *buf, size_t len, const struct bench_addr *from)
{
	struct bench_dgram d;
	uint32_t sent, us;

	if (len < sizeof(d)) { /* also those of one byte */
		sendto(fd, buf, len, 0, (const struct sockaddr *)&from->ss,
		       from->len);
		return;
	}
	memcpy(&d, buf, sizeof(d));
	switch (d.type) {
	case BENCH_UP:
		run_count = d.run == run ? run_count + 1 : 1;
		run = d.run;
		break;
	case BENCH_ASK:
		tell(fd, from, d.run == run ? run_count : 0, 0);
		break;
	case BENCH_SEND:
		run = d.run;
		d.type = BENCH_DOWN;
		sent = bench_burst(fd, from, d, &us);
		for (int i = 0; i < 5; i++) {
			bench_sleep_us(20000);
			tell(fd, from, sent, us);
		}
		break;
	}
}

static void dgrams(int fd)
{
	static char buf[BENCH_BATCH][2048];
	static struct bench_addr from[BENCH_BATCH];
	struct iovec iov[BENCH_BATCH];
	struct mmsghdr m[BENCH_BATCH];
	int n;

	for (int i = 0; i < BENCH_BATCH; i++) {
		iov[i] = (struct iovec){ buf[i], sizeof(buf[i]) };
		m[i].msg_hdr = (struct msghdr){
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
			.msg_name = &from[i].ss,
			.msg_namelen = sizeof(from[i].ss),
		};
	}
	n = recvmmsg(fd, m, BENCH_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		from[i].len = m[i].msg_hdr.msg_namelen;
		dgram(fd, buf[i], m[i].msg_len, &from[i]);
	}
}

static void serve(const char *addr, const char *port, const char *next)
{
	struct bench_addr a = bench_resolve(addr, port);
	int fd = bench_bind(&a, SOCK_DGRAM);

	bench_big_buffer(fd);
	watch(fd, DGRAM);
	watch(bench_bind(&a, SOCK_STREAM | SOCK_NONBLOCK), ECHO);
	a = bench_resolve(addr, next);
	watch(bench_bind(&a, SOCK_STREAM | SOCK_NONBLOCK), ONCE);
}

int main(int argc, char **argv)
{
	char next[16];

	if (argc < 3)
		errx(2, "usage: serve PORT ADDRESS...");
	bench_many_files();
	snprintf(next, sizeof(next), "%d", atoi(argv[1]) + 1);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		err(1, "epoll_create1");
	for (int i = 2; i < argc; i++)
		serve(argv[i], argv[1], next);

	for (;;) {
		struct epoll_event e[64];
		int n = epoll_wait(epoll, e, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = (int)(uint32_t)e[i].data.u64;

			switch (e[i].data.u64 >> 32) {
			case ECHO:
				accept_all(fd, CONNECTION);
				break;
			case ONCE:
				accept_all(fd, CONNECTION_ONCE);
				break;
			case CONNECTION:
				answer(fd, 0);
				break;
			case CONNECTION_ONCE:
				answer(fd, 1);
				break;
			case DGRAM:
				dgrams(fd);
				break;
			}
		}
	}
}
