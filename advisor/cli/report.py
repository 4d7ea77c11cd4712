"""`hwadvisor report`: render advice.json again; no probing, no measuring."""

from __future__ import annotations

from pathlib import Path

import click

from advisor.cli.options import formats_option, lang_option
from advisor.cli.screen import console
from advisor.cli.tell import tell_rendered


@click.command()
@click.argument("advice", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write into; the advice's own folder by default.",
)
@formats_option()
@lang_option
def report(advice: Path, output: Path | None, formats: tuple[str, ...], lang: str) -> None:
    """Render ADVICE (an advice.json or its folder) as HTML and PDF.

    A file whose calibration was cut short is rendered with what had been measured.
    """
    from advisor.data.advice import load_advice
    from advisor.data.files import make_folder
    from advisor.render import render_report

    loaded = load_advice(advice)
    folder = make_folder(output or (advice if advice.is_dir() else advice.parent))
    result = render_report(loaded, folder, formats=formats, lang=lang)
    tell_rendered(result, console(), console(stderr=True), asked=formats)
