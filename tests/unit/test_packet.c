/* SPDX-License-Identifier: MIT */
/* test_packet.c - what gets through and what does not
 *
 * Most cases are a good packet with one thing changed and the checksums put
 * right again, so that it is that thing which decides.
 */
#include "packets.h"

static void a_tcp_segment_is_read_in_full(void)
{
	struct packet p;

	for (int v6 = 0; v6 < 2; v6++) {
		struct made m = tcp(v6, TCP_ACK | TCP_PSH, NULL, 0, 100);

		CU_ASSERT_EQUAL(parse(&p, &m), PACKET_OK);
		CU_ASSERT_EQUAL(p.version, v6 ? 6 : 4);
		CU_ASSERT_EQUAL(p.proto, PACKET_TCP);
		CU_ASSERT_EQUAL(p.len, m.len);
		CU_ASSERT_EQUAL(p.ttl, 61);
		CU_ASSERT_EQUAL(p.tos, 0x28);
		CU_ASSERT_TRUE(p.df && !p.frag && p.summed);
		CU_ASSERT_EQUAL(p.src.port, 40000);
		CU_ASSERT_EQUAL(p.dst.port, 443);
		CU_ASSERT_EQUAL(p.seq, 0xfffffff0);
		CU_ASSERT_EQUAL(p.ack, 0x01020304);
		CU_ASSERT_EQUAL(p.window, 64240);
		CU_ASSERT_EQUAL(p.flags, TCP_ACK | TCP_PSH);
		CU_ASSERT_EQUAL(p.data_len, 100);
		CU_ASSERT_EQUAL(*p.data, 'x');
		CU_ASSERT_FALSE(
			memcmp(&p.src, v6 ? &app6 : &app4, sizeof(p.src)));
		CU_ASSERT_FALSE(
			memcmp(&p.dst, v6 ? &net6 : &net4, sizeof(p.dst)));
	}
}

static void a_datagram_and_an_echo_are_read_in_full(void)
{
	struct packet p;

	for (int v6 = 0; v6 < 2; v6++) {
		struct made m = udp(v6, 33);

		CU_ASSERT_EQUAL(parse(&p, &m), PACKET_OK);
		CU_ASSERT_EQUAL(p.proto, PACKET_UDP);
		CU_ASSERT_EQUAL(p.data_len, 33);
		CU_ASSERT_EQUAL(p.df, v6);
		CU_ASSERT_EQUAL(*p.data, 'u');

		m = udp(v6, 0);
		CU_ASSERT_EQUAL(parse(&p, &m), PACKET_OK);
		CU_ASSERT_EQUAL(p.data_len, 0);

		m = echo(v6);
		CU_ASSERT_EQUAL(parse(&p, &m), PACKET_OK);
		CU_ASSERT_EQUAL(p.type, v6 ? 128 : 8);
		CU_ASSERT_EQUAL(p.src.port, 0x1234);
		CU_ASSERT_EQUAL(p.dst.port, 0);
		CU_ASSERT_EQUAL(p.data_len, 7);
		CU_ASSERT_FALSE(memcmp(p.data, "abcdefg", 7));
	}
}

/* One byte or two of a good packet changed; at counts from the start of IP,
 * or with l4 from the start of what follows. */
struct change {
	const char *what;
	struct made (*base)(bool v6);
	bool v6, l4;
	uint16_t at;
	uint16_t value;
	bool wide, unsealed;
	enum packet_error want;
};

static struct made syn(bool v6)
{
	return tcp(v6, TCP_SYN, NULL, 0, 0);
}

static struct made ack(bool v6)
{
	return tcp(v6, TCP_ACK, NULL, 0, 10);
}

static struct made dgram(bool v6)
{
	return udp(v6, 10);
}

/* clang-format off */
static const struct change changes[] = {
	{ "version 0", ack, 0, 0, 0, 0x05, 0, 1, PACKET_VERSION },
	{ "version 5", ack, 0, 0, 0, 0x55, 0, 1, PACKET_VERSION },
	{ "version 15", ack, 1, 0, 0, 0xf0, 0, 1, PACKET_VERSION },
	{ "IHL 4", ack, 0, 0, 0, 0x44, 0, 1, PACKET_HEADER },
	{ "IHL 0", ack, 0, 0, 0, 0x40, 0, 1, PACKET_HEADER },
	{ "IHL beyond the total length", syn, 0, 0, 0, 0x4f, 0, 1,
	  PACKET_LENGTH },
	{ "total length 0", ack, 0, 0, 2, 0, 1, 0, PACKET_LENGTH },
	{ "total length 19", ack, 0, 0, 2, 19, 1, 0, PACKET_LENGTH },
	{ "total length 51 of 50", ack, 0, 0, 2, 51, 1, 0, PACKET_LENGTH },
	{ "total length 65535", ack, 0, 0, 2, 65535, 1, 0, PACKET_LENGTH },
	{ "no room for TCP", ack, 0, 0, 2, 39, 1, 0, PACKET_SHORT },
	{ "IPv4 checksum", ack, 0, 0, 10, 0xbad, 1, 1, PACKET_CHECKSUM },
	{ "TTL changed on the way", ack, 0, 0, 8, 3, 0, 1, PACKET_CHECKSUM },
	{ "payload length 1 too long", ack, 1, 0, 4, 31, 1, 0,
	  PACKET_LENGTH },
	{ "payload length 65535", ack, 1, 0, 4, 65535, 1, 0, PACKET_LENGTH },
	{ "payload length 19", ack, 1, 0, 4, 19, 1, 0, PACKET_SHORT },
	{ "payload length 0", ack, 1, 0, 4, 0, 1, 0, PACKET_SHORT },

	{ "data offset 4", ack, 0, 1, 12, 0x40, 0, 0, PACKET_TCP_BAD },
	{ "data offset 0", ack, 1, 1, 12, 0, 0, 0, PACKET_TCP_BAD },
	{ "data offset beyond the end", ack, 1, 1, 12, 0xf0, 0, 0,
	  PACKET_TCP_BAD },
	{ "TCP source port 0", syn, 0, 1, 0, 0, 1, 0, PACKET_TCP_BAD },
	{ "TCP destination port 0", syn, 1, 1, 2, 0, 1, 0, PACKET_TCP_BAD },
	{ "null segment", ack, 0, 1, 13, 0, 0, 0, PACKET_TCP_BAD },
	{ "PSH alone", ack, 0, 1, 13, TCP_PSH, 0, 0, PACKET_TCP_BAD },
	{ "URG alone", ack, 1, 1, 13, TCP_URG, 0, 0, PACKET_TCP_BAD },
	{ "FIN alone", ack, 0, 1, 13, TCP_FIN, 0, 0, PACKET_TCP_BAD },
	{ "FIN, URG, PSH", ack, 0, 1, 13, 0x29, 0, 0, PACKET_TCP_BAD },
	{ "SYN FIN", ack, 0, 1, 13, TCP_SYN | TCP_FIN, 0, 0,
	  PACKET_TCP_BAD },
	{ "SYN FIN ACK", ack, 0, 1, 13, TCP_SYN | TCP_FIN | TCP_ACK, 0, 0,
	  PACKET_TCP_BAD },
	{ "SYN RST", ack, 1, 1, 13, TCP_SYN | TCP_RST, 0, 0,
	  PACKET_TCP_BAD },
	{ "FIN RST ACK", ack, 0, 1, 13, TCP_FIN | TCP_RST | TCP_ACK, 0, 0,
	  PACKET_TCP_BAD },
	{ "everything", ack, 0, 1, 13, 0xff, 0, 0, PACKET_TCP_BAD },
	{ "SYN", ack, 0, 1, 13, TCP_SYN, 0, 0, PACKET_OK },
	{ "SYN ECE CWR", ack, 1, 1, 13, TCP_SYN | TCP_ECE | TCP_CWR, 0, 0,
	  PACKET_OK },
	{ "SYN ACK", ack, 0, 1, 13, TCP_SYN | TCP_ACK, 0, 0, PACKET_OK },
	{ "RST", ack, 1, 1, 13, TCP_RST, 0, 0, PACKET_OK },
	{ "RST ACK", ack, 0, 1, 13, TCP_RST | TCP_ACK, 0, 0, PACKET_OK },
	{ "FIN ACK", ack, 0, 1, 13, TCP_FIN | TCP_ACK, 0, 0, PACKET_OK },
	{ "URG ACK", ack, 1, 1, 13, TCP_URG | TCP_ACK, 0, 0, PACKET_OK },
	{ "TCP checksum", ack, 0, 1, 16, 0xbad, 1, 1, PACKET_CHECKSUM },
	{ "TCP checksum, IPv6", ack, 1, 1, 16, 0xbad, 1, 1,
	  PACKET_CHECKSUM },
	{ "TCP payload", ack, 1, 1, 25, 0, 0, 1, PACKET_CHECKSUM },

	{ "UDP length 7", dgram, 0, 1, 4, 7, 1, 0, PACKET_LENGTH },
	{ "UDP length 0", dgram, 1, 1, 4, 0, 1, 0, PACKET_LENGTH },
	{ "UDP length 1 too long", dgram, 0, 1, 4, 19, 1, 0,
	  PACKET_LENGTH },
	{ "UDP length 65535", dgram, 1, 1, 4, 65535, 1, 0, PACKET_LENGTH },
	{ "UDP checksum", dgram, 0, 1, 6, 0xbad, 1, 1, PACKET_CHECKSUM },
	{ "UDP checksum, IPv6", dgram, 1, 1, 6, 0xbad, 1, 1,
	  PACKET_CHECKSUM },
	{ "no UDP checksum", dgram, 0, 1, 6, 0, 1, 1, PACKET_OK },
	{ "no UDP checksum, IPv6", dgram, 1, 1, 6, 0, 1, 1,
	  PACKET_CHECKSUM },
	{ "UDP source port 0", dgram, 0, 1, 0, 0, 1, 0, PACKET_OK },
	{ "UDP destination port 0", dgram, 0, 1, 2, 0, 1, 0,
	  PACKET_HEADER },

	{ "ICMP checksum", echo, 0, 1, 2, 0xbad, 1, 1, PACKET_CHECKSUM },
	{ "ICMPv6 checksum", echo, 1, 1, 2, 0xbad, 1, 1, PACKET_CHECKSUM },
	{ "ICMP of 7 bytes", echo, 0, 0, 2, 27, 1, 0, PACKET_SHORT },
	{ "ICMPv6 in IPv4", echo, 0, 0, 9, 58, 0, 0, PACKET_HEADER },
	{ "ICMP in IPv6", echo, 1, 0, 6, 1, 0, 0, PACKET_HEADER },
	{ "another protocol", dgram, 0, 0, 9, 132, 0, 0, PACKET_OK },
	{ "no next header", dgram, 1, 0, 6, 59, 0, 0, PACKET_OK },
	{ "the reserved fragment bit", ack, 0, 0, 6, 0x80, 0, 0, PACKET_OK },
};
/* clang-format on */

static void each_lie_has_its_name(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const struct change *c = &changes[i];
		struct made m = c->base(c->v6);
		size_t at = c->at + (c->l4 ? head_of(&m) : 0);
		enum packet_error got;
		struct packet p;

		if (c->wide)
			put_be16(m.b + at, c->value);
		else
			m.b[at] = (uint8_t)c->value;
		if (!c->unsealed && c->what)
			seal(&m);
		got = parse(&p, &m);
		if (got != c->want)
			printf("# %s: %d, want %d\n", c->what, got, c->want);
		CU_ASSERT_EQUAL(got, c->want);
	}
}

static void what_was_cut_short_is_refused_at_every_length(void)
{
	struct made (*const base[])(bool) = { syn, ack, dgram, echo };
	struct packet p;

	for (size_t i = 0; i < ARRAY_SIZE(base) * 2; i++) {
		struct made m = base[i / 2](i & 1);
		size_t whole = m.len;

		for (m.len = 0; m.len < whole; m.len++) {
			enum packet_error got = parse(&p, &m);

			CU_ASSERT_TRUE(got == PACKET_SHORT ||
				       got == PACKET_LENGTH);
		}
	}
}

static void bytes_after_the_packet_do_not_belong_to_it(void)
{
	struct packet p;

	for (int v6 = 0; v6 < 2; v6++) {
		struct made m = udp(v6, 10);

		memset(m.b + m.len, 0xee, 30);
		m.len += 30;
		CU_ASSERT_EQUAL(parse(&p, &m), PACKET_OK);
		CU_ASSERT_EQUAL(p.len, m.len - 30);
		CU_ASSERT_EQUAL(p.data_len, 10);
	}
}

static void a_datagram_shorter_than_its_packet_is_trimmed(void)
{
	struct made m = udp(false, 10);
	struct packet p;

	put_be16(m.b + 24, 12);
	put_be16(m.b + 26, 0);
	CU_ASSERT_EQUAL(parse(&p, &m), PACKET_OK);
	CU_ASSERT_EQUAL(p.data_len, 4);
	CU_ASSERT_EQUAL(p.l4_len, 12);
}

static void an_offloaded_checksum_is_not_looked_at(void)
{
	struct made (*const base[])(bool) = { ack, dgram, echo };
	struct packet p;

	for (size_t i = 0; i < ARRAY_SIZE(base) * 2; i++) {
		struct made m = base[i / 2](i & 1);

		m.b[m.len - 1] ^= 1;
		CU_ASSERT_EQUAL(parse(&p, &m), PACKET_CHECKSUM);
		CU_ASSERT_EQUAL(parse_flags(&p, &m, PACKET_SUMMED), PACKET_OK);
		CU_ASSERT_TRUE(p.summed);
	}
}

static void the_ipv4_header_is_summed_offload_or_not(void)
{
	struct made m = ack(false);
	struct packet p;

	m.b[10] ^= 1;
	CU_ASSERT_EQUAL(parse_flags(&p, &m, PACKET_SUMMED), PACKET_CHECKSUM);
}

static void only_options_that_route_are_refused(void)
{
	static const struct {
		const char *options;
		size_t len;
		enum packet_error want;
	} cases[] = {
		{ "\1\1\1\0", 4, PACKET_OK },
		{ "\x94\4\0\0", 4, PACKET_OK },       /* router alert */
		{ "\7\7\4\0\0\0\0\0", 8, PACKET_OK }, /* record route */
		{ "\x83\7\4\x7f\0\0\1\0", 8, PACKET_HEADER },
		{ "\x89\7\4\x7f\0\0\1\0", 8, PACKET_HEADER },
		{ "\1\x83\3\4", 4, PACKET_HEADER },
		{ "\0\x83\3\4", 4, PACKET_OK }, /* after the end */
		{ "\x44\0\0\0", 4, PACKET_HEADER },
		{ "\x44\1\0\0", 4, PACKET_HEADER },
		{ "\x44\5\0\0", 4, PACKET_HEADER },
		{ "\1\1\1\x44", 4, PACKET_HEADER },
	};
	struct packet p;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct made m = udp(false, 10);

		insert(&m, (const uint8_t *)cases[i].options, cases[i].len);
		CU_ASSERT_EQUAL(parse(&p, &m), cases[i].want);
		if (cases[i].want == PACKET_OK)
			CU_ASSERT_EQUAL(p.data_len, 10);
	}
}

static void extension_headers_are_walked_within_limits(void)
{
	static const struct {
		struct extension e[10];
		int n;
		enum packet_error want;
		int problem, code;
	} cases[] = {
		{ { { 0, NULL, 1 } }, 1, PACKET_OK, 0, 0 },
		{ { { 0, NULL, 1 },
		    { 60, NULL, 2 },
		    { 43, "\3\0....", 1 },
		    { 60, NULL, 1 } },
		  4,
		  PACKET_OK,
		  0,
		  0 },
		/* 8 yes, 9 no */
		{ { { 60, NULL, 1 },
		    { 60, NULL, 1 },
		    { 60, NULL, 1 },
		    { 60, NULL, 1 },
		    { 60, NULL, 1 },
		    { 60, NULL, 1 },
		    { 60, NULL, 1 },
		    { 60, NULL, 1 } },
		  8,
		  PACKET_OK,
		  0,
		  0 },
		{ { { 60, NULL, 1 },
		    { 60, NULL, 1 },
		    { 60, NULL, 1 },
		    { 60, NULL, 1 },
		    { 60, NULL, 1 },
		    { 60, NULL, 1 },
		    { 60, NULL, 1 },
		    { 60, NULL, 1 },
		    { 60, NULL, 1 } },
		  9,
		  PACKET_HEADER,
		  0,
		  0 },
		/* 512 bytes yes, 520 no */
		{ { { 60, NULL, 32 }, { 60, NULL, 32 } }, 2, PACKET_OK, 0, 0 },
		{ { { 60, NULL, 64 } }, 1, PACKET_OK, 0, 0 },
		{ { { 60, NULL, 65 } }, 1, PACKET_HEADER, 0, 0 },
		{ { { 60, NULL, 32 }, { 60, NULL, 33 } },
		  2,
		  PACKET_HEADER,
		  0,
		  0 },
		/* hop-by-hop only in front */
		{ { { 60, NULL, 1 }, { 0, NULL, 1 } }, 2, PACKET_HEADER, 40, 1 },
		/* routing: type 0 never, others when they have done it */
		{ { { 43, "\0\0....", 1 } }, 1, PACKET_HEADER, 42, 0 },
		{ { { 43, "\0\1....", 1 } }, 1, PACKET_HEADER, 42, 0 },
		{ { { 43, "\4\1....", 1 } }, 1, PACKET_HEADER, 42, 0 },
		{ { { 43, "\4\0....", 1 } }, 1, PACKET_OK, 0, 0 },
		/* unknown options by their high bits */
		{ { { 60, "\x1e\4....", 1 } }, 1, PACKET_OK, 0, 0 },
		{ { { 60, "\x5e\4....", 1 } }, 1, PACKET_HEADER, 0, 0 },
		{ { { 60, "\x9e\4....", 1 } }, 1, PACKET_HEADER, 42, 2 },
		{ { { 0, "\xde\4....", 1 } }, 1, PACKET_HEADER, 42, 2 },
		{ { { 0, "\xc2\4\0\1\0\0", 1 } }, 1, PACKET_HEADER, 42, 2 },
		{ { { 0, NULL, 1 }, { 60, "\0\xde\3...", 1 } },
		  2,
		  PACKET_HEADER,
		  51,
		  2 },
		/* options that end beyond their header */
		{ { { 60, "\1\5....", 1 } }, 1, PACKET_HEADER, 0, 0 },
		{ { { 60, "\0\0\0\0\0\1", 1 } }, 1, PACKET_HEADER, 0, 0 },
		/* an atomic fragment is a whole packet, once */
		{ { { 44, "\0\0\1\2\3\4", 1 } }, 1, PACKET_OK, 0, 0 },
		{ { { 44, "\0\0\1\2\3\4", 1 }, { 44, "\0\0\1\2\3\4", 1 } },
		  2,
		  PACKET_HEADER,
		  40,
		  1 },
		{ { { 44, "\0\0\1\2\3\4", 1 }, { 0, NULL, 1 } },
		  2,
		  PACKET_HEADER,
		  40,
		  1 },
	};
	struct packet p;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct made m = extended(cases[i].e, cases[i].n);
		enum packet_error got = parse(&p, &m);

		if (got != cases[i].want)
			printf("# case %zu: %d, want %d\n", i, got,
			       cases[i].want);
		CU_ASSERT_EQUAL(got, cases[i].want);
		CU_ASSERT_EQUAL(p.problem, cases[i].problem);
		CU_ASSERT_EQUAL(p.problem_code, cases[i].code);
		if (got == PACKET_OK) {
			CU_ASSERT_EQUAL(p.data_len, 4);
			CU_ASSERT_EQUAL(p.dst.port, 443);
			CU_ASSERT_FALSE(p.frag);
		}
	}
}

static void an_extension_header_beyond_the_end_is_refused(void)
{
	struct extension e = { 60, NULL, 2 };
	struct made m = extended(&e, 1);
	struct packet p;

	m.b[41] = 200;
	CU_ASSERT_EQUAL(parse(&p, &m), PACKET_SHORT);
	m.len = 44;
	put_be16(m.b + 4, 4);
	CU_ASSERT_EQUAL(parse(&p, &m), PACKET_SHORT);
}

static void fragments_are_given_back_unread(void)
{
	struct extension e[] = {
		{ 60, NULL, 1 }, { 44, "\x05\xb9\1\2\3\4", 1 }, /* 1464, more */
	};
	struct made m = udp(false, 16);
	struct packet p;

	put_be16(m.b + 4, 0xabcd);
	put_be16(m.b + 6, 0x2000 | 185);
	seal(&m);
	CU_ASSERT_EQUAL(parse(&p, &m), PACKET_OK);
	CU_ASSERT_TRUE(p.frag && p.more);
	CU_ASSERT_EQUAL(p.frag_off, 1480);
	CU_ASSERT_EQUAL(p.frag_id, 0xabcd);
	CU_ASSERT_EQUAL(p.l4 - p.ip, 20);
	CU_ASSERT_EQUAL(p.l4_len, 24);
	CU_ASSERT_EQUAL(p.proto, PACKET_UDP);
	CU_ASSERT_EQUAL(p.dst.port, 0);

	m = extended(e, 2);
	CU_ASSERT_EQUAL(parse(&p, &m), PACKET_OK);
	CU_ASSERT_TRUE(p.frag && p.more);
	CU_ASSERT_EQUAL(p.frag_off, 1464);
	CU_ASSERT_EQUAL(p.frag_id, 0x01020304);
	CU_ASSERT_EQUAL(p.frag_unit - p.ip, 48);
	CU_ASSERT_EQUAL(p.frag_from - p.ip, 40);
	CU_ASSERT_EQUAL(p.l4 - p.ip, 56);
	CU_ASSERT_EQUAL(p.proto, PACKET_TCP);
}

static void random_bytes_never_crash_it(void)
{
	uint32_t r = 42;
	struct packet p;
	struct made m;

	for (int i = 0; i < 200000; i++) {
		m = (i & 2) ? ack(i & 1) : dgram(i & 1);
		for (int j = 0; j < 4; j++) {
			r = r * 1664525u + 1013904223u;
			m.b[(r >> 8) % 64] = (uint8_t)(r >> 24);
		}
		r = r * 1664525u + 1013904223u;
		m.len = (r >> 8) % (m.len + 1);
		if (parse_flags(&p, &m, PACKET_SUMMED) == PACKET_OK) {
			struct packet_syn s;

			CU_ASSERT_TRUE_FATAL(p.data >= p.ip &&
					     p.data + p.data_len <=
						     p.ip + p.len);
			if (p.proto == PACKET_TCP && !p.frag)
				packet_syn_options(&p, &s);
		}
	}
}

static void options_of_a_syn_are_read_and_bounded(void)
{
	static const struct {
		const char *options;
		size_t len;
		struct packet_syn want;
	} cases[] = {
		{ "", 0, { 0 } },
		{ "\2\4\5\xb4\1\3\3\7\4\2\1\1", 12, { 1460, 7, true, true } },
		{ "\4\2\x8\xa........\1\3\3\xff", 16, { 0, 14, true, true } },
		{ "\0\2\4\5", 4, { 0 } },
		{ "\1\1\1\2", 4, { 0 } }, /* a bare MSS kind */
		{ "\1\1\2\4", 4, { 0 } }, /* a cut one */
		{ "\2\3\5\1", 4, { 0 } }, /* of a wrong length */
		{ "\x22\0\1\1\2\4\5\xb4", 8, { 0 } },
		{ "\x22\1\1\1\2\4\5\xb4", 8, { 0 } },
		{ "\x22\4..\2\4\5\xb4", 8, { 1460, 0, false, false } },
		{ "\3\3\0\1", 4, { 0, 0, true, false } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct made m =
			tcp(i & 1, TCP_SYN, cases[i].options, cases[i].len, 0);
		struct packet_syn got;
		struct packet p;

		CU_ASSERT_EQUAL(parse(&p, &m), PACKET_OK);
		packet_syn_options(&p, &got);
		CU_ASSERT_EQUAL(got.mss, cases[i].want.mss);
		CU_ASSERT_EQUAL(got.wscale, cases[i].want.wscale);
		CU_ASSERT_EQUAL(got.has_wscale, cases[i].want.has_wscale);
		CU_ASSERT_EQUAL(got.has_sack, cases[i].want.has_sack);
	}
}

static const struct unit_test tests[] = {
	UNIT(a_tcp_segment_is_read_in_full),
	UNIT(a_datagram_and_an_echo_are_read_in_full),
	UNIT(each_lie_has_its_name),
	UNIT(what_was_cut_short_is_refused_at_every_length),
	UNIT(bytes_after_the_packet_do_not_belong_to_it),
	UNIT(a_datagram_shorter_than_its_packet_is_trimmed),
	UNIT(an_offloaded_checksum_is_not_looked_at),
	UNIT(the_ipv4_header_is_summed_offload_or_not),
	UNIT(only_options_that_route_are_refused),
	UNIT(extension_headers_are_walked_within_limits),
	UNIT(an_extension_header_beyond_the_end_is_refused),
	UNIT(fragments_are_given_back_unread),
	UNIT(random_bytes_never_crash_it),
	UNIT(options_of_a_syn_are_read_and_bounded),
};

UNIT_MAIN("packet", tests)
