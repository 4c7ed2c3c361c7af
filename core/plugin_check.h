/* SPDX-License-Identifier: MIT */
/* plugin_check.h - a plugin's tables, checked and copied
 *
 * Pure: what was compiled elsewhere is read, nothing of it is run.
 */
#ifndef CORE_PLUGIN_CHECK_H
#define CORE_PLUGIN_CHECK_H

#include "registry.h"

/* Fill p from the tables of a plugin.  0, or -EINVAL with the reason in
 * text. */
int plugin_check(struct plugin *p, const struct sluice_plugin *theirs,
		 char *text, size_t text_len);

#endif
