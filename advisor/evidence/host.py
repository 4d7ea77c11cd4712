"""Processors as a record of one's own describes them: what the process had, which no catalogue tells."""

from __future__ import annotations

import re

from advisor.data.accelerator import Accelerator
from advisor.data.files import shipped
from advisor.estimate.inputs import Inputs
from advisor.evidence.record import Record
from advisor.schema import Kind

_GIB = 2.0**30
_ROW = "the row"


def host_of(record: Record) -> tuple[Accelerator, Inputs] | None:
    """The processors of a record that gives their cores and clock, with their columns; else None.

    A virtual machine or a container has some cores of a socket, so these come before the catalogue's socket.
    """
    cores, clock = record.number("host_cores"), record.number("host_clock_hz")
    if record.text("vendor").casefold() != "cpu" or cores is None or clock is None:
        return None
    title = record.text("accelerator") or "processors"
    key = re.sub(r"[^a-z0-9]+", "-", title.casefold()).strip("-")
    file = shipped("rules") / "evidence" / "map.toml"
    entry = Accelerator(id=f"host-{key}", title=title, vendor="cpu", generation="cpu", file=file)
    found = Inputs()
    found.put("vendor", "cpu", Kind.published, _ROW)
    found.put("generation", "cpu", Kind.published, _ROW)
    found.put("hw_devices_per_package", 1.0, Kind.assumed, "the processors count as one device")
    found.put("host_cores", cores, Kind.published, _ROW)
    found.put("host_clock", clock, Kind.published, _ROW)
    simd = record.text("host_simd") or None
    found.put("host_simd", simd, Kind.published, _ROW, "the row does not say")
    memory = record.number("host_memory_gib")
    found.put(
        "hw_memory_reported", None if memory is None else memory * _GIB, Kind.published, _ROW,
        "the row does not say how much memory there is"
    )  # fmt: skip
    moved = record.number("host_bandwidth_gbs")
    found.put(
        "hw_bandwidth", None if moved is None else moved * 1e9, Kind.published, _ROW,
        "the row does not say how fast the memory is"
    )  # fmt: skip
    for name in ("hw_price", "hw_spot_price", "hw_tdp"):
        found.put(name, None, Kind.published, _ROW, "a machine of one's own")
    return entry, found
