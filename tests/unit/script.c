/* SPDX-License-Identifier: MIT */
/* script.c - plugins that do as a test says */
#include "script.h"

#include <string.h>

struct script first, second;

void script_reset(void)
{
	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
}

int script_pass(struct sluice_flow *f)
{
	(void)f;
	return SLUICE_PASS;
}

int script_take(struct sluice_flow *f)
{
	(void)f;
	return SLUICE_TAKE;
}

int script_drop(struct sluice_flow *f)
{
	(void)f;
	return SLUICE_DROP;
}

int script_later(struct sluice_flow *f)
{
	(void)f;
	return SLUICE_LATER;
}

int script_more(struct sluice_flow *f)
{
	(void)f;
	return SLUICE_MORE;
}

int script_protect_pass(struct sluice_socket *s)
{
	(void)s;
	return SLUICE_PASS;
}

int script_protect_drop(struct sluice_socket *s)
{
	(void)s;
	return SLUICE_DROP;
}

int script_protect_later(struct sluice_socket *s)
{
	(void)s;
	return SLUICE_LATER;
}

static int script_open(void *self, struct sluice_flow *f)
{
	struct script *s = self;

	s->opens++;
	s->flow = f;
	return s->open ? s->open(f) : sluice_connect(f, NULL);
}

static void script_readable(void *self, struct sluice_flow *f)
{
	struct script *s = self;

	s->readables++;
	if (s->readable)
		s->readable(f);
}

static void script_writable(void *self, struct sluice_flow *f)
{
	struct script *s = self;

	s->writables++;
	if (s->writable)
		s->writable(f);
}

static void script_eof(void *self, struct sluice_flow *f)
{
	struct script *s = self;

	s->eofs++;
	if (s->eof)
		s->eof(f);
}

static int script_idle(void *self, struct sluice_flow *f)
{
	struct script *s = self;

	s->idles++;
	return s->idle ? s->idle(f) : SLUICE_PASS;
}

static void script_close(void *self, struct sluice_flow *f, int why)
{
	struct script *s = self;

	s->closes++;
	s->why = why;
	if (s->close)
		s->close(f);
}

static int script_protect(void *self, struct sluice_socket *socket)
{
	struct script *s = self;

	s->protects++;
	s->socket = socket;
	return s->protect ? s->protect(socket) : SLUICE_TAKE;
}

static void script_packets(void *self, const struct sluice_pkt *v, size_t n)
{
	struct script *s = self;

	for (size_t i = 0; i < n; i++)
		if (v[i].flags & SLUICE_PKT_UP)
			s->seen_up++;
		else
			s->seen_down++;
}

static void script_event(void *self, const struct sluice_flow_event *e)
{
	struct script *s = self;

	if (e->event == SLUICE_EVENT_OPEN) {
		s->seen_opens++;
		return;
	}
	s->seen_closes++;
	s->seen_why = e->why;
	s->seen_up_bytes = e->stats->up_bytes;
	s->seen_down_bytes = e->stats->down_bytes;
	*s->seen_plugin = '\0';
	if (e->plugin)
		strncat(s->seen_plugin, e->plugin, sizeof(s->seen_plugin) - 1);
}

static int create_first(struct sluice_ctx *ctx, const void *options,
			void **self)
{
	(void)ctx;
	(void)options;
	*self = &first;
	return 0;
}

static int create_second(struct sluice_ctx *ctx, const void *options,
			 void **self)
{
	(void)ctx;
	(void)options;
	*self = &second;
	return 0;
}

static const struct sluice_flow_ops flow_ops = {
	.size = sizeof(flow_ops),
	.flags = SLUICE_FLOW_TCP | SLUICE_FLOW_UDP,
	.flow_size = 64,
	.open = script_open,
	.readable = script_readable,
	.writable = script_writable,
	.eof = script_eof,
	.idle = script_idle,
	.close = script_close,
};

static const struct sluice_protect_ops protect_ops = {
	.size = sizeof(protect_ops),
	.protect = script_protect,
};

static const struct sluice_observe_ops observe_ops = {
	.size = sizeof(observe_ops),
	.flags = SLUICE_SEE_FLOWS | SLUICE_SEE_PACKETS,
	.packets = script_packets,
	.flow = script_event,
};

const struct sluice_plugin script_first = {
	SLUICE_HEAD,
	.name = "first",
	.version = "1.0",
	.summary = "does as the test says",
	.create = create_first,
	.flow = &flow_ops,
	.protect = &protect_ops,
	.observe = &observe_ops,
};

const struct sluice_plugin script_second = {
	SLUICE_HEAD,
	.name = "second",
	.version = "1.0",
	.summary = "does as the test says, after the first",
	.create = create_second,
	.flow = &flow_ops,
	.protect = &protect_ops,
	.observe = &observe_ops,
};
