"""Every shipped rule holds its own examples, and families give the published parameter counts."""

from __future__ import annotations

import pytest

from advisor.data.catalogue import load_catalogue
from advisor.data.files import shipped
from advisor.estimate import Table, evaluate, run_cases
from advisor.rulebook import RuleBook, load_book


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load_book([shipped("rules")])


def test_all_cases_of_all_rules(book: RuleBook) -> None:
    outcomes = run_cases(book)
    assert len(outcomes) >= len(book.rules)
    assert [str(outcome) for outcome in outcomes if not outcome.ok] == []


def test_families_give_the_published_parameter_counts(book: RuleBook) -> None:
    catalogue = load_catalogue()
    models = list(catalogue.models.values())
    rows = [{"family": model.family, "method": "full", **model.numbers} for model in models]
    table = evaluate(book, Table.from_rows(book, rows), ["params"])
    for row, model in enumerate(models):
        assert table.value("params", row) == catalogue.published_params[model.id], model.id
    assert len(models) >= 15


@pytest.mark.parametrize(
    ("numbers", "flops", "rel"),
    [
        # torchvision: 4.089 G multiply-adds for ResNet-50 at 224 pixels; training is three forward passes
        ({"model": "resnet-50", "image_size": 224.0}, 6 * 4.089e9, 1e-3),
        # 6 N per token with the output layer in N, and causal attention: arXiv:2001.08361
        (
            {"model": "gpt2-124m", "seq_len": 1024.0},
            6 * 1024 * (84934656 + 38597376) + 6 * 1024**2 * 768 * 12,
            1e-9,
        ),
    ],
)
def test_training_flops_of_a_sample(
    book: RuleBook, numbers: dict[str, object], flops: float, rel: float
) -> None:
    model = load_catalogue().models[str(numbers.pop("model"))]
    row = {"family": model.family, "method": "pretrain", "recompute": "none", **model.numbers, **numbers}
    table = evaluate(book, Table.from_rows(book, [row]), ["flops_per_sample"])
    assert table.value("flops_per_sample") == pytest.approx(flops, rel=rel)


def test_integer_peaks_are_never_used_and_fp4_ones_by_fp4_recipes_alone(book: RuleBook) -> None:
    assert not [name for name in book.columns if "int8" in name]
    formats = ("fp32", "tf32", "bf16_mixed", "fp16_mixed", "bf16", "fp8_mixed", "mxfp8_mixed", "nvfp4_mixed")
    peaks_of = dict(zip(("fp32", "tf32", "fp16", "bf16", "fp8", "fp4"), (1, 2, 3, 4, 8, 16), strict=True))
    device = {f"hw_peak_{name}": float(peak) for name, peak in peaks_of.items()}
    rows = [{"family": "decoder", "vendor": "nvidia", "precision": word, **device} for word in formats]
    peaks = evaluate(book, Table.from_rows(book, rows), ["compute_peak"]).columns["compute_peak"]
    assert dict(zip(formats, peaks, strict=True)) == {
        "fp32": 1, "tf32": 2, "bf16_mixed": 4, "fp16_mixed": 4, "bf16": 4, "fp8_mixed": 8, "mxfp8_mixed": 8,
        "nvfp4_mixed": 16,
    }  # fmt: skip
