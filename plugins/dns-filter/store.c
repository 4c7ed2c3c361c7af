/* SPDX-License-Identifier: MIT */
/* store.c - where compiled lists are kept
 *
 *	DIR/0123456789abcdef.img	named after the paths and what is done
 *					with them, so that a list that changed
 *					replaces its old image, and instances
 *					with the same lists have one each
 *
 * The file is mapped, and all processes that use it share one copy.  It is
 * replaced by rename, never written in place: whoever has it mapped keeps the
 * one it has.  A folder or file that somebody else could have written to is
 * not used, and without a folder the image lives in memory alone.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_ours(const struct stat *st)
{
	return (st->st_uid == geteuid() || !st->st_uid) &&
	       !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* The folder, or -1. */
static int open_dir(const char *dir)
{
	struct stat st;
	int fd;

	if (!*dir)
		return -1;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (!fstat(fd, &st) && is_ours(&st))
		return fd;
	close(fd);
	return -1;
}

static void name_of(const struct lists *l, char *name, size_t len)
{
	uint64_t sum = (uint64_t)l->n << 2 | (uint64_t)l->tld << 1 |
		       (uint64_t)l->plain_below;

	for (size_t i = 0; i < l->n; i++) {
		const struct list *f = &l->v[i];
		uint64_t use = (uint64_t)f->answer << 32 | f->flags;

		sum = image_sum(sum ^ use, f->path, strlen(f->path) + 1);
		for (const char *const *r = f->rules; r && *r; r++)
			sum = image_sum(sum, *r, strlen(*r) + 1);
	}
	snprintf(name, len, "%016" PRIx64 ".img", sum);
}

static int open_kept(int dir, const char *name, const uint64_t key[2],
		     struct image *im)
{
	struct stat st;
	int fd, err;

	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) || !S_ISREG(st.st_mode) || !is_ours(&st) ?
		      -EBADMSG :
		      image_open(im, fd);
	close(fd);
	if (!err && memcmp(im->head->key, key, sizeof(im->head->key))) {
		image_close(im);
		err = -ESTALE;
	}
	return err;
}

static int compile(struct lists *l, int fd, const uint64_t key[2],
		   struct image *im, const atomic_bool *stop)
{
	int err = lists_compile(l, fd, key, stop);

	if (err)
		return err;
	err = image_open(im, fd);
	if (err)
		snprintf(l->error, sizeof(l->error),
			 "open the compiled lists: %s", strerror(-err));
	return err;
}

static int compile_in_memory(struct lists *l, const uint64_t key[2],
			     struct image *im, const atomic_bool *stop)
{
	int fd = memfd_create("sluice-lists", MFD_CLOEXEC), err;

	if (fd < 0) {
		err = -errno;
		snprintf(l->error, sizeof(l->error), "memory for the lists: %s",
			 strerror(-err));
		return err;
	}
	err = compile(l, fd, key, im, stop);
	close(fd);
	return err;
}

/* 1: not possible there; 0; or -errno of the lists themselves. */
static int compile_in_dir(struct lists *l, int dir, const char *name,
			  const uint64_t key[2], struct image *im,
			  const atomic_bool *stop)
{
	char temp[64];
	int fd, err;

	/* Instances read their lists again at once, each in its thread. */
	snprintf(temp, sizeof(temp), "%s.%ld", name, (long)syscall(SYS_gettid));
	unlinkat(dir, temp, 0);
	fd = openat(dir, temp,
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return 1;
	err = compile(l, fd, key, im, stop);
	close(fd);
	if (err == -ENOSPC || err == -EDQUOT || err == -EIO || err == -EFBIG)
		err = 1;
	if (err || renameat(dir, temp, dir, name))
		unlinkat(dir, temp, 0);
	return err;
}

int store_image(struct lists *l, const char *dir, struct image *im,
		const atomic_bool *stop, bool *kept)
{
	int fd = open_dir(dir), err = 1;
	uint64_t key[2];
	char name[32];

	lists_key(l, key);
	name_of(l, name, sizeof(name));
	*kept = fd >= 0 && !open_kept(fd, name, key, im);
	if (*kept)
		err = 0;
	else if (fd >= 0)
		err = compile_in_dir(l, fd, name, key, im, stop);
	if (err > 0)
		err = compile_in_memory(l, key, im, stop);
	if (fd >= 0)
		close(fd);
	return err;
}
