"""Networks counted on their modules: work, written numbers and operators, and how they go with the sample."""

from __future__ import annotations

import pytest

from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import shipped
from advisor.estimate import Table, evaluate
from advisor.rulebook import RuleBook, load_book

WANTED = ["params", "flops_per_sample", "activation_elements", "written_elements", "forward_operators"]
# Of these only a paper's figures are known: no module of them was counted.
PAPER_ONLY = {
    "nasnet-a-4x1056", "cmt-s", "pvt-ti", "shufflenet-v1-g3-0.5", "nemotron-h-56b", "nemotron-3-nano",
    "nemotron-3-super",
}  # fmt: skip


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load_book([shipped("rules")])


def ask(book: RuleBook, catalogue: Catalogue, key: str, **more: float) -> dict[str, float | None]:
    model = catalogue.models[key]
    sizes = {
        "image_size": model.numbers.get("native_image_size"),
        "seq_len": model.numbers.get("native_seq_len"),
    }
    row = {
        "family": model.family,
        "method": "pretrain",
        "recompute": "none",
        **sizes,
        **model.numbers,
        **more,
    }
    table = evaluate(book, Table.from_rows(book, [row]), WANTED)
    return {name: table.value(name) for name in WANTED}


def test_every_counted_network_has_what_a_roofline_asks_for(book: RuleBook, catalogue: Catalogue) -> None:
    keys = [key for key, model in catalogue.models.items() if model.family in ("cnn", "stated")]
    assert len(keys) >= 120
    for key in set(keys) - PAPER_ONLY:
        found = ask(book, catalogue, key)
        assert None not in found.values(), (key, found)
        written, outputs = found["written_elements"] or 0.0, found["activation_elements"] or 0.0
        assert written > outputs > 0, key
        assert 20 <= (found["forward_operators"] or 0.0) <= 5000, key


@pytest.mark.parametrize("key", sorted(PAPER_ONLY))
def test_what_was_not_counted_is_unknown_and_not_zero(book: RuleBook, catalogue: Catalogue, key: str) -> None:
    found = ask(book, catalogue, key)
    assert found["written_elements"] is None
    assert found["forward_operators"] is None
    assert found["flops_per_sample"]


def test_work_goes_with_pixels_voxels_and_frames(book: RuleBook, catalogue: Catalogue) -> None:
    for key, more, factor in (
        ("vgg-16", {"image_size": 112.0}, 1 / 4),
        ("nnu-net-3d", {"image_size": 64.0}, 1 / 8),
        ("jasper-10x5dr", {"seq_len": 835.0}, 1 / 2),
    ):
        native, other = ask(book, catalogue, key), ask(book, catalogue, key, **more)
        for name in ("flops_per_sample", "written_elements"):
            assert other[name] == pytest.approx((native[name] or 0.0) * factor)
        assert other["forward_operators"] == native["forward_operators"]
        assert other["params"] == native["params"]


def test_closed_forms_agree_with_their_counted_relatives(book: RuleBook, catalogue: Catalogue) -> None:
    """ResNet-50 is a formula; ResNeXt-50 and Wide ResNet-50-2, counted, have the same operators."""
    found = ask(book, catalogue, "resnet-50")
    for key in ("resnext-50-32x4d", "wide-resnet-50-2"):
        assert ask(book, catalogue, key)["forward_operators"] == found["forward_operators"]


@pytest.mark.parametrize(
    ("key", "giga_macs"),
    [
        ("swin-t", 4.5), ("swin-b", 15.4), ("mobilenet-v1", 0.569), ("inception-v3", 5.7), ("alexnet", 0.71),
        ("efficientdet-d0", 2.5), ("squeezenet-1.0", 0.82), ("shufflenet-v2-1.0", 0.146),
        ("dinov2-g-14", None),
    ],
)  # fmt: skip
def test_work_that_papers_print(
    book: RuleBook, catalogue: Catalogue, key: str, giga_macs: float | None
) -> None:
    flops = ask(book, catalogue, key)["flops_per_sample"] or 0.0
    expected = 6e9 * giga_macs if giga_macs else 6 * 1.1e9 * 1370  # dense: every weight for every token
    assert flops == pytest.approx(expected, rel=0.03 if giga_macs else 0.25)


@pytest.mark.parametrize(
    ("key", "millions"),
    [
        ("jasper-10x5dr", 333), ("mask-rcnn-resnet-50-fpn", 44.4), ("efficientdet-d0", 3.9), ("kwt-2", 2.4),
        ("wav2vec2-base", 94.4), ("wav2vec2-large", 315.5), ("u-net-medical", 31.0), ("swin-l", 197),
        ("flux.1-dev", 11_900), ("llama-4-maverick", 400_700), ("nemotron-4-340b", 341_000),
    ],
)  # fmt: skip
def test_parameters_that_others_print(catalogue: Catalogue, key: str, millions: float) -> None:
    assert catalogue.published_params[key] == pytest.approx(millions * 1e6, rel=0.01)
