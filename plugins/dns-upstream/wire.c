/* SPDX-License-Identifier: MIT */
/* wire.c - what dns-upstream sends and reads
 *
 * The core has read the query before, so it can be walked without looking
 * out; the answer is a stranger's, of which only the question is looked at
 * here: the core reads the rest.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "ask.h"

#define EDNS_MAX 1232 /* answers above it would come in fragments */
#define OPT      41
#define IXFR     251
#define AXFR     252

static uint16_t fresh_id(struct upstream *up)
{
	if (!up->random_n && getrandom(up->random, sizeof(up->random), 0) > 0)
		up->random_n = sizeof(up->random) / sizeof(up->random[0]);
	return up->random_n ? up->random[--up->random_n] : 0;
}

/* Bytes of the question; the core has read the message already. */
static size_t question_len(const struct sluice_query_info *i)
{
	size_t at = HEADER;

	while (at < i->msg_len && i->msg[at])
		at += 1u + i->msg[at];
	return at + 5 - HEADER;
}

/* Is it the answer to our question?  Names may come in other letters; a
 * server that refuses may leave the question out. */
bool wire_is_answer(const struct ask *a, const uint8_t *msg, size_t len)
{
	const struct sluice_query_info *i = sluice_query_info(a->query);
	size_t n = question_len(i);

	if (len < HEADER || msg[0] != a->head[2] || msg[1] != a->head[3] ||
	    (msg[2] & 0xf8) != 0x80)
		return false;
	if (!msg[4] && !msg[5]) /* no question: no records either */
		return RCODE(msg) && !msg[6] && !msg[7] && !msg[8] && !msg[9];
	if (msg[4] || msg[5] != 1 || len < HEADER + n ||
	    memcmp(msg + HEADER + n - 4, i->msg + HEADER + n - 4, 4) != 0)
		return false;
	for (size_t at = HEADER; at < HEADER + n - 4; at++)
		if (tolower(msg[at]) != tolower(i->msg[at]))
			return false;
	return true;
}

void wire_begin(struct ask *a)
{
	const struct sluice_query_info *i = sluice_query_info(a->query);
	uint16_t id = fresh_id(a->up);

	a->head[0] = (uint8_t)(i->msg_len >> 8);
	a->head[1] = (uint8_t)i->msg_len;
	a->head[2] = (uint8_t)(id >> 8);
	a->head[3] = (uint8_t)id;
}

/* Transfers have no form for UDP (RFC 5936, 4.2). */
bool wire_wants_tcp(const struct ask *a)
{
	const struct sluice_query_info *i = sluice_query_info(a->query);

	return i->qtype == AXFR || i->qtype == IXFR || i->msg_len > EDNS_MAX;
}

/* With our id, and an EDNS size that does not ask for fragments.  Its OPT
 * nearly always follows the question. */
int wire_send_udp(struct ask *a)
{
	const struct sluice_query_info *i = sluice_query_info(a->query);
	size_t opt = HEADER + question_len(i);
	uint8_t *out = a->up->buf;

	memcpy(out, i->msg, i->msg_len);
	memcpy(out, a->head + 2, 2);
	if (!out[6] && !out[7] && !out[8] && !out[9] &&
	    opt + 11 <= i->msg_len && !out[opt] && !out[opt + 1] &&
	    out[opt + 2] == OPT &&
	    (out[opt + 3] << 8 | out[opt + 4]) > EDNS_MAX) {
		out[opt + 3] = EDNS_MAX >> 8;
		out[opt + 4] = EDNS_MAX & 0xff;
	}
	return send(a->fd, out, i->msg_len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ?
		       -errno :
		       0;
}

int wire_send_tcp(struct ask *a)
{
	const struct sluice_query_info *i = sluice_query_info(a->query);
	size_t head = a->sent < 4 ? 4 - a->sent : 0;
	size_t skip = a->sent > 4 ? a->sent - 4 : 0;
	struct iovec v[2] = {
		{ .iov_base = a->head + 4 - head, .iov_len = head },
		{ .iov_base = (void *)(uintptr_t)(i->msg + 2 + skip),
		  .iov_len = i->msg_len - 2 - skip },
	};
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
	ssize_t n = sendmsg(a->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	a->sent += (size_t)n;
	return a->sent == i->msg_len + 2;
}

int wire_read_tcp(struct ask *a)
{
	ssize_t n;

	if (a->got < 2) {
		n = recv(a->fd, a->len + a->got, 2 - a->got, MSG_DONTWAIT);
	} else {
		n = recv(a->fd, a->body.p + a->got - 2,
			 a->body.len + 2 - a->got, MSG_DONTWAIT);
	}
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!n)
		return -ECONNRESET;
	a->got += (size_t)n;
	if (a->got < 2)
		return 0;
	if (!a->body.p) {
		a->body.len = (size_t)a->len[0] << 8 | a->len[1];
		a->body.p = malloc(a->body.len + 1);
		if (!a->body.p)
			return -ENOMEM;
	}
	return a->got == a->body.len + 2;
}
