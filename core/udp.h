/* SPDX-License-Identifier: MIT */
/* udp.h - UDP sessions: one unconnected socket for each source */
#ifndef CORE_UDP_H
#define CORE_UDP_H

#include "dgram.h"
#include "gateway.h"

extern const struct flow_type udp_type;

int udp_init(struct gateway *gw);
void udp_fini(struct gateway *gw);
/* Give back what was not needed since the last call. */
void udp_trim(struct gateway *gw);
/* A checked datagram from the TUN (also several, p->gso_size); buf is where
 * it lies, or NULL. */
void udp_up(struct gateway *gw, struct packet *p, struct tun_buf *buf);
/* A datagram to the app, from `from`: cut, summed, offloaded as it must be.
 * gso_size: payload is several datagrams of this size.  hop: its TTL and
 * class, NULL: as of a host one hop away. */
int udp_down(struct gateway *gw, const struct sluice_addr *from,
	     const struct sluice_addr *app, const struct iovec *v, int n,
	     uint16_t gso_size, const struct dgram_hop *hop, uint64_t flow_id);
/* End of the batch the TUN gave: send what waits. */
void udp_flush(struct gateway *gw);

#endif
