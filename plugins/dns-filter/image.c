/* SPDX-License-Identifier: MIT */
/* image.c - an image of rules: mapped, and checked before it is believed
 *
 * The sum finds what rotted; the checks here see to it that a file made on
 * purpose, with a good sum, can give wrong answers and no more.
 */
#include "image.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "regex.h"

#define LANES 4

static uint64_t mix(uint64_t h, uint64_t w)
{
	h = (h ^ w) * 0x9fb21c651e98df25ull;
	return h ^ h >> 29;
}

/* Four lanes, since one would wait for its multiplications. */
uint64_t image_sum(uint64_t seed, const void *p, size_t len)
{
	uint64_t lane[LANES] = { seed, ~seed, seed * 3, seed ^ len };
	const uint8_t *at = p;
	uint64_t w = 0;

	for (; len >= 8 * LANES; len -= 8 * LANES)
		for (int i = 0; i < LANES; i++, at += 8) {
			memcpy(&w, at, 8);
			lane[i] = mix(lane[i], w);
		}
	for (; len; len -= len < 8 ? len : 8) {
		w = 0;
		memcpy(&w, at, len < 8 ? len : 8);
		lane[0] = mix(lane[0], w);
		at += 8;
	}
	for (int i = 1; i < LANES; i++)
		lane[0] = mix(lane[0], lane[i]);
	return lane[0] ^ lane[0] >> 31;
}

/* Where each part begins; false if they do not fill the size. */
static bool lay_out(struct image *im)
{
	const struct image_head *h = im->head;
	const uint8_t *at = im->map + sizeof(*h);
	uint64_t need = sizeof(*h);

	if (h->bits > IMAGE_BITS || h->entries > IMAGE_RULES ||
	    h->lists > IMAGE_LISTS)
		return false;
	need += ((1ull << h->bits) + 1) * sizeof(*im->index);
	need += (uint64_t)h->entries * sizeof(*im->entries);
	need += (uint64_t)h->extras * sizeof(*im->extras);
	need += (uint64_t)h->addrs * sizeof(*im->addrs);
	need += (uint64_t)h->patterns * sizeof(*im->patterns);
	need += (uint64_t)h->lists * sizeof(*im->lists);
	need += (uint64_t)h->bad * sizeof(*im->bad);
	need += h->blob;
	if (need != im->size)
		return false;
	im->index = (const void *)at;
	im->entries = (const void *)(im->index + (1ull << h->bits) + 1);
	im->extras = (const void *)(im->entries + h->entries);
	im->addrs = (const void *)(im->extras + h->extras);
	im->patterns = (const void *)(im->addrs + h->addrs);
	im->lists = (const void *)(im->patterns + h->patterns);
	im->bad = (const void *)(im->lists + h->lists);
	im->blob = (const void *)(im->bad + h->bad);
	return !h->blob || !im->blob[h->blob - 1];
}

static bool in_blob(const struct image *im, uint32_t off, uint32_t len)
{
	return (uint64_t)off + len <= im->head->blob;
}

static bool sane_index(const struct image *im)
{
	uint32_t last = 0;

	for (uint64_t i = 0; i <= 1ull << im->head->bits; i++) {
		if (im->index[i] < last)
			return false;
		last = im->index[i];
	}
	return last == im->head->entries && !im->index[0];
}

static bool sane_extras(const struct image *im)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < im->head->extras; i++) {
		const struct image_extra *x = &im->extras[i];

		if (x->entry < last || x->entry >= im->head->entries ||
		    !in_blob(im, x->off, x->len))
			return false;
		/* A glob is text: its NUL is there too. */
		if (x->kind == EXTRA_GLOB &&
		    (!in_blob(im, x->off, x->len + 1) ||
		     im->blob[x->off + x->len]))
			return false;
		last = x->entry;
	}
	return true;
}

static int addr_order(const struct image_addr *a, const struct image_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	return memcmp(a->ip, b->ip, sizeof(a->ip));
}

static bool sane_addrs(struct image *im)
{
	uint32_t n = im->head->addrs;

	for (uint32_t i = 0; i < n; i++) {
		const struct image_addr *a = &im->addrs[i];

		if ((a->family != 4 && a->family != 6) ||
		    a->prefix > (a->family == 4 ? 32 : 128) ||
		    a->list >= im->head->lists ||
		    (i && addr_order(a - 1, a) > 0))
			return false;
	}
	for (int f = 0; f < 2; f++)
		for (int p = 0; p < 130; p++) {
			struct image_addr first = { .family = f ? 6 : 4,
						    .prefix = (uint8_t)p };
			uint32_t lo = 0, hi = n;

			while (lo < hi) {
				uint32_t mid = lo + (hi - lo) / 2;

				if (addr_order(&im->addrs[mid], &first) < 0)
					lo = mid + 1;
				else
					hi = mid;
			}
			im->addr_at[f][p] = lo;
		}
	return true;
}

static bool sane_rest(const struct image *im)
{
	for (uint32_t i = 0; i < im->head->patterns; i++) {
		const struct image_pattern *p = &im->patterns[i];

		if (p->list >= im->head->lists ||
		    !in_blob(im, p->off, p->len) ||
		    !in_blob(im, p->off + p->len, 1) ||
		    im->blob[p->off + p->len] ||
		    (p->kind != RULE_GLOB && p->kind != RULE_REGEX))
			return false;
	}
	for (uint32_t i = 0; i < im->head->lists; i++)
		if (im->lists[i].path >= im->head->blob ||
		    im->lists[i].answer > ANSWER_ADDRESS)
			return false;
	for (uint32_t i = 0; i < im->head->bad; i++)
		if (im->bad[i].list >= im->head->lists ||
		    im->bad[i].why >= RULE_WHYS)
			return false;
	return true;
}

static bool sane(struct image *im)
{
	const struct image_head *h = im->head;

	return im->size >= sizeof(*h) &&
	       !memcmp(h->magic, IMAGE_MAGIC, sizeof(h->magic)) &&
	       h->order == IMAGE_ORDER && h->size == im->size &&
	       h->sum == image_sum(0, h + 1, im->size - sizeof(*h)) &&
	       lay_out(im) && sane_index(im) && sane_extras(im) &&
	       sane_addrs(im) && sane_rest(im);
}

int image_open(struct image *im, int fd)
{
	struct stat st;
	void *map;
	int err;

	memset(im, 0, sizeof(*im));
	if (fstat(fd, &st))
		return -errno;
	if (st.st_size < (off_t)sizeof(*im->head) || st.st_size > INT32_MAX)
		return -EBADMSG;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ,
		   MAP_SHARED | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	im->map = map;
	im->head = map;
	im->size = (size_t)st.st_size;
	err = sane(im) ? 0 : -EBADMSG;
	if (!err)
		err = regexes_compile(im);
	if (err)
		image_close(im);
	return err;
}

void image_close(struct image *im)
{
	regexes_free(im->regexes);
	if (im->map)
		munmap((void *)(uintptr_t)im->map, im->size);
	memset(im, 0, sizeof(*im));
}

const char *image_path(const struct image *im, uint32_t list)
{
	return im->blob + im->lists[list].path;
}
