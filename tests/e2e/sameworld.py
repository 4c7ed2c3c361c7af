#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# sameworld.py - what the rows of same.py stand on
#
# One process has both ends of every connection in its hands: a socket belongs
# to the network namespace its thread was in when it was made, so a row makes
# one in the app's, one in the server's, and says step by step who does what.
#
#	with w.app: s = socket(...)		in the app's namespace
#	a, b = w.pair()				a connection: its app and
#						its server end
#	Tap, Wire				packets as they are, seen and
#						sent
#
# A row answers with text; what changes from run to run (ports, times) must
# not be in it.

import array
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import subprocess
import termios
import threading
import time

import raw

IP_TTL, IP_RECVERR, IP_MTU_DISCOVER, IP_MTU = 2, 11, 10, 14
IPV6_MTU_DISCOVER, IPV6_MTU, IPV6_RECVERR = 23, 24, 25
MSG_ERRQUEUE = 0x2000
PACKET_VNET_HDR = 15
PATIENCE = 10   # seconds until a row calls it silence

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
home = os.open("/proc/self/ns/net", os.O_RDONLY)


def name(e):
    if isinstance(e, socket.timeout):
        return "silence"
    return errno.errorcode.get(e.errno, str(e))


class Netns:
    """with NETNS: this thread's sockets are made there"""

    def __init__(self, title):
        self.title = title
        self.fd = os.open("/run/netns/" + title, os.O_RDONLY)

    def __enter__(self):
        if libc.setns(self.fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def __exit__(self, *_):
        if libc.setns(home, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def ip(self, *args):
        subprocess.run(["ip", "-n", self.title] + list(args), check=True)


# --- ends of a connection ---

def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def unread(s):
    n = array.array("i", [0])
    fcntl.ioctl(s, termios.FIONREAD, n)
    return n[0]


def until(ready, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def ends(s):
    """what reading to the end gives: '5 bytes, EOF', '0 bytes, ECONNRESET'"""
    n = 0
    s.settimeout(PATIENCE)
    try:
        while True:
            data = s.recv(1 << 18)
            if not data:
                return "%d bytes, EOF" % n
            n += len(data)
    except OSError as e:
        return "%d bytes, %s" % (n, name(e))


def end_of(s):
    return ends(s).split(", ")[1]


def say(s, data=b"hello"):
    try:
        s.send(data, socket.MSG_NOSIGNAL)
        return "sent"
    except OSError as e:
        return name(e)


# --- errors, as the app may read them ---

def icmp_errors_on(s, v6):
    if v6:
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)


def icmp_error(s, seconds=PATIENCE):
    """'EHOSTUNREACH 3/1 10.99.0.2', with the MTU if there is one"""
    p = select.poll()
    p.register(s, 0)
    if not p.poll(seconds * 1000):
        return "silence"
    s.setblocking(False)
    try:
        _, control, _, _ = s.recvmsg(2048, 512, MSG_ERRQUEUE)
    except OSError as e:
        return "no details" if e.errno == errno.EAGAIN else name(e)
    for level, kind, data in control:
        if (level, kind) not in ((socket.IPPROTO_IP, IP_RECVERR),
                                 (socket.IPPROTO_IPV6, IPV6_RECVERR)):
            continue
        err, origin, t, code, _, info, _ = struct.unpack("=IBBBBII",
                                                         data[:16])
        who = ""
        if origin == 3:
            who = socket.inet_ntop(socket.AF_INET6, data[24:40])
        elif origin == 2:
            who = socket.inet_ntop(socket.AF_INET, data[20:24])
        mtu = " mtu %d" % info if err == errno.EMSGSIZE else ""
        return "%s %d/%d %s%s" % (errno.errorcode.get(err, err), t, code,
                                  who, mtu)
    return "no details"


# --- packets ---

class Packet:
    def __init__(self, data, size=0):
        self.v6 = data[0] >> 4 == 6
        self.whole = data
        if self.v6:
            self.head, self.proto, self.ttl = 40, data[6], data[7]
            self.tos = (data[0] << 4 | data[1] >> 4) & 0xff
            src, dst = data[8:24], data[24:40]
            self.l4 = data[40:]
            if self.proto == 44:
                self.proto = self.l4[0]
                self.l4 = self.l4[8:]
        else:
            self.head, self.proto, self.ttl = (data[0] & 15) * 4, data[9], \
                data[8]
            self.tos = data[1]
            src, dst = data[12:16], data[16:20]
            self.l4 = data[self.head:struct.unpack("!H", data[2:4])[0]]
        af = socket.AF_INET6 if self.v6 else socket.AF_INET
        self.src, self.dst = (socket.inet_ntop(af, a) for a in (src, dst))
        self.sport = self.dport = 0
        if self.proto in (6, 17) and len(self.l4) >= 8:
            self.sport, self.dport = struct.unpack("!HH", self.l4[:4])
        if self.proto == 6 and len(self.l4) >= 20:
            self.seq, self.ack = struct.unpack("!II", self.l4[4:12])
            self.flags = self.l4[13]
            off = (self.l4[12] >> 4) * 4
            self.options = self.l4[20:off]
            self.data = self.l4[off:]
            # what the device cuts later is cut already
            self.size = min(size, len(self.data)) if size else len(self.data)

    def names(self):
        all_ = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"]
        return " ".join(all_[i] for i in range(8) if self.flags >> i & 1)

    def mss(self):
        o = self.options
        while o and o[0]:
            if o[0] == 1:
                o = o[1:]
                continue
            if o[0] == 2:
                return struct.unpack("!H", o[2:4])[0]
            o = o[o[1]:]
        return 0


class Tap:
    """packets that come in (or, all=True, go out too) at a device"""

    def __init__(self, ns, device, all_=False):
        with ns:
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                   socket.htons(3))
            self.s.setsockopt(263, PACKET_VNET_HDR, 1)
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self.s.bind((device, 3))
        self.all = all_

    def packets(self, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.s], [], [], left)[0]:
                return
            data, where = self.s.recvfrom(66000)
            size = struct.unpack("=H", data[4:6])[0] if data[1] else 0
            data = data[24:] if where[3] == 1 else data[10:]
            if where[2] == socket.PACKET_OUTGOING and not self.all:
                continue
            if len(data) >= 20 and data[0] >> 4 in (4, 6):
                yield Packet(data, size)

    def first(self, wanted, seconds=PATIENCE):
        for p in self.packets(seconds):
            if wanted(p):
                return p
        return None

    def close(self):
        self.s.close()


class Wire:
    """whole IP packets out of a namespace, by its routes"""

    def __init__(self, ns):
        with ns:
            self.s4 = socket.socket(socket.AF_INET, socket.SOCK_RAW,
                                    socket.IPPROTO_RAW)
            self.s6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW,
                                    socket.IPPROTO_RAW)

    def send(self, data):
        p = Packet(data)
        (self.s6 if p.v6 else self.s4).sendto(data, (p.dst, 0))


class Hand:
    """a TCP client by hand, at an address the app's kernel does not have"""

    def __init__(self, w, port, host=None):
        self.w = w
        self.src = w.ghost()
        self.dst = host or w.srv_ip
        self.sport, self.dport = w.next_port(), port
        self.seq, self.ack = 1000, 0
        self.tap = Tap(w.app, w.device)
        self.wire = Wire(w.app)

    def send(self, flags, data=b"", options=b"", seq=None):
        seg = raw.tcp(self.src, self.dst, self.sport, self.dport, flags,
                      self.seq if seq is None else seq, self.ack, options,
                      data)
        self.wire.send(raw.ip(self.src, self.dst, 6, seg))

    def is_mine(self, p):
        return p.proto == 6 and p.dport == self.sport and \
            p.sport == self.dport and p.src == self.dst

    def next(self, seconds=3):
        return self.tap.first(self.is_mine, seconds)

    def hear(self, seconds=1):
        """a segment as text: flags, what it acknowledges of ours"""
        p = self.next(seconds)
        if not p:
            return "silence"
        text = p.names()
        if p.flags & 16:
            text += " ack +%d" % ((p.ack - 1000) & 0xffffffff)
        return text

    def open(self, options=b""):
        self.send(2, options=options)
        p = self.next()
        if not p or p.flags & 0x12 != 0x12:
            return None
        self.seq += 1
        self.ack = (p.seq + 1) & 0xffffffff
        self.send(16)
        return p


# --- the world, as one family sees it ---

class World:
    ports = iter(range(20000, 60000))
    lock = threading.Lock()
    paced = threading.Lock()

    def __init__(self, app, gw, srv, far, device, v6, addresses):
        self.app, self.gw, self.srv, self.far = app, gw, srv, far
        self.device, self.v6 = device, v6
        self.af = socket.AF_INET6 if v6 else socket.AF_INET
        self.level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
        for k, v in addresses.items():
            setattr(self, k, v)

    def pace(self):
        """before what an ICMP error answers: routers limit them to 1000 a
        second, and so does the gateway"""
        with World.paced:
            time.sleep(0.003)

    def next_port(self):
        with World.lock:
            return next(World.ports)

    def ghost(self):
        """an address of the app's that its kernel does not have, 64 to 127;
        another each time"""
        n = 64 + self.next_port() % 64
        return "fd00:736c::%x" % n if self.v6 else "10.0.0.%d" % n

    def refuser(self, t, code):
        """whoever sends there gets ICMP type/code from the server's router"""
        return ("2001:db8:%x::%x" if self.v6 else "198.18.%d.%d") % (t, code)

    def silent(self, n):
        """nobody is there"""
        return self.refuser(7 if self.v6 else 20, n)

    def mute(self, n):
        """an address of the server's that nothing else uses"""
        return self.refuser(40, n)

    def distant(self, n):
        """one of the far host's addresses, behind a link of MTU 1300"""
        return ("fd98:1::%x" if self.v6 else "192.0.2.%d") % n

    def sock(self, ns, kind=socket.SOCK_STREAM, proto=0):
        with ns:
            s = socket.socket(self.af, kind, proto)
        s.settimeout(PATIENCE)
        return s

    def udp(self, ns, host=None):
        s = self.sock(ns, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        if host:
            s.bind((host, 0))
        return s

    def listen(self, ns=None, host=None):
        s = self.sock(ns or self.srv)
        s.bind((host or self.srv_ip, 0))
        s.listen(64)
        return s, s.getsockname()[1]

    def pair(self, ns=None, host=None, before=None):
        l, port = self.listen(ns, host)
        a = self.sock(self.app)
        if before:
            before(a)
        a.connect((host or self.srv_ip, port))
        b, _ = l.accept()
        b.settimeout(PATIENCE)
        l.close()
        return a, b

    def queued(self, port):
        """bytes in the sockets of every kernel on the way to that port"""
        n = 0
        for ns in {self.app.title, self.gw, self.srv.title}:
            out = subprocess.run(["ss", "-N", ns, "-Htn", "sport = :%d or "
                                  "dport = :%d" % (port, port)], check=True,
                                 capture_output=True, text=True).stdout
            n += sum(int(q) for line in out.splitlines()
                     for q in line.split()[1:3])
        return n

    def closed(self):
        """a port where nobody listens"""
        s, port = self.listen()
        s.close()
        return port

    def set_ttl(self, s, ttl):
        s.setsockopt(self.level, socket.IPV6_UNICAST_HOPS if self.v6 else
                     IP_TTL, ttl)

    def set_tos(self, s, tos):
        s.setsockopt(self.level, socket.IPV6_TCLASS if self.v6 else
                     socket.IP_TOS, tos)

    def set_df(self, s, how):
        s.setsockopt(self.level, IPV6_MTU_DISCOVER if self.v6 else
                     IP_MTU_DISCOVER, how)


def icmp_about(packet, src, t, code, second=0):
    """an ICMP error of src about a packet"""
    v6 = packet.v6
    quote = packet.whole[:500]
    body = struct.pack("!BBHI", t, code, 0, second) + quote
    body = raw.summed(src, packet.src, 58 if v6 else 1, body, 2)
    return raw.ip(src, packet.src, 58 if v6 else 1, body)


class Refuser(threading.Thread):
    """the router in srv: 198.18.TYPE.CODE and 2001:db8:TYPE::CODE"""

    def __init__(self, srv, src4, src6):
        super().__init__(daemon=True)
        self.tap = Tap(srv, "veth0")
        self.wire = Wire(srv)
        self.src4, self.src6 = src4, src6

    def run(self):
        while True:
            for p in self.tap.packets(3600):
                at = p.whole[24:40] if p.v6 else p.whole[16:20]
                if p.v6 and at[:5] == b"\x20\x01\x0d\xb8\0" and at[5] in \
                        (1, 3, 4):
                    self.wire.send(icmp_about(p, self.src6, at[5], at[15]))
                elif not p.v6 and at[:2] == b"\xc6\x12" and at[2] in \
                        (3, 11, 12):
                    self.wire.send(icmp_about(p, self.src4, at[2], at[3]))
