"""Fit the few constants of the memory rules that no source states: python tools/fit_memory.py [--write]

Writes rules/constants/memory.toml. How: advisor/evidence/memory_fit.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from advisor.evidence.inputs import Run, run_of, shipped_evidence
from advisor.evidence.memory_fit import DOUBTS, fit, peaks_of
from advisor.evidence.record import Record, Refusal, read_records
from advisor.rulebook import load_book

RULES = Path(__file__).resolve().parent.parent / "rules"


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


TEXTS = {
    "reserved_factor": ("1", "what the allocator reserves for each byte that is live"),
    "reserved_slack": ("B", "what it reserves however little is live"),
    "collective_bytes": (
        "B",
        "buffers of one group of devices that talk to each other (NCCL), outside the allocator",
    ),
    "peak_doubt": ("1", "scatter of allocated peaks whose set-up is told"),
    "peak_doubt_untold": (
        "1",
        "scatter of allocated peaks where micro-batch, recomputation or sharding is assumed",
    ),
    "reserved_doubt": ("1", "scatter of reserved and nvidia-smi peaks whose set-up is told"),
    "reserved_doubt_trainer": ("1", "the same with the trainers of Hugging Face"),
    "reserved_doubt_4bit": ("1", "the same with bases in 4 or 8 bit"),
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
        kinds = DOUBTS[name][0] if name in DOUBTS else ("nvml",) if name[0] == "c" else ("reserved", "nvml")
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
