/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>

#include "log.h"
#include "settings.h"

static char said[4096];

static void listen_to(void *arg, const char *text)
{
	size_t len = strlen(said);

	(void)arg;
	snprintf(said + len, sizeof(said) - len, "%s\n", text);
}

struct world {
	struct conf c;
	struct settings s;
	int err;
};

static void world_begin(struct world *w, const char *text)
{
	said[0] = '\0';
	conf_init(&w->c, listen_to, NULL);
	CU_ASSERT_EQUAL(conf_parse(&w->c, "x", text), 0);
	w->err = settings_load(&w->s, &w->c);
}

static void world_end(struct world *w)
{
	settings_fini(&w->s);
	conf_fini(&w->c);
}

static const char *text_of(const struct prefix *p)
{
	static char buf[ADDR_TEXT + 8];
	char addr[ADDR_TEXT];

	snprintf(buf, sizeof(buf), "%s/%u", addr_ip_text(&p->addr, addr),
		 p->len);
	return buf;
}

/* TUN-1 */
static void without_a_file_there_is_a_gateway(void)
{
	char buf[ADDR_TEXT];
	struct world w;

	world_begin(&w, "");
	CU_ASSERT_EQUAL(w.err, 0);
	CU_ASSERT_STRING_EQUAL(said, "");
	CU_ASSERT_STRING_EQUAL(w.s.tun.name, "sluice0");
	CU_ASSERT_EQUAL(w.s.mtu, 1500);
	CU_ASSERT_EQUAL(w.s.tun.fd, -1);
	CU_ASSERT_EQUAL(w.s.tun.fwmark, 0x736c);
	CU_ASSERT_EQUAL(w.s.n_address, 2);
	CU_ASSERT_STRING_EQUAL(text_of(&w.s.address[0]), "10.0.0.2/24");
	CU_ASSERT_STRING_EQUAL(text_of(&w.s.address[1]), "fd00:736c::2/64");
	CU_ASSERT_STRING_EQUAL(addr_ip_text(&w.s.gw4, buf), "10.0.0.1");
	CU_ASSERT_STRING_EQUAL(addr_ip_text(&w.s.gw6, buf), "fd00:736c::1");
	CU_ASSERT_EQUAL(w.s.loop4.family, 0);
	CU_ASSERT_EQUAL(w.s.log_level, LOG_LEVEL_INFO);
	CU_ASSERT_EQUAL(w.s.icmp.timeout, 60000);
	CU_ASSERT_EQUAL(w.s.dns.timeout, 5000);
	CU_ASSERT_STRING_EQUAL(w.s.chain.of[CHAIN_TCP][0], "tcp-forward");
	CU_ASSERT_STRING_EQUAL(w.s.chain.of[CHAIN_UDP][0], "udp-forward");
	CU_ASSERT_STRING_EQUAL(w.s.chain.of[CHAIN_DNS][0], "dns-upstream");
	CU_ASSERT_STRING_EQUAL(w.s.chain.of[CHAIN_PROTECT][0], "protect-mark");
	CU_ASSERT_PTR_NULL(w.s.chain.of[CHAIN_OBSERVE][0]);
	world_end(&w);
}

/* TUN-3 */
static void sources_are_the_networks_of_the_device(void)
{
	struct sluice_addr a;
	struct world w;

	world_begin(&w, "[tun]\naddress = 172.31.7.2/24 fd12::2/48\n"
			"gateway = 172.31.7.1\n");
	CU_ASSERT_EQUAL(w.err, 0);
	CU_ASSERT_EQUAL(w.s.n_source, 2);
	CU_ASSERT_FALSE(w.s.source_any);
	addr_parse("172.31.7.99", 0, &a);
	CU_ASSERT_TRUE(prefix_has(&w.s.source[0], &a));
	addr_parse("172.31.8.1", 0, &a);
	CU_ASSERT_FALSE(prefix_has(&w.s.source[0], &a));
	CU_ASSERT_EQUAL(w.s.gw6.family, 0);
	world_end(&w);
	world_begin(&w, "[tun]\nsource = any\n");
	CU_ASSERT_TRUE(w.s.source_any);
	world_end(&w);
	world_begin(&w, "[tun]\nsource = 192.168.0.0/16\n");
	CU_ASSERT_EQUAL(w.s.n_source, 1);
	CU_ASSERT_STRING_EQUAL(text_of(&w.s.source[0]), "192.168.0.0/16");
	world_end(&w);
}

/* TUN-1 */
static void mtu_0_is_1500(void)
{
	struct world w;

	world_begin(&w, "[tun]\nmtu = 0\n");
	CU_ASSERT_EQUAL(w.err, 0);
	CU_ASSERT_EQUAL(w.s.mtu, 1500);
	world_end(&w);
}

static void routes_are_none_auto_or_prefixes(void)
{
	struct world w;

	world_begin(&w, "");
	CU_ASSERT_EQUAL(w.s.n_routes, 0);
	world_end(&w);
	world_begin(&w, "[tun]\nroutes = auto\nnetns = box\n");
	CU_ASSERT_EQUAL(w.s.n_routes, 2);
	CU_ASSERT_STRING_EQUAL(text_of(&w.s.routes[0]), "0.0.0.0/0");
	CU_ASSERT_STRING_EQUAL(text_of(&w.s.routes[1]), "::/0");
	world_end(&w);
	world_begin(&w, "[tun]\nroutes = 198.18.0.0/15 ::/0\n");
	CU_ASSERT_EQUAL(w.s.n_routes, 2);
	world_end(&w);
}

static void what_does_not_fit_is_explained(void)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "[tun]\naddress = 10.0.0.300/24\n",
		  "x:2: [tun] address: 10.0.0.300/24: is no prefix like "
		  "10.0.0.0/24 or fd00::/64\n" },
		{ "[tun]\naddress = 10.1.0.2/24\naddress = nonsense\n",
		  "x:3: [tun] address: nonsense: is no prefix like "
		  "10.0.0.0/24 or fd00::/64\n" },
		{ "[tun]\ngateway = 10.0.0.1 10.0.0.3\n",
		  "x:2: [tun] gateway: 10.0.0.3: a second IPv4 address\n" },
		{ "[tun]\ngateway = 10.0.0.1:53\n",
		  "x:2: [tun] gateway: 10.0.0.1:53: is no IPv4 or IPv6 "
		  "address\n" },
		{ "[tun]\ngateway = 10.0.0.2\n",
		  "x:2: [tun] gateway: 10.0.0.2 is the address of the device "
		  "as well; packets to it would never reach the gateway\n" },
		{ "[tun]\nhost-loopback = 127.0.0.1\n",
		  "x:2: [tun] host-loopback: 127.0.0.1 is the app's own; "
		  "choose another address to stand for it, like 10.0.0.3\n" },
		{ "[tun]\nhost-loopback = fd00:736c::1\n",
		  "x:2: [tun] host-loopback: fd00:736c::1 is tun.gateway as "
		  "well; choose another address\n" },
		{ "[tun]\nhost-loopback = 10.0.0.3 fd00:736c::3\n", "" },
		{ "[tun]\ngateway = 10.0.0.1\n", "" },
		{ "[tun]\nmtu = 100\n",
		  "x:2: [tun] mtu: 100 is below 576, which IPv4 needs\n" },
		{ "[tun]\nmtu = 1000\n",
		  "x:2: [tun] mtu: 1000 is below 1280, which IPv6 needs "
		  "(tun.address has an IPv6 address)\n" },
		{ "[tun]\nmtu = 1000\naddress = 10.0.0.2/24\n", "" },
		{ "[tun]\nmtu = 70000\n",
		  "x:2: [tun] mtu: 70000 is above 65535\n" },
		{ "[tun]\nname = a/b\n",
		  "x:2: [tun] name: 'a/b' is no name of a device: 1 to 15 "
		  "letters, without blanks, / : and %\n" },
		{ "[tun]\nname = sixteen-letters-\n",
		  "x:2: [tun] name: 'sixteen-letters-' is no name of a "
		  "device: 1 to 15 letters, without blanks, / : and %\n" },
		{ "[tun]\nname =\nfd = 3\n", "" },
		{ "[tun]\nadress = 10.0.0.2/24\n",
		  "x:2: [tun] adress: unknown key; did you mean address?\n" },
		{ "[tun]\nroutes = auto\n",
		  "x:2: [tun] routes: auto: would send our own sockets back "
		  "to us; it is for a device in another namespace "
		  "(tun.netns)\n" },
		{ "[gateway]\nlog-level = verbose\n",
		  "x:2: [gateway] log-level: 'verbose' is none of: error, "
		  "warn, info, debug\n" },
		{ "[chain]\nprotect =\n",
		  "x:2: [chain] protect: it is empty: nobody would keep our "
		  "own sockets out of the device; name a plugin, or say "
		  "gateway.unprotected = allow\n" },
		{ "[chain]\nprotect =\n[gateway]\nunprotected = allow\n", "" },
		{ "[chain]\ntpc = x\n",
		  "x:2: [chain] tpc: unknown key; did you mean tcp?\n" },
	};
	struct world w;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		world_begin(&w, cases[i].text);
		CU_ASSERT_STRING_EQUAL(said, cases[i].said);
		if (strcmp(said, cases[i].said))
			printf("# %s", said);
		CU_ASSERT_EQUAL(w.err, *cases[i].said ? -EINVAL : 0);
		world_end(&w);
	}
}

static void seventeen_prefixes_are_too_many(void)
{
	char text[1024] = "[tun]\nsource =";
	struct world w;

	for (int i = 0; i <= SETTINGS_PREFIXES; i++)
		sprintf(text + strlen(text), " 10.%d.0.0/16", i);
	world_begin(&w, text);
	CU_ASSERT_STRING_EQUAL(
		said, "x:2: [tun] source: 10.16.0.0/16: more than 16\n");
	world_end(&w);
}

static void names_of_other_programs_are_understood(void)
{
	struct world w;

	world_begin(&w, "[gateway]\nmax-session-count = 77\n");
	CU_ASSERT_EQUAL(w.err, 0);
	CU_ASSERT_EQUAL(w.s.gateway.max_flows, 77);
	world_end(&w);
}

static void plugins_may_refer_to_settings(void)
{
	struct world w;

	world_begin(&w, "[tun]\nfwmark = 7\nname = t0\n");
	CU_ASSERT_STRING_EQUAL(conf_setting(&w.c, "tun.fwmark"), "7");
	CU_ASSERT_STRING_EQUAL(conf_setting(&w.c, "tun.name"), "t0");
	CU_ASSERT_STRING_EQUAL(conf_setting(&w.c, "dns.timeout"), "5s");
	CU_ASSERT_PTR_NULL(conf_setting(&w.c, "tun.address"));
	world_end(&w);
}

static void our_own_tables_are_sound(void)
{
	const struct settings_section *s;
	const char *wrong;
	char text[256];

	for (s = settings_sections; s->name; s++) {
		wrong = options_sane(s->table, sizeof(*s->table), s->bytes,
				     text, sizeof(text));
		CU_ASSERT_PTR_NULL(wrong);
		if (wrong)
			printf("# [%s] %s\n", s->name, wrong);
	}
}

static const struct unit_test tests[] = {
	UNIT(without_a_file_there_is_a_gateway),
	UNIT(sources_are_the_networks_of_the_device),
	UNIT(mtu_0_is_1500),
	UNIT(routes_are_none_auto_or_prefixes),
	UNIT(what_does_not_fit_is_explained),
	UNIT(seventeen_prefixes_are_too_many),
	UNIT(names_of_other_programs_are_understood),
	UNIT(plugins_may_refer_to_settings),
	UNIT(our_own_tables_are_sound),
};

UNIT_MAIN("settings", tests)
