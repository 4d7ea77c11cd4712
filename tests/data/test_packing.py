"""The short form of a stored advice: whole again when read, and no way to do harm with one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sample
from hypothesis import given
from hypothesis import strategies as st

from advisor.data import packing
from advisor.data.advice import dump_advice, load_advice, save_advice, stored_text
from advisor.data.packing import Packer
from advisor.errors import DataError
from advisor.schema import Advice, Estimate, NearRun, Quantity, Target, TraceStep
from advisor.schema.packed import MARK, MOST_NODES, SHARED, unpack

ADVICE = sample.gpu_machine()


def estimate(**changes: object) -> Estimate:
    run = NearRun(id="a", title="A", source="somewhere far away", measured_s=1.0, rules_s=2.0, weight=0.5)
    told: dict[str, object] = {
        "workload": "w",
        "target": Target(label="8 x h100", accelerator_id="h100", devices=8),
        "why": "Needs 4 GiB of the 80 GiB the device has.",
        "quantities": {"time_s": Quantity(value=2.0, low=1.0, high=3.0, unit="s", source="a long source")},
        "near": (run,),
        **changes,
    }
    return Estimate.model_validate(told)


def test_what_is_stored_is_whole_again_and_far_shorter(tmp_path: Path) -> None:
    save_advice(ADVICE, tmp_path / "advice.json")
    assert load_advice(tmp_path) == ADVICE
    text = (tmp_path / "advice.json").read_text(encoding="utf-8")
    assert text == stored_text(ADVICE)
    assert len(text) < 0.5 * len(dump_advice(ADVICE))
    assert json.loads(text)["machine"] == ADVICE.model_dump(mode="json")["machine"]  # plain to any reader


@given(
    st.lists(
        st.builds(
            Quantity,
            value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
            low=st.none() | st.floats(allow_nan=False, allow_infinity=False),
            high=st.none() | st.floats(allow_nan=False, allow_infinity=False),
            unit=st.sampled_from(["s", "", "$"]),
            source=st.text(max_size=30),
            reason=st.text(max_size=30),
        ),
        max_size=6,
    )
)
def test_any_quantities_survive(quantities: list[Quantity]) -> None:
    named = {f"${number}": quantity for number, quantity in enumerate(quantities)}
    advice = Advice(estimates=(estimate(quantities=named), estimate(quantities=named, calibrated=True)))
    assert Advice.model_validate(json.loads(stored_text(advice))) == advice


def test_steps_of_a_trace_survive_whatever_they_lack() -> None:
    steps = (
        TraceStep(quantity="a_rather_long_quantity", value=None, unit="s", kind="rule", reason="nobody says"),
        TraceStep(quantity="b", value=1.5, unit="1", kind="stated", inputs=("a_rather_long_quantity",)),
    )
    advice = Advice(trace={"x": steps, "y": steps[::-1], "z": ()})
    assert Advice.model_validate(json.loads(stored_text(advice))) == advice


def test_one_packer_for_a_growing_advice_tells_the_same_as_a_fresh_one() -> None:
    packer = Packer()
    first = Advice(estimates=(estimate(),))
    packer.text(first)
    grown = first.model_copy(
        update={"estimates": (*first.estimates, estimate(why="Another reason altogether."))}
    )
    for _ in range(2):
        assert Advice.model_validate(json.loads(packer.text(grown))) == grown


def test_the_long_form_of_earlier_versions_is_read_and_becomes_todays(tmp_path: Path) -> None:
    old = {**json.loads(dump_advice(ADVICE)), "schema_version": 1}
    (tmp_path / "advice.json").write_text(json.dumps(old), encoding="utf-8")
    assert load_advice(tmp_path) == ADVICE


@pytest.mark.parametrize(
    "broken",
    [
        {SHARED: {}, "trace": {}},
        {SHARED: [], "stage": {MARK: 0}},
        {SHARED: [{MARK: 0}]},
        {SHARED: [{MARK: 1}, "x"]},
        {SHARED: ["x"], "stage": {MARK: -1}},
        {SHARED: ["x"], "stage": {MARK: True}},
        {SHARED: ["x"], "stage": {MARK: "0"}},
        {SHARED: ["x"], "stage": {MARK: []}},
        {SHARED: ["x"], "stage": {MARK: 0, "more": 1}},
        {SHARED: [{}], "stage": {MARK: [0, 1, 2, 3, 4]}},
    ],
    ids=str,
)
def test_references_to_nothing_are_refused_in_one_line(tmp_path: Path, broken: dict[str, object]) -> None:
    (tmp_path / "advice.json").write_text(json.dumps({"schema_version": 2, **broken}), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_advice(tmp_path)
    assert "\n" not in caught.value.message


def test_a_short_file_that_unfolds_without_end_is_refused(tmp_path: Path) -> None:
    doubling = ["x", *([{MARK: number}] * 2 for number in range(60))]
    with pytest.raises(ValueError, match="unfolds"):
        unpack({SHARED: doubling})
    assert MOST_NODES < 2**60
    nested = "[" * 900 + "]" * 900
    with pytest.raises(ValueError, match="deeply"):
        unpack({SHARED: [json.loads(nested)]})


def test_the_text_is_the_same_without_the_quick_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    values = ["中“文”\u2028\n", 1e16, -0.1, 3, True, None, {"a": [1, {"b": "c"}], "": {}}, [], ""]
    quick = packing._encoder()
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)
    plain = packing._encoder()
    for value in values:
        assert quick(value) == plain(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
