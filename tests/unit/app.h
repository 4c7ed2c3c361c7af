/* SPDX-License-Identifier: MIT */
/* app.h - the app's end of TCP connections, made by hand
 *
 * An app sends the segments it is told to and keeps count of what comes back;
 * unless it is quiet it acknowledges data as a kernel would.  It checks what
 * it gets: bytes in order and within its window, checksums, options.
 *
 *	struct world *w = app_world("");
 *	int listener = app_listen(4, &dst), server;
 *	struct app a;
 *
 *	app_init(&a, w, 4, 40001, &dst);
 *	app_open(&a);
 *	server = app_accept(w, listener);
 *	...
 *	app_end(w);           fails if anything is left over
 */
#ifndef APP_H
#define APP_H

#include "script.h"
#include "world.h"

#define APP_WINDOW 65535u

struct app {
	struct world *w;
	struct app *next;
	struct sluice_addr src, dst;

	/* Up: next to send, acknowledged so far, right edge of the gateway's
	 * window. */
	uint32_t iss, seq, una, right;
	/* Down: first and next byte, right edge we ever offered. */
	uint32_t irs, nxt, edge;
	uint32_t window;            /* to offer, bytes */
	uint8_t shift, their_shift; /* window scales in force */
	struct packet_syn offer;    /* of our SYN */
	bool quiet;                 /* acknowledges nothing by itself */
	bool full;                  /* offers no more than it did before */
	bool deaf;                  /* all that comes is lost */
	bool lax;                   /* against the rules itself: no counts */
	uint8_t options;            /* bytes of them in later segments */
	uint8_t ttl, tos;           /* ttl 0: 64 */

	/* What came. */
	struct packet_syn theirs; /* options of the SYN-ACK */
	unsigned segments, syns, rsts, icmps, acks;
	unsigned holes, beyond, probes; /* against the rules; window probes */
	uint16_t syn_window;
	uint8_t syn_flags, rst_flags;
	uint32_t rst_seq, rst_ack, last_ack;
	uint32_t largest; /* payload of a segment */
	uint8_t icmp_type, icmp_code;
	struct sluice_addr icmp_from;
	bool fin;
	uint8_t *data;
	size_t len, cap;
};

uint64_t __real_util_now_ms(void);
uint64_t __wrap_util_now_ms(void);

/* A world with the scripted plugins in every chain, and conf on top. */
struct world *app_world(const char *conf);
/* Whether their observer is shown each packet: by default it is not, since
 * then nothing is merged (merge.h). */
void app_watch_packets(struct world *w, bool on);
/* Closes everything; nothing may be left over: objects, descriptors, events
 * that were promised. */
void app_end(struct world *w);

/* From here on the device cuts and sums what comes down, as a kernel does
 * with IFF_VNET_HDR; call it before the first connection. */
void app_offload(struct world *w);
/* The largest packet that went into such a device. */
size_t app_largest(void);

/* One turn; what came down is given to the apps it is for. */
void app_turn(struct world *w, int ms);
void app_turns(struct world *w, int n);
/* Before app_world(): only app_wait() lets time pass in it, so that what happens
 * depends on the test alone. */
void app_freeze(void);
/* Time passes for the gateway, in small steps; nobody sleeps. */
void app_wait(struct world *w, unsigned ms);

/* Turns until it is true, or for two seconds; asserts that it became so. */
#define UNTIL(w, what)                                                         \
	do {                                                                   \
		uint64_t until_ = __real_util_now_ms() + 2000;                 \
		while (!(what) && __real_util_now_ms() < until_)               \
			app_turn((w), 5);                                      \
		CU_assertImplementation((what) ? CU_TRUE : CU_FALSE, __LINE__, \
					"until " #what, __FILE__, "",          \
					CU_TRUE);                              \
	} while (0)

/* A struct that was used before is fine: that connection is forgotten. */
void app_init(struct app *a, struct world *w, int family, uint16_t port,
	      const struct sluice_addr *dst);

/* A segment as told: flags, seq, and up to an MSS of data; ack and window are
 * what they should be. */
void app_segment(struct app *a, uint8_t flags, uint32_t seq, const void *data,
		 size_t len);
void app_syn(struct app *a);
void app_open(struct app *a); /* SYN until established */
/* As much as the gateway's window lets out; how much that was. */
size_t app_send(struct app *a, const void *data, size_t len);
void app_ack(struct app *a);
void app_fin(struct app *a);
void app_rst(struct app *a);
/* Bytes the gateway would take now. */
uint32_t app_room(const struct app *a);
/* Got exactly this since app_forget() or the start? */
bool app_has(const struct app *a, const void *data, size_t len);
void app_forget(struct app *a);

/* The app is told by one ICMP error, and nothing else: destination unreachable
 * with this code. */
void app_is_told(struct app *a, uint8_t code4, uint8_t code6);

/* A listening socket of the outside; an accepted one, non-blocking. */
int app_listen(int family, struct sluice_addr *as);
int app_accept(struct world *w, int listener);
/* Is there no connection, now and after some turns? */
bool app_nobody(struct world *w, int listener);
/* What a server reads, len bytes or until the end of file: how much, or
 * -errno; -ETIMEDOUT after two seconds. */
ssize_t app_read(struct world *w, int fd, void *buf, size_t len);
/* Nobody listens here. */
struct sluice_addr app_closed_port(int family);

/* The bytes at [at, at + len) of a stream that has no two parts alike. */
void app_pattern(uint8_t *out, size_t at, size_t len);

/* A test for each IP version. */
#define IN_BOTH(name)                      \
	static void name##_in(int family); \
	static void name(void)             \
	{                                  \
		name##_in(4);              \
		name##_in(6);              \
	}                                  \
	static void name##_in(int family)

#endif
