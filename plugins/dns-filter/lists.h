/* SPDX-License-Identifier: MIT */
/* lists.h - the files of lists: which, and what is in them
 *
 *	lists_find()     names, patterns expanded; who they are (size, time)
 *	lists_key()      a number for all that the image depends on
 *	lists_compile()  read them, into an image
 *
 * Files are hostile: of any size, of any bytes.  What is wrong with a line is
 * kept with the image, and the rest of the file counts.
 */
#ifndef DNS_FILTER_LISTS_H
#define DNS_FILTER_LISTS_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "image.h"

struct list {
	char *path;
	enum answer answer;
	unsigned int flags;       /* LIST_* */
	const char *const *rules; /* LIST_INLINE: these, no file */
	struct stat st;
};

struct lists {
	struct list *v;
	size_t n, cap;
	bool tld, plain_below;
	char error[256]; /* what could not be done */
};

/* The answer that a list begins with, as in "zero:/etc/ads.txt", which is cut
 * off *word; otherwise the preset. */
enum answer lists_answer(const char **word, enum answer preset);

/* Files for words, as block and allow have them.  0 or -errno with a sentence
 * in l->error. */
int lists_find(struct lists *l, const char *const *words, enum answer preset,
	       unsigned int flags);
/* Rules or records of the configuration itself, from the key of that name. */
int lists_inline(struct lists *l, const char *key, const char *const *rules,
		 enum answer answer, unsigned int flags);
void lists_fini(struct lists *l);

void lists_key(const struct lists *l, uint64_t key[2]);
/* Into fd, which is empty; *stop ends it with -ECANCELED.  0 or -errno with a
 * sentence in l->error. */
int lists_compile(struct lists *l, int fd, const uint64_t key[2],
		  const atomic_bool *stop);

#endif
