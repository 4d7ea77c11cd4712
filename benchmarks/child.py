"""Calibration as a user gets it, for benchmarks that hold it against something else. No benchmark itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO))
Figure = dict[str, Any]


def threads() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def calibrate(bench: str) -> list[Figure]:
    """The measurements of `hwadvisor calibrate --json --only BENCH`, run as a process of its own."""
    command = [
        sys.executable,
        "-m",
        "advisor",
        "calibrate",
        "--device",
        "cpu",
        "--only",
        bench,
        "--json",
        "-q",
    ]
    done = subprocess.run(command, capture_output=True, check=False, cwd=REPO)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.decode(errors='replace').strip()}")
    found: list[Figure] = json.loads(done.stdout)["calibration"]["measurements"]
    return found


def long_run(bench: str, params: dict[str, Any], seconds: float) -> Figure:
    """One figure of the measuring child that lasts as long as it is told: its raw result line."""
    from advisor.calibrate.guard import Child, bench_command
    from advisor.calibrate.plan import PACES

    limits = PACES["default"].limits(min_s=seconds, cap_s=seconds)
    test = {"id": bench, "bench": bench, "device": "cpu", "params": params, "limits": limits}
    child = Child(bench_command(sys.executable), threads())
    try:
        child.send({"threads": threads(), "gate_wait_s": 10.0, "workdir": "."})
        child.receive(120.0)  # the hello
        child.send({"tests": [test]})
        child.send({"go": True})
        while (message := child.receive(seconds + 120.0)) is not None:
            if message["event"] == "result":
                return message
            if message["event"] == "failure":
                raise SystemExit(f"{bench}: {message['reason']}")
        raise SystemExit(f"{bench}: the measuring process {child.how_it_ended()}")
    finally:
        child.kill()
