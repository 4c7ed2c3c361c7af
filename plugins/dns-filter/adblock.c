/* SPDX-License-Identifier: MIT */
/* adblock.c - rules in the style of AdBlock: ||name^, @@, $important ...
 *
 *	@@  ||  name  ^  $modifier,modifier=value
 *	@@  /expression/  $...
 *
 * What is about pages and URLs is refused, never guessed at: half a rule
 * blocks what nobody meant to block.
 */
#include "adblock.h"

#include <string.h>

static bool value_of(const char *m, size_t len, const char *key,
		     const char **value, size_t *value_len)
{
	size_t n = strlen(key);

	if (len <= n || strncmp(m, key, n))
		return false;
	*value = m + n;
	*value_len = len - n;
	return true;
}

/* dnstype=A|AAAA, or dnstype=~A|~AAAA: all but these. */
static enum rule_why read_types(struct rule *rule, const char *v, size_t len)
{
	const char *end = v + len;

	while (v < end) {
		const char *bar = memchr(v, '|', (size_t)(end - v));
		const char *stop = bar ? bar : end;
		bool not = *v == '~';
		int type;

		v += not ;
		type = rule_type(v, (size_t)(stop - v));
		if (type < 0)
			return RULE_TYPE;
		if (rule->n_types == RULE_TYPES)
			return RULE_MANY;
		if (rule->n_types && not != rule->types_not)
			return RULE_MODIFIER;
		rule->types_not = not ;
		rule->types[rule->n_types++] = (uint16_t)type;
		v = stop + 1;
	}
	return RULE_FINE;
}

/* denyallow=a.example|b.example: not for these and what is below them. */
static enum rule_why read_deny(struct rule *rule, const char *v, size_t len)
{
	const char *end = v + len;
	char name[NAME_HOST];

	while (v < end) {
		const char *bar = memchr(v, '|', (size_t)(end - v));
		const char *stop = bar ? bar : end;
		size_t n = name_host(name, v, (size_t)(stop - v));

		if (!n)
			return RULE_NO_NAME;
		if (rule->n_deny == RULE_DENY)
			return RULE_MANY;
		rule->deny[rule->n_deny++] = name_hash(name, n);
		v = stop + 1;
	}
	return RULE_FINE;
}

static enum rule_why read_modifier(struct rule *rule, const char *m, size_t len,
				   uint16_t *flags)
{
	const char *v;
	size_t n;

	if (len == 9 && !strncmp(m, "important", 9)) {
		*flags |= RULE_IMPORTANT;
		return RULE_FINE;
	}
	if (value_of(m, len, "dnstype=", &v, &n))
		return read_types(rule, v, n);
	if (value_of(m, len, "denyallow=", &v, &n))
		return read_deny(rule, v, n);
	return RULE_MODIFIER;
}

static enum rule_why read_modifiers(struct rule *rule, const char *m,
				    uint16_t *flags)
{
	for (;;) {
		size_t n = strcspn(m, ",");
		enum rule_why why = read_modifier(rule, m, n, flags);

		if (why != RULE_FINE)
			return why;
		if (!m[n])
			return RULE_FINE;
		m += n + 1;
	}
}

enum rule_why adblock_pattern(struct rule_reader *r, const char *text,
			      size_t len, uint16_t flags)
{
	struct rule *rule = &r->rule;
	size_t n = name_pattern(r->name, text, len);

	if (!n)
		return RULE_NO_NAME;
	if (strspn(r->name, "*.") == n)
		return RULE_TLD;
	rule->kind = RULE_GLOB;
	rule->flags = flags;
	rule->text = r->name;
	rule->len = n;
	return (enum rule_why)r->add(r->arg, rule);
}

static enum rule_why read_regex(struct rule_reader *r, char *p, uint16_t flags)
{
	char *end = strrchr(p + 1, '/');
	enum rule_why why;

	if (!end || end == p + 1)
		return RULE_URL;
	if (end[1] && end[1] != '$')
		return RULE_URL;
	if (end[1]) {
		why = read_modifiers(&r->rule, end + 2, &flags);
		if (why != RULE_FINE)
			return why;
	}
	*end = '\0';
	r->rule.kind = RULE_REGEX;
	r->rule.flags = flags;
	r->rule.text = p + 1;
	r->rule.len = (size_t)(end - p - 1);
	return (enum rule_why)r->add(r->arg, &r->rule);
}

/* ||name^: the name and all below it; |name^: the name alone. */
static enum rule_why read_anchored(struct rule_reader *r, char *p,
				   uint16_t flags)
{
	bool below = p[0] == '|' && p[1] == '|';
	size_t len;

	p += below ? 2 : *p == '|';
	len = strcspn(p, "^");
	if (p[len] && strcmp(p + len, "^") && strcmp(p + len, "^|"))
		return RULE_URL;
	if (memchr(p, '/', len) || memchr(p, ':', len))
		return RULE_URL;
	flags |= RULE_SELF | (below ? RULE_BELOW : 0);
	if (len > 2 && p[0] == '*' && p[1] == '.' &&
	    !memchr(p + 2, '*', len - 2))
		return rule_add_name(r, p + 2, len - 2,
				     (flags & ~RULE_SELF) | RULE_BELOW);
	if (memchr(p, '*', len))
		return adblock_pattern(r, p, len, flags);
	return rule_add_name(r, p, len, flags);
}

enum rule_why adblock_read(struct rule_reader *r, char *p)
{
	uint16_t flags = r->allow ? RULE_ALLOW : 0;
	enum rule_why why;
	char *modifiers;

	if (strstr(p, "##") || strstr(p, "#@#") || strstr(p, "#?#") ||
	    strstr(p, "#$#") || strstr(p, "#%#"))
		return RULE_COSMETIC;
	if (p[0] == '@' && p[1] == '@') {
		flags |= RULE_ALLOW;
		p += 2;
	}
	if (*p == '/')
		return read_regex(r, p, flags);
	modifiers = strchr(p, '$');
	if (modifiers) {
		*modifiers = '\0';
		why = read_modifiers(&r->rule, modifiers + 1, &flags);
		if (why != RULE_FINE)
			return why;
	}
	return *p ? read_anchored(r, p, flags) : RULE_URL;
}
