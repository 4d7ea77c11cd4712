"""What the reader should know of NVIDIA devices: a closed list of notices, each with what to do."""

from __future__ import annotations

from typing import Any

from advisor.nvml import DRIVER_NOT_LOADED, HINTS, RESET_REQUIRED, UNKNOWN, said_code
from advisor.probe.facts import FactDict
from advisor.probe.nvidia_facts import fact, value_of
from advisor.probe.reading import clean, pci_address

SLOW_START_S = 3.0  # longer than what NVIDIA names for one GPU: see nvidia.START_S_PER_GPU
BUSY = 0.05  # share of time or memory taken by others above which measurements are called contended

HINT = {
    "version_mismatch": HINTS["version_mismatch"],
    "driver_missing": HINTS["lib_missing"],
    "driver_timeout": HINTS["timeout"],
    "driver_slow_start": "Every program waits for this: sudo nvidia-smi -pm 1, or start nvidia-persistenced.",
    "device_lost": "Look for Xid lines in `dmesg`; a reset (nvidia-smi -r) or a reboot may bring it back.",
    "device_unusable": "See `dmesg` for NVRM and Xid lines; are its power cables attached?",
    "reset_required": "Stop what uses the device and reset it: sudo nvidia-smi -r -i INDEX, or reboot.",
    "ecc_uncorrected": "See `nvidia-smi -q -d ECC` and Xid lines in `dmesg`; reset the device, and have it "
    "exchanged when the count grows again. What ran on it may have computed wrongly.",
    "hw_slowdown": "Look at `nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER`: ask for better cooling or a "
    "stronger power supply before measuring; a measurement now shows the slowed device.",
    "row_remap_pending": "Stop what uses the device and reset it: nvidia-smi -r, or reboot.",
    "row_remap_failed": "The device's memory could not be repaired: have it exchanged.",
    "power_limit_below_default": "Set it back with `sudo nvidia-smi -pl WATTS`, unless the cap is wanted.",
    "gpu_in_use": "Measure again when the device is free, or choose another with CUDA_VISIBLE_DEVICES.",
    "deprecated_pynvml": "pip uninstall pynvml && pip install --force-reinstall nvidia-ml-py",
    "mig_parent": "Plan with the instance; to use the whole card an administrator must switch MIG off.",
}


NO_DEVICE_FILES = (
    "The kernel's part of the driver is loaded, but its device files are missing or closed here: run "
    "nvidia-smi once as root, which makes them, or start the container with --gpus all; see groups, cgroup."
)
# NVIDIA/nvidia-docker#1730: after `systemctl daemon-reload` a running container has lost its devices
LOST_BY_CONTAINER = (
    "A container that had GPUs before has lost them (systemd took them away at a reload): start it again. "
    "Elsewhere see `dmesg` for NVRM and Xid lines."
)
# A device that the driver lists and does not hand out, by status
HANDLE_HINTS = {name: HINTS[name] for name in ("no_permission", "timeout")}
# Of the clock event reasons (nvml.h) those that mean a fault of cooling or power, not a setting
SLOWED = {
    "hw_slowdown": "clocks at half or less, or changing just now",
    "hw_thermal_slowdown": "it is too hot",
    "hw_power_brake_slowdown": "the power supply asks for it (power brake)",
}


def _notice(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message, "hint": HINT[code]}


def notices(raw: dict[str, Any], devices: list[dict[str, Any]]) -> list[dict[str, str]]:
    """All notices, of the system first, then device by device."""
    out = [*_system(raw)]
    for device in devices:
        out += _broken(device, raw)
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
    elif init is not None and init["status"] != "ok" and hardware:
        listed = ", ".join(pci_address(row.get("address")) for row in hardware[:8])
        message = f"NVIDIA hardware is on the PCI bus ({listed}) but cannot be asked: {init['reason']}."
        out.append(_notice("driver_missing", message) | {"hint": _init_hint(init, raw)})
    out += _start(raw, init is not None)
    binding = raw.get("binding")
    if isinstance(binding, dict) and binding.get("deprecated"):
        shadow = binding.get("package") == "pynvml"
        what = "it provides the module in place of nvidia-ml-py" if shadow else "torch warns about it"
        version = clean(binding["deprecated"], 40)
        out.append(_notice("deprecated_pynvml", f"The deprecated package pynvml {version} is here: {what}."))
    return out


def _init_hint(init: FactDict, raw: dict[str, Any]) -> str:
    """What to do about an NVML that did not start."""
    if init["source"] == "nvml:import pynvml":
        if "another package's" in init["reason"]:
            return "Remove the wrong package named pynvml, then: pip install nvidia-ml-py."
        return "pip install nvidia-ml-py"
    if said_code(init["reason"], DRIVER_NOT_LOADED) and raw.get("kernel_module"):
        return NO_DEVICE_FILES
    if said_code(init["reason"], UNKNOWN):
        return LOST_BY_CONTAINER
    return HINTS.get(init["status"], HINTS["failed"])


def _start(raw: dict[str, Any], answered: bool) -> list[dict[str, str]]:
    """NVML that did not start in its time, or took long to."""
    end, took_s = raw.get("_ended"), raw.get("started_s")
    if not answered and isinstance(end, dict) and end.get("status") == "timeout":
        reason = clean(end.get("reason", ""), 300)
        return [_notice("driver_timeout", f"The NVIDIA driver did not start: {reason}.")]
    if isinstance(took_s, (int, float)) and took_s > SLOW_START_S:
        message = f"The NVIDIA driver took {took_s:.1f} s to start its GPUs: is persistence mode off?"
        return [_notice("driver_slow_start", message)]
    return []


def _broken(device: dict[str, Any], raw: dict[str, Any]) -> list[dict[str, str]]:
    out = []
    refused = fact(raw.get(f"{device['index']}.handle"), lambda _: True)
    answers = [raw.get(f"{device['index']}.{key}") for key in ("lost", "handle")]
    reasons = [str(answer.get("reason") or "") for answer in answers if isinstance(answer, dict)]
    if any(said_code(reason, RESET_REQUIRED) for reason in reasons):
        out.append(_notice("reset_required", f"{called(device)} cannot be used before it is reset."))
    elif device["status"] == "lost":
        out.append(_notice("device_lost", f"{called(device)} is lost: the driver cannot reach it any more."))
    elif refused is not None and refused["status"] != "ok":
        notice = _notice("device_unusable", f"{called(device)} cannot be asked: {refused['reason']}.")
        out.append(notice | {"hint": HANDLE_HINTS.get(refused["status"], notice["hint"])})
    errors = value_of(device, "ecc_uncorrected")
    if errors:
        message = f"{called(device)} had {errors} uncorrected memory errors since its driver started it."
        out.append(_notice("ecc_uncorrected", message))
    if value_of(device, "row_remap_failed"):
        out.append(_notice("row_remap_failed", f"{called(device)}: a repair of its memory has failed."))
    if value_of(device, "row_remap_pending"):
        message = f"{called(device)} waits for a reset to take faulty memory rows or pages out of use."
        out.append(_notice("row_remap_pending", message))
    return out


def _held_back(device: dict[str, Any]) -> list[dict[str, str]]:
    out = []
    limit, default = value_of(device, "power_limit_w"), value_of(device, "power_limit_default_w")
    if limit and default and limit < 0.98 * default:
        message = f"{called(device)} is capped at {limit:.0f} W; its default is {default:.0f} W."
        out.append(_notice("power_limit_below_default", message))
    why = [SLOWED[name] for name in value_of(device, "throttle_reasons") or () if name in SLOWED]
    if why:
        message = f"{called(device)} is slowed down by its own hardware now: {', '.join(why)}."
        out.append(_notice("hw_slowdown", message))
    return out


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
        hint = _init_hint(init, raw)
        out.append({"probe": "nvidia", "status": status, "reason": reason, "hint": hint})
    told = {device["pci_address"]["value"] for device in unlisted} | listed
    rows = [pci_address(row.get("address")) for row in raw.get("pci") or [] if isinstance(row, dict)]
    hidden = [address for address in rows if address not in told]
    if hidden and init is not None and init["status"] == "ok":
        reason = f"{len(hidden)} more on the PCI bus, not listed by the driver here: {', '.join(hidden[:16])}"
        hint = "They are given to others (container, cgroup), or failed to start: see `dmesg`."
        out.append({"probe": "nvidia", "status": "no_permission", "reason": reason, "hint": hint})
    return out
