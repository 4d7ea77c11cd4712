"""The device sampler: a process of its own whose answers are taken by time and UUID."""

from __future__ import annotations

import sys
import time

import pytest

from advisor.calibrate import sampler
from advisor.schema import Device, Fact, Machine, Status


def machine(*vendors: str) -> Machine:
    return Machine(
        probed_at="",
        devices=tuple(
            Device(
                vendor=vendor,
                uuid=Fact(value=f"GPU-{index}", status=Status.ok),
                utilization=Fact(value=0.5, status=Status.ok),
            )
            for index, vendor in enumerate(vendors)
        ),
    )


SAYS = """
import time
print('garbage', flush=True)
for clock in (1e9, 3e9, 2e9):
    reading = '{"clock_hz": %f, "power_w": null, "throttle_reasons": ["sw_power_cap"]}' % clock
    print('{"GPU-0": ' + reading + '}', flush=True)
time.sleep(60)
"""


def test_readings_are_medians_and_reasons_are_collected():
    begun = time.monotonic()
    with sampler.Sampler(machine("nvidia"), [sys.executable, "-c", SAYS]) as it:
        end = time.monotonic() + 20
        while it.during("GPU-0", begun).clock_hz != 2e9 and time.monotonic() < end:
            time.sleep(0.02)
        got = it.during("GPU-0", begun)
        assert (got.clock_hz, got.power_w, got.throttle_reasons) == (2e9, None, ("sw_power_cap",))
        assert got.busy_before == 0.5
        assert it.during("GPU-0", time.monotonic()).clock_hz is None
        assert it.during("GPU-9", begun).clock_hz is None


def test_no_nvidia_device_no_process():
    with sampler.Sampler(machine("amd"), ["/no/such/program"]) as it:
        assert it.during("GPU-0", 0.0).clock_hz is None


def test_a_sampler_that_dies_at_once_costs_nothing():
    with sampler.Sampler(machine("nvidia"), [sys.executable, "-c", "raise SystemExit(1)"]) as it:
        assert it.during("GPU-0", 0.0).throttle_reasons == ()


def test_the_process_prints_a_line_a_round(capsys, monkeypatch):
    monkeypatch.setattr(sampler, "ROUND_S", 0.0)
    sampler.run(["GPU-0"], lambda uuid: {"clock_hz": 1.0}, rounds=2)
    assert capsys.readouterr().out.splitlines() == ['{"GPU-0": {"clock_hz": 1.0}}'] * 2


@pytest.mark.parametrize(("values", "expected"), [([], None), ([None], None), ([3.0, 1.0, 2.0], 2.0)])
def test_the_median_of_what_is_known(values, expected):
    assert sampler._median(values) == expected
