/* SPDX-License-Identifier: MIT */
/* stats.h - counters and gauges, each with its help
 *
 * Everything that is dropped is counted under the reason; the table below is
 * the only list of them.
 */
#ifndef CORE_STATS_H
#define CORE_STATS_H

#include <stdint.h>

/* clang-format off */
/*	name			kind	help */
#define STATS(X) \
	X(tun_up_packets,	C, "packets read from the TUN") \
	X(tun_up_bytes,		C, "bytes read from the TUN") \
	X(tun_down_packets,	C, "packets written to the TUN") \
	X(tun_down_bytes,	C, "bytes written to the TUN") \
	X(tun_write_dropped,	C, "packets the TUN did not take") \
	X(tun_read_errors,	C, "failed reads of the TUN") \
	X(drop_short,		C, "dropped: shorter than its headers") \
	X(drop_version,		C, "dropped: neither IPv4 nor IPv6") \
	X(drop_header,		C, "dropped: bad IP header or extension") \
	X(drop_length,		C, "dropped: lies about its length") \
	X(drop_checksum,	C, "dropped: wrong checksum") \
	X(drop_source,		C, "dropped: source outside tun.source") \
	X(drop_target,		C, "dropped: destination not forwarded") \
	X(drop_proto,		C, "dropped: protocol not forwarded") \
	X(drop_tcp,		C, "dropped: TCP header against RFC 9293") \
	X(drop_frag,		C, "dropped: bad, overlapping or late fragment") \
	X(drop_limit,		C, "dropped: a limit was reached") \
	X(limit_rate,		C, "of these: too many new flows unanswered") \
	X(limit_fresh,		C, "of these: all places for unanswered flows taken") \
	X(limit_share,		C, "of these: the source has its share of flows") \
	X(limit_places,		C, "of these: no place for another flow") \
	X(limit_target,		C, "of these: SYNs waiting for one destination") \
	X(drop_filter,		C, "dropped: datagram of a peer not asked") \
	X(drop_ttl,		C, "dropped: TTL ended here") \
	X(frag_up,		C, "fragments read") \
	X(frag_whole,		C, "packets put together") \
	X(icmp_errors_down,	C, "ICMP errors written to the TUN") \
	X(icmp_errors_limited,	C, "ICMP errors and RSTs not sent: rate limit") \
	X(tcp_opened,		C, "TCP connections seen") \
	X(tcp_accepted,		C, "TCP connections answered") \
	X(tcp_refused,		C, "TCP connections refused") \
	X(tcp_open,		G, "TCP connections now") \
	X(tcp_windows,		G, "bytes that apps may have under way to us") \
	X(tcp_chunks,		G, "bytes held for what apps have not acknowledged") \
	X(tcp_resets_down,	C, "RSTs written to the TUN") \
	X(udp_opened,		C, "UDP sessions seen") \
	X(udp_open,		G, "UDP sessions now") \
	X(icmp_opened,		C, "ping sessions seen") \
	X(icmp_open,		G, "ping sessions now") \
	X(flow_evicted,		C, "flows ended for want of room") \
	X(flow_evicted_fresh,	C, "unanswered flows ended for want of room") \
	X(flow_up_bytes,	C, "payload bytes from apps") \
	X(flow_down_bytes,	C, "payload bytes to apps") \
	X(dial_started,		C, "sockets asked for") \
	X(dial_unprotected,	C, "sockets no plugin vouched for: refused") \
	X(dial_loops,		C, "sockets that would have come back to us") \
	X(dial_failed,		C, "connects that failed") \
	X(dial_timeout,		C, "connects that took too long") \
	X(dns_queries,		C, "DNS questions") \
	X(dns_answered,		C, "DNS answers sent") \
	X(dns_malformed,	C, "DNS messages that were none") \
	X(dns_timeout,		C, "DNS questions without an answer in time") \
	X(dns_limited,		C, "DNS questions refused: too many waiting") \
	X(dns_pending,		G, "DNS questions waiting") \
	X(plugin_errors,	C, "negative answers of plugins") \
	X(plugin_slow,		C, "plugin calls over 100 ms") \
	X(stack_assertions,	C, "lwIP assertions survived")

enum stats_id {
#define X(name, kind, help) STATS_##name,
	STATS(X)
#undef X
	STATS_COUNT
};
/* clang-format on */

struct stats {
	uint64_t v[STATS_COUNT];
};

struct stats_desc {
	const char *name, *help;
	char kind; /* 'C'ounter or 'G'auge */
};

extern const struct stats_desc stats_desc[STATS_COUNT];

#define stats_inc(s, name)    ((void)(s)->v[STATS_##name]++)
#define stats_dec(s, name)    ((void)(s)->v[STATS_##name]--)
#define stats_add(s, name, n) ((void)((s)->v[STATS_##name] += (n)))
#define stats_get(s, name)    ((s)->v[STATS_##name])

#endif
