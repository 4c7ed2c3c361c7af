/* SPDX-License-Identifier: MIT */
/* rtnl.h - one question to the kernel's networking, and the answer
 *
 *	i = rtnl_begin(&q, RTM_NEWLINK, 0, sizeof(*i));
 *	i->ifi_index = index;
 *	rtnl_put(&q, IFLA_MTU, &mtu, sizeof(mtu));
 *	r = rtnl_talk(&q, words);
 *
 * A socket for each: there are a handful in the life of a gateway.
 */
#ifndef CORE_RTNL_H
#define CORE_RTNL_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTNL_WORDS 160

struct rtnl_request {
	struct nlmsghdr n;
	char body[512];
};

/* A request with room for a fixed part of bytes, zeroed, which is given. */
void *rtnl_begin(struct rtnl_request *q, uint16_t type, uint16_t flags,
		 size_t bytes);
/* An attribute; with len 0 it may be a nest, to be closed by rtnl_end(). */
struct rtattr *rtnl_put(struct rtnl_request *q, uint16_t type, const void *p,
			size_t len);
void rtnl_end(struct rtnl_request *q, struct rtattr *nest);

/* Send, and wait until it is done: 0 or -errno, and what the kernel says
 * about it in words (RTNL_WORDS bytes, "" or " (...)"). */
int rtnl_talk(struct rtnl_request *q, char *words);
/* Show fn each message of a dump until it answers true: true.  Else, also
 * when there was none, false. */
bool rtnl_find(struct rtnl_request *q,
	       bool (*fn)(const struct nlmsghdr *n, const void *arg),
	       const void *arg);

#endif
