"""What a config.json says of how a block is written, as far as its memory hangs on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advisor.model.config import Numbers

_ACTIVATIONS = ("activation_function", "hidden_act", "hidden_activation", "dense_act_fn", "feed_forward_proj")
_DROPOUTS = (
    "resid_pdrop", "hidden_dropout_prob", "hidden_dropout", "residual_dropout", "resid_dropout",
    "dropout_rate", "dropout",
)  # fmt: skip
_SPELT = ("gelu_new", "gated-gelu")  # "gated-gelu" of T5 means gated gelu_new
_USUAL: Mapping[str, tuple[str, float | None]] = {
    "GPT2LMHeadModel": ("gelu_new", 1.0),
    "GPTJForCausalLM": ("gelu_new", 0.0),
    "PhiForCausalLM": ("gelu_new", 0.0),
    "OPTForCausalLM": ("relu", 1.0),
    "T5ForConditionalGeneration": ("relu", 1.0),
    "T5WithLMHeadModel": ("relu", 1.0),
    "MT5ForConditionalGeneration": ("gated-gelu", 1.0),
    "GPTNeoXForCausalLM": ("gelu", 0.0),
    "FalconForCausalLM": ("gelu", 0.0),
    "BloomForCausalLM": ("gelu", 0.0),
    "Starcoder2ForCausalLM": ("gelu_pytorch_tanh", 0.0),
    "ViTForImageClassification": ("gelu", 0.0),
}
"""Architecture -> activation function and dropout where the file does not say: defaults of the configuration
classes of transformers 5.23."""

_SEPARATE = ("OPTForCausalLM", "PhiForCausalLM", "GPTJForCausalLM", "Starcoder2ForCausalLM")
_JOINED = ("GPTNeoXForCausalLM", "Phi3ForCausalLM")
_PARTLY_ROTATED = (
    "GPTNeoXForCausalLM",
    "PhiForCausalLM",
    "NemotronForCausalLM",
    "GlmForCausalLM",
    "Glm4ForCausalLM",
)
_WIDE = (
    "GemmaForCausalLM", "Gemma2ForCausalLM", "Gemma3ForCausalLM", "T5ForConditionalGeneration",
    "T5WithLMHeadModel", "MT5ForConditionalGeneration",
)  # fmt: skip


def details(architecture: str, raw: Mapping[str, Any], numbers: Numbers) -> Numbers:
    """Columns beside the reader's numbers; what the file does not say and nobody knows stays out."""
    found: Numbers = {}
    activation, dropout = _USUAL.get(architecture, ("", None))
    said = next((raw[key] for key in _ACTIVATIONS if isinstance(raw.get(key), str)), activation)
    if numbers.get("ffn_matrices", 0.0) < 3 and said == "relu":
        found["relu"] = 1.0
    if said in _SPELT:
        found["gelu_spelt"] = 1.0
    shares = [raw[key] for key in _DROPOUTS if isinstance(raw.get(key), (int, float))]
    if "layers" in numbers and shares:
        dropout = float(max(shares) > 0)
    if dropout is not None:
        found["dropout"] = dropout
    if architecture in _SEPARATE:
        found["separate_qkv"] = 1.0
    if architecture in _WIDE:
        found["wide_norms"] = 1.0
    if architecture in _JOINED:
        found["joint_qkv"] = 1.0
    if architecture in _PARTLY_ROTATED:
        found["partial_rotary"] = 1.0
    if architecture == "GPTNeoXForCausalLM" and raw.get("use_parallel_residual", True):
        found["parallel_halves"] = 1.0
    if (
        architecture == "FalconForCausalLM"
        and numbers.get("block_norms", 0.0) > 1
        and raw.get("parallel_attn", True)
    ):
        found["parallel_halves"] = 1.0
    return found
