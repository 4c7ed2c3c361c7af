/* SPDX-License-Identifier: MIT */
/* dnsask.c - asking a server ourselves, for forward()
 *
 *	dialling --> sent --answer--> dnsq_answered()
 *	    |          |
 *	    +--error---+------------> dnsq_failed()
 *
 * A fresh socket and a fresh random id for each query; the socket is
 * connected, so the kernel lets only the server's packets in, and what does
 * not answer the very question is not looked at twice.  By UDP if the app
 * asked by UDP, else by TCP: a truncated answer is the app's to deal with, as
 * if there were no gateway.  The time limit is the query's.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dnsq.h"
#include "gateway.h"

#define READS_A_TURN 16 /* of one socket: a flood waits its turn */

struct dns_ask {
	struct dnsq *q;
	struct dial *dial;
	struct loop_fd watch;
	int fd;
	bool tcp;
	uint8_t head[4]; /* TCP's length, and our id */
	uint8_t len[2];  /* of the answer */
	uint8_t *body;
	uint32_t sent, got;
};

void dnsask_init(struct dns *d)
{
	pool_init(&d->asks, "dns asks", sizeof(struct dns_ask), 0, 0);
}

void dnsask_cancel(struct dnsq *q)
{
	struct dns_ask *a = q->ask;

	if (!a)
		return;
	q->ask = NULL;
	dial_cancel(a->dial);
	if (a->fd >= 0) {
		loop_del(&q->dns->gw->loop, &a->watch);
		close(a->fd);
	}
	free(a->body);
	pool_put(&q->dns->asks, a);
}

static void give_up(struct dns_ask *a)
{
	struct dnsq *q = a->q;

	dnsask_cancel(q);
	dnsq_failed(q, DNSMSG_EDE_NETWORK);
}

/* False: no answer to our question. */
static bool answered(struct dns_ask *a, const uint8_t *msg, size_t len)
{
	struct dnsq *q = a->q;
	struct dnsmsg m;

	if (dnsmsg_parse(&m, msg, len) ||
	    !dnsmsg_answers(q->info.msg, &q->m, msg, &m,
			    get_be16(a->head + 2)) ||
	    dnsq_answer(q, msg, len))
		return false;
	dnsask_cancel(q);
	dnsq_answered(q);
	return true;
}

static ssize_t transmit(struct dns_ask *a)
{
	const struct sluice_query_info *i = &a->q->info;
	uint32_t skip = a->tcp ? a->sent : 2;
	struct iovec v[2];
	struct msghdr h = { .msg_iov = v, .msg_iovlen = 2 };

	v[0].iov_base = a->head + MIN(skip, 4u);
	v[0].iov_len = 4 - MIN(skip, 4u);
	skip = skip > 4 ? skip - 4 : 0;
	v[1].iov_base = (void *)(uintptr_t)(i->msg + 2 + skip);
	v[1].iov_len = i->msg_len - 2 - skip;
	return sendmsg(a->fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void udp_event(struct loop_fd *w, uint32_t events)
{
	struct dns_ask *a = container_of(w, struct dns_ask, watch);
	struct dns *d = a->q->dns;

	(void)events;
	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t n = recv(a->fd, d->scratch, sizeof(d->scratch),
				 MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			give_up(a);
			return;
		}
		if (answered(a, d->scratch, (size_t)n))
			return;
	}
}

/* One read of the answer.  1: it is whole, 0: not yet, -errno. */
static int tcp_read(struct dns_ask *a)
{
	uint32_t want;
	ssize_t n;

	if (a->got < 2) {
		n = recv(a->fd, a->len + a->got, 2 - a->got, 0);
	} else {
		want = get_be16(a->len);
		if (!a->body)
			a->body = malloc(want + 1);
		if (!a->body)
			return -ENOMEM;
		n = recv(a->fd, a->body + a->got - 2, want + 2 - a->got, 0);
	}
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (!n)
		return -ECONNRESET;
	a->got += (uint32_t)n;
	return a->got >= 2 && a->got == 2u + get_be16(a->len);
}

static void tcp_event(struct loop_fd *w, uint32_t events)
{
	struct dns_ask *a = container_of(w, struct dns_ask, watch);
	struct loop *loop = &a->q->dns->gw->loop;
	uint32_t all = a->q->info.msg_len + 2;
	int r = 0;

	if (a->sent < all) {
		ssize_t n = transmit(a);

		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			give_up(a);
			return;
		}
		a->sent += n > 0 ? (uint32_t)n : 0;
		if (a->sent == all)
			loop_mod(loop, w, EPOLLIN);
	}
	if (!(events & ~(uint32_t)EPOLLOUT))
		return;
	while (!r)
		r = tcp_read(a);
	if (r == -EAGAIN)
		return;
	if (r < 0) {
		give_up(a);
		return;
	}
	/* A stream has no strangers in it: what is no answer will not be
	 * followed by one. */
	if (!answered(a, a->body, get_be16(a->len)))
		give_up(a);
}

static void dialled(void *arg, int fd, const struct dial_error *e)
{
	struct dns_ask *a = arg;
	struct loop *loop = &a->q->dns->gw->loop;
	int err;

	(void)e;
	a->dial = NULL;
	if (fd < 0) {
		give_up(a);
		return;
	}
	err = a->tcp ? loop_add(loop, &a->watch, fd, EPOLLIN | EPOLLOUT,
				tcp_event) :
		       loop_add(loop, &a->watch, fd, EPOLLIN, udp_event);
	if (err) {
		close(fd);
		give_up(a);
		return;
	}
	a->fd = fd;
	if (!a->tcp && transmit(a) < 0 && errno != EAGAIN)
		give_up(a);
}

int dnsask_start(struct dnsq *q, const struct sluice_addr *server)
{
	struct gateway *gw = q->dns->gw;
	struct dial_ask ask = {
		.proto = q->info.tcp ? SLUICE_TCP : SLUICE_UDP,
		.timeout_ms = (uint32_t)gw->set.dns.timeout,
		.done = dialled,
	};
	struct dns_ask *a;

	if (!server && gateway_is_self(gw, &q->info.server))
		return -EHOSTUNREACH; /* there is no server but the chain */
	ask.to = server ? *server : q->info.server;
	a = pool_get(&q->dns->asks);
	if (!a)
		return -ENOMEM;
	memset(a, 0, sizeof(*a));
	a->q = q;
	a->fd = a->watch.fd = -1;
	a->tcp = q->info.tcp;
	put_be16(a->head, (uint16_t)q->info.msg_len);
	put_be16(a->head + 2, (uint16_t)util_random32());
	ask.arg = a;
	a->dial = dial_start(gw, &ask);
	if (!a->dial) {
		pool_put(&q->dns->asks, a);
		return -ENOMEM;
	}
	q->ask = a;
	return 0;
}

/* The app sent its question again, so should we: one of them was lost. */
void dnsask_again(struct dnsq *q)
{
	struct dns_ask *a = q->ask;

	if (a->fd >= 0 && !a->tcp && transmit(a) < 0 && errno != EAGAIN)
		give_up(a);
}
