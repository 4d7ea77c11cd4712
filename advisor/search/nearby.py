"""Estimates corrected by the published runs nearest to them, with their ranges and the runs named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from advisor.data.programs import KIND, PILOT
from advisor.estimate import Table, evaluate
from advisor.estimate.features import QUANTITIES, plain, sizes_of, words_of
from advisor.estimate.table import Source
from advisor.neighbours import Told
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Kind, NearRun

FACTOR = "neighbour_factor"
_Z80 = 1.2816  # standard deviations that hold 80 % of a normal distribution
_NAMED = 3  # runs that an estimate names
_NO_SUCH_NETWORK = (
    "No published run here trains a network of this kind on devices of this generation: "
    "the range is wider for it."
)
_LONGER = (
    "No run with sequences of more than {:,.0f} tokens is among those that are compared: "
    "the range is wider for it."
)
_UNLIKE = {
    "generation": "No training run on devices of this generation is published here: "
    "the range is that of a guess by its data sheet.",
    "kind": _NO_SUCH_NETWORK,
    "family": _NO_SUCH_NETWORK,
    "device": "No run on this very device is published here: others of its generation stand in, "
    "and the range is wider for it.",
}


FARTHER = 0.1
"""Standard deviation of ln(time) of twice as many devices as in any published run, growing with the root of
the doublings: of 452 pairs of published runs that differ in their number of devices alone, by a doubling and
up to eight, the larger is off from the smaller by 0.05 to 0.10 for the root of each doubling."""


@dataclass(frozen=True)
class Nearby:
    """The table with its correction as a column, and what it was made from."""

    table: Table
    told: Told | None = None
    published: Published | None = None
    unlike: Sequence[str] = ()
    beyond: Sequence[float] = ()  # doublings by which sequences are longer than in any run

    def notes(self, row: int) -> tuple[str, ...]:
        """What must be known of a row beside its neighbours: that none is like it."""
        told = _UNLIKE.get(self.unlike[row]) if self.unlike else None
        found = [told] if told else []
        if self.published is not None and self.beyond and self.beyond[row] > 0:
            found.append(_LONGER.format(self.published.longest))
        return tuple(found)

    def take(self, rows: npt.NDArray[np.int64]) -> Nearby:
        """Some rows."""
        told = self.told
        if told is not None:
            told = Told(told.correction[rows], told.deviation[rows], told.nearest[rows], told.weights[rows])
        unlike = [self.unlike[row] for row in rows] if self.unlike else ()
        beyond = [self.beyond[row] for row in rows] if self.beyond else ()
        return Nearby(self.table.take(rows), told, self.published, unlike, beyond)

    @classmethod
    def joined(cls, parts: Sequence[Nearby]) -> Nearby:
        """Rows of one table that were corrected in parts, one after the other."""
        if len(parts) == 1:
            return parts[0]
        first, tables = parts[0], [part.table for part in parts]
        columns, ranges = tables[0].columns, tables[0].ranges
        sources = dict(tables[0].sources)
        if FACTOR in sources:
            each = [cast("Sequence[Source]", table.sources[FACTOR]) for table in tables]
            sources[FACTOR] = [one for part in each for one in part]
        table = replace(
            tables[0],
            rows=sum(table.rows for table in tables),
            columns={name: np.concatenate([table.columns[name] for table in tables]) for name in columns},
            ranges={
                name: (np.concatenate([t.ranges[name][0] for t in tables]),
                       np.concatenate([t.ranges[name][1] for t in tables]))
                for name in ranges
            },
            sources=sources,
        )  # fmt: skip
        tolds = [part.told for part in parts if part.told is not None]
        fields = ("correction", "deviation", "nearest", "weights")
        told = (
            Told(*(np.concatenate([getattr(one, name) for one in tolds]) for name in fields))
            if tolds
            else None
        )
        unlike = [word for part in parts for word in part.unlike]
        beyond = [far for part in parts for far in part.beyond]
        return cls(table, told, first.published, unlike, beyond)

    def runs(self, row: int) -> tuple[NearRun, ...]:
        """The published runs that say most about a row, nearest first."""
        if self.told is None or self.published is None:
            return ()
        found = []
        for at in range(min(_NAMED, self.told.nearest.shape[1])):
            run = int(self.told.nearest[row, at])
            residual = float(self.published.neighbours.residuals[run])
            measured = float(self.published.measured_s[run])
            weight = float(self.told.weights[row, at])
            counted = f", weight {weight:.2f}" if run in self.published.own else ""
            found.append(
                NearRun(
                    id=self.published.ids[run],
                    title=self.published.labels[run] + counted,
                    source=self.published.sources[run],
                    measured_s=measured,
                    rules_s=measured * float(np.exp(-residual)),
                    weight=weight,
                )
            )
        return tuple(found)


def with_neighbours(  # noqa: PLR0913, PLR0917 - what is asked, row by row
    book: RuleBook,
    published: Published | None,
    table: Table,
    networks: Sequence[str],
    devices: Sequence[str],
    programs: Sequence[str] = (),
) -> Nearby:
    """The table with the column `neighbour_factor` and its 80 % range; as it is without `published`.

    `networks` are preset ids, `devices` catalogue ids, one for each row; `programs` who trains, as
    published runs name it ("" or none: not known). Rules that do not know the column (a user's own) get no
    correction; under time rules of a user's own only that user's runs correct, and without any the range is
    that of times that no published run is near to.
    """
    if published is None or FACTOR not in book.columns or not table.rows:
        return Nearby(table)
    known = evaluate(book, table, QUANTITIES, keep_all=False)
    named = [_word(program) for program in programs] or [""] * table.rows
    told_as = published.known["network"]  # a network without a preset is compared as runs spell it
    spelt = [name if name in told_as else plain(name) for name in networks]
    words = words_of(known, named, spelt, devices)
    own = own_time_rules(book)
    if own and not published.own:
        return _uncorrected(table, published, words, own)
    if own:
        published = published.of_own()
    told = published.tell(words, sizes_of(known))
    told = replace(told, deviation=np.hypot(told.deviation, _rate_doubt(book, words["generation"])))
    told = replace(told, deviation=np.hypot(told.deviation, _scale_doubt(book, table)))
    low, high = (np.exp(told.correction + sign * _Z80 * told.deviation) for sign in (-1, 1))
    inputs = {name: values for name, values in table.columns.items() if name not in table.computed}
    sources = [_source(published, told, row) for row in range(table.rows)]
    corrected = replace(
        table, columns={**inputs, FACTOR: np.exp(told.correction)}, computed=frozenset(), scenario="",
        digest="", ranges={**table.ranges, FACTOR: (low, high)}, sources={**table.sources, FACTOR: sources},
    )  # fmt: skip
    beyond = published.beyond(words, sizes_of(known)).tolist()
    return Nearby(corrected, told, published, published.unlike(words), beyond)


def _uncorrected(
    table: Table, published: Published, words: Mapping[str, Sequence[str]], own: Sequence[str]
) -> Nearby:
    """The table with the range of times that nothing published is near to: the shipped residuals are of
    other rules than these."""
    deviation = published.without_runs(words)
    low, high = (np.exp(sign * _Z80 * deviation) for sign in (-1, 1))
    inputs = {name: values for name, values in table.columns.items() if name not in table.computed}
    source = (Kind.stated.value, f"not corrected: rules of your own ({', '.join(own[:3])})")
    return Nearby(replace(
        table, columns={**inputs, FACTOR: np.ones(table.rows)}, computed=frozenset(), scenario="", digest="",
        ranges={**table.ranges, FACTOR: (low, high)},
        sources={**table.sources, FACTOR: [source] * table.rows},
    ))  # fmt: skip


def own_time_rules(book: RuleBook) -> tuple[str, ...]:
    """Entries of a user's folders, as 'rule step-time (mine.toml)', that step times rest on; () is none."""
    key = "own_time_rules"
    if key not in book.remembered:
        book.remembered[key] = tuple(_own_time_rules(book))
    found: tuple[str, ...] = book.remembered[key]
    return found


_TIME = "step_s"
_NOT_OF_TIME = ("column", "hint")


def _own_time_rules(book: RuleBook) -> Iterator[str]:
    replaced = {(one.kind, one.id): one.file for one in book.overrides}
    for (kind, name), file in replaced.items():
        if kind in _NOT_OF_TIME:
            continue
        rule = book.rules.get(name) if kind == "rule" else None
        # of kinds other than rules and constants (operators, curves) nearly all are of time
        gives = rule.gives if rule is not None else name if kind == "constant" else ""
        if not gives or gives == _TIME or _TIME in book.resting_on((gives,)):
            yield f"{kind} {name} ({Path(file).name})"
    if len(book.folders) < 2:
        return
    shipped = book.folders[0]
    for rule in book.rules.values():
        if rule.folder == shipped or ("rule", rule.id) in replaced:
            continue
        if rule.gives == _TIME or _TIME in book.resting_on((rule.gives,)):
            yield f"rule {rule.id} ({Path(rule.file).name})"


def _scale_doubt(book: RuleBook, table: Table) -> npt.NDArray[np.float64]:
    """Standard deviations for more devices than any published run of their generation has; cards apart, of
    which runs on several servers are too few to tell."""
    if "scale_limit" not in book.quantities or "devices" not in table.columns:
        return np.zeros(table.rows)
    limit = evaluate(book, table, ("scale_limit",), keep_all=False).columns["scale_limit"]
    cards = np.nan_to_num(table.columns.get("hw_card", np.zeros(table.rows)))
    with np.errstate(all="ignore"):
        doublings = np.nan_to_num(np.log2(table.columns["devices"] / limit))
    return np.where(cards > 0, 0.0, FARTHER * np.sqrt(np.maximum(doublings, 0.0)))


def _rate_doubt(book: RuleBook, generations: Sequence[str]) -> npt.NDArray[np.float64]:
    """Standard deviations of the rate where one fitted constant stands for all that a device does: with a few
    runs behind both, what these say of the rest is no surer than the constant (rules/constants/time.toml)."""
    rates = [book.constants.get(f"published_rate__{generation}") for generation in generations]
    return np.array([0.0 if rate is None else rate.spread or 0.0 for rate in rates])


def _word(program: str) -> str:
    return program if program in ("", PILOT) else KIND + program


def _source(published: Published, told: Told, row: int) -> tuple[str, str]:
    """The runs behind a row's correction: the user's own first, with how much of what it says counts."""
    nearest = told.nearest[row]
    for at, run in enumerate(nearest.tolist()) if published.own else ():
        if run in published.own:
            ratio = float(np.exp(published.neighbours.residuals[run]))
            return Kind.stated.value, (
                f"own run {published.ids[run]}: x {ratio:.3g} of the rules, weight "
                f"{float(told.weights[row, at]):.2f}; and {len(nearest) - 1} more runs near it"
            )
    return Kind.published.value, f"{published.ids[int(nearest[0])]} and {len(nearest) - 1} more runs near it"
