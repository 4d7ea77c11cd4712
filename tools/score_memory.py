"""Score the memory rules against published peaks: python tools/score_memory.py [--worst N] [--source S]

Every row of rules/evidence with a peak, or with the verdict that it ran or ran out of memory, as the rules
see it. What a row's memory_kind names is compared with `allocated_bytes`, `reserved_bytes` or `nvml_bytes`.
The fitted constants (tools/fit_memory.py) are refitted without a source before its rows are scored.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fit_memory import RULES, read_runs

from advisor.evidence.inputs import Run, shipped_evidence
from advisor.evidence.measured import MEMORY_KINDS, highest_kind
from advisor.evidence.memory import memory_kind
from advisor.evidence.memory_fit import GIB, spans_without
from advisor.evidence.record import Record
from advisor.rulebook import RuleBook, load_book


@dataclass(frozen=True)
class Scored:
    """One run, computed with constants that have not seen its source. Bytes."""

    run: Run
    kind: str
    low: float
    value: float
    high: float
    needs: float
    needs_high: float
    usable: float

    @property
    def error(self) -> float:
        """computed / measured - 1."""
        return self.value / (GIB * (self.run.record.number("peak_mem_gib") or np.nan)) - 1


def complete(record: Record) -> bool:
    """Whether the row gives device count, size, sequence or image size, and precision."""
    size = record.number("params") or record.number("hidden") or record.text("model")
    sample = record.number("seq_len") or record.number("image_size")
    return bool(record.number("num_accelerators") and size and sample and record.text("precision"))


def scored(book: RuleBook, runs: Sequence[Run]) -> list[Scored]:
    """All runs, each source by constants that were fitted without it."""
    names = [*dict.fromkeys(MEMORY_KINDS.values()), "memory_bytes", "memory_usable"]
    spans = spans_without(book, runs, (), names, "source")
    found: list[Scored] = []
    for at, run in enumerate(runs):
        kind = memory_kind(run.record)
        span, needs = spans[MEMORY_KINDS[kind]], spans["memory_bytes"]
        highest = spans[highest_kind(kind)].high[at]
        ends = (float(span.low[at]), float(span.value[at]), float(highest))
        usable = float(spans["memory_usable"].value[at])
        found.append(Scored(run, kind, *ends, float(needs.value[at]), float(needs.high[at]), usable))
    return found


def line_of(name: str, rows: Sequence[Scored]) -> str:
    """One line of the table of peaks."""
    errors = np.array([row.error for row in rows])
    measured = [(row.run.record.number("peak_mem_gib") or 0.0) * GIB for row in rows]
    inside = np.mean([row.low <= peak <= row.high for row, peak in zip(rows, measured, strict=True)])
    middle, far = np.quantile(np.abs(errors), (0.5, 0.9))
    return f"| {name} | {len(rows)} | {middle:.1%} | {far:.0%} | {np.median(errors):+.1%} | {inside:.0%} |"


def print_peaks(rows: Sequence[Scored], worst: int) -> None:
    """Errors by kind of figure, completeness, method and source."""
    groups: dict[str, list[Scored]] = defaultdict(list)
    for row in rows:
        record = row.run.record
        names = ["all", f"kind: {row.kind}", f"{row.kind}: {record.source}"]
        names += [f"family: {row.run.network.family}", f"method: {row.run.inputs.values['method']}"]
        names += ["kind: reserved or nvml"] if row.kind in ("reserved", "nvml") else []
        for name in names:
            groups[name].append(row)
    print("| rows | n | median error | 90 % below | median signed | in the range |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in sorted(groups):
        print(line_of(name, groups[name]))
    for row in sorted(rows, key=lambda row: -abs(row.error))[:worst]:
        peak = row.run.record.number("peak_mem_gib")
        print(f"{row.error:+.0%} {row.run.record.id} {row.kind} {peak} GiB, {row.value / GIB:.1f} computed")


def print_verdicts(rows: Sequence[Scored]) -> None:
    """How often "fits" is said of rows that ran and of rows that ran out of memory."""
    print("\n| rows | n | fits, at the middle | fits, at the upper bound |\n|---|---:|---:|---:|")
    for name, ran in (("ran", True), ("ran out of memory", False)):
        own = [
            row for row in rows if row.run.record.flag("fits") is ran and np.isfinite(row.needs / row.usable)
        ]
        if own:
            middle = np.mean([row.needs <= row.usable for row in own])
            high = np.mean([row.needs_high <= row.usable for row in own])
            print(f"| {name} | {len(own)} | {middle:.0%} | {high:.0%} |")


def main() -> None:
    """Print errors by kind of figure and by source, the verdicts, the refused rows, and the worst."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worst", type=int, default=0)
    parser.add_argument("--source", default="")
    parser.add_argument("--rules", type=Path, default=RULES)
    options = parser.parse_args()
    runs, refused = read_runs(shipped_evidence())
    rows = scored(load_book([options.rules]), runs)
    rows = [row for row in rows if options.source in row.run.record.source]
    peaks = [row for row in rows if row.run.record.number("peak_mem_gib") is not None]
    print_peaks([row for row in peaks if np.isfinite(row.value)], options.worst)
    print_verdicts(rows)
    left = Counter(f"{reason}{' (complete)' if complete(record) else ''}" for record, reason in refused)
    left["not computed by the rules"] += sum(not np.isfinite(row.value) for row in peaks)
    whole = sum(complete(row.run.record) and np.isfinite(row.value) for row in rows)
    lost = sum(complete(record) for record, _ in refused)
    print(f"\ncomplete rows answered: {whole} of {whole + lost}; not used:")
    for reason, number in left.most_common():
        print(f"  {number:5d}  {reason}")


if __name__ == "__main__":
    main()
