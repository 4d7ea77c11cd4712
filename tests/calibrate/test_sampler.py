"""The device sampler: a process of its own whose answers are taken by time and UUID."""

from __future__ import annotations

import sys
import time

import pytest
from nvml_cases import UUIDS, healthy

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


def untold(it: sampler.Sampler, uuid: str = "GPU-0", expect: str = "") -> str:
    """The reason for knowing nothing of a device, waited for a while."""
    end = time.monotonic() + 20
    while expect not in it.during(uuid, 0.0).untold and time.monotonic() < end:
        time.sleep(0.02)
    got = it.during(uuid, 0.0)
    assert got.throttle_reasons is None
    return got.untold


def test_a_sampler_that_dies_at_once_leaves_throttling_unknown_with_the_reason():
    with sampler.Sampler(machine("nvidia"), [sys.executable, "-c", "raise SystemExit(1)"]) as it:
        assert "ended with status 1" in untold(it, expect="ended")


def test_a_driver_that_hangs_in_the_sampler_leaves_throttling_unknown():
    with sampler.Sampler(machine("nvidia"), [sys.executable, "-c", "import time; time.sleep(60)"]) as it:
        assert "no reading" in untold(it)


def test_a_sampler_that_cannot_be_started_is_told_and_costs_nothing():
    with sampler.Sampler(machine("nvidia"), ["/no/such/program"]) as it:
        assert "cannot be started: No such file" in untold(it)
        it.settle()


def test_devices_that_are_not_watched_say_so():
    with sampler.Sampler(machine("amd")) as it:
        assert untold(it) == sampler.NOT_WATCHED
        assert "name for this device is not known" in untold(it, "GPU-9")


READINGS = """
import json, time
for reading in READINGS:
    print(json.dumps({"GPU-0": reading}), flush=True)
time.sleep(60)
"""


def sampled(readings: list[dict[str, object]], **facts: object) -> sampler.Sampler:
    """A sampler that has taken the given readings, of a device with the given facts."""
    known = {name: Fact(value=value, status=Status.ok) for name, value in facts.items()}
    device = Device(vendor="nvidia", uuid=Fact(value="GPU-0", status=Status.ok), **known)
    script = READINGS.replace("READINGS", repr(readings))
    it = sampler.Sampler(Machine(probed_at="", devices=(device,)), [sys.executable, "-c", script])
    end = time.monotonic() + 20
    while len(it._rounds) < len(readings) and time.monotonic() < end:
        time.sleep(0.02)
    return it


def test_the_link_is_read_under_load_and_compared_with_card_and_slot():
    idle, load = {"pcie_gen": 1, "pcie_width": 16}, {"pcie_gen": 4, "pcie_width": 16}
    facts = {"pcie_gen_max": 5, "pcie_slot_gen": 4, "pcie_width_max": 16, "pcie_slot_width": 16}
    with sampled([idle, load, idle], **facts) as it:
        got = it.during("GPU-0", 0.0)
    assert (got.pcie_gen, got.pcie_width, got.pcie_gen_max, got.pcie_width_max) == (4, 16, 4, 16)
    assert not got.link_below_max()
    with sampled([idle], **facts) as it:
        got = it.during("GPU-0", 0.0)
    assert got.link_below_max()
    assert got.link() == "copied over PCIe Gen1 x16, and card and slot can do Gen4 x16"


def test_what_others_do_on_a_device_is_read_before_we_begin_and_then_kept():
    readings = [{"utilization": 0.4, "memory_used": 0.3}, {"utilization": 0.5, "memory_used": 0.9}]
    with sampled(readings, utilization=0.0, memory_used_bytes=0, memory_total_bytes=8) as it:
        assert it.during("GPU-0", 0.0).busy_before == 0.0  # the probe's, until we know better
        it.settle()
        got = it.during("GPU-0", 0.0)
        it._rounds.append((time.monotonic(), {"GPU-0": {"utilization": 1.0, "memory_used": 1.0}}))
        assert it.during("GPU-0", 0.0).memory_before == 0.3  # our own load is not somebody else's
    assert (got.busy_before, got.memory_before) == (0.5, 0.3)


def test_without_readings_the_probe_tells_of_others():
    facts = {"utilization": 0.7, "memory_used_bytes": 6, "memory_total_bytes": 8}
    with sampled([], **facts) as it:
        it.settle()
        got = it.during("GPU-0", 0.0)
    assert (got.busy_before, got.memory_before) == (0.7, 0.75)


def test_memory_shared_with_the_host_says_nothing_of_others_on_the_device():
    facts = {"memory_used_bytes": 6, "memory_total_bytes": 8, "unified_memory": True}
    with sampled([{"memory_used": 0.8}], **facts) as it:
        it.settle()
        assert it.during("GPU-0", 0.0).memory_before is None


def test_the_process_prints_a_line_a_round(capsys, monkeypatch):
    monkeypatch.setattr(sampler, "ROUND_S", 0.0)
    sampler.run(["GPU-0"], lambda uuid: {"clock_hz": 1.0}, rounds=2)
    assert capsys.readouterr().out.splitlines() == ['{"GPU-0": {"clock_hz": 1.0}}'] * 2


@pytest.mark.parametrize(("values", "expected"), [([], None), ([None], None), ([3.0, 1.0, 2.0], 2.0)])
def test_the_median_of_what_is_known(values, expected):
    assert sampler._median(values) == expected


def test_the_true_process_reads_the_link_and_use_through_the_driver(fake_nvml):
    """The whole way: isolated process, binding, the C interface of NVML."""
    fake_nvml.case("0.throttle !3", "1.pcie_gen 4", "1.utilization 30 0", healthy(2))
    uuids = [Fact(value=uuid, status=Status.ok) for uuid in UUIDS[:2]]
    seen = Machine(probed_at="", devices=tuple(Device(vendor="nvidia", uuid=uuid) for uuid in uuids))
    with sampler.Sampler(seen) as it:
        end = time.monotonic() + 20
        while it.during(UUIDS[1], 0.0).pcie_gen is None and time.monotonic() < end:
            time.sleep(0.02)
        it.settle()
        mute, told = (it.during(uuid, 0.0) for uuid in UUIDS[:2])
    assert (mute.throttle_reasons, mute.untold) == (None, "the driver does not tell throttle reasons")
    assert (told.throttle_reasons, told.untold, told.pcie_gen, told.pcie_width) == ((), "", 4, 16)
    assert (told.busy_before, told.memory_before) == (0.3, pytest.approx(0.00726, rel=1e-2))
