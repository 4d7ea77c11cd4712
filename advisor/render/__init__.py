"""Advice to report.html and report.pdf. Computes nothing: it draws what the advice holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import MissingLibrary, UserError, did_you_mean
from advisor.render.clean import clean

if TYPE_CHECKING:
    from datetime import datetime

    from advisor.render.pdf import Data
    from advisor.render.plain import Block
    from advisor.render.texts import Texts
    from advisor.schema import Advice, Notice

__all__ = ["FORMATS", "RenderResult", "check_pdf_support", "explain_why", "render_report"]

FORMATS = ("html", "pdf")


@dataclass(frozen=True)
class RenderResult:
    """What was written, what was not (format, reason, hint), and remarks on what was."""

    written: tuple[Path, ...] = ()
    skipped: tuple[tuple[str, str, str], ...] = ()
    notices: tuple[Notice, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)  # wall time of charts, html, pdf


def render_report(
    advice: Advice, folder: Path, *, formats: Iterable[str] = FORMATS, lang: str = "en"
) -> RenderResult:
    """Write report.html and report.pdf into `folder`, each whole or not at all.

    A PDF that cannot be made (no Pango, no font) is skipped with a reason and the command that mends it.
    Raises UserError for an unknown format or language and for a folder that cannot be written.
    """
    from advisor.data.advice import stored_text
    from advisor.data.files import write_atomic
    from advisor.render import dated
    from advisor.render.attach_fleet import fleet_files
    from advisor.render.carried import carried
    from advisor.render.html import charts, render_html
    from advisor.render.texts import full_texts
    from advisor.schema import Notice

    asked = _checked(formats)
    texts = full_texts(lang)
    clock = _Clock()
    skipped: list[tuple[str, str, str]] = []
    data: tuple[Data, ...] = ()
    drawing = charts(advice, texts, screen="html" in asked)
    stored = stored_text(advice) if asked else ""
    if "pdf" in asked:
        try:
            data = _attached(advice, stored, texts)
        except MissingLibrary as error:
            skipped.append(("pdf", error.message, error.hint))
    drawn = drawing()
    clock.lap("charts")
    notices = [
        Notice(code="chart_failed", message=f"The chart '{name}' was left out: {chart.failure}.")
        for name, chart in drawn.items()
        if chart.failure
    ]
    written: list[Path] = []
    if "html" in asked:
        tables = {name: text for name, (_, text) in fleet_files(advice).items()}
        carries = carried({"advice.json": stored, **tables}, "report.html", texts)
        write_atomic(folder / "report.html", render_html(advice, texts, drawn, carries=carries))
        written.append(folder / "report.html")
        clock.lap("html")
    if data:
        try:
            page = render_html(advice, texts, drawn, paged=True)
            pdf, remarks = printed(page, lang, data, dated.created(advice))
        except MissingLibrary as error:
            skipped.append(("pdf", error.message, error.hint))
        else:
            notices += remarks
            write_atomic(folder / "report.pdf", pdf)
            written.append(folder / "report.pdf")
            clock.lap("pdf")
    notices += _untranslated(texts)
    return RenderResult(tuple(written), tuple(skipped), tuple(notices), clock.laps)


def explain_why(advice: Advice, lang: str = "en") -> tuple[list[Block], str, list[Notice]]:
    """The report's chapter "Why a GPU" as blocks for a terminal, what its letters mean, and remarks."""
    from advisor.render.html import render_section
    from advisor.render.marks import LETTERS
    from advisor.render.plain import blocks
    from advisor.render.texts import load_texts

    texts = load_texts(lang)
    html, marks = render_section(advice, texts, "40-why-gpu.html")
    used = [kind for kind in LETTERS if f"k-{kind.value}" in html]
    legend = "   ".join(f"[{LETTERS[kind]}] {marks.kind_name(kind).unescape()}" for kind in used)
    return blocks(html), legend, _untranslated(texts)


def _untranslated(texts: Texts) -> list[Notice]:
    """What stands in English for want of a translation; nothing in a complete language."""
    from advisor.schema import Notice

    left = [clean(text, 60) for text in texts.left]
    if not left:
        return []
    shown = " | ".join(left[:3])
    what = "1 text has" if len(left) == 1 else f"{len(left)} texts have"
    message = f"{what} no translation into {texts.name} and stand in English: {shown}"
    return [Notice(code="untranslated", message=message + (" | …" if len(left) > 3 else ""))]


def _attached(advice: Advice, stored: str, t: Texts) -> tuple[Data, ...]:
    """What a report's PDF carries. Raises MissingLibrary where no PDF can be made."""
    from advisor.render import pdf
    from advisor.render.attach import candidates_csv
    from advisor.render.attach_fleet import fleet_files

    pdf.load_weasyprint()
    tables = fleet_files(advice) or {
        "candidates.csv": ("Every estimate and option, one a line", candidates_csv(advice))
    }
    return (
        pdf.Data("advice.json", t.sentences.tell("The figures of this report"), stored),
        *(pdf.Data(name, t.sentences.tell(about), text) for name, (about, text) in tables.items()),
    )


def printed(html: str, lang: str, data: Iterable[Data], when: datetime | None) -> tuple[bytes, list[Notice]]:
    """A document as PDF with its data attached, and remarks. Raises MissingLibrary where none can be made."""
    from advisor.render import pdf
    from advisor.render.texts import own_text
    from advisor.schema import Notice

    pdf.load_weasyprint()  # before the work of looking at fonts
    page = pdf.printable(html, own_text(lang))
    content, complaints = pdf.write_pdf(page.html, data, when)
    remarks = [
        Notice(code="pdf_incomplete", message=f"Something was left out of the PDF: {complaint}.")
        for complaint in complaints
    ]
    if page.replaced:
        message = f"No font here has {len(page.replaced)} of the characters; the PDF shows their codes."
        hint = "apt install fonts-noto-core fonts-noto-cjk"
        remarks.append(Notice(code="glyphs_missing", message=message, hint=hint))
    return content, remarks


def write_pages(  # noqa: PLR0913, PLR0917 - what a document is, in the order in which it is made
    name: str,
    folder: Path,
    formats: Iterable[str],
    lang: str,
    page: Callable[[bool], str],
    data: Callable[[], Iterable[Data]],
    when: datetime | None,
) -> RenderResult:
    """Write a document of its own (request, comparison) as NAME.html and NAME.pdf.

    `page(paged)` gives its HTML, `data()` what the PDF carries.
    """
    from advisor.data.files import write_atomic

    asked = _checked(formats)
    written: list[Path] = []
    skipped: list[tuple[str, str, str]] = []
    notices: list[Notice] = []
    if "html" in asked:
        write_atomic(folder / f"{name}.html", page(False))
        written.append(folder / f"{name}.html")
    if "pdf" in asked:
        try:
            pdf, notices = printed(page(True), lang, data(), when)
        except MissingLibrary as error:
            skipped.append(("pdf", error.message, error.hint))
        else:
            write_atomic(folder / f"{name}.pdf", pdf)
            written.append(folder / f"{name}.pdf")
    return RenderResult(tuple(written), tuple(skipped), tuple(notices), {})


def _checked(formats: Iterable[str]) -> tuple[str, ...]:
    asked = (formats,) if isinstance(formats, str) else tuple(formats)
    for name in asked:
        if name not in FORMATS:
            raise UserError(
                f"there is no report in the format {name!r}",
                did_you_mean(name, FORMATS) or f"There is: {', '.join(FORMATS)}.",
            )
    return asked


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._last = now - self._last, now


def check_pdf_support() -> list[tuple[str, bool, str, str]]:
    """What PDF reports need, for `hwadvisor doctor`: (name, ok, detail, hint)."""
    from advisor.render.pdf import check

    return check()
