/* SPDX-License-Identifier: MIT */
/* lookup.c - where servers with a name are
 *
 *	unknown --connection wanted--> asked --> known --its TTL--> asked again
 *	   ^                            |                            |
 *	   +------ no address ----------+     (the old ones go on) --+
 *
 * A and AAAA are asked of the plain servers that begin the list of
 * "bootstrap", never of this machine's resolver.  What they say needs no
 * trust: who is at a wrong address has no certificate for the name.
 */
#include "lookup.h"

#include <string.h>

#define KNOWN_MS 60000   /* at least; connections outlive it anyway */
#define MOST_MS  3600000 /* and at most */

/* "dns.example" as a query; 0: it is no name after all. */
static size_t make_query(uint8_t out[MSG_HEADER + MSG_QUESTION],
			 const char *name, uint16_t type)
{
	size_t at = MSG_HEADER;

	memset(out, 0, MSG_HEADER);
	out[2] = 1; /* RD */
	out[5] = 1;
	while (*name) {
		size_t n = strcspn(name, ".");

		if (!n || n > 63 || at + n + 6 > MSG_HEADER + MSG_QUESTION)
			return 0;
		out[at++] = (uint8_t)n;
		memcpy(out + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	out[at++] = 0;
	msg_put16(out + at, type);
	msg_put16(out + at + 2, MSG_IN);
	return at + 4;
}

static void ask_for(struct upstream *up, struct server *s, uint16_t type)
{
	uint8_t query[MSG_HEADER + MSG_QUESTION];
	size_t len = make_query(query, s->url.host, type);
	struct question q;
	struct msg m;

	if (!len || !msg_read(&m, query, len)) {
		lookup_end(up, s);
		return;
	}
	question_init(&q, up->groups.lookup->index, query, &m, up->key);
	if (ask_lookup(up, up->groups.lookup, &q, s))
		lookup_end(up, s);
}

void lookup_begin(struct upstream *up, struct server *s)
{
	if (s->url.addrs_n || s->lookups || !up->groups.lookup ||
	    sluice_now(up->ctx) < s->known_until)
		return;
	s->lookups = 2;
	s->found_n = 0;
	s->found_ms = MOST_MS;
	ask_for(up, s, MSG_AAAA);
	ask_for(up, s, MSG_A);
}

void lookup_answer(struct server *s, const uint8_t *msg, size_t len)
{
	struct sluice_addr *v = s->found + s->found_n;
	uint32_t ttl;
	size_t n = msg_addresses(msg, len, v, URL_ADDRS / 2, &ttl);

	for (size_t i = 0; i < n; i++)
		v[i].port = s->url.port;
	s->found_n = (uint8_t)(s->found_n + n);
	if (n && ttl * 1000ull < s->found_ms)
		s->found_ms = ttl * 1000ull;
}

void lookup_end(struct upstream *up, struct server *s)
{
	if (--s->lookups)
		return;
	if (s->found_n) {
		memcpy(s->addrs, s->found, sizeof(s->addrs));
		s->addrs_n = s->found_n;
		s->at = 0;
		if (s->found_ms < KNOWN_MS)
			s->found_ms = KNOWN_MS;
		s->known_until = sluice_now(up->ctx) + s->found_ms;
	}
	if (!up->stopping)
		stream_found(s);
}
