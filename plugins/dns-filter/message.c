/* SPDX-License-Identifier: MIT */
/* message.c - the records of a DNS message, one after the other
 *
 * A compression pointer must lead to before the labels it ends, and the next
 * one to before that: a walk only goes backwards, so it ends.
 */
#include "message.h"

#include <string.h>

#include "name.h"

size_t message_wire(const uint8_t *p, size_t len, size_t at, uint8_t out[255],
		    size_t *end)
{
	size_t n = 0, floor = at;
	bool jumped = false;

	for (;;) {
		uint8_t c;

		if (at >= len)
			return 0;
		c = p[at];
		if (c >= 0xc0) {
			size_t to;

			if (at + 1 >= len)
				return 0;
			to = (size_t)(c & 0x3f) << 8 | p[at + 1];
			if (!jumped)
				*end = at + 2;
			jumped = true;
			if (to >= floor || to < MESSAGE_HEADER)
				return 0;
			floor = at = to;
			continue;
		}
		if (c > 63 || at + 1 + c > len || n + 1 + c > 255)
			return 0;
		memcpy(out + n, p + at, 1u + c);
		n += 1u + c;
		at += 1u + c;
		if (!c) {
			if (!jumped)
				*end = at;
			return n;
		}
	}
}

/* A byte of a label as text; how many it takes. */
static size_t put_byte(char *out, uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		c |= 0x20;
	if (c > ' ' && c < 0x7f && !strchr(".\\\"();@$", c)) {
		out[0] = (char)c;
		return 1;
	}
	out[0] = '\\';
	if (c > ' ' && c < 0x7f) {
		out[1] = (char)c;
		return 2;
	}
	out[1] = (char)('0' + c / 100);
	out[2] = (char)('0' + c / 10 % 10);
	out[3] = (char)('0' + c % 10);
	return 4;
}

bool message_name(const uint8_t *p, size_t len, size_t at, char *out,
		  size_t *end)
{
	uint8_t wire[255];
	size_t n = message_wire(p, len, at, wire, end), to = 0;

	if (!n)
		return false;
	for (size_t i = 0; wire[i]; i += 1u + wire[i]) {
		if (to)
			out[to++] = '.';
		for (size_t k = 1; k <= wire[i]; k++)
			to += put_byte(out + to, wire[i + k]);
	}
	out[to] = '\0';
	return true;
}

bool message_init(struct message *m, const uint8_t *p, size_t len)
{
	uint8_t wire[255];
	size_t end;

	memset(m, 0, sizeof(*m));
	m->p = p;
	m->len = len;
	if (len < MESSAGE_HEADER || message_u16(p + 4) != 1 ||
	    !message_wire(p, len, MESSAGE_HEADER, wire, &end) || end + 4 > len)
		return false;
	m->at = end + 4;
	for (int i = 0; i < 3; i++)
		m->left[i] = message_u16(p + 6 + 2 * i);
	return true;
}

bool message_next(struct message *m)
{
	uint8_t wire[255];
	const uint8_t *p;
	size_t end;

	while (m->section < 3 && !m->left[m->section])
		m->section++;
	if (m->section == 3 || !message_wire(m->p, m->len, m->at, wire, &end) ||
	    end + 10 > m->len)
		return false;
	m->left[m->section]--;
	p = m->p + end;
	m->owner = m->at;
	m->type = message_u16(p);
	m->klass = message_u16(p + 2);
	m->ttl = (uint32_t)message_u16(p + 4) << 16 | message_u16(p + 6);
	m->data_len = message_u16(p + 8);
	m->data = end + 10;
	m->at = m->data + m->data_len;
	return m->at <= m->len;
}
