/* SPDX-License-Identifier: MIT */
/* network.c - another network: routes or addresses of ours are others
 *
 * What was connected before may be dead without a word: nobody resets a
 * connection whose source address is gone.  So when the kernel tells of a
 * default route that comes or goes, or of an address that goes, what is under
 * way is asked again at once, by new sockets and connections, and no server
 * is blamed for what was before.
 *
 * Where the kernel does not tell (no netlink), time-outs find it.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ask.h"

#define SETTLE_MS    50 /* a change comes in many pieces */
#define READS_A_TURN 16

static void settled(void *arg)
{
	struct upstream *up = arg;

	up->settle = NULL;
	sluice_log(up->ctx, 6,
		   "the network changed: connections are made "
		   "anew");
	cache_drop_failures(&up->cache);
	for (uint16_t i = 0; i < up->groups.n; i++)
		servers_forgive(&up->groups.v[i].servers);
	udp_retire_all(up);
	stream_retire_all(up);
	ask_again_all(up);
	upstream_tick_in(up, TICK_MS);
}

static bool is_change(const struct nlmsghdr *h)
{
	const struct rtmsg *route = NLMSG_DATA(h);

	if (h->nlmsg_type == RTM_DELADDR)
		return true;
	return (h->nlmsg_type == RTM_NEWROUTE ||
		h->nlmsg_type == RTM_DELROUTE) &&
	       h->nlmsg_len >= NLMSG_LENGTH(sizeof(*route)) &&
	       !route->rtm_dst_len && route->rtm_type == RTN_UNICAST;
}

static void network_event(void *arg, int fd, uint32_t events)
{
	struct upstream *up = arg;
	bool change = false;

	(void)events;
	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t n = recv(fd, up->in, sizeof(up->in), MSG_DONTWAIT);
		const struct nlmsghdr *h = (const void *)up->in;

		if (n < 0 && errno == ENOBUFS) { /* some were lost */
			change = true;
			continue;
		}
		if (n <= 0)
			break;
		for (unsigned int len = (unsigned int)n; NLMSG_OK(h, len);
		     h = NLMSG_NEXT(h, len))
			change |= is_change(h);
	}
	if (change && !up->settle)
		up->settle = sluice_timer(up->ctx, SETTLE_MS, settled, up);
}

void network_start(struct upstream *up)
{
	struct sockaddr_nl a = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
			     RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
			NETLINK_ROUTE);

	if (fd < 0)
		return;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    sluice_watch(up->ctx, fd, SLUICE_WATCH_READ, network_event, up)) {
		close(fd);
		return;
	}
	up->network = fd;
}

void network_stop(struct upstream *up)
{
	if (up->network < 0)
		return;
	sluice_watch(up->ctx, up->network, 0, NULL, NULL);
	close(up->network);
	up->network = -1;
}
