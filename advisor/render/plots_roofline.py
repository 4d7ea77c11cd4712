"""The roofline: measured matrix products under the roofs of bandwidth and peak arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from advisor.render import figures, select
from advisor.render.plots import SERIES, WIDE, Room, decades, short
from advisor.render.texts import Texts
from advisor.render.vega import Chart, field, layers, log_scale, mark
from advisor.schema import Advice, Measurement

# Bytes of one element of a number format: what places a matrix product on the roofline's x axis.
ELEMENT_BYTES = {"fp32": 4, "tf32": 4, "bf16": 2, "fp16": 2, "fp8": 1, "int8": 1}


def roofline(advice: Advice, t: Texts, room: Room = WIDE) -> tuple[Chart, Markup] | None:
    """Measured matrix products under the roofs of bandwidth and peak arithmetic."""
    calibration = advice.calibration
    lines, dots = [], []
    for device in figures.compute_devices(calibration):
        peak, width = figures.best_matmul(calibration, device), figures.best_bandwidth(calibration, device)
        top, slope = figures.point(peak), figures.point(width)
        if peak is None or not top or not slope:
            continue
        dtype = str(peak.params.get("dtype", ""))
        name = t.plain(
            "chart.roofline.device",
            "{device} measured, {dtype}",
            device=t.plain("chart.roofline.cpu", "CPU") if device == "cpu" else short(device, 12),
            dtype=short(dtype, 8),
        )
        lines += _roof(name, "measured", slope, top)
        dots += _dots(name, figures.find(calibration, "matmul", device, dtype=dtype), dtype)
    if not lines:
        return None
    for accelerator in select.references(advice, 2):
        top = figures.point(accelerator.figures.get("matmul_bf16_flops"))
        slope = figures.point(accelerator.figures.get("memory_bandwidth_bytes_per_s"))
        if top and slope:
            lines += _roof(
                t.plain("chart.roofline.vendor", "{name}, vendor's peak", name=short(accelerator.title, 28)),
                "vendor",
                slope,
                top,
            )
    return _roofline_chart(lines, dots, t, room), t(
        "chart.roofline.caption",
        "Roofline. Left of the bend memory bandwidth sets the speed, right of it arithmetic does. Dots are "
        "square matrix products measured here, placed by the least bytes they can move.",
    )


def _roof(name: str, basis: str, slope: float, top: float) -> list[dict[str, Any]]:
    bend = top / slope
    return [
        {"name": name, "basis": basis, "x": x, "y": min(top, slope * x)}
        for x in (0.25, bend, max(4096.0, bend * 4))
    ]


def _dots(name: str, measurements: Iterable[Measurement], dtype: str) -> list[dict[str, Any]]:
    """n x n x n: 2 n^3 operations over 3 n^2 elements."""
    found = []
    for m in measurements:
        size, rate = m.params.get("n"), figures.point(m)
        if isinstance(size, int | float) and rate and dtype in ELEMENT_BYTES:
            found.append(
                {
                    "name": name,
                    "basis": "measured",
                    "x": 2 * float(size) / (3 * ELEMENT_BYTES[dtype]),
                    "y": rate,
                }
            )
    return found


def _roofline_chart(lines: list[dict[str, Any]], dots: list[dict[str, Any]], t: Texts, room: Room) -> Chart:
    names = list(dict.fromkeys(row["name"] for row in lines))
    colours = [SERIES[i % len(SERIES)] for i in range(len(names))]
    dashes = [
        [1, 0] if next(r for r in lines if r["name"] == n)["basis"] == "measured" else [5, 4] for n in names
    ]
    end = max(row["x"] for row in lines)
    ticks = [float(4**power) for power in range(-1, 9) if 4**power <= end]
    tops = decades(*(f(r["y"] for r in lines) for f in (min, max)))
    legend = {"columns": 1, "symbolType": "stroke", "symbolStrokeWidth": 2.5, "symbolSize": 220}
    moved = {
        "title": t.plain("chart.roofline.x", "operations per byte moved"),
        "values": ticks,
        "format": "~g",
    }
    rates = {"title": "FLOP/s", "format": "~s", "values": tops}
    base = {
        "x": field("x:Q", scale=log_scale(0.25, end), axis=moved),
        "y": field("y:Q", scale={"type": "log", "nice": True}, axis=rates),
        "color": field("name:N", sort=names, scale={"domain": names, "range": colours}, legend=legend),
    }
    dash = field("name:N", sort=names, scale={"domain": names, "range": dashes}, legend=legend)
    roofs = mark("line", lines, {**base, "strokeDash": dash}, strokeWidth=2)
    points = mark("point", dots, base, filled=True, size=50, opacity=1)
    return layers([roofs, points], room.width - 50, 175)
