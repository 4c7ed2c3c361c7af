/* SPDX-License-Identifier: MIT */
/* app.c - the app's end of TCP connections, made by hand */
#include "app.h"

#include <arpa/inet.h>
#include <dirent.h>

#define APP_MSS      1200u   /* of the segments we send: fits every MTU */
#define APP_TURNS    8       /* "nothing happens" */
#define APP_EPOCH_MS 1000000 /* when time is not real */
#define APP_STEP_MS  20      /* of waiting */

static struct app *apps;
static uint64_t skipped; /* ms, see app_wait() */
static uint64_t frozen;  /* 0: the clock runs */
static int fds_before;
static size_t objects_before;

/* The clock of the whole core (ld --wrap): time is given, not slept. */
uint64_t __wrap_util_now_ms(void)
{
	return (frozen ? frozen : __real_util_now_ms()) + skipped;
}

void app_freeze(void)
{
	frozen = APP_EPOCH_MS;
	skipped = 0;
}

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	CU_ASSERT_FATAL(d != NULL);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

void app_watch_packets(struct world *w, bool on)
{
	w->gw.chains.see &= ~(unsigned)SLUICE_SEE_PACKETS;
	if (on)
		w->gw.chains.see |= SLUICE_SEE_PACKETS;
}

struct world *app_world(const char *conf)
{
	struct world *w;

	static const struct sluice_plugin *const plugins[] = { &script_first,
							       &script_second,
							       NULL };
	char text[1024];

	script_reset();
	apps = NULL;
	fds_before = count_fds();
	objects_before = pool_malloc_used();
	snprintf(text, sizeof(text),
		 "[chain]\ntcp = first second\nudp = first\ndns =\n"
		 "protect = first\nobserve = first\n%s",
		 conf);
	w = world_new(plugins, text);
	app_watch_packets(w, false);
	return w;
}

static void forget(struct app *a)
{
	struct app **at;

	for (at = &apps; *at; at = &(*at)->next) {
		if (*at != a)
			continue;
		*at = a->next;
		CU_ASSERT_TRUE(a->lax || !a->holes);
		CU_ASSERT_TRUE(a->lax || !a->beyond);
		free(a->data);
		return;
	}
}

void app_end(struct world *w)
{
	while (apps)
		forget(apps);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, stack_assertions), 0);
	world_end(w);
	frozen = 0;
	CU_ASSERT_EQUAL(pool_malloc_used(), objects_before);
	CU_ASSERT_EQUAL(count_fds(), fds_before);
	CU_ASSERT_EQUAL(first.seen_opens, first.seen_closes);
}

/* ------------------------------------------------------------- what came */

static void keep(struct app *a, const uint8_t *data, size_t len)
{
	if (a->len + len > a->cap) {
		a->cap = (a->len + len) * 2;
		a->data = realloc(a->data, a->cap);
		CU_ASSERT_FATAL(a->data != NULL);
	}
	memcpy(a->data + a->len, data, len);
	a->len += len;
}

static void take_syn(struct app *a, const struct packet *p)
{
	if (a->syns++)
		return;
	a->syn_flags = p->flags;
	packet_syn_options(p, &a->theirs);
	a->irs = p->seq;
	a->nxt = p->seq + 1;
	a->edge = a->nxt + a->window;
	a->una = p->ack;
	a->syn_window = p->window;
	a->right = p->ack + p->window;
	if (a->offer.has_wscale && a->theirs.has_wscale) {
		a->shift = MIN(a->offer.wscale, 14);
		a->their_shift = a->theirs.wscale;
	}
}

/* The part of a segment that is new and fits. */
static void take_data(struct app *a, const struct packet *p)
{
	uint32_t skip = a->nxt - p->seq, len = p->data_len, over;

	if ((int32_t)skip < 0) {
		a->holes++;
		return;
	}
	if (skip >= len)
		return;
	over = p->seq + len - a->edge;
	if ((int32_t)over > 0) {
		if (len == 1)
			a->probes++;
		else
			a->beyond++;
		return;
	}
	keep(a, p->data + skip, len - skip);
	a->nxt += len - skip;
}

static void take_segment(struct app *a, const struct packet *p)
{
	if (a->deaf)
		return;
	a->segments++;
	if (p->flags & TCP_RST) {
		a->rsts++;
		a->rst_flags = p->flags;
		a->rst_seq = p->seq;
		a->rst_ack = p->ack;
		return;
	}
	if (p->flags & TCP_SYN) {
		take_syn(a, p);
		return;
	}
	if (p->flags & TCP_ACK) {
		a->acks++;
		a->last_ack = p->ack;
		if ((int32_t)(p->ack - a->una) >= 0) {
			a->una = p->ack;
			a->right = p->ack +
				   ((uint32_t)p->window << a->their_shift);
		}
	}
	a->largest = MAX(a->largest, p->data_len);
	if (p->data_len)
		take_data(a, p);
	if (p->flags & TCP_FIN && p->seq + p->data_len == a->nxt && !a->fin) {
		a->fin = true;
		a->nxt++;
		a->edge++;
	}
	if ((p->data_len || p->flags & TCP_FIN) && !a->quiet)
		app_ack(a);
}

/* An ICMP error about a segment of ours: which app sent it? */
static void take_icmp(const struct packet *p)
{
	size_t head = p->version == 4 ? 20 : 40;
	struct app *a;

	if (p->version == 6 && p->data_len > 6 && p->data[6] == 44)
		head += 8; /* about a first fragment */
	if (p->data_len < head + 8)
		return;
	for (a = apps; a; a = a->next) {
		if (a->src.port != get_be16(p->data + head) ||
		    a->dst.port != get_be16(p->data + head + 2) ||
		    !addr_ip_equal(&a->src, &p->dst))
			continue;
		a->icmps++;
		a->icmp_type = p->type;
		a->icmp_code = p->code;
		a->icmp_from = p->src;
		return;
	}
}

static void deliver(struct world *w)
{
	struct app *a;

	for (int i = 0; i < w->down_n; i++) {
		struct packet p = world_down(w, i);

		if (p.proto == PACKET_ICMP || p.proto == PACKET_ICMPV6)
			take_icmp(&p);
		if (p.proto != PACKET_TCP)
			continue;
		for (a = apps; a; a = a->next)
			if (addr_equal(&a->src, &p.dst) &&
			    addr_equal(&a->dst, &p.src))
				break;
		if (a)
			take_segment(a, &p);
	}
	world_forget(w);
}

void app_turn(struct world *w, int ms)
{
	loop_turn(&w->gw.loop, ms);
	deliver(w);
}

void app_turns(struct world *w, int n)
{
	while (n--)
		app_turn(w, 1);
}

void app_wait(struct world *w, unsigned ms)
{
	for (; ms >= APP_STEP_MS; ms -= APP_STEP_MS) {
		skipped += APP_STEP_MS;
		app_turn(w, 0);
	}
}

/* --------------------------------------------------------------- offload */

static size_t largest;

size_t app_largest(void)
{
	return largest;
}

/* One segment of a packet, lengths and sums made right. */
static void cut_one(struct world *w, const uint8_t *p, size_t head, size_t from,
		    size_t len, bool last)
{
	size_t ip_len = p[0] >> 4 == 4 ? 20 : 40;
	struct sluice_addr src = { .family = ip_len == 20 ? 4 : 6 }, dst = src;
	struct iovec v;
	uint8_t b[2048];
	uint16_t sum;

	CU_ASSERT_FATAL(head + len <= sizeof(b));
	memcpy(b, p, head);
	memcpy(b + head, p + head + from, len);
	memcpy(src.ip, b + (ip_len == 20 ? 12 : 8), ip_len == 20 ? 4 : 16);
	memcpy(dst.ip, b + (ip_len == 20 ? 16 : 24), ip_len == 20 ? 4 : 16);
	if (ip_len == 20) {
		put_be16(b + 2, (uint16_t)(head + len));
		memset(b + 10, 0, 2);
		sum = csum_fold(csum_add(0, b, 20));
		memcpy(b + 10, &sum, 2);
	} else {
		put_be16(b + 4, (uint16_t)(head + len - 40));
	}
	put_be32(b + ip_len + 4, get_be32(b + ip_len + 4) + (uint32_t)from);
	if (!last)
		b[ip_len + 13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	memset(b + ip_len + 16, 0, 2);
	sum = csum_fold(csum_add(csum_pseudo(&src, &dst, PACKET_TCP,
					     (uint32_t)(head - ip_len + len)),
				 b + ip_len, head - ip_len + len));
	memcpy(b + ip_len + 16, &sum, 2);
	v = (struct iovec){ b, head + len };
	CU_ASSERT_EQUAL(world_write(w, &v, 1), 0);
}

/* The vnet header says what is left to do (virtio 1.2, 5.1.6.2). */
static int cut(void *arg, const struct iovec *v, int n)
{
	const struct virtio_net_hdr *vh = v[0].iov_base;
	struct world *w = arg;
	struct world_packet p;
	size_t ip_len, head, len, part;
	uint64_t pseudo;
	uint16_t sum;

	CU_ASSERT_EQUAL_FATAL(v[0].iov_len, sizeof(*vh));
	if (!vh->flags)
		return world_write(w, v + 1, n - 1);
	world_keep(&p, v + 1, n - 1);
	largest = MAX(largest, p.len);
	ip_len = p.data[0] >> 4 == 4 ? 20 : 40;
	head = ip_len + (size_t)(p.data[ip_len + 12] >> 4) * 4;
	len = p.len - head;
	CU_ASSERT_EQUAL(vh->flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	CU_ASSERT_EQUAL(vh->csum_start, ip_len);
	CU_ASSERT_EQUAL(vh->csum_offset, 16);
	CU_ASSERT_TRUE(vh->gso_type || p.len <= w->gw.set.mtu);
	if (vh->gso_type) {
		CU_ASSERT_EQUAL(vh->gso_type, ip_len == 20 ?
						      VIRTIO_NET_HDR_GSO_TCPV4 :
						      VIRTIO_NET_HDR_GSO_TCPV6);
		CU_ASSERT_EQUAL(vh->hdr_len, head);
		CU_ASSERT_TRUE(head + vh->gso_size <= w->gw.set.mtu);
		CU_ASSERT_TRUE(len > vh->gso_size);
	}
	/* What stands there is the sum over the pseudo-header. */
	memcpy(&sum, p.data + ip_len + 16, 2);
	pseudo = csum_add(0, p.data + (ip_len == 20 ? 12 : 8),
			  ip_len == 20 ? 8 : 32);
	pseudo += htons(PACKET_TCP) + htons((uint16_t)(p.len - ip_len));
	CU_ASSERT_EQUAL(sum, csum_partial(pseudo));
	for (size_t from = 0; from < len || !from; from += part) {
		part = vh->gso_type ? MIN(len - from, vh->gso_size) : len;
		cut_one(w, p.data, head, from, part, from + part == len);
		if (!len)
			break;
	}
	free(p.data);
	return 0;
}

void app_offload(struct world *w)
{
	struct tun *t = &w->gw.tun;

	t->vnet = t->csum = t->tso = true;
	t->ops.write = cut;
	largest = 0;
}

/* ------------------------------------------------------------ what it says */

void app_init(struct app *a, struct world *w, int family, uint16_t port,
	      const struct sluice_addr *dst)
{
	forget(a);
	*a = (struct app){ .w = w,
			   .next = apps,
			   .src = world_app(family, port),
			   .dst = *dst,
			   .iss = util_random32(),
			   .window = APP_WINDOW,
			   .offer = { .mss = family == 4 ? 1460 : 1440,
				      .has_sack = true,
				      .has_wscale = true,
				      .wscale = 2 } };
	a->seq = a->una = a->iss;
	apps = a;
}

static size_t write_options(const struct packet_syn *o, uint8_t *out)
{
	size_t n = 0;

	if (o->mss) {
		out[n++] = 2;
		out[n++] = 4;
		put_be16(out + n, o->mss);
		n += 2;
	}
	if (o->has_sack) {
		out[n++] = 4;
		out[n++] = 2;
		out[n++] = 1;
		out[n++] = 1;
	}
	if (o->has_wscale) {
		out[n++] = 3;
		out[n++] = 3;
		out[n++] = o->wscale;
		out[n++] = 1;
	}
	return n;
}

void app_segment(struct app *a, uint8_t flags, uint32_t seq, const void *data,
		 size_t len)
{
	static uint8_t b[PACKET_MAX + 20];
	size_t head, options = 0;
	uint32_t window = (a->full ? a->edge - a->nxt : a->window) >> a->shift;
	uint8_t *h;
	uint16_t sum;

	if (flags & TCP_SYN) {
		h = b + (a->src.family == 4 ? 20 : 40);
		options = write_options(&a->offer, h + 20);
		window = a->window;
	} else {
		options = a->options;
		memset(b + (a->src.family == 4 ? 40 : 60), 1, options);
	}
	CU_ASSERT_FATAL(len + options + 40 <= MAX(a->w->gw.set.mtu, 1500));
	head = packet_ip_header(b, &a->src, &a->dst, PACKET_TCP,
				a->ttl ? a->ttl : 64, a->tos,
				(uint32_t)(20 + options + len), true, 0);
	h = b + head;
	put_be16(h, a->src.port);
	put_be16(h + 2, a->dst.port);
	put_be32(h + 4, seq);
	put_be32(h + 8, flags & TCP_ACK ? a->nxt : 0);
	h[12] = (uint8_t)((20 + options) << 2);
	h[13] = flags;
	put_be16(h + 14, (uint16_t)MIN(window, 65535u));
	memset(h + 16, 0, 4);
	if (len)
		memcpy(h + 20 + options, data, len);
	sum = csum_fold(csum_add(csum_pseudo(&a->src, &a->dst, PACKET_TCP,
					     (uint32_t)(20 + options + len)),
				 h, 20 + options + len));
	memcpy(h + 16, &sum, 2);
	window <<= a->shift;
	if (flags & TCP_ACK && (int32_t)(a->nxt + window - a->edge) > 0)
		a->edge = a->nxt + window;
	world_up(a->w, b, head + 20 + options + len);
}

void app_syn(struct app *a)
{
	app_segment(a, TCP_SYN, a->iss, NULL, 0);
	a->seq = a->iss + 1;
}

void app_open(struct app *a)
{
	app_syn(a);
	UNTIL(a->w, a->syns || a->rsts || a->icmps);
	CU_ASSERT_EQUAL_FATAL(a->syns, 1);
	CU_ASSERT_EQUAL(a->una, a->iss + 1);
	app_ack(a);
	app_turns(a->w, 2);
}

uint32_t app_room(const struct app *a)
{
	return (int32_t)(a->right - a->seq) > 0 ? a->right - a->seq : 0;
}

size_t app_send(struct app *a, const void *data, size_t len)
{
	const uint8_t *at = data;
	size_t sum = 0;

	len = MIN(len, app_room(a));
	while (sum < len && a->w->up_n < WORLD_KEPT / 2) {
		size_t part = MIN(len - sum, APP_MSS);

		app_segment(a, TCP_ACK | TCP_PSH, a->seq, at + sum, part);
		a->seq += (uint32_t)part;
		sum += part;
	}
	return sum;
}

void app_ack(struct app *a)
{
	app_segment(a, TCP_ACK, a->seq, NULL, 0);
}

void app_fin(struct app *a)
{
	app_segment(a, TCP_ACK | TCP_FIN, a->seq, NULL, 0);
	a->seq++;
}

void app_rst(struct app *a)
{
	app_segment(a, TCP_RST | TCP_ACK, a->seq, NULL, 0);
}

bool app_has(const struct app *a, const void *data, size_t len)
{
	return a->len == len && (!len || !memcmp(a->data, data, len));
}

void app_forget(struct app *a)
{
	a->len = 0;
}

void app_is_told(struct app *a, uint8_t code4, uint8_t code6)
{
	bool v4 = a->src.family == 4;

	UNTIL(a->w, a->icmps);
	CU_ASSERT_EQUAL(a->icmps, 1);
	CU_ASSERT_EQUAL(a->segments, 0);
	CU_ASSERT_EQUAL(a->icmp_type, v4 ? 3 : 1);
	CU_ASSERT_EQUAL(a->icmp_code, v4 ? code4 : code6);
}

/* -------------------------------------------------------------- outside */

int app_listen(int family, struct sluice_addr *as)
{
	int fd = world_server(family, SOCK_STREAM, as);

	CU_ASSERT_EQUAL_FATAL(listen(fd, 128), 0);
	util_nonblock(fd);
	return fd;
}

int app_accept(struct world *w, int listener)
{
	uint64_t until = __real_util_now_ms() + 2000;
	int fd;

	do {
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		if (fd < 0)
			app_turn(w, 5);
	} while (fd < 0 && __real_util_now_ms() < until);
	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

bool app_nobody(struct world *w, int listener)
{
	int fd;

	app_turns(w, APP_TURNS);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	if (fd < 0)
		return true;
	close(fd);
	return false;
}

ssize_t app_read(struct world *w, int fd, void *buf, size_t len)
{
	uint64_t until = __real_util_now_ms() + 2000;
	uint8_t *at = buf;
	size_t sum = 0;
	ssize_t got;

	while (sum < len) {
		got = recv(fd, at + sum, len - sum, 0);
		if (got > 0) {
			sum += (size_t)got;
			continue;
		}
		if (got == 0)
			break;
		if (errno != EAGAIN)
			return -errno;
		if (__real_util_now_ms() > until)
			return -ETIMEDOUT;
		app_turn(w, 5);
	}
	return (ssize_t)sum;
}

struct sluice_addr app_closed_port(int family)
{
	struct sluice_addr as;

	close(world_server(family, SOCK_STREAM, &as));
	return as;
}

void app_pattern(uint8_t *out, size_t at, size_t len)
{
	for (size_t i = 0; i < len; i++, at++)
		out[i] = (uint8_t)(at ^ (at >> 8) * 31 ^ (at >> 16) * 7);
}
