/* SPDX-License-Identifier: MIT */
/* protect-unix.c - another program protects our sockets
 *
 * The protect_path convention of Android's VPN programs: for each socket we
 * connect to a UNIX stream socket and send one byte with the descriptor; the
 * other side does what it must (VpnService.protect(), a mark) and answers one
 * byte, 0 for done.
 *
 *	protect() --connect--> asked --0--> TAKE
 *	    |  ^                 |
 *	    |  +- backlog full   +-- other byte, end, time limit --> DROP
 *	    |     try again           |
 *	    +-- nobody listens -------+
 *
 * Anything but a 0 in time refuses the socket.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <sluice/plugin.h>

#define RETRY_MS 5    /* while the other side's backlog is full */
#define QUIET_MS 1000 /* between two lines in the log */

struct options {
	const char *path;
	int64_t timeout;
};

struct protect {
	struct sluice_ctx *ctx;
	const struct options *options;
	struct sockaddr_un to;
	socklen_t to_len;
	struct ask *asks;
	uint64_t quiet_until;
	uint32_t unsaid;
};

struct ask {
	struct ask *next, **link;
	struct protect *p;
	struct sluice_socket *socket;
	struct sluice_timer *timer;
	uint64_t deadline;
	int fd; /* -1: not connected yet */
};

/* The core says that the socket was refused; why is known here only. */
static void say(struct protect *p, const char *text, int err)
{
	uint64_t now = sluice_now(p->ctx);

	if (now < p->quiet_until) {
		p->unsaid++;
		return;
	}
	sluice_log(p->ctx, 4, "%s: %s%s%s", p->options->path, text,
		   err ? ": " : "", err ? strerror(err) : "");
	if (p->unsaid)
		sluice_log(p->ctx, 4, "%s: %u more failures like it",
			   p->options->path, p->unsaid);
	p->quiet_until = now + QUIET_MS;
	p->unsaid = 0;
}

static void ask_free(struct ask *a)
{
	struct sluice_ctx *ctx = a->p->ctx;

	sluice_timer_stop(ctx, a->timer);
	if (a->fd >= 0) {
		sluice_watch(ctx, a->fd, 0, NULL, NULL);
		close(a->fd);
	}
	*a->link = a->next;
	if (a->next)
		a->next->link = a->link;
	free(a);
}

static void ask_end(struct ask *a, int verdict)
{
	struct sluice_socket *s = a->socket;

	ask_free(a);
	sluice_socket_resolve(s, verdict);
}

static void ask_answered(void *arg, int fd, uint32_t events)
{
	struct ask *a = arg;
	uint8_t answer;
	ssize_t n = recv(fd, &answer, 1, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 1 && answer == 0) {
		ask_end(a, SLUICE_TAKE);
		return;
	}
	if (n == 1)
		say(a->p, "answered no", 0);
	else
		say(a->p, "closed without an answer", n < 0 ? errno : 0);
	ask_end(a, SLUICE_DROP);
}

/* One byte with the descriptor: 0 or -errno. */
static int send_fd(int to, int fd)
{
	char byte = '!';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;

	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -errno;
}

/* 0: asked; -EAGAIN: the other side has too many waiting; or -errno. */
static int ask_send(struct ask *a)
{
	const struct protect *p = a->p;
	int err;

	a->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0)
		return -errno;
	if (connect(a->fd, (const struct sockaddr *)&p->to, p->to_len) < 0)
		err = -errno;
	else
		err = send_fd(a->fd, sluice_socket_info(a->socket)->fd);
	if (!err)
		err = sluice_watch(p->ctx, a->fd, SLUICE_WATCH_READ,
				   ask_answered, a);
	if (err) {
		close(a->fd);
		a->fd = -1;
	}
	return err;
}

static int ask_go(struct ask *a);

static void ask_timer(void *arg)
{
	struct ask *a = arg;
	struct protect *p = a->p;
	int err;

	a->timer = NULL;
	if (a->fd >= 0 || sluice_now(p->ctx) >= a->deadline) {
		say(p, "did not answer in time", 0);
		ask_end(a, SLUICE_DROP);
		return;
	}
	err = ask_go(a);
	if (err) {
		say(p, "cannot ask it", -err);
		ask_end(a, SLUICE_DROP);
	}
}

/* Send it, or try again soon, and see to the time limit: 0 or -errno. */
static int ask_go(struct ask *a)
{
	uint64_t left = a->deadline - sluice_now(a->p->ctx);
	int err = ask_send(a);

	if (err == -EAGAIN)
		left = left < RETRY_MS ? left : RETRY_MS;
	else if (err)
		return err;
	a->timer = sluice_timer(a->p->ctx, (uint32_t)left, ask_timer, a);
	return a->timer ? 0 : -ENOMEM;
}

static int protect_socket(void *self, struct sluice_socket *s)
{
	struct protect *p = self;
	struct ask *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	a->p = p;
	a->socket = s;
	a->fd = -1;
	a->deadline = sluice_now(p->ctx) + (uint64_t)p->options->timeout;
	a->next = p->asks;
	a->link = &p->asks;
	if (a->next)
		a->next->link = &a->next;
	p->asks = a;
	err = ask_go(a);
	if (!err)
		return SLUICE_LATER;
	ask_free(a);
	return sluice_fail(p->ctx, -err, "%s: %s", p->options->path,
			   strerror(-err));
}

static int protect_create(struct sluice_ctx *ctx, const void *options,
			  void **self)
{
	const struct options *o = options;
	size_t len = strlen(o->path);
	struct protect *p;

	if (!len || (*o->path != '/' && *o->path != '@'))
		return sluice_fail(ctx, EINVAL,
				   "path: \"%s\" does not begin with / (or @, "
				   "for a name without a file)",
				   o->path);
	if (len >= sizeof(p->to.sun_path))
		return sluice_fail(ctx, ENAMETOOLONG,
				   "path: %s is longer than %zu bytes", o->path,
				   sizeof(p->to.sun_path) - 1);
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->ctx = ctx;
	p->options = o;
	p->to.sun_family = AF_UNIX;
	memcpy(p->to.sun_path, o->path, len);
	p->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (*o->path == '@')
		p->to.sun_path[0] = '\0';
	else
		p->to_len++;
	*self = p;
	return 0;
}

/* Not in stop(): sockets are opened, and must be protected, until the last
 * flow has ended. */
static void protect_destroy(void *self)
{
	struct protect *p = self;

	while (p->asks)
		ask_end(p->asks, SLUICE_DROP);
	free(p);
}

static const struct sluice_option protect_options[] = {
	{ .key = "path",
	  .type = SLUICE_OPT_STR,
	  .offset = offsetof(struct options, path),
	  .help = "UNIX socket of the program that protects; @name for one "
		  "without a file" },
	{ .key = "timeout",
	  .type = SLUICE_OPT_MS,
	  .preset = "1s",
	  .min = 1,
	  .max = 60000,
	  .offset = offsetof(struct options, timeout),
	  .help = "how long it may take to answer for one socket" },
	{ .key = NULL }
};

static const struct sluice_protect_ops protect_ops = {
	.size = sizeof(protect_ops),
	.protect = protect_socket,
};

SLUICE_PLUGIN(protect_unix) = {
	SLUICE_HEAD,
	.name = "protect-unix",
	.version = "1.0",
	.summary = "hands our sockets to another program for protection",
	.license = "MIT",
	.options = protect_options,
	.options_bytes = sizeof(struct options),
	.create = protect_create,
	.destroy = protect_destroy,
	.protect = &protect_ops,
};
