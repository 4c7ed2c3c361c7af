#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# raw.py DEVICE COMMAND...: packets no kernel would send, into the TUN
#
# They leave through a packet socket on the device, so the gateway reads just
# these bytes.
#
#	spoof N PORT		UDP, SYNs and echoes from N sources that are not
#				ours, of each family, to the servers
#	broken			one packet for each reason to drop one; prints
#				"counter name" lines
#	noise N SEED		good packets with random bytes changed
#	syns HOST N [M]		SYNs to HOST, each from another port; with M to
#				HOST and the M - 1 addresses after it, in turn
#	frags HOST PORT CASE	a fragmented UDP datagram: whole, reverse,
#				overlap, first (only that); prints the answer
#	late HOST PORT		a first fragment alone, until somebody says that
#				he waited for the rest in vain: who, and how
#	flood HOST PORT N	first fragments that nothing follows
#	syn HOST PORT [FLAGS]	one segment, prints the answer: "RST ACK ..."
#	option TYPE		UDP with this unknown destination option (IPv6);
#				prints the ICMP error that came back
#
# For HOST of the servers of lib.sh the source is the app's address.

import ipaddress
import random
import select
import socket
import struct
import sys
import time

APP4, APP6 = "10.0.0.2", "fd00:736c::2"
SRV4, SRV6 = "10.99.0.2", "fd99::2"


def csum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def pack(host):
    return socket.inet_pton(family(host), host)


def ip(src, dst, proto, body, options=b"", frag=0, ident=1, ttl=64, ext=b""):
    if ":" in src:
        return struct.pack("!IHBB", 6 << 28, len(ext + body), proto, ttl) + \
            pack(src) + pack(dst) + ext + body
    ihl = 5 + len(options) // 4
    h = struct.pack("!BBHHHBBH", 0x40 | ihl, 0, ihl * 4 + len(body), ident,
                    frag, ttl, proto, 0) + pack(src) + pack(dst) + options
    return h[:10] + struct.pack("!H", csum(h)) + h[12:] + body


def summed(src, dst, proto, body, at):
    pseudo = b"" if proto == 1 else \
        pack(src) + pack(dst) + struct.pack("!II", len(body), proto)
    return body[:at] + struct.pack("!H", csum(pseudo + body)) + body[at + 2:]


def udp(src, dst, sport, dport, data=b"hello"):
    return summed(src, dst, 17, struct.pack("!HHHH", sport, dport,
                                            8 + len(data), 0) + data, 6)


def tcp(src, dst, sport, dport, flags, seq=1, ack=0, options=b"", data=b""):
    h = struct.pack("!HHIIBBHHH", sport, dport, seq, ack,
                    (5 + len(options) // 4) << 4, flags, 64240, 0, 0)
    return summed(src, dst, 6, h + options + data, 16)


def echo(src, dst):
    v6 = ":" in src
    return summed(src, dst, 58 if v6 else 1,
                  struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, 77, 1) +
                  b"ping", 2)


def pairs():
    return (APP4, SRV4), (APP6, SRV6)


class Wire:
    def __init__(self, device):
        self.s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                               socket.htons(3))
        self.s.bind((device, 3))
        self.device = device

    def send(self, data, proto=None):
        if proto is None:
            proto = 0x86dd if data[:1] and data[0] >> 4 == 6 else 0x0800
        self.s.sendto(data, (self.device, proto, 0, 0, b""))

    def answers(self, seconds):
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.s], [], [], left)[0]:
                return
            data, where = self.s.recvfrom(65600)
            if where[2] != socket.PACKET_OUTGOING:
                yield data


def spoof(w, n, port):
    for i in range(int(n)):
        four = "%d.%d.%d.%d" % (random.choice([1, 9, 11, 172, 192, 203]),
                                random.randrange(256), random.randrange(256),
                                random.randrange(1, 255))
        six = "2001:db8:%x::%x" % (random.randrange(65536),
                                   random.randrange(65536))
        special = ["127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1",
                   "10.0.1.2", SRV4]
        if i < len(special):
            four = special[i]
        special = ["::1", "::", "ff02::1", "fe80::1", "::ffff:10.0.0.2",
                   SRV6]
        if i < len(special):
            six = special[i]
        for src, dst in (four, SRV4), (six, SRV6):
            w.send(ip(src, dst, 17, udp(src, dst, 5000 + i, int(port))))
            w.send(ip(src, dst, 6, tcp(src, dst, 5000 + i, int(port), 2)))
            w.send(ip(src, dst, 58 if ":" in src else 1, echo(src, dst)))


def change(packet, at, data):
    return packet[:at] + data + packet[at + len(data):]


def header_sum(p):
    ihl = (p[0] & 15) * 4
    p = change(p, 10, b"\0\0")
    return change(p, 10, struct.pack("!H", csum(p[:ihl])))


def broken_packets():
    for src, dst in pairs():
        v6 = ":" in src
        head = 40 if v6 else 20
        u = ip(src, dst, 17, udp(src, dst, 5000, 7))
        t = ip(src, dst, 6, tcp(src, dst, 5000, 7, 2))
        yield "drop_short", u[:head - 1]
        yield "drop_version", bytes([0x50 | u[0] & 15]) + u[1:]
        yield "drop_length", u[:-1]
        yield "drop_checksum", u[:-1] + b"!"
        yield "drop_checksum", change(t, head + 16, b"\0\0")
        for flags in 0, 3, 6, 7, 1, 8, 0x29, 0x3f:
            yield "drop_tcp", ip(src, dst, 6, tcp(src, dst, 5000, 7, flags))
        yield "drop_tcp", ip(src, dst, 6, tcp(src, dst, 0, 7, 2))
        yield "drop_tcp", ip(src, dst, 6, tcp(src, dst, 5000, 0, 2))
        yield "drop_proto", ip(src, dst, 132, b"x" * 12)
        short = tcp(src, dst, 5000, 7, 2)[:19]
        yield "drop_short", ip(src, dst, 6, short)
        length = struct.pack("!HHHH", 5000, 7, 100, 0)
        yield "drop_length", ip(src, dst, 17, length)
    good = ip(APP4, SRV4, 17, udp(APP4, SRV4, 5000, 7))
    yield "drop_header", change(good, 0, b"\x44")
    yield "drop_checksum", change(good, 10, b"\xde\xad")
    route = b"\x83\7\4\x7f\0\0\1\0"
    yield "drop_header", ip(APP4, SRV4, 17, udp(APP4, SRV4, 5000, 7), route)
    good6 = udp(APP6, SRV6, 5000, 7)
    pad = b"\x11\0\1\4\0\0\0\0"
    yield "drop_header", ip(APP6, SRV6, 43, good6,
                            ext=b"\x11\0\0\1\0\0\0\0")
    yield "drop_header", ip(APP6, SRV6, 60, good6,
                            ext=(b"\x3c" + pad[1:]) * 8 + pad)
    yield "drop_checksum", ip(APP6, SRV6, 17, change(good6, 6, b"\0\0"))


def broken(w):
    wanted = {}
    for name, data in broken_packets():
        w.send(data, 0x86dd if len(data) and data[0] >> 4 == 6 else 0x0800)
        wanted[name] = wanted.get(name, 0) + 1
    for name in sorted(wanted):
        print(name, wanted[name])


def noise(w, n, seed):
    r = random.Random(int(seed))
    good = []
    for src, dst in pairs():
        good.append(ip(src, dst, 17, udp(src, dst, 5000, 7)))
        good.append(ip(src, dst, 6, tcp(src, dst, 5000, 7, 2,
                                        options=b"\2\4\5\xb4\1\3\3\7")))
        good.append(ip(src, dst, 6, tcp(src, dst, 5000, 7, 16, data=b"x" * 9)))
        good.append(ip(src, dst, 58 if ":" in src else 1, echo(src, dst)))
    good.append(ip(APP4, SRV4, 17, b"x" * 64, frag=0x2001))
    good.append(ip(APP6, SRV6, 44, b"x" * 64, ext=b"\x11\0\0\x21\0\0\0\1"))
    for i in range(int(n)):
        p = bytearray(r.choice(good))
        for j in range(r.randrange(1, 5)):
            p[r.randrange(len(p))] = r.randrange(256)
        if p[0] >> 4 == 4 and (p[0] & 15) * 4 <= len(p) and p[0] & 15 > 4:
            p = bytearray(header_sum(bytes(p)))
        if r.randrange(4) == 0:
            p = p[:r.randrange(1, len(p) + 1)]
        try:
            w.send(bytes(p))
        except OSError:
            pass


def syns(w, host, n, spread=1):
    src = APP6 if ":" in host else APP4
    first = ipaddress.ip_address(host)
    for i in range(int(n)):
        host = str(first + i % int(spread))
        w.send(ip(src, host, 6, tcp(src, host, 1024 + i % 60000,
                                    80 + i // 60000, 2, seq=i)))
        if i % 50 == 49:
            time.sleep(0.001)       # the device's queue has 500 places


def describe(data):
    v6 = data[0] >> 4 == 6
    head = 40 if v6 else (data[0] & 15) * 4
    proto = data[6] if v6 else data[9]
    body = data[head:]
    src = socket.inet_ntop(socket.AF_INET6 if v6 else socket.AF_INET,
                           data[8:24] if v6 else data[12:16])
    if proto == 17:
        return "udp %s %d bytes" % (src, len(body) - 8)
    if proto == 6:
        names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"]
        set_ = [names[i] for i in range(8) if body[13] >> i & 1]
        seq, ack = struct.unpack("!II", body[4:12])
        return "tcp %s %s seq %d ack %d" % (src, " ".join(set_), seq, ack)
    return "icmp %s %d/%d" % (src, body[0], body[1])


# The first answer that is not the kernel's own small talk.
def first(w, seconds=3):
    for data in w.answers(seconds):
        if data[0] >> 4 in (4, 6):
            print(describe(data))
            return
    print("nothing")


def frags(w, host, port, case):
    src = APP6 if ":" in host else APP4
    whole = udp(src, host, 5555, int(port), bytes(range(256)) * 16)
    parts = [(at, whole[at:at + 1400]) for at in range(0, len(whole), 1400)]
    if case == "reverse":
        parts.reverse()
    elif case == "overlap":
        parts.insert(1, (1392, b"overlap!" * 2))
    elif case == "first":
        parts = parts[:1]
    ident = random.randrange(65536)
    for at, part in parts:
        more = at + len(part) < len(whole)
        if ":" in src:
            ext = struct.pack("!BBHI", 17, 0, at | more, ident)
            w.send(ip(src, host, 44, part, ext=ext))
        else:
            w.send(ip(src, host, 17, part, ident=ident,
                      frag=at // 8 | (0x2000 if more else 0)))
    if case in ("overlap", "first"):
        first(w, 1)
        return
    # the answer is as long, so it comes in fragments too: counted as such
    got = 0
    for data in w.answers(3):
        v6 = data[0] >> 4 == 6
        got += len(data) - (48 if v6 else 20)
        if got >= len(whole):
            break
    print("whole" if got == len(whole) else "%d of %d" % (got, len(whole)))


def late(w, host, port):
    v6 = ":" in host
    src = "fd00:736c::99" if v6 else "10.0.0.99"    # none of a flood
    part = udp(src, host, 5556, int(port), bytes(1392))
    if v6:
        w.send(ip(src, host, 44, part,
                  ext=struct.pack("!BBHI", 17, 0, 1, 4711)))
    else:
        w.send(ip(src, host, 17, part, ident=4711, frag=0x2000))
    want = b"\3\1" if v6 else b"\x0b\1"
    for data in w.answers(60):
        body = data[40:] if v6 else data[20:]
        if data[6 if v6 else 9] == (58 if v6 else 1) and body[:2] == want:
            print(describe(data))
            return
    print("nothing")


def flood(w, host, port, n):
    v6 = ":" in host
    src = APP6 if v6 else APP4
    part = udp(src, host, 5557, int(port), bytes(1400))
    for i in range(int(n)):
        if v6:
            ext = struct.pack("!BBHI", 17, 0, 1, i)
            w.send(ip(src, host, 44, part, ext=ext))
        else:
            w.send(ip(src, host, 17, part, ident=i & 0xffff, frag=0x2000))
        if i % 50 == 49:
            time.sleep(0.002)


def syn(w, host, port, flags="2"):
    src = APP6 if ":" in host else APP4
    flags = int(flags)
    w.send(ip(src, host, 6, tcp(src, host, 5556, int(port), flags, seq=1000,
                                ack=7000 if flags & 16 else 0)))
    first(w)


def option(w, kind):
    ext = b"\x11\0" + bytes([int(kind, 0)]) + b"\4\0\0\0\0"
    w.send(ip(APP6, SRV6, 60, udp(APP6, SRV6, 5558, 7), ext=ext))
    first(w, 1)


COMMANDS = {
    "spoof": spoof, "broken": broken, "noise": noise, "syns": syns,
    "frags": frags, "late": late, "flood": flood, "syn": syn,
    "option": option,
}

if __name__ == "__main__":
    COMMANDS[sys.argv[2]](Wire(sys.argv[1]), *sys.argv[3:])
