/* SPDX-License-Identifier: MIT */
/* test_plugin_dns_upstream.c - the upstream's tries, with a test for a net
 *
 * Each dial gets one end of a socket pair; the other end is the server.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../plugins/dns-upstream/servers.h"
#include "fakecore.h"
#include "unit.h"

extern const struct sluice_plugin sluice_plugin_dns_upstream;
#define PLUGIN (&sluice_plugin_dns_upstream)

#define TIME "timeout = 5s\n"
#define KEEP TIME "server = 192.0.2.1\n"
#define ONE  KEEP "cache-size = 0\n"
#define TWO  TIME "cache-size = 0\nserver = 192.0.2.1 udp://[2001:db8::2]:5354\n"
#define TC   0x02
#define IDLE 1 /* watch: that of the network */

/* ------------------------------------------------------------- the server */

struct message {
	uint8_t b[2048];
	size_t len;
};

static struct fake_query *ask(struct fake *k, const char *name)
{
	struct fake_query *q = calloc(1, sizeof(*q));

	fake_query_init(q, name, 1, "10.0.0.2:4000", "10.0.0.1:53");
	fake_query(k, q);
	return q;
}

/* The server's end of the dial that waits; to: where that was to go. */
static int serve(struct fake *k, uint8_t proto, const char *to)
{
	struct fake_dial *d = fake_dial_last(k);
	struct sluice_addr want = fake_addr(to);
	int fd[2];

	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_EQUAL(d->ask.proto, proto);
	CU_ASSERT_EQUAL(memcmp(&d->ask.to, &want, sizeof(want)), 0);
	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX,
			   (proto == SLUICE_TCP ? SOCK_STREAM : SOCK_DGRAM) |
				   SOCK_NONBLOCK,
			   0, fd),
		0);
	fake_dial_done(d, fd[0]);
	fake_turn(k);
	return fd[1];
}

static struct message heard(int fd)
{
	struct message m;
	ssize_t n = recv(fd, m.b, sizeof(m.b), 0);

	CU_ASSERT_FATAL(n > 12);
	m.len = (size_t)n;
	return m;
}

static size_t question_end(const struct message *m)
{
	size_t at = 12;

	while (m->b[at])
		at += 1u + m->b[at];
	return at + 5;
}

/* The answer to what was heard: the rcode, flags, and one A record. */
static struct message answer_to(const struct message *q, int rcode, int flags)
{
	static const uint8_t a[] = { 0xc0, 12, 0, 1, 0,   1, 0, 0,
				     0,    60, 0, 4, 192, 0, 2, 80 };
	struct message m = *q;

	m.len = question_end(q);
	m.b[11] = 0;

	m.b[2] = (uint8_t)(0x81 | flags);
	m.b[3] = (uint8_t)(0x80 | rcode);
	if (!rcode && !flags) {
		m.b[7] = 1;
		memcpy(m.b + m.len, a, sizeof(a));
		m.len += sizeof(a);
	}
	return m;
}

static void say(struct fake *k, int fd, struct message m)
{
	CU_ASSERT_EQUAL(send(fd, m.b, m.len, 0), (ssize_t)m.len);
	fake_turn(k);
}

static void is_answered(const struct fake_query *q, int rcode)
{
	CU_ASSERT_EQUAL(q->verdict, SLUICE_TAKE);
	CU_ASSERT_EQUAL(q->blocked, 0);
	CU_ASSERT_FATAL(q->answer_len > 12);
	CU_ASSERT_EQUAL(q->answer[3] & 15, rcode);
}

static void end(struct fake *k, struct fake_query *q)
{
	fake_end(k);
	free(q);
}

/* ------------------------------------------------------------------- tests */

static void a_question_goes_out_with_an_id_of_its_own(void)
{
	struct fake *k = fake_new(PLUGIN, ONE);
	unsigned int same = 0;

	for (int i = 0; i < 20; i++) {
		struct fake_query *q = ask(k, "www.example.org");
		int fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
		struct message m = heard(fd);

		CU_ASSERT_EQUAL(question_end(&m), q->info.msg_len);
		CU_ASSERT_EQUAL(
			memcmp(m.b + 12, q->msg + 12, q->info.msg_len - 12), 0);
		same += !memcmp(m.b, q->msg, 2);
		say(k, fd, answer_to(&m, 0, 0));
		is_answered(q, 0);
		close(fd);
		fake_run(k, 200);
		free(q);
	}
	CU_ASSERT_TRUE(same < 3); /* one of 65,536, twenty times */
	end(k, NULL);
}

static void what_answers_something_else_is_waited_out(void)
{
	struct fake *k = fake_new(PLUGIN, ONE);
	struct fake_query *q = ask(k, "www.example.org");
	int fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	struct message m = heard(fd), good = answer_to(&m, 0, 0), bad;

	bad = good;
	bad.b[1] ^= 1;
	say(k, fd, bad); /* id */
	bad = good;
	bad.b[14] ^= 1;
	say(k, fd, bad); /* name */
	bad = good;
	bad.b[12 + 17 + 1] = 28;
	say(k, fd, bad); /* type */
	bad = good;
	bad.b[2] &= 0x7f;
	say(k, fd, bad); /* a question */
	bad = good;
	bad.b[5] = 0;
	say(k, fd, bad); /* none, but an answer */
	bad = good;
	bad.len = 11;
	say(k, fd, bad);
	bad.len = 20;
	say(k, fd, bad);
	bad.len = 0;
	say(k, fd, bad);
	CU_ASSERT_EQUAL(q->verdict, SLUICE_LATER);
	good.b[13] ^= 0x20; /* other letters are no other name */
	say(k, fd, good);
	is_answered(q, 0);
	close(fd);
	end(k, q);
}

static void a_silent_server_is_followed_by_the_next(void)
{
	struct fake *k = fake_new(PLUGIN, TWO);
	struct fake_query *q = ask(k, "a.b");
	int fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	struct message m;

	fake_run(k, 1900);
	CU_ASSERT_EQUAL(k->dialled, 1);
	fake_run(k, 250);
	CU_ASSERT_EQUAL(k->dialled, 2);
	close(fd);
	fd = serve(k, SLUICE_UDP, "[2001:db8::2]:5354");
	m = heard(fd);
	say(k, fd, answer_to(&m, 0, 0));
	is_answered(q, 0);
	close(fd);
	free(q);

	/* it is left out, and no question waits for it */
	fake_run(k, 110);
	q = ask(k, "c.d");
	fd = serve(k, SLUICE_UDP, "[2001:db8::2]:5354");
	m = heard(fd);
	say(k, fd, answer_to(&m, 0, 0));
	CU_ASSERT_PTR_NULL(fake_dial_last(k));
	is_answered(q, 0);
	close(fd);
	end(k, q);
}

static void a_server_that_was_down_is_probed_beside_another(void)
{
	struct fake *k = fake_new(PLUGIN, TWO);
	struct fake_query *q = ask(k, "a.b");
	int fd;
	struct message m;

	fake_dial_done(fake_dial_last(k), -ECONNREFUSED);
	fd = serve(k, SLUICE_UDP, "[2001:db8::2]:5354");
	m = heard(fd);
	say(k, fd, answer_to(&m, 0, 0));
	close(fd);
	free(q);
	fake_run(k, 2100);
	CU_ASSERT_EQUAL(k->dialled, 2);
	q = ask(k, "e.f");
	CU_ASSERT_EQUAL(k->dialled, 4);
	fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	m = heard(fd);
	say(k, fd, answer_to(&m, 0, 0));
	is_answered(q, 0);
	close(fd);
	free(q);
	/* and is the first again */
	fake_run(k, 200);
	q = ask(k, "g.h");
	CU_ASSERT_EQUAL(k->dialled, 5);
	close(serve(k, SLUICE_UDP, "192.0.2.1:53"));
	end(k, q);
}

static void nobody_answers_in_five_seconds_is_servfail(void)
{
	struct fake *k = fake_new(PLUGIN, ONE);
	struct fake_query *q = ask(k, "a.b");
	int fd[3];

	for (int i = 0; i < 3; i++) {
		fd[i] = serve(k, SLUICE_UDP, "192.0.2.1:53");
		CU_ASSERT_EQUAL(q->verdict, SLUICE_LATER);
		fake_run(k, i < 2 ? 2100 : 1000);
	}
	is_answered(q, 2);
	CU_ASSERT_EQUAL(k->dialled, 3);
	CU_ASSERT_EQUAL(fake_watches(k), IDLE);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	end(k, q);
}

/* A few wait to see whether it is back, the others hear at once. */
static void a_dead_server_does_not_gather_questions(void)
{
	struct fake *k = fake_new(PLUGIN, ONE);
	struct fake_query *q[80];
	char name[16];
	int fd, at_once = 0;

	q[0] = ask(k, "a.b");
	fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	fake_run(k, 2100);
	for (int i = 1; i < 80; i++) {
		snprintf(name, sizeof(name), "n%d.b", i);
		q[i] = ask(k, name);
		at_once += q[i]->verdict == SLUICE_TAKE;
	}
	CU_ASSERT_EQUAL(at_once, 80 - 64);
	is_answered(q[79], 2);
	close(fd);
	fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	fake_run(k, 6000);
	for (int i = 0; i < 79; i++) {
		is_answered(q[i], 2);
		free(q[i]);
	}
	close(fd);
	end(k, q[79]);
}

static void an_error_is_followed_by_the_next_at_once(void)
{
	struct fake *k = fake_new(PLUGIN, TWO);
	struct fake_query *q = ask(k, "a.b");

	fake_dial_done(fake_dial_last(k), -ENETUNREACH);
	CU_ASSERT_EQUAL(k->dialled, 2);
	CU_ASSERT_EQUAL(q->verdict, SLUICE_LATER);
	fake_dial_done(fake_dial_last(k), -ECONNREFUSED);
	CU_ASSERT_EQUAL(k->dialled, 2);
	is_answered(q, 2);
	end(k, q);
}

static void no_dial_at_all_is_servfail_at_once(void)
{
	struct fake *k = fake_new(PLUGIN, TWO);
	struct fake_query *q;

	k->dial_answer = -EMFILE;
	q = ask(k, "a.b");
	is_answered(q, 2);
	end(k, q);
}

/* An answer by TCP in pieces of n bytes. */
static void say_tcp(struct fake *k, int fd, const struct message *m, size_t n)
{
	uint8_t b[2 + sizeof(m->b)];
	size_t len = m->len + 2;

	b[0] = (uint8_t)(m->len >> 8);
	b[1] = (uint8_t)m->len;
	memcpy(b + 2, m->b, m->len);
	for (size_t at = 0; at < len; at += n) {
		size_t part = len - at < n ? len - at : n;

		CU_ASSERT_EQUAL(send(fd, b + at, part, 0), (ssize_t)part);
		fake_turn(k);
	}
}

static struct message heard_tcp(int fd)
{
	struct message m = heard(fd);

	CU_ASSERT_EQUAL((size_t)(m.b[0] << 8 | m.b[1]), m.len - 2);
	m.len -= 2;
	memmove(m.b, m.b + 2, m.len);
	return m;
}

static void a_cut_answer_is_asked_for_by_tcp(void)
{
	for (size_t n = 1; n < 100; n += 7) {
		struct fake *k = fake_new(PLUGIN, ONE);
		struct fake_query *q = ask(k, "a.b");
		int fd = serve(k, SLUICE_UDP, "192.0.2.1:53"), tcp;
		struct message m = heard(fd);

		say(k, fd, answer_to(&m, 0, TC));
		tcp = serve(k, SLUICE_TCP, "192.0.2.1:53");
		m = heard_tcp(tcp);
		m = answer_to(&m, 0, 0);
		say_tcp(k, tcp, &m, n);
		is_answered(q, 0);
		CU_ASSERT_EQUAL(q->answer_len, m.len);
		close(fd);
		close(tcp);
		end(k, q);
	}
}

static void without_tcp_the_cut_answer_has_to_do(void)
{
	struct fake *k = fake_new(PLUGIN, ONE);
	struct fake_query *q = ask(k, "a.b");
	int fd = serve(k, SLUICE_UDP, "192.0.2.1:53"), tcp;
	struct message m = heard(fd);

	say(k, fd, answer_to(&m, 0, TC));
	tcp = serve(k, SLUICE_TCP, "192.0.2.1:53");
	close(tcp);
	fake_turn(k);
	is_answered(q, 0);
	CU_ASSERT_TRUE(q->answer[2] & TC);
	close(fd);
	end(k, q);
}

static void a_server_that_cannot_is_followed_by_the_next(void)
{
	for (int second = 0; second < 2; second++) {
		struct fake *k = fake_new(PLUGIN, TWO);
		struct fake_query *q = ask(k, "a.b");
		int one = serve(k, SLUICE_UDP, "192.0.2.1:53"), two;
		struct message m = heard(one);

		say(k, one, answer_to(&m, 2, 0));
		CU_ASSERT_EQUAL(q->verdict, SLUICE_LATER);
		two = serve(k, SLUICE_UDP, "[2001:db8::2]:5354");
		m = heard(two);
		say(k, two, answer_to(&m, second ? 5 : 0, 0));
		is_answered(q, second ? 5 : 0);
		close(one);
		close(two);
		end(k, q);
	}
}

static void nobody_better_means_the_error_is_passed_on(void)
{
	struct fake *k = fake_new(PLUGIN, TWO);
	struct fake_query *q = ask(k, "a.b");
	int fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	struct message m = heard(fd);

	say(k, fd, answer_to(&m, 5, 0));
	fake_dial_done(fake_dial_last(k), -ENETUNREACH);
	is_answered(q, 5);
	close(fd);
	end(k, q);
}

static void questions_far_apart_have_a_port_each(void)
{
	struct fake *k = fake_new(PLUGIN, ONE);

	for (unsigned int i = 1; i <= 3; i++) {
		struct fake_query *q = ask(k, "a.b");
		int fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
		struct message m = heard(fd);

		CU_ASSERT_EQUAL(k->dialled, i);
		say(k, fd, answer_to(&m, 0, 0));
		is_answered(q, 0);
		free(q);
		fake_run(k, 110);
		CU_ASSERT_EQUAL(fake_watches(k), IDLE);
		close(fd);
	}
	CU_ASSERT_EQUAL(fake_timers(k), 0);
	end(k, NULL);
}

static void a_port_is_for_64_questions_of_one_moment(void)
{
	struct fake *k = fake_new(PLUGIN, ONE);
	struct fake_query *q[130];
	int fd[3], n = 0;
	char name[16];

	for (int i = 0; i < 130; i++) {
		snprintf(name, sizeof(name), "n%d.b", i);
		q[i] = ask(k, name);
		if (i % 64 == 0)
			fd[n++] = serve(k, SLUICE_UDP, "192.0.2.1:53");
	}
	CU_ASSERT_EQUAL(k->dialled, 3);
	for (int i = 129; i >= 0; i--) { /* answered in any order */
		struct message m;

		if (i == 127 || i == 63)
			n--;
		m = heard(fd[i / 64]);
		say(k, fd[i / 64], answer_to(&m, 0, 0));
	}
	for (int i = 0; i < 130; i++) {
		is_answered(q[i], 0);
		free(q[i]);
	}
	fake_run(k, 110);
	CU_ASSERT_EQUAL(fake_watches(k), IDLE);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	end(k, NULL);
}

static void the_same_question_is_asked_once(void)
{
	struct fake *k = fake_new(PLUGIN, ONE);
	struct fake_query *q[4];
	int fd;
	struct message m;

	q[0] = ask(k, "www.example");
	q[1] = ask(k, "WWW.example");
	q[2] = ask(k, "www.example");
	q[3] = calloc(1, sizeof(*q[3])); /* another: without recursion */
	fake_query_init(q[3], "www.example", 1, "10.0.0.2:4", "10.0.0.1:53");
	q[3]->msg[2] = 0;
	fake_query(k, q[3]);
	CU_ASSERT_EQUAL(k->dialled, 1);
	fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	m = heard(fd);
	say(k, fd, answer_to(&m, 0, 0));
	m = heard(fd);
	CU_ASSERT_TRUE(recv(fd, m.b, sizeof(m.b), 0) < 0);
	for (int i = 0; i < 4; i++) {
		bool first = q[i]->verdict == SLUICE_TAKE;

		if (i < 3 && first)
			is_answered(q[i], 0);
		CU_ASSERT_TRUE(first || q[i]->verdict == SLUICE_LATER);
		if (i > 0 && i < 3) /* all of one question at once */
			CU_ASSERT_EQUAL(q[i]->verdict, q[0]->verdict);
	}
	CU_ASSERT_NOT_EQUAL(q[0]->verdict, q[3]->verdict);
	close(fd);
	fake_end(k);
	for (int i = 0; i < 4; i++)
		free(q[i]);
}

static void in_a_race_the_first_answer_counts(void)
{
	struct fake *k = fake_new(PLUGIN, TWO "mode = race\n");
	struct fake_query *q = ask(k, "a.b");
	int two = serve(k, SLUICE_UDP, "[2001:db8::2]:5354");
	int one = serve(k, SLUICE_UDP, "192.0.2.1:53");
	struct message m = heard(one);

	/* one that cannot does not win */
	say(k, one, answer_to(&m, 2, 0));
	CU_ASSERT_EQUAL(q->verdict, SLUICE_LATER);
	m = heard(two);
	say(k, two, answer_to(&m, 0, 0));
	is_answered(q, 0);
	CU_ASSERT_EQUAL(k->dialled, 2);
	close(one);
	close(two);
	end(k, q);
}

static void a_route_has_servers_of_its_own(void)
{
	struct fake *k = fake_new(PLUGIN,
				  ONE "route = corp.example 10.in-addr.arpa "
				      "tcp://10.0.0.53 lab.corp.example "
				      "10.0.0.54:54\n");
	static const struct {
		const char *name, *to;
		uint8_t proto;
	} rows[] = {
		{ "corp.example", "10.0.0.53:53", SLUICE_TCP },
		{ "www.corp.example", "10.0.0.53:53", SLUICE_TCP },
		{ "1.2.3.10.in-addr.arpa", "10.0.0.53:53", SLUICE_TCP },
		{ "a.lab.corp.example", "10.0.0.54:54", SLUICE_UDP },
		{ "notcorp.example", "192.0.2.1:53", SLUICE_UDP },
		{ "corp.example.org", "192.0.2.1:53", SLUICE_UDP },
		{ "example", "192.0.2.1:53", SLUICE_UDP },
	};
	struct fake_query *q[sizeof(rows) / sizeof(*rows)];
	int fd[sizeof(rows) / sizeof(*rows)];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		fake_run(k, 20); /* no shared sockets */
		q[i] = ask(k, rows[i].name);
		fd[i] = fake_dial_last(k) ?
				serve(k, rows[i].proto, rows[i].to) :
				-1;
		CU_ASSERT_EQUAL(fd[i] < 0, i == 1 || i == 2);
	}
	fake_end(k);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		free(q[i]);
		if (fd[i] >= 0)
			close(fd[i]);
	}
}

/* ------------------------------------------------------------------- cache */

/* Asked and answered by a server with this TTL. */
static void learn(struct fake *k, const char *name, uint8_t ttl)
{
	struct fake_query *q = ask(k, name);
	int fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	struct message m = heard(fd);

	m = answer_to(&m, 0, 0);
	m.b[m.len - 7] = ttl;
	say(k, fd, m);
	is_answered(q, 0);
	free(q);
	fake_run(k, 110);
	close(fd);
}

static unsigned int answered_ttl(const struct fake_query *q)
{
	return q->answer[q->answer_len - 7];
}

static void what_is_known_is_not_asked(void)
{
	struct fake *k = fake_new(PLUGIN, KEEP);
	struct fake_query *q;

	learn(k, "a.b", 60);
	fake_run(k, 30000);
	q = ask(k, "A.b");
	CU_ASSERT_EQUAL(k->dialled, 1);
	is_answered(q, 0);
	CU_ASSERT_EQUAL(answered_ttl(q), 30);
	free(q);
	q = ask(k, "a.c");
	CU_ASSERT_EQUAL(k->dialled, 2);
	end(k, q);
}

static void what_is_asked_often_is_asked_again_in_time(void)
{
	struct fake *k = fake_new(PLUGIN, KEEP);
	struct fake_query *q;
	struct message m;
	int fd;

	learn(k, "a.b", 60);
	fake_run(k, 56000);
	q = ask(k, "a.b");
	is_answered(q, 0);
	free(q);
	CU_ASSERT_EQUAL(k->dialled, 1); /* the first time */
	q = ask(k, "a.b");
	is_answered(q, 0);
	free(q);
	CU_ASSERT_EQUAL(k->dialled, 2);
	q = ask(k, "a.b"); /* while it is under way: once */
	free(q);
	CU_ASSERT_EQUAL(k->dialled, 2);
	fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	m = heard(fd);
	say(k, fd, answer_to(&m, 0, 0));
	q = ask(k, "a.b");
	is_answered(q, 0);
	CU_ASSERT_EQUAL(answered_ttl(q), 60);
	close(fd);
	end(k, q);
}

static void old_data_is_better_than_none(void)
{
	struct fake *k = fake_new(PLUGIN, KEEP);
	struct fake_query *q;
	int fd;

	learn(k, "a.b", 60);
	fake_run(k, 61000);
	q = ask(k, "a.b");
	CU_ASSERT_EQUAL(q->verdict, SLUICE_LATER);
	fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	fake_run(k, 1700);
	CU_ASSERT_EQUAL(q->verdict, SLUICE_LATER);
	fake_run(k, 250); /* 1.8 s, and a tick */
	is_answered(q, 0);
	CU_ASSERT_EQUAL(answered_ttl(q), 30);
	free(q);
	q = ask(k, "a.b"); /* the same ask goes on: no wait any more */
	is_answered(q, 0);
	free(q);
	for (int i = 0; i < 4; i++) { /* it fails: for 30 s nobody is asked */
		struct fake_dial *d = fake_dial_last(k);

		if (d)
			fake_dial_done(d, -ETIMEDOUT);
		fake_run(k, 1000);
	}
	k->dialled = 0;
	q = ask(k, "a.b");
	is_answered(q, 0);
	CU_ASSERT_EQUAL(k->dialled, 0);
	free(q);
	fake_run(k, 31000);
	q = ask(k, "a.b");
	CU_ASSERT_EQUAL(k->dialled, 1);
	CU_ASSERT_EQUAL(q->verdict, SLUICE_LATER);
	close(fd);
	end(k, q);
}

static void an_answer_in_time_replaces_the_old(void)
{
	struct fake *k = fake_new(PLUGIN, KEEP);
	struct fake_query *q;
	struct message m;
	int fd;

	learn(k, "a.b", 60);
	fake_run(k, 61000);
	q = ask(k, "a.b");
	fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	fake_run(k, 1000);
	m = heard(fd);
	say(k, fd, answer_to(&m, 0, 0));
	is_answered(q, 0);
	CU_ASSERT_EQUAL(answered_ttl(q), 60);
	close(fd);
	end(k, q);
}

static void a_server_that_fails_makes_old_data_good(void)
{
	struct fake *k = fake_new(PLUGIN, KEEP);
	struct fake_query *q;
	struct message m;
	int fd;

	learn(k, "a.b", 60);
	fake_run(k, 61000);
	q = ask(k, "a.b");
	fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	m = heard(fd);
	say(k, fd, answer_to(&m, 2, 0));
	is_answered(q, 0);
	CU_ASSERT_EQUAL(answered_ttl(q), 30);
	close(fd);
	end(k, q);
}

static void a_failure_is_kept_for_a_short_while(void)
{
	struct fake *k = fake_new(PLUGIN, KEEP);
	struct fake_query *q = ask(k, "a.b");
	int fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	struct message m = heard(fd);

	say(k, fd, answer_to(&m, 2, 0));
	is_answered(q, 2);
	free(q);
	close(fd);
	q = ask(k, "a.b");
	is_answered(q, 2);
	CU_ASSERT_EQUAL(k->dialled, 1);
	free(q);
	fake_run(k, 5100);
	q = ask(k, "a.b");
	CU_ASSERT_EQUAL(q->verdict, SLUICE_LATER);
	end(k, q);
}

/* -------------------------------------------------------------------- EDNS */

/* A question with an OPT record: size, DO, options. */
static struct fake_query *ask_edns(struct fake *k, const char *name,
				   uint16_t size, bool dnssec_ok,
				   const uint8_t *options, size_t len)
{
	struct fake_query *q = calloc(1, sizeof(*q));
	uint8_t *p;

	fake_query_init(q, name, 1, "10.0.0.2:4000", "10.0.0.1:53");
	p = q->msg + q->info.msg_len;
	memset(p, 0, 11);
	p[2] = 41;
	p[3] = (uint8_t)(size >> 8);
	p[4] = (uint8_t)size;
	p[7] = dnssec_ok ? 0x80 : 0;
	p[10] = (uint8_t)len;
	if (len)
		memcpy(p + 11, options, len);
	q->msg[11] = 1;
	q->info.msg_len += 11 + (uint32_t)len;
	fake_query(k, q);
	return q;
}

static const uint8_t ecs_option[] = { 0, 8, 0, 7, 0, 1, 24, 0, 10, 0, 0 };

static void what_an_app_says_about_itself_stays_here(void)
{
	for (int pass = 0; pass < 2; pass++) {
		struct fake *k =
			fake_new(PLUGIN, pass ? KEEP "ecs = pass\n" : KEEP);
		struct fake_query *q = ask_edns(k, "a.b", 4096, true,
						ecs_option, sizeof(ecs_option));
		int fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
		struct message m = heard(fd);
		size_t end_at = question_end(&m);

		CU_ASSERT_EQUAL(m.b[11], 1);
		CU_ASSERT_EQUAL(m.b[end_at + 3] << 8 | m.b[end_at + 4], 1232);
		CU_ASSERT_EQUAL(m.b[end_at + 7], 0x80);
		CU_ASSERT_EQUAL(m.len - end_at - 11,
				pass ? sizeof(ecs_option) : 0);
		say(k, fd, answer_to(&m, 0, 0));
		is_answered(q, 0);
		/* asked with EDNS, answered with EDNS */
		CU_ASSERT_EQUAL(q->answer[11], 1);
		close(fd);
		free(q);
		fake_run(k, 110);
		q = ask_edns(k, "a.b", 4096, true, ecs_option,
			     sizeof(ecs_option));
		CU_ASSERT_EQUAL(q->verdict, pass ? SLUICE_LATER : SLUICE_TAKE);
		end(k, q);
	}
}

/* What others were told is no answer for an app's own network. */
static void an_answer_for_all_is_none_for_one_network(void)
{
	struct fake *k = fake_new(PLUGIN, KEEP "ecs = pass\n");
	struct fake_query *q = ask_edns(k, "a.b", 4096, true, NULL, 0);
	int fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	struct message m = heard(fd);

	say(k, fd, answer_to(&m, 0, 0));
	is_answered(q, 0);
	free(q);
	q = ask_edns(k, "a.b", 4096, true, NULL, 0);
	is_answered(q, 0);
	free(q);
	q = ask_edns(k, "a.b", 4096, true, ecs_option, sizeof(ecs_option));
	CU_ASSERT_EQUAL(q->verdict, SLUICE_LATER);
	close(fd);
	end(k, q);
}

static void who_asks_without_edns_is_answered_without(void)
{
	struct fake *k = fake_new(PLUGIN, KEEP);
	struct fake_query *q = ask(k, "a.b"), *other;
	int fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	struct message m = heard(fd), r = answer_to(&m, 0, 0);

	/* an OPT with an extended error comes back */
	static const uint8_t opt[] = { 0, 0, 41, 4,  208, 0, 0, 0, 0,
				       0, 6, 0,  15, 0,   2, 0, 4 };

	memcpy(r.b + r.len, opt, sizeof(opt));
	r.len += sizeof(opt);
	r.b[11] = 1;
	say(k, fd, r);
	is_answered(q, 0);
	CU_ASSERT_EQUAL(q->answer[11], 0);
	CU_ASSERT_EQUAL(q->answer_len, r.len - sizeof(opt));
	close(fd);
	free(q);
	fake_run(k, 110);
	/* DNSSEC makes it another question */
	other = ask_edns(k, "a.b", 1232, true, NULL, 0);
	CU_ASSERT_EQUAL(other->verdict, SLUICE_LATER);
	q = ask_edns(k, "a.b", 1232, false, NULL, 0);
	is_answered(q, 0); /* kept, with the error it came with */
	CU_ASSERT_EQUAL(q->answer_len, r.len);
	CU_ASSERT_EQUAL(q->answer[q->answer_len - 1], 4);
	fake_end(k);
	free(q);
	free(other);
}

static void a_server_without_edns_is_asked_without(void)
{
	struct fake *k = fake_new(PLUGIN, ONE);
	struct fake_query *q = ask(k, "a.b");
	int fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	struct message m = heard(fd);

	say(k, fd, answer_to(&m, 1, 0));
	CU_ASSERT_EQUAL(q->verdict, SLUICE_LATER);
	m = heard(fd);
	CU_ASSERT_EQUAL(m.b[11], 0);
	CU_ASSERT_EQUAL(m.len, question_end(&m));
	say(k, fd, answer_to(&m, 0, 0));
	is_answered(q, 0);
	close(fd);
	end(k, q);
}

static void a_failure_says_why(void)
{
	struct fake *k = fake_new(PLUGIN, ONE);
	struct fake_query *q = ask_edns(k, "a.b", 1232, false, NULL, 0);
	const char *want = "udp://192.0.2.1:53: Network is unreachable";
	const uint8_t *ede;

	fake_dial_done(fake_dial_last(k), -ENETUNREACH);
	is_answered(q, 2);
	CU_ASSERT_FATAL(q->answer_len > strlen(want) + 6);
	ede = q->answer + q->answer_len - strlen(want) - 6;
	CU_ASSERT_EQUAL(ede[1], 15);
	CU_ASSERT_EQUAL(ede[5], 23);
	CU_ASSERT_EQUAL(memcmp(ede + 6, want, strlen(want)), 0);
	end(k, q);
}

/* ------------------------------------------------------------------ streams */

#define STREAM TIME "cache-size = 0\nserver = tcp://192.0.2.1\n"

static void a_connection_carries_many_questions(void)
{
	struct fake *k = fake_new(PLUGIN, STREAM);
	struct fake_query *a = ask(k, "a.b"), *b = ask(k, "c.d"), *c;
	int fd = serve(k, SLUICE_TCP, "192.0.2.1:53");
	struct message first, second;
	uint8_t both[4096];
	ssize_t n = recv(fd, both, sizeof(both), 0);
	size_t one;

	CU_ASSERT_EQUAL(k->dialled, 1);
	CU_ASSERT_FATAL(n > 4);
	one = (size_t)(both[0] << 8 | both[1]);
	CU_ASSERT_FATAL((size_t)n > one + 4);
	first.len = one;
	memcpy(first.b, both + 2, one);
	second.len = (size_t)n - one - 4;
	memcpy(second.b, both + 4 + one, second.len);
	/* answered in the other order */
	second = answer_to(&second, 0, 0);
	say_tcp(k, fd, &second, 1000);
	CU_ASSERT_NOT_EQUAL(a->verdict, b->verdict);
	first = answer_to(&first, 0, 0);
	say_tcp(k, fd, &first, 3);
	is_answered(a, 0);
	is_answered(b, 0);
	fake_run(k, 9000);
	c = ask(k, "e.f");
	first = heard_tcp(fd);
	first = answer_to(&first, 0, 0);
	say_tcp(k, fd, &first, 1000);
	is_answered(c, 0);
	CU_ASSERT_EQUAL(k->dialled, 1);
	fake_run(k, 12000); /* nobody asks */
	CU_ASSERT_EQUAL(fake_watches(k), IDLE);
	CU_ASSERT_EQUAL(fake_timers(k), 0);
	close(fd);
	free(a);
	free(b);
	end(k, c);
}

static void a_connection_that_had_worked_is_made_anew(void)
{
	struct fake *k = fake_new(PLUGIN, STREAM);
	struct fake_query *a = ask(k, "a.b"), *b;
	int fd = serve(k, SLUICE_TCP, "192.0.2.1:53");
	struct message m = heard_tcp(fd);

	m = answer_to(&m, 0, 0);
	say_tcp(k, fd, &m, 1000);
	is_answered(a, 0);
	b = ask(k, "c.d");
	heard_tcp(fd);
	close(fd);
	fake_turn(k);
	CU_ASSERT_EQUAL(b->verdict, SLUICE_LATER);
	fd = serve(k, SLUICE_TCP, "192.0.2.1:53");
	m = heard_tcp(fd);
	close(fd); /* a new one that ends says that the server cannot */
	fake_turn(k);
	is_answered(b, 2);
	CU_ASSERT_EQUAL(k->dialled, 2);
	free(a);
	end(k, b);
}

static void what_a_stream_says_wrong_is_no_answer(void)
{
	struct fake *k = fake_new(PLUGIN, STREAM);
	struct fake_query *q = ask(k, "a.b");
	int fd = serve(k, SLUICE_TCP, "192.0.2.1:53");
	struct message m = heard_tcp(fd), bad;

	m = answer_to(&m, 0, 0);
	bad = m;
	bad.b[1] ^= 1; /* of a question that was given up */
	say_tcp(k, fd, &bad, 1000);
	CU_ASSERT_EQUAL(q->verdict, SLUICE_LATER);
	bad.len = 3;
	say_tcp(k, fd, &bad, 1000);
	CU_ASSERT_EQUAL(q->verdict, SLUICE_LATER);
	bad = m;
	bad.b[14] ^= 1;
	say_tcp(k, fd, &bad, 1000);
	is_answered(q, 2);
	close(fd);
	end(k, q);
}

static void transfers_go_by_tcp(void)
{
	struct fake *k = fake_new(PLUGIN, ONE);
	struct fake_query q;
	int fd;

	fake_query_init(&q, "a.b", 252, "10.0.0.2:4000", "10.0.0.1:53");
	fake_query(k, &q);
	fd = serve(k, SLUICE_TCP, "192.0.2.1:53");
	close(fd);
	fake_turn(k);
	is_answered(&q, 2);
	end(k, NULL);
}

static void the_end_leaves_nothing_behind(void)
{
	struct fake *k = fake_new(PLUGIN, ONE);
	struct fake_query *waiting = ask(k, "a.b"), *dialling;
	int fd = serve(k, SLUICE_UDP, "192.0.2.1:53");

	dialling = ask(k, "c.d");
	fake_end(k);
	CU_ASSERT_EQUAL(waiting->verdict, SLUICE_DROP);
	CU_ASSERT_EQUAL(dialling->verdict, SLUICE_DROP);
	close(fd);
	free(waiting);
	free(dialling);
}

/* ----------------------------------------------------------------- servers */

static void what_is_wrong_stops_the_gateway(void)
{
	static const struct {
		const char *options, *text;
	} rows[] = {
		{ "server = 1.1.1.1:x\n",
		  "server 1.1.1.1:x: the port is no number" },
		{ "server =\n", "server: there is none" },
		{ "route = a.example\n",
		  "route a.example: no server follows (as in a.example "
		  "udp://10.0.0.53)" },
		{ "route = 10.0.0.1\n",
		  "route 10.0.0.1: a domain comes first (as in corp.example "
		  "10.0.0.1)" },
		{ "route = .a 10.0.0.1\n",
		  "route .a: a route is for the domain and all below it: begin "
		  "with its name" },
		{ "route = a. 10.0.0.1\n",
		  "route a.: the final dot is left out" },
		{ "route = a 10.0.0.1 b ftp://x\n",
		  "route ftp://x: udp, tcp, tls, https, sdns and controld are "
		  "known before ://" },
	};
	char text[256];
	char options[256];
	struct fake *k;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		snprintf(options, sizeof(options), TIME "%s", rows[i].options);
		CU_ASSERT_EQUAL(fake_create(PLUGIN, options, &k, text),
				-EINVAL);
		CU_ASSERT_STRING_EQUAL(text, rows[i].text);
	}
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
}

static void the_hosts_servers_are_read_again_when_they_change(void)
{
	static const char *const list[] = { "9.9.9.9", "system", NULL };
	char path[] = "/tmp/resolv.XXXXXX", text[URL_TEXT];
	struct servers s;
	const char *bad;
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
	write_file(path, "# none\nsearch example\n"
			 "nameserver 10.1.1.1\n\tnameserver ::1 \n"
			 "nameserver nonsense\nnameserver\n"
			 "nameserver 10.1.1.1\n");
	CU_ASSERT_PTR_NULL(servers_init(&s, list, 2, list + 2, path, &bad));
	CU_ASSERT_EQUAL_FATAL(s.n, 3);
	CU_ASSERT_STRING_EQUAL(url_text(&s.v[1]->url, text),
			       "udp://10.1.1.1:53");
	CU_ASSERT_STRING_EQUAL(url_text(&s.v[2]->url, text), "udp://[::1]:53");
	CU_ASSERT_FALSE(servers_refresh(&s, 5000));
	write_file(path, "nameserver 10.2.2.2\n");
	CU_ASSERT_FALSE(servers_refresh(&s, 5500)); /* once a second */
	CU_ASSERT_TRUE(servers_refresh(&s, 6000));
	CU_ASSERT_EQUAL_FATAL(s.n, 2);
	CU_ASSERT_STRING_EQUAL(url_text(&s.v[1]->url, text),
			       "udp://10.2.2.2:53");
	write_file(path, ""); /* resolv.conf(5): then it is this machine */
	CU_ASSERT_TRUE(servers_refresh(&s, 7000));
	CU_ASSERT_STRING_EQUAL(url_text(&s.v[1]->url, text),
			       "udp://127.0.0.1:53");
	unlink(path);
	CU_ASSERT_TRUE(servers_refresh(&s, 8000));
	CU_ASSERT_EQUAL(s.n, 1);
	servers_fini(&s);
}

static const struct unit_test tests[] = {
	UNIT(a_question_goes_out_with_an_id_of_its_own),
	UNIT(what_answers_something_else_is_waited_out),
	UNIT(a_silent_server_is_followed_by_the_next),
	UNIT(a_server_that_was_down_is_probed_beside_another),
	UNIT(nobody_answers_in_five_seconds_is_servfail),
	UNIT(a_dead_server_does_not_gather_questions),
	UNIT(an_error_is_followed_by_the_next_at_once),
	UNIT(no_dial_at_all_is_servfail_at_once),
	UNIT(a_cut_answer_is_asked_for_by_tcp),
	UNIT(without_tcp_the_cut_answer_has_to_do),
	UNIT(a_server_that_cannot_is_followed_by_the_next),
	UNIT(nobody_better_means_the_error_is_passed_on),
	UNIT(questions_far_apart_have_a_port_each),
	UNIT(a_port_is_for_64_questions_of_one_moment),
	UNIT(the_same_question_is_asked_once),
	UNIT(in_a_race_the_first_answer_counts),
	UNIT(a_route_has_servers_of_its_own),
	UNIT(what_is_known_is_not_asked),
	UNIT(what_is_asked_often_is_asked_again_in_time),
	UNIT(old_data_is_better_than_none),
	UNIT(an_answer_in_time_replaces_the_old),
	UNIT(a_server_that_fails_makes_old_data_good),
	UNIT(a_failure_is_kept_for_a_short_while),
	UNIT(what_an_app_says_about_itself_stays_here),
	UNIT(an_answer_for_all_is_none_for_one_network),
	UNIT(who_asks_without_edns_is_answered_without),
	UNIT(a_server_without_edns_is_asked_without),
	UNIT(a_failure_says_why),
	UNIT(a_connection_carries_many_questions),
	UNIT(a_connection_that_had_worked_is_made_anew),
	UNIT(what_a_stream_says_wrong_is_no_answer),
	UNIT(transfers_go_by_tcp),
	UNIT(the_end_leaves_nothing_behind),
	UNIT(what_is_wrong_stops_the_gateway),
	UNIT(the_hosts_servers_are_read_again_when_they_change),
};

UNIT_MAIN("plugin dns-upstream", tests)
