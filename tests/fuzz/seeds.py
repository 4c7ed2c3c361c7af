#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# seeds.py DIR: the first inputs of fuzz_packet, fuzz_frag, fuzz_gateway,
# fuzz_relay, fuzz_dnstcp and fuzz_plugin, written to DIR/packet and so on.  What fuzzing finds is added to
# these by hand.

import os
import struct
import sys


def csum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


A4, B4 = bytes([10, 0, 0, 2]), bytes([192, 0, 2, 1])
A6, B6 = b"\xfd\0" + bytes(13) + b"\2", b"\x20\x01\x0d\xb8" + bytes(11) + b"\1"


def ip4(proto, l4, options=b"", frag=0x4000, ident=0):
    ihl = 5 + len(options) // 4
    h = struct.pack("!BBHHHBBH", 0x40 | ihl, 0, ihl * 4 + len(l4), ident,
                    frag, 64, proto, 0) + A4 + B4 + options
    return h[:10] + struct.pack("!H", csum(h)) + h[12:] + l4


def ip6(proto, l4, ext=()):
    body = l4
    for kind, data in reversed(ext):
        body = bytes([proto]) + data + body
        proto = kind
    return struct.pack("!IHBB", 6 << 28, len(body), proto, 64) + A6 + B6 + body


def summed(v, proto, l4, at):
    pseudo = b"" if proto == 1 else \
        (A4 + B4 if v == 4 else A6 + B6) + struct.pack("!II", len(l4), proto)
    return l4[:at] + struct.pack("!H", csum(pseudo + l4)) + l4[at + 2:]


def tcp(v, flags, options=b"", data=b""):
    l4 = struct.pack("!HHIIBBHHH", 40000, 443, 1, 2 if flags & 16 else 0,
                     (5 + len(options) // 4) << 4, flags, 64240, 0, 0)
    return summed(v, 6, l4 + options + data, 16)


def udp(v, data):
    return summed(v, 17, struct.pack("!HHHH", 40000, 53, 8 + len(data), 0) +
                  data, 6)


def icmp(v, kind, data=b"ping"):
    return summed(v, 1 if v == 4 else 58,
                  struct.pack("!BBHHH", kind, 0, 0, 1, 1) + data, 2)


PAD = b"\0\1\4\0\0\0\0"
SYN = bytes.fromhex("020405b40402080a000000010000000001030307")


def packets():
    for v, ip in ((4, ip4), (6, ip6)):
        yield "tcp%d-syn" % v, ip(6, tcp(v, 2, SYN))
        yield "tcp%d-ack" % v, ip(6, tcp(v, 16, data=b"GET /"))
        yield "tcp%d-fin" % v, ip(6, tcp(v, 17))
        yield "tcp%d-rst" % v, ip(6, tcp(v, 4))
        yield "tcp%d-mss-bare" % v, ip(6, tcp(v, 2, b"\1\1\1\2"))
        yield "udp%d" % v, ip(17, udp(v, b"question"))
        yield "udp%d-empty" % v, ip(17, udp(v, b""))
        yield "proto%d" % v, ip(132, b"x" * 12)
    yield "icmp4", ip4(1, icmp(4, 8))
    yield "icmp4-error", ip4(1, icmp(4, 3, ip4(17, udp(4, b"q"))))
    yield "icmp6", ip6(58, icmp(6, 128))
    yield "icmp6-error", ip6(58, icmp(6, 1, ip6(17, udp(6, b"q"))))
    yield "opt4-alert", ip4(17, udp(4, b"q"), b"\x94\4\0\0")
    yield "opt4-lsrr", ip4(17, udp(4, b"q"), b"\x83\7\4\x7f\0\0\1\0")
    yield "frag4-first", ip4(17, udp(4, b"x" * 16), frag=0x2000, ident=7)
    yield "frag4-last", ip4(17, b"x" * 16, frag=3, ident=7)
    yield "ext6-hop", ip6(17, udp(6, b"q"), [(0, PAD)])
    yield "ext6-all", ip6(17, udp(6, b"q"), [
        (0, PAD), (60, PAD), (43, b"\0\3\0\0\0\0\0"), (60, PAD)])
    yield "ext6-eight", ip6(17, udp(6, b"q"), [(60, PAD)] * 8)
    yield "ext6-nine", ip6(17, udp(6, b"q"), [(60, PAD)] * 9)
    yield "ext6-route0", ip6(17, udp(6, b"q"), [(43, b"\0\0\1\0\0\0\0")])
    yield "ext6-option", ip6(17, udp(6, b"q"), [(60, b"\0\xde\4\0\0\0\0")])
    yield "frag6-first", ip6(17, udp(6, b"x" * 16),
                             [(44, b"\0\0\1\0\0\0\7")])
    yield "frag6-last", ip6(17, b"x" * 16, [(44, b"\0\0\x18\0\0\0\7")])
    yield "frag6-atomic", ip6(17, udp(6, b"q"), [(44, b"\0\0\0\0\0\0\7")])
    yield "none6", ip6(59, b"")


def record(off, length, more, fill=97, v6=0, ident=0, src=0, tcp=0, wait=0,
           head=0):
    return struct.pack("!BHHBBB", v6 | more << 1 | ident << 2 | src << 4 |
                       tcp << 5 | wait << 6, off // 8, length, fill, head, 0)


def frags():
    for v6 in 0, 1:
        f = lambda *a, **k: record(*a, v6=v6, **k)
        yield "order%d" % v6, f(0, 1480, 1) + f(1480, 1480, 1) + f(2960, 99, 0)
        yield "reverse%d" % v6, f(2960, 99, 0) + f(1480, 1480, 1) + \
            f(0, 1480, 1)
        yield "copy%d" % v6, f(0, 64, 1) * 2 + f(64, 5, 0) * 2
        yield "teardrop%d" % v6, f(0, 40, 1) + f(24, 4, 0, fill=98) + \
            f(40, 8, 0)
        yield "two-ends%d" % v6, f(64, 8, 0) + f(128, 8, 0) + f(0, 64, 1)
        yield "death%d" % v6, f(0, 8, 1) + f(65528, 200, 0)
        yield "big%d" % v6, f(0, 32760, 1) + f(32760, 32744, 1) + \
            f(65504, 11, 0)
        yield "tiny%d" % v6, f(0, 16, 1, tcp=1) + f(8, 32, 0, tcp=1)
        yield "late%d" % v6, f(0, 64, 1) + f(64, 8, 0, wait=3) + \
            f(128, 8, 0, wait=3) + f(64, 64, 1, wait=3) + f(0, 64, 1, wait=3)
        yield "heads%d" % v6, f(0, 64, 1, head=7) + f(64, 8, 0, head=3) + \
            f(0, 64, 1, head=31, ident=1)
        yield "mixed%d" % v6, b"".join(
            f(i * 8, 8, int(i < 9), ident=i % 2, src=i // 5) for i in range(10))
    yield "families", record(0, 64, 1) + record(64, 8, 0, v6=1) + \
        record(64, 8, 0) + record(0, 64, 1, v6=1)


def seg(app, flags, seq=0, ack=0, length=0, window=255, scale=2):
    return struct.pack("!BBbbHBB", app << 3 | 0x60, flags, seq, ack, length,
                       window, scale)


def gateways():
    wait = lambda ms, twice=0: struct.pack("!BBB5x", 4, ms, twice)
    good = lambda app, window=65535: struct.pack("!BH5x", 7 | app << 3, window)
    udp = lambda app, size, mtu=1000, lost=99: struct.pack(
        "!BHHBBx", 5 | app << 3, size, mtu, lost, 1)
    for app in 0, 1:
        begin = seg(app, 2) + good(app)
        data = seg(app, 24, length=1000)
        bye = seg(app, 17) + good(app) + wait(255, 3)
        yield "echo%d" % app, begin + data * 3 + good(app) + bye
        yield "window%d" % app, begin + seg(app, 24, length=900, window=0) + \
            data + wait(255, 3) + good(app, 100) + wait(255, 3) + good(app) + \
            bye
        yield "hole%d" % app, begin + \
            struct.pack("!BBbbHBB", app << 3, 24, 10, 0, 900, 255, 0) * 2 + \
            data + good(app) + bye
        yield "syn%d" % app, begin + data + seg(app, 2, seq=100) + \
            seg(app, 2) + data + seg(app, 4) + begin + data
        yield "reset%d" % app, begin + data + seg(app, 4, seq=1) + \
            seg(app, 4) + data
        yield "lost%d" % app, begin + data * 5 + wait(255, 4) + \
            wait(255, 4) + good(app) + bye
        yield "finfirst%d" % app, begin + seg(app, 25, length=100) + data + \
            good(app) + wait(255, 7)
        yield "flood%d" % app, b"".join(seg(a, 2) for a in range(4)) * 2 + \
            wait(255, 7)
        yield "udp%d" % app, udp(app, 10) + udp(app, 3500) + \
            udp(app, 3500, 100, 2) + wait(255, 7)
        yield "spoilt%d" % app, begin + b"".join(
            struct.pack("!BBB5x", 6, at, 0xff) for at in range(0, 60, 3))


def relays():
    def rec(what, app, *rest):
        return struct.pack("!B7s", what | app << 4 | 0xc0, bytes(rest))

    def seg(app, flags, seq=0, ack=0, length=0, window=255, scale=2):
        return struct.pack("!BBbbHBB", app << 4 | 0xc0, flags, seq, ack,
                           length, window, scale)

    for app in 0, 1:
        good = rec(5, app, 255, 255)
        wait = lambda ms, twice=0: rec(6, app, ms, twice)
        answer = lambda err=0, *icmp: rec(9, app, err, *icmp)
        sends = lambda n: rec(10, app, n >> 8, n & 255)
        fin, reset = rec(11, app), rec(12, app)
        reads = lambda n: rec(13, app, n >> 8, n & 255)
        fails = lambda call, err: rec(14, app, call, err)
        begin = seg(app, 2) + answer() + good
        data = seg(app, 24, length=1000)
        yield "echo%d" % app, begin + data * 3 + sends(5000) + good * 3 + \
            seg(app, 17) + good + fin + good + wait(255, 3)
        yield "refused%d" % app, seg(app, 2) + answer(1) + seg(app, 2) + \
            answer(0x83, 3 - 2 * app, 1)
        yield "dead%d" % app, seg(app, 2) + wait(255, 7) + wait(255, 7) + \
            seg(app, 2) + answer()
        yield "serverfirst%d" % app, begin + sends(60000) + fin + \
            good * 30 + data + seg(app, 17) + good
        yield "reset%d" % app, begin + data + sends(40000) + good + reset + \
            good * 20
        yield "abort%d" % app, begin + data + sends(2000) + seg(app, 4) + \
            begin + data
        yield "full%d" % app, begin + data * 70 + reads(30000) + good + \
            reads(60000) + data + seg(app, 17) + good
        yield "gaveup%d" % app, seg(app, 2) + seg(app, 4) + seg(app, 2) + \
            seg(app, 2, seq=100) + answer() + good + data
        yield "fails%d" % app, b"".join(
            fails(call, call) + begin + data + sends(500) + good + fin
            for call in range(10))
        udp = rec(7, app, 0, 99, 4, 0, 99, 1) + rec(7, app, 12, 0, 1, 0, 99, 2)
        comes = rec(15, 0, 0, 3, 1, 0, 50) + rec(15, 0, 0, 9, 0, 90)
        yield "udp%d" % app, udp + comes + rec(15, 0, 0, 3, 3, 0, 0, 1, 1) + \
            fails(6, 2) + udp + wait(255, 7) * 3
        yield "ping%d" % app, rec(7, app, 0, 56, 0, 0, 0, 0, 1) + comes + \
            rec(15, 0, 0, 11 - 8 * app, 0, 0, 0, 1, 1)


def streams():
    def whole(stream, *events):
        return struct.pack("!H", len(stream)) + stream + bytes(events)

    def message(size, fill=113):
        return struct.pack("!H", size) + bytes([fill]) * size

    some, much, room, reply, end, late = 0, 17 << 3, 3 | 17 << 3, 4, 5, 6
    many = b"".join(message(12 + i) for i in range(40))
    yield "one", whole(message(30), much, room, reply, end)
    yield "bytes", whole(message(30) * 2, *[some] * 64, room, reply, reply)
    yield "many", whole(many, much, room, *[reply] * 40, end)
    yield "pieces", whole(many, *[5 << 3] * 50, room, *[reply | 8] * 40, end)
    yield "at-once", whole(many, 7 | 8, room, much, end)
    yield "large", whole(many, 7 | 16, much, *[reply] * 9, 3 | 80, reply, room,
                         room, reply, late, late, late, late, late)
    yield "short", whole(message(30) + message(11) + message(30), much, room)
    yield "empty", whole(message(0), much)
    yield "cut", whole(message(30)[:20], much, end)
    yield "longest", whole(message(60000), *[9 << 3] * 120, room, reply, end)
    yield "flood", whole(message(12) * 300, much, room, *[reply] * 20, much,
                         end)
    yield "idle", whole(message(30), much, reply, late, late, late, late)


def tables():
    def rec(part, field, value):
        return struct.pack("!BBH", part | (128 if value > 65535 else 0), field,
                           value >> 16 if value > 65535 else value)

    yield "whole", rec(5, 0x20, 5) + rec(5, 0x30, 6)
    yield "magic", rec(0, 0, 1)
    yield "other-major", rec(0, 1, 0x630000)
    yield "newer", rec(0, 2, 99)
    for size in 0, 4, 40, 104, 4096, 65535:
        yield "size-%d" % size, rec(0, 3, size)
        yield "flow-%d" % size, rec(1, 0, size)
    yield "stride", rec(0, 4, 48)
    yield "stride-big", rec(0, 4, 1032)
    yield "bytes", rec(0, 5, 8)
    yield "no-name", rec(0, 6, 0)
    yield "no-class", b"".join(rec(0, 11 + i, 0) for i in range(4))
    yield "only-dns", rec(0, 11, 0) + rec(0, 13, 0) + rec(0, 14, 0) + \
        rec(0, 10, 0)
    yield "no-functions", b"".join(rec(i, 4 if i == 1 else 2, 0)
                                   for i in range(1, 5))
    yield "flow-state", rec(1, 2, 65535)
    for field in range(7):
        yield "option-%d" % field, rec(5, 0x20, 5) + rec(5, field, 0) + \
            rec(5, 0x10 | field, 65535)
    yield "twice", rec(5, 0x20, 2)
    yield "no-end", rec(5, 0x40, 5) + rec(5, 0x43, 2)
    yield "letters", rec(6, 1, 65) + rec(6, 3, 10)


def main(top):
    for target, seeds in ("packet", packets()), ("frag", frags()), \
            ("gateway", gateways()), ("relay", relays()), \
            ("dnstcp", streams()), ("plugin", tables()):
        folder = os.path.join(top, target)
        os.makedirs(folder, exist_ok=True)
        for name, data in seeds:
            if target == "packet":
                # as offload gives it, the IPv4 checksum put right
                data = (b"\3" if name.startswith("tcp") else b"\0") + data
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)


if __name__ == "__main__":
    main(sys.argv[1])
