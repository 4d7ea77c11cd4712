"""What another card in the owned machine would gain for a job, and what it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import Catalogue
from advisor.data.systems import System
from advisor.errors import UserError
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Estimate, Machine, Workload
from advisor.search.grid import Stated
from advisor.search.here import Place
from advisor.search.one import estimate_one, place_of
from advisor.search.owned import host_lack
from advisor.search.systems import slot_inputs
from advisor.units import show

_REST_W = 300.0
"""Processor, board, disks and fans where no system of these cards is known (assumed)."""

_MOST = 8  # cards in one machine

_HARDLY = 1.05  # estimates are not told apart by less
_SUPPLY_SHARE, _SUPPLY_STEP_W = 0.8, 50.0
"""Share of a supply's rating that a machine may draw (assumed), and the steps supplies come in."""


def upgrades(  # noqa: PLR0913, PLR0917 - what is known, one by one
    book: RuleBook,
    catalogue: Catalogue,
    job: Workload,
    places: Sequence[Place],
    systems: Mapping[str, System],
    published: Published | None = None,
    machine: Machine | None = None,
) -> tuple[str, ...]:
    """One card more, and twice as many of those there, each in a sentence; empty without cards.

    Cards talk over the lanes that a workstation of so many has, else over such as the ones here have.
    """
    cards = [place for place in places if (entry := _entry(catalogue, place)) is not None and entry.card]
    if not cards:
        return ()
    here = max(cards, key=lambda place: place.target.devices)
    entry, count = _entry(catalogue, here), here.target.devices
    assert entry is not None  # noqa: S101 - chosen above
    each = entry.devices_per_package
    packages = max(1, count // each)
    here_lanes = _lanes_here(machine, here)
    ram = None if machine is None else machine.memory.total_bytes.value

    def estimate(number: int) -> tuple[Estimate, _Slots]:
        box = _workstation(systems, entry, number)
        slots = _Slots(box, *(_lanes_of(box) or here_lanes), ram)
        place = place_of(entry, number)
        own = slot_inputs(entry, slots.lanes, slots.generation)
        place = replace(place, inputs=place.inputs.update(own))
        return estimate_one(book, job, place, Stated(), published).estimate, slots

    try:
        before, _ = estimate(packages)
    except UserError:  # a batch smaller than the cards there are: more of them gain nothing
        return ()
    told = []
    for number in sorted({packages + 1, 2 * packages}):
        if number > _MOST:
            continue
        try:
            after, slots = estimate(number)
        except UserError:  # no layout on so many, as three cards for a batch of four
            continue
        told.append(_told(entry, packages, number, before, after, slots))
    return tuple(told)


def _entry(catalogue: Catalogue, place: Place) -> Accelerator | None:
    return catalogue.accelerators.get(place.target.accelerator_id)


class _Slots(NamedTuple):
    """Where cards stand: a workstation that is listed, and the lanes of each slot, where known."""

    box: System | None
    lanes: float | None = None
    generation: float | None = None
    ram_bytes: float | None = None  # of the machine that is there


def _workstation(systems: Mapping[str, System], entry: Accelerator, number: int) -> System | None:
    return next(
        (
            one
            for one in systems.values()
            if one.kind == "workstation" and one.accelerator == entry.id and one.accelerators == number
        ),
        None,
    )


def _lanes_of(box: System | None) -> tuple[float, float] | None:
    lanes, generation = (None, None) if box is None else map(box.slots.get, ("lanes", "generation"))
    return (lanes, generation) if lanes and generation else None


def _lanes_here(machine: Machine | None, here: Place) -> tuple[float | None, float | None]:
    """The narrowest slot that such a card has here, and the slowest generation of slot and card."""
    alike = ("", None, here.target.accelerator_id)
    devices = [] if machine is None else [one for one in machine.devices if one.accelerator_id.value in alike]
    lanes = [one.pcie_slot_width.value for one in devices if one.pcie_slot_width.value]
    known = [(one.pcie_slot_gen.value, one.pcie_gen_max.value) for one in devices]
    generations = [min(value for value in pair if value) for pair in known if any(pair)]
    if not lanes or not generations:
        return None, None
    return float(min(lanes)), float(min(generations))


def _told(  # noqa: PLR0913, PLR0917 - two estimates and what stands between them
    entry: Accelerator, have: int, number: int, before: Estimate, after: Estimate, slots: _Slots
) -> str:
    what = f"{number} x {entry.title} instead of {have}"
    lack = host_lack(before, slots.ram_bytes)
    if after.fits is False:
        return f"{what}: the job does not fit there either."
    was, now = (one.quantities["calendar_s"].value for one in (before, after))
    if before.fits is False:
        gain = "the job fits then" + (f", in {show(now, 's')}" if now else "")
    elif lack and now:
        gain = f"as it is the job does not run for want of host memory; it takes {show(now, 's')} then"
    elif was and now:
        times = _times(before, after, was / now, number / have)
        gain = f"{times} ({show(was, 's')} to {show(now, 's')} by the catalogue)"
    else:
        gain = "the time is not known"
    held = after.choices.get("host_memory", "").split(" on each")[0]
    return f"{what}: {gain}. {_takes(entry, number, slots, held)}"


def _times(before: Estimate, after: Estimate, gain: float, cards: float) -> str:
    """'1.7 times as fast'. More than there are more cards is noise between two estimates of one layout."""
    if gain < _HARDLY:
        return "hardly faster" if gain * _HARDLY > 1 else "slower"
    alike = all(
        before.choices.get(name) == after.choices.get(name)
        for name in {*before.choices, *after.choices} - {"dp", "sharding", "host_memory"}
    )
    if alike and gain > cards:
        return f"about {cards:.2g} times as fast"
    return f"{gain:.1f} times as fast"


def _takes(entry: Accelerator, number: int, slots: _Slots, held: str) -> str:
    """Power, supply, slots, and what the host must hold (`held`)."""
    box, parts = slots.box, []
    if box is not None and box.power_w is not None:
        supply = f": a supply of {box.power_supply}" if box.power_supply else ""
        parts.append(f"It draws up to {show(box.power_w, 'W')}{supply}")
    elif entry.tdp_w is not None:
        draw = number * entry.tdp_w + _REST_W
        supply_w = math.ceil(draw / _SUPPLY_SHARE / _SUPPLY_STEP_W) * _SUPPLY_STEP_W
        parts.append(f"It draws up to about {show(draw, 'W')}: a supply of about {supply_w:g} W")
    lanes = f" of x{slots.lanes:g} lanes" if slots.lanes else ""
    parts.append(f"{number} slots{lanes}")
    if held:
        has = f" (this machine has {show(slots.ram_bytes, 'B')})" if slots.ram_bytes else ""
        parts.append(f"{held} of host memory{has}")
    return f"{', '.join(parts)}."
