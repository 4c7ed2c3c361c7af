# SPDX-License-Identifier: MIT
"""exec_tty.py SLUICE: "sluice exec" at a terminal, as a person uses it.

Each test drives a pseudo-terminal and prints "ok NAME" or "not ok NAME".
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

SLUICE = sys.argv[1]


class Terminal:
    def __init__(self, *command):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(PS1="$ ", TERM="xterm", HISTFILE="")
            for name in ("PROMPT_COMMAND", "BASH_ENV", "ENV"):
                os.environ.pop(name, None)
            os.execvp(command[0], command)

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            piece = os.read(self.fd, 65536).decode(errors="replace")
        except OSError:
            return False
        self.text += piece
        return bool(piece)

    def expect(self, pattern, seconds=10):
        """Wait for the pattern; what came up to its end is used up."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text)
            if found:
                self.text = self.text[found.end():]
                return found
            left = end - time.monotonic()
            if left <= 0 or not self.read(left):
                if time.monotonic() >= end:
                    break
                if not self.alive():
                    break
        raise AssertionError(f"no {pattern!r} in {self.text!r}")

    def alive(self):
        return os.path.exists(f"/proc/{self.pid}")

    def type(self, text):
        os.write(self.fd, text.encode())

    def size(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))

    def status(self, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(f"does not end: {self.text!r}")

    def end(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.fd)


def run(*command):
    return Terminal(SLUICE, "exec", "--", *command)


def shell():
    t = Terminal("bash", "--norc", "--noediting", "-i")
    t.expect(r"\$ ")
    return t


def interrupt_ends_a_command():
    t = run("sh", "-c", "echo ready; exec sleep 100")
    t.expect("ready")
    t.type("\x03")
    assert t.status() == 130
    return t


def interrupt_is_the_commands_to_handle():
    t = run("bash", "-c",
            "trap 'echo caught; exit 42' INT; echo ready; "
            "while :; do sleep 0.1; done")
    t.expect("ready")
    t.type("\x03")
    t.expect("caught")
    assert t.status() == 42
    return t


def quit_ends_a_command():
    t = run("sh", "-c", "ulimit -c 0; echo ready; exec sleep 100")
    t.expect("ready")
    t.type("\x1c")
    assert t.status() == 131
    return t


def hangup_ends_everything():
    t = run("sh", "-c", "echo ready; exec sleep 4711")
    t.expect("ready")
    os.close(t.fd)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        pid, status = os.waitpid(t.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(0.02)
    t.pid = 0
    assert os.waitstatus_to_exitcode(status) == 129, status
    return t


def a_stopped_command_is_a_stopped_job():
    t = shell()
    t.type(f"{SLUICE} exec -- sh -c 'echo rea''dy; cat'\r")
    t.expect("ready")
    time.sleep(0.3)
    t.type("\x1a")
    t.expect("Stopped")
    t.expect(r"\$ ")
    time.sleep(0.2)     # bash forgets what is typed in between
    t.type("fg\r")
    t.expect("exec -- sh")
    t.type("hello\r")
    t.expect("hello\r\nhello")
    t.type("\x04")
    t.expect(r"\$ ")
    t.type("echo status=$?\r")
    t.expect("status=0")
    return t


def a_job_goes_on_in_the_background():
    t = shell()
    t.type(f"{SLUICE} exec -- sh -c 'echo rea''dy; sleep 1; echo wo''ke'\r")
    t.expect("ready")
    time.sleep(0.3)     # a shell between vfork and exec cannot be stopped
    t.type("\x1a")
    t.expect("Stopped")
    time.sleep(0.2)
    t.type("bg\r")
    t.expect("woke")
    t.type("wait; echo status=$?\r")
    t.expect("status=0")
    return t


def reading_in_the_background_stops():
    t = shell()
    t.type(f"{SLUICE} exec -- cat &\r")
    time.sleep(0.5)
    t.type("\r")
    t.expect("Stopped.*cat")
    time.sleep(0.2)
    t.type("fg\r")
    t.expect("exec -- cat\r\n")
    t.type("typed\r")
    t.expect("typed\r\n.*typed")
    t.type("\x04")
    return t


def a_shell_inside_has_job_control():
    t = shell()
    t.type(f"{SLUICE} exec -- bash --norc --noediting -i\r")
    t.expect(r"\$ ")
    assert "no job control" not in t.text
    t.type("sleep 100\r")
    time.sleep(0.3)
    t.type("\x03")
    t.type("echo st=$?\r")
    t.expect("st=130")
    t.type("sleep 100\r")
    time.sleep(0.3)
    t.type("\x1a")
    t.expect("Stopped")
    time.sleep(0.2)
    t.type("kill -KILL %1; sleep 0.3; exit 3\r")
    t.expect("exit\r\n.*\\$ ")
    t.type("echo outer=$?\r")
    t.expect("outer=3")
    return t


def the_terminal_is_given_back():
    t = Terminal("sh", "-c",
                 f"{SLUICE} exec -- bash --norc --noediting -i; "
                 "echo over; read line; echo \"<$line>\"")
    t.expect(r"\$ ")
    t.type("exit\r")
    t.expect("over")
    t.type("typed\r")
    t.expect("<typed>")
    assert t.status() == 0
    return t


def a_new_size_is_noticed():
    t = run("bash", "-c",
            "trap 'stty size' WINCH; trap 'exit 5' INT; echo ready; "
            "while :; do sleep 0.1; done")
    t.expect("ready")
    t.size(33, 77)
    t.expect("33 77")
    t.type("\x03")
    assert t.status() == 5
    return t


def raw_mode_gives_every_byte():
    t = run("sh", "-c",
            "stty raw -echo; printf 'ready\\n'; "
            "dd bs=1 count=3 2>/dev/null | od -An -tx1; stty sane")
    t.expect("ready")
    t.type("\x03\x1a\x1c")
    t.expect("03 1a 1c")
    assert t.status() == 0
    return t


def it_is_a_terminal_inside():
    t = run("sh", "-c", "test -t 0 && test -t 1 && test -t 2 && tty")
    t.expect("/dev/pts/")
    assert t.status() == 0
    return t


TESTS = [
    interrupt_ends_a_command,
    interrupt_is_the_commands_to_handle,
    quit_ends_a_command,
    hangup_ends_everything,
    a_stopped_command_is_a_stopped_job,
    a_job_goes_on_in_the_background,
    reading_in_the_background_stops,
    a_shell_inside_has_job_control,
    the_terminal_is_given_back,
    a_new_size_is_noticed,
    raw_mode_gives_every_byte,
    it_is_a_terminal_inside,
]

for test in [t for t in TESTS if t.__name__ in sys.argv[2:]] or TESTS:
    name = "at a terminal: " + test.__name__.replace("_", " ")
    try:
        test().end()
        print("ok", name)
    except AssertionError as e:
        print("not ok", name)
        print(e)
