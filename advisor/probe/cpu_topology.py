"""Sockets, cores, threads, NUMA nodes, fast and slow cores, caches: how the processors hang together.

A core is a set of sibling threads, not a core_id: the ids repeat per die on some parts and per cluster on
Arm. Offline processors have no topology and do not count.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.probe.facts import none, ok
from advisor.probe.linux import compared, cpus_in, look, missing, size_bytes, text, whole

if TYPE_CHECKING:
    from advisor.probe.facts import FactDict

CPUS = "/sys/devices/system/cpu"
MAX_CACHE_INDEX = 8


def read(root: Path, online: frozenset[int]) -> list[list[Any]]:
    """Rows [cpu, package id, sibling threads, capacity] of the online processors, None where not told."""
    rows = []
    for cpu in sorted(online):
        folder = root / f"sys/devices/system/cpu/cpu{cpu}"
        siblings = text(look(folder / "topology/core_cpus_list"))
        if siblings is None:
            siblings = text(look(folder / "topology/thread_siblings_list"))  # name before Linux 5.3
        package = whole(look(folder / "topology/physical_package_id"))
        rows.append([cpu, package, siblings, whole(look(folder / "cpu_capacity"))])
    return rows


def read_caches(root: Path, online: frozenset[int]) -> list[dict[str, str | None]]:
    """One row per cache instance; processors that share one already seen are not asked again."""
    seen: dict[int, set[int]] = {}
    rows = []
    for cpu in sorted(online):
        for index in range(MAX_CACHE_INDEX):
            if cpu in seen.get(index, ()):
                continue
            folder = root / f"sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
            level = text(look(folder / "level"))
            if level is None:
                break
            shared = text(look(folder / "shared_cpu_list"))
            seen.setdefault(index, set()).update(cpus_in(shared) or {cpu})
            row = {name: text(look(folder / name)) for name in ("type", "size")}
            rows.append({"level": level, "shared": shared, **row})
    return rows


def facts(raw: dict[str, Any], blocks: list[dict[str, str]]) -> dict[str, FactDict]:
    """sockets, cores, threads, threads_per_core, performance_cores, efficiency_cores, numa_nodes, caches."""
    rows = [row for row in raw.get("topology") or () if isinstance(row, list) and len(row) == 4]
    cores = _cores(rows)
    threads = _threads(raw, blocks)
    return {
        "sockets": _sockets(rows, blocks),
        "cores": _core_count(cores, blocks),
        "threads": threads,
        "threads_per_core": _smt(cores),
        **_kinds(raw, rows, cores),
        "numa_nodes": _numa(raw.get("numa")),
        "caches": _caches(raw.get("caches"), cpus_in(raw.get("online"))),
    }


def _cores(rows: list[list[Any]]) -> list[frozenset[int]]:
    """The online sibling sets; empty when even one processor does not tell its own."""
    online = {row[0] for row in rows}
    sets = [cpus_in(row[2]) for row in rows]
    if not sets or any(one is None for one in sets):
        return []
    return sorted({one & online for one in sets if one is not None and one & online}, key=min)


def _threads(raw: dict[str, Any], blocks: list[dict[str, str]]) -> FactDict:
    online = cpus_in(raw.get("online"))
    source = f"{CPUS}/online"
    if online:
        # lxcfs shows a container its share in one of the two places and the host in the other
        listed = [(len(blocks), "/proc/cpuinfo")] if blocks else []
        return compared(len(online), source, list(listed), "the two disagree (lxcfs, or CPUs going offline?)")
    if blocks:
        return ok(len(blocks), "/proc/cpuinfo")
    return missing(raw.get("online"), source, "neither sysfs nor /proc/cpuinfo lists processors")


def _sockets(rows: list[list[Any]], blocks: list[dict[str, str]]) -> FactDict:
    source = f"{CPUS}/cpu*/topology/physical_package_id"
    packages = {row[1] for row in rows}
    listed = {block["physical id"] for block in blocks if "physical id" in block}
    others = [(len(listed), "/proc/cpuinfo physical id")] if listed else []
    if packages and None not in packages and min(packages) >= 0:
        return compared(len(packages), source, list(others), "the two disagree")
    if listed:
        return ok(len(listed), "/proc/cpuinfo physical id")
    why = "the firmware does not say (-1)" if -1 in packages else "no topology in sysfs nor /proc/cpuinfo"
    return none("absent", source, why)


def _core_count(cores: list[frozenset[int]], blocks: list[dict[str, str]]) -> FactDict:
    source = f"{CPUS}/cpu*/topology/core_cpus_list"
    pairs = {
        (block["physical id"], block["core id"])
        for block in blocks
        if "core id" in block and "physical id" in block
    }
    others = [(len(pairs), "/proc/cpuinfo core id")] if pairs else []
    if cores:
        return compared(len(cores), source, list(others), "the two disagree")
    if pairs:
        return ok(len(pairs), "/proc/cpuinfo core id")
    return none("absent", source, "no topology in sysfs nor /proc/cpuinfo: threads may share cores")


def _smt(cores: list[frozenset[int]]) -> FactDict:
    source = f"{CPUS}/cpu*/topology/core_cpus_list"
    if not cores:
        return none("absent", source, "the topology is not told")
    sizes = {len(core) for core in cores}
    uneven = "" if len(sizes) == 1 else "not all cores: " + ", ".join(map(str, sorted(sizes)))
    return ok(max(sizes), source, uneven)


def _kinds(raw: dict[str, Any], rows: list[list[Any]], cores: list[frozenset[int]]) -> dict[str, FactDict]:
    """Performance and efficiency cores; None with a reason on parts whose cores are all alike."""
    told = raw.get("hybrid") or {}
    fast, slow = cpus_in(told.get("cpu_core")), cpus_in(told.get("cpu_atom"))
    if fast or slow:
        counts = [_count(cores, cpus or frozenset()) for cpus in (fast, slow)]
        return _pair(counts[0], counts[1], "/sys/devices/cpu_core, /sys/devices/cpu_atom")
    capacities = {row[0]: row[3] for row in rows if isinstance(row[3], int)}
    if len(set(capacities.values())) > 1:
        least = min(capacities.values())
        small = frozenset(cpu for cpu, capacity in capacities.items() if capacity == least)
        big = frozenset(capacities) - small
        return _pair(_count(cores, big), _count(cores, small), f"{CPUS}/cpu*/cpu_capacity")
    alike = none("absent", f"{CPUS}/cpu*/cpu_capacity, /sys/devices/cpu_core", "all cores are alike")
    return {"performance_cores": alike, "efficiency_cores": alike}


def _count(cores: list[frozenset[int]], cpus: frozenset[int]) -> int:
    return sum(1 for core in cores if core & cpus) if cores else len(cpus)


def _pair(performance: int, efficiency: int, source: str) -> dict[str, FactDict]:
    return {"performance_cores": ok(performance, source), "efficiency_cores": ok(efficiency, source)}


def _numa(said: Any) -> FactDict:
    """NUMA nodes that have processors: a GH200 also lists its GPU's memory as nodes."""
    source = "/sys/devices/system/node/has_cpu"
    told = said if isinstance(said, dict) else {}
    with_cpu, all_nodes = cpus_in(told.get("has_cpu")), cpus_in(told.get("online"))
    if with_cpu:
        bare = len(all_nodes - with_cpu) if all_nodes else 0
        return ok(len(with_cpu), source, f"and {bare} of memory alone" if bare else "")
    if all_nodes:
        return ok(len(all_nodes), "/sys/devices/system/node/online")
    return none("absent", source, "the kernel lists no NUMA nodes")


def _caches(said: Any, online: frozenset[int] | None) -> FactDict:
    source = f"{CPUS}/cpu*/cache"
    groups: dict[tuple[int, str, int, int | None], set[str]] = {}
    unsized = 0
    for row in said if isinstance(said, list) else ():
        level, size = whole(row.get("level")), size_bytes(row.get("size") or "")
        if level is None or not size:
            unsized += 1
            continue
        shared = cpus_in(row.get("shared"))
        shared = shared & online if shared and online else shared
        key = (level, (row.get("type") or "").lower(), size, len(shared) if shared else None)
        groups.setdefault(key, set()).add(row.get("shared") or "")
    if not groups:
        why = (
            "the caches tell no size" if unsized else "the kernel lists no caches (hidden by a VM or sandbox)"
        )
        return none("absent", source, why)
    values = [
        {"level": level, "kind": kind, "size_bytes": size, "shared_by_threads": shared, "count": len(lists)}
        for (level, kind, size, shared), lists in sorted(groups.items(), key=lambda item: str(item[0]))
    ]
    gaps = [f"{unsized} caches tell no size"] if unsized else []
    if max(level for level, *_ in groups) < 3:
        gaps.append("no level 3 is told: there is none, or the hypervisor hides it")
    return ok(values, source, "; ".join(gaps))
