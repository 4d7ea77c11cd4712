"""Intel Gaudi: what `hl-smi -Q … -f csv` prints, joined with the PCI functions seen in sysfs."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from advisor.probe.facts import none, ok
from advisor.probe.reading import absent, clean, number, pci_address

VENDOR_ID = "1da3"  # Habana Labs: Gaudi
NAMES = {"1000": "Gaudi", "1010": "Gaudi", "1020": "Gaudi2", "1060": "Gaudi3"}  # pci.ids, 1da3
QUERY = (
    "index,name,bus_id,driver_version,uuid,serial,memory.total,memory.free,memory.used,"
    "power.draw,temperature.aip,utilization.aip"
)
MIB = 2**20


def parse_hl_smi(text: str) -> list[dict[str, str]]:
    """Rows of `hl-smi -Q … -f csv` by their header; units such as "[MiB]" are dropped from the names."""
    lines = [line for line in str(text).replace("\x00", " ").splitlines() if line.strip()]
    start = next((i for i, line in enumerate(lines) if line.lower().lstrip().startswith("index")), None)
    if start is None:
        return []
    try:
        rows = list(csv.reader(io.StringIO("\n".join(lines[start:])), skipinitialspace=True))
    except csv.Error:
        return []
    names = [re.sub(r"\s*\[.*?\]", "", name).strip().lower() for name in rows[0]]
    return [dict(zip(names, row, strict=True)) for row in rows[1:1025] if len(row) == len(names)]


def devices(printed: str, pci: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    functions = {
        pci_address(f.get("address")): f for f in pci if f.get("vendor") == VENDOR_ID and f.get("address")
    }
    found, versions = [], []
    for row in parse_hl_smi(printed):
        address = pci_address(row.get("bus_id"))
        found.append(_gaudi_device(row, address, functions.pop(address, None)))
        versions.append(clean(row.get("driver_version", ""), 60))
    for address, function in functions.items():
        named = NAMES.get(str(function.get("device")), "")
        why = "hl-smi gave no row for this device"
        found.append(
            {
                "vendor": "intel",
                "kind": "hpu",
                "name": ok(f"Intel {named}", "PCI id") if named else none("lib_missing", "hl-smi", why),
                "pci_address": ok(address, "sysfs"),
                "pci_id": ok(f"{VENDOR_ID}:{function.get('device')}", "sysfs vendor, device"),
                "memory_total_bytes": none("lib_missing", "hl-smi", why),
            }
        )
    return found, [version for version in versions if version]


def _gaudi_device(row: dict[str, str], address: str, function: dict[str, Any] | None) -> dict[str, Any]:
    def figure(key: str, scale: float) -> dict[str, Any]:
        value = number(row.get(key))
        told = value is not None and value >= 0
        return (
            ok(value * scale, f"hl-smi {key}")
            if told and value
            else none("not_supported", f"hl-smi {key}", "")
        )

    def size(key: str) -> dict[str, Any]:
        value = number(row.get(key))
        known = value is not None and 0 <= value < 2**40
        return (
            ok(int(value * MIB), f"hl-smi {key}")
            if known and value is not None
            else none("not_supported", f"hl-smi {key}", "not told")
        )

    def text(key: str) -> dict[str, Any]:
        value = "" if absent(row.get(key)) else clean(row[key])
        return ok(value, f"hl-smi {key}") if value else none("not_supported", f"hl-smi {key}", "not told")

    total = size("memory.total")
    out = {
        "vendor": "intel",
        "kind": "hpu",
        "name": text("name"),
        "uuid": text("uuid"),
        "serial": text("serial"),
        "pci_address": ok(address, "hl-smi bus_id")
        if address
        else none("not_supported", "hl-smi bus_id", ""),
        "pci_id": ok(f"{VENDOR_ID}:{function.get('device')}", "sysfs vendor, device")
        if function
        else none("not_supported", "sysfs", "not among the PCI functions seen here"),
        "unified_memory": ok(False, "Gaudi has its own memory"),
        "memory_total_bytes": total
        if total["value"]
        else none("not_supported", "hl-smi memory.total", "not told"),
        "memory_free_bytes": size("memory.free"),
        "memory_used_bytes": size("memory.used"),
        "power_w": figure("power.draw", 1),
        "temperature_c": figure("temperature.aip", 1),
    }
    busy = number(row.get("utilization.aip"))
    if busy is not None and 0 <= busy <= 100:
        out["utilization"] = ok(busy / 100, "hl-smi utilization.aip")
    return out
