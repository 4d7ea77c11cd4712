"""Which earlier figures may be used again: those of this machine as it is, not too old, by the same code."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from advisor.calibrate import reuse
from advisor.calibrate.options import CalibrateOptions
from advisor.data.advice import save_advice
from advisor.schema import (
    Advice,
    BenchFailure,
    Calibration,
    Cpu,
    Device,
    Driver,
    Fact,
    Host,
    Machine,
    Measurement,
    Status,
)

NOW = datetime(2026, 3, 20, tzinfo=UTC)


def known(value):
    return Fact(value=value, status=Status.ok)


def machine(**changed) -> Machine:
    given = {"host": "box", "threads": 8, "uuid": "GPU-1", "power": 700.0, "driver": "570.1"} | changed
    return Machine(
        probed_at="",
        host=Host(hostname=known(given["host"])),
        cpu=Cpu(model=known("EPYC"), budget_threads=known(given["threads"])),
        devices=(Device(vendor="nvidia", uuid=known(given["uuid"]), power_limit_w=known(given["power"])),),
        drivers=(Driver(vendor="nvidia", driver_version=known(given["driver"])),),
    )


def figure(device: str) -> Measurement:
    return Measurement(id=f"matmul.{device}", bench="matmul", device=device, unit="FLOP/s", value=1.0)


def advice(**changed) -> Advice:
    given = {
        "complete": True,
        "finished_at": "2026-03-10T12:30:00+00:00",
        "code": reuse.code_digest(),
        "devices": {"cpu": "EPYC", "cuda:0": "H100"},
        "measurements": (figure("cpu"), figure("cuda:0")),
        "mode": "default",
    } | changed
    return Advice(created_at="", command="scan", machine=machine(), calibration=Calibration(**given))


def verdict(earlier: Advice, now: Machine | None = None, **options) -> str:
    return reuse.why_not(earlier, now or machine(), CalibrateOptions(**options), NOW)


def test_the_same_machine_unchanged_is_good():
    assert verdict(advice()) == ""
    assert verdict(advice(), mode="quick", device="cuda") == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"host": "other"}, "the host is another"),
        ({"threads": 4}, "the thread budget is another"),
        ({"uuid": "GPU-2"}, "the set of devices is another"),
        ({"power": 400.0}, "a power limit is another"),
        ({"driver": "580.2"}, "a driver is another"),
    ],
)
def test_whatever_figures_depend_on_must_be_the_same(changed, said):
    assert verdict(advice(), machine(**changed)).startswith(said)


@pytest.mark.parametrize(
    ("changed", "options", "said"),
    [
        ({"complete": False}, {}, "not measured to the end"),
        ({"measurements": ()}, {}, "nothing is measured"),
        ({"mode": "quick"}, {}, "mode quick, and default is asked for"),
        ({"finished_at": "2026-02-01T00:00:00+00:00"}, {}, "47 days old"),
        ({"finished_at": "2026-03-30T00:00:00+00:00"}, {}, "-10 days old"),
        ({"finished_at": ""}, {}, "no date"),
        ({"code": "another"}, {}, "another version of hwadvisor"),
        ({"measurements": (figure("cpu"),)}, {}, "cuda:0 is not measured"),
        ({}, {"device": "xpu"}, "xpu is not measured"),
    ],
)
def test_figures_that_are_not_whole_old_or_of_other_code_are_not_used(changed, options, said):
    assert said in verdict(advice(**changed), **options)


def disturbed(name: str, device: str) -> Measurement:
    return figure(device).model_copy(update={"id": f"{name}.{device}", "value": None, "grade": "C"})


def rate(family: str, device: str, value: float | None) -> Measurement:
    name = f"train_rate.{family}.fp32.{device}"
    return figure(device).model_copy(update={"id": name, "bench": "train_rate", "value": value})


def refused(device: str) -> BenchFailure:
    name = f"train_rate.decoder.fp32.{device}"
    return BenchFailure(id=name, bench="train_rate", device=device, status=Status.failed, reason="noise")


BOTH = (figure("cpu"), figure("cuda:0"))


@pytest.mark.parametrize(
    ("changed", "options", "said"),
    [
        ({"measurements": (disturbed("matmul", "cpu"), disturbed("matmul", "cuda:0"))}, {}, "every figure"),
        ({"measurements": (*BOTH, rate("decoder", "cpu", None))}, {}, "no value: decoder on cpu"),
        (
            {"measurements": (*BOTH, rate("cnn", "cpu", 1.0)), "failures": (refused("cuda:0"),)},
            {},
            "no value: decoder on cuda:0",
        ),
        ({"measurements": BOTH, "failures": (refused("cuda:0"),)}, {"device": "cuda"}, "decoder on cuda:0"),
    ],
)
def test_figures_that_were_disturbed_are_measured_again(changed, options, said):
    assert said in verdict(advice(**changed), **options)


@pytest.mark.parametrize(
    ("changed", "options"),
    [
        ({"measurements": (*BOTH, disturbed("disk_read", "disk"), rate("decoder", "cpu", 1.0))}, {}),
        # one precision of a family is enough; and what is not asked about may lack anything
        (
            {"measurements": (*BOTH, rate("decoder", "cuda:0", 1.0)), "failures": (refused("cuda:0"),)},
            {},
        ),
        ({"measurements": BOTH, "failures": (refused("cuda:0"),)}, {"device": "cpu"}),
    ],
)
def test_one_disturbed_figure_among_good_ones_is_no_reason_to_measure_again(changed, options):
    assert verdict(advice(**changed), **options) == ""


def put(reports: Path, name: str, earlier: Advice, at: float) -> Path:
    path = reports / name / "advice.json"
    path.parent.mkdir(parents=True)
    save_advice(earlier, path)
    os.utime(path, (at, at))
    return path


def test_the_newest_that_fits_is_taken_whatever_lies_beside_it(tmp_path):
    old = put(tmp_path, "old", advice(), 1e9)
    good = put(tmp_path, "good", advice(), 2e9)
    put(tmp_path, "halved", advice(complete=False), 3e9)
    put(tmp_path, "broken", advice(), 4e9).write_text("{")
    found = reuse.find_earlier(tmp_path, machine(), CalibrateOptions(), NOW)
    assert (found.path, found.when) == (good, "2026-03-10 12:30 UTC")
    assert found.path != old


def test_without_one_the_reason_is_told(tmp_path):
    none = reuse.find_earlier(tmp_path / "none", machine(), CalibrateOptions(), NOW)
    assert "there is no earlier calibration" in none.reason
    path = put(tmp_path, "a", advice(), 1e9)
    put(tmp_path, "begun", advice().model_copy(update={"calibration": None}), 2e9)
    other = reuse.find_earlier(tmp_path, machine(host="x"), CalibrateOptions(), NOW)
    assert other.calibration is None
    assert other.reason == f"{path}: the host is another than then"
