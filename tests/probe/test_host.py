"""Names, containers, virtual machines, WSL and Slurm on recorded machines and by their signs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine_trees import ask, plant, value

from advisor.probe import darwin, enclosure, host, windows
from advisor.schema import Machine

FIRST = {name: f"{name}:[{number}]" for name, number in enclosure.FIRST_NAMESPACES.items()}


def _facts(case: str, root: Path) -> dict[str, Any]:
    return ask(host, plant(case, root))[0]["host"]


def test_docker(tmp_path: Path) -> None:
    part, raw = ask(host, plant("docker", tmp_path))
    facts = part["host"]
    assert value(facts["container"]) == "docker"
    assert value(facts["os_name"]) == "Ubuntu 22.04.5 LTS"
    assert value(facts["kernel"]) == "6.8.0-45-generic"
    assert value(facts["cgroup"]) == "v2"
    assert value(facts["wsl"]) == "none"
    assert "hunter2" not in str(raw)


def test_a_compute_node_inside_a_job(tmp_path: Path) -> None:
    part, raw = ask(host, plant("slurm-v2", tmp_path))
    slurm = part["host"]["slurm"]
    assert (slurm["in_allocation"], slurm["job_id"], slurm["partition"]) == (True, "4242", "gpu")
    assert (slurm["nodes"], slurm["cpus_per_task"]) == (2, 8)
    assert slurm["memory_per_node_bytes"] == 120 * 1024**3
    assert slurm["gpus"] == "0,1,2,3"
    assert value(slurm["login_node"]) is False
    assert "nobody-may-see-this" not in str(raw)


def test_a_login_node(tmp_path: Path) -> None:
    fact = _facts("slurm-v1-login", tmp_path)["slurm"]["login_node"]
    assert value(fact) is True
    assert "slurm.conf does not list login2" in fact["reason"]


def test_gvisor(tmp_path: Path) -> None:
    facts = _facts("gvisor", tmp_path)
    assert value(facts["vm"]) == "gvisor"
    assert value(facts["container"]) == "gvisor"
    assert value(facts["product"]) is None


def test_an_arm_cloud_machine_is_a_virtual_machine_without_a_cpu_flag(tmp_path: Path) -> None:
    facts = _facts("graviton3", tmp_path)
    assert value(facts["vm"]) == "kvm"
    assert value(facts["product"]) == "Amazon EC2 c7g.4xlarge"


def test_a_server_without_signs_is_no_virtual_machine(tmp_path: Path) -> None:
    facts = _facts("epyc-2s", tmp_path)
    assert value(facts["vm"]) == "none"
    assert value(facts["container"]) == "none"
    assert value(facts["product"]) == "Supermicro AS -4125GS-TNRT"


@pytest.mark.parametrize(
    ("signs", "own", "engine"),
    [
        ({"markers": ["/.dockerenv"]}, "0::/", "docker"),
        ({"markers": ["/.dockerenv"], "namespaces": FIRST}, "0::/", "none"),
        ({"markers": ["/run/.containerenv"]}, "0::/", "podman"),
        ({"variables": ["APPTAINER_CONTAINER"], "namespaces": FIRST}, "0::/user.slice", "apptainer"),
        ({"variables": ["SINGULARITY_NAME", "KUBERNETES_SERVICE_HOST"]}, "", "apptainer"),
        ({"variables": ["KUBERNETES_SERVICE_HOST"], "markers": ["/.dockerenv"]}, "0::/", "kubernetes"),
        ({}, "0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-12.scope", "kubernetes"),
        ({}, "11:memory:/docker/0123abcd", "docker"),
        ({}, "0::/system.slice/docker-0123abcd.scope", "docker"),
        ({}, "0::/machine.slice/libpod-0123.scope", "podman"),
        ({}, "0::/lxc.payload.web/user.slice", "lxc"),
        ({"pid1_container": "lxc"}, "0::/", "lxc"),
        ({"systemd_container": "systemd-nspawn"}, "0::/", "systemd-nspawn"),
        ({"container_variable": "oci"}, "0::/", "containerd"),
        ({"container_variable": "wsl"}, "0::/", "none"),
        ({"proc_version": "Linux 5.15-microsoft-WSL2", "closed": ["/proc/1/environ"]}, "0::/", "none"),
        ({"closed": ["/proc/1/environ"], "namespaces": FIRST}, "0::/", "none"),
        ({"closed": ["/proc/1/environ"]}, "0::/", None),
        ({"root_mount": {"kind": "overlay", "source": "overlay"}}, "0::/", "container"),
        ({"root_mount": {"kind": "ext4", "source": "/dev/sda1"}}, "0::/init.scope", "none"),
        ({}, "0::/user.slice/user-1000.slice/docker.service", "none"),
    ],
)
def test_containers_by_their_signs(signs: dict[str, Any], own: str, engine: str | None) -> None:
    assert value(enclosure.container(signs, {"self": own})) == engine


@pytest.mark.parametrize(
    ("signs", "dmi", "name"),
    [
        (
            {"hypervisor_flag": True},
            {"sys_vendor": "QEMU", "product_name": "Standard PC (Q35 + ICH9)"},
            "kvm",
        ),
        ({"hypervisor_flag": True}, {"sys_vendor": "VMware, Inc.", "product_name": "VMware7,1"}, "vmware"),
        (
            {"hypervisor_flag": True},
            {"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"},
            "hyperv",
        ),
        (
            {"hypervisor_flag": False},
            {"sys_vendor": "Microsoft Corporation", "product_name": "Surface Book 3"},
            "none",
        ),
        (
            {"hypervisor_flag": True},
            {"sys_vendor": "innotek GmbH", "product_name": "VirtualBox"},
            "virtualbox",
        ),
        ({"hypervisor_flag": True, "hypervisor_type": "xen"}, {}, "xen"),
        ({"hypervisor_flag": True, "acpi_maker": "FIRECK"}, {}, "firecracker"),
        ({"hypervisor_flag": True, "virtio": True}, {}, "kvm"),
        ({"hypervisor_flag": True}, {}, "hypervisor"),
        ({"hypervisor_flag": False}, {"sys_vendor": "Amazon EC2", "product_name": "c5.metal"}, "none"),
        ({"hypervisor_flag": None}, {"sys_vendor": "Amazon EC2", "product_name": "c7g.metal"}, None),
        ({"hypervisor_flag": False}, {"sys_vendor": "Dell Inc.", "product_name": "PowerEdge XE9680"}, "none"),
        ({"hypervisor_flag": None}, {}, None),
    ],
)
def test_virtual_machines_by_their_signs(
    signs: dict[str, Any], dmi: dict[str, str], name: str | None
) -> None:
    assert value(enclosure.vm(signs, dmi, {})) == name


@pytest.mark.parametrize(
    ("release", "marks", "version"),
    [
        ("4.4.0-19041-Microsoft", [], "1"),
        ("4.19.128-microsoft-standard", [], "2"),
        ("5.15.133.1-microsoft-standard-WSL2", ["/run/WSL"], "2"),
        ("6.6.36-custom", ["/proc/sys/fs/binfmt_misc/WSLInterop"], "2"),
        ("6.8.0-45-generic", [], "none"),
    ],
)
def test_wsl(release: str, marks: list[str], version: str) -> None:
    assert value(enclosure.wsl({"wsl_marks": marks}, {"osrelease": release})) == version


@pytest.mark.parametrize(
    ("told", "here", "name", "login"),
    [
        ({}, {}, "workstation", None),
        ({}, {"signs": ["/usr/bin/sinfo"]}, "login01", True),
        ({}, {"signs": ["/usr/bin/sinfo"]}, "frontend", True),
        ({}, {"signs": ["/etc/slurm/slurm.conf"], "nodes": ["gpu[01-08]"]}, "gpu03.cluster", False),
        ({}, {"signs": ["/etc/slurm/slurm.conf"], "nodes": ["gpu[01-08]"]}, "gpu3", True),
        ({}, {"signs": ["/usr/bin/sinfo"], "slurmd": True}, "n17", False),
        ({"SLURM_JOB_ID": "1", "SLURMD_NODENAME": "n1"}, {}, "n1", False),
        ({"SLURM_JOB_ID": "1", "SLURM_JOB_NODELIST": "n[1-2]"}, {}, "n2.local", False),
        ({"SLURM_JOB_ID": "1", "SLURM_JOB_NODELIST": "n[1-2]"}, {}, "login1", True),
    ],
)
def test_login_nodes(told: dict[str, str], here: dict[str, Any], name: str, login: bool | None) -> None:
    assert value(host.login_node(told, here, name)) is login


def test_a_guess_at_a_login_node_is_marked_as_one() -> None:
    fact = host.login_node({}, {"signs": ["/usr/bin/sbatch"]}, "zeus")
    assert (fact["status"], fact["value"]) == ("assumed", True)


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("gpu[01-03,7],login1", {"gpu01", "gpu02", "gpu03", "gpu7", "login1"}),
        ("n1", {"n1"}),
        ("rack[1-2]-n", {"rack1-n", "rack2-n"}),
        ("", set()),
    ],
)
def test_slurms_short_form_of_names(written: str, names: set[str]) -> None:
    assert host.node_names(written) == names


@given(st.text(max_size=60))
def test_no_node_list_breaks_the_parser(written: str) -> None:
    assert "" not in host.node_names(written)


def test_nothing_at_all_is_unknown_with_reasons() -> None:
    part = host.parse({})
    Machine.model_validate({"probed_at": "x", **part})
    assert value(part["host"]["hostname"]) is None


SYSCTL = {
    "hw.model": "Mac15,9",
    "machdep.cpu.brand_string": "Apple M3 Max",
    "hw.physicalcpu": "16",
    "hw.logicalcpu": "16",
    "hw.perflevel0.physicalcpu": "12",
    "hw.perflevel1.physicalcpu": "4",
    "hw.memsize": "137438953472",
    "hw.pagesize": "16384",
    "hw.l1dcachesize": "65536",
    "hw.optional.arm.FEAT_BF16": "1",
    "hw.optional.arm.FEAT_SME": "0",
    "kern.osproductversion": "15.1",
    "vm.swapusage": "total = 2048.00M  used = 1024.00M  free = 1024.00M  (encrypted)",
    "vm.loadavg": "{ 2,52 3.01 2.88 }",
}


def test_a_mac_by_its_sysctl() -> None:
    raw = {"sysctl": SYSCTL, "vm_stat": {"Pages free": "1000.", "Pages inactive": "500."}}
    cpu, memory = darwin.cpu(raw), darwin.memory(raw)
    facts = host.parse({"darwin": raw, "user": "me", "arch": "arm64"})["host"]
    Machine.model_validate({"probed_at": "x", "cpu": cpu, "memory": memory, "host": facts})
    assert (value(cpu["performance_cores"]), value(cpu["efficiency_cores"])) == (12, 4)
    assert value(cpu["instruction_sets"]) == {"bf16": True, "sme": False}
    assert value(cpu["load_average"]) == 2.52
    assert value(memory["available_bytes"]) == 1500 * 16384
    assert value(memory["swap_bytes"]) == 2048 * 1024**2
    assert value(facts["os_name"]) == "macOS 15.1"
    assert value(cpu["sockets"]) is None


def test_a_mac_that_answers_nothing() -> None:
    raw = {"sysctl": {}, "vm_stat": {}, "reason": "sysctl gave no answer within 2 s"}
    part = {"cpu": darwin.cpu(raw), "memory": darwin.memory(raw), **host.parse({"darwin": raw})}
    Machine.model_validate({"probed_at": "x", **part})
    assert "no answer" in part["memory"]["total_bytes"]["reason"]


def test_windows_by_its_answers() -> None:
    raw = {"threads": 16, "cores": 8, "model": "AMD Ryzen 7 7840U", "mhz": 3300, "memory_total": 32 * 1024**3}
    part = {"cpu": windows.cpu(raw), "memory": windows.memory(raw), **host.parse({"windows": raw})}
    Machine.model_validate({"probed_at": "x", **part})
    assert value(part["cpu"]["budget_threads"]) == 16
    assert value(part["cpu"]["clock_reported_hz"]) == 3.3e9
    assert value(part["cpu"]["instruction_sets"]) is None
