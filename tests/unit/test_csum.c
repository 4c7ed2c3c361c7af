/* SPDX-License-Identifier: MIT */
/* test_csum.c - sums against the plainest way to make them */
#include "csum.h"

#include "unit.h"

static uint8_t bytes[4096 + 64];

static void fill(void)
{
	uint32_t r = 1;

	for (size_t i = 0; i < sizeof(bytes); i++) {
		r = r * 1103515245u + 12345u;
		bytes[i] = (uint8_t)(r >> 16);
	}
}

/* RFC 1071, word by word: what goes into the header, as a number. */
static uint16_t plain(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

/* The same number out of a folded sum. */
static uint16_t number(uint16_t folded)
{
	uint8_t b[2];

	memcpy(b, &folded, 2);
	return (uint16_t)(b[0] << 8 | b[1]);
}

static void every_length_at_every_alignment_is_the_plain_sum(void)
{
	int wrong = 0;

	fill();
	for (size_t at = 0; at < 16; at++)
		for (size_t len = 0; len < 600; len++)
			wrong += number(csum_fold(
					 csum_add(0, bytes + at, len))) !=
				 plain(bytes + at, len);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(number(csum_fold(csum_add(0, bytes + 1, 4095))),
			plain(bytes + 1, 4095));
}

static void no_carry_is_lost_in_a_sea_of_ones(void)
{
	int wrong = 0;

	memset(bytes, 0xff, sizeof(bytes));
	for (size_t len = 0; len < 2048; len++)
		wrong += number(csum_fold(csum_add(0, bytes, len))) !=
			 plain(bytes, len);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(csum_fold(UINT64_MAX), 0);
	CU_ASSERT_EQUAL(csum_partial(csum_add(UINT64_MAX, bytes, 64)), 0xffff);
}

static void parts_of_even_length_add_up(void)
{
	uint64_t sum;

	fill();
	sum = csum_add(0, bytes, 20);
	sum = csum_add(sum, bytes + 20, 1000);
	sum = csum_add(sum, bytes + 1020, 333);
	CU_ASSERT_EQUAL(number(csum_fold(sum)), plain(bytes, 1353));
}

static void pieces_of_any_length_add_up(void)
{
	int wrong = 0;

	fill();
	for (size_t a = 0; a < 40; a++) {
		for (size_t b = 0; b < 40; b++) {
			struct iovec v[] = {
				{ bytes, a },
				{ bytes + a, b },
				{ NULL, 0 },
				{ bytes + a + b, 77 },
				{ bytes + a + b + 77, 1 },
			};

			wrong += number(csum_fold(csum_iov(0, v, 5))) !=
				 plain(bytes, a + b + 78);
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void a_pseudo_header_is_the_sum_of_its_bytes(void)
{
	static const uint8_t v4[12] = {
		10, 0, 0, 2, 192, 0, 2, 255, 0, 6, 0xfe, 0xdc,
	};
	struct sluice_addr src = { .family = 4, .ip = { 10, 0, 0, 2 } };
	struct sluice_addr dst = { .family = 4, .ip = { 192, 0, 2, 255 } };
	uint8_t v6[40] = { 0 };

	CU_ASSERT_EQUAL(number(csum_fold(csum_pseudo(&src, &dst, 6, 0xfedc))),
			plain(v4, 12));

	fill();
	src.family = dst.family = 6;
	memcpy(src.ip, bytes, 16);
	memcpy(dst.ip, bytes + 16, 16);
	memcpy(v6, bytes, 32);
	v6[34] = 0xfe;
	v6[35] = 0xdc;
	v6[39] = 17;
	CU_ASSERT_EQUAL(number(csum_fold(csum_pseudo(&src, &dst, 17, 0xfedc))),
			plain(v6, 40));
}

static void a_partial_sum_is_what_the_kernel_completes(void)
{
	struct sluice_addr a = { .family = 4, .ip = { 10, 0, 0, 2 } };
	uint64_t pseudo = csum_pseudo(&a, &a, 17, 100);
	uint16_t part = csum_partial(pseudo);
	uint64_t later;

	fill();
	memcpy(bytes + 6, &part, 2);
	later = csum_add(0, bytes, 100);
	memset(bytes + 6, 0, 2);
	CU_ASSERT_EQUAL(csum_fold(later),
			csum_fold(csum_add(pseudo, bytes, 100)));
}

static const struct unit_test tests[] = {
	UNIT(every_length_at_every_alignment_is_the_plain_sum),
	UNIT(no_carry_is_lost_in_a_sea_of_ones),
	UNIT(parts_of_even_length_add_up),
	UNIT(pieces_of_any_length_add_up),
	UNIT(a_pseudo_header_is_the_sum_of_its_bytes),
	UNIT(a_partial_sum_is_what_the_kernel_completes),
};

UNIT_MAIN("csum", tests)
