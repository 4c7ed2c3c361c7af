/* SPDX-License-Identifier: MIT */
/* settings.c - the core's own sections: gateway, tun, icmp, dns, chain
 *
 *	[section] --table--> struct set_* --> addresses read, limits checked
 *
 * The tables below are all there is to know about a key: type, preset, range
 * and help.  What a table cannot say (two addresses that must not be the
 * same) is checked after it.
 */
#include "settings.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "log.h"
#include "util.h"

#define ROW(type_, section_, member_, key_, preset_, min_, max_, help_) \
	{                                                               \
		.key = key_, .preset = preset_, .help = help_,          \
		.type = SLUICE_OPT_##type_,                             \
		.offset = offsetof(struct set_##section_, member_),     \
		.min = min_, .max = max_                                \
	}

/* clang-format off */
static const struct sluice_option gateway_table[] = {
	ROW(STR, gateway, user, "user", "", 0, 0,
	    "drop to this user after set-up, when started as root"),
	ROW(ENUM, gateway, log_level, "log-level", "info", 0, 0,
	    "error|warn|info|debug: messages of this weight and above"),
	ROW(STR, gateway, log_file, "log-file", "", 0, 0,
	    "stderr when empty, syslog, or a path"),
	ROW(INT, gateway, max_flows, "max-flows", "0", 0, 1 << 24,
	    "connections and sessions at once; 0: from the descriptor limit"),
	ROW(INT, gateway, source_share, "source-share", "80", 50, 100,
	    "percent of them that one source may have beside others"),
	ROW(SIZE, gateway, buffers, "buffers", "64M", 1 << 20, 1ll << 40,
	    "bytes held for connections that are slow to read, each way"),
	ROW(ENUM, gateway, unprotected, "unprotected", "refuse", 0, 0,
	    "refuse|allow: start with an empty protect chain"),
	ROW(ENUM, gateway, refuse, "refuse", "icmp", 0, 0,
	    "icmp|drop: answer what a plugin drops, or let it wait"),
	{ .key = NULL }
};

static const struct sluice_option tun_table[] = {
	ROW(STR, tun, name, "name", "sluice0", 0, 0,
	    "the device, made if it is not there"),
	ROW(STR, tun, netns, "netns", "", 0, 0,
	    "network namespace of the device: a name of ip-netns, or a path"),
	ROW(INT, tun, fd, "fd", "-1", -1, INT32_MAX,
	    "use this open descriptor instead; -1: none"),
	ROW(INT, tun, mtu, "mtu", "1500", 0, 65535,
	    "largest packet; 0: 1500"),
	ROW(LIST, tun, address, "address", "10.0.0.2/24 fd00:736c::2/64", 0, 0,
	    "of the device, with the length of its network"),
	ROW(LIST, tun, gateway, "gateway", "10.0.0.1 fd00:736c::1", 0, 0,
	    "our own address, one a family: answers ping"),
	ROW(LIST, tun, source, "source", "", 0, 0,
	    "prefixes accepted as sources, or any; empty: the networks of "
	    "address"),
	ROW(ENUM, tun, offload, "offload", "auto", 0, 0,
	    "off|on|auto: packets of up to 64 KiB, checksums left to us"),
	ROW(LIST, tun, routes, "routes", "none", 0, 0,
	    "into the device: none, auto (all traffic of netns), or prefixes"),
	ROW(INT, tun, fwmark, "fwmark", "0x736c", 0, UINT32_MAX,
	    "of our own sockets, for a rule that keeps them out of the device"),
	ROW(LIST, tun, host_loopback, "host-loopback", "", 0, 0,
	    "address that reaches this host's loopback, one a family"),
	{ .key = NULL }
};

static const struct sluice_option icmp_table[] = {
	ROW(ENUM, icmp, echo, "echo", "forward", 0, 0,
	    "forward|reply|off: pings go out, are answered here, or dropped"),
	ROW(MS, icmp, timeout, "timeout", "60s", 1000, 86400000,
	    "a ping session ends when nothing moved for so long"),
	{ .key = NULL }
};

static const struct sluice_option dns_table[] = {
	ROW(MS, dns, timeout, "timeout", "5s", 100, 60000,
	    "a question without an answer by then gets SERVFAIL"),
	ROW(INT, dns, max_pending, "max-pending", "4096", 1, 1 << 20,
	    "questions waiting at once; never more than an eighth of the "
	    "descriptors"),
	ROW(ENUM, dns, on_error, "on-error", "block", 0, 0,
	    "block|pass: what becomes of a question whose plugin failed"),
	ROW(MS, dns, tcp_idle, "tcp-idle", "10s", 1000, 3600000,
	    "a TCP connection to port 53 ends when idle for so long"),
	{ .key = NULL }
};

static const struct sluice_option chain_table[] = {
	ROW(LIST, chain, of[CHAIN_TCP], "tcp", "tcp-forward", 0, 0,
	    "who decides about TCP connections, first to last"),
	ROW(LIST, chain, of[CHAIN_UDP], "udp", "udp-forward", 0, 0,
	    "who decides about UDP sessions"),
	ROW(LIST, chain, of[CHAIN_DNS], "dns", "dns-upstream", 0, 0,
	    "who answers DNS questions; empty: port 53 is as any other"),
	ROW(LIST, chain, of[CHAIN_PROTECT], "protect", "protect-mark", 0, 0,
	    "who keeps our own sockets out of the device"),
	ROW(LIST, chain, of[CHAIN_OBSERVE], "observe", "", 0, 0,
	    "who watches"),
	{ .key = NULL }
};

#define SECTION(name_) \
	{ #name_, name_##_table, offsetof(struct settings, o_##name_), \
	  offsetof(struct settings, name_), sizeof(struct set_##name_) }

const struct settings_section settings_sections[] = {
	SECTION(gateway), SECTION(tun), SECTION(icmp), SECTION(dns),
	SECTION(chain), { .name = NULL }
};
/* clang-format on */

/* Names that users of other programs type, and ours. */
static const struct {
	const char *section, *key, *ours;
} synonyms[] = {
	{ "gateway", "max-session-count", "max-flows" },
};

static void rename_synonyms(struct conf *c)
{
	for (struct conf_entry *e = c->entries; e; e = e->next)
		for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++)
			if (!strcmp(e->section, synonyms[i].section) &&
			    !strcmp(e->key, synonyms[i].key))
				e->key = synonyms[i].ours;
}

/* A mistake in one word of a key; presets have none. */
#define WORD_ERROR(c, key, word, fmt, ...)                                   \
	conf_error(c, conf_find_word(c, "tun", key, word), "%s: " fmt, word, \
		   ##__VA_ARGS__)

/* -------------------------------------------------------- lists of [tun] */

static bool is_word(const char *const *list, const char *word)
{
	return list[0] && !list[1] && !strcmp(list[0], word);
}

static int read_prefixes(struct conf *c, const char *key,
			 const char *const *list, struct prefix *out)
{
	int n = 0;

	for (; *list && n < SETTINGS_PREFIXES; list++) {
		if (prefix_parse(*list, &out[n]))
			WORD_ERROR(
				c, key, *list,
				"is no prefix like 10.0.0.0/24 or fd00::/64");
		else
			n++;
	}
	if (*list)
		WORD_ERROR(c, key, *list, "more than %d", SETTINGS_PREFIXES);
	return n;
}

/* One address a family. */
static void read_pair(struct conf *c, const char *key, const char *const *list,
		      struct sluice_addr *v4, struct sluice_addr *v6)
{
	struct sluice_addr a, *slot;

	for (; *list; list++) {
		if (addr_parse(*list, 0, &a) || a.port) {
			WORD_ERROR(c, key, *list, "is no IPv4 or IPv6 address");
			continue;
		}
		slot = a.family == 4 ? v4 : v6;
		if (slot->family)
			WORD_ERROR(c, key, *list, "a second IPv%d address",
				   a.family);
		*slot = a;
	}
}

static void read_sources(struct settings *s, struct conf *c)
{
	if (is_word(s->tun.source, "any")) {
		s->source_any = true;
		return;
	}
	s->n_source = read_prefixes(c, "source", s->tun.source, s->source);
	if (*s->tun.source)
		return;
	memcpy(s->source, s->address, sizeof(s->source));
	s->n_source = s->n_address;
}

/* All traffic of the namespace the device is in. */
static void route_all(struct settings *s, struct conf *c)
{
	static const char *const all[] = { "0.0.0.0/0", "::/0", NULL };

	if (*s->tun.netns)
		s->n_routes = read_prefixes(c, "routes", all, s->routes);
	else
		WORD_ERROR(c, "routes", "auto",
			   "would send our own sockets back to us; it is for "
			   "a device in another namespace (tun.netns)");
}

static void read_routes(struct settings *s, struct conf *c)
{
	if (is_word(s->tun.routes, "none"))
		return;
	if (is_word(s->tun.routes, "auto"))
		route_all(s, c);
	else
		s->n_routes =
			read_prefixes(c, "routes", s->tun.routes, s->routes);
}

/* --------------------------------------------------------------- checks */

static bool has_address(const struct settings *s, const struct sluice_addr *a)
{
	for (int i = 0; i < s->n_address; i++)
		if (addr_ip_equal(&s->address[i].addr, a))
			return true;
	return false;
}

static bool has_family(const struct settings *s, int family)
{
	for (int i = 0; i < s->n_address; i++)
		if (s->address[i].addr.family == family)
			return true;
	return false;
}

/* A packet to an address of the device itself never comes out of it. */
static void check_not_ours(const struct settings *s, struct conf *c,
			   const char *key, const struct sluice_addr *a)
{
	char text[ADDR_TEXT];

	if (a->family && has_address(s, a))
		conf_error(c, conf_find(c, "tun", key),
			   "%s is the address of the device as well; packets "
			   "to it would never reach the gateway",
			   addr_ip_text(a, text));
}

/* Nor does one to 127.0.0.1, and one to the gateway ends there. */
static void check_loopback(const struct settings *s, struct conf *c,
			   const struct sluice_addr *a)
{
	char text[ADDR_TEXT];

	if (!a->family)
		return;
	check_not_ours(s, c, "host-loopback", a);
	if (addr_is_loopback(a))
		conf_error(c, conf_find(c, "tun", "host-loopback"),
			   "%s is the app's own; choose another address to "
			   "stand for it, like %s",
			   addr_ip_text(a, text),
			   a->family == 4 ? "10.0.0.3" : "fd00:736c::3");
	else if (addr_ip_equal(a, a->family == 4 ? &s->gw4 : &s->gw6))
		conf_error(c, conf_find(c, "tun", "host-loopback"),
			   "%s is tun.gateway as well; choose another address",
			   addr_ip_text(a, text));
}

static void check_tun(const struct settings *s, struct conf *c)
{
	const char *name = s->tun.name;
	size_t len = strlen(name);

	if (s->tun.fd < 0 && (!len || len > 15 || strpbrk(name, "/:% \t") ||
			      !strcmp(name, ".") || !strcmp(name, "..")))
		conf_error(c, conf_find(c, "tun", "name"),
			   "'%s' is no name of a device: 1 to 15 letters, "
			   "without blanks, / : and %%",
			   name);
	if (s->mtu < 576)
		conf_error(c, conf_find(c, "tun", "mtu"),
			   "%u is below 576, which IPv4 needs", s->mtu);
	else if (s->mtu < 1280 && has_family(s, 6))
		conf_error(c, conf_find(c, "tun", "mtu"),
			   "%u is below 1280, which IPv6 needs (tun.address "
			   "has an IPv6 address)",
			   s->mtu);
	check_not_ours(s, c, "gateway", &s->gw4);
	check_not_ours(s, c, "gateway", &s->gw6);
	check_loopback(s, c, &s->loop4);
	check_loopback(s, c, &s->loop6);
}

static void check_chain(const struct settings *s, struct conf *c)
{
	if (*s->chain.of[CHAIN_PROTECT] || s->gateway.unprotected)
		return;
	conf_error(c, conf_find(c, "chain", "protect"),
		   "it is empty: nobody would keep our own sockets out of the "
		   "device; name a plugin, or say gateway.unprotected = allow");
}

static void read_all(struct settings *s, struct conf *c)
{
	static const int levels[] = { LOG_LEVEL_ERROR, LOG_LEVEL_WARN,
				      LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

	s->log_level = levels[s->gateway.log_level];
	s->mtu = s->tun.mtu ? (uint32_t)s->tun.mtu : 1500;
	s->n_address = read_prefixes(c, "address", s->tun.address, s->address);
	read_pair(c, "gateway", s->tun.gateway, &s->gw4, &s->gw6);
	read_pair(c, "host-loopback", s->tun.host_loopback, &s->loop4,
		  &s->loop6);
	read_sources(s, c);
	read_routes(s, c);
	check_tun(s, c);
	check_chain(s, c);
}

/* Without memory a list may be NULL; with mistakes it is not. */
static bool is_whole(const struct settings *s)
{
	const struct set_tun *t = &s->tun;

	for (int i = 0; i < CHAIN_CLASSES; i++)
		if (!s->chain.of[i])
			return false;
	return t->name && t->netns && t->address && t->gateway && t->source &&
	       t->routes && t->host_loopback;
}

int settings_load(struct settings *s, struct conf *c)
{
	const struct settings_section *part;
	int before = c->errors, err = 0;
	struct options *o;

	memset(s, 0, sizeof(*s));
	rename_synonyms(c);
	for (part = settings_sections; part->name && !err; part++) {
		o = (struct options *)((char *)s + part->options_at);
		options_load(o, c, part->name, part->table,
			     sizeof(*part->table), part->bytes, NULL);
		if (!o->values)
			break;
		memcpy((char *)s + part->values_at, o->values, part->bytes);
		err = options_define(c, part->name, o, part->table,
				     sizeof(*part->table));
	}
	if (err)
		conf_error(c, NULL, "%s", strerror(-err));
	if (is_whole(s))
		read_all(s, c);
	return c->errors == before ? 0 : -EINVAL;
}

void settings_fini(struct settings *s)
{
	const struct settings_section *part;

	for (part = settings_sections; part->name; part++)
		options_free((struct options *)((char *)s + part->options_at));
	memset(s, 0, sizeof(*s));
}
