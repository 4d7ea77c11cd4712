"""Charts of a plan of several jobs: what machines cost a year, and how long a run of each job takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from advisor.render import figures, fleet
from advisor.render.plots import (
    HERE,
    INK,
    THERE,
    WIDE,
    Room,
    decades,
    inner_axis,
    labelled,
    short,
    time_axis,
)
from advisor.render.texts import Texts
from advisor.render.vega import Chart, Spec, field, layers, log_scale, mark, rows_of
from advisor.schema import Advice, FleetOption, Quantity

_OPTIONS, _JOBS = 8, 12


def machines(advice: Advice, t: Texts, room: Room = WIDE) -> tuple[Any, Markup] | None:
    """What the best machines cost a year, rented for the hours used and owned, with ranges."""
    plan = advice.fleet
    if plan is None or len(plan.options) < 2:
        return None
    names = {
        "rent_usd": t.plain("chart.fleet.rent", "rent of the hours used"),
        "own_usd": t.plain("chart.fleet.own", "owning the machines"),
    }
    titles = {a.id: a.title for a in advice.accelerators}
    rows = []
    for option in plan.options[:_OPTIONS]:
        label = short(_label(option, titles, t), room.letters)
        for name, series in names.items():
            rows += ranged_row(label, series, option.quantities.get(name))
    if not rows:
        return None
    span = [min(r["low"] for r in rows) / 1.5, max(r["high"] for r in rows) * 1.5]
    ticks = decades(*span)
    axis = {"values": ticks, "labelExpr": labelled(ticks, "USD", t), "grid": True}
    told = [name for name in names.values() if any(r["series"] == name for r in rows)]
    return ranged(rows, [], told, (axis, span), room), t(
        "chart.fleet.caption",
        "What the best machines cost a year, the best first: points are the estimates, bars their ranges "
        "(logarithmic scale). Rent is of the hours in use; what is owned is paid for all the year.",
    )


def _label(option: FleetOption, titles: dict[str, str], t: Texts) -> str:
    """ "2 × (8 × NVIDIA H100)"."""
    title = titles.get(option.accelerator_id, option.accelerator_id).partition(",")[0]
    one = f"{t.number(option.packages, '1')} × {title}"
    return one if option.machines == 1 else f"{t.number(float(option.machines), '1')} × ({one})"


def jobs(advice: Advice, t: Texts, room: Room = WIDE) -> tuple[Any, Markup] | None:
    """How long a run of each job takes on its part of the first machines, and the time allowed."""
    plan = advice.fleet
    if plan is None or not plan.options:
        return None
    rows, limits = [], []
    for row in fleet.rows(advice, plan)[:_JOBS]:
        title = short(f"{row.job.workload} · {fleet.name(row, t)}", room.letters)
        own = ranged_row(title, "", row.figure("calendar_s"))
        rows += own
        if own and (limit := figures.point(fleet.due(row, plan))):
            limits.append({"row": title, "limit": limit})
    if not rows:
        return None
    ends = [*(r["low"] for r in rows), *(r["high"] for r in rows), *(one["limit"] for one in limits)]
    return ranged(rows, limits, [""], time_axis([min(ends), max(ends)], t), room), t(
        "chart.jobs.caption",
        "How long one run of each job takes on its part of the first machine: points are the estimates, "
        "bars their ranges (logarithmic scale). The upright stroke is the time allowed.",
    )


def ranged_row(label: str, series: str, of: Quantity | None) -> list[dict[str, Any]]:
    """A point with its range for one row; none where nothing is known."""
    value = figures.point(of)
    if of is None or not value:
        return []
    return [
        {
            "row": label,
            "series": series,
            "value": value,
            "low": of.low or value,
            "high": of.high or value,
        }
    ]


def ranged(
    rows: list[dict[str, Any]],
    limits: Iterable[dict[str, Any]],
    series: list[str],
    scale: tuple[Spec, list[float]],
    room: Room,
) -> Chart:
    """Points with their ranges, in rows; of several series one below the other."""
    axis, domain = scale
    y = field(
        "row:N", sort=list(dict.fromkeys(r["row"] for r in rows)), title=None, axis=inner_axis(-11, room)
    )
    lanes = {"type": "point", "domain": series, "range": [16, 24], "padding": 0}
    colours = {"domain": series, "range": [HERE, THERE][: len(series)]}
    legend = {} if len(series) > 1 else {"legend": None}
    base = {
        "y": y,
        "yOffset": field("series:N", scale=lanes),
        "color": field("series:N", scale=colours, **legend),
    }
    x = field("value:Q", scale=log_scale(domain[0], domain[1]), title=None, axis=axis)
    marks = [
        mark(
            "tick",
            limits,
            {"y": y, "yOffset": {"value": 20}, "x": field("limit:Q")},
            thickness=2,
            color=INK,
            size=16,
        ),
        mark("rule", rows, {**base, "x": field("low:Q"), "x2": field("high")}, strokeWidth=5, opacity=0.35),
        mark("point", rows, {**base, "x": x}, filled=True, size=34, opacity=1),
    ]
    return layers(marks, room.width, rows_of(34))
