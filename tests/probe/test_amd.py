"""AMD: sysfs trees of a card, an APU, partitions, many cards with links; tools in all their shapes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vendor_fakes import FIXTURES, asked, machine, path_with, printing, tool, tree

from advisor.probe import amd, amd_card, amd_device, amd_tools, software

GIB = 2**30


@pytest.fixture
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", path_with(folder))
    return folder


def card(number: int, address: str, **files: str) -> dict[str, str]:
    """A discrete card's files, MI300X unless told otherwise."""
    base = f"sys/class/drm/card{number}/device"
    given = {
        "vendor": "0x1002",
        "device": "0x74a1",
        "unique_id": "dc91284879207f2b",
        "uevent": f"DRIVER=amdgpu\nPCI_SLOT_NAME={address}",
        "mem_info_vram_total": str(205822885888),
        "mem_info_vram_used": str(297148416),
        "mem_info_gtt_total": str(1081101619200),
        "current_link_speed": "2.5 GT/s PCIe",
        "current_link_width": "16",
        "max_link_speed": "32.0 GT/s PCIe",
        "max_link_width": "16",
        "pp_dpm_sclk": "S: 19Mhz *\n0: 500Mhz\n1: 2100Mhz",
        "pp_dpm_mclk": "0: 900Mhz *\n1: 1300Mhz",
        "gpu_busy_percent": "3",
        "hwmon/hwmon4/power1_cap": "750000000",
        "hwmon/hwmon4/power1_cap_default": "750000000",
        "hwmon/hwmon4/power1_average": "133000000",
        "hwmon/hwmon4/temp1_input": "35000",
        "ras/umc_err_count": "ue: 0\nce: 2",
        **files,
    }
    return {f"{base}/{name}": text + "\n" for name, text in given.items() if text is not None}


def node(number: int, location: int, **changed: object) -> dict[str, str]:
    """A KFD node's files."""
    base = f"sys/class/kfd/kfd/topology/nodes/{number}"
    props = {
        "cpu_cores_count": 0,
        "simd_count": 1216,
        "simd_per_cu": 4,
        "gfx_target_version": 90402,
        "location_id": location,
        "domain": 0,
        "unique_id": 0xDC91284879207F2B,
        **{key: value for key, value in changed.items() if key not in {"bank", "links"}},
    }
    files = {f"{base}/properties": "".join(f"{key} {value}\n" for key, value in props.items())}
    files[f"{base}/mem_banks/0/properties"] = (
        f"heap_type 1\nsize_in_bytes {changed.get('bank', 205822885888)}\nflags 0\n"
    )
    for index, (kind, to) in enumerate(changed.get("links", ())):  # type: ignore[arg-type]
        files[f"{base}/io_links/{index}/properties"] = f"type {kind}\nnode_from {number}\nnode_to {to}\n"
    return files


def test_a_card_from_sysfs_alone(bin_dir: Path, tmp_path: Path) -> None:
    del bin_dir
    files = {**card(1, "0000:05:00.0"), **node(0, 0, simd_count=0), **node(1, 0x500)}
    files |= {"sys/module/amdgpu/version": "6.10.5\n", "opt/rocm-6.4.1/.info/version": "6.4.1-83\n"}
    _, found = asked(amd, tree(tmp_path / "r", files))
    (device,) = found.devices
    assert device.architecture.value == "gfx942"
    assert device.compute_units.value == 304
    assert device.uuid.value == "GPU-dc91284879207f2b"
    assert (device.pci_address.value, device.pci_id.value) == ("0000:05:00.0", "1002:74a1")
    assert device.memory_total_bytes.value == 205822885888
    assert device.memory_free_bytes.value == 205822885888 - 297148416
    assert device.unified_memory.value is False
    assert (device.clock_hz.value, device.clock_max_hz.value) == (19e6, 2.1e9)
    assert (device.power_limit_w.value, device.power_w.value) == (750.0, 133.0)
    assert (device.pcie_gen_max.value, device.pcie_gen_current.value) == (5, 1)
    assert (device.ecc_uncorrected.value, device.utilization.value) == (0, 0.03)
    assert device.name.value is None  # no FRU, no tool: unknown, with the reason
    assert device.name.reason
    assert found.drivers[0].driver_version.value == "6.10.5"
    assert found.drivers[0].runtime_version.value == "ROCm 6.4.1-83"


def test_gfx_targets() -> None:
    named = {90402: "gfx942", 90010: "gfx90a", 110000: "gfx1100", 110501: "gfx1151", 120001: "gfx1201"}
    assert {v: amd_device.gfx_target({"gfx_target_version": str(v)}) for v in named} == named
    assert amd_device.gfx_target({"gfx_target_version": "0"}) == ""


def test_strix_halo_keeps_every_idea_of_its_memory(bin_dir: Path, tmp_path: Path) -> None:
    """Figures of a 128 GB box (unslothai/unsloth#7960): carve-out 0.5 GiB, GTT 128 GiB."""
    del bin_dir
    files = card(
        1,
        "0000:bd:00.0",
        device="0x1586",
        mem_info_vram_total=str(GIB // 2),
        mem_info_vram_used="1000",
        mem_info_gtt_total=str(128 * GIB),
        unique_id="0",
    )
    kfd = node(
        1, 0xBD00, gfx_target_version=110501, simd_count=80, simd_per_cu=2, unique_id=0, bank=67000000000
    )
    _, found = asked(amd, tree(tmp_path / "r", {**files, **kfd}))
    (device,) = found.devices
    assert device.unified_memory.value is True
    assert device.memory_total_bytes.status == "contradiction"
    said = {device.memory_total_bytes.value, *(o.value for o in device.memory_total_bytes.others)}
    assert said == {GIB // 2, 128 * GIB, 67000000000}
    assert device.memory_free_bytes.value is None
    assert device.uuid.value is None
    assert [n.code for n in found.notices] == ["unified_memory_total"]


def test_cpx_partitions_are_devices_of_their_own(bin_dir: Path, tmp_path: Path) -> None:
    del bin_dir
    files = card(1, "0000:05:00.0", current_compute_partition="CPX", current_memory_partition="NPS4")
    for index in range(8):
        files |= node(
            2 + index, 0x500, simd_count=152, unique_id=0xDC91284879207F00 + index, bank=25767706624
        )
        files[f"sys/class/drm/card{2 + index}/device/uevent"] = "DRIVER=amdgpu_xcp_drv\n"
    _, found = asked(amd, tree(tmp_path / "r", files))
    assert len(found.devices) == 8
    assert {d.memory_total_bytes.value for d in found.devices} == {25767706624}
    assert {d.compute_units.value for d in found.devices} == {38}
    assert len({d.uuid.value for d in found.devices}) == 8
    assert all(d.memory_free_bytes.value is None for d in found.devices)
    assert [n.code for n in found.notices] == ["gpu_partitioned"]
    assert "CPX" in found.notices[0].message


def test_links_between_cards(bin_dir: Path, tmp_path: Path) -> None:
    del bin_dir
    files = {**card(0, "0000:05:00.0"), **card(1, "0000:26:00.0", unique_id="aaaabbbbccccdddd")}
    files |= node(1, 0x500, links=[(11, 2), (2, 0)])
    files |= node(2, 0x2600, unique_id=0xAAAABBBBCCCCDDDD, links=[(11, 1), (2, 0)])
    _, found = asked(amd, tree(tmp_path / "r", files))
    assert [(link.kind, link.count) for link in found.device_links] == [("xgmi", 1)]
    assert {found.device_links[0].a, found.device_links[0].b} == {d.uuid.value for d in found.devices}


def test_amd_smi_gives_the_name(bin_dir: Path, tmp_path: Path) -> None:
    printing(bin_dir, "amd-smi", FIXTURES / "amd-smi/mi300x.json")
    _, found = asked(amd, tree(tmp_path / "r", {**card(1, "0000:05:00.0"), **node(1, 0x500)}))
    assert found.devices[0].name.value == "AMD Instinct MI300X"
    assert found.devices[0].memory_total_bytes.status == "ok"  # 196592 MB is 206141652992: within 2 %


def test_tools_alone_in_old_shape_and_rocm_smi_as_last_resort(bin_dir: Path, tmp_path: Path) -> None:
    printing(bin_dir, "amd-smi", FIXTURES / "amd-smi/mi210-old.json")
    _, found = asked(amd, tmp_path / "r")
    assert found.devices[0].name.value == "AMD Instinct MI210"
    assert found.devices[0].memory_total_bytes.value == 65520 * 2**20
    tool(bin_dir, "amd-smi", "echo 'ERROR: permission denied' >&2; exit 1\n")
    printing(bin_dir, "rocm-smi", FIXTURES / "rocm-smi/rx7900xt.json")
    raw, found = asked(amd, tmp_path / "r")
    assert raw["amd-smi"]["status"] == "no_permission"
    assert found.devices[0].name.value == "Radeon RX 7900 XT"
    assert found.devices[0].architecture.value == "gfx1100"
    assert found.devices[0].uuid.value == "GPU-5e2b0000abcd0001"


def test_a_contradiction_between_kernel_and_tool_keeps_both() -> None:
    raw = {
        "card:card0": {"address": "0000:05:00.0", "device": "0x74a1", "mem_info_vram_total": str(100 * GIB)},
        "amd-smi": {"out": (FIXTURES / "amd-smi/mi300x.json").read_text(), "status": "ok"},
    }
    total = machine(amd.parse(raw)).devices[0].memory_total_bytes
    assert total.status == "contradiction"
    assert [other.value for other in total.others] == [196592 * 2**20]


def test_a_hung_tool_costs_its_seconds_and_sysfs_stays(
    bin_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amd, "DEADLINE_S", 1.5)
    tool(bin_dir, "amd-smi", "exec sleep 30\n")
    started = time.monotonic()
    raw, found = asked(amd, tree(tmp_path / "r", card(1, "0000:05:00.0")))
    assert time.monotonic() - started < 3
    assert raw["amd-smi"]["status"] == "timeout"
    assert [(s.probe, s.status) for s in found.skipped] == [("amd (amd-smi)", "timeout")]
    assert found.devices[0].memory_total_bytes.value == 205822885888


def test_a_card_whose_driver_hangs_is_still_told_by_its_ids(bin_dir: Path, tmp_path: Path) -> None:
    """The runner's second look leaves out the call that hung: the other card is whole."""
    del bin_dir
    files = {**card(0, "0000:05:00.0"), **card(1, "0000:26:00.0", unique_id="aaaabbbbccccdddd")}
    _, found = asked(amd, tree(tmp_path / "r", files), skip="card0/device")
    hung, well = found.devices
    assert (hung.status, hung.pci_id.value) == ("timeout", "1002:74a1")
    assert hung.memory_total_bytes.value is None
    assert (well.status, well.memory_total_bytes.value) == ("ok", 205822885888)


def test_used_beyond_total_is_no_free_memory() -> None:
    raw = {"card:card0": {"mem_info_vram_total": "1000", "mem_info_vram_used": "2000"}}
    device = machine(amd.parse(raw)).devices[0]
    assert (device.memory_free_bytes.value, device.memory_free_bytes.status) == (None, "failed")


def test_a_tool_or_a_module_without_a_card_is_no_sign_of_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images bring amd-smi to machines of any kind: frameworks must not be imported because of that."""
    for name in ("amd-smi", "rocm-smi", "npu-smi"):
        tool(tmp_path / "bin", name, "exit 1\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert amd.present(Path("/"))  # asked all the same: it may know a card that sysfs hides
    assert "smi" not in str(software.accelerator_hints(Path("/")))
    loaded = tree(tmp_path / "r", {"sys/module/amdgpu/version": "6.10.5\n"})
    assert amd.present(loaded) == "/sys/module/amdgpu"
    assert software.accelerator_hints(loaded) == {}
    assert software.accelerator_hints(tree(loaded, {"dev/kfd": ""})) == {"amd": "/dev/kfd"}


def test_present(tmp_path: Path) -> None:
    assert amd.present(tmp_path) == ""
    assert amd.present(tree(tmp_path / "a", {"dev/kfd": ""})) == "/dev/kfd"
    assert amd.present(tree(tmp_path / "b", card(3, "0000:05:00.0"))) == "/sys/class/drm/card3"


def test_dpm_levels() -> None:
    assert amd_card.dpm_levels("0: 500Mhz *\n1: 2100Mhz\n") == ([5e8, 2.1e9], 5e8)
    assert amd_card.dpm_levels(None) == ([], None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"value": 192, "unit": "GB"}, 192 * GIB),
        ("196592 MB", 196592 * 2**20),
        (65520, 65520 * 2**20),
        ("N/A", None),
        ({"value": "N/A", "unit": "MB"}, None),
        ("12 apples", None),
    ],
)
def test_sizes(value: object, expected: int | None) -> None:
    assert amd_tools.size_bytes(value) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
KEYS = [*amd.CARD_FILES, *amd.HWMON_FILES, "address"]


@settings(max_examples=150, deadline=None)
@given(
    card=st.dictionaries(st.sampled_from(KEYS), JSON | st.integers(0, 2**63).map(str)),
    kfd=st.dictionaries(
        st.sampled_from(
            ["simd_count", "simd_per_cu", "gfx_target_version", "location_id", "domain", "unique_id", "links"]
        ),
        JSON | st.integers(0, 2**63).map(str),
    ),
    said=JSON,
)
def test_no_answer_crashes_the_parser(card: dict, kfd: dict, said: object) -> None:
    tools = {"out": json.dumps(said), "status": "ok"}
    raw = {"card:card0": card, "kfd:1": kfd, "amd-smi": tools, "rocm-smi": tools, "rocm_versions": said}
    for device in machine(amd.parse(raw)).devices:
        total, free = device.memory_total_bytes.value, device.memory_free_bytes.value
        assert free is None or (total is not None and 0 <= free <= total)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_mutation_of_a_tools_json_crashes_the_parser(data: st.DataObject) -> None:
    file = data.draw(
        st.sampled_from(sorted(FIXTURES.glob("*md-smi/*.json")) + sorted(FIXTURES.glob("rocm-smi/*")))
    )
    out = file.read_text()
    at = data.draw(st.integers(0, len(out)))
    out = out[:at] + data.draw(st.text(max_size=10)) + out[at + data.draw(st.integers(0, 30)) :]
    machine(amd.parse({file.parent.name: {"out": out, "status": "ok"}}))
