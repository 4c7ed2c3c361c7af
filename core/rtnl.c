/* SPDX-License-Identifier: MIT */
/* rtnl.c - one question to the kernel's networking, and the answer
 *
 * The kernel's own words about an error (NLMSGERR_ATTR_MSG) are kept for the
 * user where there are any.
 */
#include "rtnl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union answer {
	struct nlmsghdr n;
	char bytes[16384]; /* the kernel's pieces of a dump are smaller */
};

void *rtnl_begin(struct rtnl_request *q, uint16_t type, uint16_t flags,
		 size_t bytes)
{
	memset(q, 0, sizeof(*q));
	q->n.nlmsg_len = NLMSG_LENGTH(bytes);
	q->n.nlmsg_type = type;
	q->n.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	q->n.nlmsg_seq = 1;
	return NLMSG_DATA(&q->n);
}

struct rtattr *rtnl_put(struct rtnl_request *q, uint16_t type, const void *p,
			size_t len)
{
	struct rtattr *a = (void *)((char *)q + NLMSG_ALIGN(q->n.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), p, len);
	q->n.nlmsg_len =
		NLMSG_ALIGN(q->n.nlmsg_len) + (uint32_t)RTA_ALIGN(a->rta_len);
	return a;
}

void rtnl_end(struct rtnl_request *q, struct rtattr *nest)
{
	nest->rta_len =
		(unsigned short)((char *)q + q->n.nlmsg_len - (char *)nest);
}

/* The kernel's explanation in an acknowledgement, into words (RTNL_WORDS). */
static void explanation(const struct nlmsghdr *n, char *words)
{
	const struct nlmsgerr *e = NLMSG_DATA(n);
	const struct rtattr *a;
	size_t at = sizeof(*e), left;

	words[0] = 0;
	if (!(n->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(n->nlmsg_flags & NLM_F_CAPPED))
		at += e->msg.nlmsg_len - sizeof(e->msg);
	left = n->nlmsg_len - NLMSG_HDRLEN;
	if (NLMSG_ALIGN(at) > left)
		return;
	left -= NLMSG_ALIGN(at);
	for (a = (void *)((char *)e + NLMSG_ALIGN(at)); RTA_OK(a, left);
	     a = RTA_NEXT(a, left))
		if (a->rta_type == NLMSGERR_ATTR_MSG)
			snprintf(words, RTNL_WORDS, " (%.*s)",
				 (int)RTA_PAYLOAD(a), (char *)RTA_DATA(a));
}

/* A socket that q was sent on, or -errno. */
static int send_request(const struct rtnl_request *q)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int one = 1, r;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	if (send(fd, q, q->n.nlmsg_len, 0) >= 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

/* The length of what came, or -errno. */
static ssize_t receive(int fd, union answer *answer)
{
	ssize_t n;

	do
		n = recv(fd, answer, sizeof(*answer), 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int rtnl_talk(struct rtnl_request *q, char *words)
{
	union answer answer;
	const struct nlmsgerr *e = NLMSG_DATA(&answer.n);
	ssize_t n;
	int fd;

	words[0] = 0;
	q->n.nlmsg_flags |= NLM_F_ACK;
	fd = send_request(q);
	if (fd < 0)
		return fd;
	n = receive(fd, &answer);
	close(fd);
	if (n < 0)
		return (int)n;
	if (!NLMSG_OK(&answer.n, (size_t)n) ||
	    answer.n.nlmsg_type != NLMSG_ERROR ||
	    answer.n.nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
		return -EPROTO;
	if (e->error)
		explanation(&answer.n, words);
	return e->error;
}

/* 1: found in this piece of the answer; 0: not yet; -1: there is no more. */
static int look(const union answer *answer, ssize_t len,
		bool (*fn)(const struct nlmsghdr *, const void *),
		const void *arg)
{
	const struct nlmsghdr *n = &answer->n;

	if (len <= 0 || !NLMSG_OK(n, (size_t)len))
		return -1;
	for (; NLMSG_OK(n, (size_t)len); n = NLMSG_NEXT(n, len)) {
		if (n->nlmsg_type == NLMSG_DONE || n->nlmsg_type == NLMSG_ERROR)
			return -1;
		if (fn(n, arg))
			return 1;
	}
	return 0;
}

bool rtnl_find(struct rtnl_request *q,
	       bool (*fn)(const struct nlmsghdr *n, const void *arg),
	       const void *arg)
{
	union answer answer;
	int fd, r;

	q->n.nlmsg_flags |= NLM_F_DUMP;
	fd = send_request(q);
	if (fd < 0)
		return false;
	do
		r = look(&answer, receive(fd, &answer), fn, arg);
	while (!r);
	close(fd);
	return r > 0;
}
