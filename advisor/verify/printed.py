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

from advisor.data.embedded import Embedded, advice_in, read_pdf, text_of
from advisor.data.pdf_parts import parts_of_pdf
from advisor.errors import AdvisorError, DataError, MissingLibrary
from advisor.redact import redact
from advisor.schema import Advice
from advisor.verify.parts import of_html

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
    parts: tuple[str, ...] = ()  # what differs of pages that this version makes of the same data
    exact: bool = False  # byte for byte
    same_tool: bool = True
    unable: str = ""  # why nothing could be made again
    foreign: str = ""  # attached files that came of a template which nobody has here

    @property
    def reads_otherwise(self) -> bool:
        """Whether figures or words of the page are not those that its data gives."""
        return bool(self.missing or self.lacking or self.moved or self.reworded or self.files)

    @property
    def differs(self) -> bool:
        """Pages of this very version that are not, to the byte, what it makes of their data.

        Text alone does not tell: a box over a figure, a style sheet or a script leave it as it was.
        """
        return self.same_tool and not self.unable and (self.reads_otherwise or not self.exact)

    @property
    def unchecked(self) -> str:
        """Why the pages could not be made again; "" where they could."""
        if self.unable:
            return f"its pages could not be made again ({self.unable})"
        if not self.same_tool:
            return "its pages say that another version made them, which cannot be made again here"
        if self.foreign:
            return f"a template of the user's own gave {self.foreign}: read it yourself"
        return ""


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
            foreign = _templated(path, found) if kind == "request" else ""
    except DataError:
        raise
    except (AdvisorError, OSError) as error:
        why = error.message if isinstance(error, AdvisorError) else str(error)
        return Printed(kind, len(figures("".join(found.pages))), unable=why)
    same_tool = found.made_by in ("", again.made_by)  # one that says nothing is held to these pages
    if again.data == found.data:
        count = len(figures("\n".join(found.pages)))
        return Printed(kind, count, files=files, exact=not files, foreign=foreign)
    compared = compare_texts(kind, "\n".join(found.pages), "\n".join(again.pages), same_tool)
    parts = parts_of_pdf(found.data, again.data) if same_tool else ()
    return replace(compared, files=files, parts=parts, foreign=foreign)


def check_html(path: Path, advice: Advice) -> Printed:
    """An HTML report against one made from the advice beside it."""
    from advisor.data.files import read_text
    from advisor.render import render_report

    text = read_text(path)
    lang = "zh" if re.search(r'<html lang="zh', text[:400]) else "en"
    if REDACTED in text:
        advice = redact(advice)  # the page may have been made so from data that was not
    try:
        with tempfile.TemporaryDirectory(prefix="hwadvisor-verify-") as name:
            render_report(advice, Path(name), formats=("html",), lang=lang)
            made = Path(name) / "report.html"
            again, exact = read_text(made), made.read_bytes() == path.read_bytes()
    except (MissingLibrary, OSError) as error:
        why = error.message if isinstance(error, AdvisorError) else str(error)
        return Printed("report", len(figures(_shown(text))), unable=why)
    if exact:
        return Printed("report", len(figures(_shown(text))), exact=True)
    same_tool = _made_by(text) in ("", _made_by(again))
    compared = compare_texts("report", _shown(text), _shown(again), same_tool)
    return replace(compared, parts=of_html(text, again) if same_tool else ())


def _made_by(page: str) -> str:
    """What an HTML page says that made it; "" for one that says nothing."""
    found = re.search(r'<meta name="generator" content="([^"]*)"', page[:_HEAD])
    return found[1] if found else ""


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
    more = tuple(name for name in found.files if name not in made and name not in _GIVEN)
    return more + tuple(name for name, text in made.items() if found.files.get(name) != text.encode())


def _templated(path: Path, found: Embedded) -> str:
    """The job's own files where they came of a template, which nobody has here; "" where they did not."""
    if not _record(path, found, "request.json").get("template"):
        return ""
    return ", ".join(name for name in found.files if name not in _GIVEN)[:120] or "its script"


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
