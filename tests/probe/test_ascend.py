"""Ascend: every shape of npu-smi's text seen in the wild, and text that no npu-smi would print."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vendor_fakes import FIXTURES, asked, machine, npu_smi, path_with, pci, tool, tree

from advisor.probe import ascend
from advisor.probe import npu_smi as text

GIB = 2**30
MIB = 2**20
TOOLKIT = "usr/local/Ascend/ascend-toolkit/latest"


@pytest.fixture
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", path_with(folder))
    return folder


def seen(case: str, bin_dir: Path, root: Path):
    npu_smi(bin_dir, case)
    return asked(ascend, root)


def test_910b3_one_die_a_card(bin_dir: Path, tmp_path: Path) -> None:
    files = {
        **pci("0000:c1:00.0", "1200", "19e5", "d802"),
        "usr/local/Ascend/driver/version.info": "Version=24.1.rc2.2\n",
        f"{TOOLKIT}/aarch64-linux/ascend_toolkit_install.info": "version=8.0.RC3\n",
    }
    raw, found = seen("910b3", bin_dir, tree(tmp_path / "root", files))
    assert len(found.devices) == 8
    first = found.devices[0]
    assert (first.name.value, first.architecture.value) == ("Ascend910B3", "Ascend910B3")
    assert first.memory_total_bytes.value == 64 * GIB
    assert first.memory_used_bytes.value == 3373 * MIB
    assert first.memory_free_bytes.value == 64 * GIB - 3373 * MIB
    assert first.pci_address.value == "0000:c1:00.0"
    assert first.pci_id.value == "19e5:d802"
    assert first.power_w.value == 91.3
    assert first.serial.value == "102395850000"
    assert [p.pid for p in first.processes.value or ()] == [115133]
    assert found.devices[1].processes.value == ()
    assert found.drivers[0].driver_version.value == "24.1.rc2.2"
    assert found.drivers[0].runtime_version.value == "CANN 8.0.RC3"
    assert not any("A3" in str(d.name.value) for d in found.devices)
    assert "board:7" in raw


def test_910c_two_dies_a_card_and_power_on_the_first_alone(bin_dir: Path, tmp_path: Path) -> None:
    _, found = seen("910c", bin_dir, tmp_path)
    assert len(found.devices) == 4
    first, second = found.devices[:2]
    assert first.power_w.value == 178.8
    assert (second.power_w.value, second.power_w.status) == (None, "not_supported")
    assert "'-'" in second.power_w.reason
    assert second.memory_used_bytes.value == 62336 * MIB  # printed "62336/ 65536"
    assert [d.pci_address.value for d in found.devices] == [
        f"0000:{b}:00.0" for b in ("9d", "9f", "99", "9b")
    ]
    assert [p.memory_bytes for p in second.processes.value or ()] == [59012 * MIB]
    assert first.utilization.value == pytest.approx(0.12)


def test_950_has_a_slot_column_and_is_never_asked_with_c(bin_dir: Path, tmp_path: Path) -> None:
    log = tmp_path / "asked"
    npu_smi(bin_dir, "950pr")
    script = (bin_dir / "npu-smi").read_text().replace("#!/bin/sh\n", f'#!/bin/sh\necho "$*" >> {log}\n')
    (bin_dir / "npu-smi").write_text(script)
    raw, found = asked(ascend, tmp_path)
    assert text.parse_mapping(raw["mapping"]["out"]) == {
        (0, 0): {"logic": "", "phy": "0", "slot": "8", "name": "Ascend950PR"},
        (1, 0): {"logic": "", "phy": "1", "slot": "9", "name": "Ascend950PR"},
    }
    assert [d.memory_total_bytes.value for d in found.devices] == [128 * GIB] * 2
    assert found.devices[0].name.value == "Ascend950PR"
    assert not any(" -c" in line for line in log.read_text().splitlines())


def test_310b_has_no_hbm_column_no_bus_and_a_dead_power_sensor(bin_dir: Path, tmp_path: Path) -> None:
    _, found = seen("310b4", bin_dir, tmp_path)
    (device,) = found.devices
    assert device.memory_total_bytes.value == 15609 * MIB
    assert "Memory-Usage" in device.memory_total_bytes.source
    assert device.pci_address.value is None
    assert device.power_w.value is None  # printed 0.0: no zero for "not known"
    assert [n.code for n in found.notices] == ["device_unhealthy"]
    assert "Alarm" in found.notices[0].message


def test_310p_two_chips_behind_one_address(bin_dir: Path, tmp_path: Path) -> None:
    _, found = seen("310p3", bin_dir, tmp_path)
    assert [d.memory_total_bytes.value for d in found.devices] == [44280 * MIB, 43693 * MIB]
    assert all(d.power_w.value is None for d in found.devices)


def test_a_tool_that_hangs_costs_its_deadline_and_the_pci_rows_stay(
    bin_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ascend, "DEADLINE_S", 1.3)
    tool(bin_dir, "npu-smi", "exec sleep 30\n")
    root = tree(tmp_path / "root", pci("0000:c1:00.0", "1200", "19e5", "d802", "davinci"))
    started = time.monotonic()
    _, found = asked(ascend, root)
    assert time.monotonic() - started < 3
    assert [d.pci_id.value for d in found.devices] == ["19e5:d802"]
    assert found.devices[0].memory_total_bytes.value is None
    assert [(s.status, s.probe) for s in found.skipped] == [("timeout", "ascend")]


def test_missing_tool_and_failing_tool_are_told(bin_dir: Path, tmp_path: Path) -> None:
    root = tree(tmp_path / "root", pci("0000:c1:00.0", "1200", "19e5", "d802"))
    _, found = asked(ascend, root)
    assert [s.status for s in found.skipped] == ["lib_missing"]
    tool(bin_dir, "npu-smi", "echo 'dcmi module initialize failed. ret is -8005' >&2; exit 1\n")
    _, found = asked(ascend, root)
    assert found.skipped[0].status == "failed"
    assert "-8005" in found.skipped[0].reason


def test_present_looks_at_files_alone(tmp_path: Path) -> None:
    assert ascend.present(tmp_path) == ""
    assert (
        ascend.present(tree(tmp_path / "a", {"dev/davinci_manager": "", "dev/davinci3": ""}))
        == "/dev/davinci3"
    )
    bmc = tree(tmp_path / "b", pci("0000:01:00.0", "0300", "19e5", "1711"))  # Huawei's BMC display
    assert ascend.present(bmc) == ""


HOSTILE = ["<script>alert(1)</script>", "a\u202eb\u200bc", "n\x00l", "x" * 10_000, "naïve 名"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_made_harmless(name: str) -> None:
    table = (FIXTURES / "npu-smi/910b3/info.txt").read_text().replace("910B3 ", name + " ", 1)
    found = machine(ascend.parse({"info": {"out": table, "status": "ok", "reason": ""}, "tool": "x"}))
    shown = found.devices[0].name.value or ""
    assert len(shown) <= 200
    assert not set(shown) & set("\x00\u202e\u200b\n")
    assert len(found.devices) == 8


GOLDEN = sorted((FIXTURES / "npu-smi").glob("*/*.txt"))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_mutation_of_a_table_crashes_the_parser(data: st.DataObject) -> None:
    out = data.draw(st.sampled_from(GOLDEN)).read_text()
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(out)))
        end = min(len(out), at + data.draw(st.integers(0, 60)))
        out = out[:at] + data.draw(st.text(max_size=20)) + out[end:]
    raw = {"info": {"out": out, "status": "ok"}, "mapping": {"out": out, "status": "ok"}}
    raw["board:0"] = {"out": out, "status": "ok"}
    found = machine(ascend.parse({**raw, "tool": "x"}))
    for device in found.devices:
        total, free = device.memory_total_bytes.value, device.memory_free_bytes.value
        assert total is None or total > 0
        assert free is None or (total is not None and 0 <= free <= total)


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    )
)
def test_no_shape_of_raw_answers_crashes_the_parser(value: object) -> None:
    for key in ("info", "mapping", "board:0", "pci", "cann", "driver_info", "tool"):
        machine(ascend.parse({key: value}))
