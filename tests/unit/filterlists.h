/* SPDX-License-Identifier: MIT */
/* filterlists.h - lists for the tests of dns-filter, from text to image */
#ifndef FILTERLISTS_H
#define FILTERLISTS_H

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../plugins/dns-filter/lists.h"
#include "unit.h"

struct filterlists {
	struct lists lists;
	struct image image;
	char path[4][32];
	size_t n;
};

static inline void filterlists_add(struct filterlists *f, const void *text,
				   size_t len, const char *prefix,
				   unsigned int flags)
{
	const char *words[2] = { NULL, NULL };
	char word[64];
	int fd;

	CU_ASSERT_FATAL(f->n < 4);
	strcpy(f->path[f->n], "/tmp/filterlists.XXXXXX");
	fd = mkstemp(f->path[f->n]);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_FATAL(write(fd, text, len) == (ssize_t)len);
	close(fd);
	snprintf(word, sizeof(word), "%s%s", prefix, f->path[f->n++]);
	words[0] = word;
	CU_ASSERT_EQUAL(lists_find(&f->lists, words, ANSWER_NXDOMAIN, flags),
			0);
}

/* 0 or what lists_compile() or image_open() says. */
static inline int filterlists_open(struct filterlists *f)
{
	int fd = memfd_create("lists", MFD_CLOEXEC), err;
	uint64_t key[2];

	CU_ASSERT_FATAL(fd >= 0);
	lists_key(&f->lists, key);
	err = lists_compile(&f->lists, fd, key, NULL);
	if (!err)
		err = image_open(&f->image, fd);
	close(fd);
	return err;
}

static inline void filterlists_end(struct filterlists *f)
{
	image_close(&f->image);
	lists_fini(&f->lists);
	for (size_t i = 0; i < f->n; i++)
		unlink(f->path[i]);
}

static inline struct match filterlists_match(const struct filterlists *f,
					     const char *text, uint16_t type)
{
	struct match m = { .rank = RANK_NONE };
	struct name n;

	if (name_split(&n, text))
		image_match(&f->image, &n, type, &m);
	return m;
}

#endif
