"""Which accelerators and systems a plan may take: what --only, --vendor and export rules leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import Catalogue, find_accelerator
from advisor.data.export import DISCLAIMER, export_note, load_export, needs_licence, unjudged
from advisor.data.processors import load_processors
from advisor.data.systems import System, find_system, names_of
from advisor.errors import UserError, did_you_mean, nearest
from advisor.estimate.inputs import Inputs
from advisor.schema import Kind, LeftOut, PlanLimits
from advisor.search.plan_site import Site, site_of
from advisor.search.systems import as_bought, joins, system_inputs, trains


def asked_for(catalogue: Catalogue, limits: PlanLimits) -> tuple[Accelerator, ...]:
    """The accelerators that --only and --vendor leave. Raises UserError where they leave none."""
    kept = _of_vendors(catalogue, limits)
    if not kept:
        raise _contradict(limits)
    return kept


def _of_vendors(catalogue: Catalogue, limits: PlanLimits) -> tuple[Accelerator, ...]:
    """The same, perhaps none. Raises UserError for names that are none."""
    _check_vendors(catalogue, limits)
    named = [_named(catalogue, name) for name in limits.only]
    chosen = named or list(catalogue.accelerators.values())
    return tuple(entry for entry in chosen if not limits.vendors or entry.vendor in limits.vendors)


def _check_vendors(catalogue: Catalogue, limits: PlanLimits) -> None:
    vendors = {entry.vendor for entry in catalogue.accelerators.values()}
    for vendor in limits.vendors:
        if vendor not in vendors:
            hint = did_you_mean(vendor, vendors) or f"Known: {', '.join(sorted(vendors))}."
            raise UserError(f"unknown vendor '{vendor}'", hint)


def _contradict(limits: PlanLimits) -> UserError:
    return UserError(
        f"--only {','.join(limits.only)} and --vendor {','.join(limits.vendors)} contradict each other: "
        "no accelerator is in both",
        "Leave one of them away.",
    )


def _named(catalogue: Catalogue, name: str) -> Accelerator:
    """The accelerator of that id; the start of several ids names none of them."""
    if name.strip().lower().startswith("cpu-") and name.strip().lower() in load_processors():
        raise UserError(
            f"{name} is a processor: a plan ranks accelerators, by rents that sockets do not have",
            f"Give `hwadvisor estimate --hardware '1 x {name.strip().lower()}'`.",
        )
    started = [key for key in catalogue.accelerators if key.startswith(name.strip().lower())]
    if name not in started and len(started) > 1:
        raise UserError(f"'{name}' is the start of several ids", f"Give one: {', '.join(started[:6])}.")
    return find_accelerator(catalogue, started[0] if len(started) == 1 else name)


def asked_with(
    catalogue: Catalogue, limits: PlanLimits, systems: Mapping[str, System]
) -> tuple[tuple[Accelerator | Site, ...], tuple[System | None, ...]]:
    """What is asked for, and of each the system that it is bought as, where that counts (else empty).

    --only may name systems: then whole ones with their own network. Where rack units are a limit, an
    accelerator is counted as the flattest system of it whose height is known.
    """
    chosen: list[tuple[Accelerator | Site, System | None]] = []
    bare = []
    _check_vendors(catalogue, limits)
    for name in limits.only:
        box = None if name in catalogue.accelerators else find_system(systems, name)
        if box is None:
            bare.append(name)
            continue
        entry = trains(box, catalogue)
        if not limits.vendors or entry.vendor in limits.vendors:
            chosen.append((_whole(entry, box), box))
    if bare or not limits.only:
        try:
            entries = _of_vendors(catalogue, limits.model_copy(update={"only": tuple(bare)}))
        except UserError as error:
            near = [one for name in bare for one in nearest(name, names_of(systems))]
            more = f" Systems like it: {', '.join(near[:3])}." if near else ""
            raise UserError(error.message, f"{error.hint}{more}") from error
        flattest = _flattest(systems) if limits.max_rack_units is not None else {}
        named = {box.id for _, box in chosen if box is not None}
        for entry in entries:
            if limits.acquire != "buy" or not entry.module or entry.vendor in RENTED:
                chosen.append((entry, flattest.get(entry.id)))
                continue
            box = flattest.get(entry.id) or _sold(systems, entry)
            if box is None:
                chosen.append((_board(entry), None))
            elif box.id not in named:
                chosen.append((_whole(entry, box), box))
    if not chosen:
        raise _contradict(limits)
    boxes = tuple(box for _, box in chosen)
    return tuple(one for one, _ in chosen), boxes if any(boxes) else ()


def _whole(entry: Accelerator, box: System) -> Site:
    """The accelerators of a system, had in whole systems alone, with its network, price, power and lanes."""
    bought = as_bought(entry, box)
    site = site_of(bought)
    inputs = site.inputs.update(system_inputs(bought, box))
    whole = float(box.accelerators * entry.devices_per_package)
    return replace(site, inputs=inputs, whole=whole, single=not joins(box))


def _sold(systems: Mapping[str, System], entry: Accelerator) -> System | None:
    """The system that a module is bought in: that with the lowest known price, else with a known power."""
    known = [box for box in systems.values() if box.accelerator == entry.id and box.kind != "cloud"]

    def order(box: System) -> tuple[bool, float, bool, str]:
        price = box.price.low + box.price.high if box.price and box.price.currency == "USD" else None
        return price is None, (price or 0.0) / box.accelerators, box.power_w is None, box.id

    return min(known, key=order, default=None)


def _board(entry: Accelerator) -> Site:
    """A module of which no system is known: in whole boards, which sit in servers."""
    site, joined = site_of(entry), entry.domain_devices or 0.0
    board = joined if joined <= _LARGEST_BOARD else 0.0
    inputs = site.inputs.update(Inputs())
    inputs.put("hw_in_server", 1.0, Kind.assumed, "modules are sold in servers alone")
    return replace(site, inputs=inputs, whole=board)


_LARGEST_BOARD = 16.0
"""Devices of a board or server of modules; a link that joins more joins servers."""


def _flattest(systems: Mapping[str, System]) -> dict[str, System]:
    """Of each accelerator the system with the fewest rack units to one of them."""
    found: dict[str, System] = {}
    for box in systems.values():
        if box.rack_units is None or not box.accelerator or box.kind == "cloud":
            continue
        held = found.get(box.accelerator)
        if held is None or box.rack_units / box.accelerators < (held.rack_units or 0) / held.accelerators:
            found[box.accelerator] = box
    return found


RENTED: Mapping[str, str] = {"aws": "AWS", "google": "Google Cloud"}
"""Vendors whose chips are for rent in their own clouds and for sale to nobody."""


def to_be_had(
    devices: Sequence[Accelerator | Site], boxes: Sequence[System | None], limits: PlanLimits
) -> tuple[tuple[Accelerator | Site, ...], tuple[System | None, ...], tuple[LeftOut, ...]]:
    """What may go to the destination without a licence, and is for sale where it shall be bought; the rest
    is left out, with the reason.

    Raises UserError for a destination of which no rules are held, and where nothing is left.
    """
    destination, buys = limits.destination, limits.acquire == "buy"
    known = load_export().destinations if destination else ()
    if destination and destination.casefold() not in known:
        told = f"No rules of others are held; known are {', '.join(known)}."
        raise UserError(f"unknown destination {destination[:40]!r}", told)
    kept, kept_boxes, barred = [], [], []
    for at, one in enumerate(devices):
        entry = one.entry if isinstance(one, Site) else one
        box = boxes[at] if boxes else None
        if (
            entry is not None
            and (left := _barred(entry, box, exported=bool(destination), bought=buys)) is not None
        ):
            barred.append(left)
            continue
        kept.append(one)
        kept_boxes += [boxes[at]] if boxes else []
    if not kept and barred:
        hint = "Ask for other accelerators: " + barred[0].why
        if barred[0].code not in ("export", "unchecked"):
            raise UserError("--acquire buy leaves nothing of what was asked for", hint)
        raise UserError(f"--destination {destination} leaves nothing of what was asked for", hint)
    return tuple(kept), tuple(kept_boxes), tuple(barred)


def _barred(entry: Accelerator, box: System | None, *, exported: bool, bought: bool) -> LeftOut | None:
    """Why an accelerator cannot be had, or None."""
    if exported and needs_licence(entry):
        change = "A licence, or another destination: ask whoever sells it."
        return LeftOut(accelerator_id=entry.id, code="export", why=export_note(entry), change=change)
    if exported and (lack := unjudged(entry)):
        own = f" {entry.export_note}." if entry.export_note else ""
        why = f"Whether the export rules name it is not known: {lack}{own}"
        return LeftOut(accelerator_id=entry.id, code="unchecked", why=why, change=DISCLAIMER)
    if bought and entry.vendor in RENTED:
        why = f"It is not for sale: {RENTED[entry.vendor]} rents it."
        return LeftOut(accelerator_id=entry.id, code="rented", why=why, change="Give --acquire rent.")
    if bought and box is not None and box.kind == "cloud":
        why = f"A {box.id} is not for sale: its cloud rents it."
        return LeftOut(accelerator_id=entry.id, code="rented", why=why, change="Give --acquire rent.")
    return None
