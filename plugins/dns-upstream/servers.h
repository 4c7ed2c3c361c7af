/* SPDX-License-Identifier: MIT */
/* servers.h - the servers that questions of one group go to */
#ifndef SERVERS_H
#define SERVERS_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <time.h>

#include "url.h"

#define SERVERS_MAX 16 /* tried ones are bits of an uint32_t */

struct udp;
struct stream;
LIST_HEAD(stream_list, stream);

struct server {
	struct url url;
	struct sluice_addr addrs[URL_ADDRS]; /* as written, or looked up */
	uint8_t addrs_n;                     /* 0: not known yet */
	uint8_t at;                          /* the one in use */
	uint32_t refs;       /* lists it is in, tries and connections */
	bool failed;         /* the last we know of it */
	uint64_t ok_ms;      /* when it last answered */
	uint64_t down_until; /* skipped until then, if others are not */
	/* of one with a name: what lookup.c knows and is told */
	struct sluice_addr found[URL_ADDRS];
	uint64_t known_until, found_ms;
	uint8_t lookups, found_n;
	struct udp *udp;            /* what new questions go out by */
	struct stream_list streams; /* of all that are there */
	void *session;              /* of TLS, to resume */
	void (*session_free)(void *);
};

struct servers {
	struct server *v[SERVERS_MAX];
	uint32_t n;
	uint32_t generation; /* of v; another one: indexes mean nothing */
	const char *const *words;
	size_t words_n;
	const char *const *pins; /* names and their addresses */
	const char *path;        /* of resolv.conf */
	bool system;             /* it is among the words */
	bool lost;               /* there was no memory for one */
	uint64_t checked_ms;
	struct timespec mtime;
	ino_t inode;
	off_t size;
};

/* The list as configured; the words stay the caller's, "system" stands for
 * the servers of the resolv.conf at path, pins for what is known of names
 * ("dns.example 192.0.2.1 ...", and before that plain servers that know
 * others).  NULL, or what is wrong with *bad. */
const char *servers_init(struct servers *s, const char *const *words,
			 size_t words_n, const char *const *pins,
			 const char *path, const char **bad);
void servers_fini(struct servers *s);
/* Has resolv.conf changed?  Looks once a second.  True: a new list, in which
 * servers that stay are the same. */
bool servers_refresh(struct servers *s, uint64_t now);

/* The next to ask that is no bit of tried: one that works if there is, else
 * any.  -1: all were tried. */
int servers_pick(const struct servers *s, uint32_t tried);
bool servers_all_down(const struct servers *s);
/* One that is down and whose time has come to be tried beside another; others
 * will not for a while.  -1: none. */
int servers_probe(struct servers *s, uint32_t tried, uint64_t now);

struct server *server_get(struct server *s);
void server_put(struct server *s);
static inline const struct sluice_addr *server_addr(const struct server *s)
{
	return &s->addrs[s->at];
}
/* How asking it ended; began: when that was.  True: that is news. */
bool server_worked(struct server *s, uint64_t now);
bool server_failed(struct server *s, uint64_t began, uint64_t now);
/* Another network: what was known does not hold. */
void servers_forgive(struct servers *s);

#endif
