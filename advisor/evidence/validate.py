"""What the rules and their neighbours say of published runs, beside what was measured."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from advisor.data.catalogue import Catalogue
from advisor.errors import UserError
from advisor.estimate import Table, evaluate, evaluate_ranges, explain
from advisor.estimate.evaluate import Range
from advisor.estimate.explain import why_unknown
from advisor.estimate.features import QUANTITIES, plain, sizes_of, words_of
from advisor.estimate.inputs import Inputs, known_only, table_of
from advisor.evidence.fit import problem_of
from advisor.evidence.inputs import Run, shipped_evidence
from advisor.evidence.leave_out import folds_of, left_out
from advisor.evidence.measured import MEMORY_KINDS, highest_kind
from advisor.evidence.memory import memory_kind
from advisor.evidence.memory_fit import spans_without
from advisor.evidence.own import without
from advisor.evidence.reasons import plain_reason
from advisor.evidence.record import Record
from advisor.evidence.suspicious import beyond_peak, needed
from advisor.evidence.table import (
    Asked,
    Evidence,
    predicted_step,
    read_blocks,
    read_evidence,
    step_scale,
    table_of_runs,
)
from advisor.neighbours import encode, vocabulary, widened
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import TraceStep

Vector = npt.NDArray[np.float64]

Z80 = 1.2816
"""Standard deviations that hold 80 % of a normal distribution."""


MOST_LEFT_OUT = 20_000
"""Rows that can be predicted without their own kind: some minutes."""

_LONG = 8192  # rows of a part from which on its runs are kept lighter
_FITS = 0.35  # share of the time that fitting again takes; asking neighbours again takes the rest
_KEPT = ("source", "source_key", "publisher", "model", "num_accelerators")  # of their records
_GIB = 2.0**30
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Judged:
    """One quantity of one run: measured and predicted with its 80 % range, or refused with the reason."""

    id: str
    quantity: str
    measured: float = math.nan
    predicted: float = math.nan
    low: float = math.nan
    high: float = math.nan
    refused: str = ""
    run: Run | None = None

    @property
    def error(self) -> float:
        """predicted / measured - 1; for `fits` the difference."""
        if self.quantity == "fits":
            return self.predicted - self.measured
        return self.predicted / self.measured - 1.0

    def as_json(self) -> dict[str, Any]:
        """As `validate --json` prints it."""
        if self.refused:
            return {"id": self.id, "quantity": self.quantity, "refused": self.refused}
        figures = {"measured": self.measured, "predicted": self.predicted, "low": self.low, "high": self.high}
        return {"id": self.id, "quantity": self.quantity, **figures, "error": self.error}


@dataclass(frozen=True)
class _LeaveOut:
    """What leaves before a row is predicted, and who hears what share is done."""

    way: str
    tell: Callable[[float], None]


def _silent(_done: float) -> None:
    """Nobody listens."""


def judge(  # noqa: PLR0913 - all but three by name
    book: RuleBook,
    published: Published,
    paths: Sequence[Path] = (),
    *,
    way: str = "none",
    catalogue: Catalogue | None = None,
    tell: Callable[[float], None] = _silent,
    unread: Counter[str] | None = None,
) -> list[Judged]:
    """Every quantity of every record in `paths` (default: the shipped evidence).

    `way` says what leaves constants and neighbours before a row is predicted: none, group, source
    or publisher; `tell` hears then what share is done, 0 to 1. `unread` is filled with the names of fields
    that nobody reads and how many records have them. Raises UserError for a file that cannot be
    read; what is wrong with a record is its refusal.
    """
    leave = _LeaveOut(way, tell)
    unread = Counter() if unread is None else unread
    files = paths or shipped_evidence()
    if way != "none":
        evidence = read_evidence(book, files, catalogue)
        unread.update(evidence.unread)
        if len(evidence.runs) > MOST_LEFT_OUT:
            raise UserError(
                f"{len(evidence.runs):,} rows are too many to leave each out",
                "Give a part, or --leave-out none.",
            )
        return _judged(book, published, evidence, leave)
    found: list[Judged] = []
    for evidence in read_blocks(book, files, catalogue):
        unread.update(evidence.unread)
        part = _judged(book, published, evidence, leave)
        found += part if len(part) < _LONG else [_lighter(row) for row in part]
    return found


def _lighter(row: Judged) -> Judged:
    """Of long files the runs are kept with what slices them, not with all that they were predicted from."""
    if row.run is None:
        return row
    values = row.run.inputs.values
    kept = Inputs({name: values.get(name) for name in ("effort", "method")})
    record = Record(row.id, {k: v for k, v in row.run.record.values.items() if k in _KEPT})
    network = replace(row.run.network, numbers={})
    return replace(row, run=replace(row.run, record=record, network=network, inputs=kept, refused={}))


def _judged(book: RuleBook, published: Published, evidence: Evidence, leave: _LeaveOut) -> list[Judged]:
    found = [
        Judged(refusal.id, quantity, refused=refusal.reason)
        for refusal in evidence.refusals
        for quantity in refusal.quantities
    ]
    if not evidence.runs:
        return found
    found += _steps(book, published, evidence, leave)
    found += _memory(book, evidence, leave.way)
    return found


def _refused(one: Asked, run: Run, told: str) -> Judged:
    return Judged(run.record.id, one.quantity, refused=plain_reason(told, run), run=run)


def _answered(one: Asked, run: Run, low: float, value: float, high: float) -> Judged:
    """The answer, unless a figure of it cannot be printed; the range holds the value."""
    if not (math.isfinite(value) and math.isfinite(one.measured)):
        return _refused(one, run, "the rules give no finite value for this set-up")
    low, high = (end if math.isfinite(end) else value for end in (low, high))
    return Judged(
        run.record.id, one.quantity, one.measured, value, min(low, value), max(high, value), run=run
    )


def _why(book: RuleBook, table: Table, rows: Sequence[int], quantity: str) -> dict[int, str]:
    """Why a quantity is unknown in these rows, all evaluated at once."""
    if not rows:
        return {}
    whole = evaluate(book, table.take(list(rows)))
    return {row: why_unknown(book, whole, at, quantity) for at, row in enumerate(rows)}


def _of(evidence: Evidence, *quantities: str) -> list[Asked]:
    return [asked for asked in evidence.asked if asked.quantity in quantities]


# ---- time ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Steps:
    """What is said of each run's step: ln(seconds by rules), correction, standard deviation."""

    rules: Vector
    told: Vector
    deviation: Vector


def _steps(book: RuleBook, published: Published, evidence: Evidence, leave: _LeaveOut) -> list[Judged]:
    asked = _of(evidence, "step_time_s", "total_time_h")
    rows = sorted({one.row for one in asked})
    if not rows:
        return []
    runs, table = [evidence.runs[row] for row in rows], evidence.table.take(rows)
    full = evaluate(book, table, [*QUANTITIES, "step_s", "step_batch", "calendar_factor", *needed(book)])
    place = {row: at for at, row in enumerate(rows)}
    if leave.way == "none":
        said = _told(published, np.log(predicted_step(full, runs, step_scale(runs))), full, runs)
    else:
        measured = np.full(len(rows), math.nan)
        for one in asked:
            if one.quantity == "step_time_s":
                measured[place[one.row]] = one.measured
        said = _told_without(book, published, runs, measured, leave)
    unknown = np.flatnonzero(~np.isfinite(said.rules + said.told)).tolist()
    why = _why(book, full, unknown, "step_s")
    return [
        _refused(one, runs[at], why[at])
        if at in why
        else _judged_time(full, one, runs[at], at, said, _spread_of_runs(book))
        for one in asked
        for at in (place[one.row],)
    ]


def words_of_runs(table: Table, runs: Sequence[Run]) -> Mapping[str, Sequence[str]]:
    """The words that describe the runs to their neighbours."""
    programs = [plain(run.record.text("framework")) for run in runs]
    networks = [run.name for run in runs]
    return words_of(table, programs, networks, [run.entry.id for run in runs])


def _told(published: Published, rules: Vector, table: Table, runs: Sequence[Run]) -> _Steps:
    words, sizes = words_of_runs(table, runs), sizes_of(table)
    said = published.tell(words, sizes)
    own = {published.ids[row] for row in published.own}
    for at, run in enumerate(runs):
        if run.record.id in own:  # nobody is his own neighbour
            others = without(published, run.record.id)
            alone = others.tell({name: [values[at]] for name, values in words.items()}, sizes[at : at + 1])
            said.correction[at], said.deviation[at] = alone.correction[0], alone.deviation[0]
    return _Steps(rules, said.correction, said.deviation)


def _told_without(
    book: RuleBook,
    published: Published,
    runs: Sequence[Run],
    measured: Vector,
    leave: _LeaveOut,
) -> _Steps:
    """The same by constants and neighbours that have not seen each row's group, source or publisher.

    Shipped runs that are not among these are fitted beside them, and leave where they share what leaves.
    """
    own = {run.record.id for run in runs}
    shipped = read_evidence(book, shipped_evidence(), keep=lambda record: record.id not in own)
    more = _of(shipped, "step_time_s")
    every = [*runs, *(shipped.runs[one.row] for one in more)]
    table = table_of_runs(book, every)
    seconds = np.concatenate([measured, [one.measured for one in more]])
    problem = problem_of(book, table, every, seconds)
    theta = np.log([book.constants[name].value for name in problem.names])
    full = evaluate(book, table, QUANTITIES, keep_all=False)
    words = words_of_runs(full, every)
    features = encode(words, sizes_of(full), vocabulary(words))
    folds = folds_of(
        problem, theta, leave.way, asked=len(runs), tell=lambda done, all_: leave.tell(_FITS * done / all_)
    )
    kernel = published.neighbours.kernel
    found = left_out(
        problem,
        folds,
        features,
        kernel,
        tell=lambda done, all_: leave.tell(_FITS + (1 - _FITS) * done / all_),
    )
    part = slice(0, len(runs))
    return _Steps(found.rules[part], found.told[part], widened(kernel, found.deviation, words)[part])


def _spread_of_runs(book: RuleBook) -> float:
    """Spread of ln(hours) of a whole run beyond that of its steps (calendar.toml)."""
    found = book.constants.get("whole_run")
    return 0.0 if found is None else math.log(found.high / found.low) / 2 / Z80


def _judged_time(  # noqa: PLR0913, PLR0917 - a row and what is known of it
    table: Table, asked: Asked, run: Run, at: int, said: _Steps, runs_spread: float
) -> Judged:
    if told := beyond_peak(table, run, at, asked):
        return Judged(run.record.id, asked.quantity, refused=told, run=run)
    middle, half = said.rules[at] + said.told[at], Z80 * said.deviation[at]
    if asked.quantity == "step_time_s":
        with np.errstate(over="ignore"):
            low, seconds, high = np.exp([middle - half, middle, middle + half]).tolist()
        return _answered(asked, run, low, seconds, high)
    tokens, length = run.record.number("total_tokens"), run.record.number("seq_len")
    batch = run.record.number("global_batch")
    if not tokens or not length or not batch:
        return _refused(
            asked, run, "the row does not give tokens, sequence length and batch of the whole run"
        )
    steps = tokens / (length * batch)
    # published times count from the first step: start-up is not in them
    with np.errstate(over="ignore"):
        hours = steps * float(np.exp(middle) * table.columns["calendar_factor"][at]) / _HOUR_S
    wide = math.hypot(said.deviation[at], runs_spread) * Z80
    return _answered(asked, run, hours * math.exp(-wide), hours, hours * math.exp(wide))


# ---- memory -------------------------------------------------------------------------------------------


def _memory(book: RuleBook, evidence: Evidence, way: str) -> list[Judged]:
    asked = _of(evidence, "peak_mem_gib", "fits")
    rows = sorted({one.row for one in asked})
    if not rows:
        return []
    place = {row: at for at, row in enumerate(rows)}
    table = evidence.table.take(rows)
    names = [*dict.fromkeys(MEMORY_KINDS.values()), "memory_bytes", "memory_usable"]
    names = [name for name in names if name in book.quantities]
    runs = [evidence.runs[row] for row in rows]
    ranges = evaluate_ranges(book, table, names) if way == "none" else _ranges_without(book, runs, names, way)
    answers: list[tuple[Asked, int, float, float, float]] = []
    for one in asked:
        run, at = evidence.runs[one.row], place[one.row]
        if one.quantity == "peak_mem_gib":
            kind = memory_kind(run.record)
            span = ranges[MEMORY_KINDS[kind]]
            value, low = (float(part[at]) / _GIB for part in (span.value, span.low))
            high = float(ranges[highest_kind(kind)].high[at]) / _GIB
        else:
            usable = float(ranges["memory_usable"].value[at])
            need = [float(part[at]) for part in ranges["memory_bytes"]]
            value, low, high = (float(need[k] <= usable) for k in (0, 2, 1))
            if math.isnan(need[0]) or math.isnan(usable):
                value = math.nan
        answers.append((one, at, low, value, high))
    unknown = sorted({at for _, at, _, value, _ in answers if math.isnan(value)})
    why = _why(book, table, unknown, "memory_bytes")
    return [
        _refused(one, evidence.runs[one.row], why[at] or "memory is not known")
        if math.isnan(value)
        else _answered(one, evidence.runs[one.row], low, value, high)
        for one, at, low, value, high in answers
    ]


def _ranges_without(
    book: RuleBook, runs: Sequence[Run], names: Sequence[str], way: str
) -> Mapping[str, Range]:
    """The ranges by memory constants that have not seen each run's group, source or publisher."""
    own = {run.record.id for run in runs}
    shipped = read_evidence(book, shipped_evidence(), keep=lambda record: record.id not in own)
    peaks = [shipped.runs[one.row] for one in _of(shipped, "peak_mem_gib")]
    return spans_without(book, runs, peaks, names, way)


def trace_of_row(book: RuleBook, row: Judged) -> tuple[str, tuple[TraceStep, ...]]:
    """The rules' quantity behind an answer, and its trace by the constants as shipped; of long files none."""
    if row.run is None or "devices" not in row.run.inputs.values or row.quantity == "fits":
        return "", ()
    quantity = MEMORY_KINDS[memory_kind(row.run.record)] if row.quantity == "peak_mem_gib" else "step_s"
    return quantity, explain(book, table_of(book, [known_only(book, row.run.inputs)]), 0, quantity)
