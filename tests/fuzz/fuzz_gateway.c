/* SPDX-License-Identifier: MIT */
/* fuzz_gateway.c - a whole gateway, and apps that keep no rule
 *
 * The TUN is memory, the clock is ours, and every flow is echoed by a plugin.
 * The input is records of 8 bytes; four connections are in play.
 *
 *	0	bits 0-2: what, bits 3-4: which connection, bit 0 of that: IPv6;
 *		bit 5, 6: fine steps of sequence number, of acknowledgement
 *	what 0-3: a segment	1 flags, 2 sequence number off by, 3 same of
 *				the acknowledgement, 4-5 length, 6 window,
 *				7 scale in a SYN
 *	     4: time passes	1 milliseconds, 2 times 2 to the power of
 *	     5: a datagram	1-2 length, 3-4 mtu it is cut to, 5 leave out
 *				this fragment
 *	     6: the last packet again, with byte 1 set to 2 (and checksum of
 *		IPv4 right)
 *	     7: an acknowledgement of all that came, 1-2 window
 *
 * Each byte an app sends is made of its sequence number, so that each byte
 * that is echoed can be checked: whatever the apps do, what comes down is
 * what they sent, in order, in packets without a fault.
 *
 * fuzz: core/?*.c !core/main.c !core/builtin.c core/lwip/lwip.c
 * fuzz: tests/fuzz/apps.c tests/plugins/echo.c
 * fuzz-flags: -DSLUICE_STATIC
 * fuzz-flags: -Wl,--wrap=util_now_ms,--wrap=util_random,--wrap=util_random32
 */
#include "apps.h"
#include "fuzz.h"
#include "log.h"

extern const struct sluice_plugin sluice_plugin_echo;
extern const struct sluice_plugin *const builtin_plugins[];
const struct sluice_plugin *const builtin_plugins[] = { &sluice_plugin_echo,
							NULL };

static struct gateway gw;
static uint64_t now_ms;

uint64_t __wrap_util_now_ms(void);
int __wrap_util_random(void *p, size_t len);
uint32_t __wrap_util_random32(void);

uint64_t __wrap_util_now_ms(void)
{
	return now_ms;
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

/* ------------------------------------------------------- what they get */

static void opened(int which)
{
	(void)which;
}

static void data(int which, uint32_t at, const uint8_t *p, uint32_t len)
{
	FUZZ_CHECK(!memcmp(p, apps_bytes(apps[which].iss + 1 + at), len));
}

static void fin(int which, uint32_t at)
{
	(void)which;
	(void)at;
}

static const struct apps_events events = { opened, data, fin };

/* ------------------------------------------------------- what they say */

static void any_segment(const uint8_t *r)
{
	int which = r[0] >> 3 & 3;
	struct app *a = &apps[which];
	uint32_t seq = a->seq + (uint32_t)((int8_t)r[2] * (r[0] & 32 ? 1 : 97));
	uint32_t ack = a->ack + (uint32_t)((int8_t)r[3] * (r[0] & 64 ? 1 : 61));
	uint32_t len = get_be16(r + 4) % (APPS_MTU - 80);
	uint8_t options[8] = { 2, 4, r[6], r[7], 1, 3, 3, r[7] };

	if (r[1] & TCP_SYN)
		apps_segment(which, r[1], seq, ack, 65535, options, 8, len);
	else
		apps_segment(which, r[1], seq, ack, (uint16_t)(r[6] << 4), NULL,
			     0, len);
}

static void play(const uint8_t *r)
{
	int which = r[0] >> 3 & 3;

	switch (r[0] & 7) {
	default:
		any_segment(r);
		break;
	case 4:
		now_ms += (uint64_t)r[1] << (r[2] & 7);
		break;
	case 5:
		apps_datagram(which, get_be16(r + 1) % 4000,
			      576 + get_be16(r + 3) % 1000, r[6], r[5]);
		break;
	case 6:
		apps_again(r[1], r[2]);
		break;
	case 7:
		apps_ack(which, get_be16(r + 1));
		break;
	}
	apps_turns(&gw, 2);
}

/* ---------------------------------------------------------- its gateway */

static void report(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

static void start(void)
{
	char text[512];

	memset(&gw, 0, sizeof(gw));
	apps_start(&events);
	now_ms = 1000;
	log_level = LOG_LEVEL_ERROR;
	conf_init(&gw.conf, report, NULL);
	FUZZ_CHECK(!conf_parse(&gw.conf, "fuzz",
			       "[gateway]\nunprotected = allow\n"
			       "max-flows = 64\n"
			       "[chain]\ntcp = echo\nudp = echo\n"
			       "dns =\nprotect =\n"));
	gw.ops = apps_tun();
	gw.has_ops = true;
	FUZZ_CHECK(!gateway_load(&gw));
	if (gateway_open(&gw, text, sizeof(text)) < 0) {
		fprintf(stderr, "%s\n", text);
		abort();
	}
	apps_turns(&gw, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	start();
	for (; size >= 8; data += 8, size -= 8)
		play(data);
	apps_turns(&gw, 4);
	gateway_close(&gw);
	gateway_fini(&gw);
	return 0;
}
