"""What stands on the pages of a report, made again from the data it carries."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor import __version__
from advisor.data.embedded import Embedded, advice_in, read_pdf, text_of
from advisor.errors import AdvisorError, DataError
from advisor.redact import redact
from advisor.render import pages
from advisor.schema import Advice

if TYPE_CHECKING:
    from advisor.request import Job

_GIVEN = ("advice.json", "a.json", "b.json", "request.json", "comparison.json")  # the data itself
_HEAD = 2000  # characters of a page's beginning, where it says what made it
REDACTED = "[host]"  # stands in every page without names
_FIGURE = re.compile(r"\d[\d,.]*(?:\s?[–～]\s?\d[\d,.]*)?")


@dataclass(frozen=True)
class Printed:
    """How the pages compare with those made again."""

    kind: str  # report, request, comparison
    figures: int
    missing: tuple[str, ...] = ()  # printed, and not among what the data gives
    lacking: tuple[str, ...] = ()  # given by the data, and not printed
    moved: bool = False  # the same figures in another order
    reworded: bool = False  # the same figures among other words
    files: tuple[str, ...] = ()  # attached files that are not what the data gives
    exact: bool = False  # byte for byte
    same_tool: bool = True
    unable: str = ""  # why nothing could be made again

    @property
    def differs(self) -> bool:
        """Whether the page says something that its data does not."""
        wrong = bool(self.missing or self.lacking or self.moved or self.reworded or self.files)
        return wrong and self.same_tool


def kind_of(found: Embedded) -> str:
    """What sort of document a PDF is, by what it carries."""
    if "request.json" in found.files:
        return "request"
    return "comparison" if {"a.json", "b.json"} <= set(found.files) else "report"


def check_pdf(path: Path, found: Embedded) -> Printed:
    """The PDF's pages against pages made from its attachments."""
    kind = kind_of(found)
    try:
        with tempfile.TemporaryDirectory(prefix="hwadvisor-verify-") as name:
            again = read_pdf(_make(path, found, kind, Path(name)))
            files = tuple(
                n for n, data in again.files.items() if n not in _GIVEN and data != found.files.get(n)
            )
            files += _other_files(path, found) if kind == "request" else ()
    except DataError:
        raise
    except (AdvisorError, OSError) as error:
        why = error.message if isinstance(error, AdvisorError) else str(error)
        return Printed(kind, len(figures("".join(found.pages))), unable=why)
    same_tool = _tool(path, found) == __version__ and pages.same(found.made_by)
    if again.data == found.data:
        count = len(figures("\n".join(found.pages)))
        return Printed(kind, count, files=files, exact=not files, same_tool=same_tool)
    compared = compare_texts(kind, "\n".join(found.pages), "\n".join(again.pages), same_tool)
    return replace(compared, files=files)


def check_html(path: Path, advice: Advice) -> Printed:
    """An HTML report against one made from the advice beside it."""
    from advisor.data.files import read_text
    from advisor.render import render_report

    text = read_text(path)
    lang = "zh" if re.search(r'<html lang="zh', text[:400]) else "en"
    if REDACTED in text:
        advice = redact(advice)  # the page may have been made so from data that was not
    with tempfile.TemporaryDirectory(prefix="hwadvisor-verify-") as name:
        render_report(advice, Path(name), formats=("html",), lang=lang)
        again = read_text(Path(name) / "report.html")
    made_by = re.search(r'<meta name="generator" content="([^"]*)"', text[:_HEAD])
    same_tool = advice.versions.tool == __version__ and pages.same(made_by[1] if made_by else None)
    if again == text:
        return Printed("report", len(figures(_shown(text))), exact=True, same_tool=same_tool)
    return compare_texts("report", _shown(text), _shown(again), same_tool)


def compare_texts(kind: str, page: str, again: str, same_tool: bool = True) -> Printed:
    """Two texts by the figures in them, their order, and the words around them."""
    ours, theirs = figures(page), figures(again)
    there, made = Counter(ours), Counter(theirs)
    missing, lacking = tuple((there - made).keys()), tuple((made - there).keys())
    same = not missing and not lacking
    return Printed(
        kind,
        len(ours),
        missing,
        lacking,
        moved=same and ours != theirs,
        reworded=same and ours == theirs and _bare(page) != _bare(again),
        same_tool=same_tool,
    )


def _bare(text: str) -> str:
    """The text without blanks and hyphens, which other library versions set otherwise."""
    return re.sub(r"[\s\u00ad\u2010-]+", "", text)


def figures(text: str) -> list[str]:
    """Every number and range printed in a text, as it stands."""
    return [" ".join(found.group().rstrip(".,").split()) for found in _FIGURE.finditer(text)]


def _tool(path: Path, found: Embedded) -> str:
    name = "a.json" if kind_of(found) == "comparison" else "advice.json"
    return advice_in(path, found, name).versions.tool


def _make(path: Path, found: Embedded, kind: str, folder: Path) -> Path:
    """The document made again, into `folder`."""
    if kind == "request":
        return _request(path, found, folder)
    if kind == "comparison":
        from advisor.compare import compare
        from advisor.render.compare_page import render_comparison

        sides = (advice_in(path, found, "a.json"), advice_in(path, found, "b.json"))
        names = _record(path, found, "comparison.json").get("names", ["a", "b"])
        compared = compare(sides[0], sides[1], (str(names[0]), str(names[1])))
        result = render_comparison(sides, compared, folder, formats=("pdf",), lang=found.lang)
    else:
        from advisor.render import render_report

        result = render_report(advice_in(path, found), folder, formats=("pdf",), lang=found.lang)
    return _written(result.written, result.skipped)


def _job(path: Path, found: Embedded) -> tuple[Advice, Job, dict[str, Any]]:
    """The job that the attached advice and record give. Raises DataError for a record that was edited."""
    from advisor.request import Options, build, checked, pick, site_of

    advice, record = advice_in(path, found), _record(path, found, "request.json")
    try:
        told = dict(record["options"])
        told["command"] = tuple(told.get("command", ()))
        site = site_of(Path("request.json"), dict(record.get("site", {})))
        choice = pick(advice, None, str(record["target"]))
        job = build(
            choice,
            site,
            checked(Options(**told)),
            advice.calibration,
            wall_limit_s=record["wall_limit_s"],
            scheduler=str(record.get("scheduler")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError.at(path, "request.json", None, f"is not whole ({error})", "It was edited.") from error
    return advice, job, record


def _request(path: Path, found: Embedded, folder: Path) -> Path:
    from advisor.render.request_page import render_request

    advice, job, _ = _job(path, found)
    data = {name: text_of(path, found, name) for name in found.files}
    result = render_request(advice, job, data, folder, formats=("pdf",), lang=found.lang)
    return _written(result.written, result.skipped)


def _other_files(path: Path, found: Embedded) -> tuple[str, ...]:
    """The job's own files that are not what the job gives; what a template gave cannot be told."""
    from advisor.request import write

    _, job, record = _job(path, found)
    if record.get("template"):
        return ()
    made, _ = write(job, str(record.get("scheduler")), kind=str(record.get("kind", "job")))
    return tuple(name for name, text in made.items() if found.files.get(name) != text.encode())


def _record(path: Path, found: Embedded, name: str) -> dict[str, Any]:
    try:
        raw = json.loads(text_of(path, found, name)) if name in found.files else {}
    except ValueError as error:
        raise DataError.at(path, name, None, f"is not JSON ({error})", "It was edited.") from error
    if not isinstance(raw, dict):
        raise DataError.at(path, name, None, "is no table", "It was edited.")
    return raw


def _written(written: tuple[Path, ...], skipped: tuple[tuple[str, str, str], ...]) -> Path:
    if not written:
        from advisor.errors import MissingLibrary

        raise MissingLibrary(skipped[0][1], skipped[0][2])
    return written[0]


class _Shown(HTMLParser):
    """The text of a page as a reader sees it: attributes and drawings' coordinates are none."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the base class's signature
        self._hidden += tag in ("style", "script")
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def _shown(html: str) -> str:
    parser = _Shown()
    parser.feed(html)
    return "".join(parser.parts)
