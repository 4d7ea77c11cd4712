"""Flags of `hwadvisor plan` on space, regions and several jobs, and what is printed of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from advisor.errors import EXIT_INTERRUPTED, EXIT_NOTHING_FITS

if TYPE_CHECKING:
    from advisor.schema import Advice, PlanLimits, PlanScenario
    from advisor.search.grid import Stated
    from advisor.search.several_fleet import Fleet, Several

_Command = TypeVar("_Command", bound=Callable[..., Any])
_MOST_SHOWN = 12


def several_options(command: _Command) -> _Command:
    """The flags."""
    for option in (
        click.option("--sensitivity", is_flag=True,
                     help="Also: prices 30 % up and down, efficiency at its range's ends, twice the work."),
        click.option("--destination", metavar="CODE", default="",
                     help="Country of use (cn, hk, mo): without what export rules ask a licence for there."),
        click.option("--region", metavar="NAME", default="",
                     help="Prices of this cloud region or area alone: us, eu, asia, cn, us-east-1, …"),
        click.option("--max-rack-units", type=float, metavar="N", help="Space for whole systems."),
        click.option("--workloads", type=click.Path(path_type=Path, dir_okay=False), metavar="JOBS.toml",
                     help="Several jobs with counts per year ([[job]] model, tokens, …, per_year), instead."),
    ):  # fmt: skip
        command = option(command)
    return command


def run(  # what the command line has
    context: click.Context,
    flags: dict[str, Any],
    limits: PlanLimits,
    stated: Stated,
    as_json: bool,
    quiet: bool,
) -> None:
    """Plan for all jobs of the file; exit 1 where no machine does all of them within the limits.

    Ctrl-C ends with what is known of the jobs so far, and exit code 130.
    """
    from advisor.app_several import SeveralOptions, plan_several
    from advisor.cli.options import hub_cache, print_json

    with _Bar(hidden=quiet or as_json) as bar:
        result, advice = plan_several(
            SeveralOptions(
                path=flags["workloads"],
                limits=limits,
                hub=hub_cache(),
                assume=flags["assume"],
                stated=stated,
                rules=flags["rules"],
                tick=bar.tick,
            )
        )
    if as_json:
        from advisor.data.advice import dump_advice

        print_json(dump_advice(advice))
    else:
        tell_several(result, limits)
    if result.jobs < result.whole:
        context.exit(EXIT_INTERRUPTED)
    if not result.fleets:
        context.exit(EXIT_NOTHING_FITS)


class _Bar:
    """A progress bar on stderr, from a few jobs on."""

    def __init__(self, *, hidden: bool) -> None:
        self.hidden = hidden
        self.bar: Any = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.bar is not None:
            self.bar.__exit__(None, None, None)

    def tick(self, done: int, whole: int) -> None:
        """So many of all are done."""
        if self.hidden or whole < 3:
            return
        if self.bar is None:
            import sys

            from advisor.cli.language import told

            self.bar = click.progressbar(length=whole, label=told("jobs"), file=sys.stderr)
            self.bar.__enter__()
        self.bar.update(done - self.bar.pos)


def tell_several(result: Several, limits: PlanLimits) -> None:
    """Which machine does all the work of a year."""
    from advisor.cli.language import form, told
    from advisor.cli.text import paragraph, say

    if result.jobs < result.whole:
        text = form(
            "Stopped: {jobs} of {whole} different jobs are counted, the largest networks first.",
            jobs=f"{result.jobs:,}", whole=f"{result.whole:,}",
        )  # fmt: skip
        paragraph(f"! {text}")
    paragraph(
        form("{jobs} different jobs, {runs} runs a year.", jobs=f"{result.jobs:,}", runs=f"{result.runs:,g}")
    )
    paragraph("Each on a part of a machine that keeps its deadline; the rest of it does others meanwhile.")
    say()
    if not result.fleets:
        paragraph(form("Nothing keeps the limits. {miss}", miss=told(result.miss)))
        paragraph(result.relax)
        _tell_left_out(result)
        return
    from rich.table import Table

    from advisor.cli.screen import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    for at, heading in enumerate(("Machines", "Used", "Rent a year", "Own a year", "Energy a year", "Power")):
        table.add_column(told(heading), justify="right" if at else "left", no_wrap=at == 0)
    for fleet in result.fleets[:_MOST_SHOWN]:
        table.add_row(*_row(fleet, limits))
    console().print(table)
    if len(result.fleets) > _MOST_SHOWN:
        say(form("  and {count} more (--json has all)", count=len(result.fleets) - _MOST_SHOWN).strip())
    first = result.fleets[0]
    if first.offloads:
        paragraph(
            form(
                "On the first {count} of {jobs} jobs keep states or weights in the host's memory.",
                count=first.offloads, jobs=result.jobs,
            )
        )  # fmt: skip
    if any(fleet.unrated for fleet in result.fleets[:_MOST_SHOWN]):
        say("? computed in 32 bits, as no 16-bit rate of it is known here: behind all others")
    if any(fleet.price_old for fleet in result.fleets[:_MOST_SHOWN]):
        say("* list price older than 180 days" if limits.acquire == "buy" else "* price older than 180 days")
    _tell_left_out(result)


def _tell_left_out(result: Several) -> None:
    """What is no fleet: by name where they are few, else how many."""
    from advisor.cli.language import form, told
    from advisor.cli.text import paragraph

    if len(result.left_out) > _MOST_SHOWN:
        paragraph(form("Left out: {count} (--json tells why).", count=len(result.left_out)))
        return
    for name, why in result.left_out:
        paragraph(form("Left out: {name}: {why}.", name=name, why=told(why)))


def _row(fleet: Fleet, limits: PlanLimits) -> list[str]:
    from advisor.cli.language import show, told

    def known(value: float | None, unit: str) -> str:
        return told("not known") if value is None else show(value, unit)

    star, buys = (" ?" if fleet.unrated else "") + (" *" if fleet.price_old else ""), limits.acquire == "buy"
    used = "<1%" if fleet.used < 0.01 else f"{fleet.used:.0%}"
    return [
        f"{fleet.machines:,} x ({fleet.label})", used, known(fleet.rent_usd, "USD") + ("" if buys else star),
        known(fleet.own_usd, "USD") + (star if buys else ""), known(fleet.energy_j, "J"),
        known(fleet.power_w, "W"),
    ]  # fmt: skip


def tell_sensitivity(advice: Advice) -> None:
    """What leads when one thing is otherwise."""
    plan = advice.plan
    if plan is None:
        return
    from advisor.cli.language import form, told
    from advisor.cli.text import paragraph, say

    best = plan.options[0] if plan.options else None
    if best is not None and (best.system or best.rack_units is not None):
        if best.rack_units is None:
            text = form("The best as systems: {systems}.", systems=best.system)
        else:
            text = form(
                "The best as systems: {systems}, {units} rack units.",
                systems=best.system, units=f"{best.rack_units:g}",
            )  # fmt: skip
        paragraph(text)
    if not plan.sensitivity:
        return
    say("If one thing is otherwise:")
    for one in plan.sensitivity:
        paragraph(form("{name}: {text}", name=told(one.name), text=_changed(one)), "  ", " " * 4)
    say()


def _changed(one: PlanScenario) -> str:
    """'the same leads, 3 days, USD 200. It misses the deadline.'"""
    from advisor.cli.language import form, show, told

    if not one.label:
        return told(one.note)
    parts = [told("the same leads") if one.same else form("{label} leads", label=one.label)]
    parts += [show(one.calendar_s, "s")] if one.calendar_s is not None else []
    parts += [show(one.cost_usd, "USD")] if one.cost_usd is not None else []
    return form("{words}. {note}", words=form(", ").join(parts), note=told(one.note)).rstrip()
