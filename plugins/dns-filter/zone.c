/* SPDX-License-Identifier: MIT */
/* zone.c - response policy zones (RPZ)
 *
 *	owner [ttl] [IN] type data
 *
 * An owner without a final dot, or below the zone's origin, is what the rule
 * is about.  Of the triggers, names and rpz-ip are followed; the actions are
 * CNAMEs (. is nxdomain, *. is nodata, rpz-passthru. allows, rpz-drop. drops,
 * rpz-tcp-only. truncates), other records are what is answered.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rule.h"

/* Blank out a remark, outside of quotes. */
static void strip_remark(char *p)
{
	bool quoted = false;

	for (; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (*p == ';' && !quoted) {
			*p = '\0';
			return;
		}
	}
}

/* Parentheses continue a record; only an SOA needs them here. */
static bool inside_parentheses(struct rule_reader *r, const char *p)
{
	bool before = r->depth;

	for (; *p; p++) {
		if (*p == '(')
			r->depth++;
		else if (*p == ')' && r->depth)
			r->depth--;
	}
	return before;
}

/* The owner without the origin, in place.  False: it is the origin itself. */
static bool relative(struct rule_reader *r, char *owner)
{
	size_t len = strlen(owner), origin = strlen(r->origin);

	if (!strcmp(owner, "@"))
		return false;
	if (!len || owner[len - 1] != '.')
		return true;
	owner[--len] = '\0';
	if (!origin || len < origin ||
	    strcasecmp(owner + len - origin, r->origin))
		return true;
	if (len == origin)
		return false;
	if (owner[len - origin - 1] == '.')
		owner[len - origin - 1] = '\0';
	return true;
}

/* 24.0.2.0.192.rpz-ip, or 32.1.zz.db8.2001.rpz-ip: the prefix length, and the
 * address backwards. */
static bool read_ip(struct rule *rule, char *owner)
{
	char text[64] = "", *dot, *end;
	unsigned long bits = strtoul(owner, &end, 10);
	size_t at = sizeof(text) - 1;
	char full[80], *head;
	bool four = true;
	int parts = 0;

	if (end == owner || *end != '.' || bits > 128)
		return false;
	head = end + 1;
	for (dot = head; *dot; dot++)
		four = four && strchr("0123456789.", *dot);
	for (dot = head; *dot; dot++)
		parts += *dot == '.';
	four = four && parts == 3;
	/* Part by part from the end of text to its start. */
	for (char *p = head; p; p = dot ? dot + 1 : NULL) {
		const char *part = p;
		size_t n;

		dot = strchr(p, '.');
		n = dot ? (size_t)(dot - p) : strlen(p);
		if (n == 2 && !strncmp(p, "zz", 2)) {
			part = "";
			n = 0;
			/* At an end of the address, "::" needs its other
			 * colon. */
			if (!dot || p == head) {
				part = ":";
				n = 1;
			}
		}
		if (at < n + 1)
			return false;
		if (p != head)
			text[--at] = four ? '.' : ':';
		at -= n;
		memcpy(text + at, part, n);
	}
	snprintf(full, sizeof(full), "%s/%lu", text + at, bits);
	rule->kind = RULE_ADDR;
	return rule_prefix(full, rule->ip, &rule->family, &rule->prefix) &&
	       bits;
}

static const char *const triggers[] = { ".rpz-client-ip", ".rpz-nsip",
					".rpz-nsdname", NULL };

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), e = strlen(end);

	return n > e && !strcasecmp(s + n - e, end);
}

/* What the owner is about, with the action that is in the rule. */
static enum rule_why add(struct rule_reader *r, char *owner, uint16_t flags)
{
	size_t len = strlen(owner);

	for (const char *const *t = triggers; *t; t++)
		if (ends_in(owner, *t))
			return RULE_TRIGGER;
	if (ends_in(owner, ".rpz-ip")) {
		owner[len - strlen(".rpz-ip")] = '\0';
		if (!read_ip(&r->rule, owner))
			return RULE_NO_NAME;
		r->rule.flags = flags | (r->allow ? RULE_ALLOW : 0);
		return (enum rule_why)r->add(r->arg, &r->rule);
	}
	if (len > 2 && owner[0] == '*' && owner[1] == '.')
		return rule_add_name(r, owner + 2, len - 2, flags | RULE_BELOW);
	return rule_add_name(r, owner, len, flags | RULE_SELF);
}

static enum rule_why add_cname(struct rule_reader *r, char *owner, char *target)
{
	static const struct {
		const char *target;
		enum answer answer;
	} actions[] = {
		{ ".", ANSWER_NXDOMAIN },
		{ "*.", ANSWER_NODATA },
		{ "rpz-drop.", ANSWER_DROP },
		{ "rpz-tcp-only.", ANSWER_TRUNCATE },
	};
	char host[NAME_HOST];

	if (!strcasecmp(target, "rpz-passthru."))
		return add(r, owner, RULE_ALLOW);
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		if (strcasecmp(target, actions[i].target))
			continue;
		r->rule.answer = (uint8_t)actions[i].answer;
		return add(r, owner, 0);
	}
	if (!name_host(host, target, strlen(target)))
		return RULE_RECORD;
	/* The older way to let a name pass is to point it to itself. */
	if (!strncasecmp(host, owner, strlen(host) + 1))
		return add(r, owner, RULE_ALLOW);
	r->rule.data_len = name_wire(r->data, host);
	r->rule.data_type = 5;
	r->rule.data = r->data;
	r->rule.answer = ANSWER_DATA;
	return add(r, owner, 0);
}

/* "text" "more": each at most 255 bytes. */
static size_t read_text(uint8_t *out, size_t room, char *p)
{
	size_t at = 0;

	for (p += strspn(p, " \t"); *p; p += strspn(p, " \t")) {
		bool quoted = *p == '"';
		size_t n, len;

		p += quoted;
		n = strcspn(p, quoted ? "\"" : " \t");
		len = n > 255 ? 255 : n;
		if (at + 1 + len > room || (quoted && !p[n]))
			return 0;
		out[at++] = (uint8_t)len;
		memcpy(out + at, p, len);
		at += len;
		p += n + quoted;
	}
	return at;
}

static enum rule_why add_record(struct rule_reader *r, char *owner, int type,
				char *rest)
{
	struct rule *rule = &r->rule;
	char *p = rest, *word, host[NAME_HOST];
	enum rule_why why;

	rule->data_type = (uint16_t)type;
	rule->data = r->data;
	rule->data_len = 0;
	if (type == 16) {
		rule->data_len = read_text(r->data, sizeof(r->data), rest);
	} else if ((word = rule_word(&p))) {
		if (type == 1 && inet_pton(AF_INET, word, r->data) == 1)
			rule->data_len = 4;
		if (type == 28 && inet_pton(AF_INET6, word, r->data) == 1)
			rule->data_len = 16;
		if (type == 12 && name_host(host, word, strlen(word)))
			rule->data_len = name_wire(r->data, host);
	}
	if (!rule->data_len)
		return RULE_RECORD;
	rule->answer = ANSWER_DATA;
	why = add(r, owner, 0);
	if (why == RULE_FINE && r->records && (type == 1 || type == 28) &&
	    *owner != '*')
		why = rule_reverse(r, owner, r->data, type == 1 ? 4 : 6);
	return why;
}

static enum rule_why directive(struct rule_reader *r, char *p)
{
	char *word = rule_word(&p);

	if (!strcasecmp(word, "$TTL"))
		return RULE_EMPTY;
	word = !strcasecmp(word, "$ORIGIN") ? rule_word(&p) : NULL;
	if (!word)
		return RULE_BAD;
	if (!name_host(r->origin, word, strlen(word)))
		r->origin[0] = '\0';
	return RULE_EMPTY;
}

/* Of "[ttl] [IN] TYPE data": the type, with *p at the data; -1. */
static int type_of(char **p)
{
	char *word;

	while ((word = rule_word(p))) {
		size_t digits = strspn(word, "0123456789");

		if (word[digits] && strcasecmp(word, "IN"))
			return rule_type(word, strlen(word));
	}
	return -1;
}

enum rule_why rule_zone(struct rule_reader *r, char *p, bool indented)
{
	char owner[RULE_LINE], *word;
	int type;

	strip_remark(p);
	if (inside_parentheses(r, p) || !p[strspn(p, " \t")])
		return RULE_EMPTY;
	if (*p == '$')
		return directive(r, p);
	if (!indented) {
		word = rule_word(&p);
		strcpy(r->owner, word);
	}
	strcpy(owner, r->owner);
	type = type_of(&p);
	if (type == 6) {
		/* The SOA's owner is the zone, if nobody has said so. */
		if (!*r->origin && strcmp(owner, "@") &&
		    !name_host(r->origin, owner, strlen(owner)))
			r->origin[0] = '\0';
		return RULE_EMPTY;
	}
	if (type == 2)
		return RULE_EMPTY;
	if (!relative(r, owner))
		return RULE_EMPTY;
	if (type == 5) {
		word = rule_word(&p);
		return word ? add_cname(r, owner, word) : RULE_RECORD;
	}
	if (type == 1 || type == 28 || type == 16 || type == 12)
		return add_record(r, owner, type, p);
	return type < 0 ? RULE_BAD : RULE_RECORD;
}
