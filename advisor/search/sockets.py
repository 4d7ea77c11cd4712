"""Processors that --hardware names: so many sockets of a server as the one device that trains."""

from __future__ import annotations

from advisor.data.catalogue import Catalogue
from advisor.data.processors import Socket, load_sockets
from advisor.errors import UserError
from advisor.estimate.inputs import Inputs
from advisor.schema import Kind, Target
from advisor.search.hardware import counted
from advisor.search.here import Place

MOST_SOCKETS = 16
_MEMORY = "a server's memory does not come with its processors"


def find_sockets(catalogue: Catalogue, text: str) -> Place | None:
    """The place that '2 x cpu-amd-epyc-9654' or a processor's name means; None where it means none.

    Raises UserError for several servers and for more sockets than a server has.
    """
    nodes, number, name = counted(text)
    sockets = load_sockets()
    found = sockets.get(name.casefold()) or sockets.get(f"cpu-{name.casefold()}")
    if found is None:
        from advisor.data.resolve import device_names

        found = sockets.get(device_names(catalogue).resolve(None, name).id or "")
    if found is None:
        return None
    if nodes > 1 or number > MOST_SOCKETS:
        raise UserError(
            f"--hardware {text[:60]!r}: processors are estimated within one server",
            f"Give up to {MOST_SOCKETS} sockets, e.g. '2 x {found.entry.id}'.",
        )
    return place_of_sockets(found, number)


def place_of_sockets(socket: Socket, number: int) -> Place:
    """So many sockets, which count as one device as torch sees them; what a socket has, so many times."""
    entry, found = socket.entry, Inputs()
    source = f"{entry.file.name}: {entry.sources.get('facts', '')}"
    found.put("vendor", "cpu", Kind.vendor, source)
    found.put("generation", "cpu", Kind.vendor, source)
    found.put("hw_devices_per_package", 1.0, Kind.assumed, "the processors count as one device")
    cores = None if entry.compute_units is None else float(entry.compute_units * number)
    found.put("host_cores", cores, Kind.vendor, source, "the number of its cores is not sourced")
    told = f"{entry.title}: {socket.why_not}"
    found.put("host_clock", socket.clock_hz, Kind.vendor, source, told)
    found.put("host_simd", socket.simd, Kind.vendor, source, told)
    for name, value, what in (
        ("hw_bandwidth", entry.memory_bandwidth, "memory bandwidth"), ("hw_tdp", entry.tdp_w, "TDP"),
    ):  # fmt: skip
        why = f"no {what} of the {entry.title} is known here"
        found.put(name, None if value is None else value * number, Kind.vendor, source, why)
    found.put("hw_memory_vendor", None, Kind.vendor, source, _MEMORY)
    found.put("hw_memory_reported", None, Kind.vendor, source, _MEMORY)
    for name in ("hw_price", "hw_spot_price"):
        found.put(name, None, Kind.published, source, "no public price with a date")
    target = Target(
        label=f"{number} x {entry.id}", accelerator_id=entry.id, devices=1, packages=float(number),
        device="cpu",
    )  # fmt: skip
    return Place(target, found)
