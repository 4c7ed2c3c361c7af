# SPDX-License-Identifier: MIT
"""The namespaces and programs of the benchmark

  client ---veth--- gateway ---veth--- server       three namespaces
    |                  |
    +------ TUN -------+                            made by sluice

The server has an address for each way to it, so that the ways can be measured
in turns, round after round, by the same clients:

  kernel   the gateway's kernel forwards
  relay    a plain program there accepts, connects, read(2)s and write(2)s
  splice   the same with splice(2)
  on, off  through the TUN and sluice, with and without offload
  idle     as on, through another sluice that has many connections open
  pasta, slirp4netns
           each has a client's namespace of its own, as it wants it

All of it is gone at the end, whatever happens.
"""

import atexit
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get('TOP_BUILDDIR', os.getcwd())
TOOLS = os.path.join(BUILD, 'tests/bench')
SLUICE = os.environ.get('SLUICE', os.path.join(BUILD, 'sluice'))
IPERF, PROBE = '5201', '7000'
ONCE, SLEEP, FLOOD = (str(int(PROBE) + n) for n in (1, 2, 3))
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PREFIX, FOLDER = 'slb', 'sluice-bench-'

# Stock values, so that the host's tuning does not come into it.
SYSCTL = {
    'net.ipv4.tcp_congestion_control': 'reno',
    'net.ipv4.tcp_rmem': '4096 131072 6291456',
    'net.ipv4.tcp_wmem': '4096 16384 4194304',
    'net.ipv4.tcp_no_metrics_save': '1',
    'net.ipv4.tcp_tw_reuse': '1',
    'net.ipv4.ip_local_port_range': '10000 65000',
    'net.ipv4.ip_forward': '1',
    'net.ipv6.conf.all.forwarding': '1',
}

# Where each way begins, seen from its client.
WAYS = {
    'kernel': {4: '10.77.3.1', 6: 'fd00:77:3::1'},
    'relay': {4: '10.77.1.1', 6: 'fd00:77:1::1'},
    'splice': {4: '10.77.1.3', 6: 'fd00:77:1::3'},
    'on': {4: '10.77.3.2', 6: 'fd00:77:3::2'},
    'off': {4: '10.77.3.3', 6: 'fd00:77:3::3'},
    'idle': {4: '10.77.3.4', 6: 'fd00:77:3::4'},
    'pasta': {4: '10.77.3.5', 6: 'fd00:77:3::5'},
    'slirp4netns': {4: '10.77.3.6', 6: 'fd00:77:3::6'},
}
SLUICES = ('on', 'off', 'idle')
PEERS = ('pasta', 'slirp4netns')
SERVER = {4: '10.77.2.2', 6: 'fd00:77:2::2'}

CONF = '''[gateway]
log-level = warn
[tun]
name = {dev}
netns = {netns}
mtu = 1500
address = 10.77.1{n}.2/24
address = fd00:77:1{n}::2/64
gateway = 10.77.1{n}.1
gateway = fd00:77:1{n}::1
offload = {offload}
routes = none
[chain]
tcp = tcp-forward
udp = udp-forward
dns = dns-filter dns-upstream
protect = protect-mark
[dns-upstream]
server = 10.77.2.2
[dns-filter]
cache =
rule = b*.bench
answer = zero
'''

PEER = {
    'pasta': 'pasta -f --config-net --netns-only --netns /run/netns/{ns} '
             '--runas 0 -i eth1 --no-map-gw -t none -u none -T none -U none '
             '--no-dhcp --no-dhcpv6 --no-ra -D none -a 10.77.19.2 -n 24 '
             '-g 10.77.19.1 -a fd00:77:19::2 -g fd00:77:19::1',
    'slirp4netns': 'slirp4netns -c --enable-ipv6 --disable-dns '
                   '--netns-type=path /run/netns/{ns} tap0',
}


def die(text):
    sys.exit('bench: ' + text)


def sh(lines):
    subprocess.run(['sh', '-ec', lines], check=True)


def said(*command):
    """What it printed, whether it worked or not."""
    return subprocess.run(command, capture_output=True, text=True).stdout


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def remove_namespace(ns):
    for pid in said('ip', 'netns', 'pids', ns).split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    subprocess.run(['ip', 'netns', 'del', ns], stderr=subprocess.DEVNULL)


def remove_leftovers():
    """Of a benchmark that was killed: their names tell whose they were."""
    def left(owner):
        return owner.isdigit() and not os.path.exists('/proc/' + owner)
    for line in said('ip', 'netns', 'list').splitlines():
        ns = line.split()[0] if line.strip() else ''
        if ns.startswith(PREFIX) and left(ns[len(PREFIX):-1]):
            remove_namespace(ns)
    for path in glob.glob(os.path.join(tempfile.gettempdir(),
                                       FOLDER + '*.*')):
        if left(os.path.basename(path)[len(FOLDER):].split('.')[0]):
            shutil.rmtree(path, ignore_errors=True)


class World:
    def __init__(self, ways, families):
        name = PREFIX + str(os.getpid())
        self.client, self.gateway, self.server = (name + c for c in 'cgs')
        self.spaces = [self.client, self.gateway, self.server]
        self.client_of = {}
        self.folder = tempfile.mkdtemp(
            prefix='%s%d.' % (FOLDER, os.getpid()))
        self.programs = []
        self.pids = {}
        remove_leftovers()
        atexit.register(self.end)
        for sig in SIGNALS:
            signal.signal(sig, lambda *_: sys.exit(1))
        self.namespaces()
        addresses = [SERVER[f] for f in (4, 6)] + [
            to[f] for way, to in WAYS.items() for f in (4, 6)
            if way not in ('relay', 'splice')]
        self.start(self.server, [TOOLS + '/serve', PROBE] + addresses)
        self.start(self.server, [TOOLS + '/answer'] + addresses)
        for way in ways:
            self.client_of[way] = self.client
            if way in ('relay', 'splice'):
                self.relay(way, families)
            elif way in SLUICES:
                self.sluice(way)
            elif way in PEERS:
                self.peer(way, '%s%d' % (name, PEERS.index(way)))
        wait_for(lambda: self.answers(ways, families), 5)
        self.check()

    def end(self):
        for sig in SIGNALS:
            signal.signal(sig, signal.SIG_IGN)
        for _, p, _ in self.programs:
            if p.poll() is None:
                p.terminate()
        for _, p, _ in self.programs:
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
        for ns in self.spaces:
            remove_namespace(ns)
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_namespace(self, ns):
        sh('ip netns add %s; ip -n %s link set lo up' % (ns, ns))
        for key, value in SYSCTL.items():
            sh('ip netns exec %s sysctl -qw "%s=%s"' % (ns, key, value))

    def namespaces(self):
        c, g, s = self.client, self.gateway, self.server
        for ns in self.spaces:
            self.new_namespace(ns)
        sh(f'''
ip -n {c} link add eth0 type veth peer name eth0 netns {g}
ip -n {s} link add eth0 type veth peer name eth1 netns {g}
ip -n {c} addr add 10.77.1.2/24 dev eth0
ip -n {c} addr add fd00:77:1::2/64 dev eth0 nodad
ip -n {g} addr add 10.77.1.1/24 dev eth0
ip -n {g} addr add 10.77.1.3/24 dev eth0
ip -n {g} addr add fd00:77:1::1/64 dev eth0 nodad
ip -n {g} addr add fd00:77:1::3/64 dev eth0 nodad
ip -n {g} addr add 10.77.2.1/24 dev eth1
ip -n {g} addr add fd00:77:2::1/64 dev eth1 nodad
ip -n {s} addr add 10.77.2.2/24 dev eth0
ip -n {s} addr add fd00:77:2::2/64 dev eth0 nodad
ip -n {c} link set eth0 up
ip -n {g} link set eth0 up
ip -n {g} link set eth1 up
ip -n {s} link set eth0 up
ip -n {s} route add default via 10.77.2.1
ip -n {s} -6 route add default via fd00:77:2::1
ip -n {g} route add 10.77.3.0/24 via 10.77.2.2
ip -n {g} -6 route add fd00:77:3::/64 via fd00:77:2::2
ip -n {c} route add 10.77.3.1 via 10.77.1.1
ip -n {c} -6 route add fd00:77:3::1 via fd00:77:1::1''')
        for i in range(1, 7):
            sh(f'''
ip -n {s} addr add 10.77.3.{i}/32 dev lo
ip -n {s} addr add fd00:77:3::{i}/128 dev lo nodad''')

    def start(self, ns, command):
        name = os.path.basename(command[0])
        log = open(os.path.join(self.folder, '%d.log' % len(self.programs)),
                   'w+')
        p = subprocess.Popen(['ip', 'netns', 'exec', ns] + command,
                             stdin=subprocess.DEVNULL, stdout=log,
                             stderr=log)
        self.programs.append((name, p, log))
        return p

    def log(self, program):
        log = program[2]
        log.seek(0)
        return log.read().strip()[-2000:]

    def relay(self, way, families):
        """One for each family: their CPU seconds are told apart."""
        command = [TOOLS + '/relay'] + (['-s'] if way == 'splice' else [])
        for f in families:
            p = self.start(self.gateway, command + [
                WAYS[way][f], SERVER[f], IPERF, PROBE, ONCE])
            self.pids[way, f] = p.pid

    def sluice(self, way):
        n = 1 + SLUICES.index(way)
        dev = 'slb-' + way
        conf = os.path.join(self.folder, way + '.ini')
        with open(conf, 'w') as f:
            f.write(CONF.format(dev=dev, netns=self.client, n=n,
                                offload='off' if way == 'off' else 'on'))
        p = self.start(self.gateway, [SLUICE, 'run', '-c', conf])
        self.pids[way, 4] = self.pids[way, 6] = p.pid
        wait_for(lambda: p.poll() is not None or 'fd00:77:1%d::2' % n in
                 said('ip', '-n', self.client, '-6', 'addr', 'show', 'dev',
                      dev, 'up', '-tentative'), 10)
        if p.poll() is not None:
            die('sluice did not start: ' + self.log(self.programs[-1]))
        sh(f'''
ip -n {self.client} route add {WAYS[way][4]} dev {dev}
ip -n {self.client} -6 route add {WAYS[way][6]} dev {dev}''')

    def peer(self, way, ns):
        self.spaces.append(ns)
        self.client_of[way] = ns
        self.new_namespace(ns)
        # It takes what a router says, though it forwards itself.
        sh('ip netns exec %s sysctl -qw net.ipv6.conf.default.accept_ra=2' %
           ns)
        p = self.start(self.gateway, PEER[way].format(ns=ns).split())
        self.pids[way, 4] = self.pids[way, 6] = p.pid

        def routed():
            return all('default' in said('ip', '-n', ns, f, 'route')
                       for f in ('-4', '-6'))
        if not wait_for(routed, 10) or p.poll() is not None:
            die('%s did not start: %s' % (way, self.log(self.programs[-1])))

    def answers(self, ways, families):
        """Is every way open?"""
        return all(self.ask(w, ['%s/probe' % TOOLS, 'pingpong', 'tcp',
                                WAYS[w][f], PROBE, '1'], quiet=True)
                   for w in ways for f in families)

    def ask(self, way, command, quiet=False):
        """What a program in the client's namespace printed; None: it
        failed."""
        try:
            p = subprocess.run(['ip', 'netns', 'exec', self.client_of[way]] +
                               command, capture_output=True, text=True,
                               timeout=60)
        except subprocess.TimeoutExpired:
            return None
        if not p.returncode:
            return p.stdout
        reason = (p.stderr or p.stdout).strip().splitlines()
        reason = [r for r in reason if 'error' in r] or reason
        if not quiet:
            print('\nbench: %s, %s: %s' % (way, ' '.join(command), ''.join(
                reason[-1:])), file=sys.stderr)
        return None

    def check(self):
        for program in self.programs:
            if program[1].poll() is not None:
                die('%s ended: %s' % (program[0], self.log(program)))

    def gateway_pids(self):
        return [p.pid for _, p, _ in self.programs
                if p.pid in self.pids.values()]

    def end_pids(self):
        return [p.pid for _, p, _ in self.programs
                if p.pid not in self.pids.values()]

    def cpu(self, way, family):
        """Seconds of CPU that the program of a way has used, or None."""
        if (way, family) not in self.pids:
            return None
        with open('/proc/%d/stat' % self.pids[way, family]) as f:
            fields = f.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def memory(self, way):
        """Resident KiB of the program of a way."""
        with open('/proc/%d/status' % self.pids[way, 4]) as f:
            for line in f:
                if line.startswith('VmRSS:'):
                    return int(line.split()[1])
        return None


class Held:
    """Connections or UDP sessions that just are, until it is closed."""

    def __init__(self, world, way, proto, count):
        self.p = subprocess.Popen(
            ['ip', 'netns', 'exec', world.client_of[way], TOOLS + '/probe',
             'hold', proto, WAYS[way][4], PROBE, str(count)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.p.stdout.readline().strip() != str(count):
            die('%d of %s through %s cannot be held' % (count, proto, way))
        atexit.register(self.close)

    def close(self):
        if self.p.poll() is None:
            self.p.communicate('\n')
