"""What clouds ask for one package (rules/offers, a file a provider)."""

from __future__ import annotations

import datetime
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor import units
from advisor.data.accelerator import OLD_DAYS, Accelerator, Price
from advisor.data.files import read_toml
from advisor.data.read_catalogue import _check_keys, _date, _number, text
from advisor.errors import DataError, UserError, did_you_mean

if TYPE_CHECKING:
    from advisor.data.catalogue import Catalogue

KINDS = ("on_demand", "spot", "reserved")
SETTINGS = ("providers.toml", "currencies.toml", "acceptance.toml", "gpuhunt.toml", "clusters.toml")
_OFFER_KEYS = frozenset(
    ("accelerator", "instance", "packages", "kind", "term", "region", "currency", "price_per_hour", "as_of",
     "source", "doubt")
)  # fmt: skip
_AREAS = {
    "us": ("us", "eastus", "westus", "centralus", "northcentralus", "southcentralus"),
    "eu": ("eu", "europe", "westeurope", "northeurope", "germany", "france", "sweden"),
    "asia": ("asia", "ap-", "southeastasia", "eastasia", "japan", "korea", "india"),
    "cn": ("cn-", "china"),
}
"""What the names of regions begin with, by area."""


def load_offers(
    folders: Sequence[Path], clouds: Container[str], known: Container[str], if_asked: Container[str] = ()
) -> dict[str, list[Price]]:
    """Offers of each folder by accelerator, those that a later folder knows better left out.

    Raises DataError naming file and key.
    """
    rates, clusters = load_rates(folders), load_clusters(folders)
    found: dict[str, list[Price]] = {}
    for folder in folders:
        own: dict[str, list[Price]] = {}
        for path in sorted((folder / "offers").glob("*.toml")):
            if path.name in SETTINGS:
                continue
            for key, price in read_offers(path, read_toml(path), clouds, known, rates, if_asked):
                own.setdefault(key, []).append(_joined(price, clusters))
        for key, more in own.items():
            found[key] = [one for one in found.get(key, ()) if not _known_better(one, more)] + more
    return found


def _known_better(old: Price, later: Iterable[Price]) -> bool:
    """Whether a later folder has the same provider's prices of this region and kind, of that day or after.

    Instances are named differently by each who lists them, so their names do not count; a price of no stated
    region is the provider's everywhere. What counts is not replaced by what does not (a community tier).
    """
    return any(
        (one.provider, one.kind, one.term) == (old.provider, old.kind, old.term)
        and old.region in ("", one.region)
        and one.known_cloud >= old.known_cloud
        and one.as_of is not None
        and (old.as_of is None or one.as_of >= old.as_of)
        for one in later
    )


def load_clusters(folders: Sequence[Path]) -> list[tuple[str, str, int]]:
    """Provider, how its instance's name begins, and packages of the largest cluster known, of
    offers/clusters.toml; a later folder's first, of one folder the longest beginning first."""
    found: list[tuple[str, str, int]] = []
    for folder in folders:
        path, own = folder / "offers" / "clusters.toml", []
        for raw in read_toml(path).get("cluster", []) if path.is_file() else []:
            keys = frozenset(("provider", "instance", "largest", "network", "source"))
            _check_keys(path, raw, keys, "cluster.")
            text(path, raw, "source")
            largest = raw.get("largest")
            if isinstance(largest, bool) or not isinstance(largest, int) or largest < 1:
                raise DataError.at(path, "cluster.largest", largest, "is no whole number from 1 up", "")
            own.append((text(path, raw, "provider"), text(path, raw, "instance", ""), largest))
        found = [*sorted(own, key=lambda one: -len(one[1])), *found]
    return found


def _joined(price: Price, clusters: Iterable[tuple[str, str, int]]) -> Price:
    """The price with how many packages are known to be had as one cluster."""
    for provider, instance, largest in clusters:
        if price.provider == provider and price.instance.startswith(instance):
            return replace(price, largest=largest)
    return price


def load_rates(folders: Sequence[Path]) -> dict[str, float]:
    """US dollars for one unit of a currency, of offers/currencies.toml in each folder."""
    return {"USD": 1.0} | {code: one.usd for code, one in load_currencies(folders).items()}


class Currency(NamedTuple):
    """US dollars for one unit of a currency, with the day of the rate and its source."""

    usd: float
    as_of: datetime.date | None
    source: str


def load_currencies(folders: Sequence[Path]) -> dict[str, Currency]:
    """Currencies by their code, a later folder's on top. Raises DataError for rates of none or no source."""
    found: dict[str, Currency] = {}
    for folder in folders:
        path = folder / "offers" / "currencies.toml"
        for raw in read_toml(path).get("currency", []) if path.is_file() else []:
            _check_keys(path, raw, frozenset(("code", "usd", "as_of", "source")), "currency.")
            rate = _number(path, raw, "usd", "currency.")
            if not rate:
                raise DataError.at(path, "currency.usd", rate, "is missing or zero", "Dollars for one unit.")
            as_of, source = _date(path, raw, "as_of", "currency."), text(path, raw, "source")
            found[text(path, raw, "code")] = Currency(rate, as_of, source)
    return found


def read_offers(  # noqa: PLR0913, PLR0917 - a file and what it is read with
    path: Path,
    raw: dict[str, Any],
    clouds: Container[str],
    known: Container[str],
    rates: Mapping[str, float] | None = None,
    if_asked: Container[str] = (),
) -> list[tuple[str, Price]]:
    """The offers of one provider's file. Raises DataError for unknown keys, names, kinds and currencies."""
    if path.name in SETTINGS:
        return []
    _check_keys(path, raw, frozenset(("provider", "offer")))
    provider = text(path, raw, "provider")
    listed = raw.get("offer", [])
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise DataError.at(path, "offer", None, "is no list of tables", "Write each under [[offer]].")
    rows = (
        _offer(path, f"offer[{at}].", one, provider, provider in clouds, known, rates or {"USD": 1.0})
        for at, one in enumerate(listed)
    )
    return [(key, replace(price, if_asked=provider in if_asked)) for key, price in rows]


def _offer(  # noqa: PLR0913, PLR0917 - a table and what it is read with
    path: Path,
    where: str,
    raw: dict[str, Any],
    provider: str,
    cloud: bool,
    known: Container[str],
    rates: Mapping[str, float],
) -> tuple[str, Price]:
    _check_keys(path, raw, _OFFER_KEYS, where)
    accelerator, kind = text(path, raw, "accelerator"), text(path, raw, "kind")
    if accelerator not in known:
        near = did_you_mean(accelerator, known) if isinstance(known, Iterable) else ""
        raise DataError.at(path, where + "accelerator", accelerator, "is not in the catalogue", near)
    if kind not in KINDS:
        raise DataError.at(path, where + "kind", kind, f"is none of {', '.join(KINDS)}", "")
    if kind == "reserved" and not raw.get("term"):
        raise DataError.at(path, where + "term", None, "is missing", 'Write term = "1 year".')
    hourly, currency = _number(path, raw, "price_per_hour", where), text(path, raw, "currency")
    if not hourly:
        raise DataError.at(path, where + "price_per_hour", hourly, "is missing or zero", "")
    if currency not in rates:
        hint = "Give its rate with source and date in offers/currencies.toml."
        raise DataError.at(path, where + "currency", currency, "has no rate to US dollars", hint)
    instance = text(path, raw, "instance")
    return accelerator, Price(
        provider=provider,
        instance=instance,
        kind=kind,
        usd_per_s=hourly * rates[currency] / units.HOUR_S,
        as_of=_date(path, raw, "as_of", where),
        source=text(path, raw, "source"),
        known_cloud=cloud
        and not text(path, raw, "doubt", "")
        and "community" not in instance
        and "marketplace" not in instance,
        region=text(path, raw, "region", ""),
        term=text(path, raw, "term", ""),
        packages=_packages(path, where, raw),
    )


def _packages(path: Path, where: str, raw: dict[str, Any]) -> int:
    number = raw.get("packages", 1)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 1024:
        raise DataError.at(path, where + "packages", number, "is no whole number from 1 to 1,024", "")
    return number


def in_region(catalogue: Catalogue, region: str) -> Catalogue:
    """The catalogue with prices of a region alone, the young before the old; as it is where none is named.

    Raises UserError for a region in which nothing is listed.
    """
    if not region:
        return catalogue
    known = catalogue.accelerators
    check_region(known.values(), region)
    oldest = catalogue.newest_price - datetime.timedelta(days=OLD_DAYS)
    return replace(
        catalogue, accelerators={key: with_prices(one, oldest, region) for key, one in known.items()}
    )


def with_prices(entry: Accelerator, oldest: datetime.date | None, region: str = "") -> Accelerator:
    """The cheapest dated price of a known cloud of each kind; old ones only where there is no younger, or
    none that is sure to have as many as are asked for (`Accelerator.offer`).

    Of one offer the newest price counts. `region`: those of this region or area alone, and then those of
    clouds too that count only where their region is asked for.
    """
    offers: list[Price] = []
    newest: dict[tuple[str, ...], Price] = {}
    for price in entry.prices:
        used = price.known_cloud or (bool(region) and price.if_asked)
        if price.as_of is None or not used or (region and not within(price.region, region)):
            continue
        key = (price.provider, price.instance, price.kind, price.region, price.term)
        held = newest.get(key)
        if held is None or held.as_of is None or price.as_of > held.as_of:
            newest[key] = price
    for kind in ("on_demand", "spot"):
        dated = [price for price in newest.values() if price.kind == kind]
        fresh = [p for p in dated if oldest is not None and p.as_of is not None and p.as_of >= oldest]
        older = [price for price in dated if price not in fresh]
        offers += [
            price for group in (fresh, older) for price in sorted(group, key=lambda price: price.usd_per_s)
        ]
    entry = replace(entry, offers=tuple(offers))
    return replace(entry, rent=entry.offer(1), spot=entry.offer(1, "spot"))


def within(region: str, asked: str) -> bool:
    """Whether a price of `region` ("": not stated) is one of what was asked: a region, us, eu, asia, cn."""
    name = region.casefold()
    return name == asked.casefold() or name.startswith(_AREAS.get(asked.casefold(), ("\0",)))


def check_region(entries: Iterable[Accelerator], asked: str) -> None:
    """Raise UserError with the nearest for a region of which there is no offer."""
    known = {price.region for entry in entries for price in entry.prices if price.region}
    if asked.casefold() not in _AREAS and not any(within(name, asked) for name in known):
        near = did_you_mean(asked, [*_AREAS, *known]) or f"Known: {', '.join([*_AREAS, *sorted(known)])}."
        raise UserError(f"no offer of the region {asked[:60]!r}", near)
