# SPDX-License-Identifier: MIT
"""What the benchmark measures, and what it should find

A row is measured on several ways; a budget is what a row of sluice's should
come to against another.
"""

import measure
from world import PEERS


class Figure(float):
    """An aim that is no ratio, but in the unit of its row."""


class Budget:
    """of against another: a ratio, or with more a difference.  Ends are
    (way, family).  against 'peers': the best of those there are."""

    def __init__(self, row, of, against, least, aim=None, more=False):
        self.row, self.of, self.against = row, of, against
        self.least, self.aim, self.more = least, aim, more

    def name(self):
        def text(end):
            return 'the best peer' if end == 'peers' else \
                end[0] if end[1] == 4 else end[0] + ' IPv6'
        return '%s: %s %s %s' % (self.row.name, text(self.of),
                                 'above' if self.more else 'to',
                                 text(self.against))


class Row:
    def __init__(self, name, unit, base, run, lower=False):
        self.name, self.unit, self.base, self.run = name, unit, base, run
        self.lower = lower
        self.in_turns = unit in ('Gbit/s', '1/s')
        self.ends = []
        self.budgets = []

    def better(self, values):
        return (min if self.lower else max)(values)


# name, prefix and number of names (0: none twice), at least of the kernel's,
# aim.  See answer.c for prefixes.
DNS = [
    ('forwarded', 'w', 0, 0.9, None),
    ('from the cache', 'k', 1000, 1.0, None),
    ('blocked', 'b', 0, 1.0, None),  # by world.py's rule
]


def rows():
    """(row, against, at least with and without offload, aim with and
    without, measured with peers too).  An aim is a way, a ratio, or a
    Figure."""
    for flows, down, least, bare, bare_aim in (
            (1, False, 1.1, 0.19, Figure(15)),
            (1, True, 1.3, 0.17, Figure(4.8)),
            (10, False, 1.0, None, None), (10, True, 1.1, None, None)):
        yield (Row('TCP %s, %d flow%s' % ('down' if down else 'up', flows,
                                          's' if flows > 1 else ''),
                   'Gbit/s', 'relay', measure.bulk(flows, down)),
               (least, bare), ('splice', bare_aim), True)
    for proto in 'tcp', 'udp':
        for one in False, True:
            yield (Row('%s 1-byte round trip, %s' % (
                proto.upper(), 'one core' if one else 'two cores'), 'us',
                'relay', measure.pingpong(proto, one), lower=True),
                (1.0, None), (None, None), True)
    for n, least in (1, 0.9), (100, 1.1):
        yield (Row('new connections, %d at a time' % n, '1/s', 'relay',
                   measure.connects(n)),
               (least, None), ('kernel', None), True)
    for size in 64, 1400:
        for direction in 'up', 'down':
            yield (Row('UDP %s, %d B, loss < 0.5 %%' % (direction, size),
                       '1000/s', 'kernel',
                       measure.datagrams(size, direction)),
                   (0.8, None), (1.0, None), True)
    for name, prefix, names, least, aim in DNS:
        yield (Row('DNS %s, 100 at a time' % name, '1/s', 'kernel',
                   measure.questions(prefix, names, 100, False)),
               (least, None), (aim, None), False)
        yield (Row('DNS %s, one at a time' % name, 'us', 'kernel',
                   measure.questions(prefix, names, 1, True), lower=True),
               (100, None), (None, None), False)


def plan(ways, families, only):
    """The rows to measure, each with its ends and budgets."""
    chosen = []
    for row, least, aims, peers in rows():
        if only and not any(o.lower() in row.name.lower() for o in only):
            continue
        tcp = row.base == 'relay'
        more = row.unit == 'us' and row.name.startswith('DNS')
        use = [w for w in ways if
               w in ('kernel', 'on', 'off', 'idle') or
               (w in PEERS and peers) or (w in ('relay', 'splice') and tcp)]
        row.ends = [(w, f) for w in use for f in families
                    if f == 4 or w not in PEERS + ('idle', 'splice')]
        there = set(row.ends)

        def budget(of, against, *rest):
            known = against in there or (
                against == 'peers' and any(e[0] in PEERS for e in there))
            if of in there and known:
                row.budgets.append(Budget(row, of, against, *rest))
        for f in families:
            for way, low, aim in zip(('on', 'off'), least, aims):
                if isinstance(aim, str):
                    aim = (aim, f)
                if low is not None or f == 4:
                    budget((way, f), (row.base, f), low, aim, more)
        near = 1 / 0.95 if row.lower else 0.95
        budget(('idle', 4), ('on', 4), near, 1.0)
        if row.unit == 'Gbit/s':
            budget(('on', 6), ('on', 4), near)
        budget(('on', 4), 'peers', 1.0)
        chosen.append(row)
    return chosen
