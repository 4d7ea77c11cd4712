"""`estimate` on a calibrated machine: timed by operators, and what it says where that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.app_estimate import EstimateOptions, run_estimate
from advisor.app_options import WorkloadFlags
from advisor.data.advice import dump_advice
from advisor.errors import UserError
from advisor.model.traced import model_of_trace
from advisor.schema import Advice, Calibration, Cpu, Fact, Grade, Machine, Measurement, Memory, Status
from advisor.search.grid import Stated

POINTS = [
    ("mul", (1e3, 12e3), 1e-6), ("mul", (1e7, 12e7), 1e-2), ("calls", (100.0, 0.0), 5e-4),
    ("fill_", (1e3, 4e3), 1e-6), ("fresh", (1e7, 4e7), 2e-2),
]  # fmt: skip
LINE = [0.0, 1e6]
DOCUMENT = {
    "mode": "fake", "torch": "2.13.0", "inputs": ["ids=Bx16:int64"], "batches": [2, 4], "alike": True,
    "parameters": 1e6, "trainable": 1e6, "gradient_bytes": 4e6, "linear_parameters": 1e6,
    "weight_bytes": 4e6, "buffer_bytes": 0,
    "loss": "", "notes": [],
    "operators": [
        {"phase": phase, "kind": "matrix", "operator": "mm", "dtype": "float32", "count": 1,
         "shape": [[0, 16], [64, 0], [64, 0]], "flops": [0, 1e8], "bytes": [0, 1e5], "saved": [0, 0]}
        for phase in ("forward", "backward")
    ],
    "memory": dict.fromkeys(
        ("kept", "kept_inside", "block", "kept_after", "block_inputs", "casts", "working_outside",
         "working_inside", "working_all"), LINE),
    "phases": {"forward": [LINE], "backward": [LINE]},
    "own": {
        "process": 3e8, "views": {"forward": 0, "backward": 0, "optimizer": 0},
        "rows": [["forward", "mul", "float32", 5, [[0, 1e5], [0, 12e5]], [0, 4e5]]],
    },
}  # fmt: skip


def fact(value):
    return Fact(value=value, status=Status.ok, source="test")


def saved(folder: Path, grade: Grade = Grade.B, torch: str = "2.13.0+cpu") -> Path:
    """advice.json of a machine whose operators were timed."""
    value = None if grade is Grade.C else 1.0
    timed = Measurement(
        id="operators.moves.fp32.cpu", bench="operators", device="cpu", unit="s", value=value, grade=grade,
        params={"dtype": "fp32", "set": "moves"}, points=tuple(POINTS),
    )  # fmt: skip
    moved = Measurement(
        id="memory_bandwidth.cpu", bench="memory_bandwidth", device="cpu", unit="B/s", value=1e10, low=9e9,
        high=1.1e10, grade=Grade.B,
    )  # fmt: skip
    machine = Machine(
        probed_at="2026-11-21T20:00:00+00:00",
        cpu=Cpu(budget_threads=fact(2), cores=fact(2), clock_max_hz=fact(3e9),
                instruction_sets=fact({"avx2": True})),
        memory=Memory(usable_bytes=fact(16 << 30)),
    )  # fmt: skip
    calibration = Calibration(
        started_at="2026-11-21T20:00:00+00:00", torch_version=torch, measurements=(timed, moved)
    )
    path = folder / "advice.json"
    advice = Advice(
        stage="complete", created_at=calibration.started_at, command="calibrate", machine=machine,
        calibration=calibration,
    )  # fmt: skip
    path.write_text(dump_advice(advice), encoding="utf-8")
    return path


def estimate(path: Path, batch: int = 8, document=DOCUMENT):
    flags = WorkloadFlags(
        model=model_of_trace("own", DOCUMENT), precision="fp32", method="full", batch=batch, tokens=16e6
    )
    stated = Stated(micro_batch=batch, recompute="none", sharding="none")
    options = EstimateOptions(flags, stated=stated, optimizer="adamw", calibration=path, document=document)
    return run_estimate(options)


def test_a_step_is_its_operators_at_its_own_batch(tmp_path):
    result = estimate(saved(tmp_path))
    step = result.one.estimate.quantities["optimizer_step_s"]
    forward = 5 * 8e5 * 1e-9
    fresh = (1e6 * 8 + 1e6 * 8) * (2e-2 - 1e-2) / 4e7
    assert step.value == pytest.approx(forward + fresh + 8e6 / 1e10 + 16e6 / 1e10, rel=0.25)
    assert step.low < step.value < step.high
    assert result.one.estimate.calibrated
    twice = estimate(saved(tmp_path), 16).one.estimate.quantities["optimizer_step_s"]
    assert 1.4 < twice.value / step.value < 2.1


def test_the_memory_is_that_of_the_process(tmp_path):
    memory = estimate(saved(tmp_path)).one.estimate.quantities["memory_bytes"]
    assert 3e8 + 16e6 < memory.value < 4e8


def test_points_of_a_disturbed_calibration_are_not_used(tmp_path):
    found = estimate(saved(tmp_path, Grade.C))
    assert not found.one.estimate.calibrated


def test_another_torch_is_told(tmp_path):
    assert not [n for n in estimate(saved(tmp_path)).notices if n.code == "other_torch"]
    [told] = [n for n in estimate(saved(tmp_path, torch="2.9.1")).notices if n.code == "other_torch"]
    assert "2.9.1" in told.message
    assert "2.13.0" in told.message


def test_a_preset_that_no_trial_builds_is_timed_by_rates_and_told(tmp_path, monkeypatch):
    def refuses(*_, **__):
        raise UserError("own: trial builds no network of this kind (traced)")

    monkeypatch.setattr("advisor.trial.trace.trace_preset", refuses)
    found = estimate(saved(tmp_path), document=None)
    assert [n for n in found.notices if n.code == "not_traced" and "builds no network" in n.message]
    assert not found.one.estimate.calibrated


def test_without_a_calibration_nothing_is_traced(monkeypatch):
    def never(*_, **__):
        raise AssertionError("traced without a calibration")

    monkeypatch.setattr("advisor.trial.trace.trace_preset", never)
    flags = WorkloadFlags(model="gpt2-124m", precision="fp32", method="full")
    assert run_estimate(EstimateOptions(flags)).one.estimate.quantities
