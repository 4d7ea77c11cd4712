"""Advice to one self-contained HTML text: Jinja templates, autoescape always on, nothing fetched.

The same templates give the PDF's HTML (`paged=True`): shorter lists, no folding parts.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from advisor.data.files import shipped
from advisor.render import (
    answers,
    behind,
    choice,
    dated,
    describe,
    figures,
    first,
    fleet,
    made,
    parts,
    select,
    steps,
    summary,
    todo,
    why,
)
from advisor.render.charts import Chart, begin
from advisor.render.clean import clean, slug
from advisor.render.fonts import CHINESE, FAMILY, MARKS, PLAIN, chinese_css, font_face_css
from advisor.render.marks import Marks, foreign
from advisor.render.pages import generator
from advisor.render.texts import Texts
from advisor.schema import Advice

CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "base-uri 'none'; form-action 'none'"  # which default-src does not cover
)

CATALOGUE_ROWS_PAGED = 5  # the best choices; the rest is in the attached files
CATALOGUE_ROWS_SCREEN = 25


@dataclass
class Section:
    """A section of the report, as the table of contents lists it."""

    id: str
    title: Markup
    html: Markup = field(default_factory=Markup)


def charts(advice: Advice, t: Texts, *, screen: bool = True) -> Callable[[], dict[str, Chart]]:
    """All charts of a report, drawn once for both formats; without `screen` those of the PDF.

    Drawing begins now and goes on while templates are compiled; the charts are there when asked for.
    """
    drawn = begin(advice, t, screen=screen)
    environment = _environment()
    for name in ("report.html", *(f"sections/{path.name}" for path in _chapters(advice))):
        environment.get_template(name)
    return drawn


def render_html(
    advice: Advice,
    t: Texts,
    drawn: dict[str, Chart],
    *,
    paged: bool = False,
    carries: Markup = Markup(),  # noqa: B008 - cannot change
) -> str:
    """The whole document as text; the same text for the same advice and version.

    `carries` is the line with its data (see `carried`); on paper the data is attached.
    """
    everything, t = t.left, replace(t, left={})  # each document lists what it left in English itself
    marks = Marks(advice, t, traces_shown=steps.traces(advice, paged=paged), numbered=paged)
    sections: list[Section] = []
    environment = _environment()
    context = _context(advice, marks, drawn, sections, paged=paged)
    for path in _chapters(advice):
        html = Markup(environment.get_template(f"sections/{path.name}").render(context))  # noqa: S704 - escaped there
        if sections:
            sections[-1].html += html
    script = "" if paged else _script()
    context |= {"sections": sections, "script": Markup(script)}  # noqa: S704 - our own file
    page = render_page("report.html", context, t, script, carries=carries)
    everything.update(t.left)
    return page


def render_page(
    name: str,
    context: dict[str, Any],
    t: Texts,
    script: str = "",
    *,
    carries: Markup = Markup(),  # noqa: B008 - cannot change
) -> str:
    """A whole document of one template, with the style sheet, the glyphs it needs and its data.

    The policy allows `script`, by its hash, and no other.
    """
    made_by = generator(paged=context["paged"] is True)
    policy = f"{CSP}; script-src 'sha256-{_sha256(script)}'" if script else CSP
    page = (
        _environment()
        .get_template(name)
        .render(
            context, style=_style(t), csp=policy, lang=t.tag or t.code, generator=made_by, carries=carries
        )
    )
    return _with_glyphs(re.sub(r"\n\s*\n+", "\n", page), t)


def page_context(advice: Advice, t: Texts, *, paged: bool) -> tuple[dict[str, Any], Marks]:
    """What a document of its own sees: that of a section, without charts and traces."""
    marks = Marks(advice, t, traces_shown=frozenset())
    return _context(advice, marks, {}, [], paged=paged), marks


def _with_glyphs(page: str, t: Texts) -> str:
    """The page with the faces of the Chinese characters in it, whoever wrote them: the language or a host."""
    return page.replace(_MORE_FACES, chinese_css(frozenset(page), own=t.code == "zh"), 1)


def render_section(advice: Advice, t: Texts, name: str) -> tuple[str, Marks]:
    """One section alone, without charts, and the marks that its figures bear."""
    marks = Marks(advice, t, traces_shown=frozenset())
    template = _environment().get_template(f"sections/{name}")
    return template.render(_context(advice, marks, {}, [], paged=True)), marks


def section_files() -> list[Path]:
    """The section templates in the order of their numbers."""
    return sorted((shipped("templates") / "sections").glob("[0-9][0-9]-*.html"))


_OF_MACHINE = frozenset({"20-machine", "30-calibration", "40-why-gpu", "50-workloads", "60-catalogue"})
"""Chapters on this machine, which are empty in an answer about others."""


def _chapters(advice: Advice) -> list[Path]:
    """The sections that may have something to say: compiling one takes as long as filling ten."""
    empty = _OF_MACHINE if choice.without_machine(advice) else frozenset()
    return [path for path in section_files() if path.stem not in empty]


@lru_cache(maxsize=1)
def _environment() -> Any:
    """The templates, compiled once for a process."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from advisor.render.compiled import Compiled

    return Environment(
        bytecode_cache=Compiled(),
        loader=FileSystemLoader(shipped("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
        auto_reload=False,
    )


def _context(
    advice: Advice, marks: Marks, drawn: dict[str, Chart], sections: list[Section], *, paged: bool
) -> dict[str, Any]:
    """What every template sees."""
    t = marks.t

    def section(key: str, title: Markup) -> Markup:
        sections.append(Section(slug("sec", key), title))
        return Markup('<h2 id="{}">{}</h2>').format(sections[-1].id, title)

    return {
        "advice": advice,
        "machine": advice.machine,
        "calibration": advice.calibration,
        "t": t,
        "marks": marks,
        "fact": marks.fact,
        "quantity": marks.quantity,
        "measured": marks.measured,
        "mark": marks.mark,
        "unknown": marks.unknown,
        "value": marks.value,
        "foreign": foreign,
        "number": t.number,
        "said": marks.said,
        "slug": slug,
        "clean": clean,
        "chart": lambda name: _figure(drawn.get(name), t, paged=paged),
        "section": section,
        "answers": answers,
        "behind": behind,
        "choice": choice,
        "dated": dated,
        "figures": figures,
        "first": first,
        "fleets": fleet,
        "select": select,
        "steps": steps,
        "describe": describe,
        "made": made,
        "parts": parts,
        "summary": summary,
        "todo": todo,
        "why": why,
        "kinds": choice.kinds(advice),
        "paged": paged,
        "catalogue_rows": CATALOGUE_ROWS_PAGED if paged else CATALOGUE_ROWS_SCREEN,
    }


def _finalize(value: object) -> object:
    # Every expression of every template passes here: Markup is ours, the rest is cleaned and then escaped.
    if isinstance(value, Markup):
        return value
    if value is None:
        raise TypeError("a template printed None: unknown values have a reason and go through unknown()")
    return clean(str(value)) if isinstance(value, str) else value


def _figure(chart: Chart | None, t: Texts, *, paged: bool) -> Markup:
    """A chart with its caption, or a line that says why it is not there."""
    if chart is None:
        return Markup()
    t.left.update(dict.fromkeys(chart.left))
    if not chart.svg:
        reason = t("chart.failed", "Chart left out: {why}", why=foreign(chart.failure, 200))
        return Markup('<p class="notice">{}</p>').format(reason)
    # Rebuilt by svg.tidy from an allowed list.
    wide, narrow = Markup(chart.svg), Markup(chart.narrow)  # noqa: S704
    box = Markup('<div class="chart-box">{}</div>').format(wide)
    if narrow and not paged:
        desk, hand = '<div class="chart-box at-desk">{}</div>', '<div class="chart-box in-hand">{}</div>'
        box = Markup(desk).format(wide) + Markup(hand).format(narrow)  # noqa: S704 - both stand above
    return Markup('<figure class="chart">{}<figcaption>{}</figcaption></figure>').format(box, chart.caption)


@lru_cache(maxsize=1)
def _script() -> str:
    """The page's script without its comments and empty lines, as the page will hold it."""
    text = (shipped("templates") / "report.js").read_text(encoding="utf-8")
    lines = (re.sub(r"(^|\s)// .*$", "", line).rstrip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


_MORE_FACES = "/*more-faces*/"


def _style(t: Texts) -> Markup:
    """The style sheet with the shipped font in it."""
    css = (shipped("templates") / "style.css").read_text(encoding="utf-8")
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    families = f'{FAMILY}", "{CHINESE}", "{PLAIN}'
    if t.code == "zh":
        families = f'{MARKS}", "{families}'
    css = css.replace("REPORT_FONT", families)
    return Markup(f"{font_face_css()}\n{_MORE_FACES}\n{css}")  # noqa: S704 - our own file
