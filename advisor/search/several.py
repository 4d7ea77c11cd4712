"""Several workloads with counts per year on one kind of machine: added up in batches, in bounded memory."""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from advisor.data.accelerator import Accelerator
from advisor.data.systems import System
from advisor.estimate import evaluate
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import PlanLimits, Workload
from advisor.search.formats import PLAIN, unrated_16bit
from advisor.search.grid import NOTHING_STATED, Stated
from advisor.search.plan import with_horizon
from advisor.search.plan_prices import price_columns
from advisor.search.plan_product import Array
from advisor.search.plan_site import Site
from advisor.search.plan_space import Sites, Space, sizes_of
from advisor.search.plan_together import search_together
from advisor.search.several_fleet import Done, Judge, Several, Sum
from advisor.search.several_taken import AT_ONCE, Asked, Counted, OfKind, taken, without_work

CAPS = (8, 64)
"""Numbers of devices searched first. More are asked only of kinds on which a job does not fit in so many or
comes too late: spread over more devices a job never takes fewer device hours but for what memory wins."""

BATCH = 16
"""Searches whose figures are computed together."""


class _Held(NamedTuple):
    """The last search up to so many devices, with weights in the host's memory or without: of a job's shape
    and work, among these sites."""

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
    lost: dict[int, str] = field(default_factory=dict)  # of kinds that do not do all: the first such job

    def __post_init__(self) -> None:
        self.kinds = Sites.of(self.book, self.devices)
        self.sites = self.kinds.sites
        self.sizes = sizes_of(self.kinds, self.most)
        self.judge = Judge(self.book, self.limits, self.today, self.sites, self.sizes, self.boxes)
        self._held: dict[tuple[int, bool], _Held] = {}
        if self.published is not None:
            self.published.neighbours.among_all  # noqa: B018 - made once for all searches
        self.alive = [at for at, sizes in enumerate(self.sizes) if sizes]
        self._slow = [unrated_16bit(inputs) for inputs in self.kinds.inputs]

    def add(self, *jobs: Counted) -> None:
        """Jobs more. Those that are alike but for their work are searched once, for the largest."""
        for batch in batches(jobs):
            self.add_alike(batch)

    def add_alike(self, groups: Sequence[Sequence[Counted]]) -> None:
        """The same, a few groups of jobs that are alike at once."""
        for group in groups:
            with_horizon(self.limits, group[0].job)  # limits that cannot be are errors
        kept = self._on(groups, self.alive)
        for group, done in zip(groups, kept, strict=True):
            self._sum(group, done or self._last_resort(group))

    def on_first(
        self, groups: Sequence[Sequence[Counted]]
    ) -> Iterator[tuple[OfKind | None, Sequence[Asked]]]:
        """What each group takes on the first kind, as it was added up, and its layouts there."""
        layouts: list[list[Asked]] = [[] for _ in groups]
        kept = self._on(groups, [0], layouts=layouts)
        for group, one, own in zip(groups, kept, layouts, strict=True):
            if 0 in one:
                yield one[0], own
                continue
            again: list[list[Asked]] = [[]]
            yield self._on([group], [0], spill=True, layouts=again)[0].get(0), again[0]

    def _last_resort(self, group: Sequence[Counted]) -> dict[int, OfKind]:
        """With weights in the host's memory, as a plan of one job: where no kind at all does it otherwise."""
        others = [at for at, sizes in enumerate(self.sizes) if sizes and at not in self.alive]
        if not self.alive or (others and self._on([group], others)[0]):
            return {}
        return self._on([group], self.alive, spill=True)[0]

    def _on(
        self,
        groups: Sequence[Sequence[Counted]],
        kinds: Sequence[int],
        *,
        spill: bool = False,
        layouts: list[list[Asked]] | None = None,
    ) -> list[dict[int, OfKind]]:
        """What each group takes on those of these kinds that do it; its layouts go into `layouts`."""
        open_ = [list(kinds) for _ in groups]
        kept: list[dict[int, OfKind]] = [{} for _ in groups]
        least = 1
        for cap in self._caps():
            asked = self._search(groups, open_, least, cap, spill=spill)
            found = iter(taken(self.book, [one for one in asked if one is not None], self.limits))
            for number, one in enumerate(asked):
                if one is None:
                    continue
                if layouts is not None:
                    layouts[number].append(one)
                for at, rows in next(found).by_kind():
                    kept[number][at] = rows.after(kept[number].get(at))
                open_[number] = [at for at in open_[number] if self._more(at, cap, kept[number].get(at))]
            least = cap + 1
        return kept

    def _caps(self) -> tuple[int, ...]:
        if self.limits.objective == "time":
            return (self.most,)
        return (*(cap for cap in CAPS if cap < self.most), self.most)

    def _search(
        self,
        groups: Sequence[Sequence[Counted]],
        sites: Sequence[Sequence[int]],
        least: int,
        most: int,
        *,
        spill: bool,
    ) -> list[Asked | None]:
        """Of each group the layouts of the job with most work, which are those of the others too, on so many
        devices; groups of one shape come with most work first and are searched once."""
        found: list[Asked | None] = [None] * len(groups)
        held, spaces = self._held.get((most, spill)), list[Space]()
        members: list[list[int]] = []  # of each space
        for number, (group, some) in enumerate(zip(groups, sites, strict=True)):
            if not some:
                continue
            largest = max(group, key=lambda one: one.job.recipe.samples or 0.0).job
            if held is None or not held.does(largest, some):
                kinds = self.kinds.take(some)
                spaces.append(
                    Space(self.book, largest, kinds, most, least=least, stated=self.stated, spill=spill)
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
            asked = self._priced(self._hosted(asked))
            for number in numbers:
                found[number] = asked._replace(jobs=groups[number])
            work = space.job.recipe.samples or 0.0
            self._held[most, spill] = _Held(without_work(space.job), work, tuple(some), asked)
        return found

    def _hosted(self, asked: Asked) -> Asked:
        """Without layouts that leave more to the hosts than those of a named system hold."""
        if "host_bytes" not in self.book.quantities or not any(box and box.ram_bytes for box in self.boxes):
            return asked
        each = evaluate(self.book, asked.table, ("host_bytes",), keep_all=False).columns["host_bytes"]
        held, most = (np.array(one)[asked.site] for one in zip(*self._hosts(), strict=True))
        return asked.where(~(each * np.minimum(asked.devices, most) > held))

    def _priced(self, asked: Asked) -> Asked:
        """With the rents of offers that are known to join as many."""
        entries = [site.entry for site in self.sites if site.entry is not None]  # a plan's sites all are
        columns = {**asked.table.columns, **price_columns(entries, asked.site, asked.devices)}
        return asked._replace(table=replace(asked.table, columns=columns))

    def _hosts(self) -> Iterator[tuple[float, float]]:
        """Of each kind the memory of its system's host, and how many devices share it."""
        for box, site in zip(self.boxes, self.sites, strict=True):
            assert site.entry is not None  # noqa: S101 - sites of a plan are of the catalogue
            ram = None if box is None else box.ram_bytes
            many = 1 if box is None else max(1, box.accelerators * site.entry.devices_per_package)
            yield (math.inf if ram is None else ram), float(many)

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
        for at in set(self.alive) - set(left):
            self.lost.setdefault(at, group[0].job.title)
        self.alive = left
        self.done += len(group) if left else 0
        for at in left:
            sizes = np.array(self.sizes[at], dtype=np.int64)
            own = kept[at].summed(sizes, times, self.limits.objective)
            unrated = self._slow[at] and group[0].job.recipe.precision not in PLAIN
            own = np.vstack([own, own[0] * unrated])
            self.totals[at] = own if at not in self.totals else self.totals[at] + own

    @property
    def sums(self) -> dict[tuple[int, int], Sum]:
        """What all jobs so far take on machines of each kind and size that does any."""
        found = {}
        for at, totals in self.totals.items():
            for size, column in zip(self.sizes[at], totals.T.tolist(), strict=True):
                jobs, busy, rent, energy, late, offloads, *ends, unrated = column
                if jobs:
                    told = int(late), int(offloads), int(unrated), tuple(ends)
                    found[at, size] = Sum(int(jobs), busy, rent, energy, *told)
        return found

    def result(self, whole: int | None = None) -> Several:
        """Fleets for all that was added, of `whole` jobs that were asked for."""
        done = Done(self.jobs, self.runs, self.jobs if whole is None else whole, self.unfit, self.lost)
        return self.judge.result(self.sums, done)


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
