/* SPDX-License-Identifier: MIT */
/* svcb.c - an answer written anew, without some parameters of SVCB records
 *
 * What is taken out moves all that follows, and with it what compression
 * pointers point to: so all names are written out.  Types that may have
 * compressed names in their data are known (RFC 3597, 4, says that no new
 * ones come); all others are copied.
 */
#include <string.h>

#include "filter.h"
#include "message.h"

#define SVCB_MANDATORY 0
#define OUT_MAX        65535u

/* Data as so many bytes, then names, then bytes to the end. */
static const struct {
	uint16_t type;
	uint8_t skip, names;
} shapes[] = {
	{ 2, 0, 1 },   /* NS */
	{ 3, 0, 1 },   /* MD */
	{ 4, 0, 1 },   /* MF */
	{ 5, 0, 1 },   /* CNAME */
	{ 6, 0, 2 },   /* SOA */
	{ 7, 0, 1 },   /* MB */
	{ 8, 0, 1 },   /* MG */
	{ 9, 0, 1 },   /* MR */
	{ 12, 0, 1 },  /* PTR */
	{ 14, 0, 2 },  /* MINFO */
	{ 15, 2, 1 },  /* MX */
	{ 17, 0, 2 },  /* RP */
	{ 18, 2, 1 },  /* AFSDB */
	{ 21, 2, 1 },  /* RT */
	{ 24, 18, 1 }, /* SIG */
	{ 26, 2, 2 },  /* PX */
	{ 30, 0, 1 },  /* NXT */
	{ 33, 6, 1 },  /* SRV */
	{ 39, 0, 1 },  /* DNAME */
};

struct out {
	uint8_t *p;
	size_t n;
	bool full;
};

static void put(struct out *o, const void *p, size_t len)
{
	if (o->n + len > OUT_MAX) {
		o->full = true;
		return;
	}
	memcpy(o->p + o->n, p, len);
	o->n += len;
}

static void put_u16(struct out *o, size_t v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(o, b, 2);
}

/* A name, written out; where it ends in the message, or 0. */
static size_t put_name(struct out *o, const struct message *m, size_t at)
{
	uint8_t wire[255];
	size_t end, n = message_wire(m->p, m->len, at, wire, &end);

	if (!n) {
		o->full = true;
		return 0;
	}
	put(o, wire, n);
	return end;
}

/* The list of keys that must be understood, without those that go. */
static void put_mandatory(const struct filter *f, struct out *o,
			  const uint8_t *v, size_t len)
{
	size_t kept = 0;

	for (size_t i = 0; i + 2 <= len; i += 2)
		kept += !svcb_goes(f, message_u16(v + i));
	if (!kept)
		return;
	put_u16(o, SVCB_MANDATORY);
	put_u16(o, kept * 2);
	for (size_t i = 0; i + 2 <= len; i += 2)
		if (!svcb_goes(f, message_u16(v + i)))
			put(o, v + i, 2);
}

static void put_svcb(const struct filter *f, struct out *o,
		     const struct message *m)
{
	size_t at, end = m->data + m->data_len;

	put(o, m->p + m->data, 2);
	at = put_name(o, m, m->data + 2);
	while (at && at + 4 <= end) {
		uint16_t key = message_u16(m->p + at);
		size_t len = message_u16(m->p + at + 2);

		if (at + 4 + len > end) {
			o->full = true;
			return;
		}
		if (key == SVCB_MANDATORY)
			put_mandatory(f, o, m->p + at + 4, len);
		else if (!svcb_goes(f, key))
			put(o, m->p + at, 4 + len);
		at += 4 + len;
	}
}

static void put_data(const struct filter *f, struct out *o,
		     const struct message *m)
{
	size_t at = m->data, end = m->data + m->data_len;

	if (m->type == 64 || m->type == 65) {
		put_svcb(f, o, m);
		return;
	}
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		if (shapes[i].type != m->type || m->data_len < shapes[i].skip)
			continue;
		put(o, m->p + at, shapes[i].skip);
		at += shapes[i].skip;
		for (int k = 0; k < shapes[i].names && at; k++)
			at = put_name(o, m, at);
		break;
	}
	if (!at || at > end)
		o->full = true;
	else
		put(o, m->p + at, end - at);
}

size_t svcb_strip(struct filter *f, const uint8_t *msg, size_t len)
{
	struct out o = { .p = f->scratch };
	struct message m;
	size_t size_at;

	if (!f->scratch || !message_init(&m, msg, len))
		return 0;
	put(&o, msg, m.at);
	while (message_next(&m)) {
		put_name(&o, &m, m.owner);
		put(&o, m.p + m.data - 10, 8);
		size_at = o.n;
		put_u16(&o, 0);
		put_data(f, &o, &m);
		if (o.full || o.n - size_at - 2 > 65535)
			return 0;
		o.p[size_at] = (uint8_t)((o.n - size_at - 2) >> 8);
		o.p[size_at + 1] = (uint8_t)(o.n - size_at - 2);
	}
	/* One that broke off would be cut short without a word. */
	return m.section == 3 ? o.n : 0;
}
