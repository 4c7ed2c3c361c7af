/* SPDX-License-Identifier: MIT */
/* abi_layout.c - where everything is in the structs of plugin.h
 *
 * Compiled in every build, never run.  A line that fails says that plugins
 * built before would read another member than they mean: put new members at
 * the end, or raise the major.  New members get a line here.
 *
 * The three numbers are for 64 bit; for 32 bit where int64_t is aligned to 8
 * (ARM); and for 32 bit where it is aligned to 4 (x86).
 */
#include <sluice/plugin.h>

#if UINTPTR_MAX > 0xffffffffu
#define PICK(a, b, c) (a)
#elif defined(__i386__)
#define PICK(a, b, c) (c)
#else
#define PICK(a, b, c) (b)
#endif

#define AT(type, member, a, b, c)                                \
	_Static_assert(offsetof(struct sluice_##type, member) == \
			       PICK(a, b, c),                    \
		       "sluice_" #type "." #member " has moved")
/* May grow at its end. */
#define LEAST(type, a, b, c)                                          \
	_Static_assert(sizeof(struct sluice_##type) >= PICK(a, b, c), \
		       "sluice_" #type " has shrunk")
/* Lives in arrays. */
#define EXACTLY(type, a, b, c)                                        \
	_Static_assert(sizeof(struct sluice_##type) == PICK(a, b, c), \
		       "sluice_" #type " has another size")

/* clang-format off */

AT(addr, family, 0, 0, 0);
AT(addr, pad, 1, 1, 1);
AT(addr, port, 2, 2, 2);
AT(addr, scope, 4, 4, 4);
AT(addr, ip, 8, 8, 8);
EXACTLY(addr, 24, 24, 24);

AT(ctx, api, 0, 0, 0);
LEAST(ctx, 8, 4, 4);

AT(flow, api, 0, 0, 0);
LEAST(flow, 8, 4, 4);

AT(query, api, 0, 0, 0);
LEAST(query, 8, 4, 4);

AT(socket, api, 0, 0, 0);
LEAST(socket, 8, 4, 4);

AT(option, key, 0, 0, 0);
AT(option, preset, 8, 4, 4);
AT(option, help, 16, 8, 8);
AT(option, type, 24, 12, 12);
AT(option, offset, 28, 16, 16);
AT(option, min, 32, 24, 20);
AT(option, max, 40, 32, 28);
LEAST(option, 48, 40, 36);

AT(dial, size, 0, 0, 0);
AT(dial, proto, 4, 4, 4);
AT(dial, pad, 5, 5, 5);
AT(dial, to, 8, 8, 8);
AT(dial, flow, 32, 32, 32);
AT(dial, timeout_ms, 40, 36, 36);
AT(dial, flags, 44, 40, 40);
AT(dial, done, 48, 44, 44);
AT(dial, arg, 56, 48, 48);
LEAST(dial, 64, 52, 52);

AT(core_api, size, 0, 0, 0);
AT(core_api, abi, 4, 4, 4);
AT(core_api, log, 8, 8, 8);
AT(core_api, fail, 16, 12, 12);
AT(core_api, now, 24, 16, 16);
AT(core_api, post, 32, 20, 20);
AT(core_api, timer, 40, 24, 24);
AT(core_api, timer_stop, 48, 28, 28);
AT(core_api, watch, 56, 32, 32);
AT(core_api, dial, 64, 36, 36);
AT(core_api, protect, 72, 40, 40);
AT(core_api, flow_by_id, 80, 44, 44);
AT(core_api, extension, 88, 48, 48);
AT(core_api, counters, 96, 52, 52);
LEAST(core_api, 104, 56, 56);

AT(flow_info, size, 0, 0, 0);
AT(flow_info, proto, 4, 4, 4);
AT(flow_info, flags, 5, 5, 5);
AT(flow_info, mtu, 6, 6, 6);
AT(flow_info, id, 8, 8, 8);
AT(flow_info, app, 16, 16, 16);
AT(flow_info, dst, 40, 40, 40);
AT(flow_info, name, 64, 64, 64);
AT(flow_info, uid, 72, 68, 68);
AT(flow_info, spare, 76, 72, 72);
LEAST(flow_info, 80, 80, 76);

AT(flow_stats, size, 0, 0, 0);
AT(flow_stats, rtt_us, 4, 4, 4);
AT(flow_stats, up_bytes, 8, 8, 8);
AT(flow_stats, down_bytes, 16, 16, 16);
AT(flow_stats, up_pkts, 24, 24, 24);
AT(flow_stats, down_pkts, 32, 32, 32);
AT(flow_stats, born_ms, 40, 40, 40);
AT(flow_stats, seen_ms, 48, 48, 48);
LEAST(flow_stats, 56, 56, 56);

AT(dgram, iov, 0, 0, 0);
AT(dgram, peer, 16, 8, 8);
EXACTLY(dgram, 40, 32, 32);

AT(connect, size, 0, 0, 0);
AT(connect, flags, 4, 4, 4);
AT(connect, timeout_ms, 8, 8, 8);
AT(connect, keepalive_ms, 12, 12, 12);
LEAST(connect, 16, 16, 16);

AT(flow_api, size, 0, 0, 0);
AT(flow_api, info, 8, 4, 4);
AT(flow_api, stats, 16, 8, 8);
AT(flow_api, state, 24, 12, 12);
AT(flow_api, resolve, 32, 16, 16);
AT(flow_api, relay, 40, 20, 20);
AT(flow_api, connect, 48, 24, 24);
AT(flow_api, peek, 56, 28, 28);
AT(flow_api, consume, 64, 32, 32);
AT(flow_api, reserve, 72, 36, 36);
AT(flow_api, commit, 80, 40, 40);
AT(flow_api, send, 88, 44, 44);
AT(flow_api, send_ref, 96, 48, 48);
AT(flow_api, dgrams, 104, 52, 52);
AT(flow_api, dgrams_done, 112, 56, 56);
AT(flow_api, dgrams_send, 120, 60, 60);
AT(flow_api, shut, 128, 64, 64);
AT(flow_api, abort, 136, 68, 68);
AT(flow_api, idle_after, 144, 72, 72);
AT(flow_api, half_after, 152, 76, 76);
AT(flow_api, peers, 160, 80, 80);
LEAST(flow_api, 168, 84, 84);

AT(flow_ops, size, 0, 0, 0);
AT(flow_ops, flags, 4, 4, 4);
AT(flow_ops, flow_size, 8, 8, 8);
AT(flow_ops, low_room, 12, 12, 12);
AT(flow_ops, open, 16, 16, 16);
AT(flow_ops, readable, 24, 20, 20);
AT(flow_ops, writable, 32, 24, 24);
AT(flow_ops, eof, 40, 28, 28);
AT(flow_ops, idle, 48, 32, 32);
AT(flow_ops, close, 56, 36, 36);
LEAST(flow_ops, 64, 40, 40);

AT(query_info, size, 0, 0, 0);
AT(query_info, qtype, 4, 4, 4);
AT(query_info, qclass, 6, 6, 6);
AT(query_info, name, 8, 8, 8);
AT(query_info, msg, 16, 12, 12);
AT(query_info, msg_len, 24, 16, 16);
AT(query_info, uid, 28, 20, 20);
AT(query_info, app, 32, 24, 24);
AT(query_info, server, 56, 48, 48);
AT(query_info, id, 80, 72, 72);
AT(query_info, tcp, 88, 80, 80);
AT(query_info, pad, 89, 81, 81);
AT(query_info, udp_size, 92, 84, 84);
LEAST(query_info, 96, 88, 88);

AT(query_api, size, 0, 0, 0);
AT(query_api, info, 8, 4, 4);
AT(query_api, answer, 16, 8, 8);
AT(query_api, answer_addr, 24, 12, 12);
AT(query_api, block, 32, 16, 16);
AT(query_api, forward, 40, 20, 20);
AT(query_api, resolve, 48, 24, 24);
AT(query_api, respond, 56, 28, 28);
AT(query_api, reason, 64, 32, 32);
LEAST(query_api, 72, 36, 36);

AT(counter, name, 0, 0, 0);
AT(counter, value, 8, 4, 4);
EXACTLY(counter, 16, 8, 8);

AT(response, size, 0, 0, 0);
AT(response, rcode, 4, 4, 4);
AT(response, flags, 6, 6, 6);
AT(response, ede, 8, 8, 8);
AT(response, ttl, 12, 12, 12);
AT(response, text, 16, 16, 16);
AT(response, addr, 24, 20, 20);
AT(response, n, 32, 24, 24);
AT(response, records, 40, 28, 28);
AT(response, records_len, 48, 32, 32);
AT(response, records_n, 52, 36, 36);
AT(response, spare, 54, 38, 38);
LEAST(response, 56, 40, 40);

AT(reason, size, 0, 0, 0);
AT(reason, line, 4, 4, 4);
AT(reason, what, 8, 8, 8);
AT(reason, list, 16, 12, 12);
AT(reason, detail, 24, 16, 16);
LEAST(reason, 32, 20, 20);

AT(dns_ops, size, 0, 0, 0);
AT(dns_ops, flags, 4, 4, 4);
AT(dns_ops, query, 8, 8, 8);
AT(dns_ops, reply, 16, 12, 12);
LEAST(dns_ops, 24, 16, 16);

AT(socket_info, size, 0, 0, 0);
AT(socket_info, fd, 4, 4, 4);
AT(socket_info, proto, 8, 8, 8);
AT(socket_info, pad, 9, 9, 9);
AT(socket_info, to, 12, 12, 12);
AT(socket_info, flow_id, 40, 40, 36);
LEAST(socket_info, 48, 48, 44);

AT(socket_api, size, 0, 0, 0);
AT(socket_api, info, 8, 4, 4);
AT(socket_api, resolve, 16, 8, 8);
LEAST(socket_api, 24, 12, 12);

AT(protect_ops, size, 0, 0, 0);
AT(protect_ops, flags, 4, 4, 4);
AT(protect_ops, protect, 8, 8, 8);
LEAST(protect_ops, 16, 12, 12);

AT(pkt, data, 0, 0, 0);
AT(pkt, len, 8, 4, 4);
AT(pkt, flags, 12, 8, 8);
AT(pkt, flow_id, 16, 16, 12);
AT(pkt, gso_size, 24, 24, 20);
AT(pkt, spare, 28, 28, 24);
EXACTLY(pkt, 32, 32, 28);

AT(flow_event, size, 0, 0, 0);
AT(flow_event, event, 4, 4, 4);
AT(flow_event, why, 5, 5, 5);
AT(flow_event, pad, 6, 6, 6);
AT(flow_event, plugin, 8, 8, 8);
AT(flow_event, info, 16, 12, 12);
AT(flow_event, stats, 24, 16, 16);
LEAST(flow_event, 32, 20, 20);

AT(dns_event, size, 0, 0, 0);
AT(dns_event, rcode, 4, 4, 4);
AT(dns_event, dropped, 5, 5, 5);
AT(dns_event, pad, 6, 6, 6);
AT(dns_event, plugin, 8, 8, 8);
AT(dns_event, info, 16, 12, 12);
AT(dns_event, reply, 24, 16, 16);
AT(dns_event, reply_len, 32, 20, 20);
AT(dns_event, took_ms, 36, 24, 24);
AT(dns_event, reason, 40, 28, 28);
LEAST(dns_event, 48, 32, 32);

AT(observe_ops, size, 0, 0, 0);
AT(observe_ops, flags, 4, 4, 4);
AT(observe_ops, packets, 8, 8, 8);
AT(observe_ops, flow, 16, 12, 12);
AT(observe_ops, dns, 24, 16, 16);
AT(observe_ops, tick, 32, 20, 20);
LEAST(observe_ops, 40, 24, 24);

AT(plugin, magic, 0, 0, 0);
AT(plugin, abi, 4, 4, 4);
AT(plugin, needs, 8, 8, 8);
AT(plugin, size, 12, 12, 12);
AT(plugin, option_size, 16, 16, 16);
AT(plugin, options_bytes, 20, 20, 20);
AT(plugin, name, 24, 24, 24);
AT(plugin, version, 32, 28, 28);
AT(plugin, summary, 40, 32, 32);
AT(plugin, license, 48, 36, 36);
AT(plugin, options, 56, 40, 40);
AT(plugin, create, 64, 44, 44);
AT(plugin, start, 72, 48, 48);
AT(plugin, reload, 80, 52, 52);
AT(plugin, stop, 88, 56, 56);
AT(plugin, destroy, 96, 60, 60);
AT(plugin, flow, 104, 64, 64);
AT(plugin, dns, 112, 68, 68);
AT(plugin, protect, 120, 72, 72);
AT(plugin, observe, 128, 76, 76);
LEAST(plugin, 136, 80, 80);

/* clang-format on */

/* Numbers that are in binaries. */
_Static_assert(SLUICE_MAGIC == 0x53494c55u, "the magic has changed");
_Static_assert(SLUICE_PASS == 0 && SLUICE_TAKE == 1 && SLUICE_DROP == 2 &&
		       SLUICE_LATER == 3 && SLUICE_MORE == 4,
	       "a verdict has changed");
_Static_assert(SLUICE_OPT_STR == 1 && SLUICE_OPT_BOOL == 2 &&
		       SLUICE_OPT_INT == 3 && SLUICE_OPT_SIZE == 4 &&
		       SLUICE_OPT_MS == 5 && SLUICE_OPT_ADDR == 6 &&
		       SLUICE_OPT_LIST == 7 && SLUICE_OPT_ENUM == 8,
	       "an option type has changed");
_Static_assert(SLUICE_WHY_DONE == 0 && SLUICE_WHY_REFUSED == 1 &&
		       SLUICE_WHY_UNREACH == 2 && SLUICE_WHY_TIMEOUT == 3 &&
		       SLUICE_WHY_RESET == 4 && SLUICE_WHY_POLICY == 5 &&
		       SLUICE_WHY_IDLE == 6 && SLUICE_WHY_STOP == 7 &&
		       SLUICE_WHY_ERROR == 8,
	       "a reason has changed");
