#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# matrix.py SHIM LOG GATEWAY... -- APP...: each system call of the gateway
# fails, the n-th time it is made, for n = 1 to the last
#
# GATEWAY is its command (with the configuration), APP scenario.py in its
# namespace.  FAULTS=N takes N of all places (in equal steps), FAULTS=all
# every one; FAULT_ONLY=CALL:ERRNO (or CALL) only these.
#
# Each life of the gateway: start; the scenario, in which the fault may harm a
# step; the scenario again, which then has to be well; SIGTERM.  So it has to
# be, wherever the fault was:
#
#	- a start that fails says why, and has a status
#	- what fails later harms one step, and not the next
#	- no signal, no sanitizer's word, no leak, no socket left open
#	- no socket sends before it is protected
#	- no spin: not many more turns than without a fault

import errno
import os
import signal
import socket
import subprocess
import sys
import time

WAIT = 120          # seconds, for anything
TURNS = 10          # times as many as without a fault, at most
HARMED = 2          # steps

# What a kernel says, where it says something.
E = {
    "accept4": ["EMFILE"],
    "aligned_alloc": ["ENOMEM"],
    "bind": ["EADDRINUSE", "ENOMEM"],
    "calloc": ["ENOMEM"],
    "close": ["EINTR", "EIO"],
    "connect": ["EADDRNOTAVAIL", "ENETUNREACH", "EPERM", "ENOBUFS"],
    "epoll_create1": ["EMFILE", "ENOMEM"],
    "epoll_ctl": ["ENOMEM", "ENOSPC"],
    "epoll_wait": ["EINTR"],
    "eventfd": ["EMFILE"],
    "fcntl": ["EMFILE"],
    "fopen": ["EMFILE", "EACCES"],
    "fstat": ["EIO"],
    "getpeername": ["ENOBUFS"],
    "getrandom": ["EINTR", "ENOSYS"],
    "getsockname": ["ENOBUFS"],
    "getsockopt": ["ENOBUFS"],
    "ioctl": ["EPERM", "ENOMEM"],
    "malloc": ["ENOMEM"],
    "mmap": ["ENOMEM"],
    "open": ["EMFILE", "EACCES"],
    "posix_memalign": ["ENOMEM"],
    "read": ["EINTR", "EIO"],
    "realloc": ["ENOMEM"],
    "recv": ["EINTR", "ENOMEM", "ECONNRESET"],
    "recvfrom": ["EINTR", "ENOMEM"],
    "recvmmsg": ["EINTR", "ENOMEM"],
    "recvmsg": ["EINTR", "ENOMEM"],
    "send": ["ENOBUFS"],
    "sendmmsg": ["EINTR", "ENOBUFS", "EPERM", "EAGAIN"],
    "sendmsg": ["EINTR", "ENOMEM", "EPERM"],
    "sendto": ["ENOBUFS", "EPERM", "EAGAIN"],
    "setns": ["EPERM"],
    "setsockopt": ["ENOMEM", "EPERM"],
    "shutdown": ["ENOTCONN"],
    "signalfd": ["EMFILE"],
    "socket": ["EMFILE", "ENFILE", "ENOBUFS", "EACCES"],
    "write": ["EINTR", "EIO", "ENOBUFS", "EAGAIN"],
    "writev": ["EINTR", "EIO", "ENOBUFS", "EAGAIN"],
}


class App:
    def __init__(self, argv):
        self.p = subprocess.Popen(argv, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)

    def play(self):
        self.p.stdin.write("go\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()


class Life:
    def __init__(self, world, call="", nth=0, err=0, most=3):
        self.world, self.call, self.nth, self.err = world, call, nth, err
        self.most = most            # times that the scenario is played
        self.wrong = []
        self.first = ""

    def env(self):
        w = self.world
        return ["env", "LD_PRELOAD=" + w.shim, "FAULT_CALL=" + self.call,
                "FAULT_NTH=%d" % self.nth, "FAULT_ERRNO=%d" % self.err,
                "FAULT_REPORT=" + w.report, "NOTIFY_SOCKET=" + w.notify,
                "ASAN_OPTIONS=verify_asan_link_order=0:"
                "allocator_may_return_null=1"]

    def log(self):
        with open(self.world.log, errors="replace") as f:
            return f.read()

    # By either way to say so: the other may be what fails.
    def is_ready(self):
        try:
            if self.world.told.recv(100) == b"READY=1":
                return True
        except BlockingIOError:
            pass
        return "ready: device" in self.log()

    def wait(self, ready):
        end = time.monotonic() + WAIT
        while self.p.poll() is None and not ready():
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def run(self):
        w = self.world
        for name in w.log, w.report:
            open(name, "w").close()
        w.listen()
        with open(w.log, "w") as log:
            # the shim is the gateway's: "ip netns exec" goes before it
            at = w.gateway.index("--shim--")
            self.p = subprocess.Popen(
                w.gateway[:at] + self.env() + w.gateway[at + 1:],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if not self.wait(self.is_ready):
            self.wrong.append("neither ready nor ended")
        if self.p.poll() is None:
            self.serve()
        else:
            self.failed_start()
        self.judge()
        return not self.wrong

    # Twice, and once more where the fault waited for the second time.
    def play(self):
        harmed = 0
        for i in range(self.most):
            if self.p.poll() is not None:
                self.wrong.append("ended: %d" % self.p.returncode)
                return
            last = self.world.app.play()
            if last == "well":
                if i == 1:
                    return
                continue
            harmed += 1
            self.first = last
            if harmed > 1 or len(last.split()) > HARMED:
                self.wrong.append("harmed: " + last)

    def serve(self):
        self.first = "well"
        self.play()
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGTERM)
            if not self.wait(lambda: False):
                self.wrong.append("does not end")
                self.p.kill()
        status = self.p.wait()
        if status:
            self.wrong.append("status %d" % status)

    def failed_start(self):
        self.first = "no start"
        status = self.p.wait()
        if status not in (1, 78):
            self.wrong.append("start: status %d" % status)
        if not any("sluice" in line for line in self.log().splitlines()):
            self.wrong.append("start: no word about it")

    def judge(self):
        log = self.log()
        self.calls, self.hit = {}, not self.call
        opened = []
        with open(self.world.report) as f:
            for line in f:
                word = line.split()
                if word[0] == "calls":
                    self.calls[word[1]] = int(word[2])
                elif word[0] == "failed":
                    self.hit = True
                elif word[0] == "open":
                    opened.append(word[1])
                else:
                    self.wrong.append(line.strip())
        if opened:
            self.wrong.append("left open: " + " ".join(opened))
        if "Sanitizer" in log or "runtime error:" in log:
            self.wrong.append("sanitizer")
        most = self.world.turns * TURNS
        if most and self.calls.get("epoll_wait", 0) > most:
            self.wrong.append("%d turns" % self.calls["epoll_wait"])


class World:
    def __init__(self, shim, log, rest):
        at = rest.index("--", rest.index("--shim--"))
        self.shim, self.log, self.report = shim, log, log + ".report"
        self.gateway = rest[:at]
        self.app = App(rest[at + 1:])
        self.turns = 0
        self.told, self.notify = None, log + ".notify"

    # What the life before has said is not of this one.
    def listen(self):
        if self.told:
            self.told.close()
            os.unlink(self.notify)
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.setblocking(False)
        self.told.bind(self.notify)


# What can be wrong only once: there is getrandom(2), or there is not.
FIRST = (("getrandom", "ENOSYS"),)


def places(calls):
    only, _, error = os.environ.get("FAULT_ONLY", "").partition(":")
    for call in sorted(calls):
        for n in range(1, calls[call] + 1):
            for e in E[call]:
                if n > 1 and (call, e) in FIRST:
                    continue
                if only in ("", call) and error in ("", e):
                    yield call, n, e


def sample(all_places):
    wanted = os.environ.get("FAULTS", "all")
    if wanted == "all" or int(wanted) >= len(all_places):
        return all_places
    step = len(all_places) / int(wanted)
    return [all_places[int(i * step)] for i in range(int(wanted))]


def main(argv):
    w = World(argv[0], argv[1], argv[2:])
    plain = Life(w, most=1)
    ok = plain.run() and plain.first == "well"
    print("without a fault:", "; ".join(plain.wrong) or plain.first,
          flush=True)
    if not ok:
        print(plain.log())
        return 1
    w.turns = plain.calls["epoll_wait"] * 3
    todo = sample(list(places(plain.calls)))
    bad = hits = harmed = starts = 0
    for call, n, e in todo:
        life = Life(w, call, n, getattr(errno, e))
        good = life.run()
        hits += life.hit
        starts += life.first == "no start"
        harmed += life.first not in ("well", "no start")
        if good:
            continue
        bad += 1
        print("%s number %d, %s: %s (first: %s)" % (
            call, n, e, "; ".join(life.wrong), life.first), flush=True)
        print("\n".join("    " + line for line in
                        life.log().splitlines()[-12:]), flush=True)
    print("%d places: %d failed there, %d starts ended, %d lives harmed in a "
          "step, %d wrong" % (len(todo), hits, starts, harmed, bad))
    return 1 if bad else 0


sys.exit(main(sys.argv[1:]))
