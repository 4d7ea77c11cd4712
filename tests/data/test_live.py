"""Rows of today's prices become offers by exact name, memory and instance alone."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from advisor.data.accelerator import Price
from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import shipped
from advisor.data.live import Names, Row, load_names, match, offers_of, write_offers
from advisor.errors import DataError

DAY = datetime.date(2026, 11, 20)
DATED = {"aws": (DAY, "test"), "runpod": (DAY, "test")}
SXM = "nvidia-h100-sxm5-80gb"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def names(catalogue: Catalogue) -> Names:
    return load_names([shipped("rules")], catalogue.accelerators)


def row(**more: Any) -> Row:
    usual: dict[str, Any] = {
        "provider": "aws", "instance": "p5.48xlarge", "region": "us-east-1", "usd_per_hour": 44.0, "gpus": 8,
        "name": "H100", "memory_gb": 80.0, "spot": False,
    }  # fmt: skip
    return Row(**{**usual, **more})


@pytest.mark.parametrize(
    ("given", "meant", "why"),
    [
        ({}, SXM, ""),
        ({"instance": "p5.new"}, "", "SXM, PCIe"),  # an instance like it is not it
        ({"provider": "runpod", "instance": "NVIDIA H100 PCIe"}, "nvidia-h100-pcie-80gb", ""),
        ({"provider": "verda", "instance": "8H100.80S.176V"}, SXM, ""),
        ({"memory_gb": 94.0}, "", "another size"),
        ({"memory_gb": 10.0, "gpus": 1}, "", "another size"),  # a share of one
        ({"memory_gb": None}, "", "not told"),
        ({"name": "H1000"}, "", "no such name"),
        ({"name": "H100NVL", "instance": "x", "memory_gb": 94.0}, "nvidia-h100-nvl-94gb", ""),
        ({"name": "B200", "instance": "x", "memory_gb": 192.0}, "nvidia-b200-sxm-180gb", ""),
        ({"name": "RTX4060Ti", "instance": "x", "memory_gb": 16.0}, "nvidia-rtx-4060-ti-16gb", ""),
        ({"name": "MI325X", "instance": "x", "memory_gb": 288.0}, "", "another size"),
        (
            {"provider": "azure", "instance": "Standard_NV6ads_A10_v5", "name": "A10", "memory_gb": 24.0},
            "", "part",
        ),
    ],
)  # fmt: skip
def test_a_row_is_matched_exactly_or_not_at_all(
    catalogue: Catalogue, names: Names, given: dict[str, Any], meant: str, why: str
) -> None:
    found, reason = match(row(**given), names, catalogue.accelerators)
    assert found == meant
    assert why in reason and bool(reason) == (not meant)


def test_every_name_and_instance_of_the_table_is_of_one_vendor_and_known_memory(
    catalogue: Catalogue, names: Names
) -> None:
    known = catalogue.accelerators
    for name, ids in names.names.items():
        assert len({known[one].vendor for one in ids}) == 1, name
        assert all(known[one].memory_bytes for one in ids), name
    meant = {one for ids in names.names.values() for one in ids}
    for table in names.instances.values():
        assert set(table.values()) <= meant


def test_offers_are_per_package_cheapest_of_a_place_and_the_rest_is_counted(
    catalogue: Catalogue, names: Names
) -> None:
    rows = [
        row(), row(instance="p5.4xlarge", gpus=1, usd_per_hour=6.9), row(usd_per_hour=50.0),
        row(spot=True, usd_per_hour=16.0), row(flags=("gcp-dws-calendar-mode",), usd_per_hour=1.0),
        row(usd_per_hour=0.0, region="x"), row(name="Q9"), row(name="Q9"),
        row(provider="runpod", instance="NVIDIA H100 80GB HBM3", region="CA", gpus=1, usd_per_hour=1.9),
    ]  # fmt: skip
    offers, left = offers_of(rows, names, catalogue.accelerators, DATED)
    told = {(one.provider, one.packages, one.kind): one.price_per_hour for one in offers}
    assert told == {
        ("aws", 8, "on_demand"): 5.5, ("aws", 1, "on_demand"): 6.9, ("aws", 8, "spot"): 2.0,
        ("runpod", 1, "on_demand"): 1.9,
    }  # fmt: skip
    assert [one.instance for one in offers if one.provider == "runpod"] == ["NVIDIA H100 80GB HBM3 community"]
    assert left == {("aws", "Q9", 80.0, "no such name in the catalogue"): 2}


def _best(rules: Path, region: str = "") -> Price | None:
    from advisor.data.offers import in_region

    found = load_catalogue([shipped("rules"), rules])
    return in_region(found, region).accelerators[SXM].rent


def _write(rules: Path, catalogue: Catalogue, names: Names, rows: list[Row], *asked: str) -> list[Path]:
    (rules / "offers").mkdir(exist_ok=True)
    newest = max(price.as_of for price in catalogue.accelerators[SXM].prices if price.as_of)
    day = newest + datetime.timedelta(days=1)
    offers, _ = offers_of(
        rows, names, catalogue.accelerators, {"aws": (day, "test"), "lambdalabs": (day, "t")}
    )
    return write_offers(rules / "offers", offers, asked)


def test_a_written_price_goes_before_the_shipped_one_of_its_provider_region_and_kind(
    tmp_path: Path, catalogue: Catalogue, names: Names
) -> None:
    shipped_aws = [
        p for p in catalogue.accelerators[SXM].prices if (p.provider, p.kind) == ("aws", "on_demand")
    ]
    here = [p for p in shipped_aws if p.region == "us-east-1"]
    assert here, "the shipped offers have one to go before"
    dearer = 8 * 3600 * max(p.usd_per_s for p in here) * 1.5
    _write(tmp_path, catalogue, names, [row(usd_per_hour=dearer, instance="p5.48xlarge")])
    found = load_catalogue([shipped("rules"), tmp_path]).accelerators[SXM].prices
    aws = [p for p in found if (p.provider, p.kind, p.region) == ("aws", "on_demand", "us-east-1")]
    assert len(aws) == 1 and aws[0].usd_per_s * 3600 == pytest.approx(dearer / 8, rel=1e-5)
    assert [p for p in found if p.kind == "reserved"], "another kind stays"
    others = {(p.provider, p.region) for p in shipped_aws} - {("aws", "us-east-1"), ("aws", "")}
    assert others <= {(p.provider, p.region) for p in found}, "other regions stay"
    best = _best(tmp_path, "us-east-1")
    assert best is not None and best.source == "test"


def test_a_written_price_that_is_older_replaces_nothing(
    tmp_path: Path, catalogue: Catalogue, names: Names
) -> None:
    (tmp_path / "offers").mkdir()
    old = {"aws": (datetime.date(2020, 1, 1), "test")}
    offers, _ = offers_of([row(usd_per_hour=0.1)], names, catalogue.accelerators, old)
    write_offers(tmp_path / "offers", offers, ())
    assert _best(tmp_path) == catalogue.accelerators[SXM].rent


def test_a_refresh_of_some_keeps_the_others_of_the_file(
    tmp_path: Path, catalogue: Catalogue, names: Names
) -> None:
    l4 = row(name="L4", memory_gb=24.0, gpus=1, instance="g6.xlarge", usd_per_hour=0.8)
    _write(tmp_path, catalogue, names, [row(), l4])
    (path,) = _write(tmp_path, catalogue, names, [row(usd_per_hour=40.0)], SXM)
    text = path.read_text("utf-8")
    assert text.count("[[offer]]") == 2 and "price_per_hour = 5.0\n" in text and "g6.xlarge" in text
    assert [one.name for one in path.parent.iterdir()] == ["live-aws.toml"], "nothing half-written beside it"


def test_hostile_names_stay_texts(tmp_path: Path, catalogue: Catalogue, names: Names) -> None:
    bad = 'p"]\n[[offer]]\x7f\x00\ud800\\'
    _write(tmp_path, catalogue, names, [row(name="L4", memory_gb=24.0, instance=bad, region="x\ny")])
    found = load_catalogue([shipped("rules"), tmp_path]).accelerators["nvidia-l4-24gb"].prices
    assert [p.instance for p in found if p.region == "x\ny"] == ['p"]\n[[offer]]\x00\\']


def test_a_name_for_what_is_not_in_the_catalogue_is_an_error(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "offers").mkdir()
    (tmp_path / "offers" / "gpuhunt.toml").write_text('[names]\nH100 = ["nvidia-h100-sxm5-80g"]\n', "utf-8")
    with pytest.raises(DataError, match="not in the catalogue") as error:
        load_names([tmp_path], catalogue.accelerators)
    assert SXM in error.value.hint


@pytest.mark.parametrize(
    ("provider", "instance"), [("aws", "p5.48xlarge"), ("azure", "Standard_ND96isr_H100_v5")]
)
def test_live_names_of_instances_with_a_network_are_known_as_clusters(
    tmp_path: Path, catalogue: Catalogue, names: Names, provider: str, instance: str
) -> None:
    """A plan on thousands of devices must not lose a provider because its price was taken anew."""
    (tmp_path / "offers").mkdir()
    day = datetime.date(2027, 1, 1)
    given = row(provider=provider, instance=instance)
    offers, _ = offers_of([given], names, catalogue.accelerators, {provider: (day, "test")})
    write_offers(tmp_path / "offers", offers, ())
    found = load_catalogue([shipped("rules"), tmp_path]).accelerators[SXM].prices
    (live,) = [price for price in found if price.source == "test"]
    assert live.largest is not None and live.largest >= 10_000
