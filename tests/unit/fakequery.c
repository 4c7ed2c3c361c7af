/* SPDX-License-Identifier: MIT */
/* fakequery.c - the fake core's queries and sockets
 *
 * What the plugin answers is kept for the test to look at.  Each may be
 * resolved once, and only after LATER.
 */
#include <errno.h>
#include <string.h>

#include "fakecore.h"
#include "unit.h"

static struct fake_query *query_of(struct sluice_query *p)
{
	struct fake_query *q = (struct fake_query *)p;

	CU_ASSERT_FATAL(q->verdict == -1 || q->verdict == SLUICE_LATER);
	return q;
}

static const struct sluice_query_info *query_info(struct sluice_query *p)
{
	return &query_of(p)->info;
}

static int query_answer(struct sluice_query *p, const void *msg, size_t len)
{
	struct fake_query *q = query_of(p);

	if (len < 12 || len > sizeof(q->answer))
		return -EBADMSG;
	memcpy(q->answer, msg, len);
	q->answer_len = len;
	return 0;
}

static int query_answer_addr(struct sluice_query *p,
			     const struct sluice_addr *v, size_t n,
			     uint32_t ttl)
{
	struct fake_query *q = query_of(p);

	if (n > sizeof(q->addrs) / sizeof(*q->addrs))
		return -ENOMEM;
	memcpy(q->addrs, v, n * sizeof(*v));
	q->addrs_n = n;
	q->ttl = ttl;
	return 0;
}

static int query_block(struct sluice_query *p, int how)
{
	CU_ASSERT(how >= SLUICE_BLOCK_NXDOMAIN && how <= SLUICE_BLOCK_SERVFAIL);
	query_of(p)->blocked = how;
	return 0;
}

static int query_forward(struct sluice_query *p,
			 const struct sluice_addr *server)
{
	struct fake_query *q = query_of(p);

	q->forwarded = server ? *server : q->info.server;
	q->is_forwarded = true;
	return SLUICE_LATER;
}

static void query_resolve(struct sluice_query *p, int verdict)
{
	struct fake_query *q = query_of(p);

	CU_ASSERT(verdict == SLUICE_TAKE || verdict == SLUICE_PASS ||
		  verdict == SLUICE_DROP);
	q->verdict = verdict;
}

static int query_respond(struct sluice_query *p,
			 const struct sluice_response *r)
{
	struct fake_query *q = query_of(p);

	CU_ASSERT_FATAL(r->size == sizeof(*r));
	CU_ASSERT_FATAL(r->records_len <= sizeof(q->records));
	CU_ASSERT_FATAL(r->n <= sizeof(q->addrs) / sizeof(*q->addrs));
	q->responded = true;
	q->response = *r;
	snprintf(q->text, sizeof(q->text), "%s", r->text ? r->text : "");
	q->response.text = q->text;
	if (r->records_len)
		memcpy(q->records, r->records, r->records_len);
	q->response.records = q->records;
	if (r->n)
		memcpy(q->addrs, r->addr, r->n * sizeof(*r->addr));
	q->addrs_n = r->n;
	q->ttl = r->ttl;
	return 0;
}

static void query_reason(struct sluice_query *p, const struct sluice_reason *r)
{
	struct fake_query *q = query_of(p);

	CU_ASSERT_FATAL(r->size == sizeof(*r));
	snprintf(q->reason, sizeof(q->reason), "%s %s:%u %s", r->what,
		 r->list ? r->list : "-", r->line, r->detail ? r->detail : "-");
}

static int query_follow(struct sluice_query *p, const uint8_t *records,
			uint32_t len, uint16_t n)
{
	struct fake_query *q = query_of(p);

	CU_ASSERT_FATAL(len <= sizeof(q->records));
	if (q->verdict != -1)
		return -EINVAL;
	memcpy(q->records, records, len);
	q->followed_len = len;
	q->followed_n = n;
	return 0;
}

static const struct sluice_query_api query_api = {
	.size = sizeof(query_api),
	.info = query_info,
	.answer = query_answer,
	.answer_addr = query_answer_addr,
	.block = query_block,
	.forward = query_forward,
	.resolve = query_resolve,
	.respond = query_respond,
	.reason = query_reason,
	.follow = query_follow,
};

/* The question as a message: a header, the name, type and class. */
static size_t write_question(uint8_t *msg, const char *name, uint16_t type)
{
	size_t at = 12, dot;

	memset(msg, 0, 12);
	msg[0] = 0x12;
	msg[1] = 0x34;
	msg[2] = 1; /* RD */
	msg[5] = 1; /* one question */
	while (*name && strcmp(name, ".")) {
		dot = strcspn(name, ".");
		msg[at++] = (uint8_t)dot;
		memcpy(msg + at, name, dot);
		at += dot;
		name += dot + (name[dot] == '.');
	}
	msg[at++] = 0;
	msg[at++] = (uint8_t)(type >> 8);
	msg[at++] = (uint8_t)type;
	msg[at++] = 0;
	msg[at++] = 1;
	return at;
}

void fake_query_init(struct fake_query *q, const char *name, uint16_t type,
		     const char *app, const char *server)
{
	static uint64_t id;

	memset(q, 0, sizeof(*q));
	q->pub.api = &query_api;
	q->verdict = -1;
	CU_ASSERT_FATAL(strlen(name) < sizeof(q->name));
	strcpy(q->name, name);
	q->info.size = sizeof(q->info);
	q->info.qtype = type;
	q->info.qclass = 1;
	q->info.name = q->name;
	q->info.msg = q->msg;
	q->info.msg_len = (uint32_t)write_question(q->msg, name, type);
	q->info.uid = -1;
	q->info.app = fake_addr(app);
	q->info.server = fake_addr(server);
	q->info.id = ++id;
	q->info.udp_size = 512;
}

int fake_query(struct fake *k, struct fake_query *q)
{
	int answer = k->plugin->dns->query(k->self, &q->pub);

	if (q->verdict == -1)
		q->verdict = answer;
	return answer;
}

int fake_reply(struct fake *k, struct fake_query *q, const uint8_t *msg,
	       size_t len)
{
	return k->plugin->dns->reply(k->self, &q->pub, msg, len);
}

/* ---------------------------------------------------------------- sockets */

static const struct sluice_socket_info *socket_info(struct sluice_socket *p)
{
	return &((struct fake_socket *)p)->info;
}

static void socket_resolve(struct sluice_socket *p, int verdict)
{
	struct fake_socket *s = (struct fake_socket *)p;

	CU_ASSERT_EQUAL(s->verdict, -1);
	CU_ASSERT(verdict == SLUICE_TAKE || verdict == SLUICE_PASS ||
		  verdict == SLUICE_DROP);
	s->verdict = verdict;
}

static const struct sluice_socket_api socket_api = {
	.size = sizeof(socket_api),
	.info = socket_info,
	.resolve = socket_resolve,
};

void fake_socket_init(struct fake_socket *s, int fd, uint8_t proto,
		      const char *to)
{
	memset(s, 0, sizeof(*s));
	s->pub.api = &socket_api;
	s->verdict = -1;
	s->info.size = sizeof(s->info);
	s->info.fd = fd;
	s->info.proto = proto;
	s->info.to = fake_addr(to);
}

int fake_socket(struct fake *k, struct fake_socket *s)
{
	s->answer = k->plugin->protect->protect(k->self, &s->pub);
	return s->answer;
}
