#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# nat.py - what the gateway is as a NAT, seen from both sides
#
#	nat.py APP DEVICE GW SRV FAMILY [COMMAND]
#
#	rows	"requirement|what was seen|what has to be", a line for each, of
#		RFC 4787 (UDP), 5382 (TCP) and 5508 (ICMP); APP has two
#		addresses, and so is two sources
#	err	one datagram, and errors about it for 20 s
#	crowd	datagrams, connections and echoes of more and more sockets:
#		the ICMP error that comes of each in the end

import os
import socket
import struct
import sys
import time

import raw
from samedgram import echo, ping_socket
from sameworld import (Netns, Tap, Wire, World, icmp_about, icmp_error,
                       icmp_errors_on, name, say)

WHERE = {
    "4": dict(srv_ip="10.99.0.2", other="10.99.0.3", out="10.99.0.1",
              app_ip="10.0.0.2", second="10.0.0.3"),
    "6": dict(srv_ip="fd99::2", other="fd99::3", out="fd99::1",
              app_ip="fd00:736c::2", second="fd00:736c::3"),
}
ROWS = {}


def row(title, wanted):
    def keep(f):
        ROWS[title] = f, wanted
        return f
    return keep


def bound(w, ns, host, port=0, kind=socket.SOCK_DGRAM):
    s = w.sock(ns, kind)
    s.settimeout(3)
    if kind == socket.SOCK_STREAM:  # of the run before
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, port))
    return s


def app(w, host=None, port=0):
    """a socket of an app; its own port is like no other's"""
    return bound(w, w.app, host or w.app_ip, port or w.next_port())


def hear(s):
    """(data, who), or ("silence", None)"""
    try:
        data, who = s.recvfrom(66000)
        return data, who[:2]
    except OSError as e:
        return name(e), None


def port_of(s):
    return s.getsockname()[1]


# --- mapping ---

@row("R1, R2: one outside address and port, whoever is written to", "one")
def mapping(w):
    s = app(w)
    seen = set()
    for host in w.srv_ip, w.other, w.srv_ip:
        b = bound(w, w.srv, host)
        s.sendto(b"hello", b.getsockname())
        seen.add(hear(b)[1])
        b.close()
    return "one" if len(seen) == 1 and None not in seen else repr(seen)


@row("R4: the app's own port is kept", "True")
def kept(w):
    s, b = app(w), bound(w, w.srv, w.srv_ip)
    s.sendto(b"hello", b.getsockname())
    return hear(b)[1] == (w.out, port_of(s))


@row("R3, R4: two sources with one port get two, of the same parity, "
     "and each its own answers", "two, same parity, b'1' b'2'")
def never_shared(w):
    one = app(w)
    two = app(w, w.second, port_of(one))
    b = bound(w, w.srv, w.srv_ip)
    seen = []
    for s, word in (one, b"1"), (two, b"2"):
        s.sendto(word, b.getsockname())
        seen.append(hear(b)[1])
    for s, who, word in zip((one, two), seen, (b"1", b"2")):
        b.sendto(word, who)
    ports = [who[1] for who in seen]
    return "%s, %s, %s %s" % (
        "two" if ports[0] != ports[1] else "one",
        "same parity" if (ports[0] ^ ports[1]) & 1 == 0 else "not",
        hear(one)[0], hear(two)[0])


@row("R17: two TCP sources with one port, to one server: both are carried",
     "b'1' b'2'")
def tcp_ports(w):
    listener, there = w.listen()
    port = w.next_port()
    said = []
    ends = []
    for host, word in (w.app_ip, b"1"), (w.second, b"2"):
        s = bound(w, w.app, host, port, socket.SOCK_STREAM)
        s.connect((w.srv_ip, there))
        b, _ = listener.accept()
        s.send(word)
        ends.append((s, b))
    for s, b in ends:
        b.settimeout(3)
        said.append(repr(b.recv(10)))
    return " ".join(said)


@row("R7: whoever knows the port is heard, then and always: a stranger's "
     "address, a stranger's port", "b'addr' b'port', b'addr' b'port'")
def filtering(w):
    s, b = app(w), bound(w, w.srv, w.srv_ip)
    s.sendto(b"hello", b.getsockname())
    to = hear(b)[1]
    said = []
    for i in range(2):
        for host, word in (w.other, b"addr"), (w.srv_ip, b"port"):
            bound(w, w.srv, host).sendto(word, to)
            said.append(repr(hear(s)[0]))
        for _ in range(200):    # much else happens
            s.sendto(b"x", b.getsockname())
    return "%s %s, %s %s" % tuple(said)


# --- hairpin ---

@row("R8: hairpin: one app writes to another's outside port, and is answered",
     "hello from the outside, world from the outside")
def hairpin(w):
    one, two, b = app(w), app(w, w.second), bound(w, w.srv, w.srv_ip)
    outside = []
    for s in one, two:
        s.sendto(b"map", b.getsockname())
        outside.append(hear(b)[1])
    said = []
    for s, d, word, at, who in ((two, one, b"hello", 0, 1),
                                (one, two, b"world", 1, 0)):
        s.sendto(word, outside[at])
        data, of = hear(d)
        said.append("%s from %s" % (
            data.decode() if isinstance(data, bytes) else data,
            "the outside" if of == outside[who] else of))
    return ", ".join(said)


@row("R8: hairpin to oneself", "b'me', from the outside")
def hairpin_self(w):
    s, b = app(w), bound(w, w.srv, w.srv_ip)
    s.sendto(b"map", b.getsockname())
    outside = hear(b)[1]
    s.sendto(b"me", outside)
    data, of = hear(s)
    return "%r, %s" % (data, "from the outside" if of == outside else of)


@row("R8: hairpin of 3000 bytes, and of none", "3000 bytes, 0 bytes")
def hairpin_sizes(w):
    one, two, b = app(w), app(w, w.second), bound(w, w.srv, w.srv_ip)
    one.sendto(b"map", b.getsockname())
    outside = hear(b)[1]
    said = []
    for size in 3000, 0:
        two.sendto(bytes(size), outside)
        data = hear(one)[0]
        said.append("%d bytes" % len(data)
                    if isinstance(data, bytes) else data)
    return ", ".join(said)


@row("R8: nobody's outside port says so, from there",
     "ECONNREFUSED, as from there")
def hairpin_nobody(w):
    w.pace()
    s = app(w)
    icmp_errors_on(s, w.v6)
    spare = bound(w, w.gw, w.out)
    port = port_of(spare)
    spare.close()
    s.sendto(b"hello", (w.out, port))
    said = icmp_error(s, 3)
    want = "ECONNREFUSED %s %s" % ("1/4" if w.v6 else "3/3", w.out)
    return "ECONNREFUSED, as from there" if said == want else said


@row("R16: nobody listens at another's outside TCP port: refused; who listens "
     "at the gateway's address is reached", "ECONNREFUSED, connected")
def hairpin_tcp(w):
    a, b = w.pair()
    said = []
    listener = bound(w, w.gw, w.out, 0, socket.SOCK_STREAM)
    listener.listen(4)
    for to in b.getpeername()[:2], listener.getsockname()[:2]:
        s = bound(w, w.app, w.second, 0, socket.SOCK_STREAM)
        try:
            s.connect(to)
            said.append("connected")
        except OSError as e:
            said.append(name(e))
    return ", ".join(said)


# --- what is carried ---

@row("R9: no ALG: addresses in the bytes of FTP and SIP stay as they are",
     "same same")
def no_alg(w):
    said = []
    word = b"PORT 10,0,0,2,4,1\r\n" \
        b"Via: SIP/2.0/UDP 10.0.0.2:5060\r\nc=IN IP4 10.0.0.2\r\n"
    listener = bound(w, w.srv, w.srv_ip, 21, socket.SOCK_STREAM)
    listener.listen(1)
    s = w.sock(w.app)
    s.connect((w.srv_ip, 21))
    s.send(word)
    b, _ = listener.accept()
    b.settimeout(3)
    said.append("same" if b.recv(1000) == word else "changed")
    s = app(w)
    b = bound(w, w.srv, w.srv_ip, 5060)
    s.sendto(word, (w.srv_ip, 5060))
    said.append("same" if hear(b)[0] == word else "changed")
    return " ".join(said)


@row("R12: fragments from the net, backwards", "4000 bytes, same")
def backwards(w):
    s, b = app(w), bound(w, w.srv, w.srv_ip)
    s.sendto(b"hello", b.getsockname())
    to = hear(b)[1]
    data = os.urandom(4000)
    whole = raw.udp(w.srv_ip, to[0], port_of(b), to[1], data)
    ident = struct.unpack("!H", os.urandom(2))[0] | 1
    for at in reversed(range(0, len(whole), 1400)):
        part = whole[at:at + 1400]
        more = at + len(part) < len(whole)
        if w.v6:
            ext = struct.pack("!BBHI", 17, 0, at | more, ident)
            packet = raw.ip(w.srv_ip, to[0], 44, part, ext=ext)
        else:
            packet = raw.ip(w.srv_ip, to[0], 17, part, ident=ident,
                            frag=at // 8 | (0x2000 if more else 0))
        Wire(w.srv).send(packet)
    got = hear(s)[0]
    return "%d bytes, %s" % (len(got), "same" if got == data else "changed")


# --- ICMP ---

def errors(v6):
    return ((1, 0), (1, 3), (1, 4)) if v6 else ((3, 0), (3, 1), (3, 3))


def mapped(w):
    """an app's socket, its server's, and its datagram as it was outside"""
    tap = Tap(w.srv, "veth0")
    s, b = app(w), bound(w, w.srv, w.srv_ip)
    s.sendto(b"hello", b.getsockname())
    hear(b)
    p = tap.first(lambda p: p.proto == 17 and p.dport == port_of(b), 3)
    tap.close()
    return s, b, p


@row("R10, R21: errors about a mapping do not end it, nor what it lets in",
     "same port, heard")
def errors_end_nothing(w):
    s, b, p = mapped(w)
    for t, code in errors(w.v6):
        Wire(w.srv).send(icmp_about(p, w.srv_ip, t, code))
    time.sleep(0.1)
    for _ in range(4):      # the errors are this socket's to hear of
        if say_to(s, b) == "sent":
            break
    who = hear(b)[1]
    if who is None or who[1] != p.sport:
        return "another port: %s" % (who,)
    bound(w, w.srv, w.other).sendto(b"in", who)
    return "same port, " + ("heard" if hear(s)[0] == b"in" else "not heard")


def say_to(s, b):
    try:
        s.sendto(b"again", b.getsockname())
        return "sent"
    except OSError as e:
        return name(e)


def told(w, s, p, packet):
    """does the app get an ICMP error out of that packet to the gateway?"""
    tap = Tap(w.app, w.device)
    Wire(w.srv).send(packet)
    e = tap.first(lambda q: q.proto in (1, 58) and
                  struct.pack("!H", s.getsockname()[1]) in q.l4[8:], 0.4)
    tap.close()
    return "%d/%d" % (e.l4[0], e.l4[1]) if e else "nothing"


@row("R19: an error with a bad checksum is dropped, one about a datagram "
     "with a bad one is not", "good nothing good")
def bad_sums(w):
    s, b, p = mapped(w)
    t, code = errors(w.v6)[1]
    said = []
    for case in "good", "sum", "inner":
        w.pace()
        about = p
        if case == "inner":     # the UDP checksum of what is quoted
            whole = bytearray(p.whole)
            whole[p.head + 6] ^= 0x55
            about = type(p)(bytes(whole))
        packet = bytearray(icmp_about(about, w.srv_ip, t, code))
        if case == "sum":
            packet[p.head + 2] ^= 0x55
        seen = told(w, s, p, bytes(packet))
        said.append("good" if seen == "%d/%d" % (t, code) else seen)
    return " ".join(said)


@row("R20: an error about no mapping goes to nobody", "0 packets")
def no_mapping(w):
    s, b, p = mapped(w)
    stranger = raw.ip(w.out, w.srv_ip, 17,
                      raw.udp(w.out, w.srv_ip, port_of(b) ^ 1, 9))
    tap = Tap(w.app, w.device)
    t, code = errors(w.v6)[1]
    packet = icmp_about(type(p)(stranger), w.srv_ip, t, code)
    Wire(w.srv).send(packet)
    seen = [q for q in tap.packets(0.4) if q.proto in (1, 58) and
            (q.l4[0] == t) and q.src == w.srv_ip]
    return "%d packets" % len(seen)


@row("R18: two sources ping with one identifier, each gets its own", "own own")
def ping_ids(w):
    tap = Tap(w.app, w.device)
    wire = Wire(w.app)
    said = []
    for i in range(2):
        src = w.ghost()
        word = b"source %d " % i + os.urandom(8)
        body = struct.pack("!BBHHH", 128 if w.v6 else 8, 0, 0, 777, 1) + word
        wire.send(raw.ip(src, w.srv_ip, 58 if w.v6 else 1, raw.summed(
            src, w.srv_ip, 58 if w.v6 else 1, body, 2)))
        p = tap.first(lambda p: p.proto in (1, 58) and
                      p.l4.endswith(word) and p.src == w.srv_ip, 3)
        said.append("nothing" if not p else
                    "own" if p.dst == src and
                    p.l4[4:6] == struct.pack("!H", 777) else p.dst)
    return " ".join(said)


@row("R18: a reply that nobody asked for goes to nobody", "0 packets")
def ping_unasked(w):
    s = ping_socket(w)
    s.sendto(echo(w, 1, 8), (w.srv_ip, 0))
    s.recv(100)
    tap = Tap(w.app, w.device)
    proto = 58 if w.v6 else 1
    body = struct.pack("!BBHHH", 129 if w.v6 else 0, 0, 0, 4242, 1) + b"hm"
    Wire(w.srv).send(raw.ip(w.srv_ip, w.out, proto, raw.summed(
        w.srv_ip, w.out, proto, body, 2)))
    seen = [q for q in tap.packets(0.4) if q.l4.endswith(b"hm")]
    return "%d packets" % len(seen)


@row("R15: an error does not end a TCP connection", "sent sent b'onon'")
def tcp_errors(w):
    tap = Tap(w.srv, "veth0")
    a, b = w.pair()
    a.send(b"on")
    p = tap.first(lambda p: p.proto == 6 and p.data and
                  p.dport == b.getsockname()[1], 3)
    for t, code in errors(w.v6):
        Wire(w.srv).send(icmp_about(p, w.srv_ip, t, code))
    time.sleep(0.1)
    said = "%s %s" % (say(a, b"on"), say(b, b"x"))
    got = b""
    while len(got) < 4:
        got += b.recv(10)
    return "%s %r" % (said, got)


# --- commands ---

def rows(w):
    for title, (f, wanted) in ROWS.items():
        try:
            said = f(w)
        except OSError as e:
            said = "%s in %s" % (e, f.__name__)
        print("%s|%s|%s" % (title, said, wanted), flush=True)


def err(w):
    s, b, p = mapped(w)
    t, code = errors(w.v6)[1]
    for _ in range(100):
        Wire(w.srv).send(icmp_about(p, w.srv_ip, t, code))
        time.sleep(0.2)


def one_more(w, kind):
    """(socket, the ICMP error that its first packet met, or None)"""
    if kind == "echo":
        s = ping_socket(w)
    else:
        s = w.sock(w.app, socket.SOCK_STREAM if kind == "tcp" else
                   socket.SOCK_DGRAM)
    icmp_errors_on(s, w.v6)
    try:
        if kind == "tcp":
            s.connect((w.srv_ip, 7))
        else:
            s.sendto(echo(w, 1, 8), (w.srv_ip, 0 if kind == "echo" else 7))
            s.recv(1000)
    except OSError:
        return s, icmp_error(s, 3).split(" ")[1]
    return s, None


def crowd(w):
    said = []
    for kind in "udp", "tcp", "echo":
        socks, seen = [], None
        while not seen and len(socks) < 100:
            s, seen = one_more(w, kind)
            socks.append(s)
        said.append(seen or "none after %d" % len(socks))
    print(" ".join(said))


def main(app_ns, device, gw, srv, family, command="rows"):
    w = World(Netns(app_ns), Netns(gw), Netns(srv), None, device,
              family == "6", WHERE[family])
    {"rows": rows, "err": err, "crowd": crowd}[command](w)


if __name__ == "__main__":
    main(*sys.argv[1:])
