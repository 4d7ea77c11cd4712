"""Which of layouts that are as good is taken: what a stock trainer has first, then the plainest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from advisor.schema import Workload
from advisor.search.layouts import Index
from advisor.search.plan_groups import fastest, first_of, least_of
from advisor.search.plan_product import Array, kinds
from advisor.search.plan_space import Candidates

NEAR_BEST = 1.3
"""Of other programs and recomputations: layouts up to this much slower than the fastest of their count are
asked of the neighbours too, whose corrections then decide."""

AS_GOOD = 1.03
"""Of every layout that neighbours can tell apart: those up to this much slower. Corrections of one count
differ by up to a tenth; with both bounds what is found is within 1 % of the exhaustive optimum (a test)."""

TOLD_APART = ("stack", "recompute", "tp", "pp", "cp", "ep", "micro_batch")
"""What of a set-up its neighbours look at (advisor/estimate/features.py)."""

PLAINER = ("micro_batch", "offload", "sharding", "recompute", "vpp")
"""Of set-ups with as much parallelism: less of these is plainer, the last told first."""


class Taste(NamedTuple):
    """What is taken although another layout may be faster."""

    simpler: float = 1.03  # less parallelism, interleaving, cutting: no estimate is that sure
    stock: float = 1e3  # what a stock trainer has, over each way further off (`SetUps.way`): always
    experts: float = 2.0  # the same of networks of experts, which a stock trainer gathers whole
    whole: float = 1.25  # of the table of a plan: what a stock trainer's kind may cost more than the best
    tuning: float = 2.0  # the same of fine-tunes, which hardly anybody sets up otherwise

    def loss_of(self, job: Workload) -> float:
        """How many times as much a plan may cost for a layout that a stock trainer has."""
        return self.whole if job.recipe.method == "pretrain" else self.tuning


TASTE = Taste()
TUNED = Taste(stock=1.0, experts=1.0, whole=1.0, tuning=1.0)
"""Who tunes or names a program takes another layout for what it gains."""


def ways_of(space: Candidates, set_up: Index, taste: Taste) -> Array:
    """How far each set-up is from what a stock trainer has; all alike where that does not matter."""
    return space.set_ups.way[set_up] if taste.stock > 1 else np.zeros(len(set_up))


def plainest(  # noqa: PLR0913, PLR0917 - columns of the rows
    space: Candidates, set_up: Index, groups: Index, ways: Array, time: Array, taste: Taste
) -> Index:
    """The row of each group that is the plainest of those as good as the fastest, groups in rising order: of
    the way nearest to a stock trainer's unless one further off is so much faster."""
    worth = time * np.where(space.parted[set_up], taste.experts, taste.stock) ** ways
    way = least_of(groups, np.where(worth == least_of(groups, worth), ways, np.nan))
    kept = np.flatnonzero(ways == way)
    good = kept[time[kept] <= taste.simpler * least_of(groups[kept], time[kept])]
    return good[_first_plainest(space, set_up[good], groups[good], time[good])]


def _first_plainest(space: Candidates, set_up: Index, groups: Index, time: Array) -> Index:
    """The plainest row of each group, in rising order of groups."""
    found = space.set_ups
    plain = [found[name][set_up] for name in PLAINER]
    plain.insert(1, _accumulates(space, set_up))
    order = np.lexsort((time, *plain, found.parts[set_up]))
    return np.asarray(first_of(groups, order))


def _accumulates(space: Candidates, set_up: Index) -> Array:
    """1 where a step takes several passes; a pipeline lives by them, which makes it no plainer without."""
    found = space.set_ups
    with np.errstate(invalid="ignore"):
        passes = space.batches / (found.replicas * found["micro_batch"])
    return np.asarray(((passes > 1) & (found["pp"] == 1)).astype(np.float64)[set_up])


def near_best(space: Candidates, set_up: Index, groups: Index, time: Array, taste: Taste = TASTE) -> Index:
    """Of each group (an accelerator, a count and a way) what its neighbours may make the fastest, or the
    plainest as good."""
    found, least = space.set_ups, least_of(groups, time)
    kept = []
    for names, bound in ((TOLD_APART, AS_GOOD), (("stack", "recompute"), NEAR_BEST)):
        near = np.flatnonzero(time <= bound * least)
        kind = kinds([found[name][set_up[near]] for name in names], len(near))
        alike = groups[near] * (int(kind.max(initial=0)) + 1) + kind
        kept.append(near[fastest(alike, time[near])])
        # neighbours tell these from the fastest no more than the rules do
        good = time[near] <= taste.simpler * least_of(alike, time[near])
        near, alike = near[good], alike[good]
        _, alike = np.unique(alike, return_inverse=True)
        kept.append(near[_first_plainest(space, set_up[near], alike, time[near])])
    # with its index: without, numpy loads its masked arrays, which takes longer than all of this
    return np.asarray(np.unique(np.concatenate(kept), return_index=True)[0])
