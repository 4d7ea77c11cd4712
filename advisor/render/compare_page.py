"""Two advices side by side as HTML and PDF, with both attached."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from advisor.compare import GROUPS, Comparison, Row, counted
from advisor.render import RenderResult, dated, describe
from advisor.render.html import page_context, render_page
from advisor.render.marks import Marks, foreign
from advisor.render.request_page import figure
from advisor.render.texts import Texts
from advisor.schema import Advice, Measurement, Quantity

NAME = "compare"
_ROWS_PAGED = 120  # of a group; all of them are attached


@dataclass
class Page:
    """What the template shows, in its order."""

    title: Markup
    subtitle: Markup
    sentence: Markup
    names: tuple[Markup, Markup]
    groups: list[tuple[Markup, list[tuple[Markup, Markup, Markup, Markup]]]]
    check: Markup


def render_comparison(
    sides: tuple[Advice, Advice],
    compared: Comparison,
    folder: Path,
    *,
    formats: Iterable[str] = ("html", "pdf"),
    lang: str = "en",
) -> RenderResult:
    """Write compare.html and compare.pdf into `folder`."""
    from advisor.render import write_pages
    from advisor.render.pdf import Data
    from advisor.render.texts import full_texts

    data, tell = attached(sides, compared), full_texts(lang).sentences.tell
    return write_pages(
        NAME,
        folder,
        formats,
        lang,
        lambda paged: comparison_html(sides, compared, data, lang, paged=paged),
        lambda: [Data(name, tell(_ABOUT[name]), text) for name, text in data.items()],
        dated.created(sides[1]),
    )


_ABOUT = {
    "a.json": "The first side", "b.json": "The second side", "comparison.json": "What the sides are called",
}  # fmt: skip


def attached(sides: tuple[Advice, Advice], compared: Comparison) -> dict[str, str]:
    """Name -> text of everything that the pages carry."""
    from advisor.data.advice import stored_text

    record = json.dumps({"names": compared.names}, ensure_ascii=False) + "\n"
    return {"a.json": stored_text(sides[0]), "b.json": stored_text(sides[1]), "comparison.json": record}


def comparison_html(
    sides: tuple[Advice, Advice],
    compared: Comparison,
    data: Mapping[str, str],
    lang: str = "en",
    *,
    paged: bool = False,
) -> str:
    """The comparison as one self-contained HTML text."""
    from advisor.render.carried import carried
    from advisor.render.texts import full_texts

    t = full_texts(lang)
    context, marks = page_context(sides[1], t, paged=paged)
    page = _page(compared, marks, paged=paged)
    carries = Markup() if paged else carried(data, f"{NAME}.html", t)
    return render_page("pages/compare.html", {**context, "page": page}, t, carries=carries)


def _page(compared: Comparison, marks: Marks, *, paged: bool) -> Page:
    t = marks.t
    names = (marks.said(compared.names[0], 40), marks.said(compared.names[1], 40))
    titles = {
        "machine": t("compare.machine", "The machines"),
        "measured": t("compare.measured", "Measured"),
        "estimates": t("compare.estimates", "Estimated"),
        "plan": t("compare.plan", "Planned"),
    }
    groups = []
    for group in GROUPS:
        rows = compared.of(group)
        if rows:
            shown = rows[:_ROWS_PAGED] if paged else rows
            groups.append((titles[group], [_line(row, marks) for row in shown]))
    made = [foreign(date[:10], 20) if date else t("unknown", "unknown") for date in compared.dates]
    return Page(
        title=t("compare.title", "{a} beside {b}", a=names[0], b=names[1]),
        subtitle=t("compare.subtitle", "Made on {a} and {b}.", a=made[0], b=made[1]),
        sentence=_sentence(compared, marks),
        names=names,
        groups=groups,
        check=t(
            "compare.check",
            "Both files are attached to the PDF; {command} makes this page again from them.",
            command=Markup("<code>hwadvisor verify compare.pdf</code>"),
        ),
    )


def _sentence(compared: Comparison, marks: Marks) -> Markup:
    t = marks.t
    if not compared.shared:
        return t(
            "compare.nothing",
            "Nothing in the two can be compared: no measurement, job or machine is in both files.",
        )
    if not compared.apart:
        return t("compare.same", "The two show no difference: no line is apart by more than the ranges show.")
    measured, estimated = (counted(compared.of(group)) for group in ("measured", "estimates"))
    known = sum(measured.get(name, 0) for name in _JUDGED)
    if known:
        first = t(
            "compare.answer",
            "Of {known} figures measured on both, the second is better in {better} and worse in {worse}; "
            "{within} differ by no more than their ranges show, {alike} are alike.",
            **_numbers(measured, known, t),
        )
    else:
        count = t.number(len(compared.apart), "1")
        first = t(
            "compare.differ", "Lines that differ: {count}. No figure was measured on both.", count=count
        )
    both = sum(estimated.get(name, 0) for name in _JUDGED)
    if not both:
        return first
    if both == estimated.get("alike", 0) + estimated.get("within", 0):
        known_too = t.number(both, "1")
        second = t("compare.estimated_same", "Of {known} estimated figures none is apart.", known=known_too)
        return describe.sentences(first, second, t)
    second = t(
        "compare.estimated",
        "Of {known} estimated figures it is better in {better} and worse in {worse}; {within} differ by no "
        "more than their ranges show, {alike} are alike.",
        **_numbers(estimated, both, t),
    )
    return describe.sentences(first, second, t)


_JUDGED = ("better", "worse", "within", "alike")


def _numbers(counts: Mapping[str, int], known: int, t: Texts) -> dict[str, str]:
    found = {name: t.number(counts.get(name, 0), "1") for name in _JUDGED}
    return {**found, "known": t.number(known, "1")}


def _line(row: Row, marks: Marks) -> tuple[Markup, Markup, Markup, Markup]:
    t = marks.t
    label = measured(row.of, t) if row.of is not None else marks.said(row.label, 120)
    return label, _cell(row.a, marks), _cell(row.b, marks), _ratio(row, marks)


def measured(of: Measurement, t: Texts) -> Markup:
    """What was measured, with device and size."""
    return t(
        "compare.figure",
        "{device}: {what}",
        device=describe.device(t, of.device, {}),
        what=describe.measurement(t, of),
    )


def _cell(cell: Quantity | str | None, marks: Marks) -> Markup:
    t = marks.t
    if cell is None:
        return Markup('<span class="why" title="{}">–</span>').format(t("compare.absent", "not in the file"))
    if isinstance(cell, str):
        return marks.said(cell, 120)
    if cell.value is None and (cell.low is not None or cell.high is not None):
        return Markup('<span class="fig">{}</span>{}').format(marks.span(cell), marks.mark(cell.kind))
    return figure(marks, cell)


def _ratio(row: Row, marks: Marks) -> Markup:
    t = marks.t
    same = {
        "alike": t("compare.alike", "alike"),
        "within": t("compare.within", "ranges overlap"),
    }.get(row.judged)
    if same is not None:
        return Markup('<span class="why">{}</span>').format(same)
    if row.ratio is None:
        words = {
            "other": t("compare.other", "differs"),
            "better": t("compare.better", "better"),
            "worse": t("compare.worse", "worse"),
        }
        return words.get(row.judged, Markup("–"))
    css = {"better": "yes", "worse": "no"}.get(row.judged, "")
    return Markup('<span class="{}">× {}</span>').format(css, t.number(row.ratio, "1"))
