/* SPDX-License-Identifier: MIT */
/* udp.c - sockets of plain servers
 *
 *	dialling --> in use --old or used enough--> leaving --last try--> gone
 *	    |           |                              |
 *	    +-- error --+------------------------------+---> its tries failed
 *
 * Sockets are connected: the kernel hands on only what the server sends, and
 * tells when nobody listens there.  The port is the kernel's choice, at
 * random; a new socket, and with it a new port, is taken when the last is
 * older than 10 ms or has carried 64 questions.  So where questions are few,
 * each has a port of its own; where they come by the thousand, making
 * sockets costs them little, and who learns a port has no time to use it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ask.h"

#define AGE_MS   10
#define USES_MAX 64

struct udp {
	TAILQ_ENTRY(udp) node;
	struct upstream *up;
	struct server *server;
	struct ids ids;
	uint64_t born;
	uint32_t uses;
	int fd;    /* -1: dialling */
	int error; /* that a send was told: of those sent before it */
	bool busy; /* inside of its own event: not to be freed */
};

/* No more questions go out by it. */
static void retire(struct udp *u)
{
	if (u->server->udp == u)
		u->server->udp = NULL;
}

static void udp_free(struct udp *u)
{
	retire(u);
	TAILQ_REMOVE(&u->up->udps, u, node);
	if (u->fd >= 0) {
		sluice_watch(u->up->ctx, u->fd, 0, NULL, NULL);
		close(u->fd);
	}
	server_put(u->server);
	free(u);
}

static bool is_done(const struct udp *u)
{
	return !u->ids.n && !u->busy && u->server->udp != u;
}

static void fail_all(struct udp *u, int err)
{
	struct try *t;

	retire(u);
	u->busy = true;
	while ((t = ids_first(&u->ids)))
		try_failed(t,
			   err == -ELOOP ? "the way there is through us" :
					   strerror(-err),
			   false);
	u->busy = false;
	udp_free(u);
}

/* One that did not fit is as good as one that says so itself. */
static size_t cut_to_question(uint8_t *msg, size_t len)
{
	struct msg m;

	memset(msg + 6, 0, 6);
	msg[2] |= 0x02;
	return msg_read(&m, msg, len) ? m.len : 0;
}

static void read_one(struct udp *u, uint8_t *msg, size_t len, bool cut)
{
	struct try *t;

	if (cut && len >= MSG_HEADER)
		len = cut_to_question(msg, len);
	if (len < MSG_HEADER)
		return;
	t = ids_find(&u->ids, msg_get16(msg));
	if (t && !t->unsent)
		try_answered(t, msg, len);
}

/* All that is there, in one call.  It is told again what there is then, so a
 * flood waits its turn. */
static int read_batch(struct udp *u)
{
	uint8_t(*in)[BATCH_ROOM] = u->up->batch;
	struct mmsghdr m[BATCH];
	struct iovec v[BATCH];
	int n;

	for (int i = 0; i < BATCH; i++) {
		v[i] = (struct iovec){ .iov_base = in[i],
				       .iov_len = BATCH_ROOM };
		m[i].msg_hdr =
			(struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(u->fd, m, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++)
		read_one(u, in[i], m[i].msg_len,
			 m[i].msg_hdr.msg_flags & MSG_TRUNC);
	return 0;
}

static void udp_event(void *arg, int fd, uint32_t events)
{
	struct udp *u = arg;
	int err;

	(void)fd;
	(void)events;
	u->busy = true;
	err = read_batch(u);
	u->busy = false;
	if (err)
		fail_all(u, err);
	else if (is_done(u))
		udp_free(u);
}

/* What the kernel cannot take now is lost, as packets are. */
static int transmit(struct udp *u, struct try *t)
{
	uint8_t *out = u->up->out;
	size_t len = try_message(t, out);

	if (send(u->fd, out, len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ||
	    errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
		return 0;
	return -errno;
}

static void dialled(void *arg, int fd)
{
	struct udp *u = arg;
	int err = fd < 0 ? fd : 0;

	if (u->up->stopping) {
		if (fd >= 0)
			close(fd);
		udp_free(u);
		return;
	}
	if (!err) {
		u->fd = fd;
		u->born = sluice_now(u->up->ctx);
		err = sluice_watch(u->up->ctx, fd, SLUICE_WATCH_READ, udp_event,
				   u);
	}
	for (unsigned int i = 0; !err && i < IDS_BUCKETS; i++) {
		for (struct try *t = u->ids.bucket[i]; t; t = t->same) {
			t->unsent = false;
			if (!err)
				err = transmit(u, t);
		}
	}
	if (err)
		fail_all(u, err);
	else if (is_done(u))
		udp_free(u);
}

static struct udp *udp_new(struct upstream *up, struct server *s)
{
	struct udp *u = calloc(1, sizeof(*u));
	struct sluice_dial d = {
		.size = sizeof(d),
		.proto = SLUICE_UDP,
		.to = *server_addr(s),
		.timeout_ms = (uint32_t)up->options->try_timeout,
		.done = dialled,
		.arg = u,
	};
	int err;

	if (!u)
		return NULL;
	u->up = up;
	u->fd = -1;
	u->born = sluice_now(up->ctx);
	err = sluice_dial(up->ctx, &d);
	if (err) {
		free(u);
		errno = -err;
		return NULL;
	}
	u->server = server_get(s);
	s->udp = u;
	TAILQ_INSERT_TAIL(&up->udps, u, node);
	return u;
}

/* The socket for the next question, or NULL with errno. */
static struct udp *current(struct upstream *up, struct server *s)
{
	struct udp *u = s->udp;

	if (u && u->uses < USES_MAX &&
	    (u->fd < 0 || sluice_now(up->ctx) < u->born + AGE_MS))
		return u;
	if (u) {
		retire(u);
		if (is_done(u) && u->fd >= 0)
			udp_free(u);
	}
	return udp_new(up, s);
}

int ask_by_udp(struct upstream *up, struct try *t)
{
	struct udp *u = current(up, t->server);
	int err = 0;

	if (!u)
		return errno ? -errno : -ENOMEM;
	t->udp = u;
	ids_add(&u->ids, t);
	u->uses++;
	if (u->fd < 0)
		t->unsent = true;
	else
		err = transmit(u, t);
	if (err) {
		/* An ICMP error: those sent before are told by the tick. */
		u->error = err;
		retire(u);
		ids_remove(&u->ids, t);
		t->udp = NULL;
	}
	return err;
}

void udp_leave(struct try *t)
{
	struct udp *u = t->udp;

	ids_remove(&u->ids, t);
	t->udp = NULL;
	if (is_done(u) && u->fd >= 0)
		udp_free(u);
}

bool udp_sweep(struct upstream *up)
{
	uint64_t now = sluice_now(up->ctx);
	struct udp *u, *next;

	for (u = TAILQ_FIRST(&up->udps); u; u = next) {
		next = TAILQ_NEXT(u, node);
		if (u->error) {
			/* The tries that fail may make sockets, at the end of
			 * the list, and end others: begin again. */
			fail_all(u, u->error);
			next = TAILQ_FIRST(&up->udps);
		} else if (u->fd >= 0 && now >= u->born + AGE_MS) {
			retire(u);
			if (is_done(u))
				udp_free(u);
		}
	}
	return !TAILQ_EMPTY(&up->udps);
}

void udp_retire_all(struct upstream *up)
{
	struct udp *u;

	TAILQ_FOREACH(u, &up->udps, node)
	retire(u);
}

/* Those still dialling are ended by dialled(). */
void udp_stop(struct upstream *up)
{
	struct udp *u, *next;

	for (u = TAILQ_FIRST(&up->udps); u; u = next) {
		next = TAILQ_NEXT(u, node);
		if (u->fd >= 0)
			udp_free(u);
	}
}
