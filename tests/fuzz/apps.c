/* SPDX-License-Identifier: MIT */
/* apps.c - apps that keep no rule, and the TUN they write to */
#include "apps.h"

#include "fuzz.h"

#define PERIOD (1u << 17) /* of the bytes of a stream */
#define QUEUE  64         /* packets that wait for a turn */

struct app apps[APPS];

static const struct apps_events *events;

static struct {
	uint8_t data[65536];
	size_t len;
} queue[QUEUE];

static int queue_at, queue_n, last; /* last: the newest, -1: none yet */

const uint8_t *apps_bytes(uint32_t at)
{
	static uint8_t byte[PERIOD + 65536];
	static bool made;

	for (uint32_t i = 0; !made && i < sizeof(byte); i++)
		byte[i] = (uint8_t)(i % PERIOD * 2654435761u >> 24);
	made = true;
	return byte + at % PERIOD;
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
	int which = p->dst.port - APPS_PORT;
	uint32_t at, end = p->seq + p->data_len;
	struct app *a = &apps[which];

	FUZZ_CHECK(which >= 0 && which < APPS);
	if (p->flags & TCP_RST)
		return; /* which need not be the end: RFC 9293 3.10.7.4 */
	FUZZ_CHECK(p->flags & TCP_ACK);
	a->seq = p->ack;
	if (p->flags & TCP_SYN) {
		a->known = true;
		a->iss = p->ack - 1;
		a->irs = p->seq;
		a->ack = p->seq + 1;
		events->opened(which);
		return;
	}
	FUZZ_CHECK(a->known);
	at = p->seq - (a->irs + 1);
	if (p->data_len)
		events->data(which, at, p->data, p->data_len);
	if (p->flags & TCP_FIN) {
		events->fin(which, at + p->data_len);
		end++;
	}
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
		if (v[i].iov_len)
			memcpy(data + len, v[i].iov_base, v[i].iov_len);
		len += v[i].iov_len;
	}
	FUZZ_CHECK(len <= APPS_MTU);
	FUZZ_CHECK(packet_parse(&p, data, len, 0) == PACKET_OK);
	FUZZ_CHECK(p.len == len);
	if (p.proto == PACKET_TCP && !p.frag)
		tcp_down(&p);
	return 0;
}

struct tun_ops apps_tun(void)
{
	return (struct tun_ops){ up, down, NULL };
}

void apps_start(const struct apps_events *ev)
{
	events = ev;
	memset(apps, 0, sizeof(apps));
	queue_at = queue_n = 0;
	last = -1;
}

void apps_turns(struct gateway *gw, int n)
{
	tun_ready(&gw->tun);
	while (n--)
		loop_turn(&gw->loop, 0);
	if (queue_at == queue_n)
		queue_at = queue_n = 0;
}

/* The room for one more packet, or NULL. */
static uint8_t *next_packet(void)
{
	return queue_n < QUEUE ? queue[queue_n].data : NULL;
}

static void put(size_t len)
{
	last = queue_n;
	queue[queue_n++].len = len;
}

/* ---------------------------------------------------------- what they say */

void apps_ends(int which, struct sluice_addr *app, struct sluice_addr *server)
{
	bool v6 = which & 1;

	*app = (struct sluice_addr){ .family = v6 ? 6 : 4,
				     .port = (uint16_t)(APPS_PORT + which) };
	*server =
		(struct sluice_addr){ .family = app->family,
				      .port = (uint16_t)(APPS_SPORT + which) };
	if (v6) {
		memcpy(app->ip, "\xfd\0\x73\x6c", 4);
		memcpy(server->ip, "\x20\1\xd\xb8", 4);
		app->ip[15] = server->ip[15] = 2;
	} else {
		memcpy(app->ip, "\xa\0\0\2", 4);
		memcpy(server->ip, "\xc0\0\2\1", 4);
	}
}

void apps_segment(int which, uint8_t flags, uint32_t seq, uint32_t ack,
		  uint16_t window, const uint8_t *options, size_t options_len,
		  uint32_t len)
{
	uint32_t head = (uint32_t)(20 + options_len);
	struct sluice_addr app, server;
	uint8_t *b = next_packet(), *h;
	uint64_t sum;
	uint16_t c;

	if (!b)
		return;
	apps_ends(which, &app, &server);
	h = b + packet_ip_header(b, &app, &server, PACKET_TCP, 64, 0,
				 head + len, true, 0);
	memset(h, 0, head);
	put_be16(h, app.port);
	put_be16(h + 2, server.port);
	put_be32(h + 4, seq);
	put_be32(h + 8, ack);
	h[12] = (uint8_t)(head / 4 << 4);
	h[13] = flags;
	put_be16(h + 14, window);
	if (options_len)
		memcpy(h + 20, options, options_len);
	seq += !!(flags & TCP_SYN);
	memcpy(h + head, apps_bytes(seq), len);
	sum = csum_pseudo(&app, &server, PACKET_TCP, head + len);
	c = csum_fold(csum_add(sum, h, head + len));
	memcpy(h + 16, &c, 2);
	put((size_t)(h - b) + head + len);
}

void apps_ack(int which, uint16_t window)
{
	const struct app *a = &apps[which];

	apps_segment(which, TCP_ACK, a->seq, a->ack, window, NULL, 0, 0);
}

static int put_fragment(void *arg, const struct iovec *v, int n)
{
	uint8_t *b = next_packet();
	int *leave_out = arg;
	size_t len = 0;

	if (!b || !(*leave_out)--)
		return 0;
	for (int i = 0; i < n; i++) {
		memcpy(b + len, v[i].iov_base, v[i].iov_len);
		len += v[i].iov_len;
	}
	put(len);
	return 0;
}

void apps_datagram(int which, size_t len, size_t mtu, uint32_t id,
		   int leave_out)
{
	uint8_t head[PACKET_HEADERS_MAX];
	struct sluice_addr app, server;
	struct iovec v[2] = { { head, 0 },
			      { (void *)(uintptr_t)apps_bytes(0), len } };

	apps_ends(which, &app, &server);
	server.port = 7;
	v[0].iov_len = packet_udp_header(head, &app, &server, 64, 0, false, 1,
					 v + 1, 1, false);
	frag_cut(v, 2, mtu, id, put_fragment, &leave_out);
}

void apps_ping(int which, size_t len)
{
	struct sluice_addr app, server;
	uint8_t *b = next_packet();

	if (!b)
		return;
	apps_ends(which, &app, &server);
	len = packet_icmp_echo(b, APPS_MTU, &app, &server,
			       app.family == 4 ? 8 : 128, app.port, 1, 64,
			       apps_bytes(0), len);
	if (len)
		put(len);
}

void apps_again(uint8_t at, uint8_t value)
{
	uint8_t *b = next_packet();
	size_t len, head;
	uint16_t c;

	if (!b || last < 0)
		return;
	len = queue[last].len;
	memmove(b, queue[last].data, len);
	head = (b[0] & 15) * 4u;
	b[at % len] = value;
	if (b[0] >> 4 == 4 && head >= 20 && head <= len) {
		memset(b + 10, 0, 2);
		c = csum_fold(csum_add(0, b, head));
		memcpy(b + 10, &c, 2);
	}
	put(len);
}
