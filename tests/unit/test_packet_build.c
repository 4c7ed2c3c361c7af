/* SPDX-License-Identifier: MIT */
/* test_packet_build.c - what is written is read back right */
#include "packets.h"

static void a_zero_udp_checksum_is_written_as_ones(void)
{
	struct packet p;

	for (int v6 = 0; v6 < 2; v6++) {
		struct made m = udp(v6, 2);
		struct iovec v = { m.b + head_of(&m) + 8, 2 };
		uint16_t c;

		/* the payload that makes the sum 0: the checksum itself */
		memset(v.iov_base, 0, 2);
		packet_udp_header(m.b, v6 ? &app6 : &app4, v6 ? &net6 : &net4,
				  64, 0, true, 0, &v, 1, false);
		memcpy(&c, m.b + head_of(&m) + 6, 2);
		memcpy(v.iov_base, &c, 2);
		packet_udp_header(m.b, v6 ? &app6 : &app4, v6 ? &net6 : &net4,
				  64, 0, true, 0, &v, 1, false);
		CU_ASSERT_EQUAL(get_be16(m.b + head_of(&m) + 6), 0xffff);
		CU_ASSERT_EQUAL(parse(&p, &m), PACKET_OK);
	}
}

static void a_datagram_too_long_is_not_written(void)
{
	static uint8_t big[65536];
	uint8_t out[PACKET_HEADERS_MAX];
	struct iovec v = { big, 65507 };

	CU_ASSERT_EQUAL(packet_udp_header(out, &net4, &app4, 64, 0, false, 1,
					  &v, 1, false),
			28);
	CU_ASSERT_EQUAL(get_be16(out + 2), 65535);
	v.iov_len++;
	CU_ASSERT_EQUAL(packet_udp_header(out, &net4, &app4, 64, 0, false, 1,
					  &v, 1, false),
			0);
	v.iov_len = 65527;
	CU_ASSERT_EQUAL(packet_udp_header(out, &net6, &app6, 64, 0, false, 1,
					  &v, 1, false),
			48);
	v.iov_len++;
	CU_ASSERT_EQUAL(packet_udp_header(out, &net6, &app6, 64, 0, false, 1,
					  &v, 1, false),
			0);
}

static void a_reset_answers_the_segment(void)
{
	static const struct {
		uint8_t flags;
		size_t data;
		uint8_t want;
		uint32_t seq, ack;
	} cases[] = {
		{ TCP_SYN, 0, TCP_RST | TCP_ACK, 0, 0xfffffff1 },
		{ TCP_SYN, 20, TCP_RST | TCP_ACK, 0, 5 },
		{ TCP_ACK, 20, TCP_RST, 0x01020304, 0 },
		{ TCP_FIN | TCP_ACK, 0, TCP_RST, 0x01020304, 0 },
		{ TCP_SYN | TCP_ACK, 0, TCP_RST, 0x01020304, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		bool v6 = i & 1;
		struct made m = tcp(v6, cases[i / 2].flags, NULL, 0,
				    cases[i / 2].data),
			    r;
		struct packet p, q;

		CU_ASSERT_EQUAL(parse(&p, &m), PACKET_OK);
		r.len = packet_rst(r.b, sizeof(r.b), &p);
		CU_ASSERT_EQUAL(r.len, v6 ? 60 : 40);
		CU_ASSERT_EQUAL(parse(&q, &r), PACKET_OK);
		CU_ASSERT_EQUAL(q.flags, cases[i / 2].want);
		CU_ASSERT_EQUAL(q.seq, cases[i / 2].seq);
		CU_ASSERT_EQUAL(q.ack, cases[i / 2].ack);
		CU_ASSERT_EQUAL(q.src.port, 443);
		CU_ASSERT_EQUAL(q.dst.port, 40000);
		CU_ASSERT_EQUAL(q.ttl, 64);
	}
}

static void a_reset_is_never_answered(void)
{
	struct made m = tcp(false, TCP_RST, NULL, 0, 0);
	struct packet p;

	CU_ASSERT_EQUAL(parse(&p, &m), PACKET_OK);
	CU_ASSERT_EQUAL(packet_rst(m.b, sizeof(m.b), &p), 0);
}

static void an_icmp_error_quotes_what_fits(void)
{
	struct made m = udp(false, 1400), e;
	struct packet p;

	e.len = packet_icmp_error(e.b, sizeof(e.b), &net4, m.b, m.len, 3, 4,
				  1400);
	CU_ASSERT_EQUAL(e.len, 576);
	CU_ASSERT_EQUAL(parse(&p, &e), PACKET_OK);
	CU_ASSERT_EQUAL(p.type, 3);
	CU_ASSERT_EQUAL(p.code, 4);
	CU_ASSERT_EQUAL(p.ttl, 64);
	CU_ASSERT_EQUAL(get_be32(p.l4 + 4), 1400);
	CU_ASSERT_FALSE(memcmp(p.data, m.b, p.data_len));
	CU_ASSERT_FALSE(memcmp(p.dst.ip, app4.ip, 4));

	m = udp(true, 1400);
	e.len = packet_icmp_error(e.b, sizeof(e.b), &net6, m.b, m.len, 1, 4, 0);
	CU_ASSERT_EQUAL(e.len, 1280);
	CU_ASSERT_EQUAL(parse(&p, &e), PACKET_OK);
	CU_ASSERT_EQUAL(p.type, 1);
	CU_ASSERT_FALSE(memcmp(p.data, m.b, p.data_len));

	m = udp(true, 4);
	memset(m.b + m.len, 0xee, 100); /* read, but not of the packet */
	e.len = packet_icmp_error(e.b, sizeof(e.b), &net6, m.b, m.len + 100, 1,
				  4, 0);
	CU_ASSERT_EQUAL(e.len, 48 + m.len);
	e.len = packet_icmp_error(e.b, sizeof(e.b), &net6, m.b, 48, 1, 4, 0);
	CU_ASSERT_EQUAL(e.len, 48 + 48); /* only its beginning is kept */
	CU_ASSERT_EQUAL(packet_icmp_error(e.b, 60, &net6, m.b, m.len, 1, 4, 0),
			0);
}

static size_t error_about(const struct made *m, uint8_t type, uint8_t code)
{
	bool v6 = m->b[0] >> 4 == 6;
	uint8_t *exact = malloc(m->len ? m->len : 1), out[1280];
	size_t len;

	memcpy(exact, m->b, m->len);
	len = packet_icmp_error(out, sizeof(out), v6 ? &net6 : &net4, exact,
				m->len, type, code, 0);
	free(exact);
	return len;
}

static void no_error_about_what_must_not_have_one(void)
{
	static const uint8_t types[][2] = {
		/* ICMP type, may be answered by an error */
		{ 0, 1 },  { 3, 0 },  { 4, 0 },   { 5, 0 },
		{ 8, 1 },  { 11, 0 }, { 12, 0 },  { 13, 1 },
		{ 18, 1 }, { 40, 0 }, { 255, 0 },
	};
	struct made m;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		m = echo(false);
		m.b[20] = types[i][0];
		CU_ASSERT_EQUAL(!!error_about(&m, 3, 1), types[i][1]);
	}
	for (int type = 0; type < 256; type += 5) {
		m = echo(true);
		m.b[40] = (uint8_t)type;
		CU_ASSERT_EQUAL(!!error_about(&m, 1, 0), type >= 128);
	}

	m = udp(false, 8);
	CU_ASSERT_TRUE(error_about(&m, 3, 3));
	m.b[7] = 1; /* a later fragment */
	CU_ASSERT_FALSE(error_about(&m, 3, 3));
	m.b[7] = 0;
	m.b[6] = 0x20; /* the first */
	CU_ASSERT_TRUE(error_about(&m, 3, 3));
	static const uint8_t sources[] = { 0, 224, 239, 240, 255 };
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		m = udp(false, 8);
		m.b[12] = sources[i];
		CU_ASSERT_FALSE(error_about(&m, 3, 3));
	}
	m = udp(false, 8);
	m.b[16] = 224;
	CU_ASSERT_FALSE(error_about(&m, 3, 3));

	m = udp(true, 8);
	m.b[8] = 0xff;
	CU_ASSERT_FALSE(error_about(&m, 1, 4));
	memset(m.b + 8, 0, 16);
	CU_ASSERT_FALSE(error_about(&m, 1, 4));
	m = udp(true, 8);
	m.b[24] = 0xff;
	CU_ASSERT_FALSE(error_about(&m, 1, 4));
	CU_ASSERT_FALSE(error_about(&m, 4, 1));
	CU_ASSERT_TRUE(error_about(&m, 2, 0));
	CU_ASSERT_TRUE(error_about(&m, 4, 2));
}

static void the_protocol_behind_extension_headers_decides(void)
{
	struct extension e[] = { { 0, NULL, 1 }, { 44, "\0\1\0\0\0\0", 1 } };
	struct made m = extended(e, 2);

	CU_ASSERT_TRUE(error_about(&m, 1, 0)); /* TCP, first fragment */
	m.b[51] = 8;                           /* not the first */
	CU_ASSERT_FALSE(error_about(&m, 1, 0));
	m.b[51] = 0;
	m.b[48] = 58;
	m.b[56] = 1;
	CU_ASSERT_FALSE(error_about(&m, 1, 0)); /* an ICMPv6 error */
	m.len = 44;                             /* unknown: cut before it */
	CU_ASSERT_FALSE(error_about(&m, 1, 0));
	m.len = 39;
	CU_ASSERT_FALSE(error_about(&m, 1, 0));
}

static void an_error_of_the_other_family_is_not_made(void)
{
	struct made m = udp(true, 8);
	uint8_t out[1280];

	CU_ASSERT_EQUAL(packet_icmp_error(out, sizeof(out), &net4, m.b, m.len,
					  3, 3, 0),
			0);
}

static void an_echo_that_does_not_fit_is_not_written(void)
{
	uint8_t out[64] = { 0 };

	CU_ASSERT_EQUAL(packet_icmp_echo(out, sizeof(out), &net4, &app4, 0, 1,
					 1, 64, out, 36),
			64);
	CU_ASSERT_EQUAL(packet_icmp_echo(out, sizeof(out), &net4, &app4, 0, 1,
					 1, 64, out, 37),
			0);
	CU_ASSERT_EQUAL(packet_icmp_echo(out, sizeof(out), &net6, &app6, 129, 1,
					 1, 64, NULL, 0),
			48);
}

static const struct unit_test tests[] = {
	UNIT(a_zero_udp_checksum_is_written_as_ones),
	UNIT(a_datagram_too_long_is_not_written),
	UNIT(a_reset_answers_the_segment),
	UNIT(a_reset_is_never_answered),
	UNIT(an_icmp_error_quotes_what_fits),
	UNIT(no_error_about_what_must_not_have_one),
	UNIT(the_protocol_behind_extension_headers_decides),
	UNIT(an_error_of_the_other_family_is_not_made),
	UNIT(an_echo_that_does_not_fit_is_not_written),
};

UNIT_MAIN("packet_build", tests)
