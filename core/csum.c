/* SPDX-License-Identifier: MIT */
/* csum.c - internet checksums (RFC 1071)
 *
 * The ones' complement sum does not care how wide the words are that are
 * added, nor about byte order: so whole 64-bit words as they lie in memory,
 * in four chains that do not wait for each other, each with its carries
 * added back in.  This runs as fast as the loads do.
 */
#include "csum.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

static inline uint64_t add(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

uint64_t csum_add(uint64_t sum, const void *p, size_t len)
{
	const uint8_t *b = p;
	uint64_t s1 = 0, s2 = 0, s3 = 0;

	while (len >= 64) {
		sum = add(sum, load64(b));
		s1 = add(s1, load64(b + 8));
		s2 = add(s2, load64(b + 16));
		s3 = add(s3, load64(b + 24));
		sum = add(sum, load64(b + 32));
		s1 = add(s1, load64(b + 40));
		s2 = add(s2, load64(b + 48));
		s3 = add(s3, load64(b + 56));
		b += 64;
		len -= 64;
	}
	sum = add(add(sum, s1), add(s2, s3));
	for (; len >= 8; b += 8, len -= 8)
		sum = add(sum, load64(b));
	if (len & 4) {
		sum = add(sum, load32(b));
		b += 4;
	}
	if (len & 2) {
		sum = add(sum, load16(b));
		b += 2;
	}
	if (len & 1) {
		const uint8_t last[2] = { b[0], 0 };

		sum = add(sum, load16(last));
	}
	return sum;
}

static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* A piece that begins at an odd offset has its bytes in the other halves of
 * the words: its sum is the swapped one. */
uint64_t csum_iov(uint64_t sum, const struct iovec *v, int n)
{
	bool odd = false;

	for (int i = 0; i < n; i++) {
		if (!odd) {
			sum = csum_add(sum, v[i].iov_base, v[i].iov_len);
		} else {
			uint16_t s =
				fold(csum_add(0, v[i].iov_base, v[i].iov_len));

			sum = add(sum, __builtin_bswap16(s));
		}
		odd ^= v[i].iov_len & 1;
	}
	return sum;
}

uint64_t csum_pseudo(const struct sluice_addr *src,
		     const struct sluice_addr *dst, uint8_t proto, uint32_t len)
{
	uint64_t sum = (uint64_t)htonl(len) + htonl(proto);

	if (src->family == 4)
		return sum + load32(src->ip) + load32(dst->ip);
	sum = add(sum, load64(src->ip));
	sum = add(sum, load64(src->ip + 8));
	sum = add(sum, load64(dst->ip));
	return add(sum, load64(dst->ip + 8));
}

uint16_t csum_fold(uint64_t sum)
{
	return (uint16_t)~fold(sum);
}

uint16_t csum_partial(uint64_t sum)
{
	return fold(sum);
}
