"""What the reader should know of NVIDIA devices: a closed list of notices, each with what to do."""

from __future__ import annotations

from typing import Any

from advisor.nvml import HINTS
from advisor.probe.nvidia_facts import fact, value_of
from advisor.probe.reading import clean, pci_address

BUSY = 0.05  # share of time or memory taken by others above which measurements are called contended

HINT = {
    "version_mismatch": HINTS["version_mismatch"],
    "driver_missing": HINTS["lib_missing"],
    "device_lost": "Look for Xid lines in `dmesg`; a reset (nvidia-smi -r) or a reboot may bring it back.",
    "row_remap_pending": "Stop what uses the device and reset it: nvidia-smi -r, or reboot.",
    "row_remap_failed": "The device's memory could not be repaired: have it exchanged.",
    "power_limit_below_default": "Set it back with `sudo nvidia-smi -pl WATTS`, unless the cap is wanted.",
    "gpu_in_use": "Measure again when the device is free, or choose another with CUDA_VISIBLE_DEVICES.",
    "deprecated_pynvml": "pip uninstall pynvml && pip install --force-reinstall nvidia-ml-py",
    "mig_parent": "Plan with the instance; to use the whole card an administrator must switch MIG off.",
}


def _notice(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message, "hint": HINT[code]}


def notices(raw: dict[str, Any], devices: list[dict[str, Any]]) -> list[dict[str, str]]:
    """All notices, of the system first, then device by device."""
    out = [*_system(raw)]
    for device in devices:
        out += _broken(device)
        out += _held_back(device)
        out += _in_use(device, raw)
        out += _mig(device)
    return out


def called(device: dict[str, Any]) -> str:
    """How a device is named in a sentence: "GPU 0 (NVIDIA H200)"."""
    name = value_of(device, "name")
    return f"GPU {device['index']}" + (f" ({clean(name, 60)})" if name else "")


def _system(raw: dict[str, Any]) -> list[dict[str, str]]:
    out = []
    init = fact(raw.get("init"), lambda _: True)
    hardware = [row for row in raw.get("pci") or [] if isinstance(row, dict)]
    if init is not None and init["status"] == "version_mismatch":
        message = (
            f"The NVIDIA driver and its library do not fit together ({init['reason']}): no GPU can be asked. "
            "Programs that were running before the update go on."
        )
        out.append(_notice("version_mismatch", message))
    elif init is not None and init["status"] == "lib_missing" and hardware:
        listed = ", ".join(pci_address(row.get("address")) for row in hardware[:8])
        message = f"NVIDIA hardware is on the PCI bus ({listed}) but cannot be asked: {init['reason']}."
        out.append(_notice("driver_missing", message))
    binding = raw.get("binding")
    if isinstance(binding, dict) and binding.get("deprecated"):
        shadow = binding.get("package") == "pynvml"
        what = "it provides the module in place of nvidia-ml-py" if shadow else "torch warns about it"
        version = clean(binding["deprecated"], 40)
        out.append(_notice("deprecated_pynvml", f"The deprecated package pynvml {version} is here: {what}."))
    return out


def _broken(device: dict[str, Any]) -> list[dict[str, str]]:
    out = []
    if device["status"] == "lost":
        out.append(_notice("device_lost", f"{called(device)} is lost: the driver cannot reach it any more."))
    if value_of(device, "row_remap_failed"):
        out.append(_notice("row_remap_failed", f"{called(device)}: a repair of its memory has failed."))
    if value_of(device, "row_remap_pending"):
        message = f"{called(device)} waits for a reset to take faulty memory rows or pages out of use."
        out.append(_notice("row_remap_pending", message))
    return out


def _held_back(device: dict[str, Any]) -> list[dict[str, str]]:
    limit, default = value_of(device, "power_limit_w"), value_of(device, "power_limit_default_w")
    if limit and default and limit < 0.98 * default:
        message = f"{called(device)} is capped at {limit:.0f} W; its default is {default:.0f} W."
        return [_notice("power_limit_below_default", message)]
    return []


def _in_use(device: dict[str, Any], raw: dict[str, Any]) -> list[dict[str, str]]:
    """Somebody else computes on it, or holds its memory."""
    total, used = value_of(device, "memory_total_bytes"), value_of(device, "memory_used_bytes")
    busy = value_of(device, "utilization") or 0.0
    others = value_of(device, "processes") or []
    answer = raw.get(f"{device['index']}.processes")
    rows = answer.get("value") if isinstance(answer, dict) else None
    own = sum(row.get("memory") or 0 for row in rows or [] if isinstance(row, dict) and row.get("own"))
    measured = total and used is not None and not value_of(device, "mig_enabled")
    taken = max(used - own, 0) / total if measured and not value_of(device, "unified_memory") else 0.0
    if busy <= BUSY and taken <= BUSY:
        return []
    parts = [f"{busy:.0%} busy"] if busy > BUSY else []
    parts += [f"{taken:.0%} of its memory taken"] if taken > BUSY else []
    names = sorted({row["name"] or f"process {row['pid']}" for row in others})
    by = f" by {', '.join(names[:5])}" if names else ""
    return [_notice("gpu_in_use", f"{called(device)} is in use{by}: {', '.join(parts)}.")]


def _mig(device: dict[str, Any]) -> list[dict[str, str]]:
    if not value_of(device, "mig_enabled"):
        return []
    count = len(device.get("mig_instances", ()))
    message = f"{called(device)} is split by MIG into {count} instance{'' if count == 1 else 's'}: "
    return [_notice("mig_parent", message + "a process can use one of them, not the whole card.")]


def skipped(
    raw: dict[str, Any], unlisted: list[dict[str, Any]], listed: set[str | None]
) -> list[dict[str, str]]:
    """Why NVML gave nothing, and devices on the bus that it does not list."""
    out = []
    init = fact(raw.get("init"), lambda _: True)
    if init is not None and init["status"] != "ok":
        status, reason = init["status"], init["reason"]
        hint = HINTS.get(status, HINTS["failed"])
        if init["source"] == "nvml:import pynvml":
            hint = "pip install nvidia-ml-py"
        out.append({"probe": "nvidia", "status": status, "reason": reason, "hint": hint})
    told = {device["pci_address"]["value"] for device in unlisted} | listed
    rows = [pci_address(row.get("address")) for row in raw.get("pci") or [] if isinstance(row, dict)]
    hidden = [address for address in rows if address not in told]
    if hidden and init is not None and init["status"] == "ok":
        reason = f"{len(hidden)} more on the PCI bus, not listed by the driver here: {', '.join(hidden[:16])}"
        hint = "They are given to others (container, cgroup), or failed to start: see `dmesg`."
        out.append({"probe": "nvidia", "status": "no_permission", "reason": reason, "hint": hint})
    return out
