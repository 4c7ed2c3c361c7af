/* SPDX-License-Identifier: MIT */
/* udp-forward.c - let UDP sessions out, to where the app wanted to go
 *
 * The core does the work: one socket for each source, whose datagrams go
 * wherever the app sends them.  Here is who may share it, who may answer,
 * how long it is kept, and which ports are refused at once (QUIC, say), so
 * that apps fall back to TCP.
 */
#include <errno.h>
#include <sluice/plugin.h>
#include <stdlib.h>

struct options {
	int64_t idle_timeout;
	int64_t mapping;   /* 0 endpoint, 1 pair */
	int64_t filtering; /* 0 endpoint, 1 address, 2 port */
	const char *const *drop_ports;
};

struct forward {
	const struct options *o; /* they outlive the instance */
	size_t n_drop;
	uint16_t drop[];
};

/* A port, or 0. */
static uint16_t parse_port(const char *word)
{
	char *end;
	long port;

	if (*word < '0' || *word > '9')
		return 0;
	port = strtol(word, &end, 10);
	return *end || port < 1 || port > 65535 ? 0 : (uint16_t)port;
}

static int forward_create(struct sluice_ctx *ctx, const void *options,
			  void **self)
{
	const struct options *o = options;
	struct forward *fw;
	size_t n = 0;

	while (o->drop_ports && o->drop_ports[n])
		n++;
	fw = malloc(sizeof(*fw) + n * sizeof(fw->drop[0]));
	if (!fw)
		return -ENOMEM;
	fw->o = o;
	fw->n_drop = n;
	for (size_t i = 0; i < n; i++) {
		fw->drop[i] = parse_port(o->drop_ports[i]);
		if (fw->drop[i])
			continue;
		free(fw);
		return sluice_fail(ctx, EINVAL,
				   "drop-ports: %s is no port (1 to 65535)",
				   o->drop_ports[i]);
	}
	*self = fw;
	return 0;
}

static void forward_destroy(void *self)
{
	free(self);
}

static int forward_open(void *self, struct sluice_flow *f)
{
	const struct forward *fw = self;
	const struct options *o = fw->o;

	for (size_t i = 0; i < fw->n_drop; i++) {
		if (sluice_flow_info(f)->dst.port != fw->drop[i])
			continue;
		/* "Nobody is there", so that the app looks elsewhere at once:
		 * DROP alone would say that it is forbidden. */
		sluice_abort(f, SLUICE_WHY_REFUSED);
		return SLUICE_DROP;
	}
	sluice_peers(f, o->mapping ? SLUICE_PEERS_PORT : SLUICE_PEERS_ANY,
		     (uint32_t)o->filtering);
	sluice_idle_after(f, (uint32_t)o->idle_timeout);
	return sluice_connect(f, NULL);
}

#define AT(member) .offset = offsetof(struct options, member)

static const struct sluice_option forward_options[] = {
	{ .key = "idle-timeout",
	  .type = SLUICE_OPT_MS,
	  .preset = "60s", /* RFC 4787 REQ-5 would rather have 300s */
	  .max = UINT32_MAX,
	  AT(idle_timeout),
	  .help = "end a session when nothing moved for so long; 0: never" },
	{ .key = "mapping",
	  .type = SLUICE_OPT_ENUM,
	  .preset = "endpoint",
	  AT(mapping),
	  .help = "endpoint|pair: one socket for each source of an app, or one "
		  "for each source and destination" },
	{ .key = "filtering",
	  .type = SLUICE_OPT_ENUM,
	  .preset = "endpoint",
	  AT(filtering),
	  .help = "endpoint|address|port: who may answer: anyone, addresses "
		  "the app wrote to, or addresses and ports it wrote to" },
	{ .key = "drop-ports",
	  .type = SLUICE_OPT_LIST,
	  .preset = "",
	  AT(drop_ports),
	  .help = "sessions to these ports are refused, so that apps fall "
		  "back (443 80: no QUIC)" },
	{ .key = NULL }
};

static const struct sluice_flow_ops forward_flow = {
	.size = sizeof(forward_flow),
	.flags = SLUICE_FLOW_UDP,
	.open = forward_open,
};

SLUICE_PLUGIN(udp_forward) = {
	SLUICE_HEAD,
	.name = "udp-forward",
	.version = "1.0",
	.summary = "lets UDP sessions out to where the app wanted to go",
	.license = "MIT",
	.options = forward_options,
	.options_bytes = sizeof(struct options),
	.create = forward_create,
	.destroy = forward_destroy,
	.flow = &forward_flow,
};
