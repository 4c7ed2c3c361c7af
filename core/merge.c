/* SPDX-License-Identifier: MIT */
/* merge.c - segments of one flow that follow each other, made one
 *
 *	empty --segment--> held --what follows it--> held, longer
 *	  ^                  |
 *	  +--anything else---+--end of the turn--> tcp_up()
 *
 * A sender's burst comes out of the device in a row.  The first segment takes
 * the whole way through packet_parse() and the checks behind it; of those
 * that follow only what may differ is looked at: sequence number, length, PSH,
 * and both checksums.  Whatever is not just that goes the whole way, after
 * what is held: the order never changes.
 *
 * Of acknowledgements without data in a row, all but the last say nothing.
 * One that repeats what the one before it said does: it is never merged
 * (RFC 5681 2).
 */
#include "merge.h"

#include <string.h>

#include "gateway.h"
#include "tcp.h"

#define MERGE_BYTES 32768u /* tcp.c sends on at twice that */
#define MERGE_MOST  65000u /* lwIP counts in 16 bit, headers and FIN too */

static struct {
	struct packet p; /* the first of them; as it was, when none is held */
	struct tun_buf *buf; /* NULL: none is held */
	struct packet_more more[MERGE_MORE];
	uint32_t next; /* sequence number */
} m;

/* The header without options, of the same two ends in the same way?  Gives
 * TCP's, or NULL. */
static const uint8_t *same_v4(const uint8_t *ip, uint32_t len)
{
	if (len < 40 || ip[0] != 0x45 || ip[1] != m.p.tos ||
	    get_be16(ip + 2) != len || (get_be16(ip + 6) & 0x3fff) ||
	    ip[8] != m.p.ttl || ip[9] != PACKET_TCP ||
	    memcmp(ip + 12, m.p.src.ip, 4) || memcmp(ip + 16, m.p.dst.ip, 4))
		return NULL;
	return csum_fold(csum_add(0, ip, 20)) ? NULL : ip + 20;
}

static const uint8_t *same_v6(const uint8_t *ip, uint32_t len)
{
	if (len < 60 || memcmp(ip, m.p.ip, 4) || get_be16(ip + 4) != len - 40 ||
	    ip[6] != PACKET_TCP || ip[7] != m.p.ttl ||
	    memcmp(ip + 8, m.p.src.ip, 16) || memcmp(ip + 24, m.p.dst.ip, 16))
		return NULL;
	return ip + 40;
}

/* The other way they say the same: acknowledgement and window are equal. */
static bool join_data(struct tun_buf *buf, const uint8_t *tcp, uint32_t len)
{
	if (m.p.data_len >= MERGE_BYTES || m.p.data_len + len > MERGE_MOST ||
	    m.p.n_rest == MERGE_MORE || memcmp(tcp + 8, m.p.l4 + 8, 4) ||
	    memcmp(tcp + 14, m.p.l4 + 14, 2))
		return false;
	m.p.flags |= tcp[13];
	m.more[m.p.n_rest++] = (struct packet_more){
		.buf = buf,
		.data = (uint8_t *)tcp + 20,
		.len = len,
	};
	tun_buf_get(buf);
	m.p.data_len += len;
	m.next += len;
	return true;
}

/* What is held becomes the later one. */
static bool join_ack(const uint8_t *tcp)
{
	uint32_t ack = get_be32(tcp + 8);

	if ((int32_t)(ack - m.p.ack) <= 0)
		return false;
	m.p.ack = ack;
	m.p.window = get_be16(tcp + 14);
	memcpy(m.p.l4 + 8, tcp + 8, 4);
	memcpy(m.p.l4 + 14, tcp + 14, 2);
	return true;
}

static bool is_plain(uint8_t flags)
{
	return (flags & ~TCP_PSH) == TCP_ACK;
}

bool merge_add(struct tun_buf *buf, uint32_t len)
{
	const uint8_t *ip = buf->data, *tcp;
	uint32_t l4_len;
	bool joined;

	if (!m.buf)
		return false;
	tcp = m.p.version == 4 ? same_v4(ip, len) : same_v6(ip, len);
	if (!tcp || memcmp(tcp, m.p.l4, 4) || get_be32(tcp + 4) != m.next ||
	    tcp[12] != 5 << 4 || !is_plain(tcp[13]))
		return false;
	l4_len = len - (uint32_t)(tcp - ip);
	if ((l4_len > 20) != (m.p.data_len > 0) ||
	    csum_fold(csum_add(csum_pseudo(&m.p.src, &m.p.dst, PACKET_TCP,
					   l4_len),
			       tcp, l4_len)))
		return false;
	joined = l4_len > 20 ? join_data(buf, tcp, l4_len - 20) : join_ack(tcp);
	m.p.packets += joined;
	return joined;
}

/* What the last one said is still in m.p. */
static bool says_it_again(const struct packet *p)
{
	return !p->data_len && p->ack == m.p.ack &&
	       addr_equal(&p->src, &m.p.src) && addr_equal(&p->dst, &m.p.dst);
}

bool merge_hold(struct gateway *gw, const struct packet *p, struct tun_buf *buf)
{
	if (!buf || gw->tun.big || gw->chains.see & SLUICE_SEE_PACKETS ||
	    !is_plain(p->flags) || p->data - p->l4 != 20 || p->ttl <= 1 ||
	    p->l4 - p->ip != (p->version == 4 ? 20 : 40) || says_it_again(p))
		return false;
	m.p = *p;
	m.p.rest = m.more;
	m.buf = buf;
	m.next = p->seq + p->data_len;
	tun_buf_get(buf);
	loop_end(&gw->loop, &gw->flush);
	return true;
}

void merge_flush(struct gateway *gw)
{
	struct tun_buf *buf = m.buf;

	if (!buf)
		return;
	m.buf = NULL;
	tcp_up(gw, &m.p, buf);
	tun_buf_put(buf);
	for (unsigned i = 0; i < m.p.n_rest; i++)
		tun_buf_put(m.more[i].buf);
}
