/* SPDX-License-Identifier: MIT */
/* tundev.h - get hold of a TUN device
 *
 * The ioctls, and sentences for what they answer.  tun.c moves the packets.
 */
#ifndef CORE_TUNDEV_H
#define CORE_TUNDEV_H

#include "tun.h"

/* Fill t->fd, netns, name, vnet, csum, tso and uso by c (name, netns, fd,
 * offload).  0, or -errno and a sentence in text; then nothing is open but
 * what was given. */
int tundev_open(struct tun *t, const struct tun_config *c, char *text,
		size_t text_len);

/* Put t->netns right for the device as it is now. */
void tundev_note_netns(struct tun *t);

#endif
