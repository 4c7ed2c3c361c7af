#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# same.py - the same actions, with the gateway or without: what the app sees
#
#	run APP DEVICE GW SRV FAR FAMILY...
#			all rows, from the namespace APP through DEVICE:
#			"4|row|what was seen" for each
#	mss APP DEVICE HOST PORT
#			what MSS is offered to APP from there
#	compare DIRECT THROUGH KNOWN OFFLOAD
#			"ok row", or "not ok row" and why, for each
#
# A value "~N" is a size that may be a megabyte more through the gateway.
#
# KNOWN has the differences that are known, "row | cases | what is seen |
# why": cases are words out of 4 6 on off, or "all".  One that turned out
# different, or equal, fails too.

import re
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import samedgram
import sameends
import samesyn
import sametcp
from sameworld import Hand, Netns, Refuser, World

ROWS = {**samesyn.ROWS, **sametcp.ROWS, **sameends.ROWS, **samedgram.ROWS}
AT_ONCE = 8
MORE = 1 << 20

WHERE = {
    "4": dict(srv_ip="10.99.0.2", app_ip="10.0.0.2", hole="203.0.113.9"),
    "6": dict(srv_ip="fd99::2", app_ip="fd00:736c::2", hole="fd99:dead::9"),
}


def attempt(w, f):
    begin = time.monotonic()
    try:
        said = f(w)
    except Exception as e:
        line = traceback.extract_tb(e.__traceback__)[-1]
        said = "%s in %s" % (e, line.name)
    return said, time.monotonic() - begin


def run(app, device, gw, srv, far, *families):
    app, srv, far = Netns(app), Netns(srv), Netns(far)
    Refuser(srv, "10.99.0.4", "fd99::4").start()
    worlds = {f: World(app, gw, srv, far, device, f == "6", WHERE[f])
              for f in families}
    jobs = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for title, f in ROWS.items():
            only = getattr(f, "v6", None)
            for family, w in worlds.items():
                if only is None or only == w.v6:
                    jobs.append((family, title, pool.submit(attempt, w, f)))
        for family, title, job in jobs:
            said, seconds = job.result()
            print("%s|%s|%s|%.2f" % (family, title, said, seconds),
                  flush=True)


def mss(app, device, host, port):
    v6 = ":" in host
    w = World(Netns(app), "", None, None, device, v6,
              WHERE["6" if v6 else "4"])
    h = Hand(w, int(port), host)
    p = h.open(b"\2\4\x70\0")
    print(p.mss() if p else "silence")
    h.send(4)


def read_log(path):
    with open(path) as f:
        parts = [line.rstrip("\n").split("|") for line in f]
    return {(p[0], p[1]): p[2] for p in parts}


def read_known(path, family, offload):
    known = {}
    with open(path) as f:
        for line in f:
            if line.startswith("#") or not line.strip():
                continue
            title, cases, seen, _why = [p.strip() for p in line.split("|", 3)]
            cases = cases.split()
            fits = all(c == "all" or c in (family, offload) for c in cases)
            if fits:
                known[title] = seen
    return known


def equal(direct, through):
    if direct.startswith("~") and through.startswith("~"):
        return int(through[1:]) <= int(direct[1:]) + MORE
    return direct == through


def verdict(direct, through, known):
    """None, or what is wrong"""
    if through is None:
        return "no result"
    if known is None:
        if equal(direct, through):
            return None
        return "direct: %s\nthrough: %s" % (direct, through)
    if equal(direct, through):
        return "is equal now: take it out of same.known\nboth: " + through
    if not re.fullmatch(known, through):
        return "direct: %s\nknown: %s\nthrough: %s" % (direct, known, through)
    return None


def compare(direct, through, known_path, offload):
    direct, through = read_log(direct), read_log(through)
    for family in "4", "6":
        known = read_known(known_path, family, offload)
        unused = set(known)
        for (f, title), seen in direct.items():
            if f != family:
                continue
            unused.discard(title)
            wrong = verdict(seen, through.get((f, title)), known.get(title))
            print("%s %s|%s|%s" % ("not ok" if wrong else "ok", f, title,
                                   (wrong or "").replace("\n", "; ")))
        if any(f == family for f, _ in direct):
            for title in sorted(unused):
                print("not ok %s|%s|no such row" % (family, title))


if __name__ == "__main__":
    {"run": run, "compare": compare, "mss": mss}[sys.argv[1]](*sys.argv[2:])
