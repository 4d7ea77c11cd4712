"""A traced network at other lengths: what three traces say of a fourth, and where there is no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.model.traced import at_lengths, model_of_trace
from advisor.schema import Model
from advisor.trial.trace import TraceFlags, at_length

torch = pytest.importorskip("torch")
from advisor.trial.tracing import session  # noqa: E402 - torch first

HERE = Path(__file__).parent


def document_of(name: str, *inputs: str) -> dict[str, Any]:
    spec = {
        "kind": "factory", "name": f"pairs.py:{name}", "folder": str(HERE), "inputs": list(inputs),
        "precision": "fp32", "method": "full", "lora_rank": 8, "optimizer": "none",
        "seq_len": 1, "image_size": 0,
    }  # fmt: skip
    told: list[dict[str, Any]] = []
    session.trace(spec, told.append)
    return told[-1]


def looks_at(length: int) -> Model:
    return model_of_trace("looks", document_of("looks", f"4x{length}:int64"))


def test_three_lengths_tell_a_fourth() -> None:
    said = at_lengths([looks_at(n) for n in (64, 128, 256)])(512)
    found = looks_at(512).numbers
    for name in ("traced_kept", "traced_matrix_flops", "traced_beside", "native_seq_len"):
        assert said[name] == pytest.approx(found[name], rel=1e-6), name
    steepest = max(found[f"traced_back_{at}"] for at in (1, 2, 3))
    assert max(said[f"traced_back_{at}"] for at in (1, 2, 3)) == pytest.approx(steepest, rel=1e-3)
    assert said["traced_kept"] > 3 * 2 * looks_at(128).numbers["traced_kept"], "scores go with the square"


def test_every_dimension_of_the_length_is_one() -> None:
    flags = TraceFlags(seq_len=24)
    told = at_length(flags, ["ids=Bx24:int64", "mask=Bx24x24:bool", "Bx3:float32"], 24, 48)
    assert told.inputs == ("ids=Bx48:int64", "mask=Bx48x48:bool", "Bx3:float32")
    assert told.seq_len == 48


@pytest.mark.parametrize(("name", "bound"), [("looks", False), ("looks_with_places", True)])
def test_weights_of_as_many_places_bound_the_length(name: str, bound: bool) -> None:
    assert (24 in document_of(name)["sizes"]) is bound
