"""What so many of an accelerator are rented at: of offers that are known to join as many, where there are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from advisor.data.accelerator import Accelerator, Price
from advisor.data.catalogue import price_source
from advisor.estimate.inputs import Inputs
from advisor.schema import Kind
from advisor.search.layouts import Index
from advisor.search.plan_product import Array

NO_PRICE = "no public price with a date"
_PRICED = {
    "on_demand": ("hw_price", "hw_price_packages"),
    "spot": ("hw_spot_price", "hw_spot_packages"),
}
"""Kinds of prices, and the columns of the price and of the packages of an instance."""


def offer_of(entry: Accelerator, devices: float, kind: str = "on_demand") -> Price | None:
    """The price of so many devices as one cluster."""
    return entry.offer(math.ceil(devices / entry.devices_per_package), kind)


def price_columns(entries: Sequence[Accelerator], kinds: Index, devices: Array | Index) -> dict[str, Array]:
    """Columns of the prices of rows, of each the number of its accelerator and how many devices."""
    pairs, back = np.unique(np.stack([kinds, devices]).astype(np.int64), axis=1, return_inverse=True)
    found = {name: np.full(pairs.shape[1], np.nan) for names in _PRICED.values() for name in names}
    for row, (number, count) in enumerate(pairs.T.tolist()):
        for kind, (price, packages) in _PRICED.items():
            offer = offer_of(entries[number], count, kind)
            if offer is not None:
                found[price][row] = offer.usd_per_s
                found[packages][row] = offer.packages if offer.packages > 1 else np.nan
    return {name: values[back.ravel()] for name, values in found.items()}


def price_inputs(entry: Accelerator, devices: float) -> Inputs:
    """The same of one row, with sources."""
    found = Inputs()
    for kind, (price, packages) in _PRICED.items():
        offer = offer_of(entry, devices, kind)
        source = price_source(offer) if offer else entry.file.name
        found.put(price, offer.usd_per_s if offer else None, Kind.published, source, NO_PRICE)
        whole = float(offer.packages) if offer and offer.packages > 1 else None
        found.put(packages, whole, Kind.published, source, "any number")
    return found
