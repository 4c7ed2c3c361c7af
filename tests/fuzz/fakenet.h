/* SPDX-License-Identifier: MIT */
/* fakenet.h - sockets without a kernel, and the servers behind them
 *
 * The linker gives the core these instead of socket(2) and its like
 * (FAKENET_WRAP in tests/local.mk).  A server does what it is told; what the
 * gateway does to its sockets is checked:
 *
 *	- nothing is connected or sent before it carries a mark (protected)
 *	- what arrives is what the app sent, from its first byte on, in order
 *	- nothing comes after a FIN, and no end that is none: closed without
 *	  SO_LINGER only after shutdown()
 *	- what is opened is closed
 *
 * Readiness is the kernel's: edges for EPOLLET, levels for others.
 */
#ifndef FAKENET_H
#define FAKENET_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"

enum fakenet_call {
	FAKENET_SOCKET,
	FAKENET_CONNECT,
	FAKENET_BIND,
	FAKENET_SETSOCKOPT,
	FAKENET_GETSOCKOPT,
	FAKENET_GETSOCKNAME,
	FAKENET_SEND,
	FAKENET_RECV,
	FAKENET_EPOLL,
	FAKENET_CALLS
};

struct fakenet_icmp {
	uint8_t type, code;
	uint32_t info;
};

struct fakenet; /* one socket */

void fakenet_start(void);
/* The next call of this kind fails once; err 0: not any more. */
void fakenet_fail(enum fakenet_call call, int err);
/* Sockets that are open. */
int fakenet_open(void);
/* Bytes that streams have carried since fakenet_start(). */
uint64_t fakenet_bytes_up(void);
uint64_t fakenet_bytes_down(void);

/* The youngest stream to this port, or NULL. */
struct fakenet *fakenet_stream(uint16_t port);
/* Its connection was made (err 0) or not, for ICMP's sake perhaps. */
void fakenet_answer(struct fakenet *s, int err,
		    const struct fakenet_icmp *icmp);
/* The app has its SYN-ACK: what comes begins with the byte at iss + 1. */
void fakenet_begins(struct fakenet *s, uint32_t iss);
bool fakenet_has_begun(const struct fakenet *s);
void fakenet_send(struct fakenet *s, uint32_t len);
void fakenet_fin(struct fakenet *s);
void fakenet_reset(struct fakenet *s, int err);
/* So much more it takes before it is full. */
void fakenet_room(struct fakenet *s, uint32_t len);
/* What its server sent in all, and whether that was the end of it. */
uint32_t fakenet_sent(const struct fakenet *s);
bool fakenet_ended(const struct fakenet *s);

/* A socket of datagrams, or NULL: number n of those that are open. */
struct fakenet *fakenet_dgram(int n);
/* n datagrams for it; step: as the kernel joins them, 0: not; tos: as they
 * were marked. */
void fakenet_dgrams(struct fakenet *s, int n, uint16_t len, uint16_t step,
		    uint8_t tos);
void fakenet_error(struct fakenet *s, int err, const struct fakenet_icmp *icmp);

#endif
