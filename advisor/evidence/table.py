"""Runs as one table of the rules, and what the rules say of each quantity that a run measured."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from advisor.data.catalogue import Catalogue
from advisor.estimate import Table, evaluate
from advisor.estimate.inputs import known_only
from advisor.evidence.impossible import other_params
from advisor.evidence.inputs import Run, run_of
from advisor.evidence.measured import measured_of, unused_of
from advisor.evidence.record import Record, Refusal, read_files
from advisor.rulebook import RuleBook

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """One quantity of one run: what was measured, and which row of the table it is."""

    row: int
    quantity: str
    measured: float


@dataclass(frozen=True)
class Evidence:
    """Runs, their table, what each measured, and the records about which nothing can be said."""

    runs: tuple[Run, ...]
    table: Table
    asked: tuple[Asked, ...]
    refusals: tuple[Refusal, ...]
    unread: Counter[str] = field(default_factory=Counter)  # fields nobody reads -> records that have them


def read_evidence(
    book: RuleBook,
    paths: Iterable[Path],
    catalogue: Catalogue | None = None,
    keep: Callable[[Record], bool] | None = None,
) -> Evidence:
    """All records of the files (those that `keep` keeps) as one table. Raises UserError for a file."""
    records: Iterable[Record | Refusal] = read_files(paths)
    if keep is not None:
        records = (record for record in records if isinstance(record, Refusal) or keep(record))
    return _evidence(book, records, catalogue)


def read_blocks(
    book: RuleBook, paths: Iterable[Path], catalogue: Catalogue | None = None, size: int = 8192
) -> Iterator[Evidence]:
    """The same in parts of so many records, so that a long file needs little memory; at least one part."""
    records = read_files(paths)
    part = list(itertools.islice(records, size))
    yield _evidence(book, part, catalogue)
    while len(part) == size:
        part = list(itertools.islice(records, size))
        if part:
            yield _evidence(book, part, catalogue)


def _evidence(book: RuleBook, records: Iterable[Record | Refusal], catalogue: Catalogue | None) -> Evidence:
    runs: list[Run] = []
    asked: list[Asked] = []
    refusals: list[Refusal] = []
    unread: Counter[str] = Counter()
    for record in records:
        unread.update(record.unread)
        if isinstance(record, Refusal):
            refusals.append(record)
            continue
        measured = measured_of(record)
        if unused := unused_of(record, measured):
            refusals.append(Refusal(record.id, unused))
        if not measured:
            continue
        run = run_of(record, catalogue)
        if isinstance(run, Refusal):
            refusals.append(run)
            continue
        for quantity, value in measured.items():
            if quantity in run.refused:
                refusals.append(Refusal(record.id, run.refused[quantity], (quantity,)))
            else:
                asked.append(Asked(len(runs), quantity, value))
        runs.append(run)
    return _without_other_networks(
        book, Evidence(tuple(runs), table_of_runs(book, runs), tuple(asked), tuple(refusals), unread)
    )


def _without_other_networks(book: RuleBook, found: Evidence) -> Evidence:
    """Without the rows whose parameter count is not that of the network they name: they are refused."""
    if "params" not in book.quantities or not found.runs:
        return found
    known = evaluate(book, found.table, ("params",), keep_all=False).columns["params"]
    told = {
        row: text for row, run in enumerate(found.runs) if (text := _other_network(run, float(known[row])))
    }
    if not told:
        return found
    kept = [row for row in range(len(found.runs)) if row not in told]
    place = {row: at for at, row in enumerate(kept)}
    by_row: dict[int, list[str]] = {}
    for one in found.asked:
        by_row.setdefault(one.row, []).append(one.quantity)
    more = [
        Refusal(found.runs[row].record.id, text, tuple(by_row.get(row, ()))) for row, text in told.items()
    ]
    asked = tuple(replace(one, row=place[one.row]) for one in found.asked if one.row in place)
    runs = tuple(found.runs[row] for row in kept)
    return Evidence(runs, found.table.take(kept), asked, (*found.refusals, *more), found.unread)


def _other_network(run: Run, known: float) -> str:
    record = run.record
    if not run.preset:
        return ""
    positions = (record.number("seq_len") or 0.0) * (run.network.numbers.get("hidden") or 0.0)
    return other_params(record.number("params"), known, run.network.family, positions, run.preset)


def table_of_runs(book: RuleBook, runs: Sequence[Run]) -> Table:
    """The rules' table of the runs, a row each."""
    return Table.from_rows(book, [known_only(book, run.inputs).values for run in runs])


def step_scale(runs: Sequence[Run]) -> Vector:
    """What turns a predicted step into what the run measured: 1, or devices over batch (NaN-safe marker).

    Where the global batch is not known, `step_time_s` is the time of one sample on one accelerator: the
    predicted step times accelerators over its own batch. Those rows are NaN here; see `predicted_step`.
    """
    return np.array([1.0 if "global_batch" in run.inputs.values else np.nan for run in runs])


def predicted_step(table: Table, runs: Sequence[Run], scale: Vector) -> Vector:
    """`step_time_s` of each run by the rules. The table holds step_s and step_batch."""
    step = table.columns["step_s"]
    counted = np.array([run.record.number("num_accelerators") or np.nan for run in runs])
    single = step * counted / table.columns["step_batch"]
    return np.where(np.isnan(scale), single, step)


def evaluated(book: RuleBook, table: Table, names: Sequence[str]) -> Table:
    """The table with these quantities (and nothing more kept)."""
    return evaluate(book, table, names, keep_all=False)
