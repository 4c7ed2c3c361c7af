/* SPDX-License-Identifier: MIT */
/* pool.c - objects of one size, kept for the next use
 *
 * A slab is a piece of memory that begins at a multiple of its size (of the
 * next power of two, to be exact), so that the address of an object tells
 * its slab:
 *
 *	+--------+-----+-----+-----+-----+-----+
 *	| header | obj | obj | obj |  never used
 *	+--------+-----+-----+-----+-----+-----+
 *	             free ----^     ^---- fresh
 *
 * Objects that were never handed out are not touched, and so are no memory
 * yet.  Given back, they are a stack: the next one out is the warmest.
 *
 * Slabs are mappings of their own, not of malloc: what a flood needed goes
 * back to the system when it is over, whatever was allocated after it.
 */
#include "pool.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define POOL_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_POISON 1
#endif
#endif
#ifdef POOL_POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define ALIGN      16u
#define SLAB_BYTES (64u * 1024)

struct pool_slab {
	struct list node;       /* in partial or full */
	struct pool_slab *self; /* a wrong pointer does not have that */
	void *free;             /* each holds the next one */
	uint32_t used, fresh;   /* fresh: how many were ever handed out */
};

/* Objects begin on a cache line. */
#define SLAB_HEAD ((sizeof(struct pool_slab) + 63) & ~(size_t)63)

static size_t slab_size(const struct pool *p)
{
	return SLAB_HEAD + p->per_slab * p->size;
}

void pool_init(struct pool *p, const char *name, size_t size, uint32_t per_slab,
	       uint32_t limit)
{
	*p = (struct pool){ .name = name, .limit = limit };
	p->size = (MAX(size, sizeof(void *)) + ALIGN - 1) &
		  ~(size_t)(ALIGN - 1);
	if (!per_slab)
		per_slab = (uint32_t)((SLAB_BYTES - SLAB_HEAD) / p->size);
	p->per_slab = MAX(per_slab, 1);
	for (p->slab_align = 4096; p->slab_align < slab_size(p);)
		p->slab_align *= 2;
	list_init(&p->partial);
	list_init(&p->full);
}

/* Whole pages. */
static size_t map_size(const struct pool *p)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (slab_size(p) + page - 1) & ~(page - 1);
}

/* More than that is mapped, for a piece that begins where it must; what is
 * around it goes back at once. */
static void *map_aligned(size_t size, size_t align)
{
	size_t all = size + align, before;
	char *mem = mmap(NULL, all, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)mem & (align - 1);
	if (before)
		munmap(mem, before);
	munmap(mem + before + size, all - before - size);
	return mem + before;
}

static struct pool_slab *slab_new(struct pool *p)
{
	void *mem = map_aligned(map_size(p), p->slab_align);
	struct pool_slab *s = mem;

	if (!mem)
		return NULL;
	s->self = s;
	s->free = NULL;
	s->used = s->fresh = 0;
	ASAN_POISON_MEMORY_REGION((char *)mem + SLAB_HEAD,
				  slab_size(p) - SLAB_HEAD);
	list_init(&s->node);
	list_add_tail(&p->partial, &s->node);
	return s;
}

static void slab_free(struct pool *p, struct pool_slab *s)
{
	list_del(&s->node);
	s->self = NULL;
	ASAN_UNPOISON_MEMORY_REGION((char *)s, slab_size(p));
	munmap(s, map_size(p));
}

void *pool_get(struct pool *p)
{
	struct pool_slab *s;
	void *obj;

	if (unlikely(p->limit && p->used >= p->limit))
		return NULL;
	if (likely(!list_empty(&p->partial)))
		s = list_first(&p->partial, struct pool_slab, node);
	else
		s = slab_new(p);
	if (unlikely(!s))
		return NULL;

	obj = s->free;
	if (obj) {
		ASAN_UNPOISON_MEMORY_REGION(obj, p->size);
		s->free = *(void **)obj;
	} else {
		obj = (char *)s + SLAB_HEAD + s->fresh++ * p->size;
		ASAN_UNPOISON_MEMORY_REGION(obj, p->size);
	}
	if (++s->used == p->per_slab)
		list_move_tail(&p->full, &s->node);
	if (++p->used > p->high)
		p->high = p->used;
	return obj;
}

void pool_put(struct pool *p, void *obj)
{
	struct pool_slab *s;

	if (!obj)
		return;
	s = (void *)((uintptr_t)obj & ~(uintptr_t)(p->slab_align - 1));
	assert(s->self == s && s->used);
	*(void **)obj = s->free;
	s->free = obj;
	ASAN_POISON_MEMORY_REGION(obj, p->size);
	if (s->used-- == p->per_slab)
		list_move_tail(&p->partial, &s->node);
	p->used--;
}

void pool_trim(struct pool *p)
{
	struct list *n, *tmp;

	list_for_each_safe(n, tmp, &p->partial)
	{
		struct pool_slab *s = container_of(n, struct pool_slab, node);

		if (!s->used)
			slab_free(p, s);
	}
}

void pool_fini(struct pool *p)
{
	assert(!p->used);
	pool_trim(p);
}

/*
 * Any size.  A header of 16 bytes before each piece says which class it is
 * of; the pools of the classes are made when first asked for.
 */

#define CLASSES     11
#define CLASS_LARGE CLASSES
#define CLASS_STEP  32  /* what the look-up is exact to */
#define CLASS_FINE  512 /* up to here by table, above by powers of two */

union piece {
	uint32_t class;
	char align[ALIGN];
};

static struct pool class_pool[CLASSES];
static size_t large_used;

/* 320 is there for lwIP's connections: half of an idle flow's memory. */
static const struct {
	size_t size;
	const char *name;
} class_desc[CLASSES] = {
	{ 32, "malloc-32" },     { 64, "malloc-64" },
	{ 96, "malloc-96" },     { 128, "malloc-128" },
	{ 192, "malloc-192" },   { 256, "malloc-256" },
	{ 320, "malloc-320" },   { 512, "malloc-512" },
	{ 1024, "malloc-1024" }, { 2048, "malloc-2048" },
	{ 4096, "malloc-4096" },
};

static uint32_t class_of(size_t size)
{
	static const uint8_t fine[CLASS_FINE / CLASS_STEP + 1] = {
		0, 0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7, 7, 7, 7, 7,
	};
	uint32_t class = 8;

	if (likely(size <= CLASS_FINE))
		return fine[(size + CLASS_STEP - 1) / CLASS_STEP];
	while (class < CLASSES && size > class_desc[class].size)
		class ++;
	return class;
}

void *pool_malloc(size_t size)
{
	uint32_t class = class_of(size);
	union piece *m;

	if (likely(class < CLASSES)) {
		struct pool *p = &class_pool[class];

		if (unlikely(!p->size))
			pool_init(p, class_desc[class].name,
				  sizeof(*m) + class_desc[class].size, 0, 0);
		m = pool_get(p);
		if (!m)
			return NULL;
	} else {
		if (size > PTRDIFF_MAX - sizeof(*m))
			return NULL;
		m = malloc(sizeof(*m) + size);
		if (!m)
			return NULL;
		large_used++;
	}
	m->class = class;
	return m + 1;
}

void pool_free(void *p)
{
	union piece *m;

	if (!p)
		return;
	m = (union piece *)p - 1;
	if (likely(m->class < CLASSES)) {
		pool_put(&class_pool[m->class], m);
		return;
	}
	assert(m->class == CLASS_LARGE);
	large_used--;
	free(m);
}

size_t pool_malloc_used(void)
{
	size_t n = large_used;

	for (int i = 0; i < CLASSES; i++)
		n += class_pool[i].used;
	return n;
}

void pool_malloc_trim(void)
{
	for (int i = 0; i < CLASSES; i++)
		if (class_pool[i].size)
			pool_trim(&class_pool[i]);
}
