/* SPDX-License-Identifier: MIT */
/* test_host.c - what an instance asks for, and what is left when it is gone */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway.h"
#include "host.h"
#include "log.h"
#include "unit.h"

struct world {
	struct gateway *gw;
	struct instance *in;
	struct sluice_ctx *ctx;
	struct plugin plugin;
	struct instance *none[1];
	char log[256];
	/* what callbacks saw */
	char order[16];
	size_t order_n;
	unsigned int fired;
	int fd;
	uint32_t events;
	int peer;
};

static void keep_log(void *arg, int level, const char *line)
{
	struct world *w = arg;

	(void)level;
	snprintf(w->log, sizeof(w->log), "%s", line);
}

static struct world *world(void)
{
	struct world *w = calloc(1, sizeof(*w));

	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	w->gw = calloc(1, sizeof(*w->gw));
	w->in = calloc(1, sizeof(*w->in));
	CU_ASSERT_FATAL(w->gw && w->in);
	CU_ASSERT_EQUAL_FATAL(loop_init(&w->gw->loop), 0);
	CU_ASSERT_EQUAL_FATAL(flowtab_init(&w->gw->flows), 0);
	dial_init(w->gw);
	w->gw->chains.of[CHAIN_PROTECT] = w->none;
	w->gw->set.gateway.unprotected = 1;
	w->in->gw = w->gw;
	w->in->plugin = &w->plugin;
	w->in->name = strdup("guard");
	w->in->place = strdup("test: [guard]");
	CU_ASSERT_EQUAL_FATAL(host_init(w->in), 0);
	w->ctx = &w->in->ctx;
	w->fd = -1;
	log_to(keep_log, w);
	return w;
}

static void instance_end(struct world *w)
{
	if (!w->in)
		return;
	host_cancel(w->in);
	host_sweep(w->in);
	free(w->in->name);
	free(w->in->place);
	free(w->in);
	w->in = NULL;
}

static void world_end(struct world *w)
{
	instance_end(w);
	dial_fini(w->gw);
	loop_fini(&w->gw->loop);
	free(w->gw);
	free(w);
	log_to(NULL, NULL);
}

static void turns(struct world *w, int n)
{
	while (n--)
		loop_turn(&w->gw->loop, 0);
}

static void turns_for(struct world *w, uint64_t ms)
{
	uint64_t end = util_now_ms() + ms;

	while (util_now_ms() < end)
		loop_turn(&w->gw->loop, 5);
}

/* ------------------------------------------------------------------ small */

static void a_line_of_the_log_names_the_section(void)
{
	struct world *w = world();

	errno = ENOENT;
	sluice_log(w->ctx, 4, "list %d: %m", 7);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(w->log, "guard: list 7: No such file or directory"));
	w->log[0] = '\0';
	sluice_log(w->ctx, 7, "not at this level");
	CU_ASSERT_STRING_EQUAL(w->log, "");
	world_end(w);
}

static void fail_keeps_the_text_and_gives_the_error(void)
{
	struct world *w = world();

	CU_ASSERT_EQUAL(sluice_fail(w->ctx, EINVAL, "rule %d", 3), -EINVAL);
	CU_ASSERT_STRING_EQUAL(w->in->error, "rule 3");
	CU_ASSERT_EQUAL(sluice_fail(w->ctx, -EIO, "%s", ""), -EIO);
	CU_ASSERT(sluice_fail(w->ctx, 0, "%0400d", 1) < 0);
	CU_ASSERT_EQUAL(strlen(w->in->error), sizeof(w->in->error) - 1);
	world_end(w);
}

static void now_is_the_clock_of_the_turn(void)
{
	struct world *w = world();

	turns(w, 1);
	CU_ASSERT_EQUAL(sluice_now(w->ctx), w->gw->loop.now);
	world_end(w);
}

static void a_flow_is_found_by_its_id(void)
{
	struct world *w = world();
	struct flow f = { .info.id = 42 };

	flowtab_id_add(&w->gw->flows, &f);
	CU_ASSERT_PTR_EQUAL(sluice_flow_by_id(w->ctx, 42), &f.pub);
	CU_ASSERT_PTR_NULL(sluice_flow_by_id(w->ctx, 43));
	CU_ASSERT_PTR_NULL(w->ctx->api->extension(w->ctx, "name/1"));
	flowtab_id_del(&w->gw->flows, &f);
	world_end(w);
}

/* ------------------------------------------------------------------ posts */

static struct world *poster; /* of post callbacks that only get a number */

static void note(void *arg)
{
	poster->order[poster->order_n++] = (char)(intptr_t)arg;
}

static void posts_run_in_order_and_not_inside(void)
{
	struct world *w = poster = world();

	for (intptr_t c = 'a'; c < 'e'; c++)
		CU_ASSERT_EQUAL(sluice_post(w->ctx, note, (void *)c), 0);
	CU_ASSERT_EQUAL(w->order_n, 0);
	turns(w, 1);
	CU_ASSERT_STRING_EQUAL(w->order, "abcd");
	world_end(w);
}

static void post_again(void *arg)
{
	struct world *w = arg;

	if (++w->fired < 3)
		CU_ASSERT_EQUAL(sluice_post(w->ctx, post_again, w), 0);
}

static void a_post_may_post(void)
{
	struct world *w = world();

	sluice_post(w->ctx, post_again, w);
	turns(w, 3);
	CU_ASSERT_EQUAL(w->fired, 3);
	world_end(w);
}

static void what_is_posted_runs_before_the_end(void)
{
	struct world *w = poster = world();
	struct sluice_ctx *ctx = w->ctx;

	sluice_post(ctx, note, (void *)(intptr_t)'x');
	host_cancel(w->in);
	CU_ASSERT_STRING_EQUAL(w->order, "x");
	CU_ASSERT_EQUAL(sluice_post(ctx, note, NULL), -ESHUTDOWN);
	/* The bell still rings, after the instance is gone. */
	instance_end(w);
	turns(w, 2);
	CU_ASSERT_EQUAL(w->order_n, 1);
	world_end(w);
}

#define POSTERS 4

struct thread {
	struct world *w;
	unsigned long taken;
	_Atomic unsigned long ran;
};

static void count_run(void *arg)
{
	struct thread *t = arg;

	atomic_fetch_add(&t->ran, 1);
}

static void *post_until_closed(void *arg)
{
	struct thread *t = arg;

	while (!sluice_post(t->w->ctx, count_run, t))
		t->taken++;
	return NULL;
}

static void threads_may_post_while_it_all_ends(void)
{
	for (int i = 0; i < 20; i++) {
		struct world *w = world();
		struct thread t[POSTERS] = { { .w = NULL } };
		pthread_t id[POSTERS];

		for (int j = 0; j < POSTERS; j++) {
			t[j].w = w;
			pthread_create(&id[j], NULL, post_until_closed, &t[j]);
		}
		turns_for(w, 5);
		host_cancel(w->in);
		for (int j = 0; j < POSTERS; j++) {
			pthread_join(id[j], NULL);
			CU_ASSERT_EQUAL(t[j].ran, t[j].taken);
		}
		world_end(w);
	}
}

/* ----------------------------------------------------------------- timers */

static void fire(void *arg)
{
	((struct world *)arg)->fired++;
}

static void a_timer_fires_once(void)
{
	struct world *w = world();

	CU_ASSERT_PTR_NOT_NULL(sluice_timer(w->ctx, 5, fire, w));
	turns(w, 2);
	CU_ASSERT_EQUAL(w->fired, 0);
	turns_for(w, 30);
	CU_ASSERT_EQUAL(w->fired, 1);
	CU_ASSERT(list_empty(&w->in->timers));
	world_end(w);
}

static void a_stopped_timer_does_not_fire(void)
{
	struct world *w = world();
	struct sluice_timer *t = sluice_timer(w->ctx, 2, fire, w);

	sluice_timer_stop(w->ctx, t);
	sluice_timer_stop(w->ctx, NULL);
	turns_for(w, 20);
	CU_ASSERT_EQUAL(w->fired, 0);
	world_end(w);
}

static void timers_end_with_the_instance(void)
{
	struct world *w = world();

	for (int i = 0; i < 100; i++)
		sluice_timer(w->ctx, 2, fire, w);
	instance_end(w);
	turns_for(w, 20);
	CU_ASSERT_EQUAL(w->fired, 0);
	world_end(w);
}

/* ---------------------------------------------------------------- watches */

static void watched(void *arg, int fd, uint32_t events)
{
	struct world *w = arg;

	w->fired++;
	w->fd = fd;
	w->events = events;
}

static void watched_once(void *arg, int fd, uint32_t events)
{
	struct world *w = arg;

	watched(arg, fd, events);
	CU_ASSERT_EQUAL(sluice_watch(w->ctx, fd, 0, NULL, NULL), 0);
}

static void a_watch_tells_as_long_as_there_is_something(void)
{
	struct world *w = world();
	int p[2];

	CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
	CU_ASSERT_EQUAL(
		sluice_watch(w->ctx, p[0], SLUICE_WATCH_READ, watched, w), 0);
	turns(w, 2);
	CU_ASSERT_EQUAL(w->fired, 0);
	CU_ASSERT_EQUAL(write(p[1], "x", 1), 1);
	turns(w, 3);
	CU_ASSERT_EQUAL(w->fired, 3); /* level-triggered */
	CU_ASSERT_EQUAL(w->fd, p[0]);
	CU_ASSERT_EQUAL(w->events, SLUICE_WATCH_READ);

	CU_ASSERT_EQUAL(sluice_watch(w->ctx, p[0], 0, NULL, NULL), 0);
	turns(w, 2);
	CU_ASSERT_EQUAL(w->fired, 3);

	/* The other end goes: that is always told. */
	CU_ASSERT_EQUAL(sluice_watch(w->ctx, p[0], SLUICE_WATCH_READ,
				     watched_once, w),
			0);
	close(p[1]);
	turns(w, 3);
	CU_ASSERT_EQUAL(w->fired, 4);
	CU_ASSERT(w->events & SLUICE_WATCH_ERROR);
	close(p[0]);
	world_end(w);
}

static void a_watch_can_be_changed(void)
{
	struct world *w = world();
	int p[2];

	CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
	CU_ASSERT_EQUAL(
		sluice_watch(w->ctx, p[1], SLUICE_WATCH_READ, watched, w), 0);
	turns(w, 2);
	CU_ASSERT_EQUAL(w->fired, 0);
	CU_ASSERT_EQUAL(
		sluice_watch(w->ctx, p[1], SLUICE_WATCH_WRITE, watched, w), 0);
	turns(w, 1);
	CU_ASSERT_EQUAL(w->events, SLUICE_WATCH_WRITE);
	CU_ASSERT_EQUAL(sluice_watch(w->ctx, p[1], SLUICE_WATCH_WRITE,
				     watched_once, w),
			0);
	turns(w, 3);
	CU_ASSERT_EQUAL(w->fired, 2);
	close(p[0]);
	close(p[1]);
	world_end(w);
}

/* A plugin closed what it watched, and got the number back. */
static void a_number_that_comes_back_is_watched_anew(void)
{
	struct world *w = world();
	int p[2], fd;

	CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
	sluice_watch(w->ctx, p[0], SLUICE_WATCH_READ, watched, NULL);
	fd = p[0];
	close(p[0]);
	close(p[1]);
	CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
	CU_ASSERT_EQUAL_FATAL(p[0], fd);
	CU_ASSERT_EQUAL(
		sluice_watch(w->ctx, p[0], SLUICE_WATCH_READ, watched, w), 0);
	CU_ASSERT_EQUAL(write(p[1], "x", 1), 1);
	turns(w, 1);
	CU_ASSERT_EQUAL(w->fired, 1);
	close(p[1]);
	sluice_watch(w->ctx, p[0], 0, NULL, NULL);
	close(p[0]);
	world_end(w);
}

static void what_cannot_be_watched_is_an_error(void)
{
	struct world *w = world();
	int file = open("/etc/passwd", O_RDONLY);

	CU_ASSERT_EQUAL(sluice_watch(w->ctx, -1, 1, watched, w), -EBADF);
	CU_ASSERT_EQUAL(sluice_watch(w->ctx, 1000, 1, watched, w), -EBADF);
	CU_ASSERT_EQUAL(sluice_watch(w->ctx, file, 1, watched, w), -EPERM);
	CU_ASSERT_EQUAL(sluice_watch(w->ctx, 0, 1, NULL, w), -EINVAL);
	CU_ASSERT_EQUAL(sluice_watch(w->ctx, 999, 0, NULL, w), 0);
	close(file);
	world_end(w);
}

static void watches_end_with_the_instance(void)
{
	struct world *w = world();
	int p[2];

	CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
	sluice_watch(w->ctx, p[1], SLUICE_WATCH_WRITE, watched, w);
	instance_end(w);
	turns(w, 2);
	CU_ASSERT_EQUAL(w->fired, 0);
	close(p[0]);
	close(p[1]);
	world_end(w);
}

/* ------------------------------------------------------------------ dials */

static void dialled(void *arg, int fd)
{
	struct world *w = arg;

	w->fired++;
	w->fd = fd;
}

static struct sluice_dial dial_to(struct world *w, uint8_t proto)
{
	struct sluice_dial d = {
		.size = sizeof(d), .proto = proto, .done = dialled, .arg = w
	};

	CU_ASSERT_EQUAL(addr_parse("127.0.0.1:9", 0, &d.to), 0);
	return d;
}

static void a_dial_gives_a_socket_or_an_error(void)
{
	struct world *w = world();
	struct sluice_dial d = dial_to(w, SLUICE_UDP);

	CU_ASSERT_EQUAL(sluice_dial(w->ctx, &d), 0);
	CU_ASSERT_EQUAL(w->fired, 0);
	turns(w, 2);
	CU_ASSERT_EQUAL(w->fired, 1);
	CU_ASSERT(w->fd >= 0);
	close(w->fd);

	w->gw->set.gateway.unprotected = 0;
	CU_ASSERT_EQUAL(sluice_dial(w->ctx, &d), 0);
	turns(w, 2);
	CU_ASSERT_EQUAL(w->fired, 2);
	CU_ASSERT_EQUAL(w->fd, -EPERM);
	world_end(w);
}

static void a_dial_out_at_the_end_is_cancelled(void)
{
	struct world *w = world();
	struct sluice_dial d = dial_to(w, SLUICE_UDP);

	CU_ASSERT_EQUAL(sluice_dial(w->ctx, &d), 0);
	host_cancel(w->in);
	CU_ASSERT_EQUAL(w->fired, 1);
	CU_ASSERT_EQUAL(w->fd, -ECANCELED);
	CU_ASSERT_EQUAL(sluice_dial(w->ctx, &d), -ESHUTDOWN);
	turns(w, 2);
	CU_ASSERT_EQUAL(w->fired, 1);
	world_end(w);
}

static void nonsense_is_not_dialled(void)
{
	struct world *w = world();
	struct sluice_dial d;

	d = dial_to(w, 1);
	CU_ASSERT_EQUAL(sluice_dial(w->ctx, &d), -EINVAL);
	d = dial_to(w, SLUICE_TCP);
	d.done = NULL;
	CU_ASSERT_EQUAL(sluice_dial(w->ctx, &d), -EINVAL);
	d = dial_to(w, SLUICE_TCP);
	d.flags = 0x80;
	CU_ASSERT_EQUAL(sluice_dial(w->ctx, &d), -EINVAL);
	d = dial_to(w, SLUICE_TCP);
	d.size = 8;
	CU_ASSERT_EQUAL(sluice_dial(w->ctx, &d), -EINVAL);
	CU_ASSERT_EQUAL(w->fired, 0);
	world_end(w);
}

static void protect_is_the_chain_now(void)
{
	struct world *w = world();
	struct sluice_dial d = dial_to(w, SLUICE_TCP);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CU_ASSERT_EQUAL(sluice_protect(w->ctx, fd, SLUICE_TCP, &d.to), 0);
	w->gw->set.gateway.unprotected = 0;
	CU_ASSERT_EQUAL(sluice_protect(w->ctx, fd, SLUICE_TCP, &d.to), -EPERM);
	close(fd);
	world_end(w);
}

/* ---------------------------------------------------------------- threads */

#ifdef SLUICE_DEBUG
static void *call_from_elsewhere(void *arg)
{
	struct world *w = arg;

	sluice_timer(w->ctx, 1, fire, w);
	return NULL;
}
#endif

static void a_call_from_the_wrong_thread_is_named(void)
{
#ifdef SLUICE_DEBUG
	struct world *w = world();
	int p[2], status;
	char text[512] = "";
	pthread_t t;
	pid_t child;

	CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
	turns(w, 1);
	child = fork();
	if (!child) {
		dup2(p[1], 2);
		log_to(NULL, NULL);
		pthread_create(&t, NULL, call_from_elsewhere, w);
		pthread_join(t, NULL);
		_exit(0);
	}
	close(p[1]);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT(!WIFEXITED(status) || WEXITSTATUS(status));
	CU_ASSERT(read(p[0], text, sizeof(text) - 1) > 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "guard: host_timer()"));
	close(p[0]);
	world_end(w);
#else
	UNIT_SKIP("no debug build");
#endif
}

static const struct unit_test tests[] = {
	UNIT(a_line_of_the_log_names_the_section),
	UNIT(fail_keeps_the_text_and_gives_the_error),
	UNIT(now_is_the_clock_of_the_turn),
	UNIT(a_flow_is_found_by_its_id),
	UNIT(posts_run_in_order_and_not_inside),
	UNIT(a_post_may_post),
	UNIT(what_is_posted_runs_before_the_end),
	UNIT(threads_may_post_while_it_all_ends),
	UNIT(a_timer_fires_once),
	UNIT(a_stopped_timer_does_not_fire),
	UNIT(timers_end_with_the_instance),
	UNIT(a_watch_tells_as_long_as_there_is_something),
	UNIT(a_watch_can_be_changed),
	UNIT(a_number_that_comes_back_is_watched_anew),
	UNIT(what_cannot_be_watched_is_an_error),
	UNIT(watches_end_with_the_instance),
	UNIT(a_dial_gives_a_socket_or_an_error),
	UNIT(a_dial_out_at_the_end_is_cancelled),
	UNIT(nonsense_is_not_dialled),
	UNIT(protect_is_the_chain_now),
	UNIT(a_call_from_the_wrong_thread_is_named),
};

UNIT_MAIN("host", tests)
