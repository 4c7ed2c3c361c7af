/* SPDX-License-Identifier: MIT */
/* gateway_path.c - packets between the TUN and their protocol
 *
 *	up    read -> parsed -> source, target -> whole -> tcp udp icmp dns
 *	down  tcp udp icmp dns -> observers -> cut to the MTU -> TUN
 *
 * A packet that ends here is counted under the reason, and its sender is told
 * where a router would tell it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "dns.h"
#include "gateway.h"
#include "icmp.h"
#include "merge.h"
#include "tcp.h"
#include "udp.h"

#define ICMP_RATE  1000u /* errors a second, and at once */
#define ICMP_BURST 50u
#define RST_RATE   20000u
#define RST_BURST  1000u
#define PATH_IOV   128

/* ------------------------------------------------------------- addresses */

bool gateway_is_self(const struct gateway *gw, const struct sluice_addr *a)
{
	return addr_ip_equal(a, a->family == 4 ? &gw->set.gw4 : &gw->set.gw6);
}

bool gateway_is_tun(const struct gateway *gw, const struct sluice_addr *a)
{
	for (int i = 0; i < gw->set.n_address; i++)
		if (addr_ip_equal(&gw->set.address[i].addr, a))
			return true;
	return false;
}

static bool is_source(const struct gateway *gw, const struct sluice_addr *a)
{
	if (gw->set.source_any)
		return !addr_is_loopback(a) && !addr_is_multicast(a) &&
		       !addr_is_broadcast(a) && !addr_is_any(a);
	for (int i = 0; i < gw->set.n_source; i++)
		if (prefix_has(&gw->set.source[i], a))
			return true;
	return false;
}

/* Link-local destinations mean the TUN's own link, where nobody else is. */
static bool is_link_local(const struct sluice_addr *a)
{
	return a->family == 6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

static bool is_target(const struct gateway *gw, const struct sluice_addr *a)
{
	return !addr_is_loopback(a) && !addr_is_multicast(a) &&
	       !addr_is_broadcast(a) && !addr_is_any(a) && !is_link_local(a) &&
	       !gateway_is_tun(gw, a);
}

void gateway_target(const struct gateway *gw, const struct sluice_addr *dst,
		    struct sluice_addr *real)
{
	static const uint8_t lo4[4] = { 127, 0, 0, 1 };
	static const uint8_t lo6[16] = { [15] = 1 };

	*real = *dst;
	if (dst->family == 4 && addr_ip_equal(dst, &gw->set.loop4))
		addr_set(real, 4, lo4, dst->port);
	else if (dst->family == 6 && addr_ip_equal(dst, &gw->set.loop6))
		addr_set(real, 6, lo6, dst->port);
}

void gateway_untarget(const struct gateway *gw, struct sluice_addr *peer)
{
	const struct sluice_addr *as = peer->family == 4 ? &gw->set.loop4 :
							   &gw->set.loop6;

	if (as->family && addr_is_loopback(peer))
		addr_set(peer, as->family, as->ip, peer->port);
}

/* -------------------------------------------------------------- observers */

static void observe(struct gateway *gw, const struct sluice_pkt *pkt)
{
	struct instance **at;
	uint64_t t;

	for (at = gw->chains.of[CHAIN_OBSERVE]; *at; at++) {
		if (!((*at)->plugin->observe.flags & SLUICE_SEE_PACKETS))
			continue;
		t = chain_enter(*at);
		(*at)->plugin->observe.packets((*at)->self, pkt, 1);
		chain_leave(*at, t, "packets");
	}
}

static void observe_up(struct gateway *gw, const struct packet *p)
{
	struct sluice_pkt pkt = { .data = p->ip,
				  .len = p->len,
				  .flags = SLUICE_PKT_UP |
					   (p->summed ? SLUICE_PKT_SUMS : 0),
				  .gso_size = p->gso_size };

	if (gw->chains.see & SLUICE_SEE_PACKETS)
		observe(gw, &pkt);
}

static void observe_down(struct gateway *gw, const struct virtio_net_hdr *vh,
			 const struct iovec *v, int n, uint64_t flow_id)
{
	static uint8_t whole[PACKET_MAX + 64];
	struct sluice_pkt pkt = { .data = whole,
				  .flags = SLUICE_PKT_DOWN | SLUICE_PKT_SUMS,
				  .flow_id = flow_id };

	if (!(gw->chains.see & SLUICE_SEE_PACKETS))
		return;
	for (int i = 1; i < n; i++) {
		if (pkt.len + v[i].iov_len > sizeof(whole))
			return;
		memcpy(whole + pkt.len, v[i].iov_base, v[i].iov_len);
		pkt.len += (uint32_t)v[i].iov_len;
	}
	if (vh && vh->gso_type)
		pkt.gso_size = vh->gso_size;
	observe(gw, &pkt);
}

/* ------------------------------------------------------------------- down */

static int emit_piece(void *arg, const struct iovec *v, int n)
{
	struct iovec w[PATH_IOV] SCRATCH;
	struct gateway *gw = arg;

	if (n >= PATH_IOV)
		return -EMSGSIZE;
	memcpy(w + 1, v, (size_t)n * sizeof(*v));
	return tun_write(&gw->tun, NULL, w, n + 1);
}

int gateway_write(struct gateway *gw, const struct virtio_net_hdr *vh,
		  struct iovec *v, int n, uint64_t flow_id)
{
	const uint8_t *ip = v[1].iov_base;
	size_t len = 0;
	uint32_t id;

	observe_down(gw, vh, v, n, flow_id);
	if (vh && vh->gso_type)
		return tun_write(&gw->tun, vh, v, n);
	for (int i = 1; i < n; i++)
		len += v[i].iov_len;
	if (len <= gw->set.mtu)
		return tun_write(&gw->tun, vh, v, n);
	/* A header that said DF has no id of its own. */
	id = ip[0] >> 4 == 4 ? get_be16(ip + 4) : 0;
	if (!id)
		id = util_random32();
	return frag_cut(v + 1, n - 1, gw->set.mtu, id, emit_piece, gw);
}

int gateway_send(struct gateway *gw, const void *packet, size_t len,
		 uint64_t flow_id)
{
	struct iovec v[2] = { { 0 }, { (void *)packet, len } };

	return gateway_write(gw, NULL, v, 2, flow_id);
}

static bool within_rate(struct gateway *gw, struct rate *r, uint32_t rate,
			uint32_t burst)
{
	if (rate_take(r, gw->loop.now, rate, burst))
		return true;
	stats_inc(&gw->stats, icmp_errors_limited);
	return false;
}

void gateway_icmp_why(int version, int why, int err, uint8_t *type,
		      uint8_t *code)
{
	bool policy = why == SLUICE_WHY_POLICY || err == EACCES || err == EPERM;

	if (version == 4) { /* RFC 792, RFC 1812 5.2.7.1 */
		*type = 3;
		*code = policy ? 13 : err == ENETUNREACH ? 0 : 1;
	} else { /* RFC 4443 3.1 */
		*type = 1;
		*code = policy ? 1 : err == ENETUNREACH ? 0 : 3;
	}
}

void gateway_icmp_error(struct gateway *gw, const struct sluice_addr *from,
			const uint8_t *ip, size_t len, uint8_t type,
			uint8_t code, uint32_t extra)
{
	bool v4 = len && ip[0] >> 4 == 4;
	struct sluice_addr asked;
	uint8_t out[1280];
	size_t n;

	if (!within_rate(gw, &gw->icmp_rate, ICMP_RATE, ICMP_BURST))
		return;
	if (!from)
		from = v4 ? &gw->set.gw4 : &gw->set.gw6;
	if (!from->family) { /* no address of our own: as the target */
		if (len < (v4 ? 20u : 40u))
			return;
		addr_set(&asked, v4 ? 4 : 6, ip + (v4 ? 16 : 24), 0);
		from = &asked;
	}
	n = packet_icmp_error(out, sizeof(out), from, ip, len, type, code,
			      extra);
	if (!n)
		return;
	stats_inc(&gw->stats, icmp_errors_down);
	gateway_send(gw, out, n, 0);
}

void gateway_rst(struct gateway *gw, const struct packet *p)
{
	uint8_t out[PACKET_HEADERS_MAX];
	size_t n = packet_rst(out, sizeof(out), p);

	if (!n || !within_rate(gw, &gw->rst_rate, RST_RATE, RST_BURST))
		return;
	stats_inc(&gw->stats, tcp_resets_down);
	gateway_send(gw, out, n, 0);
}

/* --------------------------------------------------------------------- up */

static void count_error(struct gateway *gw, enum packet_error err)
{
	static const enum stats_id id[] = {
		[PACKET_SHORT] = STATS_drop_short,
		[PACKET_VERSION] = STATS_drop_version,
		[PACKET_HEADER] = STATS_drop_header,
		[PACKET_LENGTH] = STATS_drop_length,
		[PACKET_CHECKSUM] = STATS_drop_checksum,
		[PACKET_TCP_BAD] = STATS_drop_tcp,
	};

	gw->stats.v[id[err]]++;
}

/* Where the protocol of an IPv6 packet is named: packet_parse() has checked
 * the headers up to it. */
static uint32_t next_header_at(const struct packet *p)
{
	uint32_t at = 6, off = 40, end = (uint32_t)(p->l4 - p->ip);

	while (off < end) {
		bool fixed = p->ip[at] == IPPROTO_FRAGMENT;

		at = off;
		off += fixed ? 8 : (p->ip[off + 1] + 1u) * 8;
	}
	return at;
}

/* Nobody forwards this protocol: say so as a host would.  "No next header"
 * is none to complain about (RFC 8200 4.7). */
static void refuse_proto(struct gateway *gw, const struct packet *p)
{
	stats_inc(&gw->stats, drop_proto);
	if (p->version == 4)
		gateway_icmp_error(gw, NULL, p->ip, p->len, 3, 2, 0);
	else if (p->proto != IPPROTO_NONE)
		gateway_icmp_error(gw, NULL, p->ip, p->len, 4, 1,
				   next_header_at(p));
}

/* For our own address: echo and DNS live here, nothing else. */
static bool for_self(struct gateway *gw, const struct packet *p)
{
	bool dns = p->dst.port == 53 && *gw->chains.of[CHAIN_DNS];

	if (dns || !gateway_is_self(gw, &p->dst))
		return false;
	if (p->proto == PACKET_TCP) {
		gateway_rst(gw, p);
		return true;
	}
	if (p->proto == PACKET_UDP) {
		gateway_icmp_error(gw, &p->dst, p->ip, p->len,
				   p->version == 4 ? 3 : 1,
				   p->version == 4 ? 3 : 4, 0);
		return true;
	}
	return false;
}

static void to_protocol(struct gateway *gw, struct packet *p,
			struct tun_buf *buf)
{
	if (for_self(gw, p))
		return;
	switch (p->proto) {
	case PACKET_TCP:
		if (!merge_hold(gw, p, buf))
			tcp_up(gw, p, buf);
		break;
	case PACKET_UDP:
		if (p->dst.port == 53 && dns_up(gw, p))
			break;
		udp_up(gw, p, buf);
		loop_end(&gw->loop, &gw->flush);
		break;
	case PACKET_ICMP:
	case PACKET_ICMPV6:
		icmp_up(gw, p);
		break;
	default:
		refuse_proto(gw, p);
	}
}

static void whole_again(struct gateway *gw, const struct packet *piece)
{
	enum packet_error bad;
	struct packet p;
	uint8_t *data;
	size_t len;
	int r;

	stats_inc(&gw->stats, frag_up);
	r = frag_add(gw->frag, piece, gw->loop.now, &data, &len);
	if (r < 0)
		stats_inc(&gw->stats, drop_frag);
	if (r <= 0)
		return;
	stats_inc(&gw->stats, frag_whole);
	bad = packet_parse(&p, data, len, 0);
	if (bad != PACKET_OK || p.frag)
		count_error(gw, bad == PACKET_OK ? PACKET_HEADER : bad);
	else
		to_protocol(gw, &p, NULL);
}

void gateway_packet(struct tun *t, struct tun_buf *buf, uint32_t len,
		    const struct virtio_net_hdr *vh)
{
	struct gateway *gw = t->owner;
	enum packet_error err;
	unsigned flags = 0;
	struct packet p;

	if (merge_add(buf, len))
		return;
	merge_flush(gw);
	if (vh->flags &
	    (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID))
		flags = PACKET_SUMMED;
	err = packet_parse(&p, buf->data, len, flags);
	if (err != PACKET_OK) {
		count_error(gw, err);
		if (p.problem && is_source(gw, &p.src))
			gateway_icmp_error(gw, NULL, p.ip, p.len, 4,
					   p.problem_code, p.problem);
		return;
	}
	if (vh->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		p.gso_size = vh->gso_size;
	observe_up(gw, &p);
	if (!is_source(gw, &p.src)) {
		stats_inc(&gw->stats, drop_source);
		return;
	}
	if (!is_target(gw, &p.dst)) {
		stats_inc(&gw->stats, drop_target);
		return;
	}
	if (p.frag)
		whole_again(gw, &p);
	else
		to_protocol(gw, &p, buf);
}
