"""What the catalogue shows and recommends: memory, packages, the reach of cards without links."""

from __future__ import annotations

import pytest

from advisor.data.catalogue import Catalogue, figures_of, load_catalogue
from advisor.data.files import shipped
from advisor.estimate import evaluate
from advisor.estimate.inputs import known_only, of_accelerator, table_of
from advisor.published import FILE, load_published
from advisor.rulebook import RuleBook, load_book
from advisor.schema import Estimate
from advisor.search import estimates_catalogue


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load_book([shipped("rules")])


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def everywhere(book: RuleBook, catalogue: Catalogue) -> list[Estimate]:
    published = load_published(shipped("rules") / FILE)
    return estimates_catalogue(book, catalogue, catalogue.workloads, published)[0]


def test_what_a_device_has_not_is_refused_in_a_scan_too(everywhere: list[Estimate]) -> None:
    on_tpu = {e.workload: e for e in everywhere if e.target.accelerator_id == "google-tpu-v5p"}
    refused = on_tpu["8b-qlora-100m"]
    assert (refused.fits, refused.limit, refused.target.devices) == (False, "framework", 1)
    assert refused.why.startswith("qlora does not run on it: that needs 4-bit kernels")
    assert on_tpu["8b-lora-100m"].fits


def test_memory_shown_is_what_fits_is_judged_by(book: RuleBook, catalogue: Catalogue) -> None:
    entries = [e for e in catalogue.accelerators.values() if e.own_memory_bounds and e.memory_bytes]
    table = table_of(book, [known_only(book, of_accelerator(entry)) for entry in entries])
    table = evaluate(book, table, ("memory_usable",))
    for at, entry in enumerate(entries):
        shown = figures_of(entry).figures["memory_bytes"].value
        assert shown == pytest.approx(table.value("memory_usable", at)), entry.id


def test_cards_without_links_are_not_estimated_beyond_a_server(
    catalogue: Catalogue, everywhere: list[Estimate]
) -> None:
    cards = {e.id for e in catalogue.accelerators.values() if e.form_factor == "PCIe"}
    assert {"nvidia-v100-pcie-32gb", "nvidia-h100-pcie-80gb", "nvidia-rtx-4090-24gb"} <= cards
    found = [e for e in everywhere if e.target.accelerator_id in cards]
    assert max(e.target.devices for e in found) == 8
    # where 8 cards do not do, nobody knows about more
    short = [e for e in found if e.workload == "70b-pretrain-15t"]
    assert short and all(e.fits is not True for e in short)
    known = [e for e in short if e.target.accelerator_id == "nvidia-h100-pcie-80gb"]
    assert all(e.fits is None and e.limit == "unknown" for e in known)
    assert all("too few published runs" in e.why[:120] for e in known), "the report prints 120 characters"


def test_large_pretraining_falls_to_devices_with_links(
    catalogue: Catalogue, everywhere: list[Estimate]
) -> None:
    answers = [
        e for e in everywhere if e.workload == "70b-pretrain-15t" and e.purpose == "deadline" and e.fits
    ]
    assert answers
    forms = {catalogue.accelerators[e.target.accelerator_id].form_factor for e in answers}
    assert "PCIe" not in forms and "SXM5" in forms


def test_every_estimate_of_several_devices_says_how_plain_it_is(everywhere: list[Estimate]) -> None:
    for estimate in everywhere:
        told = " ".join(estimate.notes)
        assert ("no tensor or pipeline parallelism" in told and "powers of two" in told) == (
            estimate.target.devices > 1
        )


def test_packages_of_several_devices_are_counted_as_both(
    catalogue: Catalogue, everywhere: list[Estimate]
) -> None:
    found = [e for e in everywhere if e.target.accelerator_id == "aws-trainium2"]
    for estimate in found:
        count, packages = estimate.target.devices, estimate.target.packages
        assert packages == -(-count // 8)
        assert estimate.target.label.startswith(f"{packages:g} x aws-trainium2 ({count} device")
    single = next(e for e in everywhere if e.target.accelerator_id == "nvidia-h100-sxm5-80gb")
    assert single.target.label == f"{single.target.devices} x nvidia-h100-sxm5-80gb"
