"""The search of a plan: memory first, then time, then published runs nearby; best layout of each count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advisor.data.accelerator import Accelerator
from advisor.estimate import Table, evaluate
from advisor.neighbours import Told
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Workload
from advisor.search.layouts import Index, Mask
from advisor.search.nearby import Nearby, with_neighbours
from advisor.search.plan_product import Array, kinds
from advisor.search.plan_space import MAX_DEVICES, Space

NEAR_BEST = 1.3
"""Of other programs and recomputations: layouts up to this much slower than the fastest of their count are
asked of the neighbours too, whose corrections then decide."""

AS_GOOD = 1.03
"""Of every layout that neighbours can tell apart: those up to this much slower. Corrections of one count
differ by up to a tenth; with both bounds what is found is within 1 % of the exhaustive optimum (a test)."""

TOLD_APART = ("stack", "recompute", "tp", "pp", "cp", "ep", "micro_batch")
"""What of a set-up its neighbours look at (advisor/estimate/features.py)."""


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


def search(
    book: RuleBook,
    job: Workload,
    devices: Sequence[Accelerator],
    published: Published | None = None,
    most: int = MAX_DEVICES,
) -> Found:
    """The fastest layout of each accelerator and count, corrected by published runs near it, with ranges."""
    space = Space(book, job, devices, most)
    memory = space.product.evaluate(("memory_bytes",), space.device, space.set_up)["memory_bytes"]
    share = memory / space.product.on_device("memory_usable")[space.device]
    least_need, least_at = _least(space, share)
    fits = share <= 1
    device, set_up = space.device[fits], space.set_up[fits]
    sure = surely_fits(space, device, set_up)
    preferred = prefer(sure, group_of(space, device, set_up))
    device, set_up, sure = device[preferred], set_up[preferred], sure[preferred]
    time = space.product.evaluate(("time_s",), device, set_up)["time_s"]
    timed = np.zeros(len(space.devices), dtype=bool)
    timed[device[~np.isnan(time)]] = True
    kept = near_best(space, device, set_up, time)
    device, set_up, sure = device[kept], set_up[kept], sure[kept]
    near = with_neighbours(
        book, published, inputs_of(space, device, set_up),
        [job.model.id] * len(kept), [space.devices[row].id for row in device],
    )  # fmt: skip
    corrected = evaluate(book, near.table, ("calendar_s",), keep_all=False).columns["calendar_s"]
    best = fastest(group_of(space, device, set_up), corrected)
    near = Nearby(near.table.take(best), _told_of(near, best), near.published)
    return Found(
        space, device[best], set_up[best], ~sure[best], near, least_need, least_at, timed,
        tried=len(fits), fitting=int(fits.sum()),
    )  # fmt: skip


def _told_of(near: Nearby, rows: Index) -> Told | None:
    told = near.told
    if told is None:
        return None
    return Told(told.correction[rows], told.deviation[rows], told.nearest[rows], told.weights[rows])


def surely_fits(space: Space, device: Index, set_up: Index) -> Mask:
    """Whether the upper end of the memory's range fits too."""
    needed = space.worst.evaluate(("memory_bytes",), device, set_up)["memory_bytes"]
    return np.asarray(needed <= space.worst.on_device("memory_usable")[device])


def prefer(sure: Mask, groups: Index) -> Mask:
    """Where any layout of a group surely fits, those alone: running out of memory costs more than time."""
    return np.asarray(sure | ~np.isin(groups, groups[sure]))


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


def near_best(space: Space, device: Index, set_up: Index, time: Array) -> Index:
    """Of each accelerator and count what its neighbours may make the fastest."""
    groups = group_of(space, device, set_up)
    least = fastest(groups, time)
    kept = []
    for names, bound in ((TOLD_APART, AS_GOOD), (("stack", "recompute"), NEAR_BEST)):
        kind = kinds([space.set_ups[name] for name in names])
        rows = fastest(groups * (int(kind.max(initial=0)) + 1) + kind[set_up], time)
        of_group = np.searchsorted(groups[least], groups[rows])  # `least` is in rising order of groups
        kept.append(rows[time[rows] <= bound * time[least][of_group]])
    return np.asarray(np.unique(np.concatenate(kept)))


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
    need = np.full(len(space.devices), np.nan)
    at = np.full(len(space.devices), -1, dtype=np.int64)
    need[space.device[rows]] = share[rows]
    at[space.device[rows]] = space.set_up[rows]
    return need, at
