/* SPDX-License-Identifier: MIT */
/* servers.h - the servers of dns-upstream, and which to ask next */
#ifndef SERVERS_H
#define SERVERS_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include <sluice/plugin.h>

#define SERVERS_MAX 16 /* tried ones are bits of an uint32_t */

struct server {
	struct sluice_addr addr;
	uint8_t proto;       /* SLUICE_UDP or SLUICE_TCP */
	bool failed;         /* the last we know of it */
	uint64_t ok_ms;      /* when it last answered */
	uint64_t down_until; /* skipped until then, if others are not */
};

struct servers {
	struct server v[SERVERS_MAX];
	uint32_t n;
	uint32_t generation; /* of v; another one: indexes mean nothing */
	const char *const *words;
	const char *path; /* of resolv.conf */
	bool system;      /* path is among the words */
	uint64_t checked_ms;
	struct timespec mtime;
	ino_t inode;
	off_t size;
};

/* "1.2.3.4", "udp://1.2.3.4:53", "tcp://[::1]:5354", "fe80::1%eth0" into s.
 * NULL, or what is wrong with it. */
const char *server_parse(const char *word, struct server *s);

/* The list as configured; the words stay the caller's.  NULL, or what is
 * wrong with *bad. */
const char *servers_init(struct servers *s, const char *const *words,
			 const char *path, const char **bad);
/* Has resolv.conf changed?  Looks once a second.  True: a new list. */
bool servers_refresh(struct servers *s, uint64_t now);

/* The next to ask that is no bit of tried: one that works if there is, else
 * any.  -1: all were tried. */
int servers_pick(struct servers *s, uint32_t tried, uint64_t now);
/* How asking it ended; began: when that was.  True: that is news. */
bool server_worked(struct server *s, uint64_t now);
bool server_failed(struct server *s, uint64_t began, uint64_t now);

#define SERVER_TEXT 80
char *server_text(const struct server *s, char buf[SERVER_TEXT]);

#endif
