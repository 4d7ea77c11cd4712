"""A section of the report as blocks of text for a terminal: the same words and figures, no second wording."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_BLOCKS = {"h2", "h3", "h4", "p", "li"}
_SKIPPED = {"figure", "svg", "style", "title"}
_LETTER = re.compile(r"\bk-[a-z]+")


@dataclass
class Block:
    """A heading (h2, h3, h4), a paragraph (p), an item of a list (li) or a table."""

    kind: str
    text: str = ""
    rows: list[list[str]] = field(default_factory=list)  # of a table; the first is its head, if it has one
    head: bool = False


def blocks(html: str) -> list[Block]:
    """The blocks of a rendered section, in order; charts are left out."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return [block for block in reader.found if block.text or block.rows]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Block] = []
        self._skip = 0
        self._open: list[str] | None = None  # pieces of the text that is being read
        self._table: Block | None = None
        self._closing: list[str] = []  # what ends the spans that are open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SKIPPED:
            self._skip += 1
        css = dict(attrs).get("class") or ""
        if tag in _BLOCKS:
            self.found.append(Block(tag))
            self._open = []
        elif tag == "table":
            self._table = Block("table")
            self.found.append(self._table)
        elif tag == "thead" and self._table:
            self._table.head = True
        elif tag == "tr" and self._table:
            self._table.rows.append([])
        elif tag in ("th", "td"):
            self._open = []
        elif tag in ("span", "a"):
            self._span(css)

    def _span(self, css: str) -> None:
        """Marks stand in brackets, remarks below a figure follow it."""
        first, last = "", ""
        if _LETTER.search(css):
            first, last = " [", "]"
        elif "below" in css:
            first = "; "
        elif css in ("param", "rng"):
            first, last = " (", ")"
        elif css:
            first = " "
        self._closing.append(last)
        self._add(first)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SKIPPED:
            self._skip -= 1
        elif tag in ("span", "a") and self._closing:
            self._add(self._closing.pop())
        elif tag in _BLOCKS and self._open is not None:
            self.found[-1].text = _tidy(self._open)
            self._open = None
        elif tag in ("th", "td") and self._table and self._table.rows and self._open is not None:
            self._table.rows[-1].append(_tidy(self._open))
            self._open = None

    def handle_data(self, data: str) -> None:
        self._add(data)

    def _add(self, text: str) -> None:
        if self._open is not None and not self._skip:
            self._open.append(text)


def _tidy(pieces: list[str]) -> str:
    text = re.sub(r"\s+", " ", "".join(pieces)).strip().lstrip(";").strip()
    return re.sub(r" +([,;.)，。；）])", r"\1", text).replace(" ()", "")
