"""Fit the few constants of the memory rules that no source states: python tools/fit_memory.py [--write]

What the allocator holds beyond live tensors, what a group of devices takes, and how far published peaks
scatter about the rules. Everything else in rules/memory is counted on modules or stated by a source.
Writes rules/constants/memory.toml.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from advisor.estimate import Table, evaluate, evaluate_ranges
from advisor.estimate.inputs import known_only
from advisor.evidence.inputs import Run, run_of, shipped_evidence
from advisor.evidence.memory import memory_kind
from advisor.evidence.record import Record, Refusal, read_records
from advisor.rulebook import RuleBook, load_book

GIB = 2.0**30
RULES = Path(__file__).resolve().parent.parent / "rules"
QUANTITY = {
    "allocated": "allocated_bytes",
    "reserved": "reserved_bytes",
    "nvml": "nvml_bytes",
    "unknown": "reserved_bytes",
}
FACTORS = tuple(np.round(np.arange(1.0, 1.2, 0.02), 3))
SLACKS = tuple(np.round(np.arange(0.25, 2.1, 0.25), 3) * GIB)
GROUPS = tuple(np.round(np.arange(0.6, 2.5, 0.3), 3) * GIB)
STATED = (1.06, 0.75 * GIB, 1.5 * GIB)
"""1.03 to 1.24 reserved over allocated where sources print both; 1.5 GiB at the first barrier of
2 GPUs (github:stas00/ml-engineering), 5 GiB with three groups (github:EleutherAI/cookbook)."""

SLACK_SHARE = 0.25  # as rules/memory/device.toml has it
DOUBTS = ("peak_doubt", "peak_doubt_untold", "reserved_doubt", "reserved_doubt_untold")
SPREAD = (0.08, 0.92)
"""Quantiles of measured over computed taken as the 80 % range: wider, since a new source scatters more."""

Vector = npt.NDArray[np.float64]
Values = Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Peak:
    """One published peak, with what the rules say of its run but for the fitted constants."""

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


def read_runs(paths: Sequence[Path]) -> tuple[list[Run], list[tuple[Record, str]]]:
    """Runs that say something of memory, and the refused with their reasons."""
    runs: list[Run] = []
    refused: list[tuple[Record, str]] = []
    for path in paths:
        for record in read_records(path):
            if isinstance(record, Refusal):
                continue
            if record.number("peak_mem_gib") is None and record.flag("fits") is None:
                continue
            run = run_of(record)
            if isinstance(run, Refusal):
                refused.append((record, run.reason))
            elif "peak_mem_gib" in run.refused:
                refused.append((record, run.refused["peak_mem_gib"]))
            else:
                runs.append(run)
    return runs, refused


def table_of(book: RuleBook, runs: Sequence[Run]) -> Table:
    """The rules' table of the runs."""
    return Table.from_rows(book, [known_only(book, run.inputs).values for run in runs])


def peaks_of(book: RuleBook, runs: Sequence[Run]) -> list[Peak]:
    """The peaks among the runs that the rules can compute."""
    names = ("peak_bytes", "communicators", "context_here", "setup_told")
    columns = evaluate(book, table_of(book, runs), names).columns
    live, groups, context, told = (np.asarray(columns[name], dtype=np.float64) for name in names)
    return [
        Peak(run, memory_kind(run.record), peak * GIB, live[at], groups[at], context[at], told[at] > 0)
        for at, run in enumerate(runs)
        if (peak := run.record.number("peak_mem_gib")) is not None and np.isfinite(live[at])
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
    found = evaluate_ranges(book, table_of(book, [peak.run for peak in peaks]), list(QUANTITY.values())[:3])
    low, high = np.empty(len(peaks)), np.empty(len(peaks))
    for at, peak in enumerate(peaks):
        span = found[QUANTITY[peak.kind]]
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


TEXTS = {
    "reserved_factor": ("1", "what the allocator reserves for each byte that is live"),
    "reserved_slack": ("B", "what it reserves however little is live"),
    "collective_bytes": (
        "B",
        "buffers of one group of devices that talk to each other (NCCL), outside the allocator",
    ),
    "peak_doubt": ("1", "scatter of all peaks whose set-up is told"),
    "peak_doubt_untold": (
        "1",
        "scatter of all peaks where micro-batch, recomputation or sharding is assumed",
    ),
    "reserved_doubt": ("1", "scatter of reserved and nvidia-smi peaks whose set-up is told"),
    "reserved_doubt_untold": (
        "1",
        "scatter of those where micro-batch, recomputation or sharding is assumed",
    ),
}


def main() -> None:
    """Fit on all shipped rows and print (or write) the constants."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write rules/constants/memory.toml")
    parser.add_argument("--rules", type=Path, default=RULES)
    options = parser.parse_args()
    book = load_book([options.rules])
    runs, _ = read_runs(shipped_evidence())
    peaks = peaks_of(book, runs)
    lines = ["# Written by tools/fit_memory.py; do not edit."]
    for name, (value, low, high) in fit(book, peaks).items():
        unit, text = TEXTS[name]
        every = ("allocated", "reserved", "nvml")
        kinds = every if name[:4] == "peak" else every[2:] if name[0] == "c" else every[1:]
        used = [peak for peak in peaks if peak.kind in kinds]
        sources = ", ".join(sorted({peak.source for peak in used}))
        lines += ["", "[[constant]]", f'id = "{name}"', f"value = {value:.6g}"]
        lines += [f"low = {low:.4g}", f"high = {high:.4g}", 'better = "low"'] if low != high else []
        lines += [f'unit = "{unit}"', f'text = "{text}"', 'source = "tools/fit_memory.py on rules/evidence"']
        lines += [f'fitted_from = "{len(used)} runs of {sources}"']
    written = "\n".join(lines) + "\n"
    if options.write:
        (RULES / "constants" / "memory.toml").write_text(written, "utf-8")
    print(written)


if __name__ == "__main__":
    main()
