"""What another card in the owned machine would gain for a job, and what it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import Catalogue
from advisor.data.systems import System
from advisor.errors import UserError
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Estimate, Workload
from advisor.search.grid import Stated
from advisor.search.here import Place
from advisor.search.one import estimate_one, place_of
from advisor.units import show

_REST_W = 300.0
"""Processor, board, disks and fans where no system of these cards is known (assumed)."""

_MOST = 8  # cards in one machine


def upgrades(  # noqa: PLR0913, PLR0917 - what is known, one by one
    book: RuleBook,
    catalogue: Catalogue,
    job: Workload,
    places: Sequence[Place],
    systems: Mapping[str, System],
    published: Published | None = None,
) -> tuple[str, ...]:
    """One card more, and twice as many of those there, each in a sentence; empty without cards."""
    cards = [place for place in places if (entry := _entry(catalogue, place)) is not None and entry.card]
    if not cards:
        return ()
    here = max(cards, key=lambda place: place.target.devices)
    entry, count = _entry(catalogue, here), here.target.devices
    assert entry is not None  # noqa: S101 - chosen above
    each = entry.devices_per_package
    packages = max(1, count // each)
    try:
        before = estimate_one(book, job, place_of(entry, packages), Stated(), published).estimate
    except UserError:  # a batch smaller than the cards there are: more of them gain nothing
        return ()
    told = []
    for number in sorted({packages + 1, 2 * packages}):
        if number > _MOST:
            continue
        try:
            after = estimate_one(book, job, place_of(entry, number), Stated(), published).estimate
        except UserError:  # no layout on so many, as three cards for a batch of four
            continue
        told.append(_told(entry, packages, number, before, after, systems))
    return tuple(told)


def _entry(catalogue: Catalogue, place: Place) -> Accelerator | None:
    return catalogue.accelerators.get(place.target.accelerator_id)


def _told(  # noqa: PLR0913, PLR0917 - two estimates and what stands between them
    entry: Accelerator,
    have: int,
    number: int,
    before: Estimate,
    after: Estimate,
    systems: Mapping[str, System],
) -> str:
    what = f"{number} x {entry.title} instead of {have}"
    if after.fits is False:
        return f"{what}: the job does not fit there either."
    was, now = (one.quantities["calendar_s"].value for one in (before, after))
    if before.fits is False:
        gain = "the job fits then" + (f", in {show(now, 's')}" if now else "")
    elif was and now:
        gain = f"{was / now:.1f} times as fast ({show(was, 's')} to {show(now, 's')} by the catalogue)"
    else:
        gain = "the time is not known"
    return f"{what}: {gain}. {_takes(entry, number, systems)}"


def _takes(entry: Accelerator, number: int, systems: Mapping[str, System]) -> str:
    """Power, supply and slots."""
    box = next(
        (
            one
            for one in systems.values()
            if one.kind == "workstation" and one.accelerator == entry.id and one.accelerators == number
        ),
        None,
    )
    parts = []
    if box is not None and box.power_w is not None:
        parts.append(f"It draws up to {show(box.power_w, 'W')}: a supply of {box.power_supply}")
        if lanes := box.slots.get("lanes"):
            parts.append(f"{number} slots of x{lanes:g} lanes (the estimate does not count lanes)")
    elif entry.tdp_w is not None:
        draw = number * entry.tdp_w + _REST_W
        parts.append(f"It draws up to about {show(draw, 'W')}: check the supply")
        parts.append(f"{number} slots")
    if not parts:
        return "Check supply and slots."
    return f"{', '.join(parts)}."
