/* SPDX-License-Identifier: MIT */
/* test_merge.c - what is made one segment, and what is not */
#include "app.h"
#include "tcp_flow.h"

#define EACH 1000u

static uint8_t sent[66 * EACH], taken[66 * EACH];
static size_t taken_len;
static unsigned segments, packets; /* that tcp_up() was given */
static uint32_t longest;

/* ld --wrap */
void __real_tcp_up(struct gateway *gw, struct packet *p, struct tun_buf *buf);
void __wrap_tcp_up(struct gateway *gw, struct packet *p, struct tun_buf *buf);

void __wrap_tcp_up(struct gateway *gw, struct packet *p, struct tun_buf *buf)
{
	segments++;
	packets += p->packets;
	longest = MAX(longest, p->data_len);
	__real_tcp_up(gw, p, buf);
}

static void eat(struct sluice_flow *f)
{
	struct iovec v[8];
	size_t n = ARRAY_SIZE(v), len;

	while ((len = sluice_peek(f, v, &n))) {
		for (size_t i = 0; i < n; i++) {
			CU_ASSERT_FATAL(taken_len + v[i].iov_len <=
					sizeof(taken));
			memcpy(taken + taken_len, v[i].iov_base, v[i].iov_len);
			taken_len += v[i].iov_len;
		}
		sluice_consume(f, len);
		n = ARRAY_SIZE(v);
	}
}

static void count_anew(void)
{
	segments = packets = 0;
	longest = 0;
}

static struct world *eaten_with(struct app *a, int family, const char *conf)
{
	struct world *w = app_world(conf);
	struct sluice_addr dst = world_host(family, 80);

	taken_len = 0;
	app_pattern(sent, 0, sizeof(sent));
	first.open = script_take;
	first.readable = eat;
	app_init(a, w, family, 40001, &dst);
	app_open(a);
	count_anew();
	return w;
}

static struct world *eaten(struct app *a, int family)
{
	return eaten_with(a, family, "");
}

static void piece(struct app *a, uint8_t flags, unsigned i)
{
	app_segment(a, flags, a->iss + 1 + i * EACH, sent + i * EACH, EACH);
}

static bool has_taken(size_t len)
{
	return taken_len == len && !memcmp(taken, sent, len);
}

static uint32_t acked(const struct app *a)
{
	return a->una - a->iss - 1;
}

/* -------------------------------------------------------------- what is */

IN_BOTH(a_burst_is_one_segment)
{
	struct app a;
	struct world *w = eaten(&a, family);

	for (unsigned i = 0; i < 10; i++)
		piece(&a, i == 4 ? TCP_ACK | TCP_PSH : TCP_ACK, i);
	a.acks = 0;
	UNTIL(w, acked(&a) == 10 * EACH);
	CU_ASSERT_EQUAL(segments, 1);
	CU_ASSERT_EQUAL(packets, 10);
	CU_ASSERT_EQUAL(longest, 10 * EACH);
	CU_ASSERT_EQUAL(a.acks, 1);
	CU_ASSERT_TRUE(has_taken(10 * EACH));
	app_end(w);
}

IN_BOTH(a_burst_that_was_lost_in_part_is_whole_in_the_end)
{
	struct app a;
	struct world *w = eaten(&a, family);

	for (unsigned i = 0; i < 20; i++)
		if (i != 3 && i != 11)
			piece(&a, TCP_ACK, i);
	UNTIL(w, acked(&a) == 3 * EACH);
	CU_ASSERT_EQUAL(segments, 3);
	/* More than was lost, as a sender may. */
	for (unsigned i = 2; i < 13; i++)
		piece(&a, TCP_ACK, i);
	UNTIL(w, acked(&a) == 20 * EACH);
	CU_ASSERT_TRUE(has_taken(20 * EACH));
	app_end(w);
}

/* Two that together are more than lwIP can count: both arrive whole. */
IN_BOTH(segments_of_a_large_mtu_lose_nothing)
{
	struct app a;
	struct world *w = eaten_with(&a, family, "[tun]\nmtu = 65535\n");
	size_t most = 65535 - 60, all = EACH / 20 + most;

	app_segment(&a, TCP_ACK, a.seq, sent, all - most);
	app_segment(&a, TCP_ACK, a.seq + (uint32_t)(all - most),
		    sent + all - most, most);
	UNTIL(w, acked(&a) == all);
	CU_ASSERT_EQUAL(packets, 2);
	CU_ASSERT_TRUE(has_taken(all));
	app_end(w);
}

IN_BOTH(of_acknowledgements_in_a_row_the_last_counts)
{
	struct app a;
	struct world *w = eaten(&a, family);
	struct tcp_flow *tf = (struct tcp_flow *)first.flow;
	uint32_t from = a.nxt;

	a.quiet = true;
	CU_ASSERT_EQUAL(sluice_send(first.flow, sent, 8000), 8000);
	UNTIL(w, a.nxt == from + 8000);
	CU_ASSERT_FALSE(stack_drained(&tf->conn));
	count_anew();
	for (unsigned i = 1; i <= 8; i++) {
		a.nxt = from + i * 1000;
		app_ack(&a);
	}
	UNTIL(w, stack_drained(&tf->conn));
	CU_ASSERT_EQUAL(segments, 1);
	CU_ASSERT_EQUAL(packets, 8);
	app_end(w);
}

/* ---------------------------------------------------------- what is not */

IN_BOTH(an_acknowledgement_said_again_is_heard)
{
	struct app a;
	struct world *w = eaten(&a, family);

	for (int i = 0; i < 5; i++)
		app_ack(&a);
	app_turns(w, 2);
	CU_ASSERT_EQUAL(segments, 5);
	app_end(w);
}

static void other_ttl(struct app *a)
{
	a->ttl = 63;
}

static void other_tos(struct app *a)
{
	a->tos = 1 << 2;
}

static void options(struct app *a)
{
	a->options = 4;
}

static void other_window(struct app *a)
{
	a->window -= 1000;
}

/* The second of two segments; it counts all the same. */
IN_BOTH(what_differs_is_not_merged_and_counts)
{
	static const struct {
		void (*change)(struct app *);
		uint8_t flags;
	} cases[] = {
		{ other_ttl, TCP_ACK },      { other_tos, TCP_ACK },
		{ options, TCP_ACK },        { other_window, TCP_ACK },
		{ NULL, TCP_ACK | TCP_URG }, { NULL, TCP_ACK | TCP_FIN },
		{ NULL, TCP_ACK | TCP_ECE }, { NULL, TCP_ACK | TCP_CWR },
	};
	struct app a;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = eaten(&a, family);

		piece(&a, TCP_ACK, 0);
		if (cases[i].change)
			cases[i].change(&a);
		piece(&a, cases[i].flags, 1);
		UNTIL(w, acked(&a) >= 2 * EACH);
		CU_ASSERT_EQUAL(segments, 2);
		CU_ASSERT_TRUE(has_taken(2 * EACH));
		app_end(w);
	}
}

IN_BOTH(a_wrong_sum_ends_the_packet_alone)
{
	struct app a;
	struct world *w = eaten(&a, family);

	for (unsigned i = 0; i < 3; i++)
		piece(&a, TCP_ACK, i);
	w->up[1].data[w->up[1].len - 1] ^= 1;
	UNTIL(w, acked(&a) == EACH);
	CU_ASSERT_EQUAL(segments, 2);
	CU_ASSERT_EQUAL(stats_get(&w->gw.stats, drop_checksum), 1);
	piece(&a, TCP_ACK, 1);
	UNTIL(w, acked(&a) == 3 * EACH);
	CU_ASSERT_TRUE(has_taken(3 * EACH));
	app_end(w);
}

/* A length that lies, a fragment, and less than the headers. */
IN_BOTH(what_is_no_such_packet_is_not_merged)
{
	struct app a;

	for (int i = 0; i < 3; i++) {
		struct world *w = eaten(&a, family);
		uint8_t *ip;

		piece(&a, TCP_ACK, 0);
		piece(&a, TCP_ACK, 1);
		ip = w->up[1].data;
		if (i == 0)
			ip[family == 4 ? 3 : 5]++;
		else if (i == 1 && family == 4)
			ip[6] = 0x20;
		else
			w->up[1].len = 20;
		app_turns(w, 2);
		CU_ASSERT_EQUAL(packets, 1);
		piece(&a, TCP_ACK, 1);
		UNTIL(w, acked(&a) == 2 * EACH);
		CU_ASSERT_TRUE(has_taken(2 * EACH));
		app_end(w);
	}
}

IN_BOTH(connections_do_not_mix)
{
	struct app a, b;
	struct world *w = eaten(&a, family);
	struct sluice_addr dst = world_host(family, 80);

	first.readable = NULL;
	app_init(&b, w, family, 40002, &dst);
	app_open(&b);
	b.iss = a.iss; /* of the same numbers, but for the ports */
	count_anew();
	piece(&a, TCP_ACK, 0);
	b.seq = a.iss + 1 + EACH;
	app_segment(&b, TCP_ACK, b.seq, sent, EACH);
	piece(&a, TCP_ACK, 1);
	UNTIL(w, acked(&a) == 2 * EACH);
	CU_ASSERT_EQUAL(segments, 3);
	app_end(w);
}

IN_BOTH(an_observer_of_packets_sees_each)
{
	struct app a;
	struct world *w = eaten(&a, family);
	int before = first.seen_up;

	app_watch_packets(w, true);
	for (unsigned i = 0; i < 10; i++)
		piece(&a, TCP_ACK, i);
	UNTIL(w, acked(&a) == 10 * EACH);
	CU_ASSERT_EQUAL(first.seen_up - before, 10);
	CU_ASSERT_EQUAL(segments, 10);
	app_end(w);
}

static const struct unit_test tests[] = {
	UNIT(a_burst_is_one_segment),
	UNIT(a_burst_that_was_lost_in_part_is_whole_in_the_end),
	UNIT(segments_of_a_large_mtu_lose_nothing),
	UNIT(of_acknowledgements_in_a_row_the_last_counts),
	UNIT(an_acknowledgement_said_again_is_heard),
	UNIT(what_differs_is_not_merged_and_counts),
	UNIT(a_wrong_sum_ends_the_packet_alone),
	UNIT(what_is_no_such_packet_is_not_merged),
	UNIT(connections_do_not_mix),
	UNIT(an_observer_of_packets_sees_each),
};

UNIT_MAIN("merge", tests)
