/* SPDX-License-Identifier: MIT */
/* filter.c - questions: from the name to what is done about it
 *
 *	canary --> local records and rules --> special-use names --> types
 *	                                                        --> PASS
 *
 * The first that has something to say answers.  A rule that allows a name
 * skips what is special about it, but not what is said about types.
 */
#include "filter.h"

#include <string.h>

#define TYPE_A    1
#define TYPE_AAAA 28

enum { EDE_NONE = -1, EDE_FILTERED = 17 };

bool filter_has_prefix(const struct prefix *v, size_t n,
		       const struct sluice_addr *a)
{
	bool in = false;

	for (size_t i = 0; i < n; i++) {
		const struct prefix *p = &v[i];
		unsigned int bytes = p->bits / 8, rest = p->bits % 8;
		uint8_t mask = (uint8_t)(0xff << (8 - rest));

		if (p->family != a->family || memcmp(p->ip, a->ip, bytes) ||
		    (rest && (p->ip[bytes] ^ a->ip[bytes]) & mask))
			continue;
		if (p->not )
			return false;
		in = true;
	}
	return in;
}

bool filter_is_ours(const struct filter *f, const struct sluice_addr *app)
{
	return !f->n_source || filter_has_prefix(f->source, f->n_source, app);
}

static int answer_local(struct filter *f, struct sluice_query *q)
{
	static const struct sluice_addr local[2] = {
		{ .family = 4, .ip = { 127, 0, 0, 1 } },
		{ .family = 6, .ip = { [15] = 1 } },
	};
	struct sluice_reason why = { .size = sizeof(why),
				     .what = "special-use name" };
	int err;

	sluice_reason(q, &why);
	err = sluice_answer_addr(q, local, 2,
				 (uint32_t)(f->options->ttl / 1000));
	return err < 0 ? err : SLUICE_TAKE;
}

static int answer_special(struct filter *f, struct sluice_query *q,
			  enum special_kind kind)
{
	f->counts.special++;
	if (kind == SPECIAL_LOCAL)
		return answer_local(f, q);
	return answer_negative(f, q, true, EDE_NONE, "special-use name", NULL);
}

static int answer_canary(struct filter *f, struct sluice_query *q,
			 enum special_kind kind)
{
	f->counts.special++;
	return answer_negative(f, q, kind == SPECIAL_CANARY, EDE_FILTERED,
			       "canary name", NULL);
}

static bool is_type_blocked(const struct filter *f, uint16_t type)
{
	if (type == TYPE_AAAA && f->options->aaaa)
		return true;
	for (size_t i = 0; i < f->n_type; i++)
		if (f->type[i] == type)
			return true;
	return false;
}

int filter_query(void *self, struct sluice_query *q)
{
	const struct sluice_query_info *i = sluice_query_info(q);
	struct match m = { .rank = RANK_NONE };
	struct filter *f = self;
	enum special_kind kind;
	struct name n;
	int v;

	if (!filter_is_class(i->qclass) || !filter_is_ours(f, &i->app))
		return SLUICE_PASS;
	f->counts.queries++;
	if (name_split(&n, i->name)) {
		kind = special_find(&f->special, &n);
		if (kind == SPECIAL_CANARY || kind == SPECIAL_DDR)
			return answer_canary(f, q, kind);
		image_match(&f->image, &n, i->qtype, &m);
		if (m.rank) {
			v = answer_match(f, q, &m, m.pattern);
			if (v != SLUICE_PASS)
				return v;
		}
		if (kind != SPECIAL_NONE && !m.rank && f->options->special_use)
			return answer_special(f, q, kind);
	}
	if (is_type_blocked(f, i->qtype)) {
		f->counts.types++;
		return answer_negative(f, q, false, EDE_FILTERED,
				       "record type filtered", NULL);
	}
	return SLUICE_PASS;
}
