/* SPDX-License-Identifier: MIT */
/* dial.c - sockets to the outside
 *
 * Every socket the gateway opens comes from here, so that the protect chain
 * sees all of them before they connect.  A dial goes through
 *
 *	PROTECT --LATER--> WAIT --TAKE--> CONNECT --> DONE --> done(fd)
 *	   |                |               |
 *	   +----- DROP -----+-- timer, -----+-------> DONE --> done(-errno)
 *	                    |   error
 *	                    +-- cancelled, out of time --> HELD --> gone
 *
 * done() is called once for each dial_start(), at the end of a turn, never
 * from inside it, and not after dial_cancel().
 *
 * After LATER the socket belongs to a plugin until it resolves it, perhaps in
 * another thread: a dial given up before that waits as HELD with its socket
 * open, since a closed number could soon be another socket's.  There is a
 * bound to how many wait so; past it nothing is dialled.
 */
#include "dial.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dial_int.h"
#include "gateway.h"
#include "log.h"

#define DIAL_TIMEOUT_MS 30000
#define DIAL_HELD_MAX   256
#define DIAL_LOOP_MS    10000 /* how long a looping SYN may be on its way */
#define DIAL_PORT_TRIES 8

/* ---------------------------------------------------------- end of a dial */

void dial_free(struct dial *d)
{
	struct gateway *gw = d->gw;

	loop_timer_stop(&gw->loop, &d->timer);
	loop_work_cancel(&d->report);
	loop_del(&gw->loop, &d->watch);
	if (d->info.fd >= 0)
		close(d->info.fd);
	list_del(&d->node);
	pool_put(&gw->dials.pool, d);
}

/* Nobody waits for it any more.  A socket in the hands of a plugin lives on,
 * and one inside the chain until the chain is left. */
void dial_abandon(struct dial *d)
{
	if (d->state != DIAL_WAIT && !d->walking) {
		dial_free(d);
		return;
	}
	loop_timer_stop(&d->gw->loop, &d->timer);
	d->state = DIAL_HELD;
	d->gw->dials.held_n++;
}

/* Have done() called at the end of this turn; err is 0 or a positive errno.
 * A dial that fails while a plugin has its socket stays in that state. */
void dial_finish(struct dial *d, int err)
{
	d->error.err = err;
	loop_timer_stop(&d->gw->loop, &d->timer);
	loop_del(&d->gw->loop, &d->watch);
	if (err == ETIMEDOUT)
		stats_inc(&d->gw->stats, dial_timeout);
	else if (err && err != ELOOP && d->state == DIAL_CONNECT)
		stats_inc(&d->gw->stats, dial_failed);
	if (d->state != DIAL_WAIT)
		d->state = DIAL_DONE;
	loop_end(&d->gw->loop, &d->report);
}

static void dial_report(struct loop_work *w)
{
	struct dial *d = container_of(w, struct dial, report);
	struct dial_error error = d->error;
	struct dial_ask ask = d->ask;
	int fd = -1;

	if (!error.err) {
		fd = d->info.fd;
		d->info.fd = -1;
	}
	dial_abandon(d);
	ask.done(ask.arg, fd, &error);
}

void dial_cancel(struct dial *d)
{
	if (!d)
		return;
	loop_work_cancel(&d->report);
	dial_abandon(d);
}

/* ------------------------------------------------------------------- text */

/* "flow 12: socket to 192.0.2.1:80" into buf. */
char *dial_text(const struct dial *d, char buf[static DIAL_TEXT])
{
	char to[ADDR_TEXT];

	addr_text(&d->info.to, to);
	if (d->info.flow_id)
		snprintf(buf, DIAL_TEXT, "flow %" PRIu64 ": socket to %s",
			 d->info.flow_id, to);
	else
		snprintf(buf, DIAL_TEXT, "socket to %s", to);
	return buf;
}

/* What only the machine's owner can mend is said; the rest is the app's. */
static void log_resources(const struct dial *d, int err)
{
	char text[DIAL_TEXT];
	const char *what;

	switch (err) {
	case EMFILE:
		what = "out of descriptors: raise the limit (ulimit -n, "
		       "LimitNOFILE) or lower gateway.max-flows";
		break;
	case ENFILE:
		what = "the system is out of descriptors: raise fs.file-max";
		break;
	case ENOBUFS:
	case ENOMEM:
		what = "the kernel has no memory for a socket";
		break;
	default:
		return;
	}
	log_limited(LOG_LEVEL_ERROR, "%s: %s", dial_text(d, text), what);
}

/* --------------------------------------------------------------- connect */

/* An ICMP error the kernel kept for us: what came, and from whom. */
static void read_icmp(struct dial *d)
{
	struct sockaddr_storage from;
	union {
		struct cmsghdr align;
		char room[512];
	} control;
	const struct sock_extended_err *ee;
	const struct sockaddr *offender;
	struct msghdr m = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	if (recvmsg(d->info.fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (!(c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) &&
		    !(c->cmsg_level == SOL_IPV6 &&
		      c->cmsg_type == IPV6_RECVERR))
			continue;
		ee = (const void *)CMSG_DATA(c);
		if (ee->ee_origin != SO_EE_ORIGIN_ICMP &&
		    ee->ee_origin != SO_EE_ORIGIN_ICMP6)
			continue;
		d->error.family = ee->ee_origin == SO_EE_ORIGIN_ICMP ? 4 : 6;
		d->error.type = ee->ee_type;
		d->error.code = ee->ee_code;
		d->error.extra = ee->ee_info;
		if (!d->error.err)
			d->error.err = (int)ee->ee_errno;
		offender = SO_EE_OFFENDER(ee);
		if (addr_from_sockaddr(offender, &d->error.from))
			memset(&d->error.from, 0, sizeof(d->error.from));
		return;
	}
}

/* On while connecting: an ICMP error ends the attempt at once and can be
 * read in full.  Off after it: an established connection survives ICMP
 * (RFC 5382, REQ-10). */
static void set_recverr(const struct dial *d, int on)
{
	if (d->info.to.family == 6)
		setsockopt(d->info.fd, SOL_IPV6, IPV6_RECVERR, &on, sizeof(on));
	else
		setsockopt(d->info.fd, SOL_IP, IP_RECVERR, &on, sizeof(on));
}

/* Was it connected, and reset before we came to look?  A SYN is refused with
 * another errno.  Who has the socket finds out. */
static bool is_reset_since(int err)
{
	return err == ECONNRESET || err == EPIPE;
}

static void connect_ready(struct loop_fd *w, uint32_t events)
{
	struct dial *d = container_of(w, struct dial, watch);
	socklen_t len = sizeof(int);
	int err = 0;

	/* An error makes an event of its own. */
	if (events & (EPOLLERR | EPOLLHUP) &&
	    getsockopt(d->info.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (is_reset_since(err) ||
	    (!err && (events & (EPOLLOUT | EPOLLHUP)) == EPOLLOUT)) {
		set_recverr(d, 0);
		dial_finish(d, 0);
		return;
	}
	d->error.err = err;
	read_icmp(d);
	if (d->error.err || events & EPOLLHUP)
		dial_finish(d, d->error.err ? d->error.err : ECONNREFUSED);
}

/* The address the kernel gave our end, or -errno. */
static int own_address(int fd, struct sluice_addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	return addr_from_sockaddr((struct sockaddr *)&ss, a);
}

static void log_loop(const struct dial *d)
{
	const struct gateway *gw = d->gw;
	unsigned int mark = (unsigned int)gw->set.tun.fwmark;
	char flow[32] = "";
	char to[ADDR_TEXT];

	if (d->info.flow_id)
		snprintf(flow, sizeof(flow), "flow %" PRIu64 ": ",
			 d->info.flow_id);
	log_limited(LOG_LEVEL_ERROR,
		    "%sthe route to %s leads back into %s: set "
		    "protect-mark.device, or put its routes into a table of "
		    "their own, which our mark keeps away from (ip%s rule "
		    "add not fwmark 0x%x lookup 7363)",
		    flow, addr_ip_text(&d->info.to, to), gw->tun.name,
		    d->info.to.family == 6 ? " -6" : "", mark);
}

/* Does the connected socket leave through our own TUN?  The SYN of a TCP
 * socket is gone by now and comes to us as a new flow: its source is noted,
 * so that the flow is refused without another socket. */
static bool is_loop(struct dial *d)
{
	struct gateway *gw = d->gw;
	struct dials *ds = &gw->dials;
	struct sluice_addr own;

	if (!gw->tun_here || own_address(d->info.fd, &own) < 0 ||
	    !gateway_is_tun(gw, &own))
		return false;
	stats_inc(&gw->stats, dial_loops);
	log_loop(d);
	if (d->info.proto == SLUICE_TCP) {
		ds->loops[ds->loops_at].local = own;
		ds->loops[ds->loops_at].until = gw->loop.now + DIAL_LOOP_MS;
		ds->loops_at = (ds->loops_at + 1) % DIAL_LOOPS;
	}
	return true;
}

/* Is the flow of this dial the SYN of a socket of ours that looped? */
static bool is_our_loop(const struct dial *d)
{
	const struct dials *ds = &d->gw->dials;
	const struct flow *f;

	for (int i = 0; i < DIAL_LOOPS; i++) {
		if (ds->loops[i].until <= d->gw->loop.now)
			continue;
		f = flow_by_id(d->gw, d->info.flow_id);
		if (f && addr_equal(&f->info.app, &ds->loops[i].local))
			return true;
	}
	return false;
}

/* RFC 4787 REQ-4: the app's port if it is free, else one of the same parity,
 * else any.  Ports below 1024 are left to the programs of this host. */
static void prefer_port(const struct dial *d)
{
	struct sluice_addr a = { .family = d->info.to.family };
	struct sockaddr_storage ss;
	uint16_t port = d->ask.prefer_port;
	socklen_t len;

	for (int i = 0; port && i < DIAL_PORT_TRIES; i++) {
		a.port = port;
		len = addr_to_sockaddr(&a, &ss);
		if (port >= 1024 &&
		    !bind(d->info.fd, (struct sockaddr *)&ss, len))
			return;
		port = (uint16_t)(32768 + util_random32() % 28232);
		port = (uint16_t)((port & ~1) | (d->ask.prefer_port & 1));
	}
}

/* A datagram socket that stays unconnected is connected for a moment, to
 * see which way its packets would take.  What else may be wrong shows when
 * it sends.  Disconnecting takes away the device a plugin may have bound the
 * socket to, so that is put back. */
static int look_where(struct dial *d, const struct sockaddr *sa, socklen_t len)
{
	static const struct sockaddr none = { .sa_family = AF_UNSPEC };
	socklen_t size = sizeof(int);
	int fd = d->info.fd;
	int device = 0;

	if (!d->gw->tun_here)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &device, &size) < 0)
		return -errno;
	if (connect(fd, sa, len) < 0)
		return 0;
	if (is_loop(d))
		return -ELOOP;
	if (connect(fd, &none, sizeof(none)) < 0)
		return -errno;
	if (device && setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &device,
				 sizeof(device)) < 0)
		return -errno;
	return 0;
}

static int connect_dgram(struct dial *d, const struct sockaddr *sa,
			 socklen_t len)
{
	if (d->info.proto == SLUICE_UDP)
		prefer_port(d);
	if (d->ask.flags & SLUICE_DIAL_UNCONNECTED)
		return look_where(d, sa, len);
	if (connect(d->info.fd, sa, len) < 0)
		return -errno;
	return is_loop(d) ? -ELOOP : 0;
}

/* The packets of a stream travel as its app asked.  Where a value is refused
 * they travel as others do. */
static void set_hop(const struct dial *d)
{
	bool v6 = d->info.to.family == 6;
	int level = v6 ? SOL_IPV6 : SOL_IP;
	int ttl = d->ask.ttl, tos = d->ask.tos;

	if (ttl)
		setsockopt(d->info.fd, level, v6 ? IPV6_UNICAST_HOPS : IP_TTL,
			   &ttl, sizeof(ttl));
	if (tos)
		setsockopt(d->info.fd, level, v6 ? IPV6_TCLASS : IP_TOS, &tos,
			   sizeof(tos));
}

/* 0: connected, -EINPROGRESS: connect_ready() will tell, or -errno. */
static int connect_stream(struct dial *d, const struct sockaddr *sa,
			  socklen_t len)
{
	int one = 1;
	int err;

	setsockopt(d->info.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	set_hop(d);
	set_recverr(d, 1);
	err = connect(d->info.fd, sa, len) < 0 ? -errno : 0;
	if (err && err != -EINPROGRESS)
		return err;
	if (is_loop(d))
		return -ELOOP;
	if (!err) {
		set_recverr(d, 0);
		return 0;
	}
	err = loop_add(&d->gw->loop, &d->watch, d->info.fd, EPOLLOUT,
		       connect_ready);
	return err ? err : -EINPROGRESS;
}

void dial_connect(struct dial *d)
{
	struct sockaddr_storage ss;
	const struct sockaddr *sa = (struct sockaddr *)&ss;
	socklen_t len = addr_to_sockaddr(&d->info.to, &ss);
	int err;

	d->state = DIAL_CONNECT;
	if (d->info.proto == SLUICE_TCP)
		err = connect_stream(d, sa, len);
	else
		err = connect_dgram(d, sa, len);
	if (err == -EINPROGRESS)
		return;
	log_resources(d, -err);
	dial_finish(d, -err);
}

/* ------------------------------------------------------------------ begin */

static void dial_expired(struct timer *t)
{
	struct dial *d = container_of(t, struct dial, timer);
	char text[DIAL_TEXT];

	if (d->state == DIAL_WAIT)
		log_limited(LOG_LEVEL_WARN,
			    "%s: plugin %s did not protect it in time",
			    dial_text(d, text), d->at[-1]->name);
	dial_finish(d, ETIMEDOUT);
}

/* A socket that can do nothing yet, or -errno.  An IPv6 socket is never to
 * leave over IPv4, also not for a v4-mapped destination: policies go by
 * family. */
static int dial_socket(uint8_t proto, uint8_t family)
{
	int domain = family == 6 ? AF_INET6 : AF_INET;
	int type = SOCK_DGRAM;
	int one = 1;
	int fd;

	if (family != 4 && family != 6)
		return -EAFNOSUPPORT;
	if (proto == SLUICE_TCP)
		type = SOCK_STREAM;
	else if (proto != SLUICE_UDP &&
		 proto != (family == 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return -EPROTONOSUPPORT;
	fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, proto);
	/* Ping sockets are for the groups of net.ipv4.ping_group_range. */
	if (fd < 0 && (errno == EACCES || errno == EPERM) &&
	    proto != SLUICE_TCP && proto != SLUICE_UDP)
		fd = socket(domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
			    proto);
	if (fd < 0)
		return -errno;
	if (domain == AF_INET6)
		setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	return fd;
}

/* The socket, or why there can be none now: 0 or -errno. */
static int dial_open(struct dial *d)
{
	const struct dials *ds = &d->gw->dials;
	int fd;

	/* A plugin that dials to protect a socket would never end. */
	if (ds->asking)
		return -EDEADLK;
	if (ds->held_n >= DIAL_HELD_MAX) {
		log_limited(LOG_LEVEL_ERROR,
			    "protect plugins still hold %u sockets that they "
			    "were too late for: no new ones",
			    ds->held_n);
		return -EBUSY;
	}
	if (is_our_loop(d))
		return -ELOOP;
	fd = dial_socket(d->info.proto, d->info.to.family);
	if (fd < 0) {
		log_resources(d, -fd);
		return fd;
	}
	d->info.fd = fd;
	return 0;
}

struct dial *dial_new(struct gateway *gw)
{
	struct dial *d = pool_get(&gw->dials.pool);

	if (!d)
		return NULL;
	*d = (struct dial){
		.pub.api = &dial_socket_api,
		.gw = gw,
		.info = { .size = sizeof(d->info), .fd = -1 },
		.watch.fd = -1,
		.at = gw->chains.of[CHAIN_PROTECT],
		.verdict = UNDECIDED,
	};
	timer_init(&d->timer, dial_expired);
	loop_work_init(&d->report, dial_report);
	list_add_tail(&gw->dials.all, &d->node);
	return d;
}

struct dial *dial_start(struct gateway *gw, const struct dial_ask *ask)
{
	struct dial *d = dial_new(gw);
	int err;

	if (!d)
		return NULL;
	stats_inc(&gw->stats, dial_started);
	d->ask = *ask;
	d->info.proto = ask->proto;
	d->info.flow_id = ask->flow_id;
	gateway_target(gw, &ask->to, &d->info.to);
	err = dial_open(d);
	if (err < 0) {
		dial_finish(d, -err);
		return d;
	}
	loop_timer(&gw->loop, &d->timer,
		   ask->timeout_ms ? ask->timeout_ms : DIAL_TIMEOUT_MS);
	dial_protect_go(d);
	return d;
}

void dial_init(struct gateway *gw)
{
	struct dials *ds = &gw->dials;

	memset(ds, 0, sizeof(*ds));
	list_init(&ds->all);
	list_init(&ds->held);
	pool_init(&ds->pool, "dial", sizeof(struct dial), 0, 0);
}

void dial_fini(struct gateway *gw)
{
	struct dials *ds = &gw->dials;

	list_splice_tail(&ds->all, &ds->held);
	while (!list_empty(&ds->all))
		dial_free(list_first(&ds->all, struct dial, node));
	pool_fini(&ds->pool);
}
