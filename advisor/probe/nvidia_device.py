"""NVML's raw answers -> devices. Pure: the same answers give the same devices, here and replayed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from advisor.nvml import throttle_names
from advisor.probe.facts import FactDict, assumed, none, ok
from advisor.probe.nvidia_facts import Raw, ended, fact, flag, item, part, put, scaled, text, value_of, whole
from advisor.probe.nvidia_links import nvlinks
from advisor.probe.reading import clean, pci_address

# Devices without memory of their own, by NVML's name: GB10 (DGX Spark), Jetson Xavier, Orin and Thor.
# Sources: NVIDIA DGX Spark porting guide ("Memory-Usage: Not Supported" under unified memory), Jetson
# Linux developer guide (integrated GPU). A list on purpose: MIG and vGPU refuse the same question.
INTEGRATED = re.compile(r"\b(GB10|Orin|Thor|Xavier|Tegra|Jetson)\b")
# vGPU profiles end in their size and kind: "GRID T4-16Q", "NVIDIA A100-40C", "NVIDIA L40S-48Q"
# (NVIDIA Virtual GPU Software User Guide, "Virtual GPU Types")
VGPU = re.compile(r"^GRID\b|-\d+(-\d+)?[ABCQ]$")
VIRTUAL = {0: "none", 1: "passthrough", 2: "vgpu", 3: "host_vgpu", 4: "host_vsga"}  # nvml.h


# field of schema.Device -> question, converter
FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "name": ("name", text),
    "uuid": ("uuid", text),
    "serial": ("serial", text),
    "compute_capability": ("compute_capability", lambda v: ".".join(map(str, v)) if _pair(v) else None),
    "architecture": ("architecture", text),
    "clock_hz": ("clock_sm", scaled(1e6)),
    "clock_max_hz": ("clock_sm_max", scaled(1e6)),
    "memory_clock_max_hz": ("clock_memory_max", scaled(1e6)),
    "power_w": ("power", scaled(1e-3)),
    "power_limit_w": ("power_limit", scaled(1e-3)),
    "power_limit_default_w": ("power_limit_default", scaled(1e-3)),
    "power_limit_max_w": ("power_limit_range", item(1, scaled(1e-3))),
    "temperature_c": ("temperature", scaled(1.0)),
    "utilization": ("utilization", scaled(1e-2)),
    "throttle_reasons": ("throttle", lambda v: throttle_names(v) if whole(v) is not None else None),
    "pcie_gen_max": ("pcie_gen_card", whole),
    "pcie_width_max": ("pcie_width_max", whole),
    "pcie_gen_current": ("pcie_gen_current", whole),
    "pcie_width_current": ("pcie_width_current", whole),
    "ecc_enabled": ("ecc_mode", item(0, flag)),
    "ecc_uncorrected": ("ecc_uncorrected", whole),
    "row_remap_pending": ("remapped_rows", item(2, flag)),
    "row_remap_failed": ("remapped_rows", item(3, flag)),
    "mig_enabled": ("mig_mode", item(0, flag)),
    "virtual": ("virtualization", lambda v: VIRTUAL.get(v) if whole(v) is not None else None),
}


def _pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(whole(v) is not None for v in value)


def devices(raw: Raw) -> list[dict[str, Any]]:
    """All devices of NVML's list, by its index."""
    indices = sorted(int(key.partition(".")[0]) for key in raw if re.fullmatch(r"\d{1,4}\.handle", key))
    return [_device(raw, index) for index in indices]


def _device(raw: Raw, index: int) -> dict[str, Any]:
    """One device. What its driver no longer answers carries the status of its end: lost, timeout."""
    answers = {key.partition(".")[2]: v for key, v in raw.items() if key.startswith(f"{index}.")}
    device: dict[str, Any] = {"vendor": "nvidia", "kind": "gpu", "index": index}
    for field, (question, convert) in FIELDS.items():
        put(device, field, fact(answers.get(question), convert))
    put(device, "pci_address", fact(part(answers.get("pci"), "address"), lambda v: pci_address(v) or None))
    put(device, "pci_id", fact(part(answers.get("pci"), "id"), text))
    _memory(device, answers)
    _older_forms(device, answers)
    _processes(device, answers)
    put(device, "nvlinks", nvlinks(answers))
    _virtual(device)
    _instances(device, answers)
    _integrated(device)
    device["status"] = _status(answers, device)
    if device["status"] != "ok":
        _blame(device, answers)
    return device


def _status(answers: Raw, device: dict[str, Any]) -> str:
    """ok, or what is wrong with the device as a whole."""
    for key in ("lost", "handle"):
        answer = answers.get(key)
        if isinstance(answer, dict) and answer.get("status") != "ok":
            return str(answer.get("status") or "failed")
    known = any(value_of(device, field) is not None for field in ("name", "uuid", "pci_address"))
    if known:
        return "ok"
    told = [device[field]["status"] for field in ("name", "uuid") if field in device]
    return told[0] if told else "failed"


def _blame(device: dict[str, Any], answers: Raw) -> None:
    """Give every field without an answer the reason why the device as a whole is silent."""
    for key in ("lost", "handle"):
        answer = answers.get(key)
        if isinstance(answer, dict) and answer.get("status") != "ok":
            why = fact(answer, text)
            for field in (*FIELDS, "pci_address", "pci_id", "memory_total_bytes", "memory_free_bytes"):
                device.setdefault(field, why)
            return


def _memory(device: dict[str, Any], answers: Raw) -> None:
    """Total, free and used; a total of zero is an answer that means "not supported"."""
    answer = answers.get("memory")
    for name in ("total", "free", "used"):
        put(device, f"memory_{name}_bytes", fact(part(answer, name), whole))
    total, free = value_of(device, "memory_total_bytes"), value_of(device, "memory_free_bytes")
    source = device.get("memory_total_bytes", {}).get("source", "")
    if total == 0:
        for name in ("total", "free", "used"):
            device[f"memory_{name}_bytes"] = none("not_supported", source, "answered 0 bytes")
    elif total is not None and free is not None and free > total:
        device["memory_free_bytes"] = none("failed", source, f"answered {free} free of {total} bytes")


def _older_forms(device: dict[str, Any], answers: Raw) -> None:
    """Where the newer question has no answer: the link of card and slot together, retired pages, slices."""
    both = fact(answers.get("pcie_gen_max"), whole)
    if value_of(device, "pcie_gen_max") is None and both is not None and both["value"] is not None:
        device["pcie_gen_max"] = ok(both["value"], both["source"], "the lesser of card and slot")
    if both is not None and both["value"] is not None:
        device["pcie_slot_gen"] = ok(both["value"], both["source"], "the lesser of card and slot")
    if value_of(device, "row_remap_pending") is None:  # before Ampere pages were retired instead
        retired = fact(answers.get("retired_pending"), flag)
        if retired is not None and retired["value"] is not None:
            device["row_remap_pending"] = retired
    cores = fact(answers.get("cuda_cores"), whole)
    if cores is not None:
        told = f"NVML tells {cores['value']} CUDA cores, not multiprocessors" if cores["value"] else ""
        device["compute_units"] = none("not_supported", cores["source"], told or cores["reason"])


def _processes(device: dict[str, Any], answers: Raw) -> None:
    """Processes that hold memory of the device, hwadvisor's own left out."""

    def convert(rows: Any) -> list[dict[str, Any]] | None:
        if not isinstance(rows, list):
            return None
        return [
            {
                "pid": whole(row.get("pid")) or 0,
                "name": clean(row.get("name") or "", 60),
                "memory_bytes": whole(row.get("memory")),
            }
            for row in rows
            if isinstance(row, dict) and not row.get("own")
        ]

    put(device, "processes", fact(answers.get("processes"), convert))


def _virtual(device: dict[str, Any]) -> None:
    """A vGPU is known by its profile's name where the driver does not say it."""
    name = value_of(device, "name") or ""
    if value_of(device, "virtual") in (None, "none") and VGPU.search(name):
        device["virtual"] = assumed("vgpu", "name", f"'{name}' is the name of a vGPU profile")


def _instances(device: dict[str, Any], answers: Raw) -> None:
    """MIG instances; where MIG is on, a process gets one of them, never the whole card."""
    slots = sorted({key.split(".")[0] for key in answers if re.fullmatch(r"mig\d+\.\w+", key)}, key=_slot)
    rows = [row for slot in slots if (row := _instance(answers, slot))]
    mode = device.get("mig_enabled")
    if rows and mode is not None and mode["value"] is None:  # a container may not ask, and has instances
        device["mig_enabled"] = assumed(True, "nvml", f"it has instances ({mode['reason']})")
    if not value_of(device, "mig_enabled"):
        return
    device["mig_instances"] = rows
    largest = max(rows, key=lambda row: value_of(row, "memory_total_bytes") or 0, default=None)
    before = device.get("memory_total_bytes", {})
    if largest is None or value_of(largest, "memory_total_bytes") is None:
        why = "MIG is on and no instance was found: nothing can run before one is made"
        if value_of(device, "memory_total_bytes") is not None or not before.get("reason"):
            device["memory_total_bytes"] = none("not_supported", "nvml", why)
        return
    told = f"; the whole card: {before['value']} bytes" if before.get("value") else ""
    reason = f"MIG is on: a process gets one instance, the largest is given{told}"
    for field in ("memory_total_bytes", "memory_free_bytes"):
        known = largest.get(field)
        if known is not None and known["value"] is not None:
            device[field] = assumed(known["value"], known["source"], reason)


def _slot(name: str) -> int:
    return int(name.removeprefix("mig"))


def _instance(answers: Raw, slot: str) -> dict[str, Any] | None:
    """One instance, or None for a slot whose handle was refused."""
    row: dict[str, Any] = {}
    put(row, "uuid", fact(answers.get(f"{slot}.uuid"), text))
    put(row, "name", fact(answers.get(f"{slot}.name"), text))
    memory = answers.get(f"{slot}.memory")
    put(row, "memory_total_bytes", fact(part(memory, "total"), whole))
    put(row, "memory_free_bytes", fact(part(memory, "free"), whole))
    attributes = answers.get(f"{slot}.attributes")
    put(row, "compute_slices", fact(part(attributes, "computeInstanceSliceCount"), whole))
    return row or None


def _integrated(device: dict[str, Any]) -> None:
    """A GPU that shares main memory, known by name. Its size is set in the join, where the host is known."""
    name = value_of(device, "name") or ""
    if not INTEGRATED.search(name) or value_of(device, "virtual") == "vgpu":
        if value_of(device, "memory_total_bytes") is not None:
            device["unified_memory"] = ok(False, "nvml", "it has memory of its own")
        return
    device["unified_memory"] = ok(True, "name", f"'{name}' shares main memory")
    for field in ("gen_max", "width_max", "gen_current", "width_current", "slot_gen", "slot_width"):
        device[f"pcie_{field}"] = none("not_supported", "name", "an integrated GPU has no PCIe slot")


def place_the_lost(raw: Raw, devices: list[dict[str, Any]], listed: set[str | None]) -> None:
    """A device lost before it told its address is the one that is missing on the bus, if only one is."""
    rows = [row for row in raw.get("pci") or [] if isinstance(row, dict)]
    free = [
        row for row in rows if pci_address(row.get("address")) not in listed and row.get("driver") == "nvidia"
    ]
    nowhere = [d for d in devices if d["status"] == "lost" and value_of(d, "pci_address") is None]
    if len(free) != 1 or len(nowhere) != 1:
        return
    address = pci_address(free[0].get("address"))
    reason = "the only NVIDIA device on the PCI bus that no other is at"
    nowhere[0]["pci_address"] = assumed(address, "sysfs", reason)
    nowhere[0]["pci_id"] = assumed(
        clean(f"{free[0].get('vendor')}:{free[0].get('device')}", 20), "sysfs", reason
    )
    listed.add(address)


def unlisted(raw: Raw, listed: set[str | None], first_index: int) -> list[dict[str, Any]]:
    """Devices on the PCI bus that NVML does not list although it should, or because it cannot be asked."""
    rows = [row for row in raw.get("pci") or [] if isinstance(row, dict)]
    missing = [row for row in rows if pci_address(row.get("address")) not in listed]
    init = fact(raw.get("init"), lambda _: True)
    out: list[dict[str, Any]] = []
    for row in missing:
        driver = clean(row.get("driver") or "", 40)
        if driver in ("nvidia", "") and init is not None and init["status"] == "ok":
            continue  # given to others, or broken: `nvidia_notices.skipped` tells it
        why = _why_unlisted(driver, init, raw)
        out.append(_pci_device(row, first_index + len(out), why))
    return out


def _why_unlisted(driver: str, init: FactDict | None, raw: Raw) -> FactDict:
    if driver and driver != "nvidia":
        what = "handed to virtual machines" if driver == "vfio-pci" else "not usable for CUDA"
        return none("not_supported", "sysfs", f"bound to the driver {driver}: {what}")
    return init if init is not None and init["status"] != "ok" else ended(raw)


def _pci_device(row: dict[str, Any], index: int, why: FactDict) -> dict[str, Any]:
    """A device of which the PCI bus alone tells."""
    pci_id = clean(f"{row.get('vendor')}:{row.get('device')}", 20)
    device: dict[str, Any] = {"vendor": "nvidia", "kind": "gpu", "index": index, "status": why["status"]}
    for field in (*FIELDS, "memory_total_bytes", "memory_free_bytes", "memory_used_bytes", "compute_units"):
        device[field] = why
    device["pci_address"] = ok(pci_address(row.get("address")), "sysfs")
    device["pci_id"] = ok(pci_id, "sysfs vendor, device")
    return device
