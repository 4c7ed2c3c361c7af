/* SPDX-License-Identifier: MIT */
/* stamp.c - servers as DNS stamps: "sdns://" and base64url
 *
 *	00 props address                              plain, by UDP
 *	02 props address hashes host[:port] path ...  HTTPS
 *	03 props address hashes host[:port] ...       TLS
 *
 * props are eight bytes of what the server says about itself, which we do not
 * rely on.  Strings have their length before them; of a list of strings all
 * but the last have the top bit of it set.  What follows, addresses of
 * resolvers to ask for the host, is not used: an address of the server itself
 * or a bootstrap of the configuration is.
 */
#include <stdbool.h>
#include <string.h>

#include "url.h"

#define STAMP_MAX   512
#define PLAIN       0x00
#define DOH         0x02
#define DOT         0x03
#define MORE_FOLLOW 0x80

struct cursor {
	const uint8_t *p;
	size_t left;
};

static int digit(char c)
{
	static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *at = c ? strchr(all, c) : NULL;

	return at ? (int)(at - all) : -1;
}

/* The bytes of base64url without padding; 0: it is none, or too long. */
static size_t decode(const char *text, uint8_t out[STAMP_MAX])
{
	uint32_t bits = 0;
	size_t n = 0, have = 0;

	for (; *text && *text != '='; text++) {
		int d = digit(*text);

		if (d < 0 || n == STAMP_MAX)
			return 0;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	return text[strspn(text, "=")] ? 0 : n;
}

/* The next string of a list; *more: the list goes on. */
static bool take(struct cursor *c, const uint8_t **p, size_t *len, bool *more)
{
	if (!c->left)
		return false;
	*more = *c->p & MORE_FOLLOW;
	*len = *c->p & ~MORE_FOLLOW;
	*p = c->p + 1;
	if (*len >= c->left)
		return false;
	c->p += 1 + *len;
	c->left -= 1 + *len;
	return true;
}

/* A string into text: not all of 256 bytes are for a list. */
static bool take_text(struct cursor *c, char *text, size_t room)
{
	size_t len;

	if (!c->left)
		return false;
	len = *c->p;
	if (len >= c->left || len >= room || memchr(c->p + 1, 0, len))
		return false;
	memcpy(text, c->p + 1, len);
	text[len] = '\0';
	c->p += 1 + len;
	c->left -= 1 + len;
	return true;
}

static const char *take_address(struct cursor *c, struct url *u)
{
	char text[128], host[128];
	uint16_t port = u->port;
	const char *wrong;

	if (!take_text(c, text, sizeof(text)))
		return "the stamp is cut in its address";
	if (!*text)
		return NULL;
	/* ":8443": another port, and the address has to be looked up */
	wrong = url_host_port(text, host, sizeof(host), &port);
	if (wrong)
		return wrong;
	u->port = port;
	if (!*host)
		return NULL;
	if (url_address(host, &u->addrs[0]))
		return "the stamp's address is none";
	u->addrs[0].port = port;
	u->addrs_n = 1;
	strcpy(u->host, host);
	return NULL;
}

static const char *take_hashes(struct cursor *c, struct url *u)
{
	const uint8_t *p;
	size_t len;
	bool more;

	do {
		if (!take(c, &p, &len, &more))
			return "the stamp is cut in its hashes";
		if (!len)
			continue;
		if (len != sizeof(u->pins[0]))
			return "a hash of the stamp is not of 32 bytes";
		if (u->pins_n == URL_PINS)
			return "the stamp has more than 4 hashes";
		memcpy(u->pins[u->pins_n++], p, len);
	} while (more);
	return NULL;
}

static const char *take_host(struct cursor *c, struct url *u)
{
	char text[300];
	const char *wrong;

	if (!take_text(c, text, sizeof(text)))
		return "the stamp is cut in its host";
	if (!*text && !u->addrs_n)
		return "the stamp has neither host nor address";
	if (!*text)
		return NULL;
	wrong = url_host_port(text, u->host, sizeof(u->host), &u->port);
	if (!wrong && u->addrs_n)
		u->addrs[0].port = u->port;
	return wrong;
}

const char *stamp_parse(const char *text, struct url *u)
{
	uint8_t raw[STAMP_MAX];
	struct cursor c = { .p = raw, .left = decode(text, raw) };
	const char *wrong;
	uint8_t kind;

	if (c.left < 9)
		return "no stamp (base64url of at least 9 bytes)";
	kind = raw[0];
	c.p += 9;
	c.left -= 9;
	if (kind == PLAIN) {
		u->kind = URL_UDP;
		u->port = 53;
		wrong = take_address(&c, u);
		return wrong      ? wrong :
		       u->addrs_n ? NULL :
				    "the stamp has no address";
	}
	if (kind != DOH && kind != DOT)
		return "stamps of plain DNS, DNS over TLS and over HTTPS are "
		       "known, and it is another";
	u->kind = kind == DOH ? URL_HTTPS : URL_TLS;
	u->port = kind == DOH ? 443 : 853;
	wrong = take_address(&c, u);
	if (!wrong)
		wrong = take_hashes(&c, u);
	if (!wrong)
		wrong = take_host(&c, u);
	if (!wrong && kind == DOH &&
	    (!take_text(&c, u->path, sizeof(u->path)) || u->path[0] != '/'))
		wrong = "the stamp has no path";
	return wrong;
}
