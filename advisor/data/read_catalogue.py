# ruff: noqa: SIM905 - lists of keys read better as words
"""One file of the catalogue -> accelerator, model or workload; errors name file, key, value, nearest."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor import units
from advisor.data.accelerator import Accelerator, Price, Purchase
from advisor.errors import DataError, UserError, did_you_mean
from advisor.schema import Model, Recipe, Workload

PEAKS = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8", "fp16_tensor_fp16acc")

_ACCELERATOR_KEYS = frozenset(
    """id vendor title generation architecture form_factor release status compute_capability gfx device_kind
    aliases pci_ids compute_units frameworks devices_per_package memory memory_reported memory_bandwidth tdp
    memory_type memory_ecc scale_up_domain pcie_gen pcie_lanes notes export_note derived peak interconnect
    network cites sources msrp street price""".split()
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


def text(path: Path, raw: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = raw.get(key, default)
    if not isinstance(value, str) or (default is None and not value):
        hint = f'Write {key} = "…".'
        raise DataError.at(path, key, value, "is missing" if value is None else "is no text", hint)
    return value


def entry_id(path: Path, raw: Mapping[str, Any]) -> str:
    """The id of a file's one entry; keys under a header such as [[accelerator]] are told as that."""
    headers = [key for key in ("accelerator", "model", "workload") if isinstance(raw.get(key), (list, dict))]
    if "id" not in raw and headers:
        raise DataError.at(
            path,
            f"[[{headers[0]}]]" if isinstance(raw[headers[0]], list) else f"[{headers[0]}]",
            None,
            "is no header of this file: it holds one entry, its keys without a header",
            "Take the header away; write each further entry into a file of its own.",
        )
    return text(path, raw, "id")


def texts(path: Path, raw: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = raw.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise DataError.at(path, key, value, "is no list of texts", "")
    return tuple(value)


def _amount(path: Path, raw: Mapping[str, Any], key: str, unit: str, where: str = "") -> float | None:
    """A text with a unit, as SI; None when the key is absent. Bare numbers are refused."""
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
    """A date; a month or year alone counts as its first day, an empty text as unknown."""
    value = raw.get(key, "")
    if isinstance(value, datetime.date):
        return value
    if value == "":
        return None
    try:
        return datetime.date.fromisoformat(value + {7: "-01", 4: "-01-01"}.get(len(value), ""))
    except (TypeError, ValueError) as error:
        raise DataError.at(path, where + key, value, "is no date", 'Write it as "2026-09-17".') from error


def read_accelerator(path: Path, raw: dict[str, Any], known_clouds: frozenset[str]) -> Accelerator:
    _check_keys(path, raw, _ACCELERATOR_KEYS)
    peaks_raw = raw.get("peak", {})
    _check_keys(path, peaks_raw, frozenset(PEAKS), "peak.")
    peaks = {
        key: _amount(path, peaks_raw, key, "OP/s" if key == "int8" else "FLOP/s", "peak.")
        for key in peaks_raw
    }
    link, network = raw.get("interconnect", {}), raw.get("network", {})
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
    domain = _number(path, raw, "scale_up_domain")
    if domain is not None and (domain < 1 or domain != int(domain)):
        raise DataError.at(path, "scale_up_domain", domain, "is no whole number from 1 up", "")
    return Accelerator(
        id=text(path, raw, "id"),
        title=text(path, raw, "title"),
        vendor=text(path, raw, "vendor"),
        generation=text(path, raw, "generation"),
        file=path,
        devices_per_package=per_package,
        architecture=text(path, raw, "architecture", ""),
        form_factor=text(path, raw, "form_factor", ""),
        status=text(path, raw, "status", ""),
        compute_capability=text(path, raw, "compute_capability", ""),
        aliases=texts(path, raw, "aliases"),
        pci_ids=tuple(item.lower() for item in texts(path, raw, "pci_ids")),
        frameworks=texts(path, raw, "frameworks"),
        compute_units=None if compute_units is None else int(compute_units),
        memory_bytes=_amount(path, raw, "memory", "B"),
        memory_reported_bytes=_amount(path, raw, "memory_reported", "B"),
        memory_type=text(path, raw, "memory_type", ""),
        memory_ecc=raw.get("memory_ecc") is True,
        memory_bandwidth=_amount(path, raw, "memory_bandwidth", "B/s"),
        tdp_w=_amount(path, raw, "tdp", "W"),
        peaks={key: value for key, value in peaks.items() if value is not None},
        interconnect=text(path, link, "name", ""),
        interconnect_bytes_per_s=_amount(path, link, "bidirectional", "B/s", "interconnect."),
        scale_up_domain=None if domain is None else int(domain),
        network=text(path, network, "name", ""),
        network_bytes_per_s=_amount(path, network, "one_way", "B/s", "network."),
        prices=tuple(_price(path, at, item, known_clouds) for at, item in enumerate(raw.get("price", []))),
        bought=_purchase(path, raw.get("msrp", {}), raw.get("street", {})),
        notes=text(path, raw, "notes", ""),
        export_note=text(path, raw, "export_note", ""),
        cites=cites,
        sources=sources,
    )


def _purchase(path: Path, listed: Mapping[str, Any], street: Mapping[str, Any]) -> Purchase | None:
    """The list price, or what dealers asked where that is younger (or no list price is known)."""
    _check_keys(path, listed, frozenset(("usd", "as_of", "source")), "msrp.")
    _check_keys(path, street, frozenset(("low_usd", "high_usd", "as_of", "source")), "street.")
    price, day = _number(path, listed, "usd", "msrp."), _date(path, listed, "as_of", "msrp.")
    low, high = _number(path, street, "low_usd", "street."), _number(path, street, "high_usd", "street.")
    asked = _date(path, street, "as_of", "street.")
    if street and (not low or not high or high < low):
        raise DataError.at(path, "street", None, "is no range above zero", "Give low_usd and high_usd.")
    if low and high and (price is None or (asked is not None and (day is None or asked > day))):
        return Purchase((low + high) / 2, low, high, asked, "street price")
    return None if price is None else Purchase(price, price, price, day)


def _price(path: Path, at: int, raw: dict[str, Any], known_clouds: frozenset[str]) -> Price:
    where = f"price[{at}]."
    _check_keys(path, raw, frozenset("provider instance kind usd_per_hour as_of source".split()), where)
    kind = text(path, raw, "kind")
    if kind not in ("on_demand", "spot"):
        raise DataError.at(path, where + "kind", kind, "is neither on_demand nor spot", "")
    hourly = _number(path, raw, "usd_per_hour", where)
    if not hourly:
        raise DataError.at(path, where + "usd_per_hour", hourly, "is missing or zero", "")
    provider, instance = text(path, raw, "provider"), text(path, raw, "instance")
    return Price(
        provider=provider,
        instance=instance,
        kind=kind,
        usd_per_s=hourly / units.HOUR_S,
        as_of=_date(path, raw, "as_of", where),
        source=text(path, raw, "source"),
        known_cloud=provider in known_clouds
        and "community" not in instance
        and "marketplace" not in instance,
    )


def read_model(path: Path, raw: dict[str, Any]) -> Model:
    _check_keys(path, raw, _MODEL_KEYS)
    return Model(
        id=text(path, raw, "id"),
        title=text(path, raw, "title"),
        family=text(path, raw, "family"),
        numbers=_numbers(path, raw, "numbers."),
        source=text(path, raw, "source"),
    )


def _numbers(path: Path, raw: Mapping[str, Any], where: str) -> dict[str, float]:
    table = raw.get("numbers", {})
    return {key: value for key in table if (value := _number(path, table, key, where)) is not None}


def read_workload(path: Path, raw: dict[str, Any], models: Mapping[str, Model]) -> Workload:
    _check_keys(path, raw, _WORKLOAD_KEYS)
    name = text(path, raw, "model")
    if name not in models:
        raise DataError.at(path, "model", name, "is no known model", did_you_mean(name, models))
    recipe = raw.get("recipe")
    if not isinstance(recipe, dict):
        raise DataError.at(path, "recipe", recipe, "is missing", "Add a [recipe] table.")
    _check_keys(path, recipe, _RECIPE_KEYS, "recipe.")
    seq_len = _number(path, recipe, "seq_len", "recipe.")
    return Workload(
        id=text(path, raw, "id"),
        title=text(path, raw, "title"),
        model=models[name],
        recipe=Recipe(
            method=text(path, recipe, "method"),
            precision=text(path, recipe, "precision"),
            optimizer=text(path, recipe, "optimizer", "adamw"),
            samples=_samples(path, recipe, seq_len),
            seq_len=seq_len,
            global_batch=_number(path, recipe, "global_batch", "recipe."),
            numbers=_numbers(path, recipe, "recipe.numbers."),
            source=text(path, recipe, "source"),
        ),
        deadline_days=_number(path, raw, "deadline_days"),
        note=text(path, raw, "note", ""),
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
