"""Charts of a choice: time against cost with the front, and what fills the memory."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from advisor.render import choice, select
from advisor.render.describe import said
from advisor.render.plots import (
    HERE,
    INK,
    MUTED,
    SERIES,
    WIDTH,
    decades,
    inner_axis,
    rows_of,
    short,
    time_axis,
)  # fmt: skip
from advisor.render.texts import Texts
from advisor.schema import Advice, Estimate

_MOST = 300  # points drawn
PARTS_COLOURS = (SERIES[0], SERIES[1], SERIES[2], SERIES[3], "#b39a3b", "#4a9a97", "#9a5b6b")


def front(advice: Advice, t: Texts) -> tuple[Any, Markup] | None:
    """Time and cost of what there is; a line joins those that nothing beats in both."""
    job, found = choice.points(advice)
    best = choice.front(found)
    if job is None or len(found) < 3:
        return None
    import altair as alt

    kept = set(best)
    shown = [*best, *(p for p in found if p not in kept)][:_MOST]
    titles = {a.id: a.title for a in advice.accelerators}
    rows = [{"x": p.time_s, "y": p.cost_usd, "front": p in kept} for p in shown]
    axis, domain = time_axis([p.time_s for p in shown], t)
    money = [p.cost_usd for p in shown]
    span = [min(money) / 2.5, max(money) * 1.6]  # below is room for the name of the cheapest
    ticks = decades(*span)
    labels = " : ".join([*(f"datum.value == {v!r} ? '{t.number(v, 'USD')}'" for v in ticks), "''"])
    x = alt.X("x:Q", title=None, axis=axis, scale=alt.Scale(type="log", domain=domain, nice=False))
    y = alt.Y(
        "y:Q",
        title=None,
        axis=alt.Axis(values=ticks, labelExpr=labels),
        scale=alt.Scale(type="log", domain=span, nice=False),
    )
    line = [r for r in rows if r["front"]]
    named = [best[0], best[len(best) // 2], best[-1]] if len(best) > 2 else best
    middle = (domain[0] * domain[1]) ** 0.5
    layers = [
        alt.Chart(alt.Data(values=[r for r in rows if not r["front"]]))
        .mark_point(filled=True, size=26, opacity=0.55, color=MUTED)
        .encode(x=x, y=y),
        alt.Chart(alt.Data(values=line)).mark_line(color=HERE, strokeWidth=1.5).encode(x=x, y=y),
        alt.Chart(alt.Data(values=line))
        .mark_point(filled=True, size=46, opacity=1, color=HERE)
        .encode(x=x, y=y),
    ]
    for p in dict.fromkeys(named):
        late = p.time_s > middle  # the line comes down to a late point and leaves an early one downwards
        text = alt.Chart(alt.Data(values=[{"x": p.time_s, "y": p.cost_usd, "text": _named(p.label, titles)}]))
        place = {"align": "right" if late else "left", "dx": -7 if late else 7, "dy": 13 if late else -10}
        layers.append(text.mark_text(fontSize=11, color=INK, **place).encode(x=x, y=y, text="text:N"))
    return alt.layer(*layers).properties(width=WIDTH - 60, height=210), t(
        "chart.front.caption",
        "Time and cost of the choices for {workload}. Dark: none of the others is both faster and cheaper. "
        "Logarithmic scales.",
        workload=said(t, job.title, 90),
    )


def _named(label: str, titles: dict[str, str]) -> str:
    """ "8 × NVIDIA H100" of "8 x nvidia-h100-sxm5-80gb"."""
    count, mark, rest = label.partition(" x ")
    name = rest.partition(" ")[0]
    title = titles.get(name, rest).partition(",")[0].partition(" per ")[0]
    return short(f"{count} × {title}" if mark else label, 40)


def memory(advice: Advice, t: Texts) -> tuple[Any, Markup] | None:
    """What fills the memory: parts of each estimate, as shares of their sum."""
    rows = []
    for estimate in _estimates(advice):
        job = choice.workload(advice, estimate.workload)
        parts = choice.memory_parts(advice, estimate)
        total = sum(parts.values())
        need = estimate.quantities.get("memory_bytes")
        if job is None or not total or need is None or not need.value:
            continue
        title = t.plain(
            "chart.memory.row", "{title}: {size}", title=short(t.said(job.title)), size=t.told(need).figure
        )
        rows += [
            {"row": title, "part": choice.part_name(name, t), "at": at, "bytes": size / total}
            for at, (name, size) in enumerate(parts.items())
        ]
    if not rows:
        return None
    import altair as alt

    names = [choice.part_name(name, t) for name in choice.PARTS]
    used = [name for name in names if any(r["part"] == name for r in rows)]
    colours = [PARTS_COLOURS[names.index(name)] for name in used]
    x = alt.X(
        "bytes:Q", stack="zero", title=None,
        axis=alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1]), scale=alt.Scale(domain=[0, 1]),
    )  # fmt: skip
    y = alt.Y("row:N", sort=list(dict.fromkeys(r["row"] for r in rows)), title=None, axis=inner_axis(-8))
    colour = alt.Color(
        "part:N", sort=used, scale=alt.Scale(domain=used, range=colours), legend=alt.Legend(columns=4)
    )
    bars = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(height=11, yOffset=7)
        .encode(x=x, y=y, color=colour, order=alt.Order("at:Q"))
    )
    return bars.properties(width=WIDTH, height=rows_of(31)), t(
        "chart.memory.caption",
        "What fills the memory of a device, as shares; the size named is all that is needed. Parts are at "
        "their own largest, which they do not all reach at one moment; allocator and driver come on top.",
    )


def _estimates(advice: Advice) -> list[Estimate]:
    """Those asked for by name, else the best of this machine for each workload."""
    asked = list(choice.whole(advice))
    if asked:
        return asked[:4]
    return [e for w in advice.workloads if (e := select.best_here(advice, w)) is not None]
