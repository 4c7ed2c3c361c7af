#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# samesyn.py - rows of same.py about how a TCP connection begins, or does not

import errno
import select
import socket
import time

from sameworld import Hand, Tap, icmp_error, icmp_errors_on, name

ROWS = {}


def row(title):
    def keep(f):
        ROWS["TCP: " + title] = f
        return f
    return keep


def finish(s):
    """A kernel queues an ICMP error before it fails the socket, and wakes us
    for it: connect() may find no error yet, and no connection."""
    try:
        s.getpeername()
    except OSError:
        time.sleep(0.1)
        err = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        raise OSError(err or errno.ENOTCONN, "connect") from None


def connect(w, host, port, seconds=10, ttl=0):
    """how connect() ends, and what the error queue says of it"""
    s = w.sock(w.app)
    w.pace()
    icmp_errors_on(s, w.v6)
    if ttl:
        w.set_ttl(s, ttl)
    s.settimeout(seconds)
    try:
        s.connect((host, port))
        finish(s)
        return "connected"
    except OSError as e:
        if isinstance(e, socket.timeout):
            return "silence"
        return "%s, %s" % (name(e), icmp_error(s, 0.2))
    finally:
        s.close()


# --- how it begins ---

@row("a closed port")
def closed_port(w):
    return connect(w, w.srv_ip, w.closed())


@row("nobody there")
def black_hole(w):
    return connect(w, w.hole, 80, 1.5)


def refused_by(t, code):
    return lambda w: connect(w, w.refuser(t, code), 80, 2)


for v6, errors in ((False, [(3, c) for c in range(16) if c != 4] +
                    [(11, 0), (11, 1), (12, 0)]),
                   (True, [(1, c) for c in range(7)] +
                    [(3, 0), (3, 1), (4, 0), (4, 1), (4, 2)])):
    for error in errors:
        f = refused_by(*error)
        f.v6 = v6
        row("ICMP %d/%d about the SYN" % error)(f)


@row("a TTL of 1, 2, 3: which router says so")
def ttl_on_the_way(w):
    l, port = w.listen(w.far, w.distant(20))
    said = [connect(w, w.distant(20), port, ttl=i) for i in (1, 2, 3)]
    l.close()
    return "; ".join(said)


@row("the first SYN lost behind the gateway")
def syn_lost(w):
    host = w.mute(1)
    what = ["table", "local", "blackhole", host]
    l, port = w.listen(host=host)
    tap = Tap(w.srv, "veth0")
    w.srv.ip("route", "add", *what)
    a = w.sock(w.app)
    a.setblocking(False)
    begin = time.monotonic()
    a.connect_ex((host, port))
    seen = tap.first(lambda p: p.proto == 6 and p.dport == port)
    w.srv.ip("route", "del", *what)
    tap.close()
    l.accept()[0].close()
    select.select([], [a], [], 10)
    said = errno.errorcode.get(a.getsockopt(socket.SOL_SOCKET,
                                            socket.SO_ERROR), "connected")
    a.close()
    l.close()
    return "SYN %s, %s after %d s" % (bool(seen), said,
                                      time.monotonic() - begin)


@row("connect while 300 others hang")
def hanging(w):
    crowd = []
    for _ in range(300):
        s = w.sock(w.app)
        s.setblocking(False)
        s.connect_ex((w.hole, 81))
        crowd.append(s)
    begin = time.monotonic()
    a, b = w.pair()
    soon = time.monotonic() - begin < 1
    for s in crowd + [a, b]:
        s.close()
    return "connected, soon: %s" % soon


@row("SYN sent three times")
def syn_repeated(w):
    l, port = w.listen()
    h = Hand(w, port)
    for _ in range(3):
        h.send(2, options=b"\2\4\5\xb4")
        time.sleep(0.03)
    heard = set()
    while True:
        said = h.hear(0.3)
        if said == "silence":
            break
        heard.add(said)
    h.seq += 1
    h.send(4)
    l.close()
    return ", ".join(sorted(heard))


def syns_behind(w, n, between):
    """SYNs that come out of the gateway for one nobody answers, and from how
    many ports"""
    h = Hand(w, 80, w.silent(n))
    tap = Tap(w.srv, "veth0")
    h.send(2, options=b"\2\4\5\xb4")
    seen = [tap.first(lambda p: p.proto == 6 and p.dst == h.dst)]
    between(h)
    seen += [p for p in tap.packets(1.5) if p.proto == 6 and
             p.dst == h.dst and p.flags & 2]
    tap.close()
    return seen


@row("SYN repeated while nobody answers: one connection behind")
def syn_repeated_held(w):
    def again(h):
        for _ in range(3):
            h.send(2, options=b"\2\4\5\xb4")
            time.sleep(0.05)

    seen = syns_behind(w, 2, again)
    return "%d ports" % len({p.sport for p in seen})


@row("the app gives up while nobody answers: no more SYNs behind")
def gives_up(w):
    def rst(h):
        h.seq += 1
        h.send(4)

    return "%d SYNs" % len(syns_behind(w, 3, rst))


@row("SYN with data")
def syn_data(w):
    l, port = w.listen()
    h = Hand(w, port)
    h.send(2, b"early", b"\2\4\5\xb4")
    said = h.hear()
    h.seq += 1
    h.send(4)
    l.close()
    return said


@row("SYN with ECE and CWR")
def syn_ecn(w):
    l, port = w.listen()
    h = Hand(w, port)
    h.send(0xc2, options=b"\2\4\5\xb4")
    said = h.hear()
    h.seq += 1
    h.send(4)
    l.close()
    return said


@row("segments of no connection")
def strays(w):
    port = w.closed()
    said = []
    for flags in (2, 16, 17, 24, 4, 20, 18):
        h = Hand(w, port)
        h.ack = 5000
        h.send(flags, b"x" if flags == 24 else b"")
        said.append("%d: %s" % (flags, h.hear(0.4)))
        h.tap.close()
    return "; ".join(said)


@row("RST while the handshake is not done")
def rst_in_handshake(w):
    l, port = w.listen()
    h = Hand(w, port)
    h.send(2, options=b"\2\4\5\xb4")
    said = h.hear()
    h.seq += 1
    h.send(4)
    time.sleep(0.1)
    h.seq = 1000
    h.send(2, options=b"\2\4\5\xb4", seq=900000)
    p = h.next()
    l.close()
    if not p:
        return said + ", again: silence"
    h.send(4, seq=900001)
    return "%s, again: %s ack %d" % (said, p.names(), p.ack)
