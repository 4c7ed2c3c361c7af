/* SPDX-License-Identifier: MIT */
/* upstream.h - what the files of dns-upstream share
 *
 *	dns-upstream.c	the plugin: options, queries, life
 *	group.c		which servers a name is asked of
 *	servers.c	the servers of a group, and which to ask next
 *	url.c stamp.c	a server as one writes it down
 *	ask.c		a question: whom to ask, for how long, who waits
 *	reply.c		what those get: answers, stale ones, failures
 *	cache.c		answers kept
 *	udp.c		sockets of plain servers
 *	stream.c	connections: TCP, TLS, HTTPS; frame.c, secure.c
 *	try.c		one question on its way to one server
 *	lookup.c	where servers with a name are
 *	network.c	another network
 *	msg.c		DNS messages
 *	question.c	what makes two queries the same
 */
#ifndef UPSTREAM_H
#define UPSTREAM_H

#include <sluice/plugin.h>

#include "cache.h"
#include "group.h"
#include "secure.h"
#include "servers.h"
#include "try.h"

#define TICK_MS    100
#define BATCH      64   /* datagrams read at a time */
#define BATCH_ROOM 2048 /* for each: we ask for no more than MSG_EDNS */

struct options {
	const char *const *server, *const *route, *const *bootstrap;
	int64_t mode;
	int64_t timeout, try_timeout, idle_timeout;
	int64_t cache_size, cache_min_ttl, cache_max_ttl;
	int64_t cache_negative_ttl, cache_failure_ttl;
	int64_t serve_stale, prefetch, ecs;
	const char *ca_file;
	const char *client_host, *client_address, *client_mac;
};

#define MODE_RACE 1 /* of failover, race */
#define ECS_PASS  1 /* of strip, pass */

TAILQ_HEAD(ask_list, ask);
TAILQ_HEAD(udp_list, udp);
TAILQ_HEAD(stream_all, stream);

struct upstream {
	struct sluice_ctx *ctx;
	const struct options *options;
	struct groups groups;
	struct cache cache;
	uint64_t key[2];    /* of hashes */
	struct ask **table; /* those that others may join */
	size_t mask, asks_n, prefetches;
	struct ask_list asks;  /* oldest first */
	struct ask_list stale; /* the same, for whom an old answer is there */
	struct ask *free;
	uint32_t free_n;
	struct try_list tries; /* oldest first */
	struct udp_list udps;
	struct stream_all streams;
	const struct secure_ops *secure; /* NULL: no server needs it */
	void *secure_ctx;
	struct sluice_timer *timer, *settle;
	int network;    /* netlink, or -1 */
	uint32_t epoch; /* of the network */
	uint64_t timer_ms;
	uint16_t random[128]; /* not given out yet */
	uint32_t random_n;
	bool stopping;
	uint8_t batch[BATCH][BATCH_ROOM];    /* being read, by UDP */
	_Alignas(8) uint8_t in[MSG_MAX + 1]; /* from a connection */
	uint8_t out[MSG_MAX + 3];            /* being sent, or said */
	uint8_t kept[MSG_MAX + 1];           /* from the cache, being said */
};

/* network.c: begin and end to look at what becomes of the network. */
void network_start(struct upstream *up);
void network_stop(struct upstream *up);

/* Have the tick come within ms. */
void upstream_tick_in(struct upstream *up, uint32_t ms);

#endif
