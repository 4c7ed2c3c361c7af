#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# sametcp.py - rows of same.py about what a TCP connection carries

import hashlib
import select
import socket
import threading
import time

from sameworld import (Hand, Tap, Wire, end_of, ends, icmp_about, name, reset,
                       say, unread, until)

ROWS = {}
BIG = 1500000
PATIENCE_LONG = 20


def row(title):
    def keep(f):
        ROWS["TCP: " + title] = f
        return f
    return keep


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


@row("the app's kernel asks for ECN")
def ecn(w):
    with w.app, open("/proc/sys/net/ipv4/tcp_ecn", "w") as f:
        f.write("1")
    return exchange(*w.pair())


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


@row("DSCP changed under way, and back, as the server sees it")
def dscp_changes(w):
    tap = Tap(w.srv, "veth0")
    a, b = w.pair()
    port = b.getsockname()[1]
    said = []
    for tos in 0x28, 0xb8, 0:
        w.set_tos(a, tos)
        a.send(b"hello")
        said.append(tos_of(w, tap, lambda p: p.proto == 6 and
                           p.dport == port and p.data))
        b.recv(10)
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
