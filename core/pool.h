/* SPDX-License-Identifier: MIT */
/* pool.h - objects of one size, kept for the next use
 *
 * get is a pop, put is a push; memory comes in slabs.  Slabs that are wholly
 * free are given back by pool_trim(), which an idle gateway calls.  Objects
 * are not zeroed.  With sanitizers on, free objects are poisoned.
 */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "util.h"

struct pool {
	const char *name;
	size_t size; /* of an object, rounded up to 16 */
	uint32_t per_slab;
	uint32_t limit;      /* objects in use at most; 0: none */
	uint32_t used, high; /* now, and the most there were */
	size_t slab_align;   /* a power of two, at least the slab's size */
	struct list partial, full; /* slabs with and without free ones */
};

/* May not be copied once it is set up.
 * per_slab 0: as many as make about 64 KiB, at least one. */
void pool_init(struct pool *p, const char *name, size_t size, uint32_t per_slab,
	       uint32_t limit);
void pool_fini(struct pool *p);           /* asserts that it is empty */
void *pool_get(struct pool *p);           /* NULL: at the limit, or no memory */
void pool_put(struct pool *p, void *obj); /* NULL is fine */
void pool_trim(struct pool *p);

/* Any size, for a library that wants malloc and free on the packet path:
 * classes up to 4 KiB from pools, larger ones from malloc. */
void *pool_malloc(size_t size);
void pool_free(void *p);
size_t pool_malloc_used(void); /* objects out now */
void pool_malloc_trim(void);

#endif
