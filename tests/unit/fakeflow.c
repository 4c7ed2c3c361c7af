/* SPDX-License-Identifier: MIT */
/* fakeflow.c - the fake core's flows
 *
 * The app's window is a number: down holds what the plugin sent and the app
 * did not take, and never more than the window.  Bytes of send_ref() are read
 * from the plugin's memory when the app takes them, and released then, so
 * that memory reused too early shows as wrong bytes.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fakecore.h"
#include "unit.h"

static struct fake_flow *flow_of_pub(struct sluice_flow *p)
{
	struct fake_flow *f = (struct fake_flow *)p;

	CU_ASSERT_FALSE_FATAL(f->closed);
	return f;
}

static bool is_held(const struct fake_flow *f)
{
	return f->verdict == SLUICE_TAKE || f->verdict == SLUICE_LATER ||
	       f->verdict == SLUICE_MORE;
}

static const struct sluice_flow_info *flow_info(struct sluice_flow *p)
{
	return &flow_of_pub(p)->info;
}

static const struct sluice_flow_stats *flow_stats(struct sluice_flow *p)
{
	return &flow_of_pub(p)->stats;
}

static void *flow_state(struct sluice_flow *p)
{
	return flow_of_pub(p)->state;
}

static int flow_resolve(struct sluice_flow *p, int verdict, int why)
{
	struct fake_flow *f = flow_of_pub(p);

	if (f->verdict != SLUICE_LATER)
		return -22;
	f->verdict = verdict;
	f->why = why;
	f->opened = f->accepted = verdict == SLUICE_TAKE;
	return 0;
}

static int flow_relay(struct sluice_flow *p, int fd, uint32_t flags)
{
	struct fake_flow *f = flow_of_pub(p);

	CU_ASSERT(fd >= 0 && !flags && !f->relayed);
	f->relay_fd = fd;
	f->relayed = true;
	f->verdict = SLUICE_TAKE;
	return SLUICE_TAKE;
}

static int flow_connect(struct sluice_flow *p, const struct sluice_addr *to,
			const struct sluice_connect *how)
{
	static const struct sluice_connect preset = { .size = sizeof(preset) };
	struct fake_flow *f = flow_of_pub(p);

	f->connected = true;
	f->connect_to = to ? *to : f->info.dst;
	f->connect_how = how ? *how : preset;
	CU_ASSERT_EQUAL(f->connect_how.size, sizeof(preset));
	f->verdict = SLUICE_LATER;
	return SLUICE_LATER;
}

/* --------------------------------------------------------------------- up */

static size_t flow_peek(struct sluice_flow *p, struct iovec *v, size_t *n)
{
	struct fake_flow *f = flow_of_pub(p);
	size_t pieces = f->pieces && f->pieces < *n ? f->pieces : *n;
	size_t at = 0, i = 0;

	if (!f->pieces && pieces > 1)
		pieces = 1;
	for (; i < pieces && at < f->up_len; i++) {
		size_t left = pieces - i;
		size_t len = (f->up_len - at + left - 1) / left;

		v[i].iov_base = f->up + at;
		v[i].iov_len = len;
		at += len;
	}
	*n = i;
	return at;
}

static void flow_consume(struct sluice_flow *p, size_t len)
{
	struct fake_flow *f = flow_of_pub(p);

	CU_ASSERT_FATAL(len <= f->up_len);
	memmove(f->up, f->up + len, f->up_len - len);
	f->up_len -= len;
	f->consumed += len;
	f->stats.up_bytes += len;
}

void fake_flow_up(struct fake_flow *f, const void *p, size_t len)
{
	const struct sluice_flow_ops *o = f->k->plugin->flow;

	CU_ASSERT_FATAL(f->up_len + len <= sizeof(f->up));
	memcpy(f->up + f->up_len, p, len);
	f->up_len += len;
	if (f->verdict == SLUICE_MORE)
		fake_flow_open(f);
	else if (f->verdict == SLUICE_TAKE && !f->relayed && o->readable)
		o->readable(f->k->self, &f->pub);
}

void fake_flow_fin(struct fake_flow *f)
{
	const struct sluice_flow_ops *o = f->k->plugin->flow;

	f->fin = true;
	if (f->verdict == SLUICE_TAKE && !f->relayed && o->eof)
		o->eof(f->k->self, &f->pub);
}

/* ------------------------------------------------------------------- down */

struct fake_seg {
	struct fake_seg *next;
	const uint8_t *at;
	size_t len;
	uint8_t *own; /* a copy, or NULL: the plugin's memory */
	void (*release)(void *);
	void *arg;
};

static size_t down_room(const struct fake_flow *f)
{
	CU_ASSERT_FALSE(f->shut);
	if (!f->opened || f->down_len >= f->window)
		return 0;
	return f->window - f->down_len;
}

static struct fake_seg *down_add(struct fake_flow *f, const void *p, size_t len)
{
	struct fake_seg *g = calloc(1, sizeof(*g));

	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	g->at = p;
	g->len = len;
	*f->last_down = g;
	f->last_down = &g->next;
	f->down_len += len;
	f->stats.down_bytes += len;
	return g;
}

static void down_copy(struct fake_flow *f, const void *p, size_t len)
{
	uint8_t *own = malloc(len + 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(own);
	memcpy(own, p, len);
	down_add(f, own, len)->own = own;
}

/* The first piece of the queue is done with. */
static void down_drop(struct fake_flow *f)
{
	struct fake_seg *g = f->down;

	f->down = g->next;
	if (!f->down)
		f->last_down = &f->down;
	f->down_len -= g->len;
	if (g->release)
		g->release(g->arg);
	free(g->own);
	free(g);
}

static size_t flow_reserve(struct sluice_flow *p, struct iovec *v, size_t *n)
{
	struct fake_flow *f = flow_of_pub(p);
	size_t room = down_room(f);
	size_t half;

	if (room > sizeof(f->room))
		room = sizeof(f->room);
	f->wants_room = !room;
	if (!room || !*n) {
		*n = 0;
		return 0;
	}
	/* In two pieces where there can be two, as a ring would give. */
	half = *n > 1 && room > 1 ? room / 2 : room;
	v[0].iov_base = f->room;
	v[0].iov_len = half;
	*n = 1;
	if (half < room) {
		v[1].iov_base = f->room + half;
		v[1].iov_len = room - half;
		*n = 2;
	}
	return room;
}

static void flow_commit(struct sluice_flow *p, size_t len)
{
	struct fake_flow *f = flow_of_pub(p);

	CU_ASSERT_FATAL(len <= down_room(f));
	if (len)
		down_copy(f, f->room, len);
}

static size_t flow_send(struct sluice_flow *p, const void *data, size_t len)
{
	struct fake_flow *f = flow_of_pub(p);
	size_t room = down_room(f);

	f->wants_room = len > room;
	if (len > room)
		len = room;
	if (len)
		down_copy(f, data, len);
	f->copied += len;
	return len;
}

static size_t flow_send_ref(struct sluice_flow *p, const struct iovec *v,
			    size_t n, void (*release)(void *), void *arg)
{
	struct fake_flow *f = flow_of_pub(p);
	struct fake_seg *g = NULL;
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i].iov_len;
	CU_ASSERT_FATAL(sum > 0 && release);
	f->wants_room = sum > down_room(f);
	if (f->wants_room)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (v[i].iov_len)
			g = down_add(f, v[i].iov_base, v[i].iov_len);
	g->release = release;
	g->arg = arg;
	f->by_ref += sum;
	return sum;
}

size_t fake_flow_take(struct fake_flow *f, void *p, size_t n)
{
	const struct sluice_flow_ops *o = f->k->plugin->flow;
	size_t got = 0, len;

	while (f->down && got < n) {
		len = f->down->len < n - got ? f->down->len : n - got;
		memcpy((uint8_t *)p + got, f->down->at, len);
		got += len;
		f->down->at += len;
		f->down->len -= len;
		f->down_len -= len;
		if (!f->down->len)
			down_drop(f);
	}
	f->taken += got;
	if (got && f->wants_room && !f->closed && !f->shut && o->writable) {
		f->wants_room = false;
		o->writable(f->k->self, &f->pub);
	}
	return got;
}

/* -------------------------------------------------------------------- UDP */

static size_t flow_dgrams(struct sluice_flow *p, struct sluice_dgram *v,
			  size_t n)
{
	struct fake_flow *f = flow_of_pub(p);

	if (n > f->dgrams_n)
		n = f->dgrams_n;
	memcpy(v, f->dgrams, n * sizeof(*v));
	return n;
}

static void flow_dgrams_done(struct sluice_flow *p, size_t k)
{
	struct fake_flow *f = flow_of_pub(p);

	CU_ASSERT_FATAL(k <= f->dgrams_n);
	for (size_t i = 0; i < k; i++)
		free(f->dgrams[i].iov.iov_base);
	f->dgrams_n -= k;
	memmove(f->dgrams, f->dgrams + k, f->dgrams_n * sizeof(*f->dgrams));
}

static size_t flow_dgrams_send(struct sluice_flow *p,
			       const struct sluice_dgram *v, size_t n)
{
	struct fake_flow *f = flow_of_pub(p);
	size_t i;

	for (i = 0; i < n && f->sent_n < FAKE_DGRAMS; i++) {
		struct sluice_dgram *d = &f->sent[f->sent_n++];

		*d = v[i];
		if (!d->peer.family)
			d->peer = f->info.dst;
		d->iov.iov_base = malloc(v[i].iov.iov_len + 1);
		CU_ASSERT_PTR_NOT_NULL_FATAL(d->iov.iov_base);
		memcpy(d->iov.iov_base, v[i].iov.iov_base, v[i].iov.iov_len);
	}
	f->wants_room = i < n;
	return i;
}

void fake_flow_dgram(struct fake_flow *f, const void *p, size_t len,
		     const char *peer)
{
	const struct sluice_flow_ops *o = f->k->plugin->flow;
	struct sluice_dgram *d = &f->dgrams[f->dgrams_n++];

	CU_ASSERT_FATAL(f->dgrams_n <= FAKE_DGRAMS);
	d->iov.iov_base = malloc(len + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d->iov.iov_base);
	memcpy(d->iov.iov_base, p, len);
	d->iov.iov_len = len;
	d->peer = peer ? fake_addr(peer) : f->info.dst;
	if (f->verdict == SLUICE_TAKE && !f->relayed && o->readable)
		o->readable(f->k->self, &f->pub);
}

/* -------------------------------------------------------------- the rest */

static void flow_shut(struct sluice_flow *p)
{
	flow_of_pub(p)->shut = true;
}

static void flow_abort(struct sluice_flow *p, int why)
{
	struct fake_flow *f = flow_of_pub(p);

	f->aborted = true;
	f->why = why;
}

static void flow_idle_after(struct sluice_flow *p, uint32_t ms)
{
	flow_of_pub(p)->idle_ms = ms;
}

static void flow_half_after(struct sluice_flow *p, uint32_t ms)
{
	flow_of_pub(p)->half_ms = ms;
}

static void flow_peers(struct sluice_flow *p, uint32_t mapping,
		       uint32_t filtering)
{
	struct fake_flow *f = flow_of_pub(p);

	CU_ASSERT_EQUAL(f->verdict, -1); /* in open() only */
	f->mapping = mapping;
	f->filtering = filtering;
}

static const struct sluice_flow_api flow_api = {
	.size = sizeof(flow_api),
	.info = flow_info,
	.stats = flow_stats,
	.state = flow_state,
	.resolve = flow_resolve,
	.relay = flow_relay,
	.connect = flow_connect,
	.peek = flow_peek,
	.consume = flow_consume,
	.reserve = flow_reserve,
	.commit = flow_commit,
	.send = flow_send,
	.send_ref = flow_send_ref,
	.dgrams = flow_dgrams,
	.dgrams_done = flow_dgrams_done,
	.dgrams_send = flow_dgrams_send,
	.shut = flow_shut,
	.abort = flow_abort,
	.idle_after = flow_idle_after,
	.half_after = flow_half_after,
	.peers = flow_peers,
};

struct fake_flow *fake_flow_new(struct fake *k, uint8_t proto, const char *app,
				const char *dst)
{
	struct fake_flow *f = calloc(1, sizeof(*f));

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	f->pub.api = &flow_api;
	f->k = k;
	f->verdict = -1;
	f->last_down = &f->down;
	f->window = 65536;
	f->relay_fd = -1;
	f->info.size = sizeof(f->info);
	f->info.proto = proto;
	f->info.mtu = 1500;
	f->info.id = ++k->last_id;
	f->info.app = fake_addr(app);
	f->info.dst = fake_addr(dst);
	f->info.uid = -1;
	f->stats.size = sizeof(f->stats);
	f->stats.born_ms = f->stats.seen_ms = k->now;
	f->next = k->flows;
	k->flows = f;
	return f;
}

/* As the core: what was not consumed is shown again once the flow is open. */
int fake_flow_open(struct fake_flow *f)
{
	const struct sluice_flow_ops *o = f->k->plugin->flow;
	size_t before = f->consumed;
	int answer;

	CU_ASSERT(f->verdict == -1 || f->verdict == SLUICE_MORE);
	CU_ASSERT(o->flags & (f->info.proto == SLUICE_TCP ? SLUICE_FLOW_TCP :
							    SLUICE_FLOW_UDP));
	CU_ASSERT(o->flow_size <= sizeof(f->state));
	answer = o->open(f->k->self, &f->pub);
	if (answer != SLUICE_LATER || f->verdict == -1)
		f->verdict = answer;
	if (answer == SLUICE_PASS)
		CU_ASSERT_EQUAL(f->consumed, before);
	f->opened = f->verdict == SLUICE_TAKE || f->verdict == SLUICE_MORE;
	f->accepted = f->verdict == SLUICE_TAKE;
	fake_flows_turn(f->k);
	return answer;
}

/* As the core at the end of a turn: what waits is told when a flow opens. */
static void flow_turn(struct fake_flow *f)
{
	const struct sluice_flow_ops *o = f->k->plugin->flow;

	f->accepted = false;
	if (f->relayed || f->closed)
		return;
	if ((f->up_len || f->dgrams_n) && o->readable)
		o->readable(f->k->self, &f->pub);
	if (f->fin && o->eof)
		o->eof(f->k->self, &f->pub);
	if (f->wants_room && !f->shut && o->writable) {
		f->wants_room = false;
		o->writable(f->k->self, &f->pub);
	}
}

void fake_flows_turn(struct fake *k)
{
	for (struct fake_flow *f = k->flows; f; f = f->next)
		if (f->accepted)
			flow_turn(f);
}

void fake_flow_close(struct fake_flow *f, int why)
{
	const struct sluice_flow_ops *o = f->k->plugin->flow;

	CU_ASSERT_FALSE_FATAL(f->closed);
	if (is_held(f) && o->close)
		o->close(f->k->self, &f->pub, why);
	f->closed = true;
}

void fake_flows_end(struct fake *k)
{
	struct fake_flow *f;

	while ((f = k->flows)) {
		k->flows = f->next;
		if (!f->closed)
			fake_flow_close(f, SLUICE_WHY_STOP);
		while (f->down)
			down_drop(f);
		for (size_t i = 0; i < f->dgrams_n; i++)
			free(f->dgrams[i].iov.iov_base);
		for (size_t i = 0; i < f->sent_n; i++)
			free(f->sent[i].iov.iov_base);
		if (f->relay_fd >= 0)
			close(f->relay_fd);
		free(f);
	}
}
