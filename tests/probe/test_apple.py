"""Apple: what system_profiler and sysctl print, and why RAM is not the GPU's memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vendor_fakes import FIXTURES, asked, machine, path_with, printing, tool

from advisor.probe import apple


@pytest.fixture
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", path_with(folder))
    return folder


def test_apple_silicon(bin_dir: Path) -> None:
    printing(bin_dir, "system_profiler", FIXTURES / "system_profiler/m3max.json")
    printing(bin_dir, "sysctl", FIXTURES / "sysctl/m3max.txt")
    assert apple.present(Path("/"))
    _, found = asked(apple, Path("/"))
    (device,) = found.devices
    assert (device.vendor, device.name.value, device.compute_units.value) == ("apple", "Apple M3 Max", 40)
    assert device.unified_memory.value is True
    assert device.memory_total_bytes.value is None  # the framework says it, RAM is only an upper bound
    assert [other.value for other in device.memory_total_bytes.others] == [137438953472]
    assert found.drivers[0].driver_version.value == "macOS 15.3.1"


def test_a_wired_limit_set_by_the_owner_counts() -> None:
    raw = {
        "displays": {"out": (FIXTURES / "system_profiler/m3max.json").read_text(), "status": "ok"},
        "sysctl": "hw.memsize: 137438953472\niogpu.wired_limit_mb: 120000\n",
    }
    assert machine(apple.parse(raw)).devices[0].memory_total_bytes.value == 120000 * 2**20


def test_an_intel_mac_has_amd_and_intel_gpus() -> None:
    out = (FIXTURES / "system_profiler/intel-mac.json").read_text()
    found = machine(apple.parse({"displays": {"out": out, "status": "ok"}}))
    intel, amd = found.devices
    assert (intel.vendor, intel.unified_memory.value) == ("intel", True)
    assert (amd.vendor, amd.memory_total_bytes.value) == ("amd", 4 * 2**30)


def test_a_hung_profiler_leaves_what_sysctl_knows(bin_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printing(bin_dir, "sysctl", FIXTURES / "sysctl/m3max.txt")
    tool(bin_dir, "system_profiler", "exec sleep 30\n")
    monkeypatch.setattr(apple, "PROFILER_TIMEOUT_S", 0.5)
    _, found = asked(apple, Path("/"))
    assert found.devices[0].name.value == "Apple M3 Max"
    assert [s.status for s in found.skipped] == ["timeout"]


def test_nothing_below_a_fixture_root(bin_dir: Path, tmp_path: Path) -> None:
    printing(bin_dir, "system_profiler", FIXTURES / "system_profiler/m3max.json")
    assert apple.present(tmp_path) == ""


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_mutation_crashes_the_parser(data: st.DataObject) -> None:
    out = data.draw(st.sampled_from(sorted((FIXTURES / "system_profiler").iterdir()))).read_text()
    at = data.draw(st.integers(0, len(out)))
    out = out[:at] + data.draw(st.text(max_size=12)) + out[at + data.draw(st.integers(0, 40)) :]
    machine(
        apple.parse({"displays": {"out": out, "status": "ok"}, "sysctl": data.draw(st.text(max_size=80))})
    )
