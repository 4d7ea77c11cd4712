"""What costs less than the option that leads by cost, and why it stands behind it."""

from __future__ import annotations

import pytest

from advisor.cli.tell_plan import _cheaper
from advisor.render.first import cheaper
from advisor.render.texts import load_texts
from advisor.schema import Advice, Plan, PlanLimits, PlanOption, Quantity, Workload
from advisor.schema.estimate import Model, Recipe
from advisor.search.plan_left import behind

JOB = Workload(
    id="own", title="A job", model=Model(id="m", title="M", family="decoder"),
    recipe=Recipe(method="full", precision="bf16_mixed"),
)  # fmt: skip


def option(name: str, rent: float | None, packages: int = 1, **flags: object) -> PlanOption:
    quantities = {
        "rent_usd": Quantity(value=rent, unit="USD"), "calendar_s": Quantity(value=3600.0, unit="s"),
    }  # fmt: skip
    return PlanOption.model_validate(
        {
            "accelerator_id": name, "label": f"{packages} x {name}", "devices": packages,
            "packages": packages, "quantities": quantities, **flags,
        }
    )  # fmt: skip


def planned(*options: PlanOption, **limits: object) -> Plan:
    return Plan(workload="own", limits=PlanLimits.model_validate(limits), options=options)


BEST = option("best", 100.0, 4)
ALIKE = option("alike", 98.0, 16)
OLD = option("old", 60.0, price_old=True, price_note="somewhere, 2025-01-01: older than 180 days")
OLDER = option("older", 70.0, price_old=True)
UNSURE = option(
    "unsure", 55.0, price_unsure=True, price_note="cloud, 2026-11-01; 8 of them are known to be joined"
)
UNTRIED = option("untried", 50.0, untried=True)
BEYOND = option("beyond", 40.0, beyond=True)
DEAR, UNPRICED = option("dear", 200.0), option("unpriced", None)


def test_each_reason_has_its_cheapest() -> None:
    found = planned(BEST, ALIKE, OLD, OLDER, UNSURE, UNTRIED, BEYOND, DEAR, UNPRICED).cheaper()
    assert {why: one.accelerator_id for why, one in found.items()} == {
        "alike": "alike", "old": "old", "unsure": "unsure", "untried": "untried", "beyond": "beyond",
    }  # fmt: skip


@pytest.mark.parametrize(
    "plan",
    [
        planned(), planned(BEST, DEAR, UNPRICED), planned(UNPRICED, OLD),
        planned(BEST, OLD, objective="time"), planned(BEST, OLD, acquire="buy"),
    ],
)  # fmt: skip
def test_nothing_undercuts_what_is_cheapest_or_not_chosen_by_cost(plan: Plan) -> None:
    assert plan.cheaper() == {}


def test_among_old_prices_an_old_one_is_no_reason() -> None:
    assert set(planned(OLDER, OLD).cheaper()) == {"alike"}


def test_the_terminal_says_why_beneath_the_best() -> None:
    lines = _cheaper(planned(BEST, ALIKE, OLD, UNSURE))
    assert lines[2].startswith(
        "of a provider that may not join as many: 1 x unsure, USD 55.00 (cloud, 2026-11-01; 8"
    )
    assert lines[0] == "16 x alike by 2.0%: as good within what estimates can tell, and the best takes fewer"
    assert lines[1].startswith("by an old price: 1 x old, USD 60.00 (somewhere, 2025-01-01: older than")


def _said(advice: Advice, lang: str) -> str:
    """What a report says of cheaper options, below the choice."""
    assert advice.plan is not None
    return " ".join(line.striptags() for line in cheaper(advice, advice.plan, load_texts(lang)))


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "Cheaper by an old price: 1 x old"), ("zh", "按旧价格更便宜：1 x old")]
)
def test_the_report_says_so_beside_the_choice(lang: str, words: str) -> None:
    advice = Advice(workloads=(JOB,), plan=planned(BEST, OLD))
    told = _said(advice, lang)
    assert words in told and "2025-01-01" in told
    both = advice.model_copy(update={"plan": planned(BEST, OLD, UNSURE)})
    said = {
        "en": "Cheaper of a provider that may not join as many: 1 x unsure",
        "zh": "更便宜，但云商未必能连成这么多：1 x unsure",
    }
    assert said[lang] in _said(both, lang)
    alone = advice.model_copy(update={"plan": planned(BEST, DEAR)})
    assert words not in _said(alone, lang)


@pytest.mark.parametrize(
    ("other", "objective", "words"),
    [
        (DEAR, "cost", "it costs USD 200, 2.0 times as much"),
        (option("dearer", 130.0), "cost", "it costs USD 130, 30% more than that"),
        (OLD, "cost", "its price is older than 180 days"),
        (UNSURE, "cost", "its provider is not known to join as many"),
        (UNTRIED, "cost", "no published run of such a network is on its generation"),
        (
            option("both", 300.0, price_old=True),
            "cost",
            "its price is older than 180 days; it costs USD 300, 3.0",
        ),
        (ALIKE, "cost", "as good within what estimates can tell, on more accelerators"),
        (UNPRICED, "cost", "it has no public price"),
        (DEAR, "time", "it takes 3 h, 3.0 times as much"),
    ],
)
def test_why_not_says_why_an_option_stands_behind_the_first(
    other: PlanOption, objective: str, words: str
) -> None:
    def late(one: PlanOption, hours: float) -> PlanOption:
        told = {"calendar_at_s": Quantity(value=hours * 3600, unit="s")}
        return one.model_copy(update={"quantities": {**one.quantities, **told}})

    plan = planned(late(BEST, 1.0), late(other, 3.0), objective=objective)
    assert words in behind(plan, plan.options[1])
