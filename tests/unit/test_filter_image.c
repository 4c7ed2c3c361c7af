/* SPDX-License-Identifier: MIT */
/* test_filter_image.c - images of rules: what is found in them, what wins,
 * and what becomes of files that are broken or made to be */
#include <errno.h>
#include <sys/stat.h>

#include "../../plugins/dns-filter/store.h"
#include "filterlists.h"

enum { A = 1 };

static uint64_t seed;

static uint32_t number(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % below;
}

/* Two to four labels out of few letters, so that many are near each other. */
static void make_name(char *out)
{
	uint32_t labels = 1 + number(3);

	for (uint32_t l = 0; l < labels; l++) {
		uint32_t n = 1 + number(4);

		while (n--)
			*out++ = "abcdef-0"[number(l ? 8 : 6)];
		*out++ = '.';
	}
	strcpy(out, number(2) ? "com" : "example");
}

#define NAMES 20000

static char (*known)[32];

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool is_known(const char *name)
{
	return bsearch(name, known, NAMES, sizeof(*known), by_text);
}

static void what_is_found_is_what_a_plain_set_finds(void)
{
	char *text = malloc(NAMES * 40), name[40];
	struct filterlists f = { .n = 0 };
	uint32_t hits = 0, wrong = 0;
	size_t at = 0;

	known = calloc(NAMES, sizeof(*known));
	CU_ASSERT_FATAL(text && known);
	seed = 7;
	for (int i = 0; i < NAMES; i++) {
		make_name(known[i]);
		at += (size_t)sprintf(text + at, "0.0.0.0 %s\n", known[i]);
	}
	qsort(known, NAMES, sizeof(*known), by_text);
	filterlists_add(&f, text, at, "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	for (int i = 0; i < 100000; i++) {
		make_name(name);
		hits += is_known(name);
		wrong += is_known(name) !=
			 !!filterlists_match(&f, name, A).rank;
	}
	for (int i = 0; i < NAMES; i++)
		wrong += !filterlists_match(&f, known[i], A).rank;
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(hits > 1000 && hits < 99000);
	CU_ASSERT_EQUAL(f.image.head->rules + f.image.head->same, NAMES);
	filterlists_end(&f);
	free(known);
	free(text);
}

static const char many[] = "||shop.example^\n"
			   "@@||cart.shop.example^\n"
			   "||ads.cart.shop.example^\n"
			   "||track.cart.shop.example^$important\n"
			   "@@||safe.track.cart.shop.example^$important\n"
			   "||two.shop.example^\n";

static void the_manual_says_what_wins(void)
{
	static const struct {
		const char *name;
		uint8_t rank;
		uint32_t line;
	} rows[] = {
		{ "shop.example", RANK_BLOCK, 1 },
		{ "x.shop.example", RANK_BLOCK, 1 },
		{ "cart.shop.example", RANK_ALLOW, 2 },
		{ "ads.cart.shop.example", RANK_ALLOW, 2 },
		{ "x.track.cart.shop.example", RANK_BLOCK_IMPORTANT, 4 },
		{ "safe.track.cart.shop.example", RANK_ALLOW_IMPORTANT, 5 },
		{ "x.two.shop.example", RANK_BLOCK, 6 },
		{ "other.example", RANK_NONE, 0 },
	};
	struct filterlists f = { .n = 0 };

	filterlists_add(&f, many, strlen(many), "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct match m = filterlists_match(&f, rows[i].name, A);

		CU_ASSERT_EQUAL(m.rank, rows[i].rank);
		CU_ASSERT_EQUAL(m.line, rows[i].line);
	}
	filterlists_end(&f);
}

static void files_come_after_the_configuration_and_records_first(void)
{
	static const char *const rules[] = { "||a.example^", "@@||b.example^",
					     NULL };
	static const char *const records[] = { "c.example=192.0.2.1", NULL };
	static const char text[] = "@@||a.example^$important\n"
				   "||b.example^$important\n"
				   "||c.example^$important\n";
	struct filterlists f = { .n = 0 };
	struct match m;

	CU_ASSERT_EQUAL(lists_inline(&f.lists, "rule", rules, ANSWER_ZERO, 0),
			0);
	CU_ASSERT_EQUAL(lists_inline(&f.lists, "record", records, ANSWER_ZERO,
				     LIST_RECORDS),
			0);
	filterlists_add(&f, text, strlen(text), "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	m = filterlists_match(&f, "a.example", A);
	CU_ASSERT_EQUAL(m.rank, RANK_BLOCK_INLINE);
	CU_ASSERT_EQUAL(m.answer, ANSWER_ZERO);
	CU_ASSERT_STRING_EQUAL(image_path(&f.image, m.list), "rule");
	CU_ASSERT_EQUAL(filterlists_match(&f, "b.example", A).rank,
			RANK_ALLOW_INLINE);
	CU_ASSERT_EQUAL(filterlists_match(&f, "c.example", A).rank,
			RANK_RECORD);
	filterlists_end(&f);
}

static void the_first_list_that_has_a_name_answers(void)
{
	static const char text[] = "||a.example^\n0.0.0.0 b.example\n";
	struct filterlists f = { .n = 0 };
	struct match m;

	filterlists_add(&f, text, strlen(text), "zero:", 0);
	filterlists_add(&f, text, strlen(text), "refused:", 0);
	filterlists_add(&f, "b.example\n", 10, "", LIST_ALLOW);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	m = filterlists_match(&f, "a.example", A);
	CU_ASSERT_EQUAL(m.answer, ANSWER_ZERO);
	CU_ASSERT_EQUAL(m.list, 0);
	CU_ASSERT_EQUAL(filterlists_match(&f, "b.example", A).rank, RANK_ALLOW);
	CU_ASSERT_EQUAL(f.image.head->same, 2);
	CU_ASSERT_EQUAL(f.image.lists[1].same, 2);
	filterlists_end(&f);
}

/* Everything an image can have in it. */
static const char all_kinds[] = "||a.example^\n||b.example^$dnstype=A\n"
				"||c.example^$denyallow=x.c.example\n"
				"d*.example\n*-e.*\n/^f[0-9]/\n192.0.2.0/24\n"
				"2001:db8::/32\n192.0.2.128/25\n"
				"g.example A 192.0.2.1\n##bad\n";

static void look_everywhere(const struct image *im)
{
	static const char *const names[] = {
		"a.example",  "z.a.example", "b.example",  "x.c.example",
		"d1.example", "x-e.example", "f1.example", "g.example",
	};
	const uint8_t ip[16] = { 192, 0, 2, 200 };
	struct name n;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct match m = { .rank = RANK_NONE };
		const uint8_t *data;
		uint32_t at = 0, len;
		uint16_t got;

		CU_ASSERT_FATAL(name_split(&n, names[i]));
		image_match(im, &n, A, &m);
		if (m.rank)
			CU_ASSERT(strlen(image_path(im, m.list)) < 4096);
		if (m.answer == ANSWER_DATA)
			while (image_data(im, &m, A, &at, &got, &data, &len))
				CU_ASSERT(data[0] == data[len - 1] || len);
	}
	for (int family = 4; family <= 6; family += 2) {
		struct match m = { .rank = RANK_NONE };

		image_match_addr(im, ip, family, false, &m);
		if (m.rank)
			CU_ASSERT(strlen(image_path(im, m.list)) < 4096);
	}
}

static uint8_t *image_bytes(const struct image *im)
{
	uint8_t *p = malloc(im->size);

	CU_ASSERT_FATAL(p != NULL);
	memcpy(p, im->map, im->size);
	return p;
}

/* 0 if it is believed; then it is searched, and closed. */
static int try_bytes(const uint8_t *p, size_t len)
{
	int fd = memfd_create("broken", MFD_CLOEXEC), err;
	struct image im;

	CU_ASSERT_FATAL(fd >= 0 && write(fd, p, len) == (ssize_t)len);
	err = image_open(&im, fd);
	close(fd);
	if (!err) {
		look_everywhere(&im);
		image_close(&im);
	}
	return err;
}

static void a_byte_that_changed_is_noticed(void)
{
	struct filterlists f = { .n = 0 };
	uint8_t *p;

	filterlists_add(&f, all_kinds, strlen(all_kinds), "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	p = image_bytes(&f.image);
	CU_ASSERT_EQUAL(try_bytes(p, f.image.size), 0);
	for (size_t i = sizeof(struct image_head); i < f.image.size; i++) {
		p[i] ^= 0x10;
		CU_ASSERT_EQUAL(try_bytes(p, f.image.size), -EBADMSG);
		p[i] ^= 0x10;
	}
	for (size_t n = 0; n < f.image.size; n++)
		CU_ASSERT_EQUAL(try_bytes(p, n), -EBADMSG);
	free(p);
	filterlists_end(&f);
}

/* With a sum that is right: refused, or searched without harm (which the
 * sanitizers see). */
static void an_image_made_to_harm_does_none(void)
{
	static const uint8_t values[] = { 0xff, 0x7f, 0x80, 0x01, 0 };
	struct filterlists f = { .n = 0 };
	unsigned int believed = 0, refused = 0;
	struct image_head *h;
	uint8_t *p;

	filterlists_add(&f, all_kinds, strlen(all_kinds), "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	p = image_bytes(&f.image);
	h = (struct image_head *)(void *)p;
	for (size_t i = 0; i < f.image.size; i++) {
		for (size_t v = 0; v < sizeof(values); v++) {
			uint8_t was = p[i];

			p[i] = values[v];
			h->sum = image_sum(0, h + 1, f.image.size - sizeof(*h));
			if (try_bytes(p, f.image.size))
				refused++;
			else
				believed++;
			p[i] = was;
		}
	}
	CU_ASSERT(believed && refused);
	free(p);
	filterlists_end(&f);
}

static void the_same_lists_give_the_same_bytes(void)
{
	struct filterlists f = { .n = 0 };
	uint8_t *first;
	size_t size;

	filterlists_add(&f, all_kinds, strlen(all_kinds), "", 0);
	filterlists_add(&f, many, strlen(many), "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	first = image_bytes(&f.image);
	size = f.image.size;
	image_close(&f.image);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	CU_ASSERT_EQUAL_FATAL(f.image.size, size);
	CU_ASSERT_EQUAL(memcmp(first, f.image.map, size), 0);
	free(first);
	filterlists_end(&f);
}

/* ------------------------------------------------------------------ files */

static void files_that_are_no_text_are_named(void)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *says;
	} rows[] = {
		{ "\x1f\x8b\x08\0\0\0\0\0", 8, "gunzip" },
		{ "\x28\xb5\x2f\xfd\0", 5, "unzstd" },
		{ "\xfd"
		  "7zXZ\0",
		  6, "unxz" },
		{ "PK\3\4", 4, "unzip" },
		{ "\xff\xfe"
		  "a\0",
		  4, "UTF-16" },
		{ "\xfe\xff"
		  "\0a",
		  4, "UTF-16" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct filterlists f = { .n = 0 };

		filterlists_add(&f, rows[i].bytes, rows[i].len, "", 0);
		CU_ASSERT_EQUAL(filterlists_open(&f), -EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(f.lists.error, rows[i].says));
		CU_ASSERT_PTR_NOT_NULL(strstr(f.lists.error, f.path[0]));
		filterlists_end(&f);
	}
}

static void bytes_that_are_no_line_cost_that_line_alone(void)
{
	static const char text[] = "\xef\xbb\xbf"
				   "a.example\r\n"
				   "\0\0\0\r\n"
				   "b.example\0x\n"
				   "c.example\n"
				   "\x80\xff\xfe\n"
				   "d.example";
	struct filterlists f = { .n = 0 };

	filterlists_add(&f, text, sizeof(text) - 1, "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	CU_ASSERT(filterlists_match(&f, "a.example", A).rank);
	CU_ASSERT_FALSE(filterlists_match(&f, "b.example", A).rank);
	CU_ASSERT_EQUAL(filterlists_match(&f, "c.example", A).line, 4);
	CU_ASSERT_EQUAL(filterlists_match(&f, "d.example", A).line, 6);
	CU_ASSERT_EQUAL(f.image.head->refused, 3);
	CU_ASSERT_EQUAL(f.image.lists[0].lines, 6);
	filterlists_end(&f);
}

#define LONG (3u << 20)

static void a_line_without_end_is_skipped(void)
{
	struct filterlists f = { .n = 0 };
	char *text = malloc(LONG + 64);
	size_t at;

	CU_ASSERT_FATAL(text != NULL);
	at = (size_t)sprintf(text, "a.example\n");
	memset(text + at, 'x', LONG);
	at += LONG;
	at += (size_t)sprintf(text + at, ".example\nb.example\n");
	filterlists_add(&f, text, at, "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	CU_ASSERT(filterlists_match(&f, "a.example", A).rank);
	CU_ASSERT_EQUAL(filterlists_match(&f, "b.example", A).line, 3);
	CU_ASSERT_EQUAL(f.image.head->refused, 1);
	CU_ASSERT_EQUAL(f.image.bad[0].why, RULE_LONG);
	CU_ASSERT_EQUAL(f.image.bad[0].line, 2);
	filterlists_end(&f);
	free(text);
}

static void names_are_as_long_as_names_may_be(void)
{
	struct filterlists f = { .n = 0 };
	char name[300] = "", text[1024];

	for (int i = 0; i < 3; i++) {
		memset(name + strlen(name), 'a' + i, 63);
		strcat(name, ".");
	}
	memset(name + strlen(name), 'd', 61);
	CU_ASSERT_EQUAL_FATAL(strlen(name), 253);
	sprintf(text, "%s\nx%s\n%.63s.example\nx%.63s.example\n", name, name,
		name, name);
	filterlists_add(&f, text, strlen(text), "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	CU_ASSERT_EQUAL(filterlists_match(&f, name, A).line, 1);
	CU_ASSERT_EQUAL(f.image.head->refused, 2);
	CU_ASSERT_EQUAL(f.image.bad[0].line, 2);
	CU_ASSERT_EQUAL(f.image.bad[1].line, 4);
	filterlists_end(&f);
}

static void only_so_many_patterns_are_taken(void)
{
	struct filterlists f = { .n = 0 };
	char *text = malloc((IMAGE_GLOBS + 10) * 24);
	size_t at = 0;

	CU_ASSERT_FATAL(text != NULL);
	for (unsigned int i = 0; i < IMAGE_GLOBS + 10; i++)
		at += (size_t)sprintf(text + at, "a%u*.example\n", i);
	filterlists_add(&f, text, at, "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	CU_ASSERT_EQUAL(f.image.head->refused, 10);
	CU_ASSERT_EQUAL(f.image.head->bad, 10);
	CU_ASSERT_EQUAL(f.image.bad[0].why, RULE_MANY);
	CU_ASSERT(filterlists_match(&f, "a77x.example", A).rank);
	filterlists_end(&f);
	free(text);
}

/* So that a list cannot make one name slow. */
static void a_name_has_only_so_many_conditions(void)
{
	const size_t each = strlen("||x.com^$dnstype=A\n");
	const size_t n = IMAGE_GLOBS + 100;
	char *text = malloc(n * each + 32);
	struct filterlists f = { .n = 0 };

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * each, "||x.com^$dnstype=A\n", each);
	strcpy(text + n * each, "||y.com^$dnstype=A\n");
	filterlists_add(&f, text, strlen(text), "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	CU_ASSERT_EQUAL(f.image.head->entries, IMAGE_GLOBS + 1);
	CU_ASSERT_EQUAL(f.image.head->rules, IMAGE_GLOBS + 1);
	CU_ASSERT_EQUAL(f.image.head->refused, 100);
	CU_ASSERT_EQUAL(filterlists_match(&f, "x.com", A).line, 1);
	CU_ASSERT_EQUAL(filterlists_match(&f, "y.com", A).line, n + 1);
	CU_ASSERT_EQUAL(filterlists_match(&f, "y.com", 28).rank, 0);
	filterlists_end(&f);
	free(text);
}

static void a_file_that_is_not_there_is_named(void)
{
	static const char *const words[] = { "/nonexistent/list.txt", NULL };
	static const char *const folder[] = { "/tmp", NULL };
	static const char *const pattern[] = { "/nonexistent/*.txt", NULL };
	struct lists l = { .n = 0 };

	CU_ASSERT_EQUAL(lists_find(&l, words, ANSWER_ZERO, 0), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(l.error, "/nonexistent/list.txt"));
	lists_fini(&l);
	CU_ASSERT_EQUAL(lists_find(&l, folder, ANSWER_ZERO, 0), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(l.error, "folder"));
	lists_fini(&l);
	CU_ASSERT_EQUAL(lists_find(&l, pattern, ANSWER_ZERO, 0), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(l.error, "/nonexistent/*.txt"));
	lists_fini(&l);
}

static void compiling_can_be_stopped(void)
{
	struct filterlists f = { .n = 0 };
	atomic_bool stop = true;
	uint64_t key[2] = { 0, 0 };
	int fd = memfd_create("lists", MFD_CLOEXEC);

	filterlists_add(&f, many, strlen(many), "", 0);
	CU_ASSERT_EQUAL(lists_compile(&f.lists, fd, key, &stop), -ECANCELED);
	close(fd);
	filterlists_end(&f);
}

/* ------------------------------------------------------------------ store */

static const char *only_file(const char *dir)
{
	static char path[128];
	char command[160];
	FILE *p;

	snprintf(command, sizeof(command), "echo %s/*.img*", dir);
	p = popen(command, "r");
	CU_ASSERT_FATAL(p && fgets(path, sizeof(path), p));
	pclose(p);
	path[strcspn(path, "\n")] = '\0';
	CU_ASSERT_PTR_NULL(strchr(path, ' '));
	return path;
}

static void an_image_is_kept_until_a_list_changes(void)
{
	char dir[] = "/tmp/filterstore.XXXXXX";
	struct filterlists f = { .n = 0 };
	struct stat before, after;
	const char *path;
	bool kept;
	FILE *file;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	filterlists_add(&f, many, strlen(many), "", 0);
	CU_ASSERT_EQUAL(store_image(&f.lists, dir, &f.image, NULL, &kept), 0);
	CU_ASSERT_FALSE(kept);
	image_close(&f.image);
	path = only_file(dir);
	CU_ASSERT_EQUAL(stat(path, &before), 0);

	CU_ASSERT_EQUAL(store_image(&f.lists, dir, &f.image, NULL, &kept), 0);
	CU_ASSERT(kept);
	CU_ASSERT_EQUAL(filterlists_match(&f, "shop.example", A).line, 1);
	image_close(&f.image);

	/* Broken: made anew. */
	CU_ASSERT_EQUAL(truncate(path, before.st_size - 1), 0);
	CU_ASSERT_EQUAL(store_image(&f.lists, dir, &f.image, NULL, &kept), 0);
	CU_ASSERT_FALSE(kept);
	image_close(&f.image);
	CU_ASSERT_EQUAL(stat(only_file(dir), &after), 0);
	CU_ASSERT_EQUAL(after.st_size, before.st_size);

	/* Somebody could have written to it: not believed. */
	CU_ASSERT_EQUAL(chmod(path, 0666), 0);
	CU_ASSERT_EQUAL(store_image(&f.lists, dir, &f.image, NULL, &kept), 0);
	CU_ASSERT_FALSE(kept);
	image_close(&f.image);

	/* The list changed, and is as long as it was. */
	file = fopen(f.path[0], "r+");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs("||coop", file);
	fclose(file);
	CU_ASSERT_EQUAL(stat(f.path[0], &f.lists.v[0].st), 0);
	CU_ASSERT_EQUAL(store_image(&f.lists, dir, &f.image, NULL, &kept), 0);
	CU_ASSERT_FALSE(kept);
	CU_ASSERT_EQUAL(filterlists_match(&f, "coop.example", A).line, 1);
	unlink(only_file(dir));
	CU_ASSERT_EQUAL(rmdir(dir), 0);
	filterlists_end(&f);
}

static void lists_used_otherwise_have_an_image_of_their_own(void)
{
	char dir[] = "/tmp/filterstore.XXXXXX", command[64];
	struct filterlists f = { .n = 0 };
	static const char *const rules[] = { "||rule.example^", NULL };
	bool kept;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	filterlists_add(&f, many, strlen(many), "", 0);
	for (int i = 0; i < 8; i++) {
		f.lists.v[0].answer = i & 1 ? ANSWER_ZERO : ANSWER_NXDOMAIN;
		f.lists.plain_below = i & 2;
		if (i == 4)
			CU_ASSERT_EQUAL(lists_inline(&f.lists, "rule", rules,
						     ANSWER_ZERO, 0),
					0);
		CU_ASSERT_EQUAL(
			store_image(&f.lists, dir, &f.image, NULL, &kept), 0);
		CU_ASSERT_FALSE(kept);
		image_close(&f.image);
	}
	/* What was made later has replaced none of them. */
	f.lists.plain_below = false;
	f.lists.v[0].answer = ANSWER_NXDOMAIN;
	CU_ASSERT_EQUAL(store_image(&f.lists, dir, &f.image, NULL, &kept), 0);
	CU_ASSERT(kept);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	CU_ASSERT_EQUAL(system(command), 0);
	filterlists_end(&f);
}

static void a_folder_for_everybody_is_not_used(void)
{
	char dir[] = "/tmp/filterstore.XXXXXX";
	struct filterlists f = { .n = 0 };
	bool kept;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	CU_ASSERT_EQUAL(chmod(dir, 0777), 0);
	filterlists_add(&f, many, strlen(many), "", 0);
	CU_ASSERT_EQUAL(store_image(&f.lists, dir, &f.image, NULL, &kept), 0);
	CU_ASSERT(filterlists_match(&f, "shop.example", A).rank);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
	image_close(&f.image);
	CU_ASSERT_EQUAL(store_image(&f.lists, dir, &f.image, NULL, &kept), 0);
	filterlists_end(&f);
}

static const struct unit_test tests[] = {
	UNIT(what_is_found_is_what_a_plain_set_finds),
	UNIT(the_manual_says_what_wins),
	UNIT(files_come_after_the_configuration_and_records_first),
	UNIT(the_first_list_that_has_a_name_answers),
	UNIT(a_byte_that_changed_is_noticed),
	UNIT(an_image_made_to_harm_does_none),
	UNIT(the_same_lists_give_the_same_bytes),
	UNIT(files_that_are_no_text_are_named),
	UNIT(bytes_that_are_no_line_cost_that_line_alone),
	UNIT(a_line_without_end_is_skipped),
	UNIT(names_are_as_long_as_names_may_be),
	UNIT(only_so_many_patterns_are_taken),
	UNIT(a_name_has_only_so_many_conditions),
	UNIT(a_file_that_is_not_there_is_named),
	UNIT(compiling_can_be_stopped),
	UNIT(an_image_is_kept_until_a_list_changes),
	UNIT(lists_used_otherwise_have_an_image_of_their_own),
	UNIT(a_folder_for_everybody_is_not_used),
};

UNIT_MAIN("filter images", tests)
