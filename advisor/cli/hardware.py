"""`hwadvisor hardware`: accelerators, systems and offers that are known; own files checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.options import json_flag, rules_option
from advisor.cli.refresh import refresh

if TYPE_CHECKING:
    from advisor.app_knowledge import Knowledge
    from advisor.data.accelerator import Accelerator
    from advisor.data.systems import System
    from advisor.schema import AcceleratorSummary

_COLUMNS = {
    "Memory": "memory_bytes",
    "Bandwidth": "memory_bandwidth_bytes_per_s",
    "bf16": "matmul_bf16_flops",
    "fp16": "matmul_fp16_flops",
    "Power": "power_w",
    "Rent": "rent_usd_per_h",
}


@click.group(invoke_without_command=True)
@rules_option
@json_flag
@click.pass_context
def hardware(context: click.Context, rules: tuple[Path, ...], as_json: bool) -> None:
    """The accelerators in the catalogue: memory, bandwidth, dense 16-bit peak, cheapest dated rent."""
    if context.invoked_subcommand is None:
        _list_accelerators(rules, as_json)


hardware.add_command(refresh)


@hardware.command("list")
@click.option("--systems", is_flag=True, help="What is bought around accelerators, instead of accelerators.")
@click.option("--offers", is_flag=True, help="What clouds ask for, with dates, instead.")
@rules_option
@json_flag
def list_(systems: bool, offers: bool, rules: tuple[Path, ...], as_json: bool) -> None:
    """Accelerators; with --systems what is bought around them; with --offers what clouds ask for."""
    if systems and offers:
        raise click.UsageError("--systems and --offers exclude each other.")
    if systems:
        _list_systems(rules, as_json)
    elif offers:
        _list_offers(rules, as_json)
    else:
        _list_accelerators(rules, as_json)


@hardware.command()
@click.argument("name")
@rules_option
@json_flag
def show(name: str, rules: tuple[Path, ...], as_json: bool) -> None:
    """One accelerator or system: every figure with its source, or why it is not known."""
    from advisor.app import load_knowledge
    from advisor.data.catalogue import figures_of
    from advisor.data.processors import load_processors
    from advisor.data.systems import find_system, load_systems, names_of
    from advisor.errors import UserError, did_you_mean

    knowledge = load_knowledge(rules)
    key = name.strip().casefold()
    entry = knowledge.catalogue.accelerators.get(key) or load_processors().get(key)
    if entry is None:
        systems = load_systems(knowledge.folders, knowledge.catalogue)
        found = find_system(systems, name)
        if found is None:
            near = did_you_mean(name, [*knowledge.catalogue.accelerators, *names_of(systems)])
            raise UserError(f"unknown hardware {name[:80]!r}", near or "`hwadvisor hardware list` has them.")
        _show_system(found, as_json)
        return
    told = figures_of(entry)
    if as_json:
        click.echo(json.dumps(told.model_dump(mode="json"), indent=1))
        return
    _show_accelerator(entry, told)


@hardware.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def check(folder: Path) -> None:
    """Everything that is wrong with the accelerators, systems, links and offers in FOLDER."""
    from advisor.cli.screen import plain
    from advisor.data.files import shipped
    from advisor.errors import AdvisorError, UserError

    problems: list[AdvisorError] = []
    counts: dict[str, int] = {}
    for part, read in _readers([shipped("rules"), folder]):
        for path in sorted((folder / part).glob("*.toml")):
            counts[part] = counts.get(part, 0) + 1
            try:
                read(path)
            except AdvisorError as error:
                problems.append(error)
    if not counts:
        raise UserError(
            f"{folder} holds no accelerators/, systems/, links/ or offers/*.toml",
            "See docs/systems.md for what such a file holds.",
        )
    for problem in problems:
        click.echo(plain(f"{problem.message}. {problem.hint}".strip()), err=True)
    told = ", ".join(f"{number} in {part}/" for part, number in counts.items())
    if problems:
        raise UserError(f"{len(problems)} of the files are wrong ({told})", "Mend what is listed above.")
    click.echo(f"Nothing wrong: {told}.")


def _readers(folders: Sequence[Path]) -> list[tuple[str, Callable[[Path], object]]]:
    """For each part of the catalogue what reads one file of it, all errors of a file one at a time."""
    from advisor.data.catalogue import load_catalogue
    from advisor.data.files import read_toml
    from advisor.data.offers import load_rates, read_offers
    from advisor.data.read_catalogue import read_accelerator
    from advisor.data.systems import load_links, read_links, read_system
    from advisor.errors import AdvisorError

    try:
        catalogue = load_catalogue(folders)
    except AdvisorError:  # told of by its own file
        catalogue = load_catalogue(folders[:1])
    try:
        links = load_links(folders)
    except AdvisorError:
        links = load_links(folders[:1])
    try:
        rates = load_rates(folders)
    except AdvisorError:
        rates = load_rates(folders[:1])

    def offers(path: Path) -> object:
        if path.name == "currencies.toml":
            return load_rates([path.parent.parent])
        return read_offers(path, read_toml(path), frozenset(), catalogue.accelerators, rates)

    return [
        ("accelerators", lambda path: read_accelerator(path, read_toml(path), frozenset())),
        ("links", lambda path: read_links(path, read_toml(path))),
        ("systems", lambda path: read_system(path, read_toml(path), links, catalogue)),
        ("offers", offers),
    ]


def _list_accelerators(rules: tuple[Path, ...], as_json: bool) -> None:
    from advisor.app import load_knowledge
    from advisor.data.catalogue import figures_of
    from advisor.data.processors import load_processors

    known = load_knowledge(rules).catalogue.accelerators
    processors = load_processors()  # `estimate --hardware` takes them too
    entries = [figures_of(each[name]) for each in (known, processors) for name in sorted(each)]
    if as_json:
        click.echo(json.dumps([entry.model_dump(mode="json") for entry in entries], indent=1))
        return
    from advisor.units import show as shown

    rows = [
        [
            entry.id,
            *[shown(c.value, c.unit) if c else "unknown" for c in map(entry.figures.get, _COLUMNS.values())],
        ]
        for entry in entries
    ]
    _table(("Id", *_COLUMNS), rows)


def _list_systems(rules: tuple[Path, ...], as_json: bool) -> None:
    known = _systems(rules)[1]
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in known.values()], indent=1))
        return
    rows = []
    for key in sorted(known):
        one = known[key]
        what = f"{one.accelerators} x {one.accelerator}" if one.accelerator else one.cpu
        rows.append([key, what, *(_cell(one, name) for name in ("network", "power", "rack_units", "price"))])
    _table(("Id", "Holds", "Network", "Power", "Units", "Price"), rows)


def _list_offers(rules: tuple[Path, ...], as_json: bool) -> None:
    import datetime

    from advisor.app import load_knowledge
    from advisor.cli.language import show as shown
    from advisor.cli.language import told as said
    from advisor.units import HOUR_S

    known = load_knowledge(rules).catalogue.accelerators
    today = datetime.datetime.now(datetime.UTC).date()
    found = [(key, price) for key in sorted(known) for price in known[key].prices]
    if as_json:
        fields = ("provider", "instance", "kind", "region", "term", "source")
        told = [
            {"accelerator": key, **{name: getattr(price, name) for name in fields},
             "usd_per_hour": price.usd_per_s * HOUR_S,
             "as_of": str(price.as_of or ""), "old": price.is_old(today), "used": price.known_cloud}
            for key, price in found
        ]  # fmt: skip
        click.echo(json.dumps(told, indent=1))
        return
    rows = [
        [key, f"{p.provider} {p.instance}", p.region or "-",
         said(f"offer {p.kind}").removeprefix("offer ") + (f" {p.term}" if p.term else ""),
         shown(p.usd_per_s * HOUR_S, "USD/h"),
         f"{p.as_of or said('undated')}{' *' if p.is_old(today) else ''}"]
        for key, p in found
    ]  # fmt: skip
    _table(("Accelerator", "Offer", "Region", "Kind", "Price", "As of"), rows)
    click.echo(said("* older than 180 days"))


def _systems(rules: tuple[Path, ...]) -> tuple[Knowledge, dict[str, System]]:
    from advisor.app import load_knowledge
    from advisor.data.systems import load_systems

    knowledge = load_knowledge(rules)
    return knowledge, load_systems(knowledge.folders, knowledge.catalogue)


def _cell(one: System, figure: str) -> str:
    """A figure of a system as text; 'unknown' where it is not known."""
    from advisor.cli.language import form, told
    from advisor.cli.language import show as shown

    if figure == "network":
        return told("unknown") if one.network is None else f"{one.ports} x {told(one.network.title)}"
    if figure == "price":
        if one.price is None:
            return told("unknown")
        low, high = f"{one.price.low:,.0f}", f"{one.price.high:,.0f}"
        span = low if low == high else form("{low} to {high}", low=low, high=high)
        return f"{span} {one.price.currency}, {one.price.as_of or told('undated')}"
    if figure == "cpu":
        return one.cpu or told("unknown")
    value, unit = {
        "power": (one.power_w, "W"), "rack_units": (one.rack_units, ""), "ram": (one.ram_bytes, "B"),
    }[figure]  # fmt: skip
    if value is None:
        return told("unknown")
    return shown(value, unit) if unit else f"{value:g}"


def _show_accelerator(entry: Accelerator, figures: AcceleratorSummary) -> None:
    from advisor.cli.language import form, quoted, told
    from advisor.cli.language import show as shown
    from advisor.cli.screen import plain
    from advisor.data.export import export_note

    def line(name: str, detail: str) -> None:
        click.echo(plain("  " + form("{name}: {detail}", name=name, detail=detail)))

    click.echo(plain(f"{entry.title} ({entry.id})"))
    for key, figure in figures.figures.items():
        name = told(f"figure {key}").removeprefix("figure ")
        line(name, f"{shown(figure.value, figure.unit)} [{quoted(figure.source)}]")
    for price in entry.prices:
        kind = told(f"offer {price.kind}").removeprefix("offer ")
        where = f" {price.region}" if price.region else ""
        each = shown(price.usd_per_s * 3600, "USD/h")
        line(f"{kind} {price.provider} {price.instance}{where}", f"{each}, {price.as_of or told('undated')}")
    for note in filter(None, (export_note(entry), entry.notes)):
        click.echo(plain(f"  {told(note)}"))


def _show_system(one: System, as_json: bool) -> None:
    from advisor.cli.language import form, quoted, told
    from advisor.cli.screen import plain
    from advisor.data.systems import FIGURES

    if as_json:
        click.echo(json.dumps(_as_json(one), indent=1))
        return

    def line(name: str, detail: str) -> None:
        label = told(f"system {name.replace('_', ' ')}").removeprefix("system ")
        click.echo(plain("  " + form("{name}: {detail}", name=label, detail=detail)))

    title, kind = f"{one.title} ({one.id})", told(f"kind {one.kind}").removeprefix("kind ")
    click.echo(plain(form("{first}, {second}", first=title, second=kind)))
    if one.accelerator:
        line("accelerators", f"{one.accelerators} x {one.accelerator}")
    for name in FIGURES:
        why = one.unknown.get(name)
        if why:
            line(name, form("not known: {why}", why=told(why)))
        else:
            line(name, f"{_cell(one, name)} [{quoted(one.source_of(name))}]")
    if one.slots:
        slots = ", ".join(f"{told(key)} {value:g}" for key, value in one.slots.items())
        line("PCIe slots", f"{slots} [{quoted(one.source_of('slots'))}]")
    for name in ("power_supply", "cooling", "notes"):
        if value := getattr(one, name):
            line(name, told(value))


def _as_json(one: System) -> dict[str, Any]:
    """A system as plain data."""
    price = one.price
    return {
        "id": one.id, "title": one.title, "kind": one.kind, "aliases": list(one.aliases),
        "accelerator": one.accelerator or None, "accelerators": one.accelerators, "cpu": one.cpu or None,
        "cpu_cores": one.cpu_cores, "ram_bytes": one.ram_bytes, "power_w": one.power_w,
        "rack_units": one.rack_units, "cooling": one.cooling or None,
        "power_supply": one.power_supply or None,
        "slots": dict(one.slots), "network_bytes_per_s": one.network_bytes_per_s,
        "network": None if one.network is None else one.network.title,
        "price": None if price is None else {
            "low": price.low, "high": price.high, "currency": price.currency, "as_of": str(price.as_of or ""),
        },
        "unknown": dict(one.unknown), "sources": {name: one.source_of(name) for name in one.cites},
    }  # fmt: skip


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table

    from advisor.cli.language import told
    from advisor.cli.screen import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    for at, heading in enumerate(headings):
        table.add_column(told(heading), no_wrap=at == 0, justify="left" if at < 2 else "right")
    for row in rows:
        table.add_row(*row)
    console().print(table)
