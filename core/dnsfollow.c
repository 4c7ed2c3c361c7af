/* SPDX-License-Identifier: MIT */
/* dnsfollow.c - a query that goes on under another name: follow()
 *
 *	plugin at place n: follow()  -->  q->info is the new question
 *	   plugins n+1 ...		  see that alone
 *	on the way back, before n:	  the answer is joined, q->info is the
 *					  old question again
 *
 * Each follow() is a frame on q->followed, innermost first, with the question
 * as it was.  Frames change only while the loop walks the chain, never while
 * a plugin holds the query.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dnsq.h"

#define FOLLOW_MAX 8 /* of one query */

struct dns_follow {
	struct dns_follow *outer;
	uint32_t at; /* who did it */
	struct sluice_query_info info;
	struct dnsmsg m;
	struct dnsmsg_chain chain;
	uint8_t msg[DNSMSG_AIMED];
	char name[DNSMSG_TEXT];
	uint8_t records[];
};

int dnsfollow_start(struct dnsq *q, const struct dnsmsg_chain *c)
{
	struct dns_follow *f;
	int len, depth = 0;

	if (q->state != DNSQ_CHAIN || q->ask)
		return -EINVAL;
	for (f = q->followed; f; f = f->outer)
		if (++depth == FOLLOW_MAX)
			return -ELOOP;
	f = malloc(sizeof(*f) + MIN(c->len, DNSMSG_CHAIN));
	if (!f)
		return -ENOMEM;
	len = dnsmsg_aim(f->msg, q->info.msg, &q->m, c);
	if (len < 0 ||
	    dnsmsg_name(f->msg, (size_t)len, DNSMSG_HEADER, f->name) < 0) {
		free(f);
		return -EINVAL;
	}
	memcpy(f->records, c->records, c->len);
	f->chain = (struct dnsmsg_chain){ f->records, c->len, c->n };
	f->at = q->at;
	f->info = q->info;
	f->m = q->m;
	f->outer = q->followed;
	q->followed = f;
	q->info.msg = f->msg;
	q->info.msg_len = (uint32_t)len;
	q->info.name = f->name;
	dnsmsg_parse(&q->m, f->msg, (size_t)len);
	return 0;
}

/* The last frame is undone. */
static void undo(struct dnsq *q)
{
	struct dns_follow *f = q->followed;

	q->info = f->info;
	q->m = f->m;
	q->followed = f->outer;
	free(f);
}

int dnsfollow_end(struct dnsq *q, uint32_t at, struct dnsq_bytes *reply)
{
	struct dns_follow *f;

	while ((f = q->followed) && f->at >= at) {
		struct dnsq_bytes all = { .p = NULL };
		struct dnsmsg r;
		size_t cap;

		if (dnsmsg_parse(&r, reply->p, reply->len))
			return -EBADMSG;
		cap = MIN(r.len + f->m.question + f->chain.len, DNSMSG_MAX);
		all.p = malloc(cap);
		if (!all.p)
			return -ENOMEM;
		all.len = (uint32_t)dnsmsg_join(all.p, cap, f->info.msg, &f->m,
						&f->chain, reply->p, &r);
		if (!all.len) {
			free(all.p);
			return -EBADMSG;
		}
		dnsq_bytes_set(q, reply, all.p, all.len);
		undo(q);
	}
	return 0;
}

void dnsfollow_free(struct dnsq *q)
{
	while (q->followed)
		undo(q);
}

void dnsfollow_first(const struct dnsq *q,
		     const struct sluice_query_info **info,
		     const struct dnsmsg **m)
{
	const struct dns_follow *f = q->followed;

	*info = &q->info;
	*m = &q->m;
	for (; f; f = f->outer) {
		*info = &f->info;
		*m = &f->m;
	}
}
