"""`hwadvisor why`: why training wants a GPU, told with this machine's own figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from advisor.cli.options import lang_option
from advisor.cli.screen import console
from advisor.cli.text import folded

if TYPE_CHECKING:
    from rich.console import Console

    from advisor.render.plain import Block
    from advisor.schema import Advice

WIDTH = 100  # longer lines are hard to read, however wide the terminal is
_STYLES = {"h2": "bold underline", "h3": "bold", "h4": "italic"}


@click.command()
@click.argument("advice", type=click.Path(path_type=Path), required=False)
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Folder whose newest report is told from when no ADVICE is given.",
)
@lang_option
def why(advice: Path | None, reports: Path, lang: str) -> None:
    """Why training wants a GPU and not only a CPU and a disk, with this machine's own figures.

    ADVICE is an advice.json or its folder. Without it the newest report is used, and without one what
    probing tells, beside figures of the catalogue; each figure says where it comes from.
    """
    from advisor.render import explain_why

    found, source = _told_from(advice, reports)
    blocks, legend, missing = explain_why(found, lang)
    out = console()
    for block in blocks:
        _print(block, out)
    out.print("\n".join(wrapped(legend, _width(out))), style="dim")
    if source is not None:
        out.print(str(source), style="dim", soft_wrap=True)
    for notice in missing:
        console(stderr=True).print(notice.message, soft_wrap=True)


def _told_from(given: Path | None, reports: Path) -> tuple[Advice, Path | None]:
    """The advice given, else the newest that can be read, else one from probing and the catalogue."""
    from advisor.data.advice import load_advice
    from advisor.errors import AdvisorError

    if given is not None:
        return load_advice(given), given
    for path in _newest_first(reports):
        try:
            return load_advice(path), path
        except AdvisorError:  # of an older version, or cut short: an older report may do
            continue
    from advisor.app import advice_to_explain

    return advice_to_explain(), None


def _newest_first(reports: Path) -> list[Path]:
    """advice.json of every report in a folder."""
    try:
        found = [(path.stat().st_mtime, path) for path in reports.glob("*/advice.json")]
    except OSError:  # no such folder, or not ours to read: then nothing has been measured here
        return []
    return [path for _, path in sorted(found, reverse=True)]


def _width(out: Console) -> int:
    return min(WIDTH, out.width)


def _print(block: Block, out: Console) -> None:
    from rich.text import Text

    width = _width(out)
    if block.kind == "table":
        out.print(_table(block), width=width)
        out.print()
    elif block.kind == "li":
        first, *rest = wrapped(block.text, width - 4)
        out.print(Text("\n".join([f"  • {first}", *(f"    {line}" for line in rest)])))
    elif block.kind in _STYLES:
        out.print()
        out.print(Text("\n".join(wrapped(block.text, width)), style=_STYLES[block.kind]))
    else:
        out.print(Text("\n".join([*wrapped(block.text, width), ""])))


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` cells: broken at blanks, and between Chinese characters, of two cells each,
    but not before the marks that end a clause, nor after one that opens it."""
    return folded(text, width).split("\n")


def _table(block: Block) -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = block.rows
    table = Table(box=box.SIMPLE_HEAD, show_header=block.head, pad_edge=False)
    columns = max(len(row) for row in rows)
    heads = rows[0] if block.head else [""] * columns
    for name in [*heads, *[""] * (columns - len(heads))]:
        table.add_column(Text(name), overflow="fold")
    for row in rows[1:] if block.head else rows:
        table.add_row(*(Text(cell) for cell in [*row, *[""] * (columns - len(row))]))
    return table
