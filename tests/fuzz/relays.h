/* SPDX-License-Identifier: MIT */
/* relays.h - a whole gateway between apps and servers that keep no rule
 *
 * apps.h on one side, fakenet.h on the other, tcp-forward, udp-forward and
 * protect-mark between them, and a clock of our own: nothing here needs a
 * kernel, so that it is as fast as the gateway is.  What comes down must be
 * what the server sent, and an end only where it ended.
 */
#ifndef RELAYS_H
#define RELAYS_H

#include "apps.h"
#include "fakenet.h"

extern uint64_t relays_now; /* ms */

void relays_start(struct gateway *gw);
/* Everything is over; nothing may be left. */
void relays_end(struct gateway *gw);
/* The server that app speaks to now, or NULL. */
struct fakenet *relays_server(int which);

#endif
