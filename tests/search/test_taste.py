"""What the search takes of layouts that are as good, and what a stock trainer has before what it has not."""

from __future__ import annotations

import numpy as np
import pytest
from few import shipped_knowledge

from advisor.data.resolve import entry_of
from advisor.schema import Workload
from advisor.search import workload_from_flags
from advisor.search.grid import NOTHING_STATED, SetUp, Stated
from advisor.search.one_choice import beside_words
from advisor.search.plan_search import Found, beside, best_of
from advisor.search.plan_space import Space
from advisor.search.plan_taste import TUNED

KNOWN = shipped_knowledge()
A100, H100 = (entry_of(f"nvidia-{name}-80gb", KNOWN.catalogue) for name in ("a100-sxm4", "h100-sxm5"))


def found(job: Workload) -> tuple[SetUp, Space]:
    space = Space(KNOWN.book, job, [A100], counts=(8,))
    best = best_of(space, KNOWN.published)
    return space.set_ups.row(int(best.set_up[0])), space


def searched(model: str, count: int, stated: Stated = NOTHING_STATED, **flags: object) -> Found:
    job = workload_from_flags(KNOWN.catalogue, model, 1e10, "pretrain", **flags)  # type: ignore[arg-type]
    return best_of(Space(KNOWN.book, job, [H100], counts=(count,), stated=stated), KNOWN.published)


def taken(of: Found) -> SetUp:
    return of.space.set_ups.row(int(of.set_up[0]))


def test_a_step_of_one_pass_goes_before_one_of_two_that_is_as_quick() -> None:
    job = workload_from_flags(KNOWN.catalogue, "resnet-50", 1e6, batch=2048)
    assert found(job)[0].micro_batch == 256


def test_states_in_the_host_go_with_tensor_parallelism_too() -> None:
    job = workload_from_flags(KNOWN.catalogue, "llama-3-70b", 1e7, "full")
    chosen, space = found(job)
    assert chosen.offload == "optimizer"
    offloaded = space.set_ups["offload"] > 0
    assert set(space.set_ups["tp"][offloaded]) == {1, 2, 4}  # of one replica no weights are cut
    assert set(space.set_ups["pp"][offloaded]) == {1}


@pytest.mark.parametrize("count", [8, 16, 64, 256])
@pytest.mark.parametrize("model", ["llama-2-7b", "gpt-neox-20b"])
def test_a_stock_trainer_has_copies_of_the_network_on_one_server_and_on_many(model: str, count: int) -> None:
    stock = searched(model, count)
    assert taken(stock).parts == 1 and taken(stock).stack == "torch"
    other = beside(stock, KNOWN.published)
    assert other is not None
    set_up, ratio = other
    assert set_up.stack == "megatron" and ratio < 0.95, "what it gives away is found, and told"
    told = beside_words(taken(stock), set_up, ratio)[0]
    assert "Megatron" in told and f"{1 - ratio:.0%} quicker" in told
    tuned = searched(model, count, Stated(effort="tuned"))
    assert tuned.taste == TUNED and taken(tuned).stack == "megatron", "who tunes has the other"


@pytest.mark.parametrize(
    ("model", "count", "batch"), [("llama-3.1-405b", 128, 1024), ("llama-2-7b", 1024, 512)]
)
def test_matrices_are_cut_within_a_server_where_memory_or_the_batch_asks_for_it(
    model: str, count: int, batch: int
) -> None:
    layout = searched(model, count, batch=batch, seq_len=2048)
    chosen = taken(layout)
    assert 1 < chosen.tp <= 8 and chosen.pp == chosen.ep == 1
    ways = layout.space.set_ups.way
    assert set(ways.tolist()) >= {1.0, 2.0}, "there were pipelines to take"


def test_of_ways_the_first_that_fits_is_asked_alone() -> None:
    """What a stock trainer has fits on each of these, so of the memory of others nothing is asked."""
    small = searched("gpt2-124m", 8)
    stock = small.space.set_ups.stock[small.space.set_up] & (
        small.space.set_ups["offload"][small.space.set_up] == 0
    )
    assert 0 < small.tried == int(stock.sum()) < len(small.space.set_up)
    assert np.isfinite(small.time).all()
