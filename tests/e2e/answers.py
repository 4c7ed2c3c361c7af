#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# answers.py - clients of plugins that answer flows themselves
#
#	exchange HOST PORT BYTES [PAUSE]
#		sends so many and reads them back at the same time, with a
#		pause of so many seconds before the first read; prints "same"
#	stuck HOST PORT
#		sends without reading until nothing moves for a second, then
#		reads all of it back; prints how many bytes and "same"
#	text HOST PORT WORD TIMES [PAUSE]
#		reads to the end: "same" if it is the word, so many times
#	words HOST PORT N
#		N connections at a time, a word on each and back; "bad 0"

import hashlib
import select
import socket
import sys
import threading
import time


def dial(host, port):
    s = socket.create_connection((host, int(port)), 10)
    s.settimeout(20)
    return s


def block(i):
    return hashlib.sha256(b"%d" % i).digest() * 512  # 16 KiB


def read_back(s, total):
    n = 0
    want = b""
    while True:
        data = s.recv(1 << 16)
        if not data:
            break
        while len(want) < n % 16384 + len(data):
            want += block((n - n % 16384 + len(want)) // 16384)
        at = n % 16384
        if data != want[at:at + len(data)]:
            return "another byte in %d to %d" % (n, n + len(data))
        n += len(data)
        want = want[(at + len(data)) // 16384 * 16384:]
    return "same" if n == total else "%d of %d bytes" % (n, total)


def exchange(host, port, size, pause=0):
    s = dial(host, port)
    total = int(size)

    def send():
        sent = 0
        while sent < total:
            part = block(sent // 16384)[:total - sent]
            s.sendall(part)
            sent += len(part)
        s.shutdown(socket.SHUT_WR)

    t = threading.Thread(target=send, daemon=True)
    t.start()
    time.sleep(float(pause))
    print(read_back(s, total))


def stuck(host, port):
    s = dial(host, port)
    s.setblocking(False)
    sent = 0
    while select.select([], [s], [], 1)[1] and sent < 1 << 27:
        try:
            sent += s.send(block(sent // 16384)[sent % 16384:])
        except BlockingIOError:
            pass
    s.settimeout(20)
    t = threading.Thread(target=lambda: s.shutdown(socket.SHUT_WR))
    t.start()
    print(sent, read_back(s, sent))


def text(host, port, word, times, pause=0):
    s = dial(host, port)
    word = word.encode()
    total = len(word) * int(times)
    time.sleep(float(pause))
    n = 0
    whole = word * (65536 // len(word) + 2)
    while True:
        data = s.recv(65536)
        if not data:
            break
        at = n % len(word)
        if data != whole[at:at + len(data)]:
            print("another byte in %d to %d" % (n, n + len(data)))
            return
        n += len(data)
    print("same" if n == total else "%d of %d bytes" % (n, total))


def words(host, port, count):
    held = [dial(host, port) for i in range(int(count))]
    bad = 0
    for i, s in enumerate(held):
        s.sendall(b"word %d\n" % i)
    for i, s in enumerate(held):
        if s.makefile().readline() != "word %d\n" % i:
            bad += 1
        s.close()
    print("bad", bad)


globals()[sys.argv[1]](*sys.argv[2:])
