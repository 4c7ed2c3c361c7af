/* SPDX-License-Identifier: MIT */
/* log.h - one line a message, to stderr, a file or syslog
 *
 * Knows nobody.  Levels are syslog's.  Any thread may log; a line is one
 * write(2), so that lines of several processes do not mix.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#define LOG_LEVEL_ERROR 3
#define LOG_LEVEL_WARN  4
#define LOG_LEVEL_INFO  6
#define LOG_LEVEL_DEBUG 7

extern int log_level; /* messages above it are not made */

/* target: NULL or "" is stderr, "syslog", or a path (appended to).  0 or
 * -errno, and then the old target stays. */
int log_open(const char *target, int level);
/* For embedders: every line goes to fn instead; NULL undoes it. */
void log_to(void (*fn)(void *arg, int level, const char *line), void *arg);
/* "error", "warn", "info", "debug" to a level, or -EINVAL. */
int log_level_parse(const char *name);

void log_at(int level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void log_vat(int level, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)                                                        \
	(log_level >= LOG_LEVEL_INFO ? log_at(LOG_LEVEL_INFO, __VA_ARGS__) : \
				       (void)0)
#define log_debug(...)                                                         \
	(log_level >= LOG_LEVEL_DEBUG ? log_at(LOG_LEVEL_DEBUG, __VA_ARGS__) : \
					(void)0)

/* For what input can cause: at most one line a second from each place, the
 * next one says how many were left out. */
struct log_limit {
	uint64_t next_ms;
	uint32_t held;
};

bool log_allowed(struct log_limit *l, uint32_t *held);

#define log_limited(level, fmt, ...)                                        \
	do {                                                                \
		static struct log_limit limit_;                             \
		uint32_t held_;                                             \
		if (log_level >= (level) && log_allowed(&limit_, &held_)) { \
			if (held_)                                          \
				log_at((level), fmt " (%u more like it)",   \
				       ##__VA_ARGS__, held_);               \
			else                                                \
				log_at((level), fmt, ##__VA_ARGS__);        \
		}                                                           \
	} while (0)

#endif
