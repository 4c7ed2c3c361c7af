/* SPDX-License-Identifier: MIT */
/* dnssay.c - what plugins say about a query, as answers to be made
 *
 * The three ways a plugin has to let the core make an answer, for whoever
 * stands behind struct sluice_query_api: the gateway, or "sluice explain".
 */
#include "dnsmsg.h"

#define BLOCK_TTL 60u /* short: a rule that is lifted is felt at once */

struct dnsmsg_answer dnsmsg_of_addrs(const struct sluice_addr *v, size_t n,
				     uint32_t ttl)
{
	return (struct dnsmsg_answer){ .addr = v,
				       .n = n,
				       .ttl = ttl,
				       .soa = true,
				       .ede = DNSMSG_EDE_NONE };
}

bool dnsmsg_of_block(struct dnsmsg_answer *a, int how)
{
	static const struct sluice_addr zero[2] = { { .family = 4 },
						    { .family = 6 } };

	*a = (struct dnsmsg_answer){
		.ede = DNSMSG_EDE_BLOCKED,
		.ttl = BLOCK_TTL,
		.soa = true,
	};
	switch (how) {
	case SLUICE_BLOCK_NXDOMAIN:
		a->rcode = DNSMSG_NXDOMAIN;
		return true;
	case SLUICE_BLOCK_NODATA:
		return true;
	case SLUICE_BLOCK_REFUSED:
		a->rcode = DNSMSG_REFUSED;
		a->soa = false;
		return true;
	case SLUICE_BLOCK_ZERO:
		a->addr = zero;
		a->n = 2;
		return true;
	case SLUICE_BLOCK_SERVFAIL: /* upstreams say so when all was tried */
		a->rcode = DNSMSG_SERVFAIL;
		a->ede = DNSMSG_EDE_UNREACHABLE;
		a->soa = false;
		return true;
	default:
		return false;
	}
}

struct dnsmsg_answer dnsmsg_of_response(const struct sluice_response *r)
{
	return (struct dnsmsg_answer){
		.rcode = r->rcode & 0xf,
		.soa = r->flags & SLUICE_RESPONSE_SOA,
		.tc = r->flags & SLUICE_RESPONSE_TC,
		.ede = r->ede,
		.text = r->text,
		.ttl = r->ttl,
		.addr = r->addr,
		.n = r->n,
		.records = r->records,
		.records_len = r->records_len,
		.records_n = r->records_n,
	};
}
