/* SPDX-License-Identifier: MIT */
/* dns_lists.c - lists of dns-filter: time, memory, and whether they are right
 *
 *	dns_lists [RULES [FILE...]]
 *
 * Without files a list is made from a seed, in the shapes of real ones: two to
 * five labels, short ones more often; one name in seven below a common parent;
 * one in a hundred internationalised; one line in a thousand garbage.  Every
 * look-up of names that are not made into rules is held against a plain set.
 *
 * It prints a line for each figure.  With files nothing can be known about
 * what should be found, and only times are told.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "../../plugins/dns-filter/lists.h"
#include "../../plugins/dns-filter/store.h"

#define ASKED   200000u /* look-ups */
#define PARENTS 2000u
#define NAME    80

static uint64_t seed = 42;

static uint32_t number(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % below;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static char *add_label(char *p)
{
	uint32_t n = 3 + number(10);

	if (!number(100))
		p += sprintf(p, "xn--");
	while (n--)
		*p++ = "abcdefghijklmnopqrstuvwxyz0123456789"[number(36)];
	*p = '\0';
	return p;
}

/* Labels before the last two: none half of the time, and so on (Zipf). */
static void make_name(char *name, char (*parents)[NAME])
{
	static const char *const ends[] = { "com", "net",   "org", "info",
					    "xyz", "co.uk", "de",  "ru" };
	char *p = name;

	for (uint32_t more = 0; more < 3 && !number(2 + more); more++) {
		p = add_label(p);
		*p++ = '.';
	}
	if (parents && !number(7)) {
		p = add_label(p);
		sprintf(p, ".%s", parents[number(PARENTS)]);
		return;
	}
	p = add_label(p);
	sprintf(p, ".%s", ends[number(8)]);
}

static void add_garbage(FILE *f)
{
	static const char *const lines[] = {
		"\t \t\n",
		"ads..example\n",
		"0.0.0.0\tname-of-sixty-four-bytes-aaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaa.com\n",
		"###\n",
		"\xef\xbb\xbf"
		"bom.example\n",
		"a b c\n",
		"example.com##.ad\n",
		"||example.com/path\n",
	};

	fputs(lines[number(8)], f);
	if (!number(8))
		fwrite("a\0b\n", 1, 4, f);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static char (*make_list(const char *path, size_t rules))[NAME]
{
	char(*names)[NAME] = calloc(rules, NAME);
	char(*parents)[NAME] = calloc(PARENTS, NAME);
	FILE *f = fopen(path, "w");

	if (!names || !parents || !f)
		err(1, "%s", path);
	for (uint32_t i = 0; i < PARENTS; i++)
		make_name(parents[i], NULL);
	for (size_t i = 0; i < rules; i++) {
		make_name(names[i], parents);
		fprintf(f, "0.0.0.0 %s%s\n", names[i], number(50) ? "" : "\r");
		if (!number(1000))
			add_garbage(f);
	}
	if (fclose(f))
		err(1, "%s", path);
	free(parents);
	qsort(names, rules, NAME, by_text);
	return names;
}

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Names looked up in groups, since one takes about as long as the clock does;
 * the median of the groups. */
static void time_lookups(const struct image *im, char (*asked)[NAME])
{
	enum { GROUP = 20 };
	static double took[ASKED / GROUP];
	unsigned int found = 0;

	for (size_t g = 0; g < ASKED / GROUP; g++) {
		double t = now();

		for (size_t i = 0; i < GROUP; i++) {
			struct match m = { .rank = RANK_NONE };
			struct name n;

			if (name_split(&n, asked[g * GROUP + i]))
				image_match(im, &n, 1, &m);
			found += m.rank != RANK_NONE;
		}
		took[g] = (now() - t) * 1e6 / GROUP;
	}
	qsort(took, ASKED / GROUP, sizeof(*took), by_number);
	printf("look-up %.0f ns median, %.0f ns 99 %%, %u of %u found\n",
	       took[ASKED / GROUP / 2], took[ASKED / GROUP * 99 / 100], found,
	       ASKED);
}

static int check(const struct image *im, char (*names)[NAME], size_t rules,
		 char (*asked)[NAME])
{
	unsigned int wrong_yes = 0, wrong_no = 0;

	for (size_t i = 0; i < ASKED; i++) {
		struct match m = { .rank = RANK_NONE };
		bool there = bsearch(asked[i], names, rules, NAME, by_text);
		struct name n;

		if (name_split(&n, asked[i]))
			image_match(im, &n, 1, &m);
		wrong_yes += m.rank && !there;
		wrong_no += !m.rank && there;
	}
	printf("against a plain set of %zu names: %u found that are not "
	       "there, %u not found that are\n",
	       rules, wrong_yes, wrong_no);
	return wrong_yes || wrong_no;
}

static long peak_kib(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static void compile(struct lists *l, const char *dir, struct image *im)
{
	long before = peak_kib();
	bool kept;
	double t = now();

	if (store_image(l, dir, im, NULL, &kept))
		errx(1, "%s", l->error);
	printf("compile %.0f ms, %u rules, %u said twice, %u lines not used\n",
	       now() - t, im->head->rules, im->head->same, im->head->refused);
	printf("image %.2f MB, %.1f bytes a rule; %ld MB more memory at the "
	       "peak\n",
	       (double)im->size / 1e6,
	       (double)im->size / (im->head->rules ? im->head->rules : 1),
	       (peak_kib() - before) / 1024);
	image_close(im);
	t = now();
	if (store_image(l, dir, im, NULL, &kept) || !kept)
		errx(1, "the compiled lists were not kept");
	printf("load what is compiled %.2f ms\n", now() - t);
}

int main(int argc, char **argv)
{
	size_t rules = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
	char dir[] = "/tmp/dns_lists.XXXXXX", path[64], command[64];
	char(*names)[NAME] = NULL, (*asked)[NAME] = calloc(ASKED, NAME);
	const char *made[2] = { path, NULL };
	struct lists l = { .n = 0 };
	struct image im;
	int status = 0;

	if (!rules || !asked || !mkdtemp(dir))
		errx(1, "dns_lists [RULES [FILE...]]");
	snprintf(path, sizeof(path), "%s/list", dir);
	if (argc <= 2)
		names = make_list(path, rules);
	if (lists_find(&l, argc > 2 ? (const char *const *)argv + 2 : made,
		       ANSWER_NXDOMAIN, 0))
		errx(1, "%s", l.error);
	compile(&l, dir, &im);
	for (size_t i = 0; i < ASKED; i++) {
		if (names && i % 2)
			memcpy(asked[i], names[number((uint32_t)rules)], NAME);
		else
			make_name(asked[i], NULL);
	}
	time_lookups(&im, asked);
	if (names)
		status = check(&im, names, rules, asked);
	image_close(&im);
	lists_fini(&l);
	free(names);
	free(asked);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command) || status;
}
