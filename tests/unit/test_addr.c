/* SPDX-License-Identifier: MIT */
/* test_addr.c - addresses: text, sockaddr, prefixes */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>

#include "unit.h"
#include "util.h"

static const struct {
	const char *text, *back; /* back NULL: refused */
} cases[] = {
	{ "1.2.3.4", "1.2.3.4:53" },
	{ "1.2.3.4:5353", "1.2.3.4:5353" },
	{ "0.0.0.0:0", "0.0.0.0:0" },
	{ "255.255.255.255:65535", "255.255.255.255:65535" },
	{ "::", "[::]:53" },
	{ "::1", "[::1]:53" },
	{ "[::1]", "[::1]:53" },
	{ "[::1]:443", "[::1]:443" },
	{ "2001:DB8:0:0::00ff", "[2001:db8::ff]:53" },
	{ "fe80::1%7", "[fe80::1%7]:53" },
	{ "[fe80::1%7]:80", "[fe80::1%7]:80" },
	{ "::ffff:1.2.3.4", "[::ffff:1.2.3.4]:53" },
	{ "1111:2222:3333:4444:5555:6666:7777:8888%4294967",
	  "[1111:2222:3333:4444:5555:6666:7777:8888%4294967]:53" },
	{ "", NULL },
	{ " 1.2.3.4", NULL },
	{ "1.2.3.4 ", NULL },
	{ "1.2.3", NULL },
	{ "1.2.3.4.5", NULL },
	{ "1.2.3.256", NULL },
	{ "1.2.3.4:", NULL },
	{ "1.2.3.4:65536", NULL },
	{ "1.2.3.4:+1", NULL },
	{ "1.2.3.4:-1", NULL },
	{ "1.2.3.4:1x", NULL },
	{ "1.2.3.4:99999999999999999999", NULL },
	{ "1.2.3.4%1", NULL },
	{ "[1.2.3.4]:53", NULL },
	{ "[::1", NULL },
	{ "::1]", NULL },
	{ "[::1]53", NULL },
	{ "[::1]:", NULL },
	{ "[]:53", NULL },
	{ "[", NULL },
	{ ":53", NULL },
	{ "::1%", NULL },
	{ "::1%0", NULL },
	{ "fe80::1%no-such-device", NULL },
	{ "1:2:3:4:5:6:7:8:9", NULL },
	{ "example.org", NULL },
	{ "1111111111111111111111111111111111111111111111111111111111111111"
	  "1111111111111111111111111111111111111111",
	  NULL },
};

static void text_is_read_strictly_and_written_back(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sluice_addr a, again, untouched;
		char buf[ADDR_TEXT];
		int err;

		memset(&a, 0xa5, sizeof(a));
		untouched = a;
		err = addr_parse(cases[i].text, 53, &a);
		if (!cases[i].back) {
			CU_ASSERT_EQUAL(err, -EINVAL);
			CU_ASSERT(!memcmp(&a, &untouched, sizeof(a)));
			continue;
		}
		CU_ASSERT_EQUAL(err, 0);
		CU_ASSERT_STRING_EQUAL(addr_text(&a, buf), cases[i].back);
		CU_ASSERT_EQUAL(addr_parse(buf, 1, &again), 0);
		CU_ASSERT(addr_equal(&a, &again));
	}
}

static void zones_may_be_names(void)
{
	struct sluice_addr a;

	if (!if_nametoindex("lo"))
		UNIT_SKIP("no device lo");
	CU_ASSERT_EQUAL(addr_parse("[fe80::1%lo]:1", 0, &a), 0);
	CU_ASSERT_EQUAL(a.scope, if_nametoindex("lo"));
}

static void text_without_port_and_of_nothing(void)
{
	struct sluice_addr a = { 0 };
	char buf[ADDR_TEXT];

	CU_ASSERT_STRING_EQUAL(addr_text(&a, buf), "none");
	CU_ASSERT_STRING_EQUAL(addr_ip_text(&a, buf), "none");
	addr_parse("10.0.0.1:80", 0, &a);
	CU_ASSERT_STRING_EQUAL(addr_ip_text(&a, buf), "10.0.0.1");
	addr_parse("[fe80::1%3]:80", 0, &a);
	CU_ASSERT_STRING_EQUAL(addr_ip_text(&a, buf), "fe80::1%3");
}

static struct sluice_addr addr(const char *text)
{
	struct sluice_addr a;

	CU_ASSERT_EQUAL_FATAL(addr_parse(text, 53, &a), 0);
	return a;
}

static void the_longest_text_fits(void)
{
	struct sluice_addr a = addr("[ffff:eeee:dddd:cccc:bbbb:aaaa:"
				    "255.255.255.255]:65535");
	char buf[ADDR_TEXT];

	a.scope = UINT32_MAX;
	addr_text(&a, buf);
	CU_ASSERT_EQUAL(strcmp(buf + strlen(buf) - 6, ":65535"), 0);
	CU_ASSERT(strlen(buf) < ADDR_TEXT);
}

static void equal_is_all_of_it_and_ip_equal_the_address(void)
{
	struct sluice_addr a = addr("1.2.3.4:1"), b = addr("1.2.3.4:2");
	struct sluice_addr c = addr("[fe80::1%1]:1"), d = addr("[fe80::1%2]:1");

	CU_ASSERT(addr_equal(&a, &a));
	CU_ASSERT(!addr_equal(&a, &b));
	CU_ASSERT(addr_ip_equal(&a, &b));
	CU_ASSERT(!addr_equal(&c, &d));
	CU_ASSERT(addr_ip_equal(&c, &d));
	b.ip[3] = 5;
	CU_ASSERT(!addr_ip_equal(&a, &b));
	d.ip[15] = 2;
	CU_ASSERT(!addr_ip_equal(&c, &d));
	CU_ASSERT(!addr_ip_equal(&a, &c));
}

static void sockaddrs_there_and_back(void)
{
	static const char *const text[] = {
		"192.0.2.7:65535",
		"[2001:db8::1]:80",
		"[fe80::2%5]:443",
	};

	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		struct sluice_addr a = addr(text[i]), b;
		struct sockaddr_storage ss;
		socklen_t len = addr_to_sockaddr(&a, &ss);

		CU_ASSERT_EQUAL(len, a.family == 4 ?
					     sizeof(struct sockaddr_in) :
					     sizeof(struct sockaddr_in6));
		CU_ASSERT_EQUAL(addr_from_sockaddr((struct sockaddr *)&ss, &b),
				0);
		CU_ASSERT(addr_equal(&a, &b));
	}
}

static void mapped_sockaddrs_are_ipv4(void)
{
	struct sluice_addr a = addr("[::ffff:1.2.3.4]:5"), b;
	struct sluice_addr want = addr("1.2.3.4:5");
	struct sockaddr_storage ss;

	addr_to_sockaddr(&a, &ss);
	CU_ASSERT_EQUAL(addr_from_sockaddr((struct sockaddr *)&ss, &b), 0);
	CU_ASSERT(!memcmp(&b, &want, sizeof(b)));
}

static void other_families_are_refused(void)
{
	struct sockaddr sa = { .sa_family = AF_UNIX };
	struct sluice_addr a = { 0 };
	struct sockaddr_storage ss;

	CU_ASSERT_EQUAL(addr_from_sockaddr(&sa, &a), -EAFNOSUPPORT);
	CU_ASSERT_EQUAL(addr_to_sockaddr(&a, &ss), 0);
}

#define L 1 /* loopback */
#define A 2 /* any */
#define M 4 /* multicast */
#define B 8 /* broadcast */

static const struct {
	const char *text;
	int is;
} kinds[] = {
	{ "127.0.0.1", L },
	{ "127.255.0.9", L },
	{ "128.0.0.1", 0 },
	{ "0.0.0.0", A },
	{ "0.1.2.3", A },
	{ "1.0.0.0", 0 },
	{ "224.0.0.1", M },
	{ "239.9.9.9", M },
	{ "240.0.0.1", 0 },
	{ "223.255.255.255", 0 },
	{ "255.255.255.255", B },
	{ "255.255.255.254", 0 },
	{ "::1", L },
	{ "::2", 0 },
	{ "::", A },
	{ "ff02::1", M },
	{ "fe80::1", 0 },
	{ "7f00::1", 0 },
	{ "ffff:ffff::", M },
};

static void kinds_of_addresses(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct sluice_addr a = addr(kinds[i].text);
		int is = (addr_is_loopback(&a) ? L : 0) |
			 (addr_is_any(&a) ? A : 0) |
			 (addr_is_multicast(&a) ? M : 0) |
			 (addr_is_broadcast(&a) ? B : 0);

		CU_ASSERT_EQUAL(is, kinds[i].is);
	}
}

static const struct {
	const char *prefix, *addr;
	bool has;
} prefixes[] = {
	{ "10.0.0.2/24", "10.0.0.255", true },
	{ "10.0.0.2/24", "10.0.1.0", false },
	{ "10.0.0.2", "10.0.0.2", true },
	{ "10.0.0.2", "10.0.0.3", false },
	{ "0.0.0.0/0", "255.1.2.3", true },
	{ "0.0.0.0/0", "::1", false },
	{ "::/0", "ffff::1", true },
	{ "::/0", "1.2.3.4", false },
	{ "172.16.0.0/12", "172.31.255.255", true },
	{ "172.16.0.0/12", "172.32.0.0", false },
	{ "1.2.3.4/31", "1.2.3.5", true },
	{ "1.2.3.4/31", "1.2.3.6", false },
	{ "128.0.0.0/1", "127.0.0.1", false },
	{ "2001:db8::/33", "2001:db8:7fff::", true },
	{ "2001:db8::/33", "2001:db8:8000::", false },
	{ "2001:db8::1", "2001:db8::1", true },
	{ "2001:db8::1/127", "2001:db8::2", false },
};

static void prefixes_have_addresses(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		struct sluice_addr a = addr(prefixes[i].addr);
		struct prefix p;

		CU_ASSERT_EQUAL(prefix_parse(prefixes[i].prefix, &p), 0);
		CU_ASSERT_EQUAL(prefix_has(&p, &a), prefixes[i].has);
	}
}

static void prefixes_keep_their_host_bits(void)
{
	struct sluice_addr host = addr("10.0.0.2");
	struct prefix p;

	CU_ASSERT_EQUAL(prefix_parse("10.0.0.2/24", &p), 0);
	CU_ASSERT_EQUAL(p.len, 24);
	CU_ASSERT(addr_ip_equal(&p.addr, &host));
	CU_ASSERT_EQUAL(p.addr.port, 0);
}

static void wrong_prefixes_are_refused(void)
{
	static const char *const text[] = {
		"",
		"/",
		"/24",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/+1",
		"10.0.0.0/8/8",
		"10.0.0.0/8 ",
		"10.0.0/8",
		"::/129",
		"::/0x8",
		"[::]/0",
		"fe80::%1/64",
		"1.2.3.4:5/32",
		"1111111111111111111111111111111111111111111111111111111111111111",
	};

	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		struct prefix p;

		CU_ASSERT_EQUAL(prefix_parse(text[i], &p), -EINVAL);
	}
}

static const struct unit_test tests[] = {
	UNIT(text_is_read_strictly_and_written_back),
	UNIT(zones_may_be_names),
	UNIT(text_without_port_and_of_nothing),
	UNIT(the_longest_text_fits),
	UNIT(equal_is_all_of_it_and_ip_equal_the_address),
	UNIT(sockaddrs_there_and_back),
	UNIT(mapped_sockaddrs_are_ipv4),
	UNIT(other_families_are_refused),
	UNIT(kinds_of_addresses),
	UNIT(prefixes_have_addresses),
	UNIT(prefixes_keep_their_host_bits),
	UNIT(wrong_prefixes_are_refused),
};

UNIT_MAIN("addr", tests)
