"""Presets: the rules of their family give exactly the parameters of the real network."""

from __future__ import annotations

import pytest

from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import shipped
from advisor.estimate import Table, evaluate, evaluate_ranges
from advisor.rulebook import RuleBook, load_book

# Counts that others have published (model cards, papers, the libraries' own prints), typed in here on
# purpose: the presets' own figures come from instantiated modules, and both must agree.
PUBLISHED = {
    "gpt2-124m": 124_439_808,
    "llama-2-7b": 6_738_415_616,
    "llama-65b": 65_285_660_672,
    "llama-3-8b": 8_030_261_248,
    "llama-3.1-405b": 405_853_388_800,
    "mistral-7b": 7_241_732_096,
    "mixtral-8x7b": 46_702_792_704,
    "qwen2.5-1.5b": 1_543_714_304,
    "qwen3-8b": 8_190_735_360,
    "qwen3-30b-a3b": 30_532_122_624,
    "gemma-2-9b": 9_241_705_984,
    "gemma-3-1b": 999_885_952,
    "phi-2": 2_779_683_840,
    "phi-3-mini": 3_821_079_552,
    "pythia-1.4b": 1_414_647_808,
    "gpt-neox-20b": 20_554_567_680,
    "falcon-7b": 6_921_720_704,
    "opt-6.7b": 6_658_473_984,
    "bloom-176b": 176_247_271_424,
    "gpt-oss-20b": 20_914_757_184,
    "gpt-oss-120b": 116_829_156_672,
    "deepseek-v2-lite": 15_706_484_224,
    "bert-base": 109_482_240,
    "distilbert": 66_362_880,
    "xlm-roberta-base": 278_043_648,
    "modernbert-base": 149_014_272,
    "t5-base": 222_903_552,
    "flan-t5-base": 247_577_856,
    "flan-t5-xxl": 11_135_332_352,
    "bart-large": 406_291_456,
    "vit-b-16": 86_567_656,
    "vit-h-14": 632_045_800,
    "deit-b-16-distilled": 87_338_192,
    "convnext-t": 28_589_128,
    "resnet-50": 25_557_032,
    "resnet-18": 11_689_512,
    "vgg-16": 138_357_544,
    "mobilenet-v2": 3_504_872,
    "efficientnet-b0": 5_288_548,
    "efficientnet-b7": 66_347_960,
    "dit-xl-2": 675_129_632,
    "sd-1.5": 859_520_964,
    "sdxl": 2_567_463_684,
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load_book([shipped("rules")])


@pytest.fixture(scope="module")
def counted(book: RuleBook, catalogue: Catalogue) -> dict[str, dict[str, float | None]]:
    models = list(catalogue.models.values())
    rows = [
        {
            "family": model.family,
            "method": "pretrain",
            "recompute": "none",
            "seq_len": 512.0,
            "decoder_seq_len": 128.0,
            "image_size": model.numbers.get("native_image_size", 224.0),
            **model.numbers,
        }
        for model in models
    ]
    wanted = ["params", "active_params", "model_flops_per_sample"]
    table = evaluate(book, Table.from_rows(book, rows), wanted)
    return {model.id: {name: table.value(name, row) for name in wanted} for row, model in enumerate(models)}


def test_many_models_of_many_kinds(catalogue: Catalogue) -> None:
    families = {model.family for model in catalogue.models.values()}
    assert len(catalogue.models) >= 60
    assert families >= {"decoder", "moe", "encoder", "encoder_decoder", "vit", "cnn", "diffusion"}


def test_the_rules_give_the_exact_count(catalogue: Catalogue, counted: dict[str, dict[str, float]]) -> None:
    wrong = {
        key: (counted[key]["params"], exact)
        for key, exact in catalogue.published_params.items()
        if counted[key]["params"] != exact
    }
    assert wrong == {}
    assert set(catalogue.published_params) == set(catalogue.models)  # none without a count to hold it to


@pytest.mark.parametrize(("key", "count"), PUBLISHED.items())
def test_counts_that_others_have_published(
    counted: dict[str, dict[str, float]], key: str, count: int
) -> None:
    assert counted[key]["params"] == count


@pytest.mark.parametrize(
    ("key", "billions"),
    [("mixtral-8x7b", 12.9), ("qwen3-30b-a3b", 3.3), ("qwen3-235b-a22b", 22.2), ("deepseek-v3", 37.5)],
)
def test_active_parameters(counted: dict[str, dict[str, float]], key: str, billions: float) -> None:
    assert counted[key]["active_params"] == pytest.approx(billions * 1e9, rel=0.02)


def test_every_preset_has_its_work(counted: dict[str, dict[str, float | None]]) -> None:
    unknown = [key for key, found in counted.items() if not found["model_flops_per_sample"]]
    assert unknown == []


# Multiply-adds as published: torchvision's tables, arXiv:2212.09748 table 4 (DiT), arXiv:2201.03545 table 9.
@pytest.mark.parametrize(
    ("key", "giga_macs"),
    [
        ("resnet-18", 1.81), ("efficientnet-b0", 0.39), ("efficientnet-b7", 37.75), ("mobilenet-v2", 0.30),
        ("convnext-t", 4.46), ("convnext-b", 15.36), ("dit-xl-2", 118.6), ("dit-b-2", 23.0),
    ],
)  # fmt: skip
def test_work_that_others_have_published(
    counted: dict[str, dict[str, float]], key: str, giga_macs: float
) -> None:
    assert counted[key]["model_flops_per_sample"] == pytest.approx(6e9 * giga_macs, rel=0.015)


def test_no_name_means_two_models(catalogue: Catalogue) -> None:
    seen: dict[str, str] = {key.casefold(): key for key in catalogue.models}
    for alias, key in catalogue.model_aliases.items():
        assert alias not in seen, (alias, seen.get(alias), key)
        seen[alias] = key


def test_fewer_experts_a_token_are_less_work(book: RuleBook, catalogue: Catalogue) -> None:
    model = catalogue.models["mixtral-8x7b"]
    rows = [
        {"family": "moe", "method": "pretrain", "seq_len": 512.0, **model.numbers, "experts_per_token": k}
        for k in (1.0, 2.0, 8.0)
    ]
    table = evaluate(book, Table.from_rows(book, rows), ["model_flops_per_sample", "params"])
    one, two, all_ = (table.value("model_flops_per_sample", row) or 0.0 for row in range(3))
    assert two - one == pytest.approx((all_ - one) / 7)
    assert one < two < all_
    assert len({table.value("params", row) for row in range(3)}) == 1


def test_a_window_bounds_the_attention(book: RuleBook, catalogue: Catalogue) -> None:
    model = catalogue.models["mistral-7b"]
    rows = [
        {"family": "decoder", "method": "pretrain", "seq_len": s, **model.numbers} for s in (4096.0, 65536.0)
    ]
    whole = [{**row, "window": None, "window_layers": None} for row in rows]
    table = evaluate(book, Table.from_rows(book, [*rows, *whole]), ["attention_forward_flops"])
    short, long, short_whole, long_whole = (
        table.value("attention_forward_flops", at) or 0 for at in range(4)
    )
    assert short == short_whole
    assert long < 0.13 * long_whole  # 65536 tokens see 4096 back: about 2 x 4096 / 65536 of all pairs


@pytest.mark.parametrize("key", ["llama-3-8b", "qwen2.5-32b", "gpt2-1558m", "llama-3.1-405b", "pythia-410m"])
def test_size_alone_bounds_what_a_network_of_that_size_keeps(
    book: RuleBook, catalogue: Catalogue, key: str
) -> None:
    model = catalogue.models[key]
    set_up = {
        "method": "full", "precision": "bf16_mixed", "recompute": "none", "seq_len": 2048.0,
        "micro_batch": 1.0, "sharding": "none", "devices": 1.0, "vendor": "nvidia", "optimizer": "adamw",
        "hw_peak_bf16": 1e14, "hw_peak_fp32": 1e13,
    }  # fmt: skip
    known = {"family": model.family, **model.numbers, **set_up}
    size = {"family": "size_only", "stated_params": catalogue.published_params[key], **set_up}
    table = Table.from_rows(book, [known, size])
    found = evaluate_ranges(book, table, ["activation_bytes", "memory_bytes", "model_flops_per_sample"])
    for name in ("activation_bytes", "memory_bytes"):
        assert found[name].low[1] * 0.85 <= found[name].value[0] <= found[name].high[1] * 1.15, name
    flops = found["model_flops_per_sample"].value
    assert flops[1] == pytest.approx(flops[0], rel=0.25)
