/* SPDX-License-Identifier: MIT */
/* serve.c - the other side of probe.c
 *
 *	serve PORT ADDRESS...
 *
 * TCP on PORT: sends everything back.  TCP on PORT+1: sends one byte and
 * closes, first, so that the client has no TIME_WAIT.  PORT+2 never reads,
 * PORT+3 never stops to write.  UDP on PORT: sends back, counts, or sends, as
 * the datagram asks for, from the address it was sent to: each has a socket.
 */
#include <signal.h>
#include <stdio.h>

#include "bench.h"

/* What a descriptor is: that of a listener is one less than that of what it
 * accepts. */
enum {
	ECHO,
	CONNECTION,
	ONCE,
	CONNECTION_ONCE,
	SLEEP,
	CONNECTION_SLEEP,
	FLOOD,
	CONNECTION_FLOOD,
	DGRAM
};

static int epoll;
static uint32_t run, run_count;

static void watch(int fd, uint32_t what)
{
	struct epoll_event e = { .events = EPOLLIN,
				 .data.u64 = (uint64_t)what << 32 |
					     (uint32_t)fd };

	if (what == CONNECTION_SLEEP)
		e.events = EPOLLRDHUP;
	if (what == CONNECTION_FLOOD)
		e.events = EPOLLOUT | EPOLLRDHUP;
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

static void flood(int fd, uint32_t events)
{
	static const char zeros[65536];

	if (events & ~(uint32_t)EPOLLOUT ||
	    (write(fd, zeros, sizeof(zeros)) < 0 && errno != EAGAIN))
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

static void serve(const char *addr, int port)
{
	static const uint32_t kinds[] = { ECHO, ONCE, SLEEP, FLOOD };
	struct bench_addr a;
	char text[16];
	int fd;

	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "%d", port + i);
		a = bench_resolve(addr, text);
		watch(bench_bind(&a, SOCK_STREAM | SOCK_NONBLOCK), kinds[i]);
	}
	snprintf(text, sizeof(text), "%d", port);
	a = bench_resolve(addr, text);
	fd = bench_bind(&a, SOCK_DGRAM);
	bench_big_buffer(fd);
	watch(fd, DGRAM);
}

static void handle(int fd, uint32_t what, uint32_t events)
{
	switch (what) {
	case ECHO:
	case ONCE:
	case SLEEP:
	case FLOOD:
		accept_all(fd, what + 1);
		break;
	case CONNECTION:
	case CONNECTION_ONCE:
		answer(fd, what == CONNECTION_ONCE);
		break;
	case CONNECTION_SLEEP: /* it left */
		close(fd);
		break;
	case CONNECTION_FLOOD:
		flood(fd, events);
		break;
	case DGRAM:
		dgrams(fd);
		break;
	}
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: serve PORT ADDRESS...");
	bench_many_files();
	signal(SIGPIPE, SIG_IGN);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		err(1, "epoll_create1");
	for (int i = 2; i < argc; i++)
		serve(argv[i], atoi(argv[1]));

	for (;;) {
		struct epoll_event e[64];
		int n = epoll_wait(epoll, e, 64, -1);

		for (int i = 0; i < n; i++)
			handle((int)(uint32_t)e[i].data.u64,
			       (uint32_t)(e[i].data.u64 >> 32), e[i].events);
	}
}
