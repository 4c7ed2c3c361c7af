/* SPDX-License-Identifier: MIT */
/* dns.h - port 53, UDP and TCP, to any address, through the dns chain
 *
 *	question --chain--> answered ------------------> reply chain --> app
 *	             |  \---LATER--> waiting --resolve()---^
 *	             |                  \---- timeout: SERVFAIL
 *	             \---PASS at the end--> forward to the server asked
 *
 * Nothing waits inside the packet reader: a silent upstream delays nobody
 * else.
 */
#ifndef CORE_DNS_H
#define CORE_DNS_H

#include "gateway.h"

/* Makes gw->dns and serves TCP 53; the chains must be built.  0 or -errno. */
int dns_init(struct gateway *gw);
/* After the flows are gone and chain_destroy() (a plugin may resolve what it
 * holds until then), before dial_fini(). */
void dns_fini(struct gateway *gw);
/* A datagram to port 53.  False: not taken (the dns chain is empty), it goes
 * the way of any UDP. */
bool dns_up(struct gateway *gw, const struct packet *p);
/* Give back memory nobody uses. */
void dns_trim(struct gateway *gw);

#endif
