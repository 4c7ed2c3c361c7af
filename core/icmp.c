/* SPDX-License-Identifier: MIT */
/* icmp.c - echo: answered for the gateway address, forwarded elsewhere
 *
 *	echo request --> to the gateway, or [icmp] echo = reply: turned round
 *	     |
 *	     +--> flow by source and identifier --> dial --> socket --> net
 *	                                              |
 *	          refused: ICMP to the app <----------+
 *
 * A flow has a ping socket of its own, not connected: the kernel gives it an
 * identifier nobody else has (RFC 5508 REQ-1) and hands us the replies to
 * it.  Where it gives no ping sockets but we may have raw ones, the
 * identifier is a random one of ours, and a socket filter lets its replies
 * through alone.  The error queue brings "unreachable" and "time exceeded",
 * which the app gets with its own echo quoted: traceroute works.
 */
#include "icmp.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dgram.h"
#include "log.h"

#define HEAD  8  /* of an echo: type, code, sum, identifier, sequence */
#define BURST 32 /* replies of one flow in a turn */

enum { ECHO_FORWARD, ECHO_REPLY, ECHO_OFF }; /* as [icmp] echo has them */

struct icmp_flow {
	struct flow f; /* first; info.app.port is the app's identifier */
	struct loop_fd net;
	struct dgram_queue wait; /* echoes, from their type on */
	struct dgram_hop hop;    /* as the socket is set now */
	uint8_t family;
	bool raw;
	uint16_t raw_id; /* network order */
};
_Static_assert(sizeof(struct icmp_flow) <= 512, "ping flows are many");

struct icmp_state {
	uint32_t held; /* bytes in all wait queues */
	bool told;     /* that there are no ping sockets */
	struct dgram_error error;
	uint8_t room[PACKET_HEADERS_MAX]; /* for a header before data */
	uint8_t data[65536];
};

static struct icmp_flow *icmp_of(struct flow *f)
{
	return (struct icmp_flow *)f;
}

static uint8_t request_type(int family)
{
	return family == 4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
}

static uint8_t reply_type(int family)
{
	return family == 4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
}

/* ------------------------------------------------------------ to the app */

/* Send the packet, with the class it is to have. */
static void send_marked(struct gateway *gw, uint8_t *ip, size_t len,
			uint8_t tos, uint64_t flow_id)
{
	uint16_t sum = 0;

	if (ip[0] >> 4 == 6) {
		ip[0] = (uint8_t)(0x60 | tos >> 4);
		ip[1] = (uint8_t)(tos << 4);
	} else {
		ip[1] = tos;
		memcpy(ip + 10, &sum, sizeof(sum));
		sum = csum_fold(csum_add(0, ip, 20));
		memcpy(ip + 10, &sum, sizeof(sum));
	}
	gateway_send(gw, ip, len, flow_id);
}

/* Give the packet back as its answer: in place, with a header of our own
 * right before the echo, so that options and extensions are gone. */
static void answer_here(struct gateway *gw, struct packet *p)
{
	size_t head = p->version == 4 ? 20 : 40;
	uint8_t *out = p->l4 - head;
	size_t len;

	len = packet_icmp_echo(out, head + p->l4_len, &p->dst, &p->src,
			       reply_type(p->version), get_be16(p->l4 + 4),
			       get_be16(p->l4 + 6), DGRAM_TTL, p->data,
			       p->data_len);
	if (len)
		send_marked(gw, out, len, p->tos, 0);
}

/* The app's echo at data (from its type on, len bytes of it) failed; from
 * NULL: the gateway says so. */
static void tell(struct icmp_flow *i, const struct sluice_addr *from,
		 const struct sluice_addr *dst, const uint8_t *data, size_t len,
		 uint8_t type, uint8_t code, uint32_t extra)
{
	const struct sluice_addr *app = &i->f.info.app;
	uint8_t quote[PACKET_HEADERS_MAX + sizeof(struct dgram_error)];

	if (len < HEAD || dst->family != app->family ||
	    (from && from->family != app->family))
		return;
	len = packet_icmp_echo(quote, sizeof(quote), app, dst,
			       request_type(app->family), app->port,
			       get_be16(data + 6), 1, data + HEAD,
			       MIN(len - HEAD, 1224u));
	gateway_icmp_error(i->f.gw, from, quote, len, type, code, extra);
}

/* Take what is in the error queue; gives the MTU of the last EMSGSIZE. */
static uint32_t take_errors(struct icmp_flow *i)
{
	struct dgram_error *e = &i->f.gw->icmp->error;
	uint32_t mtu = 0;

	for (int k = 0; k < BURST && dgram_error_take(i->net.fd, e); k++) {
		if (e->local && e->err == EMSGSIZE)
			mtu = e->extra;
		if (!e->pass || !e->to.family || e->len < HEAD ||
		    e->data[0] != request_type(i->family) ||
		    (i->raw && memcmp(e->data + 4, &i->raw_id, 2)))
			continue;
		e->to.scope = e->from.scope = 0;
		gateway_untarget(i->f.gw, &e->to);
		gateway_untarget(i->f.gw, &e->from);
		tell(i, e->from.family ? &e->from : NULL, &e->to, e->data,
		     e->len, e->type, e->code, e->extra);
	}
	return mtu;
}

/* An echo reply of len bytes at h, with room for headers before it. */
static void deliver(struct icmp_flow *i, uint8_t *h, size_t len,
		    struct sluice_addr *from, const struct dgram_hop *hop)
{
	const struct sluice_addr *app = &i->f.info.app;
	uint8_t *out = h - (i->family == 4 ? 20 : 40);

	if (len < HEAD || h[0] != reply_type(i->family) || h[1] ||
	    (i->raw && memcmp(h + 4, &i->raw_id, 2)))
		return;
	from->scope = 0;
	gateway_untarget(i->f.gw, from);
	if (from->family != app->family)
		return;
	i->f.stats.down_pkts++;
	i->f.stats.down_bytes += len - HEAD;
	flow_touch(&i->f);
	len = packet_icmp_echo(out, (size_t)(h + len - out), from, app, h[0],
			       app->port, get_be16(h + 6), hop->ttl, h + HEAD,
			       len - HEAD);
	if (len)
		send_marked(i->f.gw, out, len, hop->tos, i->f.info.id);
}

/* True: there may be more. */
static bool receive(struct icmp_flow *i)
{
	struct icmp_state *icmp = i->f.gw->icmp;
	struct dgram_hop hop = { .ttl = DGRAM_TTL };
	union {
		struct cmsghdr align;
		uint8_t bytes[DGRAM_CONTROL];
	} control;
	union dgram_name name;
	struct iovec v = { icmp->data, sizeof(icmp->data) };
	struct msghdr m = {
		.msg_name = &name,
		.msg_namelen = sizeof(name),
		.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct sluice_addr from;
	uint8_t *h = icmp->data;
	size_t skip = 0;
	ssize_t got;

	got = recvmsg(i->net.fd, &m, MSG_DONTWAIT);
	if (got < 0) {
		if (errno == EAGAIN)
			return false;
		/* The error of an echo we sent: what it hides is still there. */
		take_errors(i);
		return true;
	}
	dgram_came(&m, &hop);
	/* A raw IPv4 socket gives the IP header too. */
	if (i->raw && i->family == 4 && got)
		skip = (h[0] & 15u) * 4;
	if ((size_t)got > skip && !addr_from_sockaddr(&name.sa, &from))
		deliver(i, h + skip, (size_t)got - skip, &from, &hop);
	return true;
}

static void on_net(struct loop_fd *w, uint32_t events)
{
	struct icmp_flow *i = container_of(w, struct icmp_flow, net);

	if (i->f.state == FLOW_DEAD)
		return;
	if (events & EPOLLERR)
		take_errors(i);
	for (int k = 0; k < BURST && events & EPOLLIN; k++)
		if (!receive(i))
			return;
}

/* ------------------------------------------------------------ to the net */

/* The echo at h goes to dst.  It is written over where the socket is raw. */
static void send_echo(struct icmp_flow *i, const struct sluice_addr *dst,
		      const struct dgram_hop *hop, uint8_t *h, size_t len)
{
	struct gateway *gw = i->f.gw;
	uint32_t mtu = 0, extra = 0;
	struct sluice_addr to;
	union dgram_name name;
	socklen_t name_len;
	uint8_t type, code;
	int err = 0;

	if (!dgram_hop_equal(&i->hop, hop))
		dgram_hop_set(i->net.fd, i->family, &i->hop, hop);
	if (i->raw) {
		uint16_t sum = 0;

		memcpy(h + 4, &i->raw_id, 2);
		memcpy(h + 2, &sum, 2);
		/* That of ICMPv6 is the kernel's to make. */
		if (i->family == 4) {
			sum = csum_fold(csum_add(0, h, len));
			memcpy(h + 2, &sum, 2);
		}
	}
	gateway_target(gw, dst, &to);
	to.port = 0;
	name_len = dgram_name(&name, &to);
	/* The first failure may be the error of an earlier echo. */
	for (int k = 0; k < 2; k++) {
		if (sendto(i->net.fd, h, len, 0, &name.sa, name_len) >= 0)
			return;
		err = errno;
		mtu = take_errors(i);
	}
	if (err == EAGAIN || err == ENOBUFS || err == ENOMEM) {
		stats_inc(&gw->stats, drop_limit);
		return;
	}
	if (err == EMSGSIZE)
		extra = mtu ? mtu : i->family == 6 ? 1280 : 0;
	dgram_errno_icmp(i->family, err, &type, &code);
	tell(i, NULL, dst, h, len, type, code, extra);
}

/* Only the replies to raw_id: of a packet from its IP header on (IPv4), or
 * from its ICMP header on. */
static int filter_raw(int fd, int family, uint16_t raw_id)
{
	struct sock_filter v4[] = {
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ECHOREPLY, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohs(raw_id), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter v6[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP6_ECHO_REPLY, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohs(raw_id), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {
		.len = family == 4 ? ARRAY_SIZE(v4) : ARRAY_SIZE(v6),
		.filter = family == 4 ? v4 : v6,
	};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)))
		return -errno;
	return 0;
}

/* 0, or -errno and fd is closed. */
static int take_socket(struct icmp_flow *i, int fd)
{
	socklen_t len = sizeof(int);
	int kind, family, err = 0;

	family = dgram_setup(fd, &i->hop);
	if (family < 0)
		err = family;
	else if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &len))
		err = -errno;
	if (!err && kind == SOCK_RAW) {
		i->raw = true;
		i->raw_id = (uint16_t)util_random32();
		err = filter_raw(fd, family, i->raw_id);
	}
	if (!err)
		err = loop_add(&i->f.gw->loop, &i->net, fd, EPOLLIN, on_net);
	if (err) {
		i->net.fd = -1;
		close(fd);
		return err;
	}
	i->family = (uint8_t)family;
	dgram_ask_hop(fd, family, true);
	return 0;
}

/* Once: is it the system that will not let us ping? */
static void log_refused(struct icmp_state *icmp, const struct flow *f)
{
	int domain = f->info.app.family == 4 ? AF_INET : AF_INET6;
	int fd;

	if (icmp->told)
		return;
	fd = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, f->type->proto);
	if (fd >= 0) {
		close(fd); /* then a plugin said no, and that was logged */
		return;
	}
	icmp->told = true;
	log_warn("pings are not forwarded: the system gives our group no ping "
		 "sockets: sysctl -w net.ipv4.ping_group_range=\"0 "
		 "2147483647\", or give sluice CAP_NET_RAW, or set [icmp] "
		 "echo = reply");
}

static void on_dialled(void *arg, int fd, const struct dial_error *e)
{
	struct icmp_flow *i = arg;
	struct icmp_state *icmp = i->f.gw->icmp;
	struct dgram *d;
	int err;

	i->f.dial = NULL;
	err = fd < 0 ? -e->err : take_socket(i, fd);
	if (err) {
		if (err == -EPERM || err == -EACCES)
			log_refused(icmp, &i->f);
		flow_refuse(&i->f, flow_why(err), e);
		return;
	}
	while ((d = i->wait.head)) {
		send_echo(i, &d->to, &d->hop, d->data, d->len);
		dgram_pop(&i->wait, &icmp->held);
	}
}

/* ------------------------------------------------------------- the flow */

static void on_accept(struct flow *f)
{
	struct dial_ask ask = {
		.proto = f->type->proto,
		.to = f->info.dst,
		.flow_id = f->info.id,
		.flags = DIAL_PING | SLUICE_DIAL_UNCONNECTED,
		.done = on_dialled,
		.arg = f,
	};

	f->dial = dial_start(f->gw, &ask);
	if (!f->dial)
		flow_refuse(f, SLUICE_WHY_ERROR, NULL);
}

static void on_refuse(struct flow *f, int why, const struct dial_error *e)
{
	struct icmp_flow *i = icmp_of(f);
	struct dgram *d = i->wait.head;
	uint8_t type, code;

	if (!d)
		return;
	if (e && e->family == f->info.app.family) {
		tell(i, e->from.family ? &e->from : NULL, &d->to, d->data,
		     d->len, e->type, e->code, e->extra);
		return;
	}
	gateway_icmp_why(f->info.app.family, why, e ? e->err : 0, &type, &code);
	tell(i, NULL, &d->to, d->data, d->len, type, code, 0);
}

static void on_destroy(struct flow *f)
{
	struct icmp_flow *i = icmp_of(f);
	int fd = i->net.fd;

	dgram_clear(&i->wait, &f->gw->icmp->held);
	if (fd < 0)
		return;
	loop_del(&f->gw->loop, &i->net);
	close(fd);
}

/* No plugin holds such a flow, so it has no functions for one. */
const struct flow_type icmp_type = {
	.proto = PACKET_ICMP,
	.chain = CHAIN_OBSERVE,
	.size = sizeof(struct icmp_flow),
	.accept = on_accept,
	.refuse = on_refuse,
	.destroy = on_destroy,
};

const struct flow_type icmp6_type = {
	.proto = PACKET_ICMPV6,
	.chain = CHAIN_OBSERVE,
	.size = sizeof(struct icmp_flow),
	.accept = on_accept,
	.refuse = on_refuse,
	.destroy = on_destroy,
};

/* -------------------------------------------------------------- the app */

static bool is_echo(const struct packet *p)
{
	return p->type == request_type(p->version) && p->code == 0;
}

static bool is_ours(const struct gateway *gw, const struct packet *p)
{
	return gw->set.icmp.echo == ECHO_REPLY || gateway_is_self(gw, &p->dst);
}

/* An ICMP error about the packet itself. */
static void refuse_packet(struct gateway *gw, const struct packet *p,
			  uint8_t type4, uint8_t code4, uint8_t type6,
			  uint8_t code6)
{
	bool v4 = p->version == 4;

	gateway_icmp_error(gw, NULL, p->ip, p->len, v4 ? type4 : type6,
			   v4 ? code4 : code6, 0);
}

/* 0 or -errno, as flow_new(). */
static int flow_for(struct gateway *gw, const struct packet *p, bool *is_new,
		    struct icmp_flow **out)
{
	const struct flow_type *type = p->version == 4 ? &icmp_type :
							 &icmp6_type;
	struct flow_key k;
	struct flow *f;
	int err;

	flow_key_set(&k, type->proto, &p->src, NULL);
	f = flowtab_find(&gw->flows, &k);
	*is_new = !f;
	if (!f) {
		err = flow_new(gw, type, &p->src, &p->dst, true, &f);
		if (err)
			return err;
		f->idle_ms = (uint32_t)gw->set.icmp.timeout;
		icmp_of(f)->net.fd = -1;
	}
	*out = icmp_of(f);
	return 0;
}

static void forward(struct gateway *gw, struct packet *p, bool whole)
{
	struct dgram_hop hop = {
		.ttl = (uint8_t)(p->ttl - 1),
		.tos = p->tos,
		/* What came in fragments may go on so. */
		.df = p->df && whole,
	};
	struct icmp_flow *i;
	bool is_new;
	int err;

	err = flow_for(gw, p, &is_new, &i);
	if (err) {
		if (err != -EAGAIN) /* RFC 5508, REQ-8 */
			refuse_packet(gw, p, ICMP_DEST_UNREACH,
				      ICMP_PKT_FILTERED, ICMP6_DST_UNREACH,
				      ICMP6_DST_UNREACH_ADMIN);
		return;
	}
	i->f.stats.up_pkts++;
	i->f.stats.up_bytes += p->data_len;
	flow_touch(&i->f);
	if (i->net.fd >= 0)
		send_echo(i, &p->dst, &hop, p->l4, p->l4_len);
	else if (dgram_push(&i->wait, &gw->icmp->held, &p->dst, &hop, p->l4,
			    p->l4_len))
		stats_inc(&gw->stats, drop_limit);
	if (is_new)
		flow_open(&i->f);
}

void icmp_up(struct gateway *gw, struct packet *p)
{
	if (!is_echo(p) || gw->set.icmp.echo == ECHO_OFF) {
		stats_inc(&gw->stats, drop_proto);
		return;
	}
	if (is_ours(gw, p)) {
		answer_here(gw, p);
		return;
	}
	if (p->ttl <= 1) {
		stats_inc(&gw->stats, drop_ttl);
		refuse_packet(gw, p, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL,
			      ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_TRANSIT);
		return;
	}
	/* What is larger than the TUN takes came in fragments. */
	forward(gw, p, p->len <= gw->set.mtu);
}

int icmp_init(struct gateway *gw)
{
	struct icmp_state *icmp = malloc(sizeof(*icmp));

	if (!icmp)
		return -ENOMEM;
	icmp->held = 0;
	icmp->told = false;
	gw->icmp = icmp;
	return 0;
}

void icmp_fini(struct gateway *gw)
{
	free(gw->icmp);
	gw->icmp = NULL;
}
