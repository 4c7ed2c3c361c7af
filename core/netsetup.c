/* SPDX-License-Identifier: MIT */
/* netsetup.c - addresses, link and routes by rtnetlink
 *
 * Nothing has to be undone here: addresses and routes go with the device, and
 * a device that stays was somebody else's.
 */
#include "netsetup.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "rtnl.h"
#include "settings.h"

/* Packets the device holds for us: 500 is less than one window. */
#define QUEUE_PKTS 2000

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
	return err;
}

/* What to do about it, where that is plain. */
static const char *advice(int err)
{
	switch (err) {
	case -EPERM:
		return ": run as root or with CAP_NET_ADMIN, or have the "
		       "device set up beforehand";
	case -EAFNOSUPPORT:
	case -EOPNOTSUPP:
		return ": this system has no such addresses, leave them out "
		       "of [tun]";
	default:
		return "";
	}
}

static int said(const struct say *say, int err, const char *ifname,
		const char *what, const char *words)
{
	if (err == -ENODEV)
		return fail(say, err, "there is no device %s", ifname);
	return fail(say, err, "device %s: %s: %s%s%s", ifname, what,
		    strerror(-err), words, advice(err));
}

static int find(const struct say *say, const char *ifname)
{
	unsigned int index = if_nametoindex(ifname);

	/* The library wants a socket for it, and hides why it has none. */
	if (!index && errno != ENODEV)
		return fail(say, -EMFILE,
			    "set up device %s: no socket to be had: raise the "
			    "limit (ulimit -n)",
			    ifname);
	if (!index)
		return fail(say, -ENODEV, "there is no device %s", ifname);
	return (int)index;
}

/* --- link ---------------------------------------------------------------- */

static bool is_up(const char *ifname, uint32_t mtu)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up;

	if (fd < 0)
		return false;
	memcpy(ifr.ifr_name, ifname, strnlen(ifname, IFNAMSIZ - 1));
	up = !ioctl(fd, SIOCGIFFLAGS, &ifr) && (ifr.ifr_flags & IFF_UP);
	if (up && mtu)
		up = !ioctl(fd, SIOCGIFMTU, &ifr) && ifr.ifr_mtu == (int)mtu;
	close(fd);
	return up;
}

/* No link-local address: the kernel would look for routers and neighbours in
 * a device that has none.  Not every kernel can be told; then it just does. */
static void no_link_local(int index)
{
	uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
	struct rtattr *spec, *family;
	char words[RTNL_WORDS];
	struct ifinfomsg *i;
	struct rtnl_request q;

	i = rtnl_begin(&q, RTM_NEWLINK, 0, sizeof(*i));
	i->ifi_index = index;
	spec = rtnl_put(&q, IFLA_AF_SPEC, NULL, 0);
	family = rtnl_put(&q, AF_INET6, NULL, 0);
	rtnl_put(&q, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof(mode));
	rtnl_end(&q, family);
	rtnl_end(&q, spec);
	rtnl_talk(&q, words);
}

int netsetup_link_up(const char *ifname, uint32_t mtu, char *text,
		     size_t text_len)
{
	const struct say say = { text, text_len };
	uint32_t queue = QUEUE_PKTS;
	char words[RTNL_WORDS];
	struct ifinfomsg *i;
	struct rtnl_request q;
	int index, r;

	index = find(&say, ifname);
	if (index < 0)
		return index;
	if (is_up(ifname, mtu))
		return 0;
	if (!is_up(ifname, 0))
		no_link_local(index);
	i = rtnl_begin(&q, RTM_NEWLINK, 0, sizeof(*i));
	i->ifi_index = index;
	i->ifi_flags = IFF_UP;
	i->ifi_change = IFF_UP;
	if (mtu) {
		rtnl_put(&q, IFLA_MTU, &mtu, sizeof(mtu));
		rtnl_put(&q, IFLA_TXQLEN, &queue, sizeof(queue));
	}
	r = rtnl_talk(&q, words);
	return r ? said(&say, r, ifname, "bring it up", words) : 0;
}

/* --- addresses ----------------------------------------------------------- */

static int family_of(const struct sluice_addr *a)
{
	return a->family == 4 ? AF_INET : AF_INET6;
}

static size_t bytes_of(const struct sluice_addr *a)
{
	return a->family == 4 ? 4 : 16;
}

static bool has_address(const char *ifname, const struct sluice_addr *want)
{
	struct ifaddrs *all, *i;
	struct sluice_addr a;
	bool found = false;

	if (getifaddrs(&all))
		return false;
	for (i = all; i && !found; i = i->ifa_next)
		found = i->ifa_addr && !strcmp(i->ifa_name, ifname) &&
			!addr_from_sockaddr(i->ifa_addr, &a) &&
			addr_ip_equal(&a, want);
	freeifaddrs(all);
	return found;
}

static const char *prefix_text(const struct prefix *p, const char *what,
			       char *buf, size_t len)
{
	char ip[ADDR_TEXT];

	snprintf(buf, len, "%s %s/%u", what, addr_ip_text(&p->addr, ip),
		 p->len);
	return buf;
}

int netsetup_address(const char *ifname, const struct prefix *p, char *text,
		     size_t text_len)
{
	const struct say say = { text, text_len };
	char words[RTNL_WORDS], what[ADDR_TEXT + 32];
	struct ifaddrmsg *a;
	struct rtnl_request q;
	int index, r;

	index = find(&say, ifname);
	if (index < 0)
		return index;
	if (has_address(ifname, &p->addr))
		return 0;
	a = rtnl_begin(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*a));
	a->ifa_family = (uint8_t)family_of(&p->addr);
	a->ifa_prefixlen = p->len;
	/* Nobody else is in there: usable at once. */
	a->ifa_flags = p->addr.family == 6 ? IFA_F_NODAD : 0;
	a->ifa_index = (uint32_t)index;
	rtnl_put(&q, IFA_LOCAL, p->addr.ip, bytes_of(&p->addr));
	rtnl_put(&q, IFA_ADDRESS, p->addr.ip, bytes_of(&p->addr));
	r = rtnl_talk(&q, words);
	if (!r || r == -EEXIST)
		return 0;
	prefix_text(p, "add address", what, sizeof(what));
	if (r == -EACCES && p->addr.family == 6)
		return fail(&say, r,
			    "device %s: %s: IPv6 is off there: leave it out of "
			    "[tun] address, or turn it on (sysctl -w "
			    "net.ipv6.conf.%s.disable_ipv6=0)",
			    ifname, what, ifname);
	return said(&say, r, ifname, what, words);
}

/* --- routes -------------------------------------------------------------- */

/* The kernel wants no bits beyond the length. */
static struct prefix network_of(const struct prefix *p)
{
	struct prefix net = *p;

	for (size_t i = 0; i < sizeof(net.addr.ip); i++) {
		if (i * 8 >= net.len)
			net.addr.ip[i] = 0;
		else if (net.len - i * 8 < 8)
			net.addr.ip[i] &=
				(uint8_t)(0xff << (8 - (net.len - i * 8)));
	}
	return net;
}

struct wanted_route {
	struct prefix net;
	int index;
};

static bool is_route(const struct nlmsghdr *n, const void *arg)
{
	const struct wanted_route *want = arg;
	const size_t bytes = bytes_of(&want->net.addr);
	const struct rtmsg *m = NLMSG_DATA(n);
	const uint8_t none[16] = { 0 };
	const uint8_t *dst = none;
	const struct rtattr *a;
	bool there = false;
	size_t left;

	if (n->nlmsg_type != RTM_NEWROUTE ||
	    n->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) ||
	    m->rtm_dst_len != want->net.len || m->rtm_table != RT_TABLE_MAIN)
		return false;
	left = RTM_PAYLOAD(n);
	for (a = RTM_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == RTA_OIF && RTA_PAYLOAD(a) == sizeof(int))
			there = !memcmp(RTA_DATA(a), &want->index, sizeof(int));
		if (a->rta_type == RTA_DST && RTA_PAYLOAD(a) == bytes)
			dst = RTA_DATA(a);
	}
	return there && !memcmp(dst, want->net.addr.ip, bytes);
}

/* Is there such a route already, by this device?  All are looked at: the
 * kernel can only be asked for the route to an address. */
static bool has_route(const struct prefix *net, int index)
{
	const struct wanted_route want = { *net, index };
	struct rtnl_request q;
	struct rtmsg *m;

	m = rtnl_begin(&q, RTM_GETROUTE, 0, sizeof(*m));
	m->rtm_family = (uint8_t)family_of(&net->addr);
	return rtnl_find(&q, is_route, &want);
}

int netsetup_route(const char *ifname, const struct prefix *to, char *text,
		   size_t text_len)
{
	const struct say say = { text, text_len };
	const struct prefix net = network_of(to);
	char words[RTNL_WORDS], what[ADDR_TEXT + 32];
	struct rtnl_request q;
	struct rtmsg *m;
	int index, r;

	index = find(&say, ifname);
	if (index < 0)
		return index;
	m = rtnl_begin(&q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m));
	m->rtm_family = (uint8_t)family_of(&net.addr);
	m->rtm_dst_len = net.len;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = net.addr.family == 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	if (net.len)
		rtnl_put(&q, RTA_DST, net.addr.ip, bytes_of(&net.addr));
	rtnl_put(&q, RTA_OIF, &index, sizeof(index));
	r = rtnl_talk(&q, words);
	if (!r)
		return 0;
	prefix_text(&net, "add route", what, sizeof(what));
	if (r == -EEXIST && has_route(&net, index))
		return 0;
	if (r == -EEXIST)
		return fail(&say, r,
			    "device %s: %s: there is another route to it: "
			    "remove that (ip route del), or leave it out of "
			    "[tun] routes",
			    ifname, what);
	return said(&say, r, ifname, what, words);
}

/* --- all of it ----------------------------------------------------------- */

int netsetup_up(const char *ifname, const struct settings *set, char *text,
		size_t text_len)
{
	int r = netsetup_link_up(ifname, set->mtu, text, text_len);

	for (int i = 0; i < set->n_address && !r; i++)
		r = netsetup_address(ifname, &set->address[i], text, text_len);
	for (int i = 0; i < set->n_routes && !r; i++)
		r = netsetup_route(ifname, &set->routes[i], text, text_len);
	return r;
}

/* --- namespaces ---------------------------------------------------------- */

int netsetup_netns_open(const char *name)
{
	char path[256];
	int fd, len;

	if (strchr(name, '/'))
		len = snprintf(path, sizeof(path), "%s", name);
	else
		len = snprintf(path, sizeof(path), "/run/netns/%s", name);
	if (len >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

int netsetup_enter(int netns)
{
	int back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (back < 0)
		return -errno;
	/* Root of a user namespace may go where it could not come back from:
	 * to return is tried first. */
	if (setns(back, CLONE_NEWNET) || setns(netns, CLONE_NEWNET)) {
		int err = errno;

		close(back);
		return -err;
	}
	return back;
}

/* Staying in the wrong namespace would send traffic where nobody wants it. */
void netsetup_leave(int back)
{
	if (setns(back, CLONE_NEWNET)) {
		log_error("cannot go back to our own network namespace: %s",
			  strerror(errno));
		_exit(EXIT_FAILURE);
	}
	close(back);
}
