/* SPDX-License-Identifier: MIT */
/* group.h - which servers a name is asked of */
#ifndef GROUP_H
#define GROUP_H

#include "servers.h"

#define GROUPS_MAX 64

struct group {
	struct servers servers;
	size_t asks_n; /* under way */
	uint16_t index;
};

struct groups {
	struct group *v; /* the first is for all names that no route takes */
	uint16_t n;
	struct group *lookup; /* who is asked for addresses of servers */
	struct route {
		const char *domain;
		uint16_t group;
	} * routes;
	size_t routes_n;
};

struct options;
/* As options say.  0, or -errno with the reason in text. */
#define GROUP_TEXT 256
int groups_init(struct groups *g, const struct options *o,
		char text[GROUP_TEXT]);
void groups_fini(struct groups *g);
/* For a name as queries have it: lower case, no final dot. */
struct group *groups_find(const struct groups *g, const char *name);

#endif
