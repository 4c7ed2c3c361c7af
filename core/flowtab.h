/* SPDX-License-Identifier: MIT */
/* flowtab.h - which flow is this packet's?
 *
 * A hash table with a keyed hash (the app chooses the numbers), grown in
 * small steps so that no packet pays for all flows.  A second, of fixed size,
 * knows the flows by their ids: plugins name them so.
 */
#ifndef CORE_FLOWTAB_H
#define CORE_FLOWTAB_H

#include <sluice/plugin.h>

#include "util.h"

struct flow;

struct flow_key {
	uint8_t proto, family;
	uint16_t sport, dport;    /* host order */
	uint8_t src[16], dst[16]; /* unused bytes are zero */
	uint8_t pad[2];
};
_Static_assert(sizeof(struct flow_key) == 40, "hashed as bytes: no holes");

struct flowtab {
	uint64_t secret[2];
	struct flow **bucket, **old; /* old: while it is being grown */
	uint32_t mask, old_mask, moved;
	uint32_t count;
	struct flow **by_id;
};

/* dst NULL: keyed by source alone (UDP endpoint-independent, ping). */
void flow_key_set(struct flow_key *k, uint8_t proto,
		  const struct sluice_addr *src, const struct sluice_addr *dst);

int flowtab_init(struct flowtab *t);
void flowtab_fini(struct flowtab *t);
struct flow *flowtab_find(struct flowtab *t, const struct flow_key *k);
int flowtab_add(struct flowtab *t, struct flow *f); /* by f->key */
void flowtab_del(struct flowtab *t, struct flow *f);

/* By f->info.id, which is one more for each flow. */
void flowtab_id_add(struct flowtab *t, struct flow *f);
void flowtab_id_del(struct flowtab *t, struct flow *f);
struct flow *flowtab_by_id(const struct flowtab *t, uint64_t id);

#endif
