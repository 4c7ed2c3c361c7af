/* SPDX-License-Identifier: MIT */
/* explain.h - "sluice explain": what would become of a DNS question */
#ifndef CORE_EXPLAIN_H
#define CORE_EXPLAIN_H

#include "command.h"

/* NAME [TYPE [SOURCE]], NULL at the end.  The exit status. */
int explain_command(const struct command_args *a, char **operands);

#endif
