"""Nearest names and the texts of errors."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from advisor.errors import DataError, did_you_mean, nearest


def test_nearest_finds_misspellings_and_parts() -> None:
    known = ["llama-3-8b", "llama-3-70b", "gpt2-124m", "resnet-50"]
    assert nearest("lama-3-8b", known)[0] == "llama-3-8b"
    assert nearest("GPT2", known) == ["gpt2-124m"]
    assert nearest("zzz", known) == []
    assert did_you_mean("resnet50", known) == "Did you mean resnet-50?"


def test_half_alike_is_not_near() -> None:
    assert nearest("int3", ["fp32", "tf32", "bf16"]) == []
    assert nearest("fp16", ["fp32", "tf32", "bf16"]) == ["bf16"]


@given(st.text(max_size=40), st.lists(st.text(min_size=1, max_size=20), max_size=8))
def test_nearest_offers_only_known_names(name: str, choices: list[str]) -> None:
    assert set(nearest(name, choices)) <= set(choices)


def test_an_error_says_file_key_and_value() -> None:
    error = DataError.at("a.toml", "memory", "x" * 500, "is no amount", "write 80 GB")
    assert error.message.startswith("a.toml: memory = 'xxx")
    assert error.message.endswith("is no amount")
    assert len(error.message) < 160


def test_a_part_of_an_id_with_a_slip_finds_the_ids_that_have_it() -> None:
    known = ("nvidia-h100-sxm5-80gb", "nvidia-a100-sxm4-80gb", "amd-mi300x-192gb")
    assert nearest("h1000", known) == ["nvidia-h100-sxm5-80gb"]
    assert nearest("mi300", known) == ["amd-mi300x-192gb"]
    assert nearest("zebra", known) == []
    assert nearest("h100sxm", known) == ["nvidia-h100-sxm5-80gb"]


def test_a_whole_part_of_a_name_comes_before_what_is_spelt_like_it() -> None:
    known = ["nvidia-gh200-96gb", "nvidia-h200-nvl-141gb", "nvidia-h200-sxm-141gb", "nvidia-a10-24gb"]
    assert nearest("h200", known)[:2] == ["nvidia-h200-nvl-141gb", "nvidia-h200-sxm-141gb"]
    assert nearest("nvidia-h200", known)[:2] == ["nvidia-h200-nvl-141gb", "nvidia-h200-sxm-141gb"]
