"""Money is that of the cloud and kind that a site's file names, and says whose price it is."""

from __future__ import annotations

import datetime
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import made

from advisor.data.accelerator import Price
from advisor.render.request_page import attached, request_html
from advisor.request import Options, Site, build, pick, site_of
from advisor.request.money import ASKED, chosen, where
from advisor.schema import Advice, Quantity

AWS = "aws p6 of 8, rented whole, 2026-09-10: feed"


def offer(provider: str, usd: float, kind: str = "on_demand", region: str = "", largest: int = 64) -> Price:
    day = datetime.date(2026, 9, 10)
    return Price(provider, "i", kind, usd / 3600, day, "feed", True, region, largest=largest)


def site(**skypilot: object) -> Site:
    return site_of(Path("site.toml"), {"skypilot": skypilot})


@pytest.mark.parametrize(
    ("wanted", "usd"),
    [
        ({"infra": "aws"}, 14.0),
        ({"infra": "aws/us-east-1"}, 14.0),
        ({"infra": "aws/eu-west-1"}, None),
        ({"infra": "aws", "use_spot": True}, None),
        ({"use_spot": True}, 2.0),
        ({"infra": "gcp", "use_spot": True}, 2.0),
        ({"infra": "*/us-east-1", "use_spot": True}, 2.0),
        ({"infra": "do"}, 5.0),
        ({"infra": "k8s/mine"}, None),
    ],
)
def test_the_offer_is_of_the_cloud_region_and_kind_named(
    wanted: dict[str, object], usd: float | None
) -> None:
    offers = [
        offer("modal", 6.0), offer("aws", 14.0, region="us-east-1"), offer("gcp", 2.0, "spot"),
        offer("do", 1.0), offer("digitalocean", 5.0), offer("aws", 13.0, region="us-east-1", largest=1),
    ]  # fmt: skip
    found = chosen(offers, 16, site(**wanted))
    assert (found and found.usd_per_s * 3600) == (None if usd is None else pytest.approx(usd))


def test_where_reads_skypilot_s_infra() -> None:
    assert where(site(infra="aws/us-east-1/us-east-1a")) == ("aws", "us-east-1")
    assert where(site()) == ("", "")


def page(held: Advice, scheduler: str = "skypilot", **skypilot: object) -> str:
    job = build(pick(held), site(**skypilot), Options(), scheduler=scheduler)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", request_html(held, job, attached(held, {}, {}))))


def held(price: Quantity | None = None) -> Advice:
    rent = Quantity(value=2000.0, low=1400.0, high=3000.0, unit="USD", source="modal H100, 2026-09-17: list")
    one = made.estimate()
    one = one.model_copy(update={"quantities": {**one.quantities, "calendar_rent_usd": rent}})
    advice = made.advice(estimate=one)
    figures = {} if price is None else {ASKED: price}
    known = advice.accelerators[0].model_copy(update={"figures": figures})
    return advice.model_copy(update={"accelerators": (known,)})


def test_the_seller_and_the_day_of_a_rent_are_named() -> None:
    assert "price of modal H100, 2026-09-17" in page(held(), "slurm")


def test_a_job_that_goes_to_a_cloud_is_priced_there() -> None:
    shown = page(held(Quantity(value=14.0, unit="USD/h", source=AWS)), infra="aws")
    # 16 accelerators, 2 days expected, 3 days and a tenth at most
    assert "price of aws p6, 2026-09-10" in shown and "modal" not in shown
    assert re.search(r"rented, at most\s*USD 17\.7k", shown)
    assert "USD 11k" in shown


def test_without_a_price_of_that_cloud_money_is_unknown_and_no_other_seller_s() -> None:
    for price in (None, Quantity(value=6.0, unit="USD/h", source="modal H100, 2026-09-17: list")):
        shown = page(held(price), infra="aws", use_spot=True)
        assert "no spot price of aws for the Made-up" in shown
        assert "USD" not in re.sub(r".*?(These hours rented, at most.{120}).*", r"\1", shown)
