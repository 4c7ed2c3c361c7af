/* SPDX-License-Identifier: MIT */
/* filter.h - one instance of the filter, for the files that share it
 *
 *	name rule adblock zone records	text to rules
 *	lists build image store		rules to an image, kept in a file
 *	lookup regex			which rule matches
 *	special answer			what is said
 *	filter				questions
 *	message reply svcb		answers on their way back
 *	guard				flows
 *	reload				lists read again, by a thread
 */
#ifndef DNS_FILTER_FILTER_H
#define DNS_FILTER_FILTER_H

#include <pthread.h>
#include <stdatomic.h>

#include <sluice/plugin.h>

#include "lists.h"
#include "special.h"

struct options {
	const char *const *block, *const *allow, *const *rule;
	const char *const *records, *const *record, *const *resolvers;
	const char *const *address, *const *source, *const *block_type;
	const char *const *rebind_allow, *const *direct_allow;
	const char *cache;
	int64_t answer, ttl, plain, tld_rules, special_use, aaaa;
	int64_t rebind, ech, ipv4hint, ipv6hint, dot, doh, direct;
};

enum { DIRECT_OFF, DIRECT_LOG, DIRECT_NEW_FLOWS, DIRECT_STRICT };

struct prefix {
	uint8_t ip[16], family, bits;
	bool not ;
};

#define FILTER_PREFIXES 64
#define FILTER_ADDRS    16
#define FILTER_TYPES    32
#define FILTER_NAMES    256

struct filter_counts {
	uint64_t queries, blocked, allowed, records, special, types;
	uint64_t answers, cloaked, addresses, rebound, stripped;
	uint64_t flows_refused, flows_direct, reloads, reloads_failed;
};

struct filter {
	struct sluice_ctx *ctx;
	const struct options *options;
	struct image image; /* replaced as a whole, on the loop thread */
	struct special special;
	struct prefix source[FILTER_PREFIXES], direct[FILTER_PREFIXES];
	size_t n_source, n_direct;
	struct sluice_addr address[FILTER_ADDRS];
	size_t n_address;
	uint16_t type[FILTER_TYPES];
	size_t n_type;
	uint64_t rebind[FILTER_NAMES]; /* hashes: may be private, with all */
	size_t n_rebind;               /* that is below */
	uint8_t *scratch;              /* an answer being written anew */
	struct filter_counts counts;

	/* reload.c's */
	pthread_t thread;
	bool running, again;
	atomic_bool stop;
	struct image fresh; /* the thread's, until it is posted */
	int fresh_err;
	char fresh_text[256];
};

/* Is it about the internet's names?  A question for all classes is, too. */
static inline bool filter_is_class(uint16_t qclass)
{
	return qclass == 1 || qclass == 255;
}
/* Is it from one of our sources? */
bool filter_is_ours(const struct filter *f, const struct sluice_addr *app);
bool filter_has_prefix(const struct prefix *v, size_t n,
		       const struct sluice_addr *a);
/* Names and files of the options. */
int filter_lists(const struct filter *f, struct lists *l);
/* What the new image is, into the log. */
void filter_say_image(struct filter *f, const struct image *im, bool kept);

/* filter.c */
int filter_query(void *self, struct sluice_query *q);

/* answer.c: the verdict for what m says about the name found (NULL: the one
 * asked for); PASS if it allows. */
int answer_match(struct filter *f, struct sluice_query *q,
		 const struct match *m, const char *found);
/* "No such data", or nothing at all (nxdomain); ede -1: none. */
int answer_negative(struct filter *f, struct sluice_query *q, bool nxdomain,
		    int ede, const char *what, const char *detail);

/* reply.c */
int filter_reply(void *self, struct sluice_query *q, const uint8_t *msg,
		 size_t len);
/* svcb.c: msg without the parameters that are to go, in f->scratch; its
 * length, or 0: leave it as it is. */
size_t svcb_strip(struct filter *f, const uint8_t *msg, size_t len);
/* Is a parameter of that key to go? */
bool svcb_goes(const struct filter *f, uint16_t key);

/* guard.c */
extern const struct sluice_flow_ops guard_ops;

/* reload.c */
int reload_start(void *self, const void *options);
void reload_end(struct filter *f);

#endif
