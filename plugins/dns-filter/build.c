/* SPDX-License-Identifier: MIT */
/* build.c - rules, collected and compiled into an image
 *
 *	build_list() build_add()... --> sort --> drop what is there twice
 *	                                     --> write
 *
 * A rule on its way takes 16 bytes.  They are sorted where they stand, bucket
 * by bucket, and written through a small buffer, and what was written is given
 * back meanwhile: at its peak this takes what the rules take, which is a
 * quarter more than the image.
 */
#include "build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "regex.h"

#define PER_BUCKET 4u /* entries of a bucket, on average */

/* Room for one more; NULL: no memory. */
static void *grow(struct build *b, struct build_vec *v, size_t size, size_t n)
{
	size_t cap = v->cap ? v->cap : 64;
	void *p;

	while (cap - v->n < n)
		cap *= 2;
	if (cap != v->cap) {
		p = realloc(v->v, cap * size);
		if (!p) {
			b->no_memory = true;
			return NULL;
		}
		v->v = p;
		v->cap = cap;
	}
	p = (char *)v->v + v->n * size;
	v->n += n;
	return p;
}

#define ADD(b, field, type) ((type *)grow((b), &(b)->field, sizeof(type), 1))

/* Bytes into the blob: where they begin; UINT32_MAX: no room. */
static uint32_t blob_add(struct build *b, const void *p, size_t len)
{
	size_t at = b->blob.n;
	char *to;

	if (at + len > IMAGE_BLOB)
		return UINT32_MAX;
	to = grow(b, &b->blob, 1, len);
	if (!to)
		return UINT32_MAX;
	memcpy(to, p, len);
	return (uint32_t)at;
}

static uint32_t blob_text(struct build *b, const char *p, size_t len)
{
	uint32_t at = blob_add(b, p, len);

	if (at != UINT32_MAX && blob_add(b, "", 1) == UINT32_MAX)
		return UINT32_MAX;
	return at;
}

void build_init(struct build *b)
{
	memset(b, 0, sizeof(*b));
}

void build_fini(struct build *b)
{
	free(b->entries.v);
	free(b->extras.v);
	free(b->addrs.v);
	free(b->patterns.v);
	free(b->lists.v);
	free(b->bad.v);
	free(b->blob.v);
}

static struct image_list *list_now(struct build *b)
{
	return (struct image_list *)b->lists.v + b->list;
}

int build_list(struct build *b, const char *path, enum answer answer,
	       unsigned int flags)
{
	struct image_list *l;

	if (b->lists.n == IMAGE_LISTS)
		return -E2BIG;
	l = ADD(b, lists, struct image_list);
	if (!l)
		return -ENOMEM;
	memset(l, 0, sizeof(*l));
	l->answer = (uint8_t)answer;
	l->flags = (uint8_t)flags;
	l->path = blob_text(b, path, strlen(path));
	if (l->path == UINT32_MAX)
		return -ENOMEM;
	b->list = (uint32_t)b->lists.n - 1;
	b->line = 0;
	return 0;
}

static int add_extra(struct build *b, const struct build_entry *e,
		     enum image_extra_kind kind, uint16_t arg, const void *p,
		     size_t len)
{
	struct build_extra *x;
	uint32_t off;

	off = kind == EXTRA_GLOB ? blob_text(b, p, len) : blob_add(b, p, len);
	if (off == UINT32_MAX)
		return RULE_MANY;
	x = ADD(b, extras, struct build_extra);
	if (!x)
		return RULE_MANY;
	*x = (struct build_extra){ .hash = e->hash,
				   .rest = e->rest,
				   .kind = (uint16_t)kind,
				   .arg = arg,
				   .off = off,
				   .len = (uint32_t)len };
	return RULE_FINE;
}

static int add_extras(struct build *b, const struct build_entry *e,
		      const struct rule *r)
{
	int why = RULE_FINE;

	if (r->n_types)
		why = add_extra(b, e,
				r->types_not ? EXTRA_NOT_TYPES : EXTRA_TYPES, 0,
				r->types, r->n_types * sizeof(*r->types));
	if (why == RULE_FINE && r->n_deny)
		why = add_extra(b, e, EXTRA_DENY, 0, r->deny,
				r->n_deny * sizeof(*r->deny));
	if (why == RULE_FINE && r->kind == RULE_GLOB)
		why = add_extra(b, e, EXTRA_GLOB, (r->flags & RULE_BELOW) != 0,
				r->text, r->len);
	if (why == RULE_FINE && r->answer == ANSWER_DATA)
		why = add_extra(b, e, EXTRA_DATA, r->data_type, r->data,
				r->data_len);
	return why;
}

static uint64_t where(const struct build *b)
{
	return (uint64_t)b->list << 26 | b->line;
}

static int add_name(struct build *b, const struct rule *r, const char *name,
		    size_t len, uint16_t flags)
{
	bool extra = r->n_types || r->n_deny || r->kind == RULE_GLOB ||
		     r->answer == ANSWER_DATA;
	struct build_entry *e, copy;

	if (b->entries.n >= IMAGE_RULES)
		return RULE_MANY;
	e = ADD(b, entries, struct build_entry);
	if (!e)
		return RULE_MANY;
	flags = (uint16_t)(flags | (extra ? IMAGE_EXTRA : 0) |
			   (unsigned int)r->answer << 5);
	e->hash = name_hash(name, len);
	e->rest = (uint64_t)flags << 36 | where(b);
	copy = *e;
	return extra ? add_extras(b, &copy, r) : RULE_FINE;
}

static int add_addr(struct build *b, const struct rule *r)
{
	struct image_addr *a;

	if (b->addrs.n >= IMAGE_RULES)
		return RULE_MANY;
	a = ADD(b, addrs, struct image_addr);
	if (!a)
		return RULE_MANY;
	*a = (struct image_addr){ .family = r->family,
				  .prefix = r->prefix,
				  .flags = (uint8_t)r->flags,
				  .answer = r->answer,
				  .list = b->list,
				  .line = b->line };
	memcpy(a->ip, r->ip, sizeof(a->ip));
	return RULE_FINE;
}

static int add_pattern(struct build *b, const struct rule *r)
{
	struct image_pattern *p;
	uint32_t off;

	if (r->n_types || r->n_deny)
		return RULE_MODIFIER;
	off = blob_text(b, r->text, r->len);
	if (off == UINT32_MAX)
		return RULE_MANY;
	p = ADD(b, patterns, struct image_pattern);
	if (!p)
		return RULE_MANY;
	*p = (struct image_pattern){ .kind = r->kind,
				     .flags = (uint8_t)r->flags,
				     .list = (uint16_t)b->list,
				     .line = b->line,
				     .off = off,
				     .len = (uint32_t)r->len };
	return RULE_FINE;
}

static int add_regex(struct build *b, const struct rule *r)
{
	bool off;

	if (b->regexes >= IMAGE_REGEXES)
		return RULE_MANY;
	if (!regex_check(r->text, r->len, &off))
		return off ? RULE_REGEX_OFF : RULE_REGEX_BAD;
	b->regexes++;
	return add_pattern(b, r);
}

/* A pattern whose end is a domain is found by that domain; only the others
 * are tried on every name. */
static int add_glob(struct build *b, const struct rule *r)
{
	const char *star = strrchr(r->text, '*');
	const char *dot = star ? strchr(star, '.') : NULL;

	if (b->globs >= IMAGE_GLOBS)
		return RULE_MANY;
	b->globs++;
	if (!dot)
		return add_pattern(b, r);
	return add_name(b, r, dot + 1, strlen(dot + 1),
			(r->flags & (RULE_ALLOW | RULE_IMPORTANT)) | RULE_SELF |
				RULE_BELOW);
}

int build_add(struct build *b, const struct rule *r)
{
	int why;

	switch (r->kind) {
	case RULE_ADDR:
		/* Answers of its own are for names. */
		why = r->answer == ANSWER_DATA ? RULE_RECORD : add_addr(b, r);
		break;
	case RULE_GLOB:
		/* b->globs bounds the flags' use too: BELOW is for the glob,
		 * and the entry is for all names below its domain. */
		why = add_glob(b, r);
		break;
	case RULE_REGEX:
		why = add_regex(b, r);
		break;
	default:
		why = add_name(b, r, r->text, r->len, r->flags);
	}
	if (why == RULE_FINE)
		list_now(b)->rules++;
	return why;
}

void build_refuse(struct build *b, enum rule_why why)
{
	struct image_list *l = list_now(b);
	struct image_bad *bad;

	b->refused++;
	if (++l->refused > IMAGE_BAD)
		return;
	bad = ADD(b, bad, struct image_bad);
	if (bad)
		*bad = (struct image_bad){ .line = b->line,
					   .list = (uint16_t)b->list,
					   .why = (uint16_t)why };
}

/* ---------------------------------------------------------------- sorting */

static int entry_order(const void *pa, const void *pb)
{
	const struct build_entry *a = pa, *b = pb;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return a->rest < b->rest ? -1 : a->rest > b->rest;
}

static int extra_order(const void *pa, const void *pb)
{
	const struct build_extra *a = pa, *b = pb;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->rest != b->rest)
		return a->rest < b->rest ? -1 : 1;
	return a->off < b->off ? -1 : a->off > b->off;
}

static int addr_order(const void *pa, const void *pb)
{
	const struct image_addr *a = pa, *b = pb;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	if (memcmp(a->ip, b->ip, 16))
		return memcmp(a->ip, b->ip, 16);
	if (a->list != b->list)
		return a->list < b->list ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

static uint32_t bits_for(size_t n)
{
	uint32_t bits = 0;

	while (bits < IMAGE_BITS && n >> bits > PER_BUCKET)
		bits++;
	return bits;
}

static size_t bucket_of(uint64_t hash, uint32_t bits)
{
	return bits ? (size_t)(hash >> (64 - bits)) : 0;
}

/* A short run, which nearly all buckets are. */
static void sort_run(struct build_entry *v, size_t n)
{
	if (n > 24) { /* somebody made names to fall together */
		qsort(v, n, sizeof(*v), entry_order);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		struct build_entry e = v[i];
		size_t j = i;

		for (; j && entry_order(&v[j - 1], &e) > 0; j--)
			v[j] = v[j - 1];
		v[j] = e;
	}
}

/* Each entry goes to its bucket by swaps: next[] is where the next one of a
 * bucket goes, end[] (the index itself) where the bucket ends. */
static int sort_entries(struct build *b, uint32_t bits, uint32_t *index)
{
	struct build_entry *v = b->entries.v;
	size_t n = b->entries.n, buckets = (size_t)1 << bits;
	uint32_t *next, sum = 0;

	memset(index, 0, (buckets + 1) * sizeof(*index));
	if (!n)
		return 0;
	next = malloc(buckets * sizeof(*next));
	if (!next)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		index[bucket_of(v[i].hash, bits) + 1]++;
	for (size_t i = 0; i < buckets; i++) {
		next[i] = sum;
		sum += index[i + 1];
		index[i + 1] = sum;
	}
	for (size_t i = 0; i < buckets; i++) {
		while (next[i] < index[i + 1]) {
			struct build_entry e = v[next[i]];
			size_t at = bucket_of(e.hash, bits);

			if (at == i) {
				next[i]++;
				continue;
			}
			v[next[i]] = v[next[at]];
			v[next[at]++] = e;
		}
		sort_run(v + index[i], index[i + 1] - index[i]);
	}
	free(next);
	return 0;
}

/* One more rule with conditions for a name that has as many as a look-up may
 * cost: not used, and said. */
static void refuse_entry(struct build *b, const struct build_entry *e)
{
	b->list = e->rest >> 26 & 0x3ff;
	b->line = e->rest & 0x3ffffff;
	list_now(b)->rules--;
	build_refuse(b, RULE_MANY);
}

/* Rules that say what an earlier one says are counted, and go; index is made
 * anew.  What has extras is never the same. */
static void drop_same(struct build *b, uint32_t bits, uint32_t *index)
{
	struct build_entry *v = b->entries.v;
	size_t n = b->entries.n, to = 0, bucket = 0, extras = 0;
	struct image_list *lists = b->lists.v;

	for (size_t i = 0; i < n; i++) {
		size_t at = bucket_of(v[i].hash, bits);
		uint64_t flags = v[i].rest >> 36;

		while (bucket < at)
			index[++bucket] = (uint32_t)to;
		if (!i || v[i - 1].hash != v[i].hash)
			extras = 0;
		if (flags & IMAGE_EXTRA && ++extras > IMAGE_GLOBS) {
			refuse_entry(b, &v[i]);
			continue;
		}
		if (to && v[to - 1].hash == v[i].hash &&
		    v[to - 1].rest >> 36 == flags && !(flags & IMAGE_EXTRA)) {
			lists[v[i].rest >> 26 & 0x3ff].same++;
			continue;
		}
		v[to++] = v[i];
	}
	while (bucket < (size_t)1 << bits)
		index[++bucket] = (uint32_t)to;
	index[0] = 0;
	b->entries.n = to;
}

/* The extras as the image has them, in place: smaller than they were. */
static void number_extras(struct build *b)
{
	const struct build_entry *v = b->entries.v;
	struct build_extra *x = b->extras.v;
	struct image_extra *to = b->extras.v;
	size_t e = 0, n = 0;

	if (!b->extras.n)
		return;
	qsort(x, b->extras.n, sizeof(*x), extra_order);
	for (size_t i = 0; i < b->extras.n; i++) {
		struct build_extra one = x[i];

		while (e < b->entries.n &&
		       (v[e].hash < one.hash ||
			(v[e].hash == one.hash && v[e].rest < one.rest)))
			e++;
		if (e == b->entries.n || v[e].hash != one.hash ||
		    v[e].rest != one.rest)
			continue; /* its entry was refused */
		to[n++] = (struct image_extra){ .entry = (uint32_t)e,
						.kind = one.kind,
						.arg = one.arg,
						.off = one.off,
						.len = one.len };
	}
	b->extras.n = n;
}

/* ---------------------------------------------------------------- writing */

#define WRITTEN 65536u /* entries, whose memory is then given back */

struct out {
	int fd, err;
	uint8_t buf[65536];
	size_t n;
};

static void out_flush(struct out *o)
{
	for (size_t at = 0; at < o->n && !o->err;) {
		ssize_t n = write(o->fd, o->buf + at, o->n - at);

		if (n < 0 && errno != EINTR)
			o->err = -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	o->n = 0;
}

static void out_add(struct out *o, const void *p, size_t len)
{
	while (len) {
		size_t n = sizeof(o->buf) - o->n;

		n = n < len ? n : len;
		memcpy(o->buf + o->n, p, n);
		o->n += n;
		p = (const char *)p + n;
		len -= n;
		if (o->n == sizeof(o->buf))
			out_flush(o);
	}
}

/* Whole pages of what is no longer looked at; of no consequence if the system
 * does not want them. */
static void give_back(void *p, size_t len)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
	uintptr_t from = ((uintptr_t)p + page) & ~page;
	uintptr_t to = ((uintptr_t)p + len) & ~page;

	if (from < to)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

static void write_entries(struct build *b, struct out *o, uint32_t bits)
{
	struct build_entry *v = b->entries.v;

	for (size_t i = 0; i < b->entries.n; i++) {
		if (i && i % WRITTEN == 0)
			give_back(v + i - WRITTEN, WRITTEN * sizeof(*v));
		uint64_t print = v[i].hash << bits >> 16;
		struct image_entry e = {
			.w = { (uint32_t)(print >> 16),
			       (uint32_t)((print & 0xffff) << 16 |
					  v[i].rest >> 32),
			       (uint32_t)v[i].rest },
		};

		out_add(o, &e, sizeof(e));
	}
}

static void vec_write(struct out *o, const struct build_vec *v, size_t size)
{
	if (v->n)
		out_add(o, v->v, v->n * size);
}

static void fill_head(const struct build *b, struct image_head *h,
		      uint32_t bits)
{
	const struct image_list *l = b->lists.v;

	memcpy(h->magic, IMAGE_MAGIC, sizeof(h->magic));
	h->order = IMAGE_ORDER;
	h->bits = bits;
	h->entries = (uint32_t)b->entries.n;
	h->extras = (uint32_t)b->extras.n;
	h->addrs = (uint32_t)b->addrs.n;
	h->patterns = (uint32_t)b->patterns.n;
	h->lists = (uint32_t)b->lists.n;
	h->bad = (uint32_t)b->bad.n;
	h->blob = (uint32_t)b->blob.n;
	for (size_t i = 0; i < b->lists.n; i++) {
		h->rules += l[i].rules - l[i].same;
		h->same += l[i].same;
		h->refused += l[i].refused;
	}
	h->size = sizeof(*h) + (((uint64_t)1 << bits) + 1) * sizeof(uint32_t) +
		  h->entries * sizeof(struct image_entry) +
		  h->extras * sizeof(struct image_extra) +
		  h->addrs * sizeof(struct image_addr) +
		  h->patterns * sizeof(struct image_pattern) +
		  h->lists * sizeof(struct image_list) +
		  h->bad * sizeof(struct image_bad) + h->blob;
}

/* The sum goes in when the rest is there. */
static int write_sum(int fd, const struct image_head *h)
{
	uint64_t sum;
	uint8_t *map;
	ssize_t n;

	map = mmap(NULL, h->size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	sum = image_sum(0, map + sizeof(*h), h->size - sizeof(*h));
	munmap(map, h->size);
	n = pwrite(fd, &sum, sizeof(sum), offsetof(struct image_head, sum));
	if (n < 0)
		return -errno;
	return n == sizeof(sum) ? 0 : -EIO;
}

int build_write(struct build *b, int fd, const uint64_t key[2])
{
	uint32_t bits = bits_for(b->entries.n);
	uint32_t *index = malloc((((size_t)1 << bits) + 1) * sizeof(*index));
	struct out *o = calloc(1, sizeof(*o));
	struct image_head h = { .key = { key[0], key[1] } };
	int err = -ENOMEM;

	/* All text in the blob ends, whatever the last of it is. */
	if (!index || !o || b->no_memory || blob_add(b, "", 1) == UINT32_MAX)
		goto out;
	err = sort_entries(b, bits, index);
	if (err)
		goto out;
	drop_same(b, bits, index);
	number_extras(b);
	if (b->addrs.n)
		qsort(b->addrs.v, b->addrs.n, sizeof(struct image_addr),
		      addr_order);
	fill_head(b, &h, bits);
	o->fd = fd;
	out_add(o, &h, sizeof(h));
	out_add(o, index, (((size_t)1 << bits) + 1) * sizeof(*index));
	write_entries(b, o, bits);
	vec_write(o, &b->extras, sizeof(struct image_extra));
	vec_write(o, &b->addrs, sizeof(struct image_addr));
	vec_write(o, &b->patterns, sizeof(struct image_pattern));
	vec_write(o, &b->lists, sizeof(struct image_list));
	vec_write(o, &b->bad, sizeof(struct image_bad));
	vec_write(o, &b->blob, 1);
	out_flush(o);
	err = o->err ? o->err : write_sum(fd, &h);
out:
	free(index);
	free(o);
	return err;
}
