/* SPDX-License-Identifier: MIT */
/* plugin.h - what a sluice plugin sees, all of it
 *
 * sluice is a gateway for a TUN device: packets of applications come in,
 * ordinary sockets go out.  A plugin decides about the connections (TCP),
 * sessions (UDP), names (DNS) and outgoing sockets in between.  It includes
 * this header, exports one constant table named sluice_plugin and links with
 * nothing of ours: the core hands out objects whose first member points to
 * their functions.
 *
 * The smallest plugin lets every flow out:
 *
 *	#include <sluice/plugin.h>
 *
 *	static int direct_open(void *self, struct sluice_flow *f)
 *	{
 *		(void)self;
 *		return sluice_connect(f, NULL);
 *	}
 *
 *	static const struct sluice_flow_ops direct_flow = {
 *		.size = sizeof(direct_flow),
 *		.flags = SLUICE_FLOW_TCP | SLUICE_FLOW_UDP,
 *		.open = direct_open,
 *	};
 *
 *	SLUICE_PLUGIN(direct) = {
 *		SLUICE_HEAD,
 *		.name = "direct",
 *		.version = "1.0",
 *		.summary = "lets flows out unchanged",
 *		.flow = &direct_flow,
 *	};
 *
 * built with: cc -shared -fPIC -o direct.so direct.c
 * and named in the [chain] section of the INI file by name or path.
 *
 * Words: "up" is from the app to the net, "down" is back.  [loop] marks what
 * may be called only on the loop thread, that is from a callback; [any] what
 * may be called from any thread.
 *
 * Promises of the core
 *
 *  - One thread at a time calls an instance, and never from inside a call
 *    the instance is making on the same object: abort() marks, close() comes
 *    at the end of the loop turn.
 *  - close() comes exactly once for each flow a plugin holds (it answered
 *    TAKE, LATER or MORE) and never after PASS or DROP.  A plugin that held
 *    a flow and then passes it on is out: it cleans up first, its state
 *    bytes are zeroed, and no close() comes.
 *  - A completion (dial's done, release, post) runs exactly once, never
 *    inside the call that asked for it, at shutdown with -ECANCELED.
 *
 * What a plugin owes: it does not block, keeps no mutable statics (there may
 * be several instances), and answers PASS only if it consumed and committed
 * nothing.
 *
 * Ownership
 *
 *	thing				owner		until
 *	the plugin table and its strings plugin		process end
 *	option struct and its strings	core		destroy() returns, or
 *							reload() took new ones
 *	self				plugin		it frees it in destroy()
 *	a flow's state bytes		core, zeroed	close() returns
 *	peek() pieces			core		consumed, or close()
 *	reserve() room			plugin writes	next call on that flow
 *	send_ref() memory		core reads	release()
 *	fd given to relay()		core		even when relay fails
 *	fd given to dial's done		plugin		it closes or relays it
 *	a query or socket after LATER	plugin		resolve() returns
 *	strings passed in		callee copies	the call returns
 *
 * Errors: 0 or a positive verdict, or -errno.  The text of an error goes
 * with sluice_fail().  On the data path a negative answer refuses that one
 * flow, query or socket.
 */
#ifndef SLUICE_PLUGIN_H
#define SLUICE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * ABI log, newest first.  Additions raise the minor; anything an old binary
 * could notice raises the major.  While the major is 0 nothing is promised
 * from one minor to the next; the promise begins with 1.0.
 *   0.3  query: follow
 *   0.2  query: respond, reason; core: counters; dns_event: reason; dns_ops:
 *        SLUICE_DNS_OFFLINE; reload with the options as they were
 *   0.1  flow (tcp, udp), dns, protect, observe
 */
#define SLUICE_ABI_MAJOR 0
#define SLUICE_ABI_MINOR 3
#define SLUICE_ABI       ((uint32_t)SLUICE_ABI_MAJOR << 16 | SLUICE_ABI_MINOR)
#define SLUICE_MAGIC     0x53494c55u

/* Is this member there, as the other side built the table? */
#define SLUICE_HAS(p, m) \
	((p)->size >= offsetof(__typeof__(*(p)), m) + sizeof((p)->m) && (p)->m)

/* What a callback answers.  A negative answer is -errno.
 *
 *		flow open		dns query	protect
 *	PASS	next plugin; at the	next; at the	nothing to say; at
 *		end: unreachable	end: the server	the end: refused
 *					the app asked
 *	TAKE	mine, callbacks begin	answered	safe, connect it
 *	DROP	refused (RST or ICMP)	no answer	refused
 *	LATER	held until resolve(),	until resolve()	until resolve()
 *		connect() or relay()
 *	MORE	TCP: the handshake is	-		-
 *		done, open() comes
 *		again with bytes
 */
#define SLUICE_PASS  0
#define SLUICE_TAKE  1
#define SLUICE_DROP  2
#define SLUICE_LATER 3
#define SLUICE_MORE  4

/* Why something ended. */
#define SLUICE_WHY_DONE    0 /* both directions finished */
#define SLUICE_WHY_REFUSED 1 /* the other end said no: RST to the app */
#define SLUICE_WHY_UNREACH 2 /* no way there: ICMP unreachable to the app */
#define SLUICE_WHY_TIMEOUT 3 /* no answer in time */
#define SLUICE_WHY_RESET   4 /* reset by one of the ends */
#define SLUICE_WHY_POLICY  5 /* a rule forbids it: ICMP 3/13 (v6: 1/1) */
#define SLUICE_WHY_IDLE    6 /* nothing moved for the idle time */
#define SLUICE_WHY_STOP    7 /* the gateway ends */
#define SLUICE_WHY_ERROR   8 /* anything else, see the log */

/* An address and port.  IPv4 uses the first four bytes of ip. */
struct sluice_addr {
	uint8_t family; /* 4, 6, or 0 for none */
	uint8_t pad;
	uint16_t port;  /* host order */
	uint32_t scope; /* IPv6 zone, or 0 */
	uint8_t ip[16]; /* network order, the rest zero */
};

/*
 * What the core hands to plugins.  Each begins with its functions; the rest
 * is the core's.  The wrappers at the end of this file call through api.
 */
struct sluice_ctx {
	const struct sluice_core_api *api;
};
struct sluice_flow {
	const struct sluice_flow_api *api;
};
struct sluice_query {
	const struct sluice_query_api *api;
};
struct sluice_socket {
	const struct sluice_socket_api *api;
};
struct sluice_timer;

/* ------------------------------------------------------------- options */

/* The core reads the plugin's INI section by this table, reports mistakes
 * with file and line, and gives create() a finished struct. */
#define SLUICE_OPT_STR  1 /* const char *                            */
#define SLUICE_OPT_BOOL 2 /* int64_t, 0 or 1: yes/no/on/off/true     */
#define SLUICE_OPT_INT  3 /* int64_t, within min..max; 0x is hex     */
#define SLUICE_OPT_SIZE 4 /* int64_t, bytes: 64k, 8M                 */
#define SLUICE_OPT_MS   5 /* int64_t, milliseconds: 250ms, 30s, 5m   */
#define SLUICE_OPT_ADDR 6 /* struct sluice_addr: 1.1.1.1:53, [::1]   */
#define SLUICE_OPT_LIST \
	7 /* const char *const *, NULL at the end;
				   one entry a word, the key may repeat    */
#define SLUICE_OPT_ENUM \
	8 /* int64_t, index in the words of help up to
				   the colon: "late|early: when ..."       */

struct sluice_option {
	const char *key;    /* as in the INI section; NULL ends the table */
	const char *preset; /* what it would say in the INI; NULL: must
				   be given; "${tun.fwmark}": as that setting
				   of the core is (section.key, no list) */
	const char *help;   /* one line, for "sluice plugins" and the
				   manual */
	uint32_t type;
	uint32_t offset;  /* in the plugin's option struct */
	int64_t min, max; /* INT, SIZE, MS: both 0 is no limit */
};

/* ---------------------------------------------------------------- core */

#define SLUICE_TCP 6
#define SLUICE_UDP 17

#define SLUICE_DIAL_UNCONNECTED \
	0x1u /* UDP: do not connect, "to" is only
					   what protect is told */

struct sluice_dial {
	uint32_t size;
	uint8_t proto; /* SLUICE_TCP or SLUICE_UDP */
	uint8_t pad[3];
	struct sluice_addr to;
	struct sluice_flow *flow; /* on whose behalf, or NULL */
	uint32_t timeout_ms;      /* 0: 30 s */
	uint32_t flags;
	/* Called once, never from inside dial(): fd is connected, non-blocking,
	 * close-on-exec and yours, or a negative errno. */
	void (*done)(void *arg, int fd);
	void *arg;
};

#define SLUICE_WATCH_READ  0x1u
#define SLUICE_WATCH_WRITE 0x4u
#define SLUICE_WATCH_ERROR 0x8u /* always reported */

/* Something an instance counts; it only grows. */
struct sluice_counter {
	const char *name; /* a-z 0-9 and _; NULL ends the table */
	const uint64_t *value;
};

struct sluice_core_api {
	uint32_t size, abi;
	/* [any] level is syslog's (3 error, 4 warning, 6 info, 7 debug); one
	 * line, no newline; "%m" works */
	void (*log)(struct sluice_ctx *, int level, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));
	/* [loop] keep this text as the reason and give back -err:
	 *	return sluice_fail(ctx, EINVAL, "rule %d: %s", n, text); */
	int (*fail)(struct sluice_ctx *, int err, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));
	/* [any] milliseconds, monotonic, as of the start of this loop turn */
	uint64_t (*now)(struct sluice_ctx *);
	/* [any] run fn on the loop thread, in order of posting; 0 or -ENOMEM,
	 * -ESHUTDOWN */
	int (*post)(struct sluice_ctx *, void (*fn)(void *), void *arg);
	/* [loop] one shot; gone when it fired.  NULL: no memory */
	struct sluice_timer *(*timer)(struct sluice_ctx *, uint32_t ms,
				      void (*fn)(void *), void *arg);
	/* [loop] before it fired only; NULL is fine */
	void (*timer_stop)(struct sluice_timer *);
	/* [loop] level-triggered SLUICE_WATCH_*; events 0 forgets the fd (do
	 * it before close); 0 or -errno */
	int (*watch)(struct sluice_ctx *, int fd, uint32_t events,
		     void (*fn)(void *arg, int fd, uint32_t events), void *arg);
	/* [loop] socket + protect chain + connect: the only way out.  0 and
	 * done() will come, or -errno and it will not */
	int (*dial)(struct sluice_ctx *, const struct sluice_dial *);
	/* [loop] for sockets made by a library the plugin uses: the protect
	 * chain on fd, now.  0: safe to connect.  -EPERM: refused;
	 * -EAGAIN: a plugin there needs time, use dial() */
	int (*protect)(struct sluice_ctx *, int fd, uint8_t proto,
		       const struct sluice_addr *to);
	/* [loop] NULL when that flow is gone */
	struct sluice_flow *(*flow_by_id)(struct sluice_ctx *, uint64_t id);
	/* [loop] experiments, outside the promise: "name/1", or NULL */
	const void *(*extension)(struct sluice_ctx *, const char *name);
	/* [loop] what the instance counts, shown beside the core's counters
	 * with the name of the instance before it.  Table and values stay
	 * where they are until destroy() returns */
	void (*counters)(struct sluice_ctx *, const struct sluice_counter *);
};

/* --------------------------------------------------------------- flows */

/* One TCP connection or one UDP session, seen from the TUN side. */
struct sluice_flow_info { /* does not change while the flow lives */
	uint32_t size;
	uint8_t proto; /* SLUICE_TCP, SLUICE_UDP; observers also see
				   1 and 58: ICMP echo */
	uint8_t flags;
	uint16_t mtu;           /* of the TUN */
	uint64_t id;            /* never used twice in a process; in every
				   log line */
	struct sluice_addr app; /* who asks */
	struct sluice_addr dst; /* for whom it asked; UDP by source: the first */
	const char *name;       /* what dst was looked up as, or NULL: the
				   question (form of sluice_query_info.name)
				   last answered with this address through
				   the dns chain, by whichever app; a hint,
				   no proof of what the app wants there */
	int32_t uid;            /* owner of the app's socket, or -1 */
	uint32_t spare;
};

struct sluice_flow_stats {
	uint32_t size;
	uint32_t rtt_us;               /* 0: not known */
	uint64_t up_bytes, down_bytes; /* payload */
	uint64_t up_pkts, down_pkts;   /* packets of the TUN */
	uint64_t born_ms, seen_ms;     /* on now()'s clock */
};

struct sluice_dgram {            /* fixed for this major: it lives in arrays */
	struct iovec iov;        /* payload; 0 bytes is a datagram too */
	struct sluice_addr peer; /* up: whom it is for; down: whom it is from */
};

/* How connect() goes about it; zero is the preset of each. */
#define SLUICE_CONNECT_EARLY 0x1u /* TCP: answer the SYN at once */

struct sluice_connect {
	uint32_t size;
	uint32_t flags;
	uint32_t timeout_ms;   /* 0: 30 s */
	uint32_t keepalive_ms; /* idle time before TCP keepalives to the net;
				   0: none */
};

#define SLUICE_PEERS_ANY  0 /* endpoint-independent */
#define SLUICE_PEERS_ADDR 1 /* filtering: addresses the app wrote to */
#define SLUICE_PEERS_PORT \
	2 /* filtering: addresses and ports it wrote to;
				   mapping: a flow for each destination */

struct sluice_flow_api { /* all [loop] */
	uint32_t size;
	const struct sluice_flow_info *(*info)(struct sluice_flow *);
	const struct sluice_flow_stats *(*stats)(struct sluice_flow *);
	/* your flow_size bytes, zeroed before open() */
	void *(*state)(struct sluice_flow *);

	/* after LATER: TAKE, PASS or DROP; why (SLUICE_WHY_*) matters for
	 * DROP.  0, or -EINVAL when the flow is not waiting for it */
	int (*resolve)(struct sluice_flow *, int verdict, int why);
	/* The core owns fd (connected TCP, or a UDP socket) from here, success
	 * or not, and moves all bytes; the next callback is close().  From
	 * open() answer what it gives (TAKE or -errno); after LATER it
	 * resolves the flow. flags: 0 */
	int (*relay)(struct sluice_flow *, int fd, uint32_t flags);
	/* dial + resolve(TAKE) + relay; to NULL: info()->dst; how NULL: the
	 * presets.  Gives LATER or -errno, so that open() can return it.  A
	 * failure reaches the app as it happened: RST, or the same ICMP */
	int (*connect)(struct sluice_flow *, const struct sluice_addr *to,
		       const struct sluice_connect *how);

	/* TCP up: borrow what has come, in order, up to *n pieces; sets *n and
	 * gives the bytes in them.  They stay until consumed; not consuming
	 * shuts the app's window: that is the backpressure */
	size_t (*peek)(struct sluice_flow *, struct iovec *v, size_t *n);
	void (*consume)(struct sluice_flow *, size_t len);
	/* TCP down: borrow room to write into, up to *n pieces, then say how
	 * much was used.  0: no room, writable() will call */
	size_t (*reserve)(struct sluice_flow *, struct iovec *v, size_t *n);
	void (*commit)(struct sluice_flow *, size_t len);
	/* TCP down: copies; gives what fitted */
	size_t (*send)(struct sluice_flow *, const void *, size_t len);
	/* TCP down: no copy.  Takes all (gives the sum) or nothing (0, and
	 * release() is not called).  release() may come long after close() */
	size_t (*send_ref)(struct sluice_flow *, const struct iovec *v,
			   size_t n, void (*release)(void *), void *arg);
	/* UDP: look at up to n waiting datagrams, drop the first k */
	size_t (*dgrams)(struct sluice_flow *, struct sluice_dgram *v,
			 size_t n);
	void (*dgrams_done)(struct sluice_flow *, size_t k);
	/* UDP down: copies; gives how many were sent.  peer family 0: the
	 * flow's dst */
	size_t (*dgrams_send)(struct sluice_flow *,
			      const struct sluice_dgram *v, size_t n);

	/* TCP: half close, FIN after what was committed */
	void (*shut)(struct sluice_flow *);
	/* now: RST or ICMP by why; close() follows at the end of the turn */
	void (*abort)(struct sluice_flow *, int why);
	/* end the flow when nothing moved for so long; 0: never */
	void (*idle_after)(struct sluice_flow *, uint32_t ms);
	/* half-closed flows may be ended sooner; 0: as idle_after */
	void (*half_after)(struct sluice_flow *, uint32_t ms);
	/* UDP, in open() only: who shares this flow and who may answer
	 * (RFC 4787, 4.1 and 5); SLUICE_PEERS_*.  Without it: ANY, ANY */
	void (*peers)(struct sluice_flow *, uint32_t mapping,
		      uint32_t filtering);
};

#define SLUICE_FLOW_TCP 0x1u
#define SLUICE_FLOW_UDP 0x2u

struct sluice_flow_ops {
	uint32_t size;
	uint32_t flags;     /* what to be offered, SLUICE_FLOW_* */
	uint32_t flow_size; /* state bytes wanted in each flow, <= 4096 */
	uint32_t low_room;  /* writable() waits for this much; 0: an mss */
	int (*open)(void *self, struct sluice_flow *);
	/* there is something new to peek() or dgrams() at */
	void (*readable)(void *self, struct sluice_flow *);
	/* room again after reserve(), send() or send_ref() fell short (as
	 * they do inside open(): a plugin that speaks first tries there) */
	void (*writable)(void *self, struct sluice_flow *);
	/* TCP: nothing follows what peek() shows */
	void (*eof)(void *self, struct sluice_flow *);
	/* nothing moved for idle_after: TAKE keeps it, else it is aborted */
	int (*idle)(void *self, struct sluice_flow *);
	void (*close)(void *self, struct sluice_flow *, int why);
};

/* ----------------------------------------------------------------- dns */

/* The core takes port 53 (UDP, and TCP unframed), parses the question once,
 * and shows every plugin the same shape. */
struct sluice_query_info {
	uint32_t size;
	uint16_t qtype, qclass; /* host order */
	const char *name;       /* lower case, no final dot, zone-file escapes;
				   the root is "." */
	const uint8_t *msg;     /* as it came, without TCP's length */
	uint32_t msg_len;
	int32_t uid;
	struct sluice_addr app, server; /* who asked; whom it asked */
	uint64_t id; /* never used twice; in every log line */
	uint8_t tcp; /* came over TCP */
	uint8_t pad[3];
	uint32_t udp_size; /* largest answer the app takes: EDNS size or
				   512, 65535 over TCP */
};

#define SLUICE_BLOCK_NXDOMAIN 1
#define SLUICE_BLOCK_NODATA   2
#define SLUICE_BLOCK_REFUSED  3
#define SLUICE_BLOCK_ZERO     4 /* 0.0.0.0 and ::, NODATA for other types */
#define SLUICE_BLOCK_SERVFAIL 5

/* An answer for the core to make: the question as it came, what is said here,
 * and EDNS if the question had it. */
#define SLUICE_RESPONSE_SOA 0x1u /* no data: an SOA says for how long */
#define SLUICE_RESPONSE_TC  0x2u /* cut: ask again over TCP */

struct sluice_response {
	uint32_t size;
	uint16_t rcode;
	uint16_t flags;   /* SLUICE_RESPONSE_* */
	int32_t ede;      /* extended error (RFC 8914) for a question with
			     EDNS; -1: none */
	uint32_t ttl;     /* of the addresses, and of the SOA */
	const char *text; /* of ede, or NULL; 64 bytes of it go out */
	const struct sluice_addr *addr; /* those of the question's type are */
	size_t n;                       /* taken */
	const uint8_t *records;         /* for the answer section, before the
				   addresses: whole, names uncompressed */
	uint32_t records_len;
	uint16_t records_n;
	uint16_t spare;
};

/* Why a query got what it got, for people: shown by "sluice explain", and to
 * observers as one text. */
struct sluice_reason {
	uint32_t size;
	uint32_t line;      /* of list; 0: none */
	const char *what;   /* "blocked", "allowed" ... */
	const char *list;   /* the file, or the section and key; or NULL */
	const char *detail; /* the rule itself, a name that was found in an
			       answer ...; or NULL */
};

/* [loop], or after LATER any one thread (answer, answer_addr, block, respond,
 * resolve).  An answer that is too large for the app is cut by the core. */
struct sluice_query_api {
	uint32_t size;
	const struct sluice_query_info *(*info)(struct sluice_query *);
	/* the answer: copied; the core sets id and question right.  0, or
	 * -EBADMSG if it is no DNS message or answers another question,
	 * -ENOMEM.  Follow with TAKE */
	int (*answer)(struct sluice_query *, const void *msg, size_t len);
	/* A or AAAA records, those that fit the question's type */
	int (*answer_addr)(struct sluice_query *, const struct sluice_addr *,
			   size_t n, uint32_t ttl);
	int (*block)(struct sluice_query *, int how);
	/* ask this server (NULL: the one the app asked), from a fresh port
	 * with a fresh id.  Gives LATER or -errno for query() to return; the
	 * answer walks back up the chain without another call */
	int (*forward)(struct sluice_query *, const struct sluice_addr *server);
	/* [any] once, after LATER, with TAKE (answered), PASS or DROP; the
	 * query is gone when it returns */
	void (*resolve)(struct sluice_query *, int verdict);
	/* an answer made by the core.  0, -EMSGSIZE, -ENOMEM.  Follow with
	 * TAKE */
	int (*respond)(struct sluice_query *, const struct sluice_response *);
	/* [loop] in query() and reply(): keep this as the reason; the last
	 * one counts */
	void (*reason)(struct sluice_query *, const struct sluice_reason *);
	/* [loop] in query(), followed by PASS: the app is to get these n
	 * records (whole, names uncompressed, 4096 bytes at most), of which
	 * the last is a CNAME, and the answer for the name it leads to.  The
	 * plugins after this one are asked about that name, info() says so;
	 * reply() of this one and those before sees the question as it was
	 * and the answer with the records.  0; -EINVAL: not in query(), or
	 * no such records; -ELOOP: the ninth time; -ENOMEM */
	int (*follow)(struct sluice_query *, const uint8_t *records,
		      uint32_t len, uint16_t n);
};

#define SLUICE_DNS_OFFLINE \
	0x1u /* query() and reply() need no start(), no net and no time:
	      * "sluice explain" may call them */

struct sluice_dns_ops {
	uint32_t size;
	uint32_t flags; /* SLUICE_DNS_* */
	int (*query)(void *self, struct sluice_query *);
	/* On the way back, in reverse order, for plugins before the one that
	 * answered.  PASS leaves msg, TAKE: answer() inside replaced it, DROP:
	 * no answer */
	int (*reply)(void *self, struct sluice_query *, const uint8_t *msg,
		     size_t len);
};

/* ------------------------------------------------------------- protect */

/* Called for every socket the gateway opens, unconnected and before its
 * first packet. */
struct sluice_socket_info {
	uint32_t size;
	int32_t fd;
	uint8_t proto; /* SLUICE_TCP, SLUICE_UDP, 1 or 58 (ping) */
	uint8_t pad[3];
	struct sluice_addr to;
	uint64_t flow_id; /* 0: not for a flow */
};

struct sluice_socket_api {
	uint32_t size;
	const struct sluice_socket_info *(*info)(struct sluice_socket *);
	/* [any] once, after LATER: TAKE, PASS or DROP */
	void (*resolve)(struct sluice_socket *, int verdict);
};

struct sluice_protect_ops {
	uint32_t size;
	uint32_t flags;
	/* TAKE: safe now.  PASS: nothing to say.  DROP or negative: do not
	 * use it.  A chain that ends without TAKE refuses the socket. */
	int (*protect)(void *self, struct sluice_socket *);
};

/* ----------------------------------------------------------- observers */

/* They see and count; they cannot change anything, so all is const and
 * nothing is returned. */
#define SLUICE_SEE_PACKETS 0x1u
#define SLUICE_SEE_FLOWS   0x2u
#define SLUICE_SEE_DNS     0x4u
#define SLUICE_SEE_TICK    0x8u

#define SLUICE_PKT_UP   0x1u
#define SLUICE_PKT_DOWN 0x2u
#define SLUICE_PKT_SUMS \
	0x4u /* checksums are known good, or left to an
				   offload */

struct sluice_pkt {          /* fixed for this major: it lives in arrays */
	const uint8_t *data; /* the IP header; borrowed until the call
				   returns; the whole packet, contiguous */
	uint32_t len, flags;
	uint64_t flow_id; /* 0: no flow */
	uint32_t gso_size, spare;
};

#define SLUICE_EVENT_OPEN  1
#define SLUICE_EVENT_CLOSE 2

struct sluice_flow_event {
	uint32_t size;
	uint8_t event; /* SLUICE_EVENT_* */
	uint8_t why;   /* of CLOSE: SLUICE_WHY_* */
	uint8_t pad[2];
	const char *plugin; /* who held it, "core", or NULL: nobody yet */
	const struct sluice_flow_info *info;
	const struct sluice_flow_stats *stats;
};

struct sluice_dns_event {
	uint32_t size;
	uint8_t rcode;   /* of the reply */
	uint8_t dropped; /* no reply was sent */
	uint8_t pad[2];
	const char *plugin; /* who answered, "core", or NULL */
	const struct sluice_query_info *info;
	const uint8_t *reply; /* as the app gets it; NULL when dropped */
	uint32_t reply_len;
	uint32_t took_ms;
	const char *reason; /* as a plugin gave it, "blocked ads.txt:17", or
			       NULL */
};

struct sluice_observe_ops {
	uint32_t size;
	uint32_t flags; /* SLUICE_SEE_*; the rest costs nothing */
	void (*packets)(void *self, const struct sluice_pkt *v, size_t n);
	void (*flow)(void *self, const struct sluice_flow_event *);
	void (*dns)(void *self, const struct sluice_dns_event *);
	void (*tick)(void *self, uint64_t now_ms); /* once a second */
};

/* ---------------------------------------------------------- the plugin */

/* Order of calls
 *
 *	create(ctx, options, &self)	may open files, may not open sockets
 *	start(self)			the loop is running; may dial
 *	   ... flows, queries, sockets, events ...
 *	reload(self, options)		NULL: the options are as they were,
 *					but files they name may have changed:
 *					read them again, and do not block
 *					(SIGHUP)
 *	stop(self)			no new flows come
 *	destroy(self)			timers, watches and dials are swept
 *
 * Each may be NULL.  create and start failing stops the gateway.
 */
struct sluice_plugin {
	uint32_t magic; /* these four never move, in any major */
	uint32_t abi;   /* of the header it was built with     */
	uint32_t needs; /* lowest ABI it can live with         */
	uint32_t size;
	uint32_t option_size;   /* sizeof(struct sluice_option) then   */
	uint32_t options_bytes; /* of its option struct                */
	const char *name;       /* a-z 0-9 and -, begins with a letter */
	const char *version, *summary, *license;
	const struct sluice_option *options;
	int (*create)(struct sluice_ctx *, const void *options, void **self);
	int (*start)(void *self);
	int (*reload)(void *self, const void *options);
	void (*stop)(void *self);
	void (*destroy)(void *self);
	const struct sluice_flow_ops *flow; /* NULL: not this class */
	const struct sluice_dns_ops *dns;
	const struct sluice_protect_ops *protect;
	const struct sluice_observe_ops *observe;
};

#define SLUICE_HEAD                                                    \
	.magic = SLUICE_MAGIC, .abi = SLUICE_ABI, .needs = SLUICE_ABI, \
	.size = sizeof(struct sluice_plugin),                          \
	.option_size = sizeof(struct sluice_option)

#ifdef __cplusplus
#define SLUICE_EXTERN extern "C"
#else
#define SLUICE_EXTERN extern
#endif

#ifdef SLUICE_STATIC
#define SLUICE_PLUGIN(id)                                            \
	SLUICE_EXTERN const struct sluice_plugin sluice_plugin_##id; \
	const struct sluice_plugin sluice_plugin_##id
#else
#define SLUICE_PLUGIN(id)                                    \
	SLUICE_EXTERN __attribute__((visibility("default"))) \
	const struct sluice_plugin sluice_plugin;            \
	const struct sluice_plugin sluice_plugin
#endif

/* ------------------------------------------------------------ wrappers */

#define sluice_log(ctx, ...)  ((ctx)->api->log((ctx), __VA_ARGS__))
#define sluice_fail(ctx, ...) ((ctx)->api->fail((ctx), __VA_ARGS__))

static inline uint64_t sluice_now(struct sluice_ctx *c)
{
	return c->api->now(c);
}
static inline int sluice_post(struct sluice_ctx *c, void (*fn)(void *),
			      void *arg)
{
	return c->api->post(c, fn, arg);
}
static inline struct sluice_timer *
sluice_timer(struct sluice_ctx *c, uint32_t ms, void (*fn)(void *), void *arg)
{
	return c->api->timer(c, ms, fn, arg);
}
static inline void sluice_timer_stop(struct sluice_ctx *c,
				     struct sluice_timer *t)
{
	c->api->timer_stop(t);
}
static inline int sluice_watch(struct sluice_ctx *c, int fd, uint32_t events,
			       void (*fn)(void *, int, uint32_t), void *arg)
{
	return c->api->watch(c, fd, events, fn, arg);
}
static inline int sluice_dial(struct sluice_ctx *c, const struct sluice_dial *d)
{
	return c->api->dial(c, d);
}
static inline int sluice_protect(struct sluice_ctx *c, int fd, uint8_t proto,
				 const struct sluice_addr *to)
{
	return c->api->protect(c, fd, proto, to);
}
static inline void sluice_counters(struct sluice_ctx *c,
				   const struct sluice_counter *table)
{
	c->api->counters(c, table);
}
static inline struct sluice_flow *sluice_flow_by_id(struct sluice_ctx *c,
						    uint64_t id)
{
	return c->api->flow_by_id(c, id);
}

static inline const struct sluice_flow_info *
sluice_flow_info(struct sluice_flow *f)
{
	return f->api->info(f);
}
static inline const struct sluice_flow_stats *
sluice_flow_stats(struct sluice_flow *f)
{
	return f->api->stats(f);
}
static inline void *sluice_flow_state(struct sluice_flow *f)
{
	return f->api->state(f);
}
static inline int sluice_resolve(struct sluice_flow *f, int verdict, int why)
{
	return f->api->resolve(f, verdict, why);
}
static inline int sluice_relay(struct sluice_flow *f, int fd)
{
	return f->api->relay(f, fd, 0);
}
static inline int sluice_connect(struct sluice_flow *f,
				 const struct sluice_addr *to)
{
	return f->api->connect(f, to, NULL);
}
static inline int sluice_connect_how(struct sluice_flow *f,
				     const struct sluice_addr *to,
				     const struct sluice_connect *how)
{
	return f->api->connect(f, to, how);
}
static inline size_t sluice_peek(struct sluice_flow *f, struct iovec *v,
				 size_t *n)
{
	return f->api->peek(f, v, n);
}
static inline void sluice_consume(struct sluice_flow *f, size_t len)
{
	f->api->consume(f, len);
}
static inline size_t sluice_reserve(struct sluice_flow *f, struct iovec *v,
				    size_t *n)
{
	return f->api->reserve(f, v, n);
}
static inline void sluice_commit(struct sluice_flow *f, size_t len)
{
	f->api->commit(f, len);
}
static inline size_t sluice_send(struct sluice_flow *f, const void *p,
				 size_t len)
{
	return f->api->send(f, p, len);
}
static inline size_t sluice_send_ref(struct sluice_flow *f,
				     const struct iovec *v, size_t n,
				     void (*release)(void *), void *arg)
{
	return f->api->send_ref(f, v, n, release, arg);
}
static inline size_t sluice_dgrams(struct sluice_flow *f,
				   struct sluice_dgram *v, size_t n)
{
	return f->api->dgrams(f, v, n);
}
static inline void sluice_dgrams_done(struct sluice_flow *f, size_t k)
{
	f->api->dgrams_done(f, k);
}
static inline size_t sluice_dgrams_send(struct sluice_flow *f,
					const struct sluice_dgram *v, size_t n)
{
	return f->api->dgrams_send(f, v, n);
}
static inline void sluice_shut(struct sluice_flow *f)
{
	f->api->shut(f);
}
static inline void sluice_abort(struct sluice_flow *f, int why)
{
	f->api->abort(f, why);
}
static inline void sluice_idle_after(struct sluice_flow *f, uint32_t ms)
{
	f->api->idle_after(f, ms);
}
static inline void sluice_half_after(struct sluice_flow *f, uint32_t ms)
{
	f->api->half_after(f, ms);
}
static inline void sluice_peers(struct sluice_flow *f, uint32_t mapping,
				uint32_t filtering)
{
	f->api->peers(f, mapping, filtering);
}

static inline const struct sluice_query_info *
sluice_query_info(struct sluice_query *q)
{
	return q->api->info(q);
}
static inline int sluice_answer(struct sluice_query *q, const void *msg,
				size_t len)
{
	return q->api->answer(q, msg, len);
}
static inline int sluice_answer_addr(struct sluice_query *q,
				     const struct sluice_addr *v, size_t n,
				     uint32_t ttl)
{
	return q->api->answer_addr(q, v, n, ttl);
}
static inline int sluice_block(struct sluice_query *q, int how)
{
	return q->api->block(q, how);
}
static inline int sluice_forward(struct sluice_query *q,
				 const struct sluice_addr *server)
{
	return q->api->forward(q, server);
}
static inline void sluice_query_resolve(struct sluice_query *q, int verdict)
{
	q->api->resolve(q, verdict);
}

static inline int sluice_respond(struct sluice_query *q,
				 const struct sluice_response *r)
{
	return q->api->respond(q, r);
}
static inline void sluice_reason(struct sluice_query *q,
				 const struct sluice_reason *r)
{
	q->api->reason(q, r);
}
static inline int sluice_follow(struct sluice_query *q, const uint8_t *records,
				uint32_t len, uint16_t n)
{
	return q->api->follow(q, records, len, n);
}

static inline const struct sluice_socket_info *
sluice_socket_info(struct sluice_socket *s)
{
	return s->api->info(s);
}
static inline void sluice_socket_resolve(struct sluice_socket *s, int verdict)
{
	s->api->resolve(s, verdict);
}

#ifdef __cplusplus
}
#endif
#endif /* SLUICE_PLUGIN_H */
