/* SPDX-License-Identifier: MIT */
/* explain.c - "sluice explain": what would become of a DNS question
 *
 *	NAME TYPE --> query --> [chain] dns, plugin by plugin --> answer
 *	                           | the first that needs the net: "would be
 *	                           | asked", and that is the end
 *
 * The plugins are those of the configuration, created as "check" does, and
 * asked by the very functions that the gateway calls; only the query is made
 * here, and keeps what they say instead of sending it.
 */
#include "explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "dnsmsg.h"
#include "gateway.h"
#include "json.h"
#include "log.h"
#include "util.h"

#define RULE_TEXT     512
#define FOLLOW_MAX    8 /* as in the gateway */
#define EXPLAIN_USAGE 2 /* as main.c says it */

/* The question before a plugin went on with another name. */
struct followed {
	struct sluice_query_info info;
	struct dnsmsg m;
	struct dnsmsg_chain chain;
	uint8_t records[DNSMSG_CHAIN];
	uint8_t msg[DNSMSG_AIMED]; /* the new one */
	char name[DNSMSG_TEXT];
};

struct explain {
	struct sluice_query pub; /* first: what plugins hold */
	struct gateway *gw;
	bool json;
	struct sluice_query_info info;
	struct dnsmsg m;
	char name[DNSMSG_TEXT];
	const char *type;
	uint8_t query[DNSMSG_HEADER + DNSMSG_WIRE + 15];
	uint8_t answer[DNSMSG_MAX];
	size_t answer_len;
	struct followed followed[FOLLOW_MAX];
	int follows;
	/* of the plugin at work */
	struct sluice_reason why;
	char list[1024], detail[RULE_TEXT], rule[RULE_TEXT];
	int steps;
};

static struct explain *explain_of(struct sluice_query *q)
{
	return (struct explain *)q;
}

/* ---------------------------------------------------- what plugins may do */

static const struct sluice_query_info *api_info(struct sluice_query *q)
{
	return &explain_of(q)->info;
}

static int api_answer(struct sluice_query *q, const void *msg, size_t len)
{
	struct explain *x = explain_of(q);
	struct dnsmsg m;

	if (dnsmsg_parse(&m, msg, len) || m.len > sizeof(x->answer))
		return -EBADMSG;
	memmove(x->answer, msg, m.len);
	x->answer_len = m.len;
	return m.question ? dnsmsg_adopt(x->answer, &m, x->info.msg, &x->m) : 0;
}

static int make(struct explain *x, const struct dnsmsg_answer *a)
{
	x->answer_len = dnsmsg_make(x->answer, sizeof(x->answer), x->info.msg,
				    &x->m, a);
	return x->answer_len ? 0 : -EMSGSIZE;
}

static int api_answer_addr(struct sluice_query *q, const struct sluice_addr *v,
			   size_t n, uint32_t ttl)
{
	struct dnsmsg_answer a = dnsmsg_of_addrs(v, n, ttl);

	return make(explain_of(q), &a);
}

static int api_block(struct sluice_query *q, int how)
{
	struct dnsmsg_answer a;

	if (!dnsmsg_of_block(&a, how))
		return -EINVAL;
	return make(explain_of(q), &a);
}

static int api_forward(struct sluice_query *q, const struct sluice_addr *server)
{
	(void)q;
	(void)server;
	return SLUICE_LATER;
}

/* A plugin that answers LATER is asked no more, so nobody waits for it. */
static void api_resolve(struct sluice_query *q, int verdict)
{
	(void)q;
	(void)verdict;
}

static int api_respond(struct sluice_query *q, const struct sluice_response *r)
{
	struct dnsmsg_answer a = dnsmsg_of_response(r);

	return make(explain_of(q), &a);
}

static void api_reason(struct sluice_query *q, const struct sluice_reason *r)
{
	struct explain *x = explain_of(q);

	x->why = *r;
	snprintf(x->list, sizeof(x->list), "%s", r->list ? r->list : "");
	snprintf(x->detail, sizeof(x->detail), "%s",
		 r->detail ? r->detail : "");
}

static int api_follow(struct sluice_query *q, const uint8_t *records,
		      uint32_t len, uint16_t n)
{
	struct explain *x = explain_of(q);
	struct dnsmsg_chain c = { records, len, n };
	struct followed *f = &x->followed[x->follows];
	int aimed;

	if (x->follows == FOLLOW_MAX)
		return -ELOOP;
	aimed = dnsmsg_aim(f->msg, x->info.msg, &x->m, &c);
	if (aimed < 0 ||
	    dnsmsg_name(f->msg, (size_t)aimed, DNSMSG_HEADER, f->name) < 0)
		return -EINVAL;
	memcpy(f->records, records, len);
	f->chain = (struct dnsmsg_chain){ f->records, len, n };
	f->info = x->info;
	f->m = x->m;
	x->info.msg = f->msg;
	x->info.msg_len = (uint32_t)aimed;
	x->info.name = f->name;
	dnsmsg_parse(&x->m, f->msg, (size_t)aimed);
	x->follows++;
	return 0;
}

/* The answer to the question as it was at first. */
static void join(struct explain *x)
{
	uint8_t all[DNSMSG_MAX];
	struct dnsmsg r;

	while (x->follows) {
		struct followed *f = &x->followed[--x->follows];

		dnsmsg_parse(&r, x->answer, x->answer_len);
		x->answer_len = dnsmsg_join(all, sizeof(all), f->info.msg,
					    &f->m, &f->chain, x->answer, &r);
		memcpy(x->answer, all, x->answer_len);
	}
}

static const struct sluice_query_api explain_api = {
	.size = sizeof(explain_api),
	.info = api_info,
	.answer = api_answer,
	.answer_addr = api_answer_addr,
	.block = api_block,
	.forward = api_forward,
	.resolve = api_resolve,
	.respond = api_respond,
	.reason = api_reason,
	.follow = api_follow,
};

/* ----------------------------------------------------------------- reason */

/* The n-th word of a list option, as the plugin has it. */
static bool word_of(const struct instance *in, const char *key, uint32_t n,
		    char *out, size_t len)
{
	const struct sluice_plugin *h = &in->plugin->head;
	struct sluice_option row;

	for (size_t i = 0; options_row(h->options, h->option_size, i, &row);
	     i++) {
		const char *const *words;

		if (row.type != SLUICE_OPT_LIST || strcmp(row.key, key))
			continue;
		memcpy(&words, (char *)in->options.values + row.offset,
		       sizeof(words));
		while (*words && --n)
			words++;
		snprintf(out, len, "%s", *words ? *words : "");
		return *words;
	}
	return false;
}

/* The n-th line of a file. */
static bool line_of(const char *path, uint32_t n, char *out, size_t len)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t got = -1;

	if (!f)
		return false;
	while (n-- && (got = getline(&line, &size, f)) >= 0)
		;
	fclose(f);
	if (got >= 0) {
		line[strcspn(line, "\r\n")] = '\0';
		snprintf(out, len, "%s", line);
	}
	free(line);
	return got >= 0;
}

/* The text of the rule that x->why points to. */
static void find_rule(struct explain *x, const struct instance *in)
{
	*x->rule = '\0';
	if (!x->why.line || !*x->list)
		return;
	if (!word_of(in, x->list, x->why.line, x->rule, sizeof(x->rule)))
		line_of(x->list, x->why.line, x->rule, sizeof(x->rule));
}

static const char *verdict_text(int v)
{
	switch (v) {
	case SLUICE_PASS:
		return "passes";
	case SLUICE_TAKE:
		return "answers";
	case SLUICE_DROP:
		return "drops it";
	case SLUICE_LATER:
		return "would be asked";
	default:
		return "fails";
	}
}

static void print_step_json(struct explain *x, const struct instance *in, int v,
			    int follows)
{
	printf("%s\n    {\"instance\": ", x->steps++ ? "," : "");
	json_string(stdout, in->name);
	printf(", \"verdict\": ");
	json_string(stdout, verdict_text(v));
	if (x->follows > follows) {
		printf(", \"follows\": ");
		json_string(stdout, x->info.name);
	}
	if (x->why.what) {
		printf(", \"reason\": ");
		json_string(stdout, x->why.what);
	}
	if (*x->list) {
		printf(", \"list\": ");
		json_string(stdout, x->list);
		printf(", \"line\": %u", x->why.line);
	}
	if (*x->rule) {
		printf(", \"rule\": ");
		json_string(stdout, x->rule);
	}
	if (*x->detail) {
		printf(", \"detail\": ");
		json_string(stdout, x->detail);
	}
	printf("}");
}

/* follows: how many times another name was followed before that step. */
static void print_step(struct explain *x, const struct instance *in, int v,
		       int follows)
{
	find_rule(x, in);
	if (x->json) {
		print_step_json(x, in, v, follows);
		return;
	}
	printf("%s: %s", in->name, verdict_text(v));
	if (x->why.what)
		printf(": %s", x->why.what);
	if (*x->list)
		printf(" by %s", x->list);
	if (*x->list && x->why.line)
		printf(":%u", x->why.line);
	if (*x->rule)
		printf(": %s", x->rule);
	if (*x->detail)
		printf(" (%s)", x->detail);
	if (x->follows > follows)
		printf(", and goes on with %s", x->info.name);
	printf("\n");
}

/* ----------------------------------------------------------------- answer */

static const char *rcode_text(int rcode, char *buf, size_t len)
{
	static const char *const names[] = { "NOERROR",  "FORMERR", "SERVFAIL",
					     "NXDOMAIN", "NOTIMP",  "REFUSED" };

	if (rcode < (int)ARRAY_SIZE(names))
		return names[rcode];
	snprintf(buf, len, "RCODE%d", rcode);
	return buf;
}

static void print_answer(struct explain *x)
{
	struct dnsmsg_addrs walk;
	struct sluice_addr a;
	struct dnsmsg m;
	char text[ADDR_TEXT], rcode[16];
	uint32_t ttl;
	int n = 0;

	dnsmsg_parse(&m, x->answer, x->answer_len);
	rcode_text(DNSMSG_RCODE(m.flags), rcode, sizeof(rcode));
	printf(x->json ? ",\n  \"rcode\": \"%s\", \"bytes\": %u, \"records\": "
			 "%u, \"truncated\": %s, \"addresses\": [" :
			 "answer: %s, %u bytes, %u records%s",
	       rcode_text(DNSMSG_RCODE(m.flags), rcode, sizeof(rcode)), m.len,
	       m.count[1],
	       m.flags & DNSMSG_TC ? x->json ? "true" : ", cut" :
	       x->json             ? "false" :
				     "");
	dnsmsg_addrs_init(&walk, x->answer, x->answer_len);
	while (dnsmsg_addrs_next(&walk, &a, &ttl))
		printf(x->json ? "%s\"%s\"" : "%s%s",
		       n++     ? ", " :
		       x->json ? "" :
				 ": ",
		       addr_ip_text(&a, text));
	printf(x->json ? "]" : "\n");
}

/* --------------------------------------------------------------- question */

static const struct {
	const char *name;
	uint16_t type;
} types[] = {
	{ "A", 1 },      { "NS", 2 },     { "CNAME", 5 }, { "SOA", 6 },
	{ "PTR", 12 },   { "MX", 15 },    { "TXT", 16 },  { "AAAA", 28 },
	{ "SRV", 33 },   { "NAPTR", 35 }, { "DS", 43 },   { "SVCB", 64 },
	{ "HTTPS", 65 }, { "CAA", 257 },  { "ANY", 255 },
};

/* By name, TYPE65 or 65; -1. */
static int type_of(const char *text)
{
	char *end;
	long n;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcasecmp(types[i].name, text))
			return types[i].type;
	if (!strncasecmp(text, "TYPE", 4))
		text += 4;
	n = strtol(text, &end, 10);
	return end == text || *end || n < 1 || n > 65535 ? -1 : (int)n;
}

static int wrong(const char *what, const char *text, const char *hint)
{
	fprintf(stderr, "sluice: explain: '%s' is no %s%s\n", text, what, hint);
	return EXPLAIN_USAGE;
}

/* The question as an app would send it, with EDNS. */
static int ask_for(struct explain *x, const char *name, int type)
{
	uint8_t *p = x->query;
	int n = dnsmsg_name_wire(name, p + DNSMSG_HEADER);
	size_t at, end = strlen(name);
	char rooted[DNSMSG_TEXT];

	if (n < 0 && end && end < sizeof(rooted) && name[end - 1] == '.') {
		memcpy(rooted, name, end - 1);
		rooted[end - 1] = '\0';
		n = dnsmsg_name_wire(rooted, p + DNSMSG_HEADER);
	}
	if (n < 0)
		return wrong("domain name", name, "");
	put_be16(p + 2, DNSMSG_RD);
	put_be16(p + 4, 1);
	put_be16(p + 10, 1);
	at = DNSMSG_HEADER + (size_t)n;
	put_be16(p + at, (uint16_t)type);
	put_be16(p + at + 2, DNSMSG_IN);
	at += 4;
	put_be16(p + at + 1, DNSMSG_OPT);
	put_be16(p + at + 3, DNSMSG_EDNS);
	at += 11;
	if (dnsmsg_parse(&x->m, p, at) ||
	    dnsmsg_name(p, at, DNSMSG_HEADER, x->name) < 0)
		return wrong("domain name", name, "");
	x->info.msg = p;
	x->info.msg_len = (uint32_t)at;
	return 0;
}

static int read_operands(struct explain *x, char **operands)
{
	const char *name = operands[0];
	int type = DNSMSG_A;

	x->type = "A";
	if (operands[1]) {
		x->type = operands[1];
		type = type_of(x->type);
	}
	if (type < 0)
		return wrong("record type", operands[1],
			     " like A, AAAA, HTTPS or TYPE65");
	x->info.app = x->gw->set.n_address ?
			      x->gw->set.address[0].addr :
			      (struct sluice_addr){ .family = 0 };
	if (operands[1] && operands[2] &&
	    addr_parse(operands[2], 0, &x->info.app))
		return wrong("address", operands[2], "");
	x->info.size = sizeof(x->info);
	x->info.qtype = (uint16_t)type;
	x->info.qclass = DNSMSG_IN;
	x->info.name = x->name;
	x->info.uid = -1;
	x->info.server = x->gw->set.gw4;
	x->info.id = 1;
	x->info.udp_size = DNSMSG_EDNS;
	return ask_for(x, name, type);
}

/* ------------------------------------------------------------------- walk */

/* What the chain does; LATER when somebody outside would be asked. */
static int walk(struct explain *x)
{
	struct instance **at = x->gw->chains.of[CHAIN_DNS];
	int v = SLUICE_PASS;

	for (; *at && v == SLUICE_PASS; at++) {
		const struct sluice_dns_ops *ops = &(*at)->plugin->dns;
		int follows = x->follows;

		memset(&x->why, 0, sizeof(x->why));
		*x->list = *x->detail = '\0';
		v = SLUICE_LATER;
		if (ops->flags & SLUICE_DNS_OFFLINE)
			v = ops->query((*at)->self, &x->pub);
		print_step(x, *at, v, follows);
	}
	return v;
}

static void explain(struct explain *x)
{
	char text[ADDR_TEXT];
	int v;

	if (x->json) {
		printf("{\n  \"name\": ");
		json_string(stdout, x->name);
		printf(", \"type\": ");
		json_string(stdout, x->type);
		printf(", \"source\": \"%s\",\n  \"steps\": [",
		       addr_ip_text(&x->info.app, text));
	} else {
		printf("%s %s, asked by %s\n", x->name, x->type,
		       addr_ip_text(&x->info.app, text));
	}
	v = walk(x);
	printf(x->json ? "\n  ]" : "");
	if (v == SLUICE_TAKE && x->answer_len)
		join(x);
	if (v == SLUICE_TAKE && x->answer_len)
		print_answer(x);
	else if (v == SLUICE_PASS && !x->json)
		printf("the server that the app asked would be asked\n");
	printf(x->json ? "\n}\n" : "");
}

static int explain_loaded(struct gateway *gw, const struct command_args *a,
			  char **operands)
{
	struct explain *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return EXIT_FAILURE;
	x->pub.api = &explain_api;
	x->gw = gw;
	x->json = a->json;
	r = read_operands(x, operands);
	if (!r)
		explain(x);
	free(x);
	return r;
}

int explain_command(const struct command_args *a, char **operands)
{
	struct gateway *gw = calloc(1, sizeof(*gw));
	int err, r = EX_CONFIG;

	if (!gw)
		return EXIT_FAILURE;
	log_level = LOG_LEVEL_ERROR; /* what is odd in lists, check tells */
	err = command_configuration(&gw->conf, a);
	if (!err)
		err = gateway_load(gw);
	if (gw->conf.errors)
		err = -EINVAL;
	if (!err && !loop_init(&gw->loop)) {
		if (!chain_create(&gw->chains))
			r = explain_loaded(gw, a, operands);
		chain_destroy(&gw->chains);
		loop_fini(&gw->loop);
	}
	gateway_fini(gw);
	free(gw);
	return command_printed(r);
}
