/* SPDX-License-Identifier: MIT */
/* addr.c - addresses: text, sockaddr, prefixes
 *
 * Text is taken strictly: what inet_pton(3) takes, decimal ports and lengths
 * without signs or spaces, and nothing behind them.  Zones are written as
 * numbers, so that making a text asks nobody; they are read as numbers or as
 * names of interfaces.
 */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

/* Decimal digits, all of the text, at most max; or -1. */
static long parse_number(const char *s, long max)
{
	long v = 0;

	if (!*s)
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		v = v * 10 + (*s - '0');
		if (v > max)
			return -1;
	}
	return v;
}

static int parse_zone(const char *s, uint32_t *scope)
{
	long n = parse_number(s, INT32_MAX);

	*scope = n > 0 ? (uint32_t)n : if_nametoindex(s);
	return *scope ? 0 : -EINVAL;
}

/* An address alone; text is cut at the zone. */
static int parse_ip(char *text, struct sluice_addr *out)
{
	char *zone = strchr(text, '%');

	memset(out, 0, sizeof(*out));
	if (!strchr(text, ':')) {
		out->family = 4;
		return inet_pton(AF_INET, text, out->ip) == 1 ? 0 : -EINVAL;
	}
	out->family = 6;
	if (zone)
		*zone++ = '\0';
	if (inet_pton(AF_INET6, text, out->ip) != 1)
		return -EINVAL;
	return zone ? parse_zone(zone, &out->scope) : 0;
}

bool addr_equal(const struct sluice_addr *a, const struct sluice_addr *b)
{
	return a->port == b->port && a->scope == b->scope &&
	       addr_ip_equal(a, b);
}

bool addr_ip_equal(const struct sluice_addr *a, const struct sluice_addr *b)
{
	return a->family == b->family &&
	       !memcmp(a->ip, b->ip, a->family == 4 ? 4 : 16);
}

void addr_set(struct sluice_addr *a, int family, const void *ip, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	a->family = (uint8_t)family;
	a->port = port;
	memcpy(a->ip, ip, family == 4 ? 4 : 16);
}

int addr_parse(const char *text, uint16_t preset, struct sluice_addr *out)
{
	char buf[ADDR_TEXT + IF_NAMESIZE];
	struct sluice_addr a;
	char *ip = buf, *port = NULL;
	long n = preset;

	if (strlen(text) >= sizeof(buf))
		return -EINVAL;
	strcpy(buf, text);

	if (buf[0] == '[') {
		char *end = strchr(buf, ']');

		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		*end = '\0';
		ip = buf + 1;
		port = end[1] ? end + 2 : NULL;
		if (!strchr(ip, ':'))
			return -EINVAL;
	} else {
		char *colon = strchr(buf, ':');

		/* More than one colon: IPv6 without brackets, no port. */
		if (colon && !strchr(colon + 1, ':')) {
			*colon = '\0';
			port = colon + 1;
		}
	}
	if (port)
		n = parse_number(port, UINT16_MAX);
	if (n < 0 || parse_ip(ip, &a))
		return -EINVAL;
	a.port = (uint16_t)n;
	*out = a;
	return 0;
}

char *addr_ip_text(const struct sluice_addr *a, char *buf)
{
	if (a->family == 4) {
		inet_ntop(AF_INET, a->ip, buf, ADDR_TEXT);
	} else if (a->family == 6) {
		size_t n;

		inet_ntop(AF_INET6, a->ip, buf, ADDR_TEXT);
		n = strlen(buf);
		if (a->scope)
			snprintf(buf + n, ADDR_TEXT - n, "%%%u", a->scope);
	} else {
		strcpy(buf, "none");
	}
	return buf;
}

char *addr_text(const struct sluice_addr *a, char *buf)
{
	size_t n;

	if (a->family != 4 && a->family != 6)
		return addr_ip_text(a, buf);
	if (a->family == 4) {
		addr_ip_text(a, buf);
		n = strlen(buf);
	} else {
		char ip[ADDR_TEXT];

		n = strlen(addr_ip_text(a, ip));
		buf[0] = '[';
		memcpy(buf + 1, ip, n);
		buf[n + 1] = ']';
		n += 2;
	}
	snprintf(buf + n, ADDR_TEXT - n, ":%u", a->port);
	return buf;
}

socklen_t addr_to_sockaddr(const struct sluice_addr *a,
			   struct sockaddr_storage *ss)
{
	if (a->family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)ss;

		memset(in, 0, sizeof(*in));
		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip, 4);
		return sizeof(*in);
	}
	if (a->family == 6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

		memset(in6, 0, sizeof(*in6));
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(a->port);
		in6->sin6_scope_id = a->scope;
		memcpy(&in6->sin6_addr, a->ip, 16);
		return sizeof(*in6);
	}
	return 0;
}

int addr_from_sockaddr(const struct sockaddr *sa, struct sluice_addr *a)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		addr_set(a, 4, &in->sin_addr, ntohs(in->sin_port));
		return 0;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 =
			(const struct sockaddr_in6 *)sa;
		const uint8_t *ip = in6->sin6_addr.s6_addr;

		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			addr_set(a, 4, ip + 12, ntohs(in6->sin6_port));
			return 0;
		}
		addr_set(a, 6, ip, ntohs(in6->sin6_port));
		a->scope = in6->sin6_scope_id;
		return 0;
	}
	return -EAFNOSUPPORT;
}

bool addr_is_loopback(const struct sluice_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (a->family == 4)
		return a->ip[0] == 127;
	return a->family == 6 && !memcmp(a->ip, one, 16);
}

bool addr_is_any(const struct sluice_addr *a)
{
	static const uint8_t zero[16];

	if (a->family == 4)
		return a->ip[0] == 0; /* RFC 1122, 3.2.1.3 (a), (b) */
	return a->family == 6 && !memcmp(a->ip, zero, 16);
}

bool addr_is_multicast(const struct sluice_addr *a)
{
	if (a->family == 4)
		return (a->ip[0] & 0xf0) == 0xe0;
	return a->family == 6 && a->ip[0] == 0xff;
}

bool addr_is_broadcast(const struct sluice_addr *a)
{
	return a->family == 4 && get_be32(a->ip) == 0xffffffff;
}

int prefix_parse(const char *text, struct prefix *out)
{
	char buf[ADDR_TEXT];
	struct prefix p;
	char *slash;
	long len, max;

	if (strlen(text) >= sizeof(buf) || strchr(text, '%'))
		return -EINVAL;
	strcpy(buf, text);
	slash = strchr(buf, '/');
	if (slash)
		*slash++ = '\0';
	if (parse_ip(buf, &p.addr))
		return -EINVAL;
	max = p.addr.family == 4 ? 32 : 128;
	len = slash ? parse_number(slash, max) : max;
	if (len < 0)
		return -EINVAL;
	p.len = (uint8_t)len;
	*out = p;
	return 0;
}

bool prefix_has(const struct prefix *p, const struct sluice_addr *a)
{
	unsigned int bytes = p->len / 8, bits = p->len % 8;

	if (p->addr.family != a->family || !a->family)
		return false;
	if (memcmp(p->addr.ip, a->ip, bytes))
		return false;
	return !bits || !((p->addr.ip[bytes] ^ a->ip[bytes]) >> (8 - bits));
}
