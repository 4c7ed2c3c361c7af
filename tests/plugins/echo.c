/* SPDX-License-Identifier: MIT */
/* echo.c - answers every flow itself, with what it was sent
 *
 * Two ways to do it, to prove that both are enough:
 *
 *	mode = copy	peek() into reserve()d room, commit(), consume()
 *	mode = ref	what was peeked at is moved to a block of ours, and
 *			sent by send_ref() until release() gives it back
 *
 * Neither keeps more than the app is ready to take: what does not fit down is
 * not consumed up, so the app's window shuts by itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/plugin.h>

#define BLOCK  16384
#define BLOCKS 4 /* of a flow, at a time */

struct options {
	int64_t mode; /* 0 copy, 1 ref */
};

struct flow {
	unsigned int blocks; /* out, until release() */
	uint8_t eof, shut;
};

struct block {
	char bytes[BLOCK];
};

/* As much as fits, from one set of pieces to the other. */
static size_t copy(struct iovec *to, size_t to_n, const struct iovec *from,
		   size_t from_n)
{
	size_t done = 0, at = 0, len;

	for (size_t i = 0, j = 0; i < to_n && j < from_n;) {
		len = from[j].iov_len - at;
		if (len > to[i].iov_len)
			len = to[i].iov_len;
		memcpy(to[i].iov_base, (char *)from[j].iov_base + at, len);
		to[i].iov_base = (char *)to[i].iov_base + len;
		to[i].iov_len -= len;
		at += len;
		done += len;
		i += !to[i].iov_len;
		if (at == from[j].iov_len) {
			at = 0;
			j++;
		}
	}
	return done;
}

static size_t echo_copy(struct sluice_flow *f)
{
	struct iovec up[8], down[2];
	size_t up_n = 8, down_n = 2, len;

	if (!sluice_peek(f, up, &up_n) || !sluice_reserve(f, down, &down_n))
		return 0;
	len = copy(down, down_n, up, up_n);
	sluice_commit(f, len);
	sluice_consume(f, len);
	return len;
}

static void echo_release(void *arg)
{
	free(arg);
}

/* A block is freed by release(), which may come long after close(). */
static size_t echo_ref(struct sluice_flow *f)
{
	struct iovec up[8], down;
	size_t up_n = 8;
	struct block *b;

	if (!sluice_peek(f, up, &up_n))
		return 0;
	b = malloc(sizeof(*b));
	if (!b) {
		sluice_abort(f, SLUICE_WHY_ERROR);
		return 0;
	}
	down.iov_base = b->bytes;
	down.iov_len = sizeof(b->bytes);
	down.iov_len = copy(&down, 1, up, up_n);
	down.iov_base = b->bytes;
	if (!sluice_send_ref(f, &down, 1, echo_release, b)) {
		free(b);
		return 0;
	}
	sluice_consume(f, down.iov_len);
	return down.iov_len;
}

static void echo_go(void *self, struct sluice_flow *f)
{
	const struct options *o = self;
	struct flow *s = sluice_flow_state(f);
	struct iovec v;
	size_t n = 1;

	while (o->mode ? echo_ref(f) : echo_copy(f))
		;
	if (s->eof && !s->shut && !sluice_peek(f, &v, &n)) {
		s->shut = 1;
		sluice_shut(f);
	}
}

static void echo_eof(void *self, struct sluice_flow *f)
{
	struct flow *s = sluice_flow_state(f);

	s->eof = 1;
	echo_go(self, f);
}

static void echo_dgrams(struct sluice_flow *f)
{
	struct sluice_dgram d[16];
	size_t n, sent;

	while ((n = sluice_dgrams(f, d, 16))) {
		sent = sluice_dgrams_send(f, d, n);
		sluice_dgrams_done(f, sent);
		if (sent < n)
			return;
	}
}

static void echo_readable(void *self, struct sluice_flow *f)
{
	if (sluice_flow_info(f)->proto == SLUICE_UDP)
		echo_dgrams(f);
	else
		echo_go(self, f);
}

static int echo_open(void *self, struct sluice_flow *f)
{
	(void)self;
	(void)f;
	return SLUICE_TAKE;
}

static int echo_create(struct sluice_ctx *ctx, const void *options, void **self)
{
	(void)ctx;
	*self = (void *)(uintptr_t)options;
	return 0;
}

static const struct sluice_option echo_options[] = {
	{ .key = "mode",
	  .type = SLUICE_OPT_ENUM,
	  .preset = "copy",
	  .offset = offsetof(struct options, mode),
	  .help = "copy|ref: how bytes go back" },
	{ .key = NULL }
};

static const struct sluice_flow_ops echo_flow = {
	.size = sizeof(echo_flow),
	.flags = SLUICE_FLOW_TCP | SLUICE_FLOW_UDP,
	.flow_size = sizeof(struct flow),
	.open = echo_open,
	.readable = echo_readable,
	.writable = echo_readable,
	.eof = echo_eof,
};

SLUICE_PLUGIN(echo) = {
	SLUICE_HEAD,
	.name = "echo",
	.version = "1.0",
	.summary = "answers every flow with what it was sent",
	.license = "MIT",
	.options = echo_options,
	.options_bytes = sizeof(struct options),
	.create = echo_create,
	.flow = &echo_flow,
};
