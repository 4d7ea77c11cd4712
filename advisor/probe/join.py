"""Joins what several sources say of the same device: driver, framework, PCIe bus, main memory.

Devices are joined on UUID or PCI address, never on index: CUDA's order is not NVML's, NVML's may change
between boots, and CUDA_VISIBLE_DEVICES hides and reorders. What it hides is never worked out by hand
(it holds numbers, UUIDs, short prefixes, MIG names, -1): the framework was asked what it sees.
"""

from __future__ import annotations

import re
from typing import Any

from advisor.probe.facts import FactDict, assumed, contradiction, none, ok
from advisor.probe.reading import clean, pci_address, pcie_gen

Device = dict[str, Any]
Machine = dict[str, Any]

# torch's (and jax's) device type -> vendor; "cuda" on a ROCm build is AMD
VENDORS = {
    "cuda": "nvidia",
    "xpu": "intel",
    "hpu": "intel",
    "mps": "apple",
    "npu": "huawei",
    "tpu": "google",
    "xla": "google",
    "rocm": "amd",
}
KINDS = {"huawei": "npu", "google": "tpu"}
FROM_FRAMEWORK = {
    "uuid": "uuid",
    "pci_address": "pci_address",
    "name": "device_name",
    "compute_capability": "compute_capability",
    "compute_units": "compute_units",
    "memory_total_bytes": "memory_total_bytes",
    "memory_free_bytes": "memory_free_bytes",
}


def join(machine: Machine) -> Machine:
    """The merged parts (schema.Machine as a dict, changed in place) with their devices completed."""
    devices: list[Device] = machine["devices"]
    seen = _seen(machine)
    matched = _match(devices, seen)
    _name(devices, seen, matched, machine)
    devices += _of_frameworks_alone(devices, seen, matched)
    for device in devices:
        _unified(device, machine.get("memory", {}))
        _slot(device, machine)
    machine["notices"] = [*machine["notices"], *_slot_notices(devices)]
    return machine


def value(section: dict[str, Any], field: str) -> Any:
    """The value of a fact in a dict of facts, or None."""
    fact = section.get(field)
    return fact.get("value") if isinstance(fact, dict) else None


# --- frameworks -----------------------------------------------------------------------------------------


def _seen(machine: Machine) -> list[tuple[str, str, dict[str, Any]]]:
    """(framework, vendor, device as it sees it) of all frameworks that were asked."""
    out = []
    for framework in machine["software"].get("frameworks", ()):
        build = str(value(framework, "build") or "").lower()
        for row in value(framework, "sees") or ():
            kind = str(row.get("name", "")).partition(":")[0].lower()
            amd = "rocm" in build or str(row.get("compute_capability", "")).startswith("gfx")
            vendor = "amd" if amd and kind in ("cuda", "gpu") else VENDORS.get(kind, "")
            if not vendor and kind == "gpu" and "cuda" in build:
                vendor = "nvidia"
            out.append((str(framework.get("name", "")), vendor, row))
    return out


def _match(devices: list[Device], seen: list[tuple[str, str, dict[str, Any]]]) -> dict[int, int]:
    """{number in `seen`: number in `devices`}."""
    matched: dict[int, int] = {}
    for number, (_, _, row) in enumerate(seen):
        uuid, address = identity(row.get("uuid")), pci_address(row.get("pci_address"))
        for index, device in enumerate(devices):
            if (uuid and uuid in _uuids(device)) or (
                address and address == pci_address(value(device, "pci_address"))
            ):
                matched[number] = index
                break
    return matched


def identity(uuid: object) -> str:
    """A UUID without its kind: "GPU-4A…", "MIG-4a…" and "4a…" are one, "MIG-GPU-4a…/1/0" is its own."""
    text = str(uuid or "").strip().lower()
    return re.sub(r"^(mig-gpu-|mig-|gpu-)", "", text).replace("-", "")


def _uuids(device: Device) -> set[str]:
    """A device's own identity and those of its MIG instances."""
    own = [value(device, "uuid"), *(value(row, "uuid") for row in device.get("mig_instances", ()))]
    return {identity(uuid) for uuid in own if uuid}


def _name(
    devices: list[Device],
    seen: list[tuple[str, str, dict[str, Any]]],
    matched: dict[int, int],
    machine: Machine,
) -> None:
    """Set framework_name, and what a driver did not tell but the framework does."""
    _match_without_identity(devices, seen, matched)
    for index, device in enumerate(devices):
        mine = [seen[number] for number, found in matched.items() if found == index]
        if not mine:
            device["framework_name"] = _why_unseen(device, machine, seen)
            continue
        framework, _, row = mine[0]
        also = ", ".join(f"{who} {clean(other.get('name', ''), 40)}" for who, _, other in mine[1:4])
        sure = bool(_key(row))
        name = clean(row.get("name", ""), 60)
        if sure:
            device["framework_name"] = ok(name, framework, f"also {also}" if also else "")
        else:
            alone = len([other for other in devices if other["vendor"] == device["vendor"]]) == 1
            which = (
                "the only one on both sides" if alone else "all are alike, so which is which does not matter"
            )
            why = f"{framework} tells neither UUID nor PCI address; {which}"
            device["framework_name"] = assumed(name, framework, why)
        _complete(device, framework, row)


def _match_without_identity(
    devices: list[Device], seen: list[tuple[str, str, dict[str, Any]]], matched: dict[int, int]
) -> None:
    """Where the framework tells neither UUID nor address (old torch, mps, npu): only what cannot be mixed up.

    That is one device of a vendor on either side, or as many on both sides and all of them alike, so that
    it does not matter which is which. Anything else stays unmatched.
    """
    for framework in {who for who, _, _ in seen}:
        for vendor in {vendor for _, vendor, _ in seen if vendor}:
            theirs = [n for n, (who, v, _) in enumerate(seen) if who == framework and v == vendor]
            ours = [index for index, device in enumerate(devices) if device["vendor"] == vendor]
            told = any(n in matched or _key(seen[n][2]) for n in theirs)
            kinds = {(value(devices[n], "name"), value(devices[n], "memory_total_bytes")) for n in ours}
            if (
                told
                or len(theirs) != len(ours)
                or (len(ours) > 1 and (len(kinds) > 1 or None in kinds.pop()))
            ):
                continue
            matched.update(zip(theirs, ours, strict=True))


def _key(row: dict[str, Any]) -> str:
    """What a framework's device can be told by: its UUID or PCI address, or ""."""
    return identity(row.get("uuid")) or pci_address(row.get("pci_address"))


def _why_unseen(device: Device, machine: Machine, seen: list[tuple[str, str, dict[str, Any]]]) -> FactDict:
    """Why no framework has a name for a device."""
    frameworks = machine["software"].get("frameworks", ())
    nameless = {who for who, vendor, row in seen if vendor == device["vendor"] and not _key(row)}
    if nameless:
        who = " and ".join(sorted(clean(name, 20) for name in nameless))
        why = f"{who} sees devices of this vendor and tells neither UUID nor PCI address: which is not known"
        return none("not_supported", who, why)
    asked = [row for row in frameworks if row.get("sees", {}).get("status") == "ok"]
    if asked:
        names = " and ".join(clean(row.get("name", ""), 20) for row in asked)
        return none(
            "absent", names, f"{names} does not see it ({device['vendor']} {device.get('kind', 'gpu')})"
        )
    for row in frameworks:
        sees = row.get("sees", {})
        if sees.get("status") not in (None, "absent"):
            return none(sees["status"], str(row.get("name", "")), str(sees.get("reason", "")))
    return none("absent", "", "no framework is installed in this environment")


def _complete(device: Device, framework: str, row: dict[str, Any]) -> None:
    """Fill what the driver did not tell from what the framework told of the same device."""
    split = bool(value(device, "mig_enabled"))
    if split and row.get("memory_total_bytes"):
        why = "the MIG instance that the framework got"
        device["memory_total_bytes"] = ok(row["memory_total_bytes"], framework, why)
        if row.get("memory_free_bytes") is not None:
            device["memory_free_bytes"] = ok(row["memory_free_bytes"], framework, why)
    elif row.get("memory_total_bytes"):
        _compare_total(device, framework, row)
    for field, key in FROM_FRAMEWORK.items():
        told = row.get(key)
        if told in (None, "") or value(device, field) is not None:
            continue
        before = (device.get(field) or {}).get("reason", "")
        device[field] = ok(told, framework, f"the driver: {before}" if before else "")
    integrated = row.get("integrated")
    own_memory = split or value(device, "virtual") == "vgpu"
    if integrated is not None and value(device, "unified_memory") is None and not own_memory:
        device["unified_memory"] = ok(bool(integrated), framework)
    if device.get("status") != "lost":
        device["status"] = "ok"  # even if its driver library could not be asked: a framework works with it


def _compare_total(device: Device, framework: str, row: dict[str, Any]) -> None:
    """Where driver and framework differ by more than 2 %, a job gets what the latter tells; both are kept."""
    told, before = row["memory_total_bytes"], device.get("memory_total_bytes") or {}
    known = before.get("value")
    if known is None or abs(told - known) <= 0.02 * max(told, known):
        return
    others = [(known, before["source"]), *((o["value"], o["source"]) for o in before.get("others", ()))]
    reason = f"{framework} gives a process this; others tell another size"
    device["memory_total_bytes"] = contradiction(told, framework, others, reason)
    if row.get("memory_free_bytes") is not None:  # free and total must be of one reckoning
        device["memory_free_bytes"] = ok(row["memory_free_bytes"], framework)


def _of_frameworks_alone(
    devices: list[Device], seen: list[tuple[str, str, dict[str, Any]]], matched: dict[int, int]
) -> list[Device]:
    """Devices that only a framework knows: Jetson, WSL2, a container without the driver's library."""
    out: list[Device] = []
    told: set[str] = set()
    nameless: dict[str, str] = {}  # vendor -> the framework whose devices without identity are listed
    here = {device["vendor"] for device in devices}
    for number, (framework, vendor, row) in enumerate(seen):
        key = _key(row)
        if number in matched or not vendor or key in told:
            continue
        if not key and (vendor in here or nameless.setdefault(vendor, framework) != framework):
            continue  # they may be the driver's devices, or another framework's, once more
        told |= {key} if key else set()
        name = clean(row.get("name", ""), 60)
        device: Device = {
            "vendor": vendor,
            "kind": KINDS.get(vendor, "gpu"),
            "index": len([d for d in (*devices, *out) if d["vendor"] == vendor]),
            "status": "ok",
            "framework_name": ok(name, framework, "known to the framework alone"),
        }
        _complete(device, framework, row)
        out.append(device)
    return out


# --- main memory, PCIe ----------------------------------------------------------------------------------


def _unified(device: Device, memory: dict[str, Any]) -> None:
    """The size of an NVIDIA GPU's memory where it is main memory (never for MIG and vGPU)."""
    if device["vendor"] != "nvidia" or not value(device, "unified_memory"):
        return
    usable = value(memory, "usable_bytes")
    total = value(device, "memory_total_bytes")
    source = "memory.usable_bytes"
    if usable is None:
        return
    if total is None:
        why = "it shares main memory: the least of main memory and the limits on it"
        device["memory_total_bytes"] = assumed(usable, source, why)
    elif total > 1.02 * usable:
        told = [(total, device["memory_total_bytes"]["source"])]
        why = "it shares main memory, of which this process may use less"
        device["memory_total_bytes"] = contradiction(usable, source, told, why)
    available = value(memory, "available_bytes")
    if available is not None and value(device, "memory_free_bytes") is None:
        why = "it shares main memory"
        device["memory_free_bytes"] = assumed(min(available, usable), "memory.available_bytes", why)


def _slot(device: Device, machine: Machine) -> None:
    """What the slot can give, from the row of the PCIe bus."""
    address = pci_address(value(device, "pci_address"))
    if value(device, "unified_memory") and device["vendor"] == "nvidia":
        return
    rows = value(machine, "pcie") or ()
    row = next((r for r in rows if address and pci_address(r.get("address")) == address), None)
    vm = value(machine.get("host", {}), "vm")
    for field, key, convert in (("gen", "speed_gts", pcie_gen), ("width", "width", lambda width: width)):
        slot, card = f"pcie_slot_{field}", f"pcie_{field}_max"
        if row is None:
            why = "it is not on a PCIe bus that this process sees"
            device.setdefault(slot, none("absent", "sysfs", why))
            continue
        told = value(row, f"slot_{key}")
        if vm not in (None, "none"):
            why = f"a virtual machine ({vm}) shows its own bridges, not the slot"
            device.setdefault(slot, none("not_supported", "sysfs", why))
        elif told is not None and convert(told) is not None:
            device[slot] = ok(convert(told), "sysfs upstream bridges")
        else:
            device.setdefault(slot, row.get(f"slot_{key}") or none("not_supported", "sysfs", "not told"))
        most = value(row, f"max_{key}")
        if value(device, card) is None and most is not None and convert(most) is not None:
            device[card] = ok(convert(most), "sysfs max_link")


def _slot_notices(devices: list[Device]) -> list[dict[str, str]]:
    """Cards in slots that give less. Only maxima: at idle the current link is slow by design."""
    out = []
    for device in devices:
        gen, width = value(device, "pcie_gen_max"), value(device, "pcie_width_max")
        slot_gen, slot_width = value(device, "pcie_slot_gen"), value(device, "pcie_slot_width")
        slower = gen is not None and slot_gen is not None and slot_gen < gen
        narrower = width is not None and slot_width is not None and slot_width < width
        if not slower and not narrower:
            continue
        name = clean(value(device, "name") or f"{device['vendor']} {device.get('kind', 'gpu')}", 60)
        slot = _link(slot_gen, slot_width)
        message = f"{name}: its slot gives PCIe {slot}; the card can do {_link(gen, width)}."
        hint = "Copies between host and device are slower; another slot may give more."
        out.append({"code": "pcie_link_below_slot", "message": message, "hint": hint})
    return out


def _link(gen: int | None, width: int | None) -> str:
    parts = [f"gen {gen}" if gen is not None else "", f"x{width}" if width is not None else ""]
    return " ".join(part for part in parts if part)
