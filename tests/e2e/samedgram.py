#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# samedgram.py - UDP and ICMP rows of same.py

import os
import re
import select
import shutil
import socket
import struct
import subprocess
import threading

import raw
from sameworld import (Tap, Wire, icmp_error, icmp_errors_on, name,
                       say)

ROWS = {}
DONT, WANT, DO = 0, 1, 2        # PMTUDISC
SO_NO_CHECK = 11


def row(title):
    def keep(f):
        ROWS[title] = f
        return f
    return keep


def ask(w, host, port=99, ttl=0, df=None, size=5, kind="udp", wait=3):
    """one datagram or echo there: the error that comes of it"""
    w.pace()
    s = w.udp(w.app) if kind == "udp" else ping_socket(w)
    icmp_errors_on(s, w.v6)
    if ttl:
        w.set_ttl(s, ttl)
    if df is not None:
        w.set_df(s, df)
    data = bytes(size) if kind == "udp" else echo(w, 1, size)
    try:
        s.sendto(data, (host, port if kind == "udp" else 0))
    except OSError as e:
        return name(e)
    p = select.poll()
    p.register(s, select.POLLIN)
    events = p.poll(wait * 1000)
    if events and not events[0][1] & select.POLLERR:
        said = "%d bytes" % len(s.recv(66000))
    else:
        said = icmp_error(s, 0)
    s.close()
    return said


class Echo(threading.Thread):
    """answers until it is closed"""

    def __init__(self, w, ns, host):
        super().__init__(daemon=True)
        self.s = w.udp(ns, host)
        self.s.settimeout(None)
        w.set_df(self.s, DONT)
        self.port = self.s.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                data, who = self.s.recvfrom(66000)
                self.s.sendto(data, who)
            except OSError:
                return

    def close(self):
        self.s.close()


# --- UDP ---

def udp_size(size):
    def run(w):
        e = Echo(w, w.srv, w.srv_ip)
        s = w.udp(w.app)
        s.settimeout(2)
        data = os.urandom(size)
        s.sendto(data, (w.srv_ip, e.port))
        try:
            got, who = s.recvfrom(66000)
            said = "same" if got == data and who[0] == w.srv_ip else \
                "%d bytes of %s" % (len(got), who[0])
        except OSError as x:
            said = name(x)
        e.close()
        return said

    ROWS["UDP: %d bytes, there and back" % size] = run


for n in 0, 1, 1452, 1453, 1472, 1473, 1474, 8192, 65507:
    udp_size(n)


@row("UDP: no checksum")
def no_checksum(w):
    e = Echo(w, w.srv, w.srv_ip)
    s = w.udp(w.app)
    s.settimeout(1)
    s.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    s.sendto(b"hello", (w.srv_ip, e.port))
    try:
        said = s.recv(100).decode()
    except OSError as x:
        said = name(x)
    e.close()
    return said


no_checksum.v6 = False


@row("UDP: a closed port, and the socket after it")
def closed(w):
    s = w.udp(w.app)
    s.connect((w.srv_ip, w.closed()))
    s.send(b"hello")
    try:
        s.recv(100)
        said = "an answer"
    except OSError as x:
        said = name(x)
    e = Echo(w, w.srv, w.srv_ip)
    s.connect((w.srv_ip, e.port))
    s.send(b"hello")
    said += ", then " + s.recv(100).decode()
    e.close()
    return said


@row("UDP: a closed port, who says so")
def closed_who(w):
    return ask(w, w.srv_ip, w.closed())


@row("UDP: nobody there")
def hole(w):
    return ask(w, w.hole, wait=0.7)


for v6, errors in ((False, [(3, c) for c in range(16) if c != 4] +
                    [(11, 0), (11, 1), (12, 0)]),
                   (True, [(1, c) for c in range(7)] +
                    [(3, 0), (3, 1), (4, 0), (4, 1), (4, 2)])):
    for t_, c_ in errors:
        for kind_, what in ("udp", "a datagram"), ("ping", "an echo"):
            def run(w, t_=t_, c_=c_, kind_=kind_):
                return ask(w, w.refuser(t_, c_), kind=kind_, wait=1)

            run.v6 = v6
            ROWS["ICMP %d/%d about %s" % (t_, c_, what)] = run


def hops(w, kind):
    host = w.distant(2)
    return "; ".join(ask(w, host, 33434, ttl=i, kind=kind)
                     for i in (1, 2, 3))


@row("UDP: a TTL of 1, 2, 3: which router says so")
def udp_hops(w):
    return hops(w, "udp")


@row("ICMP: echo with a TTL of 1, 2, 3: which router says so")
def ping_hops(w):
    return hops(w, "ping")


def traceroute(w, *how):
    """the hops it prints, without times; one probe each, one after another"""
    if not shutil.which("traceroute"):
        return "no traceroute here"
    out = subprocess.run(
        ["ip", "netns", "exec", w.app.title, "traceroute",
         "-6" if w.v6 else "-4", "-n", "-q", "1", "-N", "1", "-w", "2",
         "-m", "6", *how, w.distant(30)],
        capture_output=True, text=True, timeout=40).stdout
    return "; ".join(re.sub(r" +[0-9.]+ ms", "", line).strip()
                     for line in out.splitlines()[1:])


@row("traceroute, with UDP, as it prints it")
def traceroute_udp(w):
    return traceroute(w, "-U")


@row("traceroute, to rising ports")
def traceroute_ports(w):
    return traceroute(w)


@row("traceroute -I")
def traceroute_echo(w):
    return traceroute(w, "-I")


@row("traceroute -T, to a closed port")
def traceroute_tcp(w):
    return traceroute(w, "-T", "-p", "9")


@row("UDP: path narrower behind the gateway, may be cut")
def narrow_cut(w):
    e = Echo(w, w.far, w.distant(3))
    said = [ask(w, w.distant(3), e.port, df=DONT, size=n)
            for n in (1300, 1472, 5000)]
    e.close()
    return ", ".join(said)


@row("UDP: path narrower behind the gateway, whole")
def narrow_whole(w):
    e = Echo(w, w.far, w.distant(4))
    said = [ask(w, w.distant(4), e.port, df=DO, size=1400),
            ask(w, w.distant(4), e.port, df=DO, size=1400)]
    e.close()
    return ", ".join(said)


@row("UDP: path narrower, the socket learns")
def narrow_learns(w):
    e = Echo(w, w.far, w.distant(5))
    s = w.udp(w.app)
    s.settimeout(1)
    w.set_df(s, WANT)
    s.connect((w.distant(5), e.port))
    said = []
    for _ in range(3):
        said.append(say(s, bytes(1400)))
        try:
            said.append("%d bytes" % len(s.recv(2000)))
        except OSError as x:
            said.append(name(x))
    said.append("mtu %d" % s.getsockopt(w.level, 24 if w.v6 else 14))
    e.close()
    return ", ".join(said)


@row("UDP: DSCP and ECN, as the server sees them, changed on the way")
def udp_class(w):
    tap = Tap(w.srv, "veth0")
    s = w.udp(w.app)
    port = w.next_port()
    said = []
    for tos in 0xb8, 0x02, 0x49, 0:
        w.set_tos(s, tos)
        s.sendto(b"hello", (w.srv_ip, port))
        p = tap.first(lambda p: p.proto == 17 and p.dport == port, 3)
        said.append("%02x" % p.tos if p else "nothing")
    return " ".join(said)


@row("UDP: DSCP and ECN of the answers, as the app sees them")
def udp_class_down(w):
    e = Echo(w, w.srv, w.srv_ip)
    s = w.udp(w.app)
    tap = Tap(w.app, w.device)
    said = []
    for tos in 0x48, 0x03, 0, 0x02:
        w.set_tos(e.s, tos)
        s.sendto(b"hello", (w.srv_ip, e.port))
        p = tap.first(lambda p: p.proto == 17 and p.sport == e.port, 3)
        said.append("%02x" % p.tos if p else "nothing")
    e.close()
    return " ".join(said)


# --- fragments by hand ---

def fragments(w, port, change):
    src = w.ghost()
    whole = raw.udp(src, w.srv_ip, w.next_port(), port,
                    bytes(range(256)) * 16)
    parts = [(at, whole[at:at + 1400]) for at in range(0, len(whole), 1400)]
    parts = change(parts)
    wire = Wire(w.app)
    ident = struct.unpack("!H", os.urandom(2))[0] | 1
    for at, part in parts:
        more = at + len(part) < len(whole)
        if w.v6:
            ext = struct.pack("!BBHI", 17, 0, at | more, ident)
            wire.send(raw.ip(src, w.srv_ip, 44, part, ext=ext))
        else:
            wire.send(raw.ip(src, w.srv_ip, 17, part, ident=ident,
                             frag=at // 8 | (0x2000 if more else 0)))


def fragment_row(title, change):
    def run(w):
        s = w.udp(w.srv, w.srv_ip)
        s.settimeout(0.7)
        fragments(w, s.getsockname()[1], change)
        try:
            return "%d bytes" % len(s.recv(66000))
        except OSError as e:
            return name(e)

    ROWS["UDP: fragments, " + title] = run


fragment_row("in order", lambda p: p)
fragment_row("backwards", lambda p: p[::-1])
fragment_row("the middle last", lambda p: [p[0], p[2], p[1]])
fragment_row("each twice", lambda p: p + p)
fragment_row("overlapping", lambda p: [p[0], (1392, bytes(1408))] + p[2:])
fragment_row("one missing", lambda p: [p[0], p[2]])


# --- ping ---

def ping_socket(w):
    return w.sock(w.app, socket.SOCK_DGRAM, 58 if w.v6 else 1)


def echo(w, seq, size):
    data = struct.pack("!BBHHH", 128 if w.v6 else 8, 0, 0, 0, seq)
    return data + bytes(i & 255 for i in range(size))


def ping(w, host, size=56, wait=3):
    s = ping_socket(w)
    s.settimeout(wait)
    said = []
    for seq in 1, 2:
        try:
            s.sendto(echo(w, seq, size), (host, 0))
            got, who = s.recvfrom(66000)
            good = got[8:] == echo(w, seq, size)[8:] and \
                got[6:8] == struct.pack("!H", seq) and who[0] == host
            said.append("same" if good else "%d bytes of %s" % (
                len(got), who[0]))
        except OSError as e:
            said.append(name(e))
    s.close()
    return " ".join(said)


for size_ in 0, 56, 1472, 1473, 20000:
    ROWS["ICMP: echo with %d bytes" % size_] = \
        lambda w, size_=size_: ping(w, w.srv_ip, size_)


@row("ICMP: echo of a dead host")
def dead(w):
    return ping(w, w.hole, wait=0.4)


def ping_class(w, host, tap):
    """of an echo there with a class, and where tap is: the reply's"""
    s = ping_socket(w)
    said = []
    for tos in 0xb8, 0x02, 0:
        mark = os.urandom(8)
        w.set_tos(s, tos)
        s.sendto(echo(w, 1, 0) + mark, (host, 0))
        p = tap.first(lambda p: p.whole.endswith(mark), 3)
        said.append("%02x" % p.tos if p else "nothing")
    return " ".join(said)


@row("ICMP: DSCP and ECN of an echo, as the server sees them")
def ping_class_up(w):
    return ping_class(w, w.srv_ip, Tap(w.srv, "veth0"))


@row("ICMP: DSCP and ECN of a reply, the server's and the gateway's")
def ping_class_down(w):
    tap = Tap(w.app, w.device)
    return ping_class(w, w.srv_ip, tap) + ", " + \
        ping_class(w, "fd00:736c::1" if w.v6 else "10.0.0.1", tap)


def ttl_of(tap, what):
    p = tap.first(what, 3)
    return "%d" % p.ttl if p else "nothing"


@row("UDP: the TTL an answer has left")
def udp_ttl_down(w):
    tap = Tap(w.app, w.device)
    e = Echo(w, w.srv, w.srv_ip)
    s = w.udp(w.app)
    said = []
    for ttl in 64, 255, 2:
        w.set_ttl(e.s, ttl)
        s.sendto(b"hello", (w.srv_ip, e.port))
        said.append(ttl_of(tap, lambda p: p.proto == 17 and
                           p.sport == e.port))
    e.close()
    return " ".join(said)


@row("ICMP: the TTL a reply has left")
def ping_ttl_down(w):
    s = ping_socket(w)
    tap = Tap(w.app, w.device)
    mark = os.urandom(8)
    s.sendto(echo(w, 1, 0) + mark, (w.srv_ip, 0))
    return ttl_of(tap, lambda p: p.whole.endswith(mark))


@row("TCP: the TTL of the server's packets")
def tcp_ttl_down(w):
    tap = Tap(w.app, w.device)
    a, b = w.pair()
    there = b.getsockname()[1]
    return ttl_of(tap, lambda p: p.proto == 6 and p.sport == there)


def stray(w, src, proto, body, wait=0.7):
    """a packet by hand to the server: what kind of ICMP comes back"""
    tap = Tap(w.app, w.device)
    Wire(w.app).send(raw.ip(src, w.srv_ip, proto, body))
    p = tap.first(lambda p: p.proto in (1, 58) and p.dst == src, wait)
    tap.close()
    return "%d/%d" % (p.l4[0], p.l4[1]) if p else "nothing"


@row("a protocol that nobody speaks")
def strange(w):
    return stray(w, w.ghost(), 253, b"x" * 40)


@row("ICMP: a request for the time")
def timestamp(w):
    body = struct.pack("!BBHHHIII", 13, 0, 0, 7, 1, 0, 0, 0)
    src = w.ghost()
    return stray(w, src, 1, raw.summed(src, w.srv_ip, 1, body, 2))


timestamp.v6 = False


@row("ICMP: errors and answers nobody asked for")
def unasked(w):
    v6 = w.v6
    said = []
    src = w.ghost()
    quote = raw.ip(w.srv_ip, src, 17, raw.udp(w.srv_ip, src, 7, 7))
    for t, code in ((129, 0), (1, 4)) if v6 else ((0, 0), (3, 3)):
        body = struct.pack("!BBHHH", t, code, 0, 1, 1) + quote
        body = raw.summed(src, w.srv_ip, 58 if v6 else 1, body, 2)
        said.append(stray(w, src, 58 if v6 else 1, body, 0.3))
    return ", ".join(said)


@row("UDP: a bad checksum")
def bad_sum(w):
    e = Echo(w, w.srv, w.srv_ip)
    tap = Tap(w.app, w.device)
    src = w.ghost()
    data = bytearray(raw.udp(src, w.srv_ip, 4000, e.port))
    data[6] ^= 1
    Wire(w.app).send(raw.ip(src, w.srv_ip, 17, bytes(data)))
    p = tap.first(lambda p: p.dst == src and p.proto == 17, 0.5)
    e.close()
    return "answered" if p else "silence"


@row("UDP: several datagrams in one send")
def gso(w):
    e = Echo(w, w.srv, w.srv_ip)
    s = w.udp(w.app)
    s.settimeout(2)
    s.setsockopt(socket.SOL_UDP if hasattr(socket, "SOL_UDP") else 17,
                 103, 1000)
    s.sendto(b"".join(bytes([i]) * 1000 for i in range(20)),
             (w.srv_ip, e.port))
    got = []
    try:
        while len(got) < 20:
            got.append(s.recv(2000))
    except OSError:
        pass
    e.close()
    good = all(g == bytes([i]) * 1000 for i, g in enumerate(got))
    return "%d, %s" % (len(got), "in order" if good else "mixed")


@row("UDP: a crowd of sockets at once, each its own answer")
def crowd(w):
    e = Echo(w, w.srv, w.srv_ip)
    socks = [w.udp(w.app) for _ in range(100)]
    for i, s in enumerate(socks):
        s.sendto(b"%d" % i, (w.srv_ip, e.port))
    good = 0
    for i, s in enumerate(socks):
        s.settimeout(2)
        try:
            good += s.recv(100) == b"%d" % i
        except OSError:
            pass
        s.close()
    e.close()
    return "%d answered" % good
