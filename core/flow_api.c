/* SPDX-License-Identifier: MIT */
/* flow_api.c - what a plugin may ask of a flow, whatever its protocol
 *
 * The functions of struct sluice_flow_api that TCP and UDP share.  Each
 * checks that the flow is in a state for it: a plugin that asks for nonsense
 * is told -EINVAL, it does not harm the gateway.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flow.h"
#include "gateway.h"
#include "log.h"

const struct sluice_flow_info *flow_api_info(struct sluice_flow *p)
{
	return &flow_of(p)->info;
}

const struct sluice_flow_stats *flow_api_stats(struct sluice_flow *p)
{
	return &flow_of(p)->stats;
}

void *flow_api_state(struct sluice_flow *p)
{
	return flow_of(p)->plug;
}

int flow_api_resolve(struct sluice_flow *p, int verdict, int why)
{
	struct flow *f = flow_of(p);

	if (f->state != FLOW_WAIT || f->asking)
		return -EINVAL;
	switch (verdict) {
	case SLUICE_TAKE:
		flow_taken(f);
		return 0;
	case SLUICE_PASS:
		flow_let_go(f);
		f->chain_at++;
		flow_open(f);
		return 0;
	case SLUICE_DROP:
		flow_let_go(f);
		flow_refuse(f, why, NULL);
		return 0;
	default:
		return -EINVAL;
	}
}

int flow_api_relay(struct sluice_flow *p, int fd, uint32_t flags)
{
	struct flow *f = flow_of(p);
	int err;

	if (fd < 0)
		return -EBADF;
	/* A connect() on its way will bring a socket of its own. */
	if (flags || f->state == FLOW_DEAD || f->relayed || f->relay_fd >= 0 ||
	    f->dial) {
		close(fd);
		return -EINVAL;
	}
	/* One that waits for itself would have all the others wait. */
	err = util_nonblock(fd);
	if (err) {
		close(fd);
		return err;
	}
	if (f->asking || f->state == FLOW_WAIT) {
		f->relay_fd = fd;
		if (!f->asking)
			flow_taken(f);
		return SLUICE_TAKE;
	}
	f->relayed = true;
	err = f->type->relay(f, fd);
	if (err < 0)
		flow_refuse(f, SLUICE_WHY_ERROR, NULL);
	return err < 0 ? err : SLUICE_TAKE;
}

static void keep_alive(int fd, uint32_t ms)
{
	int on = 1, secs = (int)(ms / 1000 ? ms / 1000 : 1);

	if (!ms)
		return;
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &secs, sizeof(secs));
}

static void on_dialled(void *arg, int fd, const struct dial_error *e)
{
	struct flow *f = arg;
	char text[FLOW_TEXT];

	f->dial = NULL;
	if (fd < 0) {
		log_debug("%s: connect: %s", flow_text(f, text),
			  strerror(e->err));
		flow_refuse(f, flow_why(e->err), e);
		return;
	}
	if (f->type->proto == PACKET_TCP)
		keep_alive(fd, f->how.keepalive_ms);
	if (f->state == FLOW_OPEN) { /* accepted early */
		f->relayed = true;
		if (f->type->relay(f, fd) < 0)
			flow_refuse(f, SLUICE_WHY_ERROR, NULL);
		return;
	}
	f->relay_fd = fd;
	flow_taken(f);
}

int flow_api_connect(struct sluice_flow *p, const struct sluice_addr *to,
		     const struct sluice_connect *how)
{
	struct flow *f = flow_of(p);
	struct dial_ask a = { .done = on_dialled, .arg = f };

	if (f->state == FLOW_DEAD || f->dial || f->relayed || f->relay_fd >= 0)
		return -EINVAL;
	if (how)
		memcpy(&f->how, how, MIN(how->size, sizeof(f->how)));
	a.proto = f->type->proto;
	a.to = to ? *to : f->info.dst;
	a.flow_id = f->info.id;
	a.timeout_ms = f->how.timeout_ms;
	a.ttl = f->ttl;
	a.tos = f->tos;
	if (f->type->proto == PACKET_UDP) {
		a.flags = SLUICE_DIAL_UNCONNECTED;
		a.prefer_port = f->info.app.port;
	}
	f->dial = dial_start(f->gw, &a);
	if (!f->dial)
		return -ENOMEM;
	if (f->how.flags & SLUICE_CONNECT_EARLY && f->state != FLOW_OPEN &&
	    f->type->proto == PACKET_TCP) {
		flow_accept(f);
		return SLUICE_LATER;
	}
	if (!f->asking && f->state == FLOW_WAIT)
		flow_hold(f, MAX(f->how.timeout_ms, FLOW_WAIT_MS) + 1000u);
	return SLUICE_LATER;
}

void flow_api_abort(struct sluice_flow *p, int why)
{
	flow_refuse(flow_of(p), why, NULL);
}

void flow_api_idle_after(struct sluice_flow *p, uint32_t ms)
{
	flow_of(p)->idle_ms = ms;
	flow_set_idle(flow_of(p));
}

void flow_api_half_after(struct sluice_flow *p, uint32_t ms)
{
	flow_of(p)->half_ms = ms;
	flow_set_idle(flow_of(p));
}

/* Data functions of the other protocol: nothing there, nothing done. */
size_t flow_api_no_peek(struct sluice_flow *p, struct iovec *v, size_t *n)
{
	(void)p;
	(void)v;
	*n = 0;
	return 0;
}

void flow_api_no_len(struct sluice_flow *p, size_t len)
{
	(void)p;
	(void)len;
}

size_t flow_api_no_send(struct sluice_flow *p, const void *data, size_t len)
{
	(void)p;
	(void)data;
	(void)len;
	return 0;
}

size_t flow_api_no_ref(struct sluice_flow *p, const struct iovec *v, size_t n,
		       void (*release)(void *), void *arg)
{
	(void)p;
	(void)v;
	(void)n;
	(void)release;
	(void)arg;
	return 0;
}

size_t flow_api_no_dgrams(struct sluice_flow *p, struct sluice_dgram *v,
			  size_t n)
{
	(void)p;
	(void)v;
	(void)n;
	return 0;
}

size_t flow_api_no_dgrams_send(struct sluice_flow *p,
			       const struct sluice_dgram *v, size_t n)
{
	(void)p;
	(void)v;
	(void)n;
	return 0;
}

void flow_api_no_shut(struct sluice_flow *p)
{
	(void)p;
}

void flow_api_no_peers(struct sluice_flow *p, uint32_t mapping,
		       uint32_t filtering)
{
	(void)p;
	(void)mapping;
	(void)filtering;
}
