"""Traces of small networks against work, traffic and memory counted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from advisor.trial.tracing import lines, session  # noqa: E402 - torch first
from advisor.trial.tracing.failure import Failure  # noqa: E402

HERE = Path(__file__).parent
WIDTH, TOKENS, WORDS, LAYERS = 64, 32, 100, 4  # of factories.py


def spec_of(name: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "factory", "name": f"factories.py:{name}", "folder": str(HERE), "inputs": [],
        "precision": "fp32", "method": "full", "lora_rank": 8, "optimizer": "adamw",
        "seq_len": 128, "image_size": 0, **more,
    }  # fmt: skip


def trace(name: str, **more: Any) -> dict[str, Any]:
    """The document, or the failure, as the child tells it."""
    told: list[dict[str, Any]] = []
    session.trace(spec_of(name, **more), told.append)
    return told[-1]


def work(document: dict[str, Any], phase: str, kind: str, figure: str = "flops") -> float:
    """Of one more sample."""
    rows = [r for r in document["operators"] if r["phase"] == phase and r["kind"] == kind]
    return float(sum(row[figure][1] for row in rows))


def test_work_of_linear_layers_and_what_they_save() -> None:
    found = trace("mlp")
    forward = 2 * (64 * 256 + 256 * 10)
    assert work(found, "forward", "matrix") == forward
    assert (
        work(found, "backward", "matrix") == 2 * forward - 2 * 64 * 256
    )  # nobody wants the input's gradient
    # input, input and output of the activation
    assert found["memory"]["kept"] == [0.0, 4 * (64 + 256 + 256)]
    assert found["parameters"] == found["trainable"] == 64 * 256 + 256 + 256 * 10 + 10
    assert found["mode"] == "fake" and not found["notes"]


def test_frozen_layers_keep_no_input_and_have_no_gradient() -> None:
    found = trace("frozen")
    assert found["trainable"] == 2570 and found["gradient_bytes"] == 4 * 2570
    assert work(found, "backward", "matrix") == 2 * 256 * 10
    assert found["memory"]["kept"] == [0.0, 4 * 256]


def test_work_of_convolutions_by_their_groups() -> None:
    found = trace("convolutions", inputs=["8x3x16x16"])
    pixels = 16 * 16
    plain, depthwise, grouped = 2 * 27 * 32 * pixels, 2 * 9 * 32 * pixels, 2 * 8 * 32 * pixels
    transposed = 2 * 32 * pixels * 8 * 4
    assert work(found, "forward", "convolution") == plain + transposed
    assert work(found, "forward", "depthwise") == depthwise
    assert work(found, "forward", "grouped") == grouped
    assert work(found, "backward", "convolution") == plain + 2 * transposed
    assert work(found, "backward", "depthwise") == 2 * depthwise
    assert work(found, "backward", "grouped") == 2 * grouped


def test_fused_attention_keeps_no_scores_and_a_causal_one_does_half() -> None:
    found = trace("attention")
    assert work(found, "forward", "attention") == 2 * 4 * TOKENS**2 / 2 * (16 + 16)
    assert work(found, "backward", "attention") == 2.5 * work(found, "forward", "attention")
    # input, queries with keys and values (one tensor), output, a logarithm for each head
    assert found["memory"]["kept"] == [0.0, 4 * TOKENS * (64 + 192 + 64 + 4)]


def test_dropout_keeps_a_mask_of_one_byte() -> None:
    assert trace("dropout")["memory"]["kept"] == [0.0, 4 * 64 + 64]


def test_recurrent_layers() -> None:
    found = trace("recurrent")
    assert work(found, "forward", "recurrent") == 2 * 20 * 4 * 128 * (64 + 128 + 128 + 128)


@pytest.mark.parametrize("name", ["mlp", "words", "attention", "convolutions"])
def test_two_batches_tell_a_third(name: str) -> None:
    spec = spec_of(name, inputs=["8x3x16x16"] if name == "convolutions" else [])
    with session._fake():
        built = session._prepared(session._maker(spec)(), spec)
        (first, second), _ = session._both(built, spec, (2, 4))
        (third, _), _ = session._both(built, spec, (7, 7))
    assert lines.line(first.kept, second.kept, (2, 4))[0] + 7 * lines.line(first.kept, second.kept, (2, 4))[
        1
    ] == pytest.approx(third.kept)
    rows = lines.table(first.events, second.events, (2, 4))
    for figure in ("flops", "bytes"):
        said = sum(row[figure][0] + 7 * row[figure][1] for row in rows)
        assert said == pytest.approx(sum(getattr(event, figure) for event in third.events), rel=1e-9)
    for phase, pieces in lines.phases(first.events, second.events, (2, 4)).items():
        stood = max(e.other + e.gradients for e in third.events if e.phase == phase)
        assert max(fixed + 7 * more for fixed, more in pieces) == pytest.approx(stood, rel=1e-6), phase


def test_recomputed_blocks_are_run_twice_and_keep_their_inputs() -> None:
    plain, again = trace("words"), trace("words_again")
    once = 2 * TOKENS * LAYERS * WIDTH * 4 * WIDTH
    # torch stops where nothing saved is missing any more: before the last product of a block
    assert work(again, "backward", "matrix") - work(plain, "backward", "matrix") == once
    memory = plain["memory"]
    predicted = memory["kept"][1] - memory["kept_inside"][1] + memory["block_inputs"][1]
    assert predicted == pytest.approx(again["memory"]["kept"][1], rel=0.02)
    assert memory["kept"][1] > 3 * predicted


def test_what_comes_into_blocks_counts_once_each_wherever_it_lies() -> None:
    plain, mixed = trace("words"), trace("words", precision="bf16_mixed")
    each = TOKENS * WIDTH * 4  # a sum that stays in fp32; storages are freed and their places taken again
    assert mixed["memory"]["block_inputs"] == [0.0, LAYERS * each]
    assert plain["memory"]["block_inputs"][0] == 0.0


def test_an_update_that_is_not_run_again_is_the_same() -> None:
    spec = spec_of("words")
    with session._fake():
        built = session._prepared(session._maker(spec)(), spec)
        (run, taken), _ = session._both(built, spec, (3, 3))
    figures = ("name", "other", "gradients", "saved_live", "made", "bytes")
    updates = [
        [tuple(getattr(e, figure) for figure in figures) for e in one.events if e.phase == "optimizer"]
        for one in (run, taken)
    ]
    assert updates[0] == updates[1] != []
    assert run.views == taken.views


def test_shared_weights_stay_shared_and_are_converted() -> None:
    found = trace("words_16_bit")
    each = 2 * WIDTH * 4 * WIDTH + 5 * WIDTH
    assert found["parameters"] == WORDS * WIDTH + LAYERS * each
    assert found["weight_bytes"] == 2 * found["parameters"]


def test_autocast_casts_weights_apart_from_what_is_kept() -> None:
    plain, mixed = trace("mlp"), trace("mlp", precision="bf16_mixed")
    assert plain["memory"]["casts"] == [0.0, 0.0]
    assert mixed["memory"]["casts"][0] == 2 * mixed["parameters"]
    assert mixed["weight_bytes"] == plain["weight_bytes"]
    assert mixed["memory"]["kept"][1] == 2 * (64 + 256 + 256)


def test_adapters_train_alone() -> None:
    found = trace("words", method="lora")
    assert found["adapted"] and found["trainable"] == LAYERS * 2 * 8 * 5 * WIDTH
    assert "dapters of rank 8 on 8 linear layers" in found["notes"][0]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mlp", "the sum of its outputs"),
        ("own_loss", "the factory's loss"),
        ("loss_by_name", "the loss in its output"),
    ],
)
def test_what_is_differentiated_is_told(name: str, told: str) -> None:
    assert told in trace(name)["loss"]


def test_a_network_that_looks_at_its_data_is_run_for_real() -> None:
    found = trace("decides")
    assert found["mode"] == "real"
    assert "data (factories.py, line" in found["notes"][0] and "small real run" in found["notes"][0]
    assert work(found, "forward", "matrix") == 2 * 16 * 16


def test_a_factory_that_looks_at_its_weights_is_traced_all_the_same() -> None:
    found = trace("looks")
    assert found["mode"] == "fake" and "looks at its weights" in found["notes"][0]


@pytest.mark.parametrize(
    ("name", "status", "word"),
    [
        ("raises", "raised", "ValueError: no weights here (factories.py, line"),
        ("ends", "raised", "ended the program"),
        ("lacks", "missing", "no_such_package_anywhere"),
        ("on_cuda", "cuda", "wants an accelerator"),
        ("inside_cuda", "cuda", "its training step wants an accelerator"),
        ("no_module", "not_module", "something of type dict"),
        ("no_batch", "input", "batch is not known"),
        ("nothing_trained", "no_gradient", "no weight of the network has requires_grad"),
        ("mute", "no_gradient", "it returns None"),
        ("asks", "raised", "missing 1 required positional argument"),
        ("nowhere", "no_factory", "has no 'nowhere'"),
        ("two_networks", "several", "returned 2 networks"),
        ("two_optimizers", "several", "returned 2 optimizers"),
        ("stepping", "several", "automatic_optimization is off"),
        ("lazy", "lazy", "the shape of 0.weight is known only after"),
        ("a_class", "not_module", "the class Mute itself"),
        ("loss_of_a_float", "no_gradient", "loss returned something of type float"),
        ("loss_of_many", "no_gradient", "a tensor of shape 4, no single number"),
        ("loss_without_targets", "not_module", "MSELoss, which needs targets"),
        ("other_width", "raised", "its training step raised RuntimeError"),
    ],
)
def test_failures_say_what_was_tried_and_what_to_change(name: str, status: str, word: str) -> None:
    found = trace(name)
    assert (found["event"], found["status"]) == ("failure", status)
    assert word in found["reason"] and found["hint"]


def test_parts_in_evaluation_mode_stay_in_it_where_the_rest_trains() -> None:
    frozen, evaluating = trace("frozen_norms"), trace("evaluating")
    assert frozen["notes"] == ["1 layers are in evaluation mode and stay in it: BatchNorm2d."]
    assert not evaluating["notes"], "a network that is wholly in evaluation mode is set to train"
    trained = trace("convolutions", inputs=["2x3x16x16"])
    kept = [found["memory"]["kept"][0] for found in (frozen, evaluating, trained)]
    assert kept == [0, 2 * 32 * 4, 2 * 32 * 4], (
        "statistics of the batch are kept where it is normalised by them"
    )
    assert frozen["trainable"] == trained["trainable"] - 2 * 32


def test_weights_without_a_part_and_nested_inputs_are_told() -> None:
    found = trace("parts")
    assert found["inputs"] == ["x=Bx4:float32", "b=Bx4:float32"]
    assert found["loss"].endswith("40 trained weights (67%) have no part in it and get no gradient")
    assert "no part" not in trace("mlp")["loss"]


def test_shapes_of_the_command_line() -> None:
    from advisor.trial.tracing.batch import of_flags

    batch = of_flags(["8x3x32x32", "ids=8x16", "mask=8x16:bool"])
    assert batch.told() == ["Bx3x32x32:float32", "ids=Bx16:int64", "mask=Bx16:bool"]
    assert of_flags(["25xB:int64", "25xBx8"]).told() == ["25xB:int64", "25xBx8:float32"]
    for wrong in ("3xx4", "2x3:complex", "x"):
        with pytest.raises(Failure, match="--input"):
            of_flags([wrong])


def test_the_highest_of_lines_is_kept_and_no_more() -> None:
    steep, flat, never = [0.0, 10.0], [100.0, 1.0], [50.0, 1.0]
    assert lines.hull([never, flat, steep]) == [flat, steep]
    falling = [10.0, -2.0]  # of a network that looks at its data
    assert lines.hull([falling, [8.0, -2.0], falling]) == [falling]
    assert lines.hull([[5.0, 0.0]]) == [[5.0, 0.0]]
    many = [[-float(n * n), 2.0 * n] for n in range(30)]  # tangents of a parabola
    pieces = lines.hull(many)
    assert len(pieces) == 4 and pieces[-1] == many[-1]
