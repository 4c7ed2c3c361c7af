#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# protector.py PATH yes|no|never|vanish [MARK] - the other end of protect-unix
#
# Takes descriptors at the UNIX socket PATH.  "yes" marks each and answers 0;
# "no" answers 1, "never" nothing at all, "vanish" closes.  A descriptor that
# is connected already, or that did not come alone with one byte, is a line on
# stdout that begins with "bad"; each good one is "socket".

import array
import errno
import os
import socket
import struct
import sys
import threading

SO_MARK = 36

path, mode = sys.argv[1:3]
mark = int(sys.argv[3], 0) if len(sys.argv) > 3 else 0
kept = []


def judge(fd):
    s = socket.socket(fileno=fd)
    try:
        s.getpeername()
        print("bad: it is connected already", flush=True)
    except OSError as e:
        if e.errno == errno.ENOTCONN:
            print("socket", s.family.name, s.type.name, flush=True)
        else:
            print("bad:", e, flush=True)
    if mode == "yes":
        s.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
    s.close()


def one(c):
    data, anc, _, _ = c.recvmsg(16, 256)
    fds = array.array("i")
    for level, kind, payload in anc:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[:len(payload) // 4 * 4])
    if len(data) != 1 or len(fds) != 1:
        print("bad: %d bytes, %d descriptors" % (len(data), len(fds)),
              flush=True)
    for fd in fds:
        judge(fd)
    if mode == "never":
        kept.append(c)
        return
    if mode != "vanish":
        c.sendall(b"\0" if mode == "yes" else b"\1")
    c.close()


if os.path.exists(path):
    os.unlink(path)
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(path)
server.listen(128)
while True:
    conn, _ = server.accept()
    threading.Thread(target=one, args=(conn,), daemon=True).start()
