"""Closed forms of the families against traces of the real modules: work and what is kept, within 2 %.

Small networks from config alone, random weights, nothing downloaded.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from few import shipped_knowledge

from advisor.estimate import evaluate
from advisor.estimate.inputs import Inputs, known_only, table_of
from advisor.estimate.table import Table
from advisor.model import read_hf_config
from advisor.model.traced import model_of_trace
from advisor.schema import Kind, Model

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers", reason="pip install 'hwadvisor[trace]'")
from advisor.trial.tracing import session  # noqa: E402 - torch first

pytestmark = pytest.mark.hf
BATCH = 8
TEXT, IMAGE = 128, 64
_LIKE_LLAMA = {
    "hidden_size": 128, "intermediate_size": 352, "num_hidden_layers": 2, "num_attention_heads": 8,
    "num_key_value_heads": 2, "vocab_size": 500, "max_position_embeddings": 256, "tie_word_embeddings": False,
}  # fmt: skip
_BERT = {
    "hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 4,
}  # fmt: skip
_WORDS = {"vocab_size": 500, "n_positions": 256}
_PLAIN = {
    "hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 500,
    "max_position_embeddings": 256,
}  # fmt: skip
_UNDROPPED = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
_SMALL_T5 = {
    "d_model": 128,
    "d_ff": 256,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "d_kv": 32,
}
_T5_REST = {"vocab_size": 500, "feed_forward_proj": "relu", "is_encoder_decoder": True, "dropout_rate": 0.0}

NETWORKS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", "llama", _LIKE_LLAMA),
    "qwen2": ("Qwen2ForCausalLM", "qwen2", _LIKE_LLAMA),
    "mixtral": (
        "MixtralForCausalLM", "mixtral", {**_LIKE_LLAMA, "num_local_experts": 4, "num_experts_per_tok": 2}
    ),
    "gpt2": ("GPT2LMHeadModel", "gpt2", {"n_embd": 128, "n_layer": 2, "n_head": 4, **_WORDS}),
    "bert": ("BertModel", "bert", {**_BERT, "vocab_size": 500, "max_position_embeddings": 256}),
    "vit": ("ViTForImageClassification", "vit", {**_BERT, **_UNDROPPED, "image_size": 64, "patch_size": 16}),
    "resnet": ("ResNetForImageClassification", "resnet", {}),
    "convnext": ("ConvNextForImageClassification", "convnext", {}),
    "t5": ("T5ForConditionalGeneration", "t5", {**_SMALL_T5, **_T5_REST}),
    "flan-t5": (
        "T5ForConditionalGeneration", "t5",
        {**_SMALL_T5, **_T5_REST, "feed_forward_proj": "gated-gelu", "dropout_rate": 0.1},
    ),
    "opt": ("OPTForCausalLM", "opt", {**_PLAIN, "ffn_dim": 512, "word_embed_proj_dim": 128}),
    "phi": ("PhiForCausalLM", "phi", {**_PLAIN, "intermediate_size": 512}),
    "gpt-neox": ("GPTNeoXForCausalLM", "gpt_neox", {**_PLAIN, "intermediate_size": 512}),
    "gemma": ("GemmaForCausalLM", "gemma", {**_LIKE_LLAMA, "head_dim": 16, "tie_word_embeddings": True}),
}  # fmt: skip
SEES = ("vit", "resnet", "convnext")
WHOLE = ("resnet", "convnext")  # their blocks are not all of what keeps feature maps


def _config(name: str, folder: Path) -> Path:
    architecture, kind, fields = NETWORKS[name]
    path = folder / "config.json"
    labels = {str(at): str(at) for at in range(10)}
    raw = {
        "architectures": [architecture],
        "model_type": kind,
        **({"id2label": labels} if name in SEES else {}),
    }
    path.write_text(json.dumps(raw | fields))
    return path


def _trace(path: Path, precision: str, method: str = "full") -> dict[str, Any]:
    told: list[dict[str, Any]] = []
    spec = {
        "kind": "config", "name": str(path), "folder": ".", "inputs": [], "precision": precision,
        "method": method, "lora_rank": 8, "optimizer": "none", "seq_len": TEXT, "image_size": IMAGE,
    }  # fmt: skip
    session.trace(spec, told.append)
    assert told[-1]["event"] == "traced", told[-1]
    assert told[-1]["mode"] == "fake", told[-1]["notes"]
    return told[-1]


def _rules(model: Model, precision: str, sees: bool, **more: float | str) -> Table:
    book = shipped_knowledge().book
    row = Inputs()
    row.put("family", model.family, Kind.stated, "")
    for name, value in model.numbers.items():
        row.put(name, value, Kind.stated, "")
    how: dict[str, float | str] = {
        "method": "full", "precision": precision, "optimizer": "adamw", "micro_batch": float(BATCH),
        "global_batch": float(BATCH), "recompute": "none", "devices": 1.0, "sharding": "none",
        "flash_attention": 1.0, "compiled": 0.0, "stack": "transformers", "vendor": "nvidia", "era": 2026.5,
        "hw_peak_bf16": 3e14, "hw_peak_fp32": 2e13, "samples": float(BATCH),
    }  # fmt: skip
    size = {"image_size": float(IMAGE)} if sees else {"seq_len": float(TEXT), "decoder_seq_len": float(TEXT)}
    for name, told in (how | size | more).items():
        row.put(name, told, Kind.stated, "")
    wanted = [
        "params",
        "layers_forward_flops",
        "head_forward_flops",
        "attention_forward_flops",
        "activation_bytes",
        *(["lora_params", "adapter_work"] if more else []),
    ]
    return evaluate(book, table_of(book, [known_only(book, row)]), wanted)


def _forward(table: Table) -> float:
    parts = ("layers_forward_flops", "head_forward_flops", "attention_forward_flops")
    return sum(table.value(part, 0) or 0.0 for part in parts)


@pytest.mark.parametrize("precision", ["bf16", "fp32", "bf16_mixed"])
@pytest.mark.parametrize("name", NETWORKS)
def test_closed_forms_hold(name: str, precision: str, tmp_path: Path) -> None:
    path = _config(name, tmp_path)
    found = _trace(path, precision)
    closed = _rules(read_hf_config(path), precision, name in SEES)
    traced = _rules(model_of_trace(name, found), precision, name in SEES)
    assert closed.value("params", 0) == traced.value("params", 0)
    memory = found["memory"]
    fixed, more = memory["kept"] if name in WHOLE else memory["kept_inside"]
    assert _forward(closed) == pytest.approx(_forward(traced), rel=0.02)
    assert closed.value("activation_bytes", 0) == pytest.approx(fixed + BATCH * more, rel=0.02)


@pytest.mark.parametrize("precision", ["bf16", "fp32", "bf16_mixed"])
@pytest.mark.parametrize(
    ("name", "where"), [("llama", {"adapted_attention": 0.0}), ("mixtral", {})], ids=["llama", "mixtral"]
)
def test_closed_forms_hold_beside_adapters(
    name: str, where: dict[str, float], precision: str, tmp_path: Path
) -> None:
    """Eight blocks: the first needs no gradient of its input, which the closed form does not know."""
    pytest.importorskip("peft")
    path = _config(name, tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_hidden_layers": 8}))
    found = _trace(path, precision, "lora")
    how: dict[str, float | str] = {"method": "lora", "lora_rank": 8.0, "adapter_dropout": 0.0, **where}
    closed = _rules(read_hf_config(path), precision, False, **how)
    traced = _rules(model_of_trace(name, found), precision, False, **how)
    assert closed.value("lora_params", 0) == found["trainable"]
    fixed, more = found["memory"]["kept_inside"]
    forward = _forward(closed) + 2 * (closed.value("adapter_work", 0) or 0.0)
    assert forward == pytest.approx(_forward(traced), rel=0.02)
    assert closed.value("activation_bytes", 0) == pytest.approx(fixed + BATCH * more, rel=0.02)


def test_adapters_by_peft() -> None:
    pytest.importorskip("peft")
    told: list[dict[str, Any]] = []
    here = Path(__file__).parent
    spec = {
        "kind": "factory", "name": "factories.py:words", "folder": str(here), "inputs": [],
        "precision": "bf16", "method": "lora", "lora_rank": 8, "optimizer": "none",
        "seq_len": TEXT, "image_size": 0,
    }  # fmt: skip
    session.trace(spec, told.append)
    assert told[-1]["mode"] == "fake" and "peft" in told[-1]["notes"][0]
    assert told[-1]["trainable"] == 4 * 2 * 8 * 5 * 64


def test_a_denoiser_of_diffusers(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    path = tmp_path / "config.json"
    channels = [32, 64]
    kinds = {
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    }
    raw = {
        "_class_name": "UNet2DConditionModel", "sample_size": 16, "in_channels": 4, "out_channels": 4,
        "layers_per_block": 1, "cross_attention_dim": 32, "attention_head_dim": 8, "norm_num_groups": 8,
        "block_out_channels": channels, **kinds,
    }  # fmt: skip
    path.write_text(json.dumps(raw))
    found = _trace(path, "bf16")
    kinds_seen = {row["kind"] for row in found["operators"] if row["flops"][1] > 0}
    assert {"convolution", "matrix", "attention"} <= kinds_seen
    assert model_of_trace("unet", found).numbers["native_image_size"] > 0


_FLUX = {
    "_class_name": "FluxTransformer2DModel", "in_channels": 16, "num_layers": 2, "num_single_layers": 2,
    "num_attention_heads": 2, "attention_head_dim": 32, "joint_attention_dim": 48,
    "pooled_projection_dim": 24, "axes_dims_rope": [8, 12, 12], "guidance_embeds": True,
}  # fmt: skip
_SD3 = {
    "_class_name": "SD3Transformer2DModel", "in_channels": 4, "num_layers": 2, "num_attention_heads": 2,
    "attention_head_dim": 32, "joint_attention_dim": 48, "caption_projection_dim": 64,
    "pooled_projection_dim": 24, "sample_size": 8, "patch_size": 2, "pos_embed_max_size": 16,
}  # fmt: skip


@pytest.mark.parametrize(("raw", "tokens"), [(_FLUX, 16 + 512), (_SD3, 16 + 154)], ids=["flux", "sd3"])
def test_denoisers_of_joint_attention(raw: dict[str, Any], tokens: int, tmp_path: Path) -> None:
    """Every block attends over patches and text together: 4 FLOPs a pair and number of a head's width."""
    pytest.importorskip("diffusers")
    path = tmp_path / "config.json"
    path.write_text(json.dumps(raw))
    found = _trace(path, "bf16")
    attention = [
        row for row in found["operators"] if row["kind"] == "attention" and row["phase"] == "forward"
    ]
    blocks = raw["num_layers"] + raw.get("num_single_layers", 0)
    assert sum(row["count"] for row in attention) == blocks
    assert sum(row["flops"][1] for row in attention) == 4 * tokens**2 * 64 * blocks


def test_speech_is_traced_with_its_spectrogram(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    raw = {
        "architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper", "d_model": 64,
        "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
        "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "num_mel_bins": 16, "max_source_positions": 50,
        "max_target_positions": 40, "vocab_size": 300, "pad_token_id": 0, "bos_token_id": 1,
        "eos_token_id": 2, "decoder_start_token_id": 1,
    }  # fmt: skip
    path.write_text(json.dumps(raw))
    found = _trace(path, "bf16")
    assert found["inputs"] == ["input_features=Bx16x100:float32", "labels=Bx40:int64"]
    assert "the loss in its output" in found["loss"]


def test_a_picture_in_each_sequence_goes_through_both_towers(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    text = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 300}  # fmt: skip
    vision = {"model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 64,
              "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": IMAGE, "patch_size": IMAGE // 4,
              "projection_dim": 64}  # fmt: skip
    raw = {"architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "text_config": text,
           "vision_config": vision, "image_token_index": 299, "image_seq_length": 16}  # fmt: skip
    path.write_text(json.dumps(raw))
    found = _trace(path, "bf16")
    assert f"pixel_values=Bx3x{IMAGE}x{IMAGE}:float32" in found["inputs"]
    assert f"16 of its {TEXT} tokens" in found["notes"][0]
    patches = [r for r in found["operators"] if r["kind"] == "convolution" and r["phase"] == "forward"]
    assert sum(r["flops"][1] for r in patches) == 2 * 16 * 32 * 3 * (IMAGE // 4) ** 2


def test_a_scan_written_out_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    raw = {
        "architectures": ["Mamba2ForCausalLM"], "model_type": "mamba2", "hidden_size": 64, "state_size": 16,
        "num_hidden_layers": 1, "num_heads": 4, "head_dim": 32, "expand": 2, "n_groups": 1, "chunk_size": 32,
        "vocab_size": 300,
    }  # fmt: skip
    path.write_text(json.dumps(raw))
    assert any("scan over the sequence" in note for note in _trace(path, "bf16")["notes"])
