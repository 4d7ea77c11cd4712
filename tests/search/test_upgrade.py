"""What another card in the owned machine gains, and what it takes."""

from __future__ import annotations

import pytest

from advisor.app import load_knowledge
from advisor.data.systems import load_systems
from advisor.search import workload_from_flags
from advisor.search.one import place_of
from advisor.search.systems_upgrade import upgrades

KNOWN = load_knowledge()
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


def test_where_no_system_is_known_the_draw_is_summed() -> None:
    (text, *_) = told("nvidia-rtx-a6000-48gb", 2)
    assert "3 slots" in text and "check the supply" in text


@pytest.mark.parametrize("name", ["nvidia-h100-sxm5-80gb", "apple-m2-ultra-192gb"])
def test_what_has_no_slots_has_no_upgrade(name: str) -> None:
    assert told(name, 1) == ()


def test_a_full_machine_has_none() -> None:
    assert told("nvidia-rtx-4090-24gb", 8) == ()
