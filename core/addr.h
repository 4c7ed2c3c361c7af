/* SPDX-License-Identifier: MIT */
/* addr.h - addresses: text, sockaddr, prefixes
 *
 * Pure.  struct sluice_addr is the one form of an address in the core.
 */
#ifndef CORE_ADDR_H
#define CORE_ADDR_H

#include <stdbool.h>
#include <sys/socket.h>

#include <sluice/plugin.h>

#define ADDR_TEXT 64 /* "[ipv6%zone]:port" and the final NUL */

struct prefix {
	struct sluice_addr addr;
	uint8_t len;
};

bool addr_equal(const struct sluice_addr *a, const struct sluice_addr *b);
bool addr_ip_equal(const struct sluice_addr *a, const struct sluice_addr *b);

/* IPv4 or IPv6 from raw bytes (4 or 16). */
void addr_set(struct sluice_addr *a, int family, const void *ip, uint16_t port);

/* "1.2.3.4", "1.2.3.4:53", "::1", "[::1]:53", "fe80::1%eth0".  The port is
 * preset where none is given.  0 or -EINVAL. */
int addr_parse(const char *text, uint16_t preset, struct sluice_addr *out);

/* Into buf (ADDR_TEXT bytes), given back: "1.2.3.4:53", "[::1]:53". */
char *addr_text(const struct sluice_addr *a, char *buf);
/* The same without the port: "1.2.3.4", "::1". */
char *addr_ip_text(const struct sluice_addr *a, char *buf);

/* The length of what was written to ss, 0 for family 0. */
socklen_t addr_to_sockaddr(const struct sluice_addr *a,
			   struct sockaddr_storage *ss);
/* 0, or -EAFNOSUPPORT.  v4-mapped IPv6 becomes IPv4. */
int addr_from_sockaddr(const struct sockaddr *sa, struct sluice_addr *a);

bool addr_is_loopback(const struct sluice_addr *a);
bool addr_is_any(const struct sluice_addr *a); /* 0.0.0.0/8, :: */
bool addr_is_multicast(const struct sluice_addr *a);
bool addr_is_broadcast(const struct sluice_addr *a); /* 255.255.255.255 */

/* "10.0.0.2/24" keeps the host bits in addr; without a slash the length is
 * 32 or 128.  0 or -EINVAL. */
int prefix_parse(const char *text, struct prefix *out);
bool prefix_has(const struct prefix *p, const struct sluice_addr *a);

#endif
