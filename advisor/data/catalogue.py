"""The catalogue: accelerators, models, reference workloads; one TOML file each, users' folders on top."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from advisor import units
from advisor.data.accelerator import Accelerator, Price
from advisor.data.files import read_toml, shipped
from advisor.errors import DataError, UserError, did_you_mean
from advisor.schema import Accelerator as AcceleratorSummary
from advisor.schema import Kind, Model, Quantity, Workload

_T = TypeVar("_T")


@dataclass(frozen=True)
class Catalogue:
    """All data files read. `prices_as_of`: newest price; `overridden`: ids that a user's folder replaced."""

    accelerators: Mapping[str, Accelerator]
    models: Mapping[str, Model]
    workloads: tuple[Workload, ...]  # in the order they are shown
    model_aliases: Mapping[str, str]
    published_params: Mapping[str, float]
    prices_as_of: str
    words: Mapping[str, tuple[str, ...]]  # what method, precision, family … may be: rules/columns.toml
    overridden: tuple[str, ...] = ()

    @property
    def newest_price(self) -> datetime.date:
        """The day of the newest price, which stands for today where nobody says what day it is."""
        return datetime.date.fromisoformat(self.prices_as_of or "1970-01-01")


def load_catalogue(dirs: Sequence[Path] | None = None) -> Catalogue:
    """Read accelerators/, offers/, models/ and workloads/ of each folder; a later folder overrides by id.

    `dirs` None means the shipped rules alone. Raises DataError that names file, key, value and the
    nearest right one. The shipped rules alone are read once a process.
    """
    own = shipped("rules")
    folders = [own] if dirs is None else list(dirs)
    return _shipped_catalogue(own) if folders == [own] else _load(folders)


@functools.cache
def _shipped_catalogue(folder: Path) -> Catalogue:
    return _load([folder])


def _load(folders: Sequence[Path]) -> Catalogue:
    from advisor.data.offers import load_offers, with_prices
    from advisor.data.read_catalogue import entry_id, read_accelerator, read_model, read_workload, texts

    offers = provider_settings(folders)
    overridden: list[str] = []

    def read(
        part: str, build: Callable[[Path, dict[str, Any]], _T]
    ) -> dict[str, tuple[Path, dict[str, Any], _T]]:
        found: dict[str, tuple[Path, dict[str, Any], _T]] = {}
        for folder in folders:
            seen: dict[str, Path] = {}
            for path in sorted((folder / part).glob("*.toml")):
                raw = read_toml(path)
                key = entry_id(path, raw)
                if key in seen:
                    raise DataError.at(
                        path, "id", key, f"is used by {seen[key].name} too", "Give it its own id."
                    )
                seen[key] = path
                if key in found:
                    overridden.append(key)
                found[key] = (path, raw, build(path, raw))
        return found

    factors = _memory_factors(folders)
    known = frozenset(offers.get("clouds", ()))
    accelerators = {
        k: v[2] for k, v in sorted(read("accelerators", lambda p, r: read_accelerator(p, r, known)).items())
    }
    models = read("models", read_model)
    by_id = {key: model for key, (_, _, model) in models.items()}
    workloads = read("workloads", lambda path, raw: read_workload(path, raw, by_id))
    ordered = sorted(workloads.values(), key=lambda item: (item[1].get("order", 1000), item[2].id))
    asked = frozenset(offers.get("clouds_if_asked", ()))
    for key, more in load_offers(folders, known, accelerators, asked).items():
        accelerators[key] = replace(accelerators[key], prices=(*accelerators[key].prices, *more))
    newest = max((p.as_of for a in accelerators.values() for p in a.prices if p.as_of), default=None)
    oldest = newest and newest - datetime.timedelta(days=int(offers.get("max_age_days", 0)))
    return Catalogue(
        accelerators={
            key: _with_memory(with_prices(item, oldest), factors) for key, item in accelerators.items()
        },
        models=by_id,
        workloads=tuple(workload for _, _, workload in ordered),
        model_aliases={
            alias.casefold(): key
            for key, (path, raw, _) in models.items()
            for alias in texts(path, raw, "aliases")
        },
        published_params={
            key: float(raw["published_params"])
            for key, (_, raw, _) in models.items()
            if "published_params" in raw
        },
        words=_words(folders),
        prices_as_of=newest.isoformat() if newest else "",
        overridden=tuple(sorted(overridden)),
    )


def _with_memory(entry: Accelerator, factors: Mapping[str, tuple[float, str]]) -> Accelerator:
    """How much of the vendor's memory a device shows, by the constants of the rule "memory-printed"."""
    if not entry.own_memory_bounds:
        return entry
    name = "unified_share" if entry.unified else "memory_shown_ecc" if entry.memory_ecc else "memory_shown"
    if name not in factors:
        return entry
    factor, source = factors[name]
    return replace(entry, shown_factor=factor, shown_source=f"{factor:g} ({name}): {source}")


def _memory_factors(folders: Iterable[Path]) -> dict[str, tuple[float, str]]:
    """Plain numbers among the constants with their sources, a later folder's on top."""
    found: dict[str, tuple[float, str]] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            constants = read_toml(path).get("constant", [])
            for one in constants if isinstance(constants, list) else []:
                if isinstance(one, dict) and isinstance(one.get("value"), (int, float)):
                    found[str(one.get("id"))] = (float(one["value"]), str(one.get("source", "")))
    return found


def find_model(catalogue: Catalogue, name: str) -> Model:
    """The model of that id or alias (any case). Raises UserError that offers the nearest names."""
    key = name.strip().casefold()
    ids = {model_id.casefold(): model_id for model_id in catalogue.models}
    found = ids.get(key) or catalogue.model_aliases.get(key)
    if found is None:
        known = [*catalogue.models, *catalogue.model_aliases]
        if "/" in key:
            near = did_you_mean(key, _of_its_size(key, known))
            raise UserError(f"unknown model {name!r}", f"{_ITS_CONFIG} {near}".strip())
        near = did_you_mean(key, known) or "`hwadvisor models` lists the known ones."
        raise UserError(f"unknown model {name!r}", near)
    return catalogue.models[found]


_ITS_CONFIG = "Give its config.json (--model FOLDER)."


def _of_its_size(key: str, known: Iterable[str]) -> list[str]:
    """Names with the same numbers in them: gemma-4-26b is no misspelt gemma-2-9b."""

    def numbers(text: str) -> list[str]:
        return re.findall(r"\d+", text.rpartition("/")[2])

    return [one for one in known if numbers(one.casefold()) == numbers(key)]


def find_accelerator(catalogue: Catalogue, name: str) -> Accelerator:
    """The accelerator of that id (any case). Raises UserError that offers the nearest ids."""
    found = catalogue.accelerators.get(name.strip().lower())
    if found is None:
        near = did_you_mean(name.strip(), catalogue.accelerators)
        raise UserError(f"unknown accelerator {name!r}", near or "`hwadvisor hardware` lists the known ones.")
    return found


def figures_of(entry: Accelerator) -> AcceleratorSummary:
    """What the report compares with, each figure with its source.

    Memory, bandwidth and peaks are of one device, as a framework sees it; power and rents are of a whole
    package. Where a package is several devices, the sources say which.
    """
    several = entry.devices_per_package
    each = f"each of {several} devices: " if several > 1 else ""
    whole = f"the package of {several} devices: " if several > 1 else ""
    figures: dict[str, Quantity] = {}

    def add(name: str, value: float | None, unit: str, source: str, kind: Kind = Kind.vendor) -> None:
        if value is not None:
            figures[name] = Quantity(value=value, unit=unit, kind=kind, source=source)

    if entry.memory_reported_bytes is not None:
        told, kind = entry.source_of("memory_reported"), Kind.published
    else:
        told, kind = entry.source_of("memory"), Kind.vendor
        if entry.shown_factor is not None:
            told, kind = f"vendor's figure x {entry.shown_source}; vendor: {told}", Kind.rule
    add("memory_bytes", entry.device_memory_bytes, "B", each + told, kind)
    bandwidth = None if entry.memory_bandwidth is None else entry.memory_bandwidth / several
    add("memory_bandwidth_bytes_per_s", bandwidth, "B/s", each + entry.source_of("memory_bandwidth"))
    for dtype, peak in entry.peaks.items():
        unit = "OP/s" if dtype == "int8" else "FLOP/s"
        add(f"matmul_{dtype}_flops", peak / several, unit, each + entry.source_of("peak"))
    add("power_w", entry.tdp_w, "W", whole + entry.source_of("tdp"))
    for name, price in (("rent_usd_per_h", entry.rent), ("spot_usd_per_h", entry.spot)):
        if price is not None:
            hourly = price.usd_per_s * units.HOUR_S
            add(name, hourly, "USD/h", whole + price_source(price), Kind.published)
    return AcceleratorSummary(
        id=entry.id,
        title=entry.title,
        vendor=entry.vendor,
        devices_per_package=several,
        figures=figures,
    )


def price_figure(price: Price) -> Quantity:
    """A price by the hour, with whose it is and of which day."""
    return Quantity(
        value=price.usd_per_s * units.HOUR_S, unit="USD/h", kind=Kind.published, source=price_source(price)
    )


def price_source(price: Price) -> str:
    """'lambda gpu_1x_h100_sxm5, 2026-09-17: lambda.ai/instances'."""
    whole = f" of {price.packages}, rented whole" if price.packages > 1 else ""
    return f"{price.provider} {price.instance}{whole}, {price.as_of or 'undated'}: {price.source}"


def provider_settings(folders: Iterable[Path]) -> dict[str, Any]:
    """Which providers count as known clouds and how old a price may be."""
    out: dict[str, Any] = {}
    for folder in folders:
        path = folder / "offers" / "providers.toml"
        if path.is_file():
            out.update(read_toml(path))
    return out


def _words(folders: Iterable[Path]) -> dict[str, tuple[str, ...]]:
    """The values of the rules' categories; the rule book checks the file itself."""
    found: dict[str, tuple[str, ...]] = {}
    for folder in folders:
        path = folder / "columns.toml"
        columns = read_toml(path).get("column", []) if path.is_file() else []
        for column in columns if isinstance(columns, list) else []:
            if isinstance(column, dict) and isinstance(column.get("values"), list):
                found[str(column.get("name"))] = tuple(str(value) for value in column["values"])
    return found
