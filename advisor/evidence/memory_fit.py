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
FACTORS = tuple(np.round(np.arange(1.0, 1.2, 0.02), 3))
SLACKS = tuple(np.round(np.arange(0.25, 2.1, 0.25), 3) * GIB)
GROUPS = tuple(np.round(np.arange(0.6, 2.5, 0.3), 3) * GIB)
STATED = (1.06, 0.75 * GIB, 1.5 * GIB)
"""1.03 to 1.24 reserved over allocated where sources print both; 1.5 GiB at the first barrier of
2 GPUs (github:stas00/ml-engineering), 5 GiB with three groups (github:EleutherAI/cookbook)."""

KINDS = ("allocated_bytes", "reserved_bytes", "nvml_bytes")
SLACK_SHARE = 0.25  # as rules/memory/device.toml has it
DOUBTS = ("peak_doubt", "peak_doubt_untold", "reserved_doubt", "reserved_doubt_untold")
SPREAD = (0.08, 0.92)
"""Quantiles of measured over computed taken as the 80 % range: wider, since a new source scatters more."""

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
    names = ("peak_bytes", "communicators", "context_here", "setup_told")
    columns = evaluate(book, table_of(book, runs), names).columns
    live, groups, context, told = (np.asarray(columns[name], dtype=np.float64) for name in names)
    return [
        Peak(at, run, memory_kind(run.record), peak * GIB, live[at], groups[at], context[at], told[at] > 0)
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
    live, groups, context, measured = (
        np.array([getattr(peak, name) for peak in used]) for name in ("live", "groups", "context", "measured")
    )
    outside = np.array([peak.kind == "nvml" for peak in used])
    sources = [np.array([peak.source == one for peak in used]) for one in sorted({p.source for p in used})]

    def cost(one: tuple[float, float, float]) -> float:
        factor, slack, group = one
        held = live * factor + np.minimum(slack, SLACK_SHARE * live) + outside * (context + group * groups)
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
    doubts = itertools.product((("allocated", "reserved", "nvml"), ("reserved", "nvml")), (True, False))
    for name, (kinds, told) in zip(DOUBTS, doubts, strict=True):
        values[name] = _spread(ratios, peaks, kinds, told)
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
    ratios: tuple[Vector, Vector], peaks: Sequence[Peak], kinds: tuple[str, ...], told: bool
) -> tuple[float, float, float]:
    """The range of a doubt: rows weigh one over the square root of their source's number."""
    chosen = np.array([peak.kind in kinds and peak.told == told for peak in peaks])
    if chosen.sum() < 5:
        chosen = np.array([peak.kind in kinds for peak in peaks])
    sources = np.array([peak.source for peak in peaks])[chosen]
    weights = np.array([1 / np.sqrt(np.sum(sources == source)) for source in sources])
    low = _quantile(ratios[0][chosen], weights, SPREAD[0])
    high = _quantile(ratios[1][chosen], weights, SPREAD[1])
    return 1.0, min(1.0, low), max(1.0, high)


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
