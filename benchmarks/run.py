"""`make bench`: every script of this folder, each in its own process, and all bars together at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from told import VERDICTS

HERE = Path(__file__).resolve().parent
NO_BENCHMARK = (
    "run",
    "told",
    "child",
    "networks",
    "calibrated",
)  # the last takes half an hour: by name alone
QUIET = 0.5  # programs waiting for a processor; above it wall times are not those of the machine


def main() -> None:
    """Run the scripts named on the command line, or all of them."""
    wanted = sys.argv[1:]
    scripts = sorted(p for p in HERE.glob("*.py") if p.stem not in NO_BENCHMARK or p.stem in wanted)
    chosen = [p for p in scripts if not wanted or p.stem in wanted]
    if not chosen:
        raise SystemExit(f"no such benchmark; there are {', '.join(p.stem for p in scripts)}")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    failed, bars = 0, list[str]()
    for script in chosen:
        print(f"== {script.stem}", flush=True)
        process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.startswith(VERDICTS):
                bars.append(line.rstrip())
        failed += process.wait() != 0
    print("== bars", *bars, sep="\n")
    if load is not None and load > QUIET:
        print(f"The machine was busy when this began (load {load:.1f}): figures of time are upper bounds.")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
