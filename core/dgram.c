/* SPDX-License-Identifier: MIT */
/* dgram.c - what UDP sessions and pings share
 *
 * The error queue (IP_RECVERR) works on sockets that are not connected: it
 * names the datagram's destination, the router or host that refused it, and
 * quotes it.  That is all that is needed to tell the app the same.  Queues
 * copy: they are for the moment in which nobody knows yet where to send, and
 * bounded three ways, so that an app cannot fill us up.
 */
#include "dgram.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <stdlib.h>

#include "pool.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define BUFFER (4 << 20) /* bytes a socket may hold either way */

int dgram_push(struct dgram_queue *q, uint32_t *all,
	       const struct sluice_addr *to, const struct dgram_hop *hop,
	       const void *data, uint32_t len)
{
	struct dgram *d;

	if (q->count >= DGRAM_WAIT_COUNT || q->bytes + len > DGRAM_WAIT_BYTES ||
	    *all + len > DGRAM_WAIT_ALL)
		return -ENOBUFS;
	d = pool_malloc(sizeof(*d) + len);
	if (!d)
		return -ENOMEM;
	d->next = NULL;
	d->to = *to;
	d->hop = *hop;
	d->len = len;
	memcpy(d->data, data, len);
	if (q->tail)
		q->tail->next = d;
	else
		q->head = d;
	q->tail = d;
	q->count++;
	q->bytes += len;
	*all += len;
	return 0;
}

void dgram_pop(struct dgram_queue *q, uint32_t *all)
{
	struct dgram *d = q->head;

	q->head = d->next;
	if (!q->head)
		q->tail = NULL;
	q->count--;
	q->bytes -= d->len;
	*all -= d->len;
	pool_free(d);
}

void dgram_clear(struct dgram_queue *q, uint32_t *all)
{
	while (q->head)
		dgram_pop(q, all);
}

socklen_t dgram_name(union dgram_name *out, const struct sluice_addr *a)
{
	if (a->family == 4) {
		out->in = (struct sockaddr_in){
			.sin_family = AF_INET,
			.sin_port = htons(a->port),
		};
		memcpy(&out->in.sin_addr, a->ip, 4);
		return sizeof(out->in);
	}
	if (a->family != 6)
		return 0;
	out->in6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_port = htons(a->port),
		.sin6_scope_id = a->scope,
	};
	memcpy(&out->in6.sin6_addr, a->ip, 16);
	return sizeof(out->in6);
}

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

/* Beyond the system's limit where we may. */
static void set_buffer(int fd, int force, int plain)
{
	if (set_int(fd, SOL_SOCKET, force, BUFFER))
		set_int(fd, SOL_SOCKET, plain, BUFFER);
}

static void set_df(int fd, int family, bool df)
{
	if (family == 4)
		set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER,
			df ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
	else
		set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
			df ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_WANT);
}

int dgram_setup(int fd, struct dgram_hop *now)
{
	socklen_t len = sizeof(int);
	int domain, family, err;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len))
		return -errno;
	if (domain != AF_INET && domain != AF_INET6)
		return -EAFNOSUPPORT;
	family = domain == AF_INET ? 4 : 6;
	if (family == 4)
		err = set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
	else
		err = set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	if (err)
		return err;
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	set_df(fd, family, true);
	/* No TTL is 0, so the first datagram sets it. */
	*now = (struct dgram_hop){ .df = true };
	return family;
}

void dgram_hop_set(int fd, int family, struct dgram_hop *now,
		   const struct dgram_hop *want)
{
	if (now->ttl != want->ttl) {
		if (family == 4)
			set_int(fd, IPPROTO_IP, IP_TTL, want->ttl);
		else
			set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, want->ttl);
	}
	if (now->tos != want->tos) {
		if (family == 4)
			set_int(fd, IPPROTO_IP, IP_TOS, want->tos);
		else
			set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, want->tos);
	}
	if (now->df != want->df)
		set_df(fd, family, want->df);
	*now = *want;
}

void dgram_ask_hop(int fd, int family, bool on)
{
	if (family == 4) {
		set_int(fd, IPPROTO_IP, IP_RECVTTL, on);
		set_int(fd, IPPROTO_IP, IP_RECVTOS, on);
	} else {
		set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, on);
		set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, on);
	}
}

uint16_t dgram_came(struct msghdr *m, struct dgram_hop *hop)
{
	struct cmsghdr *c;
	int value, gro = 0;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		bool v6 = c->cmsg_level == IPPROTO_IPV6;

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
			hop->tos = *CMSG_DATA(c); /* the one that is a byte */
			continue;
		}
		memcpy(&value, CMSG_DATA(c), sizeof(value));
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
			gro = value;
		else if (v6 && c->cmsg_type == IPV6_TCLASS)
			hop->tos = (uint8_t)value;
		else if ((v6 && c->cmsg_type == IPV6_HOPLIMIT) ||
			 (c->cmsg_level == IPPROTO_IP &&
			  c->cmsg_type == IP_TTL))
			hop->ttl = (uint8_t)MAX(value - 1, 1);
	}
	return (uint16_t)gro;
}

/* What of an ICMP error the app is told, and the word after its checksum. */
static void classify(struct dgram_error *e, const struct sock_extended_err *ee)
{
	e->type = ee->ee_type;
	e->code = ee->ee_code;
	e->extra = 0;
	if (ee->ee_origin == SO_EE_ORIGIN_ICMP) {
		e->pass = e->type == ICMP_DEST_UNREACH ||
			  e->type == ICMP_TIME_EXCEEDED ||
			  e->type == ICMP_PARAMETERPROB;
		if (e->type == ICMP_DEST_UNREACH && e->code == ICMP_FRAG_NEEDED)
			e->extra = ee->ee_info;
		else if (e->type == ICMP_PARAMETERPROB)
			e->extra = ee->ee_info << 24;
	} else if (ee->ee_origin == SO_EE_ORIGIN_ICMP6) {
		e->pass = e->type >= ICMP6_DST_UNREACH &&
			  e->type <= ICMP6_PARAM_PROB;
		if (e->type == ICMP6_PACKET_TOO_BIG ||
		    e->type == ICMP6_PARAM_PROB)
			e->extra = ee->ee_info;
	} else {
		e->local = ee->ee_origin == SO_EE_ORIGIN_LOCAL;
		e->extra = ee->ee_info;
	}
}

int dgram_error_take(int fd, struct dgram_error *e)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct sock_extended_err) +
					 sizeof(struct sockaddr_in6)) +
			      DGRAM_CONTROL];
	} control;
	union dgram_name name = { .sa.sa_family = AF_UNSPEC };
	struct iovec v = { e->data, sizeof(e->data) };
	struct msghdr m = {
		.msg_name = &name,
		.msg_namelen = sizeof(name),
		.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct sock_extended_err *ee;
	socklen_t len = sizeof(int);
	struct cmsghdr *c;
	int pending;
	ssize_t got;

	got = recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
	if (got < 0) {
		/* An error the queue had no room for would be reported by
		 * epoll for ever. */
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &len);
		return 0;
	}
	e->err = 0;
	e->local = e->pass = false;
	e->type = e->code = 0;
	e->extra = 0;
	e->len = (size_t)got;
	memset(&e->from, 0, sizeof(e->from));
	if (addr_from_sockaddr(&name.sa, &e->to))
		memset(&e->to, 0, sizeof(e->to));
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (!(c->cmsg_level == IPPROTO_IP &&
		      c->cmsg_type == IP_RECVERR) &&
		    !(c->cmsg_level == IPPROTO_IPV6 &&
		      c->cmsg_type == IPV6_RECVERR))
			continue;
		ee = (struct sock_extended_err *)CMSG_DATA(c);
		e->err = (int)ee->ee_errno;
		classify(e, ee);
		if (addr_from_sockaddr(SO_EE_OFFENDER(ee), &e->from))
			memset(&e->from, 0, sizeof(e->from));
	}
	return 1;
}

void dgram_errno_icmp(int family, int err, uint8_t *type, uint8_t *code)
{
	bool v4 = family == 4;

	*type = v4 ? ICMP_DEST_UNREACH : ICMP6_DST_UNREACH;
	switch (err) {
	case EMSGSIZE:
		*type = v4 ? ICMP_DEST_UNREACH : ICMP6_PACKET_TOO_BIG;
		*code = v4 ? ICMP_FRAG_NEEDED : 0;
		break;
	case EACCES:
	case EPERM:
	case EADDRNOTAVAIL:
		*code = v4 ? ICMP_PKT_FILTERED : ICMP6_DST_UNREACH_ADMIN;
		break;
	case ECONNREFUSED:
		*code = v4 ? ICMP_PORT_UNREACH : ICMP6_DST_UNREACH_NOPORT;
		break;
	case ENETUNREACH:
	case ENETDOWN:
		*code = v4 ? ICMP_NET_UNREACH : ICMP6_DST_UNREACH_NOROUTE;
		break;
	default:
		*code = v4 ? ICMP_HOST_UNREACH : ICMP6_DST_UNREACH_ADDR;
	}
}
