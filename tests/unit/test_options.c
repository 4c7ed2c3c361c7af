/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>

#include "addr.h"
#include "options.h"
#include "optvalue.h"

struct values {
	const char *text;
	int64_t flag, number, size, time, choice;
	struct sluice_addr addr;
	const char *const *list;
};

#define ROW(type_, member_, preset_, min_, max_, help_)                  \
	{                                                                \
		.key = #member_, .preset = preset_, .help = help_,       \
		.type = SLUICE_OPT_##type_,                              \
		.offset = offsetof(struct values, member_), .min = min_, \
		.max = max_                                              \
	}

static const struct sluice_option table[] = {
	ROW(STR, text, "hello", 0, 0, "any text"),
	ROW(BOOL, flag, "no", 0, 0, "a flag"),
	ROW(INT, number, "25", 1, 65535, "a port"),
	ROW(SIZE, size, "64k", 0, 1 << 30, "a size"),
	ROW(MS, time, "30s", 1000, 3600000, "a time"),
	ROW(ENUM, choice, "late", 0, 0, "late|early: when it is answered"),
	ROW(ADDR, addr, "", 0, 0, "an address"),
	ROW(LIST, list, "a b", 0, 0, "words"),
	{ .key = NULL }
};

static char said[4096];

static void listen_to(void *arg, const char *text)
{
	size_t len = strlen(said);

	(void)arg;
	snprintf(said + len, sizeof(said) - len, "%s\n", text);
}

/* A configuration and the struct that comes of it. */
struct world {
	struct conf c;
	struct options o;
	const struct values *v;
	int err;
};

static void load_table(struct world *w, const struct sluice_option *t)
{
	static const char *const extra[] = { "plugin", "optional", NULL };

	w->err = options_load(&w->o, &w->c, "s", t, sizeof(*t),
			      sizeof(struct values), extra);
	w->v = w->o.values;
}

static void world_begin(struct world *w, const char *text)
{
	said[0] = '\0';
	conf_init(&w->c, listen_to, NULL);
	CU_ASSERT_EQUAL(conf_parse(&w->c, "x", text), 0);
	load_table(w, table);
}

static void world_end(struct world *w)
{
	options_free(&w->o);
	conf_fini(&w->c);
}

static void without_a_section_the_presets_hold(void)
{
	struct world w;

	world_begin(&w, "");
	CU_ASSERT_EQUAL(w.err, 0);
	CU_ASSERT_STRING_EQUAL(w.v->text, "hello");
	CU_ASSERT_EQUAL(w.v->flag, 0);
	CU_ASSERT_EQUAL(w.v->number, 25);
	CU_ASSERT_EQUAL(w.v->size, 65536);
	CU_ASSERT_EQUAL(w.v->time, 30000);
	CU_ASSERT_EQUAL(w.v->choice, 0);
	CU_ASSERT_EQUAL(w.v->addr.family, 0);
	CU_ASSERT_STRING_EQUAL(w.v->list[0], "a");
	CU_ASSERT_STRING_EQUAL(w.v->list[1], "b");
	CU_ASSERT_PTR_NULL(w.v->list[2]);
	world_end(&w);
}

static void numbers_times_and_sizes_are_read(void)
{
	static const struct {
		const char *line;
		size_t offset;
		int64_t value;
	} cases[] = {
		{ "number = 1", offsetof(struct values, number), 1 },
		{ "number = 65535", offsetof(struct values, number), 65535 },
		{ "number = 0x10", offsetof(struct values, number), 16 },
		{ "number = 0XfF", offsetof(struct values, number), 255 },
		{ "number = 010", offsetof(struct values, number), 10 },
		{ "size = 0", offsetof(struct values, size), 0 },
		{ "size = 1000", offsetof(struct values, size), 1000 },
		{ "size = 8M", offsetof(struct values, size), 8 << 20 },
		{ "size = 1G", offsetof(struct values, size), 1 << 30 },
		{ "size = 2K", offsetof(struct values, size), 2048 },
		{ "time = 1s", offsetof(struct values, time), 1000 },
		{ "time = 1500ms", offsetof(struct values, time), 1500 },
		{ "time = 5m", offsetof(struct values, time), 300000 },
		{ "time = 1h", offsetof(struct values, time), 3600000 },
		{ "flag = yes", offsetof(struct values, flag), 1 },
		{ "flag = on", offsetof(struct values, flag), 1 },
		{ "flag = true", offsetof(struct values, flag), 1 },
		{ "flag = 1", offsetof(struct values, flag), 1 },
		{ "flag = off", offsetof(struct values, flag), 0 },
		{ "choice = early", offsetof(struct values, choice), 1 },
		{ "choice = late", offsetof(struct values, choice), 0 },
	};
	char text[128];
	struct world w;
	int64_t v;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "[s]\n%s\n", cases[i].line);
		world_begin(&w, text);
		CU_ASSERT_EQUAL(w.err, 0);
		memcpy(&v, (const char *)w.o.values + cases[i].offset, 8);
		CU_ASSERT_EQUAL(v, cases[i].value);
		world_end(&w);
	}
}

static void a_bad_value_is_explained(void)
{
	static const struct {
		const char *line, *said;
	} cases[] = {
		{ "number = 70000", "number: 70000 is above 65535" },
		{ "number = 0", "number: 0 is below 1" },
		{ "number = -1", "number: -1 is below 1" },
		{ "number = 99999999999999999999",
		  "number: 99999999999999999999 is out of range" },
		{ "number = ten", "number: 'ten' is no number" },
		{ "number = 10x", "number: '10x' is no number" },
		{ "number = 0x", "number: '0x' is no number" },
		{ "number = +1", "number: '+1' is no number" },
		{ "number =", "number: '' is no number" },
		{ "number = 1 2", "number: '1 2' is no number" },
		{ "size = 2G", "size: 2G is above 1G" },
		{ "size = 9999999999999999999",
		  "size: 9999999999999999999 is out of range" },
		{ "size = 9223372036854775807G",
		  "size: 9223372036854775807G is out of range" },
		{ "size = -1", "size: '-1' is no size like 64k, 8M or 1G" },
		{ "size = 1T", "size: '1T' is no size like 64k, 8M or 1G" },
		{ "time = 30",
		  "time: '30' is no time like 250ms, 30s, 5m or 2h" },
		{ "time = 0", "time: 0 is below 1s" },
		{ "time = 2h", "time: 2h is above 1h" },
		{ "time = 1.5s",
		  "time: '1.5s' is no time like 250ms, 30s, 5m or 2h" },
		{ "flag = maybe", "flag: 'maybe' is neither yes nor no" },
		{ "flag =", "flag: '' is neither yes nor no" },
		{ "choice = soon", "choice: 'soon' is none of: late, early" },
		{ "choice = lat", "choice: 'lat' is none of: late, early" },
		{ "choice =", "choice: '' is none of: late, early" },
		{ "addr = 1.2.3",
		  "addr: '1.2.3' is no address like 192.0.2.1:53, 2001:db8::1 "
		  "or [2001:db8::1]:53" },
		{ "nunber = 1", "nunber: unknown key; did you mean number?" },
		{ "plugin = x", "" },
		{ "plugn = x", "plugn: unknown key; did you mean plugin?" },
		{ "qqqqqqq = 1", "qqqqqqq: unknown key" },
		{ "number = 1\nnumber = 2", "number: said before, on line 2" },
	};
	char text[128], expected[256];
	struct world w;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "[s]\n%s\n", cases[i].line);
		snprintf(expected, sizeof(expected), "x:%d: [s] %s\n",
			 strchr(cases[i].line, '\n') ? 3 : 2, cases[i].said);
		if (!*cases[i].said)
			expected[0] = '\0';
		world_begin(&w, text);
		CU_ASSERT_STRING_EQUAL(said, expected);
		if (strcmp(said, expected))
			printf("# %s# %s", said, expected);
		CU_ASSERT_EQUAL(w.err, *cases[i].said ? -EINVAL : 0);
		world_end(&w);
	}
}

static void all_mistakes_are_told_at_once(void)
{
	struct world w;

	world_begin(&w, "[s]\nnumber = x\nsize = x\nwhat = x\n");
	CU_ASSERT_EQUAL(w.c.errors, 3);
	CU_ASSERT_EQUAL(w.err, -EINVAL);
	world_end(&w);
}

static void an_address_may_have_a_port(void)
{
	static const struct {
		const char *text;
		uint8_t family;
		uint16_t port;
	} cases[] = {
		{ "192.0.2.1", 4, 0 },           { "192.0.2.1:53", 4, 53 },
		{ "2001:db8::1", 6, 0 },         { "[2001:db8::1]", 6, 0 },
		{ "[2001:db8::1]:853", 6, 853 }, { "", 0, 0 },
	};
	char text[128];
	struct world w;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "[s]\naddr = %s\n", cases[i].text);
		world_begin(&w, text);
		CU_ASSERT_EQUAL(w.err, 0);
		CU_ASSERT_EQUAL(w.v->addr.family, cases[i].family);
		CU_ASSERT_EQUAL(w.v->addr.port, cases[i].port);
		world_end(&w);
	}
}

/* The list as "a|b|c". */
static const char *joined(const struct world *w)
{
	static char buf[256];

	buf[0] = '\0';
	for (const char *const *l = w->v->list; *l; l++)
		snprintf(buf + strlen(buf), sizeof(buf) - strlen(buf), "%s%s",
			 *buf ? "|" : "", *l);
	return buf;
}

static void a_list_is_words_of_all_its_lines(void)
{
	static const struct {
		const char *text, *list;
	} cases[] = {
		{ "list = x", "x" },
		{ "list = x y,z", "x|y|z" },
		{ "list = , x ,, y ,", "x|y" },
		{ "list =", "" },
		{ "list = x\nlist = y z", "x|y|z" },
		{ "list = x\nlist =", "x" },
	};
	char text[128];
	struct world w;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "[s]\n%s\n", cases[i].text);
		world_begin(&w, text);
		CU_ASSERT_EQUAL(w.err, 0);
		CU_ASSERT_STRING_EQUAL(joined(&w), cases[i].list);
		world_end(&w);
	}
}

static void overrides_replace_what_the_file_says(void)
{
	struct world w;

	said[0] = '\0';
	conf_init(&w.c, listen_to, NULL);
	conf_override(&w.c, "s.list=p");
	conf_parse(&w.c, "x", "[s]\nlist = a b\nnumber = 5\ntext = t\n");
	conf_override(&w.c, "s.list=q");
	conf_override(&w.c, "s.number=6");
	conf_override(&w.c, "s.number=7");
	load_table(&w, table);
	CU_ASSERT_EQUAL(w.err, 0);
	CU_ASSERT_STRING_EQUAL(joined(&w), "p|q");
	CU_ASSERT_EQUAL(w.v->number, 7);
	CU_ASSERT_STRING_EQUAL(w.v->text, "t");
	world_end(&w);
}

static void a_mistake_in_an_override_is_called_that(void)
{
	struct world w;

	said[0] = '\0';
	conf_init(&w.c, listen_to, NULL);
	conf_override(&w.c, "s.number=70000");
	load_table(&w, table);
	CU_ASSERT_STRING_EQUAL(said, "-o s.number: 70000 is above 65535\n");
	world_end(&w);
}

static void what_has_no_preset_must_be_given(void)
{
	static const struct sluice_option must[] = {
		ROW(STR, text, NULL, 0, 0, "needed"), { .key = NULL }
	};
	struct world w;

	for (int section = 0; section < 2; section++) {
		said[0] = '\0';
		conf_init(&w.c, listen_to, NULL);
		conf_parse(&w.c, "x", section ? "\n[s]\n" : "");
		load_table(&w, must);
		CU_ASSERT_STRING_EQUAL(
			said, section ? "x:2: [s] text: must be given\n" :
					"[s] text: must be given\n");
		world_end(&w);
	}
}

static void a_preset_may_be_a_setting_of_the_core(void)
{
	static const struct sluice_option refers[] = {
		ROW(INT, number, "${tun.fwmark}", 0, 0, "as there"),
		ROW(STR, text, "${tun.name}", 0, 0, "as there"),
		{ .key = NULL }
	};
	struct world w;

	said[0] = '\0';
	conf_init(&w.c, listen_to, NULL);
	conf_define(&w.c, "tun", "fwmark", "29548");
	load_table(&w, refers);
	CU_ASSERT_EQUAL(w.v->number, 29548);
	CU_ASSERT_STRING_EQUAL(said, "[s] text: preset ${tun.name}: there is "
				     "no such setting\n");
	world_end(&w);
}

static void a_longer_row_of_a_newer_plugin_is_read(void)
{
	/* Rows as a plugin with larger options has them. */
	struct {
		struct sluice_option row;
		uint64_t newer;
	} wide[] = {
		{ ROW(INT, number, "7", 0, 0, "x"), 1 },
		{ ROW(BOOL, flag, "yes", 0, 0, "x"), 2 },
		{ { .key = NULL }, 3 },
	};
	struct conf c;
	struct options o;
	const struct values *v;

	conf_init(&c, listen_to, NULL);
	CU_ASSERT_EQUAL(options_load(&o, &c, "s", &wide[0].row, sizeof(wide[0]),
				     sizeof(*v), NULL),
			0);
	v = o.values;
	CU_ASSERT_EQUAL(v->number, 7);
	CU_ASSERT_EQUAL(v->flag, 1);
	options_free(&o);
	conf_fini(&c);
}

/* ------------------------------------------------------------ printing */

static char *printed(const struct world *w, bool json)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	options_print(out, &w->o, table, sizeof(*table), json);
	fclose(out);
	return text;
}

static void what_is_printed_reads_the_same(void)
{
	static const char *const files[] = {
		"",
		"[s]\ntext =\nlist =\n",
		"[s]\ntext = a b  c\nnumber = 0x7f\nsize = 3000\n"
		"time = 61001ms\nchoice = early\naddr = [fd00::1]:53\n"
		"flag = on\nlist = a,b\nlist = c\n",
		"[s]\ntext =#a\nlist =;a,#b\n",
		"[s]\naddr = fe80::1\nsize = 1M\ntime = 60s\nlist = "
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb "
		"cccccccccccccccccccccccccc dddddddddddddddddddddddddddddddd "
		"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
		"eeeeeeeeeeeeeeeeeeeeeeeee f\n",
	};
	char *first, *second, again[2048];
	struct world w;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		world_begin(&w, files[i]);
		CU_ASSERT_EQUAL(w.err, 0);
		first = printed(&w, false);
		world_end(&w);
		snprintf(again, sizeof(again), "[s]\n%s", first);
		world_begin(&w, again);
		CU_ASSERT_EQUAL(w.err, 0);
		second = printed(&w, false);
		CU_ASSERT_STRING_EQUAL(first, second);
		world_end(&w);
		free(first);
		free(second);
	}
}

static void it_is_printed_in_the_fewest_letters(void)
{
	struct world w;
	char *text;

	world_begin(&w, "[s]\nsize = 65536\ntime = 60s\naddr = [fd00::1]:53\n");
	text = printed(&w, false);
	CU_ASSERT_STRING_EQUAL(text, "text = hello\n"
				     "flag = no\n"
				     "number = 25\n"
				     "size = 64k\n"
				     "time = 1m\n"
				     "choice = late\n"
				     "addr = [fd00::1]:53\n"
				     "list = a b\n");
	free(text);
	world_end(&w);
}

static void json_has_types_and_no_broken_text(void)
{
	struct world w;
	char *text;

	world_begin(&w, "[s]\ntext = \"\\\xc3\xa4\xff\nflag = yes\nlist =\n");
	text = printed(&w, true);
	CU_ASSERT_STRING_EQUAL(
		text, "\"text\": \"\\\"\\\\\xc3\xa4\\ufffd\", \"flag\": true, "
		      "\"number\": 25, \"size\": 65536, \"time\": \"30s\", "
		      "\"choice\": \"late\", \"addr\": \"\", \"list\": []");
	free(text);
	world_end(&w);
}

static void help_says_type_preset_range_and_meaning(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	options_help(out, table, sizeof(*table), false);
	fclose(out);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "number"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "1 to 65535; a port\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "1s to 1h; a time\n"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(text, "late, early; when it is answered\n"));
	free(text);
}

/* --------------------------------------------------------- sound tables */

static const char *sane(const struct sluice_option *t)
{
	static char text[256];
	const char *wrong = options_sane(t, sizeof(*t), sizeof(struct values),
					 text, sizeof(text));

	return wrong ? wrong : "sound";
}

static void a_sound_table_is_sound(void)
{
	CU_ASSERT_STRING_EQUAL(sane(table), "sound");
	CU_ASSERT_STRING_EQUAL(sane(NULL), "sound");
}

static void a_table_that_lies_is_found_out(void)
{
	static const struct {
		struct sluice_option row;
		const char *wrong;
	} cases[] = {
		{ ROW(INT, number, "0", 1, 5, "x"),
		  "option number: preset 0 is below 1" },
		{ ROW(INT, number, "x", 0, 0, "x"),
		  "option number: preset 'x' is no number" },
		{ ROW(MS, time, "30", 0, 0, "x"),
		  "option time: preset '30' is no time like 250ms, 30s, 5m or "
		  "2h" },
		{ ROW(ENUM, choice, "c", 0, 0, "a|b: x"),
		  "option choice: preset 'c' is none of: a, b" },
		{ ROW(ENUM, choice, "c", 0, 0, ": x"),
		  "option choice: its help names no words" },
		{ ROW(ENUM, choice, "c", 0, 0, NULL),
		  "option choice: its help names no words" },
		{ ROW(INT, number, "3", 5, 1, "x"),
		  "option number: its least value is above its most" },
		{ ROW(STR, text, "${tun}", 0, 0, "x"),
		  "option text: preset '${tun}' is no ${section.key}" },
		{ ROW(STR, text, "${", 0, 0, "x"),
		  "option text: preset '${' is no ${section.key}" },
		{ { .key = "k", .preset = "", .type = 99 },
		  "option k: type 99 is not known here" },
		{ { .key = "k", .preset = "", .type = 0 },
		  "option k: type 0 is not known here" },
		{ { .key = "Key", .preset = "", .type = SLUICE_OPT_STR },
		  "option 0: 'Key' is no key" },
		{ { .key = "", .preset = "", .type = SLUICE_OPT_STR },
		  "option 0: '' is no key" },
		{ { .key = "k",
		    .preset = "",
		    .type = SLUICE_OPT_STR,
		    .offset = 1 },
		  "option k: offset 1 is not aligned" },
		{ { .key = "k",
		    .preset = "",
		    .type = SLUICE_OPT_STR,
		    .offset = sizeof(struct values) },
		  NULL },
		{ { .key = "k",
		    .preset = "",
		    .type = SLUICE_OPT_STR,
		    .offset = 0xfffffff8u },
		  NULL },
		{ { .key = "k",
		    .preset = "",
		    .type = SLUICE_OPT_ADDR,
		    .offset = sizeof(struct values) - 16 },
		  NULL },
	};
	struct sluice_option t[2] = { { .key = NULL }, { .key = NULL } };
	char outside[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		t[0] = cases[i].row;
		snprintf(outside, sizeof(outside),
			 "option k: offset %u is outside of the %zu bytes of "
			 "the struct",
			 t[0].offset, sizeof(struct values));
		CU_ASSERT_STRING_EQUAL(
			sane(t), cases[i].wrong ? cases[i].wrong : outside);
	}
}

static void two_options_share_neither_name_nor_field(void)
{
	static const struct sluice_option twice[] = {
		ROW(INT, number, "1", 0, 0, "x"),
		ROW(INT, number, "1", 0, 0, "x"),
		{ .key = NULL }
	};
	static const struct sluice_option over[] = {
		ROW(ADDR, addr, "", 0, 0, "x"),
		{ .key = "k",
		  .preset = "1",
		  .type = SLUICE_OPT_INT,
		  .offset = offsetof(struct values, addr) + 8 },
		{ .key = NULL }
	};

	CU_ASSERT_STRING_EQUAL(sane(twice), "option number is there twice");
	CU_ASSERT_STRING_EQUAL(sane(over), "options addr and k share a field");
}

static void a_table_has_an_end_and_a_size(void)
{
	static struct sluice_option many[OPTIONS_MAX + 1];
	static char keys[OPTIONS_MAX + 1][8];
	char text[256];

	for (size_t i = 0; i < OPTIONS_MAX + 1; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		many[i] = (struct sluice_option){
			.key = keys[i],
			.preset = "1",
			.type = SLUICE_OPT_INT,
			.offset = (uint32_t)i * 8,
		};
	}
	CU_ASSERT_PTR_NOT_NULL(
		options_sane(many, sizeof(*many), 65536, text, sizeof(text)));
	CU_ASSERT_STRING_EQUAL(text, "its options have no end within 256");
	CU_ASSERT_PTR_NOT_NULL(options_sane(table, 8, 256, text, sizeof(text)));
	CU_ASSERT_PTR_NOT_NULL(options_sane(table, sizeof(*table), 1 << 20,
					    text, sizeof(text)));
}

static const struct unit_test tests[] = {
	UNIT(without_a_section_the_presets_hold),
	UNIT(numbers_times_and_sizes_are_read),
	UNIT(a_bad_value_is_explained),
	UNIT(all_mistakes_are_told_at_once),
	UNIT(an_address_may_have_a_port),
	UNIT(a_list_is_words_of_all_its_lines),
	UNIT(overrides_replace_what_the_file_says),
	UNIT(a_mistake_in_an_override_is_called_that),
	UNIT(what_has_no_preset_must_be_given),
	UNIT(a_preset_may_be_a_setting_of_the_core),
	UNIT(a_longer_row_of_a_newer_plugin_is_read),
	UNIT(what_is_printed_reads_the_same),
	UNIT(it_is_printed_in_the_fewest_letters),
	UNIT(json_has_types_and_no_broken_text),
	UNIT(help_says_type_preset_range_and_meaning),
	UNIT(a_sound_table_is_sound),
	UNIT(a_table_that_lies_is_found_out),
	UNIT(two_options_share_neither_name_nor_field),
	UNIT(a_table_has_an_end_and_a_size),
};

UNIT_MAIN("options", tests)
