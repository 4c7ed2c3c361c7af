#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# sameends.py - rows of same.py about the end of a TCP connection
#
# Every way to end it, by either side, at every stage, with bytes that nobody
# read under way to either side.

import socket
import threading
import time

from sameworld import ends, name, reset, say, unread, until

ROWS = {}


# --- how ---

def close(s):
    s.close()


def shut(s):
    s.shutdown(socket.SHUT_WR)


def both(s):
    s.shutdown(socket.SHUT_RDWR)


HOW = {"close": close, "shutdown": shut, "shutdown both": both,
       "reset": reset}


# --- when: me is the one who ends it ---

def at_once(me, other):
    pass


def after_words(me, other):
    me.send(b"hello")
    other.recv(10)
    other.send(b"world")
    me.recv(10)


def mine_unread(me, other):
    other.send(bytes(3000))
    until(lambda: unread(me) == 3000, 3)


def other_unread(me, other):
    me.send(bytes(4000))
    until(lambda: unread(other) == 4000, 3)


def both_unread(me, other):
    mine_unread(me, other)
    other_unread(me, other)


def other_is_done(me, other):
    other.send(b"bye")
    other.shutdown(socket.SHUT_WR)
    ends(me)


WHEN = {"at once": at_once, "after a word each way": after_words,
        "with unread bytes": mine_unread,
        "with bytes the other has not read": other_unread,
        "with unread bytes at both": both_unread,
        "when the other shut down": other_is_done}


def row(who, how, when):
    def run(w):
        a, b = w.pair()
        me, other = (a, b) if who == "app" else (b, a)
        WHEN[when](me, other)
        HOW[how](me)
        said = [ends(other)]
        # the first write may meet the end, the second knows of it
        said.append(say(other))
        time.sleep(0.15)
        said.append(say(other))
        if how.startswith("shutdown"):
            other.close()
            said.append("me: " + ends(me))
            me.close()
        other.close()
        return ", ".join(said)

    ROWS["TCP ends: %s, %s: %s" % (who, how, when)] = run


for who_ in "app", "server":
    for how_ in HOW:
        for when_ in WHEN:
            row(who_, how_, when_)


# --- while much is under way ---

def busy(who, how, reads):
    def run(w):
        a, b = w.pair()
        me, other = (a, b) if who == "app" else (b, a)

        told = []

        def fill(s):
            try:
                while True:
                    s.send(bytes(1 << 16), socket.MSG_NOSIGNAL)
            except OSError as e:
                told.append(name(e))

        t = threading.Thread(target=fill, args=(other,), daemon=True)
        t.start()
        if reads:
            for _ in range(20):
                me.recv(1 << 16)
        else:
            time.sleep(0.4)
        HOW[how](me)
        t.join(10)
        what = told[0] if told else "hangs"
        if reads and what in ("EPIPE", "ECONNRESET"):
            what = "reset"      # which, is a race within one kernel
        return "%s, %s, %s" % (what, ends(other), say(other))

    ROWS["TCP ends: %s, %s: while the other pours%s" % (
        who, how, "" if reads else " and nobody reads")] = run


for who_ in "app", "server":
    for how_ in "close", "reset":
        busy(who_, how_, True)
        busy(who_, how_, False)


def at_the_same_time(w):
    a, b = w.pair()
    a.send(b"1234")
    b.send(b"12345")
    a.shutdown(socket.SHUT_WR)
    b.shutdown(socket.SHUT_WR)
    return ends(a) + "; " + ends(b)


ROWS["TCP ends: both at the same time"] = at_the_same_time
