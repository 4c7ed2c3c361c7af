/* SPDX-License-Identifier: MIT */
/* slow.c - blocks the loop for a while in each flow, then lets it out */
#include <time.h>

#include <sluice/plugin.h>

struct slow_options {
	int64_t wait;
};

static int slow_create(struct sluice_ctx *ctx, const void *options, void **self)
{
	(void)ctx;
	*self = (void *)(uintptr_t)options;
	return 0;
}

static int slow_open(void *self, struct sluice_flow *f)
{
	const struct slow_options *o = self;
	struct timespec t = { .tv_sec = o->wait / 1000,
			      .tv_nsec = o->wait % 1000 * 1000000 };

	nanosleep(&t, NULL);
	return sluice_connect(f, NULL);
}

static const struct sluice_option slow_options[] = {
	{ .key = "wait",
	  .preset = "250ms",
	  .help = "sleep so long in open()",
	  .type = SLUICE_OPT_MS,
	  .offset = offsetof(struct slow_options, wait),
	  .min = 0,
	  .max = 10000 },
	{ .key = NULL }
};

static const struct sluice_flow_ops slow_flow = {
	.size = sizeof(slow_flow),
	.flags = SLUICE_FLOW_TCP | SLUICE_FLOW_UDP,
	.open = slow_open,
};

SLUICE_PLUGIN(slow) = {
	SLUICE_HEAD,
	.name = "slow",
	.version = "1.0",
	.summary = "blocks the loop in each flow",
	.options = slow_options,
	.options_bytes = sizeof(struct slow_options),
	.create = slow_create,
	.flow = &slow_flow,
};
