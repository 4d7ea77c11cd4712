"""An advice from whatever holds one: advice.json (packed or not), its folder, a report as PDF or HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from advisor.data.advice import check_size, load_advice, read_advice
from advisor.data.files import check_regular, read_text
from advisor.data.page_files import files_in
from advisor.errors import DataError, UserError
from advisor.schema import Advice

PDF, HTML, JSON = "PDF", "HTML", "JSON"
_MAGIC = b"%PDF-"
_HEAD = 2000  # characters of a page's beginning, where it says what made it
_AGAIN = "Ask for the file again."


@dataclass(frozen=True)
class Embedded:
    """A document's attached files and what is printed on its pages."""

    files: dict[str, bytes]
    pages: tuple[str, ...] = ()
    lang: str = "en"
    data: bytes = field(default=b"", repr=False)
    made_by: str = ""  # what the document says that made it
    form: str = PDF


def load_any(path: Path) -> Advice:
    """The advice in a file. Raises UserError or DataError in one line with a hint."""
    if path.is_dir():
        return load_advice(path)
    form = form_of(path)
    if form == JSON:
        return load_advice(path)
    return advice_in(path, read_pdf(path, texts=False) if form == PDF else read_html(path))


def advice_in(path: Path, found: Embedded, name: str = "advice.json") -> Advice:
    """The advice attached to a document. Raises DataError where there is none."""
    if name not in found.files:
        if found.form == HTML and not found.files and found.made_by.startswith("hwadvisor "):
            told = "lacks the data that every page of hwadvisor carries: it is cut short, or was edited"
            raise DataError.at(path, "", None, told, _GIVE_DATA)
        if found.form == HTML and not found.files:
            raise NoData.at(path, "", None, _NO_DATA, _GIVE_DATA)
        raise DataError.at(
            path, "", None, f"has no {name} attached", "It is no report of hwadvisor, or was printed anew."
        )
    return read_advice(path, text_of(path, found, name))


class NoData(DataError):
    """An HTML page without data, of who knows whom: its figures can be read and not be checked."""


_NO_DATA = "is an HTML page that carries no data, so nothing of it can be checked"
_GIVE_DATA = "Ask for the file as `hwadvisor report` writes it, not as a browser saved it, or for the PDF."


def text_of(path: Path, found: Embedded, name: str) -> str:
    """An attached file as text. Raises DataError for one that is none."""
    try:
        return found.files[name].decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError.at(path, name, None, f"is not UTF-8 text ({error.reason})", _AGAIN) from error


def form_of(path: Path) -> str:
    """What a file is by its first bytes: PDF, HTML or (packed or not) JSON.

    Raises UserError for one that cannot be read, DataError for one that is empty or not what its name says.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            head = file.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}", "Check the path.") from error
    ending = path.suffix.lower()
    if not head:
        raise DataError.at(path, "", None, "is empty", _AGAIN)
    if head.startswith(_MAGIC):
        return PDF
    if ending == ".pdf":
        raise DataError.at(path, "", None, "is not a PDF, though its name says so", _AGAIN)
    if re.match(rb"<!doctype html|<html", head, re.IGNORECASE):
        return HTML
    if ending in (".html", ".htm"):
        raise DataError.at(path, "", None, "is not an HTML page, though its name says so", _AGAIN)
    return JSON


def read_html(path: Path) -> Embedded:
    """An HTML document's files and text. Raises DataError where what it carries is damaged."""
    check_size(path)
    page = read_text(path)
    try:
        files = files_in(page)
        data = path.read_bytes()
    except ValueError as error:
        raise DataError.at(path, "", None, f"carries damaged data ({error})", _AGAIN) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}", "Check the path.") from error
    made_by = re.search(r'<meta name="generator" content="([^"]*)"', page[:_HEAD])
    lang = "zh" if re.search(r'<html lang="zh', page[:400]) else "en"
    return Embedded(files, (_shown(page),), lang, data, made_by[1] if made_by else "", HTML)


def read_pdf(path: Path, *, texts: bool = True) -> Embedded:
    """A PDF's attachments, and the text of its pages if asked. Raises DataError for a damaged one."""
    import io
    import logging

    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it warns on stderr of each thing it mends
    try:
        check_size(path)
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}", "Check the path.") from error
    try:
        reader: Any = pypdf.PdfReader(io.BytesIO(data))
        files = {str(name): bytes(parts[0]) for name, parts in reader.attachments.items() if parts}
        pages = tuple(page.extract_text() for page in reader.pages) if texts else ()
        lang = str(reader.trailer["/Root"].get("/Lang", "en"))
        made_by = str((reader.metadata or {}).get("/Creator", ""))
    except DataError:
        raise
    except Exception as error:  # a damaged file fails anywhere in the library
        told = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise DataError.at(path, "", None, f"is no whole PDF ({told})", _AGAIN) from error
    return Embedded(files, pages, "zh" if lang.lower().startswith("zh") else "en", data, made_by)


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
