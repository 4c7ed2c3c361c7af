/* SPDX-License-Identifier: MIT */
/* regex.h - rules that are regular expressions */
#ifndef DNS_FILTER_REGEX_H
#define DNS_FILTER_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;
struct regexes;

/* Would it compile?  False too where this build has none (*off). */
bool regex_check(const char *text, size_t len, bool *off);
/* Those of an image, into im->regexes.  0 or -ENOMEM. */
int regexes_compile(struct image *im);
void regexes_free(struct regexes *r);
/* Does the i-th pattern of the image match somewhere in the name?  One that
 * takes too long does not. */
bool regexes_match(const struct regexes *r, uint32_t i, const char *name);

#endif
