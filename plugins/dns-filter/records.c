/* SPDX-License-Identifier: MIT */
/* records.c - local records
 *
 *	10.0.0.5 nas.lan nas		as in a hosts file
 *	nas.lan A 10.0.0.5		as in a zone file, on one line
 *	nas.lan=10.0.0.5		in the configuration
 *	www.lan=nas.lan			a CNAME
 *
 * They are rules that answer with data, and come before all others.  Each
 * address has its way back: a PTR record to the first name given for it.
 */
#include <stdio.h>
#include <string.h>

#include "rule.h"

enum rule_why rule_reverse(struct rule_reader *r, const char *host,
			   const uint8_t *ip, int family)
{
	char name[NAME_HOST], target[NAME_HOST];
	uint8_t copy[16];
	int at = 0;

	memcpy(copy, ip, family == 4 ? 4 : 16);
	if (!name_host(target, host, strlen(host)))
		return RULE_NO_NAME;
	if (family == 4) {
		snprintf(name, sizeof(name), "%u.%u.%u.%u.in-addr.arpa",
			 copy[3], copy[2], copy[1], copy[0]);
	} else {
		for (int i = 15; i >= 0; i--)
			at += snprintf(name + at, sizeof(name) - (size_t)at,
				       "%x.%x.", copy[i] & 15, copy[i] >> 4);
		snprintf(name + at, sizeof(name) - (size_t)at, "ip6.arpa");
	}
	r->rule.data_type = 12;
	r->rule.data = r->data;
	r->rule.data_len = name_wire(r->data, target);
	r->rule.answer = ANSWER_DATA;
	return rule_add_name(r, name, strlen(name), RULE_SELF);
}

static enum rule_why add_address(struct rule_reader *r, const char *name,
				 const uint8_t *ip, int family)
{
	r->rule.data_type = family == 4 ? 1 : 28;
	r->rule.data_len = family == 4 ? 4 : 16;
	r->rule.data = ip;
	r->rule.answer = ANSWER_DATA;
	return rule_add_name(r, name, strlen(name), RULE_SELF);
}

static enum rule_why read_hosts(struct rule_reader *r, const uint8_t *ip,
				int family, char *names)
{
	enum rule_why why = RULE_NO_NAME;
	bool first = true;
	char *word;

	while ((word = rule_word(&names))) {
		if (*word == '#')
			break;
		why = add_address(r, word, ip, family);
		if (why == RULE_FINE && first)
			why = rule_reverse(r, word, ip, family);
		if (why != RULE_FINE)
			return why;
		first = false;
	}
	return why;
}

/* name=value: the other two forms, the other way round. */
static enum rule_why read_pair(struct rule_reader *r, char *name, char *value)
{
	uint8_t ip[16], family, prefix;
	char line[2 * NAME_HOST + 16];

	*value++ = '\0';
	if (rule_prefix(value, ip, &family, &prefix) && !strchr(value, '/'))
		return read_hosts(r, ip, family, name);
	if (strlen(name) >= NAME_HOST || strlen(value) >= NAME_HOST)
		return RULE_NO_NAME;
	snprintf(line, sizeof(line), "%s CNAME %s", name, value);
	return rule_zone(r, line, false);
}

enum rule_why rule_records(struct rule_reader *r, char *p, bool indented)
{
	uint8_t ip[16], family, prefix;
	char *rest, *word, first[NAME_HOST];
	size_t n = strcspn(p, " \t");

	if (!*p || *p == '#' || *p == ';')
		return RULE_EMPTY;
	if (!p[n] && strchr(p, '='))
		return read_pair(r, p, strchr(p, '='));
	if (n < sizeof(first) && !indented) {
		memcpy(first, p, n);
		first[n] = '\0';
		if (rule_prefix(first, ip, &family, &prefix) &&
		    !strchr(first, '/')) {
			rest = p;
			word = rule_word(&rest);
			return word ? read_hosts(r, ip, family, rest) :
				      RULE_BAD;
		}
	}
	return rule_zone(r, p, indented);
}
