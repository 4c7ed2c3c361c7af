/* SPDX-License-Identifier: MIT */
/* util.c - hash, randomness and clock
 *
 * The hash is SipHash-1-3: apps choose the bytes that go into it, so it is
 * keyed, and it is on the path of every packet, so the length of a flow key
 * has a copy of its own in which the compiler unrolls everything.
 *
 * Random numbers for ids and ports are handed out from a buffer of the
 * kernel's bytes, each once; a forked child never hands out its parent's.
 */
#include "util.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define FLOW_KEY_LEN 40 /* see flowtab.h */
#define RANDOM_WORDS 128

static uint32_t random_word[RANDOM_WORDS];
static unsigned int random_left;
static pthread_once_t random_once = PTHREAD_ONCE_INIT;

static inline uint64_t rotl(uint64_t v, int n)
{
	return v << n | v >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
}

static inline __attribute__((always_inline)) uint64_t
sip13(const uint64_t key[2], const uint8_t *p, size_t len)
{
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575,
		key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573,
	};
	uint64_t last = (uint64_t)len << 56;
	uint64_t m;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&m, p + i, 8);
		sip_word(v, le64toh(m));
	}
	for (size_t r = 0; r < (len & 7); r++)
		last |= (uint64_t)p[i + r] << (8 * r);
	sip_word(v, last);
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t util_siphash(const uint64_t key[2], const void *p, size_t len)
{
	if (likely(len == FLOW_KEY_LEN))
		return sip13(key, p, FLOW_KEY_LEN);
	return sip13(key, p, len);
}

int util_random(void *p, size_t len)
{
	uint8_t *b = p;
	ssize_t n;

	while (len) {
		n = getrandom(b, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		b += n;
		len -= (size_t)n;
	}
	return 0;
}

static void random_forget(void)
{
	random_left = 0;
}

static void random_setup(void)
{
	pthread_atfork(NULL, NULL, random_forget);
}

uint32_t util_random32(void)
{
	uint32_t v;

	if (!random_left) {
		pthread_once(&random_once, random_setup);
		/* It worked at the start, and cannot stop to. */
		if (util_random(random_word, sizeof(random_word)))
			abort();
		random_left = RANDOM_WORDS;
	}
	v = random_word[--random_left];
	random_word[random_left] = 0; /* what was used is nobody's to read */
	return v;
}

int util_nonblock(int fd)
{
	int flags;

	flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -errno;
	if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	flags = fcntl(fd, F_GETFD);
	if (flags < 0)
		return -errno;
	if (!(flags & FD_CLOEXEC) && fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

uint64_t util_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}
