"""Which kind of layout the table of a plan has: one for each accelerator, along all its counts."""

from __future__ import annotations

import numpy as np

from advisor.search.grid import SetUp
from advisor.search.layouts import Index
from advisor.search.plan_groups import numbers_of
from advisor.search.plan_options import Options
from advisor.search.plan_taste import AS_GOOD


def of_one_kind(options: Options) -> Options:
    """Of each accelerator the rows of one kind of layout.

    A kind has the ways up to one (`SetUps.way`), so that more devices are never slower for what they may not
    take. The plainest kind is taken that is as good at the objective as the best of all, and on as few
    devices, but for `Taste.loss_of`: judged by the whole table, since what one count alone gives away shows
    as a jump at the next that must take another kind.
    """
    if len(options.found.kinds) == 1:
        return options
    loss = options.found.taste.loss_of(options.found.space.job)
    chosen = np.zeros(len(options), dtype=bool)
    for device in numbers_of(options.device)[0]:
        rows = np.flatnonzero(options.device == device)
        chosen[rows] = options.found.kinds[_kind_of(options, rows, loss), rows]
    return options.take(np.flatnonzero(chosen))


def _kind_of(options: Options, rows: Index, loss: float) -> int:
    """The plainest kind that gives away no more than `loss` of what the best of these rows has."""
    kinds, packages = options.found.kinds, options.told["packages"]
    objective = options.limits.objective
    value = options.figure(objective)
    kept = rows[options.kept[rows]]
    if len(kept):
        kept = _foremost(options, kept, objective)
        best = fewest_as_good(options, kept, objective)
        good = kept[(value[kept] <= loss * value[best]) & (packages[kept] <= loss * packages[best])]
    else:  # what comes nearest to the limits, whatever it takes
        good = rows[options.worst[rows] <= AS_GOOD * options.worst[rows].min()]
    if not len(good):  # nothing of it can be compared
        return len(kinds) - 1
    return int(np.argmax(kinds[:, good].any(axis=1)))


def _foremost(options: Options, rows: Index, objective: str) -> Index:
    """Of rows those of the first class of costs, where cost ranks."""
    if objective != "cost":
        return rows
    return np.asarray(rows[options.behind[rows] == options.behind[rows].min()])


def fewest_as_good(options: Options, rows: Index, objective: str) -> int:
    """Of rows as good as the best of them that with the fewest packages."""
    rows, value = _foremost(options, rows, objective), options.figure(objective)
    good = rows[value[rows] <= AS_GOOD * value[rows].min()]
    return int(good[np.argmin(options.told["packages"][good])]) if len(good) else int(rows[0])


def other_kind(every: Options, taken: Options, row: int) -> tuple[SetUp, SetUp, float] | None:
    """For a row that is taken: its layout, the best of the other kind, stock or not, on as many devices, and
    the time of that over its own; None where there is none."""
    found, stock = every.found, every.found.space.set_ups.stock
    mine = int(taken.found.set_up[row])
    here = (every.device == taken.device[row]) & (every.counts == taken.counts[row])
    others = np.flatnonzero(here & (stock[found.set_up] != stock[mine]))
    if not len(others):
        return None
    other = int(others[np.argmin(found.time[others])])
    ratio = float(found.time[other] / taken.found.time[row])
    return found.space.set_ups.row(mine), found.space.set_ups.row(int(found.set_up[other])), ratio
