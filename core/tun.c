/* SPDX-License-Identifier: MIT */
/* tun.c - packets from and to the device
 *
 *	closed --open--> open --start--> watched <--10 ms-- paused
 *	                         much |  ^ |  \--error-----^
 *	                              v  | nothing
 *	                             polled --device gone--> ended()
 *
 * A turn takes at most TURN_PACKETS or TURN_BYTES, then the loop goes on: the
 * descriptor is level-triggered, what is left calls again.  While there is
 * much it is not watched but read each turn: for each packet it queues, the
 * kernel goes through those who watch.
 *
 * A write is never lost because the device is busy: a lost segment costs the
 * app half a second.  It waits here, copied, and all later ones behind it,
 * up to OUTQ_BYTES; beyond that the newest is dropped and counted.
 */
#include "tun.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tundev.h"
#include "tunlink.h"

#define TURN_PACKETS 256
#define TURN_BYTES   (1u << 20)
#define POLL_PACKETS 160 /* a turn's, from which on it is not watched */
#define RETRY_MS     10  /* requirement TUN-6 */
#define OUTQ_BYTES   (4u << 20)
#define OPS_BATCH    16
#define BIG_BYTES    65536 /* an IP packet is at most 65535 */
#define VNET_BYTES   sizeof(struct virtio_net_hdr)

struct tun_out {
	struct list node;
	uint32_t len;  /* of data */
	uint32_t vnet; /* of that, the header */
	uint8_t data[];
};

static const struct virtio_net_hdr no_offload;

static void flush_outq(struct tun *t);

_Static_assert(VNET_BYTES <= sizeof(((struct tun_buf *)0)->head),
	       "the vnet header is read to where head ends");
_Static_assert(offsetof(struct tun_buf, data) ==
		       offsetof(struct tun_buf, head) +
			       sizeof(((struct tun_buf *)0)->head),
	       "and the packet follows it");

/* --- buffers ------------------------------------------------------------- */

static uint32_t buf_bytes(const struct tun *t)
{
	if (t->big)
		return BIG_BYTES;
	/* 2 KiB slots, so that a read is whole and a page is not crossed more
	 * often than need be. */
	return MIN((t->mtu + 2047u) & ~2047u, BIG_BYTES);
}

static struct tun_buf *buf_new(struct tun *t)
{
	struct pool *pool = t->wide.size ? &t->wide : &t->bufs;
	struct tun_buf *b = pool_get(pool);

	if (!b)
		return NULL;
	b->tun = t;
	b->refs = 1;
	b->cap = (uint32_t)(pool->size - sizeof(*b));
	return b;
}

void tun_buf_put(struct tun_buf *b)
{
	struct tun *t = b->tun;

	assert(b->refs);
	if (--b->refs)
		return;
	pool_put(b->cap + sizeof(*b) == t->bufs.size ? &t->bufs : &t->wide, b);
}

/* A read of a packet larger than the buffer gives its beginning.  There are
 * two sizes of buffers, so that one change is followed and many cost no
 * memory. */
void tun_set_mtu(struct tun *t, uint32_t mtu)
{
	t->mtu = mtu;
	if (t->wide.size || buf_bytes(t) + sizeof(*t->cur) <= t->bufs.size)
		return;
	pool_init(&t->wide, "tun-wide", sizeof(struct tun_buf) + BIG_BYTES, 0,
		  0);
	if (t->cur)
		tun_buf_put(t->cur);
	t->cur = NULL;
}

/* --- up ------------------------------------------------------------------ */

static void count_up(struct tun *t, size_t bytes)
{
	stats_inc(t->stats, tun_up_packets);
	stats_add(t->stats, tun_up_bytes, bytes);
}

static void pause_reading(struct tun *t)
{
	if (t->fd >= 0) {
		loop_del(t->loop, &t->watch);
		t->paused = true;
	}
	loop_timer(t->loop, &t->retry, RETRY_MS);
}

static void end(struct tun *t, int err)
{
	if (t->fd >= 0)
		loop_del(t->loop, &t->watch);
	loop_timer_stop(t->loop, &t->retry);
	loop_work_cancel(&t->more);
	t->ended(t, err);
}

/* A read gave n, which is no packet.  Is that just all for now? */
static bool read_failed(struct tun *t, ssize_t n, uint32_t events)
{
	int err = n ? errno : 0;

	switch (err) {
	case EAGAIN:
		if (!(events & EPOLLHUP))
			return true;
		err = 0;
		/* fall through */
	case 0: /* the other end of a socketpair */
	case EBADF:
	case EBADFD: /* the device was deleted */
	case ECONNRESET:
	case ENOTCONN:
		end(t, -err);
		return false;
	}
	stats_inc(t->stats, tun_read_errors);
	pause_reading(t);
	return false;
}

static void hand_over(struct tun *t, struct tun_buf *b, size_t len)
{
	const struct virtio_net_hdr *vh = &no_offload;

	if (t->vnet) {
		vh = (void *)(b->data - VNET_BYTES);
		if (len < VNET_BYTES) {
			stats_inc(t->stats, drop_short);
			return;
		}
		len -= VNET_BYTES;
	}
	count_up(t, len);
	t->packet(t, b, (uint32_t)len, vh);
}

/* What a turn takes: how many packets that was, or -1 when reading ended. */
static int read_share(struct tun *t, uint32_t events)
{
	const size_t head = t->vnet ? VNET_BYTES : 0;
	size_t bytes = 0;
	int packets = 0;
	ssize_t n;

	while (packets < TURN_PACKETS && bytes < TURN_BYTES) {
		if (!t->cur)
			t->cur = buf_new(t);
		if (!t->cur) {
			pause_reading(t);
			return -1;
		}
		n = read(t->fd, t->cur->data - head, t->cur->cap + head);
		if (n <= 0) {
			if (n < 0 && errno == EINTR)
				continue;
			return read_failed(t, n, events) ? packets : -1;
		}
		packets++;
		bytes += (size_t)n;
		hand_over(t, t->cur, (size_t)n);
		if (t->cur->refs > 1) {
			tun_buf_put(t->cur);
			t->cur = NULL;
		}
	}
	return packets;
}

static void read_ready(struct loop_fd *f, uint32_t events)
{
	struct tun *t = container_of(f, struct tun, watch);

	if (events & EPOLLOUT)
		flush_outq(t);
	if (read_share(t, events) < POLL_PACKETS)
		return;
	loop_del(t->loop, &t->watch);
	loop_soon(t->loop, &t->more);
}

static void watch(struct tun *t)
{
	uint32_t events = EPOLLIN | (list_empty(&t->outq) ? 0 : EPOLLOUT);

	t->paused = loop_add(t->loop, &t->watch, t->fd, events, read_ready) < 0;
	if (t->paused)
		loop_timer(t->loop, &t->retry, RETRY_MS);
}

static void read_polled(struct loop_work *w)
{
	struct tun *t = container_of(w, struct tun, more);
	int packets = read_share(t, 0);

	if (packets > 0)
		loop_soon(t->loop, &t->more);
	else if (!packets)
		watch(t);
}

/* One batch of an embedder's packets; false when there are none left. */
static bool read_ops(struct tun *t, size_t *bytes)
{
	struct tun_buf *b[OPS_BATCH];
	struct iovec v[OPS_BATCH];
	int n = 0, got = 0;

	while (n < OPS_BATCH && (b[n] = buf_new(t))) {
		v[n].iov_base = b[n]->data;
		v[n].iov_len = b[n]->cap;
		n++;
	}
	if (n)
		got = t->ops.read(t->ops.arg, v, n);
	else
		pause_reading(t);
	for (int i = 0; i < n; i++) {
		if (i < got && v[i].iov_len <= b[i]->cap) {
			*bytes += v[i].iov_len;
			count_up(t, v[i].iov_len);
			t->packet(t, b[i], (uint32_t)v[i].iov_len, &no_offload);
		}
		tun_buf_put(b[i]);
	}
	if (got < 0)
		end(t, got);
	return got > 0;
}

static void read_more(struct loop_work *w)
{
	struct tun *t = container_of(w, struct tun, more);
	size_t bytes = 0;

	for (int i = 0; i < TURN_PACKETS / OPS_BATCH; i++) {
		if (!read_ops(t, &bytes))
			return;
		if (bytes >= TURN_BYTES)
			break;
	}
	loop_soon(t->loop, &t->more);
}

void tun_ready(struct tun *t)
{
	flush_outq(t);
	loop_soon(t->loop, &t->more);
}

/* --- down ---------------------------------------------------------------- */

/* As writev(2), 0 or a positive errno.  v is the vnet header, if there is
 * one, and the packet. */
static int write_once(struct tun *t, const struct iovec *v, int n)
{
	ssize_t r;

	if (t->ops.write)
		return -t->ops.write(t->ops.arg, v, n);
	do
		r = n == 1 ? write(t->fd, v->iov_base, v->iov_len) :
			     writev(t->fd, v, n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? errno : 0;
}

/* Is it the device that is busy, rather than the packet that is bad? */
static bool is_busy(int err)
{
	return err == EAGAIN || err == ENOBUFS || err == ENOMEM;
}

static void count_down(struct tun *t, size_t bytes)
{
	stats_inc(t->stats, tun_down_packets);
	stats_add(t->stats, tun_down_bytes, bytes);
}

/* EAGAIN: epoll says when.  For the rest it would say "now" for ever. */
static void wait_for_room(struct tun *t, int err)
{
	if (t->watch.fd >= 0)
		loop_mod(t->loop, &t->watch,
			 EPOLLIN | (err == EAGAIN ? EPOLLOUT : 0));
	if ((err != EAGAIN || t->watch.fd < 0) && !timer_is_set(&t->retry))
		loop_timer(t->loop, &t->retry, RETRY_MS);
}

static void out_free(struct tun *t, struct tun_out *o)
{
	list_del(&o->node);
	t->outq_bytes -= o->len;
	free(o);
}

static void flush_outq(struct tun *t)
{
	struct tun_out *o;
	struct iovec v;
	int err;

	while (!list_empty(&t->outq)) {
		o = list_first(&t->outq, struct tun_out, node);
		v.iov_base = o->data;
		v.iov_len = o->len;
		err = write_once(t, &v, 1);
		if (is_busy(err)) {
			wait_for_room(t, err);
			return;
		}
		if (err)
			stats_inc(t->stats, tun_write_dropped);
		else
			count_down(t, o->len - o->vnet);
		out_free(t, o);
	}
	if (t->watch.fd >= 0)
		loop_mod(t->loop, &t->watch, EPOLLIN);
}

static int queue(struct tun *t, const struct iovec *v, int n, size_t len)
{
	struct tun_out *o = NULL;
	uint8_t *p;

	if (t->outq_bytes + len <= OUTQ_BYTES)
		o = malloc(sizeof(*o) + len);
	if (!o) {
		stats_inc(t->stats, tun_write_dropped);
		return -ENOBUFS;
	}
	p = o->data;
	for (int i = 0; i < n; i++) {
		memcpy(p, v[i].iov_base, v[i].iov_len);
		p += v[i].iov_len;
	}
	o->len = (uint32_t)len;
	o->vnet = t->vnet ? VNET_BYTES : 0;
	t->outq_bytes += o->len;
	list_add_tail(&t->outq, &o->node);
	return 0;
}

int tun_write(struct tun *t, const struct virtio_net_hdr *vh, struct iovec *v,
	      int n)
{
	size_t len = 0;
	int err, r;

	assert(t->vnet || !vh || (!vh->flags && !vh->gso_type));
	for (int i = 1; i < n; i++)
		len += v[i].iov_len;
	if (t->vnet) {
		v[0].iov_base = (void *)(vh ? vh : &no_offload);
		v[0].iov_len = VNET_BYTES;
	} else {
		v++;
		n--;
	}
	if (!list_empty(&t->outq))
		return queue(t, v, n, len + (t->vnet ? VNET_BYTES : 0));
	err = write_once(t, v, n);
	if (likely(!err)) {
		count_down(t, len);
		return 0;
	}
	if (is_busy(err)) {
		r = queue(t, v, n, len + (t->vnet ? VNET_BYTES : 0));
		if (!r)
			wait_for_room(t, err);
		return r;
	}
	stats_inc(t->stats, tun_write_dropped);
	return -err;
}

/* --- open and close ------------------------------------------------------ */

static void retry(struct timer *timer)
{
	struct tun *t = container_of(timer, struct tun, retry);

	if (t->paused)
		watch(t);
	if (t->fd < 0)
		loop_soon(t->loop, &t->more);
	flush_outq(t);
}

int tun_open(struct tun *t, struct loop *loop, struct stats *stats,
	     const struct tun_config *c, char *text, size_t text_len)
{
	int r;

	memset(t, 0, sizeof(*t));
	t->loop = loop;
	t->stats = stats;
	t->mtu = c->mtu;
	t->fd = t->netns = -1;
	t->watch.fd = t->link.fd = -1;
	list_init(&t->outq);
	timer_init(&t->retry, retry);
	loop_work_init(&t->more, c->ops ? read_more : read_polled);
	if (c->ops) {
		t->ops = *c->ops;
	} else {
		r = tundev_open(t, c, text, text_len);
		if (r) {
			t->loop = NULL; /* tun_close() has nothing to do */
			return r;
		}
	}
	t->big = t->tso;
	pool_init(&t->bufs, "tun", sizeof(struct tun_buf) + buf_bytes(t), 0, 0);
	return 0;
}

void tun_trim(struct tun *t)
{
	pool_trim(&t->bufs);
	if (t->wide.size)
		pool_trim(&t->wide);
}

int tun_start(struct tun *t)
{
	if (t->fd >= 0) {
		tunlink_start(t);
		return loop_add(t->loop, &t->watch, t->fd, EPOLLIN, read_ready);
	}
	loop_soon(t->loop, &t->more);
	return 0;
}

void tun_close(struct tun *t)
{
	if (!t->loop)
		return;
	loop_timer_stop(t->loop, &t->retry);
	loop_work_cancel(&t->more);
	if (t->watch.fd >= 0)
		loop_del(t->loop, &t->watch);
	tunlink_stop(t);
	while (!list_empty(&t->outq))
		out_free(t, list_first(&t->outq, struct tun_out, node));
	if (t->cur)
		tun_buf_put(t->cur);
	t->cur = NULL;
	pool_fini(&t->bufs);
	if (t->wide.size)
		pool_fini(&t->wide);
	if (t->fd >= 0)
		close(t->fd);
	if (t->netns >= 0)
		close(t->netns);
	t->fd = t->netns = -1;
	t->loop = NULL;
}
