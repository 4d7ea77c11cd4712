"""The chart of an estimate's first page: with what probability the job is done by when."""

from __future__ import annotations

import math

from markupsafe import Markup

from advisor.render import choice, describe, summary
from advisor.render.plots import HERE, INK, WIDE, Room, labelled
from advisor.render.texts import Texts
from advisor.render.vega import Chart, field, layers, mark
from advisor.schema import Advice, Quantity
from advisor.search.plan_time import chance_of, kept_with
from advisor.units import DAY_S, HOUR_S, MINUTE_S, YEAR_S

_HEIGHT = 190
_POINTS = 60
_ENDS = (0.01, 0.99)  # of what is drawn
_NAMED = (0.1, 0.5, 0.9)
"""Probabilities whose times are named: the ends of the 80 % range and its middle."""

_UNITS = (1.0, MINUTE_S, HOUR_S, DAY_S, 30 * DAY_S, YEAR_S)
_MOST_TICKS = 8


def done(advice: Advice, t: Texts, room: Room = WIDE) -> tuple[Chart, Markup] | None:
    """The probability that the first estimate asked for has ended, over time from its start."""
    asked = [one for one in choice.whole(advice) if one.fits]
    time = asked[0].quantities.get("calendar_s") if asked else None
    if time is None or time.value is None or time.low is None or time.high is None or time.low == time.high:
        return None
    named = [(share, kept_with(time, share)) for share in _NAMED]
    first, last = (kept_with(time, share) for share in _ENDS)
    rows = [
        {"x": at, "y": chance_of(time, at)}
        for at in (first + (last - first) * step / _POINTS for step in range(_POINTS + 1))
    ]
    ticks = _ticks(first, last)
    axis = {"values": ticks, "labelExpr": labelled(ticks, "s", t), "grid": True}
    shares = {"format": ".0%", "values": [0, 0.1, 0.5, 0.9, 1]}
    base = {
        "x": field("x:Q", title=None, axis=axis, scale={"domain": [first, last], "nice": False}),
        "y": field("y:Q", title=None, axis=shares, scale={"domain": [0, 1]}),
    }
    points = [{"x": at, "y": share} for share, at in named]
    marks = [
        mark("line", rows, base, color=HERE, strokeWidth=2),
        mark("point", points, base, filled=True, size=60, opacity=1, color=HERE),
    ]

    def told(at: float) -> str:
        return t.end(Quantity(value=at, unit="s"), time)

    for share, at in named:
        said = t.plain("chart.done.label", "{share}: {time}", share=f"{share:.0%}", time=told(at))
        look = {"fontSize": 12, "color": INK, "align": "left", "dx": 9, "dy": 10}
        if share > _NAMED[1]:  # to the right is the end of the chart
            look |= {"align": "right", "dx": -9, "dy": -6}
        row = [{"x": at, "y": share, "text": said}]
        marks.append(mark("text", row, {**base, "text": field("text:N")}, **look))
    job = choice.workload(advice, asked[0].workload)
    return layers(marks, room.width - 45, _HEIGHT), t(
        "chart.done.caption",
        "Probability that {workload} is done on {label}, by the time from its start.",
        workload=describe.said(t, job.title if job else asked[0].workload, 90),
        label=summary.target_label(advice, asked[0], t),
    )


def _ticks(first: float, last: float) -> list[float]:
    """Round times between two: whole units, not more than can be read."""
    span = last - first
    unit = max((one for one in _UNITS if one <= span / 2), default=_UNITS[0])
    steps = (step * unit for step in (1, 2, 3, 5, 6, 10, 12, 20, 30, 50, 100, 200, 500, 1000))
    step = next((one for one in steps if span / one <= _MOST_TICKS), span / 4)
    return [step * at for at in range(math.ceil(first / step), math.floor(last / step) + 1)]
