/* SPDX-License-Identifier: MIT */
/* test_plugin_protect_unix.c - descriptors over a UNIX socket, and back a byte
 *
 * The test is the other program: it accepts, takes the descriptor, answers.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fakecore.h"
#include "unit.h"

extern const struct sluice_plugin sluice_plugin_protect_unix;
#define PLUGIN (&sluice_plugin_protect_unix)

struct world {
	struct fake *k;
	char path[64];
	int listener;
};

struct request {
	int conn, fd;
	ssize_t bytes;
};

/* A server at a path of its own, and the plugin told of it. */
static struct world world(int backlog, bool abstract)
{
	struct world w = { .listener = socket(AF_UNIX,
					      SOCK_STREAM | SOCK_NONBLOCK, 0) };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	static unsigned int n;
	char options[128];
	socklen_t len;

	snprintf(w.path, sizeof(w.path), "%s/tmp/protect-test-%d-%u",
		 abstract ? "@" : "", (int)getpid(), n++);
	strcpy(a.sun_path, w.path);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			  strlen(w.path));
	if (abstract)
		a.sun_path[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(bind(w.listener, (struct sockaddr *)&a, len), 0);
	CU_ASSERT_EQUAL_FATAL(listen(w.listener, backlog), 0);
	snprintf(options, sizeof(options), "path = %s", w.path);
	w.k = fake_new(PLUGIN, options);
	return w;
}

static void world_end(struct world *w)
{
	CU_ASSERT_EQUAL(fake_timers(w->k), 0);
	CU_ASSERT_EQUAL(fake_watches(w->k), 0);
	fake_end(w->k);
	close(w->listener);
	if (*w->path == '/')
		unlink(w->path);
}

static void ask(struct world *w, struct fake_socket *s)
{
	fake_socket_init(s, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
			 SLUICE_TCP, "192.0.2.1:80");
	fake_socket(w->k, s);
}

/* The next request, or conn -1. */
static struct request take(struct world *w)
{
	struct request r = { .conn = accept(w->listener, NULL, NULL),
			     .fd = -1 };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char byte[16];
	struct iovec iov = { .iov_base = byte, .iov_len = sizeof(byte) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };

	if (r.conn < 0)
		return r;
	r.bytes = recvmsg(r.conn, &m, MSG_DONTWAIT);
	if (r.bytes >= 0 && CMSG_FIRSTHDR(&m))
		memcpy(&r.fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return r;
}

static void answer(struct world *w, struct request *r, const void *p, size_t n)
{
	if (n)
		CU_ASSERT_EQUAL(send(r->conn, p, n, 0), (ssize_t)n);
	close(r->conn);
	close(r->fd);
	fake_turn(w->k);
}

static uint64_t cookie(int fd)
{
	uint64_t c = 0;
	socklen_t len = sizeof(c);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &c, &len);
	return c;
}

static bool is_connected(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	return !getpeername(fd, (struct sockaddr *)&ss, &len);
}

static void a_socket_is_safe_when_the_other_side_says_0(void)
{
	for (int abstract = 0; abstract < 2; abstract++) {
		struct world w = world(8, abstract);
		struct fake_socket s;
		struct request r;

		ask(&w, &s);
		CU_ASSERT_EQUAL(s.answer, SLUICE_LATER);
		r = take(&w);
		CU_ASSERT_EQUAL(r.bytes, 1);
		CU_ASSERT_NOT_EQUAL(r.fd, -1);
		CU_ASSERT_EQUAL(cookie(r.fd), cookie(s.info.fd));
		CU_ASSERT_FALSE(is_connected(r.fd)); /* PRO-1 */
		fake_run(w.k, 500);
		CU_ASSERT_EQUAL(s.verdict, -1);
		answer(&w, &r, "\0", 1);
		CU_ASSERT_EQUAL(s.verdict, SLUICE_TAKE);
		CU_ASSERT_EQUAL(w.k->logged, 0);
		close(s.info.fd);
		world_end(&w);
	}
}

/* PRO-2 */
static void any_other_answer_refuses_it(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *text;
	} cases[] = {
		{ "\1", 1, "answered no" },
		{ "0", 1, "answered no" },
		{ "\377", 1, "answered no" },
		{ "\1\0", 2, "answered no" },
		{ "", 0, "closed without an answer" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world w = world(8, false);
		struct fake_socket s;
		struct request r;

		ask(&w, &s);
		r = take(&w);
		answer(&w, &r, cases[i].bytes, cases[i].n);
		CU_ASSERT_EQUAL(s.verdict, SLUICE_DROP);
		CU_ASSERT_PTR_NOT_NULL(strstr(w.k->log, cases[i].text));
		close(s.info.fd);
		world_end(&w);
	}
}

/* PRO-6 */
static void no_answer_in_time_refuses_it(void)
{
	struct world w = world(8, false);
	struct fake_socket s;

	ask(&w, &s);
	fake_run(w.k, 999);
	CU_ASSERT_EQUAL(s.verdict, -1);
	fake_run(w.k, 1);
	CU_ASSERT_EQUAL(s.verdict, SLUICE_DROP);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.k->log, "did not answer in time"));
	close(s.info.fd);
	world_end(&w);
}

static void nobody_there_refuses_it_at_once(void)
{
	struct world w = world(8, false);
	struct fake_socket s;

	unlink(w.path);
	ask(&w, &s);
	CU_ASSERT_EQUAL(s.answer, -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.k->error, w.path));
	close(s.info.fd);
	world_end(&w);
}

static void many_are_asked_about_at_a_time(void)
{
	struct world w = world(32, false);
	struct fake_socket s[20];
	struct request r[20];

	for (int i = 0; i < 20; i++)
		ask(&w, &s[i]);
	for (int i = 0; i < 20; i++)
		r[i] = take(&w);
	for (int i = 19; i >= 0; i--) { /* in another order */
		CU_ASSERT_EQUAL(s[i].verdict, -1);
		answer(&w, &r[i], i % 3 ? "\0" : "\1", 1);
		CU_ASSERT_EQUAL(s[i].verdict,
				i % 3 ? SLUICE_TAKE : SLUICE_DROP);
		close(s[i].info.fd);
	}
	world_end(&w);
}

static void a_full_backlog_is_tried_again(void)
{
	struct world w = world(0, false);
	struct fake_socket s[4];
	struct request r;
	int taken = 0;

	for (int i = 0; i < 4; i++) {
		ask(&w, &s[i]);
		CU_ASSERT_EQUAL(s[i].answer, SLUICE_LATER);
	}
	for (int ms = 0; taken < 4 && ms < 100; ms++) {
		r = take(&w);
		if (r.conn >= 0) {
			taken++;
			answer(&w, &r, "\0", 1);
		}
		fake_run(w.k, 1);
	}
	for (int i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(s[i].verdict, SLUICE_TAKE);
		close(s[i].info.fd);
	}
	world_end(&w);
}

static void a_backlog_that_stays_full_is_a_time_out(void)
{
	struct world w = world(0, false);
	struct fake_socket s[4];

	for (int i = 0; i < 4; i++)
		ask(&w, &s[i]);
	fake_run(w.k, 1000);
	for (int i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(s[i].verdict, SLUICE_DROP);
		close(s[i].info.fd);
	}
	/* One line a second, and how many more there were. */
	CU_ASSERT_EQUAL(w.k->logged, 1);
	world_end(&w);
}

static void what_is_left_at_the_end_is_refused(void)
{
	struct world w = world(8, false);
	struct fake_socket s[3];

	for (int i = 0; i < 3; i++)
		ask(&w, &s[i]);
	fake_end(w.k);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(s[i].verdict, SLUICE_DROP);
		close(s[i].info.fd);
	}
	close(w.listener);
	unlink(w.path);
}

static void bad_options_are_refused(void)
{
	static const struct {
		const char *options, *text;
	} cases[] = {
		{ "", "path" },
		{ "path = protect", "does not begin" },
		{ "path = /x\ntimeout = 0", "timeout" },
		{ "path = /x\ntimeout = 61s", "timeout" },
		{ "path = "
		  "/0123456789012345678901234567890123456789012345678901234567"
		  "89012345678901234567890123456789012345678901234567890",
		  "longer than 107 bytes" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[256] = "";
		struct fake *k;

		CU_ASSERT(fake_create(PLUGIN, cases[i].options, &k, text) < 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, cases[i].text));
	}
}

static const struct unit_test tests[] = {
	UNIT(a_socket_is_safe_when_the_other_side_says_0),
	UNIT(any_other_answer_refuses_it),
	UNIT(no_answer_in_time_refuses_it),
	UNIT(nobody_there_refuses_it_at_once),
	UNIT(many_are_asked_about_at_a_time),
	UNIT(a_full_backlog_is_tried_again),
	UNIT(a_backlog_that_stays_full_is_a_time_out),
	UNIT(what_is_left_at_the_end_is_refused),
	UNIT(bad_options_are_refused),
};

UNIT_MAIN("protect-unix", tests)
