"""The network of a published run: preset, shape or size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from advisor.app import Knowledge
from advisor.evidence.network import Network, network_of
from advisor.evidence.record import Record
from advisor.schema import Model

SHAPE = {"family": "decoder", "model": "made up", "layers": 32, "hidden": 4096, "heads": 32}


@pytest.fixture
def llama(knowledge: Knowledge) -> Model:
    return knowledge.catalogue.models["llama-3-8b"]


def numbers(found: Network | str) -> Mapping[str, float]:
    assert isinstance(found, Network), found
    return found.numbers


def test_a_row_that_agrees_with_its_preset_gets_the_presets_figures(
    record: Callable[..., Record], llama: Model
) -> None:
    found = network_of(record(family="decoder", layers=32, hidden=4096, params=8e9), llama)
    assert isinstance(found, Network)
    assert found.numbers == llama.numbers
    assert found.source == (llama.source or llama.id)


def test_the_trainers_padded_vocabulary_stands(record: Callable[..., Record], llama: Model) -> None:
    assert numbers(network_of(record(family="decoder", vocab=128512), llama))["vocab"] == 128512


def test_a_proxy_with_fewer_layers_is_the_same_network_cut(
    record: Callable[..., Record], llama: Model
) -> None:
    found = numbers(network_of(record(family="decoder", layers=4, hidden=4096), llama))
    assert found["layers"] == 4
    assert {k: v for k, v in found.items() if k != "layers"} == {
        k: v for k, v in llama.numbers.items() if k != "layers"
    }


def test_dense_layers_of_a_cut_network_are_not_more_than_it_has(
    record: Callable[..., Record], knowledge: Knowledge
) -> None:
    preset = next(m for m in knowledge.catalogue.models.values() if m.numbers.get("dense_layers", 0) > 1)
    cut = {"family": "moe-decoder", "layers": 1, "hidden": preset.numbers["hidden"]}
    assert numbers(network_of(record(**cut), preset))["dense_layers"] == 1


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"hidden": 5120, "layers": 40}, "hidden = 5120 contradicts the network named, llama-3-8b, which"),
        ({"layers": 30}, "layers = 30 contradicts"),
        ({"layers": 64, "hidden": 4096}, "layers = 64 contradicts"),
        ({"heads": 16}, "heads = 16 contradicts"),
        ({"kv_heads": 32}, "kv_heads = 32 contradicts"),
        ({"ffn_hidden": 11008}, "ffn_hidden = 11008 contradicts"),
        ({"num_experts": 8}, "which has no experts"),
        ({"family": "encoder"}, "contradicts the network named, llama-3-8b, which is decoder"),
    ],
)  # fmt: skip
def test_a_row_that_contradicts_the_network_it_names_is_refused(
    record: Callable[..., Record], llama: Model, own: dict[str, Any], words: str
) -> None:
    found = network_of(record(**{"family": "decoder", "model": "llama-3-8b", **own}), llama)
    assert isinstance(found, str)
    assert words in found


@pytest.mark.parametrize(
    "own",
    [{"family": "other"}, {"heads": 16, "head_dim": 256}, {"ffn_hidden": 28672}, {"num_experts": 1}],
)
def test_what_sources_count_otherwise_is_no_contradiction(
    record: Callable[..., Record], llama: Model, own: dict[str, Any]
) -> None:
    assert numbers(network_of(record(**{"family": "decoder", **own}), llama)) == llama.numbers


def test_layers_of_encoder_and_decoder_may_be_counted_together(
    record: Callable[..., Record], knowledge: Knowledge
) -> None:
    t5 = knowledge.catalogue.models["flan-t5-xxl"]
    both = record(family="encoder-decoder", layers=48, hidden=4096)
    assert numbers(network_of(both, t5)) == t5.numbers
    assert isinstance(network_of(record(family="encoder-decoder", layers=36, hidden=4096), t5), str)


def test_sizes_too_far_from_the_presets_are_not_its(
    record: Callable[..., Record], knowledge: Knowledge
) -> None:
    preset = next(m for m in knowledge.catalogue.models.values() if "stated_params" in m.numbers)
    size = preset.numbers["stated_params"]
    near = network_of(record(family="other", model="x", params=1.1 * size), preset)
    far = network_of(record(family="other", model="x", params=2 * size), preset)
    assert isinstance(near, Network)
    assert isinstance(far, str)


def params_of(matrices: int, ffn: int, *, tied: bool) -> float:
    layers, hidden, vocab = 32, 4096, 32000
    embedding = vocab * hidden * (1 if tied else 2)
    return embedding + layers * (4 * hidden * hidden + matrices * hidden * ffn)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(("matrices", "ffn"), [(2, 16384), (3, 11008), (3, 16384), (2, 11008)])
def test_the_parameter_count_tells_two_matrices_from_three(
    record: Callable[..., Record], matrices: int, ffn: int, tied: bool
) -> None:
    """Against what name and width would say: the count decides."""
    one = record(**SHAPE, vocab=32000, ffn_hidden=ffn, params=params_of(matrices, ffn, tied=tied))
    assert numbers(network_of(one, None))["ffn_matrices"] == matrices


@pytest.mark.parametrize(
    ("fields", "matrices"),
    [
        ({"model": "GPT of our own"}, 2), ({"model": "Llama of our own"}, 3),
        ({"model": "GPT of our own", "ffn_hidden": 11008}, 3), ({"family": "encoder", "model": "Llama"}, 2),
    ],
)  # fmt: skip
def test_without_a_count_name_and_width_tell(
    record: Callable[..., Record], fields: dict[str, Any], matrices: int
) -> None:
    assert numbers(network_of(record(**{**SHAPE, **fields}), None))["ffn_matrices"] == matrices


def test_size_alone(record: Callable[..., Record]) -> None:
    assert network_of(record(family="decoder", model="x", params=7e9), None) == Network(
        "size_only", {"stated_params": 7e9}, "the row's parameter count alone"
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"family": "vit", "layers": 12, "hidden": 768, "model": "ViT-B", "image_size": 224},
            "no patch size",
        ),
        ({"family": "vit", "layers": 12, "hidden": 768, "model": "ViT-B/16"}, "no image size"),
        ({"family": "moe-decoder", "layers": 12, "hidden": 768}, "no number of experts"),
        ({"family": "moe-decoder", "layers": 12, "hidden": 768, "num_experts": 1}, "no number of experts"),
        ({"family": "cnn", "model": "MyNet"}, "'MyNet' is not a network the rules know"),
        ({"family": "encoder", "params": 1e8}, "neither a known network nor layers"),
        ({"family": "gan"}, "family 'gan' is not one of"),
        ({"model": "x"}, "the row gives no family (one of"),
    ],
)
def test_what_is_not_known_is_said(record: Callable[..., Record], fields: dict[str, Any], words: str) -> None:
    found = network_of(record(**fields), None)
    assert isinstance(found, str)
    assert words in found


def test_a_vision_transformer_by_its_name(record: Callable[..., Record]) -> None:
    found = network_of(
        record(family="vit", model="vit_base_patch16_224", layers=12, hidden=768, image_size=224), None
    )
    assert numbers(found)["patch"] == 16
    assert "vocab" not in numbers(found)


def test_no_more_experts_are_chosen_than_there_are(record: Callable[..., Record]) -> None:
    fields = {"family": "moe-decoder", "layers": 12, "hidden": 768, "num_experts": 2}
    assert numbers(network_of(record(**fields), None))["experts_per_token"] == 2
