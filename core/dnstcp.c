/* SPDX-License-Identifier: MIT */
/* dnstcp.c - DNS over TCP: messages out of a stream, and back into one
 *
 * Each message has its length before it, and TCP may cut anywhere: a message
 * that lies whole in one piece of the stream is read there, one that does not
 * is put together in c->in.  Queries are asked as they come and answered as
 * they are ready (RFC 7766, 6.2.1.1 and 7).
 *
 * Backpressure: while the app does not read its answers, or too many of its
 * queries wait, nothing is consumed and its window shuts.
 *
 * A connection is idle when no query of it is under way; bytes of one that
 * never gets whole do not count.  Its end is a FIN, and a RST if the app does
 * not care about that.
 */
#include <errno.h>
#include <stdlib.h>

#include "dnsq.h"
#include "flow.h"
#include "gateway.h"

#define PENDING_MAX 100u /* queries of one connection under way */
#define IN_MIN      1024u

struct dns_out {
	struct list node;
	uint32_t len, at;
	uint8_t data[];
};

struct dns_conn {
	struct dns *dns;
	struct sluice_flow *flow;
	struct list queries; /* of struct dnsq */
	uint32_t pending;
	struct list out; /* what the app has no room for yet */
	uint8_t *in;     /* a message in pieces, with its length */
	uint32_t in_got, in_cap;
	struct timer idle;
	bool busy;        /* in read_all() */
	bool eof, closed; /* the app's side, ours */
};

static void conn_end(struct dns_conn *c, int why)
{
	c->closed = true;
	sluice_abort(c->flow, why);
}

static void ask(struct dns_conn *c, const uint8_t *msg, size_t len)
{
	const struct sluice_flow_info *i = sluice_flow_info(c->flow);

	dnsq_up(c->dns, &i->app, &i->dst, i->uid, c, msg, len);
	/* Shorter than a header: there is no telling where the next message
	 * would begin. */
	if (len < DNSMSG_HEADER)
		conn_end(c, SLUICE_WHY_ERROR);
}

/* Room for a message of need bytes, of which have are here: more only as
 * they come, so that a lie about the length costs nothing. */
static bool in_room(struct dns_conn *c, uint32_t have, uint32_t need)
{
	uint32_t cap = MAX(c->in_cap, IN_MIN);
	uint8_t *p;

	while (cap < have)
		cap *= 2;
	cap = MIN(cap, MAX(need, IN_MIN));
	if (cap <= c->in_cap)
		return true;
	p = realloc(c->in, cap);
	if (!p)
		return false;
	c->in = p;
	c->in_cap = cap;
	return true;
}

/* Take the front of the stream into c->in. */
static void gather(struct dns_conn *c, const uint8_t *p, size_t len)
{
	uint32_t need = c->in_got < 2 ? 2 : 2u + get_be16(c->in);
	uint32_t n = (uint32_t)MIN(len, need - c->in_got);

	if (!in_room(c, c->in_got + n, need)) {
		conn_end(c, SLUICE_WHY_ERROR);
		return;
	}
	memcpy(c->in + c->in_got, p, n);
	sluice_consume(c->flow, n);
	c->in_got += n;
	if (c->in_got < 2 || c->in_got < 2u + get_be16(c->in))
		return;
	c->in_got = 0;
	ask(c, c->in + 2, get_be16(c->in));
	free(c->in);
	c->in = NULL;
	c->in_cap = 0;
}

static bool blocked(const struct dns_conn *c)
{
	return c->closed || c->pending >= PENDING_MAX || !list_empty(&c->out);
}

/* Read what may be read; once all is answered close after the app did. */
static void read_all(struct dns_conn *c)
{
	struct iovec v;
	size_t n = 1, left = 0;

	if (c->busy)
		return;
	c->busy = true;
	while (!blocked(c) && (left = sluice_peek(c->flow, &v, &n)) > 0) {
		const uint8_t *p = v.iov_base;
		size_t whole = v.iov_len < 2 ? 2 : 2u + get_be16(p);

		if (c->in_got || v.iov_len < whole) {
			gather(c, p, v.iov_len);
		} else {
			ask(c, p + 2, whole - 2);
			if (!c->closed)
				sluice_consume(c->flow, whole);
		}
		n = 1;
	}
	c->busy = false;
	if (c->eof && !left && !c->pending && !blocked(c)) {
		c->closed = true;
		sluice_shut(c->flow);
	}
}

static bool out_send(struct dns_conn *c, struct dns_out *o)
{
	o->at +=
		(uint32_t)sluice_send(c->flow, o->data + o->at, o->len - o->at);
	if (o->at < o->len)
		return false;
	list_del(&o->node);
	free(o);
	return true;
}

static void out_add(struct dns_conn *c, const uint8_t *head, size_t done,
		    const uint8_t *msg, uint32_t len)
{
	struct dns_out *o = malloc(sizeof(*o) + 2 + len);

	if (!o) {
		conn_end(c, SLUICE_WHY_ERROR);
		return;
	}
	memcpy(o->data, head, 2);
	memcpy(o->data + 2, msg, len);
	o->len = 2 + len;
	o->at = (uint32_t)done;
	list_add_tail(&c->out, &o->node);
}

void dnstcp_down(struct dns_conn *c, const uint8_t *msg, uint32_t len)
{
	uint8_t head[2];
	size_t done = 0;

	if (c->closed)
		return;
	put_be16(head, (uint16_t)len);
	if (list_empty(&c->out)) {
		done = sluice_send(c->flow, head, 2);
		if (done == 2)
			done += sluice_send(c->flow, msg, len);
	}
	if (done < 2u + len)
		out_add(c, head, done, msg, len);
}

static uint32_t idle_ms(const struct dns_conn *c)
{
	return (uint32_t)c->dns->gw->set.dns.tcp_idle;
}

static void conn_idle(struct timer *t)
{
	struct dns_conn *c = container_of(t, struct dns_conn, idle);

	if (!list_empty(&c->out)) {
		conn_end(c, SLUICE_WHY_IDLE);
		return;
	}
	c->closed = true;
	sluice_shut(c->flow);
	sluice_idle_after(c->flow, 2 * idle_ms(c));
}

void dnstcp_add(struct dns_conn *c, struct dnsq *q)
{
	list_add_tail(&c->queries, &q->conn_node);
	if (!c->pending++)
		loop_timer_stop(&c->dns->gw->loop, &c->idle);
}

void dnstcp_remove(struct dns_conn *c, struct dnsq *q)
{
	list_del(&q->conn_node);
	q->conn = NULL;
	if (!--c->pending && !c->closed)
		loop_timer(&c->dns->gw->loop, &c->idle, idle_ms(c));
	read_all(c);
}

static int conn_open(void *self, struct sluice_flow *f)
{
	struct dns_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	flow_of(f)->plug = c; /* freed with the flow */
	c->dns = self;
	c->flow = f;
	list_init(&c->queries);
	list_init(&c->out);
	timer_init(&c->idle, conn_idle);
	loop_timer(&c->dns->gw->loop, &c->idle, idle_ms(c));
	return SLUICE_TAKE;
}

static void conn_readable(void *self, struct sluice_flow *f)
{
	(void)self;
	read_all(sluice_flow_state(f));
}

static void conn_writable(void *self, struct sluice_flow *f)
{
	struct dns_conn *c = sluice_flow_state(f);

	(void)self;
	if (!c->pending && !c->closed)
		loop_timer(&c->dns->gw->loop, &c->idle, idle_ms(c));
	while (!list_empty(&c->out))
		if (!out_send(c, list_first(&c->out, struct dns_out, node)))
			return;
	read_all(c);
}

static void conn_eof(void *self, struct sluice_flow *f)
{
	struct dns_conn *c = sluice_flow_state(f);

	(void)self;
	c->eof = true;
	read_all(c);
}

static void conn_close(void *self, struct sluice_flow *f, int why)
{
	struct dns_conn *c = sluice_flow_state(f);

	(void)self;
	(void)why;
	if (!c)
		return; /* there was no memory for it */
	c->closed = true;
	loop_timer_stop(&c->dns->gw->loop, &c->idle);
	while (!list_empty(&c->queries))
		dnsq_orphan(list_first(&c->queries, struct dnsq, conn_node));
	while (!list_empty(&c->out)) {
		struct dns_out *o = list_first(&c->out, struct dns_out, node);

		list_del(&o->node);
		free(o);
	}
	free(c->in);
}

const struct sluice_flow_ops dnstcp_ops = {
	.size = sizeof(dnstcp_ops),
	.flags = SLUICE_FLOW_TCP,
	.open = conn_open,
	.readable = conn_readable,
	.writable = conn_writable,
	.eof = conn_eof,
	.close = conn_close,
};
