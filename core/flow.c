/* SPDX-License-Identifier: MIT */
/* flow.c - one connection or session, whatever its protocol
 *
 *	NEW --open()--> OPEN                            (TAKE)
 *	 |  \--LATER/MORE--> WAIT --resolve()--> OPEN
 *	 |                    |                   |
 *	 +-------- DROP ------+--- end, abort ----+--> DEAD --end of turn--> gone
 *
 * A DEAD flow is in no table, so that no packet finds it; its memory stays
 * until the end of the turn, so that whoever has it in hand may finish.
 * close() is called then, once, for the plugin that held it.
 *
 * The idle timer is one for each flow and is not moved by packets: when it
 * fires it looks at when something moved last, and is set again for the rest.
 */
#include "flow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway.h"
#include "log.h"
#include "names.h"

#define FLOW_SNIFF_MS  1000 /* MORE without bytes */
#define FLOW_LRU_MS    1000 /* how exact "longest idle" is */
#define FLOW_STATE_MAX 4096 /* flow_size, see plugin.h */

int flow_kind(const struct flow_type *type)
{
	if (type->proto == PACKET_TCP)
		return GATEWAY_LRU_TCP;
	return type->proto == PACKET_UDP ? GATEWAY_LRU_UDP : GATEWAY_LRU_ICMP;
}

char *flow_text(const struct flow *f, char *buf)
{
	char app[ADDR_TEXT], dst[ADDR_TEXT];
	int n = snprintf(buf, FLOW_TEXT, "flow %llu %s > %s",
			 (unsigned long long)f->info.id,
			 addr_text(&f->info.app, app),
			 addr_text(&f->info.dst, dst));

	if (f->info.name)
		snprintf(buf + n, FLOW_TEXT - (size_t)n, " (%.*s)", FLOW_NAME,
			 f->info.name);
	return buf;
}

int flow_why(int err)
{
	switch (err < 0 ? -err : err) {
	case 0:
		return SLUICE_WHY_DONE;
	case ECONNREFUSED:
		return SLUICE_WHY_REFUSED;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case ENONET:
	case EADDRNOTAVAIL:
	case ENOPROTOOPT:
	case EPROTO:
	case EAFNOSUPPORT:
	case EINVAL:
		return SLUICE_WHY_UNREACH;
	case ETIMEDOUT:
		return SLUICE_WHY_TIMEOUT;
	case ECONNRESET:
	case EPIPE:
	case ECONNABORTED:
		return SLUICE_WHY_RESET;
	case EPERM:
	case EACCES:
	case ELOOP:
		return SLUICE_WHY_POLICY;
	default:
		return SLUICE_WHY_ERROR;
	}
}

/* ------------------------------------------------------------ observers */

static void observe(struct flow *f, uint8_t event)
{
	struct sluice_flow_event e = { .size = sizeof(e),
				       .event = event,
				       .why = f->why,
				       .info = &f->info,
				       .stats = &f->stats };
	struct chains *ch = &f->gw->chains;
	struct instance **at;

	if (!(ch->see & SLUICE_SEE_FLOWS))
		return;
	e.plugin = f->by;
	for (at = ch->of[CHAIN_OBSERVE]; *at; at++) {
		const struct sluice_observe_ops *o = &(*at)->plugin->observe;
		uint64_t t;

		if (!(o->flags & SLUICE_SEE_FLOWS))
			continue;
		t = chain_enter(*at);
		o->flow((*at)->self, &e);
		chain_leave(*at, t, "flow");
	}
}

/* --------------------------------------------------------------- timers */

static uint32_t idle_limit(const struct flow *f)
{
	return f->half && f->half_ms ? f->half_ms : f->idle_ms;
}

void flow_set_idle(struct flow *f)
{
	uint64_t quiet = f->gw->loop.now - f->stats.seen_ms;
	uint32_t limit = idle_limit(f);

	if (f->state != FLOW_OPEN)
		return;
	if (!limit)
		loop_timer_stop(&f->gw->loop, &f->idle);
	else
		loop_timer(&f->gw->loop, &f->idle,
			   quiet < limit ? limit - quiet : 0);
}

static bool holder_keeps(struct flow *f)
{
	struct instance *in = f->holder;
	uint64_t t;
	int verdict;

	if (!in || f->relayed)
		return false;
	t = chain_enter(in);
	verdict = in->plugin->flow.idle(in->self, &f->pub);
	chain_leave(in, t, "idle");
	return verdict == SLUICE_TAKE;
}

static void never_resolved(const struct flow *f)
{
	char text[FLOW_TEXT];

	if (f->holder && !f->dial)
		log_limited(LOG_LEVEL_WARN,
			    "%s: plugin %s answered LATER and did not decide "
			    "in time",
			    flow_text(f, text), f->holder->name);
}

static void on_idle(struct timer *t)
{
	struct flow *f = container_of(t, struct flow, idle);
	uint64_t quiet = f->gw->loop.now - f->stats.seen_ms;

	if (f->state == FLOW_WAIT) {
		if (f->more) {
			flow_open_again(f);
		} else {
			never_resolved(f);
			flow_refuse(f, SLUICE_WHY_TIMEOUT, NULL);
		}
		return;
	}
	if (quiet >= idle_limit(f)) {
		if (!holder_keeps(f)) {
			flow_refuse(f, SLUICE_WHY_IDLE, NULL);
			return;
		}
		f->stats.seen_ms = f->gw->loop.now;
	}
	flow_set_idle(f);
}

void flow_touch(struct flow *f)
{
	uint64_t now = f->gw->loop.now;

	f->stats.seen_ms = now;
	if (f->state == FLOW_DEAD)
		return;
	if (unlikely(!f->answered) && f->stats.down_pkts)
		share_answered(f);
	if ((uint32_t)now - f->lru_ms < FLOW_LRU_MS)
		return;
	f->lru_ms = (uint32_t)now;
	share_touch(f);
}

void flow_half(struct flow *f)
{
	f->half = true;
	flow_touch(f);
	flow_set_idle(f);
}

/* ---------------------------------------------------------- life time */

static void count_open(struct flow *f, int add)
{
	struct stats *st = &f->gw->stats;
	enum stats_id id = STATS_icmp_open;

	if (f->type->proto == PACKET_TCP)
		id = STATS_tcp_open;
	else if (f->type->proto == PACKET_UDP)
		id = STATS_udp_open;
	st->v[id] += (uint64_t)(int64_t)add;
	if (add > 0)
		st->v[id == STATS_tcp_open ? STATS_tcp_opened :
		      id == STATS_udp_open ? STATS_udp_opened :
					     STATS_icmp_opened]++;
}

static void close_plugin(struct flow *f)
{
	struct instance *in = f->holder;
	uint64_t t;

	if (!in)
		return;
	t = chain_enter(in);
	in->plugin->flow.close(in->self, &f->pub, f->why);
	chain_leave(in, t, "close");
}

/* End of the turn: nobody has the flow in hand any more. */
static void on_end(struct loop_work *w)
{
	struct flow *f = container_of(w, struct flow, end);
	struct gateway *gw = f->gw;

	close_plugin(f);
	if (f->told)
		observe(f, SLUICE_EVENT_CLOSE);
	if (f->relay_fd >= 0)
		close(f->relay_fd);
	f->type->destroy(f);
	count_open(f, -1);
	stats_add(&gw->stats, flow_up_bytes, f->stats.up_bytes);
	stats_add(&gw->stats, flow_down_bytes, f->stats.down_bytes);
	free(f->plug);
	names_put(f->info.name);
	pool_put(&gw->flow_pool[flow_kind(f->type)], f);
}

static void set_info(struct flow *f, const struct sluice_addr *src,
		     const struct sluice_addr *dst)
{
	uint64_t now = f->gw->loop.now;

	f->info = (struct sluice_flow_info){ .size = sizeof(f->info),
					     .proto = f->type->proto,
					     .mtu = (uint16_t)MIN(
						     f->gw->set.mtu, 65535u),
					     .id = ++f->gw->next_id,
					     .app = *src,
					     .dst = *dst,
					     .uid = -1 };
	f->stats = (struct sluice_flow_stats){ .size = sizeof(f->stats),
					       .born_ms = now,
					       .seen_ms = now };
}

static void log_full(const struct gateway *gw, int kind)
{
	log_limited(LOG_LEVEL_WARN,
		    "no room for another flow (%u): see gateway.max-flows, "
		    "gateway.source-share and the descriptor limit",
		    gw->flow_limit[kind]);
}

int flow_new(struct gateway *gw, const struct flow_type *type,
	     const struct sluice_addr *src, const struct sluice_addr *dst,
	     bool by_source, struct flow **out)
{
	int kind = flow_kind(type), err;
	uint8_t paid;
	struct flow *f;

	if (gw->stopping) /* plugins have been told that none comes */
		return -ESHUTDOWN;
	err = share_ask(gw, kind, type->proto, src, dst, &paid);
	if (err == -ENOBUFS)
		log_full(gw, kind);
	if (err)
		return err;
	f = pool_get(&gw->flow_pool[kind]);
	if (!f) {
		stats_inc(&gw->stats, drop_limit);
		return -ENOMEM;
	}
	memset(f, 0, type->size);
	f->pub.api = type->api;
	f->type = type;
	f->gw = gw;
	f->relay_fd = -1;
	f->lru_ms = (uint32_t)gw->loop.now;
	set_info(f, src, dst);
	flow_key_set(&f->key, type->proto, src, by_source ? NULL : dst);
	timer_init(&f->idle, on_idle);
	err = flowtab_add(&gw->flows, f);
	if (!err) {
		err = share_take(f, paid);
		if (err)
			flowtab_del(&gw->flows, f);
	}
	if (err) {
		pool_put(&gw->flow_pool[kind], f);
		stats_inc(&gw->stats, drop_limit);
		return err;
	}
	flowtab_id_add(&gw->flows, f);
	f->info.name = names_get(gw->names, dst, gw->loop.now);
	count_open(f, 1);
	*out = f;
	return 0;
}

void flow_end(struct flow *f, int why)
{
	char text[FLOW_TEXT];

	if (f->state == FLOW_DEAD)
		return;
	log_debug("%s: ended (%d), %llu up, %llu down", flow_text(f, text), why,
		  (unsigned long long)f->stats.up_bytes,
		  (unsigned long long)f->stats.down_bytes);
	f->state = FLOW_DEAD;
	f->why = (uint8_t)why;
	dial_cancel(f->dial);
	f->dial = NULL;
	flowtab_del(&f->gw->flows, f);
	flowtab_id_del(&f->gw->flows, f);
	share_leave(f);
	loop_timer_stop(&f->gw->loop, &f->idle);
	loop_work_init(&f->end, on_end);
	loop_end(&f->gw->loop, &f->end);
}

void flow_refuse(struct flow *f, int why, const struct dial_error *e)
{
	if (f->state == FLOW_DEAD)
		return;
	f->type->refuse(f, why, e);
	flow_end(f, why);
}

void flow_each(struct gateway *gw, void (*fn)(void *arg, struct flow *f),
	       void *arg)
{
	struct list *pos, *tmp;

	for (int i = 0; i < GATEWAY_LRUS; i++) {
		list_for_each_safe(pos, tmp, &gw->fresh[i])
			fn(arg, container_of(pos, struct flow, lru));
		list_for_each_safe(pos, tmp, &gw->lru[i])
			fn(arg, container_of(pos, struct flow, lru));
	}
}

struct flow *flow_by_id(struct gateway *gw, uint64_t id)
{
	return flowtab_by_id(&gw->flows, id);
}

/* ------------------------------------------------------------ the chain */

void flow_accept(struct flow *f)
{
	f->state = FLOW_OPEN;
	f->more = false;
	f->type->accept(f);
	if (f->state == FLOW_OPEN)
		flow_set_idle(f);
}

void flow_hold(struct flow *f, uint32_t ms)
{
	f->state = FLOW_WAIT;
	loop_timer(&f->gw->loop, &f->idle, ms);
}

/* The plugin is out: its state bytes go, and with them its right to close(). */
void flow_let_go(struct flow *f)
{
	f->holder = NULL;
	f->more = false;
	free(f->plug);
	f->plug = NULL;
	if (f->relay_fd >= 0) {
		close(f->relay_fd);
		f->relay_fd = -1;
	}
	dial_cancel(f->dial);
	f->dial = NULL;
}

static int ask(struct flow *f, struct instance *in)
{
	const struct sluice_flow_ops *ops = &in->plugin->flow;
	uint64_t t;
	int verdict;

	if (!f->plug && ops->flow_size) {
		f->plug = calloc(1, MIN(ops->flow_size, FLOW_STATE_MAX));
		if (!f->plug)
			return -ENOMEM;
	}
	f->holder = in;
	f->by = in->name;
	f->asking = true;
	t = chain_enter(in);
	verdict = ops->open(in->self, &f->pub);
	chain_leave(in, t, "open");
	f->asking = false;
	if (verdict < 0)
		chain_failed(in, "open", verdict);
	return verdict;
}

void flow_taken(struct flow *f)
{
	int fd = f->relay_fd;

	f->relay_fd = -1;
	flow_accept(f);
	if (fd < 0)
		return;
	if (f->state != FLOW_OPEN) {
		close(fd);
		return;
	}
	f->relayed = true;
	if (f->type->relay(f, fd) < 0)
		flow_refuse(f, SLUICE_WHY_ERROR, NULL);
}

/* What an open() answered.  True: ask the next plugin. */
static bool decided(struct flow *f, struct instance *in, int verdict)
{
	bool dead = f->state == FLOW_DEAD;

	switch (verdict) {
	case SLUICE_PASS:
		flow_let_go(f);
		return !dead;
	case SLUICE_TAKE:
		if (!dead)
			flow_taken(f);
		return false;
	case SLUICE_LATER:
		if (!dead && f->state != FLOW_OPEN) /* accepted early */
			flow_hold(f, f->dial ? MAX(f->how.timeout_ms,
						   FLOW_WAIT_MS) +
						       1000u :
					       FLOW_WAIT_MS);
		return false;
	case SLUICE_MORE:
		if (dead)
			return false;
		f->more = true;
		flow_hold(f, FLOW_SNIFF_MS);
		if (!f->type->more || f->type->more(f) < 0)
			flow_refuse(f, SLUICE_WHY_ERROR, NULL);
		return false;
	case SLUICE_DROP:
		flow_let_go(f);
		flow_refuse(f, SLUICE_WHY_POLICY, NULL);
		return false;
	default:
		if (verdict > 0)
			chain_failed(in, "open: unknown answer", -EINVAL);
		flow_let_go(f);
		flow_refuse(f,
			    verdict < 0 ? flow_why(verdict) : SLUICE_WHY_ERROR,
			    NULL);
		return false;
	}
}

void flow_open(struct flow *f)
{
	struct instance **chain = f->gw->chains.of[f->type->chain];
	struct instance *in;

	if (!f->told) {
		f->told = true;
		observe(f, SLUICE_EVENT_OPEN);
	}
	for (; (in = chain[f->chain_at]); f->chain_at++) {
		if (!(in->plugin->flow.flags & f->type->wants))
			continue;
		if (!decided(f, in, ask(f, in)))
			return;
	}
	if (!f->type->wants) /* no plugin decides about such flows */
		flow_accept(f);
	else
		flow_refuse(f, SLUICE_WHY_UNREACH, NULL);
}

void flow_open_again(struct flow *f)
{
	if (f->state != FLOW_WAIT || !f->more)
		return;
	f->more = false;
	flow_open(f);
}

/* ------------------------------------------------ calls into the holder */

void flow_readable(struct flow *f)
{
	struct instance *in = f->holder;
	uint64_t t;

	if (!in || f->relayed || f->state != FLOW_OPEN)
		return;
	t = chain_enter(in);
	in->plugin->flow.readable(in->self, &f->pub);
	chain_leave(in, t, "readable");
}

void flow_writable(struct flow *f)
{
	struct instance *in = f->holder;
	uint64_t t;

	if (!in || f->relayed || f->state != FLOW_OPEN)
		return;
	t = chain_enter(in);
	in->plugin->flow.writable(in->self, &f->pub);
	chain_leave(in, t, "writable");
}

void flow_eof(struct flow *f)
{
	struct instance *in = f->holder;
	uint64_t t;

	if (!in || f->relayed || f->state != FLOW_OPEN)
		return;
	t = chain_enter(in);
	in->plugin->flow.eof(in->self, &f->pub);
	chain_leave(in, t, "eof");
}
