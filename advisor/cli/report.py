"""`hwadvisor report`: render advice.json again; no probing, no measuring."""

from __future__ import annotations

from pathlib import Path

import click

from advisor.cli.options import folder_for, formats_option, lang_option, redact_option
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
@redact_option
def report(advice: Path, output: Path | None, formats: tuple[str, ...], lang: str, redact: bool) -> None:
    """Render ADVICE (an advice.json, its folder, or a report) as HTML and PDF.

    A file whose calibration was cut short is rendered with what had been measured.
    """
    from advisor.data.embedded import load_any
    from advisor.render import render_report
    from advisor.render.pdf import no_garbage

    with no_garbage():
        loaded = load_any(advice)
        if redact:
            from advisor.redact import redact as take_out

            loaded = take_out(loaded)
        folder = folder_for(advice, output, "report")
        result = render_report(loaded, folder, formats=formats, lang=lang)
    tell_rendered(result, console(), console(stderr=True), asked=formats)
