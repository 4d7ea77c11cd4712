"""Adapters by the rules against those that peft and diffusers put beside real modules.

Small networks counted with peft 0.21.2 and transformers 5.23 on the meta device; U-Nets and FLUX by
tools/count_adapters.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from few import shipped_knowledge

from advisor.app import Knowledge
from advisor.errors import UserError
from advisor.estimate import Table, evaluate, said_plainly
from advisor.schema import Estimate
from advisor.search import workload_from_flags
from advisor.search.grid import Stated
from advisor.search.hardware import find_hardware
from advisor.search.one import estimate_one, place_of

A100 = "nvidia-a100-sxm4-80gb"
GIB = 2.0**30
MIXTRAL: dict[str, Any] = {
    "family": "moe", "layers": 2, "hidden": 64, "heads": 4, "kv_heads": 2, "head_dim": 16, "ffn_matrices": 3,
    "experts": 3, "experts_per_token": 2, "expert_hidden": 96, "shared_hidden": 0, "dense_layers": 0,
    "ffn_hidden": 0,
}  # fmt: skip
DEEPSEEK: dict[str, Any] = {
    **MIXTRAL, "layers": 3, "kv_heads": 4, "head_dim": 24, "rope_dim": 8, "value_dim": 16, "kv_rank": 16,
    "q_rank": 24, "experts": 8, "expert_hidden": 32, "shared_hidden": 32, "dense_layers": 1, "ffn_hidden": 96,
}  # fmt: skip
T5: dict[str, Any] = {
    "family": "encoder_decoder", "layers": 2, "decoder_layers": 3, "hidden": 64, "heads": 6, "kv_heads": 6,
    "head_dim": 16, "ffn_matrices": 3, "ffn_hidden": 128,
}  # fmt: skip
BART: dict[str, Any] = {**T5, "heads": 4, "kv_heads": 4, "ffn_matrices": 2}


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return shipped_knowledge()


def estimated(knowledge: Knowledge, model: str, method: str, **details: str) -> Estimate:
    workload = workload_from_flags(knowledge.catalogue, model, tokens=1e6, method=method, details=details)
    found = find_hardware(knowledge.catalogue, f"1 x {A100}")
    place = place_of(found.entry, found.packages, found.nodes)
    return estimate_one(
        knowledge.book, workload, place, Stated(offload="none"), knowledge.published, traced=False
    ).estimate


@pytest.mark.parametrize(
    ("network", "targets", "counted"),
    [
        (MIXTRAL, None, 3_584),  # q_proj, k_proj, v_proj, o_proj
        (MIXTRAL, 0, 20_248),  # all-linear
        (DEEPSEEK, None, 4 * 3 * 568),  # the attention of all-linear
        (T5, None, 10_240),  # peft's default, q and v
        (T5, 0, 32_000),
        (BART, None, 8_192),
        (BART, 0, 24_064),
    ],
)
def test_adapters_are_as_many_as_peft_makes(
    knowledge: Knowledge, network: dict[str, Any], targets: float | None, counted: int
) -> None:
    row = {**network, "method": "lora", "lora_rank": 4.0, "adapted_attention": targets}
    table = Table.from_rows(knowledge.book, [row])
    assert evaluate(knowledge.book, table, ["lora_params"]).value("lora_params", 0) == counted


@pytest.mark.parametrize(
    ("model", "adapters"), [("sd-1.5", 797_184), ("sdxl", 5_806_080), ("flux.1-dev", 11_206_656)]
)
def test_adapters_are_as_many_as_the_scripts_of_diffusers_make(
    knowledge: Knowledge, model: str, adapters: int
) -> None:
    row = {
        "family": "diffusion",
        **knowledge.catalogue.models[model].numbers,
        "method": "lora",
        "lora_rank": 4.0,
    }
    table = Table.from_rows(knowledge.book, [row])
    assert evaluate(knowledge.book, table, ["lora_params"]).value("lora_params", 0) == adapters


@pytest.mark.parametrize(
    ("model", "method"),
    [
        ("mixtral-8x7b", "qlora"), ("deepseek-v3", "lora"), ("flan-t5-xl", "lora"), ("flan-t5-xl", "qlora"),
        ("sdxl", "lora"), ("sdxl", "qlora"), ("flux.1-dev", "qlora"), ("dit-xl-2", "qlora"),
    ],
)  # fmt: skip
def test_adapters_hold_less_than_full_training_and_all_is_known(
    knowledge: Knowledge, model: str, method: str
) -> None:
    adapted, full = (estimated(knowledge, model, name).quantities for name in (method, "full"))
    for name in ("weights_bytes", "gradients_bytes"):
        small, large = adapted[name].value, full[name].value
        assert small is not None
        assert large is not None
        assert 0 < small < large, name
    for name in ("peak_bytes", "optimizer_step_s"):
        assert adapted[name].value is not None, adapted[name].reason


def test_a_size_alone_is_like_the_decoder_of_that_size(knowledge: Knowledge) -> None:
    """Llama 2 7B: 40.0 M adapter weights at rank 16 beside all linear layers, 8.4 M beside q and v."""
    for targets, known in ((None, 39_976_960), (1.0, 8_388_608)):
        row = {"family": "size_only", "stated_params": 6.74e9, "method": "lora", "lora_rank": 16.0}
        table = Table.from_rows(knowledge.book, [{**row, "adapted_attention": targets}])
        found = evaluate(knowledge.book, table, ["lora_params"]).value("lora_params", 0)
        assert found == pytest.approx(known, rel=0.1)


def test_adapters_beside_convolutions_are_refused(knowledge: Knowledge) -> None:
    with pytest.raises(UserError, match=r"ResNet-50.*linear layers"):
        workload_from_flags(knowledge.catalogue, "resnet-50", tokens=1e6, method="lora")


def test_what_is_not_counted_is_said_without_the_rules_names(knowledge: Knowledge) -> None:
    found = estimated(knowledge, "swin-t", "lora").quantities
    for name in ("peak_bytes", "optimizer_step_s"):
        assert found[name].value is None
        assert "has not been counted" in found[name].reason
        assert "unfitted" not in found[name].reason


def test_uncovered_rows_are_told_without_conditions() -> None:
    told = said_plainly(
        "operator qkv: no rule for layer_params covers this row: family_moe and known(kv_rank)"
    )
    assert told == "the rules give no layer params for such a network and set-up"
    assert said_plainly("price is not known (rent)") == "price is not known (rent)"
