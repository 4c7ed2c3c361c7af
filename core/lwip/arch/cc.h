/* SPDX-License-Identifier: MIT */
/* cc.h - what lwIP wants to know of compiler and libc */
#ifndef ARCH_CC_H
#define ARCH_CC_H

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#define LWIP_ERRNO_INCLUDE   <errno.h>
#define LWIP_TIMEVAL_PRIVATE 0

#define LWIP_PLATFORM_DIAG(x) \
	do {                  \
		printf x;     \
	} while (0)
/* What cannot be: ends the one connection at work, see stack.c. */
void stack_assert(const char *what, const char *file, int line);
#define LWIP_PLATFORM_ASSERT(x) stack_assert((x), __FILE__, __LINE__)

#endif
