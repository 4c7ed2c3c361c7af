/* SPDX-License-Identifier: MIT */
/* tcp.h - TCP flows: the app's side in lwIP, the net's in a socket */
#ifndef CORE_TCP_H
#define CORE_TCP_H

#include "gateway.h"

extern const struct flow_type tcp_type;

int tcp_init(struct gateway *gw);
void tcp_fini(struct gateway *gw);
/* A checked segment from the TUN; buf is where it lies (NULL: elsewhere, and
 * then it is copied if it must be kept). */
void tcp_up(struct gateway *gw, struct packet *p, struct tun_buf *buf);
/* End of the turn: send what came, acknowledge, tell plugins. */
void tcp_flush(struct gateway *gw);
/* Give back buffers nobody uses. */
void tcp_trim(struct gateway *gw);

/* A connection that is answered here (DNS over TCP): serve it with a table
 * of the plugin's kind instead of asking the chain.  s stays the caller's. */
struct tcp_service {
	const struct sluice_flow_ops *ops;
	void *self;
};
void tcp_serve(struct gateway *gw, uint16_t port, const struct tcp_service *s);

#endif
