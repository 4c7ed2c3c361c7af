/* SPDX-License-Identifier: MIT */
/* packets.h - good packets for tests, to be spoiled */
#ifndef PACKETS_H
#define PACKETS_H

#include "packet.h"

#include "unit.h"
#include "util.h"

static const struct sluice_addr app4 = { .family = 4,
					 .port = 40000,
					 .ip = { 10, 0, 0, 2 } };
static const struct sluice_addr net4 = { .family = 4,
					 .port = 443,
					 .ip = { 192, 0, 2, 1 } };
static const struct sluice_addr app6 = { .family = 6,
					 .port = 40000,
					 .ip = { 0xfd, 0, [15] = 2 } };
static const struct sluice_addr net6 = {
	.family = 6, .port = 443, .ip = { 0x20, 1, 0xd, 0xb8, [15] = 1 }
};

struct made {
	uint8_t b[2048];
	size_t len;
};

static inline size_t head_of(const struct made *m)
{
	return m->b[0] >> 4 == 6 ? 40 : (m->b[0] & 15) * 4u;
}

/* Checksums and lengths as a correct sender of these bytes has them. */
static inline void seal(struct made *m)
{
	bool v6 = m->b[0] >> 4 == 6;
	size_t head = head_of(m);
	uint8_t proto = m->b[v6 ? 6 : 9], *l4 = m->b + head;
	uint32_t len = (uint32_t)(m->len - head);
	struct sluice_addr src = { .family = v6 ? 6 : 4 }, dst = src;
	size_t at = proto == PACKET_TCP ? 16 : proto == PACKET_UDP ? 6 : 2;
	uint64_t sum = 0;
	uint16_t c;

	memcpy(src.ip, m->b + (v6 ? 8 : 12), v6 ? 16 : 4);
	memcpy(dst.ip, m->b + (v6 ? 24 : 16), v6 ? 16 : 4);
	if (proto != PACKET_ICMP)
		sum = csum_pseudo(&src, &dst, proto, len);
	memset(l4 + at, 0, 2);
	c = csum_fold(csum_add(sum, l4, len));
	memcpy(l4 + at, &c, 2);
	if (!v6) {
		memset(m->b + 10, 0, 2);
		c = csum_fold(csum_add(0, m->b, head));
		memcpy(m->b + 10, &c, 2);
	}
}

static inline struct made tcp(bool v6, uint8_t flags, const char *options,
			      size_t options_len, size_t data)
{
	struct made m = { .len = 0 };
	size_t head, l4 = 20 + options_len + data;
	uint8_t *h;

	head = packet_ip_header(m.b, v6 ? &app6 : &app4, v6 ? &net6 : &net4,
				PACKET_TCP, 61, 0x28, (uint32_t)l4, true, 0);
	h = m.b + head;
	put_be16(h, 40000);
	put_be16(h + 2, 443);
	put_be32(h + 4, 0xfffffff0);
	put_be32(h + 8, flags & TCP_ACK ? 0x01020304 : 0);
	h[12] = (uint8_t)((20 + options_len) / 4 << 4);
	h[13] = flags;
	put_be16(h + 14, 64240);
	if (options_len)
		memcpy(h + 20, options, options_len);
	memset(h + 20 + options_len, 'x', data);
	m.len = head + l4;
	seal(&m);
	return m;
}

static inline struct made udp(bool v6, size_t data)
{
	uint8_t payload[1500];
	struct iovec v = { payload, data };
	struct made m;
	size_t head;

	memset(payload, 'u', sizeof(payload));
	head = packet_udp_header(m.b, v6 ? &app6 : &app4, v6 ? &net6 : &net4,
				 64, 0, false, 7, &v, 1, false);
	memcpy(m.b + head, payload, data);
	m.len = head + data;
	return m;
}

static inline struct made echo(bool v6)
{
	struct made m;

	m.len = packet_icmp_echo(m.b, sizeof(m.b), v6 ? &app6 : &app4,
				 v6 ? &net6 : &net4, v6 ? 128 : 8, 0x1234, 9,
				 64, "abcdefg", 7);
	return m;
}

/* Put bytes between the IP header and what follows: options (IPv4) or
 * extension headers (IPv6), the last of which gets the protocol. */
static inline void insert(struct made *m, const uint8_t *what, size_t n)
{
	size_t head = head_of(m);

	memmove(m->b + head + n, m->b + head, m->len - head);
	memcpy(m->b + head, what, n);
	m->len += n;
	if (head == 40) {
		put_be16(m->b + 4, (uint16_t)(m->len - 40));
		return;
	}
	put_be16(m->b + 2, (uint16_t)m->len);
	m->b[0] = (uint8_t)(0x40 | (head + n) / 4);
	seal(m);
}

/* Extension headers before TCP, as "kind:bytes" in order. */
struct extension {
	uint8_t kind;
	const char *bytes; /* from the third on; NULL: padding */
	size_t units;      /* of 8 bytes */
};

static inline struct made extended(const struct extension *e, int n)
{
	struct made m = tcp(true, TCP_ACK, NULL, 0, 4);

	for (int i = n - 1; i >= 0; i--) {
		uint8_t b[1024] = { m.b[6] };
		size_t len = e[i].units * 8;

		if (e[i].kind != 44)
			b[1] = (uint8_t)(e[i].units - 1);
		if (e[i].bytes) {
			memcpy(b + 2, e[i].bytes, 6);
		} else { /* PadN, up to 257 bytes each */
			for (size_t at = 2; at < len;) {
				size_t pad = MIN(len - at, 257);

				if (pad == 1 || len - at - pad == 1)
					pad--;
				if (pad == 0)
					break;
				b[at] = 1;
				b[at + 1] = (uint8_t)(pad - 2);
				at += pad;
			}
		}
		insert(&m, b, len);
		m.b[6] = e[i].kind;
	}
	return m;
}

/* Into an exact heap block, so that one byte too far is seen by ASan. */
static inline enum packet_error
parse_flags(struct packet *p, const struct made *m, unsigned flags)
{
	static uint8_t *last;

	free(last);
	last = malloc(m->len ? m->len : 1);
	memcpy(last, m->b, m->len);
	return packet_parse(p, last, m->len, flags);
}

static inline enum packet_error parse(struct packet *p, const struct made *m)
{
	return parse_flags(p, m, 0);
}

#endif
