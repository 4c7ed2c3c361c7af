/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"

/* What was reported, one mistake a line. */
static char said[8192];

static void listen_to(void *arg, const char *text)
{
	size_t len = strlen(said);

	(void)arg;
	snprintf(said + len, sizeof(said) - len, "%s\n", text);
}

static void begin(struct conf *c)
{
	said[0] = '\0';
	conf_init(c, listen_to, NULL);
}

static const char *value(const struct conf *c, const char *section,
			 const char *key)
{
	const struct conf_entry *e = conf_find(c, section, key);

	return e ? e->value : "(none)";
}

static int line(const struct conf *c, const char *section, const char *key)
{
	const struct conf_entry *e = conf_find(c, section, key);

	return e ? e->line : -1;
}

static void a_line_is_a_key_and_a_value(void)
{
	static const struct {
		const char *text, *value;
	} cases[] = {
		{ "key = value", "value" },
		{ "key=value", "value" },
		{ "  key  =  value  ", "value" },
		{ "\tkey\t=\tvalue\t", "value" },
		{ "key = value\r", "value" },
		{ "key = two words", "two words" },
		{ "key = a=b", "a=b" },
		{ "key = a:b", "a:b" },
		{ "key =", "" },
		{ "key = ", "" },
		{ "key = value ; remark", "value" },
		{ "key = value # remark", "value" },
		{ "key = value\t; remark", "value" },
		{ "key = ; remark", "" },
		{ "key =#a", "#a" },
		{ "key =;a;", ";a;" },
		{ "key = semi;colon", "semi;colon" },
		{ "key = has#hash", "has#hash" },
		{ "key = \"quoted\"", "\"quoted\"" },
		{ "key = \xc3\xa4", "\xc3\xa4" },
		{ "key = [x]", "[x]" },
	};
	char text[128];
	struct conf c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(&c);
		snprintf(text, sizeof(text), "[s]\n%s\n", cases[i].text);
		CU_ASSERT_EQUAL(conf_parse(&c, "x", text), 0);
		CU_ASSERT_EQUAL(c.errors, 0);
		CU_ASSERT_STRING_EQUAL(value(&c, "s", "key"), cases[i].value);
		CU_ASSERT_EQUAL(line(&c, "s", "key"), 2);
		conf_fini(&c);
	}
}

static void a_malformed_line_is_named(void)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "[s]\nnonsense\n",
		  "x:2: 'nonsense' is neither [section] nor key = value\n" },
		{ "[s]\n\n= value\n", "x:3: '' is no name of a key\n" },
		{ "[s]\na b = c\n", "x:2: 'a b' is no name of a key\n" },
		{ "[s]\na:b = c\n", "x:2: 'a:b' is no name of a key\n" },
		{ "key = value\n",
		  "x:1: key: stands before the first [section]\n" },
		{ "[s\nkey = value\n", "x:1: '[s': no ] at the end\n" },
		{ "[s] x\n", "x:1: '[s] x': no ] at the end\n" },
		{ "[]\n",
		  "x:1: '[]' is no name of a section: letters, digits, - and "
		  "_, at most 48\n" },
		{ "[a b]\n",
		  "x:1: '[a b]' is no name of a section: letters, digits, - "
		  "and _, at most 48\n" },
		{ "[s]\nkey = a\x01z\n",
		  "x:2: a control character: is this a text file?\n" },
		{ "[s]\nkey = a\x7f\n",
		  "x:2: a control character: is this a text file?\n" },
		{ "[s]\na\nb\n",
		  "x:2: 'a' is neither [section] nor key = value\n"
		  "x:3: 'b' is neither [section] nor key = value\n" },
	};
	struct conf c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(&c);
		CU_ASSERT_EQUAL(conf_parse(&c, "x", cases[i].text), 0);
		CU_ASSERT_STRING_EQUAL(said, cases[i].said);
		CU_ASSERT_NOT_EQUAL(c.errors, 0);
		CU_ASSERT_PTR_NULL(c.entries);
		conf_fini(&c);
	}
}

static void an_indented_line_is_not_more_of_the_one_before(void)
{
	struct conf c;

	begin(&c);
	conf_parse(&c, "x", "[s]\n  a = 1\n  b = 2\n");
	CU_ASSERT_STRING_EQUAL(value(&c, "s", "a"), "1");
	CU_ASSERT_STRING_EQUAL(value(&c, "s", "b"), "2");
	conf_fini(&c);
}

static void a_last_line_needs_no_newline(void)
{
	struct conf c;

	begin(&c);
	conf_parse(&c, "x", "\xef\xbb\xbf[s]\na = 1");
	CU_ASSERT_EQUAL(c.errors, 0);
	CU_ASSERT_STRING_EQUAL(value(&c, "s", "a"), "1");
	conf_fini(&c);
}

static void an_empty_section_is_seen(void)
{
	const struct conf_section *s;
	struct conf c;

	begin(&c);
	conf_parse(&c, "x", "; nothing\n\n[empty] ; at all\n[other]\na = 1\n");
	s = conf_find_section(&c, "empty");
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(s->line, 3);
	CU_ASSERT_PTR_NOT_NULL(conf_find_section(&c, "other"));
	CU_ASSERT_PTR_NULL(conf_find_section(&c, "third"));
	conf_fini(&c);
}

static void keys_of_a_malformed_section_are_in_no_other(void)
{
	struct conf c;

	begin(&c);
	conf_parse(&c, "x", "[a]\nk = 1\n[b\nk = 2\n[c]\nk = 3\n");
	CU_ASSERT_EQUAL(c.errors, 1);
	CU_ASSERT_STRING_EQUAL(value(&c, "a", "k"), "1");
	CU_ASSERT_STRING_EQUAL(value(&c, "c", "k"), "3");
	conf_fini(&c);
}

static void a_long_line_arrives_whole_or_is_refused(void)
{
	char *text = malloc(2 * CONF_LINE_MAX);
	struct conf c;
	size_t n;

	for (size_t len = 150; len < 2 * CONF_LINE_MAX - 64; len *= 3) {
		begin(&c);
		n = (size_t)sprintf(text, "[s]\nk = ");
		memset(text + n, 'x', len);
		strcpy(text + n + len, "\nafter = 1\n");
		conf_parse(&c, "x", text);
		if (c.errors)
			CU_ASSERT_PTR_NOT_NULL(strstr(said, "x:2: longer than"))
		else
			CU_ASSERT_EQUAL(strlen(value(&c, "s", "k")), len);
		CU_ASSERT(c.errors || len < CONF_LINE_MAX);
		CU_ASSERT_EQUAL(line(&c, "s", "after"), 3);
		conf_fini(&c);
	}
	free(text);
}

static void thousands_of_mistakes_do_not_fill_the_terminal(void)
{
	char text[4096] = "[s]\n";
	struct conf c;

	while (strlen(text) < sizeof(text) - 8)
		strcat(text, "x\n");
	begin(&c);
	conf_parse(&c, "x", text);
	CU_ASSERT(c.errors > 1000);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "further mistakes are not shown"));
	CU_ASSERT(strlen(said) < 4096);
	conf_fini(&c);
}

static void an_override_wins_wherever_it_is_given(void)
{
	struct conf c;

	for (int first = 0; first < 2; first++) {
		begin(&c);
		if (first)
			conf_override(&c, "s.k=over");
		conf_parse(&c, "x", "[s]\nk = file\nother = 1\n");
		if (!first)
			conf_override(&c, "s.k=over");
		CU_ASSERT_STRING_EQUAL(value(&c, "s", "k"), "over");
		CU_ASSERT_STRING_EQUAL(value(&c, "s", "other"), "1");
		CU_ASSERT_PTR_NOT_NULL(conf_find_section(&c, "s"));
		conf_fini(&c);
	}
}

static void an_override_is_section_key_value(void)
{
	static const struct {
		const char *setting;
		const char *value; /* NULL: refused */
	} cases[] = {
		{ "s.k=v", "v" },       { "s.k=", "" },
		{ "s.k= v w ", "v w" }, { "s.k=a.b=c", "a.b=c" },
		{ "s.k", NULL },        { "k=v", NULL },
		{ ".k=v", NULL },       { "s.=v", NULL },
		{ "", NULL },           { "s k.k=v", NULL },
		{ "s.k=a\nb", NULL },   { "s.k=a ; b", NULL },
		{ "s.k=#a", "#a" },     { "k=s.v", NULL },
	};
	struct conf c;
	int err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(&c);
		err = conf_override(&c, cases[i].setting);
		CU_ASSERT_EQUAL(err, cases[i].value ? 0 : -EINVAL);
		CU_ASSERT_STRING_EQUAL(value(&c, "s", "k"),
				       cases[i].value ? cases[i].value :
							"(none)");
		CU_ASSERT_EQUAL(c.errors, !cases[i].value);
		conf_fini(&c);
	}
}

static void a_mistake_says_where_it_is(void)
{
	struct conf c;

	begin(&c);
	conf_parse(&c, "sluice.ini", "\n[guard]\nport = 70000\n");
	conf_override(&c, "guard.mode=x");
	conf_error(&c, conf_find(&c, "guard", "port"), "%d is above 65535",
		   70000);
	conf_error(&c, conf_find(&c, "guard", "mode"), "bad");
	conf_section_error(&c, conf_find_section(&c, "guard"), "is bad");
	conf_error(&c, NULL, "all is bad");
	CU_ASSERT_STRING_EQUAL(said,
			       "sluice.ini:3: [guard] port: 70000 is above "
			       "65535\n"
			       "-o guard.mode: bad\n"
			       "sluice.ini:2: [guard] is bad\n"
			       "all is bad\n");
	CU_ASSERT_EQUAL(c.errors, 4);
	conf_fini(&c);
}

static void the_nearest_name_is_found(void)
{
	static const char *const names[] = { "address", "mtu",         "name",
					     "offload", "tcp-forward", NULL };
	static const struct {
		const char *word, *near;
	} cases[] = {
		{ "adress", "address" },
		{ "addresss", "address" },
		{ "adderss", "address" },
		{ "mut", "mtu" },
		{ "MTU", "mtu" },
		{ "tcp-foward", "tcp-forward" },
		{ "tcpforward", "tcp-forward" },
		{ "zzz", NULL },
		{ "completely-else", NULL },
		{ "", NULL },
	};
	const char *near;
	char many[1000];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		near = conf_nearest(cases[i].word, names);
		CU_ASSERT_STRING_EQUAL(near ? near : "(none)",
				       cases[i].near ? cases[i].near :
						       "(none)");
	}
	memset(many, 'a', sizeof(many));
	many[sizeof(many) - 1] = '\0';
	CU_ASSERT_PTR_NULL(conf_nearest(many, names));
}

/* A file with these bytes; unlink(path) when done. */
static void make_file(char *path, const void *bytes, size_t len, mode_t mode)
{
	int fd;

	strcpy(path, "/tmp/test_conf.XXXXXX");
	fd = mkstemp(path);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, bytes, len), (ssize_t)len);
	CU_ASSERT_EQUAL(fchmod(fd, mode), 0);
	close(fd);
}

static void a_file_is_read(void)
{
	char path[32];
	struct conf c;

	begin(&c);
	make_file(path, "[s]\nk = v\n", 10, 0600);
	CU_ASSERT_EQUAL(conf_read(&c, path), 0);
	CU_ASSERT_STRING_EQUAL(value(&c, "s", "k"), "v");
	CU_ASSERT_STRING_EQUAL(conf_find(&c, "s", "k")->file, path);
	conf_fini(&c);
	unlink(path);
}

static void a_file_with_a_nul_is_no_text(void)
{
	char path[32];
	struct conf c;

	begin(&c);
	make_file(path, "[s]\nk = v\0w\nl = 1\n", 18, 0600);
	CU_ASSERT_EQUAL(conf_read(&c, path), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, ":2: a control character"));
	CU_ASSERT_STRING_EQUAL(value(&c, "s", "l"), "1");
	conf_fini(&c);
	unlink(path);
}

static void a_file_others_may_write_to_is_refused(void)
{
	char path[32];
	struct conf c;

	begin(&c);
	make_file(path, "[s]\nk = v\n", 10, 0602);
	CU_ASSERT_EQUAL(conf_read(&c, path), -EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "anyone may write to it"));
	CU_ASSERT_EQUAL(c.errors, 1);
	CU_ASSERT_PTR_NULL(c.entries);
	conf_fini(&c);
	unlink(path);
}

static void a_file_of_somebody_else_is_refused(void)
{
	struct stat st = { .st_uid = geteuid() + 4711, .st_mode = 0600 };

	CU_ASSERT_PTR_NOT_NULL(conf_untrusted(&st));
	st.st_uid = geteuid();
	CU_ASSERT_PTR_NULL(conf_untrusted(&st));
	st.st_uid = 0;
	CU_ASSERT_PTR_NULL(conf_untrusted(&st));
	st.st_gid = getegid() + 4711;
	st.st_mode = 0660;
	CU_ASSERT_PTR_NOT_NULL(conf_untrusted(&st));
}

static void a_file_that_cannot_be_read_is_named(void)
{
	struct conf c;

	begin(&c);
	CU_ASSERT_EQUAL(conf_read(&c, "/nonexistent/x.ini"), -ENOENT);
	CU_ASSERT_EQUAL(conf_read(&c, "/"), -EISDIR);
	CU_ASSERT_STRING_EQUAL(said,
			       "/nonexistent/x.ini: No such file or directory\n"
			       "/: Is a directory\n");
	conf_fini(&c);
}

static void no_file_at_all_is_an_empty_one(void)
{
	struct conf c;

	begin(&c);
	CU_ASSERT_EQUAL(conf_read(&c, "/dev/null"), 0);
	CU_ASSERT_EQUAL(c.errors, 0);
	conf_fini(&c);
}

static void a_file_without_end_is_refused(void)
{
	struct conf c;

	begin(&c);
	CU_ASSERT_EQUAL(conf_read(&c, "/dev/zero"), -EFBIG);
	CU_ASSERT_STRING_EQUAL(said, "/dev/zero: File too large\n");
	conf_fini(&c);
}

static void what_is_defined_can_be_looked_up(void)
{
	struct conf c;

	begin(&c);
	CU_ASSERT_EQUAL(conf_define(&c, "tun", "fwmark", "7"), 0);
	CU_ASSERT_STRING_EQUAL(conf_setting(&c, "tun.fwmark"), "7");
	CU_ASSERT_PTR_NULL(conf_setting(&c, "tun.fwmar"));
	CU_ASSERT_PTR_NULL(conf_setting(&c, "tun"));
	CU_ASSERT_PTR_NULL(conf_setting(&c, "tu.nfwmark"));
	conf_fini(&c);
}

static const struct unit_test tests[] = {
	UNIT(a_line_is_a_key_and_a_value),
	UNIT(a_malformed_line_is_named),
	UNIT(an_indented_line_is_not_more_of_the_one_before),
	UNIT(a_last_line_needs_no_newline),
	UNIT(an_empty_section_is_seen),
	UNIT(keys_of_a_malformed_section_are_in_no_other),
	UNIT(a_long_line_arrives_whole_or_is_refused),
	UNIT(thousands_of_mistakes_do_not_fill_the_terminal),
	UNIT(an_override_wins_wherever_it_is_given),
	UNIT(an_override_is_section_key_value),
	UNIT(a_mistake_says_where_it_is),
	UNIT(the_nearest_name_is_found),
	UNIT(a_file_is_read),
	UNIT(a_file_with_a_nul_is_no_text),
	UNIT(a_file_others_may_write_to_is_refused),
	UNIT(a_file_of_somebody_else_is_refused),
	UNIT(a_file_that_cannot_be_read_is_named),
	UNIT(no_file_at_all_is_an_empty_one),
	UNIT(a_file_without_end_is_refused),
	UNIT(what_is_defined_can_be_looked_up),
};

UNIT_MAIN("conf", tests)
