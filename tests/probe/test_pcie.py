"""PCIe devices of a recorded tree, and the slots they sit in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine_trees import ask, plant, value

from advisor.probe import pcie


@pytest.fixture
def rows(tmp_path: Path) -> dict[str, dict[str, Any]]:
    part = ask(pcie, plant("pcie-tree", tmp_path))[0]
    return {row["address"]: row for row in value(part["pcie"])}


def test_only_what_matters_is_listed(rows: dict[str, dict[str, Any]]) -> None:
    assert {address: row["kind"] for address, row in rows.items()} == {
        "0000:41:00.0": "gpu",
        "0000:81:00.0": "gpu",
        "0000:a1:00.0": "storage",
        "0000:38:00.0": "network",  # and not its virtual function
        "0000:c1:00.0": "accelerator",
    }


def test_the_slot_is_the_narrowest_bridge_above(rows: dict[str, dict[str, Any]]) -> None:
    card = rows["0000:41:00.0"]
    assert (value(card["max_speed_gts"]), value(card["max_width"])) == (32.0, 16)
    assert (value(card["slot_speed_gts"]), value(card["slot_width"])) == (16.0, 8)
    assert card["slot_width"]["reason"] == "bridge 0000:40:01.1"
    assert (card["vendor_id"], card["device_id"], card["class_code"]) == ("10de", "2330", "0302")
    assert (value(card["numa_node"]), card["driver"]) == (1, "nvidia")


def test_an_idle_link_keeps_its_maximum(rows: dict[str, dict[str, Any]]) -> None:
    card = rows["0000:81:00.0"]
    assert value(card["current_speed_gts"]) == 2.5
    assert (value(card["max_speed_gts"]), value(card["slot_speed_gts"])) == (16.0, 32.0)
    assert value(card["numa_node"]) is None


def test_unknown_links_are_not_figures(rows: dict[str, dict[str, Any]]) -> None:
    disk = rows["0000:a1:00.0"]
    for key in ("max_speed_gts", "max_width", "current_width", "slot_speed_gts", "slot_width"):
        assert value(disk[key]) is None


def test_an_emulated_bridge_says_nothing_of_the_slot(rows: dict[str, dict[str, Any]]) -> None:
    fact = rows["0000:c1:00.0"]["slot_width"]
    assert value(fact) is None and "emulated" in fact["reason"]


def test_width_and_speed_come_from_the_same_bridge() -> None:
    bridges = [
        {
            "address": "0000:01:00.0",
            "vendor": "1022",
            "max_link_speed": "32.0 GT/s PCIe",
            "max_link_width": "8",
        },
        {
            "address": "0000:00:01.0",
            "vendor": "1022",
            "max_link_speed": "8.0 GT/s PCIe",
            "max_link_width": "16",
        },
    ]
    speed, width = pcie.slot(bridges)
    assert (value(speed), value(width)) == (8.0, 16)  # 128 GT/s together, the other 256


@pytest.mark.parametrize(
    ("code", "kind"), [("0300", "gpu"), ("0380", "gpu"), ("0108", "storage"), ("0106", ""), ("", "")]
)
def test_kinds(code: str, kind: str) -> None:
    assert pcie.kind_of(code) == kind


@given(st.text(max_size=20), st.text(max_size=8))
def test_no_link_text_breaks_the_parser(speed: str, width: str) -> None:
    for fact in (pcie._speed(speed, "s"), pcie._width(width, "s"), *pcie.slot([{"max_link_speed": speed}])):
        assert value(fact) is None or fact["value"] > 0


def test_a_machine_without_pci(tmp_path: Path) -> None:
    assert pcie.present(tmp_path) == ""
    assert value(ask(pcie, tmp_path)[0]["pcie"]) is None


def test_a_card_whose_registers_hang_costs_its_own_link(tmp_path: Path) -> None:
    hung = "/sys/bus/pci/devices/0000:41:00.0: link"
    part = ask(pcie, plant("pcie-tree", tmp_path), hung)[0]
    rows = {row["address"]: row for row in value(part["pcie"])}
    assert rows["0000:41:00.0"]["max_width"]["status"] == "timeout"
    assert rows["0000:41:00.0"]["device_id"] == "2330"
    assert value(rows["0000:81:00.0"]["max_width"]) == 16


def test_what_was_said_before_a_crash_is_kept(tmp_path: Path) -> None:
    _, raw = ask(pcie, plant("pcie-tree", tmp_path))
    kept = dict(list(raw.items())[:2])
    fact = pcie.parse(kept)["pcie"]
    assert len(value(fact)) == 2 and "cut short" in fact["reason"]
