/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <time.h>

#include "gateway.h"
#include "log.h"

/* ------------------------------------------------- plugins for the tests */

/* What was called, as "create:a start:a ..."; and what to do in it. */
static char calls[1024];
static const char *fail_create, *fail_start;

struct note_options {
	const char *mark;
	int64_t limit;
};

struct note {
	struct sluice_ctx *ctx;
	const struct note_options *o;
};

static void called(const char *what, const struct note *n)
{
	size_t len = strlen(calls);

	snprintf(calls + len, sizeof(calls) - len, "%s%s:%s", len ? " " : "",
		 what, n->o->mark);
}

static int note_create(struct sluice_ctx *ctx, const void *options, void **self)
{
	struct note *n = calloc(1, sizeof(*n));

	n->ctx = ctx;
	n->o = options;
	called("create", n);
	if (fail_create && !strcmp(fail_create, n->o->mark)) {
		free(n);
		return sluice_fail(ctx, ENOENT, "/etc/list: %s",
				   strerror(ENOENT));
	}
	*self = n;
	return 0;
}

static int note_start(void *self)
{
	struct note *n = self;

	called("start", n);
	if (fail_start && !strcmp(fail_start, n->o->mark))
		return -EADDRINUSE;
	return 0;
}

static void note_stop(void *self)
{
	called("stop", self);
}

static void note_destroy(void *self)
{
	called("destroy", self);
	free(self);
}

static int drop_flow(void *self, struct sluice_flow *f)
{
	(void)self;
	(void)f;
	return SLUICE_DROP;
}

static int drop_socket(void *self, struct sluice_socket *s)
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

static const struct sluice_option note_options[] = {
	{ .key = "mark",
	  .preset = "?",
	  .help = "x",
	  .type = SLUICE_OPT_STR,
	  .offset = offsetof(struct note_options, mark) },
	{ .key = "limit",
	  .preset = "1",
	  .help = "x",
	  .type = SLUICE_OPT_INT,
	  .offset = offsetof(struct note_options, limit),
	  .min = 1,
	  .max = 9 },
	{ .key = NULL }
};

static const struct sluice_flow_ops note_flow = {
	.size = sizeof(note_flow),
	.flags = SLUICE_FLOW_TCP,
	.open = drop_flow,
};

static const struct sluice_protect_ops note_protect = {
	.size = sizeof(note_protect),
	.protect = drop_socket,
};

static const struct sluice_observe_ops note_observe = {
	.size = sizeof(note_observe),
	.flags = SLUICE_SEE_TICK,
	.tick = see_tick,
};

#define NOTE                                                       \
	SLUICE_HEAD, .options = note_options,                      \
		     .options_bytes = sizeof(struct note_options), \
		     .create = note_create, .start = note_start,   \
		     .stop = note_stop, .destroy = note_destroy

static const struct sluice_plugin note = {
	NOTE,
	.name = "note",
	.flow = &note_flow,
	.protect = &note_protect,
};

static const struct sluice_plugin watch = {
	NOTE,
	.name = "watch",
	.observe = &note_observe,
};

/* --------------------------------------------------------------- worlds */

static char said[4096]; /* mistakes, and lines of the log */

static void listen_to(void *arg, const char *text)
{
	size_t len = strlen(said);

	(void)arg;
	snprintf(said + len, sizeof(said) - len, "%s\n", text);
}

static void listen_to_log(void *arg, int level, const char *line)
{
	(void)level;
	listen_to(arg, line);
}

struct world {
	struct gateway gw;
	const char *const *names[CHAIN_CLASSES];
	const char *words[CHAIN_CLASSES][8];
	int err;
};

/* A gateway with the chains of text, "tcp = a b" lines and sections. */
static struct world *world_begin(const char *text)
{
	struct world *w = calloc(1, sizeof(*w));
	char why[REGISTRY_TEXT];

	said[0] = calls[0] = '\0';
	fail_create = fail_start = NULL;
	log_to(listen_to_log, NULL);
	conf_init(&w->gw.conf, listen_to, NULL);
	CU_ASSERT_EQUAL(loop_init(&w->gw.loop), 0);
	CU_ASSERT_PTR_NOT_NULL(
		registry_add(&w->gw.registry, &note, why, sizeof(why)));
	CU_ASSERT_PTR_NOT_NULL(
		registry_add(&w->gw.registry, &watch, why, sizeof(why)));
	conf_override(&w->gw.conf, "gateway.unprotected=allow");
	conf_override(&w->gw.conf, "chain.udp=");
	conf_override(&w->gw.conf, "chain.dns=");
	conf_parse(&w->gw.conf, "x", text);
	CU_ASSERT_EQUAL(settings_load(&w->gw.set, &w->gw.conf), 0);
	for (int i = 0; i < CHAIN_CLASSES; i++)
		w->names[i] = w->gw.set.chain.of[i];
	w->err = chain_build(&w->gw.chains, &w->gw, &w->gw.registry,
			     &w->gw.conf, w->names);
	return w;
}

static void world_end(struct world *w)
{
	chain_stop(&w->gw.chains);
	chain_destroy(&w->gw.chains);
	chain_fini(&w->gw.chains);
	settings_fini(&w->gw.set);
	conf_fini(&w->gw.conf);
	registry_fini(&w->gw.registry);
	loop_fini(&w->gw.loop);
	log_to(NULL, NULL);
	free(w);
}

/* A chain as "a b c". */
static const char *chain_text(const struct world *w, int class)
{
	static char buf[256];

	buf[0] = '\0';
	for (struct instance **at = w->gw.chains.of[class]; *at; at++)
		snprintf(buf + strlen(buf), sizeof(buf) - strlen(buf), "%s%s",
			 *buf ? " " : "", (*at)->name);
	return buf;
}

#define TWO                                                            \
	"[chain]\ntcp = a b\nprotect = b\nobserve = eye\n"             \
	"[a]\nplugin = note\nmark = A\n[b]\nplugin = note\nmark = B\n" \
	"[eye]\nplugin = watch\nmark = E\n"

static void chains_are_in_the_order_of_the_file(void)
{
	struct world *w = world_begin(TWO);

	CU_ASSERT_EQUAL(w->err, 0);
	CU_ASSERT_STRING_EQUAL(chain_text(w, CHAIN_TCP), "a b");
	CU_ASSERT_STRING_EQUAL(chain_text(w, CHAIN_UDP), "");
	CU_ASSERT_STRING_EQUAL(chain_text(w, CHAIN_PROTECT), "b");
	CU_ASSERT_STRING_EQUAL(chain_text(w, CHAIN_OBSERVE), "eye");
	CU_ASSERT_EQUAL(w->gw.chains.see, SLUICE_SEE_TICK);
	CU_ASSERT_STRING_EQUAL(calls, "");
	world_end(w);
}

static void a_section_is_one_instance_in_all_chains(void)
{
	struct world *w = world_begin(TWO);
	struct chains *ch = &w->gw.chains;

	CU_ASSERT_PTR_EQUAL(ch->of[CHAIN_TCP][1], ch->of[CHAIN_PROTECT][0]);
	CU_ASSERT_EQUAL(ch->of[CHAIN_TCP][1]->classes,
			1u << CHAIN_TCP | 1u << CHAIN_PROTECT);
	world_end(w);
}

static void it_ends_in_reverse(void)
{
	struct world *w = world_begin(TWO);

	CU_ASSERT_EQUAL(chain_create(&w->gw.chains), 0);
	CU_ASSERT_EQUAL(chain_start(&w->gw.chains), 0);
	chain_stop(&w->gw.chains);
	chain_destroy(&w->gw.chains);
	CU_ASSERT_STRING_EQUAL(calls, "create:A create:B create:E "
				      "start:A start:B start:E "
				      "stop:E stop:B stop:A "
				      "destroy:E destroy:B destroy:A");
	CU_ASSERT_STRING_EQUAL(said, "");
	world_end(w);
}

static void a_name_needs_no_section(void)
{
	struct world *w = world_begin("[chain]\ntcp = note\n");

	CU_ASSERT_EQUAL(w->err, 0);
	CU_ASSERT_EQUAL(chain_create(&w->gw.chains), 0);
	CU_ASSERT_STRING_EQUAL(calls, "create:?");
	world_end(w);
}

/* As in etc/sluice.ini, whichever plugins its chains name. */
static void a_section_without_a_key_needs_no_chain(void)
{
	struct world *w = world_begin("[chain]\ntcp = note\n[watch]\n");

	CU_ASSERT_EQUAL(w->err, 0);
	CU_ASSERT_STRING_EQUAL(said, "");
	world_end(w);
	w = world_begin("[chain]\ntcp = note\n[watch]\nplugin = watch\n");
	CU_ASSERT_STRING_EQUAL(said, "x:3: [watch] is in no chain\n");
	world_end(w);
}

static void a_mistake_is_told_with_its_place(void)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "[chain]\ntcp = note\n[blcoklist]\nk = v\n",
		  "x:3: [blcoklist] is in no chain\n" },
		{ "[chain]\ntcp = note\n[noet]\n",
		  "x:3: [noet] is in no chain; did you mean [note]?\n" },
		{ "[chain]\ntcp = note\n[gatway]\n",
		  "x:3: [gatway] is in no chain; did you mean [gateway]?\n" },
		{ "[chain]\ntcp = note note\n",
		  "x:2: [chain] tcp: note is named twice\n" },
		{ "[chain]\ntcp = dns\n[dns]\n",
		  "x:2: [chain] tcp: [dns] is a section of the gateway "
		  "itself, not of a plugin\n" },
		{ "[chain]\ntcp = watch\n",
		  "x:2: [chain] tcp: watch is no tcp plugin, but: observe\n" },
		{ "[chain]\ntcp =\nobserve = note\n",
		  "x:3: [chain] observe: note is no observe plugin, but: tcp, "
		  "protect\n" },
		{ "[chain]\ntcp = note\n[note]\nlimit = 10\n",
		  "x:4: [note] limit: 10 is above 9\n" },
		{ "[chain]\ntcp = note\n[note]\nlimti = 1\n",
		  "x:4: [note] limti: unknown key; did you mean limit?\n" },
		{ "[chain]\ntcp = note\n[note]\noptional = perhaps\n",
		  "x:4: [note] optional: 'perhaps' is neither yes nor no\n" },
	};
	struct world *w;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		w = world_begin(cases[i].text);
		CU_ASSERT_EQUAL(w->err, -EINVAL);
		CU_ASSERT_STRING_EQUAL(said, cases[i].said);
		if (strcmp(said, cases[i].said))
			printf("# %s", said);
		world_end(w);
	}
}

static void an_unknown_plugin_is_told_once_where_it_is_named(void)
{
	struct world *w = world_begin("[chain]\ntcp = x\nprotect = x\n"
				      "observe = y\n[y]\nplugin = /no/y.so\n");

	CU_ASSERT_EQUAL(w->err, -EINVAL);
	CU_ASSERT_EQUAL(w->gw.conf.errors, 2);
	CU_ASSERT_EQUAL(
		strncmp(said, "x:2: [chain] tcp: there is no plugin 'x' (", 42),
		0);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "x:6: [y] plugin: "));
	world_end(w);
}

static void an_override_of_no_section_is_a_mistake(void)
{
	struct world *w = world_begin("[chain]\ntcp = note\n");
	struct chains again;

	conf_override(&w->gw.conf, "nobody.key=1");
	CU_ASSERT_EQUAL(chain_build(&again, &w->gw, &w->gw.registry,
				    &w->gw.conf, w->names),
			-EINVAL);
	CU_ASSERT_STRING_EQUAL(said, "-o: [nobody] is in no chain\n");
	chain_fini(&again);
	world_end(w);
}

static void a_failed_create_ends_the_start(void)
{
	struct world *w = world_begin(TWO);

	fail_create = "B";
	CU_ASSERT_EQUAL(chain_create(&w->gw.chains), -ENOENT);
	CU_ASSERT_STRING_EQUAL(calls, "create:A create:B destroy:A");
	CU_ASSERT_STRING_EQUAL(said, "x:8: [b] note: /etc/list: No such file "
				     "or directory\n");
	world_end(w);
}

static void a_failed_start_ends_the_start(void)
{
	struct world *w = world_begin(TWO);

	fail_start = "B";
	CU_ASSERT_EQUAL(chain_create(&w->gw.chains), 0);
	CU_ASSERT_EQUAL(chain_start(&w->gw.chains), -EADDRINUSE);
	chain_stop(&w->gw.chains);
	chain_destroy(&w->gw.chains);
	CU_ASSERT_STRING_EQUAL(calls, "create:A create:B create:E start:A "
				      "start:B stop:A "
				      "destroy:E destroy:B destroy:A");
	CU_ASSERT_STRING_EQUAL(said, "x:8: [b] note: Address already in "
				     "use\n");
	world_end(w);
}

static void an_optional_plugin_is_left_out(void)
{
	static const char text[] = TWO "[b]\noptional = yes\n";
	struct world *w;

	for (int at_start = 0; at_start < 2; at_start++) {
		w = world_begin(text);
		CU_ASSERT_EQUAL(w->err, 0);
		*(at_start ? &fail_start : &fail_create) = "B";
		CU_ASSERT_EQUAL(chain_create(&w->gw.chains), 0);
		CU_ASSERT_EQUAL(chain_start(&w->gw.chains), 0);
		CU_ASSERT_STRING_EQUAL(chain_text(w, CHAIN_TCP), "a");
		CU_ASSERT_STRING_EQUAL(chain_text(w, CHAIN_PROTECT), "");
		CU_ASSERT_PTR_NOT_NULL(
			strstr(said, "(it is optional, and left out)"));
		calls[0] = '\0';
		chain_stop(&w->gw.chains);
		chain_destroy(&w->gw.chains);
		CU_ASSERT_STRING_EQUAL(calls,
				       "stop:E stop:A destroy:E destroy:A");
		world_end(w);
	}
}

static void an_optional_plugin_may_be_missing(void)
{
	struct world *w = world_begin("[chain]\ntcp = x note\n"
				      "[x]\noptional = yes\nkey = 1\n");

	CU_ASSERT_EQUAL(w->err, 0);
	CU_ASSERT_STRING_EQUAL(chain_text(w, CHAIN_TCP), "note");
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "[x] is optional, and left out: "
					    "there is no plugin 'x'"));
	CU_ASSERT_EQUAL(chain_create(&w->gw.chains), 0);
	world_end(w);
}

static void take_a_while(unsigned ms)
{
	struct timespec t = { .tv_nsec = (long)ms * 1000000 };

	nanosleep(&t, NULL);
}

static void a_slow_call_is_told_by_name_once_a_second(void)
{
	struct world *w = world_begin(TWO);
	struct instance *in = w->gw.chains.instances;
	uint64_t t;

	for (int i = 0; i < 3; i++) {
		t = chain_enter(in);
		take_a_while(130);
		chain_leave(in, t, "open");
	}
	CU_ASSERT_EQUAL(in->calls_slow, 3);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, plugin_slow), 3);
	CU_ASSERT_EQUAL(strncmp(said, "plugin a: open() took 1", 23), 0);
	CU_ASSERT_PTR_EQUAL(strchr(said, '\n'), said + strlen(said) - 1);
	said[0] = '\0';
	t = chain_enter(in);
	chain_leave(in, t, "open");
	CU_ASSERT_STRING_EQUAL(said, "");
	world_end(w);
}

static void who_is_at_work_is_known_at_any_depth(void)
{
	struct world *w = world_begin(TWO);
	struct instance *a = w->gw.chains.instances, *b = a->next;
	uint64_t t[3];

	t[0] = chain_enter(a);
	t[1] = chain_enter(b);
	CU_ASSERT_PTR_EQUAL(w->gw.at_work, b);
	t[2] = chain_enter(b);
	chain_leave(b, t[2], "x");
	CU_ASSERT_PTR_EQUAL(w->gw.at_work, b);
	chain_leave(b, t[1], "x");
	CU_ASSERT_PTR_EQUAL(w->gw.at_work, a);
	chain_leave(a, t[0], "x");
	CU_ASSERT_PTR_NULL(w->gw.at_work);
	world_end(w);
}

static void a_failure_is_counted_and_told_once_a_second(void)
{
	struct world *w = world_begin(TWO);
	struct instance *in = w->gw.chains.instances;

	strcpy(in->error, "no more rules");
	chain_failed(in, "open", -EINVAL);
	CU_ASSERT_STRING_EQUAL(said, "plugin a: open(): no more rules\n");
	CU_ASSERT_STRING_EQUAL(in->error, "");
	chain_failed(in, "open", -EINVAL);
	chain_failed(in, "open", -EINVAL);
	CU_ASSERT_EQUAL(in->errors, 3);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, plugin_errors), 3);
	CU_ASSERT_STRING_EQUAL(said, "plugin a: open(): no more rules\n");
	in->fail_at = 0;
	chain_failed(in, "open", -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(said, "open(): Invalid argument (2 more like it)\n"));
	world_end(w);
}

static const struct unit_test tests[] = {
	UNIT(chains_are_in_the_order_of_the_file),
	UNIT(a_section_is_one_instance_in_all_chains),
	UNIT(it_ends_in_reverse),
	UNIT(a_name_needs_no_section),
	UNIT(a_section_without_a_key_needs_no_chain),
	UNIT(a_mistake_is_told_with_its_place),
	UNIT(an_unknown_plugin_is_told_once_where_it_is_named),
	UNIT(an_override_of_no_section_is_a_mistake),
	UNIT(a_failed_create_ends_the_start),
	UNIT(a_failed_start_ends_the_start),
	UNIT(an_optional_plugin_is_left_out),
	UNIT(an_optional_plugin_may_be_missing),
	UNIT(a_slow_call_is_told_by_name_once_a_second),
	UNIT(who_is_at_work_is_known_at_any_depth),
	UNIT(a_failure_is_counted_and_told_once_a_second),
};

UNIT_MAIN("chain", tests)
