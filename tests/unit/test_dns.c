/* SPDX-License-Identifier: MIT */
/* test_dns.c - questions in a whole gateway (DNS-1 to DNS-9, DNS-14)
 *
 * Two plugins of the test, "first" and "second", do what the test puts into
 * them; what they were asked, and in which order, is in `calls`.
 */
#include "dns.h"

#include <pthread.h>

#include "dnsmsg.h"
#include "names.h"
#include "world.h"

#define CHAIN(dns) \
	"[chain]\ntcp =\nudp =\nprotect =\nobserve = second\ndns = " dns "\n"
#define BOTH CHAIN("first second")

static int (*first_query)(struct sluice_query *);
static int (*second_query)(struct sluice_query *);
static int (*first_reply)(struct sluice_query *, const uint8_t *, size_t);
static char calls[64];
static struct sluice_query *held[8];
static int held_n;
static struct sluice_dns_event seen; /* info: gone by now */
static char seen_name[DNSMSG_TEXT];
static int seen_n;
static char flow_name[DNSMSG_TEXT]; /* of the last flow; "-": none */

/* --------------------------------------------------------- the two plugins */

static void called(char what)
{
	size_t n = strlen(calls);

	CU_ASSERT_FATAL(n + 1 < sizeof(calls));
	calls[n] = what;
}

static int on_first(void *self, struct sluice_query *q)
{
	(void)self;
	called('1');
	return first_query ? first_query(q) : SLUICE_PASS;
}

static int on_second(void *self, struct sluice_query *q)
{
	(void)self;
	called('2');
	return second_query ? second_query(q) : SLUICE_PASS;
}

static int on_first_reply(void *self, struct sluice_query *q,
			  const uint8_t *msg, size_t len)
{
	(void)self;
	called('a');
	return first_reply ? first_reply(q, msg, len) : SLUICE_PASS;
}

static int on_second_reply(void *self, struct sluice_query *q,
			   const uint8_t *msg, size_t len)
{
	(void)self;
	(void)q;
	CU_ASSERT_TRUE(msg && len >= DNSMSG_HEADER);
	called('b');
	return SLUICE_PASS;
}

static void on_event(void *self, const struct sluice_dns_event *e)
{
	(void)self;
	seen = *e;
	snprintf(seen_name, sizeof(seen_name), "%s", e->info->name);
	seen_n++;
}

static void on_flow(void *self, const struct sluice_flow_event *e)
{
	(void)self;
	if (e->event == SLUICE_EVENT_OPEN)
		snprintf(flow_name, sizeof(flow_name), "%s",
			 e->info->name ? e->info->name : "-");
}

static const struct sluice_dns_ops first_dns = {
	.size = sizeof(first_dns),
	.query = on_first,
	.reply = on_first_reply,
};

static const struct sluice_dns_ops second_dns = {
	.size = sizeof(second_dns),
	.query = on_second,
	.reply = on_second_reply,
};

static const struct sluice_observe_ops second_observe = {
	.size = sizeof(second_observe),
	.flags = SLUICE_SEE_DNS | SLUICE_SEE_FLOWS,
	.flow = on_flow,
	.dns = on_event,
};

static const struct sluice_plugin first = {
	SLUICE_HEAD,       .name = "first",
	.version = "1",    .summary = "of the test",
	.dns = &first_dns,
};

static const struct sluice_plugin second = {
	SLUICE_HEAD,        .name = "second",
	.version = "1",     .summary = "of the test",
	.dns = &second_dns, .observe = &second_observe,
};

static struct world *new_world(const char *conf)
{
	static const struct sluice_plugin *const both[] = { &first, &second,
							    NULL };

	first_query = second_query = NULL;
	first_reply = NULL;
	memset(calls, 0, sizeof(calls));
	held_n = seen_n = 0;
	return world_new(both, conf);
}

static int take(struct sluice_query *q)
{
	static const struct sluice_addr a[] = {
		{ .family = 4, .ip = { 192, 0, 2, 1 } },
		{ .family = 6, .ip = { 0x20, 1, 0xd, 0xb8 } },
	};

	CU_ASSERT_EQUAL(sluice_answer_addr(q, a, 2, 60), 0);
	return SLUICE_TAKE;
}

static int hold(struct sluice_query *q)
{
	CU_ASSERT_FATAL(held_n < 8);
	held[held_n++] = q;
	return SLUICE_LATER;
}

/* ---------------------------------------------------------------- the app */

static struct sluice_addr server_of(int family)
{
	struct sluice_addr a = { .family = (uint8_t)family, .port = 53 };

	if (family == 4)
		memcpy(a.ip, "\10\10\10\10", 4);
	else
		memcpy(a.ip, "\x20\x01\x48\x60", 4);
	return a;
}

static size_t question(uint8_t *b, uint16_t id, const char *name, uint16_t type)
{
	int n;

	memset(b, 0, DNSMSG_HEADER);
	put_be16(b, id);
	b[2] = 1;
	b[5] = 1;
	n = dnsmsg_name_wire(name, b + DNSMSG_HEADER);
	CU_ASSERT_FATAL(n > 0);
	put_be16(b + DNSMSG_HEADER + n, type);
	put_be16(b + DNSMSG_HEADER + n + 2, DNSMSG_IN);
	return DNSMSG_HEADER + (size_t)n + 4;
}

static void ask_from(struct world *w, int family, uint16_t port, uint16_t id,
		     const char *name)
{
	struct sluice_addr app = world_app(family, port);
	struct sluice_addr to = server_of(family);
	uint8_t b[512];

	world_udp(w, &app, &to, 64, b,
		  question(b, id, name, family == 4 ? 1 : 28));
	world_turns(w, 2);
}

static void ask(struct world *w, uint16_t id, const char *name)
{
	ask_from(w, 4, 40001, id, name);
}

static struct dnsmsg came(struct world *w, int i, struct packet *p)
{
	struct dnsmsg m = { 0 };

	*p = world_down(w, i);
	CU_ASSERT_EQUAL_FATAL(p->proto, PACKET_UDP);
	CU_ASSERT_EQUAL(dnsmsg_parse(&m, p->data, p->data_len), 0);
	CU_ASSERT_EQUAL(m.len, p->data_len);
	CU_ASSERT_TRUE(m.flags & DNSMSG_QR);
	return m;
}

/* Packet i is this answer. */
static void is_answer(struct world *w, int i, uint16_t id, const char *name,
		      int rcode)
{
	char text[DNSMSG_TEXT];
	struct packet p;
	struct dnsmsg m;

	CU_ASSERT_TRUE_FATAL(i < w->down_n);
	m = came(w, i, &p);
	CU_ASSERT_EQUAL(m.id, id);
	CU_ASSERT_EQUAL(DNSMSG_RCODE(m.flags), rcode);
	CU_ASSERT_TRUE(dnsmsg_name(p.data, p.data_len, 12, text) > 0);
	CU_ASSERT_STRING_EQUAL(text, name);
}

#define COUNT(name) stats_get(&w->gw.stats, name)

/* ------------------------------------------------------------------- tests */

static void a_question_is_answered_from_where_it_was_asked(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = new_world(BOTH);
		struct sluice_addr app = world_app(family, 40001);
		struct sluice_addr to = server_of(family);
		struct packet p;
		struct dnsmsg m;

		second_query = take;
		ask_from(w, family, 40001, 0x1234, "WWW.example.org");
		CU_ASSERT_EQUAL_FATAL(w->down_n, 1);
		m = came(w, 0, &p);
		CU_ASSERT_TRUE(addr_equal(&p.src, &to));
		CU_ASSERT_TRUE(addr_equal(&p.dst, &app));
		CU_ASSERT_EQUAL(p.ttl, 64);
		CU_ASSERT_EQUAL(m.id, 0x1234);
		CU_ASSERT_EQUAL(m.count[1], 1);
		CU_ASSERT_EQUAL(memcmp(p.data + 13, "WWW", 3), 0);
		CU_ASSERT_STRING_EQUAL(calls, "12a");
		CU_ASSERT_EQUAL(COUNT(dns_pending), 0);
		world_end(w);
	}
}

static int look(struct sluice_query *q)
{
	const struct sluice_query_info *i = sluice_query_info(q);

	CU_ASSERT_STRING_EQUAL(i->name, "a\\.b.example");
	CU_ASSERT_EQUAL(i->qtype, 28);
	CU_ASSERT_EQUAL(i->qclass, 1);
	CU_ASSERT_EQUAL(i->app.port, 40001);
	CU_ASSERT_EQUAL(i->server.port, 53);
	CU_ASSERT_EQUAL(i->udp_size, 512);
	CU_ASSERT_EQUAL(i->tcp, 0);
	CU_ASSERT_EQUAL(i->uid, -1);
	return take(q);
}

static void a_plugin_sees_the_question_in_one_shape(void)
{
	struct world *w = new_world(BOTH);

	first_query = look;
	ask_from(w, 6, 40001, 1, "A\\.b.Example");
	CU_ASSERT_STRING_EQUAL(calls, "1");
	CU_ASSERT_EQUAL(w->down_n, 1);
	world_end(w);
}

static void the_same_id_from_two_sockets_is_two_questions(void)
{
	struct world *w = new_world(BOTH);

	first_query = hold;
	ask_from(w, 4, 1001, 7, "one.test");
	ask_from(w, 4, 1002, 7, "two.test");
	ask_from(w, 4, 1001, 7, "three.test");
	CU_ASSERT_EQUAL_FATAL(held_n, 3);
	CU_ASSERT_EQUAL(COUNT(dns_pending), 3);
	for (int i = 2; i >= 0; i--) {
		take(held[i]);
		sluice_query_resolve(held[i], SLUICE_TAKE);
	}
	world_turns(w, 2);
	CU_ASSERT_EQUAL_FATAL(w->down_n, 3);
	is_answer(w, 0, 7, "three.test", 0);
	is_answer(w, 1, 7, "two.test", 0);
	is_answer(w, 2, 7, "one.test", 0);
	CU_ASSERT_EQUAL(world_down(w, 1).dst.port, 1002);
	CU_ASSERT_EQUAL(COUNT(dns_pending), 0);
	world_end(w);
}

static void a_repeated_question_is_asked_and_answered_once(void)
{
	struct world *w = new_world(BOTH);

	first_query = hold;
	ask(w, 7, "one.test");
	ask(w, 7, "ONE.test");
	CU_ASSERT_EQUAL_FATAL(held_n, 1);
	take(held[0]);
	sluice_query_resolve(held[0], SLUICE_TAKE);
	world_turns(w, 2);
	CU_ASSERT_EQUAL(w->down_n, 1);
	ask(w, 7, "one.test"); /* the first one is over */
	CU_ASSERT_EQUAL(held_n, 2);
	sluice_query_resolve(held[1], SLUICE_DROP);
	world_turns(w, 2);
	CU_ASSERT_EQUAL(w->down_n, 1);
	world_end(w);
}

static void too_many_waiting_are_told_so_at_once(void)
{
	struct world *w = new_world(BOTH "[dns]\nmax-pending = 2\n");

	first_query = hold;
	ask(w, 1, "one.test");
	ask(w, 2, "two.test");
	ask(w, 3, "three.test");
	CU_ASSERT_EQUAL(held_n, 2);
	CU_ASSERT_EQUAL_FATAL(w->down_n, 1);
	is_answer(w, 0, 3, "three.test", DNSMSG_SERVFAIL);
	CU_ASSERT_EQUAL(COUNT(dns_limited), 1);
	CU_ASSERT_EQUAL(COUNT(dns_pending), 2);
	sluice_query_resolve(held[0], SLUICE_DROP);
	sluice_query_resolve(held[1], SLUICE_DROP);
	world_turns(w, 2);
	ask(w, 4, "four.test");
	CU_ASSERT_EQUAL_FATAL(held_n, 3);
	sluice_query_resolve(held[2], SLUICE_DROP);
	world_turns(w, 2);
	world_end(w);
}

static void time_is_up_while_a_plugin_holds_it(void)
{
	struct world *w = new_world(BOTH "[dns]\ntimeout = 100ms\n");

	first_query = hold;
	ask(w, 9, "one.test");
	CU_ASSERT_TRUE(world_wait(w, 1));
	is_answer(w, 0, 9, "one.test", DNSMSG_SERVFAIL);
	CU_ASSERT_EQUAL(COUNT(dns_timeout), 1);
	CU_ASSERT_EQUAL(COUNT(dns_pending), 0);
	CU_ASSERT_EQUAL(seen_n, 1);
	CU_ASSERT_EQUAL(seen.rcode, DNSMSG_SERVFAIL);
	/* it is the plugin's until now, but nobody listens */
	CU_ASSERT_STRING_EQUAL(sluice_query_info(held[0])->name, "one.test");
	take(held[0]);
	sluice_query_resolve(held[0], SLUICE_TAKE);
	world_turns(w, 3);
	CU_ASSERT_EQUAL(w->down_n, 1);
	world_end(w);
}

static void what_is_never_resolved_ends_with_the_gateway(void)
{
	struct world *w = new_world(BOTH "[dns]\ntimeout = 100ms\n");

	first_query = hold;
	ask(w, 9, "one.test");
	CU_ASSERT_TRUE(world_wait(w, 1));
	ask(w, 10, "two.test");
	CU_ASSERT_EQUAL(held_n, 2);
	world_end(w);
}

/* Plugins have stopped by then; the device may still bring questions. */
static void nothing_is_asked_while_the_gateway_ends(void)
{
	struct world *w = new_world(BOTH);

	w->gw.stopping = true;
	ask(w, 9, "one.test");
	CU_ASSERT_STRING_EQUAL(calls, "");
	CU_ASSERT_EQUAL(COUNT(dns_pending), 0);
	CU_ASSERT_EQUAL(w->down_n, 0);
	world_end(w);
}

static void *resolve_in_thread(void *arg)
{
	struct sluice_query *q = arg;

	take(q);
	sluice_query_resolve(q, SLUICE_TAKE);
	return NULL;
}

static void another_thread_may_answer(void)
{
	struct world *w = new_world(BOTH);
	pthread_t t[8];

	first_query = hold;
	for (int i = 0; i < 8; i++)
		ask(w, (uint16_t)i, "one.test");
	CU_ASSERT_EQUAL_FATAL(held_n, 8);
	for (int i = 0; i < 8; i++)
		CU_ASSERT_EQUAL_FATAL(
			pthread_create(&t[i], NULL, resolve_in_thread, held[i]),
			0);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	CU_ASSERT_EQUAL(w->down_n, 0); /* the loop says it, nobody else */
	CU_ASSERT_TRUE(world_wait(w, 8));
	CU_ASSERT_EQUAL(COUNT(dns_pending), 0);
	world_end(w);
}

static void a_thread_may_be_late(void)
{
	struct world *w = new_world(BOTH);
	pthread_t t;

	first_query = hold;
	ask(w, 1, "one.test");
	CU_ASSERT_EQUAL_FATAL(
		pthread_create(&t, NULL, resolve_in_thread, held[0]), 0);
	pthread_join(t, NULL);
	world_end(w); /* what it posted finds no gateway */
}

static void held_and_passed_on(void)
{
	struct world *w = new_world(BOTH);

	first_query = hold;
	second_query = take;
	ask(w, 1, "one.test");
	CU_ASSERT_STRING_EQUAL(calls, "1");
	take(held[0]); /* said, but then passed: worth nothing */
	sluice_query_resolve(held[0], SLUICE_PASS);
	world_turns(w, 2);
	CU_ASSERT_STRING_EQUAL(calls, "12a");
	is_answer(w, 0, 1, "one.test", 0);
	CU_ASSERT_STRING_EQUAL(seen.plugin, "second");
	world_end(w);
}

static int nxdomain_reply(struct sluice_query *q, const uint8_t *msg,
			  size_t len)
{
	uint8_t copy[512];

	memcpy(copy, msg, len);
	CU_ASSERT_EQUAL(sluice_block(q, SLUICE_BLOCK_NXDOMAIN), 0);
	CU_ASSERT_EQUAL(memcmp(copy, msg, len), 0); /* still there to read */
	return SLUICE_TAKE;
}

static int drop_reply(struct sluice_query *q, const uint8_t *msg, size_t len)
{
	(void)q;
	(void)msg;
	(void)len;
	return SLUICE_DROP;
}

static void an_answer_is_replaced_or_dropped_on_its_way_back(void)
{
	struct world *w = new_world(BOTH);

	second_query = take;
	first_reply = nxdomain_reply;
	ask(w, 1, "one.test");
	is_answer(w, 0, 1, "one.test", DNSMSG_NXDOMAIN);
	CU_ASSERT_STRING_EQUAL(seen.plugin, "first");
	first_reply = drop_reply;
	ask(w, 2, "two.test");
	CU_ASSERT_EQUAL(w->down_n, 1);
	CU_ASSERT_EQUAL(seen_n, 2);
	CU_ASSERT_EQUAL(seen.dropped, 1);
	world_end(w);
}

static const uint8_t to_cdn[] = "\3one\4test\0\0\5\0\1\0\0\0\x3c\0\x0a"
				"\3cdn\4test\0";

/* one.test is cdn.test. */
static int follow(struct sluice_query *q)
{
	const struct sluice_query_info *i = sluice_query_info(q);

	CU_ASSERT_EQUAL(sluice_follow(q, to_cdn, sizeof(to_cdn) - 2, 1),
			-EINVAL);
	CU_ASSERT_EQUAL(sluice_follow(q, to_cdn, 0, 0), -EINVAL);
	CU_ASSERT_EQUAL(sluice_follow(q, to_cdn, sizeof(to_cdn) - 1, 1), 0);
	CU_ASSERT_STRING_EQUAL(i->name, "cdn.test");
	CU_ASSERT_EQUAL(i->msg_len, DNSMSG_HEADER + 10 + 4);
	return SLUICE_PASS;
}

static int follow_forever(struct sluice_query *q)
{
	for (int i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(sluice_follow(q, to_cdn, sizeof(to_cdn) - 1, 1),
				0);
	CU_ASSERT_EQUAL(sluice_follow(q, to_cdn, sizeof(to_cdn) - 1, 1),
			-ELOOP);
	return SLUICE_PASS;
}

static int hold_cdn(struct sluice_query *q)
{
	CU_ASSERT_STRING_EQUAL(sluice_query_info(q)->name, "cdn.test");
	CU_ASSERT_EQUAL(sluice_follow(q, to_cdn, sizeof(to_cdn) - 1, 1), 0);
	hold(q);
	return SLUICE_LATER;
}

static int look_at_both(struct sluice_query *q, const uint8_t *msg, size_t len)
{
	struct dnsmsg m;

	CU_ASSERT_STRING_EQUAL(sluice_query_info(q)->name, "one.test");
	CU_ASSERT_EQUAL(dnsmsg_parse(&m, msg, len), 0);
	CU_ASSERT_EQUAL(m.count[1], 2);
	CU_ASSERT_EQUAL(sluice_follow(q, to_cdn, sizeof(to_cdn) - 1, 1),
			-EINVAL);
	return SLUICE_PASS;
}

static void a_query_goes_on_under_another_name(void)
{
	struct world *w = new_world(BOTH);
	char text[DNSMSG_TEXT];
	struct packet p;
	struct dnsmsg m;

	first_query = follow;
	first_reply = look_at_both;
	second_query = take;
	ask(w, 1, "one.test");
	is_answer(w, 0, 1, "one.test", 0);
	m = came(w, 0, &p);
	CU_ASSERT_EQUAL(m.count[1], 2);
	CU_ASSERT_EQUAL(memcmp(p.data + 12 + m.question, to_cdn,
			       sizeof(to_cdn) - 1),
			0);
	CU_ASSERT_TRUE(dnsmsg_name(p.data, p.data_len,
				   12 + m.question + sizeof(to_cdn) - 1,
				   text) > 0);
	CU_ASSERT_STRING_EQUAL(text, "cdn.test");
	CU_ASSERT_STRING_EQUAL(calls, "12a");
	CU_ASSERT_STRING_EQUAL(seen_name, "one.test");
	world_end(w);
}

static void circles_of_names_have_an_end(void)
{
	struct world *w = new_world(BOTH);
	struct packet p;

	first_query = follow_forever;
	second_query = take;
	ask(w, 1, "one.test");
	is_answer(w, 0, 1, "one.test", 0);
	CU_ASSERT_EQUAL(came(w, 0, &p).count[1], 9);
	world_end(w);
}

static void who_followed_a_name_is_told_of_failures(void)
{
	struct world *w = new_world(BOTH "[dns]\ntimeout = 100ms\n");

	first_query = follow;
	second_query = hold_cdn;
	ask(w, 1, "one.test");
	ask(w, 1, "one.test"); /* the same one */
	CU_ASSERT_EQUAL_FATAL(held_n, 1);
	CU_ASSERT_TRUE(world_wait(w, 1));
	is_answer(w, 0, 1, "one.test", DNSMSG_SERVFAIL);
	CU_ASSERT_EQUAL(seen_n, 1);
	sluice_query_resolve(held[0], SLUICE_PASS);
	world_turns(w, 2);
	ask(w, 2, "one.test");
	CU_ASSERT_EQUAL_FATAL(held_n, 2);
	take(held[1]);
	sluice_query_resolve(held[1], SLUICE_TAKE);
	world_turns(w, 2);
	CU_ASSERT_EQUAL_FATAL(w->down_n, 2);
	is_answer(w, 1, 2, "one.test", 0);
	ask(w, 3, "one.test");
	sluice_query_resolve(held[2], SLUICE_DROP);
	world_turns(w, 2);
	CU_ASSERT_EQUAL(w->down_n, 2);
	world_end(w);
}

/* ANCOUNT records of 100 bytes. */
static int take_large(struct sluice_query *q)
{
	const struct sluice_query_info *i = sluice_query_info(q);
	static uint8_t m[5000];
	size_t at = i->msg_len;

	memcpy(m, i->msg, at);
	m[7] = 40;
	for (int n = 0; n < 40; n++, at += 112) {
		memset(m + at, 'x', 112);
		memcpy(m + at, "\300\014\0\20\0\1\0\0\0\74\0\144", 12);
	}
	CU_ASSERT_EQUAL(sluice_answer(q, m, at - 1), -EBADMSG);
	CU_ASSERT_EQUAL(sluice_answer(q, m, at), 0);
	CU_ASSERT_EQUAL(sluice_answer(q, m, at), 0);
	return SLUICE_TAKE;
}

static void a_large_answer_is_cut_to_what_the_app_takes(void)
{
	struct world *w = new_world(BOTH);
	struct packet p;
	struct dnsmsg m;

	second_query = take_large;
	ask(w, 1, "one.test");
	CU_ASSERT_EQUAL_FATAL(w->down_n, 1);
	m = came(w, 0, &p);
	CU_ASSERT_TRUE(m.flags & DNSMSG_TC);
	CU_ASSERT_TRUE(p.data_len <= 512 && p.data_len > 400);
	CU_ASSERT_EQUAL(m.count[1], 4);
	world_end(w);
}

static int take_nothing(struct sluice_query *q)
{
	(void)q;
	return SLUICE_TAKE;
}

static int fail(struct sluice_query *q)
{
	(void)q;
	return -EIO;
}

static void a_plugin_that_fails_blocks_or_is_passed(void)
{
	struct world *w = new_world(BOTH);

	second_query = take;
	first_query = fail;
	ask(w, 1, "one.test");
	is_answer(w, 0, 1, "one.test", DNSMSG_SERVFAIL);
	first_query = take_nothing;
	ask(w, 2, "two.test");
	is_answer(w, 1, 2, "two.test", DNSMSG_SERVFAIL);
	CU_ASSERT_STRING_EQUAL(calls, "11");
	world_end(w);

	w = new_world(BOTH "[dns]\non-error = pass\n");
	second_query = take;
	first_query = fail;
	ask(w, 1, "one.test");
	is_answer(w, 0, 1, "one.test", 0);
	CU_ASSERT_STRING_EQUAL(calls, "12a");
	world_end(w);
}

/* clang-format off */
static const struct odd {
	const char *what, *bytes;
	size_t len;
	int rcode;	/* -1: no answer */
	int malformed;
} odd[] = {
#define ODD(what, rcode, malformed, bytes) \
	{ what, bytes, sizeof(bytes) - 1, rcode, malformed }
	ODD("nothing", -1, 1, ""),
	ODD("11 bytes", -1, 1, "\0\1\1\0\0\1\0\0\0\0\0"),
	ODD("an answer", -1, 1,
	    "\0\1\201\200\0\1\0\0\0\0\0\0\1a\0\0\1\0\1"),
	ODD("an answer in pieces", -1, 1, "\0\1\201\200\0\1\0\0\0\0\0\0\7a"),
	ODD("no question", 1, 1, "\0\1\1\0\0\0\0\0\0\0\0\0"),
	ODD("half a question", 1, 1, "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0"),
	ODD("bytes after it", 1, 1,
	    "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1x"),
	ODD("NOTIFY", 4, 0, "\0\1\40\0\0\1\0\0\0\0\0\0\1a\0\0\6\0\1"),
	ODD("an unknown opcode, broken", 4, 0, "\0\1\170\0\0\1\0\0\0\0\0\0\7"),
#undef ODD
};
/* clang-format on */

static void what_is_no_question_is_refused_or_dropped(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		struct world *w = new_world(BOTH);
		struct sluice_addr app = world_app(4, 40001);
		struct sluice_addr to = server_of(4);
		struct packet p;
		struct dnsmsg m;

		world_udp(w, &app, &to, 64, odd[i].bytes, odd[i].len);
		world_turns(w, 2);
		if (w->down_n != (odd[i].rcode >= 0))
			printf("# wrong: %s\n", odd[i].what);
		CU_ASSERT_EQUAL(w->down_n, odd[i].rcode >= 0);
		CU_ASSERT_EQUAL(COUNT(dns_malformed),
				(uint64_t)odd[i].malformed);
		if (w->down_n) {
			m = came(w, 0, &p);
			CU_ASSERT_EQUAL(m.id, 1);
			CU_ASSERT_EQUAL(DNSMSG_RCODE(m.flags), odd[i].rcode);
		}
		CU_ASSERT_STRING_EQUAL(calls, "");
		world_end(w);
	}
}

static void without_a_chain_port_53_is_any_port(void)
{
	struct world *w = new_world(CHAIN(""));

	ask(w, 1, "one.test");
	CU_ASSERT_EQUAL(COUNT(dns_queries), 0);
	CU_ASSERT_EQUAL(COUNT(udp_opened), 1);
	CU_ASSERT_PTR_NULL(w->gw.names);
	CU_ASSERT_STRING_EQUAL(flow_name, "-");
	world_end(w);
}

/* ------------------------------------------------------- names of addresses */

static struct sluice_addr addr(const char *text)
{
	struct sluice_addr a;

	CU_ASSERT_EQUAL_FATAL(addr_parse(text, 0, &a), 0);
	return a;
}

/* What a new flow to dst is called; by UDP, or ping (port 0). */
static const char *flow_to(struct world *w, const char *dst)
{
	static uint16_t port = 50000;
	struct sluice_addr to = addr(dst);
	struct sluice_addr app = world_app(to.family, port++);
	uint8_t out[256];

	strcpy(flow_name, "no flow");
	if (to.port)
		world_udp(w, &app, &to, 64, "hello", 5);
	else
		world_up(w, out,
			 packet_icmp_echo(out, sizeof(out), &app, &to,
					  to.family == 4 ? 8 : 128, port, 1, 64,
					  "hello", 5));
	world_turns(w, 2);
	return flow_name;
}

static void a_flow_is_called_what_its_address_was_looked_up_as(void)
{
	struct world *w = new_world(BOTH);

	second_query = take;
	CU_ASSERT_STRING_EQUAL(flow_to(w, "192.0.2.1:9"), "-");
	ask(w, 1, "WWW.example.org");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "192.0.2.1:9"), "www.example.org");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "192.0.2.1"), "www.example.org");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "192.0.2.2:9"), "-");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "[2001:db8::]:9"), "-");
	ask_from(w, 6, 40001, 2, "six.example.org");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "[2001:db8::]:9"), "six.example.org");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "2001:db8::"), "six.example.org");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "192.0.2.1:9"), "www.example.org");
	ask(w, 3, "other.example");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "192.0.2.1:9"), "other.example");
	world_end(w);
}

/* CNAME cdn.<question>, and its address twice: one of them elsewhere. */
static int take_chain(struct sluice_query *q)
{
	static const char records[] =
		"\300\014\0\5\0\1\0\0\0\0\0\6\3cdn\300\014"
		"\3cdn\300\014\0\1\0\1\0\0\0\74\0\4\306\063\144\1"
		"\300\014\0\1\0\1\0\0\0\74\0\4\306\063\144\2";
	const struct sluice_query_info *i = sluice_query_info(q);
	uint8_t m[512];
	size_t at = i->msg_len;

	memcpy(m, i->msg, at);
	m[2] |= 0x80;
	m[7] = 3;
	memcpy(m + at, records, sizeof(records) - 1);
	CU_ASSERT_EQUAL(sluice_answer(q, m, at + sizeof(records) - 1), 0);
	return SLUICE_TAKE;
}

static void a_chain_of_names_is_called_by_the_first(void)
{
	struct world *w = new_world(BOTH);

	second_query = take_chain;
	ask(w, 1, "www.example.org");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "198.51.100.1:9"), "www.example.org");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "198.51.100.2:9"), "www.example.org");
	world_end(w);
}

static int take_other(struct sluice_query *q, const uint8_t *msg, size_t len)
{
	struct sluice_addr a = addr("198.51.100.1");

	(void)msg;
	(void)len;
	CU_ASSERT_EQUAL(sluice_answer_addr(q, &a, 1, 60), 0);
	return SLUICE_TAKE;
}

static void what_the_app_does_not_get_names_nothing(void)
{
	struct world *w = new_world(BOTH);

	second_query = take;
	first_reply = drop_reply;
	ask(w, 1, "one.test");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "192.0.2.1:9"), "-");
	first_reply = nxdomain_reply;
	ask(w, 2, "two.test");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "192.0.2.1:9"), "-");
	first_reply = take_other;
	ask(w, 3, "three.test");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "192.0.2.1:9"), "-");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "198.51.100.1:9"), "three.test");
	CU_ASSERT_EQUAL(names_count(w->gw.names), 1);
	world_end(w);
}

/* 30 addresses from 10.<first>.0.0 on: what fits 512 bytes. */
static uint8_t many_from;

static int take_many(struct sluice_query *q)
{
	struct sluice_addr a[30] = { { .family = 0 } };

	for (uint8_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = (struct sluice_addr){ .family = 4,
					     .ip = { 10, many_from, 0, i } };
	CU_ASSERT_EQUAL(sluice_answer_addr(q, a, ARRAY_SIZE(a), 60), 0);
	return SLUICE_TAKE;
}

static void names_are_remembered_up_to_a_limit(void)
{
	struct world *w = new_world(BOTH);
	char text[32];

	second_query = take_many;
	for (many_from = 1; many_from <= 150; many_from++) {
		snprintf(text, sizeof(text), "n%u.test", many_from);
		memset(calls, 0, sizeof(calls));
		ask(w, many_from, text);
	}
	CU_ASSERT_EQUAL(w->down_n, 150);
	CU_ASSERT_EQUAL(names_count(w->gw.names), NAMES_MAX);
	CU_ASSERT_STRING_EQUAL(flow_to(w, "10.150.0.29:9"), "n150.test");
	CU_ASSERT_STRING_EQUAL(flow_to(w, "10.1.0.0:9"), "-");
	world_end(w);
}

/* --------------------------------------------------------------- forwarded */

static int server_53(struct world *w, int family)
{
	struct sluice_addr a = { .family = (uint8_t)family, .port = 53 };
	struct sockaddr_storage ss;
	int fd;

	(void)w;
	memcpy(a.ip, family == 4 ? "\177\0\0\1" : "\0\0\0\0", 4);
	if (family == 6)
		a.ip[15] = 1;
	fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC,
		    0);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(
		bind(fd, (struct sockaddr *)&ss, addr_to_sockaddr(&a, &ss)), 0);
	return fd;
}

static void nobody_answers_the_server_asked_does(void)
{
	if (!world_alone())
		UNIT_SKIP("port 53 may be taken here");
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = new_world(BOTH);
		struct sluice_addr app = world_app(family, 40001);
		struct sluice_addr to = world_host(family, 53);
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		int server = server_53(w, family);
		uint8_t b[512];
		size_t n = question(b, 0xaaaa, "one.test", 1);
		ssize_t got;

		world_udp(w, &app, &to, 64, b, n);
		CU_ASSERT_TRUE_FATAL(world_arrives(w, server));
		got = recvfrom(server, b, sizeof(b), 0,
			       (struct sockaddr *)&from, &len);
		CU_ASSERT_EQUAL(got, (ssize_t)n);
		b[2] |= 0x80;
		b[3] = DNSMSG_NXDOMAIN;
		b[1] ^= 1; /* another id: not for us */
		sendto(server, b, n, 0, (struct sockaddr *)&from, len);
		world_turns(w, 5);
		CU_ASSERT_EQUAL(w->down_n, 0);
		b[1] ^= 1;
		sendto(server, b, n, 0, (struct sockaddr *)&from, len);
		CU_ASSERT_TRUE(world_wait(w, 1));
		is_answer(w, 0, 0xaaaa, "one.test", DNSMSG_NXDOMAIN);
		CU_ASSERT_STRING_EQUAL(calls, "12ba");
		CU_ASSERT_STRING_EQUAL(seen.plugin, "core");
		CU_ASSERT_EQUAL(COUNT(dns_pending), 0);
		close(server);
		world_end(w);
	}
}

static void a_server_that_is_not_there_is_servfail_at_once(void)
{
	struct world *w;
	struct sluice_addr app = world_app(4, 40001), to = world_host(4, 53);
	uint8_t b[512];

	if (!world_alone())
		UNIT_SKIP("somebody may be there");
	w = new_world(BOTH);
	world_udp(w, &app, &to, 64, b, question(b, 5, "one.test", 1));
	CU_ASSERT_TRUE(world_wait(w, 1));
	is_answer(w, 0, 5, "one.test", DNSMSG_SERVFAIL);
	CU_ASSERT_EQUAL(COUNT(dns_timeout), 0);
	world_end(w);
}

static struct sluice_addr elsewhere;

static int forward(struct sluice_query *q)
{
	int r = sluice_forward(q, &elsewhere);

	CU_ASSERT_EQUAL(r, SLUICE_LATER);
	CU_ASSERT_EQUAL(sluice_forward(q, &elsewhere), -EINVAL);
	return r;
}

static void a_plugin_forwards_to_another_server(void)
{
	struct world *w = new_world(BOTH);
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	int server = world_server(4, SOCK_DGRAM, &elsewhere);
	uint8_t b[512];
	ssize_t n;

	second_query = forward;
	ask(w, 5, "one.test");
	CU_ASSERT_TRUE_FATAL(world_arrives(w, server));
	n = recvfrom(server, b, sizeof(b), 0, (struct sockaddr *)&from, &len);
	CU_ASSERT_FATAL(n > 12);
	ask(w, 5, "one.test"); /* again: then we ask again as well */
	CU_ASSERT_TRUE(world_arrives(w, server));
	b[2] |= 0x80;
	sendto(server, b, (size_t)n, 0, (struct sockaddr *)&from, len);
	CU_ASSERT_TRUE(world_wait(w, 1));
	is_answer(w, 0, 5, "one.test", 0);
	CU_ASSERT_STRING_EQUAL(calls, "12a");
	CU_ASSERT_STRING_EQUAL(seen.plugin, "second");
	close(server);
	world_end(w);
}

static void forwarded_to_silence_it_times_out(void)
{
	struct world *w = new_world(BOTH "[dns]\ntimeout = 100ms\n");
	int server = world_server(4, SOCK_DGRAM, &elsewhere);

	second_query = forward;
	ask(w, 5, "one.test");
	CU_ASSERT_TRUE(world_wait(w, 1));
	is_answer(w, 0, 5, "one.test", DNSMSG_SERVFAIL);
	CU_ASSERT_EQUAL(COUNT(dns_timeout), 1);
	ask(w, 6, "two.test"); /* under way when the gateway ends */
	close(server);
	world_end(w);
}

static const struct unit_test tests[] = {
	UNIT(a_question_is_answered_from_where_it_was_asked),
	UNIT(a_plugin_sees_the_question_in_one_shape),
	UNIT(the_same_id_from_two_sockets_is_two_questions),
	UNIT(a_repeated_question_is_asked_and_answered_once),
	UNIT(too_many_waiting_are_told_so_at_once),
	UNIT(time_is_up_while_a_plugin_holds_it),
	UNIT(what_is_never_resolved_ends_with_the_gateway),
	UNIT(nothing_is_asked_while_the_gateway_ends),
	UNIT(another_thread_may_answer),
	UNIT(a_thread_may_be_late),
	UNIT(held_and_passed_on),
	UNIT(an_answer_is_replaced_or_dropped_on_its_way_back),
	UNIT(a_query_goes_on_under_another_name),
	UNIT(circles_of_names_have_an_end),
	UNIT(who_followed_a_name_is_told_of_failures),
	UNIT(a_large_answer_is_cut_to_what_the_app_takes),
	UNIT(a_plugin_that_fails_blocks_or_is_passed),
	UNIT(what_is_no_question_is_refused_or_dropped),
	UNIT(without_a_chain_port_53_is_any_port),
	UNIT(a_flow_is_called_what_its_address_was_looked_up_as),
	UNIT(a_chain_of_names_is_called_by_the_first),
	UNIT(what_the_app_does_not_get_names_nothing),
	UNIT(names_are_remembered_up_to_a_limit),
	UNIT(nobody_answers_the_server_asked_does),
	UNIT(a_server_that_is_not_there_is_servfail_at_once),
	UNIT(a_plugin_forwards_to_another_server),
	UNIT(forwarded_to_silence_it_times_out),
};

UNIT_MAIN("dns", tests)
