/* SPDX-License-Identifier: MIT */
/* json.h - text as JSON has it */
#ifndef CORE_JSON_H
#define CORE_JSON_H

#include <stdio.h>

/* With its quotes; NULL is null.  What is no UTF-8 becomes U+FFFD. */
void json_string(FILE *out, const char *s);

#endif
