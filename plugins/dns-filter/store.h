/* SPDX-License-Identifier: MIT */
/* store.h - where compiled lists are kept */
#ifndef DNS_FILTER_STORE_H
#define DNS_FILTER_STORE_H

#include "lists.h"

/* The image of l: the one kept in dir if it is of these very lists, else
 * compiled now, and kept there if that is possible.  0 or -errno with a
 * sentence in l->error.  *kept says which it was. */
int store_image(struct lists *l, const char *dir, struct image *im,
		const atomic_bool *stop, bool *kept);

#endif
