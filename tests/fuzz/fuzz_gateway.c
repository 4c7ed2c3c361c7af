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
 * fuzz: tests/plugins/echo.c
 * fuzz-flags: -DSLUICE_STATIC
 * fuzz-flags: -Wl,--wrap=util_now_ms,--wrap=util_random,--wrap=util_random32
 */
#include "fuzz.h"
#include "gateway.h"
#include "log.h"
#include "util.h"

#define APPS 4
#define MTU  1500

extern const struct sluice_plugin sluice_plugin_echo;
extern const struct sluice_plugin *const builtin_plugins[];
const struct sluice_plugin *const builtin_plugins[] = { &sluice_plugin_echo,
							NULL };

struct app {
	bool known;
	uint32_t iss, irs; /* of the SYN it was answered for */
	uint32_t seq, ack; /* what a good app would say next */
};

static struct app apps[APPS];
static struct gateway gw;
static uint64_t now_ms;

static struct {
	uint8_t data[65536];
	size_t len;
} queue[64], last;

static int queue_at, queue_n;

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

static uint8_t byte_at(uint32_t seq)
{
	return (uint8_t)(seq * 2654435761u >> 24);
}

/* ------------------------------------------------------------ the device */

static int up(void *arg, struct iovec *v, int n)
{
	int i;

	(void)arg;
	for (i = 0; i < n && queue_at < queue_n; i++, queue_at++) {
		size_t len = MIN(queue[queue_at].len, v[i].iov_len);

		memcpy(v[i].iov_base, queue[queue_at].data, len);
		v[i].iov_len = len;
	}
	return i;
}

static void tcp_down(const struct packet *p)
{
	struct app *a = &apps[(p->dst.port - 1000) % APPS];
	uint32_t at, end = p->seq + p->data_len;

	FUZZ_CHECK(p->dst.port >= 1000 && p->dst.port < 1000 + APPS);
	if (p->flags & TCP_RST)
		return; /* which need not be the end: RFC 9293 3.10.7.4 */
	FUZZ_CHECK(p->flags & TCP_ACK);
	a->seq = p->ack;
	if (p->flags & TCP_SYN) {
		a->known = true;
		a->iss = p->ack - 1;
		a->irs = p->seq;
		a->ack = p->seq + 1;
		return;
	}
	FUZZ_CHECK(a->known);
	at = a->iss + 1 + (p->seq - (a->irs + 1));
	for (uint32_t i = 0; i < p->data_len; i++)
		FUZZ_CHECK(p->data[i] == byte_at(at + i));
	if (p->flags & TCP_FIN)
		end++;
	if ((int32_t)(a->ack - p->seq) >= 0 && (int32_t)(end - a->ack) > 0)
		a->ack = end;
}

static int down(void *arg, const struct iovec *v, int n)
{
	static uint8_t data[66000];
	struct packet p;
	size_t len = 0;

	(void)arg;
	for (int i = 0; i < n; i++) {
		FUZZ_CHECK(len + v[i].iov_len <= sizeof(data));
		memcpy(data + len, v[i].iov_base, v[i].iov_len);
		len += v[i].iov_len;
	}
	FUZZ_CHECK(len <= MTU);
	FUZZ_CHECK(packet_parse(&p, data, len, 0) == PACKET_OK);
	FUZZ_CHECK(p.len == len);
	if (p.proto == PACKET_TCP && !p.frag)
		tcp_down(&p);
	return 0;
}

static void put(const struct iovec *v, int n)
{
	if (queue_n == (int)ARRAY_SIZE(queue))
		return;
	last.len = 0;
	for (int i = 0; i < n; i++) {
		memcpy(last.data + last.len, v[i].iov_base, v[i].iov_len);
		last.len += v[i].iov_len;
	}
	memcpy(queue[queue_n].data, last.data, last.len);
	queue[queue_n++].len = last.len;
}

static void turns(int n)
{
	tun_ready(&gw.tun);
	while (n--)
		loop_turn(&gw.loop, 0);
	if (queue_at == queue_n)
		queue_at = queue_n = 0;
}

/* ------------------------------------------------------------- the apps */

static void ends(bool v6, struct sluice_addr *app, struct sluice_addr *dst)
{
	*app = (struct sluice_addr){ .family = v6 ? 6 : 4 };
	*dst = *app;
	if (v6) {
		memcpy(app->ip, "\xfd\0\x73\x6c", 4);
		memcpy(dst->ip, "\x20\1\xd\xb8", 4);
		app->ip[15] = dst->ip[15] = 2;
	} else {
		memcpy(app->ip, "\xa\0\0\2", 4);
		memcpy(dst->ip, "\xc0\0\2\1", 4);
	}
}

static void send_segment(int which, uint8_t flags, uint32_t seq, uint32_t ack,
			 uint16_t window, const uint8_t *options,
			 size_t options_len, uint32_t len)
{
	static uint8_t b[PACKET_HEADERS_MAX + 65536];
	struct iovec v = { b, 0 };
	struct sluice_addr app, dst;
	uint32_t head = (uint32_t)(20 + options_len);
	uint64_t sum;
	uint16_t c;
	uint8_t *h;

	ends(which & 1, &app, &dst);
	h = b + packet_ip_header(b, &app, &dst, PACKET_TCP, 64, 0, head + len,
				 true, 0);
	memset(h, 0, head);
	put_be16(h, (uint16_t)(1000 + which));
	put_be16(h + 2, 80);
	put_be32(h + 4, seq);
	put_be32(h + 8, ack);
	h[12] = (uint8_t)(head / 4 << 4);
	h[13] = flags;
	put_be16(h + 14, window);
	if (options_len)
		memcpy(h + 20, options, options_len);
	seq += !!(flags & TCP_SYN);
	for (uint32_t i = 0; i < len; i++)
		h[head + i] = byte_at(seq + i);
	sum = csum_pseudo(&app, &dst, PACKET_TCP, head + len);
	c = csum_fold(csum_add(sum, h, head + len));
	memcpy(h + 16, &c, 2);
	v.iov_len = (size_t)(h - b) + head + len;
	put(&v, 1);
}

static void any_segment(const uint8_t *r)
{
	int which = r[0] >> 3 & 3;
	struct app *a = &apps[which];
	uint32_t seq = a->seq + (uint32_t)((int8_t)r[2] * (r[0] & 32 ? 1 : 97));
	uint32_t ack = a->ack + (uint32_t)((int8_t)r[3] * (r[0] & 64 ? 1 : 61));
	uint32_t len = get_be16(r + 4) % (MTU - 80);
	uint8_t options[8] = { 2, 4, r[6], r[7], 1, 3, 3, r[7] };

	if (r[1] & TCP_SYN)
		send_segment(which, r[1], seq, ack, 65535, options, 8, len);
	else
		send_segment(which, r[1], seq, ack, (uint16_t)(r[6] << 4), NULL,
			     0, len);
}

static int left_out;

static int put_fragment(void *arg, const struct iovec *v, int n)
{
	(void)arg;
	if (left_out--)
		put(v, n);
	return 0;
}

static void datagram(const uint8_t *r)
{
	static const uint8_t payload[4000];
	uint8_t head[PACKET_HEADERS_MAX];
	struct sluice_addr app, dst;
	struct iovec v[2] = { { head, 0 },
			      { (void *)payload, get_be16(r + 1) % 4000 } };

	ends(r[0] >> 3 & 1, &app, &dst);
	app.port = (uint16_t)(1000 + (r[0] >> 4 & 1));
	dst.port = 7;
	v[0].iov_len = packet_udp_header(head, &app, &dst, 64, 0, false, 1,
					 v + 1, 1, false);
	left_out = r[5];
	frag_cut(v, 2, 576 + get_be16(r + 3) % 1000, r[6], put_fragment, NULL);
}

static void again(const uint8_t *r)
{
	struct iovec v = { last.data, last.len };
	uint8_t *b = last.data;
	size_t head = (b[0] & 15) * 4u;
	uint16_t c;

	if (!last.len)
		return;
	b[r[1] % last.len] = r[2];
	if (b[0] >> 4 == 4 && head >= 20 && head <= last.len) {
		memset(b + 10, 0, 2);
		c = csum_fold(csum_add(0, b, head));
		memcpy(b + 10, &c, 2);
	}
	put(&v, 1);
}

static void play(const uint8_t *r)
{
	struct app *a = &apps[r[0] >> 3 & 3];

	switch (r[0] & 7) {
	default:
		any_segment(r);
		break;
	case 4:
		now_ms += (uint64_t)r[1] << (r[2] & 7);
		break;
	case 5:
		datagram(r);
		break;
	case 6:
		again(r);
		break;
	case 7:
		send_segment(r[0] >> 3 & 3, TCP_ACK, a->seq, a->ack,
			     get_be16(r + 1), NULL, 0, 0);
		break;
	}
	turns(2);
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
	memset(apps, 0, sizeof(apps));
	queue_at = queue_n = 0;
	last.len = 0;
	now_ms = 1000;
	log_level = LOG_LEVEL_ERROR;
	conf_init(&gw.conf, report, NULL);
	FUZZ_CHECK(!conf_parse(&gw.conf, "fuzz",
			       "[gateway]\nunprotected = allow\n"
			       "max-flows = 64\n"
			       "[chain]\ntcp = echo\nudp = echo\n"
			       "dns =\nprotect =\n"));
	gw.ops = (struct tun_ops){ up, down, NULL };
	gw.has_ops = true;
	FUZZ_CHECK(!gateway_load(&gw));
	if (gateway_open(&gw, text, sizeof(text)) < 0) {
		fprintf(stderr, "%s\n", text);
		abort();
	}
	turns(1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	start();
	for (; size >= 8; data += 8, size -= 8)
		play(data);
	turns(4);
	gateway_close(&gw);
	gateway_fini(&gw);
	return 0;
}
