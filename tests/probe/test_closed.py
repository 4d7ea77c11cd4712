"""Folders that this user may not enter: what lies behind them is unknown, never absent, and no probe ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from closed import as_nobody, open_folder
from machine_trees import Ear, ask, plant, plant_text, value

from advisor.errors import UserError
from advisor.nvml import find
from advisor.paths import there
from advisor.probe import cpu, disk, host, memory, network, nvidia, pcie, software, software_ask, storage
from advisor.probe.merge import machine_of
from advisor.probe.walk import _look, probes
from advisor.schema import Machine


@pytest.fixture
def root() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def close(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0)
    return folder


def test_there_tells_what_may_not_be_looked_at(root: Path) -> None:
    (root / "file").write_text("x")
    (root / "loop").symlink_to("loop")
    (root / "shut").mkdir()
    (root / "shut/inside").write_text("x")
    close(root / "shut")
    with as_nobody():
        assert there(root / "shut/inside") is None
        assert there(root / "shut") is True
        assert there(root / "file") is True
        assert there(root / "file/below") is False
        assert there(root / "nothing") is False
        assert there(root / "loop") is False
        assert there(root / "a\0b") is False


def closed_run(root: Path) -> None:
    """As on a cloud machine: what the engine keeps under /run/secrets is root's alone."""
    close(root / "run/secrets")


def test_a_marker_behind_a_closed_folder_costs_the_host_nothing_else(root: Path) -> None:
    plant("epyc-2s", root)
    closed_run(root)
    with as_nobody():
        facts = ask(host, root)[0]["host"]
    assert value(facts["product"]) == "Supermicro AS -4125GS-TNRT"
    assert value(facts["vm"]) == "none"
    assert value(facts["wsl"]) == "none"
    assert value(facts["slurm"]["login_node"]) is None


def test_a_container_is_not_ruled_out_where_its_marks_may_not_be_looked_for(root: Path) -> None:
    plant_text("=== proc/version\nLinux version 6.8.0\n=== proc/sys/kernel/osrelease\n6.8.0\n", root)
    facts = ask(host, root)[0]["host"]
    assert value(facts["container"]) == "none"
    closed_run(root)
    with as_nobody():
        fact = ask(host, root)[0]["host"]["container"]
    assert (fact["value"], fact["status"]) == (None, "no_permission")
    assert fact["source"] == "/run/secrets/kubernetes.io"


def test_an_own_namespace_tells_the_container_all_the_same(root: Path) -> None:
    plant("docker", root)
    closed_run(root)
    with as_nobody():
        assert value(ask(host, root)[0]["host"]["container"]) == "docker"


def test_a_virtual_machine_is_not_ruled_out_by_a_closed_cpuinfo(root: Path) -> None:
    plant_text("=== proc/cpuinfo\nflags : fpu hypervisor\n=== proc/sys/kernel/osrelease\n6.8.0\n", root)
    (root / "proc/cpuinfo").chmod(0)
    with as_nobody():
        fact = ask(host, root)[0]["host"]["vm"]
    assert (fact["value"], fact["status"]) == (None, "no_permission")


def test_a_host_probe_that_ended_early_claims_nothing() -> None:
    ended = {"status": "no_permission", "reason": "PermissionError: /run/secrets"}
    facts = host.parse({"kernel": {"osrelease": "6.8.0"}, "_ended": ended})["host"]
    for name in ("container", "vm", "wsl"):
        assert facts[name]["value"] is None
        assert facts[name]["status"] == "no_permission"
        assert "/run/secrets" in facts[name]["reason"]
    assert facts["cgroup"]["value"] is None
    assert facts["slurm"]["login_node"]["value"] is None
    assert facts["slurm"]["login_node"]["status"] == "not_asked"


def test_a_folder_that_may_hold_slurm_is_no_sign_of_it(root: Path) -> None:
    """Else every user of a machine whose /opt is closed would be told not to measure on a login node."""
    plant("epyc-2s", root)
    close(root / "opt")
    with as_nobody():
        fact = ask(host, root)[0]["host"]["slurm"]["login_node"]
    assert (fact["value"], fact["status"]) == (None, "no_permission")
    (root / "etc/slurm").mkdir(parents=True)
    (root / "etc/slurm/slurm.conf").write_text("NodeName=n[1-2]\n")
    (root / "etc/slurm/slurm.conf").chmod(0)
    with as_nobody():
        assert value(ask(host, root)[0]["host"]["slurm"]["login_node"]) is True


GROUP = """
=== proc/self/cgroup
0::/job
=== proc/self/mountinfo
30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
=== sys/fs/cgroup/cgroup.controllers
cpu memory
=== sys/fs/cgroup/job/memory.max
1000000
=== sys/fs/cgroup/job/cpu.max
50000 100000
=== proc/meminfo
MemTotal: 1000 kB
"""


def test_a_closed_control_group_is_no_missing_limit(root: Path) -> None:
    plant_text(GROUP, root)
    assert value(ask(memory, root)[0]["memory"]["cgroup_limit_bytes"]) == 1_000_000
    (root / "sys/fs/cgroup/job").chmod(0)
    with as_nobody():
        told = ask(memory, root)[0]["memory"]
        quota = ask(cpu, root)[0]["cpu"]["quota_threads"]
    assert told["cgroup_limit_bytes"]["status"] == "no_permission"
    assert "/job/memory.max" in told["cgroup_limit_bytes"]["source"]
    assert told["usable_bytes"]["status"] == "assumed"
    assert quota["status"] == "no_permission"


def test_a_limit_beside_a_closed_one_says_so(root: Path) -> None:
    plant_text(GROUP + "=== sys/fs/cgroup/memory.max\n900000\n", root)
    (root / "sys/fs/cgroup/job").chmod(0)
    with as_nobody():
        fact = ask(memory, root)[0]["memory"]["cgroup_limit_bytes"]
    assert value(fact) == 900_000
    assert "lower limit may stand" in fact["reason"]


@pytest.mark.parametrize(
    ("probe", "folder"), [(pcie, "sys/bus/pci/devices"), (network, "sys/class/net"), (pcie, "sys/bus")]
)
def test_a_list_that_may_not_be_read_is_not_empty(root: Path, probe: ModuleType, folder: str) -> None:
    (root / "sys/bus/pci/devices").mkdir(parents=True)
    (root / "sys/class/net").mkdir(parents=True)
    close(root / folder)
    with as_nobody():
        assert probe.present(root)
        with pytest.raises(PermissionError):  # which its child tells as no_permission
            probe.read(root, Ear())


def test_hardware_that_is_hidden_from_users_is_not_called_absent(root: Path) -> None:
    """Hardened systems close /sys and /proc/cpuinfo to all but root (Kicksecure's hide-hardware-info)."""
    plant("intel-hybrid", root)
    assert value(ask(cpu, root)[0]["cpu"]["efficiency_cores"]) == 16
    (root / "sys").chmod(0)
    with as_nobody():
        processor, machine = ask(cpu, root)[0]["cpu"], ask(host, root)[0]["host"]
    for name in ("efficiency_cores", "performance_cores", "caches", "numa_nodes", "clock_max_hz"):
        assert (name, processor[name]["status"]) == (name, "no_permission")
    assert machine["product"]["status"] == "no_permission"
    (root / "proc/cpuinfo").chmod(0)
    with as_nobody():
        processor = ask(cpu, root)[0]["cpu"]
    assert processor["model"]["status"] == processor["instruction_sets"]["status"] == "no_permission"


def test_closed_adapters_are_not_absent(root: Path) -> None:
    plant("infiniband", root)
    close(root / "sys/class/infiniband")
    ear = Ear()
    with as_nobody(), pytest.raises(PermissionError):
        network.read(root, ear)
    found = machine_of(
        {"network": {"answers": ear.raw, "status": "no_permission", "reason": "closed"}}
    ).network
    assert found.interfaces.value
    assert (found.rdma_ports.value, found.rdma_ports.status) == (None, "not_asked")


def test_closed_pci_devices_are_counted(root: Path) -> None:
    plant("pcie-tree", root)
    every = len(ask(pcie, root)[0]["pcie"]["value"])
    folders = list((root / "sys/devices").glob("pci*/**/class"))
    for path in folders:
        path.chmod(0)
    with as_nobody():
        fact = ask(pcie, root)[0]["pcie"]
    assert every > 1
    assert (fact["value"], fact["status"]) == (None, "no_permission")


def test_a_closed_list_of_block_devices(root: Path) -> None:
    close(root / "sys/dev/block")
    with as_nobody():
        told = disk.read_disk(root, "8:1", "/dev/sda1")
    assert isinstance(told, dict)
    assert told["status"] == "no_permission"


def test_a_working_folder_one_may_not_enter(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant("disks", root)
    (root / "home/other").mkdir(parents=True)
    (root / "proc/self/environ").write_bytes(b"HWADVISOR_WORKDIR=/home/other/work\0")
    close(root / "home/other")
    with as_nobody():
        facts = ask(storage, root)[0]["storage"]
    assert value(facts["path"]) == "/home/other/work"
    assert value(facts["filesystem"]) == "btrfs"
    assert facts["free_bytes"]["status"] == "no_permission"


@pytest.mark.parametrize("shut", ["proc", "sys", "dev", "run", "sys/module", "sys/bus/pci", "usr", "opt"])
def test_no_probe_raises_when_it_looks_for_its_signs(root: Path, shut: str) -> None:
    found = probes()
    close(root / shut)
    with as_nobody():
        for probe in found:
            assert probe.module is not None
            status, reason = _look(probe, root)
            assert status in {"ok", "absent", "no_permission"}, reason
            assert isinstance(software.accelerator_hints(root), dict)


def test_no_vendor_is_ruled_out_behind_a_closed_bus(root: Path) -> None:
    (root / "sys/bus/pci/devices").mkdir(parents=True)
    vendors = [
        probe for probe in probes() if probe.name in {"nvidia", "amd", "intel", "ascend", "tpu", "other"}
    ]
    assert {_look(probe, root)[0] for probe in vendors} == {"absent"}
    close(root / "sys")
    with as_nobody():
        found = {probe.name: _look(probe, root) for probe in vendors}
    assert {status for status, _ in found.values()} == {"no_permission"}
    assert "sys/bus/pci/devices" in found["nvidia"][1]
    close(root / "dev")
    (root / "dev").chmod(0o755)
    (root / "dev/nvidiactl").touch()
    with as_nobody():
        assert nvidia.present(root) == "/dev/nvidiactl"


@pytest.mark.parametrize("shut", ["proc", "sys", "run", "sys/fs", "sys/class", "etc", "proc/1", "proc/self"])
def test_the_system_probes_survive_any_closed_folder(root: Path, shut: str) -> None:
    for name in ("proc/1", "proc/self", "sys/fs", "sys/class", "etc", "run"):
        (root / name).mkdir(parents=True, exist_ok=True)
    plant_text(GROUP, root)
    close(root / shut)
    part: dict[str, Any] = {}
    with as_nobody():
        for probe in (host, memory, cpu, storage):
            part |= ask(probe, root)[0]
    Machine.model_validate({"probed_at": "x", **part})


def test_the_librarys_and_the_bindings_folders(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close(root / "usr/lib")
    close(root / "site")
    monkeypatch.setattr(find, "WSL_LIBRARY", str(root / "usr/lib/x"))
    with as_nobody():
        assert find.hint_of_library(root) == ""
        assert find.binding_owner([str(root / "site")])["package"] == ""


def test_a_python_behind_a_closed_folder_is_told_in_one_line(root: Path) -> None:
    close(root / "env")
    with as_nobody(), pytest.raises(UserError) as told:
        software_ask.check_python(os.fspath(root / "env/bin/python"))
    assert "may not be looked at" in told.value.message
    assert told.value.hint
