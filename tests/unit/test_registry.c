/* SPDX-License-Identifier: MIT */
#include "autoconf.h"

#include "unit.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin_check.h"
#include "registry.h"

/* A plugin of each class; a test copies what it wants to break. */

static int open_flow(void *self, struct sluice_flow *f)
{
	(void)self;
	(void)f;
	return SLUICE_DROP;
}

static int query_dns(void *self, struct sluice_query *q)
{
	(void)self;
	(void)q;
	return SLUICE_DROP;
}

static int protect_socket(void *self, struct sluice_socket *s)
{
	(void)self;
	(void)s;
	return SLUICE_DROP;
}

static void see_tick(void *self, uint64_t now)
{
	(void)self;
	(void)now;
}

static const struct sluice_flow_ops flow = {
	.size = sizeof(flow),
	.flags = SLUICE_FLOW_TCP,
	.open = open_flow,
};

static const struct sluice_dns_ops dns = {
	.size = sizeof(dns),
	.query = query_dns,
};

static const struct sluice_protect_ops protect = {
	.size = sizeof(protect),
	.protect = protect_socket,
};

static const struct sluice_observe_ops observe = {
	.size = sizeof(observe),
	.flags = SLUICE_SEE_TICK | SLUICE_SEE_PACKETS,
	.tick = see_tick,
};

static const struct sluice_plugin good = {
	SLUICE_HEAD, .name = "good",      .flow = &flow,
	.dns = &dns, .protect = &protect, .observe = &observe,
};

static struct plugin *add(struct registry *r, const struct sluice_plugin *t)
{
	static char text[REGISTRY_TEXT];
	struct plugin *p = registry_add(r, t, text, sizeof(text));

	if (!p)
		printf("# %s\n", text);
	return p;
}

static void gaps_are_filled(void)
{
	struct registry r = { .list = NULL };
	struct plugin *p = add(&r, &good);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_PTR_EQUAL(p->flow.open, open_flow);
	CU_ASSERT_EQUAL(p->flow.idle(NULL, NULL), SLUICE_DROP);
	CU_ASSERT_EQUAL(p->dns.reply(NULL, NULL, NULL, 0), SLUICE_PASS);
	CU_ASSERT_EQUAL(p->head.create(NULL, NULL, NULL), 0);
	CU_ASSERT_EQUAL(p->head.start(NULL), 0);
	p->flow.readable(NULL, NULL);
	p->flow.writable(NULL, NULL);
	p->flow.eof(NULL, NULL);
	p->flow.close(NULL, NULL, 0);
	p->observe.packets(NULL, NULL, 0);
	p->observe.flow(NULL, NULL);
	p->observe.dns(NULL, NULL);
	p->head.stop(NULL);
	p->head.destroy(NULL);
	CU_ASSERT_STRING_EQUAL(p->head.version, "");
	CU_ASSERT_STRING_EQUAL(p->head.summary, "");
	CU_ASSERT_STRING_EQUAL(p->head.license, "");
	registry_fini(&r);
}

static void an_observer_is_not_shown_what_it_has_no_function_for(void)
{
	struct registry r = { .list = NULL };
	struct plugin *p = add(&r, &good);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL(p->observe.flags, SLUICE_SEE_TICK);
	registry_fini(&r);
}

/* A table that grew at its end, as a newer plugin's did. */
static void a_larger_table_of_a_newer_plugin_is_read(void)
{
	static const struct {
		struct sluice_flow_ops ops;
		void (*newer)(void);
	} wide = { .ops = { .size = sizeof(wide),
			    .flags = SLUICE_FLOW_UDP,
			    .open = open_flow } };
	static const struct {
		struct sluice_plugin head;
		void *newer;
	} bigger = { .head = { .magic = SLUICE_MAGIC,
			       .abi = SLUICE_ABI + 1,
			       .needs = SLUICE_ABI,
			       .size = sizeof(bigger),
			       .option_size = sizeof(struct sluice_option),
			       .name = "newer",
			       .flow = &wide.ops } };
	struct registry r = { .list = NULL };
	struct plugin *p = add(&r, &bigger.head);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL(p->flow.flags, SLUICE_FLOW_UDP);
	registry_fini(&r);
}

static void a_broken_table_is_refused_with_a_reason(void)
{
	static const struct sluice_flow_ops no_proto = {
		.size = sizeof(no_proto), .open = open_flow
	};
	static const struct sluice_flow_ops greedy = { .size = sizeof(greedy),
						       .flags = SLUICE_FLOW_TCP,
						       .flow_size = 5000,
						       .open = open_flow };
	static const struct sluice_dns_ops no_dns = { .size = sizeof(no_dns) };
	static const struct sluice_dns_ops huge_dns = { .size = 100000,
							.query = query_dns };
	static const struct sluice_protect_ops no_protect = {
		.size = sizeof(no_protect)
	};
	static const struct sluice_observe_ops blind = {
		.size = sizeof(blind), .flags = SLUICE_SEE_FLOWS
	};
	static const struct sluice_option row[] = {
		{ .key = "k", .preset = "x", .type = SLUICE_OPT_INT },
		{ .key = NULL }
	};
	static const struct {
		struct sluice_plugin p;
		const char *reason;
	} cases[] = {
#define HEAD_ SLUICE_HEAD, .name = "x"
		{ { HEAD_, .flow = &no_proto },
		  "its flow table asks for neither TCP nor UDP" },
		{ { HEAD_, .flow = &greedy },
		  "it wants 5000 bytes of state a flow; at most 4096 are "
		  "given" },
		{ { HEAD_, .dns = &no_dns },
		  "its dns table has neither query() nor reply()" },
		{ { HEAD_, .dns = &huge_dns },
		  "its dns table says it has 100000 bytes" },
		{ { HEAD_, .protect = &no_protect },
		  "its protect table has no protect()" },
		{ { HEAD_, .observe = &blind },
		  "its observe table sees nothing" },
		{ { HEAD_ }, "it is of no class" },
		{ { HEAD_, .flow = &flow, .options = row, .options_bytes = 8 },
		  "option k: preset 'x' is no number" },
		{ { HEAD_, .flow = &flow, .options_bytes = 1 << 20 },
		  "its option struct has 1048576 bytes" },
		{ { SLUICE_HEAD, .flow = &flow }, "'' is no name of a plugin" },
		{ { SLUICE_HEAD, .name = "9lives", .flow = &flow },
		  "'9lives' is no name of a plugin" },
		{ { SLUICE_HEAD,
		    .name = "a-name-that-is-longer-than-thirty-two",
		    .flow = &flow },
		  "'a-name-that-is-longer-than-thirty-two' is no name" },
#undef HEAD_
	};
	struct registry r = { .list = NULL };
	char text[REGISTRY_TEXT];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		text[0] = '\0';
		CU_ASSERT_PTR_NULL(
			registry_add(&r, &cases[i].p, text, sizeof(text)));
		CU_ASSERT_PTR_NOT_NULL(strstr(text, cases[i].reason));
		if (!strstr(text, cases[i].reason))
			printf("# %s\n", text);
	}
	CU_ASSERT_PTR_NULL(r.list);
}

static void an_embedders_plugin_is_found_by_name(void)
{
	struct registry r = { .list = NULL };
	struct plugin *p = add(&r, &good);
	char text[REGISTRY_TEXT];

	CU_ASSERT_PTR_EQUAL(registry_get(&r, "good", text, sizeof(text)), p);
	registry_fini(&r);
}

static void a_missing_plugin_is_named_with_a_near_one(void)
{
	struct registry r = { .list = NULL };
	char text[REGISTRY_TEXT];

	CU_ASSERT_PTR_NULL(registry_get(&r, "no-such", text, sizeof(text)));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "there is no plugin 'no-such' ("));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"sluice plugins\" lists"));
	CU_ASSERT_PTR_NULL(registry_get(&r, "tcp-foward", text, sizeof(text)));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "did you mean tcp-forward?"));
}

struct seen {
	int n, loaded, tcp_forward;
};

static void see(void *arg, const char *name, const struct plugin *p,
		const char *reason)
{
	struct seen *s = arg;

	CU_ASSERT_EQUAL(!p, reason != NULL);
	s->n++;
	s->loaded += p != NULL;
	s->tcp_forward += !strcmp(name, "tcp-forward");
}

static void all_plugins_can_be_listed(void)
{
	struct registry r = { .list = NULL };
	struct seen s = { 0, 0, 0 };

	registry_each(&r, see, &s);
	CU_ASSERT(s.n >= 5);
	CU_ASSERT_EQUAL(s.n, s.loaded);
	CU_ASSERT_EQUAL(s.tcp_forward, 1);
	registry_fini(&r);
}

/* ---------------------------------------------------------------- files */

#ifdef SLUICE_DLOPEN

static const char *test_plugin(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s.so",
		 getenv("SLUICE_TEST_PLUGINDIR") ?: ".", name);
	return path;
}

static void a_file_is_loaded_once(void)
{
	struct registry r = { .list = NULL };
	const char *path = test_plugin("fine");
	char text[REGISTRY_TEXT] = "";
	struct plugin *p = registry_get(&r, path, text, sizeof(text));

	CU_ASSERT_STRING_EQUAL(text, "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_STRING_EQUAL(p->head.name, "broken");
	CU_ASSERT_STRING_EQUAL(p->file, path);
	CU_ASSERT_PTR_EQUAL(registry_get(&r, path, text, sizeof(text)), p);
	CU_ASSERT_PTR_NULL(p->next);
	registry_fini(&r);
}

static void a_broken_file_is_refused_with_a_reason(void)
{
	static const struct {
		const char *name, *reason;
	} cases[] = {
		{ "no-symbol", "it has no symbol sluice_plugin" },
		{ "wrong-magic", "magic 0x00000001, not 0x53494c55" },
		{ "other-major", "it is built for plugin ABI 99.0" },
		{ "needs-newer", "a newer sluice is needed" },
		{ "short-table", "its plugin table has 40 bytes" },
		{ "short-flow", "its flow table says it has 8 bytes" },
		{ "bad-name", "'Bad' is no name of a plugin" },
		{ "no-class", "it is of no class" },
		{ "no-open", "its flow table has no open()" },
		{ "lying-preset", "preset 70000 is above 65535" },
		{ "lying-offset", "offset 4096 is outside of the 8 bytes" },
		{ "no-such-file", "No such file or directory" },
	};
	struct registry r = { .list = NULL };
	char text[REGISTRY_TEXT];
	const char *path;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		path = test_plugin(cases[i].name);
		text[0] = '\0';
		CU_ASSERT_PTR_NULL(registry_get(&r, path, text, sizeof(text)));
		CU_ASSERT_EQUAL(strncmp(text, path, strlen(path)), 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, cases[i].reason));
		if (!strstr(text, cases[i].reason))
			printf("# %s\n", text);
	}
	CU_ASSERT_PTR_NULL(r.list);
	registry_fini(&r);
}

/* A copy in a folder of its own; gone with remove_copy(). */
struct copy {
	char dir[32], path[64];
};

static void make_copy(struct copy *c, const char *from, mode_t mode)
{
	char command[PATH_MAX + 128];

	strcpy(c->dir, "/tmp/test_registry.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(c->dir));
	snprintf(c->path, sizeof(c->path), "%s/copy.so", c->dir);
	snprintf(command, sizeof(command), "cp '%s' '%s'", from, c->path);
	CU_ASSERT_EQUAL_FATAL(system(command), 0);
	CU_ASSERT_EQUAL(chmod(c->path, mode), 0);
}

static void remove_copy(const struct copy *c)
{
	unlink(c->path);
	rmdir(c->dir);
}

static void expect_refusal(const struct copy *c, const char *reason)
{
	struct registry r = { .list = NULL };
	char text[REGISTRY_TEXT] = "";

	CU_ASSERT_PTR_NULL(registry_get(&r, c->path, text, sizeof(text)));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, reason));
	if (!strstr(text, reason))
		printf("# %s\n", text);
	registry_fini(&r);
}

static void as_root_what_others_may_write_to_is_refused(void)
{
	struct copy c;

	if (geteuid())
		UNIT_SKIP("needs root");
	make_copy(&c, test_plugin("fine"), 0646);
	expect_refusal(&c, "anyone may write to it, and we are root");
	chmod(c.path, 0664);
	CU_ASSERT_EQUAL(chown(c.path, 0, 4711), 0);
	expect_refusal(&c, "its group may write to it, and we are root");
	chmod(c.path, 0644);
	CU_ASSERT_EQUAL(chown(c.path, 4711, 0), 0);
	expect_refusal(&c, "it belongs neither to root nor to us");
	CU_ASSERT_EQUAL(chown(c.path, 0, 0), 0);
	chmod(c.dir, 0777);
	expect_refusal(&c, "anyone may write to its folder");
	remove_copy(&c);
}

static void what_is_no_code_is_refused(void)
{
	struct copy c;

	make_copy(&c, "/etc/passwd", 0644);
	expect_refusal(&c, "copy.so: ");
	CU_ASSERT_EQUAL(truncate(c.path, 0), 0);
	expect_refusal(&c, "copy.so: ");
	unlink(c.path);
	CU_ASSERT_EQUAL(mkdir(c.path, 0755), 0);
	expect_refusal(&c, "it is no regular file");
	rmdir(c.path);
	CU_ASSERT_EQUAL(mkfifo(c.path, 0644), 0);
	expect_refusal(&c, "it is no regular file");
	remove_copy(&c);
}

#endif

static const struct unit_test tests[] = {
	UNIT(gaps_are_filled),
	UNIT(an_observer_is_not_shown_what_it_has_no_function_for),
	UNIT(a_larger_table_of_a_newer_plugin_is_read),
	UNIT(a_broken_table_is_refused_with_a_reason),
	UNIT(an_embedders_plugin_is_found_by_name),
	UNIT(a_missing_plugin_is_named_with_a_near_one),
	UNIT(all_plugins_can_be_listed),
#ifdef SLUICE_DLOPEN
	UNIT(a_file_is_loaded_once),
	UNIT(a_broken_file_is_refused_with_a_reason),
	UNIT(as_root_what_others_may_write_to_is_refused),
	UNIT(what_is_no_code_is_refused),
#endif
};

UNIT_MAIN("registry", tests)
