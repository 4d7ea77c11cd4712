"""The matrix product of `hwadvisor calibrate --json` beside a run of 20 s: their ratio, target within 5 %.

The long run is cut into four parts, each right after a whole calibration, every one a process of its own. A
part and its calibration are compared with each other alone: a shared host's speed changes by the minute.
"""

from __future__ import annotations

import statistics

from child import calibrate, long_run

SIZE = 1024
PARTS = 4
LONG_S = 20.0
TARGET = 0.05
LEAST_KEPT = 0.5  # share of undisturbed blocks that a part of the long run needs
LEAST_PAIRS = 2


def short_rates(part: int) -> dict[str, float]:
    """FLOP/s by type from one calibration; a type that was disturbed is missing."""
    rates: dict[str, float] = {}
    for figure in calibrate("matmul"):
        dtype = str(figure["params"]["dtype"])
        if figure["params"]["n"] != SIZE or dtype not in ("fp32", "bf16"):
            continue
        told = f"{figure['value'] / 1e9:8.1f} GFLOP/s" if figure["value"] else figure["reason"].split(":")[0]
        print(f"{dtype} part {part}: calibrate {told}, grade {figure['grade']}", flush=True)
        if figure["value"]:
            rates[dtype] = float(figure["value"])
    return rates


def long_rate(dtype: str, part: int) -> float | None:
    """FLOP/s of a part of the long run, or None where it was disturbed."""
    raw = long_run("matmul", {"dtype": dtype, "n": SIZE}, LONG_S / PARTS)
    kept, total = raw["kept"], raw["all"]["n"]
    rate = float(raw["work"]) / kept["median"] if kept["n"] else float("nan")
    print(f"{dtype} part {part}: long run  {rate / 1e9:8.1f} GFLOP/s, {kept['n']} of {total} blocks kept")
    return rate if kept["n"] >= LEAST_KEPT * total else None


def main() -> None:
    """Alternate short and long, print each and the verdict per type."""
    ratios: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for part in range(1, PARTS + 1):
        rates = short_rates(part)
        for dtype, found in ratios.items():
            whole = long_rate(dtype, part)
            if whole is not None and dtype in rates:
                found.append(rates[dtype] / whole)
    for dtype, found in ratios.items():
        if len(found) < LEAST_PAIRS:
            print(f"{dtype}: {len(found)} undisturbed pair(s), no verdict; run this on a quiet machine")
            continue
        ratio = statistics.median(found)
        verdict = "PASS" if abs(ratio - 1) <= TARGET else "MISS"
        each = ", ".join(f"{one:.3f}" for one in found)
        print(f"{verdict}: {dtype} calibrate / long run = {ratio:.3f} (each {each}; target 1 ± {TARGET:.2f})")


if __name__ == "__main__":
    main()
