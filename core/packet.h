/* SPDX-License-Identifier: MIT */
/* packet.h - IP packets: taken apart, checked, built
 *
 * Pure: no state, no logging, no memory that is not the caller's.  A packet
 * that lies about itself never gets past packet_parse(); the error says
 * which counter to raise.
 */
#ifndef CORE_PACKET_H
#define CORE_PACKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <sluice/plugin.h>

#include "csum.h"

#define PACKET_ICMP   1
#define PACKET_TCP    6
#define PACKET_UDP    17
#define PACKET_ICMPV6 58

#define PACKET_MAX 65535u /* an IPv4 packet; IPv6 40 more */

#define TCP_FIN 0x01u
#define TCP_SYN 0x02u
#define TCP_RST 0x04u
#define TCP_PSH 0x08u
#define TCP_ACK 0x10u
#define TCP_URG 0x20u
#define TCP_ECE 0x40u
#define TCP_CWR 0x80u

/* Why a packet ends here; stats_drop() in gateway.c maps it to a counter. */
enum packet_error {
	PACKET_OK,
	PACKET_SHORT, /* shorter than the headers it must have */
	PACKET_VERSION,
	PACKET_HEADER, /* IHL, source routes, extension headers; UDP
				   to port 0; ICMP of the other IP version */
	PACKET_LENGTH, /* total or payload length beyond the read */
	PACKET_CHECKSUM,
	PACKET_TCP_BAD, /* offset, flags, ports: conformance guard 2 */
};

struct tun_buf;

/* Data of a segment that goes on in another packet, see merge.h. */
struct packet_more {
	struct tun_buf *buf;
	uint8_t *data;
	uint32_t len;
};

struct packet {
	uint8_t *ip;       /* the IP header */
	uint32_t len;      /* by the IP header, <= what was read */
	uint8_t version;   /* 4 or 6 */
	uint8_t proto;     /* after the extension headers */
	uint8_t ttl, tos;  /* hop limit, traffic class */
	bool frag;         /* part of a datagram: l4 is not parsed */
	bool more;         /* MF */
	bool df;           /* v4 DF; always true for v6 */
	bool summed;       /* checksum known good, or left to offload */
	uint16_t frag_off; /* bytes */
	uint32_t frag_id;
	uint8_t *frag_unit; /* v6: where the fragment header stands */
	uint8_t *frag_from; /* v6: the next-header byte that named it */
	/* PACKET_HEADER, v6: what a Parameter Problem (type 4) has to say,
	 * RFC 8200 4; problem 0: nothing is to be said. */
	uint16_t problem; /* the pointer */
	uint8_t problem_code;
	uint16_t gso_size; /* the read was several segments of this: set
				   by the reader, 0 after packet_parse() */
	uint8_t *l4;
	uint32_t l4_len;
	uint8_t *data; /* payload of TCP, UDP; ICMP after 8 bytes;
				   of others all after the IP header */
	uint32_t data_len;
	struct sluice_addr src, dst; /* port: TCP, UDP; ICMP echo: id in
					   src.port, dst.port 0 */
	/* TCP */
	uint8_t flags;
	uint16_t window;
	uint32_t seq, ack;
	/* Of more packets than the one that begins at ip: data_len is of all. */
	const struct packet_more *rest;
	uint16_t n_rest;
	uint16_t packets; /* how many it stands for */
	/* ICMP */
	uint8_t type, code;
};

/* What a SYN offers (RFC 9293 3.2, RFC 7323, RFC 2018). */
struct packet_syn {
	uint16_t mss; /* 0: not given */
	uint8_t wscale;
	bool has_wscale, has_sack;
};

/* Do not verify the checksum of TCP, UDP, ICMP: virtio's NEEDS_CSUM and
 * DATA_VALID speak of nothing else.  That of the IPv4 header always is. */
#define PACKET_SUMMED 0x1u

/* Read the headers of data, which must stay for as long as p is used.
 * flags: PACKET_SUMMED.  Everything in p is set, also on error as far as it
 * was read.  A fragment is given back with frag set and l4 after the IP
 * header; its checksum is not checked. */
enum packet_error packet_parse(struct packet *p, uint8_t *data, size_t len,
			       unsigned flags);

/* The options of a TCP SYN in p; never reads past them. */
void packet_syn_options(const struct packet *p, struct packet_syn *out);

/* Write an IP header for a payload of len bytes; gives its size (20 or 40).
 * IPv4: DF set and id 0 when df, else id. */
size_t packet_ip_header(uint8_t *out, const struct sluice_addr *src,
			const struct sluice_addr *dst, uint8_t proto,
			uint8_t ttl, uint8_t tos, uint32_t len, bool df,
			uint16_t id);

/* IP and UDP headers before a payload of n iovecs, checksum included (never
 * 0 on the wire).  partial: only the pseudo-header sum, for NEEDS_CSUM.
 * Gives their size, 0 if the payload does not fit a datagram. */
size_t packet_udp_header(uint8_t *out, const struct sluice_addr *src,
			 const struct sluice_addr *dst, uint8_t ttl,
			 uint8_t tos, bool df, uint16_t id,
			 const struct iovec *v, int n, bool partial);

/* An ICMP error from `from` to the source of the packet at ip (len bytes are
 * readable, which may be its beginning only), quoting it as RFC 1812 4.3.2.3
 * and RFC 4443 2.4 (c) want.  extra is the second word (MTU, pointer).  Gives
 * the length in out (up to 1280), 0 if no error may be sent about such a
 * packet (RFC 1122 3.2.2, RFC 4443 2.4 (e)) or cap is too small for one. */
size_t packet_icmp_error(uint8_t *out, size_t cap,
			 const struct sluice_addr *from, const uint8_t *ip,
			 size_t len, uint8_t type, uint8_t code,
			 uint32_t extra);

/* The RST that answers the segment p (RFC 9293 3.5.2), with ACK where the
 * segment had none; 0 if p is itself a RST. */
size_t packet_rst(uint8_t *out, size_t cap, const struct packet *p);

/* An echo reply or request: ICMP header and data with the IP header. */
size_t packet_icmp_echo(uint8_t *out, size_t cap, const struct sluice_addr *src,
			const struct sluice_addr *dst, uint8_t type,
			uint16_t id, uint16_t seq, uint8_t ttl,
			const void *data, size_t len);

#define PACKET_HEADERS_MAX 128 /* room for what *_header() writes */

#endif
