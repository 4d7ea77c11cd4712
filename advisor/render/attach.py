"""The files that ride in the PDF beside advice.json: every estimate and option as a line of a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from advisor.render.select import state
from advisor.schema import Advice, Estimate, LeftOut, Plan, PlanOption, Quantity, Workload

QUANTITIES = (
    "calendar_s", "time_s", "memory_bytes", "memory_usable", "calendar_rent_usd", "rent_usd", "own_usd",
    "calendar_energy_j", "energy_j",
)  # fmt: skip
"""With the ends of their ranges. `calendar_…` are those of the whole run, with start-up, checkpoints and
interruptions, as the first page tells them; the others are of its steps alone."""
_OF_OPTION = {"calendar_rent_usd": "rent_usd", "calendar_energy_j": "energy_j"}
"""What options of a plan call figures of the whole run; what estimates call so is of the steps alone."""
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
    "calendar_at_s",
    *(f"{name}{end}" for name in QUANTITIES for end in ("", "_low", "_high")),
    "choices",
    "why",
    "price",
)


def candidates_csv(advice: Advice) -> str:
    """A line for each estimate, each option and what is none: figures in SI units, unknown is empty."""
    workloads = {workload.id: workload for workload in advice.workloads}
    lines = [_line(estimate, workloads.get(estimate.workload)) for estimate in advice.estimates]
    if advice.plan is not None:
        lines += _planned(advice.plan)
    return table(COLUMNS, lines)


def table(columns: Sequence[str], lines: Iterable[Iterable[object]]) -> str:
    """Lines as CSV under their columns."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(one) for one in line] for line in lines)
    return out.getvalue()


def _line(estimate: Estimate, workload: Workload | None) -> list[object]:
    target = estimate.target
    rent = estimate.quantities.get("calendar_rent_usd") or estimate.quantities.get("rent_usd")
    return [
        estimate.workload, target.label, target.accelerator_id, target.here, estimate.purpose, target.devices,
        target.packages, estimate.fits, state(estimate, workload) if workload else "", estimate.limit,
        *_figures(estimate.quantities), words(estimate.choices), estimate.why, rent.source if rent else "",
    ]  # fmt: skip


def _planned(plan: Plan) -> Iterator[list[object]]:
    """The options in their order, then what is listed beside them, then what is none and why; each once."""
    listed = [
        *(("option", one) for one in plan.options),
        *(("front", one) for one in plan.front),
        *(("best", one) for one in plan.best.values()),
        *(("scaling", step.option) for step in plan.scaling),
    ]
    told: set[tuple[str, str]] = set()
    for purpose, option in listed:
        key = option.label, words(option.choices)
        if key not in told:
            told.add(key)
            yield _option(plan, purpose, option)
    for left in plan.left_out:
        yield _left(plan, left)


def _option(plan: Plan, purpose: str, option: PlanOption) -> list[object]:
    known = {name: option.quantities.get(_OF_OPTION.get(name, name)) for name in QUANTITIES}
    known |= {"rent_usd": None, "energy_j": None, "calendar_at_s": option.quantities.get("calendar_at_s")}
    return [
        plan.workload, option.label, option.accelerator_id, False, purpose, option.devices, option.packages,
        True, "misses" if option.breaks else "keeps", ", ".join(option.breaks), *_figures(known),
        words(option.choices), "", option.price_note,
    ]  # fmt: skip


def _left(plan: Plan, left: LeftOut) -> list[object]:
    fits = False if left.code == "memory" else None
    why = " ".join(part for part in (left.why, left.change) if part)
    return [
        plan.workload, left.accelerator_id, left.accelerator_id, False, "left out", None, None, fits, "",
        left.code, *_figures({}), "", why, "",
    ]  # fmt: skip


def _figures(known: Mapping[str, Quantity | None]) -> list[object]:
    late = known.get("calendar_at_s")
    cells: list[object] = [late.value if late else None]
    for name in QUANTITIES:
        quantity = known.get(name)
        cells += [quantity.value, quantity.low, quantity.high] if quantity else [None] * 3
    return cells


def words(choices: Mapping[str, str]) -> str:
    """A layout as text."""
    return "; ".join(f"{key} {value}" for key, value in choices.items())


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
