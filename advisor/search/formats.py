"""Number formats that devices lack: a stated one is refused, an open one is told as what is computed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from advisor.errors import UserError
from advisor.estimate import Table, evaluate
from advisor.estimate.inputs import Inputs, known_only, table_of
from advisor.rulebook import RuleBook
from advisor.schema import Workload
from advisor.search.inputs import of_workload, on_device
from advisor.search.layouts import Mask

_SCALED = ("mxfp8", "nvfp4")  # blocks of numbers that share a scale
_EIGHT = ("fp8", *_SCALED)
_BEFORE_AMPERE = ("bf16", "tf32", *_EIGHT)
LACKING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "nvidia_turing": _BEFORE_AMPERE,
        "nvidia_volta": _BEFORE_AMPERE,
        "nvidia_pascal": _BEFORE_AMPERE,
        "nvidia_maxwell": (*_BEFORE_AMPERE, "fp16"),
        "nvidia_kepler": (*_BEFORE_AMPERE, "fp16"),
        "nvidia_ampere": _EIGHT,
        "nvidia_ampere_gddr": _EIGHT,
        "nvidia_ada": _SCALED,
        "nvidia_hopper": _SCALED,
        "amd_gcn": ("bf16", "tf32", *_EIGHT),
        "amd_cdna": ("tf32", *_EIGHT),
        "amd_cdna3": _SCALED,
        "amd_rdna": ("tf32", *_SCALED),
        "huawei_910": ("bf16", "tf32", *_EIGHT),
        "huawei_910b": _EIGHT,
        "apple_gpu": ("tf32", *_EIGHT),
        "google_tpu": ("fp16", "tf32"),
        "graphcore_ipu": ("bf16", "tf32", *_EIGHT),
        "graphcore_bow": ("bf16", "tf32", *_EIGHT),
        "intel_gaudi1": _EIGHT,
        "intel_xe": _EIGHT,
        "cpu": ("tf32", *_EIGHT),
    }
)
"""Formats without arithmetic units, by generation. NVIDIA: CUDA C++ Programming Guide (bf16 and tf32 from
compute capability 8.0, fp16 from 5.3) and PTX ISA (fp8 products from 8.9, block scales from 10.0). AMD:
instruction sets of the Instinct MI50, CDNA and RDNA (tf32 in CDNA 3 alone, fp8 from CDNA 3 and in RDNA 4,
block scales from CDNA 4). TPU: cloud.google.com/tpu/docs/bfloat16 (matrix units take bf16 alone). Ascend
910: its file in rules/accelerators; fp8 comes with the 950 (Huawei Connect 2025). IPU: Tile Vertex ISA
(fp16 and fp32). Intel: oneAPI GPU Optimization Guide (data types of XMX), Gaudi's white paper (fp8 from
Gaudi 2). Apple: Metal Shading Language (no 8-bit floats). Processors: instruction sets of Intel, AMD and
Arm, as far as they are built. A format that is not listed may be there although no peak of it is known."""

_OF = {
    "bf16": "bf16", "bf16_mixed": "bf16", "fp16_mixed": "fp16", "tf32": "tf32", "fp8_mixed": "fp8",
    "mxfp8_mixed": "mxfp8", "nvfp4_mixed": "nvfp4",
}  # fmt: skip
_SIXTEEN = (("bf16", "bf16_mixed"), ("fp16", "fp16_mixed"), ("fp32", "fp32"))
_INSTEAD = {
    "bf16": (("fp16", "fp16_mixed"), ("fp32", "fp32")),
    "fp16": (("bf16", "bf16_mixed"), ("fp32", "fp32")),
    "tf32": (("fp32", "fp32"),),
    "fp8": _SIXTEEN,
    "mxfp8": (("fp8", "fp8_mixed"), *_SIXTEEN),
    "nvfp4": (("fp8", "fp8_mixed"), *_SIXTEEN),
}


def lacks(device: Inputs, precision: str) -> bool:
    """Whether the device has no units for what a precision computes in."""
    return _OF.get(precision, "") in LACKING.get(str(device.values.get("generation")), ())


def format_lacking(workload: Workload, device: Inputs) -> str:
    """The format that a stated precision computes in and the device has not; "" where it has it."""
    precision = workload.recipe.precision
    stated = "precision" in workload.recipe.stated
    return _OF[precision] if stated and lacks(device, precision) else ""


def instead_of(precision: str, device: Inputs) -> str:
    """The nearest precision that the device has, to one that it has not."""
    return next(word for _, word in _INSTEAD[_OF[precision]] if not lacks(device, word))


def check_format(workload: Workload, device: Inputs, title: str) -> None:
    """Raise UserError for a stated precision that the device cannot compute in, with one that it can."""
    if missing := format_lacking(workload, device):
        instead = instead_of(workload.recipe.precision, device)
        raise UserError(f"{title} has no {missing}", f"Try --precision {instead}.")


_PEAK = {"mxfp8": "fp4", "nvfp4": "fp4"}
_OPEN = ("bf16_mixed", "fp16_mixed", "tf32", "fp32")
PLAIN = ("fp32", "tf32")
"""Precisions whose weights and arithmetic are of 32 bits."""


def is_open(workload: Workload) -> bool:
    """Whether nobody stated a precision. A traced network is taken as it was traced."""
    return "precision" not in workload.recipe.stated and workload.model.family != "traced"


def landing(workload: Workload, device: Inputs, *, slow: bool) -> str:
    """The precision that an open one lands on there; a stated one is as it is."""
    return computed(workload, device, slow=slow) if is_open(workload) else workload.recipe.precision


def computed(workload: Workload, device: Inputs, *, slow: bool) -> str:
    """What is computed in: what the workload asks for, else the first that the device has and of which a
    peak is known. `slow`: what is asked for is 16 bit, and there no faster than fp32."""
    asked = workload.recipe.precision
    if asked == "fp32":
        return asked
    # weights that stay in 16 bit, whatever is computed in
    keeps = asked == "bf16" or workload.recipe.method in ("lora", "qlora")
    if slow and not keeps and asked not in PLAIN:
        return "fp32"
    if device.values.get("vendor") == "cpu":  # the rules know its formats by its instructions
        return asked
    here = [word for word in (asked, *_OPEN) if not lacks(device, word)]
    return next((word for word in here if _known(device, word)), here[0])


def _known(device: Inputs, precision: str) -> bool:
    """Whether a rate of the device in this format is known: its peak, or measured here."""
    name = _OF.get(precision, "fp32")
    measured = (f"cal_{family}_{name}" for family in ("decoder", "cnn"))
    return any(device.values.get(one) is not None for one in (f"hw_peak_{_PEAK.get(name, name)}", *measured))


def slow_in_16bit(book: RuleBook, table: Table) -> Mask:
    """Of each row whether 16-bit arithmetic is asked for and is no faster there than fp32."""
    if "computes_16bit" not in book.quantities:
        return np.zeros(table.rows, dtype=bool)
    found = evaluate(book, table, ("computes_16bit",), keep_all=False).columns["computes_16bit"]
    return np.asarray(found == 0)


def landings(book: RuleBook, workload: Workload, devices: Sequence[Inputs], table: Table) -> list[str]:
    """The same of each of these devices, of which the table has a row with the workload's columns."""
    if not is_open(workload):
        return [workload.recipe.precision] * len(devices)
    slow = slow_in_16bit(book, table)
    return [landing(workload, device, slow=bool(one)) for device, one in zip(devices, slow, strict=True)]


def with_format(book: RuleBook, workload: Workload, device: Inputs) -> Workload:
    """The workload in the precision that an open one lands on there."""
    if not is_open(workload):
        return workload
    row = known_only(book, on_device(of_workload(workload), device))
    return in_format(workload, landings(book, workload, [device], table_of(book, [row]))[0])


def in_format(workload: Workload, precision: str) -> Workload:
    """The workload in another precision, as little stated as before."""
    if precision == workload.recipe.precision:
        return workload
    recipe = workload.recipe.model_copy(update={"precision": precision})
    return workload.model_copy(update={"recipe": recipe})


def why_other(asked: str, taken: str, device: Inputs, title: str) -> str:
    """Why another format than the one asked for is computed in."""
    unknown = taken in PLAIN and unrated_16bit(device)
    if lacks(device, asked):
        if unknown:
            return f"{title} has no {_OF[asked]}, and no dense fp16 peak of it is known here"
        if taken == "fp32" and not lacks(device, "fp16_mixed"):
            return f"{title} has no {_OF[asked]}, and computes no faster in fp16"
        return f"{title} has no {_OF[asked]}"
    if taken == "fp16_mixed":
        return f"no dense bf16 peak of {title} is known here: its fp16 rate is taken"
    if unknown:
        return f"no dense 16-bit peak of {title} is known here: its {taken} rate is taken"
    return f"{title} computes no faster in 16 bit: {taken} is taken"


def unrated_16bit(device: Inputs) -> bool:
    """Whether the device computes in 16 bit at a rate that nobody here knows."""
    here = [word for word in ("bf16_mixed", "fp16_mixed") if not lacks(device, word)]
    cpu = device.values.get("vendor") == "cpu"
    return bool(here) and not cpu and not any(_known(device, word) for word in here)


def unrated_note(taken: str, device: Inputs, title: str) -> tuple[str, ...]:
    """That 16 bit might be faster than what is taken, where its rate is not known."""
    if taken not in PLAIN or not unrated_16bit(device):
        return ()
    return (f"No dense 16-bit peak of {title} is known here: its {taken} rate is taken.",)
