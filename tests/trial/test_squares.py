"""What grows with the square of the batch is counted so; what grows faster is not told beyond the trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from few import shipped_knowledge

from advisor.app_estimate import within_trace
from advisor.errors import UserError
from advisor.estimate import evaluate
from advisor.estimate.inputs import Inputs, known_only, table_of
from advisor.model.traced import model_of_trace
from advisor.schema import Kind
from advisor.search.grid import Stated

torch = pytest.importorskip("torch")
from advisor.trial.tracing import session  # noqa: E402 - torch first

HERE = Path(__file__).parent
LARGE = 512


def spec_of(name: str) -> dict[str, Any]:
    return {
        "kind": "factory", "name": f"pairs.py:{name}", "folder": str(HERE), "inputs": [],
        "precision": "fp32", "method": "full", "lora_rank": 8, "optimizer": "none",
        "seq_len": 1, "image_size": 0,
    }  # fmt: skip


def traced(name: str) -> dict[str, Any]:
    told: list[dict[str, Any]] = []
    session.trace(spec_of(name), told.append)
    return told[-1]


def run_at(name: str, samples: int) -> Any:
    """The recorder of a step of so many samples."""
    spec = spec_of(name)
    with session._fake():
        built = session._prepared(session._maker(spec)(), spec)
        (found, _), _ = session._both(built, spec, (samples, samples))
    return found


def ruled(document: dict[str, Any], samples: int, *names: str) -> list[float]:
    row = Inputs()
    model = model_of_trace("pairs", document)
    how: dict[str, float | str] = {
        "family": model.family, "method": "full", "precision": "fp32", "optimizer": "sgd",
        "recompute": "none", "micro_batch": float(samples), "global_batch": float(samples), "devices": 1.0,
        "sharding": "none", "flash_attention": 1.0, "compiled": 0.0, "stack": "torch", "vendor": "nvidia",
        "generation": "nvidia_ampere", "hw_peak_bf16": 3e14, "hw_peak_fp32": 2e13, "hw_bandwidth": 1e12,
    }  # fmt: skip
    for column, value in (model.numbers | how).items():
        row.put(column, value, Kind.stated, "")
    book = shipped_knowledge().book
    table = evaluate(book, table_of(book, [known_only(book, row)]), names)
    found = [table.value(name, 0) for name in names]
    assert None not in found
    return [float(value or 0) for value in found]


@pytest.mark.parametrize(("samples", "over"), [(LARGE, 0.05), (96, 0.15)])
def test_a_contrastive_loss_is_met_at_a_batch_that_was_not_traced(samples: int, over: float) -> None:
    """Where pairs and samples take about the same, what stands at two moments is counted as of one."""
    document, step = traced("contrast"), run_at("contrast", samples)
    peak, held, flops = ruled(document, samples, "peak_bytes", "held_bytes", "layers_forward_flops")
    lived = max(event.other + event.gradients for event in step.events)
    assert lived * 0.99 <= peak - held <= lived * (1 + over)
    done = sum(event.flops for event in step.events if event.phase == "forward")
    assert flops * samples == pytest.approx(done, rel=1e-6)
    assert any("pairs of samples" in note for note in document["notes"])


def test_the_square_is_most_of_a_large_batch() -> None:
    """By hand: scores, softmax and gradient, four bytes for each pair."""
    squares = traced("contrast")["squares"]
    assert squares["highest"] == 12 and squares["kept"] == 4
    assert squares["flops_forward"] == 2 * 64 and squares["depth"] == 64


@pytest.mark.parametrize("name", ["differences", "contrast"])
def test_the_rest_stays_a_line(name: str) -> None:
    document = traced(name)
    assert ("squares" in document) is (name == "contrast")
    assert "beyond" not in document
    linear = [r for r in document["operators"] if r["phase"] == "forward" and r["kind"] == "matrix"]
    assert sum(row["flops"][1] for row in linear) == 2 * 128 * 64


@pytest.mark.parametrize("name", ["triples", "looped"])
def test_what_grows_otherwise_is_refused_beyond_the_trace(name: str) -> None:
    document = traced(name)
    assert document["beyond"]["samples"] == 16
    model = model_of_trace(name, document)
    assert within_trace(model, Stated(micro_batch=16), 512.0, 1) is None
    assert within_trace(model, Stated(), 32.0, 2) is None
    for stated, batch in ((Stated(micro_batch=17), 17.0), (Stated(), 64.0)):
        with pytest.raises(UserError, match="16 samples"):
            within_trace(model, stated, batch, 1)
