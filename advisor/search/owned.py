"""What a job takes on a machine that is there already: by the same search as a plan's own options."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from advisor.errors import UserError
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Estimate, Machine, Plan, PlanLimits, TraceStep, Workload
from advisor.search.grid import NOTHING_STATED
from advisor.search.here import Place
from advisor.search.one import estimate_one
from advisor.search.plan_time import kept_with
from advisor.units import DAY_S, show


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
        if lack := host_lack(one.estimate, machine.memory.total_bytes.value):
            told.append(f"{place.target.label}: {lack}")
    return Owned(tuple(estimates), trace, tuple(told))


def ranked(book: RuleBook, plan: Plan, estimates: Sequence[Estimate], machine: Machine) -> tuple[str, ...]:
    """Where the machine would stand among a plan's options, a sentence for each place that can hold the job.

    What is there already costs its electricity alone.
    """
    limits, told = plan.limits, []
    for estimate in estimates:
        time = estimate.quantities.get("calendar_s")
        lacks = host_lack(estimate, machine.memory.total_bytes.value)
        if estimate.fits is not True or lacks or time is None or time.value is None:
            continue
        late, label = kept_with(time, limits.confidence), estimate.target.label
        due = math.inf if limits.deadline_days is None else limits.deadline_days * DAY_S
        if late > due:
            told.append(
                f"{label} is no option: with {limits.confidence:.0%} probability it takes up to "
                f"{show(late, 's')}, and the deadline is {show(due, 's')}."
            )
            continue
        energy = estimate.quantities.get("calendar_energy_j")
        joules = None if energy is None else energy.value
        costs = _electricity(book, limits, joules)
        power = "unknown electricity" if costs is None else f"electricity of {show(costs, 'USD')}"
        place = _place(plan, {"time": late, "energy": joules}.get(limits.objective, costs))
        told.append(f"{label} keeps to the deadline, with {power}{place}.")
    return tuple(told)


def _place(plan: Plan, own: float | None) -> str:
    """': by cost it would be option 1 of 12', by the figure that ranks the options; '' without one."""
    if own is None or not plan.options:
        return ""
    limits = plan.limits
    name = {"time": "calendar_at_s", "energy": "energy_j"}.get(limits.objective)
    name = name or ("own_usd" if limits.acquire == "buy" else "rent_usd")
    others = [option.quantities[name].value for option in plan.options]
    ahead = next((at for at, one in enumerate(others) if one is None or own <= one), len(others))
    return f": by {limits.objective} it would be option {ahead + 1} of {len(others) + 1}"


def _electricity(book: RuleBook, limits: PlanLimits, joules: float | None) -> float | None:
    """What the job's energy costs at the plan's price of electricity; None where it is not known."""
    if joules is None or "electricity_price" not in book.constants:
        return None
    assumed = limits.assumed.get("electricity_price")
    price = book.constants["electricity_price"].at("middle") if assumed is None else assumed.value
    return None if price is None else float(joules * price)


def host_lack(estimate: Estimate, has: float | None) -> str:
    """That a machine's memory is less than what is offloaded to it; '' where it is not, or not known."""
    each = estimate.quantities.get("host_bytes")
    if not estimate.fits or each is None or each.value is None or has is None:
        return ""
    need = each.value * estimate.target.devices
    if need <= has:
        return ""
    return (
        f"it has {show(float(has), 'B')} of memory, less than the {show(need, 'B')} that is offloaded to it."
    )
