"""The search of a plan: memory first, then time, then published runs nearby; best layout of each count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from advisor.data.accelerator import Accelerator
from advisor.estimate import Table, evaluate
from advisor.neighbours import Told
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Workload
from advisor.search.grid import NOTHING_STATED, Stated
from advisor.search.layouts import Index, Mask
from advisor.search.nearby import Nearby, with_neighbours
from advisor.search.plan_product import Array, kinds
from advisor.search.plan_site import Site
from advisor.search.plan_space import MAX_DEVICES, Space

NEAR_BEST = 1.3
"""Of other programs and recomputations: layouts up to this much slower than the fastest of their count are
asked of the neighbours too, whose corrections then decide."""

AS_GOOD = 1.03
"""Of every layout that neighbours can tell apart: those up to this much slower. Corrections of one count
differ by up to a tenth; with both bounds what is found is within 1 % of the exhaustive optimum (a test)."""

LEAN = 1.1
"""Where no layout of a count surely fits: those compete that need up to this much more than the leanest."""

WORTH_TRYING, TRIED = 2.0, 0.98
"""So many times faster than what surely fits, a layout is taken that does by the estimate alone, if that
needs no more of the memory than the second: whether it fits shows in the first step, and it is told."""

SERVER = 8
"""Devices of a usual server."""

TOLD_APART = ("stack", "recompute", "tp", "pp", "cp", "ep", "micro_batch")
"""What of a set-up its neighbours look at (advisor/estimate/features.py)."""


class Taste(NamedTuple):
    """How much slower a plainer layout may be and is taken all the same."""

    simpler: float = 1.03  # less parallelism, interleaving, recomputation, cutting: no estimate is that sure
    uncut: float = 1.10  # one that a stock trainer does, over one that takes another program
    one_server: float = 1.6  # on one server, where a network that fits is hardly ever cut


TASTE = Taste()
TUNED = Taste(uncut=1.03, one_server=1.03)
"""Who tunes takes another program for what it gains."""


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
    other: Index  # of each row the best set-up of the other kind, stock or not; -1: none near
    other_time: Array  # its time over that of the row


def search(  # noqa: PLR0913, PLR0917 - what is asked
    book: RuleBook,
    job: Workload,
    devices: Sequence[Accelerator | Site],
    published: Published | None = None,
    most: int = MAX_DEVICES,
    stated: Stated = NOTHING_STATED,
    taste: Taste | None = None,
) -> Found:
    """The best layout of each accelerator and count, corrected by published runs near it, with ranges."""
    return best_of(Space(book, job, devices, most, stated=stated), published, taste)


def best_of(space: Space, published: Published | None = None, taste: Taste | None = None) -> Found:
    """The best layout of each site and count: of those that fit the fastest, or a plainer one as good."""
    book, told = space.book, space.stated
    if taste is None:  # whoever names a program or tunes gains by what a stock trainer does not do
        taste = TUNED if told.effort == "tuned" or told.stack is not None else TASTE
    share = shares_of(space)
    least_need, least_at = _least(space, share)
    device, set_up, sure, time = _competing(space, share)
    timed = np.zeros(len(space.sites), dtype=bool)
    timed[device[~np.isnan(time)]] = True
    kept = near_best(space, device, set_up, time, taste)
    device, set_up, sure = device[kept], set_up[kept], sure[kept]
    near = with_neighbours(
        book, published, inputs_of(space, device, set_up),
        [space.job.model.id] * len(kept), [space.sites[row].id for row in device],
        [space.stated.program] * len(kept),
    )  # fmt: skip
    corrected = evaluate(book, near.table, ("calendar_s",), keep_all=False).columns["calendar_s"]
    groups = group_of(space, device, set_up)
    best = plainest(space, set_up, groups, corrected, taste)
    other, other_time = _others(space, set_up, groups, corrected, best)
    near = Nearby(near.table.take(best), _told_of(near, best), near.published)
    return Found(
        space, device[best], set_up[best], ~sure[best], near, least_need, least_at, timed,
        tried=len(share), fitting=int((share <= 1).sum()), other=other, other_time=other_time,
    )  # fmt: skip


def _competing(space: Space, share: Array) -> tuple[Index, Index, Mask, Array]:
    """What competes of each site and count by its memory: device, set-up, whether it surely fits, time."""
    fits = share <= 1
    device, set_up = space.device[fits], space.set_up[fits]
    sure = surely_fits(space, device, set_up)
    groups, offloads = group_of(space, device, set_up), space.set_ups["offload"][set_up] > 0
    # running out of memory costs more than time, and of the host's nobody knows how much there is
    lean = share[fits] <= LEAN * _least_of(2 * groups + offloads, share[fits])
    preferred = prefer(np.where(sure, 0.0, np.where(lean, 1.0, 2.0)) + 3.0 * offloads, groups)
    asked = preferred | (~sure & ~offloads & (share[fits] <= TRIED))
    device, set_up, sure, preferred = device[asked], set_up[asked], sure[asked], preferred[asked]
    used, at = np.unique(set_up, return_inverse=True)
    time = space.of(used).evaluate(("time_s",), device, at)["time_s"]
    preferred = _or_worth_trying(groups[asked], sure, preferred, time)
    device, set_up, sure, time = device[preferred], set_up[preferred], sure[preferred], time[preferred]
    return device, set_up, sure, time


def shares_of(space: Space) -> Array:
    """The share of its device's memory that each pair needs; infinite where a smaller micro-batch needs all.

    A larger micro-batch never needs less, so of layouts that differ in it alone the smallest is asked first.
    """
    device, set_up, found = space.device, space.set_up, space.set_ups
    usable = space.product.on_device("memory_usable")
    alike = kinds([found["alike"], found["stack"]], len(found))[set_up]
    pairs = device * (int(alike.max(initial=0)) + 1) + alike
    micro = found["micro_batch"][set_up]
    least = micro == _least_of(pairs, micro)
    share = np.full(len(device), np.inf)

    def ask(rows: Index) -> None:
        memory = space.product.evaluate(("memory_bytes",), device[rows], set_up[rows])["memory_bytes"]
        share[rows] = memory / usable[device[rows]]

    ask(np.flatnonzero(least))
    out = np.full(int(pairs.max(initial=0)) + 1, np.inf)
    out[pairs[least]] = share[least]
    ask(np.flatnonzero(~least & (out[pairs] <= 1)))
    return np.where(np.isnan(out[pairs]), np.nan, share)


def _or_worth_trying(groups: Index, sure: Mask, preferred: Mask, time: Array) -> Mask:
    """What is preferred, or what is less sure to fit where that is so much faster."""
    best = _least_of(groups, np.where(preferred, time, np.nan))
    bold = _least_of(groups, np.where(sure, np.nan, time))
    return np.asarray(np.where(WORTH_TRYING * bold <= best, ~sure, preferred))


def _told_of(near: Nearby, rows: Index) -> Told | None:
    told = near.told
    if told is None:
        return None
    return Told(told.correction[rows], told.deviation[rows], told.nearest[rows], told.weights[rows])


def surely_fits(space: Space, device: Index, set_up: Index) -> Mask:
    """Whether the upper end of the memory's range fits too."""
    used, at = np.unique(set_up, return_inverse=True)
    worst = space.of(used, "pessimistic")
    needed = worst.evaluate(("memory_bytes",), device, at)["memory_bytes"]
    return np.asarray(needed <= worst.on_device("memory_usable")[device])


def prefer(rank: Array, groups: Index) -> Mask:
    """Of each group the rows of the lowest rank."""
    return np.asarray(rank == _least_of(groups, rank))


def group_of(space: Space, device: Index, set_up: Index) -> Index:
    """A number for each accelerator and count."""
    counts = space.set_ups["devices"].astype(np.int64)
    return np.asarray(device * (2 * MAX_DEVICES) + counts[set_up])


def fastest(groups: Index, time: Array) -> Index:
    """The row with the least time of each group; groups without a known time are left out."""
    order = np.lexsort((time, groups))  # unknown times come last
    first = np.ones(len(order), dtype=bool)
    first[1:] = groups[order][1:] != groups[order][:-1]
    rows = order[first]
    return rows[~np.isnan(time[rows])]


def plainest(space: Space, set_up: Index, groups: Index, time: Array, taste: Taste) -> Index:
    """The row of each group that is the plainest of those as good as the fastest, groups in rising order."""
    uncut = space.set_ups.stock[set_up]
    least, least_uncut = _least_of(groups, time), _least_of(groups, np.where(uncut, time, np.nan))
    resident = np.where(uncut & (space.set_ups["offload"][set_up] == 0), time, np.nan)
    small = space.set_ups["devices"][set_up] <= SERVER
    takes_uncut = least_uncut <= taste.uncut * least
    takes_uncut |= small & (_least_of(groups, resident) <= taste.one_server * least)
    bound = taste.simpler * np.where(takes_uncut, least_uncut, least)
    good = np.flatnonzero((time <= bound) & (uncut | ~takes_uncut))
    return good[_first_plainest(space, set_up[good], groups[good], time[good])]


def _first_plainest(space: Space, set_up: Index, groups: Index, time: Array) -> Index:
    """The plainest row of each group, in rising order of groups."""
    found = space.set_ups
    plain = [found[name][set_up] for name in ("micro_batch", "offload", "sharding", "recompute", "vpp")]
    plain.insert(1, _accumulates(space, set_up))
    order = np.lexsort((time, *plain, found.parts[set_up], groups))
    _, first = np.unique(groups[order], return_index=True)
    return np.asarray(order[first])


def _accumulates(space: Space, set_up: Index) -> Array:
    """1 where a step takes several passes; a pipeline lives by them, which makes it no plainer without."""
    found, batch = space.set_ups, space.job.recipe.global_batch
    if batch is None:
        return np.zeros(len(set_up))
    passes = batch / (found.replicas * found["micro_batch"])
    return np.asarray(((passes > 1) & (found["pp"] == 1)).astype(np.float64)[set_up])


def _least_of(groups: Index, time: Array) -> Array:
    """For each row the least time of its group."""
    rows = fastest(groups, time)
    place = _place(groups[rows], groups)
    return np.where(place >= 0, time[rows][place] if len(rows) else np.nan, np.nan)


def _place(sorted_groups: Index, groups: Index) -> Index:
    """Where each of the groups is among the sorted ones, or -1."""
    if not len(sorted_groups):
        return np.full(len(groups), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(sorted_groups, groups), len(sorted_groups) - 1)
    return np.where(sorted_groups[place] == groups, place, -1)


def _others(space: Space, set_up: Index, groups: Index, time: Array, best: Index) -> tuple[Index, Array]:
    """Beside each row taken the fastest of the other kind, stock or not, and its time over that row's."""
    other, ratio = np.full(len(best), -1, dtype=np.int64), np.full(len(best), np.nan)
    if not len(best):
        return other, ratio
    stock, place = space.set_ups.stock[set_up], _place(groups[best], groups)
    rows = fastest(groups, np.where((place >= 0) & (stock != stock[best][place]), time, np.nan))
    at = place[rows]
    other[at], ratio[at] = set_up[rows], time[rows] / time[best][at]
    return other, ratio


def near_best(space: Space, device: Index, set_up: Index, time: Array, taste: Taste = TASTE) -> Index:
    """Of each accelerator and count what its neighbours may make the fastest, or the plainest as good."""
    groups, found = group_of(space, device, set_up), space.set_ups
    least = _least_of(groups, time)
    kept = []
    uncut = found.stock[set_up]
    least_uncut = _least_of(groups, np.where(uncut, time, np.nan))
    small = space.set_ups["devices"][set_up] <= SERVER
    far = np.where(small, max(NEAR_BEST, taste.one_server), NEAR_BEST)
    contests = (
        (TOLD_APART, time <= AS_GOOD * least),
        # a stock trainer's may be taken although it is slower: of these too all that neighbours tell apart
        (TOLD_APART, uncut & (time <= AS_GOOD * least_uncut) & (least_uncut <= far * least)),
        (("stack", "recompute"), time <= NEAR_BEST * least),
    )
    for names, competing in contests:
        near = np.flatnonzero(competing)
        kind = kinds([found[name] for name in names])
        alike = groups[near] * (int(kind.max(initial=0)) + 1) + kind[set_up[near]]
        kept.append(near[fastest(alike, time[near])])
        # neighbours tell these from the fastest no more than the rules do
        good = time[near] <= taste.simpler * _least_of(alike, time[near])
        near, alike = near[good], alike[good]
        kept.append(near[_first_plainest(space, set_up[near], alike, time[near])])
    # with its index: without, numpy loads its masked arrays, which takes longer than all of this
    return np.asarray(np.unique(np.concatenate(kept), return_index=True)[0])


def inputs_of(space: Space, device: Index, set_up: Index) -> Table:
    """The table of these candidates, with inputs alone: ready to be corrected and evaluated."""
    columns: dict[str, Array] = {}
    for table, rows in ((space.product.set_ups, set_up), (space.product.devices, device)):
        columns |= {
            name: values[rows] for name, values in table.columns.items() if name not in table.computed
        }
    return Table(len(device), columns)


def _least(space: Space, share: Array) -> tuple[Array, Index]:
    """For each device the least share of its memory that a layout takes, and which."""
    rows = fastest(space.device, share)
    need = np.full(len(space.sites), np.nan)
    at = np.full(len(space.sites), -1, dtype=np.int64)
    need[space.device[rows]] = share[rows]
    at[space.device[rows]] = space.set_up[rows]
    return need, at
