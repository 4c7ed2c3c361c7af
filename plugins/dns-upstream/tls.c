/* SPDX-License-Identifier: MIT */
/* tls.c - the module dns-upstream-tls: TLS by OpenSSL
 *
 *	open --input--> handshake --certificate good--> ready --> over
 *	                    |                             |
 *	                    +-------- any mistake --------+
 *
 * Bytes go through memory, so nothing here waits.  A certificate has to lead
 * to an authority that is trusted, be for the host that was configured, and,
 * where pins are given, one of its chain has to be pinned.  There is no way
 * to switch that off.
 */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN_ROOM 16384 /* one record of TLS */

/* ------------------------------------------------------------ certificates */

static bool is_pinned(const struct secure_peer *p, const uint8_t *der, int len)
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned int n;

	if (len <= 0 ||
	    !EVP_Digest(der, (size_t)len, sum, &n, EVP_sha256(), NULL))
		return false;
	for (size_t i = 0; i < p->pins_n; i++)
		if (!memcmp(sum, p->pins[i], 32))
			return true;
	return false;
}

/* What is signed of a certificate has a digest that is pinned. */
static bool chain_is_pinned(const struct secure *s)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(s->ssl);
	bool pinned = false;

	for (int i = 0; !pinned && i < sk_X509_num(chain); i++) {
		uint8_t *der = NULL;
		int len = i2d_re_X509_tbs(sk_X509_value(chain, i), &der);

		pinned = is_pinned(&s->peer, der, len);
		OPENSSL_free(der);
	}
	return pinned;
}

/* Of a chain that is resumed nothing is seen: it was looked at when it was
 * new, or it would not be resumed. */
static bool is_trusted(const struct secure *s)
{
	return !s->peer.pins_n || SSL_session_reused(s->ssl) ||
	       chain_is_pinned(s);
}

/* A session to resume next time, instead of the one before.  TLS 1.2 hands it
 * out before shake() has looked at the chain. */
static int new_session(SSL *ssl, SSL_SESSION *session)
{
	struct secure *s = SSL_get_app_data(ssl);

	if (!is_trusted(s))
		return 0;
	SSL_SESSION_free(*s->peer.session);
	*s->peer.session = session;
	return 1;
}

/* ----------------------------------------------------------------- context */

static void tls_session_free(void *session)
{
	SSL_SESSION_free(session);
}

static const char *last_error(void)
{
	unsigned long first = ERR_peek_error(), e = ERR_peek_last_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;

	/* A file that cannot be read: the last word is "system lib". */
	if (ERR_SYSTEM_ERROR(first))
		reason = strerror(ERR_GET_REASON(first));
	ERR_clear_error();
	return reason ? reason : "TLS failed";
}

static void *tls_start(const char *ca_file, char *text, size_t room)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int ok;

	if (!ctx) {
		snprintf(text, room, "%s", last_error());
		return NULL;
	}
	ok = ca_file ? SSL_CTX_load_verify_file(ctx, ca_file) :
		       SSL_CTX_set_default_verify_paths(ctx);
	if (ok != 1 ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
		snprintf(text, room, "ca-file: %s: %s",
			 ca_file ? ca_file : "authorities of the system",
			 last_error());
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_options(ctx,
			    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
						    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, new_session);
	return ctx;
}

static void tls_end(void *ctx)
{
	SSL_CTX_free(ctx);
}

static const char *refusal(const struct secure *s)
{
	long verdict = SSL_get_verify_result(s->ssl);

	if (verdict != X509_V_OK) {
		ERR_clear_error();
		return X509_verify_cert_error_string(verdict);
	}
	return last_error();
}

/* ------------------------------------------------------------- connections */

static bool expect(struct secure *s)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);
	static const uint8_t h2[] = { 2, 'h', '2' };

	if (s->peer.http && SSL_set_alpn_protos(s->ssl, h2, sizeof(h2)))
		return false;
	if (s->peer.address)
		return X509_VERIFY_PARAM_set1_ip_asc(param, s->peer.host) == 1;
	X509_VERIFY_PARAM_set_hostflags(param,
					X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, s->peer.host, 0) == 1 &&
	       SSL_set_tlsext_host_name(s->ssl, s->peer.host) == 1;
}

static void tls_close(struct secure *s)
{
	if (!s)
		return;
	h2_end(s);
	/* A session is resumed also when the other end just went. */
	if (s->ssl)
		SSL_set_shutdown(s->ssl,
				 SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(s->ssl); /* and its BIOs */
	free(s);
}

static struct secure *tls_open(void *ctx, const struct secure_peer *peer,
			       const struct secure_events *events, void *arg)
{
	struct secure *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->peer = *peer;
	s->events = events;
	s->arg = arg;
	s->ssl = SSL_new(ctx);
	s->in = BIO_new(BIO_s_mem());
	s->out = BIO_new(BIO_s_mem());
	if (!s->ssl || !s->in || !s->out) {
		BIO_free(s->in);
		BIO_free(s->out);
		tls_close(s);
		return NULL;
	}
	BIO_set_mem_eof_return(s->in, -1); /* empty means later */
	SSL_set_bio(s->ssl, s->in, s->out);
	SSL_set_connect_state(s->ssl);
	SSL_set_app_data(s->ssl, s);
	if (!expect(s)) {
		tls_close(s);
		return NULL;
	}
	if (*peer->session)
		SSL_set_session(s->ssl, *peer->session);
	return s;
}

static const char *shake(struct secure *s)
{
	const uint8_t *alpn;
	unsigned int n;
	int r = SSL_do_handshake(s->ssl);

	if (r != 1 && SSL_get_error(s->ssl, r) == SSL_ERROR_WANT_READ)
		return NULL;
	if (r != 1)
		return refusal(s);
	if (!is_trusted(s))
		return "no certificate of its chain is pinned";
	SSL_get0_alpn_selected(s->ssl, &alpn, &n);
	if (s->peer.http && (n != 2 || memcmp(alpn, "h2", 2) != 0))
		return "does not speak HTTP/2";
	if (s->peer.http && h2_start(s))
		return "no memory";
	s->ready = true;
	s->events->ready(s->arg);
	return NULL;
}

/* What came, decrypted and told. */
static const char *read_all(struct secure *s)
{
	uint8_t plain[PLAIN_ROOM];
	const char *why = NULL;
	int r;

	while (!why) {
		r = SSL_read(s->ssl, plain, sizeof(plain));
		if (r <= 0) {
			r = SSL_get_error(s->ssl, r);
			return r == SSL_ERROR_WANT_READ   ? NULL :
			       r == SSL_ERROR_ZERO_RETURN ? "ends the "
							    "connection" :
							    last_error();
		}
		if (s->http)
			why = h2_input(s, plain, (size_t)r);
		else if (s->events->plain(s->arg, plain, (size_t)r))
			why = "no memory";
	}
	return why;
}

static const char *tls_input(struct secure *s, const uint8_t *p, size_t n)
{
	const char *why = NULL;

	if (n && BIO_write(s->in, p, (int)n) != (int)n)
		return "no memory";
	s->inside = true;
	if (!s->ready)
		why = shake(s);
	if (!why && s->ready)
		why = read_all(s);
	if (!why && s->http && h2_pump(s))
		why = "HTTP/2 failed";
	s->inside = false;
	return why;
}

int tls_write(struct secure *s, const uint8_t *p, size_t n)
{
	if (n && SSL_write(s->ssl, p, (int)n) != (int)n) {
		ERR_clear_error();
		return -EPROTO;
	}
	return 0;
}

static int32_t tls_request(struct secure *s, const uint8_t *msg, size_t n)
{
	int32_t id = h2_request(s, msg, n);

	return id >= 0 && !s->inside && h2_pump(s) ? -EPROTO : id;
}

static size_t tls_output(struct secure *s, uint8_t *p, size_t room)
{
	int n = BIO_read(s->out, p, (int)room);

	return n > 0 ? (size_t)n : 0;
}

__attribute__((
	visibility("default"))) extern const struct secure_ops dns_upstream_tls;
const struct secure_ops dns_upstream_tls = {
	.version = SECURE_VERSION,
	.start = tls_start,
	.end = tls_end,
	.session_free = tls_session_free,
	.open = tls_open,
	.close = tls_close,
	.input = tls_input,
	.write = tls_write,
	.request = tls_request,
	.cancel = h2_cancel,
	.output = tls_output,
};
