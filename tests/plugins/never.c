/* SPDX-License-Identifier: MIT */
/* never.c - answers LATER to everything, and never comes back to it */
#include <sluice/plugin.h>

static int never_open(void *self, struct sluice_flow *f)
{
	(void)self;
	(void)f;
	return SLUICE_LATER;
}

static int never_query(void *self, struct sluice_query *q)
{
	(void)self;
	(void)q;
	return SLUICE_LATER;
}

static int never_protect(void *self, struct sluice_socket *s)
{
	(void)self;
	(void)s;
	return SLUICE_LATER;
}

static const struct sluice_flow_ops never_flow = {
	.size = sizeof(never_flow),
	.flags = SLUICE_FLOW_TCP | SLUICE_FLOW_UDP,
	.open = never_open,
};

static const struct sluice_dns_ops never_dns = {
	.size = sizeof(never_dns),
	.query = never_query,
};

static const struct sluice_protect_ops never_protect_ops = {
	.size = sizeof(never_protect_ops),
	.protect = never_protect,
};

SLUICE_PLUGIN(never) = {
	SLUICE_HEAD,
	.name = "never",
	.version = "1.0",
	.summary = "never answers",
	.flow = &never_flow,
	.dns = &never_dns,
	.protect = &never_protect_ops,
};
