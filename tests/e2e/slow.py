#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# slow.py serve PORT: sends without end to whoever connects to PORT, and reads
# nothing
# slow.py read|write HOST PORT N: N connections there that read nothing; write:
# and send all that is taken.  Prints "open N" when nothing has moved for half
# a second, holds them until its standard input ends, and then reads of each
# what has come: "read N" (or is "wrote N" bytes).

import resource
import select
import socket
import sys
import time

CHUNK = bytes(1 << 16)


def push(s):
    sent = 0
    try:
        while True:
            sent += s.send(CHUNK)
    except BlockingIOError:
        return sent


def serve(port):
    listener = socket.create_server(("::", port), family=socket.AF_INET6,
                                    backlog=4096, dualstack_ipv6=True)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    open_ones = {}
    while True:
        for fd, event in poll.poll():
            if fd == listener.fileno():
                s = listener.accept()[0]
                s.setblocking(False)
                open_ones[s.fileno()] = s
                poll.register(s, select.EPOLLOUT)
                continue
            try:
                push(open_ones[fd])
            except OSError:
                poll.unregister(fd)
                open_ones.pop(fd).close()


def hold(host, port, n, writes):
    all_of_them, wrote = [], 0
    for _ in range(n):
        try:
            s = socket.create_connection((host, port), 10)
        except OSError:
            continue  # refused: "open" tells
        s.setblocking(False)
        all_of_them.append(s)
    quiet = 0
    while writes and quiet < 10:
        moved = sum(push(s) for s in all_of_them)
        wrote += moved
        quiet = 0 if moved else quiet + 1
        time.sleep(0.05)
    print("open", len(all_of_them), flush=True)
    sys.stdin.read()
    if writes:
        print("wrote", wrote)
        return
    read = 0
    for s in all_of_them:
        s.settimeout(30)
        read += len(s.recv(1 << 16)) > 0
    print("read", read)


def main(command, *args):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if command == "serve":
        serve(int(args[0]))
    else:
        hold(args[0], int(args[1]), int(args[2]), command == "write")


main(*sys.argv[1:])
