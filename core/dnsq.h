/* SPDX-License-Identifier: MIT */
/* dnsq.h - one DNS query, for the files that share it
 *
 *	dns.c		the door for UDP, the table, the limits
 *	dnsq.c		a query: down the chain, waiting, back up
 *	dnsapi.c	what plugins may do with one
 *	dnsfollow.c	a query under another name
 *	dnsask.c	asking a server ourselves
 *	dnstcp.c	the door for TCP
 */
#ifndef CORE_DNSQ_H
#define CORE_DNSQ_H

#include <pthread.h>

#include "dial.h"
#include "dns.h"
#include "dnsmsg.h"
#include "pool.h"
#include "tcp.h"

struct dns_ask;
struct dns_follow;
struct dns_conn;

enum dnsq_state {
	DNSQ_CHAIN, /* plugins are being asked */
	DNSQ_HELD,  /* one of them answered LATER */
	DNSQ_ASKED, /* we ask a server */
	DNSQ_BACK,  /* plugins see the answer */
	DNSQ_TOLD,  /* over; only its holder has not let go */
};

struct dnsq_bytes {
	uint8_t *p;
	uint32_t len;
};

struct dnsq {
	struct sluice_query pub; /* first: what plugins hold */
	struct list node;        /* in dns.all */
	struct dnsq *same;       /* same bucket */
	struct dns *dns;
	struct dns_conn *conn; /* it came by, if by TCP and still there */
	struct list conn_node;
	struct instance *holder; /* who is asked, holds or answered it */
	uint32_t at;             /* its place in the chain */
	uint8_t state;           /* enum dnsq_state */
	bool hashed, heap;       /* heap: msg is on it */
	struct timer timer;
	struct dns_ask *ask;
	uint64_t born;
	struct list resolved; /* under dns.lock, with verdict */
	int verdict;
	struct dnsmsg m;
	struct sluice_query_info info;
	const char *asked;           /* the name that the app asked for */
	struct dns_follow *followed; /* info is another question */
	struct dnsq_bytes reply;     /* what goes to the app, as of now */
	struct dnsq_bytes next;      /* what a plugin just answered */
	uint8_t in[544];             /* message and name, if they fit */
	uint8_t out[DNSMSG_EDNS];    /* reply or next, if it fits */
	char reason[160];            /* of a plugin, for observers */
};

struct dns {
	struct gateway *gw;
	struct tcp_service service;
	bool on;        /* there is a chain */
	bool watched;   /* an observer wants to know */
	uint32_t limit; /* queries waiting */
	struct pool queries, asks;
	struct list all;     /* oldest first */
	struct dnsq **table; /* by UDP question, to know repeats */
	uint32_t mask;
	uint64_t key[2];
	uint64_t next_id;
	pthread_t thread; /* of the loop, once a query was seen */
	bool has_thread;
	pthread_mutex_t lock;
	struct list resolved; /* by plugins, any thread */
	bool woken, posted, gone;
	struct loop_work drain;
	uint8_t scratch[DNSMSG_MAX + 1]; /* one answer being read */
};

extern const struct sluice_query_api dnsq_api;

/* A question of an app, by UDP (conn NULL) or TCP. */
void dnsq_up(struct dns *d, const struct sluice_addr *app,
	     const struct sluice_addr *server, int32_t uid,
	     struct dns_conn *conn, const uint8_t *msg, size_t len);

/* dns.c: the table of questions that came by UDP. */
struct dnsq *dns_find(struct dns *d, const struct dnsq *like);
void dns_hash(struct dns *d, struct dnsq *q);
void dns_unhash(struct dns *d, struct dnsq *q);
/* An answer to whoever asked. */
void dns_down(struct dns *d, const struct sluice_addr *app,
	      const struct sluice_addr *server, struct dns_conn *conn,
	      uint8_t *msg, uint32_t len);
/* Somebody resolved a query (any thread); what was resolved goes on. */
void dns_resolved(struct dns *d, struct dnsq *q, int verdict);
void dns_drain(struct dns *d);

/* Put an answer into q->next.  Any thread that may answer.  0, -EBADMSG,
 * -ENOMEM. */
int dnsq_answer(struct dnsq *q, const void *msg, size_t len);
int dnsq_make(struct dnsq *q, const struct dnsmsg_answer *a);
/* Of the loop: the verdict of its holder; the end of our own asking, with an
 * answer in q->next or without; its connection is gone; all is over. */
void dnsq_verdict(struct dnsq *q, int verdict);
void dnsq_answered(struct dnsq *q);
void dnsq_failed(struct dnsq *q, int ede);
void dnsq_orphan(struct dnsq *q);
void dnsq_free(struct dnsq *q);

/* b is p from now on; what it was is freed. */
void dnsq_bytes_set(struct dnsq *q, struct dnsq_bytes *b, uint8_t *p,
		    size_t len);

/* dnsfollow.c: go on with the name that these records lead to.  0, -EINVAL,
 * -ELOOP, -ENOMEM. */
int dnsfollow_start(struct dnsq *q, const struct dnsmsg_chain *c);
/* Undo what the plugins at this place and after it did, and put their records
 * into the reply.  0, -EBADMSG, -ENOMEM. */
int dnsfollow_end(struct dnsq *q, uint32_t at, struct dnsq_bytes *reply);
void dnsfollow_free(struct dnsq *q);
/* The question as the app asked it. */
void dnsfollow_first(const struct dnsq *q,
		     const struct sluice_query_info **info,
		     const struct dnsmsg **m);

void dnsask_init(struct dns *d);
/* dnsask.c: ask a server (NULL: the one the app asked) over what the query
 * came by.  0 and it ends in dnsq_answered() or dnsq_failed(), or -errno. */
int dnsask_start(struct dnsq *q, const struct sluice_addr *server);
void dnsask_again(struct dnsq *q); /* the app asked again */
void dnsask_cancel(struct dnsq *q);

/* dnstcp.c */
extern const struct sluice_flow_ops dnstcp_ops;
void dnstcp_down(struct dns_conn *c, const uint8_t *msg, uint32_t len);
void dnstcp_add(struct dns_conn *c, struct dnsq *q);
void dnstcp_remove(struct dns_conn *c, struct dnsq *q);

#endif
