"""The memory rules against what was traced or printed for whole set-ups, each figure with its source."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.data.files import shipped
from advisor.estimate import Table, evaluate
from advisor.rulebook import RuleBook, load_book

GIB = 2.0**30
PLAIN: dict[str, Any] = {
    "token_types": 0,
    "qkv_bias": 0,
    "linear_bias": 0,
    "positions": 0,
    "norm_vectors": 1,
    "ffn_matrices": 3,
}
LLAMA_3B: dict[str, Any] = {
    **PLAIN, "family": "decoder", "layers": 28, "hidden": 3072, "heads": 24, "kv_heads": 8, "head_dim": 128,
    "ffn_hidden": 8192, "vocab": 128256, "tied": 1,
}  # fmt: skip
LLAMA_8B: dict[str, Any] = {
    **PLAIN, "family": "decoder", "layers": 32, "hidden": 4096, "heads": 32, "kv_heads": 8, "head_dim": 128,
    "ffn_hidden": 14336, "vocab": 128256, "tied": 0,
}  # fmt: skip
LLAMA_7B: dict[str, Any] = {**LLAMA_8B, "kv_heads": 32, "ffn_hidden": 11008, "vocab": 32000}
RUN: dict[str, Any] = {
    "method": "full", "precision": "bf16", "optimizer": "adamw", "vendor": "nvidia", "devices": 1,
    "recompute": "none", "hw_peak_fp32": 1e13, "hw_peak_fp16": 1e14, "hw_peak_bf16": 1e14, "lora_rank": 8,
}  # fmt: skip


@pytest.fixture(scope="module")
def shipped_book() -> RuleBook:
    return load_book([shipped("rules")])


def gib(book: RuleBook, quantity: str = "peak_bytes", **row: Any) -> float:
    found = evaluate(book, Table.from_rows(book, [{**RUN, **row}]), [quantity]).value(quantity)
    assert found is not None
    return found / GIB


def test_traced_peaks_of_plain_bf16_are_met(shipped_book: RuleBook) -> None:
    """Fake-tensor traces, torch 2.13 and transformers 5.23."""
    three = {**LLAMA_3B, "micro_batch": 2, "seq_len": 4096, "global_batch": 2}
    assert gib(shipped_book, **three) == pytest.approx(59.66, rel=0.02)
    eight = {**LLAMA_8B, "micro_batch": 1, "seq_len": 8192, "global_batch": 1}
    assert gib(shipped_book, **eight) == pytest.approx(108.9, rel=0.02)
    full = gib(shipped_book, **{**eight, "recompute": "full"})
    assert full == pytest.approx(74.79, rel=0.02)  # the step with foreach is the peak
    assert gib(shipped_book, **{**eight, "recompute": "full", "foreach": 0}) == pytest.approx(61.79, rel=0.04)


def test_compiling_keeps_less(shipped_book: RuleBook) -> None:
    """torchtune's table, A100: 60.0 GiB eager, 42.9 compiled with a chunked loss."""
    row = {**LLAMA_3B, "micro_batch": 2, "seq_len": 4096, "global_batch": 2}
    assert gib(shipped_book, **row) == pytest.approx(60.0, rel=0.03)
    assert gib(shipped_book, **{**row, "compiled": 1, "fused_loss": 0.5}) == pytest.approx(42.9, rel=0.03)


@pytest.mark.parametrize(("batch", "printed"), [(1, 19.84), (2, 27.07)])
def test_adapters_on_queries_and_values(shipped_book: RuleBook, batch: int, printed: float) -> None:
    """litgpt's table, Llama 2 7B, 1304 tokens, bf16-true, A100."""
    row = {**LLAMA_7B, "method": "lora", "micro_batch": batch, "seq_len": 1304, "adapted_attention": 1}
    assert gib(shipped_book, **row) == pytest.approx(printed, rel=0.1)


def test_data_parallelism_costs_a_copy_of_the_gradients(shipped_book: RuleBook) -> None:
    row = {**LLAMA_3B, "micro_batch": 1, "seq_len": 512, "sharding": "none", "global_batch": 8}
    one = gib(shipped_book, "held_bytes", **row)
    eight = gib(shipped_book, "held_bytes", **{**row, "devices": 8})
    assert eight - one == pytest.approx(2 * gib(shipped_book, "params", **row), rel=1e-6)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"stack": "torch", "sharding": "none", "precision": "bf16_mixed"}, 4 + 4 + 8),
        ({"stack": "megatron", "sharding": "none", "precision": "bf16_mixed"}, 2 + 4 + 12),
        ({"stack": "megatron", "sharding": "zero1", "precision": "bf16_mixed"}, 2 + 4 + 12 / 8),
        ({"stack": "megatron", "sharding": "zero1", "precision": "fp16_mixed"}, 2 + 2 + 16 / 8),
        ({"stack": "transformers", "sharding": "zero2", "precision": "bf16_mixed"}, 2 + 2 / 8 + 12 / 8),
        ({"stack": "torch", "sharding": "fsdp", "precision": "bf16_mixed"}, 16 / 8),
        (
            {"stack": "torch", "sharding": "none", "precision": "bf16", "optimizer": "adafactor"},
            2 + 2 + 8 / 4096,
        ),
        ({"stack": "torch", "sharding": "none", "precision": "fp32", "optimizer": "lion"}, 4 + 4 + 4),
        (
            {"stack": "megatron", "sharding": "zero1", "precision": "bf16_mixed", "tp": 2},
            (2 + 4 + 12 / 4) / 2,
        ),
        (
            {"stack": "transformers", "sharding": "fsdp", "precision": "bf16_mixed", "offload": "optimizer"},
            4 / 8,
        ),
        ({"stack": "torch", "sharding": "none", "precision": "bf16", "step_in_backward": 1}, 2 + 4),
    ],
)
def test_bytes_of_states_for_each_parameter(
    shipped_book: RuleBook, more: dict[str, Any], expected: float
) -> None:
    """arXiv:1910.02054 section 3.1; Megatron-LM docs, distributed optimizer."""
    row = {**LLAMA_8B, "micro_batch": 1, "seq_len": 128, "devices": 8, **more}
    per_param = gib(shipped_book, "states_bytes", **row) / gib(shipped_book, "params", **row)
    assert per_param == pytest.approx(expected, rel=1e-6)


def test_pipeline_holds_micro_batches_and_cuts_layers(shipped_book: RuleBook) -> None:
    row = {**LLAMA_8B, "micro_batch": 1, "seq_len": 4096, "stack": "megatron", "precision": "bf16_mixed"}
    whole = gib(shipped_book, "activation_bytes", **row)
    cut = {**row, "devices": 4, "pp": 4, "global_batch": 64}
    assert gib(shipped_book, "activation_bytes", **cut) == pytest.approx(whole)  # a quarter of it, four times
    few = {**cut, "global_batch": 2}
    assert gib(shipped_book, "activation_bytes", **few) == pytest.approx(whole / 2)


def test_what_is_not_said_is_answered_and_wider(shipped_book: RuleBook) -> None:
    bare = {key: value for key, value in RUN.items() if key != "recompute"} | LLAMA_8B | {"seq_len": 2048}
    table = evaluate(shipped_book, Table.from_rows(shipped_book, [bare]), ["memory_bytes", "setup_told"])
    assert (table.value("memory_bytes") or 0) > 16 * GIB
    assert table.value("setup_told") == 0
    doubts = shipped_book.constants
    assert doubts["reserved_doubt_untold"].high > doubts["reserved_doubt"].high


def test_tensor_parallelism_cuts_norms_only_with_sequence_parallelism(shipped_book: RuleBook) -> None:
    row = {**LLAMA_8B, "micro_batch": 1, "seq_len": 4096, "stack": "megatron", "devices": 8, "tp": 8}
    with_it = gib(shipped_book, "layer_activation_bytes", **row, sequence_parallel=1)
    without = gib(shipped_book, "layer_activation_bytes", **row, sequence_parallel=0)
    one = gib(shipped_book, "layer_activation_bytes", **{**row, "tp": 1})
    assert with_it == pytest.approx(one / 8)
    assert without > 2 * with_it


TRAINER = {
    **LLAMA_8B, "micro_batch": 1, "seq_len": 2048, "stack": "transformers", "precision": "bf16",
    "method": "lora", "recompute": "full", "devices": 1, "vendor": "nvidia",
}  # fmt: skip


def test_samples_of_their_own_length_leave_holes_up_to_what_the_device_has(shipped_book: RuleBook) -> None:
    """tools/replay_allocator.py; the allocator gives whole blocks back before it fails."""
    alike, varied = (
        gib(shipped_book, "reserved_bytes", **TRAINER, **more) for more in ({}, {"mean_length_share": 0.5})
    )
    moving = gib(shipped_book, "length_bytes", **TRAINER)
    holes = shipped_book.constants["holes_of_lengths"].value
    assert varied == pytest.approx(alike + 0.5 * holes * moving, rel=1e-3)
    assert gib(shipped_book, "allocated_bytes", **TRAINER, mean_length_share=0.5) == pytest.approx(
        gib(shipped_book, "allocated_bytes", **TRAINER)
    )
    usable = (alike + 0.1 * (varied - alike)) * GIB
    full = gib(shipped_book, "reserved_bytes", **TRAINER, mean_length_share=0.5, hw_memory_reported=usable)
    assert full == pytest.approx(usable / GIB, rel=1e-3)


def test_four_bit_inputs_of_the_last_pass_stand_where_its_loss_is_held(shipped_book: RuleBook) -> None:
    """github:bitsandbytes-foundation/bitsandbytes: ctx.tensors is no saved tensor."""
    row = {**TRAINER, "stack": "torch", "method": "qlora", "recompute": "none", "micro_batch": 4}
    held, free = (gib(shipped_book, "allocated_bytes", **row, loss_held=one) for one in (1, 0))
    assert held > free + 1
    again = {**row, "recompute": "full"}
    assert gib(shipped_book, "allocated_bytes", **again, loss_held=1) == pytest.approx(
        gib(shipped_book, "allocated_bytes", **again)
    )


def test_a_trainer_lets_go_of_the_output_and_a_loop_may_not(shipped_book: RuleBook) -> None:
    scores = 2048 * LLAMA_8B["vocab"] / GIB
    own = gib(shipped_book, "loss_bytes", **TRAINER, outputs_held=1)
    assert gib(shipped_book, "loss_bytes", **TRAINER) == pytest.approx(12 * scores, rel=1e-6)
    assert own == pytest.approx(14 * scores, rel=1e-6)
    # either way the 16-bit scores take room: as the output, or as a block that fits nothing else
    assert gib(shipped_book, "scores_left_bytes", **TRAINER) == pytest.approx(2 * scores, rel=1e-6)
