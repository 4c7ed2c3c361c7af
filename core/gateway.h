/* SPDX-License-Identifier: MIT */
/* gateway.h - one worker: everything there is one of
 *
 * gateway.c builds it from a configuration, hands each packet to its
 * protocol, and takes it all down again.
 */
#ifndef CORE_GATEWAY_H
#define CORE_GATEWAY_H

#include "chain.h"
#include "flow.h"
#include "flowtab.h"
#include "frag.h"
#include "loop.h"
#include "packet.h"
#include "rate.h"
#include "settings.h"
#include "stats.h"
#include "tun.h"

struct dns;
struct icmp_state;
struct names;
struct udp;

enum { GATEWAY_LRU_TCP, GATEWAY_LRU_UDP, GATEWAY_LRU_ICMP, GATEWAY_LRUS };

struct gateway {
	struct loop loop;
	struct stats stats;
	struct settings set;
	struct conf conf;
	struct registry registry;
	struct chains chains;
	struct tun tun;
	struct flowtab flows;
	/* Of struct flow, answered or not: share.c's. */
	struct list lru[GATEWAY_LRUS], fresh[GATEWAY_LRUS];
	struct share *share;
	struct pool flow_pool[GATEWAY_LRUS];
	uint32_t flow_limit[GATEWAY_LRUS];
	uint64_t next_id;
	struct frag *frag;
	struct dns *dns;
	struct names *names;     /* what dns told apps; NULL: no dns chain */
	struct udp *udp;         /* udp.c's */
	struct icmp_state *icmp; /* icmp.c's */
	struct dials dials;      /* dial.c's */
	struct rate icmp_rate, rst_rate;
	struct instance *at_work; /* for crash messages */
	bool tun_here; /* the TUN is in our own netns: loops can be */
	bool stopping;
	struct timer tick;
	struct loop_work flush;
	struct tun_ops ops; /* an embedder's packets */
	bool has_ops;
	bool parts; /* the protocols are there to be closed */
	unsigned ticks;
	bool misconfigured; /* open failed for what a plugin was told */
	int exit_err;       /* why the loop ended, 0: asked to */
};

/* Configuration in, ready gateway out: settings and chains are loaded, no
 * descriptor but plugins' files is open.  0 or -EINVAL; mistakes went to
 * gw->conf's report.  gw->conf must hold the parsed configuration. */
int gateway_load(struct gateway *gw);
/* create() and open everything; then run until gateway_stop().  0, or -errno
 * with a sentence in text, which is empty where the log has it already. */
int gateway_open(struct gateway *gw, char *text, size_t text_len);
int gateway_run(struct gateway *gw);
void gateway_stop(struct gateway *gw); /* any thread, signal handlers */
void gateway_close(struct gateway *gw);
void gateway_fini(struct gateway *gw);

/* What the TUN read (tun.packet). */
void gateway_packet(struct tun *t, struct tun_buf *buf, uint32_t len,
		    const struct virtio_net_hdr *vh);

/* A whole packet to the TUN: v[0] is left free for tun_write().  Observers
 * see it.  Cut to the MTU where it must be. */
int gateway_write(struct gateway *gw, const struct virtio_net_hdr *vh,
		  struct iovec *v, int n, uint64_t flow_id);
/* The same for a packet in one piece. */
int gateway_send(struct gateway *gw, const void *packet, size_t len,
		 uint64_t flow_id);

/* Tell the sender of the packet at ip what became of it: an ICMP error from
 * `from` (NULL: the gateway address), rate limited and counted. */
void gateway_icmp_error(struct gateway *gw, const struct sluice_addr *from,
			const uint8_t *ip, size_t len, uint8_t type,
			uint8_t code, uint32_t extra);
/* The ICMP type and code for SLUICE_WHY_*, finer where err (positive, may be
 * 0) says more. */
void gateway_icmp_why(int version, int why, int err, uint8_t *type,
		      uint8_t *code);
/* RST for a segment of no flow, rate limited and counted. */
void gateway_rst(struct gateway *gw, const struct packet *p);

/* Is this one of the gateway's addresses ([tun] gateway)? */
bool gateway_is_self(const struct gateway *gw, const struct sluice_addr *a);
/* Is this an address of our own TUN ([tun] address)? */
bool gateway_is_tun(const struct gateway *gw, const struct sluice_addr *a);
/* host-loopback: where a flow to dst really goes, and back again. */
void gateway_target(const struct gateway *gw, const struct sluice_addr *dst,
		    struct sluice_addr *real);
void gateway_untarget(const struct gateway *gw, struct sluice_addr *peer);

#endif
