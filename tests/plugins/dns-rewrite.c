/* SPDX-License-Identifier: MIT */
/* dns-rewrite.c - answers some names itself, rewrites the answers to others
 *
 * For tests.  What happens to a question is in the first label of its name:
 *
 *	own		192.0.2.99 and 2001:db8::99
 *	nxdomain, nodata, no, zero	blocked in that way
 *	dropped		no answer
 *	failing		-EIO
 *	empty		TAKE, without an answer
 *	thread		answered by another thread, 50 ms later
 *	passed		LATER, and then PASS
 *	never		LATER, and nothing more
 *	via		forwarded to the option's server
 *	hidden		the answer to it is dropped on its way back
 *	swapped		... and replaced by NXDOMAIN
 *	sour		... and refused with -EIO
 *	mute		... and "replaced" without a replacement
 *
 * All other answers with an A record have its address replaced by
 * 198.51.100.7.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/plugin.h>

struct options {
	struct sluice_addr via;
};

struct rewrite {
	struct sluice_ctx *ctx;
	const struct options *options;
};

static int is(const struct sluice_query_info *i, const char *label)
{
	size_t n = strlen(label);

	return !strncmp(i->name, label, n) && i->name[n] == '.';
}

static int answer_own(struct sluice_query *q)
{
	static const struct sluice_addr own[] = {
		{ .family = 4, .ip = { 192, 0, 2, 99 } },
		{ .family = 6, .ip = { 0x20, 1, 0xd, 0xb8, [15] = 0x99 } },
	};
	int err = sluice_answer_addr(q, own, 2, 30);

	return err ? err : SLUICE_TAKE;
}

static void *answer_later(void *arg)
{
	struct sluice_query *q = arg;

	usleep(50000);
	sluice_query_resolve(q, answer_own(q));
	return NULL;
}

static int start_thread(struct sluice_query *q)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, answer_later, q))
		return -EAGAIN;
	pthread_detach(thread);
	return SLUICE_LATER;
}

static void pass_on(void *arg)
{
	sluice_query_resolve(arg, SLUICE_PASS);
}

static int block(struct sluice_query *q, int how)
{
	int err = sluice_block(q, how);

	return err ? err : SLUICE_TAKE;
}

static int rewrite_query(void *self, struct sluice_query *q)
{
	const struct sluice_query_info *i = sluice_query_info(q);
	struct rewrite *r = self;

	if (is(i, "own"))
		return answer_own(q);
	if (is(i, "nxdomain"))
		return block(q, SLUICE_BLOCK_NXDOMAIN);
	if (is(i, "nodata"))
		return block(q, SLUICE_BLOCK_NODATA);
	if (is(i, "no"))
		return block(q, SLUICE_BLOCK_REFUSED);
	if (is(i, "zero"))
		return block(q, SLUICE_BLOCK_ZERO);
	if (is(i, "dropped"))
		return SLUICE_DROP;
	if (is(i, "failing"))
		return sluice_fail(r->ctx, EIO, "told to fail");
	if (is(i, "empty"))
		return SLUICE_TAKE;
	if (is(i, "thread"))
		return start_thread(q);
	if (is(i, "passed"))
		return sluice_timer(r->ctx, 20, pass_on, q) ? SLUICE_LATER :
							      -ENOMEM;
	if (is(i, "never"))
		return SLUICE_LATER;
	if (is(i, "via"))
		return sluice_forward(q, &r->options->via);
	return SLUICE_PASS;
}

/* Past the name at `at`, or 0. */
static size_t skip_name(const uint8_t *m, size_t len, size_t at)
{
	while (at < len && m[at] && m[at] < 0xc0)
		at += 1u + m[at];
	if (at >= len)
		return 0;
	return m[at] ? at + 2 : at + 1;
}

/* Replace the addresses of A records; how many there were. */
static int replace(uint8_t *m, size_t len)
{
	static const uint8_t new[4] = { 198, 51, 100, 7 };
	size_t at = skip_name(m, len, 12);
	int n = m[6] << 8 | m[7], done = 0;

	if (!at)
		return 0;
	for (at += 4; n && at < len; n--) {
		size_t data;

		at = skip_name(m, len, at);
		if (!at || at + 10 > len)
			break;
		data = (size_t)m[at + 8] << 8 | m[at + 9];
		if (at + 10 + data > len)
			break;
		if (m[at + 1] == 1 && data == 4) {
			memcpy(m + at + 10, new, 4);
			done++;
		}
		at += 10 + data;
	}
	return done;
}

static int rewrite_reply(void *self, struct sluice_query *q, const uint8_t *msg,
			 size_t len)
{
	const struct sluice_query_info *i = sluice_query_info(q);
	uint8_t *copy;
	int err = 0, n;

	(void)self;
	if (is(i, "hidden"))
		return SLUICE_DROP;
	if (is(i, "swapped"))
		return block(q, SLUICE_BLOCK_NXDOMAIN);
	if (is(i, "sour"))
		return -EIO;
	if (is(i, "mute"))
		return SLUICE_TAKE;
	copy = malloc(len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, msg, len);
	n = replace(copy, len);
	if (n)
		err = sluice_answer(q, copy, len);
	free(copy);
	return err ? err : n ? SLUICE_TAKE : SLUICE_PASS;
}

static int rewrite_create(struct sluice_ctx *ctx, const void *options,
			  void **self)
{
	struct rewrite *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->ctx = ctx;
	r->options = options;
	*self = r;
	return 0;
}

static const struct sluice_option rewrite_options[] = {
	{ .key = "via",
	  .type = SLUICE_OPT_ADDR,
	  .preset = "127.0.0.1:53",
	  .offset = offsetof(struct options, via),
	  .help = "where names that begin with \"via\" are forwarded to" },
	{ .key = NULL }
};

static const struct sluice_dns_ops rewrite_dns = {
	.size = sizeof(rewrite_dns),
	.query = rewrite_query,
	.reply = rewrite_reply,
};

SLUICE_PLUGIN(dns_rewrite) = {
	SLUICE_HEAD,
	.name = "dns-rewrite",
	.version = "1.0",
	.summary = "answers some names, rewrites the answers to others",
	.license = "MIT",
	.options = rewrite_options,
	.options_bytes = sizeof(struct options),
	.create = rewrite_create,
	.destroy = free,
	.dns = &rewrite_dns,
};
