/* SPDX-License-Identifier: MIT */
/* test_plugin_dns_filter.c - questions, answers and flows before dns-filter */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fakecore.h"
#include "unit.h"

extern const struct sluice_plugin sluice_plugin_dns_filter;

enum { A = 1, CNAME = 5, PTR = 12, TXT = 16, AAAA = 28, HTTPS = 65, ANY = 255 };

static char list_path[] = "/tmp/dnsfilter.XXXXXX";

/* The one list of these tests, with that in it. */
static void write_list(const char *text)
{
	FILE *f;

	if (strstr(list_path, "XXXXXX"))
		close(mkstemp(list_path));
	f = fopen(list_path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
}

static struct fake *filter_with(const char *list, const char *options)
{
	char all[1024];

	write_list(list);
	snprintf(all, sizeof(all), "cache =\nblock = %s\n%s", list_path,
		 options);
	return fake_new(&sluice_plugin_dns_filter, all);
}

static int ask(struct fake *k, struct fake_query *q, const char *name,
	       uint16_t type)
{
	fake_query_init(q, name, type, "10.0.0.2:4000", "10.0.0.1:53");
	return fake_query(k, q);
}

static void each_answer_is_what_the_manual_says(void)
{
	static const struct {
		const char *word;
		uint16_t type;
		int verdict, rcode;
		size_t addrs;
	} rows[] = {
		{ "nxdomain", A, SLUICE_TAKE, 3, 0 },
		{ "nxdomain", HTTPS, SLUICE_TAKE, 3, 0 },
		{ "nodata", A, SLUICE_TAKE, 0, 0 },
		{ "zero", A, SLUICE_TAKE, 0, 2 },
		{ "zero", HTTPS, SLUICE_TAKE, 0, 2 },
		{ "refused", AAAA, SLUICE_TAKE, 5, 0 },
		{ "drop", A, SLUICE_DROP, 0, 0 },
		{ "address", A, SLUICE_TAKE, 0, 1 },
	};
	char options[64], expected[64];
	struct fake_query q;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fake *k;

		snprintf(options, sizeof(options),
			 "answer = %s\naddress = 192.0.2.1\nttl = 90s\n",
			 rows[i].word);
		k = filter_with("! one\n||ads.example^\n", options);
		CU_ASSERT_EQUAL(ask(k, &q, "www.ads.example", rows[i].type),
				rows[i].verdict);
		CU_ASSERT_EQUAL(q.responded, rows[i].verdict == SLUICE_TAKE);
		CU_ASSERT_EQUAL(q.response.rcode, rows[i].rcode);
		CU_ASSERT_EQUAL(q.addrs_n, rows[i].addrs);
		if (q.responded) {
			CU_ASSERT_EQUAL(q.response.ede, 15);
			CU_ASSERT_EQUAL(q.response.ttl, 90);
			CU_ASSERT_EQUAL(!(q.response.flags &
					  SLUICE_RESPONSE_SOA),
					rows[i].rcode == 5);
			snprintf(expected, sizeof(expected), "%s:2",
				 strrchr(list_path, '/') + 1);
			CU_ASSERT_STRING_EQUAL(q.text, expected);
		}
		snprintf(expected, sizeof(expected), "blocked %s:2 -",
			 list_path);
		CU_ASSERT_STRING_EQUAL(q.reason, expected);
		CU_ASSERT_EQUAL(ask(k, &q, "example", rows[i].type),
				SLUICE_PASS);
		CU_ASSERT_EQUAL(fake_counter(k, "blocked"), 1);
		CU_ASSERT_EQUAL(fake_counter(k, "queries"), 2);
		fake_end(k);
	}
}

static void canaries_do_not_exist_whatever_rules_say(void)
{
	static const char *const names[] = { "use-application-dns.net",
					     "mask.icloud.com",
					     "mask-h2.icloud.com" };
	struct fake *k = filter_with("", "answer = zero\n"
					 "rule = @@||icloud.com^ "
					 "||use-application-dns.net^\n");
	struct fake_query q;

	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(ask(k, &q, names[i], A), SLUICE_TAKE);
		CU_ASSERT_EQUAL(q.response.rcode, 3);
		CU_ASSERT_EQUAL(q.addrs_n, 0);
	}
	CU_ASSERT_EQUAL(ask(k, &q, "_dns.resolver.arpa", 64), SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.response.rcode, 0);
	CU_ASSERT(q.response.flags & SLUICE_RESPONSE_SOA);
	CU_ASSERT_EQUAL(ask(k, &q, "www.icloud.com", A), SLUICE_PASS);
	fake_end(k);
}

static void special_use_names_stay_here(void)
{
	struct fake *k = filter_with("", "rule = @@||home.arpa^\n");
	struct fake_query q;

	CU_ASSERT_EQUAL(ask(k, &q, "localhost", A), SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.addrs_n, 2);
	CU_ASSERT_EQUAL(q.addrs[0].ip[0], 127);
	CU_ASSERT_EQUAL(ask(k, &q, "printer.local", A), SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.response.rcode, 3);
	CU_ASSERT_EQUAL(q.response.ede, -1);
	CU_ASSERT_EQUAL(ask(k, &q, "1.1.168.192.in-addr.arpa", PTR),
			SLUICE_TAKE);
	CU_ASSERT_EQUAL(ask(k, &q, "8.8.8.8.in-addr.arpa", PTR), SLUICE_PASS);
	CU_ASSERT_EQUAL(ask(k, &q, "nas.home.arpa", A), SLUICE_PASS);
	CU_ASSERT_EQUAL(ask(k, &q, ".", 2), SLUICE_PASS);
	fake_end(k);
	k = filter_with("", "special-use = no\n");
	CU_ASSERT_EQUAL(ask(k, &q, "printer.local", A), SLUICE_PASS);
	fake_end(k);
}

/* A server that is asked for all classes says what IN has. */
static void all_classes_have_the_names_of_the_internet(void)
{
	struct fake *k = filter_with("ads.example\n", "");
	struct fake_query q;

	fake_query_init(&q, "ads.example", A, "10.0.0.2:4000", "10.0.0.1:53");
	q.info.qclass = 255;
	CU_ASSERT_EQUAL(fake_query(k, &q), SLUICE_TAKE);
	fake_query_init(&q, "ads.example", TXT, "10.0.0.2:4000", "10.0.0.1:53");
	q.info.qclass = 3; /* CH */
	CU_ASSERT_EQUAL(fake_query(k, &q), SLUICE_PASS);
	fake_end(k);
}

static void types_are_answered_as_if_there_were_none(void)
{
	struct fake *k =
		filter_with("@@||ok.example^\n",
			    "block-type = ANY TYPE65\naaaa = filter\n");
	struct fake_query q;

	CU_ASSERT_EQUAL(ask(k, &q, "a.example", ANY), SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.response.ede, 17);
	CU_ASSERT_EQUAL(ask(k, &q, "a.example", HTTPS), SLUICE_TAKE);
	CU_ASSERT_EQUAL(ask(k, &q, "ok.example", AAAA), SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.response.rcode, 0);
	CU_ASSERT_EQUAL(ask(k, &q, "a.example", A), SLUICE_PASS);
	fake_end(k);
}

static void an_instance_is_for_its_sources(void)
{
	struct fake *k = filter_with(
		"ads.example\n", "source = 10.0.0.0/24 !10.0.0.7 fd00::/8\n");
	static const struct {
		const char *app;
		int verdict;
	} rows[] = {
		{ "10.0.0.2:1", SLUICE_TAKE },  { "10.0.0.7:1", SLUICE_PASS },
		{ "10.0.1.2:1", SLUICE_PASS },  { "[fd12::1]:1", SLUICE_TAKE },
		{ "[fe80::1]:1", SLUICE_PASS },
	};
	struct fake_query q;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		fake_query_init(&q, "ads.example", A, rows[i].app,
				"10.0.0.1:53");
		CU_ASSERT_EQUAL(fake_query(k, &q), rows[i].verdict);
	}
	fake_end(k);
	k = filter_with("ads.example\n", "source = !10.0.0.7\n");
	CU_ASSERT_EQUAL(ask(k, &q, "ads.example", A), SLUICE_TAKE);
	fake_query_init(&q, "ads.example", A, "10.0.0.7:1", "10.0.0.1:53");
	CU_ASSERT_EQUAL(fake_query(k, &q), SLUICE_PASS);
	fake_end(k);
}

static void local_records_answer(void)
{
	struct fake *k = filter_with(
		"||lan^\n", "record = nas.lan=10.0.0.5 nas.lan=fd00::5 "
			    "www.lan=nas.lan\n");
	static const uint8_t cname[] = "\3www\3lan\0\0\5\0\1\0\0\0\x3c\0\x9"
				       "\3nas\3lan\0"
				       "\3nas\3lan\0\0\1\0\1\0\0\0\x3c\0\4"
				       "\x0a\0\0\5";
	struct fake_query q;

	CU_ASSERT_EQUAL(ask(k, &q, "nas.lan", A), SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.response.records_n, 1);
	CU_ASSERT_EQUAL(q.response.records_len, 23);
	CU_ASSERT_EQUAL(memcmp(q.records + 19, "\x0a\0\0\5", 4), 0);
	CU_ASSERT_EQUAL(ask(k, &q, "nas.lan", AAAA), SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.response.records_len, 35);
	CU_ASSERT_EQUAL(ask(k, &q, "nas.lan", TXT), SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.response.records_n, 0);
	CU_ASSERT(q.response.flags & SLUICE_RESPONSE_SOA);
	CU_ASSERT_EQUAL(ask(k, &q, "www.lan", A), SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.response.records_n, 2);
	CU_ASSERT_EQUAL_FATAL(q.response.records_len, sizeof(cname) - 1);
	CU_ASSERT_EQUAL(memcmp(q.records, cname, sizeof(cname) - 1), 0);
	CU_ASSERT_EQUAL(ask(k, &q, "5.0.0.10.in-addr.arpa", PTR), SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.response.records_n, 1);
	CU_ASSERT_EQUAL(fake_counter(k, "records"), 5);
	fake_end(k);
}

static void a_name_of_others_is_asked_of_the_rest(void)
{
	static const uint8_t chain[] = "\1a\3lan\0\0\5\0\1\0\0\0\x3c\0\7"
				       "\1b\3lan\0"
				       "\1b\3lan\0\0\5\0\1\0\0\0\x3c\0\5"
				       "\3far\0";
	struct fake *k = filter_with("||far^\n",
				     "tld-rules = yes\nblock-type = HTTPS\n"
				     "record = a.lan=b.lan b.lan=far\n");
	struct fake_query q;

	CU_ASSERT_EQUAL(ask(k, &q, "a.lan", A), SLUICE_PASS);
	CU_ASSERT_EQUAL(q.followed_n, 2);
	CU_ASSERT_EQUAL_FATAL(q.followed_len, sizeof(chain) - 1);
	CU_ASSERT_EQUAL(memcmp(q.records, chain, sizeof(chain) - 1), 0);
	CU_ASSERT_EQUAL(ask(k, &q, "a.lan", CNAME), SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.response.records_n, 1);
	CU_ASSERT_EQUAL(ask(k, &q, "a.lan", ANY), SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.response.records_n, 1);
	CU_ASSERT_EQUAL(ask(k, &q, "a.lan", HTTPS), SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.response.records_n, 0);
	CU_ASSERT_EQUAL(q.response.ede, 17);
	fake_end(k);
}

static void records_that_point_in_circles_end(void)
{
	struct fake *k = filter_with("", "record = a.lan=b.lan b.lan=a.lan\n");
	struct fake_query q;

	CU_ASSERT_EQUAL(ask(k, &q, "a.lan", A), SLUICE_TAKE);
	CU_ASSERT(q.response.records_n >= 2 && q.response.records_n <= 8);
	fake_end(k);
}

/* --------------------------------------------------------------- answers */

struct reply {
	uint8_t p[2048];
	size_t n;
};

static void reply_begin(struct reply *r, const struct fake_query *q)
{
	memcpy(r->p, q->msg, q->info.msg_len);
	r->n = q->info.msg_len;
	r->p[2] = 0x81;
	r->p[3] = 0x80;
}

/* A record of the question's name, in the answer section. */
static void reply_add(struct reply *r, uint16_t type, const void *data,
		      size_t len)
{
	uint8_t *p = r->p + r->n;

	memcpy(p, "\xc0\x0c\0\0\0\1\0\0\0\x3c\0", 11);
	p[3] = (uint8_t)type;
	p[11] = (uint8_t)len;
	memcpy(p + 12, data, len);
	r->n += 12 + len;
	r->p[7]++;
}

static int answer_with(struct fake *k, struct fake_query *q, const char *name,
		       uint16_t type, uint16_t record, const void *data,
		       size_t len)
{
	struct reply r;

	CU_ASSERT_EQUAL(ask(k, q, name, type), SLUICE_PASS);
	q->verdict = -1;
	reply_begin(&r, q);
	reply_add(&r, record, data, len);
	return fake_reply(k, q, r.p, r.n);
}

static const char hidden[] = "\7tracker\3ads\7example";

static void a_target_that_is_blocked_blocks_the_answer(void)
{
	struct fake *k = filter_with("||ads.example^\n@@||ok.example^\n", "");
	static const char svcb[] = "\0\1\7tracker\3ads\7example";
	static const char fine[] = "\3www\7example";
	struct fake_query q;

	CU_ASSERT_EQUAL(answer_with(k, &q, "www.shop.test-shop", A, CNAME,
				    hidden, sizeof(hidden)),
			SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.response.rcode, 3);
	CU_ASSERT_PTR_NOT_NULL(strstr(q.reason, "tracker.ads.example"));
	CU_ASSERT_EQUAL(answer_with(k, &q, "www.shop.example", HTTPS, HTTPS,
				    svcb, sizeof(svcb)),
			SLUICE_TAKE);
	CU_ASSERT_EQUAL(answer_with(k, &q, "www.shop.example", A, CNAME, fine,
				    sizeof(fine)),
			SLUICE_PASS);
	CU_ASSERT_EQUAL(answer_with(k, &q, "ok.example", A, CNAME, hidden,
				    sizeof(hidden)),
			SLUICE_PASS);
	CU_ASSERT_EQUAL(fake_counter(k, "cloaked"), 2);
	CU_ASSERT_EQUAL(answer_with(k, &q, "ok.example", HTTPS, HTTPS, svcb,
				    sizeof(svcb)),
			SLUICE_PASS);
	CU_ASSERT_EQUAL(fake_counter(k, "cloaked"), 2);
	CU_ASSERT_PTR_NULL(strstr(q.reason, "blocked"));
	fake_end(k);
}

static void addresses_in_answers_are_looked_at(void)
{
	struct fake *k = filter_with("192.0.2.0/24\n2001:db8:bad::/48\n", "");
	uint8_t six[16] = { 0x20, 1, 0xd, 0xb8, 0xb, 0xad };
	/* Priority 1, target the root, ipv4hint, ipv6hint. */
	uint8_t hint[] = { 0, 1, 0, 0, 4, 0, 4, 192, 0, 2, 1 };
	struct fake_query q;

	CU_ASSERT_EQUAL(answer_with(k, &q, "a.example", A, A, "\xc0\0\2\7", 4),
			SLUICE_TAKE);
	CU_ASSERT_PTR_NOT_NULL(strstr(q.reason, "192.0.2.7"));
	CU_ASSERT_EQUAL(answer_with(k, &q, "a.example", A, A, "\xc0\0\3\7", 4),
			SLUICE_PASS);
	CU_ASSERT_EQUAL(answer_with(k, &q, "a.example", AAAA, AAAA, six, 16),
			SLUICE_TAKE);
	CU_ASSERT_EQUAL(answer_with(k, &q, "a.example", HTTPS, HTTPS, hint,
				    sizeof(hint)),
			SLUICE_TAKE);
	hint[9] = 3;
	CU_ASSERT_EQUAL(answer_with(k, &q, "a.example", HTTPS, HTTPS, hint,
				    sizeof(hint)),
			SLUICE_PASS);
	fake_end(k);
}

static void names_of_outside_have_no_addresses_of_inside(void)
{
	struct fake *k = filter_with("", "rebind = block\n"
					 "rebind-allow = corp.example\n");
	uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 };
	uint8_t ula[16] = { 0xfd, [15] = 1 };
	static const struct {
		const char *text;
		int verdict;
	} sixes[] = {
		{ "::", SLUICE_TAKE },
		{ "::1", SLUICE_TAKE },
		{ "::192.168.1.1", SLUICE_TAKE },
		{ "64:ff9b::10.0.0.1", SLUICE_TAKE },
		{ "64:ff9b:1::10.0.0.1", SLUICE_TAKE },
		{ "2002:c0a8:101::", SLUICE_TAKE },
		{ "2002:7f00:1::1", SLUICE_TAKE },
		{ "64:ff9b::8.8.8.8", SLUICE_PASS },
		{ "2002:808:808::1", SLUICE_PASS },
		{ "2001:db8::10.0.0.1", SLUICE_PASS },
	};
	struct fake_query q;

	CU_ASSERT_EQUAL(answer_with(k, &q, "a.example", A, A, "\x0a\0\0\1", 4),
			SLUICE_TAKE);
	CU_ASSERT_EQUAL(q.response.rcode, 0);
	CU_ASSERT_EQUAL(answer_with(k, &q, "a.example", A, A, "\x7f\0\0\1", 4),
			SLUICE_TAKE);
	CU_ASSERT_EQUAL(answer_with(k, &q, "a.example", AAAA, AAAA, mapped, 16),
			SLUICE_TAKE);
	CU_ASSERT_EQUAL(answer_with(k, &q, "a.example", AAAA, AAAA, ula, 16),
			SLUICE_TAKE);
	CU_ASSERT_EQUAL(answer_with(k, &q, "x.corp.example", A, A, "\x0a\0\0\1",
				    4),
			SLUICE_PASS);
	CU_ASSERT_EQUAL(answer_with(k, &q, "a.example", A, A,
				    "\x08\x08\x08\x08", 4),
			SLUICE_PASS);
	CU_ASSERT_EQUAL(fake_counter(k, "rebound"), 4);
	for (size_t i = 0; i < sizeof(sixes) / sizeof(*sixes); i++) {
		CU_ASSERT_EQUAL(inet_pton(AF_INET6, sixes[i].text, ula), 1);
		CU_ASSERT_EQUAL(answer_with(k, &q, "a.example", AAAA, AAAA, ula,
					    16),
				sixes[i].verdict);
	}
	fake_end(k);
}

/* mandatory=alpn,ech alpn=h2 ipv4hint ech ipv6hint */
static const uint8_t all_params[] = {
	0, 1, 0, 0, 0, 0, 4, 0, 1, 0, 5,  0,  1,   0,   3,  2,  'h', '2',
	0, 4, 0, 4, 1, 2, 3, 4, 0, 5, 0,  2,  'k', 'k', 0,  6,  0,   16,
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,  13,  14, 15,
};

static void keys_and_hints_are_taken_out_one_by_one(void)
{
	struct fake *k = filter_with("", "ech = strip\nipv6hint = strip\n");
	static const uint8_t kept[] = { 0, 1, 0,   0,   0, 0, 2, 0, 1, 0, 1, 0,
					3, 2, 'h', '2', 0, 4, 0, 4, 1, 2, 3, 4 };
	struct fake_query q;
	size_t at;

	CU_ASSERT_EQUAL(answer_with(k, &q, "a.example", HTTPS, HTTPS,
				    all_params, sizeof(all_params)),
			SLUICE_TAKE);
	/* Header, question, the owner written out, type to TTL, length. */
	at = 12 + 15 + 11 + 8;
	CU_ASSERT_EQUAL_FATAL(q.answer_len, at + 2 + sizeof(kept));
	CU_ASSERT_EQUAL(q.answer[at + 1], sizeof(kept));
	CU_ASSERT_EQUAL(memcmp(q.answer + at + 2, kept, sizeof(kept)), 0);
	CU_ASSERT_EQUAL(answer_with(k, &q, "a.example", HTTPS, HTTPS, kept,
				    sizeof(kept)),
			SLUICE_PASS);
	CU_ASSERT_EQUAL(fake_counter(k, "stripped"), 1);
	fake_end(k);
}

/* Hints that are blocked are no reason to leave the ECH parameter in. */
static void an_allowed_name_is_stripped_as_all_are(void)
{
	struct fake *k =
		filter_with("@@||ok.example^\n1.2.3.0/24\n", "ech = strip\n");
	struct fake_query q;

	CU_ASSERT_EQUAL(answer_with(k, &q, "ok.example", HTTPS, HTTPS,
				    all_params, sizeof(all_params)),
			SLUICE_TAKE);
	CU_ASSERT_EQUAL(fake_counter(k, "stripped"), 1);
	CU_ASSERT_EQUAL(fake_counter(k, "addresses"), 0);
	fake_end(k);
}

/* Every cut of an answer, and every byte of it changed: no harm. */
static void broken_answers_do_no_harm(void)
{
	struct fake *k = filter_with("||ads.example^\n192.0.2.0/24\n",
				     "ech = strip\nrebind = block\n");
	struct fake_query q;
	struct reply r, copy;
	unsigned int n = 0;

	CU_ASSERT_EQUAL(ask(k, &q, "a.example", HTTPS), SLUICE_PASS);
	reply_begin(&r, &q);
	reply_add(&r, CNAME, hidden + 8, 13);
	reply_add(&r, HTTPS, all_params, sizeof(all_params));
	reply_add(&r, CNAME, "\xc0\x2a", 2);
	for (size_t i = 0; i < r.n; i++) {
		q.verdict = -1;
		fake_reply(k, &q, r.p, i);
		for (unsigned int v = 1; v < 256; v += 42) {
			copy = r;
			copy.p[i] ^= (uint8_t)v;
			q.verdict = -1;
			n += fake_reply(k, &q, copy.p, copy.n) == SLUICE_TAKE;
		}
	}
	CU_ASSERT(n);
	fake_end(k);
}

/* ------------------------------------------------------------------ reload */

static void reload(struct fake *k, const char *counter)
{
	uint64_t before = fake_counter(k, counter);

	CU_ASSERT_EQUAL(k->plugin->reload(k->self, NULL), 0);
	for (int i = 0; i < 3000 && fake_counter(k, counter) == before; i++) {
		usleep(10000);
		fake_turn(k);
	}
	CU_ASSERT_EQUAL(fake_counter(k, counter), before + 1);
}

static void lists_are_read_again_and_the_last_good_ones_stay(void)
{
	struct fake *k = filter_with("old.example\n", "");
	struct fake_query q;

	CU_ASSERT_EQUAL(ask(k, &q, "old.example", A), SLUICE_TAKE);
	write_list("new.example\n");
	CU_ASSERT_EQUAL(ask(k, &q, "old.example", A), SLUICE_TAKE);
	reload(k, "reloads");
	CU_ASSERT_EQUAL(ask(k, &q, "old.example", A), SLUICE_PASS);
	CU_ASSERT_EQUAL(ask(k, &q, "new.example", A), SLUICE_TAKE);

	CU_ASSERT_EQUAL(unlink(list_path), 0);
	reload(k, "reloads_failed");
	CU_ASSERT_PTR_NOT_NULL(strstr(k->log, list_path));
	CU_ASSERT_EQUAL(ask(k, &q, "new.example", A), SLUICE_TAKE);

	write_list("\x1f\x8b\x08");
	reload(k, "reloads_failed");
	CU_ASSERT_PTR_NOT_NULL(strstr(k->log, "gunzip"));
	CU_ASSERT_EQUAL(ask(k, &q, "new.example", A), SLUICE_TAKE);
	fake_end(k);
}

static void an_end_does_not_wait_for_a_reload(void)
{
	struct fake *k = filter_with("old.example\n", "");

	CU_ASSERT_EQUAL(k->plugin->reload(k->self, NULL), 0);
	CU_ASSERT_EQUAL(k->plugin->reload(k->self, NULL), 0);
	fake_end(k);
}

/* ------------------------------------------------------------------- flows */

static int open_flow(struct fake *k, uint8_t proto, const char *dst,
		     const char *name)
{
	struct fake_flow *f = fake_flow_new(k, proto, "10.0.0.2:5000", dst);
	int v;

	f->info.name = name;
	v = fake_flow_open(f);
	fake_flow_close(f, SLUICE_WHY_DONE);
	return v;
}

static void ways_round_the_filter_are_shut(void)
{
	struct fake *k;
	char options[128];

	write_list("dns.example\n192.0.2.8\n2001:db8::8\n");
	snprintf(options, sizeof(options),
		 "cache =\nresolvers = %s\ndot = refuse\ndoh = refuse\n",
		 list_path);
	k = fake_new(&sluice_plugin_dns_filter, options);
	CU_ASSERT_EQUAL(open_flow(k, SLUICE_TCP, "198.51.100.1:853", NULL),
			SLUICE_DROP);
	CU_ASSERT_EQUAL(open_flow(k, SLUICE_UDP, "198.51.100.1:853", NULL),
			SLUICE_DROP);
	CU_ASSERT_EQUAL(open_flow(k, SLUICE_TCP, "192.0.2.8:443", NULL),
			SLUICE_DROP);
	CU_ASSERT_EQUAL(open_flow(k, SLUICE_UDP, "[2001:db8::8]:443", NULL),
			SLUICE_DROP);
	CU_ASSERT_EQUAL(open_flow(k, SLUICE_TCP, "192.0.2.8:80", NULL),
			SLUICE_PASS);
	CU_ASSERT_EQUAL(open_flow(k, SLUICE_TCP, "192.0.2.9:443", NULL),
			SLUICE_PASS);
	CU_ASSERT_EQUAL(fake_counter(k, "flows_refused"), 4);
	fake_end(k);
}

static void a_flow_goes_where_an_answer_sent_it(void)
{
	static const struct {
		const char *mode;
		int bare, blocked;
	} rows[] = {
		{ "off", SLUICE_PASS, SLUICE_PASS },
		{ "log", SLUICE_PASS, SLUICE_PASS },
		{ "new-flows", SLUICE_DROP, SLUICE_PASS },
		{ "strict", SLUICE_DROP, SLUICE_DROP },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char options[96];
		struct fake *k;

		snprintf(options, sizeof(options),
			 "direct = %s\ndirect-allow = 10.0.0.0/8\n",
			 rows[i].mode);
		k = filter_with("ads.example\n", options);
		CU_ASSERT_EQUAL(open_flow(k, SLUICE_TCP, "192.0.2.1:80", NULL),
				rows[i].bare);
		CU_ASSERT_EQUAL(open_flow(k, SLUICE_TCP, "192.0.2.1:80",
					  "www.example"),
				SLUICE_PASS);
		CU_ASSERT_EQUAL(open_flow(k, SLUICE_TCP, "192.0.2.1:80",
					  "ads.example"),
				rows[i].blocked);
		CU_ASSERT_EQUAL(open_flow(k, SLUICE_TCP, "10.1.2.3:80", NULL),
				SLUICE_PASS);
		fake_end(k);
	}
}

/* ----------------------------------------------------------------- options */

static void mistakes_are_named(void)
{
	static const struct {
		const char *options, *says;
	} rows[] = {
		{ "source = 10.0.0.0/33", "source: 10.0.0.0/33" },
		{ "address = www.example", "address: www.example" },
		{ "answer = address", "which?" },
		{ "block = address:/etc/hosts", "which?" },
		{ "block-type = BOGUS", "block-type: BOGUS" },
		{ "rebind-allow = a..b", "rebind-allow: a..b" },
		{ "direct-allow = x", "direct-allow: x" },
		{ "rule = ||a.example/x", "rule: ||a.example/x: about URLs" },
		{ "record = a..b=10.0.0.1", "record: a..b=10.0.0.1" },
		{ "block = /nonexistent/x", "/nonexistent/x: No such file" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[256] = "";
		struct fake *k;

		CU_ASSERT(fake_create(&sluice_plugin_dns_filter,
				      rows[i].options, &k, text) < 0);
		if (!strstr(text, rows[i].says))
			printf("# %s: %s\n", rows[i].options, text);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, rows[i].says));
	}
	unlink(list_path);
}

static const struct unit_test tests[] = {
	UNIT(each_answer_is_what_the_manual_says),
	UNIT(canaries_do_not_exist_whatever_rules_say),
	UNIT(special_use_names_stay_here),
	UNIT(all_classes_have_the_names_of_the_internet),
	UNIT(types_are_answered_as_if_there_were_none),
	UNIT(an_instance_is_for_its_sources),
	UNIT(local_records_answer),
	UNIT(a_name_of_others_is_asked_of_the_rest),
	UNIT(records_that_point_in_circles_end),
	UNIT(a_target_that_is_blocked_blocks_the_answer),
	UNIT(addresses_in_answers_are_looked_at),
	UNIT(names_of_outside_have_no_addresses_of_inside),
	UNIT(keys_and_hints_are_taken_out_one_by_one),
	UNIT(an_allowed_name_is_stripped_as_all_are),
	UNIT(broken_answers_do_no_harm),
	UNIT(lists_are_read_again_and_the_last_good_ones_stay),
	UNIT(an_end_does_not_wait_for_a_reload),
	UNIT(ways_round_the_filter_are_shut),
	UNIT(a_flow_goes_where_an_answer_sent_it),
	UNIT(mistakes_are_named),
};

UNIT_MAIN("dns-filter", tests)
