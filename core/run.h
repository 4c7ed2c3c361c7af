/* SPDX-License-Identifier: MIT */
/* run.h - a gateway in the foreground */
#ifndef CORE_RUN_H
#define CORE_RUN_H

#include "command.h"
#include "gateway.h"

/* "sluice run": until SIGTERM or SIGINT.  The exit status. */
int run_command(const struct command_args *a);

/* Where messages go from now on, as [gateway] says.  0 or the exit status. */
int run_log(const struct gateway *gw);

#endif
