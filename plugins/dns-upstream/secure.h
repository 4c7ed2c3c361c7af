/* SPDX-License-Identifier: MIT */
/* secure.h - TLS, and HTTP/2 in it, between a connection and its questions
 *
 * What is behind these functions turns bytes into bytes: it has no socket,
 * no clock and no log.  It is a module of its own, so that who asks plain
 * servers only does not carry a TLS library:
 *
 *	secure.c	finds it: dns-upstream-tls.mod, or what is built in
 *	tls.c		the module: OpenSSL
 *	h2.c		and nghttp2
 */
#ifndef SECURE_H
#define SECURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECURE_VERSION 1
#define SECURE_PINS    4

struct secure; /* one connection */

/* Whom a connection is to, and who asks; strings stay the caller's. */
struct secure_peer {
	const char *host; /* what its certificate has to be for */
	uint16_t port;
	bool address; /* host is one, not a name */
	bool http;    /* HTTP/2, else bytes as they are */
	const char *path;
	/* the device, for those that want to know; NULL: not told */
	const char *device_host, *device_ip, *device_mac;
	const uint8_t (*pins)[32]; /* one of these is in the chain, ... */
	size_t pins_n;             /* ... if there are any */
	void **session;            /* kept by the caller, to resume */
};

/* What happens; arg is open()'s.  From inside of input() only. */
struct secure_events {
	void (*ready)(void *arg); /* questions may go out */
	/* plain bytes (no HTTP) */
	int (*plain)(void *arg, const uint8_t *p, size_t n);
	/* HTTP: a request's answer, or why there is none; lost: it was not
	 * looked at, and may be asked again */
	void (*answer)(void *arg, int32_t id, uint8_t *msg, size_t len);
	void (*refused)(void *arg, int32_t id, const char *why, bool lost);
	void (*leaving)(void *arg); /* no more requests: it is going away */
};

struct secure_ops {
	uint32_t version;
	/* For all connections of an instance; ca_file NULL: those the system
	 * trusts.  NULL with the reason in text. */
	void *(*start)(const char *ca_file, char *text, size_t room);
	void (*end)(void *ctx);
	void (*session_free)(void *session);
	/* NULL: no memory.  The handshake begins with the first input(). */
	struct secure *(*open)(void *ctx, const struct secure_peer *peer,
			       const struct secure_events *events, void *arg);
	void (*close)(struct secure *s);
	/* What came from the net, n may be 0.  NULL, or why it is over. */
	const char *(*input)(struct secure *s, const uint8_t *p, size_t n);
	/* Plain bytes to send, or a request: its id, -errno. */
	int (*write)(struct secure *s, const uint8_t *p, size_t n);
	int32_t (*request)(struct secure *s, const uint8_t *msg, size_t n);
	void (*cancel)(struct secure *s, int32_t id);
	/* What is to go to the net, into p; 0: nothing. */
	size_t (*output)(struct secure *s, uint8_t *p, size_t room);
};

/* The one there is, or NULL with the reason in text. */
const struct secure_ops *secure_find(char *text, size_t room);

#endif
