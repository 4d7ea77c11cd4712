"""`hwadvisor compare`: two machines, or one at two dates, side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from advisor.cli.language import form, show_ranged, spoken, told
from advisor.cli.options import formats_option, json_flag, lang_option, print_json, redact_option
from advisor.cli.screen import console
from advisor.cli.tell import tell_rendered

if TYPE_CHECKING:
    from advisor.compare import Comparison, Row
    from advisor.render.texts import Texts
    from advisor.schema import Advice, Quantity


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Also lines that show no difference.")
@redact_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write compare.html and compare.pdf there.",
)
@formats_option()
@lang_option
@json_flag
def compare(
    as_json: bool,
    first: Path,
    second: Path,
    everything: bool,
    redact: bool,
    output: Path | None,
    formats: tuple[str, ...],
    lang: str,
) -> None:
    """FIRST and SECOND (advice.json, its folder, or a report) side by side.

    Machines, figures and estimates; figures whose ranges overlap show no difference and are counted apart.
    """
    from advisor.compare import compare as side_by_side
    from advisor.data.embedded import load_any

    sides = (load_any(first), load_any(second))
    if redact:
        from advisor.redact import redact as take_out

        sides = (take_out(sides[0]), take_out(sides[1]))
        first, second = Path("first"), Path("second")  # names of files may be those of hosts and people
    compared = side_by_side(*sides, names_of(sides, (first, second)))
    out = console(stderr=as_json)
    if as_json:
        print_json(json.dumps(document(compared), indent=1, ensure_ascii=False) + "\n")
    else:
        tell(compared, everything)
    if output is not None:
        from advisor.data.files import make_folder
        from advisor.render.compare_page import render_comparison

        result = render_comparison(sides, compared, make_folder(output), formats=formats, lang=lang)
        tell_rendered(result, out, console(stderr=True), asked=formats)


def names_of(sides: tuple[Advice, Advice], paths: tuple[Path, Path]) -> tuple[str, str]:
    """What tells the sides apart: their hosts, else their dates, else their files."""
    hosts = [s.machine.host.hostname.value or "" if s.machine else "" for s in sides]
    dates = [s.created_at[:10] for s in sides]
    if all(hosts) and hosts[0] != hosts[1]:
        return hosts[0], hosts[1]
    if all(dates) and dates[0] != dates[1]:
        return dates[0], dates[1]
    if paths[0].name != paths[1].name:
        return paths[0].name, paths[1].name
    return "first", "second"


def document(compared: Comparison) -> dict[str, object]:
    """The comparison as JSON."""
    from advisor.schema import Quantity

    def cell(of: Quantity | str | None) -> object:
        return of.model_dump(mode="json", exclude={"trace"}) if isinstance(of, Quantity) else of

    rows = [
        {
            **{name: item for name, item in vars(row).items() if name != "of"},
            "a": cell(row.a),
            "b": cell(row.b),
            **({"params": row.of.params} if row.of is not None else {}),
        }
        for row in compared.rows
    ]
    return {"names": list(compared.names), "dates": list(compared.dates), "rows": rows}


def tell(compared: Comparison, everything: bool) -> None:
    """A table for a terminal."""
    from rich.table import Table
    from rich.text import Text

    from advisor.cli.text import plain
    from advisor.render.texts import full_texts

    out = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", *compared.names, "second to first"):
        table.add_column(Text(plain(told(heading))), overflow="fold")
    texts = full_texts(spoken())
    hidden = {"alike": 0, "within": 0}
    group = ""
    for row in compared.rows:
        if row.judged in hidden and not everything:
            hidden[row.judged] += 1
            continue
        if row.group != group:
            group = row.group
            table.add_row(Text(told(group), style="bold"))
        cells = (f"  {_label(row, texts)}", _cell(row.a), _cell(row.b), told(_ratio(row)))
        table.add_row(*(Text(plain(text)) for text in cells))
    if table.row_count:
        out.print(table)
    if not compared.shared:
        out.print(
            told("Nothing in the two can be compared: no measurement, job or machine is in both files.")
        )
    elif not table.row_count:
        out.print(told("No line differs by more than the ranges show."))
    if hidden["within"]:
        out.print(form("Lines without a difference that their ranges show: {count}.", count=hidden["within"]))
    if hidden["alike"]:
        out.print(form("Lines that are alike: {count}.", count=hidden["alike"]))
    if any(hidden.values()):
        out.print(told("--all shows these too."))


def _label(row: Row, texts: Texts) -> str:
    """What the line is of, as the page has it: a measurement by what was done and how large."""
    if row.of is None:
        return told(row.label)
    from advisor.render.compare_page import measured

    return measured(row.of, texts).striptags()


def _cell(cell: Quantity | str | None) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return told(cell[:60])
    figure, spread = show_ranged(cell.value, cell.low, cell.high, cell.unit)
    if cell.value is None:
        return spread or told("unknown")
    return form("{figure} ({range})", figure=figure, range=spread) if spread else figure


_SAME = {"alike": "alike", "within": "ranges overlap"}


def _ratio(row: Row) -> str:
    if row.judged in _SAME:
        return _SAME[row.judged]
    if row.ratio is None:
        return {"other": "differs"}.get(row.judged, row.judged)
    return f"x {row.ratio:.3g}" + (f" {row.judged}" if row.judged in ("better", "worse") else "")
