/* SPDX-License-Identifier: MIT */
/* peerset.h - the peers a UDP session may hear (RFC 4787 5)
 *
 * Only sessions that filter have one.
 */
#ifndef CORE_PEERSET_H
#define CORE_PEERSET_H

#include <sluice/plugin.h>

#include "util.h"

#define PEERSET_MAX 1024 /* peers that are surely known */

struct peerset;

/* Remember a (port 0: any port of it); *s NULL makes the set.  0 or
 * -ENOMEM. */
int peerset_add(struct peerset **s, const struct sluice_addr *a);
bool peerset_has(const struct peerset *s, const struct sluice_addr *a);
void peerset_free(struct peerset *s);

#endif
