"""Two spinning processes beside a measurement: grade C and a range, never a wrong figure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.bench.timing import Block, Samples
from advisor.calibrate import run
from advisor.calibrate.grade import DeviceNoise, measurement
from advisor.calibrate.options import CalibrateOptions
from advisor.calibrate.plan import PACES, Test
from advisor.calibrate.run import run_calibration
from advisor.schema import Cpu, Fact, Grade, Machine, Measurement, Status

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
    plan = [Test("matmul", "cpu", params, "Multiplying", f"{threads}t", limits, wall_s=120.0)]
    monkeypatch.setattr(run, "make_plan", lambda *_a, **_k: plan)
    machine = Machine(probed_at="", cpu=Cpu(budget_threads=Fact(value=2, status=Status.ok)))
    last = list(run_calibration(machine, CalibrateOptions()))[-1]
    assert last.measurements, last.failures
    [figure] = last.measurements
    return figure


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this kernel tells no run delay")
@pytest.mark.parametrize("threads", [1, 2])
def test_beside_two_spinners_a_figure_is_a_range(spinners, monkeypatch, threads):
    pytest.importorskip("torch", reason="measuring needs torch")
    figure = measured(monkeypatch, threads)
    assert figure.grade is Grade.C
    assert figure.value is None
    assert figure.low is None or figure.low > 0
    assert figure.high is None, "how fast it is undisturbed was not seen, so no upper end may exclude it"
    assert "contended" in figure.warnings
    assert "contended" in figure.reason
    assert figure.noise.run_delay_fraction is not None


TRUE_S = 1e-3  # what one call of the made-up work takes on a core of its own


def among_others(share: float, slower: float = 3.0, blocks: int = 100) -> Measurement:
    """Blocks of that work as the child tells them, `share` of them `slower` by waiting for a core."""
    step = round(share * 10)  # of every ten in a row, so that what is calm is not all at one end
    made = [
        Block(slower * TRUE_S, 1 - 1 / slower) if n % 10 < step else Block(TRUE_S, 0.0) for n in range(blocks)
    ]
    for number, block in enumerate(made):  # a true measurement is never exact: +-0.5 %
        made[number] = Block(block.seconds * (1 + 0.005 * (number % 3 - 1)), block.delay)
    seconds = [block.seconds for block in made]
    delay_s = sum(block.seconds * (block.delay or 0.0) for block in made)
    samples = Samples(made, wall_s=sum(seconds), delay_s=delay_s)
    line = {"unit": "FLOP/s", "work": 1.0, "suffix": "", "params": {}, "warnings": [], "refused": ""}
    test = Test("matmul", "cpu", {"dtype": "fp32", "n": 512}, "Multiplying", "1t")
    return measurement(test, {**line, "busy_before": False, **samples.summary()}, DeviceNoise(), "")


@pytest.mark.parametrize(("share", "slower", "grade"), [(0.0, 1.0, Grade.A), (0.2, 1.5, Grade.B)])
def test_what_is_undisturbed_or_nearly_gives_the_true_figure(share, slower, grade):
    figure = among_others(share, slower)
    assert figure.grade is grade
    assert figure.value == pytest.approx(1 / TRUE_S, rel=0.01)
    assert "contended" not in figure.warnings


@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_what_is_disturbed_gives_no_figure_but_a_range_that_the_true_one_is_in(share):
    figure = among_others(share)
    assert (figure.grade, figure.value) == (Grade.C, None)
    assert "contended" in figure.warnings
    assert 0 < figure.low <= 1 / TRUE_S
    assert figure.high is None
