"""The price that a request asks of a cloud is one of the catalogue's offers, or the file was edited."""

from __future__ import annotations

from advisor.data.catalogue import figures_of, load_catalogue, price_figure
from advisor.request.money import ASKED
from advisor.schema import Advice
from advisor.verify.said import _accelerators

CATALOGUE = load_catalogue()
H100 = CATALOGUE.accelerators["nvidia-h100-sxm5-80gb"]


def told(usd: float) -> list[str]:
    price = price_figure(H100.offers[0])
    price = price.model_copy(update={"value": (price.value or 0.0) * usd})
    known = figures_of(H100)
    held = known.model_copy(update={"figures": {**known.figures, ASKED: price}})
    return list(_accelerators(CATALOGUE, Advice(accelerators=(held,))))


def test_a_price_is_looked_up_and_another_is_told() -> None:
    assert told(1.0) == []
    assert told(0.5) == [f"{H100.id}: the price of an hour is none of the catalogue's offers"]
