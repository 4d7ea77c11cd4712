"""Rows of today's prices -> offers of the catalogue: by exact name, memory and instance, never by likeness.

The names are in offers/gpuhunt.toml. A name that stands for several products of one memory size ("A100": SXM
or PCIe) needs an instance whose form is known; what is left open is told, and no price is lent to a guess.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.data.accelerator import Accelerator
from advisor.data.files import read_toml, write_atomic
from advisor.data.read_catalogue import _check_keys, texts
from advisor.errors import DataError, did_you_mean

TABLE = "gpuhunt.toml"
PREFIX = "live-"
"""Files that a refresh writes begin so, and no others are ever written over."""

_TOLERANCE = 0.07
"""Memory is given as nominal, usable or rounded GB: 180 for 192, 268 for 288; two sizes differ by more."""

_KEYS = frozenset(("skip_flags", "community_letters", "providers", "names", "forms", "instances", "parts"))


@dataclass(frozen=True)
class Row:
    """One row as the library gives it: the price of a whole instance and hour, US dollars."""

    provider: str
    instance: str
    region: str
    usd_per_hour: float
    gpus: int
    name: str
    memory_gb: float | None
    spot: bool
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Offer:
    """What one package costs by a row, as a file of offers has it."""

    accelerator: str
    provider: str
    instance: str
    packages: int
    kind: str
    region: str
    price_per_hour: float
    as_of: datetime.date
    source: str


@dataclass(frozen=True)
class Names:
    """offers/gpuhunt.toml: what the library's names mean here; a later folder's entries on top."""

    providers: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    forms: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    instances: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    skip_flags: frozenset[str] = frozenset()
    community_letters: Mapping[str, int] = field(default_factory=dict)


def load_names(folders: Iterable[Path], accelerators: Mapping[str, Accelerator]) -> Names:
    """The tables of each folder joined. Raises DataError for unknown keys and accelerators."""
    joined: dict[str, dict[str, Any]] = {key: {} for key in _KEYS}
    flags: set[str] = set()
    for folder in folders:
        path = folder / "offers" / TABLE
        if not path.is_file():
            continue
        raw = read_toml(path)
        _check_keys(path, raw, _KEYS)
        for key, value in raw.items():
            if key == "skip_flags":
                flags.update(texts(path, raw, key))
                continue
            if not isinstance(value, dict):
                raise DataError.at(path, key, value, "is no table", "See the shipped file.")
            if key in ("forms", "instances"):
                for provider, table in value.items():
                    joined[key][provider] = {**joined[key].get(provider, {}), **table}
            else:
                joined[key].update(value)
        for one in _meant(raw):
            if one not in accelerators:
                near = did_you_mean(one, accelerators)
                raise DataError.at(path, "names", one, "is not in the catalogue", near)
    joined.pop("skip_flags")
    return Names(skip_flags=frozenset(flags), **joined)


def _meant(raw: Mapping[str, Any]) -> Iterable[str]:
    """Every accelerator that a table names."""
    for table in (raw.get("names", {}), *raw.get("forms", {}).values()):
        for ids in table.values():
            yield from ids
    for table in raw.get("instances", {}).values():
        yield from table.values()


def match(row: Row, names: Names, accelerators: Mapping[str, Accelerator]) -> tuple[str, str]:
    """(accelerator, "") of a row, or ("", why it has none)."""
    provider = names.providers.get(row.provider, row.provider)
    if row.instance in names.parts.get(provider, ()):
        return "", "a part of a GPU"
    known = [one for one in names.names.get(row.name, ()) if one in accelerators]
    if not known:
        return "", "no such name in the catalogue"
    if not row.memory_gb:
        return "", "its memory is not told"
    fitting = [one for one in known if _same_memory(accelerators[one], row.memory_gb)]
    if not fitting:
        return "", "its memory is of another size than the catalogue's"
    exact = names.instances.get(provider, {}).get(row.instance)
    if exact is not None:
        return (exact, "") if exact in fitting else ("", "its memory is of another size than the catalogue's")
    if len(fitting) > 1:
        told = row.instance.casefold()  # some providers name an instance by what its driver reports
        by_alias = [
            one for one in fitting if any(told == alias.casefold() for alias in accelerators[one].aliases)
        ]
        sold = names.forms.get(provider, {}).get(row.name)
        fitting = by_alias or [one for one in fitting if sold is None or one in sold]
    if len(fitting) != 1:
        return "", "SXM, PCIe or which edition is not told"
    return fitting[0], ""


def _same_memory(entry: Accelerator, told_gb: float) -> bool:
    return entry.memory_bytes is not None and abs(told_gb * 1e9 / entry.memory_bytes - 1) <= _TOLERANCE


def offers_of(
    rows: Iterable[Row],
    names: Names,
    accelerators: Mapping[str, Accelerator],
    dated: Mapping[str, tuple[datetime.date, str]],
) -> tuple[list[Offer], dict[tuple[str, str, float | None, str], int]]:
    """The cheapest offer of each provider, accelerator, number, region and kind, and what has no match:
    (provider, name, memory, why) with the number of rows. `dated`: day and source by the library's provider.
    """  # fmt: skip
    best: dict[tuple[str, ...], Offer] = {}
    left: dict[tuple[str, str, float | None, str], int] = {}
    for row in rows:
        if names.skip_flags.intersection(row.flags) or row.gpus < 1 or not 0 < row.usd_per_hour < 1e6:
            continue
        accelerator, why = match(row, names, accelerators)
        provider = names.providers.get(row.provider, row.provider)
        if why:
            key = (provider, row.name, row.memory_gb, why)
            left[key] = left.get(key, 0) + 1
            continue
        community = names.community_letters.get(provider) == len(row.region)
        as_of, source = dated[row.provider]
        offer = Offer(
            accelerator, provider, row.instance + (" community" if community else ""), row.gpus,
            "spot" if row.spot else "on_demand", row.region, row.usd_per_hour / row.gpus, as_of, source,
        )  # fmt: skip
        place = (accelerator, provider, str(row.gpus), offer.kind, row.region, str(community))
        if place not in best or offer.price_per_hour < best[place].price_per_hour:
            best[place] = offer
    found = sorted(
        best.values(), key=lambda one: (one.provider, one.accelerator, one.region, one.packages, one.kind)
    )
    return found, left


def write_offers(
    folder: Path, offers: Sequence[Offer], asked: Sequence[str], option: str = "--to"
) -> list[Path]:
    """One file a provider (offers/live-PROVIDER.toml), each whole or not at all.

    Rows of accelerators that were not asked for (`asked`; empty: all were) stay as they are in the file.
    """
    written = []
    for provider in dict.fromkeys(one.provider for one in offers):
        path = folder / f"{PREFIX}{provider}.toml"
        kept = _kept(path, asked) if asked else []
        fresh = [_table(one) for one in offers if one.provider == provider]
        write_atomic(path, _text(provider, [*kept, *fresh]), option)
        written.append(path)
    return written


def _kept(path: Path, asked: Sequence[str]) -> list[dict[str, Any]]:
    raw = read_toml(path) if path.is_file() else {}
    return [one for one in raw.get("offer", []) if one.get("accelerator") not in asked]


def _table(offer: Offer) -> dict[str, Any]:
    return {
        "accelerator": offer.accelerator, "instance": offer.instance, "packages": offer.packages,
        "kind": offer.kind, "region": offer.region, "currency": "USD",
        "price_per_hour": float(f"{offer.price_per_hour:.6g}"), "as_of": offer.as_of.isoformat(),
        "source": offer.source,
    }  # fmt: skip


def _text(provider: str, tables: Sequence[Mapping[str, Any]]) -> str:
    """TOML; JSON's texts are TOML's, and its numbers too."""
    head = (
        f"# Written by `hwadvisor hardware refresh`, which writes it anew.\nprovider = {_value(provider)}\n"
    )
    bodies = (
        "\n[[offer]]\n" + "".join(f"{key} = {_value(value)}\n" for key, value in table.items() if value != "")
        for table in tables
    )
    return head + "".join(bodies)


def _value(value: object) -> str:
    """A value as TOML has it. DEL and lone surrogates, which TOML refuses, are taken out."""
    if isinstance(value, str):
        value = "".join(one for one in value if one != "\x7f" and not "\ud800" <= one <= "\udfff")
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
