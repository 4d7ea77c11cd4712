"""Quotes: read line by line, sums with and without VAT; every wrong line named with file, key and value."""

from __future__ import annotations

from pathlib import Path

import pytest
from few import shipped_knowledge

from advisor.data.quotes import Quote, read_quote
from advisor.data.systems import load_links, load_systems
from advisor.errors import DataError

KNOWN = shipped_knowledge()
SYSTEMS, LINKS = load_systems(KNOWN.folders, KNOWN.catalogue), load_links(KNOWN.folders)

WHOLE = """seller = "Alpha"
currency = "EUR"
vat = 0.19
delivery = "12 week"
valid_until = "2027-01-31"
[[item]]
kind = "nodes"
system = "dgx-h100"
count = 4
unit_price = 260000
[[item]]
kind = "switches"
count = 2
unit_price = 60000
"""


def read(tmp_path: Path, text: str = WHOLE) -> Quote:
    path = tmp_path / "a.toml"
    path.write_text(text, encoding="utf-8")
    return read_quote(path, KNOWN.catalogue, SYSTEMS, LINKS)


def test_sums_and_what_a_system_knows(tmp_path: Path) -> None:
    quote = read(tmp_path)
    assert quote.net == 4 * 260000 + 2 * 60000
    node = quote.of("nodes")[0]
    assert (node.accelerators, node.power_w, node.rack_units) == (8, 10200, 8)


def test_prices_with_vat_in_them_are_told_without(tmp_path: Path) -> None:
    quote = read(tmp_path, WHOLE.replace("vat = 0.19", "vat = 0.19\nvat_included = true"))
    assert quote.net == pytest.approx((4 * 260000 + 2 * 60000) / 1.19)


def test_what_the_quote_says_goes_before_the_system(tmp_path: Path) -> None:
    quote = read(tmp_path, WHOLE.replace("count = 4", 'count = 4\npower = "9 kW"\nnetwork = "ethernet-10"'))
    node = quote.of("nodes")[0]
    assert node.power_w == 9000
    assert node.network is not None and node.network.id == "ethernet-10" and node.ports == 1


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("unit_price = 260000", "unit_price = -1", "below zero"),
        ("unit_price = 260000", 'unit_price = "260000"', "unit_price"),
        ("unit_price = 260000", "unit_price = nan", "unit_price"),
        ("count = 4", "count = 0", "count"),
        ("count = 4", "count = 4.5", "count"),
        ('"dgx-h100"', '"dgx-h10"', "dgx-h100"),
        ('kind = "nodes"', 'kind = "node"', "nodes"),
        ('kind = "nodes"', 'kind = "other"', "nodes"),
        ("vat = 0.19", "vat = 19", "0.19"),
        ("vat = 0.19", "vat_included = true", "vat"),
        ('delivery = "12 week"', "delivery = 12", "delivery"),
        ('valid_until = "2027-01-31"', 'valid_until = "soon"', "valid_until"),
        ('currency = "EUR"', "", "currency"),
        ('seller = "Alpha"', 'saler = "Alpha"', "seller"),
        ("count = 4", 'count = 4\naccelerator = "nvidia-t4-16gb"', "nvidia-h100-sxm5-80gb"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in WHOLE
    with pytest.raises(DataError) as error:
        read(tmp_path, WHOLE.replace(old, new, 1))
    assert "a.toml" in error.value.message
    assert told in error.value.message + error.value.hint


def test_quotes_of_several_accelerators_or_of_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="several"):
        read(tmp_path, WHOLE + '[[item]]\nkind = "nodes"\nsystem = "dgx-h200"\n')
    with pytest.raises(DataError, match="without accelerators"):
        read(tmp_path, WHOLE.replace('system = "dgx-h100"', 'system = "cpu-server-epyc-9654"'))
    with pytest.raises(DataError, match="no lines"):
        read(tmp_path, 'currency = "USD"\n')
