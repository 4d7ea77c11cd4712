"""What the search found as options of a plan: figures with ranges, prices with dates, limits kept or not."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from advisor.data.accelerator import OLD_DAYS, Accelerator, Price, is_old
from advisor.data.catalogue import price_source
from advisor.data.systems import System
from advisor.estimate import Range, evaluate
from advisor.rulebook import RuleBook
from advisor.schema import Kind, PlanLimits, PlanOption, Quantity
from advisor.search.formats import PLAIN, computed, is_open, unrated_16bit
from advisor.search.layouts import Index, Mask
from advisor.search.plan_prices import NO_PRICE, offer_of, price_columns
from advisor.search.plan_product import Array
from advisor.search.plan_search import Found
from advisor.search.plan_time import Calendar, calendar_of, priced
from advisor.search.words import devices_of_server, host_words, label_of
from advisor.units import DAY_S

_FOLLOWING = {
    "rent_usd": "calendar_rent_usd",
    "spot_usd": "calendar_spot_usd",
    "energy_j": "calendar_energy_j",
}
LARGEST_USD = 1e13
"""More than any job costs: only the order of classes counts."""
HOST = "host memory"
"""The limit that a named system sets by itself: what is offloaded must fit into the memory of its host."""
_OWNED = ("purchase_usd", "own_usd", "break_even_s")


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
        self.following = priced(book, table, self.calendar, tuple(_FOLLOWING.values()))
        wanted = (
            "packages",
            "power_w",
            "optimizer_step_s",
            "memory_bytes",
            "computes_16bit",
            "host_bytes",
            *_OWNED,
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
        dates = [self._dated(row) for row in range(len(self))]
        return np.array([known and is_old(as_of, self.today) for known, as_of in dates], dtype=bool)

    def _dated(self, row: int) -> tuple[bool, datetime.date | None]:
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
                out[row] = self._pieces(row, box) * box.rack_units
        return out

    def box(self, row: int) -> System | None:
        """The system a row is bought as, where that counts."""
        return self.boxes[int(self.device[row])] if self.boxes else None

    def _pieces(self, row: int, box: System) -> int:
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

    def option(self, row: int) -> PlanOption:
        """A row with everything that is said of it."""
        entry, count = self.entry(row), int(self.counts[row])
        packages = float(self.told["packages"][row])
        space, box = self.found.space, self.box(row)
        return PlanOption(
            accelerator_id=entry.id,
            label=label_of(entry, count, packages),
            system=f"{self._pieces(row, box)} x {box.id}" if box else "",
            rack_units=None if math.isnan(self.rack_units[row]) else float(self.rack_units[row]),
            devices=count,
            packages=packages,
            choices=space.set_ups.row(int(self.found.set_up[row])).words(space.stated) | self._told(row),
            quantities=self._quantities(row),
            chance=None if self.chances is None else float(self.chances[row]),
            price_note=self._price_note(row),
            untried=bool(self.untried[row]),
            unrated=bool(self.unrated[row]),
            price_old=bool(self.old[row]),
            price_unsure=bool(self.unsure[row]),
            beyond=bool(self.beyond[row]),
            far=bool(self.far[row]),
            tight=bool(self.found.tight[row]),
            breaks=self.breaks(row),
            near=tuple(dict.fromkeys(run.title for run in self.found.near.runs(row))),
        )

    def _told(self, row: int) -> dict[str, str]:
        """The number format computed in, where it is not the one asked for; what the hosts must hold."""
        space, at = self.found.space, int(self.device[row])
        device, asked = space.device_inputs[at], space.job.recipe.precision
        slow = "computes_16bit" in self.told and self.told["computes_16bit"][row] == 0
        taken = str(device.values.get("precision") or computed(space.job, device, slow=slow))
        found = {"precision": taken} if taken != asked and is_open(space.job) else {}
        if slow and taken not in PLAIN:  # memory is that of 16 bit, the rate is not
            found["arithmetic"] = "fp32"
        elif taken != asked and not found:
            found["arithmetic"] = taken.removesuffix("_mixed")
        found |= self._cores_told(row) | self._slots_told(row)
        each = float(self.told["host_bytes"][row]) if "host_bytes" in self.told else 0.0
        if each > 0:
            server = devices_of_server(float(self.counts[row]), device.values.get("hw_domain_devices"))
            found["host_memory"] = host_words(each, server)
        return found

    def _cores_told(self, row: int) -> dict[str, str]:
        """Cores of the system's host for each device, and what they must feed it with, of images."""
        box = self.box(row)
        if box is None or box.cpu_cores is None or not box.accelerators:
            return {}
        each = box.cpu_cores / (box.accelerators * self.entry(row).devices_per_package)
        text = f"{each:.3g} cores for each device"
        job, step = self.found.space.job, float(self.told["optimizer_step_s"][row])
        batch = job.recipe.global_batch
        if job.model.family in ("cnn", "vit") and batch and step > 0:
            text += f", {batch / step / self.counts[row] / each:.0f} images a second to read by each core"
        return {"host_cores": text}

    def _slots_told(self, row: int) -> dict[str, str]:
        """Slots of a workstation that wait for another card."""
        box = self.box(row)
        slots = {} if box is None or box.kind != "workstation" else box.slots
        free = 0 if box is None else int(slots.get("count", 0)) - box.accelerators
        lanes = slots.get("lanes")
        return {"free_slots": f"{free}" + (f" of x{lanes:g} lanes" if lanes else "")} if free > 0 else {}

    def _quantities(self, row: int) -> dict[str, Quantity]:
        entry = self.entry(row)
        calendar = Range(self.calendar.median, self.calendar.low, self.calendar.high)
        found = {
            "calendar_s": _quantity(calendar, row, "s", "no time"),
            "calendar_at_s": _one(self.late, row, "s", "no time"),
        }
        for name, given in _FOLLOWING.items():
            reason = "no TDP is known here" if name == "energy_j" else NO_PRICE
            found[name] = _quantity(self.following[given], row, self.book.unit_of(given), reason)
        late = self.rent / self.calendar.median * self.late
        found["rent_at_usd"] = _one(late, row, "USD", NO_PRICE)
        for name in _OWNED:
            reason = "no list price" if entry.bought is None else "no TDP is known here"
            if name == "break_even_s" and entry.bought is not None:
                reason = NO_PRICE if self.offer(row) is None else "renting stays cheaper"
            found[name] = _one(self.told[name], row, self.book.unit_of(name), reason)
        source = self.found.space.device_inputs[int(self.device[row])].sources["hw_purchase"][1]
        found["purchase_usd"] = found["purchase_usd"].model_copy(update={"source": source})
        for name, given in (
            ("power_w", "power_w"), ("step_s", "optimizer_step_s"), ("memory_bytes", "memory_bytes"),
        ):  # fmt: skip
            reason = f"no TDP of the {entry.title} is known here"
            found[name] = _one(self.told[given], row, self.book.unit_of(given), reason)
        offer = self.offer(row)
        if offer is not None:
            found["rent_usd"] = found["rent_usd"].model_copy(update={"source": price_source(offer)})
        return found

    def _price_note(self, row: int) -> str:
        entry, offer = self.entry(row), self.offer(row)
        known, as_of = self._dated(row)
        if not known:
            return "no public price"
        note = entry.bought.told if entry.bought else ""
        if self.limits.acquire == "rent" and offer is not None:
            whole = f" of {offer.packages}" if offer.packages > 1 else ""
            note = f"{offer.provider} {offer.instance}{whole}, {as_of or 'undated'}"
            if self.unsure[row]:
                note += f"; {offer.sure:,} of them are known to be joined"
        return f"{note}: older than {OLD_DAYS} days" if is_old(as_of, self.today) else note


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
