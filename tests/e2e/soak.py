#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# soak.py SECONDS PAUSE SEED SRV4 SRV6 SELF4 SELF6 HOLE4 HOLE6: everything apps
# do, for so long, with aborts, at random; what was done on stdout, and what
# did not end as it should
#
# The servers are those of soak.sh.

import collections
import os
import random
import socket
import struct
import sys
import time

LIMIT = 20          # seconds; more than a loaded machine needs
TOTAL = 1000000     # what the source gives
done = collections.Counter()


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def stream(host, port, limit=LIMIT):
    done["streams"] += 1
    return socket.create_connection((host, port), limit)


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def read(s, most):
    n = 0
    while n < most:
        got = len(s.recv(65536))
        if not got:
            break
        n += got
    return n


def download(h):
    with stream(h.srv, 19) as s:
        s.shutdown(socket.SHUT_WR)
        return read(s, 2 * TOTAL) == TOTAL


def download_cut(h):
    s = stream(h.srv, 19)
    s.shutdown(socket.SHUT_WR)
    n = read(s, random.randrange(1, TOTAL // 2))
    reset(s)
    return n > 0


def upload(h):
    n = random.randrange(TOTAL)
    with stream(h.srv, 9) as s:
        s.sendall(bytes(n))
        s.shutdown(socket.SHUT_WR)
        return s.makefile().read() == "%d\n" % n


def upload_cut(h):
    s = stream(h.srv, 9)
    s.sendall(bytes(random.randrange(TOTAL)))
    reset(s)
    return True


def echoes(h):
    with stream(h.srv, 7) as s:
        for _ in range(5):
            message = os.urandom(random.randrange(1, 3000))
            s.sendall(message)
            if s.recv(len(message), socket.MSG_WAITALL) != message:
                return False
    return True


def hasty(h):
    reset(stream(h.srv, 7))
    return True


def refused(h):
    try:
        stream(h.srv, 1).close()
    except ConnectionRefusedError:
        return True
    return False


def dead(h):
    try:
        stream(h.hole, 80, 0.3).close()
    except socket.timeout:
        return True
    return False


def asks(s, message, good):
    s.settimeout(2)
    for _ in range(5):
        try:
            s.send(message)
            while not good(s.recv(65536)):
                pass
            return True
        except socket.timeout:
            done["asked again"] += 1
    return False


def datagram(h):
    message = os.urandom(random.choice((1, 100, 1400, 4000, 20000)))
    with socket.socket(family(h.srv), socket.SOCK_DGRAM) as s:
        s.connect((h.srv, 7))
        return asks(s, message, lambda m: m == message)


def unheard(h):
    with socket.socket(family(h.srv), socket.SOCK_DGRAM) as s:
        s.connect((h.srv, 1))
        try:
            asks(s, b"anybody?", lambda m: False)
        except ConnectionRefusedError:
            return True
    return False


# The first piece of a datagram whose rest never comes.
def fragment(h):
    if ":" in h.srv:
        return True
    done["fragments lost"] += 1
    with socket.socket(socket.AF_INET, socket.SOCK_RAW,
                       socket.IPPROTO_RAW) as s:
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, random.randrange(65536),
                           0x2000, 64, 17, 0, bytes(4),
                           socket.inet_aton(h.srv))
        s.sendto(head + struct.pack("!HHHH", 4000, 7, 2000, 0) + bytes(504),
                 (h.srv, 0))
    return True


def ping(h):
    v6 = ":" in h.srv
    proto = socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP
    own, number = os.getpid() & 65535, random.randrange(65536)
    head = struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, own, number)
    if not v6:
        total = sum(struct.unpack("!4H", head))
        total = (total & 65535) + (total >> 16)
        head = head[:2] + struct.pack("!H", ~total & 65535) + head[4:]
    want = bytes([129 if v6 else 0, 0]), head[4:]
    at = 0 if v6 else 20
    with socket.socket(family(h.srv), socket.SOCK_RAW, proto) as s:
        s.connect((h.srv, 0))
        return asks(s, head,
                    lambda m: (m[at:at + 2], m[at + 4:at + 8]) == want)


def question():
    name = b"\4soak" + struct.pack("!B8s", 8, b"%08d" % random.randrange(
        10 ** 8)) + b"\4test\0"
    return os.urandom(2) + bytes.fromhex("01000001000000000000") + name + \
        bytes.fromhex("00010001")


def dns(h):
    q = question()
    with socket.socket(family(h.own), socket.SOCK_DGRAM) as s:
        s.connect((h.own, 53))
        return asks(s, q, lambda m: m[:2] == q[:2] and not m[3] & 15)


def dns_tcp(h):
    q = question()
    with stream(h.own, 53) as s:
        s.sendall(struct.pack("!H", len(q)) + q)
        return s.recv(4, socket.MSG_WAITALL)[2:4] == q[:2]


STEPS = (download, download_cut, upload, upload_cut, echoes, hasty, refused,
         dead, datagram, unheard, fragment, ping, dns, dns_tcp)
Host = collections.namedtuple("Host", "srv own hole")


def main(seconds, pause, seed, srv4, srv6, own4, own6, hole4, hole6):
    random.seed(int(seed))
    hosts = Host(srv4, own4, hole4), Host(srv6, own6, hole6)
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        step, host = random.choice(STEPS), random.choice(hosts)
        try:
            why = None if step(host) else "not so"
        except OSError as e:
            why = repr(e)
        done[step.__name__] += 1
        if why:
            print("wrong: %s %s: %s" % (step.__name__, host.srv, why))
        time.sleep(float(pause))
    print("done: " + ", ".join("%s %d" % i for i in sorted(done.items())))


main(*sys.argv[1:])
