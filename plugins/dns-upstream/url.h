/* SPDX-License-Identifier: MIT */
/* url.h - a server as one writes it down */
#ifndef URL_H
#define URL_H

#include <sluice/plugin.h>

#define URL_UDP   0
#define URL_TCP   1
#define URL_TLS   2
#define URL_HTTPS 3

#define URL_ADDRS 4
#define URL_PINS  4
#define URL_TEXT  600

struct url {
	uint8_t kind;    /* URL_* */
	uint8_t addrs_n; /* 0: host has to be looked up */
	uint8_t pins_n;
	uint8_t device; /* tell who asks (Control D) */
	uint16_t port;
	struct sluice_addr addrs[URL_ADDRS]; /* with the port */
	char host[256]; /* TLS, HTTPS: whose certificate it has to be */
	char path[256]; /* HTTPS */
	/* SHA-256 of a certificate to be signed of its chain (stamps) */
	uint8_t pins[URL_PINS][32];
};

/* "1.2.3.4", "udp://1.2.3.4:53", "tcp://[::1]:5354", "fe80::1%eth0",
 * "tls://dns.example", "https://dns.example/dns-query", "sdns://...",
 * "controld://UID/CLIENT" into u.  NULL, or what is wrong with it. */
const char *url_parse(const char *word, struct url *u);
/* The same as text, for logs and answers: of an HTTPS path that is not the usual
 * one, which may be a secret of a device, only that there is one. */
char *url_text(const struct url *u, char buf[URL_TEXT]);
/* An address alone, no port: 0 or -1. */
int url_address(const char *text, struct sluice_addr *a);

/* stamp.c: what stands behind "sdns://". */
const char *stamp_parse(const char *text, struct url *u);
/* "HOST", "HOST:PORT", "[IPv6]:PORT": host into text, port if there is one. */
const char *url_host_port(const char *word, char *host, size_t room,
			  uint16_t *port);

#endif
