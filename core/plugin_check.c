/* SPDX-License-Identifier: MIT */
/* plugin_check.c - a plugin's tables, checked and copied
 *
 *	magic -> major -> needs -> sizes -> name -> classes -> options
 *
 * The first four words of a plugin never move, so each step may rely on the
 * ones before it.  A table of another age may be shorter or longer than ours:
 * what both know is copied, and the gaps are filled with functions that do
 * nothing, so that the packet path tests neither sizes nor pointers.
 *
 * The copies do not need the plugin's memory for the tables, but its strings,
 * option table and code stay where they are: code is never unloaded.
 */
#include "plugin_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "util.h"

#define MAJOR(abi) ((abi) >> 16)
#define MINOR(abi) ((abi)&0xffff)

#define TABLE_MAX      4096 /* bytes; more is no table */
#define FLOW_STATE_MAX 4096
#define NAME_LETTERS   32

/* The bytes that a table had in the first ABI, up to its last member then. */
#define UP_TO(type, member) \
	(offsetof(type, member) + sizeof(((type *)0)->member))

static int refuse(char *text, size_t len, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(char *text, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* ------------------------------------------------ what gaps are filled with */

static int nothing_create(struct sluice_ctx *ctx, const void *options,
			  void **self)
{
	(void)ctx;
	(void)options;
	(void)self;
	return 0;
}

static int nothing_start(void *self)
{
	(void)self;
	return 0;
}

static void nothing(void *self)
{
	(void)self;
}

static void nothing_flow(void *self, struct sluice_flow *f)
{
	(void)self;
	(void)f;
}

static int drop_idle(void *self, struct sluice_flow *f)
{
	(void)self;
	(void)f;
	return SLUICE_DROP;
}

static void nothing_close(void *self, struct sluice_flow *f, int why)
{
	(void)self;
	(void)f;
	(void)why;
}

static int pass_query(void *self, struct sluice_query *q)
{
	(void)self;
	(void)q;
	return SLUICE_PASS;
}

static int pass_reply(void *self, struct sluice_query *q, const uint8_t *msg,
		      size_t len)
{
	(void)self;
	(void)q;
	(void)msg;
	(void)len;
	return SLUICE_PASS;
}

static void nothing_packets(void *self, const struct sluice_pkt *v, size_t n)
{
	(void)self;
	(void)v;
	(void)n;
}

static void nothing_flow_event(void *self, const struct sluice_flow_event *e)
{
	(void)self;
	(void)e;
}

static void nothing_dns_event(void *self, const struct sluice_dns_event *e)
{
	(void)self;
	(void)e;
}

static void nothing_tick(void *self, uint64_t now_ms)
{
	(void)self;
	(void)now_ms;
}

#define FILL(table, member, fn) \
	((table)->member = (table)->member ? (table)->member : (fn))

/* -------------------------------------------------------------- classes */

/* Copy a table that begins with its size. */
static int copy_table(void *ours, size_t size, const void *theirs,
		      uint32_t least, const char *what, char *text, size_t len)
{
	uint32_t has;

	memcpy(&has, theirs, sizeof(has));
	if (has < least || has > TABLE_MAX)
		return refuse(text, len,
			      "its %s table says it has %u bytes; %u to %d are "
			      "possible",
			      what, has, least, TABLE_MAX);
	memcpy(ours, theirs, MIN(has, size));
	return 0;
}

static int check_flow(struct plugin *p, char *text, size_t len)
{
	struct sluice_flow_ops *ops = &p->flow;
	int err = copy_table(ops, sizeof(*ops), p->head.flow,
			     UP_TO(struct sluice_flow_ops, close), "flow", text,
			     len);

	if (err)
		return err;
	if (!ops->open)
		return refuse(text, len, "its flow table has no open()");
	if (!(ops->flags & (SLUICE_FLOW_TCP | SLUICE_FLOW_UDP)))
		return refuse(text, len,
			      "its flow table asks for neither TCP nor UDP");
	if (ops->flow_size > FLOW_STATE_MAX)
		return refuse(text, len,
			      "it wants %u bytes of state a flow; at most %d "
			      "are given",
			      ops->flow_size, FLOW_STATE_MAX);
	FILL(ops, readable, nothing_flow);
	FILL(ops, writable, nothing_flow);
	FILL(ops, eof, nothing_flow);
	FILL(ops, idle, drop_idle);
	FILL(ops, close, nothing_close);
	return 0;
}

static int check_dns(struct plugin *p, char *text, size_t len)
{
	struct sluice_dns_ops *ops = &p->dns;
	int err = copy_table(ops, sizeof(*ops), p->head.dns,
			     UP_TO(struct sluice_dns_ops, reply), "dns", text,
			     len);

	if (err)
		return err;
	if (!ops->query && !ops->reply)
		return refuse(text, len,
			      "its dns table has neither query() nor reply()");
	FILL(ops, query, pass_query);
	FILL(ops, reply, pass_reply);
	return 0;
}

static int check_protect(struct plugin *p, char *text, size_t len)
{
	struct sluice_protect_ops *ops = &p->protect;
	int err = copy_table(ops, sizeof(*ops), p->head.protect,
			     UP_TO(struct sluice_protect_ops, protect),
			     "protect", text, len);

	if (err)
		return err;
	if (!ops->protect)
		return refuse(text, len, "its protect table has no protect()");
	return 0;
}

static int check_observe(struct plugin *p, char *text, size_t len)
{
	struct sluice_observe_ops *ops = &p->observe;
	int err = copy_table(ops, sizeof(*ops), p->head.observe,
			     UP_TO(struct sluice_observe_ops, tick), "observe",
			     text, len);

	if (err)
		return err;
	/* What nobody would see costs nothing. */
	ops->flags &= (ops->packets ? SLUICE_SEE_PACKETS : 0) |
		      (ops->flow ? SLUICE_SEE_FLOWS : 0) |
		      (ops->dns ? SLUICE_SEE_DNS : 0) |
		      (ops->tick ? SLUICE_SEE_TICK : 0);
	if (!ops->flags)
		return refuse(text, len, "its observe table sees nothing");
	FILL(ops, packets, nothing_packets);
	FILL(ops, flow, nothing_flow_event);
	FILL(ops, dns, nothing_dns_event);
	FILL(ops, tick, nothing_tick);
	return 0;
}

static int check_classes(struct plugin *p, char *text, size_t len)
{
	struct sluice_plugin *h = &p->head;
	int err = 0;

	if (!h->flow && !h->dns && !h->protect && !h->observe)
		return refuse(text, len,
			      "it is of no class: flow, dns, protect, observe");
	if (h->flow)
		err = check_flow(p, text, len);
	if (!err && h->dns)
		err = check_dns(p, text, len);
	if (!err && h->protect)
		err = check_protect(p, text, len);
	if (!err && h->observe)
		err = check_observe(p, text, len);
	return err;
}

/* ----------------------------------------------------------------- head */

static int check_age(const struct sluice_plugin *t, char *text, size_t len)
{
	if (t->magic != SLUICE_MAGIC)
		return refuse(text, len,
			      "its sluice_plugin is something else: magic "
			      "0x%08x, not 0x%08x",
			      t->magic, SLUICE_MAGIC);
	if (MAJOR(t->abi) != SLUICE_ABI_MAJOR)
		return refuse(text, len,
			      "it is built for plugin ABI %u.%u, and this "
			      "sluice has %d.%d: it must be compiled again",
			      MAJOR(t->abi), MINOR(t->abi), SLUICE_ABI_MAJOR,
			      SLUICE_ABI_MINOR);
	if (t->needs > SLUICE_ABI)
		return refuse(text, len,
			      "it needs plugin ABI %u.%u, and this sluice has "
			      "%d.%d: a newer sluice is needed",
			      MAJOR(t->needs), MINOR(t->needs),
			      SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR);
	return 0;
}

static int check_name(const struct sluice_plugin *h, char *text, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t n = h->name ? strnlen(h->name, NAME_LETTERS + 1) : 0;

	if (n && n <= NAME_LETTERS && *h->name >= 'a' && *h->name <= 'z' &&
	    strspn(h->name, letters) == n)
		return 0;
	return refuse(text, len,
		      "'%.40s' is no name of a plugin: 1 to %d of a-z, 0-9 and "
		      "-, a letter first",
		      h->name ? h->name : "", NAME_LETTERS);
}

static void fill_head(struct sluice_plugin *h)
{
	h->version = h->version ? h->version : "";
	h->summary = h->summary ? h->summary : "";
	h->license = h->license ? h->license : "";
	FILL(h, create, nothing_create);
	FILL(h, start, nothing_start);
	FILL(h, stop, nothing);
	FILL(h, destroy, nothing);
}

int plugin_check(struct plugin *p, const struct sluice_plugin *theirs,
		 char *text, size_t text_len)
{
	const uint32_t least = UP_TO(struct sluice_plugin, observe);
	struct sluice_plugin *h = &p->head;
	char wrong[384];
	int err = check_age(theirs, text, text_len);

	if (err)
		return err;
	if (theirs->size < least || theirs->size > TABLE_MAX ||
	    theirs->size % _Alignof(struct sluice_plugin))
		return refuse(text, text_len,
			      "it says its plugin table has %u bytes; %u to %d "
			      "are possible",
			      theirs->size, least, TABLE_MAX);
	memcpy(h, theirs, MIN(theirs->size, sizeof(*h)));
	err = check_name(h, text, text_len);
	if (!err)
		err = check_classes(p, text, text_len);
	if (!err && options_sane(h->options, h->option_size, h->options_bytes,
				 wrong, sizeof(wrong)))
		err = refuse(text, text_len, "%s", wrong);
	fill_head(h);
	return err;
}
