"""Which catalogue entry a probed device is: by exact name and memory, PCI id, or chip; never by likeness."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import Catalogue
from advisor.errors import nearest

if TYPE_CHECKING:
    from advisor.schema import Device

_MEMORY_TOLERANCE = 0.12
"""Two sizes of one product differ by half or more; driver, error correction and GB against GiB by less."""


def match_device(catalogue: Catalogue, device: Device) -> tuple[Accelerator | None, str]:
    """The catalogue's entry of this device, or None, and one sentence that says why.

    A device that is not in the catalogue gets no entry: another product's figures are never lent to it.
    """
    entries = [entry for entry in catalogue.accelerators.values() if _same_vendor(entry, device)]
    name = (device.name.value or device.architecture.value or "").strip()
    if device.virtual.value == "vgpu":
        return (
            None,
            f"{name or 'the device'} is a virtual share of a device, not the whole one",
        )
    if device.mig_enabled.value:
        return (
            None,
            f"{name or 'the device'} is split into MIG instances, none of them the whole device",
        )
    names = {text.strip().casefold() for text in (device.name.value, device.architecture.value) if text}
    named = [entry for entry in entries if any(alias.casefold() in names for alias in entry.aliases)]
    if named:
        return _one(named, device, f"its name {name!r}")
    pci = (device.pci_id.value or "").lower()
    listed = [entry for entry in entries if pci and pci in entry.pci_ids]
    if listed:
        return _one(listed, device, f"its PCI id {pci}")
    chip = [entry for entry in entries if _same_chip(entry, device)]
    if len(chip) == 1 and device.memory_total_bytes.value is not None and _memory_agrees(chip[0], device):
        return chip[0], "matched by compute capability, multiprocessors and memory"
    near = nearest(name, [alias for entry in entries for alias in entry.aliases], 1) if name else []
    hint = f"; the nearest known name is {near[0]!r}, whose figures are not used" if near else ""
    return None, f"{name or 'a device without a name'} is not in the catalogue{hint}"


def _same_vendor(entry: Accelerator, device: Device) -> bool:
    return entry.vendor == device.vendor


def _same_chip(entry: Accelerator, device: Device) -> bool:
    capability, count = device.compute_capability.value, device.compute_units.value
    return bool(
        capability and count and entry.compute_capability == capability and entry.compute_units == count
    )


def _memory_agrees(entry: Accelerator, device: Device) -> bool:
    """True where either side does not know; unified memory comes in many sizes."""
    seen = device.memory_total_bytes.value
    expected = entry.device_memory_bytes
    if seen is None or expected is None or entry.unified:
        return True
    return abs(seen / expected - 1) <= _MEMORY_TOLERANCE


def _one(found: list[Accelerator], device: Device, by: str) -> tuple[Accelerator | None, str]:
    """The only one of `found` whose memory agrees."""
    agreeing = [entry for entry in found if _memory_agrees(entry, device)]
    if len(agreeing) == 1:
        return agreeing[0], f"matched by {by}" + ("" if len(found) == 1 else " and its memory")
    if not agreeing:
        return None, f"{by} means {_titles(found)}, but its memory is of another size"
    return None, f"{by} fits {_titles(agreeing)}: which of them is not known"


def _titles(entries: Iterable[Accelerator]) -> str:
    return " or ".join(entry.title for entry in entries)
