/* SPDX-License-Identifier: MIT */
/* test_tunlink.c - a real device is changed, renamed and moved under us
 *
 * In network namespaces of this process, so it needs root.
 */
#include "tunlink.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netsetup.h"
#include "unit.h"

struct world {
	struct loop loop;
	struct stats stats;
	struct tun tun;
	int seen[TUN_LOST + 1];
	int ends;
	uint32_t last_len;
};

static void took_packet(struct tun *t, struct tun_buf *b, uint32_t len,
			const struct virtio_net_hdr *vh)
{
	struct world *w = t->owner;

	(void)b;
	(void)vh;
	w->last_len = len;
}

static void took_end(struct tun *t, int err)
{
	struct world *w = t->owner;

	(void)err;
	w->ends++;
}

static void took_change(struct tun *t, enum tun_change what)
{
	struct world *w = t->owner;

	w->seen[what]++;
}

static const char *no_devices(void)
{
	if (geteuid())
		return "needs root";
	if (access("/dev/net/tun", R_OK | W_OK))
		return "no /dev/net/tun";
	if (unshare(CLONE_NEWNET))
		return "no network namespace to be had";
	return NULL;
}

/* false: not here, and that was said */
static bool world_start(struct world *w)
{
	struct tun_config c = { .name = "sluice0", .fd = -1, .mtu = 1500 };
	const char *reason = no_devices();
	char text[256] = "";

	if (reason) {
		unit_skip_reason = reason;
		return false;
	}
	memset(w, 0, sizeof(*w));
	CU_ASSERT_EQUAL_FATAL(loop_init(&w->loop), 0);
	CU_ASSERT_EQUAL_FATAL(tun_open(&w->tun, &w->loop, &w->stats, &c, text,
				       sizeof(text)),
			      0);
	w->tun.packet = took_packet;
	w->tun.ended = took_end;
	w->tun.changed = took_change;
	w->tun.owner = w;
	CU_ASSERT_EQUAL_FATAL(tun_start(&w->tun), 0);
	CU_ASSERT_TRUE_FATAL(w->tun.link.fd >= 0);
	CU_ASSERT_EQUAL(w->tun.link_mtu, 1500);
	return true;
}

static void world_end(struct world *w)
{
	tun_close(&w->tun);
	CU_ASSERT_EQUAL(w->tun.link.fd, -1);
	loop_fini(&w->loop);
}

static void turns(struct world *w)
{
	for (int i = 0; i < 8; i++)
		loop_turn(&w->loop, 5);
}

static void mtu_and_name_are_told_once(void)
{
	struct world w;

	if (!world_start(&w))
		return;
	CU_ASSERT_EQUAL(system("ip link set sluice0 mtu 9000"), 0);
	turns(&w);
	CU_ASSERT_EQUAL(w.seen[TUN_MTU], 1);
	CU_ASSERT_EQUAL(w.tun.link_mtu, 9000);
	CU_ASSERT_EQUAL(system("ip link set sluice0 name other0"), 0);
	turns(&w);
	CU_ASSERT_EQUAL(w.seen[TUN_NAME], 1);
	CU_ASSERT_STRING_EQUAL(w.tun.name, "other0");
	/* Of others nothing is told. */
	CU_ASSERT_EQUAL(system("ip link set lo mtu 1400"), 0);
	turns(&w);
	CU_ASSERT_EQUAL(w.seen[TUN_MTU], 1);
	CU_ASSERT_EQUAL(w.seen[TUN_NAME], 1);
	CU_ASSERT_EQUAL(w.ends, 0);
	world_end(&w);
}

static void more_announcements_than_there_is_room_for(void)
{
	struct world w;
	int least = 1;

	if (!world_start(&w))
		return;
	setsockopt(w.tun.link.fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
	CU_ASSERT_EQUAL(system("i=0; while [ $((i += 1)) -lt 40 ]; do "
			       "echo link set sluice0 mtu $((1300 + i)); done |"
			       " ip -batch -"),
			0);
	turns(&w);
	CU_ASSERT_EQUAL(w.tun.link_mtu, 1339);
	CU_ASSERT_EQUAL(system("ip link set sluice0 mtu 1280"), 0);
	turns(&w);
	CU_ASSERT_EQUAL(w.tun.link_mtu, 1280);
	world_end(&w);
}

static void a_device_is_followed_to_another_namespace(void)
{
	struct world w;
	char line[128];
	int there, back;

	if (!world_start(&w))
		return;
	back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL_FATAL(unshare(CLONE_NEWNET), 0);
	there = open("/proc/thread-self/ns/net", O_RDONLY);
	CU_ASSERT_EQUAL_FATAL(setns(back, CLONE_NEWNET), 0);
	snprintf(line, sizeof(line),
		 "ip link set sluice0 netns /proc/self/fd/%d", there);
	CU_ASSERT_EQUAL(system(line), 0);
	turns(&w);
	CU_ASSERT_EQUAL(w.seen[TUN_MOVED], 1);
	CU_ASSERT_TRUE(w.tun.netns >= 0);
	/* It is watched where it is now. */
	CU_ASSERT_EQUAL(setns(there, CLONE_NEWNET), 0);
	CU_ASSERT_EQUAL(system("ip link set sluice0 mtu 1400"), 0);
	CU_ASSERT_EQUAL(setns(back, CLONE_NEWNET), 0);
	turns(&w);
	CU_ASSERT_EQUAL(w.tun.link_mtu, 1400);
	/* And home. */
	snprintf(line, sizeof(line),
		 "nsenter --net=/proc/%d/fd/%d ip link set sluice0 netns %d",
		 getpid(), there, getpid());
	CU_ASSERT_EQUAL(system(line), 0);
	turns(&w);
	CU_ASSERT_EQUAL(w.seen[TUN_MOVED], 2);
	CU_ASSERT_EQUAL(w.tun.netns, -1);
	CU_ASSERT_EQUAL(w.seen[TUN_LOST], 0);
	close(there);
	close(back);
	world_end(&w);
}

static void a_deleted_device_is_left_to_its_reader(void)
{
	struct world w;

	if (!world_start(&w))
		return;
	CU_ASSERT_EQUAL(system("ip link del sluice0"), 0);
	turns(&w);
	CU_ASSERT_EQUAL(w.ends, 1);
	for (size_t i = 0; i < ARRAY_SIZE(w.seen); i++)
		CU_ASSERT_EQUAL(w.seen[i], 0);
	world_end(&w);
}

/* Without offload buffers are of the MTU; kept ones outlive the change. */
static void larger_packets_are_read_whole_after_it(void)
{
	struct sluice_addr to;
	struct sockaddr_storage ss;
	static char data[8000];
	char text[256] = "";
	struct tun_buf *kept;
	struct prefix p;
	struct world w;
	socklen_t len;
	int fd;

	if (!world_start(&w))
		return;
	CU_ASSERT_EQUAL(netsetup_link_up("sluice0", 9000, text, sizeof(text)),
			0);
	prefix_parse("10.0.0.2/24", &p);
	CU_ASSERT_EQUAL(netsetup_address("sluice0", &p, text, sizeof(text)), 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(addr_parse("10.0.0.9", 7, &to), 0);
	len = addr_to_sockaddr(&to, &ss);
	sendto(fd, data, 1000, 0, (struct sockaddr *)&ss, len);
	turns(&w);
	kept = w.tun.cur;
	CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
	tun_buf_get(kept);
	tun_set_mtu(&w.tun, 9000);
	for (int i = 0; i < 3; i++) {
		w.last_len = 0;
		CU_ASSERT_EQUAL(sendto(fd, data, sizeof(data), 0,
				       (struct sockaddr *)&ss, len),
				(ssize_t)sizeof(data));
		turns(&w);
		CU_ASSERT_EQUAL(w.last_len, sizeof(data) + 28);
		tun_trim(&w.tun);
	}
	tun_buf_put(kept);
	close(fd);
	world_end(&w);
}

static const struct unit_test tests[] = {
	UNIT(mtu_and_name_are_told_once),
	UNIT(more_announcements_than_there_is_room_for),
	UNIT(a_device_is_followed_to_another_namespace),
	UNIT(a_deleted_device_is_left_to_its_reader),
	UNIT(larger_packets_are_read_whole_after_it),
};

UNIT_MAIN("tunlink", tests)
