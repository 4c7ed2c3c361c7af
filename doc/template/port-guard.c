/* SPDX-License-Identifier: MIT */
/* port-guard.c - refuse flows to one port
 *
 * A plugin to begin with: options, an instance, and a verdict on each flow.
 * In the [chain] section it stands before whoever lets flows out:
 *
 *	[chain]
 *	tcp = port-guard tcp-forward
 *
 *	[port-guard]
 *	port = 25
 */
#include <errno.h>
#include <stdlib.h>

#include <sluice/plugin.h>

struct options {
	int64_t port;
};

struct guard {
	struct sluice_ctx *ctx;
	const struct options *options; /* they outlive the instance */
};

static int guard_create(struct sluice_ctx *ctx, const void *options,
			void **self)
{
	const struct options *o = options;
	struct guard *g;

	if (o->port == 53)
		return sluice_fail(ctx, EINVAL, "port: 53 is the dns chain's");
	g = malloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->ctx = ctx;
	g->options = o;
	*self = g;
	return 0;
}

static void guard_destroy(void *self)
{
	free(self);
}

static int guard_open(void *self, struct sluice_flow *f)
{
	const struct sluice_flow_info *info = sluice_flow_info(f);
	struct guard *g = self;

	if (info->dst.port != g->options->port)
		return SLUICE_PASS;
	sluice_log(g->ctx, 6, "flow %llu refused",
		   (unsigned long long)info->id);
	return SLUICE_DROP;
}

static const struct sluice_option guard_options[] = {
	{ .key = "port",
	  .preset = "25",
	  .help = "flows to this port are refused",
	  .type = SLUICE_OPT_INT,
	  .offset = offsetof(struct options, port),
	  .min = 1,
	  .max = 65535 },
	{ .key = NULL }
};

static const struct sluice_flow_ops guard_flow = {
	.size = sizeof(guard_flow),
	.flags = SLUICE_FLOW_TCP | SLUICE_FLOW_UDP,
	.open = guard_open,
};

SLUICE_PLUGIN(port_guard) = {
	SLUICE_HEAD,
	.name = "port-guard",
	.version = "1.0",
	.summary = "refuses flows to one port",
	.license = "MIT",
	.options = guard_options,
	.options_bytes = sizeof(struct options),
	.create = guard_create,
	.destroy = guard_destroy,
	.flow = &guard_flow,
};
