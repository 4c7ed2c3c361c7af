/* SPDX-License-Identifier: MIT */
/* test_netsetup.c - links, addresses and routes, as ip(8) sees them after
 *
 * In a network namespace of this process; without root they say so.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netsetup.h"
#include "sandbox.h"
#include "settings.h"
#include "unit.h"

static const char *no_namespace(void)
{
	if (geteuid())
		return "needs root";
	if (access("/dev/net/tun", R_OK | W_OK))
		return "no /dev/net/tun";
	if (unshare(CLONE_NEWNET))
		return "no network namespace to be had";
	return system("ip tuntap add sl0 mode tun && "
		      "ip tuntap add sl1 mode tun && ip link set lo up") ?
		       "no TUN device to be had" :
		       NULL;
}

#define NEED_NAMESPACE()                             \
	do {                                         \
		const char *reason = no_namespace(); \
		if (reason)                          \
			UNIT_SKIP(reason);           \
	} while (0)

static char text[256];

static struct prefix prefix(const char *s)
{
	struct prefix p;

	CU_ASSERT_EQUAL_FATAL(prefix_parse(s, &p), 0);
	return p;
}

static int add_address(const char *dev, const char *s)
{
	struct prefix p = prefix(s);

	text[0] = 0;
	return netsetup_address(dev, &p, text, sizeof(text));
}

static int add_route(const char *dev, const char *s)
{
	struct prefix p = prefix(s);

	text[0] = 0;
	return netsetup_route(dev, &p, text, sizeof(text));
}

static int link_up(const char *dev, uint32_t mtu)
{
	text[0] = 0;
	return netsetup_link_up(dev, mtu, text, sizeof(text));
}

/* Does the output of command have pattern in it? */
static int shows(const char *command, const char *pattern)
{
	char line[512];

	snprintf(line, sizeof(line), "%s | grep -q -- '%s'", command, pattern);
	return system(line) == 0;
}

static int says(const char *words)
{
	if (!strstr(text, words))
		printf("# \"%s\" has no \"%s\"\n", text, words);
	return strstr(text, words) != NULL;
}

/* --- link --------------------------------------------------------------- */

static void a_link_comes_up_with_its_mtu(void)
{
	NEED_NAMESPACE();
	CU_ASSERT_EQUAL(link_up("sl0", 9000), 0);
	CU_ASSERT_TRUE(shows("ip link show sl0", "[<,]UP[,>].* mtu 9000 "));
	/* and again: there is nothing to do */
	CU_ASSERT_EQUAL(link_up("sl0", 9000), 0);
	CU_ASSERT_EQUAL(link_up("sl0", 1400), 0);
	CU_ASSERT_TRUE(shows("ip link show sl0", " mtu 1400 "));
	CU_ASSERT_EQUAL(link_up("sl0", 0), 0);
	CU_ASSERT_TRUE(shows("ip link show sl0", " mtu 1400 "));
}

static void a_link_has_no_link_local_address(void)
{
	NEED_NAMESPACE();
	CU_ASSERT_EQUAL(link_up("sl0", 1500), 0);
	CU_ASSERT_FALSE(shows("ip -6 addr show sl0", "fe80"));
}

static void a_device_that_is_not_there_is_named(void)
{
	NEED_NAMESPACE();
	CU_ASSERT_EQUAL(link_up("sl9", 1500), -ENODEV);
	CU_ASSERT_TRUE(says("there is no device sl9"));
	CU_ASSERT_EQUAL(add_address("sl9", "10.0.0.2/24"), -ENODEV);
	CU_ASSERT_EQUAL(add_route("sl9", "10.0.0.2/24"), -ENODEV);
}

static void a_bad_mtu_is_explained(void)
{
	NEED_NAMESPACE();
	CU_ASSERT_TRUE(link_up("sl0", 10) < 0);
	CU_ASSERT_TRUE(says("device sl0: bring it up: "));
	CU_ASSERT_TRUE(says("mtu")); /* the kernel's own words */
}

/* --- addresses ------------------------------------------------------------ */

static void an_address_can_be_bound_at_once(const char *s)
{
	struct prefix p = prefix(s);
	struct sockaddr_storage ss;
	socklen_t len;
	int fd;

	CU_ASSERT_EQUAL(add_address("sl0", s), 0);
	CU_ASSERT_EQUAL(add_address("sl0", s), 0); /* it is there */
	len = addr_to_sockaddr(&p.addr, &ss);
	fd = socket(ss.ss_family, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&ss, len), 0);
	close(fd);
}

static void addresses_of_both_families_are_usable_at_once(void)
{
	NEED_NAMESPACE();
	CU_ASSERT_EQUAL(link_up("sl0", 1500), 0);
	an_address_can_be_bound_at_once("10.0.0.2/24");
	an_address_can_be_bound_at_once("fd00:736c::2/64");
	CU_ASSERT_TRUE(shows("ip route", "10.0.0.0/24 dev sl0"));
	CU_ASSERT_TRUE(shows("ip -6 route", "fd00:736c::/64 dev sl0"));
}

static void ipv6_that_is_off_is_explained(void)
{
	NEED_NAMESPACE();
	if (system("sysctl -qw net.ipv6.conf.sl0.disable_ipv6=1"))
		UNIT_SKIP("no sysctl");
	CU_ASSERT_EQUAL(add_address("sl0", "fd00::2/64"), -EACCES);
	CU_ASSERT_TRUE(says("net.ipv6.conf.sl0.disable_ipv6=0"));
}

/* --- routes ------------------------------------------------------------------ */

static void routes_of_both_families_go_to_the_device(void)
{
	static const struct {
		const char *to, *command, *shown;
	} cases[] = {
		{ "192.0.2.0/24", "ip route", "192.0.2.0/24 dev sl0" },
		{ "192.0.2.77/32", "ip route", "192.0.2.77 dev sl0" },
		{ "198.51.100.9/22", "ip route", "198.51.100.0/22 dev sl0" },
		{ "203.0.113.255/31", "ip route", "203.0.113.254/31 dev" },
		{ "0.0.0.0/0", "ip route", "default dev sl0" },
		{ "1.2.3.4/1", "ip route", "0.0.0.0/1 dev sl0" },
		{ "2001:db8::/32", "ip -6 route", "2001:db8::/32 dev sl0" },
		{ "2001:db8::7/128", "ip -6 route", "2001:db8::7 dev sl0" },
		{ "2001:db9:ffff::1/47", "ip -6 route",
		  "2001:db9:fffe::/47 dev sl0" },
		{ "::/0", "ip -6 route", "default dev sl0" },
	};

	NEED_NAMESPACE();
	CU_ASSERT_EQUAL(link_up("sl0", 1500), 0);
	CU_ASSERT_EQUAL(add_address("sl0", "10.0.0.2/24"), 0);
	CU_ASSERT_EQUAL(add_address("sl0", "fd00::2/64"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CU_ASSERT_EQUAL(add_route("sl0", cases[i].to), 0);
		CU_ASSERT_TRUE(shows(cases[i].command, cases[i].shown));
		/* and again: it is there */
		CU_ASSERT_EQUAL(add_route("sl0", cases[i].to), 0);
	}
}

static void a_route_that_is_in_the_way_is_left_and_explained(void)
{
	static const char *const to[] = { "192.0.2.0/24", "0.0.0.0/0",
					  "2001:db8::/32", "::/0" };

	NEED_NAMESPACE();
	CU_ASSERT_EQUAL(link_up("sl0", 1500), 0);
	CU_ASSERT_EQUAL(link_up("sl1", 1500), 0);
	CU_ASSERT_EQUAL(add_address("sl1", "10.0.0.2/24"), 0);
	CU_ASSERT_EQUAL(add_address("sl1", "fd00::2/64"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		CU_ASSERT_EQUAL(add_route("sl1", to[i]), 0);
		CU_ASSERT_EQUAL(add_route("sl0", to[i]), -EEXIST);
		CU_ASSERT_TRUE(says("another route"));
	}
	CU_ASSERT_FALSE(shows("ip route", "sl0"));
}

static void a_route_to_a_link_that_is_down_is_explained(void)
{
	NEED_NAMESPACE();
	CU_ASSERT_EQUAL(add_route("sl0", "192.0.2.0/24"), -ENETDOWN);
	CU_ASSERT_TRUE(says("device sl0: add route 192.0.2.0/24: "));
}

/* --- all of [tun] --------------------------------------------------------------- */

static struct settings example(void)
{
	struct settings set = { .mtu = 1400 };

	set.address[0] = prefix("10.0.0.2/24");
	set.address[1] = prefix("fd00:736c::2/64");
	set.n_address = 2;
	set.routes[0] = prefix("0.0.0.0/0");
	set.routes[1] = prefix("::/0");
	set.n_routes = 2;
	return set;
}

static void the_settings_are_all_there_after_it(void)
{
	const struct settings set = example();

	NEED_NAMESPACE();
	CU_ASSERT_EQUAL(netsetup_up("sl0", &set, text, sizeof(text)), 0);
	CU_ASSERT_TRUE(shows("ip addr show sl0", "10.0.0.2/24"));
	CU_ASSERT_TRUE(shows("ip addr show sl0", "fd00:736c::2/64"));
	CU_ASSERT_TRUE(shows("ip link show sl0", " mtu 1400 "));
	CU_ASSERT_TRUE(shows("ip route", "default dev sl0"));
	CU_ASSERT_TRUE(shows("ip -6 route", "default dev sl0"));
	CU_ASSERT_EQUAL(netsetup_up("sl0", &set, text, sizeof(text)), 0);
}

/* The rest runs in a child: rights that are gone do not come back. */
static void in_a_child(void (*fn)(void), const char *ok)
{
	char got[64] = "";
	size_t len = 0;
	int v[2];
	ssize_t n;

	CU_ASSERT_EQUAL_FATAL(pipe(v), 0);
	fflush(stdout);
	if (!fork()) {
		dup2(v[1], 3);
		fn();
		_exit(0);
	}
	close(v[1]);
	while ((n = read(v[0], got + len, sizeof(got) - 1 - len)) > 0)
		len += (size_t)n;
	if (strcmp(got, ok))
		printf("# got \"%s\"\n", got);
	CU_ASSERT_STRING_EQUAL(got, ok);
	close(v[0]);
}

static void set_up_without_rights(void)
{
	struct settings set = example();
	int r;

	set.n_routes = 0;
	sandbox_caps(0);
	r = netsetup_up("sl0", &set, text, sizeof(text));
	dprintf(3, "%d ", r);
	set.address[1] = prefix("fd00:736c::3/64");
	r = netsetup_up("sl0", &set, text, sizeof(text));
	dprintf(3, "%d %s", r, strstr(text, "run as root") ? "told" : text);
}

static void a_device_made_ready_needs_no_rights(void)
{
	const struct settings set = example();

	NEED_NAMESPACE();
	CU_ASSERT_EQUAL(netsetup_up("sl0", &set, text, sizeof(text)), 0);
	in_a_child(set_up_without_rights, "0 -1 told");
}

/* --- namespaces ---------------------------------------------------------------------- */

static void what_is_no_network_namespace_is_refused(void)
{
	CU_ASSERT_EQUAL(netsetup_netns_open("no-such-name-here"), -ENOENT);
	CU_ASSERT_EQUAL(netsetup_netns_open("/no/such/path"), -ENOENT);
	CU_ASSERT_EQUAL(netsetup_netns_open("/dev/null"), -EINVAL);
	CU_ASSERT_EQUAL(netsetup_netns_open("/proc/self/ns/mnt"), -EINVAL);
	CU_ASSERT_EQUAL(netsetup_netns_open(".."), -EINVAL);
}

static void a_namespace_is_entered_and_left(void)
{
	int there, back;

	NEED_NAMESPACE();
	there = netsetup_netns_open("/proc/thread-self/ns/net");
	CU_ASSERT_TRUE_FATAL(there >= 0);
	CU_ASSERT_EQUAL_FATAL(unshare(CLONE_NEWNET), 0);
	CU_ASSERT_EQUAL(if_nametoindex("sl0"), 0);
	back = netsetup_enter(there);
	CU_ASSERT_TRUE(back >= 0);
	CU_ASSERT_NOT_EQUAL(if_nametoindex("sl0"), 0);
	netsetup_leave(back);
	CU_ASSERT_EQUAL(if_nametoindex("sl0"), 0);
	CU_ASSERT_EQUAL(fcntl(back, F_GETFD), -1); /* closed */
	close(there);
}

static const struct unit_test tests[] = {
	UNIT(a_link_comes_up_with_its_mtu),
	UNIT(a_link_has_no_link_local_address),
	UNIT(a_device_that_is_not_there_is_named),
	UNIT(a_bad_mtu_is_explained),
	UNIT(addresses_of_both_families_are_usable_at_once),
	UNIT(ipv6_that_is_off_is_explained),
	UNIT(routes_of_both_families_go_to_the_device),
	UNIT(a_route_that_is_in_the_way_is_left_and_explained),
	UNIT(a_route_to_a_link_that_is_down_is_explained),
	UNIT(the_settings_are_all_there_after_it),
	UNIT(a_device_made_ready_needs_no_rights),
	UNIT(what_is_no_network_namespace_is_refused),
	UNIT(a_namespace_is_entered_and_left),
};

UNIT_MAIN("netsetup", tests)
