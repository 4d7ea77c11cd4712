"""`hwadvisor models` and `hwadvisor hardware`: what the shipped and own data know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from advisor.cli.options import json_flag, rules_option
from advisor.cli.trace import tell_trace, trace_options


@click.command()
@click.argument("name", required=False)
@trace_options
@click.option("--precision", metavar="NAME", help="Of a trace: fp32, bf16 or bf16_mixed (default).")
@click.option("--seq-len", type=click.IntRange(1), help="Of a trace of a config.json: tokens per sequence.")
@rules_option
@json_flag
def models(name: str | None, rules: tuple[Path, ...], as_json: bool, **flags: Any) -> None:
    """The models that --model knows; of code (file.py:factory, which is RUN) its traced operators.

    A config.json is traced with --trace.
    """
    from advisor.app import load_knowledge

    if name is not None:
        tell_trace(name, flags, as_json)
        return
    known = load_knowledge(rules).catalogue.models
    if as_json:
        click.echo(json.dumps([model.model_dump(mode="json") for model in known.values()], indent=1))
        return
    from rich.table import Table

    from advisor.cli.screen import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Id", "Model", "Family"):
        table.add_column(heading, no_wrap=heading == "Id")
    for id_ in sorted(known):
        table.add_row(id_, known[id_].title, known[id_].family)
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

    from advisor.cli.language import show
    from advisor.cli.screen import console

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
