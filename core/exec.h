/* SPDX-License-Identifier: MIT */
/* exec.h - "sluice exec": one command, all its traffic through a gateway */
#ifndef CORE_EXEC_H
#define CORE_EXEC_H

#include "command.h"

/* Run argv (NULL-terminated) captured; the exit status: the command's, 128+n
 * if signal n ended it, 125 if it could not be captured, 126 and 127 as
 * env(1), 78 for the configuration. */
int exec_command(const struct command_args *a, char **argv);

#endif
