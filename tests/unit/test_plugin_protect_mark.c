/* SPDX-License-Identifier: MIT */
/* test_plugin_protect_mark.c - sockets marked, bound, or vouched for */
#include <errno.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fakecore.h"
#include "unit.h"

extern const struct sluice_plugin sluice_plugin_protect_mark;
#define PLUGIN (&sluice_plugin_protect_mark)

/* What the plugin says to a socket that these options make it look at. */
static int asked(const char *options, int *fd, char *error)
{
	struct fake *k = fake_new(PLUGIN, options);
	struct fake_socket s;
	int answer;

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fake_socket_init(&s, *fd, SLUICE_TCP, "192.0.2.1:80");
	answer = fake_socket(k, &s);
	if (error)
		snprintf(error, 256, "%s", k->error);
	fake_end(k);
	return answer;
}

static uint32_t mark_of(int fd)
{
	uint32_t mark = 4711;
	socklen_t len = sizeof(mark);

	getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &len);
	close(fd);
	return mark;
}

static void sockets_get_the_mark(void)
{
	static const struct {
		const char *options;
		uint32_t mark;
	} cases[] = {
		{ "", 0x736c }, /* tun.fwmark of the fake core */
		{ "mark = 7", 7 },
		{ "mark = 0x1b6", 0x1b6 },
		{ "mark = 4294967295", UINT32_MAX },
	};
	int fd;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int answer = asked(cases[i].options, &fd, NULL);

		if (answer == -EPERM) {
			close(fd);
			UNIT_SKIP("no right to mark sockets");
		}
		CU_ASSERT_EQUAL(answer, SLUICE_TAKE);
		CU_ASSERT_EQUAL(mark_of(fd), cases[i].mark);
	}
}

static void none_only_vouches(void)
{
	int fd;

	CU_ASSERT_EQUAL(asked("mark = none", &fd, NULL), SLUICE_TAKE);
	CU_ASSERT_EQUAL(mark_of(fd), 0);
}

static void sockets_are_bound_to_the_device(void)
{
	char name[IFNAMSIZ] = "";
	socklen_t len = sizeof(name);
	int fd;

	CU_ASSERT_EQUAL(asked("mark = none\ndevice = lo", &fd, NULL),
			SLUICE_TAKE);
	getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len);
	CU_ASSERT_STRING_EQUAL(name, "lo");
	close(fd);
}

static void what_cannot_be_done_refuses_the_socket(void)
{
	char error[256];
	int fd;

	CU_ASSERT_EQUAL(asked("mark = none\ndevice = nowhere0", &fd, error),
			-ENODEV);
	CU_ASSERT_STRING_EQUAL(
		error, "cannot bind sockets to nowhere0: No such device");
	close(fd);
	if (geteuid() == 0 && seteuid(65534) < 0)
		UNIT_SKIP("no right to lose rights");
	CU_ASSERT_EQUAL(asked("mark = 7", &fd, error), -EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(error, "CAP_NET_ADMIN"));
	close(fd);
	if (getuid() == 0)
		CU_ASSERT_EQUAL(seteuid(0), 0);
}

static void bad_options_are_refused(void)
{
	static const struct {
		const char *options, *text;
	} cases[] = {
		{ "mark = 0", "0 is what every socket has" },
		{ "mark = 0x", "no number" },
		{ "mark = -1", "no number" },
		{ "mark = 12x", "no number" },
		{ "mark = 4294967296", "no number" },
		{ "mark = all", "no number" },
		{ "device = a-name-of-16-chr", "too long" },
		{ "interface = lo", "interface" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[256] = "";
		struct fake *k;

		CU_ASSERT(fake_create(PLUGIN, cases[i].options, &k, text) < 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, cases[i].text));
	}
}

static const struct unit_test tests[] = {
	UNIT(sockets_get_the_mark),
	UNIT(none_only_vouches),
	UNIT(sockets_are_bound_to_the_device),
	UNIT(what_cannot_be_done_refuses_the_socket),
	UNIT(bad_options_are_refused),
};

UNIT_MAIN("protect-mark", tests)
