/* SPDX-License-Identifier: MIT */
/* udpflow.h - a UDP session from inside: udp.c, udp_send.c, udp_recv.c
 *
 * Nobody else includes it.
 */
#ifndef CORE_UDPFLOW_H
#define CORE_UDPFLOW_H

#include "dgram.h"
#include "gateway.h"
#include "peerset.h"

#define UDP_BATCH 256          /* datagrams up that wait for udp_flush() */
#define UDP_ROOM  (256u << 10) /* and their bytes */
#define UDP_SMALL 2048u        /* larger ones are sent at once, uncopied */
#define UDP_RECV  64           /* datagrams down at once */
#define UDP_SEGS  64           /* the kernel's UDP_MAX_SEGMENTS */
#define UDP_LARGE 65507u       /* what fits an IPv4 packet */
#define UDP_ASKS  UINT8_MAX

struct udp_flow {
	struct flow f;      /* first */
	struct loop_fd net; /* its socket; fd -1: waiting, or a plugin's */
	struct list ready;  /* has something for udp_flush() */
	struct dgram_queue wait;
	struct peerset *heard; /* whom the app wrote to, when that matters */
	struct sluice_addr to; /* where datagrams for info.dst go instead;
				   family 0: nowhere else */
	uint16_t first, last;  /* its datagrams in udp->out, from 1; 0: none */
	uint8_t family;        /* of the socket */
	uint8_t mapping, filtering; /* SLUICE_PEERS_* */
	struct dgram_hop hop;       /* as the socket is set now */
	uint8_t ttl;  /* that the last datagram from the net was left */
	uint8_t asks; /* datagrams for which the kernel still says how they
			 came, UDP_ASKS: for all there will be */
};
/* What an idle session costs; its plugin's state comes on top, and some 30
 * bytes of tables. */
_Static_assert(sizeof(struct udp_flow) <= 464, "UDP sessions are many");

struct udp_out {          /* a datagram of this batch */
	uint16_t next;    /* of the same session, from 1 */
	uint32_t at, len; /* in room */
	struct dgram_hop hop;
	struct sluice_addr to;
};

/* One send of a batch: a datagram, or a run of them for GSO. */
struct udp_mail {
	union dgram_name name;
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
	} control;
};

struct udp_came {
	struct dgram_hop hop;
	uint16_t gro; /* size of those joined, 0: it is one */
};

struct udp_recv { /* what recvmmsg(2) fills */
	struct udp_came came[UDP_RECV];
	struct mmsghdr m[UDP_RECV];
	struct iovec v[UDP_RECV];
	union dgram_name name[UDP_RECV];
	union {
		struct cmsghdr align;
		uint8_t bytes[DGRAM_CONTROL];
	} control[UDP_RECV];
	uint8_t data[UDP_RECV][65536] __attribute__((aligned(65536)));
};

struct udp {
	struct gateway *gw;
	struct list ready;         /* of struct udp_flow */
	struct loop_work flush;    /* for what becomes ready outside a batch */
	uint32_t held;             /* bytes in all wait queues */
	uint32_t by_pair, by_addr; /* sessions with a mapping of that
					   kind: keys worth a look-up */
	bool gso;                  /* the kernel has UDP_SEGMENT */
	uint32_t mtu;              /* what the last EMSGSIZE said, 0: nothing */
	bool used;                 /* recv was, since udp_trim() */

	uint32_t out_n, room_n; /* used of out and room */
	struct udp_out out[UDP_BATCH];
	struct mmsghdr m[UDP_BATCH];
	struct iovec v[UDP_BATCH];
	struct udp_mail mail[UDP_BATCH];
	uint8_t room[UDP_ROOM];

	struct dgram_error error;
	struct udp_recv recv;
};

static inline struct udp_flow *udp_of(struct flow *f)
{
	return (struct udp_flow *)f;
}

/* udp_flush() will see it; from outside a batch too. */
void udp_wake(struct udp_flow *u);

/* udp_send.c: a datagram (gso_size: several) to the net, in the batch or at
 * once; what waits in the batch for a session, for all. */
void udp_send(struct udp_flow *u, const struct sluice_addr *dst,
	      const struct dgram_hop *hop, uint8_t *data, uint32_t len,
	      uint16_t gso_size);
void udp_send_batch(struct udp_flow *u);
void udp_send_all(struct gateway *gw);

/* udp_recv.c: the socket has something. */
void udp_net(struct loop_fd *w, uint32_t events);
/* Take what is in the error queue and tell the app. */
void udp_errors(struct udp_flow *u);
/* Tell the app that its datagram to dst (its first len bytes are at data)
 * failed; from NULL: the gateway says so. */
void udp_tell(struct udp_flow *u, const struct sluice_addr *from,
	      const struct sluice_addr *dst, const void *data, size_t len,
	      uint8_t type, uint8_t code, uint32_t extra);
/* The address as the app knows it. */
void udp_as_seen(const struct udp_flow *u, struct sluice_addr *a);

#endif
