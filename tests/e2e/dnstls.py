#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""dnstls.py ADDRESS PORT CERTIFICATE KEY [VERSION]: DNS over TLS and HTTPS.

VERSION is the only one of TLS that it speaks, as in TLSv1_2.

The first label of the name asked for says what to do:

    www        192.0.2.1            silent     no answer
    slow       it after a second    huge       it, in 65,535 bytes
    wrongname  for another name     twice      after one nobody asked for
    drop       the connection ends; the next time it is answered

and with HTTP/2 alone (as ALPN says)

    goaway     the request is not looked at: GOAWAY; then as drop
    status     500                  type       text/html
    large      70,000 bytes
"""

import socket
import ssl
import struct
import sys
import threading
import time

seen = set()


def question_end(query):
    at = 12
    while query[at]:
        at += 1 + query[at]
    return at + 5


def reply(query, size=0):
    end = question_end(query)
    body = query[12:end]
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
    extra = b""
    count = 0
    while size and 12 + len(body) + len(record) + len(extra) < size:
        room = size - 12 - len(body) - len(record) - len(extra)
        n = min(room, 40000) - 12
        if 0 < room - 12 - n < 12:
            n -= 20
        extra += b"\xc0\x0c\xff\1\0\1\0\0\0\x3c" + struct.pack("!H", n)
        extra += bytes(n)
        count += 1
    head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, count)
    return head + body + record + extra


def first_label(query):
    return query[13:13 + query[12]].decode()


def answers(query):
    """The messages that answer it; None: the connection ends."""
    label = first_label(query)
    key = query[12:question_end(query)]
    if label in ("drop", "goaway") and key not in seen:
        seen.add(key)
        return None
    if label == "silent":
        return []
    if label == "slow":
        time.sleep(1)
    if label == "wrongname":
        return [reply(query[:13] + b"x" + query[14:])]
    if label == "twice":
        other = bytes([query[0] ^ 0xff]) + query[1:]
        return [reply(other), reply(query)]
    if label == "huge":
        return [reply(query, 65535)]
    return [reply(query)]


def exactly(s, n):
    out = b""
    while len(out) < n:
        piece = s.recv(n - len(out))
        if not piece:
            return None
        out += piece
    return out


def serve_tls(s, lock):
    while True:
        head = exactly(s, 2)
        query = head and exactly(s, struct.unpack("!H", head)[0])
        if not query:
            return
        threading.Thread(target=answer_tls, args=(s, lock, query),
                         daemon=True).start()


def answer_tls(s, lock, query):
    found = answers(query)
    with lock:
        if found is None:
            s.shutdown(socket.SHUT_RDWR)  # its reader closes it
            return
        for message in found:
            s.sendall(struct.pack("!H", len(message)) + message)


def frame(kind, flags, stream, body=b""):
    return (struct.pack("!I", len(body))[1:] + bytes([kind, flags]) +
            struct.pack("!I", stream) + body)


def literal(name, value):
    return (b"\0" + bytes([len(name)]) + name.encode() +
            bytes([len(value)]) + value.encode())


class Http:
    """One connection; the client's header blocks are not looked at."""

    def __init__(self, s, lock):
        self.s, self.lock, self.bodies = s, lock, {}
        self.window = threading.Semaphore(0)
        self.room = 65535

    def run(self):
        if exactly(self.s, 24) is None:
            return
        self.send(frame(4, 0, 0))
        while True:
            head = exactly(self.s, 9)
            if head is None:
                return
            n = int.from_bytes(head[:3], "big")
            kind, flags = head[3], head[4]
            stream = int.from_bytes(head[5:], "big")
            body = exactly(self.s, n) if n else b""
            if body is None:
                return
            if kind == 4 and not flags & 1:
                self.send(frame(4, 1, 0))
            elif kind == 6 and not flags & 1:
                self.send(frame(6, 1, 0, body))
            elif kind == 0:
                self.bodies[stream] = self.bodies.get(stream, b"") + body
                if flags & 1:
                    threading.Thread(target=self.answer,
                                     args=(stream,), daemon=True).start()

    def send(self, data):
        with self.lock:
            self.s.sendall(data)

    def answer(self, stream):
        query = self.bodies.pop(stream)
        label = first_label(query)
        found = answers(query)
        if found is None:
            if label == "goaway":
                self.send(frame(7, 0, 0, struct.pack("!II", 0, 0)))
                time.sleep(0.2)
            with self.lock:
                self.s.shutdown(socket.SHUT_RDWR)
            return
        if not found:
            return
        body = b"".join(found[-1:])
        if label == "large":
            body = bytes(70000)
        status = b"\x8e" if label == "status" else b"\x88"
        kind = "text/html" if label == "type" else "application/dns-message"
        out = frame(1, 4, stream, status + literal("content-type", kind))
        # windows are of 65,535 bytes: a larger body is for the client to cut
        while body:
            piece, body = body[:16000], body[16000:]
            out += frame(0, 0 if body else 1, stream, piece)
        self.send(out)


def client(context, raw):
    try:
        raw.settimeout(30)
        s = context.wrap_socket(raw, server_side=True)
        lock = threading.Lock()
        if s.selected_alpn_protocol() == "h2":
            Http(s, lock).run()
        else:
            serve_tls(s, lock)
        s.close()
    except (OSError, ValueError):
        raw.close()


def main():
    address, port, certificate, key, *version = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if version:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion[version[0]]
        context.maximum_version = context.minimum_version
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    listener = socket.create_server((address, int(port)))
    while True:
        raw, _ = listener.accept()
        threading.Thread(target=client, args=(context, raw),
                         daemon=True).start()


main()
