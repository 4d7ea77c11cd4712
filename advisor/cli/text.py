"""Plain text for a terminal, without a library: what strangers named made harmless, long lines folded.

Chinese characters take two cells of a terminal, and lines of them break anywhere but before a closing mark.
"""

from __future__ import annotations

import re
import shutil
import textwrap
import unicodedata

import click

from advisor.cli.language import told, told_once

WIDTH_WITHOUT_TERMINAL = 110
_LEAST, _MOST = 50, 120

_WIDE = r"\u2e80-\u9fff\uff00-\uffef"
_PIECE = re.compile(rf"[“‘（《]*[{_WIDE}][、。，；：？！）”’》]*|[^\s{_WIDE}]+[、。，；：？！）”’》]*|\s+")


def plain(text: str) -> str:
    """The text with every character that is not printable, except line ends and tabs, made visible."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def text_width() -> int:
    """Columns to fold text to: the terminal's (or COLUMNS), within what reads well."""
    wide = shutil.get_terminal_size((WIDTH_WITHOUT_TERMINAL, 24)).columns
    return max(_LEAST, min(wide, _MOST))


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text
    )


def left(text: str, width: int) -> str:
    """The text with blanks behind it, as wide as `width` cells."""
    return text + " " * (width - cells(text))


def right(text: str, width: int) -> str:
    """The text with blanks before it, as wide as `width` cells."""
    return " " * (width - cells(text)) + text


def shortened(text: str, width: int) -> str:
    """The text in at most `width` cells."""
    if cells(text) <= width:
        return text
    while text and cells(text) >= width:
        text = text[:-1]
    return text + "…"


def folded(text: str, width: int, first: str = "", rest: str = "") -> str:
    """The text in lines of at most `width` cells, the first after `first`, all others after `rest`."""
    if text.isascii() or cells(text) == len(text):
        return textwrap.fill(
            text, width, initial_indent=first, subsequent_indent=rest,
            break_on_hyphens=False, break_long_words=False,
        )  # fmt: skip
    lines, line, indent = [], "", first
    for piece in _PIECE.findall(text):
        if line and cells(indent + line + piece.rstrip()) > width:
            lines.append(indent + line.rstrip())
            line, indent = "", rest
        line += piece if line else piece.lstrip()
    return "\n".join([*lines, indent + line.rstrip()])


def say(line: str = "") -> None:
    """One line of whatever length; the file may be a stranger's, so nothing but text gets through."""
    click.echo(plain(told_once(line)))


def paragraph(text: str, first: str = "", rest: str | None = None) -> None:
    """A text in the width there is; further lines start with `rest`, by default under its first word."""
    further = " " * cells(first) if rest is None else rest
    click.echo(folded(plain(told_once(text)), text_width(), first, further))


def label(text: str, width: int) -> str:
    """A heading of a line in the language in use, as wide as `width` cells."""
    return left(told(text), width)
