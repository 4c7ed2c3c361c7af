/* SPDX-License-Identifier: MIT */
/* frag.c - datagrams put together from fragments
 *
 * Payload is kept in chunks of 512 bytes, each with a bit for every 8 bytes
 * that are there: any order costs the same, and a datagram never holds more
 * than its own size, however small its fragments are.
 *
 *	(none) --first seen--> collecting --all there--> given out, forgotten
 *	                           |
 *	                           +--overlap, nonsense--> dead
 *
 * A dead datagram keeps its key, not its chunks, so that its later fragments
 * do not begin a new one (RFC 5722).  All are forgotten when their time is
 * up; it runs from the first fragment and is never extended.
 *
 * The memory is one mapping of fixed size.  Pages of it that were never
 * needed do not exist, and all go back when nothing is held.
 */
#include "frag.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"

#define UNIT    8u              /* RFC 791: offsets count these */
#define CHUNK   (64 * UNIT)     /* one bit a unit */
#define CHUNKS  (65536 / CHUNK) /* of one datagram */
#define BUCKETS 256
#define NONE    UINT16_MAX

struct chunk {
	union {
		uint64_t have; /* units that are there */
		uint64_t next; /* while free: its number or NONE */
	};
	uint8_t data[CHUNK];
};

struct datagram {
	struct list bucket; /* of its source, oldest first */
	struct list age;    /* of its family; or the free ones */
	uint64_t until;
	uint32_t id;
	uint8_t family;
	uint8_t proto; /* IPv6: what the first fragment says */
	bool dead;
	uint8_t head_len; /* 0: the first fragment is missing */
	uint8_t from;     /* IPv6: the next-header byte to put right */
	uint32_t have;    /* bytes that are there */
	uint32_t end;     /* of the farthest one */
	uint32_t total;   /* 0: the last fragment is missing */
	uint8_t src[16], dst[16];
	uint8_t head[FRAG_HEAD];
	uint16_t chunk[CHUNKS]; /* NONE: nothing of it is there */
};

/* A datagram that is collecting has at least one chunk, so it makes no sense
 * to have more of them than chunks. */
#define CAPACITY (FRAG_BYTES / (sizeof(struct chunk) + sizeof(struct datagram)))

_Static_assert(CAPACITY < NONE, "chunk numbers have 16 bits");
_Static_assert(CAPACITY > FRAG_PER_SOURCE, "one source cannot have everything");
_Static_assert(FRAG_HEAD <= UINT8_MAX, "head_len and from have 8 bits");

struct frag {
	uint64_t key[2];
	struct list bucket[BUCKETS];
	struct list age[2]; /* IPv4, IPv6: oldest first */
	struct list free;
	uint16_t free_chunk;         /* or NONE */
	uint16_t fresh, fresh_chunk; /* the first that was never used */
	unsigned used, used_chunks;
	unsigned lost; /* since the last sweep */
	void (*late)(void *arg, const uint8_t *ip, size_t len);
	void *late_arg;
	uint8_t out[65536 + FRAG_HEAD];
	struct datagram datagram[CAPACITY];
	struct chunk chunk[CAPACITY] __attribute__((aligned(16)));
};

struct frag *frag_new(void)
{
	struct frag *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (t == MAP_FAILED)
		return NULL;
	if (util_random(t->key, sizeof(t->key))) {
		frag_free(t);
		return NULL;
	}
	for (int i = 0; i < BUCKETS; i++)
		list_init(&t->bucket[i]);
	list_init(&t->age[0]);
	list_init(&t->age[1]);
	list_init(&t->free);
	t->free_chunk = NONE;
	return t;
}

void frag_free(struct frag *t)
{
	if (t)
		munmap(t, sizeof(*t));
}

static void chunks_put(struct frag *t, struct datagram *d)
{
	for (unsigned i = 0; i * CHUNK < d->end; i++) {
		uint16_t n = d->chunk[i];

		if (n == NONE)
			continue;
		t->chunk[n].next = t->free_chunk;
		t->free_chunk = n;
		t->used_chunks--;
	}
	d->end = 0;
}

static void forget(struct frag *t, struct datagram *d)
{
	chunks_put(t, d);
	list_del(&d->bucket);
	list_move_tail(&t->free, &d->age);
	t->used--;
}

/* At a limit of the whole: the oldest of all.  The one at work (but) is
 * not it; alone it never meets a limit. */
static void forget_oldest(struct frag *t, const struct datagram *but)
{
	static const unsigned life[2] = { FRAG_V4_MS, FRAG_V6_MS };
	struct datagram *oldest = NULL;
	uint64_t born = UINT64_MAX;

	for (int i = 0; i < 2; i++) {
		struct list *l = t->age[i].next;
		struct datagram *d = container_of(l, struct datagram, age);

		if (d == but) {
			l = l->next;
			d = container_of(l, struct datagram, age);
		}
		if (l != &t->age[i] && d->until - life[i] < born) {
			born = d->until - life[i];
			oldest = d;
		}
	}
	forget(t, oldest);
	t->lost++;
}

static struct chunk *chunk_get(struct frag *t, struct datagram *d, unsigned i)
{
	struct chunk *c;

	while (t->free_chunk == NONE && t->fresh_chunk == CAPACITY)
		forget_oldest(t, d);
	if (t->free_chunk != NONE) {
		d->chunk[i] = t->free_chunk;
		t->free_chunk = (uint16_t)t->chunk[t->free_chunk].next;
	} else {
		d->chunk[i] = t->fresh_chunk++;
	}
	t->used_chunks++;
	c = &t->chunk[d->chunk[i]];
	c->have = 0;
	return c;
}

static struct datagram *datagram_new(struct frag *t, struct list *bucket,
				     const struct packet *p, uint64_t now)
{
	bool v6 = p->version == 6;
	struct datagram *d;

	if (list_empty(&t->free) && t->fresh == CAPACITY)
		forget_oldest(t, NULL);
	if (list_empty(&t->free)) {
		d = &t->datagram[t->fresh++];
		list_init(&d->age);
	} else {
		d = list_first(&t->free, struct datagram, age);
	}
	list_move_tail(&t->age[v6], &d->age);
	list_add_tail(bucket, &d->bucket);
	t->used++;
	d->until = now + (v6 ? FRAG_V6_MS : FRAG_V4_MS);
	d->id = p->frag_id;
	d->family = p->version;
	d->proto = p->proto;
	d->dead = false;
	d->head_len = 0;
	d->have = d->end = d->total = 0;
	memcpy(d->src, p->src.ip, 16);
	memcpy(d->dst, p->dst.ip, 16);
	memset(d->chunk, 0xff, sizeof(d->chunk));
	return d;
}

/* The datagram of this fragment, made if there is none. */
static struct datagram *datagram_get(struct frag *t, const struct packet *p,
				     uint64_t now)
{
	struct list *bucket, *l;
	struct datagram *oldest = NULL;
	unsigned count = 0;

	bucket = &t->bucket[util_siphash(t->key, p->src.ip, 16) % BUCKETS];
	for (l = bucket->next; l != bucket; l = l->next) {
		struct datagram *d = container_of(l, struct datagram, bucket);

		if (d->family != p->version || memcmp(d->src, p->src.ip, 16))
			continue;
		/* RFC 8200 4.5: the protocol is no part of the key there */
		if (d->id == p->frag_id && !memcmp(d->dst, p->dst.ip, 16) &&
		    (p->version == 6 || d->proto == p->proto)) {
			if (d->until > now)
				return d;
			forget(t, d);
			t->lost++;
			return datagram_new(t, bucket, p, now);
		}
		if (!oldest)
			oldest = d;
		count++;
	}
	if (count >= FRAG_PER_SOURCE) {
		forget(t, oldest);
		t->lost++;
	}
	return datagram_new(t, bucket, p, now);
}

/* Can it be what it says, and does that agree with what is there? */
static bool sane(const struct datagram *d, const struct packet *p)
{
	uint32_t head =
		(uint32_t)((p->version == 6 ? p->frag_unit : p->l4) - p->ip);
	uint32_t end = p->frag_off + p->l4_len;

	if (p->l4_len == 0 || (p->more && p->l4_len % UNIT))
		return false;
	/* the whole has a 16-bit length; IPv6 does not count its 40 bytes */
	if (end + head > PACKET_MAX + (p->version == 6 ? 40 : 0))
		return false;
	if (head > FRAG_HEAD)
		return false;
	/* RFC 1858, RFC 3128: a TCP header that is cut serves no good */
	if (p->proto == PACKET_TCP &&
	    (p->frag_off ? p->version == 4 && p->frag_off < 20 :
			   p->l4_len < 20))
		return false;
	if (p->more)
		return !d->total || end < d->total;
	return (!d->total || end == d->total) && d->end <= end;
}

/* The bits of chunk i that from..end covers. */
static uint64_t units(unsigned i, uint32_t from, uint32_t end)
{
	uint32_t at = i * CHUNK;
	unsigned lo = from > at ? (from - at) / UNIT : 0;
	unsigned hi = end - at < CHUNK ? (end - at + UNIT - 1) / UNIT : 64;

	return (hi == 64 ? 0 : (uint64_t)1 << hi) - ((uint64_t)1 << lo);
}

/* 1: all of it is there already, the same; -EBADMSG: some of it is, or it
 * differs; 0: none is. */
static int overlaps(const struct frag *t, const struct datagram *d,
		    const struct packet *p)
{
	uint32_t from = p->frag_off, end = from + p->l4_len;
	bool some = false, all = true;

	for (unsigned i = from / CHUNK; i * CHUNK < end; i++) {
		uint32_t a = MAX(from, i * CHUNK);
		uint32_t b = MIN(end, (i + 1) * CHUNK);
		uint64_t want = units(i, from, end), have = 0;
		const struct chunk *c;

		if (d->chunk[i] != NONE) {
			c = &t->chunk[d->chunk[i]];
			have = c->have & want;
			if (have == want && memcmp(c->data + a % CHUNK,
						   p->l4 + (a - from), b - a))
				return -EBADMSG;
		}
		some |= have != 0;
		all &= have == want;
	}
	if (!some)
		return 0;
	return all ? 1 : -EBADMSG;
}

static void keep(struct frag *t, struct datagram *d, const struct packet *p)
{
	uint32_t from = p->frag_off, end = from + p->l4_len;

	/* before any chunk is taken: chunks_put() goes by it */
	d->end = MAX(d->end, end);
	for (unsigned i = from / CHUNK; i * CHUNK < end; i++) {
		uint32_t a = MAX(from, i * CHUNK);
		uint32_t b = MIN(end, (i + 1) * CHUNK);
		struct chunk *c = d->chunk[i] == NONE ? chunk_get(t, d, i) :
							&t->chunk[d->chunk[i]];

		memcpy(c->data + a % CHUNK, p->l4 + (a - from), b - a);
		c->have |= units(i, from, end);
	}
	d->have += p->l4_len;
	if (!p->more)
		d->total = end;
	if (from)
		return;
	d->proto = p->proto;
	if (p->version == 6) {
		d->head_len = (uint8_t)(p->frag_unit - p->ip);
		d->from = (uint8_t)(p->frag_from - p->ip);
	} else {
		d->head_len = (uint8_t)(p->l4 - p->ip);
	}
	memcpy(d->head, p->ip, d->head_len);
}

/* The whole packet into t->out; 0 if it would be too long. */
static size_t assemble(struct frag *t, const struct datagram *d)
{
	uint8_t *ip = t->out;
	size_t len = d->head_len + d->total;
	uint16_t sum;

	if (len > PACKET_MAX + (d->family == 6 ? 40 : 0))
		return 0;
	memcpy(ip, d->head, d->head_len);
	for (uint32_t at = 0; at < d->total; at += CHUNK)
		memcpy(ip + d->head_len + at,
		       t->chunk[d->chunk[at / CHUNK]].data,
		       MIN(CHUNK, d->total - at));
	if (d->family == 6) {
		put_be16(ip + 4, (uint16_t)(len - 40));
		ip[d->from] = d->proto;
		return len;
	}
	put_be16(ip + 2, (uint16_t)len);
	put_be16(ip + 6, 0);
	put_be16(ip + 10, 0);
	sum = csum_fold(csum_add(0, ip, d->head_len));
	memcpy(ip + 10, &sum, sizeof(sum));
	return len;
}

int frag_add(struct frag *t, const struct packet *p, uint64_t now,
	     uint8_t **out, size_t *out_len)
{
	struct datagram *d = datagram_get(t, p, now);
	int ret;

	if (d->dead)
		return -EBADMSG;
	ret = sane(d, p) ? overlaps(t, d, p) : -EBADMSG;
	if (ret > 0)
		return 0;
	if (!ret) {
		keep(t, d, p);
		if (!d->total || d->have < d->total)
			return 0;
		*out = t->out;
		*out_len = assemble(t, d);
		if (*out_len) {
			forget(t, d);
			return 1;
		}
	}
	chunks_put(t, d);
	d->dead = true;
	return -EBADMSG;
}

void frag_on_late(struct frag *t,
		  void (*late)(void *arg, const uint8_t *ip, size_t len),
		  void *arg)
{
	t->late = late;
	t->late_arg = arg;
}

static void tell_late(const struct frag *t, const struct datagram *d)
{
	uint8_t b[FRAG_HEAD + 8 + CHUNK];
	size_t len = d->head_len;
	const struct chunk *c;
	unsigned n;

	if (!t->late || d->dead || !len)
		return;
	memcpy(b, d->head, len);
	if (d->family == 6) { /* the fragment header was not kept */
		b[len] = d->proto;
		b[len + 1] = 0;
		put_be16(b + len + 2, 1);
		put_be32(b + len + 4, d->id);
		len += 8;
	}
	c = &t->chunk[d->chunk[0]];
	n = ~c->have ? (unsigned)__builtin_ctzll(~c->have) : CHUNK / UNIT;
	memcpy(b + len, c->data, n * UNIT);
	t->late(t->late_arg, b, len + n * UNIT);
}

unsigned frag_sweep(struct frag *t, uint64_t now)
{
	unsigned lost;

	for (int i = 0; i < 2; i++) {
		while (!list_empty(&t->age[i])) {
			struct datagram *d =
				list_first(&t->age[i], struct datagram, age);

			if (d->until > now)
				break;
			tell_late(t, d);
			forget(t, d);
			t->lost++;
		}
	}
	lost = t->lost;
	t->lost = 0;
	if (!t->used && t->fresh > 16) {
		/* As it was at first: the pages are the system's again. */
		size_t page = (size_t)sysconf(_SC_PAGESIZE);
		uintptr_t from = ((uintptr_t)t->out + page - 1) & -page;
		uintptr_t end = (uintptr_t)(t + 1) & -page;

		list_init(&t->free);
		t->free_chunk = NONE;
		t->fresh = t->fresh_chunk = 0;
		madvise((void *)from, end - from, MADV_DONTNEED);
	}
	return lost;
}

size_t frag_held(const struct frag *t)
{
	return t->used * sizeof(struct datagram) +
	       t->used_chunks * sizeof(struct chunk);
}
