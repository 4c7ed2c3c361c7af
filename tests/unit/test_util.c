/* SPDX-License-Identifier: MIT */
/* test_util.c - lists, byte order, hash, randomness */
#include "util.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

struct item {
	int n;
	struct list node;
};

static void lists_keep_their_order(void)
{
	struct list head, other, *pos, *tmp;
	struct item item[4];
	int n = 0;

	list_init(&head);
	list_init(&other);
	for (int i = 0; i < 4; i++) {
		item[i].n = i;
		list_add_tail(i < 2 ? &head : &other, &item[i].node);
	}
	list_splice_tail(&head, &other);
	CU_ASSERT(list_empty(&other));
	list_splice_tail(&head, &other);
	list_for_each_safe(pos, tmp, &head)
		CU_ASSERT_EQUAL(container_of(pos, struct item, node)->n, n++);
	CU_ASSERT_EQUAL(n, 4);

	list_move_tail(&head, &item[0].node);
	CU_ASSERT_EQUAL(list_first(&head, struct item, node)->n, 1);
	list_for_each_safe(pos, tmp, &head) list_del(pos);
	CU_ASSERT(list_empty(&head));
	list_del(&item[0].node); /* twice is harmless */
	CU_ASSERT(list_empty(&item[0].node));
}

static void big_endian_numbers_at_any_address(void)
{
	uint8_t b[8] = { 0 };

	put_be16(b + 1, 0xfedc);
	put_be32(b + 3, 0x89abcdef);
	CU_ASSERT(!memcmp(b, "\0\xfe\xdc\x89\xab\xcd\xef\0", 8));
	CU_ASSERT_EQUAL(get_be16(b + 1), 0xfedc);
	CU_ASSERT_EQUAL(get_be32(b + 3), 0x89abcdef);
}

/* From CPython 3.11, hash(bytes(range(len))) with PYTHONHASHSEED=42, of
 * which the key follows. */
static const struct {
	size_t len;
	uint64_t hash;
} sip_cases[] = {
	{ 1, 0xce880c366bcf3489 },  { 3, 0xef4b9dcae9b04417 },
	{ 7, 0xce280fabc397fbda },  { 8, 0x60866c3c108c6afb },
	{ 15, 0x94ace24d68c18cf8 }, { 39, 0xc6e27a94ae5452f3 },
	{ 40, 0xde03d697bf20e38a }, { 41, 0x738c6863d812c266 },
	{ 64, 0x91639ef7de8d52cb },
};

static void hash_is_siphash_1_3_at_any_address(void)
{
	static const uint64_t key[2] = { 0xdc504fd368cd90af,
					 0xb920bb9ffe99e9c1 };
	uint8_t buf[80];

	for (unsigned int at = 0; at < 8; at++) {
		for (unsigned int i = 0; i < 64; i++)
			buf[at + i] = (uint8_t)i;
		for (size_t i = 0; i < ARRAY_SIZE(sip_cases); i++)
			CU_ASSERT_EQUAL(util_siphash(key, buf + at,
						     sip_cases[i].len),
					sip_cases[i].hash);
	}
}

static void another_key_is_another_hash(void)
{
	static const uint64_t a[2] = { 1, 2 }, b[2] = { 1, 3 };
	static const uint8_t key[40];

	CU_ASSERT_NOT_EQUAL(util_siphash(a, key, 40), util_siphash(b, key, 40));
	CU_ASSERT_NOT_EQUAL(util_siphash(a, key, 0), util_siphash(b, key, 0));
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void random_numbers_do_not_repeat(void)
{
	static uint32_t v[1000];
	unsigned int same = 0;
	uint32_t ones = 0, zeros = 0;

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		v[i] = util_random32();
		ones |= v[i];
		zeros |= ~v[i];
	}
	CU_ASSERT_EQUAL(ones, 0xffffffff);
	CU_ASSERT_EQUAL(zeros, 0xffffffff);
	qsort(v, ARRAY_SIZE(v), sizeof(v[0]), compare);
	for (size_t i = 1; i < ARRAY_SIZE(v); i++)
		same += v[i] == v[i - 1];
	CU_ASSERT(same <= 1); /* one pair in 8,600 runs */
}

static void random_bytes_fill_all_of_it(void)
{
	uint8_t a[600], or [600] = { 0 };

	for (int i = 0; i < 8; i++) {
		CU_ASSERT_EQUAL(util_random(a, sizeof(a)), 0);
		for (size_t j = 0; j < sizeof(a); j++)
			or [j] |= a[j];
	}
	for (size_t j = 0; j < sizeof(or); j++)
		CU_ASSERT(or [j]);
}

static void a_child_does_not_share_random_numbers(void)
{
	uint32_t child[4] = { 0 }, own[4];
	int fds[2], status;
	pid_t pid;

	util_random32();
	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	pid = fork();
	CU_ASSERT_FATAL(pid >= 0);
	if (!pid) {
		for (int i = 0; i < 4; i++)
			child[i] = util_random32();
		_exit(write(fds[1], child, sizeof(child)) != sizeof(child));
	}
	for (int i = 0; i < 4; i++)
		own[i] = util_random32();
	CU_ASSERT_EQUAL(read(fds[0], child, sizeof(child)), sizeof(child));
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT(memcmp(child, own, sizeof(own)));
	close(fds[0]);
	close(fds[1]);
}

static void descriptors_become_nonblocking_and_stay_here(void)
{
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	CU_ASSERT_EQUAL(util_nonblock(fds[0]), 0);
	CU_ASSERT_EQUAL(util_nonblock(fds[0]), 0);
	CU_ASSERT(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	CU_ASSERT(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	CU_ASSERT(!(fcntl(fds[1], F_GETFL) & O_NONBLOCK));
	close(fds[0]);
	close(fds[1]);
	CU_ASSERT(util_nonblock(-1) < 0);
}

static void the_clock_goes_forward(void)
{
	uint64_t a = util_now_ms();

	usleep(3000);
	CU_ASSERT(util_now_ms() >= a + 3);
	CU_ASSERT(util_now_ms() < a + 60000);
}

static const struct unit_test tests[] = {
	UNIT(lists_keep_their_order),
	UNIT(big_endian_numbers_at_any_address),
	UNIT(hash_is_siphash_1_3_at_any_address),
	UNIT(another_key_is_another_hash),
	UNIT(random_numbers_do_not_repeat),
	UNIT(random_bytes_fill_all_of_it),
	UNIT(a_child_does_not_share_random_numbers),
	UNIT(descriptors_become_nonblocking_and_stay_here),
	UNIT(the_clock_goes_forward),
};

UNIT_MAIN("util", tests)
