/* SPDX-License-Identifier: MIT */
/* csum.h - internet checksums (RFC 1071)
 *
 * Sums are native and unfolded: add parts, fold once.  A sum never loses a
 * carry, so any number of parts of any size may be added.
 */
#ifndef CORE_CSUM_H
#define CORE_CSUM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <sluice/plugin.h>

/* Add len bytes.  Each part but the last is of even length. */
uint64_t csum_add(uint64_t sum, const void *p, size_t len);
/* The same for pieces that belong together; odd lengths are fine. */
uint64_t csum_iov(uint64_t sum, const struct iovec *v, int n);
/* The pseudo-header of TCP, UDP and ICMPv6; len is what the IP header is
 * followed by. */
uint64_t csum_pseudo(const struct sluice_addr *src,
		     const struct sluice_addr *dst, uint8_t proto,
		     uint32_t len);
/* Complemented: what goes into a header with memcpy; 0 over a whole that
 * has its right checksum in it. */
uint16_t csum_fold(uint64_t sum);
/* Folded, not complemented: what an offload wants in the field. */
uint16_t csum_partial(uint64_t sum);

#endif
