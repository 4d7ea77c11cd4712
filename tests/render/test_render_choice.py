"""The report of a plan or an estimate: its answer first, nothing about a machine that nobody looked at."""

from __future__ import annotations

import csv
import io
import re

import pytest
import sample

from advisor.render import charts, choice, describe, plots, steps
from advisor.render.attach import candidates_csv
from advisor.render.html import render_html
from advisor.render.marks import Marks
from advisor.render.texts import Texts, full_texts
from advisor.schema import (
    Advice,
    Estimate,
    Kind,
    LeftOut,
    Plan,
    PlanLimits,
    PlanOption,
    PlanStep,
    Quantity,
    Target,
    TraceStep,
    Versions,
)

WORK = "gpt2-124m-10b"


def q(value: float | None, unit: str, trace: str = "", reason: str = "") -> Quantity:
    ends = (None, None) if value is None else (value * 0.7, value * 1.5)
    return Quantity(
        value=value, low=ends[0], high=ends[1], unit=unit, kind=Kind.rule, trace=trace, reason=reason
    )


def option(name: str, count: int, time: float, usd: float) -> PlanOption:
    return PlanOption(
        accelerator_id=name,
        label=f"{count} x {name}",
        devices=count,
        packages=count,
        choices={"dp": str(count)},
        quantities={
            "calendar_s": q(time, "s", f"plan/{name}"),
            "calendar_at_s": q(time * 1.5, "s"),
            "rent_usd": q(usd, "USD"),
            "energy_j": q(usd * 1e6, "J"),
            "memory_bytes": q(4e10, "B"),
        },
        price_note="somecloud, 2026-09-17",
    )


def base(**more: object) -> Advice:
    whole = sample.gpu_machine()
    return Advice(
        stage="complete",
        created_at=sample.WHEN,
        versions=Versions(tool="0.0.0-synthetic", rules_digest="0" * 64, prices_as_of="2026-09-17"),
        workloads=tuple(w for w in whole.workloads if w.id == WORK),
        accelerators=whole.accelerators,
        **more,
    )


def planned(**limits: object) -> Advice:
    options = (
        option("amd-mi300x-192gb", 8, 90_000, 300),
        option("nvidia-h100-sxm5-80gb", 8, 60_000, 500),
        option("nvidia-a100-sxm4-80gb", 8, 200_000, 900),
    )
    out = LeftOut(
        accelerator_id="nvidia-rtx-3060-12gb",
        code="deadline",
        why="Its nearest, 8 x nvidia-rtx-3060-12gb: with 90% probability it takes at most 66 days, 9.4 times "
        "the deadline of 7 days. More than 8, which no published run has, are planned only where nothing "
        "keeps the limits.",
        change="It would do with --deadline 66.1d.",
    )
    step = TraceStep(
        quantity="calendar_s", value=90_000, unit="s", kind="rule", rule="calendar-time", expr="1"
    )
    return base(
        command="plan",
        plan=Plan(
            workload=WORK,
            limits=PlanLimits(deadline_days=7.0, **limits),
            options=options,
            best={"time": options[1]},
            front=options[:2],
            scaling=(PlanStep(option=options[0]), PlanStep(option=options[1], usd_per_day_saved=12.0)),
            left_out=(out,),
            tried=1000,
            fitting=600,
        ),
        trace={"plan/amd-mi300x-192gb": (step,)},
    )


def estimated() -> Advice:
    parts = {"weights_bytes": 1e10, "gradients_bytes": 2e10, "activation_bytes": 1e10}
    known = {name: q(value, "B") for name, value in parts.items()}
    known |= {"calendar_s": q(90_000, "s"), "time_s": q(80_000, "s"), "memory_bytes": q(5e10, "B")}
    known |= {"memory_usable": q(8e10, "B"), "calendar_rent_usd": q(400, "USD"), "mfu": q(0.41, "1")}
    target = Target(
        label="8 x nvidia-h100-sxm5-80gb", accelerator_id="nvidia-h100-sxm5-80gb", devices=8, packages=8
    )
    one = Estimate(workload=WORK, target=target, purpose="fit", fits=True, why="It fits.", quantities=known)
    return base(command="estimate", estimates=(one,))


def text(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", page.partition("</style>")[2]).split())


def test_a_plan_answers_first_and_speaks_of_no_machine():
    page = text(render_html(planned(), Texts(), {}))
    assert "8 × AMD Instinct MI300X is the best by cost: about 25 h (17–38 h) for USD 300" in page
    assert "within 7 days, with 90% probability" in page
    assert "Why not the others" in page and "9.4 times the deadline" in page
    for absent in ("this file holds no machine", "not measured", "Nothing is known", "Why a GPU"):
        assert absent not in page, absent


def test_a_plans_deadline_is_stated_unless_it_was_assumed():
    stated = render_html(planned(), Texts(), {})
    assert re.search(r'7 days</span><a class="k k-stated"', stated)
    assumed = render_html(planned(deadline_assumed="the horizon of the workload"), Texts(), {})
    assert not re.search(r'7 days</span><a class="k k-stated"', assumed)


def test_an_estimate_is_told_with_what_fills_its_memory():
    page = text(render_html(estimated(), Texts(), {}))
    assert "On 8 × NVIDIA H100 SXM5 80GB it takes about 25 h (17–38 h), and 47 GiB of the 75 GiB" in page
    assert "41%" in page and "this file holds no machine" not in page
    assert list(choice.memory_parts(estimated(), estimated().estimates[0])) == [
        "weights_bytes", "gradients_bytes", "activation_bytes",
    ]  # fmt: skip


def test_the_front_has_what_nothing_beats_in_both():
    job, found = choice.points(planned())
    assert job is not None and job.id == WORK and len(found) == 3
    assert [p.label for p in choice.front(found)] == ["8 x nvidia-h100-sxm5-80gb", "8 x amd-mi300x-192gb"]


def test_both_have_their_charts():
    assert {n for n, c in charts.draw(planned(), Texts()).items() if c.svg} >= {"front"}
    assert {n for n, c in charts.draw(estimated(), Texts()).items() if c.svg} >= {"memory"}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_choice_is_named_and_ringed_on_its_own_chart(lang):
    plan = planned().plan
    worst = plan.options[-1]  # beaten in both, so not of the front: it is named for being the choice
    crowd = tuple(option(f"other-{i}", 8, 200_000 * 1.01**i, 900 * 0.99**i) for i in range(400))
    advised = planned().model_copy(update={"plan": plan.model_copy(update={"options": (worst, *crowd)})})
    chart = charts.draw(advised, full_texts(lang))["front"]
    for svg in (chart.svg, chart.narrow):
        assert "8 × NVIDIA A100" in svg and f'stroke="{plots.THERE}"' in svg


def test_what_is_kept_to_stands_in_the_unit_of_what_is_expected():
    page = text(render_html(planned(), Texts(), {}))
    assert "with 90% probability at most 38 h" in page
    late = choice.late(planned().plan.options[1], Marks(planned(), Texts()))
    assert ">25 h<" in late, "60,000 s x 1.5, beside 17 h (12–25 h)"


def test_the_figure_of_a_trace_is_told_as_it_is_elsewhere():
    page = render_html(planned(), Texts(), {})
    trace = page[page.index('class="trace"') :]
    assert ">25 h<" in trace, "not 25 h of an exact step: it has the digits of its range"
    step = planned().trace["plan/amd-mi300x-192gb"][0]
    other = step.model_copy(update={"quantity": "input_s", "value": 4321.0})
    shown = [
        steps.shown(planned(), "plan/amd-mi300x-192gb", s, Marks(planned(), Texts())) for s in (step, other)
    ]
    assert shown == ["25 h", "1 h 12 min"]


def test_a_note_on_a_price_names_its_source_and_is_told_in_chinese():
    texts = full_texts("zh")
    note = describe.noted(texts, "aws trn2.48xlarge (us-east-2) of 16, 2026-05-24: older than 180 days")
    assert "aws trn2.48xlarge" in note and "180 天" in note and not texts.left


def test_a_day_saved_has_two_digits():
    assert [choice.saved(usd, Texts()) for usd in (12.0, 1366.2)] == ["USD 12", "USD 1,400"]


def test_nothing_that_keeps_the_limits_is_said_in_a_sentence():
    plan = Plan(workload=WORK, limits=PlanLimits(deadline_days=1.0), miss="Nearest is 66 days.", relax="")
    page = text(render_html(base(plan=plan), Texts(), {}))
    assert "Nothing keeps the limits. Nearest is 66 days." in page and "hwadvisor request" not in page


def test_a_plan_is_whole_in_chinese():
    texts = full_texts("zh")
    page = text(render_html(planned(), texts, {}))
    assert "按费用最优的是 8 × AMD Instinct MI300X" in page and "是期限 7 天的 9.4 倍" in page
    assert not [left for left in texts.left if "synthetic" not in left and "scratch" not in left]


def test_hostile_names_in_a_plan_stay_text():
    evil = "<script>alert(1)</script>\u202e\x00" + "A" * 10_000
    held = planned()
    first = held.plan.options[0].model_copy(
        update={"label": evil, "accelerator_id": evil, "price_note": evil}
    )
    out = held.plan.left_out[0].model_copy(update={"why": evil, "change": evil, "accelerator_id": evil})
    plan = held.plan.model_copy(
        update={"options": (first, *held.plan.options[1:]), "left_out": (out,), "best": {evil: first}}
    )
    job = held.workloads[0].model_copy(update={"title": evil})
    held = held.model_copy(update={"plan": plan, "workloads": (job,)})
    page = render_html(held, Texts(), charts.draw(held, Texts())).partition("</style>")[2]
    assert "<script>alert" not in page and "\u202e" not in page and "\x00" not in page
    assert "A" * 500 not in page


def test_a_plans_table_has_every_option_once_and_what_is_none():
    rows = list(csv.DictReader(io.StringIO(candidates_csv(planned()))))
    assert [row["purpose"] for row in rows] == ["option", "option", "option", "left out"]
    first, left = rows[0], rows[-1]
    assert first["target"] == "8 x amd-mi300x-192gb" and first["state"] == "keeps"
    found = [float(first[name]) for name in ("calendar_s", "calendar_s_high", "calendar_at_s")]
    assert found == [90_000, 135_000, 135_000]
    assert float(first["calendar_rent_usd"]) == 300 and first["rent_usd"] == ""
    assert (
        left["accelerator"] == "nvidia-rtx-3060-12gb" and left["limit"] == "deadline" and "66" in left["why"]
    )


def test_an_estimates_line_has_what_its_first_page_tells():
    (row,) = csv.DictReader(io.StringIO(candidates_csv(estimated())))
    assert (float(row["calendar_s"]), float(row["calendar_rent_usd"])) == (90_000, 400)
    assert float(row["time_s"]) == 80_000
