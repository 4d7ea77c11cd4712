"""The files that ride in the PDF beside advice.json: every estimate as a line of a table."""

from __future__ import annotations

import csv
import io
import math

from advisor.render.select import state
from advisor.schema import Advice, Estimate, Workload

QUANTITIES = ("time_s", "memory_bytes", "memory_usable", "rent_usd", "energy_j")
COLUMNS = (
    "workload",
    "target",
    "accelerator",
    "here",
    "purpose",
    "devices",
    "packages",
    "fits",
    "state",
    "limit",
    *(f"{name}{end}" for name in QUANTITIES for end in ("", "_low", "_high")),
    "choices",
    "why",
)


def candidates_csv(advice: Advice) -> str:
    """One line for each estimate, figures in SI units as they are stored; unknown is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    workloads = {workload.id: workload for workload in advice.workloads}
    for estimate in advice.estimates:
        writer.writerow(_line(estimate, workloads.get(estimate.workload)))
    return out.getvalue()


def _line(estimate: Estimate, workload: Workload | None) -> list[str]:
    target = estimate.target
    cells: list[object] = [
        estimate.workload, target.label, target.accelerator_id, target.here, estimate.purpose, target.devices,
        target.packages, estimate.fits, state(estimate, workload) if workload else "", estimate.limit,
    ]  # fmt: skip
    for name in QUANTITIES:
        quantity = estimate.quantities.get(name)
        cells += [quantity.value, quantity.low, quantity.high] if quantity else [None] * 3
    cells += ["; ".join(f"{key} {value}" for key, value in estimate.choices.items()), estimate.why]
    return [_cell(cell) for cell in cells]


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    # A spreadsheet runs a cell that begins like a formula; names come from drivers and files.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
