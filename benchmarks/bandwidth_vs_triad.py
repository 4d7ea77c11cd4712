"""Memory bandwidth of `hwadvisor calibrate --json` beside a compiled C triad: target within 5 %.

The C loop runs in this process just before and just after each calibration, since the speed of a shared
host's memory changes from one minute to the next; only ratios are compared. Its blocks are chosen by the
calibration's rule (median of the undisturbed ones), so what is compared is everything else.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from child import calibrate, threads

HERE = Path(__file__).resolve().parent
ARRAY_BYTES = 256 << 20
ROUNDS = 5
TARGET = 0.05
STEADY = 1.10  # C before and after may differ by so much; else the memory's own speed changed meanwhile


def compile_triad(folder: Path) -> dict[str, ctypes.CDLL]:
    """The C loop built for this very processor, on x86 with both vector widths.

    Which width the compiler picks by itself differs by version and by what the hypervisor says of the
    processor, and makes up to 17 % (seen on a virtual Zen 4). What C can do is the better of them.
    """
    compiler = shutil.which(os.environ.get("CC", "gcc")) or shutil.which("cc")
    if compiler is None:
        raise SystemExit("no C compiler found: install gcc, or set CC")
    widths = ("256", "512") if platform.machine() in ("x86_64", "AMD64") else ("",)
    found = {}
    for width in widths:
        library = folder / f"triad{width}.so"
        flags = ["-O3", "-march=native", "-fopenmp", "-shared", "-fPIC", "-o", str(library)]
        flags += [f"-mprefer-vector-width={width}"] if width else []
        subprocess.run([compiler, *flags, str(HERE / "bandwidth_vs_triad.c")], check=True)
        found[f"{width}-bit" if width else "native"] = ctypes.CDLL(str(library))
    return found


def in_c(libraries: dict[str, ctypes.CDLL]) -> tuple[float, bool]:
    """(bytes per second of the best C loop, whether most of its blocks were undisturbed)."""
    from advisor.bench.noise import RunDelay
    from advisor.bench.timing import Limits, WallClock, measure
    from advisor.calibrate.plan import PACES

    count = ARRAY_BYTES // 4
    arrays = [(ctypes.c_float * count)() for _ in range(3)]
    length = ctypes.c_size_t(count)
    next(iter(libraries.values())).fill(*arrays, length)
    delay, limits = RunDelay(), Limits(**PACES["default"].limits())
    best, quiet = 0.0, True
    for library in libraries.values():
        call = partial(library.triad, *arrays, length)
        samples = measure(call, WallClock(), limits, delay, threads=threads())
        kept = samples.kept()
        best = max(best, 12.0 * count / statistics.median(kept or samples.all()))
        quiet = quiet and len(kept) > 0.5 * len(samples.blocks)
    return best, quiet


def main() -> None:
    """C, calibration, C; print each round and the verdict."""
    quiet: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        libraries = compile_triad(Path(folder))
        for turn in range(ROUNDS):
            before, calm_before = in_c(libraries)
            figures = [f for f in calibrate("memory_bandwidth") if f["params"]["op"] == "triad"]
            after, calm_after = in_c(libraries)
            values = [float(f["value"]) for f in figures if f["value"]]
            steady = max(before, after) <= STEADY * min(before, after)
            grades = "".join(str(f["grade"]) for f in figures)
            told = f"C {before / 1e9:5.1f} and {after / 1e9:5.1f} GB/s, calibrated "
            told += " and ".join(f"{value / 1e9:.1f}" for value in values) or "no point value"
            if not values or not (calm_before and calm_after and steady):
                print(f"round {turn + 1}: {told} (grades {grades}; disturbed)", flush=True)
                continue
            quiet.append(statistics.mean(values) / statistics.mean((before, after)))
            print(f"round {turn + 1}: {told} (grades {grades}), {quiet[-1]:.3f}", flush=True)
    if not quiet:
        print("no undisturbed round, no verdict: run this on a quiet machine")
        return
    ratio = statistics.median(quiet)
    verdict = "PASS" if abs(ratio - 1) <= TARGET else "MISS"
    print(
        f"{verdict}: calibrated / best C = {ratio:.3f} (median of {len(quiet)} undisturbed rounds "
        f"of {ROUNDS}; target 1 ± {TARGET:.2f})"
    )


if __name__ == "__main__":
    main()
