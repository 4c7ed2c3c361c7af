/* SPDX-License-Identifier: MIT */
/* fuzz_frag.c - fragments in any order, against a plain model
 *
 * The input is records of 8 bytes, each one fragment:
 *
 *	0	bit 0: IPv6; bit 1: MF; bits 2-3: id; bit 4: source;
 *		bit 5: TCP; bits 6-7: milliseconds pass, 0, 1, 1000, 8000
 *	1-2	offset in units of 8
 *	3-4	length
 *	5	what the payload is filled with
 *	6-7	length of IPv4 options, of IPv6 headers before (in 8 bytes)
 *
 * The model has an array of bytes for each datagram.  What comes out must be
 * what the model has, and it must come out when the model is complete.
 *
 * fuzz: core/frag.c core/frag_cut.c core/packet.c core/packet_build.c
 * fuzz: core/csum.c core/util.c
 */
#include "frag.h"

#include <errno.h>

#include "fuzz.h"
#include "util.h"

#define MODELS 32 /* family, source, id, protocol */

struct model {
	bool used, dead;
	uint64_t until;
	uint32_t end, have, total;
	uint8_t there[65536], data[65536];
};

static struct model model[MODELS];
static uint8_t packet[40 + 512 + 8 + 65536];

static void model_forget(struct model *m)
{
	memset(m->there, 0, m->end);
	m->used = m->dead = false;
	m->end = m->have = m->total = 0;
}

/* The packet of a record in packet[]; its length, 0: there is none. */
static size_t build(const uint8_t *r)
{
	struct sluice_addr src = { .family = r[0] & 1 ? 6 : 4, .ip = { 10 } };
	struct sluice_addr dst = { .family = src.family, .ip = { 192 } };
	uint8_t proto = r[0] & 32 ? PACKET_TCP : PACKET_UDP;
	uint32_t off = (get_be16(r + 1) & 0x1fff) * 8u;
	uint32_t len = get_be16(r + 3), more = r[0] >> 1 & 1;
	uint16_t id = 1 + (r[0] >> 2 & 3), sum;
	size_t head;

	if (!off && !more)
		return 0;
	src.ip[3] = r[0] >> 4 & 1;
	if (src.family == 6) {
		uint32_t ext = (r[6] & 31) * 8u;

		if (len + ext + 8 > PACKET_MAX)
			return 0;
		head = packet_ip_header(packet, &src, &dst, ext ? 60 : 44, 64,
					0, len + ext + 8, false, 0);
		if (ext) {
			memset(packet + head, 0, ext);
			packet[head] = 44;
			packet[head + 1] = (uint8_t)(ext / 8 - 1);
			head += ext;
		}
		packet[head] = proto;
		packet[head + 1] = 0;
		put_be16(packet + head + 2, (uint16_t)(off | more));
		put_be32(packet + head + 4, id);
		head += 8;
	} else {
		uint32_t opt = (r[6] % 11) * 4u;

		if (len + opt + 20 > PACKET_MAX)
			return 0;
		head = packet_ip_header(packet, &src, &dst, proto, 64, 0,
					len + opt, false, id);
		memset(packet + head, 1, opt);
		packet[0] = (uint8_t)(0x45 + opt / 4);
		head += opt;
		put_be16(packet + 6, (uint16_t)(off / 8 | more << 13));
		put_be16(packet + 10, 0);
		sum = csum_fold(csum_add(0, packet, head));
		memcpy(packet + 10, &sum, sizeof(sum));
	}
	for (uint32_t i = 0; i < len; i++)
		packet[head + i] = (uint8_t)(r[5] + (off + i) / 64);
	return head + len;
}

/* Does the model take it?  1: it is complete now, 0: not yet, -EBADMSG. */
static int model_add(struct model *m, const struct packet *p, uint64_t now)
{
	uint32_t off = p->frag_off, end = off + p->l4_len, over = 0, equal = 0;
	uint32_t head =
		(uint32_t)((p->version == 6 ? p->frag_unit : p->l4) - p->ip);

	if (m->used && m->until <= now)
		model_forget(m);
	if (!m->used)
		m->until = now + (p->version == 6 ? FRAG_V6_MS : FRAG_V4_MS);
	m->used = true;
	if (m->dead)
		return -EBADMSG;
	m->dead = true;
	if (!p->l4_len || (p->more && p->l4_len % 8) || head > FRAG_HEAD ||
	    head + end > PACKET_MAX + (p->version == 6 ? 40 : 0))
		return -EBADMSG;
	if (p->proto == PACKET_TCP &&
	    (off ? p->version == 4 && off < 20 : p->l4_len < 20))
		return -EBADMSG;
	if (m->total && (p->more ? end >= m->total : end != m->total))
		return -EBADMSG;
	if (!p->more && m->end > end)
		return -EBADMSG;
	for (uint32_t i = off; i < end; i++) {
		over += m->there[i];
		equal += m->there[i] && m->data[i] == p->l4[i - off];
	}
	if (over && equal < p->l4_len)
		return -EBADMSG;
	m->dead = false;
	if (over)
		return 0;
	memset(m->there + off, 1, p->l4_len);
	memcpy(m->data + off, p->l4, p->l4_len);
	m->end = MAX(m->end, end);
	m->have += p->l4_len;
	if (!p->more)
		m->total = end;
	return m->total && m->have == m->total;
}

/* The head that counts is the first fragment's, which the model does not
 * keep: a whole that is too long with it may still be refused. */
static void check(struct model *m, int want, int got, uint8_t *out, size_t len)
{
	struct packet p;
	int err;

	if (want == 1 && got == -EBADMSG && m->total > PACKET_MAX - FRAG_HEAD) {
		m->dead = true;
		return;
	}
	FUZZ_CHECK(got == want);
	if (got != 1)
		return;
	FUZZ_CHECK(len >= m->total && len <= PACKET_MAX + 40);
	FUZZ_CHECK(!memcmp(out + len - m->total, m->data, m->total));
	err = packet_parse(&p, out, len, PACKET_SUMMED);
	FUZZ_CHECK(err != PACKET_CHECKSUM || p.proto == PACKET_UDP);
	FUZZ_CHECK(p.len == len && !p.frag);
	FUZZ_CHECK(p.l4_len == m->total || p.proto == PACKET_UDP);
	model_forget(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned pass[4] = { 0, 1, 1000, 8000 };
	static struct frag *t;
	uint64_t now = 1;

	if (!t)
		t = frag_new();
	FUZZ_CHECK(t);
	for (; size >= 8; data += 8, size -= 8) {
		size_t len = build(data), out_len = 0;
		uint8_t *out = NULL;
		struct model *m;
		struct packet p;
		int want, got;

		now += pass[data[0] >> 6];
		if (!len)
			continue;
		FUZZ_CHECK(packet_parse(&p, packet, len, 0) == PACKET_OK);
		FUZZ_CHECK(p.frag);
		/* the protocol is no part of the key in IPv6 */
		m = &model[(data[0] & 1) | (data[0] >> 2 & 7) << 1 |
			   (data[0] & 1 ? 0 : (data[0] >> 5 & 1) << 4)];
		want = model_add(m, &p, now);
		got = frag_add(t, &p, now, &out, &out_len);
		check(m, want, got, out, out_len);
		FUZZ_CHECK(frag_held(t) <= FRAG_BYTES);
	}
	frag_sweep(t, now + FRAG_V6_MS);
	FUZZ_CHECK(frag_held(t) == 0);
	for (int i = 0; i < MODELS; i++)
		model_forget(&model[i]);
	return 0;
}
