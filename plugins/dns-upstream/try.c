/* SPDX-License-Identifier: MIT */
/* try.c - one question on its way to one server
 *
 *	free --begin--> carried by a socket or a connection --> answered
 *	  ^                 |             |
 *	  +----- end -------+-- failed ---+--> the ask decides
 *
 * A stranger who wants to answer in a server's place has to guess an id, of
 * 65,536, and the port of the socket; and be first; and know the question,
 * which goes out once at a time.  Ids are the kernel's random numbers.
 */
#include "try.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "ask.h"

/* Without random numbers nothing is asked: the instance had some at its
 * start, and the kernel does not run out. */
uint16_t try_random(struct upstream *up)
{
	while (!up->random_n) {
		ssize_t n = getrandom(up->random, sizeof(up->random), 0);

		if (n > 0)
			up->random_n = (uint32_t)n / 2;
	}
	return up->random[--up->random_n];
}

static struct try **bucket(struct ids *ids, uint16_t id)
{
	return &ids->bucket[id % IDS_BUCKETS];
}

void ids_add(struct ids *ids, struct try *t)
{
	do {
		t->id = try_random(t->ask->up);
	} while (ids_find(ids, t->id));
	t->same = *bucket(ids, t->id);
	*bucket(ids, t->id) = t;
	ids->n++;
}

void ids_remove(struct ids *ids, struct try *t)
{
	struct try **at = bucket(ids, t->id);

	while (*at != t)
		at = &(*at)->same;
	*at = t->same;
	ids->n--;
}

struct try *ids_find(const struct ids *ids, uint16_t id)
{
	struct try *t = ids->bucket[id % IDS_BUCKETS];

	while (t && t->id != id)
		t = t->same;
	return t;
}

struct try *ids_first(const struct ids *ids)
{
	for (unsigned int i = 0; ids->n && i < IDS_BUCKETS; i++)
		if (ids->bucket[i])
			return ids->bucket[i];
	return NULL;
}

int try_begin(struct try *t, struct ask *a, struct server *s, uint8_t kind)
{
	struct upstream *up = a->up;
	int err;

	*t = (struct try){ .ask = a, .kind = kind };
	t->server = server_get(s);
	t->began = sluice_now(up->ctx);
	t->epoch = up->epoch;
	err = kind == URL_UDP ? ask_by_udp(up, t) : stream_send(up, t);
	if (err) {
		t->ask = NULL;
		server_put(s);
		return err;
	}
	TAILQ_INSERT_TAIL(&up->tries, t, node);
	upstream_tick_in(up, TICK_MS);
	return 0;
}

void try_end(struct try *t)
{
	struct server *s = t->server;

	if (!t->ask)
		return;
	TAILQ_REMOVE(&t->ask->up->tries, t, node);
	t->ask = NULL;
	if (t->udp)
		udp_leave(t);
	else if (t->stream)
		stream_leave(t);
	server_put(s);
}

size_t try_message(const struct try *t, uint8_t *out)
{
	const struct ask *a = t->ask;
	struct msg_query q = {
		.question = a->question.bytes,
		.question_len = a->question.len,
		.id = t->id,
		.flags = a->question.flags,
		.ecs = a->ecs_len ? a->ecs : NULL,
		.ecs_len = a->ecs_len,
		.edns = !a->bare,
		.pad = t->kind >= URL_TLS,
	};

	if (a->verbatim) {
		const struct sluice_query_info *i =
			sluice_query_info(a->waiters->query);

		memcpy(out, i->msg, i->msg_len);
		msg_put16(out, t->id);
		return i->msg_len;
	}
	return msg_query(out, &q);
}
