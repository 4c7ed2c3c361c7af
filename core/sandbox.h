/* SPDX-License-Identifier: MIT */
/* sandbox.h - rights and limits of this process
 *
 * The only file that changes them, but for what exec.h does in namespaces of
 * its own.
 */
#ifndef CORE_SANDBOX_H
#define CORE_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

#define SANDBOX_CAP(cap) (1ull << (cap))

/* From root to user, for good: what is kept are the capabilities that our
 * own sockets need (SO_MARK, ping).  Not root: nothing to do.  0, or -errno
 * and a sentence for the user in text. */
int sandbox_user(const char *user, char *text, size_t text_len);

/* Nothing this process or its children execute can have a capability that is
 * not in keep.  0 or -errno. */
int sandbox_bound(uint64_t keep);
/* This process has just those of keep.  0 or -errno. */
int sandbox_caps(uint64_t keep);

/* As many descriptors as we may have: each flow needs one or two. */
void sandbox_raise_files(void);

#endif
