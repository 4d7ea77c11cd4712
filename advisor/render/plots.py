"""What each chart shows, as Vega-Lite: the figures are picked by `select`, drawn by `charts`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from unicodedata import east_asian_width

from markupsafe import Markup

from advisor.render import figures, select, why
from advisor.render.clean import clean
from advisor.render.texts import Texts
from advisor.render.vega import Chart, Spec, below, field, layers, log_scale, mark, rows_of
from advisor.schema import Advice, Estimate, Measurement, Workload
from advisor.units import DAY_S, HOUR_S, MINUTE_S, YEAR_S

INK, MUTED, GRID = "#37424d", "#6b7682", "#dde2e6"
SERIES = ("#1f6f9f", "#c1682b", "#5d7f3c", "#80548f")
HERE, THERE = SERIES[0], SERIES[1]


@dataclass(frozen=True)
class Room:
    """How much room a chart has: letters of 12 px must still be so large where it is shown."""

    width: int
    letters: int  # of a label above its row
    narrow: bool = False


WIDE = Room(700, 100)  # a desk, and paper: all of its width, see .chart svg in style.css
NARROW = Room(330, 50, narrow=True)  # a telephone of 360 px and more


def short(text: str, limit: int = WIDE.letters) -> str:
    """A foreign text as a chart label: cleaned, and cut with an ellipsis alone; a Chinese letter is two."""
    shown = clean(text)
    if letters(shown) <= limit:
        return shown
    while shown and letters(shown) > limit - 1:
        shown = shown[:-1]
    return shown.rstrip() + "…"


def letters(text: str) -> int:
    """How long a text is, in Latin letters."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def time(advice: Advice, t: Texts, room: Room = WIDE) -> tuple[Chart, Markup] | None:
    """Time by workload: this machine, the cheapest listed choice, and the time allowed."""
    here = t.plain("chart.here", "this machine")
    there = t.plain("chart.cheapest", "cheapest choice in time, by recent prices")
    rows, limits = [], []
    for workload in advice.workloads:
        best = select.best_here(advice, workload)
        title = _row_title(advice, workload, best, t, room)
        for label, estimate in ((here, best), (there, select.cheapest(advice, workload))):
            figure = select.run_time(estimate) if estimate and estimate.fits is not False else None
            if figure is not None and (value := figures.point(figure)):
                low, high = figure.low or value, figure.high or value
                rows.append({"workload": title, "series": label, "value": value, "low": low, "high": high})
        if limit := select.deadline_s(workload):
            limits.append({"workload": title, "limit": limit})
    if not rows:
        return None
    return _time_chart(rows, limits, (here, there), t, room), t(
        "chart.time.caption",
        "Time for each workload: points are the estimates, bars their ranges (logarithmic scale). "
        "The upright stroke is the time allowed.",
    )


def _row_title(advice: Advice, workload: Workload, best: Estimate | None, t: Texts, room: Room) -> str:
    """A workload's name, cut so that there is room for why it does not run here."""

    def titled(title: str) -> str:
        if best is None or best.fits is not False:
            return title
        refused = select.refusal(advice, workload)
        if refused is not None and select.refused_by(refused) == "framework":
            return t.plain("chart.no_framework", "{title}: no framework for it here", title=title)
        return t.plain("chart.no_fit", "{title}: does not fit here", title=title)

    return titled(short(t.said(workload.title), room.letters - letters(titled(""))))


def _time_chart(rows: list[Any], limits: list[Any], names: tuple[str, str], t: Texts, room: Room) -> Chart:
    lowest = min([r["low"] for r in rows] + [r["limit"] for r in limits])
    highest = max([r["high"] for r in rows] + [r["limit"] for r in limits])
    axis, domain = time_axis([lowest, highest], t)
    order = list(dict.fromkeys(r["workload"] for r in [*limits, *rows]))
    y = field("workload:N", sort=order, title=None, axis=inner_axis(-11, room))
    x = field("value:Q", scale=log_scale(*domain), title=None, axis=axis)
    # In pixels from the top of the row, whose upper half is the title's.
    lanes = {"type": "point", "domain": list(names), "range": [16, 24], "padding": 0}
    base = {
        "y": y,
        "yOffset": field("series:N", scale=lanes),
        "color": field("series:N", scale={"domain": list(names), "range": [HERE, THERE]}),
    }
    allowed = {"y": y, "yOffset": {"value": 20}, "x": field("limit:Q")}
    span = {**base, "x": field("low:Q"), "x2": field("high")}
    marks = [
        mark("tick", limits, allowed, thickness=2, color=INK, size=16),
        mark("rule", rows, span, strokeWidth=5, opacity=0.35),
        mark("point", rows, {**base, "x": x}, filled=True, size=34, opacity=1),
    ]
    return layers(marks, room.width, rows_of(34))


_FEW_TICKS = 3
_BETWEEN = (10.0, 10 * MINUTE_S, 6 * HOUR_S, 7 * DAY_S)
"""Times that are marked too where few of the usual ones lie on an axis."""


def time_axis(times: Iterable[float], t: Texts) -> tuple[Spec, list[float]]:
    """A logarithmic axis of times with the usual units as its ticks, and its domain."""
    known = list(times)
    domain = [min(known) / 2, max(known) * 2]
    steps = (1.0, MINUTE_S, HOUR_S, DAY_S, 30 * DAY_S, YEAR_S, 10 * YEAR_S, 100 * YEAR_S, 1e4 * YEAR_S)
    if not any(domain[0] <= s <= domain[1] for s in steps):  # one estimate alone may lie between two of them
        domain[0] = max((s for s in steps if s < domain[0]), default=domain[0])
    ticks = [s for s in steps if domain[0] <= s <= domain[1]]
    if len(ticks) < _FEW_TICKS:
        ticks = [s for s in sorted({*steps, *_BETWEEN}) if domain[0] <= s <= domain[1]]
    return {"values": ticks, "labelExpr": labelled(ticks, "s", t), "grid": True}, domain


def labelled(ticks: Iterable[float], unit: str, t: Texts) -> str:
    """The expression that labels ticks as the language writes such figures."""
    said = [f"abs(datum.value / {tick!r} - 1) < 0.01 ? '{t.number(tick, unit)}'" for tick in ticks]
    return " : ".join([*said, "''"])


def inner_axis(offset: int, room: Room) -> Spec:
    """A y axis whose labels stand in the plot above their row, so that long titles cost no width."""
    return {
        "labelAlign": "left",
        "labelPadding": 0,
        "labelOffset": offset,
        "labelLimit": room.width,
        "labelBaseline": "middle",
        "ticks": False,
        "domain": False,
        "grid": False,
        "zindex": 1,
    }


def decades(low: float, high: float) -> list[float]:
    """Powers of ten from `low` to `high`, with 2 and 5 between when there are few of them."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if high / low < 100 else (1,)
    found = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    return [value for value in found if low <= value <= high]


def tasks(advice: Advice, t: Texts, room: Room = WIDE) -> tuple[Chart, Markup] | None:
    """Serial against parallel work, as multiples of one core."""
    rows: list[dict[str, Any]] = []
    for row in figures.tasks(advice.calibration):
        for place in figures.PLACES[1:]:  # one core is the unit
            if (ratio := row.ratio(place)) is not None:
                rows.append(
                    {
                        "task": why.task(t, row.task).striptags(),
                        "place": why.place(t, place).striptags(),
                        "ratio": ratio,
                        "at": max(ratio, 1.0),
                        "text": f"× {why.ratio(ratio, t)}",
                    }
                )
    if not rows:
        return None
    places = list(dict.fromkeys(row["place"] for row in rows))
    lanes = [places[0], places[1] if len(places) > 1 else ""]
    low, high = min(r["ratio"] for r in rows), max(r["ratio"] for r in rows)
    domain = [min(low, 1) / 2, max(high, 1) * 4]
    axis = {
        "labelExpr": labelled(decades(*domain), "1", t),
        "values": decades(*domain),
        "title": t.plain("chart.tasks.axis", "speed as a multiple of one core"),
    }
    order = list(dict.fromkeys(r["task"] for r in rows))
    y = field("task:N", sort=order, title=None, axis=inner_axis(-21 if len(places) > 1 else -13, room))
    dodged = {"type": "point", "domain": lanes, "range": [25, 41], "padding": 0}
    base = {"y": y, "yOffset": field("place:N", scale=dodged)}
    colours = {"domain": places, "range": [HERE, THERE][: len(places)]}
    bar = {
        "x": field("ratio:Q", axis=axis, scale=log_scale(*domain)),
        "x2": {"datum": 1},
        "color": field("place:N", sort=places, scale=colours),
    }
    bars = mark("bar", rows, {**base, **bar}, height=13)
    name = {**base, "x": field("at:Q"), "text": field("text:N")}
    step = rows_of(60 if len(places) > 1 else 44)
    drawing = layers([bars, mark("text", rows, name, align="left", dx=5)], room.width, step)
    if why.place(t, "all_cores").striptags() not in places:
        return drawing, t("chart.tasks.caption_device", "The same work on one core and on an accelerator.")
    return drawing, t(
        "chart.tasks.caption",
        "The same work on one core, on all cores and, where there is one, on an accelerator. "
        "Work that cannot be split gains nothing from more cores.",
    )


def distance(advice: Advice, t: Texts, room: Room = WIDE) -> tuple[Chart, Markup] | None:
    """This machine beside catalogue devices: arithmetic, bandwidth, memory."""
    device = select.main_device(advice)
    here = t.plain("chart.here", "this machine")
    own = {
        "matmul_bf16_flops": figures.best_matmul(advice.calibration, device),
        "memory_bandwidth_bytes_per_s": figures.best_bandwidth(advice.calibration, device),
    }
    measured = {name: figures.point(m) for name, m in own.items()} | {"memory_bytes": _own_memory(advice)}
    titles = {
        "matmul_bf16_flops": t.plain("chart.distance.flops", "matrix arithmetic"),
        "memory_bandwidth_bytes_per_s": t.plain("chart.distance.bandwidth", "memory bandwidth"),
        "memory_bytes": t.plain("chart.distance.memory", "memory size"),
    }
    others = select.references(advice)
    if not others or not measured["matmul_bf16_flops"]:
        return None
    names = [here, *(short(a.title, 30) for a in others)]
    panels = []
    for key, title in titles.items():
        unit = {"matmul_bf16_flops": "FLOP/s", "memory_bandwidth_bytes_per_s": "B/s"}.get(key, "B")
        values = [measured[key], *(figures.point(a.figures.get(key)) for a in others)]
        rows = [
            {"name": name, "value": value, "text": t.number(value, unit), "here": name == here}
            for name, value in zip(names, values, strict=True)
            if value
        ]
        if (mine := own.get(key)) is not None:
            rows[0]["text"] = _own_text(mine, t)
        panels.append(_panel(rows, names, title, room))
    return below(panels, 10), t(
        "chart.distance.caption",
        "How far this machine is from others. Its own figures are measured (memory: probed); the others are "
        "vendors' peaks, which real programs do not reach. Logarithmic scales: "
        "equal distances are equal factors.",
    )


def _own_text(of: Measurement, t: Texts) -> str:
    """A measured figure; of one with a range alone (grade C) the range."""
    told = t.told(of)
    return told.figure if of.value is not None else told.spread


def _own_memory(advice: Advice) -> float | None:
    sizes = [d.memory_total_bytes.value for d in select.usable_devices(advice) if d.memory_total_bytes.value]
    if sizes:
        return float(max(sizes))
    return float(advice.machine.memory.usable_bytes.value or 0) if advice.machine else None


def _panel(rows: list[dict[str, Any]], names: list[str], title: str, room: Room) -> Chart:
    low, high = min(r["value"] for r in rows), max(r["value"] for r in rows)
    domain = [low / 2, high * 2]
    beside, step = (0, 34) if room.narrow else (190, 19)
    axis: Spec = {
        "ticks": False, "domain": False, "grid": True, "labelLimit": 190, "minExtent": 190, "maxExtent": 190
    }  # fmt: skip
    if room.narrow:
        axis = inner_axis(-8, room)
    ticks = {"values": decades(*domain), "labels": False, "ticks": False, "domain": False}
    base = {
        "y": field("name:N", sort=names, scale={"domain": names}, title=None, axis=axis),
        "x": field("value:Q", scale=log_scale(*domain), title=None, axis=ticks),
    }
    if room.narrow:
        base["yOffset"] = {"value": 7}
    colour = {"condition": {"test": "datum.here", "value": HERE}, "value": MUTED}
    marks = [mark("point", rows, {**base, "color": colour}, filled=True, size=55, opacity=1)]
    # Figures of the right half stand left of their dot, so that none runs out of the panel.
    middle = (low * high) ** 0.5
    for side, align, dx in (("<=", "left", 8), (">", "right", -8)):
        texts = mark("text", rows, {**base, "text": field("text:N")}, align=align, dx=dx)
        marks.append(texts.transform_filter(f"datum.value {side} {middle!r}"))
    heading = {
        "text": title, "fontSize": 12, "fontWeight": 600, "color": INK, "anchor": "start", "frame": "group"
    }  # fmt: skip
    return layers(marks, room.width - beside, rows_of(step), title=heading)
