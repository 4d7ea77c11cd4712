"""Devices whose 16-bit rate nobody here knows: computed in 32 bits, and behind all others whatever ranks."""

from __future__ import annotations

import pytest
from few import shipped_knowledge

from advisor.schema import Plan, PlanLimits
from advisor.search import workload_from_flags
from advisor.search.plan import Question, plan_traced
from advisor.search.plan_left import why_not

KNOWN = shipped_knowledge()
LORA = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e8, method="lora")
UNRATED, RATED = "nvidia-h800-pcie-80gb", "nvidia-t4-16gb"


def planned(*only: str, job: object = LORA, **limits: object) -> Plan:
    told = PlanLimits.model_validate({"as_of": "2026-11-21", "deadline_days": 100, "only": only, **limits})
    return plan_traced(Question(KNOWN.book, KNOWN.catalogue, job, told, KNOWN.published))[0]  # type: ignore[arg-type]


def test_the_catalogue_has_such_a_device() -> None:
    entry = KNOWN.catalogue.accelerators[UNRATED]
    assert not {"fp16", "bf16"} & set(entry.peaks), f"{UNRATED} has a peak now: take another for these tests"


@pytest.mark.parametrize("objective", ["cost", "time", "energy"])
def test_it_comes_last_marked_and_leads_nothing(objective: str) -> None:
    found = planned(UNRATED, "nvidia-l20-48gb", "nvidia-l40s-48gb", objective=objective)
    assert [one.unrated for one in found.options] == [False, False, True]
    told = [*found.best.values(), *found.front]
    assert told and not any(one.unrated for one in told)
    assert "no 16-bit peak of it is known here" in why_not(found, KNOWN.catalogue, UNRATED)


def test_even_one_that_is_slower_and_cheaper_to_hold_goes_before_it() -> None:
    """A T4 takes longer than 32 bits of an H800; what is not known is no reason to recommend."""
    found = planned(UNRATED, RATED, objective="time")
    late = {one.accelerator_id: one.quantities["calendar_at_s"].value or 0.0 for one in found.options}
    assert late[RATED] > late[UNRATED]
    assert [one.accelerator_id for one in found.options] == [RATED, UNRATED]


def test_alone_it_is_an_answer_that_says_so() -> None:
    found = planned(UNRATED)
    assert found.options[0].unrated and found.front


def test_who_asks_for_32_bits_compares_like_with_like() -> None:
    job = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e8, method="lora", precision="fp32")
    assert not any(one.unrated for one in planned(UNRATED, "nvidia-l40s-48gb", job=job).options)
