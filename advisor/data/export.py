"""What export rules say of a product (rules/export): a pointer for planning, and no legal advice."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.data.accelerator import Accelerator
from advisor.data.files import read_toml, shipped
from advisor.data.read_catalogue import _amount, _check_keys, _date, _number, text, texts
from advisor.errors import DataError

DISCLAIMER = "Not legal advice: ask whoever sells it for its classification."

_BITS = {"fp4": 4, "fp8": 8, "int8": 8, "bf16": 16, "fp16": 16, "fp16_tensor_fp16acc": 16}
_WITHOUT_UNITS = {**_BITS, "fp32": 32, "fp64": 64}
_KEYS = frozenset(
    ("authority", "checked", "vendors", "not_for_data_centres", "but_for_data_centres", "destinations",
     "rule", "told", "risk", "review_policy", "change", "die")
)  # fmt: skip
_RULE_KEYS = frozenset(
    ("id", "eccn", "min_performance", "below_performance", "min_density", "below_density", "since", "rule",
     "source")
)  # fmt: skip
_NAMED_KEYS = frozenset(("accelerator", "accelerators", "since", "rule", "source"))


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: what it says, since when, and where it was read; its bounds, where it has any."""

    rule: str
    since: str
    source: str
    eccn: str = ""
    min_performance: float = 0.0
    below_performance: float = float("inf")
    min_density: float = 0.0
    below_density: float = float("inf")

    def names(self, performance: float, density: float | None) -> bool | None:
        """Whether it names a product; None where the density decides and is not known."""
        if not self.min_performance <= performance < self.below_performance:
            return False
        if not self.min_density:
            return True
        return None if density is None else self.min_density <= density < self.below_density


@dataclass(frozen=True, slots=True)
class Export:
    """The rows of one country's rules."""

    vendors: frozenset[str]
    consumer: tuple[str, ...]  # beginnings of ids of what is not for data centres
    servers: tuple[str, ...]  # of these, what is
    destinations: tuple[str, ...]
    rules: tuple[Rule, ...]
    told: Mapping[str, Rule]  # by accelerator: licences asked for by letter
    risks: Mapping[str, Rule]
    areas: Mapping[str, float]  # mm2 of logic dies
    policy: Rule  # below which applications are judged case by case
    policy_bandwidth: float

    def for_data_centres(self, entry: Accelerator) -> bool:
        """Whether the product line is made for data centres, by its id."""
        return entry.id.startswith(self.servers) or not entry.id.startswith(self.consumer)


@functools.cache
def load_export() -> Export:
    """The shipped rows. Raises DataError naming file and key."""
    path = shipped("rules") / "export" / "united-states.toml"
    return read_export(path, read_toml(path))


def read_export(path: Path, raw: dict[str, Any]) -> Export:
    """One file. Raises DataError for unknown keys, and for a row without its day or source."""
    _check_keys(path, raw, _KEYS)
    policy = raw.get("review_policy", {})
    for change in raw.get("change", []):
        _dated(path, change, "day", "change.")
    return Export(
        vendors=frozenset(texts(path, raw, "vendors")),
        consumer=texts(path, raw, "not_for_data_centres"),
        servers=texts(path, raw, "but_for_data_centres"),
        destinations=texts(path, raw, "destinations"),
        rules=tuple(_rule(path, one) for one in raw.get("rule", [])),
        told=_by_product(path, raw, "told"),
        risks=_by_product(path, raw, "risk"),
        areas=_areas(path, raw),
        policy=Rule(
            text(path, policy, "rule"),
            _dated(path, policy, "since", "review_policy."),
            text(path, policy, "source"),
            below_performance=_number(path, policy, "below_performance", "review_policy.") or 0.0,
        ),
        policy_bandwidth=_amount(path, policy, "below_bandwidth", "B/s", "review_policy.") or 0.0,
    )


def _dated(path: Path, raw: Mapping[str, Any], key: str, where: str) -> str:
    day = _date(path, raw, key, where)
    if day is None:
        raise DataError.at(path, where + key, None, "is missing", 'Write it as "2026-09-17".')
    text(path, raw, "source")
    return day.isoformat()


def _rule(path: Path, raw: dict[str, Any]) -> Rule:
    _check_keys(path, raw, _RULE_KEYS, "rule.")
    bounds = {
        key: number
        for key in ("min_performance", "below_performance", "min_density", "below_density")
        if (number := _number(path, raw, key, "rule.")) is not None
    }
    if not bounds.get("min_performance"):
        raise DataError.at(path, "rule.min_performance", None, "is missing or zero", "")
    since = _dated(path, raw, "since", "rule.")
    return Rule(text(path, raw, "rule"), since, text(path, raw, "source"), text(path, raw, "eccn"), **bounds)


def _by_product(path: Path, raw: Mapping[str, Any], part: str) -> dict[str, Rule]:
    found = {}
    for one in raw.get(part, []):
        _check_keys(path, one, _NAMED_KEYS, f"{part}.")
        row = Rule(text(path, one, "rule"), _dated(path, one, "since", f"{part}."), text(path, one, "source"))
        named = texts(path, one, "accelerators") or (text(path, one, "accelerator"),)
        found.update(dict.fromkeys(named, row))
    return found


def _areas(path: Path, raw: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in raw.get("die", []):
        _check_keys(path, one, frozenset(("accelerators", "area_mm2", "source")), "die.")
        area = _number(path, one, "area_mm2", "die.")
        if not area:
            raise DataError.at(path, "die.area_mm2", area, "is missing or zero", "")
        text(path, one, "source")
        found.update(dict.fromkeys(texts(path, one, "accelerators"), area))
    return found


def processing_performance(entry: Accelerator) -> float | None:
    """Total processing performance as ECCN 3A090 counts it: dense operations a second (10^12) x bits.

    None where no peak of 16 bits or fewer is known, but for GPUs without matrix units, which have none faster
    than their 32-bit one.
    """
    bits = _WITHOUT_UNITS if _without_units(entry) else _BITS
    rates = [rate / 1e12 * bits[name] for name, rate in entry.peaks.items() if name in bits]
    return max(rates, default=None)


def _without_units(entry: Accelerator) -> bool:
    """NVIDIA's matrix units came with compute capability 7.0 (Volta)."""
    major = entry.compute_capability.partition(".")[0]
    return entry.vendor == "nvidia" and major.isdigit() and int(major) < 7


def performance_density(entry: Accelerator) -> float | None:
    """The same by mm2 of logic die; None where the area is not known."""
    area, score = load_export().areas.get(entry.id), processing_performance(entry)
    return None if area is None or score is None else score / area


def _named(entry: Accelerator) -> tuple[Rule | None, bool]:
    """The first row that names it, and whether a row is left open by an unknown density."""
    export, score = load_export(), processing_performance(entry)
    if entry.vendor not in export.vendors or score is None:
        return None, False
    density, left_open = performance_density(entry), False
    for row in export.rules:
        if row.min_density and not export.for_data_centres(entry):
            continue  # Note 2 to 3A090
        says = row.names(score, density)
        if says:
            return row, False
        left_open = left_open or says is None
    return None, left_open


def needs_licence(entry: Accelerator) -> bool:
    """Whether a row names it, or its maker was told so: a licence, or for some a notice, is asked for."""
    return _named(entry)[0] is not None or entry.id in load_export().told


def unjudged(entry: Accelerator) -> str:
    """Why it cannot be said whether a row names it; '' where it can, or no rules here are about its maker."""
    export = load_export()
    if entry.vendor not in export.vendors or entry.id in export.told:
        return ""
    score = processing_performance(entry)
    if score is None:
        return "no dense peak of it in 16 bits or fewer is in the catalogue, by which they go."
    if _named(entry)[1]:
        return (
            f"its total processing performance is {score:,.0f}, and the area of its dies, which then "
            "decides, is not in the catalogue."
        )
    return ""


def export_note(entry: Accelerator) -> str:
    """What its catalogue file says of export, and what the rules of the United States do; or ''."""
    export = load_export()
    parts = [entry.export_note + "."] if entry.export_note else []
    row, left_open = _named(entry)
    score = processing_performance(entry) or 0.0
    if row is not None:
        parts.append(_told(entry, row, score))
    elif left_open:
        parts.append(
            f"Total processing performance {score:,.0f}: ECCN 3A090 (88 FR 73458, 2023-10-25) decides by "
            "the area of its dies, which is not in the catalogue."
        )
    if (letter := export.told.get(entry.id)) is not None:
        parts.append(f"Since {letter.since}: {letter.rule} ({letter.source}).")
    judged = row is not None or letter is not None
    if judged and score < export.policy.below_performance and _slow(entry, export.policy_bandwidth):
        parts.append(
            f"Since {export.policy.since} exports of it from the United States to China and Macau are judged "
            "case by case (91 FR 1684)."
        )
    if (risk := export.risks.get(entry.id)) is not None:
        parts.append(f"Since {risk.since}: {risk.rule} ({risk.source}).")
    return " ".join([*parts, DISCLAIMER]) if parts else ""


def _told(entry: Accelerator, row: Rule, score: float) -> str:
    density = performance_density(entry)
    dense = f", by mm2 of die {density:.2f}" if row.min_density and density is not None else ""
    by_notice = row.eccn.endswith(".b") or not load_export().for_data_centres(entry)
    asked = "a licence, or a notice under the exception NAC," if by_notice else "a licence"
    return (
        f"Total processing performance {score:,.0f}{dense}: ECCN {row.eccn} (since {row.since}, 88 FR 73458) "
        f"names {row.rule}, and asks for {asked} for some destinations, China among them."
    )


def _slow(entry: Accelerator, below: float) -> bool:
    return entry.memory_bandwidth is not None and entry.memory_bandwidth < below
