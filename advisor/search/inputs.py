"""Columns of the rules' table from workloads, catalogue entries and this machine, each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from advisor.data.accelerator import Accelerator
from advisor.estimate.inputs import PEAKS, VENDORS, Inputs, of_accelerator
from advisor.schema import Kind, Workload
from advisor.search.layouts import Layout

if TYPE_CHECKING:
    from advisor.schema import Calibration, Cpu, Device, Machine

PLAIN_STACK = "torch"
_OWN_STACKS = {
    "google_tpu": "jax", "aws_trainium": "neuron", "huawei_910": "torch_npu", "huawei_910b": "torch_npu",
    "intel_gaudi1": "habana", "intel_gaudi": "habana", "graphcore_ipu": "poplar", "graphcore_bow": "poplar",
    "cerebras_wse": "cerebras", "cerebras_wse2": "cerebras", "cerebras_wse3": "cerebras",
}  # fmt: skip
"""Programs of devices that neither PyTorch's own build nor Megatron-LM drives: nearly all published runs on
them are of these (rules/evidence), and the rates of these devices are fitted beside them."""


def usual_stack(inputs: Inputs) -> str:
    """The program family that trains on such a device, where nobody says another."""
    return _OWN_STACKS.get(str(inputs.values.get("generation")), PLAIN_STACK)


CALIBRATED = (
    *(f"cal_{family}_{dtype}" for family in ("decoder", "cnn") for dtype in ("fp32", "bf16", "fp16")),
    "cal_hidden",
    "cal_image_size",
    "cal_decode_rate",
)
SHAPES = (("decoder", "hidden", "cal_hidden"), ("cnn", "image_size", "cal_image_size"))


def of_workload(workload: Workload) -> Inputs:
    """Network and recipe."""
    found = Inputs()
    model, recipe = workload.model, workload.recipe

    def origin(name: str) -> tuple[Kind, str]:
        if name in recipe.counted:
            return Kind.stated, recipe.counted[name].source
        return (Kind.stated, "flags") if name in recipe.stated else (Kind.assumed, recipe.source)

    named = model.source or model.title
    found.put("family", model.family, Kind.published, named)
    for name, value in model.numbers.items():
        found.put(name, value, Kind.published, named)
    for name in ("method", "precision", "optimizer"):
        found.put(name, getattr(recipe, name), *origin(name))
    for name in ("samples", "seq_len", "global_batch"):
        value = getattr(recipe, name)
        if value is not None or name == "samples":
            found.put(name, value, *origin(name), "the workload does not say how many")
    for name, value in recipe.numbers.items():
        found.put(name, value, *origin(name))
    for name, figure in recipe.counted.items():
        if figure.low < figure.high and found.values.get(name) is not None:
            found.ranges[name] = (figure.low, figure.high)
    found.put("effort", "ordinary", Kind.assumed, "a stock trainer, as most people run it")
    if recipe.stack:
        found.put("stack", recipe.stack, Kind.stated, "flags")
    else:
        found.put("stack", PLAIN_STACK, Kind.assumed, "a stock trainer, as most people run it")
    return found


def on_device(job: Inputs, device: Inputs) -> Inputs:
    """Network, recipe and device; the device's own program where none is stated."""
    row = job.update(device)
    if row.sources.get("stack", ("", ""))[0] != Kind.stated.value:
        stack = usual_stack(device)
        told = "a stock trainer, as most people run it" if stack == PLAIN_STACK else "what such devices run"
        row.put("stack", stack, Kind.assumed, told)
    return row


def of_set_up(layout: Layout, devices: int) -> Inputs:
    """How many devices of the catalogue, and how the work is laid out on each."""
    found = Inputs()
    found.put("micro_batch", layout.micro_batch, Kind.assumed, "stated by the recipe, or one")
    found.put("recompute", layout.recompute, Kind.assumed, "none if it fits, else full")
    found.put("devices", float(devices), Kind.assumed, "counts of 1, 2, 4, … are tried")
    found.put("sharding", "fsdp" if devices > 1 else "none", Kind.assumed, "states cut over all devices")
    return found


def of_device(
    machine: Machine, device: Device, entry: Accelerator | None, name: str, calibration: Calibration | None
) -> Inputs:
    """A device of this machine: catalogue figures, overlaid with what was probed and measured."""
    found = of_accelerator(entry) if entry else _stranger(device)
    shown = device.memory_total_bytes
    if device.unified_memory.value or (entry is not None and entry.unified):
        found.put("hw_memory_unified", 1.0, Kind.probed, device.unified_memory.source)
        found.put("hw_memory_reported", None, Kind.probed, shown.source, "shared with the system")
        found.put_fact("hw_memory_vendor", shown, found.values["hw_devices_per_package"])
    elif shown.value is not None:
        found.put_fact("hw_memory_reported", shown)
    if device.power_limit_w.value is not None:
        # the driver's limit holds for one device, the rules count packages
        found.put_fact("hw_tdp", device.power_limit_w, found.values["hw_devices_per_package"])
    found.put("hw_price", None, Kind.stated, "this machine", "this machine is not rented")
    found.put("hw_spot_price", None, Kind.stated, "this machine", "this machine is not rented")
    return found.update(_host(machine.cpu)).update(of_calibration(calibration, name))


def _stranger(device: Device) -> Inputs:
    """A device that the catalogue does not know: nothing is lent to it."""
    found = Inputs()
    vendor = device.vendor if device.vendor in VENDORS else "other"
    found.put("vendor", vendor, Kind.probed, "probe")
    found.put("generation", "other", Kind.probed, "probe")
    found.put("hw_devices_per_package", 1.0, Kind.assumed, "one device a package")
    for dtype in PEAKS:
        found.put(
            f"hw_peak_{dtype}",
            None,
            Kind.vendor,
            "",
            "the device is not in the catalogue, and its rate is not measured yet",
        )
    found.put("hw_memory_unified", 0.0, Kind.assumed, "not in the catalogue")
    found.put("hw_memory_ecc", 0.0, Kind.assumed, "not in the catalogue")
    return found


def of_cpu(machine: Machine, calibration: Calibration | None) -> Inputs:
    """This machine's processors as the device that trains."""
    found = Inputs()
    found.put("vendor", "cpu", Kind.probed, "probe")
    found.put("generation", "cpu", Kind.probed, "probe")
    found.put("hw_devices_per_package", 1.0, Kind.assumed, "the processors count as one device")
    found.put_fact("hw_memory_reported", machine.memory.usable_bytes)
    for name in ("hw_price", "hw_spot_price"):
        found.put(name, None, Kind.stated, "this machine", "this machine is not rented")
    found.put("hw_tdp", None, Kind.probed, "", "power of the processors is not probed")
    return found.update(_host(machine.cpu)).update(of_calibration(calibration, "cpu"))


def _host(cpu: Cpu) -> Inputs:
    """Cores, clock and instruction sets of the processors."""
    found = Inputs()
    budget, per_core = cpu.budget_threads, cpu.threads_per_core.value or 1
    cores = None if budget.value is None else max(1.0, budget.value / per_core)
    if cores is not None and cpu.cores.value:
        cores = min(cores, float(cpu.cores.value))
    found.put("host_cores", cores, Kind.probed, budget.source or "cpu.budget_threads", budget.reason)
    clocks = (cpu.clock_measured_hz, cpu.clock_max_hz, cpu.clock_reported_hz)
    clock = next((clock for clock in clocks if clock.known), cpu.clock_measured_hz)
    found.put_fact("host_clock", clock)
    if clock.known and clock is not cpu.clock_max_hz:  # without a governor what is reported is nominal
        kind = Kind.measured if clock is cpu.clock_measured_hz else Kind.vendor
        found.put("host_clock", clock.value, kind, clock.source, clock.reason)
    sets = cpu.instruction_sets
    simd = None if sets.value is None else _simd(sets.value)
    found.put("host_simd", simd, Kind.probed, sets.source, sets.reason or "instruction sets are not known")
    return found


def _simd(sets: Mapping[str, bool]) -> str:
    """The widest instruction set that the rules know."""
    known = (
        ("amx", "amx_bf16"), ("avx512_bf16", "avx512_bf16"), ("avx512", "avx512f"), ("avx2", "avx2"),
        ("neon", "neon"), ("neon", "asimd"),
    )  # fmt: skip
    return next((word for word, flag in known if sets.get(flag)), "none")


def of_calibration(calibration: Calibration | None, device: str) -> Inputs:
    """What was measured on a device (and on the host that feeds it).

    What has a range alone (grade C) stays unknown, with the reason: prior and catalogue answer as before.
    """
    found = Inputs()
    for name in CALIBRATED:
        found.put(name, None, Kind.measured, "", "not measured here")
    if calibration is None:
        return found
    for rate in calibration.find("train_rate", device):
        name = f"cal_{rate.params.get('family')}_{rate.params.get('dtype')}"
        if rate.value is None and (not (rate.low and rate.high) or found.values.get(name) is not None):
            continue
        found.put_measured(name, rate)
        if rate.value is None:
            continue
        for family, key, column in SHAPES:
            size = rate.params.get(key)
            if rate.params.get("family") == family and isinstance(size, (int, float)):
                found.put(column, float(size), Kind.measured, rate.id)
    moved = [m for m in calibration.find("memory_bandwidth", device) if m.value]
    if moved:
        found.put_measured("hw_bandwidth", max(moved, key=lambda m: m.value or 0.0))
    decoded = [m for m in calibration.find("image_decode") if m.value]
    if decoded:
        found.put_measured("cal_decode_rate", decoded[-1])
    return found
