"""What macOS tells of the computer: `sysctl` and `vm_stat`, both with a deadline. No probe of its own.

Written from Apple's sysctl(3) names; not run on a Mac here (docs/untested.md).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.probe.facts import none, ok
from advisor.probe.reading import ask_tool, clean, find_tool, keyed, whole

if TYPE_CHECKING:
    from advisor.probe.facts import FactDict

KEYS = (
    "kern.osproductversion kern.osrelease kern.hostname kern.hv_vmm_present hw.model hw.machine hw.memsize "
    "hw.pagesize hw.packages hw.physicalcpu hw.logicalcpu hw.perflevel0.physicalcpu "
    "hw.perflevel1.physicalcpu hw.perflevel0.l2cachesize "
    "hw.l1dcachesize hw.l1icachesize hw.l2cachesize hw.l3cachesize "
    "hw.cpufrequency hw.cpufrequency_max machdep.cpu.brand_string machdep.cpu.vendor vm.swapusage vm.loadavg"
)
# Our name of an instruction set -> sysctl key below hw.optional
SETS = {
    "neon": "AdvSIMD",
    "fp16": "arm.FEAT_FP16",
    "dotprod": "arm.FEAT_DotProd",
    "bf16": "arm.FEAT_BF16",
    "i8mm": "arm.FEAT_I8MM",
    "sme": "arm.FEAT_SME",
    "sme2": "arm.FEAT_SME2",
    "avx": "avx1_0",
    "avx2": "avx2_0",
    "fma": "fma",
    "f16c": "f16c",
    "avx512f": "avx512f",
    "avx512bw": "avx512bw",
    "avx512vl": "avx512vl",
}
_SWAP = re.compile(r"total = (\d+(?:\.\d+)?)M")


def gather() -> dict[str, Any]:
    """Raw answers: {"sysctl": {key: text}, "vm_stat": {key: text}, "reason": why they are missing}."""
    names = [*KEYS.split(), *(f"hw.optional.{key}" for key in SETS.values())]
    # An unknown key makes sysctl end with an error, but the others are printed all the same
    asked = ask_tool([find_tool("sysctl", Path("/usr/sbin")) or "sysctl", *names], 2.0)
    pages = ask_tool([find_tool("vm_stat", Path("/usr/bin")) or "vm_stat"], 1.0)
    return {
        "sysctl": keyed(asked["out"], ":"),
        "vm_stat": keyed(pages["out"], ":"),
        "reason": "" if asked["out"] else asked["reason"],
    }


def number(raw: dict[str, Any], key: str) -> FactDict:
    """Fact: a whole number of sysctl."""
    value = whole((raw.get("sysctl") or {}).get(key))
    if value is None:
        return none("not_supported", f"sysctl {key}", raw.get("reason") or "this system has no such key")
    return ok(value, f"sysctl {key}")


def named(raw: dict[str, Any], key: str) -> FactDict:
    """Fact: a text of sysctl."""
    value = clean((raw.get("sysctl") or {}).get(key) or "")
    if not value:
        return none("not_supported", f"sysctl {key}", raw.get("reason") or "this system has no such key")
    return ok(value, f"sysctl {key}")


def cpu(raw: dict[str, Any]) -> dict[str, FactDict]:
    """The facts of schema.Cpu that macOS tells."""
    told = raw.get("sysctl") or {}
    vendor = named(raw, "machdep.cpu.vendor")
    if vendor["value"] is None and told.get("machdep.cpu.brand_string", "").startswith("Apple"):
        vendor = ok("Apple", "sysctl machdep.cpu.brand_string")
    cores, threads = number(raw, "hw.physicalcpu"), number(raw, "hw.logicalcpu")
    both = cores["value"] and threads["value"]
    sets = {
        name: told.get(f"hw.optional.{key}") == "1"
        for name, key in SETS.items()
        if f"hw.optional.{key}" in told
    }
    no_limit = none("absent", "macOS", "macOS has no CPU quotas")
    return {
        "model": named(raw, "machdep.cpu.brand_string"),
        "vendor": vendor,
        "sockets": number(raw, "hw.packages"),
        "cores": cores,
        "threads": threads,
        "threads_per_core": ok(threads["value"] // cores["value"], "sysctl hw.logicalcpu / hw.physicalcpu")
        if both
        else none("not_supported", "sysctl hw.physicalcpu", "not told"),
        "performance_cores": number(raw, "hw.perflevel0.physicalcpu"),
        "efficiency_cores": number(raw, "hw.perflevel1.physicalcpu"),
        "numa_nodes": none("not_supported", "macOS", "macOS tells no NUMA nodes"),
        "caches": _caches(raw),
        "instruction_sets": ok(sets, "sysctl hw.optional")
        if sets
        else none("not_supported", "sysctl hw.optional", "not told"),
        "clock_reported_hz": number(raw, "hw.cpufrequency"),  # Intel only
        "clock_max_hz": number(raw, "hw.cpufrequency_max"),
        "clock_measured_hz": none("not_supported", "dependent-add loop", "not done on macOS"),
        "affinity_threads": none("not_supported", "macOS", "macOS has no affinity to processors"),
        "quota_threads": no_limit,
        "budget_threads": {**threads, "reason": "all threads: macOS limits none"} if both else threads,
        "load_average": _load(told),
    }


def memory(raw: dict[str, Any]) -> dict[str, FactDict]:
    """The facts of schema.Memory that macOS tells."""
    total = number(raw, "hw.memsize")
    swap = _SWAP.search((raw.get("sysctl") or {}).get("vm.swapusage", ""))
    nothing = none("absent", "macOS", "macOS has no control groups")
    return {
        "total_bytes": total,
        "available_bytes": _available(raw),
        "swap_bytes": ok(int(float(swap.group(1)) * 1024**2), "sysctl vm.swapusage")
        if swap
        else none("not_supported", "sysctl vm.swapusage", "not told"),
        "cgroup_limit_bytes": nothing,
        "cgroup_used_bytes": nothing,
        "usable_bytes": total,
    }


def _available(raw: dict[str, Any]) -> FactDict:
    """Free and inactive pages, as psutil counts them."""
    size = whole((raw.get("sysctl") or {}).get("hw.pagesize"))
    pages = raw.get("vm_stat") or {}
    counts = [whole(pages.get(key, "").rstrip(".")) for key in ("Pages free", "Pages inactive")]
    if size is None or None in counts:
        return none("not_supported", "vm_stat", "not told")
    return ok(size * sum(count for count in counts if count), "vm_stat free + inactive")


def _caches(raw: dict[str, Any]) -> FactDict:
    told = raw.get("sysctl") or {}
    keys = {
        (1, "data"): ("hw.l1dcachesize",),
        (1, "instruction"): ("hw.l1icachesize",),
        (2, "unified"): ("hw.perflevel0.l2cachesize", "hw.l2cachesize"),
        (3, "unified"): ("hw.l3cachesize",),
    }
    rows = []
    for (level, kind), names in keys.items():
        size = next((size for name in names if (size := whole(told.get(name)))), None)
        if size:
            rows.append({"level": level, "kind": kind, "size_bytes": size})
    return (
        ok(rows, "sysctl hw.*cachesize")
        if rows
        else none("not_supported", "sysctl hw.l2cachesize", "not told")
    )


def _load(told: dict[str, str]) -> FactDict:
    first = told.get("vm.loadavg", "").strip("{ }").split()
    try:
        return ok(float(first[0].replace(",", ".")), "sysctl vm.loadavg, 1 min")
    except (IndexError, ValueError):
        return none("not_supported", "sysctl vm.loadavg", "not told")
