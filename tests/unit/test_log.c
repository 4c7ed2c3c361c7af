/* SPDX-License-Identifier: MIT */
/* test_log.c - lines, where they go and what they may contain */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static int caught_fd = -1, real_stderr = -1;
static char got[8192];

/* stderr into a pipe whose writes stay apart, and back. */
static void catch_stderr(void)
{
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	real_stderr = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	caught_fd = fds[0];
}

static void release_stderr(void)
{
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(caught_fd);
}

/* One write of what was caught; "" when there was none. */
static const char *next_write(void)
{
	ssize_t n = recv(caught_fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	got[n > 0 ? n : 0] = '\0';
	return got;
}

static void a_line_is_one_write_with_its_level(void)
{
	catch_stderr();
	CU_ASSERT_EQUAL(log_open(NULL, LOG_LEVEL_DEBUG), 0);
	log_error("no %s", "luck");
	CU_ASSERT_STRING_EQUAL(next_write(), "sluice: error: no luck\n");
	log_warn("%d", 1);
	CU_ASSERT_STRING_EQUAL(next_write(), "sluice: warning: 1\n");
	log_info("here");
	CU_ASSERT_STRING_EQUAL(next_write(), "sluice: here\n");
	log_debug("there");
	CU_ASSERT_STRING_EQUAL(next_write(), "sluice: debug: there\n");
	CU_ASSERT_STRING_EQUAL(next_write(), "");
	release_stderr();
}

static void messages_above_the_level_are_not_made(void)
{
	catch_stderr();
	log_open("", LOG_LEVEL_WARN);
	log_info("no");
	log_debug("no");
	log_at(LOG_LEVEL_INFO, "no");
	CU_ASSERT_STRING_EQUAL(next_write(), "");
	log_warn("yes");
	CU_ASSERT_STRING_EQUAL(next_write(), "sluice: warning: yes\n");
	log_open(NULL, LOG_LEVEL_INFO);
	release_stderr();
}

static void the_journal_gets_a_number(void)
{
	char stream[64];
	struct stat st;

	catch_stderr();
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%llu:%llu",
		 (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open(NULL, LOG_LEVEL_INFO);
	log_warn("a");
	CU_ASSERT_STRING_EQUAL(next_write(), "<4>a\n");
	log_info("b");
	CU_ASSERT_STRING_EQUAL(next_write(), "<6>b\n");

	/* stderr is not the journal's any more: a pipe of a script */
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_open(NULL, LOG_LEVEL_INFO);
	log_warn("c");
	CU_ASSERT_STRING_EQUAL(next_write(), "sluice: warning: c\n");
	setenv("JOURNAL_STREAM", "rubbish", 1);
	log_open(NULL, LOG_LEVEL_INFO);
	log_warn("d");
	CU_ASSERT_STRING_EQUAL(next_write(), "sluice: warning: d\n");
	unsetenv("JOURNAL_STREAM");
	log_open(NULL, LOG_LEVEL_INFO);
	release_stderr();
}

static void text_of_others_cannot_fake_lines(void)
{
	catch_stderr();
	log_info("name %s", "a\nsluice: error: b\r\t\x1b[2J\x7f");
	CU_ASSERT_STRING_EQUAL(next_write(),
			       "sluice: name a?sluice: error: b???[2J?\n");
	log_info("gr\xc3\xbc\xc3\x9f \xc2\xa0 \xc2\x9b");
	CU_ASSERT_STRING_EQUAL(next_write(),
			       "sluice: gr\xc3\xbc\xc3\x9f \xc2\xa0 ??\n");
	log_info("ends \xc2");
	CU_ASSERT_STRING_EQUAL(next_write(), "sluice: ends \xc2\n");
	release_stderr();
}

static void long_lines_are_cut_and_say_so(void)
{
	static char text[5000];
	size_t n;

	memset(text, 'x', sizeof(text) - 1);
	catch_stderr();
	log_error("%s", text);
	n = strlen(next_write());
	CU_ASSERT(n > 1000 && n < 1100);
	CU_ASSERT(!strcmp(got + n - 5, "x...\n"));
	CU_ASSERT_STRING_EQUAL(next_write(), "");
	release_stderr();
}

static void errno_is_kept(void)
{
	catch_stderr();
	errno = 77;
	log_error("x");
	CU_ASSERT_EQUAL(errno, 77);
	release_stderr();
}

static void files_are_appended_to_with_the_time(void)
{
	char path[] = "/tmp/test_log.XXXXXX", line[2][200];
	int fd = mkstemp(path), n = 0, len = 0;
	FILE *f;

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, "old\n", 4), 4);
	close(fd);
	CU_ASSERT_EQUAL(log_open(path, LOG_LEVEL_INFO), 0);
	log_warn("new");
	log_open(NULL, LOG_LEVEL_INFO);

	f = fopen(path, "r");
	while (n < 2 && fgets(line[n], sizeof(line[n]), f))
		n++;
	fclose(f);
	unlink(path);
	CU_ASSERT_EQUAL_FATAL(n, 2);
	CU_ASSERT_STRING_EQUAL(line[0], "old\n");
	sscanf(line[1], "%*4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3d%*5d warning: new%n",
	       &len);
	CU_ASSERT(len > 0);
}

static void a_file_that_cannot_be_opened_changes_nothing(void)
{
	catch_stderr();
	CU_ASSERT_EQUAL(log_open("/no/such/folder/file", LOG_LEVEL_DEBUG),
			-ENOENT);
	CU_ASSERT_EQUAL(log_level, LOG_LEVEL_INFO);
	log_info("still here");
	CU_ASSERT_STRING_EQUAL(next_write(), "sluice: still here\n");
	release_stderr();
}

static void levels_have_names(void)
{
	CU_ASSERT_EQUAL(log_level_parse("error"), LOG_LEVEL_ERROR);
	CU_ASSERT_EQUAL(log_level_parse("warn"), LOG_LEVEL_WARN);
	CU_ASSERT_EQUAL(log_level_parse("info"), LOG_LEVEL_INFO);
	CU_ASSERT_EQUAL(log_level_parse("debug"), LOG_LEVEL_DEBUG);
	CU_ASSERT_EQUAL(log_level_parse("Debug"), -EINVAL);
	CU_ASSERT_EQUAL(log_level_parse(""), -EINVAL);
}

static int hooked_level;
static char hooked[2000];

static void hook(void *arg, int level, const char *line)
{
	CU_ASSERT_PTR_EQUAL(arg, hooked);
	hooked_level = level;
	snprintf(hooked, sizeof(hooked), "%s", line);
	log_to(NULL, NULL); /* it may call back */
}

static void embedders_get_the_bare_text(void)
{
	catch_stderr();
	log_to(hook, hooked);
	log_warn("one\ntwo");
	CU_ASSERT_EQUAL(hooked_level, LOG_LEVEL_WARN);
	CU_ASSERT_STRING_EQUAL(hooked, "one?two");
	CU_ASSERT_STRING_EQUAL(next_write(), "");
	log_warn("back");
	CU_ASSERT_STRING_EQUAL(next_write(), "sluice: warning: back\n");
	release_stderr();
}

static void flood(int n)
{
	for (int i = 0; i < n; i++)
		log_limited(LOG_LEVEL_WARN, "flood %d", i);
}

static void a_flood_is_one_line_a_second_and_counted(void)
{
	catch_stderr();
	flood(100);
	CU_ASSERT_STRING_EQUAL(next_write(), "sluice: warning: flood 0\n");
	CU_ASSERT_STRING_EQUAL(next_write(), "");
	usleep(1050000);
	flood(1);
	CU_ASSERT_STRING_EQUAL(next_write(),
			       "sluice: warning: flood 0 (99 more like it)\n");
	release_stderr();
}

static void each_place_has_its_own_limit(void)
{
	struct log_limit a = { 0 }, b = { 0 };
	uint32_t held = 7;

	CU_ASSERT(log_allowed(&a, &held));
	CU_ASSERT_EQUAL(held, 0);
	CU_ASSERT(!log_allowed(&a, &held));
	CU_ASSERT(log_allowed(&b, &held));
	a.next_ms = 0; /* the second is over */
	CU_ASSERT(log_allowed(&a, &held));
	CU_ASSERT_EQUAL(held, 1);
	a.next_ms = 0;
	CU_ASSERT(log_allowed(&a, &held));
	CU_ASSERT_EQUAL(held, 0);
}

static struct log_limit shared;

static void *ask(void *arg)
{
	uintptr_t n = 0;
	uint32_t held;

	(void)arg;
	for (int i = 0; i < 10000; i++)
		n += log_allowed(&shared, &held);
	return (void *)n;
}

static void threads_share_a_limit(void)
{
	pthread_t thread[4];
	uintptr_t sum = 0;
	void *n;

	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, ask, NULL);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &n);
		sum += (uintptr_t)n;
	}
	CU_ASSERT(sum >= 1);
	CU_ASSERT(sum <= 3); /* a machine so slow that seconds went by */
}

static const struct unit_test tests[] = {
	UNIT(a_line_is_one_write_with_its_level),
	UNIT(messages_above_the_level_are_not_made),
	UNIT(the_journal_gets_a_number),
	UNIT(text_of_others_cannot_fake_lines),
	UNIT(long_lines_are_cut_and_say_so),
	UNIT(errno_is_kept),
	UNIT(files_are_appended_to_with_the_time),
	UNIT(a_file_that_cannot_be_opened_changes_nothing),
	UNIT(levels_have_names),
	UNIT(embedders_get_the_bare_text),
	UNIT(a_flood_is_one_line_a_second_and_counted),
	UNIT(each_place_has_its_own_limit),
	UNIT(threads_share_a_limit),
};

UNIT_MAIN("log", tests)
