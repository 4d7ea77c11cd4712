"""Several workloads with counts per year on one kind of machine: added up in batches, in bounded memory."""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from advisor.search.plan_product import Array
from advisor.search.plan_site import Site
from advisor.search.plan_space import Sites, Space, sizes_of
from advisor.search.plan_together import search_together
from advisor.search.several_taken import AT_ONCE, Asked, Counted, OfKind, taken, without_work
from advisor.units import YEAR_S

CAPS = (8, 64)
"""Numbers of devices searched first. More are asked only of kinds on which a job does not fit in so many or
comes too late: spread over more devices a job never takes fewer device hours but for what memory wins."""

AS_GOOD = 1.03
"""How much more a year with fewer devices may cost (take, use) and is taken all the same."""

BATCH = 16
"""Searches whose figures are computed together."""


@dataclass(frozen=True)
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
    asked: Asked | None  # None: it is among those to be searched now

    def does(self, job: Workload, sites: Sequence[int]) -> bool:
        """Whether its layouts are those of this job too."""
        enough = self.work >= (job.recipe.samples or 0.0)
        return enough and self.sites == tuple(sites) and self.shape == without_work(job)


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
    totals: dict[int, Array] = field(default_factory=dict)  # of each kind: what Sum has x sizes
    jobs: int = 0
    done: int = 0  # jobs of this process that some kind did
    runs: float = 0.0
    searches: int = 0
    unfit: str = ""  # the job that fits nowhere, or on none of the kinds that do the others, in a sentence

    def __post_init__(self) -> None:
        self.kinds = Sites.of(self.book, self.devices)
        self.sites = self.kinds.sites
        self.sizes = sizes_of(self.kinds, self.most)
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
        kept: list[dict[int, OfKind]] = [{} for _ in groups]
        least = 1
        for cap in self._caps():
            asked = self._search(groups, open_, least, cap)
            found = iter(taken(self.book, [one for one in asked if one is not None], self.limits))
            for number, one in enumerate(asked):
                if one is None:
                    continue
                for at, rows in next(found).by_kind():
                    kept[number][at] = rows.after(kept[number].get(at))
                open_[number] = [at for at in open_[number] if self._more(at, cap, kept[number].get(at))]
            least = cap + 1
        for group, done in zip(groups, kept, strict=True):
            self._sum(group, done)

    def _caps(self) -> tuple[int, ...]:
        if self.limits.objective == "time":
            return (self.most,)
        return (*(cap for cap in CAPS if cap < self.most), self.most)

    def _search(
        self, groups: Sequence[Sequence[Counted]], sites: Sequence[Sequence[int]], least: int, most: int
    ) -> list[Asked | None]:
        """Of each group the layouts of the job with most work, which are those of the others too, on so many
        devices; groups of one shape come with most work first and are searched once."""
        found: list[Asked | None] = [None] * len(groups)
        held, spaces = self._held.get(most), list[Space]()
        members: list[list[int]] = []  # of each space
        for number, (group, some) in enumerate(zip(groups, sites, strict=True)):
            if not some:
                continue
            largest = max(group, key=lambda one: one.job.recipe.samples or 0.0).job
            if held is None or not held.does(largest, some):
                spaces.append(
                    Space(self.book, largest, self.kinds.take(some), most, least=least, stated=self.stated)
                )
                members.append([])
                held = _Held(without_work(largest), largest.recipe.samples or 0.0, tuple(some), None)
            if held.asked is None:
                members[-1].append(number)
            else:
                found[number] = held.asked._replace(jobs=group)
        self.searches += len(spaces)
        for space, layouts, numbers in zip(
            spaces, search_together(spaces, self.published), members, strict=True
        ):
            some = sites[numbers[0]]
            asked = Asked.of(layouts, [some[at] for at in space.asked], groups[numbers[0]])
            for number in numbers:
                found[number] = asked._replace(jobs=groups[number])
            work = space.job.recipe.samples or 0.0
            self._held[most] = _Held(without_work(space.job), work, tuple(some), asked)
        return found

    def _more(self, at: int, cap: int, kept: OfKind | None) -> bool:
        """Whether larger machines of a kind are asked: there are such, and in these not all fit in time."""
        if self.sizes[at][-1] <= cap:
            return False
        return kept is None or not bool(kept.in_time.any(axis=0).all())

    def _sum(self, group: Sequence[Counted], kept: Mapping[int, OfKind]) -> None:
        times = np.array([one.per_year for one in group])
        self.jobs += len(group)
        self.runs += float(times.sum())
        left = [at for at in self.alive if at in kept]
        if not left and not self.unfit:
            where = "nowhere" if not self.done else "on none of the accelerators that do the others"
            self.unfit = f"'{group[0].job.title}' fits {where}."
        self.alive = left
        self.done += len(group) if left else 0
        for at in left:
            sizes = np.array(self.sizes[at], dtype=np.int64)
            own = kept[at].summed(sizes, times, self.limits.objective)
            self.totals[at] = own if at not in self.totals else self.totals[at] + own

    @property
    def sums(self) -> dict[tuple[int, int], Sum]:
        """What all jobs so far take on machines of each kind and size that does any."""
        found = {}
        for at, totals in self.totals.items():
            for size, (jobs, busy, rent, energy, late) in zip(self.sizes[at], totals.T.tolist(), strict=True):
                if jobs:
                    found[at, size] = Sum(int(jobs), busy, rent, energy, int(late))
        return found

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
