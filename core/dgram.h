/* SPDX-License-Identifier: MIT */
/* dgram.h - what UDP sessions and pings share
 *
 * Datagrams that wait for a verdict or a socket, and the sockets themselves:
 * not connected, with an error queue that says which datagram failed, where
 * and why.
 */
#ifndef CORE_DGRAM_H
#define CORE_DGRAM_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "addr.h"
#include "util.h"

#define DGRAM_TTL 64 /* of what we make, RFC 1700 */

/* How a datagram travels. */
struct dgram_hop {
	uint8_t ttl, tos;
	bool df; /* too big is an error, not cut */
};

/* ------------------------------------------------------------- waiting */

#define DGRAM_WAIT_COUNT 256 /* of one session: what a turn may bring */
#define DGRAM_WAIT_BYTES (512u << 10) /* of one session */
#define DGRAM_WAIT_ALL   (4u << 20)   /* of all */

struct dgram {
	struct dgram *next;
	struct sluice_addr to;
	uint32_t len;
	struct dgram_hop hop;
	uint8_t data[];
};

struct dgram_queue {
	struct dgram *head, *tail;
	uint32_t count, bytes;
};

/* A copy at the end of q.  all: the bytes of all queues.  0, -ENOBUFS (a
 * bound was reached) or -ENOMEM. */
int dgram_push(struct dgram_queue *q, uint32_t *all,
	       const struct sluice_addr *to, const struct dgram_hop *hop,
	       const void *data, uint32_t len);
void dgram_pop(struct dgram_queue *q, uint32_t *all);
void dgram_clear(struct dgram_queue *q, uint32_t *all);

/* ------------------------------------------------------------- sockets */

union dgram_name {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Its length; 0 for family 0. */
socklen_t dgram_name(union dgram_name *out, const struct sluice_addr *a);

/* Error queue and large buffers on, *now as the socket then is.  Gives the
 * family (4 or 6) or -errno. */
int dgram_setup(int fd, struct dgram_hop *now);
/* Set what differs between *now and want. */
void dgram_hop_set(int fd, int family, struct dgram_hop *now,
		   const struct dgram_hop *want);

static inline bool dgram_hop_equal(const struct dgram_hop *a,
				   const struct dgram_hop *b)
{
	return a->ttl == b->ttl && a->tos == b->tos && a->df == b->df;
}

/* What the kernel says beside a datagram: UDP GRO, TTL and class. */
#define DGRAM_CONTROL (3 * CMSG_SPACE(sizeof(int)))

/* Have it say TTL and class, or not. */
void dgram_ask_hop(int fd, int family, bool on);
/* How the datagram of m goes on from here: TTL one less, class; *hop stays as
 * it is where nothing is said.  Gives the size of those that were joined to
 * make it, 0: it is one. */
uint16_t dgram_came(struct msghdr *m, struct dgram_hop *hop);

/* One entry of the error queue. */
struct dgram_error {
	int err;
	bool local;            /* our own kernel, when sending */
	uint8_t type, code;    /* of the ICMP error, ours to pass on if */
	bool pass;             /* it is one that apps may see */
	uint32_t extra;        /* second word of the ICMP error: MTU, pointer */
	struct sluice_addr to; /* whom the datagram was for */
	struct sluice_addr from; /* who sent the error; family 0: not known */
	size_t len;              /* of the datagram, as far as it was quoted */
	uint8_t data[1280];
};

/* Take the next one: 1, or 0 if there is none. */
int dgram_error_take(int fd, struct dgram_error *e);

/* The ICMP error that says to the app what sendmsg(2) said to us. */
void dgram_errno_icmp(int family, int err, uint8_t *type, uint8_t *code);

#endif
