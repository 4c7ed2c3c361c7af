/* SPDX-License-Identifier: MIT */
/* netsetup.h - addresses, link and routes by rtnetlink
 *
 * The only file that changes routes.  It works on the network namespace the
 * calling thread is in; netsetup_enter() changes that for a moment.
 *
 * Each function gives 0, or -errno and a sentence for the user in text.  What
 * is there already, as it is wanted, is left alone: so an ordinary user gets
 * by with a device that root made ready.
 */
#ifndef CORE_NETSETUP_H
#define CORE_NETSETUP_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"

struct settings;

/* Bring the device up with its MTU, addresses and routes, as [tun] says. */
int netsetup_up(const char *ifname, const struct settings *set, char *text,
		size_t text_len);

/* mtu 0: leave it. */
int netsetup_link_up(const char *ifname, uint32_t mtu, char *text,
		     size_t text_len);
int netsetup_address(const char *ifname, const struct prefix *p, char *text,
		     size_t text_len);
/* to->len 0: the default route of the family. */
int netsetup_route(const char *ifname, const struct prefix *to, char *text,
		   size_t text_len);

/* Open a namespace by the name ip-netns(8) gives it, or by path.  -EINVAL: it
 * is something else. */
int netsetup_netns_open(const char *name);
/* Enter it; gives a descriptor of where we were, for netsetup_leave(). */
int netsetup_enter(int netns);
void netsetup_leave(int back);

#endif
