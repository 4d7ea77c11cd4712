"""Machines for all jobs of a year: how many, what they take and cost, and which limits they break."""

from __future__ import annotations

import datetime
import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from advisor.data.accelerator import Accelerator, is_old
from advisor.data.systems import System
from advisor.estimate import evaluate
from advisor.estimate.inputs import known_only, table_of
from advisor.rulebook import RuleBook
from advisor.schema import Kind, PlanLimits
from advisor.search.plan_site import Site
from advisor.search.words import label_of
from advisor.units import YEAR_S

AS_GOOD = 1.03
"""How much more a year with fewer devices may cost (take, use) and is taken all the same."""


@dataclass(frozen=True)
class Sum:
    """What all jobs so far take on machines of one kind and size, a year."""

    jobs: int = 0
    busy_s: float = 0.0
    rent_usd: float = 0.0
    energy_j: float = 0.0
    late: int = 0  # jobs that miss their own deadline
    offloads: int = 0  # jobs that keep states or weights in the host's memory
    unrated: int = 0  # jobs in 16 bits that are computed in 32, as the rate in 16 is not known
    ends: tuple[float, ...] = ()  # lower and upper of busy time, rent and energy


@dataclass(frozen=True)
class Fleet:
    """So many machines of one kind that do all the work of a year. None: not known."""

    accelerator_id: str
    label: str  # of one machine
    packages: float
    machines: int
    busy_s: float  # of one machine's years
    used: float  # share of the year in which each has a job
    rent_usd: float | None  # a year, for the hours used
    own_usd: float | None  # a year, for all machines
    energy_j: float | None
    power_w: float | None
    price_old: bool
    breaks: tuple[str, ...] = ()
    enough: tuple[str, ...] = ()  # of each limit that it breaks what would do
    rack_units: float | None = None
    offloads: int = 0  # different jobs that keep states or weights in the host's memory
    unchecked: bool = False  # a price or a height that a limit is about is not known
    unrated: bool = False  # some job in 16 bits is computed in 32, as nobody here knows its rate in 16

    site: int = 0  # which kind of device it is of
    devices: int = 0  # of one machine
    purchase_usd: float | None = None  # of all machines
    ends: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)  # 80 % ranges by name

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        kept = (name for name in self.__dataclass_fields__ if name not in ("site", "ends"))
        return {name: getattr(self, name) for name in kept}


@dataclass(frozen=True)
class Several:
    """Fleets that do everything and keep the limits, best first; else the nearest in `miss`."""

    jobs: int
    runs: float  # a year
    fleets: tuple[Fleet, ...]
    miss: str = ""
    relax: str = ""
    whole: int = 0  # jobs that were asked for, where it was stopped before the last
    left_out: tuple[tuple[str, str], ...] = ()  # accelerators or systems that are no fleet, and why


class Done(NamedTuple):
    """What was added up."""

    jobs: int
    runs: float  # a year
    whole: int  # jobs that were asked for
    unfit: str = ""  # the job that fits nowhere, in a sentence
    lost: Mapping[int, str] = {}  # of kinds that do not do all: the first job that they do not


@dataclass(frozen=True)
class Judge:
    """Turns sums into fleets and holds them to the limits."""

    book: RuleBook
    limits: PlanLimits
    today: datetime.date
    sites: Sequence[Site]
    sizes: Sequence[Sequence[int]]  # of each kind
    boxes: Sequence[System | None] = ()

    @cached_property
    def _facts(self) -> dict[tuple[int, int], tuple[float, float, float, float]]:
        """Of each kind and size of machine: packages, power, purchase, and what it costs standing."""
        keys = [(at, size) for at, sizes in enumerate(self.sizes) for size in sizes]
        if not keys:
            return {}
        rows = []
        for at, size in keys:
            own = known_only(self.book, self.sites[at].inputs)
            own.put("devices", float(size), Kind.stated, "tried")
            rows.append(own)
        table = table_of(self.book, rows)
        table = table.with_constants({name: told.value for name, told in self.limits.assumed.items()})
        wanted = ("packages", "power_w", "purchase_usd", "standing_usd_per_s")
        known = tuple(name for name in wanted if name in self.book.quantities)
        told = evaluate(self.book, table, known, keep_all=False).columns
        unknown = np.full(len(keys), np.nan)
        columns = [told.get(name, unknown) for name in wanted]
        return {
            key: (float(a), float(b), float(c), float(d))
            for key, a, b, c, d in zip(keys, *columns, strict=True)
        }

    def result(self, sums: Mapping[tuple[int, int], Sum], done: Done) -> Several:
        """The fleets that do everything and keep the limits, else what comes nearest."""

        def found(fleets: tuple[Fleet, ...], miss: str = "", relax: str = "") -> Several:
            told = self._left_out(every, {fleet.accelerator_id for fleet in fleets}, done)
            return Several(done.jobs, done.runs, fleets, miss, relax, done.whole, told)

        every = [self._fleet(key, one) for key, one in sums.items() if one.jobs == done.jobs]
        fleets = [one for one in every if not one.unchecked] or every
        kept = sorted((fleet for fleet in fleets if not fleet.breaks), key=self._rank)
        if kept:
            kinds: dict[str, list[Fleet]] = {}
            for fleet in kept:
                kinds.setdefault(fleet.accelerator_id, []).append(fleet)
            return found(tuple(sorted(map(self._smallest, kinds.values()), key=self._rank)))
        if not fleets:
            miss = done.unfit or "No accelerator runs all of them."
            return found((), miss, "Plan the jobs one by one.")
        near = min(fleets, key=lambda fleet: (len(fleet.breaks), self._rank(fleet)))
        miss = f"The nearest, {near.machines} x ({near.label}): {'; '.join(near.breaks)}."
        return found((), miss, f"It would do with {' and '.join(near.enough)}.")

    def _left_out(
        self, fleets: Sequence[Fleet], kept: Container[str], done: Done
    ) -> tuple[tuple[str, str], ...]:
        """Every kind that was asked for and is none of the fleets, and why."""
        out = []
        for at, site in enumerate(self.sites):
            box, mine = self.boxes[at] if self.boxes else None, [one for one in fleets if one.site == at]
            if site.id in kept and (mine or not box):
                continue
            if not self.sizes[at]:
                why = "no machine of it has so few devices"
            elif at in done.lost:
                why = f"no layout of '{done.lost[at]}' fits on it, or its time is not known"
            elif mine:
                near = min(mine, key=lambda fleet: (len(fleet.breaks), self._rank(fleet)))
                why = "; ".join(near.breaks) or "a limit cannot be checked of it"
            else:
                why = "not all jobs run on machines of one size"
            out.append((box.id if box else site.id, why))
        return tuple(out)

    def _smallest(self, fleets: Sequence[Fleet]) -> Fleet:
        """Of sizes of one kind as good as the best the one with the fewest devices; the best is first."""
        bound = AS_GOOD * self._rank(fleets[0])[-1]
        good = [one for one in fleets if self._rank(one)[:-1] == self._rank(fleets[0])[:-1]]
        good = [one for one in good if self._rank(one)[-1] <= bound]
        return min(good, key=lambda one: one.machines * one.packages)

    def _rank(self, fleet: Fleet) -> tuple[bool, bool, bool, float]:
        """No price after old ones, old ones after young ones; behind all what is computed at another format's
        rate."""
        limits = self.limits
        value = fleet.own_usd if limits.acquire == "buy" else fleet.rent_usd
        if limits.objective == "energy":
            value = fleet.energy_j
        elif limits.objective == "time":
            value = fleet.busy_s
        return fleet.unrated, value is None, fleet.price_old and limits.objective == "cost", value or 0.0

    def _fleet(self, key: tuple[int, int], one: Sum) -> Fleet:
        entry, count = self.sites[key[0]].entry, key[1]
        assert entry is not None  # noqa: S101 - sites of a plan are of the catalogue
        packages, power, purchase, standing = self._facts[key]
        value = {
            name: self._constant(name)
            for name in ("used_share", "service_years", "residual_share", "electricity_price")
        }
        machines = max(1, math.ceil(one.busy_s / (YEAR_S * value["used_share"]) - 1e-9))
        yearly = purchase * (1 - value["residual_share"]) / value["service_years"] * YEAR_S
        own = machines * (yearly + YEAR_S * standing) + one.energy_j * value["electricity_price"]
        spent = machines * purchase if self.limits.acquire == "buy" else one.rent_usd
        units = self._rack_units(key[0], packages, machines)
        limits, broken = self.limits, self._broken(one, spent, machines * power, machines * count, units)
        return Fleet(
            accelerator_id=entry.id, label=label_of(entry, count, packages), packages=packages,
            machines=machines, busy_s=one.busy_s, used=one.busy_s / (YEAR_S * machines),
            rent_usd=_known(one.rent_usd), own_usd=_known(own), energy_j=_known(one.energy_j),
            power_w=_known(machines * power), price_old=self._old(entry),
            breaks=tuple(broken), enough=tuple(broken.values()),
            rack_units=units, offloads=one.offloads, unrated=one.unrated > 0, site=key[0], devices=count,
            purchase_usd=_known(machines * purchase),
            ends=_ends(one, own - one.energy_j * value["electricity_price"], value["electricity_price"]),
            unchecked=(limits.budget_usd is not None and math.isnan(spent))
            or (limits.max_power_w is not None and math.isnan(power))
            or (limits.max_rack_units is not None and units is None),
        )  # fmt: skip

    def _broken(
        self, one: Sum, spent: float, power: float, devices: int, units: float | None
    ) -> dict[str, str]:
        """What breaks a limit, and what would do."""
        limits, found = self.limits, {}
        if one.late:
            found[f"{one.late} of {one.jobs} jobs miss their deadline"] = "later deadlines"
        if limits.budget_usd is not None and spent > limits.budget_usd:
            told = f"it costs {spent:,.0f} USD of {limits.budget_usd:,.0f}"
            found[told] = f"--budget {math.ceil(spent)}"
        if limits.max_power_w is not None and power > limits.max_power_w:
            told = f"it needs {power / 1000:,.1f} kW of {limits.max_power_w / 1000:,.1f}"
            found[told] = f"--max-power {math.ceil(power / 100) / 10:g}kW"
        if limits.max_devices is not None and devices > limits.max_devices:
            found[f"it takes {devices:,} devices of {limits.max_devices:,}"] = f"--max-devices {devices}"
        if limits.max_rack_units is not None and units is not None and units > limits.max_rack_units:
            told = f"it fills {units:g} rack units of {limits.max_rack_units:g}"
            found[told] = f"--max-rack-units {units:g}"
        return found

    def _rack_units(self, device: int, packages: float, machines: int) -> float | None:
        box = self.boxes[device] if self.boxes else None
        if box is None or box.rack_units is None:
            return None
        return machines * math.ceil(packages / max(1, box.accelerators)) * box.rack_units

    def _old(self, entry: Accelerator) -> bool:
        """Whether the price that ranks is too old; false where there is none."""
        if self.limits.acquire == "buy":
            return entry.bought is not None and is_old(entry.bought.as_of, self.today)
        return entry.rent is not None and is_old(entry.rent.as_of, self.today)

    def _constant(self, name: str) -> float:
        told = self.limits.assumed.get(name)
        return self.book.constants[name].value if told is None or told.value is None else told.value


def _ends(one: Sum, standing: float, price: float) -> dict[str, tuple[float | None, float | None]]:
    """80 % ranges of what grows with the time of the jobs; `standing` is what owning costs besides energy."""
    if not one.ends:
        return {}
    busy, rent, energy = zip(one.ends[::2], one.ends[1::2], strict=True)
    own = [standing + end * price for end in energy]
    spans = {"busy_s": busy, "rent_usd": rent, "energy_j": energy, "own_usd": own}
    return {name: (_known(span[0]), _known(span[1])) for name, span in spans.items()}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
