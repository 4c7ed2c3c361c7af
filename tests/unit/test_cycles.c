/* SPDX-License-Identifier: MIT */
/* test_cycles.c - a gateway started and stopped a thousand times
 *
 * Who embeds one does that: a phone, whenever its network changes.  Whatever
 * one life takes and does not give back is a thousand times that here, in
 * descriptors, memory or threads.  Each life ends in the middle of things:
 * connections open, dials under way, fragments and questions waiting.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <malloc.h>
#include <time.h>

#include "frag.h"
#include "packets.h"
#include "world.h"

#define CYCLES  1000
#define WARM_UP 50
#ifdef __SANITIZE_ADDRESS__
#define SECONDS 25 /* after that it is enough, sanitizers take their time */
#else
#define SECONDS 60
#endif

#define CHAINS                                                       \
	"[chain]\ntcp = tcp-forward\nudp = udp-forward\nprotect =\n" \
	"observe =\ndns = dns-upstream\n[dns-upstream]\nserver = 127.0.0.1\n"

/* --- what may not grow --------------------------------------------------- */

struct usage {
	int fds, threads;
	size_t heap, rss; /* bytes */
};

static int entries(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	CU_ASSERT_FATAL(d != NULL);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static struct usage usage(void)
{
	unsigned long total, resident;
	struct usage u = { .fds = entries("/proc/self/fd"),
			   .threads = entries("/proc/self/task"),
			   .heap = mallinfo2().uordblks };
	FILE *f = fopen("/proc/self/statm", "re");

	CU_ASSERT_FATAL(f != NULL);
	CU_ASSERT_EQUAL(fscanf(f, "%lu %lu", &total, &resident), 2);
	fclose(f);
	u.rss = resident * (size_t)sysconf(_SC_PAGESIZE);
	return u;
}

static void is_flat(const struct usage *before, int cycles)
{
	struct usage now = usage();

	printf("# %d times: descriptors %d, threads %d, heap %+zd, RSS %+zd\n",
	       cycles, now.fds - before->fds, now.threads - before->threads,
	       (ssize_t)(now.heap - before->heap),
	       (ssize_t)(now.rss - before->rss));
	CU_ASSERT_EQUAL(now.fds, before->fds);
	CU_ASSERT_EQUAL(now.threads, before->threads);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed, and looks itself */
	/* The smallest leak would be 32 bytes of each; what the allocator keeps
	 * at hand counts as in use, but does not grow. */
	CU_ASSERT_TRUE(now.heap < before->heap + CYCLES * 16);
	CU_ASSERT_TRUE(now.rss < before->rss + (1 << 20));
#endif
}

static void cycles(void (*life)(int number))
{
	uint64_t end = util_now_ms() + SECONDS * 1000;
	struct usage before;
	int i;

	for (i = 0; i < WARM_UP; i++)
		life(i);
	before = usage();
	for (i = 0; i < CYCLES && util_now_ms() < end; i++)
		life(i);
	is_flat(&before, i);
}

/* --- packets of an embedder ---------------------------------------------- */

static int odd_piece(void *arg, const struct iovec *v, int n)
{
	static int number;

	/* Every other one is lost, so none becomes whole. */
	return number++ & 1 ? world_up_piece(arg, v, n) : 0;
}

static void send_pieces(struct world *w, const struct sluice_addr *to)
{
	static uint8_t large[5000];
	struct sluice_addr app = world_app(to->family, 40002);
	uint8_t head[PACKET_HEADERS_MAX];
	struct iovec v[2] = { { head, 0 }, { large, sizeof(large) } };

	v[0].iov_len = packet_udp_header(head, &app, to, 64, 0, false, 0, v + 1,
					 1, false);
	CU_ASSERT_EQUAL(frag_cut(v, 2, 1500, 7, odd_piece, w), 0);
}

static void life_of_callbacks(int number)
{
	int family = number & 1 ? 6 : 4;
	bool v6 = family == 6;
	struct world *w = world_new(NULL, CHAINS "[tun]\nsource = any\n");
	struct sluice_addr app = world_app(family, 40001), to;
	int server = world_server(family, SOCK_DGRAM, &to);
	struct made m = tcp(v6, TCP_SYN, NULL, 0, 0);
	char word[8];

	world_up(w, m.b, m.len);
	m = tcp(v6, TCP_ACK, NULL, 0, 100); /* of no connection */
	m.b[head_of(&m) + 1]++;
	seal(&m);
	world_up(w, m.b, m.len);
	m = echo(v6);
	world_up(w, m.b, m.len);
	world_up(w, "\x45rubbish", 8);
	world_udp(w, &app, &to, 64, "hello", 6);
	send_pieces(w, &to);
	CU_ASSERT_TRUE(world_arrives(w, server));
	CU_ASSERT_EQUAL(recv(server, word, sizeof(word), 0), 6);
	CU_ASSERT_STRING_EQUAL(word, "hello");
	close(server);
	world_end(w);
}

static void a_thousand_gateways_of_an_embedder_leave_nothing(void)
{
	cycles(life_of_callbacks);
}

/* --- a real device ------------------------------------------------------- */

static struct gateway gw;

static void turn_until_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (int i = 0; i < 1000 && poll(&p, 1, 0) < 1; i++)
		loop_turn(&gw.loop, 5);
	CU_ASSERT_TRUE_FATAL(poll(&p, 1, 0) == 1);
}

/* A socket of the app: through the device, to where to is. */
static int app_socket(const struct sluice_addr *to, int type)
{
	struct sockaddr_storage ss;
	int fd = socket(to->family == 4 ? AF_INET : AF_INET6,
			type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	CU_ASSERT_FATAL(fd >= 0);
	r = connect(fd, (struct sockaddr *)&ss, addr_to_sockaddr(to, &ss));
	CU_ASSERT_TRUE_FATAL(!r || errno == EINPROGRESS);
	return fd;
}

static void start(void)
{
	char text[512] = "";

	gw = (struct gateway){ 0 };
	log_level = LOG_LEVEL_ERROR;
	conf_init(&gw.conf, world_report, NULL);
	CU_ASSERT_EQUAL_FATAL(
		conf_parse(&gw.conf, "test",
			   "[gateway]\nunprotected = allow\n[tun]\n"
			   "name = cycle0\n"
			   "host-loopback = 10.0.0.9 fd00:736c::9\n" CHAINS),
		0);
	CU_ASSERT_EQUAL_FATAL(gateway_load(&gw), 0);
	if (gateway_open(&gw, text, sizeof(text))) {
		printf("# %s\n", text);
		CU_FAIL_FATAL("the gateway did not open");
	}
}

static void life_of_a_device(int number)
{
	int family = number & 1 ? 6 : 4, listener, server, tcp_app, udp_app;
	static const char query[] = "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0";
	struct sluice_addr to, dns = world_gateway(family);
	int accepted, dns_app;
	char word[8] = "";

	start();
	/* The kernel takes packets to a new IPv6 address a moment later. */
	for (int i = 0; i < 3; i++)
		loop_turn(&gw.loop, 3);
	listener = world_server(family, SOCK_STREAM, &to);
	CU_ASSERT_EQUAL_FATAL(listen(listener, 1), 0);
	tcp_app = app_socket(&to, SOCK_STREAM);
	turn_until_readable(listener);
	accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CU_ASSERT_EQUAL(send(accepted, "hello", 6, 0), 6);
	turn_until_readable(tcp_app);
	CU_ASSERT_EQUAL(recv(tcp_app, word, sizeof(word), 0), 6);
	CU_ASSERT_STRING_EQUAL(word, "hello");

	server = world_server(family, SOCK_DGRAM, &to);
	udp_app = app_socket(&to, SOCK_DGRAM);
	CU_ASSERT_EQUAL(send(udp_app, "datagram", 8, 0), 8);
	turn_until_readable(server);
	dns.port = 53;
	dns_app = app_socket(&dns, SOCK_DGRAM);
	CU_ASSERT_EQUAL(send(dns_app, query, sizeof(query), 0),
			(ssize_t)sizeof(query));
	loop_turn(&gw.loop, 5);

	gateway_stop(&gw);
	CU_ASSERT_EQUAL(gateway_run(&gw), 0);
	gateway_close(&gw);
	gateway_fini(&gw);
	CU_ASSERT_EQUAL(if_nametoindex("cycle0"), 0);
	/* RST, to both. */
	CU_ASSERT_EQUAL(recv(accepted, word, 1, MSG_DONTWAIT), -1);
	CU_ASSERT_EQUAL(errno, ECONNRESET);
	CU_ASSERT_EQUAL(recv(tcp_app, word, 1, 0), -1);
	CU_ASSERT_EQUAL(errno, ECONNRESET);
	close(accepted);
	close(listener);
	close(tcp_app);
	close(server);
	close(udp_app);
	close(dns_app);
}

static void a_thousand_gateways_of_a_device_leave_nothing(void)
{
	if (!world_alone())
		UNIT_SKIP("no network namespace to be had");
	if (access("/dev/net/tun", R_OK | W_OK))
		UNIT_SKIP("no /dev/net/tun");
	cycles(life_of_a_device);
}

static const struct unit_test tests[] = {
	UNIT(a_thousand_gateways_of_an_embedder_leave_nothing),
	UNIT(a_thousand_gateways_of_a_device_leave_nothing),
};

UNIT_MAIN("cycles", tests)
