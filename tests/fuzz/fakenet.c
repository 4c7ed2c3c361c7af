/* SPDX-License-Identifier: MIT */
/* fakenet.c - sockets without a kernel: what they are, and their servers */
#include "fakenet.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "apps.h"
#include "fuzz.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define SOCKETS 256
#define FD      100000 /* number of the first: no real one */

struct fakenet {
	bool used, marked;
	int family, type, proto;
	bool watched, edge; /* by epoll; something is new since it was told */
	void *ptr;
	uint32_t events;
	enum { FRESH, CONNECTING, CONNECTED, BROKEN } state;
	uint64_t born;
	struct sluice_addr to;
	int err; /* SO_ERROR */
	bool has_icmp;
	int icmp_err;
	struct fakenet_icmp icmp;

	/* streams */
	bool begun, hard; /* fakenet_begins(), SO_LINGER {1,0} */
	bool shut, fin;   /* FIN from the gateway, FIN to it */
	uint32_t first, got, room;
	uint32_t sent, read;

	/* datagrams for the gateway */
	int waiting;
	uint16_t len, step;
	uint8_t tos;
};

static struct fakenet sockets[SOCKETS];
static int fails[FAKENET_CALLS];
static uint64_t births, bytes_up, bytes_down;

void fakenet_start(void)
{
	memset(sockets, 0, sizeof(sockets));
	memset(fails, 0, sizeof(fails));
	bytes_up = bytes_down = 0;
}

void fakenet_fail(enum fakenet_call call, int err)
{
	fails[call] = err;
}

int fakenet_open(void)
{
	int n = 0;

	for (int i = 0; i < SOCKETS; i++)
		n += sockets[i].used;
	return n;
}

uint64_t fakenet_bytes_up(void)
{
	return bytes_up;
}

uint64_t fakenet_bytes_down(void)
{
	return bytes_down;
}

static struct fakenet *of(int fd)
{
	struct fakenet *s;

	FUZZ_CHECK(fd >= FD && fd < FD + SOCKETS);
	s = &sockets[fd - FD];
	FUZZ_CHECK(s->used);
	return s;
}

static bool is_fake(int fd)
{
	return fd >= FD && fd < FD + SOCKETS;
}

/* True: this call is one that fails, and errno says how. */
static bool fail(enum fakenet_call call)
{
	int err = fails[call];

	fails[call] = 0;
	if (err)
		errno = err;
	return err;
}

static int error(int err)
{
	errno = err;
	return -1;
}

/* ---------------------------------------------------------- the servers */

struct fakenet *fakenet_stream(uint16_t port)
{
	struct fakenet *s, *best = NULL;

	for (s = sockets; s < sockets + SOCKETS; s++)
		if (s->used && s->type == SOCK_STREAM && s->to.port == port &&
		    (!best || s->born > best->born))
			best = s;
	return best;
}

void fakenet_answer(struct fakenet *s, int err, const struct fakenet_icmp *icmp)
{
	if (s->state != CONNECTING)
		return;
	s->state = err ? BROKEN : CONNECTED;
	s->err = err;
	s->edge = true;
	if (err && icmp) {
		s->has_icmp = true;
		s->icmp = *icmp;
		s->icmp_err = err;
	}
}

void fakenet_begins(struct fakenet *s, uint32_t iss)
{
	FUZZ_CHECK(s->state != CONNECTING && !s->begun);
	s->begun = true;
	s->first = iss + 1;
}

bool fakenet_has_begun(const struct fakenet *s)
{
	return s->begun;
}

void fakenet_send(struct fakenet *s, uint32_t len)
{
	if (s->state != CONNECTED || s->fin || !len)
		return;
	s->sent += len;
	s->edge = true;
}

void fakenet_fin(struct fakenet *s)
{
	if (s->state != CONNECTED)
		return;
	s->fin = s->edge = true;
}

void fakenet_reset(struct fakenet *s, int err)
{
	if (s->state != CONNECTED)
		return;
	s->state = BROKEN;
	s->err = err;
	s->edge = true;
}

void fakenet_room(struct fakenet *s, uint32_t len)
{
	if (s->state != CONNECTED || !len)
		return;
	s->edge = s->edge || !s->room;
	s->room += MIN(len, 1u << 20);
}

uint32_t fakenet_sent(const struct fakenet *s)
{
	return s->sent;
}

bool fakenet_ended(const struct fakenet *s)
{
	return s->fin;
}

struct fakenet *fakenet_dgram(int n)
{
	struct fakenet *s;

	for (s = sockets; s < sockets + SOCKETS; s++)
		if (s->used && s->type != SOCK_STREAM && !n--)
			return s;
	return NULL;
}

void fakenet_dgrams(struct fakenet *s, int n, uint16_t len, uint16_t step,
		    uint8_t tos)
{
	s->tos = tos;
	s->waiting = n;
	s->len = len;
	s->step = step;
	s->edge = true;
}

void fakenet_error(struct fakenet *s, int err, const struct fakenet_icmp *icmp)
{
	s->err = s->icmp_err = err;
	s->has_icmp = true;
	s->icmp = *icmp;
	s->edge = true;
}

/* ------------------------------------------------------------ readiness */

static uint32_t level(const struct fakenet *s)
{
	uint32_t e = s->err || s->has_icmp ? EPOLLERR : 0;

	if (s->type != SOCK_STREAM)
		return e | EPOLLOUT | (s->waiting ? EPOLLIN : 0);
	if (s->state == CONNECTING)
		return e;
	if (s->state != CONNECTED)
		return e | EPOLLOUT | EPOLLHUP |
		       (s->state == BROKEN ? EPOLLIN | EPOLLRDHUP : 0);
	if (s->sent != s->read || s->fin)
		e |= EPOLLIN;
	if (s->room || s->shut)
		e |= EPOLLOUT;
	if (s->fin)
		e |= EPOLLRDHUP | (s->shut ? EPOLLHUP : 0);
	return e;
}

int __wrap_epoll_wait(int epoll, struct epoll_event *v, int max, int ms);
int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *e);
int __real_epoll_ctl(int epoll, int op, int fd, struct epoll_event *e);

/* The loop never sleeps here. */
int __wrap_epoll_wait(int epoll, struct epoll_event *v, int max, int ms)
{
	struct fakenet *s;
	int n = 0;

	(void)epoll;
	(void)ms;
	for (s = sockets; s < sockets + SOCKETS && n < max; s++) {
		uint32_t e;

		if (!s->used || !s->watched ||
		    (s->events & EPOLLET && !s->edge))
			continue;
		s->edge = false;
		e = level(s) & (s->events | EPOLLERR | EPOLLHUP);
		if (e)
			v[n++] = (struct epoll_event){ .events = e,
						       .data.ptr = s->ptr };
	}
	return n;
}

int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *e)
{
	struct fakenet *s;

	if (!is_fake(fd))
		return __real_epoll_ctl(epoll, op, fd, e);
	s = of(fd);
	if (op == EPOLL_CTL_DEL) {
		FUZZ_CHECK(s->watched);
		s->watched = false;
		return 0;
	}
	FUZZ_CHECK(s->watched == (op == EPOLL_CTL_MOD));
	if (fail(FAKENET_EPOLL))
		return -1;
	s->watched = s->edge = true;
	s->events = e->events;
	s->ptr = e->data.ptr;
	return 0;
}

/* -------------------------------------------------------- life and names */

int __wrap_socket(int domain, int type, int proto);
int __wrap_close(int fd);
int __real_close(int fd);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_getsockname(int fd, struct sockaddr *sa, socklen_t *len);
int __wrap_getpeername(int fd, struct sockaddr *sa, socklen_t *len);
int __wrap_shutdown(int fd, int how);

int __wrap_socket(int domain, int type, int proto)
{
	struct fakenet *s = sockets;

	if (fail(FAKENET_SOCKET))
		return -1;
	FUZZ_CHECK(domain == AF_INET || domain == AF_INET6);
	FUZZ_CHECK(type & SOCK_CLOEXEC);
	while (s < sockets + SOCKETS && s->used)
		s++;
	if (s == sockets + SOCKETS)
		return error(EMFILE);
	*s = (struct fakenet){
		.used = true,
		.family = domain,
		.type = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC),
		.proto = proto,
		.born = ++births,
		.room = 1 << 16,
	};
	return FD + (int)(s - sockets);
}

int __wrap_close(int fd)
{
	struct fakenet *s;

	if (!is_fake(fd))
		return __real_close(fd);
	s = of(fd);
	FUZZ_CHECK(!s->watched);
	/* Whoever is not through with it says so by a reset. */
	if (s->begun && s->state == CONNECTED)
		FUZZ_CHECK(s->hard || s->shut);
	s->used = false;
	return 0;
}

int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	(void)of(fd);
	(void)sa;
	(void)len;
	return fail(FAKENET_BIND) ? -1 : 0;
}

int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct fakenet *s = of(fd);

	(void)len;
	FUZZ_CHECK(s->marked);
	if (fail(FAKENET_CONNECT))
		return -1;
	if (sa->sa_family == AF_UNSPEC)
		return 0;
	FUZZ_CHECK(!addr_from_sockaddr(sa, &s->to));
	if (s->type != SOCK_STREAM)
		return 0;
	FUZZ_CHECK(s->state == FRESH);
	s->state = CONNECTING;
	return error(EINPROGRESS);
}

int __wrap_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	struct sluice_addr own = { .family = 4, .ip = { 10, 99, 0, 1 } };
	struct sockaddr_storage ss;

	if (of(fd)->family == AF_INET6)
		own = (struct sluice_addr){ .family = 6, .ip = { 0xfd, 0x99 } };
	if (fail(FAKENET_GETSOCKNAME))
		return -1;
	*len = addr_to_sockaddr(&own, &ss);
	memcpy(sa, &ss, *len);
	return 0;
}

int __wrap_getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
	(void)of(fd);
	(void)sa;
	(void)len;
	return error(ENOTCONN);
}

int __wrap_shutdown(int fd, int how)
{
	struct fakenet *s = of(fd);

	FUZZ_CHECK(how == SHUT_WR && !s->shut);
	if (s->state != CONNECTED)
		return error(ENOTCONN);
	s->shut = s->edge = true;
	return 0;
}

/* --------------------------------------------------------------- options */

int __wrap_setsockopt(int fd, int level, int name, const void *value,
		      socklen_t len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

int __wrap_setsockopt(int fd, int at, int name, const void *value,
		      socklen_t len)
{
	struct fakenet *s = of(fd);

	if (at == SOL_SOCKET && name == SO_LINGER) {
		FUZZ_CHECK(len == sizeof(struct linger));
		s->hard = ((const struct linger *)value)->l_onoff;
		return 0;
	}
	if (fail(FAKENET_SETSOCKOPT))
		return -1;
	if (at == SOL_SOCKET && name == SO_MARK)
		s->marked = true;
	return 0;
}

int __wrap_getsockopt(int fd, int at, int name, void *value, socklen_t *len)
{
	struct fakenet *s = of(fd);
	int *v = value;

	FUZZ_CHECK(at == SOL_SOCKET && *len >= sizeof(int));
	if (fail(FAKENET_GETSOCKOPT))
		return -1;
	*len = sizeof(int);
	switch (name) {
	case SO_ERROR:
		*v = s->err;
		s->err = 0;
		break;
	case SO_TYPE:
		*v = s->type;
		break;
	case SO_DOMAIN:
		*v = s->family;
		break;
	default:
		*v = 0;
	}
	return 0;
}

/* ------------------------------------------------------------- streams */

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_recv(int fd, void *p, size_t len, int flags);

static size_t bytes_of(const struct msghdr *m)
{
	size_t len = 0;

	for (size_t i = 0; i < m->msg_iovlen; i++)
		len += m->msg_iov[i].iov_len;
	return len;
}

static ssize_t stream_error(struct fakenet *s, int otherwise)
{
	int err = s->err ? s->err : otherwise;

	s->err = 0;
	return err ? error(err) : 0;
}

/* What it has room for of m, compared. */
static ssize_t stream_take(struct fakenet *s, const struct msghdr *m)
{
	uint32_t all = 0;

	FUZZ_CHECK(s->begun && !s->shut);
	for (size_t i = 0; i < m->msg_iovlen && s->room; i++) {
		const uint8_t *p = m->msg_iov[i].iov_base;
		uint32_t len = (uint32_t)MIN(m->msg_iov[i].iov_len, s->room);

		for (uint32_t at = 0, n; at < len; at += n) {
			n = MIN(len - at, 65535u);
			FUZZ_CHECK(!memcmp(
				p + at, apps_bytes(s->first + s->got + at), n));
		}
		s->got += len;
		s->room -= len;
		all += len;
	}
	bytes_up += all;
	return (ssize_t)all;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct fakenet *s = of(fd);

	(void)flags;
	FUZZ_CHECK(s->marked);
	if (fail(FAKENET_SEND)) {
		s->edge = true; /* EAGAIN: not for long */
		return -1;
	}
	if (s->type != SOCK_STREAM)
		return (ssize_t)bytes_of(m);
	if (s->state == BROKEN)
		return stream_error(s, EPIPE);
	FUZZ_CHECK(s->state == CONNECTED);
	if (!s->room)
		return error(EAGAIN);
	return stream_take(s, m);
}

ssize_t __wrap_recv(int fd, void *p, size_t len, int flags)
{
	struct fakenet *s = of(fd);

	(void)flags;
	FUZZ_CHECK(s->type == SOCK_STREAM);
	if (fail(FAKENET_RECV)) {
		s->edge = true;
		return -1;
	}
	len = MIN(len, MIN(s->sent - s->read, 65535u));
	if (len) {
		memcpy(p, apps_bytes(s->read), len);
		s->read += (uint32_t)len;
		bytes_down += len;
		return (ssize_t)len;
	}
	if (s->state == BROKEN)
		return stream_error(s, 0);
	return s->fin ? 0 : error(EAGAIN);
}

/* ----------------------------------------------------------- datagrams */

int __wrap_sendmmsg(int fd, struct mmsghdr *v, unsigned int n, int flags);
ssize_t __wrap_sendto(int fd, const void *p, size_t len, int flags,
		      const struct sockaddr *sa, socklen_t sa_len);
int __wrap_recvmmsg(int fd, struct mmsghdr *v, unsigned int n, int flags,
		    struct timespec *limit);
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags);

int __wrap_sendmmsg(int fd, struct mmsghdr *v, unsigned int n, int flags)
{
	(void)flags;
	FUZZ_CHECK(of(fd)->marked && n);
	/* It fails at the second of several: the kernel tells by the count. */
	if (fails[FAKENET_SEND] && n > 1)
		n = 1;
	else if (fail(FAKENET_SEND))
		return -1;
	for (unsigned int i = 0; i < n; i++)
		v[i].msg_len = (unsigned int)bytes_of(&v[i].msg_hdr);
	return (int)n;
}

ssize_t __wrap_sendto(int fd, const void *p, size_t len, int flags,
		      const struct sockaddr *sa, socklen_t sa_len)
{
	(void)p;
	(void)flags;
	(void)sa;
	(void)sa_len;
	FUZZ_CHECK(of(fd)->marked);
	return fail(FAKENET_SEND) ? -1 : (ssize_t)len;
}

/* Who sends datagrams. */
static socklen_t server_name(const struct fakenet *s, void *sa, socklen_t room)
{
	struct sluice_addr app, server;
	struct sockaddr_storage ss;
	socklen_t len;

	apps_ends(s->family == AF_INET6, &app, &server);
	server.port = 7;
	len = addr_to_sockaddr(&server, &ss);
	memcpy(sa, &ss, MIN(len, room));
	return len;
}

/* The bytes that come: of an echo reply where it is for ping. */
static size_t dgram_bytes(struct fakenet *s, void *p, size_t room)
{
	size_t len = MIN(s->len, room);

	s->waiting--;
	memcpy(p, apps_bytes(0), len);
	if (s->proto == IPPROTO_ICMP && len >= 2)
		memcpy(p, "\0\0", 2);
	else if (s->proto == IPPROTO_ICMPV6 && len >= 2)
		memcpy(p, "\x81\0", 2);
	return len;
}

/* What the kernel says beside a datagram, as it does when asked: TTL, class,
 * and the size of those that were joined. */
static void dgram_control(const struct fakenet *s, struct msghdr *m, size_t len)
{
	bool v6 = s->family == AF_INET6;
	const struct {
		int level, type, value;
		size_t size;
		bool on;
	} say[] = {
		{ v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_HOPLIMIT : IP_TTL,
		  s->tos % 65, sizeof(int), true },
		{ v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS,
		  s->tos, v6 ? sizeof(int) : 1, true },
		{ IPPROTO_UDP, UDP_GRO, s->step, sizeof(int),
		  s->step && len > s->step },
	};
	uint8_t *at = m->msg_control;

	for (size_t i = 0; i < ARRAY_SIZE(say); i++) {
		struct cmsghdr c = { .cmsg_level = say[i].level,
				     .cmsg_type = say[i].type,
				     .cmsg_len = CMSG_LEN(say[i].size) };

		if (!say[i].on)
			continue;
		FUZZ_CHECK(at + CMSG_SPACE(say[i].size) <=
			   (uint8_t *)m->msg_control + m->msg_controllen);
		memcpy(at, &c, sizeof(c));
		memcpy(at + CMSG_LEN(0), &say[i].value, say[i].size);
		at += CMSG_SPACE(say[i].size);
	}
	m->msg_controllen = (size_t)(at - (uint8_t *)m->msg_control);
}

static size_t dgram_take(struct fakenet *s, struct msghdr *m)
{
	size_t len = dgram_bytes(s, m->msg_iov->iov_base, m->msg_iov->iov_len);

	m->msg_namelen = server_name(s, m->msg_name, m->msg_namelen);
	m->msg_flags = 0;
	dgram_control(s, m, len);
	return len;
}

int __wrap_recvmmsg(int fd, struct mmsghdr *v, unsigned int n, int flags,
		    struct timespec *limit)
{
	struct fakenet *s = of(fd);
	unsigned int i;

	(void)flags;
	(void)limit;
	if (fail(FAKENET_RECV))
		return -1;
	for (i = 0; i < n && s->waiting; i++)
		v[i].msg_len = (unsigned int)dgram_take(s, &v[i].msg_hdr);
	return i ? (int)i : error(EAGAIN);
}

/* The error queue, which holds one. */
static ssize_t error_take(struct fakenet *s, struct msghdr *m)
{
	bool v6 = s->family == AF_INET6;
	struct sock_extended_err ee = {
		.ee_errno = (uint32_t)s->icmp_err,
		.ee_origin = v6 ? SO_EE_ORIGIN_ICMP6 : SO_EE_ORIGIN_ICMP,
		.ee_type = s->icmp.type,
		.ee_code = s->icmp.code,
		.ee_info = s->icmp.info,
	};
	struct cmsghdr *c = m->msg_control;
	struct sockaddr_storage from;
	size_t len;

	if (!s->has_icmp)
		return error(EAGAIN);
	s->has_icmp = false;
	s->err = 0;
	if (m->msg_name)
		m->msg_namelen = server_name(s, m->msg_name, m->msg_namelen);
	memset(&from, 0, sizeof(from));
	len = sizeof(ee) + server_name(s, &from, sizeof(from));
	FUZZ_CHECK(m->msg_controllen >= CMSG_SPACE(len));
	*c = (struct cmsghdr){ .cmsg_level = v6 ? SOL_IPV6 : SOL_IP,
			       .cmsg_type = v6 ? IPV6_RECVERR : IP_RECVERR,
			       .cmsg_len = CMSG_LEN(len) };
	memcpy(CMSG_DATA(c), &ee, sizeof(ee));
	memcpy(CMSG_DATA(c) + sizeof(ee), &from, len - sizeof(ee));
	m->msg_controllen = CMSG_SPACE(len);
	if (!m->msg_iovlen)
		return 0;
	len = MIN(m->msg_iov->iov_len, s->type == SOCK_STREAM ? 0u : 64u);
	memcpy(m->msg_iov->iov_base, apps_bytes(0), len);
	if (len)
		memcpy(m->msg_iov->iov_base, v6 ? "\x80" : "\x8", 1);
	return (ssize_t)len;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags)
{
	struct fakenet *s = of(fd);

	if (flags & MSG_ERRQUEUE)
		return error_take(s, m);
	if (fail(FAKENET_RECV))
		return -1;
	return s->waiting ? (ssize_t)dgram_take(s, m) : error(EAGAIN);
}
