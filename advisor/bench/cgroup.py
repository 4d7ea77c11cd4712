"""What control groups leave to this process right now: memory under their limits, time under their quota.

Read again before each test, since a container's limits and its other processes change while we measure. A
limit may stand on any ancestor (a pod, a Slurm job), so all visible levels are asked and the tightest holds.
Kernel documentation: admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst, scheduler/sched-bwc.rst.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

NO_LIMIT = 1 << 60  # v1 prints LONG_MAX rounded to a page for "no limit"
MEMORY_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.high", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


class Quota(NamedTuple):
    """A group's CPU quota since it began: periods, those cut short, seconds its cores were withheld."""

    periods: float
    cut: float
    withheld_s: float | None


def read(path: Path) -> str:
    """The text of a small file, or "" when this system has no such file or hides it."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def folders(controller: str, root: str = "/") -> list[Path]:
    """This process's groups of a controller ("cpu", "memory"), own one first, then its visible ancestors."""
    mounts = Path(root, "sys/fs/cgroup")
    found: list[Path] = []
    for line in read(Path(root, "proc/self/cgroup")).splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if not names:
            bases = [mounts / "unified", mounts]  # the first where v1 and v2 stand side by side
        elif controller in names.split(","):
            bases = [mounts / names, mounts / controller]
        else:
            continue
        base = next((base for base in bases if base.is_dir()), None)
        if base is None:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        found += [base.joinpath(*parts[:count]) for count in range(len(parts), -1, -1)]
    return list(dict.fromkeys(found))


def _fields(text: str) -> dict[str, str]:
    return {line.split()[0]: line.split()[1] for line in text.splitlines() if len(line.split()) >= 2}


def quota_of(folder: Path) -> Quota | None:
    """The counters of one group, or None where it has none."""
    values = _fields(read(folder / "cpu.stat"))
    try:
        if "nr_throttled" not in values:
            return None
        withheld = None
        if "throttled_usec" in values:
            withheld = float(values["throttled_usec"]) * 1e-6
        elif "throttled_time" in values:  # v1, nanoseconds
            withheld = float(values["throttled_time"]) * 1e-9
        return Quota(float(values.get("nr_periods", 0)), float(values["nr_throttled"]), withheld)
    except ValueError:
        return None


def quotas(root: str = "/") -> dict[Path, Quota]:
    """The counters of every level that has some."""
    found = {folder: quota_of(folder) for folder in folders("cpu", root)}
    return {folder: quota for folder, quota in found.items() if quota is not None}


def cut_between(
    before: dict[Path, Quota], after: dict[Path, Quota], core_s: float
) -> tuple[float | None, float | None]:
    """(share of periods cut short, share of the time that cores were withheld) of the tightest level.

    `core_s`: wall seconds times the cores we wanted; the kernel counts what it withholds core by core. None
    where no level counts.
    """
    periods: list[float] = []
    withheld: list[float] = []
    for folder, now in after.items():
        old = before.get(folder)
        if old is None:
            continue
        spent = now.periods - old.periods
        periods.append((now.cut - old.cut) / spent if spent > 0 else 0.0)
        if now.withheld_s is not None and old.withheld_s is not None and core_s > 0:
            withheld.append(min(max(now.withheld_s - old.withheld_s, 0.0) / core_s, 1.0))
    return max(periods, default=None), max(withheld, default=None)


def memory_left(root: str = "/") -> int | None:
    """Bytes that the tightest limit still allows, or None without one. Cache that can go counts as free."""
    left: list[int] = []
    for folder in folders("memory", root):
        for limit_file, used_file, cache in MEMORY_FILES:
            limit, used = _whole(read(folder / limit_file)), _whole(read(folder / used_file))
            if limit is None or used is None or limit >= NO_LIMIT:
                continue
            idle = _whole(_fields(read(folder / "memory.stat")).get(cache, "")) or 0
            left.append(max(limit - max(used - idle, 0), 0))
    return min(left, default=None)


def _whole(text: str) -> int | None:
    body = text.strip()
    return int(body) if body.isdigit() else None  # "max" is no limit
