"""Errors of judged rows in figures: overall, by vendor, family, source, scale, effort; the worst rows."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from advisor.evidence.validate import Judged

_SCALES = ((1, "1"), (8, "2 to 8"), (64, "9 to 64"), (1024, "65 to 1024"), (math.inf, "more"))


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of some rows of one quantity. Shares of 1; NaN where there is no row.

    `interval_score`: width of the 80 % range plus ten times what lies outside of it, over the measured value
    (smaller is better; a range that is always right by being wide scores badly).
    """

    rows: int
    refused: int
    median: float = math.nan
    p90: float = math.nan
    signed: float = math.nan
    covered: float = math.nan
    half_width: float = math.nan
    interval_score: float = math.nan

    def as_json(self) -> dict[str, Any]:
        """Figures by name; unknown is null."""
        return {
            name: None if isinstance(value := getattr(self, name), float) and math.isnan(value) else value
            for name in self.__slots__
        }


def errors_of(judged: Iterable[Judged]) -> Errors:
    """Errors of these rows."""
    rows = list(judged)
    answered = [row for row in rows if not row.refused]
    refused = len(rows) - len(answered)
    if not answered:
        return Errors(0, refused)
    measured = np.array([row.measured for row in answered])
    low, high = np.array([row.low for row in answered]), np.array([row.high for row in answered])
    error = np.array([row.error for row in answered])
    predicted = np.array([row.predicted for row in answered])
    outside = 10.0 * (np.maximum(low - measured, 0.0) + np.maximum(measured - high, 0.0))
    scale = np.where(measured > 0, measured, 1.0)
    half = np.where(predicted > 0, (high - low) / 2 / np.where(predicted > 0, predicted, 1.0), 0.0)
    return Errors(
        len(answered), refused, float(np.median(np.abs(error))), float(np.quantile(np.abs(error), 0.9)),
        float(np.median(error)), float(np.mean((low <= measured) & (measured <= high))),
        float(np.median(half)), float(np.mean((high - low + outside) / scale)),
    )  # fmt: skip


def _scale_of(row: Judged) -> str:
    devices = row.run.devices if row.run else 0.0
    return next(label for most, label in _SCALES if devices <= most)


_REFITTED = ("step_time_s", "total_time_h")
"""Quantities whose constants and neighbours are fitted again without what is left out."""

_SLICES: Mapping[str, Callable[[Judged], str]] = {
    "vendor": lambda row: row.run.entry.vendor if row.run else "not known",
    "family": lambda row: row.run.network.family if row.run else "not known",
    "devices": lambda row: _scale_of(row) if row.run else "not known",
    "effort": lambda row: str(row.run.inputs.values.get("effort")) if row.run else "not known",
    "method": lambda row: str(row.run.inputs.values.get("method")) if row.run else "not known",
    "source": lambda row: row.run.record.source if row.run else "not known",
}


def summary_of(judged: Sequence[Judged], way: str) -> dict[str, Any]:
    """The summary that `validate --json` prints: by quantity, then by slice."""
    quantities: dict[str, list[Judged]] = defaultdict(list)
    for row in judged:
        quantities[row.quantity].append(row)
    found: dict[str, Any] = {"leave_out": way, "quantities": {}}
    for quantity, rows in sorted(quantities.items()):
        answered = [row for row in rows if not row.refused]
        slices: dict[str, dict[str, Any]] = {}
        for name, key in _SLICES.items():
            parts: dict[str, list[Judged]] = defaultdict(list)
            for row in answered:
                parts[key(row)].append(row)
            order = sorted(parts, key=lambda part: _order(name, part, len(parts[part])))
            slices[name] = {part: errors_of(parts[part]).as_json() for part in order}
        by_source = [part["median"] for part in slices["source"].values()]
        found["quantities"][quantity] = {
            **errors_of(rows).as_json(),
            "leave_out": way if quantity in _REFITTED else "none",
            "mean_of_source_medians": float(np.mean(by_source)) if by_source else None,
            "reasons_refused": dict(Counter(row.refused for row in rows if row.refused).most_common(40)),
            "by": slices,
        }
        if quantity == "fits":
            wrong = [abs(row.error) > 0.5 for row in answered]
            found["quantities"][quantity]["wrong"] = float(np.mean(wrong)) if wrong else None
            found["quantities"][quantity]["said_to_fit_of_those_that_ran_out"] = _wrong_fits(answered)
    return found


def _wrong_fits(rows: Sequence[Judged]) -> float | None:
    """Share of rows that ran out of memory of which the upper bound of the need was said to fit."""
    out = [row for row in rows if row.measured < 0.5]
    return sum(row.low > 0.5 for row in out) / len(out) if out else None


def _order(name: str, part: str, rows: int) -> tuple[int, str]:
    """Devices by their number, the rest with most rows first."""
    labels = [label for _, label in _SCALES]
    if name == "devices":
        return (labels.index(part) if part in labels else len(labels), part)
    return (-rows, part)


def worst_of(judged: Iterable[Judged], count: int) -> list[Judged]:
    """The rows predicted worst, by ratio either way."""
    rows = [row for row in judged if not row.refused and row.quantity != "fits" and row.predicted > 0]
    return sorted(rows, key=lambda row: -abs(math.log(row.predicted / row.measured)))[:count]
