/* SPDX-License-Identifier: MIT */
/* fixed.c - answers every TCP flow with a fixed text, then closes its side
 *
 * The text is in the options, and sent from there: nothing is copied.  It can
 * be repeated, to see that a slow app holds it back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/plugin.h>

struct options {
	const char *text;
	int64_t repeat;
	int64_t when; /* 0 at once, 1 after the app sent something */
};

struct fixed {
	struct sluice_ctx *ctx;
	const struct options *options;
	unsigned int out; /* pieces that were not released */
};

struct flow {
	int64_t sent; /* how many times */
	uint8_t asked, shut;
};

static void fixed_release(void *arg)
{
	struct fixed *x = arg;

	x->out--;
}

static void fixed_go(void *self, struct sluice_flow *f)
{
	struct fixed *x = self;
	const struct options *o = x->options;
	struct flow *s = sluice_flow_state(f);
	struct iovec v = { .iov_base = (void *)(uintptr_t)o->text,
			   .iov_len = strlen(o->text) };

	if (s->shut)
		return;
	for (; s->sent < o->repeat; s->sent++) {
		if (!sluice_send_ref(f, &v, 1, fixed_release, x))
			return;
		x->out++;
	}
	s->shut = 1;
	sluice_shut(f);
}

/* What the app says is of no interest. */
static void fixed_readable(void *self, struct sluice_flow *f)
{
	struct iovec v[4];
	size_t n, len;

	while (n = 4, (len = sluice_peek(f, v, &n)))
		sluice_consume(f, len);
	fixed_go(self, f);
}

/* Asked again, there are bytes, or the app has closed its side.  We speak
 * first: trying has writable() called when the app can hear it. */
static int fixed_open(void *self, struct sluice_flow *f)
{
	const struct fixed *x = self;
	struct flow *s = sluice_flow_state(f);

	if (x->options->when && !s->asked++)
		return SLUICE_MORE;
	fixed_go(self, f);
	return SLUICE_TAKE;
}

static int fixed_create(struct sluice_ctx *ctx, const void *options,
			void **self)
{
	const struct options *o = options;
	struct fixed *x;

	if (!*o->text)
		return sluice_fail(ctx, EINVAL, "text: there is none");
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->ctx = ctx;
	x->options = o;
	*self = x;
	return 0;
}

/* The text goes with us: nobody may still read it. */
static void fixed_destroy(void *self)
{
	struct fixed *x = self;

	if (x->out)
		sluice_log(x->ctx, 3, "%u pieces were not released", x->out);
	free(x);
}

static const struct sluice_option fixed_options[] = {
	{ .key = "text",
	  .type = SLUICE_OPT_STR,
	  .offset = offsetof(struct options, text),
	  .help = "what is sent" },
	{ .key = "repeat",
	  .type = SLUICE_OPT_INT,
	  .preset = "1",
	  .min = 1,
	  .max = INT64_MAX,
	  .offset = offsetof(struct options, repeat),
	  .help = "how many times" },
	{ .key = "when",
	  .type = SLUICE_OPT_ENUM,
	  .preset = "open",
	  .offset = offsetof(struct options, when),
	  .help = "open|asked: at once, or after the app sent something" },
	{ .key = NULL }
};

static const struct sluice_flow_ops fixed_flow = {
	.size = sizeof(fixed_flow),
	.flags = SLUICE_FLOW_TCP,
	.flow_size = sizeof(struct flow),
	.open = fixed_open,
	.readable = fixed_readable,
	.writable = fixed_go,
	.eof = fixed_go,
};

SLUICE_PLUGIN(fixed) = {
	SLUICE_HEAD,
	.name = "fixed",
	.version = "1.0",
	.summary = "answers every TCP flow with a fixed text",
	.license = "MIT",
	.options = fixed_options,
	.options_bytes = sizeof(struct options),
	.create = fixed_create,
	.destroy = fixed_destroy,
	.flow = &fixed_flow,
};
