/* SPDX-License-Identifier: MIT */
/* icmp.h - echo: answered for the gateway address, forwarded elsewhere */
#ifndef CORE_ICMP_H
#define CORE_ICMP_H

#include "gateway.h"

extern const struct flow_type icmp_type, icmp6_type;

int icmp_init(struct gateway *gw);
void icmp_fini(struct gateway *gw);
void icmp_up(struct gateway *gw, struct packet *p);

#endif
