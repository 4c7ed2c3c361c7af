/* SPDX-License-Identifier: MIT */
/* frame.c - messages in a stream of bytes (RFC 1035, 4.2.2; RFC 7858, 3.3)
 *
 * Two bytes of length before each.  stream.in grows with what came, not with
 * what was promised, and never beyond one message and one read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

int buffer_add(struct buffer *b, const uint8_t *p, size_t n)
{
	size_t cap = b->cap ? b->cap : 512;
	uint8_t *bigger;

	if (b->at == b->len)
		b->at = b->len = 0;
	if (b->at && b->len + n > b->cap) {
		memmove(b->p, b->p + b->at, b->len - b->at);
		b->len -= b->at;
		b->at = 0;
	}
	while (cap < b->len + n)
		cap *= 2;
	if (cap != b->cap) {
		bigger = realloc(b->p, cap);
		if (!bigger)
			return -ENOMEM;
		b->p = bigger;
		b->cap = cap;
	}
	memcpy(b->p + b->len, p, n);
	b->len += n;
	return 0;
}

void buffer_free(struct buffer *b)
{
	free(b->p);
	memset(b, 0, sizeof(*b));
}

int frame_send(struct stream *s, struct try *t)
{
	uint8_t *out = s->up->out;
	size_t len = try_message(t, out + 2);

	msg_put16(out, (uint32_t)len);
	return stream_put(s, out, len + 2);
}

int frame_read(struct stream *s, const uint8_t *p, size_t n)
{
	struct buffer *b = &s->in;
	int err = buffer_add(b, p, n);

	while (!err && b->len - b->at >= 2) {
		uint8_t *msg = b->p + b->at + 2;
		size_t len = msg_get16(msg - 2);

		if (b->len - b->at < 2 + len)
			break;
		b->at += 2 + len;
		stream_message(s, msg, len);
	}
	return err;
}
