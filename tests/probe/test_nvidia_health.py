"""What is wrong with an NVIDIA device or its driver, told as notices with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import FakeNvml
from nvml_cases import healthy
from vendor_fakes import pci, tree

from advisor.probe import nvidia, run, walk
from advisor.probe.merge import machine_of
from advisor.schema import Machine, Notice


def told(machine: Machine) -> dict[str, Notice]:
    return {notice.code: notice for notice in machine.notices}


@pytest.mark.parametrize("question", ["handle", "name", "memory"])
def test_a_device_that_must_be_reset(fake_nvml: FakeNvml, question: str) -> None:
    fake_nvml.case(f"1.{question} !16", f"1.{question}_v2 !16", healthy(2))
    machine = fake_nvml.machine()
    assert [device.status for device in machine.devices] == ["ok", "lost"]
    assert list(told(machine)) == ["reset_required"]
    notice = told(machine)["reset_required"]
    assert "GPU 1" in notice.message
    assert "nvidia-smi -r" in notice.hint


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [(8, "failed", "power cables"), (999, "failed", "dmesg"), (4, "no_permission", "/dev/nvidiactl")],
)
def test_a_device_that_the_driver_lists_and_does_not_hand_out(
    fake_nvml: FakeNvml, code: int, status: str, words: str
) -> None:
    fake_nvml.case(f"0.handle !{code}", healthy(2))
    machine = fake_nvml.machine()
    assert [device.status for device in machine.devices] == [status, "ok"]
    assert list(told(machine)) == ["device_unusable"]
    assert f"code {code}" in told(machine)["device_unusable"].message
    assert words in told(machine)["device_unusable"].hint


def test_uncorrected_memory_errors(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("1.ecc_uncorrected 3", healthy(2))
    machine = fake_nvml.machine()
    assert [device.ecc_uncorrected.value for device in machine.devices] == [0, 3]
    assert list(told(machine)) == ["ecc_uncorrected"]
    assert "GPU 1 (NVIDIA H100 80GB HBM3) had 3 uncorrected" in told(machine)["ecc_uncorrected"].message
    assert "ECC" in told(machine)["ecc_uncorrected"].hint


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ("0x48", "too hot"),
        ("0x88", "power brake"),
        ("0x08", "half or less"),
        ("0x01", ""),  # idle
        ("0x04", ""),  # a power cap that was set: told as such
        ("0x20", ""),  # the driver's own thermal management, no emergency
    ],
)
def test_a_device_slowed_down_by_its_hardware(fake_nvml: FakeNvml, mask: str, words: str) -> None:
    fake_nvml.case(f"0.throttle {mask}", healthy())
    machine = fake_nvml.machine()
    assert ("hw_slowdown" in told(machine)) == bool(words)
    if words:
        assert words in told(machine)["hw_slowdown"].message
        assert "nvidia-smi -q -d" in told(machine)["hw_slowdown"].hint


def eight(folder: Path, count: int = 8) -> Path:
    files: dict[str, str] = {}
    for number in range(count):
        files |= pci(f"0000:{number + 1:02x}:00.0", "0302", "10de", "2330", "nvidia")
    return tree(folder, files)


def test_patience_grows_with_the_number_of_devices(tmp_path: Path) -> None:
    assert nvidia.patience_s(tmp_path) == 0
    assert nvidia.patience_s(eight(tmp_path / "one", 1)) == 0
    assert nvidia.patience_s(eight(tmp_path / "two", 2)) == nvidia.START_S_PER_GPU
    assert nvidia.patience_s(eight(tmp_path / "many", 16)) == nvidia.MAX_PATIENCE_S
    in_a_container = tree(
        tmp_path / "nodes", {f"dev/nvidia{n}": "" for n in range(3)} | {"dev/nvidiactl": ""}
    )
    assert nvidia.patience_s(in_a_container) == 2 * nvidia.START_S_PER_GPU


def test_the_walk_hands_the_patience_to_the_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[run.Job] = []

    def gather(jobs: list[run.Job], *_: object) -> run.Raw:
        heard.extend(jobs)
        return {}

    monkeypatch.setattr(walk, "gather", gather)
    walk.ask(eight(tmp_path, 4), None, False, None)
    assert {job.group: job.patience_s for job in heard}["nvidia"] == 3 * nvidia.START_S_PER_GPU
    assert {job.patience_s for job in heard if job.group != "nvidia"} == {0.0}


def test_a_start_that_hangs_is_told_with_both_causes(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("sys.init ~60", healthy())
    machine = fake_nvml.machine(deadline_s=0.7)
    notice = told(machine)["driver_timeout"]
    assert "gave no answer within 0.7 s" in notice.message
    assert "Xid" in notice.hint
    assert "nvidia-smi -pm 1" in notice.hint
    assert [entry.status for entry in machine.skipped if entry.probe == "nvidia"] == ["timeout"]


def test_a_start_that_took_long_is_told(fake_nvml: FakeNvml) -> None:
    fake_nvml.case(healthy(2))
    raw = fake_nvml.raw()
    assert "driver_slow_start" not in told(machine_of(raw))
    assert 0 <= raw["nvidia"]["answers"]["started_s"] < 3
    raw["nvidia"]["answers"]["started_s"] = 9.5
    notice = told(machine_of(raw))["driver_slow_start"]
    assert "9.5 s" in notice.message
    assert "persistenced" in notice.hint
