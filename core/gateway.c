/* SPDX-License-Identifier: MIT */
/* gateway.c - one worker: everything there is one of
 *
 *	load   the configuration becomes settings and chains; nothing runs
 *	open   plugins are created, the TUN is opened and set up
 *	run    packets, until gateway_stop()
 *	close  flows are ended (the apps get a RST), plugins stopped and
 *	       destroyed, sockets and the TUN closed
 *	fini   the configuration goes
 *
 * What was opened is closed in the other order, also when open fails half
 * way.  Protect plugins go after the last socket.
 */
#include "gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dns.h"
#include "icmp.h"
#include "log.h"
#include "merge.h"
#include "netsetup.h"
#include "tcp.h"
#include "udp.h"

#define GATEWAY_RESERVE     32 /* descriptors for logs, control, plugins */
#define GATEWAY_DNS_PART    8  /* and an eighth of all for DNS */
#define GATEWAY_LEAST       16 /* flows of a kind, whatever the limits */
#define GATEWAY_TICK_MS     1000
#define GATEWAY_TRIM_TICKS  10
#define GATEWAY_GRACE_TURNS 4 /* for RSTs and closes at the end */

#define GATEWAY_MTU_LEAST 576 /* RFC 791 */

int gateway_load(struct gateway *gw)
{
	const char *const *names[CHAIN_CLASSES];
	int wrong = settings_load(&gw->set, &gw->conf), err;

	for (int i = 0; i < CHAIN_CLASSES; i++)
		names[i] = gw->set.chain.of[i];
	/* Also where something is wrong already: all mistakes in one go. */
	err = chain_build(&gw->chains, gw, &gw->registry, &gw->conf, names);
	return wrong ? wrong : err;
}

/* Every flow has a socket, so the descriptor limit is what bounds them, in
 * shares, that no kind starves the others. */
static void set_limits(struct gateway *gw)
{
	struct rlimit r = { .rlim_cur = 1024 };
	uint64_t total;

	getrlimit(RLIMIT_NOFILE, &r);
	total = r.rlim_cur - r.rlim_cur / GATEWAY_DNS_PART;
	total -= MIN(total, GATEWAY_RESERVE);
	if (gw->set.gateway.max_flows &&
	    (uint64_t)gw->set.gateway.max_flows < total)
		total = (uint64_t)gw->set.gateway.max_flows;
	total = MIN(total, 1u << 24);
	gw->flow_limit[GATEWAY_LRU_TCP] =
		(uint32_t)MAX(total * 5 / 8, GATEWAY_LEAST);
	gw->flow_limit[GATEWAY_LRU_UDP] =
		(uint32_t)MAX(total * 5 / 16, GATEWAY_LEAST);
	gw->flow_limit[GATEWAY_LRU_ICMP] =
		(uint32_t)MAX(total / 16, GATEWAY_LEAST);
}

/* Fragment reassembly time exceeded (RFC 792, RFC 4443 3.3). */
static void on_late(void *gw, const uint8_t *ip, size_t len)
{
	gateway_icmp_error(gw, NULL, ip, len, ip[0] >> 4 == 4 ? 11 : 3, 1, 0);
}

static int init_flows(struct gateway *gw)
{
	const struct flow_type *type[GATEWAY_LRUS] = { &tcp_type, &udp_type,
						       &icmp_type };
	int err;

	set_limits(gw);
	for (int i = 0; i < GATEWAY_LRUS; i++) {
		list_init(&gw->lru[i]);
		list_init(&gw->fresh[i]);
		pool_init(&gw->flow_pool[i], "flow", type[i]->size, 0, 0);
	}
	gw->frag = frag_new();
	if (!gw->frag)
		return -ENOMEM;
	frag_on_late(gw->frag, on_late, gw);
	err = flowtab_init(&gw->flows);
	if (err < 0)
		return err;
	err = share_init(gw);
	if (err < 0)
		flowtab_fini(&gw->flows);
	return err;
}

/* ----------------------------------------------------------- each second */

static void observe_tick(struct gateway *gw)
{
	struct instance **at;
	uint64_t t;

	if (!(gw->chains.see & SLUICE_SEE_TICK))
		return;
	for (at = gw->chains.of[CHAIN_OBSERVE]; *at; at++) {
		if (!((*at)->plugin->observe.flags & SLUICE_SEE_TICK))
			continue;
		t = chain_enter(*at);
		(*at)->plugin->observe.tick((*at)->self, gw->loop.now);
		chain_leave(*at, t, "tick");
	}
}

static void trim(struct gateway *gw)
{
	for (int i = 0; i < GATEWAY_LRUS; i++)
		pool_trim(&gw->flow_pool[i]);
	share_trim(gw);
	tun_trim(&gw->tun);
	tcp_trim(gw);
	udp_trim(gw);
	dns_trim(gw);
	pool_malloc_trim();
}

static void on_tick(struct timer *t)
{
	struct gateway *gw = container_of(t, struct gateway, tick);
	unsigned late = frag_sweep(gw->frag, gw->loop.now);

	stats_add(&gw->stats, drop_frag, late);
	observe_tick(gw);
	if (++gw->ticks % GATEWAY_TRIM_TICKS == 0)
		trim(gw);
	loop_timer(&gw->loop, &gw->tick, GATEWAY_TICK_MS);
}

static void on_flush(struct loop_work *w)
{
	struct gateway *gw = container_of(w, struct gateway, flush);

	merge_flush(gw);
	tcp_flush(gw);
	udp_flush(gw);
}

/* ------------------------------------------------------------ open, close */

static void on_ended(struct tun *t, int err)
{
	struct gateway *gw = t->owner;

	log_error("the TUN device is gone: %s",
		  err ? strerror(-err) : "end of file");
	gw->exit_err = err ? err : -ENODEV;
	loop_stop(&gw->loop);
}

/* Connections that are made from now on, and datagrams, fit the new MTU. */
static void set_mtu(struct gateway *gw)
{
	struct tun *t = &gw->tun;

	gw->set.mtu = MAX(t->link_mtu, GATEWAY_MTU_LEAST);
	tun_set_mtu(t, gw->set.mtu);
	log_info("the MTU of %s is %u now", t->name, t->link_mtu);
}

static void on_changed(struct tun *t, enum tun_change what)
{
	struct gateway *gw = t->owner;

	switch (what) {
	case TUN_MTU:
		set_mtu(gw);
		break;
	case TUN_NAME:
		log_info("the device is called %s now", t->name);
		break;
	case TUN_MOVED:
	case TUN_LOST:
		gw->tun_here = t->netns < 0;
		log_warn("device %s is in another network namespace now: it "
			 "has no addresses and routes there until they are "
			 "set again%s",
			 t->name,
			 what == TUN_LOST ? ", and a new MTU will not be known "
					    "here" :
					    "");
		break;
	}
}

static int open_tun(struct gateway *gw, char *text, size_t text_len)
{
	const struct set_tun *set = &gw->set.tun;
	struct tun_config c = { .name = set->name,
				.fd = (int)set->fd,
				.mtu = gw->set.mtu,
				.offload = (int)set->offload };
	int err, back = -1;

	if (set->netns && *set->netns)
		c.netns = set->netns;
	if (gw->has_ops)
		c.ops = &gw->ops;
	err = tun_open(&gw->tun, &gw->loop, &gw->stats, &c, text, text_len);
	if (err < 0)
		return err;
	gw->tun.packet = gateway_packet;
	gw->tun.ended = on_ended;
	gw->tun.changed = on_changed;
	gw->tun.owner = gw;
	gw->tun_here = gw->tun.netns < 0 && !gw->has_ops;
	if (gw->has_ops || c.fd >= 0)
		return 0; /* who gave it has set it up */
	if (gw->tun.netns >= 0) {
		back = netsetup_enter(gw->tun.netns);
		if (back < 0)
			return back;
	}
	err = netsetup_up(gw->tun.name, &gw->set, text, text_len);
	if (back >= 0)
		netsetup_leave(back);
	return err;
}

static int open_parts(struct gateway *gw, char *text, size_t text_len)
{
	int err = init_flows(gw);

	if (err < 0)
		return err;
	dial_init(gw);
	gw->parts = true;
	err = tcp_init(gw);
	if (!err)
		err = udp_init(gw);
	if (!err)
		err = icmp_init(gw);
	if (!err)
		err = dns_init(gw);
	if (err < 0) {
		snprintf(text, text_len, "start: %s", strerror(-err));
		return err;
	}
	err = chain_create(&gw->chains);
	if (err < 0) {
		gw->misconfigured = true;
		*text = '\0'; /* each has said why */
		return err;
	}
	return open_tun(gw, text, text_len);
}

int gateway_open(struct gateway *gw, char *text, size_t text_len)
{
	int err;

	snprintf(text, text_len,
		 "start: no memory or descriptors: raise "
		 "the limits (ulimit -v, -n)");
	err = loop_init(&gw->loop);
	if (err < 0)
		return err;
	gw->tun.fd = gw->tun.netns = -1;
	loop_work_init(&gw->flush, on_flush);
	timer_init(&gw->tick, on_tick);
	err = open_parts(gw, text, text_len);
	if (!err) {
		*text = '\0'; /* a plugin that fails has said why */
		err = chain_start(&gw->chains);
	}
	if (!err) {
		err = tun_start(&gw->tun);
		snprintf(text, text_len, "start: watch the device: %s",
			 strerror(-err));
	}
	if (err < 0) {
		gateway_close(gw);
		return err;
	}
	loop_timer(&gw->loop, &gw->tick, GATEWAY_TICK_MS);
	*text = '\0';
	return 0;
}

int gateway_run(struct gateway *gw)
{
	int err = loop_run(&gw->loop);

	return err < 0 ? err : gw->exit_err;
}

void gateway_stop(struct gateway *gw)
{
	loop_stop(&gw->loop);
}

static void end_flow(void *arg, struct flow *f)
{
	(void)arg;
	flow_refuse(f, SLUICE_WHY_STOP, NULL);
}

void gateway_close(struct gateway *gw)
{
	gw->stopping = true;
	if (gw->parts) {
		chain_stop(&gw->chains);
		flow_each(gw, end_flow, NULL);
		for (int i = 0; i < GATEWAY_GRACE_TURNS; i++)
			loop_turn(&gw->loop, 0);
	}
	chain_destroy(&gw->chains);
	if (gw->parts) {
		dns_fini(gw);
		icmp_fini(gw);
		udp_fini(gw);
		tcp_fini(gw);
		dial_fini(gw);
		for (int i = 0; i < GATEWAY_LRUS; i++)
			pool_fini(&gw->flow_pool[i]);
		share_fini(gw);
		flowtab_fini(&gw->flows);
	}
	gw->parts = false;
	frag_free(gw->frag);
	gw->frag = NULL;
	tun_close(&gw->tun);
	loop_timer_stop(&gw->loop, &gw->tick);
	loop_fini(&gw->loop);
}

void gateway_fini(struct gateway *gw)
{
	chain_fini(&gw->chains);
	settings_fini(&gw->set);
	conf_fini(&gw->conf);
	registry_fini(&gw->registry);
}
