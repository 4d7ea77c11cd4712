"""Batch, micro-batch, replicas and accumulation agree, or are told not to."""

from __future__ import annotations

import pytest

from advisor.data.catalogue import load_catalogue
from advisor.errors import UserError
from advisor.schema import Workload
from advisor.search import workload_from_flags
from advisor.search.accumulate import with_accumulation
from advisor.search.grid import Stated

CATALOGUE = load_catalogue()


def job(batch: int | None = None) -> Workload:
    return workload_from_flags(CATALOGUE, "llama-3-8b", method="full", batch=batch)


def test_the_batch_follows_from_the_rest() -> None:
    found, stated = with_accumulation(job(), Stated(micro_batch=2, tp=2), 16, 4)
    assert found.recipe.global_batch == 2 * 8 * 4
    assert "global_batch" in found.recipe.stated
    assert (stated.micro_batch, stated.tp, stated.pp, stated.cp) == (2, 2, 1, 1)


def test_the_micro_batch_follows_from_the_rest() -> None:
    found, stated = with_accumulation(job(128), Stated(), 8, 4)
    assert (found.recipe.global_batch, stated.micro_batch) == (128, 4)
    # the batch of the reference workload, where none is stated
    found, stated = with_accumulation(job(), Stated(), 8, 4)
    assert stated.micro_batch == found.recipe.global_batch / 32  # type: ignore[operator]


def test_nothing_said_changes_nothing() -> None:
    workload, stated = job(), Stated(micro_batch=2)
    assert with_accumulation(workload, stated, 8, None) == (workload, stated)
    # a layout that cannot be is told elsewhere
    assert with_accumulation(workload, Stated(tp=3), 8, 2) == (workload, Stated(tp=3))


@pytest.mark.parametrize(
    ("batch", "stated", "words"),
    [
        (64, Stated(micro_batch=4), "4 x --micro-batch 4 x 8 replicas are 128 samples, --batch says 64"),
        (30, Stated(), "a batch of 30 does not part into 8 replicas x 4 micro-batches"),
        (16, Stated(), "a batch of 16 does not part"),
    ],
)
def test_what_contradicts_itself_is_told(batch: int, stated: Stated, words: str) -> None:
    with pytest.raises(UserError) as caught:
        with_accumulation(job(batch), stated, 8, 4)
    assert words in caught.value.message
    assert caught.value.hint
