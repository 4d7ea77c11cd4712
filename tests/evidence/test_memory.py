"""What notes of published runs tell of their memory."""

from __future__ import annotations

import json

import numpy as np
import pytest

from advisor.data.files import shipped
from advisor.estimate.inputs import Inputs
from advisor.evidence.inputs import Run, run_of
from advisor.evidence.memory import mean_kept, memory_kind, put_memory, shipped_sayings
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


def test_samples_of_their_own_length_where_longer_ones_are_left_out() -> None:
    notes = "dataset news tokens 1000+-500 (min 9 max 9000) truncated to max_length"
    short, long = (told(notes=notes, seq_len=longest)["mean_length_share"] for longest in (512, 4096))
    assert isinstance(short, float) and isinstance(long, float)
    assert 0.6 < short < 0.9  # of lengths up to half the mean most are near it
    assert long == pytest.approx(1000 / 4096, rel=0.02)  # hardly any is left out
    assert "mean_length_share" not in told(notes="lengths vary")


def test_mean_of_what_is_kept_is_that_of_a_sample() -> None:
    drawn = np.random.default_rng(3).lognormal(np.log(3234) - 0.24, np.sqrt(0.48), 200_000)
    mean, deviation = float(drawn.mean()), float(drawn.std())
    for longest in (1024, 4096, 8192):
        assert mean_kept(mean, deviation, longest) == pytest.approx(drawn[drawn <= longest].mean(), rel=0.02)


def test_what_loops_of_programs_hold() -> None:
    assert told(framework="litgpt")["loss_held"] == 1.0
    assert told(framework="fsdp_qlora (PyTorch FSDP)")["outputs_held"] == 1.0
    assert "outputs_held" not in told(framework="transformers Trainer")


def test_a_program_that_never_ties_its_output_layer() -> None:
    found = Inputs()
    found.values["tied"] = 1.0
    put_memory(found, record(framework="litgpt"))
    assert found.values["tied"] == 1.0  # the network's own count of parameters stays
    assert found.values["head_apart"] == 1.0
