"""The shipped rows: no figure stands in them twice, and what tells figures apart keeps them apart."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from advisor.evidence.inputs import shipped_evidence

REPO = Path(__file__).resolve().parents[2]
ROW: dict[str, Any] = {
    "id": "one", "source_key": "somebody/readme", "vendor": "nvidia", "accelerator": "A100-SXM4-80GB",
    "num_accelerators": 4, "model": "Qwen-7B", "seq_len": 1024, "method": "lora", "step_time_s": 5.17,
}  # fmt: skip


@pytest.fixture(scope="module")
def tool() -> Any:
    spec = importlib.util.spec_from_file_location("make_evidence", REPO / "tools" / "make_evidence.py")
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_no_shipped_figure_stands_twice(tool: Any) -> None:
    rows = [
        (path, json.loads(line))
        for path in shipped_evidence()
        for line in path.read_text("utf-8").splitlines()
    ]
    kept = {row["id"] for _, row in tool.merge(rows)}
    assert len(rows) > 2000
    assert [row["id"] for _, row in rows if row["id"] not in kept] == []


def test_a_figure_collected_twice_stands_once_with_all_that_is_told(tool: Any) -> None:
    twin = {**ROW, "id": "two", "accelerator": "A100 80GB SXM", "model": "Qwen-7B (README)", "fits": True}
    del twin["seq_len"]
    ((_, kept),) = tool.merge([(Path("a"), {**ROW, "peak_mem_gib": 19.8}), (Path("b"), twin)])
    assert kept["seq_len"] == 1024 and kept["peak_mem_gib"] == 19.8 and kept["fits"] is True


@pytest.mark.parametrize(
    "apart",
    [
        {"seq_len": 2048},
        {"num_accelerators": 8},
        {"model": "Baichuan-7B"},
        {"step_time_s": 5.18},
        {"accelerator": "H100-SXM5-80GB"},
        {"source_key": "somebody/else"},
    ],
)
def test_rows_that_differ_in_what_both_tell_are_two(tool: Any, apart: dict[str, Any]) -> None:
    assert len(tool.merge([(Path("a"), ROW), (Path("a"), {**ROW, "id": "two", **apart})])) == 2


def test_two_digits_are_too_few_to_tell_a_figure_by(tool: Any) -> None:
    coarse = {**ROW, "step_time_s": 29.0}
    assert len(tool.merge([(Path("a"), coarse), (Path("a"), {**coarse, "id": "two"})])) == 2
