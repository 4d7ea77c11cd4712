"""Apple GPUs: `system_profiler` for name and cores, `sysctl` for the memory behind them.

Usable memory is what Metal recommends (torch.mps.recommended_max_memory, about two thirds of RAM), not
RAM: taking more can panic the kernel. So total memory stays unknown here, with RAM beside it, until the
framework has spoken.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.probe.facts import none, ok
from advisor.probe.reading import (
    ask_tool,
    clean,
    find_tool,
    keyed,
    may_ask,
    number,
    parsed_json,
    rows,
    section,
    tell_tool,
    whole,
)

if TYPE_CHECKING:
    from advisor.probe.facts import Say

NAME = "apple"
GROUP = "apple"
DEADLINE_S = 5.0
PROFILER_TIMEOUT_S = 3.0

SYSCTL = (
    "hw.memsize",
    "hw.model",
    "machdep.cpu.brand_string",
    "iogpu.wired_limit_mb",
    "kern.osproductversion",
)
VENDORS = {"apple": "apple", "amd": "amd", "intel": "intel", "nvidia": "nvidia"}


def present(root: Path) -> str:
    """ "macOS" here, or the profiler's path where a test has put one on PATH; "" elsewhere."""
    if root != Path("/"):
        return ""
    return "macOS" if sys.platform == "darwin" else find_tool("system_profiler")


def read(root: Path, say: Say) -> None:
    """Report sysctl first (it is quick), then the profiler, which can take seconds."""
    del root  # these tools know no root
    sysctl = find_tool("sysctl", Path("/usr/sbin"))
    if sysctl and may_ask(say, "sysctl", "sysctl"):
        # an unknown key makes it fail, the others are printed all the same
        say("sysctl", ask_tool([sysctl, *SYSCTL], 1.5)["out"])
    tool = find_tool("system_profiler", Path("/usr/sbin"))
    if tool:
        tell_tool(say, "displays", [tool, "SPDisplaysDataType", "-json"], PROFILER_TIMEOUT_S)


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """Raw answers -> devices and driver of a Machine."""
    system = keyed(str(raw.get("sysctl") or ""), ":")
    answer = section(raw, "displays")
    devices = [_device(row, system) for row in parse_displays(answer.get("out", ""))]
    if not devices and system.get("machdep.cpu.brand_string", "").startswith("Apple"):
        devices = [_device({"sppci_model": system["machdep.cpu.brand_string"]}, system)]
    for index, device in enumerate(devices):
        device["index"] = index
    version = clean(system.get("kern.osproductversion", ""), 40)
    drivers = [{"vendor": "apple", "driver_version": ok(f"macOS {version}", "sysctl kern.osproductversion")}]
    skipped = []
    if answer.get("status", "ok") != "ok":
        skipped.append(
            {
                "probe": NAME,
                "status": str(answer["status"]),
                "reason": clean(answer.get("reason", ""), 300),
                "hint": "",
            }
        )
    return {
        "devices": devices,
        "drivers": drivers if version and devices else [],
        "skipped": skipped,
    }


def parse_displays(text: str) -> list[dict[str, Any]]:
    """The GPUs of `system_profiler SPDisplaysDataType -json`; displays are nested in them and left out."""
    data = parsed_json(text)
    return rows(data, "SPDisplaysDataType") if isinstance(data, dict) else []


def _device(row: dict[str, Any], system: dict[str, str]) -> dict[str, Any]:
    name = clean(row.get("sppci_model") or row.get("_name") or "")
    name = re.sub(r"^kHW_|Item$", "", name)
    said = f"{row.get('spdisplays_vendor', '')} {name}".lower()
    vendor = next((value for key, value in VENDORS.items() if key in said), "apple")
    cores = whole(row.get("sppci_cores"))
    unified = vendor == "apple" or "spdisplays_vram_shared" in row or "_spdisplays_vram_shared" in row
    device = {
        "vendor": vendor,
        "kind": "gpu",
        "name": ok(name, "system_profiler") if name else none("not_supported", "system_profiler", "no name"),
        "architecture": ok(name, "system_profiler")
        if name and vendor == "apple"
        else none("not_supported", "system_profiler", "not told"),
        "compute_units": ok(cores, "system_profiler sppci_cores")
        if cores
        else none("not_supported", "system_profiler sppci_cores", "not told"),
        "unified_memory": ok(unified, "system_profiler"),
    }
    return device | _memory(row, system, unified)


def _memory(row: dict[str, Any], system: dict[str, str], unified: bool) -> dict[str, Any]:
    if not unified:
        size = vram_bytes(row.get("spdisplays_vram") or row.get("_spdisplays_vram"))
        source = "system_profiler spdisplays_vram"
        return {"memory_total_bytes": ok(size, source) if size else none("not_supported", source, "not told")}
    limit = whole(system.get("iogpu.wired_limit_mb"))
    if limit:  # set by the owner of this Mac; 0 means: the system decides
        return {"memory_total_bytes": ok(limit * 2**20, "sysctl iogpu.wired_limit_mb")}
    total = none(
        "not_asked",
        "system_profiler",
        "memory is shared with the processor; torch.mps.recommended_max_memory() says how much may be used",
    )
    ram = whole(system.get("hw.memsize"))
    if ram:
        total["others"] = [{"value": ram, "source": "sysctl hw.memsize (all of RAM, an upper bound)"}]
    return {"memory_total_bytes": total}


def vram_bytes(text: object) -> int | None:
    """Bytes from "4 GB" or "1536 MB", as system_profiler prints video memory (binary units)."""
    amount = number(text)
    unit = re.search(r"([MG])B", str(text), re.IGNORECASE)
    if amount is None or not unit or not 0 < amount < 2**30:
        return None
    return int(amount * (2**30 if unit.group(1).upper() == "G" else 2**20))
