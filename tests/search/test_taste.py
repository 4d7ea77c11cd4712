"""What the search takes of layouts that are as good: no accumulation, and offload beside shared matrices."""

from __future__ import annotations

from advisor.app import load_knowledge
from advisor.data.resolve import entry_of
from advisor.schema import Workload
from advisor.search import workload_from_flags
from advisor.search.grid import SetUp
from advisor.search.plan_search import best_of
from advisor.search.plan_space import Space

KNOWN = load_knowledge()
A100 = entry_of("nvidia-a100-sxm4-80gb", KNOWN.catalogue)


def found(job: Workload) -> tuple[SetUp, Space]:
    space = Space(KNOWN.book, job, [A100], counts=(8,))
    best = best_of(space, KNOWN.published)
    return space.set_ups.row(int(best.set_up[0])), space


def test_a_step_of_one_pass_goes_before_one_of_two_that_is_as_quick() -> None:
    job = workload_from_flags(KNOWN.catalogue, "resnet-50", 1e6, batch=2048)
    assert found(job)[0].micro_batch == 256


def test_states_in_the_host_go_with_tensor_parallelism_too() -> None:
    job = workload_from_flags(KNOWN.catalogue, "llama-3-70b", 1e7, "full")
    chosen, space = found(job)
    assert (chosen.offload, chosen.tp) == ("optimizer", 2)
    offloaded = space.set_ups["offload"] > 0
    assert set(space.set_ups["tp"][offloaded]) == {1, 2, 4}  # of one replica no weights are cut
    assert set(space.set_ups["pp"][offloaded]) == {1}
