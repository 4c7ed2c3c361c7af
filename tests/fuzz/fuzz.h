/* SPDX-License-Identifier: MIT */
/* fuzz.h - what fuzz targets share
 *
 * A target is tests/fuzz/fuzz_NAME.c with one LLVMFuzzerTestOneInput(), a
 * comment with a line "fuzz: SOURCES" (of the tree, for "make fuzz"), inputs
 * in tests/fuzz/corpus/NAME, and NAME in FUZZ_TARGETS of tests/local.mk, with its
 * two lines.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As assert(), also where NDEBUG is set. */
#define FUZZ_CHECK(condition)                                            \
	do {                                                             \
		if (!(condition)) {                                      \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, \
				__LINE__, #condition);                   \
			abort();                                         \
		}                                                        \
	} while (0)

/* In a heap block of just that size, so that a byte too far is seen. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	return copy;
}

#endif
