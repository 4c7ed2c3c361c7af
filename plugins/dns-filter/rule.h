/* SPDX-License-Identifier: MIT */
/* rule.h - one line of a list, whatever its format, as rules
 *
 * dns-filter(5) has the forms and what each means.  A line gives any number
 * of rules (a hosts file names several hosts in one), or is refused with the
 * reason why.  Nothing is kept: a rule lives until the next line.
 */
#ifndef DNS_FILTER_RULE_H
#define DNS_FILTER_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "name.h"

#define RULE_LINE  4096 /* a longer line is refused */
#define RULE_TYPES 16
#define RULE_DENY  64
#define RULE_DATA  512

/* What a rule does; LIST: as its list is told. */
enum answer {
	ANSWER_LIST,
	ANSWER_NXDOMAIN,
	ANSWER_NODATA,
	ANSWER_ZERO,
	ANSWER_REFUSED,
	ANSWER_DROP,
	ANSWER_TRUNCATE,
	ANSWER_DATA,    /* the rule has records of its own */
	ANSWER_ADDRESS, /* of lists only */
};

enum rule_kind { RULE_NAME, RULE_GLOB, RULE_REGEX, RULE_ADDR };

#define RULE_SELF      0x01u /* the name */
#define RULE_BELOW     0x02u /* what is below it */
#define RULE_ALLOW     0x04u
#define RULE_IMPORTANT 0x08u

struct rule {
	uint8_t kind;   /* enum rule_kind */
	uint8_t answer; /* enum answer */
	uint16_t flags;
	const char *text; /* name, pattern or expression */
	size_t len;
	uint8_t ip[16], family, prefix; /* of RULE_ADDR */
	uint16_t types[RULE_TYPES];     /* $dnstype */
	bool types_not;                 /* all but these */
	uint8_t n_types;
	uint64_t deny[RULE_DENY]; /* $denyallow: hashes of names */
	uint8_t n_deny;
	uint16_t data_type; /* of ANSWER_DATA */
	const uint8_t *data;
	size_t data_len;
};

/* Why a line is no rule.  Those before RULE_BAD are well, and say nothing. */
enum rule_why {
	RULE_FINE,
	RULE_EMPTY, /* a remark, or a header that all lists of its kind have */
	RULE_BAD,
	RULE_LONG,
	RULE_BINARY,
	RULE_NO_NAME,
	RULE_UTF8,
	RULE_TLD,
	RULE_COSMETIC,
	RULE_URL,
	RULE_MODIFIER,
	RULE_TYPE,
	RULE_REGEX_OFF,
	RULE_REGEX_BAD,
	RULE_RECORD,
	RULE_TRIGGER,
	RULE_MANY,
	RULE_WHYS
};
const char *rule_why_text(enum rule_why why);

/* What is known while a list is read: a zone file says things once. */
struct rule_reader {
	bool tld;         /* rules for single labels are meant */
	bool plain_below; /* a bare name stands for what is below it, too */
	bool allow;       /* all rules of it allow */
	bool records;     /* local records (records.c), no rules */
	int (*add)(void *arg, const struct rule *r); /* enum rule_why */
	void *arg;

	bool zone;              /* a response policy zone */
	unsigned int depth;     /* of its parentheses */
	char origin[NAME_HOST]; /* of it; empty: not known */
	char owner[RULE_LINE];  /* of the last record */
	struct rule rule;
	char name[NAME_HOST];
	uint8_t data[RULE_DATA];
};

/* A line without its end; it is changed.  enum rule_why: of the last thing in
 * it that is wrong. */
enum rule_why rule_read(struct rule_reader *r, char *line, size_t len);

/* For the files that share it: zone.c, records.c, and the rule of a name. */
enum rule_why rule_zone(struct rule_reader *r, char *line, bool indented);
enum rule_why rule_records(struct rule_reader *r, char *line, bool indented);
/* An address record has its way back: a PTR record to `host`. */
enum rule_why rule_reverse(struct rule_reader *r, const char *host,
			   const uint8_t *ip, int family);
enum rule_why rule_add_name(struct rule_reader *r, const char *name, size_t len,
			    uint16_t flags);
/* The next word at *p, ended by a NUL, or NULL; *p is after it. */
char *rule_word(char **p);

/* An address or prefix.  False: it is none. */
bool rule_prefix(const char *text, uint8_t ip[16], uint8_t *family,
		 uint8_t *prefix);
/* The number of a record type by name ("AAAA", "TYPE65") or number; -1. */
int rule_type(const char *text, size_t len);

#endif
