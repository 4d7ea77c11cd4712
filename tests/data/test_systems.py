"""Systems: whole, sourced, of accelerators that are known; wrong files named with file, key and nearest."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import shipped
from advisor.data.systems import FIGURES, System, load_systems, wanted_system
from advisor.errors import DataError, UserError

FOLDER = shipped("rules")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def systems(catalogue: Catalogue) -> dict[str, System]:
    return load_systems([FOLDER], catalogue)


def test_what_is_bought_is_there(systems: dict[str, System]) -> None:
    for name in ("nvl72", "dgx-a100", "dgx-h100", "dgx-h200", "dgx-b200", "hgx-h100", "mi300x-8", "mi355x-8",
                 "gaudi3-8", "atlas-800-a2", "atlas-800-a3", "cs-3", "mac-studio", "dgx-spark",
                 "trn2-48xlarge", "tpu-v5p-4", "cpu-server-epyc-9654"):  # fmt: skip
        assert wanted_system(systems, name)
    cards = {one.accelerators for one in systems.values() if one.kind == "workstation"}
    assert cards == {1, 2, 3, 4}


def test_every_figure_is_sourced_or_unknown_for_a_reason(systems: dict[str, System]) -> None:
    for one in systems.values():
        for figure in FIGURES:
            assert bool(one.unknown.get(figure)) != bool(one.cites.get(figure)), (one.id, figure)


def test_what_it_draws_is_more_than_its_accelerators_and_less_than_its_supply(
    systems: dict[str, System], catalogue: Catalogue
) -> None:
    for one in systems.values():
        if one.power_w is None or not one.accelerator:
            continue
        tdp = catalogue.accelerators[one.accelerator].tdp_w
        if tdp is not None:
            assert one.accelerators * tdp * 0.95 <= one.power_w <= one.accelerators * tdp * 2.5, one.id
        if one.kind == "workstation":
            count, _, watts = one.power_supply.rpartition(" x ")
            assert one.power_w <= float(watts.removesuffix(" W")) * int(count or 1), one.id


def test_aliases_and_ids_name_one_system_each(systems: dict[str, System]) -> None:
    names = [name for one in systems.values() for name in (one.id, *one.aliases)]
    assert len(names) == len(set(names))


def test_an_unknown_name_gives_the_nearest(systems: dict[str, System]) -> None:
    with pytest.raises(UserError) as error:
        wanted_system(systems, "dgx-h10")
    assert "dgx-h100" in error.value.hint


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('link = "infiniband-ndr"', 'link = "infiniband-ndx"', "infiniband-ndr"),
        ('accelerator = "nvidia-h100-sxm5-80gb"', 'accelerator = "nvidia-h100"', "accelerator"),
        ('power = "10.2 kW"', "", "power"),
        ('power = "10.2 kW"', 'power = "10.2"', "power"),
        ('power = "10.2 kW"', 'power = "-3 kW"', "power"),
        ("low = 270000", "low = 280000", "price"),
        ('ram = ["s1"]', 'ram = ["s9"]', "cites.ram"),
        ('kind = "server"', 'kind = "serwer"', "kind"),
        ("rack_units = 8", "rackunits = 8", "rack_units"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, catalogue: Catalogue, old: str, new: str, told: str) -> None:
    text = (FOLDER / "systems" / "dgx-h100.toml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "systems").mkdir()
    (tmp_path / "systems" / "own.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError) as error:
        load_systems([FOLDER, tmp_path], catalogue)
    assert "own.toml" in error.value.message
    assert told in error.value.message + error.value.hint


def test_what_was_not_read_again_is_no_more_than_what_is_told(systems: dict[str, System]) -> None:
    unread = {one.id for one in systems.values() if one.unread}
    assert unread <= {"tpu-v5e-8", "tpu-v5p-4"}
    for one in systems.values():
        assert not one.sources.keys() - {key for keys in one.cites.values() for key in keys}, one.id
