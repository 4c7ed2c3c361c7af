#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# peer.py - servers and clients that do just what a test says
#
# Servers are on all addresses, IPv4 and IPv6, until they are killed:
#
#	echo PORT		TCP and UDP: what came goes back
#	who PORT		TCP and UDP: tells the client's address and port
#				as they are seen here, TCP: and the ones it asked for
#	source PORT BYTES	TCP: sends so many when the client has shut down
#				its side, then closes
#	sink PORT		TCP: reads all, then tells how many bytes
#	reset PORT [BYTES]	TCP: resets after so many bytes were read
#	talker PORT BYTES	TCP: sends so many, shuts down its side, reads the
#				rest and prints how many bytes that were
#	errors PORT		TCP: sends a line, reads to the end, prints "EOF"
#				or the errno
#	urgent PORT		TCP: tells what came in line, urgent bytes too
#	sleeper PORT SECONDS	TCP: accepts, reads nothing for that long, then
#				everything, and tells how many bytes
#
# Clients print what happened in one line, with the name of the errno:
#
#	connect HOST PORT [SECONDS]	"connected", "ECONNREFUSED", ...
#	half HOST PORT			shuts down its side at once, prints how
#					many bytes came before the end
#	ends HOST PORT BYTES N		as half, N times, and slowly, so that the end
#					has to wait; prints how often bytes were
#					missing
#	pour HOST PORT SECONDS		writes until nothing moves for a second,
#					prints how many bytes were taken
#	until-end HOST PORT [BYTES]	sends so many, reads to the end: "EOF" or
#					the errno
#	listen-half HOST PORT BYTES	reads to the end of what a talker says,
#					then sends so many, prints what it read
#	until-end-text HOST PORT	prints what came, in one line
#	until-end-shut HOST PORT	reads a line, then closes
#	upload HOST PORT BYTES		sends so many, prints the answer
#	abort HOST PORT			connects, sends, waits for a line, resets
#	oob HOST PORT			sends "a", urgent "!", "b"; prints the answer
#	trickle HOST PORT N		N bytes, one segment each, echoed
#	many HOST... PORT N		N connections to each, echoed, one by one
#	hold HOST PORT N		N connections, held until stdin ends
#	udp HOST PORT BYTES		one datagram, echoed: "same" or what not
#	udps HOST PORT BYTES N		N of them, one by one: how many were lost

import errno
import os
import select
import socket
import struct
import sys
import threading
import time


def name(e):
    if isinstance(e, socket.timeout):
        return "TIMEOUT"
    return errno.errorcode.get(e.errno, str(e))


def address(host, port):
    return socket.getaddrinfo(host, int(port), 0, socket.SOCK_STREAM,
                              0, socket.AI_NUMERICHOST)[0]


def dial(host, port, limit=10):
    family, _, _, _, to = address(host, port)
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(limit)
    s.connect(to)
    return s


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


# --- servers ---

def listener(port):
    s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("::", int(port)))
    s.listen(1024)
    return s


def serve(port, handle):
    s = listener(port)

    def one(c):
        try:
            handle(c)
        except OSError as e:
            print("server:", name(e), flush=True)
        finally:
            c.close()

    while True:
        c, _ = s.accept()
        threading.Thread(target=one, args=(c,), daemon=True).start()


# Answers leave from the address that was asked, which bind() to :: alone
# does not give.
def serve_udp(port, answer):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind(("::", int(port)))
    while True:
        data, anc, _, who = s.recvmsg(65536, 1024)
        info = [a for a in anc if a[1] == socket.IPV6_PKTINFO]
        info = [(a[0], a[1], a[2][:16] + b"\0\0\0\0") for a in info]
        try:
            s.sendmsg([answer(data, who)], info, 0, who)
        except OSError as e:
            print("udp server:", name(e), flush=True)


def echo(port):
    def handle(c):
        while True:
            data = c.recv(65536)
            if not data:
                break
            c.sendall(data)

    threading.Thread(target=serve_udp, args=(port, lambda d, w: d),
                     daemon=True).start()
    serve(port, handle)


def plain(who):
    host = who[0]
    if host.startswith("::ffff:"):
        host = host[7:]
    return "%s %d\n" % (host, who[1])


def who(port):
    def handle(c):
        c.sendall((plain(c.getpeername()) + plain(c.getsockname())).encode())
        c.shutdown(socket.SHUT_WR)
        while c.recv(4096):
            pass

    threading.Thread(target=serve_udp,
                     args=(port, lambda d, w: plain(w).encode()),
                     daemon=True).start()
    serve(port, handle)


def source(port, total):
    def handle(c):
        while c.recv(65536):
            pass
        block = bytes(i & 255 for i in range(65536))
        left = int(total)
        while left:
            part = block[:min(left, len(block))]
            c.sendall(part)
            left -= len(part)

    serve(port, handle)


def sink(port):
    def handle(c):
        n = 0
        while True:
            data = c.recv(65536)
            if not data:
                break
            n += len(data)
        c.sendall(b"%d\n" % n)

    serve(port, handle)


def reset_server(port, after=0):
    def handle(c):
        n = 0
        while n < int(after):
            data = c.recv(65536)
            if not data:
                break
            n += len(data)
        reset(c)

    serve(port, handle)


def talker(port, total):
    def handle(c):
        c.sendall(bytes(int(total)))
        c.shutdown(socket.SHUT_WR)
        n = 0
        while True:
            data = c.recv(65536)
            if not data:
                break
            n += len(data)
        print("talker heard", n, flush=True)

    serve(port, handle)


def errors(port):
    def handle(c):
        c.sendall(b"hello\n")
        try:
            while c.recv(65536):
                pass
            print("errors: EOF", flush=True)
        except OSError as e:
            print("errors:", name(e), flush=True)

    serve(port, handle)


def urgent(port):
    def handle(c):
        c.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        got = b""
        while True:
            data = c.recv(100)
            if not data:
                break
            got += data
        c.sendall(got)

    serve(port, handle)


def sleeper(port, seconds):
    def handle(c):
        time.sleep(float(seconds))
        n = 0
        while True:
            data = c.recv(1 << 20)
            if not data:
                break
            n += len(data)
        c.sendall(b"%d\n" % n)

    serve(port, handle)


# --- clients ---

def connect(host, port, limit=10):
    try:
        dial(host, port, float(limit))
        print("connected")
    except OSError as e:
        print(name(e))


def half(host, port):
    s = dial(host, port)
    s.shutdown(socket.SHUT_WR)
    n = 0
    good = True
    while True:
        data = s.recv(65536)
        if not data:
            break
        good = good and data[0] == n & 255 and data[-1] == \
            (n + len(data) - 1) & 255
        n += len(data)
    print(n if good else "bytes changed")


def ends(host, port, size, n):
    bad = 0
    for i in range(int(n)):
        s = dial(host, port)
        s.shutdown(socket.SHUT_WR)
        got = 0
        while True:
            time.sleep(0.0005)
            data = s.recv(20000 + 3000 * i)
            if not data:
                break
            got += len(data)
        bad += got != int(size)
        s.close()
    print("bad", bad)


def pour(host, port, limit):
    s = dial(host, port)
    s.setblocking(False)
    n = 0
    end = time.monotonic() + float(limit)
    while time.monotonic() < end:
        if not select.select([], [s], [], 1)[1]:
            break
        try:
            n += s.send(bytes(65536))
        except BlockingIOError:
            pass
    print(n, flush=True)
    s.settimeout(30)
    s.shutdown(socket.SHUT_WR)
    print(int(s.makefile().readline() or -1))


def until_end(host, port, size=0):
    try:
        s = dial(host, port)
        s.sendall(bytes(int(size)))
        while s.recv(65536):
            pass
        print("EOF")
    except OSError as e:
        print(name(e))


def until_end_text(host, port):
    s = dial(host, port)
    print(" ".join(s.makefile().read().split("\n")))


def until_end_shut(host, port):
    s = dial(host, port)
    s.recv(100)
    s.close()


def upload(host, port, size):
    s = dial(host, port)
    left = int(size)
    while left:
        left -= s.send(bytes(min(left, 1 << 18)))
    s.shutdown(socket.SHUT_WR)
    print(s.makefile().read().strip())


def listen_half(host, port, size):
    s = dial(host, port)
    n = 0
    while True:
        data = s.recv(65536)
        if not data:
            break
        n += len(data)
    s.sendall(bytes(int(size)))
    print(n)


def abort(host, port):
    s = dial(host, port)
    s.sendall(b"hello")
    s.recv(5)
    reset(s)


def oob(host, port):
    s = dial(host, port)
    s.sendall(b"a")
    s.send(b"!", socket.MSG_OOB)
    s.sendall(b"b")
    s.shutdown(socket.SHUT_WR)
    print(s.makefile().read())


def trickle(host, port, n):
    s = dial(host, port)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i in range(int(n)):
        s.sendall(bytes([i & 255]))
        if s.recv(1) != bytes([i & 255]):
            print("bad at", i)
            return
    print("good")


def many(*args):
    n = int(args[-1])
    bad = 0
    for host in args[:-2]:
        for i in range(n):
            try:
                s = dial(host, args[-2])
                word = os.urandom(32)
                s.sendall(word)
                if s.recv(64) != word:
                    bad += 1
                s.close()
            except OSError as e:
                print(host, name(e))
                bad += 1
    print("bad", bad)


def hold(host, port, n):
    held = [dial(host, port) for i in range(int(n))]
    print("holding", len(held), flush=True)
    sys.stdin.read()


def udp(host, port, size):
    family, _, _, _, to = address(host, port)
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(5)
    word = os.urandom(int(size))
    try:
        s.connect(to)
        s.send(word)
        got = s.recv(65536)
        print("same" if got == word else "%d bytes, not the same" % len(got))
    except OSError as e:
        print(name(e))


def udps(host, port, size, n):
    family, _, _, _, to = address(host, port)
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(1)
    s.connect(to)
    lost = 0
    for i in range(int(n)):
        word = struct.pack("!I", i) + bytes(int(size) - 4)
        s.send(word)
        try:
            while s.recv(65536) != word:
                pass
        except socket.timeout:
            lost += 1
    print("lost", lost)


COMMANDS = {
    "echo": echo, "who": who, "source": source, "sink": sink,
    "reset": reset_server, "talker": talker, "errors": errors,
    "urgent": urgent, "listen-half": listen_half, "upload": upload,
    "until-end-text": until_end_text, "until-end-shut": until_end_shut, "oob": oob,
    "trickle": trickle, "sleeper": sleeper, "connect": connect,
    "half": half, "ends": ends, "pour": pour, "until-end": until_end, "abort": abort,
    "many": many, "hold": hold, "udp": udp, "udps": udps,
}

if __name__ == "__main__":
    try:
        COMMANDS[sys.argv[1]](*sys.argv[2:])
    except KeyboardInterrupt:
        pass
    except OSError as e:
        print(name(e))
        sys.exit(1)
