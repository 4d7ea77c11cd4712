"""What this process is enclosed in: a container, a virtual machine, WSL. No probe of its own.

`read` gathers signs, the rest is pure. Signs can lie: an image started as a virtual machine keeps the
/.dockerenv of the container it was built in, so a marker file counts only where something else agrees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.paths import there
from advisor.probe.facts import assumed, none, ok
from advisor.probe.linux import environment, link, look, mounts, text
from advisor.probe.reading import clean, keyed

if TYPE_CHECKING:
    from advisor.probe.facts import FactDict

MARKERS = {
    "/.dockerenv": "docker",
    "/run/.containerenv": "podman",
    "/.singularity.d": "apptainer",
    "/run/secrets/kubernetes.io": "kubernetes",
    "/var/run/secrets/kubernetes.io": "kubernetes",
    "/dev/lxd/sock": "lxc",
}
VARIABLES = {
    "APPTAINER_CONTAINER": "apptainer",
    "APPTAINER_NAME": "apptainer",
    "SINGULARITY_CONTAINER": "apptainer",
    "SINGULARITY_NAME": "apptainer",
    "CH_RUNNING": "charliecloud",
    "SHIFTER_RUNTIME": "shifter",
    "KUBERNETES_SERVICE_HOST": "kubernetes",
}
# Words in the cgroup paths of this process and of pid 1
PATHS = (
    (re.compile(r"kubepods|kubelet"), "kubernetes"),
    (re.compile(r"/libpod[-_]"), "podman"),
    (re.compile(r"/docker[-/]"), "docker"),
    (re.compile(r"cri-containerd|/containerd"), "containerd"),
    (re.compile(r"/(lxc|lxc\.payload|lxd)[./]"), "lxc"),
    (re.compile(r"/machine\.slice/machine-|systemd-nspawn"), "systemd-nspawn"),
)
# The variable "container" that the engine gives pid 1 (systemd.io/CONTAINER_INTERFACE)
ENGINES = {"oci": "containerd", "lxc-libvirt": "lxc", "systemd-nspawn": "systemd-nspawn", "rkt": "rkt"}
# Inode numbers of the first namespaces, PROC_*_INIT_INO of Linux include/linux/proc_ns.h
FIRST_NAMESPACES = {"pid": 0xEFFFFFFC, "ipc": 0xEFFFFFFF, "uts": 0xEFFFFFFE, "cgroup": 0xEFFFFFFB}

# Words in DMI vendor and product -> hypervisor; the first that fits
FIRMWARE = (
    ("firecracker", "firecracker"),
    ("vmware", "vmware"),
    ("virtualbox", "virtualbox"),
    ("innotek", "virtualbox"),
    ("xen", "xen"),
    ("parallels", "parallels"),
    ("apple virtualization", "apple"),
    ("bochs", "kvm"),
    ("qemu", "kvm"),
    ("kvm", "kvm"),
    ("openstack", "kvm"),
    ("red hat", "kvm"),
    ("google compute engine", "kvm"),
    ("amazon ec2", "kvm"),
    ("alibaba cloud", "kvm"),
    ("tencent cloud", "kvm"),
    ("huawei cloud", "kvm"),
    ("digitalocean", "kvm"),
    ("hetzner", "kvm"),
    ("vultr", "kvm"),
    ("scaleway", "kvm"),
)
# OEM ids of the ACPI tables that hypervisors build
ACPI_MAKERS = {
    "FIRECK": "firecracker",
    "BOCHS": "kvm",
    "VRTUAL": "hyperv",
    "VBOX": "virtualbox",
    "XEN": "xen",
    "CLOUDH": "cloud-hypervisor",
}
HYPERV = "microsoft corporation"  # also the maker of Surface computers: needs "Virtual Machine" as product
HYPERVISOR_FILE = "/sys/hypervisor/type"


WSL_MARKS = ("/proc/sys/fs/binfmt_misc/WSLInterop", "/run/WSL", "/usr/lib/wsl/lib")
# Signs in files: without these nothing can be ruled out
CONTAINER_FILES = (
    "/proc/1/environ",
    "/proc/1/cgroup",
    "/proc/self/cgroup",
    "/proc/self/mountinfo",
    "/run/systemd/container",
)
VM_FILES = ("/proc/cpuinfo", "/proc/version", HYPERVISOR_FILE, "/sys/class/dmi/id/sys_vendor")


def read(root: Path) -> dict[str, Any]:
    """Raw signs; of the environment only names on a fixed list, of pid 1's only `container`."""
    told = environment(root)
    rows = mounts(text(look(root / "proc/self/mountinfo", 4 << 20)) or "")
    top = next((row for row in reversed(rows) if row["point"] == "/"), None)
    first = look(root / "proc/1/environ")
    cpuinfo = text(look(root / "proc/cpuinfo", 16384)) or ""
    marks = {path: there(root / path.lstrip("/")) for path in (*MARKERS, *WSL_MARKS)}
    return {
        "markers": [path for path in MARKERS if marks[path]],
        "variables": [name for name in VARIABLES if name in told],
        "container_variable": told.get("container", ""),
        "pid1_container": _variable(first, "container"),
        "systemd_container": look(root / "run/systemd/container"),
        "pid1_cgroup": look(root / "proc/1/cgroup"),
        "namespaces": {name: link(root / f"proc/self/ns/{name}") for name in FIRST_NAMESPACES},
        "root_mount": {key: top[key] for key in ("kind", "source")} if top else None,
        "proc_version": look(root / "proc/version"),
        "hypervisor_flag": _hypervisor_flag(cpuinfo),
        "hypervisor_type": look(root / HYPERVISOR_FILE.lstrip("/")),
        "wsl_marks": [path for path in WSL_MARKS if marks[path]],
        "virtio": _has_virtio(root),
        "acpi_maker": _acpi_maker(root),
        "closed": [path for path, seen in marks.items() if seen is None] + _closed_files(root),
    }


def _closed_files(root: Path) -> list[str]:
    """Those of the files with signs that this user may not read."""
    files = {path: look(root / path.lstrip("/"), 1) for path in (*CONTAINER_FILES, *VM_FILES)}
    return [
        path for path, said in files.items() if isinstance(said, dict) and said["status"] == "no_permission"
    ]


def _not_ruled_out(signs: dict[str, Any], paths: Iterable[str], what: str) -> FactDict | None:
    """The fact that nothing was found and not all could be looked at; None when all could."""
    closed = [path for path in paths if path in (signs.get("closed") or ())]
    if not closed:
        return None
    return none(
        "no_permission", ", ".join(closed), f"this user may not look there, so {what} is not ruled out"
    )


def container(signs: dict[str, Any], groups: dict[str, Any]) -> FactDict:
    """Fact: none, docker, podman, kubernetes, containerd, lxc, apptainer, systemd-nspawn, gvisor, wsl, …"""
    for name in signs.get("variables") or ():
        if VARIABLES.get(name):
            return ok(VARIABLES[name], f"environment: {name}")
    own = "\n".join(text(part) or "" for part in (groups.get("self"), signs.get("pid1_cgroup")))
    for pattern, engine in PATHS:
        if pattern.search(own):
            return ok(engine, "/proc/self/cgroup, /proc/1/cgroup")
    stated = [signs.get(key) for key in ("pid1_container", "systemd_container", "container_variable")]
    said = next((name for name in map(text, stated) if name and name != "wsl"), "")
    if said:
        return ok(ENGINES.get(said, clean(said, 40)), "variable container, /run/systemd/container")
    for path in signs.get("markers") or ():
        if not _in_first_namespaces(signs):
            return ok(MARKERS[path], path)
        reason = f"{path} is left over: all namespaces are the system's own, so this is no container"
        return ok("none", "/proc/self/ns", reason)
    if _in_first_namespaces(signs):
        return ok("none", "/proc/self/ns")
    root_mount = signs.get("root_mount") or {}
    if root_mount.get("kind") in ("overlay", "aufs", "fuse-overlayfs"):
        return assumed("container", "/proc/self/mountinfo", "the root is an overlay, no engine names itself")
    if is_gvisor(signs):
        return ok("gvisor", "/proc/version")
    # WSL has namespaces of its own, and its pid 1 is closed to every user: no sign of an engine
    on_wsl = "microsoft" in (text(signs.get("proc_version")) or "").lower()
    files = [path for path in CONTAINER_FILES if not (on_wsl and path == "/proc/1/environ")]
    unknown = _not_ruled_out(signs, (*MARKERS, *files), "a container")
    return unknown or ok("none", "marker files, environment, cgroup paths")


def vm(signs: dict[str, Any], dmi: dict[str, str], kernel: dict[str, str]) -> FactDict:
    """Fact: none, kvm, vmware, hyperv, xen, virtualbox, firecracker, gvisor, …; "hypervisor" when unnamed."""
    if is_gvisor(signs):
        return ok("gvisor", "/proc/version")
    said = text(signs.get("hypervisor_type"))
    if said:
        return ok(said.lower(), HYPERVISOR_FILE)
    firmware = " ".join(
        dmi.get(key, "") for key in ("sys_vendor", "product_name", "board_name", "bios_vendor")
    )
    flagged = signs.get("hypervisor_flag")
    bare = "metal" in dmi.get("product_name", "").lower()  # Amazon's bare metal: "c7g.metal", no hypervisor
    if HYPERV in firmware.lower() and "virtual machine" in firmware.lower():
        return ok("hyperv", "/sys/class/dmi/id")
    for word, name in FIRMWARE:
        if word in firmware.lower() and not bare and flagged is not False:
            return ok(name, f"/sys/class/dmi/id: {firmware.strip()}")
    if "microsoft" in kernel.get("osrelease", "").lower() and flagged:
        return ok("hyperv", "/proc/sys/kernel/osrelease")
    maker = ACPI_MAKERS.get(str(signs.get("acpi_maker", "")).strip().upper())
    if flagged and maker:
        return ok(maker, "/sys/firmware/acpi/tables/FACP")
    if flagged and re.search(r"[-.]fc\b", kernel.get("osrelease", "")):
        return assumed("firecracker", "/proc/sys/kernel/osrelease", "by the name of the kernel")
    if flagged:
        name = "kvm" if signs.get("virtio") else "hypervisor"
        reason = "virtio devices" if signs.get("virtio") else "the firmware names none"
        return assumed(name, "/proc/cpuinfo flags: hypervisor", reason)
    if flagged is None:
        if signs.get("virtio"):
            return assumed("kvm", "/sys/bus/virtio", "virtio devices, and no CPU flag on this architecture")
        return _not_ruled_out(signs, VM_FILES, "a virtual machine") or none(
            "not_supported", "/proc/cpuinfo", "no hypervisor flag on this architecture and no other sign"
        )
    return ok("none", "/proc/cpuinfo flags, /sys/class/dmi/id")


def wsl(signs: dict[str, Any], kernel: dict[str, str]) -> FactDict:
    """Fact: none, 1 or 2. WSL 1 imitates a kernel, WSL 2 runs a real one of Microsoft's building."""
    release = kernel.get("osrelease", "")
    marks = signs.get("wsl_marks") or []
    if "microsoft" not in release.lower():
        if marks:
            return assumed("2", ", ".join(marks), "WSL's files, with a kernel of the user's own")
        unknown = None if release else _not_ruled_out(signs, WSL_MARKS, "WSL")
        return unknown or ok("none", "/proc/sys/kernel/osrelease")
    # WSL 1: "4.4.0-19041-Microsoft"; WSL 2: "5.15.133.1-microsoft-standard-WSL2"
    second = "WSL2" in release or "standard" in release or "Microsoft" not in release
    return ok("2" if second else "1", "/proc/sys/kernel/osrelease")


def is_gvisor(signs: dict[str, Any]) -> bool:
    """gVisor's kernel says "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016" (pkg/sentry/kernel)."""
    version = text(signs.get("proc_version")) or ""
    return "gvisor" in version.lower() or "Sun Jan 10 15:06:54 PST 2016" in version


def _in_first_namespaces(signs: dict[str, Any]) -> bool:
    """Whether every namespace we know the first number of is the system's own."""
    told = signs.get("namespaces") or {}
    return all(told.get(name) == f"{name}:[{number}]" for name, number in FIRST_NAMESPACES.items())


def _variable(environ: Any, name: str) -> str:
    """One variable of a raw /proc/PID/environ, "" when it is closed or has none."""
    return keyed("\n".join((text(environ) or "").split("\0")), "=").get(name, "")


def _hypervisor_flag(cpuinfo: str) -> bool | None:
    """The x86 flag of a hypervisor; None where there is no such flag (Arm, or no flags at all)."""
    flags = keyed(cpuinfo, ":").get("flags")
    return None if flags is None else "hypervisor" in flags.split()


def _acpi_maker(root: Path) -> str:
    """OEM id of the fixed ACPI table, bytes 10 to 15 of its header (ACPI specification 5.2.6); root only."""
    try:
        with (root / "sys/firmware/acpi/tables/FACP").open("rb") as file:
            return file.read(16)[10:].decode("ascii", "replace").strip("\0 ")
    except OSError:
        return ""


def _has_virtio(root: Path) -> bool:
    try:
        return any((root / "sys/bus/virtio/devices").iterdir())
    except OSError:
        return False
