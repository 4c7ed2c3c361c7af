/* SPDX-License-Identifier: MIT */
/* group.c - which servers a name is asked of
 *
 *	route = corp.example 10.in-addr.arpa udp://10.0.0.53
 *
 * Words that are servers end the list of domains before them, and the next
 * domain begins another route.  The longest domain that a name ends in wins;
 * names that no route takes go to the servers of "server", group 0.
 */
#include "group.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "upstream.h"

#define RESOLV_CONF "/etc/resolv.conf"

/* No domain has a colon; URLs, IPv6 and ports do. */
static bool is_server(const char *word)
{
	struct sluice_addr a;

	return strchr(word, ':') || !strcmp(word, "system") ||
	       !strcmp(word, "host") || !url_address(word, &a);
}

/* "corp.example" of ".corp.example", "*.corp.example", "corp.example." would
 * never match: said, not guessed. */
static const char *domain_wrong(const char *word)
{
	size_t n = strlen(word);

	if (!strcmp(word, "."))
		return "the servers for all names are those of \"server\"";
	if (*word == '.' || *word == '*')
		return "a route is for the domain and all below it: begin "
		       "with its name";
	if (word[n - 1] == '.')
		return "the final dot is left out";
	return NULL;
}

static size_t count(const char *const *words)
{
	size_t n = 0;

	while (words[n])
		n++;
	return n;
}

static int add_group(struct groups *g, const struct options *o,
		     const char *const *words, size_t n, char text[GROUP_TEXT])
{
	struct group *new = &g->v[g->n];
	const char *wrong, *bad;

	if (g->n == GROUPS_MAX) {
		snprintf(text, GROUP_TEXT, "route: more than %d of them",
			 GROUPS_MAX - 1);
		return -EINVAL;
	}
	new->index = g->n;
	wrong = servers_init(&new->servers, words, n, o->bootstrap, RESOLV_CONF,
			     &bad);
	if (wrong) {
		snprintf(text, GROUP_TEXT, "%s %.100s: %s",
			 g->n ? "route" : "server", bad, wrong);
		return -EINVAL;
	}
	g->n++;
	return 0;
}

/* One route: its domains, then its servers.  How many words it took. */
static int add_route(struct groups *g, const struct options *o,
		     const char *const *words, char text[GROUP_TEXT])
{
	size_t domains = 0, servers = 0;
	int err;

	while (words[domains] && !is_server(words[domains]))
		domains++;
	while (words[domains + servers] && is_server(words[domains + servers]))
		servers++;
	if (!domains || !servers) {
		snprintf(text, GROUP_TEXT,
			 domains ? "route %.100s: no server follows (as in "
				   "%.60s udp://10.0.0.53)" :
				   "route %.100s: a domain comes first (as in "
				   "corp.example %.60s)",
			 words[0], words[0]);
		return -EINVAL;
	}
	for (size_t i = 0; i < domains; i++) {
		const char *wrong = domain_wrong(words[i]);

		if (wrong) {
			snprintf(text, GROUP_TEXT, "route %.100s: %s", words[i],
				 wrong);
			return -EINVAL;
		}
		g->routes[g->routes_n++] =
			(struct route){ .domain = words[i], .group = g->n };
	}
	err = add_group(g, o, words + domains, servers, text);
	return err ? err : (int)(domains + servers);
}

/* The plain servers that "bootstrap" begins with. */
static int add_lookup(struct groups *g, const struct options *o,
		      char text[GROUP_TEXT])
{
	struct sluice_addr a;
	size_t n = 0;
	int err;

	while (o->bootstrap[n] && !url_address(o->bootstrap[n], &a))
		n++;
	if (!n)
		return 0;
	err = add_group(g, o, o->bootstrap, n, text);
	if (!err)
		g->lookup = &g->v[g->n - 1];
	return err;
}

int groups_init(struct groups *g, const struct options *o,
		char text[GROUP_TEXT])
{
	size_t n = count(o->route);
	int took, err;

	memset(g, 0, sizeof(*g));
	g->v = calloc(GROUPS_MAX, sizeof(*g->v));
	g->routes = calloc(n + 1, sizeof(*g->routes));
	if (!g->v || !g->routes) {
		snprintf(text, GROUP_TEXT, "no memory");
		groups_fini(g);
		return -ENOMEM;
	}
	if (!o->server[0]) {
		snprintf(text, GROUP_TEXT, "server: there is none");
		groups_fini(g);
		return -EINVAL;
	}
	err = add_group(g, o, o->server, count(o->server), text);
	if (!err)
		err = add_lookup(g, o, text);
	for (size_t at = 0; !err && at < n; at += (size_t)took) {
		took = add_route(g, o, o->route + at, text);
		if (took < 0)
			err = took;
	}
	if (err)
		groups_fini(g);
	return err;
}

void groups_fini(struct groups *g)
{
	for (uint16_t i = 0; i < g->n; i++)
		servers_fini(&g->v[i].servers);
	free(g->v);
	free(g->routes);
	memset(g, 0, sizeof(*g));
}

/* Is name the domain, or below it?  A dot inside of a label has a backslash
 * before it. */
static bool is_below(const char *name, size_t len, const char *domain,
		     size_t domain_len)
{
	size_t at = len - domain_len, escapes = 0;

	if (len < domain_len || strcasecmp(name + at, domain) != 0)
		return false;
	if (!at)
		return true;
	if (name[--at] != '.')
		return false;
	while (at && name[--at] == '\\')
		escapes++;
	return escapes % 2 == 0;
}

struct group *groups_find(const struct groups *g, const char *name)
{
	size_t len = g->routes_n ? strlen(name) : 0, best = 0;
	uint16_t group = 0;

	for (size_t i = 0; i < g->routes_n; i++) {
		size_t n = strlen(g->routes[i].domain);

		if (n > best && is_below(name, len, g->routes[i].domain, n)) {
			best = n;
			group = g->routes[i].group;
		}
	}
	return &g->v[group];
}
