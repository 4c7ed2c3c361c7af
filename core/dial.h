/* SPDX-License-Identifier: MIT */
/* dial.h - sockets to the outside
 *
 * Every socket the gateway opens comes from here, so that the protect chain
 * sees all of them before they connect or send.  A dial goes through
 *
 *	protect --LATER--> waiting --TAKE--> connecting --> done(fd)
 *	   |                  |                   |
 *	   +------ DROP ------+--- timer, error --+-----> done(-errno)
 *
 * done() is called once for each dial_start(), from the loop, never from
 * inside it, and not after dial_cancel().  A chain that ends without TAKE
 * refuses the socket (-EPERM).  A socket whose source address is one of our
 * own TUN's is a routing loop: -ELOOP, explained once in the log.
 */
#ifndef CORE_DIAL_H
#define CORE_DIAL_H

#include <stdatomic.h>

#include "addr.h"
#include "loop.h"
#include "pool.h"

struct gateway;
struct flow;
struct dial;

/* Why a dial failed, for the truth to the app. */
struct dial_error {
	int err;        /* positive errno */
	uint8_t family; /* 4, 6: an ICMP error came; 0: none */
	uint8_t type, code;
	uint32_t extra;          /* MTU */
	struct sluice_addr from; /* who sent it */
};

#define DIAL_PING 0x100u /* proto 1 or 58: a ping socket */

struct dial_ask {
	uint8_t proto;         /* SLUICE_TCP, SLUICE_UDP, 1, 58 */
	struct sluice_addr to; /* host-loopback is mapped here, not before */
	uint64_t flow_id;      /* 0: none; told to protect, and in the log */
	uint32_t timeout_ms;   /* 0: 30 s */
	uint32_t flags;        /* SLUICE_DIAL_UNCONNECTED */
	uint16_t prefer_port;  /* UDP: bind to it if it is free
				   (RFC 4787 REQ-4), else same parity, else any */
	uint8_t ttl, tos;      /* TCP: of its packets; 0: the system's */
	/* fd is the caller's: non-blocking, close-on-exec; -1 with e.  The
	 * dial is gone when it is called.  A ping socket is SOCK_RAW where
	 * the kernel gives no SOCK_DGRAM: ask SO_TYPE. */
	void (*done)(void *arg, int fd, const struct dial_error *e);
	void *arg;
};

#define DIAL_LOOPS 8

struct dials {            /* of a gateway */
	struct list all;  /* that done() is still to be called for, but: */
	struct list held; /* in the hands of a protect plugin */
	uint32_t held_n;  /* of these, given up */
	struct pool pool;
	bool asking;       /* the protect chain is at work */
	atomic_bool rung;  /* somebody resolved a socket */
	struct dial_loop { /* sockets whose SYN came back to us */
		struct sluice_addr local;
		uint64_t until;
	} loops[DIAL_LOOPS];
	uint32_t loops_at;
};

/* NULL: no memory (done is not called). */
struct dial *dial_start(struct gateway *gw, const struct dial_ask *ask);
void dial_cancel(struct dial *d); /* NULL is fine */

/* The protect chain on fd, now: 0, -EPERM, -EAGAIN (a plugin wants time). */
int dial_protect(struct gateway *gw, int fd, uint8_t proto,
		 const struct sluice_addr *to);

/* For start and stop of a gateway.  dial_fini() comes after chain_destroy(),
 * when no plugin holds a socket any more; what is left is closed without a
 * call of done(). */
void dial_init(struct gateway *gw);
void dial_fini(struct gateway *gw);

#endif
