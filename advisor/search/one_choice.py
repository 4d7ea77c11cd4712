"""The layout of one workload on one set-up: as a plan takes it, and what is said of the other kind."""

from __future__ import annotations

import numpy as np

from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Workload
from advisor.search.grid import SetUp, Stated, no_layout
from advisor.search.here import Place
from advisor.search.plan_search import Found, beside, best_of
from advisor.search.plan_set_ups import ANY, CUT_STACK, UNEVEN, USUAL
from advisor.search.plan_site import Site
from advisor.search.plan_space import Space
from advisor.search.plan_taste import PLAINER, Taste

NEAR_ENOUGH = 0.05
"""Differences between layouts up to this are not worth a sentence."""


def choose(  # noqa: PLR0913, PLR0917 - the question
    book: RuleBook,
    workload: Workload,
    place: Place,
    stated: Stated,
    published: Published | None,
    taste: Taste | None = None,
) -> tuple[SetUp, tuple[str, ...]]:
    """The set-up taken, as a plan takes it, and what is said of the other kind of layout.

    Where no usual layout fits, the unusual are tried too; where none of them does, the one that needs the
    least memory is taken.
    """
    site = Site(place.target.accelerator_id, place.inputs)
    nearest: SetUp | None = None
    for wide in (USUAL, UNEVEN, ANY):
        space = Space(
            book, workload, (site,), counts=(place.target.devices,), stated=stated, wide=wide,
            spill=wide == ANY,
        )  # fmt: skip
        if not len(space.set_up):
            continue
        found = best_of(space, published, taste)
        if len(found.set_up):
            return space.set_ups.row(int(found.set_up[0])), _told_beside(found, published)
        if found.fitting or np.isnan(found.least_need[0]):
            return _plainest(space), ()  # time or memory is not known
        nearest = space.set_ups.row(int(found.least_at[0]))
    if nearest is None:
        raise no_layout(workload, place.target.devices, stated)
    return nearest, ()


def _plainest(space: Space) -> SetUp:
    """The plainest that fits, or of all where nobody knows what fits."""
    memory = space.product.evaluate(("memory_bytes",), space.device, space.set_up)["memory_bytes"]
    over = memory > space.product.on_device("memory_usable")[0]
    rows = space.set_up[~over]
    found = space.set_ups
    order = np.lexsort([*(found[name][rows] for name in PLAINER), found.parts[rows]])
    return found.row(int(rows[order[0]]))


def _told_beside(found: Found, published: Published | None) -> tuple[str, ...]:
    told = beside(found, published)
    return () if told is None else beside_words(found.space.set_ups.row(int(found.set_up[0])), *told)


def beside_words(taken: SetUp, other: SetUp, ratio: float) -> tuple[str, ...]:
    """How the best layout of the other kind compares with the one taken, where it is not as good."""
    if abs(ratio - 1) < NEAR_ENOUGH:
        return ()
    words = ", ".join(f"{name.replace('_', '-')} {word}" for name, word in other.words().items())
    slower = f"{ratio - 1:.0%} slower" if ratio > 1 else f"{1 - ratio:.0%} quicker"
    stock = taken.parts > 1 or taken.stack == CUT_STACK  # then the other is
    kind = (
        "a stock trainer alone" if stock else "Megatron" if other.stack == CUT_STACK else "model parallelism"
    )
    return (f"The best with {kind} ({words}) would be {slower}.",)
