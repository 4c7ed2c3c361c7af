/* SPDX-License-Identifier: MIT */
/* burst.c - datagrams at an even rate
 *
 * Sleeps between small batches: a spinning sender would take one of the two
 * cores that the gateway and the receiver need.
 */
#include "bench.h"

#define TICK_US 50

/* what.number datagrams of what.size bytes to an address, or to NULL over a
 * connected socket; how many the kernel took, and in which time. */
uint32_t bench_burst(int fd, const struct bench_addr *to,
		     struct bench_dgram what, uint32_t *us)
{
	static char payload[65536];
	struct iovec iov = { payload, what.size };
	struct mmsghdr m[BENCH_BATCH];
	uint32_t sent = 0, taken = 0, n = what.number;
	double start = bench_now();

	prctl(PR_SET_TIMERSLACK, 1000ul);
	memcpy(payload, &what, sizeof(what));
	memset(m, 0, sizeof(m));
	for (int i = 0; i < BENCH_BATCH; i++) {
		m[i].msg_hdr.msg_iov = &iov;
		m[i].msg_hdr.msg_iovlen = 1;
		if (to) {
			m[i].msg_hdr.msg_name = (void *)(uintptr_t)&to->ss;
			m[i].msg_hdr.msg_namelen = to->len;
		}
	}
	while (sent < n) {
		double should = (bench_now() - start) * what.rate;
		uint32_t due = should < n ? (uint32_t)should : n;
		int did;

		if (due <= sent) {
			bench_sleep_us(TICK_US);
			continue;
		}
		due -= sent;
		if (due > BENCH_BATCH)
			due = BENCH_BATCH;
		did = sendmmsg(fd, m, due, 0);
		if (did < 0 && errno != ENOBUFS && errno != ECONNREFUSED)
			err(1, "sendmmsg");
		sent += did > 0 ? (uint32_t)did : due;
		taken += did > 0 ? (uint32_t)did : 0;
	}
	*us = (uint32_t)((bench_now() - start) * 1e6);
	return taken;
}
