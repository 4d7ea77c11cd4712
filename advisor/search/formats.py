"""Number formats that devices lack: a stated one is refused, an open one is told as what is computed in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from advisor.errors import UserError
from advisor.estimate.inputs import Inputs
from advisor.schema import Workload

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


def check_format(workload: Workload, device: Inputs, title: str) -> None:
    """Raise UserError for a stated precision that the device cannot compute in, with one that it can."""
    precision = workload.recipe.precision
    if "precision" not in workload.recipe.stated or not lacks(device, precision):
        return
    missing = _OF[precision]
    instead = next(word for _, word in _INSTEAD[missing] if not lacks(device, word))
    raise UserError(f"{title} has no {missing}", f"Try --precision {instead}.")


def fallback(precision: str, device: Inputs) -> str:
    """The precision that is computed in where bf16 is asked for, and the device is known in fp16 alone."""
    known = device.values.get("hw_peak_fp16") is not None
    only = precision == "bf16_mixed" and known and device.values.get("hw_peak_bf16") is None
    return "fp16_mixed" if only else precision


def why_other(asked: str, taken: str, device: Inputs, title: str) -> str:
    """Why another format than the one asked for is computed in."""
    if lacks(device, asked):
        return f"{title} has no {_OF[asked]}"
    if taken == "fp16_mixed":
        return f"no dense bf16 peak of {title} is known here: its fp16 rate is taken"
    return f"{title} computes no faster in 16 bit: {taken} is taken"
