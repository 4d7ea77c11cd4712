"""Every measured quantity of every record is answered or refused, once, in figures that can be printed."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.app import Knowledge
from advisor.data.files import shipped
from advisor.errors import UserError
from advisor.evidence import record as records
from advisor.evidence import validate as module
from advisor.evidence.inputs import Run, run_of
from advisor.evidence.reasons import plain_reason
from advisor.evidence.record import Record
from advisor.evidence.summary import summary_of
from advisor.evidence.validate import Judged, judge, trace_of_row

REAL = [
    json.loads(line)
    for path in sorted((shipped("rules") / "evidence").glob("*.jsonl"))
    for line in path.read_text("utf-8").splitlines()[::40]
]
RATES = ("step_time_s", "tokens_per_s_per_device", "samples_per_s_per_device")
OTHERS = ("total_time_h", "peak_mem_gib", "fits")

NUMBERS = st.one_of(
    st.sampled_from([1, 2, 8, 64, 1000, 1e-3, 1e6, 1e30, -1, 0, math.inf]), st.floats(), st.integers(1, 10**6)
)
ABSURD = st.one_of(NUMBERS, st.none(), st.booleans(), st.text(max_size=8), st.lists(st.none(), max_size=1))


@st.composite
def changed_rows(draw: st.DrawFn) -> dict[str, Any]:
    """A published row with some fields changed for what another has, for an extreme or for nonsense."""
    row = dict(draw(st.sampled_from(REAL)))
    for name in draw(st.lists(st.sampled_from(sorted({*records._READERS} - {"id"})), max_size=5)):
        low, high = records._LIMITS.get(name, (0, 1))
        others = st.sampled_from(REAL).map(lambda other, name=name: other.get(name))
        ends = st.sampled_from([low, high, round(math.sqrt(low * high)) or low])
        row[name] = draw(st.one_of(others, ends, ABSURD))
    return row


def judged(knowledge: Knowledge, path: Path, rows: list[Any], **more: Any) -> list[Judged]:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return judge(knowledge.book, knowledge.published, [path], catalogue=knowledge.catalogue, **more)


def asked_of(row: dict[str, Any]) -> Counter[str]:
    """What must be said of a row: each measured quantity once, and something of every row."""
    found = Counter(name for name in OTHERS if row.get(name) is not None)
    if not found or any(row.get(name) is not None for name in RATES):
        found["step_time_s"] = 1
    return found


@given(st.lists(changed_rows(), min_size=1, max_size=25))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
def test_all_that_is_measured_is_told_once(
    knowledge: Knowledge, tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    rows = [{**row, "id": f"row-{at}"} for at, row in enumerate(rows)]
    found = judged(knowledge, tmp_path_factory.mktemp("rows") / "rows.jsonl", rows)
    told = Counter((row.id, row.quantity) for row in found)
    assert told == Counter({(row["id"], name): 1 for row in rows for name in asked_of(row)})
    document = {"rows": [row.as_json() for row in found], "summary": summary_of(found, "none")}
    json.dumps(document, allow_nan=False).encode("utf-8")
    for row in found:
        if row.refused:
            assert 5 < len(row.refused) < 600
            assert "__" not in row.refused
        else:
            assert row.low <= row.predicted <= row.high
            assert row.error == pytest.approx(
                row.predicted - row.measured if row.quantity == "fits" else row.predicted / row.measured - 1
            )


def test_the_form_of_a_row(knowledge: Knowledge, tmp_path: Path, row: dict[str, Any]) -> None:
    found = judged(knowledge, tmp_path / "a.jsonl", [{**row, "fits": True, "total_time_h": 3.0, "mfu": 0.3}])
    by_quantity = {one.quantity: one.as_json() for one in found}
    assert set(by_quantity) == {"step_time_s", "fits", "total_time_h"}
    step = by_quantity["step_time_s"]
    assert set(step) == {"id", "quantity", "measured", "predicted", "low", "high", "error"}
    assert step["measured"] == 1.0
    assert by_quantity["fits"]["measured"] == 1.0
    assert set(by_quantity["total_time_h"]) == {"id", "quantity", "refused"}
    assert "tokens" in by_quantity["total_time_h"]["refused"]


def test_time_of_a_whole_run_is_that_of_its_steps(
    knowledge: Knowledge, tmp_path: Path, row: dict[str, Any]
) -> None:
    tokens = 100_000 * row["seq_len"] * row["global_batch"]
    whole = {**row, "total_tokens": tokens, "total_time_h": 30.0}
    step, hours = sorted(judged(knowledge, tmp_path / "a.jsonl", [whole]), key=lambda one: one.quantity)
    assert (step.quantity, hours.quantity) == ("step_time_s", "total_time_h")
    steps_h = step.predicted * 100_000 / 3600
    assert steps_h <= hours.predicted < 1.3 * steps_h
    assert hours.high / hours.predicted > step.high / step.predicted  # less sure than its steps


def test_without_a_batch_the_time_is_that_of_one_sample_on_one_device(
    knowledge: Knowledge, tmp_path: Path, row: dict[str, Any]
) -> None:
    del row["step_time_s"]
    rate = {**row, "samples_per_s_per_device": 4.0}
    without = {**rate, "id": "no batch", "global_batch": None}
    told, sample = judged(knowledge, tmp_path / "a.jsonl", [rate, without])
    assert told.measured == pytest.approx(32 / (4.0 * 8))
    assert sample.measured == 0.25
    assert sample.predicted == pytest.approx(told.predicted * 8 / 32, rel=0.25)


@pytest.fixture
def row(row: dict[str, Any]) -> dict[str, Any]:
    return dict(row)


def test_lines_that_are_no_records_are_refused_in_their_place(knowledge: Knowledge, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('not json\n[1]\n\n{"id": "empty"}\n', "utf-8")
    found = judge(knowledge.book, knowledge.published, [path], catalogue=knowledge.catalogue)
    assert {row.id for row in found} == {"line 1", "line 2", "empty"}
    assert all(row.refused and row.quantity == "step_time_s" for row in found)


def test_a_file_without_records_says_nothing(knowledge: Knowledge, tmp_path: Path) -> None:
    assert judged(knowledge, tmp_path / "a.jsonl", []) == []
    assert judged(knowledge, tmp_path / "a.jsonl", [], way="group") == []


def test_long_files_are_told_like_short_ones(
    knowledge: Knowledge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts, without keeping all that a run was predicted from: the figures and slices are the same."""
    rows = [{**row, "id": f"{at}"} for at, row in enumerate(REAL[:40])]
    whole = judged(knowledge, tmp_path / "a.jsonl", rows)
    blocks = module.read_blocks
    monkeypatch.setattr(module, "read_blocks", lambda *arguments: blocks(*arguments, size=7))
    monkeypatch.setattr(module, "_LONG", 1)
    parts = judged(knowledge, tmp_path / "a.jsonl", rows)
    answers = [{(row.id, row.quantity): row for row in found} for found in (whole, parts)]
    assert answers[0].keys() == answers[1].keys()
    for key, row in answers[0].items():
        other = answers[1][key]
        assert other.refused == row.refused
        assert (other.low, other.predicted, other.high) == pytest.approx(
            (row.low, row.predicted, row.high), rel=1e-9, nan_ok=True
        )
    short, long = summary_of(whole, "none"), summary_of(parts, "none")
    for name in ("vendor", "method", "effort", "source"):
        slices = [one["quantities"]["step_time_s"]["by"][name] for one in (short, long)]
        assert slices[0].keys() == slices[1].keys()
        assert all(slices[0][part]["rows"] == slices[1][part]["rows"] for part in slices[0])
    assert all(trace_of_row(knowledge.book, row) == ("", ()) for row in parts)


def test_too_many_rows_to_leave_out_are_an_error(
    knowledge: Knowledge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LEFT_OUT", 1)
    with pytest.raises(UserError, match="too many"):
        judged(knowledge, tmp_path / "a.jsonl", REAL[:5], way="source")


def test_shipped_rows_meet_the_words_of_their_own_file(knowledge: Knowledge) -> None:
    """What describes a run is what it was written with: else no neighbour is ever found."""
    found = judge(knowledge.book, knowledge.published, catalogue=knowledge.catalogue)
    steps = [row for row in found if row.quantity == "step_time_s" and not row.refused]
    assert len(steps) > 1900
    errors = sorted(abs(row.error) for row in steps)
    assert errors[len(errors) // 2] < 0.05  # their own residuals are among the neighbours
    known = knowledge.published.known
    table = [row.run for row in steps if row.run is not None]
    assert {run.name for run in table} <= set(known["network"])
    assert {run.entry.id for run in table} <= set(known["device"])


def test_the_trace_of_a_row_ends_in_the_rows_own_figures(
    knowledge: Knowledge, tmp_path: Path, row: dict[str, Any]
) -> None:
    (found,) = judged(knowledge, tmp_path / "a.jsonl", [row])
    quantity, steps = trace_of_row(knowledge.book, found)
    assert quantity == "step_s"
    by_name = {step.quantity: step for step in steps}
    assert by_name["step_s"].value is not None
    assert by_name["seq_len"].value == 2048
    assert by_name["seq_len"].source == "the row"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            "operator qkv: hw_peak_fp16 is not known (dense peak of one device)",
            "the catalogue has no such figure",
        ),
        (
            "no rule for activation_bytes covers this row: a and b; c",
            "the rules give no activation bytes for",
        ),
        ("operator x: stated_written is not known (numbers)", "has not been counted"),
        ("some_column is not known (what it is)", "not known: what it is"),
        ("the row gives no precision", "the row gives no precision"),
        ("", "the rules give no value"),
    ],
)
def test_reasons_are_sentences(
    record: Callable[..., Record], row: dict[str, Any], told: str, words: str
) -> None:
    run = run_of(record(**row))
    assert isinstance(run, Run)
    found = plain_reason(told, run)
    assert words in found
    assert not any(jargon in found for jargon in ("hw_", "operator q", "stated_", ";"))
