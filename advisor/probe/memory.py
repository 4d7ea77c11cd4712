"""Main memory: how much there is, how much this process may have, and what kind it is."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.paths import there
from advisor.probe import cgroup, darwin, dmi, windows
from advisor.probe.facts import assumed, none, ok
from advisor.probe.linux import compared, live, look, look_all, missing, size_bytes, slurm, text, whole
from advisor.probe.reading import children, keyed

if TYPE_CHECKING:
    from advisor.probe.facts import FactDict, Say

NAME = "memory"
GROUP = "system"
DEADLINE_S = 5.0

MEMINFO = "/proc/meminfo"
KEYS = ("MemTotal", "MemAvailable", "MemFree", "Buffers", "Cached", "SReclaimable", "SwapTotal")
TABLE = "/sys/firmware/dmi/tables/DMI"
EDAC = "/sys/devices/system/edac/mc"
_KIND = re.compile(r"(LP)?DDR\d[A-Z]?|HBM\w*", re.IGNORECASE)


def present(root: Path) -> str:
    """Every machine has memory; the hint is where it is read from."""
    return MEMINFO if there(root / "proc") is not False else sys.platform if live(root) else ""


def read(root: Path, say: Say) -> None:
    """Report the kernel's figures, the limits, then what the firmware says of the modules."""
    if there(root / "proc") is False:
        if live(root) and sys.platform == "darwin":
            say("darwin", darwin.gather())
        elif live(root) and sys.platform == "win32":
            say("windows", windows.gather())
        return
    info = look(root / "proc/meminfo")
    said = keyed(info, ":") if isinstance(info, str) else {}
    say("meminfo", {key: said[key] for key in KEYS if key in said} if said else info)
    if live(root):
        say("physical_bytes", os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    say("cgroup", cgroup.gather(root))
    say("slurm", slurm(root))
    say("edac", _read_edac(root))
    say("dimms", dmi.read_memory(root))


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """{"memory": ...} in the shape of schema.Memory from the raw answers."""
    if "darwin" in raw:
        return {"memory": darwin.memory(raw["darwin"])}
    if "windows" in raw:
        return {"memory": windows.memory(raw["windows"])}
    total = _total(raw)
    limit, used = cgroup.memory(raw.get("cgroup") or {})
    hint = slurm_limit(raw.get("slurm") or {})
    kind, speed = _modules(raw)
    return {
        "memory": {
            "total_bytes": total,
            "available_bytes": _available(raw),
            "swap_bytes": _field(raw, "SwapTotal"),
            "cgroup_limit_bytes": limit,
            "cgroup_used_bytes": used,
            "slurm_limit_bytes": hint,
            "usable_bytes": usable(total, limit, hint),
            "speed_mts": speed,
            "kind": kind,
        }
    }


def usable(total: FactDict, limit: FactDict, hint: FactDict) -> FactDict:
    """The least of main memory, control group limit and Slurm's limit, and which of them it is."""
    known = [
        (fact["value"], name)
        for fact, name in ((total, "main memory"), (limit, "cgroup limit"), (hint, "Slurm limit"))
        if fact["value"] is not None
    ]
    if not known:
        return none("failed", MEMINFO, "neither the size of memory nor a limit is known")
    least, name = min(known)
    if limit["status"] == "no_permission":
        return assumed(least, name, f"whether a control group allows less is not known: {limit['reason']}")
    return ok(least, name, "" if total["value"] is not None else "the size of main memory is not known")


def slurm_limit(told: dict[str, str]) -> FactDict:
    """Slurm's memory for this job on this node; its "M" are MiB, and 0 means all of the node (sbatch(1))."""
    per_node = told.get("SLURM_MEM_PER_NODE")
    if per_node is not None:
        size = size_bytes(per_node, "M")
        source = f"SLURM_MEM_PER_NODE={per_node}"
        if size is None:
            return none("failed", source, "is no size")
        return ok(size, source) if size else none("absent", source, "0: all of the node's memory")
    for key, counts in (
        ("SLURM_MEM_PER_CPU", ("SLURM_CPUS_ON_NODE", "SLURM_CPUS_PER_TASK")),
        ("SLURM_MEM_PER_GPU", ("SLURM_GPUS_ON_NODE",)),
    ):
        each = size_bytes(told.get(key, ""), "M")
        count_key = next((name for name in counts if whole(told.get(name))), "")
        if each and count_key:
            return ok(each * int(told[count_key]), f"{key}={told[key]} x {count_key}={told[count_key]}")
    return none("absent", "SLURM_MEM_PER_NODE, SLURM_MEM_PER_CPU", "Slurm states no memory for this process")


def _field(raw: dict[str, Any], key: str) -> FactDict:
    said = raw.get("meminfo")
    size = size_bytes(said.get(key, "")) if isinstance(said, dict) else None
    source = f"{MEMINFO} {key}"
    if size is None:
        return missing(said if isinstance(said, dict) and "status" in said else None, source, "not told")
    return ok(size, source)


def _total(raw: dict[str, Any]) -> FactDict:
    """MemTotal, set against sysinfo(2): lxcfs writes a container's limit into the one and not the other."""
    total = _field(raw, "MemTotal")
    physical = raw.get("physical_bytes")
    if total["value"] is None or not isinstance(physical, int):
        return total
    reason = "the two differ (lxcfs shows a container its own limit in /proc/meminfo)"
    return compared(total["value"], total["source"], [(physical, "sysconf SC_PHYS_PAGES")], reason)


def _available(raw: dict[str, Any]) -> FactDict:
    available = _field(raw, "MemAvailable")
    if available["value"] is not None:
        return available
    parts = [_field(raw, key)["value"] for key in ("MemFree", "Buffers", "Cached")]
    if None in parts:
        return available
    reason = "this kernel has no MemAvailable (before 3.14, or a sandbox): free, buffers and cache together"
    return assumed(sum(parts), f"{MEMINFO} MemFree + Buffers + Cached", reason)


def _read_edac(root: Path) -> list[dict[str, str]]:
    """Memory modules as the error-correction driver sees them: readable by all, servers only."""
    folder = root / EDAC.lstrip("/")
    controllers = [entry for entry in children(folder) if entry.name.startswith("mc")]
    modules = [
        entry
        for controller in controllers
        for entry in children(controller)
        if entry.name.startswith(("dimm", "rank"))
    ]
    return [look_all(module, ["dimm_mem_type", "size"]) for module in sorted(modules)]


def _modules(raw: dict[str, Any]) -> tuple[FactDict, FactDict]:
    """Facts: kind ("DDR5") and speed in MT/s. Mixed modules run at the slowest one's speed."""
    rows = raw.get("dimms")
    if isinstance(rows, list) and rows:
        kinds = sorted({row["kind"] for row in rows if row.get("kind")})
        speeds = [row["mts"] for row in rows if row.get("mts")]
        source = f"{TABLE} type 17"
        kind = ok(" + ".join(kinds), source) if kinds else none("not_supported", source, "no kind is told")
        if not speeds:
            return kind, none("not_supported", source, "no speed is told")
        mixed = f"modules of {', '.join(map(str, sorted(set(speeds))))} MT/s" if len(set(speeds)) > 1 else ""
        return kind, ok(float(min(speeds)), source, mixed)
    blank = missing(rows, TABLE) if not isinstance(rows, list) else none("absent", TABLE, "lists no modules")
    found = {
        match.group().upper()
        for row in raw.get("edac") or ()
        if (match := _KIND.search(text(row.get("dimm_mem_type")) or ""))
    }
    return (ok(" + ".join(sorted(found)), f"{EDAC} dimm_mem_type") if found else blank), blank
