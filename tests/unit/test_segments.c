/* SPDX-License-Identifier: MIT */
/* test_segments.c - random segments around live connections
 *
 * Apps that keep no rule (tests/fuzz/relays.h) make connections, and then
 * say anything near what would be right: any flags, sequence numbers up to
 * 3000 off, any size and window, while servers send, read, close and reset
 * and the clock jumps.  No segment may reach an assertion of lwIP, leak, or
 * bring a byte that was not sent, at any place where it was not.
 *
 * SEGMENTS=100000000 makes so many of them, SEGMENTS_SEED another choice.
 */
#include <errno.h>

#include "../fuzz/fuzz.h"
#include "../fuzz/relays.h"
#include "unit.h"

#define SEGMENTS 60000 /* in "make check" */
#define LIFE     50000 /* segments that a gateway lives */
#define OFF      3000  /* sequence numbers beside the right ones */
#define LARGEST  1459
#define BATCH    6 /* segments between two turns, at most */

static struct gateway gw;
static uint64_t state;

static struct {
	uint64_t segments, opened, refused, up, down;
} count;

/* xorshift64* */
static uint32_t any(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)(state * 0x2545f4914f6cdd1du >> 32);
}

static uint32_t below(uint32_t n)
{
	return any() % n;
}

static bool one_in(uint32_t n)
{
	return !below(n);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

/* ------------------------------------------------------------ the app */

static uint32_t next[APPS]; /* after what was said in order */

static uint32_t near(uint32_t right)
{
	return one_in(2) ? right : right + below(2 * OFF + 1) - OFF;
}

static uint8_t any_flags(void)
{
	uint8_t flags = one_in(8) ? 0 : TCP_ACK;

	if (one_in(12))
		flags |= TCP_SYN;
	if (one_in(15))
		flags |= TCP_FIN;
	if (one_in(60))
		flags |= TCP_RST;
	if (one_in(3))
		flags |= TCP_PSH;
	if (one_in(20))
		flags |= (uint8_t)(any() & 0xe0); /* URG, ECE, CWR */
	return flags;
}

static uint16_t any_window(void)
{
	if (one_in(4))
		return (uint16_t)below(3);
	return one_in(2) ? 65535 : (uint16_t)any();
}

/* What stands in them need not be options. */
static size_t any_options(uint8_t *out)
{
	size_t len = 4 * below(11);

	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(one_in(2) ? below(9) : any());
	return len;
}

static void any_segment(int which)
{
	struct app *a = &apps[which];
	uint8_t options[40];
	size_t n = one_in(10) ? any_options(options) : 0;
	uint32_t len = one_in(2) ? 0 : below(LARGEST + 1);
	uint32_t seq = near(one_in(4) ? a->seq : next[which]);

	len = MIN(len, (uint32_t)(LARGEST - n));
	apps_segment(which, any_flags(), seq, near(a->ack), any_window(),
		     options, n, len);
	count.segments++;
	if (seq == next[which])
		next[which] += len;
}

static size_t syn_options(uint8_t *out)
{
	uint16_t mss = (uint16_t)(one_in(2) ? 1460 : any());
	const uint8_t all[12] = { 2,
				  4,
				  (uint8_t)(mss >> 8),
				  (uint8_t)mss,
				  1,
				  3,
				  3,
				  (uint8_t)below(16),
				  1,
				  1,
				  4,
				  2 };

	memcpy(out, all, sizeof(all));
	return 4 * below(4);
}

static void connect_app(int which)
{
	static const int errors[] = { ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT };
	struct fakenet *s;
	uint8_t options[12];
	size_t n = syn_options(options);

	apps_segment(which, TCP_SYN, any(), 0, 65535, options, n, 0);
	apps_turns(&gw, 2);
	count.segments++;
	s = relays_server(which);
	if (!s)
		return;
	if (one_in(20)) {
		fakenet_answer(s, errors[below(ARRAY_SIZE(errors))], NULL);
		count.refused++;
	} else {
		fakenet_answer(s, 0, NULL);
	}
	apps_turns(&gw, 3);
	s = relays_server(which);
	if (s && fakenet_has_begun(s))
		count.opened++;
	apps_ack(which, any_window());
	count.segments++;
}

/* --------------------------------------------------------- its server */

static void any_server_event(struct fakenet *s)
{
	switch (below(100)) {
	case 0:
		fakenet_fin(s);
		break;
	case 1:
		fakenet_reset(s, one_in(2) ? ECONNRESET : ETIMEDOUT);
		break;
	case 2:
		fakenet_fail(below(FAKENET_CALLS), one_in(2) ? EINTR : EAGAIN);
		break;
	default:
		if (one_in(2))
			fakenet_send(s, below(one_in(8) ? 200000 : 4000));
		else
			fakenet_room(s, below(20000));
	}
}

/* --------------------------------------------------------------- a life */

static void any_step(void)
{
	int which = (int)below(APPS);
	struct fakenet *s = relays_server(which);

	if (!s || !fakenet_has_begun(s)) {
		connect_app(which);
		return;
	}
	next[which] = apps[which].seq;
	for (uint32_t n = 1 + below(BATCH); n; n--)
		any_segment(which);
	if (one_in(3))
		any_server_event(s);
	if (one_in(4)) {
		apps_ack(which, any_window());
		count.segments++;
	}
	if (one_in(8))
		relays_now += below(one_in(50) ? 100000 : 400);
	apps_turns(&gw, 2);
}

static void segments_around_live_connections_do_no_harm(void)
{
	uint64_t wanted = from_environment("SEGMENTS", SEGMENTS);
	uint64_t lives = 0, end;

	state = from_environment("SEGMENTS_SEED", 1) * 0x9e3779b97f4a7c15u | 1;
	while (count.segments < wanted) {
		end = MIN(wanted, count.segments + LIFE);
		relays_start(&gw);
		while (count.segments < end)
			any_step();
		count.up += fakenet_bytes_up();
		count.down += fakenet_bytes_down();
		relays_end(&gw);
		if (++lives % 20 == 0)
			printf("# %llu segments\n",
			       (unsigned long long)count.segments);
	}
	printf("# %llu segments, %llu connections, %llu refused, %llu bytes "
	       "up, %llu down\n",
	       (unsigned long long)count.segments,
	       (unsigned long long)count.opened,
	       (unsigned long long)count.refused, (unsigned long long)count.up,
	       (unsigned long long)count.down);
	/* They were alive, and much got through. */
	CU_ASSERT_TRUE(count.opened > wanted / 1000);
	CU_ASSERT_TRUE(count.up > wanted);
	CU_ASSERT_TRUE(count.down > wanted);
}

static const struct unit_test tests[] = {
	UNIT(segments_around_live_connections_do_no_harm),
};

UNIT_MAIN("segments", tests)
