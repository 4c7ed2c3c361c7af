/* SPDX-License-Identifier: MIT */
/* packet_build.c - IP packets, written
 *
 * Headers and the small packets the gateway answers with.  Everything goes
 * into memory of the caller and is complete, checksums included.
 */
#include <string.h>

#include "packet.h"
#include "util.h"

#define TTL 64

/* What an ICMP error may be in all: RFC 1812 4.3.2.3, RFC 4443 2.4 (c) */
#define ERROR_MAX_V4 576u
#define ERROR_MAX_V6 1280u

static void put_csum(uint8_t *at, uint64_t sum)
{
	uint16_t c = csum_fold(sum);

	memcpy(at, &c, sizeof(c));
}

size_t packet_ip_header(uint8_t *out, const struct sluice_addr *src,
			const struct sluice_addr *dst, uint8_t proto,
			uint8_t ttl, uint8_t tos, uint32_t len, bool df,
			uint16_t id)
{
	if (src->family == 6) {
		put_be32(out, 6u << 28 | (uint32_t)tos << 20);
		put_be16(out + 4, (uint16_t)len);
		out[6] = proto;
		out[7] = ttl;
		memcpy(out + 8, src->ip, 16);
		memcpy(out + 24, dst->ip, 16);
		return 40;
	}
	out[0] = 0x45;
	out[1] = tos;
	put_be16(out + 2, (uint16_t)(len + 20));
	put_be16(out + 4, df ? 0 : id);
	put_be16(out + 6, df ? 0x4000 : 0);
	out[8] = ttl;
	out[9] = proto;
	put_be16(out + 10, 0);
	memcpy(out + 12, src->ip, 4);
	memcpy(out + 16, dst->ip, 4);
	put_csum(out + 10, csum_add(0, out, 20));
	return 20;
}

size_t packet_udp_header(uint8_t *out, const struct sluice_addr *src,
			 const struct sluice_addr *dst, uint8_t ttl,
			 uint8_t tos, bool df, uint16_t id,
			 const struct iovec *v, int n, bool partial)
{
	size_t len = 8, head;
	uint64_t sum;
	uint16_t c;
	uint8_t *udp;

	for (int i = 0; i < n; i++)
		len += v[i].iov_len;
	if (len > PACKET_MAX - (src->family == 4 ? 20 : 0))
		return 0;
	head = packet_ip_header(out, src, dst, PACKET_UDP, ttl, tos,
				(uint32_t)len, df, id);
	udp = out + head;
	put_be16(udp, src->port);
	put_be16(udp + 2, dst->port);
	put_be16(udp + 4, (uint16_t)len);
	put_be16(udp + 6, 0);
	sum = csum_pseudo(src, dst, PACKET_UDP, (uint32_t)len);
	if (partial) {
		c = csum_partial(sum);
	} else {
		c = csum_fold(csum_iov(csum_add(sum, udp, 8), v, n));
		if (c == 0) /* 0 would say "none" */
			c = 0xffff;
	}
	memcpy(udp + 6, &c, sizeof(c));
	return head + 8;
}

/* The protocol of an IPv6 packet of which len bytes are there, and where it
 * begins; a later fragment of one gives -1, and so does one that ends before
 * it is known. */
static int v6_proto(const uint8_t *ip, size_t len, size_t *at)
{
	int kind = ip[6];
	size_t size;

	*at = 40;
	while (kind == 0 || kind == 43 || kind == 44 || kind == 60) {
		if (len < *at + 8)
			return -1;
		if (kind == 44 && get_be16(ip + *at + 2) & 0xfff8)
			return -1;
		size = kind == 44 ? 8 : ip[*at + 1] * 8u + 8;
		kind = ip[*at];
		*at += size;
	}
	return kind;
}

/* RFC 1122 3.2.2.  A loopback source may be answered: it got this far only
 * because the configuration takes it in. */
static bool v4_may_err(const uint8_t *ip, size_t len)
{
	size_t head = (ip[0] & 15) * 4u;

	if (get_be16(ip + 6) & 0x1fff)
		return false;
	if (ip[12] == 0 || ip[12] >= 224 || ip[16] >= 224)
		return false; /* multicast, class E, broadcast */
	if (ip[9] != PACKET_ICMP)
		return true;
	if (len <= head)
		return false;
	/* echo, and the queries 13 to 18; all others are errors, or unknown */
	return ip[head] == 0 || ip[head] == 8 ||
	       (ip[head] >= 13 && ip[head] <= 18);
}

/* RFC 4443 2.4 (e) */
static bool v6_may_err(const uint8_t *ip, size_t len, uint8_t type,
		       uint8_t code)
{
	static const uint8_t none[16];
	size_t at;
	int proto;

	if (ip[8] == 0xff || !memcmp(ip + 8, none, 16))
		return false;
	/* to a multicast group only "too big" and "unknown option" */
	if (ip[24] == 0xff && type != 2 && !(type == 4 && code == 2))
		return false;
	proto = v6_proto(ip, len, &at);
	if (proto < 0)
		return false;
	return proto != PACKET_ICMPV6 || (len > at && ip[at] >= 128);
}

size_t packet_icmp_error(uint8_t *out, size_t cap,
			 const struct sluice_addr *from, const uint8_t *ip,
			 size_t len, uint8_t type, uint8_t code, uint32_t extra)
{
	struct sluice_addr to = { .family = from->family };
	bool v6 = from->family == 6;
	size_t head = v6 ? 40 : 20, whole;
	uint8_t *icmp = out + head;
	uint64_t sum = 0;

	if (len < head || ip[0] >> 4 != from->family)
		return 0;
	cap = MIN(cap, v6 ? ERROR_MAX_V6 : ERROR_MAX_V4);
	if (cap < head + 8 + head + 8)
		return 0;
	if (v6 ? !v6_may_err(ip, len, type, code) : !v4_may_err(ip, len))
		return 0;
	memcpy(to.ip, ip + (v6 ? 8 : 12), v6 ? 16 : 4);
	whole = v6 ? get_be16(ip + 4) + 40u : get_be16(ip + 2);
	len = MIN(MIN(len, whole), cap - head - 8);

	icmp[0] = type;
	icmp[1] = code;
	put_be16(icmp + 2, 0);
	put_be32(icmp + 4, extra);
	memcpy(icmp + 8, ip, len);
	len += 8;
	if (v6)
		sum = csum_pseudo(from, &to, PACKET_ICMPV6, (uint32_t)len);
	put_csum(icmp + 2, csum_add(sum, icmp, len));
	/* 0xc0: internetwork control, RFC 1812 4.3.2.5 */
	return len + packet_ip_header(out, from, &to,
				      v6 ? PACKET_ICMPV6 : PACKET_ICMP, TTL,
				      v6 ? 0 : 0xc0, (uint32_t)len, true, 0);
}

size_t packet_rst(uint8_t *out, size_t cap, const struct packet *p)
{
	size_t head = p->version == 6 ? 40 : 20;
	uint8_t *tcp = out + head;
	uint32_t end;

	if (p->flags & TCP_RST || cap < head + 20)
		return 0;
	packet_ip_header(out, &p->dst, &p->src, PACKET_TCP, TTL, 0, 20, true,
			 0);
	memset(tcp, 0, 20);
	put_be16(tcp, p->dst.port);
	put_be16(tcp + 2, p->src.port);
	if (p->flags & TCP_ACK) {
		put_be32(tcp + 4, p->ack);
		tcp[13] = TCP_RST;
	} else {
		end = p->seq + p->data_len + !!(p->flags & TCP_SYN) +
		      !!(p->flags & TCP_FIN);
		put_be32(tcp + 8, end);
		tcp[13] = TCP_RST | TCP_ACK;
	}
	tcp[12] = 5 << 4;
	put_csum(tcp + 16,
		 csum_add(csum_pseudo(&p->dst, &p->src, PACKET_TCP, 20), tcp,
			  20));
	return head + 20;
}

size_t packet_icmp_echo(uint8_t *out, size_t cap, const struct sluice_addr *src,
			const struct sluice_addr *dst, uint8_t type,
			uint16_t id, uint16_t seq, uint8_t ttl,
			const void *data, size_t len)
{
	bool v6 = src->family == 6;
	uint8_t proto = v6 ? PACKET_ICMPV6 : PACKET_ICMP;
	size_t head = v6 ? 40 : 20;
	uint8_t *icmp = out + head;
	uint64_t sum = 0;

	if (len > PACKET_MAX - 28 || cap < head + 8 + len)
		return 0;
	if (len)
		memmove(icmp + 8, data, len);
	len += 8;
	packet_ip_header(out, src, dst, proto, ttl, 0, (uint32_t)len, true, 0);
	icmp[0] = type;
	icmp[1] = 0;
	put_be16(icmp + 2, 0);
	put_be16(icmp + 4, id);
	put_be16(icmp + 6, seq);
	if (v6)
		sum = csum_pseudo(src, dst, proto, (uint32_t)len);
	put_csum(icmp + 2, csum_add(sum, icmp, len));
	return head + len;
}
