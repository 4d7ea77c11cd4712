"""Several workloads with counts per year on one kind of machine: added up in batches, in bounded memory."""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from advisor.data.accelerator import Accelerator, is_old
from advisor.data.systems import System
from advisor.estimate import evaluate
from advisor.estimate.inputs import known_only, table_of
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Kind, PlanLimits, Workload
from advisor.search.elsewhere import _label
from advisor.search.grid import NOTHING_STATED, Stated
from advisor.search.plan import with_horizon
from advisor.search.plan_search import search
from advisor.search.plan_site import Site, site_of
from advisor.search.plan_space import sizes_of
from advisor.search.several_taken import AT_ONCE, Asked, Counted, Taken, taken, without_work
from advisor.units import YEAR_S

CAPS = (8, 64)
"""Numbers of devices searched first. More are asked only of kinds on which a job does not fit in so many or
comes too late: spread over more devices a job never takes fewer device hours but for what memory wins."""

AS_GOOD = 1.03
"""How much more a year with fewer devices may cost (take, use) and is taken all the same."""

BATCH = 16
"""Searches whose figures are computed together."""


@dataclass
class Sum:
    """What all jobs so far take on machines of one kind and size, a year."""

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
    whole: int = 0  # jobs that were asked for, where it was stopped before the last


class _Held(NamedTuple):
    """The last search up to so many devices: of a job's shape and work, among these sites."""

    shape: Workload
    work: float
    sites: tuple[int, ...]
    asked: Asked


@dataclass
class Adder:
    """Takes jobs a batch at a time; holds a row of sums for each kind and size of machine, and no job.

    A job takes a part of a machine, as many devices as get most done and keep its deadline; the rest of the
    machine does other jobs at the same time.
    """

    book: RuleBook
    devices: Sequence[Accelerator | Site]
    limits: PlanLimits
    today: datetime.date
    most: int
    published: Published | None = None
    stated: Stated = NOTHING_STATED
    boxes: Sequence[System | None] = ()  # of each device the system it is bought as, where that counts
    sums: dict[tuple[int, int], Sum] = field(default_factory=dict)
    jobs: int = 0
    runs: float = 0.0
    searches: int = 0
    unfit: str = ""  # the job that fits nowhere, or on none of the kinds that do the others, in a sentence

    def __post_init__(self) -> None:
        self.sites = tuple(one if isinstance(one, Site) else site_of(one) for one in self.devices)
        self.sizes = sizes_of(self.book, self.sites, self.most)
        self.facts = self._facts()
        self._held: dict[int, _Held] = {}
        if self.published is not None:
            self.published.neighbours.among_all  # noqa: B018 - made once for all searches
        self.alive = [at for at, sizes in enumerate(self.sizes) if sizes]

    def add(self, *jobs: Counted) -> None:
        """Jobs more. Those that are alike but for their work are searched once, for the largest."""
        for batch in batches(jobs):
            self.add_alike(batch)

    def add_alike(self, groups: Sequence[Sequence[Counted]]) -> None:
        """The same, a few groups of jobs that are alike at once."""
        for group in groups:
            with_horizon(self.limits, group[0].job)  # limits that cannot be are errors
        open_ = [list(self.alive) for _ in groups]
        kept: list[dict[int, tuple[Taken, Any]]] = [{} for _ in groups]
        for cap in self._caps():
            asked = [self._search(group, sites, cap) for group, sites in zip(groups, open_, strict=True)]
            found = taken(self.book, [one for one in asked if one is not None], self.limits)
            place = 0
            for number, one in enumerate(asked):
                if one is None:
                    continue
                self._keep(found[place], kept[number])
                place += 1
                open_[number] = [at for at in open_[number] if self._more(at, cap, kept[number].get(at))]
        for group, done in zip(groups, kept, strict=True):
            self._sum(group, done)

    def _caps(self) -> tuple[int, ...]:
        if self.limits.objective == "time":
            return (self.most,)
        return (*(cap for cap in CAPS if cap < self.most), self.most)

    def _search(self, group: Sequence[Counted], sites: Sequence[int], cap: int) -> Asked | None:
        """The layouts of the job with most work, which are those of the others too."""
        if not sites:
            return None
        largest = max(group, key=lambda one: one.job.recipe.samples or 0.0).job
        shape, work = without_work(largest), largest.recipe.samples or 0.0
        held = self._held.get(cap)
        if held is not None and held.shape == shape and held.work >= work and held.sites == tuple(sites):
            return held.asked._replace(jobs=group)
        self.searches += 1
        found = search(self.book, largest, [self.sites[at] for at in sites], self.published, cap, self.stated)
        asked = Asked.of(found, sites, group)
        self._held[cap] = _Held(shape, work, tuple(sites), asked)
        return asked

    @staticmethod
    def _keep(one: Taken, kept: dict[int, tuple[Taken, Any]]) -> None:
        """The rows of each kind; those of a wider search in place of a narrower one's."""
        for at in np.unique(one.site):
            rows = np.flatnonzero(one.site == at)
            kept[int(at)] = one, rows[np.argsort(one.count[rows])]

    def _more(self, at: int, cap: int, kept: tuple[Taken, Any] | None) -> bool:
        """Whether larger machines of a kind are asked: there are such, and in these not all fit in time."""
        if self.sizes[at][-1] <= cap:
            return False
        return kept is None or not bool(kept[0].in_time[kept[1]].any(axis=0).all())

    def _sum(self, group: Sequence[Counted], kept: dict[int, tuple[Taken, Any]]) -> None:
        times = np.array([one.per_year for one in group])
        self.jobs += len(group)
        self.runs += float(times.sum())
        left = [at for at in self.alive if at in kept]
        if not left and not self.unfit:
            where = "nowhere" if not self.sums else "on none of the accelerators that do the others"
            self.unfit = f"'{group[0].job.title}' fits {where}."
        self.alive = left
        for at in left:
            one, rows = kept[at]
            for size in self.sizes[at]:
                self._sum_size(at, size, one, rows, times)

    def _sum_size(self, at: int, size: int, one: Taken, rows: Any, times: Any) -> None:
        """What the jobs take of machines of this size, each in the part of one that suits it best."""
        rows = rows[one.count[rows] <= size]
        if not len(rows):
            return
        busy = one.busy_s[rows] / (size // one.count[rows])[:, None]
        value = {"time": one.late_s, "energy": one.energy_j}.get(self.limits.objective)
        wanted = busy if value is None else np.where(np.isnan(value[rows]), busy, value[rows])
        in_time, late = one.in_time[rows], one.late_s[rows]
        best = np.where(
            in_time.any(axis=0), np.where(in_time, wanted, np.inf).argmin(axis=0), late.argmin(axis=0)
        )
        jobs = np.arange(len(times))
        held = self.sums.setdefault((at, size), Sum())
        held.jobs += len(jobs)
        held.busy_s += float((times * busy[best, jobs]).sum())
        held.rent_usd += float((times * one.rent_usd[rows][best, jobs]).sum())
        held.energy_j += float((times * one.energy_j[rows][best, jobs]).sum())
        held.late += int((~in_time[best, jobs]).sum())

    def _facts(self) -> dict[tuple[int, int], tuple[float, float, float]]:
        """Of each kind and size of machine: packages, power, purchase."""
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
        wanted = ("packages", "power_w", "purchase_usd")
        known = tuple(name for name in wanted if name in self.book.quantities)
        told = evaluate(self.book, table, known, keep_all=False).columns
        unknown = np.full(len(keys), np.nan)
        columns = [told.get(name, unknown) for name in wanted]
        return {key: (float(a), float(b), float(c)) for key, a, b, c in zip(keys, *columns, strict=True)}

    def result(self, whole: int | None = None) -> Several:
        """Fleets for all that was added, of `whole` jobs that were asked for."""
        whole = self.jobs if whole is None else whole

        def found(fleets: tuple[Fleet, ...], miss: str = "", relax: str = "") -> Several:
            return Several(self.jobs, self.runs, fleets, miss, relax, whole)

        fleets = [self._fleet(key, one) for key, one in self.sums.items() if one.jobs == self.jobs]
        kept = sorted((fleet for fleet in fleets if not fleet.breaks), key=self._rank)
        if kept:
            kinds: dict[str, list[Fleet]] = {}
            for fleet in kept:
                kinds.setdefault(fleet.accelerator_id, []).append(fleet)
            return found(tuple(sorted(map(self._smallest, kinds.values()), key=self._rank)))
        if not fleets:
            miss = self.unfit or "No accelerator runs all of them."
            return found((), miss, "Plan the jobs one by one.")
        near = min(fleets, key=lambda fleet: (len(fleet.breaks), self._rank(fleet)))
        miss = f"The nearest, {near.machines} x ({near.label}): {'; '.join(near.breaks)}."
        return found((), miss, "Relax what it breaks.")

    def _smallest(self, fleets: Sequence[Fleet]) -> Fleet:
        """Of sizes of one kind as good as the best the one with the fewest devices; the best is first."""
        bound = AS_GOOD * self._rank(fleets[0])[2]
        good = [one for one in fleets if self._rank(one)[:2] == self._rank(fleets[0])[:2]]
        good = [one for one in good if self._rank(one)[2] <= bound]
        return min(good, key=lambda one: one.machines * one.packages)

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
        entry, count = self.sites[key[0]].entry, key[1]
        assert entry is not None  # noqa: S101 - sites of a plan are of the catalogue
        packages, power, purchase = self.facts[key]
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
            power_w=_known(machines * power), price_old=self._old(entry), breaks=tuple(breaks),
            rack_units=units,
        )  # fmt: skip

    def _rack_units(self, device: int, packages: float, machines: int) -> float | None:
        box = self.boxes[device] if self.boxes else None
        if box is None or box.rack_units is None:
            return None
        return machines * math.ceil(packages / max(1, box.accelerators)) * box.rack_units

    def _old(self, entry: Accelerator) -> bool:
        """Whether the price that ranks is too old; false where there is none."""
        if self.limits.acquire == "buy":
            return entry.msrp_usd is not None and is_old(entry.msrp_as_of, self.today)
        return entry.rent is not None and is_old(entry.rent.as_of, self.today)

    def _constant(self, name: str) -> float:
        told = self.limits.assumed.get(name)
        return self.book.constants[name].value if told is None or told.value is None else told.value


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def batches(jobs: Iterable[Counted]) -> Iterator[list[list[Counted]]]:
    """Neighbours that are alike but for their work together, a few such groups at once."""
    held: list[list[Counted]] = []
    for _, group in itertools.groupby(_numbered(jobs), key=lambda pair: pair[0]):
        members = (one for _, one in group)
        while some := list(itertools.islice(members, AT_ONCE)):
            held.append(some)
            if len(held) == BATCH:
                yield held
                held = []
    if held:
        yield held


def _numbered(jobs: Iterable[Counted]) -> Iterator[tuple[int, Counted]]:
    """Each job with a number that is the same as its neighbour's where they are alike."""
    number, before = 0, None
    for one in jobs:
        shape = without_work(one.job)
        number += shape != before
        before = shape
        yield number, one


def several(adder: Adder, jobs: Iterable[Counted]) -> Several:
    """All of them, taken a batch at a time."""
    for batch in batches(jobs):
        adder.add_alike(batch)
    return adder.result()
