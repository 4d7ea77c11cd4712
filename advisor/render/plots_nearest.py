"""Where no option keeps the limits: what comes nearest, and how long more or fewer of it take."""

from __future__ import annotations

from markupsafe import Markup

from advisor.render import choice
from advisor.render.plots import WIDE, Room, short, time_axis
from advisor.render.plots_fleet import ranged, ranged_row
from advisor.render.select import DAY_S
from advisor.render.texts import Texts
from advisor.render.vega import Chart
from advisor.schema import Advice, Plan, PlanOption

_MOST = 8


def nearest(plan: Plan) -> PlanOption | None:
    """The option that the plan's sentence names, where its figures are known; None where it has options."""
    if plan.options:
        return None
    named = (step.option for step in plan.scaling if f" {step.option.label}: " in plan.miss)
    return next(named, None)


def counts(advice: Advice, t: Texts, room: Room = WIDE) -> tuple[Chart, Markup] | None:
    """How long the job takes on as many of them as are allowed and on fewer, and the time allowed."""
    plan = advice.plan
    if plan is None or nearest(plan) is None:
        return None
    rows = []
    for step in plan.scaling[-_MOST:]:
        title = short(choice.option_label(advice, step.option, t).striptags(), room.letters)
        rows += ranged_row(title, "", step.option.quantities.get("calendar_s"))
    if not rows:
        return None
    days = plan.limits.deadline_days
    limits = [{"row": row["row"], "limit": days * DAY_S} for row in rows] if days else []
    ends = [*(r["low"] for r in rows), *(r["high"] for r in rows), *(one["limit"] for one in limits)]
    return ranged(rows, limits, [""], time_axis([min(ends), max(ends)], t), room), t(
        "chart.counts.caption",
        "How long the job takes on the nearest of what there is, and on fewer of it: points are the "
        "estimates, bars their ranges (logarithmic scale). The upright stroke is the time allowed.",
    )
