"""Rents of plans: of providers that are known to join as many, spot below on demand, traced as told."""

from __future__ import annotations

import pytest
from few import shipped_knowledge

from advisor.schema import Plan, PlanLimits, Workload
from advisor.search import workload_from_flags
from advisor.search.plan import Question, plan_traced
from advisor.search.plan_trace import Trace

KNOWN = shipped_knowledge()
JOB = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=20e9, method="full")
LARGE = workload_from_flags(KNOWN.catalogue, "llama-3-70b", tokens=2e12, method="pretrain")
B200, MI300X = "nvidia-b200-sxm-180gb", "amd-mi300x-192gb"


def planned(*only: str, job: Workload = JOB, **limits: object) -> tuple[Plan, Trace]:
    told = PlanLimits.model_validate({"as_of": "2026-11-21", "deadline_days": 30, "only": only, **limits})
    return plan_traced(Question(KNOWN.book, KNOWN.catalogue, job, told))


def test_large_clusters_are_rented_where_they_are_known_to_be_had() -> None:
    steps = {
        step.option.devices: step.option for step in planned(B200, job=LARGE, max_devices=384)[0].scaling
    }
    assert steps[128].price_note.startswith("modal") and steps[384].price_note.startswith("aws")
    assert not steps[384].price_unsure
    each = {
        count: (option.quantities["rent_usd"].value or 0)
        / count
        / (option.quantities["calendar_s"].value or 1)
        for count, option in steps.items()
    }
    assert each[384] > 1.5 * each[128], "the price is the other provider's"


def test_more_than_is_known_to_be_joined_is_told_and_stands_behind() -> None:
    found = planned(MI300X, B200, deadline_days=0.8, max_devices=64)[0]
    unsure = [option for option in found.options if option.price_unsure]
    assert [option.accelerator_id for option in unsure] == [MI300X] and found.options[-1] == unsure[0]
    assert "8 of them are known to be joined" in unsure[0].price_note
    small = planned(MI300X, max_devices=8)[0].options[0]
    assert not small.price_unsure and "joined" not in small.price_note


def test_no_spot_price_is_above_that_on_demand() -> None:
    found = planned(max_devices=8)[0]
    told = [(o.quantities["spot_usd"].value, o.quantities["rent_usd"].value) for o in found.options]
    known = [(spot, rent) for spot, rent in told if spot is not None and rent is not None]
    assert known and all(spot < rent for spot, rent in known)


def test_the_trace_has_the_price_of_so_many() -> None:
    found, trace = planned(B200, job=LARGE, deadline_days=60, max_devices=384)
    best = found.options[0]
    assert best.devices > 256
    rent, steps = best.quantities["rent_usd"], trace[best.quantities["rent_usd"].trace]
    (last,) = (step for step in steps if step.quantity == "calendar_rent_usd")
    assert last.value == pytest.approx(rent.value, rel=1e-6)
    assert any(step.quantity == "hw_price" and "aws" in step.source for step in steps)


def test_adapters_are_untried_where_only_whole_networks_were_trained() -> None:
    book, lora = (
        KNOWN.published,
        workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e8, method="lora"),
    )
    assert (
        book is not None
        and book.ran("aws_trainium", "decoder")
        and book.ran("nvidia_hopper", "decoder", "lora")
    )
    assert not book.ran("aws_trainium", "decoder", "lora") and book.ran("aws_trainium", "decoder", "pretrain")
    told = PlanLimits(as_of="2026-11-21", deadline_days=30, only=("aws-trainium2",), objective="time")
    found = plan_traced(Question(KNOWN.book, KNOWN.catalogue, lora, told, KNOWN.published))[0]
    assert found.options[0].untried and found.options[0].price_note == "no public price"
