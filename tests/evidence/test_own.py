"""Own records among the published runs: what they correct, how far, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advisor.app import Knowledge
from advisor.data.programs import PILOT
from advisor.errors import UserError
from advisor.estimate.features import sizes_of
from advisor.evidence.own import join_own, without
from advisor.evidence.validate import judge, words_of_runs

Row = dict[str, Any]
Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes rows into a file of records."""

    def write(*rows: Row, name: str = "own.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
        return path

    return write


def predicted(knowledge: Knowledge, path: Path, published: Any = None) -> Any:
    """The answer about the step of the only record of a file."""
    return judge(knowledge.book, published or knowledge.published, [path])[0]


def slow(knowledge: Knowledge, row: Row, path: Path, times: float, pilot: bool = False) -> Row:
    """The row as if it had been measured so many times slower than the rules say."""
    rules = join_own(knowledge.book, knowledge.published, path, pilot=pilot).runs[0].rules_s
    return row | {"step_time_s": rules * times}


def test_residuals_are_measured_over_rules(knowledge: Knowledge, row: Row, save: Save) -> None:
    path = save(row)
    joined = join_own(knowledge.book, knowledge.published, save(slow(knowledge, row, path, 1.5)))
    near, count = joined.published.neighbours, len(knowledge.published.ids)
    assert joined.published.own == {count}
    assert joined.published.ids[count] == row["id"]
    assert near.residuals[count] == pytest.approx(np.log(1.5))
    assert len(near.features) == len(near.noise) == len(joined.published.families) == count + 1
    assert len(knowledge.published.ids) == count, "the shipped runs are as they were"


def test_a_pilot_counts_less_with_distance(knowledge: Knowledge, row: Row, save: Save) -> None:
    """At the pilot nearly all of its residual holds, on other devices a part, of another kind almost none."""
    from advisor.estimate import evaluate
    from advisor.estimate.features import QUANTITIES
    from advisor.evidence.inputs import run_of
    from advisor.evidence.record import Record, record_of
    from advisor.evidence.table import table_of_runs

    path = save(slow(knowledge, row, save(row), 2.0, pilot=True))
    joined = join_own(knowledge.book, knowledge.published, path, pilot=True).published
    other = row | {"accelerator": "H100-SXM5-80GB", "num_accelerators": 64, "global_batch": 256}
    far = {
        "id": "far", "source_date": "2024-01", "vendor": "nvidia", "accelerator": "V100-SXM2-16GB",
        "num_accelerators": 1, "family": "cnn", "model": "resnet-50", "image_size": 224, "global_batch": 64,
        "precision": "fp16_mixed", "framework": "MXNet", "step_time_s": 1.0,
    }  # fmt: skip
    records = [record_of(json.dumps(one), "line 1") for one in (row, other, far)]
    runs = [run_of(record) for record in records if isinstance(record, Record)]
    table = evaluate(knowledge.book, table_of_runs(knowledge.book, runs), QUANTITIES, keep_all=False)  # type: ignore[arg-type]
    words = {**words_of_runs(table, runs), "program": [PILOT, PILOT, "mxnet"]}  # type: ignore[arg-type]
    words["effort"] = ["ordinary", "ordinary", "tuned"]  # as an estimate asks; a pilot is of who asks
    with_pilot = joined.tell(words, sizes_of(table))
    before = knowledge.published.tell({**words, "program": ["pytorch", "pytorch", "mxnet"]}, sizes_of(table))
    moved = with_pilot.correction - before.correction
    assert with_pilot.correction[0] == pytest.approx(np.log(2.0), abs=0.03), "its own figure, again"
    assert 0.1 < moved[1] < 0.8 * np.log(2.0)
    assert abs(moved[2]) < 0.02
    assert with_pilot.deviation[0] < before.deviation[0], "right beside a pilot the range is narrower"


def test_no_own_record_is_its_own_neighbour(knowledge: Knowledge, row: Row, save: Save) -> None:
    path = save(slow(knowledge, row, save(row), 1.6))
    joined = join_own(knowledge.book, knowledge.published, path).published
    assert predicted(knowledge, path, joined).predicted == pytest.approx(predicted(knowledge, path).predicted)


def test_own_records_speak_for_each_other(knowledge: Knowledge, row: Row, save: Save) -> None:
    first = slow(knowledge, row, save(row), 1.6)
    twin = first | {
        "id": "twin",
        "global_batch": 2 * row["global_batch"],
        "step_time_s": 2 * first["step_time_s"],
    }
    path = save(first, name="first.jsonl")
    joined = join_own(knowledge.book, knowledge.published, save(twin, name="twin.jsonl")).published
    assert abs(predicted(knowledge, path, joined).error) < 0.5 * abs(predicted(knowledge, path).error)


def test_without_takes_own_runs_alone_out(knowledge: Knowledge, row: Row, save: Save) -> None:
    joined = join_own(knowledge.book, knowledge.published, save(row)).published
    assert without(joined, row["id"]).ids == knowledge.published.ids
    shipped = knowledge.published.ids[0]
    assert without(joined, shipped).ids == joined.ids, "a published run stays"


def test_a_folder_holds_all_its_files(knowledge: Knowledge, row: Row, save: Save) -> None:
    path = save(row, name="a.jsonl")
    save(row | {"id": "second"}, name="b.jsonl")
    assert {run.id for run in join_own(knowledge.book, knowledge.published, path.parent).runs} == {
        row["id"], "second",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"step_time_s": None, "peak_mem_gib": 3.0}, "no step time"),
        ({"accelerator": "no such device"}, "no record to lean on"),
        ({"step_time_s": 1e-5}, "suspicious"),
    ],
)
def test_what_says_nothing_is_refused(
    knowledge: Knowledge, row: Row, save: Save, change: Row, told: str
) -> None:
    with pytest.raises(UserError, match=told):
        join_own(knowledge.book, knowledge.published, save(row | change))


def test_no_files_no_evidence(knowledge: Knowledge, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no \*\.jsonl"):
        join_own(knowledge.book, knowledge.published, tmp_path)
    with pytest.raises(UserError, match="there is no file"):
        join_own(knowledge.book, knowledge.published, tmp_path / "none.jsonl")
