/* SPDX-License-Identifier: MIT */
/* stack_out.c - segments of lwIP on their way to the TUN
 *
 * lwIP makes segments larger than the app's MSS (see stack.c), which somebody
 * has to cut: what lwIP does for each segment is then done for many packets.
 *
 *	offload    the kernel does, should it have to: gso_size says where,
 *	           and only the pseudo-header's sum is in the checksum field
 *	without    it is done here, packet after packet, in one buffer: what
 *	           write(2) takes in one piece costs it less than pieces do,
 *	           and more than the copy that the sum needs to read anyway
 */
#include "stack_out.h"

#include <stddef.h>
#include <string.h>

#include "addr.h"
#include "gateway.h"
#include "packet.h"

#define TCP_CHECKSUM_AT 16 /* in the TCP header */
#define STACK_TTL       64

static void set_vnet(struct virtio_net_hdr *vh, const struct stack_segment *seg,
		     size_t ip_len, size_t tcp_len, size_t data_len)
{
	vh->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vh->csum_start = (uint16_t)ip_len;
	vh->csum_offset = TCP_CHECKSUM_AT;
	if (!seg->mss || data_len <= seg->mss)
		return;
	vh->gso_type = seg->family == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 :
					  VIRTIO_NET_HDR_GSO_TCPV6;
	vh->gso_size = seg->mss;
	vh->hdr_len = (uint16_t)(ip_len + tcp_len);
}

static void offload(struct gateway *gw, const struct stack_segment *seg,
		    const struct sluice_addr *src,
		    const struct sluice_addr *dst, struct iovec *v, int n,
		    size_t tcp_len, size_t len)
{
	struct virtio_net_hdr vh = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	uint8_t ip[PACKET_HEADERS_MAX] SCRATCH;
	uint8_t *tcp = v[STACK_IOV_FIRST].iov_base;
	uint16_t sum;
	size_t ip_len;

	ip_len = packet_ip_header(ip, src, dst, PACKET_TCP, STACK_TTL, seg->tos,
				  (uint32_t)len, true, 0);
	v[1].iov_base = ip;
	v[1].iov_len = ip_len;
	sum = csum_partial(csum_pseudo(src, dst, PACKET_TCP, (uint32_t)len));
	memcpy(tcp + TCP_CHECKSUM_AT, &sum, sizeof(sum));
	set_vnet(&vh, seg, ip_len, tcp_len, len - tcp_len);
	gateway_write(gw, &vh, v, n, seg->flow_id);
}

/* The next len bytes of the pieces from *v on, which are used up. */
static void take(uint8_t *to, struct iovec **v, size_t len)
{
	while (len) {
		size_t part = MIN(len, (*v)->iov_len);

		memcpy(to, (*v)->iov_base, part);
		to += part;
		len -= part;
		(*v)->iov_base = (uint8_t *)(*v)->iov_base + part;
		(*v)->iov_len -= part;
		if (!(*v)->iov_len)
			++*v;
	}
}

/* Packets of the app's MSS; what ends the segment ends the last of them. */
static void cut(struct gateway *gw, const struct stack_segment *seg,
		const struct sluice_addr *src, const struct sluice_addr *dst,
		struct iovec *v, size_t tcp_len, size_t len)
{
	static uint8_t packet[PACKET_HEADERS_MAX + PACKET_MAX];
	uint8_t head[60] SCRATCH; /* the largest of TCP */
	uint8_t *tcp = packet + (seg->family == 4 ? 20 : 40);
	struct iovec *from = v + STACK_IOV_FIRST, w[2];
	uint32_t seq;
	uint16_t sum;

	take(head, &from, tcp_len);
	seq = get_be32(head + 4);
	len -= tcp_len;
	do {
		size_t part = seg->mss ? MIN(len, seg->mss) : len;
		uint32_t l4 = (uint32_t)(tcp_len + part);

		len -= part;
		packet_ip_header(packet, src, dst, PACKET_TCP, STACK_TTL,
				 seg->tos, l4, true, 0);
		memcpy(tcp, head, tcp_len);
		put_be32(tcp + 4, seq);
		seq += (uint32_t)part;
		if (len)
			tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		take(tcp + tcp_len, &from, part);
		sum = csum_fold(csum_add(csum_pseudo(src, dst, PACKET_TCP, l4),
					 tcp, l4));
		memcpy(tcp + TCP_CHECKSUM_AT, &sum, sizeof(sum));
		w[1].iov_base = packet;
		w[1].iov_len = (size_t)(tcp - packet) + l4;
		gateway_write(gw, NULL, w, 2, seg->flow_id);
	} while (len);
}

void stack_out(struct gateway *gw, const struct stack_segment *seg,
	       struct iovec *v, int n)
{
	const uint8_t *tcp = v[STACK_IOV_FIRST].iov_base;
	size_t tcp_len = (size_t)(tcp[12] >> 4) * 4, len = 0;
	struct sluice_addr src, dst;

	addr_set(&src, seg->family, seg->src, 0);
	addr_set(&dst, seg->family, seg->dst, 0);
	for (int i = STACK_IOV_FIRST; i < n; i++)
		len += v[i].iov_len;
	if (gw->tun.csum)
		offload(gw, seg, &src, &dst, v, n, tcp_len, len);
	else
		cut(gw, seg, &src, &dst, v, tcp_len, len);
}
