"""What stands between steps by the rules against the network's own bytes: formats, buffers, copies."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from advisor.app import load_knowledge
from advisor.estimate import evaluate
from advisor.estimate.inputs import Inputs, known_only, table_of
from advisor.model.traced import model_of_trace
from advisor.schema import Kind, Model

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from advisor.trial.tracing import diffusion, hub, limits, session  # noqa: E402 - torch first
from advisor.trial.tracing.failure import Failure  # noqa: E402

FIGURES = ("weights_bytes", "gradients_bytes", "optimizer_bytes", "copies_bytes", "flops_per_sample")
LAYERS = 64 * 256 + 256 + 256 * 10 + 10  # weights of in_16_bit
TABLE, LAYER = 256 * 1024, 64 * 256 + 256  # numbers of Held


def _told(name: str, precision: str = "fp32", method: str = "full") -> dict[str, Any]:
    told: list[dict[str, Any]] = []
    spec = {
        "kind": "factory", "name": f"held.py:{name}", "folder": str(Path(__file__).parent), "inputs": [],
        "precision": precision, "method": method, "lora_rank": 8, "optimizer": "adamw", "seq_len": 1,
        "image_size": 0,
    }  # fmt: skip
    session.trace(spec, told.append)
    return told[-1]


def _traced(name: str, precision: str, method: str = "full") -> tuple[dict[str, Any], Model]:
    found = _told(name, precision, method)
    assert found["event"] == "traced", found
    return found, model_of_trace(name, found)


def _ruled(model: Model, precision: str, **more: float | str) -> list[float | None]:
    row = Inputs()
    how: dict[str, float | str] = {
        "family": model.family, "method": "full", "precision": precision, "optimizer": "adamw",
        "recompute": "none", "micro_batch": 2.0, "global_batch": 2.0, "devices": 1.0, "sharding": "none",
        "stack": "torch", "vendor": "nvidia", "hw_peak_bf16": 1e15, "hw_peak_fp32": 1e14,
    } | more  # fmt: skip
    for column, value in (model.numbers | how).items():
        row.put(column, value, Kind.stated, "")
    book = load_knowledge(()).book
    table = evaluate(book, table_of(book, [known_only(book, row)]), list(FIGURES))
    return [table.value(name, 0) for name in FIGURES]


def test_weights_made_in_16_bit_count_two_bytes_each_and_are_told() -> None:
    found, model = _traced("in_16_bit", "bf16_mixed")
    assert any(f"weights in bfloat16 ({LAYERS:,})" in note for note in found["notes"])
    assert _ruled(model, "bf16_mixed")[:4] == [2 * LAYERS, 2 * LAYERS, 4 * LAYERS, 0]


def test_buffers_and_their_copies_are_held() -> None:
    _, model = _traced("held", "bf16_mixed")
    assert _ruled(model, "bf16_mixed")[:4] == [
        4 * (LAYER + TABLE), 4 * LAYER, 8 * LAYER, 2 * (LAYER + TABLE)
    ]  # fmt: skip
    # cut over eight devices the buffer stays whole on each
    whole = _ruled(model, "bf16_mixed", devices=8.0, sharding="fsdp")[0]
    assert whole == pytest.approx(4 * (LAYER / 8 + TABLE))


def test_complex_weights_count_eight_bytes_and_four_products() -> None:
    found, model = _traced("spectral", "fp32")
    assert _ruled(model, "fp32")[:3] == [8 * 512, 8 * 512, 16 * 512]
    rows = [r for r in found["operators"] if r["phase"] == "forward" and r["kind"] == "matrix"]
    assert sum(row["flops"][1] for row in rows) == 4 * 2 * 512


@pytest.mark.parametrize(
    ("name", "trained", "told"),
    [
        ("placed", 8 * (32 + 32) + 8 * (32 + 16), "on 2 linear layers"),
        ("taught", 8 * (32 + 32) + 8 * (32 + 16), "1 linear layers that it freezes itself have no adapters"),
        ("all_frozen", 8 * (32 + 16), "on 1 linear layers"),
        ("beside", 2 * 4 * 32, "adapters of its own: none were put"),
    ],
)
def test_adapters_beside_networks_with_something_frozen(name: str, trained: int, told: str) -> None:
    found, model = _traced(name, "bf16_mixed", "lora")
    assert found["trainable"] == trained
    assert any(told in note for note in found["notes"])
    assert _ruled(model, "bf16_mixed", method="lora")[1] == 4 * trained  # gradients in fp32
    assert _ruled(model, "bf16_mixed", method="lora")[4]  # of pictures as of words: what was traced


def test_a_network_too_large_to_run_tells_its_own_error_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_LARGEST_REAL", 1000)
    monkeypatch.setattr(torch.nn.init, "kaiming_uniform_", _not_for_real)
    found = _told("unfed")
    assert found["reason"].startswith("its training step raised TypeError: argument of type 'NoneType'")
    assert "(held.py, line" in found["reason"] and "much for a small real run" in found["reason"]
    assert found["hint"].startswith("Its forward takes given, sizes, guidance: ")


def _not_for_real(tensor: Any, *_: object, **__: object) -> Any:
    assert type(tensor.data) is not torch.Tensor, "2 KB of weights were made in vain"
    return tensor


def test_a_batch_that_nobody_tells_has_names() -> None:
    assert "its forward takes given, sizes, guidance" in _told("unfed_alone")["reason"]


def test_what_is_made_once_and_kept_makes_no_difference() -> None:
    assert _told("tables")["alike"] is True


def test_products_have_a_shape_where_operators_differ_with_the_batch() -> None:
    found, model = _traced("deeper", "fp32")
    assert found["alike"] is False
    assert [model.numbers[f"traced_matrix_{way}"] for way in ("rows", "columns", "depth")] == [1, 32, 32]


@pytest.mark.parametrize(
    ("name", "config", "told"),
    [
        (
            "UNet2DConditionModel",
            {
                "in_channels": 4, "sample_size": 128, "cross_attention_dim": 2048,
                "addition_embed_type": "text_time", "projection_class_embeddings_input_dim": 2816,
                "addition_time_embed_dim": 256,
            },
            {"text_embeds=Bx1280:float32", "time_ids=Bx6:float32", "Bx77x2048:float32"},
        ),
        (
            "QwenImageTransformer2DModel",
            {"in_channels": 64, "joint_attention_dim": 3584, "guidance_embeds": False},
            {"hidden_states=Bx4096x64:float32", "encoder_hidden_states=Bx512x3584:float32"},
        ),
        (
            "PixArtTransformer2DModel",
            {
                "in_channels": 4, "sample_size": 128, "caption_channels": 4096,
                "use_additional_conditions": None,
            },
            {"resolution=Bx2:float32", "aspect_ratio=Bx1:float32", "Bx4x128x128:float32"},
        ),
    ],
)  # fmt: skip
def test_denoisers_have_what_is_told_beside_the_text(
    name: str, config: dict[str, Any], told: set[str]
) -> None:
    batch = diffusion._batch(SimpleNamespace(**config), name, 0)
    assert batch is not None and told <= set(batch.told())


def test_films_come_as_frames_and_a_step_that_fails_tells_what_forward_takes() -> None:
    module = nn.Module()
    module.forward = lambda pixel_values, labels=None: None
    module.main_input_name = "pixel_values"
    config = SimpleNamespace(model_type="videomae", image_size=224, num_channels=3, num_frames=16)
    batch, _ = hub._batch(module, config, 128, 0)
    assert batch.told()[0] == "pixel_values=Bx16x3x224x224:float32"
    failed = Failure("raised", "its training step raised ValueError", "Run it by itself first.")
    hint = limits.hint_of({"kind": "config"}, module, failed)
    assert hint.startswith("Its forward takes pixel_values, labels: ")
    assert limits.hint_of({"kind": "factory"}, module, failed) == failed.hint
