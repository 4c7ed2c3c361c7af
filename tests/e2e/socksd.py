#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# socksd.py PORT: a SOCKS5 proxy on 127.0.0.1 that connects nowhere: it
# answers itself, in HTTP, what it was asked for.  Port 81 it refuses.

import socket
import struct
import sys
import threading


def take(c, n):
    data = b""
    while len(data) < n:
        more = c.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def serve(c):
    with c:
        try:
            if take(c, 3) != b"\5\1\0":
                return
            c.sendall(b"\5\0")
            family = take(c, 4)[3]
            ip = take(c, 4 if family == 1 else 16)
            port = struct.unpack("!H", take(c, 2))[0]
            refused = port == 81
            # Byte by byte: a client has to put answers together.
            for byte in b"\5" + bytes([5 if refused else 0]) + b"\0\1" + bytes(6):
                c.sendall(bytes([byte]))
            if refused:
                return
            c.recv(4096)
            if family == 1:
                host = socket.inet_ntop(socket.AF_INET, ip)
            else:
                host = f"[{socket.inet_ntop(socket.AF_INET6, ip)}]"
            c.sendall(f"HTTP/1.0 200 OK\r\n\r\nCONNECT {host}:{port}\n".encode())
        except (OSError, EOFError):
            pass


with socket.socket() as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", int(sys.argv[1])))
    s.listen(16)
    while True:
        threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
