/* SPDX-License-Identifier: MIT */
/* dns-upstream.c - asks DNS servers, and remembers what they said
 *
 *	query --kept--> answered
 *	  |  \--stale--> asked, and the old answer after 1.8 s
 *	  +------------> asked
 *
 * Here are the options, the door for queries, and the one timer.
 */
#include <errno.h>
#include <stdlib.h>

#include <sluice/plugin.h>

#include "ask.h"

#define TABLE_MIN   64
#define IDLE_MS     1000 /* tick when only idle connections are left */
#define PREFETCH_OF 10   /* in the last tenth of its time */
#define HITS_MIN    2    /* somebody asks for it again and again */

static void tick(void *arg)
{
	struct upstream *up = arg;
	bool busy, idle;

	up->timer = NULL;
	ask_tick(up);
	busy = udp_sweep(up) || !TAILQ_EMPTY(&up->asks);
	idle = stream_sweep(up);
	if (busy || idle)
		upstream_tick_in(up, busy ? TICK_MS : IDLE_MS);
}

void upstream_tick_in(struct upstream *up, uint32_t ms)
{
	uint64_t at = sluice_now(up->ctx) + ms;

	if (up->timer && up->timer_ms <= at)
		return;
	sluice_timer_stop(up->ctx, up->timer);
	up->timer = sluice_timer(up->ctx, ms, tick, up);
	up->timer_ms = at;
}

/* Known well and soon too old: asked again before somebody has to wait. */
static void prefetch(struct upstream *up, struct group *g,
		     const struct question *q, const struct msg *m,
		     const struct cache_entry *e, uint64_t now)
{
	uint64_t all = e->until_ms - e->kept_ms;

	if (!up->options->prefetch || e->failure || e->hits < HITS_MIN ||
	    now + all / PREFETCH_OF < e->until_ms)
		return;
	ask_begin(up, g, q, NULL, m, NULL);
}

/* From the cache.  False: it has to be asked. */
static bool answer_kept(struct upstream *up, struct group *g,
			const struct question *q, struct sluice_query *query,
			const struct msg *m, struct cache_entry *e)
{
	uint64_t now = sluice_now(up->ctx);

	if (now >= e->until_ms && now >= e->again_ms)
		return false;
	if (reply_kept(up, query, e)) {
		cache_drop(&up->cache, e);
		return false;
	}
	if (now < e->until_ms)
		prefetch(up, g, q, m, e, now);
	return true;
}

/* With its network it is another question: what is kept is for all. */
static bool is_for_one(const struct upstream *up, const uint8_t *msg,
		       const struct msg *m)
{
	size_t len;

	return up->options->ecs == ECS_PASS && msg_ecs(msg, m, &len);
}

static int upstream_query(void *self, struct sluice_query *query)
{
	struct upstream *up = self;
	const struct sluice_query_info *i = sluice_query_info(query);
	struct group *g = groups_find(&up->groups, i->name);
	uint64_t now = sluice_now(up->ctx);
	struct cache_entry *e;
	struct question q;
	struct msg m;

	if (!msg_read(&m, i->msg, i->msg_len) || !m.question)
		return -EBADMSG;
	if (servers_refresh(&g->servers, now)) {
		sluice_log(up->ctx, 6, "%s: %u servers now", g->servers.path,
			   g->servers.n);
		/* Other servers may know the same names as others. */
		cache_drop_group(&up->cache, g->index);
	}
	question_init(&q, g->index, i->msg, &m, up->key);
	if (is_for_one(up, i->msg, &m))
		return ask_begin(up, g, &q, query, &m, NULL);
	e = cache_find(&up->cache, &q, now);
	if (e && answer_kept(up, g, &q, query, &m, e))
		return SLUICE_TAKE;
	if (e)
		e = cache_find(&up->cache, &q, now);
	return ask_begin(up, g, &q, query, &m, e);
}

/* The first encrypted server, or NULL. */
static const struct url *first_secure(const struct groups *g)
{
	for (uint16_t i = 0; i < g->n; i++)
		for (uint32_t j = 0; j < g->v[i].servers.n; j++)
			if (g->v[i].servers.v[j]->url.kind >= URL_TLS)
				return &g->v[i].servers.v[j]->url;
	return NULL;
}

/* What encrypted servers need, if there are any. */
static int make_secure(struct upstream *up)
{
	const char *ca = up->options->ca_file;
	const struct url *u = first_secure(&up->groups);
	char text[256], server[URL_TEXT];

	if (!u)
		return 0;
	up->secure = secure_find(text, sizeof(text));
	if (up->secure)
		up->secure_ctx =
			up->secure->start(*ca ? ca : NULL, text, sizeof(text));
	if (up->secure_ctx)
		return 0;
	return sluice_fail(up->ctx, ENOTSUP, "server %s: %s",
			   url_text(u, server), text);
}

static void upstream_destroy(void *self)
{
	struct upstream *up = self;

	ask_free_all(up);
	cache_fini(&up->cache);
	groups_fini(&up->groups);
	if (up->secure_ctx)
		up->secure->end(up->secure_ctx);
	free(up->table);
	free(up);
}

static int upstream_create(struct sluice_ctx *ctx, const void *options,
			   void **self)
{
	struct upstream *up = calloc(1, sizeof(*up));
	const struct options *o = options;
	char text[GROUP_TEXT];
	int err;

	if (!up)
		return -ENOMEM;
	up->ctx = ctx;
	up->options = o;
	up->network = -1;
	TAILQ_INIT(&up->asks);
	TAILQ_INIT(&up->stale);
	TAILQ_INIT(&up->tries);
	TAILQ_INIT(&up->udps);
	TAILQ_INIT(&up->streams);
	for (size_t n = 0; n < sizeof(up->key) / 2; n++)
		((uint16_t *)up->key)[n] = try_random(up);
	err = groups_init(&up->groups, o, text);
	if (err)
		sluice_fail(ctx, -err, "%s", text);
	up->table = calloc(TABLE_MIN, sizeof(struct ask *));
	up->mask = TABLE_MIN - 1;
	if (!err && !up->table)
		err = -ENOMEM;
	if (!err)
		err = cache_init(&up->cache, (size_t)o->cache_size,
				 (uint64_t)o->serve_stale);
	if (!err)
		err = make_secure(up);
	if (err) {
		upstream_destroy(up);
		return err;
	}
	*self = up;
	return 0;
}

static int upstream_start(void *self)
{
	network_start(self);
	return 0;
}

static void upstream_stop(void *self)
{
	struct upstream *up = self;

	up->stopping = true;
	network_stop(up);
	ask_stop(up);
	udp_stop(up);
	stream_stop(up);
}

static const struct sluice_option upstream_options[] = {
	{ .key = "server",
	  .type = SLUICE_OPT_LIST,
	  .preset = "system",
	  .offset = offsetof(struct options, server),
	  .help = "system (those of /etc/resolv.conf), ADDRESS, udp://, "
		  "tcp://ADDRESS:PORT, tls://, https://NAME, sdns://STAMP or "
		  "controld://UID, in order of preference" },
	{ .key = "route",
	  .type = SLUICE_OPT_LIST,
	  .preset = "",
	  .offset = offsetof(struct options, route),
	  .help = "DOMAIN... SERVER...: who is asked about these domains and "
		  "all below; may be repeated" },
	{ .key = "bootstrap",
	  .type = SLUICE_OPT_LIST,
	  .preset = "",
	  .offset = offsetof(struct options, bootstrap),
	  .help = "ADDRESS...: plain servers that know where the others are; "
		  "NAME ADDRESS...: where the one of that name is" },
	{ .key = "mode",
	  .type = SLUICE_OPT_ENUM,
	  .preset = "failover",
	  .offset = offsetof(struct options, mode),
	  .help = "failover|race: one server after the other, or two at once "
		  "and the first answer counts" },
	{ .key = "timeout",
	  .type = SLUICE_OPT_MS,
	  .preset = "${dns.timeout}",
	  .min = 100,
	  .max = 60000,
	  .offset = offsetof(struct options, timeout),
	  .help = "a query without an answer by then gets SERVFAIL" },
	{ .key = "try-timeout",
	  .type = SLUICE_OPT_MS,
	  .preset = "2s",
	  .min = 50,
	  .max = 60000,
	  .offset = offsetof(struct options, try_timeout),
	  .help = "a server without an answer by then: ask the next" },
	{ .key = "idle-timeout",
	  .type = SLUICE_OPT_MS,
	  .preset = "10s",
	  .max = 3600000,
	  .offset = offsetof(struct options, idle_timeout),
	  .help = "a connection without questions ends after that" },
	{ .key = "cache-size",
	  .type = SLUICE_OPT_SIZE,
	  .preset = "4M",
	  .max = 1 << 30,
	  .offset = offsetof(struct options, cache_size),
	  .help = "memory for answers; 0: none are kept" },
	{ .key = "cache-min-ttl",
	  .type = SLUICE_OPT_MS,
	  .preset = "0s",
	  .max = 3600000,
	  .offset = offsetof(struct options, cache_min_ttl),
	  .help = "answers are kept for at least so long" },
	{ .key = "cache-max-ttl",
	  .type = SLUICE_OPT_MS,
	  .preset = "24h",
	  .max = 604800000,
	  .offset = offsetof(struct options, cache_max_ttl),
	  .help = "and at most" },
	{ .key = "cache-negative-ttl",
	  .type = SLUICE_OPT_MS,
	  .preset = "1h",
	  .max = 86400000,
	  .offset = offsetof(struct options, cache_negative_ttl),
	  .help = "that a name or type does not exist is kept for at most so "
		  "long" },
	{ .key = "cache-failure-ttl",
	  .type = SLUICE_OPT_MS,
	  .preset = "5s",
	  .max = 30000,
	  .offset = offsetof(struct options, cache_failure_ttl),
	  .help = "that servers failed is kept for so long" },
	{ .key = "serve-stale",
	  .type = SLUICE_OPT_MS,
	  .preset = "24h",
	  .max = 604800000,
	  .offset = offsetof(struct options, serve_stale),
	  .help = "answers that are too old by no more than this are given "
		  "when servers do not answer; 0: never" },
	{ .key = "prefetch",
	  .type = SLUICE_OPT_BOOL,
	  .preset = "yes",
	  .offset = offsetof(struct options, prefetch),
	  .help = "ask again for what is asked for often before it is too "
		  "old" },
	{ .key = "ecs",
	  .type = SLUICE_OPT_ENUM,
	  .preset = "strip",
	  .offset = offsetof(struct options, ecs),
	  .help = "strip|pass: the client-subnet option of apps; an answer to "
		  "one that is passed is not kept" },
	{ .key = "ca-file",
	  .type = SLUICE_OPT_STR,
	  .preset = "",
	  .offset = offsetof(struct options, ca_file),
	  .help = "authorities (PEM) that certificates of servers have to lead "
		  "to, instead of those the system trusts" },
	{ .key = "client-host",
	  .type = SLUICE_OPT_STR,
	  .preset = "",
	  .offset = offsetof(struct options, client_host),
	  .help = "name of this device, told to controld:// servers" },
	{ .key = "client-address",
	  .type = SLUICE_OPT_STR,
	  .preset = "",
	  .offset = offsetof(struct options, client_address),
	  .help = "its address in the LAN, told to them as well" },
	{ .key = "client-mac",
	  .type = SLUICE_OPT_STR,
	  .preset = "",
	  .offset = offsetof(struct options, client_mac),
	  .help = "and its hardware address" },
	{ .key = NULL }
};

static const struct sluice_dns_ops upstream_dns = {
	.size = sizeof(upstream_dns),
	.query = upstream_query,
};

SLUICE_PLUGIN(dns_upstream) = {
	SLUICE_HEAD,
	.name = "dns-upstream",
	.version = "0.1",
	.summary = "asks DNS servers, and remembers their answers",
	.license = "MIT",
	.options = upstream_options,
	.options_bytes = sizeof(struct options),
	.create = upstream_create,
	.start = upstream_start,
	.stop = upstream_stop,
	.destroy = upstream_destroy,
	.dns = &upstream_dns,
};
