"""What each of several jobs takes on the machines of one fleet: layout, time, memory, share of the year."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from advisor.data.catalogue import price_source
from advisor.estimate import Range, evaluate, evaluate_ranges
from advisor.schema import Kind, PlanOption, Quantity
from advisor.search.plan_option import price_note
from advisor.search.plan_prices import NO_PRICE, offer_of
from advisor.search.plan_product import Array
from advisor.search.plan_time import calendar_of, priced
from advisor.search.several import Adder, batches
from advisor.search.several_fleet import Fleet
from advisor.search.several_taken import Asked, Counted, OfKind, with_work
from advisor.search.words import label_of

MOST = 400
"""Different jobs of which each is told: beyond, a page of them is read by nobody."""

_SIZES = ("params", "trainable_params")


def jobs_on(adder: Adder, fleet: Fleet, jobs: Sequence[Counted]) -> list[PlanOption | None]:
    """Of each job, in their order, how a run goes on a machine of the fleet; None where that is not known."""
    if len(jobs) > MOST:
        return [None] * len(jobs)
    at = fleet.site
    box = adder.boxes[at] if adder.boxes else None
    own = Adder(
        adder.book, [adder.devices[at]], adder.limits, adder.today, adder.most, adder.published,
        adder.stated, [box] if adder.boxes else (),
    )  # fmt: skip
    found: list[PlanOption | None] = []
    for batch in batches(jobs):
        for group, (kept, layouts) in zip(batch, own.on_first(batch), strict=True):
            found += _group(own, fleet, group, kept, layouts)
    return found


def _group(
    adder: Adder, fleet: Fleet, group: Sequence[Counted], kept: OfKind | None, layouts: Sequence[Asked]
) -> list[PlanOption | None]:
    """The jobs of a group, which are alike but for their work."""
    if kept is None:
        return [None] * len(group)
    sizes = np.array([fleet.devices], dtype=np.int64)
    some, best, busy = kept.chosen(sizes, adder.limits.objective)
    if not len(some):
        return [None] * len(group)
    out: list[PlanOption | None] = []
    for number, counted in enumerate(group):
        row = int(best[0, number])
        told = _Told(adder, fleet, counted, int(kept.count[row]), float(busy[0, row, number]))
        asked = next(one for one in layouts if bool((one.devices == told.devices).any()))
        late = not bool(kept.in_time[row, number])
        out.append(told.option(asked, number, float(kept.late_s[row, number]), late=late))
    return out


class _Told:
    """One job on so many devices of a machine that it keeps busy so long with a run."""

    def __init__(self, adder: Adder, fleet: Fleet, counted: Counted, devices: int, busy_s: float) -> None:
        self.adder, self.fleet, self.counted = adder, fleet, counted
        self.devices, self.busy_s = devices, busy_s

    def option(self, asked: Asked, number: int, late_s: float, *, late: bool) -> PlanOption:
        """With figures of one run and of a year."""
        entry = self.adder.sites[0].entry
        assert entry is not None  # noqa: S101 - sites of a plan are of the catalogue
        packages = self.devices / entry.devices_per_package
        row = int(np.flatnonzero(asked.devices == self.devices)[0])
        memory, quantities = self._figures(asked, number, row, late_s)
        offer = offer_of(entry, self.devices)
        if offer is not None:
            for name in ("rent_usd", "year_rent_usd"):
                quantities[name] = quantities[name].model_copy(update={"source": price_source(offer)})
        usable = self._usable(asked, row)
        return PlanOption(
            accelerator_id=entry.id,
            label=label_of(entry, self.devices, packages),
            devices=self.devices,
            packages=packages,
            choices=asked.set_ups.row(row).words(self.adder.stated),
            quantities=quantities,
            price_note=price_note(entry, offer, self.adder.limits.acquire, self.adder.today),
            tight=memory.high is not None and usable is not None and memory.high > usable,
            breaks=("deadline",) if late else (),
        )

    def _figures(
        self, asked: Asked, number: int, row: int, late_s: float
    ) -> tuple[Quantity, dict[str, Quantity]]:
        book, limits = self.adder.book, self.adder.limits
        table = with_work(asked).take(np.array([number * len(asked.site) + row]))
        table = table.with_constants({name: told.value for name, told in limits.assumed.items()})
        calendar = calendar_of(book, table)
        following = priced(book, table, calendar, ("calendar_rent_usd", "calendar_energy_j"))
        memory = _figure(evaluate_ranges(book, table, ("memory_bytes",))["memory_bytes"], 1, "B", "no memory")
        span = Range(calendar.median, calendar.low, calendar.high)
        share, times = self.busy_s / float(calendar.median[0]), self.counted.per_year
        rent, energy = following["calendar_rent_usd"], following["calendar_energy_j"]
        none = "no TDP is known here"
        sizes = evaluate(book, table, _SIZES, keep_all=False).columns
        return memory, {
            **{name: Quantity(value=float(sizes[name][0]), unit="1") for name in _SIZES},
            "calendar_s": _figure(span, 1, "s", "no time"),
            "calendar_at_s": Quantity(value=late_s, unit="s"),
            "memory_bytes": memory,
            "rent_usd": _figure(rent, 1, "USD", NO_PRICE),
            "energy_j": _figure(energy, 1, "J", none),
            "year_busy_s": _figure(span, times * share, "s", "no time"),
            "year_rent_usd": _figure(rent, times, "USD", NO_PRICE),
            "year_energy_j": _figure(energy, times, "J", none),
        }

    def _usable(self, asked: Asked, row: int) -> float | None:
        table = asked.table.take(np.array([row]))
        known = evaluate(self.adder.book, table, ("memory_usable",), keep_all=False)
        value = float(known.columns["memory_usable"][0])
        return None if math.isnan(value) else value


def _figure(span: Range, factor: float, unit: str, reason: str) -> Quantity:
    value, low, high = (float(_first(end)) * factor for end in span)
    if math.isnan(value):
        return Quantity(unit=unit, reason=reason)
    return Quantity(value=value, low=low, high=high, unit=unit, kind=Kind.rule)


def _first(values: Array) -> float:
    return float(values[0])
