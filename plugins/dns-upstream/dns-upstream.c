/* SPDX-License-Identifier: MIT */
/* dns-upstream.c - asks plain DNS servers, by UDP and TCP
 *
 * The servers are tried in the order they are configured in: the next one
 * when one does not answer in time, at once when it cannot be reached or says
 * that it cannot.  One that was silent is left out for a while.
 */
#include <errno.h>
#include <stdlib.h>

#include <sluice/plugin.h>

#include "ask.h"

static int upstream_query(void *self, struct sluice_query *q)
{
	struct upstream *up = self;
	uint64_t now = sluice_now(up->ctx);
	struct ask *a;

	if (servers_refresh(&up->servers, now))
		sluice_log(up->ctx, 6, "%s: %u servers now", up->servers.path,
			   up->servers.n);
	a = ask_new(up);
	if (!a)
		return -ENOMEM;
	a->query = q;
	a->end_ms = now + (uint64_t)up->options->timeout;
	if (ask_begin(a))
		return SLUICE_LATER;
	ask_free(a);
	sluice_block(q, SLUICE_BLOCK_SERVFAIL);
	return SLUICE_TAKE;
}

static int upstream_create(struct sluice_ctx *ctx, const void *options,
			   void **self)
{
	const struct options *o = options;
	struct upstream *up;
	const char *wrong, *word;

	if (!o->server[0])
		return sluice_fail(ctx, EINVAL, "server: there is none");
	up = calloc(1, sizeof(*up));
	if (!up)
		return -ENOMEM;
	up->ctx = ctx;
	up->options = o;
	wrong = servers_init(&up->servers, o->server, "/etc/resolv.conf",
			     &word);
	if (wrong) {
		free(up);
		return sluice_fail(ctx, EINVAL, "server %s: %s", word, wrong);
	}
	*self = up;
	return 0;
}

static void upstream_stop(void *self)
{
	ask_stop_all(self);
}

static void upstream_destroy(void *self)
{
	struct upstream *up = self;
	struct ask *a;

	while ((a = up->free)) {
		up->free = a->next;
		free(a);
	}
	free(up);
}

static const struct sluice_option upstream_options[] = {
	{ .key = "server",
	  .type = SLUICE_OPT_LIST,
	  .preset = "system",
	  .offset = offsetof(struct options, server),
	  .help = "system (those of /etc/resolv.conf), ADDRESS, "
		  "udp://ADDRESS:PORT or tcp://ADDRESS:PORT, in order of "
		  "preference" },
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
	.summary = "asks plain DNS servers, by UDP and TCP",
	.license = "MIT",
	.options = upstream_options,
	.options_bytes = sizeof(struct options),
	.create = upstream_create,
	.stop = upstream_stop,
	.destroy = upstream_destroy,
	.dns = &upstream_dns,
};
