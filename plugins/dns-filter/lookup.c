/* SPDX-License-Identifier: MIT */
/* lookup.c - which rule a name or an address matches best
 *
 * All buckets that a name leads to are fetched before the first is looked
 * into, so that their cache misses are one.  What a list can do to make this
 * slow is bounded: a bucket is searched by halves, and patterns are few.
 */
#include <string.h>

#include "image.h"
#include "regex.h"

#define AHEAD 16u /* suffixes fetched at once; longer names in turns */

struct entry {
	uint16_t flags;
	uint32_t list, line;
};

static uint64_t entry_print(const struct image_entry *e)
{
	return (uint64_t)e->w[0] << 16 | e->w[1] >> 16;
}

static void entry_read(const struct image_entry *e, struct entry *out)
{
	uint64_t rest = (uint64_t)(e->w[1] & 0xffff) << 32 | e->w[2];

	out->flags = (uint16_t)(rest >> 36 & 0xfff);
	out->list = rest >> 26 & 0x3ff;
	out->line = rest & 0x3ffffff;
}

static uint8_t rank_of(const struct image *im, uint32_t list, uint16_t flags)
{
	uint8_t rank = RANK_BLOCK;

	if (im->lists[list].flags & LIST_RECORDS)
		return RANK_RECORD;
	if (im->lists[list].flags & LIST_INLINE)
		rank = RANK_BLOCK_INLINE;
	else if (flags & RULE_IMPORTANT)
		rank = RANK_BLOCK_IMPORTANT;
	return flags & RULE_ALLOW ? rank + 1 : rank;
}

static void take(const struct image *im, struct match *m, uint8_t rank,
		 uint8_t answer, uint32_t list, uint32_t line)
{
	m->rank = rank;
	m->answer = answer == ANSWER_LIST ? im->lists[list].answer : answer;
	m->list = list;
	m->line = line;
	m->entry = 0;
	m->flags = 0;
	m->pattern = NULL;
}

/* The first extra of an entry. */
static uint32_t extra_first(const struct image *im, uint32_t entry)
{
	uint32_t lo = 0, hi = im->head->extras;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (im->extras[mid].entry < entry)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool has_type(const struct image *im, const struct image_extra *x,
		     uint16_t type)
{
	uint16_t t;

	for (uint32_t i = 0; i + sizeof(t) <= x->len; i += sizeof(t)) {
		memcpy(&t, im->blob + x->off + i, sizeof(t));
		if (t == type)
			return true;
	}
	return false;
}

static bool is_denied(const struct image *im, const struct image_extra *x,
		      const struct name *n)
{
	uint64_t h;

	for (uint32_t i = 0; i + sizeof(h) <= x->len; i += sizeof(h)) {
		memcpy(&h, im->blob + x->off + i, sizeof(h));
		for (unsigned int s = 0; s < n->n; s++)
			if (n->hash[s] == h)
				return true;
	}
	return false;
}

/* Do the conditions of an entry hold? */
static bool extras_hold(const struct image *im, uint32_t entry,
			const struct name *n, uint16_t type,
			const char **pattern)
{
	uint32_t i = extra_first(im, entry);

	for (; i < im->head->extras && im->extras[i].entry == entry; i++) {
		const struct image_extra *x = &im->extras[i];

		if (x->kind == EXTRA_TYPES && !has_type(im, x, type))
			return false;
		if (x->kind == EXTRA_NOT_TYPES && has_type(im, x, type))
			return false;
		if (x->kind == EXTRA_DENY && is_denied(im, x, n))
			return false;
		if (x->kind != EXTRA_GLOB)
			continue;
		*pattern = im->blob + x->off;
		if (!name_matches(n, *pattern, x->arg))
			return false;
	}
	return true;
}

static void look_at(const struct image *im, uint32_t at, const struct name *n,
		    unsigned int suffix, uint16_t type, struct match *m)
{
	const char *pattern = NULL;
	struct entry e;
	uint8_t rank;

	entry_read(&im->entries[at], &e);
	if (!(e.flags & (suffix ? RULE_BELOW : RULE_SELF)) ||
	    e.list >= im->head->lists)
		return;
	rank = rank_of(im, e.list, e.flags);
	if (rank <= m->rank)
		return;
	if (e.flags & IMAGE_EXTRA && !extras_hold(im, at, n, type, &pattern))
		return;
	take(im, m, rank, IMAGE_ANSWER(e.flags), e.list, e.line);
	m->entry = at;
	m->flags = e.flags;
	m->pattern = pattern;
}

static uint64_t print_of(const struct image *im, uint64_t hash)
{
	return hash << im->head->bits >> 16;
}

static uint32_t bucket_of(const struct image *im, uint64_t hash)
{
	return im->head->bits ? (uint32_t)(hash >> (64 - im->head->bits)) : 0;
}

static void look_up(const struct image *im, const struct name *n,
		    unsigned int suffix, uint16_t type, struct match *m)
{
	uint64_t hash = n->hash[suffix], print = print_of(im, hash);
	uint32_t bucket = bucket_of(im, hash);
	uint32_t lo = im->index[bucket], end = im->index[bucket + 1];
	uint32_t hi = end;

	while (hi - lo > 8) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (entry_print(&im->entries[mid]) < print)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < end; lo++) {
		uint64_t p = entry_print(&im->entries[lo]);

		if (p > print)
			return;
		if (p == print)
			look_at(im, lo, n, suffix, type, m);
	}
}

static void match_patterns(const struct image *im, const struct name *n,
			   struct match *m)
{
	for (uint32_t i = 0; i < im->head->patterns; i++) {
		const struct image_pattern *p = &im->patterns[i];
		uint8_t rank = rank_of(im, p->list, p->flags);
		const char *text = im->blob + p->off;

		if (rank <= m->rank)
			continue;
		if (p->kind == RULE_GLOB ?
			    !name_matches(n, text, p->flags & RULE_BELOW) :
			    !regexes_match(im->regexes, i, n->text))
			continue;
		take(im, m, rank, ANSWER_LIST, p->list, p->line);
		m->pattern = text;
	}
}

void image_match(const struct image *im, const struct name *n, uint16_t type,
		 struct match *m)
{
	for (unsigned int from = 0; from < n->n; from += AHEAD) {
		unsigned int to = n->n - from < AHEAD ? n->n : from + AHEAD;

		for (unsigned int i = from; i < to; i++)
			__builtin_prefetch(
				&im->index[bucket_of(im, n->hash[i])]);
		for (unsigned int i = from; i < to; i++)
			__builtin_prefetch(&im->entries[im->index[bucket_of(
				im, n->hash[i])]]);
		for (unsigned int i = from; i < to; i++)
			look_up(im, n, i, type, m);
	}
	if (im->head->patterns)
		match_patterns(im, n, m);
}

/* The shortest prefixes come first: the longest that is found wins. */
void image_match_addr(const struct image *im, const uint8_t *ip, int family,
		      bool resolvers, struct match *m)
{
	const uint32_t *at = im->addr_at[family == 6];
	int bits = family == 6 ? 128 : 32;

	for (int prefix = bits; prefix >= 0; prefix--) {
		uint32_t lo = at[prefix], hi = at[prefix + 1];
		uint8_t masked[16] = { 0 };

		if (lo == hi)
			continue;
		memcpy(masked, ip, (size_t)prefix / 8);
		if (prefix % 8)
			masked[prefix / 8] =
				ip[prefix / 8] &
				(uint8_t)(0xff << (8 - prefix % 8));
		while (lo < hi) {
			uint32_t mid = lo + (hi - lo) / 2;

			if (memcmp(im->addrs[mid].ip, masked, 16) < 0)
				lo = mid + 1;
			else
				hi = mid;
		}
		for (; lo < at[prefix + 1]; lo++) {
			const struct image_addr *a = &im->addrs[lo];
			uint8_t rank;

			if (memcmp(a->ip, masked, 16))
				break;
			if (resolvers !=
			    !!(im->lists[a->list].flags & LIST_RESOLVERS))
				continue;
			rank = rank_of(im, a->list, a->flags);
			if (rank > m->rank)
				take(im, m, rank, a->answer, a->list, a->line);
		}
	}
}

bool image_data(const struct image *im, const struct match *m, uint16_t type,
		uint32_t *at, uint16_t *got, const uint8_t **data,
		uint32_t *len)
{
	const struct image_entry *first = &im->entries[m->entry];
	uint64_t print = entry_print(first);

	/* All records of the owner in that list are entries of the same
	 * name. */
	for (; m->entry + *at < im->head->entries; ++*at) {
		uint32_t i = m->entry + *at, x;
		struct entry e;

		if (entry_print(&im->entries[i]) != print)
			return false;
		entry_read(&im->entries[i], &e);
		if (e.list != m->list || e.flags != m->flags)
			continue;
		for (x = extra_first(im, i);
		     x < im->head->extras && im->extras[x].entry == i; x++) {
			const struct image_extra *d = &im->extras[x];

			if (d->kind != EXTRA_DATA ||
			    (d->arg != type && d->arg != 5))
				continue;
			*got = d->arg;
			*data = (const uint8_t *)im->blob + d->off;
			*len = d->len;
			++*at;
			return true;
		}
	}
	return false;
}
