"""What is bought: whole systems for modules, prices of dealers, and prices that are otherwise."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from few import shipped_knowledge

from advisor.data.accelerator import Purchase
from advisor.data.read_catalogue import _purchase
from advisor.data.systems import load_systems
from advisor.errors import DataError, UserError
from advisor.schema import Plan, PlanLimits
from advisor.search import workload_from_flags
from advisor.search.plan import Question, plan_traced
from advisor.search.sensitivity import sensitivity

KNOWN = shipped_knowledge()
SYSTEMS = load_systems(KNOWN.folders, KNOWN.catalogue)
JOB = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e9, method="full")


def asked(*only: str, **limits: object) -> Question:
    told = PlanLimits.model_validate(
        {
            "as_of": "2026-11-21",
            "deadline_days": 10,
            "max_devices": 16,
            "acquire": "buy",
            "only": only,
            **limits,
        }
    )
    return Question(KNOWN.book, KNOWN.catalogue, JOB, told, systems=SYSTEMS)


def planned(*only: str, **limits: object) -> Plan:
    return plan_traced(asked(*only, **limits))[0]


def test_modules_are_bought_in_the_cheapest_system_that_has_them() -> None:
    found = planned("nvidia-h100-sxm5-80gb")
    assert [step.option.packages for step in found.scaling] == [8, 16]
    assert found.options[0].system == "1 x dgx-h100"
    assert found.options[0].quantities["purchase_usd"].value == pytest.approx(270_000)
    assert planned("dgx-h100", "nvidia-h100-sxm5-80gb").options == found.options, "it is named twice"
    rented = planned("nvidia-h100-sxm5-80gb", acquire="rent")
    assert {step.option.packages for step in rented.scaling} > {8, 16}


def test_modules_of_no_known_system_are_bought_in_whole_boards_and_cards_by_one() -> None:
    board = planned("nvidia-h20-sxm5-96gb")
    assert {step.option.packages % 8 for step in board.scaling} == {0} and not board.scaling[0].option.system
    assert planned("nvidia-rtx-6000-ada-48gb", max_devices=8).scaling[0].option.packages < 8


def test_what_is_only_rented_is_not_bought() -> None:
    found = planned("nvidia-h100-sxm5-80gb", "p4d-24xlarge", "google-tpu-v5p", "aws-trainium2")
    why = {one.accelerator_id: (one.code, one.why) for one in found.left_out}
    assert {code for code, _ in why.values()} == {"rented"} and len(why) == 3
    assert "p4d-24xlarge" in why["nvidia-a100-sxm4-40gb"][1]
    with pytest.raises(UserError, match="leaves nothing"):
        planned("p5-48xlarge")


def test_a_dealers_price_counts_where_it_is_younger() -> None:
    path = Path("card.toml")
    listed, street = (
        {"usd": 1000, "as_of": "2022-09"},
        {"low_usd": 2000, "high_usd": 4000, "as_of": "2025-08"},
    )
    day = datetime.date(2025, 8, 1)
    assert _purchase(path, listed, street) == Purchase(3000, 2000, 4000, day, "street price")
    assert _purchase(path, {**listed, "as_of": "2025-09"}, street) == Purchase(
        1000, 1000, 1000, datetime.date(2025, 9, 1)
    )
    assert _purchase(path, {}, {}) is None
    with pytest.raises(DataError):
        _purchase(path, {}, {"low_usd": 3000, "high_usd": 2000})
    found = planned("nvidia-rtx-6000-ada-48gb", max_devices=8).options[0]
    assert found.price_note.startswith("street price of 6,887 to 8,449 USD, 2025-07-01")


def test_a_chip_with_its_computer_needs_no_server() -> None:
    entry = KNOWN.catalogue.accelerators["nvidia-gb10-128gb"]
    assert entry.bought is not None
    found = planned("nvidia-gb10-128gb", deadline_days=5000).scaling[0].option
    assert found.quantities["purchase_usd"].value == pytest.approx(entry.bought.usd)


def test_systems_are_dearer_and_cheaper_too() -> None:
    question = asked("dgx-h100", max_devices=8)
    costs = [one.cost_usd for one in sensitivity(question, plan_traced(question)[0])[:4]]
    dearer, all_dearer, cheaper, all_cheaper = costs
    assert dearer is not None and cheaper is not None and dearer > 1.2 * cheaper
    assert (dearer, cheaper) == (all_dearer, all_cheaper)


def test_boards_of_more_devices_than_are_planned_are_told_as_that() -> None:
    (one,) = planned("intel-max-1550-128gb").left_out
    assert (one.code, one.change) == ("unknown", "Another accelerator.")
    assert one.why == "It is sold 12 devices at a time, and at most 8 are planned."
