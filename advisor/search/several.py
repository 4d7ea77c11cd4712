"""Several workloads with counts per year on one kind of machine: added up job by job, in bounded memory."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from advisor.data.accelerator import Accelerator
from advisor.data.systems import System
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import PlanLimits, Workload
from advisor.search.elsewhere import _label
from advisor.search.grid import NOTHING_STATED, Stated
from advisor.search.plan import with_horizon
from advisor.search.plan_options import Options
from advisor.search.plan_search import Found, search
from advisor.search.plan_site import Site
from advisor.units import YEAR_S

ALIKE = 2.0
"""Jobs whose amounts of work differ by up to this factor share their layouts: the time of a step ranks them.
A shorter run has a larger share of start-up; its own search may take a plainer layout, a tenth slower."""


class Counted(NamedTuple):
    """A workload and how often a year it is run."""

    job: Workload
    per_year: float


@dataclass
class Sum:
    """What all jobs so far take on one accelerator and count, a year: jobs done one after the other."""

    jobs: int = 0
    busy_s: float = 0.0
    rent_usd: float = 0.0
    energy_j: float = 0.0
    late: int = 0  # jobs that miss their own deadline


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
    rack_units: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class Several:
    """Fleets that do everything and keep the limits, best first; else the nearest in `miss`."""

    jobs: int
    runs: float  # a year
    fleets: tuple[Fleet, ...]
    miss: str = ""
    relax: str = ""


@dataclass
class Adder:
    """Takes one workload at a time; holds a row of sums for each accelerator and count, and no workload."""

    book: RuleBook
    devices: Sequence[Accelerator | Site]
    limits: PlanLimits
    today: datetime.date
    most: int
    published: Published | None = None
    stated: Stated = NOTHING_STATED
    boxes: Sequence[System | None] = ()  # of each device the system it is bought as, where that counts
    sums: dict[tuple[int, int], Sum] = field(default_factory=dict)
    facts: dict[tuple[int, int], tuple[float, float, float, bool]] = field(default_factory=dict)
    jobs: int = 0
    runs: float = 0.0
    last: tuple[Workload, Found] | None = None  # the last search: alike jobs come one after the other
    unfit: str = ""  # the first job that fits nowhere

    def add(self, counted: Counted) -> None:
        """A workload more, searched over every accelerator and count."""
        job, times = counted
        limits = with_horizon(
            self.limits.model_copy(update={"budget_usd": None, "max_power_w": None, "max_rack_units": None}),
            job,
        )
        found = self._search(job)
        options = Options(self.book, found, limits, self.today)
        self.jobs += 1
        self.runs += times
        if not len(options) and not self.unfit:
            self.unfit = job.title
        told = options.told
        for row in range(len(options)):
            key = (int(options.device[row]), int(options.counts[row]))
            one = self.sums.setdefault(key, Sum())
            one.jobs += 1
            one.busy_s += times * float(options.calendar.median[row])
            one.rent_usd += times * float(options.rent[row])
            one.energy_j += times * float(options.energy[row])
            one.late += "deadline" in options.breaks(row)
            self.facts[key] = (
                float(told["packages"][row]), float(told["power_w"][row]), float(told["purchase_usd"][row]),
                bool(options.old[row]),
            )  # fmt: skip

    def _search(self, job: Workload) -> Found:
        """The search for a job; that of one alike but for the work, up to ALIKE times, is taken again."""
        work = job.recipe.samples
        if self.last is not None and work is not None:
            before, found = self.last
            had = before.recipe.samples or math.inf
            if before == _with_work(job, before.recipe.samples) and had / ALIKE <= work <= had * ALIKE:
                table = found.near.table
                columns = {**table.columns, "samples": np.full(len(found.device), work)}
                return replace(found, near=replace(found.near, table=replace(table, columns=columns)))
        found = search(self.book, job, self.devices, self.published, self.most, self.stated)
        if "samples" in found.near.table.columns:
            self.last = (_with_work(job, work), found)
        return found

    def result(self) -> Several:
        """Fleets for all that was added."""
        fleets = [self._fleet(key, one) for key, one in self.sums.items() if one.jobs == self.jobs]
        kept = sorted((fleet for fleet in fleets if not fleet.breaks), key=self._rank)
        best: dict[str, Fleet] = {}
        for fleet in kept:
            best.setdefault(fleet.accelerator_id, fleet)
        if best:
            return Several(self.jobs, self.runs, tuple(best.values()))
        if not fleets:
            told = f"'{self.unfit}' fits nowhere." if self.unfit else "No accelerator runs all of them."
            return Several(self.jobs, self.runs, (), told, "Plan the jobs one by one.")
        near = min(fleets, key=lambda fleet: (len(fleet.breaks), self._rank(fleet)))
        told = f"The nearest, {near.machines} x ({near.label}): {'; '.join(near.breaks)}."
        return Several(self.jobs, self.runs, (), told, "Relax what it breaks.")

    def _rank(self, fleet: Fleet) -> tuple[bool, bool, float]:
        """No price after old ones, old ones after young ones."""
        limits = self.limits
        value = fleet.own_usd if limits.acquire == "buy" else fleet.rent_usd
        if limits.objective == "energy":
            value = fleet.energy_j
        elif limits.objective == "time":
            value = fleet.busy_s
        return value is None, fleet.price_old and limits.objective == "cost", value or 0.0

    def _fleet(self, key: tuple[int, int], one: Sum) -> Fleet:
        device, count = self.devices[key[0]], key[1]
        entry = device.entry if isinstance(device, Site) else device
        assert entry is not None  # noqa: S101 - sites of a plan are of the catalogue
        packages, power, purchase, old = self.facts[key]
        value = {
            name: self._constant(name)
            for name in ("used_share", "service_years", "residual_share", "staff_share", "hosting_price",
                         "electricity_price")
        }  # fmt: skip
        machines = max(1, math.ceil(one.busy_s / (YEAR_S * value["used_share"]) - 1e-9))
        yearly = purchase * (1 - value["residual_share"]) / value["service_years"] * YEAR_S
        standing = YEAR_S * (purchase * value["staff_share"] + power * value["hosting_price"])
        own = machines * (yearly + standing) + one.energy_j * value["electricity_price"]
        breaks = [f"{one.late} of {one.jobs} jobs miss their deadline"] if one.late else []
        limits, spent = self.limits, machines * purchase if self.limits.acquire == "buy" else one.rent_usd
        if limits.budget_usd is not None and spent > limits.budget_usd:
            breaks.append(f"it costs {spent:,.0f} USD of {limits.budget_usd:,.0f}")
        if limits.max_power_w is not None and machines * power > limits.max_power_w:
            breaks.append(f"it needs {machines * power / 1000:,.1f} kW of {limits.max_power_w / 1000:,.1f}")
        if limits.max_devices is not None and machines * count > limits.max_devices:
            breaks.append(f"it takes {machines * count:,} devices of {limits.max_devices:,}")
        units = self._rack_units(key[0], packages, machines)
        if limits.max_rack_units is not None and units is not None and units > limits.max_rack_units:
            breaks.append(f"it fills {units:g} rack units of {limits.max_rack_units:g}")
        return Fleet(
            accelerator_id=entry.id, label=_label(entry, count, packages), packages=packages,
            machines=machines, busy_s=one.busy_s, used=one.busy_s / (YEAR_S * machines),
            rent_usd=_known(one.rent_usd), own_usd=_known(own), energy_j=_known(one.energy_j),
            power_w=_known(machines * power), price_old=old, breaks=tuple(breaks), rack_units=units,
        )  # fmt: skip

    def _rack_units(self, device: int, packages: float, machines: int) -> float | None:
        box = self.boxes[device] if self.boxes else None
        if box is None or box.rack_units is None:
            return None
        return machines * math.ceil(packages / max(1, box.accelerators)) * box.rack_units

    def _constant(self, name: str) -> float:
        told = self.limits.assumed.get(name)
        return self.book.constants[name].value if told is None or told.value is None else told.value


def _with_work(job: Workload, samples: float | None) -> Workload:
    """The job with another amount of work, and without what says it in words or how soon it is due."""
    recipe = job.recipe.model_copy(update={"samples": samples})
    return job.model_copy(update={"recipe": recipe, "title": "", "note": "", "deadline_days": None})


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def several(adder: Adder, jobs: Iterable[Counted]) -> Several:
    """All of them, taken one at a time."""
    for counted in jobs:
        adder.add(counted)
    return adder.result()
