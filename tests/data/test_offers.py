"""Offers: dated, the newest of one counts, old ones last, regions, currencies."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest

from advisor.data.accelerator import Accelerator, Price
from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import shipped
from advisor.data.offers import (
    _joined,
    check_region,
    load_clusters,
    load_rates,
    read_offers,
    with_prices,
    within,
)
from advisor.errors import DataError, UserError

DAY = datetime.date(2026, 9, 1)


def price(usd: float, day: datetime.date | None = DAY, instance: str = "a", **more: str) -> Price:
    words = {"kind": "on_demand", "region": "", **more}
    return Price("aws", instance, words["kind"], usd, day, "test", True, words["region"])


def rent(*prices: Price, region: str = "") -> Price | None:
    entry = Accelerator("x", "X", "nvidia", "", Path("x.toml"), prices=prices)
    return with_prices(entry, datetime.date(2026, 6, 1), region).rent


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def test_of_one_offer_the_newest_counts_and_of_several_the_cheapest() -> None:
    later = DAY + datetime.timedelta(days=20)
    assert rent(price(1), price(3, later)) == price(3, later)
    assert rent(price(2), price(3, later, "b")) == price(2)


def test_old_prices_count_only_where_there_is_no_younger() -> None:
    old = price(1, datetime.date(2025, 1, 1), "b")
    assert rent(old, price(5)) == price(5)
    assert rent(old) == old
    assert rent(price(1, None)) is None, "an undated price is never used"


def test_a_region_leaves_the_others_out() -> None:
    here, there = price(2, region="us-east-1"), price(1, region="europe-west1", instance="b")
    assert rent(here, there, region="us") == here
    assert rent(here, there, region="europe-west1") == there
    assert rent(price(1), region="eu") is None, "a price of no stated region is none of this region"
    assert within("eastus", "us") and not within("southeastasia", "us") and within("southeastasia", "asia")


def test_a_reservation_is_no_on_demand_price(catalogue: Catalogue) -> None:
    h100 = catalogue.accelerators["nvidia-h100-sxm5-80gb"]
    reserved = [one for one in h100.prices if one.kind == "reserved"]
    assert reserved and all(one.term for one in reserved)
    assert h100.rent is not None and h100.rent.kind == "on_demand"


def test_an_unknown_region_gives_the_nearest(catalogue: Catalogue) -> None:
    check_region(catalogue.accelerators.values(), "us-east-1")
    with pytest.raises(UserError) as error:
        check_region(catalogue.accelerators.values(), "us-eest-1")
    assert "us-east-1" in error.value.hint


OFFER = """provider = "aws"
[[offer]]
accelerator = "nvidia-t4-16gb"
instance = "mine"
kind = "on_demand"
currency = "USD"
price_per_hour = 0.05
as_of = "2026-11-01"
source = "a quote"
"""


def own(tmp_path: Path, text: str, rates: str = "") -> Catalogue:
    (tmp_path / "offers").mkdir(exist_ok=True)
    (tmp_path / "offers" / "own.toml").write_text(text, encoding="utf-8")
    if rates:
        (tmp_path / "offers" / "currencies.toml").write_text(rates, encoding="utf-8")
    return load_catalogue([shipped("rules"), tmp_path])


def test_own_offers_are_added(tmp_path: Path) -> None:
    t4 = own(tmp_path, OFFER).accelerators["nvidia-t4-16gb"]
    assert t4.rent is not None and t4.rent.instance == "mine"


def test_another_currency_needs_its_rate(tmp_path: Path) -> None:
    text = OFFER.replace('"USD"', '"SEK"')
    with pytest.raises(DataError, match="SEK"):
        own(tmp_path, text)
    rate = '[[currency]]\ncode = "SEK"\nusd = 0.2\nas_of = "2026-11-01"\nsource = "bank"\n'
    t4 = own(tmp_path, text, rate).accelerators["nvidia-t4-16gb"]
    assert t4.rent is not None and t4.rent.usd_per_s * 3600 == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("nvidia-t4-16gb", "nvidia-t5", "nvidia-t4-16gb"),
        ('"on_demand"', '"reserved"', "term"),
        ('"on_demand"', '"on-demand"', "kind"),
        ("0.05", "-1", "price_per_hour"),
        ("2026-11-01", "soon", "as_of"),
    ],
)
def test_a_wrong_offer_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(DataError) as error:
        own(tmp_path, OFFER.replace(old, new))
    assert "own.toml" in error.value.message and told in error.value.message + error.value.hint


def test_an_instance_of_several_says_how_many_and_no_nonsense(tmp_path: Path) -> None:
    offer = {"accelerator": "x", "instance": "a", "kind": "on_demand", "currency": "USD",
             "price_per_hour": 1.0, "as_of": "2026-09-01", "source": "test"}  # fmt: skip
    raw = {"provider": "aws", "offer": [{**offer, "packages": 8}, offer]}
    assert [one.packages for _, one in read_offers(tmp_path / "aws.toml", raw, ("aws",), ("x",))] == [8, 1]
    for wrong in (0, -1, 1.5, True, "8"):
        bad = {"provider": "aws", "offer": [{**offer, "packages": wrong}]}
        with pytest.raises(DataError, match="packages"):
            read_offers(tmp_path / "aws.toml", bad, ("aws",), ("x",))


def test_clouds_that_count_only_where_their_region_is_asked_for(catalogue: Catalogue) -> None:
    card = catalogue.accelerators["nvidia-rtx-4090-24gb"]
    assert card.rent is not None and card.rent.provider not in {"autodl", "compshare"}
    here = with_prices(card, datetime.date(2026, 6, 1), "cn").rent
    assert here is not None and here.provider == "compshare" and here.region == "cn-mainland"
    assert here.usd_per_s * 3600 == pytest.approx(1.92 * 0.1488)
    check_region(catalogue.accelerators.values(), "cn")
    ascend = catalogue.accelerators["huawei-ascend-910b2-64gb"]
    assert ascend.rent is None and with_prices(ascend, datetime.date(2026, 6, 1), "cn").rent is not None


def test_a_rate_to_dollars_has_a_day_and_a_source() -> None:
    rates = load_rates([shipped("rules")])
    assert set(rates) >= {"USD", "CNY"} and rates["CNY"] == pytest.approx(1 / 6.7205, rel=1e-3)


def offered(*prices: Price) -> Accelerator:
    entry = Accelerator("x", "X", "nvidia", "", Path("x.toml"), prices=prices)
    return with_prices(entry, datetime.date(2026, 6, 1))


def test_a_cluster_is_rented_where_it_is_known_to_be_had() -> None:
    one = dataclasses.replace(price(1, instance="gpu_1x"), largest=1)
    server, cluster = price(2, instance="per GPU"), dataclasses.replace(price(4, instance="big"), largest=512)
    entry = offered(cluster, server, one)
    found = [entry.offer(count) for count in (1, 2, 8, 9, 512, 513)]
    assert found == [one, server, server, cluster, cluster, one]
    assert [offer.sure for offer in (one, server, cluster)] == [1, 8, 512]
    assert dataclasses.replace(price(1), packages=16).sure == 16, "an instance is rented whole"


def test_an_old_price_of_a_known_cluster_goes_before_a_young_one_of_none() -> None:
    old = dataclasses.replace(price(1, datetime.date(2025, 1, 1), "b"), largest=64)
    assert offered(old, price(5)).offer(64) == old


def test_a_spot_price_above_that_on_demand_is_none() -> None:
    dear, cheap = price(3, kind="spot"), price(1, kind="spot", instance="b")
    assert offered(price(2), dear).spot is None
    assert offered(price(2), dear, cheap).spot == cheap
    assert offered(dear).spot == dear, "nothing is known to be cheaper"


def test_clusters_are_found_by_provider_and_the_longest_beginning(tmp_path: Path) -> None:
    (tmp_path / "offers").mkdir()
    text = "\n".join(
        f'[[cluster]]\nprovider = "aws"\ninstance = "{name}"\nlargest = {largest}\nsource = "test"\n'
        for name, largest in (("", 16), ("p5", 20000), ("p5.4x", 1))
    )
    (tmp_path / "offers" / "clusters.toml").write_text(text, encoding="utf-8")
    known = load_clusters([shipped("rules"), tmp_path])
    names = ("p5.48xlarge", "p5.4xlarge", "g6.xlarge")
    assert [_joined(price(1, instance=name), known).largest for name in names] == [20000, 1, 16]
    (tmp_path / "offers" / "clusters.toml").write_text(text.replace("16", "0"), encoding="utf-8")
    with pytest.raises(DataError, match="no whole number"):
        load_clusters([tmp_path])


def test_a_doubted_price_is_kept_and_not_used(catalogue: Catalogue) -> None:
    entry = catalogue.accelerators["aws-trainium2"]
    assert entry.rent is None and any(one.provider == "aws" for one in entry.prices)
