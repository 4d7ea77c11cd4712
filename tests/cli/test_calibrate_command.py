"""`hwadvisor calibrate` as a process, on a GPU that is none: stopped in the middle, or its child killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
COPYING = "Copying between"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="drives processes with POSIX signals"),
]


def start(tmp_path: Path, *arguments: str, **case: object) -> subprocess.Popen[str]:
    """A quick calibration of the fake GPU."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{REPO / 'tests/fakes/gpu'}{os.pathsep}{REPO}",
        "FAKE_GPU": json.dumps(case),
    }
    command = [sys.executable, "-m", "advisor", "calibrate", "--quick", "--device", "cuda", *arguments]
    return subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def until(process: subprocess.Popen[str], text: str) -> str:
    """Stderr up to the line with `text`."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if text in line:
            return said
    raise AssertionError(f"ended without saying {text}: {said}")


def children(pid: int) -> list[int]:
    """The processes that `pid` has started."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, check=False)
    return [int(word) for word in found.stdout.split()]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_it_prints_and_keeps_what_it_has(tmp_path: Path, sent: signal.Signals) -> None:
    process = start(tmp_path, "--json", "--output", "kept.json", hang_at="copy")
    until(process, COPYING)
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, "what was measured is kept" in err) == (0, True), err
    for text in (out, (tmp_path / "kept.json").read_text()):
        found = json.loads(text)["calibration"]
        assert {m["bench"] for m in found["measurements"]} >= {"memory_bandwidth", "matmul"}
        assert (found["complete"], found["stopped"]) == (False, "interrupted")


def test_a_child_that_is_killed_costs_the_bench_it_was_at(tmp_path: Path) -> None:
    process = start(
        tmp_path, "--json", "--only", "host_device_copy", "--only", "launch_latency", hang_at="copy"
    )
    until(process, COPYING)
    for pid in children(process.pid):
        os.kill(pid, signal.SIGKILL)
    until(process, "not measured")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    found = json.loads(out)["calibration"]
    assert [f["bench"] for f in found["failures"]] == ["host_device_copy"]
    assert "SIGKILL" in found["failures"][0]["reason"]
    assert {m["bench"] for m in found["measurements"]} == {"launch_latency"}
