"""A picture in each sequence, as far as a config tells how many tokens it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from advisor.trial.tracing.build import failure_of  # noqa: E402 - torch first
from advisor.trial.tracing.failure import Failure  # noqa: E402
from advisor.trial.tracing.hub import _without_chance  # noqa: E402
from advisor.trial.tracing.vision import pictured  # noqa: E402

TAKES = ("input_ids", "pixel_values", "labels")


def config(kind: str, **more: Any) -> Any:
    vision = SimpleNamespace(image_size=336, patch_size=14)
    return SimpleNamespace(model_type=kind, vision_config=vision, image_token_id=9, **more)


@pytest.mark.parametrize(
    ("found", "tokens"),
    [
        (config("llava"), 576),
        (config("llava", vision_feature_select_strategy="full"), 577),
        (config("paligemma"), 576),
        (config("gemma3", mm_tokens_per_image=64), 64),
        (config("internvl", downsample_ratio=0.5), 144),
    ],
)
def test_a_sequence_holds_one_picture(found: Any, tokens: int) -> None:
    given, [told] = pictured(found, TAKES, 1024, 0)
    assert f"{tokens} of its 1024 tokens" in told
    assert given["pixel_values"].told() == "Bx3x336x336:float32"
    ids = given["input_ids"].made(3)
    assert ids.shape == (3, 1024)
    assert (ids == 9).sum(1).tolist() == [tokens] * 3, "a real run finds as many places as there are features"


def test_what_the_config_does_not_tell_is_left_out() -> None:
    assert pictured(config("qwen2_5_vl"), TAKES, 1024, 0) == ({}, [])
    assert pictured(config("llava"), TAKES, 512, 0) == ({}, []), "too short for a picture"
    assert pictured(config("llava"), ("input_ids",), 1024, 0) == ({}, [])
    assert pictured(config("gemma3", mm_tokens_per_image=256), TAKES, 1024, 0) == ({}, []), "24 by 16 patches"


def test_pictures_of_another_size_are_refused() -> None:
    assert pictured(config("llava"), TAKES, 1024, 336)[0]
    with pytest.raises(Failure, match="336x336"):
        pictured(config("llava"), TAKES, 1024, 224)


def test_what_chance_decides_is_left_out_and_said() -> None:
    found = SimpleNamespace(layerdrop=0.1, apply_spec_augment=True)
    [told] = _without_chance(found)
    assert "layerdrop" in told and "SpecAugment" in told
    assert (found.layerdrop, found.apply_spec_augment) == (0.0, False)
    assert _without_chance(found) == []


def test_a_library_that_a_network_asks_for_is_one_to_install() -> None:
    asked = failure_of("building the network", ImportError("The loss needs scipy:\n`pip install scipy`. So."))
    assert (asked.status, asked.hint) == ("missing", "pip install scipy")
    assert failure_of("x", ImportError("cannot import name a")).status == "raised"
