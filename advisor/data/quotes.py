"""A reseller's quote as line items, read from TOML; what it leaves open is None and told, never guessed."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.data.catalogue import Catalogue, find_accelerator
from advisor.data.files import read_toml
from advisor.data.read_catalogue import _amount, _check_keys, _date, text
from advisor.data.systems import Link, System, wanted_system
from advisor.errors import DataError, UserError, did_you_mean

KINDS = ("nodes", "switches", "optics", "storage", "support", "installation", "other")
COOLING = ("air", "liquid")
_KEYS = frozenset(
    ("seller", "currency", "valid_until", "delivery", "vat", "vat_included", "item", "title", "as_of")
)
_ITEM = frozenset(
    ("kind", "what", "count", "unit_price", "system", "accelerator", "accelerators", "power", "typical_power",
     "rack_units", "cooling", "ram", "network", "ports", "years", "capacity")
)  # fmt: skip
MOST_ITEMS = 1000


@dataclass(frozen=True, slots=True)
class Item:
    """A line. Figures are of one piece, SI; None: neither the quote nor the system's file says."""

    kind: str
    what: str
    count: int
    unit_price: float | None
    system: System | None = None
    accelerator: str = ""
    accelerators: int = 0
    power_w: float | None = None
    typical_w: float | None = None  # while training; None: a share of the nameplate
    rack_units: float | None = None
    cooling: str = ""
    ram_bytes: float | None = None
    network: Link | None = None
    ports: int = 0
    years: float | None = None
    capacity_bytes: float | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """What one seller offers. `vat` is a share of the net price; None: not stated."""

    title: str
    file: Path
    currency: str
    items: tuple[Item, ...]
    vat: float | None = None
    vat_included: bool = False
    delivery_s: float | None = None
    valid_until: datetime.date | None = None

    def of(self, kind: str) -> tuple[Item, ...]:
        """The lines of a kind."""
        return tuple(item for item in self.items if item.kind == kind)

    @property
    def unpriced(self) -> tuple[Item, ...]:
        """Lines without a price."""
        return tuple(item for item in self.items if item.unit_price is None)

    @property
    def net(self) -> float:
        """The sum of the lines that have a price, without VAT, in the quote's currency."""
        whole = sum(item.count * item.unit_price for item in self.items if item.unit_price is not None)
        return whole / (1 + self.vat) if self.vat_included and self.vat is not None else whole


def read_quote(
    path: Path, catalogue: Catalogue, systems: Mapping[str, System], links: Mapping[str, Link]
) -> Quote:
    """One quote. Raises DataError for unknown keys and names, negative money, and a quote without nodes."""
    raw = read_toml(path)
    _check_keys(path, raw, _KEYS)
    listed = raw.get("item")
    if not isinstance(listed, list) or not listed or not all(isinstance(one, dict) for one in listed):
        raise DataError.at(path, "item", None, "has no lines", "Write each under [[item]]; see docs/plan.md.")
    if len(listed) > MOST_ITEMS:
        raise DataError.at(path, "item", len(listed), f"are more than {MOST_ITEMS} lines", "Sum them up.")
    items = tuple(
        _item(path, f"item[{at}].", one, catalogue, systems, links) for at, one in enumerate(listed)
    )
    nodes = [item for item in items if item.kind == "nodes"]
    if not nodes:
        raise DataError.at(path, "item", None, "has no line of nodes", 'Give one: kind = "nodes".')
    if len({item.accelerator for item in nodes if item.accelerator}) > 1:
        raise DataError.at(
            path, "item", None, "has nodes of several accelerators", "Compare them as quotes of their own."
        )
    if not any(item.accelerators for item in nodes):
        raise DataError.at(
            path, "item", None, "has nodes without accelerators", "Name system or accelerator."
        )
    vat, included = _money(path, raw, "vat", ""), raw.get("vat_included", False)
    if vat is not None and vat > 1:
        raise DataError.at(path, "vat", vat, "is a share, 0.19 for 19 %", f"Write vat = {vat / 100:g}.")
    if not isinstance(included, bool):
        raise DataError.at(path, "vat_included", included, "is neither true nor false", "")
    if included and vat is None:
        raise DataError.at(path, "vat", None, "is missing: the prices include it", "Write vat = 0.19.")
    return Quote(
        title=text(path, raw, "title", "") or text(path, raw, "seller", "") or path.stem,
        file=path,
        currency=text(path, raw, "currency").upper(),
        items=items,
        vat=vat,
        vat_included=included,
        delivery_s=_amount(path, raw, "delivery", "s"),
        valid_until=_date(path, raw, "valid_until", ""),
    )


def _item(  # noqa: PLR0913, PLR0917 - a line and what its names mean
    path: Path,
    where: str,
    raw: dict[str, Any],
    catalogue: Catalogue,
    systems: Mapping[str, System],
    links: Mapping[str, Link],
) -> Item:
    _check_keys(path, raw, _ITEM, where)
    kind = text(path, raw, "kind")
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS) or f"One of {', '.join(KINDS)}."
        raise DataError.at(path, where + "kind", kind, "is no kind of line", hint)
    count = raw.get("count", 1)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 1_000_000:
        raise DataError.at(path, where + "count", count, "is no whole number from 1 to a million", "")
    system, accelerator, number = _what(path, where, raw, catalogue, systems)
    network = text(path, raw, "network", "")
    if network and network not in links:
        raise DataError.at(path, where + "network", network, "is no known link", did_you_mean(network, links))
    cooling = text(path, raw, "cooling", "") or (system.cooling if system else "")
    if cooling and cooling not in COOLING:
        raise DataError.at(path, where + "cooling", cooling, "is neither air nor liquid", "")
    own_network = network or system is None
    power, ram = _amount(path, raw, "power", "W", where), _amount(path, raw, "ram", "B", where)
    typical = _amount(path, raw, "typical_power", "W", where)
    if typical is None and power is None and system is not None:  # of another nameplate it is another share
        typical = system.typical_w
    units = _money(path, raw, "rack_units", where)
    ports = _money(path, raw, "ports", where)
    return Item(
        kind=kind,
        what=text(path, raw, "what", "") or (system.title if system else accelerator or kind),
        count=count,
        unit_price=_money(path, raw, "unit_price", where),
        system=system,
        accelerator=accelerator,
        accelerators=number,
        power_w=power if power is not None or system is None else system.power_w,
        typical_w=typical,
        rack_units=units if units is not None or system is None else system.rack_units,
        cooling=cooling,
        ram_bytes=ram if ram is not None or system is None else system.ram_bytes,
        network=links.get(network) if own_network or system is None else system.network,
        ports=int(ports or 1) if own_network or system is None else system.ports,
        years=_money(path, raw, "years", where),
        capacity_bytes=_amount(path, raw, "capacity", "B", where),
    )


def _what(
    path: Path, where: str, raw: dict[str, Any], catalogue: Catalogue, systems: Mapping[str, System]
) -> tuple[System | None, str, int]:
    """The system of a line, its accelerator, and how many a piece has."""
    try:
        named = text(path, raw, "system", "")
        system = wanted_system(systems, named) if named else None
        own = text(path, raw, "accelerator", "")
        accelerator = find_accelerator(catalogue, own).id if own else system.accelerator if system else ""
    except DataError:
        raise
    except UserError as error:
        raise DataError(f"{path}: {where.rstrip('.')}: {error.message}", error.hint) from error
    if system and own and system.accelerator and accelerator != system.accelerator:
        told = f"is not what a {system.id} has ({system.accelerator})"
        raise DataError.at(path, where + "accelerator", own, told, "Leave one of them out.")
    number = raw.get("accelerators", system.accelerators if system else 1 if accelerator else 0)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 1024:
        raise DataError.at(path, where + "accelerators", number, "is no whole number up to 1,024", "")
    return system, accelerator, number if accelerator else 0


def _money(path: Path, raw: Mapping[str, Any], key: str, where: str) -> float | None:
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise DataError.at(path, where + key, value, "is no number", "Write it plain: 280000.")
    if value < 0:
        raise DataError.at(path, where + key, value, "is below zero", "Give zero or more.")
    return float(value)


def load_acceptance(folders: Any) -> dict[str, Any]:
    """offers/acceptance.toml, a later folder's on top."""
    found: dict[str, Any] = {}
    for folder in folders:
        path = Path(folder) / "offers" / "acceptance.toml"
        if path.is_file():
            found |= read_toml(path)
    return found
