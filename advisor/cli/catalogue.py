"""`hwadvisor models`: what the shipped and own data know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from advisor.cli.language import told
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
    from advisor.app_knowledge import params_of

    if name is not None:
        tell_trace(name, flags, as_json)
        return
    knowledge = load_knowledge(rules)
    known, sizes = knowledge.catalogue.models, params_of(knowledge)
    if as_json:
        dumped = [{**one.model_dump(mode="json"), "params": sizes[id_]} for id_, one in known.items()]
        click.echo(json.dumps(dumped, indent=1))
        return
    from rich.table import Table

    from advisor.cli.language import show
    from advisor.cli.screen import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Id", "Parameters", "Model", "Family"):
        plain = heading in ("Id", "Parameters")
        table.add_column(heading, no_wrap=plain, justify="right" if heading == "Parameters" else "left")
    for id_ in sorted(known):
        size = sizes[id_]
        number = "?" if size is None else show(size, "1")
        table.add_row(id_, number, known[id_].title, _family(known[id_].family))
    console().print(table)


def _family(name: str) -> str:
    """A family in words of the language in use: "stated" alone would be told as what a user stated."""
    return told(f"family {name}").removeprefix("family ")
