/* SPDX-License-Identifier: MIT */
/* dns-filter.c - rules about names: an instance, its options, its life
 *
 * dns-filter(5) says what each option does.  All lists are compiled before
 * the gateway is ready, and a list that cannot be read ends the start: a
 * network without its filter is worse than none.  Later it is a message, and
 * the rules stay as they were (reload.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "store.h"

#define SCRATCH 65535u /* the largest answer */

static const struct {
	const char *name;
	size_t at;
} counted[] = {
#define COUNT(n)                                      \
	{                                             \
#n, offsetof(struct filter_counts, n) \
	}
	COUNT(queries),      COUNT(blocked),  COUNT(allowed),
	COUNT(records),      COUNT(special),  COUNT(types),
	COUNT(answers),      COUNT(cloaked),  COUNT(addresses),
	COUNT(rebound),      COUNT(stripped), COUNT(flows_refused),
	COUNT(flows_direct), COUNT(reloads),  COUNT(reloads_failed),
};

#define COUNTED (sizeof(counted) / sizeof(*counted))

struct instance {
	struct filter f; /* first */
	struct sluice_counter table[COUNTED + 1];
};

/* ------------------------------------------------------------------- lists */

static enum answer preset_answer(const struct options *o)
{
	static const enum answer answers[] = {
		ANSWER_NXDOMAIN, ANSWER_NODATA, ANSWER_ZERO,
		ANSWER_REFUSED,  ANSWER_DROP,   ANSWER_ADDRESS,
	};

	return answers[o->answer];
}

int filter_lists(const struct filter *f, struct lists *l)
{
	const struct options *o = f->options;
	enum answer preset = preset_answer(o);
	int err;

	l->tld = o->tld_rules;
	l->plain_below = o->plain;
	err = lists_inline(l, "record", o->record, ANSWER_NODATA, LIST_RECORDS);
	if (!err)
		err = lists_find(l, o->records, ANSWER_NODATA, LIST_RECORDS);
	if (!err)
		err = lists_inline(l, "rule", o->rule, preset, 0);
	if (!err)
		err = lists_find(l, o->allow, preset, LIST_ALLOW);
	if (!err)
		err = lists_find(l, o->block, preset, 0);
	if (!err)
		err = lists_find(l, o->resolvers, preset, LIST_RESOLVERS);
	return err;
}

void filter_say_image(struct filter *f, const struct image *im, bool kept)
{
	const struct image_head *h = im->head;

	if (!h->lists)
		return;
	sluice_log(f->ctx, 6,
		   "%u rules of %u lists, %u said twice, %zu bytes%s", h->rules,
		   h->lists, h->same, im->size,
		   kept ? ", compiled before" : "");
	for (uint32_t i = 0; i < h->bad; i++)
		sluice_log(f->ctx, 4, "%s:%u: not used: %s",
			   image_path(im, im->bad[i].list), im->bad[i].line,
			   rule_why_text((enum rule_why)im->bad[i].why));
	for (uint32_t i = 0; i < h->lists; i++)
		if (im->lists[i].refused > IMAGE_BAD)
			sluice_log(f->ctx, 4,
				   "%s: %u lines of %u not used, of which the "
				   "first %u are named",
				   image_path(im, i), im->lists[i].refused,
				   im->lists[i].lines, IMAGE_BAD);
}

/* Mistakes of our own configuration are not like those of a list that
 * somebody else wrote: they end the start. */
static int check_inline(struct filter *f)
{
	const struct image *im = &f->image;

	for (uint32_t i = 0; i < im->head->bad; i++) {
		const struct image_bad *b = &im->bad[i];
		const char *const *words;

		if (!(im->lists[b->list].flags & LIST_INLINE))
			continue;
		words = im->lists[b->list].flags & LIST_RECORDS ?
				f->options->record :
				f->options->rule;
		return sluice_fail(f->ctx, EINVAL, "%s: %s: %s",
				   image_path(im, b->list), words[b->line - 1],
				   rule_why_text((enum rule_why)b->why));
	}
	return 0;
}

static int load(struct filter *f)
{
	struct lists l = { .n = 0 };
	bool kept = false;
	int err = filter_lists(f, &l);

	if (!err)
		err = store_image(&l, f->options->cache, &f->image, NULL,
				  &kept);
	if (err)
		err = sluice_fail(f->ctx, -err, "%s", l.error);
	lists_fini(&l);
	if (err)
		return err;
	filter_say_image(f, &f->image, kept);
	return check_inline(f);
}

/* ----------------------------------------------------------------- options */

static int read_prefixes(struct filter *f, const char *key,
			 const char *const *words, struct prefix *v, size_t *n)
{
	for (; *words; words++) {
		struct prefix p = { .not = **words == '!' };

		if (*n == FILTER_PREFIXES)
			return sluice_fail(f->ctx, E2BIG,
					   "%s: more than %d prefixes", key,
					   FILTER_PREFIXES);
		if (!rule_prefix(*words + p.not, p.ip, &p.family, &p.bits))
			return sluice_fail(f->ctx, EINVAL,
					   "%s: %s is no prefix like "
					   "10.0.0.0/24, fd00::/8 or "
					   "!10.0.0.7",
					   key, *words);
		v[(*n)++] = p;
	}
	return 0;
}

/* "!10.0.0.7" alone means all others. */
static bool only_excludes(const struct prefix *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!v[i].not )
			return false;
	return n;
}

static int read_source(struct filter *f)
{
	int err = read_prefixes(f, "source", f->options->source, f->source,
				&f->n_source);

	if (err || !only_excludes(f->source, f->n_source))
		return err;
	if (f->n_source > FILTER_PREFIXES - 2)
		return sluice_fail(f->ctx, E2BIG, "source: too many prefixes");
	f->source[f->n_source++] = (struct prefix){ .family = 4 };
	f->source[f->n_source++] = (struct prefix){ .family = 6 };
	return 0;
}

static int read_addresses(struct filter *f)
{
	const char *const *w = f->options->address;

	for (; *w; w++) {
		struct sluice_addr a = { .family = 0 };
		uint8_t prefix;

		if (strchr(*w, '/') ||
		    !rule_prefix(*w, a.ip, &a.family, &prefix))
			return sluice_fail(f->ctx, EINVAL,
					   "address: %s is no address", *w);
		if (f->n_address == FILTER_ADDRS)
			return sluice_fail(f->ctx, E2BIG,
					   "address: more than %d",
					   FILTER_ADDRS);
		f->address[f->n_address++] = a;
	}
	for (w = f->options->block; *w && !f->n_address; w++)
		if (!strncmp(*w, "address:", 8))
			return sluice_fail(f->ctx, EINVAL,
					   "block: %s: which? give it with "
					   "address = 192.0.2.1 2001:db8::1",
					   *w);
	if (preset_answer(f->options) == ANSWER_ADDRESS && !f->n_address)
		return sluice_fail(f->ctx, EINVAL,
				   "answer: address: which? give it with "
				   "address = 192.0.2.1 2001:db8::1");
	return 0;
}

static int read_types(struct filter *f)
{
	for (const char *const *w = f->options->block_type; *w; w++) {
		int type = rule_type(*w, strlen(*w));

		if (type < 0)
			return sluice_fail(f->ctx, EINVAL,
					   "block-type: %s is no record type "
					   "like AAAA, HTTPS, TYPE65 or 65",
					   *w);
		if (f->n_type == FILTER_TYPES)
			return sluice_fail(f->ctx, E2BIG,
					   "block-type: more than %d",
					   FILTER_TYPES);
		f->type[f->n_type++] = (uint16_t)type;
	}
	return 0;
}

static int read_names(struct filter *f)
{
	for (const char *const *w = f->options->rebind_allow; *w; w++) {
		char name[NAME_HOST];
		size_t n = name_host(name, *w, strlen(*w));

		if (!n)
			return sluice_fail(f->ctx, EINVAL,
					   "rebind-allow: %s is no name", *w);
		if (f->n_rebind == FILTER_NAMES)
			return sluice_fail(f->ctx, E2BIG,
					   "rebind-allow: more than %d names",
					   FILTER_NAMES);
		f->rebind[f->n_rebind++] = name_hash(name, n);
	}
	return 0;
}

static int read_options(struct filter *f)
{
	const struct options *o = f->options;
	int err = read_source(f);

	if (!err)
		err = read_addresses(f);
	if (!err)
		err = read_types(f);
	if (!err)
		err = read_names(f);
	if (!err)
		err = read_prefixes(f, "direct-allow", o->direct_allow,
				    f->direct, &f->n_direct);
	if (err || (!o->ech && !o->ipv4hint && !o->ipv6hint && !o->aaaa))
		return err;
	f->scratch = malloc(SCRATCH);
	return f->scratch ? 0 : -ENOMEM;
}

/* -------------------------------------------------------------------- life */

static void filter_destroy(void *self)
{
	struct filter *f = self;

	reload_end(f);
	image_close(&f->image);
	free(f->scratch);
	free(f);
}

static int filter_create(struct sluice_ctx *ctx, const void *options,
			 void **self)
{
	struct instance *in = calloc(1, sizeof(*in));
	struct filter *f = &in->f;
	int err;

	if (!in)
		return -ENOMEM;
	f->ctx = ctx;
	f->options = options;
	special_init(&f->special);
	for (size_t i = 0; i < COUNTED; i++) {
		in->table[i].name = counted[i].name;
		in->table[i].value = (const void *)((const char *)&f->counts +
						    counted[i].at);
	}
	err = read_options(f);
	if (!err)
		err = load(f);
	if (err) {
		filter_destroy(f);
		return err;
	}
	sluice_counters(ctx, in->table);
	*self = f;
	return 0;
}

#define LIST(k, field, text)                                            \
	{                                                               \
		.key = k, .type = SLUICE_OPT_LIST, .preset = "",        \
		.offset = offsetof(struct options, field), .help = text \
	}
#define WORD(k, field, word, text)                                      \
	{                                                               \
		.key = k, .type = SLUICE_OPT_ENUM, .preset = word,      \
		.offset = offsetof(struct options, field), .help = text \
	}

static const struct sluice_option filter_options[] = {
	LIST("block", block,
	     "files of rules, or patterns of paths; ANSWER:PATH for an answer "
	     "of its own"),
	LIST("allow", allow, "files of names that are never blocked"),
	LIST("rule", rule, "rules right here, which win over all files"),
	WORD("answer", answer, "nxdomain",
	     "nxdomain|nodata|zero|refused|drop|address: what a blocked name "
	     "gets"),
	LIST("address", address, "what the answer address is, one a family"),
	{ .key = "ttl",
	  .type = SLUICE_OPT_MS,
	  .preset = "1m",
	  .max = 86400000,
	  .offset = offsetof(struct options, ttl),
	  .help = "of answers made here" },
	WORD("plain", plain, "exact",
	     "exact|below: a bare name in a file is that name, or all below "
	     "it too"),
	{ .key = "tld-rules",
	  .type = SLUICE_OPT_BOOL,
	  .preset = "no",
	  .offset = offsetof(struct options, tld_rules),
	  .help = "files may block whole top-level domains" },
	{ .key = "cache",
	  .type = SLUICE_OPT_STR,
	  .preset = "/var/cache/sluice",
	  .offset = offsetof(struct options, cache),
	  .help = "folder for compiled lists, used if it is there; empty: "
		  "none" },
	LIST("source", source,
	     "only for questions from these prefixes, or but !PREFIX"),
	LIST("record", record, "local records: NAME=ADDRESS or NAME=NAME"),
	LIST("records", records, "files of local records"),
	{ .key = "special-use",
	  .type = SLUICE_OPT_BOOL,
	  .preset = "yes",
	  .offset = offsetof(struct options, special_use),
	  .help = "names that are in no public DNS are answered here" },
	LIST("block-type", block_type,
	     "record types that are answered as if "
	     "there were none"),
	WORD("aaaa", aaaa, "pass", "pass|filter: IPv6 addresses of names"),
	WORD("ech", ech, "pass", "pass|strip: keys for encrypted hellos"),
	WORD("ipv4hint", ipv4hint, "pass",
	     "pass|strip: IPv4 addresses in HTTPS records"),
	WORD("ipv6hint", ipv6hint, "pass",
	     "pass|strip: IPv6 addresses in HTTPS records"),
	WORD("rebind", rebind, "pass",
	     "pass|block: answers with addresses of private networks"),
	LIST("rebind-allow", rebind_allow,
	     "domains that may have such addresses"),
	LIST("resolvers", resolvers,
	     "files of names and addresses of public "
	     "resolvers"),
	WORD("dot", dot, "pass", "pass|refuse: flows to port 853"),
	WORD("doh", doh, "pass",
	     "pass|refuse: flows to port 443 of resolvers' addresses"),
	WORD("direct", direct, "off",
	     "off|log|new-flows|strict: flows to addresses no answer gave"),
	LIST("direct-allow", direct_allow,
	     "prefixes that may be gone to "
	     "without an answer"),
	{ .key = NULL }
};

static const struct sluice_dns_ops filter_dns = {
	.size = sizeof(filter_dns),
	.flags = SLUICE_DNS_OFFLINE,
	.query = filter_query,
	.reply = filter_reply,
};

SLUICE_PLUGIN(dns_filter) = {
	SLUICE_HEAD,
	.name = "dns-filter",
	.version = "0.1",
	.summary = "blocks and answers names by lists, and says why",
	.license = "MIT",
	.options = filter_options,
	.options_bytes = sizeof(struct options),
	.create = filter_create,
	.reload = reload_start,
	.destroy = filter_destroy,
	.flow = &guard_ops,
	.dns = &filter_dns,
};
