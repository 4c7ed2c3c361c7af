/* SPDX-License-Identifier: MIT */
/* fuzz_lists.c - any bytes as a list of dns-filter
 *
 * The first byte says what kind of list it is.  What can be read must make an
 * image that opens, twice the same; each word of the input is then looked up,
 * and what is found must be a line of the list.
 *
 * fuzz: plugins/dns-filter/name.c plugins/dns-filter/rule.c
 * fuzz: plugins/dns-filter/adblock.c plugins/dns-filter/zone.c
 * fuzz: plugins/dns-filter/records.c plugins/dns-filter/regex.c
 * fuzz: plugins/dns-filter/image.c plugins/dns-filter/lookup.c
 * fuzz: plugins/dns-filter/build.c plugins/dns-filter/lists.c
 */
#include <ctype.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../plugins/dns-filter/lists.h"
#include "fuzz.h"

#define WORDS 64 /* looked up, of each input */

static int file_of(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(write(fd, data, size) == (ssize_t)size);
	return fd;
}

/* The list at path as an image; false if it cannot be one. */
static bool compile(const char *path, uint8_t kind, struct image *im)
{
	static const unsigned int flags[] = { 0, LIST_ALLOW, LIST_RECORDS,
					      LIST_RESOLVERS };
	struct lists l = { .tld = kind & 4, .plain_below = kind & 8 };
	const char *words[] = { path, NULL };
	uint64_t key[2] = { 1, 2 };
	int fd, err;

	FUZZ_CHECK(!lists_find(&l, words, ANSWER_ZERO, flags[kind & 3]));
	fd = memfd_create("image", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0);
	err = lists_compile(&l, fd, key, NULL);
	FUZZ_CHECK(!err || *l.error);
	if (!err)
		FUZZ_CHECK(!image_open(im, fd));
	close(fd);
	lists_fini(&l);
	return !err;
}

static void look_up(const struct image *im, const char *word, uint16_t type)
{
	struct match m = { .rank = RANK_NONE };
	const uint8_t *data;
	uint32_t at = 0, len;
	struct name n;
	uint16_t got;

	if (!name_split(&n, word))
		return;
	image_match(im, &n, type, &m);
	if (!m.rank)
		return;
	FUZZ_CHECK(!m.list && m.line && m.line <= im->lists[0].lines);
	if (m.answer == ANSWER_DATA)
		while (image_data(im, &m, type, &at, &got, &data, &len))
			FUZZ_CHECK(len && len <= RULE_DATA);
}

static void look_up_words(const struct image *im, const uint8_t *data,
			  size_t size)
{
	char word[NAME_HOST];
	size_t n = 0;
	int words = 0;

	for (size_t i = 0; i <= size && words < WORDS; i++) {
		if (i < size && n + 1 < sizeof(word) &&
		    (isalnum(data[i]) || (data[i] && strchr("-_.", data[i])))) {
			word[n++] = (char)tolower(data[i]);
			continue;
		}
		word[n] = '\0';
		if (n) {
			look_up(im, word, words & 1 ? 28 : 1);
			words++;
		}
		n = 0;
	}
}

static void look_up_addresses(const struct image *im, const uint8_t *data,
			      size_t size)
{
	uint8_t ip[16] = { 0 };

	memcpy(ip, data, size < 16 ? size : 16);
	for (int family = 4; family <= 6; family += 2)
		for (int resolvers = 0; resolvers < 2; resolvers++) {
			struct match m = { .rank = RANK_NONE };

			image_match_addr(im, ip, family, resolvers, &m);
			FUZZ_CHECK(!m.rank || m.line <= im->lists[0].lines);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image im, again;
	char path[32];
	uint8_t *copy;
	int fd;

	if (!size)
		return 0;
	copy = fuzz_copy(data + 1, size - 1);
	fd = file_of(copy, size - 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (compile(path, data[0], &im)) {
		FUZZ_CHECK(compile(path, data[0], &again));
		FUZZ_CHECK(im.size == again.size &&
			   !memcmp(im.map, again.map, im.size));
		image_close(&again);
		look_up_words(&im, copy, size - 1);
		look_up_addresses(&im, copy, size - 1);
		image_close(&im);
	}
	close(fd);
	free(copy);
	return 0;
}
