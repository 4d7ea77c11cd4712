"""What the rules and their neighbours say of published runs, beside what was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from advisor.data.catalogue import Catalogue
from advisor.estimate import Table, evaluate, evaluate_ranges
from advisor.estimate.explain import why_unknown
from advisor.estimate.features import QUANTITIES, plain, sizes_of, words_of
from advisor.evidence.fit import problem_of
from advisor.evidence.inputs import Run, shipped_evidence
from advisor.evidence.leave_out import folds_of, left_out
from advisor.evidence.measured import MEMORY_KINDS
from advisor.evidence.memory import memory_kind
from advisor.evidence.table import (
    Asked,
    Evidence,
    predicted_step,
    read_evidence,
    step_scale,
    table_of_runs,
)
from advisor.neighbours import encode, vocabulary, widened
from advisor.published import Published
from advisor.rulebook import RuleBook

Vector = npt.NDArray[np.float64]

Z80 = 1.2816
"""Standard deviations that hold 80 % of a normal distribution."""

_CALENDAR_SPREAD = 0.15
"""Spread of ln(hours) of a run beyond that of its steps: evaluation, failures, restarts (calendar.toml)."""

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


def judge(
    book: RuleBook,
    published: Published,
    paths: Sequence[Path] = (),
    *,
    way: str = "none",
    catalogue: Catalogue | None = None,
) -> list[Judged]:
    """Every quantity of every record in `paths` (default: the shipped evidence).

    `way` says what leaves constants and neighbours before a row is predicted: none, group, source or
    publisher. Raises UserError for a file that cannot be read; what is wrong with a record is its refusal.
    """
    evidence = read_evidence(book, paths or shipped_evidence(), catalogue)
    found = [
        Judged(refusal.id, quantity, refused=refusal.reason)
        for refusal in evidence.refusals
        for quantity in refusal.quantities
    ]
    if not evidence.runs:
        return found
    found += _steps(book, published, evidence, way)
    found += _memory(book, evidence)
    return found


def _of(evidence: Evidence, *quantities: str) -> list[Asked]:
    return [asked for asked in evidence.asked if asked.quantity in quantities]


# ---- time ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Steps:
    """What is said of each run's step: ln(seconds by rules), correction, standard deviation."""

    rules: Vector
    told: Vector
    deviation: Vector


def _steps(book: RuleBook, published: Published, evidence: Evidence, way: str) -> list[Judged]:
    asked = _of(evidence, "step_time_s", "total_time_h")
    rows = sorted({one.row for one in asked})
    if not rows:
        return []
    runs, table = [evidence.runs[row] for row in rows], evidence.table.take(rows)
    full = evaluate(book, table, [*QUANTITIES, "step_s", "step_batch", "calendar_factor"])
    place = {row: at for at, row in enumerate(rows)}
    if way == "none":
        said = _told(published, np.log(predicted_step(full, runs, step_scale(runs))), full, runs)
    else:
        measured = np.full(len(rows), math.nan)
        for one in asked:
            if one.quantity == "step_time_s":
                measured[place[one.row]] = one.measured
        said = _told_without(book, published, runs, measured, way)
    return [_judged_time((book, full), one, runs[place[one.row]], place[one.row], said) for one in asked]


def words_of_runs(table: Table, runs: Sequence[Run]) -> Mapping[str, Sequence[str]]:
    """The words that describe the runs to their neighbours."""
    programs = [plain(run.record.text("framework")) for run in runs]
    networks = [run.name for run in runs]
    return words_of(table, programs, networks, [run.entry.id for run in runs])


def _told(published: Published, rules: Vector, table: Table, runs: Sequence[Run]) -> _Steps:
    said = published.tell(words_of_runs(table, runs), sizes_of(table))
    return _Steps(rules, said.correction, said.deviation)


def _told_without(
    book: RuleBook, published: Published, runs: Sequence[Run], measured: Vector, way: str
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
    folds = folds_of(problem, theta, way, asked=len(runs))
    kernel = published.neighbours.kernel
    found = left_out(problem, folds, features, kernel)
    part = slice(0, len(runs))
    return _Steps(found.rules[part], found.told[part], widened(kernel, found.deviation, words)[part])


def _judged_time(rules: tuple[RuleBook, Table], asked: Asked, run: Run, at: int, said: _Steps) -> Judged:
    book, table = rules
    middle = said.rules[at] + said.told[at]
    if not math.isfinite(middle):
        return Judged(run.record.id, asked.quantity, refused=why_unknown(book, table, at, "step_s"), run=run)
    half = Z80 * said.deviation[at]
    if asked.quantity == "step_time_s":
        low, high = math.exp(middle - half), math.exp(middle + half)
        return Judged(run.record.id, asked.quantity, asked.measured, math.exp(middle), low, high, run=run)
    tokens, length = run.record.number("total_tokens"), run.record.number("seq_len")
    batch = run.record.number("global_batch")
    if not tokens or not length or not batch:
        reason = "the row does not give tokens, sequence length and batch of the whole run"
        return Judged(run.record.id, asked.quantity, refused=reason, run=run)
    steps = tokens / (length * batch)
    # published times count from the first step: start-up is not in them
    hours = steps * math.exp(middle) * float(table.columns["calendar_factor"][at]) / _HOUR_S
    wide = math.hypot(said.deviation[at], _CALENDAR_SPREAD) * Z80
    low, high = hours * math.exp(-wide), hours * math.exp(wide)
    return Judged(run.record.id, asked.quantity, asked.measured, hours, low, high, run=run)


# ---- memory -------------------------------------------------------------------------------------------


def _memory(book: RuleBook, evidence: Evidence) -> list[Judged]:
    asked = _of(evidence, "peak_mem_gib", "fits")
    rows = sorted({one.row for one in asked})
    if not rows:
        return []
    place = {row: at for at, row in enumerate(rows)}
    table = evidence.table.take(rows)
    names = [*dict.fromkeys(MEMORY_KINDS.values()), "memory_bytes", "memory_usable"]
    ranges = evaluate_ranges(book, table, [name for name in names if name in book.quantities])
    full = evaluate(book, table, [name for name in ("memory_bytes",) if name in book.quantities])
    found = []
    for one in asked:
        run, at = evidence.runs[one.row], place[one.row]
        if one.quantity == "peak_mem_gib":
            kind = MEMORY_KINDS[memory_kind(run.record)]
            value, low, high = (float(part[at]) / _GIB for part in ranges[kind])
        else:
            usable = float(ranges["memory_usable"].value[at])
            need = [float(part[at]) for part in ranges["memory_bytes"]]
            value, low, high = (float(need[k] <= usable) for k in (0, 2, 1))
            if math.isnan(need[0]) or math.isnan(usable):
                value = math.nan
        if math.isnan(value):
            reason = why_unknown(book, full, at, "memory_bytes") or "memory is not known"
            found.append(Judged(run.record.id, one.quantity, refused=reason, run=run))
        else:
            found.append(Judged(run.record.id, one.quantity, one.measured, value, low, high, run=run))
    return found
