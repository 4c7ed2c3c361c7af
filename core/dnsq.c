/* SPDX-License-Identifier: MIT */
/* dnsq.c - a DNS query: down the chain, waiting, back up
 *
 *	CHAIN --LATER--> HELD ---resolve()---> BACK --> gone
 *	  | |              |                   ^  ^
 *	  | +--forward--> ASKED ----answer-----+  |
 *	  |               |    \                  |
 *	  |               +-----+-- timer --> TOLD --resolve()--> gone
 *	  +--TAKE---------------------------------+
 *
 * Whoever asks is answered: by a plugin, by a server, or by SERVFAIL when the
 * time is up, too many wait or a plugin failed; only DROP is silence.  A
 * query that a plugin holds stays in memory until it is resolved, also when
 * nobody waits for it any more, and while it is held only the holder touches
 * q->next.
 */
#include "dnsq.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "addr.h"
#include "log.h"
#include "names.h"

#define LINGER_MS 1000u /* what a holder has to let go of a lost query */
#define NAMED_MAX 64    /* addresses of one answer that get its name */

static struct instance *chain_at(const struct dnsq *q, uint32_t at)
{
	return q->dns->gw->chains.of[CHAIN_DNS][at];
}

/* Memory for an answer: inside of q unless the reply is there. */
static uint8_t *room(struct dnsq *q, size_t len)
{
	if (len <= sizeof(q->out) && q->reply.p != q->out)
		return q->out;
	return malloc(len);
}

void dnsq_bytes_set(struct dnsq *q, struct dnsq_bytes *b, uint8_t *p,
		    size_t len)
{
	if (b->p != q->out)
		free(b->p);
	b->p = p;
	b->len = (uint32_t)len;
}

int dnsq_make(struct dnsq *q, const struct dnsmsg_answer *a)
{
	size_t cap = MIN(DNSMSG_MADE + 28 * a->n + a->records_len, DNSMSG_MAX);
	size_t len;
	uint8_t *p = room(q, cap);

	if (!p)
		return -ENOMEM;
	len = dnsmsg_make(p, cap, q->info.msg, &q->m, a);
	if (!len && p != q->out)
		free(p);
	dnsq_bytes_set(q, &q->next, len ? p : NULL, len);
	return len ? 0 : -EMSGSIZE;
}

int dnsq_answer(struct dnsq *q, const void *msg, size_t len)
{
	struct dnsmsg m;
	uint8_t *p;
	int err;

	if (dnsmsg_parse(&m, msg, len))
		return -EBADMSG;
	if (!m.question) /* an error of a server that did not read on */
		return dnsq_make(q, &(struct dnsmsg_answer){
					    .rcode = DNSMSG_RCODE(m.flags),
					    .ede = DNSMSG_EDE_NONE });
	p = room(q, m.len);
	if (!p)
		return -ENOMEM;
	memmove(p, msg, m.len); /* it may be a piece of the last one */
	err = dnsmsg_adopt(p, &m, q->info.msg, &q->m);
	if (err && p != q->out)
		free(p);
	dnsq_bytes_set(q, &q->next, err ? NULL : p, err ? 0 : m.len);
	return err;
}

/* SERVFAIL and the like for a message that never became a query. */
static void turn_away(struct dns *d, const struct sluice_query_info *i,
		      struct dns_conn *conn, const struct dnsmsg *m,
		      uint8_t rcode)
{
	struct dnsmsg_answer a = { .rcode = rcode, .ede = DNSMSG_EDE_NONE };
	uint8_t out[DNSMSG_MADE];
	size_t len = dnsmsg_make(out, sizeof(out), i->msg, m, &a);

	dns_down(d, &i->app, &i->server, conn, out, (uint32_t)len);
}

static void observers_see(struct dnsq *q, const struct dnsq_bytes *b)
{
	struct gateway *gw = q->dns->gw;
	const struct sluice_query_info *asked;
	const struct dnsmsg *m;
	struct sluice_dns_event ev = {
		.size = sizeof(ev),
		.rcode = b->p ? b->p[3] & 0xf : 0,
		.dropped = !b->p,
		.plugin = q->holder ? q->holder->name : "core",
		.reply = b->p,
		.reply_len = b->len,
		.took_ms = (uint32_t)(gw->loop.now - q->born),
		.reason = *q->reason ? q->reason : NULL,
	};

	dnsfollow_first(q, &asked, &m);
	ev.info = asked;
	for (struct instance **in = gw->chains.of[CHAIN_OBSERVE]; *in; in++) {
		const struct plugin *p = (*in)->plugin;
		uint64_t t;

		if (!(p->observe.flags & SLUICE_SEE_DNS))
			continue;
		t = chain_enter(*in);
		p->observe.dns((*in)->self, &ev);
		chain_leave(*in, t, "dns");
	}
}

/* Nobody waits for it any more, as far as the counters and repeats go. */
static void settle(struct dnsq *q)
{
	struct dns *d = q->dns;

	if (q->state == DNSQ_TOLD)
		return;
	q->state = DNSQ_TOLD;
	dns_unhash(d, q);
	stats_dec(&d->gw->stats, dns_pending);
	if (q->conn)
		dnstcp_remove(q->conn, q);
}

void dnsq_free(struct dnsq *q)
{
	struct dns *d = q->dns;

	settle(q);
	dnsask_cancel(q);
	dnsfollow_free(q);
	loop_timer_stop(&d->gw->loop, &q->timer);
	pthread_mutex_lock(&d->lock);
	list_del(&q->resolved);
	pthread_mutex_unlock(&d->lock);
	dnsq_bytes_set(q, &q->reply, NULL, 0);
	dnsq_bytes_set(q, &q->next, NULL, 0);
	if (q->heap)
		free((void *)(uintptr_t)q->info.msg);
	list_del(&q->node);
	pool_put(&d->queries, q);
}

/* Flows to these addresses will be called what the app asked for. */
static void remember(struct dnsq *q, const struct dnsq_bytes *b)
{
	struct gateway *gw = q->dns->gw;
	struct dnsmsg_addrs walk;
	struct sluice_addr a;
	uint32_t ttl;

	dnsmsg_addrs_init(&walk, b->p, b->len);
	for (int n = 0; n < NAMED_MAX; n++) {
		if (!dnsmsg_addrs_next(&walk, &a, &ttl))
			return;
		names_add(gw->names, &a, q->info.name, ttl, gw->loop.now);
	}
}

/* The end as the app sees it; without bytes it sees nothing. */
static void tell(struct dnsq *q, struct dnsq_bytes *b)
{
	struct dns *d = q->dns;

	if (b->p && !q->info.tcp)
		b->len = (uint32_t)dnsmsg_cut(b->p, b->len, q->info.udp_size);
	if (d->watched)
		observers_see(q, b);
	if (!b->p || (!q->conn && q->info.tcp) || d->gw->stopping)
		return;
	remember(q, b);
	dns_down(d, &q->info.app, &q->info.server, q->conn, b->p, b->len);
}

/* What the core itself says goes straight to the app.  q->next and q->reply
 * are left alone: q may be held. */
static void tell_failure(struct dnsq *q, int ede)
{
	struct dnsmsg_answer a = { .rcode = DNSMSG_SERVFAIL, .ede = ede };
	const struct sluice_query_info *asked;
	const struct dnsmsg *m;
	uint8_t out[DNSMSG_MADE];
	struct dnsq_bytes b = { .p = out };

	dnsfollow_first(q, &asked, &m);
	b.len = (uint32_t)dnsmsg_make(out, sizeof(out), asked->msg, m, &a);
	tell(q, &b);
}

static void fail(struct dnsq *q, int ede)
{
	tell_failure(q, ede);
	dnsq_free(q);
}

static void plugin_failed(struct dnsq *q, const char *what, int err)
{
	chain_failed(q->holder, what, err);
}

static int reply_of(struct dnsq *q, struct instance *in)
{
	uint64_t t = chain_enter(in);
	int v = in->plugin->dns.reply(in->self, &q->pub, q->reply.p,
				      q->reply.len);

	chain_leave(in, t, "reply");
	return v;
}

/* q->next is the answer: past the plugins before its author, in reverse. */
static void walk_back(struct dnsq *q)
{
	bool block = q->dns->gw->set.dns.on_error == 0;
	struct instance *author = q->holder;

	q->state = DNSQ_BACK;
	dnsq_bytes_set(q, &q->reply, q->next.p, q->next.len);
	q->next.p = NULL;
	for (uint32_t at = q->at;; at--) {
		struct instance *in;
		int v;

		if (dnsfollow_end(q, at ? at - 1 : 0, &q->reply)) {
			fail(q, DNSMSG_EDE_NONE);
			return;
		}
		if (!at)
			break;
		in = chain_at(q, at - 1);
		v = reply_of(q, in);
		if (v == SLUICE_TAKE && q->next.p) {
			dnsq_bytes_set(q, &q->reply, q->next.p, q->next.len);
			q->next.p = NULL;
			author = in;
			continue;
		}
		dnsq_bytes_set(q, &q->next, NULL, 0);
		if (v == SLUICE_PASS)
			continue;
		q->holder = in;
		if (v == SLUICE_DROP) {
			dnsq_bytes_set(q, &q->reply, NULL, 0);
			break;
		}
		plugin_failed(q, "reply", v < 0 ? v : -EINVAL);
		if (block) {
			fail(q, DNSMSG_EDE_NONE);
			return;
		}
	}
	if (q->reply.p)
		q->holder = author;
	tell(q, &q->reply);
	dnsq_free(q);
}

/* A verdict that ends the query, or goes on with the chain: true. */
static bool verdict(struct dnsq *q, const char *what, int v)
{
	if (v == SLUICE_TAKE && q->next.p) {
		walk_back(q);
		return false;
	}
	dnsq_bytes_set(q, &q->next, NULL, 0);
	if (v == SLUICE_PASS)
		return true;
	if (v == SLUICE_DROP) {
		tell(q, &q->next);
		dnsq_free(q);
		return false;
	}
	plugin_failed(q, what, v < 0 ? v : -EINVAL);
	if (q->dns->gw->set.dns.on_error != 0)
		return true;
	fail(q, DNSMSG_EDE_NONE);
	return false;
}

static void walk(struct dnsq *q)
{
	struct instance *in;
	int err;

	for (; (in = chain_at(q, q->at)); q->at++) {
		uint64_t t;
		int v;

		q->state = DNSQ_CHAIN;
		q->holder = in;
		t = chain_enter(in);
		v = in->plugin->dns.query(in->self, &q->pub);
		chain_leave(in, t, "query");
		if (v == SLUICE_LATER) {
			q->state = q->ask ? DNSQ_ASKED : DNSQ_HELD;
			return;
		}
		dnsask_cancel(q);
		if (!verdict(q, "query", v))
			return;
	}
	q->holder = NULL;
	q->state = DNSQ_ASKED;
	err = dnsask_start(q, NULL);
	if (err)
		fail(q, DNSMSG_EDE_NETWORK);
}

void dnsq_verdict(struct dnsq *q, int v)
{
	if (q->state == DNSQ_TOLD) {
		dnsq_free(q);
		return;
	}
	if (q->state != DNSQ_HELD) /* forwarded meanwhile: not its any more */
		return;
	if (!verdict(q, "resolve", v))
		return;
	q->at++;
	walk(q);
}

void dnsq_answered(struct dnsq *q)
{
	walk_back(q);
}

void dnsq_failed(struct dnsq *q, int ede)
{
	fail(q, ede);
}

void dnsq_orphan(struct dnsq *q)
{
	dnstcp_remove(q->conn, q);
	if (q->state == DNSQ_ASKED)
		dnsq_free(q);
}

/* The time is up: the app is told.  Who still holds the query later than that
 * is named. */
static void expired(struct timer *timer)
{
	struct dnsq *q = container_of(timer, struct dnsq, timer);
	struct dns *d = q->dns;

	if (q->state == DNSQ_TOLD) {
		log_limited(LOG_LEVEL_WARN,
			    "dns query %" PRIu64 " %s: %s keeps it unresolved",
			    q->info.id, q->info.name, q->holder->name);
		return;
	}
	stats_inc(&d->gw->stats, dns_timeout);
	if (q->state == DNSQ_ASKED) {
		fail(q, DNSMSG_EDE_UNREACHABLE);
		return;
	}
	tell_failure(q, DNSMSG_EDE_UNREACHABLE);
	settle(q);
	loop_timer(&d->gw->loop, &q->timer, LINGER_MS);
	dns_drain(d);
}

/* Copies of message and name, in q if they fit.  False: no memory. */
static bool keep(struct dnsq *q, const struct sluice_query_info *i,
		 const char *name, size_t name_len)
{
	size_t need = i->msg_len + name_len + 1;
	uint8_t *p = q->in;

	q->heap = need > sizeof(q->in);
	if (q->heap)
		p = malloc(need);
	if (!p)
		return false;
	memcpy(p, i->msg, i->msg_len);
	memcpy(p + i->msg_len, name, name_len + 1);
	q->info = *i;
	q->info.msg = p;
	q->info.name = (char *)p + i->msg_len;
	return true;
}

static struct dnsq *dnsq_new(struct dns *d, const struct sluice_query_info *i,
			     const struct dnsmsg *m, struct dns_conn *conn)
{
	char name[DNSMSG_TEXT];
	int len = dnsmsg_name(i->msg, i->msg_len, DNSMSG_HEADER, name);
	struct dnsq *q = pool_get(&d->queries);

	if (!q)
		return NULL;
	memset(q, 0, offsetof(struct dnsq, in));
	*q->reason = '\0';
	if (len < 0 || !keep(q, i, name, (size_t)len)) {
		pool_put(&d->queries, q);
		return NULL;
	}
	q->pub.api = &dnsq_api;
	q->dns = d;
	q->m = *m;
	q->asked = q->info.name;
	q->conn = conn;
	q->info.size = sizeof(q->info);
	q->info.qtype = m->qtype;
	q->info.qclass = m->qclass;
	q->info.tcp = conn != NULL;
	q->info.udp_size =
		conn ? DNSMSG_MAX :
		       dnsmsg_udp_size(m, i->app.family, d->gw->set.mtu);
	q->born = d->gw->loop.now;
	list_init(&q->conn_node);
	list_init(&q->resolved);
	timer_init(&q->timer, expired);
	return q;
}

/* Is it a question?  If not it is answered here, or dropped. */
static bool is_question(struct dns *d, const struct sluice_query_info *i,
			struct dns_conn *conn, struct dnsmsg *m)
{
	struct stats *s = &d->gw->stats;
	int bad = dnsmsg_parse(m, i->msg, i->msg_len);

	/* Answers are nobody's questions, and answering one could go on
	 * forever. */
	if (i->msg_len < DNSMSG_HEADER || m->flags & DNSMSG_QR) {
		stats_inc(s, dns_malformed);
		return false;
	}
	stats_inc(s, dns_queries);
	if (DNSMSG_OPCODE(m->flags)) {
		turn_away(d, i, conn, m, DNSMSG_NOTIMP);
		return false;
	}
	if (bad || !m->question || m->len != i->msg_len) {
		stats_inc(s, dns_malformed);
		turn_away(d, i, conn, m, DNSMSG_FORMERR);
		return false;
	}
	return true;
}

void dnsq_up(struct dns *d, const struct sluice_addr *app,
	     const struct sluice_addr *server, int32_t uid,
	     struct dns_conn *conn, const uint8_t *msg, size_t len)
{
	struct sluice_query_info info = {
		.msg = msg,
		.msg_len = (uint32_t)len,
		.app = *app,
		.server = *server,
		.uid = uid,
	};
	struct stats *s = &d->gw->stats;
	struct dnsq *q = NULL, *twin;
	struct dnsmsg m;

	if (d->gw->stopping) /* plugins have been told that none comes */
		return;
	if (!d->has_thread) {
		d->thread = pthread_self();
		d->has_thread = true;
	}
	if (!is_question(d, &info, conn, &m))
		return;
	if (stats_get(s, dns_pending) < d->limit)
		q = dnsq_new(d, &info, &m, conn);
	if (!q) {
		stats_inc(s, dns_limited);
		turn_away(d, &info, conn, &m, DNSMSG_SERVFAIL);
		return;
	}
	twin = conn ? NULL : dns_find(d, q);
	if (twin) { /* one answer serves both */
		if (q->heap)
			free((void *)(uintptr_t)q->info.msg);
		pool_put(&d->queries, q);
		if (twin->ask)
			dnsask_again(twin);
		return;
	}
	q->info.id = ++d->next_id;
	list_add_tail(&d->all, &q->node);
	stats_inc(s, dns_pending);
	if (conn)
		dnstcp_add(conn, q);
	else
		dns_hash(d, q);
	loop_timer(&d->gw->loop, &q->timer, (uint64_t)d->gw->set.dns.timeout);
	walk(q);
}
