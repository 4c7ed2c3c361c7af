/* SPDX-License-Identifier: MIT */
/* tcp_data.c - bytes down to the app, and what a plugin may do with bytes
 *
 * lwIP sends from memory that stays until the app acknowledged it.  A flow
 * keeps a queue of chunks in the order they were written:
 *
 *	down -> [acked|sent....] -> [sent....|room] <- down_tail
 *
 * Acknowledgements eat it from the front; an empty chunk goes back to the
 * pool at once, so that an idle flow holds none.
 *
 * Chunks of all flows have a budget, gateway.buffers.  When it is used up a
 * flow gets one chunk at a time, a small one, and the next when that was
 * acknowledged: so all of them move on, however many apps do not read.
 */
#include <errno.h>
#include <string.h>

#include "pool.h"
#include "tcp_flow.h"

#define TCP_CHUNK_LEAST 8192 /* less room than this: take another chunk */
#define TCP_DATA_MUCH   (2u << 20)
#define TCP_CHUNK_SMALL 4096

static struct pool chunks, smalls, refs;

void tcp_data_init(void)
{
	pool_init(&chunks, "chunk", sizeof(struct tcp_chunk) + TCP_CHUNK, 2, 0);
	pool_init(&smalls, "chunk-small",
		  sizeof(struct tcp_chunk) + TCP_CHUNK_SMALL, 0, 0);
	pool_init(&refs, "chunk-ref", sizeof(struct tcp_chunk), 0, 0);
}

void tcp_data_fini(void)
{
	pool_fini(&chunks);
	pool_fini(&smalls);
	pool_fini(&refs);
}

void tcp_data_trim(void)
{
	pool_trim(&chunks);
	pool_trim(&smalls);
	pool_trim(&refs);
}

static void count(struct tcp_flow *tf, int64_t by)
{
	stats_add(&tf->flow.gw->stats, tcp_chunks, (uint64_t)by);
}

static void chunk_free(struct tcp_flow *tf, struct tcp_chunk *c)
{
	if (c->release) {
		c->release(c->arg);
		pool_put(&refs, c);
		return;
	}
	count(tf, -(int64_t)c->cap);
	pool_put(c->cap == TCP_CHUNK ? &chunks : &smalls, c);
}

static void append(struct tcp_flow *tf, struct tcp_chunk *c)
{
	c->next = NULL;
	if (tf->down_tail)
		tf->down_tail->next = c;
	else
		tf->down = c;
	tf->down_tail = c;
}

static struct tcp_chunk *chunk_new(struct tcp_flow *tf)
{
	const struct gateway *gw = tf->flow.gw;
	bool full = stats_get(&gw->stats, tcp_chunks) + TCP_CHUNK >
		    (uint64_t)gw->set.gateway.buffers;
	struct tcp_chunk *c;

	if (full && tf->down)
		return NULL;
	c = pool_get(full ? &smalls : &chunks);
	if (!c)
		return NULL;
	*c = (struct tcp_chunk){ .base = c->data,
				 .cap = full ? TCP_CHUNK_SMALL : TCP_CHUNK };
	count(tf, c->cap);
	append(tf, c);
	return c;
}

/* Room to read into, as far as the app's window lets it out: one piece. */
size_t tcp_reserve(struct tcp_flow *tf, struct iovec *v)
{
	struct tcp_chunk *c = tf->down_tail;
	size_t room = stack_room(&tf->conn);

	if (!room)
		return 0;
	if (!c || c->release || c->cap - c->used < TCP_CHUNK_LEAST)
		c = chunk_new(tf);
	if (!c)
		return 0;
	v->iov_base = c->base + c->used;
	v->iov_len = MIN(room, c->cap - c->used);
	return v->iov_len;
}

bool tcp_data_much(void)
{
	return (size_t)chunks.used * TCP_CHUNK > TCP_DATA_MUCH;
}

int tcp_commit(struct tcp_flow *tf, size_t len)
{
	struct tcp_chunk *c = tf->down_tail;
	int err;

	if (!len)
		return 0;
	if (!c || c->release || len > c->cap - c->used)
		return -EINVAL;
	err = stack_write(&tf->conn, c->base + c->used, len);
	if (err < 0)
		return err;
	c->used += (uint32_t)len;
	tf->flow.stats.down_bytes += len;
	flow_touch(&tf->flow);
	tcp_mark(tf);
	return 0;
}

void tcp_acked(struct tcp_flow *tf, uint32_t len)
{
	struct tcp_chunk *c;

	while ((c = tf->down)) {
		uint32_t part = MIN(len, c->used - c->acked);

		c->acked += part;
		len -= part;
		if (c->acked < c->used || (tf->reserved && !c->next))
			break;
		tf->down = c->next;
		if (!tf->down)
			tf->down_tail = NULL;
		chunk_free(tf, c);
	}
}

/* Give back what was reserved and is not needed any more. */
void tcp_data_tidy(struct tcp_flow *tf)
{
	if (tf->down && tf->down->acked == tf->down->used)
		tcp_acked(tf, 0);
}

void tcp_data_free(struct tcp_flow *tf)
{
	struct tcp_chunk *c;

	while ((c = tf->down)) {
		tf->down = c->next;
		chunk_free(tf, c);
	}
	tf->down_tail = NULL;
}

/* --------------------------------------------------- the plugin's calls */

static bool may_move(const struct tcp_flow *tf)
{
	return tf->flow.state != FLOW_DEAD && !tf->relay.on;
}

static size_t api_peek(struct sluice_flow *p, struct iovec *v, size_t *n)
{
	struct tcp_flow *tf = (struct tcp_flow *)p;

	if (!may_move(tf)) {
		*n = 0;
		return 0;
	}
	stack_settle(&tf->conn); /* they stay there until consumed */
	return stack_peek(&tf->conn, v, n);
}

static void api_consume(struct sluice_flow *p, size_t len)
{
	struct tcp_flow *tf = (struct tcp_flow *)p;

	if (!may_move(tf))
		return;
	stack_consume(&tf->conn, len);
	tcp_mark(tf);
}

/* Nothing was to be had: writable() comes when there is.  Inside open() there
 * never is, and a plugin that speaks first is told after the handshake. */
static size_t want(struct tcp_flow *tf, size_t got)
{
	if (!got && (tf->conn.pcb || tf->held))
		tf->wants_room = true;
	return got;
}

static size_t api_reserve(struct sluice_flow *p, struct iovec *v, size_t *n)
{
	struct tcp_flow *tf = (struct tcp_flow *)p;
	size_t got = 0;

	if (*n && may_move(tf))
		got = want(tf, tcp_reserve(tf, v));
	*n = got ? 1 : 0;
	tf->reserved = got > 0;
	return got;
}

static void api_commit(struct sluice_flow *p, size_t len)
{
	struct tcp_flow *tf = (struct tcp_flow *)p;

	tf->reserved = false;
	if (may_move(tf) && tcp_commit(tf, len) < 0)
		flow_refuse(&tf->flow, SLUICE_WHY_ERROR, NULL);
	tcp_data_tidy(tf);
}

static size_t api_send(struct sluice_flow *p, const void *data, size_t len)
{
	struct tcp_flow *tf = (struct tcp_flow *)p;
	const uint8_t *at = data;
	size_t sum = 0;
	struct iovec v;

	if (!may_move(tf))
		return 0;
	tf->reserved = false;
	while (sum < len && want(tf, tcp_reserve(tf, &v))) {
		size_t part = MIN(v.iov_len, len - sum);

		memcpy(v.iov_base, at + sum, part);
		if (tcp_commit(tf, part) < 0)
			break;
		sum += part;
	}
	return sum;
}

static void keep(void *arg)
{
	(void)arg;
}

/* All or nothing: one chunk for each piece, the last one releases. */
static size_t api_send_ref(struct sluice_flow *p, const struct iovec *v,
			   size_t n, void (*release)(void *), void *arg)
{
	struct tcp_flow *tf = (struct tcp_flow *)p;
	struct tcp_chunk *c = NULL, *list = NULL;
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i].iov_len;
	if (!may_move(tf) || !sum || !want(tf, sum <= stack_room(&tf->conn)))
		return 0;
	for (size_t i = 0; i < n; i++) {
		c = pool_get(&refs);
		if (!c)
			break;
		*c = (struct tcp_chunk){ .next = list };
		list = c;
	}
	if (!c) {
		while ((c = list)) {
			list = c->next;
			pool_put(&refs, c);
		}
		return 0;
	}
	tf->reserved = false;
	tcp_data_tidy(tf);
	for (size_t i = 0; i < n; i++) {
		c = list;
		list = c->next;
		*c = (struct tcp_chunk){ .base = v[i].iov_base,
					 .used = (uint32_t)v[i].iov_len,
					 .release = i + 1 < n ? keep : release,
					 .arg = arg };
		append(tf, c);
		if (v[i].iov_len && stack_write(&tf->conn, c->base, c->used)) {
			flow_refuse(&tf->flow, SLUICE_WHY_ERROR, NULL);
			continue; /* released with the flow */
		}
	}
	tf->flow.stats.down_bytes += sum;
	flow_touch(&tf->flow);
	tcp_mark(tf);
	return sum;
}

static void api_shut(struct sluice_flow *p)
{
	struct tcp_flow *tf = (struct tcp_flow *)p;

	if (!may_move(tf) || tf->conn.fin_sent)
		return;
	stack_shut(&tf->conn);
	flow_half(&tf->flow);
	tcp_mark(tf);
}

const struct sluice_flow_api tcp_api = {
	FLOW_API_COMMON,
	.peek = api_peek,
	.consume = api_consume,
	.reserve = api_reserve,
	.commit = api_commit,
	.send = api_send,
	.send_ref = api_send_ref,
	.dgrams = flow_api_no_dgrams,
	.dgrams_done = flow_api_no_len,
	.dgrams_send = flow_api_no_dgrams_send,
	.shut = api_shut,
	.peers = flow_api_no_peers,
};
