"""What the catalogue shows and recommends: memory, packages, the reach of cards without links."""

from __future__ import annotations

import pytest

from advisor.data.catalogue import Catalogue, figures_of, load_catalogue
from advisor.data.files import shipped
from advisor.estimate import evaluate
from advisor.rulebook import RuleBook, load_book
from advisor.schema import Estimate
from advisor.search import estimates_catalogue
from advisor.search.inputs import known_only, of_accelerator, table_of


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load_book([shipped("rules")])


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def everywhere(book: RuleBook, catalogue: Catalogue) -> list[Estimate]:
    return estimates_catalogue(book, catalogue, catalogue.workloads)[0]


def test_memory_shown_is_what_fits_is_judged_by(book: RuleBook, catalogue: Catalogue) -> None:
    entries = [e for e in catalogue.accelerators.values() if e.own_memory_bounds and e.memory_bytes]
    table = table_of(book, [known_only(book, of_accelerator(entry)) for entry in entries])
    table = evaluate(book, table, ("memory_usable",))
    for at, entry in enumerate(entries):
        shown = figures_of(entry).figures["memory_bytes"].value
        assert shown == pytest.approx(table.value("memory_usable", at)), entry.id
