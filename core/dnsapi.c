/* SPDX-License-Identifier: MIT */
/* dnsapi.c - what a plugin may do with a query: struct sluice_query_api
 *
 * Answers only put bytes into q->next; what they are worth is decided by the
 * verdict that follows.  So the thread that holds a query may answer it while
 * the loop does anything else.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "dnsq.h"

static struct dnsq *dnsq_of(struct sluice_query *p)
{
	return (struct dnsq *)p;
}

static const struct sluice_query_info *api_info(struct sluice_query *p)
{
	return &dnsq_of(p)->info;
}

static int api_answer(struct sluice_query *p, const void *msg, size_t len)
{
	return dnsq_answer(dnsq_of(p), msg, len);
}

static int api_answer_addr(struct sluice_query *p, const struct sluice_addr *v,
			   size_t n, uint32_t ttl)
{
	struct dnsmsg_answer a = dnsmsg_of_addrs(v, n, ttl);

	return dnsq_make(dnsq_of(p), &a);
}

static int api_block(struct sluice_query *p, int how)
{
	struct dnsmsg_answer a;

	if (!dnsmsg_of_block(&a, how))
		return -EINVAL;
	return dnsq_make(dnsq_of(p), &a);
}

/* In query(), or while it is held; then the query is the core's. */
static int api_forward(struct sluice_query *p, const struct sluice_addr *to)
{
	struct dnsq *q = dnsq_of(p);
	int err;

	if ((q->state != DNSQ_CHAIN && q->state != DNSQ_HELD) || q->ask)
		return -EINVAL;
	err = dnsask_start(q, to);
	if (err)
		return err;
	if (q->state == DNSQ_HELD)
		q->state = DNSQ_ASKED;
	return SLUICE_LATER;
}

static void api_resolve(struct sluice_query *p, int verdict)
{
	struct dnsq *q = dnsq_of(p);

	dns_resolved(q->dns, q, verdict);
}

static int api_respond(struct sluice_query *p, const struct sluice_response *r)
{
	struct dnsmsg_answer a = dnsmsg_of_response(r);

	return dnsq_make(dnsq_of(p), &a);
}

static void api_reason(struct sluice_query *p, const struct sluice_reason *r)
{
	struct dnsq *q = dnsq_of(p);
	char line[16] = "";

	if (!q->dns->watched)
		return;
	if (r->line)
		snprintf(line, sizeof(line), ":%" PRIu32, r->line);
	snprintf(q->reason, sizeof(q->reason), "%s%s%s%s%s%s", r->what,
		 r->list ? " " : "", r->list ? r->list : "", line,
		 r->detail ? " " : "", r->detail ? r->detail : "");
}

static int api_follow(struct sluice_query *p, const uint8_t *records,
		      uint32_t len, uint16_t n)
{
	struct dnsmsg_chain c = { records, len, n };

	return dnsfollow_start(dnsq_of(p), &c);
}

const struct sluice_query_api dnsq_api = {
	.size = sizeof(dnsq_api),
	.info = api_info,
	.answer = api_answer,
	.answer_addr = api_answer_addr,
	.block = api_block,
	.forward = api_forward,
	.resolve = api_resolve,
	.respond = api_respond,
	.reason = api_reason,
	.follow = api_follow,
};
