"""`hwadvisor validate`: how right the rules are on published runs, or on records of one's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.options import json_flag, print_json, rules_option

if TYPE_CHECKING:
    from advisor.evidence.validate import Judged

_SHOWN = ("vendor", "family", "devices", "source")


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--leave-out",
    "way",
    type=click.Choice(["none", "group", "source", "publisher"]),
    default="none",
    show_default=True,
    help="What leaves constants and neighbours before each row is predicted: minutes instead of seconds.",
)
@click.option("--worst", "worst_count", type=click.IntRange(0, 1000), default=5, show_default=True)
@rules_option
@json_flag
def validate(
    files: tuple[Path, ...], way: str, worst_count: int, rules: tuple[Path, ...], as_json: bool
) -> None:
    """Predict published runs (FILE.jsonl …; default: the shipped ones) and print the errors.

    Each line of a file is one record: accelerator, num_accelerators, model, layers, hidden, seq_len,
    global_batch, precision and so on, with what was measured (step_time_s, tokens_per_s_per_device,
    peak_mem_gib, fits, total_time_h). What is wrong with a record is told as its refusal.
    """
    from advisor.app import load_knowledge
    from advisor.evidence.summary import summary_of, worst
    from advisor.evidence.validate import judge

    known = load_knowledge(rules)
    judged = judge(known.book, known.published, files, way=way, catalogue=known.catalogue)
    summary = summary_of(judged, way)
    if as_json:
        document = {"rows": [row.as_json() for row in judged], "summary": summary}
        print_json(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
        return
    for quantity, figures in summary["quantities"].items():
        _print_quantity(quantity, figures)
    _print_worst(worst(judged, worst_count))


def _print_quantity(quantity: str, figures: dict[str, Any]) -> None:
    from rich.table import Table

    from advisor.cli.screen import console

    table = Table(
        title=f"{quantity}: {figures['rows']} rows, {figures['refused']} refused", box=None, pad_edge=False,
        header_style="bold", title_justify="left", title_style="bold",
    )  # fmt: skip
    for heading in ("", "rows", "median", "90 % below", "signed", "in range", "range ±"):
        table.add_column(heading, justify="left" if not heading else "right", no_wrap=True)
    _add(table, "all", figures)
    for name in _SHOWN:
        for part, own in figures["by"][name].items():
            _add(table, f"{name}: {part}", own)
    console().print(table)
    if (mean := figures.get("mean_of_source_medians")) is not None:
        click.echo(f"mean over sources of their medians: {mean:.1%}")
    for reason, count in list(figures["reasons_refused"].items())[:8]:
        click.echo(f"  refused {count}: {reason}")
    click.echo()


def _add(table: Any, label: str, figures: dict[str, Any]) -> None:
    def percent(name: str, sign: str = "") -> str:
        value = figures[name]
        return "" if value is None else f"{value:{sign}.1%}"

    table.add_row(
        label, str(figures["rows"]), percent("median"), percent("p90"), percent("signed", "+"),
        percent("covered"), percent("half_width"),
    )  # fmt: skip


def _print_worst(rows: Sequence[Judged]) -> None:
    if rows:
        click.echo("Predicted worst:")
    for row in rows:
        click.echo(
            f"  {row.id}: {row.quantity} measured {row.measured:.4g}, "
            f"predicted {row.predicted:.4g} ({row.low:.4g} to {row.high:.4g})"
        )
