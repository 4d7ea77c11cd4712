"""Lightning's metrics.csv: ThroughputMonitor's columns, or LitGPT's iter_time, or a column of times."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import pairwise

from advisor.trial.logs.log import Fields, Log, Steps, number

TITLE = "metrics.csv of Lightning"
WHERE = "Log with lightning's ThroughputMonitor; CSVLogger alone writes no times."
_SAMPLES = ("device|samples_per_sec", "device/samples_per_sec")
_BATCHES = ("device|batches_per_sec", "device/batches_per_sec")
_TIMES = ("train|time", "train/time", "time", "wall_time", "timestamp")
_MOST_COLUMNS = 5000
MOST = 1e6  # iterations of a step
Rows = Sequence[dict[str, str]]


def looks_like(text: str) -> bool:
    """Whether its first line names columns as Lightning does."""
    names = text.lstrip("\ufeff")[:100_000].partition("\n")[0].strip().split(",")
    return 1 < len(names) < _MOST_COLUMNS and bool({"step", "iter", "epoch"} & {n.strip('" ') for n in names})


def parse(text: str) -> Log:
    """Step times or rates, whichever the columns tell."""
    try:
        reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
        rows = [row for row in reader if None not in row]
    except csv.Error:
        rows = []
    names = [str(name) for name in (rows[0] if rows else {})]
    fields: Fields = {}
    if "iter_time" in names:
        steps, notes = _litgpt(rows)
        return Log("LitGPT", fields, steps, notes=notes)
    if name := _ends(names, _SAMPLES):
        return Log("PyTorch Lightning", fields, samples_per_device=Steps.of(_column(rows, name)))
    if name := _ends(names, _BATCHES):
        note = "Batches a second counted as steps: gradients must not be accumulated."
        return Log("PyTorch Lightning", fields, Steps.of(_inverse(_column(rows, name))), notes=(note,))
    clock = next((name for name in _TIMES if name in names), None)
    if clock is not None and "step" in names:
        return Log("PyTorch Lightning", fields, _differences(rows, clock))
    return Log("PyTorch Lightning", fields)


def _ends(names: Sequence[str], ends: tuple[str, ...]) -> str | None:
    """A training column that ends so."""
    return next((n for n in names if n.endswith(ends) and not n.startswith(("val", "test"))), None)


def _column(rows: Rows, name: str) -> list[float | None]:
    return [number(row.get(name)) for row in rows]


def _inverse(values: list[float | None]) -> list[float | None]:
    return [1.0 / value if value else None for value in values]


def _litgpt(rows: Rows) -> tuple[Steps, tuple[str, ...]]:
    """Times of iterations, several of which may make a step."""
    last = rows[-1]
    iters, steps = number(last.get("iter")), number(last.get("step"))
    ratio = iters / steps if iters and steps else 1.0
    each = round(ratio) if 1 <= ratio <= MOST else 1
    note = (f"{each} iterations make a step.",) if each > 1 else ()
    return Steps.of(None if t is None else t * each for t in _column(rows, "iter_time")), note


def _differences(rows: Rows, clock: str) -> Steps:
    """Seconds a step between rows that have both a time and a step."""
    points = [(number(row.get("step")), number(row.get(clock))) for row in rows]
    known = [(step, at) for step, at in points if step is not None and at is not None]
    return Steps.of(
        (at - before_at) / (step - before) if step > before else None
        for (before, before_at), (step, at) in pairwise(known)
    )
