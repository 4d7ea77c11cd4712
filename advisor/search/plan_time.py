"""Days on the calendar as a distribution: what is kept to with a probability, chance of a deadline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from advisor.estimate import Range, Table, evaluate, evaluate_ranges
from advisor.rulebook import RuleBook
from advisor.schema import Quantity
from advisor.search.plan_product import Array

_Z80 = 1.2815515655446008  # standard deviations to either end of an 80 % range: NormalDist().inv_cdf(0.9)


KEPT = "calendar_at_s"
"""The figure by which a run is in time: what it keeps to, from start to last step, with `CONFIDENCE`."""

CONFIDENCE = 0.9
"""Of limits that say no other (`PlanLimits.confidence`)."""


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


def calendar_of(book: RuleBook, table: Table, time: Range | None = None) -> Calendar:
    """Calendar time with its range, given that of the steps where it is known already.

    The range of the time itself comes from the scenarios and the published runs near it. Failures, restarts,
    evaluation and start-up are independent of that and of each other, so each constant is moved to its ends
    alone and the ratios are added as independent errors. (All at their bad end at once, at 4,096 devices,
    would take twice as long as nine runs of ten do.)
    """
    if time is None:
        time = evaluate_ranges(book, table, ("time_s",))["time_s"]
    timed = evaluate(book, table, ("time_s", "calendar_s"))
    median = timed.columns["calendar_s"]
    with np.errstate(all="ignore"):
        up, down = np.log(time.high / time.value) ** 2, np.log(time.value / time.low) ** 2
        for moved in _moved(book, timed, _own_constants(book)):
            ratios = [*(moved / median), np.ones_like(median)]
            up += np.log(np.maximum.reduce(ratios)) ** 2
            down += np.log(np.minimum.reduce(ratios)) ** 2
        return Calendar(median, median * np.exp(-np.sqrt(down)), median * np.exp(np.sqrt(up)))


def kept_to(book: RuleBook, table: Table, time: Range | None = None) -> Array:
    """Seconds on the calendar that each candidate keeps to with the usual probability, of the steps alone
    where no more is known; NaN: not known."""
    time = time or evaluate_ranges(book, table, ("time_s",))["time_s"]
    if "calendar_s" not in book.quantities:
        return time.high
    late = calendar_of(book, table, time).at(CONFIDENCE)
    return np.where(np.isnan(late), time.high, late)


def kept_with(time: Quantity, probability: float) -> float:
    """What a run keeps to with this probability, by its time on the calendar with the 80 % range."""
    return float(_calendar(time).at(probability)[0])


def chance_of(time: Quantity, deadline_s: float) -> float:
    """The probability that it ends before the deadline; NaN where its time is not known."""
    return float(_calendar(time).chance(deadline_s)[0])


def _calendar(time: Quantity) -> Calendar:
    value = math.nan if time.value is None else time.value
    ends = (value if end is None else end for end in (value, time.low, time.high))
    return Calendar(*(np.array([end]) for end in ends))


def kept_told(late_s: float) -> dict[str, Quantity]:
    """The same as a figure of an estimate; none where it is not known."""
    return {KEPT: Quantity(value=late_s, unit="s")} if math.isfinite(late_s) else {}


def priced(book: RuleBook, table: Table, calendar: Calendar, want: tuple[str, ...]) -> dict[str, Range]:
    """Quantities that follow from calendar time (rent, energy), at its median and both ends."""
    columns = {name: values for name, values in table.columns.items() if name not in table.computed}
    ends = replace(table, columns=columns, computed=frozenset()).take(np.tile(np.arange(table.rows), 3))
    time = np.concatenate([calendar.median, calendar.low, calendar.high])
    given = replace(
        ends,
        columns={**ends.columns, "calendar_s": time},
        computed=frozenset({"calendar_s"}), scenario="middle", digest=book.digest,
    )  # fmt: skip
    found = evaluate(book, given, want, keep_all=False).columns
    return {name: Range(*found[name].reshape(3, table.rows)) for name in want}


def _moved(book: RuleBook, timed: Table, names: Sequence[str]) -> Array:
    """Calendar time with each constant alone at either end of its range: (constants, 2, rows).

    All are rows of one table: with few candidates most of the time goes into asking, not computing.
    """
    if not names:
        return np.empty((0, 2, timed.rows))
    ends = 2 * len(names)
    constants: dict[str, Array] = {}
    for at, name in enumerate(names):
        own = timed.constants.get(name, np.asarray(book.constants[name].at("middle")))
        constants[name] = np.broadcast_to(own, (ends, timed.rows)).copy()
        constants[name][2 * at] = book.constants[name].low
        constants[name][2 * at + 1] = book.constants[name].high
    many = timed.take(np.tile(np.arange(timed.rows), ends))
    moved = many.with_constants({name: values.ravel() for name, values in constants.items()}, book)
    found = evaluate(book, moved, ("calendar_s",), keep_all=False).columns["calendar_s"]
    return found.reshape(len(names), 2, timed.rows)


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
