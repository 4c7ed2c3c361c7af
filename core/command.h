/* SPDX-License-Identifier: MIT */
/* command.h - the commands that look and do nothing: check, plugins */
#ifndef CORE_COMMAND_H
#define CORE_COMMAND_H

#include <stdbool.h>

struct conf;

#define COMMAND_CONFIG_FILE SYSCONFDIR "/sluice/sluice.ini"

struct command_args {
	const char *file;       /* NULL: COMMAND_CONFIG_FILE if it is there */
	const char **overrides; /* of -o */
	int n_overrides;
	bool json;
	const char *what; /* the argument, or NULL */
};

/* The file and the overrides into c, which is made ready here; mistakes are
 * printed to stderr.  0, or -errno if something could not be read; what is in
 * it may still be wrong (c->errors).  conf_fini() in either case. */
int command_configuration(struct conf *c, const struct command_args *args);

/* The exit status if what was printed has arrived; else it was of no use. */
int command_printed(int status);

/* Both give the exit status. */
int command_check(const struct command_args *args);
int command_plugins(const struct command_args *args);

#endif
