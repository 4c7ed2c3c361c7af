/* SPDX-License-Identifier: MIT */
/* dnsmsg.h - DNS messages: read, checked, built, cut
 *
 * Pure: no state, no logging, no memory that is not the caller's.  Nothing
 * reads past what it was given, and the time a message takes is bounded by
 * its size: names have at most 127 labels and pointers that go backwards,
 * and a header that promises more records than fit is refused at once.
 */
#ifndef CORE_DNSMSG_H
#define CORE_DNSMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/plugin.h>

#define DNSMSG_HEADER 12u
#define DNSMSG_MAX    65535u
#define DNSMSG_WIRE   255u  /* a name, RFC 1035 2.3.4 */
#define DNSMSG_TEXT   1008u /* the same as text, every byte as \DDD, and NUL */
#define DNSMSG_SMALL  512u  /* what UDP may carry without EDNS */
#define DNSMSG_EDNS   1232u /* and with it, so that nothing is fragmented */

#define DNSMSG_QR            0x8000u
#define DNSMSG_AA            0x0400u
#define DNSMSG_TC            0x0200u
#define DNSMSG_RD            0x0100u
#define DNSMSG_RA            0x0080u
#define DNSMSG_AD            0x0020u
#define DNSMSG_CD            0x0010u
#define DNSMSG_OPCODE(flags) ((flags) >> 11 & 0xf)
#define DNSMSG_RCODE(flags)  ((flags)&0xf)

#define DNSMSG_NOERROR  0
#define DNSMSG_FORMERR  1
#define DNSMSG_SERVFAIL 2
#define DNSMSG_NXDOMAIN 3
#define DNSMSG_NOTIMP   4
#define DNSMSG_REFUSED  5

#define DNSMSG_A     1
#define DNSMSG_CNAME 5
#define DNSMSG_SOA   6
#define DNSMSG_AAAA  28
#define DNSMSG_OPT   41
#define DNSMSG_IXFR  251
#define DNSMSG_AXFR  252
#define DNSMSG_ANY   255
#define DNSMSG_IN    1

/* Extended errors, RFC 8914. */
#define DNSMSG_EDE_NONE        (-1)
#define DNSMSG_EDE_BLOCKED     15
#define DNSMSG_EDE_UNREACHABLE 22 /* No Reachable Authority */
#define DNSMSG_EDE_NETWORK     23

struct dnsmsg {
	uint32_t len; /* to the end of the last record */
	uint16_t id, flags;
	uint16_t count[4]; /* question, answer, authority, additional */
	uint16_t qtype, qclass;
	uint16_t question; /* bytes of it, after the header; 0: none */
	uint16_t opt_at;   /* the OPT record; 0: none */
	uint16_t opt_len;
	uint16_t edns_size;
	uint8_t edns_version;
	bool dnssec_ok;
};

/* Walk all of a message.  0, or -EBADMSG; m then holds what was read until
 * then (nothing at all if len < DNSMSG_HEADER).  More than one question is
 * bad, none is not: errors of servers come like that. */
int dnsmsg_parse(struct dnsmsg *m, const void *msg, size_t len);

/* The name at `at` as text in out: lower case, no final dot, zone-file
 * escapes, "." for the root.  The length, or -EBADMSG. */
int dnsmsg_name(const void *msg, size_t len, size_t at, char out[DNSMSG_TEXT]);
/* And back, uncompressed.  The length, or -EINVAL. */
int dnsmsg_name_wire(const char *text, uint8_t out[DNSMSG_WIRE]);

/* Is reply the answer to query as sent with id?  A server that refuses may
 * leave the question out; one that answers may not. */
bool dnsmsg_answers(const void *query, const struct dnsmsg *q,
		    const void *reply, const struct dnsmsg *r, uint16_t id);

/* The largest answer the sender of q takes over UDP through this MTU. */
uint32_t dnsmsg_udp_size(const struct dnsmsg *q, int family, uint32_t mtu);

/* The addresses that an answer gives: A and AAAA records of its answer
 * section that are of the question's type (either, if that is ANY), whoever
 * owns them, so those at the end of a CNAME chain too.  None for an error or
 * a message that is no answer; the walk ends where a record is broken. */
struct dnsmsg_addrs {
	const uint8_t *msg;
	size_t len, at;
	uint16_t left, qtype;
};
void dnsmsg_addrs_init(struct dnsmsg_addrs *w, const void *msg, size_t len);
bool dnsmsg_addrs_next(struct dnsmsg_addrs *w, struct sluice_addr *a,
		       uint32_t *ttl);

struct dnsmsg_answer {
	uint8_t rcode;
	bool soa;         /* no data: say for how long that holds */
	bool tc;          /* and cut: ask over TCP */
	int ede;          /* DNSMSG_EDE_*; goes out if the query had EDNS */
	const char *text; /* of it, or NULL */
	uint32_t ttl;
	const struct sluice_addr *addr; /* those of the question's type are */
	size_t n;                       /* taken, as far as they fit */
	const uint8_t *records;         /* before them, as they stand */
	size_t records_len;
	uint16_t records_n;
};

/* An answer made here, with the question as it came and EDNS if that had it.
 * The length, 0 if cap is too small.  DNSMSG_MADE bytes always do without
 * addresses, each of which takes 28 more, and records. */
#define DNSMSG_MADE 512u
size_t dnsmsg_make(uint8_t *out, size_t cap, const void *query,
		   const struct dnsmsg *q, const struct dnsmsg_answer *a);

/* dnssay.c: an answer as a plugin says it with answer_addr(), block() (false:
 * there is no such way) and respond(). */
struct dnsmsg_answer dnsmsg_of_addrs(const struct sluice_addr *v, size_t n,
				     uint32_t ttl);
bool dnsmsg_of_block(struct dnsmsg_answer *a, int how);
struct dnsmsg_answer dnsmsg_of_response(const struct sluice_response *r);

/* dnsjoin.c: records that lead from the name asked for to another, whole and
 * uncompressed, a CNAME last. */
#define DNSMSG_CHAIN 4096u /* bytes: pointers reach past them */
struct dnsmsg_chain {
	const uint8_t *records;
	uint32_t len;
	uint16_t n;
};
/* The same question about the name they lead to, with its EDNS but for the
 * options.  The length, or -EINVAL: they lead nowhere, or are too long. */
#define DNSMSG_OPT_BARE 11u
#define DNSMSG_AIMED    (DNSMSG_HEADER + DNSMSG_WIRE + 4 + DNSMSG_OPT_BARE)
int dnsmsg_aim(uint8_t out[DNSMSG_AIMED], const void *query,
	       const struct dnsmsg *q, const struct dnsmsg_chain *c);
/* The answer to query: these records, and the reply (parsed as r) to what
 * dnsmsg_aim() made.  The length; 0: cap is too small, or the reply cannot be
 * moved. */
size_t dnsmsg_join(uint8_t *out, size_t cap, const void *query,
		   const struct dnsmsg *q, const struct dnsmsg_chain *c,
		   const void *reply, const struct dnsmsg *r);

/* Make msg (parsed as m) the answer to query: its id, its question letter by
 * letter, QR, RD.  0, or -EBADMSG if it was asked something else. */
int dnsmsg_adopt(uint8_t *msg, const struct dnsmsg *m, const void *query,
		 const struct dnsmsg *q);

/* Cut to max bytes (at least DNSMSG_SMALL): whole records only, OPT kept, TC
 * set.  The new length; msg must have been parsed. */
size_t dnsmsg_cut(uint8_t *msg, size_t len, size_t max);

#endif
