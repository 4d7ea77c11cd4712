"""What is said of a row of a plan's table: figures with ranges, dated prices, what its hosts must hold."""

from __future__ import annotations

import datetime
import math

from advisor.data.accelerator import OLD_DAYS, Accelerator, Price, is_old
from advisor.data.catalogue import price_source
from advisor.estimate import Range
from advisor.schema import Kind, PlanOption, Quantity
from advisor.search.formats import PLAIN, computed, is_open
from advisor.search.plan_options import FOLLOWING, OWNED, Options
from advisor.search.plan_prices import NO_PRICE
from advisor.search.plan_product import Array
from advisor.search.words import devices_of_server, host_words, label_of


def option_of(options: Options, row: int) -> PlanOption:
    """A row with everything that is said of it."""
    entry, count = options.entry(row), int(options.counts[row])
    packages = float(options.told["packages"][row])
    space, box = options.found.space, options.box(row)
    return PlanOption(
        accelerator_id=entry.id,
        label=label_of(entry, count, packages),
        system=f"{options.pieces(row, box)} x {box.id}" if box else "",
        rack_units=None if math.isnan(options.rack_units[row]) else float(options.rack_units[row]),
        devices=count,
        packages=packages,
        choices=space.set_ups.row(int(options.found.set_up[row])).words(space.stated) | _told(options, row),
        quantities=_quantities(options, row),
        chance=None if options.chances is None else float(options.chances[row]),
        price_note=_price_note(options, row),
        untried=bool(options.untried[row]),
        unrated=bool(options.unrated[row]),
        price_old=bool(options.old[row]),
        price_unsure=bool(options.unsure[row]),
        beyond=bool(options.beyond[row]),
        far=bool(options.far[row]),
        tight=bool(options.found.tight[row]),
        breaks=options.breaks(row),
        near=tuple(dict.fromkeys(run.title for run in options.found.near.runs(row))),
    )


def _told(options: Options, row: int) -> dict[str, str]:
    """The number format computed in, where it is not the one asked for; what the hosts must hold."""
    space, at = options.found.space, int(options.device[row])
    device, asked = space.device_inputs[at], space.job.recipe.precision
    slow = "computes_16bit" in options.told and options.told["computes_16bit"][row] == 0
    taken = str(device.values.get("precision") or computed(space.job, device, slow=slow))
    found = {"precision": taken} if taken != asked and is_open(space.job) else {}
    if slow and taken not in PLAIN:  # memory is that of 16 bit, the rate is not
        found["arithmetic"] = "fp32"
    elif taken != asked and not found:
        found["arithmetic"] = taken.removesuffix("_mixed")
    found |= _cores_told(options, row) | _slots_told(options, row)
    each = float(options.told["host_bytes"][row]) if "host_bytes" in options.told else 0.0
    if each > 0:
        server = devices_of_server(float(options.counts[row]), device.values.get("hw_domain_devices"))
        found["host_memory"] = host_words(each, server)
    return found


def _cores_told(options: Options, row: int) -> dict[str, str]:
    """Cores of the system's host for each device, and what they must feed it with, of images."""
    box = options.box(row)
    if box is None or box.cpu_cores is None or not box.accelerators:
        return {}
    each = box.cpu_cores / (box.accelerators * options.entry(row).devices_per_package)
    text = f"{each:.3g} cores for each device"
    job, step = options.found.space.job, float(options.told["optimizer_step_s"][row])
    batch = job.recipe.global_batch
    if job.model.family in ("cnn", "vit") and batch and step > 0:
        text += f", {batch / step / options.counts[row] / each:.0f} images a second to read by each core"
    return {"host_cores": text}


def _slots_told(options: Options, row: int) -> dict[str, str]:
    """Slots of a workstation that wait for another card."""
    box = options.box(row)
    slots = {} if box is None or box.kind != "workstation" else box.slots
    free = 0 if box is None else int(slots.get("count", 0)) - box.accelerators
    lanes = slots.get("lanes")
    return {"free_slots": f"{free}" + (f" of x{lanes:g} lanes" if lanes else "")} if free > 0 else {}


def _quantities(options: Options, row: int) -> dict[str, Quantity]:
    entry = options.entry(row)
    calendar = Range(options.calendar.median, options.calendar.low, options.calendar.high)
    found = {
        "calendar_s": _quantity(calendar, row, "s", "no time"),
        "calendar_at_s": _one(options.late, row, "s", "no time"),
    }
    for name, given in FOLLOWING.items():
        reason = "no TDP is known here" if name == "energy_j" else NO_PRICE
        found[name] = _quantity(options.following[given], row, options.book.unit_of(given), reason)
    late = options.rent / options.calendar.median * options.late
    found["rent_at_usd"] = _one(late, row, "USD", NO_PRICE)
    for name in OWNED:
        reason = "no list price" if entry.bought is None else "no TDP is known here"
        if name == "break_even_s" and entry.bought is not None:
            reason = NO_PRICE if options.offer(row) is None else "renting stays cheaper"
        found[name] = _one(options.told[name], row, options.book.unit_of(name), reason)
    source = options.found.space.device_inputs[int(options.device[row])].sources["hw_purchase"][1]
    found["purchase_usd"] = found["purchase_usd"].model_copy(update={"source": source})
    for name, given in (("power_w", "power_w"), ("step_s", "optimizer_step_s")):
        reason = f"no TDP of the {entry.title} is known here"
        found[name] = _one(options.told[given], row, options.book.unit_of(given), reason)
    found["memory_bytes"] = _quantity(options.memory, row, "B", "no memory")
    offer = options.offer(row)
    if offer is not None:
        found["rent_usd"] = found["rent_usd"].model_copy(update={"source": price_source(offer)})
    return found


def _price_note(options: Options, row: int) -> str:
    told = options.entry(row), options.offer(row), options.limits.acquire
    return price_note(*told, options.today, unsure=bool(options.unsure[row]))


def price_note(
    entry: Accelerator, offer: Price | None, acquire: str, today: datetime.date, *, unsure: bool = False
) -> str:
    """Which price a cost rests on, and whether it is old; or that there is none."""
    note, as_of = "no public price", None
    if acquire == "rent" and offer is not None:
        whole = f" of {offer.packages}" if offer.packages > 1 else ""
        note, as_of = f"{offer.provider} {offer.instance}{whole}, {offer.as_of or 'undated'}", offer.as_of
        if unsure:
            note += f"; {offer.sure:,} of them are known to be joined"
    elif acquire == "buy" and entry.bought is not None:
        note, as_of = entry.bought.told, entry.bought.as_of
    else:
        return note
    return f"{note}: older than {OLD_DAYS} days" if is_old(as_of, today) else note


def _one(values: Array, row: int, unit: str, reason: str) -> Quantity:
    value = float(values[row])
    if math.isnan(value):
        return Quantity(unit=unit, reason=reason)
    return Quantity(value=value, unit=unit, kind=Kind.rule)


def _quantity(span: Range, row: int, unit: str, reason: str) -> Quantity:
    value, low, high = (float(values[row]) for values in span)
    if math.isnan(value):
        return Quantity(unit=unit, reason=reason)
    return Quantity(value=value, low=low, high=high, unit=unit, kind=Kind.rule)
