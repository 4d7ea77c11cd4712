"""Days on the calendar as a distribution: what is kept to with a probability, chance of a deadline."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from advisor.estimate import Range, Table, evaluate, evaluate_ranges
from advisor.rulebook import RuleBook
from advisor.search.plan_product import Array

_Z80 = 1.2815515655446008  # standard deviations to either end of an 80 % range: NormalDist().inv_cdf(0.9)


@dataclass(frozen=True)
class Calendar:
    """Seconds from start to last step of each candidate: median and 80 % range, lognormal on either side."""

    median: Array
    low: Array
    high: Array

    def at(self, probability: float) -> Array:
        """What a run keeps to with this probability."""
        from statistics import NormalDist

        z = NormalDist().inv_cdf(probability)
        end = self.high if z >= 0 else self.low
        return np.asarray(self.median * (end / self.median) ** (abs(z) / _Z80))

    def chance(self, deadline_s: float) -> Array:
        """The probability of ending before the deadline; unknown where the time is."""
        from statistics import NormalDist

        late = np.log(deadline_s / self.median)
        spread = np.where(late >= 0, np.log(self.high / self.median), np.log(self.median / self.low)) / _Z80
        z = late / np.maximum(spread, 1e-9)
        return np.array([NormalDist().cdf(one) if math.isfinite(one) else math.nan for one in z])


def calendar_of(book: RuleBook, table: Table) -> Calendar:
    """Calendar time with its range.

    The range of the time itself comes from the scenarios and the published runs near it. Failures, restarts,
    evaluation and start-up are independent of that and of each other, so each constant is moved to its ends
    alone and the ratios are added as independent errors. (All at their bad end at once, at 4,096 devices,
    would take twice as long as nine runs of ten do.)
    """
    time = evaluate_ranges(book, table, ("time_s",))["time_s"]
    timed = evaluate(book, table, ("time_s", "calendar_s"))
    median = timed.columns["calendar_s"]
    with np.errstate(all="ignore"):
        up, down = np.log(time.high / time.value) ** 2, np.log(time.value / time.low) ** 2
        for name in _own_constants(book):
            constant = book.constants[name]
            moved = [_moved(book, timed, name, end) / median for end in (constant.low, constant.high)]
            up += np.log(np.maximum.reduce([*moved, np.ones_like(median)])) ** 2
            down += np.log(np.minimum.reduce([*moved, np.ones_like(median)])) ** 2
        return Calendar(median, median * np.exp(-np.sqrt(down)), median * np.exp(np.sqrt(up)))


def priced(book: RuleBook, table: Table, calendar: Calendar, want: tuple[str, ...]) -> dict[str, Range]:
    """Quantities that follow from calendar time (rent, energy), at its median and both ends."""
    found = {}
    for end in ("median", "low", "high"):
        columns = {name: values for name, values in table.columns.items() if name not in table.computed}
        given = replace(
            table, columns={**columns, "calendar_s": getattr(calendar, end)},
            computed=frozenset({"calendar_s"}), scenario="middle", digest=book.digest,
        )  # fmt: skip
        found[end] = evaluate(book, given, want, keep_all=False).columns
    return {name: Range(*(found[end][name] for end in ("median", "low", "high"))) for name in want}


def _moved(book: RuleBook, timed: Table, constant: str, value: float) -> Array:
    """Calendar time with one constant at an end of its range, everything else as it was."""
    moved = timed.with_constants({constant: value}, book)
    return evaluate(book, moved, ("calendar_s",), keep_all=False).columns["calendar_s"]


def _own_constants(book: RuleBook) -> list[str]:
    """Constants with a range that calendar time rests on and the time of the steps does not."""
    own = constants_behind(book, "calendar_s") - constants_behind(book, "time_s")
    return sorted(name for name in own if book.constants[name].low < book.constants[name].high)


def constants_behind(book: RuleBook, name: str) -> set[str]:
    """Constants that a quantity rests on."""
    seen, pending = {name}, [name]
    while pending:
        quantity = book.quantities.get(pending.pop())
        if quantity is None:
            continue
        new = {used for rule in quantity.rules for used in rule.inputs} - seen
        seen |= new
        pending += new
    return {one for one in seen if one in book.constants}
