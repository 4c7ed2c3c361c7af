/* SPDX-License-Identifier: MIT */
/* udp.c - UDP sessions: one unconnected socket for each source
 *
 *	first datagram --> flow_open() --TAKE, by plugin--> dgrams()
 *	                       |
 *	                     LATER: datagrams wait, in a bounded queue
 *	                       |
 *	                     relay(fd) --> udp_send.c, udp_recv.c
 *
 * A session belongs to a source address and port, whatever it writes to
 * (endpoint-independent mapping, RFC 4787 REQ-1), unless peers() narrows it
 * inside open(): then it is filed under its destination too, and such keys
 * are looked up first, but only while there are any.
 *
 * A session that forwards holds no memory but itself and its socket.
 */
#include "udp.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "udpflow.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO     104
#endif

#define IDLE_MS 300000 /* where no plugin says: RFC 4787 REQ-5 */
#define ASKS    64 /* a peer that marks its datagrams does so from the first */

/* -------------------------------------------------------------- look-up */

static struct udp_flow *find(struct gateway *gw, const struct packet *p)
{
	const struct udp *udp = gw->udp;
	struct sluice_addr dst;
	struct flow *f = NULL;
	struct flow_key k;

	if (udp->by_pair) {
		flow_key_set(&k, PACKET_UDP, &p->src, &p->dst);
		f = flowtab_find(&gw->flows, &k);
	}
	if (!f && udp->by_addr) {
		dst = p->dst;
		dst.port = 0;
		flow_key_set(&k, PACKET_UDP, &p->src, &dst);
		f = flowtab_find(&gw->flows, &k);
	}
	if (!f) {
		flow_key_set(&k, PACKET_UDP, &p->src, NULL);
		f = flowtab_find(&gw->flows, &k);
	}
	return f ? udp_of(f) : NULL;
}

static void count_mapping(struct udp_flow *u, int by)
{
	struct udp *udp = u->f.gw->udp;

	if (u->mapping == SLUICE_PEERS_PORT)
		udp->by_pair += (uint32_t)by;
	else if (u->mapping == SLUICE_PEERS_ADDR)
		udp->by_addr += (uint32_t)by;
}

/* 0 or -errno, as flow_new(). */
static int session_new(struct gateway *gw, const struct packet *p,
		       struct udp_flow **out)
{
	struct udp_flow *u;
	struct flow *f;
	int err = flow_new(gw, &udp_type, &p->src, &p->dst, true, &f);

	if (err)
		return err;
	u = udp_of(f);
	u->net.fd = -1;
	list_init(&u->ready);
	f->idle_ms = IDLE_MS;
	*out = u;
	return 0;
}

/* --------------------------------------------------------------- the app */

void udp_wake(struct udp_flow *u)
{
	struct udp *udp = u->f.gw->udp;

	if (list_empty(&u->ready))
		list_add_tail(&udp->ready, &u->ready);
	loop_soon(&u->f.gw->loop, &udp->flush);
}

/* Nobody can send it yet, or a plugin will look at it. */
static void keep(struct udp_flow *u, const struct packet *p,
		 const struct dgram_hop *hop)
{
	struct gateway *gw = u->f.gw;
	uint32_t step = p->gso_size ? p->gso_size : p->data_len, at = 0;

	do {
		if (dgram_push(&u->wait, &gw->udp->held, &p->dst, hop,
			       p->data + at, MIN(step, p->data_len - at)))
			stats_inc(&gw->stats, drop_limit);
		at += step;
	} while (at < p->data_len);
	if (u->f.state == FLOW_OPEN && list_empty(&u->ready))
		list_add_tail(&gw->udp->ready, &u->ready);
}

static void tell(struct gateway *gw, const struct packet *p, uint8_t type4,
		 uint8_t code4, uint8_t type6, uint8_t code6)
{
	bool v4 = p->version == 4;

	gateway_icmp_error(gw, NULL, p->ip, p->len, v4 ? type4 : type6,
			   v4 ? code4 : code6, 0);
}

static bool is_expired(struct gateway *gw, const struct packet *p)
{
	if (likely(p->ttl > 1))
		return false;
	stats_inc(&gw->stats, drop_ttl);
	tell(gw, p, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, ICMP6_TIME_EXCEEDED,
	     ICMP6_TIME_EXCEED_TRANSIT);
	return true;
}

void udp_up(struct gateway *gw, struct packet *p, struct tun_buf *buf)
{
	struct udp_flow *u;
	struct dgram_hop hop = {
		.ttl = (uint8_t)(p->ttl - 1),
		.tos = p->tos, /* ECN too: the ends see to it */
		/* What came in fragments may go on so. */
		.df = p->df && buf,
	};
	bool is_new;
	int err = 0;

	if (is_expired(gw, p))
		return;
	u = find(gw, p);
	is_new = !u;
	if (is_new)
		err = session_new(gw, p, &u);
	if (err) {
		if (err != -EAGAIN) /* RFC 5508, REQ-8 */
			tell(gw, p, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED,
			     ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADMIN);
		return;
	}
	u->f.stats.up_pkts++;
	u->f.stats.up_bytes += p->data_len;
	flow_touch(&u->f);
	if (u->net.fd >= 0)
		udp_send(u, &p->dst, &hop, p->data, p->data_len, p->gso_size);
	else
		keep(u, p, &hop);
	if (is_new)
		flow_open(&u->f);
}

static void flush_work(struct loop_work *w)
{
	udp_flush(container_of(w, struct udp, flush)->gw);
}

void udp_flush(struct gateway *gw)
{
	struct udp *udp = gw->udp;
	struct list turn, *pos, *tmp;
	struct udp_flow *u;

	udp_send_all(gw);
	/* Plugins may make more ready while they are called. */
	list_init(&turn);
	list_splice_tail(&turn, &udp->ready);
	list_for_each_safe(pos, tmp, &turn)
	{
		u = container_of(pos, struct udp_flow, ready);
		list_del(&u->ready);
		if (u->wait.head)
			flow_readable(&u->f);
	}
}

/* ------------------------------------------------------------- the flow */

static void on_accept(struct flow *f)
{
	struct udp_flow *u = udp_of(f);

	if (u->wait.head)
		udp_wake(u);
}

static int on_more(struct flow *f)
{
	(void)f;
	return -EINVAL; /* there is no handshake that could be done first */
}

/* Where nothing was asked for, nobody is waiting to be told. */
static bool is_silent(const struct flow *f, int why)
{
	if (why == SLUICE_WHY_DONE || why == SLUICE_WHY_STOP)
		return true;
	if (why == SLUICE_WHY_POLICY && f->gw->set.gateway.refuse == 1)
		return true; /* gateway.refuse = drop */
	return f->state == FLOW_OPEN && why == SLUICE_WHY_IDLE;
}

static void on_refuse(struct flow *f, int why, const struct dial_error *e)
{
	const struct sluice_addr *from = NULL;
	struct udp_flow *u = udp_of(f);
	struct dgram *d = u->wait.head;
	uint32_t extra = 0;
	uint8_t type, code;

	if (is_silent(f, why))
		return;
	if (e && e->family == f->info.app.family) {
		type = e->type;
		code = e->code;
		extra = e->extra;
		from = e->from.family ? &e->from : NULL;
	} else if (why == SLUICE_WHY_REFUSED) {
		dgram_errno_icmp(f->info.app.family, ECONNREFUSED, &type,
				 &code);
		from = &f->info.dst;
	} else {
		gateway_icmp_why(f->info.app.family, why, e ? e->err : 0, &type,
				 &code);
	}
	if (d)
		udp_tell(u, from, &d->to, d->data, d->len, type, code, extra);
	else
		udp_tell(u, from, &f->info.dst, NULL, 0, type, code, extra);
}

/* What waited goes out, in order, as the socket's first. */
static void drain(struct udp_flow *u)
{
	struct udp *udp = u->f.gw->udp;
	struct dgram *d;

	while ((d = u->wait.head)) {
		udp_send(u, &d->to, &d->hop, d->data, d->len, 0);
		dgram_pop(&u->wait, &udp->held);
	}
	if (u->first)
		udp_wake(u);
}

static int on_relay(struct flow *f, int fd)
{
	struct udp_flow *u = udp_of(f);
	union dgram_name peer;
	socklen_t len = sizeof(peer);
	int family, one = 1, err;

	family = dgram_setup(fd, &u->hop);
	err = MIN(family, 0);
	if (!err)
		err = loop_add(&f->gw->loop, &u->net, fd, EPOLLIN, udp_net);
	if (err) {
		u->net.fd = -1;
		close(fd);
		return err;
	}
	u->family = (uint8_t)family;
	u->ttl = DGRAM_TTL;
	u->asks = ASKS;
	dgram_ask_hop(fd, family, true);
	/* Older kernels go without. */
	setsockopt(fd, IPPROTO_UDP, UDP_GRO, &one, sizeof(one));
	/* A connected socket says itself where it leads. */
	if (!getpeername(fd, &peer.sa, &len))
		addr_from_sockaddr(&peer.sa, &u->to);
	drain(u);
	return 0;
}

static void on_destroy(struct flow *f)
{
	struct udp_flow *u = udp_of(f);
	int fd = u->net.fd;

	count_mapping(u, -1);
	list_del(&u->ready);
	dgram_clear(&u->wait, &f->gw->udp->held);
	peerset_free(u->heard);
	if (fd < 0)
		return;
	loop_del(&f->gw->loop, &u->net);
	close(fd);
}

/* ------------------------------------------------- functions of plugins */

static int api_connect(struct sluice_flow *p, const struct sluice_addr *to,
		       const struct sluice_connect *how)
{
	struct udp_flow *u = udp_of(flow_of(p));

	memset(&u->to, 0, sizeof(u->to));
	if (to && !addr_equal(to, &u->f.info.dst))
		gateway_target(u->f.gw, to, &u->to);
	return flow_api_connect(p, to, how);
}

static size_t api_dgrams(struct sluice_flow *p, struct sluice_dgram *v,
			 size_t n)
{
	const struct dgram *d = udp_of(flow_of(p))->wait.head;
	size_t i;

	for (i = 0; d && i < n; i++, d = d->next) {
		v[i].iov.iov_base = (void *)d->data;
		v[i].iov.iov_len = d->len;
		v[i].peer = d->to;
	}
	return i;
}

static void api_dgrams_done(struct sluice_flow *p, size_t k)
{
	struct udp_flow *u = udp_of(flow_of(p));

	while (k-- && u->wait.head)
		dgram_pop(&u->wait, &u->f.gw->udp->held);
}

static size_t api_dgrams_send(struct sluice_flow *p,
			      const struct sluice_dgram *v, size_t n)
{
	struct flow *f = flow_of(p);
	size_t i;

	if (f->state == FLOW_DEAD)
		return 0;
	for (i = 0; i < n; i++) {
		const struct sluice_addr *from = &v[i].peer;

		if (!from->family)
			from = &f->info.dst;
		if (from->family != f->info.app.family ||
		    udp_down(f->gw, from, &f->info.app, &v[i].iov, 1, 0, NULL,
			     f->info.id) < 0)
			break;
		f->stats.down_pkts++;
		f->stats.down_bytes += v[i].iov.iov_len;
	}
	if (i)
		flow_touch(f);
	return i;
}

static void api_peers(struct sluice_flow *p, uint32_t mapping,
		      uint32_t filtering)
{
	struct flow *f = flow_of(p);
	struct udp_flow *u = udp_of(f);
	struct sluice_addr dst = f->info.dst;
	struct flow_key k;

	if (!f->asking || f->state == FLOW_DEAD ||
	    mapping > SLUICE_PEERS_PORT || filtering > SLUICE_PEERS_PORT)
		return;
	u->filtering = (uint8_t)filtering;
	if (mapping == SLUICE_PEERS_ADDR)
		dst.port = 0;
	flow_key_set(&k, PACKET_UDP, &f->info.app,
		     mapping == SLUICE_PEERS_ANY ? NULL : &dst);
	/* Also when this is its key already. */
	if (flowtab_find(&f->gw->flows, &k))
		return;
	flowtab_del(&f->gw->flows, f);
	f->key = k;
	count_mapping(u, -1);
	u->mapping = (uint8_t)mapping;
	count_mapping(u, 1);
	if (flowtab_add(&f->gw->flows, f))
		flow_refuse(f, SLUICE_WHY_ERROR, NULL);
}

static const struct sluice_flow_api udp_api = {
	.size = sizeof(udp_api),
	.info = flow_api_info,
	.stats = flow_api_stats,
	.state = flow_api_state,
	.resolve = flow_api_resolve,
	.relay = flow_api_relay,
	.connect = api_connect,
	.abort = flow_api_abort,
	.idle_after = flow_api_idle_after,
	.half_after = flow_api_half_after,
	.peek = flow_api_no_peek,
	.consume = flow_api_no_len,
	.reserve = flow_api_no_peek,
	.commit = flow_api_no_len,
	.send = flow_api_no_send,
	.send_ref = flow_api_no_ref,
	.dgrams = api_dgrams,
	.dgrams_done = api_dgrams_done,
	.dgrams_send = api_dgrams_send,
	.shut = flow_api_no_shut,
	.peers = api_peers,
};

const struct flow_type udp_type = {
	.proto = PACKET_UDP,
	.chain = CHAIN_UDP,
	.wants = SLUICE_FLOW_UDP,
	.size = sizeof(struct udp_flow),
	.accept = on_accept,
	.more = on_more,
	.refuse = on_refuse,
	.relay = on_relay,
	.destroy = on_destroy,
	.api = &udp_api,
};

/* ----------------------------------------------------------- start, stop */

int udp_init(struct gateway *gw)
{
	/* The buffers of udp_trim() are whole pages, whatever their size. */
	struct udp *udp = aligned_alloc(_Alignof(struct udp), sizeof(*udp));

	if (!udp)
		return -ENOMEM;
	/* Not the buffers: pages nobody touched cost nothing. */
	memset(udp, 0, offsetof(struct udp, out));
	udp->gw = gw;
	udp->gso = true;
	list_init(&udp->ready);
	loop_work_init(&udp->flush, flush_work);
	gw->udp = udp;
	return 0;
}

/* The buffers that all sessions share grow with the largest burst. */
void udp_trim(struct gateway *gw)
{
	struct udp_recv *r = &gw->udp->recv;

	if (!gw->udp->used)
		madvise(r->data, sizeof(r->data), MADV_DONTNEED);
	gw->udp->used = false;
}

void udp_fini(struct gateway *gw)
{
	if (!gw->udp)
		return;
	loop_work_cancel(&gw->udp->flush);
	free(gw->udp);
	gw->udp = NULL;
}
