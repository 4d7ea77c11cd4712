"""A GPU's whole plan through the true child, with a torch that computes nothing and takes a known time."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.calibrate import run, sampler
from advisor.calibrate.options import CalibrateOptions
from advisor.calibrate.run import run_calibration
from advisor.schema import Calibration, Cpu, Device, Fact, Grade, Machine, Status

FAKE = Path(__file__).resolve().parents[1] / "fakes" / "gpu"
HANG_S, PATIENT_S = 3.0, 60.0  # where a bench hangs, and where it may only be slow: other tests run beside
SAYS = (
    "import json, time\n"
    "reading = {'clock_hz': 1.9e9, 'throttle_reasons': [], 'utilization': 0.0, 'memory_used': 0.01,"
    " 'pcie_gen': 5, 'pcie_width': 8}\n"
    "while True:\n"
    "    print(json.dumps({u: reading for u in ('GPU-fake-0', 'GPU-fake-1')}), flush=True)\n"
    "    time.sleep(0.005)\n"
)


def known(value):
    return Fact(value=value, status=Status.ok)


MACHINE = Machine(
    probed_at="",
    cpu=Cpu(budget_threads=known(1)),
    devices=tuple(
        Device(
            vendor="nvidia",
            uuid=known(f"GPU-fake-{index}"),
            pcie_gen_max=known(5),
            pcie_width_max=known(16),
        )
        for index in range(2)
    ),
)


@pytest.fixture
def calibrate(monkeypatch, tmp_path):
    """Runs the accelerators' part of a mode's plan in the true child, without waiting for statistics."""
    monkeypatch.setenv("PYTHONPATH", str(FAKE))
    monkeypatch.setattr(sampler, "isolated_command", lambda: [sys.executable, "-c", SAYS])
    real, limit = run.make_plan, [PATIENT_S]

    def short(*args, **more):
        brief = {"min_s": 0.0, "cap_s": 0.3, "warm_cap_s": 0.1, "min_blocks": 10}
        return [
            replace(test, limits={**test.limits, **brief}, wall_s=limit[0])
            for test in real(*args, **more)
            if test.device.startswith("cuda")
        ]

    graded = run.grade.measurement

    def undisturbed(test, raw, noise, at):
        """What else this host is doing is no part of these tests."""
        calm = {"busy_before": False, "crowded": False, "run_delay_fraction": 0.0, "steal_fraction": 0.0}
        return graded(test, {**raw, **calm}, noise, at)

    monkeypatch.setattr(run.grade, "measurement", undisturbed)

    def go(mode="default", **case) -> Calibration:
        monkeypatch.setenv("FAKE_GPU", json.dumps(case))
        limit[0] = HANG_S if "hang_at" in case else PATIENT_S
        monkeypatch.setattr(run, "make_plan", short)
        pace = run.PACES[mode]
        monkeypatch.setitem(run.PACES, mode, replace(pace, gate_wait_s=0.0))
        *_, last = run_calibration(MACHINE, CalibrateOptions(mode=mode, workdir=tmp_path))
        assert last.complete
        return last

    return go


def told(found):
    """Failures but those of single operators by shape, which the torch made up here does not have."""
    return [failure for failure in found.failures if failure.bench != "operators"]


def values(found: Calibration, bench: str, *keys: str) -> dict[tuple[object, ...], float | None]:
    return {tuple(m.params.get(key) for key in keys): m.value for m in found.find(bench)}


def test_every_bench_of_a_modern_gpu_comes_out_at_the_rate_put_in(calibrate):
    found = calibrate("thorough")
    assert [(f.id, f.reason) for f in told(found)] == []
    rates = {"fp32": 20e12, "tf32": 100e12, "bf16": 400e12, "fp16": 300e12, "fp8": 700e12, "int8": 800e12}
    for (dtype, _n), value in values(found, "matmul", "dtype", "n").items():
        assert value == pytest.approx(rates[dtype], rel=1e-3), dtype
    assert {dtype for dtype, _ in values(found, "matmul", "dtype", "n")} == set(rates)
    for value in values(found, "memory_bandwidth", "op", "point").values():
        assert value == pytest.approx(2e12, rel=1e-3)
    copies = values(found, "host_device_copy", "direction", "pinned")
    assert set(copies) == {("h2d", True), ("d2h", True)}
    assert list(copies.values()) == pytest.approx([25e9, 25e9], rel=1e-3)
    assert values(found, "launch_latency") == {(): pytest.approx(2e-6)}
    assert values(found, "serial_task", "method") == {("compiled",): pytest.approx(1e8, rel=1e-3)}
    attention = values(found, "attention", "dtype", "direction")
    assert attention == {
        ("bf16", "forward"): pytest.approx(400e12, rel=1e-3),
        ("bf16", "backward"): pytest.approx(400e12, rel=1e-3),
    }
    steps = values(found, "optimizer_step", "kind")
    assert steps[("default",)] == pytest.approx(2 * steps[("fused",)])
    assert {m.phase for m in found.find("matmul")} == {"burst", "sustained"}


def test_training_rates_lie_below_the_rate_of_products_and_above_half_of_it(calibrate):
    rates = values(calibrate("thorough"), "train_rate", "family", "dtype")
    assert set(rates) == {(f, d) for f in ("decoder", "cnn") for d in ("fp32", "bf16", "fp16")}
    for (family, dtype), value in rates.items():
        most = {"fp32": 20e12, "bf16": 400e12, "fp16": 300e12}[dtype]
        assert 0.3 * most < value <= 1.05 * most, (family, dtype)


def test_the_state_of_device_and_link_is_stored_with_the_figures(calibrate):
    found = calibrate("quick")
    [copy, _] = found.find("host_device_copy")
    assert (copy.noise.pcie_gen, copy.noise.pcie_width) == (5, 8)
    assert copy.warnings == ("pcie_below_max",)
    [told] = [n.message for n in found.notices if n.code == "pcie_link"]
    assert told == "cuda:0 copied over PCIe Gen5 x8, and card and slot can do Gen5 x16."
    product = found.find("matmul", dtype="bf16")[0]
    assert (product.grade, product.noise.throttle_reasons, product.noise.clock_hz) == (Grade.A, (), 1.9e9)
    assert found.device_uuids == {"cuda:0": "GPU-fake-0"}


def test_a_volta_trains_and_attends_in_fp16_and_says_what_it_has_not(calibrate):
    found = calibrate(capability=[7, 0])
    assert {d for _, d in values(found, "train_rate", "family", "dtype")} == {"fp32", "fp16"}
    assert {d for (d,) in values(found, "attention", "dtype")} == {"fp16"}
    assert {d for (d,) in values(found, "matmul", "dtype")} == {"fp32", "fp16", "int8"}
    refused = {f.id.split(".")[1]: f for f in told(found)}
    assert set(refused) == {"bf16", "tf32", "fp8"}
    assert {f.status for f in refused.values()} == {Status.not_supported}
    assert "no bf16 units" in refused["bf16"].reason
    assert "compute capability >= 8.9" in refused["fp8"].reason


def test_two_crashes_keep_what_was_measured_and_leave_the_device_alone(calibrate):
    found = calibrate(crash_at="sdpa")  # in the decoder, in both types
    first = found.failures[0]
    assert (first.status, first.id) == (Status.failed, "train_step.decoder.fp32.cuda:0")
    assert "SIGSEGV" in first.reason
    assert len(found.find("matmul")) == 18  # all that was measured before
    assert [f.status for f in found.failures[1:3]] == [Status.failed, Status.lost]


def test_a_bench_that_crashes_once_costs_itself_alone(calibrate):
    found = calibrate("quick", crash_at="chain")
    [failure] = found.failures
    assert (failure.bench, failure.status) == ("serial_task", Status.failed)
    assert found.find("train_rate", "cuda:0")


def test_a_bench_that_hangs_costs_its_limit_and_itself_alone(calibrate):
    found = calibrate("quick", hang_at="copy")
    [failure] = found.failures
    assert (failure.status, failure.bench) == (Status.timeout, "host_device_copy")
    assert "did not finish within" in failure.reason
    assert found.find("train_rate", "cuda:0")
    assert found.find("launch_latency", "cuda:0")


def test_one_crash_and_one_hang_and_the_device_is_left_alone_but_not_the_other(calibrate):
    found = calibrate("quick", hang_at="copy", crash_at="chain", devices=2)
    mine = [f for f in found.failures if f.device == "cuda:0"]
    assert [f.status for f in mine[:2]] == [Status.timeout, Status.failed]
    assert {f.status for f in mine[2:]} == {Status.lost}
    assert found.find("matmul", "cuda:1")


def test_memory_that_runs_out_costs_the_bench_alone(calibrate):
    found = calibrate("quick", raise_at="mm.bfloat16", error="CUDA out of memory. Tried to allocate 2 GiB")
    reasons = {f.reason for f in found.failures}
    assert any(reason.startswith("out of memory") for reason in reasons)
    assert found.find("matmul", dtype="fp32")


def test_a_device_whose_memory_is_nearly_taken_is_measured_with_what_is_left(calibrate):
    found = calibrate("default", free=256 << 20)
    assert told(found)
    assert {"20 % of the free memory" in f.reason for f in told(found)} == {True}
    assert found.find("memory_bandwidth")[0].params["bytes"] <= (256 << 20) / 5 / 3
    assert not found.find("matmul", n=8192)
