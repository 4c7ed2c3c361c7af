/* SPDX-License-Identifier: MIT */
/* lwip.c - the parts of lwIP that sluice uses, as one
 *
 * Its TCP and what that stands on.  The IP layer, ICMP, ND and the netif
 * list are not here: the core parses and routes by itself, hands segments to
 * tcp_input(), and gives lwIP the few functions it still asks for.
 *
 * One translation unit, so that the compiler sees through pbuf_*() and the
 * checksum, and the tree the files come from can be anywhere.
 */
#include <def.c>
#include <inet_chksum.c>
#include <ipv4/ip4_addr.c>
#include <ipv6/ip6_addr.c>
#include <mem.c>
#include <memp.c>
#include <pbuf.c>
#include <tcp.c>
#include <tcp_in.c>
#include <tcp_out.c>
