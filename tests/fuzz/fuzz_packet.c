/* SPDX-License-Identifier: MIT */
/* fuzz_packet.c - any bytes as a packet, and the answers made of it
 *
 * The first byte says how it is read: bit 0, as offload gives it (checksums
 * not looked at); bit 1, the IPv4 header checksum is put right first, which
 * no mutation would ever find.
 *
 * fuzz: core/packet.c core/packet_build.c core/csum.c
 */
#include "packet.h"

#include "fuzz.h"
#include "util.h"

static void put_right(uint8_t *ip, size_t len)
{
	size_t head = len ? (ip[0] & 15) * 4u : 0;
	uint16_t sum;

	if (len < 20 || len < head || head < 20 || ip[0] >> 4 != 4)
		return;
	put_be16(ip + 10, 0);
	sum = csum_fold(csum_add(0, ip, head));
	memcpy(ip + 10, &sum, sizeof(sum));
}

/* What everyone behind packet_parse() relies on. */
static void check_promises(const struct packet *p, size_t len)
{
	FUZZ_CHECK(p->len <= len);
	FUZZ_CHECK(p->version == 4 || p->version == 6);
	FUZZ_CHECK(p->src.family == p->version && p->dst.family == p->version);
	FUZZ_CHECK(p->l4 >= p->ip + (p->version == 4 ? 20 : 40));
	FUZZ_CHECK(p->l4 + p->l4_len <= p->ip + p->len);
	FUZZ_CHECK(p->data >= p->l4);
	FUZZ_CHECK(p->data + p->data_len <= p->l4 + p->l4_len);
	FUZZ_CHECK(!p->problem);
	if (p->frag) {
		FUZZ_CHECK(p->more || p->frag_off);
		if (p->version == 6)
			FUZZ_CHECK(p->frag_unit + 8 == p->l4 &&
				   *p->frag_from == 44);
		return;
	}
	if (p->proto == PACKET_TCP) {
		FUZZ_CHECK(p->l4_len >= 20 && p->data >= p->l4 + 20);
		FUZZ_CHECK(p->src.port && p->dst.port && p->summed);
		FUZZ_CHECK(p->flags & (TCP_SYN | TCP_RST | TCP_ACK));
	}
	if (p->proto == PACKET_UDP)
		FUZZ_CHECK(p->l4_len >= 8 && p->dst.port && p->summed);
}

static void check_answer(const struct packet *p, uint8_t *out, size_t len)
{
	struct packet a;

	FUZZ_CHECK(packet_parse(&a, out, len, 0) == PACKET_OK);
	FUZZ_CHECK(a.len == len && a.summed);
	FUZZ_CHECK(!memcmp(a.dst.ip, p->src.ip, 16));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sluice_addr from[2] = {
		{ .family = 4, .ip = { 10, 0, 0, 1 } },
		{ .family = 6, .ip = { 0xfd, [15] = 1 } },
	};
	uint8_t out[1280], *ip;
	struct packet_syn syn;
	struct packet p;
	size_t len;

	if (size < 1)
		return 0;
	ip = fuzz_copy(data + 1, size - 1);
	if (data[0] & 2)
		put_right(ip, size - 1);
	if (packet_parse(&p, ip, size - 1, data[0] & 1 ? PACKET_SUMMED : 0) ==
	    PACKET_OK) {
		check_promises(&p, size - 1);
		if (p.proto == PACKET_TCP && !p.frag) {
			packet_syn_options(&p, &syn);
			FUZZ_CHECK(syn.wscale <= 14);
			len = packet_rst(out, sizeof(out), &p);
			FUZZ_CHECK(!len == !!(p.flags & TCP_RST));
			if (len)
				check_answer(&p, out, len);
		}
	}
	len = packet_icmp_error(out, sizeof(out), &from[p.version == 6], ip,
				size - 1, p.version == 6 ? 1 : 3, 0, 0);
	if (len) {
		FUZZ_CHECK(len <= (p.version == 6 ? 1280 : 576));
		check_answer(&p, out, len);
	}
	free(ip);
	return 0;
}
