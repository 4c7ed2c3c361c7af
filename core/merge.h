/* SPDX-License-Identifier: MIT */
/* merge.h - segments of one flow that follow each other, made one
 *
 * Without offload the device gives packets of the MTU; what is done for each
 * segment is then done for many at once.
 */
#ifndef CORE_MERGE_H
#define CORE_MERGE_H

#include <stdbool.h>
#include <stdint.h>

struct gateway;
struct packet;
struct tun_buf;

/* Packets one may stand for, beside the first. */
#define MERGE_MORE 64

/* Does the packet of len bytes at buf->data go on where the segment that is
 * held ends?  Then it is part of it, and nothing is left to do. */
bool merge_add(struct tun_buf *buf, uint32_t len);
/* Hold a segment for those that may follow it; false: it is not one that can
 * be, or buf is NULL.  What was held before must have been let go. */
bool merge_hold(struct gateway *gw, const struct packet *p,
		struct tun_buf *buf);
/* To tcp_up() with what is held, if anything: before any other packet, and at
 * the end of the turn (gateway.flush). */
void merge_flush(struct gateway *gw);

#endif
