"""Accelerators on the PCI bus that no probe here knows: listed by their ids, and nothing made up.

A device counts when its PCI class is "processing accelerator" (1200), or when it is a display or 3D
controller of a vendor known to build accelerators. Reads sysfs only, so it shares the system's child.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.probe.facts import none, ok
from advisor.probe.reading import clean, not_found, pci_address, pci_functions, rows

if TYPE_CHECKING:
    from advisor.probe.facts import Say

NAME = "other"
GROUP = "system"
DEADLINE_S = 5.0

# Vendors with a probe of their own: NVIDIA, AMD, Intel, Habana, Huawei, Google
PROBED = frozenset({"10de", "1002", "8086", "1da3", "19e5", "1ae0"})
# pci.ids names of vendors that build accelerators and may show them as display controllers
NAMED = {
    "cabc": "Cambricon",
    "1ed5": "Moore Threads",
    "1ee0": "Biren",
    "9999": "MetaX",
    "1e3e": "Iluvatar CoreX",
    "1d94": "Hygon",
}
HINT = "Its memory and speed are unknown here; a framework that reports the device is used as it is."


def present(root: Path) -> str:
    """The first such device's address, or ""."""
    return next((f"PCI {f['address']}" for f in pci_functions(root) if _counts(f)), "") or not_found(root)


def read(root: Path, say: Say) -> None:
    """Report the PCI functions in question."""
    say("pci", [function for function in pci_functions(root) if _counts(function)])


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """Raw answers -> devices and skipped of a Machine."""
    pci = rows(raw, "pci")
    devices = [_device(index, function) for index, function in enumerate(pci)]
    skipped = [
        {
            "probe": NAME,
            "status": "not_supported",
            "reason": f"{_called(f)} at {pci_address(f.get('address'))}: there is no probe for this vendor",
            "hint": HINT,
        }
        for f in pci
    ]
    return {"devices": devices, "skipped": skipped}


def _counts(function: dict[str, str]) -> bool:
    if function["vendor"] in PROBED:
        return False
    return function["class"].startswith("1200") or (
        function["vendor"] in NAMED and function["class"].startswith("03")
    )


def _called(function: dict[str, Any]) -> str:
    ids = clean(f"{function.get('vendor')}:{function.get('device')}", 20)
    vendor = NAMED.get(str(function.get("vendor")))
    return f"{vendor} device {ids}" if vendor else f"accelerator {ids}"


def _device(index: int, function: dict[str, Any]) -> dict[str, Any]:
    address = pci_address(function.get("address"))
    vendor = NAMED.get(str(function.get("vendor")), "unknown").lower()
    why = none("not_supported", "sysfs", "no probe for this vendor")
    return {
        "vendor": vendor,
        "kind": "gpu" if str(function.get("class", "")).startswith("03") else "npu",
        "index": index,
        "name": why,
        "memory_total_bytes": why,
        "pci_address": ok(address, "sysfs") if address else none("not_supported", "sysfs", ""),
        "pci_id": ok(clean(f"{function.get('vendor')}:{function.get('device')}", 20), "sysfs vendor, device"),
    }
