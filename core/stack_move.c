/* SPDX-License-Identifier: MIT */
/* stack_move.c - segments into lwIP, bytes out of it and back
 *
 * Up: a segment is the read buffer itself, wrapped as a pbuf; what lwIP finds
 * in order is queued, by reference, until the net's side took it.  The queue
 * is linked by pbuf->next alone: tot_len, being 16 bit, means nothing in it.
 * What must wait leaves a buffer much larger than itself, once, for a bin that
 * takes many such pieces: a sender of single bytes pins no memory beyond them.
 *
 * Down: written by reference; lwIP tells when it was acknowledged.
 */
#include <errno.h>
#include <string.h>

#include "stack_int.h"

/* The pbuf of a read buffer. */
struct stack_ref {
	struct pbuf_custom pc;
	struct tun_buf *buf;
};
#define BIN       0x80u /* in pbuf.flags, where lwIP has nothing */
#define BIN_LEAST 200u  /* with the headers of pbuf and pool */
#define BIN_MOST  4000u

_Static_assert(sizeof(struct stack_ref) <= sizeof(((struct tun_buf *)0)->user),
	       "tun_buf.user too small");

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

/* The same for all of a segment that came in more than one packet, up to len
 * bytes of data. */
static struct pbuf *wrap_all(const struct packet *p, uint8_t *h, uint32_t len,
			     struct tun_buf *buf, bool in_order)
{
	uint32_t part = MIN(len, (uint32_t)(p->ip + p->len - p->data));
	struct pbuf *all = wrap(h, part + 20, buf, in_order), *last = all;
	uint16_t left = (uint16_t)(len + 20);

	for (unsigned i = 0; last && i < p->n_rest && (len -= part); i++) {
		part = MIN(len, p->rest[i].len);
		last->next =
			wrap(p->rest[i].data, part, p->rest[i].buf, in_order);
		last = last->next;
	}
	if (!last && all) {
		pbuf_free(all);
		return NULL;
	}
	for (struct pbuf *q = all; q; q = q->next) {
		q->tot_len = left;
		left = (uint16_t)(left - q->len);
	}
	return all;
}

static void set_current(const struct packet *p)
{
	memset(&ip_data, 0, sizeof(ip_data));
	ip_data.current_netif = &stack.netif;
	ip_data.current_input_netif = &stack.netif;
	stack_set_ip(&ip_data.current_iphdr_src, &p->src);
	stack_set_ip(&ip_data.current_iphdr_dest, &p->dst);
}

/* A SYN in a known connection: RFC 5961 4.2, say where we are. */
static void do_challenge(struct stack_conn *c, void *arg)
{
	(void)arg;
	tcp_ack_now(c->pcb);
	tcp_output(c->pcb);
}

/* lwIP acknowledges every second segment; here the end of the turn does, once
 * for all (stack_flush()).  What it wants said at once (a gap, a segment sent
 * twice) it still says. */
static void do_input(struct stack_conn *c, void *q)
{
	struct tcp_pcb *pcb = c->pcb;
	bool owed = pcb->flags & TF_ACK_DELAY, gap = pcb->ooseq;
	bool shut = !pcb->snd_wnd;

	tcp_clear_flags(pcb, TF_ACK_DELAY);
	tcp_input(q, &stack.netif);
	if (stack.gone || pcb->state == TIME_WAIT)
		return;
	stack_acked(pcb, shut);
	if (owed)
		tcp_set_flags(pcb, TF_ACK_DELAY);
	if (gap) /* RFC 5681 4.2: not put off where one is being filled */
		tcp_ack_now(pcb);
	if (stack.opened)
		stack_open_cwnd(pcb);
}

void stack_up(struct stack_conn *c, struct packet *p, struct tun_buf *buf)
{
	struct tcp_pcb *pcb = c->pcb;
	uint32_t len = p->data_len, off, right;
	uint8_t flags = p->flags;
	struct pbuf *q;

	if (flags & TCP_SYN) {
		if (pcb->state != SYN_RCVD)
			stack_call(c, do_challenge, NULL);
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
	q = wrap_all(p, strip_options(p, flags), len, buf,
		     p->seq == pcb->rcv_nxt);
	if (!q)
		return; /* no memory: the app sends it again */
	set_current(p);
	stack_call(c, do_input, q);
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

/* tcp_recved() counts in 16 bit and would say each part for itself: lwIP holds
 * its tongue while it believes to be in tcp_input().  A window worth telling
 * of is one that takes a segment of the app's (RFC 9293 3.8.6.2.2), not one of
 * ours, which are larger. */
static void tell_read(struct stack_conn *c)
{
	u16_t mss = c->pcb->mss;

	c->through += c->unread;
	c->unread += stack_window_more(c);
	c->pcb->mss = c->app_mss;
	tcp_input_pcb = c->pcb;
	while (c->unread) {
		u16_t part = (u16_t)MIN(c->unread, 0xFFFFu);

		c->unread -= part;
		tcp_recved(c->pcb, part);
	}
	tcp_input_pcb = NULL;
	c->pcb->mss = mss;
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
		if (p == c->up_settled)
			c->up_settled = NULL;
		p->next = NULL;
		pbuf_free(p);
	}
	c->up_taken = (uint32_t)len;
	if (!c->up_head) {
		c->up_tail = NULL;
		c->up_taken = 0;
	}
}

/* A bin is a pbuf that takes more than one piece: it keeps how much in all in
 * tot_len. */
static bool has_room(const struct pbuf *bin, size_t len)
{
	return bin && bin->flags & BIN && bin->len + len <= bin->tot_len;
}

/* Twice as large as the one before it, so that little is wasted on little. */
static struct pbuf *new_bin(const struct pbuf *before, size_t len)
{
	size_t size = BIN_LEAST;
	struct pbuf *p;

	if (before && before->flags & BIN)
		size = MIN(before->tot_len * 2u, BIN_MOST);
	size = MAX(size, len);
	p = pbuf_alloc(PBUF_RAW, (u16_t)size, PBUF_RAM);
	if (p) {
		p->flags |= BIN;
		p->len = 0;
	}
	return p;
}

/* Does it waste much of the memory it lies in? */
static bool is_small(const struct pbuf *p)
{
	if (p->flags & PBUF_FLAG_IS_CUSTOM)
		return p->len <
		       ((struct stack_ref *)p)->buf->cap / STACK_KEEP_SMALL;
	return p->len < BIN_LEAST;
}

void stack_settle(struct stack_conn *c)
{
	struct pbuf *last = c->up_settled, *p, *next, *bin;

	for (p = last ? last->next : c->up_head; p; p = next) {
		next = p->next;
		if (!is_small(p)) {
			last = p;
			continue;
		}
		if (!has_room(last, p->len)) {
			bin = new_bin(last, p->len);
			if (!bin)
				break; /* it stays where it is */
			if (last)
				last->next = bin;
			else
				c->up_head = bin;
			last = bin;
		}
		memcpy((uint8_t *)last->payload + last->len, p->payload,
		       p->len);
		last->len = (u16_t)(last->len + p->len);
		last->next = next;
		p->next = NULL;
		pbuf_free(p);
	}
	c->up_settled = last;
	if (!p)
		c->up_tail = last;
}

void stack_free_queue(struct stack_conn *c)
{
	struct pbuf *p;

	while ((p = c->up_head)) {
		c->up_head = p->next;
		p->next = NULL;
		pbuf_free(p);
	}
	c->up_tail = c->up_settled = NULL;
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

size_t stack_unsent(const struct stack_conn *c)
{
	return c->pcb ? c->pcb->snd_lbb - c->pcb->snd_nxt : 0;
}

size_t stack_unacked(const struct stack_conn *c)
{
	return c->pcb ? c->pcb->snd_nxt - c->pcb->lastack : 0;
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
		stack_call(c, do_write, &w);
	return w.err;
}

/* lwIP puts a FIN on the last segment that waits, and leaves it on the first
 * part when it cuts that segment to the window: the app would see the end
 * before the last bytes.  So it gets a segment of its own before that. */
bool stack_fin_apart(struct tcp_pcb *pcb)
{
	struct tcp_seg *last = pcb->unsent;

	while (last && last->next)
		last = last->next;
	if (!last || !last->len || !(TCPH_FLAGS(last->tcphdr) & TCP_FIN))
		return true;
	TCPH_UNSET_FLAG(last->tcphdr, TCP_FIN);
	if (tcp_enqueue_flags(pcb, TCP_FIN) == ERR_OK)
		return true;
	TCPH_SET_FLAG(last->tcphdr, TCP_FIN);
	return false;
}

/* A first segment larger than what the app takes now would wait for lwIP's
 * persist timer: cut it to fit, unless that would make it silly
 * (RFC 9293 3.8.6.2.1). */
void stack_fit_window(struct stack_conn *c, struct tcp_pcb *pcb)
{
	struct tcp_seg *seg = pcb->unsent;
	u32_t wnd = MIN(pcb->snd_wnd, pcb->cwnd);

	if (!seg || pcb->unacked || seg->len <= wnd)
		return;
	if (wnd >= MIN(c->app_mss, pcb->snd_wnd_max / 2) && wnd &&
	    stack_fin_apart(pcb))
		tcp_split_unsent_seg(pcb, (u16_t)wnd);
}

static void do_flush(struct stack_conn *c, void *arg)
{
	(void)arg;
	tell_read(c);
	if (c->pcb->flags & TF_ACK_DELAY)
		tcp_ack_now(c->pcb);
	stack_fit_window(c, c->pcb);
	tcp_output(c->pcb);
}

bool stack_may_wait(const struct stack_conn *c)
{
	const struct tcp_pcb *pcb = c->pcb;

	return pcb && pcb->state == ESTABLISHED && !pcb->unsent &&
	       (pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW)) == TF_ACK_DELAY &&
	       c->unread + c->up_bytes < c->app_mss;
}

void stack_flush(struct stack_conn *c)
{
	if (c->pcb)
		stack_call(c, do_flush, NULL);
}

static void do_shut(struct stack_conn *c, void *arg)
{
	(void)arg;
	tcp_input_pcb = c->pcb; /* nothing is sent yet: see tell_read() */
	tcp_shutdown(c->pcb, 0, 1);
	tcp_input_pcb = NULL;
	tcp_output(c->pcb);
}

void stack_shut(struct stack_conn *c)
{
	if (!c->pcb || c->fin_sent)
		return;
	c->fin_sent = true;
	stack_call(c, do_shut, NULL);
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
