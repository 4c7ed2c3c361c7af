/* SPDX-License-Identifier: MIT */
/* msg.h - DNS messages, as far as dns-upstream has to know them */
#ifndef MSG_H
#define MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MSG_HEADER   12u
#define MSG_MAX      65535u
#define MSG_QUESTION 259u  /* a name of 255 bytes, type and class */
#define MSG_EDNS     1232u /* larger answers would come in fragments */
#define MSG_QUERY    1024u /* what msg_query() makes always fits */
#define MSG_EDE      66u   /* an extended error: code and text */

#define MSG_A     1
#define MSG_CNAME 5
#define MSG_SOA   6
#define MSG_AAAA  28
#define MSG_OPT   41
#define MSG_IXFR  251
#define MSG_AXFR  252
#define MSG_ANY   255
#define MSG_IN    1

#define MSG_NOERROR  0
#define MSG_FORMERR  1
#define MSG_SERVFAIL 2
#define MSG_NXDOMAIN 3
#define MSG_NOTIMP   4
#define MSG_REFUSED  5

#define MSG_EDE_STALE       3 /* RFC 8914, 4 */
#define MSG_EDE_CACHED      13
#define MSG_EDE_UNREACHABLE 22
#define MSG_EDE_NETWORK     23

#define MSG_TC(p)    ((p)[2] & 0x02)
#define MSG_RD(p)    ((p)[2] & 0x01)
#define MSG_AD(p)    ((p)[3] & 0x20)
#define MSG_CD(p)    ((p)[3] & 0x10)
#define MSG_RCODE(p) ((p)[3] & 0x0f)

struct msg {
	size_t len;        /* to the end of the last record */
	uint16_t count[4]; /* question, answer, authority, additional */
	uint16_t qtype, qclass;
	uint16_t question;   /* bytes of it, after the header; 0: none */
	uint16_t opt_at;     /* the OPT record; 0: none */
	uint16_t opt_len;    /* of its options */
	uint16_t before_opt; /* additional records before it */
	uint8_t ext_rcode;   /* the upper bits */
	bool dnssec_ok;
};

/* Walk all of a message.  False: it is none.  Where pointers lead is left to
 * the core, which reads every answer again. */
bool msg_read(struct msg *m, const uint8_t *p, size_t len);

/* Is p (read as m) what a server says to this question?  Names may come in
 * other letters; one that refuses may leave the question out.  The id has been
 * looked at before. */
bool msg_answers(const uint8_t *p, const struct msg *m, const uint8_t *question,
		 size_t len);

/* Bits of a query that make its answer another one. */
#define MSG_ASK_RD 0x1u
#define MSG_ASK_CD 0x2u
#define MSG_ASK_DO 0x4u
unsigned int msg_ask_flags(const uint8_t *p, const struct msg *m);

/* The query for a question, with an id and our own EDNS; ecs: an option to
 * send along (code and length too), or NULL; pad: fill it up to a multiple of
 * 128 bytes (RFC 8467, 4.1).  edns false: bare, for servers of old.  The
 * length. */
struct msg_query {
	const uint8_t *question;
	size_t question_len;
	uint16_t id;
	unsigned int flags; /* MSG_ASK_* */
	const uint8_t *ecs;
	size_t ecs_len;
	bool edns, pad;
};
size_t msg_query(uint8_t out[MSG_QUERY], const struct msg_query *q);
/* The client-subnet option of a query, or NULL (RFC 7871). */
const uint8_t *msg_ecs(const uint8_t *p, const struct msg *m, size_t *len);

/* An answer without what concerned only us and its server: OPT, and what
 * followed it, are gone; its extended error is kept aside. */
struct msg_answer {
	const uint8_t *p;
	size_t len;
	uint8_t ext_rcode;
	uint8_t ede_len; /* 0: none, else code and text */
	uint8_t ede[MSG_EDE];
};
void msg_strip(uint8_t *p, const struct msg *m, struct msg_answer *a);
void msg_set_ede(struct msg_answer *a, int code, const char *text);
/* The answer to a query as it came: with OPT if that had one.  out has room
 * for MSG_MAX bytes; the length. */
size_t msg_finish(uint8_t *out, const struct msg_answer *a,
		  const uint8_t *query, size_t query_len);
/* An answer that says only this. */
void msg_error(uint8_t out[MSG_HEADER + MSG_QUESTION], const uint8_t *question,
	       size_t len, unsigned int flags, int rcode, struct msg_answer *a);

/* How many seconds an answer may be kept, by its own records (RFC 2308, 5,
 * and RFC 2181, 8).  0: not at all.  *negative: it says that there is
 * nothing. */
uint32_t msg_lifetime(const uint8_t *p, size_t len, bool *negative);
/* All its TTLs become theirs less age, but least..most. */
void msg_set_ttls(uint8_t *p, size_t len, uint32_t age, uint32_t least,
		  uint32_t most);

/* The addresses of an answer of this type, and for how long they hold. */
struct sluice_addr;
size_t msg_addresses(const uint8_t *p, size_t len, struct sluice_addr *v,
		     size_t n, uint32_t *ttl);

static inline uint16_t msg_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t msg_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static inline void msg_put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void msg_put32(uint8_t *p, uint32_t v)
{
	msg_put16(p, v >> 16);
	msg_put16(p + 2, v);
}

#endif
