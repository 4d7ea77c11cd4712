"""A bar told in one line, alike in every script, and processes timed alike.

Wall time is judged by the quickest of some runs: other programs only ever add to it. The seconds of
processors beside it tell how much of it was waiting.
"""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

VERDICTS = ("BEYOND", "PASS", "MISS")


@dataclass(frozen=True)
class Run:
    """One run of a process."""

    wall_s: float
    processor_s: float
    peak_mb: float


def timed(command: list[str], cwd: Path | None = None) -> Run:
    """Run a command with nothing shown; ends the benchmark when it fails (not by exit 1: nothing fits)."""
    begun = time.perf_counter()
    with Path(os.devnull).open("w") as null:
        process = subprocess.Popen(command, stdout=null, stderr=null, cwd=cwd)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begun
    if process.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


@cache
def compiled() -> None:
    """Bytecode, as pip makes it of what it installs; some environments forbid Python to write any itself."""
    compileall.compile_dir(Path(__file__).resolve().parent.parent / "advisor", quiet=2)


def hwadvisor(*arguments: str, runs: int) -> list[Run]:
    """The command run several times, each in a process of its own, after one that fills the caches."""
    compiled()
    command = [sys.executable, "-m", "advisor", *arguments]
    timed(command)
    return [timed(command) for _ in range(runs)]


def row(  # noqa: PLR0913 - what a bar is, by name
    name: str, value: float, bar: float, unit: str, *, beyond: float | None = None, least: bool = False,
    note: str = "",
) -> bool:  # fmt: skip
    """Print whether `value` keeps to the bar, an upper bound unless `least`; the ratio is then below 1."""
    ratio = bar / value if least else value / bar
    far = beyond is not None and (value >= beyond if least else value <= beyond)
    verdict = "BEYOND" if far else "PASS" if ratio <= 1 else "MISS"
    bound = f"{'>=' if least else '<='} {shown(bar)}"
    print(f"{verdict:<7}{name:<34}{shown(value):>10} {unit:<4}{bound:<12}x {ratio:.2f}  {note}".rstrip())
    return ratio <= 1


def shown(value: float) -> str:
    """Three digits, or whole thousands."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def process_row(name: str, runs: list[Run], bar_s: float, beyond_s: float | None = None) -> bool:
    """A row of the quickest run, with the median and the processors' seconds beside it."""
    middle = statistics.median(run.wall_s for run in runs)
    processors = min(run.processor_s for run in runs)
    note = f"median {middle:.3f}, processors {processors:.3f} s"
    return row(name, min(run.wall_s for run in runs), bar_s, "s", beyond=beyond_s, note=note)


def memory_row(name: str, runs: list[Run], bar_mb: float) -> bool:
    """A row of the largest peak."""
    return row(name, max(run.peak_mb for run in runs), bar_mb, "MB")
