"""Several jobs' machines as they are stored: figures with ranges and dated prices, each job on the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from advisor.data.accelerator import Accelerator, Price
from advisor.data.catalogue import price_source
from advisor.schema import FleetJob, FleetOption, FleetPlan, Kind, LeftOut, PlanLimits, PlanOption, Quantity
from advisor.search.own import JOB
from advisor.search.plan_option import price_note
from advisor.search.plan_prices import NO_PRICE, offer_of
from advisor.search.several import Adder
from advisor.search.several_fleet import Fleet, Several
from advisor.search.several_jobs import jobs_on
from advisor.search.several_taken import Counted
from advisor.units import HOUR_S, YEAR_S


class Named(NamedTuple):
    """A job, and what the file calls it."""

    counted: Counted
    title: str = ""
    due: bool = False  # whether the file says when a run is due


def fleet_plan(
    adder: Adder, found: Several, jobs: Sequence[Named], limits: PlanLimits, stack: str
) -> FleetPlan:
    """All that is told of them. Of a search that was stopped no job is: it is not known which are counted."""
    counted = [one.counted for one in jobs]
    whole = found.jobs == len(jobs)
    told: list[PlanOption | None] = [None] * len(jobs)
    if whole and found.fleets:
        told = jobs_on(adder, found.fleets[0], counted)
    return FleetPlan(
        limits=limits,
        stack=stack,
        jobs=tuple(
            FleetJob(
                workload=f"{JOB}-{at}",
                title=one.title,
                per_year=one.counted.per_year,
                due=one.due,
                option=option,
            )
            for at, (one, option) in enumerate(zip(jobs, told, strict=True), 1)
        ),
        counted=found.jobs,
        runs=found.runs,
        options=tuple(_option(adder, fleet, limits) for fleet in found.fleets),
        left_out=tuple(LeftOut(accelerator_id=name, code="several", why=why) for name, why in found.left_out),
        miss=found.miss,
        relax=found.relax,
    )


def _option(adder: Adder, fleet: Fleet, limits: PlanLimits) -> FleetOption:
    entry = adder.sites[fleet.site].entry
    assert entry is not None  # noqa: S101 - sites of a plan are of the catalogue
    box = adder.boxes[fleet.site] if adder.boxes else None
    offer = offer_of(entry, fleet.devices)
    return FleetOption(
        accelerator_id=fleet.accelerator_id,
        label=fleet.label,
        system=box.id if box else "",
        packages=fleet.packages,
        devices=fleet.devices,
        machines=fleet.machines,
        quantities=_quantities(fleet, entry, offer),
        price_note=price_note(entry, offer, limits.acquire, adder.today),
        price_old=fleet.price_old,
        unrated=fleet.unrated,
        offloads=fleet.offloads,
        rack_units=fleet.rack_units,
    )


def _quantities(fleet: Fleet, entry: Accelerator, offer: Price | None) -> dict[str, Quantity]:
    no_power = f"no TDP of the {entry.title} is known here"
    no_purchase = "no list price" if entry.bought is None else no_power

    def ranged(name: str, value: float | None, unit: str, reason: str, factor: float = 1.0) -> Quantity:
        if value is None:
            return Quantity(unit=unit, reason=reason)
        low, high = (None if end is None else end * factor for end in fleet.ends.get(name, (None, None)))
        return Quantity(value=value * factor, low=low, high=high, unit=unit)

    rent = ranged("rent_usd", fleet.rent_usd, "USD", NO_PRICE)
    found = {
        "busy_s": ranged("busy_s", fleet.busy_s, "s", "no time"),
        "used": ranged("busy_s", fleet.busy_s, "1", "no time", 1 / (YEAR_S * fleet.machines)),
        "rent_usd": rent,
        "own_usd": ranged("own_usd", fleet.own_usd, "USD", no_purchase),
        "purchase_usd": ranged("purchase_usd", fleet.purchase_usd, "USD", no_purchase),
        "energy_j": ranged("energy_j", fleet.energy_j, "J", no_power),
        "power_w": ranged("power_w", fleet.power_w, "W", no_power),
    }
    if offer is not None:
        source = price_source(offer)
        found["rent_usd"] = rent.model_copy(update={"source": source})
        found["rent_usd_per_h"] = Quantity(
            value=offer.usd_per_s * HOUR_S, unit="USD/h", kind=Kind.published, source=source
        )
    if entry.bought is not None and fleet.purchase_usd is not None:
        bought = found["purchase_usd"]
        found["purchase_usd"] = bought.model_copy(update={"source": entry.bought.told})
    return found
