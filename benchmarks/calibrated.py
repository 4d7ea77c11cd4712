"""Estimates of this machine, calibrated, against real steps: networks.py, fp32 and bf16, two batches.

    python benchmarks/calibrated.py --keep FOLDER [--python PYTHON] [--calibration FILE] [--only bert,vit]

PYTHON needs torch, transformers and diffusers (`pip install 'hwadvisor[trace]'`). Real steps and the
calibration are kept in FOLDER, so that estimates can be made again without measuring (`--estimate`).
`--again` measures the steps once more: the median of the repeats counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from networks import BATCHES, LOOKED_AT

REPO = Path(__file__).resolve().parent.parent
PRECISIONS = ("fp32", "bf16_mixed")
MEDIAN_BAR, WORST_BAR, MEMORY_BAR = 0.10, 0.30, 0.08
STEPS = 8
LEAST = 3  # undisturbed steps that make a figure
Document = dict[str, Any]


class Case(NamedTuple):
    """One network in one precision and batch."""

    network: str
    precision: str
    batch: int

    @property
    def name(self) -> str:
        """As files are called."""
        return f"{self.network}.{self.precision}.{self.batch}"

    def flags(self) -> list[str]:
        """What every command is told of it."""
        model = f"{Path('benchmarks') / 'networks.py'}:{self.network}"
        return ["--model", model, "--precision", self.precision, "--method", "full", "--optimizer", "adamw",
                "--batch", str(self.batch), "--micro-batch", str(self.batch)]  # fmt: skip


def cases(only: list[str]) -> Iterator[Case]:
    """Every case, those that were looked at during the work first."""
    for network, batches in BATCHES.items():
        for precision in PRECISIONS:
            for batch in batches:
                if not only or network in only:
                    yield Case(network, precision, batch)


def advisor(python: str, *flags: str) -> Document | None:
    """What a command prints as JSON; None where it fails, with its reason on stderr."""
    command = [python, "-m", "advisor", *flags, "--json"]
    done = subprocess.run(
        command, capture_output=True, check=False, cwd=REPO, env={**os.environ, "PYTHONPATH": str(REPO)}
    )
    if done.returncode not in (0, 1) or not done.stdout:
        print(f"{' '.join(flags)}: {done.stderr.decode(errors='replace').strip()[-400:]}", file=sys.stderr)
        return None
    found: Document = json.loads(done.stdout)
    return found


def measured(case: Case, keep: Path, python: str, again: bool) -> list[Document]:
    """The real steps of a case, the kept ones and, where there are none yet, a new one."""
    path = keep / "steps" / f"{case.name}.json"
    found: list[Document] = json.loads(path.read_text()) if path.exists() else []
    if again or not found:
        told = advisor(
            python, "trial", *case.flags(), "--steps", str(STEPS), "--device", "cpu", "--python", python, "-q"
        )
        if told is not None:
            figures, depth = told["figures"], told["depths"][0]
            step, groups = depth["step"], depth["groups"]
            kept = depth["undisturbed"]
            found.append(
                {
                    "grade": told["grade"], "step": step, "groups": groups, "kept": kept["steps"],
                    "median_s": kept["median_s"], "process_bytes": figures["process_bytes"]["value"],
                }
            )  # fmt: skip
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found))
    return found


def estimated(case: Case, calibration: Path, python: str) -> dict[str, float | None]:
    """Step time and memory of a case by the calibration."""
    told = advisor(
        python, "estimate", *case.flags(), "--recompute", "none", "--sharding", "none",
        "--calibration", str(calibration), "--python", python,
    )  # fmt: skip
    quantities = {} if told is None else told["estimates"][0]["quantities"]
    return {name: (quantities.get(name) or {}).get("value") for name in ("optimizer_step_s", "memory_bytes")}


def calibration_of(keep: Path, python: str) -> Path:
    """The kept calibration, or a new one."""
    path = keep / "calibration.json"
    if not path.exists():
        flags = ("calibrate", "--device", "cpu", "--python", python, "--output", str(path), "-q")
        if advisor(sys.executable, *flags) is None:
            raise SystemExit("no calibration")
    return path


def middle(values: list[float]) -> float | None:
    """The median, None of nothing."""
    return statistics.median(values) if values else None


class Row(NamedTuple):
    """Measured and estimated of one case; None: not known."""

    case: Case
    grades: str
    step_s: float | None
    told_s: float | None
    bytes: float | None
    told_bytes: float | None

    @property
    def time(self) -> float | None:
        """Estimated over measured time, less one."""
        return self.told_s / self.step_s - 1 if self.told_s and self.step_s else None

    @property
    def memory(self) -> float | None:
        """The same of memory."""
        return self.told_bytes / self.bytes - 1 if self.told_bytes and self.bytes else None


def row_of(case: Case, steps: list[Document], told: dict[str, float | None]) -> Row:
    """A row of the table: the median over repeats of the median of steps in which nobody took a core from us.

    Grade C has no figure for a user; here its undisturbed steps count, since three of them are asked for.
    """
    times = [s["median_s"] for s in steps if s["kept"] >= LEAST]
    memory = [s["process_bytes"] for s in steps if s["process_bytes"]]
    return Row(
        case, "".join(sorted(s["grade"] for s in steps)), middle(times), told["optimizer_step_s"],
        middle(memory), told["memory_bytes"],
    )  # fmt: skip


def share(value: float | None) -> str:
    """+3 %, or a dash."""
    return "–" if value is None else f"{value:+.0%}".replace("%", " %")


def table(rows: list[Row]) -> None:
    """The table as docs/accuracy.md has it."""
    print("| network | format | batch | grade | step | estimated | off | memory | estimated | off |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        times = [f"{value:.3f} s" if value else "–" for value in (row.step_s, row.told_s)]
        sizes = [f"{value / 2**20:.0f} MiB" if value else "–" for value in (row.bytes, row.told_bytes)]
        case = row.case
        print(
            f"| {case.network} | {case.precision} | {case.batch} | {row.grades} | {times[0]} | {times[1]} | "
            f"{share(row.time)} | {sizes[0]} | {sizes[1]} | {share(row.memory)} |"
        )


def verdict(title: str, rows: list[Row]) -> None:
    """Median and worst of a half."""
    times = [abs(row.time) for row in rows if row.time is not None]
    sizes = [abs(row.memory) for row in rows if row.memory is not None]
    if not times or not sizes:
        print(f"{title}: nothing to compare")
        return
    over = sum(off > WORST_BAR for off in times)
    most = sum(off > MEMORY_BAR for off in sizes)
    print(
        f"{title}: {len(times)} of {len(rows)} with both times: median {statistics.median(times):.1%} off "
        f"(bar {MEDIAN_BAR:.0%}), worst {max(times):.0%}, {over} beyond {WORST_BAR:.0%}; "
        f"memory of {len(sizes)}: median {statistics.median(sizes):.1%}, worst {max(sizes):.0%}, "
        f"{most} beyond {MEMORY_BAR:.0%}"
    )


def main() -> None:
    """Measure what is not kept yet, estimate, tell."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--keep", type=Path, required=True)
    flags.add_argument("--calibration", type=Path)
    flags.add_argument("--python", default=sys.executable)
    flags.add_argument("--only", default="", help="names of networks, with commas")
    flags.add_argument("--again", action="store_true")
    flags.add_argument("--estimate", action="store_true")
    flags.add_argument("--measure", action="store_true", help="only measure")
    asked = flags.parse_args()
    asked.keep.mkdir(parents=True, exist_ok=True)
    chosen = list(cases([name for name in asked.only.split(",") if name]))
    steps = {}
    for case in chosen:
        steps[case] = (
            measured(case, asked.keep, asked.python, asked.again)
            if not asked.estimate
            else json.loads(kept.read_text())
            if (kept := asked.keep / "steps" / f"{case.name}.json").exists()
            else []
        )
        print(
            f"{case.name}: {[(s['grade'], s['kept'], s['median_s']) for s in steps[case]]}", file=sys.stderr
        )
    if asked.measure:
        return
    calibration = asked.calibration or calibration_of(asked.keep, asked.python)
    rows = [row_of(case, steps[case], estimated(case, calibration, asked.python)) for case in chosen]
    table(rows)
    verdict("looked at while the rules were made", [r for r in rows if r.case.network in LOOKED_AT])
    verdict("first measured at the end", [r for r in rows if r.case.network not in LOOKED_AT])
    verdict("all", rows)


if __name__ == "__main__":
    main()
