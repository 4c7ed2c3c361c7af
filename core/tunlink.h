/* SPDX-License-Identifier: MIT */
/* tunlink.h - what others do to the device while we use it
 *
 * Its MTU and name change, it goes to another network namespace: t->changed()
 * is told, from the loop, after name, link_mtu and netns of t were put right.
 */
#ifndef CORE_TUNLINK_H
#define CORE_TUNLINK_H

#include "tun.h"

/* A device that cannot be watched is not; reading it works all the same. */
void tunlink_start(struct tun *t);
void tunlink_stop(struct tun *t);

#endif
