"""Searches of several jobs at once: their candidates side by side, so that a rule is asked once for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from advisor.estimate import Table
from advisor.published import Published
from advisor.search.layouts import Index
from advisor.search.plan_product import Array, Product
from advisor.search.plan_search import best_candidates, taste_of
from advisor.search.plan_set_ups import SetUps
from advisor.search.plan_space import Candidates, Space

MOST_SET_UPS = 32_000
"""Set-ups of one search; bounds memory."""


class Layouts(NamedTuple):
    """What was found for one job: the table of the best layouts with what corrects them, and of each row the
    site of the job's space, the number of devices, and the set-up."""

    table: Table
    site: Index
    devices: Index
    set_ups: SetUps


class Together(Candidates):
    """The candidates of several spaces whose jobs and devices have the same columns."""

    def __init__(self, spaces: Sequence[Space]) -> None:
        first = spaces[0]
        self.book, self.program = first.book, first.program
        sites = np.cumsum([0, *(len(space.sites) for space in spaces)])
        rows = np.cumsum([0, *(len(space.set_ups) for space in spaces)])
        self.first_site, self.first_set_up = sites, rows
        self.set_ups = _joined([space.set_ups for space in spaces])
        self.device = np.concatenate([space.device + at for space, at in zip(spaces, sites, strict=False)])
        self.set_up = np.concatenate([space.set_up + at for space, at in zip(spaces, rows, strict=False)])
        self.networks = [name for space in spaces for name in space.networks]
        self.ids = [name for space in spaces for name in space.ids]
        self.batches = np.concatenate([space.batches for space in spaces])
        self.parted = np.concatenate([space.parted for space in spaces])
        self.job_of = np.repeat(np.arange(len(spaces)), np.diff(rows))
        job, devices, set_ups = zip(*(space.tables for space in spaces), strict=True)
        own = {name: np.concatenate([one[name] for one in job]) for name in job[0]}
        self.tables = (own, _stacked(devices), _stacked(set_ups))
        self.product = Product(self.book, *self.tables)  # for what depends on the devices alone


def search_together(
    spaces: Sequence[Space], published: Published | None, *, needs: bool = False
) -> list[Layouts]:
    """For each space what a search of its own finds, in its order. All are of one taste."""
    found: list[Layouts | None] = [None] * len(spaces)
    for some in _alike(spaces):
        together = Together([spaces[at] for at in some])
        best = best_candidates(together, published, taste_of(spaces[0].stated), needs=needs)
        device, set_up = best.competing.device[best.rows], best.competing.set_up[best.rows]
        counts = together.set_ups["devices"][set_up].astype(np.int64)
        ends = np.searchsorted(device, together.first_site)
        for number, at in enumerate(some):
            rows = np.arange(ends[number], ends[number + 1])
            site = device[rows] - together.first_site[number]
            found[at] = Layouts(
                best.near.table.take(rows), site, counts[rows], together.set_ups.take(set_up[rows])
            )
    return [one for one in found if one is not None]


def _alike(spaces: Sequence[Space]) -> Iterator[list[int]]:
    """Numbers of spaces of the same columns, as many at a time as have few enough set-ups."""
    kinds: dict[frozenset[str], list[int]] = {}
    for at, space in enumerate(spaces):
        kinds.setdefault(frozenset(space.tables[0]), []).append(at)
    for members in kinds.values():
        held: list[int] = []
        count = 0
        for at in members:
            if held and count + len(spaces[at].set_ups) > MOST_SET_UPS:
                yield held
                held, count = [], 0
            held.append(at)
            count += len(spaces[at].set_ups)
        yield held


def _joined(parts: Sequence[SetUps]) -> SetUps:
    """One after the other, with one list of programs."""
    stacks = tuple(dict.fromkeys(stack for part in parts for stack in part.stacks))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0].columns}
    codes = [np.array([stacks.index(stack) for stack in part.stacks], dtype=np.float64) for part in parts]
    own = [code[part["stack"].astype(np.int64)] for code, part in zip(codes, parts, strict=True)]
    return SetUps({**columns, "stack": np.concatenate(own)}, stacks)


def _stacked(tables: Sequence[Table]) -> Table:
    columns: dict[str, Array] = {
        name: np.concatenate([table.columns[name] for table in tables]) for name in tables[0].columns
    }
    return Table(sum(table.rows for table in tables), columns)
