/* SPDX-License-Identifier: MIT */
/* test_pool.c - objects of one size, and pieces of any size */
#include "pool.h"

#include "unit.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

static void objects_are_apart_and_aligned(void)
{
	static char *obj[1000];
	struct pool p;

	pool_init(&p, "test", 100, 0, 0);
	CU_ASSERT_EQUAL(p.size, 112);
	for (size_t i = 0; i < ARRAY_SIZE(obj); i++) {
		obj[i] = pool_get(&p);
		CU_ASSERT_FATAL(obj[i] != NULL);
		CU_ASSERT_EQUAL((uintptr_t)obj[i] % 16, 0);
		memset(obj[i], (int)i, 100);
	}
	for (size_t i = 0; i < ARRAY_SIZE(obj); i++)
		for (int j = 0; j < 100; j++)
			if (obj[i][j] != (char)i)
				CU_FAIL("an object was written to");
	for (size_t i = 0; i < ARRAY_SIZE(obj); i++)
		pool_put(&p, obj[i]);
	CU_ASSERT_EQUAL(p.used, 0);
	CU_ASSERT_EQUAL(p.high, 1000);
	pool_fini(&p);
}

static void the_last_one_back_is_the_first_one_out(void)
{
	struct pool p;
	void *a, *b;

	pool_init(&p, "test", 40, 0, 0);
	a = pool_get(&p);
	b = pool_get(&p);
	pool_put(&p, a);
	pool_put(&p, b);
	CU_ASSERT_PTR_EQUAL(pool_get(&p), b);
	CU_ASSERT_PTR_EQUAL(pool_get(&p), a);
	pool_put(&p, a);
	pool_put(&p, b);
	pool_put(&p, NULL);
	pool_fini(&p);
}

static void limit_is_kept_and_lifted_by_a_put(void)
{
	struct pool p;
	void *obj[3];

	pool_init(&p, "test", 8, 0, 3);
	for (int i = 0; i < 3; i++)
		obj[i] = pool_get(&p);
	CU_ASSERT_PTR_NULL(pool_get(&p));
	pool_put(&p, obj[1]);
	obj[1] = pool_get(&p);
	CU_ASSERT_PTR_NOT_NULL(obj[1]);
	CU_ASSERT_PTR_NULL(pool_get(&p));
	for (int i = 0; i < 3; i++)
		pool_put(&p, obj[i]);
	CU_ASSERT_EQUAL(p.high, 3);
	pool_fini(&p);
}

static unsigned int length(const struct list *head)
{
	unsigned int n = 0;

	for (const struct list *l = head->next; l != head; l = l->next)
		n++;
	return n;
}

static void trim_gives_back_what_is_wholly_free(void)
{
	struct pool p;
	void *obj[12];

	pool_init(&p, "test", 64, 4, 0);
	for (int i = 0; i < 12; i++)
		obj[i] = pool_get(&p);
	CU_ASSERT_EQUAL(length(&p.full), 3);
	CU_ASSERT_EQUAL(length(&p.partial), 0);
	for (int i = 0; i < 9; i++) /* all of two slabs, one of the third */
		pool_put(&p, obj[i]);
	CU_ASSERT_EQUAL(length(&p.full), 0);
	CU_ASSERT_EQUAL(length(&p.partial), 3);
	pool_trim(&p);
	CU_ASSERT_EQUAL(length(&p.partial), 1);
	CU_ASSERT_EQUAL(p.used, 3);
	for (int i = 0; i < 9; i++)
		obj[i] = pool_get(&p);
	for (int i = 0; i < 12; i++)
		pool_put(&p, obj[i]);
	pool_fini(&p);
	CU_ASSERT_EQUAL(length(&p.partial), 0);
}

static void objects_larger_than_a_slab_should_be(void)
{
	struct pool p;
	char *a, *b;

	pool_init(&p, "test", 200000, 0, 0);
	CU_ASSERT_EQUAL(p.per_slab, 1);
	a = pool_get(&p);
	b = pool_get(&p);
	memset(a, 1, 200000);
	memset(b, 2, 200000);
	CU_ASSERT_EQUAL(a[199999], 1);
	pool_put(&p, a);
	pool_put(&p, b);
	pool_fini(&p);
}

static void gets_and_puts_in_any_order(void)
{
	static struct {
		uint8_t *p, mark;
	} out[500];
	struct pool p;
	uint32_t used = 0;

	pool_init(&p, "test", 48, 7, 0);
	srand(1);
	for (int round = 0; round < 100000; round++) {
		size_t i = (size_t)rand() % ARRAY_SIZE(out);

		if (out[i].p) {
			CU_ASSERT_FATAL(out[i].p[0] == out[i].mark &&
					out[i].p[47] == out[i].mark);
			pool_put(&p, out[i].p);
			out[i].p = NULL;
			used--;
		} else {
			out[i].p = pool_get(&p);
			out[i].mark = (uint8_t)rand();
			memset(out[i].p, out[i].mark, 48);
			used++;
		}
		if (round % 1000 == 0)
			pool_trim(&p);
	}
	CU_ASSERT_EQUAL(p.used, used);
	for (size_t i = 0; i < ARRAY_SIZE(out); i++)
		pool_put(&p, out[i].p);
	pool_fini(&p);
}

static void free_objects_are_poisoned(void)
{
#ifdef __SANITIZE_ADDRESS__
	struct pool p;
	char *a;

	pool_init(&p, "test", 64, 0, 0);
	a = pool_get(&p);
	CU_ASSERT(!__asan_address_is_poisoned(a));
	CU_ASSERT(!__asan_address_is_poisoned(a + 63));
	CU_ASSERT(__asan_address_is_poisoned(a + 64)); /* never used yet */
	pool_put(&p, a);
	CU_ASSERT(__asan_address_is_poisoned(a));
	CU_ASSERT(__asan_address_is_poisoned(a + 63));
	pool_fini(&p);
#else
	UNIT_SKIP("no AddressSanitizer");
#endif
}

static const size_t sizes[] = {
	0,   1,   16,  31,   32,   33,   63,   64,   65,   127,  128,   129,
	255, 256, 512, 1000, 1024, 1025, 2048, 4095, 4096, 4097, 65535, 300000,
};

static void pieces_of_any_size_can_be_written(void)
{
	char *p[ARRAY_SIZE(sizes)];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		p[i] = pool_malloc(sizes[i]);
		CU_ASSERT_FATAL(p[i] != NULL);
		CU_ASSERT_EQUAL((uintptr_t)p[i] % 16, 0);
		memset(p[i], (int)i + 1, sizes[i]);
	}
	CU_ASSERT_EQUAL(pool_malloc_used(), ARRAY_SIZE(sizes));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t j = 0; j < sizes[i]; j++)
			if (p[i][j] != (char)(i + 1))
				CU_FAIL("a piece was written to");
		pool_free(p[i]);
	}
	pool_free(NULL);
	CU_ASSERT_EQUAL(pool_malloc_used(), 0);
	pool_malloc_trim();
}

static void a_piece_comes_from_its_class(void)
{
	void *a = pool_malloc(200), *b;

	pool_free(a);
	b = pool_malloc(256);
	CU_ASSERT_PTR_EQUAL(a, b);
	pool_free(b);
	b = pool_malloc(257);
	CU_ASSERT_PTR_NOT_EQUAL(a, b);
	pool_free(b);
	pool_malloc_trim();
}

static void a_size_that_cannot_be_is_refused(void)
{
	CU_ASSERT_PTR_NULL(pool_malloc(SIZE_MAX));
	CU_ASSERT_PTR_NULL(pool_malloc((size_t)PTRDIFF_MAX));
	CU_ASSERT_EQUAL(pool_malloc_used(), 0);
}

static const struct unit_test tests[] = {
	UNIT(objects_are_apart_and_aligned),
	UNIT(the_last_one_back_is_the_first_one_out),
	UNIT(limit_is_kept_and_lifted_by_a_put),
	UNIT(trim_gives_back_what_is_wholly_free),
	UNIT(objects_larger_than_a_slab_should_be),
	UNIT(gets_and_puts_in_any_order),
	UNIT(free_objects_are_poisoned),
	UNIT(pieces_of_any_size_can_be_written),
	UNIT(a_piece_comes_from_its_class),
	UNIT(a_size_that_cannot_be_is_refused),
};

UNIT_MAIN("pool", tests)
