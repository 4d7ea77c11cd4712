"""Which of several answers leads by cost: one rule for reports, requests and traces, that of a plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from advisor.schema.estimate import Estimate

AS_GOOD = 1.03
"""Costs up to this many times the least are as good: no estimate is so sure. Of them the fewest lead."""


def words_behind(estimate: Estimate) -> tuple[str, ...]:
    """Why its cost leads nothing, as the search told it."""
    return estimate.behind


Behind = Callable[[Estimate], tuple[str, ...]]


def rank_of(estimate: Estimate, behind: Behind = words_behind) -> tuple[float, float]:
    """The class of its cost, and the cost: what no 16-bit rate is known of after all else, what has no price
    after what has one, an old or unsure price after others, of these what ran no such network after the rest.
    """
    words = behind(estimate)
    rent = estimate.rent
    cost = math.inf if rent is None or rent.value is None else rent.value
    of_price = 4 if cost == math.inf else 2 * ("old" in words or "unsure" in words) + ("untried" in words)
    return of_price + 5.0 * ("unrated" in words), cost


def leading(found: Iterable[Estimate], behind: Behind = words_behind) -> Estimate | None:
    """The one that leads by cost, of those as good the one of fewest packages; None where none fits."""
    ranked = sorted(
        ((rank_of(one, behind), one) for one in found if one.fits),
        key=lambda pair: (pair[0], pair[1].target.label),
    )
    if not ranked:
        return None
    (first, least), _ = ranked[0]
    good = [(rank, one) for rank, one in ranked if rank[0] == first and rank[1] <= AS_GOOD * least]
    return min(good, key=lambda pair: (pair[1].target.packages, pair[0]))[1]
