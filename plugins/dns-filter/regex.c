/* SPDX-License-Identifier: MIT */
/* regex.c - rules that are regular expressions, by PCRE2
 *
 * An expression is whatever somebody put into a list: it is interpreted, for
 * compiling it to machine code would need memory that is writable and
 * executable, and each match may take a bounded number of steps and bytes.
 */
#include "regex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

#ifdef HAVE_PCRE2

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define STEPS      2000u /* pcre2_set_match_limit(): names are short */
#define HEAP_KIB   64u
#define CODE_BYTES 16384u /* of one expression, compiled */

struct regexes {
	pcre2_match_context *context;
	pcre2_match_data *data;
	uint32_t n;
	pcre2_code *code[]; /* by pattern; NULL: no regex, or unusable */
};

static pcre2_code *compile(const char *text, size_t len)
{
	PCRE2_SIZE at, size = 0;
	pcre2_code *c;
	int err;

	c = pcre2_compile((PCRE2_SPTR)text, len,
			  PCRE2_CASELESS | PCRE2_NEVER_BACKSLASH_C |
				  PCRE2_NEVER_UTF | PCRE2_NO_AUTO_CAPTURE,
			  &err, &at, NULL);
	if (c && (pcre2_pattern_info(c, PCRE2_INFO_SIZE, &size) ||
		  size > CODE_BYTES)) {
		pcre2_code_free(c);
		return NULL;
	}
	return c;
}

bool regex_check(const char *text, size_t len, bool *off)
{
	pcre2_code *c = compile(text, len);

	*off = false;
	pcre2_code_free(c);
	return c != NULL;
}

int regexes_compile(struct image *im)
{
	uint32_t n = im->head->patterns;
	struct regexes *r;

	if (!n)
		return 0;
	r = calloc(1, sizeof(*r) + n * sizeof(pcre2_code *));
	if (!r)
		return -ENOMEM;
	im->regexes = r;
	r->n = n;
	r->context = pcre2_match_context_create(NULL);
	r->data = pcre2_match_data_create(1, NULL);
	if (!r->context || !r->data)
		return -ENOMEM;
	pcre2_set_match_limit(r->context, STEPS);
	pcre2_set_heap_limit(r->context, HEAP_KIB);
	for (uint32_t i = 0; i < n; i++)
		if (im->patterns[i].kind == RULE_REGEX)
			r->code[i] = compile(im->blob + im->patterns[i].off,
					     im->patterns[i].len);
	return 0;
}

void regexes_free(struct regexes *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; i < r->n; i++)
		pcre2_code_free(r->code[i]);
	pcre2_match_context_free(r->context);
	pcre2_match_data_free(r->data);
	free(r);
}

bool regexes_match(const struct regexes *r, uint32_t i, const char *name)
{
	return r->code[i] &&
	       pcre2_match(r->code[i], (PCRE2_SPTR)name, strlen(name), 0, 0,
			   r->data, r->context) >= 0;
}

#else

bool regex_check(const char *text, size_t len, bool *off)
{
	(void)text;
	(void)len;
	*off = true;
	return false;
}

int regexes_compile(struct image *im)
{
	(void)im;
	return 0;
}

void regexes_free(struct regexes *r)
{
	(void)r;
}

bool regexes_match(const struct regexes *r, uint32_t i, const char *name)
{
	(void)r;
	(void)i;
	(void)name;
	return false;
}

#endif
