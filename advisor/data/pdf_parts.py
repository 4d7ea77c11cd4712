"""Where two PDFs differ that should be the same bytes: told where it is cheap to tell."""

from __future__ import annotations

import io
from typing import Any

_BYTES = "its bytes"
_MOST = 6


def parts_of_pdf(data: bytes, again: bytes) -> tuple[str, ...]:
    """What of a PDF is not as it was made again."""
    import pypdf

    try:
        ours, theirs = (pypdf.PdfReader(io.BytesIO(one)) for one in (data, again))
        return tuple(_of_readers(ours, theirs))[:_MOST] or (_BYTES,)
    except Exception:  # a damaged file fails anywhere in the library, and then its bytes are what differs
        return (_BYTES,)


def _of_readers(ours: Any, theirs: Any) -> list[str]:
    found = []
    if len(ours.pages) != len(theirs.pages):
        found.append(f"its number of pages ({len(ours.pages)} for {len(theirs.pages)})")
    for number, (page, made) in enumerate(zip(ours.pages, theirs.pages, strict=False), 1):
        if _notes(page) != _notes(made):
            found.append(f"annotations on page {number}")
        if _drawn(page) != _drawn(made):
            found.append(f"what is drawn on page {number}")
    for key in ("/OpenAction", "/AA", "/AcroForm"):
        if (key in ours.trailer["/Root"]) != (key in theirs.trailer["/Root"]):
            found.append(f"actions or forms ({key})")
    if dict(ours.metadata or {}) != dict(theirs.metadata or {}):
        found.append("its properties")
    return found


def _notes(page: Any) -> list[tuple[str, ...]]:
    """Each annotation by what a reader sees of it: its sort, place and text."""
    held = [note.get_object() for note in page.get("/Annots") or ()]
    return [tuple(str(note.get(key)) for key in ("/Subtype", "/Rect", "/Contents", "/F")) for note in held]


def _drawn(page: Any) -> bytes:
    contents = page.get_contents()
    return b"" if contents is None else bytes(contents.get_data())
