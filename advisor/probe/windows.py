"""What Windows tells of the computer: registry, kernel32, then psutil and py-cpuinfo where installed.

No probe of its own. Written from Microsoft's documentation; not run on Windows here (docs/untested.md).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from advisor.probe.facts import none, ok
from advisor.probe.reading import clean, whole

if TYPE_CHECKING:
    from advisor.probe.facts import FactDict

CPU_KEY = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
SETS = {
    "sse4_2": "sse4_2",
    "avx": "avx",
    "avx2": "avx2",
    "fma": "fma",
    "f16c": "f16c",
    "avx512f": "avx512f",
    "avx512bw": "avx512bw",
    "avx512vl": "avx512vl",
    "avx512_vnni": "avx512_vnni",
}


def gather(*, flags: bool = False) -> dict[str, Any]:
    """Raw answers; `flags` asks py-cpuinfo too, which takes more than a second. Missing ones are left out."""
    import platform

    raw: dict[str, Any] = {
        "threads": os.cpu_count(),
        "arch": platform.machine(),
        "version": platform.platform(),
        "hostname": platform.node(),
    }
    if sys.platform != "win32":
        return raw
    return raw | _registry() | _memory() | _psutil() | (_cpuinfo() if flags else {})


def cpu(raw: dict[str, Any]) -> dict[str, FactDict]:
    """The facts of schema.Cpu that Windows tells."""
    threads = whole(raw.get("threads"))
    cores, mhz = whole(raw.get("cores")), whole(raw.get("mhz"))
    affinity = whole(raw.get("affinity"))
    least = min((count for count in (threads, affinity) if count), default=None)
    listed = raw.get("flags")
    registry = f"registry {CPU_KEY}"
    return {
        "model": _told(clean(raw.get("model") or ""), registry),
        "vendor": _told(clean(raw.get("vendor") or ""), registry),
        "cores": _told(cores, "psutil.cpu_count(logical=False)"),
        "threads": _told(threads, "os.cpu_count"),
        "threads_per_core": _told(threads // cores if threads and cores else None, "psutil"),
        "instruction_sets": ok({name: flag in listed for name, flag in SETS.items()}, "py-cpuinfo flags")
        if isinstance(listed, list) and listed
        else none("lib_missing", "py-cpuinfo flags", raw.get("flags_reason") or "not told"),
        "clock_reported_hz": _told(mhz * 1e6 if mhz else None, f"{registry} ~MHz"),
        "clock_measured_hz": none("not_supported", "dependent-add loop", "not done on Windows"),
        "affinity_threads": _told(affinity, "psutil cpu_affinity"),
        "quota_threads": none("not_supported", "Windows", "job object limits are not read"),
        "budget_threads": _told(least, "least of threads and affinity"),
        "load_average": none("not_supported", "Windows", "Windows keeps no load average"),
    }


def memory(raw: dict[str, Any]) -> dict[str, FactDict]:
    """The facts of schema.Memory that Windows tells."""
    source = "GlobalMemoryStatusEx"
    return {
        "total_bytes": _told(whole(raw.get("memory_total")), source),
        "available_bytes": _told(whole(raw.get("memory_available")), source),
        "usable_bytes": _told(whole(raw.get("memory_total")), source),
        "cgroup_limit_bytes": none("absent", "Windows", "Windows has no control groups"),
    }


def _told(value: Any, source: str) -> FactDict:
    return ok(value, source) if value else none("not_supported", source, "not told")


def _registry() -> dict[str, Any]:
    import importlib

    winreg: Any = importlib.import_module("winreg")
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, CPU_KEY) as key:
            names = {"model": "ProcessorNameString", "vendor": "VendorIdentifier", "mhz": "~MHz"}
            return {ours: winreg.QueryValueEx(key, theirs)[0] for ours, theirs in names.items()}
    except OSError:
        return {}


def _memory() -> dict[str, Any]:
    """MEMORYSTATUSEX of kernel32: two DWORDs, then seven 64-bit numbers."""
    import ctypes
    import struct

    buffer = ctypes.create_string_buffer(64)
    struct.pack_into("<I", buffer, 0, 64)
    kernel: Any = vars(ctypes).get("windll")
    if kernel is None or not kernel.kernel32.GlobalMemoryStatusEx(buffer):
        return {}
    _, _, total, available, *_ = struct.unpack("<IIQQQQQQQ", buffer.raw)
    return {"memory_total": total, "memory_available": available}


def _psutil() -> dict[str, Any]:
    """The child starts without site-packages; they are added for this."""
    import site

    site.main()
    try:
        import psutil
    except ImportError:
        return {}
    return {
        "cores": psutil.cpu_count(logical=False),
        "affinity": len(getattr(psutil.Process(), "cpu_affinity", list)()),
    }


def _cpuinfo() -> dict[str, Any]:
    try:
        import cpuinfo
    except ImportError as error:
        return {"flags_reason": str(error)}
    told = cpuinfo.get_cpu_info() or {}
    return {"flags": list(told.get("flags") or ()), "flags_reason": "py-cpuinfo gave no flags"}
