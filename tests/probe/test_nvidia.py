"""NVIDIA's ways to fail, each through the real binding over a fake library, in the probe's own child."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import FakeNvml
from nvml_cases import UUIDS, healthy
from vendor_fakes import pci, tree

from advisor.probe import detect
from advisor.schema import Machine

REPO = Path(__file__).resolve().parents[2]


def codes(machine: Machine) -> list[str]:
    return [notice.code for notice in machine.notices]


def hint(machine: Machine, code: str) -> str:
    return next(notice.hint for notice in machine.notices if notice.code == code)


def test_a_healthy_device_in_si_units(fake_nvml: FakeNvml) -> None:
    fake_nvml.case(healthy())
    machine = fake_nvml.machine()
    (device,) = machine.devices
    assert device.status == "ok"
    assert device.name.value == "NVIDIA H100 80GB HBM3"
    assert device.uuid.value == UUIDS[0]
    assert (device.pci_address.value, device.pci_id.value) == ("0000:10:00.0", "10de:2330")
    assert (device.compute_capability.value, device.architecture.value) == ("9.0", "hopper")
    assert device.memory_total_bytes.value == 85520809984
    assert device.memory_total_bytes.source == "nvml:nvmlDeviceGetMemoryInfo(nvmlMemory_v2)"
    assert device.clock_max_hz.value == pytest.approx(1.98e9)
    assert device.memory_clock_max_hz.value == pytest.approx(2.619e9)
    assert device.power_w.value == pytest.approx(71.234)
    assert (device.power_limit_w.value, device.power_limit_default_w.value) == (700.0, 700.0)
    assert (device.pcie_gen_max.value, device.pcie_width_max.value) == (5, 16)
    assert device.pcie_gen_current.value == 1
    assert (device.ecc_enabled.value, device.mig_enabled.value, device.virtual.value) == (True, False, "none")
    assert device.throttle_reasons.value == ()
    assert device.processes.value == ()
    assert device.unified_memory.value is False
    (driver,) = machine.drivers
    assert (driver.driver_version.value, driver.runtime_version.value) == ("570.124.06", "12.8")
    assert (driver.binding.value or "").startswith("nvidia-ml-py ")
    assert machine.notices == ()
    assert [entry for entry in machine.skipped if entry.probe == "nvidia"] == []


def test_idle_at_pcie_gen_1_is_no_fault(fake_nvml: FakeNvml) -> None:
    fake_nvml.case(healthy())
    assert "pcie_link_below_slot" not in codes(fake_nvml.machine())


def test_probing_only_reads_and_closes_what_it_opened(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.mig 1 1", "0.mig_count 2", "0m0.handle 1", healthy())
    fake_nvml.machine()
    calls = fake_nvml.calls()
    assert calls[0] == "init"
    assert calls[-1] == "shutdown"
    source = "".join(path.read_text() for path in (REPO / "advisor/nvml").glob("*.py"))
    for word in ("nvmlDeviceSet", "nvmlDeviceReset", "nvmlDeviceClear", "nvmlDeviceCreate", "nvmlSystemSet"):
        assert word not in source


# --- row 5, 4, 8: the library ---------------------------------------------------------------------------


def test_missing_library_lists_the_hardware_and_says_what_to_do(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", pci("0000:65:00.0", "0302", "10de", "2330"))
    machine = detect(root=root, ask_frameworks=False)
    (device,) = machine.devices
    assert device.status == "lib_missing"
    assert (device.pci_address.value, device.pci_id.value) == ("0000:65:00.0", "10de:2330")
    assert device.memory_total_bytes.value is None
    assert "libnvidia-ml.so.1" in device.memory_total_bytes.reason
    assert "driver_missing" in codes(machine)
    assert "Install the NVIDIA driver" in hint(machine, "driver_missing")


def test_stub_library_of_the_toolkit(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("sys.init !12")
    machine = fake_nvml.machine()
    (entry,) = [entry for entry in machine.skipped if entry.probe == "nvidia"]
    assert entry.status == "lib_missing"
    assert machine.devices == ()


def test_driver_not_loaded(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("sys.init !9")
    (entry,) = [entry for entry in fake_nvml.machine().skipped if entry.probe == "nvidia"]
    assert entry.status == "lib_missing"
    assert "Driver Not Loaded" in entry.reason


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (9, "device files are missing or closed"),  # "Driver Not Loaded", though the kernel has it
        (999, "lost them"),  # NVIDIA/nvidia-docker#1730
        (4, "/dev/nvidiactl"),
    ],
)
def test_a_driver_that_runs_and_cannot_be_reached_is_not_to_be_installed(
    fake_nvml: FakeNvml, tmp_path: Path, code: int, words: str
) -> None:
    fake_nvml.case(f"sys.init !{code}")
    files = {**pci("0000:65:00.0", "0302", "10de", "2330", "nvidia"), "sys/module/nvidia/version": "570.1\n"}
    machine = fake_nvml.machine(root=tree(tmp_path / "root", files))
    (entry,) = [entry for entry in machine.skipped if entry.probe == "nvidia"]
    for text in (entry.hint, hint(machine, "driver_missing")):
        assert words in text
        assert "Install" not in text


def test_version_mismatch_still_lists_the_hardware(fake_nvml: FakeNvml, tmp_path: Path) -> None:
    fake_nvml.case("sys.init !18")
    files = {**pci("0000:65:00.0", "0302", "10de", "2330"), "sys/module/nvidia/version": "570.124.06\n"}
    machine = fake_nvml.machine(root=tree(tmp_path / "root", files))
    (device,) = machine.devices
    assert device.status == "version_mismatch"
    assert device.pci_id.value == "10de:2330"
    assert "version_mismatch" in codes(machine)
    assert "reboot" in hint(machine, "version_mismatch")
    assert "reload the nvidia module" in hint(machine, "version_mismatch")
    assert machine.drivers[0].driver_version.value == "570.124.06"  # what the kernel runs


def test_old_driver_without_the_newer_symbols(fake_nvml: FakeNvml) -> None:
    fake_nvml.case(f"0.processes {os.getppid()}:5000000000", "0.throttle 4", healthy(2), old=True)
    machine = fake_nvml.machine()
    device = machine.devices[0]
    assert [d.uuid.value for d in machine.devices] == UUIDS[:2]
    assert device.pci_address.value == "0000:10:00.0"
    assert device.memory_total_bytes.value == 85520809984
    assert device.throttle_reasons.value == ("sw_power_cap",)
    assert device.processes.value is not None
    assert [row.memory_bytes for row in device.processes.value] == [5_000_000_000]
    assert machine.drivers[0].runtime_version.value == "12.8"


def test_wsl_unknown_errors_are_not_known_and_nothing_more(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.utilization !999", "0.processes !999", "0.temperature !999", healthy())
    (device,) = fake_nvml.machine().devices
    assert device.status == "ok"
    assert device.memory_total_bytes.value == 85520809984
    for fact in (device.utilization, device.processes, device.temperature_c):
        assert (fact.value, fact.status) == (None, "failed")
        assert "999" in fact.reason


# --- row 1, 3, 15: memory that is not simply there ------------------------------------------------------


def test_gb10_shares_main_memory(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.name NVIDIA GB10", "0.memory !3", "0.memory_v2 !3", healthy())
    machine = detect(ask_frameworks=False)
    (device,) = machine.devices
    assert device.unified_memory.value is True
    assert device.memory_total_bytes.value == machine.memory.usable_bytes.value
    assert device.memory_total_bytes.status == "assumed"
    assert device.pcie_gen_max.status == "not_supported"
    assert device.pcie_width_current.value is None


@pytest.mark.parametrize("name", ["Orin (nvgpu)", "NVIDIA Thor"])
def test_jetson_with_little_of_nvml(fake_nvml: FakeNvml, name: str) -> None:
    fake_nvml.case("sys.count 1", "sys.driver 540.4.0", f"0.name {name}", "0.uuid " + UUIDS[0])
    machine = detect(ask_frameworks=False)
    (device,) = machine.devices
    assert (device.status, device.unified_memory.value) == ("ok", True)
    assert device.memory_total_bytes.value == machine.memory.usable_bytes.value
    assert device.power_w.status == device.utilization.status == "not_supported"


def test_gb10_whose_driver_tells_the_whole_systems_memory(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.name NVIDIA GB10", "0.memory 4400000000000 4000000000000 400000000000", healthy())
    machine = detect(ask_frameworks=False)
    fact = machine.devices[0].memory_total_bytes
    assert fact.status == "contradiction"
    assert fact.value == machine.memory.usable_bytes.value
    assert [other.value for other in fact.others] == [4_400_000_000_000]


@pytest.mark.parametrize("name", ["NVIDIA H100 80GB HBM3", "NVIDIA A100-40C", "GRID T4-16Q"])
def test_memory_not_supported_elsewhere_never_becomes_main_memory(fake_nvml: FakeNvml, name: str) -> None:
    fake_nvml.case(f"0.name {name}", "0.memory !3", "0.memory_v2 !3", healthy())
    machine = detect(ask_frameworks=False)
    fact = machine.devices[0].memory_total_bytes
    assert (fact.value, fact.status) == (None, "not_supported")


def test_memory_of_zero_is_unknown(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.memory 0 0 0", healthy())
    fact = fake_nvml.machine().devices[0].memory_total_bytes
    assert (fact.value, fact.status) == (None, "not_supported")


MIG = """
0.mig 1 1
0.memory !4
0.memory_v2 !4
0.mig_count 7
0m0.handle 1
0m0.uuid MIG-aaaaaaaa-2222-3333-4444-555555555555
0m0.name NVIDIA H100 80GB HBM3 MIG 1g.10gb
0m0.memory 10468982784 10400000000 68982784
0m0.attributes 16 1 1 9984
0m2.handle 1
0m2.uuid MIG-bbbbbbbb-2222-3333-4444-555555555555
0m2.memory 21144535040 21000000000 144535040
0m2.attributes 32 2 2 20165
"""


def test_mig_instances_in_a_container_that_may_not_ask_their_parent(fake_nvml: FakeNvml) -> None:
    fake_nvml.case(MIG, healthy())
    machine = fake_nvml.machine()
    (device,) = machine.devices
    assert device.mig_enabled.value is True
    assert [row.memory_total_bytes.value for row in device.mig_instances] == [10468982784, 21144535040]
    assert [row.compute_slices.value for row in device.mig_instances] == [1, 2]
    assert (device.memory_total_bytes.value, device.memory_total_bytes.status) == (21144535040, "assumed")
    assert "gpu_in_use" not in codes(machine)
    assert "2 instances" in next(n.message for n in machine.notices if n.code == "mig_parent")


def test_mig_where_even_the_mode_may_not_be_asked(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.mig !4", MIG, healthy())
    (device,) = fake_nvml.machine().devices
    assert (device.mig_enabled.value, device.mig_enabled.status) == (True, "assumed")
    assert device.memory_total_bytes.value == 21144535040
    assert len(device.mig_instances) == 2


def test_mig_on_without_an_instance(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.mig 1 1", "0.mig_count 7", healthy())
    (device,) = fake_nvml.machine().devices
    assert device.mig_instances == ()
    assert device.memory_total_bytes.value is None
    assert "no instance" in device.memory_total_bytes.reason


def test_no_permission_is_told_field_by_field(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.memory !4", "0.memory_v2 !4", "0.processes !4", healthy())
    (device,) = fake_nvml.machine().devices
    assert device.status == "ok"
    assert device.memory_total_bytes.status == device.processes.status == "no_permission"
    assert device.name.value == "NVIDIA H100 80GB HBM3"


@pytest.mark.parametrize("name", ["GRID T4-16Q", "NVIDIA A100-40C", "NVIDIA L40S-48Q", "NVIDIA A100-2-10C"])
def test_vgpu_is_known_by_its_profile(fake_nvml: FakeNvml, name: str) -> None:
    lines = [
        f"0.{what} !3" for what in ("clock_sm", "clock_sm_max", "pcie_gen_card", "pcie_gen_max", "power")
    ]
    fake_nvml.case(f"0.name {name}", "0.virtual !3", *lines, healthy())
    (device,) = fake_nvml.machine().devices
    assert device.virtual.value == "vgpu"
    assert device.memory_total_bytes.value == 85520809984
    assert device.clock_max_hz.status == "not_supported"


@pytest.mark.parametrize("name", ["NVIDIA A100-SXM4-40GB", "Tesla V100-SXM2-16GB", "NVIDIA H100 80GB HBM3"])
def test_ordinary_names_are_no_vgpu(fake_nvml: FakeNvml, name: str) -> None:
    fake_nvml.case(f"0.name {name}", "0.virtual 1", healthy())
    assert fake_nvml.machine().devices[0].virtual.value == "passthrough"


# --- row 7, 9, 14, 16: the device -----------------------------------------------------------------------


def test_one_lost_device_leaves_the_healthy_ones(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("1.name !15", healthy(3))
    machine = fake_nvml.machine()
    assert [device.status for device in machine.devices] == ["ok", "lost", "ok"]
    assert [d.memory_total_bytes.value for d in machine.devices] == [85520809984, None, 85520809984]
    lost = machine.devices[1]
    assert lost.memory_total_bytes.status == "lost"
    assert lost.temperature_c.status == "lost"
    assert codes(machine) == ["device_lost"]


def test_a_device_lost_before_its_handle(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.handle !15", healthy(2))
    machine = fake_nvml.machine()
    assert [device.status for device in machine.devices] == ["lost", "ok"]
    assert machine.devices[0].uuid.status == "lost"
    assert machine.devices[1].uuid.value == UUIDS[1]


def test_a_lost_device_is_the_one_missing_on_the_bus(fake_nvml: FakeNvml, tmp_path: Path) -> None:
    fake_nvml.case("0.handle !15", healthy(2))
    files = [pci(f"0000:{bus}:00.0", "0302", "10de", "2330", "nvidia") for bus in ("10", "20")]
    machine = fake_nvml.machine(root=tree(tmp_path / "root", files[0] | files[1]))
    assert [device.pci_address.value for device in machine.devices] == ["0000:10:00.0", "0000:20:00.0"]
    assert machine.devices[0].pci_address.status == "assumed"


def test_devices_given_to_others_are_told_and_not_listed(fake_nvml: FakeNvml, tmp_path: Path) -> None:
    fake_nvml.case(healthy(1))
    files = [pci(f"0000:{bus}:00.0", "0302", "10de", "2330", "nvidia") for bus in ("10", "20", "30")]
    machine = fake_nvml.machine(root=tree(tmp_path / "root", files[0] | files[1] | files[2]))
    assert len(machine.devices) == 1
    (entry,) = [entry for entry in machine.skipped if entry.probe == "nvidia"]
    assert "2 more on the PCI bus" in entry.reason


@pytest.mark.parametrize("driver", ["nouveau", "vfio-pci"])
def test_a_device_bound_to_another_driver_is_listed_with_the_reason(
    fake_nvml: FakeNvml, tmp_path: Path, driver: str
) -> None:
    fake_nvml.case(healthy(1))
    files = pci("0000:10:00.0", "0302", "10de", "2330", "nvidia") | pci(
        "0000:20:00.0", "0302", "10de", "2330", driver
    )
    machine = fake_nvml.machine(root=tree(tmp_path / "root", files))
    assert [device.status for device in machine.devices] == ["ok", "not_supported"]
    assert driver in machine.devices[1].memory_total_bytes.reason


def test_a_device_lost_half_way_keeps_what_it_said(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.temperature !15", healthy())
    (device,) = fake_nvml.machine().devices
    assert (device.status, device.name.value) == ("lost", "NVIDIA H100 80GB HBM3")
    assert device.memory_total_bytes.value == 85520809984
    assert device.ecc_enabled.status == "lost"


def test_bad_utf8_in_a_name_costs_its_bad_bytes_only(fake_nvml: FakeNvml) -> None:
    fake_nvml.case(r"0.name NVIDIA \xff\xfeH100", healthy())
    (device,) = fake_nvml.machine().devices
    assert device.name.value == "NVIDIA \ufffd\ufffdH100"
    assert "UTF-8" in device.name.reason


def test_hostile_names_pass_as_text_of_one_short_line(fake_nvml: FakeNvml, tmp_path: Path) -> None:
    fake_nvml.case(
        r"0.name <script>alert(1)</script>\x1b[31m\x0d\xe2\x80\xae", "1.name " + "A" * 10_000, healthy(2)
    )
    done = subprocess.run(
        [sys.executable, "-m", "advisor", "probe", "--json", "--no-frameworks"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = [device["name"]["value"] for device in json.loads(done.stdout)["machine"]["devices"]]
    assert names[0] == "<script>alert(1)</script> [31m"
    assert len(names[1]) <= 200


def test_row_remap_pending_and_failed(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.remap 0 1 1 0", "1.remap 0 9 0 1", healthy(2))
    machine = fake_nvml.machine()
    assert machine.devices[0].row_remap_pending.value is True
    assert machine.devices[1].row_remap_failed.value is True
    assert codes(machine) == ["row_remap_pending", "row_remap_failed"]
    assert "reset" in hint(machine, "row_remap_pending")


def test_retired_pages_before_ampere(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.remap !3", "0.retired_pending 1", healthy())
    machine = fake_nvml.machine()
    assert machine.devices[0].row_remap_pending.value is True
    assert "row_remap_pending" in codes(machine)


def test_power_cap_and_throttle_reasons(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.power_limit 350000", "0.throttle 0x45", healthy())
    machine = fake_nvml.machine()
    (device,) = machine.devices
    assert (device.power_limit_w.value, device.power_limit_default_w.value) == (350.0, 700.0)
    assert device.throttle_reasons.value == ("sw_power_cap", "hw_thermal_slowdown")
    assert codes(machine) == ["power_limit_below_default", "hw_slowdown"]


def test_a_device_that_others_use(fake_nvml: FakeNvml) -> None:
    fake_nvml.case(
        "0.memory 85520809984 40000000000 45520809984",
        "0.utilization 97 30",
        "0.processes 4000001:44000000000",
        "sys.process4000001 /usr/bin/<b>train",
        healthy(2),
    )
    machine = fake_nvml.machine()
    assert codes(machine) == ["gpu_in_use"]
    message = machine.notices[0].message
    assert "GPU 0" in message
    assert "97% busy" in message
    assert "53% of its memory" in message
    assert machine.devices[0].processes.value is not None
    assert machine.devices[0].processes.value[0].name == "<b>train"


def test_what_hwadvisor_itself_holds_is_not_somebody_else(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.memory 8000000000 7000000000 1000000000", "0.processes self:1000000000", healthy())
    machine = fake_nvml.machine()
    assert machine.devices[0].processes.value == ()
    assert codes(machine) == []


def test_memory_that_a_driver_does_not_tell_of_a_process_is_unknown(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.processes 4000001:-1", healthy())
    rows = fake_nvml.machine().devices[0].processes.value
    assert rows is not None
    assert rows[0].memory_bytes is None


# --- links ----------------------------------------------------------------------------------------------


def test_nvlink_between_two_cards_and_pcie_to_the_third(fake_nvml: FakeNvml) -> None:
    fake_nvml.case(
        "0.link0.state 1",
        "0.link0.version 4",
        "0.link0.kind 0",
        "0.link0.remote 0000:20:00.0 10de:2330",
        "0.link1.state 0",
        "0.link2.state !2",
        "0.ancestor1 50",
        "0.ancestor2 50",
        "1.ancestor2 20",
        healthy(3),
    )
    machine = fake_nvml.machine()
    links = machine.devices[0].nvlinks.value
    assert links is not None
    assert [(row.index, row.active.value, row.version.value) for row in links] == [
        (0, True, 4),
        (1, False, None),
    ]
    assert links[0].remote_pci_address.value == "0000:20:00.0"
    assert machine.devices[2].nvlinks.status == "not_supported"
    found = {(link.a, link.b): (link.kind, link.count) for link in machine.device_links}
    assert found == {
        (UUIDS[0], UUIDS[1]): ("nvlink", 1),
        (UUIDS[0], UUIDS[2]): ("system", None),
        (UUIDS[1], UUIDS[2]): ("pcie switch", None),
    }


def test_nvlink_through_switches(fake_nvml: FakeNvml) -> None:
    links = [
        f"{d}.link{n}.{line}"
        for d in (0, 1)
        for n in range(18)
        for line in ("state 1", "version 4", "kind 2")
    ]
    fake_nvml.case(*links, "0.ancestor1 50", "0.p2p1 0", healthy(2))
    (link,) = fake_nvml.machine().device_links
    assert (link.kind, link.count) == ("nvlink", 18)


# --- hang, crash ----------------------------------------------------------------------------------------


def test_a_hung_call_costs_its_deadline_and_its_own_field(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.power ~30", healthy(2))
    started = time.monotonic()
    machine = fake_nvml.machine(deadline_s=1.5)
    assert time.monotonic() - started < 2.5
    first, second = machine.devices
    assert (first.power_w.value, first.power_w.status) == (None, "timeout")
    assert "nvmlDeviceGetPowerUsage" in first.power_w.reason
    assert second.power_w.value == pytest.approx(71.234)
    assert first.temperature_c.value == second.temperature_c.value == 31.0
    assert first.ecc_enabled.value is True
    (entry,) = [entry for entry in machine.skipped if entry.probe == "nvidia"]
    assert entry.status == "timeout"
    assert "device 0: nvmlDeviceGetPowerUsage" in entry.reason


def test_a_hung_device_leaves_the_healthy_one(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.temperature ~30", "0.power ~30", healthy(2))
    machine = fake_nvml.machine(deadline_s=4.0)  # the third look has a quarter of it, also on a busy machine
    assert machine.devices[0].name.value == "NVIDIA H100 80GB HBM3"
    assert machine.devices[0].power_w.status == "timeout"
    assert machine.devices[1].power_w.value == pytest.approx(71.234)
    assert machine.devices[1].temperature_c.value == 31.0


def test_a_hung_init_is_not_tried_again(fake_nvml: FakeNvml, tmp_path: Path) -> None:
    fake_nvml.case("sys.init ~30")
    root = tree(tmp_path / "root", pci("0000:65:00.0", "0302", "10de", "2330"))
    started = time.monotonic()
    machine = fake_nvml.machine(deadline_s=1.0, root=root)
    assert time.monotonic() - started < 2.0
    assert fake_nvml.calls() == ["init"]
    (device,) = machine.devices
    assert device.status == "timeout"
    assert "nvmlInitWithFlags" in device.memory_total_bytes.reason


def test_a_hung_shutdown_loses_nothing(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("sys.shutdown ~30", healthy())
    machine = fake_nvml.machine(deadline_s=1.0)
    assert machine.devices[0].status == "ok"
    assert machine.devices[0].ecc_uncorrected.value == 0


def test_a_crash_costs_its_own_field(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.temperature @SEGV", healthy(2))
    started = time.monotonic()
    machine = fake_nvml.machine()
    assert time.monotonic() - started < 3.0
    first, second = machine.devices
    assert (first.temperature_c.value, first.temperature_c.status) == (None, "failed")
    assert "SIGSEGV" in first.temperature_c.reason
    assert first.ecc_enabled.value is True
    assert second.temperature_c.value == 31.0
    assert "SIGSEGV" in next(entry.reason for entry in machine.skipped if entry.probe == "nvidia")


@pytest.mark.slow
def test_the_real_deadline_through_the_command(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.utilization ~60", healthy())
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "advisor", "probe", "--json", "--no-frameworks"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        check=False,
    )
    assert time.monotonic() - started < 6.5  # 5 s, and the interpreter's own start
    machine = json.loads(done.stdout)["machine"]
    assert machine["devices"][0]["utilization"]["status"] == "timeout"
    assert machine["devices"][0]["processes"]["status"] == "ok"
    assert machine["cpu"]["model"]["status"] == "ok"
