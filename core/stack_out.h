/* SPDX-License-Identifier: MIT */
/* stack_out.h - segments of lwIP on their way to the TUN
 *
 * Puts IP header, checksum and vnet header around what lwIP made, or cuts it
 * where the device does not.  Knows nothing of lwIP.
 */
#ifndef CORE_STACK_OUT_H
#define CORE_STACK_OUT_H

#include <stdint.h>
#include <sys/uio.h>

struct gateway;

#define STACK_IOV_FIRST 2 /* 0: vnet header, 1: IP header */
#define STACK_IOV       66

struct stack_segment {
	int family;            /* 4 or 6 */
	const void *src, *dst; /* 4 or 16 bytes */
	uint8_t tos;
	uint16_t mss; /* of the app: where it is cut; 0: nowhere */
	uint64_t flow_id;
};

/* The TCP segment in v[STACK_IOV_FIRST] to v[n-1], its header whole in the
 * first and its checksum field zero.  The pieces are used up. */
void stack_out(struct gateway *gw, const struct stack_segment *seg,
	       struct iovec *v, int n);

#endif
