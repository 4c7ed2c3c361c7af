/* SPDX-License-Identifier: MIT */
/* dnsapi.c - what a plugin may do with a query: struct sluice_query_api
 *
 * Answers only put bytes into q->next; what they are worth is decided by the
 * verdict that follows.  So the thread that holds a query may answer it while
 * the loop does anything else.
 */
#include <errno.h>

#include "dnsq.h"

#define BLOCK_TTL 60u /* short: a rule that is lifted is felt at once */

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
	return dnsq_make(dnsq_of(p),
			 &(struct dnsmsg_answer){ .addr = v,
						  .n = n,
						  .ttl = ttl,
						  .soa = true,
						  .ede = DNSMSG_EDE_NONE });
}

static int api_block(struct sluice_query *p, int how)
{
	static const struct sluice_addr zero[2] = { { .family = 4 },
						    { .family = 6 } };
	struct dnsmsg_answer a = {
		.ede = DNSMSG_EDE_BLOCKED,
		.ttl = BLOCK_TTL,
		.soa = true,
	};

	switch (how) {
	case SLUICE_BLOCK_NXDOMAIN:
		a.rcode = DNSMSG_NXDOMAIN;
		break;
	case SLUICE_BLOCK_NODATA:
		break;
	case SLUICE_BLOCK_REFUSED:
		a.rcode = DNSMSG_REFUSED;
		a.soa = false;
		break;
	case SLUICE_BLOCK_ZERO:
		a.addr = zero;
		a.n = 2;
		break;
	case SLUICE_BLOCK_SERVFAIL: /* upstreams say so when all was tried */
		a.rcode = DNSMSG_SERVFAIL;
		a.ede = DNSMSG_EDE_UNREACHABLE;
		a.soa = false;
		break;
	default:
		return -EINVAL;
	}
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

const struct sluice_query_api dnsq_api = {
	.size = sizeof(dnsq_api),
	.info = api_info,
	.answer = api_answer,
	.answer_addr = api_answer_addr,
	.block = api_block,
	.forward = api_forward,
	.resolve = api_resolve,
};
