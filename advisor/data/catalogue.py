"""The catalogue: accelerators, models, reference workloads; one TOML file each, users' folders on top."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from advisor import units
from advisor.data.accelerator import Accelerator, Price
from advisor.data.files import read_toml, shipped
from advisor.data.read_catalogue import read_accelerator, read_model, read_workload, text, texts
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


def load_catalogue(dirs: Sequence[Path] | None = None) -> Catalogue:
    """Read accelerators/, models/ and workloads/ of each folder; a later folder overrides by id.

    `dirs` None means the shipped rules alone. Raises DataError that names file, key, value and the
    nearest right one.
    """
    folders = [shipped("rules")] if dirs is None else list(dirs)
    offers = _offers(folders)
    overridden: list[str] = []

    def read(
        part: str, build: Callable[[Path, dict[str, Any]], _T]
    ) -> dict[str, tuple[Path, dict[str, Any], _T]]:
        found: dict[str, tuple[Path, dict[str, Any], _T]] = {}
        for folder in folders:
            seen: dict[str, Path] = {}
            for path in sorted((folder / part).glob("*.toml")):
                raw = read_toml(path)
                key = text(path, raw, "id")
                if key in seen:
                    raise DataError.at(
                        path, "id", key, f"is used by {seen[key].name} too", "Give it its own id."
                    )
                seen[key] = path
                if key in found:
                    overridden.append(key)
                found[key] = (path, raw, build(path, raw))
        return found

    known = frozenset(offers.get("clouds", ()))
    accelerators = {
        k: v[2] for k, v in sorted(read("accelerators", lambda p, r: read_accelerator(p, r, known)).items())
    }
    models = read("models", read_model)
    by_id = {key: model for key, (_, _, model) in models.items()}
    workloads = read("workloads", lambda path, raw: read_workload(path, raw, by_id))
    ordered = sorted(workloads.values(), key=lambda item: (item[1].get("order", 1000), item[2].id))
    newest = max((p.as_of for a in accelerators.values() for p in a.prices if p.as_of), default=None)
    oldest = newest and newest - datetime.timedelta(days=int(offers.get("max_age_days", 0)))
    return Catalogue(
        accelerators={key: _with_prices(item, oldest) for key, item in accelerators.items()},
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


def _with_prices(entry: Accelerator, oldest: datetime.date | None) -> Accelerator:
    """The cheapest dated price of a known cloud of each kind; old ones only where there is no younger."""
    chosen: dict[str, Price] = {}
    for kind in ("on_demand", "spot"):
        dated = [p for p in entry.prices if p.kind == kind and p.as_of is not None and p.known_cloud]
        fresh = [p for p in dated if oldest is not None and p.as_of is not None and p.as_of >= oldest]
        if dated:
            chosen[kind] = min(fresh or dated, key=lambda price: price.usd_per_s)
    return replace(entry, rent=chosen.get("on_demand"), spot=chosen.get("spot"))


def find_model(catalogue: Catalogue, name: str) -> Model:
    """The model of that id or alias (any case). Raises UserError that offers the nearest names."""
    key = name.strip().casefold()
    ids = {model_id.casefold(): model_id for model_id in catalogue.models}
    found = ids.get(key) or catalogue.model_aliases.get(key)
    if found is None:
        near = did_you_mean(name.strip(), [*catalogue.models, *catalogue.model_aliases])
        raise UserError(f"unknown model {name!r}", near or "`hwadvisor models` lists the known ones.")
    return catalogue.models[found]


def find_accelerator(catalogue: Catalogue, name: str) -> Accelerator:
    """The accelerator of that id (any case). Raises UserError that offers the nearest ids."""
    found = catalogue.accelerators.get(name.strip().lower())
    if found is None:
        near = did_you_mean(name.strip(), catalogue.accelerators)
        raise UserError(f"unknown accelerator {name!r}", near or "`hwadvisor hardware` lists the known ones.")
    return found


def figures_of(entry: Accelerator) -> AcceleratorSummary:
    """What the report compares with, per device, each figure with its source."""
    share = 1.0 / entry.devices_per_package
    figures: dict[str, Quantity] = {}

    def add(name: str, value: float | None, unit: str, cited: str) -> None:
        if value is not None:
            figures[name] = Quantity(
                value=value * share, unit=unit, kind=Kind.vendor, source=entry.source_of(cited)
            )

    add("memory_bytes", entry.memory_bytes, "B", "memory")
    if entry.memory_reported_bytes is not None:
        figures["memory_bytes"] = Quantity(
            value=entry.memory_reported_bytes,
            unit="B",
            kind=Kind.published,
            source=entry.source_of("memory_reported"),
        )
    add("memory_bandwidth_bytes_per_s", entry.memory_bandwidth, "B/s", "memory_bandwidth")
    for dtype, peak in entry.peaks.items():
        add(f"matmul_{dtype}_flops", peak, "OP/s" if dtype == "int8" else "FLOP/s", "peak")
    add("power_w", entry.tdp_w, "W", "tdp")
    for name, price in (("rent_usd_per_h", entry.rent), ("spot_usd_per_h", entry.spot)):
        if price is not None:
            figures[name] = Quantity(
                value=price.usd_per_s * units.HOUR_S * share,
                unit="USD/h",
                kind=Kind.published,
                source=price_source(price),
            )
    return AcceleratorSummary(
        id=entry.id,
        title=entry.title,
        vendor=entry.vendor,
        devices_per_package=entry.devices_per_package,
        figures=figures,
    )


def price_source(price: Price) -> str:
    """'lambda gpu_1x_h100_sxm5, 2026-09-17: lambda.ai/instances'."""
    return f"{price.provider} {price.instance}, {price.as_of or 'undated'}: {price.source}"


def _offers(folders: Iterable[Path]) -> dict[str, Any]:
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
