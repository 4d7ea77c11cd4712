"""Start-up bars: `--help` 0.25 s, `probe --json` 0.5 s and 80 MB, `estimate` 0.4 s, verdict of `scan` 1.5 s.

Wall times of whole processes, median of several runs; the smallest is printed beside it, because a
shared machine only ever adds time.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HWADVISOR = [sys.executable, "-m", "advisor"]
RUNS = 7
ESTIMATE = ["estimate", "--model", "llama-3-8b", "--hardware", "8 x nvidia-h100-sxm5-80gb"]
VERDICT_LINE = "What this machine can train"


def timed(arguments: list[str]) -> tuple[float, float]:
    """(wall seconds, peak resident MB of the largest process) of one run."""
    start = time.perf_counter()
    with Path(os.devnull).open("w") as null:
        process = subprocess.Popen([*HWADVISOR, *arguments], stdout=null, stderr=null)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def first_verdict() -> float:
    """Seconds from process start until the verdict stands in the terminal."""
    folder = tempfile.mkdtemp(prefix="hwadvisor-bench-")
    start = time.perf_counter()
    process = subprocess.Popen(
        [*HWADVISOR, "scan", "--quick", "--format", "html", "--output", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith(VERDICT_LINE):
                return time.perf_counter() - start
        raise SystemExit("scan printed no verdict")
    finally:
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def row(name: str, seconds: list[float], bar_s: float, extra: str = "") -> None:
    """One line: median, minimum, the bar, and whether it is met."""
    middle = statistics.median(seconds)
    verdict = "PASS" if middle <= bar_s else "MISS"
    print(f"{verdict}  {name:<28} median {middle:.3f} s  min {min(seconds):.3f} s  bar {bar_s} s{extra}")


def main() -> None:
    """Print the bars."""
    row("hwadvisor --help", [timed(["--help"])[0] for _ in range(RUNS)], 0.25)
    probes = [timed(["probe", "--json"]) for _ in range(RUNS)]
    memory = max(mb for _, mb in probes)
    note = f"  peak {memory:.0f} MB (bar 80: {'PASS' if memory <= 80 else 'MISS'})"
    row("hwadvisor probe --json", [s for s, _ in probes], 0.5, note)
    row("hwadvisor estimate", [timed(ESTIMATE)[0] for _ in range(RUNS)], 0.4)
    row("first verdict of scan", [first_verdict() for _ in range(3)], 1.5)


if __name__ == "__main__":
    main()
