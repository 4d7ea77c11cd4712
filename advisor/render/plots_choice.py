"""Charts of a choice: time against cost with the front, and what fills the memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from markupsafe import Markup

from advisor.render import behind, choice, select
from advisor.render.describe import said, sentences
from advisor.render.labels import Frame, Label, placed
from advisor.render.plots import (
    HERE,
    INK,
    MUTED,
    SERIES,
    THERE,
    WIDE,
    Room,
    decades,
    inner_axis,
    labelled,
    short,
    time_axis,
)  # fmt: skip
from advisor.render.texts import Texts
from advisor.render.vega import Chart, field, layers, log_scale, mark, rows_of
from advisor.schema import Advice, Estimate, Quantity

_MOST = 300  # points drawn
_HEIGHT = 240.0
_WHOLE = re.compile(r"(?<=\d)\.00(?!\d)")  # cents that an axis needs not
PARTS_COLOURS = (SERIES[0], SERIES[1], SERIES[2], SERIES[3], "#b39a3b", "#4a9a97", "#9a5b6b")


def front(advice: Advice, t: Texts, room: Room = WIDE) -> tuple[Chart, Markup] | None:
    """Time and cost of what there is; a line joins those that nothing beats in both, a ring is the choice."""
    job, found = choice.points(advice)
    best = choice.front(found)
    if job is None or len(found) < 3:
        return None
    kept = set(best)
    ringed = [p for p in found if p.label == choice.recommended(advice, job)][:1]
    shown = list(dict.fromkeys((*ringed, *best, *found)))[:_MOST]
    axis, domain = time_axis([p.time_s for p in shown], t)
    money = [p.cost_usd for p in shown]
    span = [min(money) / 2.5, max(money) * 1.6]  # below is room for the name of the cheapest
    frame = Frame(room.width - 60, _HEIGHT, (domain[0], domain[1]), (span[0], span[1]))
    ticks = decades(*span)
    prices = {"values": ticks, "labelExpr": _WHOLE.sub("", labelled(ticks, "USD", t))}
    base = {
        "x": field("x:Q", title=None, axis=axis, scale=log_scale(*domain)),
        "y": field("y:Q", title=None, axis=prices, scale=log_scale(*span)),
    }

    def drawn(kind: str, points: Iterable[choice.Point], **look: object) -> Chart:
        return mark(kind, ({"x": p.time_s, "y": p.cost_usd} for p in points), base, **look)

    others = (p for p in shown if p not in kept)
    marks = [
        drawn("point", others, filled=True, size=26, opacity=0.55, color=MUTED),
        drawn("line", best, color=HERE, strokeWidth=1.5),
        drawn("point", (p for p in best if not p.signs), filled=True, size=46, opacity=1, color=HERE),
        drawn("point", (p for p in best if p.signs), filled=False, size=46, opacity=1, color=HERE),
        drawn("point", ringed, filled=False, size=150, strokeWidth=2, opacity=1, color=THERE),
    ]
    for label in _labels(advice, t, best, ringed, frame, shown):
        rows = [{"x": label.x, "y": label.y, "text": label.text}]
        look = {"fontSize": 12, "color": INK, "align": label.align, "dx": label.dx, "dy": label.dy}
        marks.append(mark("text", rows, {**base, "text": field("text:N")}, **look))
    caption = t(
        "chart.front.caption",
        "Time and cost of the choices for {workload}. Dark: none of the others is both faster and cheaper. "
        "Ringed: the choice of this report. Logarithmic scales.",
        workload=said(t, job.title, 90),
    )
    used = [sign for p in best for sign in p.signs.split()]
    if not used:
        return layers(marks, frame.width, frame.height), caption
    hollow = t("chart.front.hollow", "Hollow: leads nothing ({signs}).", signs=choice.signs_told(used, t))
    return layers(marks, frame.width, frame.height), sentences(caption, hollow, t)


def _labels(  # noqa: PLR0913, PLR0917 - all that is drawn
    advice: Advice,
    t: Texts,
    best: list[choice.Point],
    ringed: list[choice.Point],
    frame: Frame,
    shown: list[choice.Point],
) -> list[Label]:
    """The name of the choice, always; those of the front's ends and middle where there is room."""
    titles = {a.id: a.title for a in advice.accelerators}
    ends = [best[0], best[-1], best[len(best) // 2]]
    wanted = [
        (" ".join(filter(None, (_named(p.label, titles, t), p.signs))), p.time_s, p.cost_usd)
        for p in dict.fromkeys((*ringed, *ends))
    ]
    points, line = ([(p.time_s, p.cost_usd) for p in some] for some in (shown, best))
    return placed(wanted, len(ringed), frame, points, line)


def _named(label: str, titles: dict[str, str], t: Texts) -> str:
    """ "8 × NVIDIA H100" of "8 x nvidia-h100-sxm5-80gb"."""
    count, mark, rest = label.partition(" x ")
    name = rest.partition(" ")[0]
    title = titles.get(name, rest).partition(",")[0].partition(" per ")[0]
    if count.isdigit():
        count = t.number(float(count), "1")
    return short(f"{count} × {title}" if mark else label, 40)


def memory(advice: Advice, t: Texts, room: Room = WIDE) -> tuple[Chart, Markup] | None:
    """What fills the memory: parts of each estimate, as shares of their sum."""
    rows = []
    for name, parts, need in _memories(advice, t):
        total = sum(parts.values())
        if not total or need is None or not need.value:
            continue
        title = t.plain(
            "chart.memory.row",
            "{title}: {size}",
            title=short(name, room.letters - 12),
            size=t.told(need).figure,
        )
        rows += [
            {"row": title, "part": choice.part_name(name, t), "at": at, "bytes": size / total}
            for at, (name, size) in enumerate(parts.items())
        ]
    if not rows:
        return None
    names = [choice.part_name(name, t) for name in choice.PARTS]
    used = [name for name in names if any(r["part"] == name for r in rows)]
    colours = [PARTS_COLOURS[names.index(name)] for name in used]
    order = list(dict.fromkeys(r["row"] for r in rows))
    shares = {"format": ".0%", "values": [0, 0.25, 0.5, 0.75, 1]}
    legend = {"columns": 2 if room.narrow else 4, "direction": "horizontal"}
    encoding = {
        "x": field("bytes:Q", stack="zero", title=None, axis=shares, scale={"domain": [0, 1]}),
        "y": field("row:N", sort=order, title=None, axis=inner_axis(-8, room)),
        "color": field("part:N", sort=used, scale={"domain": used, "range": colours}, legend=legend),
        "order": field("at:Q"),
    }
    bars = mark("bar", rows, encoding, height=11, yOffset=7)
    return bars.properties(width=room.width, height=rows_of(31)), t(
        "chart.memory.caption",
        "What fills the memory of a device, as shares; the size named is all that is needed. Parts are at "
        "their own largest, which they do not all reach at one moment; allocator and driver come on top.",
    )


def _memories(advice: Advice, t: Texts) -> Iterator[tuple[str, Mapping[str, float], Quantity | None]]:
    """What is drawn: the name of each, the parts of its memory, and all that it needs."""
    plan = advice.plan
    if plan is not None:
        titles = {a.id: a.title for a in advice.accelerators}
        for option in plan.options[:1]:  # the only one whose steps are stored
            parts = behind.memory_parts(advice, option)
            yield _named(option.label, titles, t), parts, option.quantities.get("memory_bytes")
        if plan.options and advice.machine is None:
            return
    for estimate in _estimates(advice):
        job = choice.workload(advice, estimate.workload)
        if job is not None:
            parts = dict(choice.memory_parts(advice, estimate))
            yield t.said(job.title), parts, estimate.quantities.get("memory_bytes")


def _estimates(advice: Advice) -> list[Estimate]:
    """Those asked for by name, else the best of this machine for each workload."""
    asked = list(choice.whole(advice))
    if asked:
        return asked[:4]
    return [e for w in advice.workloads if (e := select.best_here(advice, w)) is not None]
