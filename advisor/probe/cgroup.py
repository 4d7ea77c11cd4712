"""The limits that control groups put on this process: CPU quota and memory, v1, v2 and hybrid.

`gather` reads, `mode`, `quota` and `memory` are pure. A limit may stand on any ancestor (a pod, a Slurm
job, a systemd slice) while the leaf says "max": the least over all visible levels holds. Inside a
container /proc/self/cgroup may name a path that is not visible under the mount; then the mount's root,
which is the container's own group, is the leaf.

Kernel documentation: admin-guide/cgroup-v2.rst, admin-guide/cgroup-v1/memory.rst, scheduler/sched-bwc.rst.
"""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any

from advisor.paths import there
from advisor.probe.facts import none, ok
from advisor.probe.linux import look, missing, mounts, text, whole

NO_LIMIT_BYTES = 1 << 60  # v1 prints LONG_MAX rounded down to a page for "no limit"; the page size varies
DEFAULT_PERIOD_US = 100_000  # cpu.max with one number, sched-bwc.rst
MAX_LEVELS = 64

_FILES = {
    ("cpu", 1): ("cpu.cfs_quota_us", "cpu.cfs_period_us"),
    ("cpu", 2): ("cpu.max",),
    ("memory", 1): ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat"),
    ("memory", 2): ("memory.max", "memory.high", "memory.current", "memory.stat"),
}
LIMITS = frozenset({"cpu.max", "cpu.cfs_quota_us", "memory.max", "memory.high", "memory.limit_in_bytes"})
_STAT_KEYS = ("inactive_file", "total_inactive_file", "hierarchical_memory_limit")


def gather(root: Path) -> dict[str, Any]:
    """What the kernel says of this process's groups: own paths, cgroup mounts, limit files leaf to top."""
    own = look(root / "proc/self/cgroup")
    mounted = _mounted(root)
    levels: list[dict[str, Any]] = []
    for mount in mounted:
        for controller in ("cpu", "memory"):
            version = 2 if mount["kind"] == "cgroup2" else 1
            if version == 1 and controller not in mount["options"]:
                continue
            path = _own_path(text(own) or "", controller if version == 1 else "")
            levels += _levels(root, mount, path, controller, version)
    return {"self": own, "mounts": mounted, "levels": levels}


def mode(raw: dict[str, Any]) -> dict[str, Any]:
    """Fact: v1, v2, hybrid (a v2 tree beside v1 controllers) or none."""
    if not raw:
        return missing(None, "/proc/self/cgroup")
    kinds = {mount["kind"] for mount in raw.get("mounts", ())}
    lines = (text(raw.get("self")) or "").splitlines()
    source = "/proc/self/mountinfo"
    if not kinds:
        if _denied(raw.get("self")):
            return missing(raw["self"], "/proc/self/cgroup")
        if not lines:
            return ok("none", "/proc/self/cgroup")
        kinds = {"cgroup2" if line.startswith("0::") else "cgroup" for line in lines}
        source = "/proc/self/cgroup (nothing mounted here)"
    return ok("hybrid" if len(kinds) > 1 else "v2" if "cgroup2" in kinds else "v1", source)


def quota(raw: dict[str, Any]) -> dict[str, Any]:
    """Fact: CPU quota in threads (0.5 = half a CPU), the least over all levels; absent = unlimited."""
    found: list[tuple[float, str]] = []
    levels = [level for level in raw.get("levels", ()) if level["controller"] == "cpu"]
    for level in levels:
        threads = _quota_of(level["files"])
        if threads is not None:
            found.append((threads, _name(level, "cpu.max", "cpu.cfs_quota_us")))
    if not found:
        return _no_limit(raw, levels, "CPU quota")
    threads, source = min(found)
    return ok(threads, source, _unread(levels))


def memory(raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Facts: memory limit in bytes (least over all levels) and what is used at that same level.

    Used is the working set, as kubelet and `docker stats` count it: usage less the inactive page cache.
    """
    levels = [level for level in raw.get("levels", ()) if level["controller"] == "memory"]
    found = [(bytes_, source, level) for level in levels for bytes_, source in _memory_limits(level)]
    if found:
        limit, source, level = min(found, key=lambda item: item[0])
        return ok(limit, source, _unread(levels)), _used(level)
    used = _used(levels[0]) if levels else none("absent", "/proc/self/cgroup", "no memory control group")
    return _no_limit(raw, levels, "memory limit"), used


def _mounted(root: Path) -> list[dict[str, Any]]:
    """The cgroup mounts; where mountinfo tells nothing, what the usual folder looks like."""
    table = mounts(text(look(root / "proc/self/mountinfo", 4 << 20)) or "")
    rows = [
        {key: row[key] for key in ("kind", "root", "point", "options")}
        for row in table
        if row["kind"] in ("cgroup", "cgroup2")
    ]
    if rows:
        return rows
    usual = "/sys/fs/cgroup"
    if there(root / "sys/fs/cgroup/cgroup.controllers"):
        return [{"kind": "cgroup2", "root": "/", "point": usual, "options": []}]
    folders = [("memory", ["memory"]), ("cpu", ["cpu"]), ("cpu,cpuacct", ["cpu", "cpuacct"])]
    return [
        {"kind": "cgroup", "root": "/", "point": f"{usual}/{name}", "options": options}
        for name, options in folders
        if there(root / "sys/fs/cgroup" / name)
    ]


def _own_path(own: str, controller: str) -> str:
    """This process's path in the hierarchy of a v1 controller, or of v2 ("" as controller)."""
    for line in own.splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if (controller in names.split(",")) if controller else (line.startswith("0::")):
            return path
    return "/"


def _levels(
    root: Path, mount: dict[str, Any], path: str, controller: str, version: int
) -> list[dict[str, Any]]:
    """The group and its ancestors up to the mount point, each with its limit files."""
    point = posixpath.normpath(mount["point"])
    folder = _leaf(root, point, mount["root"], path)
    found: list[dict[str, Any]] = []
    while len(found) < MAX_LEVELS:
        found.append({"controller": controller, "version": version, "path": folder})
        found[-1] |= _limit_files(root / folder.lstrip("/"), _FILES[controller, version])
        if folder == point or not folder.startswith(f"{point}/"):
            break
        folder = posixpath.dirname(folder)
    return found


def _limit_files(folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """{"files": those that could be read, "closed": those that this user may not read, if any}."""
    said = {name: look(folder / name) for name in names}
    files = {name: answer for name, answer in said.items() if isinstance(answer, str)}
    if "memory.stat" in files:
        files["memory.stat"] = _short_stat(files["memory.stat"])
    closed = [name for name, answer in said.items() if _denied(answer)]
    return {"files": files, **({"closed": closed} if closed else {})}


def _denied(answer: object) -> bool:
    return isinstance(answer, dict) and answer.get("status") == "no_permission"


def _leaf(root: Path, point: str, mount_root: str, path: str) -> str:
    """The group's folder: its path relative to the mount's root, or as it is, or else the mount point."""
    tries = []
    base = mount_root.rstrip("/")
    if path == base or path.startswith(f"{base}/"):
        tries.append(path[len(base) :])
    tries.append(path)
    for relative in tries:
        folder = posixpath.normpath(f"{point}/{relative.strip('/')}")
        # A path that climbs out ("/../pod") belongs to a group outside of this namespace
        inside = folder == point or folder.startswith(f"{point}/")
        if ".." not in relative.split("/") and inside and there(root / folder.lstrip("/")) is not False:
            return folder
    return point


def _short_stat(stat: str) -> str:
    return "\n".join(line for line in stat.splitlines() if line.partition(" ")[0] in _STAT_KEYS)


def _quota_of(files: dict[str, str]) -> float | None:
    """Threads of one level's quota, None for no limit or nonsense."""
    if "cpu.max" in files:
        numbers = files["cpu.max"].split()
        limit = whole(numbers[0]) if numbers else None  # "max" is no number: no limit
        period = whole(numbers[1]) if len(numbers) > 1 else DEFAULT_PERIOD_US
    else:
        limit = whole(files.get("cpu.cfs_quota_us"))
        period = whole(files.get("cpu.cfs_period_us"))
        period = DEFAULT_PERIOD_US if period is None else period
    if limit is None or period is None or limit <= 0 or period <= 0:
        return None
    return limit / period


def _memory_limits(level: dict[str, Any]) -> list[tuple[int, str]]:
    """The limits of one level with their files.

    memory.high counts: above it the kernel slows the group down until nothing gets done. The v1 entry
    hierarchical_memory_limit knows of ancestors that this mount does not show.
    """
    files = level["files"]
    said = {name: whole(files.get(name)) for name in ("memory.max", "memory.high", "memory.limit_in_bytes")}
    said["memory.stat hierarchical_memory_limit"] = _stat(files, "hierarchical_memory_limit")
    return [
        (value, f"{level['path']}/{name}")
        for name, value in said.items()
        if value is not None and 0 < value < NO_LIMIT_BYTES
    ]


def _used(level: dict[str, Any]) -> dict[str, Any]:
    files = level["files"]
    name = "memory.current" if level["version"] == 2 else "memory.usage_in_bytes"
    usage = whole(files.get(name))
    source = f"{level['path']}/{name}"
    if usage is None and name in level.get("closed", ()):
        return none("no_permission", source, "this user may not read it")
    if usage is None:
        return none("absent", source, "this level keeps no count")
    cache = _stat(files, "total_inactive_file")
    cache = _stat(files, "inactive_file") if cache is None else cache
    if cache is None:
        return ok(usage, source)
    return ok(max(0, usage - cache), f"{source} - memory.stat inactive_file")


def _stat(files: dict[str, str], key: str) -> int | None:
    for line in files.get("memory.stat", "").splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return whole(value)
    return None


def _name(level: dict[str, Any], *names: str) -> str:
    """Path of the first of these files that the level has."""
    return f"{level['path']}/{next((name for name in names if name in level['files']), names[0])}"


def _no_limit(raw: dict[str, Any], levels: list[dict[str, Any]], what: str) -> dict[str, Any]:
    """The fact of an unlimited or unknown quantity."""
    if _denied(raw.get("self")):
        return missing(raw["self"], "/proc/self/cgroup", f"the own group, and so its {what}, is not known")
    closed = _closed_limits(levels)
    if closed:
        reason = f"this user may not read it, so whether there is a {what} is not known"
        return none("no_permission", closed[0], reason)
    if levels:
        plural = "level" if len(levels) == 1 else "levels"
        return none("absent", levels[0]["path"], f"no {what} on any of {len(levels)} {plural}")
    if text(raw.get("self")) is None and not raw.get("mounts"):
        return missing(raw.get("self"), "/proc/self/cgroup", f"no control groups, so no {what}")
    return none("absent", "/proc/self/cgroup", f"no control group limits this: no {what}")


def _closed_limits(levels: list[dict[str, Any]]) -> list[str]:
    """The files that may hold a limit and that this user may not read."""
    names = [(level, name) for level in levels for name in level.get("closed", ()) if name in LIMITS]
    return [f"{level['path']}/{name}" for level, name in names]


def _unread(levels: list[dict[str, Any]]) -> str:
    """The reason beside a limit that was found while others could not be looked at."""
    closed = _closed_limits(levels)
    return f"a lower limit may stand in {closed[0]}, which this user may not read" if closed else ""
