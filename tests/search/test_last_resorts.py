"""What is tried only where nothing else fits: weights on the host, sequences over several servers."""

from __future__ import annotations

import pytest
from few import shipped_knowledge

from advisor.app import Knowledge
from advisor.schema import PlanLimits, Workload
from advisor.search import workload_from_flags
from advisor.search.grid import NOTHING_STATED, Stated
from advisor.search.hardware import find_hardware
from advisor.search.one import One, estimate_one, place_of
from advisor.search.plan import plan
from advisor.search.plan_set_ups import ANY, CUT_STACK, USUAL, set_ups

RTX_3090, RTX_4090, H100 = "nvidia-rtx-3090-24gb", "nvidia-rtx-4090-24gb", "nvidia-h100-sxm5-80gb"
MILLION = 1_048_576


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return shipped_knowledge()


@pytest.fixture(scope="module")
def large(knowledge: Knowledge) -> Workload:
    """As published on 2 x 24 GB: fsdpqlora-4090-llama2-70b-qlora-off-fsdp-b2-c2048."""
    return workload_from_flags(knowledge.catalogue, "llama-2-70b", method="qlora", tokens=1e7, seq_len=2048)


def one(knowledge: Knowledge, workload: Workload, hardware: str, stated: Stated = NOTHING_STATED) -> One:
    found = find_hardware(knowledge.catalogue, hardware)
    place = place_of(found.entry, found.packages, found.nodes)
    return estimate_one(knowledge.book, workload, place, stated, knowledge.published)


@pytest.mark.parametrize("card", [RTX_3090, RTX_4090])
def test_weights_go_to_the_host_before_it_does_not_fit(
    knowledge: Knowledge, large: Workload, card: str
) -> None:
    found = one(knowledge, large, f"2 x {card}").estimate
    assert found.fits
    assert found.choices["offload"] == "params"
    assert found.choices["sharding"] == "fsdp"
    assert found.choices["stack"] == "torch"
    assert found.why.startswith("Fits, if each server of 2 has ")


def test_weights_stay_where_they_fit(knowledge: Knowledge, large: Workload) -> None:
    found = one(knowledge, large, "2 x nvidia-rtx-a6000-48gb").estimate
    assert found.fits
    assert "offload" not in found.choices


def test_a_plan_tries_it_where_nothing_that_was_asked_for_fits(knowledge: Knowledge, large: Workload) -> None:
    limits = PlanLimits(only=(RTX_4090,), max_devices=2, deadline_days=90, as_of="2026-11-21")
    options = plan(knowledge.book, knowledge.catalogue, large, limits, knowledge.published).options
    assert [one.choices["offload"] for one in options] == ["params"]
    more = limits.model_copy(update={"only": (RTX_4090, "nvidia-rtx-a6000-48gb")})
    options = plan(knowledge.book, knowledge.catalogue, large, more, knowledge.published).options
    assert all("offload" not in one.choices for one in options)


def test_help_names_the_host_for_a_layout_that_was_stated(knowledge: Knowledge, large: Workload) -> None:
    found = one(knowledge, large, f"2 x {RTX_4090}", Stated(sharding="fsdp", recompute="full"))
    assert found.estimate.fits is False
    assert any("--offload params" in text for text in found.helps)


def test_packed_weights_are_copied_or_cut_over_all_devices_alone(large: Workload) -> None:
    found = set_ups(large, [2, 8], wide=ANY, spill=True)
    assert (found.parts == 1).all()
    assert (found["stack"] == 0).all()
    assert found["offload"].max() == 2
    assert (set_ups(large, [8], Stated(stack=CUT_STACK)).parts > 1).any()  # who says so may


def test_a_million_tokens_are_cut_over_servers(knowledge: Knowledge) -> None:
    """As NeMo's long-context recipes do; stated --tp 8 --cp 8 fits, so what is found must."""
    job = workload_from_flags(knowledge.catalogue, "llama-3-8b", tokens=1e9, seq_len=MILLION, batch=2)
    found = one(knowledge, job, f"64 x {H100}").estimate
    assert found.fits
    tp, cp = (int(found.choices.get(name, "1")) for name in ("tp", "cp"))
    assert 16 < tp * cp <= MILLION / 4096


def test_usual_lengths_have_no_more_layouts_for_it(knowledge: Knowledge) -> None:
    for length, most in ((4096, 1), (65_536, 16), (131_072, 32)):
        job = workload_from_flags(knowledge.catalogue, "llama-3-8b", tokens=1e9, seq_len=length, batch=256)
        assert set_ups(job, [64], wide=USUAL)["cp"].max() == most


def test_a_sequence_beyond_every_run_widens_the_range_and_is_told(knowledge: Knowledge) -> None:
    def asked(length: int) -> tuple[float, str]:
        job = workload_from_flags(knowledge.catalogue, "llama-3-8b", tokens=1e9, seq_len=length, batch=2)
        found = one(knowledge, job, f"64 x {H100}", Stated(tp=8, cp=8, recompute="full")).estimate
        time = found.quantities["optimizer_step_s"]
        assert time.high is not None
        assert time.low is not None
        return time.high / time.low, " ".join(found.notes)

    (usual, silent), (wide, told), (wider, _) = (asked(length) for length in (131_072, 262_144, MILLION))
    assert usual * 1.05 < wide < wider
    assert "sequences of more than 131,072 tokens" in told
    assert "sequences of more than" not in silent


def test_a_stock_trainer_with_its_host_comes_before_matrices_cut_over_cards(knowledge: Knowledge) -> None:
    job = workload_from_flags(knowledge.catalogue, "llama-3-70b", method="full", tokens=1e7)
    choices = one(knowledge, job, f"8 x {RTX_4090}").estimate.choices
    assert (choices["offload"], choices["stack"]) == ("params", "torch")
    assert "tp" not in choices
