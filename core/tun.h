/* SPDX-License-Identifier: MIT */
/* tun.h - the device: packets in, packets out
 *
 * Made by name (or attached to a persistent one), in this network namespace
 * or another, given as a descriptor, or replaced by an embedder's callbacks.
 * With offload (IFF_VNET_HDR) a read or write is up to 64 KiB of one flow;
 * what the kernel refuses is left out step by step: USO, TSO, checksums, the
 * vnet header itself.
 *
 * Buffers: a read lands in a tun_buf.  Whoever keeps data beyond the handler
 * takes a reference; a buffer nobody kept is used for the next read, so that
 * it stays in the cache.
 */
#ifndef CORE_TUN_H
#define CORE_TUN_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "addr.h"
#include "loop.h"
#include "pool.h"
#include "stats.h"

/* In the headers of Linux 6.2 and later. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

struct tun;

/* What happened to the device: see tunlink.h. */
enum tun_change {
	TUN_MTU,   /* it is link_mtu now */
	TUN_NAME,  /* it is called name now */
	TUN_MOVED, /* it is in another namespace now */
	TUN_LOST,  /* the same, and nothing more will be heard of it */
};

struct tun_buf {
	struct tun *tun;
	uint32_t refs;
	uint32_t cap;                                  /* bytes at data */
	uint8_t user[96] __attribute__((aligned(16))); /* stack.c's pbuf */
	uint8_t head[16]; /* the vnet header is read to its end, so that
				   one read(2) fills head and data */
	uint8_t data[];   /* the packet; aligned like user */
};

struct tun_ops { /* an embedder's packets instead of a device */
	/* Copy up to n packets, one to each iovec, and set its iov_len (on
	 * entry: the room there); gives how many (0: none now, then tun_ready()
	 * is to be called), or -errno: the device is gone. */
	int (*read)(void *arg, struct iovec *v, int n);
	/* One packet in n pieces; 0 or -errno.  -EAGAIN: it is offered again,
	 * in order, after a moment or tun_ready(). */
	int (*write)(void *arg, const struct iovec *v, int n);
	void *arg;
};

struct tun_config {
	const char *name;  /* "" with fd or ops */
	const char *netns; /* NULL: ours */
	int fd;            /* -1: none given; ours once tun_open() gave 0 */
	const struct tun_ops *ops; /* NULL: a device */
	uint32_t mtu;
	int offload; /* 0 off, 1 on (or fail), 2 auto */
};

struct tun {
	struct loop *loop;
	struct stats *stats;
	struct loop_fd watch;
	struct tun_ops ops;
	int fd;    /* -1 with ops */
	int netns; /* of the device if not ours, else -1 */
	char name[16];
	uint32_t mtu;
	bool vnet, csum, tso, uso; /* in force */
	bool big;                  /* reads may be up to 64 KiB */
	struct pool bufs, wide;    /* wide: since the MTU was raised */
	struct tun_buf *cur;
	/* Called for each packet: len bytes at buf->data; vh as the kernel
	 * gave it (all zero without offload). */
	void (*packet)(struct tun *t, struct tun_buf *buf, uint32_t len,
		       const struct virtio_net_hdr *vh);
	/* The device is gone: 0 at an end of file, or -errno. */
	void (*ended)(struct tun *t, int err);
	/* May be NULL. */
	void (*changed)(struct tun *t, enum tun_change what);
	struct loop_fd link;
	uint32_t link_mtu; /* what the device has, as far as is known */
	void *owner;
	struct loop_work more; /* next turn: not watched, or ops */
	struct list outq;      /* what the device did not take yet */
	uint32_t outq_bytes;
	struct timer retry; /* of a failed read, and of outq */
	bool paused;        /* not watched until retry */
};

/* Open it; reading begins with tun_start().  0, or -errno with what was
 * being done and what to do about it in text (a sentence for the user); then
 * nothing is left open.  The caller sets packet, ended, changed and owner
 * after it. */
int tun_open(struct tun *t, struct loop *loop, struct stats *stats,
	     const struct tun_config *c, char *text, size_t text_len);
int tun_start(struct tun *t);
void tun_close(struct tun *t);
/* What is read next may be so large. */
void tun_set_mtu(struct tun *t, uint32_t mtu);
/* Give back what was not needed since the last call. */
void tun_trim(struct tun *t);
/* An embedder's packets are waiting (loop thread). */
void tun_ready(struct tun *t);

static inline void tun_buf_get(struct tun_buf *b)
{
	b->refs++;
}

void tun_buf_put(struct tun_buf *b);

/* Write one packet.  v[0] is not part of it: tun fills it in with the vnet
 * header (the caller leaves it free); the packet is v[1] to v[n-1].  vh NULL:
 * nothing is left to offload.  Never loses a packet on EAGAIN: a copy waits,
 * within a bound.  0, or -errno (counted). */
int tun_write(struct tun *t, const struct virtio_net_hdr *vh, struct iovec *v,
	      int n);

#endif
