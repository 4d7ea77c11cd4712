"""A machine that is there already, beside a plan: the same search, its own memory, the same deadline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.app import load_knowledge
from advisor.cli.tell_plan import _tell_owned
from advisor.schema import Fact, Machine, PlanLimits, Status
from advisor.search import workload_from_flags
from advisor.search.grid import NOTHING_STATED
from advisor.search.here import Place
from advisor.search.one import estimate_one, place_of
from advisor.search.owned import owned

KNOWN = load_knowledge()
FULL = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e8, method="full")
CARDS = place_of(KNOWN.catalogue.accelerators["nvidia-rtx-3090-24gb"], 4)


def machine(ram: int) -> Machine:
    told = Fact(value=ram, status=Status.ok, source="test")
    bare = Machine(probed_at="2026-11-21T00:00:00+00:00")
    return bare.model_copy(update={"memory": bare.memory.model_copy(update={"total_bytes": told})})


def here(place: Place) -> Place:
    return replace(place, target=place.target.model_copy(update={"here": True, "label": "this machine"}))


def test_it_takes_what_an_estimate_of_it_says_states_in_its_memory_too() -> None:
    found = owned(KNOWN.book, FULL, [here(CARDS)], machine(256 << 30), KNOWN.published)
    alone = estimate_one(KNOWN.book, FULL, CARDS, NOTHING_STATED, KNOWN.published).estimate
    (one,) = found.estimates
    assert one.fits and one.choices["offload"] == "optimizer" == alone.choices["offload"]
    assert one.quantities["calendar_s"].value == alone.quantities["calendar_s"].value
    assert one.quantities["calendar_s"].trace in found.trace and not found.told


def test_less_memory_than_is_offloaded_is_told() -> None:
    (told,) = owned(KNOWN.book, FULL, [here(CARDS)], machine(64 << 30), KNOWN.published).told
    assert told.startswith("this machine: it has 64 GiB of memory, less than the 135 GiB")


def test_a_layout_that_cannot_be_is_told_and_no_estimate() -> None:
    few = workload_from_flags(KNOWN.catalogue, "resnet-50", tokens=1e8, batch=2)
    found = owned(KNOWN.book, few, [here(CARDS)], machine(256 << 30), KNOWN.published)
    assert not found.estimates and "smaller than one step needs" in found.told[0]


@pytest.mark.parametrize(("days", "chance"), [(100.0, ">99%"), (1e-3, "<1%")])
def test_its_time_is_held_to_the_deadline(
    capsys: pytest.CaptureFixture[str], days: float, chance: str
) -> None:
    found = owned(KNOWN.book, FULL, [here(CARDS)], machine(256 << 30), KNOWN.published)
    _tell_owned(found.estimates, PlanLimits(deadline_days=days))
    told = " ".join(capsys.readouterr().out.split())
    assert "as likely as not" in told and "with 90% probability; chance of" in told
    assert told.endswith(f"{chance}.")
