/* SPDX-License-Identifier: MIT */
/* answer.c - what is said about a name that a rule has something to say about
 *
 *		A, AAAA			other types	EDE
 *	nxdomain	NXDOMAIN, SOA		the same	15
 *	nodata	nothing, SOA		the same	15
 *	zero	0.0.0.0, ::		as nodata	15
 *	address	as configured		as nodata	15
 *	refused	REFUSED			the same	15
 *	drop	silence
 *	truncate	cut: over TCP it passes
 *	data	the records of the rule, else as nodata
 *
 * HTTPS records get a "no" as well, and at once: browsers wait for them.
 */
#include <stdio.h>
#include <string.h>

#include "filter.h"

#define TYPE_CNAME 5
#define TYPE_ANY   255
#define CHASE_MAX  8 /* CNAMEs of local records, one after the other */
#define DATA_ROOM  3072u

enum { RCODE_OK = 0, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };
enum { EDE_NONE = -1, EDE_BLOCKED = 15 };

static uint32_t ttl_of(const struct filter *f)
{
	return (uint32_t)(f->options->ttl / 1000);
}

static int respond(struct filter *f, struct sluice_query *q,
		   struct sluice_response *r)
{
	int err;

	r->size = sizeof(*r);
	r->ttl = ttl_of(f);
	err = sluice_respond(q, r);
	return err < 0 ? err : SLUICE_TAKE;
}

int answer_negative(struct filter *f, struct sluice_query *q, bool nxdomain,
		    int ede, const char *what, const char *detail)
{
	struct sluice_response r = {
		.rcode = nxdomain ? RCODE_NXDOMAIN : RCODE_OK,
		.flags = SLUICE_RESPONSE_SOA,
		.ede = ede,
		.text = ede >= 0 ? what : NULL,
	};
	struct sluice_reason why = { .size = sizeof(why),
				     .what = what,
				     .detail = detail };

	sluice_reason(q, &why);
	return respond(f, q, &r);
}

/* ------------------------------------------------------------------- data */

struct records {
	uint8_t bytes[DATA_ROOM];
	uint32_t len;
	uint16_t n;
};

/* A record as it stands in a message.  False: no room. */
static bool put_record(struct records *out, const char *owner, uint16_t type,
		       uint32_t ttl, const uint8_t *data, uint32_t len)
{
	uint8_t wire[255];
	size_t n = name_wire(wire, owner);
	uint8_t *p = out->bytes + out->len;

	if (!n || out->len + n + 10 + len > sizeof(out->bytes))
		return false;
	memcpy(p, wire, n);
	p += n;
	p[0] = (uint8_t)(type >> 8);
	p[1] = (uint8_t)type;
	p[2] = 0;
	p[3] = 1; /* IN */
	p[4] = (uint8_t)(ttl >> 24);
	p[5] = (uint8_t)(ttl >> 16);
	p[6] = (uint8_t)(ttl >> 8);
	p[7] = (uint8_t)ttl;
	p[8] = (uint8_t)(len >> 8);
	p[9] = (uint8_t)len;
	memcpy(p + 10, data, len);
	out->len += (uint32_t)n + 10 + len;
	out->n++;
	return true;
}

/* A name of rdata, uncompressed, as text. */
static bool text_of(const uint8_t *wire, uint32_t len, char out[NAME_HOST])
{
	uint32_t at = 0, to = 0;

	while (at < len && wire[at]) {
		uint32_t n = wire[at++];

		if (n > 63 || at + n >= len || to + n + 1 >= NAME_HOST)
			return false;
		if (to)
			out[to++] = '.';
		memcpy(out + to, wire + at, n);
		at += n;
		to += n;
	}
	out[to] = '\0';
	return to != 0;
}

/* The records of m; a CNAME among them is followed as far as local records
 * go.  True: it leads on, to a name of others. */
static bool gather(struct filter *f, const struct match *m, const char *owner,
		   uint16_t type, struct records *out)
{
	char name[NAME_TEXT], target[NAME_HOST];
	struct match now = *m;
	struct name n;

	snprintf(name, sizeof(name), "%s", owner);
	for (int hops = 0; hops < CHASE_MAX; hops++) {
		const uint8_t *data;
		uint32_t at = 0, len;
		bool more = false;
		uint16_t got;

		while (image_data(&f->image, &now, type, &at, &got, &data,
				  &len)) {
			if (!put_record(out, name, got, ttl_of(f), data, len))
				return false;
			if (got == TYPE_CNAME && type != TYPE_CNAME &&
			    type != TYPE_ANY)
				more = text_of(data, len, target);
		}
		if (!more)
			return false;
		memset(&now, 0, sizeof(now));
		if (!name_split(&n, target))
			return false;
		image_match(&f->image, &n, type, &now);
		if (now.answer != ANSWER_DATA)
			return true;
		strcpy(name, target);
	}
	return false;
}

static int answer_data(struct filter *f, struct sluice_query *q,
		       const struct match *m, struct sluice_response *r)
{
	const struct sluice_query_info *i = sluice_query_info(q);
	struct records records = { .n = 0 };

	/* In reply() it is too late to ask for another name. */
	if (gather(f, m, i->name, i->qtype, &records) &&
	    !sluice_follow(q, records.bytes, records.len, records.n))
		return SLUICE_PASS;
	r->records = records.bytes;
	r->records_len = records.len;
	r->records_n = records.n;
	r->flags = SLUICE_RESPONSE_SOA;
	if (m->rank == RANK_RECORD)
		r->ede = EDE_NONE;
	return respond(f, q, r);
}

/* ------------------------------------------------------------------ verdict */

static void count(struct filter *f, const struct match *m)
{
	if (m->rank == RANK_RECORD)
		f->counts.records++;
	else if (rank_allows(m->rank))
		f->counts.allowed++;
	else
		f->counts.blocked++;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void tell_reason(struct filter *f, struct sluice_query *q,
			const struct match *m, const char *found)
{
	struct sluice_reason why = {
		.size = sizeof(why),
		.what = m->rank == RANK_RECORD ? "local record" :
			rank_allows(m->rank)   ? "allowed" :
						 "blocked",
		.list = image_path(&f->image, m->list),
		.line = m->line,
		.detail = found,
	};

	sluice_reason(q, &why);
}

int answer_match(struct filter *f, struct sluice_query *q,
		 const struct match *m, const char *found)
{
	static const struct sluice_addr zero[2] = { { .family = 4 },
						    { .family = 6 } };
	struct sluice_response r = { .ede = EDE_BLOCKED };
	char text[80];

	count(f, m);
	tell_reason(f, q, m, found);
	if (rank_allows(m->rank))
		return SLUICE_PASS;
	snprintf(text, sizeof(text), "%s:%u",
		 base_name(image_path(&f->image, m->list)), m->line);
	r.text = text;
	switch (m->answer) {
	case ANSWER_DROP:
		return SLUICE_DROP;
	case ANSWER_TRUNCATE:
		if (sluice_query_info(q)->tcp)
			return SLUICE_PASS;
		r.flags = SLUICE_RESPONSE_TC;
		break;
	case ANSWER_DATA:
		return answer_data(f, q, m, &r);
	case ANSWER_REFUSED:
		r.rcode = RCODE_REFUSED;
		break;
	case ANSWER_NODATA:
		r.flags = SLUICE_RESPONSE_SOA;
		break;
	case ANSWER_ZERO:
		r.flags = SLUICE_RESPONSE_SOA;
		r.addr = zero;
		r.n = 2;
		break;
	case ANSWER_ADDRESS:
		r.flags = SLUICE_RESPONSE_SOA;
		r.addr = f->address;
		r.n = f->n_address;
		break;
	default:
		r.flags = SLUICE_RESPONSE_SOA;
		r.rcode = RCODE_NXDOMAIN;
	}
	return respond(f, q, &r);
}
