"""Export rules: the rows' own examples come out as the rules say, and no row goes without day and source."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.export import (
    DISCLAIMER,
    export_note,
    load_export,
    needs_licence,
    performance_density,
    processing_performance,
    read_export,
)
from advisor.data.files import read_toml, shipped
from advisor.errors import DataError
from advisor.render.texts import terminal_texts

FILE = shipped("rules") / "export" / "united-states.toml"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def made(peaks: dict[str, float], name: str = "nvidia-new") -> Accelerator:
    return Accelerator(name, name, "nvidia", "", Path("x.toml"), peaks=peaks)


@pytest.mark.parametrize(("kind", "rate"), [("int8", 600e12), ("bf16", 300e12)])
def test_the_rule_s_own_example_meets_the_threshold(kind: str, rate: float) -> None:
    assert processing_performance(made({kind: rate})) == pytest.approx(4800)
    assert needs_licence(made({kind: rate}))
    assert not needs_licence(made({kind: rate * 0.99}))


@pytest.mark.parametrize(
    ("name", "eccn"),
    [
        ("nvidia-h100-sxm5-80gb", "3A090.a"),
        ("nvidia-a800-sxm4-80gb", "3A090.a"),
        ("nvidia-l4-24gb", "3A090.a"),
        ("nvidia-l40-48gb", "3A090.b"),
        ("nvidia-a30-24gb", "3A090.b"),
        ("nvidia-a40-48gb", "3A090.b"),
        ("amd-mi300x-192gb", "3A090.a"),
        ("nvidia-rtx-4090-24gb", "3A090.a"),
    ],
)
def test_products_that_a_row_names(catalogue: Catalogue, name: str, eccn: str) -> None:
    entry = catalogue.accelerators[name]
    assert needs_licence(entry)
    assert f"ECCN {eccn} " in export_note(entry)


@pytest.mark.parametrize(
    "name",
    [
        "nvidia-l20-48gb", "nvidia-v100-sxm2-32gb", "nvidia-t4-16gb", "nvidia-a10-24gb",  # by their density
        "nvidia-rtx-3090-24gb", "nvidia-rtx-4090-d-24gb", "nvidia-rtx-4080-16gb",  # not for data centres
        "huawei-ascend-910c-128gb",  # not of the United States
    ],
)  # fmt: skip
def test_products_that_no_row_names(catalogue: Catalogue, name: str) -> None:
    assert not needs_licence(catalogue.accelerators[name])


def test_a_letter_asks_for_a_licence_where_no_threshold_does(catalogue: Catalogue) -> None:
    h20 = catalogue.accelerators["nvidia-h20-sxm5-96gb"]
    assert needs_licence(h20) and "2025-04-09" in export_note(h20)


def test_what_is_judged_case_by_case_is_what_the_rule_names(catalogue: Catalogue) -> None:
    judged = {key for key, one in catalogue.accelerators.items() if "case by case" in export_note(one)}
    assert judged >= {"nvidia-h200-sxm-141gb", "amd-mi325x-256gb", "nvidia-h100-sxm5-80gb"}
    assert not judged & {"nvidia-b200-sxm-180gb", "amd-mi355x-288gb", "nvidia-t4-16gb"}


def test_an_unknown_area_leaves_it_open_and_no_more(catalogue: Catalogue) -> None:
    tpu = catalogue.accelerators["google-tpu-v4"]
    assert performance_density(tpu) is None and not needs_licence(tpu)
    assert "the area of its dies" in export_note(tpu)


def test_every_note_says_that_it_is_no_legal_advice(catalogue: Catalogue) -> None:
    notes = [export_note(entry) for entry in catalogue.accelerators.values()]
    assert sum(map(bool, notes)) >= 20
    assert all(note.endswith(DISCLAIMER) for note in notes if note)
    assert "Not legal advice" in DISCLAIMER


def test_what_the_rows_name_is_in_the_catalogue(catalogue: Catalogue) -> None:
    export = load_export()
    for name in (*export.told, *export.risks, *export.areas):
        assert name in catalogue.accelerators
    for beginning in (*export.consumer, *export.servers):
        assert any(key.startswith(beginning) for key in catalogue.accelerators), beginning
    vendors = {entry.vendor for entry in catalogue.accelerators.values()}
    assert export.vendors <= vendors


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('since = "2023-11-17"', "", "since"),
        ('since = "2023-11-17"', 'since = "soon"', "since"),
        ("min_performance = 4800", "", "min_performance"),
        ("min_performance = 4800", "min_perfomance = 4800", "min_performance"),
        ("area_mm2 = 826", "area_mm2 = 0", "area_mm2"),
        ('below_bandwidth = "6500 GB/s"', 'below_bandwidth = "6500 GB"', "below_bandwidth"),
        ('day = "2026-05-31"', "", "day"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_export(path, read_toml(path))
    assert "own.toml" in error.value.message and told in error.value.message + error.value.hint


def test_each_note_is_told_whole_in_chinese(catalogue: Catalogue) -> None:
    sentences, *_ = terminal_texts("zh")
    for entry in catalogue.accelerators.values():
        left: dict[str, None] = {}
        assert not sentences.tell(export_note(entry), left).isascii() or not export_note(entry)
        assert not left, (entry.id, list(left))
