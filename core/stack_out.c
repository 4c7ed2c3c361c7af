/* SPDX-License-Identifier: MIT */
/* stack_out.c - segments of lwIP on their way to the TUN
 *
 * With offload a segment larger than the app's MSS goes out whole: gso_size
 * tells the kernel where to cut it, should it have to, and only the
 * pseudo-header's sum is in the checksum field.  Without offload the sum is
 * made here.
 */
#include "stack_out.h"

#include <stddef.h>
#include <string.h>

#include "addr.h"
#include "gateway.h"
#include "packet.h"

#define TCP_CHECKSUM_AT 16 /* in the TCP header */

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

void stack_out(struct gateway *gw, const struct stack_segment *seg,
	       struct iovec *v, int n)
{
	uint8_t ip[PACKET_HEADERS_MAX] SCRATCH;
	uint8_t *tcp = v[STACK_IOV_FIRST].iov_base;
	size_t tcp_len = (size_t)(tcp[12] >> 4) * 4, ip_len, len = 0;
	struct virtio_net_hdr vh = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	struct sluice_addr src, dst;
	uint16_t sum;
	uint64_t pseudo;

	addr_set(&src, seg->family, seg->src, 0);
	addr_set(&dst, seg->family, seg->dst, 0);
	for (int i = STACK_IOV_FIRST; i < n; i++)
		len += v[i].iov_len;
	ip_len = packet_ip_header(ip, &src, &dst, PACKET_TCP, 64, seg->tos,
				  (uint32_t)len, true, 0);
	v[1].iov_base = ip;
	v[1].iov_len = ip_len;

	pseudo = csum_pseudo(&src, &dst, PACKET_TCP, (uint32_t)len);
	if (gw->tun.csum) {
		set_vnet(&vh, seg, ip_len, tcp_len, len - tcp_len);
		sum = csum_partial(pseudo);
	} else {
		sum = csum_fold(csum_iov(pseudo, v + STACK_IOV_FIRST,
					 n - STACK_IOV_FIRST));
	}
	memcpy(tcp + TCP_CHECKSUM_AT, &sum, sizeof(sum));
	gateway_write(gw, gw->tun.csum ? &vh : NULL, v, n, seg->flow_id);
}
