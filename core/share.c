/* SPDX-License-Identifier: MIT */
/* share.c - who may begin a flow, and who makes room for it
 *
 * The flows of a kind, idle longest first:
 *
 *	share_take()          share_answered()
 *	     +----> gw->fresh[] -----+----> gw->lru[] ----> share_leave()
 *
 * and each source has two such lists of its own.  A new flow meets these
 * bounds, one after the other:
 *
 *	rate	fresh flows a second: of a destination that answered this
 *		source before; else of a source that was ever answered; else
 *		of all the strangers together.  An answer gives it back, so
 *		that only silence is bounded (RFC 6888 REQ-4.C).
 *	fresh	FRESH_TCP connections, four fifths of the sessions: the rest
 *		is for those who were answered before.  The source with more
 *		than half of them loses its oldest to anybody; any other
 *		oldest must have waited for a while.
 *	share	of a source, while there are others (RFC 6888 REQ-4): beyond
 *		it, it takes from itself.
 *	places	of the kind: a source beyond its share loses its longest
 *		idle, then the longest idle of all goes, if that is long.
 *
 * So a flood, from one source or many, is refused or ends itself; what it
 * costs is bounded by the rate; and a flow that was answered outlives it.
 * Each step looks at the head of a list: no packet pays for the number of
 * flows or sources.
 */
#include "share.h"

#include <errno.h>
#include <stdlib.h>

#include "gateway.h"
#include "rate.h"

#define FRESH_TCP     1024 /* requirement TCP-3 */
#define FRESH_RATE    2048 /* a second, at most */
#define FRESH_AT_ONCE 1024
#define FRESH_LEAST   16 /* at once, however few the places */
#define FRESH_FEW     32 /* beyond the bound, of a source that is known */
#define ENDS          16 /* in a turn: their descriptors close at its end */
#define BUCKETS       (1u << 16)
#define KNOWN         2048 /* destinations, two a bucket */
#define RESTING       1024 /* sources that may come back */

/* How long a flow was idle, in ms, before it is ended for another one. */
static const struct patience {
	uint32_t fresh;    /* and never answered */
	uint32_t beyond;   /* its source has more than its share */
	uint32_t any, own; /* for somebody else's, for one of its source */
} patience[GATEWAY_LRUS] = {
	/* The app repeats its SYN. */
	[GATEWAY_LRU_TCP] = { 0, 10000, 300000, 300000 },
	/* RFC 4787 REQ-5: two minutes. */
	[GATEWAY_LRU_UDP] = { 30000, 0, 120000, 10000 },
	[GATEWAY_LRU_ICMP] = { 10000, 0, 10000, 10000 },
};

enum { PAID_STRANGERS, PAID_SOURCE, PAID_KNOWN };

struct part { /* of a source: its flows of one kind */
	struct list fresh, lru;
	uint32_t n, n_fresh;
	struct rate rate;
};

struct share_source {
	struct share_source *next; /* in its bucket */
	struct list rest;          /* known, and without a flow */
	uint8_t ip[16], family;
	bool known; /* was ever answered */
	uint32_t flows;
	struct part part[GATEWAY_LRUS];
};

struct kind {
	uint32_t n, n_fresh;
	/* If there is a source with more than half of the fresh ones, or with
	 * more than its share, it is this. */
	struct share_source *hog, *beyond;
	struct rate strangers;
};

struct known { /* a destination that answered a source */
	uint64_t tag;
	struct rate rate;
};

struct share {
	struct kind kind[GATEWAY_LRUS];
	struct pool sources;
	uint32_t active; /* sources that have flows */
	struct list resting;
	uint32_t n_resting;
	uint64_t turn; /* the last one that a flow was ended in */
	unsigned ended;
	struct known known[KNOWN];
	struct share_source *bucket[BUCKETS];
};

static int kind_of(const struct flow *f)
{
	return flow_kind(f->type);
}

/* -------------------------------------------------------------- sources */

static struct share_source **bucket_of(struct gateway *gw,
				       const struct sluice_addr *a)
{
	return &gw->share->bucket[util_siphash(gw->flows.secret, a->ip,
					       sizeof(a->ip)) %
				  BUCKETS];
}

static struct share_source *source_find(struct gateway *gw,
					const struct sluice_addr *a)
{
	struct share_source *s = *bucket_of(gw, a);

	while (s &&
	       (s->family != a->family || memcmp(s->ip, a->ip, sizeof(s->ip))))
		s = s->next;
	return s;
}

static struct share_source *source_new(struct gateway *gw,
				       const struct sluice_addr *a)
{
	struct share_source *s = pool_get(&gw->share->sources);
	struct share_source **bucket = bucket_of(gw, a);

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	memcpy(s->ip, a->ip, sizeof(s->ip));
	s->family = a->family;
	list_init(&s->rest);
	for (int i = 0; i < GATEWAY_LRUS; i++) {
		list_init(&s->part[i].fresh);
		list_init(&s->part[i].lru);
	}
	s->next = *bucket;
	*bucket = s;
	return s;
}

static void source_free(struct gateway *gw, struct share_source *s)
{
	struct sluice_addr a = { .family = s->family };
	struct share *sh = gw->share;
	struct share_source **p;

	memcpy(a.ip, s->ip, sizeof(a.ip));
	for (p = bucket_of(gw, &a); *p != s;)
		p = &(*p)->next;
	*p = s->next;
	for (int i = 0; i < GATEWAY_LRUS; i++) {
		if (sh->kind[i].hog == s)
			sh->kind[i].hog = NULL;
		if (sh->kind[i].beyond == s)
			sh->kind[i].beyond = NULL;
	}
	list_del(&s->rest);
	pool_put(&sh->sources, s);
}

/* It has no flow any more.  One that was answered is remembered, so that it
 * is no stranger when it comes back during a flood. */
static void source_rests(struct gateway *gw, struct share_source *s)
{
	struct share *sh = gw->share;

	sh->active--;
	if (!s->known) {
		source_free(gw, s);
		return;
	}
	list_add_tail(&sh->resting, &s->rest);
	if (++sh->n_resting <= RESTING)
		return;
	sh->n_resting--;
	source_free(gw, list_first(&sh->resting, struct share_source, rest));
}

/* --------------------------------------------------------- destinations */

static uint64_t known_tag(struct gateway *gw, uint8_t proto,
			  const struct sluice_addr *src,
			  const struct sluice_addr *dst)
{
	struct flow_key k;

	flow_key_set(&k, proto, src, dst);
	k.sport = 0;
	return util_siphash(gw->flows.secret, &k, sizeof(k));
}

static struct known *known_find(struct share *sh, uint64_t tag)
{
	struct known *at = &sh->known[tag % (KNOWN / 2) * 2];

	return at[0].tag == tag ? &at[0] : at[1].tag == tag ? &at[1] : NULL;
}

static void known_put(struct share *sh, uint64_t tag, uint64_t now)
{
	struct known *at = &sh->known[tag % (KNOWN / 2) * 2];

	if (known_find(sh, tag))
		return;
	if (at[1].rate.at < at[0].rate.at)
		at++;
	at->tag = tag;
	at->rate = (struct rate){ .tokens = FRESH_AT_ONCE, .at = now };
}

/* --------------------------------------------------------------- bounds */

static uint32_t fresh_most(const struct gateway *gw, int kind)
{
	uint32_t most = (uint32_t)(gw->flow_limit[kind] * UINT64_C(4) / 5);

	if (kind == GATEWAY_LRU_TCP)
		most = MIN(most, FRESH_TCP);
	return MAX(most, 1);
}

static uint32_t share_most(const struct gateway *gw, int kind)
{
	return (uint32_t)(gw->flow_limit[kind] *
			  (uint64_t)gw->set.gateway.source_share / 100);
}

/* Twice as many a second as there are places: one that is ended for others
 * has waited for half a second. */
static bool pay(struct gateway *gw, int kind, struct rate *r)
{
	uint32_t most = MAX(fresh_most(gw, kind), FRESH_LEAST);

	return rate_take(r, gw->loop.now, MIN(most * 2, FRESH_RATE),
			 MIN(most, FRESH_AT_ONCE));
}

/* ------------------------------------------------------------ make room */

static bool is_idle(const struct gateway *gw, const struct flow *f, uint32_t ms)
{
	return gw->loop.now - f->stats.seen_ms >= ms;
}

/* It goes.  The app is told of what it had; what it never had, it asks for
 * again. */
static bool end(struct gateway *gw, struct flow *f)
{
	struct share *sh = gw->share;
	bool fresh = !f->answered;

	if (sh->turn != gw->loop.turns) {
		sh->turn = gw->loop.turns;
		sh->ended = 0;
	}
	/* The socket of a dial is closed at once. */
	if (!(fresh && f->dial) && ++sh->ended > ENDS)
		return false;
	if (fresh) {
		stats_inc(&gw->stats, flow_evicted_fresh);
		flow_end(f, SLUICE_WHY_TIMEOUT);
	} else {
		stats_inc(&gw->stats, flow_evicted);
		flow_refuse(f, SLUICE_WHY_IDLE, NULL);
	}
	return true;
}

static bool end_first(struct gateway *gw, struct list *of_all, uint32_t ms)
{
	struct flow *f = list_first(of_all, struct flow, lru);

	return !list_empty(of_all) && is_idle(gw, f, ms) && end(gw, f);
}

static bool end_first_of(struct gateway *gw, struct list *mine, uint32_t ms)
{
	struct flow *f = list_first(mine, struct flow, place.mine);

	return !list_empty(mine) && is_idle(gw, f, ms) && end(gw, f);
}

static bool end_fresh(struct gateway *gw, int kind,
		      const struct share_source *s)
{
	struct kind *k = &gw->share->kind[kind];
	uint32_t ms = patience[kind].fresh;

	if (!k->hog || k->hog->part[kind].n_fresh <= k->n_fresh / 2)
		return end_first(gw, &gw->fresh[kind], ms);
	return end_first_of(gw, &k->hog->part[kind].fresh,
			    k->hog == s ? ms : 0);
}

static bool end_own(struct gateway *gw, int kind, struct share_source *s)
{
	const struct patience *ms = &patience[kind];

	return end_first_of(gw, &s->part[kind].fresh, ms->fresh) ||
	       end_first_of(gw, &s->part[kind].lru, ms->own);
}

static bool end_any(struct gateway *gw, int kind, struct share_source *s)
{
	struct share_source *b = gw->share->kind[kind].beyond;
	const struct patience *ms = &patience[kind];

	if (end_fresh(gw, kind, s))
		return true;
	if (b && b != s && b->part[kind].n > share_most(gw, kind) &&
	    end_first_of(gw, &b->part[kind].lru, ms->beyond))
		return true;
	if (end_first(gw, &gw->lru[kind], ms->any))
		return true;
	return s && end_own(gw, kind, s);
}

/* ----------------------------------------------------------- a new flow */

static struct rate *budget(struct gateway *gw, int kind, struct share_source *s,
			   struct known *known, uint8_t *paid)
{
	if (known) {
		*paid = PAID_KNOWN;
		return &known->rate;
	}
	if (s && s->known) {
		*paid = PAID_SOURCE;
		return &s->part[kind].rate;
	}
	*paid = PAID_STRANGERS;
	return &gw->share->kind[kind].strangers;
}

/* Does s have all that it may have beside others? */
static bool is_sated(const struct gateway *gw, int kind,
		     const struct share_source *s)
{
	uint32_t others = gw->share->active - (s && s->flows);

	return s && others && s->part[kind].n >= share_most(gw, kind);
}

int share_ask(struct gateway *gw, int kind, uint8_t proto,
	      const struct sluice_addr *src, const struct sluice_addr *dst,
	      uint8_t *paid)
{
	struct share *sh = gw->share;
	struct kind *k = &sh->kind[kind];
	struct share_source *s = source_find(gw, src);
	struct known *known = known_find(sh, known_tag(gw, proto, src, dst));
	bool trusted = known ||
		       (s && s->known && s->part[kind].n_fresh < FRESH_FEW);

	if (!pay(gw, kind, budget(gw, kind, s, known, paid))) {
		stats_inc(&gw->stats, limit_rate);
		goto limited;
	}
	if (k->n_fresh >= fresh_most(gw, kind) && !end_fresh(gw, kind, s) &&
	    !trusted) {
		stats_inc(&gw->stats, limit_fresh);
		goto full;
	}
	s = source_find(gw, src); /* what was ended may have been its last */
	if (is_sated(gw, kind, s) && !end_own(gw, kind, s)) {
		stats_inc(&gw->stats, limit_share);
		goto full;
	}
	s = source_find(gw, src);
	if (k->n >= gw->flow_limit[kind] && !end_any(gw, kind, s)) {
		stats_inc(&gw->stats, limit_places);
		goto full;
	}
	return 0;
full:
	stats_inc(&gw->stats, drop_limit);
	return -ENOBUFS;
limited:
	stats_inc(&gw->stats, drop_limit);
	return -EAGAIN;
}

int share_take(struct flow *f, uint8_t paid)
{
	struct gateway *gw = f->gw;
	struct share *sh = gw->share;
	int kind = kind_of(f);
	struct kind *k = &sh->kind[kind];
	struct share_source *s = source_find(gw, &f->info.app);
	struct part *part;

	if (!s)
		s = source_new(gw, &f->info.app);
	if (!s)
		return -ENOMEM;
	if (!list_empty(&s->rest)) {
		list_del(&s->rest);
		sh->n_resting--;
	}
	sh->active += !s->flows++;
	part = &s->part[kind];
	part->n++;
	part->n_fresh++;
	k->n++;
	k->n_fresh++;
	if (part->n_fresh > k->n_fresh / 2)
		k->hog = s;
	if (part->n > share_most(gw, kind))
		k->beyond = s;
	f->place.source = s;
	f->paid = paid;
	list_add_tail(&gw->fresh[kind], &f->lru);
	list_add_tail(&part->fresh, &f->place.mine);
	return 0;
}

void share_leave(struct flow *f)
{
	struct share_source *s = f->place.source;
	int kind = kind_of(f);
	struct kind *k = &f->gw->share->kind[kind];
	bool fresh = !f->answered;

	list_del(&f->lru);
	list_del(&f->place.mine);
	k->n--;
	k->n_fresh -= fresh;
	s->part[kind].n--;
	s->part[kind].n_fresh -= fresh;
	if (!--s->flows)
		source_rests(f->gw, s);
	f->place.source = NULL;
}

void share_touch(struct flow *f)
{
	struct part *part = &f->place.source->part[kind_of(f)];
	struct gateway *gw = f->gw;
	bool fresh = !f->answered;

	list_move_tail(fresh ? &gw->fresh[kind_of(f)] : &gw->lru[kind_of(f)],
		       &f->lru);
	list_move_tail(fresh ? &part->fresh : &part->lru, &f->place.mine);
}

static void refund(struct flow *f, struct known *known)
{
	int kind = kind_of(f);

	if (f->paid == PAID_SOURCE)
		rate_give(&f->place.source->part[kind].rate);
	else if (f->paid == PAID_STRANGERS)
		rate_give(&f->gw->share->kind[kind].strangers);
	else if (known)
		rate_give(&known->rate);
}

void share_answered(struct flow *f)
{
	struct gateway *gw = f->gw;
	struct share_source *s = f->place.source;
	uint64_t tag;

	if (f->answered || !s)
		return;
	f->answered = true;
	gw->share->kind[kind_of(f)].n_fresh--;
	s->part[kind_of(f)].n_fresh--;
	s->known = true;
	share_touch(f);
	tag = known_tag(gw, f->type->proto, &f->info.app, &f->info.dst);
	refund(f, known_find(gw->share, tag));
	known_put(gw->share, tag, gw->loop.now);
}

/* ----------------------------------------------------------- start, stop */

int share_init(struct gateway *gw)
{
	struct share *sh = calloc(1, sizeof(*sh));

	if (!sh)
		return -ENOMEM;
	list_init(&sh->resting);
	pool_init(&sh->sources, "source", sizeof(struct share_source), 0, 0);
	gw->share = sh;
	return 0;
}

void share_trim(struct gateway *gw)
{
	pool_trim(&gw->share->sources);
}

void share_fini(struct gateway *gw)
{
	struct share *sh = gw->share;

	if (!sh)
		return;
	while (!list_empty(&sh->resting))
		source_free(gw, list_first(&sh->resting, struct share_source,
					   rest));
	pool_fini(&sh->sources);
	free(sh);
	gw->share = NULL;
}
