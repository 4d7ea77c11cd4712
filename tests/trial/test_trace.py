"""The child that traces, from outside: names that mean code, deadlines, the estimate that comes of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from advisor.cli import cli
from advisor.cli.failures import run_guarded
from advisor.errors import DataError, MissingLibrary, UserError
from advisor.model.traced import KINDS, model_of_trace
from advisor.trial.trace import TraceFlags, is_factory, trace_network

HERE = Path(__file__).parent
CODE = "factories.py"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("net.py:build", True), ("src/net.py:make.small", True), ("package.module:factory", True),
        ("gpt2", False), ("org/name", False), ("config.json", False), ("net.py", False), (None, False),
        ("C:\\models\\x", False), ("a b:c", False),
    ],
)  # fmt: skip
def test_names_that_mean_code(name: str | None, code: bool) -> None:
    assert is_factory(name) is code


def _document() -> dict[str, object]:
    def row(phase: str, kind: str, **more: object) -> dict[str, object]:
        base = {
            "phase": phase, "kind": kind, "operator": kind, "dtype": "float32", "count": 2, "shape": None,
            "flops": [0.0, 0.0], "bytes": [0.0, 0.0], "saved": [0.0, 0.0],
        }  # fmt: skip
        return {**base, **more}

    shape = [[0.0, 10.0], [20.0, 0.0], [30.0, 0.0]]
    return {
        "mode": "fake", "torch": "2.13.0", "inputs": ["ids=Bx10:int64"], "loss": "", "alike": True,
        "notes": [], "parameters": 1000, "trainable": 900, "gradient_bytes": 3600,
        "weight_bytes": 4000, "buffer_bytes": 0, "linear_parameters": 600, "adapted": False,
        "operators": [
            row("forward", "matrix", flops=[0.0, 12000.0], bytes=[2400.0, 500.0], shape=shape),
            row("backward", "matrix", flops=[0.0, 24000.0]),
            row("forward", "norm", bytes=[10.0, 100.0]),
            row("backward", "norm", bytes=[0.0, 150.0]),
        ],
        "phases": {"backward": [[4000.0, 10.0], [1000.0, 100.0]]},
        "memory": {
            "kept": [4.0, 200.0], "kept_inside": [0.0, 150.0], "block": [0.0, 50.0],
            "block_inputs": [0.0, 30.0], "kept_after": [0.0, 5.0],
            "casts": [0.0, 0.0], "working_outside": [-1.0, 40.0],
            "working_inside": [2.0, 20.0], "working_all": [3.0, 240.0],
        },
    }  # fmt: skip


def test_a_trace_becomes_columns() -> None:
    model = model_of_trace("net.py:f", _document())
    numbers = model.numbers
    assert model.family == "traced" and model.source.startswith("traced from net.py:f, torch 2.13.0")
    assert numbers["traced_matrix_flops"] == 12000 and numbers["traced_matrix_back"] == 2
    assert [numbers[f"traced_{kind}_flops"] for kind in KINDS[1:]] == [0.0] * 5
    assert [numbers[f"traced_matrix_{part}"] for part in ("rows", "columns", "depth")] == [10, 20, 30]
    assert (numbers["traced_moved"], numbers["traced_moved_fixed"]) == (100, 10)
    assert numbers["traced_moved_back"] == 1.5
    assert (numbers["traced_kept"], numbers["traced_kept_again"]) == (200, 200 - 150 + 30)
    assert numbers["traced_beside"] == 240 - 200
    assert (
        numbers["traced_outside_fixed"] == numbers["traced_beside_fixed"] == 0
    )  # a line through two points may start below nothing
    assert (numbers["traced_back_1_fixed"], numbers["traced_back_2"], numbers["traced_back_3"]) == (
        400,
        100,
        0,
    )
    assert numbers["native_seq_len"] == 10


def test_a_broken_document_is_told() -> None:
    with pytest.raises(DataError, match="is no trace"):
        model_of_trace("net.py:f", {**_document(), "memory": {}})


@pytest.mark.slow
def test_a_factory_that_hangs_is_ended() -> None:
    pytest.importorskip("torch")
    with pytest.raises(UserError, match=r"\(the factory did not return\) took longer than 6 s") as caught:
        trace_network(f"{CODE}:hangs", TraceFlags(deadline_s=6, folder=HERE))
    assert "--trace-deadline" in caught.value.hint


@pytest.mark.slow
def test_a_missing_package_is_a_missing_library() -> None:
    pytest.importorskip("torch")
    with pytest.raises(MissingLibrary, match="no_such_package_anywhere"):
        trace_network(f"{CODE}:lacks", TraceFlags(folder=HERE))


def test_a_python_that_is_none() -> None:
    with pytest.raises(UserError, match="cannot be started"):
        trace_network(f"{CODE}:mlp", TraceFlags(python="/no/such/python", folder=HERE))


@pytest.mark.slow
def test_an_estimate_of_code_says_whence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(HERE)
    flags = ["estimate", "--model", f"{CODE}:words", "--hardware", "nvidia-h100-sxm5-80gb", "--tokens", "1M"]
    flags += ["--micro-batch", "8", "--batch", "8", "--json"]
    monkeypatch.setattr(sys, "argv", ["hwadvisor", *flags])
    status = run_guarded(cli)
    said = capsys.readouterr()
    assert status == 0, said.err
    assert "Batch and loss of the trace: Bx32:int64; the sum of its outputs" in said.err
    advice = json.loads(said.out)
    quantities = advice["estimates"][0]["quantities"]
    assert quantities["params"]["value"] == 100 * 64 + 4 * (2 * 64 * 256 + 5 * 64)
    assert quantities["time_s"]["value"] > 0 and quantities["memory_bytes"]["value"] > 0
    sources = {step.get("source", "") for steps in advice["trace"].values() for step in steps}
    assert any(source.startswith(f"traced from {CODE}:words, torch ") for source in sources)


@pytest.mark.parametrize(
    "flags",
    [
        ["estimate", "--model", "gpt2", "--input", "2x8"],
        ["estimate", "--model", "gpt2", "--trace"],
        ["trial", "--model", "net.py:build"],
        ["models", "gpt2"],
        ["estimate", "--model", "nowhere.py:build", "--python", sys.executable],
    ],
)
def test_what_cannot_be_is_refused(
    flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if "nowhere.py:build" in flags:
        pytest.importorskip("torch")
    monkeypatch.setattr(sys, "argv", ["hwadvisor", *flags])
    assert run_guarded(cli) == 2
    assert "hint: " in capsys.readouterr().err
