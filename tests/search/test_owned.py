"""A machine that is there already, beside a plan: the same search, its own memory, the same deadline."""

from __future__ import annotations

from dataclasses import replace

import pytest
from few import shipped_knowledge

from advisor.cli.tell_plan import _tell_owned
from advisor.schema import Estimate, Fact, Machine, Plan, PlanLimits, PlanOption, Quantity, Status, Target
from advisor.search import workload_from_flags
from advisor.search.grid import NOTHING_STATED
from advisor.search.here import Place
from advisor.search.one import estimate_one, place_of
from advisor.search.owned import owned, ranked

KNOWN = shipped_knowledge()
FULL = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e8, method="full")
CARDS = place_of(KNOWN.catalogue.accelerators["nvidia-rtx-3090-24gb"], 4)


def machine(ram: int) -> Machine:
    told: Fact[int] = Fact(value=ram, status=Status.ok, source="test")
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


def _plan(*costs: float | None, **limits: object) -> Plan:
    options = tuple(
        PlanOption(
            accelerator_id=f"x{at}", label=f"1 x x{at}", devices=1, packages=1,
            quantities={
                "rent_usd": Quantity(value=cost, unit="USD"), "calendar_at_s": Quantity(value=cost, unit="s"),
                "energy_j": Quantity(value=cost, unit="J"),
            },
        )
        for at, cost in enumerate(costs)
    )  # fmt: skip
    return Plan(workload="own", limits=PlanLimits.model_validate(limits), options=options)


def _there(**more: object) -> Estimate:
    figures = {
        "calendar_s": Quantity(value=36000.0, low=30000.0, high=40000.0, unit="s"),
        "calendar_energy_j": Quantity(value=10 * 3.6e6, unit="J"),  # 10 kWh
    }
    target = Target(label="this machine", accelerator_id="x", here=True)
    return Estimate(workload="own", target=target, fits=True, quantities=figures).model_copy(update=more)


@pytest.mark.parametrize(
    ("plan", "place"),
    [
        (_plan(0.5, 3.0, None), "cost it would be option 2 of 4"),  # electricity of USD 1.10
        (_plan(0.5, 0.6), "cost it would be option 3 of 3"),
        (_plan(2.0, None), "cost it would be option 1 of 3"),
        (_plan(100.0, 5e4, objective="time"), "time it would be option 2 of 3"),
        (_plan(1e6, 1e8, objective="energy"), "energy it would be option 2 of 3"),
        (_plan(0.5, 3.0, assumed={"electricity_price": Quantity(value=0.4 / 3.6e6, unit="USD/J")}), "3 of 3"),
    ],
)
def test_it_is_ranked_by_what_it_still_costs(plan: Plan, place: str) -> None:
    (told,) = ranked(KNOWN.book, plan, [_there()], machine(64 << 30))
    assert told.startswith("this machine keeps to the deadline, with electricity of USD ")
    assert told.endswith(f"{place}.")


def test_what_misses_the_deadline_is_no_option_and_what_cannot_hold_the_job_is_not_ranked() -> None:
    (late,) = ranked(KNOWN.book, _plan(1.0, deadline_days=0.45), [_there()], machine(64 << 30))
    assert late.startswith("this machine is no option: with 90% probability it takes up to 11")
    offloads = {**_there().quantities, "host_bytes": Quantity(value=100 * 2.0**30, unit="B")}
    assert ranked(KNOWN.book, _plan(1.0), [_there(fits=False)], machine(64 << 30)) == ()
    assert ranked(KNOWN.book, _plan(1.0), [_there(quantities=offloads)], machine(64 << 30)) == ()
    assert len(ranked(KNOWN.book, _plan(1.0), [_there(quantities=offloads)], machine(128 << 30))) == 1
