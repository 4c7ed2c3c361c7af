/* SPDX-License-Identifier: MIT */
/* checks.c - lwIP's own checks of lwipopts.h
 *
 * init.c refuses options that contradict each other, at compile time.  Its
 * one function is not called: nobody links this.
 */
#include <init.c>
