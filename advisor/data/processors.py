"""Processors by socket, with peaks worked out of cores, clock and vector units (rules/cpus/sockets.toml)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from advisor import units
from advisor.data.accelerator import Accelerator
from advisor.data.files import read_toml, shipped
from advisor.data.read_catalogue import text
from advisor.errors import DataError, did_you_mean

_SIMD = {"neon": "neon", "avx2": "avx2", "avx512_half": "avx2", "avx512_one": "avx2", "avx512": "avx512"}
"""Vector unit of a socket -> the word of the rules' column host_simd that stands for as many operations."""


class Socket(NamedTuple):
    """A processor as the rules' columns of a host want it; None: not sourced."""

    entry: Accelerator
    clock_hz: float | None
    simd: str | None
    why_not: str = ""  # no clock or vector unit


def load_sockets(path: Path | None = None) -> dict[str, Socket]:
    """The same processors with clock and vector units, by id."""
    path = path or shipped("rules") / "cpus" / "sockets.toml"
    raw = {one["id"]: one for one in read_toml(path).get("processor", [])}
    return {key: _socket(entry, path, raw[key]) for key, entry in load_processors(path).items()}


def _socket(entry: Accelerator, path: Path, raw: Mapping[str, Any]) -> Socket:
    if "no_peak" in raw or "clock" not in raw or "fp32_unit" not in raw:
        return Socket(entry, None, None, raw.get("no_peak", "its clock or vector units are not sourced"))
    simd = "amx" if raw.get("bf16_unit") == "amx" else raw.get("bf16_unit") or _SIMD[raw["fp32_unit"]]
    return Socket(entry, units.parse(text(path, raw, "clock")).value, simd)


def load_processors(path: Path | None = None) -> dict[str, Accelerator]:
    """Processors as entries of vendor and generation "cpu", one socket each; `path` None: the shipped file.

    They stand apart from the catalogue's accelerators: nobody is advised to rent a socket, but published runs
    and a user's own host need their peaks.
    """
    path = path or shipped("rules") / "cpus" / "sockets.toml"
    raw = read_toml(path)
    operations = raw.get("operations_per_cycle", {})
    entries = [_entry(path, one, operations, raw.get("sources", {})) for one in raw.get("processor", [])]
    return {entry.id: entry for entry in entries}


def _entry(
    path: Path, raw: Mapping[str, Any], operations: Mapping[str, Any], sources: Mapping[str, str]
) -> Accelerator:
    cores = raw.get("cores")
    if not isinstance(cores, int) or isinstance(cores, bool) or cores < 1:
        raise DataError.at(path, "cores", cores, "is no whole number from 1 up", "")
    peaks = {
        dtype: cores * units.parse(text(path, raw, "clock")).value * _rate(path, raw, key, operations[dtype])
        for dtype, key in (("fp32", "fp32_unit"), ("bf16", "bf16_unit"))
        if key in raw
    }
    bandwidth, power = raw.get("memory_bandwidth"), raw.get("tdp")
    return Accelerator(
        id=text(path, raw, "id"),
        title=text(path, raw, "title"),
        vendor="cpu",
        generation="cpu",
        file=path,
        architecture=text(path, raw, "architecture", ""),
        form_factor="socket",
        compute_units=cores,
        memory_bandwidth=None if bandwidth is None else units.parse(bandwidth).value,
        tdp_w=None if power is None else units.parse(power).value,
        peaks=peaks,
        notes=f"no peak: {raw['no_peak']}" if "no_peak" in raw else "",
        cites={"general": ("facts",), "peak": ("cycle", "facts")},
        sources={"facts": text(path, raw, "source"), **sources},
    )


def _rate(path: Path, raw: Mapping[str, Any], key: str, known: Mapping[str, Any]) -> float:
    """Operations of one core and cycle."""
    unit = text(path, raw, key)
    if unit not in known:
        raise DataError.at(path, key, unit, "is no known unit", did_you_mean(unit, known))
    return float(known[unit])
