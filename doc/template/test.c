/* SPDX-License-Identifier: MIT */
/* test.c - port-guard without a gateway
 *
 * All that a plugin knows of the core are tables of functions, so a test
 * brings its own: the few that this plugin calls.
 */
#include "port-guard.c"

#include <stdarg.h>
#include <stdio.h>

static int failures;

static void expect(const char *what, int got, int wanted)
{
	printf("%s: %s\n", got == wanted ? "ok" : "NOT OK", what);
	failures += got != wanted;
}

/* --- a core that is just large enough --- */

static void core_log(struct sluice_ctx *ctx, int level, const char *fmt, ...)
{
	(void)ctx;
	(void)level;
	(void)fmt;
}

static int core_fail(struct sluice_ctx *ctx, int err, const char *fmt, ...)
{
	(void)ctx;
	(void)fmt;
	return -err;
}

static const struct sluice_core_api core = {
	.size = sizeof(core),
	.abi = SLUICE_ABI,
	.log = core_log,
	.fail = core_fail,
};

struct test_flow {
	struct sluice_flow flow; /* first */
	struct sluice_flow_info info;
};

static const struct sluice_flow_info *flow_info(struct sluice_flow *f)
{
	return &((struct test_flow *)f)->info;
}

static const struct sluice_flow_api flows = {
	.size = sizeof(flows),
	.info = flow_info,
};

/* --- what is to be seen --- */

static int verdict(void *self, uint16_t port)
{
	struct test_flow f = { .flow = { &flows },
			       .info = {
				       .dst = { .family = 4, .port = port } } };

	return sluice_plugin.flow->open(self, &f.flow);
}

int main(void)
{
	struct sluice_ctx ctx = { &core };
	struct options o = { .port = 53 };
	void *self;

	expect("port 53 is refused as an option",
	       sluice_plugin.create(&ctx, &o, &self), -EINVAL);
	o.port = 25;
	expect("port 25 is taken", sluice_plugin.create(&ctx, &o, &self), 0);
	expect("a flow to it is dropped", verdict(self, 25), SLUICE_DROP);
	expect("another passes", verdict(self, 443), SLUICE_PASS);
	sluice_plugin.destroy(self);
	return failures != 0;
}
