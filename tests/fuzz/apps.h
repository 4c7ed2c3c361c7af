/* SPDX-License-Identifier: MIT */
/* apps.h - apps that keep no rule, and the TUN they write to
 *
 * For whole gateways in memory: fuzz_gateway, fuzz_relay, test_segments.  An
 * app has one port of its own and one destination; what comes down for it is
 * checked as a packet, put in order, and told to who wants to know.
 *
 * Each byte has its value by its place in the stream (apps_bytes()), so that
 * whatever an app does, what arrives can be compared with what was sent.
 */
#ifndef APPS_H
#define APPS_H

#include "gateway.h"

#define APPS       8
#define APPS_MTU   1500
#define APPS_PORT  1000 /* of the first app */
#define APPS_SPORT 2000 /* of the server it speaks to */

struct app {
	bool known;        /* its SYN was answered */
	uint32_t iss, irs; /* of the SYN it was answered for */
	uint32_t seq, ack; /* what a good app would say next */
};

extern struct app apps[APPS];

struct apps_events { /* at: the place in the stream, from 0 */
	void (*opened)(int which);
	void (*data)(int which, uint32_t at, const uint8_t *p, uint32_t len);
	void (*fin)(int which, uint32_t at);
};

/* Nobody is known, nothing waits. */
void apps_start(const struct apps_events *ev);
/* The TUN of the gateway they speak to. */
struct tun_ops apps_tun(void);
/* What waits goes up, and n turns are made. */
void apps_turns(struct gateway *gw, int n);

/* The stream's bytes from place `at` on: 65535 of them may be read. */
const uint8_t *apps_bytes(uint32_t at);

/* An app with an even number speaks IPv4, others IPv6. */
void apps_ends(int which, struct sluice_addr *app, struct sluice_addr *server);
void apps_segment(int which, uint8_t flags, uint32_t seq, uint32_t ack,
		  uint16_t window, const uint8_t *options, size_t options_len,
		  uint32_t len);
/* An acknowledgement of all that came. */
void apps_ack(int which, uint16_t window);
/* Cut to the mtu; fragment number `leave_out` is lost. */
void apps_datagram(int which, size_t len, size_t mtu, uint32_t id,
		   int leave_out);
void apps_ping(int which, size_t len);
/* The last packet again, one byte of it changed, an IPv4 header's checksum
 * put right. */
void apps_again(uint8_t at, uint8_t value);

#endif
