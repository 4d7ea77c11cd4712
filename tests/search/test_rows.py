"""Rows of a counted data set as samples: packed, each in its own length, padded."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.app import load_knowledge
from advisor.dataset import Rows
from advisor.errors import UserError
from advisor.schema import Kind, Workload
from advisor.search import workload_from_flags
from advisor.search.inputs import of_workload
from advisor.search.rows import rows_told, with_work

KNOWN = load_knowledge()
ROWS = Rows(1000.0, (100.0, 300.0, 2000.0), 2000.0, 0.9, 1.2)
MEAN, CUT = 2400 / 3, 1400 / 3  # tokens of a row, and what of it fits into 1,000


def job(rows: Rows | None = ROWS, method: str = "lora", model: str = "llama-3-8b", **more: Any) -> Workload:
    details = {"counted_rows": rows, **more}
    return workload_from_flags(
        KNOWN.catalogue, model, tokens=1000 * MEAN, method=method, seq_len=1000, details=details
    )


def test_rows_in_their_own_length_feed_the_column_with_a_range_and_a_source() -> None:
    recipe = job().recipe
    assert recipe.numbers["mean_length_share"] == pytest.approx(CUT / 1000)
    assert recipe.samples == pytest.approx(1000 * CUT / 1000), "as many whole sequences as their tokens make"
    row = of_workload(job())
    kind, source = row.sources["mean_length_share"]
    assert kind == Kind.stated and source.startswith("counted: Rows are trained each in its own length")
    assert row.ranges["mean_length_share"] == pytest.approx(ROWS.filled(1000)[1:])
    assert row.ranges["samples"][0] < row.values["samples"] < row.ranges["samples"][1]


def test_packed_rows_leave_no_padding_and_no_lengths() -> None:
    for found in (job(ROWS._replace(way="packed")), job(method="pretrain")):
        assert "mean_length_share" not in found.recipe.numbers
        assert found.recipe.samples == pytest.approx(1000 * MEAN / 1000)
        assert found.recipe.counted["samples"].high == pytest.approx(1.2 * MEAN)


def test_text_without_rows_is_packed_with_its_range() -> None:
    found = job(Rows(0.0, (), 0.0, 0.8, 1.3), method="full")
    assert found.recipe.counted["samples"].low == pytest.approx(0.8 * MEAN)
    assert "mean_length_share" not in found.recipe.numbers
    assert rows_told(found, ROWS)[0].message.startswith("Text is packed into sequences of 1,000 tokens.")


def test_padded_rows_cost_a_whole_sequence_each() -> None:
    found = job(ROWS._replace(way="padded", passes=3.0))
    assert found.recipe.samples == 3000
    assert "mean_length_share" not in found.recipe.numbers, "all are of one length"
    assert "fill 47% of 1,000 tokens" in rows_told(found, ROWS)[0].message


def test_rows_of_one_pass_are_padded_to_its_longest() -> None:
    together = job(ROWS._replace(together=4)).recipe
    assert together.numbers["mean_length_share"] == pytest.approx(ROWS.filled(1000, 4)[0])
    assert (together.samples or 0) > (job().recipe.samples or 0)


def test_a_stated_mean_goes_before_the_counted_one() -> None:
    recipe = job(mean_length=250).recipe
    assert recipe.numbers["mean_length_share"] == 0.25
    assert "mean_length_share" in recipe.stated and "mean_length_share" not in recipe.counted
    row = of_workload(job(mean_length=250))
    assert row.sources["mean_length_share"] == (Kind.stated.value, "flags")
    assert "mean_length_share" not in row.ranges
    assert job(rows=None, mean_length=250).recipe.numbers["mean_length_share"] == 0.25


def test_a_mean_longer_than_the_longest_is_refused() -> None:
    with pytest.raises(UserError, match="--mean-length 1001 is more than a sequence has"):
        job(rows=None, mean_length=1001)
    with pytest.raises(UserError, match="says nothing of"):
        workload_from_flags(KNOWN.catalogue, "resnet-50", details={"mean_length": 5})


def test_what_is_said_of_the_rows() -> None:
    (told,) = rows_told(job(), ROWS)
    assert "33% of them are longer, and cut." in told.message and "In passes of 8 rows" in told.message
    assert told.message.endswith("If not: --rows packed, own or padded.")
    assert rows_told(job(rows=None), None) == ()
    short = Rows(10.0, (100.0, 200.0), 200.0, 1.0, 1.0, way="own", together=2)
    (told,) = rows_told(job(short), short)
    assert "The longest has about 200 tokens" in told.message and "If not" not in told.message


def test_more_work_has_its_range_in_proportion() -> None:
    recipe = job().recipe
    double = with_work(recipe, 2 * (recipe.samples or 0))
    assert double.counted["samples"].high == pytest.approx(2 * recipe.counted["samples"].high)
    assert double.counted["mean_length_share"] == recipe.counted["mean_length_share"]


def test_networks_that_read_no_single_sequence_are_left_alone() -> None:
    assert not job(model="t5-small", method="full").recipe.counted
