"""Pre-training takes length and batch of published pre-training, not of a fine-tune of the same network."""

from __future__ import annotations

import pytest
from few import shipped_knowledge

from advisor.app import Knowledge
from advisor.schema import Workload
from advisor.search import workload_from_flags


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return shipped_knowledge()


def job(knowledge: Knowledge, model: str, **flags: object) -> Workload:
    return workload_from_flags(knowledge.catalogue, model, method="pretrain", tokens=1e9, **flags)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "length", "step_tokens", "source"),
    [
        ("llama-3-8b", 8192, 2**21, "arXiv:2005.14165 table 2.1"),  # 6.7B: 2M
        ("gpt2-1558m", 1024, 2**20, "arXiv:2005.14165 table 2.1"),  # 1.3B: 1M
        ("llama-3.1-405b", 8192, 2**24, "arXiv:2407.21783 section 3.4.1"),  # 16M
        ("bert-base", 512, 2**17, "arXiv:1810.04805"),  # 256 sequences of 512
        ("t5-base", 512, 2**16, "arXiv:1910.10683"),
    ],
)
def test_length_and_batch_are_those_of_published_recipes(
    knowledge: Knowledge, model: str, length: float, step_tokens: float, source: str
) -> None:
    recipe = job(knowledge, model).recipe
    assert recipe.seq_len == length
    assert (recipe.global_batch or 0) * length == step_tokens
    assert (recipe.samples or 0) * length == pytest.approx(1e9)
    assert source in recipe.source


def test_the_pattern_is_another_pre_training_of_about_that_size(knowledge: Knowledge) -> None:
    found = job(knowledge, "llama-3-8b")
    assert "Pre-training of a 7 B decoder" in found.recipe.source
    assert "LoRA" not in found.recipe.source
    same = job(knowledge, "gpt2-124m").recipe
    assert (same.seq_len, same.global_batch) == (1024, 512)


def test_what_is_stated_holds_and_a_shorter_length_keeps_the_tokens_of_a_step(knowledge: Knowledge) -> None:
    shorter = job(knowledge, "llama-3-8b", seq_len=2048).recipe
    assert (shorter.seq_len, shorter.global_batch) == (2048, 1024)
    both = job(knowledge, "llama-3-8b", seq_len=2048, batch=48).recipe
    assert (both.seq_len, both.global_batch) == (2048, 48)
    assert "2005.14165" not in both.source


def test_a_fine_tune_keeps_its_own(knowledge: Knowledge) -> None:
    found = workload_from_flags(knowledge.catalogue, "bert-base", method="full", tokens=1e7).recipe
    assert (found.seq_len, found.global_batch) == (128, 32)
