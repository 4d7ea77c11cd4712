"""What stands on the pages of a report, made again from the data it carries."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.data.embedded import HTML, Embedded, advice_in, read_html, read_pdf, text_of
from advisor.data.pdf_parts import parts_of_pdf
from advisor.errors import AdvisorError, DataError, MissingLibrary
from advisor.schema import Advice
from advisor.verify.parts import of_html

if TYPE_CHECKING:
    from advisor.request import Job

_GIVEN = ("advice.json", "a.json", "b.json", "request.json", "comparison.json")  # the data itself
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
    """What sort of document it is, by what it carries."""
    if "request.json" in found.files:
        return "request"
    return "comparison" if {"a.json", "b.json"} <= set(found.files) else "report"


def check_pages(path: Path, found: Embedded) -> Printed:
    """A document's pages against pages made from the data it carries."""
    kind = kind_of(found)
    count = len(figures("\n".join(found.pages)))
    try:
        with tempfile.TemporaryDirectory(prefix="hwadvisor-verify-") as name:
            made = _make(path, found, kind, Path(name))
            again = read_html(made) if found.form == HTML else read_pdf(made)
            files = tuple(
                n for n, data in again.files.items() if n not in _GIVEN and data != found.files.get(n)
            )
            files += _other_files(path, found) if kind == "request" else ()
            foreign = _templated(path, found) if kind == "request" else ""
    except DataError:
        raise
    except (AdvisorError, OSError) as error:
        why = error.message if isinstance(error, AdvisorError) else str(error)
        return Printed(kind, count, unable=why)
    same_tool = found.made_by in ("", again.made_by)  # one that says nothing is held to these pages
    if again.data == found.data:
        return Printed(kind, count, files=files, exact=not files, foreign=foreign)
    compared = compare_texts(kind, "\n".join(found.pages), "\n".join(again.pages), same_tool)
    parts = _parts(found, again) if same_tool else ()
    return replace(compared, files=files, parts=parts, foreign=foreign)


def _parts(found: Embedded, again: Embedded) -> tuple[str, ...]:
    """Where two documents differ that should be the same bytes."""
    if found.form == HTML:
        return of_html(found.data.decode("utf-8"), again.data.decode("utf-8"))
    return parts_of_pdf(found.data, again.data)


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
    form = found.form.lower()
    if kind == "request":
        return _request(path, found, folder)
    if kind == "comparison":
        from advisor.compare import compare
        from advisor.render.compare_page import render_comparison

        sides = (advice_in(path, found, "a.json"), advice_in(path, found, "b.json"))
        names = _record(path, found, "comparison.json").get("names", ["a", "b"])
        compared = compare(sides[0], sides[1], (str(names[0]), str(names[1])))
        result = render_comparison(sides, compared, folder, formats=(form,), lang=found.lang)
    else:
        from advisor.render import render_report

        result = render_report(advice_in(path, found), folder, formats=(form,), lang=found.lang)
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
    result = render_request(advice, job, data, folder, formats=(found.form.lower(),), lang=found.lang)
    return _written(result.written, result.skipped)


def _other_files(path: Path, found: Embedded) -> tuple[str, ...]:
    """The job's own files that are not what the job gives; what a template gave cannot be told."""
    from advisor.render.comments import commented
    from advisor.request import write

    _, job, record = _job(path, found)
    if record.get("template"):
        return ()
    made, _ = write(job, str(record.get("scheduler")), kind=str(record.get("kind", "job")))
    made = commented(made, found.lang)
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
