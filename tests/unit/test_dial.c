/* SPDX-License-Identifier: MIT */
/* test_dial.c - nothing connects before a plugin vouched for it */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway.h"
#include "log.h"
#include "unit.h"

#define PLUGINS 3

struct world;

struct asker { /* a protect plugin */
	struct world *w;
	int answer;
	unsigned int asked;
	bool was_connected, dials, cancels, binds;
	struct sluice_socket_info info;
	struct sluice_socket *socket;
};

struct world {
	struct gateway *gw;
	struct instance in[PLUGINS], *chain[PLUGINS + 1];
	struct plugin plugin;
	struct asker asker[PLUGINS];
	struct dial *dial;
	unsigned int done;
	int fd;
	struct dial_error error;
	char log[512];
	int server;
	struct sluice_addr to;
};

static void on_done(void *arg, int fd, const struct dial_error *e)
{
	struct world *w = arg;

	w->done++;
	w->fd = fd;
	w->error = *e;
	w->dial = NULL;
	CU_ASSERT_EQUAL(fd < 0, e->err != 0);
}

static struct dial_ask ask_for(struct world *w, uint8_t proto)
{
	return (struct dial_ask){ .proto = proto,
				  .to = w->to,
				  .flow_id = 7,
				  .timeout_ms = 5000,
				  .done = on_done,
				  .arg = w };
}

static int protect(void *self, struct sluice_socket *s)
{
	struct asker *a = self;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct dial_ask ask;

	a->info = *s->api->info(s);
	a->was_connected =
		!getpeername(a->info.fd, (struct sockaddr *)&ss, &len);
	a->socket = s;
	a->asked++;
	if (a->dials) {
		ask = ask_for(a->w, SLUICE_TCP);
		a->dials = false;
		dial_start(a->w->gw, &ask);
	}
	if (a->binds)
		CU_ASSERT_EQUAL(setsockopt(a->info.fd, SOL_SOCKET,
					   SO_BINDTODEVICE, "lo", 2),
				0);
	if (a->cancels)
		dial_cancel(a->w->dial);
	return a->answer;
}

static void keep_log(void *arg, int level, const char *line)
{
	struct world *w = arg;

	(void)level;
	snprintf(w->log, sizeof(w->log), "%s", line);
}

/* A listener, or a datagram socket, on the loopback address. */
static int server(int family, int type, struct sluice_addr *at)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd;

	memset(at, 0, sizeof(*at));
	at->family = (uint8_t)family;
	if (family == 4)
		at->ip[0] = 127;
	at->ip[family == 4 ? 3 : 15] = 1;
	len = addr_to_sockaddr(at, &ss);
	fd = socket(ss.ss_family, type | SOCK_NONBLOCK, 0);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&ss, len), 0);
	if (type == SOCK_STREAM)
		CU_ASSERT_EQUAL(listen(fd, 8), 0);
	len = sizeof(ss);
	getsockname(fd, (struct sockaddr *)&ss, &len);
	CU_ASSERT_EQUAL(addr_from_sockaddr((struct sockaddr *)&ss, at), 0);
	return fd;
}

/* A gateway with n protect plugins that all answer the same, and a TCP
 * server. */
static struct world *world(int family, int n, int answer)
{
	struct world *w = calloc(1, sizeof(*w));

	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	w->gw = calloc(1, sizeof(*w->gw));
	CU_ASSERT_PTR_NOT_NULL_FATAL(w->gw);
	CU_ASSERT_EQUAL_FATAL(loop_init(&w->gw->loop), 0);
	CU_ASSERT_EQUAL_FATAL(flowtab_init(&w->gw->flows), 0);
	dial_init(w->gw);
	w->plugin.protect.protect = protect;
	for (int i = 0; i < n; i++) {
		w->asker[i].w = w;
		w->asker[i].answer = answer;
		w->in[i].gw = w->gw;
		w->in[i].plugin = &w->plugin;
		w->in[i].self = &w->asker[i];
		w->in[i].name = strdup("asker");
		w->in[i].place = strdup("test: [asker]");
		w->chain[i] = &w->in[i];
	}
	w->gw->chains.of[CHAIN_PROTECT] = w->chain;
	w->fd = -1;
	w->server = server(family, SOCK_STREAM, &w->to);
	log_to(keep_log, w);
	return w;
}

static void world_end(struct world *w)
{
	if (w->fd >= 0)
		close(w->fd);
	close(w->server);
	dial_fini(w->gw); /* asserts that the pool is empty */
	loop_fini(&w->gw->loop);
	for (int i = 0; i < PLUGINS; i++) {
		free(w->in[i].name);
		free(w->in[i].place);
	}
	free(w->gw);
	free(w);
	log_to(NULL, NULL);
}

static void turns(struct world *w, int n)
{
	while (n--)
		loop_turn(&w->gw->loop, 0);
}

static void wait_done(struct world *w)
{
	uint64_t end = util_now_ms() + 5000;

	while (!w->done && util_now_ms() < end)
		loop_turn(&w->gw->loop, 50);
	CU_ASSERT_EQUAL_FATAL(w->done, 1);
}

static void dial(struct world *w, const struct dial_ask *a)
{
	w->done = 0;
	w->dial = dial_start(w->gw, a);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w->dial);
	CU_ASSERT_EQUAL(w->done, 0); /* never from inside */
}

/* Dial TCP to the server and wait: 0 or the errno. */
static int dial_tcp(struct world *w)
{
	struct dial_ask a = ask_for(w, SLUICE_TCP);

	dial(w, &a);
	wait_done(w);
	return w->error.err;
}

static int int_option(int fd, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	getsockopt(fd, level, name, &v, &len);
	return v;
}

static bool server_saw(struct world *w)
{
	int fd = accept(w->server, NULL, NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* -------------------------------------------------------------- the chain */

/* PRO-1 */
static void a_socket_is_protected_before_it_connects(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = world(family, 1, SLUICE_TAKE);
		const struct sluice_socket_info *i = &w->asker[0].info;

		CU_ASSERT_EQUAL(dial_tcp(w), 0);
		CU_ASSERT_EQUAL(w->asker[0].asked, 1);
		CU_ASSERT_FALSE(w->asker[0].was_connected);
		CU_ASSERT_EQUAL(i->size, sizeof(*i));
		CU_ASSERT_EQUAL(i->proto, SLUICE_TCP);
		CU_ASSERT_EQUAL(i->flow_id, 7);
		CU_ASSERT_EQUAL(i->fd, w->fd);
		CU_ASSERT(addr_equal(&i->to, &w->to));
		CU_ASSERT(server_saw(w));
		CU_ASSERT(fcntl(w->fd, F_GETFL) & O_NONBLOCK);
		CU_ASSERT(fcntl(w->fd, F_GETFD) & FD_CLOEXEC);
		CU_ASSERT(int_option(w->fd, IPPROTO_TCP, 1) != 0);
		if (family == 6)
			CU_ASSERT_EQUAL(
				int_option(w->fd, SOL_IPV6, IPV6_V6ONLY), 1);
		world_end(w);
	}
}

/* RFC 5382, REQ-10 */
static void an_established_connection_survives_icmp(void)
{
	struct world *w = world(4, 1, SLUICE_TAKE);

	CU_ASSERT_EQUAL(dial_tcp(w), 0);
	CU_ASSERT_EQUAL(int_option(w->fd, SOL_IP, IP_RECVERR), 0);
	world_end(w);
	w = world(6, 1, SLUICE_TAKE);
	CU_ASSERT_EQUAL(dial_tcp(w), 0);
	CU_ASSERT_EQUAL(int_option(w->fd, SOL_IPV6, IPV6_RECVERR), 0);
	world_end(w);
}

/* PRO-2 */
static void without_take_no_socket_is_used(void)
{
	static const struct {
		int plugins, answer;
	} cases[] = {
		{ 0, 0 },           { 1, SLUICE_PASS }, { 3, SLUICE_PASS },
		{ 1, SLUICE_DROP }, { 1, -EIO },        { 1, SLUICE_MORE },
		{ 1, 4711 },        { 2, SLUICE_DROP }, { 2, -ECONNREFUSED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = world(4, cases[i].plugins, cases[i].answer);

		CU_ASSERT_EQUAL(dial_tcp(w), EPERM);
		CU_ASSERT_FALSE(server_saw(w));
		CU_ASSERT_EQUAL(stats_get(&w->gw->stats, dial_unprotected), 1);
		world_end(w);
	}
}

/* PRO-5 */
static void an_empty_chain_needs_a_word_in_the_settings(void)
{
	struct world *w = world(4, 0, 0);

	w->gw->set.gateway.unprotected = 1;
	CU_ASSERT_EQUAL(dial_tcp(w), 0);
	world_end(w);

	/* It is for an empty chain only. */
	w = world(4, 1, SLUICE_PASS);
	w->gw->set.gateway.unprotected = 1;
	CU_ASSERT_EQUAL(dial_tcp(w), EPERM);
	world_end(w);
}

static void the_chain_is_asked_in_order_until_one_takes(void)
{
	struct world *w = world(4, 3, SLUICE_PASS);

	w->asker[1].answer = SLUICE_TAKE;
	CU_ASSERT_EQUAL(dial_tcp(w), 0);
	CU_ASSERT_EQUAL(w->asker[0].asked, 1);
	CU_ASSERT_EQUAL(w->asker[1].asked, 1);
	CU_ASSERT_EQUAL(w->asker[2].asked, 0);
	world_end(w);
}

static void a_cancelled_dial_is_silent(void)
{
	struct world *w = world(4, 1, SLUICE_TAKE);
	struct dial_ask a = ask_for(w, SLUICE_TCP);

	dial(w, &a);
	dial_cancel(w->dial);
	turns(w, 5);
	CU_ASSERT_EQUAL(w->done, 0);
	CU_ASSERT(list_empty(&w->gw->dials.all));
	dial_cancel(NULL);
	world_end(w);
}

static void a_plugin_that_dials_to_protect_is_stopped(void)
{
	struct world *w = world(4, 1, SLUICE_TAKE);
	struct dial_ask a = ask_for(w, SLUICE_TCP);

	w->asker[0].dials = true;
	dial(w, &a);
	turns(w, 1);
	CU_ASSERT(w->done >= 1);
	CU_ASSERT_EQUAL(w->asker[0].asked, 1);
	turns(w, 5);
	CU_ASSERT_EQUAL(w->done, 2);
	world_end(w);
}

/* ------------------------------------------------------------------ later */

static void a_verdict_may_come_later(void)
{
	static const struct {
		int verdict, err;
	} cases[] = {
		{ SLUICE_TAKE, 0 },     { SLUICE_DROP, EPERM },
		{ SLUICE_PASS, EPERM }, { SLUICE_LATER, EPERM },
		{ -EIO, EPERM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = world(4, 1, SLUICE_LATER);
		struct dial_ask a = ask_for(w, SLUICE_TCP);

		dial(w, &a);
		turns(w, 3);
		CU_ASSERT_EQUAL(w->done, 0);
		CU_ASSERT_FALSE(server_saw(w));
		sluice_socket_resolve(w->asker[0].socket, cases[i].verdict);
		CU_ASSERT_EQUAL(w->done, 0);
		wait_done(w);
		CU_ASSERT_EQUAL(w->error.err, cases[i].err);
		CU_ASSERT_EQUAL(server_saw(w), !cases[i].err);
		world_end(w);
	}
}

static void pass_later_asks_the_next_plugin(void)
{
	struct world *w = world(4, 2, SLUICE_LATER);
	struct dial_ask a = ask_for(w, SLUICE_TCP);

	dial(w, &a);
	sluice_socket_resolve(w->asker[0].socket, SLUICE_PASS);
	turns(w, 1);
	CU_ASSERT_EQUAL(w->asker[1].asked, 1);
	CU_ASSERT_EQUAL(w->done, 0);
	sluice_socket_resolve(w->asker[1].socket, SLUICE_TAKE);
	wait_done(w);
	CU_ASSERT_EQUAL(w->error.err, 0);
	world_end(w);
}

static void *resolve_take(void *arg)
{
	sluice_socket_resolve(arg, SLUICE_TAKE);
	return NULL;
}

static void a_verdict_may_come_from_another_thread(void)
{
	for (int i = 0; i < 50; i++) {
		struct world *w = world(4, 1, SLUICE_LATER);
		struct dial_ask a = ask_for(w, SLUICE_TCP);
		pthread_t t;

		dial(w, &a);
		pthread_create(&t, NULL, resolve_take, w->asker[0].socket);
		wait_done(w);
		pthread_join(t, NULL);
		CU_ASSERT_EQUAL(w->error.err, 0);
		world_end(w);
	}
}

static void the_first_verdict_counts(void)
{
	struct world *w = world(4, 1, SLUICE_LATER);
	struct dial_ask a = ask_for(w, SLUICE_TCP);

	dial(w, &a);
	sluice_socket_resolve(w->asker[0].socket, SLUICE_DROP);
	sluice_socket_resolve(w->asker[0].socket, SLUICE_TAKE);
	wait_done(w);
	CU_ASSERT_EQUAL(w->error.err, EPERM);
	turns(w, 3);
	CU_ASSERT_EQUAL(w->done, 1);
	world_end(w);
}

/* PRO-6 */
static void a_plugin_that_never_resolves_costs_only_time(void)
{
	struct world *w = world(4, 1, SLUICE_LATER);
	struct dial_ask a = ask_for(w, SLUICE_TCP);
	int fd;

	a.timeout_ms = 20;
	dial(w, &a);
	wait_done(w);
	CU_ASSERT_EQUAL(w->error.err, ETIMEDOUT);
	CU_ASSERT_EQUAL(stats_get(&w->gw->stats, dial_timeout), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(w->log, "asker did not protect it"));

	/* The plugin still has the socket: it is no other file meanwhile. */
	fd = w->asker[0].info.fd;
	CU_ASSERT(fcntl(fd, F_GETFD) >= 0);
	sluice_socket_resolve(w->asker[0].socket, SLUICE_TAKE);
	turns(w, 2);
	CU_ASSERT(fcntl(fd, F_GETFD) < 0);
	CU_ASSERT_FALSE(server_saw(w));
	world_end(w);
}

static void a_cancelled_socket_stays_until_it_is_resolved(void)
{
	struct world *w = world(4, 1, SLUICE_LATER);
	struct dial_ask a = ask_for(w, SLUICE_TCP);
	int fd;

	dial(w, &a);
	fd = w->asker[0].info.fd;
	dial_cancel(w->dial);
	turns(w, 2);
	CU_ASSERT(fcntl(fd, F_GETFD) >= 0);
	CU_ASSERT_EQUAL(w->gw->dials.held_n, 1);
	sluice_socket_resolve(w->asker[0].socket, SLUICE_TAKE);
	turns(w, 2);
	CU_ASSERT(fcntl(fd, F_GETFD) < 0);
	CU_ASSERT_EQUAL(w->gw->dials.held_n, 0);
	CU_ASSERT_EQUAL(w->done, 0);
	world_end(w);
}

static void a_dial_may_be_cancelled_by_the_plugin_it_asks(void)
{
	static const int answers[] = { SLUICE_TAKE, SLUICE_PASS, SLUICE_LATER };

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct world *w = world(4, 2, SLUICE_LATER);
		struct dial_ask a = ask_for(w, SLUICE_TCP);

		dial(w, &a);
		w->asker[1].cancels = true;
		w->asker[1].answer = answers[i];
		sluice_socket_resolve(w->asker[0].socket, SLUICE_PASS);
		turns(w, 2);
		CU_ASSERT_EQUAL(w->gw->dials.held_n,
				answers[i] == SLUICE_LATER ? 1 : 0);
		if (answers[i] == SLUICE_LATER)
			sluice_socket_resolve(w->asker[1].socket, SLUICE_TAKE);
		turns(w, 2);
		CU_ASSERT_EQUAL(w->gw->dials.held_n, 0);
		CU_ASSERT_EQUAL(w->done, 0);
		CU_ASSERT_FALSE(server_saw(w));
		world_end(w);
	}
}

static void sockets_that_plugins_forget_are_bounded(void)
{
	struct world *w = world(4, 1, SLUICE_LATER);
	struct dial_ask a = ask_for(w, SLUICE_TCP);

	for (int i = 0; i < 256; i++) {
		dial(w, &a);
		dial_cancel(w->dial);
	}
	CU_ASSERT_EQUAL(dial_tcp(w), EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(w->log, "256 sockets"));
	world_end(w); /* closes them */
}

/* ---------------------------------------------------------------- connect */

static void a_closed_port_refuses(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = world(family, 1, SLUICE_TAKE);
		struct sluice_addr gone;

		close(server(family, SOCK_STREAM, &gone));
		w->to = gone;
		CU_ASSERT_EQUAL(dial_tcp(w), ECONNREFUSED);
		CU_ASSERT_EQUAL(w->error.family, 0);
		CU_ASSERT_EQUAL(stats_get(&w->gw->stats, dial_failed), 1);
		world_end(w);
	}
}

static void what_takes_too_long_ends(void)
{
	struct world *w = world(4, 1, SLUICE_TAKE);
	struct dial_ask a = ask_for(w, SLUICE_TCP);
	int held[4];

	/* Nobody accepts, and nothing more may wait. */
	CU_ASSERT_EQUAL(listen(w->server, 0), 0);
	for (int i = 0; i < 4; i++) {
		a.timeout_ms = 100;
		dial(w, &a);
		wait_done(w);
		held[i] = w->fd;
		w->fd = -1;
	}
	CU_ASSERT_EQUAL(w->error.err, ETIMEDOUT);
	CU_ASSERT(stats_get(&w->gw->stats, dial_timeout) > 0);
	for (int i = 0; i < 4; i++)
		if (held[i] >= 0)
			close(held[i]);
	world_end(w);
}

/* A network of its own in which nft refuses: real ICMP errors on loopback. */
static bool has_rejecting_net(void)
{
	static const char script[] =
		"ip link set lo up && nft -f - <<'END'\n"
		"table inet t { chain o { type filter hook output priority 0;\n"
		"tcp dport 9 ip daddr 127.0.0.1 reject with icmp "
		"admin-prohibited\n"
		"tcp dport 10 ip daddr 127.0.0.1 reject with icmp "
		"host-unreachable\n"
		"tcp dport 9 ip6 daddr ::1 reject with icmpv6 "
		"admin-prohibited\n"
		"tcp dport 10 ip6 daddr ::1 reject with icmpv6 "
		"addr-unreachable\n"
		"}\n}\nEND\n";

	return !unshare(CLONE_NEWNET) && !system(script);
}

static void an_icmp_error_is_told_in_full(void)
{
	static const struct {
		int family;
		uint16_t port;
		uint8_t type, code;
		int err;
	} cases[] = {
		{ 4, 9, 3, 13, EHOSTUNREACH },
		{ 4, 10, 3, 1, EHOSTUNREACH },
		{ 6, 9, 1, 1, EACCES },
		{ 6, 10, 1, 3, EHOSTUNREACH },
	};
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (!has_rejecting_net()) {
		setns(home, CLONE_NEWNET);
		close(home);
		UNIT_SKIP("no right to make a network, or no nft");
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = world(cases[i].family, 1, SLUICE_TAKE);

		w->to.port = cases[i].port;
		CU_ASSERT_EQUAL(dial_tcp(w), cases[i].err);
		CU_ASSERT_EQUAL(w->error.family, cases[i].family);
		CU_ASSERT_EQUAL(w->error.type, cases[i].type);
		CU_ASSERT_EQUAL(w->error.code, cases[i].code);
		CU_ASSERT(addr_is_loopback(&w->error.from));
		world_end(w);
	}
	CU_ASSERT_EQUAL(setns(home, CLONE_NEWNET), 0);
	close(home);
}

static void nonsense_is_refused(void)
{
	static const struct {
		uint8_t proto, family;
		int err;
	} cases[] = {
		{ SLUICE_TCP, 0, EAFNOSUPPORT },
		{ SLUICE_UDP, 5, EAFNOSUPPORT },
		{ 132, 4, EPROTONOSUPPORT },
		{ IPPROTO_ICMPV6, 4, EPROTONOSUPPORT },
		{ IPPROTO_ICMP, 6, EPROTONOSUPPORT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = world(4, 1, SLUICE_TAKE);
		struct dial_ask a = ask_for(w, cases[i].proto);

		a.to.family = cases[i].family;
		dial(w, &a);
		wait_done(w);
		CU_ASSERT_EQUAL(w->error.err, cases[i].err);
		CU_ASSERT_EQUAL(w->asker[0].asked, 0);
		world_end(w);
	}
}

/* Policies go by family: no way around them by ::ffff:127.0.0.1. */
static void a_mapped_address_does_not_leave_over_ipv4(void)
{
	struct world *w = world(4, 1, SLUICE_TAKE);
	struct sluice_addr v4 = w->to;

	w->to.family = 6;
	memset(w->to.ip, 0, 16);
	memset(w->to.ip + 10, 0xff, 2);
	memcpy(w->to.ip + 12, v4.ip, 4);
	CU_ASSERT_NOT_EQUAL(dial_tcp(w), 0);
	CU_ASSERT_FALSE(server_saw(w));
	world_end(w);
}

static void host_loopback_is_mapped_before_protect(void)
{
	struct world *w = world(4, 1, SLUICE_TAKE);
	struct sluice_addr local = w->to;

	CU_ASSERT_EQUAL(addr_parse("10.0.0.9", 0, &w->gw->set.loop4), 0);
	addr_set(&w->to, 4, w->gw->set.loop4.ip, local.port);
	CU_ASSERT_EQUAL(dial_tcp(w), 0);
	CU_ASSERT(addr_equal(&w->asker[0].info.to, &local));
	world_end(w);
}

static void no_descriptors_is_said_in_words(void)
{
	struct world *w = world(4, 1, SLUICE_TAKE);
	struct rlimit old, few;

	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = (rlim_t)dup(0);
	close((int)few.rlim_cur);
	setrlimit(RLIMIT_NOFILE, &few);
	CU_ASSERT_EQUAL(dial_tcp(w), EMFILE);
	setrlimit(RLIMIT_NOFILE, &old);
	CU_ASSERT_PTR_NOT_NULL(strstr(w->log, "flow 7"));
	CU_ASSERT_PTR_NOT_NULL(strstr(w->log, "ulimit"));
	world_end(w);
}

/* -------------------------------------------------------------- datagrams */

static uint16_t port_of(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct sluice_addr a = { .family = 0 };

	getsockname(fd, (struct sockaddr *)&ss, &len);
	addr_from_sockaddr((struct sockaddr *)&ss, &a);
	return a.port;
}

static bool has_peer(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	return !getpeername(fd, (struct sockaddr *)&ss, &len);
}

static void a_udp_socket_is_connected_unless_told(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = world(family, 1, SLUICE_TAKE);
		struct dial_ask a = ask_for(w, SLUICE_UDP);

		dial(w, &a);
		wait_done(w);
		CU_ASSERT(w->fd >= 0 && has_peer(w->fd));
		close(w->fd);
		a.flags = SLUICE_DIAL_UNCONNECTED;
		dial(w, &a);
		wait_done(w);
		CU_ASSERT(w->fd >= 0 && !has_peer(w->fd));
		world_end(w);
	}
}

/* RFC 4787, REQ-4 */
static void a_port_is_kept_or_its_parity(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = world(family, 1, SLUICE_TAKE);
		struct dial_ask a = ask_for(w, SLUICE_UDP);
		int first;

		a.flags = SLUICE_DIAL_UNCONNECTED;
		a.prefer_port = 23457;
		dial(w, &a);
		wait_done(w);
		first = w->fd;
		CU_ASSERT_EQUAL(port_of(first), 23457);

		/* Also where it is looked which way the packets go. */
		w->gw->tun_here = true;
		close(first);
		dial(w, &a);
		wait_done(w);
		first = w->fd;
		CU_ASSERT_EQUAL(port_of(first), 23457);
		CU_ASSERT_FALSE(has_peer(first));

		dial(w, &a);
		wait_done(w);
		CU_ASSERT_NOT_EQUAL(port_of(w->fd), 23457);
		CU_ASSERT_EQUAL(port_of(w->fd) & 1, 1);
		close(first);
		close(w->fd);

		/* The host's own services keep their ports. */
		a.prefer_port = 124;
		dial(w, &a);
		wait_done(w);
		CU_ASSERT(port_of(w->fd) > 1024);
		CU_ASSERT_EQUAL(port_of(w->fd) & 1, 0);
		world_end(w);
	}
}

/* What a plugin did to the socket stays done. */
static void looking_where_packets_go_leaves_the_device(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = world(family, 1, SLUICE_TAKE);
		struct dial_ask a = ask_for(w, SLUICE_UDP);
		char name[16] = "";
		socklen_t len = sizeof(name);

		w->gw->tun_here = true;
		w->asker[0].binds = true;
		a.flags = SLUICE_DIAL_UNCONNECTED;
		a.prefer_port = 23459;
		dial(w, &a);
		wait_done(w);
		CU_ASSERT_EQUAL(w->error.err, 0);
		CU_ASSERT_EQUAL(getsockopt(w->fd, SOL_SOCKET, SO_BINDTODEVICE,
					   name, &len),
				0);
		CU_ASSERT_STRING_EQUAL(name, "lo");
		CU_ASSERT_EQUAL(port_of(w->fd), 23459);
		world_end(w);
	}
}

static void a_ping_socket_tells_its_kind(void)
{
	for (int family = 4; family <= 6; family += 2) {
		struct world *w = world(family, 1, SLUICE_TAKE);
		struct dial_ask a =
			ask_for(w, family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
		int type;

		a.flags = DIAL_PING;
		dial(w, &a);
		wait_done(w);
		if (w->error.err == EPERM || w->error.err == EACCES) {
			world_end(w);
			UNIT_SKIP("no right to ping sockets");
		}
		CU_ASSERT_EQUAL(w->error.err, 0);
		CU_ASSERT_EQUAL(w->asker[0].info.proto, a.proto);
		type = int_option(w->fd, SOL_SOCKET, SO_TYPE);
		CU_ASSERT(type == SOCK_DGRAM || type == SOCK_RAW);
		world_end(w);
	}
}

/* ----------------------------------------------------------- routing loop */

static void make_loopback_our_tun(struct world *w, int family)
{
	w->gw->tun_here = true;
	strcpy(w->gw->tun.name, "sluice0");
	w->gw->set.tun.fwmark = 0x736c;
	w->gw->set.n_address = 1;
	w->gw->set.address[0].addr = w->to;
	w->gw->set.address[0].len = family == 4 ? 24 : 64;
}

static void a_route_into_our_own_tun_is_refused(void)
{
	static const struct {
		uint8_t proto;
		uint32_t flags;
	} cases[] = {
		{ SLUICE_TCP, 0 },
		{ SLUICE_UDP, 0 },
		{ SLUICE_UDP, SLUICE_DIAL_UNCONNECTED },
	};

	for (int family = 4; family <= 6; family += 2) {
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			struct world *w = world(family, 1, SLUICE_TAKE);
			struct dial_ask a = ask_for(w, cases[i].proto);

			make_loopback_our_tun(w, family);
			a.flags = cases[i].flags;
			dial(w, &a);
			wait_done(w);
			CU_ASSERT_EQUAL(w->error.err, ELOOP);
			CU_ASSERT_EQUAL(stats_get(&w->gw->stats, dial_loops),
					1);
			CU_ASSERT_EQUAL(stats_get(&w->gw->stats, dial_failed),
					0);

			/* Elsewhere the same address means nothing. */
			w->gw->tun_here = false;
			w->done = 0;
			dial(w, &a);
			wait_done(w);
			CU_ASSERT_EQUAL(w->error.err, 0);
			world_end(w);
		}
	}
}

static void a_loop_is_explained_once_a_second(void)
{
	struct world *w = world(4, 1, SLUICE_TAKE);
	struct dial_ask a = ask_for(w, SLUICE_TCP);

	/* A second after the test before, which was heard too. */
	while (!strstr(w->log, "leads back")) {
		make_loopback_our_tun(w, 4);
		dial(w, &a);
		wait_done(w);
	}
	CU_ASSERT_PTR_NOT_NULL(strstr(
		w->log, "flow 7: the route to 127.0.0.1 leads back into "
			"sluice0: set protect-mark.device, or put its routes "
			"into a table of their own, which our mark keeps away "
			"from (ip rule add not fwmark 0x736c lookup 7363)"));
	w->log[0] = '\0';
	dial(w, &a);
	wait_done(w);
	CU_ASSERT_STRING_EQUAL(w->log, "");
	world_end(w);
}

/* The SYN that left before the loop was seen comes in as a new flow. */
static void the_syn_of_a_loop_is_not_dialled(void)
{
	struct world *w = world(4, 1, SLUICE_TAKE);
	struct dial_ask a = ask_for(w, SLUICE_TCP);
	struct flow f = { .info.id = 8 };
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int looped;

	make_loopback_our_tun(w, 4);
	dial(w, &a);
	wait_done(w);
	looped = accept(w->server, (struct sockaddr *)&ss, &len);
	CU_ASSERT(looped >= 0);
	close(looped);
	addr_from_sockaddr((struct sockaddr *)&ss, &f.info.app);
	flowtab_id_add(&w->gw->flows, &f);
	a.flow_id = 8;
	dial(w, &a);
	wait_done(w);
	CU_ASSERT_EQUAL(w->error.err, ELOOP);
	CU_ASSERT_EQUAL(w->asker[0].asked, 1);

	/* Another app's flow is asked about as ever. */
	f.info.app.port++;
	w->gw->tun_here = false;
	CU_ASSERT_EQUAL(dial_tcp(w), 0);
	flowtab_id_del(&w->gw->flows, &f);
	world_end(w);
}

/* ----------------------------------------------- sockets of other libraries */

static void a_foreign_socket_is_asked_about_at_once(void)
{
	static const struct {
		int plugins, answer, result;
	} cases[] = {
		{ 0, 0, -EPERM },           { 1, SLUICE_TAKE, 0 },
		{ 2, SLUICE_PASS, -EPERM }, { 1, SLUICE_DROP, -EPERM },
		{ 1, -EIO, -EPERM },        { 1, SLUICE_LATER, -EAGAIN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = world(4, cases[i].plugins, cases[i].answer);
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		CU_ASSERT_EQUAL(dial_protect(w->gw, fd, SLUICE_TCP, &w->to),
				cases[i].result);
		if (cases[i].answer == SLUICE_LATER) {
			/* A descriptor of its own, of the same socket. */
			CU_ASSERT_NOT_EQUAL(w->asker[0].info.fd, fd);
			sluice_socket_resolve(w->asker[0].socket, SLUICE_TAKE);
			turns(w, 2);
			CU_ASSERT(fcntl(w->asker[0].info.fd, F_GETFD) < 0);
		}
		CU_ASSERT(fcntl(fd, F_GETFD) >= 0);
		CU_ASSERT_EQUAL(w->gw->dials.pool.used, 0);
		close(fd);
		world_end(w);
	}
}

static const struct unit_test tests[] = {
	UNIT(a_socket_is_protected_before_it_connects),
	UNIT(an_established_connection_survives_icmp),
	UNIT(without_take_no_socket_is_used),
	UNIT(an_empty_chain_needs_a_word_in_the_settings),
	UNIT(the_chain_is_asked_in_order_until_one_takes),
	UNIT(a_cancelled_dial_is_silent),
	UNIT(a_plugin_that_dials_to_protect_is_stopped),
	UNIT(a_verdict_may_come_later),
	UNIT(pass_later_asks_the_next_plugin),
	UNIT(a_verdict_may_come_from_another_thread),
	UNIT(the_first_verdict_counts),
	UNIT(a_plugin_that_never_resolves_costs_only_time),
	UNIT(a_cancelled_socket_stays_until_it_is_resolved),
	UNIT(a_dial_may_be_cancelled_by_the_plugin_it_asks),
	UNIT(sockets_that_plugins_forget_are_bounded),
	UNIT(a_closed_port_refuses),
	UNIT(what_takes_too_long_ends),
	UNIT(an_icmp_error_is_told_in_full),
	UNIT(nonsense_is_refused),
	UNIT(a_mapped_address_does_not_leave_over_ipv4),
	UNIT(host_loopback_is_mapped_before_protect),
	UNIT(no_descriptors_is_said_in_words),
	UNIT(a_udp_socket_is_connected_unless_told),
	UNIT(a_port_is_kept_or_its_parity),
	UNIT(looking_where_packets_go_leaves_the_device),
	UNIT(a_ping_socket_tells_its_kind),
	UNIT(a_route_into_our_own_tun_is_refused),
	UNIT(a_loop_is_explained_once_a_second),
	UNIT(the_syn_of_a_loop_is_not_dialled),
	UNIT(a_foreign_socket_is_asked_about_at_once),
};

UNIT_MAIN("dial", tests)
