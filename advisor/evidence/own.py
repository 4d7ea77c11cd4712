"""A site's own records joined to the published runs, so that estimates lean on them; or one pilot run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from advisor.data.catalogue import Catalogue
from advisor.data.programs import PILOT
from advisor.errors import DataError, UserError
from advisor.estimate import Table, evaluate
from advisor.estimate.features import QUANTITIES, plain, sizes_of, words_of
from advisor.evidence.inputs import Run
from advisor.evidence.measured import MEMORY_KINDS
from advisor.evidence.memory import memory_kind
from advisor.evidence.record import Refusal
from advisor.evidence.suspicious import beyond_peak, needed
from advisor.evidence.table import Asked, Evidence, predicted_step, read_evidence, step_scale
from advisor.neighbours import Matrix
from advisor.published import OWN_RUN, Published
from advisor.rulebook import RuleBook

MOST = 2_000
"""Own runs that are compared with each other pair by pair."""

_GIB = 2.0**30
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OwnRun:
    """One own run beside what the rules say of it. None: not measured, or not known by the rules."""

    id: str
    measured_s: float
    rules_s: float
    stack: str
    memory_bytes: float | None = None
    memory_rules_bytes: float | None = None
    network: str = ""  # a preset's id, or as the record spells it
    device: str = ""  # of the catalogue
    columns: Mapping[str, float | str | None] = field(default_factory=dict)  # of its row in the rules' table


@dataclass(frozen=True)
class Joined:
    """The published runs with one's own among them, what was joined, and what could not be."""

    published: Published
    runs: tuple[OwnRun, ...]
    refused: tuple[Refusal, ...]


def record_files(path: Path) -> list[Path]:
    """The file itself, or the *.jsonl of a folder. Raises UserError where there is none."""
    if not path.is_dir():
        if not path.exists():
            raise UserError(f"there is no file {path}", "Give a file of records, or a folder of *.jsonl.")
        return [path]
    found = sorted(one for one in path.glob("*.jsonl") if one.is_file())
    if not found:
        raise UserError(
            f"{path} holds no *.jsonl", "Save records there: `hwadvisor trial --save`, `hwadvisor import`."
        )
    return found


def join_own(
    book: RuleBook,
    published: Published,
    path: Path,
    catalogue: Catalogue | None = None,
    *,
    pilot: bool = False,
) -> Joined:
    """The published runs with those of a file or folder.

    A `pilot` is a program of its own: an estimate that names it (PILOT) shares with it what a program has
    to itself. Records without a step time, and those that the rules say nothing of, are refused; raises
    UserError where none is left, or DataError where there are too many.
    """
    evidence = read_evidence(book, record_files(path), catalogue)
    asked = [one for one in evidence.asked if one.quantity == "step_time_s"]
    if len(asked) > MOST:
        raise DataError.at(path, "", None, f"has {len(asked):,} runs, more than {MOST:,}", "Give a part.")
    if pilot:
        evidence = replace(evidence, table=_ordinary(evidence.table))
    table, rules, refused = _by_the_rules(book, evidence, asked)
    kept = [at for at in range(len(asked)) if at not in refused]
    refusals = (*evidence.refusals, *refused.values(), *_timeless(evidence, asked))
    if not kept:
        why = refusals[0].reason if refusals else "it is empty"
        raise UserError(
            f"{path}: no record to lean on ({why})", "`hwadvisor validate` says it record by record."
        )
    runs = [evidence.runs[asked[at].row] for at in kept]
    words, sizes = _described(table.take(kept), runs, pilot)
    measured = np.array([asked[at].measured for at in kept])
    residuals = np.log(measured) - np.log(rules[kept])
    joined = published.joined_by(
        words=words,
        sizes=sizes,
        residuals=residuals,
        measured_s=measured,
        ids=[run.record.id for run in runs],
        sources=[run.record.text("source")[:160] for run in runs],
        labels=[_label(run) for run in runs],
    )
    memory = _memory(book, evidence)
    own = []
    for at, row in enumerate(kept):
        run = runs[at]
        stack = str(run.inputs.values.get("stack", ""))
        peak, by_rules = memory.get(run.record.id, (None, None))
        own.append(OwnRun(
            run.record.id, float(measured[at]), float(rules[row]), stack, peak, by_rules,
            network=run.name, device=run.entry.id, columns=run.inputs.values,
        ))  # fmt: skip
    return Joined(joined, tuple(own), refusals)


def _ordinary(table: Table) -> Table:
    """The runs as those of whoever asks, with a stock trainer: published ones count as tuned unless they
    are known to be ordinary, and what a pilot stands for is told without that."""
    effort = {"effort_ordinary": np.ones(table.rows), "effort_tuned": np.zeros(table.rows)}
    return replace(table, columns={**table.columns, **effort})


def _by_the_rules(
    book: RuleBook, evidence: Evidence, asked: Sequence[Asked]
) -> tuple[Table, Vector, dict[int, Refusal]]:
    """The runs' table, seconds of a step by the rules, and which runs are refused."""
    if not asked:
        return evidence.table, np.zeros(0), {}
    runs = [evidence.runs[one.row] for one in asked]
    names = [*QUANTITIES, "step_s", "step_batch", *needed(book)]
    table = evaluate(book, evidence.table.take([one.row for one in asked]), names)
    rules = predicted_step(table, runs, step_scale(runs))
    refused = {}
    for at, run in enumerate(runs):
        told = beyond_peak(table, run, at, asked[at])
        if not told and not rules[at] > 0:
            told = "the rules do not know its step time"
        if told:
            refused[at] = Refusal(run.record.id, told)
    return table, rules, refused


def _timeless(evidence: Evidence, asked: Sequence[Asked]) -> list[Refusal]:
    timed = {one.row for one in asked}
    return [
        Refusal(run.record.id, "it has no step time (disturbed, or not measured)")
        for row, run in enumerate(evidence.runs)
        if row not in timed
    ]


def _described(table: Table, runs: Sequence[Run], pilot: bool) -> tuple[dict[str, Sequence[str]], Matrix]:
    """The runs' words and sizes."""
    programs = [PILOT if pilot else plain(run.record.text("framework")) for run in runs]
    networks, devices = [run.name for run in runs], [run.entry.id for run in runs]
    return dict(words_of(table, programs, networks, devices)), sizes_of(table)


def _label(run: Run) -> str:
    count = run.record.number("num_accelerators") or 0
    where = run.record.text("accelerator")[:60] or run.entry.id
    return (
        f"{OWN_RUN}: {run.record.text('model')[:60]} on {count:g} x {where} ({run.record.text('precision')})"
    )


def _memory(book: RuleBook, evidence: Evidence) -> dict[str, tuple[float, float | None]]:
    """Peak memory of each run, measured and by the rules."""
    found: dict[str, tuple[float, float | None]] = {}
    peaks = [one for one in evidence.asked if one.quantity == "peak_mem_gib"]
    if not peaks:
        return found
    names = [name for name in dict.fromkeys(MEMORY_KINDS.values()) if name in book.quantities]
    table = evaluate(book, evidence.table.take([one.row for one in peaks]), names, keep_all=False)
    for at, one in enumerate(peaks):
        record = evidence.runs[one.row].record
        told = float(table.columns[MEMORY_KINDS[memory_kind(record)]][at])
        found[record.id] = one.measured * _GIB, told if told > 0 else None
    return found


def without(published: Published, id_: str) -> Published:
    """The runs less one's own of this id, so that it can be judged by the others."""
    kept = np.array(
        [at for at, one in enumerate(published.ids) if one != id_ or at not in published.own], dtype=np.int64
    )
    near = published.neighbours
    own = frozenset(at for at, row in enumerate(kept.tolist()) if row in published.own)

    def some(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(texts[row] for row in kept.tolist())

    features = near.features.take(kept)
    used = {name: set(codes.tolist()) for name, codes in features.codes.items()}
    return replace(
        published,
        neighbours=replace(near, features=features, residuals=near.residuals[kept], noise=near.noise[kept]),
        # a program or network that only this run has is then one that nobody knows
        known={
            name: {word: code for word, code in words.items() if code in used[name]}
            for name, words in published.known.items()
        },
        ids=some(published.ids),
        sources=some(published.sources),
        labels=some(published.labels),
        families=some(published.families),
        measured_s=published.measured_s[kept],
        own=own,
    )
