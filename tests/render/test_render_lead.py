"""Who leads on a page and what keeps others from it: one rule, the same marks in every table and chart."""

from __future__ import annotations

import re

import pytest
import sample
from test_render_choice import estimated, option, planned, q, text

from advisor.render import charts, choice, plots_done, select, todo
from advisor.render.html import render_html
from advisor.render.marks import Marks
from advisor.render.texts import Texts, full_texts
from advisor.schema import Advice, LeftOut, PlanStep, Quantity

CPU = sample.cpu_machine()
FULL = CPU.workloads[5]


def cheaper(advice: Advice, *behind: str, times: float = 0.5) -> tuple[Advice, str]:
    """The advice with another estimate that costs `times` as much as its lead, and is behind for that."""
    lead = select.cheapest(advice, FULL)
    assert lead is not None and lead.rent is not None and lead.rent.value
    rent = lead.rent.model_copy(update={"value": lead.rent.value * times, "low": None, "high": None})
    other = lead.model_copy(
        update={
            "target": lead.target.model_copy(update={"label": "1 x made-up", "accelerator_id": "made-up"}),
            "quantities": {**lead.quantities, "calendar_rent_usd": rent, "calendar_s": q(3600.0, "s")},
            "behind": behind,
        }
    )
    return advice.model_copy(update={"estimates": (*advice.estimates, other)}), lead.target.label


@pytest.mark.parametrize("why", ["untried", "unsure", "old", "unrated"])
def test_what_is_behind_for_a_reason_leads_nothing(why):
    held, lead = cheaper(CPU, why)
    assert select.cheapest(held, FULL).target.label == lead
    assert choice.recommended(held, FULL) == lead
    assert next(iter(select.catalogue(held, FULL))).deadline.target.label == lead
    known, _ = cheaper(CPU)
    assert select.cheapest(known, FULL).target.label == "1 x made-up"


def test_a_scan_tells_the_whole_run_beside_its_steps():
    held, _ = cheaper(CPU)
    best = select.cheapest(held, FULL)
    assert select.run_time(best).value == 3600.0
    (step,) = [s for s in todo.next_steps(held, Marks(held, Texts())) if "rent" in s.do][:1]
    page = text(render_html(held, Texts(), {}))
    assert re.search(r"1\.0 h.{0,20}steps alone: 2\.7 h", page)
    assert step.more, "what to rent for the other workloads stands there too"


def test_signs_in_a_scans_table_are_explained():
    held, _ = cheaper(CPU, "untried", "old")
    for lang, said in (("en", "~: no published run of such a network"), ("zh", "~：同代产品上没有")):
        page = text(render_html(held, full_texts(lang), {}))
        assert "~ *" in page and said in page


def marked() -> Advice:
    """A plan of which the quickest rests on an old price of a provider that may not join so many."""
    held = planned()
    plan = held.plan
    quick = option("nvidia-h100-sxm5-80gb", 1024, 3_000, 250).model_copy(
        update={"price_old": True, "price_unsure": True, "price_note": "other, 2026-05-24"}
    )
    few = plan.options[0].model_copy(
        update={"packages": 1.0, "breaks": ("deadline",), "chance": 0.004, "price_note": "third, 2026-09-01"}
    )
    steps = (
        PlanStep(option=few),
        PlanStep(option=plan.options[0].model_copy(update={"chance": 0.97})),
        PlanStep(option=quick.model_copy(update={"chance": 0.999})),
    )
    first = plan.options[0].model_copy(
        update={
            "beside": "The best with a stock trainer alone (dp 8) would be 25% slower.",
            "quantities": {
                **plan.options[0].quantities, "spot_usd": q(57.0, "USD"),
                "power_w": Quantity(value=10_400.0, unit="W"),
            },
        }
    )  # fmt: skip
    out = LeftOut(
        accelerator_id="nvidia-l40s-48gb", title="NVIDIA L40S", code="deadline", times=1.2,
        why="Its nearest, 8 x nvidia-l40s-48gb: with 90% probability it takes at most 66 days, 9.4 times the "
        "deadline of 7 days.",
    )  # fmt: skip
    told = {
        "options": (first, *plan.options[1:], quick), "best": {"time": quick}, "front": (quick, first),
        "scaling": steps, "left_out": (out,),
    }  # fmt: skip
    return held.model_copy(update={"plan": plan.model_copy(update=told)})


def table(page: str, name: str) -> str:
    return text("</style>" + page[page.index(f'class="{name}') :].partition("</table>")[0])


def test_every_table_of_a_plan_has_its_marks():
    page = render_html(marked(), Texts(), {})
    for name in ("options", "others", "scaling"):
        shown = table(page, name)
        assert "old price" in shown and "not known to be had as one cluster" in shown, name
    assert "At most, with 90%" in table(page, "others")


def test_counts_tell_their_chance_what_they_break_and_whose_price_it_is():
    shown = table(render_html(marked(), Texts(), {}), "scaling")
    assert "too late" in shown and "<1%" in shown.replace("&lt;", "<") and "97%" in shown
    assert ">99%" in shown.replace("&gt;", ">") and "At most, with 90%" in shown
    assert shown.index("third, 2026-09-01") < shown.index("somecloud") < shown.index("other, 2026-05-24")


def test_the_answer_is_one_sentence_and_the_rest_stands_below():
    page = render_html(marked(), Texts(), {})
    (sentence,) = re.findall(r'<p class="sentence">(.*?)</p>', page, re.DOTALL)
    assert text("</style>" + sentence).count(". ") == 0 and "Cheaper" not in sentence
    whole = text(page)
    for said in (
        "Cheaper by an old price: 1,024 × NVIDIA H100", "25% slower", "At spot prices the rent is",
        "Power that must be there: 10.4 kW",
    ):  # fmt: skip
        assert said in whole, said


def test_points_of_the_front_bear_the_signs_of_the_table():
    chart = charts.draw(marked(), Texts())["front"]
    assert "^ *" in chart.svg and "old price" in chart.caption and "Hollow" in chart.caption
    assert "Hollow" not in charts.draw(planned(), Texts())["front"].caption


def test_what_is_no_option_is_told_by_its_name():
    shown = table(render_html(marked(), Texts(), {}), "left")
    assert "Its nearest, 8 × NVIDIA L40S: with" in shown and "nvidia-l40s" not in shown
    chinese = table(render_html(marked(), full_texts("zh"), {}), "left")
    assert "8 × NVIDIA L40S" in chinese and "nvidia-l40s" not in chinese


def test_an_estimates_first_chart_says_by_when_it_is_done():
    held = estimated()
    chart = charts.draw(held, Texts())["done"]
    assert "50%: 25 h" in chart.svg and "90%: 38 h" in chart.svg and "10%: 17 h" in chart.svg
    assert "8 × NVIDIA H100" in chart.caption
    first = render_html(held, Texts(), {"done": chart}).partition('class="steps"')[0]
    assert chart.svg in first, "on the first page"
    none = held.estimates[0].model_copy(update={"fits": False})
    assert plots_done.done(held.model_copy(update={"estimates": (none,)}), Texts()) is None


def test_the_method_of_an_answer_about_others_speaks_of_no_machine_here():
    for held in (planned(), estimated()):
        page = text(render_html(held, Texts(), {}))
        assert "this machine" not in page.lower() and "Measured here" not in page and "Probed" not in page
    assert "Measured here" in text(render_html(CPU, Texts(), {}))


def test_costs_least_is_said_of_what_it_is_true_of():
    held, _ = cheaper(CPU, "untried")
    why = [str(step.why) for step in todo.next_steps(held, Marks(held, Texts())) if "rent" in step.do]
    assert why and "of what published runs have such a network on" in why[0]
    every = [e.model_copy(update={"behind": ("untried",)}) for e in CPU.estimates]
    held = CPU.model_copy(update={"estimates": tuple(every)})
    why = [str(step.why) for step in todo.next_steps(held, Marks(held, Texts())) if "rent" in step.do]
    assert "No published run of such a network" in why[0] and "of what published runs" not in why[0]
