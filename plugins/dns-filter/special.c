/* SPDX-License-Identifier: MIT */
/* special.c - names that are special, whatever lists say
 *
 * The hash of each is known from the start, and its depth says which suffix
 * of a name to compare it with: one comparison each.
 */
#include "special.h"

#include <string.h>

static const struct {
	const char *name;
	enum special_kind kind;
} names[] = {
	/* Firefox: DNS over HTTPS by itself, unless this does not exist. */
	{ "use-application-dns.net", SPECIAL_CANARY },
	/* iCloud Private Relay */
	{ "mask.icloud.com", SPECIAL_CANARY },
	{ "mask-h2.icloud.com", SPECIAL_CANARY },
	/* Discovery of encrypted resolvers, RFC 9462 */
	{ "resolver.arpa", SPECIAL_DDR },
	/* RFC 6761 */
	{ "localhost", SPECIAL_LOCAL },
	{ "invalid", SPECIAL_NOWHERE },
	{ "test", SPECIAL_NOWHERE },
	{ "local", SPECIAL_NOWHERE },     /* RFC 6762 */
	{ "onion", SPECIAL_NOWHERE },     /* RFC 7686 */
	{ "home.arpa", SPECIAL_NOWHERE }, /* RFC 8375 */
	{ "alt", SPECIAL_NOWHERE },       /* RFC 9476 */
	{ "internal", SPECIAL_NOWHERE },  /* reserved by ICANN, 2024 */
	/* RFC 6303: addresses that mean something here only */
	{ "0.in-addr.arpa", SPECIAL_NOWHERE },
	{ "10.in-addr.arpa", SPECIAL_NOWHERE },
	{ "127.in-addr.arpa", SPECIAL_NOWHERE },
	{ "16.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "17.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "18.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "19.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "20.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "21.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "22.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "23.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "24.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "25.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "26.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "27.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "28.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "29.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "30.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "31.172.in-addr.arpa", SPECIAL_NOWHERE },
	{ "168.192.in-addr.arpa", SPECIAL_NOWHERE },
	{ "254.169.in-addr.arpa", SPECIAL_NOWHERE },
	{ "2.0.192.in-addr.arpa", SPECIAL_NOWHERE },
	{ "100.51.198.in-addr.arpa", SPECIAL_NOWHERE },
	{ "113.0.203.in-addr.arpa", SPECIAL_NOWHERE },
	{ "255.255.255.255.in-addr.arpa", SPECIAL_NOWHERE },
	{ "d.f.ip6.arpa", SPECIAL_NOWHERE },
	{ "c.f.ip6.arpa", SPECIAL_NOWHERE },
	{ "8.e.f.ip6.arpa", SPECIAL_NOWHERE },
	{ "9.e.f.ip6.arpa", SPECIAL_NOWHERE },
	{ "a.e.f.ip6.arpa", SPECIAL_NOWHERE },
	{ "b.e.f.ip6.arpa", SPECIAL_NOWHERE },
	{ "8.b.d.0.1.0.0.2.ip6.arpa", SPECIAL_NOWHERE },
};

#define COUNT (sizeof(names) / sizeof(*names))

_Static_assert(COUNT <= SPECIAL_NAMES, "struct special has room for them");

void special_init(struct special *s)
{
	s->n = COUNT;
	for (unsigned int i = 0; i < COUNT; i++) {
		const char *p = names[i].name;

		s->hash[i] = name_hash(p, strlen(p));
		s->kind[i] = (uint8_t)names[i].kind;
		s->depth[i] = 1;
		for (; *p; p++)
			s->depth[i] += *p == '.';
	}
}

enum special_kind special_find(const struct special *s, const struct name *n)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (s->depth[i] <= n->n &&
		    n->hash[n->n - s->depth[i]] == s->hash[i])
			return (enum special_kind)s->kind[i];
	return SPECIAL_NONE;
}
