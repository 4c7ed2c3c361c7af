/* SPDX-License-Identifier: MIT */
/* test_timer.c - the wheel, with time that is given */
#include "timer.h"

#include <limits.h>

#include "unit.h"

#define MANY 2000

struct probe {
	struct timer timer;
	struct timers *wheel;
	uint64_t due, fired_at;
	int fired, number;
};

static int order[MANY], fired;

static void note(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	p->fired++;
	p->fired_at = p->wheel->now;
	if (fired < MANY)
		order[fired] = p->number;
	fired++;
}

static void probe_init(struct probe *p, struct timers *w,
		       void (*fn)(struct timer *))
{
	memset(p, 0, sizeof(*p));
	p->wheel = w;
	timer_init(&p->timer, fn);
	fired = 0;
}

static uint32_t next_number(void)
{
	static uint32_t x = 1;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

static const uint64_t delays[] = {
	0,
	1,
	2,
	63,
	64,
	65,
	127,
	128,
	4095,
	4096,
	4097,
	262143,
	262144,
	262145,
	7440000,
	1 << 24,
	86400000,
	1u << 30,
	1u << 31,
	4000000000u,
	UINT64_C(1) << 36,
	UINT64_C(1) << 40,
};

static const uint64_t starts[] = {
	0,
	1,
	63,
	64,
	4095,
	4097,
	1000000007,
	UINT64_C(0xffffffff),
	UINT64_C(1) << 40,
};

/* By waking when the wheel asks to be woken, and never else. */
static void each_delay_fires_at_its_ms_from_each_start(void)
{
	for (size_t s = 0; s < ARRAY_SIZE(starts); s++) {
		for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
			static struct timers w;
			struct probe p;
			uint64_t now = starts[s];
			int wakes = 0;

			timers_init(&w, now);
			probe_init(&p, &w, note);
			timer_set(&w, &p.timer, delays[i]);
			while (!p.fired && wakes++ < 2000) {
				int ms = timers_wait(&w, now);

				CU_ASSERT_FATAL(ms >= 0);
				now += (uint64_t)ms;
				timers_run(&w, now);
			}
			CU_ASSERT_EQUAL(p.fired, 1);
			CU_ASSERT_EQUAL(p.fired_at, starts[s] + delays[i]);
			CU_ASSERT_EQUAL(timers_wait(&w, now), -1);
			/* INT_MAX ms at a time, then a level a wake-up */
			CU_ASSERT(wakes <= TIMER_LEVELS + 1 +
						   (int)(delays[i] / INT_MAX));
		}
	}
}

static void many_timers_fire_in_order_and_in_time(void)
{
	static struct timers w;
	static struct probe p[MANY];
	uint64_t now = 123456, last = 0;

	timers_init(&w, now);
	for (int i = 0; i < MANY; i++) {
		probe_init(&p[i], &w, note);
		p[i].number = i;
		p[i].due = now + next_number() % (1u << (next_number() % 24));
		timer_set(&w, &p[i].timer, p[i].due - now);
	}
	while (fired < MANY) {
		uint64_t before = now;

		now += next_number() % 5000;
		timers_run(&w, now);
		for (int i = 0; i < MANY; i++)
			if (p[i].due <= now && p[i].due > before)
				CU_ASSERT_EQUAL(p[i].fired_at, now);
	}
	for (int i = 0; i < MANY; i++) {
		CU_ASSERT_EQUAL(p[i].fired, 1);
		CU_ASSERT(p[order[i]].due >= last);
		last = p[order[i]].due;
	}
}

static void wait_is_never_too_long(void)
{
	static struct timers w;
	static struct probe p[100];
	uint64_t now = 5000, least;

	timers_init(&w, now);
	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		probe_init(&p[i], &w, note);
	for (int round = 0; round < 5000; round++) {
		struct probe *one = &p[next_number() % ARRAY_SIZE(p)];
		int ms;

		if (next_number() % 4) {
			one->due = w.now + next_number() % 100000;
			timer_set(&w, &one->timer, one->due - w.now);
		} else {
			timer_stop(&w, &one->timer);
		}
		least = UINT64_MAX;
		for (size_t i = 0; i < ARRAY_SIZE(p); i++)
			if (timer_is_set(&p[i].timer))
				least = MIN(least, p[i].due);
		ms = timers_wait(&w, now);
		CU_ASSERT((ms < 0) == (least == UINT64_MAX));
		CU_ASSERT(ms < 0 || now + (uint64_t)ms <= MAX(least, now));
		now += next_number() % 300;
		timers_run(&w, now);
	}
	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		timer_stop(&w, &p[i].timer);
	CU_ASSERT_EQUAL(timers_wait(&w, now), -1);
}

static void a_stopped_timer_does_not_fire(void)
{
	static struct timers w;
	struct probe a, b;

	timers_init(&w, 0);
	probe_init(&a, &w, note);
	probe_init(&b, &w, note);
	CU_ASSERT(!timer_is_set(&a.timer));
	timer_stop(&w, &a.timer);
	timer_set(&w, &a.timer, 10);
	timer_set(&w, &b.timer, 10);
	CU_ASSERT(timer_is_set(&a.timer));
	timer_stop(&w, &a.timer);
	timer_stop(&w, &a.timer);
	CU_ASSERT(!timer_is_set(&a.timer));
	timers_run(&w, 9);
	CU_ASSERT_EQUAL(fired, 0);
	timers_run(&w, 10);
	CU_ASSERT_EQUAL(a.fired, 0);
	CU_ASSERT_EQUAL(b.fired, 1);
	CU_ASSERT(!timer_is_set(&b.timer));
}

static void setting_again_moves_it(void)
{
	static struct timers w;
	struct probe p;

	timers_init(&w, 100);
	probe_init(&p, &w, note);
	timer_set(&w, &p.timer, 10);
	timers_run(&w, 105);
	timer_set(&w, &p.timer, 10);
	CU_ASSERT_EQUAL(timers_wait(&w, 105), 10);
	timers_run(&w, 114);
	CU_ASSERT_EQUAL(p.fired, 0);
	timer_set(&w, &p.timer, 100000);
	timer_set(&w, &p.timer, 1);
	timers_run(&w, 115);
	CU_ASSERT_EQUAL(p.fired, 1);
	CU_ASSERT_EQUAL(timers_wait(&w, 115), -1);
}

static void again_in_7_ms(struct timer *t)
{
	note(t);
	timer_set(container_of(t, struct probe, timer)->wheel, t, 7);
}

static void again_at_once(struct timer *t)
{
	note(t);
	timer_set(container_of(t, struct probe, timer)->wheel, t, 0);
}

static void a_timer_may_set_itself_from_the_real_time(void)
{
	static struct timers w;
	struct probe p;

	timers_init(&w, 0);
	probe_init(&p, &w, again_in_7_ms);
	timer_set(&w, &p.timer, 1);
	timers_run(&w, 1000); /* a loop that was busy for long */
	CU_ASSERT_EQUAL(p.fired, 1);
	timers_run(&w, 1006);
	CU_ASSERT_EQUAL(p.fired, 1);
	timers_run(&w, 1007);
	CU_ASSERT_EQUAL(p.fired, 2);
	timer_stop(&w, &p.timer);
}

static void what_is_set_to_now_waits_for_the_next_run(void)
{
	static struct timers w;
	struct probe p;

	timers_init(&w, 50);
	probe_init(&p, &w, again_at_once);
	timer_set(&w, &p.timer, 0);
	for (int i = 1; i < 5; i++) {
		CU_ASSERT_EQUAL(timers_wait(&w, 50), 0);
		timers_run(&w, 50);
		CU_ASSERT_EQUAL(p.fired, i);
	}
	timer_stop(&w, &p.timer);
	CU_ASSERT_EQUAL(timers_wait(&w, 50), -1);
}

static struct probe *victim, *mover;

static void stop_the_others(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	note(t);
	timer_stop(p->wheel, &victim->timer);
	timer_set(p->wheel, &mover->timer, 5);
}

static void a_callback_may_stop_or_move_what_is_due_too(void)
{
	static struct timers w;

	/* due before, together with, and with the end of the run */
	for (uint64_t due = 8; due <= 20; due += 6) {
		struct probe p, v, m;

		timers_init(&w, 0);
		probe_init(&p, &w, stop_the_others);
		probe_init(&v, &w, note);
		probe_init(&m, &w, note);
		victim = &v;
		mover = &m;
		timer_set(&w, &p.timer, 8);
		timer_set(&w, &v.timer, due);
		timer_set(&w, &m.timer, due);
		timers_run(&w, 20);
		CU_ASSERT_EQUAL(p.fired, 1);
		CU_ASSERT_EQUAL(v.fired, 0);
		CU_ASSERT_EQUAL(m.fired, 0);
		CU_ASSERT_EQUAL(timers_wait(&w, 20), 5);
		timers_run(&w, 25);
		CU_ASSERT_EQUAL(m.fired, 1);
		CU_ASSERT_EQUAL(timers_wait(&w, 25), -1);
	}
}

static void free_itself(struct timer *t)
{
	fired++;
	free(container_of(t, struct probe, timer));
}

static void a_callback_may_free_its_timer(void)
{
	static struct timers w;

	timers_init(&w, 0);
	for (int i = 0; i < 3; i++) {
		struct probe *p = malloc(sizeof(*p));

		probe_init(p, &w, free_itself);
		timer_set(&w, &p->timer, 3);
	}
	timers_run(&w, 3);
	CU_ASSERT_EQUAL(fired, 3);
}

static void never_is_far_away(void)
{
	static struct timers w;
	struct probe p;

	timers_init(&w, 12345);
	probe_init(&p, &w, note);
	timer_set(&w, &p.timer, UINT64_MAX);
	CU_ASSERT(timer_is_set(&p.timer));
	CU_ASSERT_EQUAL(timers_wait(&w, 12345), INT_MAX);
	timers_run(&w, UINT64_C(1) << 41);
	CU_ASSERT_EQUAL(p.fired, 0);
	timer_stop(&w, &p.timer);
	CU_ASSERT_EQUAL(timers_wait(&w, 12345), -1);
}

static void time_that_goes_back_changes_nothing(void)
{
	static struct timers w;
	struct probe p;

	timers_init(&w, 1000);
	probe_init(&p, &w, note);
	timer_set(&w, &p.timer, 5);
	timers_run(&w, 900);
	CU_ASSERT_EQUAL(w.now, 1000);
	CU_ASSERT_EQUAL(timers_wait(&w, 900), 105);
	timers_run(&w, 1005);
	CU_ASSERT_EQUAL(p.fired, 1);
}

static const struct unit_test tests[] = {
	UNIT(each_delay_fires_at_its_ms_from_each_start),
	UNIT(many_timers_fire_in_order_and_in_time),
	UNIT(wait_is_never_too_long),
	UNIT(a_stopped_timer_does_not_fire),
	UNIT(setting_again_moves_it),
	UNIT(a_timer_may_set_itself_from_the_real_time),
	UNIT(what_is_set_to_now_waits_for_the_next_run),
	UNIT(a_callback_may_stop_or_move_what_is_due_too),
	UNIT(a_callback_may_free_its_timer),
	UNIT(never_is_far_away),
	UNIT(time_that_goes_back_changes_nothing),
};

UNIT_MAIN("timer", tests)
