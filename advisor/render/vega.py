"""Charts as plain Vega-Lite specifications, drawn by vl-convert.

Written as dictionaries: making the same through a library of classes took longer than drawing did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Spec = dict[str, Any]
"""A part of a specification, in the words of https://vega.github.io/vega-lite/docs/."""

VERSION = "6.4"
"""Of Vega-Lite, which vl-convert knows several of: the same chart whichever is its newest."""

_TYPES = {"Q": "quantitative", "N": "nominal"}


def field(name: str, **how: Any) -> Spec:
    """A column of the rows: "time:Q" is a quantity, "device:N" a name, "at" of the kind told beside it."""
    column, _, kind = name.partition(":")
    return {"field": column, **({"type": _TYPES[kind]} if kind else {}), **how}


def log_scale(low: float, high: float) -> Spec:
    """A logarithmic scale from end to end as given."""
    return {"type": "log", "domain": [low, high], "nice": False}


def mark(kind: str, rows: Iterable[Mapping[str, Any]], encoding: Spec, **look: Any) -> Spec:
    """Marks of one kind, one for each row."""
    return {"data": {"values": list(rows)}, "mark": {"type": kind, **look}, "encoding": encoding}


def layers(marks: Iterable[Spec], width: float, height: float | Spec, **more: Any) -> Spec:
    """Marks on one another, in one plot."""
    return {"layer": list(marks), "width": width, "height": height, **more}


def rows_of(step: int) -> Spec:
    """Height of a chart by its rows, whatever is dodged within one."""
    return {"step": step, "for": "position"}


def svg(spec: Spec, config: Spec) -> str:
    """SVG text of a chart; `config` is how all of them look."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg({**spec, "config": config}, vl_version=VERSION))
