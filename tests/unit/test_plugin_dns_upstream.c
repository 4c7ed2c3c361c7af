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
#define ONE  TIME "server = 192.0.2.1\n"
#define TWO  TIME "server = 192.0.2.1 udp://[2001:db8::2]:5354\n"
#define TC   0x02

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

/* The answer to what was heard: the rcode, flags, and one A record. */
static struct message answer_to(const struct message *q, int rcode, int flags)
{
	static const uint8_t a[] = { 0xc0, 12, 0, 1, 0,   1, 0, 0,
				     0,    60, 0, 4, 192, 0, 2, 80 };
	struct message m = *q;

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

		CU_ASSERT_EQUAL(m.len, q->info.msg_len);
		CU_ASSERT_EQUAL(memcmp(m.b + 2, q->msg + 2, m.len - 2), 0);
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

	/* for ten seconds the silent one is left out, then one probes it */
	q = ask(k, "c.d");
	fd = serve(k, SLUICE_UDP, "[2001:db8::2]:5354");
	m = heard(fd);
	say(k, fd, answer_to(&m, 0, 0));
	close(fd);
	free(q);
	fake_run(k, 10000);
	q = ask(k, "e.f");
	fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	m = heard(fd);
	say(k, fd, answer_to(&m, 0, 0));
	is_answered(q, 0);
	close(fd);
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
	CU_ASSERT_EQUAL(q->verdict, SLUICE_TAKE);
	CU_ASSERT_EQUAL(q->blocked, SLUICE_BLOCK_SERVFAIL);
	CU_ASSERT_EQUAL(k->dialled, 3);
	CU_ASSERT_EQUAL(fake_watches(k), 0);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	end(k, q);
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
	CU_ASSERT_EQUAL(q->verdict, SLUICE_TAKE);
	CU_ASSERT_EQUAL(q->blocked, SLUICE_BLOCK_SERVFAIL);
	end(k, q);
}

static void no_dial_at_all_is_servfail_at_once(void)
{
	struct fake *k = fake_new(PLUGIN, TWO);
	struct fake_query *q;

	k->dial_answer = -EMFILE;
	q = ask(k, "a.b");
	CU_ASSERT_EQUAL(q->verdict, SLUICE_TAKE);
	CU_ASSERT_EQUAL(q->blocked, SLUICE_BLOCK_SERVFAIL);
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

static void each_query_has_a_socket_to_itself(void)
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
		CU_ASSERT_EQUAL(fake_watches(k), 0);
		close(fd);
	}
	end(k, NULL);
}

static void an_edns_size_does_not_ask_for_fragments(void)
{
	static const uint8_t opt[] = { 0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0 };
	struct fake *k = fake_new(PLUGIN, ONE);
	struct fake_query q;
	struct message m;
	int fd;

	fake_query_init(&q, "a.b", 1, "10.0.0.2:4000", "10.0.0.1:53");
	q.msg[11] = 1;
	memcpy(q.msg + q.info.msg_len, opt, sizeof(opt));
	q.info.msg_len += sizeof(opt);
	fake_query(k, &q);
	fd = serve(k, SLUICE_UDP, "192.0.2.1:53");
	m = heard(fd);
	CU_ASSERT_EQUAL(m.len, q.info.msg_len);
	CU_ASSERT_EQUAL(m.b[m.len - 8] << 8 | m.b[m.len - 7], 1232);
	close(fd);
	end(k, NULL);
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
	CU_ASSERT_EQUAL(q.blocked, SLUICE_BLOCK_SERVFAIL);
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

/* clang-format off */
static const struct word {
	const char *word, *out;	/* out: the address, or what is wrong */
} words[] = {
	{ "1.2.3.4", "udp://1.2.3.4:53" },
	{ "1.2.3.4:5353", "udp://1.2.3.4:5353" },
	{ "udp://1.2.3.4", "udp://1.2.3.4:53" },
	{ "tcp://1.2.3.4:65535", "tcp://1.2.3.4:65535" },
	{ "2001:db8::1", "udp://[2001:db8::1]:53" },
	{ "[2001:db8::1]", "udp://[2001:db8::1]:53" },
	{ "tcp://[::1]:5354", "tcp://[::1]:5354" },
	{ "fe80::1%lo", "udp://[fe80::1]:53" },
	{ "", "no address (names of servers are not looked up)" },
	{ "dns.example", "no address (names of servers are not looked up)" },
	{ "1.2.3", "no address (names of servers are not looked up)" },
	{ "1.2.3.4:0", "the port is 0" },
	{ "1.2.3.4:65536", "the port is above 65535" },
	{ "1.2.3.4:99999999999999999999", "the port is above 65535" },
	{ "1.2.3.4:", "the port is missing" },
	{ "1.2.3.4:5x", "the port is no number" },
	{ "[::1", "no address" },
	{ "[::1]53", "no address" },
	{ "[::1]:", "the port is missing" },
	{ "fe80::1%no-such-interface", "there is no such interface" },
	{ "tls://1.1.1.1", "only udp:// and tcp:// are known" },
	{ "https://1.1.1.1/dns-query", "only udp:// and tcp:// are known" },
	{ "://1.1.1.1", "only udp:// and tcp:// are known" },
	{ "1111111111111111111111111111111111111111111111111111111111111111",
	  "too long for an address" },
};
/* clang-format on */

static void servers_are_read_or_refused_with_a_reason(void)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		char text[SERVER_TEXT];
		struct server s;
		const char *wrong = server_parse(words[i].word, &s);

		CU_ASSERT_STRING_EQUAL(wrong ? wrong : server_text(&s, text),
				       words[i].out);
	}
}

static void a_bad_server_stops_the_gateway(void)
{
	struct fake *k;
	char text[256];

	CU_ASSERT_EQUAL(fake_create(PLUGIN, TIME "server = tls://1.1.1.1\n", &k,
				    text),
			-EINVAL);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(text, "server tls://1.1.1.1: only udp:// and tcp://"));
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
	char path[] = "/tmp/resolv.XXXXXX", text[SERVER_TEXT];
	struct servers s;
	const char *bad;
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
	write_file(path, "# none\nsearch example\n"
			 "nameserver 10.1.1.1\n\tnameserver ::1 \n"
			 "nameserver nonsense\nnameserver\n"
			 "nameserver 10.1.1.1\n");
	CU_ASSERT_PTR_NULL(servers_init(&s, list, path, &bad));
	CU_ASSERT_EQUAL_FATAL(s.n, 3);
	CU_ASSERT_STRING_EQUAL(server_text(&s.v[1], text), "udp://10.1.1.1:53");
	CU_ASSERT_STRING_EQUAL(server_text(&s.v[2], text), "udp://[::1]:53");
	CU_ASSERT_FALSE(servers_refresh(&s, 5000));
	write_file(path, "nameserver 10.2.2.2\n");
	CU_ASSERT_FALSE(servers_refresh(&s, 5500)); /* once a second */
	CU_ASSERT_TRUE(servers_refresh(&s, 6000));
	CU_ASSERT_EQUAL_FATAL(s.n, 2);
	CU_ASSERT_STRING_EQUAL(server_text(&s.v[1], text), "udp://10.2.2.2:53");
	write_file(path, ""); /* resolv.conf(5): then it is this machine */
	CU_ASSERT_TRUE(servers_refresh(&s, 7000));
	CU_ASSERT_STRING_EQUAL(server_text(&s.v[1], text),
			       "udp://127.0.0.1:53");
	unlink(path);
	CU_ASSERT_TRUE(servers_refresh(&s, 8000));
	CU_ASSERT_EQUAL(s.n, 1);
}

static const struct unit_test tests[] = {
	UNIT(a_question_goes_out_with_an_id_of_its_own),
	UNIT(what_answers_something_else_is_waited_out),
	UNIT(a_silent_server_is_followed_by_the_next),
	UNIT(nobody_answers_in_five_seconds_is_servfail),
	UNIT(an_error_is_followed_by_the_next_at_once),
	UNIT(no_dial_at_all_is_servfail_at_once),
	UNIT(a_cut_answer_is_asked_for_by_tcp),
	UNIT(without_tcp_the_cut_answer_has_to_do),
	UNIT(a_server_that_cannot_is_followed_by_the_next),
	UNIT(nobody_better_means_the_error_is_passed_on),
	UNIT(each_query_has_a_socket_to_itself),
	UNIT(an_edns_size_does_not_ask_for_fragments),
	UNIT(transfers_go_by_tcp),
	UNIT(the_end_leaves_nothing_behind),
	UNIT(servers_are_read_or_refused_with_a_reason),
	UNIT(a_bad_server_stops_the_gateway),
	UNIT(the_hosts_servers_are_read_again_when_they_change),
};

UNIT_MAIN("plugin dns-upstream", tests)
