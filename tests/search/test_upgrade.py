"""What another card in the owned machine gains, and what it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from few import shipped_knowledge

from advisor.data.systems import load_systems
from advisor.schema import Device, Fact, Machine, Status
from advisor.search import workload_from_flags
from advisor.search.grid import Stated
from advisor.search.one import estimate_one, place_of
from advisor.search.systems import slot_inputs
from advisor.search.systems_upgrade import upgrades

KNOWN = shipped_knowledge()
SYSTEMS = load_systems(KNOWN.folders, KNOWN.catalogue)
LORA = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e8, method="lora")


def told(name: str, count: int, model: str = "llama-3-8b", method: str = "lora") -> tuple[str, ...]:
    job = workload_from_flags(KNOWN.catalogue, model, tokens=1e8, method=method)
    place = place_of(KNOWN.catalogue.accelerators[name], count)
    return upgrades(KNOWN.book, KNOWN.catalogue, job, [place], SYSTEMS, KNOWN.published)


def test_a_second_card_gains_and_needs_supply_and_lanes() -> None:
    (text,) = told("nvidia-rtx-4090-24gb", 1)
    assert "2 x NVIDIA GeForce RTX 4090" in text and "times as fast" in text
    gain = float(text.split(" times as fast")[0].rsplit(" ", 1)[1])
    assert 1.2 < gain <= 2.0
    assert "1.17 kW" in text and "1600 W" in text and "x8 lanes" in text


def test_a_machine_with_too_little_memory_for_the_job_gains_what_it_could_not_do() -> None:
    """179 GiB of weights and states go to the host: what such a card can do is not what this machine can."""
    job = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e8, method="full")
    place = place_of(KNOWN.catalogue.accelerators["nvidia-rtx-4090-24gb"], 1)
    for ram, lacks in ((64 << 30, True), (512 << 30, False)):
        bare = Machine(probed_at="2026-11-21T00:00:00+00:00")
        memory = bare.memory.model_copy(
            update={"total_bytes": Fact(value=ram, status=Status.ok, source="test")}
        )
        own = bare.model_copy(update={"memory": memory})
        (text,) = upgrades(KNOWN.book, KNOWN.catalogue, job, [place], SYSTEMS, KNOWN.published, own)
        assert ("does not run for want of host memory" in text) is lacks
        assert ("times as fast" in text) is not lacks


def test_where_no_system_is_known_the_draw_is_summed() -> None:
    (text, *_) = told("nvidia-rtx-a6000-48gb", 2)
    # 3 x 300 W and 300 W for the rest, of a supply that is used to 80 %
    assert "3 slots" in text and "1.2 kW" in text and "about 1500 W" in text


@pytest.mark.parametrize("name", ["nvidia-h100-sxm5-80gb", "apple-m2-ultra-192gb"])
def test_what_has_no_slots_has_no_upgrade(name: str) -> None:
    assert told(name, 1) == ()


def test_a_full_machine_has_none() -> None:
    assert told("nvidia-rtx-4090-24gb", 8) == ()


def test_fewer_lanes_slow_what_all_cards_must_know() -> None:
    """Gradients of all weights cross the slots in each step. Of x16 cards without a link of their own reach a
    part alone, so that only narrow slots are what bounds them."""
    entry = KNOWN.catalogue.accelerators["nvidia-rtx-4090-24gb"]
    job = workload_from_flags(KNOWN.catalogue, "gpt2-355m", tokens=1e8, method="full", batch=4)
    place = place_of(entry, 2)
    times = []
    for lanes in (16, 4, 2):
        wired = replace(place, inputs=place.inputs.update(slot_inputs(entry, lanes, 4)))
        estimate = estimate_one(KNOWN.book, job, wired, Stated(), KNOWN.published).estimate
        times.append(estimate.quantities["optimizer_step_s"].value or 0.0)
    assert 0 < times[0] < times[1] < times[2] < 4 * times[0]


def test_slots_of_the_machine_count_where_no_workstation_is_listed() -> None:
    def known(value: Any) -> Fact[Any]:
        return Fact(value=value, status=Status.ok, source="test")

    card = Device(vendor="nvidia", pcie_slot_width=known(4), pcie_slot_gen=known(3), pcie_gen_max=known(4))
    machine = Machine(probed_at="2026-11-21T00:00:00Z", devices=(card,))
    place = place_of(KNOWN.catalogue.accelerators["nvidia-rtx-a6000-48gb"], 1)
    (text,) = upgrades(KNOWN.book, KNOWN.catalogue, LORA, [place], SYSTEMS, KNOWN.published, machine)
    assert "2 slots of x4 lanes" in text


def test_a_card_with_a_link_of_its_own_does_not_talk_over_its_slot() -> None:
    assert not slot_inputs(KNOWN.catalogue.accelerators["nvidia-h100-sxm5-80gb"], 16, 5).values


def test_twice_the_cards_are_not_told_as_more_than_twice_as_fast_in_the_same_layout() -> None:
    for text in (*told("nvidia-rtx-4090-24gb", 1), *told("nvidia-rtx-3090-24gb", 2)):
        gain = float(text.split(" times as fast")[0].rsplit(" ", 1)[1])
        assert gain <= 2.0


def test_what_the_host_must_hold_is_told() -> None:
    (text, *_) = told("nvidia-rtx-3090-24gb", 2, method="full")
    assert "of host memory" in text
