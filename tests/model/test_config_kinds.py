"""What names the network of a config.json: architectures, model_type alone, diffusers' class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from few import shipped_knowledge

from advisor.app_knowledge import network_of
from advisor.app_options import WorkloadFlags
from advisor.errors import AdvisorError, UserError
from advisor.schema import Model

LLAMA = {
    "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 32, "vocab_size": 32000,
}  # fmt: skip
VIT = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
    "image_size": 224, "patch_size": 16,
}  # fmt: skip
SDXL = {"block_out_channels": [320, 640, 1280], "cross_attention_dim": 2048, "sample_size": 128}


def network(folder: Path, raw: dict[str, Any]) -> Model:
    path = folder / "config.json"
    path.write_text(json.dumps(raw))
    knowledge = shipped_knowledge()
    found = network_of(WorkloadFlags(model=str(path)), knowledge.catalogue)
    assert isinstance(found, Model)
    return found


@pytest.mark.parametrize(
    ("raw", "family"),
    [
        ({"model_type": "llama", "architectures": [], **LLAMA}, "decoder"),
        ({"model_type": "vit", **VIT}, "vit"),
        ({"_class_name": "UNet2DConditionModel", **SDXL}, "diffusion"),
    ],
)
def test_what_names_the_network_is_read(tmp_path: Path, raw: dict[str, Any], family: str) -> None:
    assert network(tmp_path, raw).family == family


def test_a_class_of_diffusers_is_the_preset_of_that_shape(tmp_path: Path) -> None:
    found = network(tmp_path, {"_class_name": "UNet2DConditionModel", **SDXL})
    assert found.id == "sdxl"
    assert "config.json" in found.source


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"model_type": "qwen3_moe", "architectures": ["LlamaForCausalLM"], **LLAMA}, "Qwen3MoeForCausalLM"),
        ({"model_type": "mamba"}, "model_type: 'mamba' is not covered"),
        ({"_class_name": "UNet2DConditionModel", "block_out_channels": [8]}, "another shape than sd-1.5"),
        ({"_class_name": "AutoencoderKL"}, "'AutoencoderKL' is not covered"),
    ],
)
def test_what_contradicts_itself_or_is_not_covered_is_refused(
    tmp_path: Path, raw: dict[str, Any], told: str
) -> None:
    with pytest.raises((UserError, AdvisorError), match=told):
        network(tmp_path, raw)
