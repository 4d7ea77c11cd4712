"""Systems as the search sees them: their accelerators, with the network that they really have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from advisor.data.accelerator import Accelerator, Purchase
from advisor.data.catalogue import Catalogue
from advisor.data.systems import System, find_system, names_of
from advisor.errors import UserError, nearest
from advisor.estimate.inputs import Inputs
from advisor.schema import Kind
from advisor.search.hardware import MOST_DEVICES
from advisor.search.here import Place
from advisor.search.one import place_of

_BEFORE = re.compile(r"(\d{1,9})\s*[x×*]\s*(\S.*)")
_BEHIND = re.compile(r"(\S.*?)\s*[x×*]\s*(\d{1,9})")
MARK = "system "
"""How the source of a system's own figure begins, so that an estimate can be made again from its trace."""


OF_A_SYSTEM = (
    "hw_network_bandwidth", "hw_system_power", "hw_system_typical", "hw_on_desk", "hw_in_server",
    "hw_server_devices",
)  # fmt: skip
"""Columns of an estimate that come from the system, its source in front."""


_UNJOINED = "What joins {} x {} is not known: they count as one machine, so the time is the least it takes."


class Counted(NamedTuple):
    """So many systems of a kind."""

    system: System
    number: int


def named_system(systems: Mapping[str, System], text: str) -> Counted | None:
    """'4 x dgx-h100', 'dgx-h100 x 4' or an id or alias alone; None where no system is named.

    Raises UserError for a count of none and of too many.
    """
    for name, number in _readings(text.strip()):
        found = find_system(systems, name)
        if found is None:
            continue
        count = int(number)
        if count < 1:
            raise UserError(f"--hardware {text!r} counts none", "Give a count above zero.")
        if count * max(1, found.accelerators) > MOST_DEVICES:
            raise UserError(f"--hardware {text[:60]!r} is too many", f"At most {MOST_DEVICES:,} devices.")
        return Counted(found, count)
    return None


def near_systems(systems: Mapping[str, System], text: str) -> list[str]:
    """Ids and aliases most like what was written."""
    return nearest(_readings(text.strip())[-1][0][:80], names_of(systems))


def _readings(text: str) -> list[tuple[str, str]]:
    """A name and a count, the way it may be meant; the whole text first (an id may begin with a number)."""
    found = [(text, "1")]
    if match := _BEFORE.fullmatch(text):
        found.append((match[2], match[1]))
    if match := _BEHIND.fullmatch(text):
        found.append((match[1], match[2]))
    return found


_LANE_BYTES_PER_S = {3: 15.75e9 / 16, 4: 31.5e9 / 16, 5: 63e9 / 16, 6: 121e9 / 16}
"""One direction of a lane as PCI-SIG prints it (github:stas00/ml-engineering network/README.md)."""


def trains(system: System, catalogue: Catalogue) -> Accelerator:
    """The accelerator of a system. Raises UserError where it has none."""
    if not system.accelerator:
        raise UserError(
            f"{system.id} has processors alone: nothing estimates them from a catalogue",
            "Run `hwadvisor scan` on one, and estimate with --calibration.",
        )
    return catalogue.accelerators[system.accelerator]


def place_of_system(catalogue: Catalogue, counted: Counted) -> Place:
    """The accelerators of so many systems, joined by the network that the systems have."""
    system, number = counted
    entry = trains(system, catalogue)
    place = place_of(entry, system.accelerators, number)
    rate = system.network_bytes_per_s
    lanes = slot_inputs(entry, system.slots.get("lanes"), system.slots.get("generation"))
    place = replace(place, inputs=place.inputs.update(lanes).update(power_inputs(entry, system)))
    if rate is not None and system.network is not None:
        each = rate / (system.accelerators * entry.devices_per_package)
        source = f"{MARK}{system.id}: {system.ports} x {system.network.title}; {system.source_of('network')}"
        place.inputs.put("hw_network_bandwidth", each, Kind.vendor, source)
    place = replace(place, host_bytes=system.ram_bytes)
    if number > 1 and not joins(system):
        place = replace(place, notes=(*place.notes, _UNJOINED.format(number, system.id)))
    return place


def joins(system: System) -> bool:
    """Whether several of a system can be one cluster: nothing is known that joins workstations."""
    return system.network is not None or not system.on_desk


def slot_inputs(entry: Accelerator, lanes: float | None, generation: float | None) -> Inputs:
    """What cards without a link of their own say to each other over slots of so many lanes."""
    found = Inputs()
    if not entry.card or entry.link_bandwidth is not None or not lanes or not generation:
        return found
    printed = _LANE_BYTES_PER_S.get(int(generation))
    if printed is not None:
        source = f"PCIe {generation:g} x{lanes:g}, halved where cards share it, as constant pcie_rate"
        found.put("hw_link_bandwidth", lanes * printed / 2, Kind.vendor, source)
    return found


def system_inputs(entry: Accelerator, system: System) -> Inputs:
    """What one accelerator of a system has of it: its part of the price and power of the whole, its lanes."""
    lanes = slot_inputs(entry, system.slots.get("lanes"), system.slots.get("generation"))
    return price_inputs(system).update(power_inputs(entry, system)).update(lanes)


def power_inputs(entry: Accelerator, system: System) -> Inputs:
    """Power of a system for each of its accelerators, and where it stands."""
    found, each = Inputs(), max(1, system.accelerators)
    for name, figure, watts in (
        ("hw_system_power", "power", system.power_w),
        ("hw_system_typical", "typical_power", system.typical_w),
    ):
        source = f"{MARK}{system.id}: {figure.replace('_', ' ')} of the whole; {system.source_of(figure)}"
        if watts is not None:
            found.put(name, watts / each, Kind.vendor, source)
    whole = f"{MARK}{system.id}: {system.kind} of {each}"
    found.put("hw_on_desk" if system.on_desk else "hw_in_server", 1.0, Kind.vendor, whole)
    found.put("hw_server_devices", float(each * entry.devices_per_package), Kind.vendor, whole)
    return found


def price_inputs(system: System) -> Inputs:
    """What one accelerator of a system costs with its share of the rest, where the whole has a price."""
    found, price = Inputs(), system.price
    if price is None or price.currency != "USD":
        return found
    each = (price.low + price.high) / 2 / system.accelerators
    source = f"price of a whole {system.id}, {price.as_of or 'undated'}: {system.source_of('price')}"
    found.put("hw_system_price", each, Kind.published, source)
    found.put("hw_purchase", each, Kind.published, source)
    return found


def told_of(counted: Counted) -> str:
    """'4 x dgx-h100: 32 x nvidia-h100-sxm5-80gb; 32 U, 40.8 kW at most.'"""
    system, number = counted
    parts = []
    if system.rack_units is not None:
        parts.append(f"{system.rack_units * number:g} rack units")
    if system.power_w is not None:
        parts.append(f"{system.power_w * number / 1000:.4g} kW at most")
    if system.ram_bytes is not None:
        parts.append(f"{system.ram_bytes * number / 1e12:.3g} TB of host memory")
    if system.cpu_cores is not None:
        parts.append(f"{system.cpu_cores * number:,} cores")
    what = f"{number} x {system.id}: {number * system.accelerators} x {system.accelerator}"
    return f"{what}; {', '.join(parts)}." if parts else f"{what}."


def as_bought(entry: Accelerator, system: System) -> Accelerator:
    """The catalogue's entry with the network of this system, and its price where it has one."""
    price = system.price
    if price is not None and price.currency == "USD":
        each = (price.low + price.high) / 2 / system.accelerators
        span = f" of {price.low:,.0f} to {price.high:,.0f} USD" if price.high > price.low else ""
        whole = Purchase(each, each, each, price.as_of, f"price of a whole {system.id}{span}")
        entry = replace(entry, bought=whole)
    rate = system.network_bytes_per_s
    if rate is None or system.network is None:
        return entry
    cites = {**entry.cites, "network": ("system",)}
    sources = {**entry.sources, "system": f"{MARK}{system.id}: {system.source_of('network')}"}
    return replace(
        entry,
        network=system.network.title,
        network_bytes_per_s=rate / system.accelerators,
        cites=cites,
        sources=sources,
    )
