/* SPDX-License-Identifier: MIT */
/* bench.h - what the programs of the benchmark share
 *
 * They stop at the first thing that is not as it should be: a figure from a
 * run that half worked is worse than none.
 */
#ifndef BENCH_H
#define BENCH_H

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Datagrams: a type, and numbers in the sender's byte order. */
enum bench_type {
	BENCH_ECHO = 'e', /* send it back */
	BENCH_UP = 'u',   /* count it for its run */
	BENCH_ASK = 'q',  /* how many of that run were there? */
	BENCH_SEND = 'd', /* send so many, of a size, at a rate */
	BENCH_DOWN = 'b', /* one of those */
	BENCH_TOLD = 'z', /* how many there were, or were sent */
};

struct bench_dgram {
	uint32_t type, run, number, size, rate, us;
};

#define BENCH_RCVBUF (8 << 20)
#define BENCH_BATCH  64

struct bench_addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

static inline struct bench_addr bench_resolve(const char *host,
					      const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = SOCK_STREAM };
	struct bench_addr a;
	struct addrinfo *ai;
	int e = getaddrinfo(host, port, &hints, &ai);

	if (e)
		errx(1, "%s port %s: %s", host, port, gai_strerror(e));
	memcpy(&a.ss, ai->ai_addr, ai->ai_addrlen);
	a.len = ai->ai_addrlen;
	freeaddrinfo(ai);
	return a;
}

static inline int bench_socket(const struct bench_addr *a, int type)
{
	int one = 1, fd = socket(a->ss.ss_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(1, "socket");
	if ((type & 0xf) == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static inline int bench_bind(const struct bench_addr *a, int type)
{
	int one = 1, fd = bench_socket(a, type);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&a->ss, a->len) < 0)
		err(1, "bind");
	if ((type & 0xf) == SOCK_STREAM && listen(fd, 1024) < 0)
		err(1, "listen");
	return fd;
}

static inline int bench_connect(const struct bench_addr *a, int type)
{
	int fd = bench_socket(a, type);

	if (connect(fd, (const struct sockaddr *)&a->ss, a->len) < 0)
		err(1, "connect");
	return fd;
}

/* Room for a burst while this process is not running. */
static inline void bench_big_buffer(int fd)
{
	int size = BENCH_RCVBUF;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static inline void bench_many_files(void)
{
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

static inline double bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* For qsort(3) of doubles. */
static inline int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline void bench_sleep_us(long us)
{
	struct timespec ts = { .tv_nsec = us * 1000 };

	nanosleep(&ts, NULL);
}

uint32_t bench_burst(int fd, const struct bench_addr *to,
		     struct bench_dgram what, uint32_t *us);

#endif
