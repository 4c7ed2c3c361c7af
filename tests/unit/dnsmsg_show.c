/* SPDX-License-Identifier: MIT */
/* dnsmsg_show.c - what dnsmsg.c makes of messages, for tests/dnsmsg-agrees
 *
 * On stdin messages with two bytes of length before each; on stdout a line
 * for each: "bad", or
 *
 *	ID FLAGS QD AN NS AR TYPE CLASS EDNS-SIZE DO NAME ADDRESSES CUT
 *
 * ADDRESSES as address/ttl, joined by commas, - for none; CUT is what is left
 * of it within 512 bytes, in hex.
 */
#include <stdio.h>

#include "addr.h"
#include "dnsmsg.h"

static void show_addresses(const uint8_t *msg, size_t len)
{
	struct dnsmsg_addrs walk;
	struct sluice_addr a;
	char text[ADDR_TEXT];
	uint32_t ttl;
	int n = 0;

	dnsmsg_addrs_init(&walk, msg, len);
	while (dnsmsg_addrs_next(&walk, &a, &ttl))
		printf("%s%s/%u", n++ ? "," : " ", addr_ip_text(&a, text), ttl);
	if (!n)
		printf(" -");
}

static void show(uint8_t *msg, size_t len)
{
	char name[DNSMSG_TEXT] = "-";
	struct dnsmsg m;

	if (dnsmsg_parse(&m, msg, len) ||
	    (m.question && dnsmsg_name(msg, len, DNSMSG_HEADER, name) < 0)) {
		puts("bad");
		return;
	}
	printf("%u %u %u %u %u %u %u %u %u %d %s", m.id, m.flags, m.count[0],
	       m.count[1], m.count[2], m.count[3], m.qtype, m.qclass,
	       m.edns_size, m.dnssec_ok, name);
	show_addresses(msg, len);
	len = dnsmsg_cut(msg, len, DNSMSG_SMALL);
	putchar(' ');
	for (size_t i = 0; i < len; i++)
		printf("%02x", msg[i]);
	putchar('\n');
}

int main(void)
{
	static uint8_t msg[DNSMSG_MAX];
	uint8_t head[2];

	while (fread(head, 2, 1, stdin) == 1) {
		size_t len = (size_t)head[0] << 8 | head[1];

		if (len && fread(msg, len, 1, stdin) != 1)
			return 1;
		show(msg, len);
	}
	return 0;
}
