# SPDX-License-Identifier: MIT
"""resolver.py PORT NAME=ADDRESS,ADDRESS...: a small DNS server on loopback.

UDP and TCP, IPv4 and IPv6 addresses; NXDOMAIN for every other name.
"""
import ipaddress
import socket
import socketserver
import struct
import sys
import threading

NAMES = {}
TYPES = {4: 1, 6: 28}


def answer(query):
    """The reply to a query, or None for what is none."""
    if len(query) < 17 or query[2] & 0x80 or query[4:6] != b"\0\1":
        return None
    labels, at = [], 12
    while at < len(query) and query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    question = query[12:at + 5]
    if len(question) < 5:
        return None
    wanted = struct.unpack("!H", question[-4:-2])[0]
    addresses = NAMES.get(".".join(labels).lower())
    records = b"".join(
        struct.pack("!HHHIH", 0xc00c, wanted, 1, 60, len(a.packed)) + a.packed
        for a in addresses or [] if TYPES[a.version] == wanted)
    count = sum(TYPES[a.version] == wanted for a in addresses or [])
    flags = 0x8180 if addresses else 0x8183
    return (query[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 0) +
            question + records)


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        reply = answer(self.request[0])
        if reply:
            self.request[1].sendto(reply, self.client_address)


class Tcp(socketserver.StreamRequestHandler):
    def handle(self):
        while len(size := self.rfile.read(2)) == 2:
            reply = answer(self.rfile.read(struct.unpack("!H", size)[0]))
            if not reply:
                break
            self.wfile.write(struct.pack("!H", len(reply)) + reply)


for argument in sys.argv[2:]:
    name, _, addresses = argument.partition("=")
    NAMES[name] = [ipaddress.ip_address(a) for a in addresses.split(",")]
here = ("127.0.0.1", int(sys.argv[1]))
socketserver.TCPServer.allow_reuse_address = True
tcp = socketserver.ThreadingTCPServer(here, Tcp)
threading.Thread(target=tcp.serve_forever, daemon=True).start()
socketserver.UDPServer(here, Udp).serve_forever()
