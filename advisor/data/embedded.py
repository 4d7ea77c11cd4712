"""An advice from whatever holds one: advice.json, its folder, a report's PDF."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.data.advice import load_advice, read_advice
from advisor.data.files import check_regular
from advisor.errors import DataError, UserError
from advisor.schema import Advice

MOST_BYTES = 200_000_000
_MAGIC = b"%PDF-"


@dataclass(frozen=True)
class Embedded:
    """A PDF's attached files and what is printed on its pages."""

    files: dict[str, bytes]
    pages: tuple[str, ...] = ()
    lang: str = "en"
    data: bytes = field(default=b"", repr=False)
    made_by: str = ""  # what the PDF says that made it


def load_any(path: Path) -> Advice:
    """The advice in a file. Raises UserError or DataError in one line with a hint."""
    if path.is_dir() or not is_pdf(path):
        return load_advice(path)
    found = read_pdf(path, texts=False)
    return advice_in(path, found)


def advice_in(path: Path, found: Embedded, name: str = "advice.json") -> Advice:
    """The advice attached to a PDF. Raises DataError where there is none."""
    if name not in found.files:
        raise DataError.at(
            path, "", None, f"has no {name} attached", "It is no report of hwadvisor, or was printed anew."
        )
    return read_advice(path, text_of(path, found, name))


def text_of(path: Path, found: Embedded, name: str) -> str:
    """An attached file as text. Raises DataError for one that is none."""
    try:
        return found.files[name].decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError.at(
            path, name, None, f"is not UTF-8 text ({error.reason})", "Ask for the file again."
        ) from error


def is_pdf(path: Path) -> bool:
    """Whether a file begins like a PDF. Raises UserError for one that cannot be read."""
    check_regular(path)
    try:
        with path.open("rb") as file:
            return file.read(1024).lstrip()[: len(_MAGIC)] == _MAGIC
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}", "Check the path.") from error


def read_pdf(path: Path, *, texts: bool = True) -> Embedded:
    """A PDF's attachments, and the text of its pages if asked. Raises DataError for a damaged one."""
    import io
    import logging

    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it warns on stderr of each thing it mends
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise DataError.at(
                path, "", None, f"is larger than {MOST_BYTES // 1_000_000} MB", "It is no report."
            )
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
        raise DataError.at(path, "", None, f"is no whole PDF ({told})", "Ask for the file again.") from error
    return Embedded(files, pages, "zh" if lang.lower().startswith("zh") else "en", data, made_by)
