"""The computer and its operating system as a whole: names, container, virtual machine, WSL, Slurm.

How a container or VM is told is in `enclosure`.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.paths import there
from advisor.probe import cgroup, darwin, enclosure, windows
from advisor.probe.facts import assumed, none, ok
from advisor.probe.linux import environment, live, look, look_all, missing, size_bytes, slurm, text, whole
from advisor.probe.reading import clean, find_tool, keyed

if TYPE_CHECKING:
    from advisor.probe.facts import FactDict, Say

NAME = "host"
GROUP = "system"
DEADLINE_S = 5.0

DMI = "/sys/class/dmi/id"
DMI_VENDOR = f"{DMI}/sys_vendor"
USERS = "password database, environment"
# Firmware leaves these in place of a name
BLANK_PRODUCTS = frozenset(
    {"", "system product name", "to be filled by o.e.m.", "default string", "not specified", "none", "o.e.m."}
)
_LOGIN_NAME = re.compile(
    r"(^|[-_.])(login|log|head|submit|front|frontend|gateway|access|ln)[-_]?\d*([-_.]|$)"
)
_NODES = re.compile(r"([^,\[\]]+)(?:\[([^\]]*)\])?([^,\[\]]*)")


def present(root: Path) -> str:
    """Every machine is a host; the hint is where it is read from."""
    return "/proc" if there(root / "proc") is not False else sys.platform if live(root) else ""


def read(root: Path, say: Say) -> None:
    """Report names first, then the signs of containers, virtual machines and Slurm."""
    if live(root):
        say(
            "arch",
            os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", ""),
        )
        say("user", _user(environment(root)))
        say("system", {"win32": "windows"}.get(sys.platform, sys.platform))
    if live(root) and sys.platform == "darwin":
        say("darwin", darwin.gather())
        return
    if live(root) and sys.platform == "win32":
        say("windows", windows.gather())
        return
    kernel = root / "proc/sys/kernel"
    say("kernel", look_all(kernel, ["hostname", "osrelease", "ostype", "version", "arch"]))
    released = look(root / "etc/os-release")
    say("os_release", released if isinstance(released, str) else look(root / "usr/lib/os-release"))
    say(
        "dmi",
        look_all(root / "sys/class/dmi/id", ["sys_vendor", "product_name", "board_name", "bios_vendor"]),
    )
    say("device_tree", look(root / "proc/device-tree/model"))
    say("cgroup", cgroup.gather(root))
    say("signs", enclosure.read(root))
    say("slurm", slurm(root))
    say("slurm_here", _slurm_here(root))


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """{"host": ...} in the shape of schema.Host from the raw answers."""
    if "darwin" in raw:
        return {"host": _darwin(raw)}
    if "windows" in raw:
        return {"host": _windows(raw)}
    kernel = raw.get("kernel") or {}
    arch = raw.get("arch") or kernel.get("arch")
    blank = missing(None, "/proc/sys/kernel")
    family = raw.get("system") or kernel.get("ostype", "").lower()
    return {
        "host": {
            "hostname": _kernel(kernel, "hostname"),
            "user": ok(clean(raw["user"]), USERS) if raw.get("user") else none("absent", USERS, "not told"),
            "os_name": _os_name(raw.get("os_release")),
            "os_family": ok(family, "/proc/sys/kernel/ostype") if family else blank,
            "kernel": _kernel(kernel, "osrelease"),
            "arch": ok(arch, "uname") if arch else blank,
            "product": _product(raw),
            **_enclosure(raw, kernel),
            "cgroup": cgroup.mode(raw.get("cgroup") or {}),
            "slurm": allocation(raw.get("slurm") or {}, raw.get("slurm_here"), kernel.get("hostname", "")),
        }
    }


def _enclosure(raw: dict[str, Any], kernel: dict[str, str]) -> dict[str, Any]:
    """Container, virtual machine and WSL; unknown when the probe ended before it came to their signs."""
    signs = raw.get("signs")
    if not isinstance(signs, dict):
        ended = raw.get("_ended") or {"status": "not_asked", "reason": "the probe ended before its time"}
        blank = missing(ended, "signs of containers and virtual machines")
        return {"container": blank, "vm": blank, "wsl": blank}
    return {
        "container": enclosure.container(signs, raw.get("cgroup") or {}),
        "vm": enclosure.vm(signs, raw.get("dmi") or {}, kernel),
        "wsl": enclosure.wsl(signs, kernel),
    }


def allocation(told: dict[str, str], here: dict[str, Any] | None, hostname: str) -> dict[str, Any]:
    """schema.Slurm: the allocation this process runs in, and whether this is a login node."""
    job = told.get("SLURM_JOB_ID") or told.get("SLURM_JOBID") or ""
    gpu_keys = (
        "SLURM_JOB_GPUS",
        "SLURM_STEP_GPUS",
        "SLURM_GPUS_ON_NODE",
        "SLURM_GPUS",
        "SLURM_GPUS_PER_NODE",
    )
    return {
        "in_allocation": bool(job),
        "job_id": clean(job, 40),
        "partition": clean(told.get("SLURM_JOB_PARTITION", ""), 60),
        "nodes": whole(told.get("SLURM_JOB_NUM_NODES") or told.get("SLURM_NNODES")),
        "cpus_per_task": whole(told.get("SLURM_CPUS_PER_TASK")),
        "memory_per_node_bytes": size_bytes(told.get("SLURM_MEM_PER_NODE", ""), "M") or None,
        "gpus": clean(next((told[key] for key in gpu_keys if told.get(key)), ""), 200),
        "login_node": login_node(told, here, hostname),
    }


def login_node(told: dict[str, str], here: dict[str, Any] | None, hostname: str) -> FactDict:
    """Fact: true when Slurm is here and this is no compute node; the evidence is the reason."""
    source = "SLURM_* and slurm.conf"
    short = hostname.partition(".")[0].lower()
    if told.get("SLURM_JOB_ID") or told.get("SLURM_JOBID"):
        nodes = node_names(told.get("SLURM_JOB_NODELIST", ""))
        if told.get("SLURMD_NODENAME") or not nodes or short in nodes:
            return ok(False, source, "inside a Slurm job")
        # `salloc` can leave its shell where it was called
        return ok(
            True, source, f"a job is allocated, but {hostname} is not among its nodes (a shell of salloc)"
        )
    if here is None:
        return missing(None, source)
    signs = [str(sign) for sign in here.get("signs") or ()]
    if not signs and here.get("closed"):
        listed_as = clean(", ".join(map(str, here["closed"])), 200)
        return none("no_permission", listed_as, "this user may not look there, so Slurm is not ruled out")
    if not signs:
        return none("absent", source, "no Slurm here")
    seen = f"Slurm is here ({', '.join(signs)}) and this process is in no job"
    listed = node_names(",".join(here.get("nodes") or ()))
    if listed and short in listed:
        return ok(False, source, f"{seen}, but slurm.conf lists {hostname} as a compute node")
    if here.get("slurmd"):
        return ok(False, source, f"{seen}, but slurmd runs: a compute node")
    if listed:
        return ok(True, source, f"{seen}; slurm.conf does not list {hostname} as a compute node")
    if _LOGIN_NAME.search(short):
        return ok(True, source, f"{seen}; the name {hostname} is a login node's")
    return assumed(True, source, f"{seen}; nothing says that {hostname} is a compute node")


def node_names(written: str) -> frozenset[str]:
    """Names in Slurm's short form: "gpu[01-03,7],login1" -> gpu01, gpu02, gpu03, gpu7, login1."""
    names: set[str] = set()
    for stem, inside, tail in _NODES.findall(written):
        for part in inside.split(",") if inside else [""]:
            low, dash, high = part.partition("-")
            if not dash:
                names.add(f"{stem}{low}{tail}".strip().lower())
            elif low.isdecimal() and high.isdecimal() and int(high) - int(low) < 100_000:
                width = len(low)
                names.update(
                    f"{stem}{n:0{width}d}{tail}".strip().lower() for n in range(int(low), int(high) + 1)
                )
    return frozenset(name for name in names if name)


def _slurm_here(root: Path) -> dict[str, Any]:
    """Signs of Slurm on this host: tools, configuration, its own daemon."""
    signs: list[str] = []
    if live(root):
        signs += [path for name in ("sinfo", "sbatch") if (path := find_tool(name, Path("/opt/slurm/bin")))]
    nodes: list[str] = []
    closed: list[str] = []
    for place in ("etc/slurm", "etc/slurm-llnl", "opt/slurm/etc", "run/slurm/conf", "usr/local/etc/slurm"):
        conf = look(root / place / "slurm.conf", 1 << 20)
        if isinstance(conf, str):
            signs.append(f"/{place}/slurm.conf")
            nodes += _conf_nodes(conf)
        elif conf["status"] == "no_permission":
            # closed itself, it is there; behind a closed folder it may be anything
            (signs if there(root / place) else closed).append(f"/{place}/slurm.conf")
    daemon = any(
        there(root / place) for place in ("run/slurmd.pid", "run/slurm/slurmd.pid", "var/run/slurmd.pid")
    )
    return {"signs": signs, "nodes": nodes, "slurmd": daemon, **({"closed": closed} if closed else {})}


def _conf_nodes(conf: str) -> list[str]:
    """The NodeName entries of a slurm.conf, in Slurm's short form."""
    lines = [line.partition("#")[0].strip() for line in conf.splitlines()]
    found = [re.match(r"NodeName\s*=\s*(\S+)", line, re.IGNORECASE) for line in lines]
    return [match.group(1) for match in found if match and match.group(1).upper() != "DEFAULT"]


def _kernel(kernel: dict[str, str], key: str) -> FactDict:
    source = f"/proc/sys/kernel/{key}"
    return ok(clean(kernel[key]), source) if kernel.get(key) else none("absent", source, "not told")


def _os_name(released: Any) -> FactDict:
    written = keyed(text(released) or "", "=")
    name = (written.get("PRETTY_NAME") or written.get("NAME") or "").strip("\"'")
    return (
        ok(clean(name), "/etc/os-release")
        if name
        else missing(released, "/etc/os-release", "names no system")
    )


def _product(raw: dict[str, Any]) -> FactDict:
    """Name of the machine: DMI product, else board, else the device tree's model."""
    dmi = raw.get("dmi") or {}
    vendor = dmi.get("sys_vendor", "")
    for key in ("product_name", "board_name"):
        name = dmi.get(key, "")
        if name.strip().lower() not in BLANK_PRODUCTS:
            shown = name if not vendor or vendor.lower() in name.lower() else f"{vendor} {name}"
            return ok(clean(shown), f"{DMI}/{key}")
    tree = text(raw.get("device_tree"))
    if tree:
        return ok(clean(tree.strip("\0")), "/proc/device-tree/model")
    signs = raw.get("signs") or {}
    if DMI_VENDOR in (signs.get("closed") or ()):
        return none("no_permission", DMI, "this user may not read what the firmware says")
    return none("absent", DMI, "the firmware gives no product name")


def _user(told: dict[str, str]) -> str:
    """Login name by the password database, else by the environment; "" in containers that have neither."""
    if os.name == "posix":
        import pwd

        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            pass  # a container run under a number that its /etc/passwd does not have
    return next((told[key] for key in ("USER", "LOGNAME", "USERNAME") if told.get(key)), "")


def _said(value: Any, source: str) -> FactDict:
    """The fact of an answer that may be missing."""
    return ok(clean(value), source) if value else none("not_supported", source, "not told")


def _darwin(raw: dict[str, Any]) -> dict[str, Any]:
    told = raw["darwin"]
    version = darwin.named(told, "kern.osproductversion")
    guest = darwin.number(told, "kern.hv_vmm_present")
    return {
        "hostname": darwin.named(told, "kern.hostname"),
        "user": _said(raw.get("user"), USERS),
        "os_name": {**version, "value": f"macOS {version['value']}"} if version["value"] else version,
        "os_family": ok("darwin", "uname"),
        "kernel": darwin.named(told, "kern.osrelease"),
        "arch": _said(raw.get("arch"), "uname"),
        "product": darwin.named(told, "hw.model"),
        "container": ok("none", "macOS"),
        "vm": ok("hypervisor" if guest["value"] else "none", guest["source"])
        if guest["value"] is not None
        else guest,
        "wsl": ok("none", "macOS"),
        "cgroup": ok("none", "macOS"),
    }


def _windows(raw: dict[str, Any]) -> dict[str, Any]:
    told = raw["windows"]
    return {
        "hostname": _said(told.get("hostname"), "platform.node"),
        "user": _said(raw.get("user"), USERS),
        "os_name": _said(told.get("version"), "platform.platform"),
        "os_family": ok("windows", "platform.system"),
        "arch": _said(told.get("arch"), "platform.machine"),
        "wsl": ok("none", "Windows itself"),
        "cgroup": ok("none", "Windows"),
    }
