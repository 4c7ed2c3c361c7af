/* SPDX-License-Identifier: MIT */
/* optvalue.c - one value of an option: text to field and back
 *
 * What optvalue_text() writes, optvalue_parse() reads as the same value.
 */
#include "optvalue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "conf.h"
#include "util.h"

struct unit {
	const char *name;
	int64_t factor;
};

/* Largest first: optvalue_text() takes the first that divides. */
static const struct unit sizes[] = {
	{ "G", 1 << 30 }, { "M", 1 << 20 }, { "k", 1 << 10 },
	{ "K", 1 << 10 }, { "", 1 },        { NULL, 0 },
};

static const struct unit times[] = {
	{ "h", 3600000 }, { "m", 60000 }, { "s", 1000 },
	{ "ms", 1 },      { NULL, 0 },
};

static const struct {
	const char *name;
	size_t size, align;
} types[] = {
	[SLUICE_OPT_STR] = { "text", sizeof(char *), _Alignof(char *) },
	[SLUICE_OPT_BOOL] = { "yes/no", 8, _Alignof(int64_t) },
	[SLUICE_OPT_INT] = { "number", 8, _Alignof(int64_t) },
	[SLUICE_OPT_SIZE] = { "size", 8, _Alignof(int64_t) },
	[SLUICE_OPT_MS] = { "time", 8, _Alignof(int64_t) },
	[SLUICE_OPT_ADDR] = { "address", sizeof(struct sluice_addr),
			      _Alignof(struct sluice_addr) },
	[SLUICE_OPT_LIST] = { "list", sizeof(char **), _Alignof(char **) },
	[SLUICE_OPT_ENUM] = { "choice", 8, _Alignof(int64_t) },
};

size_t optvalue_size(uint32_t type)
{
	return type < ARRAY_SIZE(types) ? types[type].size : 0;
}

size_t optvalue_align(uint32_t type)
{
	return type < ARRAY_SIZE(types) ? types[type].align : 1;
}

const char *optvalue_type(uint32_t type)
{
	return optvalue_size(type) ? types[type].name : "unknown";
}

static int because(char *why, size_t len, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int because(char *why, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* ---------------------------------------------------------------- words */

/* Where the i-th word of an ENUM begins, and how long it is; NULL: no more. */
static const char *word_at(const struct sluice_option *o, int64_t i,
			   size_t *len)
{
	const char *s = o->help;

	while (s) {
		*len = strcspn(s, "|:");
		if (!i--)
			return *len ? s : NULL;
		s = s[*len] == '|' ? s + *len + 1 : NULL;
	}
	return NULL;
}

char *optvalue_word(const struct sluice_option *o, int64_t i, char *buf,
		    size_t len)
{
	size_t n;
	const char *word = i < 0 ? NULL : word_at(o, i, &n);

	if (!word)
		return NULL;
	snprintf(buf, len, "%.*s", (int)n, word);
	return buf;
}

char *optvalue_words(const struct sluice_option *o, char *buf, size_t len)
{
	const char *word;
	size_t n, at = 0;

	buf[0] = '\0';
	for (int64_t i = 0; (word = word_at(o, i, &n)) && at < len; i++)
		at += (size_t)snprintf(buf + at, len - at, "%s%.*s",
				       i ? ", " : "", (int)n, word);
	return buf;
}

const char *optvalue_help(const struct sluice_option *o)
{
	const char *help = o->help ? o->help : "";
	const char *colon = strchr(help, ':');

	if (o->type != SLUICE_OPT_ENUM)
		return help;
	return colon ? colon + 1 + strspn(colon + 1, " ") : "";
}

static int parse_word(const struct sluice_option *o, const char *text,
		      int64_t *out, char *why, size_t why_len)
{
	char all[OPTVALUE_TEXT];
	const char *word;
	size_t len;

	for (int64_t i = 0; (word = word_at(o, i, &len)); i++) {
		if (strlen(text) == len && !memcmp(word, text, len)) {
			*out = i;
			return 0;
		}
	}
	return because(why, why_len, "'%s' is none of: %s", text,
		       optvalue_words(o, all, sizeof(all)));
}

static int parse_bool(const char *text, int64_t *out, char *why, size_t why_len)
{
	static const char *const words[] = { "no",    "yes",  "off", "on",
					     "false", "true", "0",   "1" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(text, words[i])) {
			*out = i & 1;
			return 0;
		}
	}
	return because(why, why_len, "'%s' is neither yes nor no", text);
}

/* -------------------------------------------------------------- numbers */

static int check_range(const struct sluice_option *o, const char *text,
		       int64_t v, char *why, size_t why_len)
{
	char limit[OPTVALUE_TEXT];

	if (!o->min && !o->max)
		return 0;
	if (v < o->min)
		return because(why, why_len, "%s is below %s", text,
			       optvalue_text(o, &o->min, limit, sizeof(limit)));
	if (v > o->max)
		return because(why, why_len, "%s is above %s", text,
			       optvalue_text(o, &o->max, limit, sizeof(limit)));
	return 0;
}

/* Digits at the start of text, or 0x and hex digits.  0, -EINVAL: none there,
 * -ERANGE; rest is what follows. */
static int parse_digits(const char *text, int64_t *out, const char **rest)
{
	const char *digits = text + (*text == '-');
	bool hex = digits[0] == '0' && (digits[1] | 0x20) == 'x';
	char *end;

	digits += hex ? 2 : 0;
	if (!strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789"))
		return -EINVAL;
	errno = 0;
	*out = strtoll(text, &end, hex ? 16 : 10);
	*rest = end;
	return errno ? -ERANGE : 0;
}

static int parse_int(const char *text, int64_t *out, char *why, size_t why_len)
{
	const char *rest;
	int err = parse_digits(text, out, &rest);

	if (err == -EINVAL || *rest)
		return because(why, why_len, "'%s' is no number", text);
	if (err)
		return because(why, why_len, "%s is out of range", text);
	return 0;
}

/* "what" and its units, as in 'a time needs a unit: ms, s, m or h'. */
static int parse_units(const struct unit *units, const char *what,
		       const char *text, int64_t *out, char *why,
		       size_t why_len)
{
	const char *rest;
	int64_t n;
	int err = parse_digits(text, &n, &rest);

	if (err == -EINVAL || *text == '-')
		return because(why, why_len, "'%s' is no %s", text, what);
	if (!err && !n && !*rest)
		units = sizes; /* 0 needs no unit */
	while (units->name && strcmp(units->name, rest))
		units++;
	if (!units->name)
		return because(why, why_len, "'%s' is no %s", text, what);
	if (err || __builtin_mul_overflow(n, units->factor, out))
		return because(why, why_len, "%s is out of range", text);
	return 0;
}

static char *units_text(const struct unit *u, int64_t v, char *buf, size_t len)
{
	while (v % u->factor)
		u++;
	if (!v)
		snprintf(buf, len, "0");
	else
		snprintf(buf, len, "%" PRId64 "%s", v / u->factor, u->name);
	return buf;
}

/* ------------------------------------------------------------ addresses */

static int parse_addr(const char *text, struct sluice_addr *out, char *why,
		      size_t why_len)
{
	memset(out, 0, sizeof(*out));
	if (!*text || !addr_parse(text, 0, out))
		return 0;
	return because(why, why_len,
		       "'%s' is no address like 192.0.2.1:53, 2001:db8::1 or "
		       "[2001:db8::1]:53",
		       text);
}

static char *addr_field_text(const struct sluice_addr *a, char *buf, size_t len)
{
	char text[ADDR_TEXT];

	if (!a->family)
		buf[0] = '\0';
	else
		snprintf(buf, len, "%s",
			 a->port ? addr_text(a, text) : addr_ip_text(a, text));
	return buf;
}

/* ------------------------------------------------------------------ all */

int optvalue_parse(const struct sluice_option *o, const char *text, void *field,
		   char *why, size_t why_len)
{
	int64_t v = 0;
	int err;

	switch (o->type) {
	case SLUICE_OPT_BOOL:
		err = parse_bool(text, &v, why, why_len);
		break;
	case SLUICE_OPT_ENUM:
		err = parse_word(o, text, &v, why, why_len);
		break;
	case SLUICE_OPT_INT:
		err = parse_int(text, &v, why, why_len);
		break;
	case SLUICE_OPT_SIZE:
		err = parse_units(sizes, "size like 64k, 8M or 1G", text, &v,
				  why, why_len);
		break;
	case SLUICE_OPT_MS:
		err = parse_units(times, "time like 250ms, 30s, 5m or 2h", text,
				  &v, why, why_len);
		break;
	case SLUICE_OPT_ADDR:
		return parse_addr(text, field, why, why_len);
	default:
		return because(why, why_len, "is of no type known here");
	}
	if (!err && o->type != SLUICE_OPT_BOOL && o->type != SLUICE_OPT_ENUM)
		err = check_range(o, text, v, why, why_len);
	if (!err)
		memcpy(field, &v, sizeof(v));
	return err;
}

char *optvalue_text(const struct sluice_option *o, const void *field, char *buf,
		    size_t len)
{
	int64_t v;

	if (o->type == SLUICE_OPT_ADDR)
		return addr_field_text(field, buf, len);
	memcpy(&v, field, sizeof(v));
	switch (o->type) {
	case SLUICE_OPT_BOOL:
		snprintf(buf, len, "%s", v ? "yes" : "no");
		break;
	case SLUICE_OPT_ENUM:
		if (!optvalue_word(o, v, buf, len))
			snprintf(buf, len, "%" PRId64, v);
		break;
	case SLUICE_OPT_SIZE:
		return units_text(sizes, v, buf, len);
	case SLUICE_OPT_MS:
		return units_text(times, v, buf, len);
	default:
		snprintf(buf, len, "%" PRId64, v);
	}
	return buf;
}
