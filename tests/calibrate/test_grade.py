"""Grades: from blocks as the child tells them to a value, a range, or a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.bench.timing import Block, Samples
from advisor.calibrate import grade
from advisor.calibrate.plan import Test
from advisor.calibrate.warn import WARNINGS
from advisor.schema import BenchFailure, Grade, Measurement

TEST = Test("matmul", "cpu", {"dtype": "fp32", "n": 1024}, "Multiplying", "fp32.1024")
NO_NOISE = grade.DeviceNoise()


def raw(seconds: list[float], delays: list[float | None] | None = None, **more: Any) -> dict[str, Any]:
    """A child's result line with the given blocks; `work` is 1, so a rate is 1 / seconds."""
    each = delays or [0.0] * len(seconds)
    samples = Samples([Block(s, d) for s, d in zip(seconds, each, strict=True)])
    samples.wall_s = sum(seconds)
    if None not in each:
        samples.delay_s = sum(s * (d or 0.0) for s, d in zip(seconds, each, strict=True))
    samples.filtered = more.pop("filtered", True)
    line = {"unit": "FLOP/s", "work": 1.0, "suffix": "", "params": {}, "warnings": [], "refused": ""}
    return {**line, "busy_before": False, **samples.summary(), **more}


def graded(line: dict[str, Any], device: grade.DeviceNoise = NO_NOISE, test: Test = TEST) -> Measurement:
    return grade.measurement(test, line, device, "2026-01-01T00:00:00+00:00")


def test_quiet_and_steady_is_an_a_with_median_and_quantiles():
    got = graded(raw([1.0, 1.01, 0.99, 1.02, 0.98] * 4))
    assert got.grade is Grade.A
    assert got.value == pytest.approx(1.0)
    assert got.low < got.value < got.high <= got.best
    assert (got.samples, got.kept, got.unit, got.id) == (20, 20, "FLOP/s", "matmul.fp32.1024.cpu")


def test_times_keep_their_direction_where_rates_turn_theirs():
    times = graded(raw([1.0, 2.0] * 10, work=None, unit="s"))
    assert (times.best, times.low, times.high) == (1.0, 1.0, 2.0)
    assert times.grade is Grade.C  # a spread of 2


def test_a_few_disturbed_blocks_are_left_out_and_cost_the_a():
    got = graded(raw([1.0] * 18 + [3.0] * 2, [0.0] * 18 + [0.6] * 2))
    assert (got.grade, got.value, got.kept) == (Grade.B, 1.0, 18)


def test_two_spinners_give_c_a_range_and_no_value_even_when_some_blocks_survive():
    got = graded(raw([2.5] * 330 + [1.0] * 14, [0.6] * 330 + [0.0] * 14))
    assert (got.grade, got.value) == (Grade.C, None)
    assert got.low == pytest.approx(0.4)
    assert (got.high, got.best) == (None, 1.0)  # open: how fast it is undisturbed was not seen
    assert "contended" in got.warnings
    assert "14 of 344 blocks" in got.reason


def test_others_seen_on_our_cores_before_make_the_same_delay_weigh_more():
    line = raw([1.0] * 17 + [2.0] * 3, [0.0] * 17 + [0.6] * 3)
    assert graded(line).grade is Grade.B
    assert graded({**line, "busy_before": True}).grade is Grade.C


def test_a_crowded_machine_gives_a_range_even_when_luck_gave_us_a_core():
    got = graded(raw([1.0] * 20, crowded=True, busy_before=True))
    assert (got.grade, got.value) == (Grade.C, None)
    assert "wanted all cores" in got.reason


def test_nothing_undisturbed_is_still_a_range():
    got = graded(raw([2.0, 3.0, 4.0, 5.0], [0.9] * 4))
    assert (got.grade, got.value, got.kept) == (Grade.C, None, 0)
    assert (got.low, got.high) == (pytest.approx(1 / 4.7), None)


def test_a_disturbed_time_is_bounded_from_above_alone():
    got = graded(raw([2.0, 3.0, 4.0, 5.0], [0.9] * 4, work=None, unit="s"))
    assert (got.low, got.high) == (None, pytest.approx(4.7))
    other = point(6, 0.9)
    assert isinstance(
        grade.train_rate(point(2, 0.5, value=None, low=None, grade=Grade.C), other), BenchFailure
    )


@pytest.mark.parametrize("delay", [0.0, 0.9])
def test_one_or_two_blocks_are_no_range(delay):
    got = graded(raw([1.0, 1.1], [delay] * 2))
    assert (got.value, got.low, got.high) == (None, None, None)
    assert "too few even for a range" in got.reason


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [([1.0, 1.09] * 10, Grade.A), ([1.0, 1.2] * 10, Grade.B), ([1.0, 1.35] * 10, Grade.C)],
)
def test_the_spread_decides_between_a_b_and_c(seconds, expected):
    assert graded(raw(seconds)).grade is expected


@pytest.mark.parametrize(
    ("more", "expected", "code"),
    [
        ({"steal_fraction": 0.05}, Grade.B, "stolen"),
        ({"steal_fraction": 0.2}, Grade.C, "stolen"),
        ({"throttled_fraction": 0.1}, Grade.B, "quota"),
        ({"throttled_fraction": 0.5}, Grade.C, "quota"),
        ({"busy_before": True}, Grade.B, "busy_before"),
        ({"refused": "cached"}, Grade.C, "page_cache"),
    ],
)
def test_what_went_on_beside_it_lowers_the_grade(more, expected, code):
    got = graded(raw([1.0] * 20, **more))
    assert got.grade is expected
    assert code in got.warnings
    assert (got.value is None) == (expected is Grade.C)


def test_few_blocks_are_a_b_and_fewer_than_three_a_range():
    assert graded(raw([1.0] * 5)).grade is Grade.B
    assert graded(raw([1.0] * 2)).grade is Grade.C


def test_without_run_delay_no_a_and_beside_others_no_value():
    unknown: list[float | None] = [None] * 20
    assert graded(raw([1.0] * 20, unknown)).grade is Grade.B
    assert graded(raw([1.0] * 20, unknown, busy_before=True)).grade is Grade.C


def test_an_accelerator_is_judged_by_its_own_noise():
    line = raw([1.0] * 20, [0.5] * 20, filtered=False)
    assert graded(line).grade is Grade.B  # the host waited, the device did not
    assert graded(line, test=Test("launch_latency", "cuda:0", {}, "")).grade is Grade.C
    assert graded(line).warnings == ("host_contended", "throttling_unknown")
    hot = grade.DeviceNoise(throttle_reasons=("hw_thermal_slowdown",))
    calm = raw([1.0] * 20, filtered=False)
    assert (graded(calm, hot).grade, graded(calm, hot).warnings) == (Grade.B, ("throttled",))
    capped = grade.DeviceNoise(throttle_reasons=("sw_power_cap",))
    assert graded(calm, capped).grade is Grade.A  # normal for large matrix products


def test_a_device_that_tells_nothing_of_throttling_gets_no_a_and_the_reason_is_stored():
    calm = raw([1.0] * 20, filtered=False)
    got = graded(calm, grade.DeviceNoise(untold="NVML gave no reading"))
    assert (got.grade, got.warnings) == (Grade.B, ("throttling_unknown",))
    assert (got.noise.throttle_reasons, got.noise.device_untold) == (None, "NVML gave no reading")
    told = graded(calm, grade.DeviceNoise(throttle_reasons=()))
    assert (told.grade, told.noise.throttle_reasons) == (Grade.A, ())
    assert graded(raw([1.0] * 20)).warnings == ()  # a CPU has no such driver to ask


@pytest.mark.parametrize(
    ("busy", "held", "grade_", "codes"),
    [
        (0.04, 0.04, Grade.A, ()),
        (0.06, 0.0, Grade.C, ("gpu_busy",)),
        (0.0, 0.06, Grade.B, ("gpu_shared",)),
        (None, None, Grade.A, ()),
    ],
)
def test_a_device_that_others_use_is_graded_down(busy, held, grade_, codes):
    noise = grade.DeviceNoise(throttle_reasons=(), busy_before=busy, memory_before=held)
    got = graded(raw([1.0] * 20, filtered=False), noise)
    assert (got.grade, got.warnings) == (grade_, codes)
    assert (got.value is None) == (grade_ is Grade.C)
    assert (got.noise.device_busy_before, got.noise.device_memory_before) == (busy, held)


@pytest.mark.parametrize(
    ("now", "most", "slow"),
    [
        ((5, 16), (5, 16), False),
        ((3, 16), (5, 16), True),
        ((5, 8), (5, 16), True),
        ((None, None), (5, 16), False),
        ((4, 16), (None, 16), False),
    ],
)
def test_a_link_below_its_maximum_while_copying_is_stored_and_warned_of(now, most, slow):
    link = dict(zip(("pcie_gen", "pcie_width", "pcie_gen_max", "pcie_width_max"), (*now, *most), strict=True))
    noise = grade.DeviceNoise(throttle_reasons=(), **link)
    line = raw([1.0] * 20, filtered=False)
    copy = graded(line, noise, Test("host_device_copy", "cuda:0", {}, "Copying"))
    assert ("pcie_below_max" in copy.warnings) is slow
    assert copy.grade is Grade.A  # it is what this machine does
    assert (copy.noise.pcie_gen, copy.noise.pcie_width) == now
    other = graded(line, noise)  # a matrix product lets the link sleep: its state says nothing
    assert (other.warnings, other.noise.pcie_gen) == ((), None)


def test_time_withheld_by_a_quota_counts_and_not_how_often():
    often_but_short = raw([1.0] * 20, throttled_fraction=0.9, throttled_time_fraction=0.01)
    assert graded(often_but_short).grade is Grade.A
    seldom_but_long = raw([1.0] * 20, throttled_fraction=0.1, throttled_time_fraction=0.4)
    got = graded(seldom_but_long)
    assert (got.grade, got.warnings) == (Grade.C, ("quota",))
    assert "40% of the time" in got.reason
    assert got.noise.throttled_time_fraction == 0.4


def test_inner_parameters_are_not_stored_and_int8_counts_operations():
    test = Test("matmul", "cpu", {"dtype": "int8", "n": 8, "least_bytes": 4, "counts": [1]}, "")
    got = graded(raw([1.0] * 20), test=test)
    assert (got.params, got.unit) == ({"dtype": "int8", "n": 8}, "OP/s")


def test_a_suffix_stands_before_the_device():
    assert grade.with_suffix("memory_bandwidth.start.cuda:0", "copy") == "memory_bandwidth.start.copy.cuda:0"


def point(layers: int, seconds: float, **more: Any) -> Measurement:
    found = {
        "id": f"train_step.cnn.fp32.L{layers}.cpu",
        "bench": "train_step",
        "device": "cpu",
        "unit": "s",
        "params": {"family": "cnn", "dtype": "fp32", "layers": layers, "flops": layers * 1e9, "batch": 4},
        "value": seconds,
        "low": seconds * 0.99,
        "high": seconds * 1.01,
        "grade": Grade.A,
        "kept": 10,
    }
    return Measurement(**{**found, **more})


def test_the_training_rate_is_the_slope_and_leaves_the_fixed_cost_out():
    rate = grade.train_rate(point(2, 0.5), point(6, 0.9))
    assert isinstance(rate, Measurement)
    assert rate.value == pytest.approx(4e9 / 0.4)
    assert rate.params["intercept_s"] == pytest.approx(0.3)
    assert (rate.id, rate.params["layers"], rate.params["batch"]) == ("train_rate.cnn.fp32.cpu", "2,6", 4)
    points = point(2, 0.5), point(6, 0.9)
    error = sum((p.high - p.low) / 2 / p.kept**0.5 for p in points) / 0.4
    assert rate.low == pytest.approx(rate.value * (1 - error))
    assert rate.high == pytest.approx(rate.value * (1 + error))


def test_three_blocks_give_a_training_rate_its_whole_spread():
    few = grade.train_rate(point(2, 0.5, kept=3), point(6, 0.9, kept=3))
    assert isinstance(few, Measurement)
    assert few.high / few.value - 1 == pytest.approx((0.5 + 0.9) * 0.01 / 0.4)


@pytest.mark.parametrize("deep_s", [0.5, 0.4])
def test_a_slope_that_is_not_positive_is_refused(deep_s):
    got = grade.train_rate(point(2, 0.5), point(6, deep_s))
    assert isinstance(got, BenchFailure)
    assert "slope is not positive" in got.reason


def test_a_c_on_either_depth_gives_a_range_only():
    ranged = {"value": None, "grade": Grade.C, "low": 0.8, "high": 1.5, "reason": "contended"}
    got = grade.train_rate(point(2, 0.5), point(6, 0.9, **ranged))
    assert isinstance(got, Measurement)
    assert (got.value, got.grade, got.reason) == (None, Grade.C, "contended")
    assert 0 < got.low <= got.high


def bandwidth(value: float, where: str) -> Measurement:
    return Measurement(
        id=where,
        bench="memory_bandwidth",
        device="cpu",
        unit="B/s",
        value=value,
        low=value,
        high=value,
        grade="A",
    )


def test_two_speeds_of_memory_share_their_range():
    start, end = grade.two_points(bandwidth(46e9, "start"), bandwidth(80e9, "end"))
    assert (start.low, start.high, end.low, end.high) == (46e9, 80e9, 46e9, 80e9)
    assert start.grade is Grade.B
    assert end.warnings == ("two_speeds",)
    same = (bandwidth(46e9, "start"), bandwidth(47e9, "end"))
    assert grade.two_points(*same) == same


def test_one_thread_bounds_what_all_threads_could_do():
    many = Measurement(id="m", bench="parallel_task", device="cpu", unit="1/s", low=1.0, high=2.0, grade="C")
    one = many.model_copy(update={"best": 5.0, "grade": Grade.B})
    assert grade.bounded_by_one(many.model_copy(update={"high": None}), one, 8).high == 40.0
    disturbed = one.model_copy(update={"grade": Grade.C})
    assert grade.bounded_by_one(many.model_copy(update={"high": None}), disturbed, 8).high is None
    got = grade.bounded_by_one(many, one, 8)
    assert (got.high, got.warnings) == (40.0, ("bound_from_one_thread",))
    assert grade.bounded_by_one(many.model_copy(update={"grade": Grade.A}), one, 8).high == 2.0


def test_warnings_are_a_closed_list():
    with pytest.raises(KeyError):
        grade.check(["made_up"])
    assert grade.check(["contended", "contended"]) == ("contended",)
    assert all(meaning.endswith(".") and hint.endswith(".") for meaning, hint in WARNINGS.values())
