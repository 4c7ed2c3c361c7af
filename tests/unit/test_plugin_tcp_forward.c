/* SPDX-License-Identifier: MIT */
/* test_plugin_tcp_forward.c - what tcp-forward asks of the core */
#include "addr.h"
#include "fakecore.h"
#include "unit.h"

extern const struct sluice_plugin sluice_plugin_tcp_forward;
#define PLUGIN (&sluice_plugin_tcp_forward)

static void a_flow_goes_where_the_app_wanted(void)
{
	static const char *const dst[] = { "192.0.2.1:443",
					   "[2001:db8::1]:443" };

	for (int i = 0; i < 2; i++) {
		struct fake *k = fake_new(PLUGIN, "");
		struct fake_flow *f =
			fake_flow_new(k, SLUICE_TCP, "10.0.0.2:4000", dst[i]);

		CU_ASSERT_EQUAL(fake_flow_open(f), SLUICE_LATER);
		CU_ASSERT(f->connected);
		CU_ASSERT(addr_equal(&f->connect_to, &f->info.dst));
		fake_end(k);
	}
}

static void the_presets_are_those_of_the_manual(void)
{
	struct fake *k = fake_new(PLUGIN, "");
	struct fake_flow *f =
		fake_flow_new(k, SLUICE_TCP, "10.0.0.2:1", "192.0.2.1:2");

	fake_flow_open(f);
	CU_ASSERT_EQUAL(f->connect_how.timeout_ms, 30000);
	CU_ASSERT_EQUAL(f->connect_how.flags, 0);
	CU_ASSERT_EQUAL(f->connect_how.keepalive_ms, 0);
	CU_ASSERT_EQUAL(f->idle_ms, 7440 * 1000); /* RFC 5382, REQ-5 */
	CU_ASSERT_EQUAL(f->half_ms, 240 * 1000);
	fake_end(k);
}

static void options_reach_the_flow(void)
{
	struct fake *k = fake_new(PLUGIN, "accept = early\n"
					  "connect-timeout = 250ms\n"
					  "idle-timeout = 2h\n"
					  "half-close-timeout = 5m\n"
					  "keepalive = 60s");
	struct fake_flow *f =
		fake_flow_new(k, SLUICE_TCP, "10.0.0.2:1", "192.0.2.1:2");

	fake_flow_open(f);
	CU_ASSERT_EQUAL(f->connect_how.flags, SLUICE_CONNECT_EARLY);
	CU_ASSERT_EQUAL(f->connect_how.timeout_ms, 250);
	CU_ASSERT_EQUAL(f->connect_how.keepalive_ms, 60000);
	CU_ASSERT_EQUAL(f->idle_ms, 2 * 3600 * 1000);
	CU_ASSERT_EQUAL(f->half_ms, 5 * 60 * 1000);
	fake_end(k);
}

static void bad_options_are_refused(void)
{
	static const char *const cases[] = {
		"connect-timeout = 0",     "connect-timeout = soon",
		"accept = sometimes",      "idle-timeout = -1s",
		"idle-timeout = 5000000s", "half-close = 3s",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[256] = "";
		struct fake *k;

		CU_ASSERT(fake_create(PLUGIN, cases[i], &k, text) < 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, "test:2"));
	}
}

static const struct unit_test tests[] = {
	UNIT(a_flow_goes_where_the_app_wanted),
	UNIT(the_presets_are_those_of_the_manual),
	UNIT(options_reach_the_flow),
	UNIT(bad_options_are_refused),
};

UNIT_MAIN("tcp-forward", tests)
