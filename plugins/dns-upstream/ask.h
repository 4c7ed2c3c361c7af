/* SPDX-License-Identifier: MIT */
/* ask.h - a question that servers are asked, and who waits for the answer */
#ifndef ASK_H
#define ASK_H

#include "upstream.h"

#define ASK_TRIES 2 /* at a time */
#define ASK_ECS   24

struct waiter {
	struct waiter *next;
	struct sluice_query *query;
};

struct ask {
	struct ask *same; /* in upstream.table, or free */
	TAILQ_ENTRY(ask) node;
	TAILQ_ENTRY(ask) stale_node;
	struct upstream *up;
	struct group *group;
	struct question question;
	struct waiter first, *waiters;
	struct try tries[ASK_TRIES];
	uint64_t end_ms, stale_ms; /* stale_ms 0: nothing stale is there */
	bool in_stale;             /* upstream.stale: not told yet */
	uint32_t tried, generation;
	struct server *lookup; /* whose addresses it asks for, or NULL */
	bool starting;         /* inside of the call that asks */
	bool alone;            /* nobody may join: not in the table, not kept */
	bool verbatim;         /* sent as it came, of its one waiter */
	bool bare;      /* without EDNS: a server did not understand it */
	bool prefetch;  /* nobody waited when it began */
	bool timed_out; /* a server of this round did not answer */
	uint8_t ecs_len;
	uint8_t ecs[ASK_ECS];
	char why[80]; /* the last failure, for the app's EDE */
	/* the best answer until now: cut, or an error */
	uint8_t *poor;
	size_t poor_len;
};

/* Ask for q, or join those who do; e: what is known and stale, or NULL; query
 * NULL: only to know it anew.  LATER, TAKE (it is answered already), or
 * -ENOMEM. */
int ask_begin(struct upstream *up, struct group *g, const struct question *q,
	      struct sluice_query *query, const struct msg *m,
	      const struct cache_entry *e);
/* Ask where a server is; lookup_end() tells of the end, unless it is
 * -ENOMEM. */
int ask_lookup(struct upstream *up, struct group *g, const struct question *q,
	       struct server *s);
/* What is too late, and what may be answered with old data. */
void ask_tick(struct upstream *up);
/* All tries again, in what is another network. */
void ask_again_all(struct upstream *up);
/* The end, without an answer, of all. */
void ask_stop(struct upstream *up);
void ask_free_all(struct upstream *up);

/* reply.c: the answer to all who wait (stripped, as it may be kept); false:
 * the core says that it is none. */
bool reply_all(struct ask *a, const struct msg_answer *answer);
/* The same for one query that is not held, from the cache. */
int reply_kept(struct upstream *up, struct sluice_query *q,
	       const struct cache_entry *e);
/* What is kept and stale to all who wait; false: there is nothing.  failed:
 * servers are not asked again at once. */
bool reply_stale(struct ask *a, bool failed);
void reply_failure(struct ask *a);
/* An answer that came (msg, which answer is of): kept, if it may be, with
 * TTLs as they are allowed to be. */
void reply_keep(struct ask *a, const struct msg_answer *answer, uint8_t *msg);

#endif
