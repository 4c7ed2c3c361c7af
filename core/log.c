/* SPDX-License-Identifier: MIT */
/* log.c - one line a message, to stderr, a file or syslog
 *
 *	stderr, a person reads	sluice: warning: text
 *	stderr, journald reads	<4>text
 *	a file			2024-05-01T12:00:00.123+0200 warning: text
 *	syslog			text
 *
 * A line is made on the stack, cut if it is too long, and cleaned: names and
 * texts of others get into messages, and must neither begin a line of their
 * own nor talk to the terminal.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define HEAD_BYTES     64 /* of it for what comes before the text */
#define LIMIT_MS       1000

enum target { TO_UNKNOWN, TO_STDERR, TO_JOURNAL, TO_FILE, TO_SYSLOG };

int log_level = LOG_LEVEL_INFO;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum target target;
static int file = -1;
static void (*hook)(void *arg, int level, const char *line);
static void *hook_arg;

static const struct {
	int level;
	const char *name, *prefix;
} levels[] = {
	{ LOG_LEVEL_ERROR, "error", "error: " },
	{ LOG_LEVEL_WARN, "warn", "warning: " },
	{ LOG_LEVEL_INFO, "info", "" },
	{ LOG_LEVEL_DEBUG, "debug", "debug: " },
};

static const char *prefix_of(int level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (levels[i].level == level)
			return levels[i].prefix;
	return "";
}

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of the journal's pipe,
 * and inherited by children whose stderr may be another. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == dev &&
	       st.st_ino == ino;
}

int log_open(const char *where, int level)
{
	enum target to;
	int fd = -1;

	if (!where || !*where) {
		to = stderr_is_journal() ? TO_JOURNAL : TO_STDERR;
	} else if (!strcmp(where, "syslog")) {
		openlog("sluice", LOG_PID | LOG_NDELAY, LOG_DAEMON);
		to = TO_SYSLOG;
	} else {
		fd = open(where, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
			  0640);
		if (fd < 0)
			return -errno;
		to = TO_FILE;
	}
	pthread_mutex_lock(&lock);
	if (file >= 0)
		close(file);
	if (target == TO_SYSLOG && to != TO_SYSLOG)
		closelog();
	file = fd;
	target = to;
	log_level = level;
	pthread_mutex_unlock(&lock);
	return 0;
}

void log_to(void (*fn)(void *arg, int level, const char *line), void *arg)
{
	pthread_mutex_lock(&lock);
	hook = fn;
	hook_arg = arg;
	pthread_mutex_unlock(&lock);
}

int log_level_parse(const char *name)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (!strcmp(levels[i].name, name))
			return levels[i].level;
	return -EINVAL;
}

/* Control characters become '?': C0, DEL, and C1 as UTF-8 has them. */
static void clean(char *s)
{
	unsigned char *p = (unsigned char *)s;

	for (; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

/* What comes before the text; its length. */
static size_t make_head(char *buf, size_t size, enum target to, int level)
{
	struct timespec ts;
	char date[24], zone[8];
	struct tm tm;
	int n;

	switch (to) {
	case TO_JOURNAL:
		n = snprintf(buf, size, "<%d>", level);
		break;
	case TO_FILE:
		clock_gettime(CLOCK_REALTIME, &ts);
		localtime_r(&ts.tv_sec, &tm);
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
		strftime(zone, sizeof(zone), "%z", &tm);
		n = snprintf(buf, size, "%s.%03ld%s %s", date,
			     ts.tv_nsec / 1000000, zone, prefix_of(level));
		break;
	default:
		n = snprintf(buf, size, "sluice: %s", prefix_of(level));
	}
	return (size_t)n < size ? (size_t)n : size - 1;
}

static void put_line(int level, char *text, size_t len)
{
	char *line, head[HEAD_BYTES];
	size_t n;
	ssize_t did;

	if (target == TO_UNKNOWN)
		target = stderr_is_journal() ? TO_JOURNAL : TO_STDERR;
	if (target == TO_SYSLOG) {
		syslog(level, "%s", text);
		return;
	}
	/* The head goes before the text, in the room that is left there. */
	n = make_head(head, sizeof(head), target, level);
	line = text - n;
	memcpy(line, head, n);
	text[len] = '\n';
	do
		did = write(target == TO_FILE ? file : STDERR_FILENO, line,
			    n + len + 1);
	while (did < 0 && errno == EINTR);
}

void log_vat(int level, const char *fmt, va_list ap)
{
	char buf[HEAD_BYTES + LINE_MAX_BYTES], *text = buf + HEAD_BYTES;
	void (*fn)(void *arg, int lvl, const char *line);
	int saved = errno;
	void *arg;
	int n;

	if (level > log_level)
		return;
	n = vsnprintf(text, LINE_MAX_BYTES, fmt, ap);
	if (n < 0)
		n = 0;
	if (n >= LINE_MAX_BYTES) {
		n = LINE_MAX_BYTES - 1;
		memcpy(text + n - 3, "...", 3);
	}
	text[n] = '\0';
	clean(text);

	pthread_mutex_lock(&lock);
	fn = hook;
	arg = hook_arg;
	if (!fn)
		put_line(level, text, (size_t)n);
	pthread_mutex_unlock(&lock);
	if (fn) /* not under the lock: it may log, too */
		fn(arg, level, text);
	errno = saved;
}

void log_at(int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vat(level, fmt, ap);
	va_end(ap);
}

/* *held: how many were not allowed since the last that was. */
bool log_allowed(struct log_limit *l, uint32_t *held)
{
	struct timespec ts;
	uint64_t now, next;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	next = __atomic_load_n(&l->next_ms, __ATOMIC_RELAXED);
	if (now < next || !__atomic_compare_exchange_n(
				  &l->next_ms, &next, now + LIMIT_MS, false,
				  __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		__atomic_fetch_add(&l->held, 1, __ATOMIC_RELAXED);
		return false;
	}
	*held = __atomic_exchange_n(&l->held, 0, __ATOMIC_RELAXED);
	return true;
}
