#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# scenario.py SRV4 SRV6 SELF4 SELF6: for each line on stdin, some of every
# traffic an app makes, in both families; a line on stdout says what did not
# end as it should, or "well"
#
# The servers: echo on 7, a sink on 9, a source of 200,000 bytes on 19 (TCP),
# a DNS server behind SELF.  Nobody listens on 1.  What gets no answer is asked
# again, as apps do.

import os
import socket
import struct
import sys

LIMIT = 4           # seconds, of one step
AGAIN = 1           # and of a datagram
TOTAL = 200000


def stream(host, port):
    return socket.create_connection((host, port), LIMIT)


def read_all(s):
    got = []
    while True:
        data = s.recv(65536)
        if not data:
            return b"".join(got)
        got.append(data)


def down(srv, own):
    with stream(srv, 19) as s:
        s.shutdown(socket.SHUT_WR)
        return len(read_all(s)) == TOTAL


def up(srv, own):
    with stream(srv, 9) as s:
        s.sendall(bytes(TOTAL))
        s.shutdown(socket.SHUT_WR)
        return read_all(s) == b"%d\n" % TOTAL


def refused(srv, own):
    try:
        stream(srv, 1).close()
    except ConnectionRefusedError:
        return True
    return False


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def asks(s, message, good):
    s.settimeout(AGAIN)
    for _ in range(3):
        try:
            s.send(message)
            while True:
                if good(s.recv(65536)):
                    return True
        except socket.timeout:
            pass
    return False


def datagrams(srv, own):
    with socket.socket(family(srv), socket.SOCK_DGRAM) as s:
        s.connect((srv, 7))
        return all(asks(s, bytes(n), lambda m, n=n: m == bytes(n))
                   for n in (100, 4000))


def unheard(srv, own):
    with socket.socket(family(srv), socket.SOCK_DGRAM) as s:
        s.connect((srv, 1))
        try:
            asks(s, b"anybody?", lambda m: False)
        except ConnectionRefusedError:
            return True
    return False


def ping(srv, own):
    v6 = ":" in srv
    proto = socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP
    head = struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, os.getpid() & 65535,
                       1)
    total = sum(struct.unpack("!4H", head))
    total = (total & 65535) + (total >> 16)
    if not v6:
        head = head[:2] + struct.pack("!H", ~total & 65535) + head[4:]
    with socket.socket(family(srv), socket.SOCK_RAW, proto) as s:
        s.connect((srv, 0))
        return asks(s, head, lambda m: m[0 if v6 else 20] == (
            129 if v6 else 0))


def question():
    return os.urandom(2) + bytes.fromhex(
        "01000001000000000000037777770474657374000001" "0001")


def dns(srv, own):
    q = question()
    with socket.socket(family(own), socket.SOCK_DGRAM) as s:
        s.connect((own, 53))
        return asks(s, q, lambda m: m[:2] == q[:2] and not m[3] & 15)


def dns_tcp(srv, own):
    q = question()
    with stream(own, 53) as s:
        s.sendall(struct.pack("!H", len(q)) + q)
        m = b""
        while len(m) < 4:
            m += s.recv(65536)
        return m[2:4] == q[:2]


def play(ends):
    bad = []
    for srv, own in ends:
        for step in (down, up, refused, datagrams, unheard, ping, dns,
                     dns_tcp):
            try:
                why = None if step(srv, own) else "no"
            except OSError as e:
                why = type(e).__name__
            if why:
                bad.append("%s-%d:%s" % (step.__name__, 6 if ":" in srv else 4,
                                         why))
    return " ".join(bad) or "well"


def main(srv4, srv6, own4, own6):
    for _ in sys.stdin:
        print(play(((srv4, own4), (srv6, own6))), flush=True)


main(*sys.argv[1:])
