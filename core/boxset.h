/* SPDX-License-Identifier: MIT */
/* boxset.h - network and files of a box, made from inside of it */
#ifndef CORE_BOXSET_H
#define CORE_BOXSET_H

#include <stddef.h>

struct settings;

/* lo, the TUN and its routes: all traffic goes there.  The descriptor, or
 * -errno and a sentence in text. */
int boxset_network(const struct settings *set, char *text, size_t text_len);

/* resolv.conf with the gateway's addresses, ways to resolvers outside shut,
 * a /proc of the box's own.  What could not be done, and matters, is in note
 * ("" if all is well). */
void boxset_files(const struct settings *set, char *note, size_t note_len);

#endif
