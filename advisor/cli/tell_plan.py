"""A plan as text: the best option, the best of each accelerator, what more devices buy, what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from advisor.cli.language import chosen, form, show, show_end, show_ranged, show_rough, told
from advisor.cli.text import cells, label, left, paragraph, plain, right, say, shortened, text_width
from advisor.schema import Advice, Estimate, Plan, PlanLimits, PlanOption, PlanStep, Quantity
from advisor.units import DAY_S

_WIDE = 100  # columns from which energy and power are shown too
_MOST_OPTIONS = 12
_WORTH_TELLING = 0.01
_TIMES_FEWER, _TIMES_MORE = 8, 16
"""Of the scaling table, which answers 'why so many?': rows that far from the best; --json has all."""
_CODES = {
    "memory": "short of memory", "deadline": "too late", "budget": "too expensive", "power": "too much power",
    "unknown": "memory or time not known", "unsupported": "without the method, format or program",
    "space": "too many rack units", "export": "export rules", "rented": "not for sale",
    "unchecked": "a limit that cannot be checked", "host memory": "short of host memory",
}  # fmt: skip
_LAYOUT = {
    "micro_batch": "micro-batch",
    "recompute": "recompute",
    "sharding": "sharding",
    "stack": "trainer like",
    "host_memory": "host memory",
    "host_cores": "host cores",
    "free_slots": "free slots",
}


def tell_plan(advice: Advice) -> None:
    """Everything a reader needs of a plan, at 80 columns and more."""
    plan, job = advice.plan, advice.workloads[0]
    assert plan is not None  # noqa: S101 - the caller has planned
    paragraph(told(job.title))
    paragraph(told(job.note))
    counts = form(
        " {tried} layouts tried, {fitting} fit into memory.",
        tried=show(plan.tried, "1"), fitting=show(plan.fitting, "1"),
    )  # fmt: skip
    paragraph(_limits(plan.limits) + counts)
    for notice in advice.notices:
        paragraph(f"! {told(notice.message)}")
    say()
    if plan.options:
        _tell_best(plan)
        _tell_options(plan)
    else:
        paragraph(form("Nothing keeps the limits. {miss}", miss=told(plan.miss)))
        paragraph(told(plan.relax))
        say()
    _tell_scaling(plan)
    _tell_owned(advice.estimates, plan.limits)
    _tell_left_out(plan)


def tell_answers(answers: Sequence[str], *, stderr: bool = False, quiet: bool = False) -> None:
    """Answers to --why-not."""
    for answer in answers:
        about, sign, why = answer.partition(": ")
        is_id = sign and " " not in about  # its sentences are known without it
        own = f"{about}: {told(why)}" if is_id else told(answer)
        if stderr and not quiet:
            click.echo(plain(own), err=True)
        elif not stderr:
            paragraph(own)


def _limits(limits: PlanLimits) -> str:
    parts = []
    if limits.deadline_days is not None:
        why = limits.deadline_assumed
        whose = form(" (assumed: {why})", why=told(why)) if why else ""
        parts.append(form("within {time}", time=show(limits.deadline_days * DAY_S, "s")) + whose)
    if limits.budget_usd is not None:
        parts.append(form("for at most {money}", money=show(limits.budget_usd, "USD")))
    sure = told("without a deadline")
    if parts:
        both = form(" and ").join(parts)
        sure = form("{limits} with {share} probability", limits=both, share=f"{limits.confidence:.0%}")
    if limits.max_power_w is not None:
        sure += form(", on at most {power}", power=show(limits.max_power_w, "W"))
    if limits.max_rack_units is not None:
        sure += form(", in at most {units} rack units", units=f"{limits.max_rack_units:g}")
    if limits.max_devices is not None:
        sure += form(", with at most {count} devices", count=f"{limits.max_devices:,}")
    assumed = ", ".join(f"{name} = {value.source}" for name, value in limits.assumed.items())
    also = form(" Assumed: {what}.", what=assumed) if assumed else ""
    first = f"{sure[:1].upper()}{sure[1:]}"
    return form("{limits}; best by {objective}.", limits=first, objective=told(limits.objective)) + also


def _tell_best(plan: Plan) -> None:
    best = plan.options[0]
    q = best.quantities
    say(form("Best: {label}", label=told(best.label)))
    for text in _cheaper(plan):
        _line("cheaper", text)
    late = _late(best)
    days = form(
        "{half} as likely as not, {late} with {share} probability",
        half=_told(q["calendar_s"]), late=late, share=f"{plan.limits.confidence:.0%}",
    )  # fmt: skip
    _line("time", days + _chance_told(best, plan.limits))
    for name, text in _costs(best, plan.limits):
        _line(name, text)
    if plan.lead is not None and plan.lead >= _WORTH_TELLING:
        _line("lead", form("stays the cheapest until its price rises by {share}", share=f"{plan.lead:.0%}"))
    if q["power_w"].value is None:
        _line("energy", told("not known, nor the power: no TDP is known here"))
    else:
        power = _told(q["power_w"])
        _line("energy", form("{energy}; {power} to be there", energy=_told(q["energy_j"]), power=power))
    _line("layout", _layout(best))
    if best.tight:
        _line("memory", told("tight: the upper end of the estimate does not fit"))
    if best.beside:
        _line("beside", told(best.beside))
    if best.near:
        _line("near", "; ".join(best.near))
    for name in ("cost", "time", "energy", "knee"):
        other = plan.best.get(name)
        if other is not None and other.label != best.label:
            knee, by = form("front bends most at"), form("best by {objective}:", objective=told(name))
            title = knee if name == "knee" else by
            brief = form(", ").join((told(other.label), _brief(other, plan.limits)))
            paragraph(f"{title} {brief}", "  ", " " * 10)
    say()


def _cheaper(plan: Plan) -> list[str]:
    """What costs less than the best by cost, and why it is not the best."""
    lines, best = [], plan.options[0]
    for why, option in plan.cheaper().items():
        cost = "own_usd" if plan.limits.acquire == "buy" else "rent_usd"
        first, other = (one.quantities[cost].value or 0.0 for one in (best, option))
        words = {"label": told(option.label), "cost": _told(option.quantities[cost])}
        if why == "old":
            note = told(option.price_note)
            lines.append(form("by an old price: {label}, {cost} ({note})", **words, note=note))
        elif why == "unsure":
            note = told(option.price_note)
            lines.append(
                form("of a provider that may not join as many: {label}, {cost} ({note})", **words, note=note)
            )
        elif why == "unrated":
            lines.append(form("of an unknown 16-bit rate, computed in 32 bits: {label}, {cost}", **words))
        elif why == "untried":
            lines.append(
                form("without a published run of such a network on that generation: {label}, {cost}", **words)
            )
        elif why == "beyond":
            lines.append(form("in a layout that a stock trainer has not: {label}, {cost}", **words))
        else:
            lines.append(
                form(
                    "{label} by {share}: as good within what estimates can tell, and the best takes fewer",
                    label=told(option.label), share=f"{1 - other / first:.1%}",
                )
            )  # fmt: skip
    return lines


def _line(name: str, text: str) -> None:
    """One property of the best option."""
    paragraph(text, "  " + label(name, 8), " " * 10)


def _costs(option: PlanOption, limits: PlanLimits) -> list[tuple[str, str]]:
    """Lines on renting and on owning."""
    q, lines = option.quantities, []
    note = form(" ({hint})", hint=told(option.price_note))
    if q["rent_usd"].value is None:
        planned = "no public price: planned on time and energy"
        lines.append(("rent", told("no public price" if limits.acquire == "buy" else planned)))
    else:
        spot = form("; spot {price}", price=_told(q["spot_usd"])) if q["spot_usd"].value is not None else ""
        rent, late = _told(q["rent_usd"]), show_end(q["rent_at_usd"].value, q["rent_usd"], "USD")
        text = form("{rent}, {late} if it takes that long", rent=rent, late=late) + spot
        lines.append(("rent", text + (note if limits.acquire == "rent" else "")))
    if q["own_usd"].value is None:
        lines.append(("own", told("no list price")))
    else:
        whole = _told(q["purchase_usd"])
        text = form("{own} as this job's share of {whole}", own=_told(q["own_usd"]), whole=whole)
        even = q["break_even_s"].value
        if even is not None:
            text += form(", even with renting after {time}", time=show(even, "s"))
        elif q["rent_usd"].value is not None:
            text += f"; {told(q['break_even_s'].reason)}"
        source = q["purchase_usd"].source.partition(":")[0]
        lines.append(
            ("own", text + (note if limits.acquire == "buy" else form(" ({hint})", hint=told(source))))
        )
    return lines


def _brief(option: PlanOption, limits: PlanLimits) -> str:
    return form(", ").join((_told(option.quantities["calendar_s"]), _price(option, limits)))


def _layout(option: PlanOption) -> str:
    named = (chosen(_LAYOUT.get(name, name), str(value)) for name, value in option.choices.items())
    return form(", ").join(named)


def _chance_told(option: PlanOption, limits: PlanLimits) -> str:
    if option.chance is None or limits.deadline_days is None:
        return ""
    limit = show(limits.deadline_days * DAY_S, "s")
    return form("; chance of {time}: {chance}", time=limit, chance=_chance(option))


def _chance(option: PlanOption) -> str:
    return "-" if option.chance is None else _share(option.chance)


def _share(chance: float) -> str:
    return ">99%" if chance > 0.99 else "<1%" if chance < 0.01 else f"{chance:.0%}"


def _told(quantity: Quantity) -> str:
    if quantity.value is None:
        return told("not known")
    return show_ranged(quantity.value, quantity.low, quantity.high, quantity.unit)[0]


def _late(option: PlanOption) -> str:
    """The time kept to with the plan's probability, in the unit and digits of the expected one."""
    half, late = option.quantities["calendar_s"], option.quantities["calendar_at_s"]
    return told("not known") if late.value is None else show_end(late.value, half, "s")


def _tell_options(plan: Plan) -> None:
    shown = plan.options[:_MOST_OPTIONS]
    cost = told(_cost_name(plan))
    rows = [("", "P50", _at(plan), told("chance"), cost, told("energy"), told("power"))]
    rows += [
        (
            _named(option, plan.limits), _told(option.quantities["calendar_s"]),
            _late(option),
            _chance(option), _price(option, plan.limits), _told(option.quantities["energy_j"]),
            _told(option.quantities["power_w"]),
        )
        for option in shown
    ]  # fmt: skip
    say(form("Best of each accelerator, by {objective}:", objective=told(plan.limits.objective)))
    _table(rows)
    if len(plan.options) > len(shown):
        say(form("  and {count} more (--json has all)", count=len(plan.options) - len(shown)))
    if any(option.untried for option in shown):
        say("  ~ no published run of such a network on that generation: behind those with one")
    if any(option.unrated for option in shown):
        say("  ? computed in 32 bits, as no 16-bit rate of it is known here: behind all others")
    if any(option.beyond for option in shown):
        say("  + a layout that a stock trainer has not: must be a quarter better (fine-tunes: twice) to lead")
    if any(option.far for option in shown):
        say("  ! more devices than any published run of that generation: the range is wider")
    if any(option.price_unsure for option in shown):
        say("  ^ more than that provider is known to join to one cluster: behind those that are known")
    if any(option.price_old for option in shown):
        say("  * price older than 180 days: behind those with a younger one")
    say()


def _named(option: PlanOption, limits: PlanLimits) -> str:
    """'1 x dgx-h100' where systems were asked for, or are what is bought."""
    systems = limits.acquire == "buy" or option.system.rpartition(" x ")[2] in limits.only
    return option.system if option.system and systems else told(option.label)


def _cost_name(plan: Plan) -> str:
    return "own" if plan.limits.acquire == "buy" else "rent"


def _at(plan: Plan) -> str:
    return f"P{100 * plan.limits.confidence:.3g}"


def _price(option: PlanOption, limits: PlanLimits) -> str:
    value = option.quantities["own_usd" if limits.acquire == "buy" else "rent_usd"]
    marks = (
        (" +" if option.beyond else "")
        + (" !" if option.far else "")
        + (" ~" if option.untried else "")
        + (" ?" if option.unrated else "")
        + (" ^" if option.price_unsure else "")
        + (" *" if option.price_old else "")
    )
    return (told("no price") if value.value is None else _told(value)) + marks


def _tell_scaling(plan: Plan) -> None:
    if not plan.scaling:
        return
    steps = _around(plan)
    name = plan.scaling[0].option.accelerator_id
    say(form("More or fewer {name}:", name=name))
    cost, each_day = told(_cost_name(plan)), told("each day saved")
    rows = [(told("number"), "P50", _at(plan), told("chance"), cost, each_day, "")]
    for step in steps:
        option = step.option
        each = step.usd_per_day_saved
        saved = "" if each is None else told("costs nothing") if each <= 0 else show_rough(each, "USD")
        rows.append(
            (
                f"{option.packages:g}", _told(option.quantities["calendar_s"]),
                _late(option), _chance(option), _price(option, plan.limits),
                saved,
                _breaks(option),
            )
        )  # fmt: skip
    _table(rows, always=6)
    say()


def _around(plan: Plan) -> Sequence[PlanStep]:
    """The numbers up to so many times fewer and more than the best, or than the fewest that come nearest."""
    shown = plan.options[0] if plan.options else None
    if shown is None or shown.accelerator_id != plan.scaling[0].option.accelerator_id:
        return plan.scaling
    fewest, most = shown.packages / _TIMES_FEWER, shown.packages * _TIMES_MORE
    return [step for step in plan.scaling if fewest <= step.option.packages <= most]


def _breaks(option: PlanOption) -> str:
    if not option.breaks:
        return ""
    return form("breaks {limits}", limits=form(", ").join(told(limit) for limit in option.breaks))


def _table(rows: Sequence[tuple[str, ...]], always: int = 5) -> None:
    """Columns as wide as they must be; the last ones only where there is room, long names cut."""
    room = text_width() - 2
    columns = len(rows[0]) if room >= _WIDE else always
    widths = [max(cells(row[at]) for row in rows) for at in range(columns)]
    spare = room - sum(widths[1:]) - 2 * (columns - 1)
    widths[0] = min(widths[0], max(spare, 12))
    for row in rows:
        first = left(shortened(row[0], widths[0]), widths[0])
        others = (right(row[at], widths[at]) for at in range(1, columns))
        say("  " + "  ".join([first, *others]).rstrip())


def _tell_owned(estimates: Sequence[Estimate], limits: PlanLimits) -> None:
    if not estimates:
        return
    from advisor.search.plan_time import chance_of, kept_with

    say("What is there already:")
    for estimate in estimates:
        time, takes = estimate.quantities.get("calendar_s"), ""
        if time is not None and time.value is not None and estimate.fits is not False:
            late = show(kept_with(time, limits.confidence), "s")
            takes = form(
                "{half} as likely as not, {late} with {share} probability",
                half=_told(time), late=late, share=f"{limits.confidence:.0%}",
            )  # fmt: skip
            if limits.deadline_days is not None:
                due = limits.deadline_days * DAY_S
                chance = _share(chance_of(time, due))
                takes += form("; chance of {time}: {chance}", time=show(due, "s"), chance=chance)
            takes = form(" {times}.", times=takes)
        paragraph(f"{told(estimate.target.label)}: {told(estimate.why)}{takes}", "  ")
    say()


def _tell_left_out(plan: Plan) -> None:
    if not plan.left_out:
        return
    found = Counter(one.code for one in plan.left_out)
    counts = form(", ").join(
        f"{number} {told(_CODES.get(code, code))}" for code, number in found.most_common()
    )
    paragraph(form("Left out: {counts}. --why-not ID tells why.", counts=counts))
