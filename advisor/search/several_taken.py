"""What jobs that are alike but for their work take on each kind and number of devices: searched once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from advisor.estimate import Range, Table
from advisor.rulebook import RuleBook
from advisor.schema import PlanLimits, Workload
from advisor.search.layouts import Index, Mask
from advisor.search.plan_product import Array
from advisor.search.plan_set_ups import SetUps
from advisor.search.plan_time import calendar_of, priced
from advisor.search.plan_together import Layouts
from advisor.units import DAY_S

AT_ONCE = 8
"""Jobs of one search whose figures are computed at once; bounds memory."""

_ROWS = 4096  # of one call of the evaluator, which moves each constant of the calendar in a copy of them


class Counted(NamedTuple):
    """A workload and how often a year it is run."""

    job: Workload
    per_year: float


class Asked(NamedTuple):
    """The layouts that a search found for jobs that are alike: without the search, which is large."""

    table: Table
    site: Index  # of each row the number of its kind of device among all
    devices: Index
    jobs: Sequence[Counted]
    set_ups: SetUps  # of each row

    @classmethod
    def of(cls, layouts: Layouts, sites: Sequence[int], jobs: Sequence[Counted]) -> Asked:
        """Of a search among the kinds of these numbers."""
        known = np.array(sites, dtype=np.int64)
        table = replace(layouts.table, sources={}, reasons={}, categories={})
        return cls(table, known[layouts.site], layouts.devices, jobs, layouts.set_ups)

    def where(self, keep: Mask) -> Asked:
        """Some of the layouts."""
        rows = np.flatnonzero(keep)
        if len(rows) == len(keep):
            return self
        return self._replace(
            table=self.table.take(rows),
            site=self.site[rows],
            devices=self.devices[rows],
            set_ups=self.set_ups.take(rows),
        )


ENDS = ("busy_s", "rent_usd", "energy_j")
"""What is told with its range: lower and upper end of each stand one after the other in `ends`."""


@dataclass(frozen=True)
class OfKind:
    """What jobs (columns) take on numbers of devices of one kind (rows, fewest first)."""

    count: Index
    busy_s: Array
    late_s: Array
    rent_usd: Array
    energy_j: Array
    in_time: Mask
    offloads: Mask  # of each number whether states or weights are in the host's memory
    ends: Array  # numbers x jobs x ends of ENDS

    def after(self, fewer: OfKind | None) -> OfKind:
        """These rows behind those on fewer devices."""
        if fewer is None:
            return self
        parts = zip(fewer._columns(), self._columns(), strict=True)
        return OfKind(*(np.concatenate(pair) for pair in parts))

    def _columns(self) -> tuple[Any, ...]:
        return (
            self.count, self.busy_s, self.late_s, self.rent_usd, self.energy_j, self.in_time, self.offloads,
            self.ends,
        )  # fmt: skip

    def summed(self, sizes: Index, times: Array, objective: str) -> Array:
        """Jobs, busy time, rent, energy, jobs that are late and that offload, and the ends of `ENDS` (rows)
        of machines of each size, each job in the part of one that suits it best, as often as `times` says.

        The ends are sums of the ends: on devices of one kind estimates of all jobs may err to one side.
        """
        some, best, busy = self.chosen(sizes, objective)
        out = np.zeros((6 + 2 * len(ENDS), len(sizes)))
        if not len(some):
            return out
        size, job = np.arange(len(some))[:, None], np.arange(len(times))
        out[0, some] = len(times)
        out[1, some] = (times * busy[size, best, job]).sum(axis=1)
        out[2, some] = (times * self.rent_usd[best, job]).sum(axis=1)
        out[3, some] = (times * self.energy_j[best, job]).sum(axis=1)
        out[4, some] = (~self.in_time[best, job]).sum(axis=1)
        out[5, some] = self.offloads[best].sum(axis=1)
        ends = self.ends[best, job].copy()
        ends[..., :2] *= (busy[size, best, job] / self.busy_s[best, job])[..., None]
        out[6:, some] = (times[:, None] * ends).sum(axis=1).T
        return out

    def chosen(self, sizes: Index, objective: str) -> tuple[Index, Index, Array]:
        """Which sizes hold any, of these x jobs the row that suits best, and of sizes x counts x jobs the
        time that a machine is busy with one run, which takes a part of it."""
        fits = self.count <= sizes[:, None]  # sizes x counts
        some = np.flatnonzero(fits.any(axis=1))
        if not len(some):
            return some, np.zeros((0, self.busy_s.shape[1]), dtype=np.int64), np.zeros((0, 0, 0))
        fits, parts = fits[some][:, :, None], sizes[some][:, None] // self.count
        busy = np.where(fits, self.busy_s / np.maximum(parts, 1)[:, :, None], np.inf)
        value = {"time": self.late_s, "energy": self.energy_j}.get(objective)
        wanted = busy if value is None else np.where(fits & ~np.isnan(value), value, busy)
        in_time = fits & self.in_time
        wanted = np.where(in_time, wanted, np.inf).argmin(axis=1)
        late = np.where(fits, self.late_s, np.inf).argmin(axis=1)
        return some, np.where(in_time.any(axis=1), wanted, late), busy


@dataclass(frozen=True)
class Taken:
    """Rows: kinds and numbers of devices; columns of the two-dimensional ones: jobs. NaN: not known."""

    site: Index
    count: Index
    busy_s: Array  # median of calendar time
    late_s: Array  # kept to with the plan's confidence
    rent_usd: Array
    energy_j: Array
    in_time: Mask
    offloads: Mask  # of each row
    ends: Array  # rows x jobs x ends of ENDS

    def by_kind(self) -> Iterator[tuple[int, OfKind]]:
        """The rows of each kind, fewest devices first."""
        order = np.lexsort((self.count, self.site))
        ends = np.flatnonzero(np.diff(self.site[order])) + 1
        for rows in np.split(order, ends) if len(order) else ():
            busy, late, rent, energy = (
                one[rows] for one in (self.busy_s, self.late_s, self.rent_usd, self.energy_j)
            )
            own = OfKind(
                self.count[rows], busy, late, rent, energy, self.in_time[rows], self.offloads[rows],
                self.ends[rows],
            )  # fmt: skip
            yield int(self.site[rows[0]]), own


def without_work(job: Workload) -> Workload:
    """The job without its amount of work, what says it in words, and when it is due."""
    recipe = job.recipe.model_copy(update={"samples": None, "stated": (), "source": ""})
    return job.model_copy(update={"recipe": recipe, "title": "", "note": "", "deadline_days": None})


def taken(book: RuleBook, asked: Sequence[Asked], limits: PlanLimits) -> list[Taken]:
    """What the jobs take in the layouts found; all of a batch in as few calls as can be."""
    rows = [one.table.rows * len(one.jobs) for one in asked]
    figures: list[dict[str, Array]] = [{} for _ in asked]
    alike: dict[frozenset[str], list[int]] = {}
    for at, one in enumerate(asked):
        alike.setdefault(frozenset(one.table.columns), []).append(at)
    for members in alike.values():
        for part in _parts([rows[at] for at in members]):
            some = [members[at] for at in part]
            every = _figures(book, _joined([with_work(asked[at]) for at in some]), limits)
            ends = np.cumsum([rows[at] for at in some])[:-1]
            for name, values in every.items():
                for at, own in zip(some, np.split(values, ends), strict=True):
                    figures[at][name] = own
    return [_taken(one, own, limits) for one, own in zip(asked, figures, strict=True)]


def _parts(rows: Sequence[int]) -> list[list[int]]:
    """Neighbours together while they have few rows."""
    parts: list[list[int]] = []
    held = 0
    for at, count in enumerate(rows):
        if not parts or held + count > _ROWS:
            parts.append([])
            held = 0
        parts[-1].append(at)
        held += count
    return parts


def with_work(one: Asked) -> Table:
    """The table of the layouts found, once for each job with its amount of work."""
    table = one.table
    plain = table.take(np.tile(np.arange(table.rows), len(one.jobs)))
    work = [np.nan if (own := counted.job.recipe.samples) is None else own for counted in one.jobs]
    return replace(plain, columns={**plain.columns, "samples": np.repeat(np.array(work), table.rows)})


def _joined(tables: Sequence[Table]) -> Table:
    """Tables of the same columns, one after the other."""
    if len(tables) == 1:
        return tables[0]
    first = tables[0]
    columns = {name: np.concatenate([table.columns[name] for table in tables]) for name in first.columns}
    ranges = {}
    for name in dict.fromkeys(name for table in tables for name in table.ranges):
        ends = [table.ranges.get(name, (table.columns[name],) * 2) for table in tables]
        low, high = (np.concatenate([pair[end] for pair in ends]) for end in (0, 1))
        ranges[name] = low, high
    return Table(sum(table.rows for table in tables), columns, ranges=ranges)


def _figures(book: RuleBook, table: Table, limits: PlanLimits) -> dict[str, Array]:
    table = table.with_constants({name: told.value for name, told in limits.assumed.items()})
    calendar = calendar_of(book, table)
    following = priced(book, table, calendar, ("calendar_rent_usd", "calendar_energy_j"))
    spans = {
        "busy_s": Range(calendar.median, calendar.low, calendar.high),
        "rent_usd": following["calendar_rent_usd"],
        "energy_j": following["calendar_energy_j"],
    }
    found = {name: span.value for name, span in spans.items()} | {"late_s": calendar.at(limits.confidence)}
    return found | {f"{name} {end}": getattr(spans[name], end) for name in ENDS for end in ("low", "high")}


def _taken(one: Asked, figures: dict[str, Array], limits: PlanLimits) -> Taken:
    rows = len(one.site)

    def by_job(name: str) -> Array:
        return figures[name].reshape(len(one.jobs), rows).T

    due = [
        counted.job.deadline_days if limits.deadline_days is None else limits.deadline_days
        for counted in one.jobs
    ]
    deadline = np.array([np.inf if days is None else days * DAY_S for days in due])
    return Taken(
        site=one.site,
        count=one.devices,
        **{name: by_job(name) for name in ("busy_s", "late_s", "rent_usd", "energy_j")},
        in_time=by_job("late_s") <= deadline,
        offloads=one.table.columns["offload_none"] == 0,
        ends=np.stack([by_job(f"{name} {end}") for name in ENDS for end in ("low", "high")], axis=-1),
    )
