#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# sametcp.py - TCP rows of same.py

import errno
import hashlib
import select
import socket
import struct
import threading
import time

from sameworld import (Hand, Tap, Wire, end_of, ends, icmp_about, icmp_error,
                       icmp_errors_on, name, reset, say, unread, until)

ROWS = {}
BIG = 1500000
PATIENCE_LONG = 20


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


@row("the app's kernel asks for ECN")
def ecn(w):
    with w.app, open("/proc/sys/net/ipv4/tcp_ecn", "w") as f:
        f.write("1")
    return exchange(*w.pair())


# --- bytes ---

def send_all(s, data):
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    except OSError:
        pass        # the reader says what was missing


def digest_of(s, slowly=None):
    h = hashlib.sha256()
    n = 0
    s.settimeout(PATIENCE_LONG)
    try:
        while True:
            data = s.recv(slowly or 1 << 18)
            if not data:
                return n, h.hexdigest()[:8]
            h.update(data)
            n += len(data)
    except OSError as e:
        return n, name(e)


def carry(src, dst, size=BIG, slowly=None):
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    want = hashlib.sha256(data).hexdigest()[:8]
    t = threading.Thread(target=send_all, args=(src, data), daemon=True)
    t.start()
    n, got = digest_of(dst, slowly)
    t.join(5)
    return "%d bytes, %s" % (n, "same" if got == want else got)


def exchange(a, b, size=BIG):
    said = carry(a, b, size) + "; " + carry(b, a, size)
    a.close()
    b.close()
    return said


@row("much, both ways at once, to half-closed ends")
def both_ways(w):
    a, b = w.pair()
    down = []
    t = threading.Thread(target=lambda: down.append(carry(b, a, 5000000)))
    t.start()
    up = carry(a, b, 5000000)
    t.join()
    a.close()
    b.close()
    return up + "; " + down[0]


@row("the app shuts down first, then much comes")
def half_app(w):
    a, b = w.pair()
    a.shutdown(socket.SHUT_WR)
    said = ends(b)
    return said + "; " + carry(b, a)


@row("the server shuts down first, then much goes")
def half_server(w):
    a, b = w.pair()
    b.shutdown(socket.SHUT_WR)
    said = ends(a)
    return said + "; " + carry(a, b)


@row("path narrower behind the gateway")
def narrow(w):
    return exchange(*w.pair(w.far, w.distant(1)))


def small_buffer(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)


@row("the app's window is tiny")
def tiny_app(w):
    a, b = w.pair(before=small_buffer)
    return carry(b, a, 60000, 700)


@row("the server's window is tiny")
def tiny_server(w):
    l, port = w.listen()
    small_buffer(l)
    a = w.sock(w.app)
    a.connect((w.srv_ip, port))
    b, _ = l.accept()
    return carry(a, b, 60000, 700)


def pour(src):
    """write until nothing moves for a second: how much was taken"""
    n = 0
    src.setblocking(False)
    block = bytes(1 << 16)
    while select.select([], [src], [], 1)[1]:
        try:
            n += src.send(block)
        except BlockingIOError:
            time.sleep(0.01)
    src.settimeout(PATIENCE_LONG)
    return n


# What the buffers of kernels hold, the app's, the gateway's and the server's,
# is theirs.  "At most so many, and one MB": same.py knows.
def sleeping(w, src, dst, there):
    n = pour(src)
    held = n - w.queued(there)
    threading.Thread(target=src.shutdown, args=(socket.SHUT_WR,)).start()
    said = ends(dst)
    if said != "%d bytes, EOF" % n:
        return "poured %d, then %s" % (n, said)
    return "~%d" % held


@row("bytes kept on the way while the server sleeps, all there then")
def server_sleeps(w):
    a, b = w.pair()
    return sleeping(w, a, b, b.getsockname()[1])


@row("bytes kept on the way while the app sleeps, all there then")
def app_sleeps(w):
    a, b = w.pair()
    return sleeping(w, b, a, b.getsockname()[1])


@row("single bytes, there and back")
def single(w):
    a, b = w.pair()
    for s in a, b:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    begin = time.monotonic()
    for i in range(300):
        a.send(bytes([i & 255]))
        if b.recv(10) != bytes([i & 255]):
            return "up: bad at %d" % i
        b.send(bytes([i & 255]))
        if a.recv(10) != bytes([i & 255]):
            return "down: bad at %d" % i
    return "same, soon: %s" % (time.monotonic() - begin < 6)


@row("single bytes in segments of their own, out of order and twice")
def single_by_hand(w):
    l, port = w.listen()
    h = Hand(w, port)
    if not h.open(b"\2\4\5\xb4"):
        return "no connection"
    b, _ = l.accept()
    for i in 1, 0, 1, 3, 3, 2, 0, 4:
        h.send(24, b"abcde"[i:i + 1], seq=h.seq + i)
    until(lambda: unread(b) == 5, 3)
    b.settimeout(3)
    said = b.recv(100).decode()
    h.send(4, seq=h.seq + 5)
    return said + ", " + ends(b)


@row("an urgent byte, in line")
def urgent_inline(w):
    a, b = w.pair()
    said = []
    for s, d in (a, b), (b, a):
        d.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        s.send(b"a")
        s.send(b"!", socket.MSG_OOB)
        s.send(b"b")
        s.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            data = d.recv(100)
            if not data:
                break
            got += data
        said.append(got.decode())
    return " ".join(said)


@row("an urgent byte, asked for as such")
def urgent_mark(w):
    a, b = w.pair()
    said = []
    for s, d in (a, b), (b, a):
        s.send(b"ab!", socket.MSG_OOB)
        until(lambda: unread(d) >= 2, 3)
        time.sleep(0.05)
        try:
            said.append(d.recv(1, socket.MSG_OOB).decode())
        except OSError as e:
            said.append(name(e))
    return " ".join(said)


# --- sizes and fields ---

@row("what MSS is offered, and kept to")
def mss(w):
    said = []
    for options in b"\2\4\2\x18", b"\2\4\3\xe8", b"\2\4\5\xb4", b"":
        l, port = w.listen()
        h = Hand(w, port)
        p = h.open(options)
        if not p:
            return "no connection"
        b, _ = l.accept()
        b.send(bytes(8000))
        most, sum_ = 0, 0
        while sum_ < 8000:
            q = h.next(2)
            if not q:
                break
            most = max(most, q.size)
            if q.seq == h.ack:
                h.ack = (h.ack + len(q.data)) & 0xffffffff
                sum_ += len(q.data)
            h.send(16)
        said.append("%d: %d" % (p.mss(), most))
        h.send(4)
        l.close()
    return ", ".join(said)


def tos_of(w, tap, mine):
    p = tap.first(mine, 3)
    return "%02x" % (p.tos & 0xfc) if p else "nothing"


@row("DSCP of the SYN and the bytes, as the server sees it")
def dscp_up(w):
    tap = Tap(w.srv, "veth0")
    a, b = w.pair(before=lambda s: w.set_tos(s, 0xb8))
    port = b.getsockname()[1]
    a.send(b"hello")
    b.recv(10)
    said = [tos_of(w, tap, lambda p: p.proto == 6 and p.dport == port and
                   p.flags & 2),
            tos_of(w, tap, lambda p: p.proto == 6 and p.dport == port and
                   p.data)]
    return " ".join(said)


@row("DSCP of the server's bytes, as the app sees it")
def dscp_down(w):
    tap = Tap(w.app, w.device)
    a, b = w.pair()
    w.set_tos(b, 0x48)
    b.send(b"hello")
    a.recv(10)
    return tos_of(w, tap, lambda p: p.proto == 6 and
                  p.dport == a.getsockname()[1] and p.data)


# --- what keeps a connection, and what does not ---

@row("keepalive of the app is answered")
def keepalive(w):
    def eager(s):
        for option, value in ((socket.TCP_KEEPIDLE, 1),
                              (socket.TCP_KEEPINTVL, 1),
                              (socket.TCP_KEEPCNT, 1)):
            s.setsockopt(socket.IPPROTO_TCP, option, value)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    a, b = w.pair(before=eager)
    time.sleep(3.2)
    return exchange(a, b, 1000)


@row("an ICMP error does not end what is established")
def icmp_later(w):
    tap, wire = Tap(w.srv, "veth0"), Wire(w.srv)
    a, b = w.pair()
    port = b.getsockname()[1]
    said = []
    for t, code in ((1, 3), (1, 0), (1, 4)) if w.v6 else ((3, 1), (3, 0),
                                                          (3, 3)):
        a.send(b"hello")
        p = tap.first(lambda p: p.proto == 6 and p.dport == port and p.data, 3)
        b.recv(10)
        wire.send(icmp_about(p, w.srv_ip, t, code))
        time.sleep(0.1)
        said.append(say(a) + " " + say(b))
        b.recv(10)
        a.recv(10)
    return ", ".join(said) + "; " + exchange(a, b, 1000)


def port_again(w, close):
    l, there = w.listen()
    port = w.next_port()
    said = []
    for _ in range(3):
        a = w.sock(w.app)
        a.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        a.bind((w.app_ip, port))
        try:
            a.connect((w.srv_ip, there))
            b, _ = l.accept()
        except OSError as e:
            said.append(name(e))
            a.close()
            continue
        a.send(b"hello")
        said.append(b.recv(10).decode())
        close(a, b)
        time.sleep(0.05)
    l.close()
    return " ".join(said)


@row("the same port again, the server closed first")
def again_server(w):
    return port_again(w, lambda a, b: (b.close(), ends(a), a.close()))


@row("the same port again, the app closed first")
def again_app(w):
    return port_again(w, lambda a, b: (a.close(), ends(b), b.close()))


@row("the same port again, the app reset")
def again_reset(w):
    return port_again(w, lambda a, b: (reset(a), ends(b), b.close()))


@row("the same port again, the server reset")
def again_was_reset(w):
    return port_again(w, lambda a, b: (reset(b), ends(a), a.close()))


@row("the same port again, the old one never closed")
def again_lost(w):
    l, port = w.listen()
    h = Hand(w, port)
    if not h.open(b"\2\4\5\xb4"):
        return "no connection"
    b, _ = l.accept()
    h.send(2, options=b"\2\4\5\xb4", seq=500000000)
    p = h.next()
    if not p:
        return "silence"
    said = "%s, of the old one: %s" % (p.names(), p.ack == h.seq)
    h.send(4)
    b.close()
    return said


@row("a cut download never looks complete")
def cut(w):
    said = []
    for wait in 0, 0.001, 0.01, 0.05, 0.2:
        a, b = w.pair()
        b.setblocking(False)
        end = time.monotonic() + wait
        while True:
            try:
                b.send(bytes(1 << 18))
            except BlockingIOError:
                if time.monotonic() > end:
                    break
                a.recv(1000)
        reset(b)
        said.append(end_of(a))
    return " ".join(said)
