/* SPDX-License-Identifier: MIT */
/* guard.c - flows that would go round the filter
 *
 *	dot	port 853, TCP and UDP (DNS over TLS and over QUIC)
 *	doh	port 443, TCP and UDP, to addresses of lists of resolvers
 *	direct	addresses that no answer gave (LIF-8)
 *
 * What is refused is refused at once, so that apps fall back to the DNS they
 * were given instead of waiting.
 */
#include <stdio.h>

#include "filter.h"

#define PORT_HTTPS 443
#define PORT_DOT   853

static bool is_resolver(const struct filter *f, const struct sluice_addr *a)
{
	struct match m = { .rank = RANK_NONE };

	image_match_addr(&f->image, a->ip, a->family, true, &m);
	return m.rank && !rank_allows(m.rank);
}

/* The name an address was looked up as is one the rules block by now. */
static bool is_blocked_name(const struct filter *f, const char *text)
{
	struct match m = { .rank = RANK_NONE };
	struct name n;

	if (!name_split(&n, text))
		return false;
	image_match(&f->image, &n, 0, &m);
	return m.rank && !rank_allows(m.rank) && m.rank != RANK_RECORD;
}

/* What is wrong with going to that address directly, or NULL. */
static const char *direct_wrong(const struct filter *f,
				const struct sluice_flow_info *i)
{
	if (filter_has_prefix(f->direct, f->n_direct, &i->dst))
		return NULL;
	if (!i->name)
		return "no answer gave this address";
	if (f->options->direct == DIRECT_STRICT && is_blocked_name(f, i->name))
		return "its name is blocked";
	return NULL;
}

static void say(struct filter *f, const struct sluice_flow_info *i,
		const char *what)
{
	const uint8_t *ip = i->dst.ip;

	if (i->dst.family == 4)
		sluice_log(f->ctx, 6, "flow %llu to %u.%u.%u.%u:%u: %s",
			   (unsigned long long)i->id, ip[0], ip[1], ip[2],
			   ip[3], i->dst.port, what);
	else
		sluice_log(f->ctx, 6,
			   "flow %llu to [%x:%x:%x:%x:%x:%x:%x:%x]:%u: %s",
			   (unsigned long long)i->id, ip[0] << 8 | ip[1],
			   ip[2] << 8 | ip[3], ip[4] << 8 | ip[5],
			   ip[6] << 8 | ip[7], ip[8] << 8 | ip[9],
			   ip[10] << 8 | ip[11], ip[12] << 8 | ip[13],
			   ip[14] << 8 | ip[15], i->dst.port, what);
}

static int guard_open(void *self, struct sluice_flow *flow)
{
	const struct sluice_flow_info *i = sluice_flow_info(flow);
	struct filter *f = self;
	const char *wrong = NULL;
	bool drop = true;

	if (!filter_is_ours(f, &i->app))
		return SLUICE_PASS;
	if (f->options->dot && i->dst.port == PORT_DOT) {
		wrong = "DNS over TLS";
	} else if (f->options->doh && i->dst.port == PORT_HTTPS &&
		   is_resolver(f, &i->dst)) {
		wrong = "a resolver of DNS over HTTPS";
	} else if (f->options->direct) {
		wrong = direct_wrong(f, i);
		drop = f->options->direct != DIRECT_LOG;
		f->counts.flows_direct += wrong != NULL;
	}
	if (!wrong)
		return SLUICE_PASS;
	say(f, i, wrong);
	f->counts.flows_refused += drop;
	return drop ? SLUICE_DROP : SLUICE_PASS;
}

const struct sluice_flow_ops guard_ops = {
	.size = sizeof(guard_ops),
	.flags = SLUICE_FLOW_TCP | SLUICE_FLOW_UDP,
	.open = guard_open,
};
