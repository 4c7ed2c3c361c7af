# SPDX-License-Identifier: MIT
"""How the benchmark measures one thing on one way

Each gives (figure, CPU seconds per GB or None); a figure of None: it failed.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time

from world import (FLOOD, IPERF, ONCE, PROBE, SLEEP, TOOLS, WAYS, Held, die,
                   said, wait_for)


class Pace:
    """How long things are measured.  Turns: so many slices a round, one way
    after the other, where it is seconds that count."""

    def __init__(self, quick):
        self.seconds = 1
        self.turns = 1 if quick else 2
        self.pings = 2000 if quick else 10000
        self.burst_ms = 100 if quick else 300


def iperf_server(world):
    """One for one test: a client that was cut off blocks its server."""
    p = subprocess.Popen(['ip', 'netns', 'exec', world.server, 'iperf3', '-s',
                          '-1', '-p', IPERF, '--forceflush'],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True)
    for line in p.stdout:
        if 'listening' in line:
            return p
    die('iperf3 does not start')


def bulk(flows, down):
    def measure(world, pace, way, family):
        before = world.cpu(way, family)
        server = iperf_server(world)
        text = world.ask(way, ['iperf3', '-c', WAYS[way][family], '-p', IPERF,
                               '-J', '-t', str(pace.seconds), '-P',
                               str(flows)] + (['-R'] if down else []))
        server.terminate()
        server.communicate()
        end = json.loads(text)['end'] if text else {}
        if not end.get('sum_received', {}).get('bytes'):
            return None, None
        cost = None
        if before is not None:
            cost = (world.cpu(way, family) - before) / \
                end['sum_received']['bytes'] * 1e9
        return end['sum_received']['bits_per_second'] / 1e9, cost
    return measure


@contextlib.contextmanager
def placed(world, one_core):
    """Where the scheduler puts three processes on few cores decides more
    than the path does.  So all are on one core, or what is in the gateway's
    namespace has one to itself."""
    cores = os.sched_getaffinity(0)
    ends = max(cores) if one_core else min(cores)
    for pid in world.gateway_pids():
        os.sched_setaffinity(pid, {max(cores)})
    for pid in world.end_pids() + [0]:
        os.sched_setaffinity(pid, {ends})
    try:
        yield
    finally:
        for pid in world.gateway_pids() + world.end_pids() + [0]:
            os.sched_setaffinity(pid, cores)


def pingpong(proto, one_core):
    def measure(world, pace, way, family):
        with placed(world, one_core):
            text = world.ask(way, [TOOLS + '/probe', 'pingpong', proto,
                                   WAYS[way][family], PROBE,
                                   str(pace.pings)])
        return (float(text.split()[0]) if text else None), None
    return measure


def connects(at_a_time):
    def measure(world, pace, way, family):
        text = world.ask(way, [TOOLS + '/probe', 'connects',
                               WAYS[way][family], ONCE, str(at_a_time),
                               str(pace.seconds)])
        return (float(text) if text else None), None
    return measure


def datagrams(size, direction):
    """Thousands a second, of which no more than one in 200 is lost."""
    found = {}

    def whole(world, pace, way, family, rate):
        """Did they come?  And how many a second were really sent.  One
        burst may meet a moment of another's: then one more."""
        for _ in range(2):
            text = world.ask(way, [TOOLS + '/probe', 'udp', direction,
                                   WAYS[way][family], PROBE, str(size),
                                   str(rate), str(pace.burst_ms)])
            if text is None:
                return None, None
            sent, got, us = map(int, text.split())
            if got >= rate * pace.burst_ms / 1000 * 0.995:
                return True, sent / us * 1e6
        return False, sent / us * 1e6

    def measure(world, pace, way, family):
        # A rate found before is nearly right: look around it.
        last = found.get((way, family))
        low, high = (last * 0.7, last * 1.4) if last else (0, 1000000)
        best, tries = 0, 0
        while tries < 12 and high - low > max(high, 1000) / 24:
            tries += 1
            rate = int((low + high) / 2)
            came, real = whole(world, pace, way, family, rate)
            if came is None:
                return None, None
            if came:
                low, best = rate, max(best, real)
            if not came or real < rate * 0.9:
                high = rate
            if last and not best and high - low <= high / 24:
                low, last = 0, None  # it was not: from the beginning
        found[way, family] = best
        return best / 1000, None
    return measure


def questions(prefix, names, at_a_time, times):
    """DNS: answers a second, or the median time of one in microseconds.
    names: how many different ones; 0: none twice."""
    def dnsperf(world, pace, address, way):
        path = os.path.join(world.folder, '%s%d.names' % (prefix, names))
        if not os.path.exists(path):
            with open(path, 'w') as f:
                for n in range(names or 500000):
                    f.write('%s%08x.bench A\n' % (prefix, n))
        text = world.ask(way, ['dnsperf', '-s', address, '-d', path, '-l',
                               str(pace.seconds), '-c', '1', '-T', '1',
                               '-q', str(at_a_time)])
        value = {}
        for line in (text or '').splitlines():
            key, _, rest = line.strip().partition(':')
            value[key] = rest.split()[0] if rest.split() else ''
        if 'Queries per second' not in value or \
           int(value['Queries lost']) > int(value['Queries sent']) / 200:
            return None, None
        return float(value['Queries per second']), None

    def measure(world, pace, way, family):
        if not times and shutil.which('dnsperf'):
            return dnsperf(world, pace, WAYS[way][family], way)
        ask = [TOOLS + '/ask', WAYS[way][family], str(at_a_time),
               str(pace.seconds), prefix, str(names)]
        if times:
            with placed(world, False):
                text = world.ask(way, ask)
        else:
            text = world.ask(way, ask)
        if not text:
            return None, None
        rate, p50, _, lost = map(float, text.split())
        if lost > rate * pace.seconds / 200:
            return None, None
        return p50 if times else rate, None
    return measure


# What is measured once.

def memory(world, way, count):
    """Resident KiB with nothing to do; KiB more for each idle connection;
    bytes more for each idle UDP session."""
    idle = world.memory(way)
    tcp = Held(world, way, 'tcp', count)
    time.sleep(1)
    with_tcp = world.memory(way)
    udp = Held(world, way, 'udp', count)
    time.sleep(1)
    with_udp = world.memory(way)
    udp.close()
    tcp.close()
    return (idle, (with_tcp - idle) / count,
            (with_udp - with_tcp) * 1024 / count)


def socket_of(ns, port):
    """What ss tells of the one connection to that port."""
    words = said('ip', 'netns', 'exec', ns, 'ss', '-tinHO', 'dport = :' +
                 port).split()
    found = {'recv': int(words[1]), 'send': int(words[2])} if words else {}
    for word in words:
        key, _, value = word.partition(':')
        if key in ('bytes_acked', 'bytes_received'):
            found[key] = int(value)
    return found


def absorbed(world, way, up):
    """Bytes that the gateway itself holds, when the one who reads sleeps:
    taken from one kernel's socket and not given to the other's."""
    port = SLEEP if up else FLOOD
    p = subprocess.Popen(['ip', 'netns', 'exec', world.client_of[way],
                          TOOLS + '/probe', 'fill' if up else 'doze',
                          WAYS[way][4], port], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
    p.stdout.readline()
    seen = []

    def still():
        app = socket_of(world.client_of[way], port)
        net = socket_of(world.gateway, port)
        if 'bytes_acked' not in app or 'bytes_acked' not in net:
            return False
        # What was never sent has no figure, and is 0.
        if up:
            seen.append(app['bytes_acked'] - net['bytes_acked'] -
                        net['send'])
        else:
            seen.append(net.get('bytes_received', 0) - net['recv'] -
                        app.get('bytes_received', 0))
        return len(seen) > 20 and len(set(seen[-20:])) == 1
    quiet = wait_for(still, 20)
    p.communicate('\n')
    return max(seen[-1], 0) if quiet else None


def stripped(path):
    """Bytes of a program without its symbols."""
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run(['strip', '-o', f.name, path], check=True)
        return os.path.getsize(f.name)
