/* SPDX-License-Identifier: MIT */
/* tls.h - one connection, between tls.c and h2.c */
#ifndef TLS_H
#define TLS_H

#include <openssl/ssl.h>

#include "secure.h"

struct nghttp2_session;
struct request;

struct secure {
	SSL *ssl;
	BIO *in, *out; /* what came from the net, what goes there */
	struct secure_peer peer;
	const struct secure_events *events;
	void *arg;
	bool ready;  /* the handshake is done */
	bool inside; /* of input(): events may be told */
	struct nghttp2_session *http;
	struct request *requests; /* of HTTP, under way */
	size_t requests_n;
};

/* Plain bytes to send: 0 or -errno. */
int tls_write(struct secure *s, const uint8_t *p, size_t n);

/* h2.c: after the handshake; what came; what there is to send. */
int h2_start(struct secure *s);
const char *h2_input(struct secure *s, const uint8_t *p, size_t n);
int h2_pump(struct secure *s);
int32_t h2_request(struct secure *s, const uint8_t *msg, size_t n);
void h2_cancel(struct secure *s, int32_t id);
void h2_end(struct secure *s);

#endif
