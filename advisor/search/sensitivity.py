"""What of a plan hangs on what: prices, efficiency and the amount of work otherwise than estimated."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import Catalogue
from advisor.data.systems import System
from advisor.errors import UserError
from advisor.schema import Plan, PlanOption, PlanScenario, Workload
from advisor.search.plan import Question, plan_traced
from advisor.search.rows import with_work
from advisor.units import DAY_S, show

PRICE_SHARE = 0.3
WORK = 2.0
BOUGHT = "bought instead of rented"
_RIVALS = 8  # the best accelerators of the plan, among which the lead may change


def sensitivity(question: Question, found: Plan) -> tuple[PlanScenario, ...]:
    """The plan among its best accelerators with one thing changed at a time; empty where it has no option."""
    if not found.options:
        return ()
    catalogue, job = question.catalogue, question.job
    best, limits = found.options[0], found.limits
    rivals = tuple(dict.fromkeys(option.accelerator_id for option in found.options[:_RIVALS]))
    asked_by_system = any(name not in catalogue.accelerators for name in limits.only)
    whole = asked_by_system or limits.max_rack_units is not None
    narrow = limits if whole else limits.model_copy(update={"only": rivals, "vendors": ()})

    def again(
        name: str, work: Workload = job, dearer: AbstractSet[str] = frozenset(), factor: float = 1.0
    ) -> PlanScenario:
        priced = _priced(catalogue, dearer, factor)
        boxes = _systems(question.systems, dearer, factor)
        asked = replace(question, catalogue=priced, systems=boxes, job=work, limits=narrow)
        other = plan_traced(asked)[0]
        if not other.options:
            return PlanScenario(name=name, same=False, note=f"Nothing keeps the limits. {other.miss}")
        return _told(name, other.options[0], best, limits.acquire)

    out = []
    for sign, word in ((1, "dearer"), (-1, "cheaper")):
        factor = 1 + sign * PRICE_SHARE
        own = {best.accelerator_id}
        told = f"{best.accelerator_id} {PRICE_SHARE:.0%} {word}"
        out.append(again(told, dearer=own, factor=factor))
        every = set(catalogue.accelerators)
        out.append(again(f"all prices {PRICE_SHARE:.0%} {word}", dearer=every, factor=factor))
    out += _efficiency(best, limits.deadline_days, limits.acquire)
    samples = job.recipe.samples
    if samples is not None:
        recipe = with_work(job.recipe, WORK * samples)
        out.append(again(f"{WORK:g} times the work", job.model_copy(update={"recipe": recipe})))
    return tuple(out)


def bought(question: Question, found: Plan) -> PlanScenario:
    """What leads if it is bought, a budget then being of the purchase."""
    name = BOUGHT
    try:
        other = plan_traced(replace(question, limits=found.limits.model_copy(update={"acquire": "buy"})))[0]
    except UserError as error:  # nothing of it is for sale
        return PlanScenario(name=name, same=False, note=f"{error.message}.")
    if not other.options or other.options[0].quantities["own_usd"].value is None:
        return PlanScenario(name=name, same=False, note=other.miss or "No list price is known.")
    first = other.options[0]
    whole = show(first.quantities["purchase_usd"].value, "USD")
    even = first.quantities["break_even_s"].value
    after = "" if even is None else f" Even with renting after {show(even, 's')}."
    note = f"Of a purchase of {whole} ({first.price_note}).{after}"
    same = bool(found.options) and found.options[0].label == first.label
    return _told(name, first, first, "buy").model_copy(update={"same": same, "note": note})


def _told(name: str, option: PlanOption, best: PlanOption, acquire: str) -> PlanScenario:
    return PlanScenario(
        name=name,
        label=option.label,
        same=option.label == best.label,
        calendar_s=option.quantities["calendar_s"].value,
        cost_usd=_cost(option, acquire),
    )


def _cost(option: PlanOption, acquire: str) -> float | None:
    return option.quantities["own_usd" if acquire == "buy" else "rent_usd"].value


def _efficiency(best: PlanOption, deadline: float | None, acquire: str) -> list[PlanScenario]:
    """The best option at both ends of its own range of time."""
    time, cost = best.quantities["calendar_s"], _cost(best, acquire)
    found = []
    for name, end in (("efficiency at its upper end", time.low), ("efficiency at its lower end", time.high)):
        if end is None or not time.value:
            continue
        late = deadline is not None and end > deadline * DAY_S
        found.append(
            PlanScenario(
                name=name,
                label=best.label,
                calendar_s=end,
                cost_usd=None if cost is None else cost * end / time.value,
                note="It misses the deadline." if late else "",
            )
        )
    return found


def _systems(systems: Mapping[str, System], names: AbstractSet[str], factor: float) -> dict[str, System]:
    """The systems, those of these accelerators at so many times their price."""
    return {
        key: replace(box, price=box.price.times(factor)) if box.price and box.accelerator in names else box
        for key, box in systems.items()
    }


def _priced(catalogue: Catalogue, names: AbstractSet[str], factor: float) -> Catalogue:
    """The catalogue with these accelerators' prices times the factor."""

    def priced(entry: Accelerator) -> Accelerator:
        offers = tuple(replace(price, usd_per_s=price.usd_per_s * factor) for price in entry.offers)
        entry = replace(entry, offers=offers)
        bought = None if entry.bought is None else entry.bought.times(factor)
        return replace(entry, rent=entry.offer(1), spot=entry.offer(1, "spot"), bought=bought)

    known = catalogue.accelerators
    return replace(catalogue, accelerators={k: priced(known[k]) if k in names else known[k] for k in known})
