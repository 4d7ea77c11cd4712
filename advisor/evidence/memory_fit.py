"""The few constants of the memory rules that no source states, fitted on published peaks.

What the allocator holds beyond live tensors, what a group of devices takes, and how far published peaks
scatter about the rules. Everything else in rules/memory is counted on modules or stated by a source.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from advisor.estimate import Table, evaluate, evaluate_ranges
from advisor.estimate.evaluate import Range
from advisor.estimate.inputs import known_only
from advisor.evidence.inputs import Run
from advisor.evidence.leave_out import parts_of
from advisor.evidence.measured import MEMORY_KINDS
from advisor.evidence.memory import memory_kind
from advisor.rulebook import RuleBook

GIB = 2.0**30
FACTORS = tuple(np.round(np.arange(1.0, 1.32, 0.02), 3))
SLACKS = tuple(np.round(np.arange(0.25, 2.1, 0.25), 3) * GIB)
GROUPS = tuple(np.round(np.arange(0.6, 2.5, 0.3), 3) * GIB)
STATED = (1.03, 0.75 * GIB, 1.5 * GIB)
"""1.03 to 1.24 reserved over allocated where sources print both; 1.5 GiB at the first barrier of
2 GPUs (github:stas00/ml-engineering), 5 GiB with three groups (github:EleutherAI/cookbook)."""

KINDS = ("allocated_bytes", "reserved_bytes", "nvml_bytes")
SLACK_SHARE = 0.25  # as rules/memory/device.toml has it
ALLOCATED, OTHERS = ("allocated",), ("reserved", "nvml", "unknown")
DOUBTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "peak_doubt": (ALLOCATED, "told"),
    "peak_doubt_untold": (ALLOCATED, "untold"),
    "reserved_doubt": (OTHERS, "other"),
    "reserved_doubt_trainer": (OTHERS, "trainer"),
    "reserved_doubt_4bit": (OTHERS, "4bit"),
    "reserved_doubt_untold": (OTHERS, "untold"),
}
"""Ranges: kinds of figure and group of set-ups, as rules/memory/device.toml tells them apart."""
SPREAD = (0.07, 0.93)
"""Quantiles of measured over computed taken as the 80 % range: wider, since a new source scatters more."""
SHRUNK = 2.0
"""Sources that a group must have for its own quantiles to count as much as those of all of its kinds."""

Vector = npt.NDArray[np.float64]
Values = Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Peak:
    """One published peak, with what the rules say of its run but for the fitted constants."""

    at: int  # place among the runs
    run: Run
    kind: str
    measured: float
    live: float
    moving: float  # of it, what comes and goes in a step
    holes: float  # kept beside it where samples differ in length
    left: float  # scores whose block fits nothing else
    usable: float
    groups: float
    context: float
    told: bool

    @property
    def source(self) -> str:
        """The unit of leaving out."""
        return self.run.record.source


def table_of(book: RuleBook, runs: Sequence[Run]) -> Table:
    """The rules' table of the runs."""
    return Table.from_rows(book, [known_only(book, run.inputs).values for run in runs])


def peaks_of(book: RuleBook, runs: Sequence[Run]) -> list[Peak]:
    """The peaks among the runs that the rules can compute."""
    names = (
        "peak_bytes",
        "moving_bytes",
        "varied_bytes",
        "scores_left_bytes",
        "memory_usable",
        "communicators",
        "context_here",
        "setup_told",
    )
    columns = evaluate(book, table_of(book, runs), names).columns
    live, moving, holes, left, usable, groups, context, told = (
        np.broadcast_to(np.asarray(columns[name], dtype=np.float64), len(runs)) for name in names
    )
    return [
        Peak(
            at,
            run,
            memory_kind(run.record),
            peak * GIB,
            live[at],
            moving[at],
            holes[at],
            left[at],
            usable[at],
            groups[at],
            context[at],
            told[at] > 0,
        )
        for at, run in enumerate(runs)
        if (peak := run.record.number("peak_mem_gib")) is not None
        and np.isfinite(live[at])
        and MEMORY_KINDS.get(memory_kind(run.record)) in KINDS
    ]


def with_constants(book: RuleBook, values: Values) -> RuleBook:
    """The book with these constants (value, low, high) in place of its own."""
    constants = dict(book.constants)
    for key, (value, low, high) in values.items():
        constants[key] = dataclasses.replace(constants[key], value=value, low=low, high=high)
    return dataclasses.replace(book, constants=constants)


def _overheads(peaks: Sequence[Peak]) -> tuple[float, float, float]:
    """Factor, slack and bytes of a group of least cost: the mean over sources of their median error, half the
    median over all rows, and a pull towards what is stated where few rows speak."""
    used = [peak for peak in peaks if peak.kind in ("reserved", "nvml")]
    live, moving, holes, left, usable, groups, context, measured = (
        np.array([getattr(peak, name) for peak in used])
        for name in ("live", "moving", "holes", "left", "usable", "groups", "context", "measured")
    )
    outside = np.array([peak.kind == "nvml" for peak in used])
    sources = [np.array([peak.source == one for peak in used]) for one in sorted({p.source for p in used})]

    def cost(one: tuple[float, float, float]) -> float:
        factor, slack, group = one
        held = live + left + moving * (factor - 1) + np.minimum(slack, SLACK_SHARE * live)
        held = held + np.fmin(holes, np.fmax(0.0, usable - held))
        held = held + outside * (context + group * groups)
        errors = np.abs(np.log(held / measured))
        pull = sum((np.log(found / told) / 0.7) ** 2 for found, told in zip(one[1:], STATED[1:], strict=True))
        pull += ((factor - STATED[0]) / 0.05) ** 2
        middle = (
            np.mean([np.median(errors[own]) for own in sources]) + 0.5 * np.median(errors) if used else 0.0
        )
        return float(middle + 0.004 * pull)

    return min(itertools.product(FACTORS, SLACKS, GROUPS), key=cost)


def fit(book: RuleBook, peaks: Sequence[Peak]) -> dict[str, tuple[float, float, float]]:
    """Fitted constants by name: value, low, high."""
    factor, slack, group = _overheads(peaks)
    values: dict[str, tuple[float, float, float]] = {
        "reserved_factor": (factor, factor, factor),
        "reserved_slack": (slack, slack, slack),
        "collective_bytes": (group, group, group),
        **dict.fromkeys(DOUBTS, (1.0, 1.0, 1.0)),
    }
    if not peaks:
        return values
    ratios = _ratios(with_constants(book, values), peaks)
    for name, (kinds, group_of_setups) in DOUBTS.items():
        values[name] = _spread(ratios, peaks, kinds, group_of_setups)
    return values


def _ratios(book: RuleBook, peaks: Sequence[Peak]) -> tuple[Vector, Vector]:
    """measured over the low and over the high end of what the rules say without doubt."""
    found = evaluate_ranges(book, table_of(book, [peak.run for peak in peaks]), KINDS)
    low, high = np.empty(len(peaks)), np.empty(len(peaks))
    for at, peak in enumerate(peaks):
        span = found[MEMORY_KINDS[peak.kind]]
        low[at], high[at] = peak.measured / span.low[at], peak.measured / span.high[at]
    return low, high


def _spread(
    ratios: tuple[Vector, Vector], peaks: Sequence[Peak], kinds: tuple[str, ...], setups: str
) -> tuple[float, float, float]:
    """The range of a doubt: quantiles of its group, drawn to those of all of its kinds where few sources
    speak. Rows weigh one over the square root of their source's number."""
    pooled = [at for at, peak in enumerate(peaks) if peak.kind in kinds] or list(range(len(peaks)))
    group = [at for at in pooled if _setups(peaks[at], kinds) == setups]
    ends = []
    share = (number := len({peaks[at].source for at in group})) / (number + SHRUNK)
    for side, quantile in zip(ratios, SPREAD, strict=True):
        both = [_weighted(side, peaks, rows, quantile) if rows else 0.0 for rows in (group, pooled)]
        ends.append(float(np.exp(share * both[0] + (1 - share) * both[1])))
    return 1.0, min(1.0, ends[0]), max(1.0, ends[1])


def _setups(peak: Peak, kinds: tuple[str, ...]) -> str:
    """The group of set-ups whose range a peak tells something of."""
    if not peak.told:
        return "untold"
    if kinds == ALLOCATED:
        return "told"
    if peak.run.inputs.values.get("method") == "qlora":
        return "4bit"
    return "trainer" if peak.run.inputs.values.get("stack") == "transformers" else "other"


def _weighted(side: Vector, peaks: Sequence[Peak], rows: Sequence[int], share: float) -> float:
    """The quantile of ln(measured over computed) of these rows."""
    sources = np.array([peaks[at].source for at in rows])
    weights = np.array([1 / np.sqrt(np.sum(sources == source)) for source in sources])
    return _quantile(np.log(side[list(rows)]), weights, share)


def _quantile(values: Vector, weights: Vector, share: float) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order]) - 0.5 * weights[order]
    return float(np.interp(share, total / weights.sum(), values[order]))


def spans_without(
    book: RuleBook, runs: Sequence[Run], shipped: Sequence[Run], names: Sequence[str], way: str
) -> dict[str, Range]:
    """The ranges of `names` for each run, by constants fitted without what shares its group, source or
    publisher (`way`). `shipped` are runs beside these that constants are fitted on."""
    every = [*runs, *shipped]
    peaks = {peak.at: peak for peak in peaks_of(book, every)}
    found = {name: Range(*(np.full(len(runs), np.nan) for _ in range(3))) for name in names}
    for part in parts_of(every, way):
        own = [row for row in part.tolist() if row < len(runs)]
        if not own:
            continue
        left = set(part.tolist())
        fitted = fit(book, [peak for at, peak in peaks.items() if at not in left])
        spans = evaluate_ranges(with_constants(book, fitted), table_of(book, [runs[at] for at in own]), names)
        for name in names:
            for whole, one in zip(found[name], spans[name], strict=True):
                whole[own] = one
    return found
