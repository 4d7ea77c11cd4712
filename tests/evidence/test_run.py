"""Which records become runs, and in which words the others are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from advisor.app import Knowledge
from advisor.estimate import evaluate
from advisor.evidence.inputs import Run, run_of
from advisor.evidence.record import Record, Refusal, record_of
from advisor.evidence.table import table_of_runs


def of(record: Callable[..., Record], row: dict[str, Any], **more: Any) -> Run | Refusal:
    return run_of(record(**{**row, **more}))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"accelerator": None}, "the row names no device"),
        ({"accelerator": "Quantum 9000"}, "'Quantum 9000' is not in the catalogue"),
        ({"accelerator": "A100-SXM4-123GB"}, "no variant in the catalogue has that memory"),
        ({"num_accelerators": None}, "the row gives no number of devices"),
        ({"family": "perceptron"}, "family 'perceptron'"),
        ({"layers": None}, "neither a known network nor layers and width"),
        ({"precision": None}, "the row gives no precision"),
        ({"precision": "int3"}, "precision 'int3' is not modelled"),
        ({"method": "grpo"}, "method 'grpo' is not modelled"),
        ({"seq_len": None}, "the row gives no sequence length"),
        (
            {"family": "cnn", "model": "ResNet-50", "layers": None, "hidden": None, "offload": "disk"},
            "offload",
        ),
        ({"offload": "disk"}, "offload 'disk' is not modelled"),
        ({"tp": 8, "pp": 2}, "its layout needs 16 devices, the row has 8"),
        ({"tp": 4, "cp": 4}, "its layout needs 16 devices, the row has 8"),
    ],
)
def test_what_is_refused(
    record: Callable[..., Record], row: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    found = of(record, row, **more)
    assert isinstance(found, Refusal), found
    assert words in found.reason
    assert found.id == row["id"]
    assert found.quantities == ("step_time_s",)


def test_a_refused_run_is_refused_for_all_that_it_measured(
    record: Callable[..., Record], row: dict[str, Any]
) -> None:
    found = of(record, row, precision=None, peak_mem_gib=30.0, fits=True)
    assert isinstance(found, Refusal)
    assert found.quantities == ("step_time_s", "peak_mem_gib", "fits")


@pytest.mark.parametrize(
    ("notes", "refused"),
    [("SUSPECT: below its own weights", {"step_time_s", "peak_mem_gib"}),
     ("EVAL-BOUND", {"peak_mem_gib"}), ("UNIT: hours of audio", {"step_time_s"}), ("plain", set())],
)  # fmt: skip
def test_notes_leave_out_single_quantities(
    record: Callable[..., Record], row: dict[str, Any], notes: str, refused: set[str]
) -> None:
    found = of(record, row, notes=notes)
    assert isinstance(found, Run)
    assert set(found.refused) == refused


def test_the_columns_of_a_run(record: Callable[..., Record], row: dict[str, Any]) -> None:
    found = of(record, row, tp=2, sequence_parallel=True)
    assert isinstance(found, Run)
    told = found.inputs.values
    assert (told["devices"], told["tp"], told["global_batch"]) == (8, 2, 32)
    assert (told["family"], told["method"], told["precision"]) == ("decoder", "full", "bf16_mixed")
    assert (told["stack"], told["sharding"], told["recompute"]) == ("torch", "none", "none")
    assert told["sequence_parallel"] == 1.0
    assert told["era"] == pytest.approx(2024 + 0.5 / 12)
    assert "compiled" not in told
    assert all(name in found.inputs.sources for name in told)


def test_a_chip_that_counts_as_several_devices(record: Callable[..., Record], row: dict[str, Any]) -> None:
    """A Trainium chip holds two cores; degrees that do not multiply up to either count are not known."""
    chip = {"vendor": "aws", "accelerator": "Trainium1", "num_accelerators": 16, "pp": 1}
    fits, not_ = of(record, row, **chip, tp=8, dp=4), of(record, row, **chip, tp=8, dp=3)
    assert isinstance(fits, Run)
    assert isinstance(not_, Run)
    assert fits.devices == 32
    assert fits.inputs.values["tp"] == 8
    assert "tp" not in not_.inputs.values


def test_every_refusal_is_short_and_says_no_rules_words(
    record: Callable[..., Record], row: dict[str, Any], knowledge: Knowledge
) -> None:
    """Texts of a row are cut before they stand in a reason."""
    for name in ("accelerator", "family", "method", "precision", "offload", "model"):
        found = of(record, {**row, "layers": None}, **{name: "x" * 3000})
        assert isinstance(found, Refusal)
        assert len(found.reason) < 400, name


def test_a_run_is_predicted_by_the_rules(
    record: Callable[..., Record], row: dict[str, Any], knowledge: Knowledge
) -> None:
    """Twice the work on each device takes longer; the same work on more devices is not slower by much."""
    found = [of(record, row, **more) for more in ({}, {"seq_len": 4096}, {"num_accelerators": 16})]
    runs = [run for run in found if isinstance(run, Run)]
    seconds = evaluate(knowledge.book, table_of_runs(knowledge.book, runs), ["step_s"]).columns["step_s"]
    assert 1.8 * seconds[0] < seconds[1] < 3 * seconds[0]
    assert seconds[2] < seconds[0]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"recompute": "sometimes"}, "recompute 'sometimes'"),
        ({"sharding": "shattered"}, "sharding 'shattered'"),
        ({"ep": 8}, "network has none"),
    ],
)
def test_words_and_degrees_that_cannot_be_are_refused(more: dict[str, object], told: str) -> None:
    row = {
        "id": "made-up", "vendor": "nvidia", "accelerator": "A100-SXM4-80GB", "num_accelerators": 8,
        "family": "decoder", "model": "Llama-2-7B", "layers": 32, "hidden": 4096, "heads": 32,
        "ffn_hidden": 11008, "vocab": 32000, "seq_len": 4096, "global_batch": 64, "precision": "bf16",
        "step_time_s": 3.0,
    }  # fmt: skip
    assert not isinstance(run_of(cast(Record, record_of(json.dumps(row), "x"))), Refusal)
    found = run_of(cast(Record, record_of(json.dumps({**row, **more}), "x")))
    assert isinstance(found, Refusal)
    assert told in found.reason


def test_what_a_published_configuration_says_of_its_runs(
    record: Callable[..., Record], row: dict[str, Any]
) -> None:
    neox = {
        "framework": "GPT-NeoX (Megatron + DeepSpeed)",
        "num_accelerators": 256,
        "global_batch": 1024,
        "recompute": None,
        "tp": None,
        **dict.fromkeys(("layers", "hidden", "heads", "ffn_hidden", "vocab")),
    }
    pythia = of(record, row, model="Pythia 12B", **neox)
    assert isinstance(pythia, Run)
    assert pythia.inputs.values["recompute"] == "full"
    assert pythia.inputs.values["tp"] == 4
    said = of(record, row, model="Pythia 12B", **{**neox, "recompute": "none", "tp": 2})
    assert isinstance(said, Run)
    assert (said.inputs.values["recompute"], said.inputs.values["tp"]) == ("none", 2)
    other = of(record, row, model="Some 12B", params=12e9, **neox)
    assert isinstance(other, Run)
    assert "recompute" not in other.inputs.values


def test_a_named_instance_tells_its_network(record: Callable[..., Record], row: dict[str, Any]) -> None:
    plain_row = of(record, row, accelerator="A100-40GB (AWS p4d)")
    assert isinstance(plain_row, Run)
    assert plain_row.inputs.values["net_bandwidth"] == 6.25e9
    told = of(record, row, accelerator="A100-40GB (AWS p4d)", interconnect="8x 200 Gb/s InfiniBand")
    assert isinstance(told, Run)
    assert told.inputs.values["net_bandwidth"] == 25e9
