"""Wafers and chips that keep the network on the chip: the layouts they have, and what they do not hold."""

from __future__ import annotations

import pytest
from few import shipped_knowledge

from advisor.app import Knowledge
from advisor.errors import UserError
from advisor.schema import PlanLimits
from advisor.search import workload_from_flags
from advisor.search.grid import Stated
from advisor.search.hardware import find_hardware
from advisor.search.one import One, estimate_one, place_of
from advisor.search.plan import plan


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return shipped_knowledge()


def one(knowledge: Knowledge, model: str, hardware: str, batch: int | None = None, **stated: object) -> One:
    found = find_hardware(knowledge.catalogue, hardware)
    place = place_of(found.entry, found.packages, found.nodes)
    workload = workload_from_flags(knowledge.catalogue, model, method="pretrain", tokens=1e9, batch=batch)
    return estimate_one(
        knowledge.book, workload, place, Stated(**stated), knowledge.published  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize("batch", [16, 64, 1024])
def test_wafers_hold_copies_alone(knowledge: Knowledge, batch: int) -> None:
    choices = one(knowledge, "llama-3-8b", "16 x cerebras-wse2", batch).estimate.choices
    assert choices["dp"] == "16"
    assert choices["sharding"] == choices["recompute"] == "none"
    assert not {"tp", "pp", "cp", "ep", "offload"} & set(choices)


def test_a_batch_smaller_than_the_wafers_is_no_pipeline(knowledge: Knowledge) -> None:
    with pytest.raises(UserError, match="a batch of 8 is smaller"):
        one(knowledge, "llama-3-8b", "16 x cerebras-wse2", 8)


def test_the_first_wafer_holds_its_network(knowledge: Knowledge) -> None:
    """Weight streaming came with the second."""
    large = one(knowledge, "llama-3-8b", "cerebras-wse1").estimate
    assert large.fits is False
    assert "stream" not in large.why
    assert one(knowledge, "bert-base", "cerebras-wse1").estimate.fits
    with pytest.raises(UserError, match="stands on one wafer"):
        one(knowledge, "bert-base", "2 x cerebras-wse1")


def test_pipelines_of_chips_hold_the_weights(knowledge: Knowledge) -> None:
    """BERT-large over four, as Graphcore's own: 0.67 GB of weights on chips of 0.9 GB."""
    found = one(knowledge, "bert-large", "16 x graphcore-gc200").estimate
    assert (found.choices["pp"], found.choices["dp"]) == ("4", "4")
    assert "pp" not in one(knowledge, "resnet-50", "16 x graphcore-gc200").estimate.choices
    with pytest.raises(UserError, match="needs a pipeline of 4 such chips"):
        one(knowledge, "bert-large", "1 x graphcore-gc200")


def test_no_sum_of_a_gpus_memory_is_shown(knowledge: Knowledge) -> None:
    for model, hardware in (("bert-large", "16 x graphcore-gc200"), ("llama-3-8b", "16 x cerebras-wse3")):
        found = one(knowledge, model, hardware).estimate
        memory = found.quantities["memory_bytes"]
        assert (memory.value, memory.high) == (None, None)
        assert "the rules count that of GPUs" in (memory.reason or "")
        assert "weights_bytes" not in found.quantities
        assert found.fits is None


def test_a_network_beyond_every_published_pipeline_is_refused(knowledge: Knowledge) -> None:
    with pytest.raises(UserError, match="needs a pipeline of 90 chips"):
        one(knowledge, "llama-3-8b", "16 x graphcore-gc200")
    workload = workload_from_flags(knowledge.catalogue, "llama-3-8b", method="full", tokens=1e8)
    limits = PlanLimits(only=("graphcore-gc200", "nvidia-h100-sxm5-80gb"), max_devices=64, as_of="2026-11-21")
    left = plan(knowledge.book, knowledge.catalogue, workload, limits, knowledge.published).left_out
    assert [(one.accelerator_id, one.change) for one in left] == [("graphcore-gc200", "A smaller network.")]


@pytest.mark.parametrize(
    ("hardware", "stated"),
    [
        ("16 x cerebras-wse3", {"pp": 2}),
        ("16 x cerebras-wse3", {"sharding": "fsdp"}),
        ("16 x graphcore-bow", {"tp": 2}),
        ("16 x graphcore-bow", {"offload": "params"}),
    ],
)
def test_what_is_no_layout_there_is_refused(
    knowledge: Knowledge, hardware: str, stated: dict[str, object]
) -> None:
    with pytest.raises(UserError, match=f"--{next(iter(stated))} does not go with {hardware}"):
        one(knowledge, "bert-base", hardware, 512, **stated)


def test_ranges_are_no_narrower_than_the_rate_behind_them(knowledge: Knowledge) -> None:
    """Its three neighbours are off by x 0.65 to 1.09; the constant alone has a spread of 0.22."""
    time = one(knowledge, "gpt-3-1.3b", "1 x cerebras-wse3").estimate.quantities["optimizer_step_s"]
    assert time.value is not None
    assert time.low is not None
    assert time.low / time.value < 0.75
    assert (time.high or 0) / time.value > 1.33
