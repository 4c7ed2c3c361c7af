/* SPDX-License-Identifier: MIT */
/* test_upstream_url.c - servers as one writes them down */
#include "../../plugins/dns-upstream/url.h"
#include "unit.h"

#define NO_ADDRESS "no address (names of plain servers are not looked up)"
#define SCHEMES    "udp, tcp, tls, https, sdns and controld are known before ://"

/* clang-format off */
static const struct word {
	const char *word, *out;	/* out: the same as text, or what is wrong */
} words[] = {
	{ "1.2.3.4", "udp://1.2.3.4:53" },
	{ "1.2.3.4:5353", "udp://1.2.3.4:5353" },
	{ "udp://1.2.3.4", "udp://1.2.3.4:53" },
	{ "tcp://1.2.3.4:65535", "tcp://1.2.3.4:65535" },
	{ "2001:db8::1", "udp://[2001:db8::1]:53" },
	{ "[2001:db8::1]", "udp://[2001:db8::1]:53" },
	{ "tcp://[::1]:5354", "tcp://[::1]:5354" },
	{ "fe80::1%lo", "udp://[fe80::1%lo]:53" },
	{ "tls://1.1.1.1", "tls://1.1.1.1" },
	{ "tls://dns.example:8853", "tls://dns.example:8853" },
	{ "tls://[2001:db8::1]", "tls://[2001:db8::1]" },
	{ "https://dns.example", "https://dns.example/dns-query" },
	{ "https://dns.example/", "https://dns.example/dns-query" },
	{ "https://dns.example:8443/a/b?c=d",
	  "https://dns.example:8443/a/b?c=d" },
	{ "https://[2001:db8::1]/q", "https://[2001:db8::1]/q" },
	{ "controld://abc123", "https://dns.controld.com/abc123" },
	{ "controld://abc123/my-phone",
	  "https://dns.controld.com/abc123/my-phone" },
	{ "controld://", "controld://UID or controld://UID/CLIENT is meant" },
	{ "controld://a/", "controld://UID or controld://UID/CLIENT is meant" },
	{ "controld://a/b/c",
	  "controld://UID or controld://UID/CLIENT is meant" },
	{ "controld://a b", "controld://UID or controld://UID/CLIENT is meant" },
	{ "", NO_ADDRESS },
	{ "dns.example", NO_ADDRESS },
	{ "1.2.3", NO_ADDRESS },
	{ "1.2.3.4:0", "the port is 0" },
	{ "1.2.3.4:65536", "the port is above 65535" },
	{ "1.2.3.4:99999999999999999999", "the port is above 65535" },
	{ "1.2.3.4:", "the port is missing" },
	{ "1.2.3.4:5x", "the port is no number" },
	{ "[::1", "no address" },
	{ "[::1]53", "no address" },
	{ "[::1]:", "the port is missing" },
	{ "fe80::1%no-such-interface", "there is no such interface" },
	{ "udp://1.2.3.4/x", "a path is for https:// only" },
	{ "tls://", "neither a name nor an address" },
	{ "tls://a..b", "neither a name nor an address" },
	{ "tls://a b", "neither a name nor an address" },
	{ "https://a/b#c", "no path of a URL" },
	{ "quic://1.1.1.1", SCHEMES },
	{ "://1.1.1.1", SCHEMES },
	{ "sdns://AAAAAAAAAAAACTE5Mi4wLjIuMQ",
	  "udp://192.0.2.1:53" },
	{ "sdns://AAAAAAAAAAAAElsyMDAxOmRiODo6MV06NTM1Mw",
	  "udp://[2001:db8::1]:5353" },
	{ "sdns://AgAAAAAAAAAACTE5Mi4wLjIuMSABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQtkbnMuZXhhbXBsZQovZG5zLXF1ZXJ5",
	  "https://dns.example/dns-query" },
	{ "sdns://AgAAAAAAAAAAAKABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBASACAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAhBkbnMuZXhhbXBsZTo4NDQzAi9x",
	  "https://dns.example:8443/q" },
	{ "sdns://AwAAAAAAAAAAElsyMDAxOmRiODo6MV06ODg1MwALZG5zLmV4YW1wbGU",
	  "tls://dns.example:8853" },
	{ "sdns://AwAAAAAAAAAACTE5Mi4wLjIuMQAA",
	  "tls://192.0.2.1" },
	{ "sdns://AgAAAAAAAAAACTE5Mi4wLjIuMQALZG5zLmV4YW1wbGUCL3EHOS45LjkuOQ",
	  "https://dns.example/q" },
	{ "sdns://AQAAAAAAAAAACTE5Mi4wLjIuMQ",
	  "stamps of plain DNS, DNS over TLS and over HTTPS are known, and it is another" },
	{ "sdns://AAAAAAAAAAAAAA",
	  "the stamp has no address" },
	{ "sdns://AAAAAAAAAAAAC2Rucy5leGFtcGxl",
	  "the stamp's address is none" },
	{ "sdns://AgAAAAAAAAAACTE5Mi4wLjIuMR8BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBC2Rucy5leGFtcGxlAi9x",
	  "a hash of the stamp is not of 32 bytes" },
	{ "sdns://AgAAAAAAAAAACTE5Mi4wLjIuMaABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAaABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAaABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAaABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBASABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQtkbnMuZXhhbXBsZQIvcQ",
	  "the stamp has more than 4 hashes" },
	{ "sdns://AgAAAAAAAAAACTE5Mi4wLjIuMSABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQtkbnMuZXhhbXBsZQ",
	  "the stamp has no path" },
	{ "sdns://AgAAAAAAAAAACTE5Mi4wLjIuMSABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQtkbnMuZXhhbXBsZQFx",
	  "the stamp has no path" },
	{ "sdns://AgAAAAAAAAAACTE5Mi4wLjIuMSABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQtkbnMKZXhhbXBsZQIvcQ",
	  "the stamp's host is neither a name nor an address" },
	{ "sdns://AgAAAAAAAAAACTE5Mi4wLjIuMSABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQtkbnMuZXhhbXBsZQQvcSB4",
	  "the stamp's path is none of a URL" },
	{ "sdns://AwAAAAAAAAAAAAAA",
	  "the stamp has neither host nor address" },
	{ "sdns://AgAAAAAAAAAACTE5Mi4wLj",
	  "the stamp is cut in its address" },
	{ "sdns://AgAAAAAAAAAACTE5Mi4wLjIuMQ",
	  "the stamp is cut in its hashes" },
	{ "sdns://AgAAAAAAAAAACTE5Mi4wLjIuMSABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ",
	  "the stamp is cut in its host" },
	{ "sdns://",
	  "no stamp (base64url of at least 9 bytes)" },
	{ "sdns://AAAA+AAAAAAAAA",
	  "no stamp (base64url of at least 9 bytes)" },
	{ "sdns://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	  "no stamp (base64url of at least 9 bytes)" },
};
/* clang-format on */

static void servers_are_read_or_refused_with_a_reason(void)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		char text[URL_TEXT];
		struct url u;
		const char *wrong = url_parse(words[i].word, &u);
		char *hidden = wrong ? NULL :
				       strstr(url_text(&u, text), "/...");

		if (hidden)
			strcpy(hidden, u.path);
		CU_ASSERT_STRING_EQUAL(wrong ? wrong : text, words[i].out);
	}
}

static void a_word_that_is_too_long_is_refused(void)
{
	static const char *const heads[] = { "",        "udp://",
					     "tls://",  "https://a/",
					     "sdns://", "controld://" };
	char word[1024];
	struct url u;

	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		for (size_t n = 256; n < 1000; n++) {
			snprintf(word, sizeof(word), "%s", heads[i]);
			memset(word + strlen(heads[i]), '1', n);
			word[strlen(heads[i]) + n] = '\0';
			CU_ASSERT_PTR_NOT_NULL(url_parse(word, &u));
		}
	}
}

static void a_stamp_gives_address_and_hashes(void)
{
	const char *stamp =
		"sdns://AgAAAAAAAAAADjE5Mi4wLjIuMTo4NDQzoAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICEGRucy5leGFtcGxlOjg0NDMCL3E";
	struct url u;

	CU_ASSERT_PTR_NULL_FATAL(url_parse(stamp, &u));
	CU_ASSERT_EQUAL(u.kind, URL_HTTPS);
	CU_ASSERT_EQUAL(u.port, 8443);
	CU_ASSERT_EQUAL(u.addrs_n, 1);
	CU_ASSERT_EQUAL(u.addrs[0].family, 4);
	CU_ASSERT_EQUAL(u.addrs[0].port, 8443);
	CU_ASSERT_EQUAL_FATAL(u.pins_n, 2);
	CU_ASSERT_EQUAL(u.pins[0][31], 1);
	CU_ASSERT_EQUAL(u.pins[1][0], 2);
	CU_ASSERT_STRING_EQUAL(u.path, "/q");
}

static void what_controld_needs_is_known(void)
{
	char text[URL_TEXT];
	struct url u;

	CU_ASSERT_PTR_NULL_FATAL(url_parse("controld://a/b", &u));
	CU_ASSERT_EQUAL(u.addrs_n, 2);
	CU_ASSERT_TRUE(u.device);
	CU_ASSERT_EQUAL(u.addrs[0].port, 443);
	CU_ASSERT_EQUAL(u.addrs[1].family, 6);
	CU_ASSERT_STRING_EQUAL(url_text(&u, text),
			       "https://dns.controld.com/...");
}

static const struct unit_test tests[] = {
	UNIT(servers_are_read_or_refused_with_a_reason),
	UNIT(a_word_that_is_too_long_is_refused),
	UNIT(a_stamp_gives_address_and_hashes),
	UNIT(what_controld_needs_is_known),
};

UNIT_MAIN("dns-upstream: url", tests)
