"""From depths to figures and records, without training: lines through two depths, grades, refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from few import shipped_knowledge

from advisor.errors import UserError
from advisor.estimate.inputs import Inputs
from advisor.evidence.record import Record, record_of
from advisor.evidence.validate import judge
from advisor.schema import Grade, Measurement, Quantity
from advisor.trial.record import append, checked, records_of
from advisor.trial.result import Depth, Figure, Trial, figures_of
from advisor.trial.setup import Flags, SetUp, set_up
from advisor.trial.told import Place, Told

KNOWN = shipped_knowledge()
PLACE = Place("cuda:0", "NVIDIA H100 80GB HBM3", "nvidia", Inputs(), "nvidia-h100-sxm5-80gb")
TOLD = Told({"optimizer_step_s": Quantity(value=1.1, low=0.8, high=1.5, unit="s")})


def setup(**flags: object) -> SetUp:
    return set_up(KNOWN.catalogue, "gpt2-124m", Flags(**{"precision": "bf16_mixed", "batch": 4, **flags}))


def depth(of: SetUp, seconds: float | None, peak: int | None = 10 << 30, **more: object) -> Depth:
    spread = {} if seconds is None else {"low": seconds * 0.98, "high": seconds * 1.02}
    grade = Grade.C if seconds is None else Grade.A
    reason = "contended: others were busy" if seconds is None else ""
    step = Measurement(
        id="t", bench="train_step", device="cuda:0", unit="s", value=seconds, grade=grade, kept=16,
        samples=16, reason=reason, **spread,
    )  # fmt: skip
    memory = {"allocated": peak, "reserved": peak, "process": 1 << 30}
    return Depth(of, step, memory, parameters=124_439_808, trainable=124_439_808, loss=(2.0, 1.0), **more)


def trial(of: SetUp, *depths: Depth) -> Trial:
    worst = max(d.step.grade for d in depths)
    return Trial(
        of, PLACE, figures_of(of, PLACE, TOLD, depths), tuple(depths), worst, "2.9",
        "2026-05-01T00:00:00+00:00",
    )  # fmt: skip


def test_one_network_is_as_measured() -> None:
    whole = setup()
    figures = figures_of(whole, PLACE, TOLD, [depth(whole, 1.0)])
    assert figures["step_s"].value == 1.0
    assert figures["step_s"].error == pytest.approx(0.1)
    assert figures["samples_per_s"].value == pytest.approx(4.0)
    rate = figures["tokens_per_s"]
    assert rate.value == pytest.approx(4096.0)
    assert rate.low is not None
    assert rate.high is not None
    assert rate.low < rate.value < rate.high
    assert rate.estimate is not None
    assert rate.estimate.low == pytest.approx(4096 / 1.5)
    assert figures["process_bytes"].estimate is None, "on a device the rules tell nothing of the process"


def test_two_depths_lie_on_a_line_that_reaches_the_whole() -> None:
    whole = setup()
    two = [depth(whole.with_layers(2), 0.5, 4 << 30), depth(whole.with_layers(4), 0.7, 6 << 30)]
    figures = figures_of(whole, PLACE, TOLD, two)
    step = figures["step_s"]
    assert step.value == pytest.approx(0.5 + 5 * 0.2)
    assert figures["allocated_bytes"].value == pytest.approx((4 + 5 * 2) * 2**30)
    assert step.low is not None
    assert step.high is not None
    # each median is known to 2 % / sqrt(16); the line takes four times the first and five times the second
    assert step.high - step.value == pytest.approx(4 * 0.5 * 0.02 / 4 + 5 * 0.7 * 0.02 / 4)


@pytest.mark.parametrize(("first", "second", "words"), [(0.7, 0.5, "not slower"), (None, 0.5, "disturbed")])
def test_a_line_that_says_nothing_is_no_figure(first: float | None, second: float, words: str) -> None:
    whole = setup()
    two = [depth(whole.with_layers(2), first), depth(whole.with_layers(4), second)]
    step = figures_of(whole, PLACE, TOLD, two)["step_s"]
    assert step.value is None
    assert words in step.reason
    assert step.error is None


def test_one_depth_alone_says_nothing_of_the_whole() -> None:
    whole = setup()
    figures = figures_of(whole, PLACE, TOLD, [depth(whole.with_layers(2), 0.5)])
    assert figures["step_s"].value is None
    assert figures["allocated_bytes"].value is None


def test_memory_that_is_not_told_has_a_reason() -> None:
    whole = setup()
    figures = figures_of(whole, PLACE, TOLD, [depth(whole, 1.0, peak=None)])
    assert figures["allocated_bytes"].value is None
    assert figures["allocated_bytes"].reason


def test_an_error_needs_both_figures() -> None:
    assert Figure("x", "s", None, estimate=Quantity(value=1.0)).error is None
    assert Figure("x", "s", 1.0, estimate=Quantity(reason="not known")).error is None
    assert Figure("x", "s", 2.0, estimate=Quantity(value=1.0)).error == pytest.approx(-0.5)


def test_a_record_is_taken_by_validate_and_scored(tmp_path: Path) -> None:
    whole = setup(recompute="full", micro_batch=2)
    path = tmp_path / "own.jsonl"
    append(path, records_of(trial(whole, depth(whole, 0.2))))
    rows = {row.quantity: row for row in judge(KNOWN.book, KNOWN.published, [path])}
    assert {"step_time_s", "peak_mem_gib", "fits"} <= rows.keys()
    assert not any(row.refused for row in rows.values())
    assert rows["step_time_s"].measured == 0.2
    assert rows["peak_mem_gib"].measured == 10.0


def test_a_record_says_how_it_was_trained() -> None:
    whole = setup(method="lora", lora_rank=8, micro_batch=2, optimizer="sgd")
    [found] = records_of(trial(whole, depth(whole, 0.2)))
    expected = {
        "model": "gpt2-124m", "family": "decoder", "layers": 12, "hidden": 768, "global_batch": 4,
        "micro_batch": 2, "seq_len": 1024, "method": "lora", "lora_rank": 8, "optimizer": "sgd",
        "precision": "bf16_mixed", "num_accelerators": 1, "memory_kind": "allocated", "fits": True,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert isinstance(record_of(json.dumps(found), "line 1"), Record)


def test_a_disturbed_step_is_no_evidence_and_nothing_is_extrapolated_into_a_record() -> None:
    whole = setup()
    [found] = records_of(trial(whole, depth(whole, None)))
    assert "step_time_s" not in found
    assert "contended" in found["notes"]
    assert records_of(trial(whole, depth(whole, None, peak=None))) == []
    two = trial(whole, depth(whole.with_layers(2), 0.5), depth(whole.with_layers(4), 0.7))
    assert [found["layers"] for found in records_of(two)] == [2, 4]


def test_a_record_that_cannot_be_is_refused() -> None:
    [good] = records_of(trial(setup(), depth(setup(), 0.2)))
    for wrong in ({"num_accelerators": 0}, {"seq_len": float("inf")}, {"micro_batch": 99}):
        with pytest.raises(UserError):
            checked({**good, **wrong})


def test_appending_to_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write"):
        append(tmp_path, [])
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(UserError, match="cannot write"):
        append(file / "below.jsonl", [])
    new = tmp_path / "new.jsonl"
    append(new, [])
    assert not new.exists(), "a look whether it can be written leaves nothing behind"


def test_a_shallower_copy_keeps_the_share_of_windows() -> None:
    whole = setup()
    windowed = replace(
        whole,
        workload=whole.workload.model_copy(
            update={"model": whole.workload.model.model_copy(
                update={"numbers": {**whole.workload.model.numbers, "window": 128.0, "window_layers": 6.0}}
            )}
        ),
    )  # fmt: skip
    assert windowed.with_layers(4).workload.model.numbers["window_layers"] == 2
