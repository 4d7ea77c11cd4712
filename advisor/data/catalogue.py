"""The catalogue: accelerators, models and reference workloads, one TOML file each, users' folders over shipped ones."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from advisor import units
from advisor.data.files import read_toml, shipped
from advisor.errors import DataError, UserError, did_you_mean
from advisor.schema import Kind, Model, Quantity, Recipe, Workload
from advisor.schema import Accelerator as AcceleratorSummary

PEAKS = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8", "fp16_tensor_fp16acc")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Price:
    """What a cloud asks for one package, US dollars a second; `as_of` None: the source gives no date."""

    provider: str
    instance: str
    kind: str  # on_demand, spot
    usd_per_s: float
    as_of: datetime.date | None
    source: str
    known_cloud: bool


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One product as the catalogue knows it. Figures are SI and per package; None: not known.

    `devices_per_package` tells how many devices a framework sees of one package. `cites` says which of
    `sources` stand behind which figure.
    """

    id: str
    title: str
    vendor: str
    generation: str
    file: Path
    devices_per_package: int = 1
    architecture: str = ""
    status: str = ""
    compute_capability: str = ""
    aliases: tuple[str, ...] = ()
    pci_ids: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    compute_units: int | None = None
    memory_bytes: float | None = None
    memory_reported_bytes: float | None = None
    memory_type: str = ""
    memory_bandwidth: float | None = None
    tdp_w: float | None = None
    peaks: Mapping[str, float] = field(default_factory=dict)
    interconnect: str = ""
    interconnect_bytes_per_s: float | None = None
    prices: tuple[Price, ...] = ()
    rent: Price | None = None  # the on-demand price that is used
    spot: Price | None = None
    msrp_usd: float | None = None
    notes: str = ""
    cites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def unified(self) -> bool:
        """Whether it shares the host's memory."""
        return "unified" in self.memory_type

    @property
    def own_memory_bounds(self) -> bool:
        """Whether the printed memory bounds the model (a wafer streams its weights from outside)."""
        return "SRAM" not in self.memory_type

    def source_of(self, figure: str) -> str:
        """The sources behind a figure ("peak", "memory", …), in one line."""
        keys = self.cites.get(figure, ()) or self.cites.get("general", ())
        return "; ".join(self.sources[key] for key in keys if key in self.sources) or self.file.name


@dataclass(frozen=True)
class Catalogue:
    """All data files read. `prices_as_of`: newest price; `overridden`: ids that a user's folder replaced."""

    accelerators: Mapping[str, Accelerator]
    models: Mapping[str, Model]
    workloads: tuple[Workload, ...]  # in the order they are shown
    model_aliases: Mapping[str, str]
    published_params: Mapping[str, float]
    prices_as_of: str
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
                key = _text(path, raw, "id")
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
        k: v[2] for k, v in sorted(read("accelerators", lambda p, r: _accelerator(p, r, known)).items())
    }
    models = read("models", _model)
    by_id = {key: model for key, (_, _, model) in models.items()}
    workloads = read("workloads", lambda path, raw: _workload(path, raw, by_id))
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
            for alias in _texts(path, raw, "aliases")
        },
        published_params={
            key: float(raw["published_params"])
            for key, (_, raw, _) in models.items()
            if "published_params" in raw
        },
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


# ---- reading one file -----------------------------------------------------------------------------------


def _offers(folders: Iterable[Path]) -> dict[str, Any]:
    """Which providers count as known clouds and how old a price may be."""
    out: dict[str, Any] = {}
    for folder in folders:
        path = folder / "offers" / "providers.toml"
        if path.is_file():
            out.update(read_toml(path))
    return out


_ACCELERATOR_KEYS = frozenset(
    "id vendor title generation architecture form_factor release status compute_capability gfx device_kind aliases "
    "pci_ids compute_units frameworks devices_per_package memory memory_reported memory_bandwidth tdp memory_type "
    "scale_up_domain pcie_gen pcie_lanes notes export_note derived peak interconnect cites sources msrp street price".split()
)
_MODEL_KEYS = frozenset("id title family aliases source published_params numbers".split())
_WORKLOAD_KEYS = frozenset("id order title model deadline_days note recipe".split())
_RECIPE_KEYS = frozenset(
    "method precision optimizer samples tokens seq_len global_batch numbers source".split()
)


def _check_keys(path: Path, raw: Mapping[str, Any], allowed: frozenset[str], where: str = "") -> None:
    for key in raw:
        if key not in allowed:
            raise DataError.at(path, where + key, None, "is no known key", did_you_mean(key, allowed))


def _text(path: Path, raw: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = raw.get(key, default)
    if not isinstance(value, str) or (default is None and not value):
        raise DataError.at(path, key, value, "is missing" if value is None else "is no text", "")
    return value


def _texts(path: Path, raw: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = raw.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise DataError.at(path, key, value, "is no list of texts", "")
    return tuple(value)


def _amount(path: Path, raw: Mapping[str, Any], key: str, unit: str, where: str = "") -> float | None:
    """A text with a unit, as SI; None when the key is absent. Bare numbers are refused: no unit, no figure."""
    value = raw.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise DataError.at(path, where + key, value, "has no unit", f'Write it as "{value} {unit}".')
    try:
        parsed = units.parse(value)
        wanted = units.parse_unit(unit).dimension
    except UserError as error:
        raise DataError.at(path, where + key, value, error.message, error.hint) from error
    if parsed.dimension != wanted:
        raise DataError.at(
            path, where + key, value, f"is in {parsed.dimension}, not in {wanted}", f"Give it in {unit}."
        )
    if parsed.value <= 0:
        raise DataError.at(
            path, where + key, value, "is not above zero", "Leave the key out when it is not known."
        )
    return parsed.value


def _number(path: Path, raw: Mapping[str, Any], key: str, where: str = "") -> float | None:
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise DataError.at(path, where + key, value, "is no number from zero up", "")
    return float(value)


def _date(path: Path, raw: Mapping[str, Any], key: str, where: str) -> datetime.date | None:
    """A date; a month alone counts as its first day, an empty text as unknown."""
    value = raw.get(key, "")
    if isinstance(value, datetime.date):
        return value
    if value == "":
        return None
    try:
        return datetime.date.fromisoformat(value if len(value) > 7 else f"{value}-01")
    except (TypeError, ValueError) as error:
        raise DataError.at(path, where + key, value, "is no date", 'Write it as "2026-09-17".') from error


def _accelerator(path: Path, raw: dict[str, Any], known_clouds: frozenset[str]) -> Accelerator:
    _check_keys(path, raw, _ACCELERATOR_KEYS)
    peaks_raw = raw.get("peak", {})
    _check_keys(path, peaks_raw, frozenset(PEAKS), "peak.")
    peaks = {
        key: _amount(path, peaks_raw, key, "OP/s" if key == "int8" else "FLOP/s", "peak.")
        for key in peaks_raw
    }
    link = raw.get("interconnect", {})
    sources = raw.get("sources", {})
    cites = {key: tuple(value) for key, value in raw.get("cites", {}).items()}
    for figure, keys in cites.items():
        for key in keys:
            if key not in sources:
                raise DataError.at(
                    path, f"cites.{figure}", key, "names no entry of [sources]", did_you_mean(key, sources)
                )
    if not sources:
        raise DataError.at(
            path, "sources", None, "is missing: every figure needs one", "Add a [sources] table."
        )
    per_package = raw.get("devices_per_package", 1)
    if not isinstance(per_package, int) or isinstance(per_package, bool) or per_package < 1:
        raise DataError.at(path, "devices_per_package", per_package, "is no whole number from 1 up", "")
    compute_units = _number(path, raw, "compute_units")
    return Accelerator(
        id=_text(path, raw, "id"),
        title=_text(path, raw, "title"),
        vendor=_text(path, raw, "vendor"),
        generation=_text(path, raw, "generation"),
        file=path,
        devices_per_package=per_package,
        architecture=_text(path, raw, "architecture", ""),
        status=_text(path, raw, "status", ""),
        compute_capability=_text(path, raw, "compute_capability", ""),
        aliases=_texts(path, raw, "aliases"),
        pci_ids=tuple(item.lower() for item in _texts(path, raw, "pci_ids")),
        frameworks=_texts(path, raw, "frameworks"),
        compute_units=None if compute_units is None else int(compute_units),
        memory_bytes=_amount(path, raw, "memory", "B"),
        memory_reported_bytes=_amount(path, raw, "memory_reported", "B"),
        memory_type=_text(path, raw, "memory_type", ""),
        memory_bandwidth=_amount(path, raw, "memory_bandwidth", "B/s"),
        tdp_w=_amount(path, raw, "tdp", "W"),
        peaks={key: value for key, value in peaks.items() if value is not None},
        interconnect=_text(path, link, "name", ""),
        interconnect_bytes_per_s=_amount(path, link, "bidirectional", "B/s", "interconnect."),
        prices=tuple(_price(path, at, item, known_clouds) for at, item in enumerate(raw.get("price", []))),
        msrp_usd=_number(path, raw.get("msrp", {}), "usd", "msrp."),
        notes=_text(path, raw, "notes", ""),
        cites=cites,
        sources=sources,
    )


def _price(path: Path, at: int, raw: dict[str, Any], known_clouds: frozenset[str]) -> Price:
    where = f"price[{at}]."
    _check_keys(path, raw, frozenset("provider instance kind usd_per_hour as_of source".split()), where)
    kind = _text(path, raw, "kind")
    if kind not in ("on_demand", "spot"):
        raise DataError.at(path, where + "kind", kind, "is neither on_demand nor spot", "")
    hourly = _number(path, raw, "usd_per_hour", where)
    if not hourly:
        raise DataError.at(path, where + "usd_per_hour", hourly, "is missing or zero", "")
    provider, instance = _text(path, raw, "provider"), _text(path, raw, "instance")
    return Price(
        provider=provider,
        instance=instance,
        kind=kind,
        usd_per_s=hourly / units.HOUR_S,
        as_of=_date(path, raw, "as_of", where),
        source=_text(path, raw, "source"),
        known_cloud=provider in known_clouds
        and "community" not in instance
        and "marketplace" not in instance,
    )


def _model(path: Path, raw: dict[str, Any]) -> Model:
    _check_keys(path, raw, _MODEL_KEYS)
    return Model(
        id=_text(path, raw, "id"),
        title=_text(path, raw, "title"),
        family=_text(path, raw, "family"),
        numbers=_numbers(path, raw, "numbers."),
        source=_text(path, raw, "source"),
    )


def _numbers(path: Path, raw: Mapping[str, Any], where: str) -> dict[str, float]:
    table = raw.get("numbers", {})
    return {key: value for key in table if (value := _number(path, table, key, where)) is not None}


def _workload(path: Path, raw: dict[str, Any], models: Mapping[str, Model]) -> Workload:
    _check_keys(path, raw, _WORKLOAD_KEYS)
    name = _text(path, raw, "model")
    if name not in models:
        raise DataError.at(path, "model", name, "is no known model", did_you_mean(name, models))
    recipe = raw.get("recipe")
    if not isinstance(recipe, dict):
        raise DataError.at(path, "recipe", recipe, "is missing", "Add a [recipe] table.")
    _check_keys(path, recipe, _RECIPE_KEYS, "recipe.")
    seq_len = _number(path, recipe, "seq_len", "recipe.")
    return Workload(
        id=_text(path, raw, "id"),
        title=_text(path, raw, "title"),
        model=models[name],
        recipe=Recipe(
            method=_text(path, recipe, "method"),
            precision=_text(path, recipe, "precision"),
            optimizer=_text(path, recipe, "optimizer", "adamw"),
            samples=_samples(path, recipe, seq_len),
            seq_len=seq_len,
            global_batch=_number(path, recipe, "global_batch", "recipe."),
            numbers=_numbers(path, recipe, "recipe.numbers."),
            source=_text(path, recipe, "source"),
        ),
        deadline_days=_number(path, raw, "deadline_days"),
        note=_text(path, raw, "note", ""),
    )


def _samples(path: Path, recipe: Mapping[str, Any], seq_len: float | None) -> float | None:
    """Samples as given, or tokens over the sequence length ("10 billion" is understood)."""
    for key in ("samples", "tokens"):
        if key not in recipe:
            continue
        try:
            count = units.parse_count(recipe[key])
        except UserError as error:
            raise DataError.at(path, f"recipe.{key}", recipe[key], error.message, error.hint) from error
        if key == "samples":
            return count
        if not seq_len:
            raise DataError.at(
                path, "recipe.tokens", recipe[key], "needs seq_len to become samples", "Add seq_len."
            )
        return count / seq_len
    return None
