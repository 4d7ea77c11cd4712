"""What a network sees of its own numbers: a real run on the factory's weights and example."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from advisor.trial.tracing import batch as batches  # noqa: E402 - torch first
from advisor.trial.tracing import flexible  # noqa: E402
from advisor.trial.tracing.failure import Failure  # noqa: E402

from .test_tracing import trace, work  # noqa: E402


@pytest.mark.parametrize("name", ["same", "same_kept"])
def test_a_real_run_is_on_the_factorys_own_weights_buffers_and_example(name: str) -> None:
    found = trace(name)
    assert found["event"] == "traced", found.get("reason")
    assert found["mode"] == "real" and "the factory's own weights and example" in found["notes"][0]
    assert work(found, "forward", "matrix") == 2 * 16 * 8 * 8


def test_shapes_alone_are_run_on_made_up_numbers_and_that_is_said() -> None:
    found = trace("decides", inputs=["4x16"])
    assert found["mode"] == "real" and "on made-up numbers" in found["notes"][0]


def test_weights_are_the_same_after_each_step() -> None:
    for optimizer in ("adamw", "sgd"):
        assert trace("same", optimizer=optimizer)["mode"] == "real"  # it raises at its second batch else


def test_packed_patches_grow_with_the_samples() -> None:
    found = trace("pictures")
    assert found["event"] == "traced", found.get("reason")
    assert found["inputs"] == ["ids=Bx16:int64", "patches=4Bx12:float32", "grid=Bx2:int64"]
    assert work(found, "forward", "matrix") == 2 * 4 * 12 * 8


def test_boxes_of_each_picture_stand_once_for_each_sample() -> None:
    found = trace("boxes")
    assert found["event"] == "traced", found.get("reason")
    assert found["samples"] == 2 and found["inputs"] == ["x=Bx8:float32", "boxes=2x4:float32"]


def test_an_example_is_sliced_and_repeated_along_the_batch() -> None:
    example = {"x": torch.arange(6.0).reshape(3, 2), "fixed": torch.arange(5), "on": True}
    made = batches.of_example(example)
    for samples, rows in ((2, [0, 1]), (3, [0, 1, 2]), (5, [0, 1, 2, 0, 1])):
        kwargs = made.made(samples)[1]
        assert torch.equal(kwargs["x"], example["x"][rows]) and torch.equal(kwargs["fixed"], torch.arange(5))
        assert kwargs["on"] is True
    kwargs["x"].zero_()
    assert example["x"].sum() == 15, "the network may write into what it is given"
    assert made.made(2, torch.bfloat16)[1]["x"].dtype == torch.bfloat16


@pytest.mark.parametrize(("name", "mode"), [("looked_up", "fake"), ("looked_up_for_real", "real")])
def test_sparse_gradients_are_followed(name: str, mode: str) -> None:
    found = trace(name)
    assert found["event"] == "traced", found.get("reason")
    assert found["mode"] == mode and "gradients of 16,000 weights are sparse" in found["loss"]
    assert work(found, "forward", "matrix") == 2 * 16


@pytest.mark.parametrize(
    ("name", "blocks", "told"),
    [
        ("flexible", 16, ""),
        ("flexible_causal", 10, ""),  # of four blocks down the first along, then two, three, four
        ("flexible_near", 7, ""),  # the last and the one before
        ("flexible_learned", 16, "within its kernel"),
        ("flexible_packed", 16, "counted as dense"),  # the documents' places hold no numbers
    ],
)
def test_flexible_attention_is_a_fused_one_over_the_blocks_left(name: str, blocks: int, told: str) -> None:
    causal, found = trace("attention"), trace(name)
    assert found["event"] == "traced", found.get("reason")
    for phase in ("forward", "backward"):
        dense = 2 * work(causal, phase, "attention")
        assert work(found, phase, "attention") == dense * blocks / 16
    assert "no part in it" not in found["loss"], "what score_mod learns has a gradient"
    assert len(found["notes"]) == bool(told) and told in " ".join(found["notes"])


def test_a_mask_of_a_long_sequence_is_asked_for_some_rows_of_blocks() -> None:
    from torch.nn.attention.flex_attention import BlockMask

    counts, places = torch.ones(1, 1, 1, dtype=torch.int32), torch.zeros(1, 1, 1, 1, dtype=torch.int32)

    def causal(b: Any, h: Any, i: Any, j: Any) -> Any:
        return i >= j

    mask = BlockMask.from_kv_blocks(counts, places, mask_mod=causal)
    assert flexible.share_left(mask, 128, 128) == 1.0, "counted blocks go before the mask"
    length = 1 << 16
    assert flexible._asked(causal, 0, (length, length), (128, 128)) == pytest.approx(
        0.5 + 64 / length, rel=0.002
    )


def test_sizes_of_zero_and_packed_sizes_of_the_command_line() -> None:
    for wrong in ("0x3x8x8", "8x0"):
        with pytest.raises(Failure, match="size of zero"):
            batches.of_flags([wrong])
    assert batches.of_flags(["16Bx12", "ids=Bx4"]).told() == ["16Bx12:float32", "ids=Bx4:int64"]
    assert batches.of_flags(["8x3"]).samples == 8 and batches.of_flags(["Bx3"]).samples is None
    with pytest.raises(Failure, match="no sample"):
        batches.of_example(torch.zeros(0, 3))
