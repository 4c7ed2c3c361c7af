/* SPDX-License-Identifier: MIT */
/* tundev.c - get hold of a TUN device
 *
 *	name --netns? enter--> /dev/net/tun --TUNSETIFF--> attached
 *	                                                      |
 *	descriptor --TUNGETIFF--> ours? ----------------------+
 *	                                                      v
 *	                        offload: all, no USO, sums only, none
 *
 * A given descriptor that is no TUN at all (a socketpair) is taken as it is:
 * one packet a read, no header before it.  Whether a given TUN was opened
 * with IFF_NO_PI, as it must be, the kernel does not tell: TUNGETIFF says
 * IFF_NOFILTER in the same bit.
 *
 * Whoever comes here does so once, at start, and has a person at the other
 * end: every failure is a sentence that says what to do.
 */
#include "tundev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netsetup.h"

#define TUNDEV_PATH "/dev/net/tun"

/* In the headers of Linux 6.2 and later. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define WITH_TSO (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
#define WITH_USO (WITH_TSO | TUN_F_USO4 | TUN_F_USO6)

struct say {
	char *text;
	size_t len;
};

static int __attribute__((format(printf, 3, 4)))
fail(const struct say *say, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(say->text, say->len, fmt, ap);
	va_end(ap);
	return -err;
}

static int open_control(const struct say *say)
{
	int fd = open(TUNDEV_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
		return fail(
			say, ENOENT,
			"there is no " TUNDEV_PATH ": load the driver "
			"(modprobe tun), or make the node (mknod " TUNDEV_PATH
			" c 10 200)");
	case ENODEV:
	case ENXIO:
		return fail(say, errno,
			    "the kernel has no TUN driver for " TUNDEV_PATH
			    ": load it (modprobe tun)");
	case EACCES:
	case EPERM:
		return fail(
			say, errno,
			"no permission to open " TUNDEV_PATH
			": run as root, or let this user (chmod 666 " TUNDEV_PATH
			")");
	case EMFILE:
		return fail(say, errno,
			    "open " TUNDEV_PATH ": too many open files: raise "
			    "the limit (ulimit -n)");
	default:
		return fail(say, errno, "open " TUNDEV_PATH ": %s",
			    strerror(errno));
	}
}

/* What is there under this name, seen from the namespace we are in. */
enum what { WHAT_NOTHING, WHAT_TUN, WHAT_TAP, WHAT_OTHER };

static enum what what_is(const char *name)
{
	enum what what = WHAT_NOTHING;
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return WHAT_NOTHING;
	memcpy(ifr.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	if (!ioctl(fd, SIOCGIFHWADDR, &ifr)) {
		switch (ifr.ifr_hwaddr.sa_family) {
		case ARPHRD_NONE:
			what = WHAT_TUN;
			break;
		case ARPHRD_ETHER:
			what = WHAT_TAP;
			break;
		default:
			what = WHAT_OTHER;
		}
	}
	close(fd);
	return what;
}

static int set_iff_failed(const struct say *say, const char *name, int err)
{
	enum what what = what_is(name);

	switch (err) {
	case EBUSY:
		return fail(say, err,
			    "device %s is in use by another process: choose "
			    "another [tun] name",
			    name);
	case EPERM:
	case EACCES:
		if (what == WHAT_NOTHING)
			return fail(say, err,
				    "no permission to make the device %s: run "
				    "as root (or with CAP_NET_ADMIN), or have "
				    "it made for this user: ip tuntap add %s "
				    "mode tun user NAME",
				    name, name);
		return fail(say, err,
			    "device %s belongs to another user: run as that "
			    "user or root, or choose another [tun] name",
			    name);
	case EINVAL:
		if (what == WHAT_NOTHING || what == WHAT_TUN)
			break;
		return fail(say, err,
			    "device %s is %s, not a TUN: choose another "
			    "[tun] name",
			    name,
			    what == WHAT_TAP ? "a TAP or Ethernet device" :
					       "of another kind");
	}
	return fail(say, err, "make device %s: %s", name, strerror(err));
}

/* Attach fd to name.  A persistent device that was made with several queues
 * wants to be asked for one of them. */
static int set_iff(int fd, struct ifreq *ifr, const char *name, short flags)
{
	static const short queues[] = { 0, IFF_MULTI_QUEUE };
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
		memset(ifr, 0, sizeof(*ifr));
		memcpy(ifr->ifr_name, name, strlen(name));
		ifr->ifr_flags = (short)(flags | queues[i]);
		if (!ioctl(fd, TUNSETIFF, ifr))
			return 0;
		err = errno;
		if (err != EINVAL)
			break;
	}
	return -err;
}

static int attach(struct tun *t, const struct tun_config *c,
		  const struct say *say)
{
	short flags = IFF_TUN | IFF_NO_PI;
	unsigned int known = 0;
	struct ifreq ifr;
	int r;

	if (c->offload && !ioctl(t->fd, TUNGETFEATURES, &known) &&
	    (known & IFF_VNET_HDR))
		flags |= IFF_VNET_HDR;
	r = set_iff(t->fd, &ifr, c->name, flags);
	if (r)
		return set_iff_failed(say, c->name, -r);
	memcpy(t->name, ifr.ifr_name, sizeof(t->name) - 1);
	t->vnet = flags & IFF_VNET_HDR;
	return 0;
}

static int open_by_name(struct tun *t, const struct tun_config *c,
			const struct say *say)
{
	int r;

	if (!c->name[0] || strlen(c->name) >= IFNAMSIZ ||
	    strpbrk(c->name, "/ \t\n") || !strcmp(c->name, ".") ||
	    !strcmp(c->name, ".."))
		return fail(say, EINVAL,
			    "\"%s\" is no name for a device: 1 to %d "
			    "characters, no space or slash",
			    c->name, IFNAMSIZ - 1);
	t->fd = open_control(say);
	if (t->fd < 0)
		return t->fd;
	r = attach(t, c, say);
	if (r) {
		close(t->fd);
		t->fd = -1;
	}
	return r;
}

static int open_in_netns(struct tun *t, const struct tun_config *c,
			 const struct say *say)
{
	int netns = netsetup_netns_open(c->netns);
	int back, r;

	if (netns == -ENOENT)
		return fail(say, ENOENT,
			    "there is no network namespace \"%s\": make it "
			    "first (ip netns add %s)",
			    c->netns, c->netns);
	if (netns < 0)
		return fail(say, -netns, "network namespace \"%s\": %s",
			    c->netns, strerror(-netns));
	back = netsetup_enter(netns);
	if (back < 0) {
		r = fail(say, -back, "enter network namespace \"%s\": %s%s",
			 c->netns, strerror(-back),
			 back == -EPERM ? ": run as root" : "");
	} else {
		r = open_by_name(t, c, say);
		netsetup_leave(back);
	}
	if (r)
		close(netns);
	else
		t->netns = netns;
	return r;
}

/* A descriptor says which namespace its device is in: kept if it is not ours,
 * for then no socket of ours can come back through it. */
void tundev_note_netns(struct tun *t)
{
	struct stat ours, its;
	int ns = ioctl(t->fd, TUNGETDEVNETNS);

	if (ns < 0)
		return;
	if (t->netns >= 0)
		close(t->netns);
	t->netns = -1;
	if (stat("/proc/self/ns/net", &ours) || fstat(ns, &its) ||
	    (ours.st_ino == its.st_ino && ours.st_dev == its.st_dev))
		close(ns);
	else
		t->netns = ns;
}

static int take_fd(struct tun *t, const struct tun_config *c,
		   const struct say *say)
{
	struct ifreq ifr = { 0 };
	int flags = fcntl(c->fd, F_GETFL);

	if (flags < 0)
		return fail(say, errno,
			    "[tun] fd = %d is no open descriptor: %s", c->fd,
			    strerror(errno));
	if ((flags & O_ACCMODE) != O_RDWR)
		return fail(say, EINVAL,
			    "[tun] fd = %d is not open for reading and "
			    "writing",
			    c->fd);
	if (!ioctl(c->fd, TUNGETIFF, &ifr)) {
		if (ifr.ifr_flags & IFF_TAP)
			return fail(say, EINVAL,
				    "[tun] fd = %d is a TAP device: open it "
				    "with IFF_TUN",
				    c->fd);
		t->vnet = ifr.ifr_flags & IFF_VNET_HDR;
		memcpy(t->name, ifr.ifr_name, sizeof(t->name) - 1);
	} else if (errno == EBADFD) {
		return fail(say, EBADFD,
			    "[tun] fd = %d is a TUN descriptor without a "
			    "device: do TUNSETIFF first",
			    c->fd);
	}
	if (util_nonblock(c->fd))
		return fail(say, EINVAL,
			    "[tun] fd = %d: cannot be made "
			    "non-blocking",
			    c->fd);
	t->fd = c->fd;
	if (t->name[0])
		tundev_note_netns(t);
	return 0;
}

/* All the kernel has of what we can use.  A device we were given keeps its
 * vnet header, but then nothing is left to it when offload is off. */
static int set_offload(struct tun *t, const struct tun_config *c,
		       const struct say *say)
{
	static const unsigned int tries[] = { WITH_USO, WITH_TSO, TUN_F_CSUM,
					      0 };
	size_t i = c->offload ? 0 : ARRAY_SIZE(tries) - 1;
	int size = sizeof(struct virtio_net_hdr);

	if (t->vnet) {
		if (ioctl(t->fd, TUNSETVNETHDRSZ, &size))
			return fail(say, errno,
				    "device %s: set the size of its offload "
				    "header: %s",
				    t->name, strerror(errno));
		while (i < ARRAY_SIZE(tries) &&
		       ioctl(t->fd, TUNSETOFFLOAD, (unsigned long)tries[i]))
			i++;
		if (i == ARRAY_SIZE(tries))
			return fail(say, EINVAL,
				    "device %s takes no offload setting: set "
				    "[tun] offload = off",
				    t->name);
		t->csum = tries[i] & TUN_F_CSUM;
		t->tso = tries[i] & TUN_F_TSO4;
		t->uso = tries[i] & TUN_F_USO4;
	}
	if (c->offload == 1 && !t->tso)
		return fail(say, EOPNOTSUPP,
			    "%s%s has no offload: set [tun] offload = auto",
			    t->name[0] ? "device " : "[tun] fd", t->name);
	return 0;
}

int tundev_open(struct tun *t, const struct tun_config *c, char *text,
		size_t text_len)
{
	const struct say say = { text, text_len };
	int r;

	t->fd = t->netns = -1;
	if (c->fd >= 0)
		r = take_fd(t, c, &say);
	else if (c->netns && c->netns[0])
		r = open_in_netns(t, c, &say);
	else
		r = open_by_name(t, c, &say);
	if (r)
		return r;
	r = set_offload(t, c, &say);
	if (r) {
		if (c->fd < 0)
			close(t->fd);
		if (t->netns >= 0)
			close(t->netns);
		t->fd = t->netns = -1;
	}
	return r;
}
