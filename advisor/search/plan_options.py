"""What the search found as options of a plan: a table of figures, prices, and limits kept or not."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from advisor.data.accelerator import Accelerator, Price, is_old
from advisor.data.systems import System
from advisor.estimate import Range, evaluate, evaluate_ranges
from advisor.rulebook import RuleBook
from advisor.schema import PlanLimits
from advisor.search.formats import PLAIN, unrated_16bit
from advisor.search.layouts import Index, Mask
from advisor.search.plan_prices import offer_of, price_columns
from advisor.search.plan_product import Array
from advisor.search.plan_search import Found
from advisor.search.plan_time import Calendar, calendar_of, priced
from advisor.units import DAY_S

FOLLOWING = {
    "rent_usd": "calendar_rent_usd",
    "spot_usd": "calendar_spot_usd",
    "energy_j": "calendar_energy_j",
}
LARGEST_USD = 1e13
"""More than any job costs: only the order of classes counts."""
HOST = "host memory"
"""The limit that a named system sets by itself: what is offloaded must fit into the memory of its host."""
OWNED = ("purchase_usd", "own_usd", "break_even_s")


class Options:
    """Rows: the best layout of each accelerator and count. Arrays are SI, NaN where not known."""

    def __init__(
        self,
        book: RuleBook,
        found: Found,
        limits: PlanLimits,
        today: datetime.date,
        boxes: Sequence[System | None] = (),
    ) -> None:
        self.book, self.found, self.limits, self.today = book, found, limits, today
        self.device: Index = found.device
        self.counts = found.space.set_ups["devices"][found.set_up]
        table = found.near.table.with_constants({name: told.value for name, told in limits.assumed.items()})
        prices = price_columns(found.space.devices, self.device, self.counts)
        table = replace(table, columns={**table.columns, **prices})
        self.calendar = calendar_of(book, table)
        self.late = self.calendar.at(limits.confidence)  # kept to with the plan's confidence
        self.following = priced(book, table, self.calendar, tuple(FOLLOWING.values()))
        wanted = (
            "packages",
            "power_w",
            "optimizer_step_s",
            "memory_bytes",
            "computes_16bit",
            "host_bytes",
            *OWNED,
        )
        known = tuple(name for name in wanted if name in book.quantities)
        self.told: Mapping[str, Array] = evaluate(book, table, known, keep_all=False).columns
        self.boxes = boxes  # of each device the system it is bought as, where that counts

    def take(self, rows: Index) -> Options:
        """Some rows, in this order."""
        some = object.__new__(type(self))
        some.book, some.limits, some.today, some.boxes = self.book, self.limits, self.today, self.boxes
        some.found = self.found.take(rows)
        now = self.calendar
        some.calendar = Calendar(now.median[rows], now.low[rows], now.high[rows])
        some.late, some.device, some.counts = self.late[rows], self.device[rows], self.counts[rows]
        some.following = {
            name: Range(*(part[rows] for part in span)) for name, span in self.following.items()
        }
        some.told = {name: values[rows] for name, values in self.told.items()}
        return some

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.device)

    def entry(self, row: int) -> Accelerator:
        """The accelerator of a row."""
        return self.found.space.devices[int(self.device[row])]

    def offer(self, row: int) -> Price | None:
        """The price that a row is rented at."""
        return self._offers[row]

    @cached_property
    def _offers(self) -> list[Price | None]:
        return [offer_of(self.entry(row), float(self.counts[row])) for row in range(len(self))]

    @cached_property
    def memory(self) -> Range:
        """Memory of a device, with its range."""
        return evaluate_ranges(self.book, self.found.near.table, ("memory_bytes",))["memory_bytes"]

    @cached_property
    def unsure(self) -> Mask:
        """Whether the provider behind a row's rent is not known to join as many to one cluster."""
        if self.limits.acquire == "buy":
            return np.zeros(len(self), dtype=bool)
        packages = np.ceil(self.told["packages"])
        sure = [math.inf if (offer := self.offer(row)) is None else offer.sure for row in range(len(self))]
        return np.asarray(packages > np.array(sure))

    @cached_property
    def rent(self) -> Array:
        """On-demand rent at the median of calendar time."""
        return self.following["calendar_rent_usd"].value

    @cached_property
    def cost(self) -> Array:
        """What ranks: rent, or the job's share of owning, at the median of calendar time."""
        return self.rent if self.limits.acquire == "rent" else self.told["own_usd"]

    @cached_property
    def spent(self) -> Array:
        """What a budget must hold: rent for the calendar time that is kept to, or the purchase."""
        if self.limits.acquire == "buy":
            return self.told["purchase_usd"]
        return np.asarray(self.rent / self.calendar.median * self.late)

    @cached_property
    def energy(self) -> Array:
        """Energy at the median of calendar time."""
        return self.following["calendar_energy_j"].value

    @cached_property
    def old(self) -> Mask:
        """Whether the price behind the row's cost is too old; false where there is none."""
        dates = [self.dated(row) for row in range(len(self))]
        return np.array([known and is_old(as_of, self.today) for known, as_of in dates], dtype=bool)

    def dated(self, row: int) -> tuple[bool, datetime.date | None]:
        """Whether there is a price of the kind that ranks, and its date."""
        entry = self.entry(row)
        if self.limits.acquire == "buy":
            return entry.bought is not None, entry.bought.as_of if entry.bought else None
        offer = self.offer(row)
        return offer is not None, offer.as_of if offer else None

    @cached_property
    def untried(self) -> Mask:
        """Whether no network of this kind is among the published runs on the generation of a row."""
        published, family = self.found.near.published, self.found.space.job.model.family
        if published is None or published.own == frozenset(range(len(published.ids))):
            return np.zeros(len(self), dtype=bool)
        method = self.found.space.job.recipe.method
        ran = [published.ran(entry.generation, family, method) for entry in self.found.space.devices]
        return ~np.array([*ran, True])[self.device]

    @cached_property
    def unrated(self) -> Mask:
        """Whether 16 bits are asked for of a device whose rate in them is not known: that of 32 is computed
        with, which may be many times too slow."""
        space = self.found.space
        if space.job.recipe.precision in PLAIN:
            return np.zeros(len(self), dtype=bool)
        slow = [unrated_16bit(inputs) for inputs in space.device_inputs]
        return np.array([*slow, False])[self.device]

    @cached_property
    def far(self) -> Mask:
        """Rows of more devices than any published run of their generation has."""
        table = self.found.near.table
        limit = evaluate(self.book, table, ("scale_limit",), keep_all=False).columns["scale_limit"]
        return np.asarray(self.counts > limit)

    @cached_property
    def beyond(self) -> Mask:
        """Rows whose layout takes more than a stock trainer, where that is no matter of taste."""
        return np.asarray(self.found.way >= 2)

    @cached_property
    def excess(self) -> dict[str, Array]:
        """For each limit given: how many times over it a row is (up to 1: it keeps it).

        What is not known breaks no limit: the option says what could not be checked.
        """
        limits, found = self.limits, {}
        if limits.deadline_days is not None:
            found["deadline"] = self.late / (limits.deadline_days * DAY_S)
        if limits.budget_usd is not None:
            found["budget"] = np.nan_to_num(self.spent / limits.budget_usd, nan=0.0)
        if limits.max_power_w is not None:
            found["power"] = np.nan_to_num(self.told["power_w"] / limits.max_power_w, nan=0.0)
        if limits.max_rack_units is not None:
            found["space"] = np.nan_to_num(self.rack_units / limits.max_rack_units, nan=0.0)
        if (self.host_ram > 0).any():
            found[HOST] = np.nan_to_num(self.host_bytes / self.host_ram, nan=0.0)
        return found

    @cached_property
    def host_bytes(self) -> Array:
        """What the host of a system must hold of what is offloaded; NaN where no system counts."""
        each = self.told.get("host_bytes")
        return np.full(len(self), np.nan) if each is None else np.asarray(each * self._of_host)

    @cached_property
    def host_ram(self) -> Array:
        """Memory of the host of a row's system; NaN where none counts, or it is not known."""
        rams = [None if (box := self.box(row)) is None else box.ram_bytes for row in range(len(self))]
        return np.array([np.nan if ram is None else ram for ram in rams])

    @cached_property
    def _of_host(self) -> Array:
        """Devices of a row that share a host; NaN where no system counts."""
        shared = np.full(len(self), np.nan)
        for row in range(len(self) if self.boxes else 0):
            box = self.box(row)
            if box is not None:
                each = box.accelerators * self.entry(row).devices_per_package
                shared[row] = min(float(self.counts[row]), float(max(1, each)))
        return shared

    @cached_property
    def chances(self) -> Array | None:
        """Of each row the probability of ending before the deadline; None without one."""
        deadline = self.limits.deadline_days
        return None if deadline is None else self.calendar.chance(deadline * DAY_S)

    @cached_property
    def rack_units(self) -> Array:
        """Rack units of each row, in whole systems; NaN where no system of it is known with its height."""
        out = np.full(len(self), np.nan)
        for row in range(len(self) if self.boxes else 0):
            box = self.box(row)
            if box is not None and box.rack_units is not None:
                out[row] = self.pieces(row, box) * box.rack_units
        return out

    def box(self, row: int) -> System | None:
        """The system a row is bought as, where that counts."""
        return self.boxes[int(self.device[row])] if self.boxes else None

    def pieces(self, row: int, box: System) -> int:
        """How many of these systems a row is."""
        return math.ceil(float(self.told["packages"][row]) / max(1, box.accelerators))

    @cached_property
    def worst(self) -> Array:
        """The largest excess of a row over any limit."""
        return np.asarray(np.maximum.reduce([np.zeros(len(self)), *self.excess.values()]))

    @property
    def nearest(self) -> int:
        """The row that comes nearest to keeping every limit; one whose cost is unknown counts as far."""
        unknown = self.unchecked & ~self.unchecked.all()
        return int(np.argmin(np.where(unknown, np.inf, self.worst)))

    @cached_property
    def unknown(self) -> dict[str, Mask]:
        """For each limit given, rows of which what it is about is not known."""
        limits, found = self.limits, {}
        if limits.budget_usd is not None:
            found["budget"] = np.isnan(self.spent)
        if limits.max_power_w is not None:
            found["power"] = np.isnan(self.told["power_w"])
        if limits.max_rack_units is not None:
            found["space"] = np.isnan(self.rack_units)
        return found

    @cached_property
    def unchecked(self) -> Mask:
        """Rows of which a price or a height that a limit is about is not known."""
        return np.asarray(np.logical_or.reduce([np.zeros(len(self), dtype=bool), *self.unknown.values()]))

    @cached_property
    def kept(self) -> Mask:
        """Rows that keep every limit; what cannot be checked only where nothing that is asked for can be."""
        return np.asarray((self.worst <= 1) & (~self.unchecked | self.unchecked.all()))

    def figure(self, name: str) -> Array:
        """What is to be small, unknown as infinite, of costs package days, which need no price."""
        if name == "time":
            return self.late
        if name == "energy":
            return np.nan_to_num(self.energy, nan=np.inf)
        days = self.told["packages"] * self.calendar.median / DAY_S
        return np.where(np.isnan(self.cost), days, self.cost)

    def objective(self, name: str) -> Array:
        """What is to be small, unknown as infinite. A layout that a stock trainer has not must be as much
        better as to be taken over one that it has (`Taste`). Of costs those on generations that no published
        run of such a network is of come after the others, old prices after young ones, and by package days,
        which need no price, what has none. Behind all stands what is computed at another format's rate."""
        value = self.figure(name) * self.found.taste.loss_of(self.found.space.job) ** self.beyond
        if name != "cost":
            return np.asarray(value + LARGEST_USD * self.unrated)
        return np.asarray(value + LARGEST_USD * self.behind)

    @cached_property
    def behind(self) -> Array:
        """The class of each row's cost: those of a higher one come after all of a lower."""
        known = 2.0 * (self.old | self.unsure) + self.untried
        return np.asarray(np.where(np.isnan(self.cost), 4.0, known) + 5.0 * self.unrated)

    def breaks(self, row: int) -> tuple[str, ...]:
        """Limits that a row does not keep."""
        return tuple(name for name, excess in self.excess.items() if excess[row] > 1)
