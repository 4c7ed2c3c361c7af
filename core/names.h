/* SPDX-License-Identifier: MIT */
/* names.h - what an address was last looked up as
 *
 * The dns part says which addresses an app was answered with, and for which
 * name; a new flow asks what its destination was called.  Entries and bytes
 * are bounded, the least recently used goes first.  Pure: time is given.
 */
#ifndef CORE_NAMES_H
#define CORE_NAMES_H

#include <stdint.h>

#include <sluice/plugin.h>

#define NAMES_MAX     4096u        /* addresses */
#define NAMES_BYTES   (512u << 10) /* of the names they have */
#define NAMES_TTL_MIN 60u          /* seconds; apps keep addresses longer */
#define NAMES_TTL_MAX 3600u        /* than they should, but not for ever */

struct names;

struct names *names_new(void); /* NULL: no memory or randomness */
/* What names_get() gave stays until it is put. */
void names_free(struct names *t);

/* At now (ms) an app was told that name has this address for ttl seconds.
 * Without memory it is not remembered. */
void names_add(struct names *t, const struct sluice_addr *a, const char *name,
	       uint32_t ttl, uint64_t now);
/* The name of this address, the caller's until names_put(); NULL if there is
 * none, or no table. */
const char *names_get(struct names *t, const struct sluice_addr *a,
		      uint64_t now);
void names_put(const char *name); /* NULL is fine */

/* Forget what is too old, and give back memory nobody uses. */
void names_trim(struct names *t, uint64_t now);

uint32_t names_count(const struct names *t);
uint32_t names_bytes(const struct names *t);

#endif
