/* SPDX-License-Identifier: MIT */
/* fuzz_relay.c - a whole gateway between apps and servers that keep no rule
 *
 * The TUN is memory, sockets are fakenet's, the clock is ours.  The input is
 * records of 8 bytes; four connections are in play.
 *
 *	0	bits 0-3: what, bits 4-5: which connection, bit 0 of that: IPv6;
 *		bit 6, 7: fine steps of sequence number, of acknowledgement
 *	what 0-4: a segment	1 flags, 2 sequence number off by, 3 same of
 *				the acknowledgement, 4-5 length, 6 window,
 *				7 scale in a SYN
 *	     5: an acknowledgement of all that came, 1-2 window
 *	     6: time passes	1 milliseconds, 2 times 2 to the power of
 *	     7: a datagram	1-2 length, 3-4 mtu it is cut to, 5 leave out
 *				this fragment, 7 bit 0: a ping instead
 *	     8: the last packet again, with byte 1 set to 2 (and checksum of
 *		IPv4 right)
 *	     9: the server answers	1 bits 0-2: errno, 0 connected, bit 7:
 *				for ICMP 2 (type) 3 (code) 4-7
 *	    10: the server sends	1-2 bytes
 *	    11: the server closes
 *	    12: the server resets	1 errno
 *	    13: the server reads	1-2 bytes
 *	    14: a system call fails	1 which, 2 errno
 *	    15: datagrams come	1 for which socket, 2 how many, 3-4 length,
 *				5 joined at, 6 class; 7 bit 0: an ICMP error
 *				instead
 *
 * What is promised is checked in relays.c, apps.c and fakenet.c.
 *
 * fuzz: core/?*.c !core/main.c !core/builtin.c core/lwip/lwip.c
 * fuzz: tests/fuzz/apps.c tests/fuzz/fakenet.c tests/fuzz/relays.c
 * fuzz: plugins/protect-mark.c plugins/tcp-forward.c plugins/udp-forward.c
 * fuzz-flags: -DSLUICE_STATIC
 * fuzz-flags: -Wl,--wrap=util_now_ms,--wrap=util_random,--wrap=util_random32
 * fuzz-flags: -Wl,--wrap=socket,--wrap=close,--wrap=bind,--wrap=connect
 * fuzz-flags: -Wl,--wrap=getsockname,--wrap=getpeername,--wrap=shutdown
 * fuzz-flags: -Wl,--wrap=getsockopt,--wrap=setsockopt,--wrap=sendmsg
 * fuzz-flags: -Wl,--wrap=sendmmsg,--wrap=sendto,--wrap=recv
 * fuzz-flags: -Wl,--wrap=recvmsg,--wrap=recvmmsg
 * fuzz-flags: -Wl,--wrap=epoll_ctl,--wrap=epoll_wait
 */
#include <errno.h>

#include "fuzz.h"
#include "relays.h"

static struct gateway gw;

static void any_segment(const uint8_t *r)
{
	int which = r[0] >> 4 & 3;
	struct app *a = &apps[which];
	uint32_t seq = a->seq + (uint32_t)((int8_t)r[2] * (r[0] & 64 ? 1 : 97));
	uint32_t ack =
		a->ack + (uint32_t)((int8_t)r[3] * (r[0] & 128 ? 1 : 61));
	uint32_t len = get_be16(r + 4) % (APPS_MTU - 80);
	uint8_t options[8] = { 2, 4, r[6], r[7], 1, 3, 3, r[7] };

	if (r[1] & TCP_SYN)
		apps_segment(which, r[1], seq, ack, 65535, options, 8, len);
	else
		apps_segment(which, r[1], seq, ack, (uint16_t)(r[6] << 4), NULL,
			     0, len);
}

static void dgram_event(const uint8_t *r)
{
	const struct fakenet_icmp icmp = { r[2], r[3], get_be16(r + 4) };
	struct fakenet *s = fakenet_dgram(r[1] % 8);

	if (!s)
		return;
	if (r[7] & 1)
		fakenet_error(s, r[6] & 1 ? ECONNREFUSED : EHOSTUNREACH, &icmp);
	else
		fakenet_dgrams(s, r[2] % 80, get_be16(r + 3), r[5], r[6]);
}

static void server_event(const uint8_t *r)
{
	static const int refused[] = { 0,           ECONNREFUSED,
				       ETIMEDOUT,   EHOSTUNREACH,
				       ENETUNREACH, EACCES,
				       EPROTO,      ENOBUFS };
	static const int resets[] = { ECONNRESET, ETIMEDOUT, EHOSTUNREACH,
				      EPIPE };
	const struct fakenet_icmp icmp = { r[2], r[3], get_be32(r + 4) };
	struct fakenet *s = relays_server(r[0] >> 4 & 3);

	if (!s)
		return;
	switch (r[0] & 15) {
	case 9:
		fakenet_answer(s, refused[r[1] & 7], r[1] & 128 ? &icmp : NULL);
		break;
	case 10:
		fakenet_send(s, get_be16(r + 1));
		break;
	case 11:
		fakenet_fin(s);
		break;
	case 12:
		fakenet_reset(s, resets[r[1] & 3]);
		break;
	case 13:
		fakenet_room(s, get_be16(r + 1));
		break;
	}
}

static void call_fails(const uint8_t *r)
{
	static const int errors[] = { EINTR,  EAGAIN, ENOBUFS, ENOMEM,
				      EMFILE, EPERM,  EINVAL,  EMSGSIZE };

	fakenet_fail(r[1] % FAKENET_CALLS, errors[r[2] & 7]);
}

static void play(const uint8_t *r)
{
	int which = r[0] >> 4 & 3;

	switch (r[0] & 15) {
	case 5:
		apps_ack(which, get_be16(r + 1));
		break;
	case 6:
		relays_now += (uint64_t)r[1] << (r[2] & 7);
		break;
	case 7:
		if (r[7] & 1)
			apps_ping(which, get_be16(r + 1) % 1400);
		else
			apps_datagram(which, get_be16(r + 1) % 4000,
				      576 + get_be16(r + 3) % 1000, r[6], r[5]);
		break;
	case 8:
		apps_again(r[1], r[2]);
		break;
	case 14:
		call_fails(r);
		break;
	case 15:
		dgram_event(r);
		break;
	default:
		if ((r[0] & 15) < 5)
			any_segment(r);
		else
			server_event(r);
	}
	apps_turns(&gw, 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	relays_start(&gw);
	for (; size >= 8; data += 8, size -= 8)
		play(data);
	relays_end(&gw);
	return 0;
}
