/* SPDX-License-Identifier: MIT */
/* ask.c - DNS questions, so many under way at a time
 *
 *	ask HOST AT-A-TIME SECONDS PREFIX NAMES
 *
 * prints questions answered a second, p50 and p99 of their times in
 * microseconds, and how many were never answered.  Names begin with PREFIX
 * (see answer.c for what its letters mean); there are so many of them, or
 * with 0 no one is asked for twice.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>

#include "bench.h"

#define HEADER 12
#define IDS    65536u
#define MANY   (IDS / 2) /* so much later: it will not come any more */
#define TIMES  (1u << 22)

static struct {
	int fd;
	const char *prefix;
	uint32_t names;
	double sent[IDS]; /* 0: nobody waits for it */
	uint32_t next, oldest, waiting, lost, done;
	double *us;
} ask;

/* A question for the A record of a name that has number in it. */
static size_t question(unsigned char *msg, uint32_t number)
{
	char label[64];
	int n = snprintf(label, sizeof(label), "%s%08x", ask.prefix,
			 ask.names ? number % ask.names : number);

	memset(msg, 0, HEADER);
	msg[0] = (unsigned char)(number >> 8);
	msg[1] = (unsigned char)number;
	msg[2] = 1; /* recursion desired */
	msg[5] = 1; /* one question */
	msg += HEADER;
	*msg++ = (unsigned char)n;
	memcpy(msg, label, (size_t)n);
	memcpy(msg + n, "\5bench\0\0\1\0\1", 11);
	return HEADER + 1 + (size_t)n + 11;
}

static void give_up(uint32_t until)
{
	for (; ask.oldest != until; ask.oldest++) {
		if (!ask.sent[ask.oldest % IDS])
			continue;
		ask.sent[ask.oldest % IDS] = 0;
		ask.waiting--;
		ask.lost++;
	}
}

static void send_up_to(uint32_t at_a_time)
{
	static unsigned char buf[BENCH_BATCH][128];
	struct iovec iov[BENCH_BATCH];
	struct mmsghdr m[BENCH_BATCH];
	unsigned int n = 0;
	double now = bench_now();

	memset(m, 0, sizeof(m));
	while (ask.waiting < at_a_time && n < BENCH_BATCH) {
		iov[n] = (struct iovec){ buf[n], question(buf[n], ask.next) };
		m[n].msg_hdr.msg_iov = &iov[n];
		m[n].msg_hdr.msg_iovlen = 1;
		ask.sent[ask.next++ % IDS] = now;
		ask.waiting++;
		n++;
	}
	/* What is not taken counts as lost in time. */
	if (n && sendmmsg(ask.fd, m, n, 0) < 0 && errno != ENOBUFS)
		err(1, "sendmmsg");
	if (ask.next - ask.oldest > MANY)
		give_up(ask.next - MANY);
}

static void receive(void)
{
	static unsigned char buf[BENCH_BATCH][512];
	struct iovec iov[BENCH_BATCH];
	struct mmsghdr m[BENCH_BATCH];
	double now;
	int n;

	memset(m, 0, sizeof(m));
	for (int i = 0; i < BENCH_BATCH; i++) {
		iov[i] = (struct iovec){ buf[i], sizeof(buf[i]) };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(ask.fd, m, BENCH_BATCH, MSG_DONTWAIT, NULL);
	now = bench_now();
	for (int i = 0; i < n; i++) {
		uint32_t id = (uint32_t)buf[i][0] << 8 | buf[i][1];

		if (m[i].msg_len < HEADER || !ask.sent[id])
			continue;
		if (buf[i][3] & 0x0f)
			errx(1, "rcode %u", buf[i][3] & 0x0fu);
		if (ask.done < TIMES)
			ask.us[ask.done] = (now - ask.sent[id]) * 1e6;
		ask.sent[id] = 0;
		ask.done++;
		ask.waiting--;
	}
}

int main(int argc, char **argv)
{
	struct pollfd p = { .events = POLLIN };
	struct bench_addr to;
	double start, took, seconds;
	uint32_t at_a_time, n;

	if (argc != 6)
		errx(2, "usage: ask HOST AT-A-TIME SECONDS PREFIX NAMES");
	to = bench_resolve(argv[1], "53");
	at_a_time = (uint32_t)atoi(argv[2]);
	seconds = atof(argv[3]);
	ask.prefix = argv[4];
	ask.names = (uint32_t)atoi(argv[5]);
	ask.us = calloc(TIMES, sizeof(*ask.us));
	if (!ask.us || at_a_time < 1 || at_a_time > MANY / 2)
		errx(2, "from 1 to %u at a time", MANY / 2);
	p.fd = ask.fd = bench_connect(&to, SOCK_DGRAM);
	bench_big_buffer(ask.fd);
	ask.next = ask.oldest = (uint32_t)getpid() << 12; /* other names */
	start = bench_now();
	while ((took = bench_now() - start) < seconds) {
		send_up_to(at_a_time);
		if (poll(&p, 1, 1000) > 0)
			receive();
		else
			give_up(ask.next);
	}
	n = ask.done < TIMES ? ask.done : TIMES;
	if (!n)
		errx(1, "no answer");
	qsort(ask.us, n, sizeof(*ask.us), bench_compare);
	printf("%.1f %.2f %.2f %u\n", ask.done / took, ask.us[n / 2],
	       ask.us[n * 99ull / 100], ask.lost);
	return 0;
}
