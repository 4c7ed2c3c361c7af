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
 * What happens during the call is told as events after leave(), so that
 * nobody frees a pcb under lwIP's feet.
 *
 * stack_move.c has the segments and bytes, stack_port.c what lwIP asks of the
 * system below it.
 *
 * Timers run over the busy connections alone (something unacknowledged, out
 * of order, or not established); an idle one costs nothing.
 *
 * An assertion of lwIP ends the connection at work (its pcb is left behind,
 * not freed: its state cannot be trusted) and is counted; in test builds it
 * ends the process.
 */
#include "stack.h"

#include <errno.h>
#include <string.h>

#include "stack_int.h"

struct stack stack;

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
	stack.at = c;
	stack.acked = 0;
	stack.opened = stack.received = stack.fin = stack.gone = stack.reset =
		false;
}

static void set_busy(struct stack_conn *c, bool busy)
{
	if (!busy)
		list_del(&c->busy);
	else if (list_empty(&c->busy))
		list_add_tail(&stack.busy, &c->busy);
	if (busy && !timer_is_set(&stack.timer))
		loop_timer(&stack.gw->loop, &stack.timer, TCP_TMR_INTERVAL);
}

/* After an assertion: the pcb is not touched again. */
static void leave_behind(struct stack_conn *c)
{
	c->pcb = NULL;
	stack.gone = stack.reset = true;
}

/* Put lwIP's lists away and tell what happened. */
static void leave(struct stack_conn *c)
{
	uint32_t acked = stack.acked;
	bool opened = stack.opened, received = stack.received, fin = stack.fin;
	bool gone, reset;

	if (tcp_tw_pcbs) { /* both ends closed: nothing is reordered on
				   a TUN, so TIME_WAIT is of no use */
		struct tcp_pcb *tw = tcp_tw_pcbs;

		tcp_tw_pcbs = NULL;
		tw->next = NULL;
		tcp_free(tw);
		stack.gone = true;
		c->pcb = NULL;
	}
	gone = stack.gone;
	reset = stack.reset;
	tcp_active_pcbs = NULL;
	stack.at = NULL;
	if (gone)
		c->pcb = NULL;
	set_busy(c, c->pcb && is_busy(c->pcb));

	if (opened && c->pcb) {
		c->open = true;
		stack.ev->opened(c);
	}
	if (acked)
		stack.ev->acked(c, acked);
	if (received)
		stack.ev->received(c);
	if (fin) {
		c->fin_seen = true;
		stack.ev->fin(c);
	}
	if (gone)
		stack.ev->gone(c, reset);
}

void stack_call(struct stack_conn *c,
		void (*fn)(struct stack_conn *, void *arg), void *arg)
{
	enter(c);
	if (!setjmp(stack.out))
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
		stack.fin = true;
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
	stack.received = true;
	return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	(void)arg;
	(void)pcb;
	stack.acked += len;
	return ERR_OK;
}

/* The app closed first, and its kernel keeps the port for a minute now, for the
 * sake of segments that are still on their way (TIME_WAIT).  On a TUN none are;
 * and it would not give the port to the app again before, as it does where
 * segments have timestamps.  A reset ends that wait (RFC 1337); no app ever
 * sees it. */
static void free_port(const struct tcp_pcb *pcb)
{
	tcp_rst(pcb, pcb->snd_nxt, pcb->rcv_nxt, &pcb->local_ip,
		&pcb->remote_ip, pcb->local_port, pcb->remote_port);
}

static void on_err(void *arg, err_t err)
{
	struct stack_conn *c = arg;

	if (err == ERR_CLSD)
		free_port(c->pcb);
	stack.gone = true;
	stack.reset = err != ERR_CLSD;
}

/* What is cut further on, by the device or by stack_out(), may be larger than
 * what the app takes at once.  An app without a scaled window cannot have
 * much under way: its segments do not fill it with one. */
static uint16_t segment_size(const struct stack_conn *c, bool scaled)
{
	const struct tun *tun = &stack.gw->tun;
	uint32_t most = scaled ? STACK_MSS_BIG : 16384;

	if (tun->tso)
		return (uint16_t)(scaled ? most : MAX(c->app_mss, most));
	if (tun->csum)
		return c->app_mss;
	/* All packets are full ones but the last of what there was. */
	most = MAX(most / c->app_mss, 1);
	return (uint16_t)(MIN(most, STACK_CUT) * c->app_mss);
}

/* The handshake is done: from here nothing but the app's window holds
 * segments back: a TUN loses none. */
static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct stack_conn *c = arg;

	if (err != ERR_OK || !pcb)
		return ERR_OK;
	pcb->mss = segment_size(c, pcb->flags & TF_WND_SCALE);
	stack.opened = true;
	return ERR_OK;
}

void stack_open_cwnd(struct tcp_pcb *pcb)
{
	pcb->cwnd = STACK_DOWN;
	pcb->ssthresh = STACK_DOWN;
}

/* ----------------------------------------------------------- the clock */

/* What a closed window held back may have been acknowledged after all (it was
 * sent once, and put back to be sent again): lwIP leaves its timer for probes
 * running then, and asserts that it has something to probe with. */
static void stop_probes(struct tcp_pcb *pcb)
{
	if (!pcb->unsent)
		pcb->persist_backoff = 0;
}

static void do_tick(struct stack_conn *c, void *ticks)
{
	stop_probes(c->pcb);
	tcp_fasttmr();
	if (!stack.slow || !tcp_active_pcbs)
		return;
	if (c->pcb->persist_backoff && !stack_fin_apart(c->pcb))
		return;
	tcp_ticks = *(u32_t *)ticks;
	tcp_slowtmr();
	if (!tcp_active_pcbs || !c->pcb->unsent)
		return;
	/* What it sends again may be larger than the window is now. */
	stack_fit_window(c, c->pcb);
	tcp_output(c->pcb);
}

static void tick(struct timer *t)
{
	struct list now;
	u32_t ticks = tcp_ticks;
	struct stack_conn *c;

	(void)t;
	stack.slow = !stack.slow;
	list_init(&now);
	list_splice_tail(&now, &stack.busy);
	while (!list_empty(&now)) {
		c = list_first(&now, struct stack_conn, busy);
		list_del(&c->busy);
		stack_call(c, do_tick, &ticks);
	}
	tcp_ticks = stack.slow ? ticks + 1 : ticks;
	if (!list_empty(&stack.busy))
		loop_timer(&stack.gw->loop, &stack.timer, TCP_TMR_INTERVAL);
}

/* ------------------------------------------------------------- opening */

void stack_set_ip(ip_addr_t *to, const struct sluice_addr *a)
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

	return (u32_t)util_siphash(stack.isn_key, a, sizeof(a)) +
	       (u32_t)(util_now_ms() * 250);
}

static uint16_t clamp_mss(const struct packet *syn, uint16_t mss)
{
	uint32_t fits = stack.gw->set.mtu - (syn->version == 4 ? 40 : 60);

	if (!mss) /* RFC 9293 3.7.1 */
		mss = syn->version == 4 ? 536 : 1220;
	mss = (uint16_t)MIN(mss, fits);
	return (uint16_t)MAX(mss, MIN(STACK_MSS_MIN, fits));
}

static void set_windows(struct stack_conn *c, bool scaled)
{
	struct tcp_pcb *pcb = c->pcb;
	u32_t wnd = stack_window_first(c, scaled);

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
	/* What is offered follows from it; it may have changed. */
	stack.netif.mtu = (u16_t)MIN(stack.gw->set.mtu, 65535u);
	c->pcb = pcb;
	c->app_mss = clamp_mss(syn, o.mss);
	stack_set_ip(&pcb->local_ip, &syn->dst);
	stack_set_ip(&pcb->remote_ip, &syn->src);
	pcb->local_port = syn->dst.port;
	pcb->remote_port = syn->src.port;
	pcb->netif_idx = 1;
	pcb->state = SYN_RCVD;
	pcb->rcv_nxt = syn->seq + 1;
	pcb->rcv_ann_right_edge = pcb->rcv_nxt;
	pcb->snd_nxt = pcb->lastack = pcb->snd_lbb = pcb->snd_wl2 =
		first_seq(syn);
	pcb->snd_wl1 = syn->seq - 1; /* forces a window update */
	pcb->snd_wnd = syn->window;
	/* lwIP cuts to half of the largest window seen, and asserts that it
	 * never has to cut smaller than before. */
	pcb->snd_wnd_max = MAX(syn->window, 2 * STACK_MSS_MIN);
	pcb->mss = c->app_mss;
	pcb->listener = &stack.listener;
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
	set_windows(c, o.has_wscale);

	stack_call(c, do_answer, &err);
	if (err != ERR_OK) {
		stack_drop(c);
		return -ENOMEM;
	}
	return 0;
}

/* -------------------------------------------------------------- closing */

static void drop(struct stack_conn *c, int rst)
{
	if (c->pcb) {
		enter(c);
		c->pcb->errf = NULL;
		if (!setjmp(stack.out))
			tcp_abandon(c->pcb, rst);
		tcp_active_pcbs = NULL;
		stack.at = NULL;
		c->pcb = NULL;
	}
	list_del(&c->busy);
	stack_free_queue(c);
	stack_window_none(c);
}

void stack_reset(struct stack_conn *c)
{
	drop(c, 1);
}

void stack_drop(struct stack_conn *c)
{
	drop(c, 0);
}

/* ------------------------------------------------------------ life time */

int stack_init(struct gateway *gw, const struct stack_events *ev)
{
	memset(&stack, 0, sizeof(stack));
	stack.gw = gw;
	stack.ev = ev;
	stack.listener.accept = on_accept;
	list_init(&stack.busy);
	timer_init(&stack.timer, tick);
	return util_random(stack.isn_key, sizeof(stack.isn_key));
}

void stack_fini(void)
{
	if (stack.gw)
		loop_timer_stop(&stack.gw->loop, &stack.timer);
	memset(&stack, 0, sizeof(stack));
}
