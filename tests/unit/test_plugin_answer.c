/* SPDX-License-Identifier: MIT */
/* test_plugin_answer.c - plugins that answer flows themselves: echo, fixed
 *
 * What goes on here is also a test of the fake core.
 */
#include "fakecore.h"
#include "unit.h"

extern const struct sluice_plugin sluice_plugin_echo, sluice_plugin_fixed;

#define TOTAL 3000000

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

/* Feed and drain by uneven pieces, and compare all that comes back. */
static void echo_megabytes(const char *options, size_t window, size_t pieces)
{
	struct fake *k = fake_new(&sluice_plugin_echo, options);
	struct fake_flow *f =
		fake_flow_new(k, SLUICE_TCP, "10.0.0.2:1", "192.0.2.1:7");
	uint8_t buf[7919];
	size_t sent = 0, got = 0, most = 0, n, stuck = 0;

	f->window = window;
	f->pieces = pieces;
	CU_ASSERT_EQUAL(fake_flow_open(f), SLUICE_TAKE);
	while (got < TOTAL && stuck < 3) {
		stuck++;
		n = 1 + sent % sizeof(buf);
		if (sent < TOTAL && f->up_len + n <= FAKE_UP) {
			for (size_t i = 0; i < n; i++)
				buf[i] = byte_at(sent + i);
			fake_flow_up(f, buf, n);
			sent += n;
		}
		most = f->down_len > most ? f->down_len : most;
		n = fake_flow_take(f, buf, 1 + got % sizeof(buf));
		for (size_t i = 0; i < n; i++)
			if (buf[i] != byte_at(got + i))
				CU_FAIL_FATAL("another byte came back");
		got += n;
		stuck = n ? 0 : stuck;
	}
	CU_ASSERT(most <= window);
	fake_flow_fin(f);
	while ((n = fake_flow_take(f, buf, sizeof(buf))))
		got += n;
	CU_ASSERT_EQUAL(got, sent);
	CU_ASSERT_EQUAL(f->consumed, sent);
	CU_ASSERT(f->shut);
	fake_flow_close(f, SLUICE_WHY_DONE);
	fake_end(k);
}

static void megabytes_come_back(void)
{
	static const char *const modes[] = { "mode = copy", "mode = ref" };

	for (int i = 0; i < 2; i++) {
		echo_megabytes(modes[i], 65536, 0);
		echo_megabytes(modes[i], 65536, 3);
		echo_megabytes(modes[i], 20000, 8);
		echo_megabytes(modes[i], 16384, 0);
	}
	/* Less than a block: only what is copied fits. */
	echo_megabytes("mode = copy", 1000, 2);
}

static void an_app_that_does_not_read_shuts_its_own_window(void)
{
	struct fake *k = fake_new(&sluice_plugin_echo, "");
	struct fake_flow *f =
		fake_flow_new(k, SLUICE_TCP, "10.0.0.2:1", "192.0.2.1:7");
	static uint8_t buf[FAKE_UP];

	f->window = 1000;
	fake_flow_open(f);
	fake_flow_up(f, buf, sizeof(buf));
	CU_ASSERT_EQUAL(f->consumed, 1000);
	CU_ASSERT_EQUAL(f->up_len, FAKE_UP - 1000);
	CU_ASSERT_EQUAL(fake_flow_take(f, buf, 300), 300);
	CU_ASSERT_EQUAL(f->consumed, 1300);
	fake_end(k);
}

static void datagrams_come_back_to_whom_they_were_for(void)
{
	struct fake *k = fake_new(&sluice_plugin_echo, "");
	struct fake_flow *f =
		fake_flow_new(k, SLUICE_UDP, "10.0.0.2:1", "192.0.2.1:7");

	fake_flow_open(f);
	fake_flow_dgram(f, "one", 3, NULL);
	fake_flow_dgram(f, "", 0, "[2001:db8::1]:9");
	CU_ASSERT_EQUAL(f->dgrams_n, 0);
	CU_ASSERT_EQUAL_FATAL(f->sent_n, 2);
	CU_ASSERT_EQUAL(memcmp(f->sent[0].iov.iov_base, "one", 3), 0);
	CU_ASSERT_EQUAL(f->sent[1].iov.iov_len, 0);
	CU_ASSERT_EQUAL(f->sent[1].peer.family, 6);
	CU_ASSERT_EQUAL(f->sent[1].peer.port, 9);
	fake_end(k);
}

static void a_fixed_text_is_sent_at_once(void)
{
	struct fake *k = fake_new(&sluice_plugin_fixed, "text = hello");
	struct fake_flow *f =
		fake_flow_new(k, SLUICE_TCP, "10.0.0.2:1", "192.0.2.1:7");
	char buf[16] = "";

	CU_ASSERT_EQUAL(fake_flow_open(f), SLUICE_TAKE);
	CU_ASSERT(f->shut);
	CU_ASSERT_EQUAL(f->by_ref, 5);
	CU_ASSERT_EQUAL(f->copied, 0);
	CU_ASSERT_EQUAL(fake_flow_take(f, buf, 15), 5);
	CU_ASSERT_STRING_EQUAL(buf, "hello");
	fake_flow_close(f, SLUICE_WHY_DONE);
	CU_ASSERT_EQUAL(k->logged, 0);
	fake_end(k);
}

static void a_fixed_text_may_wait_to_be_asked_for(void)
{
	struct fake *k =
		fake_new(&sluice_plugin_fixed, "text = hello\nwhen = asked");
	struct fake_flow *f =
		fake_flow_new(k, SLUICE_TCP, "10.0.0.2:1", "192.0.2.1:7");

	CU_ASSERT_EQUAL(fake_flow_open(f), SLUICE_MORE);
	CU_ASSERT_EQUAL(f->by_ref, 0);
	fake_flow_up(f, "GET", 3);
	CU_ASSERT_EQUAL(f->verdict, SLUICE_TAKE);
	CU_ASSERT_EQUAL(f->by_ref, 5);
	CU_ASSERT_EQUAL(f->consumed, 3);
	CU_ASSERT(f->shut);
	fake_end(k);
}

static void a_slow_app_holds_the_text_back(void)
{
	struct fake *k = fake_new(&sluice_plugin_fixed,
				  "text = 0123456789\nrepeat = 100000");
	struct fake_flow *f =
		fake_flow_new(k, SLUICE_TCP, "10.0.0.2:1", "192.0.2.1:7");
	size_t got = 0, n;
	char buf[333];

	f->window = 1234;
	fake_flow_open(f);
	CU_ASSERT_EQUAL(f->by_ref, 1230);
	while ((n = fake_flow_take(f, buf, sizeof(buf)))) {
		for (size_t i = 0; i < n; i++)
			if (buf[i] != (char)('0' + (got + i) % 10))
				CU_FAIL_FATAL("another byte came");
		got += n;
		CU_ASSERT(f->down_len <= 1234);
	}
	CU_ASSERT_EQUAL(got, 1000000);
	CU_ASSERT(f->shut);
	fake_end(k);
}

static const struct unit_test tests[] = {
	UNIT(megabytes_come_back),
	UNIT(an_app_that_does_not_read_shuts_its_own_window),
	UNIT(datagrams_come_back_to_whom_they_were_for),
	UNIT(a_fixed_text_is_sent_at_once),
	UNIT(a_fixed_text_may_wait_to_be_asked_for),
	UNIT(a_slow_app_holds_the_text_back),
};

UNIT_MAIN("plugins that answer", tests)
