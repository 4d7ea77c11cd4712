"""The highest memory by the rules' columns against that of a step itself, at a batch that was not traced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from few import shipped_knowledge

from advisor.estimate import evaluate
from advisor.estimate.inputs import Inputs, known_only, table_of
from advisor.model.traced import model_of_trace
from advisor.schema import Kind

torch = pytest.importorskip("torch")
from advisor.trial.tracing import session  # noqa: E402 - torch first

BATCH = 16


def _spec(name: str) -> dict[str, Any]:
    return {
        "kind": "factory", "name": f"factories.py:{name}", "folder": str(Path(__file__).parent),
        "inputs": [], "precision": "fp32", "method": "full", "lora_rank": 8, "optimizer": "none",
        "seq_len": 1, "image_size": 0,
    }  # fmt: skip


def _lived(name: str) -> float:
    """Bytes beside the weights at the highest point of a step of `BATCH` samples."""
    spec = _spec(name)
    with session._fake():
        built = session._prepared(session._maker(spec)(), spec)
        (found, _), _ = session._both(built, spec, (BATCH, BATCH))
    return float(max(event.other + event.gradients for event in found.events))


def _ruled(name: str, recompute: str) -> float:
    """The same by the rules, from a trace at two and four samples."""
    told: list[dict[str, Any]] = []
    session.trace(_spec(name), told.append)
    model = model_of_trace(name, told[-1])
    row = Inputs()
    how: dict[str, float | str] = {
        "family": model.family, "method": "full", "precision": "fp32", "optimizer": "sgd",
        "recompute": recompute,
        "micro_batch": float(BATCH), "global_batch": float(BATCH), "devices": 1.0, "sharding": "none",
        "flash_attention": 1.0, "compiled": 0.0, "stack": "torch", "vendor": "cpu",
        "hw_peak_bf16": 1e12, "hw_peak_fp32": 1e12, "host_simd": "avx2",
    }  # fmt: skip
    for column, value in (model.numbers | how).items():
        row.put(column, value, Kind.stated, "")
    book = shipped_knowledge().book
    table = evaluate(book, table_of(book, [known_only(book, row)]), ["peak_bytes", "held_bytes"])
    peak, held = table.value("peak_bytes", 0), table.value("held_bytes", 0)
    assert peak is not None and held is not None
    return peak - held


@pytest.mark.parametrize("name", ["mlp", "words", "frozen", "attention"])
def test_the_highest_point_is_met(name: str) -> None:
    assert _ruled(name, "none") == pytest.approx(_lived(name), rel=0.06)


def test_recomputed_blocks_are_met_from_a_plain_trace() -> None:
    assert _ruled("words", "full") == pytest.approx(_lived("words_again"), rel=0.1)
    assert _ruled("words", "full") < 0.9 * _ruled("words", "none")
