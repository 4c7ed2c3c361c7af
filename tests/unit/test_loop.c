/* SPDX-License-Identifier: MIT */
/* test_loop.c - turns: their order, and who may change what in them */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "unit.h"

static struct loop loop;
static char trace[256];

static void mark(char c)
{
	size_t n = strlen(trace);

	if (n + 1 < sizeof(trace))
		trace[n] = c;
}

static void start(void)
{
	memset(trace, 0, sizeof(trace));
	CU_ASSERT_EQUAL_FATAL(loop_init(&loop), 0);
}

/* A descriptor with something to read. */
static int ready_fd(void)
{
	int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

static void on_timer(struct timer *t)
{
	(void)t;
	mark('t');
}

static void on_soon(struct loop_work *w)
{
	(void)w;
	mark('s');
}

static void on_end(struct loop_work *w)
{
	(void)w;
	mark('e');
}

static void on_post(void *arg)
{
	(void)arg;
	mark('p');
}

static struct loop_work soon_work, end_work;

static void on_event(struct loop_fd *f, uint32_t events)
{
	uint64_t v;

	CU_ASSERT_EQUAL(events, EPOLLIN);
	CU_ASSERT_EQUAL(read(f->fd, &v, sizeof(v)), sizeof(v));
	mark('f');
	loop_soon(&loop, &soon_work);
	loop_end(&loop, &end_work);
	loop_post(&loop, on_post, NULL);
}

static void a_turn_has_its_order_and_soon_is_the_next_one(void)
{
	struct loop_fd f = { .fd = -1 };
	struct timer t;
	int fd;

	start();
	fd = ready_fd();
	loop_work_init(&soon_work, on_soon);
	loop_work_init(&end_work, on_end);
	timer_init(&t, on_timer);
	loop_timer(&loop, &t, 0);
	CU_ASSERT_EQUAL(loop_add(&loop, &f, fd, EPOLLIN, on_event), 0);
	CU_ASSERT_EQUAL(loop_turn(&loop, -1), 0);
	CU_ASSERT_STRING_EQUAL(trace, "tfpe");
	CU_ASSERT_EQUAL(loop_turn(&loop, -1), 0); /* does not sleep */
	CU_ASSERT_STRING_EQUAL(trace, "tfpes");
	CU_ASSERT_EQUAL(loop.turns, 2);
	loop_del(&loop, &f);
	CU_ASSERT_EQUAL(f.fd, -1);
	close(fd);
	loop_fini(&loop);
}

static int again;

static void soon_again(struct loop_work *w)
{
	mark('s');
	if (--again > 0) {
		loop_soon(&loop, w);
		loop_soon(&loop, w);
	}
}

static void end_again(struct loop_work *w)
{
	mark('e');
	if (--again > 0)
		loop_end(&loop, w);
}

static void soon_asked_again_is_once_a_turn(void)
{
	struct loop_work w;

	start();
	loop_work_init(&w, soon_again);
	again = 3;
	loop_soon(&loop, &w);
	loop_soon(&loop, &w);
	for (size_t turn = 1; turn <= 3; turn++) {
		loop_turn(&loop, -1);
		CU_ASSERT_EQUAL(strlen(trace), turn);
	}
	loop_turn(&loop, 0);
	CU_ASSERT_STRING_EQUAL(trace, "sss");
	loop_fini(&loop);
}

static void end_asked_again_is_this_turn_after_the_others(void)
{
	struct loop_work w, other;

	start();
	loop_work_init(&w, end_again);
	loop_work_init(&other, on_soon);
	again = 2;
	loop_end(&loop, &w);
	loop_end(&loop, &other);
	loop_turn(&loop, -1);
	CU_ASSERT_STRING_EQUAL(trace, "ese");
	loop_fini(&loop);
}

static struct loop_work other_work;

static void cancels(struct loop_work *w)
{
	(void)w;
	mark('c');
	loop_work_cancel(&other_work);
}

static void work_may_cancel_work_of_the_same_turn(void)
{
	struct loop_work w;

	start();
	loop_work_init(&w, cancels);
	loop_work_init(&other_work, on_soon);
	loop_soon(&loop, &w);
	loop_soon(&loop, &other_work);
	loop_turn(&loop, 0);
	loop_turn(&loop, 0);
	CU_ASSERT_STRING_EQUAL(trace, "c");
	loop_work_cancel(&other_work);
	loop_fini(&loop);
}

static struct loop_fd pair[2];

static void deletes_the_other(struct loop_fd *f, uint32_t events)
{
	struct loop_fd *other = f == &pair[0] ? &pair[1] : &pair[0];
	int fd = other->fd;

	(void)events;
	mark('f');
	loop_del(&loop, other);
	close(fd);
}

static void events_of_the_deleted_do_not_come(void)
{
	int fd;

	start();
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(loop_add(&loop, &pair[i], ready_fd(), EPOLLIN,
					 deletes_the_other),
				0);
	loop_turn(&loop, 0);
	CU_ASSERT_STRING_EQUAL(trace, "f");
	fd = MAX(pair[0].fd, pair[1].fd);
	loop_del(&loop, &pair[0]);
	loop_del(&loop, &pair[1]);
	loop_del(&loop, &pair[1]);
	close(fd);
	loop_fini(&loop);
}

static void quiet(struct loop_fd *f, uint32_t events)
{
	(void)f;
	(void)events;
	mark('q');
}

/* A new descriptor in the same struct does not get the old one's events. */
static void replaces_the_other(struct loop_fd *f, uint32_t events)
{
	struct loop_fd *other = f == &pair[0] ? &pair[1] : &pair[0];
	int fd = other->fd;

	(void)events;
	mark('f');
	loop_del(&loop, other);
	close(fd);
	CU_ASSERT_EQUAL(loop_add(&loop, other, eventfd(0, 0), EPOLLIN, quiet),
			0);
}

static void events_of_the_replaced_do_not_come(void)
{
	start();
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(loop_add(&loop, &pair[i], ready_fd(), EPOLLIN,
					 replaces_the_other),
				0);
	loop_turn(&loop, 0);
	CU_ASSERT_STRING_EQUAL(trace, "f");
	for (int i = 0; i < 2; i++) {
		int fd = pair[i].fd;

		loop_del(&loop, &pair[i]);
		close(fd);
	}
	loop_fini(&loop);
}

static void mutes_the_other(struct loop_fd *f, uint32_t events)
{
	(void)events;
	mark('f');
	loop_mod(&loop, f == &pair[0] ? &pair[1] : &pair[0], 0);
}

static void events_nobody_wants_any_more_do_not_come(void)
{
	start();
	for (int i = 0; i < 2; i++)
		loop_add(&loop, &pair[i], ready_fd(), EPOLLIN, mutes_the_other);
	loop_turn(&loop, 0);
	CU_ASSERT_STRING_EQUAL(trace, "f");
	for (int i = 0; i < 2; i++) {
		int fd = pair[i].fd;

		loop_del(&loop, &pair[i]);
		close(fd);
	}
	loop_fini(&loop);
}

static void edges_come_once_and_again_when_asked(void)
{
	struct loop_fd f = { 0 }; /* zeroed is fine, too */
	int fd;

	start();
	loop_del(&loop, &f); /* not watched, and not descriptor 0 */
	fd = ready_fd();
	CU_ASSERT_EQUAL(loop_add(&loop, &f, fd, EPOLLIN | EPOLLET, quiet), 0);
	loop_turn(&loop, 0);
	loop_turn(&loop, 0);
	CU_ASSERT_STRING_EQUAL(trace, "q");
	CU_ASSERT_EQUAL(loop_mod(&loop, &f, EPOLLIN | EPOLLET), 0);
	loop_turn(&loop, 0);
	CU_ASSERT_STRING_EQUAL(trace, "qq");
	loop_del(&loop, &f);
	close(fd);
	loop_fini(&loop);
}

static void errors_come_even_if_nothing_was_asked_for(void)
{
	struct loop_fd f = { .fd = -1 };
	int fds[2];

	start();
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	CU_ASSERT_EQUAL(loop_add(&loop, &f, fds[0], 0, quiet), 0);
	loop_turn(&loop, 0);
	CU_ASSERT_STRING_EQUAL(trace, "");
	close(fds[1]);
	loop_turn(&loop, 0);
	CU_ASSERT_STRING_EQUAL(trace, "q");
	loop_del(&loop, &f);
	close(fds[0]);
	loop_fini(&loop);
}

static void what_cannot_be_watched_is_refused(void)
{
	struct loop_fd f = { .fd = -1 };
	FILE *file = tmpfile();

	start();
	CU_ASSERT_FATAL(file != NULL);
	CU_ASSERT_EQUAL(loop_add(&loop, &f, fileno(file), EPOLLIN, quiet),
			-EPERM);
	CU_ASSERT_EQUAL(f.fd, -1);
	loop_del(&loop, &f);
	fclose(file);
	loop_fini(&loop);
}

static void it_sleeps_until_the_timer_is_due(void)
{
	struct timer t;
	uint64_t before;
	int turns = 0;

	start();
	timer_init(&t, on_timer);
	before = util_now_ms();
	loop_timer(&loop, &t, 70); /* crosses a slot of the wheel */
	while (!trace[0] && turns++ < 10)
		loop_turn(&loop, -1);
	CU_ASSERT_STRING_EQUAL(trace, "t");
	CU_ASSERT(util_now_ms() >= before + 69);
	CU_ASSERT(turns <= 3);
	loop_timer(&loop, &t, 1000000);
	before = util_now_ms();
	loop_turn(&loop, 5);
	CU_ASSERT(util_now_ms() >= before + 4);
	CU_ASSERT_STRING_EQUAL(trace, "t");
	loop_timer_stop(&loop, &t);
	loop_fini(&loop);
}

#define POSTS   10000
#define POSTERS 3

static int seen[POSTERS], done;
static bool disorder;

static void count_post(void *arg)
{
	uintptr_t v = (uintptr_t)arg;
	size_t who = v / POSTS;

	disorder |= seen[who]++ != (int)(v % POSTS);
	if (++done == POSTS * POSTERS)
		loop_stop(&loop);
}

static void *post_many(void *arg)
{
	uintptr_t base = (uintptr_t)arg * POSTS;

	for (uintptr_t i = 0; i < POSTS; i++)
		loop_post(&loop, count_post, (void *)(base + i));
	return NULL;
}

static void posts_of_other_threads_come_in_order(void)
{
	pthread_t thread[POSTERS];

	start();
	done = 0;
	disorder = false;
	memset(seen, 0, sizeof(seen));
	for (uintptr_t i = 0; i < POSTERS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL,
						     post_many, (void *)i),
				      0);
	CU_ASSERT_EQUAL(loop_run(&loop), 0);
	for (int i = 0; i < POSTERS; i++)
		pthread_join(thread[i], NULL);
	CU_ASSERT_EQUAL(done, POSTS * POSTERS);
	CU_ASSERT(!disorder);
	loop_fini(&loop);
}

static void post_again(void *arg)
{
	mark('p');
	if (--again > 0)
		loop_post(&loop, post_again, arg);
}

static void a_post_may_post_for_the_next_turn(void)
{
	start();
	again = 3;
	loop_post(&loop, post_again, NULL);
	for (size_t turn = 1; turn <= 3; turn++) {
		loop_turn(&loop, -1);
		CU_ASSERT_EQUAL(strlen(trace), turn);
	}
	loop_fini(&loop);
}

static void what_is_posted_when_it_ends_is_run(void)
{
	struct loop_work w;

	start();
	loop_work_init(&w, on_end);
	loop_end(&loop, &w);
	loop_post(&loop, on_post, NULL);
	loop_fini(&loop);
	CU_ASSERT_STRING_EQUAL(trace, "pe");
}

static void on_alarm(int sig)
{
	(void)sig;
	loop_stop(&loop);
}

static void a_signal_handler_may_stop_it(void)
{
	struct itimerval in_10_ms = { .it_value.tv_usec = 10000 };
	struct sigaction sa = { .sa_handler = on_alarm }, old;

	start();
	sigaction(SIGALRM, &sa, &old);
	setitimer(ITIMER_REAL, &in_10_ms, NULL);
	CU_ASSERT_EQUAL(loop_run(&loop), 0);
	sigaction(SIGALRM, &old, NULL);
	loop_fini(&loop);
}

static void a_stop_before_the_run_is_not_lost(void)
{
	start();
	errno = 99;
	loop_stop(&loop);
	CU_ASSERT_EQUAL(errno, 99);
	CU_ASSERT_EQUAL(loop_run(&loop), 0);
	loop_fini(&loop);
}

static const struct unit_test tests[] = {
	UNIT(a_turn_has_its_order_and_soon_is_the_next_one),
	UNIT(soon_asked_again_is_once_a_turn),
	UNIT(end_asked_again_is_this_turn_after_the_others),
	UNIT(work_may_cancel_work_of_the_same_turn),
	UNIT(events_of_the_deleted_do_not_come),
	UNIT(events_of_the_replaced_do_not_come),
	UNIT(events_nobody_wants_any_more_do_not_come),
	UNIT(edges_come_once_and_again_when_asked),
	UNIT(errors_come_even_if_nothing_was_asked_for),
	UNIT(what_cannot_be_watched_is_refused),
	UNIT(it_sleeps_until_the_timer_is_due),
	UNIT(posts_of_other_threads_come_in_order),
	UNIT(a_post_may_post_for_the_next_turn),
	UNIT(what_is_posted_when_it_ends_is_run),
	UNIT(a_signal_handler_may_stop_it),
	UNIT(a_stop_before_the_run_is_not_lost),
};

UNIT_MAIN("loop", tests)
