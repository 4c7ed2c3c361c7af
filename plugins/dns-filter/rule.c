/* SPDX-License-Identifier: MIT */
/* rule.c - one line of a list, whatever its format, as rules
 *
 * The format is seen line by line, since people paste lists together:
 *
 *	begins with			is
 *	! # ; [ or nothing		a remark
 *	@@ | or has ^ $ / # in it	an AdBlock-style rule (adblock.c)
 *	an address, then names		a hosts file's
 *	an address or prefix		a rule for addresses in answers
 *	address=/ server=/ local=/	dnsmasq's
 *	*. or .				a wildcard
 *	a name				a name
 *
 * But for response policy zones (zone.c): from $TTL, $ORIGIN or an SOA on,
 * the file is one.
 */
#include "rule.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adblock.h"

const char *rule_why_text(enum rule_why why)
{
	static const char *const texts[RULE_WHYS] = {
		[RULE_BAD] = "not understood",
		[RULE_LONG] = "longer than 4095 bytes",
		[RULE_BINARY] = "not text",
		[RULE_NO_NAME] = "no domain name",
		[RULE_UTF8] = "a name that is not ASCII: write it as xn--...",
		[RULE_TLD] = "covers a whole top-level domain: allowed with "
			     "tld-rules = yes",
		[RULE_COSMETIC] = "hides elements of a page: not for DNS",
		[RULE_URL] = "about URLs, not names: not for DNS",
		[RULE_MODIFIER] = "a modifier that DNS cannot follow",
		[RULE_TYPE] = "no record type",
		[RULE_REGEX_OFF] = "a regular expression: this build has none",
		[RULE_REGEX_BAD] = "a regular expression that does not compile",
		[RULE_RECORD] = "a record that cannot be answered with",
		[RULE_TRIGGER] = "a trigger that is not followed here: only "
				 "names and rpz-ip are",
		[RULE_MANY] = "too many of its kind",
	};

	return texts[why] ? texts[why] : "";
}

static const struct {
	const char *name;
	uint16_t type;
} types[] = {
	{ "A", 1 },      { "NS", 2 },      { "CNAME", 5 },  { "SOA", 6 },
	{ "PTR", 12 },   { "HINFO", 13 },  { "MX", 15 },    { "TXT", 16 },
	{ "AAAA", 28 },  { "SRV", 33 },    { "NAPTR", 35 }, { "DNAME", 39 },
	{ "DS", 43 },    { "DNSKEY", 48 }, { "TLSA", 52 },  { "SVCB", 64 },
	{ "HTTPS", 65 }, { "SPF", 99 },    { "ANY", 255 },  { "CAA", 257 },
};

int rule_type(const char *text, size_t len)
{
	char digits[6] = "";
	unsigned long n;
	char *end;

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strlen(types[i].name) == len &&
		    !strncasecmp(types[i].name, text, len))
			return types[i].type;
	if (len > 4 && !strncasecmp(text, "TYPE", 4)) {
		text += 4;
		len -= 4;
	}
	if (!len || len > 5 || *text < '0' || *text > '9')
		return -1;
	memcpy(digits, text, len);
	n = strtoul(digits, &end, 10);
	return *end || n > 65535 ? -1 : (int)n;
}

bool rule_prefix(const char *text, uint8_t ip[16], uint8_t *family,
		 uint8_t *prefix)
{
	char addr[INET6_ADDRSTRLEN];
	size_t n = strcspn(text, "/");
	unsigned long bits;
	char *end;

	if (n >= sizeof(addr) || !n)
		return false;
	memcpy(addr, text, n);
	addr[n] = '\0';
	memset(ip, 0, 16);
	if (inet_pton(AF_INET, addr, ip) == 1)
		*family = 4;
	else if (inet_pton(AF_INET6, addr, ip) == 1)
		*family = 6;
	else
		return false;
	bits = *family == 4 ? 32 : 128;
	if (text[n]) {
		unsigned long given = strtoul(text + n + 1, &end, 10);

		if (end == text + n + 1 || *end || given > bits ||
		    text[n + 1] < '0' || text[n + 1] > '9')
			return false;
		bits = given;
	}
	*prefix = (uint8_t)bits;
	for (unsigned int i = 0; i < 16; i++)
		if (i * 8 >= bits)
			ip[i] = 0;
		else if (i * 8 + 8 > bits)
			ip[i] &= (uint8_t)(0xff << (i * 8 + 8 - bits));
	return true;
}

char *rule_word(char **p)
{
	char *word = *p + strspn(*p, " \t");
	size_t n = strcspn(word, " \t");

	if (!n)
		return NULL;
	*p = word + n + (word[n] != '\0');
	word[n] = '\0';
	return word;
}

enum rule_why rule_add_name(struct rule_reader *r, const char *name, size_t len,
			    uint16_t flags)
{
	struct rule *rule = &r->rule;
	size_t n = name_host(r->name, name, len);

	if (!n) {
		for (size_t i = 0; i < len; i++)
			if (name[i] & 0x80)
				return RULE_UTF8;
		return RULE_NO_NAME;
	}
	if (!r->tld && !r->records && flags & RULE_BELOW &&
	    !memchr(r->name, '.', n))
		return RULE_TLD;
	rule->kind = RULE_NAME;
	rule->flags = flags | (r->allow ? RULE_ALLOW : 0);
	rule->text = r->name;
	rule->len = n;
	return (enum rule_why)r->add(r->arg, rule);
}

/* Names that hosts files give the machine itself. */
static bool is_header_name(const char *name)
{
	static const char *const names[] = {
		"localhost",      "localhost.localdomain", "local",
		"broadcasthost",  "ip6-localhost",         "ip6-loopback",
		"ip6-localnet",   "ip6-mcastprefix",       "ip6-allnodes",
		"ip6-allrouters", "ip6-allhosts",          "0.0.0.0",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

static bool is_nowhere(const uint8_t ip[16], uint8_t family)
{
	static const uint8_t none[16];

	if (family == 4)
		return !memcmp(ip, none, 4) || ip[0] == 127;
	return !memcmp(ip, none, 15) && ip[15] <= 1;
}

static enum rule_why read_hosts(struct rule_reader *r, char *rest,
				const uint8_t ip[16], uint8_t family)
{
	enum rule_why why = RULE_EMPTY, one;
	bool nowhere = is_nowhere(ip, family);
	char *word;

	while ((word = rule_word(&rest))) {
		if (*word == '#')
			break;
		if (is_header_name(word))
			continue;
		/* An address that is somewhere makes it a record. */
		one = nowhere ?
			      rule_add_name(r, word, strlen(word), RULE_SELF) :
			      RULE_RECORD;
		if (one > why || why == RULE_EMPTY)
			why = one;
	}
	return why;
}

static enum rule_why read_address(struct rule_reader *r, const uint8_t ip[16],
				  uint8_t family, uint8_t prefix)
{
	struct rule *rule = &r->rule;

	if (!prefix)
		return RULE_TLD;
	rule->kind = RULE_ADDR;
	rule->flags = r->allow ? RULE_ALLOW : 0;
	memcpy(rule->ip, ip, 16);
	rule->family = family;
	rule->prefix = prefix;
	return (enum rule_why)r->add(r->arg, rule);
}

/* address=/a.example/b.example/0.0.0.0: names and what is below them. */
static enum rule_why read_dnsmasq(struct rule_reader *r, char *p)
{
	enum rule_why why = RULE_BAD;
	char *end;

	for (; (end = strchr(p, '/')); p = end + 1) {
		why = rule_add_name(r, p, (size_t)(end - p),
				    RULE_SELF | RULE_BELOW);
		if (why >= RULE_BAD)
			return why;
	}
	return why;
}

static enum rule_why read_plain(struct rule_reader *r, char *word)
{
	size_t len = strlen(word);
	uint16_t flags = RULE_SELF | (r->plain_below ? RULE_BELOW : 0);

	if (word[0] == '*' && word[1] == '.')
		return rule_add_name(r, word + 2, len - 2,
				     RULE_SELF | RULE_BELOW);
	if (word[0] == '.')
		return rule_add_name(r, word + 1, len - 1,
				     RULE_SELF | RULE_BELOW);
	if (strchr(word, '*'))
		return adblock_pattern(r, word, len, r->allow ? RULE_ALLOW : 0);
	return is_header_name(word) ? RULE_EMPTY :
				      rule_add_name(r, word, len, flags);
}

static enum rule_why read_words(struct rule_reader *r, char *line)
{
	char *rest = line, *word = rule_word(&rest);
	uint8_t ip[16], family, prefix;
	char *zone;

	zone = strchr(word, '%'); /* fe80::1%lo0 localhost */
	if (zone)
		*zone = '\0';
	if (rule_prefix(word, ip, &family, &prefix)) {
		rest += strspn(rest, " \t");
		if (*rest && *rest != '#')
			return read_hosts(r, rest, ip, family);
		return read_address(r, ip, family, prefix);
	}
	if (zone)
		return RULE_NO_NAME;
	rest += strspn(rest, " \t");
	if (*rest && *rest != '#')
		return RULE_BAD;
	return read_plain(r, word);
}

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* An SOA, or a record of an action, where no list of another kind has it. */
static bool is_zone_record(const char *line)
{
	return strstr(line, " SOA ") || strstr(line, "\tSOA\t") ||
	       strstr(line, "\tSOA ") || strstr(line, " SOA\t") ||
	       strstr(line, "CNAME") || strstr(line, " cname ");
}

enum rule_why rule_read(struct rule_reader *r, char *line, size_t len)
{
	char *p;

	if (memchr(line, '\0', len))
		return RULE_BINARY;
	while (len && (uint8_t)line[len - 1] <= ' ')
		len--;
	line[len] = '\0';
	p = line + strspn(line, " \t");
	r->rule.n_types = 0;
	r->rule.n_deny = 0;
	r->rule.types_not = false;
	r->rule.answer = ANSWER_LIST;
	if (r->records)
		return rule_records(r, p, p > line);
	if (has_prefix(p, "$TTL") || has_prefix(p, "$ORIGIN"))
		r->zone = true;
	if (r->zone)
		return rule_zone(r, p, p > line);
	if (!*p || *p == '!' || *p == '#' || *p == ';' || *p == '[')
		return RULE_EMPTY;
	if ((p[0] == '@' && p[1] == '@') || *p == '|' || *p == '/')
		return adblock_read(r, p);
	if (has_prefix(p, "address=/") || has_prefix(p, "server=/") ||
	    has_prefix(p, "local=/"))
		return read_dnsmasq(r, strchr(p, '/') + 1);
	if (strchr(p, ' ') || strchr(p, '\t')) {
		if (is_zone_record(p)) {
			r->zone = strstr(p, "SOA") != NULL;
			return rule_zone(r, p, false);
		}
		return read_words(r, p);
	}
	if (strpbrk(p, "^$") || strstr(p, "##") || strstr(p, "#@#") ||
	    strstr(p, "#?#"))
		return adblock_read(r, p);
	return read_words(r, p);
}
