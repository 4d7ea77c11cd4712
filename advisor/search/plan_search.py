"""The search of a plan: memory first, then time, then published runs nearby; best layout of each count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from advisor.data.accelerator import Accelerator
from advisor.estimate import Table, evaluate
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Workload
from advisor.search.grid import NOTHING_STATED, SetUp, Stated
from advisor.search.layouts import Index, Mask
from advisor.search.nearby import Nearby, with_neighbours
from advisor.search.plan_groups import numbers_of
from advisor.search.plan_memory import Competing, competing
from advisor.search.plan_product import Array
from advisor.search.plan_site import Site
from advisor.search.plan_space import MAX_DEVICES, Candidates, Sites, Space
from advisor.search.plan_taste import TASTE, TUNED, Taste, near_best, plainest


@dataclass(frozen=True)
class Found:
    """The best layout of each accelerator and count (rows), and how near the rest came.

    `device` and `set_up` are rows of the space. `least_need` has for each device the least memory that any
    layout needs of what there is (1: all of it), and `least_at` the set-up; NaN and -1: not known or none.
    """

    space: Space
    device: Index
    set_up: Index
    tight: Mask  # the upper end of the memory's range does not fit, in no layout of this count
    near: Nearby
    least_need: Array
    least_at: Index
    timed: Mask  # devices with a time for a layout that fits
    tried: int  # candidates whose memory was computed
    fitting: int  # of those, whose memory suffices
    time: Array  # of the calendar, corrected, of each row
    way: Array  # how far each row is from what a stock trainer has, where that matters; else 0
    taste: Taste
    kinds: Mask  # (kinds, rows): whether a row is the best of its count of the ways up to so far, or of all

    def take(self, rows: Index) -> Found:
        """Some rows."""
        return replace(
            self, device=self.device[rows], set_up=self.set_up[rows], tight=self.tight[rows],
            near=self.near.take(rows), time=self.time[rows], way=self.way[rows], kinds=self.kinds[:, rows],
        )  # fmt: skip


def search(  # noqa: PLR0913, PLR0917 - what is asked
    book: RuleBook,
    job: Workload,
    devices: Sequence[Accelerator | Site] | Sites,
    published: Published | None = None,
    most: int = MAX_DEVICES,
    stated: Stated = NOTHING_STATED,
    taste: Taste | None = None,
    *,
    every: int = 0,
    far: bool = False,
) -> Found:
    """The best layout of each accelerator and count, corrected by published runs near it, with ranges; of
    ways up to `every` that of each kind; `far`: on more devices than any published run has, too."""
    space = Space(book, job, devices, most, stated=stated, far=far)
    found = best_of(space, published, taste, every=every)
    if found.fitting or np.isnan(found.least_need).all():
        return found
    # nothing fits on anything that was asked: the weights in the host's memory, where its memory is another
    space = Space(book, job, devices, most, stated=stated, spill=True, far=far)
    return best_of(space, published, taste, every=every)


def best_of(
    space: Space, published: Published | None = None, taste: Taste | None = None, *, every: int = 0
) -> Found:
    """The best layout of each site and count: of those that fit the fastest, or a plainer one as good."""
    taste = taste or taste_of(space.stated)
    found = best_candidates(space, published, taste, every=every if taste.stock > 1 else 0)
    many = found.competing
    return Found(
        space, many.device[found.rows], many.set_up[found.rows], ~many.sure[found.rows], found.near,
        many.least_need, many.least_at, many.timed, tried=many.tried, fitting=many.fitting, time=found.time,
        way=many.ways[found.rows], taste=taste, kinds=found.kinds,
    )  # fmt: skip


def taste_of(stated: Stated) -> Taste:
    """Whoever names a program or tunes gains by what a stock trainer has not."""
    return TUNED if stated.effort == "tuned" or stated.stack is not None else TASTE


class Best(NamedTuple):
    """The best rows of what competes, of each group in rising order, with their times and tables."""

    competing: Competing
    rows: Index
    near: Nearby
    time: Array
    kinds: Mask


KINDS = 3
"""Layouts of the ways up to 0, 1 and 2 (`SetUps.way`)."""


def best_candidates(
    space: Candidates,
    published: Published | None,
    taste: Taste,
    *,
    needs: bool = True,
    every: int = 0,
) -> Best:
    """The best of each group of candidates, of one job or of several, corrected by published runs near it; of
    ways up to `every` that of each kind."""
    book, many = space.book, competing(space, taste, needs=needs, every=every)
    kept = near_best(space, many.set_up, 3 * many.groups + many.ways.astype(np.int64), many.time, taste)
    device, set_up = many.device[kept], many.set_up[kept]
    near = with_neighbours(
        book, published, inputs_of(space, device, set_up), [space.networks[row] for row in device],
        [space.ids[row] for row in device], [space.program] * len(kept),
    )  # fmt: skip
    corrected = evaluate(book, near.table, ("calendar_s",), keep_all=False).columns["calendar_s"]
    groups, ways = many.groups[kept], many.ways[kept]
    if not every:
        best = plainest(space, set_up, groups, ways, corrected, taste)
        return Best(many, kept[best], near.take(best), corrected[best], np.ones((1, len(best)), dtype=bool))
    picks = []
    for kind in range(KINDS):
        mine = np.flatnonzero(ways <= kind)
        alike = np.zeros(len(mine))
        picks.append(mine[plainest(space, set_up[mine], groups[mine], alike, corrected[mine], taste)])
    best = numbers_of(np.concatenate(picks))[0]
    best = best[np.lexsort((ways[best], groups[best]))]
    kinds = np.stack([np.isin(best, pick) for pick in picks])
    return Best(many, kept[best], near.take(best), corrected[best], kinds)


def beside(found: Found, published: Published | None = None) -> tuple[SetUp, float] | None:
    """For a search of one site and count: the best of the other taste, where it is of another kind, stock or
    not, and its time over that of the one taken."""
    if not len(found.set_up):
        return None
    space = found.space
    stock = space.set_ups.stock
    if stock.all() or not stock.any():
        return None
    other = best_of(space, published, TASTE if found.taste == TUNED else TUNED)
    if not len(other.set_up) or stock[other.set_up[0]] == stock[found.set_up[0]]:
        return None
    return space.set_ups.row(int(other.set_up[0])), float(other.time[0] / found.time[0])


def inputs_of(space: Candidates, device: Index, set_up: Index) -> Table:
    """The table of these candidates, with inputs alone: ready to be corrected and evaluated."""
    columns: dict[str, Array] = {}
    for table, rows in ((space.product.set_ups, set_up), (space.product.devices, device)):
        columns |= {
            name: values[rows] for name, values in table.columns.items() if name not in table.computed
        }
    return Table(len(device), columns)
