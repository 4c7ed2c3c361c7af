/* SPDX-License-Identifier: MIT */
/* flow-log.c - one line for each flow that ended, and for DNS questions
 *
 * To stderr, a file or an open descriptor, one write(2) a line.  A reader
 * that is too slow costs lines, never the gateway's time: what cannot be
 * written at once is counted and told.
 *
 * Names that were asked for say more about people than addresses do, so lines
 * about them are written only where they are wanted.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sluice/plugin.h>

/* A name has up to 253 bytes, each as \DDD at most, and JSON doubles the
 * backslash. */
#define NAME_MAX_TEXT 1300
#define WHY_MAX_TEXT  400 /* the core keeps 160 bytes of a reason */
#define LINE_MAX_TEXT (NAME_MAX_TEXT + WHY_MAX_TEXT + 500)
#define ADDR_MAX_TEXT (INET6_ADDRSTRLEN + 8)

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_TABLE };
enum dns { DNS_NO, DNS_RULES, DNS_YES };

struct options {
	const char *file;
	int64_t fd;
	int64_t format;
	int64_t dns, dns_app, dns_rate;
};

struct flowlog {
	struct sluice_ctx *ctx;
	enum format format;
	int fd;
	uint8_t regular; /* never blocks for long */
	uint64_t lost;
	const struct options *options;
	uint64_t second;   /* of the clock, which these are about */
	int64_t dns_lines; /* written in it */
	uint64_t dns_lost; /* left out since the last one that was not */
};

struct line {
	char text[LINE_MAX_TEXT];
	size_t len;
};

static void add(struct line *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct line *l, const char *fmt, ...)
{
	size_t room = sizeof(l->text) - l->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len += (size_t)n < room ? (size_t)n : room - 1;
}

static const char *proto_name(uint8_t proto)
{
	switch (proto) {
	case SLUICE_TCP:
		return "tcp";
	case SLUICE_UDP:
		return "udp";
	default:
		return "ping";
	}
}

static const char *why_name(uint8_t why)
{
	static const char *const names[] = {
		[SLUICE_WHY_DONE] = "done",
		[SLUICE_WHY_REFUSED] = "refused",
		[SLUICE_WHY_UNREACH] = "unreachable",
		[SLUICE_WHY_TIMEOUT] = "timeout",
		[SLUICE_WHY_RESET] = "reset",
		[SLUICE_WHY_POLICY] = "policy",
		[SLUICE_WHY_IDLE] = "idle",
		[SLUICE_WHY_STOP] = "stop",
		[SLUICE_WHY_ERROR] = "error",
	};

	return why < sizeof(names) / sizeof(*names) ? names[why] : "error";
}

/* "192.0.2.1:80", "[2001:db8::1]:80"; without a port for ping. */
static const char *addr_name(const struct sluice_addr *a,
			     char buf[static ADDR_MAX_TEXT])
{
	char ip[INET6_ADDRSTRLEN] = "-";

	if (a->family)
		inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->ip, ip,
			  sizeof(ip));
	if (!a->port)
		snprintf(buf, ADDR_MAX_TEXT, "%s", ip);
	else
		snprintf(buf, ADDR_MAX_TEXT,
			 a->family == 6 ? "[%s]:%u" : "%s:%u", ip, a->port);
	return buf;
}

/* Names come from the net: nothing but printable ASCII gets into a line. */
static const char *printable(const char *text, int json, char first, char *buf,
			     size_t size)
{
	size_t n = 0;

	for (; text && *text && n < size - 3; text++) {
		if (json && (*text == '"' || *text == '\\'))
			buf[n++] = '\\';
		buf[n++] = *text >= first && *text <= '~' ? *text : '?';
	}
	buf[n] = '\0';
	return buf;
}

static const char *name_text(const char *name, int json,
			     char buf[static NAME_MAX_TEXT])
{
	return printable(name, json, '!', buf, NAME_MAX_TEXT);
}

static void add_time(struct line *l)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	add(l, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    now.tv_nsec / 1000000);
}

static void add_text(struct line *l, const struct sluice_flow_event *e,
		     uint64_t ms)
{
	const struct sluice_flow_info *i = e->info;
	char app[ADDR_MAX_TEXT], dst[ADDR_MAX_TEXT], name[NAME_MAX_TEXT];

	add_time(l);
	add(l, " flow %" PRIu64 " %s %s > %s", i->id, proto_name(i->proto),
	    addr_name(&i->app, app), addr_name(&i->dst, dst));
	if (i->name)
		add(l, " (%s)", name_text(i->name, 0, name));
	add(l, " %s up %" PRIu64 " down %" PRIu64 " in %" PRIu64 ".%03us %s\n",
	    e->plugin ? e->plugin : "-", e->stats->up_bytes,
	    e->stats->down_bytes, ms / 1000, (unsigned int)(ms % 1000),
	    why_name(e->why));
}

static void add_json(struct line *l, const struct sluice_flow_event *e,
		     uint64_t ms)
{
	const struct sluice_flow_info *i = e->info;
	char app[ADDR_MAX_TEXT], dst[ADDR_MAX_TEXT], name[NAME_MAX_TEXT];

	add(l, "{\"time\":\"");
	add_time(l);
	add(l,
	    "\",\"flow\":%" PRIu64 ",\"proto\":\"%s\",\"app\":\"%s\","
	    "\"dst\":\"%s\"",
	    i->id, proto_name(i->proto), addr_name(&i->app, app),
	    addr_name(&i->dst, dst));
	if (i->name)
		add(l, ",\"name\":\"%s\"", name_text(i->name, 1, name));
	if (e->plugin)
		add(l, ",\"plugin\":\"%s\"", e->plugin);
	add(l,
	    ",\"up_bytes\":%" PRIu64 ",\"down_bytes\":%" PRIu64
	    ",\"ms\":%" PRIu64 ",\"why\":\"%s\"}\n",
	    e->stats->up_bytes, e->stats->down_bytes, ms, why_name(e->why));
}

#define TABLE "%6s %-5s %-23s %-27s %-12s %9s %9s %8s %-11s %s\n"

static void add_table(struct line *l, const struct sluice_flow_event *e,
		      uint64_t ms)
{
	const struct sluice_flow_info *i = e->info;
	char app[ADDR_MAX_TEXT], dst[ADDR_MAX_TEXT], name[NAME_MAX_TEXT];
	char id[24], up[24], down[24], took[24];

	snprintf(id, sizeof(id), "%" PRIu64, i->id);
	snprintf(up, sizeof(up), "%" PRIu64, e->stats->up_bytes);
	snprintf(down, sizeof(down), "%" PRIu64, e->stats->down_bytes);
	snprintf(took, sizeof(took), "%" PRIu64 ".%03us", ms / 1000,
		 (unsigned int)(ms % 1000));
	add(l, TABLE, id, proto_name(i->proto), addr_name(&i->app, app),
	    addr_name(&i->dst, dst), e->plugin ? e->plugin : "-", up, down,
	    took, why_name(e->why),
	    i->name ? name_text(i->name, 0, name) : "-");
}

static void add_head(struct line *l)
{
	add(l, TABLE, "flow", "proto", "app", "dst", "plugin", "up", "down",
	    "time", "why", "name");
}

/* All of the line or nothing of it.  A pipe that has no room for a whole
 * line may still cut it: then its end is missing, which a reader sees. */
static void put(struct flowlog *f, const struct line *l)
{
	struct pollfd p = { .fd = f->fd, .events = POLLOUT };

	if (!f->regular && poll(&p, 1, 0) != 1) {
		f->lost++;
		return;
	}
	if (write(f->fd, l->text, l->len) != (ssize_t)l->len) {
		f->lost++;
		return;
	}
	if (f->lost)
		sluice_log(f->ctx, 4, "%" PRIu64 " lines could not be written",
			   f->lost);
	f->lost = 0;
}

static void flow_seen(void *self, const struct sluice_flow_event *e)
{
	struct flowlog *f = self;
	uint64_t ms = sluice_now(f->ctx) - e->stats->born_ms;
	struct line l;

	if (e->event != SLUICE_EVENT_CLOSE)
		return;
	l.len = 0;
	if (f->format == FORMAT_JSON)
		add_json(&l, e, ms);
	else if (f->format == FORMAT_TABLE)
		add_table(&l, e, ms);
	else
		add_text(&l, e, ms);
	/* The end of a line that was cut must still be one. */
	l.text[l.len - 1] = '\n';
	put(f, &l);
}

/* --------------------------------------------------------------------- dns */

static const char *type_name(uint16_t type, char buf[static 12])
{
	static const struct {
		uint16_t type;
		const char *name;
	} names[] = {
		{ 1, "A" },    { 2, "NS" },    { 5, "CNAME" },  { 6, "SOA" },
		{ 12, "PTR" }, { 15, "MX" },   { 16, "TXT" },   { 28, "AAAA" },
		{ 33, "SRV" }, { 64, "SVCB" }, { 65, "HTTPS" }, { 255, "ANY" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].type == type)
			return names[i].name;
	snprintf(buf, 12, "TYPE%u", type);
	return buf;
}

static const char *rcode_name(const struct sluice_dns_event *e,
			      char buf[static 12])
{
	static const char *const names[] = { "NOERROR",  "FORMERR", "SERVFAIL",
					     "NXDOMAIN", "NOTIMP",  "REFUSED" };

	if (e->dropped)
		return "dropped";
	if (e->rcode < sizeof(names) / sizeof(*names))
		return names[e->rcode];
	snprintf(buf, 12, "RCODE%u", e->rcode);
	return buf;
}

/* An event as words. */
struct dns_text {
	char app[ADDR_MAX_TEXT], server[ADDR_MAX_TEXT], name[NAME_MAX_TEXT];
	char why[WHY_MAX_TEXT], type_buf[12], rcode_buf[12];
	const char *type, *rcode;
};

static void dns_texts(const struct flowlog *f, const struct sluice_dns_event *e,
		      struct dns_text *t)
{
	const struct sluice_query_info *i = e->info;
	int json = f->format == FORMAT_JSON;

	strcpy(t->app, "-");
	if (f->options->dns_app)
		addr_name(&i->app, t->app);
	addr_name(&i->server, t->server);
	name_text(i->name, json, t->name);
	printable(e->reason, json, ' ', t->why, sizeof(t->why));
	t->type = type_name(i->qtype, t->type_buf);
	t->rcode = rcode_name(e, t->rcode_buf);
}

static void add_dns_text(struct line *l, const struct sluice_dns_event *e,
			 const struct dns_text *t)
{
	add_time(l);
	add(l, " dns %" PRIu64 " %s %s > %s %s %s %s in %u.%03us %s",
	    e->info->id, e->info->tcp ? "tcp" : "udp", t->app, t->server,
	    t->name, t->type, e->plugin ? e->plugin : "-", e->took_ms / 1000,
	    e->took_ms % 1000, t->rcode);
	add(l, *t->why ? ": %s\n" : "%s\n", t->why);
}

static void add_dns_json(struct line *l, const struct sluice_dns_event *e,
			 const struct dns_text *t)
{
	add(l, "{\"time\":\"");
	add_time(l);
	add(l, "\",\"dns\":%" PRIu64 ",\"proto\":\"%s\"", e->info->id,
	    e->info->tcp ? "tcp" : "udp");
	if (strcmp(t->app, "-") != 0)
		add(l, ",\"app\":\"%s\"", t->app);
	add(l, ",\"server\":\"%s\",\"name\":\"%s\",\"type\":\"%s\"", t->server,
	    t->name, t->type);
	if (e->plugin)
		add(l, ",\"plugin\":\"%s\"", e->plugin);
	add(l, ",\"ms\":%u,\"rcode\":\"%s\"", e->took_ms, t->rcode);
	if (*t->why)
		add(l, ",\"reason\":\"%s\"", t->why);
	add(l, "}\n");
}

static void add_dns_table(struct line *l, const struct sluice_dns_event *e,
			  const struct dns_text *t)
{
	char id[24], up[24], down[24], took[24], name[NAME_MAX_TEXT + 12];

	snprintf(id, sizeof(id), "%" PRIu64, e->info->id);
	snprintf(up, sizeof(up), "%u", e->info->msg_len);
	snprintf(down, sizeof(down), "%u", e->reply_len);
	snprintf(took, sizeof(took), "%u.%03us", e->took_ms / 1000,
		 e->took_ms % 1000);
	snprintf(name, sizeof(name), "%s %s", t->name, t->type);
	add(l, TABLE, id, "dns", t->app, t->server, e->plugin ? e->plugin : "-",
	    up, down, took, t->rcode, name);
}

/* So many a second; what is beyond is counted, and told with the next. */
static int dns_has_room(struct flowlog *f)
{
	uint64_t second = sluice_now(f->ctx) / 1000;

	if (second != f->second) {
		f->second = second;
		f->dns_lines = 0;
	}
	if (f->options->dns_rate && f->dns_lines == f->options->dns_rate) {
		f->dns_lost++;
		return 0;
	}
	f->dns_lines++;
	if (f->dns_lost)
		sluice_log(f->ctx, 4,
			   "%" PRIu64
			   " DNS questions without a line (dns-rate)",
			   f->dns_lost);
	f->dns_lost = 0;
	return 1;
}

static void dns_seen(void *self, const struct sluice_dns_event *e)
{
	struct flowlog *f = self;
	struct dns_text t;
	struct line l;

	if (f->options->dns == DNS_NO ||
	    (f->options->dns == DNS_RULES && !e->reason) || !dns_has_room(f))
		return;
	dns_texts(f, e, &t);
	l.len = 0;
	if (f->format == FORMAT_JSON)
		add_dns_json(&l, e, &t);
	else if (f->format == FORMAT_TABLE)
		add_dns_table(&l, e, &t);
	else
		add_dns_text(&l, e, &t);
	put(f, &l);
}

/* ------------------------------------------------------------------- life */

/* The descriptor to write to, ours to close, or -errno. */
static int open_log(struct sluice_ctx *ctx, const struct options *o)
{
	int fd;

	if (*o->file && o->fd >= 0)
		return sluice_fail(ctx, EINVAL, "file and fd: one of them");
	if (*o->file)
		fd = open(o->file,
			  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
			  0640);
	else
		fd = fcntl(o->fd >= 0 ? (int)o->fd : STDERR_FILENO,
			   F_DUPFD_CLOEXEC, 3);
	if (fd >= 0)
		return fd;
	if (*o->file)
		return sluice_fail(ctx, errno, "file: %s: %m", o->file);
	return sluice_fail(ctx, errno, "fd: %d: %m", (int)o->fd);
}

static int log_create(struct sluice_ctx *ctx, const void *options, void **self)
{
	const struct options *o = options;
	int fd = open_log(ctx, o);
	struct flowlog *f;
	struct stat st;
	struct line l = { .len = 0 };

	if (fd < 0)
		return fd;
	f = calloc(1, sizeof(*f));
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	f->ctx = ctx;
	f->options = o;
	f->format = (enum format)o->format;
	f->fd = fd;
	f->regular = !fstat(fd, &st) && S_ISREG(st.st_mode);
	if (f->format == FORMAT_TABLE) {
		add_head(&l);
		put(f, &l);
	}
	*self = f;
	return 0;
}

static void log_destroy(void *self)
{
	struct flowlog *f = self;

	close(f->fd);
	free(f);
}

static const struct sluice_option log_options[] = {
	{ .key = "file",
	  .type = SLUICE_OPT_STR,
	  .preset = "",
	  .offset = offsetof(struct options, file),
	  .help = "file that lines are added to; stderr when empty" },
	{ .key = "fd",
	  .type = SLUICE_OPT_INT,
	  .preset = "-1",
	  .min = -1,
	  .max = INT32_MAX,
	  .offset = offsetof(struct options, fd),
	  .help = "open descriptor to write to instead" },
	{ .key = "format",
	  .type = SLUICE_OPT_ENUM,
	  .preset = "text",
	  .offset = offsetof(struct options, format),
	  .help = "text|json|table: how a line looks" },
	{ .key = "dns",
	  .type = SLUICE_OPT_ENUM,
	  .preset = "no",
	  .offset = offsetof(struct options, dns),
	  .help = "no|rules|yes: a line for each DNS question, or for those "
		  "that a rule is about" },
	{ .key = "dns-app",
	  .type = SLUICE_OPT_BOOL,
	  .preset = "yes",
	  .offset = offsetof(struct options, dns_app),
	  .help = "who asked is in such a line" },
	{ .key = "dns-rate",
	  .type = SLUICE_OPT_INT,
	  .preset = "1000",
	  .max = 1000000,
	  .offset = offsetof(struct options, dns_rate),
	  .help = "lines about DNS a second at most; 0: no limit" },
	{ .key = NULL }
};

static const struct sluice_observe_ops log_ops = {
	.size = sizeof(log_ops),
	.flags = SLUICE_SEE_FLOWS | SLUICE_SEE_DNS,
	.flow = flow_seen,
	.dns = dns_seen,
};

SLUICE_PLUGIN(flow_log) = {
	SLUICE_HEAD,
	.name = "flow-log",
	.version = "1.0",
	.summary = "writes a line for each flow that ended, and for DNS",
	.license = "MIT",
	.options = log_options,
	.options_bytes = sizeof(struct options),
	.create = log_create,
	.destroy = log_destroy,
	.observe = &log_ops,
};
