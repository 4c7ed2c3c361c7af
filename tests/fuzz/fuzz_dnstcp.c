/* SPDX-License-Identifier: MIT */
/* fuzz_dnstcp.c - DNS over TCP: a stream of any bytes, cut anywhere
 *
 * The connection and the queries are made here, so that what dnstcp.c asks
 * can be compared with a plain reading of the stream, and what it sends with
 * the answers it was given.
 *
 *	0-1	how much of the input is the stream
 *	then	the stream
 *	then	what happens, one byte each: bits 0-2
 *		0-2 more of it comes: bits 3-7, to the power of two
 *		3   room for answers: bits 3-7, to the power of two
 *		4   a query is answered: bits 3-7, which
 *		5   the app has closed, once all has come
 *		6   time passes
 *		7   how queries are answered from now on: bit 3 at once, bit 4
 *		    with much
 *
 * fuzz: core/dnstcp.c core/timer.c core/util.c
 */
#include <errno.h>

#include "dnsq.h"
#include "flow.h"
#include "fuzz.h"
#include "gateway.h"

#define AT_ONCE_MAX 128 /* pending: more than dnstcp.c allows */
#define ANSWER_MAX  65535

static struct gateway gw;
static struct dns dns;
static struct flow flow;

static struct {
	const uint8_t *data;
	size_t size, here, taken; /* here: so much of it has come */
	size_t asked;             /* read as messages so far */
	bool fin, too_short;      /* its end came; a message is no message */
} up;

static struct {
	uint8_t *data; /* what is to be sent */
	size_t len, sent, room;
	bool shut, aborted, wants_room;
	bool idle; /* time has passed: that may have been the end of it */
} down;

static struct {
	struct dnsq *q[AT_ONCE_MAX];
	int n;
	bool at_once, large;
} queries;

/* ------------------------------------------------------- the connection */

static const struct sluice_flow_info *get_info(struct sluice_flow *f)
{
	(void)f;
	return &flow.info;
}

static void *get_state(struct sluice_flow *f)
{
	(void)f;
	return flow.plug;
}

static size_t peek(struct sluice_flow *f, struct iovec *v, size_t *n)
{
	(void)f;
	FUZZ_CHECK(*n == 1 && !down.aborted);
	v->iov_base = (void *)(uintptr_t)(up.data + up.taken);
	v->iov_len = up.here - up.taken;
	*n = v->iov_len ? 1 : 0;
	return v->iov_len;
}

static void consume(struct sluice_flow *f, size_t len)
{
	(void)f;
	FUZZ_CHECK(len <= up.here - up.taken);
	up.taken += len;
}

static size_t send_some(struct sluice_flow *f, const void *p, size_t len)
{
	size_t n = MIN(len, down.room);

	(void)f;
	FUZZ_CHECK(!down.shut && !down.aborted);
	FUZZ_CHECK(n <= down.len - down.sent);
	if (n)
		FUZZ_CHECK(!memcmp(p, down.data + down.sent, n));
	down.sent += n;
	down.room -= n;
	if (n < len)
		down.wants_room = true;
	return n;
}

static void shut(struct sluice_flow *f)
{
	(void)f;
	FUZZ_CHECK(down.sent == down.len && !queries.n);
	down.shut = true; /* again, when it is idle after that: no harm */
}

static void abort_it(struct sluice_flow *f, int why)
{
	(void)f;
	(void)why;
	down.aborted = true;
}

static void idle_after(struct sluice_flow *f, uint32_t ms)
{
	(void)f;
	(void)ms;
}

static const struct sluice_flow_api api = {
	.size = sizeof(api),
	.info = get_info,
	.state = get_state,
	.peek = peek,
	.consume = consume,
	.send = send_some,
	.shut = shut,
	.abort = abort_it,
	.idle_after = idle_after,
};

/* ----------------------------------------------------------- the queries */

/* An answer of some length, made of its length. */
static void answer(struct dns_conn *c, size_t len)
{
	uint8_t *msg = malloc(len);

	FUZZ_CHECK(msg);
	memset(msg, (int)(len & 255), len);
	if (!down.shut && !down.aborted) {
		down.data = realloc(down.data, down.len + 2 + len);
		FUZZ_CHECK(down.data);
		put_be16(down.data + down.len, (uint16_t)len);
		memcpy(down.data + down.len + 2, msg, len);
		down.len += 2 + len;
	}
	dnstcp_down(c, msg, (uint32_t)len);
	free(msg);
}

static size_t answer_len(size_t asked)
{
	return queries.large ? ANSWER_MAX - asked % 999 : DNSMSG_HEADER + asked;
}

void dnsq_up(struct dns *d, const struct sluice_addr *app,
	     const struct sluice_addr *server, int32_t uid,
	     struct dns_conn *conn, const uint8_t *msg, size_t len)
{
	const uint8_t *plain = up.data + up.asked;
	struct dnsq *q;

	(void)app;
	(void)server;
	(void)uid;
	FUZZ_CHECK(d == &dns && !up.too_short);
	FUZZ_CHECK(up.size - up.asked >= 2 && get_be16(plain) == len);
	FUZZ_CHECK(up.asked + 2 + len <= up.here);
	FUZZ_CHECK(!memcmp(plain + 2, msg, len));
	up.asked += 2 + len;
	up.too_short = len < DNSMSG_HEADER;
	if (up.too_short)
		return;
	if (queries.at_once) {
		answer(conn, answer_len(len % 600));
		return;
	}
	FUZZ_CHECK(queries.n < AT_ONCE_MAX);
	q = calloc(1, sizeof(*q));
	FUZZ_CHECK(q);
	q->conn = conn;
	q->info.msg_len = (uint32_t)len;
	queries.q[queries.n++] = q;
	dnstcp_add(conn, q);
}

static struct dnsq *take_query(int i)
{
	struct dnsq *q = queries.q[i];

	queries.q[i] = queries.q[--queries.n];
	return q;
}

static void answer_query(int i)
{
	struct dns_conn *c;
	struct dnsq *q;

	if (!queries.n)
		return;
	q = take_query(i % queries.n);
	c = q->conn;
	answer(c, answer_len(q->info.msg_len % 600));
	dnstcp_remove(c, q);
	free(q);
}

/* The connection is gone. */
void dnsq_orphan(struct dnsq *q)
{
	for (int i = 0; i < queries.n; i++)
		if (queries.q[i] == q)
			take_query(i--);
	list_del(&q->conn_node);
	free(q);
}

/* ------------------------------------------------------------ what happens */

static void start(const uint8_t *data, size_t size)
{
	memset(&gw, 0, sizeof(gw));
	memset(&dns, 0, sizeof(dns));
	memset(&flow, 0, sizeof(flow));
	memset(&up, 0, sizeof(up));
	memset(&down, 0, sizeof(down));
	memset(&queries, 0, sizeof(queries));
	gw.set.dns.tcp_idle = 10000;
	timers_init(&gw.loop.timers, 1000);
	gw.loop.now = 1000;
	dns.gw = &gw;
	flow.pub.api = &api;
	flow.gw = &gw;
	up.data = data;
	up.size = size;
	FUZZ_CHECK(dnstcp_ops.open(&dns, &flow.pub) == SLUICE_TAKE);
}

static void happens(uint8_t what)
{
	size_t much = (size_t)1 << (what >> 3) % 18;

	switch (what & 7) {
	default:
		if (up.here == up.size)
			break;
		up.here += MIN(much, up.size - up.here);
		dnstcp_ops.readable(&dns, &flow.pub);
		break;
	case 3:
		down.room += much;
		if (!down.wants_room || down.shut)
			break;
		down.wants_room = false;
		dnstcp_ops.writable(&dns, &flow.pub);
		break;
	case 4:
		answer_query(what >> 3);
		break;
	case 5:
		if (up.fin || up.here < up.size)
			break;
		up.fin = true;
		dnstcp_ops.eof(&dns, &flow.pub);
		break;
	case 6:
		gw.loop.now += 3000;
		timers_run(&gw.loop.timers, gw.loop.now);
		down.idle |= down.shut;
		break;
	case 7:
		queries.at_once = what & 8;
		queries.large = what & 16;
	}
}

/* What may be read has been, and what may be sent: then all is well. */
static void finish(void)
{
	while (!down.aborted && !down.shut &&
	       (queries.n || down.sent < down.len || up.here < up.size)) {
		happens(7);
		happens(3 | 17 << 3);
		answer_query(0);
		happens(17 << 3);
	}
	if (!down.aborted && !down.shut)
		happens(5);
	if (!down.aborted && !down.idle && up.fin) {
		FUZZ_CHECK(down.shut && up.taken == up.size);
		FUZZ_CHECK(down.sent == down.len);
		/* Nothing whole was left unasked. */
		FUZZ_CHECK(up.size - up.asked < 2 ||
			   up.size - up.asked <
				   2u + get_be16(up.data + up.asked));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *stream;
	size_t len;

	if (size < 2)
		return 0;
	len = get_be16(data) % (size - 1);
	stream = fuzz_copy(data + 2, len);
	start(stream, len);
	for (size_t i = 2 + len; i < size && !down.aborted; i++)
		happens(data[i]);
	finish();
	dnstcp_ops.close(&dns, &flow.pub, SLUICE_WHY_DONE);
	FUZZ_CHECK(!queries.n);
	FUZZ_CHECK(timers_wait(&gw.loop.timers, gw.loop.now) < 0);
	free(flow.plug);
	free(down.data);
	free(stream);
	return 0;
}
