"""Programs by name: what --stack takes, and what published runs call them."""

from __future__ import annotations

import json

import pytest

from advisor.data.catalogue import load_catalogue
from advisor.data.files import shipped
from advisor.data.programs import KIND, find_stack, program_of, programs
from advisor.errors import UserError

STACKS = load_catalogue().words["stack"]


@pytest.mark.parametrize(
    ("text", "stack", "program"),
    [
        ("megatron", "megatron", ""),
        ("PyTorch", "torch", ""),
        ("NeMo", "megatron", "nemo"),
        ("megatron_lm", "megatron", "megatron-lm"),
        ("torchtitan", "torch", "torchtitan"),
        ("hf-trainer", "transformers", "hf-trainer"),
        ("torch_npu", "torch_npu", ""),
    ],
)
def test_families_and_programs_are_found(text: str, stack: str, program: str) -> None:
    assert find_stack(text, STACKS) == (stack, program)


@pytest.mark.parametrize("text", ["", "nemoo", "x" * 5000, "torch; rm"])
def test_other_words_are_errors_with_a_hint(text: str) -> None:
    with pytest.raises(UserError) as caught:
        find_stack(text, STACKS)
    assert caught.value.hint
    assert len(caught.value.message) < 120


def test_every_program_names_a_family_of_the_rules_and_some_published_run() -> None:
    raw = json.loads((shipped("rules") / "evidence" / "residuals.json").read_text("utf-8"))
    trained = {program_of(word) for word in raw["words"]["program"]}
    for one in programs():
        assert one.stack in STACKS, one.name
        assert one.name in trained or one.name == "deepspeed", one.name


def test_words_of_published_runs_are_read() -> None:
    assert program_of("nemo24.07megatroncore") == "nemo"
    assert program_of("megatronlmprimusonrocm") == "megatron-lm"
    assert program_of("tensorflow2dle") == "tensorflow2dle", "no program of the list"
    assert program_of(KIND + "nemo") == "nemo"
