"""Calibrated memory bandwidth beside a compiled C triad over the very same arrays: target within 5 %.

The two take turns within a second, so that a change of the machine's own speed hits both; only ratios are
compared. Both are timed by the calibration's own code, so what is compared is the kernel.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

# two OpenMP libraries share this process: a pool that spins after its work would slow the other one down
os.environ["OMP_WAIT_POLICY"] = "passive"
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
if TYPE_CHECKING:
    from advisor.bench.context import Context

ARRAY_BYTES = 256 << 20
ROUNDS = 9
TARGET = 0.05


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


def rate(context: Context, call: Callable[[], object], count: int) -> tuple[float, float]:
    """(bytes per second, share of undisturbed blocks) of a triad over arrays of `count` floats."""
    samples = context.time(call)
    kept = samples.kept()
    time.sleep(0.02)  # lets the other pool's threads go to sleep
    return 12.0 * count / statistics.median(kept or samples.all()), len(kept) / len(samples.blocks)


def main() -> None:
    """Take turns, print each round and the verdict."""
    import torch

    from advisor.bench.context import Context
    from advisor.bench.devices import Device
    from advisor.bench.matrix import stream_arrays, triad
    from advisor.bench.noise import Watch
    from advisor.bench.timing import Limits
    from advisor.calibrate.plan import PACES

    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    context = Context(torch, Device(torch, "cpu"), Limits(**PACES["default"].limits()), Watch(), threads)
    count = ARRAY_BYTES // 4
    a, b, c = stream_arrays(context, count)
    ratios: list[float] = []
    quiet: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        libraries = compile_triad(Path(folder))
        where = [ctypes.c_void_p(array.data_ptr()) for array in (a, b, c)]
        length = ctypes.c_size_t(count)
        for turn in range(ROUNDS):
            ours, kept = rate(context, triad(torch, a, b, c), count)
            in_c = {
                name: rate(context, partial(library.triad, *where, length), count)
                for name, library in libraries.items()
            }
            best, kept_c = max(in_c.values())
            ratios.append(ours / best)
            undisturbed = min(kept, kept_c) > 0.5
            if undisturbed:
                quiet.append(ratios[-1])
            loops = ", ".join(f"C {name} {value / 1e9:5.1f}" for name, (value, _) in in_c.items())
            note = "" if undisturbed else "  (disturbed)"
            print(f"round {turn + 1}: calibrated {ours / 1e9:5.1f} GB/s, {loops}, {ratios[-1]:.3f}{note}")
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
