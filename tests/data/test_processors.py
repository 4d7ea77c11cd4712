"""Processors by socket: peaks from cores, clock and units; unknown stays unknown, with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.data.catalogue import load_catalogue
from advisor.data.processors import load_processors
from advisor.data.resolve import entry_of, resolve_device
from advisor.errors import DataError

ONE = """
[operations_per_cycle.fp32]
wide = 64
[sources]
cycle = "a manual"
[[processor]]
id = "cpu-x"
title = "X"
cores = {cores}
clock = "{clock}"
fp32_unit = "{unit}"
source = "a list"
"""


def write(tmp_path: Path, cores: str = "10", clock: str = "2 GHz", unit: str = "wide") -> Path:
    path = tmp_path / "sockets.toml"
    path.write_text(ONE.format(cores=cores, clock=clock, unit=unit), "utf-8")
    return path


def test_a_peak_is_cores_by_clock_by_operations(tmp_path: Path) -> None:
    entry = load_processors(write(tmp_path))["cpu-x"]
    assert entry.peaks == {"fp32": pytest.approx(10 * 2e9 * 64)}
    assert (entry.vendor, entry.generation, entry.compute_units) == ("cpu", "cpu", 10)
    assert "a manual" in entry.source_of("peak")


def test_amx_is_sixteen_times_the_vector_unit() -> None:
    xeon = load_processors()["cpu-intel-platinum-8480-plus"]
    assert xeon.peaks["bf16"] / xeon.peaks["fp32"] == pytest.approx(16)


def test_every_processor_has_a_peak_or_the_reason_why_not() -> None:
    entries = load_processors()
    assert len(entries) >= 48
    assert [key for key, entry in entries.items() if bool(entry.peaks) == bool(entry.notes)] == []
    assert "of two kinds" in entries["cpu-intel-i9-13900k"].notes
    assert all(entry.source_of("memory_bandwidth") for entry in entries.values())


@pytest.mark.parametrize(
    ("cores", "clock", "unit", "said"),
    [("0", "2 GHz", "wide", "cores"), ("10", "", "wide", "clock"), ("10", "2 GHz", "wid", "wide")],
)
def test_a_wrong_file_is_named_with_key_and_value(
    tmp_path: Path, cores: str, clock: str, unit: str, said: str
) -> None:
    with pytest.raises(DataError) as caught:
        load_processors(write(tmp_path, cores, clock, unit))
    assert said in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("vendor", "text", "entry"),
    [
        ("cpu", "Intel Xeon Platinum 8480+ @ 2.00GHz", "cpu-intel-platinum-8480-plus"),
        ("intel", "Xeon Platinum 8480", "cpu-intel-platinum-8480-plus"),
        ("amd", "AMD EPYC 9654 96-Core Processor", "cpu-amd-epyc-9654"),
        ("cpu", "Xeon Platinum 8380H", None),
        ("cpu", "Intel Xeon code named Sapphire Rapids", None),
    ],
)
def test_names_of_sockets(vendor: str, text: str, entry: str | None) -> None:
    assert resolve_device(vendor, text).id == entry


def test_an_id_gives_its_entry_whichever_file_holds_it() -> None:
    catalogue = load_catalogue()
    assert entry_of("nvidia-t4-16gb", catalogue) is catalogue.accelerators["nvidia-t4-16gb"]
    assert entry_of("cpu-intel-platinum-8480-plus", catalogue).generation == "cpu"
    assert "cpu-intel-platinum-8480-plus" not in catalogue.accelerators
