/* SPDX-License-Identifier: MIT */
/* test_filter_rule.c - what a line of a list means */
#include "filterlists.h"

enum { A = 1, AAAA = 28, HTTPS = 65 };

/* One line, and what it makes of names. */
static const struct {
	const char *line;
	const char *name;
	uint16_t type;
	uint8_t rank;
} cases[] = {
	/* hosts files: these names, no others */
	{ "0.0.0.0 ads.example", "ads.example", A, RANK_BLOCK },
	{ "0.0.0.0 ads.example", "x.ads.example", A, RANK_NONE },
	{ "0.0.0.0 ads.example", "bads.example", A, RANK_NONE },
	{ "127.0.0.1\tads.example # why", "ads.example", A, RANK_BLOCK },
	{ "::1 ads.example b.example", "b.example", A, RANK_BLOCK },
	{ ":: ads.example b.example", "ads.example", AAAA, RANK_BLOCK },
	{ "0.0.0.0 ads.example #b.example", "b.example", A, RANK_NONE },
	{ "127.0.0.1 localhost", "localhost", A, RANK_NONE },
	{ "0.0.0.0 0.0.0.0", "0.0.0.0", A, RANK_NONE },
	{ "fe80::1%lo0 localhost", "localhost", A, RANK_NONE },
	{ "255.255.255.255 broadcasthost", "broadcasthost", A, RANK_NONE },
	{ "0.0.0.0 ADS.Example.", "ads.example", A, RANK_BLOCK },
	/* names */
	{ "ads.example", "ads.example", A, RANK_BLOCK },
	{ "ads.example", "x.ads.example", A, RANK_NONE },
	{ "  ads.example  # why", "ads.example", A, RANK_BLOCK },
	{ "ads.example\r", "ads.example", A, RANK_BLOCK },
	{ "_dmarc.ads.example", "_dmarc.ads.example", A, RANK_BLOCK },
	{ "xn--bcher-kva.example", "xn--bcher-kva.example", A, RANK_BLOCK },
	/* wildcards */
	{ "*.ads.example", "ads.example", A, RANK_BLOCK },
	{ "*.ads.example", "x.y.ads.example", A, RANK_BLOCK },
	{ ".ads.example", "x.ads.example", A, RANK_BLOCK },
	{ "ads*.example", "ads1.example", A, RANK_BLOCK },
	{ "ads*.example", "ads.example", A, RANK_BLOCK },
	{ "ads*.example", "x.ads1.example", A, RANK_NONE },
	{ "ads*.example", "ad.example", A, RANK_NONE },
	{ "*-ads.example", "the-ads.example", A, RANK_BLOCK },
	{ "ads.*", "ads.com", A, RANK_BLOCK },
	{ "ads.*", "bads.com", A, RANK_NONE },
	{ "a*b*c.example", "axbybzc.example", A, RANK_BLOCK },
	{ "a*b*c.example", "axbyz.example", A, RANK_NONE },
	/* AdBlock */
	{ "||ads.example^", "ads.example", A, RANK_BLOCK },
	{ "||ads.example^", "x.y.ads.example", A, RANK_BLOCK },
	{ "||ads.example^", "bads.example", A, RANK_NONE },
	{ "||ads.example", "x.ads.example", A, RANK_BLOCK },
	{ "||ads.example^|", "ads.example", A, RANK_BLOCK },
	{ "|ads.example^", "ads.example", A, RANK_BLOCK },
	{ "|ads.example^", "x.ads.example", A, RANK_NONE },
	{ "ads.example^", "ads.example", A, RANK_BLOCK },
	{ "||*.ads.example^", "ads.example", A, RANK_NONE },
	{ "||*.ads.example^", "x.ads.example", A, RANK_BLOCK },
	{ "||ad*.example.com^", "x.ad1.example.com", A, RANK_BLOCK },
	{ "||ad*.example.com^", "x.bad1.example.com", A, RANK_NONE },
	{ "@@||ads.example^", "x.ads.example", A, RANK_ALLOW },
	{ "@@|ads.example^", "ads.example", A, RANK_ALLOW },
	{ "||ads.example^$important", "ads.example", A, RANK_BLOCK_IMPORTANT },
	{ "@@||ads.example^$important", "ads.example", A,
	  RANK_ALLOW_IMPORTANT },
	{ "||ads.example^$dnstype=AAAA", "ads.example", AAAA, RANK_BLOCK },
	{ "||ads.example^$dnstype=AAAA", "ads.example", A, RANK_NONE },
	{ "||ads.example^$dnstype=~A|~AAAA", "ads.example", A, RANK_NONE },
	{ "||ads.example^$dnstype=~A|~AAAA", "ads.example", HTTPS, RANK_BLOCK },
	{ "||ads.example^$dnstype=TYPE65,important", "ads.example", HTTPS,
	  RANK_BLOCK_IMPORTANT },
	{ "||x.example^$denyallow=a.x.example|b.x.example", "b.x.example", A,
	  RANK_NONE },
	{ "||x.example^$denyallow=a.x.example|b.x.example", "c.x.example", A,
	  RANK_BLOCK },
	/* dnsmasq */
	{ "address=/ads.example/0.0.0.0", "x.ads.example", A, RANK_BLOCK },
	{ "server=/ads.example/", "ads.example", A, RANK_BLOCK },
	{ "local=/a.example/b.example/", "b.example", A, RANK_BLOCK },
	/* zones, a line at a time */
	{ "ads.example CNAME .", "ads.example", A, RANK_BLOCK },
	{ "ads.example CNAME .", "x.ads.example", A, RANK_NONE },
	{ "*.ads.example 60 IN CNAME .", "ads.example", A, RANK_NONE },
	{ "*.ads.example 60 IN CNAME .", "x.ads.example", A, RANK_BLOCK },
	{ "ads.example CNAME rpz-passthru.", "ads.example", A, RANK_ALLOW },
	{ "ads.example CNAME ads.example.", "ads.example", A, RANK_ALLOW },
	/* remarks */
	{ "! ads.example", "ads.example", A, RANK_NONE },
	{ "# ads.example", "ads.example", A, RANK_NONE },
	{ "; ads.example", "ads.example", A, RANK_NONE },
	{ "[Adblock Plus 2.0]", "adblock", A, RANK_NONE },
	{ "", "ads.example", A, RANK_NONE },
};

static void lines_mean_what_the_manual_says(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct filterlists f = { .n = 0 };
		struct match m;

		filterlists_add(&f, cases[i].line, strlen(cases[i].line), "",
				0);
		CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
		m = filterlists_match(&f, cases[i].name, cases[i].type);
		if (m.rank != cases[i].rank)
			printf("# %s: %s: rank %u\n", cases[i].line,
			       cases[i].name, m.rank);
		CU_ASSERT_EQUAL(m.rank, cases[i].rank);
		CU_ASSERT(!m.rank || m.line == 1);
		filterlists_end(&f);
	}
}

static const struct {
	const char *line;
	enum rule_why why;
} refused[] = {
	{ "ads..example", RULE_NO_NAME },
	{ "ads example", RULE_BAD },
	{ "-ads!.example", RULE_NO_NAME },
	{ "0.0.0.0 a..b", RULE_NO_NAME },
	{ "0.0.0.0 ok.example a..b", RULE_NO_NAME },
	{ "b\xc3\xbc"
	  "cher.example",
	  RULE_UTF8 },
	{ "192.0.2.1 www.example", RULE_RECORD },
	{ "||com^", RULE_TLD },
	{ "*.com", RULE_TLD },
	{ "||*^", RULE_TLD },
	{ "0.0.0.0/0", RULE_TLD },
	{ "example.com##.banner", RULE_COSMETIC },
	{ "example.com#@#.banner", RULE_COSMETIC },
	{ "example.com#?#div", RULE_COSMETIC },
	{ "||example.com^##x", RULE_COSMETIC },
	{ "||example.com/ads.js", RULE_URL },
	{ "||example.com:8080^", RULE_URL },
	{ "|https://example.com^", RULE_URL },
	{ "/banner/ads", RULE_URL },
	{ "||example.com^$third-party", RULE_MODIFIER },
	{ "||example.com^$important,script", RULE_MODIFIER },
	{ "||example.com^$", RULE_MODIFIER },
	{ "||example.com^$dnstype=BOGUS", RULE_TYPE },
	{ "||example.com^$dnstype=A|~AAAA", RULE_MODIFIER },
	{ "||example.com^$denyallow=a..b", RULE_NO_NAME },
	{ "ads.example MX 10 x.", RULE_BAD },
	{ "x.rpz-nsdname CNAME .", RULE_TRIGGER },
	{ "24.0.2.0.192.rpz-nsip CNAME .", RULE_TRIGGER },
	{ "40.0.2.0.192.rpz-ip CNAME .", RULE_NO_NAME },
	{ "a.rpz-ip CNAME .", RULE_NO_NAME },
};

static void what_is_no_rule_is_refused_with_its_reason(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct filterlists f = { .n = 0 };

		filterlists_add(&f, refused[i].line, strlen(refused[i].line),
				"", 0);
		CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
		CU_ASSERT_EQUAL_FATAL(f.image.head->refused, 1);
		CU_ASSERT_EQUAL_FATAL(f.image.head->bad, 1);
		if (f.image.bad[0].why != refused[i].why)
			printf("# %s: %s\n", refused[i].line,
			       rule_why_text(f.image.bad[0].why));
		CU_ASSERT_EQUAL(f.image.bad[0].why, refused[i].why);
		CU_ASSERT_EQUAL(f.image.bad[0].line, 1);
		CU_ASSERT(*rule_why_text(f.image.bad[0].why));
		filterlists_end(&f);
	}
}

static const char zone[] = "$TTL 60\n"
			   "@ IN SOA ns.rpz.test. root.rpz.test. (\n"
			   "\t1 ; serial\n"
			   "\t2 3 4 5 )\n"
			   "@ NS ns.rpz.test.\n"
			   "nx.example CNAME .\n"
			   "*.nx.example IN CNAME *.\n"
			   "drop.example.rpz.test. 30 CNAME rpz-drop.\n"
			   "tcp.example CNAME rpz-tcp-only.\n"
			   "a.example A 192.0.2.7 ; here\n"
			   "  AAAA 2001:db8::7\n"
			   "t.example TXT \"one; two\" three\n"
			   "pass.example CNAME rpz-passthru.\n"
			   "24.0.2.0.192.rpz-ip CNAME .\n"
			   "48.zz.5.db8.2001.rpz-ip CNAME rpz-passthru.\n"
			   "128.1.zz.db8.2001.rpz-ip CNAME .\n";

static void a_policy_zone_is_read_as_one(void)
{
	struct filterlists f = { .n = 0 };
	const uint8_t ip[16] = { 192, 0, 2, 9 };
	const uint8_t passed[16] = { 0x20, 1, 0xd, 0xb8, 0, 5, [15] = 3 };
	const uint8_t one[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
	const uint8_t two[16] = { 0x20, 1, 0xd, 0xb8, [15] = 2 };
	struct match m;

	filterlists_add(&f, zone, strlen(zone), "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	m = filterlists_match(&f, "nx.example", A);
	CU_ASSERT_EQUAL(m.answer, ANSWER_NXDOMAIN);
	CU_ASSERT_EQUAL(m.line, 6);
	CU_ASSERT_EQUAL(filterlists_match(&f, "x.nx.example", A).answer,
			ANSWER_NODATA);
	CU_ASSERT_EQUAL(filterlists_match(&f, "tcp.example", A).answer,
			ANSWER_TRUNCATE);
	CU_ASSERT_EQUAL(filterlists_match(&f, "a.example", A).answer,
			ANSWER_DATA);
	CU_ASSERT_EQUAL(filterlists_match(&f, "t.example", A).answer,
			ANSWER_DATA);
	CU_ASSERT_EQUAL(filterlists_match(&f, "pass.example", A).rank,
			RANK_ALLOW);
	memset(&m, 0, sizeof(m));
	image_match_addr(&f.image, ip, 4, false, &m);
	CU_ASSERT_EQUAL(m.line, 14);
	memset(&m, 0, sizeof(m));
	image_match_addr(&f.image, passed, 6, false, &m);
	CU_ASSERT_EQUAL(m.rank, RANK_ALLOW);
	memset(&m, 0, sizeof(m));
	image_match_addr(&f.image, one, 6, false, &m);
	CU_ASSERT_EQUAL(m.rank, RANK_BLOCK);
	memset(&m, 0, sizeof(m));
	image_match_addr(&f.image, two, 6, false, &m);
	CU_ASSERT_EQUAL(m.rank, RANK_NONE);
	CU_ASSERT_EQUAL(f.image.head->refused, 0);
	filterlists_end(&f);
}

/* An owner with the origin of the zone is about the name without it. */
static void the_origin_of_a_zone_is_no_part_of_a_name(void)
{
	static const char text[] = "$ORIGIN rpz.test.\n"
				   "ads.example.rpz.test. CNAME .\n"
				   "@ CNAME .\n"
				   "rel.example CNAME .\n"
				   "other.example. CNAME .\n";
	struct filterlists f = { .n = 0 };

	filterlists_add(&f, text, strlen(text), "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	CU_ASSERT(filterlists_match(&f, "ads.example", A).rank);
	CU_ASSERT_FALSE(filterlists_match(&f, "ads.example.rpz.test", A).rank);
	CU_ASSERT(filterlists_match(&f, "rel.example", A).rank);
	CU_ASSERT(filterlists_match(&f, "other.example", A).rank);
	CU_ASSERT_FALSE(filterlists_match(&f, "rpz.test", A).rank);
	filterlists_end(&f);
}

/* The same names in each form; names and those below them. */
static void all_forms_of_one_list_mean_the_same(void)
{
	static const char *const forms[] = { "||%s^\n", "*.%s\n", ".%s\n",
					     "address=/%s/\n",
					     "%1$s CNAME .\n*.%1$s CNAME .\n" };
	static const char *const names[] = { "a.example", "b.c.example",
					     "x--y.example", "d_e.example" };
	static const char *const asked[] = {
		"a.example",     "z.a.example", "c.example",   "b.c.example",
		"q.b.c.example", "aa.example",  "d_e.example", "example",
		"x--y.example",  "y.example",   "e.example",
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct filterlists f = { .n = 0 };
		char text[1024];
		size_t at = 0;

		for (size_t k = 0; k < 4; k++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			at += (size_t)snprintf(text + at, sizeof(text) - at,
					       forms[i], names[k]);
#pragma GCC diagnostic pop
		}
		filterlists_add(&f, text, at, "", 0);
		CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
		for (size_t k = 0; k < sizeof(asked) / sizeof(*asked); k++) {
			bool wanted = false;

			for (size_t n = 0; n < 4; n++) {
				size_t a = strlen(asked[k]);
				size_t b = strlen(names[n]);

				wanted |= !strcmp(asked[k], names[n]) ||
					  (a > b + 1 &&
					   asked[k][a - b - 1] == '.' &&
					   !strcmp(asked[k] + a - b, names[n]));
			}
			CU_ASSERT_EQUAL(
				filterlists_match(&f, asked[k], A).rank != 0,
				wanted);
		}
		filterlists_end(&f);
	}
}

#ifdef HAVE_PCRE2
static void expressions_are_found_in_names(void)
{
	static const char text[] = "/^ads[0-9]+\\./\n"
				   "/(a+)+$/\n"
				   "@@/^ads7\\./$important\n"
				   "/(unclosed/\n";
	struct filterlists f = { .n = 0 };
	char hard[64] = "";

	filterlists_add(&f, text, strlen(text), "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	CU_ASSERT_EQUAL(filterlists_match(&f, "ads12.example", A).line, 1);
	CU_ASSERT_FALSE(filterlists_match(&f, "xads12.example", A).rank);
	CU_ASSERT_EQUAL(filterlists_match(&f, "ads7.example", A).rank,
			RANK_ALLOW_IMPORTANT);
	CU_ASSERT_EQUAL(f.image.head->refused, 1);
	CU_ASSERT_EQUAL(f.image.bad[0].why, RULE_REGEX_BAD);
	/* One that takes too many steps is no match, and soon over. */
	memset(hard, 'a', 40);
	strcat(hard, ".b");
	CU_ASSERT_FALSE(filterlists_match(&f, hard, A).rank);
	filterlists_end(&f);
}
#else
static void expressions_are_found_in_names(void)
{
	struct filterlists f = { .n = 0 };

	filterlists_add(&f, "/^ads/\n", 7, "", 0);
	CU_ASSERT_EQUAL_FATAL(filterlists_open(&f), 0);
	CU_ASSERT_EQUAL(f.image.bad[0].why, RULE_REGEX_OFF);
	filterlists_end(&f);
}
#endif

static void types_have_names_and_numbers(void)
{
	CU_ASSERT_EQUAL(rule_type("AAAA", 4), 28);
	CU_ASSERT_EQUAL(rule_type("https", 5), 65);
	CU_ASSERT_EQUAL(rule_type("TYPE65", 6), 65);
	CU_ASSERT_EQUAL(rule_type("65", 2), 65);
	CU_ASSERT_EQUAL(rule_type("65536", 5), -1);
	CU_ASSERT_EQUAL(rule_type("TYPE", 4), -1);
	CU_ASSERT_EQUAL(rule_type("", 0), -1);
	CU_ASSERT_EQUAL(rule_type("6x", 2), -1);
}

static const struct {
	const char *text;
	bool good;
	uint8_t family, bits, first, last;
} prefixes[] = {
	{ "10.1.2.3/8", true, 4, 8, 10, 0 },
	{ "10.1.2.3", true, 4, 32, 10, 3 },
	{ "255.255.255.255/31", true, 4, 31, 255, 254 },
	{ "fd00::1/8", true, 6, 8, 0xfd, 0 },
	{ "::/0", true, 6, 0, 0, 0 },
	{ "10.1.2.3/33", false, 0, 0, 0, 0 },
	{ "10.1.2.3/", false, 0, 0, 0, 0 },
	{ "10.1.2.3/-1", false, 0, 0, 0, 0 },
	{ "10.1.2.3/8x", false, 0, 0, 0, 0 },
	{ "10.1.2", false, 0, 0, 0, 0 },
	{ "", false, 0, 0, 0, 0 },
	{ "/8", false, 0, 0, 0, 0 },
};

static void prefixes_are_cut_to_their_length(void)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		uint8_t ip[16], family, bits;
		bool good = rule_prefix(prefixes[i].text, ip, &family, &bits);

		CU_ASSERT_EQUAL(good, prefixes[i].good);
		if (!good)
			continue;
		CU_ASSERT_EQUAL(family, prefixes[i].family);
		CU_ASSERT_EQUAL(bits, prefixes[i].bits);
		CU_ASSERT_EQUAL(ip[0], prefixes[i].first);
		CU_ASSERT_EQUAL(ip[family == 4 ? 3 : 15], prefixes[i].last);
	}
}

static const struct unit_test tests[] = {
	UNIT(lines_mean_what_the_manual_says),
	UNIT(what_is_no_rule_is_refused_with_its_reason),
	UNIT(a_policy_zone_is_read_as_one),
	UNIT(the_origin_of_a_zone_is_no_part_of_a_name),
	UNIT(all_forms_of_one_list_mean_the_same),
	UNIT(expressions_are_found_in_names),
	UNIT(types_have_names_and_numbers),
	UNIT(prefixes_are_cut_to_their_length),
};

UNIT_MAIN("filter rules", tests)
