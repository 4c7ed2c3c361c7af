#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# datagrams.py - UDP servers and clients that do just what a test says
#
# Servers, on all addresses, IPv4 and IPv6, answering from the address that
# was asked:
#
#	others PORT PORT2	answers from elsewhere: "port" from PORT2, "addr"
#				from another address of this host, "none" and
#				all else from where it was sent to
#	count PORT		counts what comes from each address; "?" is
#				answered with "N datagrams from M ports"
#	blast PORT		"N SIZE": N datagrams of that size, the first two
#				bytes their number, in as few sends as can be
#
# Clients print what happened in one line:
#
#	sizes HOST PORT N...	each size is echoed: "same", or what was not
#	error HOST PORT [OPTION=VALUE]...
#				the ICMP error of a datagram: "3/3 10.0.0.1",
#				its MTU behind it if there is one; "answer", or
#				"silence"; options: ttl, size, df (0 or 1), wait
#	mapped PORT HOST HOST	our port as two hosts ("who" servers) see it
#	heard HOST PORT WORD	who answered "others": "HOST PORT" or "silence"
#	sent HOST PORT N GAP	N datagrams with GAP seconds between, and what
#				"count" says of them
#	alive HOST PORT N GAP	one datagram to "blast", N answers, GAP seconds
#				apart, then one more word from the same port
#	gso HOST PORT N SIZE	N datagrams in one send to an echo server: how
#				many came back, in order
#	fetch HOST PORT N SIZE	asks "blast", and says how many came, in order
#	nosum HOST PORT		echo of a datagram without a checksum
#	sessions HOST PORT N	N sockets, each echoed once and held: "good N";
#				then until stdin ends

import errno
import os
import resource
import socket
import struct
import sys
import time

IP_RECVERR, IPV6_RECVERR = 11, 25
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER = 10, 23
SO_NO_CHECK = 11
UDP_SEGMENT = 103
MSG_ERRQUEUE = 0x2000


def client(host, wait=3.0):
    six = ":" in host
    s = socket.socket(socket.AF_INET6 if six else socket.AF_INET,
                      socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.settimeout(float(wait))
    return s


def name(e):
    if isinstance(e, socket.timeout):
        return "silence"
    return errno.errorcode.get(e.errno, str(e))


# --- servers ---

def server(port):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    s.bind(("::", int(port)))
    return s


def requests(s):
    while True:
        data, anc, _, who = s.recvmsg(65536, 1024)
        at = [a[2][:16] for a in anc if a[1] == socket.IPV6_PKTINFO][0]
        yield data, at, who


def answer(s, data, at, who, more=()):
    info = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, at + b"\0\0\0\0")
    try:
        s.sendmsg([data], [info] + list(more), 0, who)
    except OSError as e:
        print("server:", name(e), flush=True)


def others(port, port2):
    s, t = server(port), server(port2)
    for data, at, who in requests(s):
        if data == b"port":
            answer(t, data, at, who)
        elif data == b"addr":
            # the next address of our block: .2 to .3, ::2 to ::3
            answer(s, data, at[:15] + bytes([at[15] + 1]), who)
        else:
            answer(s, data, at, who)


def count(port):
    s = server(port)
    seen = {}
    for data, at, who in requests(s):
        one = seen.setdefault(who[0], [0, set()])
        if data == b"?":
            answer(s, b"%d datagrams from %d ports" % (one[0], len(one[1])),
                   at, who)
            seen.pop(who[0])
        else:
            one[0] += 1
            one[1].add(who[1])


def blast(port):
    s = server(port)
    for data, at, who in requests(s):
        try:
            words = data.split()
            n, size = int(words[0]), int(words[1])
            gap = float(words[2]) if words[2:] else 0
        except (ValueError, IndexError):
            answer(s, data, at, who)
            continue
        run = 1 if gap or size > 1400 else min(60, 60000 // size)
        at_n = 0
        while at_n < n:
            k = min(run, n - at_n)
            out = b"".join(struct.pack("!H", i & 0xffff).ljust(size, b"x")
                           for i in range(at_n, at_n + k))
            more = []
            if k > 1:
                more = [(socket.IPPROTO_UDP, UDP_SEGMENT,
                         struct.pack("H", size))]
            answer(s, out, at, who, more)
            at_n += k
            time.sleep(gap or 0.0005)


# --- clients ---

def sizes(host, port, *many):
    s = client(host)
    s.connect((host, int(port)))
    bad = []
    for n in many:
        word = os.urandom(int(n))
        try:
            s.send(word)
            got = s.recv(65536)
            if got != word:
                bad.append("%s: %d bytes" % (n, len(got)))
        except OSError as e:
            bad.append("%s: %s" % (n, name(e)))
    print(", ".join(bad) or "same")


def error(host, port, *options):
    opt = dict(o.split("=") for o in options)
    s = client(host)
    six = s.family == socket.AF_INET6
    level = socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP
    s.setsockopt(level, IPV6_RECVERR if six else IP_RECVERR, 1)
    if "ttl" in opt:
        s.setsockopt(level, socket.IPV6_UNICAST_HOPS if six else
                     socket.IP_TTL, int(opt["ttl"]))
    if "df" in opt:     # 3: set it, whatever is known of the path
        s.setsockopt(level, IPV6_MTU_DISCOVER if six else IP_MTU_DISCOVER,
                     3 if opt["df"] == "1" else 0)
    word = os.urandom(int(opt.get("size", 10)))
    # Kernels send only so many errors a second: ask again.
    now = again = time.monotonic()
    end = now + float(opt.get("wait", 5))
    s.settimeout(0.01)
    while now < end:
        if now >= again:
            s.sendto(word, (host, int(port)))
            again = now + 0.5
        now = time.monotonic()
        try:
            data, anc, _, to = s.recvmsg(65536, 512, MSG_ERRQUEUE)
        except OSError:
            try:
                got = s.recv(65536)
                print("answer" if got == word else "another answer")
                return
            except OSError:
                continue
        for _, kind, data2 in anc:
            if kind not in (IP_RECVERR, IPV6_RECVERR):
                continue
            _, origin, type_, code, _, info, _ = \
                struct.unpack("IBBBBII", data2[:16])
            if origin == 1:     # our own kernel
                continue
            family = struct.unpack("H", data2[16:18])[0]
            who = "nobody"
            if family == socket.AF_INET:
                who = socket.inet_ntop(family, data2[20:24])
            elif family == socket.AF_INET6:
                who = socket.inet_ntop(family, data2[24:40])
            if to[:2] != (host, int(port)):
                who += " about %s %d" % to[:2]
            if word[:len(data)] != data:
                who += ", quoting something else"
            print("%d/%d %s%s" % (type_, code, who,
                                  " %d" % info if info else ""))
            return
    print("silence")


def mapped(port, *hosts):
    s = client(hosts[0])
    seen = set()
    for host in hosts:
        s.sendto(b"x", (host, int(port)))
        seen.add(s.recv(100).decode().split()[1])
    print("one port" if len(seen) == 1 else "%d ports" % len(seen))


def heard(host, port, word):
    s = client(host, 1)
    try:
        s.sendto(word.encode(), (host, int(port)))
        _, who = s.recvfrom(100)
        print(who[0], who[1])
    except OSError as e:
        print(name(e))


def sent(host, port, n, gap):
    s = client(host)
    s.connect((host, int(port)))
    for i in range(int(n)):
        s.send(b"%d" % i)
        time.sleep(float(gap))
    s.send(b"?")
    print(s.recv(100).decode())


def alive(host, port, n, gap):
    s = client(host)
    s.connect((host, int(port)))
    s.send(b"%s 10 %s" % (n.encode(), gap.encode()))
    got = 0
    try:
        for _ in range(int(n)):
            s.recv(100)
            got += 1
        s.send(b"word")
        print(got, s.recv(100).decode())
    except OSError as e:
        print(got, name(e))


def in_order(s, n, size, step=1):
    got = 0
    try:
        for i in range(int(n)):
            data = s.recv(65536)
            if len(data) != int(size) or \
                    struct.unpack("!H", data[:2])[0] != i & 0xffff:
                return "number %d is %d bytes" % (i, len(data))
            got += 1
    except OSError:
        pass
    return "%d in order" % got


def gso(host, port, n, size):
    s = client(host, 2)
    s.connect((host, int(port)))
    s.send(b"hello")    # the session is there
    s.recv(100)
    out = b"".join(struct.pack("!H", i).ljust(int(size), b"y")
                   for i in range(int(n)))
    s.sendmsg([out], [(socket.IPPROTO_UDP, UDP_SEGMENT,
                       struct.pack("H", int(size)))])
    print(in_order(s, n, size))


def fetch(host, port, n, size):
    s = client(host, 2)
    s.connect((host, int(port)))
    s.send(b"%s %s" % (n.encode(), size.encode()))
    print(in_order(s, n, size))


def nosum(host, port):
    s = client(host)
    s.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    s.connect((host, int(port)))
    s.send(b"unsummed")
    print(s.recv(100).decode())


def sessions(host, port, n):
    n = int(n)
    resource.setrlimit(resource.RLIMIT_NOFILE, (n + 64, n + 64))
    held = []
    good = 0
    for i in range(n):
        s = client(host)
        s.connect((host, int(port)))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        word = os.urandom(8)
        s.send(word)
        try:
            good += s.recv(100) == word
        except OSError as e:
            print(name(e))
        held.append(s)
    print("good", good, flush=True)
    sys.stdin.read()


COMMANDS = {
    "others": others, "count": count, "blast": blast, "sizes": sizes,
    "error": error, "mapped": mapped, "heard": heard, "sent": sent,
    "alive": alive, "gso": gso, "fetch": fetch, "nosum": nosum,
    "sessions": sessions,
}

if __name__ == "__main__":
    try:
        COMMANDS[sys.argv[1]](*sys.argv[2:])
    except KeyboardInterrupt:
        pass
    except OSError as e:
        print(name(e))
        sys.exit(1)
