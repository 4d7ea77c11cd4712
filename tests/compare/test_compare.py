"""Two advices side by side: what differs, what noise cannot tell apart, what only one has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "render"))
import sample

from advisor.compare import compare, counted
from advisor.render.compare_page import comparison_html
from advisor.schema import Advice, Estimate, Plan, PlanLimits, PlanOption, Quantity, Target, Workload

CPU, GPU = sample.cpu_machine(), sample.gpu_machine()


def faster(advice: Advice, factor: float, *ids: str) -> Advice:
    """The same advice with some measurements (all by default) scaled."""
    found = tuple(
        m.model_copy(update={end: getattr(m, end) * factor if getattr(m, end) is not None else None
                             for end in ("value", "low", "high")})
        if not ids or m.id in ids else m
        for m in advice.calibration.measurements
    )  # fmt: skip
    calibration = advice.calibration.model_copy(update={"measurements": found})
    return advice.model_copy(update={"calibration": calibration})


def row(compared, label):
    return next(r for r in compared.rows if r.label == label)


def test_the_same_file_twice_is_alike_everywhere():
    compared = compare(CPU, CPU)
    assert compared.apart == () and set(counted(compared.rows)) <= {"alike", "unknown"}


def test_better_is_more_of_a_rate_and_less_of_a_time():
    rate = next(m for m in CPU.calibration.measurements if m.bench == "matmul" and m.value)
    time = next(m for m in CPU.calibration.measurements if m.unit == "s" and m.value)
    compared = compare(CPU, faster(CPU, 3.0, rate.id, time.id))
    assert (row(compared, rate.id).judged, row(compared, time.id).judged) == ("better", "worse")
    assert row(compared, rate.id).ratio == pytest.approx(3)
    back = compare(faster(CPU, 3.0, rate.id, time.id), CPU)
    assert (row(back, rate.id).judged, row(back, time.id).judged) == ("worse", "better")


def test_ranges_that_overlap_are_not_told_apart():
    m = next(
        m for m in CPU.calibration.measurements if m.value and m.low and m.high and m.high > 1.001 * m.low
    )
    within = (m.high / m.value + 1) / 2
    assert row(compare(CPU, faster(CPU, within, m.id)), m.id).judged == "within"
    beyond = m.high / m.low * 1.05
    assert row(compare(CPU, faster(CPU, beyond, m.id)), m.id).judged in ("better", "worse")


def slower(advice: Advice, factor: float) -> Advice:
    """The same advice with all times of estimates that much longer, ranges and all."""
    found = []
    for estimate in advice.estimates:
        time = estimate.quantities["time_s"]
        ends = {
            name: end * factor
            for name in ("value", "low", "high")
            if (end := getattr(time, name)) is not None
        }
        quantities = {**estimate.quantities, "time_s": time.model_copy(update=ends)}
        found.append(estimate.model_copy(update={"quantities": quantities}))
    return advice.model_copy(update={"estimates": tuple(found)})


def test_an_estimate_within_its_range_is_neither_better_nor_worse():
    times = [r for r in compare(CPU, CPU).of("estimates") if r.label.endswith(": time") and r.judged]
    spread = min(r.a.high / r.a.low for r in times)
    assert spread > 1.05, "the sample's times have ranges"
    near, far = compare(CPU, slower(CPU, 1.03)), compare(CPU, slower(CPU, 1000.0))
    assert {row(near, r.label).judged for r in times} == {"within"}
    assert {row(far, r.label).judged for r in times} == {"worse"}
    assert near.apart == () and counted(near.of("estimates"))["within"] == len(times)


def test_a_disturbed_figure_is_told_apart_by_its_range_alone():
    m = next(m for m in CPU.calibration.measurements if m.bench == "matmul" and m.value)

    def with_range(low, high):
        one = m.model_copy(update={"value": None, "low": low, "high": high})
        found = tuple(one if other.id == m.id else other for other in CPU.calibration.measurements)
        return CPU.model_copy(
            update={"calibration": CPU.calibration.model_copy(update={"measurements": found})}
        )

    open_end = compare(CPU, with_range(m.value / 3, None))
    assert row(open_end, m.id).judged == "within", "it was at least so fast"
    clear = row(compare(CPU, with_range(m.value * 3, m.value * 4)), m.id)
    assert (clear.judged, clear.ratio) == ("better", None)


def test_two_machines_differ_in_what_they_are():
    compared = compare(CPU, GPU, ("desk", "server"))
    devices = row(compared, "accelerators")
    assert (devices.a, devices.judged) == ("none", "other") and "H200" in devices.b
    only_there = [r for r in compared.of("measured") if r.a is None]
    assert only_there and all(r.ratio is None and r.judged == "" for r in only_there)
    times = [r for r in compared.of("estimates") if r.label.endswith(": time") and r.judged]
    assert times and any(r.judged == "better" for r in times)


def test_unknown_is_no_zero():
    compared = compare(Advice(), GPU)
    assert all(r.ratio is None for r in compared.rows if r.a is None)
    assert compare(Advice(), Advice()).rows == ()


def work(advice: Advice, **changes) -> Advice:
    """The same advice with its first workload trained otherwise."""
    first = advice.workloads[0]
    other = first.model_copy(update={"recipe": first.recipe.model_copy(update=changes)})
    return advice.model_copy(update={"workloads": (other, *advice.workloads[1:])})


def test_workloads_of_one_id_are_beside_each_other_only_where_they_are_the_same():
    first = CPU.workloads[0]
    count = sum(r.label.startswith(f"{first.title}: ") for r in compare(CPU, CPU).of("estimates"))
    apart = [
        r for r in compare(CPU, work(CPU, samples=1e12)).of("estimates") if r.label.startswith(first.title)
    ]
    assert all((r.a is None) != (r.b is None) and r.judged == "" and r.ratio is None for r in apart)
    assert sum(r.b is None for r in apart) == sum(r.a is None for r in apart) == count + 1  # and "on"
    # who said so is not part of it, nor what the file calls it
    told = work(CPU, stated=("samples",), source="another")
    assert compare(CPU, told).apart == ()
    renamed = CPU.model_copy(
        update={
            "workloads": (first.model_copy(update={"id": "mine"}), *CPU.workloads[1:]),
            "estimates": tuple(
                e.model_copy(update={"workload": "mine"}) if e.workload == first.id else e
                for e in CPU.estimates
            ),
        }
    )
    assert compare(CPU, renamed).apart == ()


def planned(advice: Advice, usd: float) -> Advice:
    option = PlanOption(
        accelerator_id="x", label="8 x x", devices=8, packages=8,
        quantities={"rent_usd": Quantity(value=usd, unit="USD")},
    )  # fmt: skip
    plan = Plan(workload=advice.workloads[0].id, limits=PlanLimits(), options=(option,))
    return advice.model_copy(update={"plan": plan, "estimates": ()})


def test_plans_are_compared_where_they_are_of_one_workload():
    title = CPU.workloads[0].title
    same = compare(planned(CPU, 10.0), planned(CPU, 20.0))
    assert row(same, f"{title}: rent").judged == "worse"
    other = compare(planned(CPU, 10.0), work(planned(CPU, 20.0), method="full"))
    rents = [r for r in other.of("plan") if r.label == f"{title}: rent"]
    assert [(r.a is None, r.b is None, r.judged) for r in rents] == [(False, True, ""), (True, False, "")]


def sized(advice: Advice, name: str, **changes) -> Advice:
    found = tuple(
        m.model_copy(update={"params": {**m.params, **changes}}) if m.id == name else m
        for m in advice.calibration.measurements
    )
    calibration = advice.calibration.model_copy(update={"measurements": found})
    return advice.model_copy(update={"calibration": calibration})


def test_measurements_of_one_id_are_beside_each_other_only_where_the_work_is_the_same():
    m = next(m for m in CPU.calibration.measurements if m.bench == "matmul" and m.value)
    other = compare(CPU, sized(CPU, m.id, n=17))
    found = [r for r in other.of("measured") if r.label == m.id]
    assert [(r.a is None, r.b is None, r.of.params["n"], r.judged) for r in found] == [
        (False, True, m.params["n"], ""),
        (True, False, 17, ""),
    ]
    before = counted(compare(CPU, CPU).of("measured"))["alike"]
    assert counted(other.of("measured"))["alike"] == before - 1
    # the threads are the machine's own, and no other work
    assert row(compare(CPU, sized(CPU, m.id, threads=99)), m.id).judged == "alike"
    page = comparison_html((CPU, CPU), other, {})
    assert "17 × 17" in page and f"{m.params['n']} × {m.params['n']}" in page


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_shows_both_and_nothing_hostile(lang):
    named = ("<script>alert(1)</script>", "b\u202e")
    compared = compare(CPU, GPU, named)
    page = comparison_html((CPU, GPU), compared, {}, lang)
    assert "<script>" not in page and "\u202e" not in page and "&lt;script&gt;" in page
    assert page.count("<tr>") > 20
    assert page == comparison_html((CPU, GPU), compare(CPU, GPU, named), {}, lang)


def test_a_page_of_two_that_are_alike_says_so():
    same = comparison_html((CPU, CPU), compare(CPU, CPU), {})
    assert "The two show no difference" in same and "better in" not in same
    near = comparison_html((CPU, CPU), compare(CPU, slower(CPU, 1.03)), {})
    assert "The two show no difference" in near and ">ranges overlap<" in near and ">worse<" not in near


def test_chinese_has_every_word_of_it():
    from advisor.render.texts import load_texts

    texts = load_texts("zh")
    for found in (*compare(CPU, GPU).rows, *compare(planned(CPU, 1.0), planned(CPU, 2.0)).rows):
        if found.group != "measured":
            assert texts.said(found.label) != found.label, found.label


def spread(value: float, unit: str, by: float = 0.1) -> Quantity:
    return Quantity(value=value, low=value * (1 - by), high=value * (1 + by), unit=unit)


def estimated(job: Workload, **figures: Quantity) -> Advice:
    """An answer of `estimate` for a job."""
    target = Target(label="8 x a", accelerator_id="a", devices=8, packages=8.0)
    one = Estimate(workload=job.id, target=target, quantities=figures)
    return Advice(command="estimate", workloads=(job,), estimates=(one,))


JOB = CPU.workloads[0]
WHOLE = {
    "time_s": spread(90.0, "s"), "calendar_s": spread(100.0, "s"), "memory_bytes": spread(1e9, "B"),
    "rent_usd": spread(9.0, "USD"), "energy_j": spread(9e6, "J", 0.5),
    "calendar_rent_usd": spread(10.0, "USD"), "calendar_energy_j": spread(1e7, "J"),
}  # fmt: skip


def test_a_run_is_compared_by_the_figures_that_its_report_prints():
    """Rent and energy of the whole run, not of its steps, whose energy has another range."""
    compared = compare(estimated(JOB, **WHOLE), estimated(JOB, **WHOLE))
    rent, energy = (row(compared, f"{JOB.title}: {name}") for name in ("rent", "energy"))
    assert rent.a == WHOLE["calendar_rent_usd"] and energy.b == WHOLE["calendar_energy_j"]
    assert not [r for r in compared.rows if "alone" in r.label]


def test_steps_alone_are_compared_where_one_side_knows_no_more_and_called_so():
    steps = {name: WHOLE[name] for name in ("time_s", "rent_usd")}
    compared = compare(estimated(JOB, **WHOLE), estimated(JOB, **steps))
    assert row(compared, f"{JOB.title}: rent of the steps alone").judged == "alike"
    assert not [r for r in compared.rows if r.label.endswith(": rent")]


def test_more_memory_in_use_is_neither_better_nor_worse():
    more = {**WHOLE, "memory_bytes": spread(2e9, "B")}
    found = row(compare(estimated(JOB, **WHOLE), estimated(JOB, **more)), f"{JOB.title}: memory")
    assert (found.judged, found.ratio) == ("other", 2.0)


def test_a_plans_choice_stands_beside_an_estimate_of_the_job():
    other = JOB.model_copy(update={"id": "own", "recipe": JOB.recipe.model_copy(
        update={"numbers": {**JOB.recipe.numbers, "micro_batch": 64.0}})})  # fmt: skip
    option = PlanOption(
        accelerator_id="b", label="4 x b", devices=4, packages=4,
        quantities={"calendar_s": spread(50.0, "s"), "rent_usd": spread(30.0, "USD")},
    )  # fmt: skip
    plan = Advice(
        command="plan",
        workloads=(other,),
        plan=Plan(workload="own", limits=PlanLimits(), options=(option,), tried=1),
    )
    compared = compare(estimated(JOB, **WHOLE), plan)
    assert row(compared, f"{JOB.title}: time with start and interruptions").judged == "better"
    rent = row(compared, f"{JOB.title}: rent")
    assert (rent.a, rent.b, rent.judged) == (
        WHOLE["calendar_rent_usd"],
        option.quantities["rent_usd"],
        "worse",
    )
    assert (row(compared, f"{JOB.title}: on").a, compared.of("plan")) == ("8 x a", ())
    back = compare(plan, estimated(JOB, **WHOLE))
    assert row(back, f"{JOB.title}: rent").judged == "better"


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "Nothing in the two can be compared"), ("zh", "没有可比之处")]
)
def test_two_that_share_nothing_are_not_said_to_be_alike(lang, words):
    sides = (estimated(JOB, **WHOLE), estimated(work(CPU, samples=1e12).workloads[0], **WHOLE))
    compared = compare(*sides)
    assert not compared.shared and compare(CPU, CPU).shared
    page = comparison_html(sides, compared, {}, lang)
    assert words in page and "no difference: no line" not in page
