/* SPDX-License-Identifier: MIT */
/* udp_send.c - datagrams from the app to the net
 *
 * The TUN gives packets in batches.  Small datagrams are copied into one room
 * and sent at the end of the batch, each session with one sendmmsg(2); a run
 * of equal sizes to one peer is one message of it, cut by the kernel (UDP
 * GSO).  Large ones, and reads that are several datagrams already, go at
 * once from where they lie.
 *
 * A send can fail for the sake of an earlier datagram: the kernel reports an
 * ICMP error that came meanwhile.  So what failed is tried once more, and
 * only what then fails is the datagram's own fault, which the app is told.
 */
#include <errno.h>
#include <netinet/udp.h>

#include "udp.h"
#include "udpflow.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static uint16_t mail_gso(const struct msghdr *m)
{
	const struct cmsghdr *c = m->msg_control;
	uint16_t size;

	if (!m->msg_controllen)
		return 0;
	memcpy(&size, CMSG_DATA(c), sizeof(size));
	return size;
}

static void mail_set_gso(struct msghdr *m, struct udp_mail *mail, uint16_t size)
{
	struct cmsghdr *c = &mail->control.align;

	memset(&mail->control, 0, sizeof(mail->control));
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
	m->msg_control = c;
	m->msg_controllen = sizeof(mail->control);
}

static void mail_set(struct msghdr *m, struct udp_mail *mail,
		     const struct sluice_addr *to, struct iovec *v)
{
	memset(m, 0, sizeof(*m));
	m->msg_name = &mail->name;
	m->msg_namelen = dgram_name(&mail->name, to);
	m->msg_iov = v;
	m->msg_iovlen = 1;
}

/* ------------------------------------------------------------- failures */

static bool is_full(int err)
{
	return err == EAGAIN || err == ENOBUFS || err == ENOMEM;
}

/* The datagram in m cannot be sent, and it is its own fault. */
static void tell_errno(struct udp_flow *u, const struct msghdr *m, int err)
{
	struct udp *udp = u->f.gw->udp;
	uint8_t family = u->f.info.app.family;
	uint32_t extra = 0;
	struct sluice_addr dst;
	uint8_t type, code;

	/* What the kernel knows of the path's MTU is in the error queue. */
	udp->mtu = 0;
	udp_errors(u);
	if (is_full(err)) {
		stats_inc(&u->f.gw->stats, drop_limit);
		return;
	}
	if (err == EMSGSIZE)
		extra = udp->mtu ? udp->mtu : family == 6 ? 1280 : 0;
	if (addr_from_sockaddr(m->msg_name, &dst))
		return;
	dst.scope = 0;
	udp_as_seen(u, &dst);
	dgram_errno_icmp(family, err, &type, &code);
	udp_tell(u, NULL, &dst, m->msg_iov->iov_base, m->msg_iov->iov_len, type,
		 code, extra);
}

static void send_one(struct udp_flow *u, const struct msghdr *m)
{
	if (sendmsg(u->net.fd, m, 0) >= 0)
		return;
	if (!is_full(errno)) {
		udp_errors(u);
		if (sendmsg(u->net.fd, m, 0) >= 0)
			return;
	}
	tell_errno(u, m, errno);
}

/* The run in m, one by one: in pieces as they came, or one piece in steps of
 * size. */
static void send_cut(struct udp_flow *u, const struct msghdr *m, uint16_t size)
{
	struct msghdr one = *m;
	struct iovec v;

	one.msg_control = NULL;
	one.msg_controllen = 0;
	one.msg_iovlen = 1;
	one.msg_iov = &v;
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		const struct iovec *all = &m->msg_iov[i];

		for (size_t at = 0; at < all->iov_len; at += size) {
			v.iov_base = (uint8_t *)all->iov_base + at;
			v.iov_len = MIN(size, all->iov_len - at);
			send_one(u, &one);
		}
	}
}

/* m failed with err.  A kernel or device that cannot do GSO says EIO, one
 * whose path is too narrow for the pieces EMSGSIZE or EINVAL; sent alone, each
 * piece gets its own answer. */
static void send_failed(struct udp_flow *u, const struct msghdr *m, int err)
{
	struct udp *udp = u->f.gw->udp;
	uint16_t size = mail_gso(m);

	if (!size) {
		if (is_full(err))
			tell_errno(u, m, err);
		else
			send_one(u, m);
		return;
	}
	if (is_full(err)) {
		stats_inc(&u->f.gw->stats, drop_limit);
		return;
	}
	if (err == EIO)
		udp->gso = false;
	udp_errors(u);
	send_cut(u, m, size);
}

/* ---------------------------------------------------------------- batch */

static void send_mails(struct udp_flow *u, unsigned int n)
{
	struct udp *udp = u->f.gw->udp;
	unsigned int at = 0;
	int sent;

	while (at < n) {
		sent = sendmmsg(u->net.fd, udp->m + at, n - at, 0);
		if (sent > 0) {
			at += (unsigned int)sent;
			continue;
		}
		if (errno == EINTR)
			continue;
		send_failed(u, &udp->m[at].msg_hdr, errno);
		at++;
	}
}

/* May o follow in a run whose first is head, `total` bytes long so far? */
static bool runs_on(const struct udp_out *head, const struct udp_out *prev,
		    const struct udp_out *o, size_t pieces, size_t total)
{
	return pieces < UDP_SEGS && prev->len == head->len && o->len &&
	       o->len <= head->len && total + o->len <= UDP_LARGE &&
	       dgram_hop_equal(&o->hop, &head->hop) &&
	       addr_equal(&o->to, &head->to);
}

/* Make mail number n of the datagrams from `at` on; their pieces begin at
 * v.  Gives the datagram that comes next, 0: none. */
static uint16_t make_mail(struct udp *udp, unsigned int n, struct iovec *v,
			  uint16_t at)
{
	const struct udp_out *head = &udp->out[at - 1], *prev, *o = head;
	struct msghdr *m = &udp->m[n].msg_hdr;
	size_t total = 0;
	size_t pieces = 0;

	mail_set(m, &udp->mail[n], &head->to, v);
	do {
		v[pieces++] = (struct iovec){ udp->room + o->at, o->len };
		total += o->len;
		at = o->next;
		prev = o;
		o = at ? &udp->out[at - 1] : NULL;
	} while (o && udp->gso && runs_on(head, prev, o, pieces, total));
	m->msg_iovlen = pieces;
	if (pieces > 1)
		mail_set_gso(m, &udp->mail[n], (uint16_t)head->len);
	return at;
}

void udp_send_batch(struct udp_flow *u)
{
	struct udp *udp = u->f.gw->udp;
	unsigned int n = 0;
	uint16_t at = u->first;
	struct iovec *v = udp->v;

	u->first = u->last = 0;
	if (u->f.state == FLOW_DEAD || u->net.fd < 0)
		return;
	while (at) {
		const struct udp_out *o = &udp->out[at - 1];

		if (!dgram_hop_equal(&u->hop, &o->hop)) {
			send_mails(u, n);
			n = 0;
			v = udp->v;
			dgram_hop_set(u->net.fd, u->family, &u->hop, &o->hop);
		}
		at = make_mail(udp, n, v, at);
		v += udp->m[n].msg_hdr.msg_iovlen;
		n++;
	}
	send_mails(u, n);
}

void udp_send_all(struct gateway *gw)
{
	struct udp *udp = gw->udp;
	struct list *pos, *tmp;

	if (!udp->out_n)
		return;
	list_for_each_safe(pos, tmp, &udp->ready)
		udp_send_batch(container_of(pos, struct udp_flow, ready));
	udp->out_n = udp->room_n = 0;
}

/* ------------------------------------------------------------------- up */

static void send_now(struct udp_flow *u, const struct sluice_addr *to,
		     const struct dgram_hop *hop, uint8_t *data, uint32_t len,
		     uint16_t gso_size)
{
	struct udp *udp = u->f.gw->udp;
	struct iovec v = { data, len };
	struct udp_mail mail;
	struct msghdr m;

	udp_send_batch(u);
	if (!dgram_hop_equal(&u->hop, hop))
		dgram_hop_set(u->net.fd, u->family, &u->hop, hop);
	mail_set(&m, &mail, to, &v);
	if (!gso_size || gso_size >= len) {
		send_one(u, &m);
		return;
	}
	if (!udp->gso) {
		send_cut(u, &m, gso_size);
		return;
	}
	mail_set_gso(&m, &mail, gso_size);
	if (sendmsg(u->net.fd, &m, 0) < 0)
		send_failed(u, &m, errno);
}

/* Where a datagram for dst goes. */
static void target(struct udp_flow *u, const struct sluice_addr *dst,
		   struct sluice_addr *to)
{
	struct sluice_addr key;

	if (u->to.family && addr_equal(dst, &u->f.info.dst))
		*to = u->to;
	else
		gateway_target(u->f.gw, dst, to);
	if (u->filtering == SLUICE_PEERS_ANY)
		return;
	key = *to;
	key.scope = 0;
	if (u->filtering == SLUICE_PEERS_ADDR)
		key.port = 0;
	/* Without memory the answer will be dropped, as one not asked for. */
	peerset_add(&u->heard, &key);
}

void udp_send(struct udp_flow *u, const struct sluice_addr *dst,
	      const struct dgram_hop *hop, uint8_t *data, uint32_t len,
	      uint16_t gso_size)
{
	struct gateway *gw = u->f.gw;
	struct udp *udp = gw->udp;
	struct sluice_addr to;
	struct udp_out *o;

	target(u, dst, &to);
	if (gso_size || len > UDP_SMALL) {
		send_now(u, &to, hop, data, len, gso_size);
		return;
	}
	if (udp->out_n == UDP_BATCH || udp->room_n + len > UDP_ROOM)
		udp_send_all(gw);
	o = &udp->out[udp->out_n++];
	o->next = 0;
	o->at = udp->room_n;
	o->len = len;
	o->hop = *hop;
	o->to = to;
	memcpy(udp->room + o->at, data, len);
	udp->room_n += len;
	if (u->last)
		udp->out[u->last - 1].next = (uint16_t)udp->out_n;
	else
		u->first = (uint16_t)udp->out_n;
	u->last = (uint16_t)udp->out_n;
	if (list_empty(&u->ready))
		list_add_tail(&udp->ready, &u->ready);
}
