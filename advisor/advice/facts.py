"""The columns of rules/advice/columns.toml, from what was probed, measured and estimated here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from advisor.schema import Advice, Calibration, Cpu, Device, Estimate, Fact, Grade, Machine

_HOT = frozenset({"hw_slowdown", "hw_thermal_slowdown", "sw_thermal_slowdown", "hw_power_brake_slowdown"})
_PICTURES = frozenset({"cnn", "vit", "diffusion"})
_CPU_BF16 = ("avx512_bf16", "amx_bf16", "amx_tile")


@dataclass(frozen=True)
class Row:
    """What is known of one device, or of the host where there is none."""

    device: str
    values: dict[str, float | None] = field(default_factory=dict)


def rows_of(advice: Advice) -> list[Row]:
    """A row for each accelerator that answers; one for the processors where there is none."""
    machine = advice.machine
    if machine is None:
        return []
    host = _host(advice, machine)
    devices = [device for device in machine.devices if device.status.value == "ok"]
    host["here_devices"] = float(len(devices))
    if not devices:
        name = machine.cpu.model.value or "the processors"
        return [Row(name, {**host, **_estimated(advice, "cpu")})]
    return [
        Row(
            device.name.value or f"{device.vendor} {device.index}",
            {
                **host,
                **_device(device, machine, advice.calibration),
                **_estimated(advice, device.framework_name.value or ""),
            },
        )
        for device in devices
    ]


def _number(fact: Fact[int] | Fact[float]) -> float | None:
    return None if fact.value is None else float(fact.value)


def _yes(value: bool | None) -> float | None:
    return None if value is None else float(value)


def _host(advice: Advice, machine: Machine) -> dict[str, float | None]:
    calibration = advice.calibration
    found: dict[str, float | None] = {
        "here_cores": _number(machine.cpu.budget_threads),
        "here_ram": _number(machine.memory.usable_bytes),
        "here_cpu_bf16": _cpu_bf16(machine.cpu),
    }
    if calibration is None:
        return found
    if calibration.measurements:
        disturbed = sum(m.grade is Grade.C for m in calibration.measurements)
        found["here_contended"] = disturbed / len(calibration.measurements)
    found["here_decode_rate"] = _measured(calibration, "image_decode")
    found["here_disk_rate"] = _measured(calibration, "disk_read")
    return found


def _measured(calibration: Calibration, bench: str) -> float | None:
    """The best undisturbed figure of a bench; of the disk the faster of its ways of reading."""
    values = [m.value for m in calibration.find(bench) if m.value is not None]
    return max(values, default=None)


def _cpu_bf16(cpu: Cpu) -> float | None:
    known = cpu.instruction_sets.value
    if known is None:
        return None
    return float(any(known.get(name, False) for name in _CPU_BF16))


def _device(device: Device, machine: Machine, calibration: Calibration | None) -> dict[str, float | None]:
    warned = _warnings(device, calibration)
    seen_hot = device.throttle_reasons.value
    hot = None if seen_hot is None and warned is None else bool(_HOT & set(seen_hot or ()))
    return {
        "here_pcie_width": _number(device.pcie_width_current),
        "here_pcie_width_card": _number(device.pcie_width_max),
        "here_pcie_width_slot": _number(device.pcie_slot_width),
        "here_pcie_loaded_below": _yes(None if warned is None else "pcie_below_max" in warned),
        "here_compute_capability": _capability(device),
        "here_power_limit": _number(device.power_limit_w),
        "here_power_default": _number(device.power_limit_default_w),
        "here_throttled": _yes(True if warned and "throttled" in warned else hot),
        "here_unseen": _yes(_unseen(device, machine)),
        "here_device_memory": _number(device.memory_total_bytes),
    }


def _warnings(device: Device, calibration: Calibration | None) -> frozenset[str] | None:
    """Warnings of all figures measured on a device; None where nothing was."""
    name = device.framework_name.value
    if calibration is None or name is None:
        return None
    found = [m for m in calibration.measurements if m.device == name]
    return frozenset(code for m in found for code in m.warnings) if found else None


def _capability(device: Device) -> float | None:
    try:
        return float(device.compute_capability.value or "")
    except ValueError:
        return None


def _unseen(device: Device, machine: Machine) -> bool | None:
    """Whether a framework that was asked sees none like it; None where none was asked."""
    if device.framework_name.value is not None:
        return False
    asked = [framework for framework in machine.software.frameworks if framework.sees.known]
    return True if asked else None


def _estimated(advice: Advice, device: str) -> dict[str, float | None]:
    """What the estimates on this device say: pictures it takes, memory, what does not fit."""
    here = [e for e in advice.estimates if e.target.here and (e.target.device or "") == device]
    workloads = {workload.id: workload for workload in advice.workloads}
    pictures = [
        w.recipe.samples / time / max(e.target.devices, 1)
        for e in here
        if (w := workloads.get(e.workload)) and w.model.family in _PICTURES and w.recipe.samples
        if e.fits and (time := _value(e, "time_s"))
    ]
    found: dict[str, float | None] = {"here_pictures_per_s": max(pictures, default=None)}
    tight = [e for e in here if _value(e, "reserved_bytes") is not None]
    if tight:
        most = max(tight, key=lambda e: _value(e, "reserved_bytes") or 0.0)
        found["here_peak"] = _value(most, "peak_bytes")
        found["here_reserved"] = most.quantities["reserved_bytes"].high
    found["here_short_params"] = min(_params(e for e in here if e.fits is False), default=None)
    return found


def _params(estimates: Iterable[Estimate]) -> list[float]:
    return [value for e in estimates if (value := _value(e, "params")) is not None]


def _value(estimate: Estimate, name: str) -> float | None:
    quantity = estimate.quantities.get(name)
    return None if quantity is None else quantity.value
