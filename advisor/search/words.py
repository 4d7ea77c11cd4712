"""The one sentence of an estimate: why it fits or not, and what limits it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from advisor.schema import Quantity, Workload
from advisor.search.grid import SetUp
from advisor.units import DAY_S, show, show_end, show_ranged

if TYPE_CHECKING:
    from advisor.data.accelerator import Accelerator
    from advisor.schema import Calibration, Device, Machine


def label_of(device: Accelerator, count: int, packages: float) -> str:
    """'8 x nvidia-h100-sxm5-80gb', '8 x aws-trainium2 (64 devices)': what one rents, then what one sees."""
    if device.devices_per_package == 1:
        return f"{count} x {device.id}"
    return f"{packages:g} x {device.id} ({count} device{'s' if count > 1 else ''})"


def memory_sentence(need: Quantity, has: Quantity, where: str) -> str:
    """'Needs 21 GiB of the 24 GiB on each device.' or what is missing."""
    if need.value is None:
        return f"Memory needed is not known: {need.reason}."
    if has.value is None:
        return f"Needs {show(need.value, 'B')}; what there is is not known: {has.reason}."
    there = show(has.value, "B")
    if need.value > has.value:
        return f"Needs {show(need.value, 'B')}, {where} has {there}: {_times(need.value / has.value)}."
    tight = " Tight: the upper end of the estimate does not fit." if (need.high or 0) > has.value else ""
    return f"Needs {show(need.value, 'B')} of the {there} {where} has.{tight}"


NOT_HELD = "is known here"


def unrated_note(reason: str, title: str, ran: bool) -> str:
    """What would help where the device's figure is missing (`reason`) and no run on it published; or ''."""
    if ran or not reason.endswith(NOT_HELD):
        return ""
    return (
        f"No published run on {title} is known either. A trial on such a machine (hwadvisor trial) would "
        "tell, or the figure in a file of your own (--rules DIR, see docs/adding.md)."
    )


def positions_note(workload: Workload) -> list[str]:
    """A note where sequences are longer than the positions that the network has learned vectors for."""
    length, learned = workload.recipe.seq_len, workload.model.numbers.get("positions")
    if not length or not learned or length <= learned:
        return []
    return [
        f"The network has learned positions for {learned:,.0f} tokens: sequences of {length:,.0f} need more "
        "of them, which are not counted."
    ]


_SERVER = 8.0
IF_THE_HOST = "Fits, if each server of"
"""How the sentence begins that stands in the place of "Fits." where something is offloaded."""


def devices_of_server(devices: float, domain: float | None) -> float:
    """Devices that share a host: all where they are few, else those of one scale-up domain, else eight."""
    if devices <= _SERVER:
        return devices
    return domain if domain is not None and 1 < domain <= 2 * _SERVER else _SERVER


def host_sentence(each: float, server: float) -> str:
    """What the memory of a server must hold of what is offloaded; '' where nothing is."""
    if not each > 0:
        return ""
    whole = show(each * server, "B")
    return f"{IF_THE_HOST} {server:g} has {whole} for what is offloaded to it."


def host_words(each: float, server: float) -> str:
    """The same in few words, for a layout."""
    return f"{show(each * server, 'B')} on each server of {server:g}"


def _times(ratio: float) -> str:
    return f"{ratio - 1:.0%} too much" if ratio < 2 else f"{ratio:.1f} times as much"


_STRIDE = 32.0  # pixels that the strides of classifiers make one of, from AlexNet and VGG to ConvNeXt


def small_image_note(workload: Workload) -> list[str]:
    """That an image is less than what a convolutional network makes one value of."""
    edge = workload.recipe.numbers.get("image_size", _STRIDE)
    if workload.model.family != "cnn" or edge >= _STRIDE:
        return []
    return [
        f"Images of {edge:g} pixels are smaller than the {_STRIDE:g} that such networks make one value of: "
        "their last layers see nothing but borders, and no published run is like it."
    ]


def uneven_note(workload: Workload, chosen: SetUp) -> list[str]:
    """That the stages of a pipeline are uneven: all wait for the largest."""
    layers, stages = workload.model.numbers.get("layers"), chosen.pp * chosen.vpp
    if not layers or stages == 1 or layers % stages == 0:
        return []
    most, mean = math.ceil(layers / stages), layers / stages
    return [
        f"{layers:g} blocks in {stages} pipeline stages are uneven: the largest has {most}, and all wait for "
        f"it. Times are told for the mean of {mean:.3g}: up to {most / mean - 1:.0%} more, and Megatron "
        "takes such stages only if told which blocks each has."
    ]


def late_sentence(time: Quantity, late_s: float | None, workload: Workload) -> str:
    """'It would take 3 years, nine runs of ten up to 4 years; the horizon is 7 days.' or ''."""
    if time.value is None or late_s is None or workload.deadline_days is None:
        return ""
    horizon = workload.deadline_days * DAY_S
    if late_s <= horizon:
        return ""
    span = (time.value, time.low, time.high)
    times = f"{show_ranged(*span, 's').figure}, nine runs of ten up to {show_end(late_s, *span, 's')}"
    return f"It would take {times}; the horizon is {show(horizon, 's')}."


def framework_problem(machine: Machine, device: Device, calibration: Calibration | None = None) -> str:
    """Why no framework here can use the device, or '' when one can or nobody knows.

    A calibration knows too: torch was imported for it, and what it saw is in `Calibration.devices`. And a
    build for the processor alone need not be asked about a GPU of NVIDIA or AMD; other vendors' devices
    may come to such a build by a plug-in.
    """
    name, uuid, pci_address = device.name.value or "", device.uuid.value or "", device.pci_address.value or ""
    frameworks = machine.software.frameworks
    installed = [f for f in frameworks if f.version.known]
    if frameworks and not installed:
        return "No training framework is installed in this Python environment."
    for framework in installed:
        for seen in framework.sees.value or ():
            if (uuid and seen.uuid and seen.uuid.removeprefix("GPU-") == uuid.removeprefix("GPU-")) or (
                pci_address
                and seen.pci_address
                and seen.pci_address.lower()[-10:] == pci_address.lower()[-10:]
            ):
                return ""
            if not seen.uuid and not seen.pci_address and seen.device_name == name:
                return ""
    if calibration is not None and calibration.torch_version and not set(calibration.devices) - {"cpu"}:
        return f"torch {calibration.torch_version}, as the measurements found it, sees no accelerator."
    blind = ("cpu",) if device.vendor in ("nvidia", "amd") else ()
    if not frameworks or any(f.sees.value is None and f.build.value not in blind for f in installed):
        return ""
    builds = ", ".join(f"{f.name} {f.version.value} ({f.build.value or 'build unknown'})" for f in installed)
    return f"No framework here sees the device: {builds}."
