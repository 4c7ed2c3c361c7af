/* SPDX-License-Identifier: MIT */
/* h2.c - questions as HTTP/2 requests (RFC 8484), by nghttp2
 *
 * Each question is a POST on a stream of its own; its answer is collected
 * with the stream and told when that ends.  An answer larger than DNS allows
 * ends its stream.  The server may go away: requests that it says it did not
 * look at are told as lost, and can be asked of another connection.
 */
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls.h"

#define BODY_MAX 65535u
#define BODY_MIN 512u
#define HEADERS  12
/* Given up ones wait for the server to take them, or for the connection to
 * end: one that takes none must not gather them. */
#define REQUESTS_MAX 512u
#define TYPE         "application/dns-message"

struct request {
	struct request *next, **link; /* of its connection */
	int32_t id;
	uint32_t status, error;
	bool cancelled, type_ok, too_large;
	bool ended; /* while nothing may be told */
	uint8_t *body;
	size_t len, cap;
	size_t sent, query_len;
	uint8_t query[];
};

static void request_free(struct secure *s, struct request *r)
{
	s->requests_n--;
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	free(r->body);
	free(r);
}

static ssize_t query_read(nghttp2_session *http, int32_t id, uint8_t *buf,
			  size_t room, uint32_t *flags,
			  nghttp2_data_source *source, void *arg)
{
	struct request *r = source->ptr;
	size_t n = r->query_len - r->sent;

	(void)http;
	(void)id;
	(void)arg;
	if (n > room)
		n = room;
	memcpy(buf, r->query + r->sent, n);
	r->sent += n;
	if (r->sent == r->query_len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static int on_header(nghttp2_session *http, const nghttp2_frame *frame,
		     const uint8_t *name, size_t name_len, const uint8_t *value,
		     size_t value_len, uint8_t flags, void *arg)
{
	struct request *r =
		nghttp2_session_get_stream_user_data(http, frame->hd.stream_id);

	(void)flags;
	(void)arg;
	if (!r)
		return 0;
	if (name_len == 7 && !memcmp(name, ":status", 7))
		r->status = (uint32_t)strtoul((const char *)value, NULL, 10);
	else if (name_len == 12 && !memcmp(name, "content-type", 12))
		r->type_ok = value_len >= strlen(TYPE) &&
			     !memcmp(value, TYPE, strlen(TYPE));
	return 0;
}

static int on_data(nghttp2_session *http, uint8_t flags, int32_t id,
		   const uint8_t *p, size_t n, void *arg)
{
	struct request *r = nghttp2_session_get_stream_user_data(http, id);
	size_t cap;
	uint8_t *bigger;

	(void)flags;
	(void)arg;
	if (!r || r->too_large)
		return 0;
	if (r->len + n > BODY_MAX) {
		r->too_large = true;
		nghttp2_submit_rst_stream(http, NGHTTP2_FLAG_NONE, id,
					  NGHTTP2_CANCEL);
		return 0;
	}
	for (cap = r->cap ? r->cap : BODY_MIN; cap < r->len + n;)
		cap *= 2;
	if (cap != r->cap) {
		bigger = realloc(r->body, cap);
		if (!bigger)
			return NGHTTP2_ERR_CALLBACK_FAILURE;
		r->body = bigger;
		r->cap = cap;
	}
	memcpy(r->body + r->len, p, n);
	r->len += n;
	return 0;
}

/* The end of a request, told but for one that nobody wants any more. */
static void tell(struct secure *s, struct request *r)
{
	const struct secure_events *ev = s->events;
	int32_t id = r->id;
	char why[40];

	snprintf(why, sizeof(why), "HTTP status %u", r->status);
	r->id = -1; /* what is told is not to be cancelled */
	if (r->cancelled)
		;
	else if (r->too_large)
		ev->refused(s->arg, id, "its answer is too large", false);
	else if (r->error)
		ev->refused(s->arg, id, "ends the request",
			    r->error == NGHTTP2_REFUSED_STREAM);
	else if (r->status != 200)
		ev->refused(s->arg, id, why, false);
	else if (!r->type_ok || !r->len)
		ev->refused(s->arg, id, "its answer is no DNS message", false);
	else
		ev->answer(s->arg, id, r->body, r->len);
	request_free(s, r);
}

static int on_close(nghttp2_session *http, int32_t id, uint32_t error,
		    void *arg)
{
	struct request *r = nghttp2_session_get_stream_user_data(http, id);
	struct secure *s = arg;

	if (!r)
		return 0;
	nghttp2_session_set_stream_user_data(http, id, NULL);
	r->error = error;
	r->ended = true;
	if (s->inside)
		tell(s, r);
	return 0;
}

static int on_frame(nghttp2_session *http, const nghttp2_frame *frame,
		    void *arg)
{
	struct secure *s = arg;

	(void)http;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		s->events->leaving(s->arg);
	return 0;
}

int h2_start(struct secure *s)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
	};
	nghttp2_session_callbacks *calls;
	int err = nghttp2_session_callbacks_new(&calls);

	if (err)
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls,
								  on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
	err = nghttp2_session_client_new(&s->http, calls, s);
	nghttp2_session_callbacks_del(calls);
	if (err)
		return -ENOMEM;
	return nghttp2_submit_settings(s->http, NGHTTP2_FLAG_NONE, settings,
				       1) ?
		       -ENOMEM :
		       0;
}

const char *h2_input(struct secure *s, const uint8_t *p, size_t n)
{
	ssize_t took = nghttp2_session_mem_recv(s->http, p, n);
	struct request *r, *next;

	for (r = s->requests; r; r = next) {
		next = r->next;
		if (r->ended)
			tell(s, r);
	}
	if (took < 0 || !nghttp2_session_want_read(s->http))
		return "ends the connection";
	return NULL;
}

int h2_pump(struct secure *s)
{
	const uint8_t *p;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(s->http, &p)) > 0)
		if (tls_write(s, p, (size_t)n))
			return -EPROTO;
	return n < 0 ? -EPROTO : 0;
}

static void header(nghttp2_nv *v, size_t *n, const char *name,
		   const char *value)
{
	if (!value)
		return;
	v[(*n)++] = (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name,
				  .namelen = strlen(name),
				  .value = (uint8_t *)(uintptr_t)value,
				  .valuelen = strlen(value) };
}

static size_t headers(const struct secure_peer *p, nghttp2_nv v[HEADERS],
		      char authority[300], char length[12], size_t query_len)
{
	const char *open = p->address && strchr(p->host, ':') ? "[" : "";
	const char *close = *open ? "]" : "";
	size_t n = 0;

	if (p->port == 443)
		snprintf(authority, 300, "%s%s%s", open, p->host, close);
	else
		snprintf(authority, 300, "%s%s%s:%u", open, p->host, close,
			 p->port);
	snprintf(length, 12, "%zu", query_len);
	header(v, &n, ":method", "POST");
	header(v, &n, ":scheme", "https");
	header(v, &n, ":authority", authority);
	header(v, &n, ":path", p->path);
	header(v, &n, "content-type", TYPE);
	header(v, &n, "accept", TYPE);
	header(v, &n, "content-length", length);
	header(v, &n, "x-cd-host", p->device_host);
	header(v, &n, "x-cd-ip", p->device_ip);
	header(v, &n, "x-cd-mac", p->device_mac);
	return n;
}

int32_t h2_request(struct secure *s, const uint8_t *msg, size_t len)
{
	struct request *r;
	nghttp2_data_provider body = { .read_callback = query_read };
	char authority[300], length[12];
	nghttp2_nv v[HEADERS];
	size_t n;

	if (s->requests_n >= REQUESTS_MAX)
		return -EBUSY;
	r = calloc(1, sizeof(*r) + len);
	if (!r)
		return -ENOMEM;
	s->requests_n++;
	memcpy(r->query, msg, len);
	r->query_len = len;
	r->link = &s->requests;
	r->next = s->requests;
	if (r->next)
		r->next->link = &r->next;
	s->requests = r;
	body.source.ptr = r;
	n = headers(&s->peer, v, authority, length, len);
	r->id = nghttp2_submit_request(s->http, NULL, v, n, &body, r);
	if (r->id < 0) {
		request_free(s, r);
		return -EPROTO;
	}
	return r->id;
}

void h2_cancel(struct secure *s, int32_t id)
{
	struct request *r = s->requests;

	while (r && r->id != id)
		r = r->next;
	if (!r || id <= 0)
		return;
	r->cancelled = true;
	nghttp2_submit_rst_stream(s->http, NGHTTP2_FLAG_NONE, id,
				  NGHTTP2_CANCEL);
}

void h2_end(struct secure *s)
{
	nghttp2_session_del(s->http);
	s->http = NULL;
	while (s->requests)
		request_free(s, s->requests);
}
