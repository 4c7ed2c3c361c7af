/* SPDX-License-Identifier: MIT */
/* relays.c - a whole gateway between apps and servers that keep no rule */
#include "relays.h"

#include "fuzz.h"
#include "log.h"

#define MANY_TURNS 16 /* more than the longest chain of events at the end */

extern const struct sluice_plugin sluice_plugin_protect_mark;
extern const struct sluice_plugin sluice_plugin_tcp_forward;
extern const struct sluice_plugin sluice_plugin_udp_forward;
extern const struct sluice_plugin *const builtin_plugins[];
const struct sluice_plugin *const builtin_plugins[] = {
	&sluice_plugin_protect_mark,
	&sluice_plugin_tcp_forward,
	&sluice_plugin_udp_forward,
	NULL,
};

uint64_t relays_now;
static size_t objects_before;

uint64_t __wrap_util_now_ms(void);
int __wrap_util_random(void *p, size_t len);
uint32_t __wrap_util_random32(void);

uint64_t __wrap_util_now_ms(void)
{
	return relays_now;
}

int __wrap_util_random(void *p, size_t len)
{
	memset(p, 0x5a, len);
	return 0;
}

uint32_t __wrap_util_random32(void)
{
	static uint32_t r;

	r = r * 1664525u + 1013904223u;
	return r;
}

struct fakenet *relays_server(int which)
{
	return fakenet_stream((uint16_t)(APPS_SPORT + which));
}

static void opened(int which)
{
	struct fakenet *s = relays_server(which);

	/* The SYN-ACK may be sent again. */
	if (s && !fakenet_has_begun(s))
		fakenet_begins(s, apps[which].iss);
}

static void data(int which, uint32_t at, const uint8_t *p, uint32_t len)
{
	(void)which;
	FUZZ_CHECK(!memcmp(p, apps_bytes(at), len));
}

static void fin(int which, uint32_t at)
{
	const struct fakenet *s = relays_server(which);

	FUZZ_CHECK(s && fakenet_ended(s) && fakenet_sent(s) == at);
}

static const struct apps_events events = { opened, data, fin };

static void report(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

void relays_start(struct gateway *gw)
{
	char text[512];

	memset(gw, 0, sizeof(*gw));
	apps_start(&events);
	fakenet_start();
	relays_now = 1000;
	objects_before = pool_malloc_used();
	log_level = LOG_LEVEL_ERROR - 1;
	conf_init(&gw->conf, report, NULL);
	FUZZ_CHECK(!conf_parse(&gw->conf, "fuzz",
			       "[gateway]\nmax-flows = 64\n"
			       "[chain]\ntcp = tcp-forward\n"
			       "udp = udp-forward\ndns =\n"
			       "protect = protect-mark\n"));
	gw->ops = apps_tun();
	gw->has_ops = true;
	FUZZ_CHECK(!gateway_load(gw));
	if (gateway_open(gw, text, sizeof(text)) < 0) {
		fprintf(stderr, "%s\n", text);
		abort();
	}
	apps_turns(gw, 1);
}

void relays_end(struct gateway *gw)
{
	apps_turns(gw, MANY_TURNS);
	gateway_close(gw);
	FUZZ_CHECK(!fakenet_open());
	FUZZ_CHECK(pool_malloc_used() == objects_before);
	FUZZ_CHECK(!stats_get(&gw->stats, stack_assertions));
	gateway_fini(gw);
}
