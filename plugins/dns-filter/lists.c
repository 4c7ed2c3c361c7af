/* SPDX-License-Identifier: MIT */
/* lists.c - the files of lists: which, and what is in them
 *
 * A file is read in pieces, and a line is looked at where it stands in the
 * buffer; one that is longer than any rule is skipped to its end, however far
 * that is.
 */
#include "lists.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build.h"
#include "regex.h"

#define PIECE (256u * 1024)

static int fail(struct lists *l, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct lists *l, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->error, sizeof(l->error), fmt, ap);
	va_end(ap);
	return -err;
}

/* ------------------------------------------------------------------ which */

enum answer lists_answer(const char **word, enum answer preset)
{
	static const struct {
		const char *prefix;
		enum answer answer;
	} answers[] = {
		{ "nxdomain:", ANSWER_NXDOMAIN },
		{ "nodata:", ANSWER_NODATA },
		{ "zero:", ANSWER_ZERO },
		{ "refused:", ANSWER_REFUSED },
		{ "drop:", ANSWER_DROP },
		{ "address:", ANSWER_ADDRESS },
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		size_t n = strlen(answers[i].prefix);

		if (strncmp(*word, answers[i].prefix, n))
			continue;
		*word += n;
		return answers[i].answer;
	}
	return preset;
}

static struct list *list_add(struct lists *l, const char *path,
			     enum answer answer, unsigned int flags)
{
	struct list *v = l->v;

	if (l->n == l->cap) {
		v = realloc(v, (l->cap * 2 + 8) * sizeof(*v));
		if (!v)
			return NULL;
		l->v = v;
		l->cap = l->cap * 2 + 8;
	}
	v = &l->v[l->n];
	memset(v, 0, sizeof(*v));
	v->path = strdup(path);
	v->answer = answer;
	v->flags = flags;
	if (!v->path)
		return NULL;
	l->n++;
	return v;
}

static int add_file(struct lists *l, const char *path, enum answer answer,
		    unsigned int flags)
{
	struct list *f;

	if (l->n == IMAGE_LISTS)
		return fail(l, E2BIG, "%s: more than %u lists", path,
			    IMAGE_LISTS);
	f = list_add(l, path, answer, flags);
	if (!f)
		return fail(l, ENOMEM, "%s: no memory", path);
	if (stat(path, &f->st))
		return fail(l, errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(f->st.st_mode))
		return fail(l, EINVAL, "%s: is no file%s", path,
			    S_ISDIR(f->st.st_mode) ?
				    ", but a folder: say which files of it, "
				    "as in /*.txt" :
				    "");
	return 0;
}

static int add_matches(struct lists *l, const char *pattern, enum answer answer,
		       unsigned int flags)
{
	glob_t g;
	int err;

	errno = 0;
	err = glob(pattern, GLOB_ERR, NULL, &g);
	if (err == GLOB_NOMATCH)
		return fail(l, ENOENT,
			    "%s: no file is there: give the path of one, or a "
			    "pattern that matches some",
			    pattern);
	if (err == GLOB_NOSPACE || !errno)
		errno = err ? ENOMEM : 0;
	if (err)
		return fail(l, errno, "%s: %s", pattern, strerror(errno));
	for (size_t i = 0; i < g.gl_pathc && !err; i++)
		err = add_file(l, g.gl_pathv[i], answer, flags);
	globfree(&g);
	return err;
}

int lists_find(struct lists *l, const char *const *words, enum answer preset,
	       unsigned int flags)
{
	int err = 0;

	for (; *words && !err; words++) {
		const char *path = *words;
		enum answer answer = preset;

		if (!(flags & (LIST_ALLOW | LIST_RECORDS)))
			answer = lists_answer(&path, preset);
		err = strpbrk(path, "*?[") ?
			      add_matches(l, path, answer, flags) :
			      add_file(l, path, answer, flags);
	}
	return err;
}

int lists_inline(struct lists *l, const char *key, const char *const *rules,
		 enum answer answer, unsigned int flags)
{
	struct list *f;

	if (!*rules)
		return 0;
	f = list_add(l, key, answer, flags | LIST_INLINE);
	if (!f)
		return fail(l, ENOMEM, "%s: no memory", key);
	f->rules = rules;
	return 0;
}

void lists_fini(struct lists *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].path);
	free(l->v);
	memset(l, 0, sizeof(*l));
}

/* -------------------------------------------------------------------- key */

struct keyed {
	int64_t size, s, ns, cs, cns;
	uint64_t inode, device;
	uint32_t answer, flags;
};

static void key_text(uint64_t key[2], const char *text)
{
	size_t n = strlen(text) + 1;

	key[0] = image_sum(key[0], text, n);
	key[1] = image_sum(key[1] + 1, text, n);
}

void lists_key(const struct lists *l, uint64_t key[2])
{
	bool regex, off;

	regex = regex_check("x", 1, &off);
	key[0] = (uint64_t)l->tld << 2 | (uint64_t)l->plain_below << 1 | regex;
	key[1] = ~key[0];
	for (size_t i = 0; i < l->n; i++) {
		const struct list *f = &l->v[i];
		struct keyed k = {
			.size = f->st.st_size,
			.s = f->st.st_mtim.tv_sec,
			.ns = f->st.st_mtim.tv_nsec,
			.cs = f->st.st_ctim.tv_sec,
			.cns = f->st.st_ctim.tv_nsec,
			.inode = f->st.st_ino,
			.device = f->st.st_dev,
			.answer = f->answer,
			.flags = f->flags,
		};

		key_text(key, f->path);
		key[0] = image_sum(key[0], &k, sizeof(k));
		key[1] = image_sum(key[1] + 1, &k, sizeof(k));
		for (const char *const *r = f->rules; r && *r; r++)
			key_text(key, *r);
	}
}

/* ---------------------------------------------------------------- reading */

struct reader {
	struct build *b;
	struct rule_reader rule;
	bool skip; /* the rest of a line that is too long */
	char line[RULE_LINE];
};

static int add_rule(void *arg, const struct rule *r)
{
	return build_add(arg, r);
}

static void read_line(struct reader *rd, const char *p, size_t len)
{
	enum rule_why why;

	rd->b->line++;
	if (rd->skip) {
		rd->skip = false;
		build_refuse(rd->b, RULE_LONG);
		return;
	}
	if (len >= sizeof(rd->line)) {
		build_refuse(rd->b, RULE_LONG);
		return;
	}
	memcpy(rd->line, p, len);
	why = rule_read(&rd->rule, rd->line, len);
	if (why >= RULE_BAD)
		build_refuse(rd->b, why);
}

/* The lines that are whole; what is left over is moved to the front.  At the
 * end of the file that is a line as well. */
static size_t read_lines(struct reader *rd, char *buf, size_t n, bool end)
{
	char *p = buf, *stop = buf + n, *nl;

	while ((nl = memchr(p, '\n', (size_t)(stop - p)))) {
		read_line(rd, p, (size_t)(nl - p));
		p = nl + 1;
	}
	n = (size_t)(stop - p);
	if (end && (n || rd->skip))
		read_line(rd, p, n);
	/* No rule is as long as this: its end will be a line of its own. */
	if (n >= RULE_LINE) {
		rd->skip = true;
		return 0;
	}
	memmove(buf, p, n);
	return n;
}

/* What a file begins with, when it is no text.  *from is after a mark that
 * says it is. */
static const char *other_than_text(const uint8_t *p, size_t n, size_t *from)
{
	*from = 0;
	if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b)
		return "is compressed: unpack it first (gunzip)";
	if (n >= 4 && !memcmp(p, "\x28\xb5\x2f\xfd", 4))
		return "is compressed: unpack it first (unzstd)";
	if (n >= 6 && !memcmp(p,
			      "\xfd"
			      "7zXZ\0",
			      6))
		return "is compressed: unpack it first (unxz)";
	if (n >= 2 && !memcmp(p, "PK", 2))
		return "is compressed: unpack it first (unzip)";
	if (n >= 2 && (!memcmp(p, "\xff\xfe", 2) || !memcmp(p, "\xfe\xff", 2)))
		return "is UTF-16: lists are ASCII or UTF-8";
	if (n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
		*from = 3;
	return NULL;
}

static int read_pieces(struct lists *l, struct reader *rd, const char *path,
		       int fd, char *buf, const atomic_bool *stop)
{
	size_t have = 0, from = 0;
	bool first = true;
	const char *what;
	ssize_t n;

	for (;;) {
		n = read(fd, buf + have, PIECE - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(l, errno, "%s: %s", path, strerror(errno));
		if (stop && atomic_load(stop))
			return fail(l, ECANCELED, "stopped");
		have += (size_t)n;
		if (first) {
			what = other_than_text((uint8_t *)buf, have, &from);
			if (what)
				return fail(l, EINVAL, "%s: %s", path, what);
			first = false;
		}
		have = from + read_lines(rd, buf + from, have - from, !n);
		if (from) { /* a mark is at the very beginning only */
			memmove(buf, buf + from, have - from);
			have -= from;
			from = 0;
		}
		if (!n)
			return 0;
		if (rd->b->line >= IMAGE_LINES - PIECE)
			return fail(l, E2BIG, "%s: more than %u lines", path,
				    IMAGE_LINES - PIECE);
	}
}

static int read_file(struct lists *l, struct reader *rd, const struct list *f,
		     const atomic_bool *stop)
{
	char *buf;
	int fd, err;

	fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return fail(l, errno, "%s: %s", f->path, strerror(errno));
	buf = malloc(PIECE);
	err = buf ? read_pieces(l, rd, f->path, fd, buf, stop) :
		    fail(l, ENOMEM, "%s: no memory", f->path);
	free(buf);
	close(fd);
	return err;
}

static int read_list(struct lists *l, struct build *b, const struct list *f,
		     const atomic_bool *stop)
{
	struct reader *rd = calloc(1, sizeof(*rd));
	int err = 0;

	if (!rd)
		return fail(l, ENOMEM, "%s: no memory", f->path);
	rd->b = b;
	rd->rule.tld = l->tld || f->flags & LIST_INLINE;
	rd->rule.plain_below = l->plain_below || f->flags & LIST_INLINE;
	rd->rule.allow = f->flags & LIST_ALLOW;
	rd->rule.records = f->flags & LIST_RECORDS;
	rd->rule.add = add_rule;
	rd->rule.arg = b;
	for (const char *const *r = f->rules; r && *r; r++)
		read_line(rd, *r, strlen(*r));
	if (!f->rules)
		err = read_file(l, rd, f, stop);
	((struct image_list *)b->lists.v + b->list)->lines = b->line;
	free(rd);
	return err;
}

int lists_compile(struct lists *l, int fd, const uint64_t key[2],
		  const atomic_bool *stop)
{
	struct build b;
	int err = 0;

	build_init(&b);
	for (size_t i = 0; i < l->n && !err; i++) {
		const struct list *f = &l->v[i];

		err = build_list(&b, f->path, f->answer, f->flags);
		if (err)
			fail(l, -err, "%s: %s", f->path, strerror(-err));
		else
			err = read_list(l, &b, f, stop);
	}
	if (!err) {
		err = build_write(&b, fd, key);
		if (err)
			fail(l, -err, "write the compiled lists: %s",
			     strerror(-err));
	}
	build_fini(&b);
	return err;
}
