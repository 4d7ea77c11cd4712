"""What a job takes on a machine that is there already: by the same search as a plan's own options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from advisor.errors import UserError
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Estimate, Machine, TraceStep, Workload
from advisor.search.grid import NOTHING_STATED
from advisor.search.here import Place
from advisor.search.one import estimate_one
from advisor.units import show


class Owned(NamedTuple):
    """An estimate for each of its places, the steps behind them, and what must be said beside."""

    estimates: tuple[Estimate, ...]
    trace: dict[str, tuple[TraceStep, ...]]
    told: tuple[str, ...]


def owned(
    book: RuleBook, job: Workload, places: Sequence[Place], machine: Machine, published: Published | None
) -> Owned:
    """Each device of the machine and those alike together. Where no layout can be it is said why."""
    estimates, told = [], []
    trace: dict[str, tuple[TraceStep, ...]] = {}
    for place in places:
        try:
            one = estimate_one(book, job, place, NOTHING_STATED, published, traced=True)
        except UserError as error:
            told.append(f"{place.target.label}: {error.message}.")
            continue
        estimates.append(one.estimate)
        trace |= one.trace
        if lack := _host_lack(one.estimate, machine):
            told.append(f"{place.target.label}: {lack}")
    return Owned(tuple(estimates), trace, tuple(told))


def _host_lack(estimate: Estimate, machine: Machine) -> str:
    """That the machine's memory is less than what is offloaded to it; '' where it is not, or not known."""
    each, has = estimate.quantities.get("host_bytes"), machine.memory.total_bytes.value
    if not estimate.fits or each is None or each.value is None or has is None:
        return ""
    need = each.value * estimate.target.devices
    if need <= has:
        return ""
    return (
        f"it has {show(float(has), 'B')} of memory, less than the {show(need, 'B')} that is offloaded to it."
    )
