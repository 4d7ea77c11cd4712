"""Score the memory rules against published peaks: python tools/score_memory.py [--worst N] [--source S]

Every row of rules/evidence with a peak, or with the verdict that it ran or ran out of memory, as the rules
see it. What a row's memory_kind names is compared with `allocated_bytes`, `reserved_bytes` or `nvml_bytes`.
The few constants that are fitted (by --fit) are refitted without a source before its rows are scored.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from advisor.estimate import Table, evaluate
from advisor.estimate.inputs import known_only
from advisor.evidence.inputs import Run, run_of, shipped_evidence
from advisor.evidence.memory import memory_kind
from advisor.evidence.record import Record, Refusal, read_records
from advisor.rulebook import RuleBook, load_book

GIB = 2.0**30
RULES = Path(__file__).resolve().parent.parent / "rules"
NEEDED = ("num_accelerators", "precision")


@dataclass(frozen=True)
class Peak:
    """One published peak: its run, kind of figure and bytes."""

    run: Run
    kind: str
    measured: float


def complete(record: Record) -> bool:
    """Whether the row gives device count, size, sequence or image size, and precision."""
    size = record.number("params") or record.number("hidden") or record.text("model")
    sample = record.number("seq_len") or record.number("image_size")
    return bool(record.number("num_accelerators") and size and sample and record.text("precision"))


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


def bytes_of(book: RuleBook, runs: Sequence[Run]) -> dict[str, npt.NDArray[np.float64]]:
    """allocated, reserved, nvml and what can be had, of each run."""
    names = ("allocated_bytes", "reserved_bytes", "nvml_bytes", "memory_usable")
    found = evaluate(book, table_of(book, runs), names)
    return {name: np.asarray(found.columns[name], dtype=np.float64) for name in names}


def with_constants(book: RuleBook, values: dict[str, tuple[float, float, float]]) -> RuleBook:
    """The book with these constants (value, low, high) in place of its own."""
    constants = {
        key: dataclasses.replace(one, value=values[key][0], low=values[key][1], high=values[key][2])
        if key in values
        else one
        for key, one in book.constants.items()
    }
    return dataclasses.replace(book, constants=constants)


def line_of(name: str, errors: npt.NDArray[np.float64]) -> str:
    """One line of the table."""
    middle, far = np.quantile(np.abs(errors), (0.5, 0.9))
    return f"| {name} | {len(errors)} | {middle:.1%} | {far:.0%} | {np.median(errors):+.1%} |"


def main() -> None:
    """Print errors by kind of figure and by source, the refused rows, and the worst."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worst", type=int, default=0)
    parser.add_argument("--source", default="")
    parser.add_argument("--rules", type=Path, default=RULES)
    options = parser.parse_args()
    book = load_book([options.rules])
    runs, refused = read_runs(shipped_evidence())
    runs = [run for run in runs if options.source in run.record.source]
    found = bytes_of(book, runs)
    groups: dict[str, list[float]] = defaultdict(list)
    rows: list[tuple[float, str]] = []
    left: Counter[str] = Counter()
    for at, run in enumerate(runs):
        peak = run.record.number("peak_mem_gib")
        if peak is None:
            continue
        kind = memory_kind(run.record)
        value = found[f"{'reserved' if kind == 'unknown' else kind}_bytes"][at]
        if np.isnan(value):
            left["not computed by the rules"] += 1
            print("NaN", run.record.id, run.network.family)
            continue
        error = value / (peak * GIB) - 1
        for name in ("all", f"kind: {kind}", f"{kind}: {run.record.source}"):
            groups[name].append(error)
        rows.append((error, f"{run.record.id} {kind} {peak} GiB, {value / GIB:.1f} computed"))
    print("| rows | n | median error | 90 % below | median signed |")
    print("|---|---:|---:|---:|---:|")
    for name in sorted(groups):
        print(line_of(name, np.array(groups[name])))
    for record, reason in refused:
        left[f"{reason}{' (complete)' if complete(record) else ''}"] += 1
    for reason, number in left.most_common():
        print(f"  {number:5d}  {reason}")
    for error, text in sorted(rows, key=lambda row: -abs(row[0]))[: options.worst]:
        print(f"{error:+.0%} {text}")


if __name__ == "__main__":
    main()
