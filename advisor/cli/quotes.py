"""What `hwadvisor plan` prints of quotes, and its flags on money."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from advisor.errors import EXIT_NOTHING_FITS

if TYPE_CHECKING:
    from advisor.app_options import WorkloadFlags
    from advisor.app_quotes import QuoteResult
    from advisor.schema import PlanLimits
    from advisor.search.grid import Stated
    from advisor.search.quotes import Judged

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _rates(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, float]:
    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            found[name.strip().upper()] = float(value)
        except ValueError as error:
            raise click.BadParameter(f"{text!r} is not CODE=US DOLLARS, as EUR=1.08") from error
    return found


def quote_options(command: _Command) -> _Command:
    """The flags on quotes."""
    for option in (
        click.argument("more_quotes", nargs=-1, type=click.Path(path_type=Path), metavar="[QUOTE…]"),
        click.option("--rate", multiple=True, metavar="CODE=USD", callback=_rates,
                     help="US dollars for one unit of a currency, of quotes and of --currency (repeatable)."),
        click.option("--currency", default="USD", metavar="CODE", show_default=True,
                     help="Tell amounts of money in this currency; --json, and limits, are in US dollars."),
        click.option("--years", type=float, default=5.0, show_default=True,
                     help="With --quote: over how many years costs are counted."),
        click.option("--quote", "quotes", multiple=True, type=click.Path(path_type=Path), metavar="FILE…",
                     help="Compare resellers' quotes (TOML files of line items) for this job, instead."),
    ):  # fmt: skip
        command = option(command)
    return command


def run(
    context: click.Context,
    flags: dict[str, Any],
    workload: WorkloadFlags,
    limits: PlanLimits,
    stated: Stated,
    as_json: bool,
) -> None:
    """Compare and print; exit 1 where every quote breaks a limit."""
    from advisor.app_quotes import QuoteOptions, run_quotes

    result = run_quotes(
        QuoteOptions(
            quotes=(*flags["quotes"], *flags["more_quotes"]),
            workload=workload,
            limits=limits,
            years=flags["years"],
            max_rack_units=flags.get("max_rack_units"),
            rates=flags["rate"],
            assume=flags["assume"],
            stated=stated,
            rules=flags["rules"],
        )
    )
    if as_json:
        told = {
            "workload": result.job.model_dump(mode="json"),
            "years": result.years,
            "assumed": dict(result.assumed),
            "quotes": [one.as_json() for one in result.judged],
        }
        click.echo(json.dumps(told, indent=1))
    else:
        tell_quotes(result)
    if all(one.broken for one in result.judged):
        context.exit(EXIT_NOTHING_FITS)


def tell_quotes(result: QuoteResult) -> None:
    """The quotes side by side, then each with what breaks, what lacks and what it must reach."""
    from rich.table import Table

    from advisor.cli.language import form, told
    from advisor.cli.screen import console
    from advisor.cli.text import paragraph, say

    paragraph(result.job.title)
    say(form("{count} quotes over {years} years:", count=len(result.judged), years=f"{result.years:g}"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for one in result.judged:
        table.add_column(one.title, justify="right")
    for name, cells in _rows(result):
        table.add_row(told(name), *cells)
    console().print(table)
    say()
    for one in result.judged:
        say(f"{one.title}:")
        for heading, texts in (("breaks", one.broken), ("missing", one.missing)):
            for text in texts or ("nothing",):
                _line(heading, text)
        for text in one.acceptance:
            _line("accept", text)
        say()
    if any(one.incomplete for one in result.judged):
        paragraph("* what is missing of the quote is not in it: it ranks behind whole quotes")
    if any(one.unrated for one in result.judged):
        say("? computed in 32 bits, as no 16-bit rate of it is known here: behind all others")
    paragraph(
        "Without VAT: price less what is left of it, staff, hosting of the nameplate power, electricity."
    )
    for name, text in result.assumed:
        paragraph(f"{name}: {text}", "  ", " " * 4)
    paragraph("Another value: --assume NAME=VALUE.")


def _line(heading: str, text: str) -> None:
    """What breaks, lacks or must be shown: 'missing: storage'."""
    from advisor.cli.language import form, told
    from advisor.cli.text import paragraph

    paragraph(form("{name}: {text}", name=told(heading), text=told(text)), "  ", " " * 10)


def _rows(result: QuoteResult) -> list[tuple[str, list[str]]]:
    """Lines of the table."""
    from advisor.cli.language import form, show, show_ranged, told

    def known(value: float | None, unit: str) -> str:
        return told("not known") if value is None else show(value, unit)

    def work(one: Judged) -> str:
        if one.work_per_year is None:
            return told("not known")
        count = show(one.work_per_year, "1")
        return form("{count} tokens", count=count) if tokens else form("{count} samples", count=count)

    def each(one: Judged) -> str:
        span = one.cost_per_unit_range_usd
        if not span:
            return known(one.cost_per_unit_usd, "USD")
        value, spread = show_ranged(one.cost_per_unit_usd, *span, "USD")
        return form("{figure} ({range})", figure=value, range=spread) if spread else value

    tokens = result.judged[0].unit == "tokens"
    lines: tuple[tuple[str, Callable[[Judged], str]], ...] = (
        ("what", lambda one: f"{one.devices} x {one.accelerator_id}"),
        ("net", lambda one: f"{one.net:,.0f} {one.currency}"),
        ("net, dollars", lambda one: known(one.net_usd, "USD")),
        ("with VAT", lambda one: known(one.gross_usd, "USD")),
        ("one run", lambda one: known(one.calendar_s, "s") + (" ?" if one.unrated else "")),
        ("runs a year", lambda one: "-" if one.runs_per_year is None else f"{one.runs_per_year:.3g}"),
        ("work a year", work),
        ("cost of the years", lambda one: known(one.cost_usd, "USD") + (" *" if one.incomplete else "")),
        ("a billion tokens" if tokens else "a million samples", each),
        ("power, nameplate", lambda one: known(one.nameplate_w, "W")),
        ("power, typical", lambda one: known(one.typical_w, "W")),
        ("rack units", lambda one: told("not known") if one.rack_units is None else f"{one.rack_units:g}"),
        ("a rack", lambda one: known(one.rack_w, "W")),
        ("cooling", lambda one: told(one.cooling or "not known")),
        ("breaks", lambda one: str(len(one.broken) or told("nothing"))),
        ("missing", lambda one: str(len(one.missing) or told("nothing"))),
    )
    return [(name, [text(one) for one in result.judged]) for name, text in lines]
