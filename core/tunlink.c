/* SPDX-License-Identifier: MIT */
/* tunlink.c - what others do to the device while we use it
 *
 *	watched --MTU or name changed--> told, watched
 *	   |
 *	   +--not in this namespace any more--> told; watched where it is now,
 *	   |                                    if we may go there
 *	   +--deleted--> nothing: reading it says so, and tun.c tells
 *
 * The kernel announces what happens to links by rtnetlink.  Here that is only
 * the reason to look, once for all that was announced: what is looked up is
 * true now, also where an announcement was lost for lack of room.
 *
 * A device that cannot be watched (an Android app may not, nor may we where
 * the device is in a namespace that is not ours to enter) is used as it was.
 */
#include "tunlink.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netsetup.h"
#include "tundev.h"

/* What a look found. */
enum { LINK_HERE, LINK_ELSEWHERE, LINK_GONE };

struct link_state {
	char name[IFNAMSIZ];
	uint32_t mtu;
};

static int look(const struct tun *t, int fd, struct link_state *s)
{
	struct ifreq ifr = { 0 };

	if (ioctl(t->fd, TUNGETIFF, &ifr))
		return LINK_GONE;
	memcpy(s->name, ifr.ifr_name, sizeof(s->name));
	s->name[IFNAMSIZ - 1] = '\0';
	memset(&ifr, 0, sizeof(ifr));
	memcpy(ifr.ifr_name, s->name, sizeof(s->name));
	if (ioctl(fd, SIOCGIFMTU, &ifr))
		return LINK_ELSEWHERE;
	s->mtu = (uint32_t)ifr.ifr_mtu;
	return LINK_HERE;
}

/* A socket in the device's namespace that hears of links, or -errno. */
static int open_there(const struct tun *t)
{
	struct sockaddr_nl to = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK,
	};
	int back = -1, err = 0, fd;

	if (t->netns >= 0) {
		back = netsetup_enter(t->netns);
		if (back < 0)
			return back;
	}
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    NETLINK_ROUTE);
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)))
		err = -errno;
	if (back >= 0)
		netsetup_leave(back);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

static void announced(struct loop_fd *w, uint32_t events);

/* From now on; what the device is like is the state to compare with. */
static int begin(struct tun *t)
{
	struct link_state s;
	int fd = open_there(t), err;

	if (fd < 0)
		return fd;
	err = look(t, fd, &s) == LINK_HERE ? 0 : -ENODEV;
	if (!err)
		err = loop_add(t->loop, &t->link, fd, EPOLLIN, announced);
	if (err) {
		close(fd);
		return err;
	}
	memcpy(t->name, s.name, sizeof(t->name));
	t->link_mtu = s.mtu;
	return 0;
}

static void end(struct tun *t)
{
	int fd = t->link.fd;

	if (fd < 0)
		return;
	loop_del(t->loop, &t->link);
	close(fd);
	t->link.fd = -1;
}

static void tell(struct tun *t, enum tun_change what)
{
	if (t->changed)
		t->changed(t, what);
}

static void follow(struct tun *t)
{
	uint32_t mtu = t->link_mtu;

	end(t);
	tundev_note_netns(t);
	tell(t, begin(t) ? TUN_LOST : TUN_MOVED);
	if (t->link_mtu != mtu)
		tell(t, TUN_MTU);
}

static void announced(struct loop_fd *w, uint32_t events)
{
	struct tun *t = container_of(w, struct tun, link);
	struct link_state s;
	ssize_t n;

	(void)events;
	do /* what was lost is an error, once */
		n = recv(w->fd, &s, sizeof(s), MSG_TRUNC);
	while (n >= 0 || errno == ENOBUFS || errno == EINTR);
	switch (look(t, w->fd, &s)) {
	case LINK_GONE:
		end(t);
		return;
	case LINK_ELSEWHERE:
		follow(t);
		return;
	}
	if (strcmp(t->name, s.name)) {
		memcpy(t->name, s.name, sizeof(t->name));
		tell(t, TUN_NAME);
	}
	if (t->link_mtu != s.mtu) {
		t->link_mtu = s.mtu;
		tell(t, TUN_MTU);
	}
}

void tunlink_start(struct tun *t)
{
	if (t->fd >= 0 && t->name[0])
		begin(t);
}

void tunlink_stop(struct tun *t)
{
	end(t);
}
