/* SPDX-License-Identifier: MIT */
/* dns.c - the owner of port 53
 *
 * Datagrams come from the packet reader, messages of TCP from dnstcp.c; both
 * end in dnsq_up().  Here are the things there is one of: the table of
 * questions under way, and the list of those that plugins resolved.
 *
 *	resolve()  any thread --> dns.resolved --end of the turn--> dnsq.c
 *
 * So a query never goes on inside of a call that its plugin is making.
 */
#include "dns.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "addr.h"
#include "dnsq.h"
#include "names.h"
#include "udp.h"
#include "util.h"

#define TABLE_MIN 64u
#define TABLE_MAX 65536u
#define LIMIT_MIN 16u

static uint64_t question_hash(const struct dns *d, const struct dnsq *q)
{
	uint8_t key[2 * sizeof(struct sluice_addr) + 6 + DNSMSG_TEXT];
	size_t name = strlen(q->asked), at = 0;

	memcpy(key, &q->info.app, sizeof(q->info.app));
	at += sizeof(q->info.app);
	memcpy(key + at, &q->info.server, sizeof(q->info.server));
	at += sizeof(q->info.server);
	put_be16(key + at, q->m.id);
	put_be16(key + at + 2, q->m.qtype);
	put_be16(key + at + 4, q->m.qclass);
	at += 6;
	memcpy(key + at, q->asked, name);
	return util_siphash(d->key, key, at + name);
}

static bool question_equal(const struct dnsq *a, const struct dnsq *b)
{
	return a->m.id == b->m.id && a->m.qtype == b->m.qtype &&
	       a->m.qclass == b->m.qclass &&
	       addr_equal(&a->info.app, &b->info.app) &&
	       addr_equal(&a->info.server, &b->info.server) &&
	       !strcmp(a->asked, b->asked);
}

/* The same question of the same socket to the same server, still under
 * way. */
struct dnsq *dns_find(struct dns *d, const struct dnsq *like)
{
	struct dnsq *q = d->table[question_hash(d, like) & d->mask];

	while (q && !question_equal(q, like))
		q = q->same;
	return q;
}

void dns_hash(struct dns *d, struct dnsq *q)
{
	struct dnsq **bucket = &d->table[question_hash(d, q) & d->mask];

	q->same = *bucket;
	*bucket = q;
	q->hashed = true;
}

void dns_unhash(struct dns *d, struct dnsq *q)
{
	struct dnsq **at;

	if (!q->hashed)
		return;
	at = &d->table[question_hash(d, q) & d->mask];
	while (*at != q)
		at = &(*at)->same;
	*at = q->same;
	q->hashed = false;
}

void dns_down(struct dns *d, const struct sluice_addr *app,
	      const struct sluice_addr *server, struct dns_conn *conn,
	      uint8_t *msg, uint32_t len)
{
	struct iovec v = { .iov_base = msg, .iov_len = len };

	stats_inc(&d->gw->stats, dns_answered);
	if (conn)
		dnstcp_down(conn, msg, len);
	else
		udp_down(d->gw, server, app, &v, 1, 0, NULL, 0);
}

/* What plugins resolved goes on. */
void dns_drain(struct dns *d)
{
	struct dnsq *q;

	pthread_mutex_lock(&d->lock);
	d->woken = false;
	while (!list_empty(&d->resolved)) {
		q = list_first(&d->resolved, struct dnsq, resolved);
		list_del(&q->resolved);
		pthread_mutex_unlock(&d->lock);
		dnsq_verdict(q, q->verdict);
		pthread_mutex_lock(&d->lock);
	}
	pthread_mutex_unlock(&d->lock);
}

static void drain_work(struct loop_work *w)
{
	dns_drain(container_of(w, struct dns, drain));
}

static void drain_posted(void *arg)
{
	struct dns *d = arg;
	bool gone;

	pthread_mutex_lock(&d->lock);
	d->posted = false;
	gone = d->gone;
	pthread_mutex_unlock(&d->lock);
	if (gone) {
		pthread_mutex_destroy(&d->lock);
		free(d);
		return;
	}
	dns_drain(d);
}

void dns_resolved(struct dns *d, struct dnsq *q, int verdict)
{
	bool here = d->has_thread && pthread_equal(d->thread, pthread_self());
	bool wake, post;

	pthread_mutex_lock(&d->lock);
	if (list_empty(&q->resolved)) {
		q->verdict = verdict;
		list_add_tail(&d->resolved, &q->resolved);
	}
	wake = here && !d->woken;
	post = !here && !d->posted && !d->woken;
	if (wake)
		d->woken = true;
	/* Without memory for the post the next one tries again, and at the
	 * latest the query's own timer looks. */
	if (post)
		d->posted = !loop_post(&d->gw->loop, drain_posted, d);
	pthread_mutex_unlock(&d->lock);
	if (wake)
		loop_end(&d->gw->loop, &d->drain);
}

bool dns_up(struct gateway *gw, const struct packet *p)
{
	struct dns *d = gw->dns;
	uint32_t at = 0, size, n;

	if (!d || !d->on)
		return false;
	size = p->gso_size ? p->gso_size : p->data_len;
	do {
		n = MIN(size, p->data_len - at);
		dnsq_up(d, &p->src, &p->dst, -1, NULL, p->data + at, n);
		at += n;
	} while (at < p->data_len);
	return true;
}

void dns_trim(struct gateway *gw)
{
	if (!gw->dns)
		return;
	pool_trim(&gw->dns->queries);
	pool_trim(&gw->dns->asks);
	if (gw->names)
		names_trim(gw->names, gw->loop.now);
}

/* Who waits mostly holds a socket: a server that is silent must not cost the
 * flows their descriptors. */
static uint32_t pending_limit(const struct gateway *gw)
{
	struct rlimit r;
	rlim_t some = LIMIT_MIN;

	if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur / 8 > some)
		some = r.rlim_cur / 8;
	return (uint32_t)MIN((rlim_t)gw->set.dns.max_pending, some);
}

int dns_init(struct gateway *gw)
{
	uint32_t limit = pending_limit(gw);
	uint32_t buckets = TABLE_MIN;
	struct dns *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	while (buckets < limit && buckets < TABLE_MAX)
		buckets *= 2;
	d->table = calloc(buckets, sizeof(*d->table));
	if (!d->table) {
		free(d);
		return -ENOMEM;
	}
	err = util_random(d->key, sizeof(d->key));
	if (err) {
		free(d->table);
		free(d);
		return err;
	}
	d->gw = gw;
	d->limit = limit;
	d->mask = buckets - 1;
	d->on = gw->chains.of[CHAIN_DNS] && gw->chains.of[CHAIN_DNS][0];
	d->watched = gw->chains.see & SLUICE_SEE_DNS;
	/* Twice: those told already, which a plugin still holds, have room of
	 * their own. */
	pool_init(&d->queries, "dns queries", sizeof(struct dnsq), 0,
		  2 * limit);
	dnsask_init(d);
	list_init(&d->all);
	list_init(&d->resolved);
	pthread_mutex_init(&d->lock, NULL);
	loop_work_init(&d->drain, drain_work);
	gw->dns = d;
	d->service = (struct tcp_service){ .ops = &dnstcp_ops, .self = d };
	if (!d->on)
		return 0;
	gw->names = names_new();
	if (!gw->names)
		return -ENOMEM;
	tcp_serve(gw, 53, &d->service);
	return 0;
}

void dns_fini(struct gateway *gw)
{
	struct dns *d = gw->dns;
	bool posted;

	if (!d)
		return;
	while (!list_empty(&d->all))
		dnsq_free(list_first(&d->all, struct dnsq, node));
	loop_work_cancel(&d->drain);
	pool_fini(&d->queries);
	pool_fini(&d->asks);
	free(d->table);
	names_free(gw->names);
	gw->names = NULL;
	gw->dns = NULL;
	pthread_mutex_lock(&d->lock);
	posted = d->posted;
	d->gone = true;
	pthread_mutex_unlock(&d->lock);
	if (posted)
		return; /* the loop holds a call to drain_posted() */
	pthread_mutex_destroy(&d->lock);
	free(d);
}
