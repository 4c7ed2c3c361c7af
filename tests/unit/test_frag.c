/* SPDX-License-Identifier: MIT */
/* test_frag.c - cutting, putting together, and what hostile senders do
 *
 * The fragments are those of frag_cut() and of a maker that writes what it is
 * told to, with whatever lies.
 */
#include "frag.h"

#include <errno.h>
#include <unistd.h>

#include "packets.h"

#define PIECES_MAX 1400

struct piece {
	uint8_t b[1600];
	size_t len;
};

struct world {
	struct frag *frag;
	uint64_t now;
	uint8_t whole[65600];
	size_t len;
	struct piece *piece;
	int pieces;
	uint8_t *out;
	size_t out_len;
};

static void world_start(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->now = 1000;
	w->frag = frag_new();
	w->piece = calloc(PIECES_MAX, sizeof(*w->piece));
	CU_ASSERT_PTR_NOT_NULL_FATAL(w->frag);
}

/* Nothing may be held when the time is up. */
static void world_end(struct world *w)
{
	frag_sweep(w->frag, w->now + FRAG_V6_MS);
	CU_ASSERT_EQUAL(frag_held(w->frag), 0);
	frag_free(w->frag);
	free(w->piece);
}

static int take_piece(void *arg, const struct iovec *v, int n)
{
	struct world *w = arg;
	struct piece *f = &w->piece[w->pieces++];

	f->len = 0;
	for (int i = 0; i < n; i++) {
		CU_ASSERT_TRUE_FATAL(f->len + v[i].iov_len <= sizeof(f->b));
		memcpy(f->b + f->len, v[i].iov_base, v[i].iov_len);
		f->len += v[i].iov_len;
	}
	return 0;
}

/* A datagram of data bytes, cut to mtu. */
static void cut(struct world *w, bool v6, size_t data, uint32_t mtu,
		uint32_t id)
{
	static uint8_t payload[65536];
	struct iovec v[4] = { { w->whole, 0 } };
	size_t head;

	for (size_t i = 0; i < data; i++)
		payload[i] = (uint8_t)(i * 7 + i / 251);
	v[1].iov_base = payload;
	v[1].iov_len = data;
	head = packet_udp_header(w->whole, v6 ? &app6 : &app4,
				 v6 ? &net6 : &net4, 64, 0, true, 0, v + 1, 1,
				 false);
	CU_ASSERT_TRUE_FATAL(head > 0);
	memcpy(w->whole + head, payload, data);
	w->len = head + data;
	/* in odd pieces */
	v[0].iov_len = head;
	v[1].iov_len = data / 3;
	v[2].iov_base = payload + data / 3;
	v[2].iov_len = 0;
	v[3].iov_base = payload + data / 3;
	v[3].iov_len = data - data / 3;
	w->pieces = 0;
	CU_ASSERT_EQUAL(frag_cut(v, 4, mtu, id, take_piece, w), 0);
}

static int give_bytes(struct world *w, uint8_t *b, size_t len)
{
	struct packet p;

	CU_ASSERT_EQUAL_FATAL(packet_parse(&p, b, len, 0), PACKET_OK);
	CU_ASSERT_TRUE_FATAL(p.frag);
	return frag_add(w->frag, &p, w->now, &w->out, &w->out_len);
}

static int give(struct world *w, int i)
{
	return give_bytes(w, w->piece[i].b, w->piece[i].len);
}

/* What came out is the datagram that was cut, as far as a receiver sees. */
static void is_whole(struct world *w)
{
	size_t head = w->whole[0] >> 4 == 6 ? 40 : 20;
	struct packet p;

	CU_ASSERT_EQUAL_FATAL(w->out_len, w->len);
	CU_ASSERT_EQUAL(packet_parse(&p, w->out, w->out_len, 0), PACKET_OK);
	CU_ASSERT_FALSE(p.frag);
	CU_ASSERT_EQUAL(p.proto, PACKET_UDP);
	CU_ASSERT_FALSE(memcmp(w->out + head, w->whole + head, w->len - head));
}

/* A fragment that says what it is told to; marks its bytes with fill. */
struct lie {
	uint32_t off, len;
	bool more;
	uint8_t fill;
	uint8_t proto; /* 0: UDP */
	uint32_t id;
	uint32_t src; /* the last bytes of the source */
	bool v6;
};

/* clang-format off */
#define PART(off_, len_, more_, fill_, ...) \
	{ .off = off_, .len = len_, .more = more_, .fill = fill_, __VA_ARGS__ }
/* clang-format on */

static int tell(struct world *w, struct lie l)
{
	static uint8_t b[66000];
	struct sluice_addr src = l.v6 ? app6 : app4;
	uint8_t proto = l.proto ? l.proto : PACKET_UDP;
	size_t head;
	uint16_t c;

	if (l.src)
		put_be32(src.ip + (l.v6 ? 12 : 0), l.src);
	head = packet_ip_header(b, &src, l.v6 ? &net6 : &net4,
				l.v6 ? 44 : proto, 64, 0,
				l.len + (l.v6 ? 8 : 0), false, (uint16_t)l.id);
	if (l.v6) {
		b[40] = proto;
		b[41] = 0;
		put_be16(b + 42, (uint16_t)(l.off | l.more));
		put_be32(b + 44, l.id);
		head = 48;
	} else {
		put_be16(b + 6, (uint16_t)(l.off / 8 | (l.more ? 0x2000 : 0)));
		put_be16(b + 10, 0);
		c = csum_fold(csum_add(0, b, 20));
		memcpy(b + 10, &c, 2);
	}
	memset(b + head, l.fill, l.len);
	return give_bytes(w, b, head + l.len);
}

static void what_was_cut_comes_out_whole(void)
{
	static const uint32_t sizes[] = { 1473, 1500, 8000, 8192, 20000, 65507 };
	static const uint32_t mtus[] = { 1500, 1280, 1492, 576 };
	struct world w;

	world_start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(sizes) * 2; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(mtus); j++) {
			int last = 0;

			cut(&w, i & 1, sizes[i / 2], mtus[j], 77);
			CU_ASSERT_TRUE_FATAL(w.pieces > 1);
			for (int k = 0; k < w.pieces; k++) {
				CU_ASSERT_EQUAL(last, 0);
				CU_ASSERT_TRUE(w.piece[k].len <= mtus[j]);
				last = give(&w, k);
			}
			CU_ASSERT_EQUAL(last, 1);
			is_whole(&w);
			CU_ASSERT_EQUAL(frag_held(w.frag), 0);
		}
	}
	world_end(&w);
}

static void any_order_will_do(void)
{
	struct world w;
	int order[60];
	uint32_t r = 9;

	world_start(&w);
	for (int round = 0; round < 200; round++) {
		int last = 0;

		cut(&w, round & 1, 5000 + (uint32_t)round * 100,
		    round % 3 ? 1500 : 600, (uint32_t)round);
		CU_ASSERT_TRUE_FATAL(w.pieces <= (int)ARRAY_SIZE(order));
		for (int i = 0; i < w.pieces; i++)
			order[i] = i;
		for (int i = w.pieces - 1; i > 0; i--) {
			int j, tmp = order[i];

			r = r * 1664525u + 1013904223u;
			j = (int)((r >> 8) % (uint32_t)(i + 1));
			order[i] = order[j];
			order[j] = tmp;
		}
		for (int i = 0; i < w.pieces; i++) {
			CU_ASSERT_EQUAL(last, 0);
			last = give(&w, order[i]);
		}
		CU_ASSERT_EQUAL(last, 1);
		is_whole(&w);
	}
	world_end(&w);
}

static void the_smallest_fragments_add_up_to_64_kib(void)
{
	struct world w;
	int last = 0;

	world_start(&w);
	cut(&w, false, 65507, 68, 3);
	CU_ASSERT_EQUAL(w.pieces, 1365);
	for (int i = w.pieces - 1; i >= 0; i--)
		last = give(&w, i);
	CU_ASSERT_EQUAL(last, 1);
	is_whole(&w);
	world_end(&w);
}

static void two_datagrams_do_not_mix(void)
{
	struct world w, x;

	world_start(&w);
	world_start(&x);
	for (int v6 = 0; v6 < 2; v6++) {
		cut(&w, v6, 3000, 1500, 1);
		cut(&x, v6, 2999, 1500, 2);
		CU_ASSERT_EQUAL(give(&w, 0), 0);
		CU_ASSERT_EQUAL(give_bytes(&w, x.piece[2].b, x.piece[2].len),
				0);
		CU_ASSERT_EQUAL(give(&w, 1), 0);
		CU_ASSERT_EQUAL(give_bytes(&w, x.piece[0].b, x.piece[0].len),
				0);
		CU_ASSERT_EQUAL(give(&w, 2), 1);
		is_whole(&w);
		CU_ASSERT_EQUAL(give_bytes(&w, x.piece[1].b, x.piece[1].len),
				1);
		CU_ASSERT_EQUAL(w.out_len, x.len);
	}
	world_end(&w);
	world_end(&x);
}

static void the_key_has_the_protocol_in_ipv4_only(void)
{
	struct world w;

	world_start(&w);
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(0, 64, 1, 'a')), 0);
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(64, 8, 0, 'a', .proto = 132)),
			0);
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(64, 8, 0, 'a')), 1);
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(0, 64, 1, 'a', .v6 = 1)), 0);
	CU_ASSERT_EQUAL(
		tell(&w, (struct lie)PART(64, 8, 0, 'a', .proto = 60, .v6 = 1)),
		1);
	CU_ASSERT_EQUAL(w.out[6], PACKET_UDP);
	world_end(&w);
}

static void the_ipv6_fragment_header_is_taken_out_of_the_chain(void)
{
	struct extension e[] = {
		{ 60, NULL, 2 }, { 44, "\0\1\1\2\3\4", 1 }, /* first, more */
	};
	struct made m = extended(e, 2), rest;
	struct packet p;
	struct world w;

	/* a TCP segment of 24 bytes, then 8 bytes more of it */
	world_start(&w);
	rest = m;
	put_be16(rest.b + 58, 24);
	rest.len = 64 + 8;
	put_be16(rest.b + 4, (uint16_t)(rest.len - 40));
	CU_ASSERT_EQUAL(give_bytes(&w, rest.b, rest.len), 0);
	CU_ASSERT_EQUAL(give_bytes(&w, m.b, m.len), 1);
	CU_ASSERT_EQUAL(w.out_len, 40 + 16 + 32);
	CU_ASSERT_EQUAL(w.out[6], 60);
	CU_ASSERT_EQUAL(w.out[40], PACKET_TCP);
	CU_ASSERT_EQUAL(packet_parse(&p, w.out, w.out_len, PACKET_SUMMED),
			PACKET_OK);
	CU_ASSERT_EQUAL(p.l4 - p.ip, 56);
	CU_ASSERT_EQUAL(p.l4_len, 32);
	CU_ASSERT_FALSE(memcmp(p.l4, m.b + 64, 24));
	world_end(&w);
}

static void ipv4_options_stay_with_the_packet(void)
{
	struct made m = udp(false, 24);
	struct packet p;
	struct world w;

	world_start(&w);
	insert(&m, (const uint8_t *)"\x94\4\0\0", 4);
	m.len = 24 + 24;
	put_be16(m.b + 2, (uint16_t)m.len);
	m.b[6] = 0x20;
	seal(&m);
	CU_ASSERT_EQUAL(give_bytes(&w, m.b, m.len), 0);
	m.b[6] = 0;
	m.b[7] = 3;
	seal(&m);
	CU_ASSERT_EQUAL(give_bytes(&w, m.b, m.len), 1);
	CU_ASSERT_EQUAL(w.out_len, 24 + 48);
	CU_ASSERT_EQUAL(packet_parse(&p, w.out, w.out_len, PACKET_SUMMED),
			PACKET_OK);
	CU_ASSERT_EQUAL(w.out[20], 0x94);
	world_end(&w);
}

static void a_copy_is_ignored(void)
{
	struct world w;

	world_start(&w);
	for (int v6 = 0; v6 < 2; v6++) {
		cut(&w, v6, 4000, 1500, 5);
		CU_ASSERT_EQUAL(give(&w, 2), 0);
		CU_ASSERT_EQUAL(give(&w, 2), 0);
		CU_ASSERT_EQUAL(give(&w, 0), 0);
		CU_ASSERT_EQUAL(give(&w, 0), 0);
		CU_ASSERT_EQUAL(give(&w, 2), 0);
		CU_ASSERT_EQUAL(give(&w, 1), 1);
		is_whole(&w);
	}
	world_end(&w);
}

/* Each is told in order; the last answers -EBADMSG, and so does what comes
 * after it, whether it would have fitted or not. */
static void overlaps_and_nonsense_end_the_datagram(void)
{
	static const struct {
		const char *what;
		struct lie lies[4];
		int n;
	} cases[] = {
		{ "overlap by one unit",
		  { PART(0, 64, 1, 'a'), PART(56, 64, 1, 'a') },
		  2 },
		{ "the same place, other bytes",
		  { PART(64, 64, 1, 'a'), PART(64, 64, 1, 'b') },
		  2 },
		{ "one within another, other bytes",
		  { PART(0, 640, 1, 'a'), PART(512, 64, 1, 'b') },
		  2 },
		{ "one around another",
		  { PART(512, 64, 1, 'a'), PART(0, 1024, 1, 'a') },
		  2 },
		{ "teardrop", { PART(0, 40, 1, 'a'), PART(24, 4, 0, 'b') }, 2 },
		{ "two ends", { PART(64, 8, 0, 'a'), PART(128, 8, 0, 'a') }, 2 },
		{ "the end before what is there",
		  { PART(640, 8, 1, 'a'), PART(64, 8, 0, 'a') },
		  2 },
		{ "more behind the end",
		  { PART(64, 8, 0, 'a'), PART(128, 8, 1, 'a') },
		  2 },
		{ "more up to the end",
		  { PART(64, 8, 0, 'a'), PART(56, 16, 1, 'a') },
		  2 },
		{ "an end within the last unit",
		  { PART(64, 5, 0, 'a'), PART(64, 6, 0, 'a') },
		  2 },
		{ "no multiple of 8, and more", { PART(0, 63, 1, 'a') }, 1 },
		{ "no payload", { PART(64, 0, 1, 'a') }, 1 },
		{ "beyond 64 KiB", { PART(65528, 56, 0, 'a') }, 1 },
		{ "beyond 64 KiB with its head", { PART(65528, 8, 0, 'a') }, 1 },
		{ "a tiny first fragment of TCP",
		  { PART(0, 16, 1, 'a', .proto = PACKET_TCP) },
		  1 },
	};
	struct world w;

	world_start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		struct lie after = PART(1024, 8, 1, 'z', .v6 = i & 1);
		int n = cases[i / 2].n;

		/* 65528 + 7 is the most IPv6 can have */
		if (i & 1 && i / 2 == 13)
			continue;
		after.id = (uint32_t)i;
		after.proto = cases[i / 2].lies[0].proto;
		for (int k = 0; k < n; k++) {
			struct lie l = cases[i / 2].lies[k];
			int want = k == n - 1 ? -EBADMSG : 0, got;

			l.v6 = i & 1;
			l.id = (uint32_t)i;
			got = tell(&w, l);
			if (got != want)
				printf("# %s, fragment %d: %d\n",
				       cases[i / 2].what, k, got);
			CU_ASSERT_EQUAL(got, want);
		}
		CU_ASSERT_EQUAL(tell(&w, after), -EBADMSG);
	}
	/* dead ones hold no payload */
	CU_ASSERT_TRUE(frag_held(w.frag) < 30 * 1024);
	world_end(&w);
}

static void a_second_fragment_inside_the_tcp_header_is_refused(void)
{
	struct world w;

	world_start(&w);
	CU_ASSERT_EQUAL(
		tell(&w, (struct lie)PART(8, 32, 0, 'a', .proto = PACKET_TCP)),
		-EBADMSG);
	world_end(&w);
}

static void the_biggest_there_can_be_is_taken(void)
{
	struct world w;
	struct packet p;

	world_start(&w);
	/* IPv4: 20 + 65515; IPv6: 40 + 65535 */
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(0, 65504, 1, 'a')), 0);
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(65504, 11, 0, 'a')), 1);
	CU_ASSERT_EQUAL(w.out_len, 65535);
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(0, 65520, 1, 'a', .v6 = 1)),
			0);
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(65520, 15, 0, 'a', .v6 = 1)),
			1);
	CU_ASSERT_EQUAL(w.out_len, 65575);
	CU_ASSERT_EQUAL(packet_parse(&p, w.out, w.out_len, PACKET_SUMMED),
			PACKET_OK);
	CU_ASSERT_EQUAL(p.len, 65575);
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(65520, 12, 0, 'a', .id = 9)),
			-EBADMSG);
	world_end(&w);
}

static void too_much_before_the_fragment_header_is_refused(void)
{
	struct extension e[] = {
		{ 60, NULL, 12 },
		{ 44, "\0\1\1\2\3\4", 1 },
	};
	struct made m = extended(e, 2);
	struct world w;

	world_start(&w);
	CU_ASSERT_EQUAL(give_bytes(&w, m.b, m.len), -EBADMSG);
	world_end(&w);
}

static void what_is_too_old_is_forgotten(void)
{
	struct world w;

	world_start(&w);
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(0, 64, 1, 'a')), 0);
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(0, 64, 1, 'a', .v6 = 1)), 0);
	w.now += FRAG_V4_MS - 1;
	/* the time runs from the first */
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(64, 64, 1, 'a')), 0);
	CU_ASSERT_EQUAL(frag_sweep(w.frag, w.now), 0);
	w.now++;
	CU_ASSERT_EQUAL(frag_sweep(w.frag, w.now), 1);
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(128, 8, 0, 'a')), 0);
	w.now += FRAG_V6_MS - FRAG_V4_MS - 1;
	CU_ASSERT_EQUAL(frag_sweep(w.frag, w.now), 0);
	w.now++;
	CU_ASSERT_EQUAL(frag_sweep(w.frag, w.now), 2);
	CU_ASSERT_EQUAL(frag_held(w.frag), 0);
	world_end(&w);
}

struct late {
	int n;
	uint8_t b[1024];
	size_t len;
};

static void was_late(void *arg, const uint8_t *ip, size_t len)
{
	struct late *l = arg;

	CU_ASSERT_FATAL(len <= sizeof(l->b));
	l->n++;
	l->len = len;
	memcpy(l->b, ip, len);
}

static void the_first_fragment_is_told_when_the_rest_is_late(void)
{
	struct late l = { 0 };
	struct world w;

	world_start(&w);
	frag_on_late(w.frag, was_late, &l);
	for (int v6 = 0; v6 < 2; v6++) {
		l.n = 0;
		/* Without a first one, and with a contradiction, of nobody. */
		CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(64, 64, 1, 'a',
							  .id = 7, .v6 = v6)),
				0);
		CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(0, 64, 1, 'a',
							  .id = 8, .v6 = v6)),
				0);
		CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(8, 64, 1, 'b',
							  .id = 8, .v6 = v6)),
				-EBADMSG);
		CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(1000, 64, 0, 'a',
							  .id = 9, .v6 = v6)),
				0);
		CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(0, 640, 1, 'a',
							  .id = 9, .v6 = v6)),
				0);
		w.now += FRAG_V6_MS;
		CU_ASSERT_EQUAL(frag_sweep(w.frag, w.now), 3);
		CU_ASSERT_EQUAL(l.n, 1);
		/* Its beginning, as it came. */
		CU_ASSERT_EQUAL(l.len, (v6 ? 48u : 20u) + 512);
		CU_ASSERT_EQUAL(l.b[l.len - 1], 'a');
		CU_ASSERT_EQUAL(l.b[v6 ? 6 : 9], v6 ? 44 : PACKET_UDP);
		if (v6) {
			CU_ASSERT_EQUAL(get_be16(l.b + 4), 648);
			CU_ASSERT_EQUAL(l.b[40], PACKET_UDP);
			CU_ASSERT_EQUAL(get_be16(l.b + 42), 1);
			CU_ASSERT_EQUAL(get_be32(l.b + 44), 9);
		} else {
			CU_ASSERT_EQUAL(get_be16(l.b + 2), 660);
			CU_ASSERT_EQUAL(get_be16(l.b + 4), 9);
			CU_ASSERT_EQUAL(get_be16(l.b + 6), 0x2000);
		}
	}
	world_end(&w);
}

static void an_old_one_is_not_completed_even_before_the_sweep(void)
{
	struct world w;

	world_start(&w);
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(0, 64, 1, 'a')), 0);
	w.now += FRAG_V4_MS;
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(64, 8, 0, 'b')), 0);
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(0, 64, 1, 'b')), 1);
	CU_ASSERT_EQUAL(w.out[20], 'b');
	CU_ASSERT_EQUAL(frag_sweep(w.frag, w.now), 1);
	world_end(&w);
}

static void one_source_holds_no_more_than_its_share(void)
{
	struct world w;
	size_t held;

	world_start(&w);
	for (uint32_t id = 0; id < FRAG_PER_SOURCE; id++)
		CU_ASSERT_EQUAL(
			tell(&w, (struct lie)PART(0, 8, 1, 'a', .id = id)), 0);
	held = frag_held(w.frag);
	CU_ASSERT_EQUAL(frag_sweep(w.frag, w.now), 0);
	for (uint32_t id = 100; id < 5000; id++) {
		CU_ASSERT_EQUAL(
			tell(&w, (struct lie)PART(0, 8, 1, 'a', .id = id)), 0);
		CU_ASSERT_EQUAL(frag_held(w.frag), held);
	}
	CU_ASSERT_EQUAL(frag_sweep(w.frag, w.now), 4900);
	/* the youngest are there */
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(8, 8, 0, 'a', .id = 4999)),
			1);
	CU_ASSERT_EQUAL(tell(&w, (struct lie)PART(8, 8, 0, 'a', .id = 4900)),
			0);
	world_end(&w);
}

/* 1 in 25 datagrams of another source among first fragments of very many
 * sources, of every size: each of them gets through (T6: 99 %). */
static void a_flood_of_many_sources_does_not_stop_another(void)
{
	struct world w;
	uint32_t r = 5;

	world_start(&w);
	for (uint32_t i = 0; i < 200000; i++) {
		struct lie l = PART(0, 8, 1, 'f', .id = i, .v6 = i & 1);

		r = r * 1664525u + 1013904223u;
		l.src = (l.v6 ? 0x100 : 0x0a010000) + (r >> 16 & 0xfff);
		l.len = r & 0x8000 ? 8 : (r >> 8 & 0xff) * 8 + 8;
		if (l.len > 1400)
			l.len = 8000; /* as an offload would give it */
		CU_ASSERT_EQUAL(tell(&w, l), 0);
		CU_ASSERT_TRUE(frag_held(w.frag) <= FRAG_BYTES);
		if (i % 1000 == 0) {
			int last = 0;

			cut(&w, i / 1000 & 1, 8000, 1500, i);
			for (int k = 0; k < w.pieces; k++)
				last = give(&w, k);
			CU_ASSERT_EQUAL_FATAL(last, 1);
			is_whole(&w);
		}
	}
	world_end(&w);
}

static void whole_datagrams_of_one_source_cannot_fill_it_for_good(void)
{
	struct world w;
	int last = 0;

	world_start(&w);
	/* 64 datagrams that lack their last byte only: over 4 MiB */
	for (uint32_t id = 0; id < FRAG_PER_SOURCE; id++) {
		CU_ASSERT_EQUAL(
			tell(&w, (struct lie)PART(0, 65504, 1, 'a', .id = id)),
			0);
		CU_ASSERT_TRUE(frag_held(w.frag) <= FRAG_BYTES);
	}
	cut(&w, true, 60000, 1500, 1);
	for (int k = 0; k < w.pieces; k++)
		last = give(&w, k);
	CU_ASSERT_EQUAL(last, 1);
	is_whole(&w);
	world_end(&w);
}

/* Pages that are there, counted and not estimated. */
static long resident(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	char line[128];
	long kb = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Rss: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb * 1024;
}

static void memory_is_bounded_and_given_back(void)
{
	long before, full, after;
	struct world w;

	world_start(&w);
	tell(&w, (struct lie)PART(0, 8, 1, 'a', .id = 1));
	before = resident();
	if (!before) {
		world_end(&w);
		UNIT_SKIP("no smaps_rollup");
	}
	for (uint32_t i = 0; i < 100000; i++)
		tell(&w, (struct lie)PART(0, 1400, 1, 'a', .id = i,
					  .src = 0x0a020000 + i % 4000));
	full = resident();
	CU_ASSERT_TRUE(frag_held(w.frag) > FRAG_BYTES / 2);
	CU_ASSERT_TRUE(frag_held(w.frag) <= FRAG_BYTES);
	w.now += FRAG_V4_MS;
	frag_sweep(w.frag, w.now);
	CU_ASSERT_EQUAL(frag_held(w.frag), 0);
	after = resident();
	CU_ASSERT_TRUE(full - before <= (long)FRAG_BYTES + 512 * 1024);
	CU_ASSERT_TRUE(after - before <= 512 * 1024);
	/* and it works on */
	cut(&w, false, 3000, 1500, 7);
	CU_ASSERT_EQUAL(give(&w, 0), 0);
	CU_ASSERT_EQUAL(give(&w, 1), 0);
	CU_ASSERT_EQUAL(give(&w, 2), 1);
	is_whole(&w);
	world_end(&w);
}

static int refuse(void *arg, const struct iovec *v, int n)
{
	(void)v;
	(void)n;
	return --*(int *)arg ? 0 : -ENOBUFS;
}

static void cutting_stops_at_the_first_that_is_refused(void)
{
	struct made m = udp(true, 1400);
	struct iovec v = { m.b, m.len };
	int left = 2;

	CU_ASSERT_EQUAL(frag_cut(&v, 1, 600, 1, refuse, &left), -ENOBUFS);
	CU_ASSERT_EQUAL(left, 0);
}

static void what_fits_is_not_cut(void)
{
	struct world w;

	world_start(&w);
	cut(&w, false, 1472, 1500, 1);
	CU_ASSERT_EQUAL(w.pieces, 1);
	CU_ASSERT_EQUAL(w.piece[0].len, 1500);
	CU_ASSERT_FALSE(memcmp(w.piece[0].b, w.whole, 1500));
	world_end(&w);
}

static void what_cannot_be_cut_is_refused(void)
{
	struct made m = udp(false, 100);
	struct iovec v[FRAG_PIECES + 1] = { { m.b, m.len } };
	int left = 1000;

	CU_ASSERT_EQUAL(frag_cut(v, 1, 27, 1, refuse, &left), -EINVAL);
	CU_ASSERT_EQUAL(frag_cut(v, FRAG_PIECES + 1, 100, 1, refuse, &left),
			-EINVAL);
	m.b[6] = 0x20; /* a fragment already */
	CU_ASSERT_EQUAL(frag_cut(v, 1, 100, 1, refuse, &left), -EINVAL);
	m.b[6] = 0;
	m.b[0] = 0x46;
	CU_ASSERT_EQUAL(frag_cut(v, 1, 100, 1, refuse, &left), -EINVAL);
	m.b[0] = 0x45;
	v[0].iov_len = 19;
	CU_ASSERT_EQUAL(frag_cut(v, 1, 100, 1, refuse, &left), -EINVAL);
	CU_ASSERT_EQUAL(left, 1000);
}

static void random_fragments_never_crash_it(void)
{
	struct world w;
	uint32_t r = 11;

	world_start(&w);
	for (int i = 0; i < 300000; i++) {
		struct lie l = { .id = 0 };

		r = r * 1664525u + 1013904223u;
		l.id = r >> 30;
		l.v6 = r >> 29 & 1;
		l.off = (r >> 8 & 0xfff) * 8;
		r = r * 1664525u + 1013904223u;
		l.len = (r >> 8 & 0x7ff);
		l.more = r >> 20 & 3;
		if (l.more)
			l.len &= ~7u;
		l.fill = r >> 28 & 1;
		w.now += r >> 27 & 7;
		if (l.off || l.more)
			tell(&w, l);
		if (i % 1000 == 0)
			frag_sweep(w.frag, w.now);
	}
	world_end(&w);
}

static const struct unit_test tests[] = {
	UNIT(what_was_cut_comes_out_whole),
	UNIT(any_order_will_do),
	UNIT(the_smallest_fragments_add_up_to_64_kib),
	UNIT(two_datagrams_do_not_mix),
	UNIT(the_key_has_the_protocol_in_ipv4_only),
	UNIT(the_ipv6_fragment_header_is_taken_out_of_the_chain),
	UNIT(ipv4_options_stay_with_the_packet),
	UNIT(a_copy_is_ignored),
	UNIT(overlaps_and_nonsense_end_the_datagram),
	UNIT(a_second_fragment_inside_the_tcp_header_is_refused),
	UNIT(the_biggest_there_can_be_is_taken),
	UNIT(too_much_before_the_fragment_header_is_refused),
	UNIT(what_is_too_old_is_forgotten),
	UNIT(the_first_fragment_is_told_when_the_rest_is_late),
	UNIT(an_old_one_is_not_completed_even_before_the_sweep),
	UNIT(one_source_holds_no_more_than_its_share),
	UNIT(a_flood_of_many_sources_does_not_stop_another),
	UNIT(whole_datagrams_of_one_source_cannot_fill_it_for_good),
	UNIT(memory_is_bounded_and_given_back),
	UNIT(cutting_stops_at_the_first_that_is_refused),
	UNIT(what_fits_is_not_cut),
	UNIT(what_cannot_be_cut_is_refused),
	UNIT(random_fragments_never_crash_it),
};

UNIT_MAIN("frag", tests)
