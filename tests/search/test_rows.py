"""Rows of a counted data set as samples: packed, each in its own length, padded."""

from __future__ import annotations

from typing import Any

import pytest
from few import shipped_knowledge

from advisor.dataset import Rows
from advisor.errors import UserError
from advisor.schema import Kind, Workload
from advisor.search import workload_from_flags
from advisor.search.accumulate import with_steps
from advisor.search.grid import Stated
from advisor.search.hardware import find_hardware
from advisor.search.inputs import of_workload
from advisor.search.one import estimate_one, place_of
from advisor.search.rows import rows_told, with_work

KNOWN = shipped_knowledge()
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


def told(workload: Workload, hardware: str = "nvidia-h100-sxm5-80gb", **stated: Any) -> dict[str, Any]:
    """Quantities of a set-up that is the same whatever the lengths are."""
    found = find_hardware(KNOWN.catalogue, hardware)
    place = place_of(found.entry, found.packages, found.nodes)
    layout = Stated(micro_batch=2.0, recompute="full", **stated)
    one = estimate_one(KNOWN.book, workload, place, layout, KNOWN.published)
    return dict(one.estimate.quantities)


def sized(seq_len: int, **details: Any) -> Workload:
    flags: dict[str, Any] = {"batch": 16, "method": "lora", "seq_len": seq_len, "details": details}
    return workload_from_flags(KNOWN.catalogue, "llama-3-8b", **flags)


def test_a_step_of_rows_in_their_own_length_takes_as_long_as_one_of_sequences_of_the_mean() -> None:
    short = told(with_steps(sized(512), 375))
    own = told(with_steps(sized(2048, mean_length=512), 375))
    whole = told(with_steps(sized(2048), 375))
    for name in ("optimizer_step_s", "samples_per_s", "tokens_per_s", "mfu", "time_s"):
        assert own[name].value == pytest.approx(short[name].value, rel=0.1), name
    assert whole["time_s"].value > 2 * own["time_s"].value


@pytest.mark.parametrize("way", ["own", "padded", "packed"])
def test_steps_rows_and_the_run_agree(way: str) -> None:
    rows = ROWS._replace(way=way, together=2, passes=3.0)
    workload = workload_from_flags(
        KNOWN.catalogue, "llama-3-8b", tokens=3000 * MEAN, method="full", seq_len=1000, batch=16,
        details={"counted_rows": rows},
    )  # fmt: skip
    found = told(workload, "8xnvidia-h100-sxm5-80gb", sharding="fsdp")
    samples = 3 * MEAN if way == "packed" else 3000.0
    assert found["time_s"].value / found["optimizer_step_s"].value == pytest.approx(samples / 16)
    assert found["samples_per_s"].value == pytest.approx(16 / found["optimizer_step_s"].value)


def test_gathered_weights_and_updates_are_paid_by_the_step_however_short_its_rows() -> None:
    sharded = {"hardware": "8xnvidia-h100-sxm5-80gb", "sharding": "fsdp"}
    own, whole = (
        told(with_steps(sized(2048, **more), 375), **sharded) for more in ({"mean_length": 256}, {})
    )
    assert own["optimizer_step_s"].value > 1.5 / 8 * whole["optimizer_step_s"].value
    assert own["time_s"].value == pytest.approx(375 * own["optimizer_step_s"].value)


def test_lengths_widen_rates_both_ways() -> None:
    def ends(rows: Rows) -> dict[str, tuple[float, float]]:
        found = told(job(rows))
        return {
            name: (found[name].low, found[name].high) for name in ("tokens_per_s", "samples_per_s", "time_s")
        }

    sure, open_ = ends(ROWS._replace(low=1.0, high=1.0)), ends(ROWS)
    for name, (low, high) in sure.items():
        assert open_[name][0] < low and high < open_[name][1], name


def test_networks_that_read_no_single_sequence_are_left_alone() -> None:
    assert not job(model="t5-small", method="full").recipe.counted
