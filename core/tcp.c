/* SPDX-License-Identifier: MIT */
/* tcp.c - TCP flows: the app's side in lwIP, the net's in a socket
 *
 *	SYN -> held --chain, dial--> answered -> open -> both FINs -> gone
 *	         \-- refused: RST, ICMP              \-- reset
 *
 * The SYN waits here, as it came, until the chain and the dial have decided;
 * lwIP never sees it.  So a closed port is refused and not "connected, then
 * closed", and an unreachable network is unreachable.
 *
 * What a segment brings is not acted upon at once: the flow is marked, and at
 * the end of the turn (tcp_flush()) it sends in one piece what came in many
 * packets, acknowledges once, and tells its plugin once.
 *
 * The acknowledgement of a few bytes waits a moment for the answer to them, to
 * go out with it: most of what is small is a question.
 */
#include "tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "tcp_flow.h"

#define TCP_HELD_MAX   140  /* a SYN: 60 + 60 bytes and some extensions */
#define TCP_DIALS_FREE 256  /* waiting at once, whomever they are for */
#define TCP_DIALS_EACH 32   /* beyond that: for one destination */
#define TCP_TARGETS    1024 /* destinations told apart, by hash */
#define TCP_SEND_AT    (64u << 10) /* do not wait for the end of the turn */
#define TCP_SERVICES   4
#define TCP_OWED_MS    40      /* as kernels do; less has costly timers */
#define TCP_AT_ONCE    16      /* no answer in time: so many do not wait */
#define TCP_TTL_LOW    32      /* less was asked for on purpose: traceroute */
#define TCP_TOS_DSCP   0xfc    /* ECN is between the app and us */
#define TCP_IDLE_MS    7440000 /* RFC 5382, REQ-5 */
#define TCP_HALF_MS    240000  /* the same, transitory */

struct service {
	uint16_t port;
	const struct tcp_service *s;
};

static struct {
	struct list dirty;
	struct list owed;
	struct timer owed_timer;
	struct pool held;
	struct service service[TCP_SERVICES];
	int services;
	unsigned waiting; /* flows whose SYN is held */
	uint16_t waiting_for[TCP_TARGETS];
} t;

void tcp_mark(struct tcp_flow *tf)
{
	if (tf->flow.state == FLOW_DEAD)
		return;
	if (!list_empty(&tf->dirty) && !tf->owing)
		return;
	tf->owing = false;
	list_move_tail(&t.dirty, &tf->dirty);
	loop_end(&tf->flow.gw->loop, &tf->flow.gw->flush);
}

/* ------------------------------------------------------- the held SYN */

/* Data on a SYN comes again: the headers say that there is none. */
static void without_data(uint8_t *ip, uint32_t len)
{
	uint16_t sum;

	if (ip[0] >> 4 == 6) {
		put_be16(ip + 4, (uint16_t)(len - 40));
		return;
	}
	put_be16(ip + 2, (uint16_t)len);
	put_be16(ip + 10, 0);
	sum = csum_fold(csum_add(0, ip, (ip[0] & 15) * 4u));
	memcpy(ip + 10, &sum, sizeof(sum));
}

static uint16_t target_of(const struct gateway *gw, const struct packet *p)
{
	return (uint16_t)(util_siphash(gw->flows.secret, p->dst.ip,
				       sizeof(p->dst.ip)) %
			  TCP_TARGETS);
}

/* A dead destination must not take all the places where dials wait. */
static bool may_wait(const struct gateway *gw, const struct packet *p)
{
	return t.waiting < TCP_DIALS_FREE ||
	       t.waiting_for[target_of(gw, p)] < TCP_DIALS_EACH;
}

static int hold_syn(struct tcp_flow *tf, const struct packet *p)
{
	uint32_t len = p->len;

	if (len > TCP_HELD_MAX)
		len = (uint32_t)(p->data - p->ip);
	if (len > TCP_HELD_MAX)
		return -EMSGSIZE;
	tf->held = pool_get(&t.held);
	if (!tf->held)
		return -ENOMEM;
	memcpy(tf->held, p->ip, len);
	if (len < p->len)
		without_data(tf->held, len);
	tf->held_len = len;
	tf->target = target_of(tf->flow.gw, p);
	t.waiting++;
	t.waiting_for[tf->target]++;
	return 0;
}

static void drop_syn(struct tcp_flow *tf)
{
	pool_put(&t.held, tf->held);
	tf->held = NULL;
	t.waiting--;
	t.waiting_for[tf->target]--;
}

/* The held packet, read again; its checksum was of more, perhaps. */
static bool read_syn(const struct tcp_flow *tf, struct packet *p)
{
	return tf->held && packet_parse(p, tf->held, tf->held_len,
					PACKET_SUMMED) == PACKET_OK;
}

/* ------------------------------------------------------ verdicts carried */

static void tcp_accept(struct flow *f)
{
	struct tcp_flow *tf = tcp_flow_of(f);
	struct packet syn;

	if (!tf->held)
		return; /* answered early, or for MORE */
	if (!f->idle_ms)
		f->idle_ms = TCP_IDLE_MS;
	if (!f->half_ms)
		f->half_ms = TCP_HALF_MS;
	tf->conn.flow_id = f->info.id;
	if (!read_syn(tf, &syn) || stack_accept(&tf->conn, &syn) < 0) {
		flow_refuse(f, SLUICE_WHY_ERROR, NULL);
		return;
	}
	stats_inc(&f->gw->stats, tcp_accepted);
	drop_syn(tf);
}

/* A plugin that has seen what came waits for more of it; one that is asked
 * after others sees at once what these waited for. */
static int tcp_more(struct flow *f)
{
	struct tcp_flow *tf = tcp_flow_of(f);

	if (tf->more_for == f->holder)
		return tf->conn.fin_seen ? -EPIPE : 0;
	tf->more_for = f->holder;
	tcp_accept(f);
	tf->news = tf->conn.up_bytes;
	tcp_mark(tf);
	return f->state == FLOW_DEAD ? -ENOMEM : 0;
}

/* Tell the app, from its held SYN, why there is no connection. */
static void refuse_syn(struct tcp_flow *tf, int why, const struct dial_error *e)
{
	struct gateway *gw = tf->flow.gw;
	uint8_t type, code;
	struct packet syn;

	stats_inc(&gw->stats, tcp_refused);
	if (!read_syn(tf, &syn))
		return;
	if (e && e->family == (syn.version == 4 ? 4 : 6) &&
	    why != SLUICE_WHY_REFUSED) {
		gateway_icmp_error(gw, &e->from, syn.ip, syn.len, e->type,
				   e->code, e->extra);
		return;
	}
	if (why != SLUICE_WHY_UNREACH && why != SLUICE_WHY_POLICY) {
		gateway_rst(gw, &syn);
		return;
	}
	if (why == SLUICE_WHY_POLICY && gw->set.gateway.refuse == 1)
		return; /* gateway.refuse = drop */
	gateway_icmp_why(syn.version, why, e ? e->err : 0, &type, &code);
	gateway_icmp_error(gw, NULL, syn.ip, syn.len, type, code, 0);
}

static void tcp_refuse(struct flow *f, int why, const struct dial_error *e)
{
	struct tcp_flow *tf = tcp_flow_of(f);

	if (tf->held)
		refuse_syn(tf, why, e);
	else if (tf->conn.pcb)
		stack_reset(&tf->conn);
	relay_close(tf, true);
}

static int tcp_relay(struct flow *f, int fd)
{
	/* A plugin that has closed the way down has nothing to relay to. */
	if (tcp_flow_of(f)->conn.fin_sent) {
		close(fd);
		return -EPIPE;
	}
	return relay_start(tcp_flow_of(f), fd);
}

static void tcp_destroy(struct flow *f)
{
	struct tcp_flow *tf = tcp_flow_of(f);

	if (tf->service && tf->service->ops->close)
		tf->service->ops->close(tf->service->self, &f->pub, f->why);
	relay_close(tf, f->why != SLUICE_WHY_DONE);
	stack_drop(&tf->conn);
	tcp_data_free(tf);
	if (tf->held)
		drop_syn(tf);
	list_del(&tf->dirty);
}

const struct flow_type tcp_type = {
	.proto = PACKET_TCP,
	.chain = CHAIN_TCP,
	.wants = SLUICE_FLOW_TCP,
	.size = sizeof(struct tcp_flow),
	.accept = tcp_accept,
	.more = tcp_more,
	.refuse = tcp_refuse,
	.relay = tcp_relay,
	.destroy = tcp_destroy,
	.api = &tcp_api,
};

/* --------------------------------------------------- what lwIP tells us */

static struct tcp_flow *of_conn(struct stack_conn *c)
{
	return container_of(c, struct tcp_flow, conn);
}

static void on_opened(struct stack_conn *c)
{
	struct tcp_flow *tf = of_conn(c);

	share_answered(&tf->flow);
	flow_touch(&tf->flow);
	tcp_mark(tf);
}

static void on_received(struct stack_conn *c)
{
	struct tcp_flow *tf = of_conn(c);

	tf->news = true;
	tcp_mark(tf);
	/* Much of it already: send while it is in the cache, and let the app
	 * go on filling its window. */
	if (c->up_bytes >= TCP_SEND_AT && tf->relay.on) {
		relay_up(tf);
		stack_flush(c);
	}
}

static void on_fin(struct stack_conn *c)
{
	tcp_mark(of_conn(c));
}

static void on_acked(struct stack_conn *c, uint32_t len)
{
	struct tcp_flow *tf = of_conn(c);

	tcp_acked(tf, len);
	tcp_mark(tf);
}

static void on_gone(struct stack_conn *c, bool reset)
{
	struct tcp_flow *tf = of_conn(c);

	tf->flow.stats.rtt_us = 0;
	if (!reset) {
		tcp_mark(tf); /* up bytes may be left to carry */
		return;
	}
	relay_close(tf, true);
	flow_end(&tf->flow, SLUICE_WHY_RESET);
}

static const struct stack_events events = {
	.opened = on_opened,
	.received = on_received,
	.fin = on_fin,
	.acked = on_acked,
	.gone = on_gone,
};

/* ------------------------------------------------------ end of the turn */

static void serve_plugin(struct tcp_flow *tf)
{
	const struct tcp_service *s = tf->service;
	struct flow *f = &tf->flow;

	if (tf->news) {
		tf->news = false;
		if (f->state == FLOW_WAIT)
			flow_open_again(f);
		else if (s)
			s->ops->readable(s->self, &f->pub);
		else
			flow_readable(f);
	}
	if (tf->conn.fin_seen && !tf->eof_told && f->state != FLOW_DEAD &&
	    !f->relayed) {
		if (f->state == FLOW_WAIT) {
			flow_open_again(f);
		} else {
			tf->eof_told = true;
			flow_half(f);
			if (s)
				s->ops->eof(s->self, &f->pub);
			else
				flow_eof(f);
		}
	}
}

static uint32_t room_wanted(const struct tcp_flow *tf)
{
	uint32_t low = 0;

	if (tf->flow.holder)
		low = tf->flow.holder->plugin->flow.low_room;
	return low ? low : tf->conn.app_mss;
}

static void serve_room(struct tcp_flow *tf)
{
	const struct tcp_service *s = tf->service;

	if (!tf->wants_room || tf->flow.state != FLOW_OPEN ||
	    stack_room(&tf->conn) < room_wanted(tf))
		return;
	tf->wants_room = false;
	if (s)
		s->ops->writable(s->self, &tf->flow.pub);
	else
		flow_writable(&tf->flow);
}

/* A connection that lwIP closed is over when nothing is left to carry. */
static bool is_over(const struct tcp_flow *tf)
{
	if (tf->conn.pcb || tf->held || tf->flow.state != FLOW_OPEN)
		return false;
	if (tf->relay.on)
		return relay_done(tf);
	return !tf->conn.up_bytes && tf->eof_told;
}

/* No answer came in time.  Who waits for the acknowledgement to send more
 * (Nagle's algorithm) shall not wait each time. */
static void on_owed(struct timer *timer)
{
	(void)timer;
	while (!list_empty(&t.owed)) {
		struct tcp_flow *tf =
			list_first(&t.owed, struct tcp_flow, dirty);

		list_del(&tf->dirty);
		tf->owing = false;
		if (tf->flow.state == FLOW_DEAD)
			continue;
		tf->at_once = TCP_AT_ONCE;
		stack_flush(&tf->conn);
	}
}

/* Send, and acknowledge; that may wait for an answer. */
static void answer(struct tcp_flow *tf)
{
	struct loop *loop = &tf->flow.gw->loop;

	if (!stack_may_wait(&tf->conn)) {
		stack_flush(&tf->conn);
	} else if (tf->at_once) {
		tf->at_once--;
		stack_flush(&tf->conn);
	} else if (list_empty(&tf->dirty)) {
		tf->owing = true;
		list_add_tail(&t.owed, &tf->dirty);
		if (!timer_is_set(&t.owed_timer))
			loop_timer(loop, &t.owed_timer, TCP_OWED_MS);
	}
}

static void flush_one(struct tcp_flow *tf)
{
	if (tf->relay.on) {
		relay_up(tf);
		if (tf->flow.state != FLOW_DEAD)
			relay_down(tf);
		if (tf->relay.failed && stack_drained(&tf->conn))
			flow_refuse(&tf->flow, SLUICE_WHY_RESET, NULL);
	} else {
		serve_plugin(tf);
		serve_room(tf);
	}
	if (tf->flow.state == FLOW_DEAD)
		return;
	answer(tf);
	stack_settle(&tf->conn);
	if (is_over(tf))
		flow_end(&tf->flow, SLUICE_WHY_DONE);
}

void tcp_flush(struct gateway *gw)
{
	struct list now;

	(void)gw;
	list_init(&now);
	list_splice_tail(&now, &t.dirty);
	while (!list_empty(&now)) {
		struct tcp_flow *tf = list_first(&now, struct tcp_flow, dirty);

		list_del(&tf->dirty);
		if (tf->flow.state != FLOW_DEAD)
			flush_one(tf);
	}
}

/* ------------------------------------------------------------- segments */

static const struct tcp_service *service_for(uint16_t port)
{
	for (int i = 0; i < t.services; i++)
		if (t.service[i].port == port)
			return t.service[i].s;
	return NULL;
}

static void start_service(struct tcp_flow *tf)
{
	const struct tcp_service *s = tf->service;

	tf->flow.by = "core";
	tf->flow.told = true;
	flow_accept(&tf->flow);
	if (tf->flow.state == FLOW_OPEN &&
	    s->ops->open(s->self, &tf->flow.pub) != SLUICE_TAKE)
		flow_refuse(&tf->flow, SLUICE_WHY_ERROR, NULL);
}

static void on_syn(struct gateway *gw, struct packet *p)
{
	struct tcp_flow *tf;
	struct flow *f;
	int err;

	if (!may_wait(gw, p)) {
		stats_inc(&gw->stats, drop_limit);
		stats_inc(&gw->stats, limit_target);
		return;
	}
	err = flow_new(gw, &tcp_type, &p->src, &p->dst, false, &f);
	if (err == -EAGAIN)
		return;
	if (err) { /* RFC 5508, REQ-8 */
		gateway_icmp_error(gw, NULL, p->ip, p->len,
				   p->version == 4 ? 3 : 1,
				   p->version == 4 ? 13 : 1, 0);
		return;
	}
	tf = tcp_flow_of(f);
	list_init(&tf->dirty);
	list_init(&tf->conn.busy);
	f->stats.up_pkts = 1;
	f->ttl = p->ttl > 1 && p->ttl <= TCP_TTL_LOW ? (uint8_t)(p->ttl - 1) :
						       0;
	f->tos = p->tos & TCP_TOS_DSCP;
	if (hold_syn(tf, p) < 0) {
		flow_end(f, SLUICE_WHY_ERROR);
		return;
	}
	tf->service = service_for(p->dst.port);
	if (tf->service)
		start_service(tf);
	else
		flow_open(f);
}

/* RFC 1812 5.3.1: what is for us may arrive with the last of it. */
static bool is_expired(struct gateway *gw, const struct packet *p)
{
	bool v4 = p->version == 4;

	if (likely(p->ttl > 1) || gateway_is_self(gw, &p->dst))
		return false;
	stats_inc(&gw->stats, drop_ttl);
	gateway_icmp_error(gw, NULL, p->ip, p->len, v4 ? 11 : 3, 0, 0);
	return true;
}

/* The app gave up on the SYN that is held and tries anew from the same port:
 * an answer to the old one would only be reset. */
static bool is_another(const struct tcp_flow *tf, const struct packet *p)
{
	struct packet held;

	return tf->held && (p->flags & TCP_SYN) && read_syn(tf, &held) &&
	       p->seq != held.seq;
}

/* While the SYN is held, the app can only repeat it or give up. */
static void on_waiting(struct tcp_flow *tf, const struct packet *p)
{
	if (p->flags & TCP_RST)
		flow_end(&tf->flow, SLUICE_WHY_RESET);
}

void tcp_up(struct gateway *gw, struct packet *p, struct tun_buf *buf)
{
	struct tcp_flow *tf;
	struct flow_key key;
	struct flow *f;

	if (is_expired(gw, p))
		return;
	flow_key_set(&key, PACKET_TCP, &p->src, &p->dst);
	f = flowtab_find(&gw->flows, &key);
	tf = f ? tcp_flow_of(f) : NULL;
	if (tf && !tf->conn.pcb && !tf->held && (p->flags & TCP_SYN)) {
		/* The app is through with the old one; what is left of it
		 * goes up by itself. */
		flowtab_del(&gw->flows, f);
		f = NULL;
	}
	if (tf && is_another(tf, p)) {
		flow_end(f, SLUICE_WHY_RESET);
		f = NULL;
	}
	if (!f) {
		if ((p->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN)
			on_syn(gw, p);
		else
			gateway_rst(gw, p);
		return;
	}
	f->stats.up_pkts += p->packets;
	if (!tf->conn.pcb) {
		if (tf->held)
			on_waiting(tf, p);
		return;
	}
	if (unlikely(f->tos != (p->tos & TCP_TOS_DSCP))) {
		f->tos = p->tos & TCP_TOS_DSCP;
		relay_set_tos(tf, f->tos);
	}
	f->stats.up_bytes += p->data_len;
	flow_touch(f); /* a keepalive counts, RFC 5382 REQ-5 */
	tcp_mark(tf);
	stack_up(&tf->conn, p, buf);
}

/* ------------------------------------------------------------ life time */

void tcp_serve(struct gateway *gw, uint16_t port, const struct tcp_service *s)
{
	(void)gw;
	if (t.services < TCP_SERVICES)
		t.service[t.services++] = (struct service){ port, s };
}

int tcp_init(struct gateway *gw)
{
	memset(&t, 0, sizeof(t));
	list_init(&t.dirty);
	list_init(&t.owed);
	timer_init(&t.owed_timer, on_owed);
	pool_init(&t.held, "held", TCP_HELD_MAX, 0, 0);
	tcp_data_init();
	return stack_init(gw, &events);
}

void tcp_trim(struct gateway *gw)
{
	(void)gw;
	pool_trim(&t.held);
	tcp_data_trim();
}

void tcp_fini(struct gateway *gw)
{
	loop_timer_stop(&gw->loop, &t.owed_timer);
	stack_fini();
	tcp_data_fini();
	pool_fini(&t.held);
}
