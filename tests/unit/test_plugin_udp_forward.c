/* SPDX-License-Identifier: MIT */
/* test_plugin_udp_forward.c - what udp-forward asks of the core */
#include "addr.h"
#include "fakecore.h"
#include "unit.h"

extern const struct sluice_plugin sluice_plugin_udp_forward;
#define PLUGIN (&sluice_plugin_udp_forward)

static void a_session_goes_where_the_app_wanted(void)
{
	static const char *const dst[] = { "192.0.2.1:443",
					   "[2001:db8::1]:443" };

	for (int i = 0; i < 2; i++) {
		struct fake *k = fake_new(PLUGIN, "");
		struct fake_flow *f =
			fake_flow_new(k, SLUICE_UDP, "10.0.0.2:4000", dst[i]);

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
		fake_flow_new(k, SLUICE_UDP, "10.0.0.2:1", "192.0.2.1:2");

	fake_flow_open(f);
	CU_ASSERT_EQUAL(f->idle_ms, 60000);
	CU_ASSERT_EQUAL(f->mapping, SLUICE_PEERS_ANY);
	CU_ASSERT_EQUAL(f->filtering, SLUICE_PEERS_ANY);
	fake_end(k);
}

static void options_reach_the_session(void)
{
	static const struct {
		const char *options;
		uint32_t mapping, filtering, idle;
	} cases[] = {
		{ "mapping = pair", SLUICE_PEERS_PORT, SLUICE_PEERS_ANY,
		  60000 },
		{ "filtering = address", SLUICE_PEERS_ANY, SLUICE_PEERS_ADDR,
		  60000 },
		{ "filtering = port\nidle-timeout = 300s", SLUICE_PEERS_ANY,
		  SLUICE_PEERS_PORT, 300000 },
		{ "mapping = endpoint\nfiltering = endpoint\nidle-timeout = 0",
		  SLUICE_PEERS_ANY, SLUICE_PEERS_ANY, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fake *k = fake_new(PLUGIN, cases[i].options);
		struct fake_flow *f = fake_flow_new(k, SLUICE_UDP, "10.0.0.2:1",
						    "192.0.2.1:2");

		fake_flow_open(f);
		CU_ASSERT_EQUAL(f->mapping, cases[i].mapping);
		CU_ASSERT_EQUAL(f->filtering, cases[i].filtering);
		CU_ASSERT_EQUAL(f->idle_ms, cases[i].idle);
		fake_end(k);
	}
}

/* UDP-7 */
static void dropped_ports_look_closed(void)
{
	static const struct {
		const char *dst;
		bool dropped;
	} cases[] = {
		{ "192.0.2.1:443", true },       { "[2001:db8::1]:80", true },
		{ "192.0.2.1:65535", true },     { "192.0.2.1:444", false },
		{ "[2001:db8::1]:8080", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fake *k = fake_new(PLUGIN, "drop-ports = 443 80\n"
						  "drop-ports = 65535");
		struct fake_flow *f = fake_flow_new(k, SLUICE_UDP, "10.0.0.2:1",
						    cases[i].dst);

		CU_ASSERT_EQUAL(fake_flow_open(f),
				cases[i].dropped ? SLUICE_DROP : SLUICE_LATER);
		CU_ASSERT_EQUAL(f->connected, !cases[i].dropped);
		if (cases[i].dropped) {
			CU_ASSERT(f->aborted);
			CU_ASSERT_EQUAL(f->why, SLUICE_WHY_REFUSED);
		}
		fake_end(k);
	}
}

static void bad_options_are_refused(void)
{
	static const char *const cases[] = {
		"mapping = symmetric",
		"filtering = none",
		"idle-timeout = -1s",
		"drop-port = 443",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[256] = "";
		struct fake *k;

		CU_ASSERT(fake_create(PLUGIN, cases[i], &k, text) < 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, "test:2"));
	}
}

static void what_is_no_port_is_named(void)
{
	static const char *const cases[] = {
		"0", "65536", "quic", "-1", "80x", "99999999999999999", "0x50"
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char options[64], text[256] = "";
		struct fake *k;

		snprintf(options, sizeof(options), "drop-ports = 443 %s",
			 cases[i]);
		CU_ASSERT(fake_create(PLUGIN, options, &k, text) < 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, cases[i]));
	}
}

/* clang-format off */
static const struct unit_test tests[] = {
	UNIT(a_session_goes_where_the_app_wanted),
	UNIT(the_presets_are_those_of_the_manual),
	UNIT(options_reach_the_session),
	UNIT(dropped_ports_look_closed),
	UNIT(bad_options_are_refused),
	UNIT(what_is_no_port_is_named),
};
/* clang-format on */

UNIT_MAIN("udp-forward", tests)
