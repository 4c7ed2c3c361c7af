/* SPDX-License-Identifier: MIT */
/* flow.h - one connection or session, whatever its protocol
 *
 *	NEW --open()--> OPEN                            (TAKE)
 *	 |  \--LATER/MORE--> WAIT --resolve()--> OPEN
 *	 |                    |                   |
 *	 +-------- DROP ------+--- end, abort ----+--> DEAD --end of turn--> gone
 *
 * flow.c walks the chain, keeps the limits, the idle times and the observers,
 * and frees at the end of the turn.  What a verdict means for the packets is
 * the protocol's: struct flow_type.
 */
#ifndef CORE_FLOW_H
#define CORE_FLOW_H

#include <sluice/plugin.h>

#include "chain.h"
#include "dial.h"
#include "flowtab.h"
#include "loop.h"
#include "share.h"

struct gateway;
struct packet;

enum flow_state { FLOW_NEW, FLOW_WAIT, FLOW_OPEN, FLOW_DEAD };

struct flow_type {
	uint8_t proto;
	enum chain_class chain;
	uint32_t wants; /* SLUICE_FLOW_* a plugin must have to be
				   offered such a flow; 0: none is, the flow
				   is accepted */
	size_t size;    /* of the whole struct */
	/* The chain said TAKE (or connect succeeded): answer the app. */
	void (*accept)(struct flow *f);
	/* MORE: let bytes in, call flow_open_again() when there are some. */
	int (*more)(struct flow *f);
	/* Never accepted, or cut off: tell the app why (RST, ICMP).  e has the
	 * details of a failed dial, or NULL. */
	void (*refuse)(struct flow *f, int why, const struct dial_error *e);
	/* Move all bytes between the flow and fd from now on; owns fd.  0 or
	 * -errno (fd is closed). */
	int (*relay)(struct flow *f, int fd);
	/* Give back all that is the protocol's; the flow is freed after it. */
	void (*destroy)(struct flow *f);
	/* The data functions of plugins; NULL where they make no sense. */
	const struct sluice_flow_api *api;
};

/* In the order of use: the first 64 bytes find the flow, the next are what
 * each packet changes. */
struct flow {
	struct sluice_flow pub; /* first: what plugins hold */
	struct flow *hash_next;
	struct flow_key key;
	struct gateway *gw;

	struct sluice_flow_stats stats;
	uint8_t state;     /* enum flow_state */
	uint8_t why;       /* of its end */
	uint8_t ttl, tos;  /* for struct dial_ask */
	uint16_t chain_at; /* its place in the chain */
	uint8_t paid;      /* whose budget of fresh flows it is on */
	bool answered : 1; /* by the net, or TCP's app: not fresh */
	bool asking : 1;   /* inside open() */
	bool relayed : 1, told : 1, half : 1;
	bool more : 1; /* held by MORE */

	struct list lru; /* longest idle first, by kind */
	struct share_place place;
	uint32_t lru_ms; /* when it was last moved there */
	int relay_fd;    /* given inside open(); -1 */
	const struct flow_type *type;
	struct instance *holder; /* who answered TAKE, LATER or MORE */
	const char *by;          /* who decided last, for observers */
	void *plug;              /* its flow_size bytes */
	struct dial *dial;
	struct flow *id_next;
	union {
		struct timer idle;
		struct loop_work end; /* DEAD */
	};
	uint32_t idle_ms, half_ms;
	struct sluice_connect how;
	struct sluice_flow_info info;
};

/* A new flow, keyed and in the table, state NEW.  dst is in key too unless
 * by_source.  0, and the caller goes on with flow_open(); -EAGAIN: say
 * nothing, the app will ask again; or another -errno, then the caller tells
 * the app (counted, all of them). */
int flow_new(struct gateway *gw, const struct flow_type *type,
	     const struct sluice_addr *src, const struct sluice_addr *dst,
	     bool by_source, struct flow **out);
/* Ask the chain (again, from where it is).  Ends in accept, refuse or wait;
 * the flow may be DEAD when it returns. */
void flow_open(struct flow *f);
/* After MORE: bytes are there (or the app closed its side). */
void flow_open_again(struct flow *f);

/* The flow is over: no packet finds it any more, its holder gets close() and
 * it is freed at the end of the turn.  Says nothing to the app. */
void flow_end(struct flow *f, int why);
/* As flow_end(), and the app is told (type->refuse). */
void flow_refuse(struct flow *f, int why, const struct dial_error *e);

/* Something moved: at most a store, and once a second it moves in its lists.
 * Where down_pkts is counted, the net has answered with the first. */
void flow_touch(struct flow *f);
/* One direction is closed: half_ms counts from now on. */
void flow_half(struct flow *f);

/* Calls into the holder, timed; they do nothing once it was relayed. */
void flow_readable(struct flow *f);
void flow_writable(struct flow *f);
void flow_eof(struct flow *f);

/* For flow_api.c: steps of the picture above. */
#define FLOW_WAIT_MS 30000                   /* LATER without an answer */
void flow_hold(struct flow *f, uint32_t ms); /* WAIT, and no longer */
void flow_accept(struct flow *f);            /* OPEN: answer the app */
void flow_taken(struct flow *f);    /* OPEN, and relay what was given */
void flow_let_go(struct flow *f);   /* its holder is out of it */
void flow_set_idle(struct flow *f); /* after a change of its limits */

/* Its GATEWAY_LRU_*: of those it shares a limit with. */
int flow_kind(const struct flow_type *type);

static inline struct flow *flow_of(struct sluice_flow *p)
{
	return (struct flow *)p;
}

/* The public functions every protocol shares: its api table is these plus its
 * own data functions. */
const struct sluice_flow_info *flow_api_info(struct sluice_flow *);
const struct sluice_flow_stats *flow_api_stats(struct sluice_flow *);
void *flow_api_state(struct sluice_flow *);
int flow_api_resolve(struct sluice_flow *, int verdict, int why);
int flow_api_relay(struct sluice_flow *, int fd, uint32_t flags);
int flow_api_connect(struct sluice_flow *, const struct sluice_addr *to,
		     const struct sluice_connect *how);
void flow_api_abort(struct sluice_flow *, int why);
void flow_api_idle_after(struct sluice_flow *, uint32_t ms);
void flow_api_half_after(struct sluice_flow *, uint32_t ms);
#define FLOW_API_COMMON                                                \
	.size = sizeof(struct sluice_flow_api), .info = flow_api_info, \
	.stats = flow_api_stats, .state = flow_api_state,              \
	.resolve = flow_api_resolve, .relay = flow_api_relay,          \
	.connect = flow_api_connect, .abort = flow_api_abort,          \
	.idle_after = flow_api_idle_after, .half_after = flow_api_half_after
/* Data functions that do nothing, for the other protocol's calls. */
size_t flow_api_no_peek(struct sluice_flow *, struct iovec *, size_t *n);
void flow_api_no_len(struct sluice_flow *, size_t);
size_t flow_api_no_send(struct sluice_flow *, const void *, size_t);
size_t flow_api_no_ref(struct sluice_flow *, const struct iovec *, size_t,
		       void (*)(void *), void *);
size_t flow_api_no_dgrams(struct sluice_flow *, struct sluice_dgram *, size_t);
size_t flow_api_no_dgrams_send(struct sluice_flow *,
			       const struct sluice_dgram *, size_t);
void flow_api_no_shut(struct sluice_flow *);
void flow_api_no_peers(struct sluice_flow *, uint32_t, uint32_t);

/* "flow 1742 10.7.0.2:40112 > 93.184.216.34:443 (example.org)" into buf
 * (FLOW_TEXT); the name only if it is known, and cut to FLOW_NAME. */
#define FLOW_TEXT 448
#define FLOW_NAME 253
char *flow_text(const struct flow *f, char *buf);

/* All flows: for shutdown. */
void flow_each(struct gateway *gw, void (*fn)(void *arg, struct flow *f),
	       void *arg);
/* The one that has not ended. */
struct flow *flow_by_id(struct gateway *gw, uint64_t id);

/* errno of a dial or socket to SLUICE_WHY_*. */
int flow_why(int err);

#endif
