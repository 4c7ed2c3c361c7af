/* SPDX-License-Identifier: MIT */
/* relay.c - the net's side of a TCP flow: a socket
 *
 * The socket is watched edge-triggered, for everything that may be, and for
 * room from the first time it had none; what the last edges said is
 * remembered, so that the bulk path makes no epoll call.
 *
 *	up     app -> lwIP's queue -> one sendmsg a turn, by reference
 *	down   recv into a chunk -> lwIP by reference, while it has room
 *
 * What the socket does not take stays queued and shuts the app's window; what
 * the app does not take stays in the socket and shuts the server's.
 *
 * FIN is carried across each way after the last byte.  A reset from the net
 * is told to the app after the bytes that came before it (at most a second
 * later), a reset from the app goes out as RST.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "tcp_flow.h"

#define RELAY_IOV      256
#define RELAY_SHARE    (2 * TCP_CHUNK) /* bytes a flow may move in a turn */
#define RELAY_FEW      (300u << 10)    /* under way, while all have much */
#define RELAY_DRAIN_MS 1000

static void failed(struct tcp_flow *tf, int err)
{
	struct relay *r = &tf->relay;
	char text[FLOW_TEXT];

	log_debug("%s: net: %s", flow_text(&tf->flow, text), strerror(err));
	r->failed = true;
	r->readable = false;
	stack_consume(&tf->conn, tf->conn.up_bytes);
	if (stack_drained(&tf->conn))
		flow_refuse(&tf->flow, flow_why(err), NULL);
	else if (!timer_is_set(&r->drain))
		loop_timer(&tf->flow.gw->loop, &r->drain, RELAY_DRAIN_MS);
}

static void on_drain(struct timer *t)
{
	struct tcp_flow *tf = container_of(t, struct tcp_flow, relay.drain);

	flow_refuse(&tf->flow, SLUICE_WHY_RESET, NULL);
}

/* The socket took less than there was.  Few do, and a socket that is watched
 * for this from the beginning has an event to tell that it can be written. */
static void wait_writable(struct tcp_flow *tf)
{
	struct relay *r = &tf->relay;
	int err;

	r->writable = false;
	if (r->net.events & EPOLLOUT)
		return;
	err = loop_mod(&tf->flow.gw->loop, &r->net, r->net.events | EPOLLOUT);
	if (err < 0)
		failed(tf, -err);
}

void relay_up(struct tcp_flow *tf)
{
	struct relay *r = &tf->relay;
	struct iovec v[RELAY_IOV] SCRATCH;
	struct msghdr m = { .msg_iov = v };
	size_t n, sum;
	ssize_t sent;

	while (r->writable && !r->failed && tf->conn.up_bytes) {
		n = RELAY_IOV;
		sum = stack_peek(&tf->conn, v, &n);
		m.msg_iovlen = n;
		sent = sendmsg(r->net.fd, &m,
			       MSG_NOSIGNAL |
				       (sum < tf->conn.up_bytes ? MSG_MORE :
								  0));
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			wait_writable(tf);
			return;
		}
		if (sent < 0) {
			failed(tf, errno);
			return;
		}
		stack_consume(&tf->conn, (size_t)sent);
		if ((size_t)sent < sum)
			wait_writable(tf);
	}
	if (tf->conn.fin_seen && !tf->conn.up_bytes && !r->shut && !r->failed) {
		r->shut = true;
		shutdown(r->net.fd, SHUT_WR);
		flow_half(&tf->flow);
	}
}

/* A TCP socket that is closed, though only the other side has ended it: the
 * dial has taken the error of a reset that came that early. */
static bool was_reset(int fd)
{
	struct tcp_info i;
	socklen_t len = sizeof(i);

	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len) &&
	       i.tcpi_state == TCP_CLOSE;
}

static void net_eof(struct tcp_flow *tf)
{
	if (tf->relay.hung && !tf->relay.shut && was_reset(tf->relay.net.fd)) {
		failed(tf, ECONNRESET);
		return;
	}
	tf->relay.eof = true;
	tf->relay.readable = false;
	stack_shut(&tf->conn);
	flow_half(&tf->flow);
	tcp_mark(tf);
}

/* Is it time to read?  What the app does not take now stays in the socket.
 * Pieces are whole chunks: then segments are large, and the kernel tells the
 * server seldom that there is room again.  Where many flows have bytes under
 * way each has fewer: what falls out of the processor's caches is slow. */
static bool wants_net(const struct tcp_flow *tf)
{
	const struct stack_conn *c = &tf->conn;

	if (!tf->down)
		return true;
	if (stack_room(c) < TCP_CHUNK || stack_unsent(c) >= TCP_CHUNK)
		return false;
	return stack_unacked(c) < RELAY_FEW || !tcp_data_much();
}

void relay_down(struct tcp_flow *tf)
{
	struct relay *r = &tf->relay;
	size_t share = RELAY_SHARE;
	struct iovec v;
	ssize_t got;

	if (!tf->conn.open || r->failed || r->eof)
		return;
	while (r->readable && wants_net(tf) && tcp_reserve(tf, &v)) {
		if (!share) {
			loop_soon(&tf->flow.gw->loop, &r->soon);
			break;
		}
		got = recv(r->net.fd, v.iov_base, v.iov_len, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got > 0) {
			share -= MIN(share, (size_t)got);
			if (tcp_commit(tf, (size_t)got) < 0) {
				failed(tf, EPIPE);
				break;
			}
			/* Less than asked for: what comes next makes an
			 * edge.  Not so the end of it all, which then goes
			 * out with the last bytes, and a read stops before
			 * an urgent byte that is there. */
			if ((size_t)got == v.iov_len)
				/* on, while it is in the cache */
				stack_flush(&tf->conn);
			else if (!r->to_end)
				r->readable = false;
			continue;
		}
		if (got == 0) {
			net_eof(tf);
			break;
		}
		if (errno != EAGAIN) {
			failed(tf, errno);
			break;
		}
		r->readable = false;
	}
	tcp_data_tidy(tf);
}

/* The server closed for good: what was sent to it after its FIN came back as
 * a reset, which nothing reads any more. */
static bool failed_after_eof(struct tcp_flow *tf)
{
	socklen_t len = sizeof(int);
	int err = 0;

	getsockopt(tf->relay.net.fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err)
		failed(tf, err);
	return err;
}

static void on_net(struct loop_fd *fd, uint32_t events)
{
	struct tcp_flow *tf = container_of(fd, struct tcp_flow, relay.net);
	struct relay *r = &tf->relay;

	if (tf->flow.state == FLOW_DEAD)
		return;
	if (events & EPOLLERR && r->eof && !r->failed && failed_after_eof(tf))
		return;
	if (events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		r->to_end = true;
	if (events & EPOLLHUP && !r->shut)
		r->hung = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		r->readable = true;
		relay_down(tf);
	}
	if (events & (EPOLLOUT | EPOLLERR) && !r->writable) {
		r->writable = true;
		tcp_mark(tf);
	}
}

static void on_soon(struct loop_work *w)
{
	struct tcp_flow *tf = container_of(w, struct tcp_flow, relay.soon);

	if (tf->flow.state != FLOW_DEAD)
		relay_down(tf);
}

/* With a RST, whatever was sent: a server must not take it for the end. */
static void close_hard(int fd)
{
	struct linger hard = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

int relay_start(struct tcp_flow *tf, int fd)
{
	struct relay *r = &tf->relay;
	int on = 1, err;

	loop_work_init(&r->soon, on_soon);
	timer_init(&r->drain, on_drain);
	r->net.fd = -1;
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	err = loop_add(&tf->flow.gw->loop, &r->net, fd,
		       EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET, on_net);
	if (err < 0) {
		close_hard(fd);
		return err;
	}
	r->on = true;
	r->writable = true;
	tcp_mark(tf);
	return 0;
}

/* Where it is refused the bytes travel as before. */
void relay_set_tos(struct tcp_flow *tf, uint8_t tos)
{
	bool v6 = tf->flow.info.dst.family == 6;
	int value = tos;

	if (tf->relay.on)
		setsockopt(tf->relay.net.fd, v6 ? SOL_IPV6 : SOL_IP,
			   v6 ? IPV6_TCLASS : IP_TOS, &value, sizeof(value));
}

bool relay_done(const struct tcp_flow *tf)
{
	return tf->relay.eof && tf->relay.shut && !tf->conn.pcb;
}

void relay_close(struct tcp_flow *tf, bool reset)
{
	struct relay *r = &tf->relay;
	int fd = r->net.fd;

	if (!r->on)
		return;
	r->on = false;
	loop_work_cancel(&r->soon);
	loop_timer_stop(&tf->flow.gw->loop, &r->drain);
	loop_del(&tf->flow.gw->loop, &r->net);
	if (reset)
		close_hard(fd);
	else
		close(fd);
}
