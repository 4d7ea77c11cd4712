"""`hwadvisor models` and `hwadvisor hardware`: what the shipped and own data know."""

from __future__ import annotations

import json
from pathlib import Path

import click

from advisor.cli.options import json_flag, rules_option


@click.command()
@rules_option
@json_flag
def models(rules: tuple[Path, ...], as_json: bool) -> None:
    """The models that --model knows, with their family and source."""
    from advisor.app import load_knowledge

    known = load_knowledge(rules).catalogue.models
    if as_json:
        click.echo(json.dumps([model.model_dump(mode="json") for model in known.values()], indent=1))
        return
    from rich.table import Table

    from advisor.cli.screen import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Id", "Model", "Family"):
        table.add_column(heading, no_wrap=heading == "Id")
    for name in sorted(known):
        table.add_row(name, known[name].title, known[name].family)
    console().print(table)


@click.command()
@rules_option
@json_flag
def hardware(rules: tuple[Path, ...], as_json: bool) -> None:
    """The accelerators in the catalogue: memory, bandwidth, dense 16-bit peak, cheapest dated rent."""
    from advisor.app import load_knowledge
    from advisor.data.catalogue import figures_of

    known = load_knowledge(rules).catalogue.accelerators
    entries = [figures_of(known[name]) for name in sorted(known)]
    if as_json:
        click.echo(json.dumps([entry.model_dump(mode="json") for entry in entries], indent=1))
        return
    from rich.table import Table

    from advisor.cli.screen import console
    from advisor.units import show

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Id", no_wrap=True)
    columns = {
        "Memory": "memory_bytes",
        "Bandwidth": "memory_bandwidth_bytes_per_s",
        "bf16": "matmul_bf16_flops",
        "fp16": "matmul_fp16_flops",
        "Power": "power_w",
        "Rent": "rent_usd_per_h",
    }
    for heading in columns:
        table.add_column(heading, justify="right")
    for entry in entries:
        cells = [entry.figures.get(key) for key in columns.values()]
        table.add_row(entry.id, *[show(c.value, c.unit) if c else "unknown" for c in cells])
    console().print(table)
