"""`detect`: the walk, the merge, the joins, replay; one bad source never takes the others along."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from conftest import FakeNvml
from nvml_cases import UUIDS, healthy
from test_software import Lab
from vendor_fakes import pci, tree

from advisor.errors import UserError
from advisor.probe import add_frameworks, detect, merge, walk
from advisor.probe.facts import assumed, contradiction, none, ok
from advisor.probe.join import identity, join
from advisor.probe.merge import machine_of
from advisor.probe.walk import Probe, probes
from advisor.schema import Device, Machine

GIB = 2**30


# --- the walk -------------------------------------------------------------------------------------------


def test_the_package_is_walked_and_every_module_loads() -> None:
    found = {probe.name: probe for probe in probes()}
    assert not [probe for probe in found.values() if probe.broken]
    for name in ("host", "cpu", "memory", "storage", "network", "pcie", "nvidia", "software"):
        assert name in found
    for helper in ("run", "facts", "join", "reading", "nvidia_device", "software_child"):
        assert helper not in found


def test_probe_modules_use_the_standard_library_alone_when_imported() -> None:
    code = (
        "import sys\nfrom advisor.probe.walk import probes\nprobes()\n"
        "bad = {'pydantic', 'pynvml', 'torch', 'numpy', 'psutil', 'cpuinfo', 'click'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_this_machine_in_full() -> None:
    machine = detect(ask_frameworks=False)
    assert machine.cpu.model.known
    assert (machine.memory.usable_bytes.value or 0) > 0
    assert machine.host.os_family.known
    assert set(machine.seconds) >= {"cpu", "memory", "software"}
    assert Machine.model_validate_json(machine.model_dump_json()) == machine


def test_torch_is_never_imported_in_the_parent() -> None:
    code = (
        "import sys\nfrom advisor.probe import detect\nm = detect(ask_frameworks=True)\n"
        "assert not {'torch', 'pynvml', 'amdsmi'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_an_empty_tree_has_a_reason_for_every_unknown(tmp_path: Path) -> None:
    machine = detect(root=tmp_path, ask_frameworks=False)
    assert machine.devices == ()
    for section in (machine.host, machine.cpu, machine.memory, machine.storage, machine.network):
        for name in type(section).model_fields:
            fact = getattr(section, name)
            if hasattr(fact, "known") and not fact.known:
                assert fact.reason, f"{type(section).__name__}.{name}"


# --- the merge ------------------------------------------------------------------------------------------


def _module(name: str, **parts: Any) -> types.ModuleType:
    module = types.ModuleType(name)
    given = {"NAME": name, "GROUP": name, "present": lambda _: "here", "read": None, "parse": lambda _: {}}
    vars(module).update(given | parts)
    return module


def test_a_probe_whose_look_raises_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def present(_: Path) -> str:
        raise OSError("odd")

    bad = [
        Probe("bad", "bad", 5.0, _module("bad", present=present)),
        Probe("worse", "worse", 5.0, None, "X: y"),
    ]
    monkeypatch.setattr(walk, "probes", lambda: bad)
    machine = detect(root=tmp_path)
    told = {entry.probe: (entry.status, entry.reason) for entry in machine.skipped}
    assert told["bad"] == ("failed", "looking for it raised OSError: odd")
    assert told["worse"] == ("failed", "the probe could not be loaded: X: y")


def _raw(name: str, status: str = "ok", **answers: Any) -> dict[str, dict[str, Any]]:
    return {name: {"answers": answers, "status": status, "reason": "why" * (status != "ok"), "seconds": 0.1}}


def _parsing(monkeypatch: pytest.MonkeyPatch, **parsers: Any) -> None:
    for name, parse in parsers.items():
        monkeypatch.setitem(sys.modules, f"advisor.probe.{name}", _module(name, parse=parse))


def test_a_parser_that_raises_costs_its_own_part(monkeypatch: pytest.MonkeyPatch) -> None:
    _parsing(monkeypatch, bad=lambda raw: raw["no such key"], host=lambda _: {"host": {"arch": ok("x", "y")}})
    machine = machine_of(_raw("bad", a=1) | _raw("host", a=1))
    assert machine.host.arch.value == "x"
    (entry,) = machine.skipped
    assert (entry.probe, entry.status) == ("bad", "failed")
    assert "KeyError" in entry.reason


@pytest.mark.parametrize(
    "part",
    [
        {"host": {"no_such_field": ok(1, "x")}},
        {"devices": [{"name": ok("x", "y")}]},
        {"devices": [{"vendor": "v", "memory_total_bytes": ok("many", "y")}]},
        {"no_such_section": 1},
        {"cpu": {"model": {"value": "x", "status": "no such status"}}},
    ],
)
def test_a_part_of_the_wrong_shape_costs_itself(
    monkeypatch: pytest.MonkeyPatch, part: dict[str, Any]
) -> None:
    _parsing(monkeypatch, bad=lambda _: part, memory=lambda _: {"memory": {"total_bytes": ok(5, "y")}})
    machine = machine_of(_raw("bad", a=1) | _raw("memory", a=1))
    assert machine.memory.total_bytes.value == 5
    assert machine.devices == ()
    assert [entry.probe for entry in machine.skipped] == ["bad"]
    assert "wrong shape" in machine.skipped[0].reason


def test_a_probe_that_hung_keeps_what_it_said_and_says_why_the_rest_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _parsing(monkeypatch, host=lambda _: {"host": {"arch": ok("x", "y")}})
    machine = machine_of(_raw("host", "timeout", a=1))
    assert machine.host.arch.value == "x"
    assert (machine.host.kernel.status, machine.host.kernel.reason) == ("timeout", "why")
    assert [(entry.probe, entry.status) for entry in machine.skipped] == [("host", "timeout")]


def test_a_probe_that_never_answered_fills_its_section_with_the_reason() -> None:
    machine = machine_of(_raw("cpu", "timeout") | _raw("pcie", "failed"))
    assert (machine.cpu.model.status, machine.cpu.model.reason) == ("timeout", "why")
    assert (machine.pcie.status, machine.pcie.reason) == ("failed", "why")


# --- replay ---------------------------------------------------------------------------------------------


def test_raw_answers_replayed_give_the_same_machine(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("1.name !15", "0.power_limit 300000", healthy(3))
    kept: list[dict[str, Any]] = []
    machine = detect(ask_frameworks=False, keep_raw=kept.append)
    assert len(machine.devices) == 3
    assert detect(replay=json.loads(json.dumps(kept[0]))) == machine


@pytest.mark.parametrize(
    "replay", [{}, {"cpu": 5}, {"cpu": {"status": "ok"}}, {"_about": {}}, {"cpu": {"answers": 1}}]
)
def test_a_replay_that_holds_no_raw_answers_is_an_error(replay: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        detect(replay=replay)


MACHINES = sorted((Path(__file__).parents[1] / "machines").glob("*.json"))


@pytest.mark.parametrize("file", MACHINES, ids=lambda file: file.stem)
def test_recorded_machines_replay(file: Path) -> None:
    raw = json.loads(file.read_text(encoding="utf-8"))
    machine = detect(replay=raw)
    expected = raw["_about"]["expect"]
    assert [device.name.value for device in machine.devices] == expected["devices"]
    assert sorted({notice.code for notice in machine.notices}) == sorted(expected["notices"])
    assert not [entry for entry in machine.skipped if "could not be read" in entry.reason]
    assert not [entry for entry in machine.skipped if "wrong shape" in entry.reason]


# --- the joins ------------------------------------------------------------------------------------------


def device(index: int, **fields: Any) -> dict[str, Any]:
    """A driver's device in dict form, as the NVIDIA probe gives it."""
    base = {
        "vendor": "nvidia",
        "index": index,
        "name": ok(f"GPU model {index}", "nvml"),
        "uuid": ok(UUIDS[index], "nvml"),
        "pci_address": ok(f"0000:{(index + 1) * 16:02x}:00.0", "nvml"),
        "memory_total_bytes": ok(80 * GIB, "nvml"),
    }
    return base | fields


def joined(
    devices: list[dict[str, Any]],
    sees: Any = (),
    *,
    build: str = "cuda 12.8",
    **parts: Any,
) -> Machine:
    """The machine after the join; `sees`: a torch's devices, or the fact of why there are none."""
    fact = sees if isinstance(sees, dict) else ok(list(sees), "torch")
    torch = {"name": "torch", "version": ok("2.9", "x"), "build": ok(build, "x"), "sees": fact}
    base = {"devices": devices, "notices": [], "software": {"frameworks": [torch]}}
    return Machine.model_validate({"probed_at": "now", **join(base | parts)})


def row(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "device_name": f"{name} as torch names it", "memory_total_bytes": 79 * GIB} | fields


def names(machine: Machine) -> list[str | None]:
    return [d.framework_name.value for d in machine.devices]


def test_order_of_the_framework_is_not_the_order_of_the_driver() -> None:
    machine = joined([device(0), device(1)], [row("cuda:0", uuid=UUIDS[1]), row("cuda:1", uuid=UUIDS[0])])
    assert names(machine) == ["cuda:1", "cuda:0"]
    assert [d.status for d in machine.devices] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("GPU-AAAAAAAA-2222-3333-4444-555555555555", "aaaaaaaa-2222-3333-4444-555555555555"),
        ("GPU-aaaaaaaa-2222-3333-4444-555555555555", "GPU-aaaaaaaa-2222-3333-4444-555555555555"),
    ],
)
def test_uuids_are_one_in_any_spelling(ours: str, theirs: str) -> None:
    assert names(joined([device(0, uuid=ok(ours, "x"))], [row("cuda:0", uuid=theirs)])) == ["cuda:0"]


@pytest.mark.parametrize("theirs", ["00000000:10:00.0", "0000:10:00.0", "10:00.0"])
def test_pci_addresses_join_whatever_the_width_of_their_domain(theirs: str) -> None:
    no_uuid = device(0, uuid=none("not_supported", "nvml", "x"))
    assert names(joined([device(1), no_uuid], [row("cuda:0", pci_address=theirs)])) == [None, "cuda:0"]


def test_a_device_the_framework_does_not_see_says_so() -> None:
    machine = joined([device(0), device(1)], [row("cuda:0", uuid=UUIDS[1])])
    assert names(machine) == [None, "cuda:0"]
    assert machine.devices[0].framework_name.status == "absent"
    assert "torch does not see it" in machine.devices[0].framework_name.reason


def test_a_framework_that_was_not_asked_says_nothing_about_a_device() -> None:
    machine = joined([device(0)], none("not_asked", "torch", "no sign of an accelerator"))
    fact = machine.devices[0].framework_name
    assert (fact.status, fact.reason) == ("not_asked", "no sign of an accelerator")


def test_mig_instance_joins_its_parent_and_gives_its_own_memory() -> None:
    instance = {"uuid": ok(f"MIG-{UUIDS[5][4:]}", "nvml"), "memory_total_bytes": ok(10 * GIB, "nvml")}
    parent = device(
        0,
        mig_enabled=ok(True, "nvml"),
        mig_instances=[instance],
        memory_total_bytes=assumed(20 * GIB, "nvml", "the largest"),
    )
    machine = joined([device(1), parent], [row("cuda:0", uuid=UUIDS[5], memory_total_bytes=10 * GIB)])
    assert names(machine) == [None, "cuda:0"]
    assert machine.devices[1].memory_total_bytes.value == 10 * GIB
    assert identity("MIG-GPU-aaaa-bb/1/0") == "aaaabb/1/0"


def test_two_unknown_devices_are_never_joined_by_their_order() -> None:
    blind = [device(n, uuid=none("lost", "x", "x"), pci_address=none("lost", "x", "x")) for n in (0, 1)]
    machine = joined(blind, [row("cuda:0"), row("cuda:1")])
    assert names(machine)[:2] == [None, None]


def test_alike_devices_without_identity_are_named_and_not_listed_twice() -> None:
    npus = [device(n, vendor="huawei", kind="npu", name=ok("910B3", "npu-smi")) for n in range(4)]
    machine = joined(npus, [row(f"npu:{n}") for n in range(4)], build="cann 8.2")
    assert names(machine) == [f"npu:{n}" for n in range(4)]
    assert {d.framework_name.status for d in machine.devices} == {"assumed"}
    assert "alike" in machine.devices[2].framework_name.reason


def test_fewer_or_unlike_devices_without_identity_stay_unnamed() -> None:
    npus = [device(n, vendor="huawei", kind="npu") for n in range(2)]
    for sees in ([row("npu:0")], [row("npu:0"), row("npu:1")]):
        machine = joined(npus, sees, build="cann 8.2")
        assert names(machine) == [None, None]
        assert "tells neither UUID" in machine.devices[0].framework_name.reason


def test_the_only_one_on_both_sides_is_taken_as_the_same_and_says_so() -> None:
    machine = joined([device(0)], [row("cuda:0")])
    fact = machine.devices[0].framework_name
    assert (fact.value, fact.status) == ("cuda:0", "assumed")
    assert len(machine.devices) == 1


def test_a_device_known_to_the_framework_alone() -> None:
    machine = joined([], [row("cuda:0", integrated=True, compute_capability="8.7", compute_units=16)])
    (found,) = machine.devices
    assert (found.vendor, found.framework_name.value) == ("nvidia", "cuda:0")
    assert found.name.value == "cuda:0 as torch names it"
    assert (found.memory_total_bytes.value, found.memory_total_bytes.source) == (79 * GIB, "torch")
    assert found.unified_memory.value is True
    assert found.compute_units.value == 16


def test_a_rocm_build_calls_its_devices_cuda() -> None:
    (found,) = joined([], [row("cuda:0", compute_capability="gfx942")], build="rocm 6.4").devices
    assert found.vendor == "amd"


def test_two_frameworks_that_see_the_same_device_add_it_once() -> None:
    base = {"devices": [], "notices": [], "software": {"frameworks": []}}
    for name, device_name in (("torch", "cuda:0"), ("jax", "cuda:0")):
        sees = ok([row(device_name, uuid=UUIDS[0])], name)
        framework = {"name": name, "build": ok("cuda 12", "x"), "sees": sees}
        base["software"]["frameworks"].append(framework)  # type: ignore[index, call-overload]
    assert len(join(base)["devices"]) == 1


def test_a_device_that_only_the_bus_knew_is_usable_when_torch_sees_it() -> None:
    why = none("lib_missing", "nvml:loading", "libnvidia-ml.so.1: not found")
    bus = device(0, status="lib_missing", name=why, uuid=why, memory_total_bytes=why)
    machine = joined([bus], [row("cuda:0", uuid=UUIDS[3], pci_address="0000:10:00.0")])
    (found,) = machine.devices
    assert found.status == "ok"
    assert found.name.value == "cuda:0 as torch names it"
    assert "libnvidia-ml" in found.name.reason
    assert found.memory_total_bytes.value == 79 * GIB


def test_integrated_by_the_frameworks_word_shares_main_memory() -> None:
    memory = {"usable_bytes": ok(30 * GIB, "least"), "available_bytes": ok(20 * GIB, "x")}
    refused = none("not_supported", "nvml", "Not Supported")
    theirs = row("cuda:0", uuid=UUIDS[0], integrated=True, memory_total_bytes=None)
    machine = joined([device(0, memory_total_bytes=refused)], [theirs], memory=memory)
    fact = machine.devices[0].memory_total_bytes
    assert (fact.value, fact.status) == (30 * GIB, "assumed")
    assert machine.devices[0].memory_free_bytes.value == 20 * GIB


def test_mig_and_vgpu_never_become_main_memory() -> None:
    memory = {"usable_bytes": ok(30 * GIB, "least")}
    refused = none("not_supported", "nvml", "Not Supported")
    for kind in ({"mig_enabled": ok(True, "x")}, {"virtual": ok("vgpu", "x")}):
        theirs = row("cuda:0", uuid=UUIDS[0], integrated=True, memory_total_bytes=None)
        machine = joined([device(0, memory_total_bytes=refused, **kind)], [theirs], memory=memory)
        assert machine.devices[0].memory_total_bytes.value is None


def test_sizes_that_differ_are_both_kept_and_a_job_gets_what_torch_tells() -> None:
    """As behind vGPU software, a limit on a container, or on an APU, where the kernel names the largest."""
    theirs = row("cuda:0", uuid=UUIDS[0], memory_total_bytes=62 * GIB, memory_free_bytes=61 * GIB)
    ours = contradiction(128 * GIB, "sysfs gtt", [(GIB, "sysfs vram")], "depends on who is asked")
    found = joined([device(0, memory_total_bytes=ours, memory_free_bytes=ok(100 * GIB, "nvml"))], [theirs])
    fact = found.devices[0].memory_total_bytes
    assert (fact.value, fact.status, fact.source) == (62 * GIB, "contradiction", "torch")
    assert [(other.value, other.source) for other in fact.others] == [
        (128 * GIB, "sysfs gtt"),
        (GIB, "sysfs vram"),
    ]
    assert found.devices[0].memory_free_bytes.value == 61 * GIB


def test_sizes_within_two_per_cent_are_one() -> None:
    theirs = row("cuda:0", uuid=UUIDS[0], memory_total_bytes=int(79.2 * GIB))
    fact = joined([device(0)], [theirs]).devices[0].memory_total_bytes
    assert (fact.value, fact.status) == (80 * GIB, "ok")


# --- slots ----------------------------------------------------------------------------------------------


def _slots(speed: float, width: int, vm: str = "none") -> dict[str, Any]:
    found = {
        "address": "0000:10:00.0",
        "class_code": "0302",
        "vendor_id": "10de",
        "device_id": "2330",
        "kind": "gpu",
        "slot_speed_gts": ok(speed, "sysfs"),
        "slot_width": ok(width, "sysfs"),
    }
    return {"pcie": ok([found], "sysfs"), "host": {"vm": ok(vm, "x")}}


CARD = {"pcie_gen_max": ok(5, "nvml"), "pcie_width_max": ok(16, "nvml"), "pcie_gen_current": ok(1, "nvml")}


def test_a_slot_that_gives_less_than_the_card_can() -> None:
    machine = joined([device(0, **CARD)], **_slots(16.0, 8))
    assert (machine.devices[0].pcie_slot_gen.value, machine.devices[0].pcie_slot_width.value) == (4, 8)
    (notice,) = machine.notices
    assert notice.code == "pcie_link_below_slot"
    assert "gen 4 x8" in notice.message
    assert "gen 5 x16" in notice.message


def test_a_full_slot_at_idle_gives_no_notice() -> None:
    assert joined([device(0, **CARD)], **_slots(32.0, 16)).notices == ()


def test_the_bridges_of_a_virtual_machine_are_not_believed() -> None:
    machine = joined([device(0, **CARD)], **_slots(2.5, 1, vm="kvm"))
    assert machine.notices == ()
    assert machine.devices[0].pcie_slot_width.value is None
    assert "virtual machine" in machine.devices[0].pcie_slot_width.reason


# --- both fakes together --------------------------------------------------------------------------------


def _as_torch(index: int, speed: int) -> dict[str, Any]:
    """The fake NVML's device of that number as the fake torch sees it."""
    return {
        "name": "NVIDIA H100 80GB HBM3",
        "uuid": UUIDS[index],
        "pci": f"0000:{(index + 1) * 16:02x}:00.0",
        "total": 84 * GIB,
        "free": 83 * GIB,
        "speed": speed,
        "cc": "9.0",
    }


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["cuda:0", "cuda:1", "cuda:2"]),
        ("2,0", ["cuda:1", None, "cuda:0"]),
        (f"{UUIDS[1]}", [None, "cuda:0", None]),
        ("GPU-3333", [None, None, "cuda:0"]),
        ("-1", [None, None, None]),
        ("", [None, None, None]),
    ],
)
def test_what_cuda_visible_devices_hides_is_what_torch_says(
    fake_nvml: FakeNvml,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    visible: str | None,
    expected: list[str],
) -> None:
    fake_nvml.case(healthy(3))
    lab = Lab(tmp_path, monkeypatch)
    lab.torch({"devices": [_as_torch(index, speed) for index, speed in ((0, 1), (1, 9), (2, 5))]})
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    machine = detect(ask_frameworks=True)
    assert names(machine) == expected
    assert [d.uuid.value for d in machine.devices] == UUIDS[:3]


def test_devices_on_the_bus_and_in_torch_without_nvml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path, monkeypatch)
    lab.torch({"devices": [_as_torch(0, 1)]})
    root = tree(tmp_path / "root", pci("0000:10:00.0", "0302", "10de", "2330", "nvidia"))
    (found,) = detect(root=root, ask_frameworks=True).devices
    assert isinstance(found, Device)
    assert (found.status, found.pci_id.value, found.framework_name.value) == ("ok", "10de:2330", "cuda:0")
    assert found.memory_total_bytes.value == 84 * GIB


def test_every_fact_of_a_device_that_is_not_known_says_why(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.handle !15", "1.power ~20", healthy(2))
    for found in machine_of(fake_nvml.raw(deadline_s=1.0)).devices:
        for name in Device.model_fields:
            fact = getattr(found, name)
            if hasattr(fact, "known") and not fact.known and name not in merge.JOINED:
                assert fact.reason, name
                assert fact.status != "ok", name


# --- frameworks in a second step ------------------------------------------------------------------------


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(tmp_path, monkeypatch)


@pytest.fixture
def h100(lab: Lab, fake_nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """An H100 that the driver alone shows (no device node, no bus), beside a torch that sees it."""
    tree(lab.root, {"sys/module/nvidia/version": "570.1\n"})
    fake_nvml.case(healthy(1))
    device = {"name": "H100", "uuid": UUIDS[0], "pci": "0000:10:00.0", "total": 80 * GIB, "cc": "9.0"}
    lab.torch({"devices": [device]})
    monkeypatch.delenv("HWADVISOR_PROBE_ASK")
    return lab


def sees(machine: Machine) -> Any:
    return next(f for f in machine.software.frameworks if f.name == "torch").sees


def test_frameworks_are_asked_in_a_second_step(h100: Lab) -> None:
    raw: dict[str, Any] = {}
    first = detect(root=h100.root, ask_frameworks=False, keep_raw=raw.update)
    assert sees(first).reason == "not asked yet: importing a framework takes seconds"
    assert not first.devices[0].framework_name.known
    kept: list[dict[str, Any]] = []
    second = add_frameworks(first, raw, root=h100.root, keep_raw=kept.append)
    assert second.devices[0].framework_name.value == "cuda:0"
    assert second.devices[0].uuid == first.devices[0].uuid
    assert len(second.devices) == 1
    assert detect(replay=json.loads(json.dumps(kept[0]))) == second


def test_a_listed_device_is_reason_enough_to_ask(h100: Lab) -> None:
    machine = detect(root=h100.root)
    assert [row.name for row in sees(machine).value] == ["cuda:0"]
    assert machine.devices[0].framework_name.value == "cuda:0"


def test_torch_without_gpu_beside_a_listed_device_is_told(h100: Lab) -> None:
    (h100.modules / "torch/version.py").write_text(
        "from typing import Optional\n__version__ = '2.9.0+cpu'\ncuda: Optional[str] = None\n"
        "hip: Optional[str] = None\nxpu: Optional[str] = None\n"
    )
    (notice,) = [n for n in detect(root=h100.root).notices if n.code == "framework_without_gpu"]
    assert "nvidia: the driver lists NVIDIA H100" in notice.message


@pytest.mark.parametrize("wish", ["", "0"])
def test_nothing_is_asked_without_reason_or_against_the_wish(
    lab: Lab, fake_nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, wish: str
) -> None:
    tree(lab.root, {"sys/module/nvidia/version": "570.1\n"} if wish else {})
    fake_nvml.case(healthy(1))
    lab.torch({"devices": []})
    monkeypatch.setenv("HWADVISOR_PROBE_ASK", wish)
    raw: dict[str, Any] = {}
    first = detect(root=lab.root, ask_frameworks=False, keep_raw=raw.update)
    assert bool(first.devices) == bool(wish)
    assert add_frameworks(first, raw, root=lab.root) is first


def test_a_second_step_that_fails_keeps_what_was_known(h100: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    raw: dict[str, Any] = {}
    first = detect(root=h100.root, ask_frameworks=False, keep_raw=raw.update)
    failed = {"answers": {}, "status": "failed", "reason": "could not be started: no memory", "seconds": 0.0}
    monkeypatch.setattr(walk, "gather", lambda *_: {"software": failed})
    second = add_frameworks(first, raw, root=h100.root)
    assert second.software.python == first.software.python
    assert any("no memory" in entry.reason for entry in second.skipped)
