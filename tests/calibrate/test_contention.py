"""Two spinning processes beside a measurement: grade C and a range, never a wrong figure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.calibrate import run
from advisor.calibrate.options import CalibrateOptions
from advisor.calibrate.plan import PACES, Test
from advisor.calibrate.run import run_calibration
from advisor.schema import Cpu, Fact, Grade, Machine, Status

pytest.importorskip("torch", reason="measuring needs torch")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this kernel tells no run delay"),
]
SPIN = "while True: pass"


@pytest.fixture
def two_cores():
    """Two cores for us and everything we start, so that two spinners suffice on a machine of any size."""
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("one core only: two spinners and we make three")
    os.sched_setaffinity(0, sorted(before)[:2])
    yield 2
    os.sched_setaffinity(0, before)


@pytest.fixture
def spinners(two_cores):
    """Two processes that do nothing, on our cores."""
    running = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(two_cores)]
    yield
    for process in running:
        process.kill()
        process.wait()


def measured(monkeypatch, threads: int):
    pace = PACES["default"]
    calm = type(pace)(**{**vars(pace), "gate_wait_s": 0.0})
    monkeypatch.setitem(run.PACES, "default", calm)
    limits = pace.limits(min_s=1.0, cap_s=2.0)
    params = {"dtype": "fp32", "n": 512, "threads": threads}
    plan = [Test("matmul", "cpu", params, "Multiplying", f"{threads}t", limits)]
    monkeypatch.setattr(run, "make_plan", lambda *_a, **_k: plan)
    machine = Machine(probed_at="", cpu=Cpu(budget_threads=Fact(value=2, status=Status.ok)))
    last = list(run_calibration(machine, CalibrateOptions()))[-1]
    [figure] = last.measurements
    return figure


@pytest.mark.parametrize("threads", [1, 2])
def test_beside_two_spinners_a_figure_is_a_range(spinners, monkeypatch, threads):
    figure = measured(monkeypatch, threads)
    assert figure.grade is Grade.C
    assert figure.value is None
    assert figure.low is None or figure.low > 0
    assert figure.high is None, "how fast it is undisturbed was not seen, so no upper end may exclude it"
    assert "contended" in figure.warnings
    assert "contended" in figure.reason
    assert figure.noise.run_delay_fraction is not None


def test_without_them_the_same_code_gives_a_value_or_says_why_not(two_cores, monkeypatch):
    figure = measured(monkeypatch, 1)
    assert (figure.value is None) == (figure.grade is Grade.C)
    assert figure.value is not None or figure.reason
