"""What notes of published runs tell of their memory."""

from __future__ import annotations

import json

import pytest

from advisor.data.files import shipped
from advisor.estimate.inputs import Inputs
from advisor.evidence.inputs import Run, run_of
from advisor.evidence.memory import memory_kind, put_memory, shipped_sayings
from advisor.evidence.record import Record, record_of
from advisor.rulebook import load_book

ROW = {
    "id": "one", "source_key": "s", "vendor": "nvidia", "accelerator": "A100-SXM4-80GB",
    "num_accelerators": 1,
    "family": "decoder", "model": "Llama-2-7B", "seq_len": 2048, "micro_batch": 1, "precision": "bf16",
    "peak_mem_gib": 20.0, "framework": "some trainer",
}  # fmt: skip


def record(**more: object) -> Record:
    found = record_of(json.dumps({**ROW, **more}), "line 1")
    assert isinstance(found, Record)
    return found


def told(**more: object) -> dict[str, object]:
    found = Inputs()
    for name in ("era", "devices"):
        if name in more:
            found.values[name] = more.pop(name)
    put_memory(found, record(**more))
    return found.values


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"memory_kind": "allocated", "notes": "NVML"}, "allocated"),
        ({"memory_kind": "unknown", "notes": "NVML used memory (reserved and context)"}, "nvml"),
        ({"notes": "torch max_memory_reserved, exact bytes"}, "reserved"),
        ({"notes": "'Peak Memory Active (GiB)'"}, "allocated"),
        ({"framework": "LitGPT"}, "allocated"),
        ({"notes": "printed 20 GB"}, "unknown"),
    ],
)
def test_kind_of_figure(more: dict[str, object], kind: str) -> None:
    assert memory_kind(record(**more)) == kind


def test_sixteen_bit_weights_are_those_of_the_program_unless_the_precision_says_mixed() -> None:
    assert told(framework="litgpt")["weights_16bit"] == 1.0
    assert told(framework="litgpt", precision="bf16-mixed")["weights_16bit"] == 0.0
    assert "weights_16bit" not in told(framework="Megatron-LM")


def test_defaults_of_a_program_hold_from_the_year_they_came() -> None:
    assert "fused_loss" not in told(framework="torchtune", era=2024.2)
    assert told(framework="torchtune", era=2025.2)["fused_loss"] == 0.5


def test_trainable_weights_and_layouts_are_read_from_the_notes() -> None:
    assert told(notes="Trainable params 1212416, total 3213962240")["stated_trainable"] == 1212416.0
    assert told(notes="TP*PP*CP = 4 (from batch arithmetic)")["cp"] == 4.0
    assert told(notes="2 GPUs with naive layer placement", devices=2.0)["pp"] == 2.0
    both = told(notes="LoRA (emb)", vocab=1000, hidden=64, layers=2, ffn_hidden=256, lora_rank=8)
    assert both["stated_trainable"] == 2 * 1000 * 64 + 8 * 2 * (8 * 64 + 3 * (64 + 256))


def test_what_the_row_states_stays() -> None:
    run = run_of(record(framework="torchtune", recompute="none"))
    assert isinstance(run, Run)
    assert run.inputs.values["recompute"] == "none"
    default = run_of(record(framework="torchtune"))
    assert isinstance(default, Run)
    assert default.inputs.values["recompute"] == "full"


def test_sayings_give_columns_that_rules_declare() -> None:
    book = load_book([shipped("rules")])
    assert set(shipped_sayings()) - {"memory_kind"} <= set(book.columns)
