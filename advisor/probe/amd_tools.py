"""What `amd-smi static --json` and `rocm-smi --json` say, brought to one shape per PCI address.

Both print JSON whose shape moved between releases: a list or {"gpu_data": […]}, sizes as text
("196592 MB") or as {"value": 196592, "unit": "MB"}, "N/A" for what is not known.
"""

from __future__ import annotations

import re
from typing import Any

from advisor.probe.facts import none, ok
from advisor.probe.reading import absent, clean, number, output, parsed_json, pci_address, section, whole

# amd-smi's MB and GB are binary: 196592 "MB" is what the kernel gives as 206141652992 bytes
UNIT_BYTES = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def by_address(raw: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """{"0000:05:00.0": {"name", "architecture", "compute_units", "memory_bytes", "uuid", "source"}}."""
    for key, read in (("amd-smi", _amd_smi), ("rocm-smi", _rocm_smi)):
        found = read(parsed_json(output(raw, key)))
        if found:
            return found
    return {}


def fact(said: dict[str, Any], key: str, source: str, reason: str) -> dict[str, Any]:
    """A fact out of a tool's row, or the reason why the source asked before it has none."""
    if said.get(key):
        return ok(said[key], said["source"])
    return none("not_supported", source, reason)


def device_without_sysfs(address: str, said: dict[str, Any]) -> dict[str, Any]:
    """A device that only the tool knows, as in a container without /sys/class/drm."""
    source, why = said["source"], "only the vendor's tool sees this device"
    return {
        "vendor": "amd",
        "kind": "gpu",
        "name": fact(said, "name", source, why),
        "pci_address": ok(address, source),
        "uuid": fact(said, "uuid", source, why),
        "architecture": fact(said, "architecture", source, why),
        "compute_units": fact(said, "compute_units", source, why),
        "memory_total_bytes": fact(said, "memory_bytes", source, why),
    }


def size_bytes(value: object) -> int | None:
    """Bytes from "196592 MB", {"value": 196592, "unit": "MB"} or a plain number of MB."""
    unit = "mb"
    if isinstance(value, dict):
        unit, value = str(value.get("unit", "MB")).strip().lower(), value.get("value")
    elif isinstance(value, str):
        found = re.search(r"[A-Za-z]+", value)
        unit = found.group().lower() if found else unit
    amount = number(value)
    if amount is None or not 0 < amount < 2**53 or unit not in UNIT_BYTES:
        return None
    return int(amount * UNIT_BYTES[unit])


def _text(value: object) -> str:
    return "" if absent(value) or isinstance(value, (dict, list)) else clean(value)


def _gpu_id(value: object) -> str:
    digits = str(value).strip().lower().removeprefix("0x")
    return f"GPU-{int(digits, 16):016x}" if re.fullmatch(r"[0-9a-f]{8,16}", digits) else ""


def _amd_smi(data: Any) -> dict[str, dict[str, Any]]:
    rows = data.get("gpu_data", [data]) if isinstance(data, dict) else data
    found: dict[str, dict[str, Any]] = {}
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict):
            continue
        asic, vram = section(row, "asic"), section(row, "vram")
        address = pci_address(section(row, "bus").get("bdf"))
        if not address:
            continue
        found[address] = {
            "source": "amd-smi static --json",
            "name": _text(asic.get("market_name")),
            "architecture": _text(asic.get("target_graphics_version")).lower(),
            "compute_units": whole(asic.get("num_compute_units")),
            "memory_bytes": size_bytes(vram.get("size")),
            "uuid": _gpu_id(asic.get("asic_serial")),
        }
    return found


def _rocm_smi(data: Any) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for key, row in data.items() if isinstance(data, dict) else ():
        if not (key.startswith("card") and isinstance(row, dict)):
            continue
        lower = {str(name).strip().lower(): value for name, value in row.items()}
        address = pci_address(lower.get("pci bus"))
        if not address:
            continue
        name = _text(lower.get("card series"))
        found[address] = {
            "source": "rocm-smi --json",
            "name": "" if name.lower().startswith("0x") else name,
            "architecture": _text(lower.get("gfx version")).lower(),
            "compute_units": None,
            "memory_bytes": whole(lower.get("vram total memory (b)")),
            "uuid": _gpu_id(lower.get("unique id", "")),
        }
    return found
