"""What a trial takes of memory at its highest, and an end before the host has none left."""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path
from typing import Any, Callable

from ...bench import cgroup
from ...bench.devices import Device
from ...bench.noise import BESIDE
from ...bench.session import _available_bytes

LOOK_S = 0.05
KEEP_FREE = 256 << 20  # of the host's memory: below it a system begins to kill
STATUS = Path("/proc/self/status")


def host_left() -> int | None:
    """Bytes that this process may still take: of the host, or of the container if that is less."""
    known = [value for value in (_available_bytes(), cgroup.memory_left()) if value is not None]
    return min(known) if known else None


def resident() -> int | None:
    """What this process has in memory now."""
    for line in cgroup.read(STATUS).splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return None


def resident_peak() -> int | None:
    """The most this process had in memory since `forget_peaks`, or since it began."""
    for line in cgroup.read(STATUS).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return None
    peak = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak if sys.platform == "darwin" else peak * 1024


def forget_peaks(device: Device) -> None:
    """Count from now on: building a network may take more than training it."""
    with contextlib.suppress(OSError):  # not this system, or not allowed: the peak counts from the start
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # man 5 proc: reset VmHWM
    if hasattr(device.module, "reset_peak_memory_stats"):
        device.module.reset_peak_memory_stats(device.index)


def peaks(device: Device) -> dict[str, Any]:
    """Peak bytes: live tensors and the allocator's on the device, and this process on the host."""
    found: dict[str, Any] = {"process": resident_peak(), "allocated": None, "reserved": None}
    try:
        if not device.is_cpu and hasattr(device.module, "max_memory_allocated"):
            found["allocated"] = int(device.module.max_memory_allocated(device.index))
            found["reserved"] = int(device.module.max_memory_reserved(device.index))
    except (AttributeError, RuntimeError, NotImplementedError):
        return found
    return found


def watch_host(told: Callable[[int], object], keep_free: int = KEEP_FREE, budget: int | None = None) -> None:
    """Look at memory all the time; call `told`, which ends the process, where the host has less left than
    `keep_free` or this process has taken more than `budget`.
    """

    def look() -> None:
        BESIDE.add(str(threading.get_native_id()))
        pause = threading.Event()
        while not pause.wait(LOOK_S):
            left = host_left()
            low = left is not None and left < keep_free
            if low or (budget is not None and (resident() or 0) > budget):
                told(left or 0)
                return

    threading.Thread(target=look, daemon=True, name="memory-watch").start()
