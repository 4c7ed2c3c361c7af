/* SPDX-License-Identifier: MIT */
/* url.c - a server as one writes it down
 *
 * What may be plain has to be an address; what is encrypted may have a name,
 * which then is the name of its certificate.
 */
#include "url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NO_ADDRESS "no address (names of plain servers are not looked up)"

static const struct scheme {
	const char *name;
	uint8_t kind;
	uint16_t port;
} schemes[] = {
	{ "udp", URL_UDP, 53 },
	{ "tcp", URL_TCP, 53 },
	{ "tls", URL_TLS, 853 },
	{ "https", URL_HTTPS, 443 },
};

#define DNS_QUERY "/dns-query" /* RFC 8484, 4.1.1 */

/* Control D: its resolver for devices, and where that is. */
#define CONTROLD_HOST "dns.controld.com"
#define CONTROLD_V4   "76.76.2.22"
#define CONTROLD_V6   "2606:1a40::22"

static const char *port_parse(const char *text, uint16_t *port)
{
	unsigned long v = 0;

	if (!*text)
		return "the port is missing";
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return "the port is no number";
		v = v * 10 + (unsigned long)(*text - '0');
		if (v > 65535)
			return "the port is above 65535";
	}
	*port = (uint16_t)v;
	return v ? NULL : "the port is 0";
}

const char *url_host_port(const char *word, char *host, size_t room,
			  uint16_t *port)
{
	const char *end = word + strlen(word), *colon = NULL;

	if (*word == '[') {
		end = strchr(++word, ']');
		if (!end || (end[1] && end[1] != ':'))
			return "no address";
		colon = end[1] ? end + 1 : NULL;
	} else {
		colon = strchr(word, ':');
		if (colon && strchr(colon + 1, ':'))
			colon = NULL; /* IPv6 */
		if (colon)
			end = colon;
	}
	if ((size_t)(end - word) >= room)
		return "too long for a name or an address";
	memcpy(host, word, (size_t)(end - word));
	host[end - word] = '\0';
	return colon ? port_parse(colon + 1, port) : NULL;
}

int url_address(const char *text, struct sluice_addr *a)
{
	char ip[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];
	char *zone;

	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, text, a->ip) == 1) {
		a->family = 4;
		return 0;
	}
	if (strlen(text) >= sizeof(ip))
		return -1;
	strcpy(ip, text);
	zone = strchr(ip, '%');
	if (zone)
		*zone++ = '\0';
	if (inet_pton(AF_INET6, ip, a->ip) != 1)
		return -1;
	a->family = 6;
	a->scope = zone ? if_nametoindex(zone) : 0;
	return zone && !a->scope ? -2 : 0;
}

/* A name of host or domain: letters, digits, - and _ in labels. */
static bool is_name(const char *text)
{
	size_t label = 0;

	if (strlen(text) > 253)
		return false;
	for (; *text; text++) {
		if (*text == '.' && (!label || label > 63))
			return false;
		if (*text != '.' && *text != '-' && *text != '_' &&
		    !isalnum((uint8_t)*text))
			return false;
		label = *text == '.' ? 0 : label + 1;
	}
	return label && label <= 63;
}

static bool is_path(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f || *text == '#')
			return false;
	return true;
}

/* The path of what stands after "://" goes to u, the rest to rest. */
static const char *split_path(const char *word, char *rest, size_t room,
			      struct url *u)
{
	size_t n = strcspn(word, "/");

	if (n >= room)
		return "too long for a name or an address";
	memcpy(rest, word, n);
	rest[n] = '\0';
	if (u->kind != URL_HTTPS)
		return word[n] ? "a path is for https:// only" : NULL;
	if (strlen(word + n) >= sizeof(u->path))
		return "the path is too long";
	strcpy(u->path, word[n] && word[n + 1] ? word + n : DNS_QUERY);
	return is_path(u->path) ? NULL : "no path of a URL";
}

static const char *parse_as(const char *word, const struct scheme *s,
			    struct url *u)
{
	char rest[300];
	const char *wrong;
	int no;

	u->kind = s->kind;
	u->port = s->port;
	wrong = split_path(word, rest, sizeof(rest), u);
	if (!wrong)
		wrong = url_host_port(rest, u->host, sizeof(u->host), &u->port);
	if (wrong)
		return wrong;
	no = url_address(u->host, &u->addrs[0]);
	if (no == -2)
		return "there is no such interface";
	if (no && s->kind < URL_TLS)
		return NO_ADDRESS;
	if (no && !is_name(u->host))
		return "neither a name nor an address";
	if (!no) {
		u->addrs_n = 1;
		u->addrs[0].port = u->port;
	}
	return NULL;
}

/* "UID" or "UID/CLIENT": one resolver of theirs, and a device of it. */
static const char *parse_controld(const char *word, struct url *u)
{
	size_t n = strcspn(word, "/");

	u->kind = URL_HTTPS;
	u->port = 443;
	u->device = 1;
	if (!n || strlen(word) > 200 || (word[n] && !word[n + 1]) ||
	    strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789-_") != n ||
	    strchr(word + n + !!word[n], '/') || !is_path(word))
		return "controld://UID or controld://UID/CLIENT is meant";
	strcpy(u->host, CONTROLD_HOST);
	snprintf(u->path, sizeof(u->path), "/%s", word);
	url_address(CONTROLD_V4, &u->addrs[0]);
	url_address(CONTROLD_V6, &u->addrs[1]);
	u->addrs_n = 2;
	u->addrs[0].port = u->addrs[1].port = 443;
	return NULL;
}

static const char *parse_stamp(const char *word, struct url *u)
{
	const char *wrong = stamp_parse(word, u);
	struct sluice_addr a;

	if (!wrong && !is_name(u->host) && url_address(u->host, &a))
		wrong = "the stamp's host is neither a name nor an address";
	if (!wrong && !is_path(u->path))
		wrong = "the stamp's path is none of a URL";
	return wrong;
}

const char *url_parse(const char *word, struct url *u)
{
	const char *end = strstr(word, "://");
	size_t n = end ? (size_t)(end - word) : 0;

	memset(u, 0, sizeof(*u));
	if (!end)
		return parse_as(word, &schemes[0], u);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (n == strlen(schemes[i].name) &&
		    !memcmp(word, schemes[i].name, n))
			return parse_as(end + 3, &schemes[i], u);
	if (n == 4 && !memcmp(word, "sdns", 4))
		return parse_stamp(end + 3, u);
	if (n == 8 && !memcmp(word, "controld", 8))
		return parse_controld(end + 3, u);
	return "udp, tcp, tls, https, sdns and controld are known before ://";
}

char *url_text(const struct url *u, char buf[URL_TEXT])
{
	const struct scheme *s = &schemes[u->kind];
	char port[8] = "";
	bool v6 = strchr(u->host, ':');

	if (u->kind < URL_TLS || u->port != s->port)
		snprintf(port, sizeof(port), ":%u", u->port);
	snprintf(buf, URL_TEXT, "%s://%s%s%s%s%s", s->name, v6 ? "[" : "",
		 u->host, v6 ? "]" : "", port,
		 !*u->path || !strcmp(u->path, DNS_QUERY) ? u->path : "/...");
	return buf;
}
