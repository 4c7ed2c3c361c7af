/* SPDX-License-Identifier: MIT */
/* host.h - what a plugin instance may ask of the core
 *
 * The functions behind struct sluice_core_api, and the timers, watches, dials
 * and posts that an instance has out.  In the life of an instance:
 *
 *	host_init()	before create()
 *	host_cancel()	after stop(), before destroy(): what was posted runs,
 *			dials end with -ECANCELED, and no new ones are taken
 *	host_sweep()	after destroy(): timers and watches are forgotten
 */
#ifndef CORE_HOST_H
#define CORE_HOST_H

#include "chain.h"

struct host; /* of an instance, private to host.c */

extern const struct sluice_core_api host_api;

/* Sets in->ctx, in->host and the lists.  0 or -ENOMEM. */
int host_init(struct instance *in);
void host_cancel(struct instance *in);
void host_sweep(struct instance *in);

#endif
