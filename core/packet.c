/* SPDX-License-Identifier: MIT */
/* packet.c - IP packets, taken apart
 *
 * One pass from the front: each length is checked before what it covers is
 * touched, and what is read later lies inside what was checked.
 *
 *	IP header -> extension headers -> fragment? stop : TCP | UDP | ICMP
 *
 * What comes out as PACKET_OK satisfies everything that the rest of the core
 * relies on; nobody checks a length again.
 */
#include "packet.h"

#include <string.h>

#include "util.h"

/* IPv6 extension headers that are walked; any other number is the protocol,
 * "no next header" (59) too. */
#define EXT_HOP      0
#define EXT_ROUTING  43
#define EXT_FRAGMENT 44
#define EXT_DEST     60

#define EXT_MAX       8 /* headers */
#define EXT_MAX_BYTES 512

/* Parameter Problem codes, RFC 4443 3.4 */
#define PROBLEM_FIELD  0
#define PROBLEM_NEXT   1
#define PROBLEM_OPTION 2

static inline void set_addr4(struct sluice_addr *a, const uint8_t *ip)
{
	a->family = 4;
	memcpy(a->ip, ip, 4);
}

static inline void set_addr6(struct sluice_addr *a, const uint8_t *ip)
{
	a->family = 6;
	memcpy(a->ip, ip, 16);
}

/* Options that only route (RFC 791: LSRR, SSRR) are refused, and so are
 * lengths that make no sense. */
static enum packet_error v4_options(const uint8_t *at, const uint8_t *end)
{
	while (at < end && *at != 0) {
		if (*at == 1) {
			at++;
			continue;
		}
		if (end - at < 2 || at[1] < 2 || at[1] > end - at)
			return PACKET_HEADER;
		if (*at == 131 || *at == 137)
			return PACKET_HEADER;
		at += at[1];
	}
	return PACKET_OK;
}

static enum packet_error parse_v4(struct packet *p, size_t len)
{
	uint8_t *ip = p->ip;
	uint32_t head = (ip[0] & 15) * 4u;
	uint16_t frag;

	set_addr4(&p->src, ip + 12);
	set_addr4(&p->dst, ip + 16);
	p->tos = ip[1];
	p->ttl = ip[8];
	p->proto = ip[9];
	if (head < 20)
		return PACKET_HEADER;
	p->len = get_be16(ip + 2);
	if (p->len > len || p->len < head)
		return PACKET_LENGTH;
	/* 20 bytes cost nothing, and no offload ever leaves them undone */
	if (csum_fold(csum_add(0, ip, head)))
		return PACKET_CHECKSUM;
	if (head > 20 && v4_options(ip + 20, ip + head))
		return PACKET_HEADER;

	frag = get_be16(ip + 6);
	p->df = frag & 0x4000;
	p->more = frag & 0x2000;
	p->frag_off = (uint16_t)((frag & 0x1fff) * 8);
	p->frag = p->more || p->frag_off;
	p->frag_id = get_be16(ip + 4);
	p->l4 = ip + head;
	p->l4_len = p->len - head;
	return PACKET_OK;
}

static enum packet_error problem(struct packet *p, const uint8_t *at,
				 uint8_t code)
{
	p->problem = (uint16_t)(at - p->ip);
	p->problem_code = code;
	return PACKET_HEADER;
}

/* The two high bits of an option say what becomes of a packet whose option
 * is not known (RFC 8200 4.2); none is known here but padding. */
static enum packet_error v6_options(struct packet *p, const uint8_t *at,
				    const uint8_t *end)
{
	while (at < end) {
		if (*at == 0) {
			at++;
			continue;
		}
		if (end - at < 2 || at[1] > end - at - 2)
			return PACKET_HEADER;
		switch (*at >> 6) {
		case 0:
			break;
		case 1:
			return PACKET_HEADER;
		case 3:
			if (p->dst.ip[0] == 0xff)
				return PACKET_HEADER;
			/* fall through */
		default:
			return problem(p, at, PROBLEM_OPTION);
		}
		at += 2 + at[1];
	}
	return PACKET_OK;
}

/* One extension header of the given kind, whole from at to end. */
static enum packet_error v6_extension(struct packet *p, uint8_t kind,
				      uint8_t *at, uint8_t *end, uint8_t *from)
{
	uint16_t frag;

	switch (kind) {
	case EXT_HOP:
		if (from != p->ip + 6) /* only right after the IP header */
			return problem(p, from, PROBLEM_NEXT);
		return v6_options(p, at + 2, end);
	case EXT_DEST:
		return v6_options(p, at + 2, end);
	case EXT_ROUTING:
		/* RFC 5095; others only if the route has been gone */
		if (at[2] == 0 || at[3] != 0)
			return problem(p, at + 2, PROBLEM_FIELD);
		return PACKET_OK;
	}
	if (p->frag_unit)
		return problem(p, from, PROBLEM_NEXT);
	frag = get_be16(at + 2);
	p->more = frag & 1;
	p->frag_off = frag & 0xfff8;
	p->frag = p->more || p->frag_off; /* else atomic: RFC 6946 */
	p->frag_id = get_be32(at + 4);
	p->frag_unit = at;
	p->frag_from = from;
	return PACKET_OK;
}

static enum packet_error parse_v6(struct packet *p, size_t len)
{
	uint8_t *ip = p->ip, *from = ip + 6, *at = ip + 40, *end;
	uint8_t kind = ip[6];
	enum packet_error err;

	set_addr6(&p->src, ip + 8);
	set_addr6(&p->dst, ip + 24);
	p->tos = (uint8_t)(get_be16(ip) >> 4);
	p->ttl = ip[7];
	p->df = true;
	p->len = 40u + get_be16(ip + 4);
	if (p->len > len)
		return PACKET_LENGTH;
	end = ip + p->len;

	for (int n = 0; !p->frag; n++) {
		size_t size;

		if (kind != EXT_HOP && kind != EXT_ROUTING &&
		    kind != EXT_FRAGMENT && kind != EXT_DEST)
			break;
		if (n == EXT_MAX)
			return PACKET_HEADER;
		if (end - at < 8)
			return PACKET_SHORT;
		size = kind == EXT_FRAGMENT ? 8 : at[1] * 8u + 8;
		if (size > (size_t)(end - at))
			return PACKET_SHORT;
		if (at + size - (ip + 40) > EXT_MAX_BYTES)
			return PACKET_HEADER;
		err = v6_extension(p, kind, at, at + size, from);
		if (err)
			return err;
		from = at;
		kind = at[0];
		at += size;
	}
	p->proto = kind;
	p->l4 = at;
	p->l4_len = (uint32_t)(end - at);
	return PACKET_OK;
}

/* Is the checksum over all of p->l4 right? */
static bool l4_summed(const struct packet *p)
{
	uint64_t sum = 0;

	if (p->proto != PACKET_ICMP)
		sum = csum_pseudo(&p->src, &p->dst, p->proto, p->l4_len);
	return csum_fold(csum_add(sum, p->l4, p->l4_len)) == 0;
}

static enum packet_error parse_tcp(struct packet *p)
{
	uint8_t *h = p->l4;
	uint32_t head;
	uint8_t kind;

	if (p->l4_len < 20)
		return PACKET_SHORT;
	p->src.port = get_be16(h);
	p->dst.port = get_be16(h + 2);
	p->seq = get_be32(h + 4);
	p->ack = get_be32(h + 8);
	p->flags = h[13];
	p->window = get_be16(h + 14);
	head = (h[12] >> 4) * 4u;
	if (head < 20 || head > p->l4_len)
		return PACKET_TCP_BAD;
	if (!p->summed && !l4_summed(p))
		return PACKET_CHECKSUM;
	p->summed = true;
	p->data = h + head;
	p->data_len = p->l4_len - head;

	if (!p->src.port || !p->dst.port)
		return PACKET_TCP_BAD;
	kind = p->flags & (TCP_SYN | TCP_FIN | TCP_RST);
	if (kind & (kind - 1)) /* at most one of the three */
		return PACKET_TCP_BAD;
	if (!(p->flags & (TCP_SYN | TCP_RST | TCP_ACK)))
		return PACKET_TCP_BAD;
	return PACKET_OK;
}

static enum packet_error parse_udp(struct packet *p)
{
	uint8_t *h = p->l4;
	uint16_t len;

	if (p->l4_len < 8)
		return PACKET_SHORT;
	p->src.port = get_be16(h);
	p->dst.port = get_be16(h + 2);
	len = get_be16(h + 4);
	if (len < 8 || len > p->l4_len)
		return PACKET_LENGTH;
	p->l4_len = len;
	if (get_be16(h + 6) == 0) {
		/* RFC 8200 8.1; an offload never leaves 0 there */
		if (p->version == 6)
			return PACKET_CHECKSUM;
	} else if (!p->summed && !l4_summed(p)) {
		return PACKET_CHECKSUM;
	}
	p->summed = true;
	p->data = h + 8;
	p->data_len = len - 8u;
	return p->dst.port ? PACKET_OK : PACKET_HEADER;
}

static enum packet_error parse_icmp(struct packet *p)
{
	uint8_t *h = p->l4;

	if ((p->proto == PACKET_ICMP) != (p->version == 4))
		return PACKET_HEADER;
	if (p->l4_len < 8)
		return PACKET_SHORT;
	p->type = h[0];
	p->code = h[1];
	if (!p->summed && !l4_summed(p))
		return PACKET_CHECKSUM;
	p->summed = true;
	p->data = h + 8;
	p->data_len = p->l4_len - 8;
	if (p->version == 4 ? p->type == 8 || p->type == 0 :
			      p->type == 128 || p->type == 129)
		p->src.port = get_be16(h + 4);
	return PACKET_OK;
}

enum packet_error packet_parse(struct packet *p, uint8_t *data, size_t len,
			       unsigned flags)
{
	enum packet_error err;

	memset(p, 0, sizeof(*p));
	p->ip = data;
	p->packets = 1;
	if (len < 20)
		return PACKET_SHORT;
	p->version = data[0] >> 4;
	switch (p->version) {
	case 4:
		err = parse_v4(p, len);
		break;
	case 6:
		err = len < 40 ? PACKET_SHORT : parse_v6(p, len);
		break;
	default:
		return PACKET_VERSION;
	}
	if (err)
		return err;
	p->data = p->l4;
	p->data_len = p->l4_len;
	if (p->frag)
		return PACKET_OK;

	p->summed = flags & PACKET_SUMMED;
	switch (p->proto) {
	case PACKET_TCP:
		return parse_tcp(p);
	case PACKET_UDP:
		return parse_udp(p);
	case PACKET_ICMP:
	case PACKET_ICMPV6:
		return parse_icmp(p);
	}
	return PACKET_OK;
}

void packet_syn_options(const struct packet *p, struct packet_syn *out)
{
	const uint8_t *at = p->l4 + 20, *end = p->data;

	memset(out, 0, sizeof(*out));
	while (at < end && *at != 0) {
		if (*at == 1) {
			at++;
			continue;
		}
		if (end - at < 2 || at[1] < 2 || at[1] > end - at)
			return;
		if (at[0] == 2 && at[1] == 4) {
			out->mss = get_be16(at + 2);
		} else if (at[0] == 3 && at[1] == 3) {
			out->has_wscale = true;
			out->wscale = MIN(at[2], 14); /* RFC 7323 2.3 */
		} else if (at[0] == 4 && at[1] == 2) {
			out->has_sack = true;
		}
		at += at[1];
	}
}
