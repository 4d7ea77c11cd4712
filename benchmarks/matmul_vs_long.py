"""The default mode's short matrix product beside a run of 20 s: their ratio, target within 5 %.

The long run is cut into four parts with a short measurement before each, all in one process.
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
SIZE = 1024
PARTS = 4
LONG_S = 20.0
TARGET = 0.05


def main() -> None:
    """Alternate short and long, print each and the verdict per type."""
    import torch

    from advisor.bench.context import Context
    from advisor.bench.devices import Device
    from advisor.bench.matrix import matmul
    from advisor.bench.noise import Watch
    from advisor.bench.timing import Limits
    from advisor.calibrate.plan import PACES

    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    pace = PACES["default"]
    short = Limits(**pace.limits(min_s=pace.minor_s))
    long = Limits(**pace.limits(min_s=LONG_S / PARTS, cap_s=LONG_S / PARTS))
    watch, device = Watch(), Device(torch, "cpu")
    for dtype in ("fp32", "bf16"):
        shorts: list[float] = []
        everything: list[float] = []
        for part in range(PARTS):
            for limits in (short, long):
                context = Context(torch, device, limits, watch, threads)
                figure = next(matmul(context, {"dtype": dtype, "n": SIZE}))
                kept = figure.samples.kept()
                if limits is long:
                    everything += kept
                    continue
                rate = float(figure.work or 0.0) / statistics.median(kept) if kept else float("nan")
                if kept:
                    shorts.append(rate)
                total = len(figure.samples.blocks)
                print(
                    f"{dtype} part {part + 1}: {rate / 1e9:8.1f} GFLOP/s, {len(kept)} of {total} blocks kept"
                )
        if not shorts or not everything:
            print(f"{dtype}: no undisturbed block; run this on a quiet machine")
            continue
        whole = 2.0 * SIZE**3 / statistics.median(everything)
        ratios = [rate / whole for rate in shorts]
        ratio = statistics.median(ratios)
        verdict = "PASS" if abs(ratio - 1) <= TARGET else "MISS"
        print(f"{dtype} {LONG_S:.0f} s: {whole / 1e9:8.1f} GFLOP/s from {len(everything)} kept blocks")
        print(
            f"{verdict}: {dtype} short / long = {ratio:.3f} "
            f"(each {', '.join(f'{r:.3f}' for r in ratios)}; target 1 ± {TARGET:.2f})"
        )


if __name__ == "__main__":
    main()
