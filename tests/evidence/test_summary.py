"""Errors of judged rows in figures, checked by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from advisor.evidence.inputs import Run, run_of
from advisor.evidence.record import Record
from advisor.evidence.summary import errors_of, summary_of, worst_of
from advisor.evidence.validate import Judged


def step(measured: float, predicted: float, low: float, high: float, **more: Any) -> Judged:
    return Judged(more.pop("id", "a"), "step_time_s", measured, predicted, low, high, **more)


ROWS = [
    step(10.0, 11.0, 9.0, 13.0, id="in"),  # + 10 %, in range
    step(10.0, 8.0, 6.0, 9.0, id="above"),  # - 20 %, measured one above the range
    step(10.0, 15.0, 12.0, 18.0, id="below"),  # + 50 %, measured two below
    Judged("no", "step_time_s", refused="the row gives no precision"),
]


def test_figures_by_hand() -> None:
    found = errors_of(ROWS)
    assert (found.rows, found.refused) == (3, 1)
    assert found.median == pytest.approx(0.2)
    assert found.p90 == pytest.approx(0.2 + 0.8 * 0.3)  # of 0.1, 0.2, 0.5: at 1.8 of 2
    assert found.signed == pytest.approx(0.1)
    assert found.covered == pytest.approx(1 / 3)
    assert found.half_width == pytest.approx(1.5 / 8)  # of 2/11, 1.5/8, 3/15
    scores = (4 / 10, (3 + 10 * 1) / 10, (6 + 10 * 2) / 10)
    assert found.interval_score == pytest.approx(sum(scores) / 3)


def test_no_answered_row_is_unknown_and_not_zero() -> None:
    found = errors_of(ROWS[3:])
    assert (found.rows, found.refused) == (0, 1)
    assert math.isnan(found.median)
    assert found.as_json()["median"] is None


def test_the_ends_of_a_range_belong_to_it() -> None:
    assert errors_of([step(10.0, 11.0, 10.0, 12.0), step(10.0, 9.0, 8.0, 10.0)]).covered == 1.0


def fits(measured: bool, middle: bool, worst: bool, best: bool) -> Judged:
    """`low` is what is said at the upper bound of the need."""
    return Judged("f", "fits", *map(float, (measured, middle, worst, best)))


def test_fits_by_hand() -> None:
    rows = [
        fits(True, True, True, True), fits(True, True, False, True), fits(True, False, False, True),
        fits(False, False, False, False), fits(False, True, True, True), fits(False, True, False, True),
        fits(False, False, False, True),
    ]  # fmt: skip
    found = summary_of(rows, "source")["quantities"]["fits"]
    assert found["wrong"] == pytest.approx(3 / 7)
    assert found["said_to_fit_of_those_that_ran_out"] == pytest.approx(1 / 4)
    assert found["leave_out"] == "none"  # memory rules are not refitted
    none_ran_out = summary_of(rows[:3], "none")["quantities"]["fits"]
    assert none_ran_out["said_to_fit_of_those_that_ran_out"] is None


@pytest.fixture
def run_with(record: Callable[..., Record], row: dict[str, Any]) -> Callable[..., Run]:
    def build(**more: Any) -> Run:
        found = run_of(record(**{**row, **more}))
        assert isinstance(found, Run)
        return found

    return build


def test_slices_and_their_order(run_with: Callable[..., Run]) -> None:
    counts, sources = (1024, 8, 8, 16, 8), ("b", "c", "c", "a", "c")
    rows = [
        step(
            10.0,
            11.0 + at,
            9.0,
            20.0,
            run=run_with(num_accelerators=count, global_batch=2048, source_key=key),
        )
        for at, (count, key) in enumerate(zip(counts, sources, strict=True))
    ]
    found = summary_of([*rows, *ROWS[3:]], "group")
    assert found["leave_out"] == "group"
    figures = found["quantities"]["step_time_s"]
    assert figures["leave_out"] == "group"
    assert list(figures["by"]["devices"]) == ["2 to 8", "9 to 64", "65 to 1024"]
    assert list(figures["by"]["source"]) == ["c", "a", "b"]  # most rows first
    assert figures["by"]["vendor"]["nvidia"]["rows"] == 5
    assert figures["reasons_refused"] == {"the row gives no precision": 1}
    # medians by source: c of 0.2, 0.3, 0.5; a 0.4; b 0.1
    assert figures["mean_of_source_medians"] == pytest.approx((0.3 + 0.4 + 0.1) / 3)
    json.dumps(found, allow_nan=False)


def test_the_worst_by_ratio_either_way() -> None:
    rows = [
        step(10.0, 12.0, 1, 99, id="a"), step(10.0, 2.0, 1, 99, id="five times too quick"),
        step(10.0, 40.0, 1, 99, id="four times too slow"), fits(False, True, True, True), ROWS[3],
    ]  # fmt: skip
    assert [row.id for row in worst_of(rows, 2)] == ["five times too quick", "four times too slow"]
    assert worst_of(rows, 0) == []
