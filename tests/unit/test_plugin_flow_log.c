/* SPDX-License-Identifier: MIT */
/* test_plugin_flow_log.c - lines for flows that ended */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fakecore.h"
#include "unit.h"

extern const struct sluice_plugin sluice_plugin_flow_log;
#define PLUGIN (&sluice_plugin_flow_log)

struct world {
	struct fake *k;
	int file;
	struct sluice_flow_info info;
	struct sluice_flow_stats stats;
	struct sluice_flow_event event;
};

static void world(struct world *w, const char *format, int file)
{
	char options[64];

	memset(w, 0, sizeof(*w));
	w->file = file >= 0 ? file : memfd_create("flow-log", 0);
	snprintf(options, sizeof(options), "fd = %d\nformat = %s", w->file,
		 format);
	w->k = fake_new(PLUGIN, options);
	w->info.size = sizeof(w->info);
	w->info.proto = SLUICE_TCP;
	w->info.id = 12;
	w->info.app = fake_addr("10.0.0.2:40112");
	w->info.dst = fake_addr("93.184.216.34:443");
	w->info.name = "example.org";
	w->stats.size = sizeof(w->stats);
	w->stats.up_bytes = 517;
	w->stats.down_bytes = 12345678901;
	w->stats.born_ms = w->k->now - 61007;
	w->event.size = sizeof(w->event);
	w->event.event = SLUICE_EVENT_CLOSE;
	w->event.why = SLUICE_WHY_DONE;
	w->event.plugin = "tcp-forward";
	w->event.info = &w->info;
	w->event.stats = &w->stats;
}

static void tell(struct world *w)
{
	PLUGIN->observe->flow(w->k->self, &w->event);
}

/* What was written, and the end of the world. */
static const char *written(struct world *w)
{
	static char text[8192];
	ssize_t n;

	fake_end(w->k);
	n = pread(w->file, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	close(w->file);
	return text;
}

static void a_line_says_it_all(void)
{
	struct world w;
	const char *text;

	world(&w, "text", -1);
	tell(&w);
	text = written(&w);
	/* 2026-01-02T03:04:05.678Z */
	CU_ASSERT(strlen(text) > 24 && text[10] == 'T' && text[23] == 'Z');
	CU_ASSERT_STRING_EQUAL(
		text + 24,
		" flow 12 tcp 10.0.0.2:40112 > 93.184.216.34:443 "
		"(example.org) tcp-forward up 517 down 12345678901 in "
		"61.007s done\n");
}

static void what_is_not_known_is_left_out(void)
{
	struct world w;

	world(&w, "text", -1);
	w.info.proto = 58;
	w.info.name = NULL;
	w.event.plugin = NULL;
	w.event.why = SLUICE_WHY_UNREACH;
	w.info.app = fake_addr("fd00:736c::2");
	w.info.dst = fake_addr("2001:db8::1");
	tell(&w);
	CU_ASSERT_STRING_EQUAL(written(&w) + 24,
			       " flow 12 ping fd00:736c::2 > 2001:db8::1 - up "
			       "517 down 12345678901 in 61.007s unreachable\n");
}

static void json_is_an_object_a_line(void)
{
	struct world w;
	const char *text;

	world(&w, "json", -1);
	w.info.dst = fake_addr("[2001:db8::1]:443");
	tell(&w);
	text = written(&w);
	CU_ASSERT_EQUAL(strncmp(text, "{\"time\":\"20", 11), 0);
	CU_ASSERT_STRING_EQUAL(
		text + 33,
		"\",\"flow\":12,\"proto\":\"tcp\","
		"\"app\":\"10.0.0.2:40112\",\"dst\":\"[2001:db8::1]:443\","
		"\"name\":\"example.org\",\"plugin\":\"tcp-forward\","
		"\"up_bytes\":517,\"down_bytes\":12345678901,\"ms\":61007,"
		"\"why\":\"done\"}\n");
}

static void a_table_has_a_head(void)
{
	struct world w;
	const char *text, *line;

	world(&w, "table", -1);
	tell(&w);
	text = written(&w);
	line = strchr(text, '\n') + 1;
	CU_ASSERT_EQUAL(strncmp(text, "  flow proto app", 16), 0);
	CU_ASSERT_STRING_EQUAL(line,
			       "    12 tcp   10.0.0.2:40112          "
			       "93.184.216.34:443           tcp-forward  "
			       "      517 12345678901  61.007s done        "
			       "example.org\n");
}

/* Names come from the net. */
static void a_name_cannot_forge_a_line(void)
{
	static const char evil[] = "a\nflow 13 \"\\\x1b[2J\xff";
	struct world w;

	world(&w, "text", -1);
	w.info.name = evil;
	tell(&w);
	CU_ASSERT_PTR_NOT_NULL(strstr(written(&w), "(a?flow?13?\"\\?[2J?)"));

	world(&w, "json", -1);
	w.info.name = evil;
	tell(&w);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(written(&w), "\"name\":\"a?flow?13?\\\"\\\\?[2J?\""));
}

static void the_longest_name_fits(void)
{
	char name[1100];
	struct world w;
	const char *text;

	/* 253 bytes, each of them "\255". */
	for (int i = 0; i < 253; i++)
		memcpy(name + 4 * i, "\\255", 4);
	name[4 * 253] = '\0';
	for (int i = 0; i < 3; i++) {
		static const char *const format[] = { "text", "json", "table" };

		world(&w, format[i], -1);
		w.info.name = name;
		tell(&w);
		text = written(&w);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, "255"));
		CU_ASSERT_EQUAL(text[strlen(text) - 1], '\n');
		if (i == 1)
			CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"why\":"));
	}
}

static void only_the_end_of_a_flow_is_told(void)
{
	struct world w;

	world(&w, "text", -1);
	w.event.event = SLUICE_EVENT_OPEN;
	tell(&w);
	CU_ASSERT_STRING_EQUAL(written(&w), "");
}

static void every_end_has_a_word(void)
{
	static const char *const why[] = { "done",    "refused", "unreachable",
					   "timeout", "reset",   "policy",
					   "idle",    "stop",    "error",
					   "error" };

	for (uint8_t i = 0; i < 10; i++) {
		struct world w;
		char end[32];
		const char *text;

		world(&w, "text", -1);
		w.event.why = i;
		tell(&w);
		snprintf(end, sizeof(end), "s %s\n", why[i]);
		text = written(&w);
		CU_ASSERT_STRING_EQUAL(text + strlen(text) - strlen(end), end);
	}
}

/* A reader that sleeps costs lines, not the gateway's time. */
static void a_full_pipe_costs_lines(void)
{
	char junk[4096];
	struct world w;
	int p[2];

	CU_ASSERT_EQUAL_FATAL(pipe2(p, O_CLOEXEC), 0);
	fcntl(p[1], F_SETPIPE_SZ, 4096);
	world(&w, "text", p[1]);
	for (int i = 0; i < 100; i++)
		tell(&w);
	CU_ASSERT_EQUAL(w.k->logged, 0);
	CU_ASSERT(read(p[0], junk, sizeof(junk)) > 0);
	tell(&w);
	CU_ASSERT_EQUAL(w.k->logged, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.k->log, "lines could not be written"));
	fake_end(w.k);
	close(p[0]);
	close(p[1]);
}

static void a_file_is_added_to(void)
{
	char path[] = "/tmp/flow-log-test-XXXXXX";
	int fd = mkstemp(path);
	char options[64], text[256];
	struct fake *k;

	CU_ASSERT_EQUAL(write(fd, "before\n", 7), 7);
	snprintf(options, sizeof(options), "file = %s\nformat = table", path);
	k = fake_new(PLUGIN, options);
	fake_end(k);
	CU_ASSERT(pread(fd, text, sizeof(text), 0) > 7);
	CU_ASSERT_EQUAL(memcmp(text, "before\n  flow", 13), 0);
	close(fd);
	unlink(path);
}

static void bad_options_are_refused(void)
{
	static const struct {
		const char *options, *text;
	} cases[] = {
		{ "file = /nowhere/x", "/nowhere/x: No such file" },
		{ "fd = 987", "987: Bad file descriptor" },
		{ "fd = 1\nfile = /tmp/x", "one of them" },
		{ "format = xml", "format" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[256] = "";
		struct fake *k;

		CU_ASSERT(fake_create(PLUGIN, cases[i].options, &k, text) < 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, cases[i].text));
	}
}

/* ------------------------------------------------------------------- dns */

struct dns_world {
	struct fake *k;
	int file;
	struct sluice_query_info info;
	struct sluice_dns_event event;
};

static void dns_world(struct dns_world *w, const char *options)
{
	char all[128];

	memset(w, 0, sizeof(*w));
	w->file = memfd_create("flow-log", 0);
	snprintf(all, sizeof(all), "fd = %d\n%s", w->file, options);
	w->k = fake_new(PLUGIN, all);
	w->info.size = sizeof(w->info);
	w->info.id = 7;
	w->info.qtype = 1;
	w->info.qclass = 1;
	w->info.name = "ads.example";
	w->info.msg_len = 29;
	w->info.app = fake_addr("10.0.0.2:40112");
	w->info.server = fake_addr("[fd00::1]:53");
	w->event.size = sizeof(w->event);
	w->event.rcode = 3;
	w->event.plugin = "dns-filter";
	w->event.info = &w->info;
	w->event.reply = (const uint8_t *)"";
	w->event.reply_len = 90;
	w->event.took_ms = 1002;
	w->event.reason = "blocked ads.txt:17";
}

static void ask(struct dns_world *w)
{
	PLUGIN->observe->dns(w->k->self, &w->event);
}

static const char *asked(struct dns_world *w)
{
	static struct world flows;

	flows.k = w->k;
	flows.file = w->file;
	return written(&flows);
}

static void a_question_has_a_line_where_it_is_wanted(void)
{
	struct dns_world w;

	dns_world(&w, "");
	ask(&w);
	CU_ASSERT_STRING_EQUAL(asked(&w), "");
	dns_world(&w, "dns = rules");
	w.event.reason = NULL;
	ask(&w);
	CU_ASSERT_STRING_EQUAL(asked(&w), "");
	dns_world(&w, "dns = rules");
	ask(&w);
	CU_ASSERT_STRING_EQUAL(asked(&w) + 24,
			       " dns 7 udp 10.0.0.2:40112 > [fd00::1]:53 "
			       "ads.example A dns-filter in 1.002s NXDOMAIN: "
			       "blocked ads.txt:17\n");
	dns_world(&w, "dns = yes\ndns-app = no");
	w.info.tcp = 1;
	w.info.qtype = 257;
	w.event.reason = NULL;
	w.event.plugin = NULL;
	w.event.dropped = 1;
	w.event.reply = NULL;
	ask(&w);
	CU_ASSERT_STRING_EQUAL(asked(&w) + 24,
			       " dns 7 tcp - > [fd00::1]:53 ads.example "
			       "TYPE257 - in 1.002s dropped\n");
}

static void a_question_is_an_object_or_a_row(void)
{
	struct dns_world w;
	const char *text;

	dns_world(&w, "dns = yes\nformat = json");
	w.event.reason = "blocked \"\n\\";
	ask(&w);
	CU_ASSERT_STRING_EQUAL(
		asked(&w) + 33,
		"\",\"dns\":7,\"proto\":\"udp\",\"app\":\"10.0.0.2:40112\","
		"\"server\":\"[fd00::1]:53\",\"name\":\"ads.example\","
		"\"type\":\"A\",\"plugin\":\"dns-filter\",\"ms\":1002,"
		"\"rcode\":\"NXDOMAIN\",\"reason\":\"blocked \\\"?\\\\\"}\n");
	dns_world(&w, "dns = yes\ndns-app = no\nformat = json");
	w.event.rcode = 9;
	ask(&w);
	text = asked(&w);
	CU_ASSERT_PTR_NULL(strstr(text, "10.0.0.2"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"rcode\":\"RCODE9\""));
	dns_world(&w, "dns = yes\nformat = table");
	ask(&w);
	text = strchr(asked(&w), '\n') + 1;
	CU_ASSERT_STRING_EQUAL(text, "     7 dns   10.0.0.2:40112          "
				     "[fd00::1]:53                dns-filter   "
				     "       29        90   1.002s NXDOMAIN    "
				     "ads.example A\n");
}

static void lines_about_questions_have_a_rate(void)
{
	struct dns_world w;
	int lines = 0;

	dns_world(&w, "dns = yes\ndns-rate = 3");
	for (int i = 0; i < 10; i++)
		ask(&w);
	w.k->now += 1000;
	ask(&w);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.k->log, "7 DNS questions"));
	for (const char *p = asked(&w); (p = strchr(p, '\n')); p++)
		lines++;
	CU_ASSERT_EQUAL(lines, 4);
}

static const struct unit_test tests[] = {
	UNIT(a_line_says_it_all),
	UNIT(what_is_not_known_is_left_out),
	UNIT(json_is_an_object_a_line),
	UNIT(a_table_has_a_head),
	UNIT(a_name_cannot_forge_a_line),
	UNIT(the_longest_name_fits),
	UNIT(only_the_end_of_a_flow_is_told),
	UNIT(every_end_has_a_word),
	UNIT(a_full_pipe_costs_lines),
	UNIT(a_file_is_added_to),
	UNIT(bad_options_are_refused),
	UNIT(a_question_has_a_line_where_it_is_wanted),
	UNIT(a_question_is_an_object_or_a_row),
	UNIT(lines_about_questions_have_a_rate),
};

UNIT_MAIN("flow-log", tests)
