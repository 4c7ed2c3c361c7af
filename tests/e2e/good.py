#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# good.py SECONDS BITS HOST PORT CLOSED: an app that asks for little, and how
# much of it it gets
#
#	an echo over TCP of BITS a second, steady
#	a datagram 100 times a second from one socket, echoed
#	10 connections a second, one of them to CLOSED, which refuses it
#
# Prints "bytes N datagrams N connections N slowest MS".  The echo runs at PORT,
# TCP and UDP.

import select
import socket
import sys
import time

TICK = 0.01


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class Good:
    def __init__(self, bits, host, port, closed):
        self.share = int(float(bits) / 8 * TICK)
        self.host, self.port, self.closed = host, int(port), int(closed)
        self.stream = socket.create_connection((host, int(port)), 10)
        self.stream.setblocking(False)
        self.dgram = socket.socket(family(host), socket.SOCK_DGRAM)
        self.dgram.connect((host, int(port)))
        self.dgram.setblocking(False)
        self.due = 0
        self.dials = {}
        self.bytes = self.datagrams = self.connections = 0
        self.slowest = 0.0

    def dial(self, port):
        s = socket.socket(family(self.host), socket.SOCK_STREAM)
        s.setblocking(False)
        s.connect_ex((self.host, port))
        self.dials[s] = time.monotonic(), port

    def dialled(self, s):
        start, port = self.dials.pop(s)
        error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        refused = error == 111
        if refused if port == self.closed else not error:
            self.connections += 1
            self.slowest = max(self.slowest, time.monotonic() - start)
        s.close()

    def give(self):
        self.due = min(self.due + self.share, 100 * self.share)
        try:
            while self.due > 0:
                self.due -= self.stream.send(bytes(min(self.due, 65536)))
        except BlockingIOError:
            pass
        try:
            self.dgram.send(b"good")
        except OSError:
            pass

    def take(self):
        ready = select.select([self.stream, self.dgram], list(self.dials), [],
                              0)
        try:
            while self.stream in ready[0]:
                got = len(self.stream.recv(1 << 20))
                if not got:
                    raise EOFError("the connection ended")
                self.bytes += got
        except BlockingIOError:
            pass
        try:
            while self.dgram in ready[0]:
                self.datagrams += len(self.dgram.recv(100)) == 4
        except OSError:
            pass
        for s in ready[1]:
            self.dialled(s)

    def run(self, seconds):
        start = time.monotonic()
        for tick in range(int(float(seconds) / TICK)):
            self.give()
            if tick % 10 == 0:
                self.dial(self.port if tick % 100 else self.closed)
            self.take()
            time.sleep(max(0, start + (tick + 1) * TICK - time.monotonic()))
        print("bytes", self.bytes, "datagrams", self.datagrams,
              "connections", self.connections, "slowest",
              int(self.slowest * 1000))


Good(*sys.argv[2:]).run(sys.argv[1])
