"""The report's charts: Vega-Lite through altair and vl-convert, as static SVG, the same in HTML and PDF.

A chart that fails must not cost the report: its place says why. What WeasyPrint draws wrongly without
a word (style elements, var(), foreignObject, gradients, paint-order) is refused here, see `svg.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from markupsafe import Markup

from advisor.render import (
    plots,
    plots_choice,
    plots_done,
    plots_fleet,
    plots_nearest,
    plots_roofline,
    select,
    vega,
)
from advisor.render.beside import beside
from advisor.render.clean import clean
from advisor.render.fonts import CHINESE, FAMILY, unpacked_folder
from advisor.render.plots import NARROW, WIDE, Room
from advisor.render.svg import tidy
from advisor.render.texts import Texts
from advisor.render.vega import Spec
from advisor.schema import Advice

NOTHING = Markup()


@dataclass(frozen=True)
class Chart:
    """A drawn chart: SVG text, or why there is none. Empty both: nothing to draw."""

    svg: str = ""
    caption: Markup = NOTHING
    narrow: str = ""  # the same for a telephone: on screen alone
    failure: str = ""
    left: tuple[str, ...] = ()  # what of its words has no translation


Maker = Callable[[Advice, Texts, Room], tuple[vega.Chart, Markup] | None]


ON_SCREEN = frozenset({"distance"})
"""Charts that are not on paper."""


def draw(advice: Advice, t: Texts, *, screen: bool = True) -> dict[str, Chart]:
    """Every chart for which the advice has figures, by name; without `screen` only those on paper."""
    makers: dict[str, Maker] = {
        "time": plots.time,
        "tasks": plots.tasks,
        "distance": plots.distance,
        "roofline": plots_roofline.roofline,
        "front": plots_choice.front,
        "memory": plots_choice.memory,
        "done": plots_done.done,
        "machines": plots_fleet.machines,
        "jobs": plots_fleet.jobs,
        "counts": plots_nearest.counts,
    }
    drawn = {}
    for name, make in makers.items():
        if not screen and (name in ON_SCREEN or (name == "tasks" and select.main_device(advice) == "cpu")):
            continue
        chart = _draw_one(name, make, advice, t, screen=screen)
        if chart is not None:
            drawn[name] = chart
    return drawn


def begin(advice: Advice, t: Texts, *, screen: bool = True) -> Callable[[], dict[str, Chart]]:
    """The same begun at once, beside what is done meanwhile; call what comes back for the charts."""
    unpacked_folder()  # made and cleaned up by this process

    return beside(lambda: draw(advice, t, screen=screen))


def _draw_one(name: str, make: Maker, advice: Advice, t: Texts, *, screen: bool) -> Chart | None:
    own = replace(t, left={})
    try:
        found = [(room, make(advice, own, room)) for room in ((WIDE, NARROW) if screen else (WIDE,))]
        drawn = [
            (tidy(to_svg(made[0], room), f"{name}-{room.width}", made[1].striptags()), made[1])
            for room, made in found
            if made is not None
        ]
        if not drawn:
            return None
        narrow = drawn[1][0] if len(drawn) > 1 else ""
        return Chart(*drawn[0], narrow=narrow, left=tuple(own.left))
    except Exception as error:  # a library's failure of any kind is told in the chart's place
        return Chart(failure=clean(f"{type(error).__name__}: {error}", 200))


def to_svg(chart: vega.Chart, room: Room = WIDE) -> str:
    """SVG text of a chart, in the look of all of them."""
    _use_shipped_font()
    return vega.svg(chart, _look(room))


@lru_cache(maxsize=1)
def _use_shipped_font() -> None:
    """Let the library measure texts with the font that will draw them: labels are cut otherwise."""
    import vl_convert

    folder = unpacked_folder()
    if folder is not None:
        vl_convert.register_font_directory(str(folder))


def _look(room: Room) -> Spec:
    ink = {"labelColor": plots.INK, "titleColor": plots.INK, "labelFontSize": 12}
    return {
        "font": f"{FAMILY}, {CHINESE}, Arial, sans-serif",
        "background": "transparent",
        "padding": 6,
        "view": {"stroke": None},
        "axis": {
            **ink,
            "gridColor": plots.GRID,
            "domainColor": plots.MUTED,
            "tickColor": plots.MUTED,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "labelLimit": room.width,
            "titlePadding": 8,
        },
        "legend": {
            **ink,
            "orient": "top",
            "direction": "vertical" if room.narrow else "horizontal",
            "title": None,
            "labelLimit": 300,
            "symbolOpacity": 1,
            "symbolSize": 70,
            "offset": 8,
        },
        "text": {"fontSize": 12, "color": plots.INK},
    }
