#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# dnspeer.py - a DNS server that misbehaves as asked, and odd clients
#
#	server ADDRESS... PORT [LOG]
#
# answers by UDP and TCP, A 192.0.2.1, AAAA 2001:db8::1, TXT "text", and does
# what the first label of the name says:
#
#	silent		nothing
#	lost		nothing the first time, an answer the second
#	slow		answers after 700 ms
#	wrongid		first with another id, then right
#	wrongname	first for another name, then right
#	stranger	first a flood of 2,000 answers with random ids
#	garbage		first random bytes, a bare header, half an answer
#	noise		random bytes only
#	tc		TC by UDP; by TCP an answer
#	tconly		TC by UDP; TCP is reset
#	big		TXT of 4 kB by TCP, TC by UDP
#	fat		TXT of 4 kB by UDP, whatever the client accepts
#	servfail, refused, bare		bare: REFUSED without a question
#	close		by TCP: ends the connection instead of an answer
#
# LOG gets a line for each query: protocol, source port, id, name.
#
# Clients print what they got; HOST is a server behind the gateway:
#
#	raw HOST HEX		a datagram; "rcode N" or "nothing"
#	seen HOST NAME		the address, port and TTL of the answer
#	options HOST NAME	asked with IP options or extension headers
#	parts HOST NAME		asked in fragments: 4,000 bytes of padding
#	batch HOST NAME N	N questions as one packet (UDP_SEGMENT); how
#				many answers
#	sameid HOST NAME...	the same id from a socket for each name;
#				"NAME" or the name each was answered with
#	repeat HOST NAME	asked three times from one socket; how many
#				answers came, till 0.8 s of silence
#	pipeline HOST NAME...	all in one connection; the names in the order
#				of the answers
#	trickle HOST NAME	one byte a segment; "rcode N, N answers"
#	huge HOST NAME		64 KiB with padding; the same
#	half HOST NAME		closes its side at once; the same, then "end"
#	idle HOST HEX		sends the bytes, then nothing; "end after N s"
#	stingy HOST NAME N	N queries, reads nothing for half a second,
#				then all; how many answers
#	tcpraw HOST HEX		bytes into a connection; "rcode N", "reset",
#				"end" or "nothing" for a second
#	flood HOST N SECONDS	N different questions for silent names, one
#				socket; counts of rcodes

import os
import random
import socket
import struct
import sys
import threading
import time

IP_RECVTTL, UDP_SEGMENT = 12, 103  # Linux; not in the module
TYPES = {"A": 1, "TXT": 16, "AAAA": 28}


def wire(name):
    out = b""
    for label in name.strip(".").split("."):
        out += bytes([len(label)]) + label.encode()
    return out + b"\0"


def question(name, qtype="A", ident=None, edns=0, padding=0):
    if ident is None:
        ident = random.randrange(65536)
    msg = struct.pack("!6H", ident, 0x0100, 1, 0, 0, 1 if edns else 0)
    msg += wire(name) + struct.pack("!2H", TYPES[qtype], 1)
    if edns:
        option = struct.pack("!2H", 12, padding) + bytes(padding)
        if not padding:
            option = b""
        msg += b"\0" + struct.pack("!2HIH", 41, edns, 0, len(option)) + option
    return msg


def question_end(msg):
    at = 12
    while msg[at]:
        at += 1 + msg[at]
    return at + 5


def name_of(msg):
    at, labels = 12, []
    while msg[at]:
        labels.append(msg[at + 1 : at + 1 + msg[at]].decode("latin-1"))
        at += 1 + msg[at]
    return ".".join(labels)


def record(qtype):
    data = {
        1: socket.inet_aton("192.0.2.1"),
        28: socket.inet_pton(socket.AF_INET6, "2001:db8::1"),
        16: b"\4text",
    }.get(qtype)
    if data is None:
        return b""
    return b"\xc0\x0c" + struct.pack("!2HIH", qtype, 1, 60, len(data)) + data


def reply(msg, rcode=0, flags=0, ident=None, records=None):
    end = question_end(msg)
    qtype = struct.unpack("!H", msg[end - 4 : end - 2])[0]
    if records is None:
        records = [record(qtype)] if not rcode else []
        records = [r for r in records if r]
    head = struct.pack(
        "!6H",
        struct.unpack("!H", msg[:2])[0] if ident is None else ident,
        0x8180 | flags | rcode,
        1,
        len(records),
        0,
        0,
    )
    out = head + msg[12:end] + b"".join(records)
    if msg[10:12] != b"\0\0":  # EDNS, as it came
        out = out[:10] + b"\0\1" + out[12:]
        out += b"\0" + struct.pack("!2HIH", 41, 1232, 0, 0)
    return out


def texts():
    one = b"\xf8" + b"x" * 248
    rr = b"\xc0\x0c" + struct.pack("!2HIH", 16, 1, 60, len(one)) + one
    return [rr] * 16


class Server:
    def __init__(self, addresses, port, log):
        self.log = open(log, "a", buffering=1) if log else None
        self.seen = set()
        self.lock = threading.Lock()
        for a in addresses:
            family = socket.AF_INET6 if ":" in a else socket.AF_INET
            udp = socket.socket(family, socket.SOCK_DGRAM)
            tcp = socket.socket(family, socket.SOCK_STREAM)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            udp.bind((a, port))
            tcp.bind((a, port))
            tcp.listen(512)
            for fn, s in ((self.udp, udp), (self.tcp, tcp)):
                threading.Thread(target=fn, args=(s,), daemon=True).start()

    def note(self, proto, peer, msg):
        if self.log:
            ident = struct.unpack("!H", msg[:2])[0]
            self.log.write(f"{proto} {peer[1]} {ident} {name_of(msg)}\n")

    def udp(self, s):
        while True:
            msg, peer = s.recvfrom(65535)
            self.note("udp", peer, msg)
            self.answer_udp(msg, lambda b, p=peer: s.sendto(b, p))

    def answer_udp(self, msg, send):
        name = name_of(msg).lower()
        kind = name.split(".")[0]
        ident = struct.unpack("!H", msg[:2])[0]
        if kind == "silent":
            return
        if kind == "lost":
            with self.lock:
                first = name not in self.seen
                self.seen.add(name)
            if first:
                return
        elif kind == "slow":
            threading.Timer(0.7, send, (reply(msg),)).start()
            return
        elif kind == "wrongid":
            bad = reply(msg, ident=(ident + 1) & 0xFFFF, rcode=3)
            send(bad)
        elif kind == "wrongname":
            other = question("another.example", ident=ident)
            send(reply(other))
            send(reply(msg)[: question_end(msg) - 4] + b"\0\x10\0\1")
        elif kind == "stranger":
            for i in range(2000):
                bad = random.randrange(65536)
                if bad != ident:
                    send(reply(msg, ident=bad, rcode=3))
                if i % 50 == 0:  # what is full loses the right one too
                    time.sleep(0.001)
        elif kind == "garbage":
            send(os.urandom(40))
            send(msg[:2] + b"\x81\x80" + b"\0\1\xff\xff\0\0\0\0")
            send(reply(msg)[:-3])
            send(b"")
        elif kind == "noise":
            send(os.urandom(random.randrange(600)))
            return
        elif kind in ("tc", "tconly", "big"):
            send(reply(msg, flags=0x0200, records=[]))
            return
        elif kind == "fat":
            send(reply(msg, records=texts()))
            return
        elif kind == "bare":
            send(msg[:2] + b"\x81\x85" + bytes(8))
            return
        send(self.plain(kind, msg))

    @staticmethod
    def plain(kind, msg):
        rcode = {"servfail": 2, "refused": 5, "nx": 3}.get(kind, 0)
        return reply(msg, rcode=rcode)

    def tcp(self, listener):
        while True:
            s, peer = listener.accept()
            threading.Thread(
                target=self.serve, args=(s, peer), daemon=True
            ).start()

    def serve(self, s, peer):
        s.settimeout(20)
        try:
            while True:
                msg = read_frame(s)
                if msg is None:
                    break
                self.note("tcp", peer, msg)
                kind = name_of(msg).lower().split(".")[0]
                if kind in ("silent", "noise"):
                    continue
                if kind == "close":
                    break
                if kind == "tconly":
                    s.setsockopt(
                        socket.SOL_SOCKET,
                        socket.SO_LINGER,
                        struct.pack("ii", 1, 0),
                    )
                    break
                if kind == "slow":
                    time.sleep(0.7)
                answer = self.plain(kind, msg)
                if kind in ("big", "fat"):
                    answer = reply(msg, records=texts())
                # in two pieces, to be put together again
                frame = struct.pack("!H", len(answer)) + answer
                s.sendall(frame[:5])
                time.sleep(0.01)
                s.sendall(frame[5:])
        except OSError:
            pass
        s.close()


def read_exact(s, n):
    out = b""
    while len(out) < n:
        piece = s.recv(n - len(out))
        if not piece:
            return None
        out += piece
    return out


def read_frame(s):
    head = read_exact(s, 2)
    return head and read_exact(s, struct.unpack("!H", head)[0])


def frame(msg):
    return struct.pack("!H", len(msg)) + msg


def outcome(msg):
    if msg is None:
        return "end"
    return "rcode %d, %d answers" % (msg[3] & 15, struct.unpack("!H", msg[6:8])[0])


def udp_to(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(1.5)
    s.connect((host, 53))
    return s


def tcp_to(host):
    s = socket.create_connection((host, 53), timeout=8)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def do_raw(host, hexes):
    s = udp_to(host)
    s.settimeout(0.5)
    s.send(bytes.fromhex(hexes))
    try:
        msg = s.recv(65535)
        print("rcode %d" % (msg[3] & 15))
    except socket.timeout:
        print("nothing")


def do_seen(host, name):
    s = udp_to(host)
    s.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
    if s.family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    s.send(question(name))
    _, cmsgs, _, peer = s.recvmsg(65535, 256)
    print(peer[0], peer[1], *(struct.unpack("=i", c[2])[0] for c in cmsgs))


def do_options(host, name):
    s = udp_to(host)
    if s.family == socket.AF_INET6:
        padding = bytes([0, 0, 1, 4, 0, 0, 0, 0])
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_HOPOPTS, padding)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, padding)
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\1\1\1\1")
    s.send(question(name))
    print(outcome(s.recv(65535)))


def do_parts(host, name):
    s = udp_to(host)
    s.send(question(name, edns=1232, padding=4000))
    print(outcome(s.recv(65535)))


def do_batch(host, name, n):
    s = udp_to(host)
    msgs = [question(name, ident=i) for i in range(int(n))]
    s.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, len(msgs[0]))
    s.send(b"".join(msgs))
    print(len({s.recv(65535)[:2] for _ in msgs}))


def do_sameid(host, *names):
    socks = [udp_to(host) for _ in names]
    for s, name in zip(socks, names):
        s.send(question(name, ident=4242))
    got = []
    for s in socks:
        msg = s.recv(65535)
        assert msg[:2] == struct.pack("!H", 4242)
        got.append(name_of(msg))
    print(*got)


def do_repeat(host, name):
    s = udp_to(host)
    s.settimeout(0.8)
    msg = question(name)
    for _ in range(3):
        s.send(msg)
        time.sleep(0.1)
    count = 0
    try:
        while s.recv(65535):
            count += 1
    except socket.timeout:
        print(count)


def do_pipeline(host, *names):
    s = tcp_to(host)
    s.sendall(b"".join(frame(question(n)) for n in names))
    print(*(name_of(read_frame(s)) for _ in names))


def do_trickle(host, name):
    s = tcp_to(host)
    for byte in frame(question(name)):
        s.sendall(bytes([byte]))
        time.sleep(0.002)
    print(outcome(read_frame(s)))


def do_huge(host, name):
    s = tcp_to(host)
    short = len(question(name, edns=1232, padding=1)) - 1
    msg = question(name, edns=1232, padding=65535 - short)
    assert len(msg) == 65535
    s.sendall(frame(msg))
    print(outcome(read_frame(s)))


def do_half(host, name):
    s = tcp_to(host)
    s.sendall(frame(question(name)))
    s.shutdown(socket.SHUT_WR)
    print(outcome(read_frame(s)), outcome(read_frame(s)))


def do_idle(host, hexes):
    s = tcp_to(host)
    s.sendall(bytes.fromhex(hexes))
    start = time.time()
    while s.recv(65535):
        pass
    print("end after %d s" % round(time.time() - start))


def do_stingy(host, name, n):
    s = tcp_to(host)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def push():
        for _ in range(int(n)):
            s.sendall(frame(question(name, "TXT")))

    t = threading.Thread(target=push)
    t.start()
    time.sleep(0.5)
    count = 0
    while count < int(n) and read_frame(s) is not None:
        count += 1
    t.join()
    print(count)


def do_tcpraw(host, hexes):
    s = tcp_to(host)
    s.settimeout(1)
    s.sendall(bytes.fromhex(hexes))
    try:
        msg = read_frame(s)
        print("end" if msg is None else "rcode %d" % (msg[3] & 15))
    except ConnectionResetError:
        print("reset")
    except socket.timeout:
        print("nothing")


def do_flood(host, n, seconds):
    s = udp_to(host)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    n, start, counts = int(n), time.time(), {}
    gap = float(seconds) / n
    for i in range(n):
        s.send(question("silent.n%d.test" % i, ident=i & 0xFFFF))
        late = start + i * gap - time.time()
        if late > 0.001:
            time.sleep(late)
    try:
        while True:
            rcode = s.recv(65535)[3] & 15
            counts[rcode] = counts.get(rcode, 0) + 1
    except socket.timeout:
        print(*("%d:%d" % c for c in sorted(counts.items())))


def main():
    verb, args = sys.argv[1], sys.argv[2:]
    if verb != "server":
        globals()["do_" + verb](*args)
        return
    log = None
    if not args[-1].isdigit():
        log = args.pop()
    Server(args[:-1], int(args[-1]), log)
    threading.Event().wait()


main()
