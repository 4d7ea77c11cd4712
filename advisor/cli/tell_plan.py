"""A plan as text: the best option, the best of each accelerator, what more devices buy, what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from advisor.cli.text import paragraph, plain, say, text_width
from advisor.schema import Advice, Estimate, Plan, PlanLimits, PlanOption, Quantity
from advisor.units import DAY_S, show

_WIDE = 100  # columns from which energy and power are shown too
_MOST_OPTIONS = 12
_CODES = {
    "memory": "short of memory", "deadline": "too late", "budget": "too expensive", "power": "too much power",
    "unknown": "memory or time not known",
}  # fmt: skip
_LAYOUT = {
    "micro_batch": "micro-batch",
    "recompute": "recompute",
    "sharding": "sharding",
    "stack": "trainer like",
}


def tell_plan(advice: Advice) -> None:
    """Everything a reader needs of a plan, at 80 columns and more."""
    plan, job = advice.plan, advice.workloads[0]
    assert plan is not None  # noqa: S101 - the caller has planned
    paragraph(f"{job.title}")
    paragraph(job.note)
    paragraph(_limits(plan.limits) + f" {plan.tried:,} layouts tried, {plan.fitting:,} fit into memory.")
    for notice in advice.notices:
        paragraph(f"! {notice.message}")
    say()
    if plan.options:
        _tell_best(plan)
        _tell_options(plan)
    else:
        paragraph(f"Nothing keeps the limits. {plan.miss}")
        paragraph(plan.relax)
        say()
    _tell_scaling(plan)
    _tell_owned(advice.estimates)
    _tell_left_out(plan)


def tell_answers(answers: Sequence[str], *, stderr: bool = False, quiet: bool = False) -> None:
    """Answers to --why-not."""
    for answer in answers:
        if stderr and not quiet:
            click.echo(plain(answer), err=True)
        elif not stderr:
            paragraph(answer)


def _limits(limits: PlanLimits) -> str:
    told = []
    if limits.deadline_days is not None:
        whose = f" (assumed: {limits.deadline_assumed})" if limits.deadline_assumed else ""
        told.append(f"within {show(limits.deadline_days * DAY_S, 's')}{whose}")
    if limits.budget_usd is not None:
        told.append(f"for at most {show(limits.budget_usd, 'USD')}")
    sure = f"{' and '.join(told)} with {limits.confidence:.0%} probability" if told else "without a deadline"
    if limits.max_power_w is not None:
        sure += f", on at most {show(limits.max_power_w, 'W')}"
    assumed = ", ".join(f"{name} = {value.source}" for name, value in limits.assumed.items())
    told_assumed = f" Assumed: {assumed}." if assumed else ""
    return f"{sure[:1].upper()}{sure[1:]}; best by {limits.objective}.{told_assumed}"


def _tell_best(plan: Plan) -> None:
    best = plan.options[0]
    q = best.quantities
    say(f"Best: {best.label}")
    late = show(q["calendar_at_s"].value, "s")
    days = f"{_told(q['calendar_s'])} as likely as not, {late} with {plan.limits.confidence:.0%} probability"
    paragraph(f"time    {days}" + _chance_told(best, plan.limits), "  ", " " * 10)
    for line in _costs(best, plan.limits):
        paragraph(line, "  ", " " * 10)
    if plan.lead is not None:
        paragraph(f"lead    stays the cheapest until its price rises by {plan.lead:.0%}", "  ", " " * 10)
    paragraph(f"energy  {_told(q['energy_j'])}; {_told(q['power_w'])} to be there", "  ", " " * 10)
    paragraph(f"layout  {_layout(best)}", "  ", " " * 10)
    if best.tight:
        paragraph("memory  tight: the upper end of the estimate does not fit", "  ", " " * 10)
    if best.near:
        paragraph(f"near    {'; '.join(best.near)}", "  ", " " * 10)
    for name in ("cost", "time", "energy", "knee"):
        other = plan.best.get(name)
        if other is not None and other.label != best.label:
            title = "front bends most at" if name == "knee" else f"best by {name}:"
            paragraph(f"{title} {other.label}, {_brief(other, plan.limits)}", "  ", " " * 10)
    say()


def _costs(option: PlanOption, limits: PlanLimits) -> list[str]:
    """Lines on renting and on owning."""
    q, lines = option.quantities, []
    note = f" ({option.price_note})"
    if q["rent_usd"].value is None:
        lines.append(
            "rent    no public price" + ("" if limits.acquire == "buy" else ": planned on time and energy")
        )
    else:
        spot = f"; spot {_told(q['spot_usd'])}" if q["spot_usd"].value is not None else ""
        told = f"rent    {_told(q['rent_usd'])}, {_told(q['rent_at_usd'])} if it takes that long{spot}"
        lines.append(told + (note if limits.acquire == "rent" else ""))
    if q["own_usd"].value is None:
        lines.append("own     no list price")
    else:
        told = f"own     {_told(q['own_usd'])} as this job's share of {_told(q['purchase_usd'])}"
        even = q["break_even_s"].value
        if even is not None:
            told += f", even with renting after {show(even, 's')}"
        elif q["rent_usd"].value is not None:
            told += f"; {q['break_even_s'].reason}"
        source = q["purchase_usd"].source.partition(":")[0]
        lines.append(told + (note if limits.acquire == "buy" else f" ({source})"))
    return lines


def _brief(option: PlanOption, limits: PlanLimits) -> str:
    return f"{_told(option.quantities['calendar_s'])}, {_price(option, limits)}"


def _layout(option: PlanOption) -> str:
    return ", ".join(f"{_LAYOUT.get(name, name)} {value}" for name, value in option.choices.items())


def _chance_told(option: PlanOption, limits: PlanLimits) -> str:
    if option.chance is None or limits.deadline_days is None:
        return ""
    return f"; chance of {show(limits.deadline_days * DAY_S, 's')}: {_chance(option)}"


def _chance(option: PlanOption) -> str:
    if option.chance is None:
        return "-"
    return ">99 %" if option.chance > 0.99 else "<1 %" if option.chance < 0.01 else f"{option.chance:.0%}"


def _told(quantity: Quantity) -> str:
    return show(quantity.value, quantity.unit) if quantity.value is not None else "not known"


def _tell_options(plan: Plan) -> None:
    shown = plan.options[:_MOST_OPTIONS]
    rows = [("", "P50", _at(plan), "chance", _cost_name(plan), "energy", "power")]
    rows += [
        (
            option.label, _told(option.quantities["calendar_s"]), _told(option.quantities["calendar_at_s"]),
            _chance(option), _price(option, plan.limits), _told(option.quantities["energy_j"]),
            _told(option.quantities["power_w"]),
        )
        for option in shown
    ]  # fmt: skip
    say(f"Best of each accelerator, by {plan.limits.objective}:")
    _table(rows)
    if len(plan.options) > len(shown):
        say(f"  and {len(plan.options) - len(shown)} more (--json has all)")
    if any(option.price_old for option in shown):
        say("  * price older than 180 days: behind those with a younger one")
    say()


def _cost_name(plan: Plan) -> str:
    return "own" if plan.limits.acquire == "buy" else "rent"


def _at(plan: Plan) -> str:
    return f"P{100 * plan.limits.confidence:.3g}"


def _price(option: PlanOption, limits: PlanLimits) -> str:
    value = option.quantities["own_usd" if limits.acquire == "buy" else "rent_usd"]
    return "no price" if value.value is None else _told(value) + (" *" if option.price_old else "")


def _tell_scaling(plan: Plan) -> None:
    if not plan.scaling:
        return
    name = plan.scaling[0].option.accelerator_id
    say(f"More or fewer {name}:")
    rows = [("number", "P50", _at(plan), "chance", _cost_name(plan), "each day saved", "")]
    for step in plan.scaling:
        option = step.option
        each = step.usd_per_day_saved
        saved = "" if each is None else "costs nothing" if each <= 0 else f"{show(each, 'USD')}"
        rows.append(
            (
                f"{option.packages:g}", _told(option.quantities["calendar_s"]),
                _told(option.quantities["calendar_at_s"]), _chance(option), _price(option, plan.limits),
                saved,
                ", ".join(option.breaks) and f"breaks {', '.join(option.breaks)}",
            )
        )  # fmt: skip
    _table(rows, always=6)
    say()


def _table(rows: Sequence[tuple[str, ...]], always: int = 5) -> None:
    """Columns as wide as they must be; the last ones only where there is room, long names cut."""
    room = text_width() - 2
    columns = len(rows[0]) if room >= _WIDE else always
    widths = [max(len(row[at]) for row in rows) for at in range(columns)]
    spare = room - sum(widths[1:]) - 2 * (columns - 1)
    widths[0] = min(widths[0], max(spare, 12))
    for row in rows:
        first = row[0] if len(row[0]) <= widths[0] else row[0][: widths[0] - 1] + "…"
        cells = [first.ljust(widths[0]), *(row[at].rjust(widths[at]) for at in range(1, columns))]
        say("  " + "  ".join(cells).rstrip())


def _tell_owned(estimates: Sequence[Estimate]) -> None:
    if not estimates:
        return
    say("What is there already:")
    for estimate in estimates:
        time = estimate.quantities.get("time_s")
        takes = "" if time is None or time.value is None else f" Training takes {_told(time)}."
        paragraph(
            f"{estimate.target.label}: {estimate.why}{'' if 'would take' in estimate.why else takes}", "  "
        )
    say()


def _tell_left_out(plan: Plan) -> None:
    if not plan.left_out:
        return
    found = Counter(one.code for one in plan.left_out)
    told = ", ".join(f"{number} {_CODES.get(code, code)}" for code, number in found.most_common())
    paragraph(f"Left out: {told}. --why-not ID tells why.")
