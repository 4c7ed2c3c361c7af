# SPDX-License-Identifier: MIT
"""What the benchmark prints"""

import statistics

from rows import Figure
from world import PEERS

WIDE = 0.15  # a spread above it says that the machine was not quiet


def number(v):
    if v is None:
        return '-'
    return '%.0f' % v if abs(v) >= 1000 else '%.3g' % v


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def mean(values):
    values = list(values)
    return None if None in values else statistics.mean(values)


class Result:
    """A budget, and what came of it in each round: what was measured in the
    same seconds is compared, and the median of that taken."""

    def __init__(self, budget, figures):
        self.budget = budget
        self.values = []
        row = budget.row
        for n in range(max(map(len, figures.values()))):
            ours = figures[budget.of][n]
            base = self.against(figures, n)
            if ours is not None and base:
                self.values.append(ours - base if budget.more else
                                   ours / base)
        self.middle = median(self.values)
        self.spread = 0
        if self.middle and not budget.more:
            self.spread = (max(self.values) - min(self.values)) / self.middle
        self.figure = median(figures[budget.of])
        aim = budget.aim
        if isinstance(aim, tuple):
            aim, base = (median(figures.get(aim, [])),
                         median(figures.get(budget.against, [])))
            aim = aim / base if aim and base else None
        elif isinstance(aim, Figure):
            aim = aim * self.middle / self.figure if self.middle else None
        self.aim = aim
        self.lower = row.lower

    def against(self, figures, n):
        if self.budget.against != 'peers':
            return figures[self.budget.against][n]
        best = [v[n] for end, v in figures.items()
                if end[0] in PEERS and v[n] is not None]
        return self.budget.row.better(best) if best else None

    def verdict(self):
        def reached(what):
            return what is not None and (
                self.middle <= what if self.lower else self.middle >= what)
        if self.middle is None:
            return 'not measured'
        if self.budget.least is None:
            return ''
        if not reached(self.budget.least):
            return 'MISSED'
        return 'aim' if reached(self.aim) else 'ok'

    def line(self):
        least = self.budget.least
        sign = '<=' if self.lower else '>='
        wide = '!' if self.spread > WIDE else ' '
        return '%-56s %7s %7s %7s%s %9s %6s  %s' % (
            self.budget.name(), number(self.middle),
            number(min(self.values, default=None)),
            number(max(self.values, default=None)), wide,
            '' if least is None else '%s %.3g' % (sign, least),
            '' if self.aim is None else number(self.aim), self.verdict())

    def as_json(self):
        return {'name': self.budget.name(), 'values': self.values,
                'median': self.middle, 'at_least': self.budget.least,
                'aim': self.aim, 'verdict': self.verdict()}


def figures(rows, measured, costs, families):
    """Medians, a column a way."""
    for family in families:
        ways = []
        for row in rows:
            ways += [w for w, f in row.ends if f == family and w not in ways]
        print('\nIPv%d%s' % (family, ''.join('%12s' % w for w in ways).rjust(
            37 + 12 * len(ways))))
        for row in rows:
            print('%-33s %-7s' % (row.name, row.unit) + ''.join(
                '%12s' % number(median(measured[row.name].get(
                    (w, family), []))) for w in ways))
        paid = [r for r in rows if any(median(v) is not None for end, v in
                                       costs[r.name].items()
                                       if end[1] == family)]
        if paid:
            print('CPU seconds of the program itself per GB')
        for row in paid:
            print('%-41s' % row.name + ''.join('%12s' % number(median(
                costs[row.name].get((w, family), []))) for w in ways))


def budgets(results, facts):
    print('\n%-56s %7s %7s %7s  %9s %6s' % (
        'Budget', 'median', 'least', 'most', 'allowed', 'aim'))
    for result in results:
        print(result.line())
    for name, value, unit, most in facts:
        print('%-56s %7s %-16s %9s         %s' % (
            name, number(value), unit, '<= ' + number(most),
            'not measured' if value is None else
            'ok' if value <= most else 'MISSED'))
    wide = sum(r.spread > WIDE for r in results)
    if wide:
        print('! %d of %d ratios changed by more than %d %% from round to '
              'round: this machine was\n  not quiet, or has too few cores.' %
              (wide, len(results), WIDE * 100))
