"""Start-up bars: `--help` 0.25 s, `probe --json` 0.5 s and 80 MB, `estimate` 0.4 s, verdict of `scan` 1.5 s.

Whole processes, as told.py times them. `estimate` is told twice: with rules and catalogue kept by an earlier
command, as every one but the first is, and read afresh.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time

from told import Run, hwadvisor, memory_row, process_row, row, timed

RUNS = 7
ESTIMATE = ("estimate", "--model", "llama-3-8b", "--hardware", "8 x nvidia-h100-sxm5-80gb")
VERDICT_LINE = "What this machine can train"
BARE = ("", "import numpy", "import click; from pydantic import BaseModel")


def first_verdict() -> float:
    """Seconds from process start until the verdict stands in the terminal."""
    folder = tempfile.mkdtemp(prefix="hwadvisor-bench-")
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "advisor", "scan", "--quick", "--format", "html", "--output", folder],
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


def bare() -> None:
    """What Python and the libraries alone take here, to compare with."""
    for code in BARE:
        runs = [timed([sys.executable, "-c", code]) for _ in range(RUNS)]
        seconds = min(run.wall_s for run in runs)
        print(f"       {f'python -c {code!r}':<56}{seconds:.3f} s, processors {_processors(runs):.3f} s")


def _processors(runs: list[Run]) -> float:
    return min(run.processor_s for run in runs)


def main() -> None:
    """Print the bars; the exit status tells whether all are kept."""
    bare()
    kept = [process_row("hwadvisor --help", hwadvisor("--help", runs=RUNS), 0.25)]
    probes = hwadvisor("probe", "--json", runs=RUNS)
    kept += [process_row("hwadvisor probe --json", probes, 0.5), memory_row("  its memory", probes, 80)]
    estimates = hwadvisor(*ESTIMATE, runs=RUNS)
    kept.append(process_row("one estimate, cold process", estimates, 0.4, 0.25))
    os.environ["HWADVISOR_STORE"] = "0"
    process_row("  with nothing kept before", hwadvisor(*ESTIMATE, runs=3), 0.4)
    del os.environ["HWADVISOR_STORE"]
    kept.append(row("first verdict of scan", min(first_verdict() for _ in range(3)), 1.5, "s"))
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
