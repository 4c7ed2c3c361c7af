/* SPDX-License-Identifier: MIT */
/* stack.c - lwIP's TCP, fed one connection at a time
 *
 * Stock lwIP, of which only TCP is compiled.  What makes it fast and safe
 * here is how it is called:
 *
 *	enter(c)   its list of connections is just c's
 *	  tcp_input(), tcp_write(), timers ...
 *	leave(c)   the list is empty again; what happened becomes events
 *
 * so that it never searches, whatever the number of connections.  A SYN never
 * reaches it: the connection is made here from the options we read.  Segments
 * reach it without options, cut to the window, their checksums known good.
 * Events are kept in c->did during the call and told after leave(), so that
 * nobody frees a pcb under lwIP's feet.
 *
 * Timers run over the busy connections alone (something unacknowledged, out
 * of order, or not established); an idle one costs nothing.
 *
 * An assertion of lwIP ends the connection at work (its pcb is left behind,
 * not freed: its state cannot be trusted) and is counted; in test builds it
 * ends the process.
 */
#include "stack.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "gateway.h"
#include "log.h"
#include "pool.h"
#include "stack_out.h"

/* lwIP has names of its own for these. */
#undef TCP_FIN
#undef TCP_SYN
#undef TCP_RST
#undef TCP_PSH
#undef TCP_ACK
#undef TCP_URG
#undef TCP_ECE
#undef TCP_CWR

#include "lwip/ip.h"
#include "lwip/nd6.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"
#include "lwip/tcp.h"

#define STACK_UP_WINDOW \
	(512u << 10)                  /* offered to the app; must stay below
					   what a TUN queue holds */
#define STACK_UP_PLAIN   (256u << 10) /* the same without offload */
#define STACK_DOWN       (512u << 10) /* written and not yet acknowledged */
#define STACK_MSS_BIG    62000u       /* a segment the device will cut */
#define STACK_MSS_MIN    536u
#define STACK_KEEP_SMALL 4u /* data below cap / this is copied */

/* The pbuf of a read buffer. */
struct stack_ref {
	struct pbuf_custom pc;
	struct tun_buf *buf;
};
_Static_assert(sizeof(struct stack_ref) <= sizeof(((struct tun_buf *)0)->user),
	       "tun_buf.user too small");

static struct {
	struct gateway *gw;
	const struct stack_events *ev;
	struct netif netif;
	struct tcp_pcb_listen listener; /* lwIP wants one to ask accept() */
	struct list busy;
	struct timer timer;
	uint64_t isn_key[2];
	bool slow;             /* every other tick is a slow one */
	struct stack_conn *at; /* between enter and leave */
	jmp_buf out;
	uint32_t acked;
	bool opened, received, fin, gone, reset;
} s;

/* lwIP's calloc; its pools are ours. */
void *stack_calloc(size_t n, size_t size)
{
	void *p = pool_malloc(n * size);

	if (p)
		memset(p, 0, n * size);
	return p;
}

void stack_assert(const char *what, const char *file, int line)
{
	log_limited(LOG_LEVEL_ERROR, "lwIP: %s (%s:%d)", what, file, line);
#ifdef SLUICE_DEBUG
	abort();
#endif
	if (!s.at)
		abort();
	stats_inc(&s.gw->stats, stack_assertions);
	longjmp(s.out, 1);
}

/* ------------------------------------------------- functions lwIP calls */

struct ip_globals ip_data;
const ip_addr_t ip_addr_any_type = IPADDR_ANY_TYPE_INIT;

struct netif *netif_get_by_index(u8_t idx)
{
	(void)idx;
	return &s.netif;
}

struct netif *ip4_route(const ip4_addr_t *dest)
{
	(void)dest;
	return &s.netif;
}

struct netif *ip6_route(const ip6_addr_t *src, const ip6_addr_t *dest)
{
	(void)src;
	(void)dest;
	return &s.netif;
}

const ip_addr_t *ip6_select_source_address(struct netif *netif,
					   const ip6_addr_t *dest)
{
	(void)netif;
	(void)dest;
	return NULL;
}

u16_t nd6_get_destination_mtu(const ip6_addr_t *dest, struct netif *netif)
{
	(void)dest;
	return netif->mtu;
}

void tcp_timer_needed(void)
{
	/* set_busy() knows better */
}

u32_t sys_now(void)
{
	return (u32_t)s.gw->loop.now;
}

static err_t output(struct pbuf *p, int family, const void *src,
		    const void *dst, u8_t ttl, u8_t tos)
{
	struct iovec v[STACK_IOV];
	struct stack_segment seg = {
		.family = family, .src = src, .dst = dst, .ttl = ttl, .tos = tos
	};
	struct pbuf *q;
	int n = STACK_IOV_FIRST;

	for (q = p; q && n < STACK_IOV; q = q->next) {
		v[n].iov_base = q->payload;
		v[n++].iov_len = q->len;
	}
	if (q)
		return ERR_OK; /* cannot be sent; the app asks again */
	if (s.at)
		seg.mss = s.at->app_mss;
	seg.flow_id = s.at ? s.at->flow_id : 0;
	stack_out(s.gw, &seg, v, n);
	return ERR_OK; /* never lost, never late: see tun_write() */
}

err_t ip4_output_if(struct pbuf *p, const ip4_addr_t *src,
		    const ip4_addr_t *dest, u8_t ttl, u8_t tos, u8_t proto,
		    struct netif *netif)
{
	(void)proto;
	(void)netif;
	return output(p, 4, src, dest, ttl, tos);
}

err_t ip6_output_if(struct pbuf *p, const ip6_addr_t *src,
		    const ip6_addr_t *dest, u8_t hl, u8_t tc, u8_t nexth,
		    struct netif *netif)
{
	(void)nexth;
	(void)netif;
	return output(p, 6, src->addr, dest->addr, hl, tc);
}

/* ------------------------------------------------------ enter and leave */

static bool is_busy(const struct tcp_pcb *pcb)
{
	if (pcb->unacked || pcb->unsent || pcb->ooseq || pcb->persist_backoff)
		return true;
	if (pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND))
		return true;
	return pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT &&
	       pcb->state != FIN_WAIT_2;
}

static void enter(struct stack_conn *c)
{
	c->pcb->next = NULL;
	tcp_active_pcbs = c->pcb;
	s.at = c;
	s.acked = 0;
	s.opened = s.received = s.fin = s.gone = s.reset = false;
}

static void set_busy(struct stack_conn *c, bool busy)
{
	if (!busy)
		list_del(&c->busy);
	else if (list_empty(&c->busy))
		list_add_tail(&s.busy, &c->busy);
	if (busy && !timer_is_set(&s.timer))
		loop_timer(&s.gw->loop, &s.timer, TCP_TMR_INTERVAL);
}

/* After an assertion: the pcb is not touched again. */
static void leave_behind(struct stack_conn *c)
{
	c->pcb = NULL;
	s.gone = s.reset = true;
}

/* Put lwIP's lists away and tell what happened. */
static void leave(struct stack_conn *c)
{
	uint32_t acked = s.acked;
	bool opened = s.opened, received = s.received, fin = s.fin;
	bool gone, reset;

	if (tcp_tw_pcbs) { /* both ends closed: nothing is reordered on
				   a TUN, so TIME_WAIT is of no use */
		struct tcp_pcb *tw = tcp_tw_pcbs;

		tcp_tw_pcbs = NULL;
		tw->next = NULL;
		tcp_free(tw);
		s.gone = true;
		c->pcb = NULL;
	}
	gone = s.gone;
	reset = s.reset;
	tcp_active_pcbs = NULL;
	s.at = NULL;
	if (gone)
		c->pcb = NULL;
	set_busy(c, c->pcb && is_busy(c->pcb));

	if (opened && c->pcb) {
		c->open = true;
		s.ev->opened(c);
	}
	if (acked)
		s.ev->acked(c, acked);
	if (received)
		s.ev->received(c);
	if (fin) {
		c->fin_seen = true;
		s.ev->fin(c);
	}
	if (gone)
		s.ev->gone(c, reset);
}

/* Everything that lwIP does with c it does in here. */
static void call(struct stack_conn *c,
		 void (*fn)(struct stack_conn *, void *arg), void *arg)
{
	enter(c);
	if (!setjmp(s.out))
		fn(c, arg);
	else
		leave_behind(c);
	leave(c);
}

/* ------------------------------------------------------- lwIP's events */

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct stack_conn *c = arg;
	struct pbuf *q;

	(void)pcb;
	(void)err;
	if (!p) {
		s.fin = true;
		return ERR_OK;
	}
	/* The queue is linked by next alone: tot_len, being 16 bit, means
	 * nothing in it. */
	if (c->up_tail)
		c->up_tail->next = p;
	else
		c->up_head = p;
	for (q = p;; q = q->next) {
		c->up_bytes += q->len;
		if (!q->next)
			break;
	}
	c->up_tail = q;
	s.received = true;
	return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	(void)arg;
	(void)pcb;
	s.acked += len;
	return ERR_OK;
}

static void on_err(void *arg, err_t err)
{
	(void)arg;
	s.gone = true;
	s.reset = err != ERR_CLSD;
}

/* The handshake is done: from here segments may be as large as the device
 * cuts, and nothing but the app's window holds them back: a TUN loses none. */
static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct stack_conn *c = arg;

	if (err != ERR_OK || !pcb)
		return ERR_OK;
	if (s.gw->tun.tso && (pcb->flags & TF_WND_SCALE))
		pcb->mss = STACK_MSS_BIG;
	else if (s.gw->tun.tso)
		pcb->mss = (u16_t)MAX(c->app_mss, 16384u);
	s.opened = true;
	return ERR_OK;
}

/* cwnd is set by lwIP after accept(): open it once the call is over. */
static void open_cwnd(struct tcp_pcb *pcb)
{
	pcb->cwnd = STACK_DOWN;
	pcb->ssthresh = STACK_DOWN;
}

/* ----------------------------------------------------------- the clock */

static void do_tick(struct stack_conn *c, void *ticks)
{
	(void)c;
	tcp_fasttmr();
	if (!s.slow || !tcp_active_pcbs)
		return;
	tcp_ticks = *(u32_t *)ticks;
	tcp_slowtmr();
}

static void tick(struct timer *t)
{
	struct list now;
	u32_t ticks = tcp_ticks;
	struct stack_conn *c;

	(void)t;
	s.slow = !s.slow;
	list_init(&now);
	list_splice_tail(&now, &s.busy);
	while (!list_empty(&now)) {
		c = list_first(&now, struct stack_conn, busy);
		list_del(&c->busy);
		call(c, do_tick, &ticks);
	}
	tcp_ticks = s.slow ? ticks + 1 : ticks;
	if (!list_empty(&s.busy))
		loop_timer(&s.gw->loop, &s.timer, TCP_TMR_INTERVAL);
}

/* ------------------------------------------------------------- opening */

static void set_ip(ip_addr_t *to, const struct sluice_addr *a)
{
	memset(to, 0, sizeof(*to));
	if (a->family == 4) {
		memcpy(&ip_2_ip4(to)->addr, a->ip, 4);
		IP_SET_TYPE_VAL(*to, IPADDR_TYPE_V4);
	} else {
		memcpy(ip_2_ip6(to)->addr, a->ip, 16);
		IP_SET_TYPE_VAL(*to, IPADDR_TYPE_V6);
	}
}

/* RFC 6528: a keyed hash of the four-tuple, and a clock of 4 us. */
static u32_t first_seq(const struct packet *syn)
{
	struct sluice_addr a[2] = { syn->src, syn->dst };

	return (u32_t)util_siphash(s.isn_key, a, sizeof(a)) +
	       (u32_t)(util_now_ms() * 250);
}

static uint16_t clamp_mss(const struct packet *syn, uint16_t mss)
{
	uint32_t fits = s.gw->set.mtu - (syn->version == 4 ? 40 : 60);

	if (!mss) /* RFC 9293 3.7.1 */
		mss = syn->version == 4 ? 536 : 1220;
	mss = (uint16_t)MIN(mss, fits);
	return (uint16_t)MAX(mss, MIN(STACK_MSS_MIN, fits));
}

static void set_windows(struct tcp_pcb *pcb, bool scaled)
{
	u32_t wnd = s.gw->tun.big ? STACK_UP_WINDOW : STACK_UP_PLAIN;

	if (!scaled)
		wnd = MIN(wnd, 0xFFFFu);
	pcb->rcv_wnd = wnd;
	pcb->rcv_ann_wnd = wnd;
	pcb->snd_buf = STACK_DOWN;
}

static void do_answer(struct stack_conn *c, void *err)
{
	*(err_t *)err = tcp_enqueue_flags(c->pcb, TCP_SYN | TCP_ACK);
	if (*(err_t *)err == ERR_OK)
		tcp_output(c->pcb);
}

int stack_accept(struct stack_conn *c, const struct packet *syn)
{
	err_t err = ERR_MEM;
	struct packet_syn o;
	struct tcp_pcb *pcb = tcp_alloc(TCP_PRIO_NORMAL);

	list_init(&c->busy);
	if (!pcb)
		return -ENOMEM;
	packet_syn_options(syn, &o);
	c->pcb = pcb;
	c->app_mss = clamp_mss(syn, o.mss);
	set_ip(&pcb->local_ip, &syn->dst);
	set_ip(&pcb->remote_ip, &syn->src);
	pcb->local_port = syn->dst.port;
	pcb->remote_port = syn->src.port;
	pcb->netif_idx = 1;
	pcb->state = SYN_RCVD;
	pcb->rcv_nxt = syn->seq + 1;
	pcb->rcv_ann_right_edge = pcb->rcv_nxt;
	pcb->snd_nxt = pcb->lastack = pcb->snd_lbb = pcb->snd_wl2 =
		first_seq(syn);
	pcb->snd_wl1 = syn->seq - 1; /* forces a window update */
	pcb->snd_wnd = pcb->snd_wnd_max = syn->window;
	pcb->mss = c->app_mss;
	pcb->listener = &s.listener;
	pcb->callback_arg = c;
	pcb->recv = on_recv;
	pcb->sent = on_sent;
	pcb->errf = on_err;
	tcp_set_flags(pcb, TF_NODELAY);
	if (o.has_wscale) {
		tcp_set_flags(pcb, TF_WND_SCALE);
		pcb->snd_scale = MIN(o.wscale, 14); /* RFC 7323 2.3 */
		pcb->rcv_scale = TCP_RCV_SCALE;
	}
	if (o.has_sack)
		tcp_set_flags(pcb, TF_SACK);
	set_windows(pcb, o.has_wscale);

	call(c, do_answer, &err);
	if (err != ERR_OK) {
		stack_drop(c);
		return -ENOMEM;
	}
	return 0;
}

/* ------------------------------------------------------------ segments */

static void ref_free(struct pbuf *p)
{
	tun_buf_put(((struct stack_ref *)p)->buf);
}

/* The segment as lwIP gets it: a 20-byte header without options right before
 * the data.  What lies there is the header itself or its options. */
static uint8_t *strip_options(struct packet *p, uint8_t flags)
{
	uint8_t *h = p->data - 20;

	if (h != p->l4)
		memmove(h, p->l4, 20);
	h[12] = 5 << 4;
	h[13] = flags;
	return h;
}

static struct pbuf *wrap(uint8_t *h, uint32_t len, struct tun_buf *buf,
			 bool in_order)
{
	struct stack_ref *r;
	struct pbuf *p;

	/* Data out of order may stay long: it does not pin a big buffer. */
	if (!buf || len > 0xFFFF ||
	    (!in_order && len < buf->cap / STACK_KEEP_SMALL)) {
		p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
		if (p)
			memcpy(p->payload, h, len);
		return p;
	}
	r = (struct stack_ref *)buf->user;
	r->buf = buf;
	r->pc.custom_free_function = ref_free;
	tun_buf_get(buf);
	return pbuf_alloced_custom(PBUF_RAW, (u16_t)len, PBUF_REF, &r->pc, h,
				   (u16_t)len);
}

static void set_current(const struct packet *p)
{
	memset(&ip_data, 0, sizeof(ip_data));
	ip_data.current_netif = &s.netif;
	ip_data.current_input_netif = &s.netif;
	set_ip(&ip_data.current_iphdr_src, &p->src);
	set_ip(&ip_data.current_iphdr_dest, &p->dst);
}

/* A SYN in a known connection: RFC 5961 4.2, say where we are. */
static void do_challenge(struct stack_conn *c, void *arg)
{
	(void)arg;
	tcp_ack_now(c->pcb);
	tcp_output(c->pcb);
}

static void do_input(struct stack_conn *c, void *q)
{
	struct tcp_pcb *pcb = c->pcb;

	tcp_input(q, &s.netif);
	if (s.opened && !s.gone)
		open_cwnd(pcb);
}

void stack_up(struct stack_conn *c, struct packet *p, struct tun_buf *buf)
{
	struct tcp_pcb *pcb = c->pcb;
	uint32_t len = p->data_len, off, right;
	uint8_t flags = p->flags;
	struct pbuf *q;

	if (flags & TCP_SYN) {
		if (pcb->state != SYN_RCVD)
			call(c, do_challenge, NULL);
		return; /* our SYN-ACK is sent again by its timer */
	}
	/* Cut what is beyond the window; a FIN out there is not one yet. */
	right = pcb->rcv_nxt + pcb->rcv_wnd;
	off = p->seq + len - right;
	if (len && (int32_t)off > 0) {
		len = off < len ? len - off : 0;
		flags &= (uint8_t)~TCP_FIN;
		tcp_ack_now(pcb); /* a probe of a closed window wants it */
	}
	if (len + ((flags & TCP_FIN) ? 1 : 0) > 0xFFFF - 20) {
		len = 0xFFFF - 21; /* lwIP counts in 16 bit */
		flags &= (uint8_t)~TCP_FIN;
	}
	flags &= TCP_FIN | TCP_RST | TCP_PSH | TCP_ACK;
	q = wrap(strip_options(p, flags), len + 20, buf,
		 p->seq == pcb->rcv_nxt);
	if (!q)
		return; /* no memory: the app sends it again */
	set_current(p);
	call(c, do_input, q);
}

/* ---------------------------------------------------------- up, to read */

size_t stack_peek(const struct stack_conn *c, struct iovec *v, size_t *n)
{
	uint32_t skip = c->up_taken;
	size_t sum = 0, i = 0;
	struct pbuf *p;

	for (p = c->up_head; p && i < *n; p = p->next) {
		v[i].iov_base = (uint8_t *)p->payload + skip;
		v[i].iov_len = p->len - skip;
		sum += v[i].iov_len;
		skip = 0;
		if (v[i].iov_len)
			i++;
	}
	*n = i;
	return sum;
}

static void tell_read(struct stack_conn *c)
{
	while (c->unread && c->pcb) {
		u16_t part = (u16_t)MIN(c->unread, 0xFFFFu);

		c->unread -= part;
		tcp_recved(c->pcb, part);
	}
}

void stack_consume(struct stack_conn *c, size_t len)
{
	struct pbuf *p;

	len = MIN(len, c->up_bytes);
	c->up_bytes -= (uint32_t)len;
	c->unread += (uint32_t)len;
	len += c->up_taken;
	while ((p = c->up_head) && len >= p->len) {
		len -= p->len;
		c->up_head = p->next;
		p->next = NULL;
		pbuf_free(p);
	}
	c->up_taken = (uint32_t)len;
	if (!c->up_head) {
		c->up_tail = NULL;
		c->up_taken = 0;
	}
}

void stack_settle(struct stack_conn *c)
{
	struct pbuf **at, *p, *q;

	for (at = &c->up_head; (p = *at); at = &(*at)->next) {
		if (!(p->flags & PBUF_FLAG_IS_CUSTOM) ||
		    p->len >= ((struct stack_ref *)p)->buf->cap /
				      STACK_KEEP_SMALL)
			continue;
		q = pbuf_alloc(PBUF_RAW, p->len, PBUF_RAM);
		if (!q)
			return;
		memcpy(q->payload, p->payload, p->len);
		q->next = p->next;
		*at = q;
		if (c->up_tail == p)
			c->up_tail = q;
		p->next = NULL;
		pbuf_free(p);
	}
}

static void free_queue(struct stack_conn *c)
{
	struct pbuf *p;

	while ((p = c->up_head)) {
		c->up_head = p->next;
		p->next = NULL;
		pbuf_free(p);
	}
	c->up_tail = NULL;
	c->up_bytes = c->up_taken = c->unread = 0;
}

/* --------------------------------------------------------------- down */

size_t stack_room(const struct stack_conn *c)
{
	if (!c->pcb || c->fin_sent)
		return 0;
	if (c->pcb->snd_queuelen + 64 > TCP_SND_QUEUELEN)
		return 0;
	return c->pcb->snd_buf;
}

struct stack_piece {
	const uint8_t *at;
	size_t len;
	int err;
};

static void do_write(struct stack_conn *c, void *arg)
{
	struct stack_piece *w = arg;
	err_t err = ERR_OK;

	while (w->len && err == ERR_OK) {
		u16_t part = (u16_t)MIN(w->len, 0xFFFFu);

		err = tcp_write(c->pcb, w->at, part, 0);
		w->at += part;
		w->len -= part;
	}
	w->err = err == ERR_OK ? 0 : -ENOMEM;
}

int stack_write(struct stack_conn *c, const void *p, size_t len)
{
	struct stack_piece w = { .at = p, .len = len, .err = -EPIPE };

	if (c->pcb)
		call(c, do_write, &w);
	return w.err;
}

/* A first segment larger than what the app takes now would wait for lwIP's
 * persist timer: cut it to fit, unless that would make it silly
 * (RFC 9293 3.8.6.2.1). */
static void fit_window(struct stack_conn *c, struct tcp_pcb *pcb)
{
	struct tcp_seg *seg = pcb->unsent;
	u32_t wnd = MIN(pcb->snd_wnd, pcb->cwnd);

	if (!seg || pcb->unacked || seg->len <= wnd)
		return;
	if (wnd >= MIN(c->app_mss, pcb->snd_wnd_max / 2) && wnd)
		tcp_split_unsent_seg(pcb, (u16_t)wnd);
}

static void do_flush(struct stack_conn *c, void *arg)
{
	(void)arg;
	tell_read(c);
	if (c->pcb->flags & TF_ACK_DELAY)
		tcp_ack_now(c->pcb);
	fit_window(c, c->pcb);
	tcp_output(c->pcb);
}

void stack_flush(struct stack_conn *c)
{
	if (c->pcb)
		call(c, do_flush, NULL);
}

static void do_shut(struct stack_conn *c, void *arg)
{
	(void)arg;
	tcp_shutdown(c->pcb, 0, 1);
}

void stack_shut(struct stack_conn *c)
{
	if (!c->pcb || c->fin_sent)
		return;
	c->fin_sent = true;
	call(c, do_shut, NULL);
}

static void drop(struct stack_conn *c, int rst)
{
	if (c->pcb) {
		enter(c);
		c->pcb->errf = NULL;
		if (!setjmp(s.out))
			tcp_abandon(c->pcb, rst);
		tcp_active_pcbs = NULL;
		s.at = NULL;
		c->pcb = NULL;
	}
	list_del(&c->busy);
	free_queue(c);
}

void stack_reset(struct stack_conn *c)
{
	drop(c, 1);
}

void stack_drop(struct stack_conn *c)
{
	drop(c, 0);
}

bool stack_drained(const struct stack_conn *c)
{
	return !c->pcb || (!c->pcb->unsent && !c->pcb->unacked);
}

uint32_t stack_rtt_us(const struct stack_conn *c)
{
	if (!c->pcb || c->pcb->sa <= 0)
		return 0;
	return (uint32_t)(c->pcb->sa >> 3) * TCP_SLOW_INTERVAL * 1000u;
}

/* ------------------------------------------------------------ life time */

int stack_init(struct gateway *gw, const struct stack_events *ev)
{
	memset(&s, 0, sizeof(s));
	s.gw = gw;
	s.ev = ev;
	s.netif.mtu = (u16_t)MIN(gw->set.mtu, 65535u);
	s.listener.accept = on_accept;
	list_init(&s.busy);
	timer_init(&s.timer, tick);
	return util_random(s.isn_key, sizeof(s.isn_key));
}

void stack_fini(void)
{
	if (s.gw)
		loop_timer_stop(&s.gw->loop, &s.timer);
	memset(&s, 0, sizeof(s));
}
