"""The walk of `hwadvisor plan --quote`: several quotes read, each judged by the same job and terms."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from advisor.app_knowledge import load_knowledge, now
from advisor.app_options import WorkloadFlags
from advisor.app_plan import workload_of
from advisor.data.offers import load_currencies, load_rates
from advisor.data.quotes import Quote, load_acceptance, read_quote
from advisor.data.systems import load_links, load_systems
from advisor.errors import UserError
from advisor.rulebook import RuleBook
from advisor.schema import PlanLimits, Quantity, Workload
from advisor.search.grid import NOTHING_STATED, Stated
from advisor.search.own import with_program
from advisor.search.plan import assumed, with_horizon
from advisor.search.quotes import Judged, Terms, judge
from advisor.units import YEAR_S, show

MOST_QUOTES = 100


@dataclass(frozen=True)
class QuoteOptions:
    """Which quotes, for what job, over how many years, under which limits."""

    quotes: tuple[Path, ...]
    workload: WorkloadFlags
    limits: PlanLimits
    years: float = 5.0
    max_rack_units: float | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    assume: Mapping[str, str] = field(default_factory=dict)
    stated: Stated = NOTHING_STATED
    rules: tuple[Path, ...] = ()


@dataclass(frozen=True)
class QuoteResult:
    """The quotes: those that break nothing first, of them those of a known rate, then whole ones, then the
    cheapest work."""

    job: Workload
    years: float
    judged: tuple[Judged, ...]
    assumed: tuple[tuple[str, str], ...]  # constants behind the costs: name, value with its source


def run_quotes(options: QuoteOptions) -> QuoteResult:
    """Quotes side by side. Raises UserError and DataError for files, names and money that cannot be."""
    if not options.years > 0 or options.years > 50:
        raise UserError(f"{options.years:g} years are no time of use", "Give 1 to 10, as --years 5.")
    if len(options.quotes) > MOST_QUOTES:
        raise UserError(f"{len(options.quotes)} quotes are too many", f"Give at most {MOST_QUOTES}.")
    for code, rate in options.rates.items():
        if not rate > 0:
            raise UserError(f"--rate {code}={rate:g} is not above zero", "US dollars for one unit.")
    knowledge = load_knowledge(options.rules)
    catalogue = knowledge.catalogue
    systems = load_systems(knowledge.folders, catalogue)
    links = load_links(knowledge.folders)
    quotes = _told_apart([read_quote(path, catalogue, systems, links) for path in options.quotes])
    job = workload_of(options.workload, knowledge)
    told = assumed(knowledge.book, options.assume)
    day = options.limits.as_of or now()[:10]
    limits = with_horizon(options.limits.model_copy(update={"as_of": day, "assumed": told}), job)
    terms = Terms(
        years=options.years,
        rates={**load_rates(knowledge.folders), **options.rates},
        limits=limits,
        today=datetime.date.fromisoformat(day),
        max_rack_units=options.max_rack_units,
        acceptance=load_acceptance(knowledge.folders),
    )
    stated = with_program(options.stated, catalogue)
    judged = [
        judge(knowledge.book, catalogue, job, quote, terms, knowledge.published, stated) for quote in quotes
    ]
    judged.sort(
        key=lambda one: (
            bool(one.broken), one.unrated, one.incomplete, _or_last(one.cost_per_run_usd), one.title
        )
    )  # fmt: skip
    codes = sorted({quote.currency for quote in quotes} - {"USD"})
    rates = tuple((code, _rate(code, options.rates, knowledge.folders)) for code in codes)
    names = ("electricity_price", "hosting_price", "staff_share", "residual_share", "used_share", "pue")
    return QuoteResult(
        job,
        options.years,
        tuple(judged),
        (*rates, *((name, _constant(knowledge.book, told, name)) for name in names)),
    )


def _told_apart(quotes: Sequence[Quote]) -> list[Quote]:
    """Two of one seller have their files' names beside it."""
    titles = Counter(quote.title for quote in quotes)
    return [
        quote if titles[quote.title] == 1 else replace(quote, title=f"{quote.title} ({quote.file.name})")
        for quote in quotes
    ]


def _rate(code: str, stated: Mapping[str, float], folders: Sequence[Path]) -> str:
    """'0.1488 US dollars, 2026-08-26 (source)', or what was stated."""
    if code in stated:
        return f"{stated[code]:g} US dollars, stated"
    known = load_currencies(folders)[code]
    return f"{known.usd:g} US dollars, {known.as_of or 'undated'} ({known.source})"


def _or_last(value: float | None) -> float:
    return float("inf") if value is None else value


def _constant(book: RuleBook, told: Mapping[str, Quantity], name: str) -> str:
    """'0.11 USD/kWh (source)', as the rule book writes it, or what was stated."""
    if name in told:
        return f"{told[name].source}, stated"
    constant = book.constants[name]
    value, unit = constant.value, constant.unit
    if unit == "1/year":
        return f"{value * YEAR_S:.3g} a year ({constant.source})"
    if unit == "USD/kW/month":
        return f"{value * 1000 * YEAR_S / 12:.4g} {unit} ({constant.source})"
    return f"{show(value, book.unit_of(name))} ({constant.source})"
