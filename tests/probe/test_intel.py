"""Intel: discrete and integrated GPUs in sysfs, xpu-smi, Gaudi through hl-smi's CSV."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vendor_fakes import FIXTURES, asked, machine, path_with, pci, printing, tool, tree

from advisor.probe import intel, intel_gaudi

GIB = 2**30


@pytest.fixture(autouse=True)
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", path_with(folder))
    return folder


def card(address: str, device: str, driver: str, **files: str) -> dict[str, str]:
    given = {
        "device/vendor": "0x8086",
        "device/device": f"0x{device}",
        "device/uevent": f"DRIVER={driver}\nPCI_SLOT_NAME={address}",
        **files,
    }
    named = {f"sys/class/drm/card0/{name}": text + "\n" for name, text in given.items()}
    return {**named, **pci(address, "0300", "8086", device, driver)}


def test_a_discrete_card_on_xe(bin_dir: Path, tmp_path: Path) -> None:
    printing(bin_dir, "xpu-smi", FIXTURES / "xpu-smi/b60.json")
    files = card(
        "0000:18:00.0",
        "e211",
        "xe",
        **{
            "device/tile0/physical_vram_size_bytes": "25669140480",
            "device/tile0/gt0/freq0/rp0_freq": "2400",
            "device/hwmon/hwmon3/power1_max": "200000000",
            "device/max_link_speed": "16.0 GT/s PCIe",
            "device/max_link_width": "8",
        },
    )
    _, found = asked(intel, tree(tmp_path / "r", files))
    (device,) = found.devices
    assert device.name.value == "Intel(R) Arc(TM) Pro B60 Graphics"
    assert device.memory_total_bytes.value == 25669140480
    assert device.unified_memory.value is False
    assert (device.clock_max_hz.value, device.power_limit_w.value) == (2.4e9, 200.0)
    assert (device.pcie_gen_max.value, device.pcie_width_max.value) == (4, 8)
    assert device.pci_id.value == "8086:e211"
    assert found.drivers[0].binding.value == "xe"


def test_an_integrated_gpu_is_listed_as_unified_without_a_total(tmp_path: Path) -> None:
    files = card("0000:00:02.0", "7d55", "i915", gt_RP0_freq_mhz="2250", gt_act_freq_mhz="0")
    _, found = asked(intel, tree(tmp_path / "r", files))
    (device,) = found.devices
    assert device.unified_memory.value is True
    assert device.memory_total_bytes.value is None
    assert "framework" in device.memory_total_bytes.reason
    assert device.clock_hz.value is None  # printed 0 while asleep: not a clock of zero
    assert device.clock_max_hz.value == 2.25e9
    assert device.name.value is None
    assert device.name.status == "lib_missing"


def test_the_resizable_bar_is_an_assumption(tmp_path: Path) -> None:
    lines = ["0x0 0x0 0x0", "0x0 0x0 0x0", f"{0x4000000000:#x} {0x4000000000 + 16 * GIB - 1:#x} 0x14220c"]
    files = card("0000:03:00.0", "56a0", "i915", **{"device/resource": "\n".join(lines)})
    _, found = asked(intel, tree(tmp_path / "r", files))
    assert found.devices[0].memory_total_bytes.value == 16 * GIB
    assert found.devices[0].memory_total_bytes.status == "assumed"
    small = [*lines[:2], f"{0x4000000000:#x} {0x4000000000 + 2**28 - 1:#x} 0x14220c"]
    assert intel.local_memory_bar("\n".join(small)) is None  # a 256 MiB window says nothing


def test_a_card_without_driver_is_still_listed(tmp_path: Path) -> None:
    _, found = asked(intel, tree(tmp_path / "r", pci("0000:03:00.0", "0380", "8086", "0bd5")))
    assert [d.pci_id.value for d in found.devices] == ["8086:0bd5"]
    assert found.devices[0].memory_total_bytes.status == "lib_missing"


def test_a_laptop_npu_is_named_as_of_no_use(tmp_path: Path) -> None:
    _, found = asked(intel, tree(tmp_path / "r", pci("0000:00:0b.0", "1200", "8086", "7d1d", "intel_vpu")))
    assert found.devices == ()
    assert [s.status for s in found.skipped] == ["not_supported"]


def test_gaudi_from_csv_joined_with_pci(bin_dir: Path, tmp_path: Path) -> None:
    printing(bin_dir, "hl-smi", FIXTURES / "hl-smi/gaudi3.txt")
    files = {**pci("0000:19:00.0", "1200", "1da3", "1060"), **pci("0000:5d:00.0", "1200", "1da3", "1060")}
    _, found = asked(intel, tree(tmp_path / "r", files))
    assert [d.pci_address.value for d in found.devices] == ["0000:19:00.0", "0000:3b:00.0", "0000:5d:00.0"]
    first, _, third = found.devices
    assert (first.name.value, first.memory_total_bytes.value) == ("HL-325L", 128 * GIB)
    assert first.memory_free_bytes.value == 130400 * 2**20
    assert (first.power_w.value, first.utilization.value) == (226.0, 0.0)
    assert (first.pci_id.value, first.kind) == ("1da3:1060", "hpu")
    assert (third.name.value, third.memory_total_bytes.value) == ("Intel Gaudi3", None)
    assert found.drivers[0].driver_version.value == "1.24.1-b336d5e"


def test_a_hung_tool_costs_its_seconds(
    bin_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intel, "DEADLINE_S", 1.2)
    tool(bin_dir, "xpu-smi", "exec sleep 30\n")
    started = time.monotonic()
    _, found = asked(intel, tree(tmp_path / "r", card("0000:00:02.0", "7d55", "i915")))
    assert time.monotonic() - started < 3
    assert len(found.devices) == 1
    assert [s.status for s in found.skipped] == ["timeout"]


def test_present(tmp_path: Path) -> None:
    assert intel.present(tmp_path) == ""
    assert (
        intel.present(tree(tmp_path / "a", pci("0000:19:00.0", "1200", "1da3", "1020"))) == "PCI 0000:19:00.0"
    )
    assert intel.present(tree(tmp_path / "b", pci("0000:00:1f.0", "0601", "8086", "7a06"))) == ""


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_mutation_of_csv_or_json_crashes_the_parser(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["hl-smi/gaudi3.txt", "xpu-smi/b60.json"]))
    out = (FIXTURES / name).read_text()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(out)))
        out = out[:at] + data.draw(st.text(max_size=12)) + out[at + data.draw(st.integers(0, 40)) :]
    raw = {name.split("/")[0]: {"out": out, "status": "ok"}}
    found = machine(intel.parse(raw))
    for device in found.devices:
        assert device.memory_total_bytes.value is None or device.memory_total_bytes.value > 0


@given(st.text())
def test_no_text_crashes_the_csv_reader(text: str) -> None:
    assert isinstance(intel_gaudi.parse_hl_smi(text), list)
