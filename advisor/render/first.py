"""What is told of a plan's first option beside its figures, and what is cheaper and does not lead."""

from __future__ import annotations

from markupsafe import Markup

from advisor.render import choice, describe, figures, summary
from advisor.render.marks import Marks
from advisor.render.texts import Texts
from advisor.schema import Advice, Plan, PlanOption

NOTE = 120  # letters of a note on a price
_WORTH_TELLING = 0.01


def told(advice: Advice, plan: Plan, marks: Marks) -> list[Markup]:
    """A line each, in the order of the terminal's."""
    t, first = marks.t, plan.options[0]
    lines = cheaper(advice, plan, t)
    known = first.quantities
    if plan.lead is not None and plan.lead >= _WORTH_TELLING:
        lines.append(
            t(
                "first.lead",
                "It stays the cheapest until its price rises by {share}.",
                share=f"{plan.lead:.0%}",
            )
        )
    if plan.limits.acquire == "rent" and figures.point(known.get("spot_usd")) is not None:
        spot = marks.quantity(known["spot_usd"])
        lines.append(t("first.spot", "At spot prices the rent is {price}.", price=spot))
    if figures.point(known.get("power_w")) is not None:
        power = marks.quantity(known["power_w"])
        lines.append(t("first.power", "Power that must be there: {power}.", power=power))
    if first.beside:
        lines.append(describe.said(t, first.beside, 300))
    if first.tight:
        lines.append(t("first.tight", "Memory is tight: the upper end of the estimate does not fit."))
    return lines


def cheaper(advice: Advice, plan: Plan, t: Texts) -> list[Markup]:
    """What costs less than the first and does not lead, and why."""
    return [_less(advice, plan, why, option, t) for why, option in plan.cheaper().items()]


def _less(advice: Advice, plan: Plan, why: str, option: PlanOption, t: Texts) -> Markup:
    label = choice.option_label(advice, option, t)
    cost = summary.alone(choice.cost(option, plan), t)
    note = describe.noted(t, option.price_note, NOTE)
    words = {"label": label, "cost": cost}
    if why == "old":
        return t("answer.plan.old", "Cheaper by an old price: {label}, {cost} ({note}).", **words, note=note)
    if why == "unsure":
        return t(
            "answer.plan.unsure",
            "Cheaper of a provider that may not join as many: {label}, {cost} ({note}).",
            **words,
            note=note,
        )
    if why == "unrated":
        return t(
            "answer.plan.unrated",
            "Cheaper, but computed in 32 bits as its rate in 16 is not known: {label}, {cost}.",
            **words,
        )
    if why == "untried":
        return t(
            "answer.plan.untried",
            "Cheaper, but without a published run of such a network on its generation: {label}, {cost}.",
            **words,
        )
    if why == "beyond":
        return t(
            "answer.plan.beyond",
            "Cheaper in a layout that a stock trainer has not: {label}, {cost}.",
            **words,
        )
    return t(
        "answer.plan.alike",
        "{label} would cost {cost}, as good within what estimates can tell, and takes more of them.",
        **words,
    )
