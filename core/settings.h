/* SPDX-License-Identifier: MIT */
/* settings.h - the core's own sections: gateway, tun, icmp, dns, chain
 *
 * Declared in option tables like those of plugins (settings.c), so that file,
 * manual and "sluice check" cannot differ.
 */
#ifndef CORE_SETTINGS_H
#define CORE_SETTINGS_H

#include <stdint.h>

#include "addr.h"
#include "chain.h"
#include "options.h"

struct set_gateway { /* [gateway] */
	const char *user;
	int64_t log_level; /* error|warn|info|debug */
	const char *log_file;
	int64_t max_flows;    /* 0: from the descriptor limit */
	int64_t unprotected;  /* refuse|allow: an empty protect chain */
	int64_t buffers;      /* bytes on their way, each way */
	int64_t source_share; /* percent of a kind's flows */
	int64_t refuse;       /* icmp|drop: what DROP tells the app */
};

struct set_tun { /* [tun] */
	const char *name, *netns;
	int64_t fd;  /* -1: none */
	int64_t mtu; /* 0: 1500 */
	const char *const *address, *const *gateway, *const *source;
	int64_t offload; /* off|on|auto */
	const char *const *routes;
	int64_t fwmark;
	const char *const *host_loopback;
};

struct set_icmp {        /* [icmp] */
	int64_t echo;    /* forward|reply|off */
	int64_t timeout; /* ms, RFC 5508 REQ-2: 60 s */
};

struct set_dns {         /* [dns] */
	int64_t timeout; /* ms: 5 s */
	int64_t max_pending;
	int64_t on_error; /* block|pass: a dns plugin failed */
	int64_t tcp_idle; /* ms */
};

struct set_chain { /* [chain] */
	const char *const *of[CHAIN_CLASSES];
};

/* Addresses of [tun], read. */
#define SETTINGS_PREFIXES 16

struct settings {
	struct options o_gateway, o_tun, o_icmp, o_dns, o_chain;
	struct set_gateway gateway;
	struct set_tun tun;
	struct set_icmp icmp;
	struct set_dns dns;
	struct set_chain chain;

	struct prefix address[SETTINGS_PREFIXES];
	struct sluice_addr gw4, gw6; /* family 0: none */
	struct prefix source[SETTINGS_PREFIXES];
	struct prefix routes[SETTINGS_PREFIXES];
	struct sluice_addr loop4, loop6; /* host-loopback */
	int n_address, n_source, n_routes;
	bool source_any;
	uint32_t mtu;
	int log_level; /* LOG_LEVEL_* */
};

/* All core sections out of c; mistakes are reported through c.  0 or
 * -EINVAL; settings_fini() in either case, and what was well is there, so that
 * chain_build() can look for more mistakes. */
int settings_load(struct settings *s, struct conf *c);
void settings_fini(struct settings *s);

/* The tables, for help, manual and check: name NULL ends them. */
struct settings_section {
	const char *name;
	const struct sluice_option *table;
	size_t options_at; /* of its struct options in settings */
	size_t values_at;  /* of its struct there */
	size_t bytes;
};
extern const struct settings_section settings_sections[];

#endif
