/* SPDX-License-Identifier: MIT */
/* probe.c - round trips, connections and datagrams, counted from the client
 *
 *	probe pingpong tcp|udp HOST PORT COUNT     p50 and p99, microseconds
 *	probe connects HOST PORT AT-A-TIME SECONDS connections a second
 *	probe udp up|down HOST PORT SIZE RATE MS   sent, received, microseconds
 *	probe hold tcp|udp HOST PORT COUNT         open, and wait for stdin
 *	probe fill HOST PORT                       write until nothing moves
 *	probe doze HOST PORT                       connect, and do not read
 *
 * serve.c is the other side.
 */
#include <poll.h>
#include <stdio.h>

#include "bench.h"

static void pingpong(int type, const struct bench_addr *to, size_t count)
{
	double *us = calloc(count, sizeof(*us));
	struct timeval second = { .tv_sec = 1 };
	int fd = bench_connect(to, type);
	size_t warm_up = count / 10, lost = 0;
	char c = BENCH_ECHO;

	if (!us)
		err(1, "calloc");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	for (size_t i = 0; i < count + warm_up; i++) {
		double start = bench_now();

		if (send(fd, &c, 1, 0) != 1)
			err(1, "send");
		if (recv(fd, &c, 1, 0) != 1) {
			if (type == SOCK_STREAM || ++lost > 3)
				err(1, "recv");
			continue;
		}
		if (i >= warm_up)
			us[i - warm_up] = (bench_now() - start) * 1e6;
	}
	qsort(us, count, sizeof(*us), bench_compare);
	printf("%.2f %.2f\n", us[count / 2], us[count * 99 / 100]);
	free(us);
}

struct attempt {
	int fd, sent;
};

static void attempt_start(int epoll, struct attempt *a,
			  const struct bench_addr *to)
{
	struct epoll_event e = { .events = EPOLLOUT, .data.ptr = a };

	a->sent = 0;
	a->fd = bench_socket(to, SOCK_STREAM | SOCK_NONBLOCK);
	if (connect(a->fd, (const struct sockaddr *)&to->ss, to->len) < 0 &&
	    errno != EINPROGRESS)
		err(1, "connect");
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, a->fd, &e) < 0)
		err(1, "epoll_ctl");
}

/* 1: it got its byte, and then the end. */
static int attempt_step(int epoll, struct attempt *a)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = a };
	char buf[2];
	ssize_t n;

	if (!a->sent) {
		if (send(a->fd, "x", 1, MSG_NOSIGNAL) != 1)
			err(1, "send");
		a->sent = 1;
		epoll_ctl(epoll, EPOLL_CTL_MOD, a->fd, &e);
		return 0;
	}
	n = recv(a->fd, buf, sizeof(buf), 0);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		err(1, "recv");
	if (n > 0) {
		a->sent++;
		return 0;
	}
	if (a->sent != 2)
		errx(1, "a connection ended without its byte");
	close(a->fd);
	return 1;
}

static void connects(const struct bench_addr *to, int at_a_time, double seconds)
{
	struct attempt *a = calloc((size_t)at_a_time, sizeof(*a));
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e[64];
	double start = bench_now(), took;
	long done = 0;

	if (!a || epoll < 0)
		err(1, "epoll");
	for (int i = 0; i < at_a_time; i++)
		attempt_start(epoll, &a[i], to);
	while ((took = bench_now() - start) < seconds) {
		int n = epoll_wait(epoll, e, 64, 3000);

		if (!n)
			errx(1, "nothing came for 3 s, after %ld", done);
		for (int i = 0; i < n; i++) {
			if (!attempt_step(epoll, e[i].data.ptr))
				continue;
			done++;
			attempt_start(epoll, e[i].data.ptr, to);
		}
	}
	printf("%.1f\n", (double)done / took);
}

/* What serve says about a run, asked for until it is told. */
static uint32_t ask(int fd, uint32_t run)
{
	struct bench_dgram d = { .type = BENCH_ASK, .run = run };
	struct pollfd p = { .fd = fd, .events = POLLIN };

	bench_sleep_us(50000);
	for (int i = 0; i < 50; i++) {
		struct bench_dgram got;

		send(fd, &d, sizeof(d), 0);
		while (poll(&p, 1, 50) > 0)
			if (recv(fd, &got, sizeof(got), 0) == sizeof(got) &&
			    got.type == BENCH_TOLD && got.run == run)
				return got.number;
	}
	errx(1, "no answer");
}

static uint32_t receive(int fd, uint32_t run, uint32_t *sent, uint32_t *us)
{
	static char buf[BENCH_BATCH][sizeof(struct bench_dgram)];
	struct iovec iov[BENCH_BATCH];
	struct mmsghdr m[BENCH_BATCH];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct bench_dgram d;
	uint32_t count = 0;

	memset(m, 0, sizeof(m));
	for (int i = 0; i < BENCH_BATCH; i++) {
		iov[i] = (struct iovec){ buf[i], sizeof(buf[i]) };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	while (poll(&p, 1, 3000) > 0) {
		int n = recvmmsg(fd, m, BENCH_BATCH, MSG_DONTWAIT, NULL);

		for (int i = 0; i < n; i++) {
			memcpy(&d, buf[i], sizeof(d));
			if (d.run != run)
				continue;
			if (d.type == BENCH_TOLD) {
				*sent = d.number;
				*us = d.us;
				return count;
			}
			count++;
		}
	}
	errx(1, "no end of the burst");
}

static void udp(int up, const struct bench_addr *to, uint32_t size,
		uint32_t rate, uint32_t ms)
{
	int fd = bench_connect(to, SOCK_DGRAM);
	uint32_t run = (uint32_t)getpid() << 8 ^ (uint32_t)time(NULL);
	uint32_t sent, got, us;
	struct bench_dgram d = {
		.type = up ? BENCH_UP : BENCH_SEND,
		.run = run,
		.number = (uint32_t)((uint64_t)rate * ms / 1000),
		.size = size,
		.rate = rate,
	};

	if (size < sizeof(d) || size > 1472)
		errx(2, "from %zu to 1472 bytes", sizeof(d));
	bench_big_buffer(fd);
	if (up) {
		sent = bench_burst(fd, NULL, d, &us);
		got = ask(fd, run);
	} else {
		send(fd, &d, sizeof(d), 0);
		got = receive(fd, run, &sent, &us);
	}
	printf("%u %u %u\n", sent, got, us);
}

/* Says that it is ready, and stays so until it is told to end. */
static void stay(int ready)
{
	printf("%d\n", ready);
	fflush(stdout);
	getchar();
}

static void hold(int type, const struct bench_addr *to, int count)
{
	struct timeval second = { .tv_sec = 1 };

	bench_many_files();
	for (int i = 0; i < count; i++) {
		int fd = bench_connect(to, type), tries = 3;
		char c = BENCH_ECHO;

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second,
			   sizeof(second));
		do {
			if (send(fd, &c, 1, 0) != 1 || !tries--)
				err(1, "%d", i);
		} while (recv(fd, &c, 1, 0) != 1);
	}
	stay(count);
}

/* Whose other side does not read: as much as goes, until a second went by
 * without a byte.  Or, without filling it, one that does not read itself. */
static void one(const struct bench_addr *to, int fill)
{
	static const char zeros[65536];
	struct pollfd p = { .events = POLLOUT };

	p.fd = bench_connect(to, SOCK_STREAM);
	while (fill && poll(&p, 1, 1000) > 0)
		if (send(p.fd, zeros, sizeof(zeros), MSG_DONTWAIT) < 0 &&
		    errno != EAGAIN)
			err(1, "send");
	stay(1);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct bench_addr to;

	if (!strcmp(what, "pingpong") && argc == 6) {
		to = bench_resolve(argv[3], argv[4]);
		pingpong(strcmp(argv[2], "udp") ? SOCK_STREAM : SOCK_DGRAM, &to,
			 (size_t)atoi(argv[5]));
	} else if (!strcmp(what, "connects") && argc == 6) {
		to = bench_resolve(argv[2], argv[3]);
		connects(&to, atoi(argv[4]), atof(argv[5]));
	} else if (!strcmp(what, "udp") && argc == 8) {
		to = bench_resolve(argv[3], argv[4]);
		udp(!strcmp(argv[2], "up"), &to, (uint32_t)atoi(argv[5]),
		    (uint32_t)atoi(argv[6]), (uint32_t)atoi(argv[7]));
	} else if (!strcmp(what, "hold") && argc == 6) {
		to = bench_resolve(argv[3], argv[4]);
		hold(strcmp(argv[2], "udp") ? SOCK_STREAM : SOCK_DGRAM, &to,
		     atoi(argv[5]));
	} else if ((!strcmp(what, "fill") || !strcmp(what, "doze")) &&
		   argc == 4) {
		to = bench_resolve(argv[2], argv[3]);
		one(&to, !strcmp(what, "fill"));
	} else {
		errx(2, "usage: see the top of probe.c");
	}
	return 0;
}
