/* SPDX-License-Identifier: MIT */
/* tcp-forward.c - let TCP connections out, to where the app wanted to go
 *
 * The core does the work: it dials, answers the app when the other end has
 * answered, and moves the bytes.  Here is only how long things may take.
 */
#include <sluice/plugin.h>

struct options {
	int64_t connect_timeout;
	int64_t accept; /* 0 late, 1 early */
	int64_t idle_timeout;
	int64_t half_close_timeout;
	int64_t keepalive;
};

static int forward_create(struct sluice_ctx *ctx, const void *options,
			  void **self)
{
	(void)ctx;
	*self = (void *)(uintptr_t)options; /* they outlive the instance */
	return 0;
}

static int forward_open(void *self, struct sluice_flow *f)
{
	const struct options *o = self;
	const struct sluice_connect how = {
		.size = sizeof(how),
		.flags = o->accept ? SLUICE_CONNECT_EARLY : 0,
		.timeout_ms = (uint32_t)o->connect_timeout,
		.keepalive_ms = (uint32_t)o->keepalive,
	};

	sluice_idle_after(f, (uint32_t)o->idle_timeout);
	sluice_half_after(f, (uint32_t)o->half_close_timeout);
	return sluice_connect_how(f, NULL, &how);
}

#define AT(member) .offset = offsetof(struct options, member)

static const struct sluice_option forward_options[] = {
	{ .key = "connect-timeout",
	  .type = SLUICE_OPT_MS,
	  .preset = "30s",
	  .min = 1,
	  .max = UINT32_MAX,
	  AT(connect_timeout),
	  .help = "how long the other end may take to answer" },
	{ .key = "accept",
	  .type = SLUICE_OPT_ENUM,
	  .preset = "late",
	  AT(accept),
	  .help = "late|early: answer the app after the other end did, or "
		  "at once" },
	{ .key = "idle-timeout",
	  .type = SLUICE_OPT_MS,
	  .preset = "7440s", /* RFC 5382, REQ-5 */
	  .max = UINT32_MAX,
	  AT(idle_timeout),
	  .help = "end a connection when nothing moved for so long; 0: never" },
	{ .key = "half-close-timeout",
	  .type = SLUICE_OPT_MS,
	  .preset = "240s", /* RFC 5382, REQ-5 */
	  .max = UINT32_MAX,
	  AT(half_close_timeout),
	  .help = "the same once one side has closed; 0: as idle-timeout" },
	{ .key = "keepalive",
	  .type = SLUICE_OPT_MS,
	  .preset = "0",
	  .max = UINT32_MAX,
	  AT(keepalive),
	  .help = "idle time before the other end is asked whether it is "
		  "there; 0: never" },
	{ .key = NULL }
};

static const struct sluice_flow_ops forward_flow = {
	.size = sizeof(forward_flow),
	.flags = SLUICE_FLOW_TCP,
	.open = forward_open,
};

SLUICE_PLUGIN(tcp_forward) = {
	SLUICE_HEAD,
	.name = "tcp-forward",
	.version = "1.0",
	.summary = "lets TCP connections out to where they want to go",
	.license = "MIT",
	.options = forward_options,
	.options_bytes = sizeof(struct options),
	.create = forward_create,
	.flow = &forward_flow,
};
