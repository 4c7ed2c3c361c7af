/* SPDX-License-Identifier: MIT */
/* frag.h - datagrams put together from fragments, and cut into them
 *
 * Up: bounded by bytes, by datagrams and by source; overlaps end the datagram
 * (RFC 5722, here for IPv4 too); 15 s for IPv4, 30 s for IPv6.  The key has
 * addresses and id, and for IPv4 the protocol.  At a limit the oldest
 * datagram goes, of the same source if the limit is the source's: whoever
 * sends whole datagrams in one go gets through a flood of first fragments.
 * Down: packets above the MTU are cut, IPv6 too.
 * Pure but for its own memory; time is given.
 */
#ifndef CORE_FRAG_H
#define CORE_FRAG_H

#include "packet.h"

#define FRAG_BYTES      (4u << 20) /* held for all datagrams */
#define FRAG_PER_SOURCE 64         /* datagrams */
#define FRAG_V4_MS      15000
#define FRAG_V6_MS      30000
#define FRAG_HEAD       128 /* headers before the fragmented part */

struct frag;

struct frag *frag_new(void); /* NULL: no memory */
void frag_free(struct frag *t);

/* Take the fragment p (p->frag is set).  Gives 1 and the whole IP packet in
 * *out (valid until the next call; headers rewritten as if it had never been
 * cut, checksum of the IPv4 header right), 0 if more is to come, or -EBADMSG:
 * overlap or nonsense, and the datagram is dead, with whatever comes of it
 * later.  What comes out is still to be parsed, checksums and all. */
int frag_add(struct frag *t, const struct packet *p, uint64_t now,
	     uint8_t **out, size_t *out_len);
/* Who is told of each datagram whose time is up and whose first fragment is
 * there, with that fragment as far as it is kept: RFC 792 and RFC 8200 4.5 want
 * its sender to know.  From inside frag_sweep(). */
void frag_on_late(struct frag *t,
		  void (*late)(void *arg, const uint8_t *ip, size_t len),
		  void *arg);
/* Forget what is too old; gives how many datagrams were lost since the last
 * call, to age or to a limit. */
unsigned frag_sweep(struct frag *t, uint64_t now);
size_t frag_held(const struct frag *t); /* bytes */

#define FRAG_PIECES 64 /* iovecs of a packet to be cut */

/* Cut the packet (v[0] begins with its IP header, whole in v[0]; no options,
 * no extension headers; its checksum complete) into fragments that fit mtu
 * and call emit for each; stops at the first emit that fails, and gives that.
 * What emit gets begins with v[0] too, and has at most n + 1 pieces.
 * -EINVAL: not such a packet, or no MTU for it. */
int frag_cut(const struct iovec *v, int n, uint32_t mtu, uint32_t id,
	     int (*emit)(void *arg, const struct iovec *v, int n), void *arg);

#endif
