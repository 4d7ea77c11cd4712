"""What is picked for the page: recommendations, honest sentences, traces cut to what tells something."""

from __future__ import annotations

import re
from datetime import date

import pytest
import sample

from advisor.render import dated, describe, figures, select, steps, summary, why
from advisor.render.texts import Texts
from advisor.schema import Accelerator, Advice, Calibration, Estimate, Grade, Quantity, Target, TraceStep

GPU, CPU = sample.gpu_machine(), sample.cpu_machine()
RESNET, FULL = GPU.workloads[0], CPU.workloads[5]


def estimate(time_s: float | None, fits: bool | None = True) -> Estimate:
    quantities = {} if time_s is None else {"time_s": Quantity(value=time_s, unit="s")}
    return Estimate(workload="w", target=Target(label="x", here=True), fits=fits, quantities=quantities)


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (estimate(3600.0), "in_time"),
        (estimate(8 * 86400.0), "slow"),
        (estimate(3600.0, fits=False), "no"),
        (estimate(None), "fits"),
        (estimate(3600.0, fits=None), "unknown"),
        (None, "unknown"),
    ],
)
def test_state_of_an_estimate(found, state):
    assert select.state(found, RESNET) == state  # a week is allowed


DAY = 86400.0


@pytest.mark.parametrize(
    ("days", "state"),
    [
        ((2, 1, 6.9), "in_time"),
        ((2, 1, 10), "perhaps"),  # the middle is within the week, one run in ten is not
        ((8, 6, 12), "perhaps"),
        ((9, 7.5, 12), "slow"),
    ],
)
def test_in_time_is_nine_times_in_ten(days, state):
    value, low, high = (day * DAY for day in days)
    ranged = Quantity(value=value, low=low, high=high, unit="s")
    found = estimate(None).model_copy(update={"quantities": {"time_s": ranged}})
    assert select.state(found, RESNET) == state
    # the whole run counts where it is known, not its steps alone
    both = {"time_s": Quantity(value=60.0, unit="s"), "calendar_s": ranged}
    assert select.state(found.model_copy(update={"quantities": both}), RESNET) == state


def test_a_range_across_the_limit_is_told_in_every_place():
    ranged = Quantity(value=2 * DAY, low=DAY, high=10 * DAY, unit="s")
    one = GPU.estimates[0].model_copy(update={"fits": True, "quantities": {"time_s": ranged}})
    assert one.target.here and one.workload == RESNET.id
    t = Texts()
    held = GPU.model_copy(update={"workloads": (RESNET,), "estimates": (one,)})
    said = re.sub("<[^>]*>", "", summary.answer(held, t))
    assert "none for certain" in said and "2.0 days (1.0–10 days)" in said
    assert "Perhaps not in time" in describe.limit(one, RESNET, t)
    sure = one.model_copy(update={"quantities": {"time_s": ranged.model_copy(update={"high": 3 * DAY})}})
    held = GPU.model_copy(update={"workloads": (RESNET,), "estimates": (sure,)})
    said = re.sub("<[^>]*>", "", summary.answer(held, t))
    assert "1 of 1 workloads" in said and "2.0 days (1.0–3.0 days)" in said
    assert describe.limit(sure, RESNET, t) == "Nothing: it fits and is done in time."


def test_cheapest_meets_the_deadline_before_it_merely_fits():
    choice = select.cheapest(CPU, FULL)
    assert choice is not None and choice.purpose == "deadline"
    rents = [row.deadline.quantities["rent_usd"].value for row in select.catalogue(CPU, FULL) if row.deadline]
    assert choice.quantities["rent_usd"].value == min(rents)
    fit_only = tuple(e for e in CPU.estimates if e.purpose != "deadline")
    choice = select.cheapest(CPU.model_copy(update={"estimates": fit_only}), FULL)
    assert choice is not None and choice.purpose == "fit"


def test_no_price_is_no_recommendation():
    bare = tuple(e.model_copy(update={"quantities": {}}) for e in CPU.estimates)
    assert select.cheapest(CPU.model_copy(update={"estimates": bare}), FULL) is None


def test_comparisons_start_with_what_is_recommended():
    found = select.references(CPU)
    assert len(found) == 3 and "amd-mi300x-192gb" in {a.id for a in found}
    speeds = [a.figures["matmul_bf16_flops"].value for a in found]
    assert speeds == sorted(speeds)
    assert select.references(Advice()) == ()


def test_a_disturbed_figure_counts_by_its_cautious_end():
    noisy = sample._m("a", "matmul", "cpu", "FLOP/s", 5e12, grade=Grade.C, params={"dtype": "bf16"})
    calm = sample._m("b", "matmul", "cpu", "FLOP/s", 3e12, params={"dtype": "bf16"})
    assert figures.best_matmul(Calibration(measurements=(noisy, calm)), "cpu") == calm


def test_date_of_a_price_is_the_first_one():
    assert dated.date_in("gcp v4 pod, 2024-12-01: file (last changed 2024-12-23)") == date(2024, 12, 1)
    assert dated.date_in("aws 2025-03") == date(2025, 3, 1)
    assert dated.date_in("model 2099-99-99 of 2026-01-02") == date(2026, 1, 2)
    assert dated.date_in("no date") is None


def test_age_is_counted_from_the_advice_not_from_today():
    rent = Quantity(value=1.0, unit="USD/h", source="x, 2026-05-20")
    assert dated.old_price(GPU, rent) == 184
    assert dated.old_price(GPU, rent.model_copy(update={"source": "x, 2026-05-25"})) is None
    assert dated.old_price(GPU.model_copy(update={"created_at": "", "machine": None}), rent) is None


def tasks(**ratios: float) -> Advice:
    """An advice whose serial and parallel tasks have these multiples of one core."""
    found = []
    for name, ratio in {"serial_one_core": 1.0, "parallel_one_core": 1.0, **ratios}.items():
        kind, _, where = name.partition("_")
        params = {"where": where, **({} if kind == "serial" else {"op": "matrix_product"})}
        found.append(sample._m(name, f"{kind}_task", "cpu", "1/s", 1e6 * ratio, params=params))
    return Advice(calibration=Calibration(measurements=tuple(found)))


def test_sentences_say_only_what_was_measured():
    def read(**ratios: float) -> str:
        return " ".join(why.reading(tasks(**ratios), Texts()))

    # A quick run leaves out the tasks on all cores: then that is said, and nothing else.
    assert "all cores together do was not measured" in read() and "beat" not in read()
    assert "was not measured" not in read(parallel_all_cores=7.0)
    assert "more cores gain nothing" in read(serial_all_cores=0.98)
    assert read(serial_all_cores=1.9) == ""  # no chain after all: nothing is claimed
    assert "all cores together beat one" in read(parallel_all_cores=7.0)
    assert "beat one" not in read(parallel_all_cores=1.05)
    assert "accelerator beats all cores" in read(parallel_all_cores=7.0, parallel_device=900.0)
    assert "does not clearly beat" in read(parallel_all_cores=7.0, parallel_device=6.0)


def test_a_range_gives_no_ratio():
    measured = tasks(parallel_all_cores=7.0).calibration.measurements
    ranges = tuple(m.model_copy(update={"value": None}) for m in measured)
    rows = {row.task: row for row in figures.tasks(Calibration(measurements=ranges))}
    assert rows["matrix_product"].ratio("all_cores") is None


def step(name: str, inputs: tuple[str, ...] = (), value: float | None = 1.0, **more: str) -> TraceStep:
    kind = more.pop("kind", "rule")
    return TraceStep(quantity=name, value=value, unit="1", kind=kind, inputs=inputs, **more)


def test_traces_leave_out_flags_and_branches_not_taken():
    trace = (
        step("time_s", ("rate", "flag"), rule="time"),
        step("rate", ("peak", "branch"), rule="rate"),
        step("flag", expr="family is cnn", kind="stated"),
        step("branch", value=None, reason="no rule covers this row"),
        step("peak", ("deep",), rule="peak"),
        step("deep", rule="deep"),
    )
    advice = Advice(trace={"k": trace})
    assert [s.quantity for s in steps.steps(advice, "k", paged=False)] == ["time_s", "rate", "peak", "deep"]
    assert [s.quantity for s in steps.steps(advice, "k", paged=True)] == ["time_s", "rate"]


def test_a_trace_that_runs_in_a_circle_ends():
    advice = Advice(trace={"k": (step("a", ("b",), rule="a"), step("b", ("a",), rule="b"))})
    assert len(steps.steps(advice, "k", paged=True)) == 2
    assert steps.steps(Advice(trace={"k": ()}), "k", paged=False) == ()


def test_a_place_where_nothing_ran_has_no_column():
    quick, full = figures.tasks(tasks().calibration), figures.tasks(tasks(parallel_all_cores=7.0).calibration)
    assert figures.places(quick, accelerator=True) == ("one_core", "device")
    assert figures.places(full, accelerator=False) == ("one_core", "all_cores")


def test_packages_of_several_devices_are_counted_as_both():
    whole = Estimate(workload="w", target=Target(label="x", accelerator_id="a", devices=64, packages=8))
    entry = Accelerator(id="a", title="Chip", vendor="aws", devices_per_package=8)
    advice = CPU.model_copy(update={"accelerators": (entry,)})
    label = summary.target_label(advice, whole, Texts())
    assert label.striptags() == "8 × Chip (devices in them: 64)"
    plain = whole.model_copy(update={"target": Target(label="x", accelerator_id="a", devices=8, packages=8)})
    assert summary.target_label(advice, plain, Texts()).striptags() == "8 × Chip"
