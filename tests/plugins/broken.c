/* SPDX-License-Identifier: MIT */
/* broken.c - a plugin that is well but for one thing
 *
 * Which thing, tests/local.mk says with -D; as it stands here, it loads.
 */
#include <sluice/plugin.h>

#ifndef MAGIC
#define MAGIC SLUICE_MAGIC
#endif
#ifndef ABI
#define ABI SLUICE_ABI
#endif
#ifndef NEEDS
#define NEEDS SLUICE_ABI
#endif
#ifndef SIZE
#define SIZE sizeof(struct sluice_plugin)
#endif
#ifndef FLOW_SIZE
#define FLOW_SIZE sizeof(struct sluice_flow_ops)
#endif
#ifndef FLOW
#define FLOW &broken_flow
#endif
#ifndef OPEN
#define OPEN broken_open
#endif
#ifndef NAME
#define NAME broken
#endif
#ifndef PRESET
#define PRESET 25
#endif
#ifndef OFFSET
#define OFFSET offsetof(struct broken_options, port)
#endif

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

struct broken_options {
	int64_t port;
};

int broken_open(void *self, struct sluice_flow *f);
extern const struct sluice_flow_ops broken_flow;

int broken_open(void *self, struct sluice_flow *f)
{
	(void)self;
	return sluice_connect(f, NULL);
}

const struct sluice_flow_ops broken_flow = {
	.size = FLOW_SIZE,
	.flags = SLUICE_FLOW_TCP,
	.open = OPEN,
};

static const struct sluice_option broken_options[] = { { .key = "port",
							 .preset = TEXT(PRESET),
							 .help = "a port",
							 .type = SLUICE_OPT_INT,
							 .offset = OFFSET,
							 .min = 1,
							 .max = 65535 },
						       { .key = NULL } };

SLUICE_PLUGIN(broken) = {
	.magic = MAGIC,
	.abi = ABI,
	.needs = NEEDS,
	.size = SIZE,
	.option_size = sizeof(struct sluice_option),
	.options_bytes = sizeof(struct broken_options),
	.name = TEXT(NAME),
	.version = "1.0",
	.summary = "is broken in one way",
	.options = broken_options,
	.flow = FLOW,
};
