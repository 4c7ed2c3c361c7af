/* SPDX-License-Identifier: MIT */
/* servers.c - the servers of dns-upstream, and which to ask next
 *
 *	works --no answer, none since--> down 10 s --> one question probes it
 *	  ^                               ^                  |          |
 *	  +---------- answer -------------+---- no answer ---+          |
 *	  +-------------------------------------------------------------+
 *
 * The order is that of the configuration, always: a server that works again
 * is the first again.
 */
#include "servers.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DOWN_MS  10000
#define PROBE_MS 2000 /* others wait for so long how the probe ends */
#define CHECK_MS 1000

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

static const char *ip_parse(char *text, struct sluice_addr *a)
{
	char *zone = strchr(text, '%');
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		a->family = 4;
		memcpy(a->ip, &v4, 4);
		return NULL;
	}
	if (zone) {
		*zone++ = '\0';
		a->scope = if_nametoindex(zone);
		if (!a->scope)
			return "there is no such interface";
	}
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return "no address (names of servers are not looked up)";
	a->family = 6;
	memcpy(a->ip, &v6, 16);
	return NULL;
}

static const char *proto_parse(const char **word, uint8_t *proto)
{
	const char *end = strstr(*word, "://");
	size_t n;

	*proto = SLUICE_UDP;
	if (!end)
		return NULL;
	n = (size_t)(end - *word);
	if (n == 3 && !memcmp(*word, "tcp", 3))
		*proto = SLUICE_TCP;
	else if (n != 3 || memcmp(*word, "udp", 3) != 0)
		return "only udp:// and tcp:// are known";
	*word = end + 3;
	return NULL;
}

const char *server_parse(const char *word, struct server *s)
{
	char text[64], *ip = text, *port = NULL;
	const char *wrong;

	memset(s, 0, sizeof(*s));
	s->addr.port = 53;
	wrong = proto_parse(&word, &s->proto);
	if (wrong)
		return wrong;
	if (strlen(word) >= sizeof(text))
		return "too long for an address";
	strcpy(text, word);
	if (*text == '[') {
		char *end = strchr(text, ']');

		if (!end || (end[1] && end[1] != ':'))
			return "no address";
		*end = '\0';
		ip = text + 1;
		if (end[1])
			port = end + 2;
	} else {
		char *colon = strchr(text, ':');

		if (colon && !strchr(colon + 1, ':')) {
			*colon = '\0';
			port = colon + 1;
		}
	}
	wrong = ip_parse(ip, &s->addr);
	if (!wrong && port)
		wrong = port_parse(port, &s->addr.port);
	return wrong;
}

static void add(struct servers *s, const struct server *one)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->v[i].proto == one->proto &&
		    !memcmp(&s->v[i].addr, &one->addr, sizeof(one->addr)))
			return;
	if (s->n < SERVERS_MAX)
		s->v[s->n++] = *one;
}

/* The nameserver lines of resolv.conf(5).  Without one it is the server of
 * this machine that is meant; a file that cannot be read means nothing. */
static void add_system(struct servers *s)
{
	FILE *f = fopen(s->path, "re");
	struct server one;
	uint32_t before = s->n;
	char line[256], *word, *save;

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		word = strtok_r(line, " \t\r\n", &save);
		if (!word || strcmp(word, "nameserver") != 0)
			continue;
		word = strtok_r(NULL, " \t\r\n", &save);
		if (word && !server_parse(word, &one))
			add(s, &one);
	}
	fclose(f);
	if (s->n == before && !server_parse("127.0.0.1", &one))
		add(s, &one);
}

static void build(struct servers *s)
{
	struct server one;

	s->n = 0;
	s->generation++;
	for (const char *const *w = s->words; *w; w++) {
		if (!strcmp(*w, "system"))
			add_system(s);
		else if (!server_parse(*w, &one))
			add(s, &one);
	}
}

static bool changed(struct servers *s)
{
	struct stat st;

	if (stat(s->path, &st) < 0)
		memset(&st, 0, sizeof(st));
	if (st.st_ino == s->inode && st.st_size == s->size &&
	    st.st_mtim.tv_sec == s->mtime.tv_sec &&
	    st.st_mtim.tv_nsec == s->mtime.tv_nsec)
		return false;
	s->inode = st.st_ino;
	s->size = st.st_size;
	s->mtime = st.st_mtim;
	return true;
}

const char *servers_init(struct servers *s, const char *const *words,
			 const char *path, const char **bad)
{
	const char *wrong;
	struct server one;

	memset(s, 0, sizeof(*s));
	s->words = words;
	s->path = path;
	for (const char *const *w = words; *w; w++) {
		*bad = *w;
		if (w - words >= SERVERS_MAX)
			return "too many servers";
		if (!strcmp(*w, "system")) {
			s->system = true;
			continue;
		}
		wrong = server_parse(*w, &one);
		if (wrong)
			return wrong;
	}
	if (s->system)
		changed(s);
	build(s);
	return NULL;
}

bool servers_refresh(struct servers *s, uint64_t now)
{
	if (!s->system || now < s->checked_ms + CHECK_MS)
		return false;
	s->checked_ms = now;
	if (!changed(s))
		return false;
	build(s);
	return true;
}

int servers_pick(struct servers *s, uint32_t tried, uint64_t now)
{
	int second = -1;

	for (uint32_t i = 0; i < s->n; i++) {
		if (tried & 1u << i)
			continue;
		if (s->v[i].down_until <= now) {
			if (s->v[i].failed) /* this one is the probe */
				s->v[i].down_until = now + PROBE_MS;
			return (int)i;
		}
		if (second < 0)
			second = (int)i;
	}
	return second;
}

bool server_worked(struct server *s, uint64_t now)
{
	bool news = s->failed;

	s->failed = false;
	s->down_until = 0;
	s->ok_ms = now;
	return news;
}

bool server_failed(struct server *s, uint64_t began, uint64_t now)
{
	bool news = !s->failed;

	/* It answered others meanwhile: the name was slow, not the server. */
	if (s->ok_ms > began)
		return false;
	s->failed = true;
	s->down_until = now + DOWN_MS;
	return news;
}

char *server_text(const struct server *s, char buf[SERVER_TEXT])
{
	const struct sluice_addr *a = &s->addr;
	char ip[INET6_ADDRSTRLEN];

	inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->ip, ip, sizeof(ip));
	snprintf(buf, SERVER_TEXT,
		 a->family == 4 ? "%s://%s:%u" : "%s://[%s]:%u",
		 s->proto == SLUICE_TCP ? "tcp" : "udp", ip, a->port);
	return buf;
}
