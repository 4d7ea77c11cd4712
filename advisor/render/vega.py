"""Charts of altair, drawn by vl-convert: the few ways in which the plots here put marks on one another.

Encodings are dictionaries in the words of Vega-Lite, which altair checks against its schema when a chart is
told: a class for each channel took ten times as long to make as that. altair is imported where one is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Spec = dict[str, Any]
"""A part of a specification, in the words of https://vega.github.io/vega-lite/docs/."""

Chart = Any
"""A chart of altair, of one kind of marks or of several."""

_TYPES = {"Q": "quantitative", "N": "nominal"}


def field(name: str, **how: Any) -> Spec:
    """A column of the rows: "time:Q" is a quantity, "device:N" a name, "at" of the kind told beside it."""
    column, _, kind = name.partition(":")
    return {"field": column, **({"type": _TYPES[kind]} if kind else {}), **how}


def log_scale(low: float, high: float) -> Spec:
    """A logarithmic scale from end to end as given."""
    return {"type": "log", "domain": [low, high], "nice": False}


def mark(kind: str, rows: Iterable[Mapping[str, Any]], encoding: Spec, **look: Any) -> Chart:
    """Marks of one kind, one for each row."""
    import altair

    return altair.Chart(
        altair.Data(values=list(rows)),
        mark=altair.MarkDef(type=kind, **look),
        encoding=altair.FacetedEncoding(**encoding),
    )


def layers(marks: Iterable[Chart], width: float, height: float | Spec, **more: Any) -> Chart:
    """Marks on one another, in one plot."""
    import altair

    return altair.layer(*marks).properties(width=width, height=height, **more)


def below(charts: Iterable[Chart], spacing: int) -> Chart:
    """Charts one below the other."""
    import altair

    return altair.vconcat(*charts, spacing=spacing)


def rows_of(step: int) -> Spec:
    """Height of a chart by its rows, whatever is dodged within one."""
    return {"step": step, "for": "position"}


def svg(chart: Chart, config: Spec) -> str:
    """SVG text of a chart; `config` is how all of them look. Raises altair's
    SchemaValidationError for what Vega-Lite does not know.
    """
    import altair
    import vl_convert

    version = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    return str(vl_convert.vegalite_to_svg({**chart.to_dict(), "config": config}, vl_version=version))
