/* SPDX-License-Identifier: MIT */
/* udp_recv.c - datagrams and ICMP errors from the net to the app
 *
 * recvmmsg(2) fills buffers that all sessions share, each large enough for
 * what the kernel joins (UDP GRO).  Runs of equal sizes from one peer go to
 * the TUN in one write where it cuts them itself (USO); what is larger than
 * its MTU is cut into fragments.
 *
 * ICMP errors never end a session (RFC 4787 REQ-12), and an error that waits
 * in the socket must not cost the datagram behind it.
 */
#include <errno.h>
#include <netinet/udp.h>

#include "log.h"
#include "udp.h"
#include "udpflow.h"

#define PIECES (UDP_SEGS + 2) /* of a write: vnet header, headers, payload */
#define QUOTE  1232           /* payload in an ICMP error, at most */

/* ----------------------------------------------------------- to the TUN */

/* One datagram, or one USO write of several. */
static int write_one(struct gateway *gw, const struct sluice_addr *from,
		     const struct sluice_addr *app, const struct iovec *v,
		     int n, size_t len, uint16_t gso_size,
		     const struct dgram_hop *hop, uint64_t flow_id)
{
	size_t ip_len = app->family == 4 ? 20 : 40;
	bool cut = !gso_size && ip_len + 8 + len > gw->set.mtu;
	bool partial = gw->tun.csum && !cut;
	struct virtio_net_hdr vh = { 0 };
	uint8_t head[PACKET_HEADERS_MAX];
	struct iovec out[PIECES];
	size_t head_len;

	head_len =
		packet_udp_header(head, from, app, hop ? hop->ttl : DGRAM_TTL,
				  hop ? hop->tos : 0, true, 0, v, n, partial);
	if (!head_len)
		return -EMSGSIZE;
	out[1] = (struct iovec){ head, head_len };
	memcpy(out + 2, v, (size_t)n * sizeof(*v));
	if (!partial)
		return gateway_write(gw, NULL, out, n + 2, flow_id);
	vh.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vh.hdr_len = (uint16_t)head_len;
	vh.csum_start = (uint16_t)ip_len;
	vh.csum_offset = 6;
	if (gso_size) {
		vh.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
		vh.gso_size = gso_size;
	}
	return gateway_write(gw, &vh, out, n + 2, flow_id);
}

static bool can_join(const struct gateway *gw, int family, size_t size,
		     size_t total)
{
	size_t head = (family == 4 ? 20u : 40u) + 8;

	return gw->tun.uso && head + size <= gw->set.mtu &&
	       head + total <= PACKET_MAX;
}

int udp_down(struct gateway *gw, const struct sluice_addr *from,
	     const struct sluice_addr *app, const struct iovec *v, int n,
	     uint16_t gso_size, const struct dgram_hop *hop, uint64_t flow_id)
{
	struct iovec piece[UDP_SEGS];
	size_t len = 0, off = 0, want;
	int at = 0, k, r;

	if (n > UDP_SEGS)
		return -EINVAL;
	for (int i = 0; i < n; i++)
		len += v[i].iov_len;
	if (!gso_size || gso_size >= len)
		return write_one(gw, from, app, v, n, len, 0, hop, flow_id);
	if (can_join(gw, app->family, gso_size, len))
		return write_one(gw, from, app, v, n, len, gso_size, hop,
				 flow_id);
	while (len) {
		want = MIN(gso_size, len);
		len -= want;
		for (k = 0, r = (int)want; r > 0; k++) {
			size_t take = MIN((size_t)r, v[at].iov_len - off);

			piece[k].iov_base = (uint8_t *)v[at].iov_base + off;
			piece[k].iov_len = take;
			r -= (int)take;
			off += take;
			if (off == v[at].iov_len) {
				at++;
				off = 0;
			}
		}
		r = write_one(gw, from, app, piece, k, want, 0, hop, flow_id);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --------------------------------------------------------------- errors */

void udp_as_seen(const struct udp_flow *u, struct sluice_addr *a)
{
	const struct sluice_addr *dst = &u->f.info.dst;

	if (u->to.family && addr_ip_equal(a, &u->to)) {
		if (a->port == u->to.port)
			a->port = dst->port;
		a->family = dst->family;
		memcpy(a->ip, dst->ip, sizeof(a->ip));
		return;
	}
	gateway_untarget(u->f.gw, a);
}

void udp_tell(struct udp_flow *u, const struct sluice_addr *from,
	      const struct sluice_addr *dst, const void *data, size_t len,
	      uint8_t type, uint8_t code, uint32_t extra)
{
	const struct sluice_addr *app = &u->f.info.app;
	uint8_t quote[PACKET_HEADERS_MAX + QUOTE];
	struct iovec v = { (void *)data, MIN(len, QUOTE) };
	size_t head;

	if (dst->family != app->family || (from && from->family != app->family))
		return;
	head = packet_udp_header(quote, app, dst, 1, 0, true, 0, &v, 1, false);
	if (v.iov_len)
		memcpy(quote + head, v.iov_base, v.iov_len);
	gateway_icmp_error(u->f.gw, from, quote, head + v.iov_len, type, code,
			   extra);
}

void udp_errors(struct udp_flow *u)
{
	struct udp *udp = u->f.gw->udp;
	struct dgram_error *e = &udp->error;

	for (int i = 0; i < UDP_RECV && dgram_error_take(u->net.fd, e); i++) {
		if (e->local && e->err == EMSGSIZE)
			udp->mtu = e->extra;
		if (!e->pass || !e->to.family)
			continue;
		e->to.scope = e->from.scope = 0;
		udp_as_seen(u, &e->to);
		udp_as_seen(u, &e->from);
		udp_tell(u, e->from.family ? &e->from : NULL, &e->to, e->data,
			 e->len, e->type, e->code, e->extra);
	}
}

/* --------------------------------------------------------- from the net */

static bool may_hear(const struct udp_flow *u, const struct sluice_addr *from)
{
	struct sluice_addr key;

	if (u->filtering == SLUICE_PEERS_ANY)
		return true;
	key = *from;
	if (u->filtering == SLUICE_PEERS_ADDR)
		key.port = 0;
	return peerset_has(u->heard, &key);
}

/* Who sent it, as the app is to see it; false: the app is not to. */
static bool peer_of(const struct udp_flow *u, const union dgram_name *name,
		    struct sluice_addr *from)
{
	if (addr_from_sockaddr(&name->sa, from))
		return false;
	from->scope = 0;
	if (!may_hear(u, from))
		return false;
	udp_as_seen(u, from);
	/* This host's own loopback is not the app's to hear, unless by the
	 * name that host-loopback gives it. */
	return from->family == u->f.info.app.family && !addr_is_loopback(from);
}

static void prepare(struct udp_recv *r, int n)
{
	for (int i = 0; i < n; i++) {
		r->v[i].iov_base = r->data[i];
		r->v[i].iov_len = sizeof(r->data[i]);
		r->m[i].msg_hdr = (struct msghdr){
			.msg_name = &r->name[i],
			.msg_namelen = sizeof(r->name[i]),
			.msg_iov = &r->v[i],
			.msg_iovlen = 1,
			.msg_control = &r->control[i],
			.msg_controllen = sizeof(r->control[i]),
		};
	}
}

static bool same_peer(const struct udp_recv *r, int a, int b)
{
	socklen_t len = r->m[a].msg_hdr.msg_namelen;

	return r->m[b].msg_hdr.msg_namelen == len &&
	       !memcmp(&r->name[a], &r->name[b], len);
}

/* How many from i on (of n) make one write: equal sizes, one peer, one way to
 * travel; the last may be shorter. */
static int run_of(const struct udp_flow *u, const struct udp_recv *r, int i,
		  int n)
{
	size_t size = r->m[i].msg_len, total = size;
	int k = i + 1;

	while (k < n && r->m[k - 1].msg_len == size && r->m[k].msg_len &&
	       r->m[k].msg_len <= size && !r->came[k].gro &&
	       dgram_hop_equal(&r->came[i].hop, &r->came[k].hop) &&
	       same_peer(r, i, k) &&
	       can_join(u->f.gw, u->f.info.app.family, size,
			total + r->m[k].msg_len))
		total += r->m[k++].msg_len;
	return k - i;
}

/* To be told how a datagram came costs a quarter of reading it, and hardly
 * anybody marks datagrams.  So the kernel is asked about the first of a
 * session, and on if these are marked or the app's are; else the TTL is taken
 * to stay what it was. */
static void stop_asking(struct udp_flow *u, bool marked, int n)
{
	if (marked || u->hop.tos) {
		if (!u->asks)
			dgram_ask_hop(u->net.fd, u->family, true);
		u->asks = UDP_ASKS;
	}
	if (!u->asks || u->asks == UDP_ASKS)
		return;
	u->asks -= (uint8_t)MIN(n, u->asks);
	if (!u->asks)
		dgram_ask_hop(u->net.fd, u->family, false);
}

/* How the n datagrams came, and how long they are. */
static void read_control(struct udp_flow *u, struct udp_recv *r, int n)
{
	bool marked = false;

	for (int i = 0; i < n; i++) {
		struct udp_came *c = &r->came[i];

		r->v[i].iov_len = r->m[i].msg_len;
		c->hop = (struct dgram_hop){ .ttl = u->ttl };
		c->gro = dgram_came(&r->m[i].msg_hdr, &c->hop);
		marked |= c->hop.tos != 0;
		u->ttl = c->hop.ttl;
	}
	stop_asking(u, marked, n);
}

static void deliver(struct udp_flow *u, struct udp_recv *r, int n)
{
	struct gateway *gw = u->f.gw;
	struct sluice_addr from;
	bool heard = false;
	int last = -1, k;

	read_control(u, r, n);
	for (int i = 0; i < n; i += k) {
		uint16_t size = r->came[i].gro;

		if (last < 0 || !same_peer(r, last, i))
			heard = peer_of(u, &r->name[i], &from);
		last = i;
		k = 1;
		if (!heard) {
			stats_inc(&gw->stats, drop_filter);
			continue;
		}
		if (!size && i + 1 < n) {
			k = run_of(u, r, i, n);
			size = k > 1 ? (uint16_t)r->m[i].msg_len : 0;
		}
		for (int j = i; j < i + k; j++)
			u->f.stats.down_bytes += r->m[j].msg_len;
		u->f.stats.down_pkts++;
		udp_down(gw, &from, &u->f.info.app, r->v + i, k, size,
			 &r->came[i].hop, u->f.info.id);
	}
}

static void receive(struct udp_flow *u)
{
	struct udp_recv *r = &u->f.gw->udp->recv;
	int n;

	prepare(r, UDP_RECV);
	n = recvmmsg(u->net.fd, r->m, UDP_RECV, MSG_DONTWAIT, NULL);
	if (n < 0 && errno != EAGAIN) {
		/* That was the error of a datagram we sent. */
		udp_errors(u);
		n = recvmmsg(u->net.fd, r->m, UDP_RECV, MSG_DONTWAIT, NULL);
	}
	if (n <= 0)
		return;
	u->f.gw->udp->used = true;
	deliver(u, r, n);
	flow_touch(&u->f);
}

void udp_net(struct loop_fd *w, uint32_t events)
{
	struct udp_flow *u = container_of(w, struct udp_flow, net);

	if (u->f.state == FLOW_DEAD)
		return;
	if (events & EPOLLERR)
		udp_errors(u);
	if (events & EPOLLIN)
		receive(u);
}
