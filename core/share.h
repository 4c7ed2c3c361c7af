/* SPDX-License-Identifier: MIT */
/* share.h - who may begin a flow, and who makes room for it
 *
 * Each kind of flow (GATEWAY_LRU_*) has a number of places, of which a source,
 * an address of an app, has a share.  A flow is fresh until it was answered:
 * a TCP connection until the app acknowledged the SYN-ACK, a session until
 * something came back.  Fresh flows are what floods are made of, so they are
 * bounded by number and by rate, and go first.  share.c has the rules.
 */
#ifndef CORE_SHARE_H
#define CORE_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "util.h"

struct flow;
struct gateway;
struct share;
struct share_source;
struct sluice_addr;

struct share_place { /* of a flow */
	struct share_source *source;
	struct list mine; /* of its source's, longest idle first */
};

/* 0 or -ENOMEM. */
int share_init(struct gateway *gw);
void share_fini(struct gateway *gw); /* no flow is left */
/* Give back memory that was not needed lately. */
void share_trim(struct gateway *gw);

/* May src begin a flow to dst?  Others may be ended for it.  0: yes, and
 * share_take() follows, with what is in *paid; -EAGAIN: not now, say nothing;
 * -ENOBUFS: there is no place.  What is not 0 was counted. */
int share_ask(struct gateway *gw, int kind, uint8_t proto,
	      const struct sluice_addr *src, const struct sluice_addr *dst,
	      uint8_t *paid);
/* The flow has its place now: 0 or -ENOMEM. */
int share_take(struct flow *f, uint8_t paid);
void share_leave(struct flow *f);
/* Something moved: it is the last one to go now. */
void share_touch(struct flow *f);
/* The net answered.  Costs nothing but the first time. */
void share_answered(struct flow *f);

#endif
