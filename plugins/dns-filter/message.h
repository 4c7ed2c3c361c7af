/* SPDX-License-Identifier: MIT */
/* message.h - the records of a DNS message, one after the other
 *
 * The core has checked the message before a plugin sees it; nothing here
 * relies on that.
 */
#ifndef DNS_FILTER_MESSAGE_H
#define DNS_FILTER_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_HEADER 12u

struct message {
	const uint8_t *p;
	size_t len, at;   /* at: of the next record */
	uint16_t left[3]; /* answer, authority, additional */
	/* the record at hand */
	int section; /* 0 to 2 */
	size_t owner, data;
	uint16_t type, klass, data_len;
	uint32_t ttl;
};

/* False: it has no question to begin after, or is no message. */
bool message_init(struct message *m, const uint8_t *p, size_t len);
/* False: that was the last, or it is broken. */
bool message_next(struct message *m);

/* The name at `at` as text in out (NAME_TEXT bytes): lower case, no final dot,
 * escapes, "" for the root; *end is what follows it.  False: it is broken. */
bool message_name(const uint8_t *p, size_t len, size_t at, char *out,
		  size_t *end);
/* The same in wire form; its length, or 0. */
size_t message_wire(const uint8_t *p, size_t len, size_t at, uint8_t out[255],
		    size_t *end);

static inline uint16_t message_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

#endif
